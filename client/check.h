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
	struct text_list allowed, original, namespaces;
	struct text_list due;		       /* names of check_blank: what has to be judged */
	const struct originals *originals;     /* what they hold; NULL: none were given */
	struct constraints_policy constraints; /* the credential's switches, and its salts */
	bool attest_in_rsp, rcd_without_rcdi, orig_uri;
	const char *third_party_iss;	/* D-52; NULL: no third parties' rich call data */
	const char *entity_id;		/* what vper.id is (D-63); NULL: not judged */
	const char *do_not_originate;	/* OID of the extension; NULL: none known */
	const struct tnset *referenced; /* the leaf's list by reference; NULL: not at hand */
	const char *encompassing;	/* a name of encompass_find(); NULL: not judged */
	int64_t at_s;
};

/* What a request on the socket is judged by as well, and this verdict is not. */
enum check_blank {
	CHECK_PATH,	    /* to the trust anchors */
	CHECK_SCTS,	    /* timestamps of transparency logs */
	CHECK_TENANT,	    /* its numbers, callers, ppts, destinations, attestation, rate */
	CHECK_SIZE,	    /* of the Identity value (D-17) */
	CHECK_CONVEYANCE,   /* x5u or x5c: whether there is an Identity value, a div by x5u */
	CHECK_PROFILE,	    /* none was named */
	CHECK_ENCOMPASSING, /* the same */
	CHECK_ORIGINAL,	  /* what a div, div-o or rsp answers was not given, nor is it in opt */
	CHECK_NAMESPACES, /* of rph; none were named */
	CHECK_ENTITY_ID,  /* of vper; none was named */
	CHECK_CONTENT,	  /* elsewhere, whose digests in rcdi only the agent knows */
	CHECK__BLANKS
};

const char *check_blank_name(enum check_blank blank); /* "original" */
bool check_blank_find(const char *name, enum check_blank *out);

/*
 * RC_OK: the agent would sign.  profile: NULL, or one that profile_find()
 * knows.  *blanks, also when it refuses: 1 << enum check_blank for all that was
 * not judged; NULL: nobody asks.
 */
enum rc check_judge(const struct check *given, const struct chain *chain,
    struct span claims_text, unsigned *blanks, struct fault *f) MUST_CHECK;

#endif
