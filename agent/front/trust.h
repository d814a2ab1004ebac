/*
 * Lists that certificates are judged by and that do not come with the
 * configuration: their publisher signs them, the renewer fetches them, and the
 * front verifies them here, whenever they are read, also from its own disk.
 *
 * Immutable once made; reference counted; made by the builder thread.
 */
#ifndef AGENT_FRONT_TRUST_H
#define AGENT_FRONT_TRUST_H

#include <stdatomic.h>

#include "agent/config.h"
#include "stir/chain.h"
#include "stir/ctlogs.h"

enum trust_kind {
	TRUST_LOGS,  /* transparency logs: stir/loglist.h */
	TRUST_ROOTS, /* STI-CAs, as the STI-PA lists them: stir/stilist.h */
	TRUST__KINDS
};

enum { TRUST_DIGEST = 32, TRUST_AHEAD_S = 300 /* that a publisher's clock may be ahead */ };

const char *trust_name(enum trust_kind k); /* "ct_logs", "sti_pa" */

struct trust_list {
	atomic_uint refs;
	uint8_t digest[TRUST_DIGEST]; /* of its octets; of the roots alone */
	uint8_t by[TRUST_DIGEST];     /* of the key file that it was verified with */
	int64_t kept_s;		      /* when it was fetched */
	/* Of TRUST_LOGS: */
	int64_t issued_s;
	struct ctlogs *ctlogs;
	/* Of TRUST_ROOTS: */
	int64_t sequence, exp_s;
	struct anchors *anchors;
};

void trust_list_release(struct trust_list *l); /* NULL is fine */

static inline void
trust_list_releasep(struct trust_list **l)
{
	trust_list_release(*l);
}
#define AUTO_TRUST_LIST __attribute__((cleanup(trust_list_releasep))) struct trust_list

struct trust {
	atomic_uint refs;
	struct trust_list *list[TRUST__KINDS]; /* NULL: none was fetched yet */
	struct anchors *anchors; /* trust_join(); NULL: those of the configuration alone */
};

struct trust *trust_ref(struct trust *t);
void trust_release(struct trust *t); /* NULL is fine */

static inline void
trust_releasep(struct trust **t)
{
	trust_release(*t);
}
#define AUTO_TRUST __attribute__((cleanup(trust_releasep))) struct trust

/* Where a list is to be had; NULL: this configuration has none of that kind. */
const char *trust_url(const struct config *c, enum trust_kind k);

/*
 * Is it what the configuration's key has signed?  proof is the detached
 * signature of logs; roots have their own.  How old it may be is not asked:
 * list_future alone refuses what would stand in the way of those that come
 * after it.
 */
enum rc trust_read(const struct config *c, enum trust_kind k, struct span octets,
    struct span proof, int64_t now_s, struct trust_list **out, struct fault *f) MUST_CHECK;

/* To STATE/front/lists, octets and proof in one file, as what came at now_s. */
enum rc trust_keep(const struct config *c, enum trust_kind k, struct span octets,
    struct span proof, int64_t now_s, struct fault *f) MUST_CHECK;

/* The same as old (may be NULL), but for this one, of which it takes a reference. */
enum rc trust_with(const struct trust *old, enum trust_kind k, struct trust_list *l,
    struct trust **out, struct fault *f) MUST_CHECK;

/*
 * The anchors of the configuration (may be NULL) and those of a list, together;
 * before t is put in force, and once.
 */
enum rc trust_join(struct trust *t, const struct anchors *file, struct fault *f) MUST_CHECK;

/*
 * Those that are on disk, each verified anew.  One that cannot be had from
 * there is as in old (may be NULL), if the same key has signed that; it is
 * logged, and not a failure.
 */
enum rc trust_load(const struct config *c, const struct trust *old, struct trust **out,
    struct fault *f) MUST_CHECK;

#endif
