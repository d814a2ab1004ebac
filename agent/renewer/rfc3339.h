/* Moments as others write them (RFC 3339 section 5.6).  Pure. */
#ifndef AGENT_RENEWER_RFC3339_H
#define AGENT_RENEWER_RFC3339_H

#include <stdint.h>

/*
 * Unix seconds of a date-time with its offset; fractions are dropped.  0: not
 * one, before 1970, or NULL.
 */
int64_t rfc3339_s(const char *text);

#endif
