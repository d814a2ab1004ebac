/* The real vesper-hsm on a real SoftHSM token: what it does when all is well. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkcs11/client.h"
#include "pkcs11/p256.h"
#include "pkcs11/provider.h"
#include "stir/ossl.h"
#include "tests/unit/cm.h"
#include "tests/unit/token_lab.h"

enum { TIME_LIMIT_S = 300 };

static const char *const plain[] = { "--label", "t", "--canary-s", "0", NULL };

/* ---- keys ------------------------------------------------------------------- */

/* D-24 */
static void
generate_learn_sign(void **state)
{
	struct process admin, signer;
	struct frame_hello hello;
	struct made key;
	struct frame_stats stats;

	process_up(&admin, *state, "admin", plain);
	key = made_key(&admin);
	made_signs(&admin, &key);
	process_start(&signer, *state, "signer", plain);
	assert_true(process_hello(&signer, &hello));
	assert_int_equal(hello.keys, 1); /* the canary is not one of them */
	assert_int_equal(hello.refused, 0);
	assert_int_equal(hello.pid, signer.pid);
	assert_int_equal(hello.threads, 1);
	assert_string_equal(hello.manufacturer, "SoftHSM project");
	assert_int_equal(strlen(hello.token_serial), 16);

	assert_int_equal(made_code(&signer, FRAME_SIGN, &key), FRAME_NO_KEY);
	assert_int_equal(made_code(&signer, FRAME_LOOK, &key), FRAME_OK);
	made_signs(&signer, &key);
	assert_int_equal(made_code(&signer, FRAME_FORGET, &key), FRAME_OK);
	assert_int_equal(made_code(&signer, FRAME_LOOK, &key), FRAME_NO_KEY);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_OK);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_OK);
	for (int i = 0; i < 5; i++)
		made_signs(&signer, &key);
	stats = process_stats(&signer);
	assert_int_equal(stats.signatures, 6);
	assert_int_equal(stats.canaries, 1); /* the one at the start */
	assert_int_equal(stats.errors, 0);
	assert_int_equal(stats.sessions, 2);
	assert_int_equal(stats.keys, 1);
	assert_true(stats.sign_ns > 0);
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

static void
a_key_made_later_is_learnt(void **state)
{
	struct process admin, signer;
	struct made key;

	process_up(&signer, *state, "signer", plain);
	assert_int_equal(process_stats(&signer).canaries, 0); /* nobody made one yet */
	process_up(&admin, *state, "admin", plain);
	key = made_key(&admin);
	assert_int_equal(made_code(&signer, FRAME_LOOK, &key), FRAME_NO_KEY); /* no search */
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_OK);
	assert_int_equal(made_code(&signer, FRAME_LOOK, &key), FRAME_OK);
	made_signs(&signer, &key);
	assert_int_equal(made_code(&signer, FRAME_FORGET, &key), FRAME_OK);
	assert_int_equal(made_code(&signer, FRAME_FORGET, &key), FRAME_NO_KEY);
	assert_int_equal(made_code(&signer, FRAME_SIGN, &key), FRAME_NO_KEY);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_OK);
	made_signs(&signer, &key);
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

static void
unknown_keys(void **state)
{
	struct process admin, signer;
	struct made key, other;

	process_up(&admin, *state, "admin", plain);
	process_up(&signer, *state, "signer", plain);
	key = made_key(&admin);
	other = made_key(&admin);
	memcpy(other.id, key.id, sizeof other.id);
	/* The point of another key: its id is another. */
	assert_int_equal(made_code(&signer, FRAME_LEARN, &other), FRAME_BAD_FRAME);
	assert_int_equal(made_code(&signer, FRAME_LOOK, &other), FRAME_BAD_FRAME);
	made_elsewhere(&other);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &other), FRAME_NO_KEY);
	assert_int_equal(made_code(&signer, FRAME_SIGN, &other), FRAME_NO_KEY);
	assert_int_equal(made_code(&signer, FRAME_FORGET, &other), FRAME_NO_KEY);
	assert_int_equal(made_code(&admin, FRAME_SIGN, &other), FRAME_NO_KEY);
	assert_int_equal(made_code(&admin, FRAME_DESTROY, &other), FRAME_NO_KEY);
	assert_int_equal(process_stats(&signer).signatures, 0);
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

