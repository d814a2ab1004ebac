#include "pkcs11/provider.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdatomic.h>
#include <string.h>

#include "pkcs11/p256.h"
#include "stir/ossl.h"

#define PROVIDER_NAME "vesper"
#define PROPERTIES    "provider=" PROVIDER_NAME
#define GROUP	      "P-256"

struct token_provider {
	OSSL_LIB_CTX *libctx;
	OSSL_PROVIDER *fallback, *own;
	token_sign_fn *sign;
	void *arg;
};

/* ---- keys -------------------------------------------------------------------- */

struct token_key {
	struct token_provider *provider;
	uint8_t point[P256_POINT], id[P256_ID];
	bool has_point;
	bool has_private; /* that is, in the token */
};

static void *
key_new(void *provider)
{
	struct token_key *k = OPENSSL_zalloc(sizeof *k);

	if (k != NULL)
		k->provider = provider;
	return k;
}

static void
key_free(void *key)
{
	OPENSSL_free(key);
}

/* There is nothing secret in it: a copy names the same key of the same token. */
static void *
key_dup(const void *key, int selection)
{
	(void)selection;
	return OPENSSL_memdup(key, sizeof(struct token_key));
}

static int
key_has(const void *key, int selection)
{
	const struct token_key *k = key;

	if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && !k->has_point)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || k->has_private;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct token_key *x = a, *y = b;

	/* All are on one curve, so parameters alone always match. */
	if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
		return 1;
	return x->has_point && y->has_point && memcmp(x->point, y->point, P256_POINT) == 0;
}

static const char *
key_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

/* ---- import and export ---------------------------------------------------------- */

static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : NULL;
}

static bool
is_p256(const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
	const char *name = NULL;

	return p != NULL && OSSL_PARAM_get_utf8_string_ptr(p, &name) == 1 &&
	       (strcmp(name, GROUP) == 0 || strcmp(name, "prime256v1") == 0);
}

static bool
on_curve(const uint8_t point[P256_POINT])
{
	AUTO_OSSL(EVP_PKEY) *key = NULL;

	return p256_public(point, &key, NULL) == RC_OK;
}

/* Private key material is not taken: the private half of a key here is its token's. */
static int
key_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct token_key *k = key;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
	const void *point = NULL;
	size_t len = 0;

	if (OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PRIV_KEY) != NULL)
		return 0;
	if (p == NULL || !is_p256(params) ||
	    OSSL_PARAM_get_octet_string_ptr(p, &point, &len) != 1 || len != P256_POINT ||
	    !on_curve(point) || p256_key_id(point, k->id, NULL) != RC_OK)
		return 0;
	memcpy(k->point, point, P256_POINT);
	k->has_point = true;
	k->has_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
	return 1;
}

static int
key_export(void *key, int selection, OSSL_CALLBACK *callback, void *arg)
{
	struct token_key *k = key;
	char group[] = GROUP;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(
		    OSSL_PKEY_PARAM_PUB_KEY, k->point, P256_POINT),
		OSSL_PARAM_construct_end(),
	};

	/*
	 * Never when the private half is asked for: it is not here, and without
	 * it the default provider would be chosen to sign and could not.
	 */
	if (!k->has_point || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
		return 0;
	if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
		params[1] = OSSL_PARAM_construct_end();
	return callback(params, arg);
}

/* ---- what a key says of itself ----------------------------------------------------- */

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_X, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_Y, NULL, 0),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, NULL),
		OSSL_PARAM_END,
	};

	(void)provider;
	return gettable;
}

static int
put_int(OSSL_PARAM params[], const char *name, int value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_int(p, value) == 1;
}

static int
put_text(OSSL_PARAM params[], const char *name, const char *value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_utf8_string(p, value) == 1;
}

static int
put_point(OSSL_PARAM params[], const char *name, const struct token_key *k)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL ||
	       (k->has_point && OSSL_PARAM_set_octet_string(p, k->point, P256_POINT) == 1);
}

static int
put_coordinate(OSSL_PARAM params[], const char *name, const struct token_key *k, size_t at)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);
	BIGNUM *n;
	int ok;

	if (p == NULL)
		return 1;
	n = k->has_point ? BN_bin2bn(k->point + at, P256_POINT / 2, NULL) : NULL;
	ok = n != NULL && OSSL_PARAM_set_BN(p, n) == 1;
	BN_free(n);
	return ok;
}

static int
key_get_params(void *key, OSSL_PARAM params[])
{
	const struct token_key *k = key;

	return put_int(params, OSSL_PKEY_PARAM_BITS, 256) &&
	       put_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, 128) &&
	       put_int(params, OSSL_PKEY_PARAM_MAX_SIZE, P256_DER_SIG) &&
	       put_int(params, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, 0) &&
	       put_text(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST, "SHA256") &&
	       put_text(params, OSSL_PKEY_PARAM_GROUP_NAME, GROUP) &&
	       put_point(params, OSSL_PKEY_PARAM_PUB_KEY, k) &&
	       put_point(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, k) &&
	       put_coordinate(params, OSSL_PKEY_PARAM_EC_PUB_X, k, 1) &&
	       put_coordinate(params, OSSL_PKEY_PARAM_EC_PUB_Y, k, 1 + P256_POINT / 2);
}

