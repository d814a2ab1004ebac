#include "agent/renewer/observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"

/* Lives until nothing of it is under way, also when it is not wanted any more. */
struct look {
	struct observe *o;
	struct look *next;
	char *uri;
	int64_t due_ms;
	bool busy, wanted;
	int64_t wait_s; /* after the front was told */
};

struct observe {
	const struct io *io;
	struct look *list;
	char *tls_ca;
	unsigned under_way;
	bool stopped;
};

enum rc
observe_new(const struct io *io, struct observe **out, struct fault *f)
{
	struct observe *o = calloc(1, sizeof *o);

	if (o == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "observe");
	o->io = io;
	*out = o;
	return RC_OK;
}

void
observe_free(struct observe *o)
{
	if (o == NULL)
		return;
	while (o->list != NULL) {
		struct look *l = o->list;

		o->list = l->next;
		free(l->uri);
		free(l);
	}
	free(o->tls_ca);
	free(o);
}

void
observe_stop(struct observe *o)
{
	o->stopped = true;
}

/* ---- what is looked at -------------------------------------------------------------- */

static void
drop_unwanted(struct observe *o)
{
	struct look **at = &o->list;

	while (*at != NULL) {
		struct look *l = *at;

		if (l->wanted || l->busy) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free(l->uri);
		free(l);
	}
}

static struct look *
find(const struct observe *o, const char *uri)
{
	struct look *l = o->list;

	while (l != NULL && strcmp(l->uri, uri) != 0)
		l = l->next;
	return l;
}

static enum rc
want(struct observe *o, const char *uri, size_t *n, struct fault *f)
{
	struct look *l = find(o, uri);

	if (l == NULL) {
		l = calloc(1, sizeof *l);
		if (l == NULL || (l->uri = strdup(uri)) == NULL) {
			free(l);
			return FAULT(f, RC_NO_MEMORY, "no_memory", "observe");
		}
		l->o = o;
		l->next = o->list;
		o->list = l;
	}
	*n += l->wanted ? 0 : 1;
	l->wanted = true;
	return *n <= OBSERVE_MAX ? RC_OK
				 : FAULT(f, RC_INVALID, "config",
				       "more than %d URLs in rcd_content", OBSERVE_MAX);
}

static enum rc
want_tenant(struct observe *o, const struct config_tenant *t, size_t *n, struct fault *f)
{
	for (size_t k = 0; t->enabled && k < t->credentials; k++) {
		const struct config_credential *cc = &t->credential[k];

		for (size_t i = 0; i < cc->rcd_contents; i++) {
			if (!cc->rcd_content[i].pinned)
				TRY(want(o, cc->rcd_content[i].uri, n, f));
		}
	}
	return RC_OK;
}

enum rc
observe_adopt(struct observe *o, const struct config *c, struct fault *f)
{
	char *tls_ca = c->rcd_tls_ca != NULL ? strdup(c->rcd_tls_ca) : NULL;
	size_t n = 0;

	if (c->rcd_tls_ca != NULL && tls_ca == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "observe");
	free(o->tls_ca);
	o->tls_ca = tls_ca;
	for (struct look *l = o->list; l != NULL; l = l->next)
		l->wanted = false;
	for (size_t t = 0; t < c->tenants; t++)
		TRY(want_tenant(o, &c->tenant[t], &n, f));
	drop_unwanted(o);
	return RC_OK;
}

/* ---- telling the front -------------------------------------------------------------- */

static void
ended(struct look *l, int64_t wait_s)
{
	l->busy = false;
	l->o->under_way--;
	l->due_ms = l->o->io->now_ms(l->o->io->ctx) + wait_s * 1000;
}

/* A refusal is in status by the front's own word; only silence is worth another try soon. */
static void
told(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct look *l = arg;
	bool heard = rc == RC_OK || rc == RC_DENIED;

	(void)answer;
	if (!heard && !l->o->stopped)
		log_fault(LEVEL_WARNING, "content_untold", f);
	ended(l, rc == RC_OK ? l->wait_s : heard ? OBSERVE_AGAIN_S : OBSERVE_TELL_S);
}

