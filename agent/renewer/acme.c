#include "agent/renewer/acme.h"

#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/ari.h"
#include "agent/renewer/eab.h"
#include "agent/renewer/problem.h"
#include "agent/renewer/record.h"
#include "agent/renewer/schedule.h"
#include "agent/secret.h"
#include "stir/jtext.h"

enum phase { COLD, STARTING, READY };

struct acme {
	const struct config_ca *ca;
	const struct io *io;
	struct store *store;
	enum phase phase;
	unsigned failures;
	int64_t wake_ms;
	struct fault fault;
	char *new_nonce, *new_account, *new_order; /* of the directory */
	char *revoke_cert, *key_change;		   /* NULL: it names none */
	bool existing;				   /* the key may have an account already */
	bool eab_required;
	json_t *meta;	     /* of the directory; NULL: none */
	int64_t meta_ms;     /* when it was read */
	bool again;	     /* what is being brought up is not the account any more */
	char *renewal_info;  /* NULL: none */
	bool known, looking; /* the directory was read; is being, for that alone */
	unsigned look_failures;
	int64_t look_ms;
	json_t *jwk;
	char *kid;
	struct acme_account account;
	char nonce[ACME_NONCES][HTTP_NONCE_MAX + 1];
	size_t nonces;
};

struct call {
	struct acme *a;
	char *url, *accept;
	json_t *op;
	unsigned bad_nonces;
	acme_done *done;
	void *arg;
};

static void
call_free(struct call *c)
{
	if (c == NULL)
		return;
	free(c->url);
	free(c->accept);
	json_decref(c->op);
	free(c);
}
DEFINE_FREEP(call);

enum rc
acme_new(const struct config_ca *ca, const struct io *io, struct store *store,
    struct acme **out, struct fault *f)
{
	struct acme *a = calloc(1, sizeof *a);

	if (a == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "ca %s", ca->name);
	a->ca = ca;
	a->io = io;
	a->store = store;
	*out = a;
	return RC_OK;
}

static void
drop(char **text)
{
	free(*text);
	*text = NULL;
}

static void
forget(struct acme *a)
{
	drop(&a->new_nonce);
	drop(&a->new_account);
	drop(&a->new_order);
	drop(&a->revoke_cert);
	drop(&a->key_change);
	drop(&a->kid);
	json_decref(a->meta);
	a->meta = NULL;
	json_decref(a->jwk);
	a->jwk = NULL;
	a->nonces = 0;
}

void
acme_free(struct acme *a)
{
	if (a == NULL)
		return;
	forget(a);
	drop(&a->renewal_info);
	free(a);
}

const struct fault *
acme_fault(const struct acme *a)
{
	return &a->fault;
}

int64_t
acme_wake_ms(const struct acme *a)
{
	return a->wake_ms;
}

bool
acme_busy(const struct acme *a)
{
	return a->phase == STARTING || a->looking;
}

const struct acme_account *
acme_account(const struct acme *a)
{
	return &a->account;
}

const char *
acme_new_order_url(const struct acme *a)
{
	return a->new_order;
}

/* Whoever refuses for what the directory lacks must see when it has it. */
static void
read_again(struct acme *a)
{
	int64_t now = a->io->now_ms(a->io->ctx);

	if (a->phase == READY && now - a->meta_ms >= ACME_META_MS)
		a->phase = COLD; /* acme_ready() begins anew; the account is on disk */
}

static enum rc
check_profile(const struct acme *a, struct fault *f)
{
	const char *name = a->ca->acme_profile;

	if (name == NULL || json_object_get(json_object_get(a->meta, "profiles"), name) != NULL)
		return RC_OK;
	return FAULT(f, RC_DENIED, "acme_profile",
	    "ca %s offers no profile '%.60s': correct acme_profile, or drop it", a->ca->name,
	    name);
}

/* RFC 8739 section 3.2 */
static enum rc
check_series(const struct acme *a, const struct acme_series *asked, struct fault *f)
{
	const json_t *offer = json_object_get(a->meta, "auto-renewal");
	json_int_t least = json_integer_value(json_object_get(offer, "min-lifetime"));
	json_int_t most = json_integer_value(json_object_get(offer, "max-duration"));

	if (asked->lifetime_s == 0)
		return RC_OK;
	if (!json_is_object(offer))
		return FAULT(f, RC_DENIED, "acme_star",
		    "ca %s renews nothing by itself: drop star_lifetime_s", a->ca->name);
	if (asked->lifetime_s < least || asked->duration_s > most)
		return FAULT(f, RC_DENIED, "acme_star",
		    "ca %s: star_lifetime_s is at least %lld, star_duration_s at most %lld",
		    a->ca->name, (long long)least, (long long)most);
	return RC_OK;
}

