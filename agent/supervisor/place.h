/*
 * What the supervisor prepares before it starts anyone: the users are there,
 * the directories belong to who writes them, no other supervisor uses them,
 * the sockets listen.
 */
#ifndef AGENT_SUPERVISOR_PLACE_H
#define AGENT_SUPERVISOR_PLACE_H

#include "agent/config.h"

enum { PLACE_BACKLOG = 4096 };

struct place_users {
	uid_t front_uid, hsm_uid, net_uid;
	gid_t front_gid, hsm_gid, net_gid;
};

/* As root: the roles' users; else all are the caller.  One line names every missing user. */
enum rc place_users(
    const struct config *c, bool as_root, struct place_users *out, struct fault *f) MUST_CHECK;

/* STATE, STATE/{front,renewer,hsm}, the audit directory and the tokens' lock files. */
enum rc place_directories(const struct config *c, const struct place_users *u, bool as_root,
    struct fault *f) MUST_CHECK;

/* RC_CONFLICT when another supervisor holds the state directory; else *fd holds it. */
enum rc place_lock(const struct config *c, int *fd, struct fault *f) MUST_CHECK;

/* The sockets in the order of agent/role.h; *fds is malloc'd. */
struct place_sockets {
	int *fd;
	size_t len;
};
enum rc place_sockets(
    const struct config *c, struct place_sockets *out, struct fault *f) MUST_CHECK;
void place_sockets_close(struct place_sockets *s);
void place_sockets_unlink(const struct config *c, const struct place_sockets *s);

#endif
