#include "agent/front/sign.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/front/journal.h"
#include "agent/front/prove.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum {
	RETRY_AFTER_S = 1,
	SIGN_BODY_KEPT = 256 * 1024,
	SIGN_PAYLOAD_USUAL = 2048, /* claims twice and signature of most PASSporTs */
};

/* One signature of a batch. */
struct sign_job {
	struct hsm_call call;
	struct sign_batch *batch;
	const struct config_tenant *tenant; /* in the snapshot, as the next two */
	const struct config_credential *config;
	struct credential *credential;
	/* The same in other tokens, where they are lost with this one: */
	struct decide_other other[DECIDE_MAX_OTHERS];
	size_t others, tried;
	enum ppt ppt;
	/* The passport, then what makes it an Identity value, then the claims as JSON. */
	struct buf text;
	size_t signature_at; /* where the signature's text goes */
	size_t passport_len, identity_len;
	char attest; /* as granted */
	size_t originals, originals_verified;
	const struct sign_job *rests_on; /* what its attestation was granted for; NULL: none */
	struct fault fault;		 /* why it is not given out */
	uint64_t seq;			 /* of its "sign" record; 0: none */
};

struct sign_batch {
	struct desk *desk;
	struct conn *conn; /* NULL: gone */
	const struct sign_face *face;
	struct snapshot *snapshot;
	char request_id[SIGN_REQUEST_ID_MAX + 1];
	bool best_effort, plain, dry_run;
	bool unaudited;	 /* only the records are waited for */
	uint64_t seq;	 /* of the last record */
	size_t at_token; /* signatures that are still to come */
	int64_t began_us;
	struct loop_timer audit_late;
	struct sign_batch *next, *prev;
	size_t len;
	struct sign_job job[]; /* as they were asked for */
};

/* ---- counting ---- */

static void
count_fault(struct desk *d, const struct fault *f)
{
	d->stats.reason[journal_reason(f->reason)]++;
	if (reason_status(f->reason) >= 500)
		d->stats.failed++;
	else
		d->stats.refused++;
}

/* The loop's clock is too coarse for a histogram. */
static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
count_signed(const struct sign_batch *b)
{
	struct desk_stats *s = &b->desk->stats;
	int64_t took_us = now_us() - b->began_us;
	unsigned n = 0;

	for (int64_t edge = 100; n + 1 < DESK_BUCKETS && took_us > edge; edge *= 2)
		n++;
	s->took[n]++;
	s->took_us += (uint64_t)took_us;
	s->signed_++;
}

static void
count_batch(const struct sign_batch *b)
{
	for (size_t i = 0; i < b->len; i++) {
		if (b->job[i].fault.rc != RC_OK)
			count_fault(b->desk, &b->job[i].fault);
		else if (b->dry_run)
			b->desk->stats.dry_runs++;
		else
			count_signed(b);
	}
}

/* ---- answers ---- */

static void
answer_fault(struct conn *c, const struct sign_face *face, const struct fault *f,
    const struct sign_answers *a)
{
	AUTO_BUF body = BUF_INIT(SIGN_CALL_MAX * (SIGN_TOKEN_MAX / 8));
	int status = reason_status(f->reason);

	face->refused(&body, f, a);
	conn_answer(
	    c, &(struct http1_answer){ .status = status,
		   .content_type = face->problem_type,
		   .body = buf_view(&body),
		   .request_id = a->request_id,
		   .retry_after_s = status == 503 || status == 429 ? RETRY_AFTER_S : 0 });
}