/* The dispatch tables want one type of function for all; this is the one way to give it. */
#define ENTRY(id, fn) \
	{ \
		id, (void (*)(void))(fn) \
	}

static const OSSL_DISPATCH key_functions[] = {
	ENTRY(OSSL_FUNC_KEYMGMT_NEW, key_new),
	ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free),
	ENTRY(OSSL_FUNC_KEYMGMT_DUP, key_dup),
	ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has),
	ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match),
	ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import),
	ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),
	ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
	ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),
	ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),
	ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),
	ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_operation),
	{ 0, NULL },
};

/* ---- signatures ------------------------------------------------------------------------ */

struct sign_op {
	struct token_provider *provider;
	const struct token_key *key; /* outlives the operation: EVP holds the EVP_PKEY */
	EVP_MD_CTX *hash;	     /* digest_sign only */
};

static void *
op_new(void *provider, const char *properties)
{
	struct sign_op *op = OPENSSL_zalloc(sizeof *op);

	(void)properties;
	if (op != NULL)
		op->provider = provider;
	return op;
}

static void
op_free(void *ctx)
{
	struct sign_op *op = ctx;

	if (op == NULL)
		return;
	EVP_MD_CTX_free(op->hash);
	OPENSSL_free(op);
}

static void *
op_dup(void *ctx)
{
	const struct sign_op *op = ctx;
	struct sign_op *copy = OPENSSL_memdup(op, sizeof *op);

	if (copy == NULL || op->hash == NULL)
		return copy;
	copy->hash = EVP_MD_CTX_new();
	if (copy->hash == NULL || EVP_MD_CTX_copy_ex(copy->hash, op->hash) != 1) {
		op_free(copy);
		return NULL;
	}
	return copy;
}

static bool
is_sha256(const char *name)
{
	return name == NULL || name[0] == 0 || OPENSSL_strcasecmp(name, "SHA256") == 0 ||
	       OPENSSL_strcasecmp(name, "SHA2-256") == 0 ||
	       OPENSSL_strcasecmp(name, "SHA-256") == 0;
}

static int op_set_params(void *ctx, const OSSL_PARAM params[]);

static int
sign_init(void *ctx, void *key, const OSSL_PARAM params[])
{
	struct sign_op *op = ctx;

	if (key != NULL)
		op->key = key;
	if (op->key == NULL || !op->key->has_private) {
		ERR_raise_data(
		    ERR_LIB_PROV, ERR_R_PASSED_INVALID_ARGUMENT, "not a token's key");
		return 0;
	}
	return op_set_params(op, params);
}

/* The token's reason goes into OpenSSL's queue: EVP hands nothing else through. */
static int
token_signature(const struct sign_op *op, const uint8_t digest[P256_DIGEST],
    uint8_t der[P256_DER_SIG], size_t *len)
{
	uint8_t sig[P256_SIG];
	struct fault f = { .rc = RC_OK };
	enum rc rc = op->provider->sign(op->provider->arg, op->key->id, digest, sig, &f);

	if (rc == RC_OK)
		rc = p256_sig_to_der(sig, der, len, &f);
	if (rc == RC_OK)
		return 1;
	ERR_raise_data(ERR_LIB_PROV, ERR_R_OPERATION_FAIL, "%s: %s", f.reason, f.detail);
	return 0;
}

static int
sign(void *ctx, unsigned char *sig, size_t *len, size_t size, const unsigned char *tbs,
    size_t tbs_len)
{
	uint8_t der[P256_DER_SIG];
	size_t n = 0;

	if (sig == NULL) {
		*len = P256_DER_SIG;
		return 1;
	}
	/* CKM_ECDSA cuts a longer input and pads a shorter one, without a word. */
	if (tbs_len != P256_DIGEST || size < P256_DER_SIG)
		return 0;
	if (token_signature(ctx, tbs, der, &n) != 1)
		return 0;
	memcpy(sig, der, n);
	*len = n;
	return 1;
}

static int
digest_sign_init(void *ctx, const char *md, void *key, const OSSL_PARAM params[])
{
	struct sign_op *op = ctx;

	if (!is_sha256(md)) {
		ERR_raise_data(ERR_LIB_PROV, ERR_R_UNSUPPORTED, "SHA-256 only");
		return 0;
	}
	if (sign_init(op, key, params) != 1)
		return 0;
	if (op->hash == NULL)
		op->hash = EVP_MD_CTX_new();
	return op->hash != NULL && EVP_DigestInit_ex2(op->hash, EVP_sha256(), NULL) == 1;
}

static int
digest_sign_update(void *ctx, const unsigned char *data, size_t len)
{
	struct sign_op *op = ctx;

	return op->hash != NULL && EVP_DigestUpdate(op->hash, data, len) == 1;
}

