#include "agent/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_parse.h"
#include "agent/members.h"

static void
config_file_cleanup(struct config_file *cf)
{
	config_file_done(cf);
}

#define AUTO_CONFIG_FILE __attribute__((cleanup(config_file_cleanup))) struct config_file

/* ---- tenants -------------------------------------------------------------- */

static int
is_tenant_file(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".conf") == 0;
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum rc
read_tenant_file(
    struct config_reader *r, const char *name, struct config_tenant *t, struct fault *f)
{
	AUTO_CONFIG_FILE cf = { 0 };
	char path[NAME_MAX + sizeof CONFIG_TENANTS_DIR + 1];
	struct section top, s;

	snprintf(path, sizeof path, "%s/%s", CONFIG_TENANTS_DIR, name);
	TRY(config_file_read(&cf, r->dir, path, config_tenant_options, f));
	top = config_file_top(&cf);
	if (section_count(&top, "tenant") == 0)
		return scan_bad(
		    f, path, 1, "no tenant in this file; write tenant \"NAME\" { … }");
	if (section_count(&top, "tenant") > 1) {
		s = section_child(&top, "tenant", 1);
		return section_bad(&s, NULL, f,
		    "one tenant a file; move '%.60s' to a file of its own", section_title(&s));
	}
	s = section_child(&top, "tenant", 0);
	return config_read_tenant(r, &s, t, f);
}

static int
by_name(const void *a, const void *b)
{
	const struct config_tenant *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->file, y->file);
}

static enum rc
check_unique(const struct config *c, struct fault *f)
{
	for (size_t i = 1; i < c->tenants; i++) {
		if (strcmp(c->tenant[i - 1].name, c->tenant[i].name) == 0)
			return scan_bad(f, c->tenant[i].file, c->tenant[i].line,
			    "tenant '%s' is in %s already; keep one of them", c->tenant[i].name,
			    c->tenant[i - 1].file);
	}
	return RC_OK;
}

struct name_list {
	struct dirent **entry;
	size_t len;
};

static void
name_list_cleanup(struct name_list *l)
{
	for (size_t i = 0; i < l->len; i++)
		free(l->entry[i]);
	free(l->entry);
}

static enum rc
list_tenants(const struct config_reader *r, struct name_list *l, struct fault *f)
{
	int n = scandirat(r->dir, CONFIG_TENANTS_DIR, &l->entry, is_tenant_file, by_bytes);

	if (n < 0 && errno == ENOENT)
		return RC_OK;
	if (n < 0)
		return config_unreadable(CONFIG_TENANTS_DIR, f);
	l->len = (size_t)n;
	if (l->len > CONFIG_MAX_TENANTS)
		return FAULT(f, RC_INVALID, "config", "%s: %zu files; at most %d",
		    CONFIG_TENANTS_DIR, l->len, CONFIG_MAX_TENANTS);
	return RC_OK;
}

