/*
 * The builder's surroundings for a test: a private directory that is made the
 * working directory, a configuration, a CA of our own, a transparency log,
 * and a token admin in software.
 */
#ifndef TESTS_UNIT_BWORLD_H
#define TESTS_UNIT_BWORLD_H

#include "agent/front/works.h"
#include "tests/unit/pki.h"
#include "tests/unit/softadmin.h"

struct bworld {
	char dir[64];
	EVP_PKEY *root_key, *other_key, *log_key;
	X509 *root, *other_root; /* the latter is no anchor */
	struct softadmin *admin;
	uint32_t connections;
	/* What came out of the works: */
	enum rc publish_rc;
	enum rc learn_rc; /* of a set that waits for keys */
	unsigned published, waited;
	json_t *audit, *accounts, *alarms; /* arrays */
};

void bworld_open(struct bworld *w);
void bworld_close(struct bworld *w);

/* tenants.d/NAME.conf: inside is the text in the tenant section; NULL removes the file. */
void bworld_tenant(const char *name, const char *inside);
void bworld_main(const char *more);		      /* vesperd.conf, with lines before it */
void bworld_main_without(const char *line);	      /* the same, without one of its own */
void bworld_file(const char *path, const char *text); /* NULL removes it */
/* A delegate's credential section "main" with one further line. */
#define BWORLD_DELEGATE(profile, more) \
	"credential \"main\" { profile = \"" profile "\" token = \"main\" ca = \"lab\"\n" \
	"  authority = \"numbers\" x5u = \"https://127.1.2.3:8443/certs/\"\n" \
	"  publish_dir = \"www\"\n" more " }\n"

/* Works on this world with an admin attached, loaded at now_s. */
void bworld_works(struct bworld *w, struct works *works, int64_t now_s);
/* Others in their place: a restart. */
void bworld_again(struct bworld *w, struct works *works, int64_t now_s);
/* The end of both. */
void bworld_done(struct bworld *w, struct works *works);

/* The answer to the renewer's msg (taken, and numbered); a new reference. */
json_t *bworld_ask(struct works *works, json_t *msg, int64_t now_s);

struct bworld_cert {
	const uint8_t *point; /* P256_POINT_LEN */
	struct span tnauth, constraints;
	bool enhanced;
	int64_t not_before_s, not_after_s; /* 0: an hour before, a day after PKI_NOW */
	const char *serial;
	const char *san, *policies, *aia; /* as pki_spec has them */
	bool other_root;		  /* from a CA that is no anchor */
	bool ca;			  /* a CA certificate */
	struct span parent; /* the TNAuthList of a CA in between; len 0: none is */
	struct span points, parent_points; /* where their revocation lists are (crllab.h) */
	bool no_ski;
	bool root_first; /* the root's certificate before it */
	int scts;
	int64_t sct_ms; /* 0: a minute before PKI_NOW */
};

/* The chain in PEM, without the root but for root_first. */
void bworld_issue(struct bworld *w, struct buf *out, const struct bworld_cert *spec);

/* The same in a file; without a point it is a key of nobody's. */
void bworld_put(struct bworld *w, const char *path, const struct bworld_cert *spec);

/* The TNAuthList of these numbers, "12025550100,12025550110-12025550119". */
void bworld_tnauth(struct buf *out, const char *numbers);

#endif
