#include "agent/front/judge.h"

#include "agent/front/caurl.h"
#include "agent/front/inclusion.h"
#include "agent/front/keyfile.h"
#include "agent/front/lint.h"
#include "agent/front/policy.h"
#include "agent/front/revocation.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "agent/secret.h"
#include "stir/b64.h"
#include "stir/digest.h"

enum {
	JUDGE_HEADER_MAX = 65536,
	JUDGE_TEXT_MAX = 16384,
	MS_PER_S = 1000,
};

size_t
judge_conveyed(const struct chain *c)
{
	size_t n = c->len;

	if (n > 1 && (X509_get_extension_flags(c->cert[n - 1]->x509) & EXFLAG_SS) != 0)
		n--;
	return n;
}

static enum rc
read_salts(const struct config_credential *cc, struct buf *out, struct fault *f)
{
	return secret_read_long(&cc->salts, PRIVACY_MAX_FILE, out, f);
}

/* Other salts judge otherwise.  Of the file there is only its digest here. */
static void
put_salts(struct buf *out, const struct config_credential *cc)
{
	AUTO_SECRET text = BUF_INIT(PRIVACY_MAX_FILE + 1);
	uint8_t digest[32] = { 0 };

	if (cc->salts.text != NULL && read_salts(cc, &text, NULL) == RC_OK &&
	    digest_sha256(buf_view(&text), digest, NULL) == RC_OK)
		buf_put(out, digest, sizeof digest);
}

bool
judge_digest(const struct judge *j, struct span pem, uint8_t out[32])
{
	const struct config_credential *cc = credset_config(j->set, j->at);
	const struct constraints_policy *p = &cc->constraints_policy;
	AUTO_BUF text = BUF_INIT(CHAIN_MAX_BYTES + JUDGE_TEXT_MAX);

	buf_put(&text, credset_judged_by(j->set), 32);
	buf_printf(&text, "%s %u %u %u %u %u %u ", profile_rule(cc->profile)->name, j->token,
	    cc->priority, (unsigned)cc->convey, cc->identity, cc->identity_max_bytes,
	    cc->min_scts);
	buf_printf(&text, "%d %d %d %d %d %d %d %d %d %d ", cc->allow_range_to_all_nines,
	    p->rfc8226_strict_permitted, p->normalise_permitted, p->accept_quoted_permitted,
	    p->assert_committed, p->commit_without_salt, cc->third_party_rcd, cc->attest_in_rsp,
	    cc->publish_root, cc->orig_uri);
	buf_printf(&text, "%d %d ", cc->rcd_without_rcdi, j->set->config->ct_proofs);
	if (cc->third_party_rcd)
		buf_printf(&text, "%zu:%s ", strlen(cc->third_party_iss), cc->third_party_iss);
	put_salts(&text, cc);
	for (size_t i = 0; i < cc->policies.len; i++)
		buf_printf(&text, "%s ", cc->policies.item[i]);
	buf_printf(&text, "%u ", policy_ppts_passed(&j->set->config->tenant[j->at.tenant], cc));
	buf_printf(&text, "%s %d", cc->x5u != NULL ? cc->x5u : "-", cc->x5u_from_order);
	buf_printf(&text, " %s %s", encompass_name(cc->encompassing),
	    j->set->config->do_not_originate != NULL ? j->set->config->do_not_originate : "-");
	buf_byte(&text, '\n');
	buf_span(&text, pem);
	return buf_check(&text, NULL) == RC_OK &&
	       digest_sha256(buf_view(&text), out, NULL) == RC_OK;
}

/* ---- path, time, SCTs ---- */

/* RFC 9060 section 7.  Providers' certificates lack much in the field (D-62). */
static enum rc
check_ski(const struct judge *j, const struct cert *leaf, struct fault *f)
{
	const struct config_credential *cc = credset_config(j->set, j->at);

	if (profile_rule(cc->profile)->cls == CLASS_SP ||
	    X509_get0_subject_key_id(leaf->x509) != NULL)
		return RC_OK;
	return FAULT(f, RC_DENIED, "chain_ski",
	    "certificate %.20s: it has no subject key identifier (RFC 9060 section 7)",
	    leaf->serial);
}

