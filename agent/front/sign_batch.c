/* All of a request until its answer: what is withheld, what is on disk, the counters. */
#include "agent/front/sign_internal.h"

#include <stdio.h>
#include <time.h>

#include "agent/front/journal.h"

enum { RETRY_AFTER_S = 1, SIGN_BODY_KEPT = 256 * 1024 };

/* ---- counting ---- */

void
sign_count_fault(struct desk *d, const struct fault *f)
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
			sign_count_fault(b->desk, &b->job[i].fault);
		else if (b->dry_run)
			b->desk->stats.dry_runs++;
		else
			count_signed(b);
	}
}

/* ---- answers ---- */

void
sign_answer_fault(struct conn *c, const struct sign_face *face, const struct fault *f,
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
		sign_answer_fault(c, b->face, &f, a);
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

const struct fault *
sign_cause(const struct sign_batch *b)
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
	const struct fault *f = sign_cause(b);

	for (size_t i = 0; i < b->len; i++)
		item[i] = answer_of(&b->job[i]);
	if (f != NULL)
		sign_answer_fault(c, b->face, f, &a);
	else
		answer_allowed(c, b, &a);
}

/* ---- batches ---- */

void
sign_batch_free(struct sign_batch *b)
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

void
sign_batch_lost(void *arg)
{
	((struct sign_batch *)arg)->conn = NULL;
}

/* It was announced in the trail and is not given out. */
void
sign_journal_job(struct sign_job *j, const struct fault *f)
{
	const struct sign_batch *b = j->batch;

	if (j->seq != 0 && !b->dry_run)
		journal_failed(
		    b->desk, j->tenant->name, j->config->name, b->request_id, j->seq, f);
}

void
sign_job_fails(struct sign_job *j, const struct fault *f)
{
	j->fault = *f;
	sign_journal_job(j, f);
}

/* All or nothing: with one that failed, the others are not given out. */
static void
withhold_call(struct sign_batch *b)
{
	const struct fault *why = b->best_effort ? NULL : sign_cause(b);
	struct fault f = { 0 };

	if (why == NULL)
		return;
	(void)REFUSE(&f, RC_DENIED, CALL_REFUSED, NULL,
	    "another PASSporT of the call was not signed: %s", why->reason);
	for (size_t i = 0; i < b->len; i++) {
		if (b->job[i].fault.rc == RC_OK)
			sign_job_fails(&b->job[i], &f);
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
		sign_job_fails(&b->job[i], &f);
	}
}

void
sign_withhold(struct sign_batch *b)
{
	withhold_attest(b);
	withhold_call(b);
}

/* While it was at a token, or its record on the way to disk, a number may have left. */
static void
look_again(struct sign_batch *b)
{
	for (size_t i = 0; i < b->len; i++) {
		struct sign_job *j = &b->job[i];
		struct fault f = { 0 };

		if (j->fault.rc == RC_OK &&
		    sign_holds(j, j->config, j->credential, &f) != RC_OK)
			sign_job_fails(j, &f);
	}
}

void
sign_finish(struct sign_batch *b)
{
	look_again(b);
	sign_withhold(b);
	count_batch(b);
	if (b->conn != NULL)
		answer(b->conn, b);
	b->conn = NULL;
	sign_batch_free(b);
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
			sign_job_fails(&b->job[i], &f);
	}
	sign_finish(b);
}

/* Every signature came or failed: the records of those that came must be on disk. */
void
sign_settle(struct sign_batch *b)
{
	uint64_t last = 0;

	for (size_t i = 0; i < b->len; i++) {
		if (b->job[i].fault.rc == RC_OK && b->job[i].seq > last)
			last = b->job[i].seq;
	}
	b->seq = last;
	if (audit_durable(b->desk->audit) >= last) {
		sign_finish(b);
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
			sign_finish(b);
	}
}

struct sign_batch *
sign_batch_new(struct desk *d, const struct sign_call *call)
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
		b->job[i].call.done = sign_job_signed;
		b->job[i].call.coming = sign_job_coming;
	}
	b->next = d->batches;
	if (d->batches != NULL)
		d->batches->prev = b;
	d->batches = b;
	return b;
}
