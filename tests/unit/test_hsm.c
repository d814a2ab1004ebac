/*
 * The pool of signers against fake ones: this test is the process at the
 * other end of each pair.
 */
#include "agent/front/hsm.h"
#include "tests/unit/cm.h"

#include <sys/socket.h>
#include <time.h>

enum { TIMEOUT_MS = 200 };

struct fake { /* one signer */
	int fd;
	uint32_t generation;
	struct frame got[64]; /* SIGN frames that are not answered yet */
	size_t gots, learnt, looked, forgot;
	enum frame_code learn_code;
	bool seen;
	bool silent; /* STATS is not answered */
	struct frame asked;
	struct frame_stats stats;
};

struct fixture {
	struct loop *loop;
	struct hsm *hsm;
	unsigned ups, kills, killed_process;
	unsigned changes;
	int64_t patience_ms; /* of a call; 0: TIMEOUT_MS */
	bool elsewhere;	     /* whoever calls has another token */
};

struct call {
	struct hsm_call is;
	unsigned done, coming;
	bool good;
	struct fault fault;
	uint8_t sig[ES256_SIG_LEN];
};

static void
on_kill(void *arg, unsigned token, unsigned process, uint32_t generation)
{
	struct fixture *x = arg;

	(void)token;
	(void)generation;
	x->kills++;
	x->killed_process = process;
}

static void
on_changed(void *arg)
{
	((struct fixture *)arg)->changes++;
}

static void
on_coming(struct hsm_call *c)
{
	((struct call *)c)->coming++;
}

static void
on_done(struct hsm_call *c, const uint8_t *sig, const struct fault *f)
{
	struct call *call = (struct call *)c;

	call->done++;
	call->good = sig != NULL;
	if (sig != NULL)
		memcpy(call->sig, sig, ES256_SIG_LEN);
	else
		call->fault = *f;
}

static void
on_up(void *arg, unsigned token, unsigned process, uint32_t generation)
{
	struct fixture *x = arg;

	assert_int_equal(token, 0);
	assert_true(process < HSM_MAX_PROCESSES && generation != 0);
	x->ups++;
}

static int
set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof *x);
	struct hsm_ops ops = { .kill = on_kill, .changed = on_changed, .up = on_up, .arg = x };
	struct fault f = { 0 };

	assert_non_null(x);
	assert_int_equal(loop_new(&x->loop, &f), RC_OK);
	assert_int_equal(hsm_new(x->loop, &ops, &x->hsm, &f), RC_OK);
	hsm_limits(x->hsm, 8, TIMEOUT_MS);
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;

	hsm_free(x->hsm);
	loop_free(x->loop);
	free(x);
	return 0;
}

static void
turn(struct fixture *x)
{
	struct fault f = { 0 };

	assert_int_equal(loop_turn(x->loop, 1, &f), RC_OK);
}

static void
turn_for(struct fixture *x, int64_t ms)
{
	int64_t end = loop_now_ms(x->loop) + ms;

	while (loop_now_ms(x->loop) < end)
		turn(x);
}

static void
say(struct fake *s, struct frame frame)
{
	struct fault f = { 0 };

	assert_int_equal(frame_send(s->fd, &frame, &f), RC_OK);
}

static void
hello(struct fake *s, uint32_t threads)
{
	struct frame frame = frame_make(FRAME_HELLO, s->generation, 0);
	struct frame_hello body = { .threads = threads, .pid = 4711 };

	memcpy(frame.body, &body, sizeof body);
	say(s, frame);
}

/* To learn it, it has to search, unless it has seen all that is in its token. */
static void
say_look(struct fake *s, struct frame frame)
{
	s->looked++;
	frame.code = s->seen ? FRAME_OK : FRAME_NO_KEY;
	say(s, frame);
}

/* Read what was sent; LEARN, LOOK and STATS are answered, SIGN is kept. */
static void
serve(struct fake *s)
{
	struct frame frame;

	while (frame_recv(s->fd, &frame, NULL) == RC_OK) {
		assert_int_equal(frame.generation, s->generation);
		assert_true(frame.request_id != 0);
		switch (frame.op) {
		case FRAME_LEARN:
			s->learnt++;
			frame.code = (uint8_t)s->learn_code;
			say(s, frame);
			break;
		case FRAME_LOOK: say_look(s, frame); break;
		case FRAME_FORGET:
			s->forgot++;
			say(s, frame);
			break;
		case FRAME_STATS:
			memcpy(frame.body, &s->stats, sizeof s->stats);
			s->asked = frame;
			if (!s->silent)
				say(s, frame);
			break;
		case FRAME_SIGN:
			assert_true(s->gots < ARRAY_LEN(s->got));
			s->got[s->gots++] = frame;
			break;
		default: fail_msg("op %u", frame.op);
		}
	}
}

/* Answer the first kept request: the signature repeats the digest, so that mix-ups show. */
static void
answer(struct fake *s, enum frame_code code)
{
	struct frame frame;

	assert_true(s->gots > 0);
	frame = s->got[0];
	memmove(s->got, s->got + 1, --s->gots * sizeof frame);
	frame.code = (uint8_t)code;
	memcpy(frame.body + ES256_DIGEST_LEN, frame.body, ES256_DIGEST_LEN);
	say(s, frame);
}

static struct hsm_key
key_of(uint8_t n)
{
	struct hsm_key k = { .token = 0 };

	memset(k.key_id, n, sizeof k.key_id);
	memset(k.point, n, sizeof k.point);
	return k;
}

static void
want(struct fixture *x, uint8_t n)
{
	struct hsm_key k = key_of(n);
	struct fault f = { 0 };

	assert_int_equal(hsm_want(x->hsm, &k, 1, &f), RC_OK);
}

