/* renew: the state machine against scripted parties, with one failure at each call in turn */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent/release.h"
#include "agent/renewer/awaited.h"
#include "agent/renewer/lane.h"
#include "agent/renewer/renew.h"
#include "tests/unit/cm.h"
#include "tests/unit/renew_world.h"
#include "tests/unit/rows.h"

static bool
all_installed(const struct world *w)
{
	for (size_t i = 0; i < w->creds; i++) {
		if (!w->cred[i].removed &&
		    (w->cred[i].installs == 0 || world_state(w, i) != RENEW_IDLE))
			return false;
	}
	return true;
}

static bool
installed_twice(const struct world *w)
{
	return w->cred[0].installs >= 2;
}

static bool
installed_thrice(const struct world *w)
{
	return w->cred[0].installs >= 3;
}

static bool
has_problem(const struct world *w)
{
	return w->cred[0].problem[0] != 0;
}

#define ACCOUNT "https://ca.test/acct/1"
#define JSON	"application/json"
#define VALID	"{\"status\":\"valid\"}"

/* RFC 8555 section 7.3 */
static struct world_account account_cases[] = {
	{ "no Location", 201, JSON, VALID, NULL, "acme_account:", false },
	{ "a Location elsewhere", 201, JSON, VALID, "https://elsewhere.test/acct/1",
	    "acme_origin:", true },
	{ "the same without TLS", 201, JSON, VALID, "http://ca.test/acct/1",
	    "acme_origin:", true },
	{ "deactivated", 200, JSON, "{\"status\":\"deactivated\"}", ACCOUNT,
	    "acme_account:", true },
	{ "a plain 403", 403, "text/html", "<html>", NULL, "http_status:", true },
	{ "a 403 with words", 403, JSON, "{\"message\":\"Forbidden\"}", NULL,
	    "acme_problem:", true },
	{ "a redirection", 302, "text/html", "", ACCOUNT, "http_status:", true },
	{ "500", 500, "text/html", "", NULL, "http_status:", false },
	{ "503 with an account", 503, JSON, VALID, ACCOUNT, "acme_problem:", false },
};

/* Said, asked at a pace, nothing ordered; a good answer makes it well by itself. */
static void
odd_account(void **state)
{
	struct world w;

	world_open(&w, 1);
	w.odd_account = *state;
	assert_true(world_until(&w, has_problem, 30));
	assert_int_equal(
	    strncmp(w.cred[0].problem, w.odd_account->problem, strlen(w.odd_account->problem)),
	    0);
	world_pass(&w, 60);
	assert_int_equal(w.account_problem[0] != 0, w.odd_account->final);
	assert_in_range(w.registrations, 1, 12);
	assert_int_equal(w.orders, 0);
	w.odd_account = NULL;
	assert_true(world_until(&w, all_installed, 400));
	assert_string_equal(w.account_problem, "");
	world_close(&w);
}

static unsigned
calls_of_a_good_run(void)
{
	struct world w;
	unsigned calls;

	world_open(&w, 1);
	assert_true(world_until(&w, all_installed, 60));
	calls = w.calls;
	world_close(&w);
	return calls;
}

/* D-31 */
static void
good_run(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	assert_true(world_until(&w, all_installed, 5));
	assert_int_equal(w.orders, 1);
	assert_int_equal(w.registrations, 1);
	world_pass(&w, 2);
	assert_string_equal(w.cred[0].problem, "");
	assert_int_equal(w.account_words, 1); /* it is well: said once */
	assert_string_equal(w.account_problem, "");
	/* Status hears of every step that takes a turn, in their order. */
	assert_non_null(strstr(w.cred[0].steps, "token,"));
	assert_true(strstr(w.cred[0].steps, "order,") > strstr(w.cred[0].steps, "token,"));
	assert_true(strstr(w.cred[0].steps, "install,") > strstr(w.cred[0].steps, "order,"));
	/* Between two thirds and three quarters of the hour. */
	assert_in_range(
	    w.cred[0].renew_at_s, w.cred[0].not_before_s + 2400, w.cred[0].not_before_s + 2700);
	assert_true(world_until(&w, installed_thrice, 3 * 2702));
	assert_int_equal(w.orders, 3);
	assert_int_equal(w.tokens, 6); /* a fresh one for each authorization */
	assert_int_equal(w.registrations, 1);
	world_close(&w);
}

static struct fault_case {
	const char *name;
	enum world_fault fault;
	int64_t within_s;
	size_t orders;
} fault_cases[] = {
	{ "lost at each call", FAULT_LOST, 60, 2 },
	{ "unheard at each call", FAULT_UNHEARD, 60, 2 },
	{ "unavailable at each call", FAULT_UNAVAILABLE, 60, 2 },
	{ "garbage at each call", FAULT_GARBAGE, 60, 2 },
	{ "bad nonce at each call", FAULT_BAD_NONCE, 5, 1 },
	{ "denied at each call", FAULT_DENIED, 400, 2 },
};

static void
one_failure(void **state)
{
	const struct fault_case *c = *state;
	unsigned calls = calls_of_a_good_run(), told = 0;

	assert_in_range(calls, 15, 60);
	for (unsigned n = 1; n <= calls; n++) {
		struct world w;

		world_open(&w, 1);
		w.fail_at = n;
		w.fault = c->fault;
		if (!world_until(&w, all_installed, c->within_s))
			fail_msg("call %u: %s", n, w.cred[0].problem);
		assert_true(w.fault_struck);
		assert_in_range(w.orders, 1, c->orders);
		assert_int_equal(w.cred[0].installs, 1);
		world_pass(&w, 20);
		assert_int_equal(w.cred[0].installs, 1);
		assert_string_equal(w.cred[0].problem, "");
		assert_string_equal(w.account_problem, "");
		told += w.account_words == 3; /* well, not, and well again */
		world_close(&w);
	}
	/* Where the account is refused it is an alarm; what may pass is none. */
	assert_int_equal(told > 0, c->fault == FAULT_DENIED);
}

/* Whatever fails for good, from any call on: the parties are not hammered. */
static void
nothing_works(void **state)
{
	static const enum world_fault faults[] = { FAULT_LOST, FAULT_UNAVAILABLE, FAULT_GARBAGE,
		FAULT_BAD_NONCE, FAULT_DENIED };
	unsigned calls = calls_of_a_good_run();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		for (unsigned n = 1; n <= calls; n += 3) {
			struct world w;

			world_open(&w, 1);
			w.fail_at = n;
			w.fail_always = true;
			w.fault = faults[i];
			world_pass(&w, 600);
			/* The ladder has fourteen rungs in ten minutes, badNonce eight more each. */
			assert_true(w.calls < n + (faults[i] == FAULT_BAD_NONCE ? 500 : 250));
			/* After the last POST a nonce no longer matters. */
			assert_true(w.cred[0].installs == 0 || faults[i] == FAULT_BAD_NONCE);
			w.fail_at = 0;
			assert_true(world_until(&w, all_installed, 1200));
			world_close(&w);
		}
	}
}

/* Killed after each turn, when every answer is there and nothing new was asked. */
static void
killed_at_each_turn(void **state)
{
	bool done = false;

	(void)state;
	for (unsigned n = 1; !done; n++) {
		struct world w;

		world_open(&w, 1);
		for (unsigned turn = 0; turn < n; turn++)
			(void)world_turn(&w);
		done = all_installed(&w);
		world_kill(&w);
		assert_true(world_until(&w, all_installed, 30));
		assert_int_equal(w.cred[0].installs, 1);
		assert_in_range(w.orders, 1, 2);
		world_pass(&w, 100);
		assert_int_equal(w.problems, 0);
		assert_int_equal(w.cred[0].installs, 1);
		world_close(&w);
		assert_true(n < 200);
	}
}

/* The answer to a call is lost with the process, what it did is not. */
static void
killed_with_calls_under_way(void **state)
{
	unsigned calls = calls_of_a_good_run();

	(void)state;
	for (unsigned n = 1; n <= calls; n++) {
		struct world w;

		world_open(&w, 1);
		while (w.calls < n) {
			(void)renew_run(w.renew);
			if (w.calls < n)
				(void)world_turn(&w);
		}
		world_kill(&w);
		assert_true(world_until(&w, all_installed, 30));
		assert_int_equal(w.cred[0].installs, 1);
		world_close(&w);
	}
}

/*
 * Killed again and again wherever it is, with calls under way or not, under
 * certificates of five minutes: what is in force never lapses for that, and
 * each kill costs one order at most.  RENEW_KILLS=500, RENEW_SEED=… (printed)
 */
