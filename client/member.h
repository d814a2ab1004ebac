/*
 * Members of what the agent answers, for those who print them: a member that is
 * missing, or of another type, is "" or 0.
 */
#ifndef CLIENT_MEMBER_H
#define CLIENT_MEMBER_H

#include <jansson.h>
#include <stdbool.h>

/* o's own. */
static inline const char *
member_text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s == NULL ? "" : s;
}

static inline long long
member_number(const json_t *o, const char *name)
{
	return (long long)json_integer_value(json_object_get(o, name));
}

/* A part of a divided credential that has no numbers any more: nothing is missing. */
static inline bool
member_is_empty_part(const json_t *credential)
{
	return json_is_integer(json_object_get(credential, "shard")) &&
	       member_number(credential, "numbers") == 0;
}

#endif
