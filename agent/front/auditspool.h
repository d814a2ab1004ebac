/*
 * The newest octets of the audit file in use, durable before that file is.
 *
 * A file that grows is slow to sync: its size and its new blocks are written
 * as well.  The spool is a file beside it whose blocks are there already and
 * are only written over.  Octets go to the audit file first, where all can
 * read them, then here, and here they are synced; the audit file is synced when
 * the spool is full.  What the machine lost when it crashed is put back at the
 * next start.  The spool knows octets and where they belong, no records.
 *
 * One thread at a time.  Failures are RC_IO audit_unavailable.
 */
#ifndef AGENT_FRONT_AUDITSPOOL_H
#define AGENT_FRONT_AUDITSPOOL_H

#include "agent/front/auditfile.h"
#include "stir/buf.h"
#include "stir/digest.h"

enum { AUDITSPOOL_SIZE = 4 * 1024 * 1024 }; /* octets on the disk */

struct auditspool {
	int fd;				   /* -1: none */
	char name[AUDITFILE_NAME_LEN + 1]; /* of the file it is for; "": of none yet */
	off_t base;			   /* where in that file its octets begin */
	size_t octets;			   /* how many it holds */
	bool owes;    /* the file lost them: put back before it is used again */
	bool suspect; /* a sync at the start failed: a second one would lie */
	size_t at;    /* where in the spool the next ones go */
	uint8_t seed[DIGEST_SHA256_LEN]; /* of this filling */
	struct buf out;			 /* what its last block holds so far */
};

#define AUDITSPOOL_NONE ((struct auditspool){ .fd = -1, .out = BUF_INIT(2 * AUDITSPOOL_SIZE) })

/* The directory's as it is; RC_NOT_FOUND where there is none. */
enum rc auditspool_open(
    const struct auditdir *d, struct auditspool *s, struct fault *f) MUST_CHECK;

/*
 * One for a file of that inode: the directory's, or a new one, which writes all
 * of it.  What it holds stays until auditspool_begin(), unless it is new.  On
 * failure there is none, and no room of the disk is taken.
 */
enum rc auditspool_make(
    const struct auditdir *d, ino_t ino, struct auditspool *s, struct fault *f) MUST_CHECK;
void auditspool_close(struct auditspool *s);

/* There is none any more, also on the disk: what it held is in its file by itself. */
void auditspool_drop(const struct auditdir *d, struct auditspool *s);

/* Forget what it holds: what follows belongs to that file, from base on. */
enum rc auditspool_begin(
    struct auditspool *s, const char *name, off_t base, struct fault *f) MUST_CHECK;

/* Is it for that file, and are so many octets more to be had? */
bool auditspool_has_room(const struct auditspool *s, const char *name, size_t len);

/* Octets that the file has got: durable when this returns RC_OK. */
enum rc auditspool_put(struct auditspool *s, struct span octets, struct fault *f) MUST_CHECK;

/* The file has all of it by itself: nothing is to be put back. */
enum rc auditspool_clear(struct auditspool *s, struct fault *f) MUST_CHECK;

struct auditspool_found {
	char name[AUDITFILE_NAME_LEN + 1];
	off_t base;
	uint8_t seed[DIGEST_SHA256_LEN];
	struct buf octets;
};

#define AUDITSPOOL_NOTHING ((struct auditspool_found){ .octets = BUF_INIT(AUDITSPOOL_SIZE) })

/*
 * The octets of a spool: where what it holds belongs, and that up to the first
 * run that is not whole.  False where its head is not.  Pure; the caller frees
 * out->octets.
 */
bool auditspool_decode(struct span all, struct auditspool_found *out);

struct auditspool_restored {
	char name[AUDITFILE_NAME_LEN + 1]; /* the file; "": the spool has nothing for any */
	off_t end;			   /* all that is in front of this was acknowledged */
	size_t octets;			   /* that the file did not have */
};

/*
 * Put back what a crash of the machine took from the file that the spool names;
 * what is there stays, and is written once more.  RC_NOT_FOUND where that file is shorter
 * than what was synced of it.
 */
enum rc auditspool_restore(const struct auditdir *d, struct auditspool *s,
    struct auditspool_restored *out, struct fault *f) MUST_CHECK;

/* A copy of the first len octets of a file, durable, takes its place. */
enum rc auditspool_copy(const struct auditdir *d, const char *name, int from, off_t len,
    struct fault *f) MUST_CHECK;

/*
 * The same while it runs, where a sync of the file has failed: a copy of it in
 * its place, for a second sync of the same pages may lie.  Does nothing where
 * nothing is owed.  RC_NOT_FOUND where the file is not there any more, or
 * neither has all of it: nothing is owed then, and it is lost.
 */
enum rc auditspool_settle(
    const struct auditdir *d, struct auditspool *s, struct fault *f) MUST_CHECK;

#endif
