/* vper: VESPER -06 "vper", draft-ietf-spice-glue-id, V-44 to V-49, D-58, D-63 */
#include "stir/vper.h"

#include "tests/unit/rows.h"
#include "tests/unit/spec.h"

#define GLUE	"'glue':['urn:glue:pen:32473']"
#define REST	"'name':'ACME Corp','domain':'acme.example'"
#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TEXT64	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* ---- the claim ---------------------------------------------------------------------- */

static struct claim_case {
	const char *name, *value;
	const char *claim; /* NULL: good */
} claim_cases[] = {
	{ "V-44 all four members", "{'id':'e-1'," GLUE "," REST "}", NULL },
	{ "V-46 three identifiers",
	    "{'id':'e-1','glue':['urn:glue:pen:32473','urn:glue:lei:inr2ejn1eran0w5zp974',"
	    "'urn:glue:duns:123456789']," REST "}",
	    NULL },
	{ "V-45 a UUID", "{'id':'123e4567-e89b-12d3-a456-426655440000'," GLUE "," REST "}",
	    NULL },
	{ "V-47 any name", "{'id':'1'," GLUE ",'name':'Ünïcode \\\"& Co\\\"','domain':'a.b'}",
	    NULL },
	{ "V-44 without id", "{" GLUE "," REST "}", "vper/id" },
	{ "V-44 without glue", "{'id':'e-1'," REST "}", "vper/glue" },
	{ "V-44 without name", "{'id':'e-1'," GLUE ",'domain':'acme.example'}", "vper/name" },
	{ "V-44 without domain", "{'id':'e-1'," GLUE ",'name':'ACME'}", "vper/domain" },
	{ "V-44 empty", "{}", "vper/id" },
	{ "V-49 a member more", "{'id':'e-1'," GLUE "," REST ",'vat':'1'}", "vper" },
	{ "D-58 hashed form", "'sha-256-5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU'", "vper" },
	{ "D-58 hashed members", "{'sha-256':'5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU'}",
	    "vper/id" },
	{ "an array", "[]", "vper" },
	{ "null", "null", "vper" },
	{ "V-45 empty id", "{'id':''," GLUE "," REST "}", "vper/id" },
	{ "V-45 id a number", "{'id':1," GLUE "," REST "}", "vper/id" },
	{ "V-45 id with a line break", "{'id':'a\\nb'," GLUE "," REST "}", "vper/id" },
	{ "V-45 id of 256", "{'id':'" TEXT64 TEXT64 TEXT64 TEXT64 "'," GLUE "," REST "}",
	    NULL },
	{ "V-45 id of 257", "{'id':'x" TEXT64 TEXT64 TEXT64 TEXT64 "'," GLUE "," REST "}",
	    "vper/id" },
	{ "V-46 glue a string", "{'id':'1','glue':'urn:glue:pen:32473'," REST "}",
	    "vper/glue" },
	{ "V-46 glue empty", "{'id':'1','glue':[]," REST "}", "vper/glue" },
	{ "V-46 glue no URN", "{'id':'1','glue':['pen:32473']," REST "}", "vper/glue" },
	{ "V-46 glue a number", "{'id':'1','glue':[32473]," REST "}", "vper/glue" },
	{ "V-46 the second no URN",
	    "{'id':'1','glue':['urn:glue:pen:32473','urn:glue:pen:']," REST "}", "vper/glue" },
	{ "V-46 one twice", "{'id':'1','glue':['urn:glue:pen:1','urn:glue:pen:1']," REST "}",
	    "vper/glue" },
	{ "V-47 empty name", "{'id':'1'," GLUE ",'name':'','domain':'a.b'}", "vper/name" },
	{ "V-47 name an object", "{'id':'1'," GLUE ",'name':{},'domain':'a.b'}", "vper/name" },
	{ "V-47 name turned around", "{'id':'1'," GLUE ",'name':'a\\u202eb','domain':'a.b'}",
	    "vper/name" },
	{ "V-45 id with C1", "{'id':'1\\u009b'," GLUE ",'name':'a','domain':'a.b'}",
	    "vper/id" },
	{ "V-47 name of 513",
	    "{'id':'1'," GLUE
	    ",'name':'x" TEXT64 TEXT64 TEXT64 TEXT64 TEXT64 TEXT64 TEXT64 TEXT64
	    "','domain':'a.b'}",
	    "vper/name" },
	{ "V-48 domain a URL", "{'id':'1'," GLUE ",'name':'A','domain':'https://a.example'}",
	    "vper/domain" },
	{ "V-48 domain null", "{'id':'1'," GLUE ",'name':'A','domain':null}", "vper/domain" },
};

