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

#define PATH_OF(name) "state/front/tenants/acme/" name "/current.pem"
#define FILE_PATH     PATH_OF("main")
#define TENANT(more)  more "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("atis-delegate", "")
/* Of other numbers, or with a key in each of two tokens. */
#define OTHERS(numbers) "numbers = { " numbers " }\n" BWORLD_DELEGATE("atis-delegate", "")
#define IN_BOTH \
	"credential \"main\" { profile = \"atis-delegate\" ca = \"lab\"\n" \
	"  token = { \"main\", \"second\" } authority = \"numbers\"\n" \
	"  x5u = \"https://127.1.2.3:8443/certs/\" publish_dir = \"www\" }\n"
#define TWICE(more) more "numbers = { \"12025550100\" }\n" IN_BOTH

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

static void
open_with(const char *acme)
{
	struct fault f = { 0 };
	int pair[2];

	memset(&fr, 0, sizeof fr);
	take_descriptors();
	bworld_tenant("acme", acme);
	bworld_tenant("beta", "numbers = { \"13035550100\" }\n");
	assert_int_equal(mkdir("audit", 0700), 0);
	if (front_open(&fr, "vesperd.conf", &f) != RC_OK)
		fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
	builder_attach_admin(fr.builder, 0, softadmin_connect(world.admin, 1), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	builder_attach_renewer(fr.builder, pair[0]);
	renewer = pair[1];
}

static int
open_front(void **state)
{
	(void)state;
	bworld_open(&world);
	open_with(TENANT(""));
	return 0;
}

/* The same with a second token, and acme's credential in both. */
static int
open_two_tokens(void **state)
{
	FILE *conf;

	(void)state;
	bworld_open(&world);
	conf = fopen("vesperd.conf", "a");
	assert_non_null(conf);
	fputs("token \"second\" { module = \"/usr/lib/softhsm/libsofthsm2.so\"\n"
	      "  label = \"second\" pin = \"file:pin\" lock_file = \"second.lock\" }\n",
	    conf);
	assert_int_equal(fclose(conf), 0);
	open_with(TWICE(""));
	builder_attach_admin(fr.builder, 1, softadmin_connect(world.admin, 2), 2);
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

/* A certificate for the request of this credential of acme's. */
static void
certificate_of(const char *name, struct buf *pem, const char *serial)
{
	AUTO_BUF tnauth = BUF_INIT(4096), b64 = BUF_INIT(4096), der = BUF_INIT(65536);
	struct csr_facts facts;
	json_auto_t *answer = NULL;
	const char *csr;

	bworld_tnauth(&tnauth, "12025550100");
	b64_encode(&b64, B64_URL, buf_view(&tnauth));
	answer = ask(json_pack("{s:i,s:s,s:s,s:s,s:s,s:n}", "id", 1, "op", "csr", "tenant",
	    "acme", "name", name, "tnauthlist", buf_text(&b64), "constraints"));
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
certificate(struct buf *pem, const char *serial)
{
	certificate_of("main", pem, serial);
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
	size_t held;	   /* digests that it has not answered */
	struct frame last; /* of them */
};

static struct signer
attach_signer_of(unsigned token, uint32_t generation, enum frame_code learn)
{
	struct signer s = { .generation = generation, .learn = learn };
	struct frame_hello body = { .threads = 1, .pid = 4711 };
	struct frame hello = frame_make(FRAME_HELLO, generation, 0);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(hsm_attach(fr.desk.hsm, token, 0, generation, pair[0], NULL), RC_OK);
	memcpy(hello.body, &body, sizeof body);
	assert_int_equal(frame_send(pair[1], &hello, NULL), RC_OK);
	s.fd = pair[1];
	return s;
}

static struct signer
attach_signer(uint32_t generation, enum frame_code learn)
{
	return attach_signer_of(0, generation, learn);
}

/* It has answered what it was asked to learn, and the front has read that; digests it keeps. */
static bool
is_served(void *arg)
{
	struct signer *s = arg;
	struct frame frame;
	bool before = s->learnt > 0;

	while (frame_recv(s->fd, &frame, NULL) == RC_OK) {
		if (frame.op == FRAME_SIGN) {
			s->last = frame;
			s->held++;
			continue;
		}
		if (frame.op == FRAME_LOOK)
			frame.code = FRAME_NO_KEY; /* it has to search */
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
	const struct caller who = { .uid = 1 };
	struct sign_request r = { .request_id = "unnamed" };
	struct decision x = { 0 };
	struct fault why = { 0 };
	int64_t until_ms = loop_now_ms(fr.loop) + 1200;

	(void)state;
	(void)REFUSE(&why, RC_DENIED, TN_NOT_AUTHORIZED, "orig", "not a number of yours");
	for (int i = 0; i < FLOOD; i++)
		journal_refused(&fr.desk, &who, true, &r, &x, &why);
	/* One that names its tenant is recorded all the same. */
	x.tenant = &front_set(&fr)->config->tenant[0];
	r.request_id = "named";
	journal_refused(&fr.desk, &who, true, &r, &x, &why);
	while (loop_now_ms(fr.loop) < until_ms)
		assert_int_equal(loop_turn(fr.loop, 10, NULL), RC_OK);
	x.tenant = NULL;
	r.request_id = "later";
	journal_refused(&fr.desk, &who, true, &r, &x, &why);
	(void)turn_until(is_on_disk, NULL);
	assert_int_equal(count_in_trail("\"request_id\":\"unnamed\""), JOURNAL_UNNAMED_PER_S);
	assert_int_equal(count_in_trail("\"request_id\":\"named\""), 1);
	assert_int_equal(count_in_trail("\"request_id\":\"later\""), 1);
	assert_int_equal(
	    count_in_trail("\"reasons\":{\"tn_not_authorized\":200},\"count\":200"), 1);
}

/* ---- originals ---- */

enum rc __real_originals_verify(const struct originals *o, const struct original_policy *policy,
    size_t *verified, struct fault *f);
enum rc __wrap_originals_verify(const struct originals *o, const struct original_policy *policy,
    size_t *verified, struct fault *f);

static struct {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool shut;
} door = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

static void
set_door(bool shut)
{
	pthread_mutex_lock(&door.lock);
	door.shut = shut;
	pthread_cond_broadcast(&door.opened);
	pthread_mutex_unlock(&door.lock);
}

/* A verification that takes as long as the test wants. */
enum rc
__wrap_originals_verify(const struct originals *o, const struct original_policy *policy,
    size_t *verified, struct fault *f)
{
	pthread_mutex_lock(&door.lock);
	while (door.shut)
		pthread_cond_wait(&door.opened, &door.lock);
	pthread_mutex_unlock(&door.lock);
	return __real_originals_verify(o, policy, verified, f);
}

enum rc __real_proof_verify(const struct proof_input *in, json_t **claims, struct fault *f);
enum rc __wrap_proof_verify(const struct proof_input *in, json_t **claims, struct fault *f);

enum rc
__wrap_proof_verify(const struct proof_input *in, json_t **claims, struct fault *f)
{
	pthread_mutex_lock(&door.lock);
	while (door.shut)
		pthread_cond_wait(&door.opened, &door.lock);
	pthread_mutex_unlock(&door.lock);
	return __real_proof_verify(in, claims, f);
}

/* acme with this inside, for this user; and in force. */
static void
reload_acme(const char *inside)
{
	char text[1024];

	snprintf(text, sizeof text, "allow_user = { \"%u\" }\n%s", (unsigned)getuid(), inside);
	bworld_tenant("acme", text);
	reload_at_once();
}

/* acme/main signs: its certificate is in force, and a signer has its key. */
static struct signer
make_signable_with(const char *more)
{
	AUTO_BUF pem = BUF_INIT(65536);
	char inside[512];
	struct signer s;

	certificate(&pem, "10");
	assert_int_equal(store_write(FILE_PATH, buf_view(&pem), 0600, NULL), RC_OK);
	snprintf(inside, sizeof inside, "%s" TENANT(""), more);
	reload_acme(inside);
	s = attach_signer(1, FRAME_OK);
	serve_until_taught(&s);
	return s;
}

static struct signer
make_signable(void)
{
	return make_signable_with("");
}

/* Somebody's call to 12025550100, which goes on to 13035550100; its chain is elsewhere. */
static void
put_div(struct buf *body, int64_t iat_s)
{
	static const char header[] =
	    "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5u\":\"https://c.example/a.pem\"}";
	static const uint8_t none[ES256_SIG_LEN];
	AUTO_BUF token = BUF_INIT(4096);
	json_auto_t *claims = json_pack("{s:{s:[s]},s:I,s:{s:s}}", "dest", "tn", "12025550100",
	    "iat", (json_int_t)iat_s, "orig", "tn", "13035550199");

	assert_int_equal(passport_signing_input(&token, span_str(header), claims, NULL), RC_OK);
	buf_byte(&token, '.');
	b64_encode(&token, B64_URL, span_of(none, sizeof none));
	buf_printf(body,
	    "{\"ppt\":\"div\",\"claims\":{\"orig\":{\"tn\":\"13035550199\"},"
	    "\"dest\":{\"tn\":[\"13035550100\"]},\"div\":{\"tn\":\"12025550100\"}},"
	    "\"original\":[\"%s\"]}",
	    buf_text(&token));
}

static struct exchange *
ask_path(const char *path, const char *id, struct span body)
{
	struct exchange *x = calloc(1, sizeof *x);
	struct caller who = { .uid = getuid() };
	AUTO_BUF text = BUF_INIT(16384);
	int pair[2];

	assert_non_null(x);
	buf_printf(&text,
	    "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	    "Content-Type: application/json\r\nX-RequestID: %s\r\nContent-Length: %zu\r\n\r\n",
	    path, id, body.len);
	buf_span(&text, body);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(conn_open(&fr.callers, pair[0], &who, false, NULL), RC_OK);
	x->fd = pair[1];
	assert_int_equal(send(x->fd, text.ptr, text.len, 0), text.len);
	return x;
}

static struct exchange *
ask_body(const char *id, struct span body)
{
	return ask_path("/v1/passports?dry_run=1", id, body);
}

static struct exchange *
ask_div(const char *id, int64_t iat_s)
{
	AUTO_BUF body = BUF_INIT(8192);

	put_div(&body, iat_s);
	return ask_body(id, buf_view(&body));
}

static bool
is_put_off(void *arg)
{
	(void)arg;
	return fr.desk.waits != NULL;
}

static bool
is_nothing_left(void *arg)
{
	(void)arg;
	return fr.desk.waits == NULL && fr.desk.batches == NULL && fr.callers.open == 0;
}

static bool
is_all_closed(void *arg)
{
	(void)arg;
	return fr.callers.open == 0;
}

static bool
is_in_trail(void *arg)
{
	return count_in_trail(arg) > 0;
}

/* Turn until it is answered, and read what. */
static void
expect_answer(struct exchange *x, const char *line, const char *part)
{
	(void)turn_until(is_answered, x);
	if (strncmp(x->text, line, strlen(line)) != 0 || strstr(x->text, part) == NULL)
		fail_msg("%s", x->text);
	close(x->fd);
	free(x);
}

/* The loop serves others meanwhile; then the decision is as it would have been. */
static void
originals_wait_elsewhere(void **state)
{
	struct signer s = make_signable();
	struct exchange *x;
	int status = 0;

	(void)state;
	set_door(true);
	x = ask_div("good", time(NULL));
	(void)turn_until(is_put_off, NULL);
	json_decref(get("/health/live", false, &status));
	assert_int_equal(status, 200);
	assert_int_equal(count_in_trail("\"request_id\":\"good\""), 0);
	set_door(false);
	expect_answer(x, "HTTP/1.1 200 ", "\"dry_run\":true");
	(void)turn_until(is_nothing_left, NULL);
	(void)turn_until(is_in_trail, (void *)(uintptr_t) "\"request_id\":\"good\"");
	assert_int_equal(count_in_trail("\"originals\":1,\"originals_verified\":0"), 1);
	assert_int_equal(count_in_trail("\"originals\":"), 1);
	config_tenant_find(front_set(&fr)->config, "acme")->credential->original_check =
	    ORIGINAL_CACHED; /* not const in there */
	expect_answer(ask_div("bad", time(NULL)), "HTTP/1.1 403 ", "original_invalid");
	(void)turn_until(is_in_trail, (void *)(uintptr_t) "\"request_id\":\"bad\"");
	assert_int_equal(count_in_trail("\"reason\":\"original_invalid\""), 1);
	close(s.fd);
}

static void
originals_have_a_deadline(void **state)
{
	struct signer s = make_signable();
	struct config *c = (struct config *)(uintptr_t)front_set(&fr)->config;

	(void)state;
	c->request_timeout_ms = 50;
	set_door(true);
	expect_answer(ask_div("late", time(NULL)), "HTTP/1.1 503 ", "overloaded");
	assert_null(fr.desk.batches); /* the verifier may still read it */
	set_door(false);
	(void)turn_until(is_nothing_left, NULL);
	close(s.fd);
}

/*
 * Its caller is gone, and so is the tenant that it was judged by: it ends all
 * the same, and what was confirmed meanwhile stands (D-60).
 */
static void
originals_outlive_caller_and_set(void **state)
{
	struct signer s = make_signable();
	struct exchange *x;

	(void)state;
	set_door(true);
	x = ask_div("left", time(NULL));
	(void)turn_until(is_put_off, NULL);
	close(x->fd);
	free(x);
	(void)turn_until(is_all_closed, NULL);
	bworld_tenant("acme", NULL);
	bworld_tenant("beta", NULL);
	bworld_tenant("gamma", "numbers = { \"13035550100\" }\n");
	reload_at_once();
	set_door(false);
	(void)turn_until(is_nothing_left, NULL);
	(void)turn_until(is_in_trail, (void *)(uintptr_t) "\"overloaded\":1");
	assert_int_equal(count_in_trail("\"event\":\"dry_run\""), 0);
	close(s.fd);
}

/* close_front() finds one that is verified and not yet answered, or not even verified. */
static void
originals_at_the_end(void **state)
{
	struct signer s = make_signable();

	(void)state;
	set_door(true);
	for (int i = 0; i < 3; i++) {
		struct exchange *x = ask_div("end", time(NULL));

		(void)turn_until(is_put_off, NULL);
		close(x->fd);
		free(x);
	}
	assert_int_equal(loop_turn(fr.loop, 5, NULL), RC_OK);
	assert_non_null(fr.desk.waits);
	set_door(false);
	close(s.fd);
}

/* ---- delegates' PASSporTs ---- */

#define PROOFS \
	"attestation { listed = \"A\" delegate_proof = \"A\" delegate_profile = " \
	"\"atis-delegate\" }\n"

/* Its class does not sign it: the decision is seen by that. */
static struct exchange *
ask_shaken(const char *id)
{
	static const char body[] =
	    "{\"tenant\":\"acme\",\"ppt\":\"shaken\",\"delegate\":\"a.b.c\",\"claims\":{"
	    "\"orig\":{\"tn\":\"12025550100\"},\"dest\":{\"tn\":[\"13035550100\"]},"
	    "\"attest\":\"A\",\"origid\":\"123e4567-e89b-12d3-a456-426655440000\"}}";

	return ask_body(id, span_of(body, sizeof body - 1));
}

static bool
is_proving(void *arg)
{
	(void)arg;
	return fr.desk.proves != NULL;
}

static bool
is_nothing_proved(void *arg)
{
	return fr.desk.proves == NULL && is_nothing_left(arg);
}

static bool
is_batch_there(void *arg)
{
	(void)arg;
	return fr.callers.open == 1 && fr.callers.busy == 1;
}

/* The loop serves others meanwhile, and nothing is decided before. */
static void
proofs_wait_elsewhere(void **state)
{
	struct signer s = make_signable_with(PROOFS);
	struct exchange *x;
	int status = 0;

	(void)state;
	set_door(true);
	x = ask_shaken("proof");
	(void)turn_until(is_proving, NULL);
	json_decref(get("/health/live", false, &status));
	assert_int_equal(status, 200);
	assert_int_equal(count_in_trail("\"request_id\":\"proof\""), 0);
	set_door(false);
	expect_answer(x, "HTTP/1.1 403 ", "no_credential");
	(void)turn_until(is_nothing_proved, NULL);
	(void)turn_until(is_in_trail, (void *)(uintptr_t) "\"request_id\":\"proof\"");
	assert_int_equal(count_in_trail("\"delegate\":true"), 1);
	close(s.fd);
}

static void
proofs_have_a_deadline(void **state)
{
	struct signer s = make_signable_with(PROOFS);
	struct config *c = (struct config *)(uintptr_t)front_set(&fr)->config;

	(void)state;
	c->request_timeout_ms = 50;
	set_door(true);
	expect_answer(ask_shaken("late"), "HTTP/1.1 503 ", "overloaded");
	assert_null(fr.desk.batches); /* the verifier may still read it */
	set_door(false);
	(void)turn_until(is_nothing_proved, NULL);
	close(s.fd);
}

/* Who has gone has asked for nothing; what was verified by other rules counts for nothing. */
static void
proofs_of_before(void **state)
{
	struct signer s = make_signable_with(PROOFS);
	struct exchange *gone, *x;

	(void)state;
	set_door(true);
	gone = ask_shaken("gone");
	(void)turn_until(is_proving, NULL);
	close(gone->fd);
	free(gone);
	(void)turn_until(is_all_closed, NULL);
	x = ask_shaken("before");
	(void)turn_until(is_batch_there, NULL);
	reload_at_once();
	set_door(false);
	expect_answer(x, "HTTP/1.1 503 ", "the configuration changed");
	(void)turn_until(is_nothing_proved, NULL);
	(void)turn_until(is_in_trail, (void *)(uintptr_t) "\"overloaded\":1");
	assert_int_equal(count_in_trail("\"request_id\":\"gone\""), 0);
	close(s.fd);
}

/* close_front() finds them in whatever state they are. */
static void
proofs_at_the_end(void **state)
{
	struct signer s = make_signable_with(PROOFS);

	(void)state;
	set_door(true);
	for (int i = 0; i < 3; i++) {
		struct exchange *x = ask_shaken("end");

		(void)turn_until(is_proving, NULL);
		close(x->fd);
		free(x);
	}
	assert_int_equal(loop_turn(fr.loop, 5, NULL), RC_OK);
	assert_non_null(fr.desk.proves);
	set_door(false);
	close(s.fd);
}

/* ---- who names no tenant ---- */

/* It may be any of them: the record has the one that refused, and what one keeps private not. */
static void
a_guess_is_recorded(void **state)
{
	static const char body[] = "{\"claims\":{\"orig\":{\"tn\":\"12025550100\"},\"dest\":{"
				   "\"tn\":[\"13035550100\"]},"
				   "\"guessed\":\"value\"}}";
	struct signer s = make_signable();
	char beta[128];

	(void)state;
	snprintf(beta, sizeof beta, "allow_user = { \"%u\" } numbers = { \"13035550100\" }\n",
	    (unsigned)getuid());
	bworld_tenant("beta", beta);
	reload_at_once();
	expect_answer(ask_path("/v1/passports", "guess", span_of(body, sizeof body - 1)),
	    "HTTP/1.1 400 ", "unknown_claim");
	(void)turn_until(is_in_trail, (void *)(uintptr_t) "\"request_id\":\"guess\"");
	assert_int_equal(count_in_trail("\"event\":\"refuse\",\"tenant\":\"acme\""), 1);
	assert_int_equal(count_in_trail("guessed\":"), 0);
	close(s.fd);
}

/* ---- what a certificate may keep private (V-51) ---- */

static const struct {
	const char *name;
	enum credential_state state;
	bool salts, is_told;
} hiding[] = {
	{ "no certificate yet", CREDENTIAL_PENDING, false, true },
	{ "no certificate yet, but salts", CREDENTIAL_PENDING, true, false },
	{ "not looked at yet", CREDENTIAL_LOADING, false, false },
	{ "revoked", CREDENTIAL_REVOKED, false, false },
	{ "refused", CREDENTIAL_UNUSABLE, false, true },
	{ "refused, and salts", CREDENTIAL_UNUSABLE, true, false },
};

static void
drop_set(void *arg, struct credset *set)
{
	(void)arg;
	credset_release(set);
}

/* The set in force, but for its first credential's state: one that the loop has alone. */
static struct snapshot *
set_with(enum credential_state is, struct credential **c)
{
	struct credset *set = NULL;
	struct snapshot *own;
	struct fault f = { 0 };

	assert_int_equal(credset_copy(front_set(&fr), &set, &f), RC_OK);
	assert_int_equal(credential_new("acme", "main", is, c, &f), RC_OK);
	(*c)->token = set->slot[0]->token;
	(*c)->profile = set->slot[0]->profile;
	credential_release(set->slot[0]);
	set->slot[0] = *c;
	own = snapshot_new(set, drop_set, NULL);
	assert_non_null(own);
	return own;
}

/* The configuration names no constraints: what the certificate hides may not be known. */
static void
what_may_be_private_is_not_told(void **state)
{
	static const char told[] = "\"claims\":{\"secret\":";
	const struct config_tenant *t = config_tenant_find(front_set(&fr)->config, "acme");
	struct credential *c = NULL;
	struct snapshot *was = fr.desk.now;
	json_auto_t *claims = json_pack("{s:s}", "secret", "value");
	const struct caller who = { .uid = 1 };
	struct decision x = { .tenant = t, .prepared = true, .passport.claims = claims };
	struct fault why = { 0 };

	(void)state;
	assert_ptr_equal(front_set(&fr)->config->tenant, t);
	(void)REFUSE(&why, RC_DENIED, TN_NOT_AUTHORIZED, "orig", "not a number of yours");
	for (size_t i = 0; i < ARRAY_LEN(hiding); i++) {
		struct sign_request r = { .request_id = hiding[i].name };
		size_t before = count_in_trail(told);
		char id[64];

		fr.desk.now = set_with(hiding[i].state, &c);
		x.set = front_set(&fr);
		t->credential->salts.text = hiding[i].salts ? (char[]){ "file:salts" } : NULL;
		journal_refused(&fr.desk, &who, true, &r, &x, &why);
		snprintf(id, sizeof id, "\"request_id\":\"%s\"", hiding[i].name);
		(void)turn_until(is_in_trail, id);
		if (count_in_trail(told) - before != hiding[i].is_told)
			fail_msg("%s: told or not", hiding[i].name);
		snapshot_leave(fr.desk.now);
		fr.desk.now = was;
	}
	t->credential->salts.text = NULL;
}

/* ---- what is confirmed while a token signs (D-60) ---- */

static struct exchange *
ask_to_sign(const char *id)
{
	static const char body[] = "{\"claims\":{\"orig\":{\"tn\":"
				   "\"12025550100\"},\"dest\":{\"tn\":[\"13035550100\"]}}}";

	return ask_path("/v1/passports", id, span_of(body, sizeof body - 1));
}

static bool
is_holding(void *arg)
{
	struct signer *s = arg;

	(void)is_served(s);
	return s->held > 0;
}

/* Whatever it is, it is base64url in the answer. */
static void
let_go(struct signer *s)
{
	s->last.code = FRAME_OK;
	memset(s->last.body, 0x5a, sizeof s->last.body);
	assert_int_equal(frame_send(s->fd, &s->last, NULL), RC_OK);
	s->held = 0;
}

static const struct {
	const char *name, *acme, *beta; /* NULL: removed */
	bool signs;
} confirmed[] = {
	{ "as it was", TENANT(""), "numbers = { \"13035550100\" }\n", true },
	{ "another tenant", TENANT(""), "numbers = { \"13035550101\" }\n", true },
	{ "another tenant gone", TENANT(""), NULL, true },
	{ "a rule", TENANT("rate = 7\n"), NULL, true },
	{ "another number", OTHERS("\"12025550100\", \"12025550101\""), NULL, true },
	{ "the number removed", OTHERS("\"12025550101\""), NULL, false },
	{ "the number among others", OTHERS("\"12025550000-12025550099\""), NULL, false },
	{ "the tenant disabled", TENANT("enabled = no\n"), NULL, false },
	{ "the credential gone", "numbers = { \"12025550100\" }\n", NULL, false },
};

#define FAILED "\"event\":\"sign_failed\""

static bool
are_told(void *arg)
{
	return count_in_trail(FAILED) >= *(const size_t *)arg;
}

/* D-60: the signature comes after the reload is confirmed.  Is it given out? */
static void
what_was_confirmed_is_not_signed(void **state)
{
	struct signer s = make_signable();
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(confirmed); i++) {
		struct exchange *x = ask_to_sign("confirmed");

		(void)turn_until(is_holding, &s);
		bworld_tenant("beta", confirmed[i].beta);
		reload_acme(confirmed[i].acme);
		let_go(&s);
		failed += !confirmed[i].signs;
		expect_answer(x, confirmed[i].signs ? "HTTP/1.1 200 " : "HTTP/1.1 503 ",
		    confirmed[i].signs ? "\"passport\":" : "overloaded");
		(void)turn_until(is_nothing_left, NULL);
		reload_acme(TENANT(""));
	}
	assert_int_equal(count_in_trail("\"event\":\"sign\""), ARRAY_LEN(confirmed));
	(void)turn_until(are_told, &failed); /* the last one among them */
	assert_int_equal(count_in_trail(FAILED), failed);
	close(s.fd);
}

/* What the number authority refuses is not given out either, nor begun. */
static void
a_right_that_is_withdrawn_is_not_signed(void **state)
{
	struct signer s = make_signable();
	struct credential *c = credset_credential(front_set(&fr), (struct credset_place){ 0 });
	struct exchange *x = ask_to_sign("withdrawn");

	(void)state;
	(void)turn_until(is_holding, &s);
	atomic_store(&c->rtu_stop_at_s, 1);
	let_go(&s);
	expect_answer(x, "HTTP/1.1 403 ", "\"reason\":\"rtu_withdrawn\"");
	expect_answer(ask_to_sign("refused"), "HTTP/1.1 403 ", "\"reason\":\"rtu_withdrawn\"");
	expect_signable(false, NULL, NULL);
	atomic_store(&c->rtu_stop_at_s, INT64_MAX); /* not yet */
	x = ask_to_sign("not yet");
	(void)turn_until(is_holding, &s);
	let_go(&s);
	expect_answer(x, "HTTP/1.1 200 ", "\"passport\":");
	atomic_store(&c->rtu_stop_at_s, 0);
	close(s.fd);
}

/* ---- a start: what is not looked at yet ---- */

static void
what_is_loading_is_asked_for_again(void **state)
{
	struct signer s = make_signable();
	struct credential *c = NULL;
	struct snapshot *was = fr.desk.now;
	int status = 0;
	json_auto_t *shown = NULL, *ready = NULL;
	struct exchange *x;

	(void)state;
	fr.desk.now = set_with(CREDENTIAL_LOADING, &c);
	expect_answer(ask_to_sign("early"), "HTTP/1.1 503 ", "\"reason\":\"overloaded\"");
	expect_answer(ask_to_sign("again"), "HTTP/1.1 503 ", "Retry-After: ");
	assert_true(atomic_load(&c->asked_for)); /* it goes first */
	shown = get("/v1/credentials/acme/main", false, &status);
	assert_int_equal(status, 200);
	assert_string_equal(json_string_value(json_object_get(shown, "state")), "loading");
	assert_true(json_is_false(json_object_get(shown, "signable")));
	ready = get("/health/ready", false, &status);
	assert_int_equal(status, 503);
	assert_string_equal(json_string_value(json_object_get(ready, "reason")), "overloaded");
	snapshot_leave(fr.desk.now);
	fr.desk.now = was;
	x = ask_to_sign("loaded");
	(void)turn_until(is_holding, &s);
	let_go(&s);
	expect_answer(x, "HTTP/1.1 200 ", "\"passport\":");
	close(s.fd);
}

static bool
is_job_over(void *arg)
{
	return front_job(&fr, *(const uint64_t *)arg)->state != JOB_RUNNING;
}

/* By command, and confirmed. */
static void
command(enum hand kind, json_t *body)
{
	struct fault f = { 0 };
	uint64_t id = front_hand(&fr, kind, "acme", NULL, body, 0, &f);

	assert_true(id != 0);
	(void)turn_until(is_job_over, &id);
	if (front_job(&fr, id)->state != JOB_DONE)
		fail_msg("%s", front_job(&fr, id)->fault.detail);
}

static void
change_numbers(const char *verb, const char *number)
{
	command(HAND_NUMBERS, json_pack("{s:[s]}", verb, number));
}

static const struct {
	const char *verb, *number;
	bool signs;
} moved[] = {
	{ "add", "12025550107", true },
	{ "remove", "12025550107", true },
	{ "remove", "12025550100", false },
};

/* D-60: what is at the token when a command is confirmed is given out by what it says. */
static void
a_number_that_has_moved_is_not_signed(void **state)
{
	struct signer s = make_signable();
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moved); i++) {
		struct exchange *x = ask_to_sign("moved");

		(void)turn_until(is_holding, &s);
		change_numbers(moved[i].verb, moved[i].number);
		let_go(&s);
		failed += !moved[i].signs;
		expect_answer(x, moved[i].signs ? "HTTP/1.1 200 " : "HTTP/1.1 503 ",
		    moved[i].signs ? "\"passport\":" : "overloaded");
		(void)turn_until(is_nothing_left, NULL);
	}
	expect_answer(ask_to_sign("gone"), "HTTP/1.1 403 ", "tn_not_authorized");
	(void)turn_until(are_told, &failed);
	assert_int_equal(count_in_trail(FAILED), failed);
	assert_int_equal(count_in_trail("\"event\":\"numbers_removed\""), 2);
	assert_int_equal(count_in_trail("\"operation\":\"numbers\""), ARRAY_LEN(moved));
	close(s.fd);
}

/* What is at the token when a tenant's end is confirmed is not given out, nor begun. */
static void
a_tenant_that_has_ended_is_not_signed(void **state)
{
	struct signer s = make_signable();
	struct exchange *x = ask_to_sign("ended");
	size_t failed = 1;

	(void)state;
	(void)turn_until(is_holding, &s);
	command(HAND_OFFBOARD, json_pack("{s:s}", "confirm", "acme"));
	let_go(&s);
	expect_answer(x, "HTTP/1.1 503 ", "overloaded");
	expect_answer(ask_to_sign("over"), "HTTP/1.1 403 ", "\"reason\":\"tenant_disabled\"");
	(void)turn_until(are_told, &failed);
	assert_int_equal(count_in_trail("\"event\":\"offboard\""), 1);
	assert_int_equal(count_in_trail("\"operation\":\"offboard\""), 1);
	command(HAND_TAKE_BACK, NULL);
	/* Its certificate may be revoked by now, and it is a tenant again. */
	assert_true(config_tenant_find(front_set(&fr)->config, "acme")->enabled);
	close(s.fd);
}

/* -1: null. */
static void
expect_listed(const char *query, const json_int_t want[4], size_t rows)
{
	static const char *const names[] = { "count", "added", "removed", "pending" };
	char path[128];
	int status = 0;
	json_auto_t *list = NULL;

	snprintf(path, sizeof path, "/v1/tenants/acme/numbers%s", query);
	list = get(path, true, &status);
	assert_int_equal(status, 200);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const json_t *value = json_object_get(list, names[i]);

		assert_true(want[i] < 0 ? json_is_null(value) : json_is_integer(value));
		if (want[i] >= 0)
			assert_int_equal(json_integer_value(value), want[i]);
	}
	assert_int_equal(json_array_size(json_object_get(list, "numbers")), rows);
}

