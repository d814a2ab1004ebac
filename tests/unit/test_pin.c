/* The record of a refused PIN: what is one, for whom, and when it goes. */
#include "pkcs11/pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cm.h"
#include "tests/unit/rows.h"
#include "tests/unit/tree.h"

enum { DIR_MAX = 64, FILE_MAX = 128, TEXT_MAX = 80 };

#define SERIAL	  "SER-1"
#define OTHER_REF ".0123456789abcdef"

struct place {
	char dir[DIR_MAX], ref[DIR_MAX + 16], state[DIR_MAX + 16];
	char end[2 * PIN_NAME_LEN + 2]; /* of a record's name */
	char text[TEXT_MAX];		/* in it */
	struct pin_source source;
};

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(chmod(path, 0600), 0);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
hex(const uint8_t *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void
make_place(struct place *p)
{
	struct pin pin = { .len = 0 };

	*p = (struct place){ .dir = "/tmp/vesper-pin-XXXXXX", .end = "." };
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->ref, sizeof p->ref, "file:%s/pin", p->dir);
	snprintf(p->state, sizeof p->state, "%s/state", p->dir);
	assert_int_equal(mkdir(p->state, 0700), 0);
	write_file(p->ref + strlen("file:"), "123456\n");
	assert_int_equal(pin_read(p->ref, &pin, NULL), RC_OK);
	p->source = pin.source;
	pin_wipe(&pin);
	hex(p->source.name, sizeof p->source.name, p->end + 1);
	hex(p->source.hash, sizeof p->source.hash, p->text);
	strncat(p->text, "\n", sizeof p->text - strlen(p->text) - 1);
}

/* "*" in what: the end of a record's name for this reference. */
static void
record_path(const struct place *p, const char *what, char out[2 * FILE_MAX])
{
	const char *star = strchr(what, '*');
	int n = star != NULL ? (int)(star - what) : (int)strlen(what);

	snprintf(out, 2 * FILE_MAX, "%s/pin-refused-%.*s%s%s", p->state, n, what,
	    star != NULL ? p->end : "", star != NULL ? star + 1 : "");
}

static void
put(const struct place *p, const char *what, const char *text)
{
	char path[2 * FILE_MAX];

	record_path(p, what, path);
	write_file(path, text);
}

static bool
is_there(const struct place *p, const char *what)
{
	char path[2 * FILE_MAX];

	record_path(p, what, path);
	return access(path, F_OK) == 0;
}

static struct record_case {
	const char *name, *record;
	const char *text;   /* NULL: this very PIN's */
	bool hidden;	    /* the PIN's file cannot be seen */
	enum pin_record is; /* at the token of SERIAL */
	enum pin_record any;
	enum rc rc; /* of the login's own look */
} record_cases[] = {
	{ "this very PIN", SERIAL "*", NULL, false, PIN_HELD, PIN_HELD, RC_DENIED },
	{ "named as at first", SERIAL, NULL, false, PIN_HELD, PIN_HELD, RC_DENIED },
	{ "named as at first, mended", SERIAL, "00\n", false, PIN_FREE, PIN_FREE, RC_OK },
	{ "prepared only", SERIAL "*.new", NULL, false, PIN_FREE, PIN_FREE, RC_OK },
	{ "mended since", SERIAL "*", "00\n", false, PIN_FREE, PIN_FREE, RC_OK },
	{ "nothing in it", SERIAL "*", "", false, PIN_FREE, PIN_FREE, RC_OK },
	{ "another reference", SERIAL OTHER_REF, "00\n", false, PIN_FREE, PIN_FREE, RC_OK },
	{ "another token", "SER-2*", NULL, false, PIN_FREE, PIN_HELD, RC_OK },
	{ "a token whose name begins so", SERIAL "2*", NULL, false, PIN_FREE, PIN_HELD, RC_OK },
	{ "hidden", SERIAL "*", NULL, true, PIN_UNKNOWN, PIN_UNKNOWN, RC_OK },
	{ "hidden, another reference", SERIAL OTHER_REF, NULL, true, PIN_FREE, PIN_FREE,
	    RC_OK },
	{ "hidden, prepared only", SERIAL "*.new", NULL, true, PIN_FREE, PIN_FREE, RC_OK },
	{ "hidden, another token", "SER-2*", NULL, true, PIN_FREE, PIN_UNKNOWN, RC_OK },
};

static void
is_found(const struct place *p, const char *serial, enum pin_record is, const char *record)
{
	struct pin_found found = { .is = PIN_FREE };
	char path[2 * FILE_MAX] = "";

	assert_int_equal(pin_recorded(p->state, serial, p->ref, &found, NULL), RC_OK);
	assert_int_equal(found.is, is);
	if (is != PIN_FREE)
		record_path(p, record, path);
	assert_string_equal(found.path, path);
}

