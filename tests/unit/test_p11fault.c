/* vesper-hsm on a token that fails, hangs and lies: SoftHSM through tests/fault/p11fault.c. */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkcs11/client.h"
#include "pkcs11/p256.h"
#include "tests/unit/cm.h"
#include "tests/unit/token_lab.h"

enum { TIME_LIMIT_S = 300 };

static const char *const plain[] = { "--label", "t", "--canary-s", "0", NULL };

struct pair {
	struct lab lab;
	struct process admin, signer;
	struct made key, other;
};

static int
setup(void **state)
{
	(void)lab_setup(state);
	lab_use_faults(*state);
	return 0;
}

/* A signer that knows two keys, one of them proven; the admin has gone. */
static int
setup_pair(void **state)
{
	struct pair *p = calloc(1, sizeof *p);

	assert_non_null(p);
	lab_make(&p->lab);
	lab_add_token(&p->lab, "t");
	lab_use_faults(&p->lab);
	process_up(&p->admin, &p->lab, "admin", plain);
	p->key = made_key(&p->admin);
	p->other = made_key(&p->admin);
	process_up(&p->signer, &p->lab, "signer", plain);
	assert_int_equal(made_code(&p->signer, FRAME_LEARN, &p->key), FRAME_OK);
	assert_int_equal(made_code(&p->signer, FRAME_LEARN, &p->other), FRAME_OK);
	made_signs(&p->signer, &p->other);
	*state = p;
	return 0;
}

static int
teardown_pair(void **state)
{
	struct pair *p = *state;

	if (p->signer.pid != 0)
		kill(p->signer.pid, SIGKILL);
	if (p->signer.pid != 0)
		(void)process_wait(&p->signer);
	assert_int_equal(process_stop(&p->admin), 0);
	lab_remove(&p->lab);
	free(p);
	return 0;
}

static void
ends(struct pair *p, int status)
{
	assert_int_equal(process_wait(&p->signer), status);
}

/* ---- what each class of errors leads to ------------------------------------- */

static struct loss {
	const char *name, *fault;
} losses[] = {
	{ "device error in C_Sign", "C_Sign 0x30" },
	{ "device removed in C_SignInit", "C_SignInit 0x32" },
	{ "general error", "C_SignInit 0x5" },
	{ "token not present", "C_SignInit 0xe0" },
	{ "session closed", "C_SignInit 0xb0" },
	{ "session handle invalid", "C_SignInit 0xb3" },
	{ "user not logged in", "C_SignInit 0x101" },
	{ "operation active", "C_SignInit 0x90" },
	{ "not initialised", "C_SignInit 0x190" },
	{ "PIN expired", "C_SignInit 0xa3" },
	{ "a vendor's own code", "C_SignInit 0x80000001" },
	{ "a code of no standard", "C_Sign 0x0abc" },
	{ "bad handle and a bad canary", "C_SignInit 0x82 0x82" },
	{ "bad handle and a lost device", "C_SignInit 0x60 0x30" },
};

static void
a_lost_token(void **state)
{
	/* cmocka's state is the row; the fixture is made here. */
	const struct loss *row = *state;
	struct frame answer;
	void *fixture = NULL;
	struct pair *p;

	setup_pair(&fixture);
	p = fixture;
	lab_fault(&p->lab, row->fault);
	answer = process_ask(&p->signer, FRAME_SIGN, p->key.id, p->key.point, 32);
	assert_int_equal(answer.code, FRAME_REBUILD);
	assert_true(answer.ck_rv != 0);
	ends(p, 5);
	assert_true(process_said(&p->signer, "<4>vesper-hsm: signer: rebuild: "));
	teardown_pair(&fixture);
}

/* What still waits in the socket is turned away, not dropped. */
static void
waiting_requests_are_turned_away(void **state)
{
	struct pair *p = *state;
	unsigned turned_away = 0;
	struct frame frame;

	lab_fault(&p->lab, "C_Sign 0x30");
	/* All of them wait before the first is taken. */
	assert_int_equal(kill(p->signer.pid, SIGSTOP), 0);
	for (uint64_t i = 0; i < 20; i++) {
		frame = frame_make(FRAME_SIGN, p->signer.generation, 100 + i);
		memcpy(frame.key_id, p->key.id, sizeof frame.key_id);
		assert_int_equal(frame_send(p->signer.fd, &frame, NULL), RC_OK);
	}
	assert_int_equal(kill(p->signer.pid, SIGCONT), 0);
	while (process_answer(&p->signer, &frame)) {
		assert_int_equal(frame.code, FRAME_REBUILD);
		assert_true(frame.request_id == 100 + turned_away);
		turned_away++;
	}
	assert_int_equal(turned_away, 20);
	ends(p, 5);
}

