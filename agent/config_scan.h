/*
 * A look at a configuration file before libconfuse reads it.
 *
 * libconfuse accepts in silence what an operator did not mean: "${NAME}" from
 * the environment, repeated keys, sections opened twice, octal integers,
 * comments that never end.  The scan refuses these, checks every key and the
 * kind of its value against the same option tables, and remembers on which
 * line each key and section stands, which libconfuse does not.
 *
 * Private to config*.c.
 */
#ifndef AGENT_CONFIG_SCAN_H
#define AGENT_CONFIG_SCAN_H

#include <confuse.h>

#include "stir/buf.h"

enum { SCAN_MAX_NODES = 4096, SCAN_NO_NODE = -1 };

struct scan_node { /* a key or a section */
	char *name;
	char *title; /* of a section, or NULL */
	unsigned line;
	int parent; /* SCAN_NO_NODE at the top of the file */
};

struct scan {
	const char *file; /* for messages; borrowed */
	char *text;	  /* the file without its comments, for libconfuse */
	struct buf nodes; /* of struct scan_node */
};

/* RC_INVALID "config" with "FILE:LINE: …".  file and options must outlive the scan. */
enum rc scan_read(struct scan *s, const char *file, struct span in, const cfg_opt_t *options,
    struct fault *f) MUST_CHECK;
void scan_done(struct scan *s); /* a zeroed one is fine */

/* The i-th node of that name below parent, or SCAN_NO_NODE. */
int scan_find(const struct scan *s, int parent, const char *name, size_t i);
unsigned scan_line(const struct scan *s, int node); /* 1 for SCAN_NO_NODE */

/* RC_INVALID "config", "FILE:LINE: …" */
enum rc scan_bad(struct fault *f, const char *file, unsigned line, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
