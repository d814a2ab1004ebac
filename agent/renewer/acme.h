/*
 * One CA over ACME (RFC 8555): directory, account, nonces, and signed calls.
 * Every JWS comes from the front, which is told what it is for; there is no
 * key here.  The account is bound by EAB where the configuration has one.
 *
 * Orders, authorizations and their polling are the steps' (step.h).
 */
#ifndef AGENT_RENEWER_ACME_H
#define AGENT_RENEWER_ACME_H

#include "agent/config.h"
#include "agent/renewer/io.h"
#include "agent/renewer/store.h"
#include "stir/es256.h"

enum {
	ACME_NONCES = 32,
	ACME_BAD_NONCES = 8, /* tries again at once after badNonce: the next one is the CA's */
	ACME_STOP_MS = 300000, /* before the account is tried again after a definite refusal */
	ACME_META_MS = 60000,  /* a directory that lacked something is read again after that */
};

struct acme;

/* ca, io and store are borrowed and outlive it. */
enum rc acme_new(const struct config_ca *ca, const struct io *io, struct store *store,
    struct acme **out, struct fault *f) MUST_CHECK;
void acme_free(struct acme *a); /* nothing may be under way */
DEFINE_FREEP(acme);

/*
 * Is the account there?  Starts to bring it up when it is not and no wait is
 * due.  While false, acme_fault() says why (RC_OK: it is coming) and
 * acme_wake_ms() when to ask again.
 */
bool acme_ready(struct acme *a);
const struct fault *acme_fault(const struct acme *a);
int64_t acme_wake_ms(const struct acme *a);
bool acme_busy(const struct acme *a);		  /* an answer for bringing it up is due */
void acme_retry(struct acme *a);		  /* an operator wants it now: no wait */
void acme_clock_back(struct acme *a, int64_t ms); /* the clock was set back: waits end sooner */

/* The account's public key, once ready. */
struct acme_account {
	uint8_t point[P256_POINT_LEN];
	char jwk_fingerprint[FINGERPRINT_TEXT];
	char spki_fingerprint[FINGERPRINT_TEXT];
};
const struct acme_account *acme_account(const struct acme *a);

/* Borrowed, of the directory; NULL before it was read. */
const char *acme_new_order_url(const struct acme *a);

/* What an order of a series asks for (RFC 8739); lifetime_s 0: it is none. */
struct acme_series {
	int64_t lifetime_s, duration_s;
};

/*
 * Does its directory offer what orders of its section, and this one, ask for?
 * RC_DENIED acme_profile, acme_star; then the directory is read again before
 * the next order.
 */
enum rc acme_offers(
    struct acme *a, const struct acme_series *series, struct fault *f) MUST_CHECK;

/* May certificates of a series be had without the account (RFC 8739 section 3.4)? */
bool acme_star_by_get(const struct acme *a);

/*
 * "revokeCert", "keyChange" or "newAccount" of the directory, or "account", the
 * account's own URL; NULL: it names none, or it is not known yet.
 */
const char *acme_resource(const struct acme *a, const char *name);

/* Can something be carried there that needs no account?  The directory is known. */
bool acme_known(const struct acme *a);

/* The account is another one, or has another key: it is asked for again. */
void acme_restart(struct acme *a);

/*
 * Base URL of renewal information (RFC 9773 section 3).  NULL: the CA has none,
 * or it is not known yet: then its directory is read, without the account.
 */
const char *acme_renewal_info(struct acme *a);

/* What came back; borrowed for the length of the call. */
struct acme_reply {
	const struct http_answer *http; /* NULL when none came */
	const json_t *json;		/* NULL: not a JSON object */
	int64_t retry_after_s;		/* -1 without */
};
typedef void acme_done(
    void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f);

/*
 * POST what the front signs for op: its members but ca, kid, nonce and url,
 * which are added (a kid of null stays: by a key that is sent along).  badNonce is tried again here.  RC_DENIED acme_origin for
 * a URL that is not of the directory's origin.
 */
enum rc acme_call(struct acme *a, const char *url, const json_t *op, const char *accept,
    acme_done *done, void *arg, struct fault *f) MUST_CHECK;

#endif
