#include "pkcs11/provision_slots.h"

#include <openssl/err.h>
#include <string.h>

#include "pkcs11/module.h"

void
slots_done(struct slots *s)
{
	if (s->slot != NULL)
		PKCS11_release_all_slots(s->ctx, s->slot, s->n);
	if (s->loaded)
		PKCS11_CTX_unload(s->ctx);
	if (s->ctx != NULL)
		PKCS11_CTX_free(s->ctx);
}

enum rc
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

struct span
slots_text(const char *text)
{
	return text != NULL ? span_str(text) : span_of(NULL, 0);
}

const char *
slots_pin(const struct provision_pin *p)
{
	return (const char *)p->pin.bytes;
}

/* ---- what libp11 says went wrong ---------------------------------------------------- */

CK_RV
slots_rv(void)
{
	unsigned long e = ERR_peek_error();
	const char *library = e != 0 ? ERR_lib_error_string(e) : NULL;

	/* Its errors and those of the module have libraries of their own in OpenSSL's queue. */
	if (library == NULL || strcmp(library, "PKCS#11 module") != 0)
		return CKR_OK;
	return (CK_RV)ERR_GET_REASON(e);
}

enum rc
slots_refused(struct fault *f, const char *reason, const char *call, const char *remedy)
{
	CK_RV rv = slots_rv();
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

enum rc
slots_find(const struct provision *o, const struct slots *s, PKCS11_SLOT **out, struct fault *f)
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