/* What is counted over a whole tenant is with the first page. */
static void
numbers_are_counted_once(void **state)
{
	struct signer s = make_signable();

	(void)state;
	expect_listed("", (json_int_t[]){ 1, 0, 0, 0 }, 1);
	change_numbers("add", "12025550102-12025550103");
	change_numbers("remove", "12025550100");
	expect_listed("", (json_int_t[]){ 2, 2, 1, 2 }, 1);
	expect_listed("?after=12025550100", (json_int_t[]){ 2, -1, -1, -1 }, 1);
	expect_listed("?after=12025550102", (json_int_t[]){ 2, -1, -1, -1 }, 0);
	close(s.fd);
}

/* The same while its originals are verified. */
static void
a_number_that_has_moved_waits_for_nothing(void **state)
{
	struct signer s = make_signable();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moved); i++) {
		struct exchange *x;

		set_door(true);
		x = ask_div("waits", time(NULL));
		(void)turn_until(is_put_off, NULL);
		change_numbers(moved[i].verb, moved[i].number);
		set_door(false);
		expect_answer(x, moved[i].signs ? "HTTP/1.1 200 " : "HTTP/1.1 503 ",
		    moved[i].signs ? "\"dry_run\":true" : "while the originals were verified");
		(void)turn_until(is_nothing_left, NULL);
	}
	close(s.fd);
}

