#include "agent/front/hand.h"

#include <assert.h>

#include "agent/front/account_work.h"
#include "agent/front/acme_ops.h"
#include "agent/front/fetch.h"
#include "agent/front/history.h"
#include "agent/front/narrow.h"
#include "agent/front/numbers.h"
#include "agent/front/offboard.h"
#include "agent/front/orphans.h"
#include "agent/front/pending.h"
#include "agent/front/reserve.h"
#include "agent/front/revoke.h"
#include "agent/front/token.h"
#include "agent/front/want.h"
#include "stir/ascii.h"
#include "stir/jtext.h"

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
	TRY(revoke_release(w, at, f)); /* whoever asks for it wants a new one */
	TRY(narrow_want(w->set, at, call->now_s, &want, f));
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
find_acme_ca(const struct hand_call *call, const struct config_ca **out, struct fault *f)
{
	const struct config_ca *ca = config_ca_find(call->w->set->config, call->tenant);

	if (ca == NULL)
		return REFUSE(f, RC_NOT_FOUND, NOT_FOUND, NULL, "no CA of that name");
	if (ca->issuer != ISSUER_ACME)
		return REFUSE(
		    f, RC_CONFLICT, CONFLICT, NULL, "CA '%s' does not speak ACME", ca->name);
	*out = ca;
	return RC_OK;
}

static enum rc
hand_account(struct hand_call *call, json_t *result, struct fault *f)
{
	const struct config_ca *ca = NULL;
	json_auto_t *made = json_object();

	TRY(find_acme_ca(call, &ca, f));
	if (accounts_find(&call->w->accounts, ca->name) == NULL)
		TRY(as_op(call, account_op, json_pack("{s:s}", "ca", call->tenant), made, f));
	return account_show(call->w, ca, result, f);
}

static enum rc
ask_account(struct hand_call *call, enum account_job_kind kind, json_t *result, struct fault *f)
{
	const struct config_ca *ca = NULL;

	TRY(find_acme_ca(call, &ca, f));
	TRY(account_ask(call->w, ca->name, kind, call->now_s, f));
	call->event = json_pack("{s:s}", "event", "errand");
	call->event_may_fail = true;
	return account_show(call->w, ca, result, f);
}

static enum rc
hand_contact(struct hand_call *call, json_t *result, struct fault *f)
{
	return ask_account(call, ACCOUNT_JOB_CONTACT, result, f);
}

static enum rc
hand_key(struct hand_call *call, json_t *result, struct fault *f)
{
	return ask_account(call, ACCOUNT_JOB_KEY, result, f);
}

/* What cannot be undone is asked for by its name twice. */
static enum rc
check_confirmed(const struct hand_call *call, struct fault *f)
{
	const char *name = json_string_value(json_object_get(call->body, "confirm"));

	if (name == NULL || strcmp(name, call->tenant) != 0)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "confirm",
		    "it cannot be undone: 'confirm' repeats the name");
	return RC_OK;
}

static enum rc
hand_deactivate(struct hand_call *call, json_t *result, struct fault *f)
{
	TRY(check_confirmed(call, f));
	return ask_account(call, ACCOUNT_JOB_DEACTIVATION, result, f);
}

static enum rc
hand_replace(struct hand_call *call, json_t *result, struct fault *f)
{
	const struct config_ca *ca = NULL;

	TRY(check_confirmed(call, f));
	TRY(find_acme_ca(call, &ca, f));
	TRY(account_replace(call->w, ca->name, call->now_s, f));
	call->event =
	    json_pack("{s:s}", "event", "changed"); /* it asks for the account again */
	call->event_may_fail = true;
	return account_show(call->w, ca, result, f);
}

/* ---- tokens ---- */

static struct span
given_token(const struct hand_call *call)
{
	return jtext_span(json_object_get(call->body, "token"));
}

