/*
 * The verifier thread: signatures and chains of the PASSporTs that a div,
 * div-o or rsp answers (stir/original.h), and of those that delegates prove
 * their numbers by (proof.h), which cost far more than a decision.
 * Apart from the builder, whose installs a call must not wait for.
 *
 * What was found good is remembered by the digest of all that it depends on:
 * token, chain, trust anchors and logs, policy.  So nothing is ever to be forgotten when these
 * change; the age is judged anew each time.
 *
 * Users take turns, a task each, and none has more tasks than there is room
 * left: whoever floods waits for itself.
 *
 * The loop posts a task and is told by verifier_fd() and verifier_take().
 * Requests with neither never touch it.
 */
#ifndef AGENT_FRONT_VERIFIER_H
#define AGENT_FRONT_VERIFIER_H

#include "agent/front/credset.h"
#include "agent/front/proof.h"
#include "stir/original.h"

enum {
	VERIFIER_MAX_WAITING = 512, /* tasks; half of them where one user is alone */
	VERIFIER_MAX_ITEMS = 16,    /* of one task */
	VERIFIER_MEMORY = 4096,	    /* outcomes */
};

struct verifier_item {
	const struct originals *originals; /* NULL: it is a delegate's PASSporT */
	enum original_check check;
	struct span delegate;
	struct proof_policy policy;
	/* The answer: */
	size_t verified;
	json_t *claims; /* of the delegate's PASSporT: a new reference */
	struct fault fault;
};

struct verifier_user;

/* Part of its owner's, who keeps it and what it points to until it is done. */
struct verifier_task {
	struct verifier_item item[VERIFIER_MAX_ITEMS];
	size_t items;
	uid_t uid;	     /* whose turn it takes */
	int64_t now_s;	     /* what the ages are judged by */
	int64_t deadline_ms; /* monotonic: not begun after it, RC_TIMEOUT overloaded */
	void (*done)(struct verifier_task *t); /* on the loop's thread */
	/* verifier.c's own: */
	struct credset *set;
	struct verifier_user *user;
	struct verifier_task *next;
};

struct verifier;

enum rc verifier_new(struct verifier **out, struct fault *f) MUST_CHECK;
/* Ends the thread; whose task is not done is not told any more.  NULL is fine. */
void verifier_free(struct verifier *v);

/*
 * Takes a reference of the set by whose anchors and chains it is verified.
 * RC_BUSY overloaded: as many of this user wait as there is room left.
 */
enum rc verifier_post(struct verifier *v, struct verifier_task *t, struct credset *set,
    struct fault *f) MUST_CHECK;

int verifier_fd(const struct verifier *v);
void verifier_take(struct verifier *v); /* calls done() of all that are */

/* How many chains and signatures were not verified again.  Any thread. */
uint64_t verifier_remembered(struct verifier *v);

#endif