static void
killed_at_random_points(void **state)
{
	const char *kills_text = getenv("RENEW_KILLS"), *seed_text = getenv("RENEW_SEED");
	unsigned kills = kills_text != NULL ? (unsigned)strtoul(kills_text, NULL, 10) : 25;
	unsigned seed = seed_text != NULL ? (unsigned)strtoul(seed_text, NULL, 10)
					  : (unsigned)getpid() ^ (unsigned)time(NULL);
	unsigned renewals;
	struct world w;

	(void)state;
	printf("# RENEW_SEED=%u RENEW_KILLS=%u\n", seed, kills);
	srandom(seed);
	world_open(&w, 2);
	w.life_s = 300;
	assert_true(world_until(&w, all_installed, 30));
	for (unsigned n = 0; n < kills; n++) {
		/* Most of them inside of a renewal: an operator asks for one. */
		if (random() % 2 == 0)
			world_event(&w, "renew", w.cred[random() % 2].name);
		for (long turns = random() % 40; turns > 0; turns--) {
			(void)world_turn(&w);
			for (size_t i = 0; i < w.creds; i++)
				assert_true(w.cred[i].not_after_s > w.now_ms / 1000);
		}
		if (random() % 2 == 0)
			(void)renew_run(w.renew);
		world_kill(&w);
	}
	renewals = w.installs;
	assert_true(world_until(&w, all_installed, 60));
	world_pass(&w, 300);
	assert_true(w.installs >= renewals + 2); /* it goes on */
	assert_true(w.orders <= w.installs + kills);
	world_close(&w);
}

static void
refused_certificate(void **state)
{
	struct world w;
	int64_t since_s;

	(void)state;
	world_open(&w, 1);
	w.refuse_install = true;
	assert_true(world_until(&w, has_problem, 10));
	assert_string_equal(w.cred[0].problem, "credential_unusable: by script");
	since_s = w.cred[0].failing_s;
	assert_in_range(since_s, w.now_ms / 1000 - 10, w.now_ms / 1000);
	assert_int_equal(world_state(&w, 0), RENEW_IDLE);
	world_pass(&w, 55);
	assert_int_equal(w.orders, 1);
	world_kill(&w); /* the wait survives */
	w.cred[0].failing_s = 0;
	world_pass(&w, 3);
	assert_int_equal(w.orders, 1);
	assert_int_equal(w.cred[0].failing_s, since_s); /* and since when it fails */
	world_event(&w, "plan", ""); /* what concerns others does not cut it short */
	world_pass(&w, 1);
	assert_int_equal(w.orders, 1);
	world_pass(&w, 9);
	assert_int_equal(w.orders, 2);
	world_pass(&w, 100); /* the second wait is twice as long */
	assert_int_equal(w.orders, 2);
	assert_int_equal(w.cred[0].failing_s, since_s);
	w.refuse_install = false;
	world_event(&w, "renew", "c00");
	assert_true(world_until(&w, all_installed, 5));
	world_pass(&w, 1);
	assert_int_equal(w.orders, 3);
	assert_int_equal(w.cred[0].failing_s, 0);
	world_close(&w);
}

/* The CA is away before any step of it: since when is known after a kill all the same. */
static void
failing_before_a_step(void **state)
{
	struct world w;
	int64_t since_s;

	(void)state;
	world_open(&w, 1);
	w.fault = FAULT_LOST;
	w.fail_always = true;
	w.fail_at = w.calls + 2; /* the plan comes */
	assert_true(world_until(&w, has_problem, 60));
	world_pass(&w, 2);
	since_s = w.cred[0].failing_s;
	assert_true(since_s > 0);
	world_pass(&w, 30);
	world_kill(&w);
	w.fail_at = w.calls + 2;
	w.cred[0].failing_s = 0;
	w.cred[0].problem[0] = 0;
	assert_true(world_until(&w, has_problem, 60));
	assert_int_equal(w.cred[0].failing_s, since_s);
	world_close(&w);
}

static void
refused_while_one_is_in_force(void **state)
{
	struct world w;
	int64_t due_s;

	(void)state;
	world_open(&w, 1);
	assert_true(world_until(&w, all_installed, 5));
	w.refuse_install = true;
	assert_true(world_until(&w, has_problem, 2800));
	due_s = w.cred[0].not_after_s - w.now_ms / 1000;
	world_pass(&w, due_s / 4 - 5);
	assert_int_equal(w.orders, 2);
	world_pass(&w, 10);
	assert_int_equal(w.orders, 3);
	world_close(&w);
}

/* V-01, V-13, RFC 9060 s8.1 */
static void
short_lived(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	w.life_s = 60;
	w.processing = true;
	assert_true(world_until(&w, all_installed, 10));
	for (unsigned i = 0; i < 20; i++) {
		unsigned before = w.cred[0].installs;
		int64_t end_s = w.cred[0].not_after_s;

		while (w.cred[0].installs == before)
			(void)world_turn(&w);
		assert_true(w.now_ms / 1000 < end_s - 20);
		assert_true(w.now_ms / 1000 >= end_s - 35);
	}
	world_close(&w);
}

static size_t
len_of_the_first_chain(void)
{
	struct world w;
	size_t len;

	world_open(&w, 1);
	assert_true(world_until(&w, all_installed, 10));
	len = w.chain_len;
	world_close(&w);
	return len;
}

/* The first chain that leads to an anchor, else the first (RFC 8555 s7.4.2). */
static void
alternates_are_looked_at(void **state)
{
	size_t first = len_of_the_first_chain();
	struct world w;

	(void)state;
	for (unsigned home = 0; home <= 2; home++) {
		world_open(&w, 1);
		w.alternates = 2;
		w.home = home;
		assert_true(world_until(&w, all_installed, 10));
		assert_true(home == 0 ? w.chain_len == first : w.chain_len > first + 100);
		assert_true(world_until(&w, installed_thrice, 3 * 2702)); /* and each time */
		world_close(&w);
	}
}

/* One that could not be had may be the one that leads home: none is offered in its place. */
static void
an_alternate_that_fails(void **state)
{
	static const enum world_fault faults[] = { FAULT_LOST, FAULT_UNAVAILABLE };
	size_t first = len_of_the_first_chain();
	bool struck = true;

	(void)state;
	for (unsigned n = 1; struck; n++) {
		for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
			struct world w;

			world_open(&w, 1);
			w.alternates = 2;
			w.home = 1;
			w.fail_at = n;
			w.fault = faults[i];
			assert_true(world_until(&w, all_installed, 60));
			assert_int_equal(w.cred[0].installs, 1);
			assert_true(w.chain_len > first + 100);
			struck = w.fault_struck;
			world_close(&w);
		}
	}
}

/* draft-ietf-acme-profiles */
static struct profile_case {
	const char *name;
	const char *offered, *ordered; /* asked for: "short" */
	const char *problem;	       /* NULL: issued */
} profile_cases[] = {
	{ "a profile (RFC 8555 s7.4)", "short", "short", NULL },
	{ "no profiles", NULL, "short", "acme_profile: ca lab offers" },
	{ "other profiles", "long", "short", "acme_profile: ca lab offers" },
	{ "an order of another", "short", "long", "acme_profile: ca lab: the order" },
	{ "an order of none", "short", NULL, "acme_profile: ca lab: the order" },
};

/* What is not offered is not asked for; what was not asked for is not finalized. */
static void
profiles(void **state)
{
	const struct profile_case *c = *state;
	struct world w;

	world_open(&w, 1);
	w.profile = "short";
	w.offered = c->offered;
	w.order_profile = c->ordered;
	world_kill(&w);
	if (c->problem != NULL) {
		assert_true(world_until(&w, has_problem, 10));
		assert_int_equal(strncmp(w.cred[0].problem, c->problem, strlen(c->problem)), 0);
		assert_int_equal(w.orders, strstr(c->problem, "offers") == NULL);
		world_pass(&w, 30);
		assert_int_equal(w.cred[0].installs, 0);
	}
	w.offered = w.order_profile = "short";
	/* Whoever lacks it is looked at again by itself. */
	assert_true(world_until(&w, all_installed, 300));
	world_close(&w);
}

static struct x5u_case {
	const char *name;
	const char *url;
	bool other, gone;
	const char *problem; /* NULL: installed */
	bool again;	     /* by itself, and with the same order */
} x5u_cases[] = {
	{ "x5u of the order (RFC 9448 s7)", "https://x5u.test/c/leaf.pem", false, false, NULL,
	    false },
	{ "an order without x5u", NULL, false, false, "acme_x5u:", false },
	{ "x5u over http", "http://x5u.test/c/leaf.pem", false, false, "acme_x5u:", false },
	{ "x5u elsewhere", "https://x5u.example/c/leaf.pem", false, false, "acme_x5u:", false },
	{ "x5u of another directory", "https://x5u.test/d/leaf.pem", false, false,
	    "acme_x5u:", false },
	{ "x5u that serves another chain", "https://x5u.test/c/leaf.pem", true, false,
	    "x5u_differs:", true },
	{ "x5u that serves nothing", "https://x5u.test/c/leaf.pem", false, true,
	    "x5u_unserved: the x5u of the order: HTTP 404", true },
};

/* Nothing is offered to install before verifiers find it. */
static void
x5u_of_the_order(void **state)
{
	const struct x5u_case *c = *state;
	struct world w;
	size_t orders;

	world_open(&w, 1);
	w.x5u_from_order = true;
	w.order_x5u = c->url;
	w.alternates = w.home = 1; /* a chain that is one */
	w.x5u_other = c->other;
	w.x5u_gone = c->gone;
	world_kill(&w);
	if (c->problem != NULL) {
		assert_true(world_until(&w, has_problem, 10));
		assert_int_equal(strncmp(w.cred[0].problem, c->problem, strlen(c->problem)), 0);
		assert_int_equal(w.cred[0].installs, 0);
	}
	orders = w.orders;
	w.order_x5u = "https://x5u.test/c/leaf.pem";
	w.x5u_other = w.x5u_gone = false;
	if (c->again)
		world_kill(&w); /* it is in the record */
	assert_int_equal(world_until(&w, all_installed, 20), c->again || c->problem == NULL);
	assert_true(world_until(&w, all_installed, 100));
	assert_int_equal(w.orders - orders, c->problem == NULL || c->again ? 1 - orders : 1);
	assert_string_equal(w.installed_x5u, "https://x5u.test/c/leaf.pem");
	world_close(&w);
}

