/*
 * Revocation as lists say it: asked for, judged, acted on, and what a renewer
 * that keeps lists back, repeats them or makes them up gets of it.
 */
#include "agent/front/crl_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/front/crls_sweep.h"
#include "agent/front/install.h"
#include "agent/front/jw.h"
#include "agent/front/ops.h"
#include "agent/front/pending.h"
#include "agent/front/revoke.h"
#include "agent/front/store.h"
#include "agent/front/want.h"
#include "stir/b64.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"
#include "tests/unit/crllab.h"
#include "tests/unit/rows.h"

#define URL	   "https://crl.example/list.crl"
#define PARENT_URL "https://crl.example/parents.crl"
#define FILE_PATH  "state/front/tenants/acme/main/current.pem"
static const int64_t now = PKI_NOW;
static const char acme[] =
    "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("vesper-06", "identity_max_bytes = 8192");

struct lab {
	struct bworld world;
	struct works works;
	struct credset_place at;
	EVP_PKEY *pa_key, *leaf_key;
	X509 *pa;
	uint8_t point[P256_POINT_LEN];
	struct buf points, parent_points, numbers;
};

/* What is in force at the start. */
struct start {
	const char *url;       /* NULL: its certificate names no list */
	bool indirect, parent; /* parent: a CA in between names one, too */
	const char *keys;      /* of vesperd.conf */
};

static struct credential *
only(const struct lab *l)
{
	return credset_credential(l->works.set, l->at);
}

static struct bworld_cert
cert_of(const struct lab *l, const char *serial)
{
	return (struct bworld_cert){ .point = l->point,
		.serial = serial,
		.scts = 1,
		.tnauth = buf_view(&l->numbers),
		.parent = l->parent_points.len > 0 ? buf_view(&l->numbers) : (struct span){ 0 },
		.points = buf_view(&l->points),
		.parent_points = buf_view(&l->parent_points) };
}

static void
write_issuers(const struct lab *l)
{
	AUTO_BUF pem = BUF_INIT(65536);

	pki_pem(&pem, l->pa);
	bworld_file("crl-issuers.pem", buf_text(&pem));
}

static void
lab_load(struct lab *l)
{
	bworld_works(&l->world, &l->works, now);
	assert_true(credset_find(l->works.set, "acme", "main", &l->at));
	(void)works_chores(&l->works, now);
}

static void
lab_open(struct lab *l, const struct start *s)
{
	AUTO_BUF pem = BUF_INIT(65536);
	struct bworld_cert spec;

	*l = (struct lab){ .points = BUF_INIT(4096),
		.parent_points = BUF_INIT(4096),
		.numbers = BUF_INIT(4096) };
	bworld_open(&l->world);
	l->pa_key = pki_p256();
	l->leaf_key = pki_p256();
	l->pa = pki_issue(&(struct pki_spec){ .cn = "STI-PA", .key = l->pa_key, .ca = true });
	assert_int_equal(p256_point(l->leaf_key, l->point, NULL), RC_OK);
	write_issuers(l);
	bworld_main(s->keys != NULL ? s->keys : "");
	bworld_tenant("acme", acme);
	bworld_tnauth(&l->numbers, "12025550100");
	if (s->url != NULL)
		crllab_points(&l->points, s->url, s->indirect ? l->pa : NULL, CRLLAB_PLAIN);
	if (s->parent)
		crllab_points(&l->parent_points, PARENT_URL, NULL, CRLLAB_PLAIN);
	spec = cert_of(l, "10");
	bworld_issue(&l->world, &pem, &spec);
	assert_int_equal(store_write(FILE_PATH, buf_view(&pem), 0600, NULL), RC_OK);
	lab_load(l);
	assert_int_equal(only(l)->state, CREDENTIAL_READY);
}

static void
lab_close(struct lab *l)
{
	works_done(&l->works);
	bworld_close(&l->world);
	X509_free(l->pa);
	EVP_PKEY_free(l->pa_key);
	EVP_PKEY_free(l->leaf_key);
	buf_free(&l->points);
	buf_free(&l->parent_points);
	buf_free(&l->numbers);
}

/* ---- the renewer's part ------------------------------------------------------------------ */

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

