/*
 * The whole decision, bytes in and verdict out: octets that choose callers,
 * tenants, credentials and policy up to the first newline (home.h), then the
 * body of a request, read as on the socket and decided.
 *
 * Whatever is allowed is judged a second time here, from the text that would
 * be signed and from the choices, with nothing of the agent's own but its
 * tables of reasons: caller, numbers in the certificate and in the
 * configuration, constraints, the type's claims, the tenant's rules.  The same
 * question has the same answer, and a refusal has a reason and no credential.
 */
#include "tests/fuzz/home.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "stir/b64.h"
#include "stir/jtext.h"
#include "tests/fuzz/asked.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/pki.h"
#include "tests/unit/spec.h"

enum { TEXT_MAX = 256, PAST_S = 60, DIVERTED_S = 10800, FUTURE_S = 5 };

unsigned replay_mutations = 800;

/* What may be in a PASSporT of each type; names between blanks. */
static const struct type {
	const char *name, *number;
	unsigned classes;
	const char *demanded, *own; /* beside orig, dest, iat */
	bool closed;
} types[PPT__COUNT] = {
	[PPT_BASE] = { NULL, "orig", 1 << CLASS_DELEGATE, " ", " mky ", false },
	[PPT_SHAKEN] = { "shaken", "orig", 1 << CLASS_SP, " attest origid ",
	    " attest origid rcd rcdi crn mky ", false },
	[PPT_RCD] = { "rcd", "orig", 1 << CLASS_SP | 1 << CLASS_DELEGATE, " ",
	    " rcd rcdi crn iss mky ", false },
	[PPT_DIV] = { "div", "div", 1 << CLASS_SP | 1 << CLASS_DELEGATE, " div ", " div ",
	    true },
	[PPT_DIV_O] = { "div-o", "div", 1 << CLASS_DELEGATE, " div opt ", " div opt ", true },
	[PPT_RSP] = { "rsp", "dest", 1 << CLASS_DELEGATE, " ", " mky ", false },
	[PPT_MSG] = { "msg", "orig", 1 << CLASS_DELEGATE, " ", " msgi mky ", false },
	[PPT_RPH] = { "rph", "orig", 1 << CLASS_SP, " rph ", " rph sph mky ", false },
};

/* What is looked at. */
struct verdict {
	const struct home *home;
	const struct home_tenant *tenant;
	const struct home_credential *credential;
	const struct home_leaf *leaf;
	const struct type *type;
	const struct sign_request *asked;
	const struct decision *decision;
	json_t *payload, *constraints; /* owned */
	bool sp;
};

static bool
listed_name(const char *list, const char *name)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof text, " %s ", name);
	return strlen(name) < TEXT_MAX - 3 && strchr(name, ' ') == NULL &&
	       strstr(list, text) != NULL;
}

static bool
among(const char *const *names, unsigned mask, const char *name)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if ((mask & 1U << i) != 0 && strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static bool
observed(const struct verdict *v, enum observe_rule rule)
{
	for (size_t i = 0; i < v->decision->observeds; i++) {
		if (v->decision->observed[i].rule == rule)
			return true;
	}
	return false;
}

/* ---- numbers --------------------------------------------------------------------------- */

static bool
in_blocks(const struct home_block *block, unsigned mask, const char *tn)
{
	for (size_t i = 0; block[i].first != NULL; i++) {
		if ((mask & 1U << i) != 0 && strlen(tn) == strlen(block[i].first) &&
		    strcmp(block[i].first, tn) <= 0 && strcmp(tn, block[i].last) <= 0)
			return true;
	}
	return false;
}

/* The number as it was asked for, without what people write between the digits. */
static bool
is_spelt(const char *asked, const char *tn)
{
	for (; *asked != 0; asked++) {
		if (strchr("+-.() ", *asked) != NULL)
			continue;
		if (*asked != *tn++)
			return false;
	}
	return *tn == 0 && strspn(tn, "0123456789*#") == strlen(tn);
}

static const char *
text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	must(text != NULL);
	return text;
}

static void
check_number(const struct verdict *v, const char *tn)
{
	bool listed = in_blocks(home_block, v->tenant->numbers, tn);
	bool covered = in_blocks(home_block, v->leaf->blocks, tn);

	if (json_object_get(v->payload, "iss") != NULL) {
		must(v->credential->third && (v->sp || !covered));
		must(strcmp(text_at(v->payload, "iss"), HOME_ISS) == 0);
		return;
	}
	must(v->sp || covered);
	must(
	    listed || (v->sp && v->type == &types[PPT_SHAKEN] && v->credential->unlisted != 0));
}

