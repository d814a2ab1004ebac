#include "pkcs11/provision.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* libp11.h names two types in functions not used here that OpenSSL has let go of. */
typedef struct rsa_meth_st RSA_METHOD;
typedef struct ec_key_method_st EC_KEY_METHOD;
#include <libp11.h>

#include "pkcs11/p11rc.h"
#include "pkcs11/provision_token.h"
#include "pkcs11/show.h"
#include "pkcs11/softhsm.h"
#include "pkcs11/tokenlock.h"
#include "stir/ossl.h"

enum { LABEL_WIDTH = 32, CERT_LABEL = 128 };

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
slots_open(const struct provision *o, struct slots *s, struct fault *f)
{
	AUTO_FREE char *real = NULL;

	TRY(module_check(o->module, o->starter, &real, f));
	s->ctx = PKCS11_CTX_new();
	if (s->ctx == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "libp11");
	if (PKCS11_CTX_load(s->ctx, real) != 0)
		return FAULT_OPENSSL(f, RC_HSM, "module_init",
		    "the module does not start: see its own configuration, which 'environment' "
		    "names, and that its user can read it");
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

static const char *
text_of(const struct provision_pin *p)
{
	return (const char *)p->pin.bytes;
}

/* ---- what libp11 says went wrong ---------------------------------------------------- */

/* The CK_RV behind the oldest error; CKR_OK where libp11 itself failed. */
static CK_RV
ck_rv(void)
{
	unsigned long e = ERR_peek_error();
	const char *library = e != 0 ? ERR_lib_error_string(e) : NULL;

	/* Its errors and those of the module have libraries of their own in OpenSSL's queue. */
	if (library == NULL || strcmp(library, "PKCS#11 module") != 0)
		return CKR_OK;
	return (CK_RV)ERR_GET_REASON(e);
}

static enum rc
refused(struct fault *f, const char *reason, const char *call, const char *remedy)
{
	CK_RV rv = ck_rv();
	char what[200];

	if (rv != CKR_OK) {
		ERR_clear_error();
		return FAULT(f, p11rc_class(rv) == P11_PIN ? RC_DENIED : RC_HSM,
		    p11rc_class(rv) == P11_PIN ? "pin_refused" : reason, "%s: %s: %s", call,
		    p11rc_name(rv), remedy);
	}
	snprintf(what, sizeof what, "%s: %s", call, remedy);
	return FAULT_OPENSSL(f, RC_HSM, reason, what);
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
field(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text != NULL ? text : "");
}

static struct token_uri
uri_of(const PKCS11_TOKEN *t)
{
	struct token_uri uri = { .label = "" };

	field(uri.label, sizeof uri.label, t->label);
	field(uri.serial, sizeof uri.serial, t->serialnr);
	field(uri.manufacturer, sizeof uri.manufacturer, t->manufacturer);
	field(uri.model, sizeof uri.model, t->model);
	return uri;
}

static enum rc
list_json(FILE *out, const PKCS11_TOKEN *t, bool first, struct fault *f)
{
	const struct token_uri uri = uri_of(t);
	char text[URI_TEXT_MAX];
	struct flag flag[FLAGS];
	const char *comma = "";

	TRY(token_uri_format(&uri, text, f));
	fputs(first ? "{\"label\":" : ",{\"label\":", out);
	show_json(out, text_or_none(t->label));
	fputs(",\"serial\":", out);
	show_json(out, text_or_none(t->serialnr));
	fputs(",\"manufacturer\":", out);
	show_json(out, text_or_none(t->manufacturer));
	fputs(",\"model\":", out);
	show_json(out, text_or_none(t->model));
	fputs(",\"uri\":", out);
	show_json(out, span_str(text));
	fputs(",\"flags\":[", out);
	flags_of(t, flag);
	for (size_t i = 0; i < FLAGS; i++) {
		if (!flag[i].set)
			continue;
		fprintf(out, "%s\"%s\"", comma, flag[i].name);
		comma = ",";
	}
	fputs("]}", out);
	return RC_OK;
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
provision_list(struct provision *o, FILE *out, struct fault *f)
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
			TRY(list_json(out, s.slot[i].token, first, f));
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
init_token(const struct provision *o, struct fault *f)
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
	if (PKCS11_init_token(slot->token, text_of(&o->so_pin), label) != 0)
		return refused(f, "init_token", "C_InitToken",
		    "a token that its maker's own tool initialises is made with that");
	return RC_OK;
}

/* In a second round of the module: a token that was just made may have moved to another slot. */
static enum rc
init_pin(const struct provision *o, FILE *out, struct fault *f)
{
	AUTO_SLOTS s = { .ctx = NULL };
	PKCS11_SLOT *slot;

	TRY(slots_open(o, &s, f));
	slot = token_named(&s, o->token.label);
	if (slot == NULL)
		return FAULT(f, RC_HSM, "init_token", "the new token does not show");
	if (PKCS11_login(slot, 1, text_of(&o->so_pin)) != 0)
		return refused(f, "init_token", "C_Login of the security officer",
		    "the token is there without a user PIN: vesper hsm set-pin --so-pin sets "
		    "it");
	if (PKCS11_init_pin(slot->token, text_of(&o->pin)) != 0)
		return refused(f, "init_pin", "C_InitPIN",
		    "the token is there without a user PIN: vesper hsm set-pin --so-pin sets "
		    "it");
	fputs(o->json ? "{\"schema\":\"vesper/hsm-init/1\",\"label\":" : "made token ", out);
	show_json(out, text_or_none(slot->token->label));
	fputs(o->json ? ",\"serial\":" : " with serial ", out);
	show_json(out, text_or_none(slot->token->serialnr));
	fputs(o->json ? "}\n" : "\n", out);
	return RC_OK;
}

/* SoftHSM's file that a kill during a login loses is copied, now that it has changed. */
static enum rc
copy_softhsm(struct fault *f)
{
	unsigned mended = 0;

	return softhsm_mend(&mended, f);
}

enum rc
provision_init(struct provision *o, FILE *out, struct fault *f)
{
	AUTO_FD lock = -1;

	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	TRY(init_token(o, f));
	TRY(init_pin(o, out, f));
	return copy_softhsm(f);
}

/* ---- the one token that is meant ------------------------------------------------------ */

static bool
is_wanted(const char *wanted, const char *is)
{
	return wanted[0] == 0 || (is != NULL && strcmp(wanted, is) == 0);
}

static bool
token_matches(const PKCS11_TOKEN *t, const struct token_uri *want)
{
	return t != NULL && t->initialized && is_wanted(want->label, t->label) &&
	       is_wanted(want->serial, t->serialnr) &&
	       is_wanted(want->manufacturer, t->manufacturer) &&
	       is_wanted(want->model, t->model);
}

static enum rc
find_token(const struct provision *o, const struct slots *s, PKCS11_SLOT **out, struct fault *f)
{
	unsigned found = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (!token_matches(s->slot[i].token, &o->token))
			continue;
		*out = &s->slot[i];
		found++;
	}
	if (found == 0)
		return FAULT(f, RC_NOT_FOUND, "token_not_found",
		    "no token with label '%s' and serial '%s': compare with vesper hsm list",
		    o->token.label[0] != 0 ? o->token.label : "(any)",
		    o->token.serial[0] != 0 ? o->token.serial : "(any)");
	if (found > 1)
		return FAULT(f, RC_INVALID, "token_ambiguous",
		    "%u tokens match label '%s': give the serial too", found, o->token.label);
	return RC_OK;
}

