/*
 * What a decision costs: nanoseconds for decide() as the loop calls it, from
 * the caller's claims to the credential, without JSON of the body, hashing and
 * the token.  And what it costs to bring 10,000 certificates into a set.
 *
 *	decisions [--json] [--tenants N] [--certificates N] [--growth TENANTS]
 *
 * Numbers are looked up and indexed for ten tenants, a hundred and so on up to
 * TENANTS of --growth, which is all of them where it is not given; a call that a
 * delegate's PASSporT attests is decided among so many tenants, too, each of
 * which takes such.
 * Certificates are real and were decoded; the numbers of each tenant lie apart,
 * so that nothing merges.  It is processor time, the median of ROUNDS rounds.
 */
#include "agent/front/decide.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/unit/pki.h"
#include "tests/unit/spec.h"

enum {
	NOW = 1800000000,
	UID = 1000,
	EACH = 100, /* numbers of a tenant */
	ROUNDS = 7,
	DECISIONS = 10000, /* of a round */
	LOOKUPS = 20000,   /* of a round */
	LONG_LIST = 4000,
	FETCHED_LIST = 1000000, /* numbers of a list by reference */
	CLAIMS_MAX = 65536,
	VALUES = 75,	/* of a constraint that has a long list */
	FEW = 3,	/* tenants of a caller that has several */
	RENEWED_S = 30, /* ago; what is asked for then is older */
};
#define ORIGID "123e4567-e89b-12d3-a456-426655440000"
#define DEST   "12125550111"

static EVP_PKEY *key;
static const uint64_t first_value = 12000000000;

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "decisions: %s\n", what);
	exit(1);
}

static char *
copy(const char *text)
{
	char *out = strdup(text);

	must(out != NULL, "no memory");
	return out;
}

/* ---- numbers: the i-th of tenant t, every second value, so that none are neighbours ---- */

static void
number_of(size_t tenants, size_t t, size_t i, struct tn *out)
{
	char text[TN_MAX + 1];

	snprintf(text, sizeof text, "%llu",
	    (unsigned long long)(first_value + 2 * (i * tenants + t)));
	must(tn_exact(span_str(text), out, NULL) == RC_OK, "a number");
}

static struct tnset *
numbers_of(size_t tenants, size_t t)
{
	struct tn_interval list[EACH];
	struct tnset *set = NULL;
	struct tn tn;

	for (size_t i = 0; i < EACH; i++) {
		number_of(tenants, t, i, &tn);
		list[i].lo = list[i].hi = tn_key(&tn);
	}
	must(tnset_build(list, EACH, &set, NULL) == RC_OK, "a set of numbers");
	return set;
}

/* ---- certificates ---- */

enum about {
	OF_BASE,
	OF_SHAKEN,
	OF_PARTS,  /* all constraints are about parts of one claim, with long lists (D-16) */
	OF_PROOF,  /* attested by a delegate's PASSporT that came with the request */
	OF_FEW,	   /* the same, and the caller has a few of the tenants that take such */
	OF_CALL,   /* attested by the delegate's own PASSporT of the same call */
	OF_LIST,   /* the numbers are in a list by reference (D-46) */
	OF_BEFORE, /* just renewed: dated before, signed by the one before */
	OF_COPY,   /* the same credential in a second token */
	ABOUT__COUNT
};

static const char *const about_text[ABOUT__COUNT] = { "decision, base", "decision, shaken",
	"decision, parts", "decision, proof", "decision, proof of a few", "decision, call",
	"decision, by reference", "decision, before a renewal", "decision, two tokens" };

struct kind { /* what a certificate is like */
	size_t entries;
	size_t constraints;
	enum about about;
};

static bool
is_proven(const struct kind *k)
{
	return k->about == OF_PROOF || k->about == OF_FEW || k->about == OF_CALL;
}

static bool
is_shaken(const struct kind *k)
{
	return k->about == OF_SHAKEN || is_proven(k);
}

/* n parts of one claim, each with many values, of which the last is there. */
static void
put_parts(struct buf *text, size_t n)
{
	buf_str(text, "{'p':[");
	for (size_t i = 0; i < n; i++) {
		buf_printf(text, "%s['c/m%02zu'", i > 0 ? "," : "", i);
		for (size_t k = 0; k < VALUES; k++)
			buf_printf(text, ",'v%02zu'", k);
		buf_str(text, "]");
	}
	buf_str(text, "]}");
}

