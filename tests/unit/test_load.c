/* load: what lies on disk is judged like what comes from a CA; reloads keep what works */
#include "agent/front/load.h"

#include <stdio.h>
#include <sys/stat.h>

#include "agent/front/judge.h"
#include "agent/front/retire.h"
#include "agent/front/store.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

static struct bworld world;
static const int64_t now = PKI_NOW;
static uint8_t point[P256_POINT_LEN];

#define FILE_PATH      "state/front/tenants/acme/main/current.pem"
#define LAB_ACCOUNT    "state/front/accounts/lab.json"
#define SECOND_ACCOUNT "state/front/accounts/second.json"
#define ACME(more) \
	"numbers = { \"12025550100\" }\n" BWORLD_DELEGATE( \
	    "vesper-06", "identity_max_bytes = 8192 " more)

static int
open_world(void **state)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();

	(void)state;
	bworld_open(&world);
	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	bworld_close(&world);
	return 0;
}

static struct bworld_cert
good(const struct buf *tnauth)
{
	return (struct bworld_cert){
		.point = point, .tnauth = buf_view(tnauth), .scts = 1, .serial = "10"
	};
}

static void
put_cert(const struct bworld_cert *spec)
{
	bworld_put(&world, FILE_PATH, spec);
}

static void
put_good(const char *serial)
{
	AUTO_BUF tnauth = BUF_INIT(4096);
	struct bworld_cert spec;

	bworld_tnauth(&tnauth, "12025550100");
	spec = good(&tnauth);
	spec.serial = serial;
	put_cert(&spec);
}

static const struct credential *
only(const struct credset *s)
{
	assert_int_equal(s->slots, 1);
	return s->slot[0];
}

/* ---- what lies on disk ---- */

#define DOMAIN(host) \
	"numbers = { \"12025550100\" }\n" \
	"credential \"main\" { profile = \"domain\" token = \"main\" ca = \"lab\"\n" \
	"  authority = \"numbers\" x5u = \"https://" host \
	"/certs/\" publish_dir = \"www\" }\n"

enum on_disk {
	GOOD,
	NO_FILE,
	GARBAGE,
	HUGE_FILE,
	A_LINK,
	OTHER_ROOT,
	EXPIRED,
	EXPIRED_OTHER_ROOT,
	NOT_YET,
	TOO_LONG,
	NO_NUMBERS,
	NO_SCT,
	FUTURE_SCT,
	CA_CERT,
	ACCOUNT,
	ACCOUNT_BESIDE_BAD,
	PARENT_COVERS,
	PARENT_NARROWER,
	NAMED, /* dNSName calls.example */
	WITH_POLICY,
};

static struct disk_case {
	const char *name, *tenant;
	enum on_disk what;
	enum credential_state state;
	const char *reason;
} disk_cases[] = {
	{ "good", ACME(""), GOOD, CREDENTIAL_READY, "" },
	{ "no file", ACME(""), NO_FILE, CREDENTIAL_PENDING, "number_pending" },
	{ "garbage", ACME(""), GARBAGE, CREDENTIAL_UNUSABLE, "chain_pem" },
	{ "too large", ACME(""), HUGE_FILE, CREDENTIAL_UNUSABLE, "store_size" },
	{ "a link", ACME(""), A_LINK, CREDENTIAL_UNUSABLE, "io" },
	{ "another CA (RFC 9060 s5)", ACME(""), OTHER_ROOT, CREDENTIAL_UNUSABLE, "chain_path" },
	{ "expired stays loaded", ACME(""), EXPIRED, CREDENTIAL_READY, "" },
	{ "expired and from another CA", ACME(""), EXPIRED_OTHER_ROOT, CREDENTIAL_UNUSABLE,
	    "chain_path" },
	{ "not yet valid stays loaded", ACME("min_scts = 0"), NOT_YET, CREDENTIAL_READY, "" },
	{ "for too long", ACME(""), TOO_LONG, CREDENTIAL_UNUSABLE, "credential_unusable" },
	{ "no TNAuthList", ACME(""), NO_NUMBERS, CREDENTIAL_UNUSABLE, "credential_unusable" },
	{ "no SCT", ACME(""), NO_SCT, CREDENTIAL_UNUSABLE, "sct_policy" },
	{ "no SCT, none wanted", ACME("min_scts = 0"), NO_SCT, CREDENTIAL_READY, "" },
	{ "two SCTs wanted", ACME("min_scts = 2"), GOOD, CREDENTIAL_UNUSABLE, "sct_policy" },
	{ "SCT of the future", ACME(""), FUTURE_SCT, CREDENTIAL_UNUSABLE, "sct_future" },
	{ "a CA's", ACME(""), CA_CERT, CREDENTIAL_UNUSABLE, NULL },
	{ "an account's key", ACME(""), ACCOUNT, CREDENTIAL_UNUSABLE, "account_key" },
	{ "an account's key, another account's file is bad", ACME(""), ACCOUNT_BESIDE_BAD,
	    CREDENTIAL_UNUSABLE, "account_key" },
	{ "numbers inside the parent's", ACME(""), PARENT_COVERS, CREDENTIAL_READY, "" },
	{ "numbers outside the parent's (RFC 9060 s4, s5)", ACME(""), PARENT_NARROWER,
	    CREDENTIAL_UNUSABLE, "chain_scope" },
	{ "domain, its own host (V-75)", DOMAIN("Calls.example:8443"), NAMED, CREDENTIAL_READY,
	    "" },
	{ "domain, another host (D-49)", DOMAIN("calls.example.net"), NAMED,
	    CREDENTIAL_UNUSABLE, "x5u_host" },
	{ "domain, no name", DOMAIN("calls.example"), GOOD, CREDENTIAL_UNUSABLE,
	    "credential_unusable" },
	{ "no domain, another host", ACME(""), NAMED, CREDENTIAL_READY, "" },
	{ "the policy that is wanted",
	    ACME("policies = { \"1.2.9\", \"2.16.840.1.114569.1.1\" }"), WITH_POLICY,
	    CREDENTIAL_READY, "" },
	{ "another policy", ACME("policies = { \"1.2.3.4.5.6\", \"1.2.3.4.50\" }"), WITH_POLICY,
	    CREDENTIAL_UNUSABLE, "certificate_policy" },
	{ "no policy, one is wanted", ACME("policies = { \"1.2.3\" }"), GOOD,
	    CREDENTIAL_UNUSABLE, "certificate_policy" },
	{ "Identity too large",
	    "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE(
		"vesper-06", "identity_max_bytes = 1024"),
	    GOOD, CREDENTIAL_UNUSABLE, "identity_too_large" },
	{ "Identity not wanted",
	    "numbers = { \"12025550100\" }\n"
	    "credential \"main\" { profile = \"vesper-06\" token = \"main\" ca = \"lab\"\n"
	    "  authority = \"numbers\" identity = none identity_max_bytes = 1024 }\n",
	    GOOD, CREDENTIAL_READY, "" },
	{ "numbers under a provider's profile",
	    "numbers = { \"12025550100\" }\n"
	    "credential \"main\" { profile = \"shaken-sp\" spc = \"1234\" token = \"main\"\n"
	    "  ca = \"lab\" authority = \"numbers\" x5u = \"https://127.1.2.3:8443/c/\" }\n",
	    GOOD, CREDENTIAL_UNUSABLE, "credential_unusable" },
};