static void
open_series(struct world *w, bool by_get)
{
	world_open(w, 1);
	w->star_s = w->life_s;
	w->star_offered_s = 60;
	w->star_end = "2027-01-15T13:00:00Z"; /* in five lifetimes */
	w->star_get = by_get;
	world_kill(w);
}

/* RFC 8739 s3.3, s3.4: one order for all of them, with or without the account; a restart too */
static void
a_series(void **state)
{
	struct world w;

	(void)state;
	for (int by_get = 0; by_get <= 1; by_get++) {
		open_series(&w, by_get != 0);
		assert_true(world_until(&w, all_installed, 20));
		assert_string_equal(w.finalized_order, "https://ca.test/order/0");
		assert_string_equal(w.installed_order, "https://ca.test/order/0");
		world_kill(&w);
		assert_true(world_until(&w, installed_thrice, 3 * 3600));
		assert_string_equal(w.installed_order, "https://ca.test/order/0");
		assert_int_equal(w.orders, 1);
		assert_int_equal(w.star_orders, 1);
		assert_int_equal(w.star_gets > 0, by_get);
		assert_int_equal(w.star_posts > 0, !by_get);
		/* At its end, and where an operator wants it, it is ordered anew. */
		world_event(&w, "renew", w.cred[0].name);
		world_pass(&w, 30);
		assert_int_equal(w.orders, 2);
		assert_string_equal(w.installed_order, "https://ca.test/order/1");
		world_close(&w);
	}
}

static struct series_case {
	const char *name;
	const char *problem; /* of the CA in the place of a certificate; NULL: none */
	bool late;	     /* the next one does not come */
	int64_t before_s;    /* ordered anew after at most so much of its hour */
} series_cases[] = {
	{ "canceled by the CA (RFC 8739 s6.3)", "autoRenewalCanceled", false, 2400 },
	{ "expired (RFC 8739 s6.3)", "autoRenewalExpired", false, 2400 },
	{ "refused", "unauthorized", false, 2400 },
	{ "a CA that fails", "serverInternal", false, 2880 },
	{ "late (RFC 8739 s3.3)", NULL, true, 2880 },
};

static bool
second_order(const struct world *w)
{
	return w->orders == 2 && w->cred[0].installs == 2;
}

/* A series that yields nothing is ordered anew while a quarter of the life is left. */
static void
a_series_ends(void **state)
{
	const struct series_case *c = *state;
	struct world w;

	open_series(&w, false);
	assert_true(world_until(&w, all_installed, 20));
	w.star_problem = c->problem;
	w.star_late = c->late;
	world_pass(&w, 1600);
	assert_int_equal(w.orders, 1);
	for (int64_t passed_s = 1600; w.orders < 2 && passed_s < c->before_s; passed_s += 10)
		world_pass(&w, 10);
	w.star_problem = NULL;
	w.star_late = false;
	assert_true(world_until(&w, second_order, 120));
	assert_string_equal(w.installed_order, "https://ca.test/order/1");
	world_close(&w);
}

/* It was ordered a moment ago: an alarm, and no order after the other. */
static void
a_fresh_series_is_refused(void **state)
{
	struct world w;

	(void)state;
	open_series(&w, false);
	w.star_problem = "autoRenewalCanceled";
	w.star_problem_to = 9;
	assert_true(world_until(&w, has_problem, 20));
	world_pass(&w, 30);
	assert_int_equal(w.orders, 1);
	w.star_problem = NULL;
	assert_true(world_until(&w, all_installed, 100));
	world_close(&w);
}

static struct star_case {
	const char *name;
	int64_t offered_s; /* the shortest; 0: no series */
	const char *end;   /* of the order; NULL: none */
	const char *problem;
} star_cases[] = {
	{ "no series are offered (RFC 8739 s3.2)", 0, "2027-01-15T13:00:00Z",
	    "acme_star: ca lab renews nothing" },
	{ "only longer ones (RFC 8739 s3.2)", 7200, "2027-01-15T13:00:00Z",
	    "acme_star: ca lab: star_lifetime_s is at least 7200" },
	{ "an order that is none", 60, NULL, "acme_star: ca lab: the order is no series" },
	{ "an order that ends later", 60, "2027-01-16T13:00:00Z",
	    "acme_star: ca lab: the order is no series" },
	{ "an order that has ended", 60, "2026-01-15T13:00:00Z",
	    "acme_star: ca lab: the order is no series" },
	{ "an order that ends some day", 60, "soon",
	    "acme_star: ca lab: the order is no series" },
};

/* RFC 8739 s3.1.1 */
static void
no_series(void **state)
{
	const struct star_case *c = *state;
	struct world w;

	open_series(&w, false);
	w.star_offered_s = c->offered_s;
	w.star_end = c->end;
	world_kill(&w);
	assert_true(world_until(&w, has_problem, 10));
	assert_int_equal(strncmp(w.cred[0].problem, c->problem, strlen(c->problem)), 0);
	assert_int_equal(w.cred[0].installs, 0);
	assert_string_equal(w.finalized_order, "");
	world_close(&w);
}

/* While the CA is away nothing waits longer than an eighth of what is left of the life. */
static void
an_outage_does_not_outlast_the_certificate(void **state)
{
	struct world w;
	int64_t end_s;

	(void)state;
	world_open(&w, 1);
	assert_true(world_until(&w, all_installed, 5));
	end_s = w.cred[0].not_after_s;
	assert_true(world_until(&w, has_problem, 1) == false);
	while (w.now_ms / 1000 <
	       end_s - 120) { /* every call fails until two minutes before the end */
		w.fail_at = w.calls + 1;
		w.fault = FAULT_LOST;
		(void)world_turn(&w);
	}
	w.fail_at = 0;
	assert_true(world_until(&w, installed_twice, 100));
	world_close(&w);
}

static void
many_at_once(void **state)
{
	struct world w;
	int64_t first_s = INT64_MAX, last_s = 0;

	(void)state;
	world_open(&w, WORLD_CREDENTIALS);
	assert_true(world_until(&w, all_installed, 120));
	assert_int_equal(w.orders, WORLD_CREDENTIALS);
	/* Of the CA and of the authority. */
	assert_in_range(w.steps_most, CONFIG_PARTY_STEPS, 2 * CONFIG_PARTY_STEPS);
	/* A mass issue comes back spread over more than a third of the life. */
	world_pass(&w, 30);
	for (size_t i = 0; i < w.creds; i++) {
		int64_t at_s = w.cred[i].renew_at_s - w.cred[i].not_before_s;

		assert_in_range(at_s, 1380, 2705);
		first_s = at_s < first_s ? at_s : first_s;
		last_s = at_s > last_s ? at_s : last_s;
	}
	assert_true(last_s - first_s > 1100);
	world_close(&w);
}

/* ---- whose turn it is ---- */

/* The first of them are of a tenant and an authority that give trouble. */
enum { TROUBLED = 40, WELL = 8 };

static bool
well_installed(const struct world *w)
{
	for (size_t i = TROUBLED; i < TROUBLED + WELL; i++) {
		if (w->cred[i].installs == 0)
			return false;
	}
	return true;
}

static void
open_troubled(struct world *w, bool two_tenants)
{
	world_open(w, TROUBLED + WELL);
	for (size_t i = 0; i < w->creds; i++) {
		w->cred[i].other_authority = i < TROUBLED;
		if (i >= TROUBLED && two_tenants)
			w->cred[i].tenant[0] = 'u';
	}
}

/* Thirty seconds each are its own affair: who asks another authority does not see them. */
static void
an_authority_that_hangs(void **state)
{
	struct world w;

	(void)state;
	open_troubled(&w, false);
	w.hangs = true;
	assert_true(world_until(&w, well_installed, 2));
	/* Known to be broken, it is asked by two at a time, until it answers. */
	world_pass(&w, 31);
	w.hanging_most = 0;
	world_pass(&w, 300);
	assert_in_range(w.hanging_most, 1, LANE_PROBES);
	w.hangs = false;
	assert_true(world_until(&w, all_installed, 35));
	world_close(&w);
}

/* An authority that hangs for one tenant alone has a place for the others. */
static void
a_tenant_that_makes_it_hang(void **state)
{
	struct world w;

	(void)state;
	open_troubled(&w, true);
	for (size_t i = TROUBLED; i < w.creds; i++) {
		w.cred[i].other_authority = true;
		w.cred[i].removed = true;
	}
	w.hangs_for_t = true;
	world_pass(&w, 3);
	assert_int_equal(w.hanging_most, lane_share(CONFIG_PARTY_STEPS));
	for (size_t i = TROUBLED; i < w.creds; i++)
		w.cred[i].removed = false;
	world_event(&w, "changed", "");
	assert_true(world_until(&w, well_installed, 2));
	world_close(&w);
}

