#include "stir/jpointer.h"

/* RFC 6901 section 3 */
bool
jpointer_is_valid(const char *pointer)
{
	if (*pointer != '\0' && *pointer != '/')
		return false;
	for (const char *p = pointer; *p != '\0'; p++) {
		if (*p == '~' && p[1] != '0' && p[1] != '1')
			return false;
	}
	return true;
}

/* RFC 6901 section 4: one reference token, unescaped, ~1 before ~0 by reading once. */
static char *
next_token(const char **pointer)
{
	const char *p = *pointer + 1;
	char *token = calloc(1, strcspn(p, "/") + 1);
	size_t n = 0;

	if (token == NULL)
		return NULL;
	for (; *p != '\0' && *p != '/'; p++) {
		token[n] = *p;
		if (*p == '~')
			token[n] = *++p == '1' ? '/' : '~';
		n++;
	}
	*pointer = p;
	return token;
}

static const json_t *
element(const json_t *array, const char *token)
{
	size_t index = 0, n = strlen(token);

	if (n == 0 || n > 5 || (n > 1 && token[0] == '0'))
		return NULL;
	for (; *token != '\0'; token++) {
		if (*token < '0' || *token > '9')
			return NULL;
		index = index * 10 + (size_t)(*token - '0');
	}
	return json_array_get(array, index);
}

enum rc
jpointer_find(const json_t *value, const char *pointer, const json_t **out, struct fault *f)
{
	while (value != NULL && *pointer != '\0') {
		AUTO_FREE char *token = next_token(&pointer);

		if (token == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a pointer");
		if (json_is_object(value))
			value = json_object_get(value, token);
		else
			value = json_is_array(value) ? element(value, token) : NULL;
	}
	*out = value;
	return RC_OK;
}

void
jpointer_put(struct buf *out, const char *token)
{
	buf_byte(out, '/');
	for (; *token != '\0'; token++) {
		if (*token == '~' || *token == '/')
			buf_str(out, *token == '~' ? "~0" : "~1");
		else
			buf_byte(out, (uint8_t)*token);
	}
}
