#include "agent/supervisor/hook.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static_assert(CONTROL_NAME == CONFIG_NAME_MAX + 1, "a name fits");

const struct config_strings *
hook_command(const struct config *c, const struct control *m)
{
	const struct config_authority *a;
	const struct config_ca *ca;

	if (memchr(m->name, 0, sizeof m->name) == NULL)
		return NULL;
	if (m->hook == HOOK_TOKEN) {
		a = config_authority_find(c, m->name);
		return a != NULL && a->source == SOURCE_COMMAND ? &a->command : NULL;
	}
	ca = config_ca_find(c, m->name);
	if (ca != NULL && m->hook == HOOK_DOMAIN && ca->domain_challenge != DOMAIN_NONE)
		return &ca->domain_command;
	return ca != NULL && m->hook == HOOK_ISSUE && ca->issuer == ISSUER_COMMAND
		   ? &ca->command
		   : NULL;
}

static struct hook *
free_place(struct hooks *h)
{
	for (size_t i = 0; i < HOOK_MAX; i++) {
		if (h->item[i].pid == 0)
			return &h->item[i];
	}
	return NULL;
}

enum rc
hook_start(struct hooks *h, const struct spawn_context *s, const struct control *m, int fd,
    int64_t now_ms, struct fault *f)
{
	const struct config_strings *command = hook_command(s->config, m);
	struct hook *place = free_place(h);
	pid_t pid = 0;

	if (command == NULL || fd < 0)
		return FAULT(f, RC_NOT_FOUND, "hook",
		    "no such command in the configuration that vesperd was started with");
	if (place == NULL)
		return FAULT(f, RC_BUSY, "hook", "%d commands run", HOOK_MAX);
	TRY(spawn_hook(s, command, fd, &pid, f));
	*place = (struct hook){ pid, m->serial, now_ms + HOOK_LIMIT_MS };
	return RC_OK;
}

bool
hook_ended(struct hooks *h, pid_t pid, int status, struct control *out)
{
	for (size_t i = 0; i < HOOK_MAX; i++) {
		struct hook *k = &h->item[i];

		if (k->pid != pid)
			continue;
		*out = (struct control){ .kind = CONTROL_HOOK_END,
			.serial = k->serial,
			.status = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status)
						    : 128 + (uint32_t)WTERMSIG(status) };
		*k = (struct hook){ 0 };
		return true;
	}
	return false;
}

/* With whatever it has started: it leads a group of its own. */
static void
end(struct hook *k)
{
	(void)kill(-k->pid, SIGKILL);
	(void)kill(k->pid, SIGKILL); /* before it is the leader */
	k->kill_ms = INT64_MAX;
}

int64_t
hook_overdue(struct hooks *h, int64_t now_ms)
{
	int64_t next_ms = 0;

	for (size_t i = 0; i < HOOK_MAX; i++) {
		struct hook *k = &h->item[i];

		if (k->pid != 0 && k->kill_ms <= now_ms)
			end(k);
		if (k->pid != 0 && k->kill_ms != INT64_MAX &&
		    (next_ms == 0 || k->kill_ms < next_ms))
			next_ms = k->kill_ms;
	}
	return next_ms;
}

void
hook_kill_all(struct hooks *h)
{
	for (size_t i = 0; i < HOOK_MAX; i++) {
		if (h->item[i].pid == 0)
			continue;
		h->item[i].serial = 0;
		end(&h->item[i]);
	}
}
