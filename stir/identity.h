/*
 * The SIP Identity header field value (RFC 8224 section 4).
 */
#ifndef STIR_IDENTITY_H
#define STIR_IDENTITY_H

#include "stir/buf.h"

/* passport ";info=<" info ">;alg=ES256" [";ppt=" ppt]  (D-18, D-19) */
enum rc identity_format(struct buf *out, struct span passport, const char *info,
    const char *ppt, struct fault *f) MUST_CHECK;

/* What stands behind the PASSporT there: ";info=<" and so on. */
enum rc identity_tail(
    struct buf *out, const char *info, const char *ppt, struct fault *f) MUST_CHECK;

struct identity {
	struct span passport; /* borrows from the input */
	struct span info;     /* without the angle brackets */
	struct span alg;      /* empty when absent */
	struct span ppt;      /* without quotes; empty when absent */
	bool compact;	      /* the PASSporT is "..signature" */
};
/* Both spellings of ppt are taken.  RC_INVALID identity_syntax, identity_duplicate. */
enum rc identity_parse(struct span text, struct identity *out, struct fault *f) MUST_CHECK;

#endif
