#include "agent/front/problem.h"

#include "agent/front/jw.h"

enum { RETRY_AFTER_S = 1 };

/* The socket knows the tokens of REASONS only: another one is an error of ours. */
const char *
problem_reason(const struct fault *f)
{
	for (unsigned i = 0; i < REASON__COUNT; i++) {
		if (strcmp(f->reason, reason_token((enum reason)i)) == 0)
			return f->reason;
	}
	return reason_token(REASON_INTERNAL);
}

void
problem_put(struct buf *out, const struct fault *f, const char *request_id)
{
	const char *reason = problem_reason(f);
	int status = reason_status(reason);

	jw_str(out, "type", "about:blank");
	jw_int(out, "status", status);
	jw_str(out, "title", http1_phrase(status));
	jw_str(out, "reason", reason);
	jw_str(out, "detail", f->detail);
	if (f->claim[0] != 0)
		jw_str(out, "claim", f->claim);
	jw_str(out, "request_id", request_id);
}

void
problem_write(struct buf *out, const struct fault *f, const char *request_id)
{
	jw_open(out, NULL, '{');
	problem_put(out, f, request_id);
	jw_close(out, '}');
}

void
problem_answer(struct conn *c, const struct fault *f, const char *request_id, const char *allow)
{
	AUTO_BUF body = BUF_INIT(4096);
	int status = reason_status(problem_reason(f));

	problem_write(&body, f, request_id);
	conn_answer(
	    c, &(struct http1_answer){ .status = status,
		   .content_type = PROBLEM_TYPE,
		   .body = buf_view(&body),
		   .request_id = request_id,
		   .allow = allow,
		   .retry_after_s = status == 503 || status == 429 ? RETRY_AFTER_S : 0 });
}
