#include "client/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "stir/jtext.h"

enum { CLAIMS_MAX = 65536, UUID_TEXT = 37 };

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "claims");
}

static enum rc
set(json_t *claims, const char *name, json_t *owned, struct fault *f)
{
	return json_object_set_new(claims, name, owned) == 0 ? RC_OK : no_memory(f);
}

/* RFC 9562 section 5.4: 122 random bits. */
static enum rc
random_uuid(char out[UUID_TEXT], struct fault *f)
{
	uint8_t b[16];
	char *p = out;

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		return FAULT(f, RC_IO, "random", "no random bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof b; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += snprintf(p, 3, "%02x", b[i]);
	}
	return RC_OK;
}

static enum rc
read_claims(const char *path, json_t **out, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(CLAIMS_MAX);

	TRY(cli_read(path, &text, f));
	TRY(jtext_read(buf_view(&text), out, f));
	if (!json_is_object(*out))
		return FAULT(f, RC_INVALID, "malformed_json", "the claims are no JSON object");
	return RC_OK;
}

static enum rc
set_dest(const struct claims_options *o, json_t *claims, struct fault *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->dest.len; i++) {
		if (json_array_append_new(list, json_string(o->dest.item[i])) != 0) {
			json_decref(list);
			return no_memory(f);
		}
	}
	return set(claims, "dest", json_pack("{s:o}", "tn", list), f);
}

/* The options stand above what the file of claims says. */
static enum rc
set_options(const struct claims_options *o, json_t *claims, struct fault *f)
{
	char uuid[UUID_TEXT];

	if (o->orig != NULL)
		TRY(set(claims, "orig", json_pack("{s:s}", "tn", o->orig), f));
	if (o->dest.len > 0)
		TRY(set_dest(o, claims, f));
	if (o->attest != NULL)
		TRY(set(claims, "attest", json_string(o->attest), f));
	if (o->div != NULL)
		TRY(set(claims, "div", json_pack("{s:s}", "tn", o->div), f));
	if (o->origid != NULL)
		return set(claims, "origid", json_string(o->origid), f);
	if (o->ppt == NULL || strcmp(o->ppt, "shaken") != 0 ||
	    json_object_get(claims, "origid") != NULL)
		return RC_OK;
	TRY(random_uuid(uuid, f));
	return set(claims, "origid", json_string(uuid), f);
}

enum rc
claims_build(const struct claims_options *o, json_t **out, struct fault *f)
{
	json_auto_t *claims = NULL;

	if (o->file != NULL)
		TRY(read_claims(o->file, &claims, f));
	else
		claims = json_object();
	TRY(set_options(o, claims, f));
	*out = TAKE(claims);
	return RC_OK;
}
