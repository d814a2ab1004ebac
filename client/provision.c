#include "client/provision.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static const char uri_scheme[] = "pkcs11:";

static bool
is_uri(const char *token)
{
	return token != NULL && strncmp(token, uri_scheme, strlen(uri_scheme)) == 0;
}

bool
provision_by_config(const struct provision_options *o)
{
	return o->module == NULL && !is_uri(o->token);
}

enum rc
provision_section(const struct provision_options *o, const struct config *c,
    const struct config_token **out, struct fault *f)
{
	if (o->token != NULL) {
		*out = config_token_find(c, o->token);
		if (*out == NULL)
			return FAULT(f, RC_NOT_FOUND, "usage",
			    "%s has no section token \"%.60s\"", c->file, o->token);
		return RC_OK;
	}
	if (c->tokens != 1)
		return FAULT(f, RC_INVALID, "usage", "%s has %zu tokens: name one by --token",
		    c->file, c->tokens);
	*out = &c->token[0];
	return RC_OK;
}

/* ---- paths ------------------------------------------------------------------------- */

static enum rc
put_path(struct provision_start *s, const char *prefix, const char *dir, const char *path,
    const char **out, struct fault *f)
{
	char *to = s->path[s->paths];
	int n;

	if (s->paths == PROVISION_PATHS)
		return FAULT(f, RC_BUG, "usage", "too many paths");
	n = snprintf(to, PROGRAM_PATH, "%s%s%s%s", prefix, dir, dir[0] != 0 ? "/" : "", path);
	if (n < 0 || n >= PROGRAM_PATH)
		return FAULT(f, RC_INVALID, "usage", "%.60s: too long", path);
	s->paths++;
	*out = to;
	return RC_OK;
}

static enum rc
absolute(struct provision_start *s, const char *prefix, const char *path, const char **out,
    struct fault *f)
{
	char here[PROGRAM_PATH] = "";

	if (path[0] != '/' && getcwd(here, sizeof here) == NULL)
		return FAULT(f, RC_IO, "usage", "working directory: %s", strerror(errno));
	return put_path(s, prefix, here, path, out, f);
}

enum rc
provision_path(struct provision_start *s, const char *path, const char **out, struct fault *f)
{
	return absolute(s, "", path, out, f);
}

/* A reference of the command line: its path is as seen from here. */
static enum rc
add_reference(struct provision_start *s, const char *option, const char *ref, struct fault *f)
{
	static const char scheme[] = "file:";
	const char *whole = ref;

	if (ref != NULL && strncmp(ref, scheme, strlen(scheme)) == 0)
		TRY(absolute(s, scheme, ref + strlen(scheme), &whole, f));
	words_pair(&s->args, option, whole);
	return RC_OK;
}

/* ---- arguments ------------------------------------------------------------------------ */

static const char *
number(unsigned n, char out[PROVISION_NUMBER])
{
	snprintf(out, PROVISION_NUMBER, "%u", n);
	return n != 0 ? out : NULL;
}

static enum rc
add_given(struct provision_start *s, const struct provision_options *o, struct fault *f)
{
	const char *lock = NULL;

	TRY(add_reference(s, "--pin", o->pin, f));
	TRY(add_reference(s, "--so-pin", o->so_pin, f));
	TRY(add_reference(s, "--new-pin", o->new_pin, f));
	if (o->lock_file != NULL)
		TRY(absolute(s, "", o->lock_file, &lock, f));
	words_pair(&s->args, "--lock-file", lock);
	words_add(&s->args, o->so ? "--so" : NULL);
	words_add(&s->args, o->read_write ? "--read-write" : NULL);
	words_pair(&s->args, "--seconds", number(o->seconds, s->seconds));
	return RC_OK;
}

/* Where a systemd unit or run has put them. */
static enum rc
add_credentials(struct provision_start *s, struct fault *f)
{
	static const char name[] = "CREDENTIALS_DIRECTORY=";
	const char *dir = getenv("CREDENTIALS_DIRECTORY"), *whole = NULL;

	for (size_t i = 0; dir != NULL && i < s->args.len; i++) {
		if (strncmp(s->args.item[i], "credential:", strlen("credential:")) != 0)
			continue;
		TRY(put_path(s, name, "", dir, &whole, f));
		words_add(&s->env, whole);
		return RC_OK;
	}
	return RC_OK;
}

static enum rc
by_hand(struct provision_start *s, const struct provision_options *o, struct fault *f)
{
	if (o->config != NULL)
		return FAULT(f, RC_INVALID, "usage",
		    "-c goes with the name of a token, not with --module or a URI");
	words_pair(&s->args, "--module", o->module);
	words_pair(&s->args, "--token", o->token);
	words_pair(&s->args, "--label", o->label);
	words_pair(&s->args, "--serial", o->serial);
	words_pair(&s->args, "--threads", number(o->threads, s->threads));
	TRY(add_given(s, o, f));
	for (size_t i = 0; i < o->environment.len; i++)
		words_add(&s->env, o->environment.item[i]);
	return RC_OK;
}

static bool
is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static enum rc
of_section(struct provision_start *s, const char *command, const struct config *c,
    const struct config_token *t, struct fault *f)
{
	const char *state = NULL;

	if (chdir(c->dir) != 0)
		return FAULT(f, RC_IO, "usage", "%s: %s", c->dir, strerror(errno));
	words_pair(&s->args, "--module", t->module);
	words_pair(&s->args, "--label", t->label);
	/* A token that is still to be made chooses its own. */
	words_pair(&s->args, "--serial", strcmp(command, "init") == 0 ? NULL : t->serial);
	/* Before vesperd's first start there is none, and no refused PIN to know of. */
	TRY(put_path(s, "", c->state_dir, "hsm", &state, f));
	words_pair(&s->args, "--state", is_directory(state) ? state : NULL);
	words_pair(&s->args, "--user", geteuid() == 0 ? c->hsm_user : NULL);
	words_add(&s->args, t->read_write ? "--read-write" : NULL);
	for (size_t i = 0; i < t->environment.len; i++)
		words_add(&s->env, t->environment.item[i]);
	return RC_OK;
}

static enum rc
by_section(struct provision_start *s, const char *command, const struct provision_options *o,
    const struct config *c, const struct config_token *t, struct fault *f)
{
	bool officer = o->so || (o->so_pin != NULL && strcmp(command, "set-pin") == 0);

	if (o->label != NULL || o->serial != NULL || o->environment.len > 0)
		return FAULT(f, RC_INVALID, "usage",
		    "--label, --serial and --environment go with --module: a token of the "
		    "configuration has its own");
	TRY(add_given(s, o, f)); /* while paths are as seen from here */
	words_pair(&s->args, "--threads",
	    number(o->threads != 0 ? o->threads : t->threads, s->threads));
	if (o->lock_file == NULL)
		words_pair(&s->args, "--lock-file", t->lock_file);
	if (o->pin == NULL && !officer)
		words_pair(&s->args, "--pin", t->pin.text);
	return of_section(s, command, c, t, f);
}

enum rc
provision_prepare(const struct cli *cli, const char *command, const struct provision_options *o,
    const struct config *c, const struct config_token *t, struct provision_start *out,
    struct fault *f)
{
	program_find("vesper-hsm-admin", out->program);
	words_add(&out->args, "vesper-hsm-admin");
	words_add(&out->args, command);
	words_add(&out->args, cli->json ? "--json" : NULL);
	TRY(c != NULL ? by_section(out, command, o, c, t, f) : by_hand(out, o, f));
	return add_credentials(out, f);
}
