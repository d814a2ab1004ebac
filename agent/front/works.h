/*
 * What the parts of the builder share: the newest set, the account keys, the
 * channels to the token admins, and the two ways out (a set to be put in
 * force, a line for the audit).
 *
 * Belongs to the builder thread alone; has no thread, no queue and no clock
 * of its own, so that tests drive it directly.
 */
#ifndef AGENT_FRONT_WORKS_H
#define AGENT_FRONT_WORKS_H

#include "agent/front/accounts.h"
#include "agent/front/allow.h"
#include "agent/front/credset.h"
#include "agent/front/installation.h"
#include "agent/front/load.h"
#include "agent/front/offboarding.h"
#include "agent/front/revocation.h"
#include "pkcs11/client.h"
#include "pkcs11/provider.h"

enum { WORKS_SPARES = 16, WORKS_LOW_PART = 10, WORKS_FETCHES = 8 };

enum works_room { WORKS_ROOM, WORKS_LOW, WORKS_FULL }; /* LOW: a tenth of max_keys or less */

struct works_spare { /* spare.h */
	uint8_t point[P256_POINT_LEN];
	int64_t made_s;
};

enum { WORKS_UNNAMED_SHOWN = 8 };

/* Keys in the token that nothing of ours names. */
struct works_unnamed {
	size_t keys;
	size_t orphans, others; /* of them: of this installation (orphans.h), of another one */
	int64_t since_s;	/* when the first of them was found; 0: there are none */
	uint8_t id[WORKS_UNNAMED_SHOWN][KEY_ID_LEN]; /* of the first keys */
};

struct works_seen { /* an orphan, and since when */
	uint8_t id[KEY_ID_LEN];
	int64_t since_s;
};

struct works_token {
	struct token_admin *admin;
	struct token_provider *provider;
	struct fault failed; /* why the last signature was not had: EVP does not carry it */
	bool counted;
	struct works_unnamed unnamed; /* when counted */
	struct works_seen *seen;      /* orphans.h: sorted by id */
	size_t seens;
	bool orphans_told; /* the alarm has begun */
	bool sized;
	unsigned keys; /* private keys in it, whoever's, when sized */
	enum works_room room;
	struct works_spare spare[WORKS_SPARES];
	size_t spares;
	bool batched; /* a batch was noted, and is not over: */
	uint8_t batch[FRAME_BATCH];
	unsigned asked; /* keys, since asked_at_s */
	int64_t asked_at_s;
};

enum { WORKS_CHANGES_RETRY_S = 60, WORKS_HELD_LOOK_S = 60 };

struct works_out {
	void *arg;
	/*
	 * Put set in force and wait until it is; with wait_for_keys only when
	 * its new keys are known to the signers.  The set is borrowed.  On
	 * failure the one before stays.
	 */
	enum rc (*publish)(void *arg, struct credset *set, bool wait_for_keys, struct fault *f);
	void (*audit)(void *arg, json_t *record); /* takes the reference */
	/* {"ca", "problem"}, for the alarms; takes the reference.  NULL: nobody listens. */
	void (*account)(void *arg, json_t *word);
	/* {"alarm", "name", "problem"}: begins, or with null ends; the same way. */
	void (*alarm)(void *arg, json_t *word);
};

/* A TNAuthList by reference whose parts are coming in (tnlist_ops.c). */
struct works_list {
	struct buf octets;
	char url[TNLIST_URL_MAX + 1];
	struct credset_place at;
	size_t total; /* 0: none */
};

/* A question of an operator's that the renewer carries: fetch.h. */
struct works_fetch {
	uint64_t job; /* 0: none */
	int64_t until_s;
	bool answered;
	char *token; /* wiped when freed; NULL: problem says why there is none */
	struct chain *signer;
	char problem[CREDENTIAL_PROBLEM_MAX];
};

