/* vesperd.conf: doors, tokens, the files that are trusted, users and limits. */
#include "agent/config_parse.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	MAX_LISTENS = 64,
	MAX_PROCESSES = 32,
	MAX_THREADS = 64,
	MAX_BACKOFF_MS = 60000,
	LOCAL_BACKOFF_MS = 1000,
	NETWORK_BACKOFF_MS = 5000,
	MAX_LIST_REFRESH_S = 604800,
	MAX_LIST_AGE_S = 31536000,
	MAX_IAT_PAST_S = 600,
	MIN_CRL_AGE_S = 3600,
	MAX_CRL_AGE_S = 31536000,
	MIN_CRL_REFRESH_S = 5,
	MAX_CRL_REFRESH_S = 86400,
	MAX_IAT_FUTURE_S = 60,
	MAX_IAT_DIVERTED_S = 86400,
	MAX_SOCKET_PATH = sizeof((struct sockaddr_un *)0)->sun_path - 1,
};

/* ---- listen --------------------------------------------------------------- */

static enum rc
read_socket_path(const struct section *s, const char *key, char **out, struct fault *f)
{
	TRY(section_required(s, key, out, f));
	if (strlen(*out) > MAX_SOCKET_PATH)
		return section_bad(s, key, f,
		    "'%s' has %zu bytes; a socket's path has at most %d: use a shorter "
		    "directory",
		    key, strlen(*out), (int)MAX_SOCKET_PATH);
	return RC_OK;
}

/* Octal by meaning, so it is text in the file. */
static enum rc
read_mode(const struct section *s, const char *key, mode_t *out, struct fault *f)
{
	const char *text = section_text(s, key);
	size_t len = strspn(text, "01234567");

	if (len < 3 || len > 4 || text[len] != 0 || (len == 4 && text[0] != '0'))
		return section_bad(s, key, f, "'%s' must be an octal mode like \"0660\"", key);
	*out = (mode_t)strtoul(text, NULL, 8);
	return RC_OK;
}

static enum rc
read_listen(
    struct config_reader *r, const struct section *s, struct config_listen *l, struct fault *f)
{
	static const char *const auth[] = { "peer", "socket", NULL };
	unsigned choice = 0;
	gid_t gid = 0;

	TRY(section_name(s, &l->name, f));
	TRY(read_socket_path(s, "path", &l->path, f));
	TRY(read_mode(s, "mode", &l->mode, f));
	TRY(section_string(s, "group", &l->group, f));
	if (l->group != NULL)
		TRY(section_group(s, "group", l->group, &r->ids, &gid, f));
	TRY(section_string(s, "tenant", &l->tenant, f));
	TRY(section_choice(s, "auth", auth, &choice, f));
	l->auth_socket = choice == 1;
	if (l->auth_socket && l->tenant == NULL)
		return section_bad(s, "auth", f,
		    "auth = socket makes every caller the tenant's: name it with tenant = "
		    "\"…\"");
	return RC_OK;
}

static enum rc
check_paths_differ(const struct section *top, const struct config *c, struct fault *f)
{
	for (size_t i = 0; i < c->listens; i++) {
		struct section s = section_child(top, "listen", i);

		if (c->admin_path != NULL && strcmp(c->listen[i].path, c->admin_path) == 0)
			return section_bad(
			    &s, "path", f, "the administration socket has the same path");
		for (size_t k = 0; k < i; k++) {
			if (strcmp(c->listen[i].path, c->listen[k].path) == 0)
				return section_bad(&s, "path", f,
				    "listen '%s' has the same path", c->listen[k].name);
		}
	}
	return RC_OK;
}

/* Without a listen section there is one, at the place where callers look. */
static enum rc
default_listen(struct config *c, struct fault *f)
{
	c->listen = calloc(1, sizeof c->listen[0]);
	if (c->listen == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "listen");
	c->listens = 1;
	c->listen[0].name = strdup("main");
	c->listen[0].path = strdup("/run/vesper/vesper.sock");
	c->listen[0].mode = 0660;
	if (c->listen[0].name == NULL || c->listen[0].path == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "listen");
	return RC_OK;
}

