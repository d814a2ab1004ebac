/*
 * What is asked of transparency logs, through the renewer and never while
 * something is signed: tree heads, that each goes on from the one before, and
 * that what they promised of our certificates is in them (V-43).  All of it is
 * verified here; the renewer only carries it.
 *
 * Builder thread.
 */
#ifndef AGENT_FRONT_CT_OPS_H
#define AGENT_FRONT_CT_OPS_H

#include "agent/front/documents.h"

enum { CT_LOOK_S = 60 };

/* The logs of the present set, and their alarms: also where the renewer does not ask. */
enum rc ct_look(struct works *w, int64_t now_s, struct fault *f) MUST_CHECK;

/* Put what is due into the answer to "documents". */
enum rc ct_ask(struct op_call *call, json_t *list, struct fault *f) MUST_CHECK;

#endif
