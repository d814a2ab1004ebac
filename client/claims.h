/*
 * The claims of a request from the options of the command line, over those of
 * a file.
 */
#ifndef CLIENT_CLAIMS_H
#define CLIENT_CLAIMS_H

#include "client/cli.h"

struct claims_options {
	const char *file, *orig, *ppt, *attest, *origid, *div;
	struct text_list dest;
};

/* New reference.  shaken gets a random origid where none is given. */
enum rc claims_build(const struct claims_options *o, json_t **out, struct fault *f) MUST_CHECK;

#endif
