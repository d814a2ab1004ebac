#include "tests/unit/crllab.h"

#include "tests/unit/cm.h"

static ASN1_INTEGER *
integer(const char *hex)
{
	BIGNUM *n = NULL;
	ASN1_INTEGER *out;

	assert_true(BN_hex2bn(&n, hex) > 0);
	out = BN_to_ASN1_INTEGER(n, NULL);
	assert_non_null(out);
	BN_free(n);
	return out;
}

static GENERAL_NAMES *
name_of(const X509 *issuer)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();

	GENERAL_NAME_set0_value(
	    name, GEN_DIRNAME, X509_NAME_dup(X509_get_subject_name(issuer)));
	assert_true(sk_GENERAL_NAME_push(list, name) > 0);
	return list;
}

static void
add_uri(GENERAL_NAMES *list, const char *url, size_t len)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	assert_int_equal(ASN1_STRING_set(text, url, (int)len), 1);
	GENERAL_NAME_set0_value(name, GEN_URI, text);
	assert_true(sk_GENERAL_NAME_push(list, name) > 0);
}

static GENERAL_NAMES *
uri_of(const char *url)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();

	for (; *url != 0; url += strspn(url, " ")) {
		size_t len = strcspn(url, " ");

		add_uri(list, url, len);
		url += len;
	}
	return list;
}

static DIST_POINT_NAME *
point_name(const char *url)
{
	DIST_POINT_NAME *name = DIST_POINT_NAME_new();

	name->type = 0;
	name->name.fullname = uri_of(url);
	return name;
}

static ASN1_BIT_STRING *
some_reasons(void)
{
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();

	assert_int_equal(ASN1_BIT_STRING_set_bit(bits, 1, 1), 1);
	return bits;
}

/* ---- extensions ---- */

static void
add(X509_CRL *crl, int nid, void *value, int critical)
{
	assert_int_equal(X509_CRL_add1_ext_i2d(crl, nid, value, critical, 0), 1);
}

static X509_EXTENSION *
unknown_extension(void)
{
	AUTO_OSSL(ASN1_OBJECT) *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
	AUTO_OSSL(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();

	assert_int_equal(ASN1_OCTET_STRING_set(octets, (const uint8_t *)"\x05", 1), 1);
	return X509_EXTENSION_create_by_OBJ(NULL, oid, 1, octets);
}

static void
add_key_id(X509_CRL *crl, const struct crllab_spec *s)
{
	AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(s->issuer);

	aki->keyid = ski != NULL ? ASN1_OCTET_STRING_dup(ski) : ASN1_OCTET_STRING_new();
	if ((s->faults & CRLLAB_WRONG_AKI) != 0)
		assert_int_equal(
		    ASN1_OCTET_STRING_set(aki->keyid, (const uint8_t *)"other", 5), 1);
	add(crl, NID_authority_key_identifier, aki, 0);
	AUTHORITY_KEYID_free(aki);
}

static void
add_scope(X509_CRL *crl, const struct crllab_spec *s)
{
	ISSUING_DIST_POINT *p = ISSUING_DIST_POINT_new();
	bool reasons = (s->faults & CRLLAB_REASONS) != 0;
	bool attributes = (s->faults & CRLLAB_ATTRIBUTES) != 0;

	if (s->url != NULL)
		p->distpoint = point_name(s->url);
	p->indirectCRL = s->indirect ? 0xff : 0;
	p->onlyuser = s->users ? 0xff : 0;
	p->onlyCA = s->cas ? 0xff : 0;
	p->onlyattr = attributes ? 0xff : 0;
	p->onlysomereasons = reasons ? some_reasons() : NULL;
	if (s->url != NULL || s->indirect || s->users || s->cas || reasons || attributes)
		add(crl, NID_issuing_distribution_point, p, 1);
	ISSUING_DIST_POINT_free(p);
}

static void
add_extensions(X509_CRL *crl, const struct crllab_spec *s)
{
	AUTO_OSSL(X509_EXTENSION) *unknown = unknown_extension();
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	add_key_id(crl, s);
	add_scope(crl, s);
	assert_int_equal(ASN1_INTEGER_set(number, s->number), 1);
	if (s->number != 0)
		add(crl, NID_crl_number, number, 0);
	if ((s->faults & CRLLAB_DELTA) != 0)
		add(crl, NID_delta_crl, number, 1);
	if ((s->faults & (CRLLAB_CRITICAL | CRLLAB_TWICE)) != 0)
		assert_int_equal(X509_CRL_add_ext(crl, unknown, -1), 1);
	if ((s->faults & CRLLAB_TWICE) != 0)
		assert_int_equal(X509_CRL_add_ext(crl, unknown, -1), 1);
	ASN1_INTEGER_free(number);
}

/* ---- entries ---- */

static void
add_entry(X509_CRL *crl, const struct crllab_entry *e, bool critical)
{
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *serial = integer(e->serial);
	ASN1_TIME *when = ASN1_TIME_adj(NULL, (time_t)(PKI_NOW - 7200), 0, 0);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
	AUTO_OSSL(X509_EXTENSION) *unknown = unknown_extension();

	assert_int_equal(X509_REVOKED_set_serialNumber(r, serial), 1);
	assert_int_equal(X509_REVOKED_set_revocationDate(r, when), 1);
	assert_int_equal(ASN1_ENUMERATED_set(reason, e->reason), 1);
	if (e->reason != 0)
		assert_int_equal(X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, reason, 0, 0), 1);
	if (e->issuer != NULL) {
		GENERAL_NAMES *name = name_of(e->issuer);

		assert_int_equal(
		    X509_REVOKED_add1_ext_i2d(r, NID_certificate_issuer, name, 1, 0), 1);
		GENERAL_NAMES_free(name);
	}
	if (critical)
		assert_int_equal(X509_REVOKED_add_ext(r, unknown, -1), 1);
	assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
	ASN1_ENUMERATED_free(reason);
	ASN1_TIME_free(when);
	ASN1_INTEGER_free(serial);
}