static void
put_account(const char *path)
{
	AUTO_BUF text = BUF_INIT(1000);

	buf_str(&text, "{\"point\":\"");
	b64_encode(&text, B64_URL, span_of(point, sizeof point));
	buf_str(&text, "\"}");
	assert_int_equal(store_write(path, buf_view(&text), 0600, NULL), RC_OK);
}

static void
spoil(enum on_disk what, struct bworld_cert *c)
{
	switch (what) {
	case OTHER_ROOT: c->other_root = true; break;
	case EXPIRED_OTHER_ROOT:
	case EXPIRED:
		c->other_root = what == EXPIRED_OTHER_ROOT;
		c->not_before_s = now - 86400;
		c->not_after_s = now - 3600;
		c->sct_ms = (now - 86400) * 1000;
		break;
	case NOT_YET:
		c->not_before_s = now + 3600;
		c->scts = 0;
		break;
	case TOO_LONG: c->not_after_s = now + 8 * 86400; break;
	case NO_NUMBERS: c->tnauth = span_of(NULL, 0); break;
	case NO_SCT: c->scts = 0; break;
	case FUTURE_SCT: c->sct_ms = (now + 60) * 1000; break;
	case CA_CERT: c->ca = true; break;
	case NAMED: c->san = "DNS:calls.example"; break;
	case WITH_POLICY: c->policies = "1.2.3.4.5,2.16.840.1.114569.1.1.3"; break;
	default: break;
	}
}

static void
put_on_disk(enum on_disk what)
{
	AUTO_BUF tnauth = BUF_INIT(4096), big = BUF_INIT(CHAIN_MAX_BYTES + 1);
	AUTO_BUF parent = BUF_INIT(4096);
	struct bworld_cert spec;

	bworld_tnauth(&tnauth, "12025550100");
	spec = good(&tnauth);
	spoil(what, &spec);
	bworld_tnauth(&parent,
	    what == PARENT_COVERS ? "12025550100-12025550109" : "12025550101-12025550109");
	if (what == PARENT_COVERS || what == PARENT_NARROWER)
		spec.parent = buf_view(&parent);
	if (what == NO_FILE)
		return;
	put_cert(&spec);
	if (what == ACCOUNT)
		put_account(LAB_ACCOUNT);
	if (what == ACCOUNT_BESIDE_BAD) {
		put_account(SECOND_ACCOUNT);
		bworld_file(LAB_ACCOUNT, "{");
	}
	if (what == GARBAGE)
		bworld_file(
		    FILE_PATH, "-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n");
	if (what == HUGE_FILE) {
		while (buf_check(&big, NULL) == RC_OK && big.len <= CHAIN_MAX_BYTES)
			buf_byte(&big, '\n');
		assert_int_equal(store_write(FILE_PATH, buf_view(&big), 0600, NULL), RC_OK);
	}
	if (what == A_LINK) {
		assert_int_equal(rename(FILE_PATH, "elsewhere.pem"), 0);
		assert_int_equal(symlink("../../../../../elsewhere.pem", FILE_PATH), 0);
	}
}