static enum rc
hand_judge(struct hand_call *call, json_t *result, struct fault *f)
{
	AUTO_TOKEN_JUDGED p = { .w = call->w, .jwt = given_token(call) };

	TRY(token_judge(&p, call->tenant, call->name, call->now_s, f));
	return token_put_report(&p, result, f);
}

static enum rc
hand_token(struct hand_call *call, json_t *result, struct fault *f)
{
	AUTO_TOKEN_JUDGED p = { .w = call->w, .jwt = given_token(call) };

	TRY(token_judge(&p, call->tenant, call->name, call->now_s, f));
	TRY(token_put_report(&p, result, f));
	TRY(token_good(&p, f));
	call->event = json_pack("{s:s, s:s, s:s, s:O}", "event", "token", "tenant",
	    call->tenant, "name", call->name, "token", json_object_get(call->body, "token"));
	if (call->event == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an event");
	return RC_OK;
}

static enum rc
hand_fetch(struct hand_call *call, json_t *result, struct fault *f)
{
	struct fetch_ask ask = { .tenant = call->tenant,
		.name = call->name,
		.kind = json_string_value(json_object_get(call->body, "kind")),
		.job = call->job };

	return fetch_run(call->w, &ask, call->now_s, &call->event, &call->again_s, result, f);
}

/* ---- revocation ---- */

static const char *
asked_for(const struct hand_call *call, const char *member)
{
	return json_string_value(json_object_get(call->body, member));
}

/* It becomes part of a file's name; as it is shown, or as other tools write it. */
static enum rc
take_serial(const char *text, char out[CERT_SERIAL_TEXT], struct fault *f)
{
	size_t len = 0;

	for (; *text != 0; text++) {
		if (*text == ':' || (*text == '0' && len == 0))
			continue;
		if (ascii_hex((uint8_t)*text) < 0 || len + 1 >= CERT_SERIAL_TEXT)
			return REFUSE(f, RC_INVALID, INVALID_MEMBER, "serial",
			    "a serial is at most %d hexadecimal digits", CERT_SERIAL_TEXT - 1);
		out[len++] = (char)(*text | 0x20); /* digits have that bit */
	}
	if (len == 0)
		out[len++] = '0';
	out[len] = 0;
	return RC_OK;
}

/* Why and by whom, as it is asked for; what is not said stays. */
static enum rc
take_how(const struct hand_call *call, unsigned *code, bool *by_key, struct fault *f)
{
	const char *reason = asked_for(call, "reason"), *by = asked_for(call, "by");

	if (reason != NULL && !revocation_reason(reason, code))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "reason",
		    "one of unspecified, keyCompromise, affiliationChanged, superseded, "
		    "cessationOfOperation, privilegeWithdrawn");
	*by_key = by != NULL && strcmp(by, "key") == 0;
	if (by != NULL && !*by_key && strcmp(by, "account") != 0)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "by", "'by' is account or key");
	return RC_OK;
}

static enum rc
take_revocation(const struct hand_call *call, char serial[CERT_SERIAL_TEXT],
    struct revoke_ask *ask, struct fault *f)
{
	if (asked_for(call, "serial") != NULL) {
		TRY(take_serial(asked_for(call, "serial"), serial, f));
		ask->serial = serial;
	}
	return take_how(call, &ask->reason, &ask->by_key, f);
}

static enum rc
hand_revoke(struct hand_call *call, json_t *result, struct fault *f)
{
	const struct revocation *r = NULL;
	struct revoke_ask ask = { .serial = NULL };
	char serial[CERT_SERIAL_TEXT];
	struct credset_place at = { 0 };

	if (!credset_find(call->w->set, call->tenant, call->name, &at))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	TRY(take_revocation(call, serial, &ask, f));
	TRY(revoke_cert(call->w, at, &ask, call->now_s, &r, f));
	call->event = json_pack("{s:s}", "event", "errand");
	call->event_may_fail = true;
	TRY(op_put(result, "serial", json_string(r->serial), f));
	TRY(op_put(result, "state", json_string(revocation_state_name(r->state)), f));
	return op_put(result, "answer", json_string(r->answer), f);
}

