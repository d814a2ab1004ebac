/*
 * Configuration and state directory to a set: at start and at reload.  No
 * network and no token.
 */
#ifndef AGENT_FRONT_LOAD_H
#define AGENT_FRONT_LOAD_H

#include "agent/front/accounts.h"
#include "agent/front/credset.h"

/*
 * A certificate on disk with another key, or another token, than the one that
 * serves: put there by hand.  The one that serves stays (kept) until a signer
 * has learnt the key of the other (made).
 */
struct load_change {
	struct credset_place at;
	struct credential *kept, *made; /* one reference each */
	bool said;
};

struct load_changes {
	struct load_change *item;
	size_t len;
};

void load_change_done(struct load_change *c);
void load_changes_done(struct load_changes *c);

/*
 * Read everything and judge what has changed since old (NULL: all).  A
 * certificate that is missing or refused makes its credential PENDING or
 * UNUSABLE, or leaves the old one in force where that is still good; a
 * configuration, anchor or log file that cannot be read fails as a whole.
 *
 * *out has one reference; *accounts and *changes are filled anew.  Without old
 * there are no changes, and the latter may be NULL.
 */
enum rc load_set(const char *config_file, const struct credset *old, int64_t now_s,
    struct credset **out, struct accounts *accounts, struct load_changes *changes,
    struct fault *f) MUST_CHECK;

/*
 * The set that old would be by these lists, judged anew where they change
 * anything; nothing of its configuration is read.
 */
enum rc load_trusted(const struct credset *old, struct trust *trust,
    const struct accounts *accounts, int64_t now_s, struct credset **out,
    struct load_changes *changes, struct fault *f) MUST_CHECK;

/*
 * A start does not wait for all of a large configuration: the first set has
 * what was used last, all else in it is LOADING, and follows in sets of its
 * own, tenant by tenant.
 */
enum { LOAD_FIRST = 256, LOAD_STEP = 512 }; /* credentials */

struct load_rest {
	uint32_t *tenant; /* all of them, in the order in which they are loaded */
	size_t len, next;
};

/* As load_set() without old, but of about so many credentials. */
enum rc load_first(const char *config_file, size_t most, int64_t now_s, struct credset **out,
    struct accounts *accounts, struct load_rest *rest, struct fault *f) MUST_CHECK;

/*
 * A copy of set with about so many more: those that a request waits for, then
 * the next ones.  On failure rest is as it was.
 */
enum rc load_more(const struct credset *set, const struct accounts *accounts, size_t most,
    int64_t now_s, struct load_rest *rest, struct credset **out, struct fault *f) MUST_CHECK;

/* One credential of a set that has none in this place and is not published yet. */
enum rc load_member(struct credset *set, const struct accounts *accounts,
    struct credset_place at, int64_t now_s, struct fault *f) MUST_CHECK;

void load_rest_done(struct load_rest *rest);

/*
 * load_set() for whoever only looks: nothing is published, renamed or tidied
 * up; what load_set() would rename is read where it is.
 */
enum rc load_look(
    const char *config_file, int64_t now_s, struct credset **out, struct fault *f) MUST_CHECK;

/* STATE/front/tenants/T/C/current.pem */
struct store_path;
enum rc load_path(const struct config *c, const char *tenant, const char *name,
    struct store_path *out, struct fault *f) MUST_CHECK;

#endif
