/*
 * A scripted CA, authority and front for the renewer's state machine: every
 * call is answered on the next turn, time moves only when nothing is under
 * way, and any one call can be made to fail.
 */
#ifndef TESTS_UNIT_RENEW_WORLD_H
#define TESTS_UNIT_RENEW_WORLD_H

#include "agent/renewer/renew.h"
#include "stir/ossl.h"

enum { WORLD_CREDENTIALS = 64, WORLD_PENDING = 256, WORLD_ORDERS = 2048 };

enum world_fault {
	FAULT_NONE,
	FAULT_LOST,	   /* never arrives: RC_NET, the front: RC_TIMEOUT */
	FAULT_UNHEARD,	   /* arrives, the answer does not */
	FAULT_UNAVAILABLE, /* 503 with Retry-After; the front: hsm_unavailable */
	FAULT_GARBAGE,	   /* 200 with rubbish; the front: ok with nothing in it */
	FAULT_BAD_NONCE,   /* HTTP POST only, else nothing */
	FAULT_DENIED,	   /* 403 unauthorized; the front: refused for good */
	FAULT__COUNT
};

/* What newAccount answers in the place of an account. */
struct world_account {
	const char *name;
	long status;
	const char *type, *body, *location; /* NULL: none */
	const char *problem;		    /* what status begins with then */
	bool final;			    /* the account's alarm */
};

struct world_credential {
	char name[16];
	char tenant[2]; /* "t"; the order of tenants is that of the names */
	bool constraints, removed;
	bool other_authority;  /* "tb" and not "ta" */
	bool other_ca;	       /* "lax" and not "lab" */
	unsigned installed_as; /* the how manyth install of the world the last one was */
	unsigned installs;
	char serial[16];
	int64_t not_before_s, not_after_s;
	bool as_configured;
	char problem[PROBLEM_TEXT];
	int64_t renew_at_s;
	char steps[128];		  /* as reported, each once: "token,order," */
	int64_t token_until_s, failing_s; /* as reported */
	char *ordered;			  /* constraints of the last order, NULL none */
};

struct world_order {
	size_t credential, authzs;
	bool valid[3], failed, finalized;
	unsigned looks;
	unsigned slow; /* looks until the domain that was answered for is valid */
};

/* What an operator asked of the CA. */
struct world_errand {
	bool wanted, by_key;
	const char *ca;	     /* NULL: "lab" */
	bool unnamed;	     /* the directory has no revokeCert */
	const char *named;   /* what it has, JSON; NULL: the right one */
	const char *problem; /* type of the CA's refusal, NULL: it does it */
	long status;
	bool hangs;	  /* what is posted does not come back for long */
	unsigned many;	  /* of them; 0: one, "e1" */
	unsigned batches; /* lists of "many" that come one after the other; 0: one */
	bool stuck;	  /* one of a CA that is not there is always listed, too */
	unsigned over;	  /* how many are; batches only */
	bool deaf;	  /* the front is not to be told of it */
	unsigned posts, told;
	bool final, kid_was_null;
	char reason[32];
};

struct pending {
	bool http, other_authority, domain;
	int64_t due_ms; /* it hangs until then; 0: answered on the next turn */
	io_http_done *http_done;
	io_ask_done *ask_done;
	io_run_wanted *run_wanted;
	io_run_done *run_done;
	void *arg;
	enum rc rc;
	struct fault fault;
	struct http_answer answer;
	json_t *reply;
};