/* A stale handle: the key alone is searched again, and the token is not given up. */
static void
a_destroyed_key(void **state)
{
	struct process admin, signer;
	struct made gone, stays;

	process_up(&admin, *state, "admin", plain);
	process_up(&signer, *state, "signer", plain);
	gone = made_key(&admin);
	stays = made_key(&admin);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &gone), FRAME_OK);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &stays), FRAME_OK);
	/* The canary came after the signer's start: its first check finds it. */
	made_signs(&signer, &gone);
	assert_int_equal(process_stop(&signer), 0);
	process_up(&signer, *state, "signer", plain);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &gone), FRAME_OK);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &stays), FRAME_OK);
	made_signs(&signer, &gone);
	assert_int_equal(made_code(&admin, FRAME_DESTROY, &gone), FRAME_OK);
	assert_int_equal(made_code(&admin, FRAME_DESTROY, &gone), FRAME_NO_KEY);
	assert_int_equal(made_code(&admin, FRAME_SIGN, &gone), FRAME_NO_KEY);
	assert_int_equal(made_code(&signer, FRAME_SIGN, &gone), FRAME_NO_KEY);
	made_signs(&signer, &stays);
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

static bool
tool_makes(const struct lab *lab, const char *id, const char *type, const char *more)
{
	const char *const argv[] = { "/usr/bin/pkcs11-tool", "--module", lab->module,
		"--token-label", "t", "-l", "-p", LAB_PIN, "--keypairgen", "--key-type", type,
		"--id", id, "--label", "foreign", "--usage-sign", more, NULL };

	return lab_run(lab, argv);
}

/* A P-256 key that the agent did not make, under the id that it would have given. */
static bool
foreign_key(const struct lab *lab, const char *more, struct made *out)
{
	char file[4096], hex[65];
	const char *const read_it[] = { "/usr/bin/pkcs11-tool", "--module", lab->module,
		"--token-label", "t", "--read-object", "--type", "pubkey", "--id", "77", "-o",
		file, NULL };
	const char *const name_it[] = { "/usr/bin/pkcs11-tool", "--module", lab->module,
		"--token-label", "t", "-l", "-p", LAB_PIN, "--type", "privkey", "--id", "77",
		"--set-id", hex, NULL };
	uint8_t der[256];
	AUTO_FD fd = -1;
	ssize_t n;

	snprintf(file, sizeof file, "%s/pub", lab->dir);
	if (!tool_makes(lab, "77", "EC:prime256v1", more) || !lab_run(lab, read_it))
		return false;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	n = read(fd, der, sizeof der);
	assert_true(n > 65);
	memcpy(out->point, der + n - 65, 65); /* of a P-256 SubjectPublicKeyInfo, the last */
	assert_int_equal(p256_key_id(out->point, out->id, NULL), RC_OK);
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", out->id[i]);
	return lab_run(lab, name_it);
}

static void
foreign_keys_are_refused(void **state)
{
	struct process admin, signer;
	struct frame_hello hello;
	static const char id[] =
	    "ab000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e";
	struct made key;

	if (access("/usr/bin/pkcs11-tool", X_OK) != 0)
		skip();
	assert_true(foreign_key(*state, "--extractable", &key));
	assert_true(tool_makes(*state, id, "EC:secp384r1", NULL));
	assert_true(tool_makes(*state, "79", "EC:prime256v1", NULL)); /* no id of ours */
	process_start(&admin, *state, "admin", plain);
	assert_true(process_hello(&admin, &hello));
	assert_int_equal(hello.keys, 0);
	assert_int_equal(hello.refused, 3);
	assert_int_equal(made_code(&admin, FRAME_SIGN, &key), FRAME_KEY_REFUSED);
	assert_int_equal(made_code(&admin, FRAME_DESTROY, &key), FRAME_KEY_REFUSED);
	process_start(&signer, *state, "signer", plain);
	assert_true(process_hello(&signer, &hello));
	assert_int_equal(hello.refused, 3);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_KEY_REFUSED);
	assert_int_equal(made_code(&signer, FRAME_SIGN, &key), FRAME_KEY_REFUSED);
	assert_int_equal(process_stats(&signer).signatures, 0);
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

