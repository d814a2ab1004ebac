#include "agent/front/ordered.h"

#include <stdlib.h>
#include <time.h>

#include "agent/front/store.h"
#include "stir/jtext.h"

enum { ORDERED_FILE_MAX = 4096 };

static enum rc
file_of(const struct config *c, const char *tenant, const char *name, struct store_path *out,
    struct fault *f)
{
	return store_path(
	    out, f, "%s/front/tenants/%s/%s/ordered.json", c->state_dir, tenant, name);
}

void
ordered_of(const struct config_credential *c, int64_t now_s, struct ordered *out)
{
	*out = (struct ordered){ 0 };
	if (c->star_lifetime_s != 0)
		*out = (struct ordered){ .star_end_s = now_s + c->star_duration_s,
			.star_lifetime_s = c->star_lifetime_s,
			.star_adjust_s = c->star_adjust_s };
	if (c->ask_not_before)
		out->not_before_s = now_s - c->renew_backdate_s;
	if (c->renew_lifetime_s != 0)
		out->not_after_s = now_s + c->renew_lifetime_s;
}

/* RFC 3339, as RFC 8555 section 7.1.3 has it */
static enum rc
put_time(json_t *payload, const char *member, int64_t at_s, struct fault *f)
{
	char text[sizeof "9999-12-31T23:59:59Z"];
	time_t at = (time_t)at_s;
	struct tm tm;

	if (at_s == 0)
		return RC_OK;
	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return FAULT(f, RC_INVALID, "dates", "no such moment");
	if (json_object_set_new(payload, member, json_string(text)) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an order");
	return RC_OK;
}

static enum rc
put_series(const struct ordered *o, bool by_get, json_t *payload, struct fault *f)
{
	json_t *series = json_pack("{s:I}", "lifetime", (json_int_t)o->star_lifetime_s);
	int bad = json_object_set_new(payload, "auto-renewal", series);

	if (bad == 0 && o->star_adjust_s != 0)
		bad = json_object_set_new(
		    series, "lifetime-adjust", json_integer(o->star_adjust_s));
	if (bad == 0 && by_get)
		bad = json_object_set_new(series, "allow-certificate-get", json_true());
	if (bad != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "an order");
	return put_time(series, "end-date", o->star_end_s, f);
}

enum rc
ordered_put(const struct ordered *o, bool by_get, json_t *payload, struct fault *f)
{
	if (o->star_lifetime_s != 0)
		TRY(put_series(o, by_get, payload, f));
	TRY(put_time(payload, "notBefore", o->not_before_s, f));
	return put_time(payload, "notAfter", o->not_after_s, f);
}

enum rc
ordered_remove(const struct config *c, const char *tenant, const char *name, struct fault *f)
{
	struct store_path path = { 0 };

	TRY(file_of(c, tenant, name, &path, f));
	return store_mtime(path.text) != 0 ? store_remove(path.text, f) : RC_OK;
}

enum rc
ordered_write(const struct config *c, const char *tenant, const char *name,
    const struct ordered *o, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *root = NULL;

	if (o->not_before_s == 0 && o->not_after_s == 0 && o->star_lifetime_s == 0)
		return ordered_remove(c, tenant, name, f);
	root = json_pack("{s:I, s:I, s:I, s:I, s:I}", "not_before", (json_int_t)o->not_before_s,
	    "not_after", (json_int_t)o->not_after_s, "star_end", (json_int_t)o->star_end_s,
	    "star_lifetime", (json_int_t)o->star_lifetime_s, "star_adjust",
	    (json_int_t)o->star_adjust_s);
	TRY(file_of(c, tenant, name, &path, f));
	return store_write_json(path.text, root, ORDERED_FILE_MAX, f);
}

enum rc
ordered_read(const struct config *c, const char *tenant, const char *name, struct ordered *out,
    struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF text = BUF_INIT(ORDERED_FILE_MAX);
	json_auto_t *root = NULL;
	json_int_t from = 0, to = 0, end = 0, lifetime = 0, adjust = 0;
	struct fault why = { 0 };
	enum rc rc;

	TRY(file_of(c, tenant, name, &path, f));
	rc = store_read(path.text, ORDERED_FILE_MAX, &text, &why);
	if (rc == RC_NOT_FOUND) {
		*out = (struct ordered){ 0 };
		return RC_OK;
	}
	if (rc != RC_OK)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (jtext_read(buf_view(&text), &root, NULL) != RC_OK ||
	    json_unpack(root, "{s:I, s:I, s:I, s:I, s:I!}", "not_before", &from, "not_after",
		&to, "star_end", &end, "star_lifetime", &lifetime, "star_adjust", &adjust) != 0)
		return FAULT(
		    f, RC_INVALID, "ordered_file", "%s: not as we write it", path.text);
	*out = (struct ordered){ .not_before_s = from,
		.not_after_s = to,
		.star_end_s = end,
		.star_lifetime_s = lifetime,
		.star_adjust_s = adjust };
	return RC_OK;
}

static enum rc
check_date(const char *what, int64_t asked_s, int64_t given_s, struct fault *f)
{
	int64_t by_s = given_s - asked_s;

	if (asked_s == 0 || llabs(by_s) <= ORDERED_SLACK_S)
		return RC_OK;
	return FAULT(f, RC_DENIED, "dates_differ",
	    "its %s is %lld s %s than the one that was ordered", what, llabs(by_s),
	    by_s > 0 ? "later" : "earlier");
}

static enum rc
check_series(const struct ordered *o, const struct cert *leaf, struct fault *f)
{
	int64_t pad_s =
	    o->star_adjust_s > o->star_lifetime_s ? o->star_adjust_s : o->star_lifetime_s;
	int64_t over_s = leaf->not_after_s - o->star_end_s;

	if (over_s > ORDERED_SLACK_S)
		return FAULT(f, RC_DENIED, "dates_differ",
		    "it ends %lld s after the series that was ordered", (long long)over_s);
	over_s = leaf->not_after_s - leaf->not_before_s - o->star_lifetime_s - pad_s;
	if (over_s > ORDERED_SLACK_S)
		return FAULT(f, RC_DENIED, "dates_differ",
		    "it lives %lld s longer than one of the series that was ordered",
		    (long long)over_s);
	return RC_OK;
}

enum rc
ordered_check(const struct ordered *o, const struct cert *leaf, struct fault *f)
{
	if (o->star_lifetime_s != 0)
		TRY(check_series(o, leaf, f));
	TRY(check_date("notBefore", o->not_before_s, leaf->not_before_s, f));
	return check_date("notAfter", o->not_after_s, leaf->not_after_s, f);
}
