#include "pkcs11/login.h"

#include <stdio.h>
#include <string.h>

#include "pkcs11/p11rc.h"

enum { LOGIN_MAX_SLOTS = 256 };

/* PKCS#11 text is padded with blanks and has no end. */
static void
unpad(const CK_UTF8CHAR *text, size_t len, char *out)
{
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == 0))
		len--;
	memcpy(out, text, len);
	out[len] = 0;
}

static bool
is_wanted(const char *wanted, const char *is)
{
	return wanted == NULL || strcmp(wanted, is) == 0;
}

static bool
matches(struct login *l, const CK_TOKEN_INFO *info, const struct login_options *o)
{
	char model[sizeof info->model + 1];

	unpad(info->label, sizeof info->label, l->label);
	unpad(info->serialNumber, sizeof info->serialNumber, l->serial);
	unpad(info->manufacturerID, sizeof info->manufacturerID, l->manufacturer);
	unpad(info->model, sizeof info->model, model);
	if ((info->flags & CKF_TOKEN_INITIALIZED) == 0)
		return false;
	return is_wanted(o->label, l->label) && is_wanted(o->serial, l->serial) &&
	       is_wanted(o->manufacturer, l->manufacturer) && is_wanted(o->model, model);
}

static enum rc
no_token(const struct login_options *o, struct fault *f)
{
	return FAULT(f, RC_NOT_FOUND, "token_not_found",
	    "no token with label '%s' and serial '%s': compare with vesper hsm list",
	    o->label != NULL ? o->label : "(any)", o->serial != NULL ? o->serial : "(any)");
}

/* Slot numbers move; labels are not unique.  Two that match are a question to the operator. */
static enum rc
find_slot(struct login *l, const struct login_options *o, CK_TOKEN_INFO *info, struct fault *f)
{
	CK_SLOT_ID slots[LOGIN_MAX_SLOTS];
	CK_ULONG n = LOGIN_MAX_SLOTS;
	CK_RV rv = l->fn->C_GetSlotList(CK_TRUE, slots, &n);
	unsigned found = 0;

	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "login", "C_GetSlotList: %s", p11rc_name(rv));
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO each = { .flags = 0 };

		if (l->fn->C_GetTokenInfo(slots[i], &each) != CKR_OK || !matches(l, &each, o))
			continue;
		found++;
		l->slot = slots[i];
		*info = each;
	}
	if (found == 0)
		return no_token(o, f);
	if (found > 1)
		return FAULT(f, RC_INVALID, "token_ambiguous",
		    "%u tokens match label '%s': give the serial too", found,
		    o->label != NULL ? o->label : "(any)");
	(void)matches(l, info, o); /* its label and serial again, not the last one's */
	return RC_OK;
}

static enum rc
check_flags(const CK_TOKEN_INFO *info, bool by_hand, struct fault *f)
{
	if ((info->flags & CKF_USER_PIN_INITIALIZED) == 0)
		return FAULT(f, RC_DENIED, "pin_missing",
		    "the token has no user PIN: set one with vesper hsm set-pin --so-pin");
	if ((info->flags & CKF_USER_PIN_LOCKED) != 0)
		return FAULT(f, RC_DENIED, "pin_locked",
		    "the user PIN is locked: unlock it with vesper hsm set-pin --so-pin");
	if ((info->flags & CKF_USER_PIN_FINAL_TRY) != 0 && !by_hand)
		return FAULT(f, RC_DENIED, "pin_final_try",
		    "one more wrong PIN locks the token: log in by hand first, with vesper hsm "
		    "test --pin ask");
	return RC_OK;
}

/* Also without a record it is a refusal: whoever starts this process does not try again. */
static enum rc
refused(CK_RV rv, const struct login *l, const struct login_options *o,
    const struct pin_source *source, struct fault *f)
{
	struct fault why = { .rc = RC_OK };

	if (pin_refused(o->state_dir, l->serial, source, &why) != RC_OK)
		return FAULT(f, RC_DENIED, "pin_refused",
		    "C_Login: %s: correct the PIN at its source before the next start, for "
		    "that is not on record: %s",
		    p11rc_name(rv), why.detail);
	return FAULT(f, RC_DENIED, "pin_refused",
	    "C_Login: %s: correct the PIN at its source; it is not tried again before",
	    p11rc_name(rv));
}

static enum rc
try_login(struct login *l, const struct login_options *o, struct pin *pin, struct fault *f)
{
	const struct pin_source source = pin->source;
	CK_RV rv;

	TRY(pin_check_refused(o->state_dir, l->serial, &source, f));
	rv = l->fn->C_Login(l->idle, CKU_USER, pin->bytes, pin->len);
	pin_wipe(pin);
	switch (p11rc_class(rv)) {
	case P11_OK: pin_accepted(o->state_dir, l->serial, &source); return RC_OK;
	case P11_PIN: return refused(rv, l, o, &source, f);
	default: break;
	}
	pin_not_judged(o->state_dir, l->serial, &source);
	return FAULT(f, RC_HSM, "login", "C_Login: %s", p11rc_name(rv));
}

static enum rc
take_pin(const struct login_options *o, struct pin *out, struct fault *f)
{
	if (o->given == NULL)
		return pin_read(o->pin, out, f);
	pin_lock(out);
	*out = *o->given;
	return RC_OK;
}

enum rc
login_start(struct login *l, struct module *m, const struct login_options *o, struct fault *f)
{
	__attribute__((cleanup(pin_wipe))) struct pin pin = { .len = 0 };
	CK_TOKEN_INFO info = { .flags = 0 };
	CK_RV rv;

	*l = (struct login){ .module = m, .fn = m->fn, .read_write = o->read_write };
	TRY(find_slot(l, o, &info, f));
	TRY(check_flags(&info, o->by_hand, f));
	TRY(take_pin(o, &pin, f));
	rv = login_session(l, &l->idle);
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "login", "C_OpenSession: %s", p11rc_name(rv));
	return try_login(l, o, &pin, f);
}

CK_RV
login_session(struct login *l, CK_SESSION_HANDLE *out)
{
	CK_FLAGS flags = CKF_SERIAL_SESSION | (l->read_write ? CKF_RW_SESSION : 0);
	CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
	CK_RV rv = l->fn->C_OpenSession(l->slot, flags, NULL, NULL, &session);

	if (rv != CKR_OK)
		return rv;
	atomic_fetch_add(&l->sessions, 1);
	*out = session;
	return CKR_OK;
}

void
login_session_close(struct login *l, CK_SESSION_HANDLE session)
{
	(void)l->fn->C_CloseSession(session);
	atomic_fetch_sub(&l->sessions, 1);
}