/* The document by which this list is fetched; 0: it is not to be. */
static int64_t
asked(struct lab *l, const char *url, int64_t now_s)
{
	json_auto_t *out =
	    answer_to(l, json_pack("{s:s, s:i}", "op", "documents", "id", 1), now_s);
	const json_t *row;
	int64_t id = 0;
	size_t i;

	json_array_foreach (json_object_get(out, "documents"), i, row) {
		if (strcmp(json_string_value(json_object_get(row, "url")), url) != 0)
			continue;
		assert_string_equal(
		    json_string_value(json_object_get(row, "tls_ca")), "crl_tls_ca");
		assert_int_equal(json_integer_value(json_object_get(row, "max")), CRL_MAX_DER);
		id = json_integer_value(json_object_get(row, "document"));
	}
	return id;
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
give(struct lab *l, int64_t id, struct span der, int64_t now_s)
{
	AUTO_BUF text = BUF_INIT(100000);
	const char *reason;

	b64_encode(&text, B64_URL, der);
	reason = reason_of(answer_to(l,
	    json_pack("{s:s, s:i, s:I, s:i, s:I, s:I, s:s, s:n}", "op", "document", "id", 2,
		"document", (json_int_t)id, "status", 200, "total", (json_int_t)der.len,
		"offset", (json_int_t)0, "data", buf_text(&text), "problem"),
	    now_s));
	(void)works_chores(&l->works, now_s);
	return reason;
}

/* A list of this URL, as it is asked for; the reason why it is refused, or NULL. */
static const char *
publish(struct lab *l, const char *url, const struct crllab_spec *spec, int64_t now_s)
{
	AUTO_BUF der = BUF_INIT(65536);
	struct crllab_spec s = *spec;
	int64_t id = asked(l, url, now_s);

	assert_true(id > 0);
	if (s.issuer == NULL) {
		s.issuer = l->world.root;
		s.key = l->world.root_key;
	}
	crllab_make(&der, &s);
	return give(l, id, buf_view(&der), now_s);
}

static void
fails(struct lab *l, const char *url, int64_t now_s)
{
	int64_t id = asked(l, url, now_s);

	assert_true(id > 0);
	assert_null(reason_of(answer_to(l,
	    json_pack("{s:s, s:i, s:I, s:i, s:i, s:i, s:n, s:s}", "op", "document", "id", 3,
		"document", (json_int_t)id, "status", 503, "total", 0, "offset", 0, "data",
		"problem", "HTTP status 503"),
	    now_s)));
	(void)works_chores(&l->works, now_s);
}

/* The last word of the alarm: its detail, "" it is over, NULL there was none. */
static const char *
told(const struct lab *l)
{
	const char *said = NULL;
	const json_t *word;
	size_t i;

	json_array_foreach (l->world.alarms, i, word) {
		const json_t *problem = json_object_get(word, "problem");

		if (strcmp(json_string_value(json_object_get(word, "alarm")),
			"crl_unavailable") == 0)
			said = json_is_string(problem) ? json_string_value(problem) : "";
	}
	return said;
}

/* The one list in the status. */
static const char *
shown(const struct lab *l, const char *member, int64_t now_s)
{
	static char text[512];
	AUTO_BUF out = BUF_INIT(65536);
	json_auto_t *root = NULL;
	const json_t *value;

	jw_open(&out, NULL, '{');
	crls_show(l->works.crls, &out, l->works.set->config, now_s);
	jw_close(&out, '}');
	root = json_loads(buf_text(&out), 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "crls")), 1);
	value = json_object_get(json_array_get(json_object_get(root, "crls"), 0), member);
	assert_non_null(value);
	if (json_is_string(value))
		snprintf(text, sizeof text, "%s", json_string_value(value));
	else
		snprintf(text, sizeof text, "%s",
		    json_is_true(value)	   ? "true"
		    : json_is_false(value) ? "false"
		    : json_is_null(value)  ? "null"
					   : "number");
	return text;
}

static const json_t *
recorded(const struct lab *l, const char *event)
{
	const json_t *record;
	size_t i;

	json_array_foreach (l->world.audit, i, record) {
		if (strcmp(json_string_value(json_object_get(record, "event")), event) == 0)
			return record;
	}
	return NULL;
}

static void
is_revoked(struct lab *l, const char *detail, unsigned reason)
{
	const struct credential *c = only(l);
	const json_t *record = recorded(l, "revoke");
	char id[CREDENTIAL_FINGERPRINT];
	struct revocation r = { .reason = 0 };

	assert_int_equal(c->state, CREDENTIAL_REVOKED);
	assert_string_equal(c->why.reason, "revoked");
	assert_non_null(strstr(c->why.detail, detail));
	assert_true(atomic_load(&c->crl_listed));
	assert_string_equal(json_string_value(json_object_get(record, "by")), "crl");
	assert_string_equal(json_string_value(json_object_get(record, "state")), "done");
	memcpy(id, c->fingerprint, sizeof id);
	assert_int_equal(revocation_read(l->works.set->config, id, &r, NULL), RC_OK);
	assert_true(r.listed && !r.blocks && !r.by_key);
	assert_int_equal(r.state, REVOCATION_DONE);
	assert_int_equal(r.reason, reason);
	/* Another one is ordered by itself, and the CA is told nothing. */
	assert_int_equal(revoke_check(&l->works, l->at, NULL), RC_OK);
	assert_int_equal(revoke_waiting(&l->works), 0);
}

/* ---- direct lists ------------------------------------------------------------------------- */

static const struct start direct = { .url = URL };

static void
asked_for_and_well(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_string_equal(shown(&l, "usable", now), "false");
	assert_string_equal(shown(&l, "reason", now), "crl_missing");
	assert_null(told(&l)); /* not yet */
	assert_null(publish(&l, URL,
	    &(struct crllab_spec){ .number = 7, .entry = { { .serial = "11" } } }, now));
	assert_string_equal(shown(&l, "usable", now), "true");
	assert_string_equal(shown(&l, "number", now), "7");
	assert_int_equal(only(&l)->state, CREDENTIAL_READY);
	assert_null(told(&l));
	assert_int_equal(asked(&l, URL, now + 3599), 0);
	assert_true(asked(&l, URL, now + 3600) > 0);
	assert_int_equal(asked(&l, URL, now + 3600), 0); /* it is on its way */
	lab_close(&l);
}

static void
found_while_in_force(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1 }, now));
	assert_int_equal(only(&l)->state, CREDENTIAL_READY);
	assert_null(publish(&l, URL,
	    &(struct crllab_spec){
		.number = 2, .this_s = now + 3590, .entry = { { "10", NULL, 4 } } },
	    now + 3600));
	is_revoked(&l, "CN=Root has it", 4);
	works_done(&l.works);
	lab_load(&l); /* also without any list */
	assert_int_equal(only(&l)->state, CREDENTIAL_REVOKED);
	assert_true(atomic_load(&only(&l)->crl_listed));
	lab_close(&l);
}

/* A reason that is a CA's own is none that we record. */
static void
reason_of_a_ca(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_null(
	    publish(&l, URL, &(struct crllab_spec){ .entry = { { "10", NULL, 2 } } }, now));
	is_revoked(&l, "has it", 0);
	lab_close(&l);
	lab_open(&l, &direct); /* certificateHold: for good */
	assert_null(
	    publish(&l, URL, &(struct crllab_spec){ .entry = { { "10", NULL, 6 } } }, now));
	is_revoked(&l, "has it", 0);
	lab_close(&l);
}