/* And while a delegate's PASSporT is: by the same rules, of which only numbers moved. */
static void
proofs_outlive_a_number(void **state)
{
	struct signer s = make_signable_with("rate = 1\n" PROOFS);
	struct exchange *x;

	(void)state;
	set_door(true);
	x = ask_shaken("proof");
	(void)turn_until(is_proving, NULL);
	change_numbers("add", "12025550107");
	set_door(false);
	expect_answer(x, "HTTP/1.1 403 ", "no_credential"); /* not rate_limited: charged once */
	(void)turn_until(is_nothing_proved, NULL);
	close(s.fd);
}

/* The one that the digest is at, once it is; *other: the one beside it. */
static struct signer *
holder(struct signer s[2], struct signer **other)
{
	while (!is_holding(&s[0]) && !is_holding(&s[1]))
		assert_int_equal(loop_turn(fr.loop, 5, NULL), RC_OK);
	*other = s[0].held > 0 ? &s[1] : &s[0];
	return s[0].held > 0 ? &s[0] : &s[1];
}

/* D-60: nor does it go to another token. */
static void
what_was_confirmed_does_not_move(void **state)
{
	static const struct {
		const char *acme;
		bool moves;
	} rows[] = { { TWICE("rate = 7\n"), true },
		{ "numbers = { \"12025550101\" }\n" IN_BOTH, false },
		{ TWICE("enabled = no\n"), false }, { TENANT(""), false } };
	static const char *const names[] = { "main.main", "main.second" };
	static const char *const files[] = { PATH_OF("main.main"), PATH_OF("main.second") };
	uint32_t generation = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO_BUF pem = BUF_INIT(65536);

		certificate_of(names[i], &pem, i == 0 ? "10" : "11");
		assert_int_equal(store_write(files[i], buf_view(&pem), 0600, NULL), RC_OK);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct signer s[2], *at, *other;
		struct exchange *x;

		reload_acme(TWICE(""));
		for (unsigned t = 0; t < 2; t++) {
			s[t] = attach_signer_of(t, generation++, FRAME_OK);
			serve_until_taught(&s[t]);
		}
		x = ask_to_sign("moved");
		at = holder(s, &other);
		reload_acme(rows[i].acme);
		close(at->fd);
		if (rows[i].moves) {
			(void)turn_until(is_holding, other);
			let_go(other);
		}
		expect_answer(x, rows[i].moves ? "HTTP/1.1 200 " : "HTTP/1.1 503 ", "");
		(void)turn_until(is_nothing_left, NULL);
		(void)is_served(other);
		assert_int_equal(other->held, 0);
		close(other->fd);
	}
	(void)turn_until(is_in_trail, (void *)(uintptr_t)FAILED);
	assert_int_equal(count_in_trail("\"event\":\"sign_again\""), 1);
}

