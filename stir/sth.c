#include "stir/sth.h"

#include <inttypes.h>

#include "stir/b64.h"
#include "stir/jtext.h"
#include "stir/sct.h"
#include "stir/tlsread.h"

/* A time below this is one in seconds, as an STI-CT draft has it (D-35). */
static const int64_t LEAST_MS = INT64_C(100000000000);

enum { HEAD_SIGNED_MAX = 64, DECIMAL_MAX = 17 };

static enum rc
wrong(struct fault *f, const char *member)
{
	return FAULT(f, RC_INVALID, "sth", "'%s' is not there, or not as it should be", member);
}

/* Base64 of so many octets, or of any number up to max where exactly is false. */
static bool
octets(const json_t *text, uint8_t *out, size_t max, bool exactly, size_t *len)
{
	AUTO_BUF b = BUF_INIT(max);
	struct span s = jtext_span(text);

	if (!json_is_string(text) || s.len > b64_encoded_len(B64_STD, max) ||
	    b64_decode(&b, B64_STD, s, NULL) != RC_OK || buf_check(&b, NULL) != RC_OK ||
	    b.len == 0 || (exactly && b.len != max))
		return false;
	memcpy(out, b.ptr, b.len);
	*len = b.len;
	return true;
}

/* D-35: an integer, or the same as a string of digits. */
static bool
read_time(const json_t *value, int64_t *out_ms)
{
	struct span s = jtext_span(value);
	int64_t n = 0;

	if (json_is_integer(value)) {
		*out_ms = json_integer_value(value);
		return *out_ms >= LEAST_MS;
	}
	if (s.len == 0 || s.len > DECIMAL_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		n = 10 * n + (s.ptr[i] - '0');
	}
	*out_ms = n;
	return n >= LEAST_MS;
}

/* RFC 6962 section 3.5 */
static enum rc
check_signature(const struct sth *sth, const struct ctlog *log, struct fault *f)
{
	AUTO_BUF data = BUF_INIT(HEAD_SIGNED_MAX);

	tls_put_uint(&data, 0, 1); /* v1 */
	tls_put_uint(&data, 1, 1); /* tree_hash */
	tls_put_uint(&data, (uint64_t)sth->time_ms, 8);
	tls_put_uint(&data, sth->tree.size, 8);
	buf_put(&data, sth->tree.root, sizeof sth->tree.root);
	TRY(buf_check(&data, f));
	if (!sct_signed_by(log, span_of(sth->signature, sth->signature_len), buf_view(&data)))
		return FAULT(f, RC_DENIED, "sth_signature",
		    "the log's key has not signed this tree head");
	return RC_OK;
}

enum rc
sth_read(struct span json, const struct ctlog *log, struct sth *out, struct fault *f)
{
	struct sth s = { .time_ms = 0 };
	json_auto_t *root = NULL;
	const json_t *size;
	size_t len = 0;

	if (json.len > STH_JSON_MAX)
		return FAULT(f, RC_INVALID, "sth", "%zu octets", json.len);
	TRY(jtext_read(json, &root, f));
	size = json_object_get(root, "tree_size");
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return wrong(f, "tree_size");
	s.tree.size = (uint64_t)json_integer_value(size);
	if (!read_time(json_object_get(root, "timestamp"), &s.time_ms))
		return wrong(f, "timestamp");
	if (!octets(json_object_get(root, "sha256_root_hash"), s.tree.root, MERKLE_HASH, true,
		&len))
		return wrong(f, "sha256_root_hash");
	if (!octets(json_object_get(root, "tree_head_signature"), s.signature,
		STH_SIGNATURE_MAX, false, &s.signature_len))
		return wrong(f, "tree_head_signature");
	TRY(check_signature(&s, log, f));
	*out = s;
	return RC_OK;
}

enum rc
sth_write(struct buf *out, const struct sth *sth, struct fault *f)
{
	buf_printf(out,
	    "{\"tree_size\":%" PRIu64 ",\"timestamp\":%" PRId64 ",\"sha256_root_hash\":\"",
	    sth->tree.size, sth->time_ms);
	b64_encode(out, B64_STD, span_of(sth->tree.root, MERKLE_HASH));
	buf_str(out, "\",\"tree_head_signature\":\"");
	b64_encode(out, B64_STD, span_of(sth->signature, sth->signature_len));
	buf_str(out, "\"}");
	return buf_check(out, f);
}

/* ---- proofs ----------------------------------------------------------------------------- */

static enum rc
read_path(const json_t *list, struct merkle_path *out, struct fault *f)
{
	size_t n = json_array_size(list), len = 0;

	if (!json_is_array(list) || n > MERKLE_MAX_PATH)
		return FAULT(
		    f, RC_INVALID, "ct_proof", "no list of at most %d hashes", MERKLE_MAX_PATH);
	for (size_t i = 0; i < n; i++) {
		if (!octets(json_array_get(list, i), out->node[i], MERKLE_HASH, true, &len))
			return FAULT(f, RC_INVALID, "ct_proof", "hash %zu is none", i);
	}
	out->len = n;
	return RC_OK;
}

static enum rc
read_proof(struct span json, json_t **out, struct fault *f)
{
	if (json.len > STH_PATH_JSON_MAX)
		return FAULT(f, RC_INVALID, "ct_proof", "%zu octets", json.len);
	return jtext_read(json, out, f);
}

enum rc
sth_read_inclusion(struct span json, uint64_t *index, struct merkle_path *out, struct fault *f)
{
	json_auto_t *root = NULL;
	const json_t *at;

	TRY(read_proof(json, &root, f));
	at = json_object_get(root, "leaf_index");
	if (!json_is_integer(at) || json_integer_value(at) < 0)
		return FAULT(f, RC_INVALID, "ct_proof", "'leaf_index' is no number");
	TRY(read_path(json_object_get(root, "audit_path"), out, f));
	*index = (uint64_t)json_integer_value(at);
	return RC_OK;
}

enum rc
sth_read_consistency(struct span json, struct merkle_path *out, struct fault *f)
{
	json_auto_t *root = NULL;

	TRY(read_proof(json, &root, f));
	return read_path(json_object_get(root, "consistency"), out, f);
}
