#include "agent/front/weburl.h"

#include <string.h>
#include <strings.h>

#include "stir/span.h"

enum { HTTPS_PORT = 443, PORT_MAX = 65535 };

struct origin {
	struct span host;
	unsigned port;
};

static enum rc
bad_url(struct fault *f, const char *why)
{
	return REFUSE(f, RC_INVALID, INVALID_MEMBER, "url", "%s", why);
}

/* ":8443", or nothing for the scheme's own. */
static enum rc
take_port(struct span text, unsigned *port, struct fault *f)
{
	unsigned value = 0;

	if (text.len == 0)
		return RC_OK;
	if (text.ptr[0] != ':' || text.len < 2 || text.len > 6 || text.ptr[1] == '0')
		return bad_url(f, "not a port");
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return bad_url(f, "not a port");
		value = value * 10 + (unsigned)(text.ptr[i] - '0');
	}
	if (value > PORT_MAX)
		return bad_url(f, "not a port");
	*port = value;
	return RC_OK;
}

/* RFC 3986 section 3.2: host and port of an authority without user information. */
static enum rc
take_authority(struct span text, struct origin *out, struct fault *f)
{
	struct origin o = { .port = HTTPS_PORT };
	size_t len = 0;

	if (text.len > 0 && text.ptr[0] == '[') {
		while (len < text.len && text.ptr[len] != ']')
			len++;
		if (len == text.len)
			return bad_url(f, "an open bracket");
		len++;
	} else {
		while (len < text.len && text.ptr[len] != ':')
			len++;
	}
	if (len == 0 || memchr(text.ptr, '@', text.len) != NULL)
		return bad_url(f, "no host, or user information");
	o.host = span_cut(&text, len);
	TRY(take_port(text, &o.port, f));
	*out = o;
	return RC_OK;
}

static enum rc
take_origin(const char *url, struct origin *out, struct fault *f)
{
	static const char scheme[] = "https://";
	size_t len = strnlen(url, WEBURL_MAX + 1);

	if (len > WEBURL_MAX)
		return bad_url(f, "too long");
	for (size_t i = 0; i < len; i++) {
		/* A backslash is a slash to some readers of URLs. */
		if (url[i] <= ' ' || url[i] > '~' || strchr("\\\"<>^`{|}#", url[i]) != NULL)
			return bad_url(f, "a character that no URL here has");
	}
	if (strncasecmp(url, scheme, sizeof scheme - 1) != 0)
		return bad_url(f, "not https");
	url += sizeof scheme - 1;
	return take_authority(span_of(url, strcspn(url, "/?")), out, f);
}

enum rc
weburl_same_origin(const char *base, const char *url, struct fault *f)
{
	struct origin want = { 0 }, have = { 0 };

	TRY(take_origin(base, &want, f));
	TRY(take_origin(url, &have, f));
	if (want.port != have.port || want.host.len != have.host.len ||
	    strncasecmp(
		(const char *)want.host.ptr, (const char *)have.host.ptr, want.host.len) != 0)
		return FAULT(
		    f, RC_DENIED, "url_origin", "not of the origin of the CA's directory");
	return RC_OK;
}
