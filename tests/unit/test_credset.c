/* credset: the index over all tenants' numbers, sharing, reference counts */
#include "agent/front/credset.h"

#include <stdio.h>
#include <time.h>

#include "tests/unit/cm.h"

enum { MAX_TENANTS = 10001 };

/* A configuration of tenants t00000 … whose numbers are given as intervals of keys. */
static struct config *
make_config(size_t tenants)
{
	struct config *c = calloc(1, sizeof *c);
	char name[32];

	assert_non_null(c);
	c->tenant = calloc(tenants + 1, sizeof *c->tenant);
	assert_non_null(c->tenant);
	c->tenants = tenants;
	for (size_t i = 0; i < tenants; i++) {
		snprintf(name, sizeof name, "t%05zu", i);
		c->tenant[i].name = strdup(name);
		c->tenant[i].credential = calloc(1, sizeof(struct config_credential));
		c->tenant[i].credential[0].name = strdup("main");
		c->tenant[i].credentials = 1;
	}
	return c;
}

static void
give(struct config *c, size_t tenant, const struct tn_interval *list, size_t n)
{
	assert_int_equal(tnset_build(list, n, &c->tenant[tenant].numbers, NULL), RC_OK);
}

static struct tn_interval
range(const char *lo, const char *hi)
{
	struct tn a, b;

	assert_int_equal(tn_exact(span_str(lo), &a, NULL), RC_OK);
	assert_int_equal(tn_exact(span_str(hi), &b, NULL), RC_OK);
	return (struct tn_interval){ tn_key(&a), tn_key(&b) };
}

static struct credset *
make_set(struct config *c)
{
	AUTO_CREDSET_BASE *base = NULL;
	struct credset *set = NULL;
	struct fault f = { 0 };

	assert_int_equal(
	    credset_base_new(&(struct credset_parts){ .config = c }, &base, &f), RC_OK);
	assert_int_equal(credset_new(base, &set, &f), RC_OK);
	return set;
}

static void
expect(const struct credset *s, const char *number, const char *tenants)
{
	uint32_t found[CREDSET_MAX_OVERLAP];
	size_t n = credset_lookup(s, range(number, number).lo, found, ARRAY_LEN(found));
	char got[256] = "";

	for (size_t i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%u", i > 0 ? " " : "",
		    found[i]);
	assert_string_equal(got, tenants);
}

static void
overlapping_tenants(void **state)
{
	struct config *c = make_config(5);
	struct tn_interval list[3];
	uint32_t one[1];

	(void)state;
	list[0] = range("12025550100", "12025550199");
	list[1] = range("13035550000", "13035550000");
	give(c, 0, list, 2);
	list[0] = range("12025550150", "12025550250");
	give(c, 1, list, 1);
	list[0] = range("12025550150", "12025550150");
	list[1] = range("911", "911");
	list[2] = range("12025550251", "12025550251");
	give(c, 3, list, 3);
	list[0] = range("12025550000", "12025559999");
	give(c, 4, list, 1);
	{
		AUTO_CREDSET *s = make_set(c);

		expect(s, "12025549999", "");
		expect(s, "12025550000", "4");
		expect(s, "12025550099", "4");
		expect(s, "12025550100", "0 4");
		expect(s, "12025550149", "0 4");
		expect(s, "12025550150", "0 1 3 4");
		expect(s, "12025550151", "0 1 4");
		expect(s, "12025550199", "0 1 4");
		expect(s, "12025550200", "1 4");
		expect(s, "12025550250", "1 4");
		expect(s, "12025550251", "3 4");
		expect(s, "12025550252", "4");
		expect(s, "12025559999", "4");
		expect(s, "12025560000", "");
		expect(s, "13035550000", "0");
		expect(s, "13035550001", "");
		expect(s, "911", "3");
		expect(s, "0911", "");
		expect(s, "1", "");
		expect(s, "999999999999999", "");
		assert_int_equal(
		    credset_lookup(s, range("12025550150", "12025550150").lo, one, 1), 1);
		assert_int_equal(one[0], 0);
		assert_int_equal(credset_lookup(s, 0, one, 1), 0);
		assert_int_equal(credset_lookup(s, UINT64_MAX, one, 1), 0);
	}
}

static void
no_tenants(void **state)
{
	AUTO_CREDSET *s = make_set(make_config(0));
	struct credset_place at;

	(void)state;
	expect(s, "12025550100", "");
	assert_false(credset_find(s, "t00000", "main", &at));
}

