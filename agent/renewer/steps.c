/*
 * What each state of a renewal does.  A step asks one party one thing (a look
 * at an authorization may go on to answer its challenge) and ends by one of
 * job_next(), job_goto(), job_look_again(), job_fail() or job_installed().
 */
#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/domain.h"
#include "agent/renewer/job.h"
#include "agent/renewer/problem.h"
#include "agent/renewer/rfc3339.h"
#include "agent/renewer/right.h"
#include "agent/renewer/served.h"
#include "agent/renewer/source.h"
#include "agent/renewer/star.h"
#include "stir/b64.h"
#include "stir/csr.h"
#include "stir/jtext.h"

#define PEM_TYPE    "application/pem-certificate-chain"
#define TNAUTH_TYPE "TNAuthList"
#define AUTO_SECRET __attribute__((cleanup(buf_wipe))) struct buf

static int64_t
now_s(const struct job *j)
{
	return io_now_s(j->renew->io);
}

static const char *
text_of(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

static bool
text_is(const json_t *object, const char *member, const char *text)
{
	const char *s = text_of(object, member);

	return s != NULL && text != NULL && strcmp(s, text) == 0;
}

/* D-33 */
static const char *
constraints_type(const struct job *j)
{
	const struct config_ca *ca = j->slot->config;

	return j->plan.form == CONSTRAINTS_ENHANCED ? ca->enhanced_type : ca->constraints_type;
}

static enum rc
replace_text(char **out, const char *text, struct fault *f)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "renewal");
	free(*out);
	*out = copy;
	return RC_OK;
}

/* ---- idle ---- */

enum rc
step_begin(struct job *j, struct fault *f)
{
	struct record *rec = &j->rec;
	bool series = star_is_next(j);

	(void)f;
	job_drop_order(j);
	if (!series)
		record_drop_series(rec);
	if (strcmp(rec->asked, j->plan.hash) != 0)
		rec->installed[0] = 0;
	snprintf(rec->asked, sizeof rec->asked, "%s", j->plan.hash);
	snprintf(rec->replacing, sizeof rec->replacing, "%s", j->plan.serial);
	log_event(LEVEL_NOTICE, "renewal_started", "tenant=%s credential=%s why=%s",
	    j->plan.tenant, j->plan.name,
	    j->asked		    ? "operator"
	    : !j->plan.active	    ? "first"
	    : series		    ? "series"
	    : j->plan.as_configured ? "due"
				    : "configuration");
	j->asked = j->no_replaces = false;
	if (j->slot->acme == NULL)
		job_goto(j, RENEW_ISSUE);
	else if (series)
		job_goto(j, RENEW_SERIES);
	else
		job_next(j);
	return RC_OK;
}

/* ---- tokens ---- */

static bool
token_good(const struct job *j, enum token_kind k)
{
	return j->token[k].token != NULL && j->token[k].exp_s > now_s(j) + AUTHTOK_MARGIN_S;
}

/* An answer for a job that is over, or one that fails it: there is nothing more to do. */
static bool
done_with(struct job *j, enum rc rc, const struct fault *f, int64_t retry_after_s)
{
	if (job_over(j))
		return true;
	if (rc != RC_OK)
		job_fail(j, rc, f, retry_after_s);
	return rc != RC_OK;
}

static void
on_grant(struct job *j, enum token_kind k, enum rc rc, struct authtok_grant *grant,
    const struct fault *f, int64_t retry_after_s)
{
	if (job_over(j))
		return;
	if (k == TOKEN_NUMBERS)
		right_say(j, rc, grant, f);
	if (rc != RC_OK) {
		job_fail(j, rc, f, retry_after_s);
		return;
	}
	authtok_grant_done(&j->token[k]);
	j->token[k] = *grant;
	*grant = (struct authtok_grant){ 0 };
	job_next(j);
}

static void
on_numbers(void *arg, enum rc rc, struct authtok_grant *grant, const struct fault *f,
    int64_t retry_after_s)
{
	on_grant(arg, TOKEN_NUMBERS, rc, grant, f, retry_after_s);
}

static void
on_claims(void *arg, enum rc rc, struct authtok_grant *grant, const struct fault *f,
    int64_t retry_after_s)
{
	on_grant(arg, TOKEN_CLAIMS, rc, grant, f, retry_after_s);
}

/* ---- where they come from ---- */

