/*
 * Which tenants were used lately: STATE/front/used.json, so that a start has
 * their credentials ready first.  An order and no more: a file that is not
 * there or will not do costs the order and nothing else, and a name in it that
 * the configuration does not have is passed over.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_USED_H
#define AGENT_FRONT_USED_H

#include "agent/front/credset.h"

enum {
	USED_MAX = 4096,    /* tenants in the file, those used last */
	USED_WRITE_S = 600, /* between two writes; and once at the end */
};

/*
 * The tenants of set (indexes, malloc'd), those used last first and the others
 * as they are.  What the file says is put into the credentials' used_at_s; the
 * set is not published yet.
 */
enum rc used_order(
    const struct credset *set, int64_t now_s, uint32_t **out, struct fault *f) MUST_CHECK;

/* Write the file if there was any use since *written_s, which is when the last one noted was. */
enum rc used_write(const struct credset *set, int64_t *written_s, struct fault *f) MUST_CHECK;

#endif
