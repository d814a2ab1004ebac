#include "stir/chain.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "stir/b64.h"
#include "stir/jtext.h"

/* 99991231235959Z, the spelling of "no end" (RFC 5280 section 4.1.2.5). */
static const int64_t no_end_s = 253402300799;

enum { RSA_MIN_BITS = 2048 };

struct anchors {
	X509_STORE *store;
	size_t len;
	bool intermediates; /* one of them is not self-signed */
	struct cert *cert[ANCHORS_MAX];
};

/* ---- reading -------------------------------------------------------------- */

/* Certificates of a PEM text are handed to add one by one. */
typedef enum rc add_cert(void *to, struct span der, struct fault *f);

static size_t
count_begins(struct span pem)
{
	static const char begin[] = "-----BEGIN";
	size_t n = 0;

	for (size_t i = 0; i + sizeof begin - 1 <= pem.len; i++) {
		if (memcmp(pem.ptr + i, begin, sizeof begin - 1) == 0)
			n++;
	}
	return n;
}

static enum rc
next_pem(BIO *bio, add_cert *add, void *to, bool *more, struct fault *f)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long len = 0;
	enum rc rc;

	ERR_clear_error();
	*more = PEM_read_bio(bio, &name, &header, &data, &len) == 1;
	if (!*more) {
		unsigned long code = ERR_peek_last_error();

		if (ERR_GET_REASON(code) == PEM_R_NO_START_LINE) {
			ERR_clear_error();
			return RC_OK;
		}
		return FAULT_OPENSSL(f, RC_INVALID, "chain_pem", "PEM");
	}
	if (strcmp(name, PEM_STRING_X509) != 0 || header[0] != 0)
		rc = FAULT(f, RC_INVALID, "chain_pem", "a block that is not a certificate");
	else
		rc = add(to, span_of(data, (size_t)len), f);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(data, (size_t)len);
	return rc;
}

static enum rc
read_pem(struct span pem, size_t max, add_cert *add, void *to, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = NULL;
	size_t found = 0;
	bool more = true;

	if (pem.len == 0 || pem.len > max)
		return FAULT(f, RC_INVALID, "chain_pem", "%zu bytes of PEM", pem.len);
	bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	if (bio == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "BIO");
	while (more) {
		TRY(next_pem(bio, add, to, &more, f));
		if (more)
			found++;
	}
	/* OpenSSL skips a block whose first line is damaged as if it were a comment. */
	if (found != count_begins(pem))
		return FAULT(f, RC_INVALID, "chain_pem", "a block that cannot be read");
	return RC_OK;
}

struct chain_reader {
	struct chain *chain;
	bool all_nines;
};

static enum rc
add_to_chain(void *to, struct span der, struct fault *f)
{
	struct chain_reader *r = to;

	if (r->chain->len == CHAIN_MAX)
		return FAULT(
		    f, RC_INVALID, "chain_limit", "more than %d certificates", CHAIN_MAX);
	TRY(cert_decode(der, r->all_nines, &r->chain->cert[r->chain->len], f));
	r->chain->len++;
	return RC_OK;
}

void
chain_free(struct chain *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->len; i++)
		cert_free(c->cert[i]);
	free(c);
}

enum rc
chain_read_pem(struct span pem, bool all_nines, struct chain **out, struct fault *f)
{
	AUTO(chain) *c = calloc(1, sizeof *c);
	struct chain_reader reader = { c, all_nines };

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "chain");
	TRY(read_pem(pem, CHAIN_MAX_BYTES, add_to_chain, &reader, f));
	if (c->len == 0)
		return FAULT(f, RC_INVALID, "chain_empty", "no certificate in it");
	*out = TAKE(c);
	return RC_OK;
}

