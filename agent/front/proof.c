#include "agent/front/proof.h"

#include <string.h>

#include "stir/jtext.h"
#include "stir/verify.h"

static enum rc
unproven(struct fault *f, const char *why)
{
	return REFUSE(f, RC_DENIED, ATTEST_NOT_ALLOWED, "attest",
	    "the delegate's PASSporT proves nothing: %s", why);
}

static bool
speaks_for_orig(const char *name)
{
	enum ppt p;

	return ppt_find(name, &p, NULL) == RC_OK && ppt_rule(p)->speaks_for_orig;
}

/* The members of two arrays of strings are the same, in whatever order. */
static bool
same_members(const json_t *a, const json_t *b)
{
	size_t n = json_array_size(a);

	if (n != json_array_size(b))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < n && !found; k++)
			found = json_equal(json_array_get(a, i), json_array_get(b, k));
		if (!found)
			return false;
	}
	return true;
}

/* orig and dest are canonical on both sides; dest has no number twice. */
static bool
same_call(const json_t *a, const json_t *b)
{
	const json_t *x = json_object_get(a, "dest"), *y = json_object_get(b, "dest");

	return json_equal(json_object_get(a, "orig"), json_object_get(b, "orig")) &&
	       same_members(json_object_get(x, "tn"), json_object_get(y, "tn")) &&
	       same_members(json_object_get(x, "uri"), json_object_get(y, "uri"));
}

/* Between the first dots of an Identity value or a PASSporT. */
static const struct chain *
known_chain(const struct credset *set, struct span text)
{
	struct jws_parts jws = { 0 };
	const uint8_t *end = memchr(text.ptr, ';', text.len);
	const struct chain *found = NULL;

	if (end != NULL)
		text.len = (size_t)(end - text.ptr);
	if (jws_split(text, &jws, NULL) != RC_OK)
		return NULL;
	/* One of ours, where the PASSporT names it by its x5u alone. */
	found = credset_chain(set, jtext_span(json_object_get(jws.header, "x5u")));
	jws_done(&jws);
	return found;
}

static enum rc
failed_step(const struct verify_result *r, struct fault *f)
{
	for (unsigned i = 0; i < VERIFY__COUNT; i++) {
		if (r->step[i].verdict == VERDICT_FAIL)
			return REFUSE(f, RC_DENIED, ATTEST_NOT_ALLOWED, "attest",
			    "the delegate's PASSporT proves nothing: %s: %s",
			    verify_step_name(i), r->step[i].detail);
	}
	return unproven(f, "its certificates do not lead to a trust anchor");
}

static enum rc
judge(const struct verify_result *r, const struct passport *call, struct fault *f)
{
	const struct tnauth *list;

	if (!r->pass)
		return failed_step(r, f);
	if (!speaks_for_orig(json_string_value(json_object_get(r->header, "ppt"))))
		return unproven(f, "its ppt does not speak for orig");
	/* A provider's code authorises no number (D-05), whatever verifies by it. */
	list = r->chain->cert[0]->tnauth;
	if (list == NULL || !tnauth_covers(list, &call->orig))
		return unproven(f, "its certificate does not hold the number");
	if (!same_call(r->claims, call->claims))
		return unproven(f, "it is of another call");
	return RC_OK;
}

enum rc
proof_read(const struct credset *set, struct span text, const struct passport *call,
    int64_t now_s, struct fault *f)
{
	struct verify_input in = { .token = text,
		.anchors = set->anchors,
		.ctlogs = set->ctlogs,
		.from = &call->orig,
		.at_s = now_s };
	struct verify_result r = { 0 };
	enum rc rc;

	if (text.len == 0 || text.len > PROOF_MAX_BYTES)
		return unproven(f, "it is too long");
	in.chain = known_chain(set, text);
	TRY(verify_passport(&in, &r, f));
	rc = judge(&r, call, f);
	verify_done(&r);
	return rc;
}
