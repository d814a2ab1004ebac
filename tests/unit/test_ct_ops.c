/*
 * What logs are asked and what they answer: honest ones, those that lie, and
 * a renewer that makes the answers up.
 */
#include "agent/front/ct_ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/front/inclusion.h"
#include "agent/front/keyfile.h"
#include "agent/front/store.h"
#include "agent/front/transparency.h"
#include "stir/b64.h"
#include "stir/tlsread.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/ctlab.h"
#include "tests/unit/rows.h"

#define URL	  "https://log.example/one/"
#define FILE_PATH "state/front/tenants/acme/main/current.pem"
enum { MMD_S = 60, OURS = 3, SIZE = 5, MS = 1000 };
static const int64_t now = PKI_NOW;
static const char acme[] = "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("vesper-06", "");
static const char acme_without[] =
    "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("vesper-06", "min_scts = 0");

struct lab {
	struct bworld world;
	struct works works;
	struct ctlab log, other; /* the second: another tree of the same log */
	json_t *wanted;
};

static struct credential *
only(const struct lab *l)
{
	return l->works.set->slot[0];
}

static struct inclusion
promise(const struct lab *l)
{
	struct inclusion item[SCT_MAX_LIST];

	assert_int_equal(inclusion_copy(only(l), item), 1);
	return item[0];
}

static void
write_list(struct lab *l, unsigned mmd_s)
{
	AUTO_BUF list = BUF_INIT(8192);

	ctlab_list(&list, l->world.log_key, URL, mmd_s);
	bworld_file("ct-logs.json", buf_text(&list));
}

static int
open_with(void **state, const char *keys)
{
	struct lab *l = calloc(1, sizeof *l);
	AUTO_BUF list = BUF_INIT(4096);
	struct bworld_cert spec = { .serial = "10", .scts = 1 };

	assert_non_null(l);
	l->wanted = json_array();
	bworld_open(&l->world);
	bworld_main(keys);
	bworld_tenant("acme", acme);
	bworld_tnauth(&list, "12025550100");
	spec.tnauth = buf_view(&list);
	bworld_put(&l->world, FILE_PATH, &spec);
	write_list(l, MMD_S);
	bworld_works(&l->world, &l->works, now);
	l->log.key = l->other.key = l->world.log_key;
	*state = l;
	return 0;
}

static int
open_lab(void **state)
{
	struct lab *l;

	(void)open_with(state, "ct_proofs = yes\n");
	l = *state;
	ctlab_fill(&l->log, OURS);
	ctlab_add(&l->log, promise(l).promise.leaf);
	ctlab_fill(&l->log, 20);
	ctlab_fill(&l->other, 1);
	ctlab_add(&l->other, promise(l).promise.leaf);
	ctlab_fill(&l->other, 20);
	return 0;
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	bworld_done(&l->world, &l->works);
	json_decref(l->wanted);
	free(l);
	return 0;
}

/* ---- the renewer's part ------------------------------------------------------------------ */

static json_t *
answer_to(struct lab *l, json_t *msg, int64_t now_s)
{
	return bworld_ask(&l->works, msg, now_s);
}

/* Those that the front wants and did not get yet. */
static void
look(struct lab *l, int64_t now_s)
{
	json_auto_t *out =
	    answer_to(l, json_pack("{s:s, s:i}", "op", "documents", "id", 1), now_s);

	assert_int_equal(json_array_extend(l->wanted, json_object_get(out, "documents")), 0);
}

static bool
is_question(const char *url, const char *question)
{
	size_t len = strlen(question);

	assert_int_equal(strncmp(url, URL "ct/v1/", sizeof URL "ct/v1/" - 1), 0);
	url += sizeof URL "ct/v1/" - 1;
	return strncmp(url, question, len) == 0 && (url[len] == 0 || url[len] == '?');
}

/* The document by which a log is asked this; 0: none is wanted. */
static int64_t
wanted(struct lab *l, const char *question, char url[DOCUMENT_URL_MAX], int64_t now_s)
{
	look(l, now_s);
	for (size_t i = json_array_size(l->wanted); i-- > 0;) {
		const json_t *one = json_array_get(l->wanted, i);
		int64_t id = json_integer_value(json_object_get(one, "document"));
		const char *text = json_string_value(json_object_get(one, "url"));

		if (!is_question(text, question))
			continue;
		if (url != NULL)
			snprintf(url, DOCUMENT_URL_MAX, "%s", text);
		assert_int_equal(json_array_remove(l->wanted, i), 0);
		return id;
	}
	return 0;
}

#define HEAD	"get-sth"
#define GROWTH	"get-sth-consistency"
#define LEAF	"get-proof-by-hash"
#define ENTRIES "get-entries"

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
part(struct lab *l, int64_t id, struct span octets, size_t total, size_t offset, int64_t now_s)
{
	AUTO_BUF text = BUF_INIT(100000);

	b64_encode(&text, B64_URL, octets);
	return reason_of(answer_to(l,
	    json_pack("{s:s, s:i, s:I, s:i, s:I, s:I, s:s, s:n}", "op", "document", "id", 2,
		"document", (json_int_t)id, "status", 200, "total", (json_int_t)total, "offset",
		(json_int_t)offset, "data", buf_text(&text), "problem"),
	    now_s));
}

static const char *
give(struct lab *l, int64_t id, const struct buf *b, int64_t now_s)
{
	return part(l, id, buf_view(b), b->len, 0, now_s);
}

static const char *
fail_with(struct lab *l, int64_t id, int status, int64_t now_s)
{
	return reason_of(answer_to(l,
	    json_pack("{s:s, s:i, s:I, s:i, s:i, s:i, s:n, s:s}", "op", "document", "id", 2,
		"document", (json_int_t)id, "status", status, "total", 0, "offset", 0, "data",
		"problem", "HTTP status"),
	    now_s));
}

