/*
 * Revocation lists that tests sign for themselves, good and wrong ones, and
 * what a certificate says of where its list is.
 */
#ifndef TESTS_UNIT_CRLLAB_H
#define TESTS_UNIT_CRLLAB_H

#include "tests/unit/pki.h"

enum crllab_fault {
	CRLLAB_CRITICAL = 1 << 0,	/* an extension that nobody knows */
	CRLLAB_ENTRY_CRITICAL = 1 << 1, /* the same of the first entry */
	CRLLAB_DELTA = 1 << 2,
	CRLLAB_REASONS = 1 << 3, /* for some reasons only */
	CRLLAB_ATTRIBUTES = 1 << 4,
	CRLLAB_NO_NEXT = 1 << 5,
	CRLLAB_WRONG_AKI = 1 << 6,
	CRLLAB_TWICE = 1 << 7, /* an extension */
};

enum { CRLLAB_ENTRIES = 3 };

struct crllab_entry {
	const char *serial; /* hex; NULL: no more */
	const X509 *issuer; /* certificateIssuer; NULL: none is written */
	int reason;	    /* 0: none is written */
};

struct crllab_spec {
	X509 *issuer;
	EVP_PKEY *key;
	int64_t this_s, next_s; /* 0: an hour before, a day after PKI_NOW */
	long number;		/* 0: none */
	const char *url;	/* of its issuing distribution point; NULL: none */
	bool indirect, users, cas;
	const EVP_MD *md; /* NULL: SHA-256 */
	struct crllab_entry entry[CRLLAB_ENTRIES];
	unsigned faults;
};

/* Its DER. */
void crllab_make(struct buf *out, const struct crllab_spec *spec);

enum crllab_point { CRLLAB_PLAIN, CRLLAB_POINT_REASONS, CRLLAB_POINT_RELATIVE };

/*
 * The value of a certificate's cRLDistributionPoints: one, of this URL (several are
 * separated by a blank); issuer NULL: no cRLIssuer.
 */
void crllab_points(
    struct buf *out, const char *url, const X509 *issuer, enum crllab_point kind);

#endif
