/* ported: a certificate that lists a number which was removed is revoked when it outlives it */
#include "agent/front/ported.h"

#include <stdio.h>

#include "agent/front/history.h"
#include "agent/front/install.h"
#include "agent/front/numbers.h"
#include "agent/front/pending.h"
#include "agent/front/revoke.h"
#include "agent/front/store.h"
#include "agent/front/want.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"

#define TENANT(numbers, more) \
	"numbers = { " numbers " }\n" more "\n" BWORLD_DELEGATE("atis-delegate", "")
#define BOTH "\"12025550100\", \"12025550101\""
#define ONE  "\"12025550100\""

enum { LIFE_S = 43200, AFTER_S = 600 };

static const int64_t now = PKI_NOW;

struct lab {
	struct bworld world;
	struct works works;
	struct credset_place at;
};

static void
start(struct lab *l, int64_t now_s)
{
	bworld_works(&l->world, &l->works, now_s);
	assert_true(credset_find(l->works.set, "acme", "main", &l->at));
}

static void
install(struct lab *l, const char *serial)
{
	const struct config_tenant *t = &l->works.set->config->tenant[l->at.tenant];
	AUTO_BUF pem = BUF_INIT(65536);
	AUTO_WANT want = WANT_INIT;
	const struct credential *c = NULL;
	AUTO_PENDING p = { 0 };
	struct install_offer offer = { .pem = { 0 } };
	struct fault f = { 0 };
	int64_t again_s = 0;

	assert_int_equal(want_of(t, credset_config(l->works.set, l->at), &want, &f), RC_OK);
	assert_int_equal(pending_make(&l->works, l->at, buf_view(&want.tnauth_der),
			     buf_view(&want.constraints_der), now, &p, &f),
	    RC_OK);
	bworld_issue(&l->world, &pem,
	    &(struct bworld_cert){ .point = p.facts.point,
		.tnauth = buf_view(&p.facts.tnauth_der),
		.serial = serial,
		.not_before_s = now - 60,
		.not_after_s = now + LIFE_S + (int64_t)strlen(serial) });
	offer.pem = buf_view(&pem);
	if (install_chain(&l->works, l->at, &offer, now, &again_s, &c, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

static void
configure(struct lab *l, const char *inside, int64_t now_s)
{
	bworld_tenant("acme", inside);
	assert_int_equal(works_load(&l->works, now_s, NULL), RC_OK);
	(void)works_chores(&l->works, now_s);
}

static void
remove_number(struct lab *l, const char *number, int64_t now_s)
{
	json_auto_t *result = json_object();
	struct tn_interval one = { 0 };
	AUTO(tnset) *gone = NULL;
	struct fault f = { 0 };

	assert_int_equal(tnset_parse(span_str(number), &one, NULL), RC_OK);
	assert_int_equal(tnset_build(&one, 1, &gone, NULL), RC_OK);
	if (numbers_change(&l->works, "acme", NULL, gone, now_s, result, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

static int
open_with(void **state, const char *more)
{
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	bworld_open(&l->world);
	bworld_tenant("acme", more);
	start(l, now);
	install(l, "0a");
	(void)works_chores(&l->works, now);
	*state = l;
	return 0;
}

static int
open_after(void **state)
{
	return open_with(state, TENANT(BOTH, "port_revoke_after = 600"));
}

static int
open_at_once(void **state)
{
	return open_with(state, TENANT(BOTH, "port_revoke_after = 0"));
}

static int
open_never(void **state)
{
	return open_with(state, TENANT(BOTH, "port_revoke_after = \"never\""));
}

/* Longer than it lives. */
static int
open_late(void **state)
{
	return open_with(state, TENANT(BOTH, "port_revoke_after = 86400"));
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	bworld_done(&l->world, &l->works);
	free(l);
	return 0;
}

/* The record of its revocation; NULL: there is none. */
static const struct revocation *
revoked(const struct lab *l, const char *serial)
{
	size_t at = 0;
	const struct revocation *r;

	while ((r = revoke_outstanding(&l->works, "lab", &at)) != NULL) {
		if (strcmp(r->serial, serial) == 0)
			return r;
	}
	return NULL;
}

/* It is on record, by this reason, and keeps nothing from being ordered. */
static void
is_revoked(const struct lab *l, const char *serial, const char *reason)
{
	const struct revocation *r = revoked(l, serial);

	if (r == NULL)
		fail_msg("%s is not revoked", serial);
	else
		assert_string_equal(revocation_reason_name(r->reason), reason);
	assert_true(r != NULL && !r->blocks);
}

static const char *
in_force(const struct lab *l)
{
	const struct credential *c = credset_credential(l->works.set, l->at);

	return c->state == CREDENTIAL_READY ? c->chain->cert[0]->serial : "";
}

/* ---- the tests ---- */

static void
outlives_it(void **state)
{
	struct lab *l = *state;

	assert_int_equal(ported_waiting(&l->works), 0); /* it has what its tenant has */
	remove_number(l, "12025550101", now);
	assert_int_equal(ported_waiting(&l->works), 1);
	assert_int_equal(
	    credset_credential(l->works.set, l->at)->port_revoke_at_s, now + AFTER_S);
	/* In force and of use for the other number: whatever the time. */
	(void)works_chores(&l->works, now + AFTER_S + 1);
	assert_null(revoked(l, "a"));
	assert_string_equal(in_force(l), "a");
	install(l, "0b");
	(void)works_chores(&l->works, now + AFTER_S - 1);
	assert_null(revoked(l, "a"));
	(void)works_chores(&l->works, now + AFTER_S);
	is_revoked(l, "a", "superseded");
	assert_null(revoked(l, "b"));
	assert_string_equal(in_force(l), "b");
	assert_int_equal(ported_waiting(&l->works), 0);
	assert_int_equal(credset_credential(l->works.set, l->at)->port_revoke_at_s, 0);
}

static void
at_once(void **state)
{
	struct lab *l = *state;

	remove_number(l, "12025550101", now);
	(void)works_chores(&l->works, now);
	assert_string_equal(in_force(l), "a");
	install(l, "0b");
	assert_true(works_due_s(&l->works) <= now); /* nothing is waited for */
	(void)works_chores(&l->works, now);
	assert_non_null(revoked(l, "a"));
	assert_string_equal(in_force(l), "b");
}

/* Nothing is left that it could be used for: nobody loses anything by it. */
static void
the_last_number(void **state)
{
	struct lab *l = *state;

	remove_number(l, "12025550101", now);
	remove_number(l, "12025550100", now);
	(void)works_chores(&l->works, now);
	is_revoked(l, "a", "cessationOfOperation");
	assert_string_equal(in_force(l), "");
	/* No operator revoked it: what is configured later is ordered by itself. */
	assert_int_equal(revoke_check(&l->works, l->at, NULL), RC_OK);
}

static void
by_the_file(void **state)
{
	struct lab *l = *state;

	configure(l, TENANT(ONE, "port_revoke_after = 600"), now + 5);
	assert_int_equal(ported_waiting(&l->works), 1);
	install(l, "0b");
	(void)works_chores(&l->works, now + 5 + AFTER_S);
	assert_non_null(revoked(l, "a"));
}

/* One that an ordinary renewal had replaced before the number was removed. */
static void
one_before(void **state)
{
	struct lab *l = *state;

	install(l, "0bb");
	remove_number(l, "12025550101", now);
	assert_int_equal(ported_waiting(&l->works), 2);
	(void)works_chores(&l->works, now + AFTER_S);
	assert_non_null(revoked(l, "a"));
	assert_null(revoked(l, "bb"));
	assert_string_equal(in_force(l), "bb");
}

static void
comes_back(void **state)
{
	struct lab *l = *state;

	remove_number(l, "12025550101", now);
	configure(l, TENANT(BOTH, "port_revoke_after = 600"), now + 1);
	assert_int_equal(ported_waiting(&l->works), 1); /* the command still holds */
	works_done(&l->works);
	assert_int_equal(store_remove("state/front/numbers/acme.json", NULL), RC_OK);
	start(l, now + 2);
	(void)works_chores(&l->works, now + 2);
	assert_int_equal(ported_waiting(&l->works), 0);
	install(l, "0bb");
	(void)works_chores(&l->works, now + AFTER_S);
	assert_null(revoked(l, "a"));
}

static void
survives(void **state)
{
	struct lab *l = *state;

	remove_number(l, "12025550101", now);
	install(l, "0b");
	works_done(&l->works);
	start(l, now + 300);
	assert_int_equal(ported_waiting(&l->works), 1);
	assert_string_equal(in_force(l), "b");
	(void)works_chores(&l->works, now + AFTER_S - 1);
	assert_null(revoked(l, "a"));
	(void)works_chores(&l->works, now + AFTER_S); /* counted from the removal */
	assert_non_null(revoked(l, "a"));
	works_done(&l->works);
	start(l, now + AFTER_S);
	(void)works_chores(&l->works, now + AFTER_S);
	assert_int_equal(ported_waiting(&l->works), 0);
	assert_non_null(revoked(l, "a"));
}

/* The removal was confirmed and its record lost: the next start finds it out. */
static void
unrecorded(void **state)
{
	struct lab *l = *state;

	assert_int_equal(store_write("state/front/ported", span_str("x"), 0600, NULL), RC_OK);
	remove_number(l, "12025550101", now);
	assert_int_equal(ported_waiting(&l->works), 0);
	install(l, "0b");
	(void)works_chores(&l->works, now + AFTER_S);
	assert_null(revoked(l, "a")); /* recorded before it is acted on */
	assert_int_equal(store_remove("state/front/ported", NULL), RC_OK);
	for (int i = 0; i < 3; i++)
		(void)works_chores(&l->works, now + AFTER_S + 100 * i);
	assert_int_equal(ported_waiting(&l->works), 1);
	(void)works_chores(&l->works, now + 3 * AFTER_S);
	assert_non_null(revoked(l, "a"));
}

static void
never(void **state)
{
	struct lab *l = *state;

	remove_number(l, "12025550101", now);
	install(l, "0b");
	(void)works_chores(&l->works, now + LIFE_S - 1);
	assert_null(revoked(l, "a"));
	assert_int_equal(credset_credential(l->works.set, l->at)->port_revoke_at_s, 0);
}

static void
expires_before(void **state)
{
	struct lab *l = *state;

	remove_number(l, "12025550101", now);
	install(l, "0b");
	(void)works_chores(&l->works, now + LIFE_S);
	assert_null(revoked(l, "a"));
	assert_int_equal(ported_waiting(&l->works), 1);
	(void)works_chores(&l->works, now + LIFE_S + 100);
	assert_null(revoked(l, "a"));
	assert_int_equal(ported_waiting(&l->works), 0);
}

/* What was changed cannot be read: the tenant has no numbers, and none was removed. */
static void
numbers_that_are_lost(void **state)
{
	struct lab *l = *state;

	works_done(&l->works);
	assert_int_equal(
	    store_write("state/front/numbers/acme.json", span_str("x"), 0600, NULL), RC_OK);
	start(l, now);
	(void)works_chores(&l->works, now + AFTER_S);
	assert_int_equal(ported_waiting(&l->works), 0);
	assert_string_equal(in_force(l), "a");
}

static void
is_shown(void **state)
{
	struct lab *l = *state;
	json_auto_t *result = json_object();
	const json_t *row;

	remove_number(l, "12025550101", now);
	assert_int_equal(history_show(&l->works, l->at, now, result, NULL), RC_OK);
	row = json_array_get(json_object_get(result, "certificates"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "revoke_at")), now + AFTER_S);
}

int
main(void)
{
#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, close_lab)
	static const struct CMUnitTest tests[] = {
		TEST(outlives_it, open_after),
		TEST(at_once, open_at_once),
		TEST(the_last_number, open_at_once),
		TEST(by_the_file, open_after),
		TEST(one_before, open_after),
		TEST(comes_back, open_after),
		TEST(survives, open_after),
		TEST(unrecorded, open_after),
		TEST(never, open_never),
		TEST(expires_before, open_late),
		TEST(numbers_that_are_lost, open_at_once),
		TEST(is_shown, open_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
