/* A request whose originals are verified: by the verifier thread, not past its deadline. */
#include "agent/front/sign_internal.h"

struct sign_wait {
	struct verifier_task task;
	struct sign_work work;
	struct sign_request request[SIGN_CALL_MAX];
	size_t of_item[VERIFIER_MAX_ITEMS]; /* which decision */
	struct originals *late[VERIFIER_MAX_ITEMS];
	bool over; /* it was answered: only the verifier still reads late[] */
	json_t *keep[SIGN_CALL_KEEP];
	struct caller who; /* without its groups, which have had their say */
	struct loop_timer too_late;
	struct sign_wait *next, *prev;
};
_Static_assert(offsetof(struct sign_wait, task) == 0, "the task is the wait");
_Static_assert((int)VERIFIER_MAX_ITEMS >= (int)SIGN_CALL_MAX, "an item for each PASSporT");

void
sign_wait_free(struct sign_wait *wait)
{
	struct desk *d = wait->work.desk;

	loop_disarm(d->loop, &wait->too_late);
	if (wait->next != NULL)
		wait->next->prev = wait->prev;
	if (wait->prev != NULL)
		wait->prev->next = wait->next;
	else
		d->waits = wait->next;
	for (size_t k = 0; !wait->over && k < wait->work.len; k++)
		decide_done(&wait->work.decision[k]);
	for (size_t i = 0; i < VERIFIER_MAX_ITEMS; i++)
		originals_free(wait->late[i]);
	for (size_t i = 0; i < SIGN_CALL_KEEP; i++)
		json_decref(wait->keep[i]);
	free(wait);
}

void
sign_job_unproven(struct sign_work *w, size_t k, const struct fault *f)
{
	w->batch->job[w->of[k]].fault = *f;
	w->decision[k].config = NULL;
	w->decision[k].credential = NULL;
}

/*
 * Meanwhile a number may have left, a tenant been disabled, a credential been
 * taken out of force: what was confirmed is not undone by who waited (D-60).
 */
static enum rc
still_holds(const struct desk *d, const struct decision *x, struct fault *f)
{
	const struct credset *now = d->now->set;
	uint64_t key[PASSPORT_MAX_DEST];
	struct credset_place at;

	if (!credset_same_files(now, x->set) ||
	    !credset_find(now, x->tenant->name, x->config->name, &at) ||
	    !now->config->tenant[at.tenant].enabled ||
	    !sign_lists(&now->config->tenant[at.tenant], key, sign_listed(x, key)) ||
	    !credset_serves(now, at, x->credential))
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
		    "the configuration or the credential changed while the originals were "
		    "verified: ask again");
	return gate_in_time(x->credential->gate, loop_time_s(d->loop), f); /* D-44 */
}

static void
look_again(struct sign_work *w)
{
	for (size_t k = 0; k < w->len; k++) {
		struct fault f = { 0 };

		if (w->batch->job[w->of[k]].fault.rc == RC_OK &&
		    still_holds(w->desk, &w->decision[k], &f) != RC_OK)
			sign_job_unproven(w, k, &f);
	}
}

/* The token may have filled up meanwhile: that is said before the audit says "sign". */
static void
look_for_room(struct sign_work *w)
{
	for (size_t i = 0; i < w->batch->len && !w->batch->dry_run; i++) {
		struct sign_job *j = &w->batch->job[i];

		if (j->fault.rc == RC_OK)
			(void)!hsm_has_room(w->desk->hsm, j->call.token, &j->fault);
	}
}

/* Verified or too late: what still holds is recorded and signed. */
static void
wait_ends(struct sign_wait *wait)
{
	look_again(&wait->work);
	look_for_room(&wait->work);
	sign_conclude(&wait->work);
	wait->over = true;
}

