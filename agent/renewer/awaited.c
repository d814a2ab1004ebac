#include "agent/renewer/awaited.h"

#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/jobs.h"
#include "agent/renewer/renew_parts.h"

static struct awaited *
list_of(struct renew *r, size_t *n)
{
	*n = r->awaited.len / sizeof(struct awaited);
	return (struct awaited *)(void *)r->awaited.ptr;
}

static void
refused(const char *tenant, const char *name, const char *reason)
{
	log_event(LEVEL_WARNING, "renewal_not_begun", "tenant=%s credential=%s reason=%s",
	    tenant, name, reason);
}

void
awaited_add(struct renew *r, const char *tenant, const char *name)
{
	struct awaited one = { .next = r->plan_busy };
	size_t n, i = 0;
	struct awaited *list = list_of(r, &n);

	snprintf(one.tenant, sizeof one.tenant, "%s", tenant);
	snprintf(one.name, sizeof one.name, "%s", name);
	while (
	    i < n && (strcmp(list[i].name, name) != 0 || strcmp(list[i].tenant, tenant) != 0))
		i++;
	if (i < n)
		list[i].next = one.next;
	else
		buf_put(&r->awaited, &one, sizeof one);
	if (r->awaited.rc != RC_OK) {
		r->awaited.rc = RC_OK; /* those that are kept stay */
		refused(tenant, name, "overloaded");
		return;
	}
	r->plan_due = true;
	log_event(LEVEL_NOTICE, "renewal_awaits_plan", "tenant=%s credential=%s", tenant, name);
}

void
awaited_planned(struct renew *r)
{
	size_t n, kept = 0;
	struct awaited *list = list_of(r, &n);

	for (size_t i = 0; i < n; i++) {
		struct job *j = jobs_find(r, list[i].tenant, list[i].name);

		if (j != NULL) {
			job_ask(j);
		} else if (list[i].next) {
			list[i].next = false;
			list[kept++] = list[i];
			r->plan_due = true;
		} else {
			refused(list[i].tenant, list[i].name, "not_planned");
		}
	}
	r->awaited.len = kept * sizeof *list;
	if (kept == 0)
		buf_free(&r->awaited);
}