static enum rc
read_listens(struct config_reader *r, const struct section *top, struct fault *f)
{
	struct config *c = r->c;
	void *list = NULL;
	size_t n = 0;

	TRY(section_list(top, "listen", sizeof c->listen[0], MAX_LISTENS, &list, &n, f));
	if (n == 0)
		return default_listen(c, f);
	c->listen = list;
	for (c->listens = 0; c->listens < n;) {
		struct section s = section_child(top, "listen", c->listens);

		TRY(read_listen(r, &s, &c->listen[c->listens++], f));
	}
	return check_paths_differ(top, c, f);
}

/* ---- token ---------------------------------------------------------------- */

static enum rc
check_environment(const struct section *s, const struct config_strings *env, struct fault *f)
{
	for (size_t i = 0; i < env->len; i++) {
		const char *e = env->item[i];
		size_t len = strspn(
		    e, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

		if (len == 0 || e[len] != '=' || (e[0] >= '0' && e[0] <= '9'))
			return section_bad(s, "environment", f,
			    "entry %zu of 'environment' is not \"NAME=VALUE\"", i + 1);
	}
	return RC_OK;
}

static enum rc
default_lock_file(const struct config *c, struct config_token *t, struct fault *f)
{
	if (t->lock_file == NULL &&
	    asprintf(&t->lock_file, "%s/hsm/%s.lock", c->state_dir, t->name) < 0) {
		t->lock_file = NULL;
		return FAULT(f, RC_NO_MEMORY, "no_memory", "lock_file");
	}
	return RC_OK;
}

static enum rc
read_token_faults(const struct section *s, struct config_token *t, struct fault *f)
{
	static const char *const verify[] = { "first", "all", NULL };
	static const char *const affinity[] = { "auto", "none", NULL };
	unsigned which = 0;

	TRY(section_choice(s, "verify_signatures", verify, &which, f));
	t->verify_all = which == 1;
	t->network = section_bool(s, "network");
	TRY(section_choice(s, "affinity", affinity, &which, f));
	t->any_processor = which == 1;
	TRY(section_uint(s, "backoff_max_ms", 0, MAX_BACKOFF_MS, &t->backoff_max_ms, f));
	if (t->backoff_max_ms == 0)
		t->backoff_max_ms = t->network ? NETWORK_BACKOFF_MS : LOCAL_BACKOFF_MS;
	return RC_OK;
}

static enum rc
read_token(
    const struct config *c, const struct section *s, struct config_token *t, struct fault *f)
{
	TRY(section_name(s, &t->name, f));
	TRY(section_required(s, "module", &t->module, f));
	if (t->module[0] != '/')
		return section_bad(s, "module", f,
		    "'module' must be an absolute path, like "
		    "\"/usr/lib/softhsm/libsofthsm2.so\"");
	TRY(section_string(s, "label", &t->label, f));
	TRY(section_string(s, "serial", &t->serial, f));
	if (t->label == NULL && t->serial == NULL)
		return section_bad(
		    s, NULL, f, "token '%s' needs a label or a serial, or both", t->name);
	TRY(section_secret(s, "pin", &t->pin, f));
	if (t->pin.text == NULL)
		return section_bad(s, NULL, f, "'pin' is missing; write pin = \"file:PATH\"");
	t->pin_line = section_line(s, "pin");
	t->environment_line = section_line(s, "environment");
	TRY(section_uint(s, "processes", 1, MAX_PROCESSES, &t->processes, f));
	TRY(section_uint(s, "threads", 1, MAX_THREADS, &t->threads, f));
	TRY(section_string(s, "lock_file", &t->lock_file, f));
	TRY(default_lock_file(c, t, f));
	TRY(section_strings(s, "environment", &t->environment, f));
	TRY(check_environment(s, &t->environment, f));
	TRY(section_strings(s, "read_paths", &t->read_paths, f));
	TRY(section_strings(s, "write_paths", &t->write_paths, f));
	t->read_write = section_bool(s, "read_write");
	TRY(section_uint(s, "max_keys", 0, 1000000, &t->max_keys, f));
	TRY(section_uint(s, "canary_s", 1, 3600, &t->canary_s, f));
	return read_token_faults(s, t, f);
}

static enum rc
read_tokens(struct config *c, const struct section *top, struct fault *f)
{
	void *list = NULL;
	size_t n = 0;

	TRY(section_list(top, "token", sizeof c->token[0], CONFIG_MAX_TOKENS, &list, &n, f));
	c->token = list;
	for (c->tokens = 0; c->tokens < n;) {
		struct section s = section_child(top, "token", c->tokens);

		TRY(read_token(c, &s, &c->token[c->tokens++], f));
	}
	return RC_OK;
}

/* ---- top ------------------------------------------------------------------ */

/*
 * Who started the agent administers it.  A role runs as a user of its own and
 * learns from the supervisor who that was.
 */
static uid_t
starter(void)
{
	const char *text = getenv(CONFIG_STARTER_ENV);
	unsigned long value;
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return getuid();
	value = strtoul(text, &end, 10);
	return *end == 0 && value < UINT32_MAX ? (uid_t)value : getuid();
}

/* What a role that was taken over could then do is what keeps it apart from the others. */
static enum rc
check_no_role(struct config_reader *r, const struct section *top, struct fault *f)
{
	const char *const roles[] = { r->c->front_user, r->c->hsm_user, r->c->net_user };
	uid_t uid = 0;

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (section_user(top, "admin_user", roles[i], &r->ids, &uid, NULL) == RC_OK &&
		    uid == r->c->admin_uid)
			return section_bad(top, "admin_user", f,
			    "'admin_user' is '%.40s', a role's user: a role administers "
			    "nothing",
			    roles[i]);
	}
	return RC_OK;
}

