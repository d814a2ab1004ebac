/*
 * What an operator asks of an ACME account on the administration socket: its
 * contacts told anew (RFC 8555 section 7.3.2), another key (7.3.5), its end
 * (7.3.6), another account in its place.
 *
 * Recorded in the account's file first, then carried to the CA as an errand.
 * A change of key keeps both keys until it is known which one the CA has: what
 * may have arrived is not signed again before the CA was asked by the new key
 * whether it did, also not with another nonce.  One that nobody answered may
 * arrive after a later one was refused: the new key stays for RETIRE_OVERLAP_S
 * from its signature on, and the CA is asked each minute and at its end; what arrives after
 * that is lost.  The renewer carries; of itself it can make nothing of this
 * happen, but what it says of the CA's answer is believed (docs/THREATS.md).
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_ACCOUNT_WORK_H
#define AGENT_FRONT_ACCOUNT_WORK_H

#include "agent/front/ops.h"

enum {
	ACCOUNT_HELD_S = 30, /* orders wait for the answer to a change of key, no longer */
	ACCOUNT_AGAIN_S = 60,
	ACCOUNT_ID_MAX = sizeof "account/" + CONFIG_NAME_MAX,
};

/*
 * Asked for the same again while it is outstanding, nothing happens.
 * RC_CONFLICT no_account, account_deactivated, or conflict: something else is
 * outstanding.
 */
enum rc account_ask(struct works *w, const char *ca, enum account_job_kind kind, int64_t now_s,
    struct fault *f) MUST_CHECK;

/* A new key in the place of an account's that is lost, damaged or deactivated. */
enum rc account_replace(
    struct works *w, const char *ca, int64_t now_s, struct fault *f) MUST_CHECK;

/* What is known of it, made when there is none: both fingerprints, status, what was asked. */
enum rc account_show(
    struct works *w, const struct config_ca *ca, json_t *result, struct fault *f) MUST_CHECK;

/* RC_CONFLICT account_deactivated; RC_BUSY while it is open which key the CA knows. */
enum rc account_usable(const struct account *a, int64_t now_s, struct fault *f) MUST_CHECK;

/* RC_BUSY while a lost account may be one whose key was changed: no other is to be opened. */
enum rc account_may_open(const struct account *a, struct fault *f) MUST_CHECK;

/* The credentials of w->set say whose account is deactivated. */
void account_tell(struct works *w);

/* RFC 8555 section 7.3: the contacts of the CA's section, a new reference. */
json_t *account_contacts(const struct config_ca *ca);

/* The row of what is outstanding, a new reference; NULL: nothing is, or not now. */
json_t *account_errand(const struct works *w, const char *ca, int64_t now_s);

/* Is this the id of such a row? */
bool account_is_errand(const char *id);

/* The JWS of it, and what the CA says. */
enum rc account_errand_jws(struct op_call *call, json_t *answer, struct fault *f) MUST_CHECK;
enum rc account_answered(struct works *w, const char *id, bool final, const char *reason,
    const char *detail, int64_t now_s, struct fault *f) MUST_CHECK;

#endif
