/* The builder's thread: jobs, events and the renewer's channel, on a real SoftHSM token. */
#include "agent/front/builder.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/channel.h"
#include "agent/front/store.h"
#include "stir/b64.h"
#include "stir/csr.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/token_lab.h"

enum { WAIT_MS = 20000 };

static const char tenant[] =
    "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("atis-delegate", "");
static char top[4096];

struct desk {
	struct bworld world;
	struct lab token;
	struct process admin;
	struct builder *b;
	int renewer;
	json_int_t last_id;
	unsigned audits;
};

static int
open_desk(void **state)
{
	static const char *const args[] = { "--label", "t", "--canary-s", "0", NULL };
	struct desk *d = calloc(1, sizeof *d);
	struct credset *set = NULL;
	struct fault f = { 0 };
	int pair[2];

	assert_non_null(d);
	bworld_open(&d->world);
	bworld_tenant("acme", tenant);
	lab_make(&d->token);
	lab_add_token(&d->token, "t");
	process_start(&d->admin, &d->token, "admin", args);
	if (builder_new("vesperd.conf", &d->b, &f) != RC_OK ||
	    builder_load(d->b, &set, &f) != RC_OK || builder_start(d->b, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	assert_int_equal(set->generation, 1);
	builder_dispose(d->b, set);
	builder_attach_admin(d->b, 0, dup(d->admin.fd), d->admin.generation);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	builder_attach_renewer(d->b, pair[0]);
	d->renewer = pair[1];
	*state = d;
	return 0;
}

static int
close_desk(void **state)
{
	struct desk *d = *state;

	builder_free(d->b);
	if (d->renewer >= 0)
		close(d->renewer);
	(void)process_stop(&d->admin);
	lab_remove(&d->token);
	bworld_close(&d->world);
	free(d);
	return 0;
}

/* The next event that is no audit line. */
static struct builder_event
next_event(struct desk *d)
{
	struct pollfd p = { .fd = builder_fd(d->b), .events = POLLIN };
	struct builder_event e;

	for (;;) {
		while (builder_next(d->b, &e)) {
			if (e.kind != BUILDER_AUDIT)
				return e;
			d->audits++;
			json_decref(e.record);
		}
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	}
}

static json_t *
next_message(struct desk *d)
{
	struct pollfd p = { .fd = d->renewer, .events = POLLIN };
	json_t *msg = NULL;
	struct fault f = { 0 };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	if (channel_recv(d->renewer, &msg, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	return msg;
}

static void
say(struct desk *d, json_t *msg)
{
	struct fault f = { 0 };

	assert_int_equal(json_object_set_new(msg, "id", json_integer(++d->last_id)), 0);
	assert_int_equal(channel_send(d->renewer, msg, &f), RC_OK);
	json_decref(msg);
}

static json_t *
answer(struct desk *d, bool good)
{
	json_t *msg = next_message(d);

	assert_int_equal(json_integer_value(json_object_get(msg, "id")), d->last_id);
	if (json_is_true(json_object_get(msg, "ok")) != good)
		fail_msg("%s: %s", json_string_value(json_object_get(msg, "reason")),
		    json_string_value(json_object_get(msg, "detail")));
	return msg;
}

static const char *
text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	assert_non_null(text);
	return text;
}

/* A certificate for the request of acme/main, valid by the real clock. */
static void
certificate(struct desk *d, struct buf *pem, const char *serial, int64_t from_s, int64_t life_s)
{
	AUTO_BUF tnauth = BUF_INIT(4096), b64 = BUF_INIT(4096), der = BUF_INIT(65536);
	struct csr_facts facts;
	json_t *csr;

	bworld_tnauth(&tnauth, "12025550100");
	b64_encode(&b64, B64_URL, buf_view(&tnauth));
	say(d, json_pack("{s:s,s:s,s:s,s:s,s:n}", "op", "csr", "tenant", "acme", "name", "main",
		   "tnauthlist", buf_text(&b64), "constraints"));
	csr = answer(d, true);
	assert_int_equal(b64_decode(&der, B64_URL, span_str(text_of(csr, "csr")), NULL), RC_OK);
	json_decref(csr);
	assert_int_equal(csr_decode(buf_view(&der), &facts, NULL), RC_OK);
	bworld_issue(&d->world, pem,
	    &(struct bworld_cert){ .point = facts.point,
		.tnauth = buf_view(&facts.tnauth_der),
		.serial = serial,
		.not_before_s = time(NULL) + from_s,
		.not_after_s = time(NULL) + life_s });
	csr_done(&facts);
}

static void
say_install(struct desk *d, struct buf *pem)
{
	say(d, json_pack("{s:s,s:s,s:s,s:s}", "op", "install", "tenant", "acme", "name", "main",
		   "chain", buf_text(pem)));
}

/* ---- tests ---- */

/* The status says at once what the builder, which sleeps, has no part in. */
static void
admin_comes_and_goes(struct desk *d)
{
	const struct frame hello = {
		.version = FRAME_VERSION, .op = FRAME_HELLO, .code = FRAME_OK, .generation = 9
	};
	struct builder_status status;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	builder_attach_admin(d->b, 1, pair[0], 9);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	builder_status(d->b, &status);
	assert_false(status.admin[1]);
	assert_int_equal(frame_send(pair[1], &hello, NULL), RC_OK);
	builder_status(d->b, &status);
	assert_true(status.admin[1]);
	close(pair[1]);
	builder_status(d->b, &status);
	assert_false(status.admin[1]);
}

static void
installs_and_renews(void **state)
{
	struct desk *d = *state;
	AUTO_BUF one = BUF_INIT(65536), two = BUF_INIT(65536);
	struct builder_event e;
	struct builder_status status;

	certificate(d, &one, "10", -60, 3600);
	say_install(d, &one);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_PUBLISH);
	assert_true(e.wait_for_keys);
	assert_int_equal(e.set->generation, 2);
	assert_int_equal(e.set->slot[0]->state, CREDENTIAL_READY);
	builder_confirm(d->b, e.set->generation, NULL);
	json_decref(answer(d, true));
	builder_dispose(d->b, e.set);

	certificate(d, &two, "11", -60, 7200);
	say_install(d, &two);
	e = next_event(d);
	assert_int_equal(e.set->generation, 3);
	assert_string_equal(e.set->slot[0]->chain->cert[0]->serial, "11");
	builder_confirm(d->b, e.set->generation, &(struct fault){ 0 });
	json_decref(answer(d, true));
	builder_dispose(d->b, e.set);
	builder_status(d->b, &status);
	assert_true(status.renewer);
	assert_true(status.admin[0]);
	assert_false(status.admin[1]);
	assert_int_equal(status.reload_fault.rc, RC_OK);
	admin_comes_and_goes(d);
	/* The same again: nothing is outstanding. */
	say_install(d, &two);
	{
		json_auto_t *no = answer(d, false);

		assert_string_equal(text_of(no, "reason"), "no_pending_csr");
	}
	e = (struct builder_event){ .kind = BUILDER_JOB_DONE };
	while (builder_next(d->b, &e)) {
		assert_int_equal(e.kind, BUILDER_AUDIT);
		d->audits++;
		json_decref(e.record);
	}
	assert_int_equal(d->audits, 4); /* made and installed, twice */
}

static void
refused_by_the_loop(void **state)
{
	struct desk *d = *state;
	AUTO_BUF one = BUF_INIT(65536), two = BUF_INIT(65536);
	struct builder_event e;
	struct fault refused = { 0 };
	json_t *no;

	certificate(d, &one, "10", -60, 3600);
	say_install(d, &one);
	e = next_event(d);
	builder_confirm(d->b, e.set->generation, NULL);
	json_decref(answer(d, true));
	builder_dispose(d->b, e.set);
	certificate(d, &two, "11", -60, 7200);
	say_install(d, &two);
	e = next_event(d);
	(void)FAULT(&refused, RC_HSM, "hsm_unavailable", "no signer");
	builder_confirm(d->b, e.set->generation, &refused);
	builder_dispose(d->b, e.set);
	no = answer(d, false);
	assert_string_equal(text_of(no, "reason"), "hsm_unavailable");
	json_decref(no);
	/* The next set that comes has the old one in it. */
	assert_int_equal(builder_reload(d->b, 5, NULL), RC_OK);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_PUBLISH);
	assert_string_equal(e.set->slot[0]->chain->cert[0]->serial, "10");
	builder_confirm(d->b, e.set->generation, NULL);
	builder_dispose(d->b, e.set);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_JOB_DONE);
	/* And the certificate is still good for another try. */
	json_decref(next_message(d)); /* changed */
	say_install(d, &two);
	e = next_event(d);
	builder_confirm(d->b, e.set->generation, NULL);
	json_decref(answer(d, true));
	builder_dispose(d->b, e.set);
}

