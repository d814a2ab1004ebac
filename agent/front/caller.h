/*
 * Who is at the other end of a connection, and which tenants it may use.
 *
 * The kernel says who: uid, gid, pid and supplementary groups, read once when
 * the connection is accepted.  Nothing that the caller sends counts.
 */
#ifndef AGENT_FRONT_CALLER_H
#define AGENT_FRONT_CALLER_H

#include "agent/front/credset.h"

#include <sys/types.h>

enum {
	CALLER_MAX_GROUPS = 1024,
};

/* The facts of the listening socket that a caller came through; they outlive it. */
struct caller_door {
	const char *tenant; /* NULL: every tenant */
	bool auth_socket;   /* whoever may connect is the tenant's caller */
};

struct caller {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	gid_t *group; /* supplementary groups, owned */
	size_t groups;
	struct caller_door door;
};

/*
 * RC_DENIED caller_not_allowed for a user that the kernel cannot name (unless
 * the door asks for nobody in particular) or with too many groups; RC_IO.
 */
enum rc caller_read(
    int fd, const struct caller_door *door, struct caller *out, struct fault *f) MUST_CHECK;
void caller_done(struct caller *c);

/* By its group or one of its supplementary ones. */
bool caller_in_group(const struct caller *c, gid_t gid);

/* Is it one of these, by user or by group? */
bool caller_among(
    const struct caller *c, const uid_t *uid, size_t uids, const gid_t *gid, size_t gids);

/* May it use this tenant?  Root is not special, and a bound door only narrows. */
bool caller_may(const struct caller *c, const struct config_tenant *t);

/*
 * What a caller may use in one snapshot, found out once per connection and
 * generation: the answers to "is there anything at all" that a refusal needs.
 */
struct caller_view {
	uint64_t generation; /* 0: not found out yet */
	bool any;	     /* some tenant */
	bool enabled;	     /* some tenant that is enabled */
	unsigned ppts; /* 1 << ppt: some credential of some enabled tenant could sign it */
	size_t only;   /* the tenant, when there is exactly one; else CALLER_NO_TENANT */
};
#define CALLER_NO_TENANT ((size_t)-1)

/* The view of this set: computed when *v is of another generation. */
const struct caller_view *caller_see(
    const struct caller *c, const struct credset *set, struct caller_view *v);

#endif
