/* label: whose a key is by its name; and what the agent hands over of the uses of keys */
#include "pkcs11/label.h"

#include "pkcs11/provision_uses.h"
#include "stir/buf.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

static const uint8_t batch[FRAME_BATCH] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
	0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

#define OWNED  "vesper-0011223344556677-8899aabbccddeeff"
#define BEFORE "vesper-00112233445566778899aabbccddeeff"

static struct label_case {
	const char *name, *text;
	enum frame_label form;
} label_cases[] = {
	{ "of an installation", OWNED, FRAME_LABEL_OWNED },
	{ "a batch of before", BEFORE, FRAME_LABEL_BATCH },
	{ "an id", "vesper-0011223344556677", FRAME_LABEL_ID },
	{ "imported", "vesper-imported-0011223344556677", FRAME_LABEL_IMPORTED },
	{ "imported, nothing behind", "vesper-imported-", FRAME_LABEL_IMPORTED },
	{ "the canary", "vesper-canary", FRAME_LABEL_CANARY },
	{ "nothing", "", FRAME_LABEL_OTHER },
	{ "the prefix alone", "vesper-", FRAME_LABEL_OTHER },
	{ "another prefix", "jasper-0011223344556677-8899aabbccddeeff", FRAME_LABEL_OTHER },
	{ "capitals", "vesper-0011223344556677-8899AABBCCDDEEFF", FRAME_LABEL_OTHER },
	{ "no digit", "vesper-0011223344556677-8899aabbccddeefg", FRAME_LABEL_OTHER },
	{ "one more", OWNED "0", FRAME_LABEL_OTHER },
	{ "a blank behind", OWNED " ", FRAME_LABEL_OTHER },
	{ "another separator", "vesper-0011223344556677_8899aabbccddeeff", FRAME_LABEL_OTHER },
	{ "two separators", "vesper-0011223344556677--8899aabbccddeef", FRAME_LABEL_OTHER },
	{ "a longer owner", "vesper-001122334455667788-99aabbccddeeff", FRAME_LABEL_OTHER },
	{ "a batch of before, one more", BEFORE "0", FRAME_LABEL_OTHER },
	{ "an id, one more", "vesper-00112233445566770", FRAME_LABEL_OTHER },
	{ "another canary", "vesper-canary2", FRAME_LABEL_OTHER },
	{ "somebody's", "my signing key", FRAME_LABEL_OTHER },
};

static void
reads(void **state)
{
	static const uint8_t none[FRAME_BATCH];
	const struct label_case *c = *state;
	struct label l = label_read(span_str(c->text));
	bool named = c->form == FRAME_LABEL_OWNED || c->form == FRAME_LABEL_BATCH;

	assert_int_equal(l.form, c->form);
	assert_memory_equal(l.name, named ? batch : none, FRAME_BATCH);
}

static void
writes(void **state)
{
	char text[LABEL_MAX];

	(void)state;
	label_write(batch, text);
	assert_string_equal(text, OWNED);
	assert_int_equal(strlen(text), 40); /* some tokens keep no more */
	label_write_before(batch, text);
	assert_string_equal(text, BEFORE);
	label_write_id((const uint8_t[FRAME_KEY_ID]){ 0, 0x11, 0x22 }, text);
	assert_string_equal(text, "vesper-0011220000000000");
}

/* Of no part of one is more said than there is. */
static void
parts_and_flips(void **state)
{
	char text[] = OWNED;

	(void)state;
	for (size_t n = 0; n < strlen(OWNED); n++) {
		enum frame_label form = label_read(span_of((const uint8_t *)OWNED, n)).form;

		assert_int_equal(form, n == 23 ? FRAME_LABEL_ID : FRAME_LABEL_OTHER);
	}
	for (size_t bit = 0; bit < 8 * strlen(OWNED); bit++) {
		struct label l;

		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
		l = label_read(span_str(text));
		if (l.form == FRAME_LABEL_OWNED)
			assert_memory_not_equal(l.name, batch, FRAME_BATCH);
		text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
	}
}

/* ---- uses ---- */

