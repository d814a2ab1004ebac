/*
 * POST /v1/calls: octets that choose tenants, credentials and policy up to the
 * first newline (home.h), then the body, decided one PASSporT after the other,
 * each with what was decided before it.
 *
 * What is the call's is each PASSporT's, whatever stands in its own part, and
 * of those that are allowed all have one iat.  A refusal has a reason and no
 * credential, an attestation rests on one that came before, and the same call
 * has the same answers.
 */
#include <string.h>

#include "tests/fuzz/asked.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/home.h"

unsigned replay_mutations = 600;

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	(void)token;
	(void)key_id;
	return ((const struct home *)arg)->key_ready;
}

/* ---- what was asked ------------------------------------------------------------------------ */

static void
check_asked(const struct asked_call *a)
{
	const json_t *shared = json_object_get(a->root, "claims");
	const json_t *sign = json_object_get(a->root, "sign");
	const char *name;
	json_t *value;

	must(a->len > 0 && a->len <= SIGN_CALL_MAX && a->len == json_array_size(sign));
	for (size_t i = 0; i < a->len; i++) {
		const json_t *own = json_object_get(json_array_get(sign, i), "claims");
		const json_t *claims = a->sign[i].claims;

		must(json_object_size(claims) ==
		     json_object_size(shared) + json_object_size(own));
		must(json_object_get(own, "iat") == NULL);
		json_object_foreach ((json_t *)(uintptr_t)shared, name, value)
			must(json_equal(json_object_get(claims, name), value) == 1);
		json_object_foreach ((json_t *)(uintptr_t)own, name, value)
			must(json_equal(json_object_get(claims, name), value) == 1);
		must((unsigned)a->sign[i].ppt < PPT__COUNT);
	}
}

/* ---- what was decided ------------------------------------------------------------------------ */

struct outcome {
	struct decision d[SIGN_CALL_MAX];
	struct fault f[SIGN_CALL_MAX];
};

static void
decide_all(struct home *h, struct credset *set, const struct asked_call *a, struct outcome *out)
{
	AUTO(policy) *policy = NULL; /* each call is the first one */
	struct caller_view view = { 0 };
	struct decide_world w = { .set = set,
		.caller = &h->caller,
		.view = caller_see(&h->caller, set, &view),
		.key_ready = key_ready,
		.arg = h,
		.now_s = h->now_s };

	*out = (struct outcome){ .d = { { 0 } } };
	must(policy_new(&policy, NULL) == RC_OK && policy_adopt(policy, set, 0, NULL) == RC_OK);
	w.policy = policy;
	for (size_t i = 0; i < a->len; i++) {
		struct sign_request r = a->sign[i];

		r.before = out->d;
		r.befores = i;
		(void)!decide(&w, &r, &out->d[i], &out->f[i]);
	}
}

static void
check_one(const struct asked_call *a, const struct outcome *o, size_t i)
{
	const struct decision *d = &o->d[i];

	if (o->f[i].rc == RC_OK) {
		must(d->credential != NULL && d->config != NULL && d->tenant != NULL);
		must(d->rests_on <= i &&
		     (d->rests_on == 0 || o->f[d->rests_on - 1].rc == RC_OK));
		must(a->sign[i].tenant == NULL ||
		     strcmp(a->sign[i].tenant, d->tenant->name) == 0);
		return;
	}
	must(d->credential == NULL && d->config == NULL);
	must(reason_status(o->f[i].reason) / 100 == 4 || reason_status(o->f[i].reason) == 503);
}

/* What answers another has that one's. */
static void
check_iat(const struct asked_call *a, const struct outcome *o)
{
	const json_t *first = NULL;

	for (size_t i = 0; i < a->len; i++) {
		const json_t *iat = json_object_get(o->d[i].passport.claims, "iat");

		if (o->f[i].rc != RC_OK || a->sign[i].original != NULL)
			continue;
		must(json_is_integer(iat) && (first == NULL || json_equal(first, iat) == 1));
		first = iat;
	}
}

static void
judge(struct home *h, const struct asked_call *a)
{
	static struct outcome first, second;
	AUTO_CREDSET *set = NULL;
	AUTO(policy) *unused = NULL;

	home_build(h, &set, &unused);
	decide_all(h, set, a, &first);
	decide_all(h, set, a, &second);
	check_iat(a, &first);
	for (size_t i = 0; i < a->len; i++) {
		check_one(a, &first, i);
		must(strcmp(first.f[i].reason, second.f[i].reason) == 0);
		must(first.d[i].credential == second.d[i].credential);
	}
	for (size_t i = 0; i < a->len; i++) {
		decide_done(&first.d[i]);
		decide_done(&second.d[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = len == 0 ? NULL : memchr(data, '\n', len);
	struct span rest = span_of(data, len), choices;
	struct asked_call asked = { .len = 0 };
	struct fault f = { 0 };
	struct home h;

	if (end == NULL)
		return 0;
	choices = span_cut(&rest, (size_t)(end - data));
	span_cut(&rest, 1);
	home_choose(choices, &h);
	h.caller.group = &h.group;
	if (asked_calls(span_str(h.dry_run ? "dry_run=1" : ""), rest, &asked, &f) == RC_OK) {
		check_asked(&asked);
		judge(&h, &asked);
	} else {
		must(reason_status(f.reason) / 100 == 4);
	}
	asked_call_done(&asked);
	return 0;
}