/* Of what is judged by the configuration, which certificate it is. */
static void
names_the_certificate(const struct fault *why)
{
	static const char *const reasons[] = { "sct_policy", "account_key", "x5u_host",
		"certificate_policy" };
	char serial[41];
	int end = 0;

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (strcmp(why->reason, reasons[i]) != 0)
			continue;
		(void)sscanf(why->detail, "certificate %40[0-9a-f]: %n", serial, &end);
		if (end == 0)
			fail_msg("%s: %s", why->reason, why->detail);
	}
}

static void
from_disk(void **state)
{
	const struct disk_case *c = *state;
	AUTO_CREDSET *set = NULL;
	struct accounts accounts = { 0 };
	struct fault f = { 0 };
	const struct credential *cred;

	bworld_tenant("acme", c->tenant);
	put_on_disk(c->what);
	assert_int_equal(load_set("vesperd.conf", NULL, now, &set, &accounts, NULL, &f), RC_OK);
	accounts_done(&accounts);
	cred = only(set);
	if (cred->state != c->state)
		fail_msg(
		    "state %d, %s: %s", (int)cred->state, cred->why.reason, cred->why.detail);
	if (c->reason != NULL)
		assert_string_equal(cred->why.reason, c->reason);
	names_the_certificate(&cred->why);
	assert_true((cred->gate != NULL) == (c->state == CREDENTIAL_READY));
	if (c->state == CREDENTIAL_READY)
		assert_memory_equal(cred->point, point, sizeof point);
}

/* ---- facts ---- */

static json_t *
header_of(const struct credential *c, enum ppt ppt)
{
	AUTO_BUF text = BUF_INIT(65536);
	json_t *header = NULL;

	assert_non_null(c->header[ppt]);
	assert_int_equal(b64_decode(&text, B64_URL, span_str(c->header[ppt]), NULL), RC_OK);
	assert_int_equal(jtext_read(buf_view(&text), &header, NULL), RC_OK);
	return header;
}

static void
headers(void **state)
{
	AUTO_CREDSET *set = NULL;
	struct accounts accounts = { 0 };
	json_auto_t *h = NULL;
	const struct credential *c;
	const char *x5u, *slash;
	AUTO_BUF leaf = BUF_INIT(65536);

	(void)state;
	bworld_tenant("acme", ACME(""));
	put_good("10");
	assert_int_equal(
	    load_set("vesperd.conf", NULL, now, &set, &accounts, NULL, NULL), RC_OK);
	accounts_done(&accounts);
	c = only(set);
	assert_null(c->header[PPT_SHAKEN]); /* of the other class */
	h = header_of(c, PPT_BASE);
	assert_int_equal(json_object_size(h), 4);
	x5u = json_string_value(json_object_get(h, "x5u"));
	assert_string_equal(x5u, c->x5u);
	slash = strrchr(x5u, '/');
	assert_int_equal(strlen(slash), 1 + 64 + 4);
	assert_memory_equal(slash + 1, c->fingerprint, 64);
	assert_int_equal(json_array_size(json_object_get(h, "x5c")), 1); /* no anchor, D-47 */
	b64_encode(&leaf, B64_STD, span_of(c->chain->cert[0]->der, c->chain->cert[0]->der_len));
	assert_string_equal(
	    json_string_value(json_array_get(json_object_get(h, "x5c"), 0)), buf_text(&leaf));
	assert_int_equal(c->scts, 1);
	assert_int_equal(c->scope, ENCOMPASS_ABSENT);
	assert_int_equal(c->scope_of_numbers, ENCOMPASS_ABSENT);
	assert_int_equal(c->not_before_s, now - 3600);
	assert_int_not_equal(c->installed_at_s, 0);
}

/* By both readings of codes, whatever its own profile's is (D-45): proof.h asks for either. */
static void
scope_is_kept(void **state)
{
	struct tnauth_entry e[] = { { .kind = TNAUTH_ONE, .count = 1 },
		{ .kind = TNAUTH_SPC, .spc = "5678" } };
	AUTO_BUF tnauth = BUF_INIT(4096), parent = BUF_INIT(4096);
	AUTO_CREDSET *set = NULL;
	struct accounts accounts = { 0 };
	struct bworld_cert spec;

	(void)state;
	bworld_tenant("acme", ACME(""));
	assert_int_equal(tn_exact(span_str("12025550100"), &e[0].start, NULL), RC_OK);
	assert_int_equal(tnauth_encode(&tnauth, e, ARRAY_LEN(e), NULL), RC_OK);
	bworld_tnauth(&parent, "12025550100-12025550109");
	spec = good(&tnauth);
	spec.parent = buf_view(&parent);
	put_cert(&spec);
	assert_int_equal(
	    load_set("vesperd.conf", NULL, now, &set, &accounts, NULL, NULL), RC_OK);
	accounts_done(&accounts);
	assert_int_equal(only(set)->state, CREDENTIAL_READY);
	assert_int_equal(only(set)->scope, ENCOMPASS_OUTSIDE);
	assert_int_equal(only(set)->scope_of_numbers, ENCOMPASS_PROVEN);
}

/*
 * Salts are read when a credential is judged, other salts judge it anew, and
 * salts that cannot be read are told and cost nothing else (V-56).
 */
