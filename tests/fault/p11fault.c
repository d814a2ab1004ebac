/*
 * A PKCS#11 module that is another one, but for the faults of switches.h.
 * Never installed.  Wrapped is what the agent, libp11 and pkcs11-tool call;
 * the rest is the real module's.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stir/attr.h"
#include "tests/fault/handles.h"
#include "tests/fault/rules.h"

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

enum { PIN_MAX = 255, PADDED = 100, SMALL = 10, SECRET_LEN = 32 };

static CK_FUNCTION_LIST real, faulty;

/* What relogin and reinit need of what the process did before. */
static struct {
	pthread_mutex_t lock;
	CK_SLOT_ID slot;
	CK_BYTE pin[PIN_MAX];
	CK_ULONG pin_len;
	long sessions;
	time_t second; /* of rate: */
	unsigned long in_second;
} past = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- one list of functions: FORWARD has nothing to do but obey, OWN is below -------- */

/* clang-format off */
#define FUNCTIONS(FORWARD, OWN) \
	FORWARD(C_Initialize, (void *a), (a)) \
	FORWARD(C_Finalize, (void *a), (a)) \
	FORWARD(C_GetInfo, (CK_INFO *a), (a)) \
	OWN(C_GetSlotList) \
	FORWARD(C_GetSlotInfo, (CK_SLOT_ID a, CK_SLOT_INFO *b), (a, b)) \
	OWN(C_GetTokenInfo) \
	FORWARD(C_GetMechanismList, (CK_SLOT_ID a, CK_MECHANISM_TYPE *b, CK_ULONG *c), (a, b, c)) \
	FORWARD(C_GetMechanismInfo, (CK_SLOT_ID a, CK_MECHANISM_TYPE b, CK_MECHANISM_INFO *c), (a, b, c)) \
	FORWARD(C_InitToken, (CK_SLOT_ID a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d), (a, b, c, d)) \
	FORWARD(C_InitPIN, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c)) \
	FORWARD(C_SetPIN, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG e), (a, b, c, d, e)) \
	OWN(C_OpenSession) \
	OWN(C_CloseSession) \
	FORWARD(C_CloseAllSessions, (CK_SLOT_ID a), (a)) \
	FORWARD(C_GetSessionInfo, (CK_SESSION_HANDLE a, CK_SESSION_INFO *b), (a, b)) \
	OWN(C_Login) \
	FORWARD(C_Logout, (CK_SESSION_HANDLE a), (a)) \
	FORWARD(C_CreateObject, (CK_SESSION_HANDLE a, CK_ATTRIBUTE *b, CK_ULONG c, CK_OBJECT_HANDLE *d), (a, b, c, d)) \
	FORWARD(C_DestroyObject, (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE b), (a, handles_real(b))) \
	OWN(C_GetAttributeValue) \
	FORWARD(C_SetAttributeValue, (CK_SESSION_HANDLE a, CK_OBJECT_HANDLE b, CK_ATTRIBUTE *c, CK_ULONG d), (a, handles_real(b), c, d)) \
	FORWARD(C_FindObjectsInit, (CK_SESSION_HANDLE a, CK_ATTRIBUTE *b, CK_ULONG c), (a, b, c)) \
	OWN(C_FindObjects) \
	FORWARD(C_FindObjectsFinal, (CK_SESSION_HANDLE a), (a)) \
	OWN(C_SignInit) \
	OWN(C_Sign) \
	FORWARD(C_VerifyInit, (CK_SESSION_HANDLE a, CK_MECHANISM *b, CK_OBJECT_HANDLE c), (a, b, c)) \
	FORWARD(C_Verify, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c, CK_BYTE *d, CK_ULONG e), (a, b, c, d, e)) \
	OWN(C_GenerateKeyPair) \
	FORWARD(C_SeedRandom, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c)) \
	FORWARD(C_GenerateRandom, (CK_SESSION_HANDLE a, CK_BYTE *b, CK_ULONG c), (a, b, c))

#define NO_OWN(name)
#define FORWARD_AT(name, params, args) AT_##name,
#define OWN_AT(name) AT_##name,
#define FORWARD_NAME(name, params, args) #name,
#define OWN_NAME(name) #name,
enum { FUNCTIONS(FORWARD_AT, OWN_AT) AT__COUNT };
static const char *const names[] = { FUNCTIONS(FORWARD_NAME, OWN_NAME) NULL };
/* clang-format on */

