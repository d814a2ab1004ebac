/*
 * Records of standard input and lines of standard output, for the programs
 * that judge many (judge.c, decider.c): a line of words with tabs between,
 * and where it says so as many octets behind it.  Whatever is not as it has
 * to be ends the program.  One thread.
 */
#ifndef TESTS_ORACLE_RECORDS_H
#define TESTS_ORACLE_RECORDS_H

#include "stir/buf.h"
#include "stir/fault.h"

_Noreturn void die(const char *why);

/* Decimal, all of text. */
int64_t number(const char *text);

/* The next record's line; NULL: there is none.  Lasts until the next call. */
char *next_line(void);

/* As many octets of what follows as length says. */
void read_body(const char *length, struct buf *out);

/* name=value in two; text is the name then. */
char *cut_value(char *text);

/* word, reason, claim and detail, which stay on one line. */
void print_fault(const char *word, const struct fault *f);

void flush_verdicts(void);

#endif
