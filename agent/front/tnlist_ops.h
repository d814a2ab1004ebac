/*
 * The renewer's operations on TNAuthLists by reference (D-46): which are due,
 * and the parts of one that was fetched.  Builder thread.
 */
#ifndef AGENT_FRONT_TNLIST_OPS_H
#define AGENT_FRONT_TNLIST_OPS_H

#include "agent/front/ops.h"

enum {
	LISTS_PAGE = 16,
	LISTS_LEASE_S = 120,  /* one that was handed out is not handed out again before */
	LISTS_AGAIN_S = 300,  /* after a problem */
	LIST_PART_MAX = 65536 /* octets of one message */
};

op_fn lists_op;

/*
 * One part, in order; offset 0 begins anew.  With the last one the list is
 * decoded, on disk and in force before the answer; one that cannot be put in
 * force takes away what it has lost all the same.  With a problem no octets:
 * what is known stays.  RC_CONFLICT conflict for a part that does not follow.
 */
op_fn list_op;

#endif
