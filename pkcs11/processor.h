/*
 * Which processor a signer keeps to.
 *
 * A signer of a software token computes all the time and never sleeps while
 * there is work, so the kernel, which places who wakes up, leaves two of them
 * on one processor for a tenth of a second and longer (docs/PERFORMANCE.md).
 * Where there are as many of them as processors each has its own.  Threads
 * that the module starts before its first signature go where the kernel puts
 * them, later ones stay with the signer.
 */
#ifndef PKCS11_PROCESSOR_H
#define PKCS11_PROCESSOR_H

#include <sched.h>

/*
 * The processor for the place'th of places signers, among those that are
 * allowed; -1: more of these than signers, or only one: the kernel's choice.
 */
int processor_of(const cpu_set_t *allowed, unsigned place, unsigned places);

/* The calling thread stays there.  What cannot be had is done without: only speed is lost. */
void processor_keep(unsigned place, unsigned places);

#endif
