/*
 * vesper-hsm-admin: what an operator does to a token.  "vesper hsm" and
 * "vesper key" run it, with the module, environment and user of a token of
 * the configuration.
 *
 * Exit status as of vesper: 0 done, 1 failed, 2 usage or configuration, 4
 * refused, 6 not found.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkcs11/ask.h"
#include "pkcs11/isolate.h"
#include "pkcs11/provision.h"
#include "pkcs11/provision_uses.h"

static const char usage[] =
    "usage: vesper-hsm-admin COMMAND --module PATH [TOKEN] [options]\n"
    "  list\n"
    "  init       --label LABEL [--so-pin REF] [--pin REF]\n"
    "  set-pin    TOKEN [--pin REF | --so-pin REF [--so]] [--new-pin REF]\n"
    "  objects    TOKEN [--pin REF] [--uses FILE]\n"
    "  store-cert TOKEN [--pin REF] --cert FILE\n"
    "  import     TOKEN [--pin REF] --key FILE [--key-id HEX]\n"
    "  test       TOKEN [--pin REF] [--threads N]\n"
    "  bench      TOKEN [--pin REF] [--threads N] [--seconds N]\n"
    "TOKEN: --label LABEL, --serial SERIAL, or --token 'pkcs11:token=LABEL;serial=SERIAL'\n"
    "REF:   file:PATH, credential:NAME, or ask (at the terminal; so also where none is given)\n"
    "all:   [--json] [--lock-file PATH] [--state DIR] [--read-write] [--user NAME]\n";

static const struct option table[] = {
	{ "module", required_argument, NULL, 'm' },
	{ "token", required_argument, NULL, 't' },
	{ "label", required_argument, NULL, 'l' },
	{ "serial", required_argument, NULL, 's' },
	{ "pin", required_argument, NULL, 'p' },
	{ "so-pin", required_argument, NULL, 'P' },
	{ "new-pin", required_argument, NULL, 'n' },
	{ "so", no_argument, NULL, 'o' },
	{ "cert", required_argument, NULL, 'c' },
	{ "key", required_argument, NULL, 'K' },
	{ "key-id", required_argument, NULL, 'i' },
	{ "threads", required_argument, NULL, 'T' },
	{ "seconds", required_argument, NULL, 'S' },
	{ "lock-file", required_argument, NULL, 'k' },
	{ "state", required_argument, NULL, 'd' },
	{ "read-write", no_argument, NULL, 'w' },
	{ "user", required_argument, NULL, 'u' },
	{ "uses", required_argument, NULL, 'U' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

enum {
	NEED_TOKEN = 1,
	NEED_LABEL = 2, /* and no serial: the token will choose it */
	NEED_PIN = 4,
	NEED_SO_PIN = 8,
	NEED_NEW_PIN = 16,
	NEED_FILE = 32,
	MAKES_PIN = 64,	   /* its user PIN is a new one */
	NEED_EITHER = 128, /* the security officer's, where it is given, else the user's */
	FILE_SECRET = 256,
};

static const struct command {
	const char *name;
	provision_fn *run;
	unsigned needs;
} commands[] = {
	{ "list", provision_list, 0 },
	{ "init", provision_init, NEED_LABEL | NEED_SO_PIN | NEED_PIN | MAKES_PIN },
	{ "set-pin", provision_set_pin, NEED_TOKEN | NEED_EITHER | NEED_NEW_PIN },
	{ "objects", provision_objects, NEED_TOKEN | NEED_PIN },
	{ "store-cert", provision_store_cert, NEED_TOKEN | NEED_PIN | NEED_FILE },
	{ "import", provision_import, NEED_TOKEN | NEED_PIN | NEED_FILE | FILE_SECRET },
	{ "test", provision_test, NEED_TOKEN | NEED_PIN },
	{ "bench", provision_bench, NEED_TOKEN | NEED_PIN },
};

struct request {
	const struct command *command;
	struct provision o;
	const char *user; /* NULL: stay */
};

