/*
 * The entries of a transparency log (RFC 6962 sections 3.4 and 4.6): the
 * answer to get-entries, and the certificate that a leaf is about.
 *
 * Pure.
 */
#ifndef STIR_CTENTRY_H
#define STIR_CTENTRY_H

#include "stir/cert.h"
#include "stir/merkle.h"

enum { CTENTRY_PAGE = 256, CTENTRY_JSON_MAX = 8 * 1024 * 1024 };

/* The leaves of one answer, as octets. */
struct ctentry_list {
	struct buf octets; /* one after the other */
	size_t len;
	struct {
		size_t at, len; /* in octets */
	} leaf[CTENTRY_PAGE];
};

/*
 * RC_INVALID ct_entries: no such list, an empty one, or more than max entries.
 * What is not in the leaf (extra_data) is not of the tree and not looked at.
 */
enum rc ctentry_read(
    struct span json, size_t max, struct ctentry_list *out, struct fault *f) MUST_CHECK;
void ctentry_done(struct ctentry_list *l);
struct span ctentry_leaf(const struct ctentry_list *l, size_t i);

struct ctentry {
	int64_t time_ms;
	bool precert; /* body is a TBSCertificate without poison and SCTs, else a certificate */
	struct span body; /* borrowed */
};

/* One MerkleTreeLeaf, to its last octet.  RC_INVALID ct_leaf. */
enum rc ctentry_decode(struct span leaf, struct ctentry *out, struct fault *f) MUST_CHECK;

/*
 * Its facts as cert_decode() has them.  Of a precertificate nothing is there
 * that would verify: the signature is that of nobody.
 */
enum rc ctentry_cert(
    const struct ctentry *e, bool all_nines, struct cert **out, struct fault *f) MUST_CHECK;

/* Does it name the extension TNAuthList anywhere?  For what ctentry_cert() refuses. */
bool ctentry_names_tnauth(const struct ctentry *e);

#endif