static enum rc
read_admin(struct config_reader *r, const struct section *top, struct fault *f)
{
	const char *user = section_text(top, "admin_user");
	const char *group = section_text(top, "admin_group");

	r->c->admin_uid = starter();
	r->c->admin_gid = (gid_t)-1;
	if (user != NULL) {
		TRY(section_user(top, "admin_user", user, &r->ids, &r->c->admin_uid, f));
		TRY(check_no_role(r, top, f));
	}
	if (group != NULL)
		TRY(section_group(top, "admin_group", group, &r->ids, &r->c->admin_gid, f));
	if (strcmp(section_text(top, "admin_socket"), "none") == 0)
		return RC_OK;
	return read_socket_path(top, "admin_socket", &r->c->admin_path, f);
}

/* Dotted, as in "1.3.6.1.5.5.7.1.26". */
static enum rc
read_oid(const struct section *s, const char *key, char **out, struct fault *f)
{
	ASN1_OBJECT *oid;

	TRY(section_string(s, key, out, f));
	if (*out == NULL)
		return RC_OK;
	oid = OBJ_txt2obj(*out, 1);
	ERR_clear_error();
	if (oid == NULL)
		return section_bad(s, key, f,
		    "'%s' is an object identifier such as \"1.3.6.1.5.5.7.1.99\"", key);
	ASN1_OBJECT_free(oid);
	return RC_OK;
}

