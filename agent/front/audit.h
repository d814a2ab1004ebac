/*
 * The audit: append-only JSON lines, each with the hash of the one before, in
 * files audit-YYYYMMDD-HHMMSS.jsonl of one directory, whose names sort as they
 * follow each other.
 *
 * {"seq":1,"time":"2026-01-02T03:04:05.678Z","event":"sign","tenant":"acme",
 *  "tenant_seq":1,"request_id":"…","reason":null,"prev":"<64 hex>",…}
 *
 * prev is the SHA-256 of the line before without its newline, 64 zeros first,
 * across files.  The event loop appends; a thread of its own writes and syncs
 * everything that waits in one go, without a timer.
 */
#ifndef AGENT_FRONT_AUDIT_H
#define AGENT_FRONT_AUDIT_H

#include "stir/fault.h"
#include "stir/span.h"

enum { AUDIT_MAX_WAITING = 65536 /* records */ };

struct audit;

/*
 * Recovers seq, prev and the tenants' sequences from the last file, verifies
 * that file's chain, opens a new file and starts the writer thread.  dir must
 * exist and be nobody else's: it is locked.  sync: every batch is on disk
 * before it counts as durable.
 *
 * mark: the file where the end of the trail is remembered, at each new file and
 * at the close, so that a trail that vanished is noticed; NULL: nowhere.
 *
 * The first line of each file is an "open" record: "tenants" (their sequences
 * so far), "torn_bytes" where the last line of the file before had no newline,
 * was never acknowledged and was cut off, "why": start, day, size, failure,
 * and "vanished" (seq, hash) where records up to that one were written and are
 * not there any more.
 *
 * A last file that is in the way (altered, no audit file, unreadable) or a disk
 * that takes nothing is no failure here: the audit has failed, says so in the
 * log, and tries again every second.
 *
 * RC_IO audit_unavailable: no such directory, or it is in use.
 */
enum rc audit_open(const char *dir, const char *mark, bool sync, struct audit **out,
    struct fault *f) MUST_CHECK;
void audit_close(struct audit *a); /* flushes, syncs, joins; NULL is fine */

/*
 * Append one record.  Called by the event loop only; never blocks on the disk.
 *
 * members     text of further JSON members, without braces, may be empty
 *             ("\"peer_uid\":1000,\"digest\":\"…\"")
 * tenant      NULL: none (null in the line, as tenant_seq)
 * request_id, reason   may be NULL (null in the line)
 * seq         this record's ticket: durable once audit_durable() reaches it.  The
 *             seq in the line, tenant_seq and prev are given when it is written
 *
 * RC_IO audit_unavailable when the audit has failed or AUDIT_MAX_WAITING
 * records wait; RC_BUG audit_record for members that would break the line.
 */
enum rc audit_append(struct audit *a, const char *event, const char *tenant,
    const char *request_id, const char *reason, struct span members, uint64_t *seq,
    struct fault *f) MUST_CHECK;

/*
 * The same of a record about an earlier one, by its ticket: the line has that
 * one's seq as its last member, "of".  It is left out where that is not known
 * any more: 64 files were begun since.
 */
enum rc audit_append_of(struct audit *a, const char *event, const char *tenant,
    const char *request_id, const char *reason, struct span members, uint64_t of, uint64_t *seq,
    struct fault *f) MUST_CHECK;

/*
 * The same, but the record only waits in memory: it is written with the next
 * one that is not held, or by audit_start().  What is about to be signed is
 * held until a signer is about to work at its digest: those behind it share
 * one write and one sync, which begin when the first of them does.
 */
enum rc audit_hold(struct audit *a, const char *event, const char *tenant,
    const char *request_id, const char *reason, struct span members, uint64_t *seq,
    struct fault *f) MUST_CHECK;

/* Write and sync all records up to this ticket, and those that were held behind it, now. */
void audit_start(struct audit *a, uint64_t ticket);

/* What the writer's queue could not take; for every time audit_fd() is readable. */
void audit_go_on(struct audit *a);

int audit_fd(const struct audit *a); /* eventfd: durable advanced, failed or recovered */

/* Every record up to this ticket is written and (with sync) on disk; an atomic read. */
uint64_t audit_durable(const struct audit *a);

/* The seq of the last line that is durable; an atomic read. */
uint64_t audit_seq(const struct audit *a);

/* Unwritable: appends are refused until the audit goes on in a new file. */
bool audit_failed(const struct audit *a);

/* RC_OK, or RC_IO audit_unavailable with why it cannot be written and what helps. */
enum rc audit_problem(struct audit *a, struct fault *f) MUST_CHECK;

/* The seq of the last record that was written and is not there any more; 0: none is known. */
uint64_t audit_vanished(const struct audit *a);

#endif
