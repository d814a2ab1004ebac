/*
 * Errors: one code per reaction, a stable reason token for machines, one line
 * for people.
 *
 * Every fallible function returns enum rc and takes a struct fault last.  The
 * first fault wins, so a caller may add context without hiding the origin.
 * A detail never holds a secret or a whole telephone number.
 */
#ifndef STIR_FAULT_H
#define STIR_FAULT_H

#include "stir/attr.h"

#include <stdbool.h>

/* One value per distinct reaction, not per call site. */
enum rc {
	RC_OK,
	RC_INVALID,   /* the input is malformed */
	RC_DENIED,    /* well formed, but policy or the certificate forbids it */
	RC_NOT_FOUND, /* no such thing */
	RC_EXPIRED,   /* outside its validity */
	RC_CONFLICT,  /* not in this state */
	RC_BUSY,      /* a limit was reached; try again */
	RC_TIMEOUT,   /* the deadline passed */
	RC_HSM,	      /* the token failed */
	RC_IO,	      /* disk or local socket */
	RC_NET,	      /* a remote party failed */
	RC_NO_MEMORY,
	RC_BUG, /* an invariant of ours does not hold */
	RC__COUNT
};

/*
 * The reason tokens that callers of the socket see, with their HTTP status.
 * docs/PROTOCOL.md explains each.  Decoders use further tokens of their own
 * ("der_length"), which appear in details and in inspect, never on the socket.
 */
#define REASONS(X) \
	X(MALFORMED_JSON, "malformed_json", 400) \
	X(DUPLICATE_MEMBER, "duplicate_member", 400) \
	X(UNKNOWN_MEMBER, "unknown_member", 400) \
	X(MISSING_MEMBER, "missing_member", 400) \
	X(INVALID_MEMBER, "invalid_member", 400) \
	X(UNKNOWN_CLAIM, "unknown_claim", 400) \
	X(MISSING_CLAIM, "missing_claim", 400) \
	X(INVALID_CLAIM, "invalid_claim", 400) \
	X(INVALID_TN, "invalid_tn", 400) \
	X(STALE_IAT, "stale_iat", 400) \
	X(UNSUPPORTED_PPT, "unsupported_ppt", 400) \
	X(MISSING_ORIGINAL, "missing_original", 400) \
	X(MALFORMED_HTTP, "malformed_http", 400) \
	X(NOT_FOUND, "not_found", 404) \
	X(METHOD_NOT_ALLOWED, "method_not_allowed", 405) \
	X(NOT_ACCEPTABLE, "not_acceptable", 406) \
	X(LENGTH_REQUIRED, "length_required", 411) \
	X(TOO_LARGE, "too_large", 413) \
	X(UNSUPPORTED_MEDIA, "unsupported_media_type", 415) \
	X(CALLER_NOT_ALLOWED, "caller_not_allowed", 403) \
	X(TENANT_DISABLED, "tenant_disabled", 403) \
	X(NO_CREDENTIAL, "no_credential", 403) \
	X(TN_NOT_AUTHORIZED, "tn_not_authorized", 403) \
	X(CLAIM_EXCLUDED, "claim_excluded", 403) \
	X(CLAIM_MISSING_BY_CONSTRAINT, "claim_missing_by_constraint", 403) \
	X(VALUE_NOT_PERMITTED, "value_not_permitted", 403) \
	X(COMMITMENT_NOT_PROVABLE, "commitment_not_provable", 403) \
	X(ATTEST_NOT_ALLOWED, "attest_not_allowed", 403) \
	X(DEST_NOT_ALLOWED, "dest_not_allowed", 403) \
	X(RPH_NOT_ALLOWED, "rph_not_allowed", 403) \
	X(ORIGINAL_INVALID, "original_invalid", 403) \
	X(ORIGINAL_MISMATCH, "original_mismatch", 403) \
	X(ORIGINATOR_NOT_LISTED, "originator_not_listed", 403) \
	X(CREDENTIAL_EXPIRED, "credential_expired", 403) \
	X(CREDENTIAL_UNUSABLE, "credential_unusable", 403) \
	X(RTU_WITHDRAWN, "rtu_withdrawn", 403) \
	X(AMBIGUOUS_CREDENTIAL, "ambiguous_credential", 403) \
	X(CLAIM_NOT_VETTED, "claim_not_vetted", 403) \
	X(PRIVATE_CLAIM_IN_CLEAR, "private_claim_in_clear", 403) \
	X(RCD_CONTENT_UNKNOWN, "rcd_content_unknown", 403) \
	X(NUMBER_PENDING, "number_pending", 403) \
	X(SCT_POLICY, "sct_policy", 403) \
	X(IDENTITY_TOO_LARGE, "identity_too_large", 403) \
	X(CALL_REFUSED, "call_refused", 403) \
	X(CONFLICT, "conflict", 409) \
	X(RATE_LIMITED, "rate_limited", 429) \
	X(INTERNAL, "internal_error", 500) \
	X(HSM_UNAVAILABLE, "hsm_unavailable", 503) \
	X(HSM_TIMEOUT, "hsm_timeout", 503) \
	X(OVERLOADED, "overloaded", 503) \
	X(AUDIT_UNAVAILABLE, "audit_unavailable", 503) \
	X(CLOCK_NOT_CREDIBLE, "clock_not_credible", 503)

enum reason {
#define X(name, token, status) REASON_##name,
	REASONS(X)
#undef X
	    REASON__COUNT
};

/* The token of a reason: "tn_not_authorized". */
const char *reason_token(enum reason r);

/* HTTP status of a token; 500 for one that is not in REASONS. */
int reason_status(const char *token);

struct fault {
	enum rc rc;
	char reason[32];   /* stable token */
	char claim[48];	   /* the claim it is about, or "" */
	char detail[200];  /* one line for people */
	const char *where; /* "file.c:123" of the origin */
};

/* Is it for this reason? */
bool fault_is(const struct fault *f, enum reason r);

const char *rc_name(enum rc rc); /* "denied" */

enum rc fault_set(struct fault *f, enum rc rc, const char *reason, const char *claim,
    const char *where, const char *fmt, ...) PRINTF_LIKE(6, 7);

/* Like FAULT, and drains OpenSSL's error queue into the detail. */
enum rc fault_openssl(
    struct fault *f, enum rc rc, const char *reason, const char *where, const char *what);

#define FAULT_STR2(x) #x
#define FAULT_STR(x)  FAULT_STR2(x)
#define FAULT_HERE    __FILE__ ":" FAULT_STR(__LINE__)

/*
 * Record a fault and return its code, so that failing is one statement:
 *
 *	return FAULT(f, RC_INVALID, "der_length", "%zu bytes left", n);
 */
#define FAULT(f, rc, reason, ...) fault_set((f), (rc), (reason), NULL, FAULT_HERE, __VA_ARGS__)

/* With a reason of REASONS:  return REFUSE(f, RC_DENIED, TN_NOT_AUTHORIZED, "orig", "..."); */
#define REFUSE(f, rc, name, claim, ...) \
	fault_set((f), (rc), reason_token(REASON_##name), (claim), FAULT_HERE, __VA_ARGS__)

#define FAULT_OPENSSL(f, rc, reason, what) \
	fault_openssl((f), (rc), (reason), FAULT_HERE, (what))

/* Leave on failure.  Safe because every owned local is scope-bound. */
#define TRY(expr) \
	do { \
		enum rc try_rc = (expr); \
		if (try_rc != RC_OK) \
			return try_rc; \
	} while (0)

#endif
