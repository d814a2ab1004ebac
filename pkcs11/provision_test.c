#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pkcs11/keypair.h"
#include "pkcs11/p11rc.h"
#include "pkcs11/provision_token.h"
#include "pkcs11/session.h"
#include "pkcs11/show.h"

enum { DETAIL_MAX = 200 };

struct trial {
	struct provision *o;
	struct provision_token t;
	struct key key;
	bool made;
	char detail[DETAIL_MAX];
};

static void PRINTF_LIKE(2, 3) tell(struct trial *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(t->detail, sizeof t->detail, fmt, args);
	va_end(args);
}

/* ---- the steps ------------------------------------------------------------------- */

static int
padded(const CK_UTF8CHAR *text, size_t len)
{
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == 0))
		len--;
	return (int)len;
}

static enum rc
load(struct trial *t, struct fault *f)
{
	CK_INFO info = { .flags = 0 };

	TRY(provision_load(t->o, &t->t, f));
	if (t->t.module.fn->C_GetInfo(&info) != CKR_OK)
		info = (CK_INFO){ .flags = 0 };
	tell(t, "%.*s %u.%u, PKCS#11 %u.%02u, %s",
	    padded(info.libraryDescription, sizeof info.libraryDescription),
	    (const char *)info.libraryDescription, (unsigned)info.libraryVersion.major,
	    (unsigned)info.libraryVersion.minor, (unsigned)info.cryptokiVersion.major,
	    (unsigned)info.cryptokiVersion.minor,
	    t->t.module.one_thread ? "cannot lock: one thread" : "threads");
	return RC_OK;
}

static enum rc
log_in(struct trial *t, struct fault *f)
{
	TRY(provision_login(t->o, true, &t->t, f));
	tell(t, "label '%s', serial '%s', by %s", t->t.login.label, t->t.login.serial,
	    t->t.login.manufacturer);
	return RC_OK;
}

static enum rc
has_mechanism(
    struct trial *t, CK_MECHANISM_TYPE type, const char *name, CK_FLAGS flag, struct fault *f)
{
	CK_MECHANISM_INFO info = { .flags = 0 };
	CK_RV rv = t->t.login.fn->C_GetMechanismInfo(t->t.login.slot, type, &info);

	if (rv != CKR_OK || (info.flags & flag) == 0)
		return FAULT(f, RC_HSM, "mechanism",
		    "%s: %s: the token cannot serve the agent; see its maker's settings", name,
		    rv != CKR_OK ? p11rc_name(rv) : "not for this use");
	if (info.ulMaxKeySize != 0 && (info.ulMinKeySize > 256 || info.ulMaxKeySize < 256))
		return FAULT(f, RC_HSM, "mechanism", "%s: no keys of 256 bits", name);
	return RC_OK;
}

static enum rc
mechanisms(struct trial *t, struct fault *f)
{
	TRY(has_mechanism(t, CKM_ECDSA, "CKM_ECDSA", CKF_SIGN, f));
	TRY(has_mechanism(
	    t, CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN", CKF_GENERATE_KEY_PAIR, f));
	tell(t, "CKM_ECDSA and CKM_EC_KEY_PAIR_GEN");
	return RC_OK;
}

static enum rc
keys(struct trial *t, struct fault *f)
{
	uint32_t usable = 0, refused = 0;

	TRY(provision_keys(&t->t, f));
	keymap_count(t->t.map, &usable, &refused);
	tell(t, "%u private keys, %u of which the agent would not use", usable + refused,
	    refused);
	return RC_OK;
}

/* As many at once as one signer has, in its mode. */
static enum rc
sessions(struct trial *t, struct fault *f)
{
	CK_SESSION_HANDLE open[PROVISION_MAX_THREADS];
	uint32_t n = 0;
	CK_RV rv = CKR_OK;

	t->t.login.read_write = t->o->read_write;
	while (rv == CKR_OK && n < t->o->threads) {
		rv = login_session(&t->t.login, &open[n]);
		n += rv == CKR_OK;
	}
	t->t.login.read_write = true;
	for (uint32_t i = 0; i < n; i++)
		login_session_close(&t->t.login, open[i]);
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "sessions",
		    "session %u of %u: %s: lower 'threads', or set 'read_write'", n + 1,
		    t->o->threads, p11rc_name(rv));
	tell(t, "%u %s at once", n, t->o->read_write ? "read-write" : "read-only");
	return RC_OK;
}

static enum rc
make(struct trial *t, struct fault *f)
{
	CK_RV rv = keypair_make(&t->t.login, t->t.map, t->t.login.idle, NULL, &t->key);

	if (rv == CKR_TEMPLATE_INCONSISTENT)
		return FAULT(f, RC_HSM, "generate",
		    "the key is not what was asked for: sensitive, not extractable, with an id "
		    "of 32 bytes that can be set after it was made");
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "generate",
		    "C_GenerateKeyPair: %s: the token may be full, or its user may make none",
		    p11rc_name(rv));
	t->made = true;
	tell(t, "a P-256 key that cannot leave");
	return RC_OK;
}

