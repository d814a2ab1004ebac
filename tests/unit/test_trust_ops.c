/*
 * Signed lists as they come: good ones, those that are refused, what is left of
 * them after a start, and a program in the renewer's place.
 */
#include "agent/front/trust_ops.h"

#include <openssl/pem.h>
#include <stdio.h>

#include "agent/front/store.h"
#include "stir/b64.h"
#include "stir/loglist.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/ctlab.h"
#include "tests/unit/rows.h"

#define LIST_URL "https://lists.example/logs.json"
#define SIG_URL	 "https://lists.example/logs.sig"
#define KEYS \
	"ct_logs_url = \"" LIST_URL "\"\nct_logs_signature_url = \"" SIG_URL "\"\n" \
	"ct_logs_key = \"list-key.pem\"\nct_logs_tls_ca = \"list-ca.pem\"\n" \
	"ct_logs_refresh_s = 3600\nct_logs_max_age_s = 864000\n"
#define KEPT	  "state/front/lists/ct_logs.json"
#define FILE_PATH "state/front/tenants/acme/main/current.pem"
enum { REFRESH_S = 3600, DAY_S = 86400 };
static const int64_t now = PKI_NOW;
static const char acme[] = "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("vesper-06", "");

struct lab {
	struct bworld world;
	struct works works;
	EVP_PKEY *publisher, *other, *new_log;
	char url[DOCUMENT_URL_MAX]; /* of the document that was handed out last */
};

static void
write_key(EVP_PKEY *key)
{
	FILE *f = fopen("list-key.pem", "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_PUBKEY(f, key), 1);
	assert_int_equal(fclose(f), 0);
}

static void
put_certificate(struct lab *l)
{
	AUTO_BUF pem = BUF_INIT(65536), list = BUF_INIT(4096);
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	uint8_t point[P256_POINT_LEN];
	struct bworld_cert spec = { .point = point, .serial = "10", .scts = 1 };

	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	bworld_tnauth(&list, "12025550100");
	spec.tnauth = buf_view(&list);
	bworld_issue(&l->world, &pem, &spec);
	assert_int_equal(store_write(FILE_PATH, buf_view(&pem), 0600, NULL), RC_OK);
}

static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	l->publisher = pki_p256();
	l->other = pki_p256();
	l->new_log = pki_p256();
	bworld_open(&l->world);
	write_key(l->publisher);
	bworld_main(KEYS);
	bworld_tenant("acme", acme);
	put_certificate(l);
	bworld_works(&l->world, &l->works, now);
	*state = l;
	return 0;
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	works_done(&l->works);
	bworld_close(&l->world);
	EVP_PKEY_free(l->publisher);
	EVP_PKEY_free(l->other);
	EVP_PKEY_free(l->new_log);
	free(l);
	return 0;
}

/* The agent ends and starts again. */
static void
restart(struct lab *l, int64_t now_s)
{
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now_s);
}

/* ---- the renewer's part ---- */

static json_t *
answer_to(struct lab *l, json_t *msg, int64_t now_s)
{
	json_auto_t *mine = msg;
	json_t *out = NULL;
	int64_t again_s = 0;

	assert_non_null(mine);
	ops_answer(&l->works, mine, now_s, &out, &again_s);
	assert_non_null(out);
	return out;
}

/* The document that is wanted now; 0: none is. */
static int64_t
wanted_of(struct lab *l, const char *tls_ca, int64_t now_s)
{
	json_auto_t *out =
	    answer_to(l, json_pack("{s:s, s:i}", "op", "documents", "id", 1), now_s);
	const json_t *one = json_array_get(json_object_get(out, "documents"), 0);

	if (one == NULL)
		return 0;
	snprintf(l->url, sizeof l->url, "%s", json_string_value(json_object_get(one, "url")));
	assert_string_equal(json_string_value(json_object_get(one, "tls_ca")), tls_ca);
	return json_integer_value(json_object_get(one, "document"));
}

static int64_t
wanted(struct lab *l, int64_t now_s)
{
	return wanted_of(l, "ct_logs_tls_ca", now_s);
}

