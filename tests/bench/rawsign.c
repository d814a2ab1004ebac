/*
 * Raw C_SignInit + C_Sign in a loop: the yardstick of every speed claim.
 *
 *	rawsign MODULE LABEL PIN-FILE SECONDS [THREADS [KEYS]]
 *
 * One process; for each thread (1) a session; the first KEYS private keys of
 * the token (1) in turn.  Prints {"keys":…,"signatures":…,"seconds":…,
 * "cpu_seconds":…,"p50_us":…,"p99_us":…}.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	SAMPLES_MAX = 4000000,
	SLOTS_MAX = 64,
	PIN_MAX = 256,
	THREADS_MAX = 64,
	KEYS_MAX = 100000
};

static uint32_t sample_ns[SAMPLES_MAX];
static atomic_size_t samples;
static CK_OBJECT_HANDLE key[KEYS_MAX];
static size_t keys;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
need(CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "rawsign: %s: 0x%lx\n", what, rv);
	exit(1);
}

static CK_FUNCTION_LIST *
load(const char *path)
{
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_FUNCTION_LIST *p11 = NULL;
	CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };

	if (module != NULL)
		*(void **)&get = dlsym(module, "C_GetFunctionList");
	if (get == NULL) {
		fprintf(stderr, "rawsign: %s\n", dlerror());
		exit(1);
	}
	need(get(&p11), "C_GetFunctionList");
	need(p11->C_Initialize(&args), "C_Initialize");
	return p11;
}

static CK_SLOT_ID
find_slot(CK_FUNCTION_LIST *p11, const char *label)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;

	need(p11->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    memcmp(info.label, label, strlen(label)) == 0)
			return slots[i];
	}
	fprintf(stderr, "rawsign: no token \"%s\"\n", label);
	exit(1);
}

static void
login(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, const char *pin_file)
{
	unsigned char pin[PIN_MAX];
	FILE *file = fopen(pin_file, "rb");
	size_t len = file == NULL ? 0 : fread(pin, 1, sizeof pin, file);

	if (len == 0) {
		fprintf(stderr, "rawsign: %s: no PIN\n", pin_file);
		exit(1);
	}
	fclose(file);
	while (len > 0 && pin[len - 1] == '\n')
		len--;
	need(p11->C_Login(session, CKU_USER, pin, len), "C_Login");
}

static void
find_keys(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session, size_t wanted)
{
	CK_OBJECT_CLASS cls = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template = { CKA_CLASS, &cls, sizeof cls };
	CK_ULONG n = 1;

	need(p11->C_FindObjectsInit(session, &template, 1), "C_FindObjectsInit");
	for (; keys < wanted && n > 0; keys += n)
		need(p11->C_FindObjects(session, key + keys, wanted - keys, &n),
		    "C_FindObjects");
	need(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	if (keys == 0) {
		fprintf(stderr, "rawsign: no private key\n");
		exit(1);
	}
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

struct worker {
	CK_FUNCTION_LIST *p11;
	CK_SESSION_HANDLE session;
	pthread_t thread;
	size_t first; /* key */
	uint64_t end_ns;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
	unsigned char digest[32] = { 1 }, sig[64];
	uint64_t last = now_ns();

	for (size_t i = w->first; last < w->end_ns; i++) {
		CK_ULONG len = sizeof sig;
		uint64_t now;
		size_t at;

		digest[i % 32]++;
		need(w->p11->C_SignInit(w->session, &ecdsa, key[i % keys]), "C_SignInit");
		need(w->p11->C_Sign(w->session, digest, sizeof digest, sig, &len), "C_Sign");
		now = now_ns();
		at = atomic_fetch_add_explicit(&samples, 1, memory_order_relaxed);
		if (at < SAMPLES_MAX)
			sample_ns[at] = (uint32_t)(now - last);
		last = now;
	}
	return NULL;
}

/* In threads beside the first, which is this one; seconds until the last was done. */
static double
run(struct worker *worker, size_t threads, double seconds)
{
	uint64_t began = now_ns(), end = began + (uint64_t)(seconds * 1e9);

	for (size_t i = 0; i < threads; i++) {
		worker[i].end_ns = end;
		worker[i].first = i * keys / threads;
	}
	for (size_t i = 1; i < threads; i++) {
		if (pthread_create(&worker[i].thread, NULL, work, &worker[i]) != 0)
			exit(1);
	}
	work(&worker[0]);
	for (size_t i = 1; i < threads; i++)
		pthread_join(worker[i].thread, NULL);
	return (double)(now_ns() - began) / 1e9;
}

static void
print(double seconds, double cpu_s)
{
	size_t n = samples < SAMPLES_MAX ? samples : SAMPLES_MAX;

	qsort(sample_ns, n, sizeof sample_ns[0], by_value);
	printf("{\"keys\":%zu,\"signatures\":%zu,\"seconds\":%.3f,\"cpu_seconds\":%.3f,"
	       "\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
	    keys, (size_t)samples, seconds, cpu_s, sample_ns[n / 2] / 1e3,
	    sample_ns[n * 99 / 100] / 1e3);
	fflush(stdout);
}

static size_t
number(const char *text, size_t max)
{
	unsigned long n = strtoul(text, NULL, 10);

	return n < 1 ? 1 : n > max ? max : n;
}

int
main(int argc, char **argv)
{
	static struct worker worker[THREADS_MAX];
	size_t threads = argc > 5 ? number(argv[5], THREADS_MAX) : 1;
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	double cpu_s, seconds;

	if (argc < 5 || argc > 7) {
		fprintf(
		    stderr, "usage: rawsign MODULE LABEL PIN-FILE SECONDS [THREADS [KEYS]]\n");
		return 2;
	}
	p11 = load(argv[1]);
	slot = find_slot(p11, argv[2]);
	for (size_t i = 0; i < threads; i++) {
		worker[i].p11 = p11;
		need(p11->C_OpenSession(
			 slot, CKF_SERIAL_SESSION, NULL, NULL, &worker[i].session),
		    "C_OpenSession");
	}
	login(p11, worker[0].session, argv[3]);
	find_keys(p11, worker[0].session, argc > 6 ? number(argv[6], KEYS_MAX) : 1);
	cpu_s = cpu_seconds();
	seconds = run(worker, threads, strtod(argv[4], NULL));
	print(seconds, cpu_seconds() - cpu_s);
	p11->C_Finalize(NULL);
	_exit(0); /* SoftHSM's destructors and OpenSSL's do not agree on an order */
}