enum rc
acme_offers(struct acme *a, const struct acme_series *series, struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc = check_profile(a, &why);

	if (rc == RC_OK)
		rc = check_series(a, series, &why);
	if (rc == RC_OK)
		return RC_OK;
	read_again(a);
	return FAULT(f, rc, why.reason, "%s", why.detail);
}

bool
acme_star_by_get(const struct acme *a)
{
	const json_t *offer = json_object_get(a->meta, "auto-renewal");

	return json_is_true(json_object_get(offer, "allow-certificate-get"));
}

const char *
acme_resource(const struct acme *a, const char *name)
{
	const struct {
		const char *name, *url;
	} rows[] = { { "revokeCert", a->revoke_cert }, { "keyChange", a->key_change },
		{ "newAccount", a->new_account }, { "account", a->kid } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].url;
	}
	return NULL;
}

bool
acme_known(const struct acme *a)
{
	return a->new_nonce != NULL && a->new_account != NULL;
}

void
acme_restart(struct acme *a)
{
	if (a->phase == STARTING) /* it has asked before that: it asks again when it is there */
		a->again = true;
	else
		a->phase = COLD;
	a->wake_ms = 0;
}

/* ---- signed calls ---- */

static void
keep_nonce(struct acme *a, const char *nonce)
{
	if (nonce[0] == 0)
		return;
	/* The newest is the one most likely to be good still: it replaces the oldest. */
	if (a->nonces == ACME_NONCES) {
		memmove(a->nonce[0], a->nonce[1], sizeof a->nonce - sizeof a->nonce[0]);
		a->nonces--;
	}
	memcpy(a->nonce[a->nonces++], nonce, strlen(nonce) + 1);
}

/* done() once, then the call is gone. */
static void
call_end(struct call *c, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	c->done(c->arg, rc, reply, f);
	call_free(c);
}

static void
call_fail(struct call *c, enum rc rc, const struct fault *f)
{
	struct acme_reply none = { .retry_after_s = -1 };

	call_end(c, rc, &none, f);
}

static enum rc call_start(struct call *c, struct fault *f) MUST_CHECK;

static bool
is_json(const struct http_answer *http)
{
	return strcmp(http->content_type, "application/json") == 0 ||
	       strcmp(http->content_type, "application/problem+json") == 0;
}

static bool
is_registration(const json_t *op)
{
	const char *name = jtext_get(op, "op");

	return name != NULL && strcmp(name, "new-account") == 0;
}

/* Signed by a key that is sent along: the op says that itself by a kid of its own. */
static bool
needs_kid(const json_t *op)
{
	return !is_registration(op) && json_object_get(op, "kid") == NULL;
}

/* The CA no longer knows the account: the next one who asks makes another. */
static void
account_lost(struct acme *a)
{
	struct fault f = { 0 };

	a->phase = COLD;
	a->wake_ms = 0;
	log_event(LEVEL_WARNING, "ca_account_lost", "ca=%s", a->ca->name);
	if (store_remove(a->store, STORE_ACCOUNTS, a->ca->name, &f) != RC_OK)
		log_fault(LEVEL_ERR, "store", &f);
}

/* True when the call goes on with another nonce. */
static bool
again_with_nonce(struct call *c, const struct fault *f)
{
	struct fault second = { 0 };
	enum rc rc;

	if (strcmp(f->reason, "acme_bad_nonce") != 0 || c->bad_nonces >= ACME_BAD_NONCES)
		return false;
	c->bad_nonces++;
	rc = call_start(c, &second);
	if (rc != RC_OK)
		call_fail(c, rc, &second);
	return true;
}

static void
on_posted(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	struct call *c = arg;
	struct fault bad = { 0 };
	struct acme_reply reply = { .http = http, .retry_after_s = -1 };
	json_auto_t *root = NULL;

	if (rc != RC_OK) {
		call_fail(c, rc, f);
		return;
	}
	keep_nonce(c->a, http->nonce);
	reply.retry_after_s = http->retry_after_s;
	if (is_json(http))
		(void)!jtext_read_foreign(buf_view(&http->body), HTTP_BODY_MAX, &root, NULL);
	reply.json = json_is_object(root) ? root : NULL;
	if (http->status >= 200 && http->status < 300) {
		call_end(c, RC_OK, &reply, NULL);
		return;
	}
	rc = problem_of_answer(http->status, buf_view(&http->body), &bad);
	if (strcmp(bad.reason, "acme_no_account") == 0 && c->a->phase == READY &&
	    needs_kid(c->op))
		account_lost(c->a);
	if (!again_with_nonce(c, &bad))
		call_end(c, rc, &reply, &bad);
}

