#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "pkcs11/ask.h"
#include "pkcs11/p11rc.h"
#include "pkcs11/provision_token.h"
#include "pkcs11/session.h"
#include "pkcs11/show.h"
#include "stir/ossl.h"

enum { SCALAR = 32, LABEL_ID_BYTES = 8 };

/* A private key outside the token, for as short as can be. */
struct naked {
	uint8_t scalar[SCALAR], point[P256_POINT], id[P256_ID];
};

static void
naked_wipe(struct naked *k)
{
	OPENSSL_cleanse(k, sizeof *k);
}

/* ---- the file -------------------------------------------------------------------- */

/* OpenSSL wants the length, or -1. */
static int
passphrase(char *out, int size, int writing, void *arg)
{
	__attribute__((cleanup(pin_wipe))) struct pin pin = { .len = 0 };
	struct fault *f = arg;

	(void)writing;
	if (ask_pin("passphrase of the key file", false, &pin, f) != RC_OK ||
	    pin.len > (size_t)size)
		return -1;
	memcpy(out, pin.bytes, pin.len);
	return (int)pin.len;
}

static enum rc
read_pem(const struct buf *file, EVP_PKEY **out, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new_mem_buf(file->ptr, (int)file->len);

	if (bio == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "key file");
	*out = PEM_read_bio_PrivateKey(bio, NULL, passphrase, f);
	if (*out == NULL)
		return FAULT_OPENSSL(f, RC_INVALID, "key_file",
		    "it holds no private key in PEM that can be read");
	return RC_OK;
}

/* It is the key: not only let go of. */
static void
scalar_wipe(BIGNUM **scalar)
{
	BN_clear_free(*scalar);
}

static enum rc
take_apart(const EVP_PKEY *key, struct naked *out, struct fault *f)
{
	__attribute__((cleanup(scalar_wipe))) BIGNUM *scalar = NULL;
	char group[32] = "";
	size_t len = 0;

	if (EVP_PKEY_get_utf8_string_param(
		key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) != 1 ||
	    strcmp(group, "prime256v1") != 0)
		return FAULT(f, RC_INVALID, "key_file",
		    "it is not a key on P-256, and ES256 has no other (RFC 8225 section 5.1)");
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) != 1 ||
	    BN_bn2binpad(scalar, out->scalar, SCALAR) != SCALAR ||
	    EVP_PKEY_get_octet_string_param(
		key, OSSL_PKEY_PARAM_PUB_KEY, out->point, sizeof out->point, &len) != 1 ||
	    len != sizeof out->point)
		return FAULT_OPENSSL(f, RC_INVALID, "key_file", "it is not a whole key");
	return p256_key_id(out->point, out->id, f);
}

/* The certificate that it is meant for has another key: nothing would ever sign with this one. */
static enum rc
check_expected(const struct provision *o, const struct naked *k, struct fault *f)
{
	AUTO_BUF hex = BUF_INIT(2 * P256_ID + 1);

	if (o->key_id == NULL)
		return RC_OK;
	buf_hex(&hex, span_of(k->id, sizeof k->id));
	if (buf_text(&hex) == NULL || strcmp(buf_text(&hex), o->key_id) != 0)
		return FAULT(f, RC_INVALID, "key_file", "the certificate is of another key");
	return RC_OK;
}

static enum rc
read_key(struct provision *o, struct naked *out, struct fault *f)
{
	AUTO_OSSL(EVP_PKEY) *key = NULL;

	TRY(read_pem(&o->file, &key, f));
	TRY(take_apart(key, out, f));
	return check_expected(o, out, f);
}

/* ---- the token --------------------------------------------------------------------- */

