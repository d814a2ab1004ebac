#include "agent/front/alarms.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/front/inclusion.h"
#include "agent/front/life.h"
#include "agent/front/reserve.h"
#include "agent/members.h"

enum { BUCKETS = 4096, LAPSING_PART = 5, FAILING_PART = 10 };

static const char *const names[] = {
#define X(name, text) text,
	ALARMS(X)
#undef X
};
static_assert(ARRAY_LEN(names) == ALARM__COUNT, "a name each");

const char *
alarm_name(enum alarm_kind k)
{
	return (unsigned)k < ALARM__COUNT ? names[k] : "unknown";
}

/* ---- judging ---------------------------------------------------------------------- */

static bool PRINTF_LIKE(2, 3) found(struct alarm *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out->detail, sizeof out->detail, fmt, ap);
	va_end(ap);
	return true;
}

static const char *
why_not(const struct alarm_facts *facts)
{
	return facts->problem[0] != 0 ? facts->problem : "no problem is known";
}

static bool
is_lapsing(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	int64_t left_s = facts->until_s - now_s;

	if (!facts->ready || left_s < 0 ||
	    left_s >= (facts->until_s - facts->from_s) / LAPSING_PART)
		return false;
	out->since_s = facts->until_s - (facts->until_s - facts->from_s) / LAPSING_PART;
	out->by_s = facts->until_s;
	return found(out,
	    "less than a fifth of its life is left, and no other is in force%s: %s",
	    facts->remedy, why_not(facts));
}

static bool
is_expired(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	if (!facts->ready || facts->until_s >= now_s)
		return false;
	out->since_s = facts->until_s;
	return found(
	    out, "nothing is signed with it any more%s: %s", facts->remedy, why_not(facts));
}

static bool
awaits_token(const struct alarm_facts *facts)
{
	char reason[LIFE_REASON_MAX];

	life_reason(facts->problem, reason);
	return strcmp(reason, "token_awaited") == 0;
}

/* A tenth of its life, within bounds: a certificate of minutes has no quarter of an hour. */
static int64_t
patience_s(const struct alarm_facts *facts)
{
	int64_t part_s = (facts->until_s - facts->from_s) / FAILING_PART;

	if (!facts->ready)
		return ALARM_PATIENCE_NONE_S;
	if (part_s > ALARM_PATIENCE_MAX_S)
		return ALARM_PATIENCE_MAX_S;
	return part_s < ALARM_PATIENCE_MIN_S ? ALARM_PATIENCE_MIN_S : part_s;
}

static bool
is_failing(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	const struct credential_progress *p = &facts->progress;

	if (p->failing_since_s == 0 || awaits_token(facts))
		return false;
	if (p->refusals == 0 && now_s - p->failing_since_s < patience_s(facts))
		return false;
	out->since_s = p->failing_since_s;
	out->by_s = facts->ready ? facts->until_s : 0;
	return found(out, "%s", why_not(facts));
}

/* What is kept must last until the renewal is due, and be here by the middle of the life. */
static bool
needs_token(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	int64_t half_s = facts->from_s + (facts->until_s - facts->from_s) / 2;
	const struct credential_progress *p = &facts->progress;
	bool early = p->by_push && facts->ready && now_s >= half_s &&
		     p->token_until_s <= facts->renew_at_s;

	if (!early && !awaits_token(facts))
		return false;
	out->since_s = early ? half_s : p->failing_since_s;
	out->by_s = facts->ready ? facts->until_s : 0;
	return awaits_token(facts)
		   ? found(out, "%s", why_not(facts))
		   : found(out, "the renewal is due and needs a token: vesper token push");
}

static bool
is_refused(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	(void)now_s;
	if (facts->refused_at_s == 0)
		return false;
	out->since_s = facts->refused_at_s;
	out->by_s = facts->ready ? facts->until_s : 0;
	return found(out, "what came is kept for inspection: %s", why_not(facts));
}

static bool
is_unlogged(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	(void)now_s;
	if (!facts->ready || facts->unlogged_since_s == 0)
		return false;
	out->since_s = facts->unlogged_since_s;
	return found(out,
	    "a log that has timestamped the certificate does not prove that it has it: vesper "
	    "cert show, vesper ct status");
}

static bool
is_withdrawn(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	if (facts->rtu_refused_at_s == 0)
		return false;
	out->since_s = facts->rtu_refused_at_s;
	out->by_s = facts->rtu_stop_at_s > now_s ? facts->rtu_stop_at_s : 0;
	if (facts->rtu_stop_at_s != 0 && facts->rtu_stop_at_s <= now_s)
		return found(out, "nothing is signed with it: %s", why_not(facts));
	return found(out, "it still signs: %s", why_not(facts));
}

