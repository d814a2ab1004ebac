#include "agent/renewer/errands.h"

#include <stdio.h>

#include "agent/log.h"
#include "agent/renewer/renew_parts.h"
#include "stir/jtext.h"

struct errand {
	struct errands *all;
	char id[ERRANDS_ID_MAX + 1];
	char ca[CONFIG_NAME_MAX + 1];
	char resource[32];    /* of the directory */
	char *url;	      /* in its place: an order that is canceled; NULL: none */
	bool kid;	      /* by the account; else by a key that is sent along */
	bool listed;	      /* the front still has it */
	bool busy;	      /* at the CA, or the front is being told */
	bool final;	      /* … that it is over */
	bool done;	      /* … and that the CA has done it */
	struct settings *set; /* while at the CA: with which that began */
	struct ca_slot *slot; /* in set */
	unsigned attempt;
	unsigned reasked; /* bad nonces after which the front wanted the question first */
	int64_t wake_ms;
	char told[PROBLEM_TEXT]; /* what the front was told last */
};

struct errands {
	struct renew *renew;
	struct errand *item[ERRANDS_MAX];
	size_t len;
	bool asking, due;
	int64_t ask_ms;
};

enum rc
errands_new(struct renew *r, struct errands **out, struct fault *f)
{
	struct errands *e = calloc(1, sizeof *e);

	if (e == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "errands");
	e->renew = r;
	e->due = true;
	*out = e;
	return RC_OK;
}

static void
errand_free(struct errand *x)
{
	free(x->url);
	free(x);
}

void
errands_free(struct errands *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < e->len; i++)
		errand_free(e->item[i]);
	free(e);
}

void
errands_ask(struct errands *e)
{
	e->due = true;
}

/* ---- the front's list ---- */

static struct errand *
find(const struct errands *e, const char *id)
{
	for (size_t i = 0; i < e->len; i++) {
		if (strcmp(e->item[i]->id, id) == 0)
			return e->item[i];
	}
	return NULL;
}

static struct errand *
add(struct errands *e)
{
	struct errand *x = e->len < ERRANDS_MAX ? calloc(1, sizeof *x) : NULL;

	if (x == NULL)
		return NULL; /* the list comes again */
	x->all = e;
	e->item[e->len++] = x;
	return x;
}

/* Of the front, and checked all the same: it goes into no buffer unmeasured. */
static void
take_one(struct errands *e, const json_t *row)
{
	const char *id = jtext_get(row, "id");
	const char *ca = jtext_get(row, "ca");
	const char *resource = jtext_get(row, "resource");
	const char *url = jtext_get(row, "url");
	struct errand *x;

	if (id == NULL || ca == NULL || resource == NULL || strlen(id) > ERRANDS_ID_MAX ||
	    strlen(ca) > CONFIG_NAME_MAX || strlen(resource) >= sizeof x->resource)
		return;
	x = find(e, id);
	if (x == NULL)
		x = add(e);
	if (x == NULL)
		return;
	x->listed = true;
	if (x->busy)
		return;
	snprintf(x->id, sizeof x->id, "%s", id);
	snprintf(x->ca, sizeof x->ca, "%s", ca);
	snprintf(x->resource, sizeof x->resource, "%s", resource);
	x->kid = json_is_true(json_object_get(row, "kid"));
	free(x->url);
	x->url = url != NULL ? strdup(url) : NULL; /* without memory: its resource, refused */
}

static void
drop_unlisted(struct errands *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->len; i++) {
		struct errand *x = e->item[i];

		if (x->listed || x->busy)
			e->item[kept++] = x;
		else
			errand_free(x);
	}
	e->len = kept;
}

static void
on_list(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct errands *e = arg;
	const json_t *list = json_object_get(answer, "errands"), *row;
	size_t i;

	(void)f;
	e->asking = false;
	if (rc != RC_OK || e->renew->stopping)
		return;
	for (size_t k = 0; k < e->len; k++)
		e->item[k]->listed = false;
	json_array_foreach (list, i, row)
		take_one(e, row);
	drop_unlisted(e);
}

static void
ask_list(struct errands *e, int64_t now_ms)
{
	const struct io *io = e->renew->io;
	json_auto_t *op = json_pack("{s:s}", "op", "errands");

	e->due = false;
	e->ask_ms = now_ms + ERRANDS_ASK_MS;
	e->asking = op != NULL && io->ask(io->ctx, op, on_list, e, NULL) == RC_OK;
}