static void
salts_of_a_credential(void **state)
{
	static const char path[] = "salts";
	static const char one[] = "AAECAwQFBgcICQoLDA0ODw vper/name\n";
	struct works w;
	struct credential *first;

	(void)state;
	bworld_tenant("acme", ACME("salts = \"file:salts\""));
	put_good("10");
	assert_int_equal(store_write(path, span_str(one), 0600, NULL), RC_OK);
	bworld_works(&world, &w, now);
	first = credential_ref(w.set->slot[0]);
	assert_int_equal(first->why.rc, RC_OK);
	assert_int_equal(salts_len(first->salts), 1);
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_ptr_equal(w.set->slot[0], first);

	assert_int_equal(
	    store_write(path, span_str("AAECAwQFBgcICQoLDA0OEA vper/name\n"), 0600, NULL),
	    RC_OK);
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_ptr_not_equal(w.set->slot[0], first);
	credential_release(first);

	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(w.set->slot[0]->state, CREDENTIAL_READY);
	assert_string_equal(w.set->slot[0]->why.reason, "secret");
	assert_int_equal(salts_len(w.set->slot[0]->salts), 0);

	assert_int_equal(chmod(path, 0600), 0);
	bworld_file(path, "no! of this is a salt\n");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_string_equal(w.set->slot[0]->why.reason, "salts_base64");
	assert_null(strstr(w.set->slot[0]->why.detail, "of this"));
	works_done(&w);
}

/* What is published of a chain whose root was delivered, or was not. */
static void
anchor_stays_or_goes(const char *tenant, bool delivered, size_t want)
{
	AUTO_CREDSET *set = NULL;
	struct accounts accounts = { 0 };
	AUTO_BUF pem = BUF_INIT(65536), tnauth = BUF_INIT(4096), www = BUF_INIT(65536);
	AUTO(chain) *published = NULL;
	json_auto_t *h = NULL;
	struct bworld_cert spec;
	char path[160];

	bworld_tenant("acme", tenant);
	bworld_tnauth(&tnauth, "12025550100");
	spec = good(&tnauth);
	bworld_issue(&world, &pem, &spec);
	if (delivered)
		pki_pem(&pem, world.root);
	assert_int_equal(store_write(FILE_PATH, buf_view(&pem), 0600, NULL), RC_OK);
	assert_int_equal(
	    load_set("vesperd.conf", NULL, now, &set, &accounts, NULL, NULL), RC_OK);
	accounts_done(&accounts);
	assert_int_equal(only(set)->state, CREDENTIAL_READY);
	assert_int_equal(only(set)->chain->len, delivered ? 2 : 1);
	h = header_of(only(set), PPT_BASE);
	assert_int_equal(json_array_size(json_object_get(h, "x5c")), 1);
	/* Not there before: load made up for it. */
	snprintf(path, sizeof path, "www/%s.pem", only(set)->fingerprint);
	assert_int_equal(store_read(path, 65536, &www, NULL), RC_OK);
	assert_int_equal(chain_read_pem(buf_view(&www), false, &published, NULL), RC_OK);
	assert_int_equal(published->len, want);
	if (want == 2)
		assert_int_equal(X509_cmp(published->cert[1]->x509, world.root), 0);
}

/* Conveyed and published without it (D-47). */
static void
anchor_is_not_conveyed(void **state)
{
	(void)state;
	anchor_stays_or_goes(ACME(""), true, 1);
}

/* D-47 */
static void
publish_root_puts_it_into_the_file(void **state)
{
	(void)state;
	anchor_stays_or_goes(ACME("publish_root = yes"), true, 2);
}

/* D-47 */
static void
publish_root_of_a_chain_without_it(void **state)
{
	(void)state;
	anchor_stays_or_goes(ACME("publish_root = yes"), false, 2);
}

/* ---- reload ---- */

static void
unchanged_is_shared(void **state)
{
	struct works w;
	struct credential *first;

	(void)state;
	bworld_tenant("acme", ACME(""));
	put_good("10");
	bworld_works(&world, &w, now);
	first = credential_ref(w.set->slot[0]);
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_ptr_equal(w.set->slot[0], first);
	assert_int_equal(world.published, 1);
	/* Another configuration of the same credential is judged anew. */
	bworld_tenant("acme", ACME("priority = 5"));
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_ptr_not_equal(w.set->slot[0], first);
	assert_int_equal(w.set->slot[0]->priority, 5);
	credential_release(first);
	works_done(&w);
}

static void
a_bad_file_keeps_the_old(void **state)
{
	struct works w;

	(void)state;
	bworld_tenant("acme", ACME(""));
	put_good("10");
	bworld_works(&world, &w, now);
	bworld_file(FILE_PATH, "rubbish");
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(w.set->slot[0]->state, CREDENTIAL_READY);
	assert_string_equal(w.set->slot[0]->chain->cert[0]->serial, "10");
	assert_string_equal(w.set->slot[0]->why.reason, "chain_empty");
	bworld_file(FILE_PATH, NULL);
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(w.set->slot[0]->state, CREDENTIAL_READY);
	put_good("11");
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_string_equal(w.set->slot[0]->chain->cert[0]->serial, "11");
	assert_int_equal(w.set->slot[0]->why.rc, RC_OK);
	works_done(&w);
}

/* ---- a certificate with another key, put on disk by hand ---- */

static void
put_other_key(const char *serial)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();

	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	put_good(serial);
}

static void
expect_serving(const struct works *w, const char *serial, const char *why)
{
	const struct credential *c = w->set->slot[0];

	assert_int_equal(c->state, CREDENTIAL_READY);
	assert_string_equal(c->chain->cert[0]->serial, serial);
	assert_string_equal(c->why.reason, why);
}

