#include "agent/front/token.h"

#include <strings.h>

#include "agent/front/narrow.h"
#include "agent/front/ops.h"
#include "agent/front/store.h"
#include "agent/front/want.h"

void
token_judged_done(struct token_judged *p)
{
	authtoken_free(p->token);
}

static enum rc
find(struct token_judged *p, const char *tenant, const char *name, struct fault *f)
{
	const struct config *c = p->w->set->config;
	const char *authority;

	if (!credset_find(p->w->set, tenant, name, &p->at))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	p->tenant = &c->tenant[p->at.tenant];
	p->config = credset_config(p->w->set, p->at);
	if (config_issuer(c, p->config) != ISSUER_ACME)
		return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
		    "credential '%s' needs no authority tokens", p->config->name);
	p->ca = config_ca_find(c, p->config->ca);
	TRY(authtoken_decode(p->jwt, &p->token, f));
	p->constraints = strcasecmp(p->token->tktype, "TNAuthList") != 0;
	authority = p->constraints ? p->config->claim_agent : p->config->authority;
	p->authority = authority != NULL ? config_authority_find(c, authority) : NULL;
	if (p->authority == NULL)
		return FAULT(f, RC_DENIED, "authtoken_tktype",
		    "'%.40s': nothing of that type is asked for here", p->token->tktype);
	return RC_OK;
}

/* What leads to the renewer's anchors is judged there again: here they may not be readable. */
static struct anchors *
anchors_of(const struct config *c)
{
	AUTO_BUF pem = BUF_INIT(ANCHORS_MAX_BYTES);
	struct anchors *a = NULL;

	if (c->authority_anchors == NULL ||
	    store_read_linked(c->authority_anchors, ANCHORS_MAX_BYTES, &pem, NULL) != RC_OK ||
	    anchors_read_pem(buf_view(&pem), &a, NULL) != RC_OK)
		return NULL;
	return a;
}

/* V-70: the one of the list that it says, else any of them. */
static const char *
issuer_of(const struct token_judged *p)
{
	const struct config_strings *list = &p->authority->issuers;

	for (size_t i = 0; i < list->len && p->token->iss != NULL; i++) {
		if (strcmp(list->item[i], p->token->iss) == 0)
			return list->item[i];
	}
	return list->len > 0 ? list->item[0] : NULL;
}

const char *
token_constraints_type(const struct config_credential *cc, const struct config_ca *ca)
{
	return cc->constraints->form == CONSTRAINTS_ENHANCED ? ca->enhanced_type
							     : ca->constraints_type;
}

static enum rc
judge(struct token_judged *p, int64_t now_s, struct fault *f)
{
	const struct account *account = accounts_find(&p->w->accounts, p->ca->name);
	AUTO(anchors) *anchors = anchors_of(p->w->set->config);
	AUTO_WANT want = WANT_INIT;
	struct authtoken_expect e = {
		.tktype =
		    p->constraints ? token_constraints_type(p->config, p->ca) : "TNAuthList",
		.account_point = account != NULL ? account->point : NULL,
		.form = p->authority->spki_fingerprint ? FINGERPRINT_SPKI : FINGERPRINT_JWK,
		.anchors = anchors,
		.x5u_chain = p->signer,
		.issuer = issuer_of(p),
		.now_s = now_s,
	};
	struct authtoken_wanted wanted = { .constraints = p->constraints };

	TRY(narrow_want(p->w->set, p->at, now_s, &want, f));
	wanted.tkvalue = buf_view(p->constraints ? &want.constraints_der : &want.tnauth_der);
	wanted.form = want.form;
	return authtoken_report(p->token, p->jwt, &e, &wanted, p->finding, f);
}

enum rc
token_judge(struct token_judged *p, const char *tenant, const char *name, int64_t now_s,
    struct fault *f)
{
	TRY(find(p, tenant, name, f));
	return judge(p, now_s, f);
}

static enum rc
put_step(json_t *list, size_t i, const struct authtoken_finding *found, struct fault *f)
{
	json_t *one = json_pack("{s:s, s:s, s:s?, s:s}", "check",
	    authtoken_step_name((enum authtoken_step)i), "verdict",
	    authtoken_verdict_name(found->verdict), "reason",
	    found->why.rc != RC_OK ? found->why.reason : NULL, "detail", found->why.detail);

	if (one == NULL || json_array_append_new(list, one) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a report");
	return RC_OK;
}

enum rc
token_put_report(const struct token_judged *p, json_t *result, struct fault *f)
{
	json_t *list = json_array();
	bool good = true;

	TRY(op_put(result, "checks", list, f));
	for (size_t i = 0; i < AUTHTOKEN__STEPS; i++) {
		good = good && p->finding[i].verdict != AUTHTOKEN_BAD;
		TRY(put_step(list, i, &p->finding[i], f));
	}
	TRY(op_put(result, "good", json_boolean(good), f));
	TRY(op_put(result, "tktype", json_string(p->token->tktype), f));
	return op_put(result, "exp", json_integer(p->token->exp_s), f);
}

enum rc
token_good(const struct token_judged *p, struct fault *f)
{
	for (size_t i = 0; i < AUTHTOKEN__STEPS; i++) {
		const struct fault *why = &p->finding[i].why;

		if (p->finding[i].verdict == AUTHTOKEN_BAD)
			return FAULT(f, why->rc, why->reason, "%s", why->detail);
	}
	if (p->finding[AUTHTOKEN_ACCOUNT].verdict == AUTHTOKEN_UNJUDGED)
		return FAULT(f, RC_CONFLICT, "no_account",
		    "there is no account key at CA '%s' yet, so it can be for none of ours",
		    p->ca->name);
	return RC_OK;
}
