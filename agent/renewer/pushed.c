#include "agent/renewer/pushed.h"

#include <stdio.h>
#include <string.h>

#include "agent/log.h"
#include "agent/renewer/authtok.h"
#include "agent/renewer/record.h"
#include "stir/jtext.h"

static void
put_name(char out[PUSHED_FILE_NAME], const char *tenant, const char *name, enum token_kind k)
{
	char file[2 * CONFIG_NAME_MAX + 2];

	record_file(file, tenant, name);
	snprintf(out, PUSHED_FILE_NAME, "%s.%s", file, k == TOKEN_NUMBERS ? "n" : "c");
}

enum rc
pushed_keep(struct store *store, const char *tenant, const char *name, const char *token,
    struct fault *f)
{
	json_auto_t *root = json_pack("{s:s}", "token", token);
	AUTO_FREE char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	AUTO(authtoken) *t = NULL;
	char file[PUSHED_FILE_NAME];

	if (text == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token");
	TRY(authtoken_decode(span_str(token), &t, f));
	put_name(file, tenant, name,
	    strcmp(t->tktype, AUTHTOK_TNAUTHLIST) == 0 ? TOKEN_NUMBERS : TOKEN_CLAIMS);
	return store_write(store, STORE_TOKENS, file, span_str(text), f);
}

enum rc
pushed_read(struct store *store, const char *tenant, const char *name, enum token_kind k,
    struct buf *out, struct fault *f)
{
	AUTO_SECRET text = BUF_INIT(STORE_FILE_MAX);
	char file[PUSHED_FILE_NAME];
	json_auto_t *root = NULL;
	const char *token = NULL;

	put_name(file, tenant, name, k);
	TRY(store_read(store, STORE_TOKENS, file, &text, f));
	(void)!jtext_read_foreign(buf_view(&text), STORE_FILE_MAX, &root, NULL);
	if (json_unpack(root, "{s:s!}", "token", &token) != 0)
		return FAULT(f, RC_NOT_FOUND, "token_file", "a file that holds no token");
	buf_str(out, token);
	return buf_check(out, f);
}

int64_t
pushed_until_s(struct store *store, const char *tenant, const char *name, enum token_kind k)
{
	AUTO_SECRET token = BUF_INIT(AUTHTOK_MAX + 1);
	AUTO(authtoken) *t = NULL;

	if (pushed_read(store, tenant, name, k, &token, NULL) != RC_OK ||
	    authtoken_decode(buf_view(&token), &t, NULL) != RC_OK)
		return 0;
	return t->exp_s;
}

void
pushed_drop(struct store *store, const char *tenant, const char *name, enum token_kind k)
{
	char file[PUSHED_FILE_NAME];
	struct fault f = { 0 };

	put_name(file, tenant, name, k);
	if (store_remove(store, STORE_TOKENS, file, &f) != RC_OK)
		log_fault(LEVEL_WARNING, "token_file", &f);
}