/* The reload is in force at once, with the old one; the new one when its key is learnt. */
static void
another_key_follows(void **state)
{
	struct works w;

	(void)state;
	bworld_tenant("acme", ACME(""));
	put_good("10");
	bworld_works(&world, &w, now);
	put_other_key("11");
	bworld_tenant("acme", "enabled = no " ACME(""));
	world.learn_rc = RC_TIMEOUT;
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(world.published, 1);
	assert_int_equal(world.waited, 0);
	assert_false(w.set->config->tenant[0].enabled);
	expect_serving(&w, "10", "hsm_unavailable");
	/* Tried and tried again, by itself. */
	assert_true(works_due_s(&w) <= now);
	(void)works_chores(&w, now);
	assert_int_equal(world.waited, 1);
	expect_serving(&w, "10", "hsm_unavailable");
	(void)works_chores(&w, now + WORKS_CHANGES_RETRY_S - 1);
	assert_int_equal(world.waited, 1);
	assert_true(works_due_s(&w) <= now + WORKS_CHANGES_RETRY_S);
	world.learn_rc = RC_OK;
	(void)works_chores(&w, now + WORKS_CHANGES_RETRY_S);
	assert_int_equal(world.waited, 2);
	expect_serving(&w, "11", "");
	assert_int_equal(w.changes.len, 0);
	(void)works_chores(&w, now + 2 * WORKS_CHANGES_RETRY_S);
	assert_int_equal(world.waited, 2);
	works_done(&w);
}

/* Revoked while it waits: it comes in force no more, and the old one goes on. */
static void
another_key_is_revoked(void **state)
{
	struct works w;
	char path[128];

	(void)state;
	bworld_tenant("acme", ACME(""));
	put_good("10");
	bworld_works(&world, &w, now);
	put_other_key("11");
	world.learn_rc = RC_TIMEOUT;
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(w.changes.len, 1);
	snprintf(path, sizeof path, "state/front/revoked/%s.json",
	    w.changes.item[0].made->fingerprint);
	assert_int_equal(store_write(path, span_str("{}"), 0600, NULL), RC_OK);
	world.learn_rc = RC_OK;
	(void)works_chores(&w, now);
	assert_int_equal(world.waited, 0);
	assert_int_equal(w.changes.len, 0);
	expect_serving(&w, "10", "hsm_unavailable");
	works_done(&w);
}

/* Where the old one does not serve, or may not, the new one has nothing to wait for. */
static void
another_key_at_once(void **state)
{
	static const int64_t later = PKI_NOW + 2 * 86400;
	struct works w;
	AUTO_BUF pem = BUF_INIT(65536);

	(void)state;
	world.learn_rc = RC_TIMEOUT;
	bworld_tenant("acme", ACME("min_scts = 0"));
	put_good("10");
	bworld_works(&world, &w, now);
	put_other_key("11");
	assert_int_equal(works_load(&w, later, NULL), RC_OK); /* expired */
	expect_serving(&w, "11", "");
	assert_int_equal(w.changes.len, 0);
	{
		AUTO_BUF tnauth = BUF_INIT(4096);
		AUTO_OSSL(EVP_PKEY) *key = pki_p256();
		struct bworld_cert spec;

		assert_int_equal(p256_point(key, point, NULL), RC_OK);
		bworld_tnauth(&tnauth, "12025550100");
		spec = good(&tnauth);
		spec.serial = "12";
		spec.other_root = true;
		put_cert(&spec);
	}
	pki_pem(&pem, world.other_root); /* the anchor of the old one is withdrawn */
	bworld_file("anchors.pem", buf_text(&pem));
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	expect_serving(&w, "12", "");
	assert_int_equal(w.changes.len, 0);
	assert_int_equal(world.waited, 0);
	works_done(&w);
}

/* A refused key holds up no other; a token that is late is not asked again in that round. */
static void
others_do_not_wait(void **state)
{
	static const struct {
		enum rc rc;
		unsigned waited;
	} rounds[] = { { RC_HSM, 2 }, { RC_TIMEOUT, 3 }, { RC_BUSY, 4 }, { RC_OK, 6 } };
	struct works w;

	(void)state;
	bworld_tenant("acme", ACME(""));
	bworld_tenant("beta", ACME(""));
	put_good("10");
	assert_int_equal(rename(FILE_PATH, "main.pem"), 0);
	put_good("20");
	assert_int_equal(mkdir("state/front/tenants/beta", 0700), 0);
	assert_int_equal(
	    rename("state/front/tenants/acme/main", "state/front/tenants/beta/main"), 0);
	assert_int_equal(mkdir("state/front/tenants/acme/main", 0700), 0);
	assert_int_equal(rename("main.pem", FILE_PATH), 0);
	bworld_works(&world, &w, now);
	put_other_key("11");
	assert_int_equal(rename(FILE_PATH, "state/front/tenants/beta/main/current.pem"), 0);
	put_other_key("12");
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(w.changes.len, 2);
	for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
		world.learn_rc = rounds[i].rc;
		(void)works_chores(&w, now + (int64_t)i * WORKS_CHANGES_RETRY_S);
		assert_int_equal(world.waited, rounds[i].waited);
	}
	assert_int_equal(w.changes.len, 0);
	works_done(&w);
}