/* What was given up may still have come into force: the old set is put after it. */
static void
the_old_set_follows_one_that_is_late(void **state)
{
	struct desk *d = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	struct builder_event e, old;
	struct fault late = { 0 };

	certificate(d, &pem, "10", -60, 3600);
	say_install(d, &pem);
	e = next_event(d);
	(void)FAULT(&late, RC_TIMEOUT, "hsm_timeout", "no signer in time");
	builder_confirm(d->b, e.set->generation, &late);
	old = next_event(d);
	assert_int_equal(old.kind, BUILDER_PUBLISH);
	assert_false(old.wait_for_keys);
	assert_true(old.set->generation > e.set->generation);
	assert_int_equal(old.set->slot[0]->state, CREDENTIAL_PENDING);
	builder_confirm(d->b, old.set->generation, NULL);
	json_decref(answer(d, false));
	assert_int_equal(store_mtime("state/front/tenants/acme/main/current.pem"), 0);
	builder_dispose(d->b, e.set);
	builder_dispose(d->b, old.set);
}

static void
waits_for_its_moment(void **state)
{
	struct desk *d = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	struct builder_event e;
	struct timespec a, b;

	certificate(d, &pem, "10", 2, 3600);
	clock_gettime(CLOCK_MONOTONIC, &a);
	say_install(d, &pem);
	/* Others are served meanwhile. */
	{
		json_auto_t *ask = json_pack("{s:i,s:s}", "id", 1000, "op", "plan"), *plan;

		assert_int_equal(channel_send(d->renewer, ask, NULL), RC_OK);
		plan = next_message(d);
		assert_int_equal(json_integer_value(json_object_get(plan, "id")), 1000);
	}
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_PUBLISH);
	builder_confirm(d->b, e.set->generation, NULL);
	builder_dispose(d->b, e.set);
	json_decref(answer(d, true));
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec >= 1);
}

