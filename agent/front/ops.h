/*
 * The renewer's channel, the answering end: one strictly read message to one
 * answer (docs/ARCHITECTURE.md "The renewer's channel").
 *
 * The renewer may be taken over: it names typed operations, and whatever is
 * signed is built here from the configuration, the state and the few members
 * that a table allows.
 */
#ifndef AGENT_FRONT_OPS_H
#define AGENT_FRONT_OPS_H

#include "agent/front/works.h"

/* One operation that is being answered. */
struct op_call {
	struct works *w;
	const json_t *msg; /* its members are of the types that the table demands */
	int64_t now_s;
	int64_t again_s; /* set by install: not now, then */
};

typedef enum rc op_fn(struct op_call *call, json_t *answer, struct fault *f);

/* Members, of which the table has already said that they are there. */
const char *op_text(const struct op_call *call, const char *name); /* NULL: null or absent */

/* The base64url octets of a member; null and absent are none. */
enum rc op_octets(const struct op_call *call, const char *name, size_t max, struct buf *out,
    struct fault *f) MUST_CHECK;

/* The credential that tenant and name name.  RC_NOT_FOUND no_credential. */
enum rc op_place(
    const struct op_call *call, struct credset_place *out, struct fault *f) MUST_CHECK;

/* Put value (taken) into the answer. */
enum rc op_put(json_t *answer, const char *name, json_t *value, struct fault *f) MUST_CHECK;

/*
 * Answer one message.  *out is a new reference; NULL when there is none yet
 * and the message is to be given again at *again_s, or without memory.
 */
void ops_answer(
    struct works *w, const json_t *msg, int64_t now_s, json_t **out, int64_t *again_s);

#endif
