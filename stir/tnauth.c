#include "stir/tnauth.h"

#include <assert.h>
#include <stdlib.h>

#include "stir/der.h"

struct tnauth {
	size_t len;
	size_t spcs;
	struct tnset *numbers;
	struct tnauth_entry entry[];
};

void
tnauth_free(struct tnauth *list)
{
	if (list == NULL)
		return;
	tnset_free(list->numbers);
	free(list);
}

/* The last number of an entry that was checked, as a key. */
static struct tn_interval
entry_interval(const struct tnauth_entry *e)
{
	uint64_t lo = tn_key(&e->start);

	return (struct tn_interval){ lo, lo + e->count - 1 };
}

/*
 * RFC 8226 section 9: start + count < 10^digits, which a block that ends at all
 * nines cannot meet; all_nines takes such a block (D-03).
 */
static enum rc
check_range(const struct tnauth_entry *e, bool all_nines, struct fault *f)
{
	uint64_t key, limit, end;

	if (!tn_is_digits(&e->start))
		return FAULT(f, RC_INVALID, "tnauth_number", "a range that begins with * or #");
	if (e->count < 2)
		return FAULT(f, RC_INVALID, "tnauth_count", "a range of %d", (int)e->count);
	key = tn_key(&e->start);
	limit = tn_key_values(key);
	if (e->count > limit)
		return FAULT(f, RC_INVALID, "tnauth_range_end",
		    "a range of more numbers than %d digits have", e->start.len);
	end = tn_key_value(key) + e->count;
	if (end > limit)
		return FAULT(f, RC_INVALID, "tnauth_range_end", "a range beyond %d digits",
		    e->start.len);
	if (end == limit && !all_nines)
		return FAULT(f, RC_INVALID, "tnauth_range_end",
		    "a range whose last number is all nines: start + count must be below 10^%d",
		    e->start.len);
	return RC_OK;
}

/* IA5String allows controls; a code with one is taken for a mistake. */
static enum rc
check_spc(struct span text, struct fault *f)
{
	if (text.len == 0 || text.len > TNAUTH_SPC_MAX)
		return FAULT(f, RC_INVALID, "tnauth_spc",
		    "a service provider code of %zu octets", text.len);
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
			return FAULT(f, RC_INVALID, "tnauth_spc", "octet 0x%02x", text.ptr[i]);
	}
	return RC_OK;
}

static enum rc
decode_spc(struct span *in, struct tnauth_entry *e, struct fault *f)
{
	struct span text = { 0 };

	TRY(der_expect(in, DER_IA5_STRING, &text, f));
	TRY(check_spc(text, f));
	memcpy(e->spc, text.ptr, text.len);
	return RC_OK;
}

static enum rc
decode_number(struct span *in, struct tn *out, struct fault *f)
{
	struct span text = { 0 };

	TRY(der_expect(in, DER_IA5_STRING, &text, f));
	if (tn_exact(text, out, NULL) != RC_OK)
		return FAULT(f, RC_INVALID, "tnauth_number",
		    "a number is 1 to %d of 0-9, * and #; this one has %zu octets", TN_MAX,
		    text.len);
	return RC_OK;
}

static enum rc
decode_range(struct span *in, bool all_nines, struct tnauth_entry *e, struct fault *f)
{
	struct span seq = { 0 }, rest = { 0 };
	uint8_t tag = 0;

	if (der_peek(*in) == DER_IA5_STRING)
		return FAULT(f, RC_INVALID, "tnauth_choice", "range with an implicit tag");
	TRY(der_expect(in, DER_SEQUENCE, &seq, f));
	TRY(decode_number(&seq, &e->start, f));
	TRY(der_uint(&seq, &e->count, f));
	/* The extension marker: whatever follows is not ours to judge (D-04), but it is DER. */
	while (seq.len > 0)
		TRY(der_next(&seq, &tag, &rest, f));
	return check_range(e, all_nines, f);
}

/* TNEntry ::= CHOICE, EXPLICIT TAGS, no extension marker (RFC 8226 appendix A). */
static enum rc
decode_entry(struct span *in, bool all_nines, struct tnauth_entry *e, struct fault *f)
{
	struct span body = { 0 };
	uint8_t tag = 0;

	TRY(der_next(in, &tag, &body, f));
	if (tag >= 0x80 && tag <= 0x82)
		return FAULT(f, RC_INVALID, "tnauth_choice",
		    "implicit tag 0x%02x: the module has explicit tags", tag);
	if (tag < DER_CONTEXT(0) || tag > DER_CONTEXT(2))
		return FAULT(f, RC_INVALID, "tnauth_choice", "unknown choice 0x%02x", tag);
	*e = (struct tnauth_entry){ .kind = (enum tnauth_kind)(tag - DER_CONTEXT(0)),
		.count = 1 };
	switch (e->kind) {
	case TNAUTH_SPC:
		e->count = 0;
		TRY(decode_spc(&body, e, f));
		break;
	case TNAUTH_RANGE: TRY(decode_range(&body, all_nines, e, f)); break;
	case TNAUTH_ONE: TRY(decode_number(&body, &e->start, f)); break;
	}
	return der_end(body, f);
}

