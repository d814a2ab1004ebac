/*
 * Encompassing (RFC 9060 section 4): is what a certificate speaks for inside
 * what each certificate above it may delegate?
 *
 * Pure.  Where a parent names a provider, the numbers behind the code are in
 * no certificate: the question stays open, and policy decides (D-45).
 */
#ifndef STIR_ENCOMPASS_H
#define STIR_ENCOMPASS_H

#include "stir/chain.h"

enum encompass_mode {
	ENCOMPASS_IF_PRESENT, /* what is outside is refused, what is open passes */
	ENCOMPASS_REQUIRE,    /* only what is proven passes */
	ENCOMPASS_OFF,
};

enum encompass_verdict {
	ENCOMPASS_OUTSIDE, /* not inside a parent that lists numbers only */
	ENCOMPASS_PROVEN,  /* inside the lists of all certificates above */
	ENCOMPASS_OPEN,	   /* a parent speaks by code or by reference */
	ENCOMPASS_ABSENT,  /* no certificate above has a list */
};

struct encompass {
	const struct chain *chain;
	const struct cert *anchor;	/* above the chain; NULL: its top is the anchor */
	const struct tnset *referenced; /* the leaf's list by reference; NULL: none at hand */
	/*
	 * The leaf's codes name originating providers and are no scope (D-05,
	 * profiles of VESPER); else they are compared as well.
	 */
	bool codes_are_originators;
};

/* "if-present", "require", "off": false for another name. */
bool encompass_find(const char *name, enum encompass_mode *out);
const char *encompass_name(enum encompass_mode m);

enum encompass_verdict encompass_judge(const struct encompass *e);

/* RC_DENIED chain_scope where the mode refuses the verdict. */
enum rc encompass_allows(
    enum encompass_mode mode, enum encompass_verdict v, struct fault *f) MUST_CHECK;
/* Both in one. */
enum rc encompass_check(
    const struct encompass *e, enum encompass_mode mode, struct fault *f) MUST_CHECK;

#endif
