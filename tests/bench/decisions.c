/*
 * What a decision costs: nanoseconds for decide() as the loop calls it, from
 * the caller's claims to the credential, without JSON of the body, hashing and
 * the token.  And what it costs to bring 10,000 certificates into a set.
 *
 *	decisions [--json] [--tenants N] [--certificates N] [--growth TENANTS]
 *
 * Numbers are looked up and indexed for ten tenants, a hundred and so on up to
 * TENANTS of --growth, which is all of them where it is not given.
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
	DECISIONS = 20000, /* of a round */
	LOOKUPS = 20000,   /* of a round */
	LONG_LIST = 4000,
	CLAIMS_MAX = 65536,
	VALUES = 75, /* of a constraint that has a long list */
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

struct kind { /* what a certificate is like */
	size_t entries;
	size_t constraints;
	bool shaken;
	bool vetted; /* all are about parts of one claim, with long lists (D-16) */
};

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
	if (k->vetted)
		put_parts(&text, k->constraints);
	else
		put_claims(&text, k->constraints, k->shaken, orig);
	c = make(buf_text(&text), CONSTRAINTS_JWT);
	must(constraints_encode(out, c, NULL) == RC_OK, "constraints");
	constraints_free(c);
}

static enum profile
profile_of(const struct kind *k)
{
	return k->shaken   ? PROFILE_SHAKEN_SP
	       : k->vetted ? PROFILE_VESPER_06
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
issue(struct buf *pem, const struct kind *k, size_t tenants, size_t t)
{
	AUTO_BUF list = BUF_INIT(1000000), constraints = BUF_INIT(100000);
	struct pki_spec spec = { .cn = "leaf", .key = key };
	struct tn orig;
	X509 *x;

	number_of(tenants, t, 0, &orig);
	if (k->shaken)
		pki_tnauth_spc(&list, "1234");
	else
		put_list(&list, k, tenants, t);
	put_constraints(&constraints, k, &orig);
	spec.tnauth = buf_view(&list);
	spec.jwt_constraints = buf_view(&constraints);
	spec.not_before_s = NOW - 3600;
	spec.not_after_s = NOW + 86400;
	x = pki_issue(&spec);
	pki_pem(pem, x);
	X509_free(x);
}

static struct credential *
activate(const struct kind *k, struct span pem, const char *tenant)
{
	struct gate_policy policy = { .profile = profile_rule(profile_of(k)) };
	struct credential *c = NULL;

	must(credential_new(tenant, "main", CREDENTIAL_READY, &c, NULL) == RC_OK, "memory");
	c->profile = profile_of(k);
	must(chain_read_pem(pem, false, &c->chain, NULL) == RC_OK, "a chain");
	must(gate_open(c->chain, &policy, &c->gate, NULL) == RC_OK, "a gate");
	gate_validity(c->gate, &c->not_before_s, &c->not_after_s);
	c->header[k->shaken ? PPT_SHAKEN : PPT_BASE] = copy("e30");
	return c;
}

/* ---- the set ---- */

static void
fill_tenant(struct config_tenant *t, size_t tenants, size_t i, const struct kind *k)
{
	char name[32];

	snprintf(name, sizeof name, "t%06zu", i);
	t->name = copy(name);
	t->enabled = true;
	t->numbers = numbers_of(tenants, i);
	t->allow_uid = calloc(1, sizeof *t->allow_uid);
	t->credential = calloc(1, sizeof *t->credential);
	must(t->allow_uid != NULL && t->credential != NULL, "no memory");
	t->allow_uid[0] = UID;
	t->allow_uids = 1;
	t->attest_max = 'A';
	t->credentials = 1;
	t->credential[0].name = copy("main");
	t->credential[0].token = copy("main");
	t->credential[0].profile = profile_of(k);
}

static struct config *
make_config(size_t tenants, const struct kind *k)
{
	struct config *c = calloc(1, sizeof *c);

	must(c != NULL, "no memory");
	c->iat_past_s = PASSPORT_PAST_S;
	c->iat_future_s = PASSPORT_FUTURE_S;
	c->iat_diverted_s = PASSPORT_DIVERTED_S;
	c->token = calloc(1, sizeof *c->token);
	c->tenant = calloc(tenants, sizeof *c->tenant);
	must(c->token != NULL && c->tenant != NULL, "no memory");
	c->token[0].name = copy("main");
	c->tokens = 1;
	for (; c->tenants < tenants; c->tenants++)
		fill_tenant(&c->tenant[c->tenants], tenants, c->tenants, k);
	return c;
}

/* What it took, per certificate. */
struct costs {
	int64_t index_ns, activate_ns;
};

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
		const char *name = set->config->tenant[t].name;
		AUTO_BUF pem = BUF_INIT(CHAIN_MAX_BYTES);
		struct credential *c = NULL;

		if (t < certificates) {
			issue(&pem, k, tenants, t);
			began = now_ns();
			c = activate(k, buf_view(&pem), name);
			costs->activate_ns += now_ns() - began;
		} else {
			must(
			    credential_new(name, "main", CREDENTIAL_PENDING, &c, NULL) == RC_OK,
			    "memory");
		}
		credset_put(set, (struct credset_place){ t, 0 }, c);
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
	if (k->shaken)
		return json_pack("{s:{s:s},s:{s:[s]},s:s,s:s}", "orig", "tn", orig.text, "dest",
		    "tn", DEST, "attest", "A", "origid", ORIGID);
	claims = json_pack("{s:{s:s},s:{s:[s]}}", "orig", "tn", orig.text, "dest", "tn", DEST);
	if (k->vetted)
		add_parts(claims, k->constraints);
	return claims;
}

