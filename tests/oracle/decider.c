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
 *		atis=1, query, at, times, keyless=TENANT/CREDENTIAL (again and again)
 *
 * An ask is answered by "allow", the tenant, the credential, what was only
 * observed (with commas) and the payload; or by "refuse", reason, claim and
 * detail; tabs between.
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

enum { LINE_MAX_LEN = 65536, GROUPS_MAX = 16, KEYLESS_MAX = 16, HOUR_MS = 3600000 };

struct house {
	struct credset *set;
	struct policy *policy;
	struct verifier *verifier; /* of all of them */
};

struct ask {
	struct caller caller;
	gid_t group[GROUPS_MAX];
	bool atis;
	const char *query;
	int64_t at_s, times;
	const char *keyless[KEYLESS_MAX];
	size_t keylesses;
};

static void
die(const char *why)
{
	fprintf(stderr, "decider: %s\n", why);
	exit(2);
}

static void
must(enum rc rc, const char *what, const struct fault *f)
{
	if (rc == RC_OK)
		return;
	fprintf(stderr, "decider: %s: %s %s\n", what, f->reason, f->detail);
	exit(2);
}

/* Decimal, all of text. */
static int64_t
number(const char *text)
{
	char *end = NULL;
	long long n = text == NULL ? 0 : strtoll(text, &end, 10);

	if (end == text || end == NULL || *end != 0)
		die("a number is no number");
	return n;
}

static void
read_body(const char *length, struct buf *out)
{
	int64_t len = number(length);
	uint8_t *room;

	buf_clear(out);
	if (len < 0 || len > CHAIN_MAX_BYTES)
		die("a length is out of bounds");
	room = buf_room(out, (size_t)len);
	if (len > 0 && (room == NULL || fread(room, 1, (size_t)len, stdin) != (size_t)len))
		die("a record ends early");
	buf_grew(out, (size_t)len);
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
	char *value = strchr(text, '=');

	if (value == NULL)
		die("a switch has no value");
	*value++ = 0;
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
verify_originals(struct house *h, const struct decision *x, int64_t now_s, struct fault *f)
{
	struct verifier_task t = {
		.item = { { .originals = x->originals, .check = x->config->original_check } },
		.items = 1,
		.now_s = now_s,
		.deadline_ms = INT64_MAX,
		.done = verified
	};
	struct pollfd p = { .fd = verifier_fd(h->verifier), .events = POLLIN };

	if (x->originals == NULL)
		return RC_OK;
	TRY(verifier_post(h->verifier, &t, h->set, f));
	while (t.items > 0) {
		if (poll(&p, 1, -1) < 0)
			die("poll");
		verifier_take(h->verifier);
	}
	*f = t.item[0].fault;
	return f->rc;
}

static void
print_refusal(const struct fault *f)
{
	printf("refuse\t%s\t%s\t", f->reason, f->claim);
	for (const char *p = f->detail; *p != 0; p++)
		putchar((unsigned char)*p < ' ' ? ' ' : *p);
	putchar('\n');
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

static enum rc
decide_once(struct house *h, struct ask *a, struct asked *asked, int64_t now_ms,
    struct decision *x, struct fault *f)
{
	struct caller_view view = { 0 };
	struct keys keys = { h->set, a };
	const struct decide_world w = { .set = h->set,
		.policy = h->policy,
		.caller = &a->caller,
		.view = caller_see(&a->caller, h->set, &view),
		.key_ready = key_ready,
		.arg = &keys,
		.now_s = a->at_s,
		.now_ms = now_ms };

	TRY(decide(&w, &asked->sign, x, f));
	return verify_originals(h, x, a->at_s, f);
}

/* api.c has no body read for a caller without a tenant. */
static enum rc
read_request(
    struct house *h, struct ask *a, struct span body, struct asked *asked, struct fault *f)
{
	struct caller_view view = { 0 };

	if (!caller_see(&a->caller, h->set, &view)->any)
		return REFUSE(f, RC_DENIED, CALLER_NOT_ALLOWED, NULL, "no tenant");
	if (a->atis)
		return asked_atis(body, asked, f);
	return asked_native(span_str(a->query), body, asked, f);
}

static void
answer(struct house *h, struct ask *a, struct span body)
{
	static int64_t now_ms; /* every request finds the rates as if nothing had been asked */
	struct asked asked = { 0 };
	struct decision x = { 0 };
	struct fault f = { 0 };
	enum rc rc;

	if (h->set == NULL)
		die("nothing is loaded");
	now_ms += HOUR_MS;
	a->caller.group = a->group;
	rc = read_request(h, a, body, &asked, &f);
	for (int64_t n = 0; rc == RC_OK && n < a->times; n++) {
		decide_done(&x);
		x = (struct decision){ 0 };
		rc = decide_once(h, a, &asked, now_ms, &x, &f);
	}
	if (rc == RC_OK)
		print_decision(&x);
	else
		print_refusal(&f);
	decide_done(&x);
	asked_done(&asked);
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
	char line[LINE_MAX_LEN];

	log_open("decider", LEVEL_ERR);
	must(verifier_new(&h.verifier, &f), "a verifier", &f);
	while (fgets(line, sizeof line, stdin) != NULL) {
		char *rest = line, *kind;

		line[strcspn(line, "\n")] = 0;
		kind = strsep(&rest, "\t");
		take_record(&h, kind, rest, &body);
		if (fflush(stdout) != 0)
			die("nobody reads the verdicts");
	}
	leave(&h);
	verifier_free(h.verifier);
	return EXIT_SUCCESS;
}