/* D-26: a user that is no number, at the one host that the certificate names. */
static void
check_uri(const struct verdict *v, const char *uri)
{
	const char *user = strchr(uri, ':'), *at = strchr(uri, '@');
	size_t digits;

	must(v->credential->uri && !v->sp && v->leaf->host != NULL);
	must(v->type == &types[PPT_BASE] || v->type == &types[PPT_RCD] ||
	     v->type == &types[PPT_MSG]);
	must(strncmp(uri, "sip:", 4) == 0 || strncmp(uri, "sips:", 5) == 0);
	must(user != NULL && at > user + 1 && strcmp(at + 1, v->leaf->host) == 0);
	digits = strspn(user + 1, "0123456789");
	must(user[1] != '+' && (user + 1 + digits != at || digits > 15));
	must(json_object_get(v->payload, "iss") == NULL);
	must(json_object_size(json_object_get(v->payload, "orig")) == 1);
}

/* What the certificate and the tenant's numbers have in common, every one of them. */
static void
check_numbers(const struct verdict *v)
{
	const json_t *part = json_object_get(v->payload, v->type->number), *tns;

	must(json_is_object(part));
	if (strcmp(v->type->number, "orig") == 0 && json_object_get(part, "uri") != NULL) {
		check_uri(v, text_at(part, "uri"));
		return;
	}
	tns = json_object_get(part, "tn");
	if (json_is_string(tns)) {
		check_number(v, json_string_value(tns));
		return;
	}
	must(json_array_size(tns) > 0 && json_object_get(part, "uri") == NULL);
	for (size_t i = 0; i < json_array_size(tns); i++)
		check_number(v, json_string_value(json_array_get(tns, i)));
}

static void
check_dests(const struct verdict *v)
{
	const json_t *dest = json_object_get(v->payload, "dest");
	const json_t *tns = json_object_get(dest, "tn");
	const unsigned masks[] = { v->tenant->dests, v->credential->dests };

	for (size_t m = 0; m < ARRAY_LEN(masks); m++) {
		if (masks[m] == 0 || observed(v, OBSERVE_DESTS))
			continue;
		must(json_object_get(dest, "uri") == NULL);
		for (size_t i = 0; i < json_array_size(tns); i++)
			must(in_blocks(
			    home_dest, masks[m], json_string_value(json_array_get(tns, i))));
	}
}

/* ---- the claims ------------------------------------------------------------------------ */

/* The claim of a name in constraints: what stands before its path and its mode. */
static bool
speaks_of(const char *name, const char *claim)
{
	size_t len = strcspn(name, "/#");

	return strlen(claim) == len && strncmp(name, claim, len) == 0;
}

static bool
is_named(const json_t *constraints, const char *list, const char *claim)
{
	const json_t *rows = json_object_get(constraints, list);

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const char *name =
		    json_string_value(json_is_array(row) ? json_array_get(row, 0) : row);

		if (speaks_of(name, claim))
			return true;
	}
	return false;
}

static void
check_names(const struct verdict *v)
{
	const char *name;
	json_t *value;

	json_object_foreach (v->payload, name, value) {
		bool base = listed_name(" orig dest iat ", name);
		bool own = listed_name(v->type->own, name);
		bool vetted =
		    is_named(v->constraints, "i", name) || is_named(v->constraints, "p", name);

		must(base || own ||
		     (!v->type->closed &&
			 (vetted || among(home_extra, v->credential->extra, name))));
		must(own || !listed_name(" div opt msgi rph sph iss ", name));
		must(base || vetted || v->leaf->profile != PROFILE_VESPER_06 ||
		     listed_name(" div opt mky msgi ", name));
	}
	for (size_t i = 0; i < 3; i++) {
		static const char *const always[] = { "orig", "dest", "iat" };

		must(json_object_get(v->payload, always[i]) != NULL);
	}
	must(v->type != &types[PPT_RCD] || json_object_get(v->payload, "rcd") != NULL ||
	     json_object_get(v->payload, "crn") != NULL);
}

static void
check_demanded(const struct verdict *v)
{
	char names[TEXT_MAX], *rest = names, *name;

	snprintf(names, sizeof names, "%s", v->type->demanded);
	while ((name = strsep(&rest, " ")) != NULL)
		must(*name == 0 || json_object_get(v->payload, name) != NULL);
}

static char *
text_of(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	must(text != NULL);
	return text;
}