/* ---- set-pin ------------------------------------------------------------------------ */

static enum rc
by_user(const struct provision *o, PKCS11_SLOT *slot, struct fault *f)
{
	const char *serial = slot->token->serialnr != NULL ? slot->token->serialnr : "";
	const char *state = provision_typed(&o->pin) ? NULL : o->state_dir;
	enum rc rc;

	if (slot->token->userPinLocked)
		return FAULT(f, RC_DENIED, "pin_locked",
		    "the user PIN is locked: the security officer sets another by --so-pin");
	if (slot->token->userPinFinalTry && !provision_typed(&o->pin))
		return FAULT(f, RC_DENIED, "pin_final_try",
		    "one more wrong PIN locks the token: type it, by --pin ask");
	TRY(pin_check_refused(state, serial, &o->pin.pin, f));
	if (PKCS11_change_pin(slot, text_of(&o->pin), text_of(&o->new_pin)) == 0)
		return RC_OK;
	rc = refused(f, "set_pin", "C_SetPIN",
	    "neither PIN is tried again; the old one must be right, the new one of a length "
	    "that the token takes");
	if (rc == RC_DENIED)
		TRY(pin_refused(state, serial, NULL));
	return rc;
}

static enum rc
by_officer(const struct provision *o, PKCS11_SLOT *slot, struct fault *f)
{
	if (slot->token->soPinLocked)
		return FAULT(f, RC_DENIED, "pin_locked",
		    "the security officer's PIN is locked: only the token's maker can help");
	if (PKCS11_login(slot, 1, text_of(&o->so_pin)) != 0)
		return refused(f, "set_pin", "login of the security officer",
		    "his PIN is not tried again: correct it first");
	if (o->so && PKCS11_change_pin(slot, text_of(&o->so_pin), text_of(&o->new_pin)) != 0)
		return refused(f, "set_pin", "C_SetPIN",
		    "the new PIN must be of a length that the token takes");
	if (!o->so && PKCS11_init_pin(slot->token, text_of(&o->new_pin)) != 0)
		return refused(f, "set_pin", "C_InitPIN",
		    "the new PIN must be of a length that the token takes");
	return RC_OK;
}

