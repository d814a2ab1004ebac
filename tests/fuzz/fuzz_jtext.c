/*
 * JSON text: what is read is written, and what was written reads back to the same text,
 * and to the same value with nothing hidden in it.  Whatever is read, by us, as a text of
 * others, or by jansson as it likes (an octet 0 aside, which it may skip), is JSON by its
 * grammar.
 * RFC 8225 s9
 */
#include "stir/jgrammar.h"
#include "stir/jtext.h"
#include "stir/text.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	json_auto_t *value = NULL, *again = NULL, *same = NULL, *foreign = NULL;
	json_auto_t *loose =
	    json_loadb((const char *)data, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	AUTO_BUF once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
	AUTO_BUF safe = BUF_INIT(1 << 20);
	struct fault f = { 0 };

	if (loose != NULL && len <= JGRAMMAR_MAX_BYTES && memchr(data, 0, len) == NULL &&
	    !jgrammar_is_json(span_of(data, len)))
		abort();
	if (jtext_read_foreign(span_of(data, len), JGRAMMAR_MAX_BYTES, &foreign, &f) == RC_OK &&
	    !jgrammar_is_json(span_of(data, len)))
		abort();
	if (jtext_read(span_of(data, len), &value, &f) != RC_OK)
		return 0;
	if (foreign == NULL && (json_is_object(value) || json_is_array(value)))
		abort(); /* who is less strict takes it as well */
	if (!jgrammar_is_json(span_of(data, len)))
		abort();
	if (jtext_write(&once, value, &f) != RC_OK || !json_is_object(value))
		return 0;
	if (jtext_read(buf_view(&once), &again, &f) != RC_OK ||
	    jtext_write(&twice, again, &f) != RC_OK)
		abort();
	if (!span_eq(buf_view(&once), buf_view(&twice)))
		abort();
	text_put_json(&safe, buf_view(&once));
	if (jtext_read(buf_view(&safe), &same, &f) != RC_OK || !json_equal(again, same) ||
	    !text_is_shown(buf_view(&safe), false))
		abort();
	return 0;
}
