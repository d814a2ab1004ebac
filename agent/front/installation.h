/*
 * The name of this installation, by which the keys that it makes are called in
 * the token: agents that share one tell their keys apart.
 * STATE/front/installation.json, random, made at the first start, and part of
 * the state: restored with it.  A second agent on a copy of the state would call
 * its keys the same.
 *
 * Members of it that are not known are passed over.  A file that cannot be understood goes aside as installation.json.lost, and
 * another name is made: the keys that were made before are then those of another
 * installation, which work as before and are destroyed as before, but are none
 * that orphans.h takes.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_INSTALLATION_H
#define AGENT_FRONT_INSTALLATION_H

#include "agent/config.h"
#include "pkcs11/frame.h"

enum { INSTALLATION_TEXT = 2 * FRAME_OWNER + 1 };

struct installation {
	bool known;
	uint8_t id[FRAME_OWNER];
	int64_t made_s; /* Unix seconds */
};

/*
 * Read it, or make it where there is none; nothing where *out is known.
 * RC_IO: the disk says neither; nothing is made aside.
 */
enum rc installation_load(const struct config *c, int64_t now_s, struct installation *out,
    struct fault *f) MUST_CHECK;

#endif
