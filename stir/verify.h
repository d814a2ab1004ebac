/*
 * The verification service's steps (RFC 8224 section 6.2, protocol order of
 * docs/STANDARDS.md) with a verdict for each.  Nothing is fetched.
 */
#ifndef STIR_VERIFY_H
#define STIR_VERIFY_H

#include "stir/encompass.h"
#include "stir/original.h"
#include "stir/sct.h"

enum verdict { VERDICT_SKIPPED, VERDICT_PASS, VERDICT_WARN, VERDICT_FAIL };

enum verify_step {
	VERIFY_PARSE,	   /* Identity value or bare PASSporT, strict JOSE */
	VERIFY_CONVEYANCE, /* x5c, or the chain that the caller supplied */
	VERIFY_INFO,	   /* info equals x5u, ppt parameter equals ppt */
	VERIFY_PATH,	   /* chain to an anchor, validity */
	VERIFY_FRESHNESS,  /* iat */
	VERIFY_SIGNATURE,
	VERIFY_AUTHORITY, /* TNAuthList covers orig, or one SPC with shaken */
	VERIFY_CONSTRAINTS,
	VERIFY_SCT,
	VERIFY_CLAIMS,	   /* the ppt's claims */
	VERIFY_ORIGINAL,   /* div, div-o, rsp: the PASSporTs that it answers */
	VERIFY_SIGNALLING, /* orig and dest against --from and --to */
	VERIFY_ORIGINATOR, /* is the provider one of those that the certificate names? */
	VERIFY__COUNT
};

struct verify_input {
	struct span token;	       /* Identity value or PASSporT */
	const struct anchors *anchors; /* NULL: path is skipped and the result cannot pass */
	const struct ctlogs *ctlogs;   /* NULL: SCTs are skipped */
	const struct chain *chain;     /* used where the header has no x5c; may be NULL */
	const struct tn *from, *to;    /* from signalling; may be NULL */
	const struct salts *salts;     /* that were disclosed to the verifier; may be NULL */
	int64_t at_s;
	unsigned min_scts;
	/*
	 * What a div, div-o or rsp answers, read from the same call; NULL: not
	 * supplied, which leaves that step out, but for what is in opt.
	 */
	const struct originals *originals;
	/* Their chains, where they have no x5c; may be NULL, as in original.h. */
	const struct chain *(*known)(void *arg, struct span x5u);
	void *arg;
	bool alone;			  /* not even opt is looked into */
	bool to_failure;		  /* the steps behind one that fails are left out */
	enum encompass_mode encompassing; /* D-45 */
	bool codes_are_scope;		  /* those beside numbers: not in profiles of VESPER */
	const struct tnset *referenced;	  /* the leaf's list by reference; NULL: not at hand */
	const char *osp_spc;		  /* the provider that originated (V-74); may be NULL */
};

struct verify_result {
	struct {
		enum verdict verdict;
		char detail[160];
	} step[VERIFY__COUNT];
	bool pass;
	bool answers;		 /* an rsp that was compared with what it answers */
	bool diverted;		 /* the call was: dest is not that of its first (D-37) */
	int code;		 /* 0, or the SIP code: 403, 428, 436, 437, 438 */
	json_t *header, *claims; /* owned; NULL when they did not parse */
	struct chain *chain;	 /* owned; NULL likewise */
};

const char *verify_step_name(enum verify_step s);
const char *verdict_name(enum verdict v);

/* RC_OK whenever a verdict was reached, pass or fail; else RC_NO_MEMORY. */
enum rc verify_passport(
    const struct verify_input *in, struct verify_result *out, struct fault *f) MUST_CHECK;
void verify_done(struct verify_result *r);

#endif
