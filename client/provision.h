/*
 * vesper-hsm-admin as "vesper hsm" and "vesper key" start it: with the module,
 * lock, environment and user of a token section of the configuration, or of
 * what the command line says instead.  One thread.
 */
#ifndef CLIENT_PROVISION_H
#define CLIENT_PROVISION_H

#include "agent/config.h"
#include "client/program.h"

/* Of the command line; NULL: not given. */
struct provision_options {
	const char *config; /* FILE; the installed one */
	const char *token;  /* name of a section, or a PKCS#11 URI */
	const char *module; /* with it, or in the URI, no configuration is read */
	const char *label, *serial;
	const char *pin, *so_pin, *new_pin, *lock_file;
	struct text_list environment; /* "K=V", with module only */
	bool so, read_write;
	unsigned threads, seconds; /* 0: not given */
};

/* Rows of an option table for args_parse(). */
#define PROVISION_OPTIONS(o) \
	{ "--config", OPTION_TEXT, &(o).config }, { "-c", OPTION_TEXT, &(o).config }, \
	    { "--token", OPTION_TEXT, &(o).token }, { "--module", OPTION_TEXT, &(o).module }, \
	    { "--label", OPTION_TEXT, &(o).label }, { "--serial", OPTION_TEXT, &(o).serial }, \
	    { "--pin", OPTION_TEXT, &(o).pin }, \
	    { "--lock-file", OPTION_TEXT, &(o).lock_file }, \
	    { "--environment", OPTION_LIST, &(o).environment }, \
	{ \
		"--read-write", OPTION_FLAG, &(o).read_write \
	}

enum { PROVISION_NUMBER = 16, PROVISION_PATHS = 8 };

struct provision_start {
	struct words args, env;
	char program[PROGRAM_PATH];
	char path[PROVISION_PATHS][PROGRAM_PATH]; /* storage of what is put together */
	size_t paths;
	char threads[PROVISION_NUMBER], seconds[PROVISION_NUMBER];
};

/*
 * Everything but the command's own file arguments.  c is NULL where o names
 * the module; else t is the section in it, and the working directory becomes
 * that of the configuration.  RC_INVALID usage.
 */
enum rc provision_prepare(const struct cli *cli, const char *command,
    const struct provision_options *o, const struct config *c, const struct config_token *t,
    struct provision_start *out, struct fault *f) MUST_CHECK;

/* A path of the command line, absolute: the working directory changes. */
enum rc provision_path(
    struct provision_start *s, const char *path, const char **out, struct fault *f) MUST_CHECK;

/* The section that o->token names, or the only one.  RC_NOT_FOUND, RC_INVALID usage. */
enum rc provision_section(const struct provision_options *o, const struct config *c,
    const struct config_token **out, struct fault *f) MUST_CHECK;

/* Is a configuration needed? */
bool provision_by_config(const struct provision_options *o);

#endif
