/*
 * What is known of each transparency log: its newest tree head, which is
 * proven to go on from all the ones before, and what it did wrong.
 *
 * Changed by the builder thread alone (ct_ops.c); shown to the loop, which is
 * what the lock is for.  On disk in STATE/front/ct/LOGID.json.
 */
#ifndef AGENT_FRONT_TRANSPARENCY_H
#define AGENT_FRONT_TRANSPARENCY_H

#include "agent/front/ctwatch.h"
#include "stir/sth.h"

#include <pthread.h>

enum {
	CT_LATE_S = 600,       /* beyond its maximum merge delay */
	CT_AHEAD_S = 60,       /* that the clock of a log may be ahead */
	CT_EVERY_MAX_S = 3600, /* between two heads, at most … */
	CT_EVERY_MIN_S = 10,   /* … and at least; half of the merge delay in between */
	CT_AGAIN_S = 60,       /* after a failure */
	CT_DETAIL_MAX = 160,
	CT_FOREIGN_MAX = 256, /* alarms at once of what was not ordered here */
};

/*
 * UNREACHABLE: no answer, or not one of ours to judge; alarming only when it
 * lasts.  WRONG: an answer that does not verify.  BROKEN: two heads, both
 * signed by the log, that can not both be of one tree that only grows; it
 * stays, with both as evidence.
 */
enum ct_trouble { CT_WELL, CT_UNREACHABLE, CT_WRONG, CT_BROKEN };

const char *ct_trouble_name(enum ct_trouble t); /* "broken" */

struct ct_log {
	uint8_t id[CTLOG_ID_LEN];
	char hex[2 * CTLOG_ID_LEN + 1];
	char name[CTLOG_NAME_MAX + 1];
	char url[CTLOG_URL_MAX + 1];
	const char *api;
	int64_t mmd_s;
	bool listed; /* in the present list, usable, and with a URL */
	/* The newest head that goes on from those before; one that has to be proven to. */
	bool has_head, has_next;
	struct sth head, next;
	int64_t
	    fresh_s; /* when a head was last seen that was new enough; at first: since when */
	int64_t since_s; /* when this process first looked for it */
	int64_t due_s;	 /* when to ask for a head */
	int64_t busy_s;	 /* until then an answer may still come */
	enum ct_trouble trouble;
	char detail[CT_DETAIL_MAX]; /* of trouble */
	int64_t trouble_since_s;
	struct sth evidence;   /* BROKEN: against head */
	bool told;	       /* the alarm has begun */
	bool dirty;	       /* not on disk as it is */
	struct ctwatch *watch; /* NULL: it is not read */
};

struct transparency {
	pthread_mutex_t lock;
	uint64_t generation; /* of the set that was last looked at */
	struct ct_log **log; /* by id in no order */
	size_t len;
	/* Where a round had no place left: of heads, of proofs, of entries. */
	size_t head_turn, proof_turn, page_turn;
	/* Tenants of whom certificates are found: their alarms have begun. */
	size_t foreign;
	char foreign_of[CT_FOREIGN_MAX][CONFIG_NAME_MAX + 1];
};

/* Without logs.  RC_NO_MEMORY. */
enum rc transparency_new(struct transparency **out, struct fault *f) MUST_CHECK;
void transparency_free(struct transparency *t);

/*
 * Builder thread.  The logs of this set: what is on disk of those that are
 * new, nothing any more of those that are not listed.
 */
enum rc transparency_adopt(struct transparency *t, const struct credset *set, int64_t now_s,
    struct fault *f) MUST_CHECK;

struct ct_log *transparency_find(
    const struct transparency *t, const uint8_t id[CTLOG_ID_LEN]); /* builder thread */

/* To disk, before anything relies on it. */
enum rc transparency_write(
    const struct config *c, const struct ct_log *log, struct fault *f) MUST_CHECK;

/* Is there something that an operator has to know? */
bool ct_is_alarming(const struct ct_log *log, int64_t now_s);

/* Entries that are there were not read for too long. */
bool ct_is_unread(const struct ct_log *log, int64_t now_s);

/* Any thread: {"logs": […]}; a new reference, NULL without memory. */
json_t *transparency_show(struct transparency *t, int64_t now_s);

/* Any thread: the lines of the metrics. */
void transparency_metrics(struct transparency *t, struct buf *out, int64_t now_s);

#endif