#define HEAD "installation 0011223344556677\n"
#define ID_A "00000000000000000000000000000000000000000000000000000000000000aa"
#define ID_B "00000000000000000000000000000000000000000000000000000000000000bb"
#define A    ID_A " credential acme/main\n"
#define B    ID_B " orphan -\n"

static struct uses_case {
	const char *name, *text;
	enum rc rc;
	size_t len;
} uses_cases[] = {
	{ "two keys", HEAD A B, RC_OK, 2 },
	{ "no key", HEAD, RC_OK, 0 },
	{ "no installation", "installation -\n" A, RC_OK, 1 },
	{ "nothing", "", RC_INVALID, 0 },
	{ "no first line", A, RC_INVALID, 0 },
	{ "a short installation", "installation 00112233445566\n" A, RC_INVALID, 0 },
	{ "a long installation", "installation 001122334455667788\n" A, RC_INVALID, 0 },
	{ "no hexadecimal", "installation 001122334455667g\n", RC_INVALID, 0 },
	{ "another order", HEAD B A, RC_INVALID, 0 },
	{ "one key twice", HEAD A A, RC_INVALID, 0 },
	{ "no use", HEAD ID_A "\n", RC_INVALID, 0 },
	{ "an empty use", HEAD ID_A "  acme/main\n", RC_INVALID, 0 },
	{ "nobody's", HEAD ID_A " credential\n", RC_INVALID, 0 },
	{ "a short id", HEAD "00aa credential acme/main\n", RC_INVALID, 0 },
	{ "no end", HEAD ID_A " credential acme/main", RC_INVALID, 0 },
	{ "an empty line", HEAD "\n" A, RC_INVALID, 0 },
};

static void
reads_uses(void **state)
{
	const struct uses_case *c = *state;
	struct uses u = { .len = 77 };
	struct fault f = { 0 };

	assert_int_equal(uses_read(span_str(c->text), &u, &f), c->rc);
	if (c->rc != RC_OK) {
		assert_string_equal(f.reason, "uses_file");
		assert_int_equal(u.len, 77);
		return;
	}
	assert_int_equal(u.len, c->len);
	uses_done(&u);
}

static void
finds_uses(void **state)
{
	uint8_t id[FRAME_KEY_ID] = { 0 };
	struct uses u = { .len = 0 };
	const struct use *use;

	(void)state;
	assert_null(uses_find(&u, span_of(id, sizeof id)));
	assert_int_equal(uses_read(span_str(HEAD A B), &u, NULL), RC_OK);
	assert_true(u.owner_known);
	assert_memory_equal(u.owner, batch, FRAME_OWNER);
	assert_null(uses_find(&u, span_of(id, sizeof id)));
	id[31] = 0xaa;
	assert_null(uses_find(&u, span_of(id, sizeof id - 1)));
	use = uses_find(&u, span_of(id, sizeof id));
	assert_non_null(use);
	assert_true(span_is(use->use, "credential") && span_is(use->of, "acme/main"));
	id[31] = 0xbb;
	use = uses_find(&u, span_of(id, sizeof id));
	assert_non_null(use);
	assert_true(span_is(use->use, "orphan") && use->of.len == 0);
	uses_done(&u);
}

/* The last line may be cut where a line ends, and nowhere else. */
static void
parts_of_uses(void **state)
{
	static const char whole[] = HEAD A B;

	(void)state;
	for (size_t n = 0; n < strlen(whole); n++) {
		struct uses u = { .len = 0 };
		bool ends = n > 0 && whole[n - 1] == '\n';

		assert_int_equal(uses_read(span_of((const uint8_t *)whole, n), &u, NULL),
		    ends ? RC_OK : RC_INVALID);
		uses_done(&u);
	}
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(label_cases) + ARRAY_LEN(uses_cases) + 4];
	size_t n = 0;

	ROWS(tests, n, label_cases, reads);
	ROWS(tests, n, uses_cases, reads_uses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(writes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(parts_and_flips);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(finds_uses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(parts_of_uses);
	return _cmocka_run_group_tests("label", tests, n, NULL, NULL);
}
