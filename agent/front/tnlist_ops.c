#include "agent/front/tnlist_ops.h"

#include "agent/front/judge.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/tnauth.h"

/* ---- which are due ---- */

static enum rc
add_due(json_t *list, struct credential *c, int64_t now_s, struct fault *f)
{
	char url[TNLIST_URL_MAX + 1];

	if (c->list_due_s > now_s || !credential_wanted_list(c, url))
		return RC_OK;
	c->list_due_s = now_s + LISTS_LEASE_S;
	if (json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "tenant", c->tenant,
					    "name", c->name, "url", url)) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a list");
	return RC_OK;
}

enum rc
lists_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const struct credset *set = call->w->set;
	json_t *list = json_array();

	TRY(op_put(answer, "lists", list, f));
	for (size_t t = 0; t < set->config->tenants; t++) {
		const struct credset_tenant *one = &set->tenant[t];

		for (size_t i = 0; one->config->enabled && i < one->config->credentials; i++) {
			if (json_array_size(list) == LISTS_PAGE)
				return RC_OK;
			TRY(add_due(list, one->credential[i], call->now_s, f));
		}
	}
	return RC_OK;
}

/* ---- one that has come ---- */

struct arrival {
	struct works *w;
	struct credset_place at;
	struct tnlist_of of;
	const char *url;
	int64_t now_s, fresh_s;
};

/* The certificate in force, in the octets on disk where it lies there. */
static enum rc
read_present(const struct arrival *a, const struct credential *c, struct buf *pem,
    struct store_path *path, struct fault *f)
{
	AUTO(chain) *chain = NULL;
	const struct cert *leaf = c->state == CREDENTIAL_READY ? c->chain->cert[0] : NULL;
	enum rc rc;

	TRY(load_path(a->of.config, a->of.tenant, a->of.name, path, f));
	rc = store_read(path->text, CHAIN_MAX_BYTES, pem, f);
	if (leaf == NULL)
		return rc;
	if (rc == RC_OK && chain_read_pem(buf_view(pem), true, &chain, NULL) == RC_OK &&
	    span_eq(span_of(chain->cert[0]->der, chain->cert[0]->der_len),
		span_of(leaf->der, leaf->der_len)))
		return RC_OK;
	*f = (struct fault){ 0 };
	buf_clear(pem);
	TRY(chain_write_pem(pem, c->chain, f));
	return buf_check(pem, f);
}

/* What is there, judged with that list and put in force. */
static enum rc
judge_again(
    const struct arrival *a, struct credential *present, struct tnlist *list, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(2 * CHAIN_MAX_BYTES);
	struct judge j = { .set = a->w->set,
		.accounts = &a->w->accounts,
		.at = a->at,
		.token = present->token,
		.now_s = a->now_s,
		.list = list };
	struct store_path path = { 0 };
	struct credential *made = NULL;
	bool ready = present->state == CREDENTIAL_READY;

	if (read_present(a, present, &pem, &path, f) == RC_NOT_FOUND)
		return RC_OK; /* it waits for an install */
	TRY(f->rc);
	TRY(judge_chain(&j, buf_view(&pem), &made, f));
	made->installed_at_s = ready ? present->installed_at_s : store_mtime(path.text);
	if (ready && made->why.rc == RC_OK)
		made->why = present->why; /* of another one on disk */
	credential_carry(present, made);
	return ready ? works_change(a->w, a->at, made, f) : works_put(a->w, a->at, made, f);
}

/* Is it the list of the certificate in force, or of one on disk that it kept from force? */
static bool
concerns(const struct arrival *a, const struct credential *c)
{
	const char *own = c->state == CREDENTIAL_READY ? c->chain->cert[0]->tnauth_url : NULL;

	return c->state == CREDENTIAL_UNUSABLE || (own != NULL && strcmp(own, a->url) == 0);
}

/* Nothing of it may be signed: the certificate is out of force until the next list. */
static enum rc
put_away(const struct arrival *a, const struct credential *present, const struct fault *why,
    struct fault *f)
{
	struct credential *c = NULL;
	enum rc rc;

	TRY(credential_new(a->of.tenant, a->of.name, CREDENTIAL_UNUSABLE, &c, f));
	c->token = present->token;
	c->profile = present->profile;
	c->priority = present->priority;
	c->why = *why;
	rc = credential_want_list(c, a->url, a->now_s + LISTS_AGAIN_S, f);
	if (rc != RC_OK) {
		credential_release(c);
		return rc;
	}
	log_event(LEVEL_WARNING, "credential_unusable",
	    "tenant=%s credential=%s reason=%s detail=\"%s\"", a->of.tenant, a->of.name,
	    why->reason, why->detail);
	return works_change(a->w, a->at, c, f);
}

/*
 * The list is there and cannot be put in force.  What it has gained waits for
 * one that can; what it has lost must not be signed any more (D-46).
 */
static enum rc
take_losses(const struct arrival *a, struct credential *c, struct tnlist *list,
    const struct fault *why, struct fault *f)
{
	AUTO_TNLIST *both = NULL;
	struct fault again = { 0 };

	if (c->state != CREDENTIAL_READY || c->list == NULL)
		return RC_OK; /* it signs nothing by reference */
	if (tnset_within(c->list->numbers, list->numbers)) {
		c->list->fetched_at_s = a->now_s;
		return RC_OK;
	}
	TRY(tnlist_common(c->list, list, &both, f));
	if (judge_again(a, c, both, &again) == RC_OK)
		return RC_OK;
	return put_away(a, c, why, f);
}