static void
a_busy_token_is_waited_for(void **state)
{
	struct pair *p = *state;
	struct frame_stats stats;

	lab_fault(&p->lab, "C_Sign 0x6 0x6 0x6");
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->key), FRAME_BUSY);
	made_signs(&p->signer, &p->key);
	stats = process_stats(&p->signer);
	assert_int_equal(stats.errors, 3);
	assert_int_equal(stats.signatures, 3); /* the one of the set-up, the failed, this */
	assert_int_equal(stats.canaries, 4);   /* at the start, two busy, one well */
	assert_int_equal(process_stop(&p->signer), 0);
}

static void
a_token_that_stays_busy_is_rebuilt(void **state)
{
	struct pair *p = *state;
	struct frame frame;

	lab_fault(&p->lab, "C_Sign 0x6 0x6 0x6 0x6 0x6 0x6");
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->key), FRAME_BUSY);
	assert_false(process_answer(&p->signer, &frame));
	ends(p, 5);
	assert_true(process_said(&p->signer, "the canary failed: CKR_FUNCTION_FAILED"));
}

/* One key's handle went bad; the canary is well: searched again, signed, nothing else happens. */
static void
a_bad_handle_is_found_again(void **state)
{
	struct pair *p = *state;

	lab_fault(&p->lab, "C_SignInit 0x82 0 0");
	made_signs(&p->signer, &p->key);
	assert_int_equal(process_stats(&p->signer).errors, 1);
	lab_fault(&p->lab, "C_SignInit 0x60 0 0");
	made_signs(&p->signer, &p->other);
	assert_int_equal(process_stop(&p->signer), 0);
}

/* Whether it is the key or the token is not known yet: neither is given up for that. */
static void
a_throttled_canary_costs_nothing(void **state)
{
	struct pair *p = *state;
	unsigned logins = lab_calls(&p->lab, "C_Login");

	lab_fault(&p->lab, "C_SignInit 0x82\nC_Sign 0x6");
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->key), FRAME_FAILED);
	assert_true(p->lab.switches->rule[0].fired == 1 && p->lab.switches->rule[1].fired == 1);
	made_signs(&p->signer, &p->key);
	assert_int_equal(lab_calls(&p->lab, "C_Login"), logins);
	assert_int_equal(process_stop(&p->signer), 0);
}

static void
a_key_that_stays_bad_is_quarantined(void **state)
{
	struct pair *p = *state;
	unsigned calls;

	lab_fault(&p->lab, "C_SignInit 0x60 0 0x60 0");
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->key), FRAME_KEY_REFUSED);
	made_signs(&p->signer, &p->other);
	calls = lab_calls(&p->lab, "C_SignInit");
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->key), FRAME_KEY_REFUSED);
	assert_int_equal(lab_calls(&p->lab, "C_SignInit"), calls); /* not even tried */
	assert_int_equal(process_stats(&p->signer).keys, 1);
	assert_int_equal(made_code(&p->signer, FRAME_LEARN, &p->key), FRAME_OK);
	made_signs(&p->signer, &p->key);
	assert_int_equal(process_stop(&p->signer), 0);
}

/* An operation that the token left active must not meet the next request. */
static void
the_session_is_not_used_again(void **state)
{
	struct pair *p = *state;
	unsigned opened = lab_calls(&p->lab, "C_OpenSession");

	lab_fault(&p->lab, "C_Sign 0x21");
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->key), FRAME_FAILED);
	made_signs(&p->signer, &p->key);
	assert_int_equal(lab_calls(&p->lab, "C_OpenSession"), opened + 1);
	assert_int_equal(process_stats(&p->signer).sessions, 2);
	assert_int_equal(process_stop(&p->signer), 0);
}

/* ---- signatures that are none ---------------------------------------------------- */

/* D-24 */
static void
a_wrong_first_signature_refuses_the_key(void **state)
{
	struct pair *p = *state;
	struct frame answer;
	uint8_t none[FRAME_BODY] = { 0 };

	lab_fault(&p->lab, "C_Sign flip 0 flip"); /* the canary between is well */
	answer = process_ask(&p->signer, FRAME_SIGN, p->key.id, p->key.point, 32);
	assert_int_equal(answer.code, FRAME_KEY_REFUSED);
	assert_memory_equal(answer.body, none, sizeof none); /* it does not leave */
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->key), FRAME_KEY_REFUSED);
	made_signs(&p->signer, &p->other);
	assert_int_equal(process_stop(&p->signer), 0);
}

/* D-24 */
static void
the_admin_verifies_every_signature(void **state)
{
	struct pair *p = *state;

	made_signs(&p->admin, &p->key);
	made_signs(&p->admin, &p->key);
	lab_fault(&p->lab, "C_Sign flip 0 flip");
	assert_int_equal(made_code(&p->admin, FRAME_SIGN, &p->key), FRAME_KEY_REFUSED);
	assert_int_equal(process_stop(&p->signer), 0);
}

