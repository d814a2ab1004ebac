#include "agent/front/rtu.h"

#include <stdio.h>

#include "agent/front/store.h"
#include "agent/front/token.h"
#include "agent/front/want.h"
#include "agent/log.h"
#include "stir/jtext.h"

enum { RTU_FILE_MAX = 2048, RTU_FILE_NAME = 2 * CONFIG_NAME_MAX + 8 };

/* ---- what is refused to whom ---- */

/* Both ask the same authority for the same: copies in several tokens do. */
static bool
asks_the_same(const struct config_tenant *t, const struct config_credential *a,
    const struct config_credential *b)
{
	AUTO_WANT one = WANT_INIT, other = WANT_INIT;

	if (a == b)
		return true;
	if (a->authority == NULL || b->authority == NULL ||
	    strcmp(a->authority, b->authority) != 0 || want_of(t, a, &one, NULL) != RC_OK ||
	    want_of(t, b, &other, NULL) != RC_OK)
		return false;
	return span_eq(buf_view(&one.tnauth_der), buf_view(&other.tnauth_der));
}

static bool
concerns(const struct works_rtu *r, const struct credset *set, struct credset_place at)
{
	struct credset_place own;

	return credset_find(set, r->tenant, r->name, &own) && own.tenant == at.tenant &&
	       asks_the_same(&set->config->tenant[at.tenant], credset_config(set, own),
		   credset_config(set, at));
}

static struct works_rtu *
find_own(const struct works *w, const char *tenant, const char *name)
{
	for (size_t i = 0; i < w->rtu.len; i++) {
		struct works_rtu *r = &w->rtu.item[i];

		if (strcmp(r->tenant, tenant) == 0 && strcmp(r->name, name) == 0)
			return r;
	}
	return NULL;
}

bool
rtu_is_refused(const struct works *w, struct credset_place at)
{
	for (size_t i = 0; i < w->rtu.len; i++) {
		if (concerns(&w->rtu.item[i], w->set, at))
			return true;
	}
	return false;
}

/* 0: it does not stop. */
static int64_t
stop_at_s(const struct works_rtu *r, const struct config_tenant *t)
{
	int64_t after_s = r->since_s + t->rtu_stop_after_s;

	if (!r->held || r->confirmed_s == 0 || t->on_rtu_refused == RTU_ALARM)
		return 0;
	return t->on_rtu_refused == RTU_STOP || after_s < r->confirmed_s ? r->confirmed_s
									 : after_s;
}

static void
mark(struct credential *c, int64_t since_s, int64_t stop_s)
{
	if (c == NULL)
		return;
	atomic_store(&c->rtu_refused_at_s, since_s);
	atomic_store(&c->rtu_stop_at_s, stop_s);
}

static void
mark_place(struct credset *set, struct credset_place at, int64_t since_s, int64_t stop_s)
{
	mark(credset_credential(set, at), since_s, stop_s);
	mark(credset_before(set, at, 0), since_s, stop_s);
}

/* Of the whole tenant; since 0: nothing is refused to it. */
static void
mark_item(const struct works_rtu *r, struct credset *set, bool refused)
{
	struct credset_place own, at;
	const struct config_tenant *t;

	if (!credset_find(set, r->tenant, r->name, &own))
		return;
	t = &set->config->tenant[own.tenant];
	at = own;
	for (at.credential = 0; at.credential < t->credentials; at.credential++) {
		if (concerns(r, set, at))
			mark_place(
			    set, at, refused ? r->since_s : 0, refused ? stop_at_s(r, t) : 0);
	}
}

void
rtu_mark(const struct works *w, struct credset *set)
{
	for (size_t i = 0; i < w->rtu.len; i++)
		mark_item(&w->rtu.item[i], set, true);
}

/* ---- files: STATE/front/rtu/TENANT.NAME.json, a "." in TENANT is "%" ---- */

static enum rc
path_of(
    const struct config *c, const struct works_rtu *r, struct store_path *out, struct fault *f)
{
	char tenant[CONFIG_NAME_MAX + 1];

	snprintf(tenant, sizeof tenant, "%s", r->tenant);
	for (char *p = tenant; *p != 0; p++)
		*p = *p == '.' ? '%' : *p;
	return store_path(out, f, "%s/front/rtu/%s.%s.json", c->state_dir, tenant, r->name);
}

static enum rc
write_file(const struct config *c, const struct works_rtu *r, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root = json_pack("{s:I, s:I, s:b, s:s}", "since", (json_int_t)r->since_s,
	    "confirmed", (json_int_t)r->confirmed_s, "held", (int)r->held, "detail", r->detail);

	TRY(path_of(c, r, &path, f));
	return store_write_json(path.text, root, RTU_FILE_MAX, f);
}

