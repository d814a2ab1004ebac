#include "agent/front/front.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "config.h"

#include "agent/front/api.h"
#include "agent/front/harden.h"
#include "agent/front/journal.h"
#include "agent/front/jw.h"
#include "agent/front/notice.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/jtext.h"

const char front_version[] = PACKAGE_VERSION;

static void take_builder_events(struct front *fr);
static void record(struct front *fr, const char *event, const char *tenant, const char *reason,
    struct buf *members);

/* The descriptor, which belongs to somebody else now. */
static int
give(int *fd)
{
	int given = *fd;

	*fd = -1;
	return given;
}

/* ---- jobs ---- */

static struct front_job *
job_slot(struct front *fr, uint64_t id)
{
	return &fr->job[id % FRONT_MAX_JOBS];
}

const struct front_job *
front_job(const struct front *fr, uint64_t id)
{
	const struct front_job *j = &fr->job[id % FRONT_MAX_JOBS];

	return id != 0 && j->id == id ? j : NULL;
}

static uint64_t
start_job(struct front *fr, const char *kind)
{
	uint64_t id = ++fr->last_job;

	json_decref(job_slot(fr, id)->result);
	*job_slot(fr, id) = (struct front_job){
		.id = id, .kind = kind, .state = JOB_RUNNING, .began_s = loop_time_s(fr->loop)
	};
	return id;
}

/* A request may be large: only what came of the last jobs is kept. */
static void
keep_result(struct front *fr, struct front_job *j, json_t *result)
{
	j->result = result;
	if (result == NULL)
		return;
	for (size_t i = 0; i < FRONT_MAX_JOBS; i++) {
		struct front_job *old = &fr->job[i];

		if (old->result == NULL || old->id + FRONT_MAX_RESULTS > j->id)
			continue;
		json_decref(old->result);
		old->result = NULL;
	}
}

/* Takes the result, which may be NULL. */
static void
end_job(struct front *fr, uint64_t id, const struct fault *f, json_t *result)
{
	struct front_job *j = job_slot(fr, id);

	if (id == 0 || j->id != id) { /* forgotten: more than FRONT_MAX_JOBS since */
		json_decref(result);
		return;
	}
	j->state = f->rc == RC_OK ? JOB_DONE : JOB_FAILED;
	j->ended_s = loop_time_s(fr->loop);
	j->fault = *f;
	keep_result(fr, j, result);
}

uint64_t
front_reload(struct front *fr, struct fault *f)
{
	uint64_t id = start_job(fr, "reload");

	if (builder_reload(fr->builder, id, f) == RC_OK) {
		/* It goes first.  Not from in here: a caller may hold the set in force. */
		if (fr->coming != NULL)
			loop_arm(fr->loop, &fr->publish_late, loop_now_ms(fr->loop));
		return id;
	}
	end_job(fr, id, f, NULL);
	return 0;
}

uint64_t
front_renew(struct front *fr, const char *tenant, const char *name, struct fault *f)
{
	uint64_t id = start_job(fr, "renew");

	if (builder_renew(fr->builder, tenant, name, id, f) == RC_OK)
		return id;
	end_job(fr, id, f, NULL);
	return 0;
}

/* What cannot be undone, and leaves nothing but its record. */
static bool
needs_record(enum hand kind, const json_t *body)
{
	return kind == HAND_ORPHANS && json_object_get(body, "confirm") != NULL;
}

/* Who asked for what is in the audit before it is done. */
static void
record_by_hand(
    struct front *fr, enum hand kind, const char *tenant, const char *name, uid_t uid)
{
	AUTO_BUF members = BUF_INIT(1024);

	jw_str(&members, "operation", hand_name(kind));
	if (name != NULL)
		jw_str(&members, "credential", name);
	else if (hand_of_ca(kind) || hand_of_token(kind))
		jw_str(&members, hand_of_ca(kind) ? "ca" : "token", tenant);
	jw_uint(&members, "uid", uid);
	record(fr, "by_hand", hand_of_ca(kind) || hand_of_token(kind) ? NULL : tenant, NULL,
	    &members);
}