static enum rc
hand_history(struct hand_call *call, json_t *result, struct fault *f)
{
	struct credset_place at = { 0 };

	if (!credset_find(call->w->set, call->tenant, call->name, &at))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	return history_show(call->w, at, call->now_s, result, f);
}

/* ---- numbers ---- */

static enum rc
read_entries(const json_t *body, const char *member, struct tnset **out, struct fault *f)
{
	AUTO_BUF list = BUF_INIT(NUMBERS_MAX_ENTRIES * sizeof(struct tn_interval));
	const json_t *all = json_object_get(body, member), *one;
	size_t i;

	json_array_foreach (all, i, one) {
		struct tn_interval in = { 0 };
		struct fault why = { 0 };

		if (tnset_parse(jtext_span(one), &in, &why) != RC_OK)
			return REFUSE(f, RC_INVALID, INVALID_TN, member,
			    "entry %zu of '%s': %s; write \"12025550100\" or "
			    "\"12025550110-12025550119\"",
			    i + 1, member, why.detail);
		buf_put(&list, &in, sizeof in);
	}
	TRY(buf_check(&list, f));
	return tnset_build((const struct tn_interval *)(const void *)list.ptr,
	    list.len / sizeof(struct tn_interval), out, f);
}

static enum rc
hand_numbers(struct hand_call *call, json_t *result, struct fault *f)
{
	AUTO(tnset) *add = NULL, *remove = NULL;

	TRY(read_entries(call->body, "add", &add, f));
	TRY(read_entries(call->body, "remove", &remove, f));
	return numbers_change(call->w, call->tenant, add, remove, call->now_s, result, f);
}

/* ---- reserves ---- */

static enum rc
hand_failover(struct hand_call *call, json_t *result, struct fault *f)
{
	return reserve_switch(
	    call->w, call->tenant, asked_for(call, "credential"), true, call->now_s, result, f);
}

static enum rc
hand_failback(struct hand_call *call, json_t *result, struct fault *f)
{
	return reserve_switch(call->w, call->tenant, asked_for(call, "credential"), false,
	    call->now_s, result, f);
}

/* ---- keys ---- */

static enum rc
hand_keys(struct hand_call *call, json_t *result, struct fault *f)
{
	return orphans_keys(call->w, call->tenant, call->now_s, result, f);
}

static enum rc
hand_orphans(struct hand_call *call, json_t *result, struct fault *f)
{
	const struct orphans_ask ask = { .token = call->tenant,
		.confirm = asked_for(call, "confirm"),
		.key = asked_for(call, "key"),
		.now_s = call->now_s };

	return orphans_run(call->w, &ask, result, f);
}

/* ---- the end of a tenant ---- */

static enum rc
hand_offboarding(struct hand_call *call, json_t *result, struct fault *f)
{
	return offboard_show(call->w, call->tenant, call->now_s, result, f);
}

static enum rc
hand_offboard(struct hand_call *call, json_t *result, struct fault *f)
{
	struct offboard_ask ask = { .by_key = false };

	TRY(check_confirmed(call, f));
	(void)revocation_reason("cessationOfOperation", &ask.reason);
	TRY(take_how(call, &ask.reason, &ask.by_key, f));
	TRY(offboard_begin(call->w, call->tenant, &ask, call->now_s, f));
	return hand_offboarding(call, result, f);
}

static enum rc
hand_destroy_keys(struct hand_call *call, json_t *result, struct fault *f)
{
	const char *outstanding = asked_for(call, "outstanding");

	TRY(check_confirmed(call, f));
	if (outstanding != NULL && strcmp(outstanding, "accept") != 0)
		return REFUSE(
		    f, RC_INVALID, INVALID_MEMBER, "outstanding", "'outstanding' is accept");
	TRY(offboard_destroy(call->w, call->tenant, outstanding != NULL, call->now_s, f));
	return hand_offboarding(call, result, f);
}

