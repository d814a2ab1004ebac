/*
 * What a credential section of the configuration stands for: a certificate with
 * a key of its own in each token that it lists, and, where its numbers are
 * divided, the same for each part of them (shards.h).  Each is a credential
 * like any other, called BASE[.SHARD][.TOKEN]; they meet where a request is
 * decided.
 *
 * Which numbers are where is known by the front alone, which keeps a record of
 * it (division.h): in other roles a divided section is one credential still.
 *
 * Immutable and reference counted; the sections that they were made of last
 * longer.  Any thread.
 */
#ifndef AGENT_MEMBERS_H
#define AGENT_MEMBERS_H

#include <stdatomic.h>

#include "agent/config.h"
#include "agent/shards.h"

enum {
	MEMBERS_MAX = 4096,	/* credentials of one tenant; no command makes more */
	MEMBERS_SHARD_TEXT = 6, /* ".1024" */
};

struct members_section {
	size_t first, copies; /* as read: where in tenant->section its copies are */
	struct shards shards;
	uint32_t *at; /* of each shard: where in credential its copies are */
};

struct members {
	atomic_uint refs;
	struct config_credential *credential;
	size_t len, plain;		 /* those before plain are not divided */
	struct members_section *section; /* those that are, as read */
	size_t sections;
	/* The builder's, of the record in the state directory (front/division.h): */
	bool recorded; /* it says the same */
	bool lost;     /* it was of no use, and goes aside before another is written */
	bool unread;   /* that may pass: nothing is written before there is a change */
};

/* How many credentials from i on are of one section. */
size_t members_copies(const struct config_credential *all, size_t n, size_t i);

/* How many sections of the tenant are divided. */
size_t members_divided(const struct config_tenant *t);

/* As read, divided or not, and how many. */
const struct config_credential *members_read(const struct config_tenant *t, size_t *n);

/*
 * Of a tenant with list[i] for its divided section i, taken over on success.
 * With before, what was there keeps its place, and what is new follows.
 */
enum rc members_make(const struct config_tenant *t, const struct members *before,
    struct shards *list, size_t n, struct members **out, struct fault *f) MUST_CHECK;
struct members *members_ref(struct members *m); /* NULL is fine */
void members_release(struct members *m);

/* They are the tenant's from now on.  Takes the reference. */
void members_take(struct config_tenant *t, struct members *m);

/* The numbers of a divided credential; NULL where it is none. */
const struct tnset *members_numbers(
    const struct config_tenant *t, const struct config_credential *c);

/* The divided section that a credential of the tenant is of; NULL: of none. */
const struct members_section *members_section_of(
    const struct config_tenant *t, const struct config_credential *c);

/* With spread: the token that draws the highest lot for a certificate of that name. */
const char *members_draw(
    const char *tenant, const char *name, const struct config_strings *tokens);

/* The token of a shard of a credential as read. */
const char *members_token(const char *tenant, const struct config_credential *c, size_t shard);

/* Is it the name of a shard of this credential as read, were it divided (or was it lately)? */
bool members_is_name(const struct config_credential *c, const char *name);

#endif