static enum rc
read_tenants(struct config_reader *r, struct fault *f)
{
	__attribute__((cleanup(name_list_cleanup))) struct name_list l = { 0 };
	struct config *c = r->c;

	TRY(list_tenants(r, &l, f));
	if (l.len == 0)
		return RC_OK;
	c->tenant = calloc(l.len, sizeof c->tenant[0]);
	if (c->tenant == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu tenants", l.len);
	for (size_t i = 0; i < l.len; i++) {
		c->tenants = i + 1; /* a half-read one is freed too */
		TRY(read_tenant_file(r, l.entry[i]->d_name, &c->tenant[i], f));
	}
	qsort(c->tenant, c->tenants, sizeof c->tenant[0], by_name);
	return check_unique(c, f);
}

/* ---- the whole ------------------------------------------------------------ */

static enum rc
check_listen_tenants(const struct config *c, const struct section *top, struct fault *f)
{
	for (size_t i = 0; i < c->listens; i++) {
		struct section s;

		if (c->listen[i].tenant == NULL ||
		    config_tenant_find(c, c->listen[i].tenant) != NULL)
			continue;
		s = section_child(top, "listen", i);
		return section_bad(&s, "tenant", f,
		    "there is no tenant '%.60s' in " CONFIG_TENANTS_DIR, c->listen[i].tenant);
	}
	return RC_OK;
}

static enum rc
open_dir(struct config *c, const char *file, int *dir, struct fault *f)
{
	const char *slash = strrchr(file, '/');

	c->file = strdup(file);
	if (slash == NULL)
		c->dir = strdup(".");
	else
		c->dir = strndup(file, slash == file ? 1 : (size_t)(slash - file));
	if (c->file == NULL || c->dir == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", file);
	*dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return FAULT(f, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "config",
		    "%s: %s; create it, or name another configuration", c->dir,
		    strerror(errno));
	return RC_OK;
}

static size_t
keys_of(const char *tenant, const struct config_credential *c, const char *token)
{
	size_t n = 0;

	if (c->shard > 0 || c->numbers_per_certificate == 0)
		return strcmp(c->token, token) == 0;
	for (size_t i = 1; i <= c->shards; i++)
		n += strcmp(members_token(tenant, c, i), token) == 0;
	return n;
}

static size_t
keys_in(const struct config *c, const char *token)
{
	size_t n = 0;

	for (size_t i = 0; i < c->tenants; i++) {
		const struct config_tenant *t = &c->tenant[i];

		for (size_t k = 0; k < t->credentials; k++)
			n += keys_of(t->name, &t->credential[k], token);
	}
	return n;
}

static size_t
accounts_in(const struct config *c, const char *token)
{
	size_t n = 0;

	for (size_t i = 0; i < c->cas; i++)
		n += c->ca[i].token != NULL && strcmp(c->ca[i].token, token) == 0;
	return n;
}

size_t
config_keys_needed(const struct config *c, const struct config_token *token)
{
	size_t keys = keys_in(c, token->name);

	return keys + accounts_in(c, token->name) + (keys > 0);
}

/* What is configured needs a key each, the accounts too, and a renewal a second one. */
static enum rc
check_room(const struct config *c, const struct section *top, struct fault *f)
{
	for (size_t i = 0; i < c->tokens; i++) {
		const struct config_token *t = &c->token[i];
		struct section s = section_child(top, "token", i);

		if (t->max_keys != 0 && config_keys_needed(c, t) > t->max_keys)
			return section_bad(&s, "max_keys", f,
			    "'max_keys' is %u, and %zu credentials, %zu accounts and a renewal "
			    "need %zu; put some of them in another token",
			    t->max_keys, keys_in(c, t->name), accounts_in(c, t->name),
			    config_keys_needed(c, t));
	}
	return RC_OK;
}

enum rc
config_read(const char *file, struct config **out, struct fault *f)
{
	AUTO(config) *c = calloc(1, sizeof *c);
	AUTO_CONFIG_FILE cf = { 0 };
	AUTO_FD dir = -1;
	struct config_reader r = { .c = c };
	struct section top;

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", file);
	TRY(open_dir(c, file, &dir, f));
	r.dir = dir;
	TRY(config_file_read(&cf, dir,
	    strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file, config_main_options,
	    f));
	top = config_file_top(&cf);
	TRY(config_read_main(&r, &top, f));
	TRY(read_tenants(&r, f));
	TRY(check_listen_tenants(c, &top, f));
	TRY(check_room(c, &top, f));
	*out = TAKE(c);
	return RC_OK;
}

/* ---- free ----------------------------------------------------------------- */

static void
strings_done(struct config_strings *s)
{
	for (size_t i = 0; i < s->len; i++)
		free(s->item[i]);
	free(s->item);
}

static void
listen_done(struct config_listen *l)
{
	free(l->name);
	free(l->path);
	free(l->group);
	free(l->tenant);
}

static void
token_done(struct config_token *t)
{
	free(t->name);
	free(t->module);
	free(t->label);
	free(t->serial);
	free(t->pin.text);
	free(t->lock_file);
	strings_done(&t->environment);
	strings_done(&t->read_paths);
	strings_done(&t->write_paths);
}

static void
ca_done(struct config_ca *ca)
{
	free(ca->name);
	strings_done(&ca->command);
	strings_done(&ca->domain_command);
	free(ca->directory);
	free(ca->tls_ca);
	free(ca->eab_kid);
	free(ca->eab_key.text);
	strings_done(&ca->contact);
	free(ca->token);
	free(ca->constraints_type);
	free(ca->enhanced_type);
	free(ca->csr_country);
	free(ca->csr_organization);
	free(ca->acme_profile);
}

static void
authority_done(struct config_authority *a)
{
	free(a->name);
	free(a->path);
	strings_done(&a->command);
	free(a->user);
	free(a->tls_cert);
	free(a->tls_key.text);
	free(a->url);
	free(a->tls_ca);
	free(a->account);
	free(a->secret.text);
	strings_done(&a->issuers);
}

static void
credential_done(struct config_credential *cred)
{
	free(cred->name);
	free(cred->base);
	free(cred->reserve_for);
	free(cred->reserve);
	free(cred->token);
	strings_done(&cred->tokens);
	free(cred->ca);
	free(cred->authority);
	free(cred->claim_agent);
	constraints_free(cred->constraints);
	free(cred->salts.text);
	free(cred->spc);
	free(cred->x5u);
	free(cred->publish_dir);
	strings_done(&cred->ppts);
	tnset_free(cred->dests);
	strings_done(&cred->extra_claims);
	for (size_t i = 0; i < cred->rcd_contents; i++)
		free(cred->rcd_content[i].uri);
	free(cred->rcd_content);
	strings_done(&cred->policies);
	strings_done(&cred->rph_namespaces);
	free(cred->origid_value);
	free(cred->third_party_iss);
}

void
config_tenant_done(struct config_tenant *t)
{
	struct config_credential *as_read;
	size_t n;

	free(t->name);
	free(t->file);
	free(t->numbers_file);
	tnset_free(t->numbers);
	tnset_free(t->listed);
	tnset_free(t->asked);
	free(t->allow_uid);
	free(t->allow_gid);
	free(t->attestation.known.uid);
	free(t->attestation.known.gid);
	free(t->entity_id);
	strings_done(&t->ppts);
	strings_done(&t->caller_spc);
	tnset_free(t->dests);
	n = t->credentials;
	as_read = t->credential;
	if (t->members != NULL) {
		n = t->sections;
		as_read = t->section;
		members_release(t->members);
	}
	for (size_t i = 0; i < n; i++)
		credential_done(&as_read[i]);
	free(as_read);
}

void
config_drop_tenants(struct config *c)
{
	for (size_t i = 0; i < c->tenants; i++)
		config_tenant_done(&c->tenant[i]);
	free(c->tenant);
	c->tenant = NULL;
	c->tenants = 0;
}

static void
lists_done(struct config *c)
{
	for (size_t i = 0; i < c->listens; i++)
		listen_done(&c->listen[i]);
	for (size_t i = 0; i < c->tokens; i++)
		token_done(&c->token[i]);
	for (size_t i = 0; i < c->cas; i++)
		ca_done(&c->ca[i]);
	for (size_t i = 0; i < c->authorities; i++)
		authority_done(&c->authority[i]);
	config_drop_tenants(c);
	free(c->listen);
	free(c->token);
	free(c->ca);
	free(c->authority);
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	lists_done(c);
	free(c->file);
	free(c->dir);
	free(c->state_dir);
	free(c->audit_dir);
	free(c->admin_path);
	free(c->front_user);
	free(c->hsm_user);
	free(c->net_user);
	free(c->trust_anchors);
	free(c->authority_anchors);
	free(c->ct_logs);
	free(c->ct_tls_ca);
	free(c->ct_logs_url);
	free(c->sti_pa_url);
	free(c->sti_pa_anchors);
	free(c->sti_pa_tls_ca);
	free(c->ct_logs_signature_url);
	free(c->ct_logs_key);
	free(c->ct_logs_tls_ca);
	free(c->crl_issuers);
	free(c->crl_tls_ca);
	free(c->do_not_originate);
	free(c->original_chains);
	free(c->tnlist_tls_ca);
	free(c->rcd_tls_ca);
	free(c);
}

/* ---- find ----------------------------------------------------------------- */

const struct config_token *
config_token_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->tokens; i++) {
		if (strcmp(c->token[i].name, name) == 0)
			return &c->token[i];
	}
	return NULL;
}

