/*
 * What an operator asks for by hand on the administration socket and the
 * builder thread does: a request for a CA that speaks no ACME, the chain that
 * came of it, the account that an authority wants to know before anything is
 * ordered.  Nothing is judged more mildly than what the renewer brings: the
 * same functions are called.
 */
#ifndef AGENT_FRONT_HAND_H
#define AGENT_FRONT_HAND_H

#include "stir/fault.h"

#include <jansson.h>
#include <stdint.h>

struct works;

enum hand {
	HAND_CSR,     /* of a credential: {"csr": PEM, "key": hex} */
	HAND_INSTALL, /* body {"chain": PEM}: {"serial", "not_before", "not_after"} */
	HAND_ACCOUNT, /* tenant is a CA: {"ca", "jwk", "jwk_fingerprint", "spki_fingerprint"} */
	HAND_CONTACT,
	HAND_KEY, /* of a CA: its account, and what is asked of it now */
	HAND_DEACTIVATE,
	HAND_REPLACE, /* the same; body {"confirm": CA} */
	HAND_JUDGE,   /* body {"token"}: a report of all that is wrong with it */
	HAND_TOKEN,   /* body {"token"}: the same; a good one goes to the renewer */
	/*
	 * body {"kind": "numbers" or "claims"} or none: the report of what the
	 * authority answers now, which is not kept
	 */
	HAND_FETCH,
	HAND_HISTORY, /* of a credential: {"certificates": […]} */
	HAND_REVOKE, /* body {"serial", "reason", "by"} or none: {"serial", "state", "answer"} */
	/*
	 * Of a tenant, without a name; body {"add": [TN], "remove": [TN]}, one of
	 * them or both: {"tenant", "added", "removed", "numbers"}
	 */
	HAND_NUMBERS,
	HAND_FAILOVER,
	HAND_FAILBACK, /* of a tenant; body {"credential"}, with a reserve: reserve.h */
	HAND_KEYS,     /* tenant is a token: whose its keys are, and of what use */
	HAND_ORPHANS,  /* the same; body {"confirm": TOKEN, "key": hex} or none (orphans.h) */
	/*
	 * Of a tenant, without a name (offboard.h): body {"confirm": TENANT}, with
	 * "reason" and "by" or "outstanding"; the result is its off-boarding
	 */
	HAND_OFFBOARD,
	HAND_DESTROY_KEYS,
	HAND_TAKE_BACK,	  /* no body */
	HAND_OFFBOARDING, /* no body: shown */
	HAND__COUNT
};

struct hand_call {
	struct works *w;
	const char *tenant, *name;
	const json_t *body; /* its members are of the types that the table demands */
	int64_t now_s;
	uint64_t job;	 /* which the same call keeps until it is over */
	int64_t again_s; /* set with RC_BUSY where it is worth waiting until then */
	json_t *event; /* out: for the renewer, without which the job has failed; NULL: none */
	bool event_may_fail; /* … it has not: the renewer asks by itself */
};

const char *hand_name(enum hand kind); /* "csr" */
bool hand_of_ca(enum hand kind);       /* of a CA's account, not of a tenant */
bool hand_of_tenant(enum hand kind); /* and no credential's: its body names what it is about */
bool hand_of_offboarding(enum hand kind); /* … which the configuration need not name any more */
bool hand_of_token(enum hand kind);

/*
 * The members of a body, strings, up to one without a name; where none has to
 * be there, nor has a body.  The loop checks it before it gives the body away.
 */
enum { HAND_MEMBERS = 4 };
struct hand_member {
	const char *name;
	bool optional;
};
const struct hand_member *hand_members(enum hand kind);

/* RC_OK with the members of the result put into it. */
enum rc hand_run(
    enum hand kind, struct hand_call *call, json_t *result, struct fault *f) MUST_CHECK;

#endif