static void
say_set(const struct provision *o, const PKCS11_TOKEN *t, FILE *out)
{
	const char *whose = o->so ? "so" : "user";

	if (o->json)
		fprintf(out,
		    "{\"schema\":\"vesper/hsm-set-pin/1\",\"pin\":\"%s\",\"label\":", whose);
	else
		fprintf(out, "set the %s PIN of token ", whose);
	show_json(out, text_or_none(t->label));
	fputs(o->json ? "}\n" : "; what the agent reads must say the same\n", out);
}

enum rc
provision_set_pin(struct provision *o, FILE *out, struct fault *f)
{
	AUTO_FD lock = -1;
	AUTO_SLOTS s = { .ctx = NULL };
	PKCS11_SLOT *slot = NULL;

	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	TRY(copy_softhsm(f));
	TRY(slots_open(o, &s, f));
	TRY(find_token(o, &s, &slot, f));
	TRY(o->so_pin.pin.len > 0 ? by_officer(o, slot, f) : by_user(o, slot, f));
	/* An operator has acted: what was refused before may be right now. */
	if (!o->so && slot->token->serialnr != NULL)
		pin_accepted(o->state_dir, slot->token->serialnr);
	say_set(o, slot->token, out);
	return copy_softhsm(f);
}

/* ---- store-cert ---------------------------------------------------------------------- */

static enum rc
read_certificate(const struct provision *o, X509 **out, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new_mem_buf(o->file.ptr, (int)o->file.len);

	if (bio == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "certificate");
	*out = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (*out == NULL)
		return FAULT_OPENSSL(
		    f, RC_INVALID, "certificate", "it holds no certificate in PEM");
	return RC_OK;
}