static const struct ct_log *
the_log(const struct lab *l)
{
	assert_int_equal(l->works.ct->len, 1);
	return l->works.ct->log[0];
}

/* The head of the first size leaves, asked for and answered. */
static void
show_head(struct lab *l, size_t size, int64_t now_s)
{
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);

	ctlab_head(&head, &l->log, size, now_s * MS);
	assert_null(give(l, wanted(l, HEAD, NULL, now_s), &head, now_s));
}

/* An honest start: five leaves, dated so that ours has to be among them. */
static void
begin(struct lab *l)
{
	show_head(l, SIZE, now);
	assert_int_equal(the_log(l)->head.tree.size, SIZE);
}

/* Its word of the last alarm: 1 begins, 0 ends, -1 none. */
static int
last_alarm(const struct lab *l)
{
	size_t n = json_array_size(l->world.alarms);
	const json_t *word = json_array_get(l->world.alarms, n - 1);

	if (n == 0)
		return -1;
	assert_string_equal(json_string_value(json_object_get(word, "alarm")), "ct_log");
	return json_is_string(json_object_get(word, "problem"));
}

/* ---- honest logs ------------------------------------------------------------------------- */

/* V-43, RFC 6962 s4.5: asked for once the merge delay is over, proven, and never asked again. */
static void
proven_and_kept(void **state)
{
	struct lab *l = *state;
	AUTO_BUF proof = BUF_INIT(8192);
	char url[DOCUMENT_URL_MAX];
	int64_t id;

	begin(l);
	assert_int_equal(promise(l).state, INCLUSION_WAITING);
	id = wanted(l, LEAF, url, now);
	assert_non_null(strstr(url, URL "ct/v1/get-proof-by-hash?hash="));
	assert_non_null(strstr(url, "%3D&tree_size=5"));
	assert_null(strchr(url, '+'));
	ctlab_inclusion(&proof, &l->log, OURS, SIZE);
	assert_null(give(l, id, &proof, now));
	assert_int_equal(promise(l).state, INCLUSION_PROVEN);
	assert_int_equal(promise(l).index, OURS);
	assert_int_equal(wanted(l, LEAF, NULL, now + 40), 0);
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now + 2);
	assert_int_equal(promise(l).state, INCLUSION_PROVEN);
	assert_int_equal(promise(l).size, SIZE);
	assert_int_equal(promise(l).at_s, now);
}

/* RFC 6962 s3: within the merge delay the log owes nothing. */
static void
not_before_its_time(void **state)
{
	struct lab *l = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	int64_t id = wanted(l, HEAD, NULL, now);

	ctlab_head(&head, &l->log, SIZE, promise(l).promise.time_ms + MMD_S * MS - 1);
	assert_null(give(l, id, &head, now));
	assert_int_equal(wanted(l, LEAF, NULL, now), 0);
	assert_int_equal(promise(l).state, INCLUSION_WAITING);
}

/* RFC 6962 s4.4: from one head to the next, kept over a restart. */
static void
goes_on(void **state)
{
	struct lab *l = *state;
	AUTO_BUF proof = BUF_INIT(8192);
	char url[DOCUMENT_URL_MAX];
	int64_t id;

	begin(l);
	show_head(l, 20, now + MMD_S / 2);
	assert_int_equal(the_log(l)->head.tree.size, SIZE); /* not before it is proven */
	id = wanted(l, GROWTH, url, now + MMD_S / 2);
	assert_string_equal(url, URL "ct/v1/get-sth-consistency?first=5&second=20");
	ctlab_consistency(&proof, &l->log, SIZE, 20);
	assert_null(give(l, id, &proof, now + MMD_S / 2));
	assert_int_equal(the_log(l)->head.tree.size, 20);
	assert_int_equal(the_log(l)->trouble, CT_WELL);
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now + 60);
	assert_int_not_equal(wanted(l, HEAD, NULL, now + 60), 0);
	assert_int_equal(the_log(l)->head.tree.size, 20);
	assert_int_equal(last_alarm(l), -1);
}

/* ---- heads that are wrong ---------------------------------------------------------------- */

enum head_kind { HONEST, OTHER_KEY, OTHER_TREE, HTML, STATUS };

static struct head_case {
	const char *name;
	enum head_kind kind;
	size_t size;
	int64_t time_s; /* from now */
	int64_t at_s;	/* when it comes */
	const char *reason;
	enum ct_trouble trouble;
	size_t head; /* that is held afterwards */
	int alarm;
} head_cases[] = {
	{ "the same again", HONEST, SIZE, 40, 40, NULL, CT_WELL, SIZE, -1 },
	{ "an older view", HONEST, SIZE - 1, -20, 40, NULL, CT_WELL, SIZE, -1 },
	{ "signed by another key", OTHER_KEY, 20, 40, 40, "sth_signature", CT_WRONG, SIZE, 1 },
	{ "a tree that shrinks", HONEST, SIZE - 1, 40, 40, "ct_log_broken", CT_BROKEN, SIZE,
	    1 },
	{ "two roots of one size", OTHER_TREE, SIZE, 40, 40, "ct_log_broken", CT_BROKEN, SIZE,
	    1 },
	{ "larger and older", HONEST, 20, -20, 40, "ct_log_broken", CT_BROKEN, SIZE, 1 },
	{ "a stale head (RFC 6962 s3.5)", HONEST, SIZE, 0, 700, "sth_stale", CT_WRONG, SIZE,
	    1 },
	{ "of the future", HONEST, 20, 140, 40, "sth_future", CT_WRONG, SIZE, 1 },
	{ "HTML instead of JSON", HTML, 0, 0, 40, "malformed_json", CT_WRONG, SIZE, 1 },
	{ "status 500", STATUS, 500, 0, 40, NULL, CT_UNREACHABLE, SIZE, -1 },
	{ "no answer", STATUS, 0, 0, 40, NULL, CT_UNREACHABLE, SIZE, -1 },
};

