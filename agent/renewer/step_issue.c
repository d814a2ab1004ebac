/* A command of the operator in the place of the CA. */
#include "agent/renewer/step.h"
#include "stir/b64.h"
#include "stir/csr.h"
#include "stir/jtext.h"

static enum rc
take_output(struct job *j, struct span output, struct fault *f)
{
	if (output.len == 0 || output.len > RENEW_CHAIN_MAX ||
	    memchr(output.ptr, 0, output.len) != NULL)
		return FAULT(f, RC_INVALID, "command_output",
		    "%zu bytes that are no chain in PEM", output.len);
	buf_clear(&j->chain);
	buf_span(&j->chain, output);
	TRY(buf_check(&j->chain, f));
	return step_install(j, f);
}

static void
on_issued(void *arg, enum rc rc, struct span output, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (step_is_done(j, rc, f, -1))
		return;
	rc = take_output(j, output, &bad);
	if (rc != RC_OK)
		job_fail(j, rc, &bad, -1);
}

static enum rc
run_command(struct job *j, const json_t *result, struct fault *f)
{
	const struct io *io = j->renew->io;
	AUTO_BUF der = BUF_INIT(RECORD_VALUE_MAX), pem = BUF_INIT(2 * RECORD_VALUE_MAX);
	const char *b64 = jtext_get(result, "csr");

	if (b64 == NULL || b64_decode(&der, B64_URL, span_str(b64), NULL) != RC_OK)
		return FAULT(f, RC_INVALID, "channel", "no request");
	TRY(buf_check(&der, f));
	TRY(csr_pem(buf_view(&der), &pem, f));
	return io->run(io->ctx, HOOK_ISSUE, j->slot->config->name, buf_view(&pem),
	    job_is_wanted, on_issued, j, f);
}

static void
on_request(void *arg, enum rc rc, const json_t *result, const struct fault *f)
{
	struct job *j = arg;
	struct fault bad = { 0 };

	if (step_is_done(j, rc, f, -1))
		return;
	rc = run_command(j, result, &bad);
	if (rc != RC_OK)
		job_fail(j, rc, &bad, -1);
}

/*
 * The same request as long as the same is asked for, so whatever ends this
 * step it can be begun again.  A chain that is there and could not be put in
 * force yet is not ordered a second time.
 */
enum rc
step_issue(struct job *j, struct fault *f)
{
	json_auto_t *op = NULL;

	if (j->chain.len > 0)
		return step_install(j, f);
	if (j->plan.constraints != NULL && j->rec.constraints == NULL)
		TRY(record_set(&j->rec.constraints, j->plan.constraints, f));
	op = step_credential_op(j, "csr");
	if (op == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "csr");
	return j->renew->io->ask(j->renew->io->ctx, op, on_request, j, f);
}
