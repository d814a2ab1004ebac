/* The keys of a token: which process is asked for which, and what it said. */
#include "agent/front/hsm_pool.h"

#include <string.h>

#include "agent/log.h"

enum {
	FIRST_KEYS = 64,
	MISS_DOUBLINGS = 8,
	REFUSED_DOUBLINGS = 2, /* a second, and only after … */
	REFUSED_SOON = 120,    /* … so many in a row longer */
	FORGIVE_MS = 120000,   /* a refusal so long ago does not lengthen the pause */
};

/* ---- the map of keys ---- */

static size_t
hash_of(const uint8_t key_id[KEY_ID_LEN])
{
	size_t h;

	memcpy(&h, key_id, sizeof h); /* it is a SHA-256 already */
	return h;
}

struct key *
hsm_find_key(const struct token *t, const uint8_t key_id[KEY_ID_LEN])
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
list_key(struct token *t, struct key *k)
{
	k->place = t->keys;
	t->key[t->keys++] = k;
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

enum rc
hsm_add_key(struct token *t, const struct hsm_key *want, struct fault *f)
{
	struct key *k = hsm_find_key(t, want->key_id);

	if (k == NULL) {
		TRY(reserve_keys(t, 1, f));
		k = calloc(1, sizeof *k);
		if (k == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a key");
		k->is = *want;
		list_key(t, k);
		index_key(t, k);
	}
	k->wanted = true;
	return RC_OK;
}

static void
drop_keys(struct token *t, int64_t now_ms)
{
	size_t before = t->keys;

	t->keys = 0;
	for (size_t i = 0; i < before; i++) {
		struct key *k = t->key[i];

		if (!k->wanted && k->forget_at_ms <= now_ms)
			free(k);
		else
			list_key(t, k);
	}
	index_keys(t);
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		if (t->process[i] != NULL) /* the list moved; what was asked is marked */
			t->process[i]->cursor = t->process[i]->search_cursor = 0;
	}
}

/* ---- asking ---- */

static bool
wants_asking(const struct key *k, uint64_t bit)
{
	uint64_t said = k->asked | k->known | k->missing | (k->refused & ~k->retry);

	return k->wanted && (said & bit) == 0;
}

bool
hsm_is_searching(const struct process *p)
{
	return p->is.taught && p->searches > 0;
}

/*
 * A process that starts has all keys before it.  One that is at work has to
 * search for what it did not find then, which in a big token stops it for a
 * fifth of a second: one key and one process at a time, so that the others sign
 * meanwhile.  Nobody waits for one that does not come back from its search.
 */
static bool
may_search(const struct process *p)
{
	const struct token *t = p->token;

	if (!p->is.taught)
		return p->learns < HSM_LEARN_WINDOW;
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		const struct process *other = t->process[i];

		if (other != NULL && !other->is.draining && hsm_is_searching(other) &&
		    (other == p || !other->stuck))
			return false;
	}
	return true;
}

static bool
ask(struct process *p, struct key *k, enum frame_op op)
{
	if (!hsm_send_frame(p, op, k->is.key_id, k->is.point, P256_POINT_LEN, NULL))
		return false;
	k->asked |= 1ULL << p->number;
	p->learns++;
	p->searches += op == FRAME_LEARN;
	return true;
}

/* What it found at its start costs nobody anything: only what it does not know is searched. */
static bool
ask_for_all(struct process *p)
{
	const struct token *t = p->token;
	enum frame_op op = p->is.taught ? FRAME_LOOK : FRAME_LEARN;
	uint64_t bit = 1ULL << p->number;

	for (; p->cursor < t->keys && p->learns < HSM_LEARN_WINDOW; p->cursor++) {
		struct key *k = t->key[p->cursor];

		if (wants_asking(k, bit) && (k->unseen & bit) == 0 && !ask(p, k, op))
			return false;
	}
	return true;
}

