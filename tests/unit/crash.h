/*
 * Crashes and disk errors on demand: the store's system calls are wrapped by
 * the linker (--wrap), counted, and at the armed one the process ends or the
 * call fails.
 */
#ifndef TESTS_UNIT_CRASH_H
#define TESTS_UNIT_CRASH_H

enum crash_kind { CRASH_NONE, CRASH_EXIT, CRASH_FAIL, CRASH_DISK /* from it on all fail */ };
enum { CRASH_STATUS = 77 };

void crash_arm(enum crash_kind kind, unsigned at); /* the at-th call from now, from 1 */
unsigned crash_calls(void);			   /* counted since it was armed */

#endif
