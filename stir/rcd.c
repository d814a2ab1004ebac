#include "stir/rcd.h"

#include <strings.h>

#include <openssl/evp.h>

#include "stir/b64.h"
#include "stir/jpointer.h"
#include "stir/jtext.h"
#include "stir/tn.h"

enum { RCD_MAX_ENTRIES = 256, RCD_MAX_POINTER = 256 };

static enum rc
invalid(struct fault *f, const char *claim, const char *what)
{
	return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim, "%s", what);
}

/* ---- rcd ---------------------------------------------------------------------------- */

/* RFC 9795 section 5.1.1: a display-name of RFC 3261, empty where there is none. */
static enum rc
check_nam(const char *claim, const json_t *nam, struct fault *f)
{
	if (nam == NULL)
		return invalid(f, claim, "nam is required, \"\" where there is no name");
	return jtext_is_shown(nam)
		   ? RC_OK
		   : invalid(f, claim, "nam is a string of characters that are seen");
}

/* RFC 9795 section 5.1.2: canonical as RFC 8224 section 8.3 has it. */
static enum rc
check_apn(const char *claim, const json_t *apn, struct fault *f)
{
	struct tn tn;

	if (apn != NULL && (!json_is_string(apn) || tn_exact(jtext_span(apn), &tn, NULL)))
		return invalid(f, claim, "apn is a number in canonical form");
	return RC_OK;
}

static bool
is_data_image(const json_t *value)
{
	return uri_kind_of(value) == URI_INLINE &&
	       strncasecmp(json_string_value(value), "data:image/", 11) == 0;
}

/* RFC 9795 section 5.1.3: an image, elsewhere or in the URI itself. */
static enum rc
check_icn(const char *claim, const json_t *icn, struct fault *f)
{
	if (icn == NULL || uri_kind_of(icn) == URI_CONTENT || is_data_image(icn))
		return RC_OK;
	return invalid(f, claim, "icn is an https URI without a fragment, or data:image/…");
}

/* RFC 9795 sections 5.1.4 and 5.1.5: one of the two. */
static enum rc
check_card(const char *claim, const json_t *jcd, const json_t *jcl, struct fault *f)
{
	if (jcd != NULL && jcl != NULL)
		return invalid(f, claim, "jcd and jcl exclude each other");
	if (jcd != NULL)
		return jcard_check(jcd, claim, f);
	if (jcl != NULL && uri_kind_of(jcl) != URI_CONTENT)
		return invalid(f, claim, "jcl is an https URI without a fragment");
	return RC_OK;
}

static const char *const members[] = { "nam", "apn", "icn", "jcd", "jcl" };

static bool
is_member(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (strcmp(members[i], name) == 0)
			return true;
	}
	return false;
}

enum rc
rcd_check(const char *name, const json_t *rcd, struct fault *f)
{
	json_t *walk = jtext_walk(rcd);

	if (!json_is_object(rcd))
		return invalid(f, name, "rcd is an object"); /* D-40 */
	for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i)) {
		if (!is_member(json_object_iter_key(i)))
			return REFUSE(f, RC_INVALID, INVALID_CLAIM, name,
			    "%.40s is no member of rcd", json_object_iter_key(i));
	}
	TRY(check_nam(name, json_object_get(rcd, "nam"), f));
	TRY(check_apn(name, json_object_get(rcd, "apn"), f));
	TRY(check_icn(name, json_object_get(rcd, "icn"), f));
	return check_card(name, json_object_get(rcd, "jcd"), json_object_get(rcd, "jcl"), f);
}

/* RFC 9795 section 7: a single string. */
enum rc
rcd_check_crn(const char *name, const json_t *crn, struct fault *f)
{
	return jtext_is_shown(crn)
		   ? RC_OK
		   : invalid(f, name, "crn is a string of characters that are seen");
}

