#include "agent/renewer/ask.h"

#include <errno.h>
#include <fcntl.h>

#include "agent/channel.h"
#include "agent/log.h"
#include "agent/renewer/problem.h"

struct question {
	json_t *message; /* NULL: a free place */
	json_int_t id;
	int64_t sent_ms; /* 0: waits to be sent */
	io_ask_done *done;
	void *arg;
};

struct ask {
	int fd;
	ask_event *event;
	void *event_arg;
	json_int_t last_id, sent_id; /* ids up to sent_id have been sent */
	size_t open, under_way;
	bool stopping;
	struct question q[ASK_MAX];
};

enum rc
ask_new(int fd, ask_event *event, void *arg, struct ask **out, struct fault *f)
{
	struct ask *a;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return FAULT(f, RC_IO, "channel", "descriptor %d: %s", fd, strerror(errno));
	a = calloc(1, sizeof *a);
	if (a == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "channel");
	a->fd = fd;
	a->event = event;
	a->event_arg = arg;
	*out = a;
	return RC_OK;
}

/* The place is free before done() runs, which may ask again. */
static void
finish(
    struct ask *a, struct question *q, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct question was = *q;

	*q = (struct question){ 0 };
	a->open--;
	if (was.sent_ms != 0)
		a->under_way--;
	was.done(was.arg, rc, answer, f);
	json_decref(was.message);
}

static void
fail(struct ask *a, struct question *q, enum rc rc, const char *reason, const char *detail)
{
	struct fault f = { 0 };

	(void)FAULT(&f, rc, reason, "%s", detail);
	finish(a, q, rc, NULL, &f);
}

void
ask_free(struct ask *a)
{
	if (a == NULL)
		return;
	a->stopping = true;
	for (size_t i = 0; i < ASK_MAX; i++) {
		if (a->q[i].message != NULL)
			fail(a, &a->q[i], RC_CONFLICT, "stopping", "the renewer stops");
	}
	free(a);
}

enum rc
ask_send(void *ask, const json_t *message, io_ask_done *done, void *arg, struct fault *f)
{
	struct ask *a = ask;
	struct question *q = NULL;

	if (a->stopping)
		return FAULT(f, RC_CONFLICT, "stopping", "the renewer stops");
	for (size_t i = 0; i < ASK_MAX && q == NULL; i++) {
		if (a->q[i].message == NULL)
			q = &a->q[i];
	}
	if (q == NULL)
		return FAULT(f, RC_BUSY, "channel", "%d questions are open", ASK_MAX);
	/* Shallow: only "id" is added. */
	q->message = json_copy((json_t *)(uintptr_t)message);
	if (q->message == NULL ||
	    json_object_set_new(q->message, "id", json_integer(a->last_id + 1)) != 0) {
		json_decref(q->message);
		q->message = NULL;
		return FAULT(f, RC_NO_MEMORY, "no_memory", "channel");
	}
	q->id = ++a->last_id;
	q->sent_ms = 0;
	q->done = done;
	q->arg = arg;
	a->open++;
	return RC_OK;
}

static struct question *
by_id(struct ask *a, json_int_t id)
{
	for (size_t i = 0; i < ASK_MAX; i++) {
		if (a->q[i].message != NULL && a->q[i].id == id)
			return &a->q[i];
	}
	return NULL;
}

static void
answered(struct ask *a, const json_t *m)
{
	const json_t *id = json_object_get(m, "id"), *ok = json_object_get(m, "ok");
	struct question *q = json_is_integer(id) ? by_id(a, json_integer_value(id)) : NULL;
	struct fault f = { 0 };

	if (id == NULL) {
		a->event(a->event_arg, m);
		return;
	}
	/* A late answer to what was given up is no fault of the front. */
	if (q == NULL || q->sent_ms == 0)
		return;
	if (!json_is_boolean(ok)) {
		fail(a, q, RC_INVALID, "channel", "an answer without ok");
		return;
	}
	if (json_is_true(ok)) {
		finish(a, q, RC_OK, m, NULL);
		return;
	}
	finish(a, q, problem_of_refusal(m, &f), NULL, &f);
}

static enum rc
receive(struct ask *a, struct fault *f)
{
	for (;;) {
		json_auto_t *m = NULL;
		struct fault here = { 0 };
		enum rc rc = channel_recv(a->fd, &m, &here);

		if (rc == RC_NOT_FOUND)
			return RC_OK;
		if (rc == RC_INVALID) {
			log_fault(LEVEL_ERR, "channel", &here);
			continue;
		}
		if (rc != RC_OK) {
			*f = here;
			return rc;
		}
		answered(a, m);
	}
}

/* Ids that were taken by questions already over are passed by. */
static enum rc
send_waiting(struct ask *a, int64_t now_ms, struct fault *f)
{
	while (a->under_way < ASK_SENT && a->sent_id < a->last_id) {
		struct question *q = by_id(a, a->sent_id + 1);
		struct fault here = { 0 };
		enum rc rc;

		if (q == NULL) {
			a->sent_id++;
			continue;
		}
		rc = channel_send(a->fd, q->message, &here);
		if (rc == RC_IO) {
			*f = here;
			return rc;
		}
		if (rc == RC_BUSY)
			return RC_OK;
		a->sent_id++;
		if (rc == RC_OK) {
			q->sent_ms = now_ms;
			a->under_way++;
			continue;
		}
		finish(a, q, rc, NULL, &here);
	}
	return RC_OK;
}

enum rc
ask_run(struct ask *a, int64_t now_ms, struct fault *f)
{
	TRY(receive(a, f));
	for (size_t i = 0; i < ASK_MAX && a->under_way > 0; i++) {
		struct question *q = &a->q[i];

		if (q->message == NULL || q->sent_ms == 0)
			continue;
		/* The wall clock may be set back. */
		if (now_ms < q->sent_ms)
			q->sent_ms = now_ms;
		if (now_ms - q->sent_ms > ASK_TIMEOUT_MS)
			fail(a, q, RC_TIMEOUT, "front_timeout", "the front did not answer");
	}
	return send_waiting(a, now_ms, f);
}
