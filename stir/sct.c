#include "stir/sct.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <time.h>

#include "stir/b64.h"
#include "stir/der.h"
#include "stir/digest.h"
#include "stir/jtext.h"

enum {
	CTLOGS_MAX_BYTES = 1048576,
	LOG_ID_LEN = SHA256_DIGEST_LENGTH,
	LOG_KEY_MAX = 4096,
	LOG_RSA_MIN_BITS = 2048,
	TBS_MAX = CERT_MAX_DER,
};

struct ctlog {
	uint8_t id[LOG_ID_LEN];
	EVP_PKEY *key;
	size_t owner; /* its operator: index in the list */
	bool usable;
	int64_t from_s, until_s; /* of notAfter: from included, until not */
};

struct ctlogs {
	size_t len;
	struct ctlog log[SCT_MAX_LOGS];
};

/* ---- the list of logs ------------------------------------------------------ */

void
ctlogs_free(struct ctlogs *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->len; i++)
		EVP_PKEY_free(l->log[i].key);
	free(l);
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
	if (!span_eq(buf_view(&id), span_of(log->id, LOG_ID_LEN)))
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
read_time(const json_t *text, int64_t *out_s, struct fault *f)
{
	const char *s = json_string_value(text);
	const char *end = NULL;
	struct tm tm = { 0 };

	if (s != NULL)
		end = strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end == NULL || *end != 0)
		return FAULT(f, RC_INVALID, "ctlogs", "a temporal_interval that is no time");
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
	TRY(read_time(json_object_get(interval, "start_inclusive"), &log->from_s, f));
	return read_time(json_object_get(interval, "end_exclusive"), &log->until_s, f);
}

static const struct ctlog *
find_log(const struct ctlogs *l, const uint8_t id[LOG_ID_LEN])
{
	for (size_t i = 0; i < l->len; i++) {
		if (memcmp(l->log[i].id, id, LOG_ID_LEN) == 0)
			return &l->log[i];
	}
	return NULL;
}

static enum rc
read_log(struct ctlogs *l, size_t owner, const json_t *json, struct fault *f)
{
	struct ctlog *log = &l->log[l->len];

	if (l->len == SCT_MAX_LOGS)
		return FAULT(f, RC_INVALID, "ctlogs", "more than %d logs", SCT_MAX_LOGS);
	log->owner = owner;
	TRY(read_key(log, json_object_get(json, "key"), f));
	if (find_log(l, log->id) != NULL)
		return FAULT(f, RC_INVALID, "ctlogs", "a log is there twice");
	TRY(check_id(log, json_object_get(json, "log_id"), f));
	TRY(read_state(log, json_object_get(json, "state"), f));
	TRY(read_interval(log, json_object_get(json, "temporal_interval"), f));
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
		EVP_PKEY_free(l->log[l->len].key);
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
	rc = read_operators(l, json_object_get(root, "operators"), f);
	if (rc != RC_OK) {
		drop_unfinished(l);
		return rc;
	}
	*out = TAKE(l);
	return RC_OK;
}

/* ---- the list in the certificate ------------------------------------------- */

struct sct {
	const uint8_t *log_id;
	uint64_t time_ms;
	struct span extensions, signature;
	uint8_t hash, algorithm;
};

static enum rc
take_uint(struct span *in, unsigned octets, uint64_t *value, struct fault *f)
{
	uint64_t v = 0;
	struct span part;

	if (in->len < octets)
		return FAULT(
		    f, RC_INVALID, "sct_list", "%zu octets where %u are due", in->len, octets);
	part = span_cut(in, octets);
	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | part.ptr[i];
	*value = v;
	return RC_OK;
}

static enum rc
take_vector(struct span *in, struct span *out, struct fault *f)
{
	uint64_t len = 0;

	TRY(take_uint(in, 2, &len, f));
	if (len > in->len)
		return FAULT(f, RC_INVALID, "sct_list", "a vector is cut short");
	*out = span_cut(in, (size_t)len);
	return RC_OK;
}