void
token_file(char out[TOKEN_FILE_NAME], const char *tenant, const char *name, enum token_kind k)
{
	char file[2 * CONFIG_NAME_MAX + 2];

	record_file(file, tenant, name);
	snprintf(out, TOKEN_FILE_NAME, "%s.%s", file, k == TOKEN_NUMBERS ? "n" : "c");
}

static struct source
source_of(struct job *j, enum token_kind k)
{
	return (struct source){ .io = j->renew->io,
		.tenant = j->plan.tenant,
		.name = j->plan.name,
		.done = k == TOKEN_NUMBERS ? on_numbers : on_claims,
		.arg = j };
}

/* The one that was pushed; RC_NOT_FOUND. */
static enum rc
pushed(struct job *j, enum token_kind k, struct buf *out, struct fault *f)
{
	AUTO_SECRET text = BUF_INIT(STORE_FILE_MAX);
	char file[TOKEN_FILE_NAME];
	json_auto_t *root = NULL;
	const char *token = NULL;

	token_file(file, j->plan.tenant, j->plan.name, k);
	TRY(store_read(j->renew->store, STORE_TOKENS, file, &text, f));
	(void)!jtext_read_foreign(buf_view(&text), STORE_FILE_MAX, &root, NULL);
	if (json_unpack(root, "{s:s!}", "token", &token) != 0)
		return FAULT(f, RC_NOT_FOUND, "token_file", "a file that holds no token");
	buf_str(out, token);
	return buf_check(out, f);
}

/* Of the one that is kept for this authority; INT64_MAX where it is asked for by itself. */
static int64_t
pushed_until_s(struct job *j, enum token_kind k, const char *authority)
{
	const struct config_authority *a =
	    config_authority_find(j->renew->set->config, authority);
	AUTO_SECRET token = BUF_INIT(AUTHTOK_MAX + 1);
	AUTO(authtoken) *t = NULL;

	if (a == NULL || a->source != SOURCE_PUSH)
		return INT64_MAX;
	if (pushed(j, k, &token, NULL) != RC_OK ||
	    authtoken_decode(buf_view(&token), &t, NULL) != RC_OK)
		return 0;
	return t->exp_s;
}

int64_t
step_token_until_s(struct job *j)
{
	int64_t numbers_s = pushed_until_s(j, TOKEN_NUMBERS, j->plan.authority);
	int64_t claims_s = j->plan.constraints == NULL
			       ? INT64_MAX
			       : pushed_until_s(j, TOKEN_CLAIMS, j->plan.claim_agent);
	int64_t until_s = numbers_s < claims_s ? numbers_s : claims_s;

	return until_s != INT64_MAX ? until_s : -1;
}

/*
 * D-31: used until it expires.  One that the present request cannot use is
 * dropped and said; the source is asked the next time.
 */
