/*
 * Where one credential's renewal stands: what is written to
 * STATE/renewer/orders before it is acted on.  Values and bytes only; store.c
 * does the disk.  No token, key or certificate is in it.
 */
#ifndef AGENT_RENEWER_RECORD_H
#define AGENT_RENEWER_RECORD_H

#include "agent/config.h"
#include "agent/renewer/io.h"
#include "agent/renewer/problem.h"
#include "stir/cert.h"

/* In the order they normally happen.  The names go to disk: append only. */
#define RENEW_STATES(X) \
	X(IDLE, "idle")		  /* waiting for the due time */ \
	X(TOKEN, "token")	  /* authority token for the TNAuthList */ \
	X(CLAIMS, "claims-token") /* authority token for the constraints */ \
	X(ORDER, "order")	  /* newOrder */ \
	X(CHALLENGE, "challenge") /* answer every authorization, look until it is valid */ \
	X(CSR, "csr")		  /* the front makes key and request */ \
	X(FINALIZE, "finalize") \
	X(POLL, "poll")		/* look until the certificate is issued */ \
	X(DOWNLOAD, "download") /* fetch the chain */ \
	X(INSTALL, "install")	/* the front checks it and puts it in force */ \
	X(ISSUE, "issue")   /* request, chain of a command, install: for CAs without ACME */ \
	X(SERIES, "series") /* a look at a series' certificate, install where it is another */

enum renew_state {
#define X(name, text) RENEW_##name,
	RENEW_STATES(X)
#undef X
	    RENEW__COUNT
};

const char *renew_state_name(enum renew_state s); /* "claims-token" */

enum { RECORD_AUTHZ_MAX = 4, RECORD_VALUE_MAX = 65536, RECORD_HASH = 2 * 32 + 1 };

/* Certificates that the CA renews by itself (RFC 8739). */
struct record_series {
	char *order, *certificate; /* URLs; NULL: there is none */
	int64_t end_s;
	bool get;   /* also without the account */
	bool fresh; /* nothing of it was installed yet */
};

struct record {
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	enum renew_state state;
	unsigned attempt;		      /* failures in a row that may pass */
	unsigned alarms;		      /* failures in a row that do not */
	int64_t wake_ms;		      /* nothing before this moment; 0: at once */
	char asked[RECORD_HASH];	      /* hash of what the plan asked for */
	char replacing[CERT_SERIAL_TEXT];     /* serial in force when it began, "" none */
	char installed[CERT_SERIAL_TEXT];     /* the last serial that came of asked, "" none */
	char *constraints;		      /* base64url DER as ordered, NULL: none */
	char *order, *finalize, *certificate; /* URLs, NULL: not yet */
	char *x5u; /* what the order names, where that is asked for; NULL: none */
	char *authz[RECORD_AUTHZ_MAX];
	size_t authzs;
	int64_t expires_s;  /* of the order, 0: unknown */
	int64_t auto_end_s; /* the order begins a series, until then; 0: it does not */
	bool auto_get;
	struct record_series series;
	char problem[PROBLEM_TEXT];
	int64_t failing_s; /* since when there is one; 0: none, or not known */
};

/* A fresh one, idle. */
void record_init(struct record *r, const char *tenant, const char *name);
void record_done(struct record *r);

/* A copy of text in the place of *member, which it frees.  RC_NO_MEMORY: it stays. */
enum rc record_set(char **member, const char *text, struct fault *f) MUST_CHECK;

/* Forget the order, keep the rest. */
void record_drop_order(struct record *r);
void record_drop_series(struct record *r);

/* Base name of its file: "T.C", with "." of the tenant as "%", so that no two share it. */
void record_file(char out[2 * CONFIG_NAME_MAX + 2], const char *tenant, const char *name);

/* RC_NO_MEMORY, or RC_INVALID when it is larger than a file may be. */
enum rc record_write(struct buf *out, const struct record *r, struct fault *f) MUST_CHECK;

/*
 * Read what record_write() wrote; *r is initialised, for tenant and name.
 * RC_INVALID record: another credential's, an unknown member, a value out of
 * bounds, or a state without the URLs that it needs.
 */
enum rc record_read(struct record *r, struct span text, struct fault *f) MUST_CHECK;

/* An https URL of at most HTTP_URL_MAX bytes, without white space, user or fragment. */
bool url_is_https(const char *url);
/* The same scheme, host and port, octet for octet. */
bool url_same_origin(const char *a, const char *b);

#endif