/* The same by the same tool, but as the agent wants it: what is refused above is not the tool. */
/* Which of two keys with one id would sign is a matter of luck, so neither does. */
static void
twins_are_refused(void **state)
{
	static const char id[] =
	    "ab000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e";
	struct process admin;
	struct frame_hello hello;

	if (access("/usr/bin/pkcs11-tool", X_OK) != 0)
		skip();
	assert_true(tool_makes(*state, id, "EC:prime256v1", "--sensitive"));
	assert_true(tool_makes(*state, id, "EC:prime256v1", "--sensitive"));
	process_start(&admin, *state, "admin", plain);
	assert_true(process_hello(&admin, &hello));
	assert_int_equal(hello.keys, 0);
	assert_int_equal(hello.refused, 2);
	assert_int_equal(process_stop(&admin), 0);
}

static void
a_foreign_key_of_our_kind_is_taken(void **state)
{
	struct process signer;
	struct made key;

	if (access("/usr/bin/pkcs11-tool", X_OK) != 0)
		skip();
	assert_true(foreign_key(*state, NULL, &key));
	process_up(&signer, *state, "signer", plain);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_OK);
	made_signs(&signer, &key);
	assert_int_equal(process_stop(&signer), 0);
}

/* ---- frames ------------------------------------------------------------------ */

static int
raw_code(struct process *p, const struct frame *frame, size_t len)
{
	struct frame answer;

	assert_int_equal(send(p->fd, frame, len, 0), (ssize_t)len);
	assert_true(process_answer(p, &answer));
	return answer.code;
}

static void
bad_frames(void **state)
{
	struct process p;
	struct frame good, bad;
	uint8_t big[sizeof good + 1] = { FRAME_VERSION, FRAME_STATS };

	process_up(&p, *state, "signer", plain);
	good = frame_make(FRAME_STATS, p.generation, 7);
	for (size_t len = 1; len < sizeof good; len += 13)
		assert_int_equal(raw_code(&p, &good, len), FRAME_BAD_FRAME);
	assert_int_equal(send(p.fd, big, sizeof big, 0), (ssize_t)sizeof big);
	assert_true(process_answer(&p, &bad));
	assert_int_equal(bad.code, FRAME_BAD_FRAME);
	bad = good;
	bad.version++;
	assert_int_equal(raw_code(&p, &bad, sizeof bad), FRAME_BAD_FRAME);
	bad = good;
	bad.generation++;
	assert_int_equal(raw_code(&p, &bad, sizeof bad), FRAME_BAD_FRAME);
	bad = good;
	bad.reserved = 1;
	assert_int_equal(raw_code(&p, &bad, sizeof bad), FRAME_BAD_FRAME);
	bad = good;
	bad.code = FRAME_REBUILD;
	assert_int_equal(raw_code(&p, &bad, sizeof bad), FRAME_BAD_FRAME);
	for (unsigned op = 0; op < 256; op++) {
		if (op == FRAME_SIGN || op == FRAME_LEARN || op == FRAME_LOOK ||
		    op == FRAME_FORGET || op == FRAME_STATS)
			continue;
		bad = good;
		bad.op = (uint8_t)op;
		assert_int_equal(raw_code(&p, &bad, sizeof bad), FRAME_BAD_FRAME);
	}
	assert_int_equal(raw_code(&p, &good, sizeof good), FRAME_OK);
	assert_int_equal(process_stop(&p), 0);
}

static void
the_admin_does_not_learn(void **state)
{
	struct process p;
	struct made key;

	process_up(&p, *state, "admin", plain);
	key = made_key(&p);
	assert_int_equal(made_code(&p, FRAME_LEARN, &key), FRAME_BAD_FRAME);
	assert_int_equal(made_code(&p, FRAME_LOOK, &key), FRAME_BAD_FRAME);
	assert_int_equal(made_code(&p, FRAME_FORGET, &key), FRAME_BAD_FRAME);
	assert_int_equal(made_code(&p, FRAME_HELLO, &key), FRAME_BAD_FRAME);
	assert_int_equal(process_stop(&p), 0);
}

