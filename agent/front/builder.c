#include "agent/front/builder.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "agent/channel.h"
#include "agent/front/narrow.h"
#include "agent/front/numbers.h"
#include "agent/front/offboard.h"
#include "agent/front/ops.h"
#include "agent/front/ported.h"
#include "agent/front/revoke.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "agent/release.h"

enum {
	BUILDER_MAX_EVENTS = 4096, /* waiting for the loop; the builder waits above it */
	BUILDER_MAX_PARKED = 64,   /* installs that wait for a notBefore */
	BUILDER_TURN = 16,	   /* messages of the renewer before a job has its turn */
	LOAD_RETRY_S = 1,
	BUILDER_IDLE_MS = 30000, /* the clock may have been set: look at least that often */
	MS_PER_S = 1000,
};

enum job_kind { JOB_RELOAD, JOB_RENEW, JOB_HAND };

struct job {
	enum job_kind kind;
	enum hand hand;
	uint64_t job;
	json_t *body; /* JOB_HAND; may be NULL */
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
};

struct event_node {
	struct builder_event event;
	struct event_node *next;
};

/* An install that waits: the renewer's message, or with msg NULL a job. */
struct parked {
	json_t *msg;
	struct job job;
	int64_t at_s;
};

struct builder {
	/* The builder thread's own, once it runs: */
	struct works works;
	uint64_t generation;
	int renewer_fd;
	struct parked parked[BUILDER_MAX_PARKED];
	size_t parkeds;
	int64_t chore_at_s, load_at_s;
	struct clockwatch clock;
	/* Set before it runs: */
	pthread_t thread;
	bool started;
	int wake_fd, event_fd;
	/* Shared, under lock: */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* confirmed, an event taken, or stopping */
	struct job job[BUILDER_MAX_JOBS];
	size_t job_first, jobs, reloads;
	struct event_node *event_first, *event_last;
	size_t events;
	struct credset *dispose;
	int renewer_new; /* -1: none */
	bool stopping;
	uint64_t confirmed;
	struct fault confirm_fault;
	struct builder_status status;
};

static int64_t
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec;
}

static int64_t
uptime_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec;
}