static void
claim(void **state)
{
	const struct claim_case *c = *state;
	json_auto_t *value = json_of(c->value);
	struct fault f = { 0 };
	enum rc rc = vper_check("vper", value, &f);

	if (c->claim == NULL) {
		assert_int_equal(rc, RC_OK);
		return;
	}
	assert_int_equal(rc, RC_INVALID);
	assert_string_equal(f.reason, "invalid_claim");
	assert_string_equal(f.claim, c->claim);
}

static void
too_many_identifiers(void **state)
{
	json_auto_t *value = json_of("{'id':'1'," GLUE "," REST "}");
	json_t *glue = json_object_get(value, "glue");
	struct fault f = { 0 };

	(void)state;
	for (int i = 1; i < VPER_MAX_GLUE; i++)
		json_array_append_new(glue, json_sprintf("urn:glue:pen:%d", i));
	assert_int_equal(vper_check("vper", value, NULL), RC_OK);
	json_array_append_new(glue, json_string("urn:glue:pen:0"));
	assert_int_equal(vper_check("vper", value, &f), RC_INVALID);
	assert_string_equal(f.claim, "vper/glue");
}

/* ---- its parts ---------------------------------------------------------------------- */

static struct text_case {
	const char *name, *text;
	bool good;
} glue_cases[] = {
	{ "published pen", "urn:glue:pen:32473", true },
	{ "published lei (V-46)", "urn:glue:lei:inr2ejn1eran0w5zp974", true },
	{ "published duns", "urn:glue:duns:123456789", true },
	{ "authority begins with a digit", "urn:glue:0x:1", true },
	{ "authority with + - .", "urn:glue:a+b-c.d:1", true },
	{ "authority of 50", "urn:glue:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
	    true },
	{ "external begins with -", "urn:glue:pen:-1", true },
	{ "external in upper case", "urn:glue:lei:INR2EJN1ERAN0W5ZP974", true },
	{ "authority of 51", "urn:glue:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
	    false },
	{ "authority in upper case", "urn:glue:PEN:32473", false },
	{ "authority begins with -", "urn:glue:-a:1", false },
	{ "authority begins with +", "urn:glue:+a:1", false },
	{ "no authority", "urn:glue::1", false },
	{ "no external", "urn:glue:pen:", false },
	{ "no second colon", "urn:glue:pen", false },
	{ "a third colon (V-46)", "urn:glue:iso6523:0007:5566778899", false },
	{ "percent-encoding", "urn:glue:pen:3%32", false },
	{ "external begins with +", "urn:glue:pen:+1", false },
	{ "external begins with .", "urn:glue:pen:.1", false },
	{ "a slash", "urn:glue:pen:1/2", false },
	{ "a blank at the end", "urn:glue:pen:1 ", false },
	{ "not ASCII", "urn:glue:pen:\xc3\xa9", false },
	{ "another namespace", "urn:lei:inr2ejn1eran0w5zp974", false },
	{ "URN in upper case", "URN:GLUE:pen:1", false },
	{ "the prefix alone", "urn:glue:", false },
	{ "nothing", "", false },
};

