/* Who may ask a tenant's credentials, for which PASSporTs and how far they may attest. */
#include "agent/config_parse.h"

#include <assert.h>
#include <string.h>

#include "stir/ppt.h"
#include "stir/tnauth.h"

enum { MAX_DESTS = 65536, LEAST_MAX_AGE_S = 600, MOST_MAX_AGE_S = 31 * 86400 };

/* ---- callers --------------------------------------------------------------- */

/* It stands for everybody the kernel cannot name, so it is nobody's right. */
static const char overflow[] = "65534 is what the kernel says of every user it cannot name; "
			       "give the callers a user or group of their own";

/* A name or a number; uid_t and gid_t are one type. */
typedef enum rc read_id(const struct section *s, const char *key, const char *name,
    struct id_cache *cache, uid_t *out, struct fault *f);

static enum rc
read_ids(struct config_reader *r, const struct section *s, const char *key, read_id *one,
    uid_t **out, size_t *len, struct fault *f)
{
	size_t n = cfg_size(s->cfg, key);

	if (n == 0)
		return RC_OK;
	*out = calloc(n, sizeof **out); /* freed with the tenant, half-filled too */
	if (*out == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", key);
	for (; *len < n; (*len)++) {
		uid_t *id = &(*out)[*len];

		TRY(one(s, key, cfg_getnstr(s->cfg, key, (unsigned)*len), &r->ids, id, f));
		if (*id == CONFIG_OVERFLOW_ID)
			return section_bad(s, key, f, "%s", overflow);
	}
	return RC_OK;
}

/* ---- PASSporT types, destinations ------------------------------------------- */

static enum rc
read_ppts(const struct section *s, struct config_strings *out, struct fault *f)
{
	enum ppt ignored;

	TRY(section_strings(s, "ppts", out, f));
	for (size_t i = 0; i < out->len; i++) {
		struct fault inner = { 0 };

		if (strcmp(out->item[i], "base") != 0 &&
		    ppt_find(out->item[i], &ignored, &inner) != RC_OK)
			return section_bad(s, "ppts", f,
			    "'%.40s' is no PASSporT type of this agent; \"base\" is the one "
			    "without ppt",
			    out->item[i]);
	}
	return RC_OK;
}

/* All numbers that begin with these digits: an interval for each length. */
static enum rc
put_prefix(struct buf *list, struct span digits, struct fault *f)
{
	char lo[TN_MAX + 1], hi[TN_MAX + 1], text[2 * TN_MAX + 2];
	struct tn_interval one = { 0 };

	if (digits.len == 0 || digits.len > TN_MAX)
		return REFUSE(
		    f, RC_INVALID, INVALID_TN, NULL, "a prefix has 1 to %d digits", TN_MAX);
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
			return REFUSE(f, RC_INVALID, INVALID_TN, NULL, "a prefix is of digits");
	}
	memset(lo, '0', TN_MAX);
	memset(hi, '9', TN_MAX);
	memcpy(lo, digits.ptr, digits.len);
	memcpy(hi, digits.ptr, digits.len);
	for (size_t n = digits.len; n <= TN_MAX; n++) {
		snprintf(text, sizeof text, "%.*s-%.*s", (int)n, lo, (int)n, hi);
		TRY(tnset_parse(n == digits.len ? digits : span_str(text), &one, f));
		buf_put(list, &one, sizeof one);
	}
	return buf_check(list, f);
}

static enum rc
put_dest(struct buf *list, const char *text, struct fault *f)
{
	size_t len = strlen(text);
	struct tn_interval one = { 0 };

	if (len > 3 && strcmp(text + len - 3, "...") == 0)
		return put_prefix(list, span_of(text, len - 3), f);
	TRY(tnset_parse(span_str(text), &one, f));
	buf_put(list, &one, sizeof one);
	return buf_check(list, f);
}

static enum rc
read_dests(const struct section *s, struct tnset **out, struct fault *f)
{
	AUTO_BUF list = BUF_INIT(MAX_DESTS * sizeof(struct tn_interval));

	for (unsigned i = 0; i < cfg_size(s->cfg, "dests"); i++) {
		struct fault inner = { 0 };

		if (put_dest(&list, cfg_getnstr(s->cfg, "dests", i), &inner) != RC_OK)
			return section_bad(s, "dests", f,
			    "entry %u of 'dests': %s; write \"12025550100\", "
			    "\"12025550110-12025550119\" or \"1202...\"",
			    i + 1, inner.detail);
	}
	if (list.len == 0)
		return RC_OK;
	return tnset_build((const struct tn_interval *)(const void *)list.ptr,
	    list.len / sizeof(struct tn_interval), out, f);
}

