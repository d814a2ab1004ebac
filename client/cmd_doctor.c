/*
 * Every dependency tried, a row each, with what to do: what can be seen of the
 * host and the configuration from here, what the agent says, and what the
 * renewer's place reaches.  Changes nothing, prints no secret, and runs without
 * the agent too.
 */
#include "agent/config.h"
#include "client/failover.h"
#include "client/findings.h"
#include "client/job.h"
#include "client/member.h"
#include "client/probe.h"
#include "pkcs11/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>

enum {
	OTHERS_WRITE = S_IWGRP | S_IWOTH,
	OTHERS_READ = S_IRGRP | S_IROTH,
	DISK_LOW_PART = 20, /* of its blocks */
	SYNC_SLOW_MS = 50,  /* an audit record waits for it */
	LIST_OLD_DAYS = 70, /* what browsers allow a list of logs */
	DAY_S = 86400,
	OPENSSL_GOOD = 0x30000070, /* 3.0.7: CVE-2022-3602, CVE-2022-3786 */
};
#define RELEASE_S INT64_C(1767225600) /* 2026-01-01: no clock is before that */

struct doctor {
	struct cli *cli;
	const char *file; /* absolute */
	const struct config *config;
	struct findings *found;
};

static bool
yes(const json_t *o, const char *part, const char *name)
{
	return json_is_true(json_object_get(json_object_get(o, part), name));
}

/* ---- configuration, users --------------------------------------------------------------- */

static void
try_configuration(const struct doctor *d)
{
	struct fault f = { 0 };

	if (config_check_files(d->config, AT_FDCWD, false, &f) != RC_OK)
		findings_add(d->found, FINDING_BAD, "configuration",
		    "vesperd would refuse it and keep what it has", "%s", f.detail);
	else if (config_check_eab(d->config, false, &f) != RC_OK)
		findings_add(d->found, FINDING_BAD, "configuration",
		    "the CA gives the key out again", "%s", f.detail);
	else
		findings_add(d->found, FINDING_OK, "configuration", NULL,
		    "%s: %zu tenants, %zu tokens, %zu CAs", d->file, d->config->tenants,
		    d->config->tokens, d->config->cas);
}

static void
try_users(const struct doctor *d)
{
	const char *user[] = { d->config->front_user, d->config->hsm_user,
		d->config->net_user };
	uid_t uid[ARRAY_LEN(user)];

	for (size_t i = 0; i < ARRAY_LEN(user); i++) {
		const struct passwd *pw = getpwnam(user[i]);

		if (pw == NULL) {
			findings_add(d->found, geteuid() == 0 ? FINDING_BAD : FINDING_WARN,
			    "users", "create it: adduser --system --no-create-home",
			    "there is no user %s", user[i]);
			return;
		}
		uid[i] = pw->pw_uid;
	}
	if (uid[0] == 0 || uid[1] == 0 || uid[2] == 0 || uid[0] == uid[1] || uid[1] == uid[2] ||
	    uid[0] == uid[2])
		findings_add(d->found, FINDING_BAD, "users",
		    "give front_user, hsm_user and net_user a user each",
		    "two roles share a user, or one is root");
	else
		findings_add(
		    d->found, FINDING_OK, "users", NULL, "each role has a user of its own");
}

/* ---- files -------------------------------------------------------------------------------- */

/* True when it could be looked at; else it has been said. */
static bool
look(const struct doctor *d, const char *check, const char *path, struct stat *st)
{
	if (stat(path, st) == 0)
		return true;
	if (errno == EACCES)
		findings_add(d->found, FINDING_SKIPPED, check, "run it as root",
		    "%s: this user may not look", path);
	else
		findings_add(d->found, FINDING_BAD, check, "create it, or correct the name",
		    "%s: %s", path, strerror(errno));
	return false;
}