static enum rc
post(struct call *c, const json_t *jws, struct fault *f)
{
	AUTO_FREE char *text = json_dumps(jws, JSON_COMPACT);

	if (text == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "jws");
	return c->a->io->http(c->a->io->ctx,
	    &(struct http_request){
		.method = HTTP_POST,
		.url = c->url,
		.tls_ca = c->a->ca->tls_ca,
		.accept = c->accept,
		.content_type = "application/jose+json",
		.body = span_str(text),
	    },
	    on_posted, c, f);
}

static void
on_jws(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct call *c = arg;
	struct fault bad = { 0 };
	const json_t *jws = json_object_get(answer, "jws");

	if (rc != RC_OK) {
		call_fail(c, rc, f);
		return;
	}
	rc = json_is_object(jws) ? post(c, jws, &bad)
				 : FAULT(&bad, RC_INVALID, "channel", "an answer without jws");
	if (rc != RC_OK)
		call_fail(c, rc, &bad);
}

static enum rc
ask_jws(struct call *c, struct fault *f)
{
	struct acme *a = c->a;
	json_auto_t *op = json_copy(c->op);
	const char *nonce = a->nonce[--a->nonces];
	int bad = 0;

	if (needs_kid(op) && a->kid == NULL)
		return FAULT(f, RC_BUSY, "acme_restarting", "ca %s", a->ca->name);
	bad |= json_object_set_new(op, "ca", json_string(a->ca->name));
	bad |= json_object_set_new(op, "nonce", json_string(nonce));
	bad |= json_object_set_new(op, "url", json_string(c->url));
	if (needs_kid(op))
		bad |= json_object_set_new(op, "kid", json_string(a->kid));
	if (op == NULL || bad != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "question for a jws");
	return a->io->ask(a->io->ctx, op, on_jws, c, f);
}

static void
on_nonce(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	struct call *c = arg;
	struct fault bad = { 0 };

	if (rc != RC_OK) {
		call_fail(c, rc, f);
		return;
	}
	keep_nonce(c->a, http->nonce);
	if (http->status < 200 || http->status > 299)
		rc = problem_of_answer(http->status, buf_view(&http->body), &bad);
	else if (c->a->nonces == 0)
		rc = FAULT(&bad, RC_INVALID, "acme_no_nonce", "newNonce gave none");
	else
		rc = ask_jws(c, &bad);
	if (rc != RC_OK)
		call_fail(c, rc, &bad);
}

/* RFC 8555 section 7.2: HEAD, where no earlier answer left a nonce. */
static enum rc
call_start(struct call *c, struct fault *f)
{
	if (c->a->new_nonce == NULL || (c->a->phase == COLD && needs_kid(c->op)))
		return FAULT(f, RC_BUSY, "acme_restarting", "ca %s", c->a->ca->name);
	if (c->a->nonces > 0)
		return ask_jws(c, f);
	return c->a->io->http(c->a->io->ctx,
	    &(struct http_request){
		.method = HTTP_HEAD, .url = c->a->new_nonce, .tls_ca = c->a->ca->tls_ca },
	    on_nonce, c, f);
}

enum rc
acme_call(struct acme *a, const char *url, const json_t *op, const char *accept,
    acme_done *done, void *arg, struct fault *f)
{
	AUTO(call) *c = calloc(1, sizeof *c);

	if (!url_same_origin(a->ca->directory, url))
		return FAULT(f, RC_DENIED, "acme_origin",
		    "ca %s names a URL of another origin than its directory's", a->ca->name);
	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "call");
	c->a = a;
	c->url = strdup(url);
	c->accept = strdup(accept != NULL ? accept : "application/json");
	c->op = json_copy((json_t *)(uintptr_t)op);
	c->done = done;
	c->arg = arg;
	if (c->url == NULL || c->accept == NULL || c->op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "call");
	TRY(call_start(c, f));
	c = NULL; /* on_…() have it */
	return RC_OK;
}

/* ---- bringing the account up ---- */

