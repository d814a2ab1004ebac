#include "agent/renewer/record.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/renewer/store.h"
#include "stir/jtext.h"
#include "stir/uri.h"

enum { RECORD_VERSION = 1, RECORD_FAILURES_MAX = 1000000 };

static const char *const state_names[] = {
#define X(name, text) [RENEW_##name] = text,
	RENEW_STATES(X)
#undef X
};
static_assert(ARRAY_LEN(state_names) == RENEW__COUNT, "a name per state");

const char *
renew_state_name(enum renew_state s)
{
	return state_names[s];
}

void
record_init(struct record *r, const char *tenant, const char *name)
{
	*r = (struct record){ .state = RENEW_IDLE };
	snprintf(r->tenant, sizeof r->tenant, "%s", tenant);
	snprintf(r->name, sizeof r->name, "%s", name);
}

static void
drop(char **text)
{
	free(*text);
	*text = NULL;
}

enum rc
record_set(char **member, const char *text, struct fault *f)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "renewal");
	free(*member);
	*member = copy;
	return RC_OK;
}

void
record_drop_order(struct record *r)
{
	drop(&r->order);
	drop(&r->finalize);
	drop(&r->certificate);
	drop(&r->x5u);
	drop(&r->constraints);
	for (size_t i = 0; i < r->authzs; i++)
		drop(&r->authz[i]);
	r->authzs = 0;
	r->expires_s = 0;
	r->auto_end_s = 0;
	r->auto_get = false;
}

void
record_drop_series(struct record *r)
{
	drop(&r->series.order);
	drop(&r->series.certificate);
	r->series = (struct record_series){ .order = NULL };
}

void
record_done(struct record *r)
{
	record_drop_order(r);
	record_drop_series(r);
}

void
record_file(char out[2 * CONFIG_NAME_MAX + 2], const char *tenant, const char *name)
{
	int n = snprintf(out, 2 * CONFIG_NAME_MAX + 2, "%s", tenant);

	for (int i = 0; i < n; i++) {
		if (out[i] == '.')
			out[i] = '%';
	}
	snprintf(out + n, (size_t)(2 * CONFIG_NAME_MAX + 2 - n), ".%s", name);
}

bool
url_is_https(const char *url)
{
	struct uri_https ignored = { 0 };

	return strlen(url) <= HTTP_URL_MAX && uri_read_https(span_str(url), &ignored);
}

bool
url_same_origin(const char *a, const char *b)
{
	return url_is_https(a) && url_is_https(b) && uri_same_origin(span_str(a), span_str(b));
}

static json_t *
text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *
series_json(const struct record_series *s)
{
	if (s->certificate == NULL)
		return json_null();
	return json_pack("{s:s, s:s, s:I, s:b, s:b}", "order", s->order, "certificate",
	    s->certificate, "end", (json_int_t)s->end_s, "get", s->get, "fresh", s->fresh);
}

static json_t *
to_json(const struct record *r)
{
	json_auto_t *authz = json_array();

	for (size_t i = 0; i < r->authzs; i++) {
		if (json_array_append_new(authz, json_string(r->authz[i])) != 0)
			return NULL;
	}
	return json_pack(
	    "{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o,"
	    " s:o, s:O, s:I, s:s, s:I, s:b, s:o, s:I}",
	    "version", RECORD_VERSION, "tenant", r->tenant, "name", r->name, "state",
	    renew_state_name(r->state), "attempt", (json_int_t)r->attempt, "alarms",
	    (json_int_t)r->alarms, "wake_ms", (json_int_t)r->wake_ms, "asked", r->asked,
	    "replacing", r->replacing, "installed", r->installed, "constraints",
	    text_or_null(r->constraints), "order", text_or_null(r->order), "finalize",
	    text_or_null(r->finalize), "certificate", text_or_null(r->certificate), "x5u",
	    text_or_null(r->x5u), "authorizations", authz, "expires", (json_int_t)r->expires_s,
	    "problem", r->problem, "auto_end", (json_int_t)r->auto_end_s, "auto_get",
	    r->auto_get, "series", series_json(&r->series), "failing",
	    (json_int_t)r->failing_s);
}