/* RFC 9795 section 10: names the third party. */
enum rc
rcd_check_iss(const char *name, const json_t *iss, struct fault *f)
{
	return jtext_is_shown(iss) && json_string_length(iss) > 0
		   ? RC_OK
		   : invalid(
			 f, name, "iss is a string of characters that are seen, and not empty");
}

enum rc
rcd_check_present(const json_t *claims, struct fault *f)
{
	if (json_object_get(claims, "rcd") != NULL || json_object_get(claims, "crn") != NULL)
		return RC_OK;
	return REFUSE(
	    f, RC_INVALID, MISSING_CLAIM, "rcd", "ppt rcd exists for rcd, crn or both");
}

/* ---- digests ------------------------------------------------------------------------ */

static const struct {
	const char *name, *prefix, *evp;
	size_t len;
} hashes[] = {
	[RCD_SHA256] = { "sha256", "sha256-", "SHA256", 32 },
	[RCD_SHA384] = { "sha384", "sha384-", "SHA384", 48 },
	[RCD_SHA512] = { "sha512", "sha512-", "SHA512", 64 },
};

const char *
rcd_hash_name(enum rcd_hash hash)
{
	return hashes[hash].name;
}

/* RFC 9795 section 6: three names in lower case, "-", base64. */
static enum rc
find_hash(struct span *text, enum rcd_hash *out, struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		size_t n = strlen(hashes[i].prefix);

		if (text->len >= n && memcmp(text->ptr, hashes[i].prefix, n) == 0) {
			span_cut(text, n);
			*out = (enum rcd_hash)i;
			return RC_OK;
		}
	}
	return FAULT(
	    f, RC_INVALID, "rcd_digest", "a digest begins with sha256-, sha384- or sha512-");
}

enum rc
rcd_digest_parse(struct span text, struct rcd_digest *out, struct fault *f)
{
	AUTO_BUF raw = BUF_INIT(128);
	enum rcd_hash hash = RCD__HASHES;
	bool padded;

	TRY(find_hash(&text, &hash, f));
	padded = text.len > 0 && text.ptr[text.len - 1] == '=';
	TRY(b64_decode(&raw, padded ? B64_STD : B64_STD_BARE, text, f)); /* D-40 */
	if (raw.len != hashes[hash].len)
		return FAULT(f, RC_INVALID, "rcd_digest", "%zu octets are no %s", raw.len,
		    hashes[hash].name);
	*out = (struct rcd_digest){ .hash = hash };
	memcpy(out->bytes, raw.ptr, raw.len);
	return RC_OK;
}

void
rcd_digest_text(const struct rcd_digest *d, char out[RCD_DIGEST_TEXT])
{
	AUTO_BUF text = BUF_INIT(RCD_DIGEST_TEXT);

	buf_str(&text, hashes[d->hash].prefix);
	b64_encode(&text, B64_STD_BARE, span_of(d->bytes, hashes[d->hash].len));
	out[0] = '\0';
	if (buf_text(&text) != NULL)
		memcpy(out, text.ptr, text.len + 1);
}

enum rc
rcd_digest_of(enum rcd_hash hash, struct span content, struct rcd_digest *out, struct fault *f)
{
	size_t len = 0;

	*out = (struct rcd_digest){ .hash = hash };
	if (EVP_Q_digest(NULL, hashes[hash].evp, NULL,
		content.len == 0 ? (const void *)"" : content.ptr, content.len, out->bytes,
		&len) != 1 ||
	    len != hashes[hash].len)
		return FAULT_OPENSSL(f, RC_BUG, "rcd_digest", "a digest");
	return RC_OK;
}

static bool
same_digest(const struct rcd_digest *a, const struct rcd_digest *b)
{
	return a->hash == b->hash && memcmp(a->bytes, b->bytes, hashes[a->hash].len) == 0;
}

/* ---- rcdi alone --------------------------------------------------------------------- */