/* Against the plain way, on numbers that overlap at random. */
static void
agrees_with_a_scan(void **state)
{
	enum { TENANTS = 40, BLOCKS = 20, SPAN = 2000 };
	struct config *c = make_config(TENANTS);
	unsigned seed = 12345;

	(void)state;
	for (size_t t = 0; t < TENANTS; t++) {
		struct tn_interval list[BLOCKS];

		for (size_t i = 0; i < BLOCKS; i++) {
			list[i] = range("12025550000", "12025550000");
			seed = seed * 1103515245 + 12345;
			list[i].lo += seed / 65536 % SPAN;
			seed = seed * 1103515245 + 12345;
			list[i].hi = list[i].lo + seed / 65536 % 40;
		}
		give(c, t, list, BLOCKS);
	}
	{
		AUTO_CREDSET *s = make_set(c);
		uint64_t first = range("12025550000", "12025550000").lo;

		for (uint64_t key = first - 2; key < first + SPAN + 50; key++) {
			uint32_t found[CREDSET_MAX_OVERLAP];
			size_t n = credset_lookup(s, key, found, ARRAY_LEN(found)), k = 0;

			for (uint32_t t = 0; t < TENANTS; t++) {
				if (!tnset_has(c->tenant[t].numbers, key))
					continue;
				assert_true(k < n);
				assert_int_equal(found[k++], t);
			}
			assert_int_equal(k, n);
		}
	}
}

static void
too_many_share(void **state)
{
	struct credset_base *base = NULL;
	struct fault f = { 0 };

	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		struct config *c = make_config(CREDSET_MAX_OVERLAP + extra);
		enum rc rc;

		for (size_t i = 0; i < c->tenants; i++)
			give(c, i,
			    &(struct tn_interval){ range("12025550100", "12025550100").lo,
				range("12025550109", "12025550109").lo },
			    1);
		rc = credset_base_new(&(struct credset_parts){ .config = c }, &base, &f);
		assert_int_equal(rc, extra == 0 ? RC_OK : RC_INVALID);
		if (rc == RC_OK)
			credset_base_release(base);
		else
			config_free(c); /* not taken */
	}
	assert_string_equal(f.reason, "config");
	assert_null(strstr(f.detail, "12025550100"));
	assert_non_null(strstr(f.detail, "1202555"));
}