/* n constraints, of which five speak of claims that are there. */
static void
put_claims(struct buf *text, size_t n, bool shaken, const struct tn *orig)
{
	buf_str(text, shaken ? "{'i':['attest','origid'],'p':[['attest','A','B','C']"
			     : "{'i':['orig','dest'],'p':[['c00','x']");
	buf_printf(text, ",['orig','{\\\"tn\\\":\\\"%s\\\"}']", orig->text);
	buf_str(text, ",['dest','{\\\"tn\\\":[\\\"" DEST "\\\"]}']");
	for (size_t i = 5; i < n; i++)
		buf_printf(text, ",['c%02zu','x','y']", i);
	buf_str(text, "]}");
}

static void
put_constraints(struct buf *out, const struct kind *k, const struct tn *orig)
{
	AUTO_BUF text = BUF_INIT(CLAIMS_MAX);
	struct constraints *c;

	if (k->constraints == 0)
		return;
	if (k->about == OF_PARTS)
		put_parts(&text, k->constraints);
	else
		put_claims(&text, k->constraints, is_shaken(k), orig);
	c = make(buf_text(&text), CONSTRAINTS_JWT);
	must(constraints_encode(out, c, NULL) == RC_OK, "constraints");
	constraints_free(c);
}

static enum profile
profile_of(const struct kind *k)
{
	return is_shaken(k)	      ? PROFILE_SHAKEN_SP
	       : k->about == OF_PARTS ? PROFILE_VESPER_06
				      : PROFILE_ATIS_DELEGATE;
}

/* The tenant's numbers, and others of nobody up to so many entries. */
static void
put_list(struct buf *out, const struct kind *k, size_t tenants, size_t t)
{
	struct tnauth_entry *e = calloc(k->entries, sizeof *e);

	must(e != NULL, "no memory");
	for (size_t i = 0; i < k->entries; i++) {
		e[i].kind = TNAUTH_ONE;
		e[i].count = 1;
		number_of(tenants, t, i, &e[i].start);
	}
	must(tnauth_encode(out, e, k->entries, NULL) == RC_OK, "a list");
	free(e);
}

static void
issue(struct buf *pem, const struct kind *k, size_t tenants, size_t t, int64_t not_before_s)
{
	AUTO_BUF list = BUF_INIT(1000000), constraints = BUF_INIT(100000);
	struct pki_spec spec = { .cn = "leaf", .key = key };
	struct tn orig;
	X509 *x;

	number_of(tenants, t, 0, &orig);
	if (is_shaken(k))
		pki_tnauth_spc(&list, "1234");
	else if (k->about != OF_LIST)
		put_list(&list, k, tenants, t);
	else
		spec.aia = "1.3.6.1.5.5.7.48.14;URI:https://numbers.example/list";
	put_constraints(&constraints, k, &orig);
	spec.tnauth = buf_view(&list);
	spec.jwt_constraints = buf_view(&constraints);
	spec.not_before_s = not_before_s;
	spec.not_after_s = NOW + 86400;
	x = pki_issue(&spec);
	pki_pem(pem, x);
	X509_free(x);
}

/* What a URL led to: every number of the index and as many more. */
static struct tnlist *
fetched(size_t entries)
{
	struct tn_interval *in = calloc(entries, sizeof *in);
	struct tnlist *list = calloc(1, sizeof *list);
	struct tn tn;

	must(in != NULL && list != NULL, "no memory");
	for (size_t i = 0; i < entries; i++) {
		number_of(1, 0, i, &tn);
		in[i].lo = in[i].hi = tn_key(&tn);
	}
	must(tnset_build(in, entries, &list->numbers, NULL) == RC_OK, "a list");
	atomic_init(&list->refs, 1);
	list->fetched_at_s = NOW;
	free(in);
	return list;
}

