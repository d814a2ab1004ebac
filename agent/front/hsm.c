#include "agent/front/hsm.h"

#include <assert.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/log.h"

#define MAX_SLOTS 256 /* frames without an answer at one process */
_Static_assert(MAX_SLOTS <= UINT8_MAX + 1, "struct process has them in octets");
_Static_assert(MAX_SLOTS >= HSM_MAX_SIGNING + HSM_LEARN_WINDOW + 1, "and one STATS");

enum {
	SCAN_WAITING = 64,
	FIRST_KEYS = 64,
	LEAVE_MS = 5000, /* for a process that says it is leaving */
	MISS_DOUBLINGS = 8,
	REFUSED_DOUBLINGS = 2, /* a second, and only after … */
	REFUSED_SOON = 120,    /* … so many in a row longer */
	STATS_TICKS = 4,       /* once a second */
	FORGIVE_MS = 120000,   /* a refusal so long ago does not lengthen the pause */
};

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
	uint64_t asked, known, refused, missing; /* 1 << process */
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
	struct slot slot[MAX_SLOTS];
	unsigned next_slot;
	uint64_t next_id;
	unsigned live;	      /* SIGN slots whose call still waits */
	unsigned learns;      /* LEARN slots */
	size_t cursor;	      /* keys before it were asked for */
	bool polled;	      /* a STATS frame is out */
	uint64_t asked, told; /* the last question when it went out, and when it came back */
	unsigned outstanding; /* slots in use */
	uint64_t answers;     /* frames that came back */
	bool suspect;	      /* nothing came back for long: no further calls until it does */
	bool blamed;	      /* a call passed its deadline */
	bool killed;	      /* reported */
	uint8_t order[MAX_SLOTS]; /* slot of the n'th frame that was sent, at n % MAX_SLOTS */
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

static void process_ready(void *arg, uint32_t events);
static void process_hangs(void *arg);
static void tick(void *arg);
static void pump(struct token *t);

/* ---- the map of keys ---- */

static size_t
hash_of(const uint8_t key_id[KEY_ID_LEN])
{
	size_t h;

	memcpy(&h, key_id, sizeof h); /* it is a SHA-256 already */
	return h;
}

static struct key *
find_key(const struct token *t, const uint8_t key_id[KEY_ID_LEN])
{
	if (t->buckets == 0)
		return NULL;
	for (size_t i = hash_of(key_id) & (t->buckets - 1);; i = (i + 1) & (t->buckets - 1)) {
		struct key *k = t->bucket[i];

		if (k == NULL || memcmp(k->is.key_id, key_id, KEY_ID_LEN) == 0)
			return k;
	}
}

static void
index_key(struct token *t, struct key *k)
{
	size_t i = hash_of(k->is.key_id) & (t->buckets - 1);

	while (t->bucket[i] != NULL)
		i = (i + 1) & (t->buckets - 1);
	t->bucket[i] = k;
}

static void
index_keys(struct token *t)
{
	if (t->buckets > 0)
		memset(t->bucket, 0, t->buckets * sizeof(struct key *));
	for (size_t n = 0; n < t->keys; n++)
		index_key(t, t->key[n]);
}

static enum rc
reserve_keys(struct token *t, size_t more, struct fault *f)
{
	size_t cap = t->keys_cap == 0 ? FIRST_KEYS : t->keys_cap;
	AUTO_FREE struct key **list = NULL;
	AUTO_FREE struct key **bucket = NULL;

	if (t->keys + more <= t->keys_cap)
		return RC_OK;
	while (cap < t->keys + more)
		cap *= 2;
	list = calloc(cap, sizeof(struct key *));
	bucket = calloc(cap * 2, sizeof(struct key *));
	if (list == NULL || bucket == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu keys", cap);
	if (t->keys > 0)
		memcpy(list, t->key, t->keys * sizeof(struct key *));
	free(t->key);
	free(t->bucket);
	t->key = TAKE(list);
	t->bucket = TAKE(bucket);
	t->keys_cap = cap;
	t->buckets = cap * 2;
	index_keys(t);
	return RC_OK;
}

static enum rc
add_key(struct token *t, const struct hsm_key *want, struct fault *f)
{
	struct key *k = find_key(t, want->key_id);

	if (k == NULL) {
		TRY(reserve_keys(t, 1, f));
		k = calloc(1, sizeof *k);
		if (k == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a key");
		k->is = *want;
		t->key[t->keys++] = k;
		index_key(t, k);
	}
	k->wanted = true;
	return RC_OK;
}

static void
drop_keys(struct token *t, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->keys; i++) {
		struct key *k = t->key[i];

		if (!k->wanted && k->forget_at_ms <= now_ms)
			free(k);
		else
			t->key[kept++] = k;
	}
	t->keys = kept;
	index_keys(t);
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		if (t->process[i] != NULL)
			t->process[i]->cursor =
			    0; /* the list moved; what was asked is marked */
	}
}

/* ---- frames out ---- */

static struct slot *
free_slot(struct process *p)
{
	for (unsigned i = 0; i < MAX_SLOTS; i++) {
		unsigned at = (p->next_slot + i) % MAX_SLOTS;

		if (p->slot[at].id != 0)
			continue;
		p->next_slot = at + 1;
		return &p->slot[at];
	}
	return NULL;
}