/* RFC 9795 section 6.1: a pointer begins at a member of rcd. */
static enum rc
check_pointer(const char *claim, const char *pointer, struct fault *f)
{
	char first[8] = "";
	size_t n;

	if (strlen(pointer) > RCD_MAX_POINTER || *pointer != '/' || !jpointer_is_valid(pointer))
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim,
		    "%.40s is no JSON pointer into rcd", pointer);
	n = strcspn(pointer + 1, "/");
	if (n < sizeof first)
		memcpy(first, pointer + 1, n);
	if (!is_member(first))
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim,
		    "%.40s points at no member of rcd", pointer);
	return RC_OK;
}

static enum rc
check_entry(const char *claim, const char *pointer, const json_t *text, struct fault *f)
{
	struct rcd_digest digest;
	struct fault cause = { 0 };

	TRY(check_pointer(claim, pointer, f));
	if (!json_is_string(text))
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim,
		    "%.60s: a digest is a string", pointer);
	if (rcd_digest_parse(jtext_span(text), &digest, &cause) != RC_OK)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim, "%.60s: %.100s", pointer,
		    cause.detail);
	return RC_OK;
}

enum rc
rcd_check_rcdi(const char *name, const json_t *rcdi, struct fault *f)
{
	json_t *walk = jtext_walk(rcdi);

	if (!json_is_object(rcdi) || json_object_size(rcdi) == 0)
		return invalid(f, name, "rcdi is an object with an entry");
	if (json_object_size(rcdi) > RCD_MAX_ENTRIES)
		return invalid(f, name, "rcdi of more than 256 entries");
	for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i))
		TRY(check_entry(name, json_object_iter_key(i), json_object_iter_value(i), f));
	return RC_OK;
}

/* ---- rcd and rcdi ------------------------------------------------------------------- */

struct refs {
	struct uri_ref list[JCARD_MAX_REFS + 2]; /* of a card, icn and jcl */
	size_t n;
};

static void
add_ref(struct refs *r, const json_t *rcd, const char *member)
{
	const json_t *value = json_object_get(rcd, member);

	if (value == NULL || uri_kind_of(value) != URI_CONTENT)
		return;
	r->list[r->n] = (struct uri_ref){ .uri = json_string_value(value) };
	r->list[r->n].pointer[0] = '/';
	memcpy(r->list[r->n].pointer + 1, member, strlen(member) + 1);
	r->n++;
}

/* Every place of rcd that refers to content elsewhere. */
static enum rc
refs_of(const json_t *rcd, struct refs *r, struct fault *f)
{
	const json_t *card = json_object_get(rcd, "jcd");

	r->n = 0;
	if (card != NULL)
		TRY(jcard_refs(card, "/jcd", r->list, &r->n, "rcd", f));
	add_ref(r, rcd, "icn");
	add_ref(r, rcd, "jcl");
	return RC_OK;
}

static const struct uri_ref *
ref_at(const struct refs *r, const char *pointer)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->list[i].pointer, pointer) == 0)
			return &r->list[i];
	}
	return NULL;
}

/* RFC 9795 section 6.1.4: below /jcl it is the card elsewhere that is pointed into. */
static bool
is_below_jcl(const char *pointer)
{
	return strncmp(pointer, "/jcl/", 5) == 0;
}

/* RFC 9795 sections 6.1.2 to 6.1.4: each reference has a digest. */
static enum rc
check_complete(const struct refs *r, const json_t *rcdi, struct fault *f)
{
	for (size_t i = 0; i < r->n; i++) {
		if (json_object_get(rcdi, r->list[i].pointer) == NULL)
			return REFUSE(f, RC_INVALID, INVALID_CLAIM, "rcdi",
			    "%s refers to content elsewhere and has no digest",
			    r->list[i].pointer);
	}
	return RC_OK;
}

/*
 * RFC 9795 section 6.1: an inline value is hashed in its RFC 8225 form, a
 * string with its quotes; a data: URI is such a string (D-54).
 */