static bool
is_unended(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	(void)now_s;
	if (!facts->series_refused)
		return false;
	return found(out,
	    "a series that is canceled goes on at its CA, which refuses to end it: ask the CA");
}

static bool
is_revoked(const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	(void)now_s;
	if (facts->ready || !facts->crl_listed)
		return false;
	return found(out,
	    "its CA's revocation list has it, or a CA of its chain: nothing is signed with it, "
	    "and another one is ordered");
}

static bool (*const judges[])(const struct alarm_facts *f, int64_t now_s, struct alarm *out) = {
	[ALARM_LAPSING] = is_lapsing,
	[ALARM_EXPIRED] = is_expired,
	[ALARM_FAILING] = is_failing,
	[ALARM_TOKEN] = needs_token,
	[ALARM_REFUSED] = is_refused,
	[ALARM_RTU] = is_withdrawn,
	[ALARM_SERIES] = is_unended,
	[ALARM_REVOKED] = is_revoked,
	[ALARM_UNLOGGED] = is_unlogged,
	[ALARM_ACCOUNT] = NULL, /* these are told */
	[ALARM_CT_LOG] = NULL,
	[ALARM_CRL] = NULL,
	[ALARM_FOREIGN] = NULL,
	[ALARM_LIST] = NULL,
	[ALARM_ORPHANS] = NULL,
	[ALARM_OFFBOARD] = NULL,
};
static_assert(ARRAY_LEN(judges) == ALARM__COUNT, "a judge each");

bool
alarm_judge(
    enum alarm_kind k, const struct alarm_facts *facts, int64_t now_s, struct alarm *out)
{
	return facts->enabled && judges[k] != NULL && judges[k](facts, now_s, out);
}

bool
alarm_is_told(enum alarm_kind k)
{
	return judges[k] == NULL;
}

/* ---- those that there are ----------------------------------------------------------- */

struct alarms {
	alarm_say *say;
	void *arg;
	struct alarm *bucket[BUCKETS];
	size_t len, count[ALARM__COUNT], without[ALARM__COUNT], missed[ALARM__COUNT];
	const void *files;	   /* of the round, credset_files() */
	size_t tenant, credential; /* where the next look begins */
	uint64_t round;
	/* Of this look: the section that was asked for last, by its name's place; NULL: none. */
	const char *section;
	size_t of_tenant;
	bool could_sign;
};

enum rc
alarms_new(alarm_say *say, void *arg, struct alarms **out, struct fault *f)
{
	struct alarms *a = calloc(1, sizeof *a);

	if (a == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "alarms");
	a->say = say;
	a->arg = arg;
	a->round = 1;
	*out = a;
	return RC_OK;
}

void
alarms_free(struct alarms *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (a->bucket[i] != NULL) {
			struct alarm *gone = a->bucket[i];

			a->bucket[i] = gone->next;
			free(gone);
		}
	}
	free(a);
}