/* A list that is fetched counts by its signature; until there is one, the file does. */
static enum rc
read_log_list(struct config *c, const struct section *top, struct fault *f)
{
	static const char *const keys[] = { "ct_logs_signature_url", "ct_logs_key",
		"ct_logs_tls_ca", "ct_logs_refresh_s", "ct_logs_max_age_s" };
	const char *missing = NULL;

	TRY(section_url(top, "ct_logs_url", &c->ct_logs_url, f));
	TRY(section_url(top, "ct_logs_signature_url", &c->ct_logs_signature_url, f));
	TRY(section_string(top, "ct_logs_key", &c->ct_logs_key, f));
	TRY(section_string(top, "ct_logs_tls_ca", &c->ct_logs_tls_ca, f));
	TRY(section_uint(
	    top, "ct_logs_refresh_s", 1, MAX_LIST_REFRESH_S, &c->ct_logs_refresh_s, f));
	TRY(section_uint(
	    top, "ct_logs_max_age_s", 60, MAX_LIST_AGE_S, &c->ct_logs_max_age_s, f));
	for (size_t i = 0; c->ct_logs_url == NULL && i < ARRAY_LEN(keys); i++) {
		if (section_has(top, keys[i]))
			return section_bad(top, keys[i], f,
			    "'%s' needs the list that it is about: ct_logs_url = \"https://…\"",
			    keys[i]);
	}
	if (c->ct_logs_url == NULL)
		return RC_OK;
	if (c->ct_logs_signature_url == NULL || c->ct_logs_key == NULL)
		missing = c->ct_logs_key == NULL ? "ct_logs_key = \"FILE\""
						 : "ct_logs_signature_url = \"https://…\"";
	else if (c->ct_logs == NULL)
		missing = "ct_logs = \"FILE\", which serves until a list was fetched";
	if (missing != NULL)
		return section_bad(top, "ct_logs_url", f, "ct_logs_url needs %s", missing);
	return RC_OK;
}

/* What is asked of logs needs to know which. */
static enum rc
read_logs(struct config *c, const struct section *top, struct fault *f)
{
	TRY(section_string(top, "ct_logs", &c->ct_logs, f));
	TRY(section_string(top, "ct_tls_ca", &c->ct_tls_ca, f));
	c->ct_proofs = section_bool(top, "ct_proofs");
	c->ct_watch = section_bool(top, "ct_watch");
	if ((c->ct_proofs || c->ct_watch) && c->ct_logs == NULL)
		return section_bad(top, c->ct_proofs ? "ct_proofs" : "ct_watch", f,
		    "%s needs the logs: ct_logs = \"FILE\"",
		    c->ct_proofs ? "ct_proofs" : "ct_watch");
	return read_log_list(c, top, f);
}

/* Roots beside trust_anchors, which serve before there is a list, and with one. */
static enum rc
read_sti_pa(struct config *c, const struct section *top, struct fault *f)
{
	static const char *const keys[] = { "sti_pa_anchors", "sti_pa_tls_ca",
		"sti_pa_refresh_s" };

	TRY(section_url(top, "sti_pa_url", &c->sti_pa_url, f));
	TRY(section_string(top, "sti_pa_anchors", &c->sti_pa_anchors, f));
	TRY(section_string(top, "sti_pa_tls_ca", &c->sti_pa_tls_ca, f));
	TRY(section_uint(
	    top, "sti_pa_refresh_s", 1, MAX_LIST_REFRESH_S, &c->sti_pa_refresh_s, f));
	for (size_t i = 0; c->sti_pa_url == NULL && i < ARRAY_LEN(keys); i++) {
		if (section_has(top, keys[i]))
			return section_bad(top, keys[i], f,
			    "'%s' needs the list that it is about: sti_pa_url = \"https://…\"",
			    keys[i]);
	}
	if (c->sti_pa_url != NULL && c->sti_pa_anchors == NULL)
		return section_bad(top, "sti_pa_url", f,
		    "sti_pa_url needs who signs that list: sti_pa_anchors = \"FILE\"");
	return RC_OK;
}

static enum rc
read_crls(struct config *c, const struct section *top, struct fault *f)
{
	static const char *const policies[] = { "alarm", "refuse", NULL };
	unsigned choice = 0;

	c->crl_check = section_bool(top, "crl_check");
	TRY(section_choice(top, "crl_unavailable", policies, &choice, f));
	c->crl_refuse = choice == 1;
	if (c->crl_refuse && !c->crl_check)
		return section_bad(top, "crl_unavailable", f,
		    "crl_unavailable = \"refuse\" needs crl_check = yes");
	TRY(section_string(top, "crl_issuers", &c->crl_issuers, f));
	TRY(section_string(top, "crl_tls_ca", &c->crl_tls_ca, f));
	TRY(section_uint(
	    top, "crl_max_age_s", MIN_CRL_AGE_S, MAX_CRL_AGE_S, &c->crl_max_age_s, f));
	return section_uint(
	    top, "crl_refresh_s", MIN_CRL_REFRESH_S, MAX_CRL_REFRESH_S, &c->crl_refresh_s, f);
}