/* NULL: it was taken, else the reason (static). */
static const char *
reason_of(json_t *out)
{
	static char reason[64];
	const char *text = json_string_value(json_object_get(out, "reason"));

	snprintf(reason, sizeof reason, "%s", text != NULL ? text : "");
	json_decref(out);
	return reason[0] != 0 ? reason : NULL;
}

static const char *
give(struct lab *l, int64_t id, struct span octets, int64_t now_s)
{
	AUTO_BUF text = BUF_INIT(200000);

	b64_encode(&text, B64_URL, octets);
	return reason_of(answer_to(l,
	    json_pack("{s:s, s:i, s:I, s:i, s:I, s:i, s:s, s:n}", "op", "document", "id", 2,
		"document", (json_int_t)id, "status", 200, "total", (json_int_t)octets.len,
		"offset", 0, "data", buf_text(&text), "problem"),
	    now_s));
}

static const char *
unanswered(struct lab *l, int64_t id, int64_t now_s)
{
	return reason_of(answer_to(l,
	    json_pack("{s:s, s:i, s:I, s:i, s:i, s:i, s:n, s:s}", "op", "document", "id", 2,
		"document", (json_int_t)id, "status", 503, "total", 0, "offset", 0, "data",
		"problem", "HTTP status 503"),
	    now_s));
}

/* ---- lists ---- */

