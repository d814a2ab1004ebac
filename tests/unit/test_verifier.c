/* verifier: the thread, its bounds, and what it remembers */
#include "agent/front/verifier.h"

#include <poll.h>
#include <stdio.h>

#include "tests/unit/pki.h"
#include "tests/unit/spec.h"

#define X5U    "https://cert.example/a.pem"
#define CALLER "12025550100"
#define CLAIMS \
	"{\"dest\":{\"tn\":[\"12125550111\"]},\"iat\":1800000000,\"orig\":{\"tn\":\"" CALLER \
	"\"}}"

enum { LONG_MS = 20000 };

static struct {
	EVP_PKEY *root_key, *leaf_key, *other_key;
	X509 *root, *leaf;
	struct credset *set, *others; /* of another trust anchor */
	struct credset *mute;	      /* by it the leaf's numbers do not originate calls */
} w;

/* ---- how often, and how long ---- */

enum rc __real_originals_verify(const struct originals *o, const struct original_policy *policy,
    size_t *verified, struct fault *f);
enum rc __wrap_originals_verify(const struct originals *o, const struct original_policy *policy,
    size_t *verified, struct fault *f);

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool shut;
	unsigned inside;
} door = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 };

static void
set_door(bool shut)
{
	pthread_mutex_lock(&door.lock);
	door.shut = shut;
	pthread_cond_broadcast(&door.changed);
	pthread_mutex_unlock(&door.lock);
}

static void
wait_until_inside(void)
{
	pthread_mutex_lock(&door.lock);
	while (door.inside == 0)
		pthread_cond_wait(&door.changed, &door.lock);
	pthread_mutex_unlock(&door.lock);
}

enum rc
__wrap_originals_verify(const struct originals *o, const struct original_policy *policy,
    size_t *verified, struct fault *f)
{
	pthread_mutex_lock(&door.lock);
	door.inside++;
	pthread_cond_broadcast(&door.changed);
	while (door.shut)
		pthread_cond_wait(&door.changed, &door.lock);
	door.inside--;
	pthread_mutex_unlock(&door.lock);
	return __real_originals_verify(o, policy, verified, f);
}

static unsigned signatures;

enum rc __real_es256_verify(
    EVP_PKEY *key, struct span message, struct span sig, struct fault *f);
enum rc __wrap_es256_verify(
    EVP_PKEY *key, struct span message, struct span sig, struct fault *f);

enum rc
__wrap_es256_verify(EVP_PKEY *key, struct span message, struct span sig, struct fault *f)
{
	signatures++;
	return __real_es256_verify(key, message, sig, f);
}

/* ---- surroundings ---- */

static struct credset *
make_set(X509 *anchor, uint8_t judged_by)
{
	AUTO_CREDSET_BASE *base = NULL;
	AUTO_BUF pem = BUF_INIT(10000), leaf = BUF_INIT(10000);
	struct credset_parts parts = { .config = calloc(1, sizeof *parts.config) };
	struct credset *set = NULL;
	struct credential *c = NULL;

	assert_non_null(parts.config);
	parts.config->tenant = calloc(1, sizeof *parts.config->tenant);
	parts.config->tenants = 1;
	parts.config->iat_diverted_s = PASSPORT_DIVERTED_S;
	parts.config->tenant->credential = calloc(1, sizeof *parts.config->tenant->credential);
	parts.config->tenant->credentials = 1;
	parts.judged_by[0] = judged_by;
	pki_pem(&pem, anchor);
	assert_int_equal(anchors_read_pem(buf_view(&pem), &parts.anchors, NULL), RC_OK);
	assert_int_equal(credset_base_new(&parts, &base, NULL), RC_OK);
	assert_int_equal(credset_new(base, &set, NULL), RC_OK);
	assert_int_equal(credential_new("acme", "main", CREDENTIAL_READY, &c, NULL), RC_OK);
	c->x5u = strdup(X5U);
	pki_pem(&leaf, w.leaf);
	assert_int_equal(chain_read_pem(buf_view(&leaf), false, &c->chain, NULL), RC_OK);
	credset_put(set, (struct credset_place){ 0, 0 }, c);
	return set;
}

