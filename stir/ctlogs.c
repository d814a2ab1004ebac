#include "stir/ctlogs.h"

#include <stdlib.h>
#include <time.h>

#include "stir/b64.h"
#include "stir/digest.h"
#include "stir/es256.h"
#include "stir/jtext.h"
#include "stir/uri.h"

enum {
	CTLOGS_MAX_BYTES = 1048576,
	LOG_KEY_MAX = 4096,
	LOG_RSA_MIN_BITS = 2048,
	LOG_MMD_S = 86400, /* where the list says none: that of every log so far */
	LOG_MMD_MAX_S = 10 * 86400,
};

struct ctlogs {
	int64_t issued_s;
	size_t len;
	struct ctlog log[SCT_MAX_LOGS];
};

static void
log_done(struct ctlog *log)
{
	EVP_PKEY_free(log->key);
	free(log->url);
	free(log->name);
}

void
ctlogs_free(struct ctlogs *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->len; i++)
		log_done(&l->log[i]);
	free(l);
}

int64_t
ctlogs_issued_s(const struct ctlogs *l)
{
	return l->issued_s;
}

size_t
ctlogs_len(const struct ctlogs *l)
{
	return l->len;
}

static enum rc
read_key(struct ctlog *log, const json_t *text, struct fault *f)
{
	AUTO_BUF der = BUF_INIT(LOG_KEY_MAX);
	const uint8_t *p;
	bool allowed;

	if (!json_is_string(text))
		return FAULT(f, RC_INVALID, "ctlogs", "a log without a key");
	TRY(b64_decode(&der, B64_STD, jtext_span(text), f));
	p = der.ptr;
	log->key = d2i_PUBKEY(NULL, &p, (long)der.len);
	if (log->key == NULL || p != der.ptr + der.len)
		return FAULT_OPENSSL(f, RC_INVALID, "ctlogs", "a log's key");
	/* RFC 6962 section 2.1.4: ECDSA on P-256, or RSA of at least 2048 bits. */
	allowed = EVP_PKEY_is_a(log->key, "RSA")
		      ? EVP_PKEY_get_bits(log->key) >= LOG_RSA_MIN_BITS
		      : p256_point(log->key, (uint8_t[P256_POINT_LEN]){ 0 }, NULL) == RC_OK;
	if (!allowed)
		return FAULT(f, RC_INVALID, "ctlogs", "a log's key is not P-256 or RSA 2048");
	return digest_sha256(buf_view(&der), log->id, f);
}

/* A log id that is written beside the key must be that key's. */
static enum rc
check_id(const struct ctlog *log, const json_t *text, struct fault *f)
{
	AUTO_BUF id = BUF_INIT(LOG_KEY_MAX);

	if (text == NULL)
		return RC_OK;
	if (!json_is_string(text))
		return FAULT(f, RC_INVALID, "ctlogs", "log_id is no string");
	TRY(b64_decode(&id, B64_STD, jtext_span(text), f));
	if (!span_eq(buf_view(&id), span_of(log->id, CTLOG_ID_LEN)))
		return FAULT(f, RC_INVALID, "ctlogs", "a log_id is not that of its key");
	return RC_OK;
}

/* The browser list says {"usable": {"timestamp": …}}; the bare word is taken too. */
static enum rc
read_state(struct ctlog *log, json_t *state, struct fault *f)
{
	static const char *const good[] = { "usable", "qualified", "readonly" };
	static const char *const bad[] = { "pending", "retired", "rejected" };
	const char *name = json_string_value(state);

	if (json_is_object(state) && json_object_size(state) == 1)
		name = json_object_iter_key(json_object_iter(state));
	if (name == NULL)
		return FAULT(f, RC_INVALID, "ctlogs", "a log without a state");
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (strcmp(name, good[i]) == 0)
			log->usable = true;
		if (strcmp(name, good[i]) == 0 || strcmp(name, bad[i]) == 0)
			return RC_OK;
	}
	return FAULT(f, RC_INVALID, "ctlogs", "unknown state '%.20s'", name);
}

/* "2026-01-01T00:00:00Z" and nothing else. */
static enum rc
read_time(const char *what, const json_t *text, int64_t *out_s, struct fault *f)
{
	const char *s = json_string_value(text);
	const char *end = NULL;
	struct tm tm = { 0 };

	if (s != NULL)
		end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end == NULL || *end != 0)
		return FAULT(f, RC_INVALID, "ctlogs", "%s that is no time", what);
	*out_s = timegm(&tm);
	return RC_OK;
}

static enum rc
read_interval(struct ctlog *log, const json_t *interval, struct fault *f)
{
	log->from_s = INT64_MIN;
	log->until_s = INT64_MAX;
	if (interval == NULL)
		return RC_OK;
	TRY(read_time("a start_inclusive", json_object_get(interval, "start_inclusive"),
	    &log->from_s, f));
	return read_time(
	    "an end_exclusive", json_object_get(interval, "end_exclusive"), &log->until_s, f);
}

const struct ctlog *
ctlogs_at(const struct ctlogs *l, size_t i)
{
	return &l->log[i];
}

const struct ctlog *
ctlogs_find(const struct ctlogs *l, const uint8_t id[CTLOG_ID_LEN])
{
	for (size_t i = 0; i < l->len; i++) {
		if (memcmp(l->log[i].id, id, CTLOG_ID_LEN) == 0)
			return &l->log[i];
	}
	return NULL;
}

