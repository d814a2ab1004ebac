#include "agent/front/plan.h"

#include "agent/front/narrow.h"
#include "agent/front/revoke.h"
#include "agent/front/want.h"
#include "stir/b64.h"

enum { ROW_BYTES = 1024, ARI_MAX = 256 };

/* ---- the order: by tenant, then by name ---- */

struct cursor {
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
};

/* "tenant/name"; neither part need exist any more. */
static enum rc
cursor_parse(const char *text, struct cursor *out, struct fault *f)
{
	const char *slash = strchr(text, '/');
	struct cursor c = { "", "" };

	if (slash == NULL || slash == text || slash - text > CONFIG_NAME_MAX ||
	    strlen(slash + 1) > CONFIG_NAME_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "after", "not \"tenant/name\"");
	memcpy(c.tenant, text, (size_t)(slash - text));
	memcpy(c.name, slash + 1, strlen(slash + 1));
	*out = c;
	return RC_OK;
}

/* The first name of the tenant after this one; false when there is none. */
static bool
next_name(const struct config_tenant *t, const char *after, size_t *out)
{
	const char *best = NULL;

	for (size_t i = 0; i < t->credentials; i++) {
		const char *name = t->credential[i].name;

		if (strcmp(name, after) > 0 && (best == NULL || strcmp(name, best) < 0)) {
			best = name;
			*out = i;
		}
	}
	return best != NULL;
}