/* Threads take the frames themselves: each is answered once, and counted once. */
static void
many_at_once(void **state)
{
	static const char *const threads[] = { "--label", "t", "--canary-s", "0", "--threads",
		"4", NULL };
	enum { REQUESTS = 400 };
	struct process admin, signer;
	struct made key;
	bool seen[REQUESTS] = { false };
	struct frame_stats stats;
	struct frame frame;

	process_up(&admin, *state, "admin", plain);
	key = made_key(&admin);
	process_up(&signer, *state, "signer", threads);
	assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_OK);
	for (uint64_t sent = 0, got = 0; got < REQUESTS;) {
		if (sent < REQUESTS && sent - got < 64) {
			frame = frame_make(FRAME_SIGN, signer.generation, 1000 + sent);
			memcpy(frame.key_id, key.id, sizeof frame.key_id);
			memcpy(frame.body, &sent, sizeof sent);
			assert_int_equal(frame_send(signer.fd, &frame, NULL), RC_OK);
			sent++;
			continue;
		}
		assert_true(process_answer(&signer, &frame));
		assert_int_equal(frame.code, FRAME_OK);
		uint64_t n = frame.request_id - 1000;
		uint8_t digest[32] = { 0 };
		assert_true(n < REQUESTS && !seen[n]);
		memcpy(digest, &n, sizeof n);
		assert_int_equal(p256_verify(key.point, digest, frame.body, NULL), RC_OK);
		seen[n] = true;
		got++;
	}
	stats = process_stats(&signer);
	assert_int_equal(stats.signatures, REQUESTS);
	assert_int_equal(stats.canaries, 1);
	assert_int_equal(stats.sessions, 5);
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

/* ---- whose a key is ---------------------------------------------------------------- */

#define BEFORE "00112233445566778899aabbccddeeff" /* a batch as it was called once */

static const uint8_t before[FRAME_BATCH] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
	0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

