#include "agent/front/caurl.h"

#include <string.h>

static const char path_octets[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789-._~/";

static enum rc
bad_form(struct fault *f, const char *what)
{
	return FAULT(f, RC_DENIED, "x5u_form", "the x5u of the CA's order %s", what);
}

/* A segment that is empty or leads nowhere. */
static bool
has_odd_segment(const char *rest)
{
	for (;;) {
		size_t len = strcspn(rest, "/");

		if (len == 0 || (len <= 2 && strspn(rest, ".") == len))
			return true;
		if (rest[len] == 0)
			return false;
		rest += len + 1;
	}
}

enum rc
caurl_check(const struct config_credential *c, const char *url, struct fault *f)
{
	size_t base = c->x5u != NULL ? strlen(c->x5u) : 0, len = strlen(url);

	if (base == 0 || strncmp(url, c->x5u, base) != 0)
		return bad_form(f, "is not below x5u of the credential");
	if (len > CAURL_MAX)
		return bad_form(f, "is too long");
	if (strspn(url + base, path_octets) != len - base || has_odd_segment(url + base))
		return bad_form(f, "is not the plain path of a file");
	return RC_OK;
}

enum rc
caurl_path(const struct config *c, const char *tenant, const char *name,
    const char *fingerprint, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/tenants/%s/%s/" CAURL_PREFIX "%s", c->state_dir,
	    tenant, name, fingerprint);
}

enum rc
caurl_read(const struct config *c, const char *tenant, const char *dir,
    const struct config_credential *cc, const char *fingerprint, struct buf *out,
    struct fault *f)
{
	struct store_path path = { 0 };
	const char *url;

	TRY(caurl_path(c, tenant, dir, fingerprint, &path, f));
	TRY(store_read(path.text, CAURL_MAX, out, f));
	url = buf_text(out);
	if (url == NULL || strlen(url) != out->len)
		return bad_form(f, "is no text");
	return caurl_check(cc, url, f);
}