/* Of the log that has timestamped our certificate, or of another one alone. */
static void
make_list(struct buf *out, EVP_PKEY *log, int64_t issued_s)
{
	char text[32];
	time_t at = (time_t)issued_s;
	struct tm tm;

	assert_non_null(gmtime_r(&at, &tm));
	assert_true(strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
	ctlab_list(out, log, "https://log.example/one/", 60);
	out->len--;
	buf_printf(out, ",\"log_list_timestamp\":\"%s\"}", text);
}

/* The signature, then the list: NULL, or why the latter was refused. */
static const char *
bring(struct lab *l, struct span list, EVP_PKEY *signer, int64_t now_s)
{
	AUTO_BUF sig = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	int64_t id = wanted(l, now_s);

	assert_true(id > 0);
	assert_string_equal(l->url, SIG_URL);
	pki_sign(&sig, list, signer);
	assert_null(give(l, id, buf_view(&sig), now_s));
	id = wanted(l, now_s);
	assert_true(id > 0);
	assert_string_equal(l->url, LIST_URL);
	return give(l, id, list, now_s);
}

static const char *
bring_of(struct lab *l, EVP_PKEY *log, int64_t issued_s, int64_t now_s)
{
	AUTO_BUF list = BUF_INIT(8192);

	make_list(&list, log, issued_s);
	return bring(l, buf_view(&list), l->publisher, now_s);
}

/* The date of what is in force; 0: the file is. */
static int64_t
in_force(const struct lab *l)
{
	return ctlogs_issued_s(l->works.set->ctlogs);
}

/* The last word: 1 begins, 0 ends, -1 none. */
static int
alarm_of(const struct lab *l, const char *name)
{
	size_t n = json_array_size(l->world.alarms);
	const json_t *word = json_array_get(l->world.alarms, n - 1);

	if (n == 0)
		return -1;
	assert_string_equal(json_string_value(json_object_get(word, "alarm")), "trust_list");
	assert_string_equal(json_string_value(json_object_get(word, "name")), name);
	return json_is_string(json_object_get(word, "problem"));
}

static int
last_alarm(const struct lab *l)
{
	return alarm_of(l, "ct_logs");
}

static enum credential_state
state_of(const struct lab *l)
{
	return l->works.set->slot[0]->state;
}

/* ---- what is put in force ------------------------------------------------------------------ */

/* RFC 6962 s3: fetched, in force at once, asked for again when it is time, and there after a start. */
static void
comes_into_force(void **state)
{
	struct lab *l = *state;

	assert_int_equal(in_force(l), 0);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	assert_null(bring_of(l, l->world.log_key, now - DAY_S, now));
	assert_int_equal(in_force(l), now - DAY_S);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	assert_int_equal(l->world.published, 1);
	assert_int_equal(wanted(l, now + REFRESH_S - 1), 0);
	assert_null(bring_of(l, l->world.log_key, now - DAY_S, now + REFRESH_S));
	assert_int_equal(l->world.published, 1); /* the same again changes nothing */
	restart(l, now + REFRESH_S + 1);
	assert_int_equal(in_force(l), now - DAY_S);
	assert_int_equal(last_alarm(l), -1);
}

/* A log that its publisher withdraws: what rests on its word is refused from then on. */
static void
withdraws_a_log(void **state)
{
	struct lab *l = *state;

	assert_null(bring_of(l, l->world.log_key, now - DAY_S, now));
	assert_null(bring_of(l, l->new_log, now, now + REFRESH_S));
	assert_int_equal(in_force(l), now);
	assert_int_equal(state_of(l), CREDENTIAL_UNUSABLE);
	assert_string_equal(l->works.set->slot[0]->why.reason, "sct_policy");
	assert_null(bring_of(l, l->world.log_key, now + 1, now + 2 * REFRESH_S));
	assert_int_equal(state_of(l), CREDENTIAL_READY);
}

/* An operator's file that is dated later goes before what was fetched, also against a replay. */
static void
file_that_is_newer(void **state)
{
	struct lab *l = *state;
	AUTO_BUF list = BUF_INIT(8192);

	assert_null(bring_of(l, l->new_log, now - DAY_S, now));
	assert_int_equal(state_of(l), CREDENTIAL_UNUSABLE);
	make_list(&list, l->world.log_key, now - 10);
	bworld_file("ct-logs.json", buf_text(&list));
	assert_int_equal(works_load(&l->works, now + 1, NULL), RC_OK);
	assert_int_equal(in_force(l), now - 10);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	assert_string_equal(bring_of(l, l->new_log, now - 11, now + 2), "list_older");
	assert_int_equal(in_force(l), now - 10);
	assert_null(bring_of(l, l->new_log, now - 9, now + 2 + 300));
	assert_int_equal(in_force(l), now - 9);
}

/* ---- what is refused: the one before stays in force ----------------------------------------- */

struct refused_case {
	const char *name;
	int64_t before_s, then_s; /* dates, from now */
	bool other_key, other_log, cut, unsigned_;
	const char *reason;
};

static struct refused_case refused_cases[] = {
	{ .name = "another key", .other_key = true, .reason = "list_signature" },
	{ .name = "a list that is cut", .cut = true, .reason = "list_signature" },
	{ .name = "unsigned", .unsigned_ = true, .reason = "list_signature" },
	{ .name = "older", .before_s = -100, .then_s = -101, .reason = "list_older" },
	{ .name = "another one of that date",
	    .before_s = -100,
	    .then_s = -100,
	    .other_log = true,
	    .reason = "list_differs" },
	{ .name = "too old",
	    .before_s = -10 * DAY_S + 10,
	    .then_s = -10 * DAY_S + 20,
	    .reason = "list_stale" },
	{ .name = "of the future",
	    .then_s = REFRESH_S + TRUST_AHEAD_S + 1,
	    .reason = "list_future" },
};

static void
run_refused(void **state)
{
	const struct refused_case *t = *state;
	struct lab *l;
	AUTO_BUF list = BUF_INIT(8192), sig = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	int64_t at = now + REFRESH_S, before_s;
	void *lab = NULL;
	int64_t id;

	assert_int_equal(open_lab(&lab), 0);
	l = lab;
	assert_null(bring_of(
	    l, l->world.log_key, now + (t->before_s != 0 ? t->before_s : -DAY_S), now));
	before_s = in_force(l);
	assert_true(before_s > 0);
	make_list(&list, t->other_log ? l->new_log : l->world.log_key, now + t->then_s);
	pki_sign(&sig, buf_view(&list), t->other_key ? l->other : l->publisher);
	id = wanted(l, at);
	assert_null(give(l, id, t->unsigned_ ? span_str("none") : buf_view(&sig), at));
	id = wanted(l, at);
	assert_string_equal(
	    give(l, id, span_of(list.ptr, list.len - (t->cut ? 1 : 0)), at), t->reason);
	assert_int_equal(in_force(l), before_s);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	assert_int_equal(last_alarm(l), 1);
	restart(l, at + 1);
	assert_int_equal(in_force(l), before_s);
	assert_null(bring_of(l, l->world.log_key, at, at + 2)); /* a good one, and it is over */
	trust_look(&l->works, at + 3);
	assert_int_equal(in_force(l), at);
	(void)close_lab(&lab);
}

/* What is refused and then good again, without a start in between. */
static void
alarm_ends(void **state)
{
	struct lab *l = *state;
	AUTO_BUF list = BUF_INIT(8192);

	make_list(&list, l->world.log_key, now);
	assert_string_equal(bring(l, buf_view(&list), l->other, now), "list_signature");
	assert_int_equal(last_alarm(l), 1);
	assert_int_equal(wanted(l, now + TRUST_AGAIN_S - 1), 0);
	assert_null(bring(l, buf_view(&list), l->publisher, now + TRUST_AGAIN_S));
	assert_int_equal(last_alarm(l), 0);
}

/* A failure of the net is not an alarm until it has lasted. */
static void
silence(void **state)
{
	struct lab *l = *state;
	int64_t last = now + TRUST_SILENT * (int64_t)REFRESH_S + TRUST_SILENT_S;

	assert_null(unanswered(l, wanted(l, now), now));
	assert_int_equal(wanted(l, now + TRUST_AGAIN_S - 1), 0);
	trust_look(&l->works, last);
	assert_int_equal(last_alarm(l), -1);
	trust_look(&l->works, last + 1);
	assert_int_equal(last_alarm(l), 1);
	assert_null(bring_of(l, l->world.log_key, now, last + 2));
	assert_int_equal(last_alarm(l), 0);
}

/* Whoever holds it back has the alarm by its age, and nothing goes out of force. */
static void
grows_old(void **state)
{
	struct lab *l = *state;
	int64_t late = now + 10 * DAY_S;

	assert_null(bring_of(l, l->world.log_key, now, now));
	for (int64_t at = now + REFRESH_S; at <= late; at += 2 * REFRESH_S)
		assert_null(bring_of(l, l->world.log_key, now, at));
	trust_look(&l->works, late);
	assert_int_equal(last_alarm(l), -1);
	trust_look(&l->works, late + 1);
	assert_int_equal(last_alarm(l), 1);
	restart(l, late + 2);
	assert_int_equal(in_force(l), now);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
}

/* ---- on disk ------------------------------------------------------------------------------- */

static void
damage(const char *from, const char *to)
{
	AUTO_BUF text = BUF_INIT(65536), out = BUF_INIT(65536);
	const char *at;

	assert_int_equal(store_read(KEPT, 65536, &text, NULL), RC_OK);
	at = strstr(buf_text(&text), from);
	assert_non_null(at);
	buf_put(&out, text.ptr, (size_t)(at - (const char *)text.ptr));
	buf_str(&out, to);
	buf_str(&out, at + strlen(from));
	bworld_file(KEPT, buf_text(&out));
}

/* What is found there is verified like what comes; the file serves where it is not good. */
static void
damaged_on_disk(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = { { "\"list\"", "\"lisp\"" }, { "\"signature\":\"", "\"signature\":\"AA" },
		{ "\"list\":\"ey", "\"list\":\"ex" }, { "}", "" }, { "{", "{\"list\":\"\"," } };
	struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_null(bring_of(l, l->world.log_key, now, now + 1));
		damage(rows[i].from, rows[i].to);
		/* At a reload what is in memory stays, at a start there is nothing else. */
		assert_int_equal(works_load(&l->works, now + 1, NULL), RC_OK);
		assert_int_equal(in_force(l), now);
		restart(l, now + 1);
		assert_int_equal(in_force(l), 0);
		assert_int_equal(state_of(l), CREDENTIAL_READY);
	}
}

