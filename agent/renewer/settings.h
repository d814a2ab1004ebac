/*
 * What the renewer makes of one reading of the configuration: the CAs and the
 * authorities, each with the lane in which steps wait for it.  Two readings are
 * in use while what began with the older one is under way.
 *
 * One thread.
 */
#ifndef AGENT_RENEWER_SETTINGS_H
#define AGENT_RENEWER_SETTINGS_H

#include "agent/renewer/acme.h"
#include "agent/renewer/lane.h"
#include "agent/renewer/problem.h"
#include "stir/chain.h"

struct ca_slot {
	const struct config_ca *config;
	struct acme *acme; /* NULL: ISSUER_COMMAND */
	struct lane lane;  /* what asks it */
	struct lane begin; /* renewals of its credentials that are begun */
	unsigned windows;  /* questions for renewal information at it: of this turn */
	bool told;	   /* the front knows how the account is: */
	char problem[PROBLEM_TEXT];
};

struct authority_slot {
	const struct config_authority *config;
	struct lane lane;
};

struct settings {
	struct config *config;
	struct anchors *authority_anchors, *trust_anchors; /* NULL: none configured */
	struct ca_slot *ca;
	size_t cas;
	struct authority_slot *authority;
	size_t authorities;
	unsigned busy; /* steps under way that began with it */
};

/*
 * config is taken over, also on failure; io and store are borrowed.  RC_IO,
 * RC_INVALID config: a file of anchors; RC_NO_MEMORY.
 */
enum rc settings_new(struct config *config, const struct io *io, struct store *store,
    struct settings **out, struct fault *f) MUST_CHECK;
void settings_free(struct settings *s); /* s->busy is 0; NULL is fine */
DEFINE_FREEP(settings);

/* NULL: there is none of that name. */
struct ca_slot *settings_ca(const struct settings *s, const char *name);
struct authority_slot *settings_authority(const struct settings *s, const char *name);

/* Each lane goes on where the one of its name stood. */
void settings_inherit(struct settings *s, const struct settings *before);

#endif
