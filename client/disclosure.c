#include "client/disclosure.h"

#include <sys/stat.h>

#include "client/cli.h"
#include "client/show.h"
#include "stir/b64.h"
#include "stir/jtext.h"

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "a disclosure");
}

static enum rc
bad(struct fault *f, const char *what)
{
	return FAULT(f, RC_INVALID, "disclosure", "%s", what);
}

void
disclosure_done(struct disclosure *d)
{
	salts_free(d->salts);
	json_decref(d->values);
	*d = (struct disclosure){ 0 };
}

/* ---- reading ------------------------------------------------------------------------ */

/* V-56: a file that others read holds no secret any more. */
static enum rc
check_private(const char *path, struct fault *f)
{
	struct stat st;

	if (strcmp(path, "-") == 0 || stat(path, &st) != 0)
		return RC_OK; /* its reading says why not */
	if ((st.st_mode & (S_IRWXO | S_IRWXG)) != 0)
		return FAULT(f, RC_DENIED, "salts", "%.100s has mode %04o: chmod 0600", path,
		    (unsigned)(st.st_mode & 07777));
	return RC_OK;
}

enum rc
disclosure_salts(const char *path, struct salts **out, struct fault *f)
{
	AUTO_SECRET text = BUF_INIT(PRIVACY_MAX_FILE);

	TRY(check_private(path, f));
	if (buf_room(&text, PRIVACY_MAX_FILE) == NULL) /* at once: no copy is left behind */
		return buf_check(&text, f);
	TRY(cli_read(path, &text, f));
	return salts_read(buf_view(&text), out, f);
}

/* The lines of a file of salts, whose reader is the judge of them. */
static enum rc
take_salt(const json_t *one, struct buf *lines, struct fault *f)
{
	struct span path = jtext_span(json_object_get(one, "claim"));
	struct span salt = jtext_span(json_object_get(one, "salt"));

	if (path.len == 0 || salt.len == 0 || memchr(path.ptr, '\n', path.len) != NULL)
		return bad(f, "a claim without its path or salt");
	if (!span_is(jtext_span(json_object_get(one, "alg")), "sha-256"))
		return bad(f, "alg is not sha-256");
	buf_span(lines, salt);
	buf_byte(lines, ' ');
	buf_span(lines, path);
	buf_byte(lines, '\n');
	return buf_check(lines, f);
}

static enum rc
take_claims(const json_t *claims, struct disclosure *out, struct fault *f)
{
	AUTO_SECRET lines = BUF_INIT(DISCLOSURE_MAX);

	if (!json_is_array(claims) || json_array_size(claims) == 0)
		return bad(f, "no claims");
	if (buf_room(&lines, DISCLOSURE_MAX) == NULL) /* at once: no copy is left behind */
		return no_memory(f);
	for (size_t i = 0; i < json_array_size(claims); i++) {
		const json_t *one = json_array_get(claims, i);
		json_t *value = json_object_get(one, "value");

		TRY(take_salt(one, &lines, f));
		if (value != NULL &&
		    json_object_set(out->values,
			json_string_value(json_object_get(one, "claim")), value) != 0)
			return no_memory(f);
	}
	return salts_read(buf_view(&lines), &out->salts, f);
}

static enum rc
take_certificate(const json_t *certificate, struct disclosure *out, struct fault *f)
{
	struct span sha256 = jtext_span(json_object_get(certificate, "sha256"));

	if (sha256.len != sizeof out->sha256 - 1)
		return bad(f, "no SHA-256 of a certificate");
	memcpy(out->sha256, sha256.ptr, sha256.len);
	return RC_OK;
}

static enum rc
take(const json_t *object, struct disclosure *out, struct fault *f)
{
	if (!span_is(jtext_span(json_object_get(object, "schema")), "vesper/disclosure/1"))
		return bad(f, "its schema is not vesper/disclosure/1");
	out->values = json_object();
	if (out->values == NULL)
		return no_memory(f);
	TRY(take_certificate(json_object_get(object, "certificate"), out, f));
	return take_claims(json_object_get(object, "claims"), out, f);
}

enum rc
disclosure_read(struct span text, struct disclosure *out, struct fault *f)
{
	struct disclosure d = { 0 };
	json_auto_t *object = NULL;
	enum rc rc;

	TRY(jtext_read(text, &object, f));
	rc = take(object, &d, f);
	if (rc == RC_OK)
		*out = d;
	else
		disclosure_done(&d);
	return rc;
}

