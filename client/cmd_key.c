/*
 * A key from a file, as a bridge to the first renewal: vesper-hsm-admin brings
 * it into the token; its certificate and the mark that says "imported" are put
 * where the front looks for them.
 */
#include "client/provision.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "stir/chain.h"

enum { KEY_HEX = 2 * KEY_ID_LEN, FILE_MODE = 0600, FOLDER_MODE = 0700 };

struct bridge {
	const struct config *config;
	const struct config_tenant *tenant;
	const struct config_credential *credential;
	const char *name; /* of the credential; of a divided one it is a part's */
	const struct config_token *token;
	struct buf pem; /* the certificate, then those above it */
	char key[KEY_HEX + 1];
};

/* ---- what is asked for ------------------------------------------------------------- */

static enum rc
find_credential(struct bridge *b, const char *name, struct fault *f)
{
	char tenant[CONFIG_NAME_MAX + 1];
	const char *slash = strchr(name, '/');

	if (slash == NULL || (size_t)(slash - name) >= sizeof tenant)
		return FAULT(f, RC_INVALID, "usage", "--credential is TENANT/NAME");
	snprintf(tenant, sizeof tenant, "%.*s", (int)(slash - name), name);
	b->tenant = config_tenant_find(b->config, tenant);
	if (b->tenant != NULL)
		b->credential = config_credential_find(b->tenant, slash + 1);
	b->name = slash + 1;
	if (b->credential == NULL)
		return FAULT(f, RC_NOT_FOUND, "usage", "%s has no credential %.130s",
		    b->config->file, name);
	b->token = config_token_find(b->config, b->credential->token);
	if (b->token == NULL)
		return FAULT(f, RC_BUG, "usage", "the credential has no token");
	return RC_OK;
}

static enum rc
read_chain(struct bridge *b, const char *path, struct fault *f)
{
	AUTO(chain) *chain = NULL;
	AUTO_BUF hex = BUF_INIT(KEY_HEX + 1);

	b->pem = BUF_INIT(CHAIN_MAX_BYTES);
	TRY(cli_read(path, &b->pem, f));
	TRY(chain_read_pem(
	    buf_view(&b->pem), b->credential->allow_range_to_all_nines, &chain, f));
	if (!chain->cert[0]->p256)
		return FAULT(f, RC_INVALID, "key", "the certificate's key is not on P-256");
	buf_hex(&hex, span_of(chain->cert[0]->key_id, KEY_ID_LEN));
	TRY(buf_check(&hex, f));
	memcpy(b->key, hex.ptr, KEY_HEX);
	b->key[KEY_HEX] = 0;
	return RC_OK;
}

/* ---- where the front looks ------------------------------------------------------------ */

static enum rc
path_of(const struct bridge *b, const char *folder, char out[PROGRAM_PATH], struct fault *f)
{
	int n = snprintf(out, PROGRAM_PATH, "%s/front/%s", b->config->state_dir, folder);

	if (n < 0 || n >= PROGRAM_PATH)
		return FAULT(f, RC_INVALID, "usage", "state_dir: too long");
	return RC_OK;
}

static enum rc
folder_of(const struct bridge *b, char out[PROGRAM_PATH], struct fault *f)
{
	char inner[2 * CONFIG_NAME_MAX + 16];

	snprintf(inner, sizeof inner, "tenants/%s/%s", b->tenant->name, b->name);
	return path_of(b, inner, out, f);
}

static enum rc
failed(struct fault *f, const char *what, const char *path)
{
	return FAULT(f, RC_IO, "io", "%s %.200s: %s", what, path, strerror(errno));
}

/* Each that is missing below the front's own, which vesperd makes. */
static enum rc
make_folders(const char *own, char *path, struct fault *f)
{
	if (access(own, W_OK) != 0)
		return failed(f, "the front's directory (start vesperd once):", own);
	for (char *p = path + strlen(own) + 1; p != NULL;) {
		char *slash = strchr(p, '/');

		if (slash != NULL)
			*slash = 0;
		if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
			return failed(f, "mkdir", path);
		if (slash != NULL)
			*slash = '/';
		p = slash != NULL ? slash + 1 : NULL;
	}
	return RC_OK;
}

static enum rc
sync_folder(const char *path, struct fault *f)
{
	AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0 ? RC_OK : failed(f, "fsync", path);
}

static enum rc
write_temp(const char *temp, struct span text, struct fault *f)
{
	AUTO_FD fd =
	    open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

	if (fd < 0)
		return failed(f, "create", temp);
	if (write(fd, text.ptr, text.len) != (ssize_t)text.len || fsync(fd) != 0)
		return failed(f, "write", temp);
	return RC_OK;
}

/* Whole or not at all, as the front writes its own. */
static enum rc
write_whole(const char *folder, const char *name, struct span text, struct fault *f)
{
	char path[PROGRAM_PATH + 80], temp[PROGRAM_PATH + 88];
	enum rc rc;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	snprintf(temp, sizeof temp, "%s.import", path);
	rc = write_temp(temp, text, f);
	if (rc == RC_OK && rename(temp, path) != 0)
		rc = failed(f, "rename to", path);
	if (rc == RC_OK)
		return sync_folder(folder, f);
	(void)unlink(temp);
	return rc;
}

