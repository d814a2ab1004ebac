#include "agent/renewer/right.h"

#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/jobs.h"
#include "agent/renewer/problem.h"
#include "agent/renewer/renew_parts.h"

enum { RIGHT_AGAIN_MS = 5000 };

/* What was said; its job may be gone when the front has heard it. */
struct word {
	struct renew *renew;
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	bool refused;
};

static void
on_heard(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	AUTO_FREE struct word *word = arg;
	struct renew *r = word->renew;
	struct job *j = NULL;

	(void)answer;
	if (r->stopping)
		return;
	j = jobs_find(r, word->tenant, word->name);
	if (rc != RC_OK)
		log_fault(LEVEL_WARNING, "right", f);
	if (j == NULL)
		return;
	if (rc == RC_OK)
		j->plan.rtu_refused = word->refused;
	/* The authority is asked once more, and what it says then is said again. */
	else if (word->refused && problem_may_pass(rc) && !j->busy)
		j->rec.wake_ms = renew_now_ms(r) + RIGHT_AGAIN_MS;
}

static json_t *
op_of(const struct job *j, const struct authtok_grant *grant, const struct fault *f)
{
	bool signer = grant != NULL && grant->signer.len > 0;
	char detail[PROBLEM_TEXT];

	problem_text(detail, grant == NULL ? f->detail : "");
	return json_pack("{s:s, s:s, s:s, s:s?, s:o, s:s?}", "op", "rtu", "tenant",
	    j->plan.tenant, "name", j->plan.name, "token", grant != NULL ? grant->token : NULL,
	    "signer",
	    signer ? json_stringn((const char *)grant->signer.ptr, grant->signer.len)
		   : json_null(),
	    "detail", grant == NULL ? detail : NULL);
}

void
right_say(struct job *j, enum rc rc, const struct authtok_grant *grant, const struct fault *f)
{
	const struct io *io = j->renew->io;
	bool refused = rc == RC_DENIED && strcmp(f->reason, AUTHTOK_REFUSED) == 0;
	AUTO_FREE struct word *word = NULL;
	json_auto_t *op = NULL;
	struct fault why = { 0 };

	if (!refused && (rc != RC_OK || !j->plan.rtu_refused))
		return;
	word = calloc(1, sizeof *word);
	op = op_of(j, rc == RC_OK ? grant : NULL, f);
	if (word == NULL || op == NULL) {
		log_event(LEVEL_WARNING, "right", "reason=no_memory");
		return;
	}
	*word = (struct word){ .renew = j->renew, .refused = refused };
	snprintf(word->tenant, sizeof word->tenant, "%s", j->plan.tenant);
	snprintf(word->name, sizeof word->name, "%s", j->plan.name);
	if (io->ask(io->ctx, op, on_heard, word, &why) != RC_OK) {
		log_fault(LEVEL_WARNING, "right", &why);
		return;
	}
	word = NULL; /* on_heard() has it */
}