/* FNV-1a: names are the operator's own, nobody chooses them to collide. */
static uint32_t
hash_text(uint32_t h, const char *text)
{
	for (; *text != 0; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return (h ^ '/') * 16777619u;
}

static struct alarm **
place_of(struct alarms *a, enum alarm_kind k, const char *tenant, const char *name)
{
	uint32_t h = hash_text(hash_text(2166136261u ^ (uint32_t)k, tenant), name);
	struct alarm **at = &a->bucket[h % BUCKETS];

	while (*at != NULL && ((*at)->kind != k || strcmp((*at)->tenant, tenant) != 0 ||
				  strcmp((*at)->name, name) != 0))
		at = &(*at)->next;
	return at;
}

static void
end(struct alarms *a, struct alarm **at)
{
	struct alarm *over = *at;

	*at = over->next;
	a->len--;
	a->count[over->kind]--;
	a->say(a->arg, over, false);
	free(over);
}

static void
begin(struct alarms *a, struct alarm **at, const struct alarm *is, int64_t now_s)
{
	struct alarm *new = a->len < ALARMS_MAX ? calloc(1, sizeof *new) : NULL;

	if (new == NULL) {
		a->missed[is->kind]++;
		return;
	}
	*new = *is;
	new->begun_s = now_s;
	if (new->since_s <= 0 || new->since_s > now_s)
		new->since_s = now_s;
	new->next = NULL;
	*at = new;
	a->len++;
	a->count[is->kind]++;
	a->say(a->arg, new, true);
}

/* is NULL: it is not one, or no more. */
static void
note(struct alarms *a, enum alarm_kind k, const char *tenant, const char *name,
    const struct alarm *is, int64_t now_s)
{
	struct alarm **at = place_of(a, k, tenant, name);

	if (*at == NULL) {
		if (is != NULL)
			begin(a, at, is, now_s);
	} else if (is == NULL) {
		end(a, at);
		return;
	} else {
		(*at)->by_s = is->by_s;
		memcpy((*at)->detail, is->detail, sizeof is->detail);
	}
	if (*at != NULL)
		(*at)->round = a->round;
}

static struct alarm
named(enum alarm_kind k, const char *tenant, const char *name)
{
	struct alarm is = { .kind = k };

	snprintf(is.tenant, sizeof is.tenant, "%s", tenant);
	snprintf(is.name, sizeof is.name, "%s", name);
	return is;
}

/* ---- a look --------------------------------------------------------------------------- */

/* Each beginning and each end is a line in the log: not as many as the renewer likes. */
static bool
may_end(const struct alarm *one, int64_t now_s)
{
	return now_s < one->begun_s || now_s - one->begun_s >= ALARM_LEAST_S;
}

/* Begun by the renewer's word alone: a new certificate ends it at once, another word does not. */
static bool
must_last(const struct alarm *one, const struct alarm_facts *facts, int64_t now_s)
{
	bool word = one->kind == ALARM_FAILING || one->kind == ALARM_TOKEN ||
		    one->kind == ALARM_UNLOGGED;

	return word && facts->enabled && facts->from_s < one->begun_s && !may_end(one, now_s);
}

static void
look_for(struct alarms *a, enum alarm_kind k, const struct credential *c,
    const struct alarm_facts *facts, int64_t now_s)
{
	struct alarm is = named(k, c->tenant, c->name);
	struct alarm *there = *place_of(a, k, c->tenant, c->name);
	bool judged = alarm_judge(k, facts, now_s, &is);

	if (!judged && there != NULL && must_last(there, facts, now_s))
		there->round = a->round;
	else
		note(a, k, c->tenant, c->name, judged ? &is : NULL, now_s);
}

/* All certificates of a section ask for the same other one, one after the other. */
static bool
could_sign(struct alarms *a, const struct credset *set, size_t tenant, const char *section,
    int64_t now_s)
{
	if (a->section != section || a->of_tenant != tenant)
		a->could_sign = reserve_lacks(set, tenant, section, now_s) == NULL;
	a->section = section;
	a->of_tenant = tenant;
	return a->could_sign;
}

/* The other one of a pair could sign: the operator decides, and is told that there is a choice. */
static void
find_remedy(struct alarms *a, const struct credset *set, struct credset_place at, int64_t now_s,
    char out[ALARM_DETAIL_MAX])
{
	const struct config_credential *cc = credset_config(set, at);
	const char *other = cc->reserve != NULL ? cc->reserve : cc->reserve_for;

	if (other == NULL || credset_stands_by(set, at) ||
	    !could_sign(a, set, at.tenant, other, now_s))
		return;
	snprintf(out, ALARM_DETAIL_MAX,
	    " ('%s' is in force and stands by: vesper tenant %s %s/%s)", other,
	    cc->reserve != NULL ? "failover" : "failback", set->config->tenant[at.tenant].name,
	    cc->reserve != NULL ? cc->base : cc->reserve_for);
}

/* All of the other one are asked: not where there is nothing to be told. */
static bool
is_ending(const struct alarm_facts *facts, int64_t now_s)
{
	struct alarm is = { 0 };

	return alarm_judge(ALARM_LAPSING, facts, now_s, &is) ||
	       alarm_judge(ALARM_EXPIRED, facts, now_s, &is);
}

static void
look_at(struct alarms *a, const struct credset *set, struct credset_place at, int64_t now_s)
{
	const struct config_tenant *t = &set->config->tenant[at.tenant];
	struct credential *c = credset_credential(set, at);
	char problem[CREDENTIAL_PROBLEM_MAX], remedy[ALARM_DETAIL_MAX] = "";
	const struct tnset *part = members_numbers(t, credset_config(set, at));
	/* One whose numbers were all removed is not renewed, and nobody misses it. */
	bool needed = part == NULL || tnset_len(part) > 0;
	struct alarm_facts facts = { .enabled = t->enabled && needed,
		.ready = c->state == CREDENTIAL_READY,
		.from_s =
		    c->installed_at_s > c->not_before_s ? c->installed_at_s : c->not_before_s,
		.until_s = c->not_after_s,
		.renew_at_s = atomic_load(&c->renew_at_s),
		.refused_at_s = atomic_load(&c->refused_at_s),
		.unlogged_since_s = inclusion_missing_since(c),
		.rtu_refused_at_s = atomic_load(&c->rtu_refused_at_s),
		.rtu_stop_at_s = atomic_load(&c->rtu_stop_at_s),
		.series_refused = atomic_load(&c->series_refused),
		.crl_listed = atomic_load(&c->crl_listed),
		.problem = problem,
		.remedy = remedy };

	credential_problem(c, problem);
	credential_progress(c, &facts.progress);
	if (is_ending(&facts, now_s))
		find_remedy(a, set, at, now_s, remedy);
	for (enum alarm_kind k = 0; k < ALARM__COUNT; k++) {
		if (!alarm_is_told(k))
			look_for(a, k, c, &facts, now_s);
	}
}

static bool
is_there(
    const struct alarms *a, const struct credset *set, const struct alarm *one, int64_t now_s)
{
	if (!alarm_is_told(one->kind))
		return one->round == a->round;
	if (one->kind == ALARM_ACCOUNT && config_ca_find(set->config, one->name) == NULL)
		return false;
	if (one->kind == ALARM_FOREIGN && config_tenant_find(set->config, one->name) == NULL)
		return false;
	if (one->kind == ALARM_ORPHANS && config_token_find(set->config, one->name) == NULL)
		return false;
	return !(one->is_well && may_end(one, now_s));
}

static void
begin_round(struct alarms *a)
{
	a->round++;
	a->tenant = a->credential = 0;
	memset(a->missed, 0, sizeof a->missed);
}

/* Of what the configuration does not name any more, and of what is well by now. */
static void
end_round(struct alarms *a, const struct credset *set, int64_t now_s)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct alarm **at = &a->bucket[i];

		while (*at != NULL) {
			if (is_there(a, set, *at, now_s))
				at = &(*at)->next;
			else
				end(a, at);
		}
	}
	memcpy(a->without, a->missed, sizeof a->without);
	begin_round(a);
}