static enum rc
check_inline(const json_t *root, const char *pointer, const char *shown,
    const struct rcd_digest *want, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(JTEXT_MAX_BYTES);
	const json_t *value = NULL;
	struct rcd_digest got;

	TRY(jpointer_find(root, pointer, &value, f));
	if (value == NULL)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "rcdi",
		    "%.60s names nothing that is there", shown);
	TRY(jtext_write(&text, value, f));
	TRY(rcd_digest_of(want->hash, buf_view(&text), &got, f));
	if (!same_digest(&got, want))
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "rcdi",
		    "%.60s: the digest is not that of the value", shown);
	return RC_OK;
}

static enum rc
check_pair(const json_t *rcd, const struct refs *r, const char *pointer, const json_t *text,
    struct fault *f)
{
	struct rcd_digest want;

	if (ref_at(r, pointer) != NULL)
		return RC_OK; /* elsewhere */
	if (is_below_jcl(pointer) && json_object_get(rcd, "jcl") != NULL)
		return RC_OK;
	TRY(rcd_digest_parse(jtext_span(text), &want, f));
	return check_inline(rcd, pointer, pointer, &want, f);
}

static enum rc
check_each(const json_t *claims, struct fault *f)
{
	const json_t *rcd = json_object_get(claims, "rcd");
	const json_t *rcdi = json_object_get(claims, "rcdi");
	const json_t *crn = json_object_get(claims, "crn");

	if (rcd != NULL)
		TRY(rcd_check("rcd", rcd, f));
	if (rcdi != NULL)
		TRY(rcd_check_rcdi("rcdi", rcdi, f));
	return crn == NULL ? RC_OK : rcd_check_crn("crn", crn, f);
}

enum rc
rcd_check_claims(const json_t *claims, struct fault *f)
{
	const json_t *rcd = json_object_get(claims, "rcd");
	json_t *rcdi = json_object_get(claims, "rcdi");
	struct refs r;

	TRY(check_each(claims, f));
	if (rcdi == NULL)
		return RC_OK;
	if (rcd == NULL)
		return REFUSE(f, RC_INVALID, MISSING_CLAIM, "rcd", "rcdi points into it");
	TRY(refs_of(rcd, &r, f));
	TRY(check_complete(&r, rcdi, f));
	for (void *i = json_object_iter(rcdi); i != NULL; i = json_object_iter_next(rcdi, i))
		TRY(check_pair(rcd, &r, json_object_iter_key(i), json_object_iter_value(i), f));
	return RC_OK;
}

enum rc
rcd_check_integrity(const json_t *claims, struct fault *f)
{
	const json_t *rcd = json_object_get(claims, "rcd");
	struct refs r;

	if (rcd == NULL || json_object_get(claims, "rcdi") != NULL)
		return RC_OK;
	TRY(refs_of(rcd, &r, f));
	if (r.n == 0)
		return RC_OK;
	return REFUSE(f, RC_INVALID, MISSING_CLAIM, "rcdi",
	    "%s of rcd refers to content elsewhere: send its digest", r.list[0].pointer);
}

/* ---- content elsewhere (D-41) ------------------------------------------------------- */

/* The first from at on; n: none. */
static size_t
next_known(const struct rcd_known *known, size_t n, const char *uri, size_t at)
{
	while (at < n && strcmp(known[at].uri, uri) != 0)
		at++;
	return at;
}

static bool
has_digest(const struct rcd_known *k, const struct rcd_digest *want)
{
	for (size_t i = 0; i < k->digests; i++) {
		if (same_digest(&k->digest[i], want))
			return true;
	}
	return false;
}

static bool
is_known(
    const struct rcd_known *known, size_t n, const char *uri, const struct rcd_digest *want)
{
	for (size_t i = next_known(known, n, uri, 0); i < n;
	     i = next_known(known, n, uri, i + 1)) {
		if (has_digest(&known[i], want))
			return true;
	}
	return false;
}