/* Verify first: what comes after the proof is not looked at; all: it does not leave. */
static void
later_signatures_are_verified_when_asked(void **state)
{
	static const char *const all[] = { "--label", "t", "--canary-s", "0", "--verify-all",
		NULL };
	struct pair *p = *state;
	struct frame answer;

	lab_fault(&p->lab, "C_Sign flip");
	answer = process_ask(&p->signer, FRAME_SIGN, p->other.id, p->other.point, 32);
	assert_int_equal(answer.code, FRAME_OK);
	assert_int_equal(
	    p256_verify(p->other.point, p->other.point, answer.body, NULL), RC_DENIED);
	assert_int_equal(process_stop(&p->signer), 0);
	lab_fault(&p->lab, "");
	process_up(&p->signer, &p->lab, "signer", all);
	assert_int_equal(made_code(&p->signer, FRAME_LEARN, &p->other), FRAME_OK);
	made_signs(&p->signer, &p->other);
	lab_fault(&p->lab, "C_Sign flip"); /* once: the same handle is right the next time */
	made_signs(&p->signer, &p->other);
	lab_fault(&p->lab, "C_SignInit wrongkey");
	made_signs(&p->signer, &p->other);
	lab_fault(&p->lab, "C_Sign pad 0 pad"); /* SoftHSM signs 100 bytes without a word */
	answer = process_ask(&p->signer, FRAME_SIGN, p->other.id, p->other.point, 32);
	assert_int_equal(answer.code, FRAME_KEY_REFUSED);
	assert_int_equal(process_stop(&p->signer), 0);
}

/* A stale handle that means another key: nothing of this process is believed any more. */
static void
moved_handles_end_the_process(void **state)
{
	static const char *const all[] = { "--label", "t", "--canary-s", "0", "--verify-all",
		NULL };
	struct pair *p = *state;

	assert_int_equal(process_stop(&p->signer), 0);
	process_up(&p->signer, &p->lab, "signer", all);
	assert_int_equal(made_code(&p->signer, FRAME_LEARN, &p->other), FRAME_OK);
	made_signs(&p->signer, &p->other);
	lab_fault(&p->lab, "C_SignInit reshuffle");
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->other), FRAME_REBUILD);
	ends(p, 5);
}

/* The timer does not wait for a pause between requests. */
static void
the_canary_signs_under_load(void **state)
{
	static const char *const second[] = { "--label", "t", "--canary-s", "1", NULL };
	const struct timespec moment = { .tv_nsec = 20000000 };
	struct pair *p = *state;

	assert_int_equal(process_stop(&p->signer), 0);
	process_up(&p->signer, &p->lab, "signer", second);
	assert_int_equal(made_code(&p->signer, FRAME_LEARN, &p->other), FRAME_OK);
	for (int i = 0; i < 120; i++) {
		made_signs(&p->signer, &p->other);
		nanosleep(&moment, NULL);
	}
	assert_true(process_stats(&p->signer).canaries >= 3);
	assert_int_equal(process_stop(&p->signer), 0);
}

/* It may be used by one thread, and is: two would need what it has not. */
static void
a_module_that_cannot_lock(void **state)
{
	static const char *const four[] = { "--label", "t", "--threads", "4", NULL };
	struct frame_hello hello;
	struct process p;

	lab_fault(*state, "C_Initialize 0xa 0");
	process_start(&p, *state, "signer", four);
	assert_true(process_hello(&p, &hello));
	assert_int_equal(hello.threads, 1);
	assert_int_equal(process_stats(&p).sessions, 2);
	assert_int_equal(lab_calls(*state, "C_Initialize"), 2);
	assert_int_equal(process_stop(&p), 0);
}

/* Tokens that have sessions of one kind only: signers need either, and the admin writes. */
static void
sessions_of_one_kind(void **state)
{
	static const char *const written[] = { "--label", "t", "--canary-s", "0",
		"--read-write", NULL };
	static const struct {
		const char *fault, *role;
		const char *const *args;
		int status;
	} rows[] = {
		{ "C_OpenSession readonly", "signer", plain, 0 },
		{ "C_OpenSession readonly", "signer", written, 5 },
		{ "C_OpenSession readonly", "admin", plain, 5 },
		{ "C_OpenSession readwrite", "signer", plain, 5 },
		{ "C_OpenSession readwrite", "signer", written, 0 },
		{ "C_OpenSession readwrite", "admin", plain, 0 },
	};
	struct process p;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		lab_fault(*state, rows[i].fault);
		process_start(&p, *state, rows[i].role, rows[i].args);
		if (process_hello(&p, NULL) != (rows[i].status == 0))
			fail_msg("row %zu", i);
		assert_int_equal(
		    rows[i].status == 0 ? process_stop(&p) : process_wait(&p), rows[i].status);
	}
}