/* With another key of the publisher nothing counts that the one before has signed. */
static void
another_publisher(void **state)
{
	struct lab *l = *state;

	assert_null(bring_of(l, l->world.log_key, now, now));
	write_key(l->other);
	assert_int_equal(works_load(&l->works, now + 1, NULL), RC_OK);
	assert_int_equal(in_force(l), 0);
	bworld_main("");
	assert_int_equal(works_load(&l->works, now + 2, NULL), RC_OK);
	assert_int_equal(in_force(l), 0);
	assert_int_equal(wanted(l, now + 2), 0);
}

/* A list that cannot be written is not in force: a start would have the older one. */
static void
full_disk(void **state)
{
	struct lab *l = *state;

	bworld_file("state/front/lists", "in the way");
	assert_string_equal(bring_of(l, l->world.log_key, now, now), "io");
	assert_int_equal(in_force(l), 0);
	assert_int_equal(last_alarm(l), -1);
	bworld_file("state/front/lists", NULL);
	assert_null(bring_of(l, l->world.log_key, now, now + TRUST_AGAIN_S));
	assert_int_equal(in_force(l), now);
}

/* ---- the STI-PA's list of trusted CAs ------------------------------------------------------- */

#define PA_URL "https://pa.example/ca-list"

struct pa {
	struct lab *lab;
	EVP_PKEY *key;
	X509 *cert;
};

