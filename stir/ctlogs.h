/*
 * The list of transparency logs, in the shape of the browser list v3: keys,
 * operators, states, and where a log can be asked.
 *
 * Pure; a list never changes.
 */
#ifndef STIR_CTLOGS_H
#define STIR_CTLOGS_H

#include "stir/buf.h"
#include "stir/ossl.h"

enum {
	SCT_MAX_LOGS = 256,
	CTLOG_ID_LEN = 32,
	CTLOG_URL_MAX = 1024,
	CTLOG_NAME_MAX = 128,
};

struct ctlog {
	uint8_t id[CTLOG_ID_LEN];
	EVP_PKEY *key;
	size_t owner; /* its operator: index in the list */
	bool usable;
	int64_t from_s, until_s; /* of notAfter: from included, until not */
	char *url;		 /* "https://…/"; NULL: it can not be asked */
	const char *api;	 /* behind it: "ct/v1/" or "stict/v1/" */
	int64_t mmd_s;		 /* maximum merge delay */
	char *name;		 /* its description; may be "" */
};

struct ctlogs; /* immutable */

/*
 * {"operators":[{"name","logs":[{"key","log_id","state","temporal_interval",
 * "url","mmd","description"}]}],"log_list_timestamp"}, of which only key and
 * state must be there; "api" is ours.  key is the base64 SPKI; state usable, qualified and readonly
 * count, pending, retired and rejected do not.  One entry that cannot be read
 * refuses the list: RC_INVALID ctlogs, base64, malformed_json.
 */
enum rc ctlogs_read(struct span json, struct ctlogs **out, struct fault *f) MUST_CHECK;
void ctlogs_free(struct ctlogs *l);
DEFINE_FREEP(ctlogs);
int64_t ctlogs_issued_s(const struct ctlogs *l); /* log_list_timestamp; 0: it has none */
size_t ctlogs_len(const struct ctlogs *l);
const struct ctlog *ctlogs_at(const struct ctlogs *l, size_t i);
const struct ctlog *ctlogs_find(const struct ctlogs *l, const uint8_t id[CTLOG_ID_LEN]);

#endif
