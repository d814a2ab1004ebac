/*
 * How often the renewer may have something made for one credential: keys in
 * the token, and records of refused certificates.  A renewer that is taken
 * over can ask as fast as it likes; the token and the audit trail pay for it.
 *
 * Builder thread only.  No clock: time is given.
 */
#ifndef AGENT_FRONT_ALLOW_H
#define AGENT_FRONT_ALLOW_H

#include "agent/config.h"

enum {
	/* Keys that come into force are not counted: what is left is for orders given up. */
	ALLOW_KEYS = 8,
	ALLOW_KEY_S = 60, /* one more in this time */
	ALLOW_REFUSALS = 16,
	ALLOW_REFUSAL_S = 60,
	ALLOW_MAX = 65536, /* credentials that are not as if nothing had been asked */
};

struct allow_one; /* what one credential has used */

struct allow {
	struct allow_one *item;
	size_t len, cap;
};

void allow_done(struct allow *a);

/* RC_BUSY overloaded: too many; the detail says when.  RC_NO_MEMORY. */
enum rc allow_key(struct allow *a, const char *tenant, const char *name, int64_t now_s,
    struct fault *f) MUST_CHECK;

/* The key came into force, or the token would not make it: it does not count. */
void allow_key_back(struct allow *a, const char *tenant, const char *name);

/*
 * Whether a refusal is to be recorded; *unsaid: how many were not, since the
 * last that was.
 */
bool allow_refusal(struct allow *a, const char *tenant, const char *name, int64_t now_s,
    unsigned *unsaid) MUST_CHECK;

#endif