static int
open_pa(void **state)
{
	struct pa *p = calloc(1, sizeof *p);
	AUTO_BUF pem = BUF_INIT(65536);
	void *lab = NULL;

	assert_non_null(p);
	assert_int_equal(open_lab(&lab), 0);
	p->lab = lab;
	p->key = pki_p256();
	p->cert = pki_issue(&(struct pki_spec){ .cn = "PA", .key = p->key });
	pki_pem(&pem, p->cert);
	bworld_file("pa.pem", buf_text(&pem));
	bworld_main("sti_pa_url = \"" PA_URL "\" sti_pa_anchors = \"pa.pem\"\n"
		    "sti_pa_refresh_s = 3600\n");
	assert_int_equal(works_load(&p->lab->works, now, NULL), RC_OK);
	*state = p;
	return 0;
}

static int
close_pa(void **state)
{
	struct pa *p = *state;
	void *lab = p->lab;

	EVP_PKEY_free(p->key);
	X509_free(p->cert);
	free(p);
	return close_lab(&lab);
}

/* The list of this one root: NULL, or why it was refused. */
static const char *
bring_root(
    struct pa *p, X509 *root, int64_t sequence, int64_t exp_s, EVP_PKEY *by, int64_t now_s)
{
	AUTO_BUF pem = BUF_INIT(65536), jwt = BUF_INIT(65536);
	json_auto_t *claims = NULL;
	struct lab *l = p->lab;
	char *text;
	int64_t id;

	pki_pem(&pem, root);
	claims = json_pack("{s:i, s:I, s:I, s:[s]}", "version", 1, "sequence",
	    (json_int_t)sequence, "exp", (json_int_t)exp_s, "trustList", buf_text(&pem));
	text = json_dumps(claims, 0);
	pki_jws(&jwt, "{\"alg\":\"ES256\",\"x5u\":\"https://pa.example/c\"}", text, by);
	free(text);
	id = wanted_of(l, "sti_pa_tls_ca", now_s);
	assert_true(id > 0);
	assert_string_equal(l->url, PA_URL);
	return give(l, id, buf_view(&jwt), now_s);
}

static int64_t
sequence_of(const struct pa *p)
{
	const struct trust_list *l = p->lab->works.set->trust->list[TRUST_ROOTS];

	return l != NULL ? l->sequence : -1;
}

/* A certificate of another CA for the same credential is on disk: does it serve? */
static enum credential_state
state_of_other(struct pa *p, int64_t now_s)
{
	struct lab *l = p->lab;
	AUTO_BUF pem = BUF_INIT(65536), list = BUF_INIT(4096);
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	uint8_t point[P256_POINT_LEN];
	struct bworld_cert spec = {
		.point = point, .serial = "11", .scts = 1, .other_root = true
	};

	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	bworld_tnauth(&list, "12025550100");
	spec.tnauth = buf_view(&list);
	bworld_issue(&l->world, &pem, &spec);
	assert_int_equal(store_write(FILE_PATH, buf_view(&pem), 0600, NULL), RC_OK);
	restart(l, now_s);
	return state_of(l);
}

/* RFC 7515 s5.2, ATIS-1000084: a root that is listed is an anchor, one that is not any more is none. */
static void
roots_are_anchors(void **state)
{
	struct pa *p = *state;
	struct lab *l = p->lab;

	assert_int_equal(state_of_other(p, now), CREDENTIAL_UNUSABLE);
	assert_null(bring_root(p, l->world.other_root, 5, now + DAY_S, p->key, now));
	assert_int_equal(sequence_of(p), 5);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	restart(l, now + 1); /* without network */
	assert_int_equal(sequence_of(p), 5);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	assert_null(bring_root(p, l->world.root, 6, now + DAY_S, p->key, now + 2));
	assert_int_equal(state_of(l), CREDENTIAL_UNUSABLE);
	assert_string_equal(l->works.set->slot[0]->why.reason, "chain_path");
	assert_int_equal(json_array_size(l->world.alarms), 0);
}

