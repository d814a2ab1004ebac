/*
 * A credential in force, or why it is not: the certificate with its key, what
 * was judged of it at activation, and what becomes known while it serves.
 * Reference counted; whoever drops the last reference frees.
 *
 * Made by judge.c and load.c on the builder thread, and in a set (credset.h)
 * that does not change; what does change in it says from which threads.
 */
#ifndef AGENT_FRONT_CREDENTIAL_H
#define AGENT_FRONT_CREDENTIAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/front/tnlist.h"
#include "stir/encompass.h"
#include "stir/gate.h"

enum {
	CREDENTIAL_PROBLEM_MAX = 160, /* the renewer's word, for status */
	CREDENTIAL_STEP_MAX = 32,     /* and its name for where it is */
	CREDENTIAL_FINGERPRINT = 2 * 32 + 1,
	CREDENTIAL_MAX_WARNINGS = 8,
	CREDENTIAL_WARNING_MAX = 120,
	CREDENTIAL_OVERLAP_S = 600, /* how long a key outlives its replacement */
	CREDENTIAL_BEFORE_S = 540,  /* and how long of that it may still sign */
};

struct header_made;

struct credential_warning { /* lint.h */
	const char *what;
	char detail[CREDENTIAL_WARNING_MAX];
};

enum credential_state {
	CREDENTIAL_READY,
	CREDENTIAL_PENDING,  /* configured, no certificate yet */
	CREDENTIAL_UNUSABLE, /* what is on disk was refused: see fault */
	CREDENTIAL_LOADING,  /* at a start: what is on disk was not looked at yet */
	CREDENTIAL_REVOKED,  /* by an operator (revoke.h) */
};

/* How far the renewal is, as the renewer last said: a value, for status and alarms. */
struct credential_progress {
	char step[CREDENTIAL_STEP_MAX]; /* "challenge"; "": none is under way */
	int64_t step_since_s;
	unsigned attempts;	 /* failures in a row that may pass */
	unsigned refusals;	 /* failures in a row that do not */
	int64_t failing_since_s; /* when the first of them was told; 0: it does not fail */
	bool by_push;		 /* it needs a token that nobody can ask for */
	int64_t token_until_s;	 /* by_push: when what was brought expires; 0: none is here */
};

/* One credential in force (or the reason why it is not).  Reference counted. */
struct credential {
	atomic_uint refs;
	enum credential_state state;
	struct fault
	    why; /* PENDING, UNUSABLE; READY: RC_OK, or why a file on disk is not used */
	char *tenant, *name;
	unsigned token; /* index in config->token */
	enum profile profile;
	unsigned priority;
	/* READY: */
	struct chain *chain;
	struct gate *gate;
	struct tnlist *list; /* by reference, one reference; NULL: none, or not at hand */
	struct salts *salts; /* of its commitments, borrowed by the gate; NULL: none */
	uint8_t point[P256_POINT_LEN];
	uint8_t key_id[KEY_ID_LEN];
	bool imported;			   /* the key was brought into the token (keyfile.h) */
	int64_t not_before_s, not_after_s; /* of the whole chain */
	int64_t installed_at_s;		   /* when the chain was written to disk */
	size_t scts;			   /* valid ones, as judged at activation */
	/* As judged then: with its codes as scope, and as names of originators (D-45). */
	enum encompass_verdict scope, scope_of_numbers;
	char fingerprint[CREDENTIAL_FINGERPRINT]; /* hex SHA-256 of the leaf; of REVOKED, too */
	char *root_pem; /* published behind the chain; NULL: not, or the chain has it */
	char *x5u; /* whole URL, byte-equal to the header's; NULL where none is configured */
	/*
	 * base64url of the protected header, without the dot after it; NULL
	 * where the ppt is not of the credential's class or not allowed, needs
	 * an x5u that is not there, or would always be too large.
	 */
	char *header[PPT__COUNT];
	struct header_made *made[PPT__COUNT]; /* headers.c's own; NULL: not asked for yet */
	struct credential_warning *warning;
	size_t warnings;
	uint8_t judged[32]; /* digest of what it was judged by: equal means nothing changed */
	/*
	 * As the renewer last said (0: unknown).  The facts below change
	 * while the set is in force: numbers are read as they are, the problem
	 * by credential_problem().
	 */
	_Atomic int64_t renew_at_s;
	_Atomic int publish_error;   /* errno of its publish_dir when last looked at; 0: well */
	_Atomic int64_t used_at_s;   /* when it last signed; 0: not that anybody knows */
	_Atomic bool asked_for;	     /* LOADING: a request wants it */
	_Atomic bool unordered;	     /* the account at its CA is deactivated */
	_Atomic bool series_refused; /* its CA refuses to end a series of it */
	_Atomic bool crl_listed;     /* REVOKED: its CA has said so, by its list (crl_ops.h) */
	/*
	 * A TNAuthList by reference that is wanted: of the chain in force, or
	 * of one that waits for it.  The URL is guarded by problem_lock.
	 */
	char *list_url;
	_Atomic int64_t list_due_s; /* when to fetch it; 0: now */
	pthread_mutex_t problem_lock;
	char problem[CREDENTIAL_PROBLEM_MAX];
	struct credential_progress progress; /* guarded by problem_lock */
	/* Since when chains for it are refused; 0: none was since the one in force. */
	_Atomic int64_t refused_at_s;
	/* Its number authority refuses it (rtu.h): since when, and the end of signing; 0: no. */
	_Atomic int64_t rtu_refused_at_s, rtu_stop_at_s;
	/* When the first of its certificates with a removed number is revoked; 0: none is. */
	_Atomic int64_t port_revoke_at_s;
	/* The problem of a revocation, a literal; NULL: none.  Both guarded by problem_lock. */
	const char *revocation;
	char revocation_detail[CREDENTIAL_PROBLEM_MAX];
	/* What its logs promised (inclusion.h); NULL: not asked for.  Guarded by problem_lock. */
	struct inclusions *logged;
};

