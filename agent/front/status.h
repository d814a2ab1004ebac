/* What status.c shares with the administration routes. */
#ifndef AGENT_FRONT_STATUS_H
#define AGENT_FRONT_STATUS_H

#include "agent/front/api.h"

/* May this connection know of the tenant? */
bool status_visible(const struct conn *c, const struct config_tenant *t);

/* "ready", "pending", "unusable", "expired" */
const char *status_state(const struct credential *c, int64_t now_s);

/* The credential that the path's two names mean; false: the answer was "not_found". */
bool status_find(struct api_call *call, struct credset_place *at);

#endif
