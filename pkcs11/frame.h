/*
 * The frames between the front and the token's processes: fixed size, binary,
 * one per SOCK_SEQPACKET datagram, in host byte order (both ends are the same
 * build on the same host; version says so).
 *
 * The front asks, the token process answers, each request once, in any order.
 * A process introduces itself by one HELLO answer with request id 0 when it
 * is ready to serve (logged in, keys found).
 */
#ifndef PKCS11_FRAME_H
#define PKCS11_FRAME_H

#include <stdint.h>

enum {
	FRAME_VERSION = 5,
	FRAME_KEY_ID = 32,
	FRAME_BODY = 96,
	FRAME_MAX_MADE = 16,
	FRAME_BATCH = 16,
	FRAME_OWNER = 8, /* the beginning of a batch: the installation that makes it */
};

enum frame_op {
	FRAME_HELLO = 1, /* answer only: body = struct frame_hello */
	FRAME_SIGN,	 /* signer: digest of a PASSporT; admin: digest of a CSR or ACME JWS.
			    body = 32-byte digest -> 64-byte r||s */
	FRAME_LEARN,	 /* signer: body = 65-byte point; find the key, prove it lazily */
	FRAME_FORGET,	 /* signer: drop a key from the map */
	FRAME_STATS,	 /* -> struct frame_stats */
	/*
	 * admin: new P-256 key -> 65-byte point, key_id = its id.  body[0]:
	 * so many more in the same go, less than FRAME_MAX_MADE; an answer
	 * each, until there is one that is not OK.  Then FRAME_BATCH bytes: the
	 * keys are called by them from the moment that they are there (zeros: by
	 * their id, which they get a moment later).
	 */
	FRAME_GENERATE,
	FRAME_DESTROY, /* admin: destroy the private key */
	FRAME_LIST, /* admin: one answer a key (code OK, key_id, body = struct frame_listed), then
			    one with code FRAME_END */
	FRAME_LOOK, /* signer: as FRAME_LEARN, of a key that it knows; it does not search */
	/*
	 * admin: body = a batch: an answer for each key that is called by it
	 * (code OK, key_id), then one with code FRAME_END.  One that never got
	 * its id is of no use to anybody, and is destroyed.
	 */
	FRAME_MADE,
	/*
	 * admin: body = FRAME_OWNER bytes: destroy the private key if it is called
	 * that installation's, as the token says now; else FRAME_KEY_REFUSED.
	 */
	FRAME_DESTROY_OWNED,
};

/* Whose a key is, as its label says (label.h). */
enum frame_label {
	FRAME_LABEL_OTHER,    /* of no form that the agent writes */
	FRAME_LABEL_OWNED,    /* an installation and a batch of it */
	FRAME_LABEL_BATCH,    /* a batch, from before installations had names */
	FRAME_LABEL_ID,	      /* the beginning of the key's id */
	FRAME_LABEL_IMPORTED, /* from a file */
	FRAME_LABEL_CANARY,
};

/* What the front does about an answer; the CK_RV itself goes to the log and the stats. */
enum frame_code {
	FRAME_OK,
	FRAME_END,	 /* the last answer of a list */
	FRAME_BAD_FRAME, /* malformed, wrong version or generation */
	FRAME_NO_KEY,	 /* not in this process's map */
	/* extractable, not sensitive, not P-256, its signature did not verify, or quarantined */
	FRAME_KEY_REFUSED,
	FRAME_BUSY,    /* throttled: back off */
	FRAME_REBUILD, /* the process is leaving: try another, a new one is started */
	FRAME_FULL,    /* no room for another key */
	FRAME_FAILED,  /* the token said no, nothing else is known to be wrong */
};

struct frame {
	uint8_t version;
	uint8_t op;
	uint8_t code; /* answers */
	uint8_t reserved;
	uint32_t generation; /* of the process; from the command line; every frame carries it */
	uint64_t request_id; /* chosen by the front, echoed */
	uint64_t ck_rv;	     /* answers: the raw return value, for logs only */
	uint8_t key_id[FRAME_KEY_ID];
	uint8_t body[FRAME_BODY];
};
_Static_assert(sizeof(struct frame) == 152, "no padding");

struct frame_listed {	   /* in body */
	uint8_t point[65]; /* zeros: not known */
	uint8_t label;	   /* enum frame_label */
	uint8_t name[FRAME_BATCH];
};
_Static_assert(sizeof(struct frame_listed) <= FRAME_BODY, "it fits");

struct frame_hello {	  /* in body */
	uint32_t keys;	  /* private keys in the map */
	uint32_t refused; /* private keys refused (extractable and such) */
	uint32_t threads;
	uint32_t pid;
	uint32_t max_keys; /* 0: the token does not say */
	char token_serial[17];
	char manufacturer[33];
};

struct frame_stats {	     /* in body; counters since the process began */
	uint64_t signatures; /* C_Sign calls with a caller's digest */
	uint64_t canaries; /* C_Sign calls of the health check and of first-signature proofs */
	uint64_t errors;
	uint64_t sign_ns; /* time in C_SignInit + C_Sign, all threads */
	uint32_t keys;
	uint32_t sessions;
	uint32_t refused; /* private keys in the token that are not among keys */
	uint32_t reserved;
};

#endif