/* A key that was to be destroyed is needed again as soon as it can be learnt. */
static void
another_key_is_not_destroyed(void **state)
{
	struct works w;
	uint8_t key_id[KEY_ID_LEN];

	(void)state;
	bworld_tenant("acme", ACME(""));
	put_good("10");
	bworld_works(&world, &w, now);
	assert_int_equal(works_generate(&w, 0, point, NULL), RC_OK);
	key_id_of_point(point, key_id);
	put_good("11");
	assert_int_equal(
	    retire_note(&w, key_id, (struct credset_place){ 0 }, now, NULL), RC_OK);
	world.learn_rc = RC_TIMEOUT;
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	(void)works_chores(&w, now + 1);
	assert_int_equal(world.waited, 1);
	expect_serving(&w, "10", "hsm_unavailable");
	assert_true(softadmin_has(world.admin, key_id));
	works_done(&w);
}

/* An anchor or a log that the operator withdrew does take it out of force. */
static void
withdrawn_by_policy(void **state)
{
	struct works w;
	AUTO_BUF pem = BUF_INIT(65536);

	(void)state;
	bworld_tenant("acme", ACME(""));
	put_good("10");
	bworld_works(&world, &w, now);
	bworld_file("ct-logs.json", "{\"operators\":[]}");
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(w.set->slot[0]->state, CREDENTIAL_UNUSABLE);
	assert_string_equal(w.set->slot[0]->why.reason, "sct_policy");
	bworld_tenant("acme", ACME("min_scts = 0"));
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(w.set->slot[0]->state, CREDENTIAL_READY);
	pki_pem(&pem, world.other_root);
	bworld_file("anchors.pem", buf_text(&pem));
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(w.set->slot[0]->state, CREDENTIAL_UNUSABLE);
	assert_string_equal(w.set->slot[0]->why.reason, "chain_path");
	works_done(&w);
}

static struct reload_case {
	const char *name, *path, *text;
	enum rc rc;
	const char *reason;
} reload_cases[] = {
	{ "bad configuration", "vesperd.conf", "kye = 1\n", RC_INVALID, "config" },
	{ "no configuration", "vesperd.conf", NULL, RC_NOT_FOUND, NULL },
	{ "bad tenant", "tenants.d/acme.conf", "tenant \"acme\" { oops }\n", RC_INVALID,
	    "config" },
	{ "bad anchors", "anchors.pem", "rubbish", RC_INVALID, NULL },
	{ "no anchors", "anchors.pem", NULL, RC_NOT_FOUND, "not_found" },
	{ "bad logs", "ct-logs.json", "{}", RC_INVALID, NULL },
	{ "logs that are no JSON", "ct-logs.json", "{", RC_INVALID, "malformed_json" },
	{ "no logs", "ct-logs.json", NULL, RC_NOT_FOUND, "not_found" },
	{ "nobody knows what is revoked", "state/front/revoked", "", RC_IO, "io" },
};

static void
a_failed_reload_changes_nothing(void **state)
{
	const struct reload_case *c = *state;
	struct works w;
	const struct credset *before;
	struct fault f = { 0 };

	bworld_tenant("acme", ACME(""));
	put_good("10");
	bworld_works(&world, &w, now);
	before = w.set;
	bworld_file(c->path, c->text);
	assert_int_equal(works_load(&w, now, &f), c->rc);
	if (c->reason != NULL)
		assert_string_equal(f.reason, c->reason);
	assert_ptr_equal(w.set, before);
	assert_int_equal(w.set->slot[0]->state, CREDENTIAL_READY);
	assert_int_equal(world.published, 0);
	works_done(&w);
}

/* ---- an account's file that will not do ---- */

static struct account_case {
	const char *name, *text;
	const char *detail;
} account_cases[] = {
	{ "bad account", "{\"point\":\"AAAA\"}", "a point of 3 bytes" },
	{ "account of another shape", "{\"key\":1}", "not {\"point\"" },
	{ "account with more in it", "{\"point\":\"AAAA\",\"kid\":\"\"}", "not {\"point\"" },
	{ "account that is no JSON", "{\"point\"", "vesper account replace" },
	{ "empty account", "", "vesper account replace" },
	{ "account off the curve",
	    "{\"point\":"
	    "\"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAE\"}",
	    "vesper account replace" },
	{ "account that is no file", NULL, "not a file" },
};

static void
put_bad_account(const struct account_case *c)
{
	if (c->text != NULL) {
		bworld_file(LAB_ACCOUNT, c->text);
		return;
	}
	(void)unlink(LAB_ACCOUNT);
	assert_int_equal(mkfifo(LAB_ACCOUNT, 0600), 0);
}

static void
expect_bad_account(const struct works *w, const struct account_case *c)
{
	struct fault f = { 0 };

	assert_int_equal(only(w->set)->state, CREDENTIAL_READY);
	assert_int_equal(w->accounts.damages, 1);
	assert_null(accounts_find(&w->accounts, "lab"));
	assert_int_equal(accounts_check(&w->accounts, "lab", &f), RC_CONFLICT);
	assert_string_equal(f.reason, "account_file");
	assert_non_null(strstr(f.detail, LAB_ACCOUNT));
	assert_non_null(strstr(f.detail, c->text != NULL ? "mend it, or: vesper account replace"
							 : "reload when it can be read"));
	assert_non_null(strstr(f.detail, c->detail));
	assert_int_equal(accounts_check(&w->accounts, "second", &f), RC_OK);
	assert_non_null(accounts_find(&w->accounts, "second"));
}