/* A key that another program put there. */
static void
bring_key(const struct lab *lab, const char *label, const char *id)
{
	AUTO_OSSL(EVP_PKEY) *key = EVP_EC_gen("P-256");
	char path[LAB_PATH + 8];
	const char *const argv[] = { "/usr/bin/softhsm2-util", "--import", path, "--token", "t",
		"--pin", LAB_PIN, "--label", label, "--id", id, NULL };
	FILE *file;

	snprintf(path, sizeof path, "%s/key.p8", lab->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	assert_true(lab_run(lab, argv));
}

struct listed {
	unsigned n;
	struct {
		uint8_t id[32];
		struct frame_listed key;
	} at[8];
};

static void
note(void *arg, const uint8_t key_id[32], const struct frame_listed *key)
{
	struct listed *l = arg;

	assert_true(l->n < ARRAY_LEN(l->at));
	memcpy(l->at[l->n].id, key_id, 32);
	l->at[l->n++].key = *key;
}

static struct frame_listed
listed_key(const struct listed *l, const uint8_t key_id[32])
{
	for (unsigned i = 0; i < l->n; i++) {
		if (memcmp(l->at[i].id, key_id, 32) == 0)
			return l->at[i].key;
	}
	fail_msg("a key is not listed");
	return (struct frame_listed){ .label = 0 };
}

static void
count_made(void *arg, const uint8_t key_id[32])
{
	assert_int_equal(key_id[31], 0xbb);
	++*(unsigned *)arg;
}

/* The label tells, and only what is called ours is destroyed as ours. */
static void
only_what_is_called_ours(void **state)
{
	static const uint8_t batch[FRAME_BATCH] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	static const uint8_t other[FRAME_OWNER] = { 1, 2, 3, 4, 5, 6, 7, 9 };
	static const uint8_t brought[32] = { [31] = 0xbb }, nobody[32] = { 0 };
	AUTO(token_admin) *a = NULL;
	struct process admin;
	uint8_t point[2][65], id[2][32];
	struct frame_listed key;
	struct listed l = { 0 };
	unsigned made = 0;

	bring_key(*state, "vesper-" BEFORE,
	    "00000000000000000000000000000000000000000000000000000000000000bb");
	assert_int_equal(token_admin_new(&a, NULL), RC_OK);
	process_start(&admin, *state, "admin", plain);
	token_admin_attach(a, dup(admin.fd), admin.generation);
	assert_int_equal(token_admin_generate(a, batch, point[0], NULL), RC_OK);
	assert_int_equal(token_admin_generate(a, NULL, point[1], NULL), RC_OK);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(p256_key_id(point[i], id[i], NULL), RC_OK);
	assert_int_equal(token_admin_list(a, note, &l, NULL), RC_OK);
	assert_int_equal(l.n, 3);
	key = listed_key(&l, id[0]);
	assert_int_equal(key.label, FRAME_LABEL_OWNED);
	assert_memory_equal(key.name, batch, FRAME_BATCH);
	assert_memory_equal(key.point, point[0], 65);
	assert_int_equal(listed_key(&l, id[1]).label, FRAME_LABEL_ID);
	key = listed_key(&l, brought);
	assert_int_equal(key.label, FRAME_LABEL_BATCH);
	assert_memory_equal(key.name, before, FRAME_BATCH);
	assert_int_equal(token_admin_destroy_owned(a, id[0], other, NULL), RC_DENIED);
	assert_int_equal(token_admin_destroy_owned(a, id[1], batch, NULL), RC_DENIED);
	assert_int_equal(token_admin_destroy_owned(a, brought, before, NULL), RC_DENIED);
	assert_int_equal(token_admin_destroy_owned(a, nobody, batch, NULL), RC_NOT_FOUND);
	l = (struct listed){ 0 };
	assert_int_equal(token_admin_list(a, note, &l, NULL), RC_OK);
	assert_int_equal(l.n, 3);
	assert_int_equal(token_admin_destroy_owned(a, id[0], batch, NULL), RC_OK);
	assert_int_equal(token_admin_destroy_owned(a, id[0], batch, NULL), RC_NOT_FOUND);
	/* What a crash left of a batch of before is found by what it was called then. */
	assert_int_equal(token_admin_made(a, before, count_made, &made, NULL), RC_OK);
	assert_int_equal(made, 1);
	assert_int_equal(token_admin_destroy(a, brought, NULL), RC_OK);
	assert_int_equal(process_stop(&admin), 0);
}

/* ---- the asking end on the real admin ------------------------------------------- */

struct seen {
	unsigned n, points;
	uint8_t id[8][32];
};

static void
see(void *arg, const uint8_t key_id[32], const struct frame_listed *key)
{
	static const uint8_t none[65];
	struct seen *s = arg;

	assert_true(s->n < 8);
	memcpy(s->id[s->n++], key_id, 32);
	s->points += memcmp(key->point, none, sizeof none) != 0;
}

static enum rc
admin_signs(void *arg, const uint8_t key_id[32], const uint8_t digest[32], uint8_t sig[64],
    struct fault *f)
{
	return token_admin_sign(arg, key_id, digest, sig, f);
}

static void
check_request(struct token_admin *a, const uint8_t point[65])
{
	AUTO(token_provider) *provider = NULL;
	AUTO_OSSL(X509_REQ) *req = X509_REQ_new();
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	AUTO_OSSL(EVP_PKEY) *public = NULL;

	assert_int_equal(token_provider_new(admin_signs, a, &provider, NULL), RC_OK);
	assert_int_equal(token_provider_key(provider, point, &key, NULL), RC_OK);
	assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
	assert_true(X509_REQ_sign(req, key, EVP_sha256()) > 0);
	assert_int_equal(p256_public(point, &public, NULL), RC_OK);
	assert_int_equal(X509_REQ_verify(req, public), 1);
}

static void
count_point(void *arg, const uint8_t point[65])
{
	assert_int_equal(point[0], 4);
	++*(unsigned *)arg;
}

static void
some_at_once(struct token_admin *a)
{
	struct frame_stats stats = { .keys = 0 };
	struct fault f = { 0 };
	unsigned made = 7, seen = 0;

	assert_int_equal(
	    token_admin_generate_some(a, 0, NULL, count_point, &seen, &made, &f), RC_BUG);
	assert_int_equal(token_admin_generate_some(
			     a, FRAME_MAX_MADE + 1, NULL, count_point, &seen, &made, &f),
	    RC_BUG);
	assert_int_equal(made, 0);
	assert_int_equal(
	    token_admin_generate_some(a, 3, NULL, count_point, &seen, &made, &f), RC_OK);
	assert_int_equal(made, 3);
	assert_int_equal(seen, 3);
	assert_int_equal(token_admin_stats(a, &stats, &f), RC_OK);
	assert_int_equal(stats.keys, 4);
	assert_int_equal(stats.refused, 0);
}

static void
through_the_client(void **state)
{
	AUTO(token_admin) *a = NULL;
	struct process admin;
	uint8_t point[2][65], id[2][32], digest[32] = { 7 }, sig[64];
	struct seen seen = { 0 };
	struct fault f = { 0 };

	assert_int_equal(token_admin_new(&a, &f), RC_OK);
	assert_false(token_admin_ready(a));
	assert_int_equal(token_admin_generate(a, NULL, point[0], &f), RC_HSM);
	assert_string_equal(f.reason, "hsm_unavailable");
	process_start(&admin, *state, "admin", plain);
	token_admin_attach(a, dup(admin.fd), admin.generation);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(token_admin_generate(a, NULL, point[i], &f), RC_OK);
		assert_int_equal(p256_key_id(point[i], id[i], &f), RC_OK);
	}
	assert_true(token_admin_ready(a));
	assert_int_equal(token_admin_sign(a, id[1], digest, sig, &f), RC_OK);
	assert_int_equal(p256_verify(point[1], digest, sig, NULL), RC_OK);
	check_request(a, point[0]);
	assert_int_equal(token_admin_list(a, see, &seen, &f), RC_OK);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.points, 2);
	assert_int_equal(token_admin_destroy(a, id[0], &f), RC_OK);
	assert_int_equal(token_admin_destroy(a, id[0], &f), RC_NOT_FOUND);
	seen = (struct seen){ 0 };
	assert_int_equal(token_admin_list(a, see, &seen, &f), RC_OK);
	assert_int_equal(seen.n, 1);
	assert_memory_equal(seen.id[0], id[1], 32);
	some_at_once(a);
	/* The process dies: the next call says so, and the one after has the new one. */
	kill(admin.pid, SIGKILL);
	assert_int_equal(process_wait(&admin), 128 + SIGKILL);
	assert_false(token_admin_ready(a));
	assert_int_equal(token_admin_sign(a, id[1], digest, sig, &f), RC_HSM);
	process_start(&admin, *state, "admin", plain);
	token_admin_attach(a, dup(admin.fd), admin.generation);
	assert_int_equal(token_admin_sign(a, id[1], digest, sig, &f), RC_OK);
	assert_int_equal(p256_verify(point[1], digest, sig, NULL), RC_OK);
	assert_int_equal(process_stop(&admin), 0);
}

