#include "pkcs11/provision.h"

#include <string.h>

/* libp11.h names two types in functions not used here that OpenSSL has let go of. */
typedef struct rsa_meth_st RSA_METHOD;
typedef struct ec_key_method_st EC_KEY_METHOD;
#include <libp11.h>

#include "pkcs11/login.h"
#include "pkcs11/p11rc.h"
#include "pkcs11/pin.h"
#include "pkcs11/show.h"
#include "pkcs11/tokenlock.h"

enum { LABEL_WIDTH = 32, OBJECTS_MAX = 100000, OBJECTS_BATCH = 256 };

/* ---- libp11, for the life of one command --------------------------------------- */

struct slots {
	PKCS11_CTX *ctx;
	PKCS11_SLOT *slot;
	unsigned n;
	bool loaded;
};

static void
slots_done(struct slots *s)
{
	if (s->slot != NULL)
		PKCS11_release_all_slots(s->ctx, s->slot, s->n);
	if (s->loaded)
		PKCS11_CTX_unload(s->ctx);
	if (s->ctx != NULL)
		PKCS11_CTX_free(s->ctx);
}

static enum rc
slots_open(const struct provision_options *o, struct slots *s, struct fault *f)
{
	AUTO_FREE char *real = NULL;

	TRY(module_check(o->module, getuid(), &real, f));
	s->ctx = PKCS11_CTX_new();
	if (s->ctx == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "libp11");
	if (PKCS11_CTX_load(s->ctx, real) != 0)
		return FAULT_OPENSSL(f, RC_HSM, "module_init", "the module does not start");
	s->loaded = true;
	if (PKCS11_enumerate_slots(s->ctx, &s->slot, &s->n) != 0)
		return FAULT_OPENSSL(f, RC_HSM, "slots", "the module does not list its slots");
	return RC_OK;
}

#define AUTO_SLOTS __attribute__((cleanup(slots_done))) struct slots

static struct span
text_or_none(const char *s)
{
	return s != NULL ? span_str(s) : span_of(NULL, 0);
}

/* ---- list --------------------------------------------------------------------- */

struct flag {
	const char *name;
	bool set;
};

enum { FLAGS = 6 };

static void
flags_of(const PKCS11_TOKEN *t, struct flag out[FLAGS])
{
	const struct flag all[FLAGS] = {
		{ "initialized", t->initialized != 0 },
		{ "user-pin-set", t->userPinSet != 0 },
		{ "user-pin-final-try", t->userPinFinalTry != 0 },
		{ "user-pin-locked", t->userPinLocked != 0 },
		{ "so-pin-locked", t->soPinLocked != 0 },
		{ "read-only", t->readOnly != 0 },
	};

	memcpy(out, all, sizeof all);
}

static void
list_json(FILE *out, const PKCS11_TOKEN *t, bool first)
{
	struct flag flag[FLAGS];
	const char *comma = "";

	fputs(first ? "{\"label\":" : ",{\"label\":", out);
	show_json(out, text_or_none(t->label));
	fputs(",\"serial\":", out);
	show_json(out, text_or_none(t->serialnr));
	fputs(",\"manufacturer\":", out);
	show_json(out, text_or_none(t->manufacturer));
	fputs(",\"model\":", out);
	show_json(out, text_or_none(t->model));
	fputs(",\"flags\":[", out);
	flags_of(t, flag);
	for (size_t i = 0; i < FLAGS; i++) {
		if (!flag[i].set)
			continue;
		fprintf(out, "%s\"%s\"", comma, flag[i].name);
		comma = ",";
	}
	fputs("]}", out);
}

static void
list_line(FILE *out, const PKCS11_TOKEN *t)
{
	struct flag flag[FLAGS];

	show_text(out, text_or_none(t->label), LABEL_WIDTH + 1);
	show_text(out, text_or_none(t->serialnr), 17);
	show_text(out, text_or_none(t->manufacturer), 20);
	flags_of(t, flag);
	for (size_t i = 0; i < FLAGS; i++) {
		if (flag[i].set)
			fprintf(out, " %s", flag[i].name);
	}
	fputc('\n', out);
}

enum rc
provision_list(const struct provision_options *o, FILE *out, struct fault *f)
{
	AUTO_FD lock = -1;
	AUTO_SLOTS s = { .ctx = NULL };
	bool first = true;

	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	TRY(slots_open(o, &s, f));
	fputs(o->json ? "{\"schema\":\"vesper/hsm-list/1\",\"tokens\":["
		      : "LABEL                            SERIAL           MANUFACTURER        "
			" FLAGS\n",
	    out);
	for (unsigned i = 0; i < s.n; i++) {
		if (s.slot[i].token == NULL)
			continue;
		if (o->json)
			list_json(out, s.slot[i].token, first);
		else
			list_line(out, s.slot[i].token);
		first = false;
	}
	if (o->json)
		fputs("]}\n", out);
	return RC_OK;
}