/* A list that is on no disk must not be followed by an older one after a restart. */
static enum rc
keep(const struct arrival *a, struct span der, struct fault *f)
{
	if (tnlist_write(&a->of, a->url, der, a->now_s, a->fresh_s, f) != RC_OK)
		tnlist_sweep(&a->of, NULL);
	return f->rc;
}

static enum rc
put_in_force(
    const struct arrival *a, struct credential *c, struct tnlist *list, struct fault *f)
{
	struct fault why = { 0 }, worse = { 0 };

	if (judge_again(a, c, list, &why) == RC_OK)
		return RC_OK;
	if (take_losses(a, c, list, &why, &worse) != RC_OK)
		log_fault(LEVEL_ERR, "tnlist_losses", &worse);
	return FAULT(f, why.rc, why.reason, "%s", why.detail);
}

static enum rc
take(const struct arrival *a, struct span der, struct fault *f)
{
	struct credential *c = credset_credential(a->w->set, a->at);
	AUTO_TNLIST *list = NULL;
	struct fault kept = { 0 };

	TRY(tnlist_make(&a->of, a->url, der, a->now_s, a->fresh_s, &list, f));
	(void)!keep(a, der, &kept);
	c->list_due_s = list->due_s;
	if (c->list != NULL && strcmp(c->list->url, a->url) == 0 &&
	    memcmp(c->list->digest, list->digest, sizeof list->digest) == 0) {
		c->list->fetched_at_s = a->now_s;
		c->list->due_s = list->due_s;
	} else {
		log_event(LEVEL_NOTICE, "tnlist", "tenant=%s credential=%s numbers=%llu",
		    a->of.tenant, a->of.name, (unsigned long long)tnset_count(list->numbers));
		if (concerns(a, c))
			TRY(put_in_force(a, c, list, f));
	}
	return kept.rc == RC_OK ? RC_OK : FAULT(f, kept.rc, kept.reason, "%s", kept.detail);
}

/* ---- its parts ---- */

static int64_t
number(const struct op_call *call, const char *name)
{
	return json_integer_value(json_object_get(call->msg, name));
}

static enum rc
begin(
    struct works_list *l, const struct op_call *call, struct credset_place at, struct fault *f)
{
	int64_t total = number(call, "total");
	const char *url = op_text(call, "url");

	if (total <= 0 || total > TNAUTH_MAX_REFERENCED_BYTES || strlen(url) > TNLIST_URL_MAX)
		return REFUSE(f, RC_INVALID, TOO_LARGE, "total", "a list of %lld bytes",
		    (long long)total);
	buf_free(&l->octets);
	l->octets = BUF_INIT((size_t)total);
	l->total = (size_t)total;
	l->at = at;
	snprintf(l->url, sizeof l->url, "%s", url);
	return RC_OK;
}

static void
end(struct works_list *l)
{
	buf_free(&l->octets);
	l->total = 0;
}

static enum rc
add_part(
    struct works_list *l, const struct op_call *call, struct credset_place at, struct fault *f)
{
	AUTO_BUF part = BUF_INIT(LIST_PART_MAX);
	int64_t offset = number(call, "offset");

	TRY(op_octets(call, "data", LIST_PART_MAX, &part, f));
	if (offset == 0)
		TRY(begin(l, call, at, f));
	if (l->total == 0 || (int64_t)l->octets.len != offset || part.len == 0 ||
	    part.len > l->total - l->octets.len || strcmp(l->url, op_text(call, "url")) != 0 ||
	    l->at.tenant != at.tenant || l->at.credential != at.credential ||
	    number(call, "total") != (int64_t)l->total)
		return REFUSE(
		    f, RC_CONFLICT, CONFLICT, "offset", "a part that does not follow");
	buf_span(&l->octets, buf_view(&part));
	return buf_check(&l->octets, f);
}

/* Shown in status beside what is in force, which stays. */
static void
fails(const struct arrival *a, const char *problem)
{
	struct credential *c = credset_credential(a->w->set, a->at);

	c->list_due_s = a->now_s + LISTS_AGAIN_S;
	log_event(LEVEL_WARNING, "tnlist_failed", "tenant=%s credential=%s problem=\"%.160s\"",
	    a->of.tenant, a->of.name, problem);
}

static enum rc
arrive(const struct arrival *a, const struct op_call *call, struct fault *f)
{
	struct works_list *l = &a->w->list;
	enum rc rc = add_part(l, call, a->at, f);

	if (rc == RC_OK && l->octets.len < l->total)
		return RC_OK;
	if (rc == RC_OK)
		rc = take(a, buf_view(&l->octets), f);
	end(l);
	if (rc != RC_OK)
		fails(a, f->detail);
	return rc;
}

enum rc
list_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const struct credset *set = call->w->set;
	const json_t *fresh = json_object_get(call->msg, "fresh_s");
	struct arrival a = { .w = call->w,
		.url = op_text(call, "url"),
		.now_s = call->now_s,
		.fresh_s = json_is_integer(fresh) ? json_integer_value(fresh) : -1 };
	char wanted[TNLIST_URL_MAX + 1];

	(void)answer;
	TRY(op_place(call, &a.at, f));
	a.of = (struct tnlist_of){ set->config, set->config->tenant[a.at.tenant].name,
		credset_config(set, a.at)->name, credset_config(set, a.at) };
	/* Only what a certificate refers to. */
	if (!credential_wanted_list(credset_credential(set, a.at), wanted) ||
	    strcmp(wanted, a.url) != 0)
		return REFUSE(
		    f, RC_NOT_FOUND, NOT_FOUND, "url", "no list of that URL is wanted");
	if (op_text(call, "problem") == NULL)
		return arrive(&a, call, f);
	fails(&a, op_text(call, "problem"));
	return RC_OK;
}
