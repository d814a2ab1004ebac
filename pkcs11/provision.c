#include "pkcs11/provision.h"

#include <stdio.h>
#include <string.h>

#include "pkcs11/provision_slots.h"
#include "pkcs11/show.h"
#include "pkcs11/softhsm.h"
#include "pkcs11/tokenlock.h"

enum { LABEL_WIDTH = 32 };

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
	show_json(out, slots_text(t->label));
	fputs(",\"serial\":", out);
	show_json(out, slots_text(t->serialnr));
	fputs(",\"manufacturer\":", out);
	show_json(out, slots_text(t->manufacturer));
	fputs(",\"model\":", out);
	show_json(out, slots_text(t->model));
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

	show_text(out, slots_text(t->label), LABEL_WIDTH + 1);
	show_text(out, slots_text(t->serialnr), 17);
	show_text(out, slots_text(t->manufacturer), 20);
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
	if (PKCS11_init_token(slot->token, slots_pin(&o->so_pin), label) != 0)
		return slots_refused(f, "init_token", "C_InitToken",
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
	if (PKCS11_login(slot, 1, slots_pin(&o->so_pin)) != 0)
		return slots_refused(f, "init_token", "C_Login of the security officer",
		    "the token is there without a user PIN: vesper hsm set-pin --so-pin sets "
		    "it");
	if (PKCS11_init_pin(slot->token, slots_pin(&o->pin)) != 0)
		return slots_refused(f, "init_pin", "C_InitPIN",
		    "the token is there without a user PIN: vesper hsm set-pin --so-pin sets "
		    "it");
	fputs(o->json ? "{\"schema\":\"vesper/hsm-init/1\",\"label\":" : "made token ", out);
	show_json(out, slots_text(slot->token->label));
	fputs(o->json ? ",\"serial\":" : " with serial ", out);
	show_json(out, slots_text(slot->token->serialnr));
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

/* ---- set-pin ------------------------------------------------------------------------ */

/* Is it the new PIN that the token does not like, and not the old one? */
static enum rc
not_changed(struct fault *f, const char *call)
{
	CK_RV rv = slots_rv();

	if (rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE)
		return FAULT(f, RC_INVALID, "new_pin",
		    "%s: %s: the new PIN must be of a length that the token takes", call,
		    p11rc_name(rv));
	return slots_refused(f, "set_pin", call, "it is not tried again: correct the old PIN");
}

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
	TRY(pin_check_refused(state, serial, &o->pin.pin.source, f));
	if (PKCS11_change_pin(slot, slots_pin(&o->pin), slots_pin(&o->new_pin)) == 0)
		return RC_OK;
	rc = not_changed(f, "C_SetPIN");
	if (rc == RC_DENIED)
		TRY(pin_refused(state, serial, &o->pin.pin.source, NULL));
	else
		pin_not_judged(state, serial, &o->pin.pin.source);
	return rc;
}

static enum rc
by_officer(const struct provision *o, PKCS11_SLOT *slot, struct fault *f)
{
	if (slot->token->soPinLocked)
		return FAULT(f, RC_DENIED, "pin_locked",
		    "the security officer's PIN is locked: only the token's maker can help");
	if (slot->token->soPinFinalTry && !provision_typed(&o->so_pin))
		return FAULT(f, RC_DENIED, "pin_final_try",
		    "one more wrong PIN locks the security officer out for good: type it, by "
		    "--so-pin ask");
	if (PKCS11_login(slot, 1, slots_pin(&o->so_pin)) != 0)
		return slots_refused(f, "set_pin", "login of the security officer",
		    "his PIN is not tried again: correct it first");
	if (o->so &&
	    PKCS11_change_pin(slot, slots_pin(&o->so_pin), slots_pin(&o->new_pin)) != 0)
		return not_changed(f, "C_SetPIN");
	if (!o->so && PKCS11_init_pin(slot->token, slots_pin(&o->new_pin)) != 0)
		return not_changed(f, "C_InitPIN");
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
	show_json(out, slots_text(t->label));
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
	TRY(slots_find(o, &s, &slot, f));
	TRY(o->so_pin.pin.len > 0 ? by_officer(o, slot, f) : by_user(o, slot, f));
	/* An operator has acted: what was refused before may be right now. */
	if (!o->so && slot->token->serialnr != NULL)
		pin_changed(o->state_dir, slot->token->serialnr);
	say_set(o, slot->token, out);
	return copy_softhsm(f);
}