static void
wake(int fd)
{
	static const uint64_t one = 1;

	/* A full counter wakes as well. */
	while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void
drain(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
		;
}

/* ---- events to the loop ---- */

static void
event_free(struct builder_event *e)
{
	credset_release(e->set);
	json_decref(e->record);
}

/* Takes what is in e.  Waits for room: the loop always comes for its events. */
static void
push_event(struct builder *b, const struct builder_event *e)
{
	struct event_node *n = calloc(1, sizeof *n);
	struct builder_event lost = *e;

	if (n == NULL) {
		log_event(LEVEL_ERR, "event_lost", "reason=no_memory kind=%d", (int)e->kind);
		event_free(&lost);
		return;
	}
	n->event = *e;
	pthread_mutex_lock(&b->lock);
	while (b->started && b->events >= BUILDER_MAX_EVENTS && !b->stopping)
		pthread_cond_wait(&b->changed, &b->lock);
	if (b->event_last != NULL)
		b->event_last->next = n;
	else
		b->event_first = n;
	b->event_last = n;
	b->events++;
	wake(b->event_fd);
	pthread_mutex_unlock(&b->lock);
}

bool
builder_next(struct builder *b, struct builder_event *out)
{
	struct event_node *n;

	pthread_mutex_lock(&b->lock);
	n = b->event_first;
	if (n != NULL) {
		b->event_first = n->next;
		if (n->next == NULL)
			b->event_last = NULL;
		b->events--;
		pthread_cond_broadcast(&b->changed);
	} else {
		drain(b->event_fd);
	}
	pthread_mutex_unlock(&b->lock);
	if (n == NULL)
		return false;
	*out = n->event;
	free(n);
	return true;
}

int
builder_fd(const struct builder *b)
{
	return b->event_fd;
}

/* ---- publishing ---- */

void
builder_confirm(struct builder *b, uint64_t generation, const struct fault *f)
{
	pthread_mutex_lock(&b->lock);
	if (generation > b->confirmed) { /* a late word about an older one changes nothing */
		b->confirmed = generation;
		b->confirm_fault = f != NULL ? *f : (struct fault){ 0 };
	}
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

static void
publish_event(struct builder *b, struct credset *set, bool wait_for_keys)
{
	set->generation = ++b->generation;
	push_event(b, &(struct builder_event){ .kind = BUILDER_PUBLISH,
			  .set = credset_ref(set),
			  .wait_for_keys = wait_for_keys });
}

static enum rc
wait_confirm(struct builder *b, uint64_t generation, struct fault *f)
{
	struct timespec until;
	struct fault why = { 0 };
	bool there;
	int waited = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += BUILDER_CONFIRM_MS / MS_PER_S;
	pthread_mutex_lock(&b->lock);
	while (b->confirmed < generation && !b->stopping && waited == 0)
		waited = pthread_cond_timedwait(&b->changed, &b->lock, &until);
	there = b->confirmed >= generation;
	if (b->confirmed == generation)
		why = b->confirm_fault;
	pthread_mutex_unlock(&b->lock);
	if (!there)
		return FAULT(
		    f, RC_TIMEOUT, "publish_timeout", "no word that the set is in force");
	if (why.rc != RC_OK)
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	return RC_OK;
}

/* What was not confirmed in time may still come into force: put the old set after it. */
static void
publish_old(struct builder *b)
{
	AUTO_CREDSET *copy = NULL;
	struct fault why = { 0 };

	if (credset_copy(b->works.set, &copy, &why) != RC_OK) {
		log_fault(LEVEL_ERR, "publish_old", &why);
		return;
	}
	publish_event(b, copy, false);
	credset_release(b->works.set);
	b->works.set = TAKE(copy);
}

static enum rc
publish(void *arg, struct credset *set, bool wait_for_keys, struct fault *f)
{
	struct builder *b = arg;
	enum rc rc;

	publish_event(b, set, wait_for_keys);
	rc = wait_confirm(b, set->generation, f);
	if (rc == RC_TIMEOUT)
		publish_old(b);
	return rc;
}

static void
audit(void *arg, json_t *record)
{
	push_event(arg, &(struct builder_event){ .kind = BUILDER_AUDIT, .record = record });
}

static void
account(void *arg, json_t *word)
{
	push_event(arg, &(struct builder_event){ .kind = BUILDER_ACCOUNT, .record = word });
}

static void
alarm_word(void *arg, json_t *word)
{
	push_event(arg, &(struct builder_event){ .kind = BUILDER_ALARM, .record = word });
}

/* ---- the renewer ---- */

static void
renewer_close(struct builder *b)
{
	size_t kept = 0;

	if (b->renewer_fd >= 0)
		close(b->renewer_fd);
	b->renewer_fd = -1;
	/* Their answers have nobody to go to; a new renewer asks again. */
	for (size_t i = 0; i < b->parkeds; i++) {
		if (b->parked[i].msg != NULL)
			json_decref(b->parked[i].msg);
		else
			b->parked[kept++] = b->parked[i];
	}
	b->parkeds = kept;
}

/* Takes the message. */
static enum rc
renewer_send(struct builder *b, json_t *message, struct fault *f)
{
	json_auto_t *owned = message;

	if (b->renewer_fd < 0)
		return FAULT(f, RC_NET, "renewer_unavailable", "the renewer is not there");
	if (owned == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a message");
	return channel_send(b->renewer_fd, owned, f);
}

static void
answer(struct builder *b, json_t *message)
{
	struct fault why = { 0 };

	if (renewer_send(b, message, &why) == RC_OK)
		return;
	log_fault(LEVEL_WARNING, "renewer", &why);
	/* Without this answer it would wait for ever: both ends are replaced. */
	renewer_close(b);
}

static void
park(struct builder *b, json_t *msg, int64_t at_s)
{
	json_t *busy;

	if (b->parkeds < BUILDER_MAX_PARKED) {
		b->parked[b->parkeds++] =
		    (struct parked){ .msg = json_incref(msg), .at_s = at_s };
		return;
	}
	busy = json_pack("{s:b, s:s, s:s, s:O}", "ok", 0, "reason",
	    reason_token(REASON_OVERLOADED), "detail", "too many installs wait", "id",
	    json_object_get(msg, "id"));
	answer(b, busy);
}

static void
tell(struct builder *b, const char *event)
{
	struct fault why = { 0 };

	if (b->renewer_fd >= 0 &&
	    renewer_send(b, json_pack("{s:s}", "event", event), &why) != RC_OK)
		log_fault(LEVEL_WARNING, "renewer", &why);
}

/* What was put in force: does another certificate wait for it? */
static bool
is_waited_for(const struct builder *b, const json_t *msg, const json_t *out)
{
	const char *op = json_string_value(json_object_get(msg, "op"));
	const char *tenant = json_string_value(json_object_get(msg, "tenant"));
	const char *name = json_string_value(json_object_get(msg, "name"));
	struct credset_place at = { 0 };

	return op != NULL && strcmp(op, "install") == 0 && tenant != NULL && name != NULL &&
	       json_is_true(json_object_get(out, "ok")) &&
	       credset_find(b->works.set, tenant, name, &at) && narrow_frees(b->works.set, at);
}

static void
serve(struct builder *b, json_t *msg)
{
	json_t *out = NULL;
	int64_t again_s = 0;
	bool plan;

	ops_answer(&b->works, msg, now_s(), &out, &again_s);
	if (out == NULL && again_s != 0) {
		park(b, msg, again_s);
		return;
	}
	plan = is_waited_for(b, msg, out);
	answer(b, out);
	if (plan)
		tell(b, "plan");
}

static void run_job(struct builder *b, struct job *job);

static void
serve_parked(struct builder *b)
{
	int64_t now = now_s();
	size_t kept = 0, n = b->parkeds;
	struct parked due[BUILDER_MAX_PARKED];
	size_t dues = 0;

	for (size_t i = 0; i < n; i++) {
		if (b->parked[i].at_s <= now)
			due[dues++] = b->parked[i];
		else
			b->parked[kept++] = b->parked[i];
	}
	b->parkeds = kept;
	for (size_t i = 0; i < dues; i++) {
		if (builder_reload_waits(b)) { /* there is room: each was parked before */
			b->parked[b->parkeds++] = due[i];
			continue;
		}
		if (due[i].msg == NULL) {
			run_job(b, &due[i].job);
			continue;
		}
		serve(b, due[i].msg);
		json_decref(due[i].msg);
	}
}

static void
serve_renewer(struct builder *b)
{
	for (unsigned i = 0; i < BUILDER_TURN && b->renewer_fd >= 0 && !builder_reload_waits(b);
	     i++) {
		json_auto_t *msg = NULL;
		struct fault why = { 0 };
		enum rc rc = channel_recv(b->renewer_fd, &msg, &why);

		if (rc == RC_NOT_FOUND)
			return;
		if (rc == RC_IO) {
			renewer_close(b);
			return;
		}
		if (rc != RC_OK) { /* there is no id to answer to */
			log_fault(LEVEL_WARNING, "renewer_message", &why);
			continue;
		}
		serve(b, msg);
	}
}

/* ---- jobs ---- */

static enum rc
put_job(struct builder *b, const struct job *job, struct fault *f)
{
	enum rc rc = RC_OK;

	pthread_mutex_lock(&b->lock);
	if (b->jobs == BUILDER_MAX_JOBS) {
		rc = REFUSE(f, RC_BUSY, OVERLOADED, NULL, "%d jobs wait", BUILDER_MAX_JOBS);
	} else {
		b->job[(b->job_first + b->jobs) % BUILDER_MAX_JOBS] = *job;
		b->jobs++;
		b->reloads += job->kind == JOB_RELOAD;
		wake(b->wake_fd);
	}
	pthread_mutex_unlock(&b->lock);
	return rc;
}

static bool
take_job(struct builder *b, struct job *out)
{
	bool there;

	pthread_mutex_lock(&b->lock);
	there = b->jobs > 0;
	if (there) {
		*out = b->job[b->job_first];
		b->job_first = (b->job_first + 1) % BUILDER_MAX_JOBS;
		b->jobs--;
		b->reloads -= out->kind == JOB_RELOAD;
	}
	pthread_mutex_unlock(&b->lock);
	return there;
}

bool
builder_reload_waits(struct builder *b)
{
	bool waits;

	pthread_mutex_lock(&b->lock);
	waits = b->reloads > 0;
	pthread_mutex_unlock(&b->lock);
	return waits;
}

enum rc
builder_reload(struct builder *b, uint64_t job, struct fault *f)
{
	return put_job(b, &(struct job){ .kind = JOB_RELOAD, .job = job }, f);
}

static enum rc
put_job_of(
    struct builder *b, struct job *j, const char *tenant, const char *name, struct fault *f)
{
	if (strlen(tenant) > CONFIG_NAME_MAX || strlen(name) > CONFIG_NAME_MAX)
		return REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
	memcpy(j->tenant, tenant, strlen(tenant) + 1);
	memcpy(j->name, name, strlen(name) + 1);
	return put_job(b, j, f);
}

enum rc
builder_renew(
    struct builder *b, const char *tenant, const char *name, uint64_t job, struct fault *f)
{
	return put_job_of(b, &(struct job){ .kind = JOB_RENEW, .job = job }, tenant, name, f);
}

enum rc
builder_hand(struct builder *b, enum hand kind, const char *tenant, const char *name,
    json_t *body, uint64_t job, struct fault *f)
{
	struct job j = { .kind = JOB_HAND, .hand = kind, .job = job, .body = body };
	enum rc rc = put_job_of(b, &j, tenant, name != NULL ? name : "", f);

	if (rc != RC_OK)
		json_decref(body);
	return rc;
}

static void
note_reload(struct builder *b, const struct fault *f)
{
	pthread_mutex_lock(&b->lock);
	b->status.reloaded_s = now_s();
	b->status.reload_fault = *f;
	pthread_mutex_unlock(&b->lock);
}

static void
tell_changed(struct builder *b)
{
	tell(b, "changed");
}

static void
reload(struct builder *b, struct fault *f)
{
	enum rc rc = works_load(&b->works, now_s(), f);

	note_reload(b, f);
	if (rc != RC_OK) {
		log_fault(LEVEL_ERR, "reload_failed", f);
		push_event(
		    b, &(struct builder_event){ .kind = BUILDER_RELOAD_FAILED, .fault = *f });
		return;
	}
	log_event(LEVEL_NOTICE, "reloaded", "generation=%llu tenants=%zu ct_logs=%zu",
	    (unsigned long long)b->works.set->generation, b->works.set->config->tenants,
	    b->works.set->ctlogs != NULL ? ctlogs_len(b->works.set->ctlogs) : 0);
	tell_changed(b);
}

static void
renew(struct builder *b, const struct job *job, struct fault *f)
{
	struct credset_place at;

	if (!credset_find(b->works.set, job->tenant, job->name, &at)) {
		(void)REFUSE(f, RC_NOT_FOUND, NO_CREDENTIAL, NULL, "no such credential");
		return;
	}
	if (!b->works.set->config->tenant[at.tenant].enabled) {
		(void)REFUSE(f, RC_DENIED, TENANT_DISABLED, NULL, "the tenant is disabled");
		return;
	}
	if (config_issuer(b->works.set->config, credset_config(b->works.set, at)) ==
	    ISSUER_HAND) {
		(void)REFUSE(f, RC_CONFLICT, CONFLICT, NULL, "no CA is asked by itself");
		return;
	}
	if (offboard_check(&b->works, at, f) != RC_OK)
		return;
	if (revoke_check(&b->works, at, NULL) != RC_OK) {
		if (revoke_release(&b->works, at, f) != RC_OK)
			return;
		tell(b, "plan"); /* it is there from now on */
	}
	(void)renewer_send(b,
	    json_pack(
		"{s:s, s:s, s:s}", "event", "renew", "tenant", job->tenant, "name", job->name),
	    f);
}

static enum rc
send_event(struct builder *b, const struct hand_call *call, struct fault *f)
{
	struct fault why = { 0 };
	enum rc rc = renewer_send(b, json_incref(call->event), &why);

	if (rc == RC_OK || call->event_may_fail)
		return RC_OK;
	return FAULT(f, rc, why.reason, "%s", why.detail);
}

/* RC_BUSY with *again_s: not now, then.  A result is there with RC_OK alone. */
static enum rc
by_hand(struct builder *b, const struct job *job, json_t **result, int64_t *again_s,
    struct fault *f)
{
	struct hand_call call = { .w = &b->works,
		.tenant = job->tenant,
		.name = job->name,
		.body = job->body,
		.now_s = now_s(),
		.job = job->job };
	uint64_t before = b->works.set->generation;
	json_auto_t *out = json_object();
	enum rc rc = out != NULL ? hand_run(job->hand, &call, out, f)
				 : FAULT(f, RC_NO_MEMORY, "no_memory", "a result");

	*again_s = rc == RC_BUSY ? call.again_s : 0;
	if ((rc == RC_OK || *again_s != 0) && call.event != NULL) {
		enum rc sent = send_event(b, &call, f);

		rc = sent != RC_OK ? sent : rc;
		*again_s = sent != RC_OK ? 0 : *again_s;
	}
	json_decref(call.event);
	/* It is in no file that the renewer reads: what rests after a failure goes on resting. */
	if (b->works.set->generation != before)
		tell(b, "plan");
	if (rc == RC_OK)
		*result = TAKE(out);
	return rc;
}

static bool
park_job(struct builder *b, struct job *job, int64_t at_s)
{
	if (at_s == 0 || b->parkeds == BUILDER_MAX_PARKED)
		return false;
	b->parked[b->parkeds++] = (struct parked){ .job = *job, .at_s = at_s };
	job->body = NULL;
	return true;
}

/* Takes the job's body. */
static void
run_job(struct builder *b, struct job *job)
{
	struct builder_event done = { .kind = BUILDER_JOB_DONE, .job = job->job };
	int64_t again_s = 0;

	switch (job->kind) {
	case JOB_RELOAD: reload(b, &done.fault); break;
	case JOB_RENEW: renew(b, job, &done.fault); break;
	case JOB_HAND:
		if (by_hand(b, job, &done.record, &again_s, &done.fault) == RC_BUSY &&
		    park_job(b, job, again_s))
			return;
		break;
	}
	json_decref(job->body);
	push_event(b, &done);
}

/* ---- old sets, new ends ---- */

void
builder_dispose(struct builder *b, struct credset *old)
{
	if (old == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	old->next = b->dispose;
	b->dispose = old;
	wake(b->wake_fd);
	pthread_mutex_unlock(&b->lock);
}

static void
dispose_all(struct builder *b)
{
	struct credset *list, *next;

	pthread_mutex_lock(&b->lock);
	list = b->dispose;
	b->dispose = NULL;
	pthread_mutex_unlock(&b->lock);
	for (; list != NULL; list = next) {
		next = list->next;
		credset_release(list);
	}
}

void
builder_attach_admin(struct builder *b, unsigned token, int fd, uint32_t generation)
{
	if (token >= CONFIG_MAX_TOKENS) {
		close(fd);
		return;
	}
	token_admin_attach(b->works.token[token].admin, fd, generation);
	wake(b->wake_fd);
}

void
builder_attach_renewer(struct builder *b, int fd)
{
	pthread_mutex_lock(&b->lock);
	if (b->renewer_new >= 0)
		close(b->renewer_new);
	b->renewer_new = fd;
	wake(b->wake_fd);
	pthread_mutex_unlock(&b->lock);
}

static void
take_renewer(struct builder *b)
{
	int fd;

	pthread_mutex_lock(&b->lock);
	fd = b->renewer_new;
	b->renewer_new = -1;
	pthread_mutex_unlock(&b->lock);
	if (fd < 0)
		return;
	renewer_close(b);
	b->renewer_fd = fd;
}

static struct builder_room
room_of(const struct works_token *t)
{
	return (struct builder_room){
		.known = t->sized, .keys = t->keys, .spares = t->spares, .room = t->room
	};
}

static void
note_status(struct builder *b)
{
	pthread_mutex_lock(&b->lock);
	b->status.renewer = b->renewer_fd >= 0;
	b->status.installation = b->works.installation;
	b->status.revocations = revoke_waiting(&b->works);
	b->status.state_failed_s = b->works.state_failed_s;
	b->status.state_fault = b->works.state_fault;
	b->status.clock = b->clock;
	b->status.clock_holds = b->works.clock_holds;
	b->status.ported = ported_waiting(&b->works);
	offboard_count(&b->works, b->status.offboardings);
	for (unsigned i = 0; i < CONFIG_MAX_TOKENS; i++) {
		b->status.counted[i] = b->works.token[i].counted;
		b->status.unnamed[i] = b->works.token[i].unnamed;
		b->status.room[i] = room_of(&b->works.token[i]);
	}
	pthread_mutex_unlock(&b->lock);
}

void
builder_status(struct builder *b, struct builder_status *out)
{
	pthread_mutex_lock(&b->lock);
	*out = b->status;
	pthread_mutex_unlock(&b->lock);
	/* As it is now: an admin's greeting, and its end, wake no builder. */
	for (unsigned i = 0; i < CONFIG_MAX_TOKENS; i++)
		out->admin[i] = token_admin_ready(b->works.token[i].admin);
}

struct crls *
builder_crls(const struct builder *b)
{
	return b->works.crls;
}

struct transparency *
builder_transparency(const struct builder *b)
{
	return b->works.ct;
}

struct trust_desk *
builder_lists(const struct builder *b)
{
	return b->works.lists;
}

/* ---- the thread ---- */

static int
wait_ms(const struct builder *b)
{
	int64_t now = now_s(), at_s = b->chore_at_s;

	if (works_is_loading(&b->works))
		return b->load_at_s > now ? MS_PER_S : 0;
	for (size_t i = 0; i < b->parkeds; i++) {
		if (b->parked[i].at_s < at_s)
			at_s = b->parked[i].at_s;
	}
	if (at_s <= now)
		return 0;
	return at_s - now >= BUILDER_IDLE_MS / MS_PER_S ? BUILDER_IDLE_MS
							: (int)(at_s - now) * MS_PER_S;
}

static bool
stopping(struct builder *b)
{
	bool stop;

	pthread_mutex_lock(&b->lock);
	stop = b->stopping;
	pthread_mutex_unlock(&b->lock);
	return stop;
}

static void
chores(struct builder *b)
{
	const struct works *w = &b->works;
	size_t errands;
	uint64_t before;

	if (numbers_close(&b->works, now_s()))
		tell(b, "plan");
	before = w->set != NULL ? w->set->generation : 0;
	errands = revoke_waiting(w);
	b->chore_at_s = works_chores(&b->works, now_s());
	if (revoke_waiting(w) > errands)
		tell(b, "errand");
	/* Its own files lie on the same disk: what waits for it is tried at once. */
	if (b->works.state_well)
		tell_changed(b);
	else if (w->set != NULL && w->set->generation != before)
		tell(b, "plan");
	b->works.state_well = false;
}

/*
 * What was found to be over, or not to have begun, is read again by the clock as
 * it is now; what is in force does not go by that.
 */
static void
watch_clock(struct builder *b)
{
	int64_t by_s = clockwatch_look(&b->clock, now_s(), uptime_s());
	struct fault why = { 0 };

	b->works.clock_holds = clockwatch_holds(&b->clock, uptime_s());
	if (by_s == 0)
		return;
	log_event(LEVEL_ERR, "clock_jumped", "seconds=%lld holding=%d", (long long)by_s,
	    b->works.clock_holds);
	works_clock_set(&b->works);
	b->chore_at_s = 0;
	for (size_t i = 0; i < b->parkeds; i++)
		b->parked[i].at_s = 0;
	if (now_s() >= RELEASE_S && !works_is_loading(&b->works))
		reload(b, &why);
}

/* Of a start: nothing else is done before all of it is there. */
static void
go_on_loading(struct builder *b)
{
	struct fault why = { 0 };

	if (b->load_at_s > now_s() || works_load_more(&b->works, now_s(), &why) == RC_OK)
		return;
	log_fault(LEVEL_ERR, "load_unfinished", &why);
	b->load_at_s = now_s() + LOAD_RETRY_S;
}

static void
turn(struct builder *b)
{
	struct job job;

	take_renewer(b);
	watch_clock(b);
	note_status(b);
	dispose_all(b);
	if (works_is_loading(&b->works)) {
		go_on_loading(b);
		return;
	}
	while (!stopping(b) && take_job(b, &job))
		run_job(b, &job);
	serve_renewer(b);
	serve_parked(b);
	if (b->chore_at_s <= now_s())
		chores(b);
	else if (works_due_s(&b->works) < b->chore_at_s)
		b->chore_at_s = works_due_s(&b->works);
	if (b->works.errand)
		tell(b, "errand");
	b->works.errand = false;
}

static void *
run(void *arg)
{
	struct builder *b = arg;

	while (!stopping(b)) {
		struct pollfd p[2] = {
			{ .fd = b->wake_fd, .events = POLLIN },
			{ .fd = b->renewer_fd, .events = POLLIN }, /* -1 is passed over */
		};

		(void)poll(p, ARRAY_LEN(p), wait_ms(b));
		drain(b->wake_fd);
		turn(b);
	}
	works_note_use(&b->works);
	return NULL;
}

/* ---- life ---- */

static void
locks_init(struct builder *b)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->changed, &attr);
	pthread_condattr_destroy(&attr);
}

enum rc
builder_new(const char *config_file, struct builder **out, struct fault *f)
{
	struct builder *b = calloc(1, sizeof *b);
	enum rc rc;

	if (b == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the builder");
	locks_init(b);
	b->renewer_fd = b->renewer_new = -1;
	b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->wake_fd < 0 || b->event_fd < 0)
		rc = FAULT(f, RC_IO, "io", "eventfd: %s", strerror(errno));
	else
		rc = works_init(&b->works, config_file,
		    &(struct works_out){ b, publish, audit, account, alarm_word }, f);
	if (rc != RC_OK) {
		builder_free(b);
		return rc;
	}
	*out = b;
	return RC_OK;
}

static void
builder_stop(struct builder *b)
{
	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_cond_broadcast(&b->changed);
	wake(b->wake_fd);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	b->started = false;
}

void
builder_free(struct builder *b)
{
	struct builder_event e;
	struct job job;

	if (b == NULL)
		return;
	if (b->started)
		builder_stop(b);
	while (builder_next(b, &e))
		event_free(&e);
	while (take_job(b, &job))
		json_decref(job.body);
	dispose_all(b);
	renewer_close(b);
	for (size_t i = 0; i < b->parkeds; i++)
		json_decref(b->parked[i].job.body);
	works_done(&b->works);
	if (b->renewer_new >= 0)
		close(b->renewer_new);
	if (b->wake_fd >= 0)
		close(b->wake_fd);
	if (b->event_fd >= 0)
		close(b->event_fd);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

enum rc
builder_load(struct builder *b, struct credset **out, struct fault *f)
{
	assert(!b->started && b->works.set == NULL);
	TRY(works_load(&b->works, now_s(), f));
	b->works.set->generation = ++b->generation;
	note_reload(b, &(struct fault){ 0 });
	*out = credset_ref(b->works.set);
	return RC_OK;
}

enum rc
builder_start(struct builder *b, struct fault *f)
{
	int err;

	b->started = true; /* before the thread can ask */
	err = pthread_create(&b->thread, NULL, run, b);
	if (err == 0)
		return RC_OK;
	b->started = false;
	return FAULT(f, RC_BUG, "internal_error", "pthread_create: %s", strerror(err));
}