static struct text_case domain_cases[] = {
	{ "two labels", "acme.example", true },
	{ "five labels", "a.b.c.d.e", true },
	{ "hyphen", "a-b.example", true },
	{ "A-label", "xn--bcher-kva.example", true },
	{ "digits in front", "4.example", true },
	{ "label of 63", LABEL63 ".example", true },
	{ "label of 64", "a" LABEL63 ".example", false },
	{ "253 octets",
	    LABEL63 "." LABEL63 "." LABEL63 "."
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    true },
	{ "254 octets",
	    LABEL63 "." LABEL63 "." LABEL63 "."
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    false },
	{ "one label", "localhost", false },
	{ "a dot at the end", "acme.example.", false },
	{ "a dot in front", ".acme.example", false },
	{ "two dots", "acme..example", false },
	{ "hyphen in front", "-a.example", false },
	{ "hyphen at the end", "a-.example", false },
	{ "underscore", "a_b.example", false },
	{ "IPv4 (V-48)", "192.0.2.1", false },
	{ "IPv6", "[2001:db8::1]", false },
	{ "port", "acme.example:443", false },
	{ "path", "acme.example/", false },
	{ "wildcard", "*.acme.example", false },
	{ "U-label",
	    "b\xc3\xbc"
	    "cher.example",
	    false },
	{ "blank", "acme .example", false },
	{ "nothing", "", false },
};

static void
glue(void **state)
{
	const struct text_case *c = *state;

	assert_int_equal(vper_is_glue(span_str(c->text)), c->good);
}

static void
domain(void **state)
{
	const struct text_case *c = *state;

	assert_int_equal(vper_is_domain(span_str(c->text)), c->good);
}

static void
glue_external_is_bounded(void **state)
{
	char urn[sizeof "urn:glue:pen:" + GLUE_MAX_EXTERNAL + 1] = "urn:glue:pen:";
	size_t len = strlen(urn);

	(void)state;
	memset(urn + len, '1', GLUE_MAX_EXTERNAL + 1);
	assert_true(vper_is_glue(span_of(urn, len + GLUE_MAX_EXTERNAL)));
	assert_false(vper_is_glue(span_of(urn, len + GLUE_MAX_EXTERNAL + 1)));
}

/* ---- the tenant's entity (D-63) ----------------------------------------------------- */

static struct entity_case {
	const char *name, *vper, *entity;
	bool good;
} entity_cases[] = {
	{ "V-69 the tenant's", "{'id':'e-1'}", "e-1", true },
	{ "none configured", "{'id':'e-1'}", NULL, true },
	{ "no vper", NULL, "e-1", true },
	{ "another entity", "{'id':'e-2'}", "e-1", false },
	{ "a prefix of it", "{'id':'e-'}", "e-1", false },
	{ "more than it", "{'id':'e-11'}", "e-1", false },
	{ "no id", "{}", "e-1", false },
};

static void
entity(void **state)
{
	const struct entity_case *c = *state;
	json_auto_t *vper = c->vper != NULL ? json_of(c->vper) : NULL;
	struct fault f = { 0 };
	enum rc rc = vper_check_entity(vper, c->entity, &f);

	assert_int_equal(rc, c->good ? RC_OK : RC_DENIED);
	if (c->good)
		return;
	assert_string_equal(f.reason, "value_not_permitted");
	assert_string_equal(f.claim, "vper/id");
	assert_null(strstr(f.detail, "e-1")); /* what the caller has not shown */
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(claim_cases) + ARRAY_LEN(glue_cases) +
				ARRAY_LEN(domain_cases) + ARRAY_LEN(entity_cases) + 2];
	size_t n = 0;

	ROWS(tests, n, claim_cases, claim);
	ROWS(tests, n, glue_cases, glue);
	ROWS(tests, n, domain_cases, domain);
	ROWS(tests, n, entity_cases, entity);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_many_identifiers);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(glue_external_is_bounded);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
