#include "agent/renewer/source.h"

#include <stdio.h>

#include "agent/renewer/record.h"
#include "agent/secret.h"

enum { SOURCE_PATH_MAX = 4096 };

enum rc
source_offer(
    const struct source *s, const struct authtok_want *want, struct span token, struct fault *f)
{
	struct authtok_grant grant = { 0 };
	bool waiting = false;

	TRY(authtok_given(s->io, want, token, s->done, s->arg, &waiting, &grant, f));
	if (!waiting)
		s->done(s->arg, RC_OK, &grant, NULL, -1);
	authtok_grant_done(&grant); /* empty when it was taken */
	return RC_OK;
}

static enum rc
from_file(const struct source *s, const struct authtok_want *want, struct fault *f)
{
	const struct config_authority *a = want->authority;
	AUTO_SECRET token = BUF_INIT(AUTHTOK_MAX + 1);
	char file[2 * CONFIG_NAME_MAX + 2], path[SOURCE_PATH_MAX];
	struct secret_ref ref = { path };
	struct fault why = { 0 };
	int n;

	record_file(file, s->tenant, s->name);
	n = snprintf(path, sizeof path, "file:%s/%s.%s", a->path, file, want->tktype);
	if (n < 0 || n >= SOURCE_PATH_MAX)
		return FAULT(f, RC_DENIED, "token_file", "the path is too long");
	if (secret_read_long(&ref, AUTHTOK_MAX, &token, &why) == RC_NOT_FOUND)
		return FAULT(f, RC_NET, "token_awaited",
		    "authority %s: its path has no file %s.%s yet", a->name, file,
		    want->tktype);
	if (why.rc != RC_OK)
		return FAULT(f, RC_NET, "token_file", "%s", why.detail);
	return source_offer(s, want, buf_view(&token), f);
}

/* ---- a command ---- */

struct run {
	struct source source;
	const struct authtok_want *want;
};

static void
on_output(void *arg, enum rc rc, struct span output, const struct fault *f)
{
	AUTO_FREE struct run *run = arg;
	const struct source *s = &run->source;
	struct fault bad = { 0 };

	if (rc != RC_OK) {
		s->done(s->arg, rc, NULL, f, -1);
		return;
	}
	rc = source_offer(s, run->want, output, &bad);
	if (rc != RC_OK)
		s->done(s->arg, rc, NULL, &bad, -1);
}

static bool
is_wanted(void *arg)
{
	const struct source *s = &((struct run *)arg)->source;

	return s->wanted == NULL || s->wanted(s->arg);
}

static enum rc
from_command(const struct source *s, const struct authtok_want *want, struct fault *f)
{
	AUTO_SECRET body = BUF_INIT(4 * AUTHTOK_MAX);
	AUTO_FREE struct run *run = calloc(1, sizeof *run);

	if (run == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a token's command");
	*run = (struct run){ *s, want };
	TRY(authtok_body(&body, want, f));
	TRY(s->io->run(s->io->ctx, HOOK_TOKEN, want->authority->name, buf_view(&body),
	    is_wanted, on_output, run, f));
	run = NULL; /* on_output() has it */
	return RC_OK;
}

/* ---- which ---- */

enum rc
source_ask(const struct source *s, const struct authtok_want *want, struct fault *f)
{
	switch (want->authority->source) {
	case SOURCE_REST: return authtok_request(s->io, want, s->done, s->arg, f);
	case SOURCE_FILE: return from_file(s, want, f);
	case SOURCE_COMMAND: return from_command(s, want, f);
	case SOURCE_PUSH: break;
	}
	return FAULT(f, RC_NET, "token_awaited",
	    "authority %s: needed is a %s token: vesper token push %s/%s",
	    want->authority->name, want->tktype, s->tenant, s->name);
}
