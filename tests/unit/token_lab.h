/*
 * A SoftHSM token directory of its own and the real vesper-hsm over a socket
 * pair, for the tests of the token.
 */
#ifndef TESTS_UNIT_TOKEN_LAB_H
#define TESTS_UNIT_TOKEN_LAB_H

#include "pkcs11/frame.h"
#include "tests/fault/switches.h"

#include <stdbool.h>
#include <sys/types.h>

#define LAB_PIN	   "482913"
#define LAB_SO_PIN "77120034"

enum { LAB_PATH = 128, LAB_WAIT_MS = 20000, LAB_MAX_ARGS = 40 };

struct lab {
	char dir[LAB_PATH], conf[LAB_PATH], pin[LAB_PATH], state[LAB_PATH], lock[LAB_PATH];
	char faults[LAB_PATH], fault_env[2][LAB_PATH + 32], fault_module[4096];
	struct switches *switches; /* the mapped control file */
	const char *module;	   /* what vesper-hsm loads; the SoftHSM one */
	const char *env[4];	   /* further "K=V" for vesper-hsm */
};

/* The module's path; NULL when SoftHSM is not installed. */
const char *lab_softhsm(void);

void lab_make(struct lab *lab); /* a directory with no token yet */
void lab_add_token(struct lab *lab, const char *label);
void lab_write(const char *path, const char *text, mode_t mode);
void lab_remove(struct lab *lab);
/* Fixtures of cmocka: a lab in *state with the token "t". */
int lab_setup(void **state);
int lab_teardown(void **state);
/* Load SoftHSM through tests/fault/p11fault.c. */
void lab_use_faults(struct lab *lab);
void lab_fault(const struct lab *lab, const char *rules); /* "C_Sign 0 0x30" */
unsigned lab_calls(const struct lab *lab, const char *function);
/* Run a tool with the token directory; true when it exits with 0. */
bool lab_run(const struct lab *lab, const char *const argv[]);

struct process {
	pid_t pid;
	int fd;
	uint32_t generation;
	uint64_t last_id;
	char err[LAB_PATH]; /* its stderr */
};

/* role is "signer" or "admin"; more: further arguments, NULL at the end. */
void process_start(
    struct process *p, const struct lab *lab, const char *role, const char *const more[]);
/* The HELLO; false when the process ended instead. */
bool process_hello(struct process *p, struct frame_hello *out);
/* Start and say hello, or fail the test. */
void process_up(
    struct process *p, const struct lab *lab, const char *role, const char *const more[]);

/* One request, one answer. */
struct frame process_ask(struct process *p, enum frame_op op, const uint8_t *key_id,
    const uint8_t *body, size_t len);
/* An answer that is there within the wait; false at the end of the stream. */
bool process_answer(struct process *p, struct frame *out);
struct frame_stats process_stats(struct process *p);

/* ---- keys, as the front knows them ---- */

struct made {
	uint8_t id[32], point[65];
};

struct made made_key(struct process *admin);		    /* GENERATE, or fail the test */
void made_elsewhere(struct made *out);			    /* a key that no token has */
void made_signs(struct process *p, const struct made *key); /* a signature that verifies */
int made_code(struct process *p, enum frame_op op, const struct made *key);

/* Wait for its end: the exit status, or 128 + signal. */
int process_wait(struct process *p);
int process_stop(struct process *p); /* close the pair, then wait */
/* Is this text in what it wrote to stderr? */
bool process_said(const struct process *p, const char *text);

#endif
