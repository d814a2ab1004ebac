/*
 * What the logs of a certificate's timestamps have promised, and whether they
 * kept it: for each SCT of a log that can be asked the leaf that has to be in
 * its tree, and the proof of it (RFC 6962 sections 2.1.1 and 3).
 *
 * What is proven is in STATE/front/tenants/T/C/logged.json and is not asked
 * for again.  Nothing that signs waits for any of it.
 */
#ifndef AGENT_FRONT_INCLUSION_H
#define AGENT_FRONT_INCLUSION_H

#include "agent/config.h"
#include "stir/sct.h"

enum inclusion_state { INCLUSION_WAITING, INCLUSION_PROVEN, INCLUSION_MISSING };

struct inclusion {
	struct sct_promise promise;
	enum inclusion_state state;
	uint64_t index, size; /* PROVEN: of the leaf, of the tree that has it */
	int64_t at_s;	      /* PROVEN: when; MISSING: since when */
	int64_t due_s;	      /* when to ask; 0: as soon as the log has to have it */
	/* WAITING: the log said once that it has none; when, and of which head. */
	int64_t denied_s, denied_head_ms;
};

struct inclusions {
	size_t len;
	struct inclusion item[];
};

struct credential;

const char *inclusion_state_name(enum inclusion_state s); /* "proven" */

/*
 * The promises of c, which is judged and not shared yet.  Nothing where the
 * configuration wants no proofs.
 */
enum rc inclusion_open(const struct config *config, const struct ctlogs *logs,
    const X509 *issuer, struct credential *c, struct fault *f) MUST_CHECK;

/* Any thread: a copy of them, and how many. */
size_t inclusion_copy(struct credential *c, struct inclusion out[SCT_MAX_LIST]);

/* Any thread: when the first of those that are missing was found so; 0: none is. */
int64_t inclusion_missing_since(struct credential *c);

/* Builder thread.  The item of this promise becomes now's; false: there is none. */
bool inclusion_set(struct credential *c, const struct inclusion *now);

/* What is proven of c, to disk. */
enum rc inclusion_write(
    const struct config *config, struct credential *c, struct fault *f) MUST_CHECK;

#endif
