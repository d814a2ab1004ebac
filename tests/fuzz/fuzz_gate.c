/*
 * What a certificate allows: a PEM chain up to the first "{", then claims.
 *
 * What is allowed has its number in the certificate and lies inside the
 * constraints; no excluded claim is ever allowed; nothing is allowed after
 * the certificate's end; and the same question has the same answer.
 */
#include "stir/gate.h"
#include "stir/jtext.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static enum rc
decide(const struct gate *g, const json_t *claims, enum ppt ppt, int64_t now_s,
    struct passport *p, struct fault *f)
{
	struct passport_policy policy = { .now_s = now_s,
		.iat_past_s = 60,
		.iat_future_s = 5,
		.iat_diverted_s = PASSPORT_DIVERTED_S };
	AUTO_FREE const char **extra = NULL;
	enum rc rc;

	TRY(gate_extra_claims(g, NULL, 0, &extra, &policy.extra, f));
	policy.extra_claims = extra;
	TRY(passport_prepare(claims, ppt, &policy, p, f));
	rc = gate_decide(g, p, now_s, f);
	if (rc != RC_OK && reason_status(f->reason) / 100 != 4)
		abort();
	return rc;
}

static bool
allows(const struct gate *g, const json_t *claims, enum ppt ppt, int64_t now_s)
{
	struct passport p = { 0 };
	struct fault f = { 0 };
	enum rc rc = decide(g, claims, ppt, now_s, &p, &f);

	passport_done(&p);
	return rc == RC_OK;
}

static void
check_allowed(const struct gate *g, const struct gate_policy *policy, const struct passport *p)
{
	const struct constraints *c = gate_constraints(g);
	bool by_number = policy->profile == NULL || policy->profile->cls == CLASS_DELEGATE;
	struct fault f = { 0 };
	size_t n = 0;
	const struct tn *tn = passport_authorising(p, &n);

	if (n == 0)
		abort();
	for (size_t i = 0; i < n && by_number; i++) {
		if (!tnauth_covers(gate_tnauth(g), &tn[i]))
			abort();
	}
	if (c != NULL && constraints_evaluate(c, &policy->constraints, p->claims, &f) != RC_OK)
		abort();
}

/* Whatever else is wrong or right, an excluded claim refuses. */
static void
try_excluded(const struct gate *g, const json_t *claims, enum ppt ppt, int64_t now_s)
{
	const struct constraints *c = gate_constraints(g);

	for (size_t i = 0; c != NULL && i < c->must_excludes && i < 4; i++) {
		json_auto_t *more = json_copy((json_t *)(uintptr_t)claims);

		if (json_object_get(more, c->must_exclude[i]) == NULL &&
		    json_object_set_new(more, c->must_exclude[i], json_string("A")) != 0)
			continue;
		if (allows(g, more, ppt, now_s))
			abort();
	}
}

static void
judge(const struct chain *chain, const json_t *claims, const struct gate_policy *policy)
{
	int64_t from_s = 0, to_s = 0, now_s;
	AUTO(gate) *g = NULL;
	struct fault f = { 0 };

	if (gate_open(chain, policy, &g, &f) != RC_OK)
		return;
	gate_validity(g, &from_s, &to_s);
	now_s = json_integer_value(json_object_get(claims, "iat"));
	if (now_s == 0)
		now_s = from_s;
	for (int ppt = 0; ppt < PPT__COUNT; ppt++) {
		struct passport p = { 0 };
		struct fault why = { 0 };
		bool allowed = decide(g, claims, (enum ppt)ppt, now_s, &p, &why) == RC_OK;

		if (allowed)
			check_allowed(g, policy, &p);
		if (allowed && (now_s < from_s || now_s > to_s))
			abort();
		passport_done(&p);
		if (allows(g, claims, (enum ppt)ppt, now_s) != allowed)
			abort();
		try_excluded(g, claims, (enum ppt)ppt, now_s);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *brace = len == 0 ? NULL : memchr(data, '{', len);
	struct span rest = span_of(data, len), pem;
	AUTO(chain) *chain = NULL;
	json_auto_t *claims = NULL;
	struct fault f = { 0 };

	if (brace == NULL)
		return 0;
	pem = span_cut(&rest, (size_t)(brace - data));
	if (chain_read_pem(pem, false, &chain, &f) != RC_OK ||
	    jtext_read(rest, &claims, &f) != RC_OK)
		return 0;
	judge(chain, claims, &(struct gate_policy){ .profile = NULL });
	for (int i = 0; i < PROFILE__COUNT; i++)
		judge(chain, claims,
		    &(struct gate_policy){ .profile = profile_rule((enum profile)i) });
	return 0;
}
