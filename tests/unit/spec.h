/* Claims and constraints that tests write as text. */
#ifndef TESTS_UNIT_SPEC_H
#define TESTS_UNIT_SPEC_H

#include "stir/constraints.h"
#include "stir/der.h"
#include "stir/jtext.h"
#include "tests/unit/cm.h"

/*
 * JSON with single quotes, which read better in a table of C strings.  Not
 * jtext_read(): a certificate may have more values than a request.
 */
static inline json_t *
json_of(const char *text)
{
	AUTO_BUF json = BUF_INIT(JTEXT_MAX_BYTES);
	json_t *value;

	for (; *text != '\0'; text++)
		buf_byte(&json, *text == '\'' ? '"' : (uint8_t)*text);
	value = json_loadb(
	    (const char *)json.ptr, json.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	assert_non_null(value);
	return value;
}

/*
 * Made by way of DER from {'i':[names],'p':[[claim,value,…],…],'x':[names]},
 * so that what is judged is what was decoded.
 */
static inline void
put_names(struct buf *seq, uint8_t member, const json_t *names)
{
	AUTO_BUF list = BUF_INIT(65536), wrapped = BUF_INIT(65536);

	if (names == NULL)
		return;
	for (size_t i = 0; i < json_array_size(names); i++)
		der_put(&list, DER_IA5_STRING, jtext_span(json_array_get(names, i)));
	der_put(&wrapped, DER_SEQUENCE, buf_view(&list));
	der_put(seq, DER_CONTEXT(member), buf_view(&wrapped));
}

static inline void
put_permitted(struct buf *list, const json_t *entry)
{
	AUTO_BUF values = BUF_INIT(65536), one = BUF_INIT(65536);

	for (size_t i = 1; i < json_array_size(entry); i++)
		der_put(&values, DER_UTF8_STRING, jtext_span(json_array_get(entry, i)));
	der_put(&one, DER_IA5_STRING, jtext_span(json_array_get(entry, 0)));
	der_put(&one, DER_SEQUENCE, buf_view(&values));
	der_put(list, DER_SEQUENCE, buf_view(&one));
}

static inline struct constraints *
make(const char *text, enum constraints_form form)
{
	json_auto_t *spec = json_of(text);
	AUTO_BUF seq = BUF_INIT(65536), list = BUF_INIT(65536), wrapped = BUF_INIT(65536),
		 der = BUF_INIT(65536);
	const json_t *permitted = json_object_get(spec, "p");
	struct constraints *c = NULL;

	put_names(&seq, 0, json_object_get(spec, "i"));
	for (size_t i = 0; i < json_array_size(permitted); i++)
		put_permitted(&list, json_array_get(permitted, i));
	if (permitted != NULL) {
		der_put(&wrapped, DER_SEQUENCE, buf_view(&list));
		der_put(&seq, DER_CONTEXT(1), buf_view(&wrapped));
	}
	put_names(&seq, 2, json_object_get(spec, "x"));
	der_put(&der, DER_SEQUENCE, buf_view(&seq));
	assert_int_equal(constraints_decode(buf_view(&der), form, &c, NULL), RC_OK);
	return c;
}

#endif
