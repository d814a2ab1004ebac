#include "tests/fuzz/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/pki.h"
#include "tests/unit/spec.h"

#define COMMITTED "YrpXe5ipbgni7cdSVK0kAHkRsSgBg2iYsETMMxJeSIg"
/* SHA-256 of "ACME" with its quotes, made with Python's hashlib. */
#define HASHED "5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU"

const struct home_block home_block[] = { { "12025550100", "12025550109" },
	{ "12025550105", "12025550105" }, { "12025550110", "12025550119" },
	{ "13035550100", "13035550199" }, { "911", "911" }, { "*67", "*67" }, { NULL, NULL } };

const struct home_block home_dest[] = { { "12125550100", "12125550119" },
	{ "12125550111", "12125550111" }, { "911", "911" }, { NULL, NULL } };

const struct home_leaf home_leaf[] = {
	{ PROFILE_ATIS_DELEGATE, 1 << 0, NULL, NULL, "b.example" },
	{ PROFILE_ATIS_DELEGATE, 1 << 0 | 1 << 2 | 1 << 4, "1234",
	    "{'p':[['note','yes','5'],['crn','Support']],'x':['evil']}", NULL },
	{ PROFILE_VESPER_06, 1 << 0, NULL,
	    "{'p':[['note','yes','5'],['rcd','{\\\"nam\\\":\\\"ACME\\\"}']],'x':['evil']}",
	    NULL },
	{ PROFILE_VESPER_06, 1 << 1, NULL, "{'i':['note'],'p':[['crn','Support']]}", NULL },
	{ PROFILE_VESPER_05, 1 << 0 | 1 << 4 | 1 << 5, "505J", NULL, NULL },
	{ PROFILE_VESPER_05, 1 << 3, NULL,
	    "{'p':[['vper/name','ACME'],['vper/id','e-1','e-2']]}", NULL },
	{ PROFILE_ATIS_DELEGATE, 1 << 0, NULL,
	    "{'p':[['pid#commit-sha-256','" COMMITTED "'],['note#sha-256','" HASHED "']]}",
	    NULL },
	{ PROFILE_SHAKEN_SP, 0, "1234", NULL, NULL },
	{ PROFILE_SHAKEN_SP, 0, "505J", "{'p':[['attest','B','C']],'x':['crn']}", NULL },
	{ PROFILE_SHAKEN_SP, 0, "1234", "{'x':['rcd','evil']}", NULL },
};
enum { LEAVES = ARRAY_LEN(home_leaf) };

const char *const home_extra[] = { "note", "memo", "rcd", "crn", NULL };
const char *const home_namespace[] = { "ets", "esnet", "wps", NULL };
const char *const home_code[] = { "1234", "505J", "505j", NULL };
const char *const home_name[HOME_TENANTS] = { "a", "b", "c" };
const char *const home_credential_name[HOME_CREDENTIALS] = { "m", "n" };
const uid_t home_uid[] = { 1000, 1001, 0 };

/* ---- choices --------------------------------------------------------------------------- */

static unsigned
pick(struct span *choices, unsigned n)
{
	unsigned c = '0';

	if (choices->len > 0)
		c = *span_cut(choices, 1).ptr;
	return (c - '0') % n; /* of unsigned numbers: any octet will do */
}

static void
choose_credential(struct span *c, struct home_credential *out)
{
	unsigned last;

	out->leaf = pick(c, LEAVES);
	out->state = pick(c, 8);
	out->state = out->state > CREDENTIAL_UNUSABLE ? CREDENTIAL_READY : out->state;
	out->priority = pick(c, 3);
	out->unlisted = pick(c, 3);
	out->extra = pick(c, 16);
	out->ppts = pick(c, 3) == 1 ? pick(c, 256) : 0;
	out->dests = pick(c, 3) == 1 ? pick(c, 8) : 0;
	out->namespaces = pick(c, 8);
	out->ca = pick(c, 2) == 1;
	out->third = pick(c, 2) == 1;
	out->content = pick(c, 2) == 1;
	last = pick(c, 4);
	out->fixed = last == 1;
	out->uri = last == 2;
	out->asserts = last == 3;
}