static bool
read_name(const char *file, struct works_rtu *r)
{
	static const char end[] = ".json";
	const char *dot = strchr(file, '.');
	size_t len = strlen(file), tail = sizeof end - 1;

	if (dot == NULL || len < tail || strcmp(file + len - tail, end) != 0 ||
	    dot >= file + len - tail || dot - file > CONFIG_NAME_MAX ||
	    file + len - tail - dot - 1 > CONFIG_NAME_MAX)
		return false;
	memcpy(r->tenant, file, (size_t)(dot - file));
	memcpy(r->name, dot + 1, (size_t)(file + len - tail - dot - 1));
	for (char *p = r->tenant; *p != 0; p++)
		*p = *p == '%' ? '.' : *p;
	return store_name_ok(r->tenant) && store_name_ok(r->name);
}

static enum rc
read_file(const struct config *c, struct works_rtu *r, struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(RTU_FILE_MAX);
	json_auto_t *root = NULL;
	const char *detail = NULL;
	json_int_t since = 0, confirmed = 0;
	int held = 1;

	TRY(path_of(c, r, &path, f));
	TRY(store_read(path.text, RTU_FILE_MAX, &text, f));
	if (jtext_read(buf_view(&text), &root, NULL) != RC_OK ||
	    json_unpack(root, "{s:I, s?I, s:b, s:s!}", "since", &since, "confirmed", &confirmed,
		"held", &held, "detail", &detail) != 0 ||
	    since <= 0 || confirmed < 0)
		return FAULT(f, RC_INVALID, "rtu_file", "%s is not as we write it", path.text);
	r->since_s = since;
	r->confirmed_s = confirmed;
	r->held = held != 0;
	credential_clip(detail, r->detail);
	return RC_OK;
}

/* ---- the list ---- */

static enum rc
grow(struct works_rtus *list, struct fault *f)
{
	struct works_rtu *item;

	if (list->len < list->cap)
		return RC_OK;
	item = works_grown(list->item, list->len, &list->cap, sizeof *item);
	if (item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "refusals");
	list->item = item;
	return RC_OK;
}

void
rtu_done(struct works *w)
{
	free(w->rtu.item);
	w->rtu = (struct works_rtus){ 0 };
}

struct walk {
	struct works *w;
	int64_t now_s;
};

static enum rc
load_one(void *arg, const char *file, struct fault *f)
{
	const struct walk *walk = arg;
	struct works *w = walk->w;
	struct works_rtu r = { .held = true };
	struct fault why = { 0 };

	if (!read_name(file, &r))
		return RC_OK;
	if (read_file(w->set->config, &r, &why) != RC_OK) {
		log_fault(LEVEL_ERR, "rtu_unreadable", &why);
		r.since_s = r.confirmed_s = walk->now_s;
		credential_clip(why.detail, r.detail);
	}
	TRY(grow(&w->rtu, f));
	w->rtu.item[w->rtu.len++] = r;
	return RC_OK;
}

enum rc
rtu_load(struct works *w, int64_t now_s, struct fault *f)
{
	struct walk walk = { w, now_s };
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/front/rtu", w->set->config->state_dir));
	TRY(store_each(dir.text, load_one, &walk, f));
	rtu_mark(w, w->set);
	return RC_OK;
}

/* Its file first: what is forgotten must not come back with a restart. */
static bool
forget(struct works *w, size_t i)
{
	struct store_path path = { 0 };
	struct fault why = { 0 };

	if (path_of(w->set->config, &w->rtu.item[i], &path, &why) != RC_OK ||
	    store_remove(path.text, &why) != RC_OK) {
		log_fault(LEVEL_ERR, "rtu_kept", &why);
		return false;
	}
	w->rtu.item[i] = w->rtu.item[--w->rtu.len];
	return true;
}

void
rtu_settle(struct works *w)
{
	struct credset_place at;

	for (size_t i = w->rtu.len; i-- > 0;) {
		const struct works_rtu *r = &w->rtu.item[i];

		if (!credset_find(w->set, r->tenant, r->name, &at))
			(void)forget(w, i);
	}
}

/* ---- a refusal ---- */

/* What is refused is what the certificate in force already has, not an addition to it. */
static bool
is_held(const struct works *w, struct credset_place at)
{
	const struct config_tenant *t = &w->set->config->tenant[at.tenant];
	const struct credential *c = credset_credential(w->set, at);
	const struct tnset *asked = NULL, *have;
	AUTO(tnset) *made = NULL;
	const struct cert *leaf;

	if (c->state != CREDENTIAL_READY)
		return true; /* nothing of it signs; what is added later is refused, too */
	leaf = c->chain->cert[0];
	if (leaf->tnauth == NULL || profile_rule(c->profile)->cls == CLASS_SP)
		return true;
	have = tnauth_numbers(leaf->tnauth);
	return want_set(t, credset_config(w->set, at), &asked, &made, NULL) == RC_OK &&
	       asked != NULL && have != NULL && tnset_within(asked, have);
}

static enum rc
put_on_record(struct works *w, const struct works_rtu *to, struct fault *f)
{
	struct works_rtu *r = find_own(w, to->tenant, to->name);

	if (r == NULL)
		TRY(grow(&w->rtu, f));
	TRY(write_file(w->set->config, to, f));
	if (r == NULL)
		r = &w->rtu.item[w->rtu.len++];
	*r = *to;
	return RC_OK;
}

