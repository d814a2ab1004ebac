#include "agent/front/documents.h"

#include "agent/front/crl_ops.h"
#include "agent/front/ct_ops.h"
#include "agent/front/trust_ops.h"

/* ---- asking -------------------------------------------------------------------------------- */

struct document *
documents_place(struct documents *d, int64_t now_s)
{
	for (size_t i = 0; i < DOCUMENTS_OUT; i++) {
		struct document *one = &d->out[i];

		if (one->id != 0 && one->until_s > now_s &&
		    one->until_s <= now_s + DOCUMENT_LEASE_S)
			continue;
		*one = (struct document){ .id = 0 };
		return one;
	}
	return NULL;
}

enum rc
documents_ask(
    struct documents *d, struct document *one, json_t *list, int64_t now_s, struct fault *f)
{
	json_t *row = json_pack("{s:I, s:s, s:I, s:s}", "document", (json_int_t)(d->last + 1),
	    "url", one->url, "max", (json_int_t)one->max, "tls_ca",
	    one->tls_ca != NULL ? one->tls_ca : "ct_tls_ca");

	if (json_array_append_new(list, row) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a document");
	one->id = ++d->last;
	one->until_s = now_s + DOCUMENT_LEASE_S;
	return RC_OK;
}

enum rc
documents_op(struct op_call *call, json_t *answer, struct fault *f)
{
	json_t *list = json_array();

	TRY(op_put(answer, "documents", list, f));
	TRY(trust_ask(call, list, f)); /* first: what all else is judged by */
	TRY(crl_ask(call, list, f));
	return ct_ask(call, list, f);
}

/* ---- what comes ---------------------------------------------------------------------------- */

static int64_t
number(const struct op_call *call, const char *name)
{
	return json_integer_value(json_object_get(call->msg, name));
}

static void
end(struct documents *d)
{
	buf_free(&d->octets);
	d->part_of = 0;
	d->total = 0;
}

static struct document *
find(struct documents *d, int64_t id)
{
	for (size_t i = 0; id > 0 && i < DOCUMENTS_OUT; i++) {
		if (d->out[i].id == (uint64_t)id)
			return &d->out[i];
	}
	return NULL;
}

static enum rc
begin(struct documents *d, const struct document *one, int64_t total, struct fault *f)
{
	end(d);
	if (total <= 0 || (uint64_t)total > one->max)
		return REFUSE(f, RC_INVALID, TOO_LARGE, "total", "%lld octets, %zu at most",
		    (long long)total, one->max);
	d->octets = BUF_INIT((size_t)total);
	d->total = (size_t)total;
	d->part_of = one->id;
	return RC_OK;
}

static enum rc
add_part(struct documents *d, const struct document *one, const struct op_call *call,
    struct fault *f)
{
	AUTO_BUF part = BUF_INIT(DOCUMENT_PART_MAX);
	int64_t offset = number(call, "offset"), total = number(call, "total");

	TRY(op_octets(call, "data", DOCUMENT_PART_MAX, &part, f));
	if (offset == 0)
		TRY(begin(d, one, total, f));
	if (d->part_of != one->id || (int64_t)d->octets.len != offset ||
	    (int64_t)d->total != total || part.len == 0 || part.len > d->total - d->octets.len)
		return REFUSE(
		    f, RC_CONFLICT, CONFLICT, "offset", "a part that does not follow");
	buf_span(&d->octets, buf_view(&part));
	return buf_check(&d->octets, f);
}

/* It is judged once, whatever comes of that. */
static enum rc
judge(struct op_call *call, struct document *one, const struct document_come *come,
    struct fault *f)
{
	struct document mine = *one;

	one->id = 0;
	return mine.come(call, &mine, come, f);
}

static enum rc
arrive(struct op_call *call, struct document *one, struct fault *f)
{
	struct documents *d = call->w->documents;
	struct document_come come = { .status = 200 };
	enum rc rc = add_part(d, one, call, f);

	if (rc != RC_OK) {
		end(d);
		return rc;
	}
	one->until_s = call->now_s + DOCUMENT_LEASE_S; /* it is coming */
	if (d->octets.len < d->total)
		return RC_OK;
	come.octets = buf_view(&d->octets);
	rc = judge(call, one, &come, f);
	end(d);
	return rc;
}

enum rc
document_op(struct op_call *call, json_t *answer, struct fault *f)
{
	struct document *one = find(call->w->documents, number(call, "document"));
	const char *problem = op_text(call, "problem");
	struct document_come come = { .status = number(call, "status") };
	char said[CREDENTIAL_PROBLEM_MAX];

	(void)answer;
	if (one == NULL)
		return REFUSE(
		    f, RC_NOT_FOUND, NOT_FOUND, "document", "nobody asked for that document");
	if (problem == NULL)
		return arrive(call, one, f);
	/* The renewer's words, and a server's in them, reach terminals. */
	credential_clip(problem, said);
	come.problem = said;
	if (come.status == 200)
		come.status = 0;
	return judge(call, one, &come, f);
}