enum rc
record_write(struct buf *out, const struct record *r, struct fault *f)
{
	json_auto_t *root = to_json(r);
	AUTO_FREE char *text = root != NULL ? json_dumps(root, JSON_INDENT(1)) : NULL;

	if (text == NULL)
		return FAULT(
		    f, RC_NO_MEMORY, "no_memory", "record of %s/%s", r->tenant, r->name);
	buf_str(out, text);
	buf_byte(out, '\n');
	return buf_check(out, f);
}

#define BAD(f, what) FAULT(f, RC_INVALID, "record", "%s", what)

static bool
is_hex(const char *s, size_t max)
{
	size_t n = strspn(s, "0123456789abcdef");

	return s[n] == 0 && n <= max;
}

/* NULL stays NULL; url: it must be one that we would ask. */
static enum rc
take_text(const json_t *v, bool url, char **out, struct fault *f)
{
	const char *s = json_string_value(v);

	if (json_is_null(v))
		return RC_OK;
	if (s == NULL || strlen(s) > RECORD_VALUE_MAX || (url && !url_is_https(s)))
		return BAD(f, "a text that is none, too long, or no https URL");
	*out = strdup(s);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "record");
}

static enum rc
take_authz(struct record *r, const json_t *list, struct fault *f)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > RECORD_AUTHZ_MAX)
		return BAD(f, "authorizations");
	for (size_t i = 0; i < n; i++) {
		TRY(take_text(json_array_get(list, i), true, &r->authz[i], f));
		if (r->authz[i] == NULL)
			return BAD(f, "authorizations");
		r->authzs = i + 1;
	}
	return RC_OK;
}

/* What a state acts on must be there. */
static enum rc
check_state(const struct record *r, struct fault *f)
{
	if (r->state == RENEW_ISSUE)
		return RC_OK;
	if (r->state == RENEW_SERIES)
		return r->series.certificate != NULL ? RC_OK : BAD(f, "a series without one");
	if (r->state >= RENEW_CHALLENGE && (r->order == NULL || r->authzs == 0))
		return BAD(f, "a state beyond order without an order");
	if (r->state >= RENEW_CHALLENGE && r->finalize == NULL)
		return BAD(f, "a state beyond order without the URL of finalize");
	if (r->state >= RENEW_DOWNLOAD && r->certificate == NULL)
		return BAD(f, "a state beyond poll without a certificate's URL");
	return RC_OK;
}

static enum rc
find_state(const char *name, enum renew_state *out, struct fault *f)
{
	for (size_t i = 0; i < RENEW__COUNT; i++) {
		if (strcmp(state_names[i], name) == 0) {
			*out = (enum renew_state)i;
			return RC_OK;
		}
	}
	return BAD(f, "an unknown state");
}

static bool
in_bounds(json_int_t attempt, json_int_t alarms, json_int_t wake_ms, json_int_t expires_s)
{
	/* Year 9999, in milliseconds. */
	const json_int_t last = 253402300799000LL;

	return attempt >= 0 && attempt <= RECORD_FAILURES_MAX && alarms >= 0 &&
	       alarms <= RECORD_FAILURES_MAX && wake_ms >= 0 && wake_ms <= last &&
	       expires_s >= 0 && expires_s <= last / 1000;
}

struct members {
	const char *tenant, *name, *state, *asked, *replacing, *installed, *problem;
	json_t *constraints, *order, *finalize, *certificate, *x5u, *authz, *series;
	json_int_t attempt, alarms, wake_ms, expires_s, auto_end_s, failing_s;
	int version, auto_get;
};

static enum rc
check_members(const struct record *r, const struct members *m, struct fault *f)
{
	if (m->version != RECORD_VERSION)
		return BAD(f, "another version");
	if (strcmp(m->tenant, r->tenant) != 0 || strcmp(m->name, r->name) != 0)
		return BAD(f, "another credential's");
	if (!is_hex(m->asked, RECORD_HASH - 1) || !is_hex(m->replacing, CERT_SERIAL_TEXT - 1) ||
	    !is_hex(m->installed, CERT_SERIAL_TEXT - 1))
		return BAD(f, "a hash or serial that is none");
	if (!in_bounds(m->attempt, m->alarms, m->wake_ms, m->expires_s) ||
	    !in_bounds(0, 0, 0, m->auto_end_s) || !in_bounds(0, 0, 0, m->failing_s))
		return BAD(f, "a number out of bounds");
	return RC_OK;
}

