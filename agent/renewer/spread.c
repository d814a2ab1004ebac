#include "agent/renewer/spread.h"

#include "agent/renewer/renew_parts.h"

/* Of one CA's certificates in force; those whose moment it names need no slot. */
static void
spread_ca(struct renew *r, struct ca_slot *slot, struct schedule_member *m)
{
	size_t n = 0, called = 0;

	for (size_t i = 0; i < r->jobs; i++) {
		struct job *j = r->job[i];

		if (!j->plan.active || strcmp(j->plan.ca, slot->config->name) != 0)
			continue;
		m[n++] =
		    (struct schedule_member){ .cert = &j->plan.cert, .jitter_ppm = j->jitter };
		if (j->window.at.start_s != 0) {
			struct schedule_member first = m[called];

			m[called++] = m[n - 1];
			m[n - 1] = first;
		}
	}
	slot->begin.interval_ms = schedule_interval_ms(m, n);
	schedule_spread(m + called, n - called, slot->begin.interval_ms);
}

/* Certificates of one CA that started together would all come back together. */
void
spread_run(struct renew *r, int64_t now_ms)
{
	struct schedule_member *m = calloc(r->jobs + 1, sizeof *m);

	r->spread_due = false;
	r->spread_wake_ms = now_ms + RENEW_SPREAD_MS;
	for (size_t c = 0; m != NULL && c < r->set->cas; c++)
		spread_ca(r, &r->set->ca[c], m);
	free(m);
	for (size_t i = 0; i < r->jobs; i++) {
		struct job *j = r->job[i];
		int64_t before_s = j->renew_at_s;

		j->renew_at_s = job_renew_at_s(j);
		j->report = j->report || j->renew_at_s != before_s;
	}
}
