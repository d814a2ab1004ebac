/* cert, chain: what a certificate says, and whether a chain leads to an anchor */
#include "stir/b64.h"
#include "stir/cert.h"
#include "stir/chain.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

/* A root, an intermediate and room for what a case needs; made once. */
static struct {
	EVP_PKEY *root_key, *ca_key, *leaf_key, *other_key;
	X509 *root, *ca;
	struct buf tnauth, spc;
} w;

static int
make_world(void **state)
{
	(void)state;
	w.root_key = pki_p256();
	w.ca_key = pki_p256();
	w.leaf_key = pki_p256();
	w.other_key = pki_p256();
	w.tnauth = BUF_INIT(1000);
	w.spc = BUF_INIT(1000);
	pki_tnauth_one(&w.tnauth, "12025550100");
	pki_tnauth_spc(&w.spc, "1234");
	w.root = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.root_key, .ca = true });
	w.ca = pki_issue(&(struct pki_spec){ .cn = "CA",
	    .key = w.ca_key,
	    .issuer = w.root,
	    .issuer_key = w.root_key,
	    .ca = true,
	    .pathlen = 1 });
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	EVP_PKEY_free(w.root_key);
	EVP_PKEY_free(w.ca_key);
	EVP_PKEY_free(w.leaf_key);
	EVP_PKEY_free(w.other_key);
	X509_free(w.root);
	X509_free(w.ca);
	buf_free(&w.tnauth);
	buf_free(&w.spc);
	return 0;
}

static struct pki_spec
leaf_spec(void)
{
	return (struct pki_spec){ .cn = "SHAKEN 1234",
		.key = w.leaf_key,
		.issuer = w.ca,
		.issuer_key = w.ca_key,
		.serial = "00AB12",
		.tnauth = buf_view(&w.tnauth) };
}

/* ---- cert -------------------------------------------------------------------- */

static void
facts_of_a_leaf(void **state)
{
	static const uint8_t must[] = { 0x30, 0x0a, 0xa0, 0x08, 0x30, 0x06, 0x16, 0x04, 'n',
		'o', 't', 'e' };
	struct pki_spec s = leaf_spec();
	AUTO_OSSL(X509) *x = NULL;
	AUTO(cert) *c = NULL;
	uint8_t point[P256_POINT_LEN], id[KEY_ID_LEN];

	(void)state;
	s.jwt_constraints = span_of(must, sizeof must);
	s.san = "DNS:calls.example";
	s.policies = "2.16.840.1.114569.1.1.3,1.2.3.4";
	s.aia = "1.3.6.1.5.5.7.48.14;URI:https://a.example/list";
	x = pki_issue(&s);
	c = pki_cert(x);
	assert_string_equal(c->serial, "ab12");
	assert_string_equal(c->subject, "CN=SHAKEN 1234");
	assert_string_equal(c->issuer, "CN=CA");
	assert_int_equal(c->not_before_s, PKI_NOW - 3600);
	assert_int_equal(c->not_after_s, PKI_NOW + 86400);
	assert_false(c->is_ca);
	assert_false(c->unknown_critical);
	assert_false(c->both_constraints);
	assert_true(c->tnauth_by_reference);
	assert_int_equal(tnauth_len(c->tnauth), 1);
	assert_true(span_eq(c->tnauth_der, buf_view(&w.tnauth)));
	assert_true(span_eq(c->constraints_der, span_of(must, sizeof must)));
	assert_string_equal(c->constraints->must_include[0], "note");
	assert_int_equal(c->policies, 2);
	assert_string_equal(c->policy[1], "1.2.3.4");
	assert_string_equal(c->dns_name, "calls.example");
	assert_int_equal(c->crl_points, 0);
	assert_false(c->crl_issuer);
	assert_true(c->p256);
	assert_int_equal(p256_point(w.leaf_key, point, NULL), RC_OK);
	assert_memory_equal(c->point, point, sizeof point);
	key_id_of_point(point, id);
	assert_memory_equal(c->key_id, id, sizeof id);
}