static void
choose_tenant(struct span *c, struct home_tenant *out)
{
	static const char grants[] = { 'A', 0, 'B', 'C' };

	out->numbers = 1 + pick(c, 63);
	out->users = 1 + pick(c, 7);
	out->enabled = pick(c, 8) != 7;
	out->group = pick(c, 4) == 1;
	out->entity = pick(c, 2) == 1;
	out->listed = grants[pick(c, 4)];
	out->attestation = pick(c, 2) == 1;
	out->lower = pick(c, 2) == 1;
	out->known = grants[1 + pick(c, 3)];
	out->otherwise = grants[1 + pick(c, 3)];
	out->ppts = pick(c, 4) == 1 ? pick(c, 256) : 0;
	out->dests = pick(c, 4) == 1 ? pick(c, 8) : 0;
	out->codes = pick(c, 4) == 1 ? pick(c, 8) : 0;
	out->observe = pick(c, 3) == 1 ? pick(c, 1U << OBSERVE__COUNT) : 0;
	out->credentials = 1 + pick(c, HOME_CREDENTIALS);
	for (size_t i = 0; i < out->credentials; i++)
		choose_credential(c, &out->credential[i]);
}

void
home_choose(struct span c, struct home *out)
{
	static const int64_t moments[] = { PKI_NOW, PKI_NOW, PKI_NOW, PKI_NOW + HOME_LIFE_S,
		PKI_NOW + HOME_LIFE_S + 1, PKI_NOW - HOME_LIFE_S - 1, 0 };
	unsigned door;

	*out = (struct home){ .caller = { .pid = 1 } };
	out->atis = pick(&c, 2) == 1;
	out->dry_run = pick(&c, 4) == 1;
	out->key_ready = pick(&c, 8) != 7;
	out->now_s = moments[pick(&c, ARRAY_LEN(moments))];
	out->caller.uid = home_uid[pick(&c, HOME_UIDS)];
	out->caller.gid = pick(&c, 4) == 1 ? HOME_GID : 5;
	out->group = HOME_GID;
	out->caller.groups = pick(&c, 4) == 1 ? 1 : 0;
	door = pick(&c, 16);
	out->caller.door.tenant = door < HOME_TENANTS && door > 0 ? home_name[door] : NULL;
	out->caller.door.auth_socket = out->caller.door.tenant != NULL && pick(&c, 2) == 1;
	out->tenants = 1 + pick(&c, HOME_TENANTS);
	for (size_t i = 0; i < out->tenants; i++)
		choose_tenant(&c, &out->tenant[i]);
}

/* ---- the configuration ----------------------------------------------------------------- */

static void *
some(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (p == NULL)
		abort();
	return p;
}

static char *
copy(const char *text)
{
	char *out = strdup(text);

	if (out == NULL)
		abort();
	return out;
}

static void
put_chosen(struct config_strings *list, unsigned mask, const char *const *names)
{
	list->item = some(16, sizeof *list->item);
	for (size_t i = 0; names[i] != NULL; i++) {
		if ((mask & 1U << i) != 0)
			list->item[list->len++] = copy(names[i]);
	}
}

static void
put_ppts(struct config_strings *list, unsigned mask)
{
	list->item = some(PPT__COUNT, sizeof *list->item);
	for (enum ppt p = 0; p < PPT__COUNT; p++) {
		if ((mask & 1U << p) != 0)
			list->item[list->len++] = copy(ppt_text(p));
	}
}

static struct tnset *
set_of(unsigned mask, const struct home_block *block)
{
	struct tn_interval list[16] = { { 0, 0 } };
	struct tnset *out = NULL;
	size_t n = 0;

	for (size_t i = 0; block[i].first != NULL; i++) {
		char text[64];

		if ((mask & 1U << i) == 0)
			continue;
		if (strcmp(block[i].first, block[i].last) == 0)
			snprintf(text, sizeof text, "%s", block[i].first);
		else
			snprintf(text, sizeof text, "%s-%s", block[i].first, block[i].last);
		if (tnset_parse(span_str(text), &list[n++], NULL) != RC_OK)
			abort();
	}
	if (n > 0 && tnset_build(list, n, &out, NULL) != RC_OK)
		abort();
	return out;
}

