#include "agent/renewer/lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"
#include "stir/b64.h"
#include "stir/tnauth.h"

struct wanted {
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	char url[HTTP_URL_MAX + 1];
};

struct lists {
	const struct io *io;
	char *tls_ca;
	int64_t ask_ms; /* when to ask again what is due */
	bool busy;	/* a question, a transfer or an upload is under way */
	bool stopped;
	struct wanted item[LISTS_MAX];
	size_t len, at;
	struct buf body; /* of item[at], as far as it is not told yet */
	size_t told;
	int64_t fresh_s;
};

enum rc
lists_new(const struct io *io, struct lists **out, struct fault *f)
{
	struct lists *l = calloc(1, sizeof *l);

	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "lists");
	l->io = io;
	*out = l;
	return RC_OK;
}

void
lists_free(struct lists *l)
{
	if (l == NULL)
		return;
	buf_free(&l->body);
	free(l->tls_ca);
	free(l);
}

void
lists_stop(struct lists *l)
{
	l->stopped = true;
}

enum rc
lists_adopt(struct lists *l, const struct config *c, struct fault *f)
{
	char *tls_ca = c->tnlist_tls_ca != NULL ? strdup(c->tnlist_tls_ca) : NULL;

	if (c->tnlist_tls_ca != NULL && tls_ca == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "lists");
	free(l->tls_ca);
	l->tls_ca = tls_ca;
	return RC_OK;
}

/* The next one, or the next question. */
static void
next(struct lists *l)
{
	buf_free(&l->body);
	l->at++;
	l->busy = false;
}

/* ---- telling the front ---- */

static void tell_part(struct lists *l);

static void
told(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct lists *l = arg;

	(void)answer;
	if (rc != RC_OK && !l->stopped)
		log_fault(LEVEL_WARNING, "tnlist_refused", f);
	if (rc != RC_OK || l->stopped || l->told >= l->body.len)
		next(l);
	else
		tell_part(l);
}

static void
tell(struct lists *l, json_t *message)
{
	json_auto_t *mine = message;
	struct fault f = { 0 };

	if (mine == NULL || l->io->ask(l->io->ctx, mine, told, l, &f) != RC_OK)
		next(l); /* the front hands it out again */
}

static void
tell_problem(struct lists *l, const char *problem)
{
	const struct wanted *w = &l->item[l->at];

	buf_free(&l->body);
	l->told = 0;
	tell(l, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:n, s:n, s:s}", "op", "list",
		    "tenant", w->tenant, "name", w->name, "url", w->url, "total", 0, "offset",
		    0, "data", "fresh_s", "problem", problem));
}

static void
tell_part(struct lists *l)
{
	const struct wanted *w = &l->item[l->at];
	AUTO_BUF text = BUF_INIT(2 * LISTS_PART);
	size_t len = l->body.len - l->told, offset = l->told;

	len = len < LISTS_PART ? len : LISTS_PART;
	b64_encode(&text, B64_URL, span_of(l->body.ptr + offset, len));
	l->told += len;
	tell(l, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:n}", "op", "list",
		    "tenant", w->tenant, "name", w->name, "url", w->url, "total",
		    (json_int_t)l->body.len, "offset", (json_int_t)offset, "data",
		    buf_text(&text), "fresh_s", (json_int_t)l->fresh_s, "problem"));
}

/* ---- fetching ---- */

static void
found(struct lists *l, const struct http_answer *a)
{
	char problem[128] = "";

	if (a->status != 200)
		snprintf(problem, sizeof problem, "HTTP status %ld", a->status);
	else if (strcmp(a->content_type, "application/tnauthlist") != 0)
		snprintf(problem, sizeof problem,
		    "content type '%.40s' is not application/tnauthlist", a->content_type);
	else if (a->body.len == 0)
		snprintf(problem, sizeof problem, "an empty list");
	buf_free(&l->body);
	l->body = BUF_INIT(TNAUTH_MAX_REFERENCED_BYTES);
	buf_span(&l->body, buf_view(&a->body));
	l->told = 0;
	l->fresh_s = a->max_age_s;
	if (problem[0] == '\0' && buf_check(&l->body, NULL) != RC_OK)
		snprintf(problem, sizeof problem, "no memory for the list");
	if (problem[0] != '\0')
		tell_problem(l, problem);
	else
		tell_part(l);
}

static void
fetched(void *arg, enum rc rc, const struct http_answer *answer, const struct fault *f)
{
	struct lists *l = arg;

	if (l->stopped)
		next(l);
	else if (rc != RC_OK)
		tell_problem(l, f->detail);
	else
		found(l, answer);
}

static void
fetch(struct lists *l)
{
	struct http_request r = { .method = HTTP_GET,
		.url = l->item[l->at].url,
		.tls_ca = l->tls_ca,
		.accept = "application/tnauthlist",
		.body_max = TNAUTH_MAX_REFERENCED_BYTES };
	struct fault f = { 0 };

	l->busy = true;
	if (l->io->http(l->io->ctx, &r, fetched, l, &f) != RC_OK)
		tell_problem(l, f.detail);
}

/* ---- what is due ---- */

static bool
copy_text(char *out, size_t max, const json_t *text)
{
	const char *s = json_string_value(text);

	return s != NULL && (size_t)snprintf(out, max, "%s", s) < max;
}

static void
take_due(struct lists *l, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "lists");

	l->len = l->at = 0;
	for (size_t i = 0; i < json_array_size(list) && l->len < LISTS_MAX; i++) {
		const json_t *one = json_array_get(list, i);
		struct wanted *w = &l->item[l->len];

		if (copy_text(w->tenant, sizeof w->tenant, json_object_get(one, "tenant")) &&
		    copy_text(w->name, sizeof w->name, json_object_get(one, "name")) &&
		    copy_text(w->url, sizeof w->url, json_object_get(one, "url")))
			l->len++;
	}
}

static void
answered(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct lists *l = arg;

	(void)f;
	l->busy = false;
	if (rc == RC_OK && !l->stopped)
		take_due(l, answer);
}

static void
ask(struct lists *l, int64_t now_ms)
{
	json_auto_t *message = json_pack("{s:s}", "op", "lists");
	struct fault f = { 0 };

	l->ask_ms = now_ms + LISTS_ASK_MS;
	l->busy = true;
	if (message == NULL || l->io->ask(l->io->ctx, message, answered, l, &f) != RC_OK)
		l->busy = false;
}

int
lists_run(struct lists *l)
{
	int64_t now_ms = l->io->now_ms(l->io->ctx);

	/* A clock that was set back must not put a look off for long. */
	if (l->ask_ms > now_ms + LISTS_ASK_MS)
		l->ask_ms = now_ms;
	if (l->busy || l->stopped)
		return LISTS_ASK_MS;
	if (l->at < l->len)
		fetch(l);
	else if (l->ask_ms <= now_ms)
		ask(l, now_ms);
	return l->at < l->len ? 0 : l->ask_ms > now_ms ? (int)(l->ask_ms - now_ms) : 0;
}
