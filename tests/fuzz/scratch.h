/* A directory of a target's own for what must be a file; it goes with the process. */
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H

#include "stir/span.h"

/* The directory; made at the first call, with the folder tenants.d in it. */
const char *scratch_dir(void);

/* Write the file DIR/name. */
void scratch_write(const char *name, struct span text);

/* Remove the file DIR/name; it need not be there. */
void scratch_drop(const char *name);

#endif
