/*
 * A small agent for fuzz_decide: what it is configured with is chosen octet by
 * octet, kept in plain values for whoever checks, and made into a set for
 * decide().  Certificates are made once, from a table that checks read as well.
 */
#ifndef TESTS_FUZZ_HOME_H
#define TESTS_FUZZ_HOME_H

#include "agent/front/decide.h"

enum { HOME_TENANTS = 3, HOME_CREDENTIALS = 2, HOME_LIFE_S = 86400 };

/* Numbers of one length, by their digits. */
struct home_block {
	const char *first, *last;
};
extern const struct home_block home_block[]; /* 1 << index in masks; first NULL ends it */

/* Destinations that may be allowed. */
extern const struct home_block home_dest[];

struct home_leaf {
	enum profile profile;
	unsigned blocks;
	const char *spc;	 /* beside the numbers, or alone; NULL: none */
	const char *constraints; /* tests/unit/spec.h; NULL: none */
	const char *host;	 /* its dNSName; NULL: none */
};
extern const struct home_leaf home_leaf[];

/* Names that masks choose from; NULL ends each. */
extern const char *const home_extra[], *const home_namespace[], *const home_code[];

/* The salt of all that is committed to: octets 0 to 31. */
#define HOME_SALT   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define HOME_ISS    "A"
#define HOME_ENTITY "e-1"
#define HOME_ORIGID "123e4567-e89b-42d3-a456-426655440000"
#define HOME_URI    "https://example.com/q.png"
#define HOME_DIGEST "sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4"

struct home_credential {
	unsigned leaf, state, priority, unlisted, extra, ppts, dests, namespaces;
	bool ca, third, content;
	bool fixed, uri, asserts; /* one of them at most: origid, orig_uri, assert_committed */
};

struct home_tenant {
	bool enabled, group, entity, attestation, lower;
	unsigned numbers, users, ppts, dests, codes, observe;
	char listed, known, otherwise; /* listed: attest_max where there is no attestation */
	struct home_credential credential[HOME_CREDENTIALS];
	size_t credentials;
};

struct home {
	struct home_tenant tenant[HOME_TENANTS];
	size_t tenants;
	struct caller caller;
	gid_t group;
	int64_t now_s;
	bool key_ready, atis, dry_run;
};

extern const char *const home_name[HOME_TENANTS];		 /* "a", "b", "c" */
extern const char *const home_credential_name[HOME_CREDENTIALS]; /* "m", "n" */
extern const uid_t home_uid[];					 /* 1 << index in users */
enum { HOME_UIDS = 3, HOME_GID = 77 };

/* What the octets say; those that are missing count as '0'. */
void home_choose(struct span choices, struct home *out);

/* The set and its rates: one reference, to be released and freed. */
void home_build(const struct home *h, struct credset **set, struct policy **policy);

#endif
