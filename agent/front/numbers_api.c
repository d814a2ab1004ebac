/* The administration socket's routes for the numbers of a tenant (numbers.h). */
#include "agent/front/admin_api.h"
#include "agent/front/jw.h"
#include "agent/front/numbers.h"
#include "stir/jtext.h"

enum {
	LIST_PAGE = 1000,    /* numbers and ranges of one answer */
	PENDING_MAX = 16384, /* blocks among which those without a certificate are counted */
};

/* ---- what there is ---- */

/* "after=12025550100" or nothing. */
static enum rc
read_after(struct span query, uint64_t *after, struct fault *f)
{
	static const char name[] = "after=";
	struct tn tn = { 0 };

	*after = 0;
	if (query.len == 0)
		return RC_OK;
	if (query.len < sizeof name - 1 || memcmp(query.ptr, name, sizeof name - 1) != 0)
		return REFUSE(
		    f, RC_INVALID, INVALID_MEMBER, NULL, "the only query is 'after=NUMBER'");
	(void)span_cut(&query, sizeof name - 1);
	TRY(tn_exact(query, &tn, f));
	*after = tn_key(&tn);
	return RC_OK;
}

/* The first interval behind that number. */
static size_t
first_behind(const struct tnset *set, uint64_t after)
{
	size_t lo = 0, hi = set != NULL ? tnset_len(set) : 0, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (tnset_at(set, mid).lo <= after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
put_page(struct buf *out, const struct tnset *set, uint64_t after)
{
	size_t at = first_behind(set, after), len = set != NULL ? tnset_len(set) : 0;
	size_t end = len - at > LIST_PAGE ? at + LIST_PAGE : len;
	char text[TNSET_TEXT];

	jw_open(out, "numbers", '[');
	for (; at < end; at++) {
		tnset_text(tnset_at(set, at), text);
		jw_str(out, NULL, text);
	}
	jw_close(out, ']');
	jw_bool(out, "more", end < len);
}

static void
put_intervals(struct buf *list, const struct tnset *set)
{
	for (size_t i = 0; set != NULL && i < tnset_len(set) && list->rc == RC_OK; i++) {
		struct tn_interval in = tnset_at(set, i);

		buf_put(list, &in, sizeof in);
	}
}

/* What its certificates speak for; RC_BUSY: more than the event loop has time for. */
static enum rc
covered_by(const struct credset_tenant *t, struct tnset **out, struct fault *f)
{
	AUTO_BUF all =
	    BUF_INIT((size_t)PENDING_MAX * CONFIG_MAX_COPIES * sizeof(struct tn_interval));

	for (size_t i = 0; i < t->config->credentials; i++) {
		const struct credential *c = t->credential[i];

		if (c->state != CREDENTIAL_READY)
			continue;
		if (c->chain->cert[0]->tnauth != NULL)
			put_intervals(&all, tnauth_numbers(c->chain->cert[0]->tnauth));
		put_intervals(&all, c->list != NULL ? c->list->numbers : NULL);
		TRY(buf_check(&all, f));
	}
	return tnset_build((const struct tn_interval *)(const void *)all.ptr,
	    all.len / sizeof(struct tn_interval), out, f);
}

static bool
has_delegate(const struct config_tenant *t)
{
	for (size_t i = 0; i < t->credentials; i++) {
		if (profile_rule(t->credential[i].profile)->cls != CLASS_SP)
			return true;
	}
	return false;
}

/* How many no certificate of the tenant covers yet; null where that is not a count of few. */
static void
put_pending(struct buf *out, const struct credset_tenant *t)
{
	AUTO(tnset) *covered = NULL;
	bool few = t->config->numbers == NULL || tnset_len(t->config->numbers) <= PENDING_MAX;

	if (few && has_delegate(t->config) && covered_by(t, &covered, NULL) == RC_OK)
		jw_uint(out, "pending", tnset_count_beyond(t->config->numbers, covered));
	else
		jw_null(out, "pending");
}

/* Of the whole tenant: not again for each page. */
static void
put_sums(struct buf *out, const struct credset_tenant *t, bool first_page)
{
	const struct config_tenant *c = t->config;

	if (!first_page) {
		jw_null(out, "added");
		jw_null(out, "removed");
		jw_null(out, "pending");
		return;
	}
	jw_uint(out, "added", c->added);
	jw_uint(out, "removed", c->removed);
	put_pending(out, t);
}

void
admin_numbers(struct api_call *call)
{
	const struct config_tenant *t = admin_tenant(call);
	const struct credset *set = front_set(call->front);
	AUTO_BUF out = BUF_INIT(CONN_ANSWER_MAX / 2);
	struct fault f = { 0 };
	uint64_t after = 0;

	if (t == NULL)
		return;
	if (read_after(call->http->query, &after, &f) != RC_OK) {
		api_problem(call, &f);
		return;
	}
	jw_open(&out, NULL, '{');
	jw_str(&out, "tenant", t->name);
	jw_uint(&out, "count", t->numbers != NULL ? tnset_count(t->numbers) : 0);
	put_sums(&out, &set->tenant[t - set->config->tenant], call->http->query.len == 0);
	if (t->renumber_at_s != 0)
		jw_int(&out, "renumber_at", t->renumber_at_s);
	else
		jw_null(&out, "renumber_at");
	jw_bool(&out, "lost", t->numbers_lost);
	put_page(&out, t->numbers, after);
	jw_close(&out, '}');
	api_json(call, 200, &out);
}

/* ---- a change ---- */

static enum rc
check_list(const char *name, const json_t *list, size_t *n, struct fault *f)
{
	const json_t *one;
	size_t i;

	if (strcmp(name, "add") != 0 && strcmp(name, "remove") != 0)
		return REFUSE(
		    f, RC_INVALID, UNKNOWN_MEMBER, NULL, "only 'add' and 'remove' are known");
	if (!json_is_array(list))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, name, "'%s' is no array", name);
	json_array_foreach (list, i, one) {
		if (!json_is_string(one))
			return REFUSE(f, RC_INVALID, INVALID_MEMBER, name,
			    "entry %zu of '%s' is no string", i + 1, name);
	}
	*n += json_array_size(list);
	return RC_OK;
}

static enum rc
read_change(struct api_call *call, json_t **out, struct fault *f)
{
	json_auto_t *body = NULL;
	const char *name;
	json_t *list;
	size_t n = 0;

	TRY(api_body(call, &body, f));
	json_object_foreach (body, name, list)
		TRY(check_list(name, list, &n, f));
	if (n == 0)
		return REFUSE(f, RC_INVALID, MISSING_MEMBER, "add", "nothing to add or remove");
	if (n > NUMBERS_MAX_ENTRIES)
		return REFUSE(f, RC_INVALID, TOO_LARGE, NULL,
		    "%zu numbers and ranges in one request, at most %d", n,
		    NUMBERS_MAX_ENTRIES);
	*out = TAKE(body);
	return RC_OK;
}

void
admin_change_numbers(struct api_call *call)
{
	const struct config_tenant *t = admin_tenant(call);
	struct fault f = { 0 };
	json_t *body = NULL;

	if (t == NULL)
		return;
	if (read_change(call, &body, &f) == RC_OK)
		admin_start(call, HAND_NUMBERS, t->name, NULL, body);
	else
		api_problem(call, &f);
}
