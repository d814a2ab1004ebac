/*
 * The pool from within: its tokens, their processes and keys, and what the
 * parts of it ask of each other.  hsm.c is its face, its tick and the
 * counters; hsm_keys.c the keys and their learning; hsm_process.c one process
 * and its frames; hsm_calls.c the signatures.
 *
 * Private to hsm*.c.  Loop thread only.  Whatever ends a call runs its done(),
 * which may ask for another signature at once.
 */
#ifndef AGENT_FRONT_HSM_POOL_H
#define AGENT_FRONT_HSM_POOL_H

#include "agent/front/hsm.h"

#define HSM_MAX_SLOTS 256 /* frames without an answer at one process */
_Static_assert(HSM_MAX_SLOTS <= UINT8_MAX + 1, "struct process has them in octets");
_Static_assert(HSM_MAX_SLOTS >= HSM_MAX_SIGNING + HSM_LEARN_WINDOW + 1, "and one STATS");

struct slot {	     /* a frame that has no answer yet */
	uint64_t id; /* 0: free */
	enum frame_op op;
	struct hsm_call *call; /* SIGN; NULL when it was given up */
	uint8_t key_id[KEY_ID_LEN];
	int64_t sent_ms;
	unsigned ahead;	  /* frames before it in the socket or at work */
	uint64_t answers; /* the process had given then */
};

struct key {
	struct hsm_key is;
	size_t place;				 /* in its token's list */
	uint64_t asked, known, refused, missing; /* 1 << process */
	uint64_t unseen;			 /* the process has to search for it */
	uint64_t lost; /* its last word was that there is no such key; asking again keeps it */
	unsigned misses;  /* in a row */
	int64_t again_ms; /* when a missing one is asked for again */
	uint64_t retry;	  /* refused, and to be asked for again */
	unsigned refusals;
	int64_t refused_ms, retry_ms;
	bool wanted;
	int64_t forget_at_ms;
};

struct token;

struct process {
	struct hsm *hsm;
	struct token *token;
	unsigned number;
	struct loop_io io;
	struct hsm_process is;
	struct loop_timer hang;
	struct slot slot[HSM_MAX_SLOTS];
	unsigned next_slot;
	uint64_t next_id;
	unsigned live;	      /* SIGN slots whose call still waits */
	unsigned learns;      /* LEARN and LOOK slots */
	unsigned searches;    /* LEARN slots */
	size_t cursor;	      /* keys before it were asked for */
	size_t search_cursor; /* … or searched for, where they are unseen */
	bool polled;	      /* a STATS frame is out */
	uint64_t asked, told; /* the last question when it went out, and when it came back */
	unsigned outstanding; /* slots in use */
	uint64_t answers;     /* frames that came back */
	bool suspect;	      /* nothing came back for long: no further calls until it does */
	bool stuck;	      /* it does not come back from a search: others do not wait */
	bool blamed;	      /* a call passed its deadline */
	bool killed;	      /* reported */
	/* slot of the n'th frame that was sent, at n % HSM_MAX_SLOTS */
	uint8_t order[HSM_MAX_SLOTS];
};

struct token {
	unsigned number;
	struct process *process[HSM_MAX_PROCESSES];
	struct key **key; /* owned */
	size_t keys, keys_cap;
	struct key **bucket; /* open addressing by key id, at most half full */
	size_t buckets;
	struct hsm_call waiting; /* list head */
	size_t waits;
	size_t calls;	    /* here and at the processes */
	bool shrunk;	    /* fewer can sign than before: some that wait may wait in vain */
	int64_t trouble_ms; /* when it last failed a call that was no single key's fault */
};

struct hsm {
	struct loop *loop;
	struct hsm_ops ops;
	struct token token[HSM_MAX_TOKENS];
	struct loop_timer tick;
	unsigned max_waiting, timeout_ms;
	unsigned ticks;
	uint64_t questions;	/* hsm_fresh() so far */
	struct hsm_fresh fresh; /* list head */
};

/* ---- hsm_keys.c ---- */

/* The token's own, until hsm_retire_keys() drops it; NULL: it has none of this id. */
struct key *hsm_find_key(const struct token *t, const uint8_t key_id[KEY_ID_LEN]);

