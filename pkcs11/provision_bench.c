#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pkcs11/canary.h"
#include "pkcs11/keypair.h"
#include "pkcs11/p11rc.h"
#include "pkcs11/provision_token.h"
#include "pkcs11/tokenlock.h"

enum { SLOWEST_US = 65536 };

/* One thread with its session, as a signer has them. */
struct runner {
	struct session session;
	CK_OBJECT_HANDLE key;
	int64_t until_ns;
	uint64_t signatures;
	CK_RV rv; /* why it stopped early */
	uint32_t took_us[SLOWEST_US];
};

struct bench {
	struct provision *o;
	struct provision_token t;
	struct runner *runner;
	uint32_t threads;
	CK_OBJECT_HANDLE key, made; /* made: CK_INVALID_HANDLE where the canary is there */
	double seconds;
};

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *
run(void *arg)
{
	struct runner *r = arg;
	uint8_t digest[P256_DIGEST] = { 0 }, sig[P256_SIG];
	atomic_uint_fast64_t calls = 0;

	(void)RAND_bytes(digest, sizeof digest);
	for (int64_t began = now_ns(); r->rv == CKR_OK && began < r->until_ns;) {
		int64_t ended;
		uint64_t us;

		digest[0]++;
		r->rv = session_sign(&r->session, r->key, digest, sig, &calls);
		ended = now_ns();
		us = (uint64_t)(ended - began) / 1000;
		if (r->rv == CKR_OK) {
			r->signatures++;
			r->took_us[us < SLOWEST_US ? us : SLOWEST_US - 1]++;
		}
		began = ended;
	}
	return NULL;
}

/* ---- before and after ---------------------------------------------------------------- */

/* The canary's where the agent has made one, else one for the time being. */
static enum rc
choose_key(struct bench *b, struct fault *f)
{
	struct canary canary;
	struct key key;
	CK_RV rv;

	canary_init(&canary);
	rv = canary_find(&canary, b->t.map);
	if (rv == CKR_OK && canary_known(&canary)) {
		b->key = canary.key.handle;
		return RC_OK;
	}
	if (rv == CKR_OK)
		rv = keypair_make(&b->t.login, b->t.map, b->t.login.idle, NULL, &key);
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "bench", "no key to sign with: %s: see vesper hsm test",
		    p11rc_name(rv));
	b->key = key.handle;
	b->made = key.handle;
	return RC_OK;
}

static enum rc
prepare(struct bench *b, struct fault *f)
{
	TRY(provision_open(b->o, true, &b->t, f));
	TRY(provision_keys(&b->t, f));
	TRY(choose_key(b, f));
	/* Only signatures from here on: others may start meanwhile. */
	provision_unlock(&b->t);
	b->threads = b->t.module.one_thread ? 1 : b->o->threads;
	b->runner = calloc(b->threads, sizeof *b->runner);
	if (b->runner == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "threads");
	b->t.login.read_write = b->o->read_write;
	for (uint32_t i = 0; i < b->threads; i++) {
		CK_RV rv = session_open(&b->runner[i].session, &b->t.login);

		b->runner[i].key = b->key;
		if (rv != CKR_OK)
			return FAULT(f, RC_HSM, "sessions", "session %u of %u: %s", i + 1,
			    b->threads, p11rc_name(rv));
	}
	return RC_OK;
}

static enum rc
measure(struct bench *b, struct fault *f)
{
	pthread_t thread[PROVISION_MAX_THREADS];
	int64_t began = now_ns();
	uint32_t n = 0;

	while (n < b->threads) {
		b->runner[n].until_ns = began + (int64_t)b->o->seconds * 1000000000;
		if (pthread_create(&thread[n], NULL, run, &b->runner[n]) != 0)
			break;
		n++;
	}
	for (uint32_t i = 0; i < n; i++)
		(void)pthread_join(thread[i], NULL);
	b->seconds = (double)(now_ns() - began) / 1e9;
	if (n < b->threads)
		return FAULT(
		    f, RC_NO_MEMORY, "no_memory", "thread %u of %u", n + 1, b->threads);
	for (uint32_t i = 0; i < n; i++) {
		if (b->runner[i].rv != CKR_OK)
			return FAULT(f, RC_HSM, "sign", "C_Sign on thread %u after %llu: %s",
			    i + 1, (unsigned long long)b->runner[i].signatures,
			    p11rc_name(b->runner[i].rv));
	}
	return RC_OK;
}

/* The time that this part of all signatures did not exceed. */
static unsigned
quantile_us(const struct bench *b, uint64_t all, double part)
{
	uint64_t seen = 0;

	for (unsigned us = 0; us < SLOWEST_US; us++) {
		for (uint32_t i = 0; i < b->threads; i++)
			seen += b->runner[i].took_us[us];
		if (seen > 0 && (double)seen >= part * (double)all)
			return us;
	}
	return SLOWEST_US - 1;
}

static void
show(const struct bench *b, FILE *out)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < b->threads; i++)
		all += b->runner[i].signatures;
	fprintf(out,
	    b->o->json
		? "{\"schema\":\"vesper/hsm-bench/1\",\"threads\":%u,\"seconds\":%.3f,"
		  "\"signatures\":%llu,\"per_second\":%.1f,\"p50_us\":%u,\"p99_us\":%u}\n"
		: "%u threads, %.1f s: %llu signatures, %.0f a second, p50 %u us, p99 "
		  "%u us\n",
	    b->threads, b->seconds, (unsigned long long)all, (double)all / b->seconds,
	    quantile_us(b, all, 0.5), quantile_us(b, all, 0.99));
}

/* A change of the token again. */
static void
tidy(struct bench *b)
{
	AUTO_FD lock = -1;

	if (b->made == CK_INVALID_HANDLE)
		return;
	(void)!tokenlock_take(b->o->lock_file, TOKENLOCK_WAIT_MS, &lock, NULL);
	(void)b->t.login.fn->C_DestroyObject(b->t.login.idle, b->made);
}

enum rc
provision_bench(struct provision *o, FILE *out, struct fault *f)
{
	struct bench b = { .o = o, .t = PROVISION_TOKEN_INIT, .made = CK_INVALID_HANDLE };
	enum rc rc = prepare(&b, f);

	if (rc == RC_OK)
		rc = measure(&b, f);
	if (rc == RC_OK)
		show(&b, out);
	tidy(&b);
	provision_close(&b.t);
	free(b.runner);
	return rc;
}