/* ---- the answer ---- */

/* The front lists no more than so many of a CA: there may be others behind these. */
static bool
is_any_left(const struct errands *e, const char *ca)
{
	for (size_t i = 0; i < e->len; i++) {
		if (e->item[i]->listed && strcmp(e->item[i]->ca, ca) == 0)
			return true;
	}
	return false;
}

/* Not at once again; what waits for longer goes on waiting. */
static void
not_told(struct errand *x)
{
	const struct io *io = x->all->renew->io;
	int64_t at_ms = io->now_ms(io->ctx) + ERRANDS_AGAIN_MS;

	x->told[0] = 0;
	if (x->wake_ms < at_ms)
		x->wake_ms = at_ms;
}

/* Its key or its state may be another now. */
static void
account_changed(const struct errand *x)
{
	struct ca_slot *slot = settings_ca(x->all->renew->set, x->ca);

	if (strcmp(x->resource, "revokeCert") != 0 && slot != NULL && slot->acme != NULL)
		acme_restart(slot->acme);
}

static void
on_told(void *arg, enum rc rc, const json_t *answer, const struct fault *f)
{
	struct errand *x = arg;

	(void)answer;
	x->busy = false;
	if (x->all->renew->stopping)
		return;
	/* One that the front does not know is over, too; else it is carried once more. */
	if (rc == RC_OK ? x->final : !problem_may_pass(rc))
		x->listed = false;
	if (rc == RC_OK && x->final && x->done)
		account_changed(x);
	x->all->due = x->all->due || !is_any_left(x->all, x->ca);
	if (rc == RC_OK)
		return;
	log_fault(LEVEL_WARNING, "errand", f);
	not_told(x);
}

/* f NULL: it is done.  What is not final is told once. */
static void
tell(struct errand *x, bool final, const struct fault *f)
{
	const struct io *io = x->all->renew->io;
	char text[PROBLEM_TEXT];
	json_auto_t *op = NULL;

	problem_text(text, f != NULL ? f->detail : "");
	if (!final && strcmp(text, x->told) == 0)
		return;
	snprintf(x->told, sizeof x->told, "%s", text);
	x->final = final;
	x->done = f == NULL;
	op = json_pack("{s:s, s:s, s:b, s:s?, s:s?}", "op", "errand-done", "errand", x->id,
	    "final", (int) final, "reason", f != NULL ? f->reason : NULL, "detail",
	    f != NULL ? text : NULL);
	x->busy = op != NULL && io->ask(io->ctx, op, on_told, x, NULL) == RC_OK;
	if (!x->busy)
		not_told(x);
}

/* A minute at most, an hour where the CA says so (schedule.h). */
static void
later(struct errand *x, const struct fault *f, int64_t retry_after_s)
{
	int64_t now_ms = x->all->renew->io->now_ms(x->all->renew->io->ctx);
	int64_t wait_ms =
	    schedule_backoff_ms(++x->attempt, 0, schedule_jitter(x->ca, x->id, ""));

	if (retry_after_s > 0 && schedule_poll_ms(0, retry_after_s) > wait_ms)
		wait_ms = schedule_poll_ms(0, retry_after_s);
	x->wake_ms = now_ms + wait_ms;
	/* It may have arrived: what the front wants next is the question whether it has. */
	if (strcmp(x->resource, "keyChange") == 0)
		x->all->due = true;
	log_event(LEVEL_WARNING, "errand_delayed", "ca=%s id=%.16s reason=%s retry_ms=%lld",
	    x->ca, x->id, f->reason, (long long)wait_ms);
	tell(x, false, f);
}

/*
 * A CA that does not know the account is asked by the next one, but where that
 * is what was asked; else it is not there for good.
 */
static bool
may_pass(const struct errand *x, enum rc rc, const struct fault *f)
{
	if (rc == RC_NOT_FOUND)
		return x->kid && strcmp(f->reason, "acme_no_account") == 0;
	return problem_may_pass(rc);
}

/*
 * RFC 8555 section 6.5: a change of key that a bad nonce stopped.  The front
 * does not sign it again before the CA was asked whether it has the new key:
 * that is no failure, and its row is waited for instead of a time.
 */
static bool
is_asked_first(struct errand *x, const struct fault *f)
{
	if (strcmp(x->resource, "keyChange") != 0 || !fault_is(f, REASON_OVERLOADED) ||
	    x->reasked >= ACME_BAD_NONCES)
		return false;
	x->reasked++;
	x->listed = false;
	x->all->due = true;
	return true;
}