static int
make_world(void **state)
{
	AUTO_BUF list = BUF_INIT(100);
	AUTO_OSSL(X509) *other = NULL;
	struct pki_spec spec = { .cn = "Leaf" };
	struct config *config;

	(void)state;
	w.root_key = pki_p256();
	w.leaf_key = pki_p256();
	w.other_key = pki_p256();
	w.root = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.root_key, .ca = true });
	other = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.other_key, .ca = true });
	pki_tnauth_one(&list, CALLER);
	spec.key = w.leaf_key;
	spec.issuer = w.root;
	spec.issuer_key = w.root_key;
	spec.tnauth = buf_view(&list);
	w.leaf = pki_issue(&spec);
	w.set = make_set(w.root, 1);
	w.others = make_set(other, 2);
	w.mute = make_set(w.root, 1);
	config = (struct config *)(uintptr_t)w.mute->config;
	config->do_not_originate = strdup("2.5.29.14");
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	EVP_PKEY_free(w.root_key);
	EVP_PKEY_free(w.leaf_key);
	EVP_PKEY_free(w.other_key);
	X509_free(w.root);
	X509_free(w.leaf);
	credset_release(w.set);
	credset_release(w.others);
	credset_release(w.mute);
	return 0;
}

/* By x5c, or by the x5u of a credential of the set. */
static struct originals *
original(EVP_PKEY *key, bool x5c)
{
	AUTO_BUF header = BUF_INIT(20000), token = BUF_INIT(40000);
	struct originals *o = NULL;
	struct span text;

	buf_str(&header, "{\"alg\":\"ES256\",\"typ\":\"passport\"");
	if (x5c) {
		buf_str(&header, ",\"x5c\":");
		pki_x5c(&header, &w.leaf, 1);
	}
	buf_str(&header, ",\"x5u\":\"" X5U "\"}");
	pki_jws(&token, buf_text(&header), CLAIMS, key);
	text = buf_view(&token);
	assert_int_equal(originals_read(&text, 1, &o, NULL), RC_OK);
	return o;
}

/* The same as text, by which a delegate proves its number. */
static void
put_delegate(struct buf *out, EVP_PKEY *key)
{
	AUTO_BUF header = BUF_INIT(20000);

	buf_str(&header, "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5c\":");
	pki_x5c(&header, &w.leaf, 1);
	buf_str(&header, "}");
	pki_jws(out, buf_text(&header), CLAIMS, key);
}

static unsigned told;

static void
done(struct verifier_task *t)
{
	(void)t;
	told++;
}

static struct verifier_task
task_of(const struct originals *o)
{
	return (struct verifier_task){ .item = { { .originals = o, .check = ORIGINAL_CACHED } },
		.items = 1,
		.now_s = PKI_NOW,
		.deadline_ms = INT64_MAX,
		.done = done };
}

static void
take_until(struct verifier *v, unsigned n)
{
	struct pollfd p = { .fd = verifier_fd(v), .events = POLLIN };

	while (told < n) {
		assert_int_equal(poll(&p, 1, LONG_MS), 1);
		verifier_take(v);
	}
	assert_int_equal(told, n);
}

/* Verified by this set, now: how many signatures, or -1 when it is refused. */
static int
outcome(struct verifier *v, struct credset *set, const struct originals *o, int64_t age_s)
{
	struct verifier_task t = task_of(o);

	t.now_s += age_s;
	told = 0;
	assert_int_equal(verifier_post(v, &t, set, NULL), RC_OK);
	take_until(v, 1);
	if (t.item[0].fault.rc == RC_OK)
		return (int)t.item[0].verified;
	assert_string_equal(t.item[0].fault.reason, "original_invalid");
	assert_int_equal(t.item[0].verified, 0);
	return -1;
}

