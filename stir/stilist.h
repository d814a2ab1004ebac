/*
 * The list of trusted STI-CAs as the STI-PA publishes it: a JWT with the roots
 * as claim trustList (ATIS-1000080, ATIS-1000084), alone or as member caList of
 * the answer of its API.
 *
 * Pure.
 */
#ifndef STIR_STILIST_H
#define STIR_STILIST_H

#include "stir/chain.h"

enum {
	STILIST_MAX_BYTES = 262144,
	STILIST_SIGNERS_MAX = 65536, /* octets of PEM */
};

struct stilist {
	int64_t sequence, exp_s;
	struct anchors *anchors;
	uint8_t digest[32]; /* of the roots as they are listed, whoever signed when */
};

/*
 * Verify, then read.  signers is PEM of the STI-PA: a JWT with an x5c has to
 * lead to one of them at at_s; one without (its x5u is not fetched) is signed by
 * the key of one of them.  ES256 and nothing else.
 *
 * RC_INVALID list_form, malformed_json, duplicate_member, list_claim (version,
 * sequence, exp, trustList), list_empty, list_ca (a certificate that is no CA),
 * or a token of anchors_read_pem(); RC_DENIED list_signature, list_signer.
 * Whether exp is over is not asked.
 */
enum rc stilist_read(struct span text, struct span signers, int64_t at_s, struct stilist **out,
    struct fault *f) MUST_CHECK;
void stilist_free(struct stilist *l);
DEFINE_FREEP(stilist);

#endif