/* ---- the command line --------------------------------------------------------------- */

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
number(const char *value, const char *option, uint32_t max, uint32_t *out, struct fault *f)
{
	char *end = NULL;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end != 0 || errno != 0 || n < 1 || n > max)
		return FAULT(f, RC_INVALID, "usage", "--%s is 1 to %u", option, max);
	*out = (uint32_t)n;
	return RC_OK;
}

static enum rc
take(int option, const char *value, struct request *r, struct fault *f)
{
	struct provision *o = &r->o;

	switch (option) {
	case 'm': o->module = value; return RC_OK;
	case 'p': o->pin.ref = value; return RC_OK;
	case 'P': o->so_pin.ref = value; return RC_OK;
	case 'n': o->new_pin.ref = value; return RC_OK;
	case 'o': o->so = true; return RC_OK;
	case 'c':
	case 'K': o->file_name = value; return RC_OK;
	case 'i': o->key_id = value; return RC_OK;
	case 'k': o->lock_file = value; return RC_OK;
	case 'd': o->state_dir = value; return RC_OK;
	case 'w': o->read_write = true; return RC_OK;
	case 'u': r->user = value; return RC_OK;
	case 'U': o->uses_name = value; return RC_OK;
	case 'j': o->json = true; return RC_OK;
	case 't': return token_uri_parse(value, &o->token, f);
	case 'l': return name(value, "label", sizeof o->token.label, o->token.label, f);
	case 's': return name(value, "serial", sizeof o->token.serial, o->token.serial, f);
	case 'T': return number(value, "threads", PROVISION_MAX_THREADS, &o->threads, f);
	case 'S': return number(value, "seconds", PROVISION_MAX_SECONDS, &o->seconds, f);
	default:
		return FAULT(
		    f, RC_INVALID, "usage", "unknown option, or one without its value");
	}
}

static enum rc
check_needs(const struct request *r, struct fault *f)
{
	const struct provision *o = &r->o;
	unsigned needs = r->command->needs;

	if (o->module == NULL)
		return FAULT(f, RC_INVALID, "usage", "--module, or module-path= in the URI");
	if ((needs & NEED_TOKEN) != 0 && o->token.label[0] == 0 && o->token.serial[0] == 0)
		return FAULT(
		    f, RC_INVALID, "usage", "which token: --label, --serial or --token");
	if ((needs & NEED_LABEL) != 0 && (o->token.label[0] == 0 || o->token.serial[0] != 0))
		return FAULT(f, RC_INVALID, "usage",
		    "%s needs --label alone: the token chooses its serial", r->command->name);
	if ((needs & NEED_FILE) != 0 && o->file_name == NULL)
		return FAULT(f, RC_INVALID, "usage", "%s needs --%s FILE", r->command->name,
		    (needs & FILE_SECRET) != 0 ? "key" : "cert");
	if (o->so && o->pin.ref != NULL)
		return FAULT(f, RC_INVALID, "usage", "--so takes --so-pin, not --pin");
	return RC_OK;
}

static enum rc
parse(int argc, char **argv, struct request *r, struct fault *f)
{
	int option;

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			r->command = &commands[i];
	}
	if (r->command == NULL)
		return FAULT(f, RC_INVALID, "usage", "no such command");
	opterr = 0;
	optind = 2;
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		TRY(take(option, optarg, r, f));
	if (optind != argc)
		return FAULT(f, RC_INVALID, "usage", "'%s' is too much", argv[optind]);
	if (r->o.module == NULL && r->o.token.module[0] != 0)
		r->o.module = r->o.token.module;
	if (r->o.pin.ref == NULL && r->o.token.pin[0] != 0)
		r->o.pin.ref = r->o.token.pin;
	return check_needs(r, f);
}

/* ---- what only the caller may read ---------------------------------------------------- */

static enum rc
get_pin(struct provision_pin *p, const char *what, bool again, struct fault *f)
{
	if (provision_typed(p))
		return ask_pin(what, again, &p->pin, f);
	return pin_read(p->ref, &p->pin, f);
}