static void
found_on_a_list_that_is_over(void **state)
{
	struct lab l;
	AUTO_BUF der = BUF_INIT(65536);
	struct crls_one *one;
	char path[128];

	(void)state;
	lab_open(&l, &direct);
	one = l.works.crls->one[0];
	snprintf(path, sizeof path, "state/front/crls/%s.crl", one->id);
	crllab_make(&der, &(struct crllab_spec){ .issuer = l.world.root,
			      .key = l.world.root_key,
			      .next_s = now - 60,
			      .entry = { { "10", NULL, 1 } } });
	works_done(&l.works);
	assert_int_equal(store_write(path, buf_view(&der), 0600, NULL), RC_OK);
	lab_load(&l);
	is_revoked(&l, "has it", 1);
	lab_close(&l);
}

/* ---- what a renewer may try ---------------------------------------------------------------- */

/* RFC 5280 s5.2.3 */
static void
never_older_also_after_a_start(void **state)
{
	struct lab l;
	const struct crllab_spec kept = { .number = 9, .this_s = now - 100 };

	(void)state;
	lab_open(&l, &direct);
	assert_null(publish(&l, URL, &kept, now));
	assert_string_equal(
	    publish(
		&l, URL, &(struct crllab_spec){ .number = 8, .this_s = now - 50 }, now + 3600),
	    "crl_older");
	assert_string_equal(shown(&l, "usable", now + 3600), "true");
	assert_string_equal(
	    publish(&l, URL, &(struct crllab_spec){ .number = 10, .this_s = now - 101 },
		now + 3660),
	    "crl_older");
	works_done(&l.works);
	lab_load(&l);
	assert_string_equal(shown(&l, "usable", now), "true"); /* as it was kept */
	assert_string_equal(
	    publish(&l, URL, &(struct crllab_spec){ .number = 8, .this_s = now - 50 }, now),
	    "crl_older");
	assert_null(publish(&l, URL, &kept, now + 60)); /* the same again */
	lab_close(&l);
}

static struct wrong {
	const char *name, *reason;
	bool of_pa; /* signed by another, in its own name */
	struct crllab_spec spec;
} wrongs[] = {
	{ "of another issuer", "crl_signer", .of_pa = true },
	{ "over", "crl_expired", .spec = { .next_s = PKI_NOW - 1 } },
	{ "of the future", "crl_future", .spec = { .this_s = PKI_NOW + 3600 } },
	{ "of another place", "crl_scope", .spec = { .url = PARENT_URL } },
	{ "of CAs alone", "crl_scope", .spec = { .cas = true } },
	{ "a delta", "crl_delta", .spec = { .number = 1, .faults = CRLLAB_DELTA } },
	{ "not understood", "crl_critical", .spec = { .faults = CRLLAB_CRITICAL } },
};

static void
one_wrong(void **state)
{
	const struct wrong *r = *state;
	struct crllab_spec s = r->spec;
	struct lab l;

	lab_open(&l, &direct);
	s.entry[0] = (struct crllab_entry){ "10", NULL, 1 };
	s.issuer = r->of_pa ? l.pa : NULL;
	s.key = r->of_pa ? l.pa_key : NULL;
	assert_string_equal(publish(&l, URL, &s, now), r->reason);
	assert_int_equal(only(&l)->state, CREDENTIAL_READY); /* it takes nothing out of force */
	assert_non_null(told(&l));
	assert_string_not_equal(told(&l), "");
	assert_string_equal(shown(&l, "usable", now), "false");
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1 }, now + 60));
	assert_string_equal(told(&l), "");
	lab_close(&l);
}

static void
octets_of_nobody(void **state)
{
	struct lab l;
	int64_t id;

	(void)state;
	lab_open(&l, &direct);
	id = asked(&l, URL, now);
	assert_string_equal(give(&l, id, span_str("no list at all"), now), "crl_der");
	assert_string_equal(give(&l, id, span_str("again"), now), "not_found"); /* once */
	lab_close(&l);
}

static void
kept_back(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	(void)works_chores(&l.works, now + CRL_PATIENCE_S);
	assert_null(told(&l));
	(void)works_chores(&l.works, now + CRL_PATIENCE_S + CRL_LOOK_S);
	assert_non_null(strstr(told(&l), "it has not been fetched yet"));
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1 }, now + 200));
	assert_string_equal(told(&l), "");
	fails(&l, URL, now + 3800); /* one that is in its time serves on */
	assert_string_equal(told(&l), "");
	assert_string_equal(shown(&l, "problem", now + 3800), "HTTP status 503");
	(void)works_chores(&l.works, now + 86400 - 600);
	assert_string_equal(told(&l), "");
	lab_close(&l);
}

/* What is in force signs on when its list is over (fail-safe), and the alarm says so. */
static void
over_and_not_had_again(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_null(
	    publish(&l, URL, &(struct crllab_spec){ .number = 1, .next_s = now + 600 }, now));
	(void)works_chores(&l.works, now + 661);
	assert_non_null(strstr(told(&l), "the next one was due"));
	assert_int_equal(only(&l)->state, CREDENTIAL_READY);
	lab_close(&l);
}

/* ---- whose list ------------------------------------------------------------------------------ */

/* RFC 5280 s6.3.3, of each certificate of the path */
static void
of_a_ca_in_between(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &(struct start){ .parent = true });
	assert_null(publish(&l, PARENT_URL,
	    &(struct crllab_spec){ .cas = true, .entry = { { "77", NULL, 1 } } }, now));
	is_revoked(&l, "has its CA CN=Parent", 1);
	lab_close(&l);
}

/* RFC 5280 s6.3.3 (b) (1), as the STI-PA's list of ATIS-1000080 is one */
static void
of_an_indirect_issuer(void **state)
{
	static const struct start s = {
		.url = URL, .indirect = true, .keys = "crl_issuers = \"crl-issuers.pem\"\n"
	};
	struct lab l;

	(void)state;
	lab_open(&l, &s);
	assert_string_equal(shown(&l, "indirect", now), "true");
	assert_string_equal(publish(&l, URL, &(struct crllab_spec){ .indirect = true }, now),
	    "crl_signer"); /* the CA's own */
	assert_null(publish(&l, URL,
	    &(struct crllab_spec){ .issuer = l.pa,
		.key = l.pa_key,
		.indirect = true,
		.entry = { { "10", l.pa, 1 } } },
	    now + 60)); /* another CA's */
	assert_int_equal(only(&l)->state, CREDENTIAL_READY);
	assert_null(publish(&l, URL,
	    &(struct crllab_spec){ .issuer = l.pa,
		.key = l.pa_key,
		.indirect = true,
		.entry = { { "10", l.world.root, 1 } } },
	    now + 4000));
	is_revoked(&l, "CN=STI-PA has it", 1);
	lab_close(&l);
}

