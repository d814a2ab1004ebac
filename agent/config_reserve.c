/* A credential that is in reserve for another one: what the two have to have in common. */
#include "agent/config_parse.h"

#include <string.h>

static const char key[] = "reserve_for";

static struct config_credential *
find(const struct config_tenant *t, const char *base)
{
	for (size_t i = 0; i < t->credentials; i++) {
		if (strcmp(t->credential[i].base, base) == 0)
			return &t->credential[i];
	}
	return NULL;
}

static bool
is_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* One stands in for one, so that a word of the operator's says which two are meant. */
static enum rc
check_standing(const struct section *s, const struct config_credential *spare,
    const struct config_credential *main, struct fault *f)
{
	if (main == NULL)
		return section_bad(s, key, f, "the tenant has no section credential \"%.60s\"",
		    spare->reserve_for);
	if (strcmp(main->base, spare->base) == 0)
		return section_bad(
		    s, key, f, "'%.40s' cannot be in reserve for itself", spare->base);
	if (main->reserve_for != NULL)
		return section_bad(s, key, f,
		    "credential '%.40s' is in reserve itself: name the one that it is for",
		    main->base);
	if (main->reserve != NULL)
		return section_bad(s, key, f,
		    "credential '%.40s' has a reserve already, '%.40s', and no more than one",
		    main->base, main->reserve);
	return RC_OK;
}

/* It is to sign what the other one signed, when the other one's CA is what failed. */
static enum rc
check_likeness(const struct section *s, const struct config_credential *spare,
    const struct config_credential *main, struct fault *f)
{
	if (profile_rule(spare->profile)->cls != profile_rule(main->profile)->cls)
		return section_bad(s, key, f,
		    "a credential of profile %s does not sign what one of profile %s does",
		    profile_rule(spare->profile)->name, profile_rule(main->profile)->name);
	if (spare->spc != NULL && !is_same(spare->spc, main->spc))
		return section_bad(s, key, f,
		    "credential '%.40s' has another spc: both certify the same code",
		    main->base);
	if (is_same(spare->ca, main->ca))
		return section_bad(s, key, f,
		    "both get their certificates from ca \"%.40s\": a reserve has another one",
		    main->ca);
	return RC_OK;
}

/* Of each of its copies (one a token). */
static enum rc
name_reserve(struct config_tenant *t, const char *base, const char *reserve, struct fault *f)
{
	for (size_t i = 0; i < t->credentials; i++) {
		if (strcmp(t->credential[i].base, base) != 0)
			continue;
		t->credential[i].reserve = strdup(reserve);
		if (t->credential[i].reserve == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "credential");
	}
	return RC_OK;
}

enum rc
config_pair_reserves(const struct section *s, struct config_tenant *t, struct fault *f)
{
	for (size_t i = 0; i < section_count(s, "credential"); i++) {
		struct section one = section_child(s, "credential", i);
		const struct config_credential *spare = find(t, section_title(&one)), *main;

		if (spare == NULL || spare->reserve_for == NULL)
			continue;
		main = find(t, spare->reserve_for);
		TRY(check_standing(&one, spare, main, f));
		TRY(check_likeness(&one, spare, main, f));
		TRY(name_reserve(t, main->base, spare->base, f));
	}
	return RC_OK;
}
