#include "pkcs11/provision_token.h"

#include <string.h>

#include "pkcs11/softhsm.h"
#include "pkcs11/tokenlock.h"

enum { FINALIZE_MS = 2000 };

bool
provision_typed(const struct provision_pin *p)
{
	return p->ref == NULL || strcmp(p->ref, "ask") == 0;
}

enum rc
provision_load(const struct provision *o, struct provision_token *t, struct fault *f)
{
	unsigned mended = 0;

	TRY(module_open(o->module, o->starter, &t->module, f));
	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &t->lock, f));
	TRY(softhsm_mend(&mended, f));
	return module_init(&t->module, f);
}

static const char *
text_or_any(const char *text)
{
	return text[0] != 0 ? text : NULL;
}

enum rc
provision_login(
    const struct provision *o, bool read_write, struct provision_token *t, struct fault *f)
{
	const struct login_options login = {
		.label = text_or_any(o->token.label),
		.serial = text_or_any(o->token.serial),
		.manufacturer = text_or_any(o->token.manufacturer),
		.model = text_or_any(o->token.model),
		.given = &o->pin.pin,
		.by_hand = provision_typed(&o->pin),
		/* Who typed it sees that it was refused; nobody else will send it again. */
		.state_dir = provision_typed(&o->pin) ? NULL : o->state_dir,
		.read_write = read_write || o->read_write,
	};

	return login_start(&t->login, &t->module, &login, f);
}

enum rc
provision_open(
    const struct provision *o, bool read_write, struct provision_token *t, struct fault *f)
{
	TRY(provision_load(o, t, f));
	return provision_login(o, read_write, t, f);
}

enum rc
provision_keys(struct provision_token *t, struct fault *f)
{
	TRY(keymap_new(&t->login, &t->map, f));
	return keymap_scan(t->map, f);
}

void
provision_unlock(struct provision_token *t)
{
	if (t->lock >= 0)
		close(t->lock);
	t->lock = -1;
}

void
provision_close(struct provision_token *t)
{
	(void)module_finalize(&t->module, FINALIZE_MS);
	keymap_free(t->map);
	t->map = NULL;
	provision_unlock(t);
}

struct token_uri
provision_uri(const struct provision_token *t)
{
	struct token_uri uri = { .label = "" };

	memcpy(uri.label, t->login.label, sizeof uri.label);
	memcpy(uri.serial, t->login.serial, sizeof uri.serial);
	memcpy(uri.manufacturer, t->login.manufacturer, sizeof uri.manufacturer);
	return uri;
}