/* In memory that the next answer uses again, unless it is unusually much. */
static void
answer_allowed(struct conn *c, const struct sign_batch *b, const struct sign_answers *a)
{
	struct buf *body = &b->desk->body;
	struct fault f = { 0 };

	body->max = SIGN_CALL_MAX * 4 * SIGN_TOKEN_MAX;
	buf_clear(body);
	if (b->plain)
		buf_span(body, a->item[0].identity);
	else
		b->face->allowed(body, a);
	if (buf_check(body, NULL) != RC_OK) {
		(void)REFUSE(&f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the answer");
		answer_fault(c, b->face, &f, a);
		return;
	}
	conn_answer(c, &(struct http1_answer){ .status = 200,
			   .content_type = b->plain ? "text/plain" : b->face->type,
			   .body = buf_view(body),
			   .request_id = a->request_id });
	if (body->cap > SIGN_BODY_KEPT)
		buf_free(body);
}

static struct sign_answer
answer_of(const struct sign_job *j)
{
	struct sign_answer a = { .dry_run = j->batch->dry_run };

	if (j->fault.rc != RC_OK) {
		a.fault = &j->fault;
		return a;
	}
	a.tenant = j->tenant->name;
	a.credential = j->config->name;
	a.serial = j->credential->chain->cert[0]->serial;
	a.not_after_s = j->credential->not_after_s;
	a.attest = j->attest;
	a.originals = j->originals;
	a.originals_verified = j->originals_verified;
	if (a.dry_run)
		return a;
	a.passport = span_of(j->text.ptr, j->passport_len);
	if (j->identity_len > j->passport_len)
		a.identity = span_of(j->text.ptr, j->identity_len);
	return a;
}

static bool
is_withheld(const struct sign_job *j)
{
	return fault_is(&j->fault, REASON_CALL_REFUSED);
}

/* What the whole is refused for: the first that has a reason of its own.  NULL: it is not. */
static const struct fault *
cause(const struct sign_batch *b)
{
	const struct fault *first = NULL;
	size_t good = 0;

	for (size_t i = 0; i < b->len; i++) {
		const struct sign_job *j = &b->job[i];

		good += j->fault.rc == RC_OK;
		if (first == NULL && j->fault.rc != RC_OK && !is_withheld(j))
			first = &j->fault;
	}
	return b->best_effort && good > 0 ? NULL : first;
}

static void
answer(struct conn *c, const struct sign_batch *b)
{
	struct sign_answer item[SIGN_CALL_MAX];
	struct sign_answers a = { .item = item, .len = b->len, .request_id = b->request_id };
	const struct fault *f = cause(b);

	for (size_t i = 0; i < b->len; i++)
		item[i] = answer_of(&b->job[i]);
	if (f != NULL)
		answer_fault(c, b->face, f, &a);
	else
		answer_allowed(c, b, &a);
}

/* ---- batches ---- */

static void
batch_free(struct sign_batch *b)
{
	struct desk *d = b->desk;

	if (b->conn != NULL)
		conn_on_lost(b->conn, NULL, NULL);
	loop_disarm(d->loop, &b->audit_late);
	if (b->next != NULL)
		b->next->prev = b->prev;
	if (b->prev != NULL)
		b->prev->next = b->next;
	else
		d->batches = b->next;
	snapshot_leave(b->snapshot);
	for (size_t i = 0; i < b->len; i++)
		buf_free(&b->job[i].text);
	free(b);
}

static void
batch_lost(void *arg)
{
	((struct sign_batch *)arg)->conn = NULL;
}

/* It was announced in the trail and is not given out. */
static void
journal_job(struct sign_job *j, const struct fault *f)
{
	const struct sign_batch *b = j->batch;

	if (j->seq != 0 && !b->dry_run)
		journal_failed(
		    b->desk, j->tenant->name, j->config->name, b->request_id, j->seq, f);
}

static void
job_fails(struct sign_job *j, const struct fault *f)
{
	j->fault = *f;
	journal_job(j, f);
}

/* All or nothing: with one that failed, the others are not given out. */
static void
withhold_call(struct sign_batch *b)
{
	const struct fault *why = b->best_effort ? NULL : cause(b);
	struct fault f = { 0 };

	if (why == NULL)
		return;
	(void)REFUSE(&f, RC_DENIED, CALL_REFUSED, NULL,
	    "another PASSporT of the call was not signed: %s", why->reason);
	for (size_t i = 0; i < b->len; i++) {
		if (b->job[i].fault.rc == RC_OK)
			job_fails(&b->job[i], &f);
	}
}

/* An attestation granted for a delegate's PASSporT is not given out without it. */
static void
withhold_attest(struct sign_batch *b)
{
	struct fault f = { 0 };

	for (size_t i = 0; i < b->len; i++) {
		const struct sign_job *on = b->job[i].rests_on;

		if (on == NULL || on->fault.rc == RC_OK || b->job[i].fault.rc != RC_OK)
			continue;
		(void)REFUSE(&f, RC_DENIED, CALL_REFUSED, "attest",
		    "the delegate's PASSporT that it rests on was not signed: %s",
		    on->fault.reason);
		job_fails(&b->job[i], &f);
	}
}

static void
withhold(struct sign_batch *b)
{
	withhold_attest(b);
	withhold_call(b);
}

static void
finish(struct sign_batch *b)
{
	withhold(b);
	count_batch(b);
	if (b->conn != NULL)
		answer(b->conn, b);
	b->conn = NULL;
	batch_free(b);
}

static void
batch_unaudited(void *arg)
{
	struct sign_batch *b = arg;
	struct fault f = { 0 };

	(void)REFUSE(
	    &f, RC_IO, AUDIT_UNAVAILABLE, NULL, "the audit record is not on disk in time");
	for (size_t i = 0; i < b->len; i++) {
		if (b->job[i].fault.rc == RC_OK) /* its "sign" may still reach the disk */
			job_fails(&b->job[i], &f);
	}
	finish(b);
}

/* Every signature came or failed: the records of those that came must be on disk. */
static void
settle(struct sign_batch *b)
{
	uint64_t last = 0;

	for (size_t i = 0; i < b->len; i++) {
		if (b->job[i].fault.rc == RC_OK && b->job[i].seq > last)
			last = b->job[i].seq;
	}
	b->seq = last;
	if (audit_durable(b->desk->audit) >= last) {
		finish(b);
		return;
	}
	audit_start(b->desk->audit, last); /* it overtook others on its way */
	b->unaudited = true;
	loop_arm(b->desk->loop, &b->audit_late, b->job[0].call.deadline_ms);
}

void
sign_audited(struct desk *d)
{
	uint64_t durable = audit_durable(d->audit);
	struct sign_batch *next;

	for (struct sign_batch *b = d->batches; b != NULL; b = next) {
		next = b->next;
		if (b->unaudited && b->seq <= durable)
			finish(b);
	}
}

/* ---- from the decision to the digest ---- */

/*
 * header "." payload "." (room for the signature), and behind it what makes
 * it an Identity value: one text, complete but for the signature.  The claims
 * are in the desk's buffer.
 */
static enum rc
build_text(
    struct sign_job *j, const struct header *header, struct span *payload, struct fault *f)
{
	const struct buf *claims = &j->batch->desk->claims;
	size_t payload_at = header->text.len + 1;

	(void)buf_room(&j->text, payload_at + SIGN_PAYLOAD_USUAL + header->tail.len);
	buf_span(&j->text, header->text);
	buf_byte(&j->text, '.');
	b64_encode(&j->text, B64_URL, buf_view(claims));
	j->signature_at = j->text.len + 1;
	buf_byte(&j->text, '.');
	if (buf_room(&j->text, SIGN_SIG_TEXT) != NULL)
		buf_grew(&j->text, SIGN_SIG_TEXT);
	j->passport_len = j->text.len;
	buf_span(&j->text, header->tail);
	j->identity_len = j->text.len;
	buf_span(&j->text, buf_view(claims)); /* for the record */
	TRY(buf_check(&j->text, f));
	*payload = span_of(j->text.ptr + payload_at, j->signature_at - 1 - payload_at);
	return RC_OK;
}

static enum rc
check_size(const struct sign_job *j, struct fault *f)
{
	if (j->config->identity_max_bytes == 0 ||
	    j->identity_len <= j->config->identity_max_bytes)
		return RC_OK;
	return REFUSE(f, RC_DENIED, IDENTITY_TOO_LARGE, NULL,
	    "%zu bytes, and identity_max_bytes of credential '%s' is %u", j->identity_len,
	    j->config->name, j->config->identity_max_bytes);
}

/* By the credential that the job has: its header, its key. */
static enum rc
build_for(struct sign_job *j, struct fault *f)
{
	struct desk *d = j->batch->desk;
	struct header header = { 0 };
	struct span payload = { 0 };

	j->call.token = j->credential->token;
	j->call.elsewhere = j->tried < j->others;
	memcpy(j->call.key_id, j->credential->key_id, KEY_ID_LEN);
	TRY(headers_find(d->headers, j->credential, j->ppt, &header, f));
	TRY(build_text(j, &header, &payload, f));
	TRY(check_size(j, f));
	return headers_digest(d->headers, &header, payload, j->call.digest, f);
}

/* What was decided, as far as it goes without a signer. */
static enum rc
build(
    struct sign_job *j, const struct sign_request *r, const struct decision *x, struct fault *f)
{
	struct buf *claims = &j->batch->desk->claims;

	j->tenant = x->tenant;
	j->config = x->config;
	j->credential = x->credential;
	j->attest = x->attest.granted;
	j->ppt = r->ppt;
	j->others = r->dry_run ? 0 : x->others;
	if (j->others > 0)
		memcpy(j->other, x->other, j->others * sizeof j->other[0]);
	claims->max = PASSPORT_MAX_BYTES;
	buf_clear(claims);
	TRY(jtext_write(claims, x->passport.claims, f));
	TRY(buf_check(claims, f));
	TRY(build_for(j, f));
	return r->dry_run ? RC_OK : hsm_has_room(j->batch->desk->hsm, j->call.token, f);
}

/* ---- the same credential in another token ---- */

static bool
is_of_token(const struct fault *f)
{
	return fault_is(f, REASON_HSM_UNAVAILABLE) || fault_is(f, REASON_HSM_TIMEOUT) ||
	       fault_is(f, REASON_OVERLOADED);
}

/*
 * Another certificate, so another header, digest and record; what the gate says
 * of these claims it said when it was decided, but for the time.
 */
static enum rc
move(struct sign_job *j, struct fault *f)
{
	const struct decide_other *o = &j->other[j->tried++];
	struct sign_batch *b = j->batch;
	struct desk *d = b->desk;
	const char *instead = j->config->name;

	TRY(gate_in_time(o->credential->gate, loop_time_s(d->loop), f));
	if (!hsm_ready(d->hsm, o->credential->token, o->credential->key_id))
		return REFUSE(f, RC_HSM, HSM_UNAVAILABLE, NULL, "nor has another token it");
	j->config = o->config;
	j->credential = o->credential;
	buf_clear(&j->text);
	TRY(build_for(j, f));
	TRY(journal_moved(d, j->tenant->name, j->credential, b->request_id, instead,
	    j->call.digest, &j->seq, f));
	return hsm_sign(d->hsm, &j->call, f);
}

/* The token failed it: true when it is at another one. */
static bool
move_on(struct sign_job *j, const struct fault *why)
{
	struct desk *d = j->batch->desk;

	if (j->tried < j->others) { /* the same octets, out of the text that is to go */
		buf_clear(&d->claims);
		buf_put(
		    &d->claims, j->text.ptr + j->identity_len, j->text.len - j->identity_len);
	}
	while (j->tried < j->others && is_of_token(why) &&
	       loop_now_ms(d->loop) < j->call.deadline_ms) {
		struct fault f = { 0 };

		journal_job(j, why);
		j->seq = 0; /* that one is told */
		if (move(j, &f) == RC_OK) {
			d->stats.moved++;
			return true;
		}
	}
	return false;
}

static void
put_signature(struct sign_job *j, const uint8_t sig[ES256_SIG_LEN])
{
	b64_encode_to(j->text.ptr + j->signature_at, B64_URL, span_of(sig, ES256_SIG_LEN));
}

static void
job_signed(struct hsm_call *call, const uint8_t sig[ES256_SIG_LEN], const struct fault *f)
{
	struct sign_job *j = (struct sign_job *)call; /* its first member */

	if (j->fault.rc == RC_OK && sig != NULL)
		put_signature(j, sig);
	else if (j->fault.rc == RC_OK && move_on(j, f))
		return; /* it is still to come */
	else if (j->fault.rc == RC_OK)
		job_fails(j, f);
	if (--j->batch->at_token == 0)
		settle(j->batch);
}
_Static_assert(offsetof(struct sign_job, call) == 0, "the call is the job");

/*
 * The record is written and synced while the token signs, and with it all that
 * wait: those of digests that lie further behind need no sync of their own.
 */
static void
job_coming(struct hsm_call *call)
{
	struct sign_job *j = (struct sign_job *)call;

	audit_start(j->batch->desk->audit, j->seq);
}

static struct sign_batch *
batch_new(struct desk *d, const struct sign_call *call)
{
	struct sign_batch *b = calloc(1, sizeof *b + call->len * sizeof b->job[0]);
	int64_t timeout_ms = (int64_t)d->now->set->config->request_timeout_ms;

	if (b == NULL)
		return NULL;
	b->desk = d;
	b->face = call->face;
	b->best_effort = call->best_effort;
	b->plain = call->plain;
	b->dry_run = call->request[0].dry_run;
	b->snapshot = snapshot_use(d->now);
	b->audit_late = (struct loop_timer){ .fire = batch_unaudited, .arg = b };
	b->began_us = now_us();
	snprintf(b->request_id, sizeof b->request_id, "%s", call->request_id);
	b->len = call->len;
	for (size_t i = 0; i < b->len; i++) {
		b->job[i].batch = b;
		b->job[i].text = BUF_INIT(SIGN_TOKEN_MAX + 4096);
		b->job[i].call.deadline_ms = loop_now_ms(d->loop) + timeout_ms;
		b->job[i].call.done = job_signed;
		b->job[i].call.coming = job_coming;
	}
	b->next = d->batches;
	if (d->batches != NULL)
		d->batches->prev = b;
	d->batches = b;
	return b;
}

/* ---- one request ---- */

/* While a request is looked at. */
struct sign_work {
	struct desk *desk;
	struct conn *conn; /* only while it is decided */
	const struct caller *who;
	bool known; /* some tenant is the caller's */
	const struct sign_request *request;
	struct sign_batch *batch;
	/* In the order of deciding: */
	size_t len;
	size_t of[SIGN_CALL_MAX]; /* which request, and so which job */
	struct decision decision[SIGN_CALL_MAX];
};

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
			(void)!build(j, r, x, &j->fault);
		}
		if (j->fault.rc != RC_OK) { /* nothing rests on it */
			x->config = NULL;
			x->credential = NULL;
		}
		w->of[w->len++] = i;
	}
}