/* ---- attestation ------------------------------------------------------------ */

/* letters: those that the rule may grant. */
static enum rc
read_letter(
    const struct section *s, const char *key, const char *letters, char *out, struct fault *f)
{
	const char *text = section_text(s, key);

	if (text == NULL)
		return RC_OK;
	if (strlen(text) != 1 || strchr(letters, text[0]) == NULL)
		return section_bad(s, key, f, "'%s' must be %s", key,
		    letters[0] == 'A' ? "\"A\", \"B\" or \"C\"" : "\"B\" or \"C\"");
	*out = text[0];
	return RC_OK;
}

static enum rc
read_rules(const struct section *s, struct config_attestation *a, struct fault *f)
{
	TRY(read_letter(s, "listed", "ABC", &a->listed, f));
	TRY(read_letter(s, "delegate_proof", "ABC", &a->delegate_proof, f));
	/* Without a right to the number, never "A" (RFC 8588 section 4, D-05). */
	TRY(read_letter(s, "known_customer", "BC", &a->known_customer, f));
	TRY(read_letter(s, "otherwise", "BC", &a->otherwise, f));
	if (a->listed == 0 && a->delegate_proof == 0 && a->known_customer == 0 &&
	    a->otherwise == 0)
		return section_bad(s, NULL, f, "'attestation' grants nothing; leave it out");
	return RC_OK;
}

/* D-01: a class that has numbers; the strictest unless another is named. */
static enum rc
read_delegate_profile(const struct section *s, struct config_attestation *a, struct fault *f)
{
	const char *name = section_text(s, "delegate_profile");

	for (unsigned p = 0; p < PROFILE__COUNT; p++) {
		if (profile_rule(p)->cls == CLASS_DELEGATE &&
		    strcmp(profile_rule(p)->name, name) == 0) {
			a->delegate_profile = p;
			return RC_OK;
		}
	}
	return section_bad(s, "delegate_profile", f,
	    "'delegate_profile' must be atis-delegate, vesper-05, vesper-06 or domain");
}

/* What the certificates of delegates are, whose PASSporTs prove their numbers. */
static enum rc
read_delegates(const struct config *c, const struct section *s, struct config_attestation *a,
    struct fault *f)
{
	static const char *const modes[] = { "if-present", "require", "off", NULL };
	const struct profile_rule *rule;
	unsigned choice = 0;

	TRY(read_delegate_profile(s, a, f));
	TRY(section_choice(s, "delegate_encompassing", modes, &choice, f));
	a->delegate_encompassing = (enum encompass_mode)choice;
	if (a->delegate_proof == 0 &&
	    (section_has(s, "delegate_profile") || section_has(s, "delegate_encompassing")))
		return section_bad(s, NULL, f,
		    "'delegate_profile' and 'delegate_encompassing' belong to delegate_proof");
	rule = profile_rule(a->delegate_profile);
	if (a->delegate_proof != 0 && rule->min_scts > 0 && c->ct_logs == NULL)
		return section_bad(s, "delegate_proof", f,
		    "delegates of profile %s have %u SCTs but vesperd.conf has no ct_logs = "
		    "\"FILE\"; write that, or delegate_profile = \"atis-delegate\"",
		    rule->name, rule->min_scts);
	return RC_OK;
}

static enum rc
read_attestation(
    struct config_reader *r, const struct section *s, struct config_tenant *t, struct fault *f)
{
	static const char *const over[] = { "refuse", "lower", NULL };
	struct config_attestation *a = &t->attestation;
	unsigned choice = 0;

