#include "agent/front/hsm.h"

#include <string.h>

#include "agent/front/hsm_pool.h"

enum { STATS_TICKS = 4 /* once a second */ };

/* ---- counters ---- */

static void
poll_token(struct token *t)
{
	for (unsigned i = 0; i < HSM_MAX_PROCESSES; i++) {
		if (t->process[i] != NULL)
			hsm_poll_process(t->process[i]);
	}
}

void
hsm_poll(struct hsm *h)
{
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++)
		poll_token(&h->token[i]);
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
void
hsm_freshen(struct hsm *h)
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

/* ---- every tick ---- */

static void
tick(void *arg)
{
	struct hsm *h = arg;
	int64_t now_ms = loop_now_ms(h->loop);

	h->ticks++;
	for (unsigned i = 0; i < HSM_MAX_TOKENS; i++) {
		struct token *t = &h->token[i];

		hsm_retire_keys(t, now_ms);
		hsm_ask_refused(t, now_ms);
		hsm_ask_missing(t, now_ms);
		for (unsigned n = 0; n < HSM_MAX_PROCESSES; n++) {
			if (t->process[n] == NULL)
				continue;
			hsm_look_for_hang(t->process[n], now_ms);
			hsm_learn_anew(t->process[n]);
		}
		hsm_fail_stranded(t);
		hsm_strand(t, false); /* behind signers that hang */
		hsm_pump(t);
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

		for (unsigned n = 0; p != NULL && n < HSM_MAX_SLOTS; n++) {
			if (p->slot[n].id != 0 && p->slot[n].call != NULL)
				loop_disarm(h->loop, &p->slot[n].call->timer);
		}
		if (p != NULL)
			hsm_free_process(p);
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
		hsm_learn_token(&h->token[i]);
}

enum rc
hsm_want(struct hsm *h, const struct hsm_key *list, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].token >= HSM_MAX_TOKENS)
			return FAULT(f, RC_INVALID, "control", "token %u", list[i].token);
		TRY(hsm_add_key(&h->token[list[i].token], &list[i], f));
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
			k = hsm_find_key(&h->token[list[i].token], list[i].key_id);
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
	(void)hsm_choose(&h->token[token], &c, &some);
	return some;
}

bool
hsm_refused(const struct hsm *h, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	const struct token *t = &h->token[token < HSM_MAX_TOKENS ? token : 0];
	const struct key *k = token < HSM_MAX_TOKENS ? hsm_find_key(t, key_id) : NULL;
	bool any = false;

	for (unsigned i = 0; k != NULL && i < HSM_MAX_PROCESSES; i++) {
		if (!hsm_takes_calls(t->process[i]))
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
	const struct key *k = hsm_find_key(t, key_id);
	bool refused = false;

	if (!hsm_token_up(h, token))
		return HSM_KEY_DOWN;
	if (hsm_ready(h, token, key_id))
		return HSM_KEY_READY;
	for (unsigned i = 0; k != NULL && i < HSM_MAX_PROCESSES; i++) {
		uint64_t bit = 1ULL << i;

		if (!hsm_takes_calls(t->process[i]))
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

		if (hsm_takes_calls(p) && p->is.taught)
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
