#include "stir/compact.h"

#include "stir/identity.h"

bool
compact_is(struct span text)
{
	return text.len > 2 && text.ptr[0] == '.' && text.ptr[1] == '.';
}

static enum rc
bad(struct fault *f, const char *what)
{
	return FAULT(f, RC_INVALID, "compact_form", "%s", what);
}

static enum rc
claims_of(const struct compact *with, json_t **out, struct fault *f)
{
	json_t *list = json_array();
	json_auto_t *claims =
	    json_pack("{s:{s:s}, s:{s:o}}", "orig", "tn", with->orig, "dest", "tn", list);

	for (size_t i = 0; i < with->dests; i++) {
		if (json_array_append_new(list, json_string(with->dest[i])) != 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "dest");
	}
	if (claims == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "claims");
	*out = TAKE(claims);
	return RC_OK;
}

/* base64url(header) "." base64url(claims), as their signer made them (RFC 8225 section 9). */
static enum rc
put_signed(struct buf *out, const char *x5u, const struct compact *with, struct fault *f)
{
	const struct passport_policy policy = { .now_s = with->iat_s };
	__attribute__((cleanup(passport_done))) struct passport p = { 0 };
	AUTO_BUF header = BUF_INIT(PASSPORT_MAX_BYTES);
	json_auto_t *claims = NULL;

	TRY(claims_of(with, &claims, f));
	TRY(passport_prepare(claims, PPT_BASE, &policy, &p, f));
	TRY(passport_header(&header, PPT_BASE, x5u, NULL, 0, f));
	return passport_signing_input(out, buf_view(&header), p.claims, f);
}

enum rc
compact_expand(struct buf *out, struct span text, const struct compact *with, struct fault *f)
{
	AUTO_BUF whole = BUF_INIT(PASSPORT_MAX_BYTES), x5u = BUF_INIT(PASSPORT_MAX_URI);
	struct identity id = { 0 };
	bool alone = text.len == 0 || memchr(text.ptr, ';', text.len) == NULL;

	buf_span(&whole, text);
	if (alone && with->info == NULL)
		return bad(f, "info is in the Identity value, or to be said");
	if (alone)
		TRY(identity_tail(&whole, with->info, NULL, f));
	TRY(buf_check(&whole, f));
	TRY(identity_parse(buf_view(&whole), &id, f));
	if (!id.compact)
		return bad(f, "it is in full already");
	if (id.ppt.len > 0)
		return bad(f, "a PASSporT with a ppt has claims that cannot be rebuilt");
	buf_span(&x5u, id.info);
	TRY(buf_check(&x5u, f));
	TRY(put_signed(out, buf_text(&x5u), with, f));
	/* From one of the two dots on: "." signature, and the parameters as they are. */
	buf_span(out, span_of(id.passport.ptr + 1,
			  (size_t)(whole.ptr + whole.len - id.passport.ptr) - 1));
	return buf_check(out, f);
}