static void
of_an_issuer_that_is_not_known(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &(struct start){ .url = URL, .indirect = true });
	assert_string_equal(
	    publish(&l, URL,
		&(struct crllab_spec){ .issuer = l.pa, .key = l.pa_key, .indirect = true },
		now),
	    "crl_signer");
	assert_non_null(strstr(told(&l), "crl_issuers has no certificate of CN=STI-PA"));
	lab_close(&l);
}

static void
of_an_issuer_that_is_withdrawn(void **state)
{
	static const struct start s = {
		.url = URL, .indirect = true, .keys = "crl_issuers = \"crl-issuers.pem\"\n"
	};
	struct lab l;

	(void)state;
	lab_open(&l, &s);
	assert_null(publish(&l, URL,
	    &(struct crllab_spec){ .issuer = l.pa, .key = l.pa_key, .indirect = true }, now));
	assert_string_equal(shown(&l, "usable", now), "true");
	bworld_main("");
	assert_int_equal(works_load(&l.works, now, NULL), RC_OK);
	(void)works_chores(&l.works, now + 1); /* at once */
	assert_string_equal(shown(&l, "usable", now), "false");
	lab_close(&l);
}

static void
not_to_be_fetched(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &(struct start){ .url = "ldap://crl.example/cn=list" });
	assert_string_equal(shown(&l, "reason", now), "crl_url");
	assert_non_null(strstr(told(&l), "https"));
	assert_int_equal(asked(&l, "ldap://crl.example/cn=list", now), 0);
	lab_close(&l);
}

/* RFC 5280 s8 */
static void
at_an_http_url(void **state)
{
	static const char url[] = "http://crl.example/plain.crl";
	struct lab l;

	(void)state;
	lab_open(&l, &(struct start){ .url = url });
	assert_null(publish(&l, url, &(struct crllab_spec){ .number = 1 }, now));
	assert_string_equal(shown(&l, "usable", now), "true");
	assert_null(told(&l)); /* no standing alarm */
	assert_string_equal(
	    publish(
		&l, url, &(struct crllab_spec){ .issuer = l.pa, .key = l.pa_key }, now + 3600),
	    "crl_signer"); /* anybody on the way may answer */
	assert_null(publish(&l, url,
	    &(struct crllab_spec){ .number = 2, .entry = { { .serial = "10" } } }, now + 3660));
	is_revoked(&l, "has it", 0);
	lab_close(&l);
}

static void
switched_off(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &(struct start){ .url = URL, .keys = "crl_check = no\n" });
	assert_int_equal(asked(&l, URL, now), 0);
	assert_int_equal(l.works.crls->len, 0);
	lab_close(&l);
	lab_open(&l, &(struct start){ .url = NULL });
	assert_int_equal(l.works.crls->len, 0); /* nothing is named */
	lab_close(&l);
}

/* ---- installing ------------------------------------------------------------------------------ */

static enum rc
install(struct lab *l, const char *serial, int64_t now_s, struct fault *f)
{
	const struct credential *c = NULL;
	AUTO_BUF pem = BUF_INIT(65536);
	AUTO_PENDING p = { 0 };
	AUTO_WANT want = WANT_INIT;
	struct bworld_cert spec = cert_of(l, serial);
	struct install_offer offer = { 0 };
	int64_t again_s = 0;

	assert_int_equal(want_of(&l->works.set->config->tenant[l->at.tenant],
			     credset_config(l->works.set, l->at), &want, NULL),
	    RC_OK);
	assert_int_equal(pending_make(&l->works, l->at, buf_view(&want.tnauth_der),
			     buf_view(&want.constraints_der), now_s, &p, NULL),
	    RC_OK);
	spec.point = p.facts.point;
	spec.not_before_s = now;
	spec.not_after_s = now + 100000;
	spec.scts = 1;
	bworld_issue(&l->world, &pem, &spec);
	offer.pem = buf_view(&pem);
	return install_chain(&l->works, l->at, &offer, now_s, &again_s, &c, f);
}

/* RFC 5280 s6.3.3, before it is in force */
static void
refused_when_revoked(void **state)
{
	struct lab l;
	struct fault f = { 0 };

	(void)state;
	lab_open(&l, &direct);
	assert_null(
	    publish(&l, URL, &(struct crllab_spec){ .entry = { { "11", NULL, 1 } } }, now));
	assert_int_equal(install(&l, "11", now, &f), RC_DENIED);
	assert_string_equal(f.reason, "revoked");
	assert_true(store_mtime("state/front/tenants/acme/main/refused-11.pem") != 0);
	assert_string_equal(
	    json_string_value(json_object_get(recorded(&l, "install_refused"), "reason")),
	    "revoked");
	assert_string_equal(only(&l)->chain->cert[0]->serial, "10"); /* it signs on */
	assert_int_equal(install(&l, "12", now, &f), RC_OK);
	assert_string_equal(only(&l)->chain->cert[0]->serial, "12");
	lab_close(&l);
}

/* The one that was replaced a moment ago still signs what is dated before. */
static void
the_one_before(void **state)
{
	struct lab l;
	struct fault f = { 0 };

	(void)state;
	lab_open(&l, &direct);
	assert_int_equal(install(&l, "12", now, &f), RC_OK);
	assert_null(
	    publish(&l, URL, &(struct crllab_spec){ .entry = { { "10", NULL, 1 } } }, now));
	assert_int_equal(only(&l)->state, CREDENTIAL_READY);
	assert_null(credset_before(l.works.set, l.at, now));
	assert_string_equal(
	    json_string_value(json_object_get(recorded(&l, "revoke"), "serial")), "10");
	lab_close(&l);
}