static struct credential *
activate(const struct kind *k, struct span pem, const char *tenant)
{
	struct gate_policy policy = { .profile = profile_rule(profile_of(k)) };
	struct credential *c = NULL;

	must(credential_new(tenant, "main", CREDENTIAL_READY, &c, NULL) == RC_OK, "memory");
	c->profile = profile_of(k);
	if (k->about == OF_LIST) {
		c->list = fetched(k->entries);
		policy.referenced = c->list->numbers;
	}
	must(chain_read_pem(pem, false, &c->chain, NULL) == RC_OK, "a chain");
	must(gate_open(c->chain, &policy, &c->gate, NULL) == RC_OK, "a gate");
	gate_validity(c->gate, &c->not_before_s, &c->not_after_s);
	c->header[is_shaken(k) ? PPT_SHAKEN : PPT_BASE] = copy("e30");
	memcpy(c->key_id, c->chain->cert[0]->key_id, KEY_ID_LEN);
	c->scope = c->scope_of_numbers = ENCOMPASS_ABSENT; /* no certificate above */
	return c;
}

/* ---- the set ---- */

static void
fill_credential(struct config_credential *c, const char *name, const struct kind *k)
{
	c->name = copy(name);
	c->base = copy("main");
	c->token = copy("main");
	c->profile = profile_of(k);
	c->tnlist_max_age_s = 3600;
}

static void
fill_tenant(struct config_tenant *t, size_t tenants, size_t i, const struct kind *k)
{
	char name[32];

	snprintf(name, sizeof name, "t%06zu", i);
	t->name = copy(name);
	t->enabled = true;
	t->numbers = numbers_of(tenants, i);
	t->allow_uid = calloc(1, sizeof *t->allow_uid);
	t->credential = calloc(2, sizeof *t->credential);
	must(t->allow_uid != NULL && t->credential != NULL, "no memory");
	/* Who attests by proof may be asked for any number: then the caller has one, or a few. */
	t->allow_uid[0] = UID + (is_proven(k) ? (uid_t)i : 0);
	if (k->about == OF_FEW && i < FEW)
		t->allow_uid[0] = UID;
	t->allow_uids = 1;
	t->attest_max = 'A';
	if (is_proven(k))
		t->attestation = (struct config_attestation){ .set = true,
			.listed = 'B',
			.delegate_proof = 'A',
			.otherwise = 'C',
			.delegate_profile = PROFILE_ATIS_DELEGATE,
			.delegate_encompassing = ENCOMPASS_IF_PRESENT };
	t->credentials = k->about == OF_COPY ? 2 : 1;
	fill_credential(&t->credential[0], "main", k);
	if (k->about == OF_COPY)
		fill_credential(&t->credential[1], "second", k);
}

static struct config *
make_config(size_t tenants, const struct kind *k)
{
	struct config *c = calloc(1, sizeof *c);

	must(c != NULL, "no memory");
	c->iat_past_s = PASSPORT_PAST_S;
	c->iat_future_s = PASSPORT_FUTURE_S;
	c->iat_diverted_s = PASSPORT_DIVERTED_S;
	c->token = calloc(2, sizeof *c->token);
	c->tenant = calloc(tenants, sizeof *c->tenant);
	must(c->token != NULL && c->tenant != NULL, "no memory");
	c->token[0].name = copy("main");
	c->token[1].name = copy("second");
	c->tokens = 2;
	for (; c->tenants < tenants; c->tenants++)
		fill_tenant(&c->tenant[c->tenants], tenants, c->tenants, k);
	return c;
}

/* What it took, per certificate. */
struct costs {
	int64_t index_ns, activate_ns;
};

static struct credential *
make_credential(const struct kind *k, size_t tenants, size_t t, const char *tenant,
    int64_t not_before_s, int64_t *took_ns)
{
	AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
	struct credential *c;
	int64_t began;

	issue(&pem, k, tenants, t, not_before_s);
	began = now_ns();
	c = activate(k, buf_view(&pem), tenant);
	*took_ns += now_ns() - began;
	return c;
}

static void
put_ready(struct credset *set, const struct kind *k, size_t tenants, size_t t, int64_t *took_ns)
{
	const char *name = set->config->tenant[t].name;
	struct credential *c = make_credential(k, tenants, t, name, NOW - 3600, took_ns);

	credset_put(set, (struct credset_place){ t, 0 }, c);
	if (k->about != OF_BEFORE && k->about != OF_COPY)
		return;
	c = make_credential(
	    k, tenants, t, name, k->about == OF_BEFORE ? NOW - RENEWED_S : NOW - 3600, took_ns);
	c->installed_at_s = NOW - RENEWED_S;
	c->token = k->about == OF_COPY;
	credset_put(set, (struct credset_place){ t, k->about == OF_COPY }, c);
}