enum rc
chain_read_x5c(const json_t *x5c, struct chain **out, struct fault *f)
{
	AUTO(chain) *c = calloc(1, sizeof *c);
	struct chain_reader reader = { c, false };
	size_t i;
	json_t *item;

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "chain");
	if (!json_is_array(x5c) || json_array_size(x5c) == 0)
		return FAULT(f, RC_INVALID, "chain_x5c", "x5c is no array of certificates");
	json_array_foreach (x5c, i, item) {
		AUTO_BUF der = BUF_INIT(CERT_MAX_DER + 2);

		if (!json_is_string(item))
			return FAULT(f, RC_INVALID, "chain_x5c", "item %zu is no string", i);
		/* RFC 7515 section 4.1.6: base64, not base64url. */
		TRY(b64_decode(&der, B64_STD, jtext_span(item), f));
		TRY(add_to_chain(&reader, buf_view(&der), f));
	}
	*out = TAKE(c);
	return RC_OK;
}

enum rc
chain_write_pem(struct buf *out, const struct chain *c, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	if (bio == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "BIO");
	for (size_t i = 0; i < c->len; i++) {
		if (PEM_write_bio(bio, PEM_STRING_X509, "", c->cert[i]->der,
			(long)c->cert[i]->der_len) <= 0)
			return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "PEM");
	}
	len = BIO_get_mem_data(bio, &text);
	buf_put(out, text, (size_t)len);
	return buf_check(out, f);
}

/* ---- anchors -------------------------------------------------------------- */

void
anchors_free(struct anchors *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->len; i++)
		cert_free(a->cert[i]);
	X509_STORE_free(a->store);
	free(a);
}

static bool
self_signed(const struct cert *c)
{
	return (X509_get_extension_flags(c->x509) & EXFLAG_SS) != 0;
}

static enum rc
add_to_anchors(void *to, struct span der, struct fault *f)
{
	struct anchors *a = to;
	AUTO(cert) *c = NULL;

	if (a->len == ANCHORS_MAX)
		return FAULT(f, RC_INVALID, "chain_limit", "more than %d anchors", ANCHORS_MAX);
	TRY(cert_decode(der, false, &c, f));
	if (X509_STORE_add_cert(a->store, c->x509) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "X509_STORE");
	if (!self_signed(c))
		a->intermediates = true;
	a->cert[a->len++] = TAKE(c);
	return RC_OK;
}

static enum rc
anchors_new(struct anchors **out, struct fault *f)
{
	AUTO(anchors) *a = calloc(1, sizeof *a);

	if (a == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "anchors");
	a->store = X509_STORE_new();
	if (a->store == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "X509_STORE");
	*out = TAKE(a);
	return RC_OK;
}

static bool
has_anchor(const struct anchors *a, const struct cert *c)
{
	for (size_t i = 0; i < a->len; i++) {
		if (span_eq(span_of(a->cert[i]->der, a->cert[i]->der_len),
			span_of(c->der, c->der_len)))
			return true;
	}
	return false;
}

static enum rc
add_all(struct anchors *to, const struct anchors *from, struct fault *f)
{
	for (size_t i = 0; i < from->len; i++) {
		const struct cert *c = from->cert[i];

		if (!has_anchor(to, c))
			TRY(add_to_anchors(to, span_of(c->der, c->der_len), f));
	}
	return RC_OK;
}

enum rc
anchors_join(
    const struct anchors *a, const struct anchors *b, struct anchors **out, struct fault *f)
{
	AUTO(anchors) *all = NULL;

	TRY(anchors_new(&all, f));
	TRY(add_all(all, a, f));
	TRY(add_all(all, b, f));
	*out = TAKE(all);
	return RC_OK;
}

enum rc
anchors_read_pem(struct span pem, struct anchors **out, struct fault *f)
{
	AUTO(anchors) *a = NULL;

	TRY(anchors_new(&a, f));
	TRY(read_pem(pem, ANCHORS_MAX_BYTES, add_to_anchors, a, f));
	if (a->len == 0)
		return FAULT(f, RC_INVALID, "chain_empty", "no anchor in it");
	*out = TAKE(a);
	return RC_OK;
}

/* ---- the path ------------------------------------------------------------- */