static void
facts_of_others(void **state)
{
	static const uint8_t must[] = { 0x30, 0x0a, 0xa0, 0x08, 0x30, 0x06, 0x16, 0x04, 'n',
		'o', 't', 'e' };
	struct pki_spec s = leaf_spec();
	AUTO_OSSL(EVP_PKEY) *p384 = pki_key("EC", "P-384", 0);
	AUTO_OSSL(X509) *x = NULL;
	AUTO(cert) *c = NULL, *root = NULL;
	static const uint8_t zero[P256_POINT_LEN];

	(void)state;
	s.jwt_constraints = s.enhanced_constraints = span_of(must, sizeof must);
	s.key = p384;
	s.faults = PKI_UNKNOWN_CRITICAL;
	s.san = "DNS:a.example,DNS:b.example";
	x = pki_issue(&s);
	c = pki_cert(x);
	assert_true(c->both_constraints);
	assert_true(c->unknown_critical);
	assert_false(c->p256);
	assert_memory_equal(c->point, zero, sizeof zero);
	assert_null(c->dns_name);
	root = pki_cert(w.root);
	assert_true(root->is_ca);
	assert_true(root->key_cert_sign);
	assert_null(root->tnauth);
	assert_string_equal(root->serial, "1");
}

/* A critical TNAuthList is one that we process. */
static void
critical_tnauth_is_known(void **state)
{
	struct pki_spec s = leaf_spec();
	AUTO_OSSL(X509) *x = NULL;
	AUTO(cert) *c = NULL;

	(void)state;
	s.faults = PKI_CRITICAL_TNAUTH;
	x = pki_issue(&s);
	c = pki_cert(x);
	assert_false(c->unknown_critical);
}

static struct cert_case {
	const char *name;
	unsigned faults;
	const uint8_t tnauth[8];
	size_t tnauth_len;
	const char *serial, *reason;
} cert_cases[] = {
	{ "extension twice (RFC 5280 s4.2)", PKI_DUPLICATE, { 0 }, 0, NULL, "cert_extension" },
	{ "implicit TNAuthList", 0, { 0x30, 0x04, 0x82, 0x02, '9', '1' }, 6, NULL,
	    "tnauth_choice" },
	{ "empty TNAuthList", 0, { 0x30, 0x00 }, 2, NULL, "tnauth_empty" },
	{ "TNAuthList with a tail", 0, { 0x30, 0x06, 0xa2, 0x04, 0x16, 0x02, '9', '1' }, 7,
	    NULL, "der_length" },
	{ "negative serial (RFC 5280 s4.1.2.2)", 0, { 0 }, 0, "-05", "cert_serial" },
	{ "serial of 21 octets (RFC 5280 s4.1.2.2)", 0, { 0 }, 0,
	    "01000000000000000000000000000000000000000a", "cert_serial" },
};

static void
cert_refuses(void **state)
{
	const struct cert_case *t = *state;
	struct pki_spec s = leaf_spec();
	AUTO_OSSL(X509) *x = NULL;
	AUTO_BUF der = BUF_INIT(CERT_MAX_DER);
	struct cert *c = NULL;
	struct fault f = { 0 };

	s.faults = t->faults;
	if (t->tnauth_len > 0)
		s.tnauth = span_of(t->tnauth, t->tnauth_len);
	if (t->serial != NULL)
		s.serial = t->serial;
	x = pki_issue(&s);
	pki_der(&der, x);
	assert_int_equal(cert_decode(buf_view(&der), false, &c, &f), RC_INVALID);
	assert_string_equal(f.reason, t->reason);
	assert_null(c);
}