/* Another CA gave the same serial number: what replaced the revoked one serves on. */
static void
same_serial_of_two_cas(void **state)
{
	struct lab l;
	struct fault f = { 0 };

	(void)state;
	lab_open(&l, &direct);
	buf_free(&l.points);
	l.points = BUF_INIT(4096);
	crllab_points(&l.parent_points, PARENT_URL, NULL, CRLLAB_PLAIN);
	assert_int_equal(install(&l, "10", now, &f), RC_OK);
	assert_null(
	    publish(&l, URL, &(struct crllab_spec){ .entry = { { "10", NULL, 1 } } }, now));
	assert_int_equal(only(&l)->state, CREDENTIAL_READY);
	assert_null(credset_before(l.works.set, l.at, now));
	lab_close(&l);
}

/* RFC 5280 s6.3.3 (b) (2): one that is silent about CAs is taken for what it does speak of. */
static void
of_one_kind_of_two(void **state)
{
	struct lab l;
	struct fault f = { 0 };

	(void)state;
	lab_open(&l, &direct);
	buf_free(&l.points);
	l.points = BUF_INIT(4096);
	crllab_points(&l.parent_points, URL, NULL, CRLLAB_PLAIN);
	assert_int_equal(install(&l, "12", now, &f), RC_OK);
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1, .users = true }, now));
	assert_string_equal(shown(&l, "usable", now), "true");
	assert_non_null(strstr(told(&l), "all kinds"));
	assert_string_equal(
	    publish(&l, URL, &(struct crllab_spec){ .number = 2, .cas = true }, now + 3600),
	    "crl_scope"); /* silent about what is known */
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 2 }, now + 3660));
	assert_string_equal(told(&l), "");
	lab_close(&l);
}

/* RFC 5280 s5.2.3, of a CA that was set up anew: once the last list of before is over, by its date. */
static void
numbered_anew(void **state)
{
	const struct crllab_spec kept = {
		.number = 9, .this_s = now - 100, .next_s = now + 600
	};
	struct crllab_spec anew = { .number = 1, .this_s = now + 300 };
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_null(publish(&l, URL, &kept, now));
	assert_string_equal(publish(&l, URL, &anew, now + 540), "crl_older");
	anew.this_s = now - 101;
	assert_string_equal(publish(&l, URL, &anew, now + 700), "crl_older");
	anew.this_s = now - 99;
	assert_null(publish(&l, URL, &anew, now + 900));
	assert_string_equal(shown(&l, "number", now + 900), "1");
	lab_close(&l);
}

static void
more_octets_than_there_is_room(void **state)
{
	struct crls *t;
	struct lab l;

	(void)state;
	lab_open(&l, &(struct start){ .url = URL, .parent = true });
	t = l.works.crls;
	assert_int_equal(t->len, 2);
	for (size_t i = 0; i < t->len; i++) {
		if (strcmp(t->one[i]->url, URL) == 0)
			t->one[i]->octets = CRLS_OCTETS_MAX + 10;
	}
	assert_string_equal(
	    publish(&l, PARENT_URL, &(struct crllab_spec){ .number = 1 }, now), "overloaded");
	lab_close(&l);
}

/* What has no place in the table is an alarm, and hides no other. */
static void
more_lists_than_there_is_room(void **state)
{
	AUTO_CRL_POINT point = { .named = CRL_NAMED };
	struct fault f = { 0 };
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	for (int i = 0; l.works.crls->len < CRLS_MAX; i++) {
		const struct cert *leaf = only(&l)->chain->cert[0];
		const struct crls_wish wish = { .point = &point, .cert = leaf, .signer = leaf };
		const struct crls_rules rules = { .config = l.works.set->config, .now_s = now };
		struct crls_one *one = NULL;

		snprintf(point.url, sizeof point.url, "https://crl.example/%d", i);
		assert_int_equal(crls_want(l.works.crls, &wish, &rules, &one, &f), RC_OK);
	}
	buf_free(&l.points);
	l.points = BUF_INIT(4096);
	crllab_points(&l.points, "https://crl.example/one-more", NULL, CRLLAB_PLAIN);
	crllab_points(&l.parent_points, URL, NULL, CRLLAB_PLAIN);
	assert_int_equal(install(&l, "12", now, &f), RC_OK);
	(void)works_chores(&l.works, now + CRL_LOOK_S);
	assert_non_null(strstr(told(&l), "1 certificates are not judged"));
	(void)works_chores(
	    &l.works, now + 2 * CRL_LOOK_S); /* those that nobody names are gone */
	assert_string_equal(told(&l), "");
	lab_close(&l);
}

/* ---- files of lists that nobody names any more ------------------------------------------------ */

static void
list_path(char out[128], const char *id)
{
	snprintf(out, 128, "state/front/crls/%s.crl", id);
}

/* An id that no list has: the digit again and again. */
static const char *
made_up(char digit)
{
	static char id[CRLS_ID];

	memset(id, digit, sizeof id - 1);
	return id;
}

static bool
is_there(const char *id)
{
	char path[128];

	list_path(path, id);
	return store_mtime(path) != 0;
}

static void
leave_as(const struct lab *l, const char *id, int64_t next_s)
{
	AUTO_BUF der = BUF_INIT(65536);
	char path[128];

	list_path(path, id);
	crllab_make(&der, &(struct crllab_spec){ .issuer = l->world.root,
			      .key = l->world.root_key,
			      .next_s = next_s,
			      .this_s = now - 400000 });
	assert_int_equal(store_write(path, buf_view(&der), 0600, NULL), RC_OK);
}

static void
leave(const struct lab *l, char digit, int64_t next_s)
{
	leave_as(l, made_up(digit), next_s);
}

