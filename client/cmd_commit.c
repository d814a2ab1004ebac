/*
 * Salts and commitments for a claim agent's token: which claims a certificate
 * is to announce, each in the mode that is chosen for it (VESPER -06, V-52).
 */
#include "client/cli.h"
#include "client/show.h"
#include "stir/jtext.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { CLAIMS_MAX = 65536, SALT_PATH_MAX = 4096 };

struct commit {
	const char *claims, *salts;
	struct text_list value, hash, commit, must_include, must_exclude;
	bool salt_hash, enhanced;
};

/* What is being made. */
struct made {
	json_t *claims;
	struct constraints *limits;
	struct buf salts; /* the text of the file */
};

static void
made_done(struct made *m)
{
	json_decref(m->claims);
	constraints_free(m->limits);
	buf_wipe(&m->salts);
}

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "constraints");
}

/* ---- one entry ---------------------------------------------------------------------- */

static enum rc
add_entry(struct constraints *c, const char *path, enum privacy_mode mode, const char *value,
    struct fault *f)
{
	struct permitted *p = &c->permitted[c->permitteds];
	AUTO_BUF name = BUF_INIT(PRIVACY_MAX_PATH + 32);

	buf_str(&name, path);
	buf_str(&name, privacy_suffix(mode));
	TRY(buf_check(&name, f));
	p->value = calloc(1, sizeof *p->value);
	if (p->value == NULL)
		return no_memory(f);
	c->permitteds++; /* from here on it is freed with c */
	p->values = 1;
	p->value[0] = strdup(value);
	p->claim = buf_steal(&name);
	return p->claim != NULL && p->value[0] != NULL ? RC_OK : no_memory(f);
}

/* The part of the claims that a path names; a path that names nothing is a slip. */
static enum rc
find(const struct made *m, char *path, const json_t **out, struct fault *f)
{
	const struct permitted p = { .claim = path };
	struct privacy_name n = { 0 };

	TRY(privacy_name(path, &n, f));
	if (n.mode != PRIVACY_VALUE)
		return FAULT(f, RC_INVALID, "path", "'%.60s': the mode is the option", path);
	TRY(constraints_part(m->claims, &p, out, f));
	if (*out == NULL)
		return FAULT(
		    f, RC_NOT_FOUND, "path", "the claims have nothing at '%.60s'", path);
	return RC_OK;
}

static enum rc
put_value(
    const struct commit *o, struct made *m, char *path, const json_t *value, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(CONSTRAINTS_MAX_DER);

	(void)o;
	TRY(constraints_text(&text, value, f));
	if (buf_text(&text) == NULL)
		return no_memory(f);
	return add_entry(m->limits, path, PRIVACY_VALUE, buf_text(&text), f);
}

static enum rc
put_hash(
    const struct commit *o, struct made *m, char *path, const json_t *value, struct fault *f)
{
	char digest[PRIVACY_DIGEST_TEXT];

	(void)o;
	if (strcmp(path, "rcd") == 0 || strncmp(path, "rcd/", 4) == 0) /* D-14 */
		return FAULT(f, RC_INVALID, "path",
		    "'%.60s': rcd has its digests in rcdi; see: vesper rcd", path);
	TRY(privacy_digest(span_of(NULL, 0), value, digest, f));
	return add_entry(m->limits, path, PRIVACY_HASH, digest, f);
}

static enum rc
put_salted(const struct commit *o, struct made *m, char *path, const json_t *value,
    struct span salt, struct fault *f)
{
	char digest[PRIVACY_DIGEST_TEXT];

	TRY(salts_put(&m->salts, span_str(path), salt, f));
	TRY(privacy_digest(salt, value, digest, f));
	TRY(add_entry(m->limits, path, PRIVACY_COMMIT, digest, f));
	if (!o->salt_hash)
		return RC_OK;
	TRY(privacy_salt_digest(salt, digest, f));
	return add_entry(m->limits, path, PRIVACY_SALT, digest, f);
}

static enum rc
put_commit(
    const struct commit *o, struct made *m, char *path, const json_t *value, struct fault *f)
{
	uint8_t salt[PRIVACY_SALT_NEW];
	enum rc rc;

	/* V-55: of the kernel's generator, one for each path, so that none can be linked. */
	if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt)
		return FAULT(f, RC_IO, "random", "no random octets");
	rc = put_salted(o, m, path, value, span_of(salt, sizeof salt), f);
	OPENSSL_cleanse(salt, sizeof salt);
	return rc;
}

