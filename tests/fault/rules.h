/*
 * The rules of the control file as the module sees them: which word is for
 * this call?  Any thread.
 */
#ifndef TESTS_FAULT_RULES_H
#define TESTS_FAULT_RULES_H

#include "tests/fault/switches.h"

#include <stdbool.h>
#include <stddef.h>

enum word_kind {
	WORD_PASS,
	WORD_RETURN,
	WORD_AFTER,
	WORD_DELAY,
	WORD_HANG,
	WORD_CRASH,
	WORD_RATE,
	WORD_CAPACITY,
	WORD_ABSENT,
	WORD_FLAGS,
	WORD_SESSIONS,
	WORD_READONLY,
	WORD_READWRITE,
	WORD_LOGOUT,
	WORD_RELOGIN,
	WORD_REINIT,
	WORD_FORK,
	WORD_RESHUFFLE,
	WORD_ACTIVE,
	WORD_WRONGKEY,
	WORD_SMALL,
	WORD_PAD,
	WORD_FLIP,
	WORD_SHORT,
	WORD_TELLS,
};

struct word {
	enum word_kind kind;
	unsigned long value; /* what stands behind the colon, or the return value */
	int rule;
};

/* Map the file; false when that cannot be done.  names: of the functions, by index. */
bool rules_open(const char *path, const char *const names[], size_t n);

/*
 * The word for a call of names[function]; key is the beginning of the id of
 * the key in hex, or NULL.  It counts the call; a word that does what it says
 * counts when rules_fired() is called.
 */
struct word rules_next(size_t function, const char *key);
void rules_fired(const struct word *w);
bool rules_want_keys(void); /* some rule has key= */

struct switches *rules_switches(void);

#endif
