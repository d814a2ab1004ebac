/*
 * The audit's records as text: each numbered, per tenant too, and holding the
 * hash of the one before.  Bytes only; audit.c has the files and the thread.
 *
 * A chain is used by one thread at a time.
 */
#ifndef AGENT_FRONT_AUDITCHAIN_H
#define AGENT_FRONT_AUDITCHAIN_H

#include "stir/buf.h"

enum {
	AUDIT_HASH_TEXT = 64,
	AUDIT_MAX_TENANTS = 65536,
	AUDIT_MAX_TENANT = 128, /* octets of a tenant's name as JSON */
};

struct auditchain; /* opaque: seq, prev, the tenants' sequences */

/* At the beginning: no record yet.  RC_NO_MEMORY. */
enum rc auditchain_new(struct auditchain **out, struct fault *f) MUST_CHECK;
void auditchain_free(struct auditchain *c);
DEFINE_FREEP(auditchain);

/* A record before it has its numbers: JSON text, borrowed. */
struct auditrecord {
	struct span stamp;   /* "time":…,"event":… */
	struct span tenant;  /* a string with its quotes, or null */
	struct span cause;   /* "request_id":…,"reason":… */
	struct span members; /* further members or nothing */
	uint64_t of;	     /* one more, the seq of the record that it is about; 0: none */
};

/* Append the record's line with its newline, and go on from it. */
enum rc auditchain_render(struct auditchain *c, const struct auditrecord *r, struct buf *out,
    struct fault *f) MUST_CHECK;

/* Where the chain stands; going back also takes the records since then. */
struct auditmark {
	uint64_t seq;
	char prev[AUDIT_HASH_TEXT + 1];
};
struct auditmark auditchain_mark(const struct auditchain *c);
void auditchain_back(struct auditchain *c, const struct auditmark *mark);
void auditchain_untenant(struct auditchain *c, struct span tenant); /* one record less */

/* "tenants":{"acme":7,…}: the tenants' sequences so far. */
void auditchain_put_tenants(const struct auditchain *c, struct buf *out);

/*
 * Go on from a line that was read (without its newline).  The first line of a
 * file says where the file begins and which sequences the tenants had; every
 * other one must follow the one before.  RC_INVALID audit_chain.
 */
enum rc auditchain_follow(
    struct auditchain *c, struct span line, bool first, struct fault *f) MUST_CHECK;

#endif