static void
tell(struct look *l, json_t *message)
{
	json_auto_t *mine = message;
	struct fault f = { 0 };

	if (mine == NULL || l->o->io->ask(l->o->io->ctx, mine, told, l, &f) != RC_OK)
		ended(l, OBSERVE_TELL_S);
}

static void
tell_problem(struct look *l, const char *problem)
{
	l->wait_s = OBSERVE_AGAIN_S;
	tell(l, json_pack("{s:s, s:s, s:n, s:n, s:n, s:n, s:s}", "op", "content", "uri", l->uri,
		    "sha256", "sha384", "sha512", "card", "problem", problem));
}

static void
tell_content(struct look *l, struct span body, bool is_card)
{
	char text[RCD__HASHES][RCD_DIGEST_TEXT];
	json_t *card = is_card ? json_stringn((const char *)body.ptr, body.len) : json_null();
	struct fault f = { 0 };

	for (unsigned h = 0; h < RCD__HASHES; h++) {
		struct rcd_digest d;

		if (rcd_digest_of((enum rcd_hash)h, body, &d, &f) != RC_OK || card == NULL) {
			json_decref(card);
			tell_problem(l, card == NULL ? "the jCard is not UTF-8" : f.detail);
			return;
		}
		rcd_digest_text(&d, text[h]);
	}
	l->wait_s = OBSERVE_EVERY_S;
	tell(l, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:n}", "op", "content", "uri", l->uri,
		    "sha256", text[RCD_SHA256], "sha384", text[RCD_SHA384], "sha512",
		    text[RCD_SHA512], "card", card, "problem"));
}

/* ---- fetching ----------------------------------------------------------------------- */

/* Images, and jCards as RFC 9795 section 5.1.5 has them: application/json. */
static void
found(struct look *l, const struct http_answer *a)
{
	bool is_card = strcmp(a->content_type, "application/json") == 0;
	char problem[128] = "";

	if (a->status != 200)
		snprintf(problem, sizeof problem, "HTTP status %ld", a->status);
	else if (!is_card && strncmp(a->content_type, "image/", 6) != 0)
		snprintf(problem, sizeof problem,
		    "content type '%.40s' is neither image/ nor application/json",
		    a->content_type);
	else if (a->body.len == 0 || (is_card && a->body.len > OBSERVE_CARD_MAX))
		snprintf(problem, sizeof problem, "%zu octets of content", a->body.len);
	if (problem[0] != '\0')
		tell_problem(l, problem);
	else
		tell_content(l, buf_view(&a->body), is_card);
}

static void
fetched(void *arg, enum rc rc, const struct http_answer *answer, const struct fault *f)
{
	struct look *l = arg;

	if (l->o->stopped)
		ended(l, 0);
	else if (rc != RC_OK)
		tell_problem(l, f->detail);
	else
		found(l, answer);
}

static void
look_at(struct look *l)
{
	struct http_request r = { .method = HTTP_GET,
		.url = l->uri,
		.tls_ca = l->o->tls_ca,
		.accept = "image/*, application/json" };
	struct fault f = { 0 };

	l->busy = true;
	l->o->under_way++;
	if (l->o->io->http(l->o->io->ctx, &r, fetched, l, &f) != RC_OK)
		ended(l, OBSERVE_TELL_S);
}

int
observe_run(struct observe *o)
{
	int64_t now_ms = o->io->now_ms(o->io->ctx), next_ms = now_ms + OBSERVE_TICK_MS;

	drop_unwanted(o);
	for (struct look *l = o->list; l != NULL && !o->stopped; l = l->next) {
		/* A clock that was set back must not put a look off for long. */
		if (l->due_ms > now_ms + OBSERVE_EVERY_S * 1000)
			l->due_ms = now_ms;
		if (!l->busy && l->due_ms <= now_ms && o->under_way < OBSERVE_UNDER_WAY)
			look_at(l);
		if (!l->busy && l->due_ms < next_ms)
			next_ms = l->due_ms;
	}
	return next_ms > now_ms ? (int)(next_ms - now_ms) : 1000;
}