static void
try_directory(const struct doctor *d, const char *path, mode_t never)
{
	struct stat st;

	if (!look(d, "directories", path, &st))
		return;
	if (!S_ISDIR(st.st_mode))
		findings_add(d->found, FINDING_BAD, "directories", "name a directory",
		    "%s is none", path);
	else if ((st.st_mode & never) != 0)
		findings_add(d->found, FINDING_BAD, "directories", "take it from them: chmod",
		    "%s: others may %s (mode %03o)", path,
		    (st.st_mode & never & OTHERS_WRITE) != 0 ? "write" : "read",
		    (unsigned)st.st_mode & 0777);
	else
		findings_add(d->found, FINDING_OK, "directories", NULL, "%s", path);
}

static bool
is_first(const struct config *c, size_t tenant, size_t credential)
{
	const char *dir = c->tenant[tenant].credential[credential].publish_dir;

	for (size_t t = 0; t <= tenant; t++) {
		size_t n = t < tenant ? c->tenant[t].credentials : credential;

		for (size_t i = 0; i < n; i++) {
			const char *other = c->tenant[t].credential[i].publish_dir;

			if (other != NULL && strcmp(other, dir) == 0)
				return false;
		}
	}
	return true;
}

/* The web server reads what lies there, and the front writes: not everybody does. */
static void
try_directories(const struct doctor *d)
{
	const struct config *c = d->config;
	enum { SHOWN = 16 };
	unsigned shown = 0;

	try_directory(d, c->state_dir, OTHERS_WRITE | OTHERS_READ);
	try_directory(d, c->audit_dir, S_IWOTH | S_IROTH);
	for (size_t t = 0; t < c->tenants && shown < SHOWN; t++) {
		for (size_t i = 0; i < c->tenant[t].credentials && shown < SHOWN; i++) {
			const char *dir = c->tenant[t].credential[i].publish_dir;

			if (dir == NULL || !is_first(c, t, i))
				continue;
			try_directory(d, dir, S_IWOTH);
			shown++;
		}
	}
}

/* Whoever may change it has every key: it is loaded where the PIN is. */
static void
try_modules(const struct doctor *d)
{
	for (size_t i = 0; i < d->config->tokens; i++) {
		const struct config_token *t = &d->config->token[i];
		struct stat st;

		if (!look(d, "module", t->module, &st))
			continue;
		if (st.st_uid != 0 || (st.st_mode & OTHERS_WRITE) != 0)
			findings_add(d->found, FINDING_BAD, "module",
			    "chown root, chmod go-w: whoever may change it has every key",
			    "%s: owner %u, mode %03o", t->module, (unsigned)st.st_uid,
			    (unsigned)st.st_mode & 0777);
		else
			findings_add(d->found, FINDING_OK, "module", NULL, "token %s: %s",
			    t->name, t->module);
	}
}

static void
try_secret(const struct doctor *d, const char *whose, const struct secret_ref *ref)
{
	static const char scheme[] = "file:";
	const char *path;
	struct stat st;

	if (ref->text == NULL || strncmp(ref->text, scheme, sizeof scheme - 1) != 0)
		return; /* none, or a service manager's */
	path = ref->text + sizeof scheme - 1;
	if (!look(d, "secrets", path, &st))
		return;
	if ((st.st_mode & (OTHERS_WRITE | OTHERS_READ)) != 0)
		findings_add(d->found, FINDING_BAD, "secrets", "chmod 0400",
		    "%s: %s: others may read it (mode %03o)", whose, path,
		    (unsigned)st.st_mode & 0777);
	else
		findings_add(d->found, FINDING_OK, "secrets", NULL, "%s: %s", whose, path);
}

static void
try_secrets(const struct doctor *d)
{
	const struct config *c = d->config;

	for (size_t i = 0; i < c->tokens; i++)
		try_secret(d, c->token[i].name, &c->token[i].pin);
	for (size_t i = 0; i < c->cas; i++)
		try_secret(d, c->ca[i].name, &c->ca[i].eab_key);
	for (size_t i = 0; i < c->authorities; i++) {
		try_secret(d, c->authority[i].name, &c->authority[i].secret);
		try_secret(d, c->authority[i].name, &c->authority[i].tls_key);
	}
}

