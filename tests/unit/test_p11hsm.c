/* The real vesper-hsm on a real SoftHSM token. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkcs11/client.h"
#include "pkcs11/p256.h"
#include "tests/unit/cm.h"
#include "tests/unit/token_lab.h"

enum { TIME_LIMIT_S = 240 };

#define SIGNER_ARGS \
	{ \
		"--label", "t", "--canary-s", "0", NULL \
	}

static const char *const plain[] = SIGNER_ARGS;

static const uint8_t digest[32] = { 1, 2, 3, 4 };

struct made {
	uint8_t id[32], point[65];
};

static struct made
generate(struct process *admin)
{
	struct frame answer = process_ask(admin, FRAME_GENERATE, NULL, NULL, 0);
	struct made made;
	uint8_t id[32];

	assert_int_equal(answer.code, FRAME_OK);
	memcpy(made.id, answer.key_id, sizeof made.id);
	memcpy(made.point, answer.body, sizeof made.point);
	assert_int_equal(p256_key_id(made.point, id, NULL), RC_OK);
	assert_memory_equal(id, made.id, sizeof id);
	return made;
}

static int
code(struct process *p, enum frame_op op, const struct made *key)
{
	if (op == FRAME_LEARN)
		return process_ask(p, op, key->id, key->point, 65).code;
	return process_ask(p, op, key->id, digest, sizeof digest).code;
}

static void
signs(struct process *p, const struct made *key)
{
	struct frame answer = process_ask(p, FRAME_SIGN, key->id, digest, sizeof digest);
	uint8_t other[32] = { 9 };

	assert_int_equal(answer.code, FRAME_OK);
	assert_int_equal(p256_verify(key->point, digest, answer.body, NULL), RC_OK);
	assert_int_equal(p256_verify(key->point, other, answer.body, NULL), RC_DENIED);
}

static int
setup(void **state)
{
	struct lab *lab = malloc(sizeof *lab);

	assert_non_null(lab);
	lab_make(lab);
	lab_add_token(lab, "t");
	*state = lab;
	return 0;
}

static int
teardown(void **state)
{
	lab_remove(*state);
	free(*state);
	return 0;
}

static void
generate_learn_sign(void **state)
{
	struct process admin, signer;
	struct frame_hello hello;
	struct made key;
	struct frame_stats stats;

	process_up(&admin, *state, "admin", plain);
	key = generate(&admin);
	signs(&admin, &key);
	process_start(&signer, *state, "signer", plain);
	assert_true(process_hello(&signer, &hello));
	assert_int_equal(hello.keys, 1); /* the canary is not one of them */
	assert_int_equal(hello.refused, 0);
	assert_int_equal(hello.pid, signer.pid);
	assert_string_equal(hello.manufacturer, "SoftHSM project");

	assert_int_equal(code(&signer, FRAME_SIGN, &key), FRAME_NO_KEY);
	assert_int_equal(code(&signer, FRAME_LEARN, &key), FRAME_OK);
	for (int i = 0; i < 5; i++)
		signs(&signer, &key);
	stats = process_stats(&signer);
	assert_int_equal(stats.signatures, 5);
	assert_int_equal(stats.canaries, 1);
	assert_int_equal(stats.errors, 0);
	assert_int_equal(stats.sessions, 2);
	assert_true(stats.sign_ns > 0);
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(generate_learn_sign, setup, teardown),
	};

	if (lab_softhsm() == NULL)
		return 77;
	alarm(TIME_LIMIT_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