/* Frames were sent to the process before it. */
static uint64_t
nth(const struct slot *s)
{
	return s->answers + s->ahead;
}

/* Send one frame and note it; false when the process takes none at the moment. */
static bool
send_frame(struct process *p, enum frame_op op, const uint8_t key_id[KEY_ID_LEN],
    const void *body, size_t len, struct slot **out)
{
	struct slot *s = free_slot(p);
	struct frame frame;

	if (s == NULL)
		return false;
	frame = frame_make(
	    op, p->is.generation, ++p->next_id * MAX_SLOTS + (uint64_t)(s - p->slot));
	memcpy(frame.key_id, key_id, KEY_ID_LEN);
	memcpy(frame.body, body, len);
	if (frame_send(p->io.fd, &frame, NULL) != RC_OK)
		return false; /* a dead one shows as readable */
	*s = (struct slot){
		.id = frame.request_id,
		.op = op,
		.sent_ms = loop_now_ms(p->hsm->loop),
		.ahead = p->outstanding++,
		.answers = p->answers,
	};
	memcpy(s->key_id, key_id, KEY_ID_LEN);
	p->order[nth(s) % MAX_SLOTS] = (uint8_t)(s - p->slot);
	if (out != NULL)
		*out = s;
	return true;
}

static bool
wants_asking(const struct key *k, uint64_t bit)
{
	uint64_t said = k->asked | k->known | k->missing | (k->refused & ~k->retry);

	return k->wanted && (said & bit) == 0;
}

/* It looks for a key that it did not find at its start. */
static bool
is_searching(const struct process *p)
{
	return p->is.taught && p->learns > 0;
}

/*
 * A process that starts has all keys before it.  One that is at work has to
 * search, which in a big token stops it for a fifth of a second: one key and
 * one process at a time, so that the others sign meanwhile.
 */
static bool
may_learn(const struct process *p)
{
	const struct token *t = p->token;

	if (!p->is.taught)
		return p->learns < HSM_LEARN_WINDOW;
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		const struct process *other = t->process[i];

		if (other != NULL && !other->is.draining && is_searching(other))
			return false;
	}
	return true;
}

static void
learn_more(struct process *p)
{
	struct token *t = p->token;
	uint64_t bit = 1ULL << p->number;

	if (!p->is.ready || p->is.draining)
		return;
	while (p->cursor < t->keys && may_learn(p)) {
		struct key *k = t->key[p->cursor];

		if (wants_asking(k, bit)) {
			if (!send_frame(p, FRAME_LEARN, k->is.key_id, k->is.point,
				P256_POINT_LEN, NULL))
				return;
			k->asked |= bit;
			p->learns++;
		}
		p->cursor++;
	}
	if (p->cursor >= t->keys && p->learns == 0)
		p->is.taught = true;
}

static void
learn_token(struct token *t)
{
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		if (t->process[i] != NULL)
			learn_more(t->process[i]);
	}
}

/*
 * This process shares its CPU: until the kernel lets it run again a signer has
 * to have work.  A slow token has enough in two calls, a fast one has not.
 */
static unsigned
ahead(const struct process *p)
{
	const struct frame_stats *s = &p->is.stats;
	uint64_t calls, mean_us;

	if (s->signatures == 0 || s->sign_ns == 0)
		return 0;
	mean_us = s->sign_ns / s->signatures / 1000;
	calls = mean_us == 0 ? HSM_MAX_AHEAD : HSM_AHEAD_US / mean_us;
	return calls < HSM_MAX_AHEAD ? (unsigned)calls : HSM_MAX_AHEAD;
}

/* At work or next to be: enough that no thread of it waits for our answer to come round. */
static unsigned
soon(const struct process *p)
{
	return p->is.threads * 2 + 2;
}

static unsigned
signing_limit(const struct process *p)
{
	unsigned n = soon(p) + ahead(p);

	return n < HSM_MAX_SIGNING ? n : HSM_MAX_SIGNING;
}

static bool
takes_calls(const struct process *p)
{
	return p != NULL && p->is.ready && !p->is.draining && !p->suspect && !p->killed;
}

/* A second try goes to the one where the first failed only when there is no other. */
static unsigned
load_of(const struct process *p, const struct hsm_call *c)
{
	bool failed_here = c->again && c->last == p->number;

	return p->is.signing + (failed_here ? HSM_MAX_SIGNING : 0);
}

/*
 * The least loaded process for this call; *some says whether any could, were
 * it not busy.  One that searches gets it only where there is no other.
 */
static struct process *
choose(const struct token *t, const struct hsm_call *c, bool *some)
{
	const struct key *k = find_key(t, c->key_id);
	struct process *best = NULL, *searching = NULL;
	bool others = false;

	*some = false;
	for (unsigned i = 0; k != NULL && i < HSM_MAX_PROCESSES; i++) {
		struct process *p = t->process[i];
		struct process **kind;

		if (!takes_calls(p) || (k->known >> i & 1) == 0)
			continue;
		*some = true;
		others |= !is_searching(p);
		kind = is_searching(p) ? &searching : &best;
		if (p->is.signing < signing_limit(p) &&
		    (*kind == NULL || load_of(p, c) < load_of(*kind, c)))
			*kind = p;
	}
	return others ? best : searching;
}