/* One of those that the operator named; of a provider's it is only said (D-62). */
static enum rc
check_policies(const struct judge *j, const struct cert *leaf, struct fault *f)
{
	const struct config_credential *cc = credset_config(j->set, j->at);

	if (cc->policies.len == 0 || profile_rule(cc->profile)->cls == CLASS_SP)
		return RC_OK;
	for (size_t i = 0; i < cc->policies.len; i++) {
		if (lint_has_policy(leaf, cc->policies.item[i]))
			return RC_OK;
	}
	return FAULT(f, RC_DENIED, "certificate_policy",
	    "certificate %.20s: none of policies of credential '%.40s' is in it", leaf->serial,
	    cc->name);
}

/* D-49: whoever fetches the certificate there has reached whom it names. */
static enum rc
check_domain(const struct judge *j, const struct cert *leaf, struct fault *f)
{
	const struct config_credential *cc = credset_config(j->set, j->at);

	if (!profile_rule(cc->profile)->domain_bound || cc->x5u == NULL ||
	    leaf->dns_name == NULL || lint_is_host(cc->x5u, leaf->dns_name))
		return RC_OK; /* that there is a name, gate_open() asks */
	return FAULT(f, RC_DENIED, "x5u_host",
	    "certificate %.20s: its dNSName is not the host of x5u of credential '%.40s'",
	    leaf->serial, cc->name);
}

static enum rc
check_path(
    const struct judge *j, const struct chain *chain, const X509 **issuer, struct fault *f)
{
	int64_t from_s = 0, to_s = 0, at_s = j->now_s;

	if (j->set->anchors == NULL)
		return FAULT(f, RC_DENIED, "chain_path", "no trust anchors are configured");
	chain_validity(chain, &from_s, &to_s);
	if (from_s > to_s)
		return FAULT(f, RC_DENIED, "chain_validity", "at no time is all of it valid");
	if (!j->strict_time && at_s < from_s)
		at_s = from_s;
	if (!j->strict_time && at_s > to_s)
		at_s = to_s;
	return chain_verify(chain, j->set->anchors, at_s, issuer, f);
}

static enum rc
find_list(const struct judge *j, const struct tnlist_of *of, const char *url,
    struct tnlist **out, struct fault *f)
{
	if (j->list == NULL || strcmp(j->list->url, url) != 0)
		return tnlist_read(of, url, out, f);
	*out = tnlist_ref(j->list);
	return RC_OK;
}

/* D-46: what the renewer has fetched before; one that is absent is asked for. */
static enum rc
take_list(const struct judge *j, struct credential *c, struct fault *f)
{
	const struct tnlist_of of = { j->set->config, c->tenant,
		j->dir != NULL ? j->dir : c->name, credset_config(j->set, j->at) };
	const struct cert *leaf = c->chain->cert[0];
	struct fault why = { 0 };

	if (!leaf->tnauth_by_reference || leaf->tnauth_url == NULL)
		return RC_OK;
	if (find_list(j, &of, leaf->tnauth_url, &c->list, &why) == RC_OK)
		return credential_want_list(c, leaf->tnauth_url, c->list->due_s, f);
	if (why.rc != RC_NOT_FOUND && why.rc != RC_INVALID)
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	if (leaf->tnauth != NULL) /* a list that stands by itself */
		return credential_want_list(c, leaf->tnauth_url, 0, f);
	if (j->wanted != NULL && *j->wanted == NULL)
		*j->wanted = strdup(leaf->tnauth_url);
	return FAULT(f, RC_BUSY, "tnlist_missing",
	    "the TNAuthList by reference has not been fetched yet: %.100s", leaf->tnauth_url);
}

/* RFC 9060 section 4, D-45 */
static enum rc
check_scope(const struct judge *j, struct credential *c, struct fault *f)
{
	const struct config_credential *cc = credset_config(j->set, j->at);
	struct encompass e = { .chain = c->chain,
		.anchor = chain_anchor(c->chain, j->set->anchors),
		.referenced = c->list != NULL ? c->list->numbers : NULL };
	bool numbers = profile_rule(cc->profile)->codes_are_originators;

	c->scope = encompass_judge(&e);
	e.codes_are_originators = true;
	c->scope_of_numbers = encompass_judge(&e); /* proof.h asks both */
	return encompass_allows(cc->encompassing, numbers ? c->scope_of_numbers : c->scope, f);
}