uint64_t
front_hand(struct front *fr, enum hand kind, const char *tenant, const char *name, json_t *body,
    uid_t uid, struct fault *f)
{
	uint64_t id = start_job(fr, hand_name(kind));

	if (needs_record(kind, body) && audit_problem(fr->desk.audit, f) != RC_OK) {
		json_decref(body);
		end_job(fr, id, f, NULL);
		return id; /* it has failed */
	}
	record_by_hand(fr, kind, tenant, name, uid);
	if (builder_hand(fr->builder, kind, tenant, name, body, id, f) == RC_OK)
		return id;
	end_job(fr, id, f, NULL);
	return 0;
}

bool
front_is_admin(const struct front *fr, const struct caller *c)
{
	const struct config *config = front_set(fr)->config;

	if (c->uid == CONFIG_OVERFLOW_ID)
		return false;
	return c->uid == config->admin_uid ||
	       (config->admin_gid != (gid_t)-1 && caller_in_group(c, config->admin_gid));
}

/* ---- audit records of the agent itself ---- */

static void
record(struct front *fr, const char *event, const char *tenant, const char *reason,
    struct buf *members)
{
	struct fault f = { 0 };
	uint64_t seq;

	if (buf_check(members, &f) != RC_OK ||
	    audit_append(fr->desk.audit, event, tenant, NULL, reason, buf_view(members), &seq,
		&f) != RC_OK)
		log_fault(LEVEL_ERR, "audit_lost", &f);
}

static void
record_start(struct front *fr)
{
	AUTO_BUF members = BUF_INIT(256);

	if (fr->start_recorded || audit_failed(fr->desk.audit))
		return; /* audit_ready() comes back to it */
	fr->start_recorded = true;
	jw_str(&members, "version", front_version);
	jw_int(&members, "pid", getpid());
	record(fr, "start", NULL, NULL, &members);
}

static void
record_in_force(struct front *fr, const struct credset *set)
{
	AUTO_BUF members = BUF_INIT(256);

	jw_uint(&members, "generation", set->generation);
	jw_uint(&members, "tenants", set->config->tenants);
	jw_uint(&members, "credentials", set->slots);
	record(fr, "in_force", NULL, NULL, &members);
}

/* A builder's line: event, tenant and reason have places of their own. */
static void
record_line(struct front *fr, const json_t *line)
{
	AUTO_BUF members = BUF_INIT(16384);
	const char *event = json_string_value(json_object_get(line, "event"));
	const char *name, *tenant, *reason;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)line, name, value) {
		AUTO_BUF text = BUF_INIT(8192);

		if (strcmp(name, "event") == 0 || strcmp(name, "tenant") == 0 ||
		    strcmp(name, "reason") == 0)
			continue;
		if (jtext_write(&text, value, NULL) == RC_OK)
			jw_raw(&members, name, buf_view(&text));
	}
	if (event == NULL)
		event = "builder";
	tenant = json_string_value(json_object_get(line, "tenant"));
	reason = json_string_value(json_object_get(line, "reason"));
	notice_line(fr, event, tenant, reason, buf_view(&members));
	record(fr, event, tenant, reason, &members);
}

/* ---- putting a set in force ---- */

static void
dispose(void *arg, struct credset *set)
{
	builder_dispose(((struct front *)arg)->builder, set);
}

static void
add_key(struct hsm_key *list, size_t *len, const struct credential *c)
{
	struct hsm_key *key = &list[*len];

	if (c->state != CREDENTIAL_READY)
		return;
	key->token = c->token;
	memcpy(key->point, c->point, P256_POINT_LEN);
	memcpy(key->key_id, c->key_id, KEY_ID_LEN);
	++*len;
}