static enum rc
read_files(struct config *c, const struct section *top, struct fault *f)
{
	TRY(section_required(top, "state_dir", &c->state_dir, f));
	TRY(section_required(top, "audit_dir", &c->audit_dir, f));
	TRY(section_required(top, "trust_anchors", &c->trust_anchors, f));
	TRY(section_string(top, "authority_anchors", &c->authority_anchors, f));
	TRY(read_logs(c, top, f));
	TRY(read_sti_pa(c, top, f));
	TRY(read_crls(c, top, f));
	TRY(section_string(top, "rcd_tls_ca", &c->rcd_tls_ca, f));
	TRY(section_string(top, "tnlist_tls_ca", &c->tnlist_tls_ca, f));
	TRY(section_string(top, "original_chains", &c->original_chains, f));
	return read_oid(top, "do_not_originate", &c->do_not_originate, f);
}

/* The names only: whether the users exist is the business of who starts as root. */
static enum rc
read_users(struct config *c, const struct section *top, struct fault *f)
{
	TRY(section_required(top, "front_user", &c->front_user, f));
	TRY(section_required(top, "hsm_user", &c->hsm_user, f));
	TRY(section_required(top, "net_user", &c->net_user, f));
	if (strcmp(c->front_user, c->hsm_user) == 0 ||
	    strcmp(c->front_user, c->net_user) == 0 || strcmp(c->hsm_user, c->net_user) == 0)
		return section_bad(top, section_has(top, "hsm_user") ? "hsm_user" : NULL, f,
		    "front_user, hsm_user and net_user must be three different users");
	return RC_OK;
}

static enum rc
read_limits(struct config *c, const struct section *top, struct fault *f)
{
	static const char *const sync[] = { "group", "none", NULL };
	unsigned choice = 0;

	TRY(section_uint(top, "request_timeout_ms", 100, 60000, &c->request_timeout_ms, f));
	TRY(section_uint(top, "max_connections", 1, 65536, &c->max_connections, f));
	c->max_user_connections = (c->max_connections + 1) / 2;
	if (section_has(top, "max_user_connections"))
		TRY(section_uint(top, "max_user_connections", 1, c->max_connections,
		    &c->max_user_connections, f));
	TRY(section_uint(top, "iat_past_s", 1, MAX_IAT_PAST_S, &c->iat_past_s, f));
	TRY(section_uint(top, "iat_future_s", 0, MAX_IAT_FUTURE_S, &c->iat_future_s, f));
	TRY(section_uint(top, "iat_diverted_s", 0, MAX_IAT_DIVERTED_S, &c->iat_diverted_s, f));
	TRY(section_uint(top, "max_waiting", 1, 65536, &c->max_waiting, f));
	TRY(section_uint(top, "abandoned_key_after", 0, CONFIG_MAX_ABANDONED_DAYS,
	    &c->abandoned_key_after, f));
	TRY(section_uint(top, "orphan_after_s", 1, CONFIG_MAX_ORPHAN_S, &c->orphan_after_s, f));
	TRY(section_choice(top, "audit_sync", sync, &choice, f));
	c->audit_sync = choice;
	return RC_OK;
}

enum rc
config_read_main(struct config_reader *r, const struct section *top, struct fault *f)
{
	TRY(read_files(r->c, top, f));
	TRY(read_users(r->c, top, f));
	TRY(read_limits(r->c, top, f));
	TRY(read_admin(r, top, f));
	TRY(read_listens(r, top, f));
	TRY(read_tokens(r->c, top, f));
	TRY(config_read_cas(r->c, top, f));
	return config_read_authorities(r->c, top, f);
}
