#include "pkcs11/provision_uses.h"

#include <stdlib.h>
#include <string.h>

#include "stir/ascii.h"

void
uses_done(struct uses *u)
{
	free(u->use);
	*u = (struct uses){ 0 };
}

/* Up to the octet, which goes too. */
static bool
take_until(struct span *s, char end, struct span *out)
{
	const uint8_t *at = s->len > 0 ? memchr(s->ptr, end, s->len) : NULL;

	if (at == NULL || (size_t)(at - s->ptr) > USES_WORD_MAX)
		return false;
	*out = span_cut(s, (size_t)(at - s->ptr));
	span_cut(s, 1);
	return out->len > 0;
}

static bool
from_hex(struct span hex, uint8_t *out, size_t len)
{
	if (hex.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = ascii_hex(hex.ptr[2 * i]), low = ascii_hex(hex.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static struct span
or_none(struct span word)
{
	return span_is(word, "-") ? span_of(word.ptr, 0) : word;
}

static bool
read_head(struct span *text, struct uses *u)
{
	struct span word, id;

	if (!take_until(text, ' ', &word) || !span_is(word, "installation") ||
	    !take_until(text, '\n', &id))
		return false;
	u->owner_known = !span_is(id, "-");
	return !u->owner_known || from_hex(id, u->owner, FRAME_OWNER);
}

static bool
read_line(struct span *text, struct use *out)
{
	struct span id, use, of;

	if (!take_until(text, ' ', &id) || !from_hex(id, out->id, FRAME_KEY_ID) ||
	    !take_until(text, ' ', &use) || !take_until(text, '\n', &of))
		return false;
	out->use = or_none(use);
	out->of = or_none(of);
	return true;
}

static size_t
count_lines(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	return n;
}

static bool
in_order(const struct uses *u)
{
	return u->len == 0 ||
	       memcmp(u->use[u->len - 1].id, u->use[u->len].id, FRAME_KEY_ID) < 0;
}

static enum rc
read_lines(struct span text, struct uses *u, struct fault *f)
{
	size_t n = count_lines(text);

	if (n > USES_MAX_KEYS)
		return FAULT(f, RC_INVALID, "uses_file", "%zu keys", n);
	u->use = calloc(n + 1, sizeof *u->use);
	if (u->use == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu keys", n);
	for (; text.len > 0; u->len++) {
		if (u->len == n || !read_line(&text, &u->use[u->len]) || !in_order(u))
			return FAULT(f, RC_INVALID, "uses_file", "its key %zu", u->len + 1);
	}
	return RC_OK;
}

enum rc
uses_read(struct span text, struct uses *out, struct fault *f)
{
	struct uses u = { .use = NULL };
	enum rc rc = RC_OK;

	if (!read_head(&text, &u))
		return FAULT(f, RC_INVALID, "uses_file", "its first line");
	rc = read_lines(text, &u, f);
	if (rc == RC_OK)
		*out = u;
	else
		uses_done(&u);
	return rc;
}

static int
by_id(const void *a, const void *b)
{
	return memcmp(((const struct use *)a)->id, ((const struct use *)b)->id, FRAME_KEY_ID);
}

const struct use *
uses_find(const struct uses *u, struct span id)
{
	struct use want = { .use = { NULL, 0 } };

	if (id.len != FRAME_KEY_ID || u->len == 0)
		return NULL;
	memcpy(want.id, id.ptr, FRAME_KEY_ID);
	return bsearch(&want, u->use, u->len, sizeof want, by_id);
}