static bool
search_for_unseen(struct process *p)
{
	const struct token *t = p->token;
	uint64_t bit = 1ULL << p->number;

	for (; p->search_cursor < t->keys; p->search_cursor++) {
		struct key *k = t->key[p->search_cursor];

		if (!wants_asking(k, bit) || (k->unseen & bit) == 0)
			continue;
		if (!may_search(p) || !ask(p, k, FRAME_LEARN))
			return false;
	}
	return true;
}

void
hsm_learn_more(struct process *p)
{
	bool asked;

	if (!p->is.ready || p->is.draining)
		return;
	asked = ask_for_all(p);
	if (search_for_unseen(p) && asked && p->cursor >= p->token->keys && p->learns == 0)
		p->is.taught = true;
}

void
hsm_learn_anew(struct process *p)
{
	p->cursor = p->search_cursor = 0;
	hsm_learn_more(p);
}

void
hsm_learn_token(struct token *t)
{
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		if (t->process[i] != NULL)
			hsm_learn_more(t->process[i]);
	}
}

/* ---- answers ---- */

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
	k->unseen |= 1ULL << p->number;
	k->misses++;
	k->again_ms = loop_now_ms(p->hsm->loop) + ((int64_t)HSM_TICK_MS << doubled);
}

/* What was refused may be mended: a signature that was wrong once, an operator. */
void
hsm_refuse(struct process *p, struct key *k, const struct frame *frame)
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
	k->unseen |= 1ULL << p->number;
	k->refused_ms = now_ms;
	k->retry_ms = now_ms + ((int64_t)HSM_TICK_MS << doubled);
}

void
hsm_learnt(struct process *p, const struct slot *s, const struct frame *frame)
{
	enum frame_code code = (enum frame_code)frame->code;
	struct key *k = hsm_find_key(p->token, s->key_id);
	uint64_t bit = 1ULL << p->number;

	p->learns--;
	p->searches -= s->op == FRAME_LEARN;
	if (k == NULL)
		return;
	k->asked &= ~bit;
	if (s->op == FRAME_LOOK && code == FRAME_NO_KEY) {
		k->unseen |= bit;
		if (k->place < p->search_cursor)
			p->search_cursor = k->place;
		return;
	}
	k->unseen &= ~bit;
	k->retry &= ~bit;
	k->refused &= ~bit;
	k->lost = code == FRAME_NO_KEY ? k->lost | bit : k->lost & ~bit;
	if (code == FRAME_OK) {
		k->known |= bit;
		k->misses = 0;
	} else if (code == FRAME_KEY_REFUSED || code == FRAME_FULL) {
		hsm_refuse(p, k, frame);
	} else {
		miss(p, k);
		if (k->misses <= 1) /* once, not at every new try */
			log_refusal(p, "key_not_learnt", frame);
	}
}

void
hsm_forget_process(struct token *t, unsigned number)
{
	uint64_t mask = ~(1ULL << number);

	for (size_t i = 0; i < t->keys; i++) {
		t->key[i]->asked &= mask;
		t->key[i]->unseen &= mask;
		t->key[i]->known &= mask;
		t->key[i]->refused &= mask;
		t->key[i]->retry &= mask;
		t->key[i]->missing &= mask;
		t->key[i]->lost &= mask;
	}
}

/* ---- every tick ---- */

static void
send_forget(struct token *t, const struct key *k)
{
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		static const uint8_t none[FRAME_BODY];

		if (t->process[i] != NULL && t->process[i]->is.ready &&
		    (k->known >> i & 1) != 0)
			(void)hsm_send_frame(
			    t->process[i], FRAME_FORGET, k->is.key_id, none, 0, NULL);
	}
}

void
hsm_retire_keys(struct token *t, int64_t now_ms)
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

void
hsm_ask_refused(struct token *t, int64_t now_ms)
{
	for (size_t i = 0; i < t->keys; i++) {
		if (t->key[i]->refused != 0 && t->key[i]->retry_ms <= now_ms)
			t->key[i]->retry = t->key[i]->refused;
	}
}

void
hsm_ask_missing(struct token *t, int64_t now_ms)
{
	for (size_t i = 0; i < t->keys; i++) {
		if (t->key[i]->missing != 0 && t->key[i]->again_ms <= now_ms)
			t->key[i]->missing = 0;
	}
}