static struct fake
attach(struct fixture *x, unsigned process, uint32_t generation)
{
	struct fake s = { .generation = generation };
	struct fault f = { 0 };
	int pair[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(hsm_attach(x->hsm, 0, process, generation, pair[0], &f), RC_OK);
	s.fd = pair[1];
	return s;
}

/* Attached, greeted, and taught the wanted keys. */
static struct fake
ready(struct fixture *x, unsigned process)
{
	struct fake s = attach(x, process, 1);

	hello(&s, 1);
	turn(x);
	serve(&s);
	turn(x);
	return s;
}

static enum rc
ask(struct fixture *x, struct call *c, uint8_t key, uint8_t digest, struct fault *f)
{
	*c = (struct call){ 0 };
	c->is.deadline_ms =
	    loop_now_ms(x->loop) + (x->patience_ms != 0 ? x->patience_ms : TIMEOUT_MS);
	c->is.elsewhere = x->elsewhere;
	c->is.done = on_done;
	c->is.coming = on_coming;
	memset(c->is.key_id, key, KEY_ID_LEN);
	memset(c->is.digest, digest, ES256_DIGEST_LEN);
	return hsm_sign(x->hsm, &c->is, f);
}

static void
must_ask(struct fixture *x, struct call *c, uint8_t digest)
{
	struct fault f = { 0 };

	assert_int_equal(ask(x, c, 1, digest, &f), RC_OK);
}

static void
is_good(const struct call *c, uint8_t digest)
{
	assert_int_equal(c->done, 1);
	assert_true(c->good);
	for (size_t i = 0; i < ES256_SIG_LEN; i++)
		assert_int_equal(c->sig[i], digest);
}

static void
is_bad(const struct call *c, const char *reason)
{
	assert_int_equal(c->done, 1);
	assert_false(c->good);
	assert_string_equal(c->fault.reason, reason);
}

/* Calls at the signers of the first token. */
static unsigned
at_signers(struct fixture *x)
{
	struct hsm_process list[HSM_MAX_PROCESSES];
	size_t n = hsm_processes(x->hsm, 0, list);
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += list[i].signing;
	return sum;
}

/* ---- tests ---- */

static void
signs(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fake s;

	want(x, 1);
	assert_false(hsm_token_up(x->hsm, 0));
	s = ready(x, 0);
	assert_int_equal(x->ups, 1);
	assert_true(hsm_token_up(x->hsm, 0));
	assert_true(hsm_ready(x->hsm, 0, key_of(1).key_id));
	assert_false(hsm_ready(x->hsm, 0, key_of(2).key_id));
	assert_false(hsm_ready(x->hsm, 1, key_of(1).key_id));
	must_ask(x, &c, 7);
	assert_int_equal(c.done, 0);
	serve(&s);
	answer(&s, FRAME_OK);
	turn(x);
	is_good(&c, 7);
	assert_int_equal(at_signers(x), 0);
	close(s.fd);
}

static void
nothing_before_hello_or_learn(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fault f = { 0 };
	struct fake s = attach(x, 0, 1);

	want(x, 1);
	turn(x);
	serve(&s);
	assert_int_equal(s.learnt, 0); /* it has not said that it is there */
	assert_int_equal(ask(x, &c, 1, 1, &f), RC_HSM);
	assert_string_equal(f.reason, "hsm_unavailable");
	hello(&s, 1);
	turn(x);
	f = (struct fault){ 0 };
	assert_int_equal(ask(x, &c, 1, 1, &f), RC_HSM); /* LEARN is not answered */
	assert_false(hsm_token_up(x->hsm, 0));
	serve(&s);
	turn(x);
	assert_int_equal(s.learnt, 1);
	assert_true(hsm_token_up(x->hsm, 0));
	must_ask(x, &c, 1);
	serve(&s);
	answer(&s, FRAME_OK);
	turn(x);
	is_good(&c, 1);
	close(s.fd);
}

static void
refused_key(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fault f = { 0 };
	struct fake s = attach(x, 0, 1);

	s.learn_code = FRAME_KEY_REFUSED;
	want(x, 1);
	hello(&s, 1);
	turn(x);
	assert_false(hsm_refused(x->hsm, 0, key_of(1).key_id));
	serve(&s);
	turn(x);
	assert_true(hsm_refused(x->hsm, 0, key_of(1).key_id));
	assert_false(hsm_ready(x->hsm, 0, key_of(1).key_id));
	assert_int_equal(ask(x, &c, 1, 1, &f), RC_HSM);
	turn(x);
	serve(&s);
	assert_int_equal(s.learnt, 1); /* not asked again at once */
	close(s.fd);
}

/* Another process made it: a token may show it a little later. */
static void
key_shows_later(void **state)
{
	struct fixture *x = *state;
	struct fake s = attach(x, 0, 1);

	s.learn_code = FRAME_NO_KEY;
	want(x, 1);
	hello(&s, 1);
	turn(x);
	serve(&s);
	turn(x);
	assert_int_equal(s.learnt, 1);
	assert_false(hsm_refused(x->hsm, 0, key_of(1).key_id));
	assert_false(hsm_ready(x->hsm, 0, key_of(1).key_id));
	s.learn_code = FRAME_OK;
	turn_for(x, 2 * HSM_TICK_MS + 50);
	serve(&s);
	turn(x);
	assert_int_equal(s.learnt, 2);
	assert_true(hsm_ready(x->hsm, 0, key_of(1).key_id));
	close(s.fd);
}

static void
many_keys_are_learnt(void **state)
{
	struct fixture *x = *state;
	struct fake s;

	for (unsigned n = 1; n <= 200; n++)
		want(x, (uint8_t)n);
	s = ready(x, 0);
	for (int i = 0; i < 20; i++) {
		serve(&s);
		turn(x);
	}
	assert_int_equal(s.learnt, 200);
	for (unsigned n = 1; n <= 200; n++)
		assert_true(hsm_ready(x->hsm, 0, key_of((uint8_t)n).key_id));
	close(s.fd);
}

static void
least_loaded(void **state)
{
	struct fixture *x = *state;
	struct call c[4];
	struct fake a, b;

	want(x, 1);
	a = ready(x, 0);
	b = ready(x, 1);
	for (uint8_t i = 0; i < 4; i++)
		must_ask(x, &c[i], i);
	serve(&a);
	serve(&b);
	assert_int_equal(a.gots, 2);
	assert_int_equal(b.gots, 2);
	for (int i = 0; i < 2; i++) {
		answer(&a, FRAME_OK);
		answer(&b, FRAME_OK);
	}
	turn(x);
	turn(x);
	for (uint8_t i = 0; i < 4; i++)
		is_good(&c[i], i);
	close(a.fd);
	close(b.fd);
}

static void
answers_in_any_order(void **state)
{
	struct fixture *x = *state;
	struct call c[3];
	struct frame swap;
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	for (uint8_t i = 0; i < 3; i++)
		must_ask(x, &c[i], (uint8_t)(10 + i));
	serve(&s);
	assert_int_equal(s.gots, 3);
	swap = s.got[0];
	s.got[0] = s.got[2];
	s.got[2] = swap;
	for (int i = 0; i < 3; i++)
		answer(&s, FRAME_OK);
	turn(x);
	for (uint8_t i = 0; i < 3; i++)
		is_good(&c[i], (uint8_t)(10 + i));
	close(s.fd);
}

static void
death_tries_once_more(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fake a, b, third;

	want(x, 1);
	a = ready(x, 0);
	must_ask(x, &c, 5);
	b = ready(x, 1);
	close(a.fd);
	turn(x);
	turn(x);
	assert_int_equal(c.done, 0);
	serve(&b);
	assert_int_equal(b.gots, 1);
	third = ready(x, 2);
	close(b.fd); /* the second loss is the last */
	turn(x);
	turn(x);
	is_bad(&c, "hsm_unavailable");
	serve(&third);
	assert_int_equal(third.gots, 0);
	close(third.fd);
}

static void
death_of_the_last(void **state)
{
	struct fixture *x = *state;
	struct call c[8];
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	for (uint8_t i = 0; i < 8; i++)
		must_ask(x, &c[i], i); /* some there, some waiting */
	assert_true(hsm_waiting(x->hsm, 0) > 0);
	close(s.fd);
	turn(x);
	turn(x);
	for (uint8_t i = 0; i < 8; i++)
		is_bad(&c[i], "hsm_unavailable");
	assert_int_equal(hsm_waiting(x->hsm, 0), 0);
	assert_int_equal(x->kills, 0); /* it is dead already */
}

struct question {
	struct hsm_fresh is;
	unsigned done;
};

static void
on_told(struct hsm_fresh *w)
{
	((struct question *)w)->done++;
}

/* The first so many of these calls were told that they are among the next, each once. */
static void
first_are_coming(const struct call *c, size_t n, unsigned wanted)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(c[i].coming, i < wanted);
}