static enum rc
offer_pushed(struct job *j, enum token_kind k, struct span token, struct fault *f)
{
	struct source from = source_of(j, k);
	enum rc rc = source_offer(&from, &j->want, token, f);
	char file[TOKEN_FILE_NAME];
	struct fault why = { 0 };

	if (rc != RC_DENIED && rc != RC_EXPIRED && rc != RC_INVALID)
		return rc;
	token_file(file, j->plan.tenant, j->plan.name, k);
	if (store_remove(j->renew->store, STORE_TOKENS, file, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "token_file", &why);
	log_event(LEVEL_WARNING, "token_dropped", "tenant=%s credential=%s reason=%s",
	    j->plan.tenant, j->plan.name, f->reason);
	return rc;
}

static enum rc
request_token(struct job *j, enum token_kind k, const char *authority, const char *value_b64,
    struct fault *f)
{
	AUTO_SECRET token = BUF_INIT(AUTHTOK_MAX + 1);
	struct source from = source_of(j, k);
	struct renew *r = j->renew;
	struct authtok_want *w = &j->want;
	struct fault why = { 0 };
	enum rc rc;

	*w = (struct authtok_want){
		.authority = config_authority_find(r->set->config, authority),
		.tktype = k == TOKEN_NUMBERS ? TNAUTH_TYPE : constraints_type(j),
		.constraints = k == TOKEN_CLAIMS,
		.form = j->plan.form,
		.account = acme_account(j->slot->acme),
		.anchors = r->set->authority_anchors,
	};
	if (w->authority == NULL)
		return FAULT(f, RC_DENIED, "no_authority",
		    "no authority section '%s' for the %s", authority,
		    k == TOKEN_NUMBERS ? "numbers" : "constraints");
	if (w->tktype == NULL)
		return FAULT(f, RC_DENIED, "no_type", "no identifier type for constraints");
	if (k == TOKEN_CLAIMS && w->authority->evidence)
		w->evidence = j->token[TOKEN_NUMBERS].token; /* V-89 */
	buf_clear(&j->want_der);
	TRY(b64_decode(&j->want_der, B64_URL, span_str(value_b64), f));
	w->der = buf_view(&j->want_der);
	rc = pushed(j, k, &token, &why);
	if (rc == RC_OK)
		return offer_pushed(j, k, buf_view(&token), f);
	if (rc != RC_NOT_FOUND)
		log_fault(LEVEL_WARNING, "token_file", &why);
	return source_ask(&from, w, f);
}

/* D-31: a fresh token for each order, kept while it can still be used. */
enum rc
step_token(struct job *j, struct fault *f)
{
	if (token_good(j, TOKEN_NUMBERS)) {
		job_next(j);
		return RC_OK;
	}
	return request_token(j, TOKEN_NUMBERS, j->plan.authority, j->plan.tnauthlist, f);
}

enum rc
step_claims(struct job *j, struct fault *f)
{
	if (j->plan.constraints == NULL || token_good(j, TOKEN_CLAIMS)) {
		job_next(j);
		return RC_OK;
	}
	if (!token_good(j, TOKEN_NUMBERS)) {
		job_goto(j, RENEW_TOKEN);
		return RC_OK;
	}
	return request_token(j, TOKEN_CLAIMS, j->plan.claim_agent, j->plan.constraints, f);
}

/* ---- order ---- */

static enum rc
take_authorizations(struct record *rec, const json_t *order, struct fault *f)
{
	const json_t *list = json_object_get(order, "authorizations");
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n == 0 || n > RECORD_AUTHZ_MAX)
		return FAULT(f, RC_INVALID, "acme_order", "%zu authorizations", n);
	for (size_t i = 0; i < n; i++) {
		const char *url = json_string_value(json_array_get(list, i));

		if (url == NULL || !url_is_https(url))
			return FAULT(
			    f, RC_INVALID, "acme_order", "an authorization without URL");
		TRY(replace_text(&rec->authz[i], url, f));
		rec->authzs = i + 1;
	}
	return RC_OK;
}

/* One that ignores what it was asked for would issue something else. */
static enum rc
check_profile(const struct job *j, const json_t *order, struct fault *f)
{
	const char *asked = j->slot->config->acme_profile;

	if (asked == NULL || text_is(order, "profile", asked))
		return RC_OK;
	return FAULT(f, RC_DENIED, "acme_profile", "ca %s: the order is not of profile '%.60s'",
	    j->slot->config->name, asked);
}

static enum rc
take_order(struct job *j, const struct acme_reply *reply, struct fault *f)
{
	const char *finalize = text_of(reply->json, "finalize");

	if (reply->http->location == NULL || finalize == NULL || !url_is_https(finalize))
		return FAULT(f, RC_INVALID, "acme_order", "an order without its URLs");
	TRY(check_profile(j, reply->json, f));
	TRY(star_take_order(j, reply->json, f));
	TRY(take_authorizations(&j->rec, reply->json, f));
	TRY(replace_text(&j->rec.finalize, finalize, f));
	j->rec.expires_s = rfc3339_s(text_of(reply->json, "expires"));
	return replace_text(&j->rec.order, reply->http->location, f);
}

static void
on_order(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (job_over(j))
		return;
	/* RFC 9773 section 5: refused for what it replaces, or for another cause: that shows. */
	if (j->replaces && (rc == RC_DENIED || rc == RC_NOT_FOUND)) {
		j->no_replaces = true;
		log_event(LEVEL_NOTICE, "order_without_replaces",
		    "tenant=%s credential=%s reason=%s", j->plan.tenant, j->plan.name,
		    f->reason);
		job_goto(j, RENEW_ORDER);
		return;
	}
	if (rc != RC_OK) {
		job_fail(j, rc, f, reply->retry_after_s);
		return;
	}
	rc = take_order(j, reply, &bad);
	if (rc != RC_OK) {
		record_drop_order(&j->rec);
		job_fail(j, rc, &bad, -1);
		return;
	}
	j->looks = 0;
	j->window.replaced = j->window.replaced || j->replaces;
	job_next(j);
}

