#include "stir/passport.h"

#include <stdlib.h>

#include "stir/ascii.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "stir/rcd.h"
#include "stir/uri.h"

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "claims");
}

static enum rc
invalid(struct fault *f, const char *claim, const char *what)
{
	return REFUSE(f, RC_INVALID, INVALID_CLAIM, claim, "%s", what);
}

void
passport_done(struct passport *p)
{
	json_decref(p->claims);
	*p = (struct passport){ 0 };
}

/* ---- which claims ------------------------------------------------------------------- */

static bool
is_extra(const struct passport_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->extra; i++) {
		if (strcmp(policy->extra_claims[i], name) == 0)
			return true;
	}
	return false;
}

/* RFC 8225 section 5 */
static bool
is_ascii(const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name < ' ' || *name > '~')
			return false;
	}
	return true;
}

/* A claim that nobody vouches for is refused, never dropped or carried (D-51). */
static enum rc
check_known(
    const json_t *claims, enum ppt ppt, const struct passport_policy *policy, struct fault *f)
{
	json_t *walk = jtext_walk(claims);

	for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i)) {
		const char *name = json_object_iter_key(i);

		if (policy->lenient || ppt_is_base_claim(name) || ppt_claim(ppt, name) != NULL)
			continue;
		if (!ppt_may_carry(ppt, name))
			return REFUSE(f, RC_INVALID, UNKNOWN_CLAIM, name,
			    "a PASSporT of type %s does not carry it", ppt_text(ppt));
		if (!is_extra(policy, name))
			return REFUSE(f, RC_INVALID, UNKNOWN_CLAIM, name,
			    "neither the ppt nor extra_claims nor the certificate knows it");
		if (!is_ascii(name))
			return invalid(f, name, "the name of a claim is ASCII");
	}
	return RC_OK;
}

/* The caller's word, else the default. */
static const json_t *
claim_of(const json_t *claims, const struct passport_policy *policy, const char *name)
{
	const json_t *own = json_object_get(claims, name);

	return own != NULL ? own : json_object_get(policy->defaults, name);
}

static enum rc
check_present(
    const json_t *claims, enum ppt ppt, const struct passport_policy *policy, struct fault *f)
{
	static const char *const always[] = { "orig", "dest" };

	for (size_t i = 0; i < ARRAY_LEN(always); i++) {
		if (json_object_get(claims, always[i]) == NULL)
			return REFUSE(
			    f, RC_INVALID, MISSING_CLAIM, always[i], "every PASSporT has it");
	}
	for (const struct claim_rule *c = ppt_rule(ppt)->claims; c->name != NULL; c++) {
		if (c->required && claim_of(claims, policy, c->name) == NULL)
			return REFUSE(f, RC_INVALID, MISSING_CLAIM, c->name, "ppt %s needs it",
			    ppt_text(ppt));
	}
	return RC_OK;
}

/* ---- numbers and URIs --------------------------------------------------------------- */

/* The fault of a number belongs to a claim. */
static enum rc
canonical(const json_t *value, const char *claim, struct tn *out, struct fault *f)
{
	struct fault tn_fault = { 0 };

	if (!json_is_string(value))
		return invalid(f, claim, "a tn is a string");
	if (tn_canonical(jtext_span(value), out, &tn_fault) != RC_OK)
		return REFUSE(f, RC_INVALID, INVALID_TN, claim, "%s", tn_fault.detail);
	return RC_OK;
}