/* 10,000 tenants, 1,000,000 numbers that no two of which are neighbours (V-76). */
static void
a_million_numbers(void **state)
{
	enum { TENANTS = 10000, EACH = 100 };
	struct config *c = make_config(TENANTS);
	uint64_t first = range("12000000000", "12000000000").lo;
	struct timespec a, b;
	double s;

	(void)state;
	for (size_t t = 0; t < TENANTS; t++) {
		struct tn_interval list[EACH];

		for (size_t i = 0; i < EACH; i++)
			list[i].lo = list[i].hi = first + 2 * (i * TENANTS + t);
		give(c, t, list, EACH);
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	{
		AUTO_CREDSET *set = make_set(c);
		uint32_t found[2];

		clock_gettime(CLOCK_MONOTONIC, &b);
		s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
		print_message("%d tenants, %d numbers: %.3f s\n", TENANTS, TENANTS * EACH, s);
		assert_true(s < 20); /* valgrind and sanitizers too */
		for (uint64_t k = 0; k < TENANTS * EACH; k += 997) {
			assert_int_equal(credset_lookup(set, first + 2 * k, found, 2), 1);
			assert_int_equal(found[0], k % TENANTS);
			assert_int_equal(credset_lookup(set, first + 2 * k + 1, found, 2), 0);
		}
	}
}

static struct credential *
make_credential(const char *tenant)
{
	struct credential *c = NULL;

	assert_int_equal(credential_new(tenant, "main", CREDENTIAL_PENDING, &c, NULL), RC_OK);
	return c;
}

static void
sets_share_credentials(void **state)
{
	AUTO_CREDSET *one = make_set(make_config(3));
	AUTO_CREDSET *two = NULL;
	struct credential *kept;
	struct credset_place at;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		credset_put(one, (struct credset_place){ i, 0 },
		    make_credential(one->config->tenant[i].name));
	assert_int_equal(credset_copy(one, &two, NULL), RC_OK);
	assert_true(credset_find(two, "t00001", "main", &at));
	assert_false(credset_find(two, "t00001", "other", &at));
	assert_false(credset_find(two, "t00003", "main", &at));
	assert_false(credset_find(two, "", "", &at));
	assert_true(credset_find(two, "t00001", "main", &at));
	credset_put(two, at, make_credential("t00001"));
	assert_ptr_equal(one->slot[0], two->slot[0]);
	assert_ptr_not_equal(one->slot[1], two->slot[1]);
	assert_ptr_equal(credset_credential(two, at), two->slot[1]);
	assert_ptr_equal(one->config, two->config);
	kept = credential_ref(one->slot[0]);
	credset_release(TAKE(one));
	assert_string_equal(two->slot[0]->tenant, "t00000");
	credset_release(TAKE(two));
	assert_string_equal(kept->tenant, "t00000");
	credential_release(kept);
	credential_release(NULL);
	credset_release(NULL);
}

static struct credential *
with_x5u(const char *x5u, enum credential_state state)
{
	struct credential *c = NULL;

	assert_int_equal(credential_new("t", "main", state, &c, NULL), RC_OK);
	c->x5u = strdup(x5u);
	c->chain = calloc(1, sizeof *c->chain);
	assert_true(c->x5u != NULL && c->chain != NULL);
	return c;
}

static const struct chain *
chain_at(const struct credset *s, size_t n)
{
	char x5u[64];

	snprintf(x5u, sizeof x5u, "https://c.example/%zu.pem", n);
	return credset_chain(s, span_str(x5u));
}

/* Every credential by its x5u, also in copies and after one was replaced. */
static void
chains_by_x5u(void **state)
{
	enum { N = 300 };
	AUTO_CREDSET *one = make_set(make_config(N));
	AUTO_CREDSET *two = NULL;
	char x5u[64];

	(void)state;
	assert_null(chain_at(one, 0));
	for (size_t i = 0; i < N; i++) {
		snprintf(x5u, sizeof x5u, "https://c.example/%zu.pem", i);
		credset_put(one, (struct credset_place){ i, 0 },
		    with_x5u(x5u, i == 7 ? CREDENTIAL_UNUSABLE : CREDENTIAL_READY));
	}
	assert_int_equal(credset_copy(one, &two, NULL), RC_OK);
	for (size_t i = 0; i < N; i += 2)
		credset_put(two, (struct credset_place){ i, 0 },
		    with_x5u("https://c.example/new.pem", CREDENTIAL_READY));
	for (size_t i = 0; i < N; i++) {
		const struct chain *c = one->slot[i]->chain;

		assert_ptr_equal(chain_at(one, i), i == 7 ? NULL : c);
		assert_ptr_equal(chain_at(two, i), i % 2 == 0 || i == 7 ? NULL : c);
	}
	assert_non_null(credset_chain(two, span_str("https://c.example/new.pem")));
	assert_null(credset_chain(one, span_str("https://c.example/new.pem")));
	assert_null(credset_chain(one, span_of("https://c.example/1.pem", 22)));
	assert_null(credset_chain(one, span_of(NULL, 0)));
}

/* What the certificate before a renewal has signed is answered with it at hand. */
static void
the_one_before_is_found_by_x5u(void **state)
{
	const struct credset_place at = { 1, 0 };
	AUTO_CREDSET *one = make_set(make_config(3)), *two = NULL, *gone = NULL;
	struct credential *old = with_x5u("https://c.example/0.pem", CREDENTIAL_READY);
	struct credential *new = with_x5u("https://c.example/1.pem", CREDENTIAL_READY);
	bool changed = false;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		credset_put(one, (struct credset_place){ i, 0 }, make_credential("t"));
	old->not_after_s = 1000;
	new->not_before_s = 500;
	credset_put(one, at, old);
	assert_null(credset_before(one, at, 500));
	credset_put(one, at, new);
	assert_ptr_equal(chain_at(one, 0), old->chain);
	assert_ptr_equal(chain_at(one, 1), new->chain);
	assert_int_equal(credset_copy(one, &two, NULL), RC_OK);
	assert_ptr_equal(chain_at(two, 0), old->chain);
	assert_int_equal(credset_forget(two, 1000, &gone, &changed, NULL), RC_OK);
	assert_false(changed); /* of the same key, it may sign to its end */
	credset_release(TAKE(gone));
	assert_int_equal(credset_forget(two, 1001, &gone, &changed, NULL), RC_OK);
	assert_true(changed);
	assert_null(chain_at(gone, 0));
	assert_ptr_equal(chain_at(gone, 1), new->chain);
	credset_put(two, at, make_credential("t"));
	assert_null(chain_at(two, 0));
	assert_null(chain_at(two, 1));
	credset_put_before(two, at, with_x5u("https://c.example/0.pem", CREDENTIAL_READY));
	assert_non_null(chain_at(two, 0));
}

static void
problems_are_cut(void **state)
{
	AUTO_CREDENTIAL *c = make_credential("t");
	char text[400], got[CREDENTIAL_PROBLEM_MAX];

	(void)state;
	credential_problem(c, got);
	assert_string_equal(got, "");
	credential_schedule(c, 123, "the CA is away");
	credential_problem(c, got);
	assert_string_equal(got, "the CA is away");
	assert_true(c->renew_at_s == 123);
	/* Two-octet characters: the cut would fall into one. */
	for (size_t i = 0; i + 2 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[398] = 0;
	credential_schedule(c, 0, text);
	credential_problem(c, got);
	assert_int_equal(strlen(got) % 2, 0);
	assert_true(strlen(got) >= CREDENTIAL_PROBLEM_MAX - 3);
	/* A CA's words reach a terminal. */
	credential_schedule(c, 0,
	    "a\x1b[2Jb\xc2\x9b"
	    "c\x7f\n\xc3\x9b");
	credential_problem(c, got);
	assert_string_equal(got, "a [2Jb  c  \xc3\x9b");
	credential_schedule(c, 0, "");
	credential_problem(c, got);
	assert_string_equal(got, "");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlapping_tenants),
		cmocka_unit_test(no_tenants),
		cmocka_unit_test(agrees_with_a_scan),
		cmocka_unit_test(too_many_share),
		cmocka_unit_test(a_million_numbers),
		cmocka_unit_test(sets_share_credentials),
		cmocka_unit_test(chains_by_x5u),
		cmocka_unit_test(the_one_before_is_found_by_x5u),
		cmocka_unit_test(problems_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
