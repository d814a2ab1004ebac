/*
 * Raw C_SignInit + C_Sign in a loop: the yardstick of every speed claim.
 *
 *	rawsign MODULE LABEL PIN-FILE SECONDS
 *
 * One process, one session, the first private key of the token; prints
 * {"signatures":…,"seconds":…,"cpu_seconds":…,"p50_us":…,"p99_us":…}.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES_MAX = 4000000, SLOTS_MAX = 64, PIN_MAX = 256 };

static uint32_t sample_ns[SAMPLES_MAX];

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

static CK_OBJECT_HANDLE
find_key(CK_FUNCTION_LIST *p11, CK_SESSION_HANDLE session)
{
	CK_OBJECT_CLASS cls = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE wanted = { CKA_CLASS, &cls, sizeof cls };
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	CK_ULONG n = 0;

	need(p11->C_FindObjectsInit(session, &wanted, 1), "C_FindObjectsInit");
	need(p11->C_FindObjects(session, &key, 1, &n), "C_FindObjects");
	need(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	if (n == 0) {
		fprintf(stderr, "rawsign: no private key\n");
		exit(1);
	}
	return key;
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

int
main(int argc, char **argv)
{
	CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
	unsigned char digest[32] = { 1 }, sig[64];
	CK_FUNCTION_LIST *p11;
	CK_SESSION_HANDLE session = 0;
	CK_OBJECT_HANDLE key;
	uint64_t begin, end, last;
	double cpu;
	size_t n = 0;

	if (argc != 5) {
		fprintf(stderr, "usage: rawsign MODULE LABEL PIN-FILE SECONDS\n");
		return 2;
	}
	p11 = load(argv[1]);
	need(p11->C_OpenSession(
		 find_slot(p11, argv[2]), CKF_SERIAL_SESSION, NULL, NULL, &session),
	    "C_OpenSession");
	login(p11, session, argv[3]);
	key = find_key(p11, session);

	cpu = cpu_seconds();
	begin = last = now_ns();
	end = begin + (uint64_t)(strtod(argv[4], NULL) * 1e9);
	while (last < end && n < SAMPLES_MAX) {
		CK_ULONG len = sizeof sig;
		uint64_t now;

		digest[n % 32]++;
		need(p11->C_SignInit(session, &ecdsa, key), "C_SignInit");
		need(p11->C_Sign(session, digest, sizeof digest, sig, &len), "C_Sign");
		now = now_ns();
		sample_ns[n++] = (uint32_t)(now - last);
		last = now;
	}
	cpu = cpu_seconds() - cpu;
	qsort(sample_ns, n, sizeof sample_ns[0], by_value);
	printf("{\"signatures\":%zu,\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"p50_us\":%.1f,"
	       "\"p99_us\":%.1f}\n",
	    n, (double)(last - begin) / 1e9, cpu, sample_ns[n / 2] / 1e3,
	    sample_ns[n * 99 / 100] / 1e3);
	fflush(stdout);
	p11->C_Finalize(NULL);
	_exit(0); /* SoftHSM's destructors and OpenSSL's do not agree on an order */
}