typedef enum rc put_fn(
    const struct commit *o, struct made *m, char *path, const json_t *value, struct fault *f);

static enum rc
put_list(const struct commit *o, struct made *m, const struct text_list *list, put_fn *put,
    struct fault *f)
{
	for (size_t i = 0; i < list->len; i++) {
		AUTO_FREE char *path = strdup(list->item[i]);
		const json_t *value = NULL;

		if (path == NULL)
			return no_memory(f);
		TRY(find(m, path, &value, f));
		TRY(put(o, m, path, value, f));
	}
	return RC_OK;
}

/* ---- all of them -------------------------------------------------------------------- */

static enum rc
copy_names(const struct text_list *list, char ***out, size_t *n, struct fault *f)
{
	if (list->len == 0)
		return RC_OK;
	*out = calloc(list->len, sizeof **out);
	if (*out == NULL)
		return no_memory(f);
	for (; *n < list->len; (*n)++) {
		(*out)[*n] = strdup(list->item[*n]);
		if ((*out)[*n] == NULL)
			return no_memory(f);
	}
	return RC_OK;
}

static enum rc
make(const struct commit *o, struct made *m, struct fault *f)
{
	static const struct constraints_policy policy;
	struct constraints *c = calloc(1, sizeof *c);

	m->limits = c;
	if (c == NULL)
		return no_memory(f);
	c->form = o->enhanced ? CONSTRAINTS_ENHANCED : CONSTRAINTS_JWT;
	c->permitted =
	    calloc(o->value.len + o->hash.len + 2 * o->commit.len + 1, sizeof *c->permitted);
	/* At once: a buffer that grew would leave copies of salts behind. */
	if (c->permitted == NULL || buf_room(&m->salts, PRIVACY_MAX_FILE) == NULL)
		return no_memory(f);
	TRY(copy_names(&o->must_include, &c->must_include, &c->must_includes, f));
	TRY(copy_names(&o->must_exclude, &c->must_exclude, &c->must_excludes, f));
	TRY(put_list(o, m, &o->value, put_value, f));
	TRY(put_list(o, m, &o->hash, put_hash, f));
	TRY(put_list(o, m, &o->commit, put_commit, f));
	return constraints_check(c, &policy, f);
}

/* ---- the file of salts -------------------------------------------------------------- */

static enum rc
write_all(int fd, struct span text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.ptr, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return RC_IO;
		(void)span_cut(&text, (size_t)n);
	}
	return fsync(fd) == 0 ? RC_OK : RC_IO;
}

