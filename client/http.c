#include "client/http.h"

#include <strings.h>

void
http_request(struct buf *out, const char *method, const char *target, struct span body)
{
	buf_str(out, method);
	buf_byte(out, ' ');
	buf_str(out, target);
	buf_str(out, " HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n");
	if (body.len > 0)
		buf_printf(
		    out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
	else if (strcmp(method, "GET") != 0) /* RFC 9110 section 8.6 */
		buf_str(out, "Content-Length: 0\r\n");
	buf_str(out, "\r\n");
	buf_span(out, body);
}

static enum rc
bad(struct fault *f, const char *what)
{
	return FAULT(f, RC_NET, "http", "%s", what);
}

/* One line without its CRLF; in points behind it. */
static enum rc
cut_line(struct span *in, struct span *line, struct fault *f)
{
	const uint8_t *end = memchr(in->ptr, '\n', in->len);
	size_t n;

	if (end == NULL || end == in->ptr || end[-1] != '\r')
		return bad(f, "a line without CRLF");
	n = (size_t)(end - in->ptr) - 1;
	*line = span_cut(in, n);
	span_cut(in, 2);
	for (size_t i = 0; i < n; i++) {
		if (line->ptr[i] == 0 || line->ptr[i] == '\r')
			return bad(f, "a NUL or CR inside a line");
	}
	return RC_OK;
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static enum rc
parse_status(struct span line, int *status, struct fault *f)
{
	static const char prefix[] = "HTTP/1.1 ";
	const size_t n = sizeof prefix - 1;
	const uint8_t *p = line.ptr + n;

	if (line.len < n + 3 || memcmp(line.ptr, prefix, n) != 0)
		return bad(f, "no HTTP/1.1 status line");
	if (!is_digit(p[0]) || !is_digit(p[1]) || !is_digit(p[2]) ||
	    (line.len > n + 3 && p[3] != ' '))
		return bad(f, "no status code");
	*status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	if (*status < 200 || *status > 599)
		return bad(f, "a status code that ends no request");
	return RC_OK;
}

static enum rc
parse_length(struct span value, size_t *out, struct fault *f)
{
	size_t n = 0;

	if (value.len == 0 || value.len > 9)
		return bad(f, "Content-Length");
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.ptr[i]))
			return bad(f, "Content-Length");
		n = n * 10 + (size_t)(value.ptr[i] - '0');
	}
	if (n > HTTP_BODY_MAX)
		return bad(f, "an answer that is too large");
	*out = n;
	return RC_OK;
}

struct fields {
	bool has_length, close;
	size_t length, retry_after_s;
};

static enum rc
parse_field(struct span line, struct fields *h, struct fault *f)
{
	const uint8_t *colon = memchr(line.ptr, ':', line.len);
	struct span name, value;

	if (colon == NULL || colon == line.ptr || line.ptr[0] == ' ' || line.ptr[0] == '\t')
		return bad(f, "a header field");
	name = span_of(line.ptr, (size_t)(colon - line.ptr));
	value = span_trim(span_of(colon + 1, line.len - name.len - 1));
	if (span_is_fold(name, "Transfer-Encoding"))
		return bad(f, "a Transfer-Encoding");
	if (span_is_fold(name, "Connection"))
		h->close = h->close || span_is_fold(value, "close");
	/* The HTTP-date form is not one that the agent uses. */
	if (span_is_fold(name, "Retry-After") && value.len > 0 && is_digit(value.ptr[0]))
		return parse_length(value, &h->retry_after_s, f);
	if (!span_is_fold(name, "Content-Length"))
		return RC_OK;
	if (h->has_length)
		return bad(f, "two Content-Lengths");
	h->has_length = true;
	return parse_length(value, &h->length, f);
}

static enum rc
parse_header(struct span header, int *status, struct fields *h, struct fault *f)
{
	struct span line = { 0 };
	size_t n = 0;

	TRY(cut_line(&header, &line, f));
	TRY(parse_status(line, status, f));
	while (header.len > 0) {
		if (n++ == HTTP_FIELDS_MAX)
			return bad(f, "too many header fields");
		TRY(cut_line(&header, &line, f));
		TRY(parse_field(line, h, f));
	}
	/* RFC 9112 section 6.3: without a length the body would last until the end. */
	if (!h->has_length && *status != 204 && *status != 304)
		return bad(f, "no Content-Length");
	return RC_OK;
}

enum rc
http_answer(struct span in, struct http_answer *out, bool *complete, struct fault *f)
{
	const uint8_t *end = in.len == 0 ? NULL : memmem(in.ptr, in.len, "\r\n\r\n", 4);
	struct fields h = { 0 };
	size_t header_len;
	int status = 0;

	*complete = false;
	if (end == NULL && in.len <= HTTP_HEADER_MAX)
		return RC_OK;
	if (end == NULL || (size_t)(end - in.ptr) > HTTP_HEADER_MAX)
		return bad(f, "a header that is too large");
	header_len = (size_t)(end - in.ptr) + 4;
	TRY(parse_header(span_of(in.ptr, header_len - 2), &status, &h, f));
	if (in.len - header_len < h.length)
		return RC_OK;
	*out = (struct http_answer){ .status = status,
		.len = header_len + h.length,
		.body = span_of(in.ptr + header_len, h.length),
		.close = h.close,
		.retry_after_s = (int)h.retry_after_s };
	*complete = true;
	return RC_OK;
}
