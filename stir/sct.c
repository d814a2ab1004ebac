#include "stir/sct.h"

#include <openssl/err.h>

#include "stir/der.h"
#include "stir/digest.h"
#include "stir/tlsread.h"

enum { TBS_MAX = CERT_MAX_DER, SIGNED_MAX = TBS_MAX + 65536 + 64 };

/* ---- the list in the certificate ------------------------------------------- */

struct sct {
	const uint8_t *log_id;
	uint64_t time_ms;
	struct span extensions, signature; /* the latter as TLS writes it */
};

/* RFC 5246 section 4.7: two octets that say how, and a vector. */
struct tls_signature {
	uint64_t hash, algorithm;
	struct span octets;
};

static bool
read_signature(struct span in, struct tls_signature *out)
{
	return tls_uint(&in, 1, &out->hash) && tls_uint(&in, 1, &out->algorithm) &&
	       tls_vector(&in, 2, &out->octets) && in.len == 0;
}

static bool
is_signature(struct span in)
{
	struct tls_signature ignored = { 0 };

	return read_signature(in, &ignored);
}

/* RFC 6962 section 3.2: one SignedCertificateTimestamp, version 1. */
static enum rc
decode_sct(struct span in, struct sct *out, struct fault *f)
{
	uint64_t version = 0;

	if (!tls_uint(&in, 1, &version))
		return FAULT(f, RC_INVALID, "sct_list", "an SCT without octets");
	if (version != 0)
		return FAULT(f, RC_INVALID, "sct_list", "SCT version %d", (int)version + 1);
	if (in.len < CTLOG_ID_LEN)
		return FAULT(f, RC_INVALID, "sct_list", "no log id");
	out->log_id = span_cut(&in, CTLOG_ID_LEN).ptr;
	if (!tls_uint(&in, 8, &out->time_ms) || !tls_vector(&in, 2, &out->extensions))
		return FAULT(f, RC_INVALID, "sct_list", "an SCT is cut short");
	out->signature = in;
	if (!is_signature(in))
		return FAULT(f, RC_INVALID, "sct_list", "the signature of an SCT");
	return RC_OK;
}

static enum rc
decode_list(struct span in, struct sct list[SCT_MAX_LIST], size_t *n, struct fault *f)
{
	struct span octets = { 0 }, scts = { 0 };

	/* RFC 6962 section 3.3: an OCTET STRING inside the extension's own. */
	TRY(der_expect(&in, DER_OCTET_STRING, &octets, f));
	TRY(der_end(in, f));
	if (!tls_vector(&octets, 2, &scts) || octets.len != 0 || scts.len == 0)
		return FAULT(f, RC_INVALID, "sct_list", "the length of the list");
	while (scts.len > 0) {
		struct span one = { 0 };

		if (*n == SCT_MAX_LIST)
			return FAULT(
			    f, RC_INVALID, "sct_list", "more than %d SCTs", SCT_MAX_LIST);
		if (!tls_vector(&scts, 2, &one))
			return FAULT(f, RC_INVALID, "sct_list", "a vector is cut short");
		TRY(decode_sct(one, &list[*n], f));
		(*n)++;
	}
	return RC_OK;
}

static enum rc
read_list(const struct cert *leaf, struct sct list[SCT_MAX_LIST], size_t *n, struct fault *f)
{
	int at = X509_get_ext_by_NID(leaf->x509, NID_ct_precert_scts, -1);
	const ASN1_OCTET_STRING *value;
	struct fault inner = { 0 };
	struct span octets;

	if (at < 0)
		return RC_OK;
	value = X509_EXTENSION_get_data(X509_get_ext(leaf->x509, at));
	octets = span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
	if (decode_list(octets, list, n, &inner) != RC_OK)
		return FAULT(f, RC_INVALID, "sct_list", "%s", inner.detail);
	return RC_OK;
}

/* ---- what a log signed ------------------------------------------------------ */

struct precert {
	uint8_t issuer[DIGEST_SHA256_LEN];
	const struct buf *tbs;
};

static enum rc
issuer_hash(const X509 *issuer, uint8_t out[DIGEST_SHA256_LEN], struct fault *f)
{
	unsigned char *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &spki);
	bool ok = len > 0 && digest_sha256(span_of(spki, (size_t)len), out, NULL) == RC_OK;

	OPENSSL_free(spki);
	return ok ? RC_OK : FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "issuer's key");
}

/* RFC 6962 section 3.2: the TBSCertificate without the SCT list, encoded again. */
static enum rc
bare_tbs(const struct cert *leaf, struct buf *out, struct fault *f)
{
	AUTO_OSSL(X509) *copy = X509_dup(leaf->x509);
	AUTO_OSSL(X509_EXTENSION) *list = NULL;
	unsigned char *der = NULL;
	int len;

	if (copy == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "X509_dup");
	list = X509_delete_ext(copy, X509_get_ext_by_NID(copy, NID_ct_precert_scts, -1));
	len = i2d_re_X509_tbs(copy, &der);
	if (list == NULL || len <= 0)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "TBSCertificate");
	buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
	return buf_check(out, f);
}

/*
 * What an SCT signs, and at once the leaf of the tree (RFC 6962 sections 3.2
 * and 3.4): where the one says v1 and certificate_timestamp, the other says v1
 * and timestamped_entry, and both are zeros.
 */
