/*
 * The record of one revoked certificate: who it was, why, and what its CA said.
 * STATE/front/revoked/ID.json beside ID.der, the certificate; ID is the hex
 * SHA-256 of its octets.  Once the file is there the certificate does not
 * serve, whatever is in the file.
 *
 * Values and files; what is done about it is revoke.h's.  No thread of its own.
 */
#ifndef AGENT_FRONT_REVOCATION_H
#define AGENT_FRONT_REVOCATION_H

#include "agent/config.h"
#include "agent/front/credset.h"

enum {
	REVOCATION_MAX = 16384, /* remembered at once */
	REVOCATION_LISTED_MAX =
	    REVOCATION_MAX / 2, /* … of them by a CA's list; an operator's have room */
};

/* The names go to disk: append only. */
enum revocation_state {
	REVOCATION_OUTSTANDING, /* the CA has not answered yet */
	REVOCATION_DONE,
	REVOCATION_REFUSED, /* by the CA, for good: asked again when an operator does */
	REVOCATION_APART,   /* no CA is asked by this agent: an operator has to tell it */
	REVOCATION_SERIES, /* of a series: its CA was told to end that, and revokes none of it */
	REVOCATION__COUNT
};
const char *revocation_state_name(enum revocation_state s);

/*
 * The reasons of RFC 5280 section 5.3.1 that its holder can give: the others
 * are a CA's or of a hold.  false: none of these names.
 */
bool revocation_reason(const char *name, unsigned *code);
const char *revocation_reason_name(unsigned code); /* NULL: none of these */

struct revocation;
const char *revocation_by(const struct revocation *r); /* "key", "account", "crl" */

struct revocation {
	char id[CREDENTIAL_FINGERPRINT];
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	char ca[CONFIG_NAME_MAX + 1]; /* "": REVOCATION_APART */
	char serial[CERT_SERIAL_TEXT];
	unsigned reason;
	bool by_key; /* signed by the certificate's own key, not the account's */
	bool
	    listed; /* its CA's list has it or a CA of its chain (crl_ops.h); answer says which */
	bool blocks; /* it was in force: nothing is ordered before an operator says so */
	enum revocation_state state;
	int64_t not_after_s, asked_s, ended_s; /* ended_s 0: not yet */
	char answer[CREDENTIAL_PROBLEM_MAX];   /* the CA's last word, or why there is none */
	bool unrecorded;	    /* listed, out of force, and not on disk yet; in no file */
	uint8_t key_id[KEY_ID_LEN]; /* by_key and OUTSTANDING: the certificate's; in no file */
};

/* Of these octets: the file's name. */
enum rc revocation_id(
    const struct cert *leaf, char out[CREDENTIAL_FINGERPRINT], struct fault *f) MUST_CHECK;

/* Is there a record?  Also where that cannot be told: what may be revoked does not serve. */
bool revocation_there(const struct config *c, const char *id);

/* RC_IO where that cannot be told of any: a reload would take all out of force. */
enum rc revocation_readable(const struct config *c, struct fault *f) MUST_CHECK;

/* The certificate goes before the record that needs it. */
enum rc revocation_write(
    const struct config *c, const struct revocation *r, struct fault *f) MUST_CHECK;
enum rc revocation_write_cert(
    const struct config *c, const char *id, struct span der, struct fault *f) MUST_CHECK;

/* RC_INVALID revocation_file for one that is not as we write it. */
enum rc revocation_read(
    const struct config *c, const char *id, struct revocation *out, struct fault *f) MUST_CHECK;
enum rc revocation_read_cert(
    const struct config *c, const char *id, struct cert **out, struct fault *f) MUST_CHECK;

/* Both files; RC_OK also where there are none. */
enum rc revocation_remove(const struct config *c, const char *id, struct fault *f) MUST_CHECK;

/* Call back with the id of each. */
typedef enum rc revocation_each_fn(void *arg, const char *id, struct fault *f);
enum rc revocation_each(
    const struct config *c, revocation_each_fn *each, void *arg, struct fault *f) MUST_CHECK;

#endif