static int
by_text(const void *a, const void *b)
{
	const struct tn *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static enum rc
check_list(const json_t *list, struct fault *f)
{
	if (!json_is_array(list) || json_array_size(list) == 0)
		return invalid(
		    f, "dest", "dest.tn and dest.uri are arrays of at least one string");
	if (json_array_size(list) > PASSPORT_MAX_DEST)
		return invalid(f, "dest", "more than 16 destinations");
	return RC_OK;
}

/* RFC 8225 section 9: array values in lexicographic order, which is the builder's work. */
static enum rc
read_dest_tn(const json_t *list, struct passport *p, struct fault *f)
{
	TRY(check_list(list, f));
	for (size_t i = 0; i < json_array_size(list); i++)
		TRY(canonical(json_array_get(list, i), "dest", &p->dest[p->dests++], f));
	qsort(p->dest, p->dests, sizeof p->dest[0], by_text);
	for (size_t i = 1; i < p->dests; i++) {
		if (by_text(&p->dest[i - 1], &p->dest[i]) == 0)
			return invalid(f, "dest", "a number twice in dest.tn");
	}
	return RC_OK;
}

static bool
is_uri(struct span uri)
{
	return uri.len <= PASSPORT_MAX_URI && uri_is_absolute(uri);
}

/* In lower case; escaped is only what has to be (RFC 3986 section 6.2.2.2). */
static bool
is_normal_user(const char *p, const char *end)
{
	for (; p < end; p++) {
		int octet;

		if (*p >= 'A' && *p <= 'Z')
			return false;
		if (*p != '%')
			continue;
		if (end - p < 3 || ascii_hex((uint8_t)p[1]) < 0 || ascii_hex((uint8_t)p[2]) < 0)
			return false;
		octet = ascii_hex((uint8_t)p[1]) * 16 + ascii_hex((uint8_t)p[2]);
		if (octet < 0x80 && (ascii_is_alnum((uint8_t)octet) ||
					(octet != 0 && strchr("-._~", octet) != NULL)))
			return false;
		p += 2;
	}
	return true;
}

static bool
is_normal_host(const char *host)
{
	size_t n;

	if (*host == '[') {
		n = 1 + strspn(host + 1, "0123456789abcdef:.");
		return n > 1 && strcmp(host + n, "]") == 0;
	}
	n = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-.");
	return n > 0 && host[n] == '\0';
}

/*
 * RFC 8224 section 8.5: of a SIP URI stay scheme, user and host, in lower case.
 * Another spelling is refused, not mended: that user parts are alike in lower
 * case is the caller's to say.
 */
static bool
is_normal(const char *uri)
{
	bool sips = strncasecmp(uri, "sips:", 5) == 0;
	const char *user = uri + (sips ? 5 : 4), *at = strchr(uri, '@');

	if (!sips && strncasecmp(uri, "sip:", 4) != 0)
		return true;
	return at != NULL && at > user && memchr(user, ':', (size_t)(at - user)) == NULL &&
	       is_normal_user(uri, at) && is_normal_host(at + 1);
}

/*
 * RFC 8224 section 8.1: such a user is a telephone number whatever the host,
 * and a domain gives no right to it.  user is in normal form.
 */
static bool
is_number(const char *user, const char *end)
{
	char text[PASSPORT_MAX_URI];
	struct tn number = { 0 };
	size_t n = 0;

	for (; user < end && n < sizeof text; user++) {
		if (*user != '%') {
			text[n++] = *user;
			continue;
		}
		text[n++] =
		    (char)(ascii_hex((uint8_t)user[1]) * 16 + ascii_hex((uint8_t)user[2]));
		user += 2;
	}
	if (memchr(text, ';', n) != NULL) /* parameters of a telephone-subscriber */
		n = (size_t)((char *)memchr(text, ';', n) - text);
	return n > 0 &&
	       (text[0] == '+' || tn_canonical(span_of(text, n), &number, NULL) == RC_OK);
}

/* D-26 */
static enum rc
check_orig_uri(const json_t *value, struct fault *f)
{
	const char *uri = json_string_value(value), *user, *at;

	if (uri == NULL || !is_uri(jtext_span(value)) ||
	    (strncmp(uri, "sip:", 4) != 0 && strncmp(uri, "sips:", 5) != 0) || !is_normal(uri))
		return invalid(
		    f, "orig", "orig.uri is sip:user@host in lower case, and no more");
	user = strchr(uri, ':') + 1;
	at = strchr(uri, '@');
	if (is_number(user, at))
		return invalid(f, "orig", "the user of orig.uri is a telephone number: use tn");
	return RC_OK;
}

/* RFC 8225 section 5.2.1: exactly one identity. */
static enum rc
read_orig(const json_t *orig, bool may_be_uri, struct tn *out, struct fault *f)
{
	const json_t *uri = json_object_get(orig, "uri");

	if (!json_is_object(orig))
		return invalid(f, "orig", "orig is an object");
	if (uri != NULL && !may_be_uri)
		return invalid(f, "orig", "orig.uri needs authority over a domain");
	if (json_object_size(orig) != 1)
		return invalid(f, "orig", "orig has one member, tn");
	if (uri != NULL)
		return check_orig_uri(uri, f);
	if (json_object_get(orig, "tn") == NULL)
		return invalid(f, "orig", "orig has one member, tn");
	return canonical(json_object_get(orig, "tn"), "orig", out, f);
}

static int
by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum rc
read_dest_uri(const json_t *list, bool lenient, const char *uri[PASSPORT_MAX_DEST], size_t *n,
    struct fault *f)
{
	TRY(check_list(list, f));
	for (*n = 0; *n < json_array_size(list); (*n)++) {
		const json_t *value = json_array_get(list, *n);

		if (!json_is_string(value) || !is_uri(jtext_span(value)))
			return invalid(f, "dest", "a dest.uri is no URI");
		uri[*n] = json_string_value(value);
		if (!lenient && !is_normal(uri[*n]))
			return invalid(f, "dest",
			    "a SIP URI in dest is sip:user@host in lower case, and no more");
	}
	qsort(uri, *n, sizeof uri[0], by_string);
	for (size_t i = 1; i < *n; i++) {
		if (strcmp(uri[i - 1], uri[i]) == 0)
			return invalid(f, "dest", "a URI twice in dest.uri");
	}
	return RC_OK;
}

struct dest {
	const char *uri[PASSPORT_MAX_DEST]; /* borrowed from the caller's claims */
	size_t uris;
};

/* The object form that everybody ships; an array of identities is refused. */
static enum rc
read_dest(const json_t *dest, bool lenient, struct passport *p, struct dest *d, struct fault *f)
{
	const json_t *tn = json_object_get(dest, "tn"), *uri = json_object_get(dest, "uri");
	size_t known = (tn != NULL ? 1 : 0) + (uri != NULL ? 1 : 0);

	if (!json_is_object(dest))
		return invalid(f, "dest", "dest is an object");
	if (known == 0 || json_object_size(dest) != known)
		return invalid(f, "dest", "dest has the members tn, uri or both");
	if (tn != NULL)
		TRY(read_dest_tn(tn, p, f));
	if (uri != NULL)
		TRY(read_dest_uri(uri, lenient, d->uri, &d->uris, f));
	if (p->dests + d->uris > PASSPORT_MAX_DEST)
		return invalid(f, "dest", "more than 16 destinations");
	return RC_OK;
}

/* D-25, D-26 */
static enum rc
check_dest(const struct ppt_rule *rule, const struct passport *p, const struct dest *d,
    struct fault *f)
{
	if (rule->max_dests > 0 && p->dests + d->uris > rule->max_dests)
		return REFUSE(f, RC_INVALID, INVALID_CLAIM, "dest",
		    "ppt %s has one destination", rule->name);
	if (rule->by == AUTHORISED_BY_DEST && d->uris > 0)
		return invalid(f, "dest", "dest.uri needs authority over a domain");
	return RC_OK;
}

/* RFC 8224 section 8.3 holds for div.tn as well. */
static enum rc
read_div(const json_t *div, struct passport *p, struct fault *f)
{
	if (div == NULL)
		return RC_OK;
	TRY(ppt_claim(PPT_DIV, "div")->check("div", div, f));
	TRY(canonical(json_object_get(div, "tn"), "div", &p->div, f));
	/* RFC 8946 section 4.1: only where the canonical destination changed. */
	if (p->dests == 1 && strcmp(p->dest[0].text, p->div.text) == 0)
		return invalid(f, "dest", "nothing was diverted: dest is div");
	return RC_OK;
}

/* ---- time --------------------------------------------------------------------------- */

static enum rc
read_iat(const json_t *iat, const struct ppt_rule *rule, const struct passport_policy *policy,
    int64_t *out, struct fault *f)
{
	int64_t iat_s, past_s = policy->iat_past_s;

	if (iat == NULL) {
		*out = policy->now_s;
		return RC_OK;
	}
	if (!json_is_integer(iat))
		return invalid(f, "iat", "iat is an integer");
	iat_s = json_integer_value(iat);
	if (rule->iat == IAT_OF_ORIGINAL && past_s < policy->iat_diverted_s)
		past_s = policy->iat_diverted_s; /* RFC 8946 section 3, D-21 */
	/* Integers are below 2^53, so neither sum can overflow. */
	if (iat_s < policy->now_s - past_s)
		return REFUSE(f, RC_INVALID, STALE_IAT, "iat",
		    "iat is %lld s old, at most %lld are taken",
		    (long long)(policy->now_s - iat_s), (long long)past_s);
	if (iat_s > policy->now_s + policy->iat_future_s)
		return REFUSE(f, RC_INVALID, STALE_IAT, "iat",
		    "iat is %lld s ahead, at most %lld are taken",
		    (long long)(iat_s - policy->now_s), (long long)policy->iat_future_s);
	*out = iat_s;
	return RC_OK;
}

/* ---- the claims object -------------------------------------------------------------- */

static enum rc
put(json_t *object, const char *name, json_t *owned, struct fault *f)
{
	return json_object_set_new(object, name, owned) == 0 ? RC_OK : no_memory(f);
}

static enum rc
put_list(json_t *dest, const char *name, const char *const *text, size_t n, struct fault *f)
{
	json_t *list;

	if (n == 0)
		return RC_OK;
	list = json_array();
	TRY(put(dest, name, list, f));
	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(list, json_string(text[i])) != 0)
			return no_memory(f);
	}
	return RC_OK;
}