/* The same while the configuration changes all the time, as it does where numbers are ported. */
static void
reloads_while_it_hangs(void **state)
{
	struct world w;

	(void)state;
	open_troubled(&w, false);
	w.hangs = true;
	while (w.hanging_most == 0)
		(void)world_turn(&w);
	for (unsigned i = 0; i < 20; i++) {
		world_reload(&w);
		world_pass(&w, 1);
	}
	assert_true(well_installed(&w));
	w.hangs = false;
	assert_true(world_until(&w, all_installed, 65));
	world_close(&w);
}

/* All are due after an outage: begun at their pace, whatever becomes of the configuration. */
static void
reloads_keep_the_pace(void **state)
{
	struct world w;
	size_t before;

	(void)state;
	world_open(&w, WORLD_CREDENTIALS);
	assert_true(world_until(&w, all_installed, 120));
	world_pass(&w, 5);
	w.now_ms += 2450 * 1000;
	before = w.orders;
	for (unsigned i = 0; i < 4; i++) {
		world_reload(&w);
		(void)world_turn(&w);
		world_reload(&w);
		world_pass(&w, 10);
	}
	/* Sixty-four of an hour's life: one in sixteen seconds. */
	assert_in_range(w.orders - before, 2, 4);
	world_close(&w);
}

/* Told once each way, also by a renewer that was not there when it was refused. */
static void
the_right_is_refused(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	w.cred[0].constraints = false;
	w.refuse_right = "unauthorized";
	assert_true(world_until(&w, has_problem, 60));
	world_pass(&w, 2);
	assert_int_equal(w.rights_refused, 1);
	assert_int_equal(strncmp(w.cred[0].problem, "rtu_refused:", 12), 0);
	assert_null(strstr(w.cred[0].problem, "12025550100"));
	world_kill(&w);
	w.cred[0].constraints = false;
	w.refuse_right = NULL;
	w.now_ms += 400000;
	assert_true(world_until(&w, all_installed, 600));
	assert_int_equal(w.rights_granted, 1);
	w.now_ms += 3600 * 1000;
	assert_true(world_until(&w, installed_twice, 3600));
	assert_int_equal(w.rights_granted, 1);
	assert_int_equal(w.rights_refused, 1);
	world_close(&w);
}

static void
other_refusals_are_no_word_of_a_right(void **state)
{
	static const char *const kinds[] = { "rateLimited", "serverInternal",
		"userActionRequired", "externalAccountRequired", "malformed" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct world w;

		world_open(&w, 1);
		w.cred[0].constraints = false;
		w.refuse_right = kinds[i];
		assert_true(world_until(&w, has_problem, 60));
		world_pass(&w, 2);
		assert_int_equal(w.rights_refused + w.rights_granted, 0);
		world_close(&w);
	}
}

static void
no_more_than_the_rate(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TROUBLED);
	w.rate_per_minute = 60;
	world_kill(&w);
	for (size_t i = 0; i < w.creds; i++)
		w.cred[i].constraints = false;
	world_pass(&w, 10);
	assert_in_range(w.tokens, 9, 12);
	world_pass(&w, 10);
	assert_in_range(w.tokens, 19, 22);
	assert_true(world_until(&w, all_installed, TROUBLED));
	assert_int_equal(w.tokens, TROUBLED);
	world_close(&w);
}

/* What lapses goes first, then who has nothing, then the rest by its end: all are due. */
static void
the_least_time_left_first(void **state)
{
	/* Of an hour: installed so long ago; -1: nothing is in force. */
	static const int age_s[] = { 2000, -1, 2600, 3500, 2650, 3000, -1, 2640 };
	/* While one waits for the CA the next goes on, so one may pass another. */
	static const unsigned first[] = { 8, 3, 7, 1, 4, 2, 3, 4 };
	static const unsigned last[] = { 8, 5, 7, 1, 6, 2, 5, 6 };
	struct world w;

	(void)state;
	world_open(&w, ARRAY_LEN(age_s));
	w.concurrency = 1;
	world_kill(&w);
	for (size_t i = 0; i < w.creds; i++) {
		w.cred[i].installs = age_s[i] >= 0;
		w.cred[i].as_configured = false;
		w.cred[i].not_before_s = w.now_ms / 1000 - age_s[i];
		w.cred[i].not_after_s = w.cred[i].not_before_s + 3600;
	}
	world_pass(&w, 20);
	for (size_t i = 0; i < w.creds; i++)
		assert_in_range(w.cred[i].installed_as, first[i], last[i]);
	world_close(&w);
}

static void
narrower_is_ordered_as_it_is(void **state)
{
	struct world w;
	unsigned orders;

	(void)state;
	world_open(&w, 1);
	w.grant_narrower = true;
	w.cred[0].as_configured = false; /* as the front sees it */
	assert_true(world_until(&w, all_installed, 5));
	assert_non_null(w.cred[0].ordered);
	orders = (unsigned)w.orders;
	/* And not again and again because it is not what the configuration asks for. */
	world_event(&w, "changed", "");
	world_pass(&w, 600);
	world_kill(&w);
	world_pass(&w, 600);
	assert_int_equal(w.orders, orders);
	world_close(&w);
}

/* V-62 */
static void
wider_is_refused(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	w.grant_wider = true;
	assert_true(world_until(&w, has_problem, 5));
	assert_int_equal(strncmp(w.cred[0].problem, "authtok_wider:", 14), 0);
	assert_int_equal(w.orders, 0);
	world_close(&w);
}

/* D-31 */
static void
tokens_that_expire_are_not_used(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	w.token_life_s = -1;
	assert_true(world_until(&w, has_problem, 5));
	assert_int_equal(strncmp(w.cred[0].problem, "authtoken_expired:", 18), 0);
	assert_int_equal(w.orders, 0);
	w.token_life_s = 3600;
	assert_true(world_until(&w, all_installed, 30));
	world_close(&w);
}

/* D-31: nor asked for without a pause, where none lives long enough to be used. */
static void
tokens_that_live_too_short(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	w.token_life_s = AUTHTOK_MARGIN_S;
	for (unsigned turn = 0; turn < 200; turn++)
		(void)world_turn(&w);
	assert_int_equal(strncmp(w.cred[0].problem, "authtoken_expired:", 18), 0);
	assert_in_range(w.tokens, 2, 20);
	w.token_life_s = 3600;
	assert_true(world_until(&w, all_installed, 70));
	world_close(&w);
}

/* By a clock that cannot be right nobody is asked for anything; then all goes on. */
static void
a_clock_before_the_release(void **state)
{
	unsigned calls;
	int64_t before_ms;
	struct world w;

	(void)state;
	world_open(&w, 2);
	before_ms = w.now_ms;
	for (unsigned turn = 0; turn < 8; turn++)
		(void)world_turn(&w);
	w.now_ms = (RELEASE_S - 100000) * 1000;
	(void)world_turn(&w); /* what was under way is answered */
	calls = w.calls;
	for (unsigned turn = 0; turn < 200; turn++)
		(void)world_turn(&w);
	assert_int_equal(w.calls, calls);
	assert_int_equal(w.installs, 0);
	w.now_ms = before_ms;
	assert_true(world_until(&w, all_installed, 700));
	world_close(&w);
}

/* Credentials vanish while anything of theirs is under way. */
static void
withdrawn_at_each_call(void **state)
{
	unsigned calls = calls_of_a_good_run();

	(void)state;
	for (unsigned n = 3; n <= calls; n++) {
		struct world w;

		world_open(&w, 1);
		while (w.calls < n)
			(void)world_turn(&w);
		w.cred[0].removed = true;
		world_event(&w, "changed", "");
		world_pass(&w, 3);
		assert_int_equal(world_state(&w, 0), RENEW__COUNT);
		world_pass(&w, 20);
		w.cred[0].removed = false;
		world_event(&w, "changed", "");
		assert_true(world_until(&w, all_installed, 10));
		world_close(&w);
	}
}

static void
reloaded_at_each_call(void **state)
{
	unsigned calls = calls_of_a_good_run();

	(void)state;
	for (unsigned n = 1; n <= calls; n++) {
		struct world w;

		world_open(&w, 1);
		while (w.calls < n)
			(void)world_turn(&w);
		world_reload(&w);
		assert_true(world_until(&w, all_installed, 10));
		assert_int_equal(w.cred[0].installs, 1);
		assert_int_equal(w.orders, 1);
		world_close(&w);
	}
}

static void
another_certificate_overtakes(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	w.refuse_install = true; /* so that it stays where it is for a minute */
	assert_true(world_until(&w, has_problem, 5));
	w.refuse_install = false;
	w.cred[0].installs = 1; /* by hand */
	snprintf(w.cred[0].serial, sizeof w.cred[0].serial, "ff");
	w.cred[0].not_before_s = w.now_ms / 1000;
	w.cred[0].not_after_s = w.cred[0].not_before_s + 3600;
	world_event(&w, "changed", "");
	world_pass(&w, 600);
	assert_int_equal(w.orders, 1);
	assert_string_equal(w.cred[0].problem, "");
	world_close(&w);
}

