/*
 * What the audit trail says of signing requests: a record for each that was
 * allowed, refused or failed, and one a second for those that are only
 * counted.
 *
 * Loop thread only.
 */
#ifndef AGENT_FRONT_JOURNAL_H
#define AGENT_FRONT_JOURNAL_H

#include "agent/front/conn.h"
#include "agent/front/desk.h"

enum {
	JOURNAL_CONTEXT_MAX = 1024, /* text of the caller's context object */
	JOURNAL_CLAIMS_MAX = 4096,  /* text of the claims; longer ones are not recorded */
	JOURNAL_UNNAMED_PER_S = 100 /* refusals without a tenant, one by one */
};

void journal_open(struct desk *d);  /* starts the once-a-second record */
void journal_close(struct desk *d); /* the last such record */

/* What is about to be signed. */
struct journal_signed {
	const uint8_t *digest; /* ES256_DIGEST_LEN */
	struct span claims;    /* as JSON */
};

/*
 * "sign", or "dry_run": the digest may be signed once this is on disk.  *seq is
 * the record's ticket.
 */
enum rc journal_allowed(struct desk *d, const struct caller *who, const struct sign_request *r,
    const struct decision *x, const struct journal_signed *what, uint64_t *seq,
    struct fault *f) MUST_CHECK;

/*
 * "refuse", or only counted.  known: some tenant is this caller's.  A refusal
 * stands with or without its record.
 */
void journal_refused(struct desk *d, const struct caller *who, bool known,
    const struct sign_request *r, const struct decision *x, const struct fault *why);

/* Refused before there was a decision: counted. */
void journal_count(struct desk *d, const struct fault *why);

/* "sign_failed": the signature of the record with the ticket of was not given out. */
void journal_failed(struct desk *d, const char *tenant, const char *credential,
    const char *request_id, uint64_t of, const struct fault *why);

/*
 * "sign_again": the same claims under the same credential of another token,
 * after the signature of instead was not had.  *seq is the record's ticket.
 */
enum rc journal_moved(struct desk *d, const char *tenant, const struct credential *c,
    const char *request_id, const char *instead, const uint8_t digest[ES256_DIGEST_LEN],
    uint64_t *seq, struct fault *f) MUST_CHECK;

/* The reason of that token; REASON_INTERNAL for one that the socket does not know. */
enum reason journal_reason(const char *token);

#endif
