/*
 * The audit's directory and files: names that sort, a file that is still where
 * it was made, recovery of the last one.  Not the records (auditchain.h), not
 * the thread (audit.h).
 *
 * One thread at a time.  Failures are RC_IO audit_unavailable unless said
 * otherwise, with what to do in the detail.
 */
#ifndef AGENT_FRONT_AUDITFILE_H
#define AGENT_FRONT_AUDITFILE_H

#include <sys/types.h>

#include "agent/front/auditchain.h"

struct auditspool;

enum {
	AUDITFILE_MAX = 256 * 1024 * 1024,		  /* octets; a new file above */
	AUDITFILE_LIMIT = 4 * AUDITFILE_MAX,		  /* where no new one can be had */
	AUDITFILE_STAMP_LEN = 15,			  /* YYYYMMDD-HHMMSS */
	AUDITFILE_NAME_LEN = 6 + AUDITFILE_STAMP_LEN + 6, /* audit-….jsonl */
};

struct auditdir {
	int fd; /* locked; -1: none */
	char *path;
};

struct auditfile {
	int fd;	      /* -1: none */
	int64_t day;  /* days since 1970 */
	off_t good;   /* octets that are durable, here or in the spool */
	off_t synced; /* octets up to the last good sync of its own */
	off_t pushed; /* octets that the kernel was told to write */
	bool broken;  /* a sync failed: the kernel may have dropped what was not on the disk */
	dev_t dev;
	ino_t ino;
	char name[AUDITFILE_NAME_LEN + 1];
};

/* The directory must exist and be nobody else's: it is locked.  *out is initialised always. */
enum rc auditdir_open(const char *path, struct auditdir *out, struct fault *f) MUST_CHECK;
void auditdir_close(struct auditdir *d);

/* Where the path names another directory by now, that one. */
enum rc auditdir_keep(struct auditdir *d, struct fault *f) MUST_CHECK;

/* The day it is, counted from 1970, UTC. */
int64_t auditfile_today(void);

/* A new empty file that sorts behind all others; its name is on disk. */
enum rc auditfile_create(
    const struct auditdir *d, struct auditfile *out, struct fault *f) MUST_CHECK;

/*
 * One write, one sync, of the spool where it has room (auditspool.h); no sync
 * where the spool is NULL.  RC_NOT_FOUND audit_unavailable when all that went
 * well, but the file is no longer the one of its name in the directory: what is
 * written there, nobody finds.
 */
enum rc auditfile_write(const struct auditdir *d, struct auditfile *file,
    struct auditspool *spool, struct span bytes, struct fault *f) MUST_CHECK;

/* The directory has it under its name; also after it was abandoned. */
bool auditfile_in_place(const struct auditdir *d, const struct auditfile *file);

/*
 * Close it; it keeps nothing that is not durable.  Where it cannot be synced,
 * the spool owes it what it has of it.
 */
void auditfile_abandon(struct auditfile *file, struct auditspool *spool);

/* All of it by a sync of its own.  False: it was abandoned. */
bool auditfile_settle(struct auditfile *file, struct auditspool *spool);

/* Close it and remove it. */
void auditfile_discard(const struct auditdir *d, struct auditfile *file);

struct auditfound {
	size_t torn;	 /* octets cut off the end: a line without its newline */
	size_t restored; /* octets that only the spool had */
	bool changed;	 /* the record with known's seq has another hash */
};

/*
 * Put back what the spool has for its file, then follow the newest file that has a complete
 * line; none: the chain stays where it is.  A spool that is not open has nothing.  RC_INVALID audit_chain when it was altered or is no audit file.
 */
enum rc auditfile_recover(const struct auditdir *d, struct auditspool *spool,
    struct auditchain *c, const struct auditmark *known, struct auditfound *out,
    struct fault *f) MUST_CHECK;

/* The end of the trail as it was last remembered; {0} and RC_OK where nothing was. */
enum rc auditfile_read_mark(
    const char *path, struct auditmark *out, struct fault *f) MUST_CHECK;
enum rc auditfile_write_mark(
    const char *path, const struct auditmark *mark, struct fault *f) MUST_CHECK;

#endif
