/*
 * A log as "vesper replay" reads it: octets that choose tenants, credentials
 * and policy up to the first newline (home.h), then lines of an audit trail or
 * of requests, judged by that set.
 *
 * A line comes to one of its kinds, with what belongs to it.  The same log
 * comes to the same.  Enforced, what was only observed is refused and the rest
 * is as it was.  Whoever is let through may use the tenant, read once more from
 * the line and the choices alone, and a body that the socket would take is
 * judged as the decision judges it there.
 */
#include "agent/front/replay.h"

#include <string.h>

#include "tests/fuzz/asked.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/home.h"

enum { APART_MS = 3600000 };

unsigned replay_mutations = 500;

struct logs {
	const struct home *home;
	struct credset *set;
	struct policy *policy;
	int64_t now_ms;
	struct replay *first, *second, *enforced;
};

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	(void)arg;
	(void)token;
	(void)key_id;
	return true;
}

/* ---- one verdict ------------------------------------------------------------------------- */

static void
check_kind(const struct replay_verdict *v)
{
	switch (v->now) {
	case REPLAY_SKIPPED:
	case REPLAY_ALLOWED: must(v->fault.rc == RC_OK); break;
	case REPLAY_UNJUDGED: must(strcmp(v->fault.reason, "not_recorded") == 0); break;
	case REPLAY_REFUSED:
		must(v->fault.rc != RC_OK);
		must(reason_status(v->fault.reason) / 100 == 4 ||
		     reason_status(v->fault.reason) == 503);
		break;
	}
	must(v->observeds <= OBSERVE__COUNT);
	must(v->observeds == 0 || v->now == REPLAY_ALLOWED || v->now == REPLAY_REFUSED);
	must(strlen(v->tenant) < sizeof v->tenant && strlen(v->reason) < sizeof v->reason);
}

/* By user or by the door; what groups this host gives a user is not known here. */
static bool
may_use(const struct home *h, const struct home_tenant *t, const char *name, struct span line)
{
	json_auto_t *root = json_loadb((const char *)line.ptr, line.len, 0, NULL);
	const json_t *door = json_object_get(root, "door");
	const char *through = json_string_value(json_object_get(door, "tenant"));
	uid_t uid = h->caller.uid;
	bool may = t->group;

	if (json_is_string(json_object_get(root, "event")))
		uid = (uid_t)json_integer_value(json_object_get(root, "uid"));
	else
		through = NULL;
	for (size_t i = 0; i < HOME_UIDS; i++)
		may |= (t->users & 1U << i) != 0 && home_uid[i] == uid;
	may |= through != NULL && json_is_true(json_object_get(door, "auth_socket"));
	return may && t->enabled && (through == NULL || strcmp(through, name) == 0);
}

static void
check_allowed(const struct home *h, const struct replay_verdict *v, struct span line)
{
	for (size_t i = 0; i < h->tenants; i++) {
		if (strcmp(home_name[i], v->tenant) != 0)
			continue;
		must(may_use(h, &h->tenant[i], home_name[i], line));
		return;
	}
	must(false); /* nobody's tenant */
}

/* ---- the socket's word on a request ------------------------------------------------------- */

static bool
has_groups(const struct home *h)
{
	for (size_t i = 0; i < h->tenants; i++) {
		if (h->tenant[i].group)
			return true;
	}
	return false;
}

static void
compare(struct logs *l, struct sign_request *r, const struct replay_verdict *v)
{
	const struct caller who = { .uid = l->home->caller.uid, .gid = (gid_t)-1 };
	struct caller_view view = { 0 };
	const struct decide_world w = { .set = l->set,
		.policy = l->policy,
		.caller = &who,
		.view = caller_see(&who, l->set, &view),
		.key_ready = key_ready,
		.now_s = l->home->now_s,
		.now_ms = l->now_ms += APART_MS };
	struct decision d = { 0 };
	struct fault f = { 0 };
	bool allowed = decide(&w, r, &d, &f) == RC_OK;

	must(allowed == (v->now == REPLAY_ALLOWED));
	must(d.observeds == v->observeds);
	must(allowed ? strcmp(d.tenant->name, v->tenant) == 0
		     : strcmp(f.reason, v->fault.reason) == 0);
	decide_done(&d);
}

/* The iat of a line was judged when it came. */
static void
check_request(struct logs *l, const struct replay_verdict *v, struct span line)
{
	struct asked asked = { 0 };
	struct fault f = { 0 };

	if (v->now == REPLAY_SKIPPED || v->now == REPLAY_UNJUDGED || has_groups(l->home) ||
	    strcmp(v->fault.reason, "rate_limited") == 0)
		return;
	if (asked_native(span_str(""), line, &asked, &f) == RC_OK &&
	    asked.sign.delegate_passport.len == 0 && asked.sign.original == NULL) {
		json_auto_t *claims = json_copy((json_t *)(uintptr_t)asked.sign.claims);

		must(claims != NULL);
		(void)json_object_del(claims, "iat");
		asked.sign.claims = claims;
		compare(l, &asked.sign, v);
	}
	asked_done(&asked);
}

/* ---- a log --------------------------------------------------------------------------------- */

static struct replay *
open_replay(const struct home *h, struct credset *set, bool enforce)
{
	const struct replay_options o = {
		.now_s = h->now_s, .uid = h->caller.uid, .enforce = enforce
	};
	struct replay *r = NULL;

	must(replay_new(set, &o, &r, NULL) == RC_OK);
	return r;
}

/* false: no line of a log. */
static bool
take_line(struct logs *l, struct span line)
{
	struct replay_verdict v = { 0 }, again = { 0 }, enforced = { 0 };
	struct fault f = { 0 };
	enum rc rc = replay_judge(l->first, line, &v, &f);

	must(replay_judge(l->second, line, &again, NULL) == rc);
	must(replay_judge(l->enforced, line, &enforced, NULL) == rc);
	if (rc != RC_OK) {
		must(rc == RC_INVALID && strcmp(f.reason, "replay_line") == 0);
		return false;
	}
	check_kind(&v);
	check_kind(&enforced);
	must(v.now == again.now && strcmp(v.fault.reason, again.fault.reason) == 0);
	if (v.now == REPLAY_ALLOWED)
		must(enforced.now == (v.observeds > 0 ? REPLAY_REFUSED : REPLAY_ALLOWED));
	else
		must(enforced.now == v.now);
	if (v.now == REPLAY_ALLOWED)
		check_allowed(l->home, &v, line);
	check_request(l, &v, line);
	return true;
}

static void
take_log(struct logs *l, struct span text)
{
	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		struct span line =
		    span_cut(&text, end == NULL ? text.len : (size_t)(end - text.ptr));

		if (end != NULL)
			span_cut(&text, 1);
		if (line.len > 0 && !take_line(l, line))
			return;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = len == 0 ? NULL : memchr(data, '\n', len);
	struct span rest = span_of(data, len), choices;
	AUTO_CREDSET *set = NULL;
	AUTO(policy) *policy = NULL;
	struct home h;
	struct logs l;

	if (end == NULL)
		return 0;
	choices = span_cut(&rest, (size_t)(end - data));
	span_cut(&rest, 1);
	home_choose(choices, &h);
	home_build(&h, &set, &policy);
	l = (struct logs){ .home = &h,
		.set = set,
		.policy = policy,
		.first = open_replay(&h, set, false),
		.second = open_replay(&h, set, false),
		.enforced = open_replay(&h, set, true) };
	take_log(&l, rest);
	replay_free(l.first);
	replay_free(l.second);
	replay_free(l.enforced);
	return 0;
}