/* It is wanted from now on.  Nobody is asked for it yet: hsm_learn_token(). */
enum rc hsm_add_key(struct token *t, const struct hsm_key *want, struct fault *f) MUST_CHECK;

/* It looks for a key that it did not find at its start. */
bool hsm_is_searching(const struct process *p);

/* Ask the process for the keys that it has said nothing of, as many as may be asked for now. */
void hsm_learn_more(struct process *p);
void hsm_learn_anew(struct process *p); /* from the first key on */
void hsm_learn_token(struct token *t);	/* each of its processes */

/* The answer to a LEARN or LOOK frame; s is a copy of its slot, which is free again. */
void hsm_learnt(struct process *p, const struct slot *s, const struct frame *frame);

/* The process refused this key of its token's, be it to learn it or to sign with it. */
void hsm_refuse(struct process *p, struct key *k, const struct frame *frame);

/* What the keys know of this process is of one that is gone. */
void hsm_forget_process(struct token *t, unsigned number);

/* Forget, here and at the processes, the keys that are not wanted and whose time is over. */
void hsm_retire_keys(struct token *t, int64_t now_ms);

/* Those whose pause is over may be asked for again; hsm_learn_more() does it. */
void hsm_ask_refused(struct token *t, int64_t now_ms);
void hsm_ask_missing(struct token *t, int64_t now_ms);

/* ---- hsm_process.c ---- */

/* Frames were sent to the process before it. */
uint64_t hsm_nth(const struct slot *s);

/*
 * Send one frame and note it; false when the process takes none at the moment.
 * *out is the process's own; out may be NULL.
 */
bool hsm_send_frame(struct process *p, enum frame_op op, const uint8_t key_id[KEY_ID_LEN],
    const void *body, size_t len, struct slot **out);

/* It failed a call, and it is no single key's fault: hsm_load_us() has a surcharge for a while. */
void hsm_note_trouble(struct process *p);

/* A call passed its deadline there; s was its slot and does not name it any more.  May kill(). */
void hsm_blame(struct process *p, const struct slot *s);

/* Calls that it holds for too long go elsewhere if they can; one that hangs is condemned. */
void hsm_look_for_hang(struct process *p, int64_t now_ms);

/* Ask it for its counters and for the keys that are missing, if it said hello. */
void hsm_poll_process(struct process *p);

/* With its socket.  Its token's list and the calls that it holds are the caller's matter. */
void hsm_free_process(struct process *p);

/* ---- hsm_calls.c ---- */

/* p may be NULL, which does not. */
bool hsm_takes_calls(const struct process *p);

/*
 * The least loaded process for this call, the token's own, or NULL; *some says
 * whether any could, were it not busy.  One that searches gets it only where
 * there is no other.
 */
struct process *hsm_choose(const struct token *t, const struct hsm_call *c, bool *some);

/* One more answer: the next of those that were further behind has come near. */
void hsm_draw_near(struct process *p);

/* The answer to a SIGN frame; no slot names the call any more.  It ends or is tried again. */
void hsm_signed_by(struct process *p, struct hsm_call *c, const struct frame *frame);

/* Whatever waits and can go now.  A call whose key only busy processes know lets others pass. */
void hsm_pump(struct token *t);

/* Waiting calls that nobody can take end: all of them, or those that can go elsewhere. */
void hsm_strand(struct token *t, bool all);

/* When fewer can sign than before: what waits in vain is answered at once. */
void hsm_fail_stranded(struct token *t);

/*
 * A call that its process cannot answer: once more elsewhere (architecture,
 * "Errors"), else it ends.  No slot names it any more; it waits for hsm_pump().
 */
void hsm_try_again(struct process *p, struct hsm_call *c, const char *why);

/*
 * The call is worth another try while its deadline lets it have one: in another
 * token, where whoever waits has one, else on another process.  It is taken out
 * of the slot, unless there is neither.
 */
void hsm_rescue(struct process *p, struct slot *s);

/* ---- hsm.c ---- */

/* Whoever waited for counters and has them now hears of it. */
void hsm_freshen(struct hsm *h);

#endif
