#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <string.h>

#include "pkcs11/provision_slots.h"
#include "pkcs11/provision_token.h"
#include "pkcs11/show.h"
#include "pkcs11/tokenlock.h"
#include "stir/ossl.h"

enum { CERT_LABEL = 128 };

static enum rc
read_certificate(const struct provision *o, X509 **out, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new_mem_buf(o->file.ptr, (int)o->file.len);

	if (bio == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "certificate");
	*out = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (*out == NULL)
		return FAULT_OPENSSL(
		    f, RC_INVALID, "certificate", "it holds no certificate in PEM");
	return RC_OK;
}

static enum rc
certificate_id(const X509 *x509, uint8_t id[P256_ID], struct fault *f)
{
	const EVP_PKEY *key = X509_get0_pubkey(x509);
	uint8_t point[P256_POINT];
	size_t len = 0;

	if (key == NULL || EVP_PKEY_get_octet_string_param(
			       key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) != 1)
		return FAULT_OPENSSL(
		    f, RC_INVALID, "certificate", "its key is not one on P-256");
	if (len != sizeof point)
		return FAULT(f, RC_INVALID, "certificate", "its key is not one on P-256");
	return p256_key_id(point, id, f);
}

/* As the agent would look for it; the label is what both objects then have in common. */
static enum rc
find_key(const struct provision *o, const uint8_t id[P256_ID], char label[CERT_LABEL],
    struct fault *f)
{
	AUTO_TOKEN t = PROVISION_TOKEN_INIT;
	struct key key;
	CK_ATTRIBUTE a = { CKA_LABEL, label, CERT_LABEL - 1 };

	TRY(provision_open(o, false, &t, f));
	TRY(provision_keys(&t, f));
	if (!keymap_get(t.map, id, &key))
		return FAULT(f, RC_NOT_FOUND, "no_key",
		    "the token has no private key of this certificate: is it another token's?");
	memset(label, 0, CERT_LABEL);
	if (t.login.fn->C_GetAttributeValue(t.login.idle, key.handle, &a, 1) != CKR_OK)
		label[0] = 0;
	return RC_OK;
}

static enum rc
is_stored(PKCS11_SLOT *slot, const X509 *x509, bool *yes, struct fault *f)
{
	PKCS11_CERT *all = NULL;
	unsigned n = 0;

	if (PKCS11_enumerate_certs(slot->token, &all, &n) != 0)
		return slots_refused(f, "store_cert", "search of certificates", "try again");
	*yes = false;
	for (unsigned i = 0; i < n; i++)
		*yes = *yes || (all[i].x509 != NULL && X509_cmp(all[i].x509, x509) == 0);
	return RC_OK;
}

static enum rc
store(struct provision *o, X509 *x509, uint8_t id[P256_ID], char label[CERT_LABEL],
    bool *was_there, struct fault *f)
{
	AUTO_SLOTS s = { .ctx = NULL };
	PKCS11_SLOT *slot = NULL;

	TRY(slots_open(o, &s, f));
	TRY(slots_find(o, &s, &slot, f));
	/* Writing first: libp11 closes all sessions, and with them the login, to change that. */
	if (PKCS11_open_session(slot, 1) != 0)
		return slots_refused(
		    f, "store_cert", "C_OpenSession", "the token takes no changes");
	if (PKCS11_login(slot, 0, slots_pin(&o->pin)) != 0)
		return slots_refused(f, "store_cert", "C_Login", "correct the PIN");
	TRY(is_stored(slot, x509, was_there, f));
	if (*was_there)
		return RC_OK;
	if (PKCS11_store_certificate(slot->token, x509, label, id, P256_ID, NULL) != 0)
		return slots_refused(f, "store_cert", "C_CreateObject",
		    "the token may be full, or take no certificates: the agent needs none "
		    "there");
	return RC_OK;
}

enum rc
provision_store_cert(struct provision *o, FILE *out, struct fault *f)
{
	AUTO_OSSL(X509) *x509 = NULL;
	AUTO_FD lock = -1;
	uint8_t id[P256_ID];
	char label[CERT_LABEL];
	bool was_there = false;

	TRY(read_certificate(o, &x509, f));
	TRY(certificate_id(x509, id, f));
	TRY(find_key(o, id, label, f));
	TRY(tokenlock_take(o->lock_file, TOKENLOCK_WAIT_MS, &lock, f));
	TRY(store(o, x509, id, label, &was_there, f));
	if (o->json)
		fprintf(out, "{\"schema\":\"vesper/hsm-store-cert/1\",\"stored\":%s,\"id\":\"",
		    was_there ? "false" : "true");
	else
		fputs(was_there ? "it is there already: " : "stored: ", out);
	show_hex(out, span_of(id, sizeof id));
	fputs(o->json ? "\"}\n" : "\n", out);
	return RC_OK;
}