static enum rc
count_entries(struct span seq, size_t max, size_t *n, struct fault *f)
{
	struct span body = { 0 };
	uint8_t tag = 0;

	for (*n = 0; seq.len > 0; (*n)++) {
		if (*n == max)
			return FAULT(
			    f, RC_INVALID, "tnauth_limit", "more than %zu entries", max);
		TRY(der_next(&seq, &tag, &body, f));
	}
	if (*n == 0)
		return FAULT(f, RC_INVALID, "tnauth_empty", "a list without entries");
	return RC_OK;
}

/* Duplicates and overlaps are legal and mean their union (D-55). */
static enum rc
build_numbers(struct tnauth *list, struct fault *f)
{
	AUTO_FREE struct tn_interval *at = calloc(list->len, sizeof *at);
	size_t n = 0;

	if (at == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu entries", list->len);
	for (size_t i = 0; i < list->len; i++) {
		if (list->entry[i].kind == TNAUTH_SPC)
			list->spcs++;
		else
			at[n++] = entry_interval(&list->entry[i]);
	}
	return tnset_build(at, n, &list->numbers, f);
}

enum rc
tnauth_decode(struct span der, bool all_nines, struct tnauth **out, struct fault *f)
{
	AUTO(tnauth) *list = NULL;
	struct span seq = { 0 };
	size_t n = 0;

	TRY(der_expect(&der, DER_SEQUENCE, &seq, f));
	TRY(der_end(der, f));
	TRY(count_entries(seq, TNAUTH_MAX_ENTRIES, &n, f));
	list = calloc(1, sizeof *list + n * sizeof list->entry[0]);
	if (list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu entries", n);
	while (list->len < n) {
		TRY(decode_entry(&seq, all_nines, &list->entry[list->len], f));
		list->len++;
	}
	TRY(build_numbers(list, f));
	*out = TAKE(list);
	return RC_OK;
}

enum rc
tnauth_decode_numbers(struct span der, bool all_nines, struct tnset **out, struct fault *f)
{
	AUTO_FREE struct tn_interval *at = NULL;
	struct tnauth_entry e;
	struct span seq = { 0 };
	size_t n = 0, len = 0;

	if (der.len > TNAUTH_MAX_REFERENCED_BYTES)
		return FAULT(f, RC_INVALID, "tnauth_limit", "%zu bytes", der.len);
	TRY(der_expect(&der, DER_SEQUENCE, &seq, f));
	TRY(der_end(der, f));
	TRY(count_entries(seq, TNAUTH_MAX_REFERENCED, &n, f));
	at = calloc(n, sizeof *at);
	if (at == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu entries", n);
	for (size_t i = 0; i < n; i++) {
		e = (struct tnauth_entry){ 0 };
		TRY(decode_entry(&seq, all_nines, &e, f));
		if (e.kind != TNAUTH_SPC)
			at[len++] = entry_interval(&e);
	}
	return tnset_build(at, len, out, f);
}

static enum rc
encode_number(struct buf *out, const struct tn *tn, struct fault *f)
{
	struct tn same = { 0 };

	if (tn_exact(span_str(tn->text), &same, NULL) != RC_OK || same.len != tn->len)
		return FAULT(f, RC_INVALID, "tnauth_number", "not a number");
	der_put(out, DER_IA5_STRING, span_str(tn->text));
	return RC_OK;
}

static enum rc
encode_range(struct buf *out, const struct tnauth_entry *e, struct fault *f)
{
	AUTO_BUF seq = BUF_INIT(64);

	TRY(encode_number(&seq, &e->start, f));
	TRY(check_range(e, false, f));
	der_put_uint(&seq, e->count);
	TRY(buf_check(&seq, f));
	der_put(out, DER_SEQUENCE, buf_view(&seq));
	return RC_OK;
}

static enum rc
encode_entry(struct buf *out, const struct tnauth_entry *e, struct fault *f)
{
	AUTO_BUF body = BUF_INIT(96);

	switch (e->kind) {
	case TNAUTH_SPC:
		TRY(check_spc(span_str(e->spc), f));
		der_put(&body, DER_IA5_STRING, span_str(e->spc));
		break;
	case TNAUTH_RANGE: TRY(encode_range(&body, e, f)); break;
	case TNAUTH_ONE: TRY(encode_number(&body, &e->start, f)); break;
	default: return FAULT(f, RC_INVALID, "tnauth_choice", "kind %d", (int)e->kind);
	}
	TRY(buf_check(&body, f));
	der_put(out, DER_CONTEXT(e->kind), buf_view(&body));
	return RC_OK;
}

enum rc
tnauth_encode(struct buf *out, const struct tnauth_entry *entries, size_t n, struct fault *f)
{
	AUTO_BUF seq = BUF_INIT((size_t)TNAUTH_MAX_ENTRIES * 96);

	if (n == 0)
		return FAULT(f, RC_INVALID, "tnauth_empty", "a list without entries");
	if (n > TNAUTH_MAX_ENTRIES)
		return FAULT(
		    f, RC_INVALID, "tnauth_limit", "more than %d entries", TNAUTH_MAX_ENTRIES);
	for (size_t i = 0; i < n; i++)
		TRY(encode_entry(&seq, &entries[i], f));
	TRY(buf_check(&seq, f));
	der_put(out, DER_SEQUENCE, buf_view(&seq));
	return buf_check(out, f);
}

/* The numbers of one interval: a range (or none) first, and what no range can say. */
struct cover {
	struct tn_interval range; /* only where ranged */
	bool ranged;
	uint64_t one[2];
	size_t ones;
};

static struct cover
cover_interval(struct tn_interval i)
{
	struct cover c = { 0 };
	bool to_nines = tn_key_value(i.hi) + 1 == tn_key_values(i.hi);

	if (tn_key_is_special(i.lo) || i.lo == i.hi) {
		c.one[c.ones++] = i.lo;
		return c;
	}
	/* RFC 8226 section 9 cannot express a range that ends at all nines (D-03). */
	if (to_nines)
		c.one[c.ones++] = i.hi--;
	if (i.lo == i.hi) {
		c.one[c.ones++] = c.one[0];
		c.one[0] = i.lo;
		return c;
	}
	c.range = i;
	c.ranged = true;
	return c;
}

static size_t
count_cover(const struct tnset *set, size_t *ranges)
{
	size_t n = 0;

	*ranges = 0;
	for (size_t i = 0; i < tnset_len(set); i++) {
		struct cover c = cover_interval(tnset_at(set, i));

		*ranges += c.ranged ? 1 : 0;
		n += c.ones + (c.ranged ? 1 : 0);
	}
	return n;
}

static void
fill_cover(const struct tnset *set, struct tnauth_entry *range, struct tnauth_entry *one)
{
	for (size_t i = 0; i < tnset_len(set); i++) {
		struct cover c = cover_interval(tnset_at(set, i));

		if (c.ranged) {
			range->kind = TNAUTH_RANGE;
			range->count = c.range.hi - c.range.lo + 1;
			tn_from_key(c.range.lo, &range->start);
			range++;
		}
		for (size_t k = 0; k < c.ones; k++, one++) {
			one->kind = TNAUTH_ONE;
			one->count = 1;
			tn_from_key(c.one[k], &one->start);
		}
	}
}

enum rc
tnauth_from_set(
    const struct tnset *set, size_t max, struct tnauth_entry **out, size_t *n, struct fault *f)
{
	size_t ranges = 0, need = count_cover(set, &ranges);
	struct tnauth_entry *list;

	if (need == 0)
		return FAULT(f, RC_INVALID, "tnauth_empty", "no numbers");
	if (need > max)
		return FAULT(f, RC_INVALID, "tnauth_limit", "%zu entries, at most %zu allowed",
		    need, max);
	list = calloc(need, sizeof *list);
	if (list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu entries", need);
	fill_cover(set, list, list + ranges);
	*out = list;
	*n = need;
	return RC_OK;
}

size_t
tnauth_len(const struct tnauth *list)
{
	return list->len;
}

const struct tnauth_entry *
tnauth_at(const struct tnauth *list, size_t i)
{
	assert(i < list->len);
	return &list->entry[i];
}

const struct tnset *
tnauth_numbers(const struct tnauth *list)
{
	return list->numbers;
}

bool
tnauth_covers(const struct tnauth *list, const struct tn *tn)
{
	return tn->len > 0 && tnset_has(list->numbers, tn_key(tn));
}

size_t
tnauth_spcs(const struct tnauth *list)
{
	return list->spcs;
}

bool
tnauth_has_spc(const struct tnauth *list, const char *spc)
{
	for (size_t i = 0; i < list->len; i++) {
		if (list->entry[i].kind == TNAUTH_SPC && strcmp(list->entry[i].spc, spc) == 0)
			return true;
	}
	return false;
}