/* RFC 6962 section 3.2: one SignedCertificateTimestamp, version 1. */
static enum rc
decode_sct(struct span in, struct sct *out, struct fault *f)
{
	uint64_t version = 0, hash = 0, algorithm = 0;

	TRY(take_uint(&in, 1, &version, f));
	if (version != 0)
		return FAULT(f, RC_INVALID, "sct_list", "SCT version %d", (int)version + 1);
	if (in.len < LOG_ID_LEN)
		return FAULT(f, RC_INVALID, "sct_list", "no log id");
	out->log_id = span_cut(&in, LOG_ID_LEN).ptr;
	TRY(take_uint(&in, 8, &out->time_ms, f));
	TRY(take_vector(&in, &out->extensions, f));
	TRY(take_uint(&in, 1, &hash, f));
	TRY(take_uint(&in, 1, &algorithm, f));
	TRY(take_vector(&in, &out->signature, f));
	if (in.len != 0)
		return FAULT(f, RC_INVALID, "sct_list", "bytes after an SCT");
	out->hash = (uint8_t)hash;
	out->algorithm = (uint8_t)algorithm;
	return RC_OK;
}

static enum rc
decode_list(struct span in, struct sct list[SCT_MAX_LIST], size_t *n, struct fault *f)
{
	struct span octets = { 0 }, scts = { 0 };

	/* RFC 6962 section 3.3: an OCTET STRING inside the extension's own. */
	TRY(der_expect(&in, DER_OCTET_STRING, &octets, f));
	TRY(der_end(in, f));
	TRY(take_vector(&octets, &scts, f));
	if (octets.len != 0 || scts.len == 0)
		return FAULT(f, RC_INVALID, "sct_list", "the length of the list");
	while (scts.len > 0) {
		struct span one = { 0 };

		if (*n == SCT_MAX_LIST)
			return FAULT(
			    f, RC_INVALID, "sct_list", "more than %d SCTs", SCT_MAX_LIST);
		TRY(take_vector(&scts, &one, f));
		TRY(decode_sct(one, &list[*n], f));
		(*n)++;
	}
	return RC_OK;
}

static enum rc
read_list(const struct cert *leaf, struct sct list[SCT_MAX_LIST], size_t *n, struct fault *f)
{
	int at = X509_get_ext_by_NID(leaf->x509, NID_ct_precert_scts, -1);
	const ASN1_OCTET_STRING *value;
	struct fault inner = { 0 };
	struct span octets;

	if (at < 0)
		return RC_OK;
	value = X509_EXTENSION_get_data(X509_get_ext(leaf->x509, at));
	octets = span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
	if (decode_list(octets, list, n, &inner) != RC_OK)
		return FAULT(f, RC_INVALID, "sct_list", "%s", inner.detail);
	return RC_OK;
}

/* ---- what a log signed ------------------------------------------------------ */

struct precert {
	uint8_t issuer[SHA256_DIGEST_LENGTH];
	const struct buf *tbs;
};

static enum rc
issuer_hash(const X509 *issuer, uint8_t out[SHA256_DIGEST_LENGTH], struct fault *f)
{
	unsigned char *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &spki);
	bool ok = len > 0 && digest_sha256(span_of(spki, (size_t)len), out, NULL) == RC_OK;

	OPENSSL_free(spki);
	return ok ? RC_OK : FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "issuer's key");
}

/* RFC 6962 section 3.2: the TBSCertificate without the SCT list, encoded again. */
static enum rc
bare_tbs(const struct cert *leaf, struct buf *out, struct fault *f)
{
	AUTO_OSSL(X509) *copy = X509_dup(leaf->x509);
	AUTO_OSSL(X509_EXTENSION) *list = NULL;
	unsigned char *der = NULL;
	int len;

	if (copy == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "X509_dup");
	list = X509_delete_ext(copy, X509_get_ext_by_NID(copy, NID_ct_precert_scts, -1));
	len = i2d_re_X509_tbs(copy, &der);
	if (list == NULL || len <= 0)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "TBSCertificate");
	buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
	return buf_check(out, f);
}

static void
put_uint(struct buf *out, uint64_t value, unsigned octets)
{
	while (octets-- > 0)
		buf_byte(out, (uint8_t)(value >> (8 * octets)));
}