/* One try of many in an outage: why it fails was said. */
static void
a_quiet_start(void **state)
{
	static const char *const quiet[] = { "--label", "t", "--quiet", NULL };
	struct process p;

	lab_fault(*state, "C_Login 0x30 0 0");
	process_start(&p, *state, "signer", quiet);
	assert_int_equal(process_wait(&p), 5);
	assert_false(process_said(&p, "vesper-hsm"));
}

static void
a_signature_of_another_length(void **state)
{
	struct pair *p = *state;

	lab_fault(&p->lab, "C_Sign short");
	assert_int_equal(made_code(&p->signer, FRAME_SIGN, &p->key), FRAME_FAILED);
	made_signs(&p->signer, &p->key);
	assert_int_equal(process_stop(&p->signer), 0);
}

static void
a_lying_canary(void **state)
{
	const struct lab *lab = *state;
	struct process p;

	process_up(&p, lab, "admin", plain);
	assert_int_equal(process_stop(&p), 0);
	lab_fault(lab, "C_Sign flip");
	process_start(&p, lab, "signer", plain);
	assert_int_equal(process_wait(&p), 5);
	assert_true(process_said(&p, "canary: signature of the canary: CKR_SIGNATURE_INVALID"));
}

/* ---- hangs and crashes -------------------------------------------------------------- */

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
ask_without_waiting(struct pair *p)
{
	const struct timespec moment = { .tv_nsec = 200000000 };
	struct frame frame = frame_make(FRAME_SIGN, p->signer.generation, 5);

	memcpy(frame.key_id, p->key.id, sizeof frame.key_id);
	assert_int_equal(frame_send(p->signer.fd, &frame, NULL), RC_OK);
	nanosleep(&moment, NULL);
}

static void
a_hung_signature_ends_within_a_bound(void **state)
{
	struct pair *p = *state;
	int64_t began_ms = now_ms();

	lab_fault(&p->lab, "C_Sign hang");
	ask_without_waiting(p);
	kill(p->signer.pid, SIGTERM);
	ends(p, 0);
	assert_true(now_ms() - began_ms < 5000);
}

static void
a_hung_finalize_ends_within_a_bound(void **state)
{
	struct pair *p = *state;
	int64_t began_ms = now_ms();

	lab_fault(&p->lab, "C_Finalize hang");
	kill(p->signer.pid, SIGTERM);
	ends(p, 0);
	assert_true(now_ms() - began_ms < 5000);
}

/* Nobody else looks at a start, which holds the token's lock, nor at the admin. */
static struct hang {
	const char *name, *role, *fault;
	bool up; /* the fault comes when it has started */
} hangs[] = {
	{ "a signer hangs in C_Login", "signer", "C_Login hang", false },
	{ "an admin hangs in C_Login", "admin", "C_Login hang", false },
	{ "an admin hangs in C_GenerateKeyPair", "admin", "C_GenerateKeyPair hang", true },
};

static void
a_hang_that_only_it_sees(void **state)
{
	static const char *const quick[] = { "--label", "t", "--canary-s", "0", "--hang-s", "2",
		NULL };
	const struct hang *row = *state;
	struct process p = { .pid = 0 }, next = { .pid = 0 };
	struct frame frame;
	void *fixture = NULL;
	struct lab *lab;

	setup(&fixture);
	lab = fixture;
	process_up(&next, lab, "admin", plain); /* the canary is there */
	assert_int_equal(process_stop(&next), 0);
	if (row->up)
		process_up(&p, lab, row->role, quick);
	lab_fault(lab, row->fault);
	if (!row->up)
		process_start(&p, lab, row->role, quick);
	frame = frame_make(FRAME_GENERATE, p.generation, 5);
	assert_int_equal(frame_send(p.fd, &frame, NULL), RC_OK);
	assert_int_equal(process_wait(&p), 5);
	assert_true(process_said(&p, "hang: a call of the module does not return"));
	process_up(&next, lab, row->role, plain); /* the lock is free */
	assert_int_equal(process_stop(&next), 0);
	lab_teardown(&fixture);
}

/* One thread of two does not return from what nobody asked for; the other goes on. */
static void
a_canary_that_hangs(void **state)
{
	static const char *const two[] = { "--label", "t", "--threads", "2", "--canary-s", "1",
		"--hang-s", "2", NULL };
	const struct timespec moment = { .tv_nsec = 20000000 };
	struct lab *lab = *state;
	struct process p;

	process_up(&p, lab, "admin", plain); /* the canary is there */
	assert_int_equal(process_stop(&p), 0);
	process_up(&p, lab, "signer", two);
	lab_fault(lab, "C_Sign hang");
	while (lab->switches->rule[0].fired == 0)
		nanosleep(&moment, NULL);
	assert_int_equal(process_stats(&p).sessions, 3);
	assert_int_equal(process_wait(&p), 5);
	assert_true(process_said(&p, "hang: a call of the module does not return"));
}