static enum rc
record_one(struct sign_work *w, struct sign_job *j, const struct sign_request *r,
    const struct decision *x)
{
	struct journal_signed what = { j->call.digest, buf_view(&j->text) };

	span_cut(&what.claims, j->identity_len);
	return journal_allowed(w->desk, w->who, r, x, &what, &j->seq, &j->fault);
}

/* A record for each; all of them before the first digest leaves. */
static void
record(struct sign_work *w)
{
	for (size_t k = 0; k < w->len; k++) {
		struct sign_job *j = &w->batch->job[w->of[k]];
		const struct decision *x = &w->decision[k];
		struct sign_request r = w->request[w->of[k]];

		r.befores = k;
		if (x->originals != NULL) {
			j->originals = originals_len(x->originals);
			j->originals_verified = x->originals_verified;
		}
		if (j->fault.rc == RC_OK && record_one(w, j, &r, x) == RC_OK)
			continue;
		journal_refused(w->desk, w->who, w->known, &r, x, &j->fault);
	}
}

static void
send_digests(struct sign_work *w)
{
	struct sign_batch *b = w->batch;

	for (size_t k = 0; k < w->len; k++) {
		struct sign_job *j = &b->job[w->of[k]];
		struct fault f = { 0 };

		if (j->fault.rc != RC_OK)
			continue;
		if (hsm_sign(w->desk->hsm, &j->call, &f) == RC_OK || move_on(j, &f))
			b->at_token++;
		else
			job_fails(j, &f);
		if (j->fault.rc != RC_OK)
			withhold(b); /* those that are at the token already come too late */
	}
}

