/*
 * The renewer's end of the channel to the front: questions with an id, their
 * answers in any order, and events.  At most ASK_SENT questions are under way,
 * so that a slow front never makes a send wait; the others queue.
 */
#ifndef AGENT_RENEWER_ASK_H
#define AGENT_RENEWER_ASK_H

#include "agent/renewer/io.h"

enum {
	ASK_SENT = 8,
	ASK_MAX = 512,
	ASK_TIMEOUT_MS = 90000, /* an install may wait a minute for notBefore */
};

struct ask;
typedef void ask_event(void *arg, const json_t *event);

/* fd is borrowed and made non-blocking. */
enum rc ask_new(
    int fd, ask_event *event, void *arg, struct ask **out, struct fault *f) MUST_CHECK;

/* Every question still open is answered with RC_CONFLICT "stopping". */
void ask_free(struct ask *a);
DEFINE_FREEP(ask);

/* struct io's ask(); RC_BUSY when ASK_MAX are open. */
enum rc ask_send(
    void *ask, const json_t *message, io_ask_done *done, void *arg, struct fault *f) MUST_CHECK;

/* Read what has come, send what can go, time out what is late.  RC_IO: the front is gone. */
enum rc ask_run(struct ask *a, int64_t now_ms, struct fault *f) MUST_CHECK;

#endif
