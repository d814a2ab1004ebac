/*
 * Keys that are over: destroyed in the token when their overlap has passed.
 * Each is a file STATE/front/retiring/KEYID.json, written before the key goes
 * out of use, so that a crash does not lose it.
 *
 * Whether a key may go is decided when it is due: never one with a
 * certificate in force, an outstanding request or an account; one that was
 * brought here never while a certificate or a request of another credential has
 * it, in force or not.  What a tenant has whose end is confirmed (offboard.h)
 * needs no key: neither its own nor one that another tenant has, too.
 */
#ifndef AGENT_FRONT_RETIRE_H
#define AGENT_FRONT_RETIRE_H

#include "agent/front/works.h"

enum {
	RETIRE_OVERLAP_S = CREDENTIAL_OVERLAP_S, /* requests in flight, and a roll-back */
	RETIRE_RETRY_S = 300,			 /* after the token failed, or a doubt */
	RETIRE_SOON_S = 3,			 /* nobody is there who could destroy it */
	/*
	 * What falls due within it goes together: each change of a big token
	 * makes its signers look at all of it again.
	 */
	RETIRE_TOGETHER_S = 60,
};

/* The key of this credential goes at at_s at the earliest. */
enum rc retire_note(struct works *w, const uint8_t key_id[KEY_ID_LEN], struct credset_place at,
    int64_t at_s, struct fault *f) MUST_CHECK;

/* The same by names, of a credential that need not be configured; tenant "": of this CA's account. */
struct retire_whose {
	const char *token, *tenant, *name;
};
enum rc retire_note_of(struct works *w, const uint8_t key_id[KEY_ID_LEN],
    const struct retire_whose *whose, int64_t at_s, struct fault *f) MUST_CHECK;

/* It is in use: what is due would be judged so, too. */
void retire_forget(struct works *w, const uint8_t key_id[KEY_ID_LEN]);

/* How many of a tenant's wait to be destroyed; RC_INVALID: a file does not say whose. */
enum rc retire_count(
    const struct works *w, const char *tenant, size_t *out, struct fault *f) MUST_CHECK;

/* Destroy what is due; returns when the next one is, INT64_MAX: none. */
int64_t retire_due(struct works *w, int64_t now_s);

#endif
