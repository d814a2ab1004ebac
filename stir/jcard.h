/*
 * jCard (RFC 7095): the vCard of rich call data as JSON, and the URIs in it.
 *
 * Pure.
 */
#ifndef STIR_JCARD_H
#define STIR_JCARD_H

#include "stir/fault.h"

#include <jansson.h>

/* A URI by what stands behind it. */
enum uri_kind {
	URI_NONE,    /* no URI, or of a scheme that rich call data may not use */
	URI_CONTENT, /* https: content elsewhere, which a digest protects */
	URI_INLINE,  /* data: the content itself */
	URI_NAME,    /* tel, sip, mailto, urn …: names something, nothing is read from it */
};

enum { URI_MAX_CONTENT = 2048 }; /* octets of one that is not data: */

enum uri_kind uri_kind_of(const json_t *value);

/* A place that refers to content elsewhere. */
struct uri_ref {
	char pointer[64]; /* "/jcd/1/3/3" */
	const char *uri;  /* borrowed from the value */
};

enum { JCARD_MAX_PROPERTIES = 256, JCARD_MAX_REFS = 64 };

/*
 * ["vcard", [property, …]], version "4.0" once, fn at least once, each
 * property [name, {parameters}, type, value, …], values of type uri of a kind
 * that is known, and no address on the web elsewhere but in what is only read:
 * note, org and their like as text, and the parameter label.  RC_INVALID
 * invalid_claim with the claim given.
 */
enum rc jcard_check(const json_t *card, const char *claim, struct fault *f) MUST_CHECK;

/*
 * The references of a checked card, appended to list (room for
 * JCARD_MAX_REFS); prefix is the card's own pointer, "/jcd" or "/jcl".  RC_INVALID invalid_claim
 * for too many.
 */
enum rc jcard_refs(const json_t *card, const char *prefix, struct uri_ref *list, size_t *n,
    const char *claim, struct fault *f) MUST_CHECK;

#endif