static void
start_failed(struct acme *a, enum rc rc, const struct fault *f, int64_t retry_after_s)
{
	int64_t wait_ms = ACME_STOP_MS;

	a->phase = COLD;
	if (strcmp(f->reason, "stopping") == 0)
		return;
	a->failures++;
	a->fault = *f;
	if (problem_may_pass(rc))
		wait_ms =
		    schedule_backoff_ms(a->failures, 0, schedule_jitter(a->ca->name, "", ""));
	if (retry_after_s > 0 && schedule_poll_ms(0, retry_after_s) > wait_ms)
		wait_ms = schedule_poll_ms(0, retry_after_s);
	a->wake_ms = a->io->now_ms(a->io->ctx) + wait_ms;
	log_event(LEVEL_WARNING, "ca_failed", "ca=%s reason=%s detail=\"%s\" retry_ms=%lld",
	    a->ca->name, f->reason, f->detail, (long long)wait_ms);
}

static void
start_done(struct acme *a)
{
	a->phase = a->again ? COLD : READY;
	a->again = false;
	a->failures = 0;
	a->wake_ms = 0;
	a->fault = (struct fault){ 0 };
	log_event(LEVEL_NOTICE, "ca_ready", "ca=%s", a->ca->name);
}

/* STATE/renewer/accounts/CA.json: {"directory", "fingerprint", "kid"}. */
static enum rc
save_kid(struct acme *a, struct fault *f)
{
	json_auto_t *root = json_pack("{s:s, s:s, s:s}", "directory", a->ca->directory,
	    "fingerprint", a->account.jwk_fingerprint, "kid", a->kid);
	AUTO_FREE char *text = root != NULL ? json_dumps(root, JSON_INDENT(1)) : NULL;

	if (text == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "account of ca %s", a->ca->name);
	return store_write(a->store, STORE_ACCOUNTS, a->ca->name, span_str(text), f);
}

/* True when the stored account is of this directory and this key. */
static bool
load_kid(struct acme *a)
{
	AUTO_BUF text = BUF_INIT(STORE_FILE_MAX);
	json_auto_t *root = NULL;
	const char *directory = NULL, *fingerprint = NULL, *kid = NULL;

	if (store_read(a->store, STORE_ACCOUNTS, a->ca->name, &text, NULL) != RC_OK)
		return false;
	(void)!jtext_read_foreign(buf_view(&text), STORE_FILE_MAX, &root, NULL);
	if (json_unpack(root, "{s:s, s:s, s:s !}", "directory", &directory, "fingerprint",
		&fingerprint, "kid", &kid) != 0 ||
	    strcmp(directory, a->ca->directory) != 0 ||
	    strcmp(fingerprint, a->account.jwk_fingerprint) != 0 ||
	    !url_same_origin(directory, kid))
		return false;
	drop(&a->kid);
	a->kid = strdup(kid);
	return a->kid != NULL;
}

static enum rc
take_registration(struct acme *a, const struct acme_reply *reply, struct fault *f)
{
	const char *status = jtext_get(reply->json, "status");

	if (status != NULL && strcmp(status, "valid") != 0)
		return FAULT(f, RC_DENIED, "acme_account", "the account is '%.20s'", status);
	if (reply->http->location == NULL)
		return FAULT(f, RC_INVALID, "acme_account", "newAccount gave no Location");
	if (!url_same_origin(a->ca->directory, reply->http->location))
		return FAULT(f, RC_DENIED, "acme_origin", "account URL of another origin");
	drop(&a->kid);
	a->kid = strdup(reply->http->location);
	if (a->kid == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "account");
	return save_kid(a, f);
}

/* The CA's word, and where an operator looks. */
static enum rc
refused_account(const struct acme *a, enum rc rc, const struct fault *why, struct fault *f)
{
	if (rc != RC_DENIED)
		return FAULT(f, rc, why->reason, "%s", why->detail);
	return FAULT(f, rc, why->reason, "ca %s refuses the account (check %s): %s",
	    a->ca->name,
	    a->ca->eab_kid != NULL ? "eab_kid and eab_key"
				   : "contact, terms_agreed, eab_kid and eab_key",
	    why->detail);
}

static enum rc register_account(struct acme *a, struct fault *f) MUST_CHECK;

static void
on_registered(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct acme *a = arg;
	struct fault bad = { 0 };
	bool none = rc != RC_OK && a->existing && strcmp(f->reason, "acme_no_account") == 0;

	a->existing = a->existing && !none;
	if (none)
		rc = register_account(a, &bad);
	else if (rc == RC_OK)
		rc = take_registration(a, reply, &bad);
	else
		rc = refused_account(a, rc, f, &bad);
	if (rc != RC_OK)
		start_failed(a, rc, &bad, reply->retry_after_s);
	else if (!none)
		start_done(a);
}

