/*
 * What the renewer has to do, by pages, and what it says about it.  Rows of
 * the table in ops.c.
 */
#ifndef AGENT_FRONT_PLAN_H
#define AGENT_FRONT_PLAN_H

#include "agent/front/ops.h"

enum { PLAN_PAGE = 64, PLAN_PAGE_BYTES = 114688 };

/* RFC 9773 section 4.1, or null where the certificate has none; NULL without memory. */
json_t *plan_ari_id(const struct cert *leaf);

op_fn plan_op;
op_fn schedule_op;
op_fn account_word_op; /* how a CA's account is */

#endif