/* A fast signer has more calls; told of their turn are the next ones, as it comes near. */
static void
coming_to_a_signer(void **state)
{
	enum { NEXT = 4, CALLS = 24 };
	static const struct {
		uint64_t signatures, sign_ns;
		unsigned there;
	} rows[] = {
		{ 0, 0, NEXT },		       /* nothing is known of it */
		{ 1000, 3000000000, NEXT },    /* 3 ms each */
		{ 1000, 500000000, NEXT + 2 }, /* 500 us */
		{ 1000, 50000000, NEXT + HSM_MAX_AHEAD },
		{ 1, 1, NEXT + HSM_MAX_AHEAD },
	};
	struct fixture *x = *state;
	struct question q = { .is.done = on_told };

	hsm_limits(x->hsm, 64, TIMEOUT_MS);
	want(x, 1);
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		struct fake s = ready(x, 0);
		struct call c[CALLS];

		s.stats.signatures = rows[r].signatures;
		s.stats.sign_ns = rows[r].sign_ns;
		hsm_fresh(x->hsm, &q.is);
		serve(&s);
		turn(x);
		for (size_t i = 0; i < CALLS; i++)
			must_ask(x, &c[i], (uint8_t)i);
		first_are_coming(c, CALLS, NEXT);
		serve(&s);
		assert_int_equal(s.gots, rows[r].there);
		for (unsigned n = 1; n <= CALLS; n++) {
			serve(&s);
			answer(&s, FRAME_OK);
			turn(x);
			assert_int_equal(c[n - 1].done, 1);
			first_are_coming(c, CALLS, n + NEXT);
		}
		close(s.fd);
		turn(x);
	}
}

/* A call that loses its signer comes to the next one as well. */
static void
coming_again(void **state)
{
	struct fixture *x = *state;
	struct fake a, b;
	struct call c[2];

	want(x, 1);
	a = ready(x, 0);
	must_ask(x, &c[0], 0);
	must_ask(x, &c[1], 1);
	b = ready(x, 1);
	first_are_coming(c, 2, 2);
	close(a.fd);
	turn(x);
	assert_int_equal(c[0].coming, 2);
	assert_int_equal(c[1].coming, 2);
	serve(&b);
	answer(&b, FRAME_OK);
	answer(&b, FRAME_OK);
	turn(x);
	assert_int_equal(c[0].coming, 2);
	close(b.fd);
}

static void
overload(void **state)
{
	struct fixture *x = *state;
	struct call c[10];
	struct fault f = { 0 };
	size_t i = 0;
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	for (; i < 9; i++) /* the signer is at one, 8 wait */
		must_ask(x, &c[i], (uint8_t)i);
	assert_int_equal(hsm_waiting(x->hsm, 0), 8);
	assert_int_equal(hsm_has_room(x->hsm, 0, &f), RC_BUSY);
	f = (struct fault){ 0 };
	assert_int_equal(ask(x, &c[9], 1, 9, &f), RC_BUSY);
	assert_string_equal(f.reason, "overloaded");
	while (at_signers(x) > 0) {
		serve(&s);
		while (s.gots > 0)
			answer(&s, FRAME_OK);
		turn(x);
	}
	for (i = 0; i < 9; i++)
		is_good(&c[i], (uint8_t)i);
	close(s.fd);
}

