/* Which tenants a caller is allowed by: the walk against caller_may(), one tenant after the other. */
#include "agent/front/reach.h"

#include <stdlib.h>

#include "tests/unit/cm.h"

enum { TENANTS = 60, IDS = 9, ROUNDS = 2000, GROUPS = 5 };

/* Few of them, so that most are somebody's; and those that are nobody's. */
static const uint32_t ids[IDS] = { 0, 1, 7, 1000, 1001, 65533, CONFIG_OVERFLOW_ID, 65535,
	UINT32_MAX };

static uint32_t seed = 20261122;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* n of them, one perhaps twice; owned by the caller. */
static uint32_t *
draw_ids(size_t n)
{
	uint32_t *list = calloc(n + 1, sizeof *list);

	assert_non_null(list);
	for (size_t i = 0; i < n; i++)
		list[i] = ids[draw(IDS)];
	return list;
}

static struct config config;
static uint32_t chosen[TENANTS];
static size_t chosens;

static int
make_tenants(void **state)
{
	(void)state;
	config.tenant = calloc(TENANTS, sizeof *config.tenant);
	assert_non_null(config.tenant);
	config.tenants = TENANTS;
	for (uint32_t i = 0; i < TENANTS; i++) {
		struct config_tenant *t = &config.tenant[i];

		t->allow_uids = draw(4);
		t->allow_gids = draw(3);
		t->allow_uid = draw_ids(t->allow_uids);
		t->allow_gid = draw_ids(t->allow_gids);
		if (draw(5) > 0)
			chosen[chosens++] = i;
	}
	return 0;
}

static int
free_tenants(void **state)
{
	(void)state;
	for (size_t i = 0; i < TENANTS; i++) {
		free(config.tenant[i].allow_uid);
		free(config.tenant[i].allow_gid);
	}
	free(config.tenant);
	return 0;
}

/* How many tenants it has. */
static size_t
check_caller(const struct reach *r, const struct caller *c)
{
	struct reach_walk w;
	uint32_t tenant = 0;
	size_t n = 0;

	reach_begin(r, c, &w);
	for (size_t i = 0; i < chosens; i++) {
		if (!caller_may(c, &config.tenant[chosen[i]]))
			continue;
		assert_true(reach_next(&w, &tenant));
		assert_int_equal(tenant, chosen[i]);
		n++;
	}
	assert_false(reach_next(&w, &tenant));
	assert_false(reach_next(&w, &tenant));
	return n;
}

static void
as_caller_may(void **state)
{
	AUTO(reach) *r = NULL;
	size_t nobodys = 0, of_several = 0;

	(void)state;
	assert_int_equal(reach_new(&config, chosen, chosens, &r, NULL), RC_OK);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct caller c = { .uid = ids[draw(IDS - 1)], .gid = ids[draw(IDS)] };
		size_t n;

		c.groups = draw(GROUPS);
		c.group = draw_ids(c.groups);
		n = check_caller(r, &c);
		nobodys += n == 0;
		of_several += n > 1;
		caller_done(&c);
	}
	assert_true(nobodys > 0 && of_several > ROUNDS / 10); /* else it shows nothing */
}

static void
of_none(void **state)
{
	const struct caller c = { .uid = 1000, .gid = 1000 };
	AUTO(reach) *r = NULL;
	struct reach_walk w;
	uint32_t tenant;

	(void)state;
	reach_begin(NULL, &c, &w);
	assert_false(reach_next(&w, &tenant));
	assert_int_equal(reach_new(&config, NULL, 0, &r, NULL), RC_OK);
	reach_begin(r, &c, &w);
	assert_false(reach_next(&w, &tenant));
}

/* Through as many groups as a caller may have. */
static void
of_many_groups(void **state)
{
	struct caller c = { .uid = 7, .gid = 7, .groups = CALLER_MAX_GROUPS };
	AUTO(reach) *r = NULL;

	(void)state;
	assert_int_equal(reach_new(&config, chosen, chosens, &r, NULL), RC_OK);
	c.group = calloc(CALLER_MAX_GROUPS, sizeof *c.group);
	assert_non_null(c.group);
	for (size_t i = 0; i < CALLER_MAX_GROUPS; i++)
		c.group[i] = 1000; /* each of them leads somewhere */
	assert_true(check_caller(r, &c) > 1);
	caller_done(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_caller_may),
		cmocka_unit_test(of_none),
		cmocka_unit_test(of_many_groups),
	};

	return cmocka_run_group_tests(tests, make_tenants, free_tenants);
}