struct credential *credential_ref(struct credential *c);
void credential_release(struct credential *c); /* NULL is fine */

/* One reference and nothing else in it: RC_NO_MEMORY. */
enum rc credential_new(const char *tenant, const char *name, enum credential_state state,
    struct credential **out, struct fault *f) MUST_CHECK;

/* In force at this time. */
static inline bool
credential_serves(const struct credential *c, int64_t now_s)
{
	return c->state == CREDENTIAL_READY && c->not_before_s <= now_s &&
	       now_s <= c->not_after_s;
}

/* Any thread.  An empty text: none. */
void credential_problem(struct credential *c, char out[CREDENTIAL_PROBLEM_MAX]);
/* As much of a problem's text as is kept, flattened for a terminal. */
void credential_clip(const char *text, char out[CREDENTIAL_PROBLEM_MAX]);
void credential_schedule(struct credential *c, int64_t renew_at_s, const char *problem);
void credential_progress(struct credential *c, struct credential_progress *out);
void credential_proceed(struct credential *c, const struct credential_progress *p);
/* All that was said of the other, which this one takes the place of; NULL or itself: nothing. */
void credential_carry(struct credential *from, struct credential *to);

/* Any thread. */
static inline void
credential_used(struct credential *c, int64_t now_s)
{
	if (atomic_load_explicit(&c->used_at_s, memory_order_relaxed) != now_s)
		atomic_store_explicit(&c->used_at_s, now_s, memory_order_relaxed);
}

/* Any thread.  It may not sign: RC_DENIED rtu_withdrawn. */
enum rc credential_may_sign(
    const struct credential *c, int64_t now_s, struct fault *f) MUST_CHECK;

/* Any thread.  The problem that a revocation of its certificates has; NULL: none. */
const char *credential_revocation(struct credential *c, char out[CREDENTIAL_PROBLEM_MAX]);
void credential_revocation_set(struct credential *c, const char *problem, const char *detail);

/* Any thread.  RC_NO_MEMORY leaves what was wanted. */
enum rc credential_want_list(
    struct credential *c, const char *url, int64_t due_s, struct fault *f) MUST_CHECK;
/* false: none is wanted. */
bool credential_wanted_list(struct credential *c, char url[TNLIST_URL_MAX + 1]);

/* The numbers that the chain speaks for, by value and by reference together. */
enum rc credential_numbers(
    const struct credential *c, struct tnset **out, struct fault *f) MUST_CHECK;

static inline void
credential_releasep(struct credential **c)
{
	credential_release(*c);
}
#define AUTO_CREDENTIAL __attribute__((cleanup(credential_releasep))) struct credential

#endif
