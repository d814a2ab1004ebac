/*
 * The anchor, the logs and the leaf of signed.h, read once, for the targets
 * that hold texts against them.
 */
#ifndef TESTS_FUZZ_SIGNED_WORLD_H
#define TESTS_FUZZ_SIGNED_WORLD_H

#include "stir/chain.h"
#include "stir/sct.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/signed.h"

struct signed_world {
	struct anchors *anchors;
	struct ctlogs *logs;
	struct chain *leaf;
};

static inline void
signed_make(struct signed_world *w)
{
	if (w->anchors != NULL)
		return;
	must(anchors_read_pem(span_str(signed_anchor), &w->anchors, NULL) == RC_OK);
	must(ctlogs_read(span_str(signed_logs), &w->logs, NULL) == RC_OK);
	must(chain_read_pem(span_str(signed_leaf), false, &w->leaf, NULL) == RC_OK);
}

#endif
