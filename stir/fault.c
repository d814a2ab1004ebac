#include "stir/fault.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *token;
	int status;
} reasons[] = {
#define X(name, token, status) [REASON_##name] = { token, status },
	REASONS(X)
#undef X
};
static_assert(ARRAY_LEN(reasons) == REASON__COUNT, "a row per reason");

static const char *const rc_names[] = {
	[RC_OK] = "ok",
	[RC_INVALID] = "invalid",
	[RC_DENIED] = "denied",
	[RC_NOT_FOUND] = "not_found",
	[RC_EXPIRED] = "expired",
	[RC_CONFLICT] = "conflict",
	[RC_BUSY] = "busy",
	[RC_TIMEOUT] = "timeout",
	[RC_HSM] = "hsm",
	[RC_IO] = "io",
	[RC_NET] = "net",
	[RC_NO_MEMORY] = "no_memory",
	[RC_BUG] = "bug",
};
static_assert(ARRAY_LEN(rc_names) == RC__COUNT, "a name per code");

const char *
rc_name(enum rc rc)
{
	assert(rc < RC__COUNT);
	return rc_names[rc];
}

const char *
reason_token(enum reason r)
{
	assert(r < REASON__COUNT);
	return reasons[r].token;
}

int
reason_status(const char *token)
{
	for (size_t i = 0; i < REASON__COUNT; i++) {
		if (strcmp(reasons[i].token, token) == 0)
			return reasons[i].status;
	}
	return 500;
}

bool
fault_is(const struct fault *f, enum reason r)
{
	return strcmp(f->reason, reason_token(r)) == 0;
}

enum rc
fault_set(struct fault *f, enum rc rc, const char *reason, const char *claim, const char *where,
    const char *fmt, ...)
{
	va_list ap;

	assert(rc != RC_OK);
	if (f == NULL || f->rc != RC_OK)
		return rc;
	f->rc = rc;
	f->where = where;
	snprintf(f->reason, sizeof f->reason, "%s", reason);
	snprintf(f->claim, sizeof f->claim, "%s", claim != NULL ? claim : "");
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof f->detail, fmt, ap);
	va_end(ap);
	return rc;
}

enum rc
fault_openssl(
    struct fault *f, enum rc rc, const char *reason, const char *where, const char *what)
{
	/* The first error in the queue is the origin; the later ones only add context. */
	unsigned long code = ERR_get_error();
	char text[120] = "no error recorded";

	if (code != 0)
		ERR_error_string_n(code, text, sizeof text);
	ERR_clear_error();
	return fault_set(f, rc, reason, NULL, where, "%s: %s", what, text);
}