static void
cert_of_prefixes_and_flips(void **state)
{
	struct pki_spec s = leaf_spec();
	AUTO_OSSL(X509) *x = pki_issue(&s);
	AUTO_BUF der = BUF_INIT(CERT_MAX_DER);
	struct cert *c = NULL;

	(void)state;
	pki_der(&der, x);
	for (size_t n = 0; n < der.len; n++)
		assert_int_equal(cert_decode(span_of(der.ptr, n), false, &c, NULL), RC_INVALID);
	for (size_t bit = 0; bit < der.len * 8; bit += 3) {
		AUTO(cert) *flipped = NULL;

		der.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (cert_decode(buf_view(&der), false, &flipped, NULL) == RC_OK)
			assert_true(X509_verify(flipped->x509, w.ca_key) != 1);
		der.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_byte(&der, 0);
	assert_int_equal(cert_decode(buf_view(&der), false, &c, NULL), RC_INVALID);
}

/* RFC 9773 appendix A */
static const char ari_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n"
    "cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n"
    "BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n"
    "7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n"
    "qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n"
    "yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n"
    "+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n"
    "-----END CERTIFICATE-----\n";

/* RFC 9773 s4.1 */
static void
ari_id_of_rfc9773(void **state)
{
	AUTO(chain) *c = NULL;
	AUTO_BUF id = BUF_INIT(200), none = BUF_INIT(200);
	AUTO_OSSL(X509) *x = NULL;
	AUTO(cert) *bare = NULL;
	struct pki_spec s = leaf_spec();
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(chain_read_pem(span_str(ari_pem), false, &c, &f), RC_OK);
	assert_int_equal(cert_ari_id(c->cert[0], &id, &f), RC_OK);
	assert_string_equal(buf_text(&id), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
	assert_string_equal(c->cert[0]->serial, "87654321");
	s.faults = PKI_NO_AKI;
	x = pki_issue(&s);
	bare = pki_cert(x);
	assert_int_equal(cert_ari_id(bare, &none, &f), RC_NOT_FOUND);
}

/* RFC 9118 section 5 */
static const char enhanced_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICpzCCAk2gAwIBAgIUH7Zd3rQ5AsvOlzLnzUHhrVhDSlswCgYIKoZIzj0EAwIw\n"
    "KTELMAkGA1UEBhMCVVMxGjAYBgNVBAMMEUJPR1VTIFNIQUtFTiBST09UMB4XDTIx\n"
    "MDcxNTIxNTIxNVoXDTIyMDcxNTIxNTIxNVowbDELMAkGA1UEBhMCVVMxCzAJBgNV\n"
    "BAgMAlZBMRAwDgYDVQQHDAdIZXJuZG9uMR4wHAYDVQQKDBVCb2d1cyBFeGFtcGxl\n"
    "IFRlbGVjb20xDTALBgNVBAsMBFZvSVAxDzANBgNVBAMMBlNIQUtFTjBZMBMGByqG\n"
    "SM49AgEGCCqGSM49AwEHA0IABNR6C6nBWRA/fXTglV03aXkXy8hx9oBttVLhsTZ1\n"
    "IYVRBao4OZhVf/Xv1a3xLsZ6KfdhuylSeAKuCoSbVGojYDGjggEOMIIBCjAMBgNV\n"
    "HRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQUDlG3dxHyzKL/FZfS\n"
    "PI7rpuueRbswHwYDVR0jBBgwFoAUlToKtrQeFrwwyXpMj1qu3TQEeoEwQgYJYIZI\n"
    "AYb4QgENBDUWM1RoaXMgY2VydGlmaWNhdGUgY2Fubm90IGJlIHRydXN0ZWQgZm9y\n"
    "IGFueSBwdXJwb3NlLjAWBggrBgEFBQcBGgQKMAigBhYEMTIzNDBOBggrBgEFBQcB\n"
    "IQRCMECgDjAMFgpjb25maWRlbmNloSAwHjAcFgpjb25maWRlbmNlMA4MBGhpZ2gM\n"
    "Bm1lZGl1baIMMAoWCHByaW9yaXR5MAoGCCqGSM49BAMCA0gAMEUCIQCbNR4QK1um\n"
    "+0vq2CE1B1/W3avYeREsPi/7RKHffL+5eQIgarHot+X9Rl7SOyNBq5X5JyEMx0SQ\n"
    "hRLkCY3Zoz2OCNQ=\n"
    "-----END CERTIFICATE-----\n";

/* RFC 9118 s3 */
static void
certificate_of_rfc9118(void **state)
{
	AUTO(chain) *c = NULL;
	const struct cert *leaf;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(chain_read_pem(span_str(enhanced_pem), false, &c, &f), RC_OK);
	leaf = c->cert[0];
	assert_true(tnauth_has_spc(leaf->tnauth, "1234"));
	assert_int_equal(leaf->constraints->form, CONSTRAINTS_ENHANCED);
	assert_string_equal(leaf->constraints->must_include[0], "confidence");
	assert_string_equal(leaf->constraints->must_exclude[0], "priority");
	assert_int_equal(leaf->constraints->permitted[0].values, 2);
	assert_string_equal(
	    leaf->subject, "CN=SHAKEN,OU=VoIP,O=Bogus Example Telecom,L=Herndon,ST=VA,C=US");
}

/* ---- PEM and x5c ---------------------------------------------------------------- */

static void
pem_both_ways(void **state)
{
	struct pki_spec s = leaf_spec();
	AUTO_OSSL(X509) *x = pki_issue(&s);
	AUTO_BUF pem = BUF_INIT(65536), again = BUF_INIT(65536);
	AUTO(chain) *c = NULL;

	(void)state;
	buf_str(&pem, "the leaf\n");
	pki_pem(&pem, x);
	buf_str(&pem, "\nand its CA\n");
	pki_pem(&pem, w.ca);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &c, NULL), RC_OK);
	assert_int_equal(c->len, 2);
	assert_string_equal(c->cert[1]->subject, "CN=CA");
	assert_int_equal(chain_write_pem(&again, c, NULL), RC_OK);
	chain_free(TAKE(c));
	assert_int_equal(chain_read_pem(buf_view(&again), false, &c, NULL), RC_OK);
	assert_int_equal(c->len, 2);
}

