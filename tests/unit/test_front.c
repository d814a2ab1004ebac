/* The front's loop with its builder and without a signer: what waits for a key, and what does not. */
#include "agent/front/front.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "agent/channel.h"
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

/* ---- tests ---- */

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    disabling_does_not_wait, open_front, close_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
