#include "agent/front/verifier.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "stir/digest.h"
#include "stir/ossl.h"

enum { DIGEST_LEN = 32, WAYS = 4 };

/* Outcomes by their digest; a new one takes the place of one with the same first bits. */
struct memory {
	uint8_t digest[VERIFIER_MEMORY][DIGEST_LEN]; /* all 0: free */
	uint8_t turn[VERIFIER_MEMORY / WAYS];
};

struct queue {
	struct verifier_task *first, **last;
};

/* Whose tasks take turns with those of others; free while nothing waits. */
struct verifier_user {
	uid_t uid;
	size_t waiting; /* asked for and not done */
	struct queue asked;
};

struct verifier {
	/* Set before the thread runs: */
	pthread_t thread;
	bool started;
	int event_fd;
	/* The thread's own: */
	struct memory memory;
	/* Shared, under lock: */
	pthread_mutex_t lock;
	pthread_cond_t more; /* a task, or stopping */
	struct verifier_user user[VERIFIER_MAX_WAITING];
	size_t users; /* that were ever there at once */
	size_t turn;  /* who had it last */
	size_t asked; /* tasks that nobody works on yet */
	struct queue done;
	size_t waiting; /* asked for and not done, of all users */
	bool stopping;
	atomic_uint_fast64_t remembered;
};

/* ---- what was verified before ---- */

/* While one task is worked on. */
struct look {
	struct verifier *v;
	const struct credset *set;
	const struct proof_policy *policy; /* NULL: an original */
	bool unknown;			   /* no chain was found for an x5u */
};

/* What one is good for, the other need not be. */
static bool
digest_policy(const struct proof_policy *p, EVP_MD_CTX *md)
{
	uint8_t text[] = { p != NULL, 0, 0, 0 };

	if (p != NULL) {			/* the lifetime is judged each time */
		text[1] = (uint8_t)p->min_scts; /* a few */
		text[2] = (uint8_t)p->encompassing;
		text[3] = p->codes_are_scope;
	}
	return EVP_DigestUpdate(md, text, sizeof text) == 1;
}

static bool
digest_parts(const struct look *l, struct span token, const struct chain *c, EVP_MD_CTX *md,
    uint8_t out[DIGEST_LEN])
{
	uint8_t inner[DIGEST_LEN];

	if (digest_sha256(token, inner, NULL) != RC_OK ||
	    EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(md, credset_judged_by(l->set), DIGEST_LEN) != 1 ||
	    EVP_DigestUpdate(md, inner, sizeof inner) != 1 || !digest_policy(l->policy, md))
		return false;
	for (size_t i = 0; c != NULL && i < c->len; i++) { /* DER says itself where it ends */
		if (EVP_DigestUpdate(md, c->cert[i]->der, c->cert[i]->der_len) != 1)
			return false;
	}
	return EVP_DigestFinal_ex(md, out, NULL) == 1;
}

/* All that the outcome depends on but the time, which is the token's own iat. */
static bool
digest_of(
    const struct look *l, struct span token, const struct chain *c, uint8_t out[DIGEST_LEN])
{
	AUTO_OSSL(EVP_MD_CTX) *md = EVP_MD_CTX_new();

	return md != NULL && digest_parts(l, token, c, md, out);
}

static size_t
row_of(const uint8_t digest[DIGEST_LEN])
{
	return ((size_t)digest[0] << 8 | digest[1]) % (VERIFIER_MEMORY / WAYS);
}

static bool
is_remembered(void *arg, struct span token, const struct chain *c)
{
	const struct look *l = arg;
	struct memory *m = &l->v->memory;
	uint8_t digest[DIGEST_LEN];

	if (!digest_of(l, token, c, digest))
		return false;
	for (size_t i = 0; i < WAYS; i++) {
		if (memcmp(m->digest[row_of(digest) * WAYS + i], digest, DIGEST_LEN) == 0) {
			atomic_fetch_add_explicit(&l->v->remembered, 1, memory_order_relaxed);
			return true;
		}
	}
	return false;
}

static void
remember(void *arg, struct span token, const struct chain *c)
{
	const struct look *l = arg;
	struct memory *m = &l->v->memory;
	uint8_t digest[DIGEST_LEN];
	size_t row;

	if (!digest_of(l, token, c, digest))
		return;
	row = row_of(digest);
	memcpy(m->digest[row * WAYS + m->turn[row]++ % WAYS], digest, DIGEST_LEN);
}