static struct pem_case {
	const char *name, *before, *after, *reason;
	size_t copies;
} pem_cases[] = {
	{ "nothing", "\n", "", "chain_empty", 0 },
	{ "no bytes", "", "", "chain_pem", 0 },
	{ "a key beside it", "",
	    "-----BEGIN PUBLIC KEY-----\n"
	    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH\n"
	    "78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==\n"
	    "-----END PUBLIC KEY-----\n",
	    "chain_pem", 1 },
	{ "cut off", "", "-----BEGIN CERTIFICATE-----\nMIIB\n", "chain_pem", 1 },
	{ "damaged first line", "-----BEGIN CERTIFICATE----\nMIIB\n-----END CERTIFICATE-----\n",
	    "", "chain_pem", 1 },
	{ "no DER inside", "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	    "cert_der", 1 },
	{ "nine certificates", "", "", "chain_limit", 9 },
};

static void
pem_refuses(void **state)
{
	const struct pem_case *t = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	struct chain *c = NULL;
	struct fault f = { 0 };

	buf_str(&pem, t->before);
	for (size_t i = 0; i < t->copies; i++)
		pki_pem(&pem, w.ca);
	buf_str(&pem, t->after);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &c, &f), RC_INVALID);
	assert_string_equal(f.reason, t->reason);
	assert_null(c);
}

/* RFC 7515 s4.1.6 */
static void
x5c_is_base64_of_der(void **state)
{
	X509 *list[] = { w.ca, w.root };
	AUTO_BUF text = BUF_INIT(65536);
	json_auto_t *x5c = NULL, *urls = NULL, *empty = json_array();
	AUTO(chain) *c = NULL;
	struct fault f = { 0 }, g = { 0 };

	(void)state;
	pki_x5c(&text, list, 2);
	x5c = json_loadb((const char *)text.ptr, text.len, 0, NULL);
	assert_int_equal(chain_read_x5c(x5c, &c, NULL), RC_OK);
	assert_int_equal(c->len, 2);
	chain_free(TAKE(c));
	urls = json_pack("[s]", "AA_-");
	assert_int_equal(chain_read_x5c(urls, &c, &f), RC_INVALID);
	assert_string_equal(f.reason, "base64");
	assert_int_equal(chain_read_x5c(empty, &c, &g), RC_INVALID);
	assert_string_equal(g.reason, "chain_x5c");
	assert_int_equal(chain_read_x5c(NULL, &c, NULL), RC_INVALID);
	json_array_append_new(empty, json_integer(1));
	assert_int_equal(chain_read_x5c(empty, &c, NULL), RC_INVALID);
	assert_null(c);
}

/* ---- paths ------------------------------------------------------------------------ */

enum member { END, LEAF, CA, ROOT, OTHER_ROOT };
enum {
	LEAF_IS_CA = 1,
	LEAF_P384 = 2,
	CA_BY_LEAF = 4,
	CA_SHA1 = 8,
	CA_RSA_1024 = 16,
	CA_RSA_2048 = 32,
	CA_RSA_SHA512 = 64,
	DEEP = 128,
	CA_NOT_CA = 256,
	CA_EARLY_END = 512,
	LEAF_NO_END = 1024,
	NAMES = 2048,
	CA_P521 = 4096
};