/* ---- what is proven ----------------------------------------------------------------- */

static const struct permitted *
entry_of(const struct constraints *c, const char *path, enum privacy_mode mode)
{
	for (size_t i = 0; i < c->permitteds; i++) {
		struct privacy_name n = { 0 };

		if (privacy_name(c->permitted[i].claim, &n, NULL) == RC_OK && n.mode == mode &&
		    span_is(n.path, path))
			return &c->permitted[i];
	}
	return NULL;
}

static bool
holds(const struct permitted *p, const char *digest)
{
	return p->values == 1 && strcmp(p->value[0], digest) == 0;
}

enum rc
disclosed_is(const struct constraints *c, const char *path, struct span salt,
    const json_t *value, enum disclosed *out, struct fault *f)
{
	const struct permitted *commit = entry_of(c, path, PRIVACY_COMMIT);
	const struct permitted *named = entry_of(c, path, PRIVACY_SALT);
	char digest[PRIVACY_DIGEST_TEXT], of_salt[PRIVACY_DIGEST_TEXT];

	*out = DISCLOSED_NOTHING;
	if (salt.len == 0 || value == NULL)
		return RC_OK;
	TRY(privacy_digest(salt, value, digest, f));
	TRY(privacy_salt_digest(salt, of_salt, f));
	*out =
	    commit != NULL && holds(commit, digest) && (named == NULL || holds(named, of_salt))
		? DISCLOSED_PROVEN
		: DISCLOSED_OTHER;
	return RC_OK;
}

/* ---- what is announced -------------------------------------------------------------- */

static enum rc
judge_commitment(const struct constraints *c, const char *path, const json_t *value,
    const struct disclosure *d, json_t *one, bool *other, struct fault *f)
{
	static const char *const words[] = {
		[DISCLOSED_NOTHING] = "authorized but not presently verifiable",
		[DISCLOSED_PROVEN] = "proven",
		[DISCLOSED_OTHER] = "not what the certificate commits to",
	};
	struct span salt = d != NULL ? salts_find(d->salts, span_str(path)) : span_of(NULL, 0);
	enum disclosed what = DISCLOSED_NOTHING;

	if (value == NULL && d != NULL)
		value = json_object_get(d->values, path);
	TRY(disclosed_is(c, path, salt, value, &what, f));
	*other = *other || what == DISCLOSED_OTHER;
	if (json_object_set_new(one, "verdict", json_string(words[what])) != 0)
		return no_memory(f);
	if (what == DISCLOSED_PROVEN && json_object_set(one, "value", jtext_walk(value)) != 0)
		return no_memory(f);
	return RC_OK;
}

static enum rc
announce(const struct constraints *c, const struct permitted *p, const json_t *claims,
    const struct disclosure *d, json_t *list, bool *other, struct fault *f)
{
	struct privacy_name n = { 0 };
	const json_t *value = NULL;
	AUTO_FREE char *path = NULL;
	json_t *one;

	if (privacy_name(p->claim, &n, NULL) != RC_OK || n.mode == PRIVACY_SALT)
		return RC_OK; /* the lint of the constraints says it */
	TRY(constraints_part(claims, p, &value, f));
	if (value != NULL && n.mode != PRIVACY_COMMIT)
		return RC_OK; /* carried, and judged with the constraints */
	path = strndup((const char *)n.path.ptr, n.path.len);
	one = json_pack("{s:s?, s:s, s:b}", "claim", path, "mode", privacy_mode_name(n.mode),
	    "carried", value != NULL);
	if (json_array_append_new(list, one) != 0)
		return no_memory(f);
	if (n.mode == PRIVACY_COMMIT)
		return judge_commitment(c, path, value, d, one, other, f);
	return json_object_set_new(one, "values", show_strings(p->value, p->values)) == 0
		   ? RC_OK
		   : no_memory(f);
}

enum rc
disclosure_announced(const struct constraints *c, const json_t *claims,
    const struct disclosure *d, json_t **out, bool *other, struct fault *f)
{
	json_auto_t *list = json_array();

	*other = false;
	if (list == NULL)
		return no_memory(f);
	for (size_t i = 0; c != NULL && i < c->permitteds; i++)
		TRY(announce(c, &c->permitted[i], claims, d, list, other, f));
	*out = TAKE(list);
	return RC_OK;
}