struct works_rtu { /* rtu.h */
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	int64_t since_s, confirmed_s; /* 0: it was said once, and that stops nothing */
	bool held;		      /* what is refused is what the certificate in force has */
	char detail[CREDENTIAL_PROBLEM_MAX];
};

struct works_rtus {
	struct works_rtu *item;
	size_t len, cap;
};

struct works_port { /* ported.h */
	char id[CREDENTIAL_FINGERPRINT];
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	char serial[CERT_SERIAL_TEXT];
	int64_t not_after_s, since_s;
};

struct works_ports {
	struct works_port *item;
	size_t len, cap;
	size_t next; /* tenant that is looked at next */
	bool again;  /* one could not be looked at */
};

struct works_offboard { /* offboard.h */
	struct offboarding rec;
	size_t next;		     /* credential that is looked at next */
	uint64_t names;		     /* of which credentials, in which order */
	size_t unrecorded, unplaced; /* certificates that nobody could be asked to revoke */
	bool through;		     /* all were looked at since the start */
	int64_t look_at_s;	     /* when next */
	int64_t at_s;		     /* when it is gone on with; 0: at once */
	bool alarmed;
};

struct works_offboards {
	struct works_offboard *item;
	size_t len, cap;
	size_t turn; /* whose turn is next */
};

struct works_revoked { /* revoke.h */
	struct revocation *item;
	size_t len, cap;
};

struct works_series { /* series.h */
	struct series *item;
	size_t len, cap;
};

struct works {
	char *config_file;
	struct credset *set; /* the newest in force; NULL before the first load */
	struct installation installation;
	struct accounts accounts;
	struct load_changes changes; /* certificates whose keys are not learnt yet */
	struct load_rest rest;	     /* what a start has left to be loaded */
	int64_t used_s;		     /* the last use that is on disk */
	struct works_token token[CONFIG_MAX_TOKENS];
	struct works_out out;
	struct works_list list;
	struct documents *documents; /* documents.h */
	struct transparency *ct;     /* shared with the loop; transparency.h */
	struct trust_desk *lists;    /* likewise; trust_ops.h */
	struct crls *crls;	     /* likewise; crls.h */
	struct allow allow;
	struct works_revoked revoked;
	bool unordered; /* some credential's account is deactivated */
	struct works_fetch fetch[WORKS_FETCHES];
	struct works_rtus rtu;
	struct works_ports ported;
	struct works_series series;
	struct works_offboards offboards;
	bool errand;		/* the renewer is to ask for its errands: there is a new one */
	int64_t series_at_s;	/* when series are looked at; 0: at once */
	int64_t revoke_at_s;	/* when revocations have something due */
	int64_t retire_at_s;	/* when the next retired key is due; INT64_MAX: none */
	int64_t search_at_s;	/* when it is asked again who has those of a doubt */
	int64_t publish_at_s;	/* the same for x5u files */
	int64_t look_at_s;	/* the same for the directories of x5u files */
	int64_t changes_at_s;	/* the same for changes */
	int64_t unnamed_at_s;	/* when the unnamed keys are counted again */
	int64_t used_at_s;	/* when it is noted which tenants were used */
	int64_t renumber_at_s;	/* when the next window of added numbers closes */
	int64_t ported_at_s;	/* when certificates of removed numbers are looked for */
	int64_t offboard_at_s;	/* when off-boardings are gone on with; 0: at once */
	int64_t abandoned_at_s; /* when abandoned orders are looked for */
	int64_t making_at_s;	/* when unfinished batches of keys are (making.h) */
	int64_t ct_at_s;	/* when the alarms of logs are looked at */
	int64_t crl_at_s;	/* when revocation lists are (crl_ops.h) */
	int64_t state_at_s;	/* when the state directory is tried (statedir.h) */
	int64_t state_failed_s; /* since when it cannot be written; 0: it can */
	bool state_well;	/* it can again: whoever waits for it is to be told */
	struct fault state_fault;
	bool clock_holds; /* nothing that is over is destroyed (clockwatch.h) */
};

