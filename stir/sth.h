/*
 * What a transparency log answers about its tree (RFC 6962 sections 3.5 and
 * 4.3 to 4.5): a signed tree head, and the two kinds of proof.
 *
 * Pure.  A log may answer whatever it likes: all of it is read strictly.
 */
#ifndef STIR_STH_H
#define STIR_STH_H

#include "stir/ctlogs.h"
#include "stir/merkle.h"

enum { STH_SIGNATURE_MAX = 1024, STH_JSON_MAX = 4096, STH_PATH_JSON_MAX = 8192 };

struct sth {
	struct merkle_tree tree;
	int64_t time_ms;
	size_t signature_len;
	uint8_t signature[STH_SIGNATURE_MAX]; /* as TLS writes it */
};

/*
 * The answer to get-sth.  RC_INVALID sth for another form, a time in seconds
 * (D-35) or a size beyond 2^53-1, RC_DENIED sth_signature where the log's key
 * has not signed it.
 */
enum rc sth_read(
    struct span json, const struct ctlog *log, struct sth *out, struct fault *f) MUST_CHECK;

/* The same JSON again: evidence that anybody can check, and what is kept on disk. */
enum rc sth_write(struct buf *out, const struct sth *sth, struct fault *f) MUST_CHECK;

/* The answers to get-proof-by-hash and get-sth-consistency.  RC_INVALID ct_proof. */
enum rc sth_read_inclusion(
    struct span json, uint64_t *index, struct merkle_path *out, struct fault *f) MUST_CHECK;
enum rc sth_read_consistency(
    struct span json, struct merkle_path *out, struct fault *f) MUST_CHECK;

#endif