static enum rc
put_dest(const struct passport *p, const struct dest *d, struct fault *f)
{
	json_t *dest = json_object();
	const char *tn[PASSPORT_MAX_DEST];

	TRY(put(p->claims, "dest", dest, f));
	for (size_t i = 0; i < p->dests; i++)
		tn[i] = p->dest[i].text;
	TRY(put_list(dest, "tn", tn, p->dests, f));
	return put_list(dest, "uri", d->uri, d->uris, f);
}

/* uri: of the caller's orig; NULL: it is a number. */
static enum rc
put_base(struct passport *p, const json_t *uri, const struct dest *d, struct fault *f)
{
	json_t *orig = json_object();

	TRY(put(p->claims, "orig", orig, f));
	if (uri != NULL)
		TRY(put(orig, "uri", json_string(json_string_value(uri)), f));
	else
		TRY(put(orig, "tn", json_string(p->orig.text), f));
	p->orig_uri = json_string_value(json_object_get(orig, "uri"));
	TRY(put_dest(p, d, f));
	return put(p->claims, "iat", json_integer(p->iat_s), f);
}

/* What rides must have a deterministic text, or it could not be signed. */
static enum rc
check_text(const char *name, const json_t *value, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(JTEXT_MAX_BYTES);
	enum rc rc = jtext_write(&text, value, NULL);

	if (rc == RC_NO_MEMORY)
		return no_memory(f);
	return rc == RC_OK ? RC_OK : invalid(f, name, "a value that has no deterministic text");
}

