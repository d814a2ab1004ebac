/*
 * Revocation lists, and what certificates say of where they are (RFC 5280 s4.2.1.13):
 * octets that nobody has signed.
 */
#include "stir/crl.h"
#include "stir/ossl.h"
#include "tests/fuzz/fuzz.h"

#include <openssl/x509v3.h>
#include <strings.h>

static EVP_PKEY *key;

/* A CA of any name, and a certificate below it: nobody here has the CA's key. */
static X509 *
make(const char *serial, const X509_NAME *issuer)
{
	X509 *x = X509_new();
	BIGNUM *n = NULL;

	must(x != NULL && BN_hex2bn(&n, serial) > 0);
	must(BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL);
	must(X509_set_version(x, X509_VERSION_3) == 1 && X509_set_pubkey(x, key) == 1);
	must(X509_set_issuer_name(x, issuer) == 1 && X509_set_subject_name(x, issuer) == 1);
	BN_free(n);
	return x;
}

/* It is asked what is asked of one that is believed. */
static void
ask(const struct crl *crl)
{
	AUTO_OSSL(X509) *x = make("0AB12", X509_CRL_get_issuer(crl->x509));
	struct cert cert = { .x509 = x, .not_after_s = INT64_MAX };
	char subject[] = "CA", url[] = "https://crl.example/a.crl";
	struct crl_use use = { .issuer = X509_CRL_get_issuer(crl->x509), .url = url };
	int reason = CRL_REASON_NONE;

	cert.subject = subject;
	must(crl_verify(crl, &cert, 0, NULL) != RC_OK);
	must(crl_follows(crl, crl, NULL) == RC_OK);
	(void)!crl_current(crl, crl->this_update_s, 0, NULL);
	(void)!crl_covers(crl, &use, NULL);
	use.indirect = use.of_ca = true;
	(void)!crl_covers(crl, &use, NULL);
	(void)crl_lists(crl, &cert, &reason);
	must(reason != CRL_REASON_REMOVE_FROM_CRL);
}

/* The same octets as the value of the extension. */
static void
name(const uint8_t *data, size_t len)
{
	AUTO_OSSL(X509) *x = X509_new();
	AUTO_OSSL(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
	AUTO_OSSL(X509_EXTENSION) *ext = NULL;
	AUTO_CRL_POINT point = { .named = CRL_NAMED_NONE };
	struct cert cert = { .x509 = x, .crl_points = 1 };

	must(ASN1_OCTET_STRING_set(octets, data, (int)len) == 1);
	ext = X509_EXTENSION_create_by_NID(NULL, NID_crl_distribution_points, 0, octets);
	must(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	if (crl_point_read(&cert, &point, NULL) != RC_OK)
		return;
	/* RFC 3986 section 3.1: a scheme may be written in capitals. */
	must(point.named == CRL_NAMED ? strncasecmp(point.url, "https://", 8) == 0
				      : point.url[0] == 0 && point.issuer == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO(crl) *crl = NULL;

	if (key == NULL)
		key = EVP_EC_gen("P-256");
	if (len > INT32_MAX)
		return 0;
	if (crl_read(span_of(data, len), &crl, NULL) == RC_OK)
		ask(crl);
	name(data, len);
	return 0;
}
