#include "agent/front/account_job.h"

#include <assert.h>
#include <stdio.h>

#include "stir/b64.h"

static const char *const kinds[] = {
	[ACCOUNT_JOB_NONE] = "none",
	[ACCOUNT_JOB_CONTACT] = "contact",
	[ACCOUNT_JOB_KEY] = "key",
	[ACCOUNT_JOB_DEACTIVATION] = "deactivation",
};
static_assert(ARRAY_LEN(kinds) == ACCOUNT_JOB__COUNT, "a name for each");

static const char *const states[] = {
	[ACCOUNT_JOB_OUTSTANDING] = "outstanding",
	[ACCOUNT_JOB_DONE] = "done",
	[ACCOUNT_JOB_REFUSED] = "refused",
};
static_assert(ARRAY_LEN(states) == ACCOUNT_JOB_STATE__COUNT, "a name for each");

const char *
account_job_name(const struct account_job *j)
{
	return kinds[j->kind];
}

const char *
account_job_state_name(const struct account_job *j)
{
	return states[j->state];
}

void
account_job_say(struct account_job *j, const char *reason, const char *detail)
{
	char said[CREDENTIAL_PROBLEM_MAX + 64];

	snprintf(said, sizeof said, "%.60s%s%s", reason != NULL ? reason : "",
	    reason != NULL && detail != NULL ? ": " : "", detail != NULL ? detail : "");
	credential_clip(said, j->answer);
}

json_t *
account_job_write(const struct account_job *j)
{
	AUTO_BUF next = BUF_INIT(2 * P256_POINT_LEN);

	if (account_job_has_key(j))
		b64_encode(&next, B64_URL, span_of(j->point, P256_POINT_LEN));
	if (buf_check(&next, NULL) != RC_OK)
		return NULL;
	return json_pack("{s:s, s:s, s:s%, s:I, s:b, s:I, s:I, s:I, s:s}", "kind",
	    kinds[j->kind], "state", states[j->state], "next", buf_text(&next), next.len,
	    "told", (json_int_t)j->told_s, "refusal", (int)j->refusal, "stray",
	    (json_int_t)j->stray_s, "asked", (json_int_t)j->asked_s, "ended",
	    (json_int_t)j->ended_s, "answer", j->answer);
}

static enum rc
bad(struct fault *f)
{
	return FAULT(f, RC_INVALID, "account_file", "what was asked of the CA is not readable");
}

static bool
index_of(const char *name, const char *const *names, size_t n, unsigned *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0) {
			*out = (unsigned)i;
			return true;
		}
	}
	return false;
}

static enum rc
read_key(const char *b64, struct account_job *j, struct fault *f)
{
	AUTO_BUF point = BUF_INIT(P256_POINT_LEN);
	AUTO_OSSL(EVP_PKEY) *key = NULL;

	if (!account_job_has_key(j))
		return b64[0] == 0 ? RC_OK : bad(f);
	TRY(b64_decode(&point, B64_URL, span_str(b64), f));
	if (point.len != P256_POINT_LEN)
		return bad(f);
	TRY(p256_from_point(point.ptr, &key, f)); /* on the curve */
	memcpy(j->point, point.ptr, P256_POINT_LEN);
	key_id_of_point(j->point, j->key_id);
	return RC_OK;
}

enum rc
account_job_read(json_t *from, struct account_job *out, struct fault *f)
{
	const char *kind = NULL, *state = NULL, *next = NULL, *answer = NULL;
	json_int_t told = 0, stray = 0, asked = 0, ended = 0;
	unsigned k = 0, s = 0;
	struct account_job j = { .kind = ACCOUNT_JOB_NONE };
	int refusal = 0;

	if (json_unpack(from, "{s:s, s:s, s:s, s:I, s:b, s?I, s:I, s:I, s:s!}", "kind", &kind,
		"state", &state, "next", &next, "told", &told, "refusal", &refusal, "stray",
		&stray, "asked", &asked, "ended", &ended, "answer", &answer) != 0 ||
	    !index_of(kind, kinds, ARRAY_LEN(kinds), &k) ||
	    !index_of(state, states, ARRAY_LEN(states), &s) ||
	    strlen(answer) >= sizeof j.answer)
		return bad(f);
	j.kind = (enum account_job_kind)k;
	j.state = (enum account_job_state)s;
	j.told_s = told;
	j.refusal = refusal != 0;
	j.stray_s = stray;
	j.asked_s = asked;
	j.ended_s = ended;
	memcpy(j.answer, answer, strlen(answer) + 1);
	TRY(read_key(next, &j, f));
	*out = j;
	return RC_OK;
}
