#include "stir/privacy.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "stir/b64.h"
#include "stir/jtext.h"

enum { SHA256_LEN = 32, LINE_MAX_B64 = 88 };

/* ---- names -------------------------------------------------------------------------- */

static const struct {
	const char *suffix, *name;
} modes[] = {
	[PRIVACY_VALUE] = { "", "value" },
	[PRIVACY_HASH] = { "#sha-256", "hash" },
	[PRIVACY_COMMIT] = { "#commit-sha-256", "commit" },
	[PRIVACY_SALT] = { "#salt-sha-256", "salt" },
};

const char *
privacy_suffix(enum privacy_mode mode)
{
	return modes[mode].suffix;
}

const char *
privacy_mode_name(enum privacy_mode mode)
{
	return modes[mode].name;
}

static enum rc
mode_of(const char *name, enum privacy_mode *mode, size_t *path_len, struct fault *f)
{
	/* A pointer may hold a '#' of its own: the last one begins the mode. */
	const char *hash = strrchr(name, '#');

	*mode = PRIVACY_VALUE;
	*path_len = strlen(name);
	if (hash == NULL)
		return RC_OK;
	for (enum privacy_mode m = PRIVACY_HASH; m < PRIVACY__COUNT; m++) {
		if (strcmp(modes[m].suffix, hash) == 0) {
			*mode = m;
			*path_len = (size_t)(hash - name);
			return RC_OK;
		}
	}
	return FAULT(f, RC_INVALID, "privacy_mode",
	    "what stands behind '#' is none of sha-256, commit-sha-256, salt-sha-256");
}

enum rc
privacy_name(const char *name, struct privacy_name *out, struct fault *f)
{
	enum privacy_mode mode = PRIVACY_VALUE;
	const uint8_t *slash;
	size_t len = 0;

	TRY(mode_of(name, &mode, &len, f));
	slash = len > 0 ? memchr(name, '/', len) : NULL;
	out->mode = mode;
	out->path = span_of(name, len);
	out->pointer = out->path;
	out->claim = span_cut(
	    &out->pointer, slash == NULL ? len : (size_t)(slash - (const uint8_t *)name));
	return RC_OK;
}

/* ---- digests ------------------------------------------------------------------------ */

bool
privacy_is_digest(const char *text)
{
	AUTO_BUF octets = BUF_INIT(SHA256_LEN + 1);

	return strlen(text) == PRIVACY_DIGEST_TEXT - 1 &&
	       b64_decode(&octets, B64_STD_BARE, span_str(text), NULL) == RC_OK &&
	       octets.len == SHA256_LEN;
}

static enum rc
digest(struct span a, struct span b, char out[PRIVACY_DIGEST_TEXT], struct fault *f)
{
	AUTO_BUF text = BUF_INIT(PRIVACY_DIGEST_TEXT);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t hash[SHA256_LEN];
	bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(md, a.ptr, a.len) == 1 &&
		    EVP_DigestUpdate(md, b.ptr, b.len) == 1 &&
		    EVP_DigestFinal_ex(md, hash, NULL) == 1;

	EVP_MD_CTX_free(md); /* wipes its state, which has seen the salt */
	if (!good)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "SHA-256");
	b64_encode(&text, B64_STD_BARE, span_of(hash, sizeof hash));
	TRY(buf_check(&text, f));
	memcpy(out, text.ptr, PRIVACY_DIGEST_TEXT - 1);
	out[PRIVACY_DIGEST_TEXT - 1] = '\0';
	return RC_OK;
}

enum rc
privacy_digest(
    struct span salt, const json_t *value, char out[PRIVACY_DIGEST_TEXT], struct fault *f)
{
	AUTO_BUF text = BUF_INIT(JTEXT_MAX_BYTES);

	TRY(jtext_write(&text, value, f));
	return digest(salt, buf_view(&text), out, f);
}

enum rc
privacy_salt_digest(struct span salt, char out[PRIVACY_DIGEST_TEXT], struct fault *f)
{
	return digest(salt, span_of(NULL, 0), out, f);
}

/* ---- salts -------------------------------------------------------------------------- */

struct salt {
	char *path;
	uint8_t octet[PRIVACY_SALT_MAX];
	size_t len;
};

struct salts {
	struct salt *salt;
	size_t len;
};

void
salts_free(struct salts *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->len; i++) {
		OPENSSL_cleanse(s->salt[i].octet, sizeof s->salt[i].octet);
		free(s->salt[i].path);
	}
	free(s->salt);
	free(s);
}

size_t
salts_len(const struct salts *s)
{
	return s == NULL ? 0 : s->len;
}

