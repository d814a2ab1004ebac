/* A start of a large configuration: what was used last comes first, the rest follows. */
#include "agent/front/used.h"

#include <stdio.h>

#include "agent/front/store.h"
#include "stir/jtext.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

enum { TENANTS = 6 };

#define USED_FILE "state/front/used.json"

static struct bworld world;
static const int64_t now = PKI_NOW;

static void
name_of(size_t n, char out[24])
{
	snprintf(out, 24, "t%zu", n);
}

/* One credential each; the second tenant has two. */
static void
put_tenants(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_BUF text = BUF_INIT(4096);
		char name[24];

		buf_printf(&text, "numbers = { \"120255501%02zu\" }\n", i);
		buf_str(&text, BWORLD_DELEGATE("vesper-06", ""));
		if (i == 1)
			buf_str(&text, "credential \"more\" { profile = \"vesper-06\" token = "
				       "\"main\" "
				       "identity = \"none\" }\n");
		name_of(i, name);
		bworld_tenant(name, buf_text(&text));
	}
}

static int
open_world(void **state)
{
	(void)state;
	bworld_open(&world);
	put_tenants(TENANTS);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	bworld_close(&world);
	return 0;
}

static void
put_used(const char *text)
{
	assert_int_equal(store_write(USED_FILE, span_str(text), 0600, NULL), RC_OK);
}

/* ---- steps of a start ---- */

struct start {
	struct credset *set;
	struct accounts accounts;
	struct load_rest rest;
};

