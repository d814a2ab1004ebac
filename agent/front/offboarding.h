/*
 * The record of a tenant's off-boarding: how far it is, and how its
 * certificates are revoked.
 * STATE/front/offboarding/TENANT.json; once the file is there the tenant is
 * served nothing, whatever is in the file and in the configuration.
 *
 * Values and files; what is done about it is offboard.h's.  No thread of its own.
 */
#ifndef AGENT_FRONT_OFFBOARDING_H
#define AGENT_FRONT_OFFBOARDING_H

#include "agent/config.h"

/* The names go to disk: append only. */
enum offboarding_state {
	OFFBOARDING_REVOKING, /* some CA has not answered yet, or something is not on record */
	OFFBOARDING_REVOKED,  /* the keys wait for an operator's confirmation */
	OFFBOARDING_DESTROYING, /* confirmed: not taken back any more */
	OFFBOARDING_DESTROYED,
	OFFBOARDING__COUNT
};
const char *offboarding_state_name(enum offboarding_state s);

struct offboarding {
	char tenant[CONFIG_NAME_MAX + 1];
	enum offboarding_state state;
	unsigned reason; /* of the revocations: revocation.h */
	bool by_key;
	int64_t since_s, confirmed_s, ended_s; /* 0: not yet */
	bool noted; /* of DESTROYING: all its keys are among those that retire.h destroys */
};

static inline void
offboarding_name(struct offboarding *o, const char *tenant)
{
	memset(o->tenant, 0, sizeof o->tenant);
	memcpy(o->tenant, tenant, strnlen(tenant, CONFIG_NAME_MAX));
}

/* Before its configuration is in force; not: enabled is again what the file says. */
static inline void
offboarding_set(struct config_tenant *t, bool is)
{
	if (is && !t->offboarded)
		t->listed_enabled = t->enabled;
	if (is)
		t->enabled = false;
	else if (t->offboarded)
		t->enabled = t->listed_enabled;
	t->offboarded = is;
}

/*
 * The text of a file, which does not name the tenant.  RC_INVALID
 * offboarding_file for what is not as we write it.
 */
enum rc offboarding_decode(
    struct span text, struct offboarding *out, struct fault *f) MUST_CHECK;

/*
 * Before c is in force: the tenants with a record are not enabled.  Where it
 * cannot be told whether there is one, there is; with strict that is RC_IO,
 * since a reload would take all out of force.
 */
enum rc offboarding_mark(struct config *c, bool strict, struct fault *f) MUST_CHECK;

enum rc offboarding_write(
    const struct config *c, const struct offboarding *o, struct fault *f) MUST_CHECK;
enum rc offboarding_read(const struct config *c, const char *tenant, struct offboarding *out,
    struct fault *f) MUST_CHECK;
enum rc offboarding_remove(
    const struct config *c, const char *tenant, struct fault *f) MUST_CHECK;

/* Call back with the tenant of each. */
typedef enum rc offboarding_each_fn(void *arg, const char *tenant, struct fault *f);
enum rc offboarding_each(
    const struct config *c, offboarding_each_fn *each, void *arg, struct fault *f) MUST_CHECK;

#endif