/* ---- a program in the renewer's place ---- */

/* What is no question: passed over, or refused to nobody. */
static const char *const rubbish[] = { "x", "null", "[1]", "7", "{\"id\":1", "{}{}",
	"{\"id\":1,\"id\":2,\"op\":\"plan\"}", "{\"id\":1,\"op\":\"pl\\u0000an\"}",
	"{\"id\":1.5,\"op\":\"plan\"}", "\xff\xfe{\"id\":1,\"op\":\"plan\"}" };

#define ID   "0000000000000000000000000000000000000000000000000000000000000000"
#define MAIN "\"tenant\":\"acme\",\"name\":\"main\""
#define AT(op, url) \
	"{\"id\":1,\"op\":\"" op "\",\"ca\":\"lab\",\"kid\":\"https://127.1.2.3:14000/a/1\"," \
	"\"nonce\":\"n\",\"url\":\"" url "\""
#define LAB(op) AT(op, "https://127.1.2.3:14000/x")
/* SPC "1234", which no tenant is configured with. */
#define OTHERS_LIST "\"tnauthlist\":\"MAigBhYEMTIzNA\",\"constraints\":null"

static const struct {
	const char *name, *text, *reason;
} usurped[] = {
	{ "a digest", "{\"id\":1,\"op\":\"sign\",\"digest\":\"00\"}", "not_found" },
	{ "a PASSporT", "{\"id\":1,\"op\":\"passport\"," MAIN "}", "not_found" },
	{ "a revocation", LAB("revoke") "}", "not_found" },
	{ "a key change", LAB("key-change") "}", "not_found" },
	{ "a deactivation", LAB("deactivate") "}", "not_found" },
	{ "a revocation that nobody asked for", LAB("errand") ",\"errand\":\"" ID "\"}",
	    "no_errand" },
	{ "a change of an account that nobody asked for",
	    LAB("errand") ",\"errand\":\"account/lab\"}", "no_errand" },
	{ "a change of an account that was not made",
	    "{\"id\":1,\"op\":\"errand-done\",\"errand\":\"account/lab\",\"final\":true,"
	    "\"reason\":null,\"detail\":null}",
	    "no_errand" },
	{ "an answer that nobody waits for",
	    "{\"id\":1,\"op\":\"errand-done\",\"errand\":\"" ID "\",\"final\":true,"
	    "\"reason\":null,\"detail\":null}",
	    "no_errand" },
	{ "a token that nobody asked to see",
	    "{\"id\":1,\"op\":\"fetched\",\"fetch\":1,\"token\":\"x\",\"signer\":null,"
	    "\"problem\":null}",
	    "no_errand" },
	{ "a token for a free place",
	    "{\"id\":1,\"op\":\"fetched\",\"fetch\":0,\"token\":\"x\",\"signer\":null,"
	    "\"problem\":null}",
	    "no_errand" },
	{ "a grant of what is not refused",
	    "{\"id\":1,\"op\":\"rtu\"," MAIN ",\"token\":\"x\",\"signer\":null,"
	    "\"detail\":null}",
	    "no_errand" },
	{ "a refusal of nobody's",
	    "{\"id\":1,\"op\":\"rtu\",\"tenant\":\"beta\",\"name\":\"main\",\"token\":null,"
	    "\"signer\":null,\"detail\":\"no\"}",
	    "no_credential" },
	{ "a reload", "{\"id\":1,\"op\":\"reload\"}", "not_found" },
	{ "the end of a tenant",
	    "{\"id\":1,\"op\":\"offboard\",\"tenant\":\"acme\",\"confirm\":\"acme\"}",
	    "not_found" },
	{ "the end of its keys",
	    "{\"id\":1,\"op\":\"destroy-keys\",\"tenant\":\"acme\",\"confirm\":\"acme\"}",
	    "not_found" },
	{ "a tenant back from its end", "{\"id\":1,\"op\":\"take-back\",\"tenant\":\"acme\"}",
	    "not_found" },
	{ "the front's own event", "{\"id\":1,\"event\":\"renew\"," MAIN "}", "not_found" },
	{ "no id", "{\"op\":\"plan\"}", "invalid_member" },
	{ "a path for a CA", "{\"id\":1,\"op\":\"account\",\"ca\":\"../lab\"}", "no_ca" },
	{ "an order for others' numbers", LAB("new-order") "," MAIN "," OTHERS_LIST "}",
	    "tnauthlist_not_wanted" },
	{ "a request for others' numbers", "{\"id\":1,\"op\":\"csr\"," MAIN "," OTHERS_LIST "}",
	    "tnauthlist_not_wanted" },
	{ "a request for nobody",
	    "{\"id\":1,\"op\":\"csr\",\"tenant\":\"beta\",\"name\":\"main\"," OTHERS_LIST "}",
	    "no_credential" },
	{ "a request of a key of its own",
	    "{\"id\":1,\"op\":\"csr\"," MAIN "," OTHERS_LIST ",\"key\":\"x\"}",
	    "unknown_member" },
	{ "an order for longer than is configured",
	    LAB("new-order") "," MAIN "," OTHERS_LIST ",\"not_after\":4102444800}",
	    "unknown_member" },
	{ "an order of a profile of its own",
	    LAB("new-order") "," MAIN "," OTHERS_LIST ",\"profile\":\"long\"}",
	    "unknown_member" },
	{ "a cancellation", LAB("cancel") "," MAIN "}", "not_found" },
	{ "a cancellation that nobody asked for",
	    AT("errand", "https://127.1.2.3:14000/order/1") ",\"errand\":\"" ID "\"}",
	    "no_errand" },
	{ "a series of its own",
	    LAB("new-order") "," MAIN "," OTHERS_LIST ",\"auto-renewal\":{}}",
	    "unknown_member" },
	{ "a JWS for another CA", AT("post-as-get", "https://evil.example/x") "}",
	    "url_origin" },
	{ "a JWS with a payload of its own", LAB("post-as-get") ",\"payload\":\"e30\"}",
	    "unknown_member" },
	{ "a challenge that is no token", LAB("challenge") ",\"token\":\"x\"}", NULL },
	{ "a chain that is none", "{\"id\":1,\"op\":\"install\"," MAIN ",\"chain\":\"x\"}",
	    NULL },
};