/* The keys of a set that is in force or shall be.  *out is malloc'd. */
static enum rc
keys_of(const struct credset *set, struct hsm_key **out, size_t *n, struct fault *f)
{
	AUTO_FREE struct hsm_key *list = calloc(2 * set->slots + 1, sizeof *list);
	size_t len = 0;

	if (list == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%zu keys", set->slots);
	for (size_t i = 0; i < set->slots; i++) {
		add_key(list, &len, set->slot[i]);
		if (set->before[i] != NULL)
			add_key(list, &len, set->before[i]);
	}
	*out = TAKE(list);
	*n = len;
	return RC_OK;
}

static void
confirm(struct front *fr, const struct credset *set, const struct fault *f)
{
	builder_confirm(fr->builder, set->generation, f);
}

/* Takes the reference over, whatever comes. */
static void
put_in_force(struct front *fr, struct credset *set)
{
	AUTO_FREE struct hsm_key *keys = NULL;
	struct snapshot *next, *old = fr->desk.now;
	struct fault f = { 0 };
	size_t n = 0;

	next = snapshot_new(set, dispose, fr);
	if (next == NULL || keys_of(set, &keys, &n, &f) != RC_OK ||
	    policy_adopt(fr->desk.policy, set, loop_now_ms(fr->loop), &f) != RC_OK) {
		if (f.rc == RC_OK)
			(void)FAULT(&f, RC_NO_MEMORY, "no_memory", "a snapshot");
		confirm(fr, set, &f);
		log_fault(LEVEL_ERR, "not_in_force", &f);
		free(next);
		dispose(fr, set);
		return;
	}
	hsm_want_only(fr->desk.hsm, keys, n);
	hsm_limits(fr->desk.hsm, set->config->max_waiting, set->config->request_timeout_ms);
	fr->max_open = set->config->max_connections;
	fr->max_user = set->config->max_user_connections;
	fr->desk.now = next;
	confirm(fr, set, &f);
	record_in_force(fr, set);
	log_event(LEVEL_NOTICE, "in_force",
	    "generation=%" PRIu64 " tenants=%zu credentials=%zu keys=%zu", set->generation,
	    set->config->tenants, set->slots, n);
	snapshot_leave(old);
}

static void
give_up_coming(struct front *fr, const struct fault *f)
{
	struct credset *set = TAKE(fr->coming);

	loop_disarm(fr->loop, &fr->publish_late);
	log_fault(LEVEL_ERR, "not_in_force", f);
	confirm(fr, set, f);
	dispose(fr, set);
}

/* Is this key in force already?  Then nobody has to wait for it. */
static bool
is_in_force(const struct front *fr, const struct credential *c)
{
	const struct credset *set = front_set(fr);
	struct credset_place at = { 0 };
	const struct credential *old;

	if (!credset_find(set, c->tenant, c->name, &at))
		return false;
	old = credset_credential(set, at);
	return old == c || (old->state == CREDENTIAL_READY && old->token == c->token &&
			       memcmp(old->key_id, c->key_id, KEY_ID_LEN) == 0);
}

/*
 * The first credential whose new key no signer of its token knows yet, rather
 * one whose key is refused: it never will.  NULL: the set can be put in force.
 */
static const struct credential *
not_learnt(const struct front *fr, const struct credset *set, bool *refused)
{
	const struct credential *first = NULL;

	*refused = false;
	for (size_t i = 0; i < set->slots; i++) {
		const struct credential *c = set->slot[i];

		if (c->state != CREDENTIAL_READY ||
		    hsm_ready(fr->desk.hsm, c->token, c->key_id) || is_in_force(fr, c))
			continue;
		*refused = hsm_refused(fr->desk.hsm, c->token, c->key_id);
		if (*refused)
			return c;
		if (first == NULL)
			first = c;
	}
	return first;
}

static void
look_at_coming(struct front *fr)
{
	const struct credential *c;
	struct fault f = { 0 };
	bool refused = false;

	if (fr->coming == NULL)
		return;
	c = not_learnt(fr, fr->coming, &refused);
	if (c == NULL) {
		loop_disarm(fr->loop, &fr->publish_late);
		put_in_force(fr, TAKE(fr->coming));
	} else if (refused) {
		(void)FAULT(&f, RC_HSM, "hsm_unavailable",
		    "the signers refuse the key of credential '%s' of tenant '%s'", c->name,
		    c->tenant);
		give_up_coming(fr, &f);
	} else if (builder_reload_waits(fr->builder)) {
		/* An operator's word is not delayed by a token that is not there. */
		(void)REFUSE(&f, RC_BUSY, OVERLOADED, NULL, "a reload goes first");
		give_up_coming(fr, &f);
	} else {
		return;
	}
	take_builder_events(fr);
}

static void
coming_late(void *arg)
{
	struct front *fr = arg;
	struct fault f = { 0 };
	bool refused = false;
	const struct credential *c;

	if (builder_reload_waits(fr->builder)) {
		look_at_coming(fr);
		return;
	}
	c = not_learnt(fr, fr->coming, &refused);
	(void)FAULT(&f, RC_TIMEOUT, "hsm_timeout",
	    "no signer learnt the key of credential '%s' of tenant '%s' within %d ms",
	    c != NULL ? c->name : "?", c != NULL ? c->tenant : "?", FRONT_PUBLISH_MS);
	give_up_coming(fr, &f);
	take_builder_events(fr);
}

/*
 * A set of a reload is in force before its new keys are learnt: it may disable
 * what must not sign any more, and a token that is down must not delay that.
 * Whoever asks for a credential whose key is not there yet hears
 * hsm_unavailable (decide_filter.c).  What serves is not replaced here by what
 * cannot: the builder leaves such a change to a set of its own, with
 * wait_for_keys.
 */
static void
publish(struct front *fr, struct credset *set, bool wait_for_keys)
{
	AUTO_FREE struct hsm_key *keys = NULL;
	struct fault f = { 0 };
	size_t n = 0;

	fr->coming = set;
	if (keys_of(set, &keys, &n, &f) != RC_OK ||
	    hsm_want(fr->desk.hsm, keys, n, &f) != RC_OK) {
		give_up_coming(fr, &f);
		return;
	}
	if (!wait_for_keys) {
		put_in_force(fr, TAKE(fr->coming));
		return;
	}
	loop_arm(fr->loop, &fr->publish_late, loop_now_ms(fr->loop) + FRONT_PUBLISH_MS);
}

static void
take_builder_event(struct front *fr, struct builder_event *e)
{
	switch (e->kind) {
	case BUILDER_PUBLISH: publish(fr, e->set, e->wait_for_keys); break;
	case BUILDER_RELOAD_FAILED: log_fault(LEVEL_ERR, "reload_failed", &e->fault); break;
	case BUILDER_JOB_DONE: end_job(fr, e->job, &e->fault, e->record); break;
	case BUILDER_AUDIT:
		record_line(fr, e->record);
		json_decref(e->record);
		break;
	case BUILDER_ACCOUNT:
		notice_account(fr, e->record);
		json_decref(e->record);
		break;
	case BUILDER_ALARM:
		notice_word(fr, e->record);
		json_decref(e->record);
		break;
	}
}

/* A set that is being learnt holds up what comes behind it: sets stay in their order. */
static void
take_builder_events(struct front *fr)
{
	struct builder_event e = { 0 };

	while (fr->coming == NULL && builder_next(fr->builder, &e)) {
		take_builder_event(fr, &e);
		if (fr->coming != NULL)
			look_at_coming(fr);
	}
}

/* ---- what becomes readable ---- */

static void
drain_eventfd(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
		log_event(LEVEL_ERR, "eventfd", "errno=%d", errno);
}

static void
builder_ready(void *arg, uint32_t events)
{
	struct front *fr = arg;

	(void)events;
	drain_eventfd(fr->builder_io.fd);
	take_builder_events(fr);
}

static void
audit_ready(void *arg, uint32_t events)
{
	struct front *fr = arg;

	(void)events;
	drain_eventfd(fr->audit_io.fd);
	record_start(fr);
	audit_go_on(fr->desk.audit);
	sign_audited(&fr->desk);
}

static void
verifier_ready(void *arg, uint32_t events)
{
	struct front *fr = arg;

	(void)events;
	verifier_take(fr->desk.verifier);
}

static void
start_draining(struct front *fr)
{
	if (fr->draining)
		return;
	fr->draining = true;
	log_event(LEVEL_NOTICE, "draining", "connections=%zu", fr->callers.open);
	for (size_t i = 0; i < fr->listeners; i++)
		listener_close(&fr->listener[i]);
	conn_close_idle(&fr->callers);
	loop_arm(fr->loop, &fr->drain_late, loop_now_ms(fr->loop) + FRONT_DRAIN_MS);
}

static void
drain_late(void *arg)
{
	struct front *fr = arg;

	log_event(LEVEL_WARNING, "drain_late", "connections=%zu", fr->callers.open);
	loop_stop(fr->loop);
}

static void
signal_ready(void *arg, uint32_t events)
{
	struct front *fr = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(fr->signals.fd, &info, sizeof info) == sizeof info)
		start_draining(fr);
}