/* base64url of what the claim agent granted: it is ordered octet for octet. */
static enum rc
granted_text(const struct job *j, char **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(RECORD_VALUE_MAX);

	if (j->plan.constraints == NULL)
		return RC_OK;
	b64_encode(&text, B64_URL, buf_view(&j->token[TOKEN_CLAIMS].der));
	TRY(buf_check(&text, f));
	*out = buf_steal(&text);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "order");
}

static bool
same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static json_t *
text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

/* An operation about this credential and what is ordered for it. */
static json_t *
credential_op(const struct job *j, const char *op)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "op", op, "tenant", j->plan.tenant,
	    "name", j->plan.name, "tnauthlist", j->plan.tnauthlist, "constraints",
	    text_or_null(j->rec.constraints));
}

/* RFC 9773 section 5: where the CA knows of it, and what is ordered is the same again. */
static json_t *
replaced(struct job *j)
{
	j->replaces = j->plan.active && j->plan.as_configured && j->plan.ari_id[0] != 0 &&
		      !j->no_replaces && !j->window.replaced &&
		      acme_renewal_info(j->slot->acme) != NULL;
	return j->replaces ? json_string(j->plan.ari_id) : json_null();
}

enum rc
step_order(struct job *j, struct fault *f)
{
	struct acme_series series = star_wanted(j);
	AUTO_FREE char *granted = NULL;
	json_auto_t *op = NULL;

	if (!token_good(j, TOKEN_NUMBERS) ||
	    (j->plan.constraints != NULL && !token_good(j, TOKEN_CLAIMS))) {
		job_goto(j, RENEW_TOKEN);
		return RC_OK;
	}
	TRY(acme_offers(j->slot->acme, &series, f));
	TRY(granted_text(j, &granted, f));
	/* New tokens for an order that is there already, as long as they say the same. */
	if (j->rec.order != NULL && same_text(granted, j->rec.constraints)) {
		job_next(j);
		return RC_OK;
	}
	record_drop_order(&j->rec);
	j->rec.constraints = TAKE(granted);
	op = credential_op(j, "new-order");
	if (op == NULL || json_object_set_new(op, "replaces", replaced(j)) != 0 ||
	    (series.lifetime_s != 0 && json_object_set_new(op, "by_get",
					   json_boolean(acme_star_by_get(j->slot->acme))) != 0))
		return FAULT(f, RC_NO_MEMORY, "no_memory", "order");
	return acme_call(
	    j->slot->acme, acme_new_order_url(j->slot->acme), op, NULL, on_order, j, f);
}

/* ---- authorizations and challenges ---- */

static enum rc
look_at(struct job *j, const char *url, const char *accept, acme_done *done, struct fault *f)
{
	json_auto_t *op = json_pack("{s:s}", "op", "post-as-get");

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "post-as-get");
	return acme_call(j->slot->acme, url, op, accept, done, j, f);
}

static bool
is_domain(const struct job *j, const json_t *authz)
{
	const json_t *id = json_object_get(authz, "identifier");

	return j->plan.domain[0] != 0 && text_is(id, "type", "dns") &&
	       text_is(id, "value", j->plan.domain);
}

static bool
is_ours(const struct job *j, const json_t *authz, const json_t *challenge)
{
	if (is_domain(j, authz))
		return text_is(
		    challenge, "type", config_domain_name(j->slot->config->domain_challenge));
	return text_is(challenge, "type", "tkauth-01") &&
	       text_is(challenge, "tkauth-type", "atc");
}

static const json_t *
find_challenge(const struct job *j, const json_t *authz)
{
	const json_t *list = json_object_get(authz, "challenges"), *c;
	size_t i;

	json_array_foreach (list, i, c) {
		if (is_ours(j, authz, c))
			return c;
	}
	return NULL;
}