static void
the_clock_is_set_back(void **state)
{
	unsigned calls = calls_of_a_good_run();

	(void)state;
	for (unsigned n = 1; n <= calls; n++) {
		struct world w;

		world_open(&w, 1);
		w.fail_at = n;
		w.fault = FAULT_LOST;
		while (!w.fault_struck)
			(void)world_turn(&w);
		(void)world_turn(&w);
		w.now_ms -=
		    1800 * 1000LL; /* inside the validity of the parties' certificates */
		assert_true(world_until(&w, all_installed, 30));
		world_close(&w);
	}
}

static struct challenge_case {
	const char *name, *error, *problem;
	bool at_once; /* with a new order, before the minute of an alarm */
} challenge_cases[] = {
	{ "challenge: connection", "connection", "acme_connection:", true },
	{ "challenge: serverInternal", "serverInternal", "acme_server_internal:", true },
	{ "challenge: unauthorized", "unauthorized", "acme_unauthorized:", false },
	{ "challenge: incorrectResponse", "incorrectResponse",
	    "acme_incorrect_response:", false },
	{ "challenge: unknown", "novel", "acme_problem:", false },
};

static void
challenge_fails(void **state)
{
	const struct challenge_case *c = *state;
	struct world w;

	world_open(&w, 1);
	w.challenge_fails = c->error;
	assert_true(world_until(&w, has_problem, 10));
	assert_int_equal(strncmp(w.cred[0].problem, c->problem, strlen(c->problem)), 0);
	w.challenge_fails = NULL;
	assert_int_equal(world_until(&w, all_installed, 20), c->at_once);
	assert_true(world_until(&w, all_installed, 70));
	assert_int_equal(w.orders, 2);
	world_close(&w);
}

static void
an_operator_asks(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	assert_true(world_until(&w, all_installed, 5));
	world_event(&w, "renew", "nobody");
	world_pass(&w, 5);
	assert_int_equal(w.orders, 1);
	world_event(&w, "renew", "c00");
	assert_true(world_until(&w, installed_twice, 5));
	world_close(&w);
}

/* The renewer starts, and is asked before it knows which credentials there are. */
static void
an_operator_asks_before_the_plan(void **state)
{
	struct world w;

	for (unsigned lost = 0; lost < 2; lost++) {
		world_open(&w, 1);
		assert_true(world_until(&w, all_installed, 5));
		world_kill(&w);
		w.fail_at = lost ? w.calls + 1 : 0; /* the plan */
		w.fault = FAULT_LOST;
		world_event(&w, "renew", "c00");
		world_event(&w, "renew", "c00");
		assert_int_equal(w.orders, 1);
		assert_true(world_until(&w, installed_twice, 10));
		assert_int_equal(w.fault_struck, lost);
		world_pass(&w, 10);
		assert_int_equal(w.orders, 2); /* once is enough */
		world_close(&w);
	}
	(void)state;
}

/* It is there since its page went by: the plan after that one has it. */
static void
an_operator_asks_during_a_plan(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 9);
	w.cred[0].removed = true;
	assert_true(world_until(&w, all_installed, 20));
	w.cred[0] = (struct world_credential){ .name = "c00",
		.tenant = "t",
		.installs = 1,
		.serial = "77",
		.not_before_s = w.now_ms / 1000,
		.not_after_s = w.now_ms / 1000 + w.life_s,
		.as_configured = true,
		.removed = true };
	w.pages = 0;
	world_event(&w, "plan", "");
	while (w.pages == 0)
		(void)world_turn(&w);
	w.cred[0].removed = false;
	world_event(&w, "renew", "c00");
	assert_true(world_until(&w, installed_twice, 10));
	assert_int_equal(w.pages, 4);
	world_close(&w);
}

static void
nobody_is_awaited_for_ever(void **state)
{
	struct world w;
	char name[16];

	(void)state;
	world_open(&w, 1);
	assert_true(world_until(&w, all_installed, 5));
	w.pages = 0;
	for (unsigned i = 0; i <= AWAITED_MAX; i++) { /* one more than there is room for */
		snprintf(name, sizeof name, "n%u", i);
		world_event(&w, "renew", name);
	}
	world_event(&w, "renew", "..");
	world_event(&w, "renew", "");
	world_pass(&w, 60);
	assert_int_equal(w.pages, 1);
	assert_int_equal(w.orders, 1);
	world_event(&w, "renew", "c00");
	assert_true(world_until(&w, installed_twice, 5));
	world_close(&w);
}

static void
spoilt_records_begin_again(void **state)
{
	struct world w;
	struct fault f = { 0 };

	(void)state;
	world_open(&w, 1);
	while (w.orders == 0)
		(void)world_turn(&w);
	assert_int_equal(
	    store_write(w.store, STORE_ORDERS, "t.c00", span_str("{\"state\":"), &f), RC_OK);
	assert_int_equal(
	    store_write(w.store, STORE_ACCOUNTS, "lab", span_str("{\"kid\":1}"), &f), RC_OK);
	world_kill(&w);
	assert_true(world_until(&w, all_installed, 10));
	assert_int_equal(w.registrations, 2);
	world_close(&w);
}

/* ---- a command in the place of the CA ---- */

static void
open_command(struct world *w)
{
	world_open(w, 1);
	w->command = true;
	world_kill(w);
	w->calls = 0;
}

static struct pending *
command_of(struct world *w)
{
	for (size_t i = 0; i < w->waiting; i++) {
		if (w->pending[i].run_done != NULL)
			return &w->pending[i];
	}
	return NULL;
}

static struct wanted_case {
	const char *name;
	bool removed, changed, reloaded, clock, wanted;
} wanted_cases[] = {
	{ .name = "still wanted", .wanted = true },
	{ .name = "of one that is withdrawn", .removed = true },
	{ .name = "of what is asked for no longer", .changed = true },
	{ .name = "of before a reload", .reloaded = true },
	{ .name = "by a clock that cannot be right", .clock = true },
};

/* A command that waited for a place is not begun for what is over. */
static void
begun_if_wanted(void **state)
{
	const struct wanted_case *c = *state;
	struct pending *p = NULL;
	struct world w;

	open_command(&w);
	while ((p = command_of(&w)) == NULL)
		(void)world_turn(&w);
	p->due_ms = w.now_ms + (int64_t)365 * 86400 * 1000;
	assert_true(p->run_wanted(p->arg));
	if (c->clock)
		w.now_ms = (RELEASE_S - 100000) * 1000;
	w.cred[0].removed = c->removed;
	if (c->changed)
		w.cred[0].constraints = !w.cred[0].constraints;
	world_event(&w, "changed", "");
	if (c->reloaded)
		world_reload(&w);
	for (unsigned turn = 0; turn < 8; turn++)
		(void)world_turn(&w);
	p = command_of(&w);
	assert_true(p != NULL && p->run_wanted(p->arg) == c->wanted);
	world_close(&w);
}

/* No account, no token, no order; the schedule is that of any other. */
static void
by_command(void **state)
{
	struct world w;

	(void)state;
	open_command(&w);
	assert_true(world_until(&w, all_installed, 5));
	assert_int_equal(w.runs, 1);
	assert_int_equal(w.chain_len, strlen("a chain"));
	assert_true(world_until(&w, installed_thrice, 3 * 2702));
	assert_int_equal(w.runs, 3);
	assert_int_equal(w.orders + w.tokens + w.registrations, 0);
	world_close(&w);
}

static void
by_command_killed_at_each_turn(void **state)
{
	bool done = false;

	(void)state;
	for (unsigned n = 1; !done; n++) {
		struct world w;

		open_command(&w);
		for (unsigned turn = 0; turn < n; turn++)
			(void)world_turn(&w);
		done = all_installed(&w);
		world_kill(&w);
		assert_true(world_until(&w, all_installed, 30));
		world_pass(&w, 100);
		assert_int_equal(w.cred[0].installs, 1);
		assert_in_range(w.runs, 1, 2);
		assert_int_equal(w.problems, 0);
		world_close(&w);
		assert_true(n < 50);
	}
}

/* The calls are: the plan, the request, the command, the install. */
static struct command_case {
	const char *name;
	unsigned fail_at;
	enum world_fault fault;
	int64_t within_s;
	unsigned runs;
	const char *problem;
} command_cases[] = {
	{ "no request", 2, FAULT_UNAVAILABLE, 60, 1, "hsm_unavailable" },
	{ "a request that is none", 2, FAULT_GARBAGE, 60, 1, "channel" },
	{ "the command fails", 3, FAULT_LOST, 60, 2, "command_failed" },
	{ "the command says nothing", 3, FAULT_GARBAGE, 60, 2, "command_output" },
	{ "the command refuses", 3, FAULT_DENIED, 4000, 2, "command_refused" },
	/* The chain is there: it is not asked for twice. */
	{ "not put in force yet", 4, FAULT_UNAVAILABLE, 60, 1, "hsm_unavailable" },
	{ "refused by the front", 4, FAULT_DENIED, 4000, 2, "invalid_member" },
};

