#include "agent/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stir/text.h"

enum { LINE_MAX_LEN = 1024, ROLE_MAX = 16 };

/* Set once before any thread; only read afterwards. */
static char log_role[ROLE_MAX] = "vesper";
static enum log_level log_max = LEVEL_INFO;

void
log_open(const char *role, enum log_level max)
{
	snprintf(log_role, sizeof log_role, "%s", role);
	log_max = max;
}

/* One write a line, so that the lines of several processes do not mix. */
static void
emit(char *line, size_t used)
{
	int saved = errno;
	ssize_t n;

	if (used > LINE_MAX_LEN - 2)
		used = LINE_MAX_LEN - 2;
	while (used > 0 && line[used - 1] == ' ')
		used--;
	line[used] = 0;
	/* What a peer or a file sent must not start a line of its own or move the cursor. */
	text_flatten(line);
	line[used] = '\n';
	do
		n = write(STDERR_FILENO, line, used + 1);
	while (n < 0 && errno == EINTR);
	errno = saved;
}

static size_t
head(char line[LINE_MAX_LEN], enum log_level level, const char *event)
{
	int n =
	    snprintf(line, LINE_MAX_LEN, "<%d>role=%s event=%s", (int)level, log_role, event);

	return n < 0 ? 0 : (size_t)n;
}

void
log_event(enum log_level level, const char *event, const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	size_t used;
	va_list ap;
	int n;

	if (level > log_max)
		return;
	used = head(line, level, event);
	if (used >= LINE_MAX_LEN - 2 || fmt[0] == 0) {
		emit(line, used);
		return;
	}
	line[used++] = ' ';
	va_start(ap, fmt);
	n = vsnprintf(line + used, LINE_MAX_LEN - used, fmt, ap);
	va_end(ap);
	emit(line, n < 0 ? used : used + (size_t)n);
}

/* The detail stands in quotes: its own become apostrophes. */
static void
unquote(char *out, size_t size, const char *in)
{
	snprintf(out, size, "%s", in);
	for (char *p = strchr(out, '"'); p != NULL; p = strchr(p, '"'))
		*p = '\'';
}

void
log_fault(enum log_level level, const char *event, const struct fault *f)
{
	char detail[sizeof f->detail];

	unquote(detail, sizeof detail, f->detail);
	log_event(level, event, "rc=%s reason=%s detail=\"%s\" at=%s", rc_name(f->rc),
	    f->reason[0] != 0 ? f->reason : "none", detail,
	    f->where != NULL ? f->where : "unknown");
}
