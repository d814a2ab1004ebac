/* Revocation lists: whose they are, of when, of whom, and whom they list (RFC 5280 section 5). */
#include "stir/crl.h"

#include "stir/chain.h"
#include "tests/unit/crllab.h"
#include "tests/unit/mutate.h"

#define URL	  "https://crl.example/sti-pa.crl"
#define OTHER_URL "https://crl.example/other.crl"
enum { MAX_AGE_S = 604800 };
static const int64_t now = PKI_NOW;

enum { CA_KEY, PA_KEY, WEAK_KEY, KEYS };

/* A CA, a list issuer beside it, one who may not, one whose time is over, a small RSA key. */
static struct world {
	EVP_PKEY *key[KEYS], *leaf_key;
	X509 *ca, *pa, *forbidden, *over, *weak, *leaf_x, *indirect_x;
	struct cert *leaf, *indirect, *middle;
} w;

static X509 *
issuer(const char *cn, EVP_PKEY *key, unsigned faults, int64_t to_s)
{
	return pki_issue(&(struct pki_spec){
	    .cn = cn, .key = key, .ca = true, .faults = faults, .not_after_s = to_s });
}

static X509 *
subject(const char *serial, X509 *points_of, bool ca)
{
	AUTO_BUF points = BUF_INIT(4096);

	crllab_points(&points, URL, points_of, CRLLAB_PLAIN);
	return pki_issue(&(struct pki_spec){ .cn = "Subject",
	    .key = w.leaf_key,
	    .issuer = w.ca,
	    .issuer_key = w.key[CA_KEY],
	    .serial = serial,
	    .ca = ca,
	    .crl_points = buf_view(&points) });
}

static int
make_world(void **state)
{
	AUTO_OSSL(X509) *middle = NULL;

	(void)state;
	w.key[CA_KEY] = pki_p256();
	w.key[PA_KEY] = pki_key("EC", "P-384", 0);
	w.key[WEAK_KEY] = pki_key("RSA", NULL, 1024);
	w.leaf_key = pki_p256();
	w.ca = issuer("CA", w.key[CA_KEY], 0, 0);
	w.pa = issuer("STI-PA", w.key[PA_KEY], 0, 0);
	w.forbidden =
	    pki_issue(&(struct pki_spec){ .cn = "CA", .key = w.key[CA_KEY] }); /* no cRLSign */
	w.over = issuer("CA", w.key[CA_KEY], 0, now - 1);
	w.weak = issuer("Weak", w.key[WEAK_KEY], 0, 0);
	w.leaf_x = subject("00AB12", NULL, false);
	w.indirect_x = subject("00AB12", w.pa, false);
	middle = subject("00AB12", NULL, true);
	w.leaf = pki_cert(w.leaf_x);
	w.indirect = pki_cert(w.indirect_x);
	w.middle = pki_cert(middle);
	return 0;
}

static int
free_world(void **state)
{
	X509 *all[] = { w.ca, w.pa, w.forbidden, w.over, w.weak, w.leaf_x, w.indirect_x };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		X509_free(all[i]);
	for (size_t i = 0; i < KEYS; i++)
		EVP_PKEY_free(w.key[i]);
	EVP_PKEY_free(w.leaf_key);
	cert_free(w.leaf);
	cert_free(w.indirect);
	cert_free(w.middle);
	return 0;
}

/* ---- the whole judgement, step by step as the front has them ---- */

enum who { LEAF, INDIRECT, MIDDLE };
enum entry_of { OWN, CA_NAME, PA_NAME }; /* certificateIssuer */
enum by { BY_CA, BY_PA, BY_FORBIDDEN, BY_OVER, BY_WEAK };

struct row {
	const char *name;
	enum who who;	    /* whose status is asked */
	enum by by;	    /* who is taken for its signer */
	enum by name_of;    /* whose name is on the list */
	int key;	    /* by which key it is signed */
	const char *serial; /* on the list; NULL: nothing */
	enum entry_of entry_issuer;
	int reason;
	struct {
		const char *serial;
		enum entry_of issuer;
	} then[CRLLAB_ENTRIES - 1]; /* further ones */
	struct crllab_spec spec;
	enum rc rc;
	const char *why; /* the reason; NULL: it is taken */
	bool listed;
};