/* The base of its addresses; a log without one serves by its key alone. */
static enum rc
read_url(struct ctlog *log, const json_t *text, struct fault *f)
{
	struct span url = jtext_span(text);
	struct uri_https u = { 0 };

	if (text == NULL)
		return RC_OK;
	if (url.len > CTLOG_URL_MAX || !uri_read_https(url, &u) || u.rest.len == 0 ||
	    u.rest.ptr[u.rest.len - 1] != '/' || memchr(u.rest.ptr, '?', u.rest.len) != NULL)
		return FAULT(
		    f, RC_INVALID, "ctlogs", "a log's url is no https URL with a / at its end");
	log->url = strndup((const char *)url.ptr, url.len);
	return log->url != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "log list");
}

/* Not of the browsers' list: the paths of an STI-CT log begin with "stict". */
static enum rc
read_api(struct ctlog *log, const json_t *text, struct fault *f)
{
	static const char *const known[] = { "ct/v1/", "stict/v1/" };

	log->api = known[0];
	for (size_t i = 0; text != NULL && i < ARRAY_LEN(known); i++) {
		if (span_is(jtext_span(text), known[i])) {
			log->api = known[i];
			return RC_OK;
		}
	}
	return text == NULL ? RC_OK
			    : FAULT(f, RC_INVALID, "ctlogs", "an api that is not known");
}

static enum rc
read_mmd(struct ctlog *log, const json_t *mmd, struct fault *f)
{
	log->mmd_s = mmd != NULL ? json_integer_value(mmd) : LOG_MMD_S;
	if (log->mmd_s <= 0 || log->mmd_s > LOG_MMD_MAX_S)
		return FAULT(f, RC_INVALID, "ctlogs", "a maximum merge delay that is none");
	return RC_OK;
}

/* For people; without it, or with what no terminal should see, the log has none. */
static enum rc
read_name(struct ctlog *log, const json_t *text, struct fault *f)
{
	bool shown = json_is_string(text) && jtext_is_shown(text) &&
		     json_string_length(text) <= CTLOG_NAME_MAX;

	log->name = strdup(shown ? json_string_value(text) : "");
	return log->name != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "log list");
}

static enum rc
read_log(struct ctlogs *l, size_t owner, const json_t *json, struct fault *f)
{
	struct ctlog *log = &l->log[l->len];

	if (l->len == SCT_MAX_LOGS)
		return FAULT(f, RC_INVALID, "ctlogs", "more than %d logs", SCT_MAX_LOGS);
	log->owner = owner;
	TRY(read_key(log, json_object_get(json, "key"), f));
	if (ctlogs_find(l, log->id) != NULL)
		return FAULT(f, RC_INVALID, "ctlogs", "a log is there twice");
	TRY(check_id(log, json_object_get(json, "log_id"), f));
	TRY(read_state(log, json_object_get(json, "state"), f));
	TRY(read_interval(log, json_object_get(json, "temporal_interval"), f));
	TRY(read_url(log, json_object_get(json, "url"), f));
	TRY(read_api(log, json_object_get(json, "api"), f));
	TRY(read_mmd(log, json_object_get(json, "mmd"), f));
	TRY(read_name(log, json_object_get(json, "description"), f));
	l->len++;
	return RC_OK;
}

static enum rc
read_operators(struct ctlogs *l, const json_t *operators, struct fault *f)
{
	size_t i, j;
	json_t *item, *log;

	if (!json_is_array(operators))
		return FAULT(f, RC_INVALID, "ctlogs", "no list of operators");
	json_array_foreach (operators, i, item) {
		const json_t *logs = json_object_get(item, "logs");

		if (!json_is_array(logs))
			return FAULT(f, RC_INVALID, "ctlogs", "operator %zu has no logs", i);
		json_array_foreach (logs, j, log)
			TRY(read_log(l, i, log, f));
	}
	return RC_OK;
}

/* A log whose entry was refused half-way still owns its key. */
static void
drop_unfinished(struct ctlogs *l)
{
	if (l->len < SCT_MAX_LOGS)
		log_done(&l->log[l->len]);
}

static enum rc
read_issued(struct ctlogs *l, const json_t *text, struct fault *f)
{
	if (text == NULL)
		return RC_OK;
	TRY(read_time("a log_list_timestamp", text, &l->issued_s, f));
	return l->issued_s > 0
		   ? RC_OK
		   : FAULT(f, RC_INVALID, "ctlogs", "a log_list_timestamp before 1970");
}

enum rc
ctlogs_read(struct span json, struct ctlogs **out, struct fault *f)
{
	AUTO(ctlogs) *l = NULL;
	json_auto_t *root = NULL;
	enum rc rc;

	if (json.len == 0 || json.len > CTLOGS_MAX_BYTES)
		return FAULT(f, RC_INVALID, "ctlogs", "%zu bytes", json.len);
	TRY(jtext_read_foreign(json, CTLOGS_MAX_BYTES, &root, f));
	l = calloc(1, sizeof *l);
	if (l == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "log list");
	TRY(read_issued(l, json_object_get(root, "log_list_timestamp"), f));
	rc = read_operators(l, json_object_get(root, "operators"), f);
	if (rc != RC_OK) {
		drop_unfinished(l);
		return rc;
	}
	*out = TAKE(l);
	return RC_OK;
}
