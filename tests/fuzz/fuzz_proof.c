/*
 * A delegate's PASSporT of a caller: what it proves was signed by the seeds'
 * keys, which nobody has any more, in a PASSporT that speaks for its orig and
 * in a leaf that holds that number; nothing is proven without an anchor, and
 * only what was proven is remembered.
 */
#include "agent/front/proof.h"

#include <string.h>

#include "tests/fuzz/signed_world.h"

enum { NOW = 1800000000 };

unsigned replay_mutations = 400; /* up to four signatures each */

static struct signed_world w;

struct asked {
	unsigned told;
};

static const struct chain *
known(void *arg, struct span x5u)
{
	(void)arg;
	return span_is(x5u, SIGNED_X5U) ? w.leaf : NULL;
}

static bool
remembered(void *arg, struct span token, const struct chain *chain)
{
	(void)arg;
	(void)token;
	(void)chain;
	return false;
}

static void
remember(void *arg, struct span token, const struct chain *chain)
{
	(void)token;
	must(chain == NULL || chain == w.leaf);
	((struct asked *)arg)->told++;
}

/* What the seeds say of the call, those that speak for its orig. */
static void
check_claims(const json_t *claims)
{
	static const char *const members[] = { "orig", "dest", "iat", "rcd", "rcdi" };
	json_t *orig = json_object_get(claims, "orig");
	size_t n = 0;

	must(json_object_size(orig) == 1);
	must(strcmp(json_string_value(json_object_get(orig, "tn")), SIGNED_CALLER) == 0);
	must(json_integer_value(json_object_get(claims, "iat")) == NOW);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		n += json_object_get(claims, members[i]) != NULL;
	must(n == json_object_size(claims));
}

static bool
proves(struct span text, const struct anchors *anchors, const struct proof_policy *policy)
{
	struct asked asked = { 0 };
	const struct proof_input in = { .text = text,
		.policy = policy,
		.anchors = anchors,
		.ctlogs = w.logs,
		.known = known,
		.remembered = remembered,
		.remember = remember,
		.arg = &asked,
		.now_s = NOW };
	json_auto_t *claims = NULL;
	struct fault f = { 0 };
	enum rc rc = proof_verify(&in, &claims, &f);

	must(asked.told == (rc == RC_OK));
	must((rc == RC_OK) == (claims != NULL));
	if (rc == RC_OK)
		check_claims(claims);
	else
		must(rc == RC_NO_MEMORY || reason_status(f.reason) == 403);
	return rc == RC_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct proof_policy none = { .encompassing = ENCOMPASS_OFF };
	const struct proof_policy vesper =
	    proof_policy_of(profile_rule(PROFILE_VESPER_06), ENCOMPASS_IF_PRESENT);
	struct span text = span_of(data, len);

	signed_make(&w);
	must(!proves(text, NULL, &none));
	/* What is shown to a strict policy is shown to one that asks nothing. */
	if (proves(text, w.anchors, &vesper))
		must(proves(text, w.anchors, &none));
	return 0;
}
