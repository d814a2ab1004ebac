#include "agent/renewer/documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/renewer/address.h"
#include "agent/renewer/upload.h"
#include "stir/jtext.h"

struct wanted {
	int64_t id;
	size_t max;
	char url[HTTP_URL_MAX + 1];
	unsigned tls_ca; /* index */
};

/* By the keys of the configuration, as the front names them. */
enum { FOR_LOGS, FOR_LOG_LIST, FOR_STI_PA, FOR_CRLS, TLS_CAS };

static const char *const tls_keys[TLS_CAS] = {
	[FOR_LOGS] = "ct_tls_ca",
	[FOR_LOG_LIST] = "ct_logs_tls_ca",
	[FOR_STI_PA] = "sti_pa_tls_ca",
	[FOR_CRLS] = "crl_tls_ca",
};

struct documents {
	const struct io *io;
	char *tls_ca[TLS_CAS]; /* NULL: the system's */
	int64_t ask_ms;	       /* when to ask again what is due */
	bool wanted;	       /* the configuration has something to be fetched */
	bool busy;	       /* a question, a transfer or an upload is under way */
	bool stopped;
	struct wanted item[DOCUMENTS_MAX];
	size_t len, at;
	struct upload upload; /* of item[at] */
};

/* The next one, or the next question: soon, where one document leads to another. */
static void
next(void *arg)
{
	struct documents *d = arg;

	d->at++;
	d->busy = false;
	if (d->at >= d->len)
		d->ask_ms = d->io->now_ms(d->io->ctx) + DOCUMENTS_NEXT_MS;
}

enum rc
documents_new(const struct io *io, struct documents **out, struct fault *f)
{
	struct documents *d = calloc(1, sizeof *d);

	if (d == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "documents");
	d->io = io;
	d->upload =
	    (struct upload){ .io = io, .refused = "document_refused", .done = next, .arg = d };
	*out = d;
	return RC_OK;
}

void
documents_free(struct documents *d)
{
	if (d == NULL)
		return;
	upload_free(&d->upload);
	for (size_t i = 0; i < TLS_CAS; i++)
		free(d->tls_ca[i]);
	free(d);
}

void
documents_stop(struct documents *d)
{
	d->stopped = true;
	upload_stop(&d->upload);
}

enum rc
documents_adopt(struct documents *d, const struct config *c, struct fault *f)
{
	const char *const from[TLS_CAS] = { [FOR_LOGS] = c->ct_tls_ca,
		[FOR_LOG_LIST] = c->ct_logs_tls_ca,
		[FOR_STI_PA] = c->sti_pa_tls_ca,
		[FOR_CRLS] = c->crl_tls_ca };
	char *tls_ca[TLS_CAS] = { NULL };
	bool whole = true;

	for (size_t i = 0; i < TLS_CAS; i++) {
		tls_ca[i] = from[i] != NULL ? strdup(from[i]) : NULL;
		whole = whole && (from[i] == NULL || tls_ca[i] != NULL);
	}
	if (!whole) {
		for (size_t i = 0; i < TLS_CAS; i++)
			free(tls_ca[i]);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "documents");
	}
	for (size_t i = 0; i < TLS_CAS; i++) {
		free(d->tls_ca[i]);
		d->tls_ca[i] = tls_ca[i];
	}
	d->wanted = c->ct_proofs || c->ct_watch || c->ct_logs_url != NULL ||
		    c->sti_pa_url != NULL || c->crl_check;
	return RC_OK;
}

/* What the front is told of item[at]. */
static json_t *
head_of(const struct documents *d, long status)
{
	return json_pack("{s:s, s:I, s:I}", "op", "document", "document",
	    (json_int_t)d->item[d->at].id, "status", (json_int_t)status);
}

/* ---- fetching ---- */