static void
deadline_blames_the_process(void **state)
{
	struct fixture *x = *state;
	struct call c, later;
	struct fault f = { 0 };
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	must_ask(x, &c, 1);
	turn_for(x, TIMEOUT_MS + 50);
	is_bad(&c, "hsm_timeout");
	assert_int_equal(x->kills, 1);
	assert_int_equal(x->killed_process, 0);
	/* It gets nothing more, and its late answer changes nothing. */
	assert_int_equal(ask(x, &later, 1, 2, &f), RC_HSM);
	serve(&s);
	answer(&s, FRAME_OK);
	turn(x);
	assert_int_equal(c.done, 1);
	assert_int_equal(x->kills, 1);
	close(s.fd);
}

/* The process that hangs is left to its other calls for a while. */
static void
hang_with_others(void **state)
{
	struct fixture *x = *state;
	struct call hung, other;
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	must_ask(x, &hung, 1);
	turn_for(x, TIMEOUT_MS / 2);
	must_ask(x, &other, 2);
	turn_for(x, TIMEOUT_MS / 2 + 30);
	is_bad(&hung, "hsm_timeout");
	assert_int_equal(other.done, 0);
	assert_int_equal(x->kills, 0);
	serve(&s);
	assert_int_equal(s.gots, 2);
	memmove(s.got, s.got + 1, sizeof s.got[0]);
	s.gots = 1;
	answer(&s, FRAME_OK);
	turn(x);
	is_good(&other, 2);
	assert_int_equal(x->kills, 1);
	close(s.fd);
}

enum { LONG_MS = 1200 };

/* A call whose caller has time for a second try. */
static void
ask_patiently(struct fixture *x, struct call *c, uint8_t digest)
{
	must_ask(x, c, digest);
	c->is.deadline_ms += 2 * LONG_MS;
	loop_arm(x->loop, &c->is.timer, c->is.deadline_ms);
}

/* The other process signs, the first is killed later. */
static void
a_hang_costs_no_request(void **state)
{
	struct fixture *x = *state;
	struct call c[4], late;
	struct fake a, b;

	hsm_limits(x->hsm, 8, LONG_MS);
	want(x, 1);
	a = ready(x, 0);
	for (uint8_t i = 0; i < 4; i++)
		ask_patiently(x, &c[i], i);
	b = ready(x, 1);
	turn_for(x, LONG_MS / HSM_STUCK_PART + HSM_TICK_MS + 50);
	serve(&a);
	serve(&b);
	assert_int_equal(a.gots, 4);
	assert_int_equal(b.gots, 4);
	ask_patiently(x, &late, 9); /* waits for b, though a has no more to do */
	serve(&a);
	assert_int_equal(a.gots, 4);
	for (int i = 0; i < 4; i++)
		answer(&b, FRAME_OK);
	turn(x);
	serve(&b);
	answer(&b, FRAME_OK);
	turn(x);
	for (uint8_t i = 0; i < 4; i++)
		is_good(&c[i], i);
	is_good(&late, 9);
	assert_int_equal(x->kills, 0);
	turn_for(x, LONG_MS / 2 + HSM_TICK_MS);
	assert_int_equal(x->kills, 1);
	assert_int_equal(x->killed_process, 0);
	close(a.fd);
	close(b.fd);
}

/* It was slow and no more: it gets calls again, and its late answer goes nowhere. */
static void
a_slow_one_comes_back(void **state)
{
	struct fixture *x = *state;
	struct fault f = { 0 };
	struct call c, more;
	struct fake a, b;

	hsm_limits(x->hsm, 8, LONG_MS);
	want(x, 1);
	a = ready(x, 0);
	ask_patiently(x, &c, 1);
	b = ready(x, 1);
	turn_for(x, LONG_MS / HSM_STUCK_PART + HSM_TICK_MS + 50);
	close(b.fd);
	turn(x);
	turn(x);
	is_bad(&c, "hsm_unavailable"); /* its second try died */
	assert_int_equal(ask(x, &more, 1, 2, &f), RC_HSM);
	serve(&a);
	answer(&a, FRAME_OK);
	turn(x);
	must_ask(x, &more, 2);
	serve(&a);
	answer(&a, FRAME_OK);
	turn(x);
	is_good(&more, 2);
	assert_int_equal(c.done, 1);
	assert_int_equal(x->kills, 0);
	close(a.fd);
}

/* A thread of several: what was sent later has been answered, so it is no queue. */
static void
one_thread_hangs(void **state)
{
	struct fixture *x = *state;
	struct call hung, other[3];
	struct fake a, b;

	hsm_limits(x->hsm, 8, LONG_MS);
	want(x, 1);
	a = ready(x, 0);
	ask_patiently(x, &hung, 1);
	serve(&a);
	a.gots = 0;
	for (uint8_t i = 0; i < 3; i++) {
		must_ask(x, &other[i], i);
		serve(&a);
		answer(&a, FRAME_OK);
		turn(x);
		is_good(&other[i], i);
	}
	b = ready(x, 1);
	turn_for(x, LONG_MS / HSM_STUCK_PART + HSM_TICK_MS + 50);
	serve(&b);
	assert_int_equal(b.gots, 1);
	answer(&b, FRAME_OK);
	turn(x);
	is_good(&hung, 1);
	turn_for(x, LONG_MS / 2 + HSM_TICK_MS);
	assert_int_equal(x->kills, 1);
	close(a.fd);
	close(b.fd);
}

/* A signature that was wrong once does not cost the key for long. */
static void
a_refused_key_is_asked_for_again(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	must_ask(x, &c, 1);
	serve(&s);
	answer(&s, FRAME_KEY_REFUSED);
	turn(x);
	is_bad(&c, "hsm_unavailable");
	assert_true(hsm_refused(x->hsm, 0, key_of(1).key_id));
	turn_for(x, 2 * HSM_TICK_MS + 50);
	assert_true(hsm_refused(x->hsm, 0, key_of(1).key_id)); /* until it says otherwise */
	serve(&s);
	turn(x);
	assert_int_equal(s.learnt, 2);
	assert_true(hsm_ready(x->hsm, 0, key_of(1).key_id));
	close(s.fd);
}

