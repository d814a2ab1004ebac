#include "agent/supervisor/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/supervisor/place.h"

/* ---- a role's eyes ---- */

struct guise {
	bool worn;
	gid_t gid, *group;
	int groups;
};

static void
guise_cleanup(struct guise *g)
{
	free(g->group);
}

#define AUTO_GUISE __attribute__((cleanup(guise_cleanup))) struct guise

static enum rc
failed(const char *what, struct fault *f)
{
	return FAULT(f, RC_IO, "start", "%s: %s", what, strerror(errno));
}

/* An ordinary user is every role already; a user that is missing is said elsewhere. */
static enum rc
put_on(struct guise *g, const char *user, struct fault *f)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;

	if (pw == NULL || pw->pw_uid == 0)
		return RC_OK;
	g->gid = getegid();
	g->groups = getgroups(0, NULL);
	if (g->groups < 0)
		return failed("getgroups", f);
	g->group = calloc((size_t)g->groups + 1, sizeof g->group[0]);
	if (g->group == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "groups");
	if (getgroups(g->groups, g->group) != g->groups)
		return failed("getgroups", f);
	g->worn = true;
	if (initgroups(user, pw->pw_gid) != 0 || setegid(pw->pw_gid) != 0 ||
	    seteuid(pw->pw_uid) != 0)
		return failed("to look as a role's user", f);
	return RC_OK;
}

static enum rc
take_off(struct guise *g, struct fault *f)
{
	if (!g->worn)
		return RC_OK;
	g->worn = false;
	if (seteuid(0) != 0 || setegid(g->gid) != 0 ||
	    setgroups((size_t)g->groups, g->group) != 0)
		return failed("to be root again", f);
	return RC_OK;
}

/* front: it reads more than the configuration. */
static enum rc
look_as(const struct config *c, const char *user, bool front, bool test, struct fault *f)
{
	AUTO_GUISE g = { 0 };
	struct fault why = { 0 };
	enum rc rc = put_on(&g, user, f);

	if (rc == RC_OK && g.worn)
		rc = config_check_readable(c, AT_FDCWD, f);
	if (rc == RC_OK && front)
		rc = config_check_files(c, AT_FDCWD, g.worn || !test, f);
	if (take_off(&g, &why) == RC_OK)
		return rc;
	*f = why;
	return why.rc;
}

enum rc
trial_files(const struct config *c, bool test, struct fault *f)
{
	TRY(look_as(c, c->front_user, true, test, f));
	return look_as(c, c->net_user, false, test, f);
}

/* ---- what -t says ---- */

static void PRINTF_LIKE(3, 4) warn_at(const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "vesperd: warning: %s:%u: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static const char *
main_file(const struct config *c)
{
	const char *slash = strrchr(c->file, '/');

	return slash != NULL ? slash + 1 : c->file;
}

static void
warn_missing(const char *what, const char *path)
{
	if (path != NULL && access(path, F_OK) != 0)
		fprintf(stderr, "vesperd: warning: %s %s: %s; create it, or correct the name\n",
		    what, path, strerror(errno));
}

/* The directory that a file is to be in. */
static void
warn_folder(const char *what, const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *folder = slash > path ? strndup(path, (size_t)(slash - path)) : NULL;

	warn_missing(what, folder);
}

/* Made at start where it is not there; what is there must be a directory. */
static void
warn_directory(const char *what, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		fprintf(stderr,
		    "vesperd: warning: %s %s is not a directory: remove it, or choose "
		    "another one\n",
		    what, path);
	warn_folder(what, path);
}

/* The token's processes load it; its first octets tell a library from a slip of the pen. */
static void
warn_module(const char *path)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char magic[4] = "";

	warn_missing("module", path);
	if (fd >= 0 && (read(fd, magic, sizeof magic) != sizeof magic ||
			   memcmp(magic, "\177ELF", sizeof magic) != 0))
		fprintf(stderr,
		    "vesperd: warning: module %s is no shared library: name the vendor's .so\n",
		    path);
}

static const char *
path_of(const struct secret_ref *ref)
{
	return ref->text != NULL && strncmp(ref->text, "file:", 5) == 0 ? ref->text + 5 : NULL;
}

static void
warn_secret(const char *what, const struct secret_ref *ref)
{
	const char *path = path_of(ref);
	struct stat st;

	if (ref->text != NULL && strncmp(ref->text, "credential:", 11) == 0 &&
	    getenv("CREDENTIALS_DIRECTORY") == NULL)
		fprintf(stderr,
		    "vesperd: warning: %s %s: there is no CREDENTIALS_DIRECTORY here; "
		    "systemd gives one to the service, with LoadCredential=\n",
		    what, ref->text);
	warn_missing(what, path);
	if (path != NULL && stat(path, &st) == 0 && (st.st_mode & 027) != 0)
		fprintf(stderr, "vesperd: warning: %s %s has mode %04o: run chmod 0600 %s\n",
		    what, path, (unsigned)(st.st_mode & 07777), path);
}