static void
begin(struct start *s, size_t most)
{
	struct fault f = { 0 };

	*s = (struct start){ 0 };
	if (load_first("vesperd.conf", most, now, &s->set, &s->accounts, &s->rest, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

static void
go_on(struct start *s, size_t most)
{
	struct credset *more = NULL;

	assert_int_equal(
	    load_more(s->set, &s->accounts, most, now, &s->rest, &more, NULL), RC_OK);
	credset_release(s->set);
	s->set = more;
}

static void
start_done(struct start *s)
{
	credset_release(s->set);
	accounts_done(&s->accounts);
	load_rest_done(&s->rest);
}

/* The tenants that are there, "t0 t3 "; those that are not have nothing loaded. */
static const char *
loaded(const struct start *s)
{
	static char text[256];
	size_t len = 0, loading = 0;

	text[0] = 0;
	for (size_t i = 0; i < s->set->config->tenants; i++) {
		const struct config_tenant *t = &s->set->config->tenant[i];
		bool is = s->set->tenant[i].credential[0]->state == CREDENTIAL_LOADING;

		for (size_t k = 0; k < t->credentials; k++) {
			const struct credential *c = s->set->tenant[i].credential[k];

			/* All of a tenant or none. */
			assert_int_equal(c->state == CREDENTIAL_LOADING, is);
			assert_string_equal(
			    c->why.reason, is ? "overloaded" : "number_pending");
			loading += is;
		}
		if (!is)
			len += (size_t)snprintf(text + len, sizeof text - len, "%s ", t->name);
	}
	assert_int_equal(s->set->loading, loading);
	return text;
}

static void
all_at_once(void **state)
{
	struct start s;

	(void)state;
	begin(&s, 100);
	assert_string_equal(loaded(&s), "t0 t1 t2 t3 t4 t5 ");
	assert_int_equal(s.rest.next, TENANTS);
	start_done(&s);
}

static void
the_last_used_first(void **state)
{
	struct start s;

	(void)state;
	put_used("{\"t4\":1000,\"gone\":3000,\"t2\":2000,\"t1\":1000}");
	begin(&s, 1);
	assert_string_equal(loaded(&s), "t2 ");
	go_on(&s, 1); /* it has two credentials: all of them or none */
	assert_string_equal(loaded(&s), "t1 t2 ");
	go_on(&s, 2);
	assert_string_equal(loaded(&s), "t0 t1 t2 t4 ");
	go_on(&s, 100);
	assert_string_equal(loaded(&s), "t0 t1 t2 t3 t4 t5 ");
	/* What was known of their use still is. */
	assert_int_equal(atomic_load(&s.set->tenant[2].credential[0]->used_at_s), 2000);
	assert_int_equal(atomic_load(&s.set->tenant[1].credential[1]->used_at_s), 1000);
	assert_int_equal(atomic_load(&s.set->tenant[0].credential[0]->used_at_s), 0);
	start_done(&s);
}

/* Whoever is asked for does not wait for its turn. */
static void
what_is_asked_for_is_next(void **state)
{
	struct start s;

	(void)state;
	begin(&s, 1);
	assert_string_equal(loaded(&s), "t0 ");
	atomic_store(&s.set->tenant[5].credential[0]->asked_for, true);
	atomic_store(&s.set->tenant[1].credential[1]->asked_for, true);
	go_on(&s, 1);
	assert_string_equal(loaded(&s), "t0 t1 ");
	go_on(&s, 1);
	assert_string_equal(loaded(&s), "t0 t1 t5 ");
	go_on(&s, 1);
	assert_string_equal(loaded(&s), "t0 t1 t2 t5 "); /* and on it goes */
	start_done(&s);
}

/* A step that is not put in force is made again. */
static void
a_step_fails(void **state)
{
	struct works w = { .config_file = NULL };

	(void)state;
	put_tenants(LOAD_FIRST + 10);
	bworld_works(&world, &w, now);
	assert_int_equal(w.set->loading, 11);
	assert_true(works_is_loading(&w));
	world.publish_rc = RC_TIMEOUT;
	assert_int_equal(works_load_more(&w, now, NULL), RC_TIMEOUT);
	assert_int_equal(w.set->loading, 11);
	world.publish_rc = RC_OK;
	assert_int_equal(works_load_more(&w, now, NULL), RC_OK);
	assert_false(works_is_loading(&w));
	assert_int_equal(world.published, 2);
	assert_int_equal(world.waited, 0); /* for no key */
	works_done(&w);
}

/* ---- the file ---- */

static struct bad_case {
	const char *name, *text;
} bad_cases[] = {
	{ "nothing", "" },
	{ "half", "{\"t4\":10" },
	{ "no object", "[\"t4\"]" },
	{ "twice", "{\"t4\":1000,\"t4\":2000}" },
	{ "no time", "{\"t4\":\"1000\"}" },
	{ "a fraction", "{\"t4\":1000.5}" },
	{ "never", "{\"t4\":0}" },
	{ "before everything", "{\"t4\":-1}" },
	{ "in the future", "{\"t4\":1999999999999}" },
	{ "no name", "{\"../t4\":1000}" },
	{ "one bad among good ones", "{\"t4\":1000,\"t3\":null}" },
};

/* It costs the order and nothing else. */
static void
a_bad_file(void **state)
{
	const struct bad_case *c = *state;
	struct start s;

	put_used(c->text);
	begin(&s, 1);
	assert_string_equal(loaded(&s), "t0 ");
	assert_int_equal(atomic_load(&s.set->tenant[4].credential[0]->used_at_s), 0);
	start_done(&s);
}

static void
too_many_names(void **state)
{
	AUTO_BUF text = BUF_INIT(1024 * 1024);
	struct start s;

	(void)state;
	buf_str(&text, "{\"t4\":1000");
	for (size_t i = 0; i < USED_MAX; i++)
		buf_printf(&text, ",\"x%zu\":1000", i);
	buf_str(&text, "}");
	put_used(buf_text(&text));
	begin(&s, 1);
	assert_string_equal(loaded(&s), "t0 ");
	start_done(&s);
}

/* As many as we write, and names as long as they may be. */
static void
the_longest_file(void **state)
{
	AUTO_BUF text = BUF_INIT(1024 * 1024);
	struct start s;

	(void)state;
	buf_str(&text, "{\"t4\":1000");
	for (size_t i = 1; i < USED_MAX; i++)
		buf_printf(&text, ",\"x%0*zu\":%d", CONFIG_NAME_MAX - 1, i, 1700000000);
	buf_str(&text, "}");
	put_used(buf_text(&text));
	begin(&s, 1);
	assert_string_equal(loaded(&s), "t4 ");
	start_done(&s);
}

/* Every proper prefix of what we write is refused. */
static void
a_prefix(void **state)
{
	static const char text[] = "{\"t4\":1000,\"t5\":2000}";

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char part[sizeof text];
		struct start s;

		memcpy(part, text, n);
		part[n] = 0;
		put_used(part);
		begin(&s, 1);
		assert_string_equal(loaded(&s), "t0 ");
		start_done(&s);
	}
}

static void
use(const struct start *s, size_t tenant, int64_t at_s)
{
	credential_used(s->set->tenant[tenant].credential[0], at_s);
}

/* Written when there was use, and read by the next start. */
static void
written_and_read(void **state)
{
	AUTO_BUF text = BUF_INIT(4096);
	int64_t written_s = 0;
	struct start s;

	(void)state;
	begin(&s, 100);
	assert_int_equal(used_write(s.set, &written_s, NULL), RC_OK);
	assert_int_equal(store_mtime(USED_FILE), 0); /* nobody was */
	use(&s, 3, now - 60);
	use(&s, 5, now - 5);
	assert_int_equal(used_write(s.set, &written_s, NULL), RC_OK);
	assert_int_equal(written_s, now - 5);
	assert_int_equal(store_read(USED_FILE, 4096, &text, NULL), RC_OK);
	assert_non_null(strstr(buf_text(&text), "\"t5\""));
	assert_null(strstr(buf_text(&text), "\"t0\""));
	assert_int_equal(store_remove(USED_FILE, NULL), RC_OK);
	assert_int_equal(used_write(s.set, &written_s, NULL), RC_OK);
	assert_int_equal(store_mtime(USED_FILE), 0); /* nothing new: nothing written */
	use(&s, 3, now);
	assert_int_equal(used_write(s.set, &written_s, NULL), RC_OK);
	start_done(&s);
	begin(&s, 1);
	assert_string_equal(loaded(&s), "t3 ");
	go_on(&s, 1);
	assert_string_equal(loaded(&s), "t3 t5 ");
	start_done(&s);
}

#define STEP(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int
main(void)
{
	static const struct CMUnitTest steps[] = {
		STEP(all_at_once),
		STEP(the_last_used_first),
		STEP(what_is_asked_for_is_next),
		STEP(a_step_fails),
		STEP(too_many_names),
		STEP(the_longest_file),
		STEP(a_prefix),
		STEP(written_and_read),
	};
	static struct CMUnitTest tests[ARRAY_LEN(steps) + ARRAY_LEN(bad_cases)];
	size_t n = 0;

	for (; n < ARRAY_LEN(steps); n++)
		tests[n] = steps[n];
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++)
		tests[n++] = (struct CMUnitTest){ bad_cases[i].name, a_bad_file, open_world,
			close_world, &bad_cases[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