struct world {
	char dir[64];
	char anchors[96];
	struct io io;
	int64_t now_ms;
	struct store *store;
	struct renew *renew;
	struct world_errand errand;
	struct world_credential cred[WORLD_CREDENTIALS];
	size_t creds;
	int64_t life_s, token_life_s;
	struct world_order order[WORLD_ORDERS];
	size_t orders;
	struct pending pending[WORLD_PENDING];
	size_t waiting;
	const struct world_account *odd_account; /* NULL: one is made */
	unsigned calls, nonces, registrations, tokens, steps_most;
	unsigned fail_at; /* the call that fails, counted from 1; 0: none */
	enum world_fault fault;
	bool fault_struck, fail_always; /* always: every call from fail_at on */
	/* With world_reload(): a command in the place of the CA; tokens are pushed only. */
	bool command, push;
	/* The same: of the CA and of each authority; 0: the default. */
	unsigned concurrency, rate_per_minute;
	unsigned ca_rate;	 /* the same, of the CA alone */
	bool orders_vanish;	 /* none arrives */
	bool hangs, hangs_for_t; /* authority tb; for the credentials of tenant t only */
	unsigned hanging_most;	 /* at once, since it was last set to 0 */
	unsigned installs;
	unsigned runs;
	unsigned pages; /* of plans that were asked for */
	/* The authority's 403 to every token, NULL: none; what the front was told, and keeps. */
	const char *refuse_right;
	unsigned rights_refused, rights_granted;
	bool right_is_refused;
	bool refuse_install, grant_narrower, grant_wider, processing;
	unsigned alternates,
	    home;	  /* chains beside the first; the one that leads to the anchor */
	size_t chain_len; /* of what was installed last */
	/* With world_kill(): a domain is ordered beside; what its command was told, and says. */
	bool domain;
	unsigned presented, cleaned;
	unsigned places; /* for commands; 0: any number */
	int64_t command_ms;
	unsigned slow, answers;	 /* looks until it is valid; how often it was answered */
	unsigned overlaps, busy; /* commands beside another; for which there was no place */
	bool cleaned_early;	 /* before the CA had decided */
	enum rc command_rc;
	bool plan_without_domain;
	const char *domain_fails; /* error type of its challenge, NULL none */
	const char *challenge_token;
	/* Renewal information: offered; what it says; how often it was asked; the last order. */
	bool two_cas; /* with world_kill(): and the other one hangs at renewal information */
	bool ari, refuse_replaces, refuse_order;
	const char *ari_body; /* in the place of a window */
	long ari_status;
	int64_t ari_start_s, ari_end_s, ari_retry_s; /* after the certificate's notBefore */
	unsigned windows_asked, looked;
	char replaced[32];
	const char *challenge_fails; /* error type of the next challenge answered, NULL none */
	unsigned problems;	     /* reports to status that had one */
	char account_problem[PROBLEM_TEXT]; /* as last told */
	unsigned account_words;
	/* With world_kill(): asked for; offered by the CA; of its orders.  NULL: none. */
	const char *profile, *offered, *order_profile;
	/* The same, of c00: who names x5u; what orders name; what is there. */
	bool x5u_from_order, x5u_other, x5u_gone;
	const char *order_x5u;
	char installed_x5u[64];
	/* The same: a series is asked for; the CA's words; how its certificates were had. */
	int64_t star_s, star_offered_s; /* lifetime; of meta; 0: none */
	const char *star_end;		/* of orders; NULL: no series */
	bool star_get, star_late;	/* by GET; the next one is not there */
	const char *star_problem; /* in the place of a certificate, of the first orders: */
	unsigned star_problem_to;
	unsigned star_gets, star_posts, star_orders;
	char installed_order[64], finalized_order[64];
	EVP_PKEY *account, *authority, *root;
	X509 *root_cert, *authority_cert;
	struct buf tnauth, tnauth_other, /* of every tenant but t */
	    constraints, narrower, wider;
};

void world_open(struct world *w, size_t credentials);
void world_close(struct world *w);

/* The renewer dies with everything that is under way, and starts again. */
void world_kill(struct world *w);
void world_reload(struct world *w);
/* A token for these credentials' numbers is pushed; for another account with other. */
void world_push(struct world *w, const char *name, bool other);
void world_event(struct world *w, const char *event, const char *name);

/* One turn; false when nothing was under way and time moved. */
bool world_turn(struct world *w);

/* Turns until cond() or until so much time has passed; true with cond. */
bool world_until(struct world *w, bool (*cond)(const struct world *w), int64_t most_s);
void world_pass(struct world *w, int64_t s);

enum renew_state world_state(const struct world *w, size_t credential);

#endif
