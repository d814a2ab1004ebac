/*
 * What keys are called in the token, and what a name says of whose key it is:
 * "vesper-", the installation that made it, "-", its batch.  40 characters,
 * which is all that some tokens keep of a label.
 *
 * A label is the token's word, and whoever may write there may write any: it
 * tells agents that share a token apart, and is no proof.
 */
#ifndef PKCS11_LABEL_H
#define PKCS11_LABEL_H

#include "pkcs11/frame.h"
#include "stir/span.h"

enum { LABEL_MAX = 64 };

#define CANARY_LABEL "vesper-canary"

struct label {
	enum frame_label form;
	uint8_t name[FRAME_BATCH]; /* of OWNED: installation and batch; of BATCH: the batch */
};

void label_write(const uint8_t batch[FRAME_BATCH], char out[LABEL_MAX]);

/* As keys were called before installations had names: FRAME_LABEL_BATCH. */
void label_write_before(const uint8_t batch[FRAME_BATCH], char out[LABEL_MAX]);

/* Of a key without a batch, by the beginning of its id. */
void label_write_id(const uint8_t id[FRAME_KEY_ID], char out[LABEL_MAX]);

/* Any text. */
struct label label_read(struct span text);

#endif
