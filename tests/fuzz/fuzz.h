/* What libFuzzer, AFL++ and replay.c call. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A property of a target, not only a sanitizer, ends it. */
static inline void
must(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* For replay.c: how many prefixes and mutations of each seed; a slow target has fewer. */
extern unsigned replay_mutations;

#endif
