/*
 * What a request needs: the loop, the signers, the audit, the snapshot in
 * force, the rates and the counters.  One desk in a front; loop thread only.
 */
#ifndef AGENT_FRONT_DESK_H
#define AGENT_FRONT_DESK_H

#include "agent/front/audit.h"
#include "agent/front/decide.h"
#include "agent/front/headers.h"
#include "agent/front/hsm.h"
#include "agent/front/snapshot.h"
#include "agent/front/verifier.h"

struct prove;
struct sign_batch;
struct sign_wait;

enum { DESK_BUCKETS = 16 };

struct desk_stats {
	uint64_t signed_, refused, failed, dry_runs, not_http;
	uint64_t moved; /* signed, or tried, with another token's key than at first */
	uint64_t reason[REASON__COUNT];	   /* answers with this reason */
	uint64_t observed[OBSERVE__COUNT]; /* let pass by a rule that is only observed */
	/* Time from the whole request to its answer, signed ones: 2^n * 100 us and above. */
	uint64_t took[DESK_BUCKETS];
	uint64_t took_us;
};

struct desk {
	struct loop *loop;
	struct hsm *hsm;
	struct audit *audit;
	struct policy *policy;
	struct headers *headers;
	struct verifier *verifier;
	struct snapshot *now;
	struct desk_stats stats;
	/* Refusals that are not recorded one by one, since the last record. */
	uint64_t uncounted[REASON__COUNT];
	struct prove *proves; /* prove.c's own: waiting for a delegate's PASSporT */
	/* Of sign.c and its parts: */
	unsigned turn;		    /* of tokens alike */
	struct sign_batch *batches; /* all of them */
	struct sign_wait *waits;    /* for their originals to be verified */
	struct buf body;	    /* of the answer that is being written */
	struct buf claims;	    /* of the PASSporT that is being built */
	/* journal.c's own: */
	uint64_t told[OBSERVE__COUNT]; /* of stats.observed, what the log knows */
	struct loop_timer tally;
	struct buf members; /* of the record that is being written */
	unsigned unnamed;   /* refusals without a tenant recorded since the last tally */
};

#endif