static struct front_child *
child_slot(struct front *fr, const struct control *c)
{
	for (size_t i = 0; i < fr->children; i++) {
		struct front_child *k = &fr->child[i];

		if (k->role == c->role && k->token == c->token && k->process == c->process)
			return k;
	}
	return fr->children < FRONT_MAX_CHILDREN ? &fr->child[fr->children++] : NULL;
}

static void
note_child(struct front *fr, const struct control *c)
{
	struct front_child *k = child_slot(fr, c);

	if (k == NULL)
		return;
	*k = (struct front_child){ c->role, c->token, c->process, c->pid, c->restarts,
		c->isolated, true };
	if (!c->isolated)
		fr->reduced = true;
}

static void
take_signer(struct front *fr, const struct control *c, int fd)
{
	struct fault f = { 0 };

	if (hsm_attach(fr->desk.hsm, c->token, c->process, c->generation, fd, &f) != RC_OK)
		log_fault(LEVEL_ERR, "signer_refused", &f);
}

/* Takes fd over. */
static void
take_control(struct front *fr, const struct control *c, int fd)
{
	AUTO_FD own = fd;
	struct fault f = { 0 };

	if ((c->kind == CONTROL_SIGNER || c->kind == CONTROL_ADMIN ||
		c->kind == CONTROL_RENEWER) &&
	    fd < 0) {
		log_event(LEVEL_ERR, "control", "kind=%u without a descriptor", c->kind);
		return;
	}
	switch ((enum control_kind)c->kind) {
	case CONTROL_SIGNER: take_signer(fr, c, give(&own)); break;
	case CONTROL_ADMIN:
		if (c->token < CONFIG_MAX_TOKENS)
			builder_attach_admin(fr->builder, c->token, give(&own), c->generation);
		break;
	case CONTROL_RENEWER: builder_attach_renewer(fr->builder, give(&own)); break;
	case CONTROL_RELOAD:
		if (front_reload(fr, &f) == 0)
			log_fault(LEVEL_ERR, "reload_refused", &f);
		break;
	case CONTROL_DRAIN: start_draining(fr); break;
	case CONTROL_CHILD: note_child(fr, c); break;
	default: log_event(LEVEL_ERR, "control", "kind=%u is unknown", c->kind); break;
	}
}