static void
a_crash_costs_one_process(void **state)
{
	struct pair *p = *state;

	lab_fault(&p->lab, "C_Sign crash");
	ask_without_waiting(p);
	ends(p, 128 + SIGABRT);
	made_signs(&p->admin, &p->key);
	process_up(&p->signer, &p->lab, "signer", plain);
	assert_int_equal(made_code(&p->signer, FRAME_LEARN, &p->key), FRAME_OK);
	made_signs(&p->signer, &p->key);
	assert_int_equal(process_stop(&p->signer), 0);
}

static void
no_more_keys_than_allowed(void **state)
{
	static const char *const two[] = { "--label", "t", "--canary-s", "0", "--max-keys", "2",
		NULL };
	struct process p = { .pid = 0 };
	struct made first;

	process_up(&p, *state, "admin", two);
	first = made_key(&p);
	(void)made_key(&p);
	assert_int_equal(process_ask(&p, FRAME_GENERATE, NULL, NULL, 0).code, FRAME_FULL);
	assert_int_equal(made_code(&p, FRAME_DESTROY, &first), FRAME_OK);
	(void)made_key(&p);
	assert_int_equal(process_stop(&p), 0);
	/* Those of the token count, not those of this process. */
	process_up(&p, *state, "admin", two);
	assert_int_equal(process_ask(&p, FRAME_GENERATE, NULL, NULL, 0).code, FRAME_FULL);
	assert_int_equal(process_stop(&p), 0);
}

/* Several in one go, as many as there is room for; an answer each. */
static void
keys_in_one_go(void **state)
{
	static const char *const five[] = { "--label", "t", "--canary-s", "0", "--max-keys",
		"5", NULL };
	const uint8_t more[3] = { 2, 9, FRAME_MAX_MADE };
	struct process p = { .pid = 0 };
	struct frame answer;
	uint8_t id[32] = { 0 };

	process_up(&p, *state, "admin", five);
	assert_int_equal(
	    process_ask(&p, FRAME_GENERATE, NULL, &more[2], 1).code, FRAME_BAD_FRAME);
	answer = process_ask(&p, FRAME_GENERATE, NULL, &more[0], 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(answer.code, FRAME_OK);
		assert_memory_not_equal(answer.key_id, id, sizeof id);
		memcpy(id, answer.key_id, sizeof id);
		if (i < 2)
			assert_true(process_answer(&p, &answer));
	}
	assert_int_equal(process_stats(&p).keys, 3);
	answer = process_ask(&p, FRAME_GENERATE, NULL, &more[1], 1);
	assert_int_equal(answer.code, FRAME_OK);
	assert_true(process_answer(&p, &answer));
	assert_int_equal(answer.code, FRAME_OK);
	assert_true(process_answer(&p, &answer));
	assert_int_equal(answer.code, FRAME_FULL);
	assert_int_equal(process_stats(&p).keys, 5);
	assert_int_equal(process_stop(&p), 0);
}

/* Its attributes say that it cannot be read, and it can. */
static void
a_key_that_can_be_read_is_refused(void **state)
{
	struct process admin, signer;
	struct frame_hello hello;
	struct lab *lab = *state;
	struct made key;

	process_up(&admin, lab, "admin", plain);
	key = made_key(&admin);
	lab_fault(lab, "C_GetAttributeValue tells count=*");
	/* None is made that is like that. */
	assert_int_not_equal(process_ask(&admin, FRAME_GENERATE, NULL, NULL, 0).code, FRAME_OK);
	process_start(&signer, lab, "signer", plain);
	assert_true(process_hello(&signer, &hello));
	assert_int_equal(hello.keys, 0);
	assert_int_equal(hello.refused, 1);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_KEY_REFUSED);
	assert_int_equal(made_code(&signer, FRAME_SIGN, &key), FRAME_KEY_REFUSED);
	assert_int_equal(process_stop(&signer), 0);
	lab_fault(lab, "");
	(void)process_stop(&admin);
	process_up(&signer, lab, "signer", plain);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_OK);
	made_signs(&signer, &key);
	assert_int_equal(process_stats(&signer).keys, 1);
	assert_int_equal(process_stop(&signer), 0);
}

/* ---- generation ------------------------------------------------------------------------ */

