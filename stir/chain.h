/*
 * Certificate chains: leaf first, and the path to an anchor (RFC 5280
 * section 6, RFC 8226 section 10, RFC 9060 section 7).
 */
#ifndef STIR_CHAIN_H
#define STIR_CHAIN_H

#include "stir/cert.h"

enum {
	CHAIN_MAX = 8,
	CHAIN_MAX_BYTES = 262144,
	ANCHORS_MAX = 256,
	ANCHORS_MAX_BYTES = 1048576,
};

struct chain {
	struct cert *cert[CHAIN_MAX]; /* [0] is the leaf */
	size_t len;
};

/*
 * PEM text with nothing but certificates (and white space or comments between).
 * RC_INVALID chain_pem, chain_empty, chain_limit, or a token of cert_decode().
 */
enum rc chain_read_pem(
    struct span pem, bool all_nines, struct chain **out, struct fault *f) MUST_CHECK;
/* The x5c member of a JOSE header: array of standard base64 DER.  RC_INVALID chain_x5c. */
enum rc chain_read_x5c(const json_t *x5c, struct chain **out, struct fault *f) MUST_CHECK;
enum rc chain_write_pem(struct buf *out, const struct chain *c, struct fault *f) MUST_CHECK;
void chain_free(struct chain *c);
DEFINE_FREEP(chain);

/* Trust anchors: self-contained, immutable, shareable between threads. */
struct anchors;
enum rc anchors_read_pem(struct span pem, struct anchors **out, struct fault *f) MUST_CHECK;
/* All of a, and of b: one that both have counts once.  RC_INVALID chain_limit. */
enum rc anchors_join(const struct anchors *a, const struct anchors *b, struct anchors **out,
    struct fault *f) MUST_CHECK;
void anchors_free(struct anchors *a);
DEFINE_FREEP(anchors);

/*
 * Does the chain, in its own order and without a certificate to spare, lead to
 * an anchor?  By name and AKI/SKI, CA flags, keyUsage, pathLen, signature
 * algorithms (ECDSA P-256/384 with SHA-256/384, RSA >= 2048 with SHA-256:
 * D-56), name constraints, no unknown critical extension, validity of every
 * certificate at at_s, subject of the leaf P-256.  Anchors may be
 * intermediates; a leaf that is itself an anchor is trusted as it stands.
 *
 * RC_EXPIRED chain_validity; RC_DENIED chain_path (no anchor, a signature),
 * chain_order, chain_algorithm, chain_ca, chain_leaf_ca, chain_usage (the
 * leaf's keyUsage), chain_critical.
 *
 * *issuer (may be NULL) is the certificate above the leaf, borrowed from the
 * chain or the anchors: what an SCT is checked against.  NULL where the leaf
 * is itself an anchor.
 */
enum rc chain_verify(const struct chain *c, const struct anchors *a, int64_t at_s,
    const X509 **issuer, struct fault *f) MUST_CHECK;

/*
 * The anchor that stands above a chain which chain_verify() accepted; NULL
 * where the last of the chain is itself an anchor.  Borrowed from a.
 */
const struct cert *chain_anchor(const struct chain *c, const struct anchors *a);

/* May it sign certificates and revocation lists with its key: RSA from 2048 bits, P-256, P-384? */
bool chain_key_allowed(const struct cert *c);

/* The validity that all certificates of the chain share. */
void chain_validity(const struct chain *c, int64_t *not_before_s, int64_t *not_after_s);

#endif