static bool
hand_over(struct process *p, struct hsm_call *c)
{
	struct slot *s = NULL;

	if (!send_frame(p, FRAME_SIGN, c->key_id, c->digest, ES256_DIGEST_LEN, &s))
		return false;
	s->call = c;
	c->process = (int)p->number;
	c->slot = (unsigned)(s - p->slot);
	p->is.signing++;
	p->live++;
	if (c->coming != NULL && s->ahead < soon(p))
		c->coming(c);
	return true;
}

/* One more answer: the next of those that were further behind has come near. */
static void
draw_near(struct process *p)
{
	uint64_t next = p->answers + soon(p) - 1;
	struct slot *s = &p->slot[p->order[next % MAX_SLOTS]];

	if (s->id != 0 && nth(s) == next && s->call != NULL && s->call->coming != NULL)
		s->call->coming(s->call);
}

/* ---- calls ---- */

static void
list_put(struct hsm_call *before, struct hsm_call *c)
{
	c->prev = before->prev;
	c->next = before;
	before->prev->next = c;
	before->prev = c;
}

static void
list_cut(struct hsm_call *c)
{
	c->prev->next = c->next;
	c->next->prev = c->prev;
	c->next = c->prev = NULL;
}

static void
enqueue(struct token *t, struct hsm_call *c, bool first)
{
	list_put(first ? t->waiting.next : &t->waiting, c);
	c->process = -1;
	t->waits++;
}

static void
dequeue(struct token *t, struct hsm_call *c)
{
	list_cut(c);
	t->waits--;
}

static void
finish(struct hsm_call *c, const uint8_t *sig, const struct fault *f)
{
	loop_disarm(c->hsm->loop, &c->timer);
	c->hsm->token[c->token].calls--;
	c->done(c, sig, f);
}

static void
fail_unavailable(struct hsm_call *c, const char *what)
{
	struct fault f = { 0 };

	(void)REFUSE(&f, RC_HSM, HSM_UNAVAILABLE, NULL, "%s", what);
	finish(c, NULL, &f);
}

static void
note_trouble(struct process *p)
{
	p->token->trouble_ms = loop_now_ms(p->hsm->loop);
}

static void
report(struct process *p)
{
	if (p->killed)
		return;
	p->killed = true;
	p->hsm->ops.kill(p->hsm->ops.arg, p->token->number, p->number, p->is.generation);
}

/* No new calls, and an end when the others are through. */
static void
condemn(struct process *p)
{
	if (!p->is.draining)
		loop_arm(p->hsm->loop, &p->hang, loop_now_ms(p->hsm->loop) + HSM_HANG_GRACE_MS);
	p->is.draining = p->blamed = true;
	p->token->shrunk = true;
	if (p->live == 0)
		report(p);
}

/* A call passed its deadline there. */
static void
blame(struct process *p, const struct slot *s)
{
	int64_t held_ms = loop_now_ms(p->hsm->loop) - s->sent_ms;

	p->is.timeouts++;
	note_trouble(p);
	if (held_ms * HSM_STUCK_PART >= p->hsm->timeout_ms)
		condemn(p); /* else it came late to this process */
}

static void
call_late(void *arg)
{
	struct hsm_call *c = arg;
	struct token *t = &c->hsm->token[c->token];
	struct fault f = { 0 };

	if (c->process < 0) {
		dequeue(t, c);
		(void)REFUSE(&f, RC_TIMEOUT, HSM_TIMEOUT, NULL, "no signer was free in time");
	} else {
		struct process *p = t->process[c->process];
		struct slot *s = &p->slot[c->slot];

		assert(s->call == c);
		s->call = NULL; /* its answer may still come */
		p->live--;
		blame(p, s);
		(void)REFUSE(
		    &f, RC_TIMEOUT, HSM_TIMEOUT, NULL, "the token did not answer in time");
	}
	finish(c, NULL, &f);
}

/* Those that no thread of a signer can be at work on, wherever they lie. */
size_t
hsm_waiting(const struct hsm *h, unsigned token)
{
	const struct token *t = &h->token[token < HSM_MAX_TOKENS ? token : 0];
	size_t threads = 0;

	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		if (takes_calls(t->process[i]))
			threads += t->process[i]->is.threads;
	}
	return token < HSM_MAX_TOKENS && t->calls > threads ? t->calls - threads : 0;
}

enum rc
hsm_has_room(const struct hsm *h, unsigned token, struct fault *f)
{
	size_t waiting = hsm_waiting(h, token);

	if (waiting < h->max_waiting)
		return RC_OK;
	return REFUSE(f, RC_BUSY, OVERLOADED, NULL, "%zu requests wait for the token", waiting);
}

/* Of one signature there; a guess before there were any. */
static uint64_t
mean_us(const struct token *t)
{
	uint64_t signatures = 0, ns = 0;

	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		if (t->process[i] == NULL)
			continue;
		signatures += t->process[i]->is.stats.signatures;
		ns += t->process[i]->is.stats.sign_ns;
	}
	return signatures > 0 && ns / 1000 >= signatures ? ns / 1000 / signatures : 1;
}