static enum rc
signed_data(struct buf *out, const struct precert *pre, const struct sct *sct, struct fault *f)
{
	put_uint(out, 0, 1); /* v1 */
	put_uint(out, 0, 1); /* certificate_timestamp */
	put_uint(out, sct->time_ms, 8);
	put_uint(out, 1, 2); /* precert_entry */
	buf_put(out, pre->issuer, sizeof pre->issuer);
	put_uint(out, pre->tbs->len, 3);
	buf_span(out, buf_view(pre->tbs));
	put_uint(out, sct->extensions.len, 2);
	buf_span(out, sct->extensions);
	return buf_check(out, f);
}

enum { TLS_SHA256 = 4, TLS_RSA = 1, TLS_ECDSA = 3 }; /* RFC 5246 section 7.4.1.4.1 */

static enum rc
verify_sct(const struct ctlog *log, const struct precert *pre, const struct sct *sct,
    bool *good, struct fault *f)
{
	AUTO_BUF data = BUF_INIT(TBS_MAX + 65536 + 64);
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	uint8_t algorithm = EVP_PKEY_is_a(log->key, "RSA") ? TLS_RSA : TLS_ECDSA;

	if (ctx == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "EVP_MD_CTX");
	TRY(signed_data(&data, pre, sct, f));
	*good = sct->hash == TLS_SHA256 && sct->algorithm == algorithm &&
		EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, log->key, NULL) == 1 &&
		EVP_DigestVerify(
		    ctx, sct->signature.ptr, sct->signature.len, data.ptr, data.len) == 1;
	ERR_clear_error();
	return RC_OK;
}

/* Log and operator count once each, however many SCTs they gave. */
struct tally {
	const struct ctlog *seen[SCT_MAX_LIST];
	size_t n;
};

static void
count_valid(struct tally *t, const struct ctlog *log, struct sct_result *r)
{
	bool new_operator = true;

	for (size_t i = 0; i < t->n; i++) {
		if (t->seen[i] == log)
			return;
		if (t->seen[i]->owner == log->owner)
			new_operator = false;
	}
	t->seen[t->n++] = log;
	r->valid++;
	r->operators += new_operator;
}

static bool
log_serves(const struct ctlog *log, const struct cert *leaf)
{
	return log != NULL && log->usable && leaf->not_after_s >= log->from_s &&
	       leaf->not_after_s < log->until_s;
}

static enum rc
judge(const struct cert *leaf, const struct precert *pre, const struct ctlogs *logs,
    const struct sct *sct, struct tally *t, struct sct_result *r, struct fault *f)
{
	const struct ctlog *log = find_log(logs, sct->log_id);
	bool good = false;

	if (!log_serves(log, leaf)) {
		r->unknown++;
		return RC_OK;
	}
	TRY(verify_sct(log, pre, sct, &good, f));
	if (good)
		count_valid(t, log, r);
	else
		r->invalid++;
	return RC_OK;
}

enum rc
sct_check(const struct cert *leaf, const X509 *issuer, const struct ctlogs *logs,
    int64_t now_ms, struct sct_result *out, struct fault *f)
{
	struct sct list[SCT_MAX_LIST];
	struct sct_result r = { 0 };
	AUTO_BUF tbs = BUF_INIT(TBS_MAX);
	struct precert pre = { .tbs = &tbs };
	struct tally t = { 0 };

	TRY(read_list(leaf, list, &r.present, f));
	if (r.present > 0) {
		if (issuer == NULL)
			return FAULT(f, RC_DENIED, "sct_issuer",
			    "without its issuer no SCT can be checked");
		TRY(issuer_hash(issuer, pre.issuer, f));
		TRY(bare_tbs(leaf, &tbs, f));
	}
	for (size_t i = 0; i < r.present; i++) {
		if (list[i].time_ms > INT64_MAX || (int64_t)list[i].time_ms > now_ms)
			r.future++;
		else
			TRY(judge(leaf, &pre, logs, &list[i], &t, &r, f));
	}
	*out = r;
	if (r.future > 0)
		return FAULT(f, RC_DENIED, "sct_future", "%zu SCTs of the future", r.future);
	return RC_OK;
}
