#include "pkcs11/uri.h"

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void
uri_done(P11KitUri **uri)
{
	p11_kit_uri_free(*uri);
}

#define AUTO_URI __attribute__((cleanup(uri_done))) P11KitUri

/* ---- parse --------------------------------------------------------------------- */

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

/* What would be parsed and not looked at is a mistake of whoever wrote it. */
static enum rc
only_a_token(P11KitUri *uri, struct fault *f)
{
	CK_ULONG objects = 0;

	(void)p11_kit_uri_get_attributes(uri, &objects);
	if (p11_kit_uri_get_pin_value(uri) != NULL)
		return FAULT(f, RC_INVALID, "uri",
		    "a PIN in a URI is seen by everybody: give it by --pin file:PATH");
	if (p11_kit_uri_get_module_name(uri) != NULL)
		return FAULT(f, RC_INVALID, "uri",
		    "a module is found by its path alone: module-path=/PATH");
	if (p11_kit_uri_get_slot_id(uri) != (CK_SLOT_ID)-1)
		return FAULT(f, RC_INVALID, "uri", "slot numbers move: name label and serial");
	if (objects > 0 || p11_kit_uri_any_unrecognized(uri))
		return FAULT(f, RC_INVALID, "uri",
		    "only token=, serial=, manufacturer=, model=, module-path= and "
		    "pin-source= are understood");
	return RC_OK;
}

static const char *const attributes[] = {
	"token=", "serial=", "manufacturer=", "model=", "module-path=", "pin-source="
};
enum { OF_PATH = 4, NO_ATTRIBUTE = ARRAY_LEN(attributes) };

static size_t
attribute_at(const char *text, bool query)
{
	size_t first = query ? OF_PATH : 0, end = query ? NO_ATTRIBUTE : OF_PATH;

	for (size_t i = first; i < end; i++) {
		if (strncmp(text, attributes[i], strlen(attributes[i])) == 0)
			return i;
	}
	return NO_ATTRIBUTE;
}

/*
 * RFC 7512 section 2.3: each attribute once, none empty.  p11-kit takes the
 * last of two, keeps what it does not know in a query to itself, and reads
 * nothing behind an empty one.
 */
static enum rc
each_once(const char *text, struct fault *f)
{
	const char *at = strchr(text, ':');
	bool seen[NO_ATTRIBUTE] = { false }, query = false;

	for (; at != NULL; at = strpbrk(at, query ? "&" : ";?")) {
		size_t i;

		query = query || *at == '?';
		i = attribute_at(++at, query);
		if (i == NO_ATTRIBUTE)
			return FAULT(f, RC_INVALID, "uri",
			    "only token=, serial=, manufacturer=, model= and behind the '?' "
			    "module-path= and pin-source= are understood");
		if (seen[i])
			return FAULT(f, RC_INVALID, "uri", "%s is there twice", attributes[i]);
		seen[i] = true;
	}
	return RC_OK;
}

static enum rc
copy_path(const char *name, const char *prefix, const char *path, char out[URI_PATH_MAX],
    struct fault *f)
{
	int n = snprintf(out, URI_PATH_MAX, "%s%s", prefix, path);

	if (n < 0 || n >= URI_PATH_MAX)
		return FAULT(f, RC_INVALID, "uri", "%s is too long", name);
	if (path[0] != '/')
		return FAULT(f, RC_INVALID, "uri", "%s is not an absolute path", name);
	return RC_OK;
}

static enum rc
paths_of(P11KitUri *uri, struct token_uri *out, struct fault *f)
{
	static const char scheme[] = "file:";
	const char *module = p11_kit_uri_get_module_path(uri);
	const char *pin = p11_kit_uri_get_pin_source(uri);

	out->module[0] = 0;
	out->pin[0] = 0;
	if (module != NULL)
		TRY(copy_path("module-path", "", module, out->module, f));
	if (pin == NULL)
		return RC_OK;
	/* RFC 7512 section 2.3: a file: URI or a path; a command after '|' is not run here. */
	if (strncmp(pin, scheme, strlen(scheme)) == 0)
		pin += strlen(scheme);
	return copy_path("pin-source", scheme, pin, out->pin, f);
}

