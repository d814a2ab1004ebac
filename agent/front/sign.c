#include "agent/front/sign.h"

#include "agent/front/journal.h"
#include "agent/front/prove.h"
#include "agent/front/sign_internal.h"

/* ---- what is decided ---- */

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	return hsm_ready(((struct desk *)arg)->hsm, token, key_id);
}

static uint64_t
load_us(void *arg, unsigned token)
{
	return hsm_load_us(((struct desk *)arg)->hsm, token);
}

static struct decide_world
world_of(struct desk *d, struct conn *c)
{
	const struct credset *set = d->now->set;

	return (struct decide_world){ .set = set,
		.policy = d->policy,
		.caller = &c->caller,
		.view = caller_see(&c->caller, set, &c->view),
		.key_ready = key_ready,
		.load_us = load_us,
		.turn = d->turn++,
		.arg = d,
		.now_s = loop_time_s(d->loop),
		.now_ms = loop_now_ms(d->loop) };
}

static enum rc
decide_one(struct sign_work *w, size_t i, struct decision *x, struct fault *f)
{
	struct decide_world world = world_of(w->desk, w->conn);
	struct sign_request r = w->request[i];

	r.before = w->decision;
	r.befores = w->len;
	*x = (struct decision){ 0 };
	w->known = world.view->any;
	return decide(&world, &r, x, f);
}

/* All of one pass: shaken rests on what the others showed. */
static void
decide_pass(struct sign_work *w, bool shaken)
{
	for (size_t i = 0; i < w->batch->len; i++) {
		const struct sign_request *r = &w->request[i];
		struct sign_job *j = &w->batch->job[i];
		struct decision *x = &w->decision[w->len];

		if ((r->ppt == PPT_SHAKEN) != shaken)
			continue;
		if (decide_one(w, i, x, &j->fault) == RC_OK) {
			if (x->rests_on > 0)
				j->rests_on = &w->batch->job[w->of[x->rests_on - 1]];
			(void)!sign_build(j, r, x, &j->fault);
		}
		if (j->fault.rc != RC_OK) { /* nothing rests on it */
			x->config = NULL;
			x->credential = NULL;
		}
		w->of[w->len++] = i;
	}
}

/* ---- from the first to the last ---- */

/* A call of which nothing would be given out is not worth the work. */
static bool
is_lost(const struct sign_batch *b)
{
	return !b->best_effort && sign_cause(b) != NULL;
}

static void
carry_out(struct sign_work *w, const struct sign_call *call)
{
	struct fault f = { 0 };

	decide_pass(w, false);
	decide_pass(w, true);
	w->batch->conn = w->conn;
	if (sign_has_unproven(w) && !is_lost(w->batch)) {
		if (sign_put_off(w, call, &f) == RC_OK)
			return;
		for (size_t k = 0; k < w->len; k++) {
			if (sign_is_unproven(w, k))
				sign_job_unproven(w, k, &f);
		}
	}
	sign_conclude(w);
}

static void
begin(struct sign_batch *b, struct conn *c, const struct sign_call *call)
{
	struct sign_work w; /* long, and cleared as far as it is used */

	w.desk = b->desk;
	w.conn = c;
	w.who = &c->caller;
	w.known = false;
	w.request = call->request;
	w.len = 0;
	w.batch = b;
	carry_out(&w, call);
}

/* By what is in force now; nothing was decided before. */
static void
proven(void *arg, struct conn *c, const struct sign_call *call)
{
	struct sign_batch *b = arg;
	struct snapshot *now = snapshot_use(b->desk->now);

	snapshot_leave(b->snapshot);
	b->snapshot = now;
	if (c != NULL)
		begin(b, c, call);
	else
		sign_batch_free(b);
}

static enum rc
start_proving(
    struct sign_batch *b, struct conn *c, const struct sign_call *call, struct fault *f)
{
	struct decide_world world = world_of(b->desk, c);
	struct sign_call mine = *call;

	mine.request_id = b->request_id;
	return prove(b->desk, c, &world, &mine, b->job[0].call.deadline_ms, proven, b, f);
}

static enum rc
start(struct desk *d, struct conn *c, const struct sign_call *call, struct fault *f)
{
	struct sign_batch *b = sign_batch_new(d, call);
	enum rc rc;

	if (b == NULL)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the request");
	if (!prove_is_due(call)) {
		begin(b, c, call);
		return RC_OK;
	}
	rc = start_proving(b, c, call, f);
	if (rc != RC_OK)
		sign_batch_free(b);
	return rc;
}

void
sign_start(struct desk *d, struct conn *c, const struct sign_call *call)
{
	struct fault f = { 0 };

	if (start(d, c, call, &f) == RC_OK)
		return;
	sign_count_fault(d, &f);
	sign_answer_fault(
	    c, call->face, &f, &(struct sign_answers){ .request_id = call->request_id });
}

void
sign_refuse(struct desk *d, struct conn *c, const struct sign_face *face, const struct fault *f,
    const char *request_id)
{
	sign_count_refused(d, f);
	sign_answer_fault(c, face, f, &(struct sign_answers){ .request_id = request_id });
}

void
sign_count_refused(struct desk *d, const struct fault *f)
{
	journal_count(d, f);
	sign_count_fault(d, f);
}

void
sign_drop(struct desk *d)
{
	prove_drop(d);
	while (d->waits != NULL)
		sign_wait_free(d->waits);
	while (d->batches != NULL)
		sign_batch_free(d->batches);
	buf_free(&d->body);
	buf_free(&d->claims);
	buf_free(&d->members);
}