static struct path_case {
	const char *name;
	enum member given[4], anchors[3];
	unsigned leaf_faults, ca_faults, odd;
	int64_t at_s;
	enum rc rc;
	const char *reason;
} path_cases[] = {
	{ "leaf and CA (RFC 8226 s4)", { LEAF, CA }, { ROOT }, 0, 0, 0, 0, RC_OK, NULL },
	{ "with the root", { LEAF, CA, ROOT }, { ROOT }, 0, 0, 0, 0, RC_OK, NULL },
	{ "intermediate as anchor", { LEAF }, { CA }, 0, 0, 0, 0, RC_OK, NULL },
	{ "anchor is the top of the chain", { LEAF, CA }, { CA }, 0, 0, 0, 0, RC_OK, NULL },
	{ "one of several anchors", { LEAF, CA }, { OTHER_ROOT, ROOT }, 0, 0, 0, 0, RC_OK,
	    NULL },
	{ "leaf as anchor", { LEAF }, { LEAF }, 0, 0, 0, 0, RC_OK, NULL },
	{ "critical TNAuthList", { LEAF, CA }, { ROOT }, PKI_CRITICAL_TNAUTH, 0, 0, 0, RC_OK,
	    NULL },
	{ "RSA 2048 CA (RFC 8226 s4, D-56)", { LEAF, CA }, { ROOT }, 0, 0, CA_RSA_2048, 0,
	    RC_OK, NULL },
	{ "no leaf keyUsage", { LEAF, CA }, { ROOT }, PKI_NO_KEY_USAGE, 0, 0, 0, RC_OK, NULL },
	{ "other root", { LEAF, CA }, { OTHER_ROOT }, 0, 0, 0, 0, RC_DENIED, "chain_path" },
	{ "CA is missing", { LEAF }, { ROOT }, 0, 0, 0, 0, RC_DENIED, "chain_path" },
	{ "wrong order (RFC 9060 s7)", { LEAF, ROOT, CA }, { ROOT }, 0, 0, 0, 0, RC_DENIED,
	    "chain_order" },
	{ "surplus below the anchor", { LEAF, CA, ROOT }, { CA }, 0, 0, 0, 0, RC_DENIED,
	    "chain_order" },
	{ "certificate twice", { LEAF, CA, CA }, { ROOT }, 0, 0, 0, 0, RC_DENIED,
	    "chain_order" },
	{ "foreign root at the end", { LEAF, CA, OTHER_ROOT }, { ROOT }, 0, 0, 0, 0, RC_DENIED,
	    "chain_order" },
	{ "CA first", { CA, ROOT }, { ROOT }, 0, 0, 0, 0, RC_DENIED, "chain_leaf_ca" },
	{ "leaf is a CA (RFC 9060 s4)", { LEAF, CA }, { ROOT }, 0, 0, LEAF_IS_CA, 0, RC_DENIED,
	    "chain_leaf_ca" },
	{ "leaf on P-384 (D-57)", { LEAF, CA }, { ROOT }, 0, 0, LEAF_P384, 0, RC_DENIED,
	    "chain_algorithm" },
	{ "leaf without end (RFC 5280 s4.1.2.5)", { LEAF, CA }, { ROOT }, 0, 0, LEAF_NO_END, 0,
	    RC_DENIED, "chain_validity" },
	{ "leaf for cRLSign (RFC 5280 s4.2.1.3)", { LEAF, CA }, { ROOT }, PKI_KEY_USAGE_CRL, 0,
	    0, 0, RC_DENIED, "chain_usage" },
	{ "leaf without AKI", { LEAF, CA }, { ROOT }, PKI_NO_AKI, 0, 0, 0, RC_DENIED,
	    "chain_order" },
	{ "AKI of nobody (RFC 9060 s6, s7)", { LEAF, CA }, { ROOT }, PKI_WRONG_AKI, 0, 0, 0,
	    RC_DENIED, "chain_order" },
	{ "CA without SKI", { LEAF, CA }, { ROOT }, PKI_WRONG_AKI, PKI_NO_SKI, 0, 0, RC_DENIED,
	    "chain_order" },
	{ "AKI of nobody to the anchor", { LEAF, CA }, { ROOT }, 0, PKI_WRONG_AKI, 0, 0,
	    RC_DENIED, "chain_path" },
	{ "CA without keyUsage", { LEAF, CA }, { ROOT }, 0, PKI_NO_KEY_USAGE, 0, 0, RC_DENIED,
	    "chain_ca" },
	{ "CA without keyCertSign (RFC 5280 s4.2.1.3)", { LEAF, CA }, { ROOT }, 0,
	    PKI_KEY_USAGE_CRL, 0, 0, RC_DENIED, "chain_ca" },
	{ "issuer is no CA (RFC 5280 s4.2.1.9)", { LEAF, CA }, { ROOT }, 0, 0, CA_NOT_CA, 0,
	    RC_DENIED, "chain_ca" },
	{ "pathLen (RFC 5280 s4.2.1.9)", { LEAF, CA, ROOT }, { ROOT }, 0, 0, DEEP, 0, RC_DENIED,
	    "chain_ca" },
	{ "critical in the leaf", { LEAF, CA }, { ROOT }, PKI_UNKNOWN_CRITICAL, 0, 0, 0,
	    RC_DENIED, "chain_critical" },
	{ "critical in the CA (RFC 5280 s4.2)", { LEAF, CA }, { ROOT }, 0, PKI_UNKNOWN_CRITICAL,
	    0, 0, RC_DENIED, "chain_critical" },
	{ "signed by another key (RFC 9060 s6)", { LEAF, CA }, { ROOT }, 0, 0, CA_BY_LEAF, 0,
	    RC_DENIED, "chain_path" },
	{ "SHA-1 (D-56)", { LEAF, CA }, { ROOT }, 0, 0, CA_SHA1, 0, RC_DENIED,
	    "chain_algorithm" },
	{ "RSA 1024 CA (D-56)", { LEAF, CA }, { ROOT }, 0, 0, CA_RSA_1024, 0, RC_DENIED,
	    "chain_algorithm" },
	{ "RSA with SHA-512", { LEAF, CA }, { ROOT }, 0, 0, CA_RSA_2048 | CA_RSA_SHA512, 0,
	    RC_DENIED, "chain_algorithm" },
	{ "CA on P-521", { LEAF, CA }, { ROOT }, 0, 0, CA_P521, 0, RC_DENIED,
	    "chain_algorithm" },
	{ "outside the name constraints (RFC 5280 s4.2.1.10)", { LEAF, CA }, { ROOT }, 0, 0,
	    NAMES, 0, RC_DENIED, "chain_path" },
	{ "first second", { LEAF, CA }, { ROOT }, 0, 0, 0, PKI_NOW - 3600, RC_OK, NULL },
	{ "a second early", { LEAF, CA }, { ROOT }, 0, 0, 0, PKI_NOW - 3601, RC_EXPIRED,
	    "chain_validity" },
	{ "last second (RFC 5280 s4.1.2.5)", { LEAF, CA }, { ROOT }, 0, 0, 0, PKI_NOW + 86400,
	    RC_OK, NULL },
	{ "a second late", { LEAF, CA }, { ROOT }, 0, 0, 0, PKI_NOW + 86401, RC_EXPIRED,
	    "chain_validity" },
	{ "the CA ends first", { LEAF, CA }, { ROOT }, 0, 0, CA_EARLY_END, PKI_NOW + 200,
	    RC_EXPIRED, "chain_validity" },
};

