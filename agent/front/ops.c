#include "agent/front/ops.h"

#include "agent/front/acme_ops.h"
#include "agent/front/documents.h"
#include "agent/front/fetch.h"
#include "agent/front/observe.h"
#include "agent/front/plan.h"
#include "agent/front/rtu.h"
#include "agent/front/tnlist_ops.h"
#include "stir/b64.h"

enum kind {
	TEXT = 1,
	NUMBER = 2,
	BOOLEAN = 4,
	OBJECT = 8,
	NUL = 16,
	ABSENT = 32,
	OPTIONAL = NUL | ABSENT,
};

enum { OP_MEMBERS = 11, OP_NAME_MAX = CONFIG_NAME_MAX };

struct member {
	const char *name;
	unsigned kinds;
};

struct op {
	const char *name;
	op_fn *run;
	struct member member[OP_MEMBERS]; /* ends with name NULL */
};

/* clang-format off */
#define CA { "ca", TEXT }
#define KID { "kid", TEXT }
#define NONCE { "nonce", TEXT }
#define URL { "url", TEXT }
#define TENANT { "tenant", TEXT }
#define NAME { "name", TEXT }
#define TNAUTHLIST { "tnauthlist", TEXT }
#define CONSTRAINTS { "constraints", TEXT | NUL }

static const struct op ops[] = {
	{ "plan", plan_op, { { "after", TEXT | OPTIONAL } } },
	{ "schedule", schedule_op, { TENANT, NAME, { "renew_at", NUMBER | NUL },
	    { "problem", TEXT | NUL }, { "step", TEXT | OPTIONAL },
	    { "attempts", NUMBER | OPTIONAL }, { "refusals", NUMBER | OPTIONAL },
	    { "token_until", NUMBER | OPTIONAL }, { "failing_since", NUMBER | OPTIONAL } } },
	{ "account-word", account_word_op, { CA, { "problem", TEXT | NUL } } },
	{ "content", content_op, { { "uri", TEXT }, { "sha256", TEXT | NUL },
	    { "sha384", TEXT | NUL }, { "sha512", TEXT | NUL }, { "card", TEXT | NUL },
	    { "problem", TEXT | NUL } } },
	{ "lists", lists_op, { { NULL, 0 } } },
	{ "list", list_op, { TENANT, NAME, URL, { "total", NUMBER }, { "offset", NUMBER },
	    { "data", TEXT | NUL }, { "fresh_s", NUMBER | NUL }, { "problem", TEXT | NUL } } },
	{ "documents", documents_op, { { NULL, 0 } } },
	{ "document", document_op, { { "document", NUMBER }, { "status", NUMBER | NUL },
	    { "total", NUMBER }, { "offset", NUMBER }, { "data", TEXT | NUL },
	    { "problem", TEXT | NUL } } },
	{ "account", account_op, { CA } },
	{ "new-account", new_account_op, { CA, NONCE, URL, { "eab", OBJECT | NUL },
	    { "only_existing", BOOLEAN } } },
	{ "new-order", new_order_op, { CA, KID, NONCE, URL, TENANT, NAME, TNAUTHLIST,
	    CONSTRAINTS, { "replaces", TEXT | OPTIONAL },
	    { "by_get", BOOLEAN | ABSENT } } },
	{ "challenge", challenge_op, { CA, KID, NONCE, URL, { "token", TEXT | NUL } } },
	{ "csr", csr_op, { TENANT, NAME, TNAUTHLIST, CONSTRAINTS } },
	{ "finalize", finalize_op, { CA, KID, NONCE, URL, TENANT, NAME,
	    { "order", TEXT | OPTIONAL } } },
	{ "post-as-get", post_as_get_op, { CA, KID, NONCE, URL } },
	{ "errands", errands_op, { { NULL, 0 } } },
	{ "errand", errand_op, { CA, { "kid", TEXT | NUL }, NONCE, URL, { "errand", TEXT } } },
	{ "errand-done", errand_done_op, { { "errand", TEXT }, { "final", BOOLEAN },
	    { "reason", TEXT | NUL }, { "detail", TEXT | NUL } } },
	{ "fetched", fetched_op, { { "fetch", NUMBER }, { "token", TEXT | NUL },
	    { "signer", TEXT | NUL }, { "problem", TEXT | NUL } } },
	{ "rtu", rtu_op, { TENANT, NAME, { "token", TEXT | NUL }, { "signer", TEXT | NUL },
	    { "detail", TEXT | NUL } } },
	{ "install", install_op, { TENANT, NAME, { "chain", TEXT },
	    { "x5u", TEXT | OPTIONAL }, { "order", TEXT | OPTIONAL } } },
};
/* clang-format on */

static unsigned
kind_of(const json_t *value)
{
	if (value == NULL)
		return ABSENT;
	switch (json_typeof(value)) {
	case JSON_STRING: return TEXT;
	case JSON_INTEGER: return NUMBER;
	case JSON_TRUE:
	case JSON_FALSE: return BOOLEAN;
	case JSON_OBJECT: return OBJECT;
	case JSON_NULL: return NUL;
	default: return 0;
	}
}