uint64_t
hsm_load_us(const struct hsm *h, unsigned token)
{
	const struct token *t = &h->token[token < HSM_MAX_TOKENS ? token : 0];
	uint64_t surcharge = (uint64_t)h->timeout_ms * 1000, load_us;
	unsigned threads = 0;

	for (unsigned i = 0; token < HSM_MAX_TOKENS && i < HSM_MAX_PROCESSES; i++) {
		if (takes_calls(t->process[i]))
			threads += t->process[i]->is.threads;
	}
	if (threads == 0)
		return UINT64_MAX;
	load_us = (t->calls + 1) * mean_us(t) / threads;
	if (t->trouble_ms != 0 && loop_now_ms(h->loop) - t->trouble_ms < HSM_TROUBLE_MS)
		load_us += surcharge;
	if (hsm_has_room(h, token, NULL) != RC_OK)
		load_us += 2 * surcharge;
	while ((load_us & (load_us - 1)) != 0)
		load_us &= load_us - 1;
	return load_us;
}

enum rc
hsm_sign(struct hsm *h, struct hsm_call *c, struct fault *f)
{
	struct token *t = &h->token[c->token];
	struct process *p;
	bool some = false;

	assert(c->token < HSM_MAX_TOKENS);
	c->hsm = h;
	c->again = false;
	c->next = c->prev = NULL;
	c->timer = (struct loop_timer){ .fire = call_late, .arg = c };
	p = choose(t, c, &some);
	if (!some)
		return REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL, "no signer knows the key");
	TRY(hsm_has_room(h, c->token, f));
	if (t->waits > 0 || p == NULL || !hand_over(p, c))
		enqueue(t, c, false);
	t->calls++;
	loop_arm(h->loop, &c->timer, c->deadline_ms);
	return RC_OK;
}

/* Whatever waits and can go now.  A call whose key only busy processes know lets others pass. */
static void
pump(struct token *t)
{
	struct hsm_call *c = t->waiting.next, *next;

	for (unsigned n = 0; c != &t->waiting && n < SCAN_WAITING; c = next, n++) {
		bool some = false;
		struct process *p = choose(t, c, &some);

		next = c->next;
		if (p == NULL)
			continue;
		dequeue(t, c);
		if (!hand_over(p, c)) {
			enqueue(t, c, true);
			return;
		}
	}
}

/* Waiting calls that nobody can take: all of them, or those that can go elsewhere. */
static void
strand(struct token *t, bool all)
{
	struct hsm_call stranded = { 0 }, *next;

	stranded.next = stranded.prev = &stranded;
	for (struct hsm_call *c = t->waiting.next; c != &t->waiting; c = next) {
		bool some = false;

		next = c->next;
		if (all || c->elsewhere)
			(void)choose(t, c, &some);
		if (some || !(all || c->elsewhere))
			continue;
		dequeue(t, c);
		list_put(&stranded, c);
	}
	while (stranded.next != &stranded) {
		struct hsm_call *c = stranded.next;

		list_cut(c);
		fail_unavailable(c, "the last signer that knew the key is gone");
	}
}

/* When fewer can sign than before: what waits in vain is answered at once. */
static void
fail_stranded(struct token *t)
{
	if (!t->shrunk)
		return;
	t->shrunk = false;
	strand(t, true);
}

/* A call that its process cannot answer: once more elsewhere (architecture, "Errors"). */
static void
try_again(struct process *p, struct hsm_call *c, const char *why)
{
	bool some = false;

	if (!c->again)
		(void)choose(p->token, c, &some);
	if (!some) {
		fail_unavailable(c, why);
		return;
	}
	c->again = true;
	c->last = p->number;
	enqueue(p->token, c, true);
}

/* ---- hangs ---- */

/*
 * Frames are taken in the order in which they were sent: what was overtaken is
 * with a thread that does not return, and where nothing moves no thread does.
 */
static bool
is_stuck(const struct process *p, const struct slot *s)
{
	uint64_t since = p->answers - s->answers;

	return since == 0 || since > s->ahead;
}

/* The call is worth another try while its deadline lets it have one. */
static void
rescue(struct process *p, struct slot *s)
{
	struct hsm_call *c = s->call;
	bool some = false;

	if (c == NULL || (c->again && !c->elsewhere))
		return;
	if (!c->again)
		(void)choose(p->token, c, &some);
	if (!some && !c->elsewhere)
		return;
	s->call = NULL; /* its answer may still come */
	p->live--;
	p->is.timeouts++;
	note_trouble(p);
	try_again(p, c, "the signer hangs");
}

