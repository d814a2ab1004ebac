/*
 * PASSporT types by one table of rules, a row a ppt.  Adding a type is adding
 * a row and the checks of its claims.
 */
#ifndef STIR_PPT_H
#define STIR_PPT_H

#include "stir/profile.h"
#include "stir/tn.h"

#include <jansson.h>

enum ppt {
	PPT_BASE,
	PPT_SHAKEN, /* RFC 8588 */
	PPT_RCD,    /* RFC 9795 */
	PPT_DIV,    /* RFC 8946 */
	PPT_DIV_O,  /* RFC 8946 section 5 */
	PPT_RSP,    /* RFC 9970 */
	PPT_MSG,    /* RFC 9475 */
	PPT_RPH,    /* RFC 8443; with the claim sph of RFC 9027 */
	PPT__COUNT
};

/* Whose number the certificate must cover: protocol table of docs/STANDARDS.md. */
enum authorising { AUTHORISED_BY_ORIG, AUTHORISED_BY_DIV, AUTHORISED_BY_DEST };

/* Which PASSporTs must be supplied beside the claims, to be compared with them. */
enum answering {
	ANSWERS_NOTHING,
	ANSWERS_DIVERTED, /* those of the call that is retargeted: div, div-o */
	ANSWERS_CALL,	  /* those of the call that is answered: rsp */
};

enum iat_rule {
	IAT_FRESH,	 /* near the clock */
	IAT_OF_ORIGINAL, /* that of the PASSporT which is answered (D-21) */
};

enum {
	MKY_MAX = 16,	    /* media fingerprints */
	RPH_MAX = 16,	    /* resource priorities */
	RPH_VALUE_MAX = 64, /* bytes of one */
	DIV_HI_MAX = 64,
};

/* Checks one claim's type and syntax: RC_INVALID invalid_claim. */
typedef enum rc claim_check(const char *name, const json_t *value, struct fault *f);

/* What claims must say together, beside what each says alone. */
typedef enum rc claims_check(const json_t *claims, struct fault *f);

struct claim_rule {
	const char *name;
	bool required;
	claim_check *check;
};

struct ppt_rule {
	const char *name; /* NULL: the base PASSporT, which has no ppt */
	unsigned classes; /* 1 << enum credential_class */
	enum authorising by;
	enum answering answers;
	enum iat_rule iat;
	size_t max_dests;		 /* identities in dest; 0: as many as fit */
	bool closed;			 /* no further claim, whatever the configuration says */
	bool needs_x5u;			 /* RFC 8946 section 3 */
	bool orig_uri;			 /* orig may be a SIP URI (D-26) */
	bool speaks_for_orig;		 /* it says that the holder of orig makes the call */
	size_t least;			 /* bytes of the shortest further claims */
	claims_check *together;		 /* NULL: nothing but each alone */
	const struct claim_rule *claims; /* beside orig, dest, iat; ends with name NULL */
};

const struct ppt_rule *ppt_rule(enum ppt p);

/* "base" where there is no ppt. */
const char *ppt_text(enum ppt p);

/* "shaken, div": those that one of these classes (1 << enum credential_class) signs. */
struct ppt_names {
	char text[64];
};
struct ppt_names ppt_names(unsigned classes);

/* NULL name is the base type.  RC_INVALID unsupported_ppt. */
enum rc ppt_find(const char *name, enum ppt *out, struct fault *f) MUST_CHECK;

/* The ppt's own rule for a claim; NULL: it is not among them. */
const struct claim_rule *ppt_claim(enum ppt p, const char *name);

/*
 * May this claim ride beside the ppt's own when the configuration or the
 * certificate names it (D-51)?  Not where the type is closed, and not what
 * has a meaning in another type alone: div, opt, msgi, rph, sph, iss.
 */
bool ppt_may_carry(enum ppt p, const char *name);

/* Check a claim that rides by its own specification, where there is one. */
enum rc ppt_check_extra(const char *name, const json_t *value, struct fault *f) MUST_CHECK;

/*
 * The same by the rule of whichever type knows the claim: a value that fails
 * is in no PASSporT.
 */
enum rc ppt_check_anywhere(const char *name, const json_t *value, struct fault *f) MUST_CHECK;

/*
 * Are all resource priorities of the claims in one of these namespaces ("ets",
 * RFC 8443)?  No certificate speaks of them.  RC_DENIED rph_not_allowed.
 */
enum rc ppt_check_namespaces(
    const json_t *claims, const char *const *namespaces, size_t n, struct fault *f) MUST_CHECK;

/* orig, dest, iat: in every PASSporT. */
bool ppt_is_base_claim(const char *name);

/* Claims that a ppt's structure needs and nobody vets (D-16). */
bool ppt_is_structural(const char *name);

/* "orig", "div" or "dest". */
const char *ppt_authorising_claim(enum authorising by);

#endif
