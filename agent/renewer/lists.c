#include "agent/renewer/lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/renewer/upload.h"
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
	struct upload upload; /* of item[at] */
};

/* The next one, or the next question. */
static void
next(void *arg)
{
	struct lists *l = arg;

	l->at++;
	l->busy = false;
}

enum rc
lists_new(const struct io *io, struct lists **out, struct fault *f)
{
	struct lists *l = calloc(1, sizeof *l);

	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "lists");
	l->io = io;
	l->upload =
	    (struct upload){ .io = io, .refused = "tnlist_refused", .done = next, .arg = l };
	*out = l;
	return RC_OK;
}

void
lists_free(struct lists *l)
{
	if (l == NULL)
		return;
	upload_free(&l->upload);
	free(l->tls_ca);
	free(l);
}

void
lists_stop(struct lists *l)
{
	l->stopped = true;
	upload_stop(&l->upload);
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

/* What the front is told of item[at]; fresh_s: a number, or null. */
static json_t *
head_of(const struct lists *l, json_t *fresh_s)
{
	const struct wanted *w = &l->item[l->at];

	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "op", "list", "tenant", w->tenant, "name",
	    w->name, "url", w->url, "fresh_s", fresh_s);
}

static void
tell_problem(struct lists *l, const char *problem)
{
	upload_problem(&l->upload, head_of(l, json_null()), problem);
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
	if (problem[0] != '\0')
		tell_problem(l, problem);
	else
		upload_body(&l->upload, head_of(l, json_integer((json_int_t)a->max_age_s)),
		    buf_view(&a->body));
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
