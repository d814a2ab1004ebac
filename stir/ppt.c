#include "stir/ppt.h"

#include <assert.h>
#include <stdio.h>

#include "stir/ascii.h"
#include "stir/es256.h"
#include "stir/jtext.h"
#include "stir/rcd.h"
#include "stir/vper.h"

static enum rc
invalid(struct fault *f, const char *name, const char *what)
{
	return REFUSE(f, RC_INVALID, INVALID_CLAIM, name, "%s", what);
}

/* ---- shaken -------------------------------------------------------------------------- */

/* RFC 8588 section 4: one of three upper-case letters, never a default. */
static enum rc
check_attest(const char *name, const json_t *value, struct fault *f)
{
	struct span s = jtext_span(value);

	if (span_is(s, "A") || span_is(s, "B") || span_is(s, "C"))
		return RC_OK;
	return invalid(f, name, "attest is \"A\", \"B\" or \"C\"");
}

/* RFC 8588 section 5: a UUID, RFC 9562 section 4; its spelling stays the caller's (D-48). */
static enum rc
check_uuid(const char *name, const json_t *value, struct fault *f)
{
	static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
	struct span s = jtext_span(value);
	bool good = s.len == sizeof form - 1;

	for (size_t i = 0; i < s.len && good; i++)
		good = form[i] == '-' ? s.ptr[i] == '-' : ascii_hex(s.ptr[i]) >= 0;
	if (!good)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, name, "%s is a UUID", name);
	return RC_OK;
}

/* ---- diversion ------------------------------------------------------------------------ */

/* The index of History-Info, RFC 7044 section 5: numbers and dots between them. */
static bool
is_index(const json_t *hi)
{
	struct span s = jtext_span(hi);

	if (s.len == 0 || s.len > DIV_HI_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		bool inside = i > 0 && i + 1 < s.len && s.ptr[i - 1] != '.';

		if (!ascii_is_digit(s.ptr[i]) && !(s.ptr[i] == '.' && inside))
			return false;
	}
	return true;
}

/* RFC 8946 section 3: one identity, which is no array, and perhaps hi. */
static enum rc
check_div(const char *name, const json_t *value, struct fault *f)
{
	const json_t *tn = json_object_get(value, "tn"), *hi = json_object_get(value, "hi");

	if (!json_is_object(value))
		return invalid(f, name, "div is an object");
	if (json_object_get(value, "uri") != NULL)
		return invalid(f, name, "div.uri needs authority over a domain"); /* D-26 */
	if (!json_is_string(tn))
		return invalid(f, name, "div has a tn, which is a string");
	if (hi != NULL && !is_index(hi))
		return invalid(f, name, "div.hi is an index like \"1.2\"");
	if (json_object_size(value) != (hi != NULL ? 2 : 1))
		return invalid(f, name, "div has the members tn and hi");
	return RC_OK;
}

/* RFC 8946 section 6: a whole PASSporT, never the compact form. */
static enum rc
check_opt(const char *name, const json_t *value, struct fault *f)
{
	struct jws_parts parts;
	json_auto_t *payload = NULL;
	enum rc rc = jws_split(jtext_span(value), &parts, NULL);

	if (rc == RC_OK) {
		rc = jtext_read(buf_view(&parts.payload), &payload, NULL);
		jws_done(&parts);
	}
	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, "no_memory", "opt");
	if (rc != RC_OK || !json_is_object(payload))
		return invalid(f, name, "opt is a PASSporT in full form");
	return RC_OK;
}

/* ---- messages -------------------------------------------------------------------------- */

/*
 * RFC 9475 section 3.2: the name of the hash, "-" and the digest of the body in
 * base64, as RFC 9795 section 6.1 writes digests.
 */
static enum rc
check_msgi(const char *name, const json_t *value, struct fault *f)
{
	struct rcd_digest digest;

	if (rcd_digest_parse(jtext_span(value), &digest, NULL) == RC_OK)
		return RC_OK;
	return invalid(f, name, "msgi is sha256-, sha384- or sha512- and a digest in base64");
}

/* ---- priority --------------------------------------------------------------------------- */

