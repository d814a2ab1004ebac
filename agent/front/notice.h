/*
 * What an operator is told without asking: alarms and events, as log lines, as
 * a route of the administration socket, in status and in metrics.
 *
 * Loop thread only.
 */
#ifndef AGENT_FRONT_NOTICE_H
#define AGENT_FRONT_NOTICE_H

#include "agent/front/api.h"

/* Once the first set is in force. */
enum rc notice_open(struct front *fr, struct fault *f) MUST_CHECK;
void notice_close(struct front *fr);

/* A line for the audit is an event as well. */
void notice_line(struct front *fr, const char *event, const char *tenant, const char *reason,
    struct span members);

/* {"ca", "problem"}: the renewer's word about an account; problem null: it is well. */
void notice_account(struct front *fr, const json_t *word);

/* {"alarm", "name", "problem"}: the builder's word of a log; problem null: it is well. */
void notice_word(struct front *fr, const json_t *word);

/* GET /v1/events?after=N */
void admin_events(struct api_call *call);

/* The member "alarms" of status: this connection's own. */
void notice_put(struct buf *out, const struct api_call *call);
void notice_metrics(struct buf *out, const struct front *fr);

#endif
