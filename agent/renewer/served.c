#include "agent/renewer/served.h"

#include <string.h>

#include "agent/renewer/choose.h"
#include "agent/renewer/step.h"
#include "stir/jtext.h"

enum rc
served_take(struct job *j, const json_t *order, struct fault *f)
{
	const struct config_credential *c = job_config(j);
	const char *url = jtext_get(order, "x5u");

	if (c == NULL || !c->x5u_from_order)
		return RC_OK;
	if (url == NULL || !url_is_https(url) || strncmp(url, c->x5u, strlen(c->x5u)) != 0)
		return FAULT(f, RC_DENIED, "acme_x5u", "ca %s: the order names %s", j->plan.ca,
		    url == NULL ? "no x5u" : "an x5u that is not below the credential's");
	return record_set(&j->rec.x5u, url, f);
}

/* Of both as many as both have; what is beyond that may only be the anchor. */
static bool
is_same(const struct chain *ours, const struct chain *theirs)
{
	size_t n = ours->len < theirs->len ? ours->len : theirs->len;

	for (size_t i = 0; i < n; i++) {
		if (!span_eq(span_of(ours->cert[i]->der, ours->cert[i]->der_len),
			span_of(theirs->cert[i]->der, theirs->cert[i]->der_len)))
			return false;
	}
	return true;
}

static enum rc
compare(const struct job *j, const struct http_answer *http, struct fault *f)
{
	const struct anchors *a = j->set->trust_anchors;
	AUTO(chain) *ours = NULL, *theirs = NULL;

	if (http->status != 200)
		return FAULT(
		    f, RC_NET, "x5u_unserved", "the x5u of the order: HTTP %ld", http->status);
	TRY(chain_read_pem(buf_view(&j->chain), true, &ours, f));
	/* RFC 9060 section 7: the whole path, and as what it is */
	if (strcmp(http->content_type, HTTP_PEM_CHAIN) != 0 ||
	    chain_read_pem(buf_view(&http->body), true, &theirs, NULL) != RC_OK ||
	    !is_same(ours, theirs) ||
	    (a != NULL && chain_verify(theirs, a, job_now_s(j), NULL, NULL) != RC_OK))
		return FAULT(f, RC_NET, "x5u_differs",
		    "the x5u of the order does not serve the chain that was issued");
	return RC_OK;
}

static void
on_served(void *arg, enum rc rc, const struct http_answer *http, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (job_over(j))
		return;
	choose_answered(j); /* whatever became of this, the CA has answered */
	if (rc == RC_OK)
		rc = compare(j, http, &bad);
	else
		bad = *f;
	if (rc != RC_OK)
		job_fail(j, rc, &bad, http != NULL ? http->retry_after_s : -1);
	else
		job_goto(j, RENEW_INSTALL);
}

enum rc
served_look(struct job *j, struct fault *f)
{
	const struct io *io = j->renew->io;

	return io->http(io->ctx,
	    &(struct http_request){ .method = HTTP_GET,
		.url = j->rec.x5u,
		.tls_ca = j->slot->config->tls_ca,
		.accept = HTTP_PEM_CHAIN },
	    on_served, j, f);
}
