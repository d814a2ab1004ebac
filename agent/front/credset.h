/*
 * The snapshot that requests are judged by: tenants, their credentials in
 * force and an index over the numbers.  Immutable once built; unchanged
 * credentials are shared with the snapshot before.
 *
 * Built by load.c and install.c on the builder thread, published to the event
 * loop, which takes one reference per request.  Counting is atomic; whoever
 * drops the last reference frees, so the loop hands old sets to the builder.
 */
#ifndef AGENT_FRONT_CREDSET_H
#define AGENT_FRONT_CREDSET_H

#include "agent/front/contents.h"
#include "agent/front/peers.h"
#include "agent/front/tnlist.h"
#include "agent/front/trust.h"
#include "stir/encompass.h"
#include "stir/gate.h"
#include "stir/sct.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	CREDSET_MAX_OVERLAP = 64,	  /* tenants that share one number */
	CREDSET_MAX_INTERVALS = 16777216, /* of all tenants together */
	CREDENTIAL_PROBLEM_MAX = 160,	  /* the renewer's word, for status */
	CREDENTIAL_STEP_MAX = 32,	  /* and its name for where it is */
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
	/*
	 * Of one that has a reserve, and of the reserve: since when that signs in
	 * its place, as an operator said (reserve.h); 0: it does not.
	 */
	_Atomic int64_t failed_over_at_s;
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

/*
 * Any thread.  It is not chosen, whatever its state: in reserve for another
 * one, or its reserve signs in its place.
 */