static void
found(struct documents *d, const struct http_answer *a)
{
	char problem[128] = "";

	if (a->status != 200)
		snprintf(problem, sizeof problem, "HTTP status %ld", a->status);
	else if (a->body.len == 0)
		snprintf(problem, sizeof problem, "an empty answer");
	if (problem[0] != '\0')
		upload_problem(&d->upload, head_of(d, a->status), problem);
	else
		upload_body(&d->upload, head_of(d, a->status), buf_view(&a->body));
}

static void
fetched(void *arg, enum rc rc, const struct http_answer *answer, const struct fault *f)
{
	struct documents *d = arg;

	if (d->stopped)
		next(d);
	else if (rc != RC_OK)
		upload_problem(&d->upload, head_of(d, 0), f->detail);
	else
		found(d, answer);
}

static void
fetch(struct documents *d)
{
	struct http_request r = { .method = HTTP_GET,
		.url = d->item[d->at].url,
		.tls_ca = d->tls_ca[d->item[d->at].tls_ca],
		/* RFC 5280 section 8: lists are at http URLs, and signed. */
		.plain_to = d->item[d->at].tls_ca == FOR_CRLS ? address_is_public : NULL,
		.accept = "application/json, */*;q=0.5",
		.body_max = d->item[d->at].max };
	struct fault f = { 0 };

	d->busy = true;
	if (d->io->http(d->io->ctx, &r, fetched, d, &f) != RC_OK)
		upload_problem(&d->upload, head_of(d, 0), f.detail);
}

/* ---- what is due ---- */

/* Where none is named it is a log's. */
static bool
take_tls_ca(struct wanted *w, const json_t *row)
{
	const char *key = json_string_value(json_object_get(row, "tls_ca"));

	w->tls_ca = FOR_LOGS;
	while (key != NULL && w->tls_ca < TLS_CAS && strcmp(key, tls_keys[w->tls_ca]) != 0)
		w->tls_ca++;
	return w->tls_ca < TLS_CAS;
}

static bool
take(struct wanted *w, const json_t *row)
{
	const char *url = jtext_get(row, "url");
	json_int_t max = json_integer_value(json_object_get(row, "max"));

	w->id = json_integer_value(json_object_get(row, "document"));
	w->max = (size_t)max;
	return url != NULL && take_tls_ca(w, row) && max > 0 && max <= DOCUMENTS_BODY_MAX &&
	       (size_t)snprintf(w->url, sizeof w->url, "%s", url) < sizeof w->url;
}

static void
answered(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct documents *d = arg;
	const json_t *list = json_object_get(answer, "documents");

	(void)f;
	d->busy = false;
	d->len = d->at = 0;
	if (rc != RC_OK || d->stopped)
		return;
	for (size_t i = 0; i < json_array_size(list) && d->len < DOCUMENTS_MAX; i++) {
		if (take(&d->item[d->len], json_array_get(list, i)))
			d->len++;
	}
}

static void
ask(struct documents *d, int64_t now_ms)
{
	json_auto_t *message = json_pack("{s:s}", "op", "documents");
	struct fault f = { 0 };

	d->ask_ms = now_ms + DOCUMENTS_ASK_MS;
	d->busy = true;
	if (message == NULL || d->io->ask(d->io->ctx, message, answered, d, &f) != RC_OK)
		d->busy = false;
}

int
documents_run(struct documents *d)
{
	int64_t now_ms = d->io->now_ms(d->io->ctx);

	/* A clock that was set back must not put a look off for long. */
	if (d->ask_ms > now_ms + DOCUMENTS_ASK_MS)
		d->ask_ms = now_ms;
	if (d->busy || d->stopped || !d->wanted)
		return DOCUMENTS_ASK_MS;
	if (d->at < d->len)
		fetch(d);
	else if (d->ask_ms <= now_ms)
		ask(d, now_ms);
	return d->at < d->len ? 0 : d->ask_ms > now_ms ? (int)(d->ask_ms - now_ms) : 0;
}