static void
put_credential(struct config_credential *c, const struct home_credential *h, const char *name)
{
	c->name = copy(name);
	c->base = copy(name);
	c->profile = home_leaf[h->leaf].profile;
	c->token = copy("main");
	c->ca = h->ca ? copy("lab") : NULL;
	c->priority = h->priority;
	c->unlisted_tn = (enum unlisted_tn)h->unlisted;
	c->identity = true;
	put_chosen(&c->extra_claims, h->extra, home_extra);
	put_chosen(&c->rph_namespaces, h->namespaces, home_namespace);
	put_ppts(&c->ppts, h->ppts);
	c->dests = set_of(h->dests, home_dest);
	c->third_party_rcd = h->third;
	c->third_party_iss = h->third ? copy(HOME_ISS) : NULL;
	c->origid = h->fixed ? ORIGID_FIXED : ORIGID_CALLER;
	c->origid_value = h->fixed ? copy(HOME_ORIGID) : NULL;
	c->orig_uri = h->uri;
	c->constraints_policy.assert_committed = h->asserts;
	if (!h->content)
		return;
	c->rcd_content = some(1, sizeof *c->rcd_content);
	c->rcd_contents = 1;
	c->rcd_content[0].uri = copy(HOME_URI);
	c->rcd_content[0].pinned = true;
	if (rcd_digest_parse(span_str(HOME_DIGEST), &c->rcd_content[0].digest, NULL) != RC_OK)
		abort();
}

static void
put_attestation(struct config_tenant *t, const struct home_tenant *h)
{
	if (!h->attestation) {
		t->attest_max = h->listed;
		return;
	}
	t->attestation = (struct config_attestation){ .set = true,
		.listed = h->listed,
		.known_customer = h->known,
		.otherwise = h->otherwise,
		.lower = h->lower };
	t->attestation.known.uid = some(1, sizeof *t->attestation.known.uid);
	t->attestation.known.uid[0] = home_uid[1];
	t->attestation.known.uids = 1;
}

static void
put_tenant(struct config_tenant *t, const struct home_tenant *h, const char *name)
{
	t->name = copy(name);
	t->enabled = h->enabled;
	t->numbers = set_of(h->numbers, home_block);
	t->allow_uid = some(HOME_UIDS, sizeof *t->allow_uid);
	for (size_t i = 0; i < HOME_UIDS; i++) {
		if ((h->users & 1U << i) != 0)
			t->allow_uid[t->allow_uids++] = home_uid[i];
	}
	t->allow_gid = some(1, sizeof *t->allow_gid);
	t->allow_gid[0] = HOME_GID;
	t->allow_gids = h->group ? 1 : 0;
	t->entity_id = h->entity ? copy(HOME_ENTITY) : NULL;
	t->observe = h->observe;
	put_attestation(t, h);
	put_ppts(&t->ppts, h->ppts);
	t->dests = set_of(h->dests, home_dest);
	put_chosen(&t->caller_spc, h->codes, home_code);
	t->credential = some(HOME_CREDENTIALS, sizeof *t->credential);
	for (; t->credentials < h->credentials; t->credentials++)
		put_credential(&t->credential[t->credentials], &h->credential[t->credentials],
		    home_credential_name[t->credentials]);
}

static struct config *
configure(const struct home *h)
{
	struct config *c = some(1, sizeof *c);

	c->iat_past_s = PASSPORT_PAST_S;
	c->iat_future_s = PASSPORT_FUTURE_S;
	c->iat_diverted_s = PASSPORT_DIVERTED_S;
	c->token = some(1, sizeof *c->token);
	c->token[0].name = copy("main");
	c->tokens = 1;
	c->tenant = some(HOME_TENANTS, sizeof *c->tenant);
	for (; c->tenants < h->tenants; c->tenants++)
		put_tenant(
		    &c->tenant[c->tenants], &h->tenant[c->tenants], home_name[c->tenants]);
	return c;
}

/* ---- certificates ---------------------------------------------------------------------- */

static void
put_entries(struct buf *out, const struct home_leaf *l)
{
	struct tnauth_entry e[16] = { { .kind = TNAUTH_SPC } };
	size_t n = 0;

	if (l->spc != NULL)
		snprintf(e[n++].spc, sizeof e[0].spc, "%s", l->spc);
	for (size_t i = 0; home_block[i].first != NULL; i++) {
		const struct home_block *b = &home_block[i];

		if ((l->blocks & 1U << i) == 0)
			continue;
		if (tn_exact(span_str(b->first), &e[n].start, NULL) != RC_OK)
			abort();
		e[n].count = strtoull(b->last, NULL, 10) - strtoull(b->first, NULL, 10) + 1;
		e[n].kind = e[n].count > 1 ? TNAUTH_RANGE : TNAUTH_ONE;
		n++;
	}
	if (tnauth_encode(out, e, n, NULL) != RC_OK)
		abort();
}