static EVP_PKEY *
key_of_ca(unsigned odd)
{
	if ((odd & CA_RSA_1024) != 0)
		return pki_key("RSA", NULL, 1024);
	if ((odd & CA_RSA_2048) != 0)
		return pki_key("RSA", NULL, 2048);
	if ((odd & CA_P521) != 0)
		return pki_key("EC", "P-521", 0);
	return pki_p256();
}

static void
put_member(struct buf *pem, enum member m, X509 *leaf, X509 *ca, X509 *root, X509 *other)
{
	X509 *of[] = { NULL, leaf, ca, root, other };

	pki_pem(pem, of[m]);
}

static void
judge(const struct path_case *t, struct span given, struct span anchors_pem)
{
	AUTO(chain) *c = NULL;
	AUTO(anchors) *a = NULL;
	const X509 *issuer = NULL;
	struct fault f = { 0 };
	enum rc rc;

	assert_int_equal(chain_read_pem(given, false, &c, &f), RC_OK);
	assert_int_equal(anchors_read_pem(anchors_pem, &a, &f), RC_OK);
	rc = chain_verify(c, a, t->at_s != 0 ? t->at_s : PKI_NOW, &issuer, &f);
	if (rc != t->rc || (rc != RC_OK && strcmp(f.reason, t->reason) != 0))
		fail_msg("%s: %s: %s", rc_name(rc), f.reason, f.detail);
	if (rc == RC_OK && t->anchors[0] != LEAF)
		assert_non_null(issuer);
	if (rc == RC_OK && c->len > 1)
		assert_ptr_equal(issuer, c->cert[1]->x509);
}