/* The token for the identifier of an authorization; it must be one that was ordered. */
static enum rc
kind_of(const struct job *j, const json_t *authz, enum token_kind *out, struct fault *f)
{
	const json_t *id = json_object_get(authz, "identifier");

	if (text_is(id, "type", TNAUTH_TYPE) && text_is(id, "value", j->plan.tnauthlist))
		*out = TOKEN_NUMBERS;
	else if (text_is(id, "type", constraints_type(j)) &&
		 text_is(id, "value", j->rec.constraints))
		*out = TOKEN_CLAIMS;
	else
		return FAULT(f, RC_DENIED, "acme_identifier",
		    "the CA wants an authorization that was not ordered");
	return RC_OK;
}

/* An authorization or order that has failed: its error says whether another one may do. */
static void
order_over(struct job *j, const json_t *error, const char *what)
{
	struct fault f = { 0 };
	enum rc rc;

	if (json_is_object(error))
		rc = problem_of_object(error, 403, &f);
	else
		rc = FAULT(&f, RC_NET, "acme_order_invalid", "%s", what);
	choose_answered(j); /* it is the order that failed, not the CA */
	job_drop_order(j);
	j->rec.state = RENEW_TOKEN;
	job_fail(j, rc, &f, -1);
}

static void
on_answered(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;

	/* It may have arrived: the next look says. */
	if (done_with(j, rc, f, reply->retry_after_s))
		return;
	j->answered = true;
	j->polls = 0;
	job_look_again(j, reply->retry_after_s);
}

static enum rc
post_answer(struct job *j, const char *url, const char *token, struct fault *f)
{
	json_auto_t *op = json_pack("{s:s, s:s?}", "op", "challenge", "token", token);

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "challenge");
	job_asks_more(j);
	return acme_call(j->slot->acme, url, op, NULL, on_answered, j, f);
}

/* A domain is shown by a command; what it says is of no interest, how it ends is. */
static void
on_presented(void *arg, enum rc rc, struct span output, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	(void)output;
	if (job_over(j))
		return;
	/* Each present has its cleanup: whatever it did, the next begins from nothing. */
	if (rc != RC_OK) {
		job_cleanup(j);
		j->alone = true; /* the command's failure is no word about the CA */
		job_fail(j, rc, f, -1);
		j->alone = false;
		return;
	}
	rc = post_answer(j, j->challenge, NULL, &bad);
	if (rc != RC_OK)
		job_fail(j, rc, &bad, -1);
}

/*
 * The CA looks at any moment from the first answer on: what is shown stays
 * until it has decided, and is never taken away beside being put there.
 */
static enum rc
present(struct job *j, const json_t *challenge, const char *url, struct fault *f)
{
	const struct io *io = j->renew->io;
	const struct config_ca *ca = j->slot->config;
	struct domain_proof p = { ca->domain_challenge, j->plan.domain,
		text_of(challenge, "token"), acme_account(j->slot->acme)->point };
	AUTO_BUF task = BUF_INIT(DOMAIN_TASK_MAX);
	AUTO(cleanup) *cleanup = NULL;

	TRY(cleanup_new(ca->name, &p, &cleanup, f));
	TRY(replace_text(&j->challenge, url, f));
	if (j->cleanup != NULL && cleanup_same(j->cleanup, cleanup))
		return post_answer(j, url, NULL, f);
	job_cleanup(j);
	if (cleanups_has(j->renew->cleanups, cleanup)) {
		job_look_again(j, -1);
		return RC_OK;
	}
	TRY(domain_task(&task, DOMAIN_PRESENT, &p, f));
	TRY(io->run(io->ctx, HOOK_DOMAIN, ca->name, buf_view(&task), on_presented, j, f));
	j->cleanup = TAKE(cleanup);
	return RC_OK;
}

void
job_cleanup(struct job *j)
{
	if (j->cleanup != NULL && !j->renew->stopping)
		cleanups_add(j->renew->cleanups, TAKE(j->cleanup));
	cleanup_free(j->cleanup);
	j->cleanup = NULL;
}

static enum rc
answer(struct job *j, const json_t *authz, const char *url, struct fault *f)
{
	enum token_kind k = TOKEN_NUMBERS;

	TRY(kind_of(j, authz, &k, f));
	if (!token_good(j, k)) {
		job_goto(j, RENEW_TOKEN); /* the order stays */
		return RC_OK;
	}
	return post_answer(j, url, j->token[k].token, f);
}

