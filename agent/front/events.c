#include "agent/front/events.h"

#include <stdio.h>

#include "agent/front/jw.h"

struct events {
	uint64_t last; /* 0: none yet */
	struct event {
		int64_t time_s;
		char name[32];
		char *members; /* NULL: none */
	} ring[EVENTS_MAX];
};

enum rc
events_new(struct events **out, struct fault *f)
{
	struct events *e = calloc(1, sizeof *e);

	if (e == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "events");
	*out = e;
	return RC_OK;
}

void
events_free(struct events *e)
{
	for (size_t i = 0; e != NULL && i < EVENTS_MAX; i++)
		free(e->ring[i].members);
	free(e);
}

uint64_t
events_add(struct events *e, const char *event, struct span members, int64_t now_s)
{
	struct event *at = &e->ring[++e->last % EVENTS_MAX];

	free(at->members);
	*at = (struct event){ .time_s = now_s };
	snprintf(at->name, sizeof at->name, "%s", event);
	if (members.len > 0 && members.len <= EVENT_TEXT_MAX)
		at->members = strndup((const char *)members.ptr, members.len);
	return e->last;
}

static void
put_event(const struct events *e, uint64_t id, struct buf *out)
{
	const struct event *at = &e->ring[id % EVENTS_MAX];

	jw_open(out, NULL, '{');
	jw_uint(out, "id", id);
	jw_int(out, "time", at->time_s);
	jw_str(out, "event", at->name);
	if (at->members != NULL)
		buf_printf(out, ",%s", at->members);
	jw_close(out, '}');
}

void
events_after(const struct events *e, uint64_t after, struct buf *out)
{
	uint64_t oldest = e->last > EVENTS_MAX ? e->last - EVENTS_MAX + 1 : 1;
	uint64_t from = after >= oldest ? after + 1 : oldest;
	uint64_t to = from + EVENTS_PAGE - 1 < e->last ? from + EVENTS_PAGE - 1 : e->last;

	jw_open(out, NULL, '{');
	jw_open(out, "events", '[');
	for (uint64_t id = from; id <= to; id++)
		put_event(e, id, out);
	jw_close(out, ']');
	jw_uint(out, "last", e->last);
	jw_bool(out, "more", to < e->last);
	jw_bool(out, "lost", after + 1 < oldest || after > e->last);
	jw_close(out, '}');
}