static enum rc
check_leaf(const struct cert *leaf, struct fault *f)
{
	if (leaf->is_ca)
		return FAULT(f, RC_DENIED, "chain_leaf_ca", "the leaf is a CA certificate");
	if (!leaf->p256)
		return FAULT(
		    f, RC_DENIED, "chain_algorithm", "the leaf's key is not on P-256 (D-57)");
	if (!leaf->digital_signature)
		return FAULT(f, RC_DENIED, "chain_usage",
		    "the leaf's keyUsage does not allow digitalSignature");
	if (leaf->not_after_s == no_end_s)
		return FAULT(f, RC_DENIED, "chain_validity", "the leaf never expires");
	return RC_OK;
}

static enum rc
check_validity(const struct cert *c, size_t i, int64_t at_s, struct fault *f)
{
	if (at_s < c->not_before_s)
		return FAULT(f, RC_EXPIRED, "chain_validity",
		    "certificate %zu (%.60s) is not valid before %lld", i, c->subject,
		    (long long)c->not_before_s);
	if (at_s > c->not_after_s)
		return FAULT(f, RC_EXPIRED, "chain_validity",
		    "certificate %zu (%.60s) expired at %lld", i, c->subject,
		    (long long)c->not_after_s);
	return RC_OK;
}

/* RFC 9060 section 7: the AKI of each is the SKI of the next. */
static bool
key_ids_pair(const struct cert *child, const struct cert *parent)
{
	const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(child->x509);
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(parent->x509);

	return aki != NULL && ski != NULL && ASN1_OCTET_STRING_cmp(aki, ski) == 0;
}

static enum rc
check_pair(const struct cert *child, const struct cert *parent, size_t i, struct fault *f)
{
	if (X509_NAME_cmp(
		X509_get_issuer_name(child->x509), X509_get_subject_name(parent->x509)) != 0)
		return FAULT(f, RC_DENIED, "chain_order",
		    "certificate %zu is not issued by the next", i);
	if (!key_ids_pair(child, parent))
		return FAULT(f, RC_DENIED, "chain_order",
		    "certificate %zu: AKI is not the SKI of the next", i);
	return RC_OK;
}

static bool
same_cert(const struct cert *a, const struct cert *b)
{
	return span_eq(span_of(a->der, a->der_len), span_of(b->der, b->der_len));
}

static enum rc
check_order(const struct chain *c, struct fault *f)
{
	for (size_t i = 0; i + 1 < c->len; i++) {
		for (size_t j = i + 1; j < c->len; j++) {
			if (same_cert(c->cert[i], c->cert[j]))
				return FAULT(f, RC_DENIED, "chain_order",
				    "certificate %zu is there twice", i);
		}
		TRY(check_pair(c->cert[i], c->cert[i + 1], i, f));
	}
	return RC_OK;
}

/* D-56: how a certificate may be signed. */
static bool
signature_allowed(const struct cert *c)
{
	int md = 0, pk = 0, bits = 0;
	uint32_t flags = 0;

	if (X509_get_signature_info(c->x509, &md, &pk, &bits, &flags) != 1)
		return false;
	if (pk == EVP_PKEY_EC)
		return md == NID_sha256 || md == NID_sha384;
	return pk == EVP_PKEY_RSA && md == NID_sha256;
}

bool
chain_key_allowed(const struct cert *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c->x509);
	char group[32] = "";

	if (key == NULL)
		return false;
	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= RSA_MIN_BITS;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1)
		return false;
	return strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0;
}

static enum rc
check_ca(const struct cert *c, size_t i, struct fault *f)
{
	if (!c->is_ca || !c->key_cert_sign)
		return FAULT(f, RC_DENIED, "chain_ca",
		    "certificate %zu (%.60s) may not issue certificates", i, c->subject);
	if (!chain_key_allowed(c))
		return FAULT(f, RC_DENIED, "chain_algorithm",
		    "the key of certificate %zu (%.60s)", i, c->subject);
	return RC_OK;
}

