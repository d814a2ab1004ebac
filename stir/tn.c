#include "stir/tn.h"

#include <assert.h>

enum {
	KEY_LEN_SHIFT = 60,
	KEY_SPECIAL_SHIFT = 59, /* set: the value is in base 12 */
	MASKED = 4,
};

static const char alphabet[] = "0123456789*#";

static int
digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c == '*' ? 10 : c == '#' ? 11 : -1;
}

static enum rc
too_long(struct fault *f)
{
	return REFUSE(f, RC_INVALID, INVALID_TN, NULL, "more than %d characters", TN_MAX);
}

/* RFC 8224 section 8.3, without its dial plans: what would need guessing is refused. */
enum rc
tn_canonical(struct span text, struct tn *out, struct fault *f)
{
	struct tn tn = { 0 };

	if (text.len > 0 && text.ptr[0] == '+')
		span_cut(&text, 1);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (c == '-' || c == '.' || c == '(' || c == ')' || c == ' ')
			continue;
		if (digit_of(c) < 0)
			return REFUSE(f, RC_INVALID, INVALID_TN, NULL,
			    "octet 0x%02x is no part of a number", c);
		if (tn.len == TN_MAX)
			return too_long(f);
		tn.text[tn.len++] = (char)c;
	}
	if (tn.len == 0)
		return REFUSE(f, RC_INVALID, INVALID_TN, NULL, "no digit");
	*out = tn;
	return RC_OK;
}

enum rc
tn_exact(struct span text, struct tn *out, struct fault *f)
{
	struct tn tn = { 0 };

	if (text.len == 0)
		return REFUSE(f, RC_INVALID, INVALID_TN, NULL, "no digit");
	if (text.len > TN_MAX)
		return too_long(f);
	for (size_t i = 0; i < text.len; i++) {
		if (digit_of(text.ptr[i]) < 0)
			return REFUSE(f, RC_INVALID, INVALID_TN, NULL,
			    "octet 0x%02x is not in canonical form", text.ptr[i]);
		tn.text[tn.len++] = (char)text.ptr[i];
	}
	*out = tn;
	return RC_OK;
}

bool
tn_is_digits(const struct tn *tn)
{
	return strpbrk(tn->text, "*#") == NULL;
}

uint64_t
tn_key(const struct tn *tn)
{
	uint64_t special = tn_is_digits(tn) ? 0 : 1, value = 0;

	assert(tn->len >= 1 && tn->len <= TN_MAX);
	for (size_t i = 0; i < tn->len; i++)
		value = value * (special ? 12 : 10) + (uint64_t)digit_of((uint8_t)tn->text[i]);
	return (uint64_t)tn->len << KEY_LEN_SHIFT | special << KEY_SPECIAL_SHIFT | value;
}

void
tn_from_key(uint64_t key, struct tn *out)
{
	uint64_t base = tn_key_is_special(key) ? 12 : 10, value = tn_key_value(key);

	*out = (struct tn){ .len = tn_key_len(key) };
	for (size_t i = out->len; i > 0; i--) {
		out->text[i - 1] = alphabet[value % base];
		value /= base;
	}
}

uint8_t
tn_key_len(uint64_t key)
{
	return (uint8_t)(key >> KEY_LEN_SHIFT);
}

bool
tn_key_is_special(uint64_t key)
{
	return (key >> KEY_SPECIAL_SHIFT & 1) != 0;
}

uint64_t
tn_key_value(uint64_t key)
{
	return key & ((UINT64_C(1) << KEY_SPECIAL_SHIFT) - 1);
}

uint64_t
tn_key_values(uint64_t key)
{
	uint64_t n = 1;

	for (uint8_t i = tn_key_len(key); i > 0; i--)
		n *= tn_key_is_special(key) ? 12 : 10;
	return n;
}

struct tn_masked
tn_mask(const struct tn *tn)
{
	struct tn_masked m = { 0 };

	for (size_t i = 0; i < tn->len; i++)
		m.text[i] = i + MASKED < tn->len ? tn->text[i] : '*';
	return m;
}