static void
answer_of(const struct lab *l, const struct head_case *t, struct buf *out)
{
	struct merkle_tree tree = { .size = t->size };

	if (t->kind == HTML) {
		buf_str(out, "<html>no</html>");
		return;
	}
	ctlab_root(t->kind == OTHER_TREE ? &l->other : &l->log, t->size, tree.root);
	ctlab_sign(out, t->kind == OTHER_KEY ? l->world.other_key : l->world.log_key, &tree,
	    (now + t->time_s) * MS);
}

static const struct head_case *row;

static void
wrong_heads(void **state)
{
	struct lab *l = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	const char *reason;
	int64_t id;

	begin(l);
	id = wanted(l, HEAD, NULL, now + row->at_s);
	answer_of(l, row, &head);
	reason = row->kind == STATUS ? fail_with(l, id, (int)row->size, now + row->at_s)
				     : give(l, id, &head, now + row->at_s);
	if (row->reason == NULL)
		assert_null(reason);
	else
		assert_string_equal(reason, row->reason);
	assert_int_equal(the_log(l)->trouble, row->trouble);
	assert_int_equal(the_log(l)->head.tree.size, row->head);
	assert_int_equal(ct_look(&l->works, now + row->at_s, NULL), RC_OK);
	assert_int_equal(last_alarm(l), row->alarm);
}

/* Two signed heads are evidence: kept over a restart, beside what honest answers still bring. */
static void
broken_stays(void **state)
{
	struct lab *l = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	json_auto_t *shown = NULL;
	const json_t *log;

	begin(l);
	ctlab_head(&head, &l->log, SIZE - 1, (now + 40) * MS);
	assert_string_equal(
	    give(l, wanted(l, HEAD, NULL, now + 40), &head, now + 40), "ct_log_broken");
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now + 50);
	show_head(l, SIZE, now + 50);
	assert_int_equal(the_log(l)->trouble, CT_BROKEN);
	shown = transparency_show(l->works.ct, now + 50);
	log = json_array_get(json_object_get(shown, "logs"), 0);
	assert_string_equal(json_string_value(json_object_get(log, "state")), "broken");
	assert_string_equal(
	    json_string_value(json_object_get(log, "evidence")), buf_text(&head));
	assert_int_equal(last_alarm(l), 1);
}