static enum rc
get_pins(struct request *r, struct fault *f)
{
	struct provision *o = &r->o;
	unsigned needs = r->command->needs;
	bool officer = (needs & NEED_SO_PIN) != 0 ||
		       ((needs & NEED_EITHER) != 0 && (o->so || o->so_pin.ref != NULL));
	bool user = (needs & NEED_PIN) != 0 || ((needs & NEED_EITHER) != 0 && !officer);

	if (officer)
		TRY(get_pin(
		    &o->so_pin, "PIN of the security officer", (needs & MAKES_PIN) != 0, f));
	if (user)
		TRY(get_pin(&o->pin, "PIN of the user", (needs & MAKES_PIN) != 0, f));
	if ((needs & NEED_NEW_PIN) != 0)
		TRY(get_pin(&o->new_pin, "new PIN", true, f));
	return RC_OK;
}

static enum rc
check_file(int fd, const char *path, off_t max, bool secret, struct fault *f)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return FAULT(f, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "file", "%s: %s", path,
		    strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > max)
		return FAULT(f, RC_INVALID, "file", "%s is not a file of at most %lld bytes",
		    path, (long long)max);
	if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return FAULT(f, RC_DENIED, "key_file",
		    "%s has mode %04o: others may have the key already; chmod 0600 if they do "
		    "not, else let the agent make a new one",
		    path, (unsigned)(st.st_mode & 07777));
	return RC_OK;
}

static enum rc
read_file(const char *path, size_t max, bool secret, struct buf *b, struct fault *f)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n;

	TRY(check_file(fd, path, (off_t)max, secret, f));
	*b = BUF_INIT(max);
	do {
		/* In one piece, so that no earlier one of a key is left behind. */
		size_t want = b->len == 0 ? max : 1;
		uint8_t *room = buf_room(b, want);

		if (room == NULL)
			return buf_check(b, f);
		n = read(fd, room, want);
		if (n < 0)
			return FAULT(f, RC_IO, "file", "%s: %s", path, strerror(errno));
		buf_grew(b, (size_t)n);
	} while (n > 0 && b->len < max);
	return RC_OK;
}

static enum rc
get_files(struct request *r, struct fault *f)
{
	struct provision *o = &r->o;
	bool secret = (r->command->needs & FILE_SECRET) != 0;

	if ((r->command->needs & NEED_FILE) != 0)
		TRY(read_file(o->file_name, PROVISION_MAX_FILE, secret, &o->file, f));
	if (o->uses_name != NULL)
		TRY(read_file(o->uses_name, USES_MAX_FILE, false, &o->uses, f));
	return RC_OK;
}

/* ---- the end ------------------------------------------------------------------------ */

static int
status(const struct fault *f)
{
	switch (f->rc) {
	case RC_OK: return 0;
	case RC_INVALID: return 2;
	case RC_DENIED: return 4;
	case RC_NOT_FOUND: return 6;
	default: return 1;
	}
}

static enum rc
run(struct request *r, struct fault *f)
{
	/* Before anything secret is read. */
	TRY(isolate_limits(f));
	TRY(get_pins(r, f));
	TRY(get_files(r, f));
	/* As the token's user: what the module makes there is then the agent's to use. */
	TRY(isolate_become(r->user, f));
	TRY(r->command->run(&r->o, stdout, f));
	if (fflush(stdout) != 0 || ferror(stdout))
		return FAULT(f, RC_IO, "output", "standard output cannot be written");
	return RC_OK;
}

int
main(int argc, char **argv)
{
	static struct request r = { .o = { .threads = 1, .seconds = 3 } };
	struct fault f = { .rc = RC_OK };

	r.o.starter = getuid();
	/* Whoever reads may be gone: a login in a token is not left half-way for that. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* Before the module is loaded: its at-exit handlers and OpenSSL's end in a crash. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (parse(argc, argv, &r, &f) == RC_OK)
		(void)!run(&r, &f);
	(void)fflush(stdout);
	pin_wipe(&r.o.pin.pin);
	pin_wipe(&r.o.so_pin.pin);
	pin_wipe(&r.o.new_pin.pin);
	buf_wipe(&r.o.file);
	buf_free(&r.o.uses);
	if (f.rc != RC_OK)
		fprintf(stderr, "vesper-hsm-admin: %s: %s\n", f.reason, f.detail);
	if (strcmp(f.reason, "usage") == 0)
		fputs(usage, stderr);
	_exit(status(&f));
}
