#include "agent/front/prove.h"

struct prove {
	struct verifier_task task;
	struct desk *desk;
	struct conn *conn;	   /* NULL: gone */
	struct snapshot *snapshot; /* it is verified by, and policies are in */
	prove_fn *then;
	void *arg;
	bool over; /* then() was called: only the verifier still reads the text */
	struct sign_call call;
	struct sign_request request[SIGN_CALL_MAX];
	struct decide_charge charge[SIGN_CALL_MAX];
	struct proof proof[SIGN_CALL_MAX];
	size_t of_item[VERIFIER_MAX_ITEMS]; /* which request */
	struct loop_timer too_late;
	struct prove *next, *prev;
};
_Static_assert(offsetof(struct prove, task) == 0, "the task is the first member");
_Static_assert((int)VERIFIER_MAX_ITEMS >= (int)SIGN_CALL_MAX, "an item for each request");

bool
prove_is_due(const struct sign_call *call)
{
	for (size_t i = 0; i < call->len; i++) {
		if (call->request[i].delegate_passport.len > 0)
			return true;
	}
	return false;
}

static void
unlink_from(struct desk *d, struct prove *p)
{
	if (p->next != NULL)
		p->next->prev = p->prev;
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		d->proves = p->next;
}

static void
prove_free(struct prove *p)
{
	loop_disarm(p->desk->loop, &p->too_late);
	if (p->conn != NULL)
		conn_on_lost(p->conn, NULL, NULL);
	unlink_from(p->desk, p);
	snapshot_leave(p->snapshot);
	for (size_t i = 0; i < SIGN_CALL_MAX; i++)
		proof_done(&p->proof[i]);
	for (size_t i = 0; i < p->task.items; i++)
		json_decref(p->task.item[i].claims);
	for (size_t i = 0; i < SIGN_CALL_KEEP; i++)
		json_decref(p->call.keep[i]);
	free(p);
}

static void
lost(void *arg)
{
	((struct prove *)arg)->conn = NULL;
}

/* The same tenant where only numbers have moved since: they are decided about now. */
static void
follow_charges(struct prove *p, const struct config *was, const struct config *now)
{
	for (size_t i = 0; i < p->call.len; i++) {
		struct decide_charge *c = &p->charge[i];

		if (c->tenant != NULL)
			c->tenant = &now->tenant[c->tenant - was->tenant];
	}
}

/* What was verified, and what it was charged to, is of a configuration that is gone. */
static void
check_config(struct prove *p)
{
	const struct credset *was = p->snapshot->set, *now = p->desk->now->set;
	struct fault f = { 0 };

	if (credset_same_files(was, now)) {
		follow_charges(p, was->config, now->config);
		return;
	}
	(void)REFUSE(&f, RC_BUSY, OVERLOADED, "delegate",
	    "the configuration changed while the delegate's PASSporT was verified: ask again");
	for (size_t i = 0; i < p->call.len; i++) {
		p->request[i].charge = NULL;
		if (p->request[i].proof != NULL)
			p->proof[i].fault = f;
	}
}

static void
go_on(struct prove *p)
{
	struct conn *c = p->conn;

	if (c != NULL)
		conn_on_lost(c, NULL, NULL);
	p->conn = NULL;
	p->over = true;
	loop_disarm(p->desk->loop, &p->too_late);
	check_config(p);
	p->then(p->arg, c, &p->call);
}

static void
verified(struct verifier_task *t)
{
	struct prove *p = (struct prove *)t; /* its first member */

	for (size_t i = 0; i < t->items && !p->over; i++) {
		struct proof *proof = &p->proof[p->of_item[i]];

		proof->fault = t->item[i].fault;
		proof->claims = TAKE(t->item[i].claims);
	}
	if (!p->over)
		go_on(p);
	prove_free(p);
}

static void
set_all(struct prove *p, const struct fault *f)
{
	for (size_t i = 0; i < p->task.items; i++)
		p->proof[p->of_item[i]].fault = *f;
}

/* The verifier may be reading the text: it stays. */
static void
too_late(void *arg)
{
	struct prove *p = arg;
	struct fault f = { 0 };

	(void)REFUSE(&f, RC_TIMEOUT, OVERLOADED, "delegate",
	    "the delegate's PASSporT was not verified in time");
	set_all(p, &f);
	go_on(p);
}

static void
add_request(struct prove *p, const struct decide_world *world, size_t i)
{
	struct verifier_task *t = &p->task;
	struct sign_request *r = &p->request[i];
	struct verifier_item *it = &t->item[t->items];

	r->request_id = p->call.request_id;
	if (r->delegate_passport.len == 0)
		return;
	if (decide_wants_proof(world, r, &it->policy, &p->charge[i])) {
		it->delegate = r->delegate_passport;
		p->of_item[t->items++] = i;
		r->proof = &p->proof[i];
	}
	r->charge = &p->charge[i];
}

static struct prove *
prove_new(struct desk *d, struct conn *c, const struct sign_call *call)
{
	struct prove *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->desk = d;
	p->conn = c;
	p->snapshot = snapshot_use(d->now);
	p->call = *call;
	p->call.request = p->request;
	for (size_t i = 0; i < SIGN_CALL_KEEP; i++)
		p->call.keep[i] = json_incref(call->keep[i]);
	for (size_t i = 0; i < call->len; i++)
		p->request[i] = call->request[i];
	p->too_late = (struct loop_timer){ .fire = too_late, .arg = p };
	p->next = d->proves;
	if (d->proves != NULL)
		d->proves->prev = p;
	d->proves = p;
	return p;
}

/* Is it with the verifier?  Else nothing is to be verified, or it has no room. */
static bool
post(struct prove *p, uid_t uid, int64_t deadline_ms)
{
	struct desk *d = p->desk;
	struct fault f = { 0 };

	p->task.uid = uid;
	p->task.now_s = loop_time_s(d->loop);
	p->task.deadline_ms = deadline_ms;
	p->task.done = verified;
	if (p->task.items == 0)
		return false;
	if (verifier_post(d->verifier, &p->task, p->snapshot->set, &f) == RC_OK)
		return true;
	set_all(p, &f);
	return false;
}

enum rc
prove(struct desk *d, struct conn *c, const struct decide_world *world,
    const struct sign_call *call, int64_t deadline_ms, prove_fn *then, void *arg,
    struct fault *f)
{
	struct prove *p = prove_new(d, c, call);

	if (p == NULL)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the request");
	p->then = then;
	p->arg = arg;
	for (size_t i = 0; i < call->len; i++)
		add_request(p, world, i);
	if (post(p, world->caller->uid, deadline_ms)) {
		conn_on_lost(c, lost, p);
		loop_arm(d->loop, &p->too_late, deadline_ms);
		return RC_OK;
	}
	go_on(p);
	prove_free(p);
	return RC_OK;
}

void
prove_drop(struct desk *d)
{
	while (d->proves != NULL)
		prove_free(d->proves);
}