/* One that nothing is known of but that it is slow is given back its work when it answers. */
static void
look_for_hang(struct process *p, int64_t now_ms)
{
	int64_t timeout_ms = p->hsm->timeout_ms;
	bool hangs = false;

	for (unsigned i = 0; i < MAX_SLOTS; i++) {
		struct slot *s = &p->slot[i];
		int64_t held_ms = now_ms - s->sent_ms;
		int64_t limit_ms = s->op == FRAME_SIGN ? timeout_ms : 2 * timeout_ms;

		if (s->id == 0 || held_ms * HSM_STUCK_PART < timeout_ms || !is_stuck(p, s))
			continue;
		if (s->op == FRAME_SIGN && p->answers == s->answers)
			p->suspect = true;
		if (s->op == FRAME_SIGN)
			rescue(p, s);
		hangs |= held_ms >= limit_ms;
	}
	if (hangs)
		condemn(p);
}

/* ---- counters ---- */

static void
ask_stats(struct process *p)
{
	static const uint8_t none[KEY_ID_LEN];

	if (!p->is.ready || p->polled)
		return;
	p->asked = p->hsm->questions;
	p->polled = send_frame(p, FRAME_STATS, none, none, 0, NULL);
}

/* What came may have been counted before the last question was asked. */
static void
ask_stats_again(struct process *p)
{
	if (p->told != p->hsm->questions)
		ask_stats(p);
}

static bool
token_told(const struct token *t, uint64_t question)
{
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		const struct process *p = t->process[i];

		if (p != NULL && p->is.ready && p->told < question)
			return false;
	}
	return true;
}

static bool
all_told(const struct hsm *h, uint64_t question)
{
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++) {
		if (!token_told(&h->token[i], question))
			return false;
	}
	return true;
}

void
hsm_fresh_drop(struct hsm_fresh *w)
{
	if (w->next == NULL)
		return;
	loop_disarm(w->hsm->loop, &w->timer);
	w->prev->next = w->next;
	w->next->prev = w->prev;
	w->next = w->prev = NULL;
}

static void
fresh_over(void *arg)
{
	struct hsm_fresh *w = arg;

	hsm_fresh_drop(w);
	w->done(w);
}

/* The oldest question is first: where it waits, the others do. */
static void
freshen(struct hsm *h)
{
	while (h->fresh.next != &h->fresh && all_told(h, h->fresh.next->question))
		fresh_over(h->fresh.next);
}

void
hsm_fresh(struct hsm *h, struct hsm_fresh *w)
{
	w->hsm = h;
	w->question = ++h->questions;
	w->next = &h->fresh;
	w->prev = h->fresh.prev;
	w->prev->next = h->fresh.prev = w;
	hsm_poll(h);
	w->timer = (struct loop_timer){ .fire = fresh_over, .arg = w };
	loop_arm(h->loop, &w->timer,
	    loop_now_ms(h->loop) + (all_told(h, w->question) ? 0 : HSM_FRESH_MS));
}

/* ---- processes ---- */

static void
free_process(struct process *p)
{
	loop_disarm(p->hsm->loop, &p->hang);
	loop_remove(p->hsm->loop, &p->io);
	close(p->io.fd);
	free(p);
}

static void
forget_process(struct token *t, unsigned number)
{
	uint64_t mask = ~(1ULL << number);

	for (size_t i = 0; i < t->keys; i++) {
		t->key[i]->asked &= mask;
		t->key[i]->known &= mask;
		t->key[i]->refused &= mask;
		t->key[i]->retry &= mask;
		t->key[i]->missing &= mask;
		t->key[i]->lost &= mask;
	}
}

static void
lose_process(struct process *p)
{
	struct token *t = p->token;
	struct hsm *h = p->hsm;

	t->process[p->number] = NULL;
	forget_process(t, p->number);
	t->shrunk = true;
	if (p->live > 0)
		note_trouble(p);
	for (unsigned i = 0; i < MAX_SLOTS; i++) {
		if (p->slot[i].id != 0 && p->slot[i].call != NULL)
			try_again(p, p->slot[i].call, "the signer ended");
	}
	free_process(p);
	fail_stranded(t);
	pump(t);
	freshen(h);
	h->ops.changed(h->ops.arg);
}

enum rc
hsm_attach(struct hsm *h, unsigned token, unsigned process, uint32_t generation, int fd,
    struct fault *f)
{
	AUTO_FD own = fd;
	struct process *p;