static void
on_answer(void *arg, enum rc rc, const struct acme_reply *reply, const struct fault *f)
{
	struct errand *x = arg;

	x->set->busy--;
	x->set = NULL;
	x->slot = NULL;
	x->busy = false;
	if (x->all->renew->stopping)
		return;
	/* RFC 8555 section 7.6, RFC 8739 section 3.1.2: what was to be has been. */
	if (rc == RC_OK || strcmp(f->reason, "acme_already_revoked") == 0 ||
	    strcmp(f->reason, "acme_star_cancellation") == 0)
		tell(x, true, NULL);
	else if (rc == RC_BUSY && is_asked_first(x, f))
		return;
	else if (may_pass(x, rc, f))
		later(x, f, reply->retry_after_s);
	else
		tell(x, true, f);
}

/* ---- carrying it there ---- */

/* Beside the CA's lane: ERRANDS_OF_CA is their limit, and renewals do not wait for them. */
static enum rc
start(struct errand *x, struct ca_slot *slot, struct fault *f)
{
	const char *url = x->url != NULL ? x->url : acme_resource(slot->acme, x->resource);
	json_auto_t *op = json_pack("{s:s, s:s}", "op", "errand", "errand", x->id);

	if (url == NULL)
		return FAULT(
		    f, RC_DENIED, "acme_directory", "ca %s names no %s", x->ca, x->resource);
	if (op == NULL || (!x->kid && json_object_set_new(op, "kid", json_null()) != 0))
		return FAULT(f, RC_NO_MEMORY, "no_memory", "errand");
	TRY(acme_call(slot->acme, url, op, NULL, on_answer, x, f));
	x->busy = true;
	x->set = x->all->renew->set;
	x->slot = slot;
	x->set->busy++;
	return RC_OK;
}

/* False: its CA is not there yet. */
static bool
has_ca(struct errand *x, struct ca_slot *slot, int64_t *wake_ms)
{
	if (acme_ready(slot->acme) || (!x->kid && acme_known(slot->acme)))
		return true;
	if (acme_fault(slot->acme)->rc != RC_OK)
		tell(x, false, acme_fault(slot->acme));
	if (!acme_busy(slot->acme) && acme_wake_ms(slot->acme) < *wake_ms)
		*wake_ms = acme_wake_ms(slot->acme);
	return false;
}

static unsigned
under_way(const struct errands *e, const struct ca_slot *slot)
{
	unsigned n = 0;

	for (size_t i = 0; i < e->len; i++)
		n += e->item[i]->slot == slot;
	return n;
}

static void
run_one(struct errand *x, int64_t now_ms, int64_t *wake_ms)
{
	struct ca_slot *slot = settings_ca(x->all->renew->set, x->ca);
	struct fault f = { 0 };
	enum rc rc;

	if (x->busy || !x->listed || slot == NULL || slot->acme == NULL)
		return;
	if (x->wake_ms > now_ms) {
		*wake_ms = x->wake_ms < *wake_ms ? x->wake_ms : *wake_ms;
		return;
	}
	if (under_way(x->all, slot) >= ERRANDS_OF_CA || !has_ca(x, slot, wake_ms))
		return;
	rc = start(x, slot, &f);
	if (rc != RC_OK && may_pass(x, rc, &f))
		later(x, &f, -1);
	else if (rc != RC_OK)
		tell(x, true, &f);
}

/* A clock that was set back must not make the waits longer. */
static void
follow_clock(struct errands *e, int64_t now_ms)
{
	enum { LONGEST_MS = (SCHEDULE_RETRY_MAX_S + 60) * 1000 };

	if (e->ask_ms > now_ms + ERRANDS_ASK_MS)
		e->ask_ms = now_ms;
	for (size_t i = 0; i < e->len; i++) {
		if (e->item[i]->wake_ms > now_ms + LONGEST_MS)
			e->item[i]->wake_ms = now_ms;
	}
}

void
errands_run(struct errands *e, int64_t now_ms, int64_t *wake_ms)
{
	if (e->renew->stopping)
		return;
	follow_clock(e, now_ms);
	if (!e->asking && (e->due || e->ask_ms <= now_ms))
		ask_list(e, now_ms);
	for (size_t i = 0; i < e->len; i++)
		run_one(e->item[i], now_ms, wake_ms);
}