/* The mark first: a key of a file is never in force without it. */
static enum rc
put_in_place(const struct bridge *b, struct fault *f)
{
	char own[PROGRAM_PATH], folder[PROGRAM_PATH], keys[PROGRAM_PATH];
	char name[KEY_HEX + 8], mark[CONFIG_NAME_MAX + 64];

	snprintf(own, sizeof own, "%s/front", b->config->state_dir);
	snprintf(name, sizeof name, "%s.json", b->key);
	snprintf(mark, sizeof mark, "{\"token\":\"%s\",\"made\":0,\"imported\":true}",
	    b->token->name);
	TRY(folder_of(b, folder, f));
	TRY(path_of(b, "keys", keys, f));
	TRY(make_folders(own, keys, f));
	TRY(make_folders(own, folder, f));
	TRY(write_whole(keys, name, span_str(mark), f));
	return write_whole(folder, "current.pem", buf_view(&b->pem), f);
}

/* As root for good: the files are the front's, and so are the folders that it may change. */
static enum rc
become_front(const struct config *c, struct fault *f)
{
	const struct passwd *pw = NULL;

	if (geteuid() != 0)
		return RC_OK;
	errno = 0;
	pw = getpwnam(c->front_user);
	if (pw == NULL)
		return FAULT(f, RC_NOT_FOUND, "user", "front_user %s: %s", c->front_user,
		    errno != 0 ? strerror(errno) : "no such user");
	if (initgroups(c->front_user, pw->pw_gid) != 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return failed(f, "become", c->front_user);
	return RC_OK;
}

static enum rc
check_free(const struct bridge *b, struct fault *f)
{
	char folder[PROGRAM_PATH], path[PROGRAM_PATH + 16];

	TRY(folder_of(b, folder, f));
	snprintf(path, sizeof path, "%s/current.pem", folder);
	if (access(path, F_OK) == 0)
		return FAULT(f, RC_CONFLICT, "conflict",
		    "%s/%s has a certificate: a key is imported before the first one alone",
		    b->tenant->name, b->name);
	return RC_OK;
}

/* ---- the command ------------------------------------------------------------------------ */

struct import {
	struct provision_options o;
	const char *credential, *cert, *key;
};

static int
status_of(const struct fault *f)
{
	switch (f->rc) {
	case RC_INVALID: return EXIT_USAGE;
	case RC_NOT_FOUND: return EXIT_ABSENT;
	default: return EXIT_FAILED;
	}
}

/* b: the certificate that goes with the key; NULL: none. */
static int
run_admin(struct cli *cli, const struct import *i, const struct config *c,
    const struct config_token *t, const struct bridge *b)
{
	static struct provision_start s;
	struct fault f = { 0 };
	const char *key = NULL;

	if (provision_path(&s, i->key, &key, &f) != RC_OK ||
	    provision_prepare(cli, "import", &i->o, c, t, &s, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	/* From here on in the configuration's directory: its relative paths hold. */
	if (b != NULL && check_free(b, &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "not imported", &f,
		    "let it be renewed, or remove the certificate first");
	words_pair(&s.args, "--key", key);
	words_pair(&s.args, "--key-id", b != NULL ? b->key : NULL);
	return program_run(cli, s.program, &s.args, &s.env);
}

static int
with_certificate(struct cli *cli, const struct import *i, const struct config *c)
{
	struct bridge b = { .config = c };
	struct fault f = { 0 };
	int status;

	if (find_credential(&b, i->credential, &f) != RC_OK ||
	    read_chain(&b, i->cert, &f) != RC_OK)
		status = cli_fault(cli, status_of(&f), "not imported", &f, NULL);
	else
		status = run_admin(cli, i, c, b.token, &b);
	if (status == EXIT_DONE &&
	    (become_front(c, &f) != RC_OK || put_in_place(&b, &f) != RC_OK))
		status = cli_fault(cli, EXIT_FAILED,
		    "the key is in the token, its certificate not in place", &f,
		    "mend that and do it again");
	else if (status == EXIT_DONE && !cli->json && !cli->quiet)
		printf("certificate in place for %s: reload vesperd (SIGHUP)\n", i->credential);
	buf_free(&b.pem);
	return status;
}

static int
import(struct cli *cli, const struct import *i)
{
	AUTO(config) *c = NULL;
	const struct config_token *t = NULL;
	struct fault f = { 0 };

	if (provision_by_config(&i->o) &&
	    config_read(i->o.config != NULL ? i->o.config : SYSCONFDIR "/vesperd.conf", &c,
		&f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "the configuration is not good", f.detail,
		    "mend it, or name the module by --module");
	if (i->credential != NULL)
		return with_certificate(cli, i, c);
	if (c != NULL && provision_section(&i->o, c, &t, &f) != RC_OK)
		return cli_fault(cli, status_of(&f), "which token", &f, NULL);
	return run_admin(cli, i, c, t, NULL);
}

int
cmd_key(struct cli *cli, int argc, char **argv)
{
	struct import i = { .credential = NULL };
	struct text_list rest = { 0 };
	struct fault f = { 0 };
	const struct option options[] = { PROVISION_OPTIONS(i.o),
		{ "--credential", OPTION_TEXT, &i.credential },
		{ "--cert", OPTION_TEXT, &i.cert }, { 0 } };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, "see: vesper key --help");
	if (rest.len != 2 || strcmp(rest.item[0], "import") != 0)
		return cli_fail(
		    cli, EXIT_USAGE, "usage", "key import KEY.pem", "see: vesper key --help");
	if ((i.credential == NULL) != (i.cert == NULL))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--credential TENANT/NAME and --cert CHAIN.pem go together", NULL);
	if (i.credential != NULL && (!provision_by_config(&i.o) || i.o.token != NULL))
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "a credential names its token: neither --token nor --module beside it",
		    NULL);
	i.key = rest.item[1];
	return import(cli, &i);
}
