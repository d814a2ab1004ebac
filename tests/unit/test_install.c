/* install: what a CA may send, what is refused, and old-or-new after a crash at every step */
#include "agent/front/install.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <utime.h>

#include "agent/front/abandoned.h"
#include "agent/front/keyfile.h"
#include "agent/front/load.h"
#include "agent/front/ops.h"
#include "agent/front/ordered.h"
#include "agent/front/pending.h"
#include "agent/front/publish.h"
#include "agent/front/retire.h"
#include "agent/front/spare.h"
#include "agent/front/statedir.h"
#include "agent/front/store.h"
#include "agent/front/unnamed.h"
#include "agent/front/want.h"
#include "pkcs11/frame.h"
#include "stir/b64.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/crash.h"
#include "tests/unit/rows.h"

#define NUMBERS "\"12025550100\", \"12025550110-12025550119\""
#define FEWER	"\"12025550100\""
#define VESPER(numbers, more) \
	"numbers = { " numbers \
	" }\n" BWORLD_DELEGATE("vesper-06", "identity_max_bytes = 8192 " more)
#define CONSTRAINED(numbers) \
	VESPER(numbers, "claim_agent = \"claims\" constraints { form = \"enhanced\"\n" \
			"must_exclude = { \"msgi\" } }")

#define PROVIDER "numbers = { " NUMBERS " }\n" BWORLD_DELEGATE("shaken-sp", "spc = \"1234\"")

static struct bworld world;
static const int64_t now = PKI_NOW;

struct lab {
	struct works works;
	struct credset_place at;
	struct pending pending;
};

static void
lab_open(struct lab *l)
{
	*l = (struct lab){ 0 };
	bworld_works(&world, &l->works, now);
	assert_true(credset_find(l->works.set, "acme", "main", &l->at));
}

static void
lab_close(struct lab *l)
{
	pending_done(&l->pending);
	works_done(&l->works);
}

