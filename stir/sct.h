/*
 * Signed certificate timestamps (RFC 6962) embedded in a leaf, checked
 * against a configured list of logs.
 */
#ifndef STIR_SCT_H
#define STIR_SCT_H

#include "stir/cert.h"
#include "stir/ctlogs.h"
#include "stir/merkle.h"

enum { SCT_MAX_LIST = 16 };

struct sct_result {
	size_t present;	  /* SCTs in the leaf */
	size_t valid;	  /* from distinct usable logs */
	size_t operators; /* distinct operators among those */
	size_t unknown;	  /* of logs that are not listed or not usable */
	size_t future;	  /* timestamp after now */
	size_t invalid;	  /* signature does not verify */
};

/*
 * Count the SCTs of leaf.  RC_INVALID "sct_list" when the list does not
 * decode, RC_DENIED "sct_future" for a timestamp in the future (an AS MUST
 * reject it; *out is filled then too), sct_issuer where there are SCTs but
 * issuer is NULL.  Having too few is the caller's policy.
 */
enum rc sct_check(const struct cert *leaf, const X509 *issuer, const struct ctlogs *logs,
    int64_t now_ms, struct sct_result *out, struct fault *f) MUST_CHECK;

/* What the log of one SCT promised to have in its tree: the leaf's hash, and from when. */
struct sct_promise {
	uint8_t log_id[CTLOG_ID_LEN];
	int64_t time_ms;
	uint8_t leaf[MERKLE_HASH];
};

/*
 * The promises of all SCTs of leaf (RFC 6962 section 3.4: the entry is the
 * precertificate's), of which nothing is checked but their form: what
 * sct_check() has passed.  RC_INVALID sct_list.
 */
enum rc sct_promises(const struct cert *leaf, const X509 *issuer,
    struct sct_promise out[SCT_MAX_LIST], size_t *n, struct fault *f) MUST_CHECK;

/*
 * One signature of a log as TLS writes it (RFC 5246 section 4.7: hash,
 * algorithm, vector) over data.  false also where it is of another form.
 */
bool sct_signed_by(const struct ctlog *log, struct span digitally_signed, struct span data);

#endif
