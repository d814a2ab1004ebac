/*
 * Series of certificates that a CA renews by itself (STAR, RFC 8739): one
 * order, one request, one key, until the order's end.  What the front has to
 * know of each is STATE/front/series/ID.json, ID the hex SHA-256 of the
 * order's URL, written before the order is finalized: so none runs that could
 * not be canceled, as long as the renewer tells the truth.  The URL is its word:
 * one that was taken over can name another order of the CA, and begin a series
 * that the CA is never told to end.
 *
 * With its first certificate in force the request becomes star.csr beside it
 * and stays outstanding until the order's end or its cancellation; it is what
 * each further certificate of the series is compared with.  A series is
 * canceled when its credential or tenant is disabled or gone, one of its
 * certificates is revoked, a number of its request has left the configuration,
 * or another order's certificate is in force; one of which nothing is in force
 * yet when its certificate is refused or another one begins.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_SERIES_H
#define AGENT_FRONT_SERIES_H

#include "agent/front/ordered.h"
#include "agent/front/pending.h"

enum {
	SERIES_MAX = 32768, /* remembered at once */
	SERIES_OF_ONE = 16, /* of one credential, begun within SERIES_OF_ONE_S */
	SERIES_OF_ONE_S = 3600,
	SERIES_URL_MAX = 2048,
	SERIES_LOOK_S = 60,
	SERIES_AGAIN_S = 86400, /* a CA that refused */
	SERIES_ID = 2 * 32 + 1,
};

/* The names go to disk: append only. */
enum series_state {
	SERIES_BEGUN,	 /* may be finalized; nothing of it is in force yet */
	SERIES_RUNNING,	 /* its request is outstanding */
	SERIES_CANCELED, /* by us; the CA has to be told */
	SERIES_REFUSED,	 /* the CA was told, and refuses: again every day and by a revocation */
	SERIES__COUNT
};

struct series {
	char id[SERIES_ID];
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1], ca[CONFIG_NAME_MAX + 1];
	char *order; /* URL */
	uint8_t key_id[KEY_ID_LEN];
	struct ordered asked;
	enum series_state state;
	int64_t begun_s;
	int64_t since_s;   /* notBefore of its first certificate in force; 0: none was */
	int64_t until_s;   /* of the one of another order that followed; 0: none has */
	bool unfinished;   /* begun before this process was: its certificate may be in force */
	bool again;	   /* REFUSED: its CA is told once more */
	int64_t refused_s; /* when it last was; in no file */
	bool unrecorded;   /* its end could not be written: tried again */
	char answer[CREDENTIAL_PROBLEM_MAX]; /* of the CA, where it refuses */
};

/* Read what is on disk: after the first load. */
enum rc series_load(struct works *w, struct fault *f) MUST_CHECK;
void series_done(struct works *w);

/*
 * The order is about to be finalized with p.  RC_OK also where that is known.
 * Another of the credential that was begun and has come to nothing ends.
 * RC_DENIED series_over for one that was canceled; RC_BUSY overloaded beyond
 * SERIES_OF_ONE: for an hour at most.
 */
enum rc series_begin(struct works *w, struct credset_place at, const char *order,
    const struct ordered *asked, const struct pending *p, int64_t now_s,
    struct fault *f) MUST_CHECK;

/*
 * The request that certificates of this running series are for; order may be
 * NULL.  RC_NOT_FOUND no_pending_csr: there is none, or it is over.
 */
enum rc series_request(const struct works *w, struct credset_place at, const char *order,
    int64_t now_s, struct pending *out, const struct series **of, struct fault *f) MUST_CHECK;

/*
 * A certificate that came of the request outstanding is in force.  Of a series
 * that was begun (order names it): its request is kept as star.csr.  All
 * others of the credential are canceled.  What cannot be kept is said in the
 * log, and the order's next certificate is refused.
 */
void series_installed(
    struct works *w, struct credset_place at, const char *order, const struct pending *p);

/* Its first certificate was refused: nothing comes of it.  One that runs goes on. */
void series_dropped(struct works *w, struct credset_place at, const char *order);

/*
 * Is it a certificate of one that is remembered?  By its key, and by its
 * notBefore: a key may also have served before the first of the series and
 * after the last.
 */
bool series_has(const struct works *w, const struct cert *leaf);

/*
 * It is to be revoked: what it is of ends, and what was begun with its key.
 * What its CA has refused to end it is told of again.
 * RC_IO: so it is, but the note of it has to be tried again.
 */
enum rc series_revoked(struct works *w, const struct cert *leaf, struct fault *f) MUST_CHECK;

bool series_is_asked(const struct series *s); /* its CA is to be told */

/* The credentials of w->set say which a CA refuses to end. */
void series_tell(const struct works *w);

/* The next from *at on that this CA is to be told of; NULL: no more. */
const struct series *series_outstanding(const struct works *w, const char *ca, size_t *at);
const struct series *series_find(const struct works *w, const char *id); /* or NULL */

/* What the renewer says of it.  final: there is no need to ask again; reason NULL: it is done. */
enum rc series_answered(struct works *w, const char *id, bool final, const char *reason,
    const char *detail, int64_t now_s, struct fault *f) MUST_CHECK;

/* Cancel what the configuration wants no more, forget what has ended.  Returns when again. */
int64_t series_due(struct works *w, int64_t now_s);

#endif