/* RFC 8555 section 7.3.4 */
static enum rc
bind_account(struct acme *a, json_t **eab, struct fault *f)
{
	AUTO_SECRET key = BUF_INIT(8192);

	if (a->ca->eab_kid == NULL || a->ca->eab_key.text == NULL) {
		if (a->eab_required)
			return FAULT(f, RC_DENIED, "acme_eab_required",
			    "ca %s wants eab_kid and eab_key", a->ca->name);
		*eab = json_null();
		return RC_OK;
	}
	TRY(secret_read(&a->ca->eab_key, &key, f));
	return eab_make(a->ca->eab_kid, buf_view(&key), a->new_account, a->jwk, eab, f);
}

/* A key of before is looked for first (section 7.3.1): a binding may serve once only. */
static enum rc
register_account(struct acme *a, struct fault *f)
{
	json_auto_t *eab = a->existing ? json_null() : NULL, *op = NULL;

	if (!a->existing)
		TRY(bind_account(a, &eab, f));
	op = json_pack("{s:s, s:O, s:b}", "op", "new-account", "eab", eab, "only_existing",
	    (int)a->existing);
	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "account");
	return acme_call(a, a->new_account, op, NULL, on_registered, a, f);
}

static enum rc
take_fingerprint(
    const json_t *answer, const char *name, char out[FINGERPRINT_TEXT], struct fault *f)
{
	const char *text = jtext_get(answer, name);

	if (text == NULL || strlen(text) != FINGERPRINT_TEXT - 1)
		return FAULT(f, RC_INVALID, "channel", "an account without %s", name);
	memcpy(out, text, FINGERPRINT_TEXT);
	return RC_OK;
}

static enum rc
take_account(struct acme *a, const json_t *answer, struct fault *f)
{
	json_t *jwk = json_object_get(answer, "jwk");

	TRY(jwk_point(jwk, a->account.point, f));
	TRY(take_fingerprint(answer, "jwk_fingerprint", a->account.jwk_fingerprint, f));
	TRY(take_fingerprint(answer, "spki_fingerprint", a->account.spki_fingerprint, f));
	json_decref(a->jwk);
	a->jwk = json_incref(jwk);
	a->existing = json_is_true(json_object_get(answer, "existing"));
	return RC_OK;
}

static void
on_account(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct acme *a = arg;
	struct fault bad = { 0 };

	if (rc != RC_OK)
		bad = *f;
	else
		rc = take_account(a, answer, &bad);
	if (rc == RC_OK && load_kid(a)) {
		start_done(a);
		return;
	}
	if (rc == RC_OK)
		rc = register_account(a, &bad);
	if (rc != RC_OK)
		start_failed(a, rc, &bad, -1);
}

static enum rc
take_url(struct acme *a, const json_t *directory, const char *name, char **out, struct fault *f)
{
	const char *url = jtext_get(directory, name);

	if (url == NULL)
		return FAULT(f, RC_INVALID, "acme_directory", "no %s in the directory", name);
	if (!url_same_origin(a->ca->directory, url))
		return FAULT(f, RC_DENIED, "acme_origin", "%s of another origin", name);
	drop(out);
	*out = strdup(url);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "directory");
}

/* It is optional, and of the same origin or not there. */
static enum rc
take_renewal_info(struct acme *a, const json_t *directory, struct fault *f)
{
	a->known = true;
	drop(&a->renewal_info);
	if (jtext_get(directory, "renewalInfo") == NULL)
		return RC_OK;
	return take_url(a, directory, "renewalInfo", &a->renewal_info, f);
}

/* Optional, too: one that is not usable is none, and what is ordered goes on. */
static void
take_optional(struct acme *a, const json_t *directory, const char *name, char **out)
{
	struct fault why = { 0 };

	drop(out);
	if (json_object_get(directory, name) == NULL)
		return;
	if (take_url(a, directory, name, out, &why) != RC_OK)
		log_event(LEVEL_WARNING, "ca_directory",
		    "ca=%s resource=%s reason=%s detail=\"%s\"", a->ca->name, name, why.reason,
		    why.detail);
}