/* What we ask of each certificate before OpenSSL asks its own. */
static enum rc
check_each(const struct chain *c, int64_t at_s, struct fault *f)
{
	for (size_t i = 0; i < c->len; i++) {
		if (c->cert[i]->unknown_critical)
			return FAULT(f, RC_DENIED, "chain_critical",
			    "certificate %zu has an unknown critical extension", i);
		TRY(check_validity(c->cert[i], i, at_s, f));
		if (!self_signed(c->cert[i]) && !signature_allowed(c->cert[i]))
			return FAULT(f, RC_DENIED, "chain_algorithm",
			    "the signature of certificate %zu", i);
		if (i > 0)
			TRY(check_ca(c->cert[i], i, f));
	}
	return RC_OK;
}

static const struct {
	int error;
	enum rc rc;
	const char *reason;
} path_errors[] = {
	{ X509_V_ERR_CERT_NOT_YET_VALID, RC_EXPIRED, "chain_validity" },
	{ X509_V_ERR_CERT_HAS_EXPIRED, RC_EXPIRED, "chain_validity" },
	{ X509_V_ERR_INVALID_CA, RC_DENIED, "chain_ca" },
	{ X509_V_ERR_INVALID_NON_CA, RC_DENIED, "chain_ca" },
	{ X509_V_ERR_PATH_LENGTH_EXCEEDED, RC_DENIED, "chain_ca" },
	{ X509_V_ERR_KEYUSAGE_NO_CERTSIGN, RC_DENIED, "chain_ca" },
	{ X509_V_ERR_CA_BCONS_NOT_CRITICAL, RC_DENIED, "chain_ca" },
	{ X509_V_ERR_CA_CERT_MISSING_KEY_USAGE, RC_DENIED, "chain_ca" },
	{ X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER, RC_DENIED, "chain_order" },
	{ X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER, RC_DENIED, "chain_order" },
	{ X509_V_ERR_AKID_SKID_MISMATCH, RC_DENIED, "chain_order" },
	{ X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, RC_DENIED, "chain_critical" },
};

static enum rc
path_fault(X509_STORE_CTX *ctx, struct fault *f)
{
	int error = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);
	const char *text = X509_verify_cert_error_string(error);

	ERR_clear_error();
	for (size_t i = 0; i < ARRAY_LEN(path_errors); i++) {
		if (path_errors[i].error == error)
			return FAULT(f, path_errors[i].rc, path_errors[i].reason,
			    "certificate %d: %s", depth, text);
	}
	return FAULT(f, RC_DENIED, "chain_path", "certificate %d: %s", depth, text);
}

/* RFC 5280 section 4.1.2.5: the last second is inside; OpenSSL leaves it out. */
static int
inclusive_end(int ok, X509_STORE_CTX *ctx)
{
	const X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	time_t at = X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(ctx));

	if (ok == 1 || x == NULL ||
	    X509_STORE_CTX_get_error(ctx) != X509_V_ERR_CERT_HAS_EXPIRED ||
	    ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), at) != 0)
		return ok;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static void
set_parameters(X509_STORE_CTX *ctx, const struct anchors *a, int64_t at_s)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	/* Critical extensions are judged by check_each(): OpenSSL does not know STIR's. */
	unsigned long flags =
	    X509_V_FLAG_X509_STRICT | X509_V_FLAG_IGNORE_CRITICAL | X509_V_FLAG_POLICY_CHECK;

	if (a->intermediates)
		flags |= X509_V_FLAG_PARTIAL_CHAIN;
	X509_VERIFY_PARAM_set_flags(param, flags);
	X509_VERIFY_PARAM_set_time(param, (time_t)at_s);
	X509_VERIFY_PARAM_set_depth(param, CHAIN_MAX);
	X509_STORE_CTX_set_verify_cb(ctx, inclusive_end);
}

static const struct cert *
find_anchor(const struct anchors *a, const X509 *x)
{
	for (size_t i = 0; i < a->len; i++) {
		if (X509_cmp(a->cert[i]->x509, x) == 0)
			return a->cert[i];
	}
	return NULL;
}

