#include "client/token.h"

#include <strings.h>

static enum rc
read_text(const char *what, struct buf *out, struct fault *f)
{
	enum rc rc;

	if (strcmp(what, "-") == 0 || strchr(what, '.') == NULL)
		return cli_read(what, out, f);
	/* A path with a dot in it is tried first: no token is the name of a file. */
	rc = cli_read(what, out, NULL);
	if (rc == RC_OK)
		return RC_OK;
	buf_clear(out);
	buf_str(out, what);
	return buf_check(out, f);
}

enum rc
token_read(const char *what, struct buf *out, struct span *text, struct fault *f)
{
	static const char name[] = "Identity:";
	struct span s;

	TRY(read_text(what, out, f));
	s = cli_trim(buf_view(out));
	if (s.len > sizeof name && strncasecmp((const char *)s.ptr, name, sizeof name - 1) == 0)
		span_cut(&s, sizeof name - 1);
	*text = cli_trim(s);
	return RC_OK;
}

enum rc
token_list_add(struct token_list *list, const struct text_list *names, struct fault *f)
{
	for (size_t i = 0; i < names->len; i++) {
		if (list->len == ORIGINAL_MAX)
			return FAULT(
			    f, RC_INVALID, "usage", "at most %d PASSporTs", ORIGINAL_MAX);
		list->text[list->len] = BUF_INIT(TOKEN_MAX);
		list->len++; /* it is freed from here on */
		TRY(token_read(names->item[i], &list->text[list->len - 1],
		    &list->token[list->len - 1], f));
	}
	return RC_OK;
}

void
token_list_done(struct token_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		buf_free(&list->text[i]);
	list->len = 0;
}