	if (t->attest_max != 0)
		return section_bad(s, NULL, f,
		    "'attest_max' and 'attestation' say the same thing; write one of them");
	a->set = true;
	TRY(read_rules(s, a, f));
	TRY(read_delegates(r->c, s, a, f));
	TRY(section_choice(s, "over_cap", over, &choice, f));
	a->lower = choice == 1;
	TRY(read_ids(r, s, "known_user", section_user, &a->known.uid, &a->known.uids, f));
	TRY(read_ids(r, s, "known_group", section_group, &a->known.gid, &a->known.gids, f));
	if ((a->known_customer != 0) != (a->known.uids + a->known.gids > 0))
		return section_bad(s, NULL, f,
		    "'known_customer' and the callers that it means, 'known_user' or "
		    "'known_group', belong together");
	return RC_OK;
}

/* ---- what is only watched ---------------------------------------------------- */

const char *
config_observe_name(enum observe_rule rule)
{
	static const char *const names[] = { [OBSERVE_ATTEST] = "attest",
		[OBSERVE_DESTS] = "dests",
		[OBSERVE_PPTS] = "ppts",
		[OBSERVE_RATE] = "rate" };
	static_assert(ARRAY_LEN(names) == OBSERVE__COUNT, "a name per rule");

	return names[rule];
}

static unsigned
observed_rules(const char *text)
{
	unsigned all = (1u << OBSERVE__COUNT) - 1;

	if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "on") == 0)
		return all;
	for (unsigned i = 0; i < OBSERVE__COUNT; i++) {
		if (strcmp(text, config_observe_name((enum observe_rule)i)) == 0)
			return 1u << i;
	}
	return 0;
}

static bool
is_no(const char *text)
{
	return strcmp(text, "false") == 0 || strcmp(text, "no") == 0 ||
	       strcmp(text, "off") == 0;
}

/* observe = yes, or a list of rules. */
static enum rc
read_observe(const struct section *s, unsigned *out, struct fault *f)
{
	unsigned n = cfg_size(s->cfg, "observe"), rules = 0;

	for (unsigned i = 0; i < n; i++) {
		const char *text = cfg_getnstr(s->cfg, "observe", i);
		unsigned one = observed_rules(text);

		if (one == 0 && !(n == 1 && is_no(text)))
			return section_bad(s, "observe", f,
			    "'%.40s' is no rule that can be observed; write yes, or a list of "
			    "\"attest\", \"dests\", \"ppts\" and \"rate\"",
			    text);
		rules |= one;
	}
	*out = rules;
	return RC_OK;
}

/* Compared octet by octet with what certificates hold (D-06). */
static enum rc
read_caller_spc(const struct section *s, struct config_tenant *t, struct fault *f)
{
	TRY(section_strings(s, "caller_spc", &t->caller_spc, f));
	for (size_t i = 0; i < t->caller_spc.len; i++) {
		size_t len = strlen(t->caller_spc.item[i]);

		if (len == 0 || len > TNAUTH_SPC_MAX)
			return section_bad(s, "caller_spc", f,
			    "a service provider code has 1 to %d characters", TNAUTH_SPC_MAX);
	}
	return RC_OK;
}

/* ---- sections --------------------------------------------------------------- */

enum rc
config_read_tenant_policy(
    struct config_reader *r, const struct section *s, struct config_tenant *t, struct fault *f)
{
	TRY(read_ids(r, s, "allow_user", section_user, &t->allow_uid, &t->allow_uids, f));
	TRY(read_ids(r, s, "allow_group", section_group, &t->allow_gid, &t->allow_gids, f));
	TRY(read_letter(s, "attest_max", "ABC", &t->attest_max, f));
	if (section_count(s, "attestation") > 0) {
		struct section a = section_child(s, "attestation", 0);

		TRY(read_attestation(r, &a, t, f));
	}
	TRY(read_ppts(s, &t->ppts, f));
	TRY(read_observe(s, &t->observe, f));
	TRY(read_caller_spc(s, t, f));
	return read_dests(s, &t->dests, f);
}

enum rc
config_read_credential_policy(
    const struct section *s, struct config_credential *cred, struct fault *f)
{
	static const char *const modes[] = { "if-present", "require", "off", NULL };
	unsigned choice = 0;

	TRY(section_choice(s, "encompassing", modes, &choice, f));
	cred->encompassing = (enum encompass_mode)choice;
	TRY(section_uint(s, "tnlist_max_age_s", LEAST_MAX_AGE_S, MOST_MAX_AGE_S,
	    &cred->tnlist_max_age_s, f));
	TRY(read_ppts(s, &cred->ppts, f));
	return read_dests(s, &cred->dests, f);
}