static void
left_by_nobody(void **state)
{
	char path[128];
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_null(
	    publish(&l, URL, &(struct crllab_spec){ .number = 1, .next_s = now + 600 }, now));
	works_done(&l.works);
	leave(&l, '1', now - CRLS_OVER_S - 1);
	leave(&l, '2', now - CRLS_OVER_S);
	leave(&l, '3', now + 600);
	list_path(path, made_up('4'));
	assert_int_equal(store_write(path, span_str("no list"), 0600, NULL), RC_OK);
	list_path(path, made_up('5'));
	assert_int_equal(mkdir(path, 0700), 0); /* not to be read */
	assert_int_equal(
	    store_write("state/front/crls/README", span_str("x"), 0600, NULL), RC_OK);
	lab_load(&l);
	assert_true(is_there(made_up('1'))); /* a start does not wait for that */
	(void)works_chores(&l.works, now + CRL_LOOK_S - 1);
	assert_true(is_there(made_up('1')));
	assert_int_equal(l.works.crls->sweep_at_s, now + CRL_LOOK_S);
	l.works.crls->sweep_at_s = now;
	(void)crl_look(&l.works, now);
	assert_false(is_there(made_up('1')));
	assert_true(is_there(made_up('2')));
	assert_true(is_there(made_up('3')));
	assert_false(is_there(made_up('4')));
	assert_true(is_there(made_up('5')));
	assert_true(store_mtime("state/front/crls/README") != 0);
	(void)works_chores(&l.works, now + CRLS_SWEEP_S - 1);
	assert_true(is_there(made_up('2')));
	l.works.clock_holds = true; /* what is over by it may not be */
	(void)crl_look(&l.works, now + 4 * CRLS_SWEEP_S);
	assert_true(is_there(made_up('2')));
	l.works.clock_holds = false;
	(void)crl_look(&l.works, now + 4 * CRLS_SWEEP_S);
	assert_false(is_there(made_up('2')));
	assert_false(is_there(made_up('3')));
	lab_close(&l);
}

/* What is over by more than a day stays as long as it is named. */
static void
over_and_still_named(void **state)
{
	struct lab l;
	const char *id;

	(void)state;
	lab_open(&l, &direct);
	id = l.works.crls->one[0]->id;
	leave_as(&l, id, now - 2 * CRLS_OVER_S);
	leave(&l, '1', now - 2 * CRLS_OVER_S);
	l.works.crls->sweep_at_s = 1;
	(void)crl_look(&l.works, now);
	assert_false(is_there(made_up('1')));
	assert_true(is_there(id));
	lab_close(&l);
}

static struct works_out before_hand;
static bool swept;

static enum rc
publish_and_look(void *arg, struct credset *set, bool wait_for_keys, struct fault *f)
{
	swept = swept || !is_there(made_up('1'));
	return before_hand.publish(arg, set, wait_for_keys, f);
}

/* What is listed is out of force before the files are gone through. */
static void
swept_behind_what_is_listed(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1 }, now));
	leave(&l, '1', now - 2 * CRLS_OVER_S);
	before_hand = l.works.out;
	l.works.out.publish = publish_and_look;
	l.works.crls->sweep_at_s = 1;
	swept = false;
	assert_null(publish(&l, URL,
	    &(struct crllab_spec){
		.number = 2, .this_s = now + 3590, .entry = { { "10", NULL, 4 } } },
	    now + 3600));
	assert_int_equal(only(&l)->state, CREDENTIAL_REVOKED);
	assert_false(swept);
	assert_false(is_there(made_up('1')));
	lab_close(&l);
}

/* What was written last stays, as much as there may be. */
static void
left_by_too_many(void **state)
{
	char first[128], path[128], id[CRLS_ID];
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	size_t n = 0;
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	leave(&l, 'a', now + 600);
	list_path(first, made_up('a'));
	for (unsigned i = 0; i < CRLS_LEFT_MAX + 3; i++) {
		snprintf(id, sizeof id, "%064x", i);
		list_path(path, id);
		assert_int_equal(link(first, path), 0);
	}
	leave(&l, 'b', now + 600);
	list_path(path, made_up('b'));
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	l.works.crls->left = CRLS_LEFT_MAX - 1;
	(void)crl_look(&l.works, now + 1);
	assert_true(is_there(made_up('b'))); /* not due */
	l.works.crls->left = CRLS_LEFT_MAX;
	(void)crl_look(&l.works, now + 1);
	assert_int_equal(l.works.crls->left, 0);
	assert_false(is_there(made_up('b')));
	for (unsigned i = 0; i < CRLS_LEFT_MAX + 3; i++) {
		snprintf(id, sizeof id, "%064x", i);
		n += is_there(id);
	}
	assert_int_equal(n + is_there(made_up('a')), CRLS_LEFT_MAX);
	lab_close(&l);
}

/* ---- whose turn it is -------------------------------------------------------------------------- */

enum { LISTS = 2 * CRL_ASK_MAX + 2 };

static void
want_many(struct lab *l)
{
	const struct cert *leaf = only(l)->chain->cert[0];
	const struct crls_rules rules = { .config = l->works.set->config, .now_s = now };

	for (size_t i = 0; l->works.crls->len < LISTS; i++) {
		AUTO_CRL_POINT point = { .named = CRL_NAMED };
		const struct crls_wish wish = { .point = &point, .cert = leaf, .signer = leaf };
		struct crls_one *one = NULL;

		snprintf(point.url, sizeof point.url, "https://crl.example/%zu", i);
		assert_int_equal(crls_want(l->works.crls, &wish, &rules, &one, NULL), RC_OK);
		one->wanted = true;
	}
}

static size_t
take_turn(const struct lab *l, const char *url, bool seen[LISTS])
{
	for (size_t i = 0; i < LISTS; i++) {
		bool news = strcmp(l->works.crls->one[i]->url, url) == 0 && !seen[i];

		if (news)
			seen[i] = true;
		if (news)
			return 1;
	}
	return 0;
}

