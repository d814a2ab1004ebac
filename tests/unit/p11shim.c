/*
 * A PKCS#11 module that is SoftHSM, except where the file named by
 * VESPER_SHIM says otherwise: the name of a function and what its next calls
 * do, each a return value in hex (0: as SoftHSM does) or one of
 *
 *	flip	one bit of the signature is wrong
 *	short	the signature is one byte short
 *	hang	the call does not return
 *	crash	the process dies in it
 *
 * Every call of an interesting function is noted in VESPER_SHIM with ".log".
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stir/attr.h"

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

enum { TEXT_MAX = 512 };

static CK_FUNCTION_LIST real, shim;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *
path_of(const char *suffix, char out[TEXT_MAX])
{
	const char *path = getenv("VESPER_SHIM");

	if (path == NULL)
		abort();
	snprintf(out, TEXT_MAX, "%s%s", path, suffix);
	return out;
}

static void
note(const char *name)
{
	char path[TEXT_MAX], line[64];
	AUTO_FD fd =
	    open(path_of(".log", path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int n = snprintf(line, sizeof line, "%s\n", name);

	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
}

static void
load_text(char text[TEXT_MAX])
{
	char path[TEXT_MAX];
	AUTO_FD fd = open(path_of("", path), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, TEXT_MAX - 1);

	text[n > 0 ? n : 0] = 0;
}

static void
store_text(const char *text)
{
	char path[TEXT_MAX];
	AUTO_FD fd = open(path_of("", path), O_WRONLY | O_TRUNC | O_CLOEXEC);
	size_t n = strlen(text);

	if (fd < 0 || write(fd, text, n) != (ssize_t)n)
		abort();
}

/* Take the next word of this function's line into out; empty when there is none. */
static void
next_word(const char *name, char out[32])
{
	char text[TEXT_MAX], rest[TEXT_MAX];
	char word[32] = "", first[32] = "";
	int used = 0, more = 0;

	pthread_mutex_lock(&lock);
	note(name);
	load_text(text);
	out[0] = 0;
	if (sscanf(text, "%31s%n", first, &used) == 1 && strcmp(first, name) == 0 &&
	    sscanf(text + used, "%31s%n", word, &more) == 1) {
		snprintf(rest, sizeof rest, "%s%s", first, text + used + more);
		store_text(rest);
		memcpy(out, word, sizeof word);
	}
	pthread_mutex_unlock(&lock);
}

static void
obey(const char *word)
{
	if (strcmp(word, "crash") == 0)
		abort();
	while (strcmp(word, "hang") == 0)
		pause();
}

/* The return value to give instead; CKR_OK: ask SoftHSM. */
static CK_RV
plain(const char *name)
{
	char word[32];

	next_word(name, word);
	obey(word);
	return strtoul(word, NULL, 16);
}

static CK_RV
sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	CK_RV rv = plain("C_SignInit");

	return rv != CKR_OK ? rv : real.C_SignInit(session, mechanism, key);
}

static CK_RV
sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *sig, CK_ULONG *len)
{
	char word[32];
	CK_RV rv;

	next_word("C_Sign", word);
	obey(word);
	if (word[0] == '0' && strtoul(word, NULL, 16) != CKR_OK)
		return strtoul(word, NULL, 16); /* the operation stays active */
	rv = real.C_Sign(session, data, data_len, sig, len);
	if (rv == CKR_OK && strcmp(word, "flip") == 0)
		sig[*len - 1] ^= 1;
	if (rv == CKR_OK && strcmp(word, "short") == 0)
		*len -= 1;
	return rv;
}

static CK_RV
login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
	CK_RV rv = plain("C_Login");

	return rv != CKR_OK ? rv : real.C_Login(session, user, pin, len);
}

static CK_RV
open_session(
    CK_SLOT_ID slot, CK_FLAGS flags, void *arg, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	CK_RV rv = plain("C_OpenSession");

	return rv != CKR_OK ? rv : real.C_OpenSession(slot, flags, arg, notify, session);
}

static CK_RV
token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	char word[32];
	CK_RV rv = real.C_GetTokenInfo(slot, info);

	next_word("C_GetTokenInfo", word);
	if (rv == CKR_OK && word[0] != 0)
		info->flags |= strtoul(word, NULL, 16);
	return rv;
}

static CK_RV
set_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_RV rv = plain("C_SetAttributeValue");

	return rv != CKR_OK ? rv : real.C_SetAttributeValue(session, object, a, n);
}

static CK_RV
generate(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
    CK_ULONG publics, CK_ATTRIBUTE *private, CK_ULONG privates, CK_OBJECT_HANDLE *public_key,
    CK_OBJECT_HANDLE *private_key)
{
	CK_RV rv = plain("C_GenerateKeyPair");

	return rv != CKR_OK ? rv
			    : real.C_GenerateKeyPair(session, mechanism, public, publics,
				  private, privates, public_key, private_key);
}

static CK_RV
finalize(void *arg)
{
	CK_RV rv = plain("C_Finalize");

	return rv != CKR_OK ? rv : real.C_Finalize(arg);
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
	const char *path = getenv("VESPER_SHIM_MODULE");
	void *handle = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	CK_FUNCTION_LIST *fn = NULL;

	if (handle != NULL)
		*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (get == NULL || get(&fn) != CKR_OK)
		return CKR_GENERAL_ERROR;
	real = *fn;
	shim = *fn;
	shim.C_SignInit = sign_init;
	shim.C_Sign = sign;
	shim.C_Login = login;
	shim.C_OpenSession = open_session;
	shim.C_GetTokenInfo = token_info;
	shim.C_SetAttributeValue = set_attribute;
	shim.C_GenerateKeyPair = generate;
	shim.C_Finalize = finalize;
	*list = &shim;
	return CKR_OK;
}
