#include "pkcs11/uri.h"

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <stdbool.h>
#include <string.h>

static void
uri_done(P11KitUri **uri)
{
	p11_kit_uri_free(*uri);
}

/* A field that the URI does not have starts with a zero; an empty value is all blanks. */
static enum rc
text_of(const char *name, const CK_UTF8CHAR *field, size_t len, char *out, struct fault *f)
{
	size_t n = len;

	out[0] = 0;
	if (field[0] == 0)
		return RC_OK;
	while (n > 0 && (field[n - 1] == ' ' || field[n - 1] == 0))
		n--;
	if (n == 0)
		return FAULT(f, RC_INVALID, "uri", "'%s' is empty", name);
	memcpy(out, field, n);
	out[n] = 0;
	return RC_OK;
}

static bool
blank(const CK_UTF8CHAR *field)
{
	return field[0] == 0;
}

/* What would be parsed and not looked at is a mistake of whoever wrote it. */
static enum rc
only_a_token(P11KitUri *uri, struct fault *f)
{
	const CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);
	CK_ULONG objects = 0;

	(void)p11_kit_uri_get_attributes(uri, &objects);
	if (p11_kit_uri_get_pin_value(uri) != NULL)
		return FAULT(f, RC_INVALID, "uri",
		    "a PIN in a URI is seen by everybody: give it by --pin file:PATH");
	if (p11_kit_uri_get_pin_source(uri) != NULL)
		return FAULT(f, RC_INVALID, "uri", "the PIN is given by --pin, not in the URI");
	if (p11_kit_uri_get_module_path(uri) != NULL ||
	    p11_kit_uri_get_module_name(uri) != NULL)
		return FAULT(f, RC_INVALID, "uri", "the module is given by --module");
	if (p11_kit_uri_get_slot_id(uri) != (CK_SLOT_ID)-1)
		return FAULT(f, RC_INVALID, "uri", "slot numbers move: name label and serial");
	if (objects > 0 || !blank(token->manufacturerID) || !blank(token->model) ||
	    p11_kit_uri_any_unrecognized(uri))
		return FAULT(f, RC_INVALID, "uri", "only token= and serial= are understood");
	return RC_OK;
}

enum rc
token_uri_parse(const char *text, struct token_uri *out, struct fault *f)
{
	__attribute__((cleanup(uri_done))) P11KitUri *uri = p11_kit_uri_new();
	const CK_TOKEN_INFO *token;
	struct token_uri found;
	int rc;

	if (uri == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "URI");
	rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
	if (rc != P11_KIT_URI_OK) /* not repeated: there may be a PIN in it */
		return FAULT(f, RC_INVALID, "uri", "%s", p11_kit_uri_message(rc));
	TRY(only_a_token(uri, f));
	/* Every query attribute we know was refused by name; p11-kit keeps unknown ones to itself. */
	if (strchr(text, '?') != NULL)
		return FAULT(f, RC_INVALID, "uri", "nothing is understood after the '?'");
	token = p11_kit_uri_get_token_info(uri);
	TRY(text_of("token", token->label, sizeof token->label, found.label, f));
	TRY(text_of(
	    "serial", token->serialNumber, sizeof token->serialNumber, found.serial, f));
	if (found.label[0] == 0 && found.serial[0] == 0)
		return FAULT(f, RC_INVALID, "uri", "neither token= nor serial=");
	*out = found;
	return RC_OK;
}