/* With a session like those of the signers. */
static enum rc
sign(struct trial *t, struct fault *f)
{
	uint8_t digest[P256_DIGEST], sig[P256_SIG];
	atomic_uint_fast64_t calls = 0;
	struct session s;
	CK_RV rv;

	if (RAND_bytes(digest, sizeof digest) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "random", "RAND_bytes");
	t->t.login.read_write = t->o->read_write;
	rv = session_open(&s, &t->t.login);
	t->t.login.read_write = true;
	if (rv == CKR_OK)
		rv = session_sign(&s, t->key.handle, digest, sig, &calls);
	session_close(&s);
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "sign", "C_Sign: %s", p11rc_name(rv));
	TRY(p256_verify(t->key.point, digest, sig, f));
	tell(t, "64 bytes, verified");
	return RC_OK;
}

static enum rc
destroy(struct trial *t, struct fault *f)
{
	CK_RV rv = t->t.login.fn->C_DestroyObject(t->t.login.idle, t->key.handle);

	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "destroy",
		    "C_DestroyObject: %s: the key stays; remove it with the maker's tool",
		    p11rc_name(rv));
	t->made = false;
	tell(t, "gone");
	return RC_OK;
}

static const struct {
	const char *name;
	enum rc (*run)(struct trial *t, struct fault *f);
} steps[] = {
	{ "module", load },
	{ "login", log_in },
	{ "mechanisms", mechanisms },
	{ "keys", keys },
	{ "sessions", sessions },
	{ "generate", make },
	{ "sign", sign },
	{ "destroy", destroy },
};

/* ---- the whole --------------------------------------------------------------------- */

static void
show_step(const struct trial *t, size_t i, bool good, const struct fault *f, FILE *out)
{
	const char *detail = good ? t->detail : f->detail;

	if (!t->o->json) {
		fprintf(out, "%-6s %-11s ", good ? "ok" : "FAILED", steps[i].name);
		show_text(out, span_str(detail), 0);
		fputc('\n', out);
		return;
	}
	fprintf(out, "%s{\"step\":\"%s\",\"ok\":%s,\"detail\":", i > 0 ? "," : "",
	    steps[i].name, good ? "true" : "false");
	show_json(out, span_str(detail));
	fputc('}', out);
}

enum rc
provision_test(struct provision *o, FILE *out, struct fault *f)
{
	struct trial t = { .o = o, .t = PROVISION_TOKEN_INIT };
	enum rc rc = RC_OK;

	if (o->json)
		fputs("{\"schema\":\"vesper/hsm-test/1\",\"steps\":[", out);
	for (size_t i = 0; rc == RC_OK && i < ARRAY_LEN(steps); i++) {
		rc = steps[i].run(&t, f);
		show_step(&t, i, rc == RC_OK, f, out);
	}
	if (t.made)
		(void)t.t.login.fn->C_DestroyObject(t.t.login.idle, t.key.handle);
	if (o->json)
		fprintf(out, "],\"ok\":%s}\n", rc == RC_OK ? "true" : "false");
	provision_close(&t.t);
	return rc;
}
