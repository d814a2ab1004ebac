/*
 * The whole decision for many: a verdict line for each request of standard
 * input, by what the front itself calls: the configuration and the state
 * directory are loaded from disk, the request is read as on the socket, and
 * decided.  Decides nothing itself.  One thread.
 *
 *	enter\tFOLDER			where vesperd.conf is
 *	list\tLEN\tTENANT\tCREDENTIAL\tURL\tFETCHED\n<DER>	a TNAuthList by reference
 *	load\tNOW			answered by loaded, or broken, a tab and why
 *	ask\tLEN[\tKEY=VALUE]…\n<body>	uid, gid, group (again and again), door, opens=1,
 *		atis=1, calls=1, query, at, times, keyless=TENANT/CREDENTIAL (again and again)
 *
 * An ask is answered by "allow", the tenant, the credential, what was only
 * observed (with commas) and the payload; or by "refuse", reason, claim and
 * detail; tabs between.  With calls=1 by "call" and how many, and a line for
 * each, as they were asked for, or by a refusal of all.
 */
#include "agent/front/decide.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/front/load.h"
#include "agent/front/verifier.h"
#include "agent/log.h"
#include "stir/jtext.h"
#include "tests/fuzz/asked.h"
#include "tests/oracle/records.h"

enum { GROUPS_MAX = 16, KEYLESS_MAX = 16, HOUR_MS = 3600000 };

struct house {
	struct credset *set;
	struct policy *policy;
	struct verifier *verifier; /* of all of them */
};

struct ask {
	struct caller caller;
	gid_t group[GROUPS_MAX];
	bool atis, calls;
	const char *query;
	int64_t at_s, times;
	const char *keyless[KEYLESS_MAX];
	size_t keylesses;
};

static void
must(enum rc rc, const char *what, const struct fault *f)
{
	if (rc == RC_OK)
		return;
	fprintf(stderr, "decider: %s: %s %s\n", what, f->reason, f->detail);
	exit(2);
}

/* ---- the house ---- */

static void
leave(struct house *h)
{
	policy_free(h->policy);
	credset_release(h->set);
	*h = (struct house){ .verifier = h->verifier };
}

static void
put_list(char *rest, struct span der)
{
	AUTO(config) *config = NULL;
	char *tenant = strsep(&rest, "\t"), *name = strsep(&rest, "\t");
	char *url = strsep(&rest, "\t");
	int64_t fetched_at_s = number(strsep(&rest, "\t"));
	struct fault f = { 0 };
	struct tnlist_of of;

	must(config_read("vesperd.conf", &config, &f), "the configuration of a list", &f);
	of = (struct tnlist_of){ config, tenant, name,
		config_credential_find(config_tenant_find(config, tenant), name) };
	must(tnlist_write(&of, url, der, fetched_at_s, 60, &f), "a list", &f);
}

static void
load(struct house *h, int64_t now_s)
{
	struct fault f = { 0 };

	leave(h);
	if (load_look("vesperd.conf", now_s, &h->set, &f) != RC_OK) {
		printf("broken\t%s %s\n", f.reason, f.detail);
		return;
	}
	h->set->generation = 1;
	must(policy_new(&h->policy, &f), "a policy", &f);
	must(policy_adopt(h->policy, h->set, 0, &f), "a policy", &f);
	puts("loaded");
}

/* ---- a request ---- */

static void
take_switch(struct ask *a, char *text)
{
	const char *value = cut_value(text);

	if (strcmp(text, "uid") == 0)
		a->caller.uid = (uid_t)number(value);
	else if (strcmp(text, "gid") == 0)
		a->caller.gid = (gid_t)number(value);
	else if (strcmp(text, "group") == 0 && a->caller.groups < GROUPS_MAX)
		a->group[a->caller.groups++] = (gid_t)number(value);
	else if (strcmp(text, "door") == 0)
		a->caller.door.tenant = value;
	else if (strcmp(text, "opens") == 0)
		a->caller.door.auth_socket = true;
	else if (strcmp(text, "atis") == 0)
		a->atis = true;
	else if (strcmp(text, "calls") == 0)
		a->calls = true;
	else if (strcmp(text, "query") == 0)
		a->query = value;
	else if (strcmp(text, "at") == 0)
		a->at_s = number(value);
	else if (strcmp(text, "times") == 0)
		a->times = number(value);
	else if (strcmp(text, "keyless") == 0 && a->keylesses < KEYLESS_MAX)
		a->keyless[a->keylesses++] = value;
	else
		die("unknown switch, or too many");
}

