/*
 * What a test and the preloaded stepfault.c share: one file, mapped by both.
 * tests/world/steps.py knows the same places.
 */
#ifndef TESTS_FAULT_STEPFAULT_H
#define TESTS_FAULT_STEPFAULT_H

#include <stdatomic.h>
#include <stdint.h>

enum { STEP_MAX = 1024, STEP_TEXT = 124, STEP_WHERE = 256 };

enum step_mode {
	STEP_OFF,
	STEP_NOTE, /* points are written into the table */
	STEP_EACH, /* the process is killed at each point that is not in it yet */
	STEP_ONE,  /* it is killed at the point whose text is in the first entry, once */
};

struct step {
	char text[STEP_TEXT];
	uint32_t hits;
};

struct step_control {
	_Atomic uint32_t mode;	   /* enum step_mode */
	_Atomic uint32_t fine;	   /* 0: what is recorded; 1: every call on the way there */
	_Atomic uint32_t len;	   /* of step[] */
	_Atomic uint32_t kills;	   /* by us, since the file was made */
	_Atomic int64_t wall_ns;   /* added to the wall's clock */
	_Atomic int64_t uptime_ns; /* added to the time since the boot */
	_Atomic int32_t error;	   /* what calls fail with; 0: none does */
	_Atomic uint32_t refused;  /* calls that did */
	char where[STEP_WHERE];	   /* where they do: paths that have this in them */
	struct step step[STEP_MAX];
};

#endif