bool
config_token_serves(const struct config_credential *c, const char *token)
{
	for (size_t i = 0; c->spread && i < c->tokens.len; i++) {
		if (strcmp(c->tokens.item[i], token) == 0)
			return true;
	}
	return strcmp(c->token, token) == 0;
}

const struct config_ca *
config_ca_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->cas; i++) {
		if (strcmp(c->ca[i].name, name) == 0)
			return &c->ca[i];
	}
	return NULL;
}

const char *
config_issuer_name(enum issuer issuer)
{
	static const char *const names[] = {
		[ISSUER_ACME] = "acme", [ISSUER_COMMAND] = "command", [ISSUER_HAND] = "hand"
	};

	return names[issuer];
}

const char *
config_source_name(enum token_source source)
{
	static const char *const names[] = { [SOURCE_REST] = "rest",
		[SOURCE_PUSH] = "push",
		[SOURCE_FILE] = "file",
		[SOURCE_COMMAND] = "command" };

	return names[source];
}

const char *
config_domain_name(enum domain_challenge how)
{
	static const char *const names[] = {
		[DOMAIN_NONE] = "none", [DOMAIN_HTTP_01] = "http-01", [DOMAIN_DNS_01] = "dns-01"
	};

	return names[how];
}

enum issuer
config_issuer(const struct config *c, const struct config_credential *cred)
{
	const struct config_ca *ca = cred->ca != NULL ? config_ca_find(c, cred->ca) : NULL;

	return ca != NULL ? ca->issuer : ISSUER_HAND;
}

const struct config_authority *
config_authority_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->authorities; i++) {
		if (strcmp(c->authority[i].name, name) == 0)
			return &c->authority[i];
	}
	return NULL;
}

static int
name_order(const void *name, const void *tenant)
{
	return strcmp(name, ((const struct config_tenant *)tenant)->name);
}

const struct config_tenant *
config_tenant_find(const struct config *c, const char *name)
{
	if (c->tenants == 0)
		return NULL;
	return bsearch(name, c->tenant, c->tenants, sizeof c->tenant[0], name_order);
}

bool
config_credential_named(const struct config_tenant *t, const char *name)
{
	for (size_t i = 0; i < t->credentials; i++) {
		if (strcmp(t->credential[i].name, name) == 0)
			return true;
	}
	return false;
}

const struct config_credential *
config_credential_find(const struct config_tenant *t, const char *name)
{
	for (size_t i = 0; i < t->credentials; i++) {
		if (strcmp(t->credential[i].name, name) == 0)
			return &t->credential[i];
	}
	for (size_t i = 0; t->members == NULL && i < t->credentials; i++) {
		if (members_is_name(&t->credential[i], name))
			return &t->credential[i];
	}
	return NULL;
}
