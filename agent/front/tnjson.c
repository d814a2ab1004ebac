#include "agent/front/tnjson.h"

enum rc
tnjson_read(const json_t *list, size_t max, struct tnset **out, struct fault *f)
{
	AUTO_BUF all = BUF_INIT(max * sizeof(struct tn_interval));
	const json_t *one;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > max)
		return FAULT(f, RC_INVALID, "numbers_file", "no array of numbers");
	json_array_foreach (list, i, one) {
		struct tn_interval in = { 0 };

		if (tnset_parse(jtext_span(one), &in, NULL) != RC_OK)
			return FAULT(
			    f, RC_INVALID, "numbers_file", "entry %zu is no number", i);
		buf_put(&all, &in, sizeof in);
	}
	TRY(buf_check(&all, f));
	return tnset_build((const struct tn_interval *)(const void *)all.ptr,
	    all.len / sizeof(struct tn_interval), out, f);
}

void
tnjson_write(struct buf *out, const struct tnset *set)
{
	char text[TNSET_TEXT];

	buf_str(out, "[");
	for (size_t i = 0; set != NULL && i < tnset_len(set); i++) {
		tnset_text(tnset_at(set, i), text);
		buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", text);
	}
	buf_str(out, "]");
}
