/*
 * The operations that build and sign something for a CA, and install.  Each
 * is a row of the table in ops.c.
 */
#ifndef AGENT_FRONT_ACME_OPS_H
#define AGENT_FRONT_ACME_OPS_H

#include "agent/front/ops.h"

enum { ACME_NONCE_MAX = 256, ACME_TOKEN_MAX = 65536, ACME_REPLACES_MAX = 256 };

op_fn account_op;
op_fn new_account_op;
op_fn new_order_op;
op_fn challenge_op;
op_fn csr_op;
op_fn finalize_op;
op_fn post_as_get_op;
op_fn install_op;

/* What an operator asked of a CA, until it has answered: the list, a JWS for one, the answer. */
enum { ACME_ERRANDS_MAX = 256, ACME_ERRANDS_OF_CA = 32 };
op_fn errands_op;
op_fn errand_op;
op_fn errand_done_op;

#endif