/* Nobody signs less for an account that cannot be read: not at a reload, not at a start. */
static void
a_bad_account_is_its_own(void **state)
{
	const struct account_case *c = *state;
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	uint8_t mine[P256_POINT_LEN];
	struct works w, again;

	bworld_tenant("acme", ACME(""));
	put_good("10");
	memcpy(mine, point, sizeof mine);
	assert_int_equal(p256_point(key, point, NULL), RC_OK); /* the accounts' */
	put_account(LAB_ACCOUNT);
	put_account(SECOND_ACCOUNT);
	memcpy(point, mine, sizeof point);
	bworld_works(&world, &w, now);
	assert_int_equal(w.accounts.damages, 0);
	put_bad_account(c);
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(world.published, 1);
	if (c->text != NULL)
		expect_bad_account(&w, c);
	else /* not read, which says nothing of it */
		assert_non_null(accounts_find(&w.accounts, "lab"));
	bworld_works(&world, &again, now);
	expect_bad_account(&again, c);
	works_done(&again);
	/* Moved away as told: a new one can be made. */
	bworld_file(LAB_ACCOUNT, NULL);
	assert_int_equal(works_load(&w, now, NULL), RC_OK);
	assert_int_equal(accounts_check(&w.accounts, "lab", NULL), RC_OK);
	assert_null(accounts_find(&w.accounts, "lab"));
	works_done(&w);
}

/* ---- what a reload cannot change ---- */

#define TOKEN(more) "token \"main\" { " more " }\n"
#define MODULE	    "module = \"/usr/lib/softhsm/libsofthsm2.so\" "
#define LABEL	    "label = \"vesper\" "
#define PIN	    "pin = \"file:pin\" "
#define LOCK	    "lock_file = \"token.lock\" "

/* The token section, first as `before`, then as `after`. */
static struct token_case {
	const char *name, *before, *after;
	const char *key; /* what the refusal names; NULL: the reload is taken */
} token_cases[] = {
	{ "same token section", TOKEN(MODULE LABEL PIN LOCK),
	    "# another comment\n" TOKEN(PIN LOCK LABEL MODULE), NULL },
	{ "token added", TOKEN(MODULE LABEL PIN LOCK),
	    TOKEN(MODULE LABEL PIN LOCK) "token \"two\" { module = \"/x.so\" " LABEL PIN "}\n",
	    "added" },
	{ "token removed",
	    TOKEN(MODULE LABEL PIN LOCK) "token \"two\" { module = \"/x.so\" " LABEL PIN "}\n",
	    TOKEN(MODULE LABEL PIN LOCK), "removed" },
	{ "token renamed",
	    TOKEN(MODULE LABEL PIN LOCK) "token \"two\" { module = \"/x.so\" " LABEL PIN "}\n",
	    TOKEN(MODULE LABEL PIN LOCK) "token \"new\" { module = \"/x.so\" " LABEL PIN "}\n",
	    "renamed" },
	{ "module", TOKEN(MODULE LABEL PIN LOCK),
	    TOKEN("module = \"/other.so\" " LABEL PIN LOCK), "'module'" },
	{ "label", TOKEN(MODULE LABEL PIN LOCK), TOKEN(MODULE "label = \"v\" " PIN LOCK),
	    "'label'" },
	{ "serial", TOKEN(MODULE LABEL PIN LOCK),
	    TOKEN(MODULE LABEL "serial = \"1\" " PIN LOCK), "'serial'" },
	{ "serial away", TOKEN(MODULE LABEL "serial = \"1\" " PIN LOCK),
	    TOKEN(MODULE LABEL PIN LOCK), "'serial'" },
	{ "pin", TOKEN(MODULE LABEL PIN LOCK), TOKEN(MODULE LABEL "pin = \"file:new\" " LOCK),
	    "'pin'" },
	{ "processes", TOKEN(MODULE LABEL PIN LOCK),
	    TOKEN(MODULE LABEL PIN LOCK "processes = 3"), "'processes'" },
	{ "threads", TOKEN(MODULE LABEL PIN LOCK), TOKEN(MODULE LABEL PIN LOCK "threads = 3"),
	    "'threads'" },
	{ "lock_file", TOKEN(MODULE LABEL PIN LOCK),
	    TOKEN(MODULE LABEL PIN "lock_file = \"other.lock\""), "'lock_file'" },
	{ "environment", TOKEN(MODULE LABEL PIN LOCK "environment = { \"A=1\" }"),
	    TOKEN(MODULE LABEL PIN LOCK "environment = { \"A=2\" }"), "'environment'" },
	{ "environment longer", TOKEN(MODULE LABEL PIN LOCK "environment = { \"A=1\" }"),
	    TOKEN(MODULE LABEL PIN LOCK "environment = { \"A=1\", \"B=1\" }"),
	    "'environment'" },
	{ "read_paths", TOKEN(MODULE LABEL PIN LOCK),
	    TOKEN(MODULE LABEL PIN LOCK "read_paths = { \"/x\" }"), "'read_paths'" },
	{ "write_paths", TOKEN(MODULE LABEL PIN LOCK),
	    TOKEN(MODULE LABEL PIN LOCK "write_paths = { \"/x\" }"), "'write_paths'" },
	{ "read_write", TOKEN(MODULE LABEL PIN LOCK "read_write = no"),
	    TOKEN(MODULE LABEL PIN LOCK "read_write = yes"), "'read_write'" },
	{ "max_keys", TOKEN(MODULE LABEL PIN LOCK), TOKEN(MODULE LABEL PIN LOCK "max_keys = 7"),
	    "'max_keys'" },
	{ "canary_s", TOKEN(MODULE LABEL PIN LOCK), TOKEN(MODULE LABEL PIN LOCK "canary_s = 7"),
	    "'canary_s'" },
	{ "verify_signatures", TOKEN(MODULE LABEL PIN LOCK "verify_signatures = first"),
	    TOKEN(MODULE LABEL PIN LOCK "verify_signatures = all"), "'verify_signatures'" },
	{ "network", TOKEN(MODULE LABEL PIN LOCK "backoff_max_ms = 300"),
	    TOKEN(MODULE LABEL PIN LOCK "backoff_max_ms = 300 network = yes"), "'network'" },
	{ "backoff_max_ms", TOKEN(MODULE LABEL PIN LOCK),
	    TOKEN(MODULE LABEL PIN LOCK "backoff_max_ms = 300"), "'backoff_max_ms'" },
	{ "affinity", TOKEN(MODULE LABEL PIN LOCK "affinity = auto"),
	    TOKEN(MODULE LABEL PIN LOCK "affinity = none"), "'affinity'" },
};