/* The first `certificates` tenants have one of their own; the others' is still to come. */
static struct credset *
make_set(const struct kind *k, size_t tenants, size_t certificates, struct costs *costs)
{
	struct credset_parts parts = { .config = make_config(tenants, k) };
	struct credset_base *base = NULL;
	struct credset *set = NULL;
	int64_t began = now_ns();

	must(credset_base_new(&parts, &base, NULL) == RC_OK, "an index");
	costs->index_ns = now_ns() - began;
	must(credset_new(base, &set, NULL) == RC_OK, "a set");
	credset_base_release(base);
	for (size_t t = 0; t < tenants; t++) {
		const struct config_tenant *ct = &set->config->tenant[t];

		if (t < certificates) {
			put_ready(set, k, tenants, t, &costs->activate_ns);
			continue;
		}
		for (size_t i = 0; i < ct->credentials; i++) {
			struct credential *c = NULL;

			must(credential_new(ct->name, ct->credential[i].name,
				 CREDENTIAL_PENDING, &c, NULL) == RC_OK,
			    "memory");
			credset_put(set, (struct credset_place){ t, i }, c);
		}
	}
	costs->activate_ns /= (int64_t)certificates;
	set->generation = 1;
	return set;
}

/* ---- decisions ---- */

static bool
ready(void *arg, unsigned token, const uint8_t *id)
{
	(void)arg;
	(void)token;
	(void)id;
	return true;
}

static void
add_parts(json_t *claims, size_t n)
{
	json_t *parts = json_object();
	char name[32], value[16];

	snprintf(value, sizeof value, "v%02d", VALUES - 1);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "m%02zu", i);
		json_object_set_new(parts, name, json_string(value));
	}
	must(json_object_set_new(claims, "c", parts) == 0, "no memory");
}

static json_t *
claims_of(size_t tenants, size_t t, const struct kind *k)
{
	struct tn orig;
	json_t *claims;

	number_of(tenants, t, 0, &orig);
	if (is_shaken(k))
		return json_pack("{s:{s:s},s:{s:[s]},s:s,s:s}", "orig", "tn", orig.text, "dest",
		    "tn", DEST, "attest", "A", "origid", ORIGID);
	claims = json_pack("{s:{s:s},s:{s:[s]}}", "orig", "tn", orig.text, "dest", "tn", DEST);
	if (k->about == OF_PARTS)
		add_parts(claims, k->constraints);
	if (k->about == OF_BEFORE)
		json_object_set_new(claims, "iat", json_integer(NOW - 2 * RENEWED_S));
	return claims;
}

/* Did it come out by what it is to measure? */
static void
must_be(const struct kind *k, const struct decide_world *w, const struct decision *d)
{
	const struct credset_place at = { 0 };

	if (is_proven(k))
		must(strcmp(d->attest.rule, POLICY_DELEGATE_PROOF) == 0, "not by the proof");
	if (k->about == OF_FEW)
		must(w->view->only == CALLER_NO_TENANT, "one tenant");
	if (k->about == OF_CALL)
		must(d->rests_on == 1, "not by the delegate in the call");
	if (k->about == OF_LIST)
		must(gate_rests_on_reference(d->credential->gate, &d->passport), "by value");
	if (k->about == OF_BEFORE)
		must(d->credential == credset_before(w->set, at, NOW), "by the renewed one");
	if (k->about == OF_COPY)
		must(d->others == 1, "in one token");
}

static int64_t
round_ns(const struct decide_world *w, const struct kind *k, const struct sign_request *like,
    json_t *const *claims, size_t n)
{
	int64_t began = now_ns();

	for (size_t i = 0; i < DECISIONS; i++) {
		struct sign_request r = *like;
		struct decision d = { 0 };
		struct fault f = { 0 };

		r.claims = claims[i % n];
		if (decide(w, &r, &d, &f) != RC_OK)
			must(false, f.detail);
		if (i == 0)
			must_be(k, w, &d);
		decide_done(&d);
	}
	return (now_ns() - began) / DECISIONS;
}

