/*
 * The ACME account keys: one a CA, in the token that the CA's section names.
 * What is kept here is the public point, and what an operator asked of the
 * account; the renewer keeps the account's URL.
 *
 * An account key is never a credential's key (RFC 8555 section 11.1, D-32).
 * A file that cannot be read or understood costs the account of that CA and
 * nothing else: it is never replaced by itself, since the key in the token and
 * the account at the CA are still there.
 *
 * Builder thread only.
 */
#ifndef AGENT_FRONT_ACCOUNTS_H
#define AGENT_FRONT_ACCOUNTS_H

#include "agent/config.h"
#include "agent/front/account_job.h"

struct account {
	char ca[CONFIG_NAME_MAX + 1];
	uint8_t point[P256_POINT_LEN];
	uint8_t key_id[KEY_ID_LEN];
	bool deactivated; /* at the CA: it orders nothing ever more */
	struct account_job job;
};

struct account_damage {
	char ca[CONFIG_NAME_MAX + 1];
	struct fault why; /* names the file and what to do */
	bool unread;	  /* the disk failed: whether it will do is not known */
};

struct accounts {
	struct account *item; /* in the order of the configuration's cas, those that exist */
	size_t len;
	struct account_damage *damage; /* CAs whose file will not do */
	size_t damages;
};

/*
 * Read what there is for the configured CAs.  A file that cannot be read or
 * understood is logged and remembered.  RC_NO_MEMORY.
 */
enum rc accounts_load(const struct config *c, struct accounts *out, struct fault *f) MUST_CHECK;
void accounts_done(struct accounts *a);

const struct account *accounts_find(const struct accounts *a, const char *ca); /* or NULL */

/*
 * After a reload: what is known in memory alone, and an account whose file
 * could not be read this time (RC_IO), stay as they were.
 */
void accounts_carry(struct accounts *a, const struct accounts *was);

/*
 * Every key that a file names, of a CA that is configured or not: memory may
 * be behind the disk, where a write failed after its rename.  False: a file
 * could not be read, and may name another.
 */
typedef void accounts_key_fn(void *arg, const uint8_t key_id[KEY_ID_LEN]);
bool accounts_on_disk(const struct config *c, accounts_key_fn *each, void *arg) MUST_CHECK;

/* RC_CONFLICT account_file: there is a file for this CA, and it will not do. */
enum rc accounts_check(const struct accounts *a, const char *ca, struct fault *f) MUST_CHECK;

/* Of an account, or of one to come. */
bool accounts_has_key(const struct accounts *a, const uint8_t key_id[KEY_ID_LEN]);

/* The file was replaced: it will do now. */
void accounts_mended(struct accounts *a, const char *ca);

/* Whether this CA has a file, good or not. */
bool accounts_file_there(const struct config *c, const char *ca);

/*
 * The account of a file that was written and could not be synced, when there
 * is one: written again and added.  RC_NOT_FOUND: there is none.
 */
enum rc accounts_adopt(
    struct accounts *a, const struct config *c, const char *ca, struct fault *f) MUST_CHECK;

/* Write the file, then put it in the list, in the place of the one of that CA. */
enum rc accounts_save(struct accounts *a, const struct config *c, const struct account *now,
    struct fault *f) MUST_CHECK;

/* The same of a new key. */
enum rc accounts_add(struct accounts *a, const struct config *c, const char *ca,
    const uint8_t point[P256_POINT_LEN], struct fault *f) MUST_CHECK;

#endif
