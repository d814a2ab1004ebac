#include "agent/front/sign.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/front/jw.h"
#include "stir/b64.h"
#include "stir/identity.h"
#include "stir/jtext.h"

enum { TALLY_MS = 1000, RETRY_AFTER_S = 1 };

struct sign_job {
	struct hsm_call call;
	struct desk *desk;
	struct conn *conn; /* NULL: gone */
	const struct sign_face *face;
	struct snapshot *snapshot;
	const struct config_tenant *tenant; /* in the snapshot, as the next two */
	const struct config_credential *config;
	struct credential *credential;
	struct buf text;     /* the passport, then what makes it an Identity value */
	size_t signature_at; /* where the signature's text goes */
	size_t passport_len;
	char request_id[SIGN_REQUEST_ID_MAX + 1];
	uint64_t seq; /* of the audit record */
	bool plain, signed_;
	char attest; /* as granted */
	int64_t began_us;
	struct loop_timer audit_late;
	struct sign_job *next, *prev;
};

/* ---- counting ---- */

static enum reason
reason_of(const char *token)
{
	for (unsigned i = 0; i < REASON__COUNT; i++) {
		if (strcmp(token, reason_token((enum reason)i)) == 0)
			return (enum reason)i;
	}
	return REASON_INTERNAL;
}

