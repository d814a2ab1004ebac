/*
 * The administration socket's routes: reload, renewal on demand, what is done
 * by hand.  api.c has checked who asks.
 *
 * Loop thread only.
 */
#ifndef AGENT_FRONT_ADMIN_API_H
#define AGENT_FRONT_ADMIN_API_H

#include "agent/front/api.h"

void admin_reload(struct api_call *call);
void admin_renew(struct api_call *call);

/* What call->hand says, of the credential, the CA's account or the tenant that the path names. */
void admin_hand(struct api_call *call);

void admin_accounts(struct api_call *call);
void admin_ct(struct api_call *call);
void admin_job(struct api_call *call);

/* numbers_api.c */
void admin_numbers(struct api_call *call);
void admin_change_numbers(struct api_call *call);

/* The tenant that the path names; NULL: there is none, and that was answered. */
const struct config_tenant *admin_tenant(struct api_call *call);

/* Have the builder do it and answer with the job.  name may be NULL; body is taken over. */
void admin_start(
    struct api_call *call, enum hand kind, const char *tenant, const char *name, json_t *body);

#endif