static bool
is_hash(const json_t *value, bool salted, const char *digest)
{
	AUTO_FREE char *text = text_of(value);
	AUTO_BUF out = BUF_INIT(TEXT_MAX), all = BUF_INIT(PASSPORT_MAX_BYTES);
	uint8_t hash[32];

	if (salted)
		must(b64_decode(&all, B64_STD_BARE, span_str(HOME_SALT), NULL) == RC_OK);
	buf_str(&all, text);
	must(EVP_Q_digest(NULL, "SHA256", NULL, all.ptr, all.len, hash, NULL) == 1);
	b64_encode(&out, B64_STD_BARE, span_of(hash, sizeof hash));
	return span_is(buf_view(&out), digest);
}

static bool
is_value(const json_t *value, const char *permitted)
{
	AUTO_FREE char *text = NULL;

	if (json_is_string(value))
		return strcmp(json_string_value(value), permitted) == 0;
	text = text_of(value);
	return strcmp(text, permitted) == 0;
}

/* One row of permittedValues: a claim or a member of it, its mode, its values. */
static void
check_row(const struct verdict *v, const json_t *row)
{
	char name[TEXT_MAX], *mode = name, *member, *claim;
	const json_t *value;
	bool committed, good = false;

	snprintf(name, sizeof name, "%s", json_string_value(json_array_get(row, 0)));
	member = strsep(&mode, "#");
	claim = strsep(&member, "/");
	value = json_object_get(v->payload, claim);
	if (member != NULL)
		value = json_object_get(value, member);
	if (value == NULL)
		return;
	committed = mode != NULL && strcmp(mode, "commit-sha-256") == 0;
	must(!committed || v->credential->asserts); /* else never in clear */
	for (size_t i = 1; i < json_array_size(row); i++) {
		const char *permitted = json_string_value(json_array_get(row, i));

		good |= mode != NULL ? is_hash(value, committed, permitted)
				     : is_value(value, permitted);
	}
	must(good);
}

static void
check_constraints(const struct verdict *v)
{
	const json_t *include = json_object_get(v->constraints, "i");
	const json_t *exclude = json_object_get(v->constraints, "x");
	const json_t *permitted = json_object_get(v->constraints, "p");

	for (size_t i = 0; i < json_array_size(include); i++)
		must(json_object_get(
			 v->payload, json_string_value(json_array_get(include, i))) != NULL);
	for (size_t i = 0; i < json_array_size(exclude); i++)
		must(json_object_get(
			 v->payload, json_string_value(json_array_get(exclude, i))) == NULL);
	for (size_t i = 0; i < json_array_size(permitted); i++)
		check_row(v, json_array_get(permitted, i));
}

/* ---- the payload ------------------------------------------------------------------------ */

/* jansson writes \u001F where RFC 8785 section 3.2.2.2 has \u001f. */
static void
lower_escapes(char *text)
{
	for (; *text != 0; text++) {
		if (*text != '\\')
			continue;
		if (*++text != 'u')
			continue;
		for (size_t i = 1; i <= 4; i++)
			text[i] =
			    (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]);
	}
}

/* RFC 8225 section 9, by another reader and another writer. */
static json_t *
read_payload(const json_t *claims)
{
	AUTO_BUF text = BUF_INIT(PASSPORT_MAX_BYTES);
	AUTO_FREE char *again = NULL;
	json_t *out;

	must(jtext_write(&text, claims, NULL) == RC_OK && buf_check(&text, NULL) == RC_OK);
	out = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	must(json_is_object(out));
	again = text_of(out);
	lower_escapes(again);
	must(span_is(buf_view(&text), again));
	return out;
}

static void
check_dest_asked(const json_t *asked, const json_t *tns)
{
	must(json_array_size(asked) == json_array_size(tns));
	for (size_t i = 0; i < json_array_size(tns); i++) {
		const char *tn = json_string_value(json_array_get(tns, i));
		bool found = false;

		for (size_t n = 0; n < json_array_size(asked); n++)
			found |= is_spelt(json_string_value(json_array_get(asked, n)), tn);
		must(found);
		must(i == 0 || strcmp(json_string_value(json_array_get(tns, i - 1)), tn) < 0);
	}
}

