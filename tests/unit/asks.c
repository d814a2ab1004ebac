#include "tests/unit/asks.h"

#include "stir/b64.h"
#include "stir/jtext.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"

json_t *
asks_op(struct works *w, json_t *msg)
{
	return bworld_ask(w, msg, PKI_NOW);
}

const char *
asks_reason(const json_t *answer)
{
	const char *reason = json_string_value(json_object_get(answer, "reason"));

	return json_is_true(json_object_get(answer, "ok")) ? "" : reason;
}

const char *
asks_text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	assert_non_null(s);
	return s;
}

json_t *
asks_errand(struct works *w, size_t n)
{
	json_auto_t *answer = asks_op(w, json_pack("{s:s}", "op", "errands"));
	json_t *row = json_array_get(json_object_get(answer, "errands"), n);

	assert_string_equal(asks_reason(answer), "");
	return row != NULL ? json_incref(row) : json_object();
}

json_t *
asks_jws(struct works *w, const char *id, const char *ca, const char *kid, const char *url)
{
	return asks_op(w, json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s}", "op", "errand", "errand",
			      id, "ca", ca, "kid", kid, "nonce", "abc-_9", "url", url));
}

json_t *
asks_told(struct works *w, const char *id, bool final, const char *reason, const char *detail)
{
	return asks_op(
	    w, json_pack("{s:s, s:s, s:b, s:s?, s:s?}", "op", "errand-done", "errand", id,
		   "final", (int) final, "reason", reason, "detail", detail));
}

static json_t *
part_of(const json_t *jws, const char *name, struct buf *input)
{
	const char *b64 = json_string_value(json_object_get(jws, name));
	AUTO_BUF text = BUF_INIT(65536);
	json_t *out = NULL;

	assert_non_null(b64);
	if (input->len > 0)
		buf_byte(input, '.');
	buf_str(input, b64);
	assert_int_equal(b64_decode(&text, B64_URL, span_str(b64), NULL), RC_OK);
	assert_int_equal(jtext_read(buf_view(&text), &out, NULL), RC_OK);
	return out;
}

void
asks_open_jws(const json_t *jws, const uint8_t *point, json_t **header, json_t **payload)
{
	const char *signature = json_string_value(json_object_get(jws, "signature"));
	AUTO_BUF input = BUF_INIT(262144), sig = BUF_INIT(100);
	AUTO_OSSL(EVP_PKEY) *key = NULL;

	*header = part_of(jws, "protected", &input);
	*payload = part_of(jws, "payload", &input);
	assert_int_equal(p256_from_point(point, &key, NULL), RC_OK);
	assert_int_equal(b64_decode(&sig, B64_URL, span_str(signature), NULL), RC_OK);
	assert_int_equal(es256_verify(key, buf_view(&input), buf_view(&sig), NULL), RC_OK);
}

void
asks_open(const json_t *answer, const uint8_t *point, json_t **header, json_t **payload)
{
	assert_string_equal(asks_reason(answer), "");
	asks_open_jws(json_object_get(answer, "jws"), point, header, payload);
}