/* The first tenant that is not before this name. */
static size_t
first_tenant(const struct config *c, const char *name)
{
	size_t lo = 0, hi = c->tenants, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(c->tenant[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- one row ---- */

static json_t *
text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *
octets_or_null(const struct buf *der)
{
	AUTO_BUF text = BUF_INIT(2 * WANT_MAX_DER);

	if (der->len == 0)
		return json_null();
	b64_encode(&text, B64_URL, buf_view(der));
	if (buf_check(&text, NULL) != RC_OK)
		return NULL;
	return json_stringn((const char *)text.ptr, text.len);
}

static json_t *
form_or_null(const struct want *w)
{
	if (w->constraints_der.len == 0)
		return json_null();
	return json_string(w->form == CONSTRAINTS_ENHANCED ? "enhanced" : "jwt");
}

json_t *
plan_ari_id(const struct cert *leaf)
{
	AUTO_BUF id = BUF_INIT(ARI_MAX);

	if (cert_ari_id(leaf, &id, NULL) != RC_OK || buf_check(&id, NULL) != RC_OK)
		return json_null();
	return json_stringn((const char *)id.ptr, id.len);
}

/* A credential in its place, and what is wanted of it. */
struct row {
	const struct works *w;
	struct credset_place at;
	const struct want *want;
	int64_t now_s;
};

static const struct config_tenant *
tenant_of(const struct row *r)
{
	return &r->w->set->config->tenant[r->at.tenant];
}

/*
 * What is changed by command is gathered first: no order for each number.  But
 * what a window has gathered is ordered also while the next one is open.  And
 * where numbers have to go to another certificate of the credential, this one
 * keeps them until that is in force: no order only to be rid of some of them.
 */
static bool
waits(const struct row *r, const struct credential *c)
{
	const struct config_tenant *t = tenant_of(r);
	const struct config_credential *cc = credset_config(r->w->set, r->at);
	const struct tnauth *list = c->chain->cert[0]->tnauth;
	AUTO(tnset) *made = NULL;
	const struct tnset *asked = NULL;
	bool loses = false;

	if (list == NULL || want_set(t, cc, &asked, &made, NULL) != RC_OK || asked == NULL)
		return false;
	if (!tnset_within(asked, tnauth_numbers(list)))
		return false;
	if (t->renumber_at_s != 0)
		return true;
	/* One that still speaks for a number that was removed waits for nobody. */
	return cc->shard > 0 && tnset_within(tnauth_numbers(list), t->numbers) &&
	       (narrow_loses(r->w->set, r->at, c, asked, r->now_s, &loses, NULL) != RC_OK ||
		   loses);
}

/* Put in force before the CA was to name it: the next one has it. */
static bool
lacks_x5u(const struct config_credential *cc, const struct credential *c)
{
	return cc->x5u_from_order && c->x5u == NULL;
}

static json_t *
active_or_null(const struct row *r, const struct credential *c)
{
	const struct config_credential *cc = credset_config(r->w->set, r->at);
	const struct cert *leaf;

	if (c->state != CREDENTIAL_READY)
		return json_null();
	leaf = c->chain->cert[0];
	return json_pack("{s:s, s:I, s:I, s:o, s:b}", "serial", leaf->serial, "not_before",
	    (json_int_t)c->not_before_s, "not_after", (json_int_t)c->not_after_s, "ari_id",
	    plan_ari_id(leaf), "as_configured",
	    !lacks_x5u(cc, c) && (want_met(r->want, cc, leaf) || waits(r, c)));
}

static json_t *
domain_or_null(const struct config *config, const struct config_credential *cc)
{
	char domain[WANT_DOMAIN_MAX + 1];

	want_domain(config, cc, domain);
	return text_or_null(domain[0] != 0 ? domain : NULL);
}

static json_t *
row_of(const struct row *r, const struct credential *c)
{
	const struct config *config = r->w->set->config;
	const struct config_credential *cc = credset_config(r->w->set, r->at);
	json_t *installed =
	    c->state == CREDENTIAL_READY ? json_integer(c->installed_at_s) : json_null();

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
	    "tenant", tenant_of(r)->name, "name", cc->name, "ca", cc->ca, "authority",
	    text_or_null(cc->authority), "claim_agent", text_or_null(cc->claim_agent),
	    "tnauthlist", octets_or_null(&r->want->tnauth_der), "constraints",
	    octets_or_null(&r->want->constraints_der), "constraints_form",
	    form_or_null(r->want), "domain", domain_or_null(config, cc), "active",
	    active_or_null(r, c), "installed_at", installed, "rtu_refused",
	    (int)atomic_load(&c->rtu_refused_at_s) != 0);
}

/* ---- a page ---- */

struct page {
	const struct works *w;
	const struct credset *set;
	json_t *rows;
	size_t bytes;
	int64_t now_s;
	bool full;
};

static enum rc
page_add(struct page *p, struct credset_place at, struct fault *f)
{
	const struct config_credential *cc = credset_config(p->set, at);
	struct credential *c = credset_credential(p->set, at);
	AUTO_WANT want = WANT_INIT;
	const struct row row = { p->w, at, &want, p->now_s };
	struct fault why = { 0 };
	size_t bytes = ROW_BYTES;

	if (c->state == CREDENTIAL_LOADING) /* nobody knows yet what there is of it */
		return RC_OK;
	if (config_issuer(p->set->config, cc) == ISSUER_HAND ||
	    revoke_check(p->w, at, NULL) != RC_OK)
		return RC_OK;
	if (narrow_want(p->set, at, p->now_s, &want, &why) != RC_OK) {
		credential_schedule(c, c->renew_at_s, why.detail);
		return RC_OK;
	}
	bytes += b64_encoded_len(B64_URL, want.tnauth_der.len);
	bytes += b64_encoded_len(B64_URL, want.constraints_der.len);
	p->full = json_array_size(p->rows) == PLAN_PAGE ||
		  (p->bytes > 0 && p->bytes + bytes > PLAN_PAGE_BYTES);
	if (p->full)
		return RC_OK;
	p->bytes += bytes;
	if (json_array_append_new(p->rows, row_of(&row, c)) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a page of the plan");
	return RC_OK;
}

static enum rc
page_fill(struct page *p, const struct cursor *after, struct fault *f)
{
	const struct config *c = p->set->config;
	struct credset_place at = { first_tenant(c, after->tenant), 0 };
	const char *name = "";

	if (at.tenant < c->tenants && strcmp(c->tenant[at.tenant].name, after->tenant) == 0)
		name = after->name;
	for (; at.tenant < c->tenants; at.tenant++, name = "") {
		const struct config_tenant *t = &c->tenant[at.tenant];

		/* Nothing is asked for a tenant that may not use it. */
		while (t->enabled && next_name(t, name, &at.credential)) {
			name = t->credential[at.credential].name;
			TRY(page_add(p, at, f));
			if (p->full)
				return RC_OK;
		}
	}
	return RC_OK;
}

enum rc
plan_op(struct op_call *call, json_t *answer, struct fault *f)
{
	struct page p = {
		.w = call->w, .set = call->w->set, .rows = json_array(), .now_s = call->now_s
	};
	struct cursor after = { "", "" };
	const char *text = op_text(call, "after");

	TRY(op_put(answer, "credentials", p.rows, f)); /* the answer's from here on */
	if (text != NULL)
		TRY(cursor_parse(text, &after, f));
	TRY(page_fill(&p, &after, f));
	return op_put(answer, "more", json_boolean(p.full), f);
}

/* A name of lower-case letters and "-"; null, absent: nothing is under way. */
static enum rc
read_step(const struct op_call *call, char out[CREDENTIAL_STEP_MAX], struct fault *f)
{
	const char *step = op_text(call, "step");
	size_t len = step != NULL ? strlen(step) : 0;

	out[0] = 0;
	if (step == NULL)
		return RC_OK;
	if (len == 0 || len >= CREDENTIAL_STEP_MAX ||
	    strspn(step, "abcdefghijklmnopqrstuvwxyz-") != len)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "step", "no name of a step");
	memcpy(out, step, len + 1);
	return RC_OK;
}

static enum rc
read_count(const struct op_call *call, const char *name, unsigned *out, struct fault *f)
{
	json_int_t n = json_integer_value(json_object_get(call->msg, name));

	if (n < 0 || n > UINT32_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, name, "no count");
	*out = (unsigned)n;
	return RC_OK;
}

/*
 * Since when: as long as the word is the same, from the first time on; after a
 * start of this process when the renewer says that it was.
 */
static int64_t
failing_since_s(const struct op_call *call, const struct credential_progress *before)
{
	json_int_t told_s = json_integer_value(json_object_get(call->msg, "failing_since"));

	if (before->failing_since_s != 0)
		return before->failing_since_s;
	return told_s > 0 && told_s < call->now_s ? (int64_t)told_s : call->now_s;
}

static enum rc
read_progress(const struct op_call *call, const struct credential_progress *before,
    struct credential_progress *out, struct fault *f)
{
	json_int_t until_s = json_integer_value(json_object_get(call->msg, "token_until"));
	bool fails = op_text(call, "problem") != NULL;

	TRY(read_step(call, out->step, f));
	TRY(read_count(call, "attempts", &out->attempts, f));
	TRY(read_count(call, "refusals", &out->refusals, f));
	out->by_push = json_is_integer(json_object_get(call->msg, "token_until"));
	out->token_until_s = until_s > 0 ? (int64_t)until_s : 0;
	out->step_since_s =
	    strcmp(out->step, before->step) == 0 ? before->step_since_s : call->now_s;
	if (fails)
		out->failing_since_s = failing_since_s(call, before);
	return RC_OK;
}

enum rc
schedule_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const char *problem = op_text(call, "problem");
	struct credset_place at;
	struct credential_progress before, now = { 0 };
	json_int_t renew_at_s = json_integer_value(json_object_get(call->msg, "renew_at"));
	struct credential *c;

	(void)answer;
	TRY(op_place(call, &at, f));
	c = credset_credential(call->w->set, at);
	credential_progress(c, &before);
	TRY(read_progress(call, &before, &now, f));
	credential_schedule(
	    c, renew_at_s > 0 ? (int64_t)renew_at_s : 0, problem != NULL ? problem : "");
	credential_proceed(c, &now);
	return RC_OK;
}

/* A problem is the renewer's text: a CA's words are in it, and reach a terminal. */
enum rc
account_word_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const char *ca = op_text(call, "ca"), *problem = op_text(call, "problem");
	char clean[CREDENTIAL_PROBLEM_MAX] = "";
	json_t *word;

	(void)answer;
	if (config_ca_find(call->w->set->config, ca) == NULL)
		return FAULT(f, RC_NOT_FOUND, "no_ca", "no such CA");
	if (call->w->out.account == NULL)
		return RC_OK;
	if (problem != NULL)
		credential_clip(problem, clean);
	word = json_pack("{s:s, s:s?}", "ca", ca, "problem", problem != NULL ? clean : NULL);
	if (word == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a word");
	call->w->out.account(call->w->out.arg, word);
	return RC_OK;
}
