/* processor: which processor a signer keeps to, and that its thread stays there */
#include "pkcs11/processor.h"

#include "stir/attr.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

/* Allowed are those whose letter is an x. */
static struct choice {
	const char *name, *allowed;
	unsigned place, places;
	int own;
} choices[] = {
	{ "two on two, the first", "xx", 0, 2, 0 },
	{ "two on two, the second", "xx", 1, 2, 1 },
	{ "three on two begin anew", "xx", 2, 3, 0 },
	{ "not all are allowed", ".x.xx", 1, 3, 3 },
	{ "the last of them", ".x.xx", 2, 3, 4 },
	{ "the first again", ".x.xx", 3, 4, 1 },
	{ "fewer than processors", "xxx", 0, 2, -1 },
	{ "one processor", "x", 0, 2, -1 },
	{ "one is allowed", "...x", 1, 2, -1 },
	{ "none is allowed", "....", 0, 2, -1 },
	{ "not told", "xx", 0, 0, -1 },
	{ "the largest place", "xx", 4095, 4096, 1 },
};

static cpu_set_t
set_of(const char *allowed)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; allowed[i] != '\0'; i++) {
		if (allowed[i] == 'x')
			CPU_SET(i, &set);
	}
	return set;
}

static void
chooses(void **state)
{
	const struct choice *c = *state;
	cpu_set_t allowed = set_of(c->allowed);

	assert_int_equal(processor_of(&allowed, c->place, c->places), c->own);
}

static void
stays(void **state)
{
	cpu_set_t before, now;
	unsigned n;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
	n = (unsigned)CPU_COUNT(&before);
	processor_keep(0, n - 1); /* one too few of them: nothing changes */
	assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
	assert_true(CPU_EQUAL(&before, &now));
	processor_keep(n - 1, n);
	assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
	assert_int_equal(CPU_COUNT(&now), 1);
	assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(choices) + 1];
	size_t n = 0;

	ROWS(tests, n, choices, chooses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(stays);
	return _cmocka_run_group_tests("processor", tests, n, NULL, NULL);
}