/* The next job that ends; sets that come before it are put in force. */
static struct builder_event
job_end(struct desk *d)
{
	for (;;) {
		struct builder_event e = next_event(d);

		if (e.kind == BUILDER_JOB_DONE)
			return e;
		assert_int_equal(e.kind, BUILDER_PUBLISH);
		builder_confirm(d->b, e.set->generation, NULL);
		builder_dispose(d->b, e.set);
	}
}

static void
by_hand(struct desk *d, enum hand kind, json_t *body, enum rc rc, const char *reason)
{
	struct builder_event e;

	assert_int_equal(builder_hand(d->b, kind, "acme", "main", body, 20, NULL), RC_OK);
	e = job_end(d);
	if (e.fault.rc != rc || (reason != NULL && strcmp(e.fault.reason, reason) != 0))
		fail_msg("%d %s: %s", e.fault.rc, e.fault.reason, e.fault.detail);
	assert_int_equal(e.job, 20);
	assert_int_equal(e.record != NULL, rc == RC_OK);
	json_decref(e.record);
}

/* Through the same checks as the renewer's, and waiting for a notBefore the same way. */
static void
works_by_hand(void **state)
{
	struct desk *d = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	struct timespec a, b;
	json_t *msg;

	by_hand(d, HAND_CSR, NULL, RC_CONFLICT, "conflict"); /* it has an ACME CA */
	by_hand(
	    d, HAND_INSTALL, json_pack("{s:s}", "chain", "x"), RC_NOT_FOUND, "no_pending_csr");
	certificate(d, &pem, "10", 2, 3600);
	by_hand(d, HAND_INSTALL, json_pack("{s:s}", "chain", "x"), RC_INVALID, NULL);
	clock_gettime(CLOCK_MONOTONIC, &a);
	by_hand(d, HAND_INSTALL, json_pack("{s:s}", "chain", buf_text(&pem)), RC_OK, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec >= 1);
	/*
	 * The renewer has something that it did not bring itself; nor did anybody
	 * change the configuration, which would end the rest of all that failed.
	 */
	msg = next_message(d);
	assert_string_equal(text_of(msg, "event"), "plan");
	json_decref(msg);
	assert_int_equal(builder_hand(d->b, HAND_CSR, "acme", "other", NULL, 21, NULL), RC_OK);
	assert_string_equal(job_end(d).fault.reason, "no_credential");
}