/* What it is told of itself is no answer. */
static bool
has_answer(void *arg)
{
	json_t **got = arg;

	while (has_message(got)) {
		if (json_object_get(*got, "ok") != NULL)
			return true;
		json_decref(*got);
		*got = NULL;
	}
	return false;
}

static void
expect_refused(const char *name, const char *text, const char *reason)
{
	json_auto_t *answer = NULL;
	json_t *got = NULL;

	assert_true(send(renewer, text, strlen(text), 0) >= 0);
	(void)turn_until(has_answer, &got);
	answer = got;
	if (!json_is_false(json_object_get(answer, "ok")))
		fail_msg("%s: not refused", name);
	if (reason != NULL &&
	    strcmp(json_string_value(json_object_get(answer, "reason")), reason) != 0)
		fail_msg("%s: %s instead of %s", name,
		    json_string_value(json_object_get(answer, "reason")), reason);
}

static void
send_rubbish(void)
{
	static const char question[] = "{\"id\":77,\"op\":\"plan\"}";
	bool over = false;

	for (size_t i = 0; i < ARRAY_LEN(rubbish); i++)
		assert_true(send(renewer, rubbish[i], strlen(rubbish[i]), 0) >= 0);
	assert_true(send(renewer, question, strlen(question), 0) >= 0);
	while (!over) {
		json_t *answer = NULL;

		(void)turn_until(has_message, &answer);
		over = json_integer_value(json_object_get(answer, "id")) == 77;
		assert_int_equal(json_is_true(json_object_get(answer, "ok")), over);
		json_decref(answer);
	}
}