/* Does this prove a number, by a policy that wants so many SCTs? */
static bool
is_proven(
    struct verifier *v, struct credset *set, struct span text, unsigned min_scts, int64_t age_s)
{
	struct verifier_task t = {
		.item = { { .delegate = text, .policy = { .min_scts = min_scts } } },
		.items = 1,
		.now_s = PKI_NOW + age_s,
		.deadline_ms = INT64_MAX,
		.done = done
	};
	bool yes;

	told = 0;
	assert_int_equal(verifier_post(v, &t, set, NULL), RC_OK);
	take_until(v, 1);
	yes = t.item[0].fault.rc == RC_OK;
	assert_int_equal(t.item[0].claims != NULL, yes);
	json_decref(t.item[0].claims);
	return yes;
}

static struct verifier *
open_verifier(void)
{
	struct verifier *v = NULL;

	assert_int_equal(verifier_new(&v, NULL), RC_OK);
	return v;
}

/* ---- tests ---- */

static void
remembers_what_was_good(void **state)
{
	struct verifier *v = open_verifier();
	struct originals *x5c = original(w.leaf_key, true), *x5u = original(w.leaf_key, false),
			 *bad = original(w.other_key, true);

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(outcome(v, w.set, x5c, 0), 1);
		assert_int_equal(outcome(v, w.set, x5u, 0), 1);
		assert_int_equal(verifier_remembered(v), 2 * i);
	}
	/* Its age is judged each time. */
	assert_int_equal(outcome(v, w.set, x5c, 3 * 3600 + 1), -1);
	assert_int_equal(outcome(v, w.set, x5c, 0), 1);
	assert_int_equal(verifier_remembered(v), 5);
	/* Other anchors: what was good by the old ones does not count. */
	assert_int_equal(outcome(v, w.others, x5c, 0), -1);
	assert_int_equal(outcome(v, w.others, x5u, 0), -1);
	/* What is bad stays bad. */
	assert_int_equal(outcome(v, w.set, bad, 0), -1);
	assert_int_equal(outcome(v, w.set, bad, 0), -1);
	assert_int_equal(verifier_remembered(v), 5);
	originals_free(x5c);
	originals_free(x5u);
	originals_free(bad);
	verifier_free(v);
}

/* By its own policy: what was good as an original, or by less, is verified again. */
static void
delegates_are_remembered_apart(void **state)
{
	struct verifier *v = open_verifier();
	struct originals *o;
	AUTO_BUF good = BUF_INIT(40000), bad = BUF_INIT(40000);
	struct span text;

	(void)state;
	put_delegate(&good, w.leaf_key);
	put_delegate(&bad, w.other_key);
	text = buf_view(&good);
	assert_int_equal(originals_read(&text, 1, &o, NULL), RC_OK);
	assert_int_equal(outcome(v, w.set, o, 0), 1);
	assert_false(is_proven(v, w.set, text, 1, 0)); /* it has no SCT */
	assert_true(is_proven(v, w.set, text, 0, 0));
	assert_int_equal(verifier_remembered(v), 0);
	assert_true(is_proven(v, w.set, text, 0, 60));
	assert_int_equal(verifier_remembered(v), 1);
	assert_false(is_proven(v, w.set, text, 0, 61));
	assert_false(is_proven(v, w.set, text, 1, 0));
	assert_false(is_proven(v, w.others, text, 0, 0));
	assert_false(is_proven(v, w.mute, text, 0, 0)); /* D-42 */
	assert_false(is_proven(v, w.set, buf_view(&bad), 0, 0));
	assert_false(is_proven(v, w.set, buf_view(&bad), 0, 0));
	assert_int_equal(verifier_remembered(v), 3); /* and too old, and mute */
	originals_free(o);
	verifier_free(v);
}