/* The disk takes nothing when the evidence comes: it is written when it does. */
static void
evidence_is_written_later(void **state)
{
	struct lab *l = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	char path[256], inside[300];

	begin(l);
	snprintf(path, sizeof path, "state/front/ct/%s.json", the_log(l)->hex);
	snprintf(inside, sizeof inside, "%s/x", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	bworld_file(inside, "");
	ctlab_head(&head, &l->log, SIZE - 1, (now + 40) * MS);
	assert_non_null(give(l, wanted(l, HEAD, NULL, now + 40), &head, now + 40));
	assert_int_equal(unlink(inside), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(ct_look(&l->works, now + 41, NULL), RC_OK);
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now + 50);
	assert_int_equal(ct_look(&l->works, now + 50, NULL), RC_OK);
	assert_int_equal(the_log(l)->trouble, CT_BROKEN);
}

/* ---- proofs that are wrong --------------------------------------------------------------- */

static struct proof_case {
	const char *name;
	size_t index, size; /* of the proof that comes */
	bool other, longer, html;
	int status; /* not 200: this comes instead */
	const char *reason;
	enum inclusion_state now_is;
} inclusion_cases[] = {
	{ "of another leaf", OURS + 1, SIZE, false, false, false, 200, "merkle_root",
	    INCLUSION_MISSING },
	{ "to another root", OURS, SIZE, true, false, false, 200, "merkle_root",
	    INCLUSION_MISSING },
	{ "in a larger tree", OURS, 20, false, false, false, 200, "merkle_path",
	    INCLUSION_MISSING },
	{ "too long", OURS, SIZE, false, true, false, 200, "merkle_path", INCLUSION_MISSING },
	{ "HTML", OURS, SIZE, false, false, true, 200, "malformed_json", INCLUSION_MISSING },
	{ "not found, once", 0, 0, false, false, false, 404, NULL, INCLUSION_WAITING },
	{ "refused, once", 0, 0, false, false, false, 400, NULL, INCLUSION_WAITING },
	{ "forbidden", 0, 0, false, false, false, 403, NULL, INCLUSION_WAITING },
	{ "a proxy's word", 0, 0, false, false, false, 407, NULL, INCLUSION_WAITING },
	{ "gone", 0, 0, false, false, false, 410, NULL, INCLUSION_WAITING },
	{ "status 503", 0, 0, false, false, false, 503, NULL, INCLUSION_WAITING },
	{ "too many questions", 0, 0, false, false, false, 429, NULL, INCLUSION_WAITING },
	{ "no answer", 0, 0, false, false, false, 0, NULL, INCLUSION_WAITING },
};
static const struct proof_case *proof_row;

static void
proof_of(const struct lab *l, const struct proof_case *t, struct buf *out)
{
	if (t->html) {
		buf_str(out, "<html>no</html>");
		return;
	}
	ctlab_inclusion(out, t->other ? &l->other : &l->log, t->index, t->size);
	if (!t->longer)
		return;
	out->len -= 2;
	buf_str(out, ",\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]}");
}

static void
wrong_inclusions(void **state)
{
	struct lab *l = *state;
	AUTO_BUF proof = BUF_INIT(8192), good = BUF_INIT(8192);
	const char *reason;
	int64_t id, later = now + 601;

	begin(l);
	id = wanted(l, LEAF, NULL, now);
	if (proof_row->status == 200)
		proof_of(l, proof_row, &proof);
	reason = proof_row->status == 200 ? give(l, id, &proof, now)
					  : fail_with(l, id, proof_row->status, now);
	if (proof_row->reason == NULL)
		assert_null(reason);
	else
		assert_string_equal(reason, proof_row->reason);
	assert_int_equal(promise(l).state, proof_row->now_is);
	assert_int_equal(
	    inclusion_missing_since(only(l)), proof_row->now_is == INCLUSION_MISSING ? now : 0);
	/* It is asked for again, and what is proven then counts. */
	show_head(l, SIZE, later);
	id = wanted(l, LEAF, NULL, later);
	ctlab_inclusion(&good, &l->log, OURS, SIZE);
	assert_null(give(l, id, &good, later));
	assert_int_equal(promise(l).state, INCLUSION_PROVEN);
	assert_int_equal(inclusion_missing_since(only(l)), 0);
}

static struct denial_case {
	const char *name;
	int status[2];
	int64_t head_s, at_s; /* of the second time: the head's and its own, from now */
	enum inclusion_state now_is;
} denial_cases[] = {
	{ "twice, of two heads", { 404, 400 }, 40, 40, INCLUSION_MISSING },
	{ "twice, of one head", { 404, 404 }, 0, 40, INCLUSION_WAITING },
	{ "twice, and forbidden", { 404, 403 }, 40, 40, INCLUSION_WAITING },
	{ "forbidden twice", { 403, 403 }, 40, 40, INCLUSION_WAITING },
};

static void
denied_twice(void **state)
{
	const struct denial_case *t = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	struct lab *l;
	int64_t later = now + t->at_s;

	(void)open_lab(state);
	l = *state;
	begin(l);
	assert_null(fail_with(l, wanted(l, LEAF, NULL, now), t->status[0], now));
	assert_int_equal(promise(l).state, INCLUSION_WAITING);
	ctlab_head(&head, &l->log, SIZE, (now + t->head_s) * MS);
	assert_null(give(l, wanted(l, HEAD, NULL, later), &head, later));
	assert_null(fail_with(l, wanted(l, LEAF, NULL, later), t->status[1], later));
	assert_int_equal(promise(l).state, t->now_is);
	(void)close_lab(state);
}

static struct consistency_case {
	const char *name;
	bool other_head, html;
	size_t from;
	int status;
	const char *reason;
	enum ct_trouble trouble;
} consistency_cases[] = {
	{ "from another size", false, false, SIZE + 1, 200, "merkle_path", CT_WRONG },
	{ "from a tree that is not ours", false, false, 4, 200, "merkle_path", CT_WRONG },
	{ "a tree that forks (RFC 6962 s4.4)", true, false, SIZE, 200, "merkle_root",
	    CT_WRONG },
	{ "HTML", false, true, 0, 200, "malformed_json", CT_WRONG },
	{ "status 404", false, false, 0, 404, NULL, CT_UNREACHABLE },
};
static const struct consistency_case *consistency_row;

static void
wrong_consistency(void **state)
{
	const struct consistency_case *t = consistency_row;
	struct lab *l = *state;
	const struct ctlab *tree = t->other_head ? &l->other : &l->log;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX), proof = BUF_INIT(8192);
	const char *reason;
	int64_t id;

	begin(l);
	ctlab_head(&head, tree, 16, (now + 40) * MS);
	assert_null(give(l, wanted(l, HEAD, NULL, now + 40), &head, now + 40));
	id = wanted(l, GROWTH, NULL, now + 40);
	if (t->html)
		buf_str(&proof, "<html>no</html>");
	else if (t->status == 200)
		ctlab_consistency(&proof, tree, t->from, 16);
	reason = t->status == 200 ? give(l, id, &proof, now + 40)
				  : fail_with(l, id, t->status, now + 40);
	if (t->reason == NULL)
		assert_null(reason);
	else
		assert_string_equal(reason, t->reason);
	assert_int_equal(the_log(l)->trouble, t->trouble);
	assert_int_equal(the_log(l)->head.tree.size, SIZE);
}

/* ---- a log that is not heard of, or not listed any more ------------------------------------ */

static void
silence(void **state)
{
	struct lab *l = *state;

	begin(l);
	for (int64_t at = 40; at < 800; at += 60)
		(void)fail_with(l, wanted(l, HEAD, NULL, now + at), 0, now + at);
	assert_int_equal(last_alarm(l), 1);
	show_head(l, SIZE, now + 900);
	assert_int_equal(ct_look(&l->works, now + 900, NULL), RC_OK);
	assert_int_equal(last_alarm(l), 0);
}

/* Nor does it help to carry no answers at all. */
static void
never_answered(void **state)
{
	struct lab *l = *state;

	begin(l);
	(void)wanted(l, HEAD, NULL, now + 300);
	assert_int_equal(ct_look(&l->works, now + 600, NULL), RC_OK);
	assert_int_equal(last_alarm(l), -1);
	assert_int_equal(ct_look(&l->works, now + 661, NULL), RC_OK);
	assert_int_equal(last_alarm(l), 1);
}

