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

/* What lies on disk, judged with the new list. */
static enum rc
judge_again(const struct arrival *a, struct credential *present, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	struct judge j = {
		.set = a->w->set, .accounts = &a->w->accounts, .at = a->at, .now_s = a->now_s
	};
	struct store_path path = { 0 };
	struct credential *made = NULL;
	char problem[CREDENTIAL_PROBLEM_MAX];

	TRY(works_token_index(a->w, a->of.credential->token, &j.token, f));
	TRY(load_path(a->of.config, a->of.tenant, a->of.name, &path, f));
	if (store_read(path.text, CHAIN_MAX_BYTES, &pem, f) == RC_NOT_FOUND)
		return RC_OK; /* it waits for an install */
	TRY(f->rc);
	TRY(judge_chain(&j, buf_view(&pem), &made, f));
	made->installed_at_s = store_mtime(path.text);
	credential_problem(present, problem);
	credential_schedule(made, present->renew_at_s, problem);
	return works_put(a->w, a->at, made, f);
}

/* Is it the list of the certificate in force, or of one on disk that it kept from force? */
static bool
concerns(const struct arrival *a, const struct credential *c)
{
	const char *own = c->state == CREDENTIAL_READY ? c->chain->cert[0]->tnauth_url : NULL;

	return c->state == CREDENTIAL_UNUSABLE || (own != NULL && strcmp(own, a->url) == 0);
}

static enum rc
take(const struct arrival *a, struct span der, struct fault *f)
{
	struct credential *c = credset_credential(a->w->set, a->at);
	AUTO_TNLIST *list = NULL;

	TRY(tnlist_make(&a->of, a->url, der, a->now_s, a->fresh_s, &list, f));
	TRY(tnlist_write(&a->of, a->url, der, a->now_s, a->fresh_s, f));
	c->list_due_s = list->due_s;
	if (c->list != NULL && strcmp(c->list->url, a->url) == 0 &&
	    memcmp(c->list->digest, list->digest, sizeof list->digest) == 0) {
		c->list->fetched_at_s = a->now_s;
		c->list->due_s = list->due_s;
		return RC_OK;
	}
	log_event(LEVEL_NOTICE, "tnlist", "tenant=%s credential=%s numbers=%llu", a->of.tenant,
	    a->of.name, (unsigned long long)tnset_count(list->numbers));
	return concerns(a, c) ? judge_again(a, c, f) : RC_OK;
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