static struct row rows[] = {
	{ "a direct one that has it", LEAF, BY_CA, BY_CA, CA_KEY, "AB12", .reason = 1,
	    .listed = true },
	{ "a direct one of others", LEAF, BY_CA, BY_CA, CA_KEY, "AB13", .listed = false },
	{ "a direct one of nobody", LEAF, BY_CA, BY_CA, CA_KEY, .listed = false },
	{ "an entry that was taken away again", LEAF, BY_CA, BY_CA, CA_KEY,
	    .spec = { .number = 9 } },
	{ "an indirect one that has it", INDIRECT, BY_PA, BY_PA, PA_KEY, "AB12", CA_NAME, 4,
	    .spec = { .indirect = true }, .listed = true },
	{ "that serial of another CA (RFC 5280 s5.3)", INDIRECT, BY_PA, BY_PA, PA_KEY, "AB12",
	    PA_NAME, .spec = { .indirect = true } },
	{ "that serial of the list's issuer itself", INDIRECT, BY_PA, BY_PA, PA_KEY, "AB12",
	    .spec = { .indirect = true } },
	{ "an entry of the CA that the one before names (RFC 5280 s5.3.3)", INDIRECT, BY_PA,
	    BY_PA, PA_KEY, "01", CA_NAME, .then = { { "AB12", OWN } },
	    .spec = { .indirect = true }, .listed = true },
	{ "an entry of another that the one before names", INDIRECT, BY_PA, BY_PA, PA_KEY, "01",
	    PA_NAME, .then = { { "AB12", OWN } }, .spec = { .indirect = true } },
	{ "an entry behind the CA's and another's", INDIRECT, BY_PA, BY_PA, PA_KEY, "01",
	    CA_NAME, .then = { { "02", PA_NAME }, { "AB12", OWN } },
	    .spec = { .indirect = true } },
	{ "an entry of the CA, two behind its name", INDIRECT, BY_PA, BY_PA, PA_KEY, "01",
	    CA_NAME, .then = { { "02", OWN }, { "AB12", OWN } }, .spec = { .indirect = true },
	    .listed = true },
	{ "one serial of two CAs, the second is meant", INDIRECT, BY_PA, BY_PA, PA_KEY, "AB12",
	    PA_NAME, .then = { { "AB12", CA_NAME } }, .spec = { .indirect = true },
	    .listed = true },
	{ "on hold", LEAF, BY_CA, BY_CA, CA_KEY, "AB12", .reason = 6, .listed = true },
	{ "the last of several", LEAF, BY_CA, BY_CA, CA_KEY, "01",
	    .then = { { "02", OWN }, { "AB12", OWN } }, .listed = true },
	{ "an indirect one that does not say so (RFC 5280 s6.3.3 b 1)", INDIRECT, BY_PA, BY_PA,
	    PA_KEY, "AB13", .rc = RC_DENIED, .why = "crl_scope" },
	{ "an issuer of an entry in a direct one", LEAF, BY_CA, BY_CA, CA_KEY, "AB12", CA_NAME,
	    .rc = RC_INVALID, .why = "crl_extension" },
	{ "another signer of that name", LEAF, BY_CA, BY_CA, PA_KEY, "AB12", .rc = RC_DENIED,
	    .why = "crl_signature" },
	{ "another issuer", LEAF, BY_CA, BY_PA, PA_KEY, "AB12", .rc = RC_DENIED,
	    .why = "crl_signer" },
	{ "the PA where the CA's own is named", LEAF, BY_PA, BY_PA, PA_KEY, "AB12", CA_NAME,
	    .spec = { .indirect = true }, .rc = RC_DENIED, .why = "crl_scope" },
	{ "a signer that may not (RFC 5280 s6.3.3 f)", LEAF, BY_FORBIDDEN, BY_CA, CA_KEY,
	    "AB12", .rc = RC_DENIED, .why = "crl_signer" },
	{ "a signer that is over", LEAF, BY_OVER, BY_CA, CA_KEY, "AB12", .rc = RC_DENIED,
	    .why = "crl_signer" },
	{ "another key identifier (RFC 5280 s5.2)", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .faults = CRLLAB_WRONG_AKI }, .rc = RC_DENIED, .why = "crl_signer" },
	{ "a small RSA key (D-56)", LEAF, BY_WEAK, BY_WEAK, WEAK_KEY, "AB12", .rc = RC_DENIED,
	    .why = "crl_algorithm" },
	{ "its next one was due a second ago (RFC 5280 s5.1.2)", LEAF, BY_CA, BY_CA, CA_KEY,
	    "AB12", .spec = { .next_s = PKI_NOW - 1 }, .rc = RC_EXPIRED, .why = "crl_expired" },
	{ "its next one is due now", LEAF, BY_CA, BY_CA, CA_KEY, "AB13",
	    .spec = { .next_s = PKI_NOW } },
	{ "older than it may be", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .this_s = PKI_NOW - MAX_AGE_S - 1 }, .rc = RC_EXPIRED,
	    .why = "crl_expired" },
	{ "as old as it may be", LEAF, BY_CA, BY_CA, CA_KEY, "AB13",
	    .spec = { .this_s = PKI_NOW - MAX_AGE_S } },
	{ "of the future (RFC 5280 s5.1.2)", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .this_s = PKI_NOW + CRL_AHEAD_S + 1 }, .rc = RC_DENIED,
	    .why = "crl_future" },
	{ "of a clock that is a little ahead", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .this_s = PKI_NOW + CRL_AHEAD_S }, .listed = true },
	{ "nextUpdate before thisUpdate", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .this_s = PKI_NOW - 10, .next_s = PKI_NOW - 11 }, .rc = RC_INVALID,
	    .why = "crl_time" },
	{ "no nextUpdate (RFC 5280 s5.1.2)", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .faults = CRLLAB_NO_NEXT }, .rc = RC_INVALID, .why = "crl_time" },
	{ "a critical extension that nobody knows (RFC 5280 s5.2)", LEAF, BY_CA, BY_CA, CA_KEY,
	    "AB12", .spec = { .faults = CRLLAB_CRITICAL }, .rc = RC_DENIED,
	    .why = "crl_critical" },
	{ "the same of an entry (RFC 5280 s5.3)", LEAF, BY_CA, BY_CA, CA_KEY, "AB13",
	    .spec = { .faults = CRLLAB_ENTRY_CRITICAL }, .rc = RC_DENIED,
	    .why = "crl_critical" },
	{ "a delta (RFC 5280 s5.2.4)", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .number = 3, .faults = CRLLAB_DELTA }, .rc = RC_DENIED,
	    .why = "crl_delta" },
	{ "removeFromCRL, which is a delta's", LEAF, BY_CA, BY_CA, CA_KEY, "AB12", .reason = 8,
	    .rc = RC_INVALID, .why = "crl_extension" },
	{ "for some reasons only", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .faults = CRLLAB_REASONS }, .rc = RC_DENIED, .why = "crl_partial" },
	{ "of attribute certificates", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .faults = CRLLAB_ATTRIBUTES }, .rc = RC_DENIED, .why = "crl_partial" },
	{ "an extension twice", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .faults = CRLLAB_TWICE }, .rc = RC_INVALID, .why = "crl_extension" },
	{ "of this distribution point", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .url = URL }, .listed = true },
	{ "of another distribution point", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .url = OTHER_URL }, .rc = RC_DENIED, .why = "crl_scope" },
	{ "of end entities, one of them", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .users = true }, .listed = true },
	{ "of end entities, a CA", MIDDLE, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .users = true }, .rc = RC_DENIED, .why = "crl_scope" },
	{ "of CAs, one of them", MIDDLE, BY_CA, BY_CA, CA_KEY, "AB12", .spec = { .cas = true },
	    .listed = true },
	{ "of CAs, an end entity", LEAF, BY_CA, BY_CA, CA_KEY, "AB12", .spec = { .cas = true },
	    .rc = RC_DENIED, .why = "crl_scope" },
	{ "of both kinds only", LEAF, BY_CA, BY_CA, CA_KEY, "AB12",
	    .spec = { .users = true, .cas = true }, .rc = RC_INVALID, .why = "crl_extension" },
};