static enum rc
pending(struct job *j, const json_t *authz, int64_t retry_after_s, struct fault *f)
{
	const json_t *c = find_challenge(j, authz);
	const char *url = text_of(c, "url");
	bool domain = is_domain(j, authz);

	if (c == NULL || url == NULL)
		return FAULT(f, RC_DENIED, "acme_challenge", "the CA offers no %s challenge",
		    domain ? config_domain_name(j->slot->config->domain_challenge)
			   : "tkauth-01 (atc)");
	if (text_is(c, "status", "invalid")) {
		order_over(j, json_object_get(c, "error"), "challenge failed");
		return RC_OK;
	}
	/* One that stays pending did not take the answer: a few looks later it gets it again. */
	if (text_is(c, "status", "pending") && (!j->answered || j->polls >= RENEW_ANSWER_LOOKS))
		return domain ? present(j, c, url, f) : answer(j, authz, url, f);
	job_look_again(j, retry_after_s);
	return RC_OK;
}

static enum rc
judge_authz(struct job *j, const struct acme_reply *reply, struct fault *f)
{
	const json_t *authz = reply->json;

	if (text_is(authz, "status", "pending"))
		return pending(j, authz, reply->retry_after_s, f);
	if (!text_is(authz, "status", "valid")) {
		order_over(j, json_object_get(find_challenge(j, authz), "error"),
		    "authorization failed");
		return RC_OK;
	}
	job_cleanup(j);
	j->answered = false;
	j->polls = 0;
	if (++j->authz_at < j->rec.authzs)
		job_goto(j, RENEW_CHALLENGE);
	else
		job_next(j);
	return RC_OK;
}

typedef enum rc judge_fn(struct job *j, const struct acme_reply *reply, struct fault *f);

/* What an object of the CA says is judged; whatever stands in the way fails the job. */
static void
judged(struct job *j, enum rc rc, const struct acme_reply *reply, const struct fault *f,
    judge_fn *judge, const char *reason)
{
	struct fault bad = { 0 };

	if (done_with(j, rc, f, reply->retry_after_s))
		return;
	rc = reply->json != NULL ? judge(j, reply, &bad)
				 : FAULT(&bad, RC_INVALID, reason, "not JSON");
	if (rc != RC_OK)
		job_fail(j, rc, &bad, -1);
}

static void
on_authz(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	judged(arg, rc, reply, f, judge_authz, "acme_authz");
}

static bool
is_expired(const struct job *j)
{
	return j->rec.expires_s != 0 && now_s(j) >= j->rec.expires_s;
}

enum rc
step_challenge(struct job *j, struct fault *f)
{
	if (is_expired(j))
		return FAULT(f, RC_NOT_FOUND, "acme_order_expired", "the order has expired");
	if (j->authz_at >= j->rec.authzs)
		return FAULT(f, RC_BUG, "internal_error", "authorization %zu", j->authz_at);
	return look_at(j, j->rec.authz[j->authz_at], NULL, on_authz, f);
}

/* ---- csr, finalize, poll ---- */

static void
on_csr(void *arg, enum rc rc, const json_t *result, const struct fault *f)
{
	struct job *j = arg;

	(void)result; /* the front keeps the request and finalizes with it */
	if (!done_with(j, rc, f, -1))
		job_next(j);
}

enum rc
step_csr(struct job *j, struct fault *f)
{
	json_auto_t *op = credential_op(j, "csr");

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "csr");
	return j->renew->io->ask(j->renew->io->ctx, op, on_csr, j, f);
}

static enum rc
issued(struct job *j, const json_t *order, struct fault *f)
{
	const char *url = text_of(order, "certificate");

	if (j->rec.auto_end_s != 0)
		return star_begin(j, order, f);
	if (url == NULL || !url_is_https(url))
		return FAULT(f, RC_INVALID, "acme_order", "a valid order without certificate");
	TRY(served_take(j, order, f));
	TRY(replace_text(&j->rec.certificate, url, f));
	job_goto(j, RENEW_DOWNLOAD);
	return RC_OK;
}

static enum rc
judge_order(struct job *j, const struct acme_reply *reply, struct fault *f)
{
	const json_t *order = reply->json;
	enum renew_state at = j->rec.state;

	if (text_is(order, "status", "valid"))
		return issued(j, order, f);
	if (text_is(order, "status", "invalid")) {
		order_over(j, json_object_get(order, "error"), "the order failed");
		return RC_OK;
	}
	j->unsaved = true; /* the state changes here: on disk before the next step */
	if (text_is(order, "status", "processing") || at == RENEW_FINALIZE) {
		j->rec.state = RENEW_POLL;
		job_look_again(j, reply->retry_after_s);
		return RC_OK;
	}
	/* The request was lost, or an authorization is not as valid as it looked. */
	j->rec.state = text_is(order, "status", "ready") ? RENEW_CSR : RENEW_CHALLENGE;
	j->authz_at = 0;
	j->answered = false;
	job_look_again(j, reply->retry_after_s);
	return RC_OK;
}

