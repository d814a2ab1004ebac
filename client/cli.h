/*
 * What every subcommand of vesper shares: exit statuses, global options,
 * errors on stderr, JSON and input.  One thread.
 */
#ifndef CLIENT_CLI_H
#define CLIENT_CLI_H

#include "client/vesper.h"
#include "stir/buf.h"

#include <jansson.h>

enum exit_status {
	EXIT_DONE = 0, /* also when there was nothing to do */
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,	      /* usage or configuration */
	EXIT_DEGRADED = 3,    /* answered, but something is not well */
	EXIT_REFUSED = 4,     /* by policy */
	EXIT_UNREACHABLE = 5, /* no agent there */
	EXIT_ABSENT = 6,      /* not found */
};

struct cli {
	const char *command; /* "sign" */
	const char *socket;  /* NULL: environment or default */
	bool json, quiet, no_color, help;
	unsigned timeout_ms;
	json_t *done; /* what was done before an error: members of its object; NULL: nothing */
};

/* ---- options ----------------------------------------------------------------- */

enum { ARGS_MAX = 64 };

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char * */
	OPTION_NUMBER, /* unsigned, up to OPTION_NUMBER_MAX */
	OPTION_TIME,   /* int64_t: Unix seconds, up to OPTION_TIME_MAX */
	OPTION_REAL,   /* double, not negative */
	OPTION_LIST,   /* struct text_list: may be given again */
};
enum { OPTION_NUMBER_MAX = 1000000 };
#define OPTION_TIME_MAX INT64_C(253402300799)

struct text_list {
	const char *item[ARGS_MAX];
	size_t len;
};

struct option {
	const char *name; /* "--json" or "-o"; the table ends with NULL */
	enum option_kind kind;
	void *to;
};

/*
 * Take argv apart: options of the table and the global ones, in any order,
 * "--name value" or "--name=value"; "--" ends them; everything else goes to
 * *rest.  With first_only the first operand ends them too, and the number of
 * arguments consumed before it is in *used.  RC_INVALID "usage".
 */
enum rc args_parse(struct cli *cli, const struct option *options, int argc, char **argv,
    struct text_list *rest, struct fault *f) MUST_CHECK;
enum rc args_globals(
    struct cli *cli, int argc, char **argv, int *used, struct fault *f) MUST_CHECK;

/* ---- saying ------------------------------------------------------------------ */

/* "vesper sign: what failed: why; what to do" on stderr; returns status. */
int cli_fail(
    const struct cli *cli, int status, const char *what, const char *why, const char *todo);

/* The same with the reason and detail of a fault. */
int cli_fault(const struct cli *cli, int status, const char *what, const struct fault *f,
    const char *todo);

/* For input that cannot be had: EXIT_ABSENT where it is not there, else EXIT_FAILED. */
int cli_unread(
    const struct cli *cli, const char *what, const struct fault *f, const char *todo);

/* For a failed call to the agent; prints the problem as JSON too under --json. */
int cli_unanswered(const struct cli *cli, const char *what, const struct vesper_error *e);

/*
 * Print object on one or more lines with "schema":"vesper/COMMAND/1" first.
 * Takes the reference; returns EXIT_FAILED when stdout does not take it.
 */
int cli_print_json(const struct cli *cli, json_t *object);

/* What the agent answered, strictly read: a new reference; NULL where it is no JSON. */
json_t *cli_answer(const struct vesper_response *r);

/* A file in DER: the numbers of a TNAuthList by reference (D-46). */
struct tnset;
enum rc cli_read_tn_list(const char *path, struct tnset **out, struct fault *f) MUST_CHECK;

/* Bold where stdout is a terminal and colour was not refused, else "". */
const char *cli_bold(const struct cli *cli);
const char *cli_plain(const struct cli *cli);

/* "2026-11-22 04:10:00Z" */
enum { TIME_TEXT = 32 };
void cli_time_text(int64_t time_s, char out[TIME_TEXT]);

/* ---- input -------------------------------------------------------------------- */

/* A whole file, or standard input for "-"; RC_NOT_FOUND, RC_IO, RC_INVALID too_large. */
enum rc cli_read(const char *path, struct buf *out, struct fault *f) MUST_CHECK;

/* From now on what JSON values held is wiped when it is freed. */
void cli_wipe_json(void);

/* White space at both ends dropped. */
struct span cli_trim(struct span text);

/* The bytes of hex text, white space between them ignored.  RC_INVALID "hex". */
enum rc cli_unhex(struct span text, struct buf *out, struct fault *f) MUST_CHECK;

/* ---- the agent ------------------------------------------------------------------ */

/* --socket, else VESPER_ADMIN_SOCKET unless empty, else NULL: the callers' one. */
const char *cli_admin_path(const struct cli *cli);

/* Connect as the options say; a failure has been reported, *status says how. */
struct vesper_client *cli_connect(const struct cli *cli, const char *path, int *status);

/* ---- the commands --------------------------------------------------------------- */

typedef int command_fn(struct cli *cli, int argc, char **argv);

command_fn cmd_account, cmd_bench, cmd_cert, cmd_check, cmd_commit, cmd_config, cmd_ct,
    cmd_disclose, cmd_doctor, cmd_hsm, cmd_inspect, cmd_key, cmd_rcd, cmd_replay, cmd_sign,
    cmd_status, cmd_tenant, cmd_token, cmd_verify, cmd_version;

#endif