/* A signature behind certificates that lead nowhere is not worth the work. */
static void
nothing_behind_a_failed_path(void **state)
{
	struct verifier *v = open_verifier();
	struct originals *o = original(w.leaf_key, true);
	AUTO_BUF text = BUF_INIT(40000);

	(void)state;
	put_delegate(&text, w.leaf_key);
	signatures = 0;
	assert_int_equal(outcome(v, w.others, o, 0), -1);
	assert_false(is_proven(v, w.others, buf_view(&text), 0, 0));
	assert_int_equal(signatures, 0);
	assert_int_equal(outcome(v, w.set, o, 0), 1);
	assert_true(is_proven(v, w.set, buf_view(&text), 0, 0));
	assert_int_equal(signatures, 2);
	originals_free(o);
	verifier_free(v);
}

/* As many as there is room for, from t on. */
static size_t
flood(struct verifier *v, uid_t uid, const struct originals *o, struct verifier_task *t)
{
	struct fault f = { 0 };
	size_t n = 0;

	for (;; n++) {
		t[n] = task_of(o);
		t[n].uid = uid;
		if (verifier_post(v, &t[n], w.set, &f) != RC_OK)
			break;
	}
	assert_int_equal(f.rc, RC_BUSY);
	assert_string_equal(f.reason, "overloaded");
	return n;
}

/* Whoever floods leaves room to the next, who comes by the same right. */
static void
queue_is_bounded(void **state)
{
	static struct verifier_task t[VERIFIER_MAX_WAITING + 1];
	struct verifier *v = open_verifier();
	struct originals *o = original(w.leaf_key, true);
	size_t n = 0;
	uid_t uid = 1000;

	(void)state;
	told = 0;
	set_door(true);
	for (size_t room = VERIFIER_MAX_WAITING; room > 1; room -= room / 2) {
		assert_int_equal(flood(v, uid++, o, &t[n]), room / 2);
		n += room / 2;
	}
	assert_int_equal(flood(v, 1000, o, &t[n]), 0);
	assert_int_equal(flood(v, uid++, o, &t[n]), 1);
	assert_int_equal(n + 1, VERIFIER_MAX_WAITING);
	assert_int_equal(flood(v, uid, o, &t[n + 1]), 0);
	set_door(false);
	take_until(v, VERIFIER_MAX_WAITING);
	for (size_t i = 0; i < VERIFIER_MAX_WAITING; i++)
		assert_int_equal(t[i].item[0].verified, 1);
	/* And there is room again. */
	assert_int_equal(outcome(v, w.set, o, 0), 1);
	assert_int_equal(w.set->refs, 1);
	originals_free(o);
	verifier_free(v);
}

/* More than there can be at once: whoever has nothing to wait for takes no place. */
static void
users_come_and_go(void **state)
{
	struct verifier *v = open_verifier();
	struct originals *o = original(w.leaf_key, true);

	(void)state;
	for (uid_t uid = 0; uid < 3 * VERIFIER_MAX_WAITING; uid += 2) {
		struct verifier_task t[2] = { task_of(o), task_of(o) };

		told = 0;
		for (uid_t i = 0; i < 2; i++) {
			t[i].uid = uid + i;
			assert_int_equal(verifier_post(v, &t[i], w.set, NULL), RC_OK);
		}
		take_until(v, 2);
	}
	originals_free(o);
	verifier_free(v);
}

static uid_t turn_of[8];

static void
note_turn(struct verifier_task *t)
{
	turn_of[told++] = t->uid;
}