/* RFC 5280 s6 */
static void
paths(void **state)
{
	const struct path_case *t = *state;
	AUTO_OSSL(EVP_PKEY) *ca_key = key_of_ca(t->odd), *p384 = pki_key("EC", "P-384", 0);
	AUTO_OSSL(X509) *other = NULL, *ca = NULL, *leaf = NULL, *root = NULL;
	AUTO_BUF given = BUF_INIT(65536), anchors = BUF_INIT(65536);
	struct pki_spec s = { .cn = "Root", .key = w.root_key, .ca = true };

	if ((t->odd & DEEP) != 0)
		s.pathlen = 1; /* none below: the CA is one too many */
	if ((t->odd & NAMES) != 0)
		s.name_constraints = "critical,permitted;DNS:inside.example";
	root = pki_issue(&s);
	other =
	    pki_issue(&(struct pki_spec){ .cn = "Other root", .key = w.other_key, .ca = true });
	ca = pki_issue(&(struct pki_spec){ .cn = "CA",
	    .key = ca_key,
	    .issuer = root,
	    .issuer_key = (t->odd & CA_BY_LEAF) != 0 ? w.leaf_key : w.root_key,
	    .ca = (t->odd & CA_NOT_CA) == 0,
	    .not_after_s = (t->odd & CA_EARLY_END) != 0 ? PKI_NOW + 100 : 0,
	    .faults = t->ca_faults });
	s = leaf_spec();
	s.issuer = ca;
	s.issuer_key = ca_key;
	s.ca = (t->odd & LEAF_IS_CA) != 0;
	s.faults = t->leaf_faults;
	s.key = (t->odd & LEAF_P384) != 0 ? p384 : w.leaf_key;
	s.md = (t->odd & CA_SHA1) != 0	       ? EVP_sha1()
	       : (t->odd & CA_RSA_SHA512) != 0 ? EVP_sha512()
					       : NULL;
	s.not_after_s = (t->odd & LEAF_NO_END) != 0 ? INT64_C(253402300799) : 0;
	s.san = (t->odd & NAMES) != 0 ? "DNS:outside.example" : NULL;
	leaf = pki_issue(&s);
	for (size_t i = 0; i < 4 && t->given[i] != END; i++)
		put_member(&given, t->given[i], leaf, ca, root, other);
	for (size_t i = 0; i < 3 && t->anchors[i] != END; i++)
		put_member(&anchors, t->anchors[i], leaf, ca, root, other);
	judge(t, buf_view(&given), buf_view(&anchors));
}

static void
validity_is_shared(void **state)
{
	struct pki_spec s = leaf_spec();
	AUTO_OSSL(X509) *x = NULL;
	AUTO_BUF pem = BUF_INIT(65536);
	AUTO(chain) *c = NULL;
	int64_t from = 0, to = 0;

	(void)state;
	s.not_before_s = PKI_NOW;
	s.not_after_s = PKI_NOW + 1000000;
	x = pki_issue(&s);
	pki_pem(&pem, x);
	pki_pem(&pem, w.ca);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &c, NULL), RC_OK);
	chain_validity(c, &from, &to);
	assert_int_equal(from, PKI_NOW);
	assert_int_equal(to, PKI_NOW + 86400);
}

int
main(void)
{
	static struct CMUnitTest
	    tests[ARRAY_LEN(cert_cases) + ARRAY_LEN(pem_cases) + ARRAY_LEN(path_cases) + 9];
	size_t n = 0;

	tests[n++] = (struct CMUnitTest)cmocka_unit_test(facts_of_a_leaf);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(facts_of_others);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(critical_tnauth_is_known);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(cert_of_prefixes_and_flips);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(ari_id_of_rfc9773);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(certificate_of_rfc9118);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(pem_both_ways);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(x5c_is_base64_of_der);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(validity_is_shared);
	ROWS(tests, n, cert_cases, cert_refuses);
	ROWS(tests, n, pem_cases, pem_refuses);
	ROWS(tests, n, path_cases, paths);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