static void
finds(void **state)
{
	const struct record_case *row = *state;
	struct place p;

	make_place(&p);
	is_found(&p, NULL, PIN_FREE, NULL);
	put(&p, row->record, row->text != NULL ? row->text : p.text);
	if (row->hidden)
		assert_int_equal(unlink(p.ref + strlen("file:")), 0);
	is_found(&p, SERIAL, row->is, row->record);
	is_found(&p, NULL, row->any, row->record);
	if (!row->hidden) {
		struct fault f = { 0 };

		assert_int_equal(pin_check_refused(p.state, SERIAL, &p.source, &f), row->rc);
		if (row->rc != RC_OK)
			assert_string_equal(f.reason, "pin_refused");
		/* Prepared where a login may follow, and there alone. */
		assert_int_equal(is_there(&p, SERIAL "*.new"), row->rc == RC_OK);
	}
	(void)tree_remove(p.dir);
}

static void
cannot_be_read(void **state)
{
	struct pin_found found = { .is = PIN_UNKNOWN };
	char path[2 * FILE_MAX];
	struct fault f = { 0 };
	struct place p;

	(void)state;
	make_place(&p);
	record_path(&p, SERIAL "*", path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(pin_recorded(p.state, NULL, p.ref, &found, &f), RC_INVALID);
	assert_string_equal(f.reason, "state");
	assert_int_equal(pin_check_refused(p.state, SERIAL, &p.source, NULL), RC_INVALID);
	snprintf(path, sizeof path, "%s/none", p.dir);
	assert_int_equal(pin_recorded(path, NULL, p.ref, &found, &f), RC_IO);
	assert_string_equal(f.reason, "state");
	assert_int_equal(found.is, PIN_UNKNOWN); /* as it was */
	(void)tree_remove(p.dir);
}

static const char *const of_all[] = { SERIAL, SERIAL "*", SERIAL "*.new", SERIAL OTHER_REF,
	SERIAL OTHER_REF ".new", "SER-2", "SER-2*", SERIAL "2*" };

enum { ALL = ARRAY_LEN(of_all) };

static void
accepted(const struct place *p)
{
	pin_accepted(p->state, SERIAL, &p->source);
}

static void
changed(const struct place *p)
{
	pin_changed(p->state, SERIAL);
}

static void
not_judged(const struct place *p)
{
	pin_not_judged(p->state, SERIAL, &p->source);
}

static void
refused(const struct place *p)
{
	assert_int_equal(pin_refused(p->state, SERIAL, &p->source, NULL), RC_OK);
}

static struct end_case {
	const char *name;
	void (*end)(const struct place *p);
	bool left[ALL];
} end_cases[] = {
	{ "accepted", accepted, { false, false, false, true, true, true, true, true } },
	{ "changed", changed, { false, false, false, false, false, true, true, true } },
	{ "not judged", not_judged, { true, true, false, true, true, true, true, true } },
	{ "refused", refused, { true, true, false, true, true, true, true, true } },
};

static void
leaves(void **state)
{
	const struct end_case *row = *state;
	struct place p;

	make_place(&p);
	for (size_t i = 0; i < ALL; i++)
		put(&p, of_all[i], "00\n");
	row->end(&p);
	for (size_t i = 0; i < ALL; i++)
		assert_int_equal(is_there(&p, of_all[i]), row->left[i]);
	(void)tree_remove(p.dir);
}

/* With what was prepared, and without it. */
static void
is_recorded(void **state)
{
	struct place p;

	(void)state;
	make_place(&p);
	for (int without = 0; without < 2; without++) {
		assert_int_equal(pin_check_refused(p.state, SERIAL, &p.source, NULL), RC_OK);
		if (without)
			pin_not_judged(p.state, SERIAL, &p.source);
		refused(&p);
		is_found(&p, NULL, PIN_HELD, SERIAL "*");
		assert_int_equal(
		    pin_check_refused(p.state, SERIAL, &p.source, NULL), RC_DENIED);
		changed(&p);
		is_found(&p, NULL, PIN_FREE, NULL);
	}
	(void)tree_remove(p.dir);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(record_cases) + ARRAY_LEN(end_cases) + 2];
	size_t n = 0;

	ROWS(tests, n, record_cases, finds);
	ROWS(tests, n, end_cases, leaves);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(cannot_be_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(is_recorded);
	return _cmocka_run_group_tests("pin", tests, n, NULL, NULL);
}