static void
control_ready(void *arg, uint32_t events)
{
	struct front *fr = arg;
	struct control c = { 0 };
	struct fault f = { 0 };
	enum rc rc;

	(void)events;
	for (;;) {
		int fd = -1;

		rc = control_recv(fr->control.fd, &c, &fd, &f);
		if (rc != RC_OK)
			break;
		take_control(fr, &c, fd);
	}
	if (rc == RC_NOT_FOUND)
		return;
	if (rc == RC_INVALID) {
		log_fault(LEVEL_ERR, "control", &f);
		return;
	}
	/* Nobody replaces signers any more: what is in flight is finished, then this ends too. */
	loop_remove(fr->loop, &fr->control);
	log_event(LEVEL_ERR, "supervisor_gone", "pid=%d", getpid());
	start_draining(fr);
}

static void
kill_signer(void *arg, unsigned token, unsigned process, uint32_t generation)
{
	struct front *fr = arg;
	struct control c = { .kind = CONTROL_KILL,
		.token = token,
		.process = process,
		.generation = generation };
	struct fault f = { 0 };

	log_event(LEVEL_WARNING, "signer_hangs", "token=%u process=%u generation=%u", token,
	    process, generation);
	if (control_send(fr->control.fd, &c, -1, &f) != RC_OK)
		log_fault(LEVEL_ERR, "control", &f);
}