static void
on_order_seen(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	judged(arg, rc, reply, f, judge_order, "acme_order");
}

enum rc
step_finalize(struct job *j, struct fault *f)
{
	json_auto_t *op =
	    json_pack("{s:s, s:s, s:s, s:s?}", "op", "finalize", "tenant", j->plan.tenant,
		"name", j->plan.name, "order", j->rec.auto_end_s != 0 ? j->rec.order : NULL);

	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "finalize");
	return acme_call(j->slot->acme, j->rec.finalize, op, NULL, on_order_seen, j, f);
}

enum rc
step_poll(struct job *j, struct fault *f)
{
	if (is_expired(j))
		return FAULT(f, RC_NOT_FOUND, "acme_order_expired", "the order has expired");
	return look_at(j, j->rec.order, NULL, on_order_seen, f);
}

/* ---- download ---- */

/* Does this chain lead to one of our anchors?  Only asked where there is a choice. */
static bool
leads_home(const struct job *j, struct span pem)
{
	const struct anchors *a = j->renew->set->trust_anchors;
	AUTO(chain) *c = NULL;

	return a == NULL || (chain_read_pem(pem, true, &c, NULL) == RC_OK &&
				chain_verify(c, a, now_s(j), NULL, NULL) == RC_OK);
}

static enum rc
take_alternates(struct job *j, const struct http_answer *http, struct fault *f)
{
	for (size_t i = 0; i < http->alternates; i++) {
		TRY(replace_text(&j->alternate[j->alternates], http->alternate[i], f));
		j->alternates++;
	}
	return RC_OK;
}

/* What install is to be offered. */
static void
chosen(struct job *j)
{
	struct fault f = { 0 };
	enum rc rc = RC_OK;

	if (j->rec.x5u != NULL)
		rc = served_look(j, &f);
	else
		job_goto(j, RENEW_INSTALL);
	if (rc != RC_OK)
		job_fail(j, rc, &f, -1);
}

static void on_alternate(
    void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f);

/* RFC 8555 section 7.4.2: another chain, if there is one left to look at; else the first. */
static void
next_alternate(struct job *j)
{
	struct fault f = { 0 };

	while (j->alternate_at < j->alternates) {
		job_asks_more(j);
		if (look_at(j, j->alternate[j->alternate_at++], PEM_TYPE, on_alternate, &f) ==
		    RC_OK)
			return;
	}
	chosen(j);
}

static void
on_alternate(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;

	(void)f; /* the chain that came first is there */
	if (job_over(j))
		return;
	if (rc != RC_OK || !leads_home(j, buf_view(&reply->http->body))) {
		next_alternate(j);
		return;
	}
	buf_clear(&j->chain);
	buf_span(&j->chain, buf_view(&reply->http->body));
	chosen(j);
}

enum rc
job_take_chain(struct job *j, const struct http_answer *http, struct fault *f)
{
	if (strcmp(http->content_type, PEM_TYPE) != 0)
		return FAULT(f, RC_INVALID, "acme_chain", "not " PEM_TYPE);
	if (http->body.len == 0 || http->body.len > RENEW_CHAIN_MAX)
		return FAULT(f, RC_INVALID, "acme_chain", "%zu bytes", http->body.len);
	buf_clear(&j->chain);
	buf_span(&j->chain, buf_view(&http->body));
	TRY(buf_check(&j->chain, f));
	return take_alternates(j, http, f);
}

static void
on_chain(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (done_with(j, rc, f, reply->retry_after_s))
		return;
	rc = job_take_chain(j, reply->http, &bad);
	if (rc != RC_OK) {
		job_fail(j, rc, &bad, -1);
		return;
	}
	if (j->alternates > 0 && !leads_home(j, buf_view(&j->chain)))
		next_alternate(j);
	else
		chosen(j);
}

enum rc
step_download(struct job *j, struct fault *f)
{
	job_drop_alternates(j);
	return look_at(j, j->rec.certificate, PEM_TYPE, on_chain, f);
}