static const struct chain *
known_chain(void *arg, struct span x5u)
{
	struct look *l = arg;
	const struct chain *c = credset_chain(l->set, x5u);

	l->unknown |= c == NULL;
	return c;
}

/* ---- the thread ---- */

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
verify_originals(const struct verifier_task *t, struct verifier_item *it, struct look *look)
{
	const struct original_policy policy = { .check = it->check,
		.anchors = t->set->anchors,
		.known = known_chain,
		.remembered = is_remembered,
		.remember = remember,
		.arg = look,
		.now_s = t->now_s,
		.max_age_s = t->set->config->iat_diverted_s };

	(void)!originals_verify(it->originals, &policy, &it->verified, &it->fault);
}

static void
verify_delegate(const struct verifier_task *t, struct verifier_item *it, struct look *look)
{
	const struct proof_input in = { .text = it->delegate,
		.policy = &it->policy,
		.anchors = t->set->anchors,
		.ctlogs = t->set->ctlogs,
		.do_not_originate = t->set->config->do_not_originate,
		.known = known_chain,
		.remembered = is_remembered,
		.remember = remember,
		.arg = look,
		.now_s = t->now_s };

	(void)!proof_verify(&in, &it->claims, &it->fault);
}

/* Whose certificate it rests on may be known in a moment. */
static void
excuse(const struct verifier_task *t, struct verifier_item *it, const struct look *look)
{
	if (it->fault.rc == RC_OK || !look->unknown || t->set->loading == 0)
		return;
	it->fault = (struct fault){ 0 };
	(void)REFUSE(&it->fault, RC_BUSY, OVERLOADED,
	    it->originals != NULL ? "original" : "delegate",
	    "the agent has just started and certificates are still being loaded: ask again");
}

static void
verify_item(const struct verifier_task *t, struct verifier_item *it, struct look *look)
{
	if (now_ms() > t->deadline_ms)
		(void)REFUSE(&it->fault, RC_TIMEOUT, OVERLOADED,
		    it->originals != NULL ? "original" : "delegate",
		    "it was not verified in time");
	else if (it->originals != NULL)
		verify_originals(t, it, look);
	else
		verify_delegate(t, it, look);
	excuse(t, it, look);
}

static void
verify(struct verifier *v, struct verifier_task *t)
{
	for (size_t i = 0; i < t->items; i++) {
		struct verifier_item *it = &t->item[i];
		struct look look = { v, t->set, it->originals != NULL ? NULL : &it->policy,
			false };

		verify_item(t, it, &look);
	}
	/* Here and not on the loop: it may be the last reference. */
	credset_release(t->set);
	t->set = NULL;
}

static void
put(struct queue *q, struct verifier_task *t)
{
	t->next = NULL;
	*q->last = t;
	q->last = &t->next;
}

static struct verifier_task *
take(struct queue *q)
{
	struct verifier_task *t = q->first;

	if (t == NULL)
		return NULL;
	q->first = t->next;
	if (q->first == NULL)
		q->last = &q->first;
	return t;
}

/* Of whoever comes after the last one.  Under lock. */
static struct verifier_task *
take_in_turn(struct verifier *v)
{
	struct verifier_task *t = NULL;

	for (size_t i = 0; i < v->users && t == NULL; i++) {
		v->turn = (v->turn + 1) % v->users;
		t = take(&v->user[v->turn].asked);
	}
	v->asked -= t != NULL;
	return t;
}

/* The next task, waiting for one if need be; NULL: the end. */
static struct verifier_task *
next_task(struct verifier *v)
{
	struct verifier_task *t = NULL;

	pthread_mutex_lock(&v->lock);
	while (v->asked == 0 && !v->stopping)
		pthread_cond_wait(&v->more, &v->lock);
	if (!v->stopping)
		t = take_in_turn(v);
	pthread_mutex_unlock(&v->lock);
	return t;
}

