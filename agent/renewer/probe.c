#include "agent/renewer/probe.h"

#include "agent/renewer/problem.h"
#include "agent/renewer/record.h"
#include "stir/jtext.h"

struct probe {
	const char *kind, *name, *url, *tls_ca;
	json_t *list;
	bool started, over;
	enum rc failed; /* of ours: no memory */
};

/* ---- what an answer means ----------------------------------------------------------- */

/* RFC 8555 section 7.1.1 */
static enum rc
is_directory(const struct http_answer *a, struct fault *f)
{
	static const char *const members[] = { "newNonce", "newAccount", "newOrder" };
	json_auto_t *root = NULL;

	(void)!jtext_read_foreign(buf_view(&a->body), PROBE_BODY_MAX, &root, NULL);
	if (a->status != 200)
		return FAULT(f, RC_NET, "http_status", "HTTP %ld", a->status);
	if (!json_is_object(root))
		return FAULT(f, RC_INVALID, "acme_directory",
		    "an answer that is no JSON object (%s)",
		    a->content_type[0] != 0 ? a->content_type : "without Content-Type");
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const char *url = json_string_value(json_object_get(root, members[i]));

		if (url == NULL || !url_is_https(url))
			return FAULT(f, RC_INVALID, "acme_directory",
			    "a directory without a %s over https", members[i]);
	}
	return RC_OK;
}

static enum rc
judge(const struct probe *p, const struct http_answer *a, struct fault *f)
{
	if (strcmp(p->kind, "ca") == 0)
		return is_directory(a, f);
	if (strcmp(p->kind, "url") == 0 && a->status != 200)
		return FAULT(f, RC_NET, "http_status", "HTTP %ld", a->status);
	return RC_OK;
}

static json_t *
body_of(const struct probe *p, const struct http_answer *a)
{
	return strcmp(p->kind, "url") == 0 && a != NULL
		   ? json_stringn((const char *)a->body.ptr, a->body.len)
		   : NULL;
}

static void
on_answer(void *arg, enum rc rc, const struct http_answer *a, const struct fault *f)
{
	struct probe *p = arg;
	struct fault why = { 0 };
	char detail[PROBLEM_TEXT] = "";
	json_t *one;

	if (rc == RC_OK)
		rc = judge(p, a, &why);
	else
		why = *f;
	problem_text(detail, why.detail);
	if (rc == RC_OK)
		snprintf(detail, sizeof detail, "answers (HTTP %ld)", a->status);
	one =
	    json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s, s:o*}", "kind", p->kind, "name", p->name,
		"url", p->url, "ok", rc == RC_OK, "reason", rc == RC_OK ? NULL : why.reason,
		"detail", detail, "body", rc == RC_OK ? body_of(p, a) : NULL);
	p->over = true;
	if (json_array_append_new(p->list, one) != 0)
		p->failed = RC_NO_MEMORY;
}

/* ---- all of them --------------------------------------------------------------------- */

static enum rc
begin(struct httpc *h, struct probe *p, struct fault *f)
{
	struct http_request r = { .method = HTTP_GET,
		.url = p->url,
		.tls_ca = p->tls_ca,
		.body_max = PROBE_BODY_MAX };
	struct fault why = { 0 };
	enum rc rc = httpc_start(h, &r, on_answer, p, &why);

	p->started = true;
	if (rc == RC_OK)
		return RC_OK;
	on_answer(p, rc, NULL, &why);
	return rc == RC_NO_MEMORY ? FAULT(f, rc, why.reason, "%s", why.detail) : RC_OK;
}

static enum rc
run(struct probe *list, size_t n, struct fault *f)
{
	AUTO(httpc) *h = NULL;
	size_t open, over;

	TRY(httpc_new(&h, f));
	do {
		open = over = 0;
		for (size_t i = 0; i < n; i++) {
			if (!list[i].started && open < PROBE_PARALLEL)
				TRY(begin(h, &list[i], f));
			open += list[i].started && !list[i].over;
			over += list[i].over;
			if (list[i].failed != RC_OK)
				return FAULT(f, list[i].failed, "no_memory", "a probe");
		}
		TRY(httpc_wait(h, NULL, 0, 100, f));
	} while (over < n);
	return RC_OK;
}

static size_t
add_authorities(const struct config *c, json_t *list, struct probe *out, size_t n)
{
	for (size_t i = 0; i < c->authorities && n < PROBE_MAX; i++) {
		const struct config_authority *a = &c->authority[i];

		if (a->source == SOURCE_REST)
			out[n++] = (struct probe){ .kind = "authority",
				.name = a->name,
				.url = a->url,
				.tls_ca = a->tls_ca,
				.list = list };
	}
	return n;
}

enum rc
probe_parties(const struct config *c, json_t *list, struct fault *f)
{
	AUTO_FREE struct probe *probe = calloc(PROBE_MAX, sizeof *probe);
	size_t n = 0;

	if (probe == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "probes");
	for (size_t i = 0; i < c->cas && n < PROBE_MAX; i++) {
		if (c->ca[i].issuer == ISSUER_ACME)
			probe[n++] = (struct probe){ .kind = "ca",
				.name = c->ca[i].name,
				.url = c->ca[i].directory,
				.tls_ca = c->ca[i].tls_ca,
				.list = list };
	}
	return run(probe, add_authorities(c, list, probe, n), f);
}

enum rc
probe_url(const char *url, const char *tls_ca, json_t *list, struct fault *f)
{
	struct probe p = {
		.kind = "url", .name = "", .url = url, .tls_ca = tls_ca, .list = list
	};

	return run(&p, 1, f);
}