struct keys {
	const struct credset *set;
	const struct ask *ask;
};

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	const struct keys *k = arg;
	char name[2 * CONFIG_NAME_MAX + 2];

	(void)token;
	for (size_t i = 0; i < k->set->slots; i++) {
		const struct credential *c = k->set->slot[i];

		if (memcmp(c->key_id, key_id, KEY_ID_LEN) != 0)
			continue;
		snprintf(name, sizeof name, "%s/%s", c->tenant, c->name);
		for (size_t n = 0; n < k->ask->keylesses; n++) {
			if (strcmp(k->ask->keyless[n], name) == 0)
				return false;
		}
	}
	return true;
}

static void
verified(struct verifier_task *t)
{
	t->items = 0;
}

/* By the front's own verifier. */
static enum rc
verify(struct house *h, struct verifier_item *item, int64_t now_s, struct fault *f)
{
	struct verifier_task t = { .item = { *item },
		.items = 1,
		.now_s = now_s,
		.deadline_ms = INT64_MAX,
		.done = verified };
	struct pollfd p = { .fd = verifier_fd(h->verifier), .events = POLLIN };

	TRY(verifier_post(h->verifier, &t, h->set, f));
	while (t.items > 0) {
		if (poll(&p, 1, -1) < 0)
			die("poll");
		verifier_take(h->verifier);
	}
	*item = t.item[0];
	*f = item->fault;
	return f->rc;
}

static enum rc
verify_originals(struct house *h, const struct decision *x, int64_t now_s, struct fault *f)
{
	if (x->originals == NULL)
		return RC_OK;
	return verify(h,
	    &(struct verifier_item){
		.originals = x->originals, .check = x->config->original_check },
	    now_s, f);
}

static void
print_decision(const struct decision *x)
{
	AUTO_BUF payload = BUF_INIT(PASSPORT_MAX_BYTES);
	struct fault f = { 0 };

	must(jtext_write(&payload, x->passport.claims, &f), "a payload", &f);
	must(buf_check(&payload, &f), "a payload", &f);
	printf("allow\t%s\t%s\t", x->tenant->name, x->config->name);
	for (size_t i = 0; i < x->observeds; i++)
		printf("%s%s", i == 0 ? "" : ",", config_observe_name(x->observed[i].rule));
	printf("\t%.*s\n", (int)payload.len, (const char *)buf_view(&payload).ptr);
}

/* ---- what is asked ---- */

struct asking {
	struct house *house;
	struct ask *ask;
	int64_t now_ms;
	struct sign_request *request;
	size_t len;
	struct decide_charge charge[SIGN_CALL_MAX];
	struct proof proof[SIGN_CALL_MAX];
	/* In the order of deciding: */
	size_t decided, of[SIGN_CALL_MAX];
	struct decision decision[SIGN_CALL_MAX];
	struct fault fault[SIGN_CALL_MAX]; /* as they were asked for */
};

struct view {
	struct caller_view seen;
	struct keys keys;
	struct decide_world world;
};

static const struct decide_world *
look(const struct asking *a, struct view *v)
{
	const struct house *h = a->house;

	*v = (struct view){ .keys = { h->set, a->ask } };
	v->world = (struct decide_world){ .set = h->set,
		.policy = h->policy,
		.caller = &a->ask->caller,
		.view = caller_see(&a->ask->caller, h->set, &v->seen),
		.key_ready = key_ready,
		.arg = &v->keys,
		.now_s = a->ask->at_s,
		.now_ms = a->now_ms };
	return &v->world;
}

/* As prove.c does, before anything is decided. */
static void
prove_one(struct asking *a, size_t i)
{
	struct sign_request *r = &a->request[i];
	struct verifier_item item = { .delegate = r->delegate_passport };
	struct view v;

	r->proof = NULL;
	r->charge = NULL;
	if (r->delegate_passport.len == 0)
		return;
	if (decide_wants_proof(look(a, &v), r, &item.policy, &a->charge[i])) {
		(void)!verify(a->house, &item, a->ask->at_s, &a->proof[i].fault);
		a->proof[i].claims = item.claims;
		r->proof = &a->proof[i];
	}
	r->charge = &a->charge[i];
}

static enum rc
decide_one(struct asking *a, const struct sign_request *r, struct decision *x, struct fault *f)
{
	struct sign_request mine = *r;
	struct view v;

	mine.before = a->decision;
	mine.befores = a->decided;
	TRY(decide(look(a, &v), &mine, x, f));
	return verify_originals(a->house, x, a->ask->at_s, f);
}