static const struct op *
find_op(const json_t *msg)
{
	const char *name = json_string_value(json_object_get(msg, "op"));

	for (size_t i = 0; name != NULL && i < ARRAY_LEN(ops); i++) {
		if (strcmp(ops[i].name, name) == 0)
			return &ops[i];
	}
	return NULL;
}

static size_t
members_of(const struct op *op)
{
	size_t n = 0;

	while (n < OP_MEMBERS && op->member[n].name != NULL)
		n++;
	return n;
}

/* Every member that the table demands, of its type, and no other. */
static enum rc
check_members(const struct op *op, const json_t *msg, struct fault *f)
{
	size_t n = members_of(op), known = 2; /* op, id */

	for (size_t i = 0; i < n; i++) {
		const struct member *m = &op->member[i];
		const json_t *value = json_object_get(msg, m->name);

		if (value == NULL && (m->kinds & ABSENT) == 0)
			return REFUSE(f, RC_INVALID, MISSING_MEMBER, m->name, "'%s'", m->name);
		if ((m->kinds & kind_of(value)) == 0)
			return REFUSE(f, RC_INVALID, INVALID_MEMBER, m->name,
			    "'%s' is of another type", m->name);
		if (value != NULL)
			known++;
	}
	if (json_object_size(msg) != known)
		return REFUSE(f, RC_INVALID, UNKNOWN_MEMBER, NULL, "%zu members, %zu known",
		    json_object_size(msg), known);
	return RC_OK;
}

const char *
op_text(const struct op_call *call, const char *name)
{
	return json_string_value(json_object_get(call->msg, name));
}

enum rc
op_octets(
    const struct op_call *call, const char *name, size_t max, struct buf *out, struct fault *f)
{
	const json_t *value = json_object_get(call->msg, name);
	struct span text = span_of(json_string_value(value), json_string_length(value));

	if (!json_is_string(value))
		return RC_OK;
	if (text.len > b64_encoded_len(B64_URL, max))
		return REFUSE(
		    f, RC_INVALID, TOO_LARGE, name, "'%s' has %zu characters", name, text.len);
	if (text.len == 0 || b64_decode(out, B64_URL, text, NULL) != RC_OK)
		return REFUSE(
		    f, RC_INVALID, INVALID_MEMBER, name, "'%s' is not base64url", name);
	return buf_check(out, f);
}

enum rc
op_place(const struct op_call *call, struct credset_place *out, struct fault *f)
{
	const char *tenant = op_text(call, "tenant"), *name = op_text(call, "name");

	if (!credset_find(call->w->set, tenant, name, out))
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	return RC_OK;
}

enum rc
op_put(json_t *answer, const char *name, json_t *value, struct fault *f)
{
	if (value == NULL || json_object_set_new(answer, name, value) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an answer");
	return RC_OK;
}

static enum rc
run(struct op_call *call, json_t *answer, struct fault *f)
{
	const struct op *op = find_op(call->msg);

	if (!json_is_integer(json_object_get(call->msg, "id")))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "id", "'id' is an integer");
	if (op == NULL)
		return REFUSE(f, RC_INVALID, NOT_FOUND, "op", "no such operation");
	TRY(check_members(op, call->msg, f));
	if (call->w->set == NULL)
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL, "nothing is loaded yet");
	return op->run(call, answer, f);
}

/* What is worth another try has one of four reasons, whatever lies below. */
static const char *
reason_of(enum rc rc, const struct fault *f)
{
	switch (rc) {
	case RC_HSM: return reason_token(REASON_HSM_UNAVAILABLE);
	case RC_TIMEOUT: return reason_token(REASON_HSM_TIMEOUT);
	case RC_NO_MEMORY:
	case RC_BUSY: return reason_token(REASON_OVERLOADED);
	case RC_IO: return "io";
	default: return f->reason;
	}
}

static json_t *
answer_of(const json_t *msg, enum rc rc, const struct fault *f, json_t *good)
{
	json_t *id = json_object_get(msg, "id");
	json_t *answer = good;

	if (rc != RC_OK) {
		json_decref(good);
		answer = json_pack("{s:b, s:s, s:s}", "ok", 0, "reason", reason_of(rc, f),
		    "detail", f->detail);
		if (answer == NULL) /* a detail that is not UTF-8 */
			answer = json_pack("{s:b, s:s}", "ok", 0, "reason", reason_of(rc, f));
	} else if (json_object_set_new(answer, "ok", json_true()) != 0) {
		json_decref(answer);
		return NULL;
	}
	if (answer != NULL && json_is_integer(id) && json_object_set(answer, "id", id) != 0) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

void
ops_answer(struct works *w, const json_t *msg, int64_t now_s, json_t **out, int64_t *again_s)
{
	struct op_call call = { .w = w, .msg = msg, .now_s = now_s };
	json_t *good = json_object();
	struct fault f = { 0 };
	enum rc rc;

	*out = NULL;
	*again_s = 0;
	if (good == NULL)
		return;
	rc = run(&call, good, &f);
	if (rc == RC_IO)
		w->state_at_s = 0; /* is it the disk?  It is tried with the next chores */
	if (rc == RC_BUSY && call.again_s > now_s) {
		*again_s = call.again_s;
		json_decref(good);
		return;
	}
	*out = answer_of(msg, rc, &f, good);
}