static void
wait_verified(struct verifier_task *t)
{
	struct sign_wait *wait = (struct sign_wait *)t; /* its first member */
	struct sign_work *w = &wait->work;

	if (!wait->over) {
		for (size_t i = 0; i < t->items; i++) {
			size_t k = wait->of_item[i];

			w->decision[k].originals_verified = t->item[i].verified;
			if (t->item[i].fault.rc != RC_OK)
				sign_job_unproven(w, k, &t->item[i].fault);
		}
		wait_ends(wait);
	}
	sign_wait_free(wait);
}

/* The request's deadline.  The verifier may be reading the originals: they stay. */
static void
wait_too_late(void *arg)
{
	struct sign_wait *wait = arg;
	struct fault f = { 0 };

	(void)REFUSE(
	    &f, RC_TIMEOUT, OVERLOADED, "original", "the originals were not verified in time");
	for (size_t i = 0; i < wait->task.items; i++) {
		size_t k = wait->of_item[i];

		sign_job_unproven(&wait->work, k, &f);
		wait->late[i] = TAKE(wait->work.decision[k].originals);
	}
	wait_ends(wait);
}

bool
sign_is_unproven(const struct sign_work *w, size_t k)
{
	return w->decision[k].originals != NULL && w->batch->job[w->of[k]].fault.rc == RC_OK;
}

bool
sign_has_unproven(const struct sign_work *w)
{
	for (size_t k = 0; k < w->len; k++) {
		if (sign_is_unproven(w, k))
			return true;
	}
	return false;
}

/* Borrows the decisions. */
static void
wait_fill(struct sign_wait *wait, const struct sign_work *w)
{
	struct verifier_task *t = &wait->task;
	struct sign_batch *b = w->batch;

	wait->who = *w->who;
	wait->who.group = NULL;
	wait->who.groups = 0;
	wait->work.desk = w->desk;
	wait->work.who = &wait->who;
	wait->work.known = w->known;
	wait->work.request = wait->request;
	wait->work.batch = b;
	wait->work.len = w->len;
	for (size_t k = 0; k < w->len; k++) {
		size_t i = w->of[k];

		wait->work.of[k] = i;
		wait->work.decision[k] = w->decision[k];
		wait->request[i] = w->request[i];
		wait->request[i].request_id = b->request_id;
		wait->request[i].proof = NULL; /* they are decided */
		wait->request[i].charge = NULL;
		if (sign_is_unproven(w, k)) {
			wait->of_item[t->items] = k;
			t->item[t->items++] =
			    (struct verifier_item){ .originals = w->decision[k].originals,
				    .check = w->decision[k].config->original_check };
		}
	}
	t->uid = w->who->uid;
	t->now_s = loop_time_s(w->desk->loop);
	t->deadline_ms = b->job[0].call.deadline_ms;
	t->done = wait_verified;
}

/* The verifier has it: the rest is for wait_verified(). */
static void
wait_begin(struct sign_wait *wait, const struct sign_call *call)
{
	struct desk *d = wait->work.desk;
	struct sign_batch *b = wait->work.batch;

	for (size_t i = 0; i < SIGN_CALL_KEEP; i++)
		wait->keep[i] = json_incref(call->keep[i]);
	wait->next = d->waits;
	if (d->waits != NULL)
		d->waits->prev = wait;
	d->waits = wait;
	wait->too_late = (struct loop_timer){ .fire = wait_too_late, .arg = wait };
	loop_arm(d->loop, &wait->too_late, wait->task.deadline_ms);
	conn_on_lost(b->conn, sign_batch_lost, b);
}

enum rc
sign_put_off(struct sign_work *w, const struct sign_call *call, struct fault *f)
{
	AUTO_FREE struct sign_wait *wait = calloc(1, sizeof *wait);

	if (wait == NULL)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the originals");
	wait_fill(wait, w);
	TRY(verifier_post(w->desk->verifier, &wait->task, w->batch->snapshot->set, f));
	wait_begin(TAKE(wait), call);
	return RC_OK;
}