/* RFC 4412 section 3.1: namespace "." priority, both token-nodot. */
static bool
is_r_value(struct span s)
{
	size_t dots = 0, part = 0;

	for (size_t i = 0; i < s.len; i++, part++) {
		if (s.ptr[i] == '.' && part > 0) {
			dots++;
			part = (size_t)-1;
		} else if (!ascii_is_alnum(s.ptr[i]) && strchr("!%*_+`'~-", s.ptr[i]) == NULL) {
			return false;
		}
	}
	return dots == 1 && part > 0 && s.len <= RPH_VALUE_MAX;
}

/* RFC 8443 section 3: {"auth":[...]}. */
static enum rc
check_rph(const char *name, const json_t *value, struct fault *f)
{
	const json_t *auth = json_object_get(value, "auth");
	size_t n = json_array_size(auth);

	if (json_object_size(value) != 1 || n == 0 || n > RPH_MAX)
		return invalid(f, name, "rph has one member, auth: an array of priorities");
	for (size_t i = 0; i < n; i++) {
		if (!is_r_value(jtext_span(json_array_get(auth, i))))
			return invalid(f, name, "a priority is like \"ets.0\"");
	}
	return RC_OK;
}

/* RFC 9027 section 4 */
static enum rc
check_sph(const char *name, const json_t *value, struct fault *f)
{
	if (!span_is(jtext_span(value), "psap-callback"))
		return invalid(f, name, "sph is \"psap-callback\"");
	return RC_OK;
}

/* ---- media keys ------------------------------------------------------------------------- */

/* RFC 8122 section 5 without the hashes that are broken. */
static const struct {
	const char *alg;
	size_t hex;
} fingerprints[] = { { "sha-224", 56 }, { "sha-256", 64 }, { "sha-384", 96 },
	{ "sha-512", 128 } };

/* RFC 8225 section 5.2.2: upper-case hexadecimal without colons. */
static bool
is_fingerprint(const json_t *one)
{
	struct span alg = jtext_span(json_object_get(one, "alg"));
	struct span dig = jtext_span(json_object_get(one, "dig"));
	size_t hex = 0;

	for (size_t i = 0; i < ARRAY_LEN(fingerprints); i++) {
		if (span_is(alg, fingerprints[i].alg))
			hex = fingerprints[i].hex;
	}
	if (hex == 0 || dig.len != hex || json_object_size(one) != 2)
		return false;
	for (size_t i = 0; i < dig.len; i++) {
		if (!ascii_is_digit(dig.ptr[i]) && !(dig.ptr[i] >= 'A' && dig.ptr[i] <= 'F'))
			return false;
	}
	return true;
}

static int
by_alg_and_dig(const json_t *a, const json_t *b)
{
	int order = strcmp(json_string_value(json_object_get(a, "alg")),
	    json_string_value(json_object_get(b, "alg")));

	return order != 0 ? order
			  : strcmp(json_string_value(json_object_get(a, "dig")),
				json_string_value(json_object_get(b, "dig")));
}

static enum rc
check_mky(const char *name, const json_t *value, struct fault *f)
{
	size_t n = json_array_size(value);

	if (n == 0 || n > MKY_MAX)
		return invalid(f, name, "mky is an array of 1 to 16 fingerprints");
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(value, i);

		if (!is_fingerprint(one))
			return invalid(f, name,
			    "a fingerprint has alg, a hash of SHA-2, and dig, upper-case hex");
		if (i > 0 && by_alg_and_dig(json_array_get(value, i - 1), one) >= 0)
			return invalid(f, name, "fingerprints are sorted by alg, then by dig");
	}
	return RC_OK;
}

/* ---- the table --------------------------------------------------------------------------- */

#define MKY \
	{ \
		"mky", false, check_mky \
	}
/* RFC 9795 section 13.2: rich call data rides in shaken, too. */
/* clang-format off */
#define RCD \
	{ "rcd", false, rcd_check }, { "rcdi", false, rcd_check_rcdi }, \
	{ "crn", false, rcd_check_crn }
/* clang-format on */

static const struct claim_rule base_claims[] = { MKY, { 0 } };

static const struct claim_rule shaken_claims[] = {
	{ "attest", true, check_attest },
	{ "origid", true, check_uuid },
	RCD,
	MKY,
	{ 0 },
};