/* ---- init ------------------------------------------------------------------------ */

static PKCS11_SLOT *
token_named(const struct slots *s, const char *label)
{
	for (unsigned i = 0; i < s->n; i++) {
		const PKCS11_TOKEN *t = s->slot[i].token;

		if (t != NULL && t->initialized && t->label != NULL &&
		    strcmp(t->label, label) == 0)
			return &s->slot[i];
	}
	return NULL;
}

static PKCS11_SLOT *
free_slot(const struct slots *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		const PKCS11_TOKEN *t = s->slot[i].token;

		if (t != NULL && !t->initialized)
			return &s->slot[i];
	}
	return NULL;
}

static enum rc
init_token(const struct provision_options *o, const struct pin *so_pin, struct fault *f)
{
	AUTO_SLOTS s = { .ctx = NULL };
	char label[LABEL_WIDTH + 1];
	PKCS11_SLOT *slot;

	TRY(slots_open(o, &s, f));
	if (token_named(&s, o->token.label) != NULL)
		return FAULT(f, RC_CONFLICT, "token_exists",
		    "a token '%s' is there already and is not erased", o->token.label);
	slot = free_slot(&s);
	if (slot == NULL)
		return FAULT(
		    f, RC_NOT_FOUND, "no_free_slot", "no slot has a token to initialise");
	/* PKCS#11: the label is 32 bytes, padded with blanks, without an end. */
	snprintf(label, sizeof label, "%-32s", o->token.label);
	if (PKCS11_init_token(slot->token, (const char *)so_pin->bytes, label) != 0)
		return FAULT_OPENSSL(f, RC_HSM, "init_token", "C_InitToken");
	return RC_OK;
}

/* In a second round of the module: a token that was just made may have moved to another slot. */
static enum rc
init_pin(const struct provision_options *o, const struct pin *so_pin, const struct pin *pin,
    FILE *out, struct fault *f)
{
	AUTO_SLOTS s = { .ctx = NULL };
	PKCS11_SLOT *slot;

	TRY(slots_open(o, &s, f));
	slot = token_named(&s, o->token.label);
	if (slot == NULL)
		return FAULT(f, RC_HSM, "init_token", "the new token does not show");
	if (PKCS11_login(slot, 1, (const char *)so_pin->bytes) != 0)
		return FAULT_OPENSSL(f, RC_DENIED, "so_pin", "login of the security officer");
	if (PKCS11_init_pin(slot->token, (const char *)pin->bytes) != 0)
		return FAULT_OPENSSL(f, RC_HSM, "init_pin", "C_InitPIN");
	fputs(o->json ? "{\"schema\":\"vesper/hsm-init/1\",\"label\":" : "made token ", out);
	show_json(out, text_or_none(slot->token->label));
	fputs(o->json ? ",\"serial\":" : " with serial ", out);
	show_json(out, text_or_none(slot->token->serialnr));
	fputs(o->json ? "}\n" : "\n", out);
	return RC_OK;
}

enum rc
provision_init(const struct provision_options *o, FILE *out, struct fault *f)
{
	__attribute__((cleanup(pin_wipe))) struct pin so_pin = { .len = 0 };
	__attribute__((cleanup(pin_wipe))) struct pin pin = { .len = 0 };
	AUTO_FD lock = -1;

	if (o->token.label[0] == 0 || o->token.serial[0] != 0)
		return FAULT(
		    f, RC_INVALID, "usage", "init needs --label; the token chooses its serial");
	if (o->so_pin == NULL || o->pin == NULL)
		return FAULT(f, RC_INVALID, "usage", "init needs --so-pin and --pin");
	TRY(pin_read(o->so_pin, &so_pin, f));
	TRY(pin_read(o->pin, &pin, f));
	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	TRY(init_token(o, &so_pin, f));
	return init_pin(o, &so_pin, &pin, out, f);
}

/* ---- objects ------------------------------------------------------------------------ */

/* What the token does not answer shows as the worse of the two. */
struct object {
	CK_KEY_TYPE type;
	CK_BBOOL sensitive, extractable, sign;
	uint8_t id[64], label[128];
	size_t id_len, label_len;
};

static const char *
type_name(CK_KEY_TYPE type)
{
	switch (type) {
	case CKK_EC: return "EC";
	case CKK_RSA: return "RSA";
	default: return "other";
	}
}