static enum rc
signed_data(struct buf *out, const struct precert *pre, const struct sct *sct, struct fault *f)
{
	tls_put_uint(out, 0, 1);
	tls_put_uint(out, 0, 1);
	tls_put_uint(out, sct->time_ms, 8);
	tls_put_uint(out, 1, 2); /* precert_entry */
	buf_put(out, pre->issuer, sizeof pre->issuer);
	tls_put_vector(out, buf_view(pre->tbs), 3);
	tls_put_vector(out, sct->extensions, 2);
	return buf_check(out, f);
}

enum { TLS_SHA256 = 4, TLS_RSA = 1, TLS_ECDSA = 3 }; /* RFC 5246 section 7.4.1.4.1 */

bool
sct_signed_by(const struct ctlog *log, struct span digitally_signed, struct span data)
{
	AUTO_OSSL(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	uint8_t algorithm = EVP_PKEY_is_a(log->key, "RSA") ? TLS_RSA : TLS_ECDSA;
	struct tls_signature s = { 0 };
	bool good;

	good = ctx != NULL && read_signature(digitally_signed, &s) && s.hash == TLS_SHA256 &&
	       s.algorithm == algorithm &&
	       EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, log->key, NULL) == 1 &&
	       EVP_DigestVerify(ctx, s.octets.ptr, s.octets.len, data.ptr, data.len) == 1;
	ERR_clear_error();
	return good;
}

static enum rc
verify_sct(const struct ctlog *log, const struct precert *pre, const struct sct *sct,
    bool *good, struct fault *f)
{
	AUTO_BUF data = BUF_INIT(SIGNED_MAX);

	TRY(signed_data(&data, pre, sct, f));
	*good = sct_signed_by(log, sct->signature, buf_view(&data));
	return RC_OK;
}

/* Log and operator count once each, however many SCTs they gave. */
struct tally {
	const struct ctlog *seen[SCT_MAX_LIST];
	size_t n;
};

static void
count_valid(struct tally *t, const struct ctlog *log, struct sct_result *r)
{
	bool new_operator = true;

	for (size_t i = 0; i < t->n; i++) {
		if (t->seen[i] == log)
			return;
		if (t->seen[i]->owner == log->owner)
			new_operator = false;
	}
	t->seen[t->n++] = log;
	r->valid++;
	r->operators += new_operator;
}

static bool
log_serves(const struct ctlog *log, const struct cert *leaf)
{
	return log != NULL && log->usable && leaf->not_after_s >= log->from_s &&
	       leaf->not_after_s < log->until_s;
}

static enum rc
judge(const struct cert *leaf, const struct precert *pre, const struct ctlogs *logs,
    const struct sct *sct, struct tally *t, struct sct_result *r, struct fault *f)
{
	const struct ctlog *log = ctlogs_find(logs, sct->log_id);
	bool good = false;

	if (!log_serves(log, leaf)) {
		r->unknown++;
		return RC_OK;
	}
	TRY(verify_sct(log, pre, sct, &good, f));
	if (good)
		count_valid(t, log, r);
	else
		r->invalid++;
	return RC_OK;
}

static enum rc
open_precert(const struct cert *leaf, const X509 *issuer, struct precert *pre, struct buf *tbs,
    struct fault *f)
{
	if (issuer == NULL)
		return FAULT(
		    f, RC_DENIED, "sct_issuer", "without its issuer no SCT can be checked");
	TRY(issuer_hash(issuer, pre->issuer, f));
	pre->tbs = tbs;
	return bare_tbs(leaf, tbs, f);
}

enum rc
sct_check(const struct cert *leaf, const X509 *issuer, const struct ctlogs *logs,
    int64_t now_ms, struct sct_result *out, struct fault *f)
{
	struct sct list[SCT_MAX_LIST];
	struct sct_result r = { 0 };
	AUTO_BUF tbs = BUF_INIT(TBS_MAX);
	struct precert pre = { 0 };
	struct tally t = { 0 };

	TRY(read_list(leaf, list, &r.present, f));
	if (r.present > 0)
		TRY(open_precert(leaf, issuer, &pre, &tbs, f));
	for (size_t i = 0; i < r.present; i++) {
		if (list[i].time_ms > INT64_MAX || (int64_t)list[i].time_ms > now_ms)
			r.future++;
		else
			TRY(judge(leaf, &pre, logs, &list[i], &t, &r, f));
	}
	*out = r;
	if (r.future > 0)
		return FAULT(f, RC_DENIED, "sct_future", "%zu SCTs of the future", r.future);
	return RC_OK;
}

enum rc
sct_promises(const struct cert *leaf, const X509 *issuer, struct sct_promise out[SCT_MAX_LIST],
    size_t *n, struct fault *f)
{
	struct sct list[SCT_MAX_LIST];
	AUTO_BUF tbs = BUF_INIT(TBS_MAX), data = BUF_INIT(SIGNED_MAX);
	struct precert pre = { 0 };
	size_t len = 0;

	TRY(read_list(leaf, list, &len, f));
	if (len > 0)
		TRY(open_precert(leaf, issuer, &pre, &tbs, f));
	for (size_t i = 0; i < len; i++) {
		memcpy(out[i].log_id, list[i].log_id, CTLOG_ID_LEN);
		out[i].time_ms =
		    list[i].time_ms < INT64_MAX ? (int64_t)list[i].time_ms : INT64_MAX;
		buf_clear(&data);
		TRY(signed_data(&data, &pre, &list[i], f));
		TRY(merkle_leaf(buf_view(&data), out[i].leaf, f));
	}
	*n = len;
	return RC_OK;
}
