/*
 * Between libconfuse's tree and ours: a section with its place in the file,
 * and readers for its options that name file and line when they refuse.
 *
 * Private to config*.c.
 */
#ifndef AGENT_CONFIG_PARSE_H
#define AGENT_CONFIG_PARSE_H

#include "agent/config_scan.h"

#include "agent/config.h"

/* The option tables; libconfuse copies them, so nothing changes them. */
extern cfg_opt_t config_main_options[], config_tenant_options[];

struct section {
	cfg_t *cfg;
	const struct scan *scan;
	int node;
};

/* One parsed file. */
struct config_file {
	char *name; /* for messages: relative to the main file's directory */
	struct scan scan;
	cfg_t *cfg;
};

/*
 * Reads name, relative to dir, by these options; also after a failure cf is the
 * caller's to end.  RC_INVALID config with file and line; RC_IO, RC_NO_MEMORY.
 */
enum rc config_file_read(struct config_file *cf, int dir, const char *name, cfg_opt_t *options,
    struct fault *f) MUST_CHECK;
void config_file_done(struct config_file *cf);
struct section config_file_top(const struct config_file *cf);

#define CONFIG_TENANTS_DIR "tenants.d"

/* RC_IO for what errno says of a file; where it may not be read: by whom, and what to do. */
enum rc config_unreadable(const char *name, struct fault *f);

/* Read a regular file of at most max bytes below dir. RC_NOT_FOUND, RC_IO, RC_INVALID. */
enum rc config_slurp(
    int dir, const char *name, size_t max, struct buf *out, struct fault *f) MUST_CHECK;

/* The sections of that name in this one, and the i-th of them; borrowed from the file. */
size_t section_count(const struct section *s, const char *name);
struct section section_child(const struct section *s, const char *name, size_t i);
const char *section_title(const struct section *s);
unsigned section_line(const struct section *s, const char *key); /* the section's without key */
bool section_has(const struct section *s, const char *key);	 /* written in the file */
const char *section_text(const struct section *s, const char *key); /* borrowed; NULL */

/* RC_INVALID at the line of key (NULL: of the section). */
enum rc section_bad(const struct section *s, const char *key, struct fault *f, const char *fmt,
    ...) PRINTF_LIKE(4, 5);

/* Room for *n elements, as many as top has sections of that name; NULL for none. */
enum rc section_list(const struct section *top, const char *name, size_t size, size_t max,
    void **list, size_t *n, struct fault *f) MUST_CHECK;

/* A copy; *out stays NULL where the key is absent.  Empty text is refused. */
enum rc section_string(
    const struct section *s, const char *key, char **out, struct fault *f) MUST_CHECK;
enum rc section_required(
    const struct section *s, const char *key, char **out, struct fault *f) MUST_CHECK;
enum rc section_strings(const struct section *s, const char *key, struct config_strings *out,
    struct fault *f) MUST_CHECK;
enum rc section_uint(const struct section *s, const char *key, unsigned min, unsigned max,
    unsigned *out, struct fault *f) MUST_CHECK;
bool section_bool(const struct section *s, const char *key);
enum rc section_secret(const struct section *s, const char *key, struct secret_ref *out,
    struct fault *f) MUST_CHECK;
enum rc section_url(
    const struct section *s, const char *key, char **out, struct fault *f) MUST_CHECK;
/* The index of the value in names (ends with NULL). */
enum rc section_choice(const struct section *s, const char *key, const char *const *names,
    unsigned *out, struct fault *f) MUST_CHECK;
/* The title as a name of ours: [a-z0-9][a-z0-9._-]{0,62} */
enum rc section_name(const struct section *s, char **out, struct fault *f) MUST_CHECK;

/* Users and groups by name or number, remembered: tenants repeat them. */
struct id_cache {
	struct id_cached {
		char name[40];
		unsigned id;
		bool group;
	} item[64];
	size_t next;
};
enum rc section_user(const struct section *s, const char *key, const char *name,
    struct id_cache *cache, uid_t *out, struct fault *f) MUST_CHECK;
enum rc section_group(const struct section *s, const char *key, const char *name,
    struct id_cache *cache, gid_t *out, struct fault *f) MUST_CHECK;

struct config_reader {
	struct config *c;
	int dir;
	struct id_cache ids;
};

/*
 * One file's sections into r->c, or into *out, which also after a failure
 * is the caller's to end.  RC_INVALID config: file, line and what to write instead.
 */
enum rc config_read_main(
    struct config_reader *r, const struct section *top, struct fault *f) MUST_CHECK;
enum rc config_read_tenant(struct config_reader *r, const struct section *s,
    struct config_tenant *out, struct fault *f) MUST_CHECK;
void config_tenant_done(struct config_tenant *t);

/* Whom the agent asks.  A CA names a token: those are read before. */
enum rc config_read_cas(
    struct config *c, const struct section *top, struct fault *f) MUST_CHECK;
enum rc config_read_authorities(
    struct config *c, const struct section *top, struct fault *f) MUST_CHECK;

/*
 * One of the credentials that a section of a tenant makes: copy counts its
 * tokens.  *cred is the tenant's also after a failure.
 */
enum rc config_read_credential(const struct config *c, const struct section *s,
    const struct config_tenant *t, size_t copy, struct config_credential *cred,
    struct fault *f) MUST_CHECK;

/* What it may claim, and which constraints its certificate is to have. */
enum rc config_read_credential_claims(const struct config *c, const struct section *s,
    struct config_credential *cred, struct fault *f) MUST_CHECK;

/* Of a tenant's and of a credential's section: who may ask, and for what. */
enum rc config_read_tenant_policy(struct config_reader *r, const struct section *s,
    struct config_tenant *t, struct fault *f) MUST_CHECK;
enum rc config_read_credential_policy(
    const struct section *s, struct config_credential *cred, struct fault *f) MUST_CHECK;

/* Once all credentials of the tenant's section are read: what their reserve_for say together. */
enum rc config_pair_reserves(
    const struct section *s, struct config_tenant *t, struct fault *f) MUST_CHECK;

#endif