/* ---- what a word does before the real function ---------------------------------------- */

static void
wait_ms(unsigned long ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) != 0)
		;
}

static void
log_in_again(CK_SESSION_HANDLE session)
{
	(void)real.C_Logout(session);
	(void)real.C_Login(session, CKU_USER, past.pin, past.pin_len);
}

static void
start_again(void)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };

	(void)real.C_Finalize(NULL);
	(void)real.C_Initialize(&args);
}

static void
fork_and_initialize(void)
{
	pid_t child = fork();

	if (child == 0) {
		(void)real.C_Initialize(NULL);
		_exit(0);
	}
	if (child > 0)
		(void)waitpid(child, NULL, 0);
}

static bool
too_many(unsigned long a_second)
{
	time_t now = time(NULL);
	bool many;

	pthread_mutex_lock(&past.lock);
	if (now != past.second)
		past.in_second = 0;
	past.second = now;
	many = ++past.in_second > a_second;
	pthread_mutex_unlock(&past.lock);
	return many;
}

/* What changes the state of the real module, and then lets the call go on. */
static bool
disturb(const struct word *w, CK_SESSION_HANDLE session)
{
	switch (w->kind) {
	case WORD_SESSIONS: (void)real.C_CloseAllSessions(past.slot); return true;
	case WORD_LOGOUT: (void)real.C_Logout(session); return true;
	case WORD_RELOGIN: log_in_again(session); return true;
	case WORD_REINIT: start_again(); return true;
	case WORD_FORK: fork_and_initialize(); return true;
	case WORD_RESHUFFLE: handles_reshuffle(); return true;
	default: return false;
	}
}

/* CKR_OK: go on.  A word that only some functions know counts where they do it. */
static CK_RV
obey(const struct word *w, CK_SESSION_HANDLE session)
{
	bool over = w->kind == WORD_RATE && too_many(w->value);

	if (w->kind == WORD_RETURN || w->kind == WORD_DELAY || w->kind == WORD_HANG ||
	    w->kind == WORD_CRASH || over)
		rules_fired(w);
	if (w->kind == WORD_CRASH)
		abort();
	while (w->kind == WORD_HANG)
		pause();
	if (w->kind == WORD_DELAY)
		wait_ms(w->value);
	if (disturb(w, session))
		rules_fired(w);
	if (over)
		return CKR_FUNCTION_FAILED;
	return w->kind == WORD_RETURN ? w->value : CKR_OK;
}

static CK_RV
after(const struct word *w, CK_RV rv)
{
	if (w->kind != WORD_AFTER)
		return rv;
	rules_fired(w);
	return w->value;
}

static CK_RV
before(size_t function, CK_SESSION_HANDLE session, struct word *w)
{
	*w = rules_next(function, NULL);
	return obey(w, session);
}

#define FORWARD(name, params, args) \
	static CK_RV my_##name params \
	{ \
		struct word w; \
		CK_RV rv = before(AT_##name, 0, &w); \
\
		return rv != CKR_OK ? rv : after(&w, real.name args); \
	}
FUNCTIONS(FORWARD, NO_OWN)

/* ---- slots, sessions, PINs --------------------------------------------------------------- */

static CK_RV
my_C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
	struct word w;
	CK_RV rv = before(AT_C_GetSlotList, 0, &w);

	if (rv == CKR_OK)
		rv = after(&w, real.C_GetSlotList(present, slots, n));
	if (rv == CKR_OK && w.kind == WORD_ABSENT) {
		rules_fired(&w);
		*n = 0;
	}
	return rv;
}

static CK_RV
my_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	struct word w;
	CK_RV rv = before(AT_C_GetTokenInfo, 0, &w);

	if (rv == CKR_OK)
		rv = after(&w, real.C_GetTokenInfo(slot, info));
	if (rv == CKR_OK && w.kind == WORD_FLAGS) {
		rules_fired(&w);
		info->flags |= w.value;
	}
	return rv;
}