/* ---- processes ------------------------------------------------------------------- */

static void
killed_and_started_again(void **state)
{
	struct process admin, signer;
	struct made key, second;

	process_up(&admin, *state, "admin", plain);
	process_up(&signer, *state, "signer", plain);
	key = made_key(&admin);
	second = made_key(&admin);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(made_code(&signer, FRAME_LEARN, &second), FRAME_OK);
		assert_int_equal(made_code(&signer, FRAME_LEARN, &key), FRAME_OK);
		made_signs(&signer, &key);
		made_signs(&signer, &second);
		made_signs(&admin, &key);
		kill(signer.pid, SIGKILL);
		kill(admin.pid, SIGKILL);
		assert_int_equal(process_wait(&signer), 128 + SIGKILL);
		assert_int_equal(process_wait(&admin), 128 + SIGKILL);
		process_up(&signer, *state, "signer", plain);
		process_up(&admin, *state, "admin", plain);
		assert_int_equal(made_code(&signer, FRAME_SIGN, &key), FRAME_NO_KEY);
	}
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

static void
asked_to_leave(void **state)
{
	static const char *const roles[] = { "signer", "admin" };
	struct process p;

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		process_up(&p, *state, roles[i], plain);
		kill(p.pid, SIGTERM);
		assert_int_equal(process_wait(&p), 0);
		assert_false(process_said(&p, "vesper-hsm"));
	}
}

/* A storm of starts: without the lock, SoftHSM shows most of them an empty token. */
static void
all_at_once(void **state)
{
	struct process p[6];

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		process_start(&p[i], *state, i == 0 ? "admin" : "signer", plain);
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		assert_true(process_hello(&p[i], NULL));
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		assert_int_equal(process_stop(&p[i]), 0);
}