	if (token >= HSM_MAX_TOKENS || process >= HSM_MAX_PROCESSES)
		return FAULT(f, RC_INVALID, "control", "signer %u of token %u", process, token);
	if (h->token[token].process[process] != NULL)
		lose_process(h->token[token].process[process]);
	p = calloc(1, sizeof *p);
	if (p == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a signer");
	p->hsm = h;
	p->token = &h->token[token];
	p->number = process;
	p->is =
	    (struct hsm_process){ .process = process, .generation = generation, .threads = 1 };
	p->hang = (struct loop_timer){ .fire = process_hangs, .arg = p };
	p->io = (struct loop_io){ .fd = fd, .ready = process_ready, .arg = p };
	if (loop_add(h->loop, &p->io, EPOLLIN, f) != RC_OK) {
		free(p);
		return RC_IO;
	}
	own = -1;
	h->token[token].process[process] = p;
	return RC_OK;
}

static void
process_hangs(void *arg)
{
	report(arg);
}

/* False: more threads than a token process has. */
static bool
greet(struct process *p, const struct frame *frame)
{
	struct frame_hello hello;

	memcpy(&hello, frame->body, sizeof hello);
	if (hello.threads > HSM_MAX_THREADS)
		return false;
	p->is.ready = true;
	p->is.pid = hello.pid;
	p->is.threads = hello.threads == 0 ? 1 : hello.threads;
	if (p->hsm->ops.up != NULL)
		p->hsm->ops.up(p->hsm->ops.arg, p->token->number, p->number, p->is.generation);
	learn_more(p);
	return true;
}

/* What the token itself said goes to the log and nowhere else. */
static void
log_refusal(const struct process *p, const char *event, const struct frame *frame)
{
	const uint8_t *id = frame->key_id;

	log_event(LEVEL_WARNING, event,
	    "token=%u process=%u generation=%u key=%02x%02x%02x%02x code=%u ck_rv=0x%llx",
	    p->token->number, p->number, p->is.generation, id[0], id[1], id[2], id[3],
	    frame->code, (unsigned long long)frame->ck_rv);
}

/*
 * Not found is not never: another process made the key, and a token may show
 * it a little later.  Asking costs a search, so the pauses grow.
 */
static void
miss(struct process *p, struct key *k)
{
	unsigned doubled = k->misses < MISS_DOUBLINGS ? k->misses : MISS_DOUBLINGS;

	k->missing |= 1ULL << p->number;
	k->misses++;
	k->again_ms = loop_now_ms(p->hsm->loop) + ((int64_t)HSM_TICK_MS << doubled);
}

/* What was refused may be mended: a signature that was wrong once, an operator. */
static void
refuse(struct process *p, struct key *k, const struct frame *frame)
{
	int64_t now_ms = loop_now_ms(p->hsm->loop);
	unsigned doubled;

	if (now_ms - k->refused_ms >= FORGIVE_MS)
		k->refusals = 0;
	doubled = k->refusals;
	if (doubled > REFUSED_DOUBLINGS && k->refusals <= REFUSED_SOON)
		doubled = REFUSED_DOUBLINGS;
	if (doubled > MISS_DOUBLINGS)
		doubled = MISS_DOUBLINGS;
	if (k->refusals++ == 0) /* once, not at every new try */
		log_refusal(p, "key_refused", frame);
	k->known &= ~(1ULL << p->number);
	k->refused |= 1ULL << p->number;
	k->refused_ms = now_ms;
	k->retry_ms = now_ms + ((int64_t)HSM_TICK_MS << doubled);
}

static void
learnt(struct process *p, const struct slot *s, const struct frame *frame)
{
	enum frame_code code = (enum frame_code)frame->code;
	struct key *k = find_key(p->token, s->key_id);
	uint64_t bit = 1ULL << p->number;

	p->learns--;
	if (k == NULL)
		return;
	k->asked &= ~bit;
	k->retry &= ~bit;
	k->refused &= ~bit;
	k->lost = code == FRAME_NO_KEY ? k->lost | bit : k->lost & ~bit;
	if (code == FRAME_OK) {
		k->known |= bit;
		k->misses = 0;
	} else if (code == FRAME_KEY_REFUSED || code == FRAME_FULL) {
		refuse(p, k, frame);
	} else {
		miss(p, k);
		if (k->misses <= 1) /* once, not at every new try */
			log_refusal(p, "key_not_learnt", frame);
	}
}

static void
signed_by(struct process *p, struct hsm_call *c, const struct frame *frame)
{
	struct key *k = find_key(p->token, c->key_id);
	uint64_t bit = 1ULL << p->number;

	p->token->shrunk |= frame->code != FRAME_OK;
	switch ((enum frame_code)frame->code) {
	case FRAME_OK: finish(c, frame->body, NULL); return;
	case FRAME_NO_KEY:
		if (k != NULL)
			k->known &= ~bit;
		p->cursor = 0; /* asked for again */
		try_again(p, c, "the signer does not know the key");
		return;
	case FRAME_KEY_REFUSED:
		if (k != NULL)
			refuse(p, k, frame);
		try_again(p, c, "the signer refused the key");
		return;
	case FRAME_REBUILD:
		note_trouble(p);
		p->is.draining = true;
		if (p->hang.next == NULL)
			loop_arm(p->hsm->loop, &p->hang, loop_now_ms(p->hsm->loop) + LEAVE_MS);
		try_again(p, c, "the signer is being replaced");
		return;
	case FRAME_BUSY: {
		struct fault f = { 0 };

		note_trouble(p);
		(void)REFUSE(&f, RC_BUSY, OVERLOADED, NULL, "the token asks for patience");
		finish(c, NULL, &f);
		return;
	}
	default:
		note_trouble(p);
		try_again(p, c, "the token refused to sign");
		return;
	}
}

/* One answer.  False: it is none that was asked for. */
static bool
answered(struct process *p, const struct frame *frame)
{
	struct slot *s = &p->slot[frame->request_id % MAX_SLOTS], was = *s;

	if (frame->request_id == 0 || was.id != frame->request_id || was.op != frame->op)
		return false;
	*s = (struct slot){ 0 };
	p->outstanding--;
	p->answers++;
	p->suspect = false;
	draw_near(p);
	if (was.op == FRAME_LEARN) {
		learnt(p, &was, frame);
	} else if (was.op == FRAME_STATS) {
		p->polled = false;
		p->told = p->asked;
		memcpy(&p->is.stats, frame->body, sizeof p->is.stats);
	} else if (was.op == FRAME_SIGN) {
		p->is.signing--;
		if (frame->code == FRAME_OK)
			p->is.answered++;
		else
			p->is.failed++;
		if (was.call == NULL)
			return true; /* given up at its deadline */
		p->live--;
		signed_by(p, was.call, frame);
	}
	return true;
}

/* A frame that no sane process of ours sends: the pair is not to be trusted any more. */
static bool
take_frame(struct process *p, const struct frame *frame)
{
	if (frame->generation != p->is.generation)
		return false;
	if (frame->op == FRAME_HELLO && frame->request_id == 0 && !p->is.ready)
		return greet(p, frame);
	return answered(p, frame);
}

/* RC_INVALID for one that it should not have sent. */
static enum rc
take_frames(struct process *p)
{
	struct frame frame[FRAMES_MAX];
	size_t n = 0;
	enum rc rc = frames_recv(p->io.fd, frame, FRAMES_MAX, &n, NULL);

	for (size_t i = 0; i < n; i++) {
		if (!take_frame(p, &frame[i]))
			return RC_INVALID;
	}
	return rc;
}

static void
process_ready(void *arg, uint32_t events)
{
	struct process *p = arg;
	struct token *t = p->token;
	struct hsm *h = p->hsm;
	enum rc rc = RC_OK;

	(void)events;
	for (unsigned n = 0; n < MAX_SLOTS / FRAMES_MAX && rc == RC_OK; n++)
		rc = take_frames(p);
	if (rc != RC_OK && rc != RC_NOT_FOUND) {
		if (rc == RC_INVALID)
			report(p);
		lose_process(p);
		return;
	}
	if (p->blamed && p->live == 0)
		report(p);
	ask_stats_again(p);
	learn_token(t);
	fail_stranded(t);
	pump(t);
	freshen(h);
	h->ops.changed(h->ops.arg);
}

/* ---- every tick ---- */

static void
send_forget(struct token *t, const struct key *k)
{
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		static const uint8_t none[FRAME_BODY];

		if (t->process[i] != NULL && t->process[i]->is.ready &&
		    (k->known >> i & 1) != 0)
			(void)send_frame(
			    t->process[i], FRAME_FORGET, k->is.key_id, none, 0, NULL);
	}
}