static X509 *
of(enum by by)
{
	X509 *all[] = { w.ca, w.pa, w.forbidden, w.over, w.weak };

	return all[by];
}

static void
make(struct buf *out, const struct row *r)
{
	const X509 *names[] = { NULL, w.ca, w.pa };
	struct crllab_spec s = r->spec;

	s.issuer = of(r->name_of);
	s.key = w.key[r->key];
	if (r->key == PA_KEY && s.md == NULL)
		s.md = EVP_sha384();
	s.entry[0] = (struct crllab_entry){ r->serial, names[r->entry_issuer], r->reason };
	for (size_t i = 0; i < ARRAY_LEN(r->then); i++)
		s.entry[i + 1] = (struct crllab_entry){ .serial = r->then[i].serial,
			.issuer = names[r->then[i].issuer] };
	crllab_make(out, &s);
}

static enum rc
judge(const struct row *r, struct span der, int *reason, bool *listed, struct fault *f)
{
	const struct cert *certs[] = { w.leaf, w.indirect, w.middle }, *cert = certs[r->who];
	AUTO_CRL_POINT point = { .named = CRL_NAMED_NONE };
	AUTO(cert) *signer = pki_cert(of(r->by));
	AUTO(crl) *crl = NULL;
	struct crl_use use = { .url = URL, .of_ca = cert->is_ca };

	TRY(crl_point_read(cert, &point, f));
	assert_int_equal(point.named, CRL_NAMED);
	assert_string_equal(point.url, URL);
	use.indirect = point.issuer != NULL;
	use.issuer = use.indirect ? point.issuer : X509_get_issuer_name(cert->x509);
	TRY(crl_read(der, &crl, f));
	TRY(crl_verify(crl, signer, now, f));
	TRY(crl_current(crl, now, MAX_AGE_S, f));
	TRY(crl_covers(crl, &use, f));
	*listed = crl_lists(crl, cert, reason);
	return RC_OK;
}

