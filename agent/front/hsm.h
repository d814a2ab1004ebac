/*
 * The front's pool of signer processes: which process knows which key, whose
 * turn it is, and what is lost, late or too much.
 *
 * Loop thread only.  A digest goes to the least loaded ready process of the
 * credential's token that has learnt the key; where all of them are busy it
 * waits in a bounded queue.  A signature that died with its process is tried
 * once more on another.  A process that lets a call pass its deadline gets no
 * further ones and is reported, to be killed.
 */
#ifndef AGENT_FRONT_HSM_H
#define AGENT_FRONT_HSM_H

#include "agent/front/loop.h"
#include "pkcs11/client.h"
#include "stir/es256.h"

enum {
	HSM_MAX_TOKENS = 16,
	HSM_MAX_PROCESSES = 64,	  /* of one token */
	HSM_MAX_THREADS = 64,	  /* of one process; vesper-hsm takes no more */
	HSM_MAX_SIGNING = 192,	  /* calls at one process */
	HSM_AHEAD_US = 1000,	  /* work that a process has before it */
	HSM_MAX_AHEAD = 12,	  /* and how many calls that may be */
	HSM_LEARN_WINDOW = 32,	  /* LEARN frames at one process */
	HSM_HANG_GRACE_MS = 1000, /* for the other calls of a process that hangs */
	HSM_RETIRE_TIMEOUTS =
	    3, /* a key no set wants is forgotten after so many request timeouts */
	HSM_TICK_MS = 250,
	HSM_TROUBLE_MS = 2000,
	HSM_SEARCH_MS = 2000, /* a search for a key has at least */
	/* a call without an answer for a timeout through this is tried elsewhere */
	HSM_STUCK_PART = 2,
};

struct hsm;

struct hsm_key {
	unsigned token;
	uint8_t point[P256_POINT_LEN];
	uint8_t key_id[KEY_ID_LEN];
};

struct hsm_ops {
	/* This process hangs: to be killed and replaced. */
	void (*kill)(void *arg, unsigned token, unsigned process, uint32_t generation);
	/* A process came, went or learnt a key. */
	void (*changed)(void *arg);
	void *arg;
	/* It said hello: logged in, serving.  May be NULL. */
	void (*up)(void *arg, unsigned token, unsigned process, uint32_t generation);
};

enum rc hsm_new(
    struct loop *loop, const struct hsm_ops *ops, struct hsm **out, struct fault *f) MUST_CHECK;
void hsm_free(struct hsm *h); /* calls under way are dropped without done() */
DEFINE_FREEP(hsm);

/*
 * timeout_ms: of a request.  A process that has not moved for half of it gets
 * no further calls until it answers, and those it holds are tried elsewhere;
 * one that holds a call for half of it and past its deadline hangs.
 */
void hsm_limits(struct hsm *h, unsigned max_waiting, unsigned timeout_ms);

/* A process of the supervisor's; takes fd over.  Replaces an older one of the same number. */
enum rc hsm_attach(struct hsm *h, unsigned token, unsigned process, uint32_t generation, int fd,
    struct fault *f) MUST_CHECK;

/* These keys are wanted: they are learnt by every process.  What is there stays. */
enum rc hsm_want(
    struct hsm *h, const struct hsm_key *list, size_t n, struct fault *f) MUST_CHECK;

/* Only these are wanted from now on; the others are forgotten a while later. */
void hsm_want_only(struct hsm *h, const struct hsm_key *list, size_t n);

/* Some ready process can sign with this key. */
bool hsm_ready(const struct hsm *h, unsigned token, const uint8_t key_id[KEY_ID_LEN]);

/* Every ready process of the token refused the key, and there is one. */
bool hsm_refused(const struct hsm *h, unsigned token, const uint8_t key_id[KEY_ID_LEN]);