static enum rc
read_object(struct login *l, CK_OBJECT_HANDLE handle, struct object *out, struct fault *f)
{
	struct object b = { .type = CK_UNAVAILABLE_INFORMATION, .extractable = CK_TRUE };
	CK_ATTRIBUTE a[] = {
		{ CKA_KEY_TYPE, &b.type, sizeof b.type },
		{ CKA_SENSITIVE, &b.sensitive, sizeof b.sensitive },
		{ CKA_EXTRACTABLE, &b.extractable, sizeof b.extractable },
		{ CKA_SIGN, &b.sign, sizeof b.sign },
		{ CKA_ID, b.id, sizeof b.id },
		{ CKA_LABEL, b.label, sizeof b.label },
	};
	CK_RV rv = l->fn->C_GetAttributeValue(l->idle, handle, a, ARRAY_LEN(a));

	if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_ATTRIBUTE_SENSITIVE &&
	    rv != CKR_BUFFER_TOO_SMALL)
		return FAULT(f, RC_HSM, "objects", "C_GetAttributeValue: %s", p11rc_name(rv));
	b.id_len = a[4].ulValueLen <= sizeof b.id ? a[4].ulValueLen : 0;
	b.label_len = a[5].ulValueLen <= sizeof b.label ? a[5].ulValueLen : 0;
	*out = b;
	return RC_OK;
}

static void
object_json(FILE *out, const struct object *b, bool first)
{
	fputs(first ? "{\"label\":" : ",{\"label\":", out);
	show_json(out, span_of(b->label, b->label_len));
	fputs(",\"id\":\"", out);
	show_hex(out, span_of(b->id, b->id_len));
	fprintf(out, "\",\"type\":\"%s\",\"sensitive\":%s,\"extractable\":%s,\"sign\":%s}",
	    type_name(b->type), b->sensitive ? "true" : "false",
	    b->extractable ? "true" : "false", b->sign ? "true" : "false");
}

static void
object_line(FILE *out, const struct object *b)
{
	show_text(out, span_of(b->label, b->label_len), 24);
	fprintf(out, " %-5s %-9s %-11s %-4s ", type_name(b->type), b->sensitive ? "yes" : "no",
	    b->extractable ? "yes" : "no", b->sign ? "yes" : "no");
	show_hex(out, span_of(b->id, b->id_len));
	fputc('\n', out);
}

static enum rc
show_objects(struct login *l, bool json, FILE *out, struct fault *f)
{
	CK_OBJECT_HANDLE batch[OBJECTS_BATCH];
	struct object b;
	bool first = true;
	CK_ULONG n = 1;

	for (size_t total = 0; n > 0 && total < OBJECTS_MAX; total += n) {
		CK_RV rv = l->fn->C_FindObjects(l->idle, batch, OBJECTS_BATCH, &n);

		if (rv != CKR_OK || n > OBJECTS_BATCH)
			return FAULT(f, RC_HSM, "objects", "C_FindObjects: %s", p11rc_name(rv));
		for (CK_ULONG i = 0; i < n; i++) {
			TRY(read_object(l, batch[i], &b, f));
			if (json)
				object_json(out, &b, first);
			else
				object_line(out, &b);
			first = false;
		}
	}
	return RC_OK;
}

static enum rc
find_objects(struct login *l, const struct provision_options *o, FILE *out, struct fault *f)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class } };
	CK_RV rv = l->fn->C_FindObjectsInit(l->idle, template, ARRAY_LEN(template));

	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "objects", "C_FindObjectsInit: %s", p11rc_name(rv));
	fputs(o->json ? "{\"schema\":\"vesper/hsm-objects/1\",\"keys\":["
		      : "LABEL                    TYPE  SENSITIVE EXTRACTABLE SIGN ID\n",
	    out);
	TRY(show_objects(l, o->json, out, f));
	if (o->json)
		fputs("]}\n", out);
	return RC_OK;
}

enum rc
provision_objects(const struct provision_options *o, FILE *out, struct fault *f)
{
	const struct login_options login = {
		.label = o->token.label[0] != 0 ? o->token.label : NULL,
		.serial = o->token.serial[0] != 0 ? o->token.serial : NULL,
		.pin = o->pin,
		.state_dir = o->state_dir,
	};
	AUTO_FD lock = -1;
	struct module m;
	struct login l;
	enum rc rc;

	if (o->pin == NULL || (login.label == NULL && login.serial == NULL))
		return FAULT(f, RC_INVALID, "usage", "objects needs a token and --pin");
	TRY(module_open(o->module, getuid(), &m, f));
	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	TRY(module_init(&m, f));
	rc = login_start(&l, &m, &login, f);
	if (rc == RC_OK)
		rc = find_objects(&l, o, out, f);
	(void)module_finalize(&m, 2000);
	return rc;
}
