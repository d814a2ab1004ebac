/* RFC 7515 s5.2, ATIS-1000084: the STI-PA's list of CAs; nobody here can sign one. */
#include "stir/stilist.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

/* P-256, self-signed, until 2096: its key was thrown away. */
static const char signer[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBUTCB+KADAgECAgEHMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBlNUSS1QQTAg\n"
    "Fw0yNjAxMDEwMDAwMDBaGA8yMDk2MDEwMTAwMDAwMFowETEPMA0GA1UEAwwGU1RJ\n"
    "LVBBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEw9LqxO4Eyt8vcnBXBVQVdtDB\n"
    "gfpJ6YomG0EGULHBmfuRQNr483L71AMRZJcyum7aen5qbdIwfMx3ZkAOOsgUg6M/\n"
    "MD0wDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwHQYDVR0OBBYEFB4q/6Hm\n"
    "K1uDbFNyPmm3SD+BZvh3MAoGCCqGSM49BAMCA0gAMEUCICTDeB5U80ZoVpIiCaYq\n"
    "s6RCBOrmolWMR3yCAoMMJwO5AiEAkt0aFacKsI5fZ1i4jq3QPgLJpJq+XEsuS9gi\n"
    "leHkg7I=\n"
    "-----END CERTIFICATE-----\n";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct stilist *l = NULL;

	if (stilist_read(span_of(data, len), span_str(signer), 1800000000, &l, NULL) == RC_OK)
		abort();
	return 0;
}
