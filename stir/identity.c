#include "stir/identity.h"

#include "stir/ascii.h"
#include "stir/uri.h"

/* RFC 3261 section 25.1 token. */
static bool
is_token_char(uint8_t c)
{
	return ascii_is_alnum(c) || (c != 0 && strchr("-.!%*_+`'~", c) != NULL);
}

static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_token_char(s.ptr[i]))
			return false;
	}
	return s.len > 0;
}

/* The printed alphabet of RFC 8224 section 4 lacks "-" and "_", which base64url needs. */
static bool
is_digest_char(uint8_t c)
{
	return ascii_is_alnum(c) || (c != 0 && strchr("-_+/.", c) != NULL);
}

static enum rc
syntax(struct fault *f, const char *what)
{
	return FAULT(f, RC_INVALID, "identity_syntax", "%s", what);
}

/* header "." payload "." signature, or ".." signature. */
static enum rc
check_passport(struct span s, bool *compact, struct fault *f)
{
	size_t dot[2] = { 0 }, dots = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_digest_char(s.ptr[i]))
			return syntax(f, "an octet that is in no PASSporT");
		if (s.ptr[i] == '.' && dots++ < ARRAY_LEN(dot))
			dot[dots - 1] = i;
	}
	if (dots != 2 || dot[1] + 1 == s.len)
		return syntax(f, "a PASSporT has three parts");
	*compact = dot[0] == 0 && dot[1] == 1;
	if (!*compact && (dot[0] == 0 || dot[1] == dot[0] + 1))
		return syntax(f, "a PASSporT without a header or payload");
	return RC_OK;
}

enum rc
identity_tail(struct buf *out, const char *info, const char *ppt, struct fault *f)
{
	if (!uri_is_absolute(span_str(info)))
		return syntax(f, "info is no absolute URI");
	if (ppt != NULL && !is_token(span_str(ppt)))
		return syntax(f, "ppt is no token");
	buf_str(out, ";info=<");
	buf_str(out, info);
	buf_str(out, ">;alg=ES256"); /* D-19 */
	if (ppt != NULL) {
		buf_str(out, ";ppt="); /* unquoted, as the ABNF has it (D-18) */
		buf_str(out, ppt);
	}
	return buf_check(out, f);
}

enum rc
identity_format(
    struct buf *out, struct span passport, const char *info, const char *ppt, struct fault *f)
{
	AUTO_BUF tail = BUF_INIT(out->max);
	bool compact = false;

	TRY(check_passport(passport, &compact, f));
	TRY(identity_tail(&tail, info, ppt, f));
	buf_span(out, passport);
	buf_span(out, buf_view(&tail));
	return buf_check(out, f);
}

/* SWS: blanks, and a line break that a blank follows. */
static void
skip_sws(struct span *in)
{
	while (in->len > 0) {
		const uint8_t *p = in->ptr;
		bool fold = in->len >= 3 && p[0] == '\r' && p[1] == '\n' &&
			    (p[2] == ' ' || p[2] == '\t');

		if (!fold && p[0] != ' ' && p[0] != '\t')
			return;
		span_cut(in, fold ? 3 : 1);
	}
}

static struct span
cut_while(struct span *in, bool (*is)(uint8_t c))
{
	size_t n = 0;

	while (n < in->len && is(in->ptr[n]))
		n++;
	return span_cut(in, n);
}

static bool
cut_char(struct span *in, char c)
{
	if (in->len == 0 || in->ptr[0] != (uint8_t)c)
		return false;
	span_cut(in, 1);
	return true;
}

/* A quoted-string; *out is what stands between the quotes, escapes as they are. */
static enum rc
cut_quoted(struct span *in, struct span *out, struct fault *f)
{
	size_t n = 1;

	while (n < in->len && in->ptr[n] != '"')
		n += in->ptr[n] == '\\' ? 2 : 1;
	if (n >= in->len)
		return syntax(f, "a quoted string without its end");
	*out = span_of(in->ptr + 1, n - 1);
	span_cut(in, n + 1);
	return RC_OK;
}

static enum rc
cut_angle(struct span *in, struct span *out, struct fault *f)
{
	const uint8_t *end = in->len == 0 ? NULL : memchr(in->ptr, '>', in->len);

	if (!cut_char(in, '<') || end == NULL)
		return syntax(f, "info is a URI in angle brackets");
	*out = span_cut(in, (size_t)(end - in->ptr));
	span_cut(in, 1);
	return uri_is_absolute(*out) ? RC_OK : syntax(f, "info is no absolute URI");
}

static bool
is_host_char(uint8_t c)
{
	return is_token_char(c) || c == '[' || c == ']' || c == ':';
}

/* A parameter's value: a quoted string where that may be, else a token (or host). */
static enum rc
cut_value(struct span *in, bool quoted, bool host, struct span *out, struct fault *f)
{
	if (quoted && in->len > 0 && in->ptr[0] == '"')
		return cut_quoted(in, out, f);
	*out = cut_while(in, host ? is_host_char : is_token_char);
	return out->len > 0 ? RC_OK : syntax(f, "a parameter without its value");
}

static enum rc
once(const struct span *seen, const char *name, struct fault *f)
{
	if (seen->ptr != NULL)
		return FAULT(f, RC_INVALID, "identity_duplicate", "%s twice", name);
	return RC_OK;
}

/* generic-param: what we do not know is skipped, but it must be well formed. */
static enum rc
read_other(struct span *in, struct fault *f)
{
	struct span value = { 0 };

	skip_sws(in);
	if (!cut_char(in, '='))
		return RC_OK;
	skip_sws(in);
	return cut_value(in, true, true, &value, f);
}

static enum rc
expect_equal(struct span *in, struct fault *f)
{
	skip_sws(in);
	if (!cut_char(in, '='))
		return syntax(f, "a parameter without its value");
	skip_sws(in);
	return RC_OK;
}

static enum rc
read_param(struct span *in, struct identity *id, struct fault *f)
{
	struct span name = cut_while(in, is_token_char);

	if (name.len == 0)
		return syntax(f, "a parameter without a name");
	if (span_is_fold(name, "info")) {
		TRY(once(&id->info, "info", f));
		TRY(expect_equal(in, f));
		return cut_angle(in, &id->info, f);
	}
	if (span_is_fold(name, "alg")) {
		TRY(once(&id->alg, "alg", f));
		TRY(expect_equal(in, f));
		return cut_value(in, false, false, &id->alg, f);
	}
	if (span_is_fold(name, "ppt")) {
		TRY(once(&id->ppt, "ppt", f));
		TRY(expect_equal(in, f));
		TRY(cut_value(in, true, false, &id->ppt, f));
		return is_token(id->ppt) ? RC_OK : syntax(f, "ppt is no token");
	}
	return read_other(in, f);
}

enum rc
identity_parse(struct span text, struct identity *out, struct fault *f)
{
	struct identity id = { 0 };

	skip_sws(&text);
	id.passport = cut_while(&text, is_digest_char);
	TRY(check_passport(id.passport, &id.compact, f));
	for (skip_sws(&text); text.len > 0; skip_sws(&text)) {
		if (!cut_char(&text, ';'))
			return syntax(f, "parameters begin with a semicolon");
		skip_sws(&text);
		TRY(read_param(&text, &id, f));
	}
	if (id.info.ptr == NULL)
		return syntax(f, "no info");
	*out = id;
	return RC_OK;
}
