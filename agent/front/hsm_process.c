/* One signer process: its frames out and in, from its hello to its end. */
#include "agent/front/hsm_pool.h"

#include <string.h>
#include <sys/epoll.h>

/* ---- frames out ---- */

static struct slot *
free_slot(struct process *p)
{
	for (unsigned i = 0; i < HSM_MAX_SLOTS; i++) {
		unsigned at = (p->next_slot + i) % HSM_MAX_SLOTS;

		if (p->slot[at].id != 0)
			continue;
		p->next_slot = at + 1;
		return &p->slot[at];
	}
	return NULL;
}

uint64_t
hsm_nth(const struct slot *s)
{
	return s->answers + s->ahead;
}

bool
hsm_send_frame(struct process *p, enum frame_op op, const uint8_t key_id[KEY_ID_LEN],
    const void *body, size_t len, struct slot **out)
{
	struct slot *s = free_slot(p);
	struct frame frame;

	if (s == NULL)
		return false;
	frame = frame_make(
	    op, p->is.generation, ++p->next_id * HSM_MAX_SLOTS + (uint64_t)(s - p->slot));
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
	p->order[hsm_nth(s) % HSM_MAX_SLOTS] = (uint8_t)(s - p->slot);
	if (out != NULL)
		*out = s;
	return true;
}

/* ---- hangs ---- */

void
hsm_note_trouble(struct process *p)
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

void
hsm_blame(struct process *p, const struct slot *s)
{
	int64_t held_ms = loop_now_ms(p->hsm->loop) - s->sent_ms;

	p->is.timeouts++;
	hsm_note_trouble(p);
	if (held_ms * HSM_STUCK_PART >= p->hsm->timeout_ms)
		condemn(p); /* else it came late to this process */
}

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

/* A search of a big token may take longer than the shortest time that a request can have. */
static int64_t
limit_of(const struct process *p, const struct slot *s)
{
	int64_t timeout_ms = p->hsm->timeout_ms;

	return s->op == FRAME_SIGN || timeout_ms > HSM_SEARCH_MS ? timeout_ms : HSM_SEARCH_MS;
}

/* One that nothing is known of but that it is slow is given back its work when it answers. */
void
hsm_look_for_hang(struct process *p, int64_t now_ms)
{
	bool hangs = false;

	p->stuck = false;
	for (unsigned i = 0; i < HSM_MAX_SLOTS; i++) {
		struct slot *s = &p->slot[i];
		int64_t held_ms = now_ms - s->sent_ms, limit_ms = limit_of(p, s);

		if (s->id == 0 || held_ms * HSM_STUCK_PART < limit_ms || !is_stuck(p, s))
			continue;
		if (s->op == FRAME_SIGN && p->answers == s->answers)
			p->suspect = true;
		if (s->op == FRAME_SIGN)
			hsm_rescue(p, s);
		p->stuck |= s->op == FRAME_LEARN;
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
	p->polled = hsm_send_frame(p, FRAME_STATS, none, none, 0, NULL);
}

/* What came may have been counted before the last question was asked. */
static void
ask_stats_again(struct process *p)
{
	if (p->told != p->hsm->questions)
		ask_stats(p);
}

void
hsm_poll_process(struct process *p)
{
	if (!p->is.ready)
		return;
	ask_stats(p);
	hsm_learn_more(p);
}

/* ---- processes ---- */

void
hsm_free_process(struct process *p)
{
	loop_disarm(p->hsm->loop, &p->hang);
	loop_remove(p->hsm->loop, &p->io);
	close(p->io.fd);
	free(p);
}

static void
lose_process(struct process *p)
{
	struct token *t = p->token;
	struct hsm *h = p->hsm;

	t->process[p->number] = NULL;
	hsm_forget_process(t, p->number);
	t->shrunk = true;
	if (p->live > 0)
		hsm_note_trouble(p);
	for (unsigned i = 0; i < HSM_MAX_SLOTS; i++) {
		if (p->slot[i].id != 0 && p->slot[i].call != NULL)
			hsm_try_again(p, p->slot[i].call, "the signer ended");
	}
	hsm_free_process(p);
	hsm_fail_stranded(t);
	hsm_pump(t);
	hsm_freshen(h);
	h->ops.changed(h->ops.arg);
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
	hsm_learn_more(p);
	return true;
}

/* One answer.  False: it is none that was asked for. */
static bool
answered(struct process *p, const struct frame *frame)
{
	struct slot *s = &p->slot[frame->request_id % HSM_MAX_SLOTS], was = *s;

	if (frame->request_id == 0 || was.id != frame->request_id || was.op != frame->op)
		return false;
	*s = (struct slot){ 0 };
	p->outstanding--;
	p->answers++;
	p->suspect = false;
	hsm_draw_near(p);
	if (was.op == FRAME_LEARN || was.op == FRAME_LOOK) {
		hsm_learnt(p, &was, frame);
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
		hsm_signed_by(p, was.call, frame);
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
	for (unsigned n = 0; n < HSM_MAX_SLOTS / FRAMES_MAX && rc == RC_OK; n++)
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
	hsm_learn_token(t);
	hsm_fail_stranded(t);
	hsm_pump(t);
	hsm_freshen(h);
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
