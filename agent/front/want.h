/*
 * What the configuration asks a CA for: the octets of the TNAuthList and of
 * the claim constraints of one credential.
 */
#ifndef AGENT_FRONT_WANT_H
#define AGENT_FRONT_WANT_H

#include "agent/config.h"
#include "stir/cert.h"

/*
 * Both extensions together: more does not fit into a message to the renewer
 * once a JWS has wrapped it in base64 twice (agent/channel.h).
 */
enum { WANT_MAX_DER = 65536 };

struct want {
	struct buf tnauth_der;
	struct buf constraints_der; /* len 0: none */
	enum constraints_form form;
};

/*
 * RC_INVALID no_numbers when the tenant has none, too_many_numbers when they
 * do not fit into one certificate.
 */
enum rc want_of(const struct config_tenant *t, const struct config_credential *c,
    struct want *out, struct fault *f) MUST_CHECK;
/* The same with these numbers (NULL: none); of one that is divided, narrow_want() knows them. */
enum rc want_these(const struct config_credential *c, const struct tnset *numbers,
    struct want *out, struct fault *f) MUST_CHECK;
void want_done(struct want *w);

/*
 * The numbers alone, without those that a window gathers still; NULL: the
 * tenant has none.  *made is theirs where they had to be made, else untouched.
 */
enum rc want_set(const struct config_tenant *t, const struct config_credential *c,
    const struct tnset **out, struct tnset **made, struct fault *f) MUST_CHECK;

enum { WANT_DOMAIN_MAX = 253 };

/*
 * The domain that a CA is asked to bind, in lower case: the host of x5u (D-49)
 * in profile domain, where the CA's section says how it is proven, or where no
 * ACME server is asked.  "": none.
 */
void want_domain(const struct config *config, const struct config_credential *c,
    char out[WANT_DOMAIN_MAX + 1]);

/*
 * May these octets be ordered?  The TNAuthList is what is wanted, octet by
 * octet; the constraints (len 0: none) are equal or narrower.  RC_DENIED
 * tnauthlist_not_wanted, constraints_wider, constraints_not_wanted.
 */
enum rc want_allows(const struct want *w, const struct config_credential *c,
    struct span tnauth_der, struct span constraints_der, struct fault *f) MUST_CHECK;

/* The same question about a certificate. */
bool want_met(const struct want *w, const struct config_credential *c, const struct cert *leaf);

#define AUTO_WANT __attribute__((cleanup(want_done))) struct want
#define WANT_INIT \
	{ \
		.tnauth_der = BUF_INIT(WANT_MAX_DER), \
		.constraints_der = BUF_INIT(WANT_MAX_DER) \
	}

#endif
