/*
 * Proving a domain to a CA (RFC 8555 section 8): which of its challenges is
 * met, and what the operator's command is told.  Pure; the command is run by
 * step_challenge.c.
 */
#ifndef AGENT_RENEWER_DOMAIN_H
#define AGENT_RENEWER_DOMAIN_H

#include "agent/config.h"
#include "stir/es256.h"

#include <jansson.h>

enum {
	DOMAIN_TOKEN_MIN = 22, /* 128 bits in base64url */
	DOMAIN_TOKEN_MAX = 256,
	DOMAIN_TASK_MAX = 4096,
};

enum domain_action { DOMAIN_PRESENT, DOMAIN_CLEANUP };

struct domain_proof {
	enum domain_challenge how;
	const char *domain, *token;
	const uint8_t *point; /* the account's key, P256_POINT_LEN */
};

/*
 * Append what the command reads: a JSON object of action, type, domain,
 * token, key_authorization, and path (http-01) or record and value (dns-01).
 * RC_DENIED acme_challenge for a token that is not base64url of 128 bits or
 * more: it becomes the name of a file.
 */
enum rc domain_task(struct buf *out, enum domain_action action, const struct domain_proof *p,
    struct fault *f) MUST_CHECK;

#endif
