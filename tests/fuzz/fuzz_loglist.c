/* RFC 6962 s3: a list of logs and its signature, and a publisher's key: nobody here can sign one. */
#include "stir/b64.h"
#include "stir/loglist.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vectors_sct.h"

#include <stdlib.h>

static EVP_PKEY *
publisher(void)
{
	AUTO_BUF der = BUF_INIT(4096);
	const uint8_t *p;
	EVP_PKEY *key;

	if (b64_decode(&der, B64_STD, span_str(log_test), NULL) != RC_OK)
		abort();
	p = der.ptr;
	key = d2i_PUBKEY(NULL, &p, (long)der.len);
	if (key == NULL)
		abort();
	return key;
}

/* A list is read alone as well: behind a good signature it has to be refused or whole. */
static void
read_list(struct span json)
{
	AUTO(ctlogs) *l = NULL;

	if (ctlogs_read(json, &l, NULL) == RC_OK && ctlogs_issued_s(l) < 0)
		abort();
}

/* The first octet says how many of the others are the signature. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static EVP_PKEY *key;
	AUTO_OSSL(EVP_PKEY) *other = NULL;
	struct ctlogs *l = NULL;
	size_t sig;

	if (key == NULL)
		key = publisher();
	if (len == 0)
		return 0;
	sig = data[0] < len ? data[0] : len - 1;
	if (loglist_read(span_of(data + 1 + sig, len - 1 - sig), span_of(data + 1, sig), key,
		&l, NULL) == RC_OK)
		abort();
	read_list(span_of(data + 1 + sig, len - 1 - sig));
	(void)!loglist_key(span_of(data, len), &other, NULL);
	return 0;
}