static enum rc
read_directory(struct acme *a, const struct http_answer *http, json_t **out, struct fault *f)
{
	json_auto_t *root = NULL;
	struct fault why = { 0 };

	if (http->status != 200)
		return problem_of_answer(http->status, buf_view(&http->body), f);
	(void)!jtext_read_foreign(buf_view(&http->body), HTTP_BODY_MAX, &root, NULL);
	if (!json_is_object(root))
		return FAULT(f, RC_INVALID, "acme_directory", "the directory is not JSON");
	if (take_renewal_info(a, root, &why) != RC_OK)
		log_event(LEVEL_WARNING, "ca_renewal_info", "ca=%s reason=%s detail=\"%s\"",
		    a->ca->name, why.reason, why.detail);
	*out = TAKE(root);
	return RC_OK;
}

static enum rc
take_directory(struct acme *a, const struct http_answer *http, struct fault *f)
{
	json_auto_t *root = NULL;

	TRY(read_directory(a, http, &root, f));
	TRY(take_url(a, root, "newNonce", &a->new_nonce, f));
	TRY(take_url(a, root, "newAccount", &a->new_account, f));
	TRY(take_url(a, root, "newOrder", &a->new_order, f));
	take_optional(a, root, "revokeCert", &a->revoke_cert);
	take_optional(a, root, "keyChange", &a->key_change);
	a->meta = json_incref(json_object_get(root, "meta"));
	a->meta_ms = a->io->now_ms(a->io->ctx);
	a->eab_required = json_is_true(json_object_get(a->meta, "externalAccountRequired"));
	return RC_OK;
}

static void
on_directory(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	struct acme *a = arg;
	struct fault bad = { 0 };
	json_auto_t *op = json_pack("{s:s, s:s}", "op", "account", "ca", a->ca->name);

	if (rc != RC_OK)
		bad = *f;
	else
		rc = take_directory(a, http, &bad);
	if (rc == RC_OK && op == NULL)
		rc = FAULT(&bad, RC_NO_MEMORY, "no_memory", "question for the account");
	if (rc == RC_OK)
		rc = a->io->ask(a->io->ctx, op, on_account, a, &bad);
	if (rc != RC_OK)
		start_failed(a, rc, &bad, http != NULL ? http->retry_after_s : -1);
}

static enum rc
get_directory(struct acme *a, io_http_done *done, struct fault *f)
{
	return a->io->http(a->io->ctx,
	    &(struct http_request){ .method = HTTP_GET,
		.url = a->ca->directory,
		.tls_ca = a->ca->tls_ca,
		.accept = "application/json" },
	    done, a, f);
}

static void
look_failed(struct acme *a, const struct fault *f)
{
	a->look_ms = a->io->now_ms(a->io->ctx) + ari_failed_ms(++a->look_failures, true,
						     ARI_FAILED_S * 8,
						     schedule_jitter(a->ca->name, "", ""));
	log_event(LEVEL_WARNING, "ca_renewal_info", "ca=%s reason=%s detail=\"%s\"",
	    a->ca->name, f->reason, f->detail);
}

static void
on_looked(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	struct acme *a = arg;
	struct fault bad = { 0 };
	json_auto_t *root = NULL;

	a->looking = false;
	if (rc != RC_OK && strcmp(f->reason, "stopping") == 0)
		return;
	if (rc != RC_OK)
		bad = *f;
	else
		rc = read_directory(a, http, &root, &bad);
	if (rc != RC_OK)
		look_failed(a, &bad);
	else
		a->look_failures = 0;
}

const char *
acme_renewal_info(struct acme *a)
{
	struct fault f = { 0 };

	if (a->known || a->looking || a->phase == STARTING ||
	    a->io->now_ms(a->io->ctx) < a->look_ms)
		return a->renewal_info;
	if (get_directory(a, on_looked, &f) == RC_OK)
		a->looking = true;
	else
		look_failed(a, &f);
	return a->renewal_info;
}

static void
start(struct acme *a)
{
	struct fault f = { 0 };
	enum rc rc;

	forget(a);
	a->phase = STARTING;
	rc = get_directory(a, on_directory, &f);
	if (rc != RC_OK)
		start_failed(a, rc, &f, -1);
}

bool
acme_ready(struct acme *a)
{
	if (a->phase == COLD && a->io->now_ms(a->io->ctx) >= a->wake_ms)
		start(a);
	return a->phase == READY;
}

void
acme_retry(struct acme *a)
{
	if (a->phase == COLD)
		a->wake_ms = 0;
}

void
acme_clock_back(struct acme *a, int64_t ms)
{
	a->wake_ms -= ms;
	a->look_ms -= ms;
}
