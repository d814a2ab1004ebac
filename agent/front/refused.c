#include "agent/front/refused.h"

#include <string.h>

#include "agent/front/store.h"

struct look {
	const char *dir;
	int64_t after_s, first_s;
};

static enum rc
look_at(void *arg, const char *name, struct fault *f)
{
	struct look *l = arg;
	struct store_path path = { 0 };
	int64_t at_s;

	if (strncmp(name, REFUSED_PREFIX, strlen(REFUSED_PREFIX)) != 0)
		return RC_OK;
	TRY(store_path(&path, f, "%s/%s", l->dir, name));
	at_s = store_mtime(path.text);
	if (at_s > l->after_s && (l->first_s == 0 || at_s < l->first_s))
		l->first_s = at_s;
	return RC_OK;
}

int64_t
refused_since_s(const struct config *c, const char *tenant, const char *name)
{
	struct store_path dir = { 0 }, current = { 0 };
	struct look l = { .dir = dir.text };

	if (store_path(&dir, NULL, "%s/front/tenants/%s/%s", c->state_dir, tenant, name) !=
		RC_OK ||
	    store_path(&current, NULL, "%s/current.pem", dir.text) != RC_OK)
		return 0;
	l.after_s = store_mtime(current.text);
	/* A directory that cannot be read says nothing: the alarm is for people. */
	return store_each(dir.text, look_at, &l, NULL) == RC_OK ? l.first_s : 0;
}
