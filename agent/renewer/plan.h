/*
 * One row of the front's plan: a credential, what the configuration asks for
 * it, and what is in force.  Values only.
 */
#ifndef AGENT_RENEWER_PLAN_H
#define AGENT_RENEWER_PLAN_H

#include "agent/renewer/ari.h"
#include "agent/renewer/record.h"
#include "agent/renewer/schedule.h"

enum { PLAN_MAX = 65536, PLAN_PAGE_MAX = 64, PLAN_DOMAIN_MAX = 253 };

struct plan {
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	char ca[CONFIG_NAME_MAX + 1];
	char authority[CONFIG_NAME_MAX + 1], claim_agent[CONFIG_NAME_MAX + 1]; /* "" none */
	char *tnauthlist;  /* base64url DER */
	char *constraints; /* base64url DER, NULL none */
	enum constraints_form form;
	char domain[PLAN_DOMAIN_MAX + 1]; /* a dns identifier is ordered beside; "" none */
	char hash[RECORD_HASH];		  /* of ca, tnauthlist, constraints, form, domain */
	bool active, as_configured;
	bool rtu_refused; /* the front has it on record that its authority refuses it */
	char serial[CERT_SERIAL_TEXT]; /* "" without active */
	char ari_id[ARI_ID_MAX + 1];   /* of RFC 9773; "" none */
	struct schedule_cert cert;     /* valid with active */
};

/* RC_INVALID plan; *out is the caller's to end by plan_done(). */
enum rc plan_read(const json_t *row, struct plan *out, struct fault *f) MUST_CHECK;
void plan_done(struct plan *p);

/* NULL, and what is no identifier of RFC 9773 section 4.1, is none. */
void plan_set_ari_id(struct plan *p, const char *ari_id);

/* By tenant, then name. */
int plan_order(const struct plan *a, const struct plan *b);

/* Seconds of life left, 0 or less when nothing is in force. */
int64_t plan_remaining_s(const struct plan *p, int64_t now_s);

#endif