static void
retire_keys(struct token *t, int64_t now_ms)
{
	bool any = false;

	for (size_t i = 0; i < t->keys; i++) {
		if (t->key[i]->wanted || t->key[i]->forget_at_ms > now_ms)
			continue;
		send_forget(t, t->key[i]);
		any = true;
	}
	if (any)
		drop_keys(t, now_ms);
}

static void
poll_process(struct process *p)
{
	if (!p->is.ready)
		return;
	ask_stats(p);
	learn_more(p);
}

static void
poll_token(struct token *t)
{
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		if (t->process[i] != NULL)
			poll_process(t->process[i]);
	}
}

void
hsm_poll(struct hsm *h)
{
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++)
		poll_token(&h->token[i]);
}

static void
ask_refused(struct token *t, int64_t now_ms)
{
	for (size_t i = 0; i < t->keys; i++) {
		if (t->key[i]->refused != 0 && t->key[i]->retry_ms <= now_ms)
			t->key[i]->retry = t->key[i]->refused;
	}
}

static void
ask_missing(struct token *t, int64_t now_ms)
{
	for (size_t i = 0; i < t->keys; i++) {
		if (t->key[i]->missing != 0 && t->key[i]->again_ms <= now_ms)
			t->key[i]->missing = 0;
	}
}

static void
tick(void *arg)
{
	struct hsm *h = arg;
	int64_t now_ms = loop_now_ms(h->loop);

	h->ticks++;
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++) {
		struct token *t = &h->token[i];

		retire_keys(t, now_ms);
		ask_refused(t, now_ms);
		ask_missing(t, now_ms);
		for (unsigned n = 0; n < HSM_MAX_PROCESSES; n++) {
			if (t->process[n] == NULL)
				continue;
			look_for_hang(t->process[n], now_ms);
			t->process[n]->cursor = 0;
			learn_more(t->process[n]);
		}
		fail_stranded(t);
		strand(t, false); /* behind signers that hang */
		pump(t);
	}
	if (h->ticks % STATS_TICKS == 0)
		hsm_poll(h);
	loop_arm(h->loop, &h->tick, now_ms + HSM_TICK_MS);
}

/* ---- outside ---- */

enum rc
hsm_new(struct loop *loop, const struct hsm_ops *ops, struct hsm **out, struct fault *f)
{
	AUTO(hsm) *h = calloc(1, sizeof *h);

	if (h == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "signers");
	h->loop = loop;
	h->ops = *ops;
	h->max_waiting = 1024;
	h->timeout_ms = 5000;
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++) {
		h->token[i].number = i;
		h->token[i].waiting.next = h->token[i].waiting.prev = &h->token[i].waiting;
	}
	h->fresh.next = h->fresh.prev = &h->fresh;
	h->tick = (struct loop_timer){ .fire = tick, .arg = h };
	loop_arm(loop, &h->tick, loop_now_ms(loop) + HSM_TICK_MS);
	*out = TAKE(h);
	return RC_OK;
}