static enum rc
check_scts(const struct judge *j, const struct cert *leaf, const X509 *issuer, size_t *valid,
    struct fault *f)
{
	const struct config_credential *cc = credset_config(j->set, j->at);
	struct sct_result r = { 0 };

	/* now_s is the second that has begun: a timestamp inside it is not of the future. */
	if (j->set->ctlogs != NULL)
		TRY(sct_check(
		    leaf, issuer, j->set->ctlogs, j->now_s * MS_PER_S + MS_PER_S - 1, &r, f));
	if (r.valid < cc->min_scts)
		return REFUSE(f, RC_DENIED, SCT_POLICY, NULL,
		    "certificate %.20s: %zu valid timestamps of usable logs, %u wanted (%zu "
		    "present, %zu of unknown logs, %zu with a wrong signature)",
		    leaf->serial, r.valid, cc->min_scts, r.present, r.unknown, r.invalid);
	*valid = r.valid;
	return RC_OK;
}

/* ---- what is conveyed ---- */

/* The CA's word; where its note is lost there is none. */
static enum rc
x5u_of_order(
    const struct judge *j, const struct credential *c, struct buf *url, struct fault *f)
{
	const struct config *config = j->set->config;
	const struct config_credential *cc = credset_config(j->set, j->at);
	struct fault why = { 0 };
	enum rc rc;

	if (j->x5u != NULL) {
		buf_str(url, j->x5u);
		return caurl_check(cc, j->x5u, f);
	}
	rc = caurl_read(config, config->tenant[j->at.tenant].name,
	    j->dir != NULL ? j->dir : cc->name, cc, c->fingerprint, url, &why);
	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (rc == RC_OK)
		return RC_OK;
	log_fault(LEVEL_WARNING, "x5u_of_order", &why);
	if ((cc->convey & CONVEY_X5C) == 0)
		return FAULT(f, RC_DENIED, "x5u_missing",
		    "nothing is conveyed: the x5u of its order is not known");
	buf_clear(url);
	return RC_OK;
}

/* D-61: one immutable URL per certificate. */
static enum rc
set_x5u(const struct judge *j, struct credential *c, struct fault *f)
{
	const struct config_credential *cc = credset_config(j->set, j->at);
	AUTO_BUF url = BUF_INIT(CAURL_MAX + 1);

	if (cc->x5u == NULL)
		return RC_OK;
	if (cc->x5u_from_order)
		TRY(x5u_of_order(j, c, &url, f));
	else
		buf_printf(&url, "%s%s.pem", cc->x5u, c->fingerprint);
	TRY(buf_check(&url, f));
	if (url.len == 0)
		return RC_OK;
	c->x5u = buf_steal(&url);
	return c->x5u != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "x5u");
}

/* D-47: of a chain that came without it, for the file behind the x5u. */
static enum rc
set_root(const struct judge *j, struct credential *c, struct fault *f)
{
	const struct cert *anchor = chain_anchor(c->chain, j->set->anchors);
	struct chain root = { .len = 1, .cert = { (struct cert *)(uintptr_t)anchor } };
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);

	if (!credset_config(j->set, j->at)->publish_root || anchor == NULL)
		return RC_OK;
	TRY(chain_write_pem(&pem, &root, f));
	c->root_pem = buf_steal(&pem);
	return c->root_pem != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "a root");
}