/* Asks, and has all of it fail; how many of the lists were never asked for before. */
static size_t
round_fails(struct lab *l, bool seen[LISTS], int64_t now_s)
{
	json_auto_t *out =
	    answer_to(l, json_pack("{s:s, s:i}", "op", "documents", "id", 1), now_s);
	const json_t *row;
	size_t n, news = 0;

	json_array_foreach (json_object_get(out, "documents"), n, row) {
		news += take_turn(l, json_string_value(json_object_get(row, "url")), seen);
		json_decref(answer_to(l,
		    json_pack("{s:s, s:i, s:O, s:i, s:i, s:i, s:n, s:s}", "op", "document",
			"id", 3, "document", json_object_get(row, "document"), "status", 0,
			"total", 0, "offset", 0, "data", "problem", "timeout"),
		    now_s));
	}
	return news;
}

/* Servers that do not answer, and are due again by then, keep nobody from his turn. */
static void
each_in_its_turn(void **state)
{
	bool seen[LISTS] = { false };
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	want_many(&l);
	assert_int_equal(round_fails(&l, seen, now), CRL_ASK_MAX);
	assert_int_equal(round_fails(&l, seen, now + 120), CRL_ASK_MAX);
	assert_int_equal(round_fails(&l, seen, now + 240), LISTS - 2 * CRL_ASK_MAX);
	lab_close(&l);
}

/* The longer it fails the less often it is asked for, and anew once it came. */
static void
less_and_less_often(void **state)
{
	static const int64_t waits_s[] = { 60, 120, 240, 480, 600, 600 };
	int64_t at_s = now;
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
		fails(&l, URL, at_s);
		assert_int_equal(asked(&l, URL, at_s + waits_s[i] - 1), 0);
		at_s += waits_s[i];
	}
	assert_non_null(strstr(told(&l), "HTTP status 503"));
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1 }, at_s));
	at_s += 3600;
	fails(&l, URL, at_s);
	assert_int_equal(asked(&l, URL, at_s + 59), 0);
	assert_true(asked(&l, URL, at_s + 60) > 0);
	lab_close(&l);
}

/* Whoever has mended it sees it at once; and an install does not wait for the longest pause. */
static void
asked_anew_when_it_was_mended(void **state)
{
	static const int64_t waits_s[] = { 60, 120, 240, 480 };
	struct fault f = { 0 };
	int64_t at_s = now;
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
		fails(&l, URL, at_s);
		at_s += waits_s[i];
	}
	fails(&l, URL, at_s);
	assert_int_equal(install(&l, "12", at_s + 1, &f), RC_OK);
	assert_int_equal(asked(&l, URL, at_s + CRL_AGAIN_S), 0);
	fails(&l, URL, at_s + 1 + CRL_AGAIN_S);
	at_s += 2 + CRL_AGAIN_S;
	assert_int_equal(asked(&l, URL, at_s + CRL_AGAIN_S), 0);
	assert_int_equal(works_load(&l.works, at_s, NULL), RC_OK);
	(void)works_chores(&l.works, at_s);
	fails(&l, URL, at_s);
	assert_int_equal(asked(&l, URL, at_s + 59), 0); /* as from the first time on */
	assert_true(asked(&l, URL, at_s + 60) > 0);
	lab_close(&l);
}

/* A reload asks for none that is well. */
static void
not_asked_anew_when_it_is_well(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1 }, now));
	assert_int_equal(works_load(&l.works, now + 10, NULL), RC_OK);
	(void)works_chores(&l.works, now + 10);
	assert_int_equal(asked(&l, URL, now + 10), 0);
	lab_close(&l);
}

/* A clock that was set back puts nothing off, and makes nothing wait. */
static void
a_clock_set_back(void **state)
{
	const int64_t back_s = now - 2 * 86400;
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	assert_true(asked(&l, URL, now) > 0); /* on its way, and never answered */
	assert_string_equal(
	    publish(&l, URL, &(struct crllab_spec){ .number = 1 }, back_s), "crl_future");
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1 }, now));
	assert_true(asked(&l, URL, back_s) > 0);
	assert_int_equal(only(&l)->state, CREDENTIAL_READY);
	lab_close(&l);
}

/* ---- where it cannot be recorded ------------------------------------------------------------- */

/* Out of force whatever the disk says, over a reload too, and on record as soon as it can be. */
static void
no_disk_takes_the_record(void **state)
{
	struct revocation r = { .reason = 0 };
	char id[CREDENTIAL_FINGERPRINT], path[160], text[CREDENTIAL_PROBLEM_MAX];
	struct lab l;

	(void)state;
	lab_open(&l, &direct);
	memcpy(id, only(&l)->fingerprint, sizeof id);
	snprintf(path, sizeof path, "state/front/revoked/%s.der", id);
	assert_true(mkdir("state/front/revoked", 0700) == 0 || errno == EEXIST);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(
	    publish(&l, URL, &(struct crllab_spec){ .entry = { { "10", NULL, 4 } } }, now));
	assert_int_equal(only(&l)->state, CREDENTIAL_REVOKED);
	assert_true(atomic_load(&only(&l)->crl_listed));
	assert_int_equal(revocation_read(l.works.set->config, id, &r, NULL), RC_NOT_FOUND);
	credential_revocation(only(&l), text);
	assert_non_null(strstr(text, "not on record"));
	assert_int_equal(works_load(&l.works, now + 1, NULL), RC_OK);
	assert_int_equal(only(&l)->state, CREDENTIAL_REVOKED);
	assert_true(atomic_load(&only(&l)->crl_listed));
	assert_int_equal(rmdir(path), 0);
	(void)works_chores(&l.works, now + REVOKE_RECORD_S);
	is_revoked(&l, "has it", 4);
	lab_close(&l);
}

enum { MANY = CRL_HITS_MAX + 6 };

