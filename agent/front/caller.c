#include "agent/front/caller.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/front/policy.h"

/* Linux since 4.13. */
static enum rc
read_groups(int fd, struct caller *c, struct fault *f)
{
	socklen_t len = CALLER_MAX_GROUPS * sizeof *c->group;
	gid_t list[CALLER_MAX_GROUPS];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &len) != 0) {
		if (errno == ERANGE)
			return REFUSE(f, RC_DENIED, CALLER_NOT_ALLOWED, NULL,
			    "in more than %d groups", CALLER_MAX_GROUPS);
		return FAULT(f, RC_IO, "peer", "SO_PEERGROUPS: %s", strerror(errno));
	}
	c->groups = len / sizeof *c->group;
	if (c->groups == 0)
		return RC_OK;
	c->group = calloc(c->groups, sizeof *c->group);
	if (c->group == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu groups", c->groups);
	memcpy(c->group, list, len);
	return RC_OK;
}

enum rc
caller_read(int fd, const struct caller_door *door, struct caller *out, struct fault *f)
{
	struct ucred who = { .uid = CONFIG_OVERFLOW_ID };
	struct caller c = { .door = *door };
	socklen_t len = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 || len != sizeof who)
		return FAULT(f, RC_IO, "peer", "SO_PEERCRED: %s", strerror(errno));
	if ((who.uid == CONFIG_OVERFLOW_ID || who.uid == (uid_t)-1) && !door->auth_socket)
		return REFUSE(f, RC_DENIED, CALLER_NOT_ALLOWED, NULL,
		    "the kernel cannot name the caller's user");
	c.uid = who.uid;
	c.gid = who.gid;
	c.pid = who.pid;
	TRY(read_groups(fd, &c, f));
	*out = c;
	return RC_OK;
}

void
caller_done(struct caller *c)
{
	free(c->group);
	*c = (struct caller){ 0 };
}

bool
caller_in_group(const struct caller *c, gid_t gid)
{
	/* The overflow group stands for every group that cannot be named. */
	if (gid == CONFIG_OVERFLOW_ID || gid == (gid_t)-1)
		return false;
	if (c->gid == gid)
		return true;
	for (size_t i = 0; i < c->groups; i++) {
		if (c->group[i] == gid)
			return true;
	}
	return false;
}

bool
caller_among(
    const struct caller *c, const uid_t *uid, size_t uids, const gid_t *gid, size_t gids)
{
	if (c->uid == CONFIG_OVERFLOW_ID)
		return false;
	for (size_t i = 0; i < uids; i++) {
		if (uid[i] == c->uid)
			return true;
	}
	for (size_t i = 0; i < gids; i++) {
		if (caller_in_group(c, gid[i]))
			return true;
	}
	return false;
}

bool
caller_may(const struct caller *c, const struct config_tenant *t)
{
	if (c->door.tenant != NULL && strcmp(c->door.tenant, t->name) != 0)
		return false;
	if (c->door.auth_socket && c->door.tenant != NULL)
		return true;
	return caller_among(c, t->allow_uid, t->allow_uids, t->allow_gid, t->allow_gids);
}

static void
see_tenant(struct caller_view *v, const struct config_tenant *t)
{
	if (!t->enabled)
		return;
	v->enabled = true;
	for (size_t i = 0; i < t->credentials; i++)
		v->ppts |= policy_ppts_passed(t, &t->credential[i]);
}

/* What the other tenants could still add is there already: of 10,000 most need no look. */
static bool
is_whole(const struct caller_view *v, const struct credset *set)
{
	return v->any && v->only == CALLER_NO_TENANT && v->enabled && set->ppts != 0 &&
	       v->ppts == set->ppts;
}

const struct caller_view *
caller_see(const struct caller *c, const struct credset *set, struct caller_view *v)
{
	struct caller_view seen = { .generation = set->generation, .only = CALLER_NO_TENANT };

	if (v->generation == set->generation && v->generation != 0)
		return v;
	for (size_t i = 0; i < set->config->tenants && !is_whole(&seen, set); i++) {
		const struct config_tenant *t = &set->config->tenant[i];

		if (!caller_may(c, t))
			continue;
		seen.only = seen.any ? CALLER_NO_TENANT : i;
		seen.any = true;
		see_tenant(&seen, t);
	}
	*v = seen;
	return v;
}
