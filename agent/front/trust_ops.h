/*
 * The signed lists (trust.h) as they are fetched: asked for through the
 * renewer, judged against what is in force, kept, put in force, and the alarm
 * where that does not come about.
 *
 * Builder thread; shown to the loop, which is what the lock is for.
 */
#ifndef AGENT_FRONT_TRUST_OPS_H
#define AGENT_FRONT_TRUST_OPS_H

#include "agent/front/documents.h"

enum {
	TRUST_AGAIN_S = 300,  /* after a failure, or sooner where it is fetched more often */
	TRUST_SILENT = 3,     /* so many refreshes without one are an alarm … */
	TRUST_SILENT_S = 600, /* … and as long beyond them */
	TRUST_NEAR_PART = 4,  /* the last part of a list's life: a newer one is missed */
	TRUST_DETAIL_MAX = 160,
};

struct trust_desk;

enum rc trust_desk_new(struct trust_desk **out, struct fault *f) MUST_CHECK;
void trust_desk_free(struct trust_desk *d);

/* Put what is due into the answer to "documents". */
enum rc trust_ask(struct op_call *call, json_t *list, struct fault *f) MUST_CHECK;

/* The alarms of the lists of the present configuration: also where the renewer does not ask. */
void trust_look(struct works *w, int64_t now_s);

/* Any thread: "trust_lists": […] of status, and the lines of the metrics. */
void trust_show(struct trust_desk *d, struct buf *out);
void trust_metrics(struct trust_desk *d, struct buf *out);

#endif