/* vesperd.conf with this text in place of its token section. */
static void
put_token(const char *section)
{
	AUTO_BUF old = BUF_INIT(65536), text = BUF_INIT(65536);
	const char *from, *to;

	assert_int_equal(store_read("vesperd.conf", 65536, &old, NULL), RC_OK);
	from = strstr(buf_text(&old), "token \"main\" {");
	assert_non_null(from);
	to = strstr(from, "ca \"lab\"");
	assert_non_null(to);
	buf_put(&text, buf_text(&old), (size_t)(from - buf_text(&old)));
	buf_str(&text, section);
	buf_str(&text, to);
	bworld_file("vesperd.conf", buf_text(&text));
}

static void
tokens_need_a_restart(void **state)
{
	const struct token_case *c = *state;
	struct works w;
	const struct credset *before;
	struct fault f = { 0 };

	bworld_tenant("acme", ACME(""));
	put_token(c->before);
	bworld_works(&world, &w, now);
	before = w.set;
	put_token(c->after);
	assert_int_equal(works_load(&w, now, &f), c->key == NULL ? RC_OK : RC_INVALID);
	assert_int_equal(world.published, c->key == NULL ? 1 : 0);
	if (c->key != NULL) {
		assert_ptr_equal(w.set, before);
		assert_string_equal(f.reason, "config");
		assert_non_null(strstr(f.detail, c->key));
		assert_non_null(strstr(f.detail, "needs a restart"));
	}
	works_done(&w);
}

static void
not_in_force_not_taken(void **state)
{
	struct works w;
	const struct credset *before;
	struct fault f = { 0 };

	(void)state;
	bworld_tenant("acme", ACME(""));
	put_good("10");
	bworld_works(&world, &w, now);
	before = w.set;
	world.publish_rc = RC_HSM;
	assert_int_equal(works_load(&w, now, &f), RC_HSM);
	assert_ptr_equal(w.set, before);
	works_done(&w);
}

#define STEP(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int
main(void)
{
	static const struct CMUnitTest steps[] = {
		STEP(headers),
		STEP(scope_is_kept),
		STEP(salts_of_a_credential),
		STEP(anchor_is_not_conveyed),
		STEP(publish_root_puts_it_into_the_file),
		STEP(publish_root_of_a_chain_without_it),
		STEP(unchanged_is_shared),
		STEP(a_bad_file_keeps_the_old),
		STEP(another_key_follows),
		STEP(another_key_at_once),
		STEP(another_key_is_revoked),
		STEP(others_do_not_wait),
		STEP(another_key_is_not_destroyed),
		STEP(withdrawn_by_policy),
		STEP(not_in_force_not_taken),
	};
	static struct CMUnitTest tests[ARRAY_LEN(steps) + ARRAY_LEN(disk_cases) +
				       ARRAY_LEN(reload_cases) + ARRAY_LEN(token_cases) +
				       ARRAY_LEN(account_cases)];
	size_t n = ARRAY_LEN(steps);

	memcpy(tests, steps, sizeof steps);
	for (size_t i = 0; i < ARRAY_LEN(disk_cases); i++)
		tests[n++] = (struct CMUnitTest){ disk_cases[i].name, from_disk, open_world,
			close_world, &disk_cases[i] };
	for (size_t i = 0; i < ARRAY_LEN(reload_cases); i++)
		tests[n++] =
		    (struct CMUnitTest){ reload_cases[i].name, a_failed_reload_changes_nothing,
			    open_world, close_world, &reload_cases[i] };
	for (size_t i = 0; i < ARRAY_LEN(account_cases); i++)
		tests[n++] = (struct CMUnitTest){ account_cases[i].name,
			a_bad_account_is_its_own, open_world, close_world, &account_cases[i] };
	for (size_t i = 0; i < ARRAY_LEN(token_cases); i++)
		tests[n++] = (struct CMUnitTest){ token_cases[i].name, tokens_need_a_restart,
			open_world, close_world, &token_cases[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
