/*
 * The right to use numbers, as the number authority says it: where it refuses
 * a token for what a certificate in force already speaks for, that is an alarm
 * (rtu_withdrawn), and as on_rtu_refused says the end of signing, at once or
 * after a while, when it says so a second time: one answer may be a mistake of
 * a moment.  Over when the authority grants again.
 *
 * The renewer carries the refusal, and nobody can prove one; where an operator
 * lets it stop signing, whoever is in the renewer's place can.  A grant is the
 * authority's signature, and judged here.  Refusals are on disk before they
 * count: STATE/front/rtu.  Builder thread only.
 */
#ifndef AGENT_FRONT_RTU_H
#define AGENT_FRONT_RTU_H

#include "agent/front/ops.h"

enum { RTU_CONFIRM_S = 240 }; /* between the two, at least; the renewer asks again after 300 */

/* Read what is on disk, after the first load; one that cannot be read counts as a refusal. */
enum rc rtu_load(struct works *w, int64_t now_s, struct fault *f) MUST_CHECK;

/*
 * Before a set is published: its credentials know what is refused to them, by
 * the policy that its configuration has.
 */
void rtu_mark(const struct works *w, struct credset *set);

/* Forget what is about no credential of w->set, which is in force. */
void rtu_settle(struct works *w);

/* Is the right to what this credential asks for refused? */
bool rtu_is_refused(const struct works *w, struct credset_place at);

/* The authority granted it: by a token that was judged, or by the certificate that came of one. */
void rtu_granted(struct works *w, struct credset_place at, const char *by);

/* The renewer's word.  RC_CONFLICT conflict: the credential asks no authority. */
enum rc rtu_op(struct op_call *call, json_t *answer, struct fault *f) MUST_CHECK;

/* Of works_done(). */
void rtu_done(struct works *w);

#endif
