/*
 * A mass issue, and two and a half lives after it, on an accelerated clock:
 * the renewer's own choice of moments and turns, a scripted front and a
 * command in the place of the CA that takes a second.
 *
 *	DAY_CREDENTIALS=10000	so many; their life is 8.64 s each, a day for 10,000
 *
 * Prints the figures.  A thousand with 2.4 hours, as many a minute, is the short form.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/renewer/renew.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"

enum { MOST = 50000, WAITING = 256, ISSUE_MS = 1000, ROWS = 64, MINUTES = 8 * 1440 };

struct credential {
	unsigned installs;
	int64_t not_before_s, not_after_s;
};

struct waiting {
	int64_t due_ms;
	io_ask_done *asked;
	io_run_done *ran;
	void *arg;
	json_t *answer;
};

static struct {
	int64_t now_ms, issued_ms; /* issued: everybody has a first certificate */
	int64_t life_s, least_left_s;
	size_t n, without;
	struct credential cred[MOST];
	struct waiting waiting[WAITING];
	size_t waits;
	unsigned minute[MINUTES], renewals, lapsed;
} day;

static int64_t
now(void *ctx)
{
	(void)ctx;
	return day.now_ms;
}

static struct credential *
named(const json_t *m)
{
	unsigned long i = strtoul(json_string_value(json_object_get(m, "name")) + 1, NULL, 10);

	assert_true(i < day.n);
	return &day.cred[i];
}

static json_t *
row(size_t i)
{
	const struct credential *c = &day.cred[i];
	json_t *active = json_null();
	char name[32], serial[16];

	snprintf(name, sizeof name, "c%05zu", i);
	snprintf(serial, sizeof serial, "%x", 0xa0 + c->installs);
	if (c->installs > 0)
		active = json_pack("{s:s, s:I, s:I, s:n, s:b}", "serial", serial, "not_before",
		    (json_int_t)c->not_before_s, "not_after", (json_int_t)c->not_after_s,
		    "ari_id", "as_configured", 1);
	return json_pack("{s:s, s:s, s:s, s:n, s:n, s:s, s:n, s:n, s:o, s:n}", "tenant", name,
	    "name", name, "ca", "desk", "authority", "claim_agent", "tnauthlist",
	    "MA-iDRYLMTIwMjU1NTAxMDA", "constraints", "constraints_form", "active", active,
	    "installed_at");
}

static json_t *
plan(const json_t *m)
{
	const char *after = json_string_value(json_object_get(m, "after"));
	size_t from = after == NULL ? 0 : strtoul(strchr(after, '/') + 2, NULL, 10) + 1;
	json_t *rows = json_array();

	for (size_t i = from; i < day.n && i < from + ROWS; i++)
		json_array_append_new(rows, row(i));
	return json_pack("{s:o, s:b}", "credentials", rows, "more", from + ROWS < day.n);
}

static json_t *
install(const json_t *m)
{
	struct credential *c = named(m);
	char serial[16];

	snprintf(serial, sizeof serial, "%x", 0xa0 + ++c->installs);
	if (c->installs == 1 && --day.without == 0)
		day.issued_ms = day.now_ms;
	c->not_before_s = day.now_ms / 1000;
	c->not_after_s = c->not_before_s + day.life_s;
	return json_pack("{s:s, s:I, s:I}", "serial", serial, "not_before",
	    (json_int_t)c->not_before_s, "not_after", (json_int_t)c->not_after_s);
}

/* The CA is asked: in which minute, and how much of the life was left. */
static void
count(const struct credential *c)
{
	int64_t left_s = c->not_after_s - day.now_ms / 1000;

	if (c->installs == 0)
		return;
	day.minute[day.now_ms / 60000 % MINUTES]++;
	day.renewals++;
	day.lapsed += left_s <= 0;
	day.least_left_s = left_s < day.least_left_s ? left_s : day.least_left_s;
}

static json_t *
front(const json_t *m)
{
	const char *op = json_string_value(json_object_get(m, "op"));

	if (strcmp(op, "plan") == 0)
		return plan(m);
	if (strcmp(op, "install") == 0)
		return install(m);
	if (strcmp(op, "csr") == 0) {
		count(named(m));
		return json_pack("{s:s}", "csr", "MAA");
	}
	return json_object(); /* what is only told, and no errands */
}

static struct waiting *
add(void *arg, int64_t in_ms)
{
	assert_true(day.waits < WAITING);
	day.waiting[day.waits] = (struct waiting){ .due_ms = day.now_ms + in_ms, .arg = arg };
	return &day.waiting[day.waits++];
}

static enum rc
ask(void *ctx, const json_t *m, io_ask_done *done, void *arg, struct fault *f)
{
	struct waiting *w = add(arg, 0);

	(void)ctx;
	(void)f;
	w->asked = done;
	w->answer = front(m);
	assert_non_null(w->answer);
	return RC_OK;
}

static enum rc
run(void *ctx, enum hook_kind kind, const char *name, struct span input, io_run_wanted *wanted,
    io_run_done *done, void *arg, struct fault *f)
{
	(void)ctx;
	(void)kind;
	(void)name;
	(void)input;
	(void)wanted;
	(void)f;
	add(arg, ISSUE_MS)->ran = done;
	return RC_OK;
}