static void
command_fails(void **state)
{
	const struct command_case *c = *state;
	struct world w;

	open_command(&w);
	w.fail_at = c->fail_at;
	w.fault = c->fault;
	assert_true(world_until(&w, has_problem, 5));
	assert_int_equal(strncmp(w.cred[0].problem, c->problem, strlen(c->problem)), 0);
	assert_true(world_until(&w, all_installed, c->within_s));
	assert_int_equal(w.runs, c->runs);
	world_pass(&w, 2);
	assert_string_equal(w.cred[0].problem, "");
	world_close(&w);
}

/* The section of the CA changes while an order, or a command, is under way. */
static void
from_one_way_to_the_other(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 20; n += 3) {
		struct world w;

		world_open(&w, 1);
		w.command = n % 2 == 0;
		world_kill(&w);
		for (unsigned turn = 0; turn < n; turn++)
			(void)world_turn(&w);
		w.command = !w.command;
		world_reload(&w);
		assert_true(world_until(&w, all_installed, 60));
		world_close(&w);
	}
}

/* ---- renewal information ---- */

static void
open_ari(struct world *w, int64_t start_s, int64_t end_s)
{
	world_open(w, 1);
	w->ari = true;
	w->ari_start_s = start_s;
	w->ari_end_s = end_s;
	w->ari_retry_s = 600;
}

static struct ari_case {
	const char *name;
	int64_t start_s, end_s; /* of an hour's life */
	const char *body;
	int64_t first_s, last_s; /* when it is renewed */
} ari_cases[] = {
	{ "early", 1000, 1100, NULL, 1000, 1101 },
	{ "half way", 1800, 1900, NULL, 1800, 1901 },
	{ "past: not before a 24th of the life (RFC 9773 s4.2)", -7200, -3600, NULL, 150, 153 },
	{ "now", 0, 1, NULL, 150, 153 },
	{ "after the end: with a quarter left (D-43)", 90000, 99999, NULL, 2700, 2703 },
	{ "inverted: by the lifetime", 1100, 1000, NULL, 2400, 2703 },
	{ "garbage: by the lifetime", 1000, 1100, "{\"suggestedWindow\":", 2400, 2703 },
	{ "not a window: by the lifetime", 1000, 1100, "{\"suggestedWindow\":{}}", 2400, 2703 },
};

/* RFC 9773 s4.2 */
static void
renewed_in_the_window(void **state)
{
	const struct ari_case *c = *state;
	struct world w;
	int64_t begun_s, took_s;

	open_ari(&w, c->start_s, c->end_s);
	w.ari_body = c->body;
	assert_true(world_until(&w, all_installed, 5));
	assert_string_equal(w.replaced, "");
	for (unsigned n = 1; n < 4; n++) {
		begun_s = w.cred[0].not_before_s;
		while (w.cred[0].installs == n)
			(void)world_turn(&w);
		took_s = w.cred[0].not_before_s - begun_s;
		assert_in_range(took_s, c->first_s, c->last_s);
		/* The serial of the one before. */
		assert_int_equal(strtoul(w.replaced + 4, NULL, 16), 0xa0 + n);
	}
	assert_int_equal(w.problems, 0);
	world_close(&w);
}

/* RFC 9773 s4.3: as often as it says, within a minute and a day; six hours when it fails. */
static void
asked_as_often_as_it_says(void **state)
{
	static const struct {
		int64_t retry_s;
		long status;
		unsigned least, most; /* in six hours */
	} rows[] = { { 3600, 0, 5, 7 }, { 0, 0, 350, 361 }, { 999999, 0, 1, 1 },
		{ -1, 0, 1, 1 }, { 600, 404, 1, 1 }, { 600, 503, 5, 6 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;

		open_ari(&w, 900000, 900001);
		w.life_s = 1000000;
		w.ari_retry_s = rows[i].retry_s;
		w.ari_status = rows[i].status;
		assert_true(world_until(&w, all_installed, 5));
		world_pass(&w, 21600 - 10);
		assert_in_range(w.windows_asked, rows[i].least, rows[i].most);
		assert_int_equal(w.cred[0].installs, 1);
		world_close(&w);
	}
}

/* A window that comes later than the first: mass revocation, say. */
static void
the_window_moves(void **state)
{
	struct world w;
	int64_t moved_s;

	(void)state;
	open_ari(&w, 80000, 80100);
	w.life_s = 100000;
	assert_true(world_until(&w, all_installed, 5));
	world_pass(&w, 20000);
	assert_int_equal(w.cred[0].installs, 1);
	moved_s = w.now_ms / 1000;
	w.ari_start_s = -3600;
	w.ari_end_s = -60;
	assert_true(world_until(&w, installed_twice, 610));
	assert_true(w.now_ms / 1000 - moved_s <= 610);
	world_close(&w);
}

/* RFC 9773 s4.1: after a start with a certificate in force the directory alone is read for it. */
static void
asked_after_a_start(void **state)
{
	struct world w;
	unsigned looked;

	(void)state;
	open_ari(&w, 1000, 1100);
	assert_true(world_until(&w, all_installed, 5));
	looked = w.looked;
	world_kill(&w);
	w.windows_asked = 0;
	world_pass(&w, 30);
	assert_int_equal(w.windows_asked, 1);
	assert_int_equal(w.looked, looked + 1);
	assert_int_equal(w.registrations, 1);
	assert_true(world_until(&w, installed_twice, 1101));
	world_close(&w);
}

/* RFC 9773 s5: refused for what it replaces, it is ordered without; once. */
static void
replaces_is_refused(void **state)
{
	struct world w;

	(void)state;
	open_ari(&w, 1000, 1001);
	assert_true(world_until(&w, all_installed, 5));
	w.refuse_replaces = true;
	assert_true(world_until(&w, installed_twice, 1010));
	assert_string_equal(w.replaced, "");
	assert_int_equal(w.problems, 0);
	w.refuse_order = true;
	assert_true(world_until(&w, has_problem, 1010));
	assert_int_equal(strncmp(w.cred[0].problem, "acme_rejected_identifier:", 25), 0);
	world_close(&w);
}

/* What is ordered is something else now: another identifier replaces nothing. */
static void
replaces_only_the_same(void **state)
{
	struct world w;

	(void)state;
	open_ari(&w, 3000, 3001);
	assert_true(world_until(&w, all_installed, 5));
	world_pass(&w, 1); /* its window was asked for */
	w.cred[0].as_configured = false;
	snprintf(w.cred[0].serial, sizeof w.cred[0].serial, "ff");
	world_event(&w, "changed", "");
	assert_true(world_until(&w, installed_twice, 20));
	assert_string_equal(w.replaced, "");
	world_close(&w);
}

static bool
window_asked(const struct world *w)
{
	return w->windows_asked > 0;
}

/* A CA whose renewal information hangs keeps nobody from another's. */
static void
another_ca_hangs_when_asked(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 21);
	for (size_t i = 0; i < 20; i++)
		w.cred[i].other_ca = true;
	w.ari = w.two_cas = true;
	w.ari_start_s = 1000;
	w.ari_end_s = 1100;
	w.ari_retry_s = 21600;
	w.cred[20].removed = true;
	world_kill(&w);
	world_pass(&w, 3);
	w.cred[20].removed = false;
	world_event(&w, "changed", "");
	assert_true(world_until(&w, all_installed, 5));
	assert_true(world_until(&w, window_asked, 5));
	world_close(&w);
}

/* ---- a domain beside the numbers ---- */

static void
open_domain(struct world *w)
{
	world_open(w, 1);
	w->domain = true;
	world_kill(w);
	w->calls = 0;
}

/* D-49, RFC 8555 s8: shown by the command, answered, and taken away again, each time. */
static void
domain_is_proven(void **state)
{
	struct world w;

	(void)state;
	open_domain(&w);
	assert_true(world_until(&w, all_installed, 5));
	assert_int_equal(w.presented, 1);
	world_pass(&w, 2);
	assert_int_equal(w.cleaned, 1);
	assert_int_equal(w.orders, 1);
	assert_true(world_until(&w, installed_twice, 2702));
	assert_int_equal(w.presented, 2);
	world_close(&w);
}

static void
domain_killed_at_each_turn(void **state)
{
	bool done = false;

	(void)state;
	for (unsigned n = 1; !done; n++) {
		struct world w;

		open_domain(&w);
		for (unsigned turn = 0; turn < n; turn++)
			(void)world_turn(&w);
		done = all_installed(&w);
		world_kill(&w);
		assert_true(world_until(&w, all_installed, 30));
		assert_int_equal(w.cred[0].installs, 1);
		assert_in_range(w.presented, 1, 2);
		assert_int_equal(w.problems, 0);
		world_close(&w);
		assert_true(n < 200);
	}
}

static struct domain_case {
	const char *name;
	enum rc command;
	const char *token, *challenge_fails, *problem;
	unsigned presented;
	bool again; /* within a minute, by itself */
} domain_cases[] = {
	{ "the command fails", RC_NET, NULL, NULL, "command_failed:", 1, true },
	{ "the command refuses", RC_DENIED, NULL, NULL, "command_failed:", 1, false },
	{ "the CA does not see it", RC_OK, NULL, "unauthorized", "acme_unauthorized:", 1,
	    false },
	{ "the CA cannot connect", RC_OK, NULL, "connection", "acme_connection:", 1, true },
	{ "a token that is a path (RFC 8555 s8.1)", RC_OK, "../../../../etc/passwd-or-so", NULL,
	    "acme_challenge:", 0, false },
	{ "a token that is short (RFC 8555 s8.1)", RC_OK, "evaGxfADs6pSRb2LAv9IZ", NULL,
	    "acme_challenge:", 0, false },
	{ "no token", RC_OK, "", NULL, "acme_challenge:", 0, false },
};

