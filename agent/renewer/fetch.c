#include "agent/renewer/fetch.h"

#include <stdio.h>

#include <openssl/crypto.h>

#include "agent/log.h"
#include "agent/renewer/renew_parts.h"
#include "agent/renewer/source.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "stir/text.h"

enum { FETCH_TYPE_MAX = 64 };

/* One token that is to be asked for. */
struct wish {
	const struct config_authority *authority; /* NULL: none */
	char tktype[FETCH_TYPE_MAX + 1];
	struct buf der;
	bool constraints;
};

struct fetch {
	struct renew *renew;
	struct settings *set; /* with which it began */
	json_int_t id;
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	struct acme_account account; /* its fingerprints alone */
	struct wish wish, evidence;  /* V-89: the second is asked for first */
	char *token;		     /* of evidence, once it is here */
	struct source source;
	struct authtok_want want;
};

static void
fetch_free(struct fetch *x)
{
	if (x == NULL)
		return;
	if (x->set != NULL) {
		x->set->busy--;
		x->renew->fetches--;
	}
	if (x->token != NULL)
		OPENSSL_cleanse(x->token, strlen(x->token));
	free(x->token);
	buf_free(&x->wish.der);
	buf_free(&x->evidence.der);
	free(x);
}
DEFINE_FREEP(fetch);

/* ---- what the front says ---- */

static bool
copy_text(const json_t *event, const char *member, char *out, size_t size)
{
	const char *text = jtext_get(event, member);

	return text != NULL && text[0] != 0 && text_copy(out, size, text);
}

static bool
read_wish(struct fetch *x, const json_t *from, struct wish *w)
{
	char authority[CONFIG_NAME_MAX + 1];
	const char *value = jtext_get(from, "value");

	w->der = BUF_INIT(RECORD_VALUE_MAX);
	w->constraints = json_is_true(json_object_get(from, "constraints"));
	if (!copy_text(from, "authority", authority, sizeof authority) ||
	    !copy_text(from, "tktype", w->tktype, sizeof w->tktype) || value == NULL ||
	    b64_decode(&w->der, B64_URL, span_str(value), NULL) != RC_OK)
		return false;
	/* A reload may be on its way here: then the next try finds it. */
	w->authority = config_authority_find(x->renew->set->config, authority);
	return w->authority != NULL;
}

static bool
read_event(struct fetch *x, const json_t *event)
{
	const json_t *evidence = json_object_get(event, "evidence");
	struct acme_account *a = &x->account;

	if (!copy_text(event, "tenant", x->tenant, sizeof x->tenant) ||
	    !copy_text(event, "name", x->name, sizeof x->name) ||
	    !copy_text(
		event, "jwk_fingerprint", a->jwk_fingerprint, sizeof a->jwk_fingerprint) ||
	    !copy_text(
		event, "spki_fingerprint", a->spki_fingerprint, sizeof a->spki_fingerprint))
		return false;
	if (json_is_object(evidence) && !read_wish(x, evidence, &x->evidence))
		return false;
	return read_wish(x, json_object_get(event, "want"), &x->wish);
}

/* ---- what became of it ---- */

static void
on_told(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	AUTO(fetch) *x = arg;

	(void)answer;
	if (rc != RC_OK && !x->renew->stopping)
		log_fault(LEVEL_WARNING, "fetch", f);
}

/* grant NULL: f says why there is none.  Takes x. */
static void
tell(struct fetch *x, const struct authtok_grant *grant, const struct fault *f)
{
	const struct io *io = x->renew->io;
	char text[sizeof f->reason + sizeof f->detail + 4] = "", problem[PROBLEM_TEXT];
	bool signer = grant != NULL && grant->signer.len > 0;
	AUTO(fetch) *owned = x;
	json_auto_t *op = NULL;
	struct fault why = { 0 };

	if (grant == NULL)
		snprintf(text, sizeof text, "%s: %s", f->reason, f->detail);
	problem_text(problem, text);
	op = json_pack("{s:s, s:I, s:s?, s:o, s:s?}", "op", "fetched", "fetch", x->id, "token",
	    grant != NULL ? grant->token : NULL, "signer",
	    signer ? json_stringn((const char *)grant->signer.ptr, grant->signer.len)
		   : json_null(),
	    "problem", grant == NULL ? problem : NULL);
	if (op == NULL || io->ask(io->ctx, op, on_told, x, &why) != RC_OK) {
		log_event(LEVEL_WARNING, "fetch", "tenant=%s credential=%s reason=%s",
		    x->tenant, x->name, op == NULL ? "not_text" : why.reason);
		return;
	}
	owned = NULL; /* on_told() has it */
}

static enum rc ask(struct fetch *x, struct fault *f) MUST_CHECK;

static void
on_token(void *arg, enum rc rc, struct authtok_grant *grant, const struct fault *f,
    int64_t retry_after_s)
{
	struct fetch *x = arg;
	struct fault bad = { 0 };

	(void)retry_after_s;
	if (x->renew->stopping) {
		fetch_free(x);
		return;
	}
	if (rc != RC_OK || x->want.tktype == x->wish.tktype) {
		tell(x, rc == RC_OK ? grant : NULL, f);
		return;
	}
	x->token = TAKE(grant->token);
	if (ask(x, &bad) != RC_OK)
		tell(x, NULL, &bad);
}

/* The evidence first, where some is wanted and none is here. */
static enum rc
ask(struct fetch *x, struct fault *f)
{
	const struct wish *w =
	    x->evidence.authority != NULL && x->token == NULL ? &x->evidence : &x->wish;

	x->want = (struct authtok_want){ .authority = w->authority,
		.tktype = w->tktype,
		.der = buf_view(&w->der),
		.constraints = w->constraints,
		.account = &x->account,
		.evidence = x->token,
		.unjudged = true };
	return source_ask(&x->source, &x->want, f);
}

void
fetch_event(struct renew *r, const json_t *event)
{
	const json_t *id = json_object_get(event, "fetch");
	struct fetch *x = r->fetches < FETCHES_MAX ? calloc(1, sizeof *x) : NULL;
	struct fault f = { 0 };

	if (x == NULL || !json_is_integer(id)) {
		free(x); /* whoever waits for it is told by the clock */
		return;
	}
	x->renew = r;
	x->set = r->set;
	x->set->busy++;
	r->fetches++;
	x->id = json_integer_value(id);
	if (!read_event(x, event)) {
		(void)FAULT(&f, RC_INVALID, "no_authority",
		    "the renewer does not know that authority: reload, and ask again");
		tell(x, NULL, &f);
		return;
	}
	x->source = (struct source){ r->io, x->tenant, x->name, on_token, x, NULL };
	log_event(LEVEL_INFO, "fetch", "tenant=%s credential=%s authority=%s", x->tenant,
	    x->name, x->wish.authority->name);
	if (ask(x, &f) != RC_OK)
		tell(x, NULL, &f);
}