static void
waiting_past_the_deadline(void **state)
{
	struct fixture *x = *state;
	struct call c[5];
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	for (uint8_t i = 0; i < 5; i++)
		must_ask(x, &c[i], i);
	assert_int_equal(hsm_waiting(x->hsm, 0), 4);
	turn_for(x, TIMEOUT_MS + 50);
	for (uint8_t i = 0; i < 5; i++)
		is_bad(&c[i], "hsm_timeout");
	assert_int_equal(hsm_waiting(x->hsm, 0), 0);
	close(s.fd);
}

static void
wrong_generation(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	must_ask(x, &c, 1);
	serve(&s);
	s.got[0].generation = 2;
	answer(&s, FRAME_OK);
	turn(x);
	turn(x);
	is_bad(&c, "hsm_unavailable");
	assert_int_equal(x->kills, 1);
	assert_false(hsm_token_up(x->hsm, 0));
	close(s.fd);
}

static void
answer_nobody_asked_for(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	must_ask(x, &c, 1);
	serve(&s);
	s.got[0].request_id += 256;
	answer(&s, FRAME_OK);
	turn(x);
	turn(x);
	is_bad(&c, "hsm_unavailable");
	assert_false(hsm_token_up(x->hsm, 0));
	close(s.fd);
}

/* The right number, and an answer to something else. */
static void
answer_of_another_operation(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	must_ask(x, &c, 1);
	serve(&s);
	s.got[0].op = FRAME_STATS;
	answer(&s, FRAME_OK);
	turn(x);
	turn(x);
	is_bad(&c, "hsm_unavailable");
	assert_int_equal(x->kills, 1);
	assert_false(hsm_token_up(x->hsm, 0));
	close(s.fd);
}

/* A call that waited for its turn till shortly before its end says nothing of the process. */
static void
late_by_waiting_blames_nobody(void **state)
{
	enum { SLOW_MS = 600 };
	struct fixture *x = *state;
	struct call c[5], more;
	struct fake s;

	hsm_limits(x->hsm, 8, SLOW_MS);
	want(x, 1);
	s = ready(x, 0);
	for (uint8_t i = 0; i < 4; i++) {
		must_ask(x, &c[i], i);
		loop_arm(x->loop, &c[i].is.timer, c[i].is.deadline_ms + SLOW_MS);
	}
	must_ask(x, &c[4], 4);
	assert_int_equal(c[4].coming, 0);
	turn_for(x, TIMEOUT_MS - 60);
	serve(&s);
	for (int i = 0; i < 4; i++)
		answer(&s, FRAME_OK);
	turn(x);
	assert_int_equal(c[4].coming, 1);
	turn_for(x, 100);
	is_bad(&c[4], "hsm_timeout");
	assert_true(hsm_ready(x->hsm, 0, key_of(1).key_id));
	must_ask(x, &more, 9);
	serve(&s);
	while (s.gots > 0)
		answer(&s, FRAME_OK);
	turn(x);
	is_good(&more, 9);
	assert_int_equal(x->kills, 0);
	close(s.fd);
}

/* What status says of a key, from what the signers said last. */
static void
key_states(void **state)
{
	static const struct {
		enum frame_code a, b;
		enum hsm_key_state is;
	} rows[] = {
		{ FRAME_NO_KEY, FRAME_NO_KEY, HSM_KEY_MISSING },
		{ FRAME_NO_KEY, FRAME_KEY_REFUSED, HSM_KEY_REFUSED },
		{ FRAME_KEY_REFUSED, FRAME_KEY_REFUSED, HSM_KEY_REFUSED },
		{ FRAME_NO_KEY, FRAME_FAILED, HSM_KEY_AWAITED },
		{ FRAME_NO_KEY, FRAME_OK, HSM_KEY_READY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		void *own = NULL;
		struct fixture *x;
		struct fake s[2];

		set_up(&own);
		x = own;
		want(x, 1);
		assert_int_equal(hsm_key_state(x->hsm, 0, key_of(1).key_id), HSM_KEY_DOWN);
		for (unsigned n = 0; n < 2; n++) {
			s[n] = attach(x, n, 1);
			s[n].learn_code = n == 0 ? rows[i].a : rows[i].b;
			hello(&s[n], 1);
			turn(x);
			serve(&s[n]);
			turn(x);
		}
		assert_int_equal(hsm_key_state(x->hsm, 0, key_of(1).key_id), rows[i].is);
		assert_int_equal(hsm_key_state(x->hsm, 0, key_of(2).key_id), HSM_KEY_AWAITED);
		close(s[0].fd);
		close(s[1].fd);
		tear_down(&own);
	}
}

/* How many threads it says it has: none is one, too many are a lie. */
static void
threads_of_a_hello(void **state)
{
	static const struct {
		uint32_t threads;
		unsigned there; /* of 200 calls; 0: the process is reported */
	} rows[] = {
		{ 0, 4 },
		{ 1, 4 },
		{ 2, 6 },
		{ HSM_MAX_THREADS, HSM_MAX_THREADS * 2 + 2 },
		{ HSM_MAX_THREADS + 1, 0 },
		{ INT32_MAX, 0 }, /* twice that and two is none */
		{ UINT32_MAX, 0 },
	};
	static struct call c[200];

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		void *own = NULL;
		struct fixture *x;
		struct fault f = { 0 };
		struct fake s;

		set_up(&own);
		x = own;
		hsm_limits(x->hsm, 1024, TIMEOUT_MS);
		want(x, 1);
		s = attach(x, 0, 1);
		hello(&s, rows[r].threads);
		turn(x);
		serve(&s);
		turn(x);
		assert_int_equal(x->kills, rows[r].there == 0 ? 1 : 0);
		assert_int_equal(x->ups, rows[r].there == 0 ? 0 : 1);
		for (size_t i = 0; i < ARRAY_LEN(c); i++)
			assert_int_equal(ask(x, &c[i], 1, (uint8_t)i, &f),
			    rows[r].there == 0 ? RC_HSM : RC_OK);
		if (rows[r].there != 0)
			assert_int_equal(at_signers(x), rows[r].there);
		close(s.fd);
		tear_down(&own);
	}
}

