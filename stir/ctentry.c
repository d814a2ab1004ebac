#include "stir/ctentry.h"

#include "stir/b64.h"
#include "stir/der.h"
#include "stir/jtext.h"
#include "stir/tlsread.h"

enum { ENTRY_X509 = 0, ENTRY_PRECERT = 1 };

/* An entry is an object of two members; logs may come to say more. */
enum { CTENTRY_VALUES = 16 * CTENTRY_PAGE };

static enum rc
wrong_list(struct fault *f, const char *why)
{
	return FAULT(f, RC_INVALID, "ct_entries", "%s", why);
}

/* ---- the answer -------------------------------------------------------------------------- */

void
ctentry_done(struct ctentry_list *l)
{
	buf_free(&l->octets);
}

struct span
ctentry_leaf(const struct ctentry_list *l, size_t i)
{
	return span_of(l->octets.ptr + l->leaf[i].at, l->leaf[i].len);
}

static enum rc
take_leaf(struct ctentry_list *l, const json_t *entry, struct fault *f)
{
	const json_t *text = json_object_get(entry, "leaf_input");
	size_t at = l->octets.len;

	if (!json_is_string(text) ||
	    b64_decode(&l->octets, B64_STD, jtext_span(text), NULL) != RC_OK)
		return wrong_list(f, "an entry without leaf_input in base64");
	TRY(buf_check(&l->octets, f));
	if (l->octets.len == at || l->octets.len - at > MERKLE_LEAF_MAX)
		return wrong_list(f, "a leaf that is empty or too large");
	l->leaf[l->len].at = at;
	l->leaf[l->len].len = l->octets.len - at;
	l->len++;
	return RC_OK;
}

static enum rc
take_leaves(struct ctentry_list *l, const json_t *entries, struct fault *f)
{
	for (size_t i = 0; i < json_array_size(entries); i++)
		TRY(take_leaf(l, json_array_get(entries, i), f));
	return RC_OK;
}

enum rc
ctentry_read(struct span json, size_t max, struct ctentry_list *out, struct fault *f)
{
	struct ctentry_list l = { .octets = BUF_INIT(CTENTRY_JSON_MAX) };
	json_auto_t *root = NULL;
	const json_t *entries;
	enum rc rc;

	TRY(jtext_read_counted(json, CTENTRY_JSON_MAX, CTENTRY_VALUES, &root, f));
	entries = json_object_get(root, "entries");
	if (!json_is_array(entries))
		return wrong_list(f, "no list of entries");
	if (json_array_size(entries) == 0 || json_array_size(entries) > max ||
	    json_array_size(entries) > CTENTRY_PAGE)
		return wrong_list(f, "no entry, or more than were asked for");
	rc = take_leaves(&l, entries, f);
	if (rc != RC_OK) {
		ctentry_done(&l);
		return rc;
	}
	*out = l;
	return RC_OK;
}

/* ---- a leaf ------------------------------------------------------------------------------ */

static enum rc
wrong_leaf(struct fault *f, const char *why)
{
	return FAULT(f, RC_INVALID, "ct_leaf", "%s", why);
}

/* RFC 6962 section 3.4 */
enum rc
ctentry_decode(struct span leaf, struct ctentry *out, struct fault *f)
{
	struct span extensions = { 0 };
	struct ctentry e = { .time_ms = 0 };
	uint64_t version = 0, kind = 0, time_ms = 0, type = 0;

	if (!tls_uint(&leaf, 1, &version) || version != 0)
		return wrong_leaf(f, "not of version 1");
	if (!tls_uint(&leaf, 1, &kind) || kind != 0)
		return wrong_leaf(f, "not a timestamped entry");
	if (!tls_uint(&leaf, 8, &time_ms) || time_ms > INT64_MAX || !tls_uint(&leaf, 2, &type))
		return wrong_leaf(f, "no time, or no type");
	if (type != ENTRY_X509 && type != ENTRY_PRECERT)
		return wrong_leaf(f, "of an unknown type");
	e.precert = type == ENTRY_PRECERT;
	if (e.precert && leaf.len < MERKLE_HASH)
		return wrong_leaf(f, "no hash of the issuer's key");
	if (e.precert)
		(void)span_cut(&leaf, MERKLE_HASH);
	if (!tls_vector(&leaf, 3, &e.body) || e.body.len == 0)
		return wrong_leaf(f, "no certificate");
	if (!tls_vector(&leaf, 2, &extensions) || leaf.len != 0)
		return wrong_leaf(f, "something behind its certificate");
	e.time_ms = (int64_t)time_ms;
	*out = e;
	return RC_OK;
}

/* ecdsa-with-SHA256 (RFC 5758 section 3.2), and a BIT STRING without bits: nobody's. */
static const uint8_t nobody[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
	0x03, 0x02, 0x03, 0x01, 0x00 };

enum rc
ctentry_cert(const struct ctentry *e, bool all_nines, struct cert **out, struct fault *f)
{
	AUTO_BUF inside = BUF_INIT(CERT_MAX_DER), whole = BUF_INIT(CERT_MAX_DER);

	if (!e->precert)
		return cert_decode(e->body, all_nines, out, f);
	buf_span(&inside, e->body);
	buf_put(&inside, nobody, sizeof nobody);
	TRY(buf_check(&inside, f));
	der_put(&whole, DER_SEQUENCE, buf_view(&inside));
	TRY(buf_check(&whole, f));
	return cert_decode(buf_view(&whole), all_nines, out, f);
}

bool
ctentry_names_tnauth(const struct ctentry *e)
{
	/* id-pe-TNAuthList, 1.3.6.1.5.5.7.1.26 (RFC 8226 section 9) */
	static const uint8_t oid[] = { 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01,
		0x1a };

	return memmem(e->body.ptr, e->body.len, oid, sizeof oid) != NULL;
}
