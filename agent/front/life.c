#include "agent/front/life.h"

#include <assert.h>

static const char *const names[] = {
#define X(name, text) text,
	LIVES(X)
#undef X
};
static_assert(ARRAY_LEN(names) == LIFE__COUNT, "a name each");

const char *
life_name(enum life l)
{
	return (unsigned)l < LIFE__COUNT ? names[l] : "unknown";
}

/* A step that is not named here is one of the order with the CA. */
static enum life
life_of_step(const char *step)
{
	static const struct {
		const char *step;
		enum life life;
	} rows[] = {
		{ "token", LIFE_WAITING_TOKEN },
		{ "claims-token", LIFE_WAITING_TOKEN },
		{ "install", LIFE_PUBLISHING },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].step, step) == 0)
			return rows[i].life;
	}
	return LIFE_ORDERING;
}

static bool
is_revoked(const struct life_facts *facts)
{
	return facts->state == CREDENTIAL_REVOKED ||
	       (facts->state != CREDENTIAL_READY && facts->why != NULL &&
		   strcmp(facts->why, "revoked") == 0);
}

/* Nothing is in force, and the tenant may have it. */
static enum life
life_without(const struct life_facts *facts)
{
	if (facts->state == CREDENTIAL_LOADING)
		return LIFE_PUBLISHING;
	if (facts->step[0] != 0)
		return life_of_step(facts->step);
	if (facts->refusals > 0 || facts->state == CREDENTIAL_UNUSABLE)
		return LIFE_REFUSED;
	return LIFE_DRAFT;
}

enum life
life_of(const struct life_facts *facts)
{
	if (!facts->enabled)
		return LIFE_DISABLED;
	if (is_revoked(facts))
		return LIFE_REVOKED;
	if (facts->state != CREDENTIAL_READY)
		return life_without(facts);
	if (facts->over)
		return LIFE_EXPIRED;
	return facts->step[0] != 0 ? LIFE_RENEWING : LIFE_IN_FORCE;
}

void
life_reason(const char *problem, char out[LIFE_REASON_MAX])
{
	size_t len = strspn(problem, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (problem[len] != ':' || len >= LIFE_REASON_MAX)
		len = 0;
	memcpy(out, problem, len);
	out[len] = 0;
}