/* The anchors of the configuration stay anchors, whatever a list says. */
static void
file_stays(void **state)
{
	struct pa *p = *state;

	assert_null(bring_root(p, p->lab->world.other_root, 1, now + DAY_S, p->key, now));
	assert_int_equal(state_of(p->lab), CREDENTIAL_READY);
}

struct root_case {
	const char *name;
	int64_t sequence, exp_s; /* after 5 and a day */
	bool other_key;
	const char *reason;
};

static struct root_case root_cases[] = {
	{ "roots: sequence back", 4, 2 * DAY_S, false, "list_older" },
	{ "roots: another list of that number", 5, 2 * DAY_S, false, "list_differs" },
	{ "roots: an earlier end", 5, DAY_S - 1, false, "list_older" },
	{ "roots: expired", 6, 1, false, "list_stale" },
	{ "roots: another key", 6, 2 * DAY_S, true, "list_signature" },
};

static void
run_roots(void **state)
{
	const struct root_case *t = *state;
	void *pa = NULL;
	struct pa *p;
	struct lab *l;

	assert_int_equal(open_pa(&pa), 0);
	p = pa;
	l = p->lab;
	assert_null(bring_root(p, l->world.other_root, 5, now + DAY_S, p->key, now));
	assert_string_equal(bring_root(p, l->world.root, t->sequence, now + t->exp_s,
				t->other_key ? l->other : p->key, now + REFRESH_S),
	    t->reason);
	assert_int_equal(sequence_of(p), 5);
	assert_int_equal(alarm_of(l, "sti_pa"), 1);
	assert_null(bring_root(p, l->world.other_root, 5, now + 2 * DAY_S, p->key,
	    now + REFRESH_S + TRUST_AGAIN_S)); /* the same, signed for longer */
	assert_int_equal(alarm_of(l, "sti_pa"), 0);
	(void)close_pa(&pa);
}

enum { FULL = 256 }; /* ANCHORS_MAX of chain.c */

/* So many anchors in the file, the one that is needed first. */
static void
write_anchors(const struct lab *l, size_t n)
{
	AUTO_BUF pem = BUF_INIT(4194304);

	pki_pem(&pem, l->world.root);
	for (size_t i = 1; i < n; i++) {
		char cn[32];
		X509 *other;

		snprintf(cn, sizeof cn, "Other %zu", i);
		other = pki_issue(&(struct pki_spec){ .cn = cn, .key = l->other, .ca = true });
		pki_pem(&pem, other);
		X509_free(other);
	}
	bworld_file("anchors.pem", buf_text(&pem));
}

/* What cannot be put in force is not on disk either: a start would find it. */
static void
no_room_for_roots(void **state)
{
	struct pa *p = *state;
	struct lab *l = p->lab;

	write_anchors(l, FULL);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_string_equal(
	    bring_root(p, l->world.other_root, 5, now + DAY_S, p->key, now), "chain_limit");
	assert_int_equal(alarm_of(l, "sti_pa"), 1);
	assert_int_equal(store_mtime("state/front/lists/sti_pa.json"), 0);
	assert_int_equal(works_load(&l->works, now + 1, NULL), RC_OK);
	restart(l, now + 2);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
}

/* An operator's anchors come later: a reload and a start go on without the list's roots. */
static void
no_room_left_for_roots(void **state)
{
	struct pa *p = *state;
	struct lab *l = p->lab;

	assert_null(bring_root(p, l->world.other_root, 5, now + DAY_S, p->key, now));
	write_anchors(l, FULL);
	assert_int_equal(works_load(&l->works, now + 1, NULL), RC_OK);
	assert_int_equal(sequence_of(p), -1);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	restart(l, now + 2);
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	write_anchors(l, FULL - 1);
	assert_int_equal(works_load(&l->works, now + 3, NULL), RC_OK);
	assert_int_equal(sequence_of(p), 5);
}