static struct generate_case {
	const char *name, *fault;
	int code;
	uint32_t keys_after; /* in the token, seen by a new process */
} generate_cases[] = {
	{ "throttled", "C_GenerateKeyPair 0x6", FRAME_BUSY, 0 },
	{ "full", "C_GenerateKeyPair 0x31", FRAME_FULL, 0 },
	{ "not allowed", "C_GenerateKeyPair 0x70", FRAME_FAILED, 0 },
	{ "lost", "C_GenerateKeyPair 0x30", FRAME_REBUILD, 0 },
	{ "a key that cannot be named is not kept", "C_SetAttributeValue 0x10", FRAME_FAILED,
	    0 },
};

static void
generation_fails(void **state)
{
	const struct generate_case *row = *state;
	struct frame_hello hello;
	struct process admin;
	struct frame answer;
	void *fixture = NULL;
	struct lab *lab;

	setup(&fixture);
	lab = fixture;
	process_up(&admin, lab, "admin", plain);
	lab_fault(lab, row->fault);
	answer = process_ask(&admin, FRAME_GENERATE, NULL, NULL, 0);
	assert_int_equal(answer.code, row->code);
	if (row->code != FRAME_REBUILD) {
		struct made key = made_key(&admin);

		assert_int_equal(made_code(&admin, FRAME_DESTROY, &key), FRAME_OK);
		assert_int_equal(process_stop(&admin), 0);
	} else {
		assert_int_equal(process_wait(&admin), 5);
	}
	process_start(&admin, lab, "admin", plain);
	assert_true(process_hello(&admin, &hello));
	assert_int_equal(hello.keys, row->keys_after);
	assert_int_equal(hello.refused, 0);
	assert_int_equal(process_stop(&admin), 0);
	lab_teardown(&fixture);
}

/* Its maker ended before it had its id: the batch that it is called by finds it. */
static void
a_key_without_an_id_goes(void **state)
{
	static const uint8_t body[1 + FRAME_BATCH] = { 0, 1, 2, 3 }, other[FRAME_BATCH] = { 1 };
	struct lab *lab = *state;
	struct process admin;
	struct frame answer, frame;
	struct frame_hello hello;
	uint8_t id[P256_ID];

	process_up(&admin, lab, "admin", plain);
	(void)made_key(&admin);
	answer = process_ask(&admin, FRAME_GENERATE, NULL, body, sizeof body);
	assert_int_equal(answer.code, FRAME_OK);
	memcpy(id, answer.key_id, sizeof id);
	lab_fault(lab, "C_SetAttributeValue crash");
	frame = frame_make(FRAME_GENERATE, admin.generation, 99);
	memcpy(frame.body, body, sizeof body);
	assert_int_equal(frame_send(admin.fd, &frame, NULL), RC_OK);
	(void)process_wait(&admin);
	lab_fault(lab, "");
	process_start(&admin, lab, "admin", plain);
	assert_true(process_hello(&admin, &hello));
	assert_int_equal(hello.keys, 2);
	assert_int_equal(hello.refused, 1);
	answer = process_ask(&admin, FRAME_MADE, NULL, other, sizeof other);
	assert_int_equal(answer.code, FRAME_END);
	assert_int_equal(process_stats(&admin).refused, 1);
	answer = process_ask(&admin, FRAME_MADE, NULL, body + 1, FRAME_BATCH);
	assert_int_equal(answer.code, FRAME_OK);
	assert_memory_equal(answer.key_id, id, sizeof id);
	assert_true(process_answer(&admin, &answer));
	assert_int_equal(answer.code, FRAME_END);
	assert_int_equal(process_stats(&admin).refused, 0);
	assert_int_equal(process_stop(&admin), 0);
	process_start(&admin, lab, "admin", plain);
	assert_true(process_hello(&admin, &hello));
	assert_int_equal(hello.keys, 2);
	assert_int_equal(hello.refused, 0);
	assert_int_equal(process_stop(&admin), 0);
}

/* ---- login ---------------------------------------------------------------------------- */

static bool
refused_record(const struct lab *lab)
{
	char command[LAB_PATH + 64];
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };

	snprintf(command, sizeof command, "ls %s/pin-refused-????????????????.????????????????",
	    lab->state);
	return lab_run(lab, argv);
}

static void
set_pin(const struct lab *lab, const char *pin)
{
	unlink(lab->pin);
	lab_write(lab->pin, pin, 0600);
}