static void
issue(struct buf *pem, const struct home_leaf *l)
{
	static EVP_PKEY *key;
	AUTO_BUF tnauth = BUF_INIT(1000), constraints = BUF_INIT(4000);
	struct pki_spec spec = { .cn = "leaf",
		.not_before_s = PKI_NOW - HOME_LIFE_S,
		.not_after_s = PKI_NOW + HOME_LIFE_S };
	struct constraints *wanted = NULL;
	char san[64];
	X509 *x;

	if (key == NULL)
		key = pki_p256();
	put_entries(&tnauth, l);
	if (l->constraints != NULL) {
		wanted = make(l->constraints, CONSTRAINTS_ENHANCED);
		if (constraints_encode(&constraints, wanted, NULL) != RC_OK)
			abort();
		constraints_free(wanted);
	}
	if (l->host != NULL)
		snprintf(san, sizeof san, "DNS:%s", l->host);
	spec.san = l->host != NULL ? san : NULL;
	spec.key = key;
	spec.tnauth = buf_view(&tnauth);
	spec.enhanced_constraints = buf_view(&constraints);
	x = pki_issue(&spec);
	pki_pem(pem, x);
	X509_free(x);
}

static const struct salts *
salts(void)
{
	static struct salts *all;

	if (all == NULL && salts_read(span_str(HOME_SALT " pid\n"), &all, NULL) != RC_OK)
		abort();
	return all;
}

static struct credential *
certified(const char *tenant, const char *name, const struct home_credential *h)
{
	AUTO_BUF pem = BUF_INIT(20000);
	unsigned leaf = h->leaf;
	struct gate_policy policy = { .profile = profile_rule(home_leaf[leaf].profile),
		.third_party_iss = h->third ? HOME_ISS : NULL,
		.orig_uri = h->uri,
		.constraints = {
		    .assert_committed = h->asserts, .salts = h->asserts ? salts() : NULL } };
	struct credential *c = NULL;

	issue(&pem, &home_leaf[leaf]);
	if (credential_new(tenant, name, CREDENTIAL_READY, &c, NULL) != RC_OK ||
	    chain_read_pem(buf_view(&pem), false, &c->chain, NULL) != RC_OK ||
	    gate_open(c->chain, &policy, &c->gate, NULL) != RC_OK)
		abort();
	c->profile = home_leaf[leaf].profile;
	c->x5u = copy("https://cert.example/x.pem");
	gate_validity(c->gate, &c->not_before_s, &c->not_after_s);
	for (size_t p = 0; p < PPT__COUNT; p++)
		c->header[p] = copy("e30");
	return c;
}

/* One that serves is made once for each place, leaf and switch. */
static struct credential *
credential_for(size_t t, size_t n, const struct home_credential *h)
{
	static struct credential *made[HOME_TENANTS][HOME_CREDENTIALS][LEAVES][2][3];
	struct credential **place = &made[t][n][h->leaf][h->third][h->uri	? 1
								   : h->asserts ? 2
										: 0];
	struct credential *c = NULL;

	if (h->state != CREDENTIAL_READY) {
		if (credential_new(home_name[t], home_credential_name[n],
			(enum credential_state)h->state, &c, NULL) != RC_OK)
			abort();
		(void)FAULT(&c->why, RC_DENIED, "credential_unusable", "as it was judged");
		return c;
	}
	if (*place == NULL)
		*place = certified(home_name[t], home_credential_name[n], h);
	return credential_ref(*place);
}

void
home_build(const struct home *h, struct credset **set, struct policy **policy)
{
	struct credset_parts parts = { .config = configure(h) };
	AUTO_CREDSET_BASE *base = NULL;

	if (credset_base_new(&parts, &base, NULL) != RC_OK ||
	    credset_new(base, set, NULL) != RC_OK)
		abort();
	for (size_t t = 0; t < h->tenants; t++) {
		for (size_t n = 0; n < h->tenant[t].credentials; n++)
			credset_put(*set, (struct credset_place){ t, n },
			    credential_for(t, n, &h->tenant[t].credential[n]));
	}
	(*set)->generation = 1;
	if (policy_new(policy, NULL) != RC_OK || policy_adopt(*policy, *set, 0, NULL) != RC_OK)
		abort();
}