static enum rc
hand_take_back(struct hand_call *call, json_t *result, struct fault *f)
{
	TRY(offboard_take_back(call->w, call->tenant, f));
	return op_put(result, "tenant", json_string(call->tenant), f);
}

/* ---- the table ---- */

static const struct {
	const char *name;
	enum rc (*run)(struct hand_call *call, json_t *result, struct fault *f);
	struct hand_member member[HAND_MEMBERS]; /* ends with one without a name */
} rows[] = {
	/* clang-format off */
	[HAND_CSR] = { "csr", hand_csr, { { NULL, false } } },
	[HAND_INSTALL] = { "install", hand_install, { { "chain", false } } },
	[HAND_ACCOUNT] = { "account", hand_account, { { NULL, false } } },
	[HAND_CONTACT] = { "contact", hand_contact, { { NULL, false } } },
	[HAND_KEY] = { "key", hand_key, { { NULL, false } } },
	[HAND_DEACTIVATE] = { "deactivate", hand_deactivate, { { "confirm", false } } },
	[HAND_REPLACE] = { "replace", hand_replace, { { "confirm", false } } },
	[HAND_JUDGE] = { "judge", hand_judge, { { "token", false } } },
	[HAND_TOKEN] = { "token", hand_token, { { "token", false } } },
	[HAND_FETCH] = { "fetch", hand_fetch, { { "kind", true } } },
	[HAND_HISTORY] = { "history", hand_history, { { NULL, false } } },
	[HAND_REVOKE] = { "revoke", hand_revoke,
	    { { "serial", true }, { "reason", true }, { "by", true } } },
	[HAND_NUMBERS] = { "numbers", hand_numbers, { { NULL, false } } },
	[HAND_FAILOVER] = { "failover", hand_failover, { { "credential", false } } },
	[HAND_FAILBACK] = { "failback", hand_failback, { { "credential", false } } },
	[HAND_KEYS] = { "keys", hand_keys, { { NULL, false } } },
	[HAND_ORPHANS] = { "orphans", hand_orphans, { { "confirm", true }, { "key", true } } },
	[HAND_OFFBOARD] = { "offboard", hand_offboard,
	    { { "confirm", false }, { "reason", true }, { "by", true } } },
	[HAND_DESTROY_KEYS] = { "destroy-keys", hand_destroy_keys,
	    { { "confirm", false }, { "outstanding", true } } },
	[HAND_TAKE_BACK] = { "take-back", hand_take_back, { { NULL, false } } },
	[HAND_OFFBOARDING] = { "offboarding", hand_offboarding, { { NULL, false } } },
	/* clang-format on */
};
static_assert(ARRAY_LEN(rows) == HAND__COUNT, "a row for each");

const char *
hand_name(enum hand kind)
{
	return rows[kind].name;
}

bool
hand_of_ca(enum hand kind)
{
	return kind == HAND_ACCOUNT || kind == HAND_CONTACT || kind == HAND_KEY ||
	       kind == HAND_DEACTIVATE || kind == HAND_REPLACE;
}

bool
hand_of_tenant(enum hand kind)
{
	return kind == HAND_NUMBERS || kind == HAND_FAILOVER || kind == HAND_FAILBACK ||
	       hand_of_offboarding(kind);
}

bool
hand_of_offboarding(enum hand kind)
{
	return kind == HAND_OFFBOARD || kind == HAND_DESTROY_KEYS || kind == HAND_TAKE_BACK ||
	       kind == HAND_OFFBOARDING;
}

bool
hand_of_token(enum hand kind)
{
	return kind == HAND_KEYS || kind == HAND_ORPHANS;
}

const struct hand_member *
hand_members(enum hand kind)
{
	return rows[kind].member;
}

enum rc
hand_run(enum hand kind, struct hand_call *call, json_t *result, struct fault *f)
{
	return rows[kind].run(call, result, f);
}
