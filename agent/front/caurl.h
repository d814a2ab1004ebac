/*
 * The x5u that a CA names in an order (RFC 9448 section 7), for credentials
 * with x5u_from = order: the form that it must have (D-61), and the note of it,
 * STATE/front/tenants/T/C/x5u-FINGERPRINT.  That it serves the chain the
 * renewer has seen; this process reaches no network.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_CAURL_H
#define AGENT_FRONT_CAURL_H

#include "agent/config.h"
#include "agent/front/store.h"

enum { CAURL_MAX = 2048 };
#define CAURL_PREFIX "x5u-"

/*
 * A file below the directory that the operator named: a renewer that was taken
 * over, or a CA, cannot send verifiers anywhere else.  RC_DENIED x5u_form.
 */
enum rc caurl_check(
    const struct config_credential *c, const char *url, struct fault *f) MUST_CHECK;

/* Where the URL of the leaf with this fingerprint is noted. */
enum rc caurl_path(const struct config *c, const char *tenant, const char *name,
    const char *fingerprint, struct store_path *out, struct fault *f) MUST_CHECK;

/* Append it.  RC_NOT_FOUND; RC_DENIED x5u_form where the operator names another directory now. */
enum rc caurl_read(const struct config *c, const char *tenant, const char *dir,
    const struct config_credential *cc, const char *fingerprint, struct buf *out,
    struct fault *f) MUST_CHECK;

#endif