static const struct claim_rule rcd_claims[] = {
	RCD,
	{ "iss", false, rcd_check_iss }, /* of a third party, section 10 */
	MKY,
	{ 0 },
};

static const struct claim_rule div_claims[] = { { "div", true, check_div }, { 0 } };

static const struct claim_rule div_o_claims[] = {
	{ "div", true, check_div },
	{ "opt", true, check_opt },
	{ 0 },
};

static const struct claim_rule msg_claims[] = { { "msgi", false, check_msgi }, MKY, { 0 } };

static const struct claim_rule rph_claims[] = {
	{ "rph", true, check_rph },
	{ "sph", false, check_sph },
	MKY,
	{ 0 },
};

enum { DELEGATE = 1u << CLASS_DELEGATE, SP = 1u << CLASS_SP };

/* Which class signs which type: D-01.  Whose number: RFC 8224 section 6.1 and each type's. */
/* clang-format off */
static const struct ppt_rule rules[] = {
	[PPT_BASE] = {
		.name = NULL, .classes = DELEGATE, .claims = base_claims,
		.speaks_for_orig = true, .orig_uri = true,
	},
	[PPT_SHAKEN] = {
		.name = "shaken", .classes = SP, .claims = shaken_claims,
		.least = sizeof "\"attest\":\"A\",,\"origid\":"
				"\"00000000-0000-0000-0000-000000000000\"" - 1,
	},
	[PPT_RCD] = {
		.name = "rcd", .classes = DELEGATE | SP, .claims = rcd_claims,
		.together = rcd_check_present, .speaks_for_orig = true, .orig_uri = true,
		.least = sizeof ",\"crn\":\"x\"" - 1,
	},
	[PPT_DIV] = {
		.name = "div", .classes = DELEGATE | SP, .claims = div_claims,
		.by = AUTHORISED_BY_DIV, .answers = ANSWERS_DIVERTED, .iat = IAT_OF_ORIGINAL,
		.max_dests = 1, .closed = true, .needs_x5u = true,
		.least = sizeof ",\"div\":{\"tn\":\"123456789012345\"}" - 1,
	},
	[PPT_DIV_O] = {
		.name = "div-o", .classes = DELEGATE, .claims = div_o_claims,
		.by = AUTHORISED_BY_DIV, .answers = ANSWERS_DIVERTED, .iat = IAT_OF_ORIGINAL,
		.max_dests = 1, .closed = true, .needs_x5u = true,
		.least = sizeof ",\"div\":{\"tn\":\"123456789012345\"}" - 1,
	},
	[PPT_RSP] = {
		.name = "rsp", .classes = DELEGATE, .claims = base_claims,
		.by = AUTHORISED_BY_DEST, .answers = ANSWERS_CALL,
	},
	[PPT_MSG] = {
		.name = "msg", .classes = DELEGATE, .claims = msg_claims, .orig_uri = true,
	},
	[PPT_RPH] = {
		.name = "rph", .classes = SP, .claims = rph_claims,
		.least = sizeof ",\"rph\":{\"auth\":[\"a.0\"]}" - 1,
	},
};
/* clang-format on */
static_assert(ARRAY_LEN(rules) == PPT__COUNT, "a row per ppt");

/* What has a meaning in one type alone does not ride in another. */
static const struct {
	const char *name;
	unsigned in; /* 1 << ppt */
} bound[] = {
	{ "div", 1u << PPT_DIV | 1u << PPT_DIV_O }, { "opt", 1u << PPT_DIV_O },
	{ "msgi", 1u << PPT_MSG }, /* RFC 9475 section 3.2 */
	{ "rph", 1u << PPT_RPH }, { "sph", 1u << PPT_RPH }, { "iss", 1u << PPT_RCD }, /* D-52 */
};

/* What rides in a type that does not know it keeps its own form. */
static const struct claim_rule anywhere[] = {
	{ "attest", false, check_attest },
	{ "origid", false, check_uuid },
	{ "vper", false, vper_check },
	RCD,
	MKY,
	{ 0 },
};

const struct ppt_rule *
ppt_rule(enum ppt p)
{
	assert(p < PPT__COUNT);
	return &rules[p];
}

