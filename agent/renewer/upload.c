#include "agent/renewer/upload.h"

#include "agent/log.h"
#include "stir/b64.h"

void
upload_free(struct upload *u)
{
	buf_free(&u->body);
	json_decref(u->head);
	u->head = NULL;
	u->told = 0;
}

void
upload_stop(struct upload *u)
{
	u->stopped = true;
}

static void
end(struct upload *u)
{
	upload_free(u);
	u->done(u->arg);
}

static void tell_part(struct upload *u);

static void
on_told(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct upload *u = arg;

	(void)answer;
	if (rc != RC_OK && !u->stopped)
		log_fault(LEVEL_WARNING, u->refused, f);
	if (rc != RC_OK || u->stopped || u->told >= u->body.len)
		end(u);
	else
		tell_part(u);
}

/* rest: what this message says beside the head; taken over. */
static void
tell(struct upload *u, json_t *rest)
{
	json_auto_t *mine = rest;
	struct fault f = { 0 };

	if (mine == NULL || u->head == NULL || json_object_update(mine, u->head) != 0 ||
	    u->io->ask(u->io->ctx, mine, on_told, u, &f) != RC_OK)
		end(u);
}

static void
tell_part(struct upload *u)
{
	AUTO_BUF text = BUF_INIT(2 * UPLOAD_PART);
	size_t len = u->body.len - u->told, offset = u->told;

	len = len < UPLOAD_PART ? len : UPLOAD_PART;
	b64_encode(&text, B64_URL, span_of(u->body.ptr + offset, len));
	u->told += len;
	tell(u, json_pack("{s:I, s:I, s:s, s:n}", "total", (json_int_t)u->body.len, "offset",
		    (json_int_t)offset, "data", buf_text(&text), "problem"));
}

void
upload_problem(struct upload *u, json_t *head, const char *problem)
{
	upload_free(u);
	u->head = head;
	tell(u, json_pack("{s:i, s:i, s:n, s:s}", "total", 0, "offset", 0, "data", "problem",
		    problem));
}

void
upload_body(struct upload *u, json_t *head, struct span body)
{
	upload_free(u);
	u->head = head;
	u->body = BUF_INIT(body.len);
	buf_span(&u->body, body);
	if (buf_check(&u->body, NULL) == RC_OK)
		tell_part(u);
	else
		upload_problem(u, TAKE(u->head), "no memory for it");
}
