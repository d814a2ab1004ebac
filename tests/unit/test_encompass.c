/* encompass: RFC 9060 section 4 over the lists of a path */
#include "stir/encompass.h"

#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"

enum { LEVELS = 4 };

/*
 * A certificate's list: numbers or "first-last" and "@code", separated by
 * commas; "&" for a list by reference beside; "" for none.
 */
static struct encompass_case {
	const char *name;
	const char *list[LEVELS]; /* leaf first; the last one is the anchor's where anchored */
	bool anchored, originators;
	const char *referenced; /* the leaf's, fetched */
	enum encompass_verdict verdict;
} encompass_cases[] = {
	{ "same number (RFC 9060 s4)", { "12025550100", "12025550100" }, false, true, NULL,
	    ENCOMPASS_PROVEN },
	{ "other number (RFC 9060 s4)", { "12025550101", "12025550100" }, false, true, NULL,
	    ENCOMPASS_OUTSIDE },
	{ "inside a range", { "12025550105", "12025550100-12025550109" }, false, true, NULL,
	    ENCOMPASS_PROVEN },
	{ "across two ranges that meet (RFC 9060 s4.1)",
	    { "12025550105-12025550114", "12025550100-12025550109,12025550110-12025550119" },
	    false, true, NULL, ENCOMPASS_PROVEN },
	{ "one beyond the range", { "12025550100-12025550110", "12025550100-12025550109" },
	    false, true, NULL, ENCOMPASS_OUTSIDE },
	{ "same digits, another length", { "1202555", "12025550" }, false, true, NULL,
	    ENCOMPASS_OUTSIDE },
	{ "a parent with a code (D-45)", { "12025550101", "@1234" }, false, true, NULL,
	    ENCOMPASS_OPEN },
	{ "a parent with numbers and a code", { "12025550101", "12025550100,@1234" }, false,
	    true, NULL, ENCOMPASS_OPEN },
	{ "inside the numbers beside a code", { "12025550100", "12025550100,@1234" }, false,
	    true, NULL, ENCOMPASS_PROVEN },
	{ "no list above", { "12025550100", "", "" }, false, true, NULL, ENCOMPASS_ABSENT },
	{ "a leaf without a list", { "", "12025550100" }, false, true, NULL,
	    ENCOMPASS_OUTSIDE },
	{ "originators are no scope (D-05)", { "12025550100,@5678", "12025550100" }, false,
	    true, NULL, ENCOMPASS_PROVEN },
	{ "elsewhere a code is scope", { "12025550100,@5678", "12025550100" }, false, false,
	    NULL, ENCOMPASS_OUTSIDE },
	{ "a code inside its parent's", { "@1234", "@1234" }, false, false, NULL,
	    ENCOMPASS_PROVEN },
	{ "another code", { "@5678", "@1234" }, false, false, NULL, ENCOMPASS_OPEN },
	{ "a code of another case (D-06)", { "@abcd", "@ABCD,1" }, false, false, NULL,
	    ENCOMPASS_OPEN },
	{ "the second level fails", { "12025550100", "12025550100", "12025550101" }, false,
	    true, NULL, ENCOMPASS_OUTSIDE },
	{ "the second level is open", { "12025550100", "12025550100", "@1234" }, false, true,
	    NULL, ENCOMPASS_OPEN },
	{ "a level without a list hides nothing", { "12025550101", "", "12025550100" }, false,
	    true, NULL, ENCOMPASS_OUTSIDE },
	{ "a level without a list widens nothing", { "12025550100", "", "12025550100" }, false,
	    true, NULL, ENCOMPASS_PROVEN },
	{ "an intermediate's code is scope", { "12025550100", "12025550100,@1", "12025550100" },
	    false, true, NULL, ENCOMPASS_OUTSIDE },
	{ "the anchor's list counts", { "12025550101", "12025550100" }, true, true, NULL,
	    ENCOMPASS_OUTSIDE },
	{ "inside the anchor's list", { "12025550100", "", "12025550100" }, true, true, NULL,
	    ENCOMPASS_PROVEN },
	{ "parent by reference (D-46)", { "12025550100", "&" }, false, true, NULL,
	    ENCOMPASS_OPEN },
	{ "leaf by reference, not fetched", { "12025550100,&", "12025550100" }, false, true,
	    NULL, ENCOMPASS_OPEN },
	{ "leaf by reference, inside", { "&", "12025550100" }, false, true, "12025550100",
	    ENCOMPASS_PROVEN },
	{ "leaf by reference, outside", { "12025550100,&", "12025550100" }, false, true,
	    "12025550101", ENCOMPASS_OUTSIDE },
};

static struct {
	EVP_PKEY *key[LEVELS];
} w;

static int
make_world(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEVELS; i++)
		w.key[i] = pki_p256();
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEVELS; i++)
		EVP_PKEY_free(w.key[i]);
	return 0;
}