static enum rc
set_header(struct credential *c, enum ppt ppt, enum conveyance convey, struct fault *f)
{
	struct span x5c[CHAIN_MAX];
	AUTO_BUF json = BUF_INIT(JUDGE_HEADER_MAX), text = BUF_INIT(JUDGE_HEADER_MAX);
	size_t n = (convey & CONVEY_X5C) != 0 ? judge_conveyed(c->chain) : 0, total = 0;
	const char *x5u = (convey & CONVEY_X5U) != 0 ? c->x5u : NULL;

	for (size_t i = 0; i < n; i++) {
		x5c[i] = span_of(c->chain->cert[i]->der, c->chain->cert[i]->der_len);
		total += x5c[i].len;
	}
	if (total > JUDGE_MAX_X5C)
		return REFUSE(f, RC_DENIED, IDENTITY_TOO_LARGE, NULL,
		    "%zu bytes of certificates in x5c, at most %d", total, JUDGE_MAX_X5C);
	TRY(passport_header(&json, ppt, x5u, x5c, n, f));
	TRY(buf_check(&json, f));
	b64_encode(&text, B64_URL, buf_view(&json));
	TRY(buf_check(&text, f));
	c->header[ppt] = buf_steal(&text);
	return c->header[ppt] != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "a header");
}

/* The shortest claims that a ppt can have, with numbers of full length. */
static size_t
minimal_claims(enum ppt ppt)
{
	static const char base[] =
	    "{\"dest\":{\"tn\":[\"123456789012345\"]},\"iat\":1234567890,"
	    "\"orig\":{\"tn\":\"123456789012345\"}}";

	return sizeof base - 1 + ppt_rule(ppt)->least;
}

/* D-17: an Identity value that would be too large is found at activation, not at a call. */
static enum rc
check_identity(const struct credential *c, const struct config_credential *cc, enum ppt ppt,
    struct fault *f)
{
	const char *name = ppt_rule(ppt)->name;
	size_t len = strlen(c->header[ppt]) + 1;

	if (!cc->identity)
		return RC_OK;
	len += b64_encoded_len(B64_URL, minimal_claims(ppt)) + 1;
	len += b64_encoded_len(B64_URL, ES256_SIG_LEN);
	len += strlen(";info=<>;alg=ES256") + (c->x5u != NULL ? strlen(c->x5u) : 0);
	len += name != NULL ? strlen(";ppt=") + strlen(name) : 0;
	if (len > cc->identity_max_bytes)
		return REFUSE(f, RC_DENIED, IDENTITY_TOO_LARGE, NULL,
		    "the smallest Identity value has %zu bytes, identity_max_bytes is %u", len,
		    cc->identity_max_bytes);
	return RC_OK;
}

/* What its class is there for; a ppt besides it must not cost the credential. */
static bool
is_main(const struct config_credential *cc, enum ppt ppt)
{
	return ppt == (profile_rule(cc->profile)->cls == CLASS_SP ? PPT_SHAKEN : PPT_BASE);
}

static void
drop_header(struct credential *c, enum ppt ppt)
{
	free(c->header[ppt]);
	c->header[ppt] = NULL;
}

static enum rc
set_headers(struct credential *c, const struct config_tenant *t,
    const struct config_credential *cc, struct fault *f)
{
	unsigned ppts = policy_ppts_passed(t, cc);
	bool x5u = (cc->convey & CONVEY_X5U) != 0 && c->x5u != NULL;

	for (enum ppt ppt = 0; ppt < PPT__COUNT; ppt++) {
		if ((ppts & 1U << ppt) == 0 || (ppt_rule(ppt)->needs_x5u && !x5u))
			continue;
		TRY(set_header(c, ppt, cc->convey, f));
		if (is_main(cc, ppt))
			TRY(check_identity(c, cc, ppt, f));
		else if (check_identity(c, cc, ppt, NULL) != RC_OK)
			drop_header(c, ppt);
	}
	return RC_OK;
}

/* ---- all of it ---- */

