/*
 * The arguments of a token process.  It has no configuration file: what it
 * may know, the supervisor gives it.
 */
#ifndef PKCS11_OPTIONS_H
#define PKCS11_OPTIONS_H

#include "stir/fault.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	OPTIONS_MAX_THREADS = 64,
	OPTIONS_MAX_CANARY_S = 3600,
	OPTIONS_CANARY_S = 30,
	OPTIONS_MAX_KEYS = 1000000,
	OPTIONS_MAX_HANG_S = 3600,
	OPTIONS_MAX_PLACES = 4096,
	OPTIONS_HANG_S = 120, /* twice what a start may wait for the token's lock */
};

struct hsm_options {
	bool admin; /* else signer */
	const char *module, *label, *serial, *pin, *lock_file, *state_dir;
	const char *user; /* NULL: stay */
	uint32_t threads; /* 1 */
	uint32_t generation;
	uint32_t canary_s; /* 0: none on a timer */
	uint32_t max_keys; /* private keys in the token above which none is made; 0: no limit */
	uint32_t hang_s; /* a start, a canary or a call of the admin that lasts longer hangs */
	uint32_t place, places; /* among the signers that have a processor each; 0, 0: none */
	bool read_write;
	bool verify_all; /* every signature, not only the first of a key */
	bool quiet;	 /* a try of many: do not say why the start failed */
};

/*
 * vesper-hsm signer|admin --module PATH [--label L] [--serial S] --pin REF
 * --state DIR [--threads N] [--lock-file PATH] [--generation N] [--canary-s N]
 * [--max-keys N] [--hang-s N] [--place N --places N] [--read-write]
 * [--verify-all] [--quiet] [--user NAME] [--run-id HEX]
 *
 * Strings are borrowed from argv.  RC_INVALID "usage".
 */
enum rc options_parse(
    int argc, char **argv, struct hsm_options *out, struct fault *f) MUST_CHECK;

#endif