static int64_t
round_ns(const struct decide_world *w, json_t *const *claims, size_t n, bool shaken)
{
	int64_t began = now_ns();

	for (size_t i = 0; i < DECISIONS; i++) {
		struct sign_request r = { .ppt = shaken ? PPT_SHAKEN : PPT_BASE,
			.claims = claims[i % n],
			.request_id = "bench" };
		struct decision d = { 0 };
		struct fault f = { 0 };

		if (decide(w, &r, &d, &f) != RC_OK)
			must(false, f.detail);
		decide_done(&d);
	}
	return (now_ns() - began) / DECISIONS;
}

/* Of several certificates in turn, so that not all is in the nearest cache. */
static int64_t
decision_ns(
    const struct credset *set, size_t tenants, size_t certificates, const struct kind *k)
{
	struct policy *policy = NULL;
	struct caller who = { .uid = UID };
	struct caller_view view = { 0 };
	struct decide_world w = {
		.set = set, .caller = &who, .key_ready = ready, .now_s = NOW
	};
	json_t **claims = calloc(certificates, sizeof *claims);
	int64_t took[ROUNDS];

	must(claims != NULL && policy_new(&policy, NULL) == RC_OK, "no memory");
	must(policy_adopt(policy, set, 0, NULL) == RC_OK, "buckets");
	w.policy = policy;
	w.view = caller_see(&who, set, &view);
	for (size_t i = 0; i < certificates; i++)
		claims[i] = claims_of(tenants, i * 7919 % certificates, k);
	for (size_t i = 0; i < ROUNDS; i++)
		took[i] = round_ns(&w, claims, certificates, k->shaken);
	qsort(took, ROUNDS, sizeof took[0], by_value);
	for (size_t i = 0; i < certificates; i++)
		json_decref(claims[i]);
	free(claims);
	policy_free(policy);
	return took[ROUNDS / 2];
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
	const char *what = k->shaken   ? "decision, shaken"
			   : k->vetted ? "decision, parts"
				       : "decision, base";

	tell(what, tenants * EACH, k, decision_ns(set, tenants, certificates, k));
	if (certificates > 1)
		tell("activation, a certificate", tenants * EACH, k, costs.activate_ns);
	credset_release(set);
}

static void
growth(size_t most)
{
	const struct kind one = { 1, 0, false, false };

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
		run(&(struct kind){ 1, constraints[c], true, false }, tenants, 1);
		for (size_t e = 0; e < ARRAY_LEN(entries); e++)
			run(&(struct kind){ entries[e], constraints[c], false, false }, tenants,
			    1);
	}
	run(&(struct kind){ 1, 5, false, true }, tenants, 1);
	run(&(struct kind){ 1, 50, false, true }, tenants, 1);
	run(&(struct kind){ EACH, 5, false, false }, tenants, certificates);
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
