/*
 * What the front wants fetched: it alone says from which URL and how much at
 * most, the renewer carries the octets, and whoever wanted them judges them.
 * An answer to what was not asked, or was answered, is refused.
 *
 * Builder thread.
 */
#ifndef AGENT_FRONT_DOCUMENTS_H
#define AGENT_FRONT_DOCUMENTS_H

#include "agent/front/crls.h"
#include "agent/front/ops.h"
#include "stir/sct.h"

enum {
	DOCUMENTS_OUT = 16,	   /* asked and not answered */
	DOCUMENT_LEASE_S = 120,	   /* after that it may be asked for again */
	DOCUMENT_PART_MAX = 65536, /* octets of one message */
	DOCUMENT_URL_MAX = 2048,
};

/* What came: octets with status 200, else why there are none. */
struct document_come {
	int64_t status;	     /* of HTTP; 0: there was no answer */
	const char *problem; /* status is not 200: one line */
	struct span octets;
};

struct document;

/*
 * Judges what came.  What it refuses is the answer to the renewer, and is not
 * fetched again because of that.
 */
typedef enum rc document_fn(struct op_call *call, const struct document *d,
    const struct document_come *come, struct fault *f);

struct document {
	uint64_t id; /* 0: free */
	int64_t until_s;
	size_t max;
	document_fn *come;
	const char *tls_ca; /* the key of the configuration for its server; NULL: ct_tls_ca */
	/* Whose it is: as the asker needs it. */
	uint8_t log_id[CTLOG_ID_LEN];
	struct sct_promise promise;
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	struct merkle_tree tree; /* that a proof has to lead to */
	uint64_t first, last;	 /* entries */
	enum trust_kind list;
	char crl[CRLS_ID];
	char url[DOCUMENT_URL_MAX + 1];
};

struct documents {
	uint64_t last; /* id */
	struct document out[DOCUMENTS_OUT];
	uint64_t part_of; /* whose octets are coming in; 0: nobody's */
	size_t total;
	struct buf octets;
};

/*
 * A free place, to be filled (come, max, url, what it is about) by the caller;
 * NULL: none is free.  It counts as asked when its id is set by documents_ask().
 */
struct document *documents_place(struct documents *d, int64_t now_s);

/* Put it into the answer to "documents". */
enum rc documents_ask(struct documents *d, struct document *one, json_t *list, int64_t now_s,
    struct fault *f) MUST_CHECK;

op_fn documents_op;

/*
 * One part, in order; offset 0 begins anew.  RC_NOT_FOUND not_found for a
 * document that was not asked for, RC_CONFLICT conflict for a part that does
 * not follow.
 */
op_fn document_op;

#endif