static void
domain_fails(void **state)
{
	const struct domain_case *c = *state;
	struct world w;
	const char *good;

	open_domain(&w);
	good = w.challenge_token;
	w.command_rc = c->command;
	w.domain_fails = c->challenge_fails;
	if (c->token != NULL)
		w.challenge_token = c->token;
	assert_true(world_until(&w, has_problem, 10));
	assert_int_equal(strncmp(w.cred[0].problem, c->problem, strlen(c->problem)), 0);
	assert_int_equal(w.presented, c->presented);
	assert_int_equal(w.cred[0].installs, 0);
	w.command_rc = RC_OK;
	w.domain_fails = NULL;
	w.challenge_token = good;
	assert_int_equal(world_until(&w, all_installed, 20), c->again);
	assert_true(world_until(&w, all_installed, 70));
	world_pass(&w, 2);
	assert_int_equal(w.cleaned, w.presented); /* whatever became of it */
	world_close(&w);
}

/* RFC 8555 s7.1.6: pending while it validates; what it looks at stays until it has. */
static void
domain_looked_at_slowly(void **state)
{
	struct world w;

	(void)state;
	open_domain(&w);
	w.slow = 20;
	assert_true(world_until(&w, all_installed, 120));
	assert_true(w.answers > 1);
	assert_int_equal(w.presented, 1);
	assert_false(w.cleaned_early);
	world_pass(&w, 2);
	assert_int_equal(w.cleaned, 1);
	world_close(&w);
}

/* The answer does not arrive: it is sent again, for what is there. */
static void
domain_answered_again(void **state)
{
	bool struck = true;

	(void)state;
	for (unsigned n = 1; struck; n++) {
		struct world w;

		open_domain(&w);
		w.fail_at = n;
		w.fault = FAULT_UNAVAILABLE;
		w.command_ms = 3000;
		(void)world_until(&w, all_installed, 60);
		struck = w.fault_struck;
		assert_int_equal(w.cred[0].installs, 1);
		assert_in_range(w.presented, 1, 2);
		assert_int_equal(w.overlaps, 0);
		world_close(&w);
	}
}

static bool
cleaned_once(const struct world *w)
{
	return w->cleaned == 1;
}

/* A cleanup that lasts may not end behind what the next order shows. */
static void
domain_cleaned_slowly(void **state)
{
	struct world w;

	(void)state;
	open_domain(&w);
	w.domain_fails = "connection";
	w.command_ms = 20000;
	assert_true(world_until(&w, cleaned_once, 60));
	w.domain_fails = NULL;
	assert_true(world_until(&w, all_installed, 120));
	assert_int_equal(w.presented, 2);
	assert_int_equal(w.overlaps, 0);
	world_close(&w);
}

/* More want one than commands may run: they wait, and nothing is lost or held against the CA. */
static void
domain_without_a_place(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 12);
	w.domain = true;
	world_kill(&w);
	w.places = 1;
	w.command_ms = 10000;
	assert_true(world_until(&w, all_installed, 12 * 20 + 60));
	assert_true(w.busy > 12);
	assert_int_equal(w.orders, 12);
	assert_int_equal(w.presented, 12);
	world_pass(&w, 200);
	assert_int_equal(w.cleaned, 12);
	world_close(&w);
}

/* The CA is not taken for broken because the commands are: each tries again at its own pace. */
static void
domain_commands_that_fail(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 12);
	w.domain = true;
	world_kill(&w);
	w.command_ms = 5000;
	w.command_rc = RC_NET;
	world_pass(&w, 90);
	/* Sixty; forty-six where two of the lane's places are left. */
	assert_in_range(w.presented, 54, 66);
	world_close(&w);
}

/* The CA wants a domain that was not ordered. */
static void
domain_not_ordered(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	w.domain = true; /* the orders; not the plan that was read nor the configuration */
	w.plan_without_domain = true;
	assert_true(world_until(&w, has_problem, 10));
	assert_int_equal(strncmp(w.cred[0].problem, "acme_challenge:", 15), 0);
	assert_int_equal(w.presented, 0);
	world_close(&w);
}

/* ---- tokens that are pushed ---- */

static void
open_pushed(struct world *w)
{
	world_open(w, 1);
	w->push = true;
	w->cred[0].constraints = false;
	world_kill(w);
}

/* D-31: awaited, kept through a restart, used until it expires, and then awaited again. */
static void
pushed_token(void **state)
{
	struct world w;

	(void)state;
	open_pushed(&w);
	assert_true(world_until(&w, has_problem, 5));
	assert_int_equal(strncmp(w.cred[0].problem, "token_awaited:", 14), 0);
	assert_true(w.cred[0].token_until_s == 0);
	w.token_life_s = 4000;
	world_push(&w, "c00", false);
	world_kill(&w);
	assert_true(world_until(&w, all_installed, 5));
	world_pass(&w, 2);
	assert_in_range(
	    w.cred[0].token_until_s, w.now_ms / 1000 + 3900, w.now_ms / 1000 + 4000);
	w.cred[0].installs = 0;
	world_event(&w, "renew", "c00");
	assert_true(world_until(&w, all_installed, 5));
	assert_int_equal(w.tokens, 0);
	world_pass(&w, 4000);
	w.cred[0].problem[0] = 0;
	world_event(&w, "renew", "c00");
	assert_true(world_until(&w, has_problem, 400));
	world_push(&w, "c00", false);
	w.cred[0].installs = 0;
	assert_true(world_until(&w, all_installed, 5));
	assert_int_equal(w.tokens, 0);
	world_close(&w);
}

/* Judged again by who uses it: for another account it is dropped, and nothing is ordered. */
static void
pushed_for_another_account(void **state)
{
	struct world w;

	(void)state;
	open_pushed(&w);
	assert_true(world_until(&w, has_problem, 5));
	world_push(&w, "c00", true);
	world_pass(&w, 3);
	assert_int_equal(strncmp(w.cred[0].problem, "authtoken_fingerprint:", 22), 0);
	assert_int_equal(w.orders, 0);
	world_push(&w, "../none", false); /* no name: passed over */
	world_push(&w, "c00", false);
	assert_true(world_until(&w, all_installed, 5));
	world_close(&w);
}

/* Right after a start, before there is a plan: what was taken is not lost. */
static void
pushed_before_the_plan(void **state)
{
	struct world w;

	(void)state;
	open_pushed(&w);
	world_push(&w, "c00", false);
	assert_true(world_until(&w, all_installed, 5));
	assert_int_equal(w.problems, 0);
	world_close(&w);
}

/* ---- what an operator asks of a CA ---- */

static bool
errand_is_over(const struct world *w)
{
	return w->errand.final;
}

static void
send_errand(struct world *w, struct world_errand errand)
{
	w->errand = errand;
	w->errand.wanted = true;
	world_event(w, "errand", "");
}

static void
ask_errand(struct world *w, struct world_errand errand)
{
	assert_true(world_until(w, all_installed, 60));
	send_errand(w, errand);
}

static struct errand_case {
	const char *name;
	struct world_errand errand;
	const char *reason; /* as the front is told at the end */
} errand_cases[] = {
	{ "done", { .by_key = false }, "" },
	{ "done by a key of its own", { .by_key = true }, "" },
	{ "done already (RFC 8555 s7.6)", { .problem = "alreadyRevoked", .status = 400 }, "" },
	{ "refused", { .problem = "unauthorized", .status = 403 }, "acme_unauthorized" },
	{ "a bad reason", { .problem = "badRevocationReason", .status = 400 },
	    "acme_bad_reason" },
	{ "not its certificate", { .problem = "malformed", .status = 404 }, "acme_malformed" },
	{ "no revokeCert", { .unnamed = true }, "acme_directory" },
	{ "a revokeCert that is null", { .named = "null" }, "acme_directory" },
	{ "a revokeCert that is no text", { .named = "[5]" }, "acme_directory" },
	{ "a revokeCert of another origin", { .named = "\"https://other.example/revoke\"" },
	    "acme_directory" },
};

static void
errand(void **state)
{
	const struct errand_case *c = *state;
	unsigned posts = c->errand.unnamed || c->errand.named != NULL ? 0 : 1;
	struct world w;

	world_open(&w, 1);
	w.errand = c->errand; /* the directory is read once, and orders go on without */
	ask_errand(&w, c->errand);
	assert_true(world_until(&w, errand_is_over, 5));
	assert_string_equal(w.errand.reason, c->reason);
	assert_int_equal(w.errand.posts, posts);
	assert_int_equal(w.errand.kid_was_null, c->errand.by_key);
	world_pass(&w, 200);
	assert_int_equal(w.errand.told, 1);
	assert_int_equal(w.errand.posts, posts);
	world_close(&w);
}