static enum rc
take_facts(const struct judge *j, struct credential *c, struct fault *f)
{
	struct keyfile k = { .imported = false };
	const struct config_credential *cc = credset_config(j->set, j->at);
	const struct cert *leaf = c->chain->cert[0];
	uint8_t digest[32] = { 0 };

	c->token = j->token;
	c->profile = cc->profile;
	c->priority = cc->priority;
	memcpy(c->point, leaf->point, P256_POINT_LEN);
	memcpy(c->key_id, leaf->key_id, KEY_ID_LEN);
	gate_validity(c->gate, &c->not_before_s, &c->not_after_s);
	TRY(digest_sha256(span_of(leaf->der, leaf->der_len), digest, f));
	works_hex(digest, sizeof digest, c->fingerprint);
	/* RFC 8555 section 11.1, D-32 */
	if (accounts_has_key(j->accounts, c->key_id))
		return FAULT(f, RC_DENIED, "account_key",
		    "certificate %.20s: its key is an ACME account's", leaf->serial);
	c->imported = keyfile_read(j->set->config, c->key_id, &k, NULL) == RC_OK && k.imported;
	return RC_OK;
}

/*
 * Salts that cannot be read cost the committed claims and nothing else: they
 * cannot be proven then, and status says so.
 */
static void
take_salts(struct credential *c, const struct config_credential *cc)
{
	AUTO_SECRET text = BUF_INIT(PRIVACY_MAX_FILE + 1);

	if (cc->salts.text == NULL)
		return;
	if (read_salts(cc, &text, &c->why) == RC_OK &&
	    salts_read(buf_view(&text), &c->salts, &c->why) == RC_OK)
		return;
	log_fault(LEVEL_WARNING, "salts_unreadable", &c->why);
}

/* An operator's word goes before all that can be right or wrong with it. */
static enum rc
check_revoked(const struct judge *j, const struct cert *leaf, struct fault *f)
{
	char id[CREDENTIAL_FINGERPRINT];

	TRY(revocation_id(leaf, id, f));
	if (!revocation_there(j->set->config, id))
		return RC_OK;
	if (j->revoked != NULL)
		memcpy(j->revoked, id, sizeof id);
	return FAULT(f, RC_DENIED, "revoked", "serial %s was revoked", leaf->serial);
}

static enum rc
judge_into(const struct judge *j, struct span pem, struct credential *c, struct fault *f)
{
	const struct config_credential *cc = credset_config(j->set, j->at);
	struct gate_policy policy = { .profile = profile_rule(cc->profile),
		.constraints = cc->constraints_policy,
		.do_not_originate = j->set->config->do_not_originate,
		.third_party_iss = cc->third_party_rcd ? cc->third_party_iss : NULL,
		.attest_in_rsp = cc->attest_in_rsp,
		.rcd_without_rcdi = cc->rcd_without_rcdi,
		.orig_uri = cc->orig_uri };
	const X509 *issuer = NULL;

	TRY(chain_read_pem(pem, cc->allow_range_to_all_nines, &c->chain, f));
	TRY(check_revoked(j, c->chain->cert[0], f));
	TRY(check_path(j, c->chain, &issuer, f));
	TRY(check_ski(j, c->chain->cert[0], f));
	TRY(take_list(j, c, f));
	policy.referenced = c->list != NULL ? c->list->numbers : NULL;
	TRY(check_scope(j, c, f));
	take_salts(c, cc);
	policy.constraints.salts = c->salts;
	TRY(gate_open(c->chain, &policy, &c->gate, f));
	TRY(check_policies(j, c->chain->cert[0], f));
	TRY(check_domain(j, c->chain->cert[0], f));
	TRY(take_facts(j, c, f));
	TRY(check_scts(j, c->chain->cert[0], issuer, &c->scts, f));
	TRY(inclusion_open(j->set->config, j->set->ctlogs, issuer, c, f));
	TRY(set_x5u(j, c, f));
	TRY(set_root(j, c, f));
	TRY(set_headers(c, &j->set->config->tenant[j->at.tenant], cc, f));
	TRY(lint_credential(cc, c, f));
	if (!judge_digest(j, pem, c->judged))
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a digest");
	return RC_OK;
}

enum rc
judge_chain(const struct judge *j, struct span pem, struct credential **out, struct fault *f)
{
	AUTO_CREDENTIAL *c = NULL;
	const struct config_tenant *t = &j->set->config->tenant[j->at.tenant];

	TRY(credential_new(
	    t->name, credset_config(j->set, j->at)->name, CREDENTIAL_READY, &c, f));
	TRY(judge_into(j, pem, c, f));
	*out = TAKE(c);
	return RC_OK;
}
