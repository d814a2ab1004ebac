/*
 * Can the parties outside be reached as the renewer reaches them: the same
 * transfers, TLS rules and limits, and nothing asked for.  What "vesper
 * doctor" and "vesper tenant test" cannot do themselves.
 *
 * One thread; ends by itself.
 */
#ifndef AGENT_RENEWER_PROBE_H
#define AGENT_RENEWER_PROBE_H

#include "agent/config.h"
#include "agent/renewer/httpc.h"

enum { PROBE_MAX = 1024, PROBE_PARALLEL = 32, PROBE_BODY_MAX = 65536 };

/*
 * Every CA's directory and every authority's URL of the configuration:
 * {"kind": "ca" | "authority", "name", "url", "ok", "reason", "detail"} each,
 * appended to the array.  A CA is well when it shows an ACME directory, an
 * authority when it answers at all.
 */
enum rc probe_parties(const struct config *c, json_t *list, struct fault *f) MUST_CHECK;

/* The same for one URL, with "body" where it answered 200 with text. */
enum rc probe_url(
    const char *url, const char *tls_ca, json_t *list, struct fault *f) MUST_CHECK;

#endif
