/*
 * Log lines on stderr: key=value with a journald level prefix.  Only the
 * agent's shells log; never a secret or a whole telephone number.
 */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

#include "stir/fault.h"

enum log_level {
	LEVEL_ERR = 3,
	LEVEL_WARNING = 4,
	LEVEL_NOTICE = 5,
	LEVEL_INFO = 6,
	LEVEL_DEBUG = 7
};

void log_open(const char *role, enum log_level max); /* before any thread */

/* log_event(LEVEL_NOTICE, "renewed", "tenant=%s credential=%s", …): one line, one write. */
void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same with a fault: reason=… detail="…" at=file:line. */
void log_fault(enum log_level level, const char *event, const struct fault *f);

#endif