/* Shaken last, as sign.c does. */
static void
decide_pass(struct asking *a, bool shaken)
{
	for (size_t i = 0; i < a->len; i++) {
		struct decision *x = &a->decision[a->decided];

		if ((a->request[i].ppt == PPT_SHAKEN) != shaken)
			continue;
		if (decide_one(a, &a->request[i], x, &a->fault[i]) != RC_OK) {
			x->config = NULL; /* nothing rests on it */
			x->credential = NULL;
		}
		a->of[a->decided++] = i;
	}
}

static void
forget(struct asking *a)
{
	for (size_t k = 0; k < a->decided; k++)
		decide_done(&a->decision[k]);
	for (size_t i = 0; i < a->len; i++)
		proof_done(&a->proof[i]);
}

static void
decide_all(struct asking *a)
{
	forget(a);
	*a = (struct asking){ .house = a->house,
		.ask = a->ask,
		.now_ms = a->now_ms,
		.request = a->request,
		.len = a->len };
	for (size_t i = 0; i < a->len; i++)
		prove_one(a, i);
	decide_pass(a, false);
	decide_pass(a, true);
}

static void
print_all(const struct asking *a)
{
	for (size_t i = 0; i < a->len; i++) {
		size_t k = 0;

		while (a->of[k] != i)
			k++;
		if (a->fault[i].rc == RC_OK)
			print_decision(&a->decision[k]);
		else
			print_fault("refuse", &a->fault[i]);
	}
}

static void
answer_all(struct house *h, struct ask *ask, struct sign_request *request, size_t len)
{
	static int64_t now_ms;	/* every request finds the rates as if nothing had been asked */
	static struct asking a; /* long */

	a = (struct asking){ .house = h, .ask = ask, .request = request, .len = len };
	a.now_ms = now_ms += HOUR_MS;
	for (int64_t n = 0; n < ask->times; n++)
		decide_all(&a);
	if (ask->calls)
		printf("call\t%zu\n", len);
	print_all(&a);
	forget(&a);
}

static void
answer_call(struct house *h, struct ask *a, struct span body)
{
	struct asked_call asked = { .len = 0 };
	struct fault f = { 0 };

	if (asked_calls(span_str(a->query), body, &asked, &f) == RC_OK)
		answer_all(h, a, asked.sign, asked.len);
	else
		print_fault("refuse", &f);
	asked_call_done(&asked);
}

static void
answer_one(struct house *h, struct ask *a, struct span body)
{
	struct asked asked = { 0 };
	struct fault f = { 0 };
	enum rc rc = a->atis ? asked_atis(body, &asked, &f)
			     : asked_native(span_str(a->query), body, &asked, &f);

	if (rc == RC_OK)
		answer_all(h, a, &asked.sign, 1);
	else
		print_fault("refuse", &f);
	asked_done(&asked);
}

/* api.c has no body read for a caller without a tenant. */
static void
answer(struct house *h, struct ask *a, struct span body)
{
	struct caller_view view = { 0 };
	struct fault f = { 0 };

	if (h->set == NULL)
		die("nothing is loaded");
	a->caller.group = a->group;
	if (!caller_see(&a->caller, h->set, &view)->any) {
		(void)REFUSE(&f, RC_DENIED, CALLER_NOT_ALLOWED, NULL, "no tenant");
		print_fault("refuse", &f);
		return;
	}
	if (a->calls)
		answer_call(h, a, body);
	else
		answer_one(h, a, body);
}

static void
take_record(struct house *h, char *kind, char *rest, struct buf *body)
{
	struct ask a = { .query = "", .times = 1 };
	char *word;

	if (strcmp(kind, "enter") == 0) {
		if (rest == NULL || chdir(rest) != 0)
			die("no such folder");
		return;
	}
	if (strcmp(kind, "load") == 0) {
		load(h, number(rest));
		return;
	}
	read_body(strsep(&rest, "\t"), body);
	if (strcmp(kind, "list") == 0) {
		put_list(rest, buf_view(body));
		return;
	}
	while ((word = strsep(&rest, "\t")) != NULL)
		take_switch(&a, word);
	answer(h, &a, buf_view(body));
}

int
main(void)
{
	AUTO_BUF body = BUF_INIT(CHAIN_MAX_BYTES);
	struct house h = { 0 };
	struct fault f = { 0 };
	char *rest;

	log_open("decider", LEVEL_ERR);
	must(verifier_new(&h.verifier, &f), "a verifier", &f);
	while ((rest = next_line()) != NULL) {
		char *kind = strsep(&rest, "\t");

		take_record(&h, kind, rest, &body);
		flush_verdicts();
	}
	leave(&h);
	verifier_free(h.verifier);
	return EXIT_SUCCESS;
}
