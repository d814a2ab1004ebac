#include "agent/front/acme_ops.h"

#include <stdio.h>

#include "agent/front/account_work.h"
#include "agent/front/acme_sign.h"
#include "agent/front/offboard.h"
#include "agent/front/revoke.h"
#include "agent/front/series.h"
#include "stir/b64.h"

/* ---- what an operator asked of a CA ---- */

static json_t *
errand_of(const struct revocation *r)
{
	return json_pack("{s:s, s:s, s:s, s:b}", "id", r->id, "ca", r->ca, "resource",
	    "revokeCert", "kid", !r->by_key);
}

/* RFC 8739 section 3.1.2: to the order itself. */
static json_t *
cancellation_of(const struct series *s)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b}", "id", s->id, "ca", s->ca, "resource",
	    "order", "url", s->order, "kid", 1);
}

static bool
is_urgent(const struct revocation *r)
{
	unsigned code = 0;

	return revocation_reason("keyCompromise", &code) && r->reason == code;
}

struct revocations {
	size_t at;
	bool urgent_done;
};

/* What a compromised key has signed goes first. */
static const struct revocation *
next_revocation(const struct works *w, const char *ca, struct revocations *of)
{
	const struct revocation *r;

	while (
	    (r = revoke_outstanding(w, ca, &of->at)) != NULL && is_urgent(r) == of->urgent_done)
		continue;
	if (r != NULL || of->urgent_done)
		return r;
	*of = (struct revocations){ .urgent_done = true };
	return next_revocation(w, ca, of);
}

/* In turns: what a CA does not answer of the ones must not hide the others. */
static enum rc
errands_of_ca(
    const struct op_call *call, const char *ca, size_t most, json_t *list, struct fault *f)
{
	const struct works *w = call->w;
	json_t *of_account = account_errand(w, ca, call->now_s);
	struct revocations of = { .at = 0 };
	size_t at = 0, n = of_account != NULL;
	bool more = true;

	if (n > 0 && json_array_append_new(list, of_account) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "errands");
	while (n < most && more) {
		const struct revocation *r = next_revocation(w, ca, &of);
		const struct series *s = NULL;

		if (r != NULL && json_array_append_new(list, errand_of(r)) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "errands");
		n += r != NULL;
		if (n < most && (s = series_outstanding(w, ca, &at)) != NULL &&
		    json_array_append_new(list, cancellation_of(s)) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "errands");
		n += s != NULL;
		more = r != NULL || s != NULL;
	}
	return RC_OK;
}

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * One CA that does not answer must not hide what others are to be asked: each
 * has a share, which the configuration's 64 CAs leave some rows of.
 */
enum rc
errands_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const struct config *c = call->w->set->config;
	json_t *list = json_array();
	size_t share, asked = 0;

	TRY(op_put(answer, "errands", list, f));
	for (size_t i = 0; i < c->cas; i++)
		asked += c->ca[i].issuer == ISSUER_ACME;
	share = min_size(ACME_ERRANDS_MAX / (asked > 0 ? asked : 1), ACME_ERRANDS_OF_CA);
	for (size_t i = 0; i < c->cas; i++) {
		if (c->ca[i].issuer == ISSUER_ACME)
			TRY(errands_of_ca(call, c->ca[i].name, share, list, f));
	}
	return RC_OK;
}

/* RFC 8555 section 7.6: no reason is that of "unspecified". */
static enum rc
revocation_payload(
    const struct revocation *r, const struct cert *leaf, json_t **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(2 * CERT_MAX_DER);
	json_auto_t *payload = json_object();

	b64_encode(&text, B64_URL, span_of(leaf->der, leaf->der_len));
	TRY(buf_check(&text, f));
	TRY(op_put(payload, "certificate", json_stringn((const char *)text.ptr, text.len), f));
	if (r->reason != 0)
		TRY(op_put(payload, "reason", json_integer(r->reason), f));
	/*
	 * The certificate's key is sent along, and so it would be to newAccount, whose URL
	 * whoever carries it may have named: there this says that none is to be opened
	 * (section 7.3.1).  revokeCert does not know the member.
	 */
	if (r->by_key)
		TRY(op_put(payload, "onlyReturnExisting", json_true(), f));
	*out = TAKE(payload);
	return RC_OK;
}

/* Its key may be in another token than the account's. */
static enum rc
by_its_own_key(const struct op_call *call, const struct revocation *r, const struct cert *leaf,
    struct acme *a, struct fault *f)
{
	struct credset_place at;

	if (!credset_find(call->w->set, r->tenant, r->name, &at))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	a->point = leaf->point;
	return works_token_of(
	    call->w, credset_config(call->w->set, at), leaf->key_id, &a->token, f);
}

static enum rc
cancel_series(
    const struct op_call *call, const struct series *s, json_t *answer, struct fault *f)
{
	json_auto_t *payload = json_pack("{s:s}", "status", "canceled");
	struct acme a = { 0 };

	if (!series_is_asked(s) || strcmp(s->ca, op_text(call, "ca")) != 0 ||
	    op_text(call, "kid") == NULL || strcmp(s->order, op_text(call, "url")) != 0)
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nobody asked for that");
	TRY(acme_find(call, &a, f));
	return acme_answer(call, &a, payload, answer, f);
}

enum rc
errand_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const char *id = op_text(call, "errand");
	const struct revocation *r = revoke_find(call->w, id);
	const struct series *s = series_find(call->w, id);
	json_auto_t *payload = NULL;
	AUTO(cert) *leaf = NULL;
	struct acme a = { 0 };

	if (account_is_errand(id))
		return account_errand_jws(call, answer, f);
	if (s != NULL)
		return cancel_series(call, s, answer, f);
	if (r == NULL || r->state != REVOCATION_OUTSTANDING ||
	    strcmp(r->ca, op_text(call, "ca")) != 0)
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nobody asked for that");
	if ((op_text(call, "kid") == NULL) != r->by_key)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "kid", "not by whom it is to be");
	TRY(revocation_read_cert(call->w->set->config, r->id, &leaf, f));
	if (r->by_key)
		TRY(acme_find_ca(call, &a.ca, f));
	else
		TRY(acme_find(call, &a, f));
	if (r->by_key)
		TRY(by_its_own_key(call, r, leaf, &a, f));
	TRY(revocation_payload(r, leaf, &payload, f));
	return acme_answer(call, &a, payload, answer, f);
}

enum rc
errand_done_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const char *id = op_text(call, "errand");
	bool final = json_is_true(json_object_get(call->msg, "final"));
	const struct series *s = series_find(call->w, id);
	const struct revocation *r = revoke_find(call->w, id);
	char tenant[CONFIG_NAME_MAX + 1] = "";

	(void)answer;
	if (s != NULL || r != NULL) /* either may be gone with the answer */
		snprintf(tenant, sizeof tenant, "%s", s != NULL ? s->tenant : r->tenant);
	if (s != NULL)
		TRY(series_answered(call->w, id, final, op_text(call, "reason"),
		    op_text(call, "detail"), call->now_s, f));
	else
		TRY((account_is_errand(id) ? account_answered : revoke_answered)(call->w, id,
		    final, op_text(call, "reason"), op_text(call, "detail"), call->now_s, f));
	offboard_soon(call->w, tenant); /* its end may wait for it */
	return RC_OK;
}
