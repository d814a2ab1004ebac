/*
 * Metrics, in the text format of Prometheus: every family is there, also when
 * it has nothing to say.
 *
 * Loop thread only.
 */
#ifndef AGENT_FRONT_METRICS_H
#define AGENT_FRONT_METRICS_H

#include "agent/front/api.h"

/* The handler of GET /metrics. */
void metrics_show(struct api_call *call);

/* The head of a family, of which type says what it is. */
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);

#endif