struct span
salts_find(const struct salts *s, struct span path)
{
	for (size_t i = 0; s != NULL && i < s->len; i++) {
		if (span_is(path, s->salt[i].path))
			return span_of(s->salt[i].octet, s->salt[i].len);
	}
	return span_of(NULL, 0);
}

/* Printable ASCII, as claim names in a certificate are, and without a mode. */
static bool
is_path(struct span path)
{
	if (path.len == 0 || path.len > PRIVACY_MAX_PATH || path.ptr[0] == '/')
		return false;
	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] < 0x20 || path.ptr[i] > 0x7e)
			return false;
	}
	return memchr(path.ptr, '#', path.len) == NULL;
}

static enum rc
decode_salt(struct span text, unsigned line, struct salt *out, struct fault *f)
{
	AUTO_SECRET octets = BUF_INIT(LINE_MAX_B64);

	/* At once: a buffer that grew would leave a copy behind. */
	if (text.len > LINE_MAX_B64 || buf_room(&octets, LINE_MAX_B64) == NULL ||
	    b64_decode(&octets, B64_STD_BARE, text, NULL) != RC_OK)
		return FAULT(f, RC_INVALID, "salts_base64",
		    "line %u does not begin with unpadded base64", line);
	if (octets.len < PRIVACY_SALT_MIN || octets.len > PRIVACY_SALT_MAX) /* V-55 */
		return FAULT(f, RC_INVALID, "salts_length",
		    "line %u has a salt of %zu octets, not %d to %d", line, octets.len,
		    PRIVACY_SALT_MIN, PRIVACY_SALT_MAX);
	memcpy(out->octet, octets.ptr, octets.len);
	out->len = octets.len;
	return RC_OK;
}

static enum rc
read_line(struct salts *s, struct span line, unsigned number, struct fault *f)
{
	const uint8_t *space = memchr(line.ptr, ' ', line.len);
	struct salt *one = &s->salt[s->len];
	struct span text;

	if (space == NULL)
		return FAULT(f, RC_INVALID, "salts_line",
		    "line %u is not a salt, a space and a path", number);
	text = span_cut(&line, (size_t)(space - line.ptr));
	(void)span_cut(&line, 1);
	if (!is_path(line))
		return FAULT(f, RC_INVALID, "salts_path",
		    "line %u has no claim or claim/pointer behind the salt", number);
	if (salts_find(s, line).len > 0)
		return FAULT(
		    f, RC_INVALID, "salts_twice", "line %u: a second salt of a path", number);
	TRY(decode_salt(text, number, one, f));
	one->path = strndup((const char *)line.ptr, line.len);
	if (one->path == NULL) {
		OPENSSL_cleanse(one->octet, sizeof one->octet);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a salt's path");
	}
	s->len++;
	return RC_OK;
}

static enum rc
read_lines(struct salts *s, struct span text, struct fault *f)
{
	for (unsigned number = 1; text.len > 0; number++) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		struct span line =
		    span_cut(&text, end != NULL ? (size_t)(end - text.ptr) : text.len);

		if (end != NULL)
			(void)span_cut(&text, 1);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (s->len == PRIVACY_MAX_SALTS)
			return FAULT(f, RC_INVALID, "salts_limit", "more than %d salts",
			    PRIVACY_MAX_SALTS);
		TRY(read_line(s, line, number, f));
	}
	return RC_OK;
}

static size_t
count_lines(struct span text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n' ? 1 : 0;
	return n < PRIVACY_MAX_SALTS ? n : PRIVACY_MAX_SALTS;
}

enum rc
salts_read(struct span text, struct salts **out, struct fault *f)
{
	AUTO(salts) *s = NULL;

	if (text.len > PRIVACY_MAX_FILE)
		return FAULT(f, RC_INVALID, "salts_limit", "%zu bytes, at most %d", text.len,
		    PRIVACY_MAX_FILE);
	s = calloc(1, sizeof *s);
	if (s != NULL) /* all at once, so that no copy of a salt is left behind */
		s->salt = calloc(count_lines(text), sizeof *s->salt);
	if (s == NULL || s->salt == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "salts");
	TRY(read_lines(s, text, f));
	*out = TAKE(s);
	return RC_OK;
}

enum rc
salts_put(struct buf *out, struct span path, struct span salt, struct fault *f)
{
	if (!is_path(path))
		return FAULT(f, RC_INVALID, "salts_path", "no path of a claim");
	if (salt.len < PRIVACY_SALT_MIN || salt.len > PRIVACY_SALT_MAX)
		return FAULT(f, RC_INVALID, "salts_length", "a salt of %zu octets", salt.len);
	b64_encode(out, B64_STD_BARE, salt);
	buf_byte(out, ' ');
	buf_span(out, path);
	buf_byte(out, '\n');
	return buf_check(out, f);
}