static void
a_refused_pin_is_tried_once(void **state)
{
	const struct lab *lab = *state;
	struct process p;

	set_pin(lab, "999999\n");
	process_start(&p, lab, "signer", plain);
	assert_int_equal(process_wait(&p), 4);
	assert_true(
	    process_said(&p, "<4>vesper-hsm: signer: pin_refused: C_Login: CKR_PIN_INCORRECT"));
	assert_false(process_said(&p, "999999"));
	assert_true(refused_record(lab));
	assert_int_equal(lab_calls(lab, "C_Login"), 1);
	for (int i = 0; i < 3; i++) {
		process_start(&p, lab, i == 0 ? "admin" : "signer", plain);
		assert_int_equal(process_wait(&p), 4);
		assert_true(process_said(&p, "refused before"));
	}
	assert_int_equal(lab_calls(lab, "C_Login"), 1); /* not once more */
	set_pin(lab, "888888\n");			/* another source: tried, once */
	process_start(&p, lab, "signer", plain);
	assert_int_equal(process_wait(&p), 4);
	process_start(&p, lab, "signer", plain);
	assert_int_equal(process_wait(&p), 4);
	assert_int_equal(lab_calls(lab, "C_Login"), 2);
	set_pin(lab, LAB_PIN);
	process_up(&p, lab, "signer", plain);
	assert_int_equal(lab_calls(lab, "C_Login"), 3);
	assert_false(refused_record(lab));
	assert_int_equal(process_stop(&p), 0);
}

/* What becomes of another source's PIN, right or wrong, is no word about this one's. */
static void
each_source_has_its_record(void **state)
{
	static const char *const others[] = { "777777\n", LAB_PIN "\n" };
	const struct lab *lab = *state;
	char path[LAB_PATH], ref[LAB_PATH + 8];
	const char *const other[] = { "--label", "t", "--canary-s", "0", "--pin", ref, NULL };
	struct process p;

	snprintf(path, sizeof path, "%.90s/other-pin", lab->dir);
	snprintf(ref, sizeof ref, "file:%s", path);
	set_pin(lab, "999999\n");
	process_start(&p, lab, "signer", plain);
	assert_int_equal(process_wait(&p), 4);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		bool right = i == 1;

		unlink(path);
		lab_write(path, others[i], 0600);
		process_start(&p, lab, "signer", other);
		assert_int_equal(process_hello(&p, NULL), right);
		assert_int_equal(right ? process_stop(&p) : process_wait(&p), right ? 0 : 4);
		process_start(&p, lab, "signer", plain);
		assert_int_equal(process_wait(&p), 4);
		assert_true(process_said(&p, "refused before"));
		assert_int_equal(lab_calls(lab, "C_Login"), 2 + i);
	}
}

static bool
prepared_record(const struct lab *lab, char out[LAB_PATH + 64])
{
	char pattern[LAB_PATH + 64];
	glob_t found = { 0 };
	bool is;

	snprintf(pattern, sizeof pattern, "%s/pin-refused-*.new", lab->state);
	is = glob(pattern, 0, NULL, &found) == 0;
	if (is)
		snprintf(out, LAB_PATH + 64, "%s", found.gl_pathv[0]);
	globfree(&found);
	return is;
}

/* A signer whose PIN will be refused is within its login, for a second. */
static void
start_refused(struct process *p, struct lab *lab, char prepared[LAB_PATH + 64])
{
	const struct timespec moment = { .tv_nsec = 5000000 };

	set_pin(lab, "999999\n");
	lab_fault(lab, "C_Login delay:1000");
	process_start(p, lab, "signer", plain);
	for (int i = 0; i < 12000 && lab_calls(lab, "C_Login") == 0; i++)
		nanosleep(&moment, NULL);
	assert_int_equal(lab_calls(lab, "C_Login"), 1);
	assert_true(prepared_record(lab, prepared));
}

/* What was prepared is gone between the try and its record: another is written. */
static void
a_refusal_without_what_was_prepared(void **state)
{
	char prepared[LAB_PATH + 64];
	struct process p;

	start_refused(&p, *state, prepared);
	assert_int_equal(unlink(prepared), 0);
	assert_int_equal(process_wait(&p), 4);
	assert_true(process_said(&p, "C_Login: CKR_PIN_INCORRECT: correct the PIN"));
	assert_false(process_said(&p, "not on record"));
	assert_true(refused_record(*state));
	process_start(&p, *state, "signer", plain);
	assert_int_equal(process_wait(&p), 4);
	assert_true(process_said(&p, "refused before"));
	assert_int_equal(lab_calls(*state, "C_Login"), 1);
}

/* Nor can another be written: the process is held, and what comes after it does not try. */
static void
a_refusal_without_a_record(void **state)
{
	char prepared[LAB_PATH + 64], record[LAB_PATH + 64];
	struct process p;

	start_refused(&p, *state, prepared);
	snprintf(
	    record, sizeof record, "%.*s", (int)(strlen(prepared) - strlen(".new")), prepared);
	assert_int_equal(mkdir(record, 0700), 0);
	assert_int_equal(process_wait(&p), 4);
	assert_true(process_said(&p, "C_Login: CKR_PIN_INCORRECT: correct the PIN"));
	assert_true(process_said(&p, "not on record"));
	process_start(&p, *state, "signer", plain);
	assert_int_not_equal(process_wait(&p), 0);
	assert_true(process_said(&p, "state: "));
	assert_int_equal(lab_calls(*state, "C_Login"), 1);
}