/* ---- install ---- */

static void
on_installed(void *arg, enum rc rc, const json_t *result, const struct fault *f)
{
	struct job *j = arg;
	const json_t *from = json_object_get(result, "not_before");
	const json_t *to = json_object_get(result, "not_after");
	const char *serial = text_of(result, "serial");

	if (job_over(j))
		return;
	if (rc != RC_OK) {
		/* Without an answer it may be in force: the plan says, before it is tried again. */
		if (problem_may_pass(rc)) {
			j->renew->plan_due = true;
			j->renew->plan_wake_ms = 0;
		}
		job_fail(j, rc, f, -1);
		return;
	}
	if (serial == NULL || strlen(serial) >= CERT_SERIAL_TEXT || !json_is_integer(from) ||
	    !json_is_integer(to)) {
		struct fault bad = { 0 };

		job_fail(j, FAULT(&bad, RC_INVALID, "channel", "install without validity"),
		    &bad, -1);
		return;
	}
	job_installed(j, serial, json_integer_value(from), json_integer_value(to),
	    text_of(result, "ari_id"));
}

enum rc
step_install(struct job *j, struct fault *f)
{
	const char *pem = buf_text(&j->chain);
	json_auto_t *op = NULL;

	if (pem == NULL || j->chain.len == 0)
		return FAULT(f, RC_BUG, "internal_error", "no chain to install");
	op = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?}", "op", "install", "tenant",
	    j->plan.tenant, "name", j->plan.name, "chain", pem, "x5u", j->rec.x5u, "order",
	    j->rec.state == RENEW_SERIES ? j->rec.series.order : NULL);
	if (op == NULL)
		return FAULT(f, RC_INVALID, "acme_chain", "a chain that is not text");
	return j->renew->io->ask(j->renew->io->ctx, op, on_installed, j, f);
}

/* ---- issue: a command in the place of the CA ---- */

static enum rc
take_output(struct job *j, struct span output, struct fault *f)
{
	if (output.len == 0 || output.len > RENEW_CHAIN_MAX ||
	    memchr(output.ptr, 0, output.len) != NULL)
		return FAULT(f, RC_INVALID, "command_output",
		    "%zu bytes that are no chain in PEM", output.len);
	buf_clear(&j->chain);
	buf_span(&j->chain, output);
	TRY(buf_check(&j->chain, f));
	return step_install(j, f);
}

static void
on_issued(void *arg, enum rc rc, struct span output, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (done_with(j, rc, f, -1))
		return;
	rc = take_output(j, output, &bad);
	if (rc != RC_OK)
		job_fail(j, rc, &bad, -1);
}

static enum rc
run_command(struct job *j, const json_t *result, struct fault *f)
{
	const struct io *io = j->renew->io;
	AUTO_BUF der = BUF_INIT(RECORD_VALUE_MAX), pem = BUF_INIT(2 * RECORD_VALUE_MAX);
	const char *b64 = text_of(result, "csr");

	if (b64 == NULL || b64_decode(&der, B64_URL, span_str(b64), NULL) != RC_OK)
		return FAULT(f, RC_INVALID, "channel", "no request");
	TRY(buf_check(&der, f));
	TRY(csr_pem(buf_view(&der), &pem, f));
	return io->run(
	    io->ctx, HOOK_ISSUE, j->slot->config->name, buf_view(&pem), on_issued, j, f);
}

static void
on_request(void *arg, enum rc rc, const json_t *result, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (done_with(j, rc, f, -1))
		return;
	rc = run_command(j, result, &bad);
	if (rc != RC_OK)
		job_fail(j, rc, &bad, -1);
}

/*
 * The same request as long as the same is asked for, so whatever ends this
 * step it can be begun again.  A chain that is there and could not be put in
 * force yet is not ordered a second time.
 */
enum rc
step_issue(struct job *j, struct fault *f)
{
	json_auto_t *op = NULL;

	if (j->chain.len > 0)
		return step_install(j, f);
	if (j->plan.constraints != NULL && j->rec.constraints == NULL)
		TRY(replace_text(&j->rec.constraints, j->plan.constraints, f));
	op = credential_op(j, "csr");
	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "csr");
	return j->renew->io->ask(j->renew->io->ctx, op, on_request, j, f);
}