static inline bool
credential_stands_by(const struct config_credential *cc, const struct credential *c)
{
	bool over = atomic_load_explicit(&c->failed_over_at_s, memory_order_relaxed) != 0;

	return cc->reserve_for != NULL ? !over : over && cc->reserve != NULL;
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

struct credset_tenant {
	const struct config_tenant *config; /* in credset->config */
	struct credential **credential;	    /* same order as config->credential */
};

/* What sets with one configuration have in common; reference counted. */
struct credset_base;
struct credset_x5u;

struct credset {
	atomic_uint refs;
	uint64_t generation; /* counts up with every published set */
	struct credset_base *base;
	/* All borrowed from base, but what trust has newer: */
	const struct config *config;
	const struct ctlogs *ctlogs;			   /* NULL: none configured */
	const struct anchors *anchors, *authority_anchors; /* NULL likewise */
	const struct chain *crl_issuers; /* NULL likewise: signers of indirect lists (crls.h) */
	const struct credset_index *index; /* number -> tenants */
	unsigned ppts; /* 1 << ppt: some credential of some enabled tenant could sign it */
	struct credset_tenant *tenant; /* same order as config->tenant: sorted by name */
	struct credential **slot;      /* every tenant's credentials, one after the other */
	/*
	 * In the same order: the one that the present one has replaced lately,
	 * for what is dated before it was valid.  NULL: none.
	 */
	struct credential **before;
	size_t slots, loading;	   /* … and those of them that are LOADING, as load.c says */
	struct trust *trust;	   /* one reference; NULL: no list was fetched */
	uint8_t judged_by[32];	   /* credset_judged_by() */
	struct contents *contents; /* one reference; NULL: nothing is observed */
	struct credset_x5u *x5u;   /* x5u -> credential */
	struct credset *next;	   /* for the list of whoever holds the last reference */
};

struct credset *credset_ref(struct credset *s);
void credset_release(struct credset *s); /* NULL is fine */

static inline void
credset_releasep(struct credset **s)
{
	credset_release(*s);
}
#define AUTO_CREDSET __attribute__((cleanup(credset_releasep))) struct credset

/*
 * The tenants (indexes into set->tenant) whose configured numbers contain key
 * (tn_key): at most max, sorted.  A binary search.  CREDSET_MAX_OVERLAP is
 * always enough.
 */
size_t credset_lookup(const struct credset *s, uint64_t key, uint32_t *tenant, size_t max);

/*
 * The chain of a READY credential with that x5u, or of the one before it, else of another party that is
 * known by it (peers.h): one look into a hash table, one binary search.  It is
 * to be verified.  NULL: none.
 */
const struct chain *credset_chain(const struct credset *s, struct span x5u);

/* Where a credential stands; false when the configuration has none of that name. */
struct credset_place {
	size_t tenant, credential; /* indexes into config */
};
bool credset_find(
    const struct credset *s, const char *tenant, const char *name, struct credset_place *out);

/* Borrowed from the set. */
struct credential *credset_credential(const struct credset *s, struct credset_place at);
const struct config_credential *credset_config(
    const struct credset *s, struct credset_place at);

/*
 * The one to sign with at now_s what is dated iat_s: that in force, but its
 * predecessor where iat_s lies before its notBefore and within the other's
 * validity, as long as that has its key.  A certificate has to be valid at
 * both moments (RFC 8224 section 6.1), and so a renewal refuses nobody.
 */
struct credential *credset_dated(
    const struct credset *s, struct credset_place at, int64_t iat_s, int64_t now_s);

/* Is it the one in this place, or the one before it? */
bool credset_serves(
    const struct credset *s, struct credset_place at, const struct credential *c);

/* The one before it, NULL: none, or none that may sign any more. */
struct credential *credset_before(
    const struct credset *s, struct credset_place at, int64_t now_s);

/* ---- building, on the builder thread ---- */

/* What a base is made of; everything but config may be NULL. */
struct credset_parts {
	struct config *config;
	struct ctlogs *ctlogs;
	struct anchors *anchors, *authority_anchors;
	struct chain *crl_issuers;
	struct peers *peers;
	uint8_t judged_by[32]; /* digest of anchors and logs: part of credential->judged */
};

/*
 * Index the numbers and take the parts over (not on failure).  RC_INVALID
 * config when more than CREDSET_MAX_OVERLAP tenants share a number.
 */
enum rc credset_base_new(
    const struct credset_parts *parts, struct credset_base **out, struct fault *f) MUST_CHECK;
/*
 * What holds of a tenant's numbers from now on.  The sets are copied; asked
 * may be NULL.  Where its credentials are divided, members says over which;
 * what is new among them stands behind the others, and has no credential yet.
 */
struct credset_renumber {
	size_t tenant; /* index in config, ascending */
	const struct tnset *numbers, *asked;
	struct members *members; /* takes a reference of its own; NULL: none */
	int64_t renumber_at_s;
};

/*
 * The same set, every credential shared, with other numbers of n tenants.  Its
 * configuration is another one, which shares all else with that of s.
 */
enum rc credset_renumber(const struct credset *s, const struct credset_renumber *change,
    size_t n, struct credset **out, struct fault *f) MUST_CHECK;

/*
 * The same set, every credential shared, with this tenant (an index in config)
 * off-boarded, or enabled again as its file says.
 */
enum rc credset_offboard(const struct credset *s, size_t tenant, bool off, struct credset **out,
    struct fault *f) MUST_CHECK;

/*
 * Were both made of one reading of the files?  Then only numbers differ, and
 * who is off-boarded, by index of tenant, and a tenant may have credentials
 * behind those it had.
 */
bool credset_same_files(const struct credset *a, const struct credset *b);

/* That reading, for whoever keeps no set: to be compared, and never looked into. */
const void *credset_files(const struct credset *s);

void credset_base_release(struct credset_base *b); /* NULL is fine */

/* The digest of anchors and logs that it judges by. */
const uint8_t *credset_judged_by(const struct credset *s);

static inline void
credset_base_releasep(struct credset_base **b)
{
	credset_base_release(*b);
}
#define AUTO_CREDSET_BASE __attribute__((cleanup(credset_base_releasep))) struct credset_base

/* A set without credentials: every slot NULL until credset_put().  Takes a reference of base. */
enum rc credset_new(
    struct credset_base *base, struct credset **out, struct fault *f) MUST_CHECK;

/*
 * Before the set is published only; takes the reference of c, whose x5u is
 * set, over.  What is known of its use and of a fail-over stays known.  A certificate in force that it renews becomes the one before it;
 * anything else, such as a list by reference that has changed, leaves none.
 */
void credset_put(struct credset *s, struct credset_place at, struct credential *c);

/* The same for the one before it, after credset_put(). */
void credset_put_before(struct credset *s, struct credset_place at, struct credential *c);

/* The same set without those before that may not sign any more; *changed: there were some. */
enum rc credset_forget(const struct credset *s, int64_t now_s, struct credset **out,
    bool *changed, struct fault *f) MUST_CHECK;

/* Before the set is published only; takes a reference of t. */
void credset_observe(struct credset *s, struct contents *t);

/*
 * The same: it judges by these lists (trust.h) where they are newer than the
 * files of its configuration.  The credentials that it has are not judged anew.
 */
enum rc credset_trust(struct credset *s, struct trust *t, struct fault *f) MUST_CHECK;

/* May they be put in force beside the files of s?  RC_INVALID chain_limit. */
enum rc credset_joins(const struct credset *s, struct trust *t, struct fault *f) MUST_CHECK;

/* The same set with every credential shared, to be changed in one place. */
enum rc credset_copy(const struct credset *s, struct credset **out, struct fault *f) MUST_CHECK;

#endif
