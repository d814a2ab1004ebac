/*
 * Files of the state directory, so written that a crash leaves the old or the
 * new one whole: temp, fsync, rename, fsync of the directory.
 *
 * Not a database: one writer, the builder thread; names are given by callers
 * and checked here.  No link is followed where a file is opened.
 */
#ifndef AGENT_FRONT_STORE_H
#define AGENT_FRONT_STORE_H

#include "stir/buf.h"

#include <jansson.h>
#include <sys/types.h>

enum { STORE_PATH_MAX = 1024, STORE_MAX_ENTRIES = 65536 };

struct store_path {
	char text[STORE_PATH_MAX];
};

/* RC_INVALID store_path when it is too long. */
enum rc store_path(struct store_path *out, struct fault *f, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;

/* [a-z0-9][a-z0-9._-]*, at most 63: a name of the configuration, safe as a file's. */
bool store_name_ok(const char *name);

/* Append the file.  RC_NOT_FOUND; RC_INVALID store_size above max; RC_IO io. */
enum rc store_read(const char *path, size_t max, struct buf *out, struct fault *f) MUST_CHECK;

/* The same for an operator's file, which may be a link. */
enum rc store_read_linked(
    const char *path, size_t max, struct buf *out, struct fault *f) MUST_CHECK;

/*
 * Put data there with this mode, in place of what was.  Directories that are
 * missing are made with 0700.  RC_IO io.
 */
enum rc store_write(
    const char *path, struct span data, mode_t mode, struct fault *f) MUST_CHECK;

/*
 * A record of ours as JSON (stir/jtext.h), at most max octets, with mode 0600.
 * root NULL is a lack of memory; *out is a new reference.  RC_INVALID also for
 * what jtext_read() refuses.
 */
enum rc store_write_json(
    const char *path, const json_t *root, size_t max, struct fault *f) MUST_CHECK;
enum rc store_read_json(const char *path, size_t max, json_t **out, struct fault *f) MUST_CHECK;

/*
 * Give a file or directory another name beside it.  RC_NOT_FOUND; RC_CONFLICT
 * store_taken where there is one of that name.
 */
enum rc store_rename(const char *path, const char *to, struct fault *f) MUST_CHECK;

/* RC_OK also where there is none. */
enum rc store_remove(const char *path, struct fault *f) MUST_CHECK;

/* The time of the last change, Unix seconds; 0 where there is none. */
int64_t store_mtime(const char *path);

/*
 * Call back for every file in dir, but names that start with a dot, in no
 * order.  A directory that does not exist has none.  RC_INVALID store_size
 * above STORE_MAX_ENTRIES.  The callback may remove the file.
 */
typedef enum rc store_each_fn(void *arg, const char *name, struct fault *f);
enum rc store_each(const char *dir, store_each_fn *each, void *arg, struct fault *f) MUST_CHECK;

#endif