static void
codes(void **state)
{
	static const struct {
		enum frame_code code;
		bool again; /* the other process is asked */
		const char *reason;
	} rows[] = {
		{ FRAME_NO_KEY, true, NULL },
		{ FRAME_KEY_REFUSED, true, NULL },
		{ FRAME_REBUILD, true, NULL },
		{ FRAME_BUSY, false, "overloaded" },
		{ FRAME_FAILED, true, NULL },
		{ FRAME_BAD_FRAME, true, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		void *own = NULL;
		struct fixture *x;
		struct call c;
		struct fake a, b;

		set_up(&own);
		x = own;
		want(x, 1);
		a = ready(x, 0);
		must_ask(x, &c, 3);
		b = ready(x, 1);
		serve(&a);
		answer(&a, rows[i].code);
		turn(x);
		serve(&b);
		assert_int_equal(b.gots, rows[i].again ? 1 : 0);
		if (rows[i].again) {
			answer(&b, FRAME_OK);
			turn(x);
			is_good(&c, 3);
		} else {
			is_bad(&c, rows[i].reason);
		}
		close(a.fd);
		close(b.fd);
		tear_down(&own);
	}
}

static void
replaced(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fake a, b;

	want(x, 1);
	a = ready(x, 0);
	b = attach(x, 0, 2);
	assert_false(
	    hsm_ready(x->hsm, 0, key_of(1).key_id)); /* what the old one knew is gone */
	hello(&b, 1);
	turn(x);
	serve(&b);
	turn(x);
	assert_int_equal(b.learnt, 1);
	must_ask(x, &c, 9);
	serve(&b);
	answer(&b, FRAME_OK);
	turn(x);
	is_good(&c, 9);
	close(a.fd);
	close(b.fd);
}

static void
attach_refuses(void **state)
{
	struct fixture *x = *state;
	struct fault f = { 0 };

	assert_int_equal(hsm_attach(x->hsm, HSM_MAX_TOKENS, 0, 1, -1, &f), RC_INVALID);
	assert_int_equal(hsm_attach(x->hsm, 0, HSM_MAX_PROCESSES, 1, -1, &f), RC_INVALID);
}

static void
unwanted_keys_go(void **state)
{
	struct fixture *x = *state;
	struct hsm_key keep = key_of(2);
	struct fake s;

	want(x, 1);
	want(x, 2);
	s = ready(x, 0);
	hsm_want_only(x->hsm, &keep, 1);
	/* A request that began under the old set may still use it. */
	assert_true(hsm_ready(x->hsm, 0, key_of(1).key_id));
	assert_true(hsm_ready(x->hsm, 0, key_of(2).key_id));
	turn_for(x, HSM_RETIRE_TIMEOUTS * TIMEOUT_MS + HSM_TICK_MS + 50);
	serve(&s);
	assert_int_equal(s.forgot, 1);
	assert_false(hsm_ready(x->hsm, 0, key_of(1).key_id));
	assert_true(hsm_ready(x->hsm, 0, key_of(2).key_id));
	close(s.fd);
}

/* ---- keys that come later ---- */

/* Read what was sent and answer no LEARN but the first of *held. */
static void
hold_learn(struct fake *s, struct frame *held)
{
	struct frame frame;

	while (frame_recv(s->fd, &frame, NULL) == RC_OK) {
		if (frame.op == FRAME_LEARN) {
			s->learnt++;
			*held = frame;
		} else if (frame.op == FRAME_SIGN) {
			s->got[s->gots++] = frame;
		} else if (frame.op == FRAME_LOOK) {
			say_look(s, frame);
		} else {
			say(s, frame);
		}
	}
}

/* They look for what came later, and do not know it. */
static void
look(struct fixture *x, struct fake *s, size_t n)
{
	struct frame none;

	for (size_t i = 0; i < n; i++) { /* the first one is to search first */
		hold_learn(&s[i], &none);
		turn(x);
	}
}

static void
be_patient(struct fixture *x)
{
	x->patience_ms = 60000;
	hsm_limits(x->hsm, 8, 60000);
}

/* One key at one process at a time, and the others sign meanwhile. */
static void
later_keys_are_learnt_in_turn(void **state)
{
	struct fixture *x = *state;
	struct fake s[2];
	struct frame held = { .op = 0 };
	struct call c[8];

	be_patient(x);
	want(x, 1);
	s[0] = ready(x, 0);
	s[1] = ready(x, 1);
	want(x, 2);
	want(x, 3);
	look(x, s, 2);
	hold_learn(&s[0], &held);
	serve(&s[1]);
	assert_int_equal(s[0].learnt, 2); /* of keys 1 and 2 */
	assert_int_equal(s[1].learnt, 1);
	for (size_t i = 0; i < 4; i++)
		must_ask(x, &c[i], (uint8_t)i);
	serve(&s[1]);
	assert_int_equal(s[1].gots, 4); /* none goes to the one that searches */
	for (size_t i = 4; i < 8; i++)
		must_ask(x, &c[i], (uint8_t)i);
	hold_learn(&s[0], &held);
	assert_int_equal(s[0].gots, 0); /* not even when the other is full */
	say(&s[0], held);
	turn(x);
	assert_true(hsm_ready(x->hsm, 0, key_of(2).key_id));
	assert_false(hsm_ready(x->hsm, 0, key_of(3).key_id));
	hold_learn(&s[0], &held);
	assert_int_equal(s[0].learnt, 3); /* then the next, at the same one first */
	serve(&s[1]);
	assert_int_equal(s[1].learnt, 1);
	say(&s[0], held);
	turn(x);
	serve(&s[1]);
	assert_int_equal(s[1].learnt, 2); /* and now the other's turn */
	for (unsigned n = 0; n < 4; n++) {
		turn(x);
		serve(&s[1]);
	}
	assert_int_equal(s[1].learnt, 3);
	while (s[1].gots > 0)
		answer(&s[1], FRAME_OK);
	serve(&s[0]);
	while (s[0].gots > 0)
		answer(&s[0], FRAME_OK);
	for (unsigned n = 0; n < 4; n++) {
		turn(x);
		serve(&s[0]);
		serve(&s[1]);
		while (s[0].gots + s[1].gots > 0)
			answer(s[0].gots > 0 ? &s[0] : &s[1], FRAME_OK);
	}
	turn(x);
	for (size_t i = 0; i < 8; i++)
		is_good(&c[i], (uint8_t)i);
	close(s[0].fd);
	close(s[1].fd);
}

/* ---- another token ---- */

/* Who has another one hears of a hang while there is time; who has none waits on. */
static void
a_hang_is_left_for_another_token(void **state)
{
	struct fixture *x = *state;
	struct call there[8], here;
	struct fake s;

	want(x, 1);
	s = ready(x, 0);
	hsm_limits(x->hsm, 16, 1000);
	x->patience_ms = 60000;
	must_ask(x, &here, 1);
	x->elsewhere = true;
	for (size_t i = 0; i < ARRAY_LEN(there); i++) /* some of them wait */
		must_ask(x, &there[i], (uint8_t)i);
	assert_true(at_signers(x) < 9);
	serve(&s);
	while (there[7].done == 0)
		turn(x);
	for (size_t i = 0; i < ARRAY_LEN(there); i++)
		is_bad(&there[i], "hsm_unavailable");
	assert_int_equal(here.done, 0);
	while (s.gots > 0)
		answer(&s, FRAME_OK);
	while (here.done == 0)
		turn(x);
	is_good(&here, 1);
	close(s.fd);
}

/* Not to another process of this one either: it may hang as well, and time is over then. */
static void
a_hang_is_left_though_another_process_is_well(void **state)
{
	struct fixture *x = *state;
	struct call c;
	struct fake s[2];

	want(x, 1);
	s[0] = ready(x, 0);
	s[1] = ready(x, 1);
	hsm_limits(x->hsm, 16, 1000);
	x->patience_ms = 60000;
	x->elsewhere = true;
	must_ask(x, &c, 1);
	while (c.done == 0)
		turn(x);
	is_bad(&c, "hsm_unavailable");
	serve(&s[0]);
	serve(&s[1]);
	assert_int_equal(s[0].gots + s[1].gots, 1); /* one of them never saw it */
	close(s[0].fd);
	close(s[1].fd);
}

static void
load_of_a_token(void **state)
{
	struct fixture *x = *state;
	struct call c[3];
	struct fake s;
	uint64_t idle, one;

	be_patient(x);
	want(x, 1);
	assert_true(hsm_load_us(x->hsm, 0) == UINT64_MAX);
	assert_true(hsm_load_us(x->hsm, HSM_MAX_TOKENS) == UINT64_MAX);
	s = ready(x, 0);
	s.stats = (struct frame_stats){ .signatures = 10, .sign_ns = 10 * 3000000 };
	hsm_poll(x->hsm);
	serve(&s);
	turn(x);
	idle = hsm_load_us(x->hsm, 0);
	assert_int_equal(idle, 2048); /* 3 ms */
	must_ask(x, &c[0], 1);
	one = hsm_load_us(x->hsm, 0);
	assert_int_equal(one, 4096);
	must_ask(x, &c[1], 2);
	assert_int_equal(hsm_load_us(x->hsm, 0), 8192);
	serve(&s);
	answer(&s, FRAME_OK);
	answer(&s, FRAME_BUSY);
	turn(x);
	is_good(&c[0], 1);
	is_bad(&c[1], "overloaded");
	/* It failed: only where there is no other. */
	assert_true(hsm_load_us(x->hsm, 0) > 30000000);
	close(s.fd);
}

/* With one process there is nobody else: it signs between two searches. */
static void
the_only_one_signs_while_it_learns(void **state)
{
	struct fixture *x = *state;
	struct frame held = { .op = 0 };
	struct call c;
	struct fake s;

	be_patient(x);
	want(x, 1);
	s = ready(x, 0);
	want(x, 2);
	look(x, &s, 1);
	hold_learn(&s, &held);
	must_ask(x, &c, 9);
	hold_learn(&s, &held);
	assert_int_equal(s.gots, 1);
	answer(&s, FRAME_OK);
	turn(x);
	is_good(&c, 9);
	close(s.fd);
}

/* One that dies over its search does not keep the others from theirs. */
static void
a_search_that_ends_badly(void **state)
{
	struct fixture *x = *state;
	struct frame held = { .op = 0 };
	struct fake s[2];

	be_patient(x);
	want(x, 1);
	s[0] = ready(x, 0);
	s[1] = ready(x, 1);
	want(x, 2);
	look(x, s, 2);
	hold_learn(&s[0], &held);
	serve(&s[1]);
	assert_int_equal(s[1].learnt, 1);
	close(s[0].fd);
	turn(x);
	turn_for(x, HSM_TICK_MS + 50);
	serve(&s[1]);
	turn(x);
	assert_int_equal(s[1].learnt, 2);
	assert_true(hsm_ready(x->hsm, 0, key_of(2).key_id));
	close(s[1].fd);
}

/* Many at once of what was in the token already: nobody searches, and none waits its turn. */
static void
what_it_has_seen_is_no_search(void **state)
{
	struct fixture *x = *state;
	struct fake s[2];
	struct call c;

	be_patient(x);
	want(x, 1);
	s[0] = ready(x, 0);
	s[1] = ready(x, 1);
	s[0].seen = s[1].seen = true;
	for (uint8_t n = 2; n < 200; n++)
		want(x, n);
	must_ask(x, &c, 9); /* one that looks signs as well */
	serve(&s[0]);
	assert_true(s[0].looked > 1);
	assert_int_equal(s[0].gots, 1);
	for (unsigned n = 0; n < 2 * 200 / HSM_LEARN_WINDOW; n++) {
		serve(&s[0]);
		serve(&s[1]);
		turn(x);
	}
	for (uint8_t n = 1; n < 200; n++)
		assert_true(hsm_ready(x->hsm, 0, key_of(n).key_id));
	for (unsigned n = 0; n < 2; n++) {
		assert_int_equal(s[n].looked, 198);
		assert_int_equal(s[n].learnt, 1);
	}
	answer(&s[0], FRAME_OK);
	turn(x);
	is_good(&c, 9);
	close(s[0].fd);
	close(s[1].fd);
}

/* One that does not come back from a search costs its own process, as a call does. */
static void
a_search_that_hangs(void **state)
{
	struct fixture *x = *state;
	struct frame held = { .op = 0 };
	struct fake s[2];
	int64_t began_ms;

	hsm_limits(x->hsm, 8, 100); /* shorter than a search may take */
	want(x, 1);
	s[0] = ready(x, 0);
	s[1] = ready(x, 1);
	want(x, 2);
	look(x, s, 2);
	began_ms = loop_now_ms(x->loop);
	hold_learn(&s[0], &held);
	assert_int_equal(s[0].learnt, 2);
	while (!hsm_ready(x->hsm, 0, key_of(2).key_id)) {
		hold_learn(&s[0], &held);
		serve(&s[1]);
		turn_for(x, 20);
		assert_true(loop_now_ms(x->loop) - began_ms < 60000);
	}
	/* The other one did not wait for its end. */
	assert_int_equal(s[1].learnt, 2);
	assert_true(loop_now_ms(x->loop) - began_ms >= HSM_SEARCH_MS / HSM_STUCK_PART);
	while (x->kills == 0) {
		serve(&s[1]);
		turn_for(x, 20);
		assert_true(loop_now_ms(x->loop) - began_ms < 60000);
	}
	assert_int_equal(x->killed_process, 0);
	assert_true(loop_now_ms(x->loop) - began_ms >= HSM_SEARCH_MS);
	close(s[0].fd);
	close(s[1].fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* ---- counters ---- */

static uint64_t
signatures(struct fixture *x)
{
	struct hsm_process list[HSM_MAX_PROCESSES];
	size_t n = hsm_processes(x->hsm, 0, list);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += list[i].stats.signatures;
	return sum;
}

static void
fresh_counters(void **state)
{
	struct fixture *x = *state;
	struct question q = { .is.done = on_told };
	struct fake s[2] = { ready(x, 0), ready(x, 1) };

	s[0].stats.signatures = 3;
	s[1].stats.signatures = 4;
	hsm_fresh(x->hsm, &q.is);
	assert_int_equal(q.done, 0);
	serve(&s[0]);
	turn(x);
	assert_int_equal(q.done, 0); /* the other has not told */
	serve(&s[1]);
	turn(x);
	assert_int_equal(q.done, 1);
	assert_int_equal(signatures(x), 7);
	close(s[0].fd);
	close(s[1].fd);
}

/* An answer that was under way when the question came does not count. */
static void
fresh_is_not_the_answer_before(void **state)
{
	struct fixture *x = *state;
	struct question q = { .is.done = on_told };
	struct fake s = ready(x, 0);

	s.silent = true;
	hsm_poll(x->hsm);
	serve(&s); /* counted here: none */
	hsm_fresh(x->hsm, &q.is);
	s.stats.signatures = 5;
	say(&s, s.asked);
	turn(x);
	assert_int_equal(q.done, 0);
	s.silent = false;
	serve(&s);
	turn(x);
	assert_int_equal(q.done, 1);
	assert_int_equal(signatures(x), 5);
	close(s.fd);
}

static void
fresh_does_not_wait_for_ever(void **state)
{
	struct fixture *x = *state;
	struct question hung = { .is.done = on_told }, gone = hung, none = hung, dropped = hung;
	struct fake s = ready(x, 0);

	s.silent = true;
	hsm_fresh(x->hsm, &hung.is);
	turn_for(x, HSM_FRESH_MS + 50);
	assert_int_equal(hung.done, 1);
	hsm_fresh(x->hsm, &gone.is);
	hsm_fresh(x->hsm, &dropped.is);
	hsm_fresh_drop(&dropped.is);
	close(s.fd);
	turn(x);
	assert_int_equal(gone.done, 1); /* nobody is left to ask */
	hsm_fresh(x->hsm, &none.is);
	assert_int_equal(none.done, 0); /* never from within */
	turn_for(x, 50);
	assert_int_equal(none.done, 1);
	assert_int_equal(dropped.done, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(signs),
		TEST(nothing_before_hello_or_learn),
		TEST(refused_key),
		TEST(key_shows_later),
		TEST(many_keys_are_learnt),
		TEST(least_loaded),
		TEST(answers_in_any_order),
		TEST(death_tries_once_more),
		TEST(death_of_the_last),
		TEST(overload),
		TEST(coming_to_a_signer),
		TEST(coming_again),
		TEST(deadline_blames_the_process),
		TEST(hang_with_others),
		TEST(a_hang_costs_no_request),
		TEST(a_slow_one_comes_back),
		TEST(one_thread_hangs),
		TEST(a_refused_key_is_asked_for_again),
		TEST(waiting_past_the_deadline),
		TEST(wrong_generation),
		TEST(answer_nobody_asked_for),
		TEST(answer_of_another_operation),
		TEST(late_by_waiting_blames_nobody),
		cmocka_unit_test(key_states),
		cmocka_unit_test(threads_of_a_hello),
		cmocka_unit_test(codes),
		TEST(replaced),
		TEST(attach_refuses),
		TEST(unwanted_keys_go),
		TEST(later_keys_are_learnt_in_turn),
		TEST(what_it_has_seen_is_no_search),
		TEST(a_search_that_hangs),
		TEST(the_only_one_signs_while_it_learns),
		TEST(a_search_that_ends_badly),
		TEST(a_hang_is_left_for_another_token),
		TEST(a_hang_is_left_though_another_process_is_well),
		TEST(load_of_a_token),
		TEST(fresh_counters),
		TEST(fresh_is_not_the_answer_before),
		TEST(fresh_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
