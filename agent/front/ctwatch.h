/*
 * Reads the transparency logs for certificates that speak for a tenant's
 * numbers, codes or domains and that this agent did not order: what a CA or an
 * authority that was deceived would leave there.
 *
 * A log is read from its first entry on, to a tree head that is proven; what
 * was read counts when its own root is that of the head, so that neither the
 * log nor the renewer can leave anything out.  How far that is, is in
 * STATE/front/ct/LOGID.watch.json.
 *
 * Changed by the builder thread alone, under the lock of transparency.h.
 */
#ifndef AGENT_FRONT_CTWATCH_H
#define AGENT_FRONT_CTWATCH_H

#include "agent/front/credset.h"
#include "stir/ctentry.h"

enum { CT_FOUND_MAX = 32, CT_FOUND_TEXT = 64, CT_ISSUER_MAX = 96, CT_WHY_MAX = 160 };

/* A certificate that was not ordered here.  tenant "": its TNAuthList cannot be read. */
struct ct_found {
	char tenant[CONFIG_NAME_MAX + 1];
	char serial[CERT_SERIAL_TEXT];
	char issuer[CT_ISSUER_MAX];
	char what[CT_FOUND_TEXT]; /* of the tenant's: the first numbers, a code, a domain */
	uint64_t index;
	int64_t not_after_s; /* INT64_MAX where that cannot be read */
};

struct ct_found_list {
	size_t len;
	uint64_t more;	      /* that found no room */
	int64_t more_until_s; /* the last of those is over then */
	struct ct_found item[CT_FOUND_MAX];
};

struct ctwatch {
	struct merkle_edge done, reading; /* proven; and as far as it is read */
	struct merkle_tree goal;	  /* of reading; size 0: none */
	struct ct_found_list found, tentative;
	bool wrong;	      /* what came is not what the head says */
	int64_t moved_s;      /* when it last went on, or had nothing to read */
	int64_t even_s;	      /* when all that a head has was read; 0: not by this process */
	char why[CT_WHY_MAX]; /* nothing goes on; "": it does */
	int64_t due_s;	      /* after that */
	uint64_t page;	      /* so many entries at a time; 0: as many as may be */
};

struct works;
struct ct_log;

/* What is on disk of it; a file that cannot be read begins anew, which is said. */
enum rc ctwatch_open(const struct config *c, const struct ct_log *log, struct ctwatch **out,
    struct fault *f) MUST_CHECK;

/* The next entries to be asked for; false: none are. */
bool ctwatch_next(struct ctwatch *w, const struct merkle_tree *head, int64_t now_s,
    uint64_t *first, uint64_t *last);

/* What get-entries answered, from the first entry that was asked for, so many at most. */
enum rc ctwatch_take(struct works *works, struct ct_log *log, struct span json, uint64_t first,
    size_t most, int64_t now_s, struct fault *f) MUST_CHECK;

/* Does it stand still, with a head there that has more? */
bool ctwatch_stands(const struct ctwatch *w, const struct merkle_tree *head);

/* Nothing came: it is asked for again at at_s. */
void ctwatch_fails(struct ctwatch *w, const char *why, int64_t at_s);

/* {"behind", "read", "problem", "found", "more"}; under the lock. */
json_t *ctwatch_show(const struct ctwatch *w, bool behind, int64_t now_s);

/* How many are found and not over; tenant NULL: of all. */
size_t ctwatch_count(const struct ctwatch *w, const char *tenant, int64_t now_s);

#endif