/* The supervisor starts the others of the token when the first has logged in. */
static void
signer_is_up(void *arg, unsigned token, unsigned process, uint32_t generation)
{
	struct front *fr = arg;
	struct control c = {
		.kind = CONTROL_UP, .token = token, .process = process, .generation = generation
	};
	struct fault f = { 0 };

	if (control_send(fr->control.fd, &c, -1, &f) != RC_OK)
		log_fault(LEVEL_WARNING, "control", &f);
}

static void
signers_changed(void *arg)
{
	look_at_coming(arg);
}

static void
after_turn(void *arg)
{
	struct front *fr = arg;

	conn_turn(&fr->callers);
	if (fr->draining && fr->callers.open == 0 && fr->desk.batches == NULL)
		loop_stop(fr->loop);
}

/* ---- start ---- */

static enum rc
watch(struct front *fr, struct loop_io *io, int fd, void (*ready)(void *arg, uint32_t events),
    struct fault *f)
{
	*io = (struct loop_io){ .fd = fd, .ready = ready, .arg = fr };
	return loop_add(fr->loop, io, EPOLLIN, f);
}

static enum rc
open_signals(struct front *fr, struct fault *f)
{
	sigset_t set;
	int fd;

	/* The supervisor speaks through the control pair; SIGTERM may come from a service
	 * manager that sends it to the whole group. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return FAULT(f, RC_IO, "signalfd", "%s", strerror(errno));
	return watch(fr, &fr->signals, fd, signal_ready, f);
}

static enum rc
copy_door(struct listener *l, struct config_listen *kept, const struct config_listen *from,
    struct fault *f)
{
	if (from->tenant != NULL) {
		kept->tenant = strdup(from->tenant);
		if (kept->tenant == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "a listening socket");
	}
	l->door = (struct caller_door){ kept->tenant, from->auth_socket };
	return RC_OK;
}

/*
 * The sockets as the supervisor opened them at its start: what a later
 * configuration says about listen sections comes with a restart.
 */
static enum rc
open_listeners(struct front *fr, const struct config *c, struct fault *f)
{
	size_t n = c->listens + (c->admin_path != NULL ? 1 : 0);

	if (n > FRONT_MAX_LISTEN)
		return FAULT(f, RC_INVALID, "config", "more than %d listening sockets",
		    FRONT_MAX_LISTEN - 1);
	for (size_t i = 0; i < n; i++) {
		struct listener *l = &fr->listener[i];

		l->host = &fr->callers;
		l->max_open = &fr->max_open;
		l->max_user = &fr->max_user;
		l->admin = i == c->listens;
		if (!l->admin)
			TRY(copy_door(l, &fr->door[i], &c->listen[i], f));
		TRY(listener_open(l, ROLE_FD_LISTEN + (int)i, f));
		fr->listeners++;
	}
	return RC_OK;
}

static enum rc
open_desk(struct front *fr, const struct config *c, struct fault *f)
{
	AUTO_BUF mark = BUF_INIT(STORE_PATH_MAX);
	struct desk *d = &fr->desk;
	struct hsm_ops ops = {
		.kill = kill_signer, .changed = signers_changed, .up = signer_is_up, .arg = fr
	};

	d->loop = fr->loop;
	TRY(hsm_new(fr->loop, &ops, &d->hsm, f));
	TRY(policy_new(&d->policy, f));
	TRY(headers_new(&d->headers, f));
	TRY(verifier_new(&d->verifier, f));
	buf_printf(&mark, "%s/front/audit.json", c->state_dir);
	TRY(buf_check(&mark, f));
	TRY(audit_open(
	    c->audit_dir, buf_text(&mark), c->audit_sync == AUDIT_SYNC_GROUP, &d->audit, f));
	return RC_OK;
}

static void
set_up(struct front *fr)
{
	fr->callers.loop = fr->loop;
	fr->callers.request = api_request;
	fr->callers.malformed = api_malformed;
	fr->callers.arg = fr;
	fr->publish_late = (struct loop_timer){ .fire = coming_late, .arg = fr };
	fr->drain_late = (struct loop_timer){ .fire = drain_late, .arg = fr };
	fr->started_s = loop_time_s(fr->loop);
	loop_after(fr->loop, after_turn, fr);
}

/* The first set: in force at once, its credentials are healthy when their signers are there. */
static enum rc
first_set(struct front *fr, struct credset *set, struct fault *f)
{
	AUTO_FREE struct hsm_key *keys = NULL;
	size_t n = 0;

	if (keys_of(set, &keys, &n, f) != RC_OK ||
	    hsm_want(fr->desk.hsm, keys, n, f) != RC_OK) {
		credset_release(set);
		return f->rc;
	}
	put_in_force(fr, set);
	if (fr->desk.now == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the first set");
	return RC_OK;
}

enum rc
front_open(struct front *fr, const char *config_file, struct fault *f)
{
	AUTO_CREDSET *set = NULL;

	TRY(loop_new(&fr->loop, f));
	set_up(fr);
	TRY(builder_new(config_file, &fr->builder, f));
	TRY(builder_load(fr->builder, &set, f));
	TRY(open_desk(fr, set->config, f));
	record_start(fr);
	TRY(open_listeners(fr, set->config, f));
	TRY(open_signals(fr, f));
	TRY(watch(fr, &fr->control, ROLE_FD_CONTROL, control_ready, f));
	TRY(watch(fr, &fr->builder_io, builder_fd(fr->builder), builder_ready, f));
	TRY(watch(fr, &fr->audit_io, audit_fd(fr->desk.audit), audit_ready, f));
	TRY(watch(fr, &fr->verifier_io, verifier_fd(fr->desk.verifier), verifier_ready, f));
	TRY(builder_start(fr->builder, f));
	TRY(notice_open(fr, f));
	TRY(first_set(fr, TAKE(set), f));
	journal_open(&fr->desk);
	return harden(f);
}

enum rc
front_run(struct front *fr, struct fault *f)
{
	struct control ready = { .kind = CONTROL_READY };

	TRY(control_send(ROLE_FD_CONTROL, &ready, -1, f));
	return loop_run(fr->loop, f);
}

static void
record_stop(struct front *fr)
{
	AUTO_BUF members = BUF_INIT(256);

	jw_uint(&members, "signed", fr->desk.stats.signed_);
	record(fr, "stop", NULL, NULL, &members);
}

void
front_close(struct front *fr)
{
	if (fr->desk.audit != NULL) {
		journal_close(&fr->desk);
		record_stop(fr);
	}
	conn_close_all(&fr->callers);
	notice_close(fr);
	hsm_free(fr->desk.hsm);
	verifier_free(fr->desk.verifier);
	sign_drop(&fr->desk);
	audit_close(fr->desk.audit);
	if (fr->coming != NULL)
		dispose(fr, fr->coming);
	headers_free(fr->desk.headers);
	snapshot_leave(fr->desk.now);
	policy_free(fr->desk.policy);
	if (fr->builder != NULL)
		builder_free(fr->builder);
	for (size_t i = 0; i < FRONT_MAX_LISTEN; i++)
		free(fr->door[i].tenant);
	for (size_t i = 0; i < FRONT_MAX_JOBS; i++)
		json_decref(fr->job[i].result);
	loop_free(fr->loop);
}