static void
put_entry(struct tnauth_entry *e, const char *text)
{
	struct tn_interval range = { 0 };

	if (text[0] == '@') {
		e->kind = TNAUTH_SPC;
		snprintf(e->spc, sizeof e->spc, "%s", text + 1);
		return;
	}
	assert_int_equal(tnset_parse(span_str(text), &range, NULL), RC_OK);
	tn_from_key(range.lo, &e->start);
	e->count = range.hi - range.lo + 1;
	e->kind = e->count > 1 ? TNAUTH_RANGE : TNAUTH_ONE;
}

/* false: by value only. */
static bool
put_list(struct buf *out, const char *text)
{
	struct tnauth_entry entry[8] = { 0 };
	char copy[200], *rest = copy, *one;
	bool by_reference = false;
	size_t n = 0;

	snprintf(copy, sizeof copy, "%s", text);
	while ((one = strsep(&rest, ",")) != NULL) {
		if (one[0] == '&')
			by_reference = true;
		else if (one[0] != 0)
			put_entry(&entry[n++], one);
	}
	if (n > 0)
		assert_int_equal(tnauth_encode(out, entry, n, NULL), RC_OK);
	return by_reference;
}

static X509 *
issue(size_t i, const char *list, X509 *issuer)
{
	AUTO_BUF der = BUF_INIT(1000);
	char cn[32];
	struct pki_spec spec = { .cn = cn,
		.key = w.key[i],
		.issuer = issuer,
		.issuer_key = issuer != NULL ? w.key[i + 1] : NULL,
		.ca = i > 0 };

	snprintf(cn, sizeof cn, "Level %zu", i);
	if (put_list(&der, list))
		spec.aia = "1.3.6.1.5.5.7.48.14;URI:https://list.example/a";
	spec.tnauth = buf_view(&der);
	return pki_issue(&spec);
}

/* The chain without its anchor, and the anchors. */
static void
make_path(const struct encompass_case *c, struct buf *chain, struct buf *anchors)
{
	X509 *x[LEVELS] = { 0 };
	size_t n = 0;

	while (n < LEVELS && c->list[n] != NULL)
		n++;
	for (size_t i = n; i-- > 0;)
		x[i] = issue(i, c->list[i], i + 1 < n ? x[i + 1] : NULL);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n || !c->anchored)
			pki_pem(chain, x[i]);
	}
	pki_pem(anchors, x[n - 1]);
	for (size_t i = 0; i < n; i++)
		X509_free(x[i]);
}

static struct tnset *
set_of(const char *text)
{
	struct tn_interval one = { 0 };
	struct tnset *set = NULL;

	if (text == NULL)
		return NULL;
	assert_int_equal(tnset_parse(span_str(text), &one, NULL), RC_OK);
	assert_int_equal(tnset_build(&one, 1, &set, NULL), RC_OK);
	return set;
}

/* D-45 */
static void
check_modes(const struct encompass *e, enum encompass_verdict v)
{
	bool refused[] = { [ENCOMPASS_IF_PRESENT] = v == ENCOMPASS_OUTSIDE,
		[ENCOMPASS_REQUIRE] = v != ENCOMPASS_PROVEN,
		[ENCOMPASS_OFF] = false };

	for (size_t m = 0; m < ARRAY_LEN(refused); m++) {
		struct fault f = { 0 };

		assert_int_equal(encompass_check(e, (enum encompass_mode)m, &f),
		    refused[m] ? RC_DENIED : RC_OK);
		if (refused[m])
			assert_string_equal(f.reason, "chain_scope");
	}
}

static void
judges(void **state)
{
	const struct encompass_case *c = *state;
	AUTO_BUF pem = BUF_INIT(100000), top = BUF_INIT(100000);
	AUTO(tnset) *referenced = set_of(c->referenced);
	AUTO(chain) *chain = NULL;
	AUTO(anchors) *anchors = NULL;
	struct encompass e = { .referenced = referenced,
		.codes_are_originators = c->originators };
	struct fault f = { 0 };

	make_path(c, &pem, &top);
	assert_int_equal(chain_read_pem(buf_view(&pem), false, &chain, NULL), RC_OK);
	assert_int_equal(anchors_read_pem(buf_view(&top), &anchors, NULL), RC_OK);
	if (chain_verify(chain, anchors, PKI_NOW, NULL, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	e.chain = chain;
	e.anchor = chain_anchor(chain, anchors);
	assert_int_equal(e.anchor != NULL, c->anchored);
	assert_int_equal(encompass_judge(&e), c->verdict);
	check_modes(&e, c->verdict);
}

static void
names(void **state)
{
	static const char *const unknown[] = { "", "Require", "if_present", "on" };
	enum encompass_mode m = ENCOMPASS_OFF;

	(void)state;
	for (unsigned i = ENCOMPASS_IF_PRESENT; i <= ENCOMPASS_OFF; i++) {
		assert_true(encompass_find(encompass_name(i), &m));
		assert_int_equal(m, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_false(encompass_find(unknown[i], &m));
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(encompass_cases) + 1];
	size_t n = 0;

	ROWS(tests, n, encompass_cases, judges);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(names);
	return cmocka_run_group_tests(tests, make_world, drop_world);
}
