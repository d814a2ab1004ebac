/*
 * The revocation lists that certificates name (crl.h): which are wanted, whose
 * they are, and of each the newest that was had.  The renewer fetches and may
 * keep back or repeat, so a list never gives way to an older one, also over
 * restarts: STATE/front/crls/ID.crl.
 *
 * Changed by the builder thread alone (crl_ops.c); shown to the loop, which is
 * what the lock is for.
 */
#ifndef AGENT_FRONT_CRLS_H
#define AGENT_FRONT_CRLS_H

#include "agent/config.h"
#include "agent/front/store.h"
#include "stir/chain.h"
#include "stir/crl.h"

#include <pthread.h>

enum {
	CRLS_MAX = 1024,	    /* wanted at once */
	CRLS_OCTETS_MAX = 67108864, /* of all that are kept */
	CRLS_ENTRIES_MAX = 1048576, /* … whose memory is several times their octets */
	CRLS_LEFT_MAX = 128, /* files of lists that nobody names, of CRL_MAX_DER at most */
	CRLS_SHOWN = 64,
	CRLS_ID = 2 * 32 + 1,
	CRLS_DETAIL_MAX = 160,
};

struct crls_one {
	char id[CRLS_ID];	   /* hex SHA-256 of URL and signer */
	char url[CRL_URL_MAX + 1]; /* "": none of the certificate's can be fetched */
	X509_NAME *issuer;
	char *issuer_text;
	struct cert *signer; /* the certificate's issuer; NULL: indirect, one of crl_issuers */
	bool of_user, of_ca; /* kinds of certificates that name it */
	bool wanted;	     /* by a certificate in force, or one that is to be */
	bool marked;	     /* in this look; builder's own */
	bool unfit;	     /* likewise: it does not speak of a certificate that names it */
	int64_t held_s;	     /* a certificate waits for it to be installed, until then */
	int64_t since_s;     /* wanted for the first time */
	struct crl *crl;     /* NULL: none was had */
	size_t octets;
	int64_t fetched_s;	      /* 0: not by this process */
	int64_t due_s;		      /* when to fetch it */
	int64_t busy_s;		      /* until then an answer may still come */
	unsigned failures;	      /* in a row */
	char detail[CRLS_DETAIL_MAX]; /* what the last fetch met; "": nothing */
	bool told;		      /* its alarm has begun */
	bool dirty;		      /* not on disk as it is */
};

struct crls {
	pthread_mutex_t lock;
	struct crls_one *one[CRLS_MAX];
	size_t len;
	const void *files; /* of the configuration by which the lists were verified */
	size_t
	    passed; /* listed ones that could not be put out of force, passed over next time */
	bool unjudged;	    /* the alarm for what has no place here has begun */
	size_t next;	    /* whose turn it is to be fetched */
	size_t left;	    /* files that nobody names any more, since the last sweep */
	int64_t sweep_at_s; /* crls_sweep.h; 0: since the start there was no look */
};

enum rc crls_new(struct crls **out, struct fault *f) MUST_CHECK;
void crls_free(struct crls *t);

/* The certificate that names it, and what it says; the certificate above it. */
struct crls_wish {
	const struct crl_point *point;
	const struct cert *cert, *signer;
};

/* Where the lists are judged. */
struct crls_rules {
	const struct config *config;
	const struct chain *issuers; /* of indirect lists; NULL: none */
	int64_t now_s;
};

/*
 * Builder thread.  The list of this certificate; where it is new, with what is
 * on disk of it.  RC_BUSY overloaded where CRLS_MAX are wanted.
 */
enum rc crls_want(struct crls *t, const struct crls_wish *wish, const struct crls_rules *rules,
    struct crls_one **out, struct fault *f) MUST_CHECK;

struct crls_one *crls_find(const struct crls *t, const char *id); /* builder thread */

/* Is it signed by whom the certificates name?  As crl_verify(). */
enum rc crls_verify(const struct crls_one *one, const struct crl *crl,
    const struct crls_rules *rules, struct fault *f) MUST_CHECK;

/* Does it speak of any kind of certificate that names it?  As crl_covers(). */
enum rc crls_fits(
    const struct crls_one *one, const struct crl *crl, struct fault *f) MUST_CHECK;

/*
 * Octets that came to the list that is kept: read, verified, in its time, and
 * not older than the one before.  Takes its place when all of that is so.  What
 * a full disk refuses is left dirty.  A number may be smaller where the one
 * before is over: a CA that lost its count is believed then, by its date.
 */
enum rc crls_take(struct crls *t, struct crls_one *one, struct span der,
    const struct crls_rules *rules, struct fault *f) MUST_CHECK;

/* The last fetch met this; "" for nothing. */
void crls_note(struct crls *t, struct crls_one *one, const char *detail, int64_t due_s);

/* Its file. */
enum rc crls_file(
    const struct config *c, const char *id, struct store_path *out, struct fault *f) MUST_CHECK;

/* To disk.  Those that are dirty are tried again. */
enum rc crls_write(const struct config *c, struct crls_one *one, struct fault *f) MUST_CHECK;

/* There is one, in its time: what it does not list is not revoked.  As crl_current(). */
enum rc crls_usable(
    const struct crls_one *one, const struct crls_rules *rules, struct fault *f) MUST_CHECK;

/* Without those that nobody wants, and whose alarm is over. */
void crls_drop(struct crls *t, const struct config *c, int64_t now_s);

/* Any thread: the member "crls" of the status, of CRLS_SHOWN of them. */
void crls_show(struct crls *t, struct buf *out, const struct config *c, int64_t now_s);

#endif