const char *
ppt_text(enum ppt p)
{
	const char *name = ppt_rule(p)->name;

	return name != NULL ? name : "base";
}

struct ppt_names
ppt_names(unsigned classes)
{
	struct ppt_names out = { "" };
	size_t len = 0;

	for (enum ppt p = 0; p < PPT__COUNT; p++) {
		if ((ppt_rule(p)->classes & classes) == 0 || len >= sizeof out.text)
			continue;
		len += (size_t)snprintf(out.text + len, sizeof out.text - len, "%s%s",
		    len > 0 ? ", " : "", ppt_text(p));
	}
	return out;
}

enum rc
ppt_find(const char *name, enum ppt *out, struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const char *known = rules[i].name;

		if (name == NULL ? known == NULL : known != NULL && strcmp(name, known) == 0) {
			*out = (enum ppt)i;
			return RC_OK;
		}
	}
	return REFUSE(f, RC_INVALID, UNSUPPORTED_PPT, NULL,
	    "this ppt is not supported: those that are: %s", ppt_names(~0U).text);
}

static const struct claim_rule *
find_claim(const struct claim_rule *list, const char *name)
{
	for (; list->name != NULL; list++) {
		if (strcmp(list->name, name) == 0)
			return list;
	}
	return NULL;
}

const struct claim_rule *
ppt_claim(enum ppt p, const char *name)
{
	return find_claim(ppt_rule(p)->claims, name);
}

bool
ppt_may_carry(enum ppt p, const char *name)
{
	if (ppt_rule(p)->closed)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(bound); i++) {
		if (strcmp(bound[i].name, name) == 0)
			return (bound[i].in & 1u << p) != 0;
	}
	return true;
}

enum rc
ppt_check_extra(const char *name, const json_t *value, struct fault *f)
{
	const struct claim_rule *rule = find_claim(anywhere, name);

	return rule != NULL ? rule->check(name, value, f) : RC_OK;
}

enum rc
ppt_check_anywhere(const char *name, const json_t *value, struct fault *f)
{
	const struct claim_rule *rule = find_claim(anywhere, name);

	for (unsigned p = 0; p < PPT__COUNT && rule == NULL; p++)
		rule = ppt_claim((enum ppt)p, name);
	return rule != NULL ? rule->check(name, value, f) : RC_OK;
}

static bool
is_among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* The part of an r-value before its dot (RFC 4412 section 3.1). */
static bool
is_within(const char *namespace, struct span r_value)
{
	size_t n = strlen(namespace);

	return r_value.len > n && memcmp(r_value.ptr, namespace, n) == 0 &&
	       r_value.ptr[n] == '.';
}

static bool
is_within_any(const char *const *namespaces, size_t n, struct span r_value)
{
	for (size_t i = 0; i < n; i++) {
		if (is_within(namespaces[i], r_value))
			return true;
	}
	return false;
}

enum rc
ppt_check_namespaces(
    const json_t *claims, const char *const *namespaces, size_t n, struct fault *f)
{
	const json_t *auth = json_object_get(json_object_get(claims, "rph"), "auth");

	for (size_t i = 0; i < json_array_size(auth); i++) {
		struct span r_value = jtext_span(json_array_get(auth, i));

		if (!is_within_any(namespaces, n, r_value))
			return REFUSE(f, RC_DENIED, RPH_NOT_ALLOWED, "rph",
			    "priority '%.*s' is outside rph_namespaces of the credential: send "
			    "one inside",
			    (int)(r_value.len < 20 ? r_value.len : 20),
			    (const char *)r_value.ptr);
	}
	return RC_OK;
}

bool
ppt_is_base_claim(const char *name)
{
	static const char *const names[] = { "orig", "dest", "iat" };

	return is_among(names, ARRAY_LEN(names), name);
}

bool
ppt_is_structural(const char *name)
{
	static const char *const names[] = { "div", "opt", "mky", "msgi" };

	return ppt_is_base_claim(name) || is_among(names, ARRAY_LEN(names), name);
}

const char *
ppt_authorising_claim(enum authorising by)
{
	static const char *const names[] = { "orig", "div", "dest" };

	assert((size_t)by < ARRAY_LEN(names));
	return names[by];
}