/* A long line of one user is not in front of another's. */
static void
users_take_turns(void **state)
{
	static const uid_t posted[] = { 1, 1, 1, 1, 1, 2, 2, 3 };
	static const uid_t served[] = { 1, 2, 3, 1, 2, 1, 1, 1 };
	struct verifier_task t[ARRAY_LEN(posted)];
	struct verifier *v = open_verifier();
	struct originals *o = original(w.leaf_key, true);

	(void)state;
	told = 0;
	set_door(true);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		t[i] = task_of(o);
		t[i].uid = posted[i];
		t[i].done = note_turn;
		assert_int_equal(verifier_post(v, &t[i], w.set, NULL), RC_OK);
		if (i == 0)
			wait_until_inside();
	}
	set_door(false);
	take_until(v, ARRAY_LEN(t));
	assert_memory_equal(turn_of, served, sizeof served);
	originals_free(o);
	verifier_free(v);
}

static void
too_late_is_not_begun(void **state)
{
	struct verifier *v = open_verifier();
	struct originals *o = original(w.leaf_key, true);
	struct verifier_task t = task_of(o);

	(void)state;
	told = 0;
	t.deadline_ms = 1;
	set_door(true); /* it would never end */
	assert_int_equal(verifier_post(v, &t, w.set, NULL), RC_OK);
	take_until(v, 1);
	set_door(false);
	assert_int_equal(t.item[0].fault.rc, RC_TIMEOUT);
	assert_string_equal(t.item[0].fault.reason, "overloaded");
	originals_free(o);
	verifier_free(v);
}

/* One is worked on, others wait: nobody is told, every reference is given back. */
static void
ends_in_the_middle(void **state)
{
	struct verifier *v = open_verifier();
	struct originals *o = original(w.leaf_key, true);
	struct verifier_task t[3] = { task_of(o), task_of(o), task_of(o) };

	(void)state;
	told = 0;
	set_door(true);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(verifier_post(v, &t[i], w.set, NULL), RC_OK);
	wait_until_inside();
	assert_int_equal(w.set->refs, 4);
	set_door(false);
	verifier_free(v);
	assert_int_equal(told, 0);
	assert_int_equal(w.set->refs, 1);
	originals_free(o);
	verifier_free(NULL);
}

/* What rests on a certificate that is still being loaded is no fault of the caller's. */
static void
not_loaded_yet(void **state)
{
	static const struct {
		bool x5c, forged;
		size_t loading;
		const char *reason; /* NULL: verified */
	} rows[] = {
		{ false, false, 0, "original_invalid" },
		{ false, false, 1, "overloaded" },
		{ true, false, 1, NULL },
		{ true, true, 1, "original_invalid" },
	};
	struct verifier *v = NULL;
	struct credset *set = NULL;
	struct credential *c = NULL;

	(void)state;
	assert_int_equal(credset_copy(w.set, &set, NULL), RC_OK);
	assert_int_equal(credential_new("acme", "main", CREDENTIAL_LOADING, &c, NULL), RC_OK);
	credset_put(set, (struct credset_place){ 0, 0 }, c);
	assert_int_equal(verifier_new(&v, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct originals *o =
		    original(rows[i].forged ? w.other_key : w.leaf_key, rows[i].x5c);
		struct verifier_task t = task_of(o);

		set->loading = rows[i].loading;
		told = 0;
		assert_int_equal(verifier_post(v, &t, set, NULL), RC_OK);
		take_until(v, 1);
		if (rows[i].reason != NULL)
			assert_string_equal(t.item[0].fault.reason, rows[i].reason);
		else
			assert_int_equal(t.item[0].fault.rc, RC_OK);
		originals_free(o);
	}
	verifier_free(v);
	credset_release(set);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_what_was_good),
		cmocka_unit_test(delegates_are_remembered_apart),
		cmocka_unit_test(nothing_behind_a_failed_path),
		cmocka_unit_test(not_loaded_yet),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(users_come_and_go),
		cmocka_unit_test(users_take_turns),
		cmocka_unit_test(too_late_is_not_begun),
		cmocka_unit_test(ends_in_the_middle),
	};

	return cmocka_run_group_tests(tests, make_world, drop_world);
}