/* What waits for its moment is let go with the thread. */
static void
stops_while_it_waits(void **state)
{
	struct desk *d = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	json_auto_t *ask = json_pack("{s:i,s:s}", "id", 1000, "op", "plan");

	certificate(d, &pem, "10", 30, 3600);
	assert_int_equal(builder_hand(d->b, HAND_INSTALL, "acme", "main",
			     json_pack("{s:s}", "chain", buf_text(&pem)), 20, NULL),
	    RC_OK);
	assert_int_equal(channel_send(d->renewer, ask, NULL), RC_OK);
	json_decref(next_message(d)); /* it was looked at and put aside */
}

static void
jobs(void **state)
{
	struct desk *d = *state;
	struct builder_event e;
	struct builder_status status;
	json_t *msg;

	assert_int_equal(builder_renew(d->b, "acme", "main", 7, NULL), RC_OK);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_JOB_DONE);
	assert_int_equal(e.job, 7);
	assert_int_equal(e.fault.rc, RC_OK);
	msg = next_message(d);
	assert_string_equal(text_of(msg, "event"), "renew");
	assert_string_equal(text_of(msg, "tenant"), "acme");
	assert_int_equal(json_object_size(msg), 3);
	json_decref(msg);
	assert_int_equal(builder_renew(d->b, "acme", "other", 8, NULL), RC_OK);
	e = next_event(d);
	assert_int_equal(e.fault.rc, RC_NOT_FOUND);
	assert_string_equal(e.fault.reason, "no_credential");

	bworld_file("tenants.d/acme.conf", "oops");
	assert_int_equal(builder_reload(d->b, 9, NULL), RC_OK);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_RELOAD_FAILED);
	assert_string_equal(e.fault.reason, "config");
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_JOB_DONE);
	assert_int_equal(e.job, 9);
	assert_int_equal(e.fault.rc, RC_INVALID);
	builder_status(d->b, &status);
	assert_string_equal(status.reload_fault.reason, "config");

	bworld_tenant("acme", tenant);
	bworld_tenant("beta", "enabled = no\nnumbers = { \"13035550100\" }\n" BWORLD_DELEGATE(
				  "atis-delegate", ""));
	assert_int_equal(builder_reload(d->b, 10, NULL), RC_OK);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_PUBLISH);
	assert_false(e.wait_for_keys);
	assert_false(builder_reload_waits(d->b));
	assert_int_equal(e.set->config->tenants, 2);
	builder_confirm(d->b, e.set->generation, NULL);
	builder_dispose(d->b, e.set);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_JOB_DONE);
	assert_int_equal(e.fault.rc, RC_OK);
	msg = next_message(d);
	assert_string_equal(text_of(msg, "event"), "changed");
	json_decref(msg);
	assert_int_equal(builder_renew(d->b, "beta", "main", 11, NULL), RC_OK);
	e = next_event(d);
	assert_int_equal(e.fault.rc, RC_DENIED);
	assert_string_equal(e.fault.reason, "tenant_disabled");
}