static int64_t
median_ns(const struct decide_world *w, const struct kind *k, const struct sign_request *like,
    json_t *const *claims, size_t n)
{
	int64_t took[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++)
		took[i] = round_ns(w, k, like, claims, n);
	qsort(took, ROUNDS, sizeof took[0], by_value);
	return took[ROUNDS / 2];
}

/* A caller of the set, and the time. */
static void
enter(struct decide_world *w, const struct credset *set, struct caller_view *view)
{
	static const struct caller who = { .uid = UID };

	*w = (struct decide_world){
		.set = set, .caller = &who, .key_ready = ready, .now_s = NOW
	};
	must(policy_new(&w->policy, NULL) == RC_OK, "no memory");
	must(policy_adopt(w->policy, set, 0, NULL) == RC_OK, "buckets");
	w->view = caller_see(&who, set, view);
}

/* The delegate signs first, with a set of its own; like->before is what came of it. */
static int64_t
called_ns(const struct decide_world *w, const struct kind *k, struct sign_request *like,
    json_t *const *claims, size_t n)
{
	const struct kind delegate = { 1, 0, OF_BASE };
	struct costs costs = { 0 };
	struct credset *set = make_set(&delegate, 1, 1, &costs);
	json_auto_t *own = claims_of(1, 0, &delegate);
	const struct sign_request r = { .claims = own, .request_id = "bench" };
	struct caller_view view = { 0 };
	struct decide_world first;
	struct decision d = { 0 };
	int64_t ns;

	enter(&first, set, &view);
	must(decide(&first, &r, &d, NULL) == RC_OK, "the delegate's");
	like->before = &d;
	like->befores = 1;
	ns = median_ns(w, k, like, claims, n);
	decide_done(&d);
	policy_free(first.policy);
	credset_release(set);
	return ns;
}

/* Of several certificates in turn, so that not all is in the nearest cache. */
static int64_t
decision_ns(
    const struct credset *set, size_t tenants, size_t certificates, const struct kind *k)
{
	struct sign_request like = { .ppt = is_shaken(k) ? PPT_SHAKEN : PPT_BASE,
		.request_id = "bench" };
	struct proof proof = { 0 };
	struct caller_view view = { 0 };
	struct decide_world w;
	json_t **claims = calloc(certificates, sizeof *claims);
	int64_t ns;

	must(claims != NULL, "no memory");
	enter(&w, set, &view);
	for (size_t i = 0; i < certificates; i++)
		claims[i] = claims_of(tenants, i * 7919 % certificates, k);
	proof.claims = claims[0]; /* of the one certificate that there is then */
	if (k->about == OF_PROOF || k->about == OF_FEW) {
		like.proof = &proof;
		like.delegate_passport = span_str("verified before");
	}
	ns = k->about == OF_CALL ? called_ns(&w, k, &like, claims, certificates)
				 : median_ns(&w, k, &like, claims, certificates);
	for (size_t i = 0; i < certificates; i++)
		json_decref(claims[i]);
	free(claims);
	policy_free(w.policy);
	return ns;
}

/* Numbers far from each other, so that each is looked up in memory that is cold. */
static int64_t
lookups_ns(const struct credset *set, uint64_t first, uint64_t numbers, uint64_t begin)
{
	uint64_t hits = 0;
	uint32_t found[2];
	int64_t began = now_ns();

	for (uint64_t i = begin; i < begin + LOOKUPS; i++)
		hits += credset_lookup(set, first + 2 * (i * 2654435761 % numbers), found, 2);
	must(hits == LOOKUPS, "a number was not found");
	return (now_ns() - began) / LOOKUPS;
}

static int64_t
lookup_ns(const struct credset *set, size_t tenants)
{
	int64_t took[ROUNDS];
	struct tn tn;

	number_of(tenants, 0, 0, &tn);
	for (size_t i = 0; i < ROUNDS; i++)
		took[i] = lookups_ns(set, tn_key(&tn), (uint64_t)tenants * EACH, i * LOOKUPS);
	qsort(took, ROUNDS, sizeof took[0], by_value);
	return took[ROUNDS / 2];
}