static void
the_lock_is_waited_for(void **state)
{
	const struct lab *lab = *state;
	int lock = open(lab->lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	struct pollfd pfd;
	struct process p;

	assert_int_equal(flock(lock, LOCK_EX), 0);
	process_start(&p, lab, "signer", plain);
	pfd = (struct pollfd){ .fd = p.fd, .events = POLLIN };
	assert_int_equal(poll(&pfd, 1, 700), 0);
	close(lock);
	assert_true(process_hello(&p, NULL));
	assert_int_equal(process_stop(&p), 0);
}

/* One a second; it is asked rarely, for to be asked ends an idle time. */
static struct frame_stats
stats_after(struct process *p, uint64_t canaries, time_t began_s)
{
	const struct timespec wait = { .tv_sec = 2 };
	struct frame_stats stats;

	do {
		nanosleep(&wait, NULL);
		stats = process_stats(p);
		assert_true((time_t)stats.canaries <= time(NULL) - began_s + 2);
	} while (stats.canaries < canaries);
	return stats;
}

static void
the_canary_sings_when_idle(void **state)
{
	static const char *const often[] = { "--label", "t", "--canary-s", "1", NULL };
	const time_t began_s = time(NULL);
	struct process admin, signer;
	struct frame_stats stats;

	process_up(&signer, *state, "signer", often); /* before there is one */
	process_up(&admin, *state, "admin", often);
	stats = stats_after(&signer, 2, began_s);
	assert_int_equal(stats.signatures, 0);
	assert_int_equal(stats.keys, 0);
	stats = stats_after(&admin, 3, began_s);
	assert_int_equal(stats.signatures, 0);
	assert_int_equal(process_stop(&signer), 0);
	assert_int_equal(process_stop(&admin), 0);
}

static bool
status_has(pid_t pid, const char *file, const char *text)
{
	char path[64], all[8192];
	AUTO_FD fd = -1;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, all, sizeof all - 1);
	assert_true(n > 0);
	all[n] = 0;
	return strstr(all, text) != NULL;
}

static void
what_it_gave_up(void **state)
{
	struct process p;

	process_up(&p, *state, "signer", plain);
	assert_true(status_has(p.pid, "status", "NoNewPrivs:\t1\n"));
	assert_true(
	    status_has(p.pid, "limits", "Max core file size        0                    0  "));
	assert_int_equal(process_stop(&p), 0);
}

static void
give_away(const struct lab *lab, const struct passwd *pw)
{
	char owner[64];
	const char *const chown_it[] = { "/usr/bin/chown", "-R", owner, lab->dir, NULL };

	snprintf(owner, sizeof owner, "%u:%u", (unsigned)pw->pw_uid, (unsigned)pw->pw_gid);
	assert_true(lab_run(lab, chown_it));
}

static void
as_another_user(void **state)
{
	static const char *const nobody[] = { "--label", "t", "--user", "nobody", NULL };
	static const char *const root[] = { "--label", "t", "--user", "root", NULL };
	static const char *const unknown[] = { "--label", "t", "--user", "no-such-user", NULL };
	const struct passwd *pw = getpwnam("nobody");
	struct process p;
	char line[64];

	if (getuid() != 0 || pw == NULL)
		skip();
	give_away(*state, pw);
	process_up(&p, *state, "signer", nobody);
	snprintf(line, sizeof line, "Uid:\t%u\t%u\t%u\t%u\n", (unsigned)pw->pw_uid,
	    (unsigned)pw->pw_uid, (unsigned)pw->pw_uid, (unsigned)pw->pw_uid);
	assert_true(status_has(p.pid, "status", line));
	assert_true(status_has(p.pid, "status", "CapEff:\t0000000000000000\n"));
	assert_true(status_has(p.pid, "status", "NoNewPrivs:\t1\n"));
	assert_int_equal(process_stop(&p), 0);
	process_start(&p, *state, "signer", root);
	assert_int_equal(process_wait(&p), 2);
	assert_true(process_said(&p, "user: "));
	process_start(&p, *state, "signer", unknown);
	assert_int_equal(process_wait(&p), 2);
}

int
main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
	const struct CMUnitTest tests[] = {
		ROW(generate_learn_sign),
		ROW(a_key_made_later_is_learnt),
		ROW(unknown_keys),
		ROW(a_destroyed_key),
		ROW(foreign_keys_are_refused),
		ROW(twins_are_refused),
		ROW(a_foreign_key_of_our_kind_is_taken),
		ROW(bad_frames),
		ROW(the_admin_does_not_learn),
		ROW(many_at_once),
		ROW(through_the_client),
		ROW(only_what_is_called_ours),
		ROW(killed_and_started_again),
		ROW(asked_to_leave),
		ROW(all_at_once),
		ROW(the_lock_is_waited_for),
		ROW(the_canary_sings_when_idle),
		ROW(what_it_gave_up),
		ROW(as_another_user),
	};
#undef ROW

	if (lab_softhsm() == NULL)
		return 77;
	alarm(TIME_LIMIT_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
