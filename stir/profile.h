/*
 * Credential classes and profiles (D-01): which rules a certificate and its
 * PASSporTs follow.  One row a profile; there is no default.
 */
#ifndef STIR_PROFILE_H
#define STIR_PROFILE_H

#include "stir/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* The revision of draft-wendt-stir-vesper that PROFILE_VESPER_06 implements. */
#define VESPER_DRAFT "draft-wendt-stir-vesper-06"

enum credential_class {
	CLASS_DELEGATE, /* telephone numbers in the certificate */
	CLASS_SP,	/* exactly one service provider code */
};

enum conveyance { CONVEY_X5U = 1, CONVEY_X5C = 2, CONVEY_BOTH = 3 };

enum profile {
	PROFILE_SHAKEN_SP,
	PROFILE_ATIS_DELEGATE,
	PROFILE_VESPER_05,
	PROFILE_VESPER_06,
	PROFILE_DOMAIN,
	PROFILE__COUNT
};

/* For messages. */
#define PROFILE_NAMES "shaken-sp, atis-delegate, vesper-05, vesper-06 or domain"

struct profile_rule {
	const char *name; /* "vesper-06" */
	enum credential_class cls;
	enum conveyance convey;	    /* default of the profile */
	bool x5c_required;	    /* V-03 */
	unsigned min_scts;	    /* valid SCTs from usable logs */
	int64_t max_lifetime_s;	    /* refused above (V-12); 0: no limit */
	int64_t warn_lifetime_s;    /* warned above; 0: never */
	bool vetted_claims;	    /* D-16: every further claim must be named */
	bool constraints_wanted;    /* V-15: warned without a constraints extension */
	bool attest_in_rsp;	    /* D-38: may be switched on; no meaning elsewhere */
	bool codes_are_originators; /* D-45: of VESPER; a leaf's codes are no scope */
	bool domain_bound;	    /* D-49: exactly one dNSName, the host of the x5u */
};

const struct profile_rule *profile_rule(enum profile p);
const struct profile_rule *profile_find(const char *name); /* NULL when unknown */

#endif
