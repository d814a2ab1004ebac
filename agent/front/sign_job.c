/* One signature of a request: built as decided, recorded, sent to a token and on to another. */
#include "agent/front/sign_internal.h"

#include <string.h>

#include "agent/front/journal.h"
#include "stir/b64.h"
#include "stir/jtext.h"

enum { SIGN_PAYLOAD_USUAL = 2048 }; /* claims twice and signature of most PASSporTs */

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

size_t
sign_listed(const struct decision *x, uint64_t key[PASSPORT_MAX_DEST])
{
	size_t n = 0;
	const struct tn *list = passport_authorising(&x->passport, &n);

	if (!x->listed)
		return 0;
	for (size_t i = 0; i < n; i++)
		key[i] = tn_key(&list[i]);
	return n;
}

bool
sign_lists(const struct config_tenant *t, const uint64_t *key, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (t->numbers == NULL || !tnset_has(t->numbers, key[i]))
			return false;
	}
	return true;
}

enum rc
sign_build(
    struct sign_job *j, const struct sign_request *r, const struct decision *x, struct fault *f)
{
	struct buf *claims = &j->batch->desk->claims;

	j->tenant = x->tenant;
	j->config = x->config;
	j->credential = x->credential;
	j->attest = x->attest.granted;
	j->ppt = r->ppt;
	j->listeds = sign_listed(x, j->listed);
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

/* ---- what was confirmed meanwhile ---- */

enum rc
sign_holds(const struct sign_job *j, const struct config_credential *cc,
    const struct credential *c, struct fault *f)
{
	const struct sign_batch *b = j->batch;
	const struct credset *now = b->desk->now->set;
	struct credset_place at;

	TRY(credential_may_sign(c, loop_time_s(b->desk->loop), f));
	if (b->snapshot == b->desk->now)
		return RC_OK;
	if (credset_find(now, j->tenant->name, cc->name, &at) &&
	    now->config->tenant[at.tenant].enabled &&
	    sign_lists(&now->config->tenant[at.tenant], j->listed, j->listeds) &&
	    credset_serves(now, at, c))
		return RC_OK;
	return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
	    "the configuration or the credential changed while the token signed: ask again");
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

	TRY(sign_holds(j, o->config, o->credential, f));
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

		sign_journal_job(j, why);
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

void
sign_job_signed(struct hsm_call *call, const uint8_t sig[ES256_SIG_LEN], const struct fault *f)
{
	struct sign_job *j = (struct sign_job *)call; /* its first member */

	if (sig != NULL)
		credential_used(j->credential, loop_time_s(j->batch->desk->loop));
	if (j->fault.rc == RC_OK && sig != NULL)
		put_signature(j, sig);
	else if (j->fault.rc == RC_OK && move_on(j, f))
		return; /* it is still to come */
	else if (j->fault.rc == RC_OK)
		sign_job_fails(j, f);
	if (--j->batch->at_token == 0)
		sign_settle(j->batch);
}
_Static_assert(offsetof(struct sign_job, call) == 0, "the call is the job");

/*
 * The record is written and synced while the token signs, and with it all that
 * wait: those of digests that lie further behind need no sync of their own.
 */
void
sign_job_coming(struct hsm_call *call)
{
	struct sign_job *j = (struct sign_job *)call;

	audit_start(j->batch->desk->audit, j->seq);
}

/* ---- all of a request ---- */

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
			sign_job_fails(j, &f);
		if (j->fault.rc != RC_OK) /* those at the token already come too late */
			sign_withhold(b);
	}
}

void
sign_conclude(struct sign_work *w)
{
	struct sign_batch *b = w->batch;

	sign_withhold(b);
	record(w);
	sign_withhold(b);
	if (!b->dry_run)
		send_digests(w);
	if (b->at_token == 0)
		sign_finish(b);
	else if (b->conn != NULL)
		conn_on_lost(b->conn, sign_batch_lost, b);
	for (size_t k = 0; k < w->len; k++)
		decide_done(&w->decision[k]);
}
