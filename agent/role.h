/*
 * What every role of vesperd has in common: the descriptors it inherits, how
 * it becomes its user, and how it talks to the supervisor.
 *
 * The supervisor execs a role with its arguments and these descriptors, all
 * others closed:
 *
 *	0	/dev/null
 *	1, 2	the supervisor's stderr (logs)
 *	3	ROLE_FD_PEER: signer, admin: the pair to the front;
 *		renewer: the pair to the front; front: unused
 *	4	ROLE_FD_CONTROL: front and renewer: SOCK_SEQPACKET to the supervisor
 *	5…	front: listening sockets, in the order of the configuration's
 *		listen sections, then the administration socket when there is one
 *
 * Arguments common to all roles: --config FILE (front, renewer), --user NAME
 * (only when started as root), --run-id HEX.  A token process gets everything
 * from its arguments: --module --label --serial --pin REF --threads N
 * --lock-file PATH --generation N --state DIR --canary-s N [--read-write] [--verify-all]
 * [--quiet] and its
 * token's environment, and nothing else is in its environment.
 *
 * A pair is never repaired: when either end is gone, both processes' ends are
 * replaced.  The front gets new ends over ROLE_FD_CONTROL by SCM_RIGHTS.
 */
#ifndef AGENT_ROLE_H
#define AGENT_ROLE_H

#include "stir/fault.h"

#include <stdbool.h>
#include <stdint.h>

enum { ROLE_FD_PEER = 3, ROLE_FD_CONTROL = 4, ROLE_FD_LISTEN = 5 };

enum control_kind {
	/* supervisor -> front */
	CONTROL_SIGNER = 1, /* fd: a new signer's pair; token, process, generation */
	CONTROL_ADMIN,	    /* fd: a new token admin's pair; token, generation */
	CONTROL_RENEWER,    /* fd: the renewer's pair */
	CONTROL_RELOAD,	    /* SIGHUP (front and renewer) */
	CONTROL_DRAIN, /* SIGTERM: stop accepting, finish, exit 0 (all roles with control) */
	/* front -> supervisor */
	CONTROL_READY, /* serving */
	CONTROL_KILL,  /* a hung or draining token process: token, process, generation */
	/* supervisor -> front, for status */
	CONTROL_CHILD, /* a role (re)started: role, pid, restarts */
	/* front -> supervisor */
	CONTROL_UP, /* a signer said hello: token, process, generation */
	/* renewer -> supervisor */
	CONTROL_HOOK, /* run a command: hook, name, serial; fd: its standard input and output */
	/* supervisor -> renewer */
	CONTROL_HOOK_END, /* it ended: serial, status */
};

/* Commands of the configuration, by the section that names them. */
enum hook_kind {
	HOOK_ISSUE = 1, /* ca: a request in PEM to its chain */
	HOOK_TOKEN,	/* authority: what is asked for in JSON to a token */
	HOOK_DOMAIN,	/* ca: a challenge in JSON that is to be met, or is over */
};

enum { CONTROL_NAME = 64, HOOK_NOT_RUN = 255 };

struct control {
	uint32_t kind;
	uint32_t token;	     /* index of the token section */
	uint32_t process;    /* signer number within the token */
	uint32_t generation; /* of the process */
	uint32_t role;	     /* CONTROL_CHILD: enum role_kind */
	uint32_t pid;
	uint32_t restarts;
	uint32_t isolated; /* CONTROL_CHILD: 1 when it runs as a user of its own */
	uint32_t hook;	   /* CONTROL_HOOK: enum hook_kind */
	uint32_t serial;   /* … the renewer's number for it */
	uint32_t status;   /* CONTROL_HOOK_END: exit status, 128 + signal, HOOK_NOT_RUN */
	char name[CONTROL_NAME];
};

enum role_kind { ROLE_FRONT, ROLE_SIGNER, ROLE_ADMIN, ROLE_RENEWER, ROLE__COUNT };

/* One control message, with a descriptor when *fd >= 0.  RC_NOT_FOUND: none there; RC_IO: end. */
enum rc control_send(int sock, const struct control *c, int fd, struct fault *f) MUST_CHECK;
enum rc control_recv(int sock, struct control *c, int *fd, struct fault *f) MUST_CHECK;

/*
 * Become NAME: supplementary groups, gid, uid, checked to be irreversible;
 * then PR_SET_PDEATHSIG, no new privileges, no core, not dumpable.  With name
 * NULL only the latter.  Dies with the supervisor either way.  A sanitizer
 * build stays dumpable.
 */
enum rc role_become(const char *name, bool dumpable, struct fault *f) MUST_CHECK;

#endif
