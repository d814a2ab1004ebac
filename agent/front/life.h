/*
 * Where a credential stands in its life, for people and for alarms: one word
 * out of what the configuration, the certificate and the renewer say.
 *
 * Pure: values in, a value out.  What requests are judged by is elsewhere.
 */
#ifndef AGENT_FRONT_LIFE_H
#define AGENT_FRONT_LIFE_H

#include "agent/front/credset.h"

/* In the order in which they normally happen, then the ends. */
#define LIVES(X) \
	X(DRAFT, "draft")		  /* nothing was asked for yet */ \
	X(WAITING_TOKEN, "waiting_token") /* of an authority, or of whoever pushes it */ \
	X(ORDERING, "ordering")		  /* the CA is asked */ \
	X(PUBLISHING, "publishing")	  /* the chain is here: judged, put where x5u is */ \
	X(IN_FORCE, "in_force") \
	X(RENEWING, "renewing") /* in force, and the next one is asked for */ \
	X(DISABLED, "disabled") /* the tenant is */ \
	X(REVOKED, "revoked") \
	X(EXPIRED, "expired") \
	X(REFUSED, \
	    "refused") /* nothing is in force, and asking again does not help by itself */

enum life {
#define X(name, text) LIFE_##name,
	LIVES(X)
#undef X
	    LIFE__COUNT
};

const char *life_name(enum life l); /* "in_force" */

struct life_facts {
	bool enabled; /* the tenant is */
	enum credential_state state;
	const char *why;  /* the reason of PENDING and UNUSABLE; NULL: none */
	bool over;	  /* of READY: its validity is */
	const char *step; /* of the renewer; "": none is under way */
	unsigned refusals;
};

enum life life_of(const struct life_facts *facts);

/*
 * The token before the colon of a renewer's problem, "" where there is none:
 * a reason is lower-case letters, digits and "_".
 */
enum { LIFE_REASON_MAX = 64 };
void life_reason(const char *problem, char out[LIFE_REASON_MAX]);

#endif