static void
withdrawn(void **state)
{
	struct lab *l = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	struct fault f = { 0 };
	int64_t id;

	begin(l);
	ctlab_head(&head, &l->log, SIZE - 1, (now + 40) * MS);
	(void)give(l, wanted(l, HEAD, NULL, now + 40), &head, now + 40);
	assert_int_equal(ct_look(&l->works, now + 40, NULL), RC_OK);
	assert_int_equal(last_alarm(l), 1);
	id = wanted(l, HEAD, NULL, now + 80);
	bworld_main("");
	if (works_load(&l->works, now + 81, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	l->works.set->generation++; /* as the builder counts */
	assert_int_equal(ct_look(&l->works, now + 82, NULL), RC_OK);
	assert_int_equal(last_alarm(l), 0);
	assert_string_equal(give(l, id, &head, now + 82), "not_found");
	assert_int_equal(wanted(l, HEAD, NULL, now + 900), 0);
}

/* The list is gone from the configuration, and nobody has looked at the logs since. */
static void
unlisted_before_the_look(void **state)
{
	struct lab *l = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	struct fault f = { 0 };
	int64_t id = wanted(l, HEAD, NULL, now);

	ctlab_head(&head, &l->log, SIZE, now * MS);
	bworld_tenant("acme", acme_without);
	bworld_main_without("ct_logs = \"ct-logs.json\"\n");
	if (works_load(&l->works, now + 1, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	assert_null(l->works.set->ctlogs);
	assert_string_equal(give(l, id, &head, now + 1), "not_found");
}

/* ---- a program in the renewer's place ------------------------------------------------------ */

/* No answer counts that nobody asked for, nor a second one, nor parts that do not follow. */
static void
made_up(void **state)
{
	struct lab *l = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	int64_t id;

	ctlab_head(&head, &l->log, SIZE, now * MS);
	assert_string_equal(give(l, 1, &head, now), "not_found");
	assert_string_equal(give(l, 0, &head, now), "not_found");
	assert_string_equal(give(l, -1, &head, now), "not_found");
	id = wanted(l, HEAD, NULL, now);
	assert_string_equal(give(l, id + 1, &head, now), "not_found");
	assert_string_equal(part(l, id, span_of(head.ptr, 10), head.len, 10, now), "conflict");
	assert_string_equal(part(l, id, span_of(head.ptr, 10), 0, 0, now), "too_large");
	assert_string_equal(part(l, id, span_of(head.ptr, 10), 100000, 0, now), "too_large");
	assert_string_equal(part(l, id, span_of(head.ptr, 10), 5, 0, now), "conflict");
	assert_null(part(l, id, span_of(head.ptr, 10), head.len, 0, now));
	assert_null(part(l, id, span_of(head.ptr + 10, head.len - 10), head.len, 10, now));
	assert_int_equal(the_log(l)->head.tree.size, SIZE);
	assert_string_equal(give(l, id, &head, now), "not_found");
}

/* What was asked and is not answered is asked again when its time is over, and counts then alone. */
static void
lost_answers(void **state)
{
	struct lab *l = *state;
	AUTO_BUF head = BUF_INIT(STH_JSON_MAX);
	int64_t id = wanted(l, HEAD, NULL, now), again;

	assert_int_equal(wanted(l, HEAD, NULL, now + DOCUMENT_LEASE_S - 1), 0);
	again = wanted(l, HEAD, NULL, now + DOCUMENT_LEASE_S);
	assert_true(again > id);
	ctlab_head(&head, &l->log, SIZE, (now + DOCUMENT_LEASE_S) * MS);
	assert_string_equal(give(l, id, &head, now + DOCUMENT_LEASE_S), "not_found");
	assert_null(give(l, again, &head, now + DOCUMENT_LEASE_S));
}

/* Neither a proof nor a denial, or not even a question of the renewer's. */
static void
proof_that_does_not_come(void **state)
{
	struct lab *l = *state;
	int64_t late = now + 2 * MMD_S + CT_LATE_S;

	begin(l);
	assert_null(fail_with(l, wanted(l, LEAF, NULL, now), 503, now));
	assert_int_equal(ct_look(&l->works, late, NULL), RC_OK);
	assert_int_equal(promise(l).state, INCLUSION_WAITING);
	assert_int_equal(ct_look(&l->works, late + 1, NULL), RC_OK);
	assert_int_equal(promise(l).state, INCLUSION_MISSING);
	assert_int_equal(inclusion_missing_since(only(l)), late + 1);
}

/* ---- certificates that were not ordered here ------------------------------------------------ */

enum { LEAVES = 6 };

struct entries {
	struct buf leaf[LEAVES];
	struct lab *lab;
};

static const char *const numbers[LEAVES] = { "12025550199", "12025550090-12025550110",
	"12025550100", "12025550100", NULL, "12025550100" };

/* MerkleTreeLeaf of a precertificate, RFC 6962 section 3.4. */
static void
put_leaf(struct buf *out, X509 *x)
{
	static const uint8_t issuer[MERKLE_HASH] = { 7 };
	unsigned char *tbs = NULL;
	int len = i2d_re_X509_tbs(x, &tbs);

	assert_true(len > 0);
	*out = BUF_INIT(65536);
	tls_put_uint(out, 0, 2);
	tls_put_uint(out, (uint64_t)now * MS, 8);
	tls_put_uint(out, 1, 2);
	buf_put(out, issuer, sizeof issuer);
	tls_put_vector(out, span_of(tbs, (size_t)len), 3);
	tls_put_uint(out, 0, 2);
	OPENSSL_free(tbs);
}

/* Its key is one that we made. */
static void
make_ours(const struct lab *l, EVP_PKEY *key)
{
	struct keyfile k = { .token = "main", .made_s = now };
	uint8_t point[P256_POINT_LEN], id[KEY_ID_LEN];

	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	key_id_of_point(point, id);
	assert_int_equal(keyfile_write(l->works.set->config, id, &k, NULL), RC_OK);
}

/*
 * 0 another's number, 1 a range over ours, 2 ours, 3 expired, 4 a TNAuthList
 * that cannot be read, 5 ours and from RSA hands.
 */
static void
put_entry(struct entries *e, size_t i)
{
	static const uint8_t junk[] = { 0x30, 0x03, 0xa0, 0x01, 0x00 };
	AUTO_OSSL(EVP_PKEY) *key = i == 5 ? pki_key("RSA", NULL, 2048) : pki_p256();
	AUTO_OSSL(X509) *x = NULL;
	AUTO_BUF list = BUF_INIT(4096);
	char serial[3] = { 'a', (char)('0' + i), 0 };
	struct pki_spec spec = { .cn = "Foreign",
		.key = key,
		.issuer = e->lab->world.root,
		.issuer_key = e->lab->world.root_key,
		.serial = serial };

	if (numbers[i] != NULL)
		bworld_tnauth(&list, numbers[i]);
	spec.tnauth = numbers[i] != NULL ? buf_view(&list) : span_of(junk, sizeof junk);
	spec.not_before_s = i == 3 ? now - 7200 : 0;
	spec.not_after_s = i == 3 ? now - 3600 : 0;
	if (i == 2)
		make_ours(e->lab, key);
	x = pki_issue(&spec);
	put_leaf(&e->leaf[i], x);
}

static void
open_entries(struct entries *e, struct lab *l)
{
	e->lab = l;
	for (size_t i = 0; i < LEAVES; i++) {
		uint8_t hash[MERKLE_HASH];

		put_entry(e, i);
		assert_int_equal(merkle_leaf(buf_view(&e->leaf[i]), hash, NULL), RC_OK);
		ctlab_add(&l->log, hash);
	}
}

static void
close_entries(struct entries *e)
{
	for (size_t i = 0; i < LEAVES; i++)
		buf_free(&e->leaf[i]);
}

static void
page(struct buf *out, const struct entries *e, size_t from, size_t to)
{
	buf_str(out, "{\"entries\":[");
	for (size_t i = from; i < to; i++) {
		buf_str(out, i == from ? "{\"leaf_input\":\"" : ",{\"leaf_input\":\"");
		b64_encode(out, B64_STD, buf_view(&e->leaf[i]));
		buf_str(out, "\"}");
	}
	buf_str(out, "]}");
}

static int
open_watching(void **state)
{
	return open_with(state, "ct_watch = yes\n");
}

static size_t
words_of(const struct lab *l, const char *alarm, bool begins)
{
	const json_t *word;
	size_t i, n = 0;

	json_array_foreach (l->world.alarms, i, word)
		n += strcmp(json_string_value(json_object_get(word, "alarm")), alarm) == 0 &&
		     json_is_string(json_object_get(word, "problem")) == begins;
	return n;
}

static const struct ct_found_list *
found(const struct lab *l)
{
	return &the_log(l)->watch->found;
}

static void
check_found(const struct lab *l)
{
	assert_int_equal(found(l)->len, 3);
	assert_string_equal(found(l)->item[0].tenant, "acme");
	assert_string_equal(found(l)->item[0].serial, "a1");
	assert_string_equal(found(l)->item[0].what, "12025550100");
	assert_int_equal(found(l)->item[0].index, 1);
	assert_string_equal(found(l)->item[1].tenant, "");
	assert_non_null(strstr(found(l)->item[1].what, "unreadable"));
	assert_string_equal(found(l)->item[2].serial, "a5");
}

/* Found are those of others that are valid: kept, told, and over when they are. */
static void
foreign_is_found(void **state)
{
	struct lab *l = *state;
	struct entries e = { .lab = NULL };
	AUTO_BUF json = BUF_INIT(1 << 20);
	char url[DOCUMENT_URL_MAX];
	int64_t id;

	open_entries(&e, l);
	show_head(l, LEAVES, now);
	id = wanted(l, ENTRIES, url, now);
	assert_string_equal(url, URL "ct/v1/get-entries?start=0&end=5");
	page(&json, &e, 0, LEAVES);
	assert_null(give(l, id, &json, now));
	check_found(l);
	assert_int_equal(the_log(l)->watch->done.size, LEAVES);
	assert_int_equal(ct_look(&l->works, now, NULL), RC_OK);
	assert_int_equal(words_of(l, "certificate_not_ordered", true), 1);
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now + 2);
	assert_int_equal(wanted(l, ENTRIES, NULL, now + 2), 0);
	check_found(l);
	assert_int_equal(words_of(l, "certificate_not_ordered", true), 2);
	assert_int_equal(ct_look(&l->works, now + 3 * 86400, NULL), RC_OK);
	assert_int_equal(words_of(l, "certificate_not_ordered", false), 1);
	close_entries(&e);
}

/* A log gives less than is asked for, and the agent ends in between: it goes on from there. */
static void
read_in_pieces(void **state)
{
	struct lab *l = *state;
	struct entries e = { .lab = NULL };
	AUTO_BUF first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);
	char url[DOCUMENT_URL_MAX];
	int64_t id;

	open_entries(&e, l);
	show_head(l, LEAVES, now);
	page(&first, &e, 0, 2);
	assert_null(give(l, wanted(l, ENTRIES, NULL, now), &first, now));
	/* Nothing counts before it is known to be the log's. */
	assert_int_equal(found(l)->len, 0);
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now + 2);
	l->log.key = l->world.log_key;
	show_head(l, LEAVES, now + 2);
	id = wanted(l, ENTRIES, url, now + 2);
	assert_string_equal(url, URL "ct/v1/get-entries?start=2&end=5");
	page(&second, &e, 2, LEAVES);
	assert_null(give(l, id, &second, now + 2));
	check_found(l);
	close_entries(&e);
}

static struct page_case {
	const char *name;
	size_t from, to,
	    twice; /* entries that come; the leaf that comes instead of the first */
	const char *json, *reason;
	bool alarm;
} page_cases[] = {
	{ "another leaf (RFC 6962 s4.6)", 0, LEAVES, 5, NULL, "merkle_root", true },
	{ "one is left out", 1, LEAVES, 0, NULL, NULL, false },
	{ "HTML", 0, 0, 0, "<html></html>", "malformed_json", false },
	{ "none", 0, 0, 0, "{\"entries\":[]}", "ct_entries", false },
	{ "a leaf that is none", 0, 0, 0, "{\"entries\":[{\"leaf_input\":\"*\"}]}",
	    "ct_entries", false },
};

static void
wrong_entries(void **state)
{
	const struct page_case *t = *state;
	struct entries e = { .lab = NULL };
	AUTO_BUF json = BUF_INIT(1 << 20);
	struct lab *l;
	const char *reason;

	(void)open_watching(state);
	l = *state;
	open_entries(&e, l);
	show_head(l, LEAVES, now);
	if (t->twice != 0) {
		buf_clear(&e.leaf[0]);
		buf_span(&e.leaf[0], buf_view(&e.leaf[t->twice]));
	}
	if (t->json != NULL)
		buf_str(&json, t->json);
	else
		page(&json, &e, t->from, t->to);
	reason = give(l, wanted(l, ENTRIES, NULL, now), &json, now);
	if (t->reason == NULL)
		assert_null(reason);
	else
		assert_string_equal(reason, t->reason);
	assert_int_equal(found(l)->len, 0);
	assert_int_equal(the_log(l)->watch->done.size, 0);
	assert_int_equal(ct_look(&l->works, now, NULL), RC_OK);
	assert_int_equal(words_of(l, "ct_log", true), t->alarm);
	assert_int_equal(words_of(l, "certificate_not_ordered", true), 0);
	close_entries(&e);
	(void)close_lab(state);
}

/* More than was asked for is not a page; nor does an answer without one stop it for ever. */
static void
too_many_entries(void **state)
{
	struct lab *l = *state;
	struct entries e = { .lab = NULL };
	AUTO_BUF more = BUF_INIT(1 << 20), good = BUF_INIT(1 << 20);

	open_entries(&e, l);
	show_head(l, 3, now);
	page(&more, &e, 0, LEAVES);
	assert_string_equal(give(l, wanted(l, ENTRIES, NULL, now), &more, now), "ct_entries");
	assert_int_equal(wanted(l, ENTRIES, NULL, now + 1), 0);
	page(&good, &e, 0, 3);
	show_head(l, 3, now + 61);
	assert_null(give(l, wanted(l, ENTRIES, NULL, now + 61), &good, now + 61));
	assert_int_equal(found(l)->len, 1);
	close_entries(&e);
}

/* What is too large is never answered: fewer entries, down to one, and more when it goes on. */
static void
smaller_pages(void **state)
{
	struct lab *l = *state;
	struct entries e = { .lab = NULL };
	AUTO_BUF one = BUF_INIT(1 << 20);
	char url[DOCUMENT_URL_MAX];
	int64_t at = now;

	open_entries(&e, l);
	ctlab_fill(&l->log, 400);
	for (unsigned n = 256; n >= 1; n /= 2, at += 61) {
		char want[80];
		int64_t id;

		show_head(l, 400, at);
		snprintf(want, sizeof want, URL "ct/v1/get-entries?start=0&end=%u", n - 1);
		id = wanted(l, ENTRIES, url, at);
		assert_string_equal(url, want);
		assert_null(fail_with(l, id, 0, at));
	}
	show_head(l, 400, at);
	page(&one, &e, 0, 1);
	assert_null(give(l, wanted(l, ENTRIES, url, at), &one, at));
	assert_string_equal(url, URL "ct/v1/get-entries?start=0&end=0");
	(void)wanted(l, ENTRIES, url, at);
	assert_string_equal(url, URL "ct/v1/get-entries?start=1&end=17");
	close_entries(&e);
}

enum { CROWD = 40 };

/* 40 that cannot be read, then one that is acme's: it has its row and its alarm. */
static void
crowd(void **state)
{
	struct lab *l = *state;
	struct entries e = { .lab = NULL };
	AUTO_BUF json = BUF_INIT(1 << 20);
	uint8_t hash[MERKLE_HASH];

	e.lab = l;
	for (size_t i = 0; i < LEAVES; i++)
		put_entry(&e, i);
	buf_str(&json, "{\"entries\":[");
	for (size_t i = 0; i <= CROWD; i++) {
		size_t which = i < CROWD ? 4 : 1;

		assert_int_equal(merkle_leaf(buf_view(&e.leaf[which]), hash, NULL), RC_OK);
		ctlab_add(&l->log, hash);
		buf_str(&json, i == 0 ? "{\"leaf_input\":\"" : ",{\"leaf_input\":\"");
		b64_encode(&json, B64_STD, buf_view(&e.leaf[which]));
		buf_str(&json, "\"}");
	}
	buf_str(&json, "]}");
	show_head(l, CROWD + 1, now);
	assert_null(give(l, wanted(l, ENTRIES, NULL, now), &json, now));
	assert_int_equal(found(l)->len + found(l)->more, CROWD + 1);
	assert_string_equal(found(l)->item[found(l)->len - 1].tenant, "acme");
	assert_int_equal(ct_look(&l->works, now, NULL), RC_OK);
	assert_int_equal(words_of(l, "certificate_not_ordered", true), 1);
	close_entries(&e);
}

enum { MANY = 20 };

static void
write_many(EVP_PKEY *key[MANY])
{
	AUTO_BUF list = BUF_INIT(65536);

	buf_str(&list, "{\"operators\":[{\"name\":\"one\",\"logs\":[");
	for (unsigned i = 0; i < MANY; i++) {
		key[i] = pki_p256();
		buf_str(&list, i == 0 ? "{\"key\":\"" : ",{\"key\":\"");
		pki_spki(&list, key[i]);
		buf_printf(&list,
		    "\",\"description\":\"a "
		    "log\",\"url\":\"https://log.example/%02u/\",\"mmd\":60,"
		    "\"state\":{\"usable\":{}}}",
		    i);
	}
	buf_str(&list, "]}]}");
	bworld_file("ct-logs.json", buf_text(&list));
}

/* The heads that are wanted come, each of a tree that has entries; so many came. */
static size_t
show_heads(struct lab *l, EVP_PKEY *const key[MANY], bool asked[MANY], int64_t at)
{
	struct merkle_tree tree = { .size = 400 };
	size_t n = 0;

	look(l, at);
	for (size_t i = json_array_size(l->wanted); i-- > 0;) {
		const json_t *one = json_array_get(l->wanted, i);
		const char *url = json_string_value(json_object_get(one, "url"));
		size_t log = (size_t)strtoul(url + strlen("https://log.example/"), NULL, 10);
		AUTO_BUF head = BUF_INIT(STH_JSON_MAX);

		if (strstr(url, HEAD) == NULL)
			continue;
		ctlab_sign(&head, key[log], &tree, at * MS);
		assert_null(
		    give(l, json_integer_value(json_object_get(one, "document")), &head, at));
		assert_int_equal(json_array_remove(l->wanted, i), 0);
		asked[log] = true;
		n++;
	}
	return n;
}

/* More logs than places, each with entries that never come: all are heard of. */
static void
many_logs(void **state)
{
	struct lab *l = *state;
	EVP_PKEY *key[MANY];
	bool asked[MANY] = { false };
	struct fault f = { 0 };

	bworld_tenant("acme", acme_without);
	write_many(key);
	if (works_load(&l->works, now, &f) != RC_OK)
		fail_msg("%s: %s", f.reason, f.detail);
	l->works.set->generation++;
	assert_int_equal(show_heads(l, key, asked, now), DOCUMENTS_OUT);
	assert_int_equal(show_heads(l, key, asked, now), MANY - DOCUMENTS_OUT);
	for (size_t i = 0; i < MANY; i++)
		assert_true(asked[i]);
	for (size_t i = 0; i < MANY; i++)
		EVP_PKEY_free(key[i]);
	/* Nor do entries take the places that heads need. */
	look(l, now + 1);
	assert_int_equal(json_array_size(l->wanted), DOCUMENTS_OUT / 2);
}

static bool
is_shown_behind(const struct lab *l, int64_t now_s)
{
	json_auto_t *shown = transparency_show(l->works.ct, now_s);
	const json_t *log = json_array_get(json_object_get(shown, "logs"), 0);

	return json_is_true(json_object_get(json_object_get(log, "watch"), "behind"));
}

/* Heads are fresh, and nothing of the entries comes: neither a failure nor an answer. */
static void
entries_that_do_not_come(void **state)
{
	struct lab *l = *state;
	struct entries e = { .lab = NULL };
	AUTO_BUF good = BUF_INIT(1 << 20);
	int64_t at;

	open_entries(&e, l);
	show_head(l, LEAVES, now);
	for (at = now; at < now + MMD_S + CT_LATE_S; at += 60) {
		int64_t id = wanted(l, ENTRIES, NULL, at);

		if (id != 0 && at < now + 300)
			(void)fail_with(l, id, 500, at);
		if (at > now && (id = wanted(l, HEAD, NULL, at)) != 0) {
			AUTO_BUF head = BUF_INIT(STH_JSON_MAX);

			ctlab_head(&head, &l->log, LEAVES, at * MS);
			assert_null(give(l, id, &head, at));
		}
		assert_int_equal(words_of(l, "ct_log", true), 0);
	}
	assert_int_equal(ct_look(&l->works, at + 1, NULL), RC_OK);
	assert_int_equal(the_log(l)->trouble, CT_WELL);
	assert_int_equal(words_of(l, "ct_log", true), 1);
	assert_true(is_shown_behind(l, at + 1));
	show_head(l, LEAVES, at + 150);
	page(&good, &e, 0, LEAVES);
	assert_null(give(l, wanted(l, ENTRIES, NULL, at + 150), &good, at + 150));
	assert_int_equal(ct_look(&l->works, at + 151, NULL), RC_OK);
	assert_int_equal(words_of(l, "ct_log", false), 1);
	assert_false(is_shown_behind(l, at + 151));
	close_entries(&e);
}

/* ---- rows -------------------------------------------------------------------------------- */

static void
run_heads(void **state)
{
	row = *state;
	(void)open_lab(state);
	wrong_heads(state);
	(void)close_lab(state);
}

static void
run_inclusions(void **state)
{
	proof_row = *state;
	(void)open_lab(state);
	wrong_inclusions(state);
	(void)close_lab(state);
}

static void
run_consistency(void **state)
{
	consistency_row = *state;
	(void)open_lab(state);
	wrong_consistency(state);
	(void)close_lab(state);
}

#define OWN(f)	 cmocka_unit_test_setup_teardown(f, open_lab, close_lab)
#define WATCH(f) cmocka_unit_test_setup_teardown(f, open_watching, close_lab)

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(head_cases) + ARRAY_LEN(inclusion_cases) +
				       ARRAY_LEN(consistency_cases) + ARRAY_LEN(denial_cases) +
				       ARRAY_LEN(page_cases) + 19];
	const struct CMUnitTest own[] = { OWN(proven_and_kept), OWN(not_before_its_time),
		OWN(goes_on), OWN(broken_stays), OWN(silence), OWN(never_answered),
		OWN(withdrawn), OWN(unlisted_before_the_look), OWN(made_up), OWN(lost_answers),
		WATCH(foreign_is_found), WATCH(read_in_pieces), WATCH(too_many_entries),
		OWN(proof_that_does_not_come), WATCH(entries_that_do_not_come),
		WATCH(smaller_pages), WATCH(many_logs), WATCH(crowd),
		OWN(evidence_is_written_later) };
	size_t n = 0;

	ROWS(tests, n, head_cases, run_heads);
	ROWS(tests, n, inclusion_cases, run_inclusions);
	ROWS(tests, n, denial_cases, denied_twice);
	ROWS(tests, n, consistency_cases, run_consistency);
	ROWS(tests, n, page_cases, wrong_entries);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		tests[n++] = own[i];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