static CK_RV
my_C_OpenSession(
    CK_SLOT_ID slot, CK_FLAGS flags, void *arg, CK_NOTIFY notify, CK_SESSION_HANDLE *out)
{
	struct word w;
	CK_RV rv = before(AT_C_OpenSession, 0, &w);

	if (rv == CKR_OK && w.kind == WORD_CAPACITY && past.sessions >= (long)w.value) {
		rules_fired(&w);
		rv = CKR_SESSION_COUNT;
	}
	if (rv == CKR_OK &&
	    w.kind == ((flags & CKF_RW_SESSION) != 0 ? WORD_READONLY : WORD_READWRITE)) {
		rules_fired(&w);
		rv = (flags & CKF_RW_SESSION) != 0 ? CKR_TOKEN_WRITE_PROTECTED
						   : CKR_SESSION_READ_ONLY;
	}
	if (rv == CKR_OK)
		rv = after(&w, real.C_OpenSession(slot, flags, arg, notify, out));
	pthread_mutex_lock(&past.lock);
	past.slot = slot;
	past.sessions += rv == CKR_OK;
	pthread_mutex_unlock(&past.lock);
	return rv;
}

static CK_RV
my_C_CloseSession(CK_SESSION_HANDLE session)
{
	struct word w;
	CK_RV rv = before(AT_C_CloseSession, session, &w);

	if (rv == CKR_OK)
		rv = after(&w, real.C_CloseSession(session));
	pthread_mutex_lock(&past.lock);
	past.sessions -= rv == CKR_OK;
	pthread_mutex_unlock(&past.lock);
	return rv;
}

static uint64_t
fnv1a(const CK_BYTE *bytes, CK_ULONG len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (CK_ULONG i = 0; i < len; i++)
		h = (h ^ bytes[i]) * 0x100000001b3u;
	return h;
}

static void
count_pin(uint64_t hash, CK_RV rv)
{
	struct switches *s = rules_switches();

	for (size_t i = 0; i < SWITCHES_PINS; i++) {
		uint64_t free = 0;

		if (!atomic_compare_exchange_strong(&s->pin[i].hash, &free, hash) &&
		    free != hash)
			continue;
		atomic_fetch_add(&s->pin[i].tries, 1);
		atomic_fetch_add(
		    &s->pin[i].refused, rv >= CKR_PIN_INCORRECT && rv <= CKR_PIN_LOCKED);
		return;
	}
	abort();
}

static CK_RV
my_C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG len)
{
	struct word w;
	CK_RV rv = before(AT_C_Login, session, &w);

	if (rv == CKR_OK)
		rv = after(&w, real.C_Login(session, user, pin, len));
	count_pin(fnv1a(pin, len), rv);
	if (rv == CKR_OK && len <= PIN_MAX) {
		memcpy(past.pin, pin, len);
		past.pin_len = len;
	}
	return rv;
}

/* ---- objects ------------------------------------------------------------------------------- */

static void
note_key(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE a = { CKA_CLASS, &class, sizeof class };

	if (real.C_GetAttributeValue(session, handle, &a, 1) == CKR_OK &&
	    class == CKO_PRIVATE_KEY)
		handles_add(handle);
}

static CK_RV
my_C_GetAttributeValue(
    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *list, CK_ULONG n)
{
	struct word w;
	CK_RV rv = before(AT_C_GetAttributeValue, session, &w);

	if (rv == CKR_OK)
		rv =
		    after(&w, real.C_GetAttributeValue(session, handles_real(object), list, n));
	if (w.kind == WORD_TELLS && n == 1 && list[0].type == CKA_VALUE) {
		rules_fired(&w);
		list[0].ulValueLen = SECRET_LEN;
		rv = CKR_OK;
	}
	return rv;
}

static CK_RV
my_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *n)
{
	struct word w;
	CK_RV rv = before(AT_C_FindObjects, session, &w);

	if (rv == CKR_OK)
		rv = after(&w, real.C_FindObjects(session, found, max, n));
	for (CK_ULONG i = 0; rv == CKR_OK && i < *n; i++) {
		note_key(session, found[i]);
		found[i] = handles_seen(found[i]);
	}
	return rv;
}

static CK_RV
my_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
    CK_ULONG publics, CK_ATTRIBUTE *private, CK_ULONG privates, CK_OBJECT_HANDLE *public_key,
    CK_OBJECT_HANDLE *private_key)
{
	struct word w;
	CK_RV rv = before(AT_C_GenerateKeyPair, session, &w);

	if (rv == CKR_OK && w.kind == WORD_CAPACITY && handles_count() >= w.value) {
		rules_fired(&w);
		rv = CKR_DEVICE_MEMORY;
	}
	if (rv == CKR_OK)
		rv = after(&w, real.C_GenerateKeyPair(session, mechanism, public, publics,
				   private, privates, public_key, private_key));
	if (rv == CKR_OK)
		note_key(session, *private_key);
	return rv;
}