struct installing {
	struct signer *s;
	json_t *answer;
};

static bool
is_answered_meanwhile(void *arg)
{
	struct installing *i = arg;

	(void)is_served(i->s);
	return has_answer(&i->answer);
}

/* NULL: it is in force. */
static void
expect_install(struct signer *s, const char *chain, const char *reason)
{
	struct installing i = { .s = s };
	json_auto_t *msg = json_pack("{s:i, s:s, s:s, s:s, s:s}", "id", 3, "op", "install",
	    "tenant", "acme", "name", "main", "chain", chain);

	assert_int_equal(channel_send(renewer, msg, NULL), RC_OK);
	(void)turn_until(is_answered_meanwhile, &i);
	assert_int_equal(json_is_true(json_object_get(i.answer, "ok")), reason == NULL);
	if (reason != NULL)
		assert_string_equal(
		    json_string_value(json_object_get(i.answer, "reason")), reason);
	json_decref(i.answer);
}

/* A series that is none keeps no request outstanding. */
static void
expect_series(struct signer *s, const char *chain)
{
	struct installing i = { .s = s };
	json_auto_t *msg = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "id", 3, "op", "install",
	    "tenant", "acme", "name", "main", "chain", chain, "order",
	    "https://127.1.2.3:14000/order/1");

	assert_int_equal(channel_send(renewer, msg, NULL), RC_OK);
	(void)turn_until(is_answered_meanwhile, &i);
	assert_string_equal(
	    json_string_value(json_object_get(i.answer, "reason")), "no_pending_csr");
	json_decref(i.answer);
}