bool
alarms_look(struct alarms *a, const struct credset *set, int64_t now_s)
{
	if (a->files != credset_files(set)) /* other places: none must be passed over */
		begin_round(a);
	a->files = credset_files(set);
	a->section = NULL;
	for (size_t looked = 0; looked < ALARMS_LOOK; a->tenant++, a->credential = 0) {
		if (a->tenant >= set->config->tenants) {
			end_round(a, set, now_s);
			return true;
		}
		for (; a->credential < set->config->tenant[a->tenant].credentials;
		     a->credential++, looked++)
			look_at(
			    a, set, (struct credset_place){ a->tenant, a->credential }, now_s);
		looked++;
	}
	return false;
}

static void
told(struct alarms *a, enum alarm_kind k, const char *name, const char *problem, int64_t now_s)
{
	struct alarm is = named(k, "", name);
	struct alarm *there = *place_of(a, k, "", is.name);

	if (there != NULL)
		there->is_well = problem == NULL;
	if (there != NULL && problem == NULL && !may_end(there, now_s))
		return;
	if (problem != NULL)
		snprintf(is.detail, sizeof is.detail, "%s", problem);
	note(a, k, "", is.name, problem != NULL ? &is : NULL, now_s);
}

void
alarms_account(struct alarms *a, const char *ca, const char *problem, int64_t now_s)
{
	told(a, ALARM_ACCOUNT, ca, problem, now_s);
}

void
alarms_log(struct alarms *a, const char *log, const char *problem, int64_t now_s)
{
	told(a, ALARM_CT_LOG, log, problem, now_s);
}

void
alarms_crl(struct alarms *a, const char *crl, const char *problem, int64_t now_s)
{
	told(a, ALARM_CRL, crl, problem, now_s);
}

void
alarms_foreign(struct alarms *a, const char *tenant, const char *problem, int64_t now_s)
{
	told(a, ALARM_FOREIGN, tenant, problem, now_s);
}

void
alarms_list(struct alarms *a, const char *list, const char *problem, int64_t now_s)
{
	told(a, ALARM_LIST, list, problem, now_s);
}

void
alarms_orphans(struct alarms *a, const char *token, const char *problem, int64_t now_s)
{
	told(a, ALARM_ORPHANS, token, problem, now_s);
}

void
alarms_offboard(struct alarms *a, const char *tenant, const char *problem, int64_t now_s)
{
	told(a, ALARM_OFFBOARD, tenant, problem, now_s);
}

bool
alarm_is_of_tenant(enum alarm_kind k)
{
	return k == ALARM_FOREIGN || k == ALARM_OFFBOARD;
}

size_t
alarms_count(const struct alarms *a, enum alarm_kind k)
{
	return a->count[k] + a->without[k];
}

void
alarms_each(const struct alarms *a, void (*one)(void *arg, const struct alarm *a), void *arg)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct alarm *at = a->bucket[i]; at != NULL; at = at->next)
			one(arg, at);
	}
}
