/*
 * What the last order of a credential asked of its CA besides the octets of
 * the request: STATE/front/tenants/T/C/ordered.json.  Chosen by the
 * configuration, written before the order is signed, compared with what the CA
 * gives, gone with the request.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_ORDERED_H
#define AGENT_FRONT_ORDERED_H

#include "agent/config.h"
#include "stir/cert.h"

enum { ORDERED_SLACK_S = 60 /* by which a CA may miss a date that was asked for */ };

/* Unix seconds; 0: the CA decides. */
struct ordered {
	int64_t not_before_s, not_after_s;
	/* Of a series (RFC 8739); star_lifetime_s 0: it is none. */
	int64_t star_end_s, star_lifetime_s, star_adjust_s;
};

/* What the configuration asks for now. */
void ordered_of(const struct config_credential *c, int64_t now_s, struct ordered *out);

/*
 * Its members of a newOrder (RFC 8555 section 7.4, RFC 8739 section 3.1.1).
 * by_get: certificates of a series may be had without the account.
 */
enum rc ordered_put(
    const struct ordered *o, bool by_get, json_t *payload, struct fault *f) MUST_CHECK;

/* Where nothing was asked for there is no file. */
enum rc ordered_write(const struct config *c, const char *tenant, const char *name,
    const struct ordered *o, struct fault *f) MUST_CHECK;
enum rc ordered_read(const struct config *c, const char *tenant, const char *name,
    struct ordered *out, struct fault *f) MUST_CHECK;
enum rc ordered_remove(
    const struct config *c, const char *tenant, const char *name, struct fault *f) MUST_CHECK;

/*
 * RFC 8555 section 7.4: a CA must not issue with other contents than those
 * requested.  RC_DENIED dates_differ: also for a certificate of a series that
 * ends after it, or lives longer than the padding of RFC 8739 section 3.5 can make it.
 */
enum rc ordered_check(
    const struct ordered *o, const struct cert *leaf, struct fault *f) MUST_CHECK;

#endif