/* Down for an hour: asked again at least once a minute, told once, done when it is back. */
static void
errand_while_the_ca_is_down(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	w.life_s = 86400;
	ask_errand(&w, (struct world_errand){ .problem = "serverInternal", .status = 503 });
	world_pass(&w, 3600);
	assert_false(w.errand.final);
	assert_int_equal(w.errand.told, 1);
	assert_string_equal(w.errand.reason, "acme_server_internal");
	assert_in_range(w.errand.posts, 50, 90);
	w.errand.problem = NULL;
	assert_true(world_until(&w, errand_is_over, 90));
	assert_string_equal(w.errand.reason, "");
	world_close(&w);
}

/* What the front could not be told it is told when it can. */
static void
errand_is_told_later(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	ask_errand(&w,
	    (struct world_errand){ .problem = "serverInternal", .status = 503, .deaf = true });
	world_pass(&w, 100);
	assert_int_equal(w.errand.told, 0);
	w.errand.deaf = false;
	world_pass(&w, 100);
	assert_int_equal(w.errand.told, 1);
	assert_false(w.errand.final);
	w.errand.problem = NULL;
	w.errand.deaf = true;
	world_pass(&w, 100);
	assert_in_range(w.errand.posts, 60, 110); /* once a second, not at once */
	w.errand.deaf = false;
	assert_true(world_until(&w, errand_is_over, 3));
	world_close(&w);
}

/* One failure at each call, and a kill at each turn: it is carried to its end. */
static void
errand_is_not_lost(void **state)
{
	static const enum world_fault faults[] = { FAULT_LOST, FAULT_UNHEARD, FAULT_UNAVAILABLE,
		FAULT_BAD_NONCE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		for (unsigned n = 1; n <= 4; n++) {
			struct world w;

			world_open(&w, 1);
			ask_errand(&w, (struct world_errand){ .by_key = false });
			w.fail_at = w.calls + n;
			w.fault = faults[i];
			assert_true(world_until(&w, errand_is_over, 150));
			assert_string_equal(w.errand.reason, "");
			world_close(&w);
		}
	}
	for (unsigned n = 0; n <= 6; n++) {
		struct world w;

		world_open(&w, 1);
		ask_errand(&w, (struct world_errand){ .by_key = false });
		for (unsigned turn = 0; turn < n; turn++)
			(void)world_turn(&w);
		world_kill(&w);
		assert_true(world_until(&w, errand_is_over, 10));
		world_close(&w);
	}
}

/* What is asked of a CA beside takes neither its places nor its rate from the renewals. */
static struct beside_case {
	const char *name;
	unsigned concurrency, rate_per_minute;
	bool broken;
	struct world_errand errand;
} beside_cases[] = {
	{ "one place, and it hangs", 1, 0, false, { .hangs = true, .many = 12 } },
	{ "a broken lane, and it hangs", 0, 0, true, { .hangs = true, .many = 12 } },
	{ "many, and a rate", 0, 10, false,
	    { .problem = "serverInternal", .status = 503, .many = 200 } },
};

static bool
renewed(const struct world *w)
{
	return w->cred[0].installs == 2;
}

static void
errands_beside_a_renewal(void **state)
{
	const struct beside_case *c = *state;
	struct world w;

	world_open(&w, 1);
	w.concurrency = c->concurrency;
	w.ca_rate = c->rate_per_minute;
	world_reload(&w);
	assert_true(world_until(&w, all_installed, 60));
	if (c->broken) { /* it has failed thrice, and is back where it is asked for a renewal */
		w.orders_vanish = true;
		world_event(&w, "renew", "c00");
		world_pass(&w, 60);
		w.orders_vanish = false;
	}
	send_errand(&w, c->errand);
	if (!c->broken) {
		world_pass(&w, 60);
		world_event(&w, "renew", "c00");
	}
	assert_true(world_until(&w, renewed, 180));
	assert_in_range(w.errand.posts + w.hanging_most, 1, 10000);
	assert_false(w.errand.final);
	world_close(&w);
}

static bool
all_batches_over(const struct world *w)
{
	return !w->errand.wanted;
}

/* A list is of so many of a CA: the next is asked for when these are over, others or not. */
static void
errands_behind_a_stuck_one(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	ask_errand(&w, (struct world_errand){ .many = 8, .batches = 5, .stuck = true });
	assert_true(world_until(&w, all_batches_over, 5));
	assert_int_equal(w.errand.posts, 40);
	world_close(&w);
}

/* A CA that the configuration does not have: nothing is done, and nothing breaks. */
static void
errand_to_nobody(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 1);
	ask_errand(&w, (struct world_errand){ .ca = "gone" });
	world_pass(&w, 100);
	assert_int_equal(w.errand.posts, 0);
	assert_int_equal(w.errand.told, 0);
	world_close(&w);
}

int
main(void)
{
	struct CMUnitTest tests[160] = {
		cmocka_unit_test(errand_while_the_ca_is_down),
		cmocka_unit_test(errand_is_not_lost),
		cmocka_unit_test(errand_is_told_later),
		cmocka_unit_test(errand_to_nobody),
		cmocka_unit_test(errands_behind_a_stuck_one),
		cmocka_unit_test(by_command),
		cmocka_unit_test(by_command_killed_at_each_turn),
		cmocka_unit_test(from_one_way_to_the_other),
		cmocka_unit_test(asked_as_often_as_it_says),
		cmocka_unit_test(the_window_moves),
		cmocka_unit_test(asked_after_a_start),
		cmocka_unit_test(replaces_is_refused),
		cmocka_unit_test(replaces_only_the_same),
		cmocka_unit_test(another_ca_hangs_when_asked),
		cmocka_unit_test(domain_is_proven),
		cmocka_unit_test(domain_killed_at_each_turn),
		cmocka_unit_test(domain_not_ordered),
		cmocka_unit_test(domain_looked_at_slowly),
		cmocka_unit_test(domain_answered_again),
		cmocka_unit_test(domain_cleaned_slowly),
		cmocka_unit_test(domain_without_a_place),
		cmocka_unit_test(domain_commands_that_fail),
		cmocka_unit_test(pushed_token),
		cmocka_unit_test(pushed_for_another_account),
		cmocka_unit_test(pushed_before_the_plan),
		cmocka_unit_test(good_run),
		cmocka_unit_test(nothing_works),
		cmocka_unit_test(killed_at_each_turn),
		cmocka_unit_test(killed_with_calls_under_way),
		cmocka_unit_test(killed_at_random_points),
		cmocka_unit_test(refused_certificate),
		cmocka_unit_test(failing_before_a_step),
		cmocka_unit_test(refused_while_one_is_in_force),
		cmocka_unit_test(short_lived),
		cmocka_unit_test(alternates_are_looked_at),
		cmocka_unit_test(an_alternate_that_fails),
		cmocka_unit_test(a_series),
		cmocka_unit_test(a_fresh_series_is_refused),
		cmocka_unit_test(an_outage_does_not_outlast_the_certificate),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(an_authority_that_hangs),
		cmocka_unit_test(a_tenant_that_makes_it_hang),
		cmocka_unit_test(reloads_while_it_hangs),
		cmocka_unit_test(reloads_keep_the_pace),
		cmocka_unit_test(the_right_is_refused),
		cmocka_unit_test(other_refusals_are_no_word_of_a_right),
		cmocka_unit_test(no_more_than_the_rate),
		cmocka_unit_test(the_least_time_left_first),
		cmocka_unit_test(narrower_is_ordered_as_it_is),
		cmocka_unit_test(wider_is_refused),
		cmocka_unit_test(tokens_that_expire_are_not_used),
		cmocka_unit_test(tokens_that_live_too_short),
		cmocka_unit_test(a_clock_before_the_release),
		cmocka_unit_test(withdrawn_at_each_call),
		cmocka_unit_test(reloaded_at_each_call),
		cmocka_unit_test(another_certificate_overtakes),
		cmocka_unit_test(the_clock_is_set_back),
		cmocka_unit_test(an_operator_asks),
		cmocka_unit_test(an_operator_asks_before_the_plan),
		cmocka_unit_test(an_operator_asks_during_a_plan),
		cmocka_unit_test(nobody_is_awaited_for_ever),
		cmocka_unit_test(spoilt_records_begin_again),
	};
	size_t n = 0;

	while (tests[n].test_func != NULL)
		n++;
	ROWS(tests, n, account_cases, odd_account);
	ROWS(tests, n, challenge_cases, challenge_fails);
	ROWS(tests, n, command_cases, command_fails);
	ROWS(tests, n, domain_cases, domain_fails);
	ROWS(tests, n, profile_cases, profiles);
	ROWS(tests, n, x5u_cases, x5u_of_the_order);
	ROWS(tests, n, series_cases, a_series_ends);
	ROWS(tests, n, star_cases, no_series);
	ROWS(tests, n, ari_cases, renewed_in_the_window);
	ROWS(tests, n, fault_cases, one_failure);
	ROWS(tests, n, errand_cases, errand);
	ROWS(tests, n, beside_cases, errands_beside_a_renewal);
	ROWS(tests, n, wanted_cases, begun_if_wanted);
	return _cmocka_run_group_tests("renew", tests, n, NULL, NULL);
}
