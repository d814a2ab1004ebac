/*
 * vesper-hsm-admin: what an operator does to a token.  "vesper hsm" runs it.
 *
 * Exit status as of vesper: 0 done, 1 failed, 2 usage or configuration, 6 not
 * found.
 */
#include <getopt.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkcs11/isolate.h"
#include "pkcs11/provision.h"

static const char usage[] =
    "usage: vesper-hsm-admin list    --module PATH [--json] [--lock-file PATH]\n"
    "       vesper-hsm-admin objects --module PATH TOKEN --pin REF [--json]\n"
    "                                [--lock-file PATH] [--state DIR]\n"
    "       vesper-hsm-admin init    --module PATH --label LABEL --so-pin REF --pin REF\n"
    "                                [--json] [--lock-file PATH]\n"
    "TOKEN: --label LABEL, --serial SERIAL, or --token 'pkcs11:token=LABEL;serial=SERIAL'\n"
    "REF:   file:PATH or credential:NAME\n";

static const struct option table[] = {
	{ "module", required_argument, NULL, 'm' },
	{ "token", required_argument, NULL, 't' },
	{ "label", required_argument, NULL, 'l' },
	{ "serial", required_argument, NULL, 's' },
	{ "pin", required_argument, NULL, 'p' },
	{ "so-pin", required_argument, NULL, 'P' },
	{ "lock-file", required_argument, NULL, 'k' },
	{ "state", required_argument, NULL, 'd' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

typedef enum rc command_fn(const struct provision_options *o, FILE *out, struct fault *f);

static const struct {
	const char *name;
	command_fn *run;
} commands[] = {
	{ "list", provision_list },
	{ "objects", provision_objects },
	{ "init", provision_init },
};

static enum rc
name(const char *value, const char *option, size_t size, char *out, struct fault *f)
{
	size_t len = strlen(value);

	if (len == 0 || len >= size)
		return FAULT(f, RC_INVALID, "usage", "--%s: 1 to %zu bytes", option, size - 1);
	memcpy(out, value, len + 1);
	return RC_OK;
}

static enum rc
take(int option, const char *value, struct provision_options *o, struct fault *f)
{
	switch (option) {
	case 'm': o->module = value; return RC_OK;
	case 'p': o->pin = value; return RC_OK;
	case 'P': o->so_pin = value; return RC_OK;
	case 'k': o->lock_file = value; return RC_OK;
	case 'd': o->state_dir = value; return RC_OK;
	case 'j': o->json = true; return RC_OK;
	case 't': return token_uri_parse(value, &o->token, f);
	case 'l': return name(value, "label", sizeof o->token.label, o->token.label, f);
	case 's': return name(value, "serial", sizeof o->token.serial, o->token.serial, f);
	default:
		return FAULT(
		    f, RC_INVALID, "usage", "unknown option, or one without its value");
	}
}

static enum rc
parse(int argc, char **argv, command_fn **run, struct provision_options *o, struct fault *f)
{
	int option;

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			*run = commands[i].run;
	}
	if (*run == NULL)
		return FAULT(f, RC_INVALID, "usage", "no such command");
	opterr = 0;
	optind = 2;
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		TRY(take(option, optarg, o, f));
	if (optind != argc || o->module == NULL)
		return FAULT(
		    f, RC_INVALID, "usage", "--module is needed, and nothing without --");
	return RC_OK;
}

static int
status(const struct fault *f)
{
	switch (f->rc) {
	case RC_OK: return 0;
	case RC_INVALID: return 2;
	case RC_NOT_FOUND: return 6;
	default: return 1;
	}
}

int
main(int argc, char **argv)
{
	struct provision_options o = { .json = false };
	struct fault f = { .rc = RC_OK };
	command_fn *run = NULL;

	/* Before the module is loaded: its at-exit handlers and OpenSSL's end in a crash. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (parse(argc, argv, &run, &o, &f) == RC_OK && isolate_limits(&f) == RC_OK &&
	    run(&o, stdout, &f) == RC_OK && (fflush(stdout) != 0 || ferror(stdout)))
		(void)FAULT(&f, RC_IO, "output", "standard output cannot be written");
	if (f.rc != RC_OK)
		fprintf(stderr, "vesper-hsm-admin: %s: %s\n", f.reason, f.detail);
	if (strcmp(f.reason, "usage") == 0)
		fputs(usage, stderr);
	_exit(status(&f));
}