/* Nothing is signed that was not asked for, and all that was asked for is. */
static void
check_asked(const struct verdict *v)
{
	const json_t *asked = v->asked->claims;
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)asked, name, value)
		must(json_object_get(v->payload, name) != NULL);
	json_object_foreach (v->payload, name, value) {
		bool made = listed_name(" iat opt ", name) ||
			    (v->credential->fixed && strcmp(name, "origid") == 0);

		if (json_object_get(asked, name) == NULL)
			must(made);
		else if (!made && !listed_name(" orig dest div attest ", name))
			must(json_equal(json_object_get(asked, name), value) == 1);
	}
	if (json_object_get(json_object_get(v->payload, "orig"), "uri") != NULL)
		must(json_equal(json_object_get(asked, "orig"),
			 json_object_get(v->payload, "orig")) == 1);
	else
		must(is_spelt(text_at(json_object_get(asked, "orig"), "tn"),
		    text_at(json_object_get(v->payload, "orig"), "tn")));
	check_dest_asked(json_object_get(json_object_get(asked, "dest"), "tn"),
	    json_object_get(json_object_get(v->payload, "dest"), "tn"));
}

static void
check_time(const struct verdict *v)
{
	int64_t now_s = v->home->now_s, past_s = PAST_S;
	const json_t *iat = json_object_get(v->payload, "iat");

	if (strcmp(v->type->number, "div") == 0)
		past_s = DIVERTED_S;
	must(json_is_integer(iat) && json_integer_value(iat) >= now_s - past_s &&
	     json_integer_value(iat) <= now_s + FUTURE_S);
	must(llabs(now_s - PKI_NOW) <= HOME_LIFE_S &&
	     llabs(json_integer_value(iat) - PKI_NOW) <= HOME_LIFE_S);
}

/* ---- caller and rules ------------------------------------------------------------------ */

static void
check_caller(const struct verdict *v)
{
	const struct caller *c = &v->home->caller;
	bool may = false;

	for (size_t i = 0; i < HOME_UIDS; i++)
		may |= (v->tenant->users & 1U << i) != 0 && home_uid[i] == c->uid;
	may |= v->tenant->group && (c->gid == HOME_GID || c->groups > 0);
	may |= c->door.auth_socket;
	must(may && v->tenant->enabled);
	must(c->door.tenant == NULL || strcmp(c->door.tenant, v->decision->tenant->name) == 0);
	must(v->asked->tenant == NULL ||
	     strcmp(v->asked->tenant, v->decision->tenant->name) == 0);
	must(v->asked->credential == NULL ||
	     strcmp(v->asked->credential, v->decision->config->name) == 0);
	must(v->home->key_ready && v->credential->state == CREDENTIAL_READY);
}

static int
rank(char grant)
{
	return grant == 'A' ? 3 : grant == 'B' ? 2 : grant == 'C' ? 1 : 0;
}

static int
most(int a, int b)
{
	return a > b ? a : b;
}

static void
check_attest(const struct verdict *v)
{
	static const char caps[] = { 0, 'B', 'C' }; /* enum unlisted_tn */
	const struct home_tenant *t = v->tenant;
	int granted, asked;
	bool listed;

	if (v->type != &types[PPT_SHAKEN])
		return;
	listed = in_blocks(
	    home_block, t->numbers, text_at(json_object_get(v->payload, "orig"), "tn"));
	granted = listed || !t->attestation ? rank(t->listed) : 0;
	if (t->attestation && v->home->caller.uid == home_uid[1])
		granted = most(granted, rank(t->known));
	if (t->attestation)
		granted = most(granted, rank(t->otherwise));
	if (!listed && granted > rank(caps[v->credential->unlisted]))
		granted = rank(caps[v->credential->unlisted]);
	asked = rank(*text_at(v->payload, "attest"));
	must(asked > 0 && (asked <= granted || (observed(v, OBSERVE_ATTEST) && listed)));
}

static void
check_rules(const struct verdict *v)
{
	const json_t *auth = json_object_get(json_object_get(v->payload, "rph"), "auth");
	const json_t *vper = json_object_get(v->payload, "vper");
	unsigned ppt = 1U << v->asked->ppt;

	must(observed(v, OBSERVE_PPTS) ||
	     ((v->tenant->ppts == 0 || (v->tenant->ppts & ppt) != 0) &&
		 (v->credential->ppts == 0 || (v->credential->ppts & ppt) != 0)));
	for (size_t i = 0; i < v->decision->observeds; i++)
		must((v->tenant->observe & 1U << v->decision->observed[i].rule) != 0);
	for (size_t i = 0; i < json_array_size(auth); i++) {
		char space[TEXT_MAX];

		snprintf(space, sizeof space, "%s", json_string_value(json_array_get(auth, i)));
		space[strcspn(space, ".")] = 0;
		must(among(home_namespace, v->credential->namespaces, space));
	}
	must(vper == NULL || !v->tenant->entity ||
	     strcmp(text_at(vper, "id"), HOME_ENTITY) == 0);
	must(v->sp || v->leaf->spc == NULL || v->tenant->codes == 0 ||
	     among(home_code, v->tenant->codes, v->leaf->spc));
}

