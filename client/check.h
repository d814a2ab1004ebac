/*
 * The decision of "vesper check": claims, a certificate, a ppt, a profile.
 * Not its arguments nor its output; the batch judge of tests/oracle calls the
 * same function.  One thread; nothing is kept.
 */
#ifndef CLIENT_CHECK_H
#define CLIENT_CHECK_H

#include "client/cli.h"
#include "stir/encompass.h"

#include <stdint.h>

struct check {
	const char *cert, *claims, *ppt, *profile;
	struct text_list allowed, original;
	const struct originals *originals; /* what they hold; NULL: none were given */
	bool third_party_rcd;
	const struct salts *salts;    /* committed values are asserted with them; NULL: never */
	const char *do_not_originate; /* OID of the extension; NULL: none known */
	const struct tnset *referenced; /* the leaf's list by reference; NULL: not at hand */
	const char *encompassing;	/* a name of encompass_find(); NULL: not judged */
	int64_t at_s;
};

/* RC_OK: the agent would sign.  profile: NULL, or one that profile_find() knows. */
enum rc check_judge(const struct check *c, const struct chain *chain, struct span claims_text,
    struct fault *f) MUST_CHECK;

#endif
