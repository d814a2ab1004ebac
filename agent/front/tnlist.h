/*
 * TNAuthLists by reference (RFC 8226 section 10.1, D-46): what the URL in a
 * certificate led to, and when.  The renewer fetches; here it is decoded,
 * kept in the state directory and used by snapshot.  It is not signed, so it
 * only ever counts together with the numbers that the tenant's configuration
 * names (D-60).
 *
 * A list never changes; the times of the last fetch do.
 */
#ifndef AGENT_FRONT_TNLIST_H
#define AGENT_FRONT_TNLIST_H

#include "agent/config.h"

#include <stdatomic.h>

enum { TNLIST_URL_MAX = 2048, TNLIST_LEAST_S = 60 /* between two fetches */ };

struct tnlist {
	atomic_uint refs;
	char *url;
	uint8_t digest[32]; /* of its octets */
	struct tnset *numbers;
	_Atomic int64_t fetched_at_s;
	_Atomic int64_t due_s; /* when to fetch again */
};

struct tnlist *tnlist_ref(struct tnlist *l);
void tnlist_release(struct tnlist *l); /* NULL is fine */

static inline void
tnlist_releasep(struct tnlist **l)
{
	tnlist_release(*l);
}
#define AUTO_TNLIST __attribute__((cleanup(tnlist_releasep))) struct tnlist

/* Whose list it is. */
struct tnlist_of {
	const struct config *config;
	const char *tenant, *name;
	const struct config_credential *credential;
};

/*
 * The moment to fetch again: what the server said of its freshness, at most
 * half of tnlist_max_age_s, so that a failure or two do no harm.
 */
int64_t tnlist_due_s(const struct tnlist_of *of, int64_t fetched_at_s, int64_t fresh_s);

/* Octets to a list.  RC_INVALID with a token of tnauth_decode_numbers(). */
enum rc tnlist_make(const struct tnlist_of *of, const char *url, struct span der,
    int64_t fetched_at_s, int64_t fresh_s, struct tnlist **out, struct fault *f) MUST_CHECK;

/*
 * What both lists hold, as old as the second: for what a list has lost where
 * the whole of it is refused.  It is like no octets, so that the next fetch is
 * news.
 */
enum rc tnlist_common(const struct tnlist *a, const struct tnlist *b, struct tnlist **out,
    struct fault *f) MUST_CHECK;

/* STATE/front/tenants/T/C/tnlist-HASH.der; HASH is SHA-256 of the URL. */
enum rc tnlist_write(const struct tnlist_of *of, const char *url, struct span der,
    int64_t fetched_at_s, int64_t fresh_s, struct fault *f) MUST_CHECK;
/* RC_NOT_FOUND where it has not been fetched. */
enum rc tnlist_read(const struct tnlist_of *of, const char *url, struct tnlist **out,
    struct fault *f) MUST_CHECK;

/* Remove the files of this credential's other URLs; url may be NULL. */
void tnlist_sweep(const struct tnlist_of *of, const char *url);

#endif