static void
one_row(void **state)
{
	const struct row *r = *state;
	AUTO_BUF der = BUF_INIT(65536);
	struct fault f = { 0 };
	bool listed = false;
	int reason = CRL_REASON_NONE;

	make(&der, r);
	assert_int_equal(judge(r, buf_view(&der), &reason, &listed, &f), r->rc);
	if (r->why != NULL)
		assert_string_equal(f.reason, r->why);
	assert_int_equal(listed, r->listed);
	if (listed)
		assert_int_equal(reason, r->reason != 0 ? r->reason : CRL_REASON_NONE);
}

/* ---- octets ---- */

static const struct row *probed;

static bool
is_believed(struct span der)
{
	bool listed = false;
	int reason = 0;

	return judge(probed, der, &reason, &listed, NULL) == RC_OK;
}

static void
no_octet_less_and_no_bit_else(void **state)
{
	static const struct row both[] = {
		{ "direct", LEAF, BY_CA, BY_CA, CA_KEY, "AB12", .reason = 1,
		    .spec = { .number = 5, .url = URL } },
		{ "indirect", INDIRECT, BY_PA, BY_PA, PA_KEY, "AB12", CA_NAME, 1,
		    .spec = { .number = 5, .indirect = true } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		AUTO_BUF der = BUF_INIT(65536);

		probed = &both[i];
		make(&der, probed);
		no_prefix_is_taken(is_believed, buf_view(&der));
		assert_int_equal(survives_bit_flips(is_believed, buf_view(&der)), 0);
		buf_byte(&der, 0);
		assert_false(is_believed(buf_view(&der)));
	}
}

static void
no_more_than_it_may_have(void **state)
{
	AUTO_BUF large = BUF_INIT(CRL_MAX_DER + 1);
	AUTO(crl) *crl = NULL;
	struct fault f = { 0 };

	(void)state;
	while (large.len <= CRL_MAX_DER)
		buf_byte(&large, 0x30);
	assert_int_equal(crl_read(buf_view(&large), &crl, &f), RC_INVALID);
	assert_string_equal(f.reason, "crl_der");
	assert_int_equal(crl_read(span_of(NULL, 0), &crl, &f), RC_INVALID);
}

/* ---- one after the other ---- */

static struct crl *
dated(int64_t at_s, long number)
{
	AUTO_BUF der = BUF_INIT(65536);
	struct crl *out = NULL;

	crllab_make(
	    &der, &(struct crllab_spec){
		      .issuer = w.ca, .key = w.key[CA_KEY], .this_s = at_s, .number = number });
	assert_int_equal(crl_read(buf_view(&der), &out, NULL), RC_OK);
	return out;
}

static struct order {
	const char *name;
	int64_t kept_s, then_s;
	long kept, then;
	bool good;
} orders[] = {
	{ "the same again", 100, 100, 5, 5, true },
	{ "the next", 100, 101, 5, 6, true },
	{ "without numbers", 100, 101, 0, 0, true },
	{ "a number from now on", 100, 101, 0, 6, true },
	{ "an older date", 100, 99, 5, 6, false },
	{ "an older date without numbers", 100, 99, 0, 0, false },
	{ "a smaller number (RFC 5280 s5.2.3)", 100, 101, 5, 4, false },
	{ "no number any more", 100, 101, 5, 0, false },
	{ "a longer number", 100, 101, 255, 256, true },
	{ "a shorter number", 100, 101, 256, 255, false },
};

static void
one_order(void **state)
{
	const struct order *o = *state;
	AUTO(crl) *kept = dated(now + o->kept_s, o->kept),
		  *then = dated(now + o->then_s, o->then);
	struct fault f = { 0 };

	assert_int_equal(crl_follows(then, kept, &f), o->good ? RC_OK : RC_DENIED);
	if (!o->good)
		assert_string_equal(f.reason, "crl_older");
}

/* ---- what a certificate names ---- */

static struct named {
	const char *name, *url;
	enum crllab_point kind;
	bool none;
	enum crl_named named;
} names[] = {
	{ "nothing", NULL, CRLLAB_PLAIN, true, CRL_NAMED_NONE },
	{ "an https URL (RFC 5280 s4.2.1.13)", URL, CRLLAB_PLAIN, false, CRL_NAMED },
	{ "an http URL (RFC 5280 s8)", "http://crl.example/a.crl", CRLLAB_PLAIN, false,
	    CRL_NAMED },
	{ "a file", "file:///etc/a.crl", CRLLAB_PLAIN, false, CRL_NAMED_OTHER },
	{ "an http URL with a user", "http://me@crl.example/", CRLLAB_PLAIN, false,
	    CRL_NAMED_OTHER },
	{ "an http URL for some reasons only", "http://crl.example/a.crl", CRLLAB_POINT_REASONS,
	    false, CRL_NAMED_OTHER },
	{ "an LDAP URL", "ldap://crl.example/cn=a", CRLLAB_PLAIN, false, CRL_NAMED_OTHER },
	{ "a URL with a user", "https://me@crl.example/", CRLLAB_PLAIN, false,
	    CRL_NAMED_OTHER },
	{ "for some reasons only (RFC 5280 s4.2.1.13)", URL, CRLLAB_POINT_REASONS, false,
	    CRL_NAMED_OTHER },
	{ "a name below the issuer's", URL, CRLLAB_POINT_RELATIVE, false, CRL_NAMED_OTHER },
};

/* RFC 5280 s8: where both are named https is asked, in whatever order. */
static void
https_before_http(void **state)
{
	static const char *const points_of[] = { "http://crl.example/a " URL,
		URL " http://crl.example/a", "ldap://crl.example/a http://crl.example/b " URL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points_of); i++) {
		AUTO_BUF points = BUF_INIT(4096);
		struct pki_spec s = { .cn = "Subject",
			.key = w.leaf_key,
			.issuer = w.ca,
			.issuer_key = w.key[CA_KEY] };
		AUTO_OSSL(X509) *x = NULL;
		AUTO(cert) *c = NULL;
		AUTO_CRL_POINT point = { .named = CRL_NAMED_NONE };

		crllab_points(&points, points_of[i], NULL, CRLLAB_PLAIN);
		s.crl_points = buf_view(&points);
		x = pki_issue(&s);
		c = pki_cert(x);
		assert_int_equal(crl_point_read(c, &point, NULL), RC_OK);
		assert_string_equal(point.url, URL);
	}
}

static void
one_name(void **state)
{
	const struct named *n = *state;
	AUTO_BUF points = BUF_INIT(4096);
	struct pki_spec s = {
		.cn = "Subject", .key = w.leaf_key, .issuer = w.ca, .issuer_key = w.key[CA_KEY]
	};
	AUTO_OSSL(X509) *x = NULL;
	AUTO(cert) *c = NULL;
	AUTO_CRL_POINT point = { .named = CRL_NAMED_NONE };

	if (!n->none)
		crllab_points(&points, n->url, NULL, n->kind);
	s.crl_points = buf_view(&points);
	x = pki_issue(&s);
	c = pki_cert(x);
	assert_int_equal(crl_point_read(c, &point, NULL), RC_OK);
	assert_int_equal(point.named, n->named);
	assert_string_equal(point.url, n->named == CRL_NAMED ? n->url : "");
	assert_null(point.issuer);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(orders) + ARRAY_LEN(names) + 3];
	size_t n = 0;

	ROWS(tests, n, rows, one_row);
	ROWS(tests, n, orders, one_order);
	ROWS(tests, n, names, one_name);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(https_before_http);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_octet_less_and_no_bit_else);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_more_than_it_may_have);
	return cmocka_run_group_tests(tests, make_world, free_world);
}