/* False when nothing had come. */
static bool
deliver(void)
{
	struct waiting here[WAITING];
	size_t n = day.waits;
	bool come = false;

	memcpy(here, day.waiting, n * sizeof here[0]);
	day.waits = 0;
	for (size_t i = 0; i < n; i++) {
		if (here[i].due_ms > day.now_ms)
			day.waiting[day.waits++] = here[i];
	}
	for (size_t i = 0; i < n; i++) {
		struct fault none = { 0 };

		if (here[i].due_ms > day.now_ms)
			continue;
		come = true;
		if (here[i].ran != NULL)
			here[i].ran(here[i].arg, RC_OK, span_str("a chain"), &none);
		else
			here[i].asked(here[i].arg, RC_OK, here[i].answer, &none);
		json_decref(here[i].answer);
	}
	return come;
}

static struct config *
make_config(void)
{
	struct config *c = calloc(1, sizeof *c);

	assert_non_null(c);
	c->ca = calloc(1, sizeof *c->ca);
	c->cas = 1;
	c->ca[0].name = strdup("desk");
	c->ca[0].issuer = ISSUER_COMMAND;
	c->ca[0].concurrency = CONFIG_PARTY_STEPS;
	return c;
}

static void
remove_all(const char *dir)
{
	static const char *const parts[] = { "renewer/orders", "renewer/accounts",
		"renewer/tokens", "renewer", "" };
	char path[128];

	for (size_t i = 0; i < day.n; i++) {
		snprintf(path, sizeof path, "%s/renewer/orders/c%05zu.c%05zu.json", dir, i, i);
		unlink(path);
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(path, sizeof path, "%s/%s", dir, parts[i]);
		rmdir(path);
	}
	assert_int_not_equal(access(dir, F_OK), 0);
}

static void
turn(struct renew *r)
{
	int wait_ms = renew_run(r);

	if (!deliver())
		day.now_ms += wait_ms > 0 ? wait_ms : 1;
}

/* In the fullest minute since all were issued; *mean_1000: of all, in thousandths. */
static unsigned
fullest(unsigned *mean_1000)
{
	int64_t from = day.issued_ms / 60000 + 1, to = day.now_ms / 60000;
	unsigned most = 0, sum = 0;

	assert_true(to - from < MINUTES);
	for (int64_t i = from; i < to; i++) {
		unsigned n = day.minute[i % MINUTES];

		sum += n;
		most = n > most ? n : most;
	}
	*mean_1000 = (unsigned)(sum * 1000ULL / (uint64_t)(to - from));
	return most;
}

static void
tell(unsigned most, unsigned mean_1000)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf(
	    "# %zu credentials of %lld s: %u renewals, %u.%03u a minute, %u in the fullest\n",
	    day.n, (long long)day.life_s, day.renewals, mean_1000 / 1000, mean_1000 % 1000,
	    most);
	printf("# least life left at a renewal %lld s; %ld.%02ld s of processor, %ld KiB\n",
	    (long long)day.least_left_s, (long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec),
	    (long)(u.ru_utime.tv_usec / 10000), u.ru_maxrss);
}

/*
 * However they came, all at once here: no minute sees more than three times
 * the mean, all are renewed, and none with less than a quarter of its life left.
 */
static void
no_minute_above_three_means(void **state)
{
	/* In memory: what is measured is not the disk. */
	char dir[] = "/dev/shm/test-day-XXXXXX", other[] = "/tmp/test-day-XXXXXX";
	char *home = mkdtemp(dir) != NULL ? dir : mkdtemp(other);
	struct io io = { .ask = ask, .run = run, .now_ms = now };
	AUTO(renew) *r = NULL;
	struct store *store = NULL;
	struct fault f = { 0 };
	unsigned most, mean_1000 = 0;

	(void)state;
	assert_non_null(home);
	day.now_ms = PKI_NOW * 1000;
	day.life_s = (int64_t)day.n * 864 / 100;
	day.least_left_s = day.life_s;
	day.without = day.n;
	assert_int_equal(store_open(home, &store, &f), RC_OK);
	assert_int_equal(renew_new(&io, store, make_config(), &r, &f), RC_OK);
	while (day.issued_ms == 0 || day.now_ms < day.issued_ms + day.life_s * 2500)
		turn(r);
	most = fullest(&mean_1000);
	tell(most, mean_1000);
	renew_stop(r);
	while (day.waits > 0) {
		day.now_ms += ISSUE_MS;
		(void)deliver();
	}
	renew_free(TAKE(r));
	store_free(store);
	remove_all(home);
	assert_true(most * 1000 <= 3 * mean_1000);
	/* Each serves for 17/24 of its life on the average, a little less after the mass issue. */
	assert_in_range(day.renewals, day.n * 29 / 10, day.n * 33 / 10);
	assert_int_equal(day.lapsed, 0);
	/* What is paced stops to be at a quarter; then it takes a moment. */
	assert_true(day.least_left_s >= day.life_s / 4 - day.life_s / 100);
	for (size_t i = 0; i < day.n; i++)
		assert_true(day.cred[i].not_after_s > day.now_ms / 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_minute_above_three_means) };
	const char *text = getenv("DAY_CREDENTIALS");

	log_open("day", (enum log_level)0); /* nothing */
	day.n = text != NULL ? strtoul(text, NULL, 10) : 1000;
	if (day.n < 100 || day.n > MOST)
		return 2;
	return cmocka_run_group_tests_name("day", tests, NULL, NULL);
}
