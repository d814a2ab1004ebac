/*
 * Rich call data as a caller sends it.  What refers to content elsewhere with
 * a digest is never taken while nothing is known of it; an rcdi that is made
 * is one that is taken.
 */
#include "stir/jtext.h"
#include "stir/rcd.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static const struct rcd_contents nothing = { .n = 0 };

static void
make(const json_t *rcd)
{
	json_t *rcdi = NULL;
	json_auto_t *claims = NULL;
	struct fault f = { 0 };
	enum rc rc = rcd_make_rcdi(rcd, RCD_SHA256, NULL, 0, &rcdi, &f);

	if (rc != RC_OK)
		return;
	claims = json_pack("{s:O, s:o}", "rcd", rcd, "rcdi", rcdi);
	if (claims == NULL || rcd_check_claims(claims, &f) != RC_OK ||
	    rcd_check_content(claims, &nothing, &f) != RC_OK)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	json_auto_t *claims = NULL;
	const json_t *rcd, *rcdi;
	struct fault f = { 0 };

	if (jtext_read(span_of(data, len), &claims, &f) != RC_OK ||
	    rcd_check_claims(claims, &f) != RC_OK)
		return 0;
	rcd = json_object_get(claims, "rcd");
	rcdi = json_object_get(claims, "rcdi");
	if (rcd == NULL)
		return 0;
	if (rcdi != NULL && rcd_check_content(claims, &nothing, &f) == RC_OK &&
	    (json_object_get(rcd, "jcl") != NULL ||
		uri_kind_of(json_object_get(rcd, "icn")) == URI_CONTENT))
		abort();
	make(rcd);
	return 0;
}
