#include "agent/front/http1.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define MALFORMED(f, ...) REFUSE(f, RC_INVALID, MALFORMED_HTTP, NULL, __VA_ARGS__)

/* What one header may hold until all of its lines were seen. */
struct head {
	struct http1_request *r;
	bool hosts, transfer_encoding;
	size_t length;
	size_t fields;
};

/* RFC 9110 section 5.6.2 */
static bool
is_tchar(uint8_t c)
{
	return isalnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_tchar(s.ptr[i]))
			return false;
	}
	return s.len > 0;
}

/* Cut the text before the first c off *s, and c; all of it where there is no c. */
static struct span
cut_until(struct span *s, uint8_t c)
{
	const uint8_t *end = s->len > 0 ? memchr(s->ptr, c, s->len) : NULL;
	struct span head;

	if (end == NULL)
		return span_cut(s, s->len);
	head = span_cut(s, (size_t)(end - s->ptr));
	span_cut(s, 1);
	return head;
}

/* RFC 9110 section 5.5: no control bytes in a line; RFC 9112 section 2.2: no bare CR. */
static enum rc
check_bytes(struct span line, struct fault *f)
{
	for (size_t i = 0; i < line.len; i++) {
		if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
			return MALFORMED(f, "control byte 0x%02x in the header", line.ptr[i]);
	}
	return RC_OK;
}

/*
 * The next line of at most max bytes.  *found is false while its end is not
 * there; what is there is checked all the same, so that rubbish is refused
 * when it comes and not when the buffer is full.
 */
static enum rc
next_line(struct span *in, size_t max, struct span *line, bool *found, struct fault *f)
{
	const uint8_t *lf = in->len > 0 ? memchr(in->ptr, '\n', in->len) : NULL;
	struct span text = { in->ptr, lf != NULL ? (size_t)(lf - in->ptr) : in->len };

	*found = lf != NULL;
	if (text.len > 0 && text.ptr[text.len - 1] == '\r')
		text.len--;
	else if (lf != NULL)
		return MALFORMED(f, "a line ends without CR");
	if (text.len > max)
		return REFUSE(
		    f, RC_INVALID, TOO_LARGE, NULL, "a header of more than %zu bytes", max);
	TRY(check_bytes(text, f));
	if (lf != NULL)
		span_cut(in, (size_t)(lf - in->ptr) + 1);
	*line = text;
	return RC_OK;
}

static enum rc
read_target(struct span target, struct http1_request *r, struct fault *f)
{
	/* Only the origin form of RFC 9112 section 3.2.1 makes sense on this socket. */
	if (target.len == 0 || target.ptr[0] != '/')
		return MALFORMED(f, "the request target must begin with '/'");
	for (size_t i = 0; i < target.len; i++) {
		if (target.ptr[i] <= 0x20 || target.ptr[i] >= 0x7f || target.ptr[i] == '#')
			return MALFORMED(f, "byte 0x%02x in the request target", target.ptr[i]);
	}
	r->path = cut_until(&target, '?');
	r->query = target;
	return RC_OK;
}

static enum rc
read_request_line(struct span line, struct http1_request *r, struct fault *f)
{
	struct span target;

	r->method_text = cut_until(&line, ' ');
	target = cut_until(&line, ' ');
	if (!is_token(r->method_text))
		return MALFORMED(f, "no method");
	if (!span_is(line, "HTTP/1.1"))
		return MALFORMED(f, "the request line must end in HTTP/1.1");
	r->method = span_is(r->method_text, "GET")    ? HTTP1_GET
		    : span_is(r->method_text, "POST") ? HTTP1_POST
						      : HTTP1_OTHER;
	return read_target(target, r, f);
}

/* RFC 9110 section 8.6: digits and nothing else. */
static enum rc
read_length(struct head *h, struct span value, struct fault *f)
{
	size_t length = 0;

	if (h->r->has_length)
		return MALFORMED(f, "two Content-Length fields");
	if (value.len == 0)
		return MALFORMED(f, "an empty Content-Length");
	for (size_t i = 0; i < value.len; i++) {
		if (!isdigit(value.ptr[i]))
			return MALFORMED(f, "Content-Length is not a number");
		if (length <= HTTP1_BODY_MAX)
			length = length * 10 + (size_t)(value.ptr[i] - '0');
	}
	h->r->has_length = true;
	h->length = length;
	return RC_OK;
}

static enum rc
read_once(struct span *slot, struct span value, const char *name, struct fault *f)
{
	if (slot->ptr != NULL)
		return MALFORMED(f, "two %s fields", name);
	*slot = value;
	return RC_OK;
}

