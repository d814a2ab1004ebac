#include "agent/front/weburl.h"

#include "stir/uri.h"

static enum rc
check(const char *url, struct fault *f)
{
	struct uri_https ignored = { 0 };

	if (strnlen(url, WEBURL_MAX + 1) > WEBURL_MAX)
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "url", "too long");
	if (!uri_read_https(span_str(url), &ignored))
		return REFUSE(f, RC_INVALID, INVALID_MEMBER, "url",
		    "no https URL without user information and fragment");
	return RC_OK;
}

enum rc
weburl_same_origin(const char *base, const char *url, struct fault *f)
{
	TRY(check(base, f));
	TRY(check(url, f));
	if (!uri_same_origin(span_str(base), span_str(url)))
		return FAULT(
		    f, RC_DENIED, "url_origin", "not of the origin of the CA's directory");
	return RC_OK;
}
