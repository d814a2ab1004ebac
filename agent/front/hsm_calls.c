/* Signatures: whose turn it is, what waits, is late, or is tried once more elsewhere. */
#include "agent/front/hsm_pool.h"

#include <assert.h>

enum {
	SCAN_WAITING = 64,
	LEAVE_MS = 5000, /* for a process that says it is leaving */
};

/* ---- whose turn it is ---- */

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

bool
hsm_takes_calls(const struct process *p)
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

struct process *
hsm_choose(const struct token *t, const struct hsm_call *c, bool *some)
{
	const struct key *k = hsm_find_key(t, c->key_id);
	struct process *best = NULL, *searching = NULL;
	bool others = false;

	*some = false;
	for (unsigned i = 0; k != NULL && i < HSM_MAX_PROCESSES; i++) {
		struct process *p = t->process[i];
		struct process **kind;

		if (!hsm_takes_calls(p) || (k->known >> i & 1) == 0)
			continue;
		*some = true;
		others |= !hsm_is_searching(p);
		kind = hsm_is_searching(p) ? &searching : &best;
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

	if (!hsm_send_frame(p, FRAME_SIGN, c->key_id, c->digest, ES256_DIGEST_LEN, &s))
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

void
hsm_draw_near(struct process *p)
{
	uint64_t next = p->answers + soon(p) - 1;
	struct slot *s = &p->slot[p->order[next % HSM_MAX_SLOTS]];

	if (s->id != 0 && hsm_nth(s) == next && s->call != NULL && s->call->coming != NULL)
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
		hsm_blame(p, s);
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
		if (hsm_takes_calls(t->process[i]))
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
		if (hsm_takes_calls(t->process[i]))
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
	p = hsm_choose(t, c, &some);
	if (!some)
		return REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL, "no signer knows the key");
	TRY(hsm_has_room(h, c->token, f));
	if (t->waits > 0 || p == NULL || !hand_over(p, c))
		enqueue(t, c, false);
	t->calls++;
	loop_arm(h->loop, &c->timer, c->deadline_ms);
	return RC_OK;
}

void
hsm_pump(struct token *t)
{
	struct hsm_call *c = t->waiting.next, *next;

	for (unsigned n = 0; c != &t->waiting && n < SCAN_WAITING; c = next, n++) {
		bool some = false;
		struct process *p = hsm_choose(t, c, &some);

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

void
hsm_strand(struct token *t, bool all)
{
	struct hsm_call stranded = { 0 }, *next;

	stranded.next = stranded.prev = &stranded;
	for (struct hsm_call *c = t->waiting.next; c != &t->waiting; c = next) {
		bool some = false;

		next = c->next;
		if (all || c->elsewhere)
			(void)hsm_choose(t, c, &some);
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

void
hsm_fail_stranded(struct token *t)
{
	if (!t->shrunk)
		return;
	t->shrunk = false;
	hsm_strand(t, true);
}

void
hsm_try_again(struct process *p, struct hsm_call *c, const char *why)
{
	bool some = false;

	if (!c->again)
		(void)hsm_choose(p->token, c, &some);
	if (!some) {
		fail_unavailable(c, why);
		return;
	}
	c->again = true;
	c->last = p->number;
	enqueue(p->token, c, true);
}

void
hsm_rescue(struct process *p, struct slot *s)
{
	struct hsm_call *c = s->call;
	bool some = false;

	if (c == NULL || (c->again && !c->elsewhere))
		return;
	if (!c->elsewhere)
		(void)hsm_choose(p->token, c, &some);
	if (!some && !c->elsewhere)
		return;
	s->call = NULL; /* its answer may still come */
	p->live--;
	p->is.timeouts++;
	hsm_note_trouble(p);
	/* Half of its time is gone: a process that may hang as well would have the rest. */
	if (c->elsewhere)
		fail_unavailable(c, "the signer hangs");
	else
		hsm_try_again(p, c, "the signer hangs");
}

void
hsm_signed_by(struct process *p, struct hsm_call *c, const struct frame *frame)
{
	struct key *k = hsm_find_key(p->token, c->key_id);
	uint64_t bit = 1ULL << p->number;

	p->token->shrunk |= frame->code != FRAME_OK;
	switch ((enum frame_code)frame->code) {
	case FRAME_OK: finish(c, frame->body, NULL); return;
	case FRAME_NO_KEY:
		if (k != NULL)
			k->known &= ~bit;
		p->cursor = 0; /* asked for again: it is unknown there */
		hsm_try_again(p, c, "the signer does not know the key");
		return;
	case FRAME_KEY_REFUSED:
		if (k != NULL)
			hsm_refuse(p, k, frame);
		hsm_try_again(p, c, "the signer refused the key");
		return;
	case FRAME_REBUILD:
		hsm_note_trouble(p);
		p->is.draining = true;
		if (p->hang.next == NULL)
			loop_arm(p->hsm->loop, &p->hang, loop_now_ms(p->hsm->loop) + LEAVE_MS);
		hsm_try_again(p, c, "the signer is being replaced");
		return;
	case FRAME_BUSY: {
		struct fault f = { 0 };

		hsm_note_trouble(p);
		(void)REFUSE(&f, RC_BUSY, OVERLOADED, NULL, "the token asks for patience");
		finish(c, NULL, &f);
		return;
	}
	default:
		hsm_note_trouble(p);
		hsm_try_again(p, c, "the token refused to sign");
		return;
	}
}