/* ---- signatures ------------------------------------------------------------------------------ */

static void
key_id(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, char out[HANDLES_ID_TEXT])
{
	CK_BYTE id[32];
	CK_ATTRIBUTE a = { CKA_ID, id, sizeof id };

	out[0] = 0;
	if (real.C_GetAttributeValue(session, key, &a, 1) != CKR_OK || a.ulValueLen > sizeof id)
		return;
	for (CK_ULONG i = 0; i < a.ulValueLen; i++)
		snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static CK_RV
my_C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	char id[HANDLES_ID_TEXT] = "";
	struct word w;
	CK_RV rv;

	if (rules_want_keys()) {
		key_id(session, handles_real(key), id);
		handles_signing(session, id);
	}
	w = rules_next(AT_C_SignInit, id);
	rv = obey(&w, session);
	if (rv != CKR_OK)
		return rv;
	key = handles_real(key);
	if (w.kind == WORD_ACTIVE)
		(void)real.C_SignInit(session, mechanism, key);
	if (w.kind == WORD_WRONGKEY)
		key = handles_other(key);
	if (w.kind == WORD_ACTIVE || w.kind == WORD_WRONGKEY)
		rules_fired(&w);
	rv = real.C_SignInit(session, mechanism, key);
	atomic_fetch_add(&rules_switches()->errors, rv != CKR_OK);
	return after(&w, rv);
}

/* SoftHSM 2.6.1 takes 100 bytes for CKM_ECDSA without a word. */
static CK_RV
sign_padded(CK_SESSION_HANDLE session, const CK_BYTE *data, CK_ULONG data_len, CK_BYTE *sig,
    CK_ULONG *len)
{
	CK_BYTE padded[PADDED] = { 1 };

	if (data_len <= 32)
		memcpy(padded + PADDED - data_len, data, data_len);
	return real.C_Sign(session, padded, sizeof padded, sig, len);
}

static CK_RV
sign_as_told(const struct word *w, CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,
    CK_BYTE *sig, CK_ULONG *len)
{
	CK_RV rv;

	if (w->kind == WORD_PAD)
		rv = sign_padded(session, data, data_len, sig, len);
	else
		rv = real.C_Sign(session, data, data_len, sig, len);
	if (rv == CKR_OK && w->kind == WORD_FLIP)
		sig[*len - 1] ^= 1;
	if (rv == CKR_OK && w->kind == WORD_SHORT)
		*len -= 1;
	return rv;
}

static CK_RV
my_C_Sign(
    CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *sig, CK_ULONG *len)
{
	char id[HANDLES_ID_TEXT] = "";
	CK_ULONG small = SMALL;
	struct word w;
	CK_RV rv;

	if (data_len != 32)
		atomic_fetch_add(&rules_switches()->odd_digests, 1);
	if (rules_want_keys())
		handles_signs(session, id);
	w = rules_next(AT_C_Sign, id);
	rv = obey(&w, session);
	if (rv != CKR_OK)
		return rv; /* the operation stays active */
	rv =
	    sign_as_told(&w, session, data, data_len, sig, w.kind == WORD_SMALL ? &small : len);
	if (w.kind == WORD_SMALL || w.kind == WORD_PAD || w.kind == WORD_FLIP ||
	    w.kind == WORD_SHORT)
		rules_fired(&w);
	atomic_fetch_add(&rules_switches()->signatures, rv == CKR_OK);
	atomic_fetch_add(&rules_switches()->errors, rv != CKR_OK);
	return after(&w, rv);
}

/* ---- the module ------------------------------------------------------------------------------- */

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
	const char *path = getenv("VESPER_FAULT_MODULE");
	void *handle = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	CK_FUNCTION_LIST *fn = NULL;

	if (handle != NULL)
		*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (get == NULL || get(&fn) != CKR_OK)
		return CKR_GENERAL_ERROR;
	if (!rules_open(getenv("VESPER_FAULT"), names, AT__COUNT))
		return CKR_GENERAL_ERROR;
	real = *fn;
	faulty = *fn;
#define FORWARD_ENTRY(name, params, args) faulty.name = my_##name;
#define OWN_ENTRY(name)			  faulty.name = my_##name;
	FUNCTIONS(FORWARD_ENTRY, OWN_ENTRY)
	*list = &faulty;
	return CKR_OK;
}