static void
free_token(struct hsm *h, struct token *t)
{
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		struct process *p = t->process[i];

		for (unsigned n = 0; p != NULL && n < MAX_SLOTS; n++) {
			if (p->slot[n].id != 0 && p->slot[n].call != NULL)
				loop_disarm(h->loop, &p->slot[n].call->timer);
		}
		if (p != NULL)
			free_process(p);
	}
	for (struct hsm_call *c = t->waiting.next; c != NULL && c != &t->waiting; c = c->next)
		loop_disarm(h->loop, &c->timer);
	for (size_t i = 0; i < t->keys; i++)
		free(t->key[i]);
	free(t->key);
	free(t->bucket);
}

void
hsm_free(struct hsm *h)
{
	if (h == NULL)
		return;
	loop_disarm(h->loop, &h->tick);
	while (h->fresh.next != &h->fresh)
		hsm_fresh_drop(h->fresh.next);
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++)
		free_token(h, &h->token[i]);
	free(h);
}

void
hsm_limits(struct hsm *h, unsigned max_waiting, unsigned timeout_ms)
{
	h->max_waiting = max_waiting;
	h->timeout_ms = timeout_ms;
}

static void
learn_everywhere(struct hsm *h)
{
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++)
		learn_token(&h->token[i]);
}

enum rc
hsm_want(struct hsm *h, const struct hsm_key *list, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].token >= HSM_MAX_TOKENS)
			return FAULT(f, RC_INVALID, "control", "token %u", list[i].token);
		TRY(add_key(&h->token[list[i].token], &list[i], f));
	}
	learn_everywhere(h);
	return RC_OK;
}

static void
unwant_all(struct token *t, int64_t forget_at_ms)
{
	for (size_t i = 0; i < t->keys; i++) {
		if (t->key[i]->wanted)
			t->key[i]->forget_at_ms = forget_at_ms;
		t->key[i]->wanted = false;
	}
}

void
hsm_want_only(struct hsm *h, const struct hsm_key *list, size_t n)
{
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++)
		unwant_all(&h->token[i],
		    loop_now_ms(h->loop) + HSM_RETIRE_TIMEOUTS * (int64_t)h->timeout_ms);
	for (size_t i = 0; i < n; i++) {
		struct key *k = NULL;

		if (list[i].token < HSM_MAX_TOKENS)
			k = find_key(&h->token[list[i].token], list[i].key_id);
		if (k != NULL)
			k->wanted = true;
	}
}

bool
hsm_ready(const struct hsm *h, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	struct hsm_call c = { 0 };
	bool some = false;

	if (token >= HSM_MAX_TOKENS)
		return false;
	memcpy(c.key_id, key_id, KEY_ID_LEN);
	(void)choose(&h->token[token], &c, &some);
	return some;
}

bool
hsm_refused(const struct hsm *h, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	const struct token *t = &h->token[token < HSM_MAX_TOKENS ? token : 0];
	const struct key *k = token < HSM_MAX_TOKENS ? find_key(t, key_id) : NULL;
	bool any = false;

	for (unsigned i = 0; k != NULL && i < HSM_MAX_PROCESSES; i++) {
		if (!takes_calls(t->process[i]))
			continue;
		if ((k->refused >> i & 1) == 0)
			return false;
		any = true;
	}
	return any;
}

enum hsm_key_state
hsm_key_state(const struct hsm *h, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	const struct token *t = &h->token[token < HSM_MAX_TOKENS ? token : 0];
	const struct key *k = find_key(t, key_id);
	bool refused = false;

	if (!hsm_token_up(h, token))
		return HSM_KEY_DOWN;
	if (hsm_ready(h, token, key_id))
		return HSM_KEY_READY;
	for (unsigned i = 0; k != NULL && i < HSM_MAX_PROCESSES; i++) {
		uint64_t bit = 1ULL << i;

		if (!takes_calls(t->process[i]))
			continue;
		if (((k->refused | k->lost) & bit) == 0)
			return HSM_KEY_AWAITED;
		refused |= (k->refused & bit) != 0;
	}
	if (k == NULL)
		return HSM_KEY_AWAITED;
	return refused ? HSM_KEY_REFUSED : HSM_KEY_MISSING;
}

bool
hsm_token_up(const struct hsm *h, unsigned token)
{
	for (unsigned i = 0; token < HSM_MAX_TOKENS && i < HSM_MAX_PROCESSES; i++) {
		const struct process *p = h->token[token].process[i];

		if (takes_calls(p) && p->is.taught)
			return true;
	}
	return false;
}

size_t
hsm_processes(const struct hsm *h, unsigned token, struct hsm_process out[HSM_MAX_PROCESSES])
{
	size_t n = 0;

	for (unsigned i = 0; token < HSM_MAX_TOKENS && i < HSM_MAX_PROCESSES; i++) {
		if (h->token[token].process[i] != NULL)
			out[n++] = h->token[token].process[i]->is;
	}
	return n;
}