/* A digest of what is elsewhere is the operator's word: here there is one. */
static void
check_content(const struct verdict *v)
{
	const json_t *rcd = json_object_get(v->payload, "rcd");
	const char *icon = json_string_value(json_object_get(rcd, "icn"));
	const json_t *rcdi = json_object_get(v->payload, "rcdi");

	if (icon == NULL || strncmp(icon, "https://", 8) != 0)
		return;
	must(rcdi != NULL); /* RFC 9795 section 4 */
	must(v->credential->content && strcmp(icon, HOME_URI) == 0 &&
	     strncmp(text_at(rcdi, "/icn"), HOME_DIGEST, strlen(HOME_DIGEST)) == 0);
}

static size_t
index_of(const char *const *names, size_t n, const char *name)
{
	size_t i = 0;

	while (i < n && strcmp(names[i], name) != 0)
		i++;
	must(i < n);
	return i;
}

static void
check_allowed(const struct home *h, const struct sign_request *r, const struct decision *d)
{
	size_t t = index_of(home_name, h->tenants, d->tenant->name);
	size_t n = index_of(home_credential_name, h->tenant[t].credentials, d->config->name);
	struct verdict v = { .home = h,
		.tenant = &h->tenant[t],
		.credential = &h->tenant[t].credential[n],
		.type = &types[r->ppt],
		.asked = r,
		.decision = d };

	must(d->credential == credset_credential(d->set, (struct credset_place){ t, n }));
	v.leaf = &home_leaf[v.credential->leaf];
	v.sp = v.leaf->profile == PROFILE_SHAKEN_SP;
	must((v.type->classes & 1U << (v.sp ? CLASS_SP : CLASS_DELEGATE)) != 0);
	v.payload = read_payload(d->passport.claims);
	v.constraints = v.leaf->constraints == NULL ? NULL : json_of(v.leaf->constraints);
	check_caller(&v);
	check_numbers(&v);
	check_dests(&v);
	check_names(&v);
	check_demanded(&v);
	check_constraints(&v);
	check_asked(&v);
	check_time(&v);
	check_attest(&v);
	check_rules(&v);
	check_content(&v);
	json_decref(v.payload);
	json_decref(v.constraints);
}

/* ---- one input ------------------------------------------------------------------------- */

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	(void)token;
	(void)key_id;
	return ((const struct home *)arg)->key_ready;
}

static enum rc
ask(struct home *h, struct credset *set, struct policy *policy, const struct sign_request *r,
    struct decision *d, struct fault *f)
{
	struct caller_view view = { 0 };
	const struct decide_world w = { .set = set,
		.policy = policy,
		.caller = &h->caller,
		.view = caller_see(&h->caller, set, &view),
		.key_ready = key_ready,
		.arg = h,
		.now_s = h->now_s };

	return decide(&w, r, d, f);
}

static void
check_refused(const struct decision *d, const struct fault *f)
{
	int status = reason_status(f->reason);

	must(d->credential == NULL && d->config == NULL);
	must(status / 100 == 4 || status == 503);
}

static void
judge(struct home *h, const struct sign_request *r)
{
	AUTO_CREDSET *set = NULL;
	AUTO(policy) *policy = NULL;
	struct decision first = { 0 }, second = { 0 };
	struct fault f = { 0 }, again = { 0 };
	enum rc rc;

	home_build(h, &set, &policy);
	rc = ask(h, set, policy, r, &first, &f);
	if (rc == RC_OK)
		check_allowed(h, r, &first);
	else
		check_refused(&first, &f);
	must(ask(h, set, policy, r, &second, &again) == rc &&
	     strcmp(f.reason, again.reason) == 0);
	must(first.credential == second.credential);
	decide_done(&first);
	decide_done(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = len == 0 ? NULL : memchr(data, '\n', len);
	struct span rest = span_of(data, len), choices;
	struct asked asked = { 0 };
	struct fault f = { 0 };
	struct home h;
	enum rc rc;

	if (end == NULL)
		return 0;
	choices = span_cut(&rest, (size_t)(end - data));
	span_cut(&rest, 1);
	home_choose(choices, &h);
	h.caller.group = &h.group;
	rc = h.atis ? asked_atis(rest, &asked, &f)
		    : asked_native(span_str(h.dry_run ? "dry_run=1" : ""), rest, &asked, &f);
	if (rc == RC_OK)
		judge(&h, &asked.sign);
	else
		must(reason_status(f.reason) / 100 == 4);
	asked_done(&asked);
	return 0;
}