/* For whoever asks why; the token is up in all but the first. */
enum hsm_key_state {
	HSM_KEY_DOWN,	 /* no process of the token is up */
	HSM_KEY_READY,	 /* some process can sign with it */
	HSM_KEY_MISSING, /* each of them says that the token has no such key */
	HSM_KEY_REFUSED, /* each of them has no such key or refuses it, some the latter */
	HSM_KEY_AWAITED, /* not all of them have answered */
};
enum hsm_key_state hsm_key_state(
    const struct hsm *h, unsigned token, const uint8_t key_id[KEY_ID_LEN]);

/* Some process of the token is ready and was taught. */
bool hsm_token_up(const struct hsm *h, unsigned token);

/* One signature; embedded by whoever waits for it. */
struct hsm_call {
	unsigned token;
	uint8_t key_id[KEY_ID_LEN];
	uint8_t digest[ES256_DIGEST_LEN];
	int64_t deadline_ms; /* loop_now_ms() */
	/* Whoever waits has another token: it rather hears soon that this one hangs. */
	bool elsewhere;
	/* Exactly once, never from within hsm_sign().  sig NULL: *f says why not. */
	void (*done)(
	    struct hsm_call *c, const uint8_t sig[ES256_SIG_LEN], const struct fault *f);
	/*
	 * It is among the next that a signer works at; from within hsm_sign() or
	 * later, or not at all where the signer overtakes others with it.  NULL:
	 * nobody asks.
	 */
	void (*coming)(struct hsm_call *c);
	/* The pool's own: */
	struct hsm *hsm;
	struct loop_timer timer;
	struct hsm_call *next, *prev; /* waiting */
	int process;		      /* where it is, -1: waiting */
	unsigned slot;
	bool again;    /* this is the second try */
	unsigned last; /* the process of the first */
};

/*
 * RC_HSM hsm_unavailable: no ready process knows the key; RC_BUSY overloaded:
 * max_waiting wait already.  RC_OK: done() will be called, with
 * hsm_unavailable, hsm_timeout or overloaded where it failed.
 */
enum rc hsm_sign(struct hsm *h, struct hsm_call *c, struct fault *f) MUST_CHECK;

/* RC_BUSY overloaded when hsm_sign() would say so of any key of the token. */
enum rc hsm_has_room(const struct hsm *h, unsigned token, struct fault *f) MUST_CHECK;

/*
 * How long a signature would take now, where several tokens can make it: what
 * waits and is at work, with a surcharge for one that failed calls in the last
 * HSM_TROUBLE_MS, has no room or is down.  A power of two: those that differ
 * by little are alike.
 */
uint64_t hsm_load_us(const struct hsm *h, unsigned token);

/* What is known of one process, for status and metrics. */
struct hsm_process {
	bool ready;  /* it said hello */
	bool taught; /* and was asked for every key once */
	bool draining;
	unsigned process;
	uint32_t pid, generation, threads;
	unsigned signing; /* calls there now */
	uint64_t answered, failed, timeouts;
	struct frame_stats stats; /* as last told */
};
size_t hsm_processes(
    const struct hsm *h, unsigned token, struct hsm_process out[HSM_MAX_PROCESSES]);
size_t hsm_waiting(const struct hsm *h, unsigned token);

/* Ask every process for its counters now (else once a second). */
void hsm_poll(struct hsm *h);

/* Counters that are no older than the question; embedded by whoever waits for them. */
enum { HSM_FRESH_MS = 250 };
struct hsm_fresh {
	/* Once, never from within hsm_fresh(): every ready process answered, or HSM_FRESH_MS
	 * are over, for one that hangs keeps what it last told. */
	void (*done)(struct hsm_fresh *w);
	void *arg;
	/* The pool's own: */
	struct hsm *hsm;
	uint64_t question;
	struct loop_timer timer;
	struct hsm_fresh *next, *prev;
};
void hsm_fresh(struct hsm *h, struct hsm_fresh *w);
void hsm_fresh_drop(struct hsm_fresh *w); /* done() will not be called */

#endif
