#include "agent/renewer/cleanups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"

struct cleanups {
	const struct io *io;
	struct cleanup *first; /* the oldest */
	unsigned n, running;
};

void
cleanup_free(struct cleanup *c)
{
	if (c == NULL)
		return;
	buf_free(&c->task);
	free(c);
}

enum rc
cleanup_new(const char *ca, const struct domain_proof *p, struct cleanup **out, struct fault *f)
{
	AUTO(cleanup) *c = calloc(1, sizeof *c);

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a challenge");
	c->task = BUF_INIT(DOMAIN_TASK_MAX);
	TRY(domain_task(&c->task, DOMAIN_CLEANUP, p, f));
	snprintf(c->ca, sizeof c->ca, "%s", ca);
	*out = TAKE(c);
	return RC_OK;
}

enum rc
cleanups_new(const struct io *io, struct cleanups **out, struct fault *f)
{
	struct cleanups *all = calloc(1, sizeof *all);

	if (all == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "cleanups");
	all->io = io;
	*out = all;
	return RC_OK;
}

static void
drop(struct cleanup *c)
{
	struct cleanup **at = &c->all->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->all->n--;
	c->all->running -= c->running ? 1 : 0;
	cleanup_free(c);
}

void
cleanups_free(struct cleanups *all)
{
	if (all == NULL)
		return;
	while (all->first != NULL)
		drop(all->first);
	free(all);
}

/* What the command says is of no interest, how it ends is. */
static void
on_cleaned(void *arg, enum rc rc, struct span output, const struct fault *f)
{
	struct cleanup *c = arg;

	(void)output;
	if (rc == RC_BUSY) { /* it was not run, and waits on */
		c->running = false;
		c->all->running--;
		return;
	}
	if (rc != RC_OK && strcmp(f->reason, "stopping") != 0)
		log_fault(LEVEL_WARNING, "domain_cleanup", f);
	drop(c);
}

/* False when there is no place: it waits. */
static bool
begin(struct cleanups *all, struct cleanup *c)
{
	struct fault f = { 0 };
	enum rc rc = all->io->run(
	    all->io->ctx, HOOK_DOMAIN, c->ca, buf_view(&c->task), NULL, on_cleaned, c, &f);

	if (rc == RC_BUSY)
		return false;
	if (rc != RC_OK) {
		log_fault(LEVEL_WARNING, "domain_cleanup", &f);
		drop(c);
		return true;
	}
	c->running = true;
	all->running++;
	return true;
}

void
cleanups_run(struct cleanups *all)
{
	struct cleanup *c, *next;

	for (c = all->first; c != NULL && all->running < CLEANUPS_AT_ONCE; c = next) {
		next = c->next;
		if (!c->running && !begin(all, c))
			return;
	}
}

void
cleanups_add(struct cleanups *all, struct cleanup *c)
{
	struct cleanup **last = &all->first;
	struct fault f = { 0 };

	if (all->n >= CLEANUPS_MAX) {
		(void)FAULT(&f, RC_BUSY, "command_busy", "%d wait", CLEANUPS_MAX);
		log_fault(LEVEL_WARNING, "domain_cleanup", &f);
		cleanup_free(c);
		return;
	}
	while (*last != NULL)
		last = &(*last)->next;
	*last = c;
	c->all = all;
	all->n++;
	cleanups_run(all);
}

bool
cleanup_same(const struct cleanup *a, const struct cleanup *b)
{
	return strcmp(a->ca, b->ca) == 0 && span_eq(buf_view(&a->task), buf_view(&b->task));
}

bool
cleanups_has(const struct cleanups *all, const struct cleanup *c)
{
	for (const struct cleanup *has = all->first; has != NULL; has = has->next) {
		if (cleanup_same(has, c))
			return true;
	}
	return false;
}