void
crllab_make(struct buf *out, const struct crllab_spec *s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from =
	    ASN1_TIME_adj(NULL, (time_t)(s->this_s != 0 ? s->this_s : PKI_NOW - 3600), 0, 0);
	ASN1_TIME *to =
	    ASN1_TIME_adj(NULL, (time_t)(s->next_s != 0 ? s->next_s : PKI_NOW + 86400), 0, 0);
	unsigned char *der = NULL;
	int len;

	assert_int_equal(X509_CRL_set_version(crl, 1), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(s->issuer)), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, from), 1);
	if ((s->faults & CRLLAB_NO_NEXT) == 0)
		assert_int_equal(X509_CRL_set1_nextUpdate(crl, to), 1);
	add_extensions(crl, s);
	for (size_t i = 0; i < CRLLAB_ENTRIES && s->entry[i].serial != NULL; i++)
		add_entry(
		    crl, &s->entry[i], i == 0 && (s->faults & CRLLAB_ENTRY_CRITICAL) != 0);
	assert_true(X509_CRL_sign(crl, s->key, s->md != NULL ? s->md : EVP_sha256()) > 0);
	len = i2d_X509_CRL(crl, &der);
	assert_true(len > 0);
	buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	X509_CRL_free(crl);
}

/* ---- what a certificate names ---- */

static DIST_POINT_NAME *
relative_name(void)
{
	DIST_POINT_NAME *name = DIST_POINT_NAME_new();
	X509_NAME *rdn = X509_NAME_new();

	assert_int_equal(X509_NAME_add_entry_by_NID(rdn, NID_commonName, MBSTRING_ASC,
			     (const unsigned char *)"crl", -1, -1, 0),
	    1);
	name->type = 1;
	name->name.relativename = sk_X509_NAME_ENTRY_new_null();
	assert_true(sk_X509_NAME_ENTRY_push(name->name.relativename,
			X509_NAME_ENTRY_dup(X509_NAME_get_entry(rdn, 0))) > 0);
	X509_NAME_free(rdn);
	return name;
}

void
crllab_points(struct buf *out, const char *url, const X509 *issuer, enum crllab_point kind)
{
	CRL_DIST_POINTS *list = sk_DIST_POINT_new_null();
	DIST_POINT *p = DIST_POINT_new();
	unsigned char *der = NULL;
	int len;

	p->distpoint = kind == CRLLAB_POINT_RELATIVE ? relative_name() : point_name(url);
	p->reasons = kind == CRLLAB_POINT_REASONS ? some_reasons() : NULL;
	p->CRLissuer = issuer != NULL ? name_of(issuer) : NULL;
	assert_true(sk_DIST_POINT_push(list, p) > 0);
	len = i2d_CRL_DIST_POINTS(list, &der);
	assert_true(len > 0);
	buf_put(out, der, (size_t)len);
	OPENSSL_free(der);
	CRL_DIST_POINTS_free(list);
}