static enum rc
certificate_id(const X509 *x509, uint8_t id[P256_ID], struct fault *f)
{
	const EVP_PKEY *key = X509_get0_pubkey(x509);
	uint8_t point[P256_POINT];
	size_t len = 0;

	if (key == NULL || EVP_PKEY_get_octet_string_param(
			       key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) != 1)
		return FAULT_OPENSSL(
		    f, RC_INVALID, "certificate", "its key is not one on P-256");
	if (len != sizeof point)
		return FAULT(f, RC_INVALID, "certificate", "its key is not one on P-256");
	return p256_key_id(point, id, f);
}

/* As the agent would look for it; the label is what both objects then have in common. */
static enum rc
find_key(const struct provision *o, const uint8_t id[P256_ID], char label[CERT_LABEL],
    struct fault *f)
{
	AUTO_TOKEN t = PROVISION_TOKEN_INIT;
	struct key key;
	CK_ATTRIBUTE a = { CKA_LABEL, label, CERT_LABEL - 1 };

	TRY(provision_open(o, false, &t, f));
	TRY(provision_keys(&t, f));
	if (!keymap_get(t.map, id, &key))
		return FAULT(f, RC_NOT_FOUND, "no_key",
		    "the token has no private key of this certificate: is it another token's?");
	memset(label, 0, CERT_LABEL);
	if (t.login.fn->C_GetAttributeValue(t.login.idle, key.handle, &a, 1) != CKR_OK)
		label[0] = 0;
	return RC_OK;
}

static enum rc
is_stored(PKCS11_SLOT *slot, const X509 *x509, bool *yes, struct fault *f)
{
	PKCS11_CERT *all = NULL;
	unsigned n = 0;

	if (PKCS11_enumerate_certs(slot->token, &all, &n) != 0)
		return refused(f, "store_cert", "search of certificates", "try again");
	*yes = false;
	for (unsigned i = 0; i < n; i++)
		*yes = *yes || (all[i].x509 != NULL && X509_cmp(all[i].x509, x509) == 0);
	return RC_OK;
}

static enum rc
store(struct provision *o, X509 *x509, uint8_t id[P256_ID], char label[CERT_LABEL],
    bool *was_there, struct fault *f)
{
	AUTO_SLOTS s = { .ctx = NULL };
	PKCS11_SLOT *slot = NULL;

	TRY(slots_open(o, &s, f));
	TRY(find_token(o, &s, &slot, f));
	/* Writing first: libp11 closes all sessions, and with them the login, to change that. */
	if (PKCS11_open_session(slot, 1) != 0)
		return refused(f, "store_cert", "C_OpenSession", "the token takes no changes");
	if (PKCS11_login(slot, 0, text_of(&o->pin)) != 0)
		return refused(f, "store_cert", "C_Login", "correct the PIN");
	TRY(is_stored(slot, x509, was_there, f));
	if (*was_there)
		return RC_OK;
	if (PKCS11_store_certificate(slot->token, x509, label, id, P256_ID, NULL) != 0)
		return refused(f, "store_cert", "C_CreateObject",
		    "the token may be full, or take no certificates: the agent needs none "
		    "there");
	return RC_OK;
}

enum rc
provision_store_cert(struct provision *o, FILE *out, struct fault *f)
{
	AUTO_OSSL(X509) *x509 = NULL;
	AUTO_FD lock = -1;
	uint8_t id[P256_ID];
	char label[CERT_LABEL];
	bool was_there = false;

	TRY(read_certificate(o, &x509, f));
	TRY(certificate_id(x509, id, f));
	TRY(find_key(o, id, label, f));
	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	TRY(store(o, x509, id, label, &was_there, f));
	if (o->json)
		fprintf(out, "{\"schema\":\"vesper/hsm-store-cert/1\",\"stored\":%s,\"id\":\"",
		    was_there ? "false" : "true");
	else
		fputs(was_there ? "it is there already: " : "stored: ", out);
	show_hex(out, span_of(id, sizeof id));
	fputs(o->json ? "\"}\n" : "\n", out);
	return RC_OK;
}