/* All is decided, built and verified. */
static void
conclude(struct sign_work *w)
{
	struct sign_batch *b = w->batch;

	withhold(b);
	record(w);
	withhold(b);
	if (!b->dry_run)
		send_digests(w);
	if (b->at_token == 0)
		finish(b);
	else if (b->conn != NULL)
		conn_on_lost(b->conn, batch_lost, b);
	for (size_t k = 0; k < w->len; k++)
		decide_done(&w->decision[k]);
}

/* ---- a request whose originals are verified ---- */

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

static void
wait_free(struct sign_wait *wait)
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

static void
job_unproven(struct sign_work *w, size_t k, const struct fault *f)
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
	struct credset_place at;

	if (now->config != x->set->config ||
	    !credset_find(now, x->tenant->name, x->config->name, &at) ||
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
			job_unproven(w, k, &f);
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
	conclude(&wait->work);
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
				job_unproven(w, k, &t->item[i].fault);
		}
		wait_ends(wait);
	}
	wait_free(wait);
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

		job_unproven(&wait->work, k, &f);
		wait->late[i] = TAKE(wait->work.decision[k].originals);
	}
	wait_ends(wait);
}

static bool
is_unproven(const struct sign_work *w, size_t k)
{
	return w->decision[k].originals != NULL && w->batch->job[w->of[k]].fault.rc == RC_OK;
}