/* From the first time on that it, or its copy in another token, was refused what it holds. */
static void
date(const struct works *w, struct credset_place at, struct works_rtu *r)
{
	int64_t now_s = r->since_s;

	for (size_t i = 0; i < w->rtu.len; i++) {
		const struct works_rtu *one = &w->rtu.item[i];

		if ((!one->held && r->held) || one->since_s > now_s ||
		    !concerns(one, w->set, at))
			continue;
		if (one->since_s < r->since_s)
			r->since_s = one->since_s;
		if (one->confirmed_s != 0)
			r->confirmed_s = one->confirmed_s;
	}
	if (r->confirmed_s == 0 && now_s - r->since_s >= RTU_CONFIRM_S)
		r->confirmed_s = now_s;
}

static void
say(struct works *w, const struct works_rtu *r, const char *event)
{
	log_event(LEVEL_ERR, event, "tenant=%s credential=%s held=%d detail=\"%s\"", r->tenant,
	    r->name, r->held, r->detail);
	works_audit(w, event, r->tenant, r->name,
	    json_pack("{s:b, s:s}", "held", (int)r->held, "detail", r->detail));
}

static enum rc
refused(struct works *w, struct credset_place at, const char *detail, int64_t now_s,
    struct fault *f)
{
	const struct credential *c = credset_credential(w->set, at);
	const struct works_rtu *old = find_own(w, c->tenant, c->name);
	struct works_rtu r = { .since_s = now_s, .held = is_held(w, at) };
	bool known = old != NULL, was = known && old->confirmed_s != 0;

	snprintf(r.tenant, sizeof r.tenant, "%s", c->tenant);
	snprintf(r.name, sizeof r.name, "%s", c->name);
	credential_clip(detail != NULL ? detail : "", r.detail);
	date(w, at, &r);
	if (known && old->held == r.held && old->confirmed_s == r.confirmed_s &&
	    strcmp(old->detail, r.detail) == 0)
		return RC_OK; /* no news: not worth a write */
	TRY(put_on_record(w, &r, f));
	mark_item(&r, w->set, true);
	if (!known)
		say(w, &r, "rtu_withdrawn");
	if (!was && r.confirmed_s != 0)
		say(w, &r, "rtu_confirmed");
	return RC_OK;
}

/* ---- a grant ---- */

void
rtu_granted(struct works *w, struct credset_place at, const char *by)
{
	for (size_t i = w->rtu.len; i-- > 0;) {
		struct works_rtu r = w->rtu.item[i];

		if (!concerns(&r, w->set, at) || !forget(w, i))
			continue;
		mark_item(&r, w->set, false);
		log_event(LEVEL_NOTICE, "rtu_granted", "tenant=%s credential=%s by=%s",
		    r.tenant, r.name, by);
		works_audit(w, "rtu_granted", r.tenant, r.name, json_pack("{s:s}", "by", by));
	}
	rtu_mark(w, w->set);
}

/* The authority's own word: signed by one of its signers, for the numbers that are asked for. */
static enum rc
check_grant(struct op_call *call, const char *token, struct fault *f)
{
	AUTO(chain) *signer = NULL;
	AUTO_TOKEN_JUDGED p = { .w = call->w, .jwt = span_str(token) };

	if (op_text(call, "signer") != NULL)
		TRY(chain_read_pem(
		    jtext_span(json_object_get(call->msg, "signer")), true, &signer, f));
	p.signer = signer;
	TRY(token_judge(&p, op_text(call, "tenant"), op_text(call, "name"), call->now_s, f));
	TRY(token_good(&p, f));
	if (p.constraints || p.finding[AUTHTOKEN_SIGNATURE].verdict != AUTHTOKEN_GOOD ||
	    p.finding[AUTHTOKEN_VALUE].verdict != AUTHTOKEN_GOOD)
		return FAULT(f, RC_DENIED, "rtu_not_granted", "a token that grants no numbers");
	return RC_OK;
}

enum rc
rtu_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const char *token = op_text(call, "token"), *detail = op_text(call, "detail");
	const struct config *c = call->w->set->config;
	const struct config_credential *cc;
	const struct config_authority *a;
	struct credset_place at;

	(void)answer;
	TRY(op_place(call, &at, f));
	cc = credset_config(call->w->set, at);
	a = cc->authority != NULL ? config_authority_find(c, cc->authority) : NULL;
	if (a == NULL || a->source != SOURCE_REST || config_issuer(c, cc) != ISSUER_ACME)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL, "it asks no number authority");
	if ((token == NULL) == (detail == NULL))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "token", "a grant or a refusal");
	if (detail != NULL)
		return refused(call->w, at, detail, call->now_s, f);
	if (!rtu_is_refused(call->w, at))
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nothing is refused to it");
	TRY(check_grant(call, token, f));
	rtu_granted(call->w, at, "token");
	return RC_OK;
}