static enum rc
fields_of(P11KitUri *uri, struct token_uri *out, struct fault *f)
{
	const CK_TOKEN_INFO *t = p11_kit_uri_get_token_info(uri);

	TRY(text_of("token", t->label, sizeof t->label, out->label, f));
	TRY(text_of("serial", t->serialNumber, sizeof t->serialNumber, out->serial, f));
	TRY(text_of(
	    "manufacturer", t->manufacturerID, sizeof t->manufacturerID, out->manufacturer, f));
	TRY(text_of("model", t->model, sizeof t->model, out->model, f));
	if (out->label[0] == 0 && out->serial[0] == 0)
		return FAULT(f, RC_INVALID, "uri", "neither token= nor serial=");
	return RC_OK;
}

enum rc
token_uri_parse(const char *text, struct token_uri *out, struct fault *f)
{
	AUTO_URI *uri = p11_kit_uri_new();
	struct token_uri found;
	int rc;

	if (uri == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "URI");
	rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
	if (rc != P11_KIT_URI_OK) /* not repeated: there may be a PIN in it */
		return FAULT(f, RC_INVALID, "uri", "%s", p11_kit_uri_message(rc));
	TRY(only_a_token(uri, f));
	if (strpbrk(text, " \t\r\n\v\f") != NULL) /* p11-kit takes them out */
		return FAULT(f, RC_INVALID, "uri", "white space: a blank is written %%20");
	if (strstr(text, "%00") != NULL) /* what is behind it would not be looked at */
		return FAULT(f, RC_INVALID, "uri", "an octet of zero");
	TRY(each_once(text, f));
	TRY(fields_of(uri, &found, f));
	TRY(paths_of(uri, &found, f));
	*out = found;
	return RC_OK;
}

/* ---- format -------------------------------------------------------------------- */

static void
set_field(const char *text, CK_UTF8CHAR *field, size_t len)
{
	size_t n = strlen(text);

	if (n == 0)
		return; /* stays "any" */
	memset(field, ' ', len);
	memcpy(field, text, n < len ? n : len);
}

static void
set_token(P11KitUri *uri, const struct token_uri *t)
{
	CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(uri);

	set_field(t->label, info->label, sizeof info->label);
	set_field(t->serial, info->serialNumber, sizeof info->serialNumber);
	set_field(t->manufacturer, info->manufacturerID, sizeof info->manufacturerID);
	set_field(t->model, info->model, sizeof info->model);
}

static enum rc
write_uri(P11KitUri *uri, P11KitUriType type, char out[URI_TEXT_MAX], struct fault *f)
{
	AUTO_FREE char *text = NULL;
	int rc = p11_kit_uri_format(uri, type, &text);

	if (rc != P11_KIT_URI_OK)
		return FAULT(f, RC_INVALID, "uri", "%s", p11_kit_uri_message(rc));
	if (strlen(text) >= URI_TEXT_MAX)
		return FAULT(f, RC_INVALID, "uri", "too long");
	memcpy(out, text, strlen(text) + 1);
	return RC_OK;
}

enum rc
token_uri_format(const struct token_uri *t, char out[URI_TEXT_MAX], struct fault *f)
{
	AUTO_URI *uri = p11_kit_uri_new();

	if (uri == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "URI");
	set_token(uri, t);
	return write_uri(uri, P11_KIT_URI_FOR_TOKEN, out, f);
}

static enum rc
set_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type, struct span value, struct fault *f)
{
	CK_ATTRIBUTE a = { .type = type,
		.pValue = (void *)(uintptr_t)value.ptr,
		.ulValueLen = (CK_ULONG)value.len };

	if (value.len == 0 || p11_kit_uri_set_attribute(uri, &a) == P11_KIT_URI_OK)
		return RC_OK;
	return FAULT(f, RC_NO_MEMORY, "no_memory", "URI");
}

enum rc
key_uri_format(const struct token_uri *t, struct span id, struct span label,
    char out[URI_TEXT_MAX], struct fault *f)
{
	static const CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	AUTO_URI *uri = p11_kit_uri_new();

	if (uri == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "URI");
	set_token(uri, t);
	TRY(set_attribute(uri, CKA_CLASS, span_of((const uint8_t *)&class, sizeof class), f));
	TRY(set_attribute(uri, CKA_ID, id, f));
	TRY(set_attribute(uri, CKA_LABEL, label, f));
	return write_uri(uri, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, out, f);
}