static enum rc
check_claim(enum ppt ppt, const char *name, const json_t *value, bool lenient, struct fault *f)
{
	const struct claim_rule *c = ppt_claim(ppt, name);

	if (c != NULL)
		TRY(c->check(name, value, f));
	else if (!lenient)
		TRY(ppt_check_extra(name, value, f));
	return check_text(name, value, f);
}

/* All but the base claims; div has a canonical form of its own. */
static enum rc
put_rest(const json_t *claims, bool lenient, const struct passport *p, struct fault *f)
{
	json_t *walk = jtext_walk(claims);

	for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i)) {
		const char *name = json_object_iter_key(i);
		json_t *value = json_object_iter_value(i);

		if (ppt_is_base_claim(name) || json_object_get(p->claims, name) != NULL)
			continue;
		TRY(check_claim(p->ppt, name, value, lenient, f));
		if (json_object_set(p->claims, name, value) != 0)
			return no_memory(f);
	}
	return RC_OK;
}

static enum rc
put_div(const json_t *div, const struct passport *p, struct fault *f)
{
	json_t *out, *hi = json_object_get(div, "hi");

	if (p->div.len == 0)
		return RC_OK;
	out = json_pack("{s:s, s:O*}", "tn", p->div.text, "hi", hi);
	return put(p->claims, "div", out, f);
}

static enum rc
fill(const json_t *claims, const struct passport_policy *policy, struct passport *p,
    struct fault *f)
{
	const struct ppt_rule *rule = ppt_rule(p->ppt);
	bool diverted = ppt_claim(p->ppt, "div") != NULL;
	const json_t *div = diverted ? json_object_get(claims, "div") : NULL;
	const json_t *orig = json_object_get(claims, "orig");
	struct dest d = { 0 };