/* ---- the report ---- */

static json_t *report;
static bool as_json;

static void
tell(const char *what, size_t numbers, const struct kind *k, int64_t ns)
{
	json_array_append_new(
	    report, json_pack("{s:s,s:I,s:I,s:I,s:I}", "what", what, "numbers",
			(json_int_t)numbers, "entries", (json_int_t)k->entries, "constraints",
			(json_int_t)k->constraints, "ns", (json_int_t)ns));
	if (!as_json)
		printf("%-28s %9zu %7zu %11zu %9lld\n", what, numbers, k->entries,
		    k->constraints, (long long)ns);
}

static void
run(const struct kind *k, size_t tenants, size_t certificates)
{
	struct costs costs = { 0 };
	struct credset *set = make_set(k, tenants, certificates, &costs);

	tell(about_text[k->about], tenants * EACH, k,
	    decision_ns(set, tenants, certificates, k));
	if (certificates > 1)
		tell("activation, a certificate", tenants * EACH, k, costs.activate_ns);
	credset_release(set);
}

static void
growth(size_t most)
{
	const struct kind one = { 1, 0, OF_BASE };

	for (size_t tenants = 10; tenants <= most; tenants *= 10) {
		struct costs costs = { 0 };
		struct credset *set = make_set(&one, tenants, 1, &costs);

		tell("number looked up", tenants * EACH, &one, lookup_ns(set, tenants));
		tell("index made", tenants * EACH, &one, costs.index_ns);
		credset_release(set);
	}
}

static void
run_all(size_t tenants, size_t certificates, size_t most)
{
	static const size_t entries[] = { 1, LONG_LIST }, constraints[] = { 0, 5, 50 };

	growth(most);
	for (size_t c = 0; c < ARRAY_LEN(constraints); c++) {
		run(&(struct kind){ 1, constraints[c], OF_SHAKEN }, tenants, 1);
		for (size_t e = 0; e < ARRAY_LEN(entries); e++)
			run(&(struct kind){ entries[e], constraints[c], OF_BASE }, tenants, 1);
	}
	run(&(struct kind){ 1, 5, OF_PARTS }, tenants, 1);
	run(&(struct kind){ 1, 50, OF_PARTS }, tenants, 1);
	run(&(struct kind){ 1, 5, OF_PROOF }, most,
	    1); /* as many as may be asked for any number */
	run(&(struct kind){ 1, 5, OF_FEW }, most, 1);
	run(&(struct kind){ 1, 5, OF_CALL }, tenants, 1);
	run(&(struct kind){ 1, 5, OF_BEFORE }, tenants, 1);
	run(&(struct kind){ 1, 5, OF_COPY }, tenants, 1);
	run(&(struct kind){ 1, 5, OF_LIST }, tenants, 1);
	run(&(struct kind){ FETCHED_LIST, 5, OF_LIST }, tenants, 1);
	run(&(struct kind){ EACH, 5, OF_BASE }, tenants, certificates);
}

int
main(int argc, char **argv)
{
	struct rusage use = { 0 };
	size_t tenants = 10000, certificates = 10000, most = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			as_json = true;
		else if (strcmp(argv[i], "--tenants") == 0 && i + 1 < argc)
			tenants = strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--certificates") == 0 && i + 1 < argc)
			certificates = strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--growth") == 0 && i + 1 < argc)
			most = strtoul(argv[++i], NULL, 10);
		else
			must(false,
			    "usage: decisions [--json] [--tenants N] [--certificates N] "
			    "[--growth TENANTS]");
	}
	must(certificates > 0 && tenants >= certificates, "no more certificates than tenants");
	key = pki_p256();
	report = json_array();
	if (!as_json)
		printf("%-28s %9s %7s %11s %9s\n", "what", "numbers", "entries", "constraints",
		    "ns");
	run_all(tenants, certificates, most > 0 ? most : tenants);
	getrusage(RUSAGE_SELF, &use);
	if (as_json)
		json_dumpf(report, stdout, JSON_INDENT(1));
	else
		printf("peak memory %ld MiB\n", use.ru_maxrss / 1024);
	json_decref(report);
	EVP_PKEY_free(key);
	return 0;
}
