/*
 * As much of a URL as the builder needs: is it an https URL of the same
 * origin (RFC 6454 section 4: scheme, host, port) as another one?  What a
 * taken-over renewer may have signed is bound to the configured directory's
 * server by this.
 */
#ifndef AGENT_FRONT_WEBURL_H
#define AGENT_FRONT_WEBURL_H

#include "stir/fault.h"

enum { WEBURL_MAX = 2048 };

/*
 * RC_INVALID invalid_member when url is not an https URL in printable ASCII
 * without user information and fragment; RC_DENIED url_origin for another
 * origin than that of base.
 */
enum rc weburl_same_origin(const char *base, const char *url, struct fault *f) MUST_CHECK;

#endif