/* The card at uri with this digest; NULL where it is not known. */
static const json_t *
card_at(const struct rcd_known *known, size_t n, const char *uri, const struct rcd_digest *want)
{
	for (size_t i = next_known(known, n, uri, 0); i < n;
	     i = next_known(known, n, uri, i + 1)) {
		if (known[i].card != NULL && has_digest(&known[i], want))
			return known[i].card;
	}
	return NULL;
}

static enum rc
check_ref(const struct uri_ref *ref, const json_t *rcdi, const struct rcd_contents *k,
    struct fault *f)
{
	bool nothing = next_known(k->known, k->n, ref->uri, 0) == k->n;
	struct rcd_digest want;

	TRY(rcd_digest_parse(jtext_span(json_object_get(rcdi, ref->pointer)), &want, f));
	if (is_known(k->known, k->n, ref->uri, &want) || (nothing && k->trust))
		return RC_OK;
	return REFUSE(f, RC_DENIED, RCD_CONTENT_UNKNOWN, "rcdi", "%.60s: %s", ref->pointer,
	    nothing
		? "nothing is known of this content: refer to what rcd_content of the "
		  "credential names"
		: "the digest is not one that is known of this content: send that of what is "
		  "there now");
}

static enum rc
check_refs(
    const struct refs *r, const json_t *rcdi, const struct rcd_contents *k, struct fault *f)
{
	for (size_t i = 0; i < r->n; i++)
		TRY(check_ref(&r->list[i], rcdi, k, f));
	return RC_OK;
}

static bool
has_below_jcl(json_t *rcdi)
{
	for (void *i = json_object_iter(rcdi); i != NULL; i = json_object_iter_next(rcdi, i)) {
		if (is_below_jcl(json_object_iter_key(i)))
			return true;
	}
	return false;
}

/* What is inside the card of jcl, as if it were part of rcd (RFC 9795 section 6.1.4). */
static enum rc
check_below_jcl(const json_t *card, const struct refs *r, json_t *rcdi, struct fault *f)
{
	for (void *i = json_object_iter(rcdi); i != NULL; i = json_object_iter_next(rcdi, i)) {
		const char *pointer = json_object_iter_key(i);
		struct rcd_digest want;

		if (!is_below_jcl(pointer) || ref_at(r, pointer) != NULL)
			continue;
		TRY(rcd_digest_parse(jtext_span(json_object_iter_value(i)), &want, f));
		TRY(check_inline(card, pointer + strlen("/jcl"), pointer, &want, f));
	}
	return RC_OK;
}

static enum rc
check_jcl(const char *uri, json_t *rcdi, const struct rcd_contents *k, struct fault *f)
{
	struct refs r = { .n = 0 };
	struct rcd_digest whole;
	const json_t *card;

	TRY(rcd_digest_parse(jtext_span(json_object_get(rcdi, "/jcl")), &whole, f));
	card = card_at(k->known, k->n, uri, &whole);
	if (card == NULL && (k->trust || !has_below_jcl(rcdi)))
		return RC_OK;
	if (card == NULL)
		return REFUSE(f, RC_DENIED, RCD_CONTENT_UNKNOWN, "rcdi",
		    "the jCard that pointers below /jcl point into is not known");
	TRY(jcard_refs(card, "/jcl", r.list, &r.n, "rcd", f));
	TRY(check_complete(&r, rcdi, f));
	TRY(check_refs(&r, rcdi, k, f));
	return check_below_jcl(card, &r, rcdi, f);
}

enum rc
rcd_check_content(const json_t *claims, const struct rcd_contents *contents, struct fault *f)
{
	const json_t *rcd = json_object_get(claims, "rcd");
	json_t *rcdi = json_object_get(claims, "rcdi");
	const json_t *jcl = json_object_get(rcd, "jcl");
	struct refs r;

	if (rcd == NULL || rcdi == NULL)
		return RC_OK;
	TRY(refs_of(rcd, &r, f));
	TRY(check_refs(&r, rcdi, contents, f));
	return jcl == NULL ? RC_OK : check_jcl(json_string_value(jcl), rcdi, contents, f);
}

