/* The front's loop with its builder and without a signer: what waits for a key, and what does not. */
#include "agent/front/front.h"

#include <glob.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "agent/channel.h"
#include "agent/front/journal.h"
#include "agent/front/store.h"
#include "stir/b64.h"
#include "stir/csr.h"
#include "stir/jtext.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"

enum {
	AT_ONCE_MS = FRONT_PUBLISH_MS / 2, /* what waited for a key takes FRONT_PUBLISH_MS */
	WAIT_MS = 20000,
};

#define FILE_PATH    "state/front/tenants/acme/main/current.pem"
#define TENANT(more) more "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("atis-delegate", "")

static struct bworld world;
static struct front fr;
static int renewer = -1;

/* ---- surroundings ---- */

/* The descriptors that the supervisor would give, before anything else takes their numbers. */
static void
take_descriptors(void)
{
	int pair[2];

	while (dup(0) <= ROLE_FD_LISTEN + 1)
		;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(dup2(pair[0], ROLE_FD_CONTROL), ROLE_FD_CONTROL);
	close(pair[0]);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_un any = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(sa_family_t)), 0);
		assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(dup2(fd, ROLE_FD_LISTEN + i), ROLE_FD_LISTEN + i);
		close(fd);
	}
}

static int
open_front(void **state)
{
	struct fault f = { 0 };
	int pair[2];

	(void)state;
	memset(&fr, 0, sizeof fr);
	take_descriptors();
	bworld_open(&world);
	bworld_tenant("acme", TENANT(""));
	bworld_tenant("beta", "numbers = { \"13035550100\" }\n");
	assert_int_equal(mkdir("audit", 0700), 0);
	if (front_open(&fr, "vesperd.conf", &f) != RC_OK)
		fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
	builder_attach_admin(fr.builder, 0, softadmin_connect(world.admin, 1), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	builder_attach_renewer(fr.builder, pair[0]);
	renewer = pair[1];
	return 0;
}

static int
close_front(void **state)
{
	(void)state;
	front_close(&fr);
	close(renewer);
	bworld_close(&world);
	return 0;
}

/* Turn the loop until there is what one waits for; returns how long it took. */
static int64_t
turn_until(bool (*there)(void *arg), void *arg)
{
	int64_t began_ms = loop_now_ms(fr.loop);
	struct fault f = { 0 };

	while (!there(arg)) {
		assert_int_equal(loop_turn(fr.loop, 5, &f), RC_OK);
		if (loop_now_ms(fr.loop) - began_ms > WAIT_MS)
			fail_msg("not within %d ms", WAIT_MS);
	}
	return loop_now_ms(fr.loop) - began_ms;
}

static bool
has_message(void *arg)
{
	return channel_recv(renewer, arg, NULL) == RC_OK;
}

static bool
is_waiting(void *arg)
{
	(void)arg;
	return fr.coming != NULL;
}

static bool
is_ended(void *arg)
{
	return front_job(&fr, *(const uint64_t *)arg)->state != JOB_RUNNING;
}

static json_t *
ask(json_t *question)
{
	json_auto_t *msg = question;
	json_t *answer = NULL;

	assert_int_equal(channel_send(renewer, msg, NULL), RC_OK);
	(void)turn_until(has_message, &answer);
	return answer;
}

/* A certificate for the request of acme/main. */
static void
certificate(struct buf *pem, const char *serial)
{
	AUTO_BUF tnauth = BUF_INIT(4096), b64 = BUF_INIT(4096), der = BUF_INIT(65536);
	struct csr_facts facts;
	json_auto_t *answer = NULL;
	const char *csr;

	bworld_tnauth(&tnauth, "12025550100");
	b64_encode(&b64, B64_URL, buf_view(&tnauth));
	answer = ask(json_pack("{s:i,s:s,s:s,s:s,s:s,s:n}", "id", 1, "op", "csr", "tenant",
	    "acme", "name", "main", "tnauthlist", buf_text(&b64), "constraints"));
	csr = json_string_value(json_object_get(answer, "csr"));
	assert_non_null(csr);
	assert_int_equal(b64_decode(&der, B64_URL, span_str(csr), NULL), RC_OK);
	assert_int_equal(csr_decode(buf_view(&der), &facts, NULL), RC_OK);
	bworld_issue(&world, pem,
	    &(struct bworld_cert){ .point = facts.point,
		.tnauth = buf_view(&facts.tnauth_der),
		.serial = serial,
		.not_before_s = time(NULL) - 60,
		.not_after_s = time(NULL) + 3600 });
	csr_done(&facts);
}

static void
reload_at_once(void)
{
	struct fault f = { 0 };
	uint64_t job = front_reload(&fr, &f);
	int64_t took_ms;

	assert_int_not_equal(job, 0);
	took_ms = turn_until(is_ended, &job);
	if (took_ms > AT_ONCE_MS)
		fail_msg("it took %d ms", (int)took_ms);
	f = front_job(&fr, job)->fault;
	if (f.rc != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
}

static const struct credential *
acme(void)
{
	struct credset_place at;

	assert_true(credset_find(front_set(&fr), "acme", "main", &at));
	return credset_credential(front_set(&fr), at);
}

static bool
is_enabled(const char *tenant)
{
	return config_tenant_find(front_set(&fr)->config, tenant)->enabled;
}

/* ---- what it says ---- */

struct exchange {
	int fd;
	char text[65536];
	size_t len;
};

static bool
is_answered(void *arg)
{
	struct exchange *x = arg;
	ssize_t n = recv(x->fd, x->text + x->len, sizeof x->text - 1 - x->len, MSG_DONTWAIT);

	if (n > 0)
		x->len += (size_t)n;
	x->text[x->len] = 0;
	return n == 0; /* it closes when it has answered */
}

/* As a caller with this uid would be answered. */
static json_t *
get(const char *path, bool admin, int *status)
{
	AUTO_FREE struct exchange *x = calloc(1, sizeof *x);
	struct caller who = { .uid = front_set(&fr)->config->admin_uid };
	json_t *body = NULL;
	char text[256];
	int pair[2];

	assert_non_null(x);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(conn_open(&fr.callers, pair[0], &who, admin, NULL), RC_OK);
	x->fd = pair[1];
	snprintf(
	    text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	assert_int_equal(send(x->fd, text, strlen(text), 0), strlen(text));
	(void)turn_until(is_answered, x);
	close(x->fd);
	assert_int_equal(sscanf(x->text, "HTTP/1.1 %d ", status), 1);
	assert_non_null(strstr(x->text, "\r\n\r\n"));
	assert_int_equal(
	    jtext_read(span_str(strstr(x->text, "\r\n\r\n") + 4), &body, NULL), RC_OK);
	return body;
}

/* "main of acme": true or false and its first problem. */
static void
expect_signable(bool signable, const char *reason, const char *problem)
{
	int status = 0;
	json_auto_t *c = get("/v1/credentials/acme/main", true, &status);
	json_auto_t *ready = NULL;
	const json_t *first = json_array_get(json_object_get(c, "problems"), 0);

	assert_int_equal(status, 200);
	assert_string_equal(json_string_value(json_object_get(c, "state")), "ready");
	assert_int_equal(json_is_true(json_object_get(c, "signable")), signable);
	if (reason == NULL)
		assert_true(json_is_null(json_object_get(c, "reason")));
	else
		assert_string_equal(json_string_value(json_object_get(c, "reason")), reason);
	if (problem == NULL)
		assert_null(first);
	else
		assert_string_equal(
		    json_string_value(json_object_get(first, "problem")), problem);
	ready = get("/health/ready", true, &status);
	assert_int_equal(status, signable ? 200 : 503);
	assert_int_equal(json_is_true(json_object_get(ready, "ready")), signable);
	if (!signable && reason != NULL)
		assert_string_equal(
		    json_string_value(json_object_get(ready, "reason")), reason);
}

/* ---- a signer at the other end ---- */

struct signer {
	int fd;
	uint32_t generation;
	enum frame_code learn;
	size_t learnt;
};

static struct signer
attach_signer(uint32_t generation, enum frame_code learn)
{
	struct signer s = { .generation = generation, .learn = learn };
	struct frame_hello body = { .threads = 1, .pid = 4711 };
	struct frame hello = frame_make(FRAME_HELLO, generation, 0);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(hsm_attach(fr.desk.hsm, 0, 0, generation, pair[0], NULL), RC_OK);
	memcpy(hello.body, &body, sizeof body);
	assert_int_equal(frame_send(pair[1], &hello, NULL), RC_OK);
	s.fd = pair[1];
	return s;
}

/* It has answered what it was asked to learn, and the front has read that. */
static bool
is_served(void *arg)
{
	struct signer *s = arg;
	struct frame frame;
	bool before = s->learnt > 0;

	while (frame_recv(s->fd, &frame, NULL) == RC_OK) {
		if (frame.op == FRAME_LEARN) {
			s->learnt++;
			frame.code = (uint8_t)s->learn;
		}
		assert_int_equal(frame_send(s->fd, &frame, NULL), RC_OK);
	}
	return before;
}

static bool
is_down(void *arg)
{
	(void)arg;
	return !hsm_token_up(fr.desk.hsm, 0);
}

static void
serve_until_taught(struct signer *s)
{
	(void)turn_until(is_served, s);
	for (int i = 0; i < 10; i++)
		assert_int_equal(loop_turn(fr.loop, 1, NULL), RC_OK);
}

/* ---- tests ---- */

/*
 * A certificate is no use while its key cannot be had, and why is another
 * matter for the operator: the token is down, it has lost the key, or the key
 * is still on its way.
 */
static void
signable_is_what_it_says(void **state)
{
	AUTO_BUF pem = BUF_INIT(65536);
	struct signer s;

	(void)state;
	certificate(&pem, "10");
	assert_int_equal(store_write(FILE_PATH, buf_view(&pem), 0600, NULL), RC_OK);
	reload_at_once();
	expect_signable(false, "hsm_unavailable", "token_down");
	s = attach_signer(1, FRAME_NO_KEY);
	serve_until_taught(&s);
	expect_signable(false, "hsm_unavailable", "key_missing");
	close(s.fd);
	(void)turn_until(is_down, NULL);
	expect_signable(false, "hsm_unavailable", "token_down");
	s = attach_signer(2, FRAME_KEY_REFUSED);
	serve_until_taught(&s);
	expect_signable(false, "hsm_unavailable", "key_refused");
	close(s.fd);
	(void)turn_until(is_down, NULL);
	s = attach_signer(3, FRAME_OK);
	serve_until_taught(&s);
	expect_signable(true, NULL, NULL);
	/* Nothing is signed for a tenant that is disabled, however well its token is. */
	bworld_tenant("acme", "enabled = no\n" TENANT(""));
	reload_at_once();
	expect_signable(false, NULL, NULL);
	close(s.fd);
}

/* No signer is there, so nothing is ever learnt: only an install waits, and not before a reload. */
static void
disabling_does_not_wait(void **state)
{
	AUTO_BUF pem = BUF_INIT(65536);
	json_auto_t *answer = NULL;

	(void)state;
	certificate(&pem, "10");
	answer = json_pack("{s:i,s:s,s:s,s:s,s:s}", "id", 2, "op", "install", "tenant", "acme",
	    "name", "main", "chain", buf_text(&pem));
	assert_int_equal(channel_send(renewer, answer, NULL), RC_OK);
	json_decref(answer);
	answer = NULL;
	(void)turn_until(is_waiting, NULL);
	bworld_tenant("beta", "enabled = no numbers = { \"13035550100\" }\n");
	assert_true(is_enabled("beta"));
	reload_at_once();
	assert_false(is_enabled("beta"));
	assert_int_equal(acme()->state, CREDENTIAL_PENDING);
	(void)turn_until(has_message, &answer);
	assert_int_equal(json_integer_value(json_object_get(answer, "id")), 2);
	assert_string_equal(json_string_value(json_object_get(answer, "reason")), "overloaded");
	/* A credential whose key nobody has learnt does not hold it up either. */
	assert_int_equal(store_write(FILE_PATH, buf_view(&pem), 0600, NULL), RC_OK);
	bworld_tenant("beta", "numbers = { \"13035550100\" }\n");
	reload_at_once();
	assert_true(is_enabled("beta"));
	assert_int_equal(acme()->state, CREDENTIAL_READY);
	assert_false(hsm_ready(fr.desk.hsm, acme()->token, acme()->key_id));
}

/* ---- refusals in the trail ---- */

static size_t
count_in_trail(const char *needle)
{
	glob_t found = { 0 };
	AUTO_BUF text = BUF_INIT(4 * 1024 * 1024);
	size_t n = 0;

	assert_int_equal(glob("audit/audit-*.jsonl", 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	assert_int_equal(store_read(found.gl_pathv[0], text.max, &text, NULL), RC_OK);
	globfree(&found);
	for (const char *p = buf_text(&text); (p = strstr(p, needle)) != NULL; p++)
		n++;
	return n;
}

static bool
is_on_disk(void *arg)
{
	(void)arg;
	return count_in_trail("\"request_id\":\"later\"") > 0;
}

enum { FLOOD = JOURNAL_UNNAMED_PER_S + 200 };

/* A caller whose requests lead to no tenant has no tenant's rate: the trail bounds him. */
static void
a_flood_is_counted(void **state)
{
	struct conn *c = calloc(1, sizeof *c);
	struct sign_request r = { .request_id = "unnamed" };
	struct decision x = { 0 };
	struct fault why = { 0 };
	int64_t until_ms = loop_now_ms(fr.loop) + 1200;

	(void)state;
	assert_non_null(c);
	c->view.any = true;
	(void)REFUSE(&why, RC_DENIED, TN_NOT_AUTHORIZED, "orig", "not a number of yours");
	for (int i = 0; i < FLOOD; i++)
		journal_refused(&fr.desk, c, &r, &x, &why);
	/* One that names its tenant is recorded all the same. */
	x.tenant = &front_set(&fr)->config->tenant[0];
	r.request_id = "named";
	journal_refused(&fr.desk, c, &r, &x, &why);
	while (loop_now_ms(fr.loop) < until_ms)
		assert_int_equal(loop_turn(fr.loop, 10, NULL), RC_OK);
	x.tenant = NULL;
	r.request_id = "later";
	journal_refused(&fr.desk, c, &r, &x, &why);
	(void)turn_until(is_on_disk, NULL);
	assert_int_equal(count_in_trail("\"request_id\":\"unnamed\""), JOURNAL_UNNAMED_PER_S);
	assert_int_equal(count_in_trail("\"request_id\":\"named\""), 1);
	assert_int_equal(count_in_trail("\"request_id\":\"later\""), 1);
	assert_int_equal(
	    count_in_trail("\"reasons\":{\"tn_not_authorized\":200},\"count\":200"), 1);
	free(c);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    disabling_does_not_wait, open_front, close_front),
		cmocka_unit_test_setup_teardown(a_flood_is_counted, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    signable_is_what_it_says, open_front, close_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
