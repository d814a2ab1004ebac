/*
 * What the administration socket does in a job: start it, wait for its end,
 * take what came of it.
 */
#ifndef CLIENT_JOB_H
#define CLIENT_JOB_H

#include "client/cli.h"

#define JOB_ADMIN_SOCKET "/run/vesper/admin.sock"

enum {
	JOB_WAIT_MS = 90000, /* a certificate may wait a minute for its notBefore */
	JOB_LOOK_MS = 100,
};

/*
 * One request over a connection to either socket; body: JSON text or NULL.
 * EXIT_DONE with *answer, a new reference to the object that came with 200 or
 * 202; else the failure has been said and its status is returned.
 */
int job_ask(struct cli *cli, struct vesper_client *client, const char *what, const char *method,
    const char *target, const char *body, json_t **answer);

/*
 * POST target with body (JSON text or NULL) to the administration socket.
 * Returns EXIT_DONE with *result, a new reference (JSON null where there is
 * none); else the failure has been said and its status is returned.
 */
int job_run(
    struct cli *cli, const char *what, const char *target, const char *body, json_t **result);

/* GET, the same way. */
int job_get(struct cli *cli, const char *what, const char *target, json_t **answer);

/* "TENANT/NAME" to "/v1/credentials/TENANT/NAME" and tail; RC_INVALID "usage". */
enum { JOB_TARGET_MAX = 256 };
enum rc job_target(const char *credential, const char *tail, char out[JOB_TARGET_MAX],
    struct fault *f) MUST_CHECK;

#endif