enum rc works_init(struct works *w, const char *config_file, const struct works_out *out,
    struct fault *f) MUST_CHECK;
void works_done(struct works *w);

/*
 * Read configuration and state anew.  Without a set: it becomes the first
 * one, published by nobody, and of a large configuration it has only what was
 * used last: works_load_more() until works_is_loading() says no, and nothing
 * else before that.  Else it is published without waiting for keys,
 * and w->set is the new one only when it is in force.  Certificates on disk
 * whose keys have to be learnt first are left to works_chores().
 */
enum rc works_load(struct works *w, int64_t now_s, struct fault *f) MUST_CHECK;
bool works_is_loading(const struct works *w);
enum rc works_load_more(struct works *w, int64_t now_s, struct fault *f) MUST_CHECK;

/* Before the end: which tenants were used. */
void works_note_use(struct works *w);

/* Put in force what w->set becomes by these lists; on failure it stays. */
enum rc works_trust(
    struct works *w, struct trust *t, int64_t now_s, struct fault *f) MUST_CHECK;

/*
 * A key of the token with this index, and the library context that it lives
 * in; EVP_PKEY_free() before works_done().
 */
enum rc works_key(struct works *w, unsigned token, const uint8_t point[P256_POINT_LEN],
    OSSL_LIB_CTX **libctx, EVP_PKEY **out, struct fault *f) MUST_CHECK;

/*
 * The fault of something that signs by EVP with a key of this token: what the
 * token said, where it was the token.
 */
enum rc works_signed(struct works *w, unsigned token, enum rc rc, const struct fault *why,
    struct fault *f) MUST_CHECK;

/* One that no file names when the chores come is destroyed. */
enum rc works_generate(
    struct works *w, unsigned token, uint8_t point[P256_POINT_LEN], struct fault *f) MUST_CHECK;

/* The end of a key that nothing needs, and of its file.  RC_OK also when it is gone. */
enum rc works_discard(struct works *w, unsigned token, const uint8_t key_id[KEY_ID_LEN],
    struct fault *f) MUST_CHECK;

/* The index of a token section; RC_BUG config when there is none. */
enum rc works_token_index(
    const struct works *w, const char *name, unsigned *out, struct fault *f) MUST_CHECK;

/*
 * The token of this credential's key: the one that it was made in where the
 * configuration still lists that, else the one where new ones are made.
 */
enum rc works_token_of(const struct works *w, const struct config_credential *cc,
    const uint8_t key_id[KEY_ID_LEN], unsigned *out, struct fault *f) MUST_CHECK;

/*
 * The set with c in this place is published when its key is learnt, and
 * becomes w->set.  Takes c over.
 */
enum rc works_put(
    struct works *w, struct credset_place at, struct credential *c, struct fault *f) MUST_CHECK;

/* The same without waiting: for a credential whose key is in force already. */
enum rc works_change(
    struct works *w, struct credset_place at, struct credential *c, struct fault *f) MUST_CHECK;

/* {"event", "tenant", "credential"} and what is in more (taken; may be NULL). */
void works_audit(
    struct works *w, const char *event, const char *tenant, const char *name, json_t *more);

/*
 * A list of len items of that size, which has no place left, in twice the room:
 * list is freed, *cap counts the items it may have.  NULL: no memory, and both
 * stay as they are.
 */
void *works_grown(void *list, size_t len, size_t *cap, size_t size);

/* Lower-case hex and a NUL: 2 * len + 1 characters. */
void works_hex(const uint8_t *in, size_t len, char *out);

/* Back again: 2 * len lower-case digits, whatever stands behind them. */
bool works_unhex(const char *hex, uint8_t *out, size_t len);

/* The clock was set: what is due is looked at anew. */
void works_clock_set(struct works *w);

/* When works_chores() has something to do (Unix seconds). */
int64_t works_due_s(const struct works *w);

/* What falls due by itself; returns when to call again (Unix seconds). */
int64_t works_chores(struct works *w, int64_t now_s);

#endif