	TRY(read_orig(orig, policy->orig_uri && rule->orig_uri, &p->orig, f));
	TRY(read_dest(json_object_get(claims, "dest"), policy->lenient, p, &d, f));
	TRY(check_dest(rule, p, &d, f));
	TRY(read_div(div, p, f));
	TRY(read_iat(claim_of(claims, policy, "iat"), rule, policy, &p->iat_s, f));
	p->claims = json_object();
	if (p->claims == NULL)
		return no_memory(f);
	TRY(put_base(p, json_object_get(orig, "uri"), &d, f));
	TRY(put_div(div, p, f));
	TRY(put_rest(claims, policy->lenient, p, f));
	if (policy->defaults != NULL)
		TRY(put_rest(policy->defaults, policy->lenient, p, f));
	if (rule->together != NULL)
		TRY(rule->together(p->claims, f));
	TRY(rcd_check_claims(p->claims, f)); /* RFC 9795 section 6, whatever the ppt */
	p->third_party = p->ppt == PPT_RCD && json_object_get(p->claims, "iss") != NULL;
	if (p->third_party && p->orig_uri != NULL)
		return invalid(f, "orig", "a third party speaks of a telephone number");
	return RC_OK;
}

const struct tn *
passport_authorising(const struct passport *p, size_t *n)
{
	*n = 1;
	switch (ppt_rule(p->ppt)->by) {
	case AUTHORISED_BY_ORIG: break;
	case AUTHORISED_BY_DIV: return &p->div;
	case AUTHORISED_BY_DEST: *n = p->dests; return p->dest;
	}
	return &p->orig;
}

enum rc
passport_prepare(const json_t *claims, enum ppt ppt, const struct passport_policy *policy,
    struct passport *out, struct fault *f)
{
	__attribute__((cleanup(passport_done))) struct passport p = { .ppt = ppt };

	if (!json_is_object(claims))
		return invalid(f, "claims", "claims are an object");
	TRY(check_known(claims, ppt, policy, f));
	TRY(check_present(claims, ppt, policy, f));
	TRY(fill(claims, policy, &p, f));
	*out = p;
	p.claims = NULL; /* handed over */
	return RC_OK;
}

/* ---- bytes -------------------------------------------------------------------------- */

static enum rc
put_x5c(struct buf *out, const struct span *x5c, size_t n, struct fault *f)
{
	buf_str(out, ",\"x5c\":[");
	for (size_t i = 0; i < n; i++) {
		if (x5c[i].len == 0)
			return FAULT(f, RC_INVALID, "passport_header", "an empty certificate");
		buf_str(out, i > 0 ? ",\"" : "\"");
		/* RFC 7515 section 4.1.6: base64, not base64url. */
		b64_encode(out, B64_STD, x5c[i]);
		buf_byte(out, '"');
	}
	buf_byte(out, ']');
	return RC_OK;
}

/* The order is that of RFC 8225 section 9 without sorting: alg, ppt, typ, x5c, x5u. */
enum rc
passport_header(struct buf *out, enum ppt ppt, const char *x5u, const struct span *x5c,
    size_t n, struct fault *f)
{
	const char *name = ppt_rule(ppt)->name;

	if (x5u == NULL && n == 0)
		return FAULT(f, RC_INVALID, "passport_header", "neither x5c nor x5u");
	if (x5u != NULL && !is_uri(span_str(x5u)))
		return FAULT(f, RC_INVALID, "passport_header", "x5u is no URI");
	buf_str(out, "{\"alg\":\"ES256\"");
	if (name != NULL)
		buf_printf(out, ",\"ppt\":\"%s\"", name);
	buf_str(out, ",\"typ\":\"passport\"");
	if (n > 0)
		TRY(put_x5c(out, x5c, n, f));
	if (x5u != NULL) {
		buf_str(out, ",\"x5u\":\"");
		buf_str(out, x5u); /* a URI has nothing to escape */
		buf_byte(out, '"');
	}
	buf_byte(out, '}');
	return buf_check(out, f);
}

enum rc
passport_signing_input(
    struct buf *out, struct span header, const json_t *claims, struct fault *f)
{
	AUTO_BUF payload = BUF_INIT(PASSPORT_MAX_BYTES);

	TRY(jtext_write(&payload, claims, f));
	b64_encode(out, B64_URL, header);
	buf_byte(out, '.');
	b64_encode(out, B64_URL, buf_view(&payload));
	return buf_check(out, f);
}