static enum rc
read_host(struct head *h, struct span value, struct fault *f)
{
	if (h->hosts)
		return MALFORMED(f, "two Host fields");
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.ptr[i];

		if (!isalnum(c) && strchr("-._~%!$&'()*+,;=:[]", c) == NULL)
			return MALFORMED(f, "byte 0x%02x in Host", c);
	}
	h->hosts = true;
	h->r->host = value;
	return RC_OK;
}

static enum rc
read_connection(struct head *h, struct span value, struct fault *f)
{
	(void)f;
	while (value.len > 0) {
		struct span option = span_trim(cut_until(&value, ','));

		if (span_is_fold(option, "close"))
			h->r->close = true;
	}
	return RC_OK;
}

static enum rc
read_expect(struct head *h, struct span value, struct fault *f)
{
	if (h->r->expect || !span_is_fold(value, "100-continue"))
		return MALFORMED(f, "an expectation other than 100-continue");
	h->r->expect = true;
	return RC_OK;
}

static enum rc
read_coding(struct head *h, struct span value, struct fault *f)
{
	(void)value;
	(void)f;
	h->transfer_encoding = true;
	return RC_OK;
}

static enum rc
read_content_type(struct head *h, struct span value, struct fault *f)
{
	return read_once(&h->r->content_type, value, "Content-Type", f);
}

static enum rc
read_accept(struct head *h, struct span value, struct fault *f)
{
	return read_once(&h->r->accept, value, "Accept", f);
}

static enum rc
read_request_id(struct head *h, struct span value, struct fault *f)
{
	return read_once(&h->r->request_id, value, "X-RequestID", f);
}

static const struct {
	const char *name;
	enum rc (*read)(struct head *h, struct span value, struct fault *f);
} fields[] = {
	{ "Content-Length", read_length },
	{ "Content-Type", read_content_type },
	{ "Host", read_host },
	{ "Accept", read_accept },
	{ "Connection", read_connection },
	{ "Expect", read_expect },
	{ "Transfer-Encoding", read_coding },
	{ "X-RequestID", read_request_id },
};

static enum rc
read_field(struct head *h, struct span line, struct fault *f)
{
	struct span name;

	if (++h->fields > HTTP1_FIELDS_MAX)
		return REFUSE(f, RC_INVALID, TOO_LARGE, NULL, "more than %d header fields",
		    HTTP1_FIELDS_MAX);
	if (memchr(line.ptr, ':', line.len) == NULL)
		return MALFORMED(f, "a header line without a colon");
	/* A folded line begins with white space, and white space before the colon is none of
	 * tchar: RFC 9112 sections 5.1 and 5.2. */
	name = cut_until(&line, ':');
	if (!is_token(name))
		return MALFORMED(f, "a field name with other characters than a token's");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (span_is_fold(name, fields[i].name))
			return fields[i].read(h, span_trim(line), f);
	}
	return RC_OK;
}

/* What the header as a whole must fulfil. */
static enum rc
judge(const struct head *h, struct fault *f)
{
	/* RFC 9112 section 6.1: the combination is how requests are smuggled. */
	if (h->transfer_encoding && h->r->has_length)
		return MALFORMED(f, "Content-Length beside Transfer-Encoding");
	if (h->transfer_encoding)
		return REFUSE(f, RC_INVALID, LENGTH_REQUIRED, NULL,
		    "Transfer-Encoding is not taken: send Content-Length");
	if (!h->hosts)
		return MALFORMED(f, "no Host field"); /* RFC 9112 section 3.2 */
	if (h->r->method == HTTP1_POST && !h->r->has_length)
		return REFUSE(
		    f, RC_INVALID, LENGTH_REQUIRED, NULL, "POST without Content-Length");
	if (h->length > HTTP1_BODY_MAX)
		return REFUSE(f, RC_INVALID, TOO_LARGE, NULL, "a body of more than %d bytes",
		    HTTP1_BODY_MAX);
	return RC_OK;
}

/* All header lines and the empty one; *done is false while they are not all there. */
static enum rc
read_fields(struct head *h, struct span *in, bool *done, struct fault *f)
{
	size_t used = 0;

	for (;;) {
		struct span line = { 0 };
		bool found = false;

		TRY(next_line(in, HTTP1_HEAD_MAX - used, &line, &found, f));
		*done = found && line.len == 0;
		if (!found || line.len == 0)
			return RC_OK;
		used += line.len + 2;
		if (used > HTTP1_HEAD_MAX)
			return REFUSE(f, RC_INVALID, TOO_LARGE, NULL,
			    "a header of more than %d bytes", HTTP1_HEAD_MAX);
		TRY(read_field(h, line, f));
	}
}

