/*
 * Authority tokens: ask a number authority or claim agent for one (RFC 9448
 * section 5.5, the STI-PA dialect of it), or take one that came otherwise, and
 * say before it is used whether the CA will take it.
 *
 * A token is never logged.
 */
#ifndef AGENT_RENEWER_AUTHTOK_H
#define AGENT_RENEWER_AUTHTOK_H

#include "agent/config.h"
#include "agent/renewer/acme.h"
#include "stir/authtoken.h"

/* The type of identifier and of token for numbers (RFC 9448 section 3); others are the CA's. */
#define AUTHTOK_TNAUTHLIST "TNAuthList"

enum {
	AUTHTOK_MAX = 65536,
	AUTHTOK_MARGIN_S = 5, /* one that expires sooner is not used */
};

/* What is wanted.  All borrowed until done() was called. */
struct authtok_want {
	const struct config_authority *authority;
	const char *tktype; /* the identifier type of the order */
	struct span der;    /* TNAuthList or constraints asked for */
	bool constraints;
	enum constraints_form form; /* of the constraints */
	const struct acme_account *account;
	const char *evidence; /* TNAuthList token for the claim agent (V-89), or NULL */
	const struct anchors *anchors; /* signers of tokens; NULL: the chain is not judged */
	bool unjudged; /* it is for a report: what comes is granted as it is, without der */
};

/* What came.  The receiver may move the members out, leaving zeros. */
struct authtok_grant {
	char *token;	   /* wiped when freed */
	struct buf signer; /* PEM behind the header's x5u; empty: the header has x5c */
	struct buf der;	   /* tkvalue: for constraints perhaps narrower than asked */
	int64_t exp_s;
};
void authtok_grant_done(struct authtok_grant *g);

/*
 * grant is NULL unless rc is RC_OK; retry_after_s is -1 without the header.
 * RC_DENIED AUTHTOK_REFUSED: the authority says that this account may not have
 * a token for these numbers (RFC 9448 section 5.5), and nothing else than that.
 */
#define AUTHTOK_REFUSED "rtu_refused"
typedef void authtok_done(void *arg, enum rc rc, struct authtok_grant *grant,
    const struct fault *f, int64_t retry_after_s);

/*
 * Asks its authority; done() comes later, once for an RC_OK here.  What is
 * wrong before anything is sent: RC_DENIED, RC_NO_MEMORY, and io's.
 */
enum rc authtok_request(const struct io *io, const struct authtok_want *want,
    authtok_done *done, void *arg, struct fault *f) MUST_CHECK;

/*
 * A token that is here already: pushed, in a file, or of a command.  With
 * *waiting done() comes later (its signer's certificate is fetched); else it
 * was judged and *out is the grant.
 */
enum rc authtok_given(const struct io *io, const struct authtok_want *want, struct span token,
    authtok_done *done, void *arg, bool *waiting, struct authtok_grant *out,
    struct fault *f) MUST_CHECK;

/*
 * "{url}/at/account/{account}/token", in the sti-pa dialect
 * "{url}/api/v1/account/{account}/token", with the account percent-encoded.
 */
enum rc authtok_url(
    struct buf *out, const struct config_authority *a, struct fault *f) MUST_CHECK;

/* The body of the request in the authority's dialect (D-28 … D-30). */
enum rc authtok_body(
    struct buf *out, const struct authtok_want *want, struct fault *f) MUST_CHECK;

/*
 * Will the CA take this token for what is wanted?  A TNAuthList must be equal
 * in DER; constraints equal or narrower.  RC_DENIED with a reason of
 * authtoken_check(), authtok_issuer, authtok_numbers or authtok_wider;
 * RC_EXPIRED, also where it is about to.  x5u_chain: what the header's x5u led to, else NULL.
 */
enum rc authtok_judge(const struct authtok_want *want, struct span jwt,
    const struct chain *x5u_chain, int64_t now_s, struct authtok_grant *out,
    struct fault *f) MUST_CHECK;

#endif
