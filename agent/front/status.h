/* What status.c shares with the administration routes, and status_credential.c with it. */
#ifndef AGENT_FRONT_STATUS_H
#define AGENT_FRONT_STATUS_H

#include "agent/front/api.h"

/* May this connection know of the tenant? */
bool status_visible(const struct conn *c, const struct config_tenant *t);

/* "ready", "pending", "unusable", "expired" */
const char *status_state(const struct credential *c, int64_t now_s);

/* Is there nothing in the way of a signature with it?  Else f says what. */
bool status_can_sign(const struct front *fr, const struct config_tenant *t,
    const struct credential *c, struct fault *f);

/* All that is told of the credential in that place, as an object. */
void status_put_credential(struct buf *out, const struct front *fr, const struct credset *set,
    struct credset_place at);

/* The credential that the path's two names mean; false: the answer was "not_found". */
bool status_find(struct api_call *call, struct credset_place *at);

#endif
