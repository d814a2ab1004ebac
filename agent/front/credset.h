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

#include <stdatomic.h>

#include "agent/front/contents.h"
#include "agent/front/credential.h"
#include "agent/front/holders.h"
#include "agent/front/peers.h"
#include "agent/front/trust.h"
#include "stir/sct.h"

enum { CREDSET_MAX_OVERLAP = HOLDERS_MAX }; /* tenants that share one number */

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
	const struct holders *holders;	 /* number -> tenants */
	unsigned ppts; /* 1 << ppt: some credential of some enabled tenant could sign it */
	struct credset_tenant *tenant; /* same order as config->tenant: sorted by name */
	struct credential **slot;      /* every tenant's credentials, one after the other */
	/*
	 * In the same order: the one that the present one has replaced lately,
	 * for what is dated before it was valid.  NULL: none.
	 */
	struct credential **before;
	/*
	 * In the same order: of one that has a reserve, and of the reserve, since
	 * when that signs in its place, as an operator said (reserve.h); 0: it does not.
	 */
	int64_t *failed_over_at_s;
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

/* Since when the reserve of its pair signs; 0: it does not, or it is of none. */
static inline int64_t
credset_failed_over(const struct credset *s, struct credset_place at)
{
	return s->failed_over_at_s[&s->tenant[at.tenant].credential[at.credential] - s->slot];
}

/*
 * It is not chosen, whatever its state: in reserve for another one, or its
 * reserve signs in its place.  One set has one answer for both of a pair.
 */
static inline bool
credset_stands_by(const struct credset *s, struct credset_place at)
{
	const struct config_credential *cc = credset_config(s, at);

	if (cc->reserve_for != NULL)
		return credset_failed_over(s, at) == 0;
	return cc->reserve != NULL && credset_failed_over(s, at) != 0;
}

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
 * set, over.  What is known of its use stays known.  A certificate in force that
 * it renews becomes the one before it; anything else, such as a list by reference
 * that has changed, leaves none.
 */
void credset_put(struct credset *s, struct credset_place at, struct credential *c);

/* The same for the one before it, after credset_put(). */
void credset_put_before(struct credset *s, struct credset_place at, struct credential *c);

/* Before the set is published only. */
void credset_fail_over(struct credset *s, struct credset_place at, int64_t since_s);

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