static int
digest_sign_final(void *ctx, unsigned char *sig, size_t *len, size_t size)
{
	struct sign_op *op = ctx;
	uint8_t digest[P256_DIGEST];
	unsigned n = 0;

	if (op->hash == NULL)
		return 0;
	if (sig == NULL) {
		*len = P256_DER_SIG;
		return 1;
	}
	if (EVP_DigestFinal_ex(op->hash, digest, &n) != 1 || n != sizeof digest)
		return 0;
	return sign(op, sig, len, size, digest, n);
}

/* ---- parameters of a signature ----------------------------------------------------------- */

/* RFC 5758 section 3.2: ecdsa-with-SHA256, without parameters. */
static const uint8_t ecdsa_with_sha256[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x04, 0x03, 0x02 };

static int
op_get_params(void *ctx, OSSL_PARAM params[])
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
	int ok = p == NULL || OSSL_PARAM_set_octet_string(
				  p, ecdsa_with_sha256, sizeof ecdsa_with_sha256) == 1;

	(void)ctx;
	return ok && put_text(params, OSSL_SIGNATURE_PARAM_DIGEST, "SHA256");
}

static const OSSL_PARAM *
op_gettable(void *ctx, void *provider)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)ctx;
	(void)provider;
	return gettable;
}

static int
op_set_params(void *ctx, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
	const char *name = NULL;

	(void)ctx;
	return p == NULL || (OSSL_PARAM_get_utf8_string_ptr(p, &name) == 1 && is_sha256(name));
}

static const OSSL_PARAM *
op_settable(void *ctx, void *provider)
{
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)ctx;
	(void)provider;
	return settable;
}

static const OSSL_DISPATCH sign_functions[] = {
	ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, op_new),
	ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, op_free),
	ENTRY(OSSL_FUNC_SIGNATURE_DUPCTX, op_dup),
	ENTRY(OSSL_FUNC_SIGNATURE_SIGN_INIT, sign_init),
	ENTRY(OSSL_FUNC_SIGNATURE_SIGN, sign),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, digest_sign_init),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, digest_sign_update),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, digest_sign_final),
	ENTRY(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, op_get_params),
	ENTRY(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, op_gettable),
	ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, op_set_params),
	ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, op_settable),
	{ 0, NULL },
};

/* ---- the provider ---------------------------------------------------------------------------- */

static const OSSL_ALGORITHM *
provider_query(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
		{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTIES, key_functions,
		    "P-256 keys in a token" },
		{ NULL, NULL, NULL, NULL },
	};
	static const OSSL_ALGORITHM signatures[] = {
		{ "ECDSA", PROPERTIES, sign_functions, "ECDSA by a token" },
		{ NULL, NULL, NULL, NULL },
	};

	(void)provider;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT: return keys;
	case OSSL_OP_SIGNATURE: return signatures;
	default: return NULL;
	}
}

static const OSSL_DISPATCH provider_functions[] = {
	ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
	{ 0, NULL },
};

/*
 * OpenSSL gives a built-in provider no argument of ours: the one that is being
 * loaded on this thread is it.
 */
static _Thread_local struct token_provider *being_loaded;

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	(void)handle;
	(void)in;
	if (being_loaded == NULL)
		return 0;
	*out = provider_functions;
	*provider = being_loaded;
	return 1;
}

enum rc
token_provider_new(
    token_sign_fn *sign_fn, void *arg, struct token_provider **out, struct fault *f)
{
	AUTO(token_provider) *p = OPENSSL_zalloc(sizeof *p);

	if (p == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "token provider");
	p->sign = sign_fn;
	p->arg = arg;
	p->libctx = OSSL_LIB_CTX_new();
	if (p->libctx == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "OSSL_LIB_CTX_new");
	p->fallback = OSSL_PROVIDER_load(p->libctx, "default");
	if (p->fallback == NULL ||
	    OSSL_PROVIDER_add_builtin(p->libctx, PROVIDER_NAME, provider_init) != 1)
		return FAULT_OPENSSL(f, RC_BUG, "provider", "OpenSSL providers");
	being_loaded = p;
	p->own = OSSL_PROVIDER_load(p->libctx, PROVIDER_NAME);
	being_loaded = NULL;
	if (p->own == NULL)
		return FAULT_OPENSSL(f, RC_BUG, "provider", "token provider");
	*out = TAKE(p);
	return RC_OK;
}

void
token_provider_free(struct token_provider *p)
{
	if (p == NULL)
		return;
	if (p->own != NULL)
		OSSL_PROVIDER_unload(p->own);
	if (p->fallback != NULL)
		OSSL_PROVIDER_unload(p->fallback);
	OSSL_LIB_CTX_free(p->libctx);
	OPENSSL_free(p);
}

OSSL_LIB_CTX *
token_provider_libctx(struct token_provider *p)
{
	return p->libctx;
}

enum rc
token_provider_key(
    struct token_provider *p, const uint8_t point[65], EVP_PKEY **out, struct fault *f)
{
	AUTO_OSSL(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(p->libctx, "EC", PROPERTIES);
	char group[] = GROUP;
	uint8_t copy[P256_POINT];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	memcpy(copy, point, sizeof copy);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "EVP_PKEY_fromdata_init");
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		return FAULT_OPENSSL(f, RC_INVALID, "p256_point", "not a point of P-256");
	*out = key;
	return RC_OK;
}
