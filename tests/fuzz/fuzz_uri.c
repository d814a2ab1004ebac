/*
 * PKCS#11 URIs of a command line: one that is taken names a token by label or
 * serial, files by their whole paths, has no PIN and nothing twice; what it
 * was read as is written and read again as the same.
 */
#include "pkcs11/uri.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define SCHEME "pkcs11:"

/* How often an attribute of this name is in it: before the '?', and behind it. */
static unsigned
times(const char *text, const char *name)
{
	bool query = false;
	unsigned n = 0;

	for (const char *at = text + strlen(SCHEME); at != NULL;
	     at = strpbrk(at, query ? "&" : ";?")) {
		query |= *at == '?';
		at += at > text + strlen(SCHEME);
		n += strncmp(at, name, strlen(name)) == 0;
	}
	return n;
}

static void
check_taken(const char *text, const struct token_uri *t)
{
	static const char *const names[] = {
		"token=", "serial=", "manufacturer=", "model=", "module-path=", "pin-source="
	};
	static const char *const never[] = {
		"pin-value=", "module-name=", "slot-id=", "id=", "object=", "type="
	};
	const char *const values[] = { t->label, t->serial, t->manufacturer, t->model,
		t->module, t->pin };

	must(strncasecmp(text, SCHEME, strlen(SCHEME)) == 0 && strstr(text, "%00") == NULL);
	must(strpbrk(text, " \t\r\n\v\f") == NULL);
	must(t->label[0] != 0 || t->serial[0] != 0);
	must(t->module[0] == 0 || t->module[0] == '/');
	must(t->pin[0] == 0 || strncmp(t->pin, "file:/", 6) == 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		must(times(text, names[i]) == (values[i][0] != 0));
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		must(times(text, never[i]) == 0);
}

static void
check_again(const struct token_uri *t)
{
	char text[URI_TEXT_MAX];
	struct token_uri again = { .label = "" };

	must(token_uri_format(t, text, NULL) == RC_OK);
	must(token_uri_parse(text, &again, NULL) == RC_OK);
	must(strcmp(t->label, again.label) == 0 && strcmp(t->serial, again.serial) == 0);
	must(strcmp(t->manufacturer, again.manufacturer) == 0);
	must(strcmp(t->model, again.model) == 0);
	must(again.module[0] == 0 && again.pin[0] == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct token_uri t = { .label = "" };
	struct fault f = { 0 };
	char *text = strndup((const char *)data, len);

	must(text != NULL);
	if (token_uri_parse(text, &t, &f) == RC_OK) {
		check_taken(text, &t);
		check_again(&t);
	} else {
		must(strcmp(f.reason, "uri") == 0 || f.rc == RC_NO_MEMORY);
	}
	free(text);
	return 0;
}
