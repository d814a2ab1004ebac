/*
 * Names with a privacy mode, files of salts, vper, and constraints over claims;
 * the first octet says which.
 */
#include "stir/constraints.h"
#include "stir/jtext.h"
#include "stir/vper.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

enum { TELLING = 12 }; /* octets of a file in an error that would tell of a salt */

static void
names(struct span in)
{
	AUTO_FREE char *name = strndup((const char *)in.ptr, in.len);
	struct privacy_name n = { 0 };

	if (name == NULL || privacy_name(name, &n, NULL) != RC_OK)
		return;
	if (n.path.len + strlen(privacy_suffix(n.mode)) != strlen(name) ||
	    n.claim.len + n.pointer.len != n.path.len ||
	    (n.pointer.len > 0 && n.pointer.ptr[0] != '/'))
		abort();
}

static void
files_of_salts(struct span in)
{
	AUTO(salts) *s = NULL;
	struct fault f = { 0 };

	if (salts_read(in, &s, &f) == RC_OK) {
		if (salts_len(s) > PRIVACY_MAX_SALTS)
			abort();
		return;
	}
	for (size_t i = 0; i + TELLING <= in.len; i++) {
		if (memmem(f.detail, strlen(f.detail), in.ptr + i, TELLING) != NULL &&
		    memchr(in.ptr + i, ' ', TELLING) == NULL)
			abort();
	}
}

static void
claims_of_entities(struct span in)
{
	json_auto_t *value = NULL;
	const json_t *glue;

	if (jtext_read(in, &value, NULL) != RC_OK || vper_check("vper", value, NULL) != RC_OK)
		return;
	glue = json_object_get(value, "glue");
	if (json_object_size(value) != 4 || json_array_size(glue) == 0 ||
	    !vper_is_domain(jtext_span(json_object_get(value, "domain"))))
		abort();
	for (size_t i = 0; i < json_array_size(glue); i++) {
		if (!vper_is_glue(jtext_span(json_array_get(glue, i))))
			abort();
	}
}

/* An octet's length of DER in 16s, the DER, and JSON behind it. */
static void
decisions(struct span in)
{
	static const struct constraints_policy policy = { 0 };
	AUTO(constraints) *c = NULL;
	json_auto_t *claims = NULL;
	AUTO(constraints_plan) *plan = NULL;
	const struct permitted *entry = NULL;
	struct fault f = { 0 };
	struct span der;
	size_t len;

	if (in.len == 0)
		return;
	len = (size_t)in.ptr[0] * 16;
	(void)span_cut(&in, 1);
	der = span_cut(&in, len < in.len ? len : in.len);
	while (in.len > 0 && in.ptr[0] == 0) /* filling */
		(void)span_cut(&in, 1);
	while (der.len > 0 && der.ptr[der.len - 1] == 0)
		der.len--;
	if (constraints_decode(der, CONSTRAINTS_ENHANCED, &c, NULL) != RC_OK ||
	    jtext_read(in, &claims, NULL) != RC_OK || !json_is_object(claims) ||
	    constraints_check(c, &policy, NULL) != RC_OK)
		return;
	/* What is only committed to is never sent in clear. */
	if (constraints_plan(c, &plan, NULL) == RC_OK &&
	    constraints_judge(plan, &policy, claims, &f) == RC_OK &&
	    constraints_committed(plan, claims, &entry, NULL) == RC_OK && entry != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const run[])(
	    struct span) = { names, files_of_salts, claims_of_entities, decisions };
	struct span in = span_of(data, len);

	if (len == 0)
		return 0;
	(void)span_cut(&in, 1);
	run[data[0] % ARRAY_LEN(run)](in);
	return 0;
}