/* Tenants of one number each, below one CA in between. */
static void
many_tenants(struct lab *l)
{
	buf_free(&l->numbers);
	l->numbers = BUF_INIT(4096);
	bworld_tnauth(&l->numbers, "12025550100-12025550199");
	for (int i = 0; i < MANY; i++) {
		char name[16], number[24], text[1024], path[128];
		struct bworld_cert spec = cert_of(l, "10");
		AUTO_BUF pem = BUF_INIT(65536), own = BUF_INIT(4096);

		snprintf(name, sizeof name, "t%02d", i);
		snprintf(number, sizeof number, "120255501%02d", i + 20);
		snprintf(text, sizeof text, "numbers = { \"%s\" }\n%s", number,
		    BWORLD_DELEGATE("vesper-06", "identity_max_bytes = 8192"));
		bworld_tenant(name, text);
		bworld_tnauth(&own, number);
		spec.tnauth = buf_view(&own);
		bworld_issue(&l->world, &pem, &spec);
		snprintf(path, sizeof path, "state/front/tenants/%s/main/current.pem", name);
		assert_int_equal(store_write(path, buf_view(&pem), 0600, NULL), RC_OK);
	}
}

static size_t
in_force(const struct lab *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->works.set->slots; i++)
		n += l->works.set->slot[i]->state == CREDENTIAL_READY;
	return n;
}

/* Those that cannot be put away keep nobody from the others, and the builder from nothing. */
static void
behind_those_that_fail(void **state)
{
	struct lab l;

	(void)state;
	lab_open(&l, &(struct start){ .parent = true });
	many_tenants(&l);
	bworld_tenant("acme", NULL);
	assert_int_equal(works_load(&l.works, now, NULL), RC_OK);
	assert_int_equal(in_force(&l), MANY);
	l.world.publish_rc = RC_HSM;
	assert_null(publish(
	    &l, PARENT_URL, &(struct crllab_spec){ .entry = { { .serial = "77" } } }, now));
	assert_int_equal(in_force(&l), MANY);
	assert_int_equal(l.works.crl_at_s, now + REVOKE_RETRY_S);
	l.world.publish_rc = RC_OK;
	l.works.revoke_at_s = INT64_MAX; /* the look alone */
	assert_int_equal(crl_look(&l.works, now), now + REVOKE_RETRY_S);
	assert_int_equal(in_force(&l), CRL_HITS_MAX);
	assert_int_equal(l.works.set->slot[MANY - 1]->state, CREDENTIAL_REVOKED);
	assert_int_equal(crl_look(&l.works, now), now + CRL_LOOK_S);
	assert_int_equal(in_force(&l), 0);
	lab_close(&l);
}

/* crl_unavailable = alarm puts it in force, refuse waits for the list, which is fetched. */
static void
where_the_list_is_missing(void **state)
{
	static const struct start s = { .url = NULL, .keys = "crl_unavailable = \"refuse\"\n" };
	struct lab l;
	struct fault f = { 0 };

	(void)state;
	lab_open(&l, &direct);
	assert_int_equal(install(&l, "12", now, &f), RC_OK);
	lab_close(&l);

	lab_open(&l, &s);
	crllab_points(&l.points, URL, NULL, CRLLAB_PLAIN);
	assert_int_equal(install(&l, "12", now, &f), RC_BUSY);
	assert_string_equal(f.reason, "crl_missing");
	assert_int_equal(only(&l)->state, CREDENTIAL_READY); /* as it was */
	(void)works_chores(&l.works, now + CRL_LOOK_S);	     /* nor is it forgotten by that */
	assert_null(publish(&l, URL, &(struct crllab_spec){ .number = 1 }, now + CRL_LOOK_S));
	assert_int_equal(install(&l, "12", now + CRL_LOOK_S, &f), RC_OK);
	(void)works_chores(&l.works, now + CRL_HELD_S + CRL_LOOK_S);
	assert_int_equal(l.works.crls->len, 1); /* it is in force now */
	lab_close(&l);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(wrongs) + 40];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(asked_for_and_well),
		cmocka_unit_test(found_while_in_force),
		cmocka_unit_test(reason_of_a_ca),
		cmocka_unit_test(found_on_a_list_that_is_over),
		cmocka_unit_test(never_older_also_after_a_start),
		cmocka_unit_test(octets_of_nobody),
		cmocka_unit_test(kept_back),
		cmocka_unit_test(over_and_not_had_again),
		cmocka_unit_test(of_a_ca_in_between),
		cmocka_unit_test(of_an_indirect_issuer),
		cmocka_unit_test(of_an_issuer_that_is_not_known),
		cmocka_unit_test(of_an_issuer_that_is_withdrawn),
		cmocka_unit_test(not_to_be_fetched),
		cmocka_unit_test(at_an_http_url),
		cmocka_unit_test(switched_off),
		cmocka_unit_test(refused_when_revoked),
		cmocka_unit_test(the_one_before),
		cmocka_unit_test(where_the_list_is_missing),
		cmocka_unit_test(same_serial_of_two_cas),
		cmocka_unit_test(of_one_kind_of_two),
		cmocka_unit_test(numbered_anew),
		cmocka_unit_test(more_octets_than_there_is_room),
		cmocka_unit_test(more_lists_than_there_is_room),
		cmocka_unit_test(left_by_nobody),
		cmocka_unit_test(over_and_still_named),
		cmocka_unit_test(left_by_too_many),
		cmocka_unit_test(each_in_its_turn),
		cmocka_unit_test(less_and_less_often),
		cmocka_unit_test(asked_anew_when_it_was_mended),
		cmocka_unit_test(not_asked_anew_when_it_is_well),
		cmocka_unit_test(swept_behind_what_is_listed),
		cmocka_unit_test(a_clock_set_back),
		cmocka_unit_test(no_disk_takes_the_record),
		cmocka_unit_test(behind_those_that_fail),
	};
	size_t n = 0;

	ROWS(tests, n, wrongs, one_wrong);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		tests[n++] = others[i];
	return _cmocka_run_group_tests("crl_ops", tests, n, NULL, NULL);
}