/* A PIN that was refused is not tried again before an operator has acted. */
static void
try_pin(const struct doctor *d, const char *dir, const struct config_token *t)
{
	struct pin_found found = { .is = PIN_FREE };
	struct fault f = { 0 };

	if (pin_recorded(dir, t->serial, t->pin.text, &found, &f) != RC_OK)
		findings_add(
		    d->found, FINDING_SKIPPED, "pin", NULL, "%s: %s", t->name, f.detail);
	else if (found.is == PIN_HELD)
		findings_add(d->found, FINDING_BAD, "pin",
		    "mend the PIN's file (vesper hsm test), then send vesperd SIGHUP; where "
		    "that token is no more, remove the record",
		    "%s: a token refused this PIN, which is not tried again: %s", t->name,
		    found.path);
	else if (found.is == PIN_UNKNOWN)
		findings_add(d->found, FINDING_WARN, "pin",
		    "see the log (pin_refused); where the token serves, remove the record",
		    "%s: a PIN of %s was refused, whether it is another now cannot be seen "
		    "here: %s",
		    t->name, t->pin.text, found.path);
	else
		findings_add(
		    d->found, FINDING_OK, "pin", NULL, "%s: it was not refused", t->name);
}

static void
try_pins(const struct doctor *d)
{
	char dir[4096];

	if (snprintf(dir, sizeof dir, "%s/hsm", d->config->state_dir) >= (int)sizeof dir)
		return; /* try_directory() says of it what there is to say */
	for (size_t i = 0; i < d->config->tokens; i++) {
		if (d->config->token[i].pin.text != NULL)
			try_pin(d, dir, &d->config->token[i]);
	}
}

/* ---- the host -------------------------------------------------------------------------------- */

static void
try_clock(const struct doctor *d)
{
	struct timex now = { 0 };
	int state = adjtimex(&now);

	if ((int64_t)time(NULL) < RELEASE_S)
		findings_add(d->found, FINDING_BAD, "clock", "set it: nothing is signed",
		    "it is before the release of this agent");
	else if (state == TIME_ERROR || (now.status & STA_UNSYNC) != 0)
		findings_add(d->found, FINDING_WARN, "clock",
		    "run chrony or systemd-timesyncd: certificates live for hours",
		    "the kernel says that nobody keeps it");
	else
		findings_add(d->found, FINDING_OK, "clock", NULL, "it is kept");
}