static void
finish(struct verifier *v, struct verifier_task *t)
{
	static const uint64_t one = 1;

	pthread_mutex_lock(&v->lock);
	put(&v->done, t);
	pthread_mutex_unlock(&v->lock);
	/* A full counter wakes as well. */
	while (write(v->event_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void *
run(void *arg)
{
	struct verifier *v = arg;
	struct verifier_task *t;

	while ((t = next_task(v)) != NULL) {
		verify(v, t); /* no lock is held here */
		finish(v, t);
	}
	return NULL;
}

/* ---- the loop's side ---- */

/* NULL: as many as there can be have tasks. */
static struct verifier_user *
user_of(struct verifier *v, uid_t uid)
{
	struct verifier_user *u = NULL;

	for (size_t i = 0; i < v->users; i++) {
		if (v->user[i].waiting > 0 && v->user[i].uid == uid)
			return &v->user[i];
		if (v->user[i].waiting == 0 && u == NULL)
			u = &v->user[i];
	}
	if (u == NULL && v->users < VERIFIER_MAX_WAITING)
		u = &v->user[v->users++];
	if (u != NULL) {
		*u = (struct verifier_user){ .uid = uid };
		u->asked.last = &u->asked.first;
	}
	return u;
}

/* Never more of one than what it leaves: n users that flood leave room for the next. */
static enum rc
put_in_line(struct verifier *v, struct verifier_task *t, struct credset *set, struct fault *f)
{
	struct verifier_user *u = user_of(v, t->uid);

	if (u == NULL || u->waiting >= VERIFIER_MAX_WAITING - v->waiting)
		return REFUSE(f, RC_BUSY, OVERLOADED,
		    t->item[0].originals != NULL ? "original" : "delegate",
		    "%zu requests wait for PASSporTs to be verified, %zu of this user",
		    v->waiting, u != NULL ? u->waiting : 0);
	t->set = credset_ref(set);
	t->user = u;
	put(&u->asked, t);
	u->waiting++;
	v->waiting++;
	v->asked++;
	pthread_cond_signal(&v->more);
	return RC_OK;
}

enum rc
verifier_post(struct verifier *v, struct verifier_task *t, struct credset *set, struct fault *f)
{
	enum rc rc;

	pthread_mutex_lock(&v->lock);
	rc = put_in_line(v, t, set, f);
	pthread_mutex_unlock(&v->lock);
	return rc;
}

int
verifier_fd(const struct verifier *v)
{
	return v->event_fd;
}

static struct verifier_task *
take_done(struct verifier *v)
{
	struct verifier_task *t;

	pthread_mutex_lock(&v->lock);
	t = take(&v->done);
	if (t != NULL) {
		t->user->waiting--;
		v->waiting--;
	}
	pthread_mutex_unlock(&v->lock);
	return t;
}

void
verifier_take(struct verifier *v)
{
	struct verifier_task *t;
	uint64_t count;

	if (read(v->event_fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
		return;
	while ((t = take_done(v)) != NULL)
		t->done(t);
}

uint64_t
verifier_remembered(struct verifier *v)
{
	return atomic_load_explicit(&v->remembered, memory_order_relaxed);
}

/* ---- life ---- */

enum rc
verifier_new(struct verifier **out, struct fault *f)
{
	struct verifier *v = calloc(1, sizeof *v);
	int err;

	if (v == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the verifier");
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->more, NULL);
	atomic_init(&v->remembered, 0);
	v->done.last = &v->done.first;
	v->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = v->event_fd < 0 ? errno : pthread_create(&v->thread, NULL, run, v);
	if (err != 0) {
		verifier_free(v);
		return FAULT(f, RC_BUG, "internal_error", "the verifier: %s", strerror(err));
	}
	v->started = true;
	*out = v;
	return RC_OK;
}

static void
stop(struct verifier *v)
{
	pthread_mutex_lock(&v->lock);
	v->stopping = true;
	pthread_cond_signal(&v->more);
	pthread_mutex_unlock(&v->lock);
	pthread_join(v->thread, NULL);
}

void
verifier_free(struct verifier *v)
{
	struct verifier_task *t;

	if (v == NULL)
		return;
	if (v->started)
		stop(v);
	while ((t = take_in_turn(v)) != NULL)
		credset_release(t->set);
	if (v->event_fd >= 0)
		close(v->event_fd);
	pthread_cond_destroy(&v->more);
	pthread_mutex_destroy(&v->lock);
	free(v);
}