/* What the renewer asks meanwhile is answered after it; the install is worth another try. */
static void
a_reload_goes_first(void **state)
{
	struct desk *d = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	struct builder_event e;
	struct fault room = { 0 };
	json_t *msg;

	certificate(d, &pem, "10", -60, 3600);
	say_install(d, &pem);
	e = next_event(d);
	assert_false(builder_reload_waits(d->b));
	say_install(d, &pem);
	assert_int_equal(builder_reload(d->b, 5, NULL), RC_OK);
	assert_true(builder_reload_waits(d->b));
	(void)REFUSE(&room, RC_BUSY, OVERLOADED, NULL, "a reload goes first");
	builder_confirm(d->b, e.set->generation, &room);
	builder_dispose(d->b, e.set);
	msg = next_message(d);
	assert_string_equal(text_of(msg, "reason"), "overloaded");
	json_decref(msg);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_PUBLISH);
	assert_false(e.wait_for_keys); /* the reload, not the second install */
	assert_int_equal(e.set->slot[0]->state, CREDENTIAL_PENDING);
	builder_confirm(d->b, e.set->generation, NULL);
	builder_dispose(d->b, e.set);
	e = next_event(d);
	assert_int_equal(e.kind, BUILDER_JOB_DONE);
	json_decref(next_message(d)); /* changed */
	e = next_event(d);
	assert_true(e.wait_for_keys);
	builder_confirm(d->b, e.set->generation, NULL);
	builder_dispose(d->b, e.set);
	json_decref(answer(d, true));
}

static void
a_renewer_that_goes(void **state)
{
	struct desk *d = *state;
	struct builder_event e;
	struct builder_status status = { .renewer = true };
	int pair[2];

	/* What is no JSON is passed over, what has no id is refused. */
	assert_int_equal(send(d->renewer, "{", 1, 0), 1);
	assert_int_equal(send(d->renewer, "[]", 2, 0), 2);
	say(d, json_pack("{s:s,s:s}", "op", "account", "ca", "lab"));
	for (;;) {
		json_auto_t *msg = next_message(d);

		if (json_object_get(msg, "id") == NULL) {
			assert_false(json_is_true(json_object_get(msg, "ok")));
			continue;
		}
		assert_true(json_is_true(json_object_get(msg, "ok")));
		break;
	}
	close(d->renewer);
	d->renewer = -1;
	for (int i = 0; status.renewer && i < 200; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		assert_int_equal(builder_renew(d->b, "acme", "main", 1, NULL), RC_OK);
		e = next_event(d);
		builder_status(d->b, &status);
	}
	assert_false(status.renewer);
	assert_int_equal(builder_renew(d->b, "acme", "main", 2, NULL), RC_OK);
	e = next_event(d);
	assert_string_equal(e.fault.reason, "renewer_unavailable");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	builder_attach_renewer(d->b, pair[0]);
	d->renewer = pair[1];
	say(d, json_pack("{s:s}", "op", "plan"));
	json_decref(answer(d, true));
}

static void
the_queue_has_an_end(void **state)
{
	struct builder *b = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(builder_new("vesperd.conf", &b, &f), RC_OK);
	for (unsigned i = 0; i < BUILDER_MAX_JOBS; i++)
		assert_int_equal(builder_reload(b, i, &f), RC_OK);
	assert_int_equal(builder_reload(b, 1, &f), RC_BUSY);
	assert_string_equal(f.reason, "overloaded");
	builder_attach_admin(b, CONFIG_MAX_TOKENS, dup(0), 1);
	builder_dispose(b, NULL);
	builder_free(b);
	builder_free(NULL);
}

/* The end of the thread does not wait for a word that never comes. */
static void
stops_in_the_middle(void **state)
{
	struct desk *d = *state;
	AUTO_BUF pem = BUF_INIT(65536);
	struct builder_event e;

	certificate(d, &pem, "10", -60, 3600);
	say_install(d, &pem);
	e = next_event(d);
	builder_dispose(d->b, e.set);
	builder_free(d->b);
	d->b = NULL;
	/* Not in force, not on disk; the request still is. */
	assert_int_equal(store_mtime("state/front/tenants/acme/main/current.pem"), 0);
	assert_int_not_equal(store_mtime("state/front/tenants/acme/main/pending.csr"), 0);
}