static enum rc
sync_folder(const char *path)
{
	char copy[SALT_PATH_MAX];
	AUTO_FD fd = -1;

	(void)snprintf(copy, sizeof copy, "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && fsync(fd) == 0 ? RC_OK : RC_IO;
}

/* Before a commitment is shown: one whose salt is lost can never be proven. */
static enum rc
write_salts(const char *path, struct span text, struct fault *f)
{
	AUTO_FD fd = -1;

	if (strlen(path) >= SALT_PATH_MAX)
		return FAULT(f, RC_INVALID, "io", "the path of the salts is too long");
	/* Never over salts that are there: certificates may rest on them. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return FAULT(f, errno == EEXIST ? RC_CONFLICT : RC_IO, "io", "%.100s: %s", path,
		    strerror(errno));
	if (fchmod(fd, 0600) != 0 || write_all(fd, text) != RC_OK ||
	    sync_folder(path) != RC_OK) {
		int why = errno;

		(void)unlink(path);
		return FAULT(f, RC_IO, "io", "%.100s: %s", path, strerror(why));
	}
	return RC_OK;
}

/* ---- what is printed ---------------------------------------------------------------- */

static void
put_quoted(struct buf *out, const char *text)
{
	buf_byte(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\' || *text == '\n')
			buf_byte(out, '\\');
		buf_byte(out, *text == '\n' ? 'n' : (uint8_t)*text);
	}
	buf_byte(out, '"');
}

static void
put_names(struct buf *out, const char *tabs, const char *key, char *const *name, size_t n)
{
	if (n == 0)
		return;
	buf_printf(out, "%s%s = {", tabs, key);
	for (size_t i = 0; i < n; i++) {
		buf_str(out, i == 0 ? " " : ", ");
		put_quoted(out, name[i]);
	}
	buf_str(out, " }\n");
}

/* The section as it goes into a credential. */
static void
put_section(struct buf *out, const struct constraints *c)
{
	buf_printf(out, "constraints {\n\tform = %s\n",
	    c->form == CONSTRAINTS_ENHANCED ? "enhanced" : "jwt");
	put_names(out, "\t", "must_include", c->must_include, c->must_includes);
	put_names(out, "\t", "must_exclude", c->must_exclude, c->must_excludes);
	for (size_t i = 0; i < c->permitteds; i++) {
		buf_str(out, "\tpermitted ");
		put_quoted(out, c->permitted[i].claim);
		buf_str(out, " {\n");
		put_names(out, "\t\t", "values", c->permitted[i].value, c->permitted[i].values);
		buf_str(out, "\t}\n");
	}
	buf_str(out, "}\n");
}

static int
print(struct cli *cli, const struct made *m, struct fault *f)
{
	AUTO_BUF der = BUF_INIT(CONSTRAINTS_MAX_DER), hex = BUF_INIT(2 * CONSTRAINTS_MAX_DER);
	AUTO_BUF section = BUF_INIT(4 * CONSTRAINTS_MAX_DER);
	json_t *out;

	if (constraints_encode(&der, m->limits, f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "cannot encode", f, NULL);
	for (size_t i = 0; i < der.len; i++)
		buf_printf(&hex, "%02x", der.ptr[i]);
	put_section(&section, m->limits);
	if (buf_text(&hex) == NULL || buf_text(&section) == NULL)
		return cli_fail(cli, EXIT_FAILED, "cannot answer", "no memory", NULL);
	if (!cli->json) {
		printf("%s\nder: %s\n", buf_text(&section), buf_text(&hex));
		return EXIT_DONE;
	}
	out = show_constraints(m->limits);
	if (out == NULL || json_object_set_new(out, "der", json_string(buf_text(&hex))) != 0 ||
	    json_object_set_new(out, "section", json_string(buf_text(&section))) != 0)
		return cli_fail(cli, EXIT_FAILED, "cannot answer", "no memory", NULL);
	return cli_print_json(cli, out);
}

static int
commit(struct cli *cli, const struct commit *o)
{
	__attribute__((cleanup(made_done))) struct made m = { .salts =
								  BUF_INIT(PRIVACY_MAX_FILE) };
	AUTO_BUF text = BUF_INIT(CLAIMS_MAX);
	struct fault f = { 0 };

	if (cli_read(o->claims, &text, &f) != RC_OK ||
	    jtext_read(cli_trim(buf_view(&text)), &m.claims, &f) != RC_OK)
		return cli_fault(cli, f.rc == RC_NOT_FOUND ? EXIT_ABSENT : EXIT_FAILED,
		    "cannot read the claims", &f, NULL);
	if (make(o, &m, &f) != RC_OK)
		return cli_fault(cli, f.rc == RC_DENIED ? EXIT_REFUSED : EXIT_USAGE,
		    "no constraints can be made of this", &f, NULL);
	if (o->commit.len > 0 && write_salts(o->salts, buf_view(&m.salts), &f) != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "cannot write the salts", &f,
		    "name a file that is not there yet");
	return print(cli, &m, &f);
}

int
cmd_commit(struct cli *cli, int argc, char **argv)
{
	struct commit o = { 0 };
	struct text_list rest = { 0 };
	const struct option options[] = { { "--claims", OPTION_TEXT, &o.claims },
		{ "--salts", OPTION_TEXT, &o.salts }, { "--value", OPTION_LIST, &o.value },
		{ "--hash", OPTION_LIST, &o.hash }, { "--commit", OPTION_LIST, &o.commit },
		{ "--must-include", OPTION_LIST, &o.must_include },
		{ "--must-exclude", OPTION_LIST, &o.must_exclude },
		{ "--salt-hash", OPTION_FLAG, &o.salt_hash },
		{ "--enhanced", OPTION_FLAG, &o.enhanced }, { 0 } };
	struct fault f = { 0 };

	cli_wipe_json();
	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (o.claims == NULL || rest.len != 0)
		return cli_fail(
		    cli, EXIT_USAGE, "usage", "--claims FILE is due, and no arguments", NULL);
	if (o.commit.len > 0 && o.salts == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    "--commit needs --salts FILE, where the salts are kept", NULL);
	if (o.must_exclude.len > 0)
		o.enhanced = true; /* RFC 9118 */
	return commit(cli, &o);
}