/* The request for what is configured. */
static void
lab_request(struct lab *l)
{
	const struct config_tenant *t = &l->works.set->config->tenant[l->at.tenant];
	AUTO_WANT want = WANT_INIT;
	struct fault f = { 0 };

	assert_int_equal(want_of(t, credset_config(l->works.set, l->at), &want, &f), RC_OK);
	pending_done(&l->pending);
	if (pending_make(&l->works, l->at, buf_view(&want.tnauth_der),
		buf_view(&want.constraints_der), now, &l->pending, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

/* What a good CA would answer; rows spoil it. */
static struct bworld_cert
good_cert(const struct lab *l)
{
	return (struct bworld_cert){
		.point = l->pending.facts.point,
		.tnauth = buf_view(&l->pending.facts.tnauth_der),
		.constraints = buf_view(&l->pending.facts.constraints_der),
		.enhanced = l->pending.facts.form == CONSTRAINTS_ENHANCED,
		.not_before_s = now - 3600,
		.not_after_s = now + 43200,
		.serial = "10",
		.scts = 1,
	};
}

static enum rc
lab_install(struct lab *l, struct span pem, int64_t at_s, int64_t *again_s, struct fault *f)
{
	const struct credential *c = NULL;
	struct install_offer offer = { .pem = pem };
	enum rc rc = install_chain(&l->works, l->at, &offer, at_s, again_s, &c, f);

	if (rc == RC_OK) {
		assert_ptr_equal(c, credset_credential(l->works.set, l->at));
		assert_int_equal(c->state, CREDENTIAL_READY);
	} else {
		assert_null(c);
	}
	return rc;
}

static enum rc
install_cert(struct lab *l, const struct bworld_cert *spec, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(65536);
	int64_t again_s = 0;

	bworld_issue(&world, &pem, spec);
	return lab_install(l, buf_view(&pem), now, &again_s, f);
}

static void
install_good(struct lab *l, const char *serial, int64_t not_after_s)
{
	struct fault f = { 0 };
	struct bworld_cert spec;

	lab_request(l);
	spec = good_cert(l);
	spec.serial = serial;
	spec.not_after_s = not_after_s;
	if (install_cert(l, &spec, &f) != RC_OK)
		fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
}

/* One that begins now. */
static void
install_younger(struct lab *l, const char *serial, int64_t not_after_s)
{
	struct fault f = { 0 };
	struct bworld_cert spec;

	lab_request(l);
	spec = good_cert(l);
	spec.serial = serial;
	spec.not_before_s = now;
	spec.not_after_s = not_after_s;
	if (install_cert(l, &spec, &f) != RC_OK)
		fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
}

static const char *
serial_of(const struct credset *s, struct credset_place at)
{
	const struct credential *c = credset_credential(s, at);

	return c->state == CREDENTIAL_READY ? c->chain->cert[0]->serial : "";
}

/* ---- the table ---- */

enum spoil {
	NOTHING,
	OTHER_KEY,
	OTHER_NUMBERS,
	NO_NUMBERS,
	OTHER_CONSTRAINTS,
	NO_CONSTRAINTS,
	OTHER_FORM,
	OTHER_ROOT,
	EXPIRED,
	FAR_FUTURE,
	NEAR_FUTURE,
	TOO_LONG,
	NO_SCT,
	SCT_OF_THE_FUTURE,
	CA_CERT,
	NO_SKI,
	ROOT_FIRST,
	GARBAGE,
	EMPTY,
	NO_REQUEST,
	KEY_LOST,
	KEY_REFUSED,
	TOKEN_DOWN,
	TOKEN_BUSY,
	OTHER_KEY_SIGNS,
	NOT_IN_FORCE,
	ACCOUNT_KEY,
	SAME_SERIAL,
	SAME_END,
	EARLIER_END,
	AS_ORDERED,
	NEARLY_AS_ORDERED,
	LATER_THAN_ORDERED,
	EARLIER_THAN_ORDERED,
	BEGINS_EARLIER,
	BEGINS_LATER,
	ORDERED_SPOILT,
};

static struct install_case {
	const char *name;
	const char *tenant; /* inside of the tenant's section */
	bool renewal;	    /* one is in force */
	enum spoil spoil;
	enum rc rc;
	const char *reason;
	unsigned refused; /* files kept */
} install_cases[] = {
	{ "good", VESPER(NUMBERS, ""), false, NOTHING, RC_OK, "", 0 },
	{ "good renewal", VESPER(NUMBERS, ""), true, NOTHING, RC_OK, "", 0 },
	{ "good with constraints", CONSTRAINED(NUMBERS), false, NOTHING, RC_OK, "", 0 },
	{ "another key (RFC 8224 s6.1)", VESPER(NUMBERS, ""), false, OTHER_KEY, RC_DENIED,
	    "key_mismatch", 1 },
	{ "other numbers (V-59)", VESPER(NUMBERS, ""), false, OTHER_NUMBERS, RC_DENIED,
	    "tnauthlist_differs", 1 },
	{ "no numbers", VESPER(NUMBERS, ""), false, NO_NUMBERS, RC_DENIED, "tnauthlist_differs",
	    1 },
	{ "constraints not asked for (V-59)", VESPER(NUMBERS, ""), false, OTHER_CONSTRAINTS,
	    RC_DENIED, "constraints_differ", 1 },
	{ "other constraints (RFC 9118 s8)", CONSTRAINED(NUMBERS), false, OTHER_CONSTRAINTS,
	    RC_DENIED, "constraints_differ", 1 },
	{ "constraints left out (RFC 9118 s8)", CONSTRAINED(NUMBERS), false, NO_CONSTRAINTS,
	    RC_DENIED, "constraints_differ", 1 },
	{ "the constraints in the other form (RFC 9118 s8)",
	    VESPER(NUMBERS, "claim_agent = \"claims\" constraints { form = \"enhanced\"\n"
			    "must_include = { \"rcd\" } }"),
	    false, OTHER_FORM, RC_DENIED, "constraints_differ", 1 },
	{ "another CA", VESPER(NUMBERS, ""), false, OTHER_ROOT, RC_DENIED, "chain_path", 1 },
	{ "expired", VESPER(NUMBERS, ""), false, EXPIRED, RC_EXPIRED, "chain_validity", 1 },
	{ "not yet for long", VESPER(NUMBERS, ""), false, FAR_FUTURE, RC_DENIED, "not_before",
	    1 },
	{ "in a moment", VESPER(NUMBERS, ""), false, NEAR_FUTURE, RC_BUSY, "not_yet_valid", 0 },
	{ "for too long (V-12)", VESPER(NUMBERS, ""), false, TOO_LONG, RC_DENIED,
	    "credential_unusable", 1 },
	{ "no SCT (V-11, V-25, V-72)", VESPER(NUMBERS, ""), false, NO_SCT, RC_DENIED,
	    "sct_policy", 1 },
	{ "no SCT, by configuration", VESPER(NUMBERS, "min_scts = 0"), false, NO_SCT, RC_OK, "",
	    0 },
	{ "SCT of the future", VESPER(NUMBERS, ""), false, SCT_OF_THE_FUTURE, RC_DENIED,
	    "sct_future", 1 },
	{ "SCT of the future, none wanted", VESPER(NUMBERS, "min_scts = 0"), false,
	    SCT_OF_THE_FUTURE, RC_DENIED, "sct_future", 1 },
	{ "a CA's", VESPER(NUMBERS, ""), false, CA_CERT, RC_DENIED, NULL, 1 },
	{ "no SKI", VESPER(NUMBERS, ""), false, NO_SKI, RC_DENIED, "chain_ski", 1 },
	{ "a provider's without SKI", PROVIDER, false, NO_SKI, RC_OK, "", 0 },
	{ "the CA's first", VESPER(NUMBERS, ""), false, ROOT_FIRST, RC_DENIED, "chain_order",
	    1 },
	{ "garbage", VESPER(NUMBERS, ""), false, GARBAGE, RC_INVALID, "cert_der", 1 },
	{ "nothing", VESPER(NUMBERS, ""), false, EMPTY, RC_INVALID, "chain_pem", 1 },
	{ "too large an Identity (D-17)",
	    "numbers = { " NUMBERS
	    " }\n" BWORLD_DELEGATE("vesper-06", "identity_max_bytes = 1024"),
	    false, NOTHING, RC_DENIED, "identity_too_large", 1 },
	{ "no request outstanding", VESPER(NUMBERS, ""), false, NO_REQUEST, RC_NOT_FOUND,
	    "no_pending_csr", 0 },
	{ "the token lost the key (RFC 8224 s6.1)", VESPER(NUMBERS, ""), false, KEY_LOST,
	    RC_NOT_FOUND, "no_key", 1 },
	{ "the token refuses the key", VESPER(NUMBERS, ""), false, KEY_REFUSED, RC_DENIED,
	    "key_refused", 1 },
	{ "the token is down", VESPER(NUMBERS, ""), false, TOKEN_DOWN, RC_HSM,
	    "hsm_unavailable", 0 },
	{ "the token is busy", VESPER(NUMBERS, ""), false, TOKEN_BUSY, RC_BUSY, "overloaded",
	    0 },
	{ "the token signs with another key (RFC 8224 s6.1)", VESPER(NUMBERS, ""), false,
	    OTHER_KEY_SIGNS, RC_DENIED, "signature", 1 },
	{ "not put in force", VESPER(NUMBERS, ""), true, NOT_IN_FORCE, RC_HSM,
	    "hsm_unavailable", 0 },
	{ "first one not put in force", VESPER(NUMBERS, ""), false, NOT_IN_FORCE, RC_HSM,
	    "hsm_unavailable", 0 },
	{ "an account's key (RFC 8555 s11.1, D-32)", VESPER(NUMBERS, ""), false, ACCOUNT_KEY,
	    RC_DENIED, "account_key", 1 },
	{ "the same serial", VESPER(NUMBERS, ""), true, SAME_SERIAL, RC_DENIED,
	    "serial_repeated", 1 },
	{ "the same end", VESPER(NUMBERS, ""), true, SAME_END, RC_DENIED, "not_later", 1 },
	{ "an earlier end", VESPER(NUMBERS, ""), true, EARLIER_END, RC_DENIED, "not_later", 1 },
	{ "the dates that were ordered (RFC 8555 s7.4)", VESPER(NUMBERS, ""), true, AS_ORDERED,
	    RC_OK, "", 0 },
	{ "a minute beside them", VESPER(NUMBERS, ""), false, NEARLY_AS_ORDERED, RC_OK, "", 0 },
	{ "a later end than ordered (RFC 8555 s7.4)", VESPER(NUMBERS, ""), false,
	    LATER_THAN_ORDERED, RC_DENIED, "dates_differ", 1 },
	{ "an earlier end than ordered", VESPER(NUMBERS, ""), true, EARLIER_THAN_ORDERED,
	    RC_DENIED, "dates_differ", 1 },
	{ "an earlier begin than ordered", VESPER(NUMBERS, ""), false, BEGINS_EARLIER,
	    RC_DENIED, "dates_differ", 1 },
	{ "a later begin than ordered", VESPER(NUMBERS, ""), true, BEGINS_LATER, RC_DENIED,
	    "dates_differ", 1 },
	{ "what was ordered cannot be read", VESPER(NUMBERS, ""), true, ORDERED_SPOILT,
	    RC_INVALID, "ordered_file", 1 },
};

/* id-pe 33 with mustExclude {"rcd"} */
static const uint8_t exclude_rcd[] = { 0x30, 0x09, 0xa2, 0x07, 0x30, 0x05, 0x16, 0x03, 'r', 'c',
	'd' };

/* An order for what the table's certificate has; then that is another. */
static void
spoil_dates(struct lab *l, enum spoil how, struct bworld_cert *c)
{
	struct ordered o = { .not_before_s = now - 3600, .not_after_s = now + 86400 };

	assert_int_equal(ordered_write(l->works.set->config, "acme", "main", &o, NULL), RC_OK);
	switch (how) {
	case NEARLY_AS_ORDERED:
		c->not_before_s -= ORDERED_SLACK_S;
		c->not_after_s += ORDERED_SLACK_S;
		break;
	case LATER_THAN_ORDERED: c->not_after_s += ORDERED_SLACK_S + 1; break;
	case EARLIER_THAN_ORDERED: c->not_after_s -= ORDERED_SLACK_S + 1; break;
	case BEGINS_EARLIER: c->not_before_s -= ORDERED_SLACK_S + 1; break;
	case BEGINS_LATER: c->not_before_s += ORDERED_SLACK_S + 1; break;
	case ORDERED_SPOILT:
		bworld_file("state/front/tenants/acme/main/ordered.json", "{}");
		break;
	default: break;
	}
}

static void
spoil_cert(
    struct lab *l, enum spoil how, struct bworld_cert *c, uint8_t point[65], struct buf *tnauth)
{
	AUTO_OSSL(EVP_PKEY) *other = NULL;

	switch (how) {
	case OTHER_KEY:
		other = pki_p256();
		assert_int_equal(p256_point(other, point, NULL), RC_OK);
		c->point = point;
		break;
	case OTHER_NUMBERS:
		bworld_tnauth(tnauth, "12025550100,12025550110-12025550120");
		c->tnauth = buf_view(tnauth);
		break;
	case NO_NUMBERS: c->tnauth = span_of(NULL, 0); break;
	case OTHER_CONSTRAINTS:
		c->constraints = span_of(exclude_rcd, sizeof exclude_rcd);
		c->enhanced = true;
		break;
	case OTHER_FORM: c->enhanced = !c->enhanced; break;
	case NO_CONSTRAINTS: c->constraints = span_of(NULL, 0); break;
	case OTHER_ROOT: c->other_root = true; break;
	case EXPIRED: c->not_after_s = now - 1; break;
	case FAR_FUTURE: c->not_before_s = now + INSTALL_WAIT_S + 1; break;
	case NEAR_FUTURE: c->not_before_s = now + INSTALL_WAIT_S; break;
	case TOO_LONG: c->not_after_s = now + 8 * 86400; break;
	case NO_SCT: c->scts = 0; break;
	case SCT_OF_THE_FUTURE: c->sct_ms = (now + 100) * 1000; break;
	case CA_CERT: c->ca = true; break;
	case NO_SKI: c->no_ski = true; break;
	case ROOT_FIRST: c->root_first = true; break;
	case AS_ORDERED:
	case NEARLY_AS_ORDERED:
	case LATER_THAN_ORDERED:
	case EARLIER_THAN_ORDERED:
	case BEGINS_EARLIER:
	case BEGINS_LATER:
	case ORDERED_SPOILT: spoil_dates(l, how, c); break;
	case SAME_SERIAL: c->serial = "10"; break;
	case SAME_END: c->not_after_s = now + 43200; break;
	case EARLIER_END: c->not_after_s = now + 43199; break;
	case ACCOUNT_KEY:
		assert_int_equal(accounts_add(&l->works.accounts, l->works.set->config, "lab",
				     l->pending.facts.point, NULL),
		    RC_OK);
		break;
	default: break;
	}
}

static void
spoil_world(struct lab *l, enum spoil how)
{
	struct fault f = { 0 };

	switch (how) {
	case NO_REQUEST:
		assert_int_equal(
		    pending_remove(l->works.set->config, "acme", "main", &f), RC_OK);
		break;
	case KEY_LOST: softadmin_drop(world.admin, l->pending.facts.key_id); break;
	case KEY_REFUSED: softadmin_fail(world.admin, FRAME_KEY_REFUSED); break;
	case TOKEN_DOWN: softadmin_fail(world.admin, FRAME_REBUILD); break;
	case TOKEN_BUSY: softadmin_fail(world.admin, FRAME_BUSY); break;
	case OTHER_KEY_SIGNS: softadmin_confuse(world.admin, true); break;
	case NOT_IN_FORCE: world.publish_rc = RC_HSM; break;
	default: break;
	}
}

static void
mend_world(void)
{
	softadmin_fail(world.admin, 0);
	softadmin_confuse(world.admin, false);
	world.publish_rc = RC_OK;
}

static enum rc
count_refused(void *arg, const char *name, struct fault *f)
{
	(void)f;
	if (strncmp(name, "refused-", 8) == 0)
		++*(unsigned *)arg;
	return RC_OK;
}

static enum rc
count_file(void *arg, const char *name, struct fault *f)
{
	(void)name;
	(void)f;
	++*(unsigned *)arg;
	return RC_OK;
}

static unsigned
refused_files(void)
{
	unsigned n = 0;

	assert_int_equal(
	    store_each("state/front/tenants/acme/main", count_refused, &n, NULL), RC_OK);
	return n;
}

/* What a restart would come up with. */
static void
expect_restart(const char *serial)
{
	struct lab l;

	lab_open(&l);
	assert_string_equal(serial_of(l.works.set, l.at), serial);
	lab_close(&l);
}

static void
installs(void **state)
{
	const struct install_case *c = *state;
	struct lab l;
	struct bworld_cert spec;
	uint8_t point[65];
	AUTO_BUF pem = BUF_INIT(65536), tnauth = BUF_INIT(4096);
	struct fault f = { 0 };
	int64_t again_s = 0;
	const char *before = c->renewal ? "10" : "";

	bworld_tenant("acme", c->tenant);
	lab_open(&l);
	if (c->renewal)
		install_good(&l, "10", now + 43200);
	lab_request(&l);
	spec = good_cert(&l);
	spec.serial = "11";
	spec.not_after_s = now + 86400;
	spoil_cert(&l, c->spoil, &spec, point, &tnauth);
	spoil_world(&l, c->spoil);
	if (c->spoil == GARBAGE)
		buf_str(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	else if (c->spoil != EMPTY)
		bworld_issue(&world, &pem, &spec);

	assert_int_equal(lab_install(&l, buf_view(&pem), now, &again_s, &f), c->rc);
	if (c->reason != NULL)
		assert_string_equal(f.reason, c->reason);
	assert_string_equal(serial_of(l.works.set, l.at), c->rc == RC_OK ? "11" : before);
	assert_int_equal(again_s, c->spoil == NEAR_FUTURE ? now + INSTALL_WAIT_S : 0);
	assert_int_equal(refused_files(), c->refused);
	if (c->rc == RC_OK) /* it goes with its request */
		assert_int_equal(store_mtime("state/front/tenants/acme/main/ordered.json"), 0);
	mend_world();
	lab_close(&l);
	if (c->spoil != ACCOUNT_KEY || c->renewal)
		expect_restart(c->rc == RC_OK ? "11" : before);
}

/* ---- more than one step ---- */

static unsigned
audited(const char *event)
{
	unsigned n = 0;
	size_t i;
	json_t *record;

	json_array_foreach (world.audit, i, record)
		n += strcmp(json_string_value(json_object_get(record, "event")), event) == 0;
	return n;
}

static void
waits_for_not_before(void **state)
{
	struct lab l;
	struct bworld_cert spec;
	AUTO_BUF pem = BUF_INIT(65536);
	struct fault f = { 0 };
	int64_t again_s = 0;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	lab_request(&l);
	spec = good_cert(&l);
	spec.not_before_s = now + 30;
	bworld_issue(&world, &pem, &spec);
	assert_int_equal(lab_install(&l, buf_view(&pem), now, &again_s, &f), RC_BUSY);
	assert_int_equal(again_s, now + 30);
	assert_int_equal(lab_install(&l, buf_view(&pem), now + 30, &again_s, &f), RC_OK);
	lab_close(&l);
}

static void
a_refused_one_is_no_news_twice(void **state)
{
	struct lab l;
	struct bworld_cert spec;
	AUTO_BUF pem = BUF_INIT(65536);
	int64_t again_s = 0;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	lab_request(&l);
	spec = good_cert(&l);
	spec.scts = 0;
	bworld_issue(&world, &pem, &spec);
	for (int i = 0; i < 3; i++) {
		struct fault f = { 0 };

		assert_int_equal(lab_install(&l, buf_view(&pem), now, &again_s, &f), RC_DENIED);
		assert_string_equal(f.reason, "sct_policy");
	}
	assert_int_equal(audited("install_refused"), 1);
	assert_int_equal(refused_files(), 1);
	lab_close(&l);
}

static int64_t
refused_at_s(const struct lab *l)
{
	return atomic_load(&credset_credential(l->works.set, l->at)->refused_at_s);
}

static void
put_time(const char *path, int64_t at_s)
{
	const struct timespec times[2] = { { .tv_sec = at_s }, { .tv_sec = at_s } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
refuse_one(struct lab *l, const char *serial)
{
	struct bworld_cert spec = good_cert(l);
	AUTO_BUF pem = BUF_INIT(65536);
	struct fault f = { 0 };
	int64_t again_s = 0;

	spec.serial = serial;
	spec.scts = 0;
	bworld_issue(&world, &pem, &spec);
	assert_int_equal(lab_install(l, buf_view(&pem), now, &again_s, &f), RC_DENIED);
}

/* Since when, of those that came after the one in force; a restart does not forget it. */
static void
refused_before_a_restart(void **state)
{
	static const char dir[] = "state/front/tenants/acme/main/";
	static const int64_t long_ago = 1700000000;
	struct lab l;
	char path[128];

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	lab_request(&l);
	assert_int_equal(refused_at_s(&l), 0);
	for (unsigned i = 1; i <= 3; i++) {
		char serial[8];

		snprintf(serial, sizeof serial, "%02x", 0x20 + i);
		refuse_one(&l, serial);
		snprintf(path, sizeof path, "%srefused-%s.pem", dir, serial);
		put_time(path, long_ago + i);
	}
	assert_int_equal(refused_at_s(&l), now);
	snprintf(path, sizeof path, "%scurrent.pem", dir);
	put_time(path, long_ago + 1);
	lab_close(&l);
	lab_open(&l);
	assert_int_equal(refused_at_s(&l), long_ago + 2);
	assert_int_equal(works_load(&l.works, now, NULL), RC_OK); /* a reload knows it */
	assert_int_equal(refused_at_s(&l), long_ago + 2);
	/* The same one again, after another was good: its file is as new as that. */
	put_time(path, long_ago + 10);
	lab_close(&l);
	lab_open(&l);
	assert_int_equal(refused_at_s(&l), 0);
	lab_request(&l);
	refuse_one(&l, "21");
	lab_close(&l);
	lab_open(&l);
	assert_true(refused_at_s(&l) > long_ago + 10);
	lab_close(&l);
}

static void
few_refused_are_kept(void **state)
{
	struct lab l;
	struct bworld_cert spec;
	char serial[8];

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	lab_request(&l);
	for (int i = 0; i < INSTALL_REFUSED_KEPT + 3; i++) {
		struct fault f = { 0 };

		spec = good_cert(&l);
		snprintf(serial, sizeof serial, "%02x", 0x20 + i);
		spec.serial = serial;
		spec.scts = 0;
		assert_int_equal(install_cert(&l, &spec, &f), RC_DENIED);
	}
	assert_int_equal(refused_files(), INSTALL_REFUSED_KEPT);
	lab_close(&l);
}

/* The configuration changed while the CA was at work. */
static void
numbers_changed_meanwhile(void **state)
{
	struct lab l;
	struct bworld_cert spec;
	struct fault f = { 0 };

	(void)state;
	bworld_tenant("acme", VESPER(FEWER, ""));
	lab_open(&l);
	lab_request(&l); /* for one number */
	lab_close(&l);
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200); /* for all of them: the other request is gone */
	lab_close(&l);
	bworld_tenant("acme", VESPER(FEWER, ""));
	lab_open(&l);
	lab_request(&l); /* for one number, again */
	lab_close(&l);
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	assert_int_equal(
	    pending_read(l.works.set->config, "acme", "main", &l.pending, &f), RC_OK);
	spec = good_cert(&l);
	spec.serial = "11";
	spec.not_after_s = now + 86400;
	/* Numbers that are signed for today would be lost. */
	assert_int_equal(install_cert(&l, &spec, &f), RC_DENIED);
	assert_string_equal(f.reason, "narrower");
	lab_close(&l);
	/* Where the operator took them away it is what was asked for, earlier end or not. */
	bworld_tenant("acme", VESPER(FEWER, ""));
	lab_open(&l);
	lab_request(&l);
	spec = good_cert(&l);
	spec.serial = "12";
	spec.not_after_s = now + 4000;
	f.rc = RC_OK;
	assert_int_equal(install_cert(&l, &spec, &f), RC_OK);
	lab_close(&l);
}

/* V-65 */
static void
constraints_narrowed_meanwhile(void **state)
{
	struct lab l;
	struct bworld_cert spec;
	struct fault f = { 0 };

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	lab_request(&l); /* without constraints */
	lab_close(&l);
	bworld_tenant("acme", CONSTRAINED(NUMBERS));
	lab_open(&l);
	assert_int_equal(
	    pending_read(l.works.set->config, "acme", "main", &l.pending, &f), RC_OK);
	spec = good_cert(&l);
	assert_int_equal(install_cert(&l, &spec, &f), RC_DENIED);
	assert_string_equal(f.reason, "constraints_wider");
	lab_close(&l);
}

static void
after_a_roll_back_it_installs(void **state)
{
	struct lab l;
	struct bworld_cert spec;
	struct fault f = { 0 };
	AUTO_BUF pem = BUF_INIT(65536);
	int64_t again_s = 0;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	lab_request(&l);
	spec = good_cert(&l);
	spec.serial = "11";
	spec.not_after_s = now + 86400;
	bworld_issue(&world, &pem, &spec);
	world.publish_rc = RC_HSM;
	assert_int_equal(lab_install(&l, buf_view(&pem), now, &again_s, &f), RC_HSM);
	world.publish_rc = RC_OK;
	f.rc = RC_OK;
	assert_int_equal(lab_install(&l, buf_view(&pem), now, &again_s, &f), RC_OK);
	assert_string_equal(serial_of(l.works.set, l.at), "11");
	lab_close(&l);
}

static void
the_old_key_goes_after_the_overlap(void **state)
{
	struct lab l;
	uint8_t old[KEY_ID_LEN], fresh[KEY_ID_LEN];

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	memcpy(old, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	install_good(&l, "11", now + 86400);
	memcpy(fresh, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	(void)works_chores(&l.works, now);
	assert_int_equal(l.works.retire_at_s, now + RETIRE_OVERLAP_S);
	assert_true(softadmin_has(world.admin, old));
	(void)works_chores(&l.works, now + RETIRE_OVERLAP_S - 1);
	assert_true(softadmin_has(world.admin, old));
	lab_close(&l);
	lab_open(&l); /* a restart has not forgotten */
	softadmin_fail(world.admin, FRAME_REBUILD);
	(void)works_chores(&l.works, now + RETIRE_OVERLAP_S);
	assert_int_equal(l.works.retire_at_s, now + RETIRE_OVERLAP_S + RETIRE_RETRY_S);
	softadmin_fail(world.admin, 0);
	assert_true(softadmin_has(world.admin, old));
	(void)works_chores(&l.works, now + RETIRE_OVERLAP_S + RETIRE_RETRY_S);
	assert_false(softadmin_has(world.admin, old));
	assert_true(softadmin_has(world.admin, fresh));
	assert_int_equal(audited("key_retired"), 1);
	lab_close(&l);
}

/* Those that fall due one after the other go together. */
static void
old_keys_go_together(void **state)
{
	uint8_t old[3][KEY_ID_LEN];
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t point[P256_POINT_LEN];

		assert_int_equal(works_generate(&l.works, 0, point, NULL), RC_OK);
		key_id_of_point(point, old[i]);
		assert_int_equal(
		    retire_note(&l.works, old[i], l.at, now + 100 + i, NULL), RC_OK);
	}
	(void)works_chores(&l.works, now + 100);
	assert_false(softadmin_has(world.admin, old[0]));
	assert_int_equal(l.works.retire_at_s, now + 100 + RETIRE_TOGETHER_S);
	(void)works_chores(&l.works, now + 102);
	assert_int_equal(softadmin_keys(world.admin), 2);
	(void)works_chores(&l.works, now + 100 + RETIRE_TOGETHER_S);
	assert_int_equal(softadmin_keys(world.admin), 0);
	lab_close(&l);
}

/* ---- rekey ---- */

struct rekey_case {
	const char *name, *tenant;
	bool lost;	/* the token has lost the key meanwhile */
	bool unknown;	/* nothing says how old the key is */
	int64_t made_s; /* what its file says; 0: as it was */
	bool kept;	/* the second certificate is for the same key */
} rekey_cases[] = {
	{ "each certificate its key", VESPER(NUMBERS, ""), false, false, 0, false },
	{ "each, in so many words", VESPER(NUMBERS, "rekey = every"), false, false, 0, false },
	{ "never another", VESPER(NUMBERS, "rekey = never"), false, false, 0, true },
	{ "never, however old", VESPER(NUMBERS, "rekey = never"), false, false, 1, true },
	{ "never, of unknown age", VESPER(NUMBERS, "rekey = never"), false, true, 0, true },
	{ "never, but it is lost", VESPER(NUMBERS, "rekey = never"), true, false, 0, false },
	{ "a key of 2 days", VESPER(NUMBERS, "rekey = 2"), false, false, 0, true },
	{ "within its days", VESPER(NUMBERS, "rekey = 2"), false, false,
	    PKI_NOW - 2 * 86400 + 1, true },
	{ "its days are over", VESPER(NUMBERS, "rekey = 2"), false, false, PKI_NOW - 2 * 86400,
	    false },
	{ "made in the future", VESPER(NUMBERS, "rekey = 2"), false, false, PKI_NOW + 1,
	    false },
	{ "days, of unknown age", VESPER(NUMBERS, "rekey = 2"), false, true, 0, false },
};

static void
rekeys(void **state)
{
	const struct rekey_case *row = *state;
	uint8_t first[KEY_ID_LEN];
	struct keyfile k = { .made_s = 0 };
	struct lab l;
	bool kept;

	bworld_tenant("acme", row->tenant);
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	memcpy(first, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	assert_int_equal(keyfile_read(l.works.set->config, first, &k, NULL), RC_OK);
	assert_string_equal(k.token, "main");
	assert_int_equal(k.made_s, now);
	k.made_s = row->made_s;
	if (row->made_s != 0)
		assert_int_equal(keyfile_write(l.works.set->config, first, &k, NULL), RC_OK);
	if (row->unknown)
		assert_int_equal(keyfile_remove(l.works.set->config, first, NULL), RC_OK);
	if (row->lost)
		softadmin_drop(world.admin, first);
	install_good(&l, "11", now + 86400);
	assert_string_equal(serial_of(l.works.set, l.at), "11");
	kept = memcmp(first, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN) == 0;
	assert_int_equal(kept, row->kept);
	assert_int_equal(audited("key_made"), row->kept ? 1 : 2);
	(void)works_chores(&l.works, now + RETIRE_OVERLAP_S);
	assert_int_equal(softadmin_has(world.admin, first), row->kept);
	if (!row->kept) /* its file goes with it */
		assert_int_equal(
		    keyfile_read(l.works.set->config, first, &k, NULL), RC_NOT_FOUND);
	assert_int_equal(softadmin_keys(world.admin), 1);
	lab_close(&l);
}

/* A key from a file serves, is marked, and gives way to the first renewal whatever rekey says. */
static void
imported_gives_way(void **state)
{
	const struct keyfile k = { .token = "main", .made_s = now, .imported = true };
	uint8_t first[KEY_ID_LEN];
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, "rekey = never"));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	memcpy(first, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	assert_false(credset_credential(l.works.set, l.at)->imported);
	assert_int_equal(keyfile_write(l.works.set->config, first, &k, NULL), RC_OK);
	lab_close(&l);
	lab_open(&l); /* another start */
	assert_true(credset_credential(l.works.set, l.at)->imported);
	install_good(&l, "11", now + 86400);
	assert_string_equal(serial_of(l.works.set, l.at), "11");
	assert_false(credset_credential(l.works.set, l.at)->imported);
	assert_memory_not_equal(
	    first, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	lab_close(&l);
}

/* An order under way for the key in force outlives a restart; an installed one does not. */
static void
a_request_for_the_same_key_stays(void **state)
{
	struct lab l;
	AUTO_BUF der = BUF_INIT(PENDING_MAX);
	struct utimbuf long_ago = { 1000, 1000 }, before_that = { 999, 999 };

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, "rekey = never"));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	lab_request(&l);
	assert_memory_equal(
	    l.pending.facts.key_id, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	buf_span(&der, buf_view(&l.pending.der));
	lab_close(&l);
	assert_int_equal(utime("state/front/tenants/acme/main/current.pem", &long_ago), 0);
	lab_open(&l);
	lab_request(&l);
	assert_true(span_eq(buf_view(&der), buf_view(&l.pending.der)));
	lab_close(&l);
	assert_int_equal(utime("state/front/tenants/acme/main/pending.csr", &before_that), 0);
	lab_open(&l);
	assert_int_equal(pending_since_s(l.works.set->config, "acme", "main"), 0);
	lab_close(&l);
}

static const struct keyfile_case {
	const char *name, *text;
	enum rc rc;
} keyfile_cases[] = {
	{ "good", "{\"token\":\"main\",\"made\":7}", RC_OK },
	{ "imported", "{\"token\":\"main\",\"made\":7,\"imported\":true}", RC_OK },
	{ "none", NULL, RC_NOT_FOUND },
	{ "empty", "", RC_INVALID },
	{ "no JSON", "{\"token\":", RC_INVALID },
	{ "no token", "{\"made\":7}", RC_INVALID },
	{ "no age", "{\"token\":\"main\"}", RC_INVALID },
	{ "more", "{\"token\":\"main\",\"made\":7,\"x\":1}", RC_INVALID },
	{ "imported by word", "{\"token\":\"main\",\"made\":7,\"imported\":\"yes\"}",
	    RC_INVALID },
	{ "another type", "{\"token\":7,\"made\":7}", RC_INVALID },
	{ "before time", "{\"token\":\"main\",\"made\":-1}", RC_INVALID },
	{ "no name", "{\"token\":\"../x\",\"made\":7}", RC_INVALID },
};

static void
files_of_keys(void **state)
{
	const uint8_t id[KEY_ID_LEN] = { 0xab };
	char path[128] = "state/front/keys/ab";
	struct fault f = { 0 };
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	memset(path + strlen(path), '0', 2 * (KEY_ID_LEN - 1));
	memcpy(path + strlen("state/front/keys/") + 2 * KEY_ID_LEN, ".json", 6);
	assert_int_equal(keyfile_write(l.works.set->config, id,
			     &(struct keyfile){ .token = "main", .made_s = 7 }, &f),
	    RC_OK);
	assert_int_not_equal(store_mtime(path), 0);
	for (size_t i = 0; i < ARRAY_LEN(keyfile_cases); i++) {
		const struct keyfile_case *row = &keyfile_cases[i];
		struct keyfile k = { .made_s = -7 };

		bworld_file(path, row->text);
		if (keyfile_read(l.works.set->config, id, &k, &f) != row->rc)
			fail_msg("%s: %s", row->name, f.detail);
		assert_int_equal(k.made_s, row->rc == RC_OK ? 7 : -7);
	}
	assert_int_equal(keyfile_remove(l.works.set->config, id, &f), RC_OK);
	lab_close(&l);
}

/* RFC 8224 s6.1: the certificate before is there while its key is, across a reload too. */
static void
the_one_before_stays_a_while(void **state)
{
	const int64_t last_s = now + CREDENTIAL_BEFORE_S;
	const struct credential *before;
	struct fault f = { 0 };
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	assert_null(credset_before(l.works.set, l.at, now));
	before = credset_credential(l.works.set, l.at);
	install_younger(&l, "11", now + 86400);
	assert_string_equal(serial_of(l.works.set, l.at), "11");
	assert_ptr_equal(credset_before(l.works.set, l.at, last_s), before);
	assert_int_equal(works_load(&l.works, now, NULL), RC_OK); /* nothing has changed */
	assert_ptr_equal(credset_before(l.works.set, l.at, now), before);
	bworld_tenant("acme", VESPER(NUMBERS, "priority = 7"));
	/* The world's time is not the disk's. */
	assert_int_equal(utimensat(AT_FDCWD, "state/front/tenants/acme/main/current.pem",
			     (struct timespec[]){ { now, 0 }, { now, 0 } }, 0),
	    0);
	if (works_load(&l.works, now, &f) != RC_OK) /* judged anew */
		fail_msg("%s", f.detail);
	before = credset_before(l.works.set, l.at, now);
	assert_string_equal(before->chain->cert[0]->serial, "10");
	bworld_tenant("acme", VESPER(NUMBERS, "min_scts = 2"));
	assert_int_equal(works_load(&l.works, now, NULL), RC_OK); /* nothing will do now */
	assert_null(credset_before(l.works.set, l.at, now));
	lab_close(&l);
}

/* No signer is asked for a key that is destroyed. */
static void
the_one_before_goes_with_its_key(void **state)
{
	unsigned published;
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	install_younger(&l, "11", now + 86400);
	assert_non_null(credset_before(l.works.set, l.at, now));
	published = world.published;
	(void)works_chores(&l.works, now);
	(void)works_chores(&l.works, now + RETIRE_OVERLAP_S - 1);
	assert_int_equal(world.published, published);
	(void)works_chores(&l.works, now + RETIRE_OVERLAP_S);
	assert_int_equal(world.published, published + 1);
	assert_null(l.works.set->before[0]);
	lab_close(&l);
}

/* However it is noted: not with a certificate in force, nor with a request outstanding. */
static void
a_needed_key_is_not_destroyed(void **state)
{
	struct lab l;
	uint8_t in_force[KEY_ID_LEN];

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	memcpy(in_force, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	lab_request(&l);
	assert_int_equal(retire_note(&l.works, in_force, l.at, now, NULL), RC_OK);
	assert_int_equal(retire_note(&l.works, l.pending.facts.key_id, l.at, now, NULL), RC_OK);
	(void)works_chores(&l.works, now + 1);
	assert_true(softadmin_has(world.admin, in_force));
	assert_true(softadmin_has(world.admin, l.pending.facts.key_id));
	/* Not judged as READY, for want of anchors: its key may be needed again. */
	assert_int_equal(retire_note(&l.works, in_force, l.at, now, NULL), RC_OK);
	lab_close(&l);
	bworld_tenant("acme", VESPER(NUMBERS, "min_scts = 2"));
	lab_open(&l);
	assert_string_equal(serial_of(l.works.set, l.at), "");
	(void)works_chores(&l.works, now + 1);
	assert_true(softadmin_has(world.admin, in_force));
	lab_close(&l);
}

static void
other_octets_another_key(void **state)
{
	struct lab l;
	uint8_t first[KEY_ID_LEN];
	AUTO_BUF der = BUF_INIT(PENDING_MAX);

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	lab_request(&l);
	memcpy(first, l.pending.facts.key_id, KEY_ID_LEN);
	buf_span(&der, buf_view(&l.pending.der));
	lab_request(&l);
	assert_true(span_eq(buf_view(&der), buf_view(&l.pending.der)));
	assert_int_equal(softadmin_keys(world.admin), 1);
	lab_close(&l);
	bworld_tenant("acme", VESPER(FEWER, ""));
	lab_open(&l);
	lab_request(&l);
	assert_memory_not_equal(first, l.pending.facts.key_id, KEY_ID_LEN);
	(void)works_chores(&l.works, now + 1);
	assert_false(softadmin_has(world.admin, first));
	assert_true(softadmin_has(world.admin, l.pending.facts.key_id));
	lab_close(&l);
}

/* RFC 8224 s7.4, RFC 9060 s5, s7, V-78 */
static void
published_files(void **state)
{
	struct lab l;
	struct stat st;
	char path[256];

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	snprintf(path, sizeof path, "www/%s.pem",
	    credset_credential(l.works.set, l.at)->fingerprint);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	install_good(&l, "11", now + 86400);
	(void)works_chores(&l.works, now + 43200 + 86399);
	assert_int_equal(stat(path, &st), 0);
	(void)works_chores(&l.works, now + 43200 + 86400 + 3600);
	assert_int_not_equal(stat(path, &st), 0);
	snprintf(path, sizeof path, "www/%s.pem",
	    credset_credential(l.works.set, l.at)->fingerprint);
	assert_int_equal(stat(path, &st), 0);
	lab_close(&l);
}

/* RFC 9060 s5, s7: what x5u leads to has the whole path, leaf first, without the anchor. */
static void
published_path(void **state)
{
	AUTO_BUF tnauth = BUF_INIT(1000), pem = BUF_INIT(65536);
	char path[256], text[65536];
	struct bworld_cert spec;
	struct fault f = { 0 };
	struct lab l;
	int64_t again_s = 0;
	size_t len;
	FILE *file;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	lab_request(&l);
	spec = good_cert(&l);
	bworld_tnauth(&tnauth, "12025550100-12025550199");
	spec.parent = buf_view(&tnauth);
	bworld_issue(&world, &pem, &spec);
	if (lab_install(&l, buf_view(&pem), now, &again_s, &f) != RC_OK)
		fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
	assert_int_equal(credset_credential(l.works.set, l.at)->chain->len, 2);
	snprintf(path, sizeof path, "www/%s.pem",
	    credset_credential(l.works.set, l.at)->fingerprint);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(text, 1, sizeof text, file);
	fclose(file);
	assert_true(span_eq(span_of(text, len), buf_view(&pem)));
	lab_close(&l);
}

#define OF_ORDER(more) \
	"numbers = { " NUMBERS " }\n" \
	"credential \"main\" { profile = \"vesper-06\" token = \"main\" ca = \"lab\"\n" \
	"  authority = \"numbers\" identity_max_bytes = 8192\n" \
	"  x5u = \"https://127.1.2.3:8443/certs/\" " more " }\n"

static enum rc
install_at(struct lab *l, const struct bworld_cert *spec, const char *x5u, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(65536);
	const struct credential *c = NULL;
	int64_t again_s = 0;
	struct install_offer offer;

	bworld_issue(&world, &pem, spec);
	offer = (struct install_offer){ .pem = buf_view(&pem), .x5u = x5u };
	return install_chain(&l->works, l->at, &offer, now, &again_s, &c, f);
}

static void
expect_x5u(const char *url)
{
	const struct credential *c;
	struct lab l;

	lab_open(&l);
	c = credset_credential(l.works.set, l.at);
	assert_int_equal(c->state, CREDENTIAL_READY);
	if (url == NULL)
		assert_null(c->x5u);
	else
		assert_string_equal(c->x5u, url);
	lab_close(&l);
}

/* RFC 9448 s7: the CA names the file, the operator where; a restart knows it. */
static void
x5u_of_the_order(void **state)
{
	static const struct {
		const char *url, *reason;
	} wrong[] = {
		{ NULL, "x5u_missing" },
		{ "https://127.1.2.3:8443/other/a.pem", "x5u_form" },
		{ "https://127.1.2.4:8443/certs/a.pem", "x5u_form" },
		{ "http://127.1.2.3:8443/certs/a.pem", "x5u_form" },
		{ "https://127.1.2.3:8443/certs/", "x5u_form" },
		{ "https://127.1.2.3:8443/certs/../a.pem", "x5u_form" },
		{ "https://127.1.2.3:8443/certs/./a.pem", "x5u_form" },
		{ "https://127.1.2.3:8443/certs//a.pem", "x5u_form" },
		{ "https://127.1.2.3:8443/certs/a/", "x5u_form" },
		{ "https://127.1.2.3:8443/certs/a?b", "x5u_form" },
		{ "https://127.1.2.3:8443/certs/a#b", "x5u_form" },
		{ "https://127.1.2.3:8443/certs/a>b", "x5u_form" },
		{ "https://127.1.2.3:8443/certs/%2e%2e/b", "x5u_form" },
	};
	static const char url[] = "https://127.1.2.3:8443/certs/2027/a.pem";
	char path[256];
	struct fault f = { 0 };
	struct bworld_cert spec;
	struct lab l;

	(void)state;
	bworld_tenant("acme", OF_ORDER("x5u_from = \"order\""));
	lab_open(&l);
	lab_request(&l);
	spec = good_cert(&l);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct fault why = { 0 };

		assert_int_equal(install_at(&l, &spec, wrong[i].url, &why), RC_DENIED);
		assert_string_equal(why.reason, wrong[i].reason);
	}
	if (install_at(&l, &spec, url, &f) != RC_OK)
		fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
	assert_string_equal(credset_credential(l.works.set, l.at)->x5u, url);
	snprintf(path, sizeof path, "state/front/tenants/acme/main/x5u-%s",
	    credset_credential(l.works.set, l.at)->fingerprint);
	lab_close(&l);
	expect_x5u(url);
	/* Another directory now: what was noted is not below it; without the note, the same. */
	bworld_file(path, "https://127.1.2.3:8443/certz/2027/a.pem");
	expect_x5u(NULL);
	bworld_file(path, NULL);
	expect_x5u(NULL);
	/* Where the operator names the file nobody else does. */
	bworld_tenant("acme", OF_ORDER(""));
	lab_open(&l);
	lab_request(&l);
	spec = good_cert(&l);
	spec.serial = "11";
	spec.not_after_s += 3600;
	assert_int_equal(install_at(&l, &spec, url, &f), RC_DENIED);
	assert_string_equal(f.reason, "x5u_not_wanted");
	lab_close(&l);
}

static void
put_beta(void)
{
	AUTO_BUF pem = BUF_INIT(65536), list = BUF_INIT(4096);
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	uint8_t point[P256_POINT_LEN];

	bworld_tenant(
	    "beta", "numbers = { \"13035550100\" }\n" BWORLD_DELEGATE("atis-delegate", ""));
	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	bworld_tnauth(&list, "13035550100");
	bworld_issue(&world, &pem,
	    &(struct bworld_cert){ .point = point, .serial = "0b", .tnauth = buf_view(&list) });
	assert_int_equal(store_write("state/front/tenants/beta/main/current.pem",
			     buf_view(&pem), 0600, NULL),
	    RC_OK);
}

/* RFC 9448 s7: whoever brings the chain cannot have it named by the file of another one. */
static void
x5u_of_another(void **state)
{
	static const char own[] = "https://127.1.2.3:8443/certs/own.pem";
	struct fault f = { 0 };
	struct credset_place beta = { 0 };
	struct bworld_cert spec;
	struct lab l;
	char url[256];

	(void)state;
	put_beta();
	bworld_tenant("acme", OF_ORDER("x5u_from = \"order\""));
	lab_open(&l);
	assert_true(credset_find(l.works.set, "beta", "main", &beta));
	assert_non_null(credset_credential(l.works.set, beta)->x5u);
	snprintf(url, sizeof url, "%s", credset_credential(l.works.set, beta)->x5u);
	for (unsigned i = 0; i < 3; i++) { /* also where it was its own before */
		lab_request(&l);
		spec = good_cert(&l);
		spec.serial = i == 0 ? "21" : i == 1 ? "22" : "23";
		spec.not_after_s += 3600 * i;
		assert_int_equal(install_at(&l, &spec, url, &f), RC_DENIED);
		assert_string_equal(f.reason, "x5u_taken");
		f = (struct fault){ 0 };
		if (install_at(&l, &spec, own, &f) != RC_OK)
			fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
	}
	lab_close(&l);
	bworld_file("tenants.d/beta.conf", NULL);
}

/* A directory that is gone is seen within the minute, and its file is put back with it. */
static void
publish_dir_is_watched(void **state)
{
	struct lab l;
	const struct credential *c;
	int64_t at_s = now;
	char path[256];

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	c = credset_credential(l.works.set, l.at);
	snprintf(path, sizeof path, "www/%s.pem", c->fingerprint);
	(void)works_chores(&l.works, at_s += PUBLISH_LOOK_S);
	assert_int_equal(c->publish_error, 0);
	assert_int_equal(unlink(path), 0);
	(void)works_chores(&l.works, at_s += PUBLISH_LOOK_S);
	assert_true(works_due_s(&l.works) <= at_s + PUBLISH_LOOK_S);
	assert_int_not_equal(store_mtime(path), 0);
	assert_int_equal(rename("www", "elsewhere"), 0);
	(void)works_chores(&l.works, at_s += PUBLISH_LOOK_S);
	assert_int_equal(c->publish_error, ENOENT);
	bworld_file("www", "no directory");
	(void)works_chores(&l.works, at_s += PUBLISH_LOOK_S);
	assert_int_equal(c->publish_error, ENOTDIR);
	lab_close(&l);
	lab_open(&l); /* at the start too */
	c = credset_credential(l.works.set, l.at);
	assert_int_equal(c->state, CREDENTIAL_READY);
	assert_int_equal(c->publish_error, ENOTDIR);
	bworld_file("www", NULL);
	assert_int_equal(mkdir("www", 0755), 0);
	(void)works_chores(&l.works, now + PUBLISH_LOOK_S);
	assert_int_equal(c->publish_error, 0);
	assert_int_not_equal(store_mtime(path), 0);
	/* What is over is not put back. */
	(void)works_chores(&l.works, c->not_after_s + PUBLISH_AFTER_S + PUBLISH_SWEEP_S);
	assert_int_equal(store_mtime(path), 0);
	(void)works_chores(&l.works, c->not_after_s + 2 * PUBLISH_AFTER_S);
	assert_int_equal(store_mtime(path), 0);
	lab_close(&l);
}

/* ---- how often ---- */

/* Beyond the rate they are counted, and the next record says how many there were. */
static void
refusals_are_recorded_at_a_rate(void **state)
{
	enum { MORE = 24 };
	struct lab l;
	struct bworld_cert spec;
	const json_t *last;
	char serial[8];

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	lab_request(&l);
	spec = good_cert(&l);
	spec.scts = 0;
	spec.serial = serial;
	for (int i = 0; i <= ALLOW_REFUSALS + MORE; i++) {
		AUTO_BUF pem = BUF_INIT(65536);
		struct fault f = { 0 };
		int64_t again_s = 0, at_s = now;

		if (i == ALLOW_REFUSALS + MORE)
			at_s += ALLOW_REFUSAL_S;
		snprintf(serial, sizeof serial, "%02x", 0x20 + i);
		bworld_issue(&world, &pem, &spec);
		assert_int_equal(
		    lab_install(&l, buf_view(&pem), at_s, &again_s, &f), RC_DENIED);
		assert_string_equal(f.reason, "sct_policy");
		if (i == ALLOW_REFUSALS + MORE - 1)
			assert_int_equal(audited("install_refused"), ALLOW_REFUSALS);
	}
	assert_int_equal(audited("install_refused"), ALLOW_REFUSALS + 1);
	last = json_array_get(world.audit, json_array_size(world.audit) - 1);
	assert_int_equal(json_integer_value(json_object_get(last, "unrecorded")), MORE);
	last = json_array_get(world.audit, 0);
	assert_null(json_object_get(last, "unrecorded"));
	lab_close(&l);
}

/* Keys that come into force are not counted: an operator may renew as he likes. */
static void
renewals_are_not_counted(void **state)
{
	struct lab l;
	char serial[8];

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	for (int i = 0; i < 3 * ALLOW_KEYS; i++) {
		snprintf(serial, sizeof serial, "%02x", 0x20 + i);
		install_good(&l, serial, now + 43200 + i);
	}
	lab_close(&l);
}

/* ---- keys that no file names ---- */

/* ---- the host's disk and clock ---- */

/* Whichever call fails: it is said, and tried again soon; and when it is well, too. */
static void
the_state_directory_is_tried(void **state)
{
	unsigned at = 0;
	bool through = false;
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	while (!through) {
		crash_arm(CRASH_FAIL, ++at);
		(void)statedir_try(&l.works, now + at);
		through = crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		if (through)
			break;
		assert_int_equal(l.works.state_failed_s, now + at);
		assert_int_equal(l.works.state_fault.rc, RC_IO);
		assert_false(l.works.state_well);
		l.works.state_at_s = now + at + 100;
		assert_int_equal(
		    statedir_try(&l.works, now + at + 1), now + at + 1 + STATEDIR_TRY_S);
		assert_int_equal(l.works.state_failed_s, 0);
		assert_true(l.works.state_well);
		l.works.state_well = false;
	}
	assert_true(at > 5);
	assert_false(l.works.state_well); /* it was */
	lab_close(&l);
}

/* A clock that jumped ahead: the key whose overlap is over by it waits. */
static void
nothing_goes_by_a_doubted_clock(void **state)
{
	uint8_t old[KEY_ID_LEN];
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	memcpy(old, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	install_good(&l, "11", now + 86400);
	l.works.clock_holds = true;
	works_clock_set(&l.works);
	assert_int_equal(works_due_s(&l.works), 0);
	assert_true(works_chores(&l.works, now + 3 * 86400) > now + 3 * 86400);
	assert_true(softadmin_has(world.admin, old));
	l.works.clock_holds = false; /* undone */
	works_clock_set(&l.works);
	(void)works_chores(&l.works, now);
	assert_true(softadmin_has(world.admin, old));
	assert_int_equal(l.works.retire_at_s, now + RETIRE_OVERLAP_S);
	l.works.clock_holds = true;
	(void)works_chores(&l.works, now + RETIRE_OVERLAP_S);
	assert_true(softadmin_has(world.admin, old));
	l.works.clock_holds = false; /* believed */
	(void)works_chores(&l.works, now + RETIRE_OVERLAP_S + WORKS_HELD_LOOK_S);
	assert_false(softadmin_has(world.admin, old));
	lab_close(&l);
}

static enum rc
try_request(struct lab *l, struct fault *f)
{
	const struct config_tenant *t = &l->works.set->config->tenant[l->at.tenant];
	AUTO_WANT want = WANT_INIT;

	assert_int_equal(want_of(t, credset_config(l->works.set, l->at), &want, NULL), RC_OK);
	pending_done(&l->pending);
	l->pending = (struct pending){ 0 };
	return pending_make(&l->works, l->at, buf_view(&want.tnauth_der),
	    buf_view(&want.constraints_der), now, &l->pending, f);
}

static size_t
unnamed(struct lab *l)
{
	for (int i = 0; i < 5000 && !token_admin_ready(l->works.token[0].admin); i++)
		(void)poll(NULL, 0, 1); /* its greeting is on the way */
	(void)unnamed_look(&l->works, now);
	assert_true(l->works.token[0].counted);
	return l->works.token[0].unnamed.keys;
}

/* Whichever call of the disk fails: a key that the file names, or none at all. */
static void
an_unwritten_request_leaves_no_key(void **state)
{
	unsigned at = 0, failed = 0;
	bool through = false;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	while (!through) {
		struct lab l;
		struct fault f = { 0 };
		enum rc rc;

		lab_open(&l);
		crash_arm(CRASH_FAIL, ++at);
		rc = try_request(&l, &f);
		through = crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		if (rc != RC_OK) {
			struct pending p = { 0 };

			failed++;
			assert_int_equal(rc, RC_IO);
			rc = pending_read(l.works.set->config, "acme", "main", &p, NULL);
			(void)works_chores(&l.works, now);
			(void)works_chores(&l.works, now + RETIRE_OVERLAP_S);
			assert_int_equal(softadmin_keys(world.admin), rc == RC_OK);
			assert_int_equal(unnamed(&l), 0);
			pending_done(&p);
		}
		lab_request(&l);
		assert_int_equal(softadmin_keys(world.admin), 1);
		assert_true(softadmin_has(world.admin, l.pending.facts.key_id));
		softadmin_drop(world.admin, l.pending.facts.key_id);
		assert_int_equal(
		    pending_remove(l.works.set->config, "acme", "main", NULL), RC_OK);
		lab_close(&l);
	}
	assert_true(failed >= 4);
}

/* The token makes a key and fails from then on: the key goes when it is well again. */
static void
a_key_that_could_not_be_destroyed_goes_later(void **state)
{
	struct lab l;
	struct fault f = { 0 };

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	softadmin_limp(world.admin, true);
	assert_int_equal(try_request(&l, &f), RC_HSM);
	softadmin_limp(world.admin, false);
	assert_int_equal(softadmin_keys(world.admin), 1);
	assert_int_equal(unnamed(&l), 0); /* it is noted */
	(void)works_chores(&l.works, now);
	assert_int_equal(softadmin_keys(world.admin), 0);
	lab_close(&l);
}

static json_t *
ask_account(struct lab *l)
{
	return bworld_ask(
	    &l->works, json_pack("{s:s, s:s}", "op", "account", "ca", "lab"), now);
}

static void
an_unwritten_account_leaves_no_key(void **state)
{
	unsigned at = 0, failed = 0;
	bool through = false;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	while (!through) {
		struct lab l;
		json_t *first, *second;

		lab_open(&l);
		crash_arm(CRASH_FAIL, ++at);
		first = ask_account(&l);
		through = crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		if (!json_is_true(json_object_get(first, "ok"))) {
			failed++;
			assert_string_equal(
			    json_string_value(json_object_get(first, "reason")), "io");
			assert_int_equal(softadmin_keys(world.admin),
			    store_mtime("state/front/accounts/lab.json") != 0);
		}
		second = ask_account(&l);
		assert_true(json_is_true(json_object_get(second, "ok")));
		assert_int_equal(softadmin_keys(world.admin), 1);
		softadmin_drop(world.admin, accounts_find(&l.works.accounts, "lab")->key_id);
		bworld_file("state/front/accounts/lab.json", NULL);
		json_decref(first);
		json_decref(second);
		lab_close(&l);
	}
	assert_true(failed >= 4);
}

/* ---- keys that a crash left on their way ---- */

static unsigned
batches(void)
{
	unsigned n = 0;

	assert_int_equal(store_each("state/front/making", count_file, &n, NULL), RC_OK);
	return n;
}

static void
start_again(struct lab *l)
{
	lab_close(l);
	lab_open(l);
	(void)unnamed(l); /* the admin has introduced itself */
	(void)works_chores(&l->works, now);
}

static void
an_unfinished_key_goes(void **state)
{
	uint8_t lost[P256_POINT_LEN];
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	assert_int_equal(batches(), 0);
	assert_int_equal(softadmin_keys(world.admin), 1);
	assert_int_equal(works_generate(&l.works, 0, lost, NULL), RC_OK); /* and a crash */
	assert_int_equal(batches(), 1);
	assert_int_equal(works_generate(&l.works, 0, lost, NULL), RC_OK);
	assert_int_equal(batches(), 1); /* the same goes on */
	softadmin_fail(world.admin, FRAME_FAILED);
	lab_close(&l);
	lab_open(&l);
	(void)works_chores(&l.works, now);
	assert_int_equal(batches(), 1); /* not now, but later */
	assert_true(l.works.making_at_s > now && l.works.making_at_s < INT64_MAX);
	softadmin_fail(world.admin, 0);
	start_again(&l);
	assert_int_equal(batches(), 0);
	assert_int_equal(softadmin_keys(world.admin), 1);
	assert_int_equal(l.works.making_at_s, INT64_MAX);
	assert_string_equal(serial_of(l.works.set, l.at), "10");
	lab_close(&l);
}

/* Which file names the key of a batch that was not finished. */
static const struct named {
	const char *name;
	const char *file,
	    *text; /* what is written; text NULL: the key's point, as an account */
	bool stays;
} named_rows[] = {
	{ "an account", "state/front/accounts/lab.json", NULL, true },
	{ "an account that cannot be read", "state/front/accounts/lab.json", "{", true },
	{ "a request that cannot be read", "state/front/tenants/acme/main/pending.csr", "x",
	    true },
	{ "a chain that cannot be read", "state/front/tenants/gone/main/current.pem", "x",
	    true },
	{ "nothing that names a key", "state/front/tenants/gone/main/history.json", "{}",
	    false },
	{ "a note that is none", "state/front/making/x.json", "{}", false },
	{ "a note of another token", "state/front/making/00112233445566778899aabbccddeeff.json",
	    "{\"token\":\"none\"}", false },
};

static void
an_unfinished_key_that_is_named_stays(void **state)
{
	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	for (size_t i = 0; i < ARRAY_LEN(named_rows); i++) {
		const struct named *row = &named_rows[i];
		uint8_t point[P256_POINT_LEN], key_id[KEY_ID_LEN];
		struct lab l;

		print_message("%s\n", row->name);
		lab_open(&l);
		assert_int_equal(works_generate(&l.works, 0, point, NULL), RC_OK);
		key_id_of_point(point, key_id);
		if (row->text != NULL)
			assert_int_equal(
			    store_write(row->file, span_str(row->text), 0600, NULL), RC_OK);
		else
			assert_int_equal(accounts_add(&l.works.accounts, l.works.set->config,
					     "lab", point, NULL),
			    RC_OK);
		start_again(&l);
		assert_int_equal(softadmin_has(world.admin, key_id), row->stays);
		bworld_file(row->file, NULL);
		if (row->stays && row->text == NULL) {
			assert_int_equal(batches(), 0);
			softadmin_drop(world.admin, key_id);
		}
		start_again(&l);
		assert_int_equal(batches(), 0);
		assert_false(softadmin_has(world.admin, key_id));
		lab_close(&l);
	}
}

/* What any file names is none, be its tenant configured or its certificate in force or not. */
static void
unnamed_keys_are_counted_and_kept(void **state)
{
	uint8_t lost[P256_POINT_LEN], lost_id[KEY_ID_LEN];
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	assert_int_equal(unnamed(&l), 0);
	json_decref(ask_account(&l));
	install_good(&l, "10", now + 43200);
	install_good(&l, "11", now + 43300); /* the first one retires */
	lab_request(&l);
	assert_int_equal(softadmin_keys(world.admin), 6); /* two of them spare */
	assert_int_equal(unnamed(&l), 0);
	assert_int_equal(works_generate(&l.works, 0, lost, NULL), RC_OK); /* and a crash */
	key_id_of_point(lost, lost_id);
	assert_int_equal(l.works.token[0].unnamed.since_s, 0);
	assert_int_equal(unnamed(&l), 1);
	assert_int_equal(l.works.token[0].unnamed.since_s, now);
	assert_memory_equal(l.works.token[0].unnamed.id[0], lost_id, KEY_ID_LEN);
	(void)unnamed_look(&l.works, now + 7200);
	assert_int_equal(l.works.token[0].unnamed.since_s, now); /* since it was first seen */
	lab_close(&l);
	bworld_tenant("acme", VESPER(NUMBERS, "min_scts = 2"));
	lab_open(&l);
	assert_string_equal(serial_of(l.works.set, l.at), "");
	assert_int_equal(unnamed(&l), 1);
	lab_close(&l);
	bworld_tenant("other", VESPER("\"13035550100\"", ""));
	bworld_tenant("acme", NULL);
	l = (struct lab){ 0 };
	bworld_works(&world, &l.works, now);
	assert_int_equal(unnamed(&l), 1);
	assert_true(softadmin_has(world.admin, lost_id));
	softadmin_fail(world.admin, FRAME_FAILED);
	assert_int_equal(unnamed_look(&l.works, now), now + UNNAMED_RETRY_S);
	softadmin_fail(world.admin, 0);
	assert_int_equal(unnamed_look(&l.works, now), now + UNNAMED_LOOK_S);
	bworld_tenant("other", NULL);
	lab_close(&l);
}

/* ---- orders that nobody goes on with ---- */

enum doubt {
	NO_DOUBT,
	YOUNG,
	OF_THE_FUTURE,
	NEVER,		/* abandoned_key_after = 0 */
	CONFIGURED,	/* somebody goes on with it */
	CERTIFIED,	/* there is a certificate beside it */
	NO_KEYFILE,	/* whose it is nobody knows */
	ELSEWHERE,	/* its token is not configured */
	BROUGHT,	/* from a file */
	GARBLED,	/* the file is none */
	ANOTHER_IN_USE, /* the key is an account's */
};

static const struct {
	const char *name;
	enum doubt doubt;
	bool goes;
} abandoned_rows[] = {
	{ "abandoned", NO_DOUBT, true },
	{ "young", YOUNG, false },
	{ "of the future", OF_THE_FUTURE, false },
	{ "never", NEVER, false },
	{ "configured", CONFIGURED, false },
	{ "a certificate beside it", CERTIFIED, false },
	{ "no file of the key", NO_KEYFILE, false },
	{ "another token", ELSEWHERE, false },
	{ "imported", BROUGHT, false },
	{ "no request", GARBLED, false },
	{ "an account's key", ANOTHER_IN_USE, false },
};

#define PENDING_FILE "state/front/tenants/acme/main/pending.csr"

static void
set_age(enum doubt doubt)
{
	int64_t day_s = 86400, at_s = now - 30 * day_s;
	struct timespec t[2] = { { .tv_sec = at_s }, { .tv_sec = at_s } };

	if (doubt == YOUNG)
		t[1].tv_sec = at_s + 1;
	if (doubt == OF_THE_FUTURE)
		t[1].tv_sec = now + 1;
	assert_int_equal(utimensat(AT_FDCWD, PENDING_FILE, t, 0), 0);
}

static void
put_account_of(const uint8_t point[P256_POINT_LEN])
{
	AUTO_BUF text = BUF_INIT(1000);

	buf_str(&text, "{\"point\":\"");
	b64_encode(&text, B64_URL, span_of(point, P256_POINT_LEN));
	buf_str(&text, "\"}");
	assert_int_equal(
	    store_write("state/front/accounts/lab.json", buf_view(&text), 0600, NULL), RC_OK);
}

/* What is the matter with the order of a tenant that was taken away. */
static void
put_doubt(const struct config *c, enum doubt doubt, const struct pending *p)
{
	struct keyfile k = { .token = "main", .made_s = now };

	if (doubt == CERTIFIED)
		bworld_file("state/front/tenants/acme/main/current.pem", "garbage");
	if (doubt == NO_KEYFILE)
		assert_int_equal(keyfile_remove(c, p->facts.key_id, NULL), RC_OK);
	if (doubt == ELSEWHERE)
		snprintf(k.token, sizeof k.token, "gone");
	k.imported = doubt == BROUGHT;
	if (doubt == ELSEWHERE || doubt == BROUGHT)
		assert_int_equal(keyfile_write(c, p->facts.key_id, &k, NULL), RC_OK);
	if (doubt == GARBLED)
		bworld_file(PENDING_FILE, "garbage");
	if (doubt == ANOTHER_IN_USE)
		put_account_of(p->facts.point);
	set_age(doubt);
}

static void
abandoned_one(enum doubt doubt, const char *name, bool goes)
{
	uint8_t key_id[KEY_ID_LEN];
	struct lab l;
	bool had;

	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	lab_request(&l);
	memcpy(key_id, l.pending.facts.key_id, KEY_ID_LEN);
	put_doubt(l.works.set->config, doubt, &l.pending);
	lab_close(&l);
	bworld_tenant("other", VESPER("\"13035550100\"", ""));
	if (doubt != CONFIGURED)
		bworld_tenant("acme", NULL);
	l = (struct lab){ 0 };
	bworld_works(&world, &l.works, now);
	if (doubt == NEVER)
		((struct config *)(uintptr_t)l.works.set->config)->abandoned_key_after = 0;
	assert_int_equal(abandoned_look(&l.works, now), now + ABANDONED_LOOK_S);
	assert_true(softadmin_has(world.admin, key_id)); /* the retiring destroys */
	(void)retire_due(&l.works, now);
	had = !softadmin_has(world.admin, key_id);
	if (had != goes)
		fail_msg("%s: %s", name, had ? "destroyed" : "kept");
	assert_int_equal(store_mtime(PENDING_FILE) == 0, goes || doubt == ANOTHER_IN_USE);
	assert_int_equal(audited("key_retired"), goes);
	lab_close(&l);
	bworld_tenant("other", NULL);
}

static void
abandoned_orders(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(abandoned_rows); i++) {
		if (i > 0)
			bworld_open(&world);
		abandoned_one(
		    abandoned_rows[i].doubt, abandoned_rows[i].name, abandoned_rows[i].goes);
		if (i + 1 < ARRAY_LEN(abandoned_rows))
			bworld_close(&world);
	}
}

/* ---- crashes ---- */

enum { CHILD_MAX_S = 60 };

/* The new one is installed by a child that dies at the at-th step; true when it lived. */
static bool
install_until(struct lab *l, struct span pem, enum crash_kind kind, unsigned at)
{
	int64_t again_s = 0;
	struct fault f = { 0 };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct credential *c = NULL;

		alarm(CHILD_MAX_S); /* a lock that another thread held is held for ever */
		crash_arm(kind, at);
		if (install_chain(&l->works, l->at, &(struct install_offer){ .pem = pem }, now,
			&again_s, &c, &f) == RC_OK)
			assert_non_null(c);
		_exit(crash_calls() >= at ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

/* The same of a request and its key. */
static bool
request_until(struct lab *l, unsigned at)
{
	struct fault f = { 0 };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(CHILD_MAX_S);
		crash_arm(CRASH_EXIT, at);
		(void)try_request(l, &f);
		_exit(crash_calls() >= at ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

/* Whichever call of the disk is the last: the key has a request, or goes; so do those made ahead. */
static void
no_crash_leaves_a_key(void **state)
{
	unsigned at = 0;
	bool through = false;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	while (!through) {
		struct pending p = { 0 };
		struct lab l;
		bool there;

		lab_open(&l);
		l.works.token[0].asked_at_s = now;
		l.works.token[0].asked = at % 2 == 0 ? 5 : 0;
		through = request_until(&l, ++at);
		start_again(&l);
		(void)works_chores(&l.works, now + RETIRE_OVERLAP_S);
		assert_int_equal(batches(), 0);
		there = pending_read(l.works.set->config, "acme", "main", &p, NULL) == RC_OK;
		assert_true(there || !through);
		assert_int_equal(softadmin_keys(world.admin), there + l.works.token[0].spares);
		assert_int_equal(unnamed(&l), 0);
		spare_drop(&l.works, 0);
		if (there)
			softadmin_drop(world.admin, p.facts.key_id);
		pending_done(&p);
		assert_int_equal(
		    pending_remove(l.works.set->config, "acme", "main", NULL), RC_OK);
		lab_close(&l);
	}
	assert_true(at > 30);
}

/* Whatever happened: one of the two is in force, published, and has its key. */
static void
expect_old_or_new(bool *was_old, bool *was_new)
{
	struct lab l;
	const struct credential *c;
	struct pending p = { 0 };
	char path[256];
	bool is_new, outstanding;

	lab_open(&l);
	c = credset_credential(l.works.set, l.at);
	assert_int_equal(c->state, CREDENTIAL_READY);
	is_new = strcmp(c->chain->cert[0]->serial, "11") == 0;
	assert_true(is_new || strcmp(c->chain->cert[0]->serial, "10") == 0);
	snprintf(path, sizeof path, "www/%s.pem", c->fingerprint);
	assert_int_not_equal(store_mtime(path), 0);
	outstanding = pending_read(l.works.set->config, "acme", "main", &p, NULL) == RC_OK;
	assert_true(is_new != outstanding); /* the old one is in force: try again */
	(void)works_chores(&l.works, now + 2 * RETIRE_OVERLAP_S);
	assert_true(softadmin_has(world.admin, c->key_id));
	if (outstanding)
		assert_true(softadmin_has(world.admin, p.facts.key_id));
	assert_int_equal(softadmin_keys(world.admin), outstanding ? 2 : 1);
	pending_done(&p);
	*was_old |= !is_new;
	*was_new |= is_new;
	lab_close(&l);
}

static void
crash_round(enum crash_kind kind, unsigned at, bool *done, bool *was_old, bool *was_new)
{
	struct lab l;
	struct bworld_cert spec;
	AUTO_BUF pem = BUF_INIT(65536);

	bworld_close(&world);
	bworld_open(&world);
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	lab_request(&l);
	spec = good_cert(&l);
	spec.serial = "11";
	spec.not_after_s = now + 86400;
	bworld_issue(&world, &pem, &spec);
	lab_close(&l);
	lab_open(&l); /* with a channel to the token that nobody has used yet */
	softadmin_quiet(world.admin);
	*done = install_until(&l, buf_view(&pem), kind, at);
	lab_close(&l);
	expect_old_or_new(was_old, was_new);
}

static void
old_or_new(void **state)
{
	const enum crash_kind *kind = *state;
	bool done = false, was_old = false, was_new = false;
	unsigned at = 1;

	for (; !done; at += getenv("VESPER_SLOW") != NULL ? 7 : 1) {
		assert_true(at < 200);
		crash_round(*kind, at, &done, &was_old, &was_new);
	}
	assert_true(was_old && was_new);
	assert_true(at > 30);
}

/* ---- several tokens ---- */

/* The tenant with another list of tokens. */
static void
with_tokens(const char *list)
{
	static const char mark[] = "token = \"main\"";
	const char *whole = VESPER(NUMBERS, ""), *at = strstr(whole, mark);
	AUTO_BUF text = BUF_INIT(65536);

	assert_non_null(at);
	buf_put(&text, whole, (size_t)(at - whole));
	buf_str(&text, "token = ");
	buf_str(&text, list);
	buf_str(&text, at + strlen(mark));
	bworld_tenant("acme", buf_text(&text));
}

static void
second_token(void)
{
	AUTO_BUF text = BUF_INIT(65536);

	assert_int_equal(store_read("vesperd.conf", 65536, &text, NULL), RC_OK);
	buf_str(&text, "token \"second\" { module = \"/usr/lib/softhsm/libsofthsm2.so\"\n"
		       "label = \"v2\" pin = \"file:pin\" lock_file = \"second.lock\" }\n");
	bworld_file("vesperd.conf", buf_text(&text));
}

/* From one token to two, to one and to a share: what is in force stays, under its name. */
static void
a_credential_keeps_its_certificate(void **state)
{
	static const struct {
		const char *tokens;
		const char *name, *other; /* READY; PENDING or NULL */
	} steps[] = {
		{ "{ \"main\", \"second\" }", "main.main", "main.second" },
		{ "\"main\"", "main", NULL },
		{ "{ \"second\", \"main\" }", "main.main", "main.second" },
		{ "{ \"second\", \"main\" } spread = yes", "main", NULL },
		{ "{ \"main\" }", "main", NULL },
	};
	struct credset_place at;
	struct lab l;

	(void)state;
	second_token();
	with_tokens("\"main\"");
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	lab_close(&l);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		l = (struct lab){ 0 };
		with_tokens(steps[i].tokens);
		bworld_works(&world, &l.works, now);
		assert_true(credset_find(l.works.set, "acme", steps[i].name, &at));
		assert_string_equal(serial_of(l.works.set, at), "10");
		assert_int_equal(credset_credential(l.works.set, at)->token, 0);
		if (steps[i].other != NULL) {
			assert_true(credset_find(l.works.set, "acme", steps[i].other, &at));
			assert_int_equal(
			    credset_credential(l.works.set, at)->state, CREDENTIAL_PENDING);
		}
		lab_close(&l);
	}
}

/* Of whose key nothing is known, or that is in no token of it, is not taken over. */
static void
a_stranger_is_not_adopted(void **state)
{
	struct credset_place at;
	uint8_t key_id[KEY_ID_LEN];
	struct lab l;

	(void)state;
	second_token();
	with_tokens("\"main\"");
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	memcpy(key_id, credset_credential(l.works.set, l.at)->key_id, KEY_ID_LEN);
	assert_int_equal(keyfile_remove(l.works.set->config, key_id, NULL), RC_OK);
	lab_close(&l);
	for (unsigned i = 0; i < 2; i++) {
		with_tokens("{ \"main\", \"second\" }");
		l = (struct lab){ 0 };
		bworld_works(&world, &l.works, now);
		assert_true(credset_find(l.works.set, "acme", "main.main", &at));
		assert_string_equal(serial_of(l.works.set, at), "");
		assert_int_not_equal(
		    store_mtime("state/front/tenants/acme/main/current.pem"), 0);
		assert_int_equal(keyfile_write(l.works.set->config, key_id,
				     &(struct keyfile){ .token = "elsewhere" }, NULL),
		    RC_OK);
		lab_close(&l);
	}
}

/* ---- keys made ahead ---- */

static unsigned
spare_files(void)
{
	unsigned n = 0;
	enum rc rc = store_each("state/front/spare", count_file, &n, NULL);

	assert_true(rc == RC_OK || rc == RC_NOT_FOUND);
	return n;
}

static struct works_spare
take_spare(struct lab *l, int64_t at_s)
{
	struct works_spare key = { .made_s = 0 };
	struct fault f = { 0 };

	if (spare_take(&l->works, 0, l->at, at_s, &key, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	return key;
}

/* The world's configuration with more in the token's section. */
static void
configure_token(const char *more)
{
	AUTO_BUF text = BUF_INIT(65536), out = BUF_INIT(65536);
	static const char mark[] = "lock_file = \"token.lock\"";
	const char *at;

	assert_int_equal(store_read("vesperd.conf", 65536, &text, NULL), RC_OK);
	at = strstr(buf_text(&text), mark);
	assert_non_null(at);
	at += strlen(mark);
	buf_put(&out, text.ptr, (size_t)(at - buf_text(&text)));
	buf_str(&out, more);
	buf_str(&out, at);
	bworld_file("vesperd.conf", buf_text(&out));
}

/* Many at once are made in few goes; each is given out once, a restart in between or not. */
static void
many_keys_few_goes(void **state)
{
	enum { MANY = 60 };
	struct works_spare got[MANY];
	size_t frames;
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	for (unsigned i = 0; i < MANY; i++) {
		if (i == MANY / 2) {
			lab_close(&l);
			lab_open(&l);
		}
		got[i] = take_spare(&l, now);
		assert_int_equal(got[i].made_s, now);
		assert_int_equal(spare_files(), l.works.token[0].spares);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(got[k].point, got[i].point, P256_POINT_LEN);
	}
	frames = softadmin_asked(world.admin);
	assert_true(frames <= 16);
	assert_true(softadmin_batches(world.admin) >= 6);
	assert_int_equal(softadmin_keys(world.admin), MANY + l.works.token[0].spares);
	assert_int_equal(unnamed(&l), 0); /* those that are given out are noted as retiring */
	lab_close(&l);
}

static void
few_keys_one_by_one(void **state)
{
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	for (int64_t at_s = now; at_s < now + 5 * SPARE_WINDOW_S; at_s += SPARE_WINDOW_S / 2)
		(void)take_spare(&l, at_s);
	(void)take_spare(&l, now - 3600); /* the clock was set */
	assert_int_equal(softadmin_batches(world.admin), 0);
	assert_int_equal(softadmin_keys(world.admin), 11);
	lab_close(&l);
}

/* Half of the room stays, and it is said before there is none. */
static void
a_small_token(void **state)
{
	struct works_spare key;
	struct fault f = { 0 };
	struct lab l;

	(void)state;
	configure_token(" max_keys = 20");
	softadmin_room(world.admin, 20);
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	for (unsigned i = 0; i < 18; i++) {
		(void)take_spare(&l, now);
		assert_true(l.works.token[0].sized);
		assert_int_equal(l.works.token[0].keys, softadmin_keys(world.admin));
		assert_int_equal(l.works.token[0].room,
		    softadmin_keys(world.admin) < 18 ? WORKS_ROOM : WORKS_LOW);
		assert_true(i < 16 || l.works.token[0].spares <= 1);
	}
	(void)take_spare(&l, now);
	key = take_spare(&l, now);
	assert_int_equal(l.works.token[0].room, WORKS_FULL);
	assert_int_equal(spare_take(&l.works, 0, l.at, now, &key, &f), RC_BUSY);
	assert_string_equal(f.reason, "token_full");
	{
		uint8_t key_id[KEY_ID_LEN];

		key_id_of_point(key.point, key_id);
		assert_int_equal(works_discard(&l.works, 0, key_id, &f), RC_OK);
	}
	assert_int_equal(l.works.token[0].room, WORKS_LOW);
	(void)take_spare(&l, now);
	lab_close(&l);
}

/* A token that says itself when it is full: what it made is used. */
static void
a_token_that_fills_up(void **state)
{
	struct works_spare key = { .made_s = 0 }, last;
	uint8_t key_id[KEY_ID_LEN];
	struct fault f = { 0 };
	struct lab l;

	(void)state;
	softadmin_room(world.admin, 4);
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	for (unsigned i = 0; i < 4; i++)
		last = take_spare(&l, now);
	assert_int_equal(l.works.token[0].room, WORKS_FULL);
	assert_int_equal(l.works.token[0].spares, 0);
	assert_int_equal(spare_take(&l.works, 0, l.at, now, &key, &f), RC_BUSY);
	assert_string_equal(f.reason, "token_full");
	softadmin_fail(world.admin, FRAME_REBUILD);
	assert_int_equal(spare_take(&l.works, 0, l.at, now, &key, &f), RC_HSM);
	assert_int_equal(l.works.token[0].keys, 4); /* as last told */
	softadmin_fail(world.admin, 0);
	key_id_of_point(last.point, key_id);
	assert_int_equal(works_discard(&l.works, 0, key_id, &f), RC_OK);
	assert_int_equal(l.works.token[0].room, WORKS_ROOM);
	lab_close(&l);
}

static void
forget(struct lab *l, const uint8_t point[P256_POINT_LEN])
{
	uint8_t key_id[KEY_ID_LEN];

	key_id_of_point(point, key_id);
	retire_forget(&l->works, key_id);
}

/* Whichever call of the disk fails: every key is given out, named by a file, or gone. */
static void
no_spare_key_without_a_file(void **state)
{
	unsigned at = 0;
	bool through = false;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	while (!through) {
		struct works_spare key = { .made_s = 0 };
		size_t before;
		struct lab l;
		unsigned given;

		lab_open(&l);
		before = softadmin_keys(world.admin) - l.works.token[0].spares;
		l.works.token[0].asked_at_s = now;
		l.works.token[0].asked = 5;
		crash_arm(CRASH_FAIL, ++at);
		given = spare_take(&l.works, 0, l.at, now, &key, NULL) == RC_OK;
		through = crash_calls() < at;
		crash_arm(CRASH_NONE, 0);
		(void)works_chores(&l.works, now);
		if (given)
			forget(&l, key.point);
		(void)works_chores(&l.works, now + RETIRE_OVERLAP_S);
		assert_int_equal(
		    softadmin_keys(world.admin), before + given + l.works.token[0].spares);
		if (given)
			assert_int_equal(spare_files(), l.works.token[0].spares);
		spare_drop(&l.works, 0);
		assert_int_equal(spare_files(), 0);
		assert_int_equal(softadmin_keys(world.admin), before + given);
		lab_close(&l);
	}
	assert_true(at > 4);
}

/* The token was made anew under them: no credential waits for what is not there. */
static void
spare_keys_that_are_lost(void **state)
{
	uint8_t key_id[KEY_ID_LEN];
	struct fault f = { 0 };
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	for (unsigned i = 0; i < 3; i++)
		(void)take_spare(&l, now);
	assert_int_equal(l.works.token[0].spares, 2);
	for (unsigned i = 0; i < 2; i++) {
		key_id_of_point(l.works.token[0].spare[i].point, key_id);
		softadmin_drop(world.admin, key_id);
	}
	assert_int_equal(try_request(&l, &f), RC_NOT_FOUND);
	assert_string_equal(f.reason, "no_key");
	assert_int_equal(l.works.token[0].spares, 0);
	assert_int_equal(spare_files(), 0);
	assert_int_equal(try_request(&l, &f), RC_OK);
	lab_close(&l);
}

/* What lies there and is none of ours, or in use, is not used. */
static void
spare_files_that_will_not_do(void **state)
{
	static const char *const texts[] = { "", "{}", "{\"token\":\"main\"}",
		"{\"token\":\"main\",\"point\":\"BA\",\"made\":1}",
		"{\"token\":\"none\",\"point\":\"BA\",\"made\":1}" };
	char from[STORE_PATH_MAX], to[STORE_PATH_MAX], hex[2 * KEY_ID_LEN + 1];
	uint8_t key_id[KEY_ID_LEN];
	struct lab l;

	(void)state;
	bworld_tenant("acme", VESPER(NUMBERS, ""));
	lab_open(&l);
	install_good(&l, "10", now + 43200);
	for (unsigned i = 0; i < 2; i++)
		(void)take_spare(&l, now);
	assert_int_equal(l.works.token[0].spares, 2);
	key_id_of_point(l.works.token[0].spare[0].point, key_id);
	works_hex(key_id, KEY_ID_LEN, hex);
	snprintf(from, sizeof from, "state/front/spare/%s.json", hex);
	lab_close(&l);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		snprintf(to, sizeof to, "state/front/spare/%zu.json", i);
		bworld_file(to, texts[i]);
	}
	lab_open(&l);
	assert_int_equal(l.works.token[0].spares, 2);
	lab_close(&l);
	/* Under another key's name. */
	assert_int_equal(rename(from, "state/front/spare/9.json"), 0);
	lab_open(&l);
	assert_int_equal(l.works.token[0].spares, 1);
	lab_close(&l);
}

static int
open_world(void **state)
{
	(void)state;
	bworld_open(&world);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	bworld_close(&world);
	return 0;
}

#define STEP(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int
main(void)
{
	static enum crash_kind by_exit = CRASH_EXIT, by_error = CRASH_FAIL;
	static const struct CMUnitTest steps[] = {
		STEP(waits_for_not_before),
		STEP(a_refused_one_is_no_news_twice),
		STEP(few_refused_are_kept),
		STEP(refused_before_a_restart),
		STEP(numbers_changed_meanwhile),
		STEP(constraints_narrowed_meanwhile),
		STEP(after_a_roll_back_it_installs),
		STEP(the_old_key_goes_after_the_overlap),
		STEP(a_credential_keeps_its_certificate),
		STEP(a_stranger_is_not_adopted),
		STEP(old_keys_go_together),
		STEP(many_keys_few_goes),
		STEP(few_keys_one_by_one),
		STEP(a_small_token),
		STEP(a_token_that_fills_up),
		STEP(no_spare_key_without_a_file),
		STEP(spare_keys_that_are_lost),
		STEP(spare_files_that_will_not_do),
		STEP(a_request_for_the_same_key_stays),
		STEP(files_of_keys),
		STEP(the_one_before_stays_a_while),
		STEP(the_one_before_goes_with_its_key),
		STEP(imported_gives_way),
		STEP(a_needed_key_is_not_destroyed),
		STEP(other_octets_another_key),
		STEP(published_files),
		STEP(published_path),
		STEP(publish_dir_is_watched),
		STEP(x5u_of_the_order),
		STEP(x5u_of_another),
		STEP(refusals_are_recorded_at_a_rate),
		STEP(renewals_are_not_counted),
		STEP(an_unwritten_request_leaves_no_key),
		STEP(a_key_that_could_not_be_destroyed_goes_later),
		STEP(an_unwritten_account_leaves_no_key),
		STEP(the_state_directory_is_tried),
		STEP(nothing_goes_by_a_doubted_clock),
		STEP(an_unfinished_key_goes),
		STEP(an_unfinished_key_that_is_named_stays),
		STEP(unnamed_keys_are_counted_and_kept),
		STEP(abandoned_orders),
		STEP(no_crash_leaves_a_key),
		{ "old or new after a crash", old_or_new, open_world, close_world, &by_exit },
		{ "old or new when the disk fails", old_or_new, open_world, close_world,
		    &by_error },
	};
	static struct CMUnitTest
	    tests[ARRAY_LEN(steps) + ARRAY_LEN(install_cases) + ARRAY_LEN(rekey_cases)];
	size_t n = ARRAY_LEN(steps);

	memcpy(tests, steps, sizeof steps);
	for (size_t i = 0; i < ARRAY_LEN(install_cases); i++)
		tests[n++] = (struct CMUnitTest){ install_cases[i].name, installs, open_world,
			close_world, &install_cases[i] };
	for (size_t i = 0; i < ARRAY_LEN(rekey_cases); i++)
		tests[n++] = (struct CMUnitTest){ rekey_cases[i].name, rekeys, open_world,
			close_world, &rekey_cases[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