/* ---- making rcdi -------------------------------------------------------------------- */

static enum rc
put_entry(json_t *rcdi, const char *pointer, const struct rcd_digest *d, struct fault *f)
{
	char text[RCD_DIGEST_TEXT];

	rcd_digest_text(d, text);
	if (json_object_set_new(rcdi, pointer, json_string(text)) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "rcdi");
	return RC_OK;
}

static const struct rcd_digest *
digest_at(const struct rcd_known *known, size_t n, const char *uri, enum rcd_hash hash)
{
	for (size_t i = next_known(known, n, uri, 0); i < n;
	     i = next_known(known, n, uri, i + 1)) {
		for (size_t k = 0; k < known[i].digests; k++) {
			if (known[i].digest[k].hash == hash)
				return &known[i].digest[k];
		}
	}
	return NULL;
}

static enum rc
put_ref(json_t *rcdi, const struct uri_ref *ref, enum rcd_hash hash,
    const struct rcd_known *known, size_t n, struct fault *f)
{
	const struct rcd_digest *d = digest_at(known, n, ref->uri, hash);

	if (d != NULL)
		return put_entry(rcdi, ref->pointer, d, f);
	return REFUSE(f, RC_NOT_FOUND, RCD_CONTENT_UNKNOWN, "rcdi",
	    "%s: the content of %.120s is needed", ref->pointer, ref->uri);
}

static enum rc
put_refs(json_t *rcdi, const struct refs *r, enum rcd_hash hash, const struct rcd_known *known,
    size_t n, struct fault *f)
{
	for (size_t i = 0; i < r->n; i++)
		TRY(put_ref(rcdi, &r->list[i], hash, known, n, f));
	return RC_OK;
}

/* The members of rcd that hold their content themselves. */
static enum rc
put_inline(json_t *rcdi, const json_t *rcd, enum rcd_hash hash, struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const json_t *value = json_object_get(rcd, members[i]);
		AUTO_BUF text = BUF_INIT(JTEXT_MAX_BYTES);
		AUTO_BUF pointer = BUF_INIT(16);
		struct rcd_digest d;

		buf_printf(&pointer, "/%s", members[i]);
		if (value == NULL || json_object_get(rcdi, buf_text(&pointer)) != NULL)
			continue;
		TRY(jtext_write(&text, value, f));
		TRY(rcd_digest_of(hash, buf_view(&text), &d, f));
		TRY(put_entry(rcdi, buf_text(&pointer), &d, f));
	}
	return RC_OK;
}

static enum rc
put_jcl(json_t *rcdi, const char *uri, enum rcd_hash hash, const struct rcd_known *known,
    size_t n, struct fault *f)
{
	const struct rcd_digest *whole = digest_at(known, n, uri, hash);
	const json_t *card = whole != NULL ? card_at(known, n, uri, whole) : NULL;
	struct refs r = { .n = 0 };

	if (card == NULL)
		return RC_OK;
	TRY(jcard_refs(card, "/jcl", r.list, &r.n, "rcd", f));
	return put_refs(rcdi, &r, hash, known, n, f);
}

enum rc
rcd_make_rcdi(const json_t *rcd, enum rcd_hash hash, const struct rcd_known *known, size_t n,
    json_t **out, struct fault *f)
{
	json_auto_t *rcdi = json_object();
	const json_t *jcl = json_object_get(rcd, "jcl");
	struct refs r;

	if (rcdi == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "rcdi");
	TRY(refs_of(rcd, &r, f));
	TRY(put_refs(rcdi, &r, hash, known, n, f));
	if (jcl != NULL)
		TRY(put_jcl(rcdi, json_string_value(jcl), hash, known, n, f));
	TRY(put_inline(rcdi, rcd, hash, f));
	*out = TAKE(rcdi);
	return RC_OK;
}
