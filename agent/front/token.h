/*
 * Authority tokens, judged for a credential by the checks that its CA will
 * make (stir/authtoken.h): what an operator brings, what an authority answers,
 * what the renewer shows.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_TOKEN_H
#define AGENT_FRONT_TOKEN_H

#include "agent/front/works.h"
#include "stir/authtoken.h"

/* One token beside what it is for.  w, jwt and signer are the caller's, and borrowed. */
struct token_judged {
	struct works *w;
	struct span jwt;
	const struct chain *signer; /* what its x5u led to; NULL: not known */
	/* Found by token_judge(), all borrowed from w->set: */
	struct credset_place at;
	const struct config_tenant *tenant;
	const struct config_credential *config;
	const struct config_ca *ca;
	const struct config_authority *authority;
	struct authtoken *token; /* owned */
	bool constraints;
	struct authtoken_finding finding[AUTHTOKEN__STEPS];
};
void token_judged_done(struct token_judged *p);
#define AUTO_TOKEN_JUDGED __attribute__((cleanup(token_judged_done))) struct token_judged

/*
 * Every step, whatever the others are.  RC_NOT_FOUND no_credential; RC_CONFLICT
 * conflict where the credential needs no tokens; RC_INVALID authtoken_syntax;
 * RC_DENIED authtoken_tktype where nothing of its type is asked for.
 */
enum rc token_judge(struct token_judged *p, const char *tenant, const char *name, int64_t now_s,
    struct fault *f) MUST_CHECK;

/* "checks", "good", "tktype", "exp". */
enum rc token_put_report(
    const struct token_judged *p, json_t *result, struct fault *f) MUST_CHECK;

/* Nothing is wrong with it, and it is for an account of ours. */
enum rc token_good(const struct token_judged *p, struct fault *f) MUST_CHECK;

/* The identifier type of this credential's constraints at this CA (D-33). */
const char *token_constraints_type(
    const struct config_credential *cc, const struct config_ca *ca);

#endif