/* No word of the step in time: the old set that follows is loading as it was. */
static void
a_step_is_late(struct desk *d, size_t left)
{
	struct builder_event e = next_event(d), old;
	struct fault late = { 0 };

	(void)FAULT(&late, RC_TIMEOUT, "hsm_timeout", "no loop in time");
	builder_confirm(d->b, e.set->generation, &late);
	old = next_event(d);
	assert_true(old.set->generation > e.set->generation);
	assert_int_equal(old.set->loading, left);
	builder_confirm(d->b, old.set->generation, NULL);
	builder_dispose(d->b, e.set);
	builder_dispose(d->b, old.set);
}

/*
 * Of a large configuration the first set has a part, and the builder goes on by
 * itself; what is asked of it waits until all is there.
 */
static void
a_long_start(void **state)
{
	enum { TENANTS = LOAD_FIRST + 2 * LOAD_STEP + 1 };
	struct desk d = { .renewer = -1 };
	struct credset *set = NULL;
	struct builder_event e;
	struct fault f = { 0 };

	(void)state;
	bworld_open(&d.world);
	for (unsigned i = 0; i < TENANTS; i++) {
		char name[16], inside[512];

		snprintf(name, sizeof name, "t%05u", i);
		snprintf(inside, sizeof inside,
		    "numbers = { \"1202%07u\" }\n" BWORLD_DELEGATE("atis-delegate", ""), i);
		bworld_tenant(name, inside);
	}
	if (builder_new("vesperd.conf", &d.b, &f) != RC_OK ||
	    builder_load(d.b, &set, &f) != RC_OK || builder_start(d.b, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	assert_int_equal(set->loading, TENANTS - LOAD_FIRST);
	assert_int_equal(builder_reload(d.b, 7, &f), RC_OK);
	a_step_is_late(&d, set->loading);
	for (size_t left = set->loading; left > 0;) {
		e = next_event(&d);
		assert_int_equal(e.kind, BUILDER_PUBLISH);
		assert_false(e.wait_for_keys);
		left -= left < LOAD_STEP ? left : LOAD_STEP;
		assert_int_equal(e.set->loading, left);
		builder_confirm(d.b, e.set->generation, NULL);
		builder_dispose(d.b, e.set);
	}
	e = next_event(&d); /* of the reload */
	assert_int_equal(e.kind, BUILDER_PUBLISH);
	assert_int_equal(e.set->loading, 0);
	assert_int_equal(e.set->slot[TENANTS - 1]->state, CREDENTIAL_PENDING);
	builder_confirm(d.b, e.set->generation, NULL);
	builder_dispose(d.b, e.set);
	e = next_event(&d);
	assert_int_equal(e.kind, BUILDER_JOB_DONE);
	assert_int_equal(e.job, 7);
	assert_int_equal(e.fault.rc, RC_OK);
	builder_dispose(d.b, set);
	builder_free(d.b);
	bworld_close(&d.world);
}

#define DESK(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		DESK(installs_and_renews),
		DESK(refused_by_the_loop),
		DESK(the_old_set_follows_one_that_is_late),
		DESK(waits_for_its_moment),
		DESK(jobs),
		DESK(works_by_hand),
		DESK(stops_while_it_waits),
		DESK(a_reload_goes_first),
		DESK(a_renewer_that_goes),
		DESK(stops_in_the_middle),
		cmocka_unit_test(the_queue_has_an_end),
		cmocka_unit_test(a_long_start),
	};
	const char *dir = getenv("top_builddir");

	if (lab_softhsm() == NULL)
		return 77;
	/* vesper-hsm is found from another working directory too. */
	if (realpath(dir != NULL ? dir : ".", top) == NULL ||
	    setenv("top_builddir", top, 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