/* How long the disk takes for what an audit record waits for; -1: it cannot be tried. */
static int64_t
sync_ms(const char *dir)
{
	struct timespec from, to;
	int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	bool done;

	if (fd < 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &from);
	done = write(fd, "x", 1) == 1 && fdatasync(fd) == 0;
	clock_gettime(CLOCK_MONOTONIC, &to);
	close(fd);
	return done ? (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000
		    : -1;
}

static void
try_disk_of(const struct doctor *d, const char *dir)
{
	struct statvfs v;
	int64_t took_ms = sync_ms(dir);

	if (statvfs(dir, &v) != 0)
		findings_add(
		    d->found, FINDING_SKIPPED, "disk", NULL, "%s: %s", dir, strerror(errno));
	else if ((v.f_flag & ST_RDONLY) != 0)
		findings_add(d->found, FINDING_BAD, "disk", "mount it for writing",
		    "%s: read-only: nothing is signed without an audit", dir);
	else if (v.f_bavail < v.f_blocks / DISK_LOW_PART)
		findings_add(d->found, FINDING_WARN, "disk",
		    "make room: without an audit nothing is signed",
		    "%s: less than a twentieth is free", dir);
	else if (took_ms > SYNC_SLOW_MS)
		findings_add(d->found, FINDING_WARN, "disk",
		    "a faster disk: every signature waits for it", "%s: a sync takes %lld ms",
		    dir, (long long)took_ms);
	else
		findings_add(d->found, FINDING_OK, "disk", NULL, "%s: room, and syncs%s", dir,
		    took_ms < 0 ? " were not tried" : "");
}

static void
try_disks(const struct doctor *d)
{
	try_disk_of(d, d->config->state_dir);
	try_disk_of(d, d->config->audit_dir);
}

static void
try_log_list(const struct doctor *d)
{
	struct stat st;
	int64_t days;

	if (d->config->ct_logs == NULL) {
		findings_add(
		    d->found, FINDING_SKIPPED, "ct logs", NULL, "no list is configured");
		return;
	}
	/* Where one is fetched, the file serves until then alone: judge_lists(). */
	if (!look(d, "ct logs", d->config->ct_logs, &st) || d->config->ct_logs_url != NULL)
		return;
	days = ((int64_t)time(NULL) - st.st_mtime) / DAY_S;
	findings_add(d->found, days > LIST_OLD_DAYS ? FINDING_WARN : FINDING_OK, "ct logs",
	    days > LIST_OLD_DAYS ? "fetch it again: logs are retired and rejected" : NULL,
	    "%s is %lld days old", d->config->ct_logs, (long long)days);
}

static void
try_libraries(const struct doctor *d)
{
	bool good = OpenSSL_version_num() >= OPENSSL_GOOD;

	findings_add(d->found, good ? FINDING_OK : FINDING_BAD, "libraries",
	    good ? NULL : "update it: CVE-2022-3602 and CVE-2022-3786 are in 3.0.0 to 3.0.6",
	    "%s, jansson %s", OpenSSL_version(OPENSSL_VERSION), jansson_version_str());
}

/* ---- the parties outside ---------------------------------------------------------------------- */

static const struct {
	const char *reason, *todo;
} unreached[] = {
	{ "http_tls", "check tls_ca, the name in the URL, and this host's clock" },
	{ "http_unreachable", "check the URL, name resolution and the firewall" },
	{ "http_timeout", "check the firewall; it may be down" },
	{ "http_too_large", "is this URL the right one?" },
	{ "acme_directory", "is this URL the ACME directory?" },
	{ "http_status", "is this URL the right one? Ask whoever runs it" },
};

static void
say_probe(const struct doctor *d, const json_t *p)
{
	const char *todo = "look at what it is answered with";

	if (json_is_true(json_object_get(p, "ok"))) {
		findings_add(d->found, FINDING_OK, member_text(p, "kind"), NULL, "%s: %s: %s",
		    member_text(p, "name"), member_text(p, "url"), member_text(p, "detail"));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(unreached); i++) {
		if (strcmp(unreached[i].reason, member_text(p, "reason")) == 0)
			todo = unreached[i].todo;
	}
	findings_add(d->found, FINDING_BAD, member_text(p, "kind"), todo, "%s: %s: %s: %s",
	    member_text(p, "name"), member_text(p, "url"), member_text(p, "reason"),
	    member_text(p, "detail"));
}

static void
try_parties(const struct doctor *d)
{
	json_auto_t *probes = NULL;
	json_t *one;
	size_t i;

	if (probe_run(d->cli, d->file, NULL, NULL, &probes) != EXIT_DONE) {
		findings_add(d->found, FINDING_WARN, "network", PROBE_TODO,
		    "no CA and no authority was asked");
		return;
	}
	json_array_foreach (probes, i, one)
		say_probe(d, one);
}

/* ---- the agent --------------------------------------------------------------------------------- */

static void
judge_tokens(const struct doctor *d, const json_t *status)
{
	json_t *t;
	size_t i;

	json_array_foreach (json_object_get(status, "tokens"), i, t) {
		const char *room = member_text(json_object_get(t, "capacity"), "state");

		if (!json_is_true(json_object_get(t, "up")))
			findings_add(d->found, FINDING_BAD, "token",
			    "see the log (token_trouble, pin_refused), then: vesper hsm test",
			    "%s: no signer is up", member_text(t, "name"));
		else if (!yes(t, "admin", "up"))
			findings_add(d->found, FINDING_BAD, "token", "see the log",
			    "%s: no key can be made", member_text(t, "name"));
		else if (strcmp(room, "low") == 0 || strcmp(room, "full") == 0)
			findings_add(d->found, FINDING_WARN, "token",
			    "see max_keys and rekey in vesperd.conf(5)",
			    "%s: room for keys is %s", member_text(t, "name"), room);
		else
			findings_add(d->found, FINDING_OK, "token", NULL, "%s signs",
			    member_text(t, "name"));
	}
}

static void
judge_credentials(const struct doctor *d, const json_t *status)
{
	const json_t *list = json_object_get(status, "credentials");
	size_t i, n = 0;
	json_t *c, *a;

	json_array_foreach (list, i, c)
		n += json_is_true(json_object_get(c, "enabled")) && !member_is_empty_part(c) &&
		     !json_is_true(json_object_get(c, "signable"));
	findings_add(d->found, n > 0 ? FINDING_BAD : FINDING_OK, "credentials",
	    n > 0 ? "see: vesper cert list" : NULL, "%zu, of which %zu cannot sign",
	    json_array_size(list), n);
	json_array_foreach (json_object_get(status, "alarms"), i, a)
		findings_add(d->found, FINDING_WARN, "alarm", NULL, "%s: %s%s%s%s%s: %s",
		    member_text(a, "alarm"), member_text(a, "ca"), member_text(a, "token"),
		    member_text(a, "tenant"), member_text(a, "tenant")[0] != 0 ? "/" : "",
		    member_text(a, "credential"), member_text(a, "detail"));
}

/* What signs is not what is configured to, or what is to help one day could not. */
static void
judge_reserves(const struct doctor *d, const json_t *status)
{
	char word[FAILOVER_WORD_MAX];
	json_t *c;
	size_t i;

	json_array_foreach (json_object_get(status, "credentials"), i, c) {
		bool spare = member_text(c, "reserve_for")[0] != 0;
		bool by = json_is_true(json_object_get(c, "stands_by"));
		bool able = json_is_true(json_object_get(c, "signable"));

		if (!failover_word(c, word) || !json_is_true(json_object_get(c, "enabled")) ||
		    member_is_empty_part(c))
			continue;
		if (spare && by && !able)
			findings_add(d->found, FINDING_BAD, "reserve",
			    "see: vesper cert show: it could not sign if it had to",
			    "%s/%s: %s, %s", member_text(c, "tenant"), member_text(c, "name"),
			    word, member_text(c, "life"));
		else if (spare && by)
			findings_add(d->found, FINDING_OK, "reserve", NULL, "%s/%s: %s, %s",
			    member_text(c, "tenant"), member_text(c, "name"), word,
			    member_text(c, "life"));
		else if (by)
			findings_add(d->found, FINDING_WARN, "reserve",
			    "when it is well again: vesper tenant failback", "%s/%s: %s, %s",
			    member_text(c, "tenant"), member_text(c, "name"), word,
			    member_text(c, "life"));
	}
}

/* Those that are fetched, signed by their publishers. */
static void
judge_lists(const struct doctor *d, const json_t *status)
{
	size_t i;
	json_t *l;

	json_array_foreach (json_object_get(status, "trust_lists"), i, l) {
		bool in_force = json_is_true(json_object_get(l, "in_force"));
		bool alarming = json_is_true(json_object_get(l, "alarming"));

		findings_add(d->found, alarming ? FINDING_WARN : FINDING_OK, "signed list",
		    alarming ? "ask its publisher, or try by hand what the URL answers" : NULL,
		    "%s: %s%s%s", member_text(l, "list"),
		    in_force ? "in force" : "none was fetched yet, the file serves",
		    member_text(l, "problem")[0] != 0 ? ": " : "", member_text(l, "problem"));
	}
}

/* One thing that status says of a part, and what to do where it says no. */
static void
judge_part(const struct doctor *d, const json_t *status, const char *part, const char *name,
    const char *todo)
{
	bool well = yes(status, part, name);

	if (json_object_get(status, part) == NULL)
		return;
	findings_add(d->found, well ? FINDING_OK : FINDING_BAD, part, well ? NULL : todo,
	    "%s%s%s", well ? "well" : "not well", well ? "" : ": ",
	    well ? "" : member_text(json_object_get(status, part), "detail"));
}

static void
judge_agent(const struct doctor *d, const json_t *status)
{
	bool reduced = yes(status, "isolation", "reduced");

	findings_add(d->found, FINDING_OK, "agent", NULL, "vesperd %s, pid %lld",
	    member_text(status, "version"), member_number(status, "pid"));
	findings_add(d->found, reduced ? FINDING_WARN : FINDING_OK, "isolation",
	    reduced ? "start vesperd as root, or by its unit" : NULL, "%s%s",
	    reduced ? "reduced: " : "",
	    member_text(json_object_get(status, "isolation"), "detail"));
	judge_lists(d, status);
	judge_part(d, status, "reload", "ok", "mend the file: vesper config check");
	judge_part(d, status, "audit", "ok", "see its directory and disk");
	judge_part(d, status, "state_dir", "ok",
	    "make room, or mount it for writing: nothing is renewed without it");
	judge_part(d, status, "clock", "ok", "set it: nothing is signed before");
	judge_part(d, status, "renewer", "up", "see the log: nothing is renewed without it");
	judge_tokens(d, status);
	judge_credentials(d, status);
	judge_reserves(d, status);
}

/* The administration socket that the command line names, else the configuration's. */
static struct vesper_client *
reach(const struct doctor *d, struct vesper_error *e)
{
	const char *path = cli_admin_path(d->cli);
	struct vesper_client *client = NULL;

	if (path == NULL)
		path = d->config != NULL && d->config->admin_path != NULL
			   ? d->config->admin_path
			   : JOB_ADMIN_SOCKET;
	if (vesper_open(path, &client, e) != VESPER_OK)
		return NULL;
	vesper_set_timeout_ms(client, d->cli->timeout_ms);
	return client;
}

static void
try_agent(const struct doctor *d)
{
	struct vesper_response *r = NULL;
	struct vesper_error e = { 0 };
	struct vesper_client *client = reach(d, &e);
	json_auto_t *status = NULL;

	if (client == NULL || vesper_status(client, &r, &e) != VESPER_OK) {
		findings_add(d->found, FINDING_BAD, "agent",
		    "start vesperd, or run this as its administrator", "%s: %s", e.reason,
		    e.detail);
		vesper_close(client);
		return;
	}
	status = cli_answer(r);
	if (vesper_response_status(r) == 200 && json_is_object(status))
		judge_agent(d, status);
	else
		findings_add(d->found, FINDING_BAD, "agent",
		    "run it as admin_user, or one of admin_group", "%s: %s",
		    member_text(status, "reason"), member_text(status, "detail"));
	vesper_response_free(r);
	vesper_close(client);
}

/* ---- the command -------------------------------------------------------------------------------- */

static void (*const checks[])(const struct doctor *d) = { try_configuration, try_users,
	try_directories, try_modules, try_secrets, try_pins, try_clock, try_disks, try_log_list,
	try_libraries, try_parties };

static void
try_all(struct doctor *d, const char *file)
{
	AUTO_FREE char *whole = realpath(file, NULL);
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	if (whole == NULL || config_read(file, &c, &f) != RC_OK || chdir(c->dir) != 0) {
		findings_add(d->found, FINDING_BAD, "configuration",
		    "name it by -c, mend it, and run this as a user who may read it", "%s",
		    f.rc != RC_OK ? f.detail : strerror(errno));
	} else {
		d->file = whole;
		d->config = c;
		for (size_t i = 0; i < ARRAY_LEN(checks); i++)
			checks[i](d);
	}
	try_agent(d);
	d->config = NULL;
}

int
cmd_doctor(struct cli *cli, int argc, char **argv)
{
	const char *config = SYSCONFDIR "/vesperd.conf";
	struct text_list rest = { 0 };
	const struct option options[] = { { "--config", OPTION_TEXT, &config },
		{ "-c", OPTION_TEXT, &config }, { 0 } };
	AUTO_FINDINGS found;
	struct doctor d = { .cli = cli, .found = &found };
	struct fault f = { 0 };

	findings_init(&found, cli);
	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK || rest.len > 0)
		return cli_fail(cli, EXIT_USAGE, "usage",
		    rest.len > 0 ? "it takes no arguments" : f.detail, NULL);
	try_all(&d, config);
	return findings_end(&found);
}