/* The supervisor never opens it: its size says enough. */
static void
warn_empty_pin(const struct config *c, const struct config_token *t)
{
	const char *path = path_of(&t->pin);
	struct stat st;

	if (path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		warn_at(main_file(c), t->pin_line,
		    "pin %s is empty; write the user PIN of token \"%s\" into it", path,
		    t->name);
}

/* Without its file SoftHSM2 looks for tokens in a place of its own, and finds none. */
static void
warn_environment(const struct config *c, const struct config_token *t)
{
	static const char name[] = "SOFTHSM2_CONF=";

	for (size_t i = 0; i < t->environment.len; i++) {
		const char *item = t->environment.item[i];

		if (strncmp(item, name, sizeof name - 1) == 0 &&
		    access(item + sizeof name - 1, F_OK) != 0)
			warn_at(main_file(c), t->environment_line,
			    "%s: %s; create it, or correct the name", item, strerror(errno));
	}
}

/* Many credentials share a directory: it is named once where they follow each other. */
static void
warn_publishing(const struct config *c)
{
	const char *last = "";

	for (size_t i = 0; i < c->tenants; i++) {
		const struct config_tenant *t = &c->tenant[i];

		for (size_t k = 0; k < t->credentials; k++) {
			const struct config_credential *cc = &t->credential[k];

			if (cc->publish_dir == NULL || strcmp(cc->publish_dir, last) == 0)
				continue;
			last = cc->publish_dir;
			if (faccessat(AT_FDCWD, last, W_OK | X_OK, AT_EACCESS) != 0)
				warn_at(t->file, cc->publish_line,
				    "publish_dir %s: %s; it is a directory that the front's "
				    "user writes in",
				    last, strerror(errno));
		}
	}
}

static void
warn_as_front(const struct config *c)
{
	AUTO_GUISE g = { 0 };
	struct fault why = { 0 };

	if (put_on(&g, c->front_user, &why) == RC_OK)
		warn_publishing(c);
	if (take_off(&g, &why) != RC_OK || why.rc != RC_OK)
		fprintf(stderr, "vesperd: warning: %s\n", why.detail);
}

static void
warn_token(const struct config *c, const struct config_token *t)
{
	warn_module(t->module);
	if (strncmp(t->lock_file, c->state_dir, strlen(c->state_dir)) != 0)
		warn_folder("the lock file's directory", t->lock_file); /* else made at start */
	warn_secret("pin", &t->pin);
	warn_empty_pin(c, t);
	warn_environment(c, t);
}

static bool
has_door(const struct config *c, const struct config_tenant *t)
{
	for (size_t i = 0; i < c->listens; i++) {
		const struct config_listen *l = &c->listen[i];

		if (l->auth_socket && l->tenant != NULL && strcmp(l->tenant, t->name) == 0)
			return true;
	}
	return false;
}

static void
warn_tenants(const struct config *c)
{
	if (c->tenants == 0)
		fprintf(stderr,
		    "vesperd: warning: no tenant: put a file for each into tenants.d beside "
		    "%s\n",
		    main_file(c));
	for (size_t i = 0; i < c->tenants; i++) {
		const struct config_tenant *t = &c->tenant[i];

		if (t->allow_uids == 0 && t->allow_gids == 0 && !has_door(c, t))
			warn_at(t->file, t->line,
			    "nobody may use tenant \"%s\": add allow_user or allow_group",
			    t->name);
	}
}

static void
warn_users(const struct config *c)
{
	struct place_users users;
	struct fault why = { 0 };

	if (place_users(c, geteuid() == 0, &users, &why) != RC_OK)
		fprintf(stderr, "vesperd: warning: %s\n", why.detail);
}

void
trial_warn(const struct config *c)
{
	for (size_t i = 0; i < c->listens; i++)
		warn_folder("the socket's directory", c->listen[i].path);
	warn_directory("state_dir", c->state_dir);
	warn_directory("audit_dir", c->audit_dir);
	warn_tenants(c);
	if (c->admin_path != NULL)
		warn_folder("the socket's directory", c->admin_path);
	for (size_t i = 0; i < c->tokens; i++)
		warn_token(c, &c->token[i]);
	for (size_t i = 0; i < c->cas; i++) {
		warn_missing("tls_ca", c->ca[i].tls_ca);
		warn_secret("eab_key", &c->ca[i].eab_key);
	}
	for (size_t i = 0; i < c->authorities; i++) {
		warn_missing("tls_ca", c->authority[i].tls_ca);
		warn_secret("secret", &c->authority[i].secret);
		warn_missing("tls_cert", c->authority[i].tls_cert);
		warn_secret("tls_key", &c->authority[i].tls_key);
	}
	warn_as_front(c);
	warn_users(c);
}
