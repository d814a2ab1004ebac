/*
 * URIs as text (RFC 3986): what they may be made of, and as much of an https
 * URL as tells whose server is asked.  Nothing is fetched or normalised here.
 *
 * Pure.
 */
#ifndef STIR_URI_H
#define STIR_URI_H

#include "stir/span.h"

/* Only octets that a URI may have (section 2): no blank, no control, nothing beyond ASCII. */
bool uri_is_text(struct span s);

/* Such a text with a scheme and something behind its colon (section 3.1). */
bool uri_is_absolute(struct span s);

/* Does it have this scheme, letter case aside, and something behind the colon? */
bool uri_has_scheme(struct span s, const char *scheme);

/* Borrowed from the text. */
struct uri_https {
	struct span host; /* "[::1]" with its brackets */
	unsigned port;	  /* the scheme's own where none is written */
	struct span rest; /* from the path on; may be empty */
};

/*
 * "https://" host [":" port], then a path or a query or nothing: no user, no
 * fragment, and only octets that a URI may have.
 */
bool uri_read_https(struct span s, struct uri_https *out);

/* The same of "http://": who asks there is seen by everybody, and answered by anybody. */
bool uri_read_http(struct span s, struct uri_https *out);

enum { URI_NAME_MAX = 253 };

/* A host of labels that does not end like an address (RFC 1123 section 2.1). */
bool uri_is_dns_name(struct span host);

/* RFC 6454 section 4: two https URLs of one host, letter case aside, and one port. */
bool uri_same_origin(struct span a, struct span b);

#endif
