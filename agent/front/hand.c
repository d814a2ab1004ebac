#include "agent/front/hand.h"

#include <assert.h>

#include "agent/front/acme_ops.h"
#include "agent/front/pending.h"
#include "agent/front/want.h"

/* The renewer's operation with these members (taken), asked by the operator. */
static enum rc
as_op(struct hand_call *call, op_fn *op, json_t *members, json_t *result, struct fault *f)
{
	json_auto_t *msg = members;
	struct op_call as = { .w = call->w, .msg = msg, .now_s = call->now_s };
	enum rc rc;

	if (msg == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an operation");
	rc = op(&as, result, f);
	call->again_s = as.again_s;
	return rc;
}

/* ---- request and chain ---- */

static enum rc
put_pem(json_t *result, struct span der, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(2 * PENDING_MAX);

	TRY(csr_pem(der, &pem, f));
	return op_put(result, "csr", json_stringn((const char *)pem.ptr, pem.len), f);
}

/* An order that the renewer has under way must not lose its request to another one. */
static enum rc
check_by_hand(const struct config *c, const struct config_credential *cc, struct fault *f)
{
	if (config_issuer(c, cc) == ISSUER_HAND)
		return RC_OK;
	return REFUSE(f, RC_CONFLICT, CONFLICT, NULL,
	    "credential '%s' gets its certificates from ca '%s' by itself; drop its ca, or "
	    "name one with issuer = \"hand\"",
	    cc->name, cc->ca);
}

static enum rc
hand_csr(struct hand_call *call, json_t *result, struct fault *f)
{
	struct works *w = call->w;
	const struct config_credential *cc;
	const struct config_tenant *t;
	struct credset_place at = { 0 };
	char key[2 * KEY_ID_LEN + 1];
	AUTO_WANT want = WANT_INIT;
	AUTO_PENDING p = { 0 };

	if (!credset_find(w->set, call->tenant, call->name, &at))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	t = &w->set->config->tenant[at.tenant];
	cc = credset_config(w->set, at);
	if (!t->enabled)
		return REFUSE(f, RC_DENIED, TENANT_DISABLED, NULL, "the tenant is disabled");
	TRY(check_by_hand(w->set->config, cc, f));
	TRY(want_of(t, cc, &want, f));
	TRY(pending_make(w, at, buf_view(&want.tnauth_der), buf_view(&want.constraints_der),
	    call->now_s, &p, f));
	/* RFC 8555 section 11.1, D-32 */
	if (accounts_has_key(&w->accounts, p.facts.key_id))
		return FAULT(f, RC_DENIED, "account_key", "the request's key is an account's");
	works_hex(p.facts.key_id, KEY_ID_LEN, key);
	TRY(put_pem(result, buf_view(&p.der), f));
	return op_put(result, "key", json_string(key), f);
}

static enum rc
hand_install(struct hand_call *call, json_t *result, struct fault *f)
{
	return as_op(call, install_op,
	    json_pack("{s:s, s:s, s:O}", "tenant", call->tenant, "name", call->name, "chain",
		json_object_get(call->body, "chain")),
	    result, f);
}

/* ---- accounts ---- */

static enum rc
hand_account(struct hand_call *call, json_t *result, struct fault *f)
{
	TRY(op_put(result, "ca", json_string(call->tenant), f));
	return as_op(call, account_op, json_pack("{s:s}", "ca", call->tenant), result, f);
}

/* ---- the table ---- */

static const struct {
	const char *name, *member;
	enum rc (*run)(struct hand_call *call, json_t *result, struct fault *f);
} rows[] = {
	[HAND_CSR] = { "csr", NULL, hand_csr },
	[HAND_INSTALL] = { "install", "chain", hand_install },
	[HAND_ACCOUNT] = { "account", NULL, hand_account },
};
static_assert(ARRAY_LEN(rows) == HAND__COUNT, "a row for each");

const char *
hand_name(enum hand kind)
{
	return rows[kind].name;
}

const char *
hand_member(enum hand kind)
{
	return rows[kind].member;
}

enum rc
hand_run(enum hand kind, struct hand_call *call, json_t *result, struct fault *f)
{
	return rows[kind].run(call, result, f);
}