static void
count_answer(struct desk *d, const struct fault *f)
{
	int status = reason_status(f->reason);

	d->stats.reason[reason_of(f->reason)]++;
	if (status >= 500)
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
count_signed(struct sign_job *j)
{
	struct desk_stats *s = &j->desk->stats;
	int64_t took_us = now_us() - j->began_us;
	unsigned n = 0;

	for (int64_t edge = 100; n + 1 < DESK_BUCKETS && took_us > edge; edge *= 2)
		n++;
	s->took[n]++;
	s->took_us += (uint64_t)took_us;
	s->signed_++;
}

/* What was refused before a tenant was known or by a rate: one record a second. */
static void
write_tally(struct desk *d)
{
	AUTO_BUF members = BUF_INIT(4096);
	uint64_t total = 0, seq;

	jw_open(&members, "reasons", '{');
	for (unsigned i = 0; i < REASON__COUNT; i++) {
		if (d->uncounted[i] == 0)
			continue;
		jw_uint(&members, reason_token((enum reason)i), d->uncounted[i]);
		total += d->uncounted[i];
	}
	jw_close(&members, '}');
	if (total == 0)
		return;
	jw_uint(&members, "count", total);
	if (audit_append(d->audit, "refused_unknown", NULL, NULL, NULL, buf_view(&members),
		&seq, NULL) == RC_OK)
		memset(d->uncounted, 0, sizeof d->uncounted);
}

static void
tally(void *arg)
{
	struct desk *d = arg;

	write_tally(d);
	loop_arm(d->loop, &d->tally, loop_now_ms(d->loop) + TALLY_MS);
}

void
sign_open(struct desk *d)
{
	d->tally = (struct loop_timer){ .fire = tally, .arg = d };
	loop_arm(d->loop, &d->tally, loop_now_ms(d->loop) + TALLY_MS);
}

void
sign_close(struct desk *d)
{
	loop_disarm(d->loop, &d->tally);
	write_tally(d);
}

/* ---- answers ---- */

static void
answer_fault(struct desk *d, struct conn *c, const struct sign_face *face,
    const struct fault *f, const char *request_id)
{
	AUTO_BUF body = BUF_INIT(16384);
	int status = reason_status(f->reason);

	count_answer(d, f);
	if (c == NULL)
		return;
	face->refused(&body, f, request_id);
	conn_answer(
	    c, &(struct http1_answer){ .status = status,
		   .content_type = face->problem_type,
		   .body = buf_view(&body),
		   .request_id = request_id,
		   .retry_after_s = status == 503 || status == 429 ? RETRY_AFTER_S : 0 });
}

static void
answer_allowed(struct conn *c, const struct sign_face *face, const struct sign_answer *a)
{
	AUTO_BUF body = BUF_INIT(4 * SIGN_TOKEN_MAX);

	if (a->plain)
		buf_span(&body, a->identity);
	else
		face->allowed(&body, a);
	conn_answer(c, &(struct http1_answer){ .status = 200,
			   .content_type = a->plain ? "text/plain" : face->type,
			   .body = buf_view(&body),
			   .request_id = a->request_id });
}

static void
job_free(struct sign_job *j)
{
	struct desk *d = j->desk;

	if (j->conn != NULL)
		conn_on_lost(j->conn, NULL, NULL);
	loop_disarm(d->loop, &j->audit_late);
	if (j->next != NULL)
		j->next->prev = j->prev;
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		d->jobs = j->next;
	d->jobs_len--;
	snapshot_leave(j->snapshot);
	buf_free(&j->text);
	free(j);
}

static void
job_lost(void *arg)
{
	((struct sign_job *)arg)->conn = NULL;
}

static void
job_fails(struct sign_job *j, const struct fault *f)
{
	answer_fault(j->desk, j->conn, j->face, f, j->request_id);
	j->conn = NULL;
	job_free(j);
}

static void
job_answers(struct sign_job *j)
{
	struct sign_answer a = { .passport = span_of(j->text.ptr, j->passport_len),
		.tenant = j->tenant->name,
		.credential = j->config->name,
		.serial = j->credential->chain->cert[0]->serial,
		.request_id = j->request_id,
		.not_after_s = j->credential->not_after_s,
		.attest = j->attest,
		.plain = j->plain };

	if (j->text.len > j->passport_len)
		a.identity = buf_view(&j->text);
	count_signed(j);
	if (j->conn != NULL)
		answer_allowed(j->conn, j->face, &a);
	j->conn = NULL;
	job_free(j);
}

/* ---- audit ---- */

static void
put_context(struct buf *out, const json_t *context)
{
	AUTO_BUF text = BUF_INIT(SIGN_CONTEXT_MAX);

	if (context != NULL && jtext_write(&text, context, NULL) == RC_OK)
		jw_raw(out, "context", buf_view(&text));
}

static void
put_letter(struct buf *out, const char *name, char letter)
{
	const char text[2] = { letter, 0 };

	jw_str(out, name, letter != 0 ? text : NULL);
}

/* What was asked for, what was granted, and by which rule of the tenant. */
static void
put_attest(struct buf *out, const struct attest_verdict *v)
{
	if (v->asked == 0)
		return;
	jw_open(out, "attest", '{');
	put_letter(out, "asked", v->asked);
	put_letter(out, "granted", v->granted);
	jw_str(out, "rule", v->rule);
	jw_close(out, '}');
}

/* Who asked, and for which call; whole numbers are the audit's business. */
static void
put_request(struct buf *out, const struct sign_request *r, const struct caller *who,
    const struct decision *d)
{
	jw_str(out, "ppt", ppt_rule(r->ppt)->name != NULL ? ppt_rule(r->ppt)->name : "base");
	jw_uint(out, "uid", who->uid);
	jw_uint(out, "gid", who->gid);
	jw_int(out, "pid", who->pid);
	if (d->prepared) {
		jw_str(out, "orig", d->passport.orig.text);
		jw_uint(out, "dests", d->passport.dests);
		if (d->passport.dests > 0)
			jw_str(out, "dest", d->passport.dest[0].text);
	}
	put_attest(out, &d->attest);
	put_context(out, r->context);
}

static enum rc
record_allowed(struct desk *d, const struct conn *c, const struct sign_request *r,
    const struct decision *x, const uint8_t digest[ES256_DIGEST_LEN], uint64_t *seq,
    struct fault *f)
{
	AUTO_BUF members = BUF_INIT(8192);

	jw_str(&members, "credential", x->config->name);
	jw_str(&members, "serial", x->credential->chain->cert[0]->serial);
	jw_hex(&members, "key", span_of(x->credential->key_id, KEY_ID_LEN));
	jw_hex(&members, "digest", span_of(digest, ES256_DIGEST_LEN));
	put_request(&members, r, &c->caller, x);
	TRY(buf_check(&members, f));
	return audit_append(d->audit, r->dry_run ? "dry_run" : "sign", x->tenant->name,
	    r->request_id, NULL, buf_view(&members), seq, f);
}

/* Recorded one by one unless a flood of them would cost a flood of records. */
static bool
is_only_counted(const struct fault *f, const struct caller_view *view)
{
	return !view->any || strcmp(f->reason, reason_token(REASON_RATE_LIMITED)) == 0 ||
	       strcmp(f->reason, reason_token(REASON_OVERLOADED)) == 0 ||
	       strcmp(f->reason, reason_token(REASON_AUDIT_UNAVAILABLE)) == 0;
}

static void
record_refused(struct desk *d, const struct conn *c, const struct sign_request *r,
    const struct decision *x, const struct fault *why)
{
	AUTO_BUF members = BUF_INIT(8192);
	uint64_t seq;

	if (is_only_counted(why, &c->view)) {
		d->uncounted[reason_of(why->reason)]++;
		return;
	}
	jw_str(&members, "claim", why->claim[0] != 0 ? why->claim : NULL);
	if (r->dry_run)
		jw_bool(&members, "dry_run", true);
	put_request(&members, r, &c->caller, x);
	/* A refusal stands with or without its record. */
	if (buf_check(&members, NULL) != RC_OK ||
	    audit_append(d->audit, "refuse", x->tenant != NULL ? x->tenant->name : NULL,
		r->request_id, why->reason, buf_view(&members), &seq, NULL) != RC_OK)
		d->uncounted[reason_of(why->reason)]++;
}

/* The record of a signature that was announced and did not come. */
static void
record_failed(struct sign_job *j, const struct fault *why)
{
	AUTO_BUF members = BUF_INIT(512);
	uint64_t seq;

	jw_str(&members, "credential", j->config->name);
	jw_uint(&members, "of", j->seq);
	if (audit_append(j->desk->audit, "sign_failed", j->tenant->name, j->request_id,
		why->reason, buf_view(&members), &seq, NULL) != RC_OK)
		j->desk->uncounted[reason_of(why->reason)]++;
}

/* ---- from the decision to the digest ---- */

/*
 * header "." payload "." (room for the signature), and behind it what makes
 * it an Identity value: one text, complete but for the signature.
 */
static enum rc
build_text(struct sign_job *j, const struct decision *x, enum ppt ppt, struct span *payload,
    struct fault *f)
{
	AUTO_BUF claims = BUF_INIT(PASSPORT_MAX_BYTES), token = BUF_INIT(SIGN_TOKEN_MAX);
	const char *header = j->credential->header[ppt];
	size_t payload_at;

	if (header == NULL)
		return REFUSE(f, RC_BUG, INTERNAL, NULL, "no header for the ppt");
	TRY(jtext_write(&claims, x->passport.claims, f));
	buf_str(&token, header);
	buf_byte(&token, '.');
	payload_at = token.len;
	b64_encode(&token, B64_URL, buf_view(&claims));
	j->signature_at = token.len + 1;
	buf_printf(&token, ".%0*d", SIGN_SIG_TEXT, 0);
	TRY(buf_check(&token, f));
	j->passport_len = token.len;
	if (j->credential->x5u != NULL)
		TRY(identity_format(
		    &j->text, buf_view(&token), j->credential->x5u, ppt_rule(ppt)->name, f));
	else
		buf_span(&j->text, buf_view(&token));
	TRY(buf_check(&j->text, f));
	*payload = span_of(j->text.ptr + payload_at, j->signature_at - 1 - payload_at);
	return RC_OK;
}

static enum rc
check_size(const struct sign_job *j, struct fault *f)
{
	if (j->config->identity_max_bytes == 0 || j->text.len <= j->config->identity_max_bytes)
		return RC_OK;
	return REFUSE(f, RC_DENIED, IDENTITY_TOO_LARGE, NULL,
	    "%zu bytes, and identity_max_bytes of credential '%s' is %u", j->text.len,
	    j->config->name, j->config->identity_max_bytes);
}

static void
job_signed(struct hsm_call *call, const uint8_t sig[ES256_SIG_LEN], const struct fault *f)
{
	struct sign_job *j = (struct sign_job *)call; /* its first member */
	AUTO_BUF text = BUF_INIT(SIGN_SIG_TEXT);

	if (sig == NULL) {
		record_failed(j, f);
		job_fails(j, f);
		return;
	}
	b64_encode(&text, B64_URL, span_of(sig, ES256_SIG_LEN));
	if (text.len != SIGN_SIG_TEXT) {
		struct fault none = { 0 };

		(void)REFUSE(
		    &none, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the signature");
		job_fails(j, &none);
		return;
	}
	memcpy(j->text.ptr + j->signature_at, text.ptr, text.len);
	j->signed_ = true;
	if (audit_durable(j->desk->audit) >= j->seq)
		job_answers(j);
	else
		loop_arm(j->desk->loop, &j->audit_late, j->call.deadline_ms);
}
_Static_assert(offsetof(struct sign_job, call) == 0, "the call is the job");

static void
job_unaudited(void *arg)
{
	struct fault f = { 0 };

	(void)REFUSE(
	    &f, RC_IO, AUDIT_UNAVAILABLE, NULL, "the audit record is not on disk in time");
	record_failed(arg, &f); /* its "sign" may still reach the disk */
	job_fails(arg, &f);
}

void
sign_audited(struct desk *d)
{
	uint64_t durable = audit_durable(d->audit);
	struct sign_job *next;

	for (struct sign_job *j = d->jobs; j != NULL; j = next) {
		next = j->next;
		if (j->signed_ && j->seq <= durable)
			job_answers(j);
	}
}

static struct sign_job *
job_new(struct desk *d, const struct sign_request *r, const struct decision *x,
    const struct sign_face *face)
{
	struct sign_job *j = calloc(1, sizeof *j);

	if (j == NULL)
		return NULL;
	j->desk = d;
	j->face = face;
	j->snapshot = snapshot_use(d->now);
	j->tenant = x->tenant;
	j->config = x->config;
	j->credential = x->credential;
	j->attest = x->attest.granted;
	j->text = BUF_INIT(SIGN_TOKEN_MAX + 4096);
	j->audit_late = (struct loop_timer){ .fire = job_unaudited, .arg = j };
	j->began_us = now_us();
	snprintf(j->request_id, sizeof j->request_id, "%s", r->request_id);
	j->call.token = x->credential->token;
	memcpy(j->call.key_id, x->credential->key_id, KEY_ID_LEN);
	j->call.deadline_ms =
	    loop_now_ms(d->loop) + (int64_t)d->now->set->config->request_timeout_ms;
	j->call.done = job_signed;
	j->next = d->jobs;
	if (d->jobs != NULL)
		d->jobs->prev = j;
	d->jobs = j;
	d->jobs_len++;
	return j;
}

/*
 * Allowed: build, hash, record, send.  On failure nothing was sent to a
 * signer; *recorded says whether the record says "sign" already.
 */
static enum rc
commit(struct sign_job *j, struct conn *c, const struct sign_request *r,
    const struct decision *x, bool *recorded, struct fault *f)
{
	struct desk *d = j->desk;
	struct span payload = { 0 };

	TRY(build_text(j, x, r->ppt, &payload, f));
	TRY(check_size(j, f));
	TRY(headers_digest(d->headers, j->credential, r->ppt, payload, j->call.digest, f));
	if (!r->dry_run)
		TRY(hsm_has_room(d->hsm, j->call.token, f));
	TRY(record_allowed(d, c, r, x, j->call.digest, &j->seq, f));
	*recorded = true;
	return r->dry_run ? RC_OK : hsm_sign(d->hsm, &j->call, f);
}

static void
answer_dry_run(struct desk *d, struct sign_job *j, struct conn *c)
{
	struct sign_answer a = { .tenant = j->tenant->name,
		.credential = j->config->name,
		.serial = j->credential->chain->cert[0]->serial,
		.request_id = j->request_id,
		.not_after_s = j->credential->not_after_s,
		.attest = j->attest,
		.dry_run = true };

	d->stats.dry_runs++;
	answer_allowed(c, j->face, &a);
	job_free(j);
}

static void
go(struct desk *d, struct conn *c, const struct sign_request *r, const struct decision *x,
    const struct sign_face *face, bool plain)
{
	struct sign_job *j = job_new(d, r, x, face);
	struct fault f = { 0 };
	bool recorded = false;

	if (j == NULL) {
		(void)REFUSE(&f, RC_NO_MEMORY, INTERNAL, NULL, "no memory for the request");
		answer_fault(d, c, face, &f, r->request_id);
		return;
	}
	j->plain = plain;
	if (commit(j, c, r, x, &recorded, &f) != RC_OK) {
		if (recorded)
			record_failed(j, &f);
		else
			record_refused(d, c, r, x, &f);
		j->conn = c;
		job_fails(j, &f);
		return;
	}
	if (r->dry_run) {
		answer_dry_run(d, j, c);
		return;
	}
	j->conn = c;
	conn_on_lost(c, job_lost, j);
}

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	return hsm_ready(((struct desk *)arg)->hsm, token, key_id);
}

void
sign_start(struct desk *d, struct conn *c, const struct sign_request *r,
    const struct sign_face *face, bool plain)
{
	const struct credset *set = d->now->set;
	struct decide_world world = { .set = set,
		.policy = d->policy,
		.caller = &c->caller,
		.view = caller_see(&c->caller, set, &c->view),
		.key_ready = key_ready,
		.arg = d,
		.now_s = loop_time_s(d->loop),
		.now_ms = loop_now_ms(d->loop) };
	struct decision x;
	struct fault f = { 0 };
	enum rc rc = RC_OK;

	if (!world.view->any)
		rc = policy_take_stranger(d->policy, world.now_ms, &f);
	x = (struct decision){ 0 };
	if (rc == RC_OK)
		rc = decide(&world, r, &x, &f);
	if (rc == RC_OK) {
		go(d, c, r, &x, face, plain);
	} else {
		record_refused(d, c, r, &x, &f);
		answer_fault(d, c, face, &f, r->request_id);
	}
	decide_done(&x);
}

void
sign_refuse(struct desk *d, struct conn *c, const struct sign_face *face, const struct fault *f,
    const char *request_id)
{
	d->uncounted[reason_of(f->reason)]++;
	answer_fault(d, c, face, f, request_id);
}

void
sign_drop(struct desk *d)
{
	while (d->jobs != NULL)
		job_free(d->jobs);
}
