/*
 * A certificate from a CA, checked and put in force (protocol.md 5.7, 6.4 in
 * the words of the RFCs: RFC 8226, RFC 9060, RFC 9118, RFC 6962).
 */
#ifndef AGENT_FRONT_INSTALL_H
#define AGENT_FRONT_INSTALL_H

#include "agent/front/works.h"

enum { INSTALL_WAIT_S = 60, INSTALL_REFUSED_KEPT = 8 /* and of those before */ };

/* What is brought; borrowed. */
struct install_offer {
	struct span pem;
	const char *x5u;   /* what the CA's order names, with x5u_from = order; else NULL */
	const char *order; /* the URL of a series; else NULL */
};

/*
 * Put the chain in force for the credential whose request is outstanding; that
 * of a series is until the order's end (series.h).
 * Only RC_HSM, RC_TIMEOUT, RC_BUSY, RC_IO and RC_NO_MEMORY are worth another
 * try; everything else refuses this certificate, which is then kept as
 * refused-SERIAL.pem and recorded in the audit once, so often as allow.h lets it.
 *
 * RC_BUSY not_yet_valid: at *again_s it is in its validity, within
 * INSTALL_WAIT_S; call again then.
 *
 * *out: the credential in force, borrowed from w->set.
 */
enum rc install_chain(struct works *w, struct credset_place at,
    const struct install_offer *offer, int64_t now_s, int64_t *again_s,
    const struct credential **out, struct fault *f) MUST_CHECK;

#endif
