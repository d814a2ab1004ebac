#include "pkcs11/label.h"

#include <stdio.h>
#include <string.h>

static const char prefix[] = "vesper-", imported[] = "imported-";

enum { ID_BYTES = 8, BATCH_BYTES = FRAME_BATCH - FRAME_OWNER };

static size_t
put_hex(char out[LABEL_MAX], size_t at, const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at += (size_t)snprintf(out + at, LABEL_MAX - at, "%02x", in[i]);
	return at;
}

static size_t
put_prefix(char out[LABEL_MAX])
{
	memcpy(out, prefix, sizeof prefix);
	return strlen(prefix);
}

void
label_write(const uint8_t batch[FRAME_BATCH], char out[LABEL_MAX])
{
	size_t at = put_hex(out, put_prefix(out), batch, FRAME_OWNER);

	out[at++] = '-';
	put_hex(out, at, batch + FRAME_OWNER, BATCH_BYTES);
}

void
label_write_before(const uint8_t batch[FRAME_BATCH], char out[LABEL_MAX])
{
	put_hex(out, put_prefix(out), batch, FRAME_BATCH);
}

void
label_write_id(const uint8_t id[FRAME_KEY_ID], char out[LABEL_MAX])
{
	put_hex(out, put_prefix(out), id, ID_BYTES);
}

/* ---- reading ---- */

static int
digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10
				    : -1; /* as it is written, and not otherwise */
}

static bool
take_hex(struct span *s, uint8_t *out, size_t len)
{
	if (s->len < 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = digit(s->ptr[2 * i]), low = digit(s->ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	span_cut(s, 2 * len);
	return true;
}

static bool
take_text(struct span *s, const char *text)
{
	size_t len = strlen(text);

	if (s->len < len || memcmp(s->ptr, text, len) != 0)
		return false;
	span_cut(s, len);
	return true;
}

static bool
read_owned(struct span s, uint8_t name[FRAME_BATCH])
{
	return take_hex(&s, name, FRAME_OWNER) && take_text(&s, "-") &&
	       take_hex(&s, name + FRAME_OWNER, BATCH_BYTES) && s.len == 0;
}

static bool
read_hex(struct span s, uint8_t *name, size_t len)
{
	return take_hex(&s, name, len) && s.len == 0;
}

struct label
label_read(struct span text)
{
	struct label l = { .form = FRAME_LABEL_OTHER };
	uint8_t name[FRAME_BATCH] = { 0 };

	if (span_is(text, CANARY_LABEL))
		l.form = FRAME_LABEL_CANARY;
	else if (!take_text(&text, prefix))
		l.form = FRAME_LABEL_OTHER;
	else if (read_owned(text, name))
		l.form = FRAME_LABEL_OWNED;
	else if (read_hex(text, name, FRAME_BATCH))
		l.form = FRAME_LABEL_BATCH;
	else if (read_hex(text, name, ID_BYTES))
		l.form = FRAME_LABEL_ID;
	else if (take_text(&text, imported))
		l.form = FRAME_LABEL_IMPORTED;
	if (l.form == FRAME_LABEL_OWNED || l.form == FRAME_LABEL_BATCH)
		memcpy(l.name, name, sizeof l.name);
	return l;
}
