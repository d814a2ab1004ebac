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

#include "agent/config.h"
#include "stir/gate.h"
#include "stir/sct.h"

#include <stdatomic.h>

enum credential_state {
	CREDENTIAL_READY,
	CREDENTIAL_PENDING,  /* configured, no certificate yet */
	CREDENTIAL_UNUSABLE, /* what is on disk was refused: see fault */
};

/* One credential in force (or the reason why it is not).  Reference counted. */
struct credential {
	atomic_uint refs;
	enum credential_state state;
	struct fault why; /* PENDING, UNUSABLE */
	char *tenant, *name;
	unsigned token; /* index in config->token */
	enum profile profile;
	unsigned priority;
	/* READY: */
	struct chain *chain;
	struct gate *gate;
	uint8_t point[P256_POINT_LEN];
	uint8_t key_id[KEY_ID_LEN];
	int64_t not_before_s, not_after_s; /* of the whole chain */
	size_t scts;			   /* valid ones, as judged at activation */
	char *x5u;			   /* NULL with identity = none */
	char *header[PPT__COUNT]; /* protected header text per ppt; NULL: not of its class */
	int64_t renew_at_s;	  /* as the renewer last said; 0: unknown */
};

struct credential *credential_ref(struct credential *c);
void credential_release(struct credential *c); /* NULL is fine */

struct credset_tenant {
	const struct config_tenant *config; /* in credset->config */
	struct credential **credential;	    /* same order as config->credential */
};

struct credset {
	atomic_uint refs;
	uint64_t generation;   /* counts up with every published set */
	struct config *config; /* shared, reference counted by config_refs */
	atomic_uint *config_refs;
	struct ctlogs *ctlogs;
	struct anchors *anchors, *authority_anchors; /* shared likewise through config_refs */
	struct credset_tenant *tenant; /* same order as config->tenant: sorted by name */
	struct credset_index *index;   /* number -> candidates */
};

struct credset *credset_ref(struct credset *s);
void credset_release(struct credset *s); /* NULL is fine */

/*
 * The tenants (indexes into set->tenant) whose configured numbers contain key
 * (tn_key): at most max, sorted.  A binary search.
 */
size_t credset_lookup(const struct credset *s, uint64_t key, uint32_t *tenant, size_t max);

#endif