/* The path that was found must be the chain as given and, above it, at most its anchor. */
static enum rc
check_path(const struct chain *c, const struct anchors *a, STACK_OF(X509) * path, int64_t at_s,
    const X509 **issuer, struct fault *f)
{
	size_t len = (size_t)sk_X509_num(path);
	const struct cert *top = find_anchor(a, sk_X509_value(path, (int)len - 1));

	if (top == NULL)
		return FAULT(f, RC_DENIED, "chain_path", "the path does not end in an anchor");
	if (len < c->len || len > c->len + 1)
		return FAULT(f, RC_DENIED, "chain_order",
		    "%zu certificates given, %zu in the path", c->len, len);
	for (size_t i = 0; i < c->len; i++) {
		if (X509_cmp(sk_X509_value(path, (int)i), c->cert[i]->x509) != 0)
			return FAULT(f, RC_DENIED, "chain_order",
			    "certificate %zu is not in the path", i);
	}
	if (len > c->len) {
		TRY(check_pair(c->cert[c->len - 1], top, c->len - 1, f));
		TRY(check_ca(top, c->len, f));
		TRY(check_validity(top, c->len, at_s, f));
		if (top->unknown_critical)
			return FAULT(f, RC_DENIED, "chain_critical", "in the anchor");
	}
	if (issuer != NULL)
		*issuer = c->len > 1 ? c->cert[1]->x509 : len > 1 ? top->x509 : NULL;
	return RC_OK;
}

static void
x509_stack_done(STACK_OF(X509) * *s)
{
	sk_X509_free(*s); /* the certificates stay the chain's */
}

static enum rc
find_path(const struct chain *c, const struct anchors *a, int64_t at_s, const X509 **issuer,
    struct fault *f)
{
	__attribute__((cleanup(x509_stack_done))) STACK_OF(X509) *above = sk_X509_new_null();
	AUTO_OSSL(X509_STORE_CTX) *ctx = X509_STORE_CTX_new();

	if (above == NULL || ctx == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "X509_STORE_CTX");
	for (size_t i = 1; i < c->len; i++) {
		if (sk_X509_push(above, c->cert[i]->x509) <= 0)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "stack");
	}
	if (X509_STORE_CTX_init(ctx, a->store, c->cert[0]->x509, above) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "X509_STORE_CTX");
	set_parameters(ctx, a, at_s);
	if (X509_verify_cert(ctx) != 1)
		return path_fault(ctx, f);
	return check_path(c, a, X509_STORE_CTX_get0_chain(ctx), at_s, issuer, f);
}

enum rc
chain_verify(const struct chain *c, const struct anchors *a, int64_t at_s, const X509 **issuer,
    struct fault *f)
{
	TRY(check_leaf(c->cert[0], f));
	TRY(check_order(c, f));
	TRY(check_each(c, at_s, f));
	return find_path(c, a, at_s, issuer, f);
}

const struct cert *
chain_anchor(const struct chain *c, const struct anchors *a)
{
	const struct cert *top = c->cert[c->len - 1];

	if (find_anchor(a, top->x509) != NULL)
		return NULL;
	for (size_t i = 0; i < a->len; i++) {
		if (check_pair(top, a->cert[i], 0, NULL) == RC_OK &&
		    X509_verify(top->x509, X509_get0_pubkey(a->cert[i]->x509)) == 1)
			return a->cert[i];
	}
	ERR_clear_error();
	return NULL;
}

void
chain_validity(const struct chain *c, int64_t *not_before_s, int64_t *not_after_s)
{
	int64_t from = INT64_MIN, to = INT64_MAX;

	for (size_t i = 0; i < c->len; i++) {
		if (c->cert[i]->not_before_s > from)
			from = c->cert[i]->not_before_s;
		if (c->cert[i]->not_after_s < to)
			to = c->cert[i]->not_after_s;
	}
	*not_before_s = from;
	*not_after_s = to;
}