/* Where nobody can tell what is revoked a new list is no reason to judge all anew. */
static void
revocations_not_readable(void **state)
{
	struct pa *p = *state;
	struct lab *l = p->lab;

	bworld_file("state/front/revoked", "no directory");
	assert_string_equal(
	    bring_root(p, l->world.other_root, 5, now + DAY_S, p->key, now), "io");
	assert_int_equal(state_of(l), CREDENTIAL_READY);
	bworld_file("state/front/revoked", NULL);
	assert_null(
	    bring_root(p, l->world.other_root, 5, now + DAY_S, p->key, now + TRUST_AGAIN_S));
	assert_int_equal(state_of(l), CREDENTIAL_READY);
}

/* Before its end a newer one is missed; what is in force stays when it is over. */
static void
roots_expire(void **state)
{
	struct pa *p = *state;
	struct lab *l = p->lab;
	const int64_t end = now + 8000;

	assert_null(bring_root(p, l->world.other_root, 5, end, p->key, now));
	trust_look(&l->works, end - 2000);
	assert_int_equal(json_array_size(l->world.alarms), 0);
	trust_look(&l->works, end - 1999);
	assert_int_equal(alarm_of(l, "sti_pa"), 1);
	assert_string_equal(
	    bring_root(p, l->world.other_root, 5, end, p->key, end + 1), "list_stale");
	restart(l, end + 2);
	assert_int_equal(sequence_of(p), 5);
}

/* ---- a program in the renewer's place ------------------------------------------------------ */

/* A list that nobody asked for, the answer of before a reload, parts of two lists. */
static void
made_up(void **state)
{
	struct lab *l = *state;
	AUTO_BUF list = BUF_INIT(8192), sig = BUF_INIT(LOGLIST_SIGNATURE_MAX);
	int64_t id, old;

	make_list(&list, l->world.log_key, now);
	pki_sign(&sig, buf_view(&list), l->publisher);
	assert_string_equal(give(l, 1, buf_view(&list), now), "not_found");
	id = wanted(l, now);
	assert_int_equal(wanted(l, now), 0); /* one question at a time */
	assert_string_equal(give(l, id + 1, buf_view(&sig), now), "not_found");
	assert_null(give(l, id, buf_view(&sig), now));
	assert_string_equal(give(l, id, buf_view(&sig), now), "not_found");
	old = wanted(l, now);
	assert_int_equal(works_load(&l->works, now + 1, NULL), RC_OK);
	id = wanted(l, now + 1); /* it begins anew */
	assert_string_equal(l->url, SIG_URL);
	assert_string_equal(give(l, old, buf_view(&list), now + 1), "not_found");
	assert_int_equal(in_force(l), 0);
	assert_null(give(l, id, buf_view(&sig), now + 1));
	id = wanted(l, now + 1);
	assert_null(give(l, id, buf_view(&list), now + 1));
	assert_int_equal(in_force(l), now);
	assert_int_equal(last_alarm(l), -1);
}

/* A clock that was set back puts nothing off for long. */
static void
clock_set_back(void **state)
{
	struct lab *l = *state;

	assert_null(bring_of(l, l->world.log_key, now, now));
	assert_true(wanted(l, now - 10 * REFRESH_S) > 0);
}

#define OWN(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)
#define PA(f)  cmocka_unit_test_setup_teardown(f, open_pa, close_pa)

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(refused_cases) + ARRAY_LEN(root_cases) + 17];
	const struct CMUnitTest own[] = { OWN(comes_into_force), OWN(withdraws_a_log),
		OWN(file_that_is_newer), OWN(alarm_ends), OWN(silence), OWN(grows_old),
		OWN(damaged_on_disk), OWN(another_publisher), OWN(full_disk), OWN(made_up),
		OWN(clock_set_back), PA(roots_are_anchors), PA(file_stays), PA(roots_expire),
		PA(no_room_for_roots), PA(no_room_left_for_roots),
		PA(revocations_not_readable) };
	size_t n = 0;

	ROWS(tests, n, refused_cases, run_refused);
	ROWS(tests, n, root_cases, run_roots);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		tests[n++] = own[i];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