static struct login_case {
	const char *name, *fault;
	int status;
	unsigned logins;
	const char *said;
} login_cases[] = {
	{ "locked by the token's own word", "C_GetTokenInfo flags:0x40000", 4, 0,
	    "pin_locked" },
	{ "one try left", "C_GetTokenInfo flags:0x20000", 4, 0, "pin_final_try" },
	{ "locked at the login", "C_Login 0xa4", 4, 1, "CKR_PIN_LOCKED" },
	{ "expired", "C_Login 0xa3", 4, 1, "CKR_PIN_EXPIRED" },
	{ "already logged in", "C_Login 0x100", 0, 1, NULL },
	{ "lost at the login", "C_Login 0x30", 5, 1, "login: C_Login: CKR_DEVICE_ERROR" },
	{ "no session", "C_OpenSession 0xb1", 5, 0, "CKR_SESSION_COUNT" },
	{ "no session for the thread", "C_OpenSession 0 0xb1", 5, 1, "session 1 of 1" },
};

static void
logins(void **state)
{
	const struct login_case *row = *state;
	char prepared[LAB_PATH + 64];
	void *fixture = NULL;
	struct process p;
	struct lab *lab;

	setup(&fixture);
	lab = fixture;
	lab_fault(lab, row->fault);
	process_start(&p, lab, "signer", plain);
	if (row->status == 0) {
		assert_true(process_hello(&p, NULL));
		assert_int_equal(process_stop(&p), 0);
	} else {
		assert_int_equal(process_wait(&p), row->status);
		assert_true(process_said(&p, row->said));
	}
	assert_int_equal(lab_calls(lab, "C_Login"), row->logins);
	assert_int_equal(refused_record(lab), row->status == 4 && row->logins > 0);
	assert_false(prepared_record(lab, prepared));
	lab_teardown(&fixture);
}

int
main(void)
{
#define ROW(name)  cmocka_unit_test_setup_teardown(name, setup, lab_teardown)
#define PAIR(name) cmocka_unit_test_setup_teardown(name, setup_pair, teardown_pair)
	const struct CMUnitTest fixed[] = {
		PAIR(waiting_requests_are_turned_away),
		PAIR(a_busy_token_is_waited_for),
		PAIR(a_token_that_stays_busy_is_rebuilt),
		PAIR(a_bad_handle_is_found_again),
		PAIR(a_throttled_canary_costs_nothing),
		PAIR(a_key_that_stays_bad_is_quarantined),
		PAIR(the_session_is_not_used_again),
		PAIR(a_wrong_first_signature_refuses_the_key),
		PAIR(the_admin_verifies_every_signature),
		PAIR(later_signatures_are_verified_when_asked),
		PAIR(moved_handles_end_the_process),
		PAIR(the_canary_signs_under_load),
		ROW(a_module_that_cannot_lock),
		ROW(sessions_of_one_kind),
		ROW(a_quiet_start),
		PAIR(a_signature_of_another_length),
		ROW(a_lying_canary),
		PAIR(a_hung_signature_ends_within_a_bound),
		PAIR(a_hung_finalize_ends_within_a_bound),
		ROW(a_canary_that_hangs),
		PAIR(a_crash_costs_one_process),
		ROW(a_refused_pin_is_tried_once),
		ROW(each_source_has_its_record),
		ROW(a_refusal_without_what_was_prepared),
		ROW(a_refusal_without_a_record),
		ROW(no_more_keys_than_allowed),
		ROW(keys_in_one_go),
		ROW(a_key_that_can_be_read_is_refused),
		ROW(a_key_without_an_id_goes),
	};
#undef ROW
#undef PAIR
	struct CMUnitTest tests[ARRAY_LEN(fixed) + ARRAY_LEN(losses) +
				ARRAY_LEN(generate_cases) + ARRAY_LEN(login_cases) +
				ARRAY_LEN(hangs)];
	size_t n = 0;

	if (lab_softhsm() == NULL)
		return 77;
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		tests[n++] = fixed[i];
#define ROWS(table, function) \
	for (size_t i = 0; i < ARRAY_LEN(table); i++) \
	tests[n++] = (struct CMUnitTest){ \
		.name = (table)[i].name, .test_func = (function), .initial_state = &(table)[i] \
	}
	ROWS(losses, a_lost_token);
	ROWS(hangs, a_hang_that_only_it_sees);
	ROWS(generate_cases, generation_fails);
	ROWS(login_cases, logins);
#undef ROWS
	alarm(TIME_LIMIT_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
