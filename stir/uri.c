#include "stir/uri.h"

#include "stir/ascii.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443, PORT_MAX = 65535, PORT_DIGITS = 5 };

static bool
is_octet(uint8_t c)
{
	if (ascii_is_alnum(c))
		return true;
	return c > 0x20 && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL;
}

bool
uri_is_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_octet(s.ptr[i]))
			return false;
	}
	return true;
}

bool
uri_is_absolute(struct span s)
{
	size_t n = 0;

	if (s.len == 0 || !ascii_is_alpha(s.ptr[0]) || !uri_is_text(s))
		return false;
	while (n < s.len && (ascii_is_alnum(s.ptr[n]) || strchr("+-.", s.ptr[n]) != NULL))
		n++;
	return n + 1 < s.len && s.ptr[n] == ':';
}

bool
uri_has_scheme(struct span s, const char *scheme)
{
	size_t n = strlen(scheme);

	return s.len > n + 1 && strncasecmp((const char *)s.ptr, scheme, n) == 0 &&
	       s.ptr[n] == ':';
}

/* ":8443", or nothing for the scheme's own. */
static bool
read_port(struct span text, unsigned *port)
{
	unsigned value = 0;

	if (text.len == 0)
		return true;
	if (text.ptr[0] != ':' || text.len < 2 || text.len > 1 + PORT_DIGITS ||
	    text.ptr[1] == '0')
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (!ascii_is_digit(text.ptr[i]))
			return false;
		value = value * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*port = value;
	return value <= PORT_MAX;
}

/* RFC 3986 section 3.2: how long the host of an authority is; 0: it has none. */
static size_t
host_len(struct span authority)
{
	size_t n = 0;

	if (authority.len > 0 && authority.ptr[0] == '[') {
		while (n < authority.len && authority.ptr[n] != ']')
			n++;
		return n < authority.len && n > 1 ? n + 1 : 0;
	}
	while (n < authority.len && authority.ptr[n] != ':')
		n++;
	return n;
}

/* u.port is the scheme's own. */
static bool
read_url(struct span s, const char *scheme, struct uri_https u, struct uri_https *out)
{
	size_t n = strlen(scheme);
	struct span authority;

	if (s.len <= n || !uri_is_text(s) || strncasecmp((const char *)s.ptr, scheme, n) != 0 ||
	    memchr(s.ptr, '#', s.len) != NULL)
		return false;
	(void)span_cut(&s, n);
	n = 0;
	while (n < s.len && s.ptr[n] != '/' && s.ptr[n] != '?')
		n++;
	authority = span_cut(&s, n);
	u.rest = s;
	u.host = span_cut(&authority, host_len(authority));
	if (u.host.len == 0 || memchr(u.host.ptr, '@', u.host.len) != NULL ||
	    !read_port(authority, &u.port))
		return false;
	*out = u;
	return true;
}

bool
uri_read_https(struct span s, struct uri_https *out)
{
	return read_url(s, "https://", (struct uri_https){ .port = HTTPS_PORT }, out);
}

bool
uri_read_http(struct span s, struct uri_https *out)
{
	return read_url(s, "http://", (struct uri_https){ .port = HTTP_PORT }, out);
}

bool
uri_same_origin(struct span a, struct span b)
{
	struct uri_https x = { 0 }, y = { 0 };

	return uri_read_https(a, &x) && uri_read_https(b, &y) && x.port == y.port &&
	       x.host.len == y.host.len &&
	       strncasecmp((const char *)x.host.ptr, (const char *)y.host.ptr, x.host.len) == 0;
}

bool
uri_is_dns_name(struct span host)
{
	size_t last = 0;

	if (host.len == 0 || host.len > URI_NAME_MAX || host.ptr[0] == '[')
		return false;
	for (size_t i = 0; i < host.len; i++) {
		if (host.ptr[i] == '.')
			last = i + 1;
	}
	return last > 0 && last < host.len && !ascii_is_digit(host.ptr[last]);
}