static bool
has_unproven(const struct sign_work *w)
{
	for (size_t k = 0; k < w->len; k++) {
		if (is_unproven(w, k))
			return true;
	}
	return false;
}

/* A call of which nothing would be given out is not worth the work. */
static bool
is_lost(const struct sign_batch *b)
{
	return !b->best_effort && cause(b) != NULL;
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
		if (is_unproven(w, k)) {
			wait->of_item[t->items] = k;
			t->item[t->items++] =
			    (struct verifier_item){ .originals = w->decision[k].originals,
				    .check = w->decision[k].config->original_check };
		}
	}
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
	conn_on_lost(b->conn, batch_lost, b);
}

static enum rc
put_off(struct sign_work *w, const struct sign_call *call, struct fault *f)
{
	AUTO_FREE struct sign_wait *wait = calloc(1, sizeof *wait);

	if (wait == NULL)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the originals");
	wait_fill(wait, w);
	TRY(verifier_post(w->desk->verifier, &wait->task, w->batch->snapshot->set, f));
	wait_begin(TAKE(wait), call);
	return RC_OK;
}

/* ---- from the first to the last ---- */

static void
carry_out(struct sign_work *w, const struct sign_call *call)
{
	struct fault f = { 0 };

	decide_pass(w, false);
	decide_pass(w, true);
	w->batch->conn = w->conn;
	if (has_unproven(w) && !is_lost(w->batch)) {
		if (put_off(w, call, &f) == RC_OK)
			return;
		for (size_t k = 0; k < w->len; k++) {
			if (is_unproven(w, k))
				job_unproven(w, k, &f);
		}
	}
	conclude(w);
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
		batch_free(b);
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
	struct sign_batch *b = batch_new(d, call);
	enum rc rc;

	if (b == NULL)
		return REFUSE(f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the request");
	if (!prove_is_due(call)) {
		begin(b, c, call);
		return RC_OK;
	}
	rc = start_proving(b, c, call, f);
	if (rc != RC_OK)
		batch_free(b);
	return rc;
}

void
sign_start(struct desk *d, struct conn *c, const struct sign_call *call)
{
	struct fault f = { 0 };

	if (start(d, c, call, &f) == RC_OK)
		return;
	count_fault(d, &f);
	answer_fault(
	    c, call->face, &f, &(struct sign_answers){ .request_id = call->request_id });
}

void
sign_refuse(struct desk *d, struct conn *c, const struct sign_face *face, const struct fault *f,
    const char *request_id)
{
	sign_count_refused(d, f);
	answer_fault(c, face, f, &(struct sign_answers){ .request_id = request_id });
}

void
sign_count_refused(struct desk *d, const struct fault *f)
{
	journal_count(d, f);
	count_fault(d, f);
}

void
sign_drop(struct desk *d)
{
	prove_drop(d);
	while (d->waits != NULL)
		wait_free(d->waits);
	while (d->batches != NULL)
		batch_free(d->batches);
	buf_free(&d->body);
	buf_free(&d->claims);
	buf_free(&d->members);
}