static CK_RV
create(struct provision_token *t, struct naked *k, CK_OBJECT_HANDLE *out)
{
	static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
		0x07 };
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_KEY_TYPE type = CKK_EC;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	uint8_t params[sizeof p256];
	char label[LABEL_MAX];
	size_t n = (size_t)snprintf(label, sizeof label, "vesper-imported-");
	CK_ATTRIBUTE template[] = {
		{ CKA_LABEL, label, 0 },
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_SENSITIVE, &yes, sizeof yes },
		{ CKA_EXTRACTABLE, &no, sizeof no },
		{ CKA_SIGN, &yes, sizeof yes },
		{ CKA_DECRYPT, &no, sizeof no },
		{ CKA_UNWRAP, &no, sizeof no },
		{ CKA_DERIVE, &no, sizeof no },
		{ CKA_EC_PARAMS, params, sizeof params },
		{ CKA_ID, k->id, sizeof k->id },
		{ CKA_VALUE, k->scalar, sizeof k->scalar },
	};

	for (size_t i = 0; i < LABEL_ID_BYTES; i++)
		n += (size_t)snprintf(label + n, sizeof label - n, "%02x", k->id[i]);
	template[0].ulValueLen = n;
	memcpy(params, p256, sizeof params);
	return t->login.fn->C_CreateObject(t->login.idle, template, ARRAY_LEN(template), out);
}

/* What the token says of it now, and that it signs with the very key that the file has. */
static enum rc
prove(struct provision_token *t, const struct naked *k, CK_OBJECT_HANDLE key, struct fault *f)
{
	static const uint8_t digest[P256_DIGEST] = "vesper key import: one signature";
	struct key_facts facts = { .acceptable = false };
	struct session s = { .login = &t->login, .handle = CK_INVALID_HANDLE };
	atomic_uint_fast64_t calls = 0;
	uint8_t sig[P256_SIG];
	CK_RV rv = keymap_facts(t->map, key, &facts);

	if (rv == CKR_OK && (!facts.acceptable || !facts.has_id))
		return FAULT(f, RC_HSM, "import",
		    "the token does not keep it as asked, not extractable and with its id");
	if (rv == CKR_OK)
		rv = session_sign(&s, key, digest, sig, &calls);
	session_close(&s);
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "import", "C_Sign with it: %s", p11rc_name(rv));
	return p256_verify(k->point, digest, sig, f);
}

static enum rc
bring(struct provision_token *t, struct naked *k, struct fault *f)
{
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	CK_RV rv = create(t, k, &key);
	enum rc rc;

	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "import",
		    "C_CreateObject: %s: a token that takes no keys from outside, or is full, "
		    "needs a certificate for a key of its own: let the agent order one",
		    p11rc_name(rv));
	rc = prove(t, k, key, f);
	if (rc != RC_OK)
		(void)t->login.fn->C_DestroyObject(t->login.idle, key);
	return rc;
}

/* It may be there from an import before; one that the agent would refuse stands in the way. */
static enum rc
bring_once(struct provision_token *t, struct naked *k, bool *was_there, struct fault *f)
{
	struct key key;

	*was_there = keymap_get(t->map, k->id, &key);
	if (!*was_there)
		return bring(t, k, f);
	if (key.state == KEY_REFUSED)
		return FAULT(f, RC_CONFLICT, "key_exists",
		    "the token has a key of this id that may leave it, or two: remove it "
		    "first");
	return prove(t, k, key.handle, f);
}

enum rc
provision_import(struct provision *o, FILE *out, struct fault *f)
{
	__attribute__((cleanup(naked_wipe))) struct naked k = { .scalar = { 0 } };
	AUTO_TOKEN t = PROVISION_TOKEN_INIT;
	bool was_there = false;

	TRY(read_key(o, &k, f));
	TRY(provision_open(o, true, &t, f));
	TRY(provision_keys(&t, f));
	TRY(bring_once(&t, &k, &was_there, f));
	if (o->json)
		fprintf(out, "{\"schema\":\"vesper/key-import/1\",\"imported\":%s,\"id\":\"",
		    was_there ? "false" : "true");
	else
		fputs(was_there ? "it is there already: " : "imported: ", out);
	show_hex(out, span_of(k.id, sizeof k.id));
	fputs(o->json ? "\"}\n" : "\n", out);
	return RC_OK;
}