static enum rc
take_series(struct record *r, const json_t *v, struct fault *f)
{
	json_t *order = NULL, *certificate = NULL;
	json_int_t end_s = 0;
	int get = 0, fresh = 0;

	if (v == NULL || json_is_null(v)) /* an older record has none */
		return RC_OK;
	if (json_unpack((json_t *)(uintptr_t)v, "{s:o, s:o, s:I, s:b, s:b !}", "order", &order,
		"certificate", &certificate, "end", &end_s, "get", &get, "fresh",
		&fresh) != 0 ||
	    json_is_null(order) || json_is_null(certificate) || !in_bounds(0, 0, 0, end_s))
		return BAD(f, "a series that is none");
	TRY(take_text(order, true, &r->series.order, f));
	TRY(take_text(certificate, true, &r->series.certificate, f));
	r->series.end_s = end_s;
	r->series.get = get != 0;
	r->series.fresh = fresh != 0;
	return RC_OK;
}

static enum rc
take_members(struct record *r, const struct members *m, struct fault *f)
{
	TRY(find_state(m->state, &r->state, f));
	r->attempt = (unsigned)m->attempt;
	r->alarms = (unsigned)m->alarms;
	r->wake_ms = m->wake_ms;
	r->expires_s = m->expires_s;
	snprintf(r->asked, sizeof r->asked, "%s", m->asked);
	snprintf(r->replacing, sizeof r->replacing, "%s", m->replacing);
	snprintf(r->installed, sizeof r->installed, "%s", m->installed);
	problem_text(r->problem, m->problem);
	r->failing_s = r->problem[0] != 0 ? m->failing_s : 0; /* an older record has none */
	TRY(take_text(m->constraints, false, &r->constraints, f));
	TRY(take_text(m->order, true, &r->order, f));
	TRY(take_text(m->finalize, true, &r->finalize, f));
	TRY(take_text(m->certificate, true, &r->certificate, f));
	if (m->x5u != NULL) /* an older record has none */
		TRY(take_text(m->x5u, true, &r->x5u, f));
	r->auto_end_s = m->auto_end_s;
	r->auto_get = m->auto_get != 0;
	TRY(take_series(r, m->series, f));
	TRY(take_authz(r, m->authz, f));
	return check_state(r, f);
}

static enum rc
read_into(struct record *r, struct span text, struct fault *f)
{
	json_auto_t *root = NULL;
	struct members m = { 0 };

	(void)!jtext_read_foreign(text, STORE_FILE_MAX, &root, NULL);
	if (!json_is_object(root))
		return BAD(f, "not a JSON object");
	if (json_unpack(root,
		"{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o,"
		" s:I, s:s, s?o, s?I, s?b, s?o, s?I !}",
		"version", &m.version, "tenant", &m.tenant, "name", &m.name, "state", &m.state,
		"attempt", &m.attempt, "alarms", &m.alarms, "wake_ms", &m.wake_ms, "asked",
		&m.asked, "replacing", &m.replacing, "installed", &m.installed, "constraints",
		&m.constraints, "order", &m.order, "finalize", &m.finalize, "certificate",
		&m.certificate, "authorizations", &m.authz, "expires", &m.expires_s, "problem",
		&m.problem, "x5u", &m.x5u, "auto_end", &m.auto_end_s, "auto_get", &m.auto_get,
		"series", &m.series, "failing", &m.failing_s) != 0)
		return BAD(f, "a member is missing, unknown or of the wrong type");
	TRY(check_members(r, &m, f));
	return take_members(r, &m, f);
}

enum rc
record_read(struct record *r, struct span text, struct fault *f)
{
	struct record fresh;
	enum rc rc;

	record_init(&fresh, r->tenant, r->name);
	rc = read_into(&fresh, text, f);
	if (rc != RC_OK) {
		record_done(&fresh);
		return rc;
	}
	record_done(r);
	*r = fresh;
	return RC_OK;
}
