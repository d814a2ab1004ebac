/*
 * Signed certificate timestamps (RFC 6962) embedded in a leaf, checked
 * against a configured list of logs in the shape of the browser list v3.
 */
#ifndef STIR_SCT_H
#define STIR_SCT_H

#include "stir/cert.h"

enum { SCT_MAX_LOGS = 256, SCT_MAX_LIST = 16 };

struct ctlogs; /* immutable */

/*
 * {"operators":[{"name","logs":[{"key","log_id","state","temporal_interval"}]}]}.
 * key is the base64 SPKI; state usable, qualified and readonly count, pending,
 * retired and rejected do not.  One entry that cannot be read refuses the
 * list: RC_INVALID ctlogs, base64, malformed_json.
 */
enum rc ctlogs_read(struct span json, struct ctlogs **out, struct fault *f) MUST_CHECK;
void ctlogs_free(struct ctlogs *l);
DEFINE_FREEP(ctlogs);
size_t ctlogs_len(const struct ctlogs *l);

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

#endif