enum rc
http1_read(struct span in, struct http1_request *out, enum http1_state *state, struct fault *f)
{
	struct http1_request r = { 0 };
	struct head h = { .r = &r };
	struct span rest = in, line = { 0 };
	bool done = false;

	*state = HTTP1_NEED_HEAD;
	TRY(next_line(&rest, HTTP1_LINE_MAX, &line, &done, f));
	if (!done)
		return RC_OK;
	TRY(read_request_line(line, &r, f));
	*out = r; /* a refusal of the header is answered in the route's own form */
	TRY(read_fields(&h, &rest, &done, f));
	if (!done)
		return RC_OK;
	TRY(judge(&h, f));
	r.head_len = in.len - rest.len;
	r.total = r.head_len + h.length;
	if (rest.len >= h.length) {
		r.body = span_of(rest.ptr, h.length);
		*state = HTTP1_COMPLETE;
	} else {
		*state = HTTP1_NEED_BODY;
	}
	*out = r;
	return RC_OK;
}

const char *
http1_phrase(int status)
{
	switch (status) {
	case 200: return "OK";
	case 202: return "Accepted";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 409: return "Conflict";
	case 411: return "Length Required";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 429: return "Too Many Requests";
	case 503: return "Service Unavailable";
	default: return "Internal Server Error";
	}
}

static void
put_field(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_str(out, name);
	buf_str(out, value);
	buf_str(out, "\r\n");
}

void
http1_head(struct buf *out, const struct http1_answer *a)
{
	buf_str(out, "HTTP/1.1 ");
	buf_uint(out, (unsigned)a->status);
	put_field(out, " ", http1_phrase(a->status));
	put_field(out, "Content-Type: ", a->content_type);
	buf_str(out, "Content-Length: ");
	buf_uint(out, a->body.len);
	buf_str(out, "\r\nCache-Control: no-store\r\n");
	put_field(out, "X-RequestID: ", a->request_id);
	put_field(out, "Allow: ", a->allow);
	if (a->retry_after_s != 0)
		buf_printf(out, "Retry-After: %u\r\n", a->retry_after_s);
	buf_str(out, a->close ? "Connection: close\r\n\r\n" : "\r\n");
}

void
http1_write(struct buf *out, const struct http1_answer *a)
{
	http1_head(out, a);
	buf_span(out, a->body);
}

/* "q=0" and its longer spellings among the parameters of one Accept element. */
static bool
is_forbidden(struct span params)
{
	while (params.len > 0) {
		struct span p = span_trim(cut_until(&params, ';'));
		bool zero = true;

		if (p.len < 3 || (p.ptr[0] != 'q' && p.ptr[0] != 'Q') || p.ptr[1] != '=')
			continue;
		for (size_t i = 2; i < p.len; i++)
			zero = zero && (p.ptr[i] == '0' || p.ptr[i] == '.');
		if (zero)
			return true;
	}
	return false;
}

/* Everything, everything of the major type, or the type itself. */
static bool
range_has(struct span range, const char *type)
{
	size_t major = (size_t)(strchr(type, '/') - type) + 1;

	if (span_is_fold(range, "*/*") || span_is_fold(range, type))
		return true;
	return range.len == major + 1 && range.ptr[major] == '*' &&
	       strncasecmp((const char *)range.ptr, type, major) == 0;
}

bool
http1_accepts(struct span accept, const char *type)
{
	if (span_trim(accept).len == 0)
		return true;
	while (accept.len > 0) {
		struct span params = cut_until(&accept, ',');
		struct span range = span_trim(cut_until(&params, ';'));

		if (range_has(range, type) && !is_forbidden(params))
			return true;
	}
	return false;
}

/* RFC 9110 section 5.6.6: a value may be quoted. */
static struct span
unquote(struct span s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return span_of(s.ptr + 1, s.len - 2);
	return s;
}

static bool
is_utf8_only(struct span params)
{
	bool seen = false;

	while (params.len > 0) {
		struct span value = cut_until(&params, ';');
		struct span name = cut_until(&value, '=');

		if (!span_is_fold(span_trim(name), "charset"))
			continue;
		if (seen || !span_is_fold(unquote(span_trim(value)), "utf-8"))
			return false;
		seen = true;
	}
	return true;
}

bool
http1_is_type(struct span content_type, const char *type)
{
	struct span params = content_type;

	return span_is_fold(span_trim(cut_until(&params, ';')), type) && is_utf8_only(params);
}