/* Over the renewer's own channel: no key, request, JWS or install that was not due. */
static void
a_program_in_the_renewers_place(void **state)
{
	struct signer s = attach_signer(1, FRAME_OK);
	AUTO_BUF first = BUF_INIT(65536), second = BUF_INIT(65536);
	json_auto_t *account =
	    ask(json_pack("{s:i, s:s, s:s}", "id", 9, "op", "account", "ca", "lab"));
	size_t keys, signatures;

	(void)state;
	assert_true(json_is_true(json_object_get(account, "ok")));
	expect_refused("no request yet", LAB("finalize") "," MAIN "}", "no_pending_csr");
	certificate(&first, "10");
	certificate(&second, "11"); /* for the same request */
	keys = softadmin_keys(world.admin);
	signatures = softadmin_signatures(world.admin);
	send_rubbish();
	for (size_t i = 0; i < ARRAY_LEN(usurped); i++)
		expect_refused(usurped[i].name, usurped[i].text, usurped[i].reason);
	assert_int_equal(softadmin_keys(world.admin), keys);
	assert_int_equal(softadmin_signatures(world.admin), signatures);
	assert_int_equal(acme()->state, CREDENTIAL_PENDING);
	/* What is due is due once: neither the same one again nor another of that request. */
	expect_install(&s, buf_text(&first), NULL);
	keys = softadmin_keys(world.admin);
	signatures = softadmin_signatures(world.admin);
	expect_install(&s, buf_text(&first), "no_pending_csr");
	expect_install(&s, buf_text(&second), "no_pending_csr");
	expect_series(&s, buf_text(&second));
	expect_refused("a place for verifiers to look at",
	    "{\"id\":1,\"op\":\"install\"," MAIN ",\"chain\":\"x\",\"x5u\":7}",
	    "invalid_member");
	expect_refused("no request any more", LAB("finalize") "," MAIN "}", "no_pending_csr");
	assert_string_equal(acme()->chain->cert[0]->serial, "10");
	/* For a tenant whose end was asked for nothing is due. */
	command(HAND_OFFBOARD, json_pack("{s:s}", "confirm", "acme"));
	expect_refused("the end confirmed in the operator's place",
	    "{\"id\":1,\"op\":\"destroy-keys\",\"tenant\":\"acme\"}", "not_found");
	expect_refused("a request", "{\"id\":1,\"op\":\"csr\"," MAIN "," OTHERS_LIST "}", NULL);
	expect_refused("an order", LAB("new-order") "," MAIN "," OTHERS_LIST "}", NULL);
	expect_refused("its end", LAB("finalize") "," MAIN "}", "tenant_disabled");
	expect_install(&s, buf_text(&second), "tenant_disabled");
	assert_false(config_tenant_find(front_set(&fr)->config, "acme")->enabled);
	assert_int_equal(softadmin_keys(world.admin), keys);
	assert_int_equal(softadmin_signatures(world.admin), signatures);
	close(s.fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    disabling_does_not_wait, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    a_program_in_the_renewers_place, open_front, close_front),
		cmocka_unit_test_setup_teardown(a_flood_is_counted, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    signable_is_what_it_says, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    originals_wait_elsewhere, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    originals_have_a_deadline, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    originals_outlive_caller_and_set, open_front, close_front),
		cmocka_unit_test_setup_teardown(originals_at_the_end, open_front, close_front),
		cmocka_unit_test_setup_teardown(proofs_wait_elsewhere, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    proofs_have_a_deadline, open_front, close_front),
		cmocka_unit_test_setup_teardown(proofs_of_before, open_front, close_front),
		cmocka_unit_test_setup_teardown(proofs_at_the_end, open_front, close_front),
		cmocka_unit_test_setup_teardown(a_guess_is_recorded, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    what_may_be_private_is_not_told, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    what_was_confirmed_is_not_signed, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    a_right_that_is_withdrawn_is_not_signed, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    what_is_loading_is_asked_for_again, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    what_was_confirmed_does_not_move, open_two_tokens, close_front),
		cmocka_unit_test_setup_teardown(
		    a_number_that_has_moved_is_not_signed, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    a_tenant_that_has_ended_is_not_signed, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    numbers_are_counted_once, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    a_number_that_has_moved_waits_for_nothing, open_front, close_front),
		cmocka_unit_test_setup_teardown(
		    proofs_outlive_a_number, open_front, close_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
