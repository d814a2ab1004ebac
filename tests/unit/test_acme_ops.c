/* The renewer's operations: members, URLs, tokens, octets; and what the good ones sign. */
#include "agent/front/acme_ops.h"

#include <stdio.h>
#include <unistd.h>

#include "agent/front/ordered.h"
#include "agent/front/pending.h"
#include "agent/front/plan.h"
#include "agent/front/store.h"
#include "pkcs11/frame.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "stir/tnauth.h"
#include "tests/unit/bworld.h"
#include "tests/unit/cm.h"

static const int64_t now = PKI_NOW;

static const char acme[] =
    "numbers = { \"12025550100\", \"12025550110-12025550119\" }\n" BWORLD_DELEGATE("vesper-06",
	"identity_max_bytes = 8192 claim_agent = \"claims\"\n"
	"constraints { form = \"enhanced\" must_exclude = { \"msgi\" } }");
static const char plain[] =
    "numbers = { \"13035550100\" }\n" BWORLD_DELEGATE("atis-delegate", "");
static const char provider[] =
    "numbers = { \"14045550100\" }\n"
    "credential \"main\" { profile = \"shaken-sp\" spc = \"1234\" token = \"main\"\n"
    "  ca = \"second\" authority = \"numbers\" x5u = \"https://127.1.2.3:8443/c/\" }\n";
static const char bound[] =
    "numbers = { \"16065550100\" }\n"
    "credential \"main\" { profile = \"domain\" token = \"main\" ca = \"named\"\n"
    "  authority = \"numbers\" x5u = \"https://SIP.example.net:8443/c/\" }\n"
    "credential \"far\" { profile = \"domain\" token = \"main\" ca = \"lab\"\n"
    "  authority = \"numbers\" x5u = \"https://sip.example.net/c/\" }\n"
    "credential \"hand\" { profile = \"domain\" token = \"main\"\n"
    "  x5u = \"https://sip.example.net/c/\" }\n"
    "credential \"loose\" { profile = \"atis-delegate\" token = \"main\" ca = \"named\"\n"
    "  authority = \"numbers\" x5u = \"https://sip.example.net/c/\" }\n";
static const char disabled[] =
    "enabled = no numbers = { \"15055550100\" }\n" BWORLD_DELEGATE("atis-delegate", "");

struct lab {
	struct bworld world;
	struct works works;
	/* Texts that rows put in for @T, @C, @W, @J */
	char tnauth[256], constraints[256], wider[256], token[4096], spc[64];
};

static void
b64_text(char *out, size_t size, struct span in)
{
	AUTO_BUF text = BUF_INIT(65536);

	b64_encode(&text, B64_URL, in);
	assert_true(text.len < size);
	memcpy(out, buf_text(&text), text.len + 1);
}

static json_t *
ask(struct lab *l, const char *text)
{
	json_auto_t *msg = NULL;
	json_t *out = NULL;
	struct fault f = { 0 };
	int64_t again_s = 0;

	if (jtext_read(span_str(text), &msg, &f) != RC_OK)
		fail_msg("%s: %s", f.detail, text);
	ops_answer(&l->works, msg, now, &out, &again_s);
	assert_non_null(out);
	assert_int_equal(again_s, 0);
	return out;
}

static bool
is_ok(const json_t *answer)
{
	return json_is_true(json_object_get(answer, "ok"));
}

static json_t *
ask_good(struct lab *l, const char *text)
{
	json_t *answer = ask(l, text);

	if (!is_ok(answer))
		fail_msg("%s: %s", json_string_value(json_object_get(answer, "reason")),
		    json_string_value(json_object_get(answer, "detail")));
	return answer;
}

static const char *
text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	assert_non_null(text);
	return text;
}

/* ---- an authority token for this account ---- */

static void
make_token(const char *fingerprint, bool ca, char *out, size_t size)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	AUTO_BUF jwt = BUF_INIT(8192), payload = BUF_INIT(8192);

	buf_printf(&payload,
	    "{\"atc\":{\"ca\":%s,\"fingerprint\":\"%s\",\"tktype\":\"TNAuthList\",",
	    ca ? "true" : "false", fingerprint);
	buf_printf(&payload, "\"tkvalue\":\"MAigBhYEMTIzNA\"},\"exp\":%lld,\"jti\":\"1\"}",
	    (long long)now + 600);
	pki_jws(&jwt, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x5u\":\"https://a.example/c\"}",
	    buf_text(&payload), key);
	assert_true(jwt.len < size);
	memcpy(out, buf_text(&jwt), jwt.len + 1);
}

static void
lab_texts(struct lab *l)
{
	AUTO_BUF tnauth = BUF_INIT(4096), constraints = BUF_INIT(4096), spc = BUF_INIT(64);
	struct constraints wide = { .form = CONSTRAINTS_ENHANCED };
	char *name = strdup("rcd");
	json_auto_t *account = ask_good(l, "{\"id\":1,\"op\":\"account\",\"ca\":\"lab\"}");
	struct credset_place at;

	bworld_tnauth(&tnauth, "12025550100,12025550110-12025550119");
	b64_text(l->tnauth, sizeof l->tnauth, buf_view(&tnauth));
	assert_true(credset_find(l->works.set, "acme", "main", &at));
	assert_int_equal(constraints_encode(
			     &constraints, credset_config(l->works.set, at)->constraints, NULL),
	    RC_OK);
	b64_text(l->constraints, sizeof l->constraints, buf_view(&constraints));
	wide.must_include = &name;
	wide.must_includes = 1;
	buf_clear(&constraints);
	assert_int_equal(constraints_encode(&constraints, &wide, NULL), RC_OK);
	b64_text(l->wider, sizeof l->wider, buf_view(&constraints));
	free(name);
	pki_tnauth_spc(&spc, "1234");
	b64_text(l->spc, sizeof l->spc, buf_view(&spc));
	make_token(text_of(account, "jwk_fingerprint"), false, l->token, sizeof l->token);
}

static int
open_lab(void **state)
{
	struct lab *l = calloc(1, sizeof *l);

	assert_non_null(l);
	bworld_open(&l->world);
	bworld_tenant("acme", acme);
	bworld_tenant("beta", plain);
	bworld_tenant("carrier", provider);
	bworld_tenant("off", disabled);
	bworld_works(&l->world, &l->works, now);
	lab_texts(l);
	*state = l;
	return 0;
}

static int
close_lab(void **state)
{
	struct lab *l = *state;

	works_done(&l->works);
	bworld_tenant("edge", NULL);
	bworld_close(&l->world);
	free(l);
	return 0;
}

/* @T TNAuthList of acme, @C its constraints, @W wider ones, @J a token, @S an SPC's list */
static void
fill(const struct lab *l, const char *text, struct buf *out)
{
	for (; *text != 0; text++) {
		const char *with = NULL;

		if (*text == '@') {
			switch (*++text) {
			case 'T': with = l->tnauth; break;
			case 'C': with = l->constraints; break;
			case 'W': with = l->wider; break;
			case 'J': with = l->token; break;
			case 'S': with = l->spc; break;
			default: fail_msg("@%c", *text);
			}
			buf_str(out, with);
			continue;
		}
		buf_byte(out, *text == '\'' ? '"' : (uint8_t)*text);
	}
}

static json_t *
ask_filled(struct lab *l, const char *text)
{
	AUTO_BUF msg = BUF_INIT(65536);

	fill(l, text, &msg);
	return ask(l, buf_text(&msg));
}

/* ---- what is refused ---- */

#define NONCE_URL "'nonce':'abc-_9','url':'https://127.1.2.3:14000/x'"
#define ACME(op) \
	"{'id':1,'op':'" op "','ca':'lab','kid':'https://127.1.2.3:14000/a/1'," NONCE_URL
#define OF_ACME "'tenant':'acme','name':'main'"

static const struct {
	const char *name, *text, *reason;
} bad[] = {
	{ "no operation", "{'id':1}", "not_found" },
	{ "unknown operation", "{'id':1,'op':'sign'}", "not_found" },
	{ "operation of another type", "{'id':1,'op':7}", "not_found" },
	{ "no id", "{'op':'plan'}", "invalid_member" },
	{ "id of another type", "{'id':'1','op':'plan'}", "invalid_member" },
	{ "unknown member", "{'id':1,'op':'plan','before':'a/b'}", "unknown_member" },
	{ "after of another type", "{'id':1,'op':'plan','after':7}", "invalid_member" },
	{ "after without a slash", "{'id':1,'op':'plan','after':'acme'}", "invalid_member" },
	{ "after without a tenant", "{'id':1,'op':'plan','after':'/main'}", "invalid_member" },

	{ "account, no CA", "{'id':1,'op':'account'}", "missing_member" },
	{ "account, unknown CA", "{'id':1,'op':'account','ca':'evil'}", "no_ca" },
	{ "account, CA of another type", "{'id':1,'op':'account','ca':['lab']}",
	    "invalid_member" },
	{ "account, CA null", "{'id':1,'op':'account','ca':null}", "invalid_member" },

	{ "post-as-get, foreign url (RFC 8555 s6.4)",
	    "{'id':1,'op':'post-as-get','ca':'lab','kid':'https://127.1.2.3:14000/a/1',"
	    "'nonce':'n','url':'https://evil.example/x'}",
	    "url_origin" },
	{ "post-as-get, other port",
	    "{'id':1,'op':'post-as-get','ca':'lab','kid':'https://127.1.2.3:14000/a/1',"
	    "'nonce':'n','url':'https://127.1.2.3/x'}",
	    "url_origin" },
	{ "post-as-get, foreign kid",
	    "{'id':1,'op':'post-as-get','ca':'lab','kid':'https://evil.example/a/1',"
	    "'nonce':'n','url':'https://127.1.2.3:14000/x'}",
	    "url_origin" },
	{ "post-as-get, no kid", "{'id':1,'op':'post-as-get','ca':'lab'," NONCE_URL "}",
	    "missing_member" },
	{ "post-as-get, empty nonce",
	    "{'id':1,'op':'post-as-get','ca':'lab','kid':'https://127.1.2.3:14000/a/1',"
	    "'nonce':'','url':'https://127.1.2.3:14000/x'}",
	    "invalid_member" },
	{ "post-as-get, nonce with other characters (RFC 8555 s6.5.1)",
	    "{'id':1,'op':'post-as-get','ca':'lab','kid':'https://127.1.2.3:14000/a/1',"
	    "'nonce':'a b','url':'https://127.1.2.3:14000/x'}",
	    "invalid_member" },
	{ "post-as-get with a payload", ACME("post-as-get") ",'payload':'x'}",
	    "unknown_member" },
	{ "post-as-get, no account yet",
	    "{'id':1,'op':'post-as-get','ca':'second','kid':'https://ca.example/a',"
	    "'nonce':'n','url':'https://ca.example/x'}",
	    "no_account" },

	{ "new-account, only_existing of another type",
	    "{'id':1,'op':'new-account','ca':'lab'," NONCE_URL ",'eab':null,'only_existing':1}",
	    "invalid_member" },
	{ "new-account, eab is text",
	    "{'id':1,'op':'new-account','ca':'lab'," NONCE_URL
	    ",'eab':'x','only_existing':false}",
	    "invalid_member" },
	{ "new-account, eab is empty",
	    "{'id':1,'op':'new-account','ca':'lab'," NONCE_URL
	    ",'eab':{},'only_existing':false}",
	    "eab" },
	{ "new-account, a kid is given",
	    "{'id':1,'op':'new-account','ca':'lab','kid':'https://127.1.2.3:14000/a/"
	    "1'," NONCE_URL ",'eab':null,'only_existing':false}",
	    "unknown_member" },
	{ "new-account, foreign url",
	    "{'id':1,'op':'new-account','ca':'lab','nonce':'n','url':'https://evil.example/',"
	    "'eab':null,'only_existing':false}",
	    "url_origin" },

	{ "new-order, no TNAuthList", ACME("new-order") "," OF_ACME ",'constraints':'@C'}",
	    "missing_member" },
	{ "new-order, constraints absent", ACME("new-order") "," OF_ACME ",'tnauthlist':'@T'}",
	    "missing_member" },
	{ "new-order, no constraints where some are configured",
	    ACME("new-order") "," OF_ACME ",'tnauthlist':'@T','constraints':null}",
	    "constraints_wider" },
	{ "new-order, wider constraints",
	    ACME("new-order") "," OF_ACME ",'tnauthlist':'@T','constraints':'@W'}",
	    "constraints_wider" },
	{ "new-order, constraints that do not decode",
	    ACME("new-order") "," OF_ACME ",'tnauthlist':'@T','constraints':'AAAA'}",
	    "der_tag" },
	{ "new-order, other numbers",
	    ACME("new-order") "," OF_ACME ",'tnauthlist':'@S','constraints':'@C'}",
	    "tnauthlist_not_wanted" },
	{ "new-order, TNAuthList in the other alphabet",
	    ACME("new-order") "," OF_ACME ",'tnauthlist':'ab+/','constraints':'@C'}",
	    "invalid_member" },
	{ "new-order, empty TNAuthList",
	    ACME("new-order") "," OF_ACME ",'tnauthlist':'','constraints':'@C'}",
	    "invalid_member" },
	{ "new-order, constraints where none are configured",
	    ACME("new-order") ",'tenant':'beta','name':'main','tnauthlist':"
			      "'MA-iDRYLMTMwMzU1NTAxMDA','constraints':'@C'}",
	    "constraints_not_wanted" },
	{ "new-order, unknown tenant",
	    ACME("new-order") ",'tenant':'nobody','name':'main','tnauthlist':'@T',"
			      "'constraints':'@C'}",
	    "no_credential" },
	{ "new-order, unknown credential",
	    ACME("new-order") ",'tenant':'acme','name':'x','tnauthlist':'@T',"
			      "'constraints':'@C'}",
	    "no_credential" },
	{ "new-order, a path for a name",
	    ACME("new-order") ",'tenant':'../acme','name':'main','tnauthlist':'@T',"
			      "'constraints':'@C'}",
	    "no_credential" },
	{ "new-order, another CA's credential",
	    ACME("new-order") ",'tenant':'carrier','name':'main','tnauthlist':'@S',"
			      "'constraints':null}",
	    "ca_not_of_credential" },
	{ "new-order, disabled tenant",
	    ACME("new-order") ",'tenant':'off','name':'main','tnauthlist':'@T',"
			      "'constraints':null}",
	    "tenant_disabled" },
	{ "new-order, a lifetime of the renewer's",
	    ACME("new-order") "," OF_ACME
			      ",'tnauthlist':'@T','constraints':'@C','not_after':1800003600}",
	    "unknown_member" },
	{ "new-order, a profile of the renewer's",
	    ACME("new-order") "," OF_ACME
			      ",'tnauthlist':'@T','constraints':'@C','profile':'long'}",
	    "unknown_member" },
	{ "new-order, replaces what is not in force (RFC 9773 s5)",
	    ACME("new-order") "," OF_ACME
			      ",'tnauthlist':'@T','constraints':'@C','replaces':'abc.def'}",
	    "invalid_member" },

	{ "challenge, of a domain where none is proven", ACME("challenge") ",'token':null}",
	    "invalid_member" },
	{ "challenge, no token", ACME("challenge") "}", "missing_member" },
	{ "challenge, no JWT", ACME("challenge") ",'token':'abc'}", NULL },
	{ "challenge, empty", ACME("challenge") ",'token':''}", NULL },

	{ "csr, other numbers",
	    "{'id':1,'op':'csr'," OF_ACME ",'tnauthlist':'@S','constraints':'@C'}",
	    "tnauthlist_not_wanted" },
	{ "csr, wider constraints",
	    "{'id':1,'op':'csr'," OF_ACME ",'tnauthlist':'@T','constraints':'@W'}",
	    "constraints_wider" },
	{ "csr, a key is given",
	    "{'id':1,'op':'csr'," OF_ACME ",'tnauthlist':'@T','constraints':'@C','key':'x'}",
	    "unknown_member" },
	{ "finalize, nothing outstanding", ACME("finalize") "," OF_ACME "}", "no_pending_csr" },
	{ "finalize, a CSR is given", ACME("finalize") "," OF_ACME ",'csr':'AAAA'}",
	    "unknown_member" },
	{ "finalize, another CA's credential",
	    ACME("finalize") ",'tenant':'carrier','name':'main'}", "ca_not_of_credential" },
	{ "install, no chain", "{'id':1,'op':'install'," OF_ACME "}", "missing_member" },
	{ "install, nothing outstanding", "{'id':1,'op':'install'," OF_ACME ",'chain':'x'}",
	    "no_pending_csr" },
	{ "install, unknown credential",
	    "{'id':1,'op':'install','tenant':'acme','name':'y','chain':'x'}", "no_credential" },
	{ "schedule, renew_at as text",
	    "{'id':1,'op':'schedule'," OF_ACME ",'renew_at':'soon','problem':null}",
	    "invalid_member" },
	{ "schedule, no problem", "{'id':1,'op':'schedule'," OF_ACME ",'renew_at':7}",
	    "missing_member" },
	{ "account-word, unknown CA", "{'id':1,'op':'account-word','ca':'x','problem':null}",
	    "no_ca" },
	{ "account-word, no problem", "{'id':1,'op':'account-word','ca':'lab'}",
	    "missing_member" },
	{ "schedule, a step that is a sentence",
	    "{'id':1,'op':'schedule'," OF_ACME
	    ",'renew_at':7,'problem':null,'step':'in force!'}",
	    "invalid_member" },
	{ "schedule, an empty step",
	    "{'id':1,'op':'schedule'," OF_ACME ",'renew_at':7,'problem':null,'step':''}",
	    "invalid_member" },
	{ "schedule, a step without end",
	    "{'id':1,'op':'schedule'," OF_ACME
	    ",'renew_at':7,'problem':null,'step':'abcdefghijklmnopqrstuvwxyz-abcdef'}",
	    "invalid_member" },
	{ "schedule, fewer attempts than none",
	    "{'id':1,'op':'schedule'," OF_ACME ",'renew_at':7,'problem':null,'attempts':-1}",
	    "invalid_member" },
	{ "schedule, refusals beyond all counting",
	    "{'id':1,'op':'schedule'," OF_ACME
	    ",'renew_at':7,'problem':null,'refusals':4294967296}",
	    "invalid_member" },
	{ "schedule, unknown credential",
	    "{'id':1,'op':'schedule','tenant':'x','name':'y','renew_at':7,'problem':null}",
	    "no_credential" },
};

/* No refusal reaches the token: not one key more, and it answers nothing at all. */
static void
refused(void **state)
{
	struct lab *l = *state;
	size_t keys = softadmin_keys(l->world.admin);

	softadmin_fail(l->world.admin, FRAME_REBUILD);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_auto_t *answer = ask_filled(l, bad[i].text);

		if (is_ok(answer))
			fail_msg("%s: not refused", bad[i].name);
		if (bad[i].reason != NULL &&
		    strcmp(text_of(answer, "reason"), bad[i].reason) != 0)
			fail_msg("%s: %s instead of %s (%s)", bad[i].name,
			    text_of(answer, "reason"), bad[i].reason,
			    text_of(answer, "detail"));
	}
	softadmin_fail(l->world.admin, 0);
	assert_int_equal(softadmin_keys(l->world.admin), keys);
}

/* Every member of every operation, left out and of another type, and one too many. */
static void
every_member_counts(void **state)
{
	static const char *const good[] = {
		"{'id':1,'op':'account','ca':'lab'}",
		"{'id':1,'op':'new-account','ca':'lab'," NONCE_URL
		",'eab':null,'only_existing':false}",
		ACME("new-order") "," OF_ACME ",'tnauthlist':'@T','constraints':'@C'}",
		ACME("challenge") ",'token':'@J'}",
		"{'id':1,'op':'csr'," OF_ACME ",'tnauthlist':'@T','constraints':'@C'}",
		ACME("finalize") "," OF_ACME "}",
		ACME("post-as-get") "}",
		"{'id':1,'op':'schedule'," OF_ACME ",'renew_at':7,'problem':null}",
	};
	struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		AUTO_BUF text = BUF_INIT(65536);
		json_auto_t *whole = NULL, *fine = ask_filled(l, good[i]);
		const char *name;
		json_t *value;

		if (!is_ok(fine))
			fail_msg("%s: %s", good[i], text_of(fine, "reason"));
		fill(l, good[i], &text);
		assert_int_equal(jtext_read(buf_view(&text), &whole, NULL), RC_OK);
		json_object_foreach (whole, name, value) {
			json_auto_t *less = json_copy(whole), *other = json_copy(whole);
			json_t *answer = NULL;
			int64_t again_s;

			json_object_del(less, name);
			ops_answer(&l->works, less, now, &answer, &again_s);
			assert_false(is_ok(answer));
			json_decref(answer);
			json_object_set_new(other, name, json_array());
			ops_answer(&l->works, other, now, &answer, &again_s);
			assert_false(is_ok(answer));
			json_decref(answer);
		}
	}
}

/* ---- what is signed ---- */

struct signed_jws {
	json_t *header, *payload; /* payload NULL: the empty one */
};

static void
signed_done(struct signed_jws *s)
{
	json_decref(s->header);
	json_decref(s->payload);
}

/* Verified with the account's key, header and payload taken apart. */
static struct signed_jws
open_jws(struct lab *l, const json_t *answer, const char *ca)
{
	const json_t *jws = json_object_get(answer, "jws");
	const char *header = text_of(jws, "protected"), *payload = text_of(jws, "payload");
	AUTO_BUF input = BUF_INIT(262144), sig = BUF_INIT(100), h = BUF_INIT(65536),
		 p = BUF_INIT(262144);
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	struct signed_jws out = { NULL, NULL };

	assert_int_equal(json_object_size(jws), 3);
	assert_int_equal(
	    p256_from_point(accounts_find(&l->works.accounts, ca)->point, &key, NULL), RC_OK);
	buf_str(&input, header);
	buf_byte(&input, '.');
	buf_str(&input, payload);
	assert_int_equal(
	    b64_decode(&sig, B64_URL, span_str(text_of(jws, "signature")), NULL), RC_OK);
	assert_int_equal(es256_verify(key, buf_view(&input), buf_view(&sig), NULL), RC_OK);
	assert_int_equal(b64_decode(&h, B64_URL, span_str(header), NULL), RC_OK);
	assert_int_equal(jtext_read(buf_view(&h), &out.header, NULL), RC_OK);
	assert_string_equal(text_of(out.header, "alg"), "ES256");
	assert_string_equal(text_of(out.header, "nonce"), "abc-_9");
	assert_int_equal(json_object_size(out.header), 4);
	assert_int_equal(b64_decode(&p, B64_URL, span_str(payload), NULL), RC_OK);
	if (p.len > 0)
		assert_int_equal(jtext_read(buf_view(&p), &out.payload, NULL), RC_OK);
	return out;
}
#define AUTO_SIGNED __attribute__((cleanup(signed_done))) struct signed_jws

static void
expect_json(const json_t *got, const char *text)
{
	json_auto_t *want = NULL;
	AUTO_BUF quoted = BUF_INIT(65536), shown = BUF_INIT(65536);

	for (; *text != 0; text++)
		buf_byte(&quoted, *text == '\'' ? '"' : (uint8_t)*text);
	assert_int_equal(jtext_read(buf_view(&quoted), &want, NULL), RC_OK);
	assert_int_equal(jtext_write(&shown, got, NULL), RC_OK);
	if (!json_equal(got, want))
		fail_msg("%s", buf_text(&shown));
}

static void
accounts(void **state)
{
	struct lab *l = *state;
	json_auto_t *one = ask_filled(l, "{'id':7,'op':'account','ca':'lab'}");
	json_auto_t *two = ask_filled(l, "{'id':7,'op':'account','ca':'lab'}");
	json_auto_t *other = ask_filled(l, "{'id':7,'op':'account','ca':'second'}");
	uint8_t point[65], hash[32];
	char text[FINGERPRINT_TEXT];
	struct works again;

	assert_true(json_equal(one, two));
	assert_false(json_equal(one, other));
	assert_int_equal(json_integer_value(json_object_get(one, "id")), 7);
	assert_int_equal(softadmin_keys(l->world.admin), 2);
	assert_int_equal(jwk_point(json_object_get(one, "jwk"), point, NULL), RC_OK);
	jwk_thumbprint(point, hash);
	fingerprint_text(hash, text);
	assert_string_equal(text_of(one, "jwk_fingerprint"), text);
	assert_string_not_equal(text_of(one, "spki_fingerprint"), text);
	/* A restart finds them. */
	bworld_works(&l->world, &again, now);
	assert_int_equal(again.accounts.len, 2);
	assert_memory_equal(accounts_find(&again.accounts, "lab")->point, point, 65);
	works_done(&again);
}

/* Every operation of that CA is refused; none makes an account in its place. */
static void
a_damaged_account(void **state)
{
	static const char *const texts[] = {
		"{'id':1,'op':'account','ca':'lab'}",
		"{'id':1,'op':'new-account','ca':'lab'," NONCE_URL
		",'eab':null,'only_existing':false}",
		ACME("new-order") "," OF_ACME ",'tnauthlist':'@T','constraints':'@C'}",
		ACME("challenge") ",'token':'@J'}",
		ACME("finalize") "," OF_ACME "}",
		ACME("post-as-get") "}",
	};
	struct lab *l = *state;
	size_t keys = softadmin_keys(l->world.admin);

	bworld_file("state/front/accounts/lab.json", "{");
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_auto_t *no = ask_filled(l, texts[i]);

		assert_false(is_ok(no));
		assert_string_equal(text_of(no, "reason"), "account_file");
		assert_non_null(strstr(text_of(no, "detail"), "state/front/accounts/lab.json"));
	}
	assert_int_equal(softadmin_keys(l->world.admin), keys);
	json_decref(ask_filled(l, "{'id':7,'op':'account','ca':'second'}"));
	bworld_file("state/front/accounts/lab.json", NULL);
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	json_decref(ask_filled(l, "{'id':7,'op':'account','ca':'lab'}"));
}

static void
new_account(void **state)
{
	struct lab *l = *state;
	json_auto_t *answer = ask_filled(l, "{'id':1,'op':'new-account','ca':'lab'," NONCE_URL
					    ",'eab':null,'only_existing':true}");
	AUTO_SIGNED s = open_jws(l, answer, "lab");
	json_auto_t *jwk = jwk_of_point(accounts_find(&l->works.accounts, "lab")->point);

	assert_true(json_equal(json_object_get(s.header, "jwk"), jwk));
	expect_json(s.payload, "{'onlyReturnExisting':true,'termsOfServiceAgreed':true,"
			       "'contact':['mailto:noc@example.net']}");
}

enum eab_spoil {
	EAB_GOOD,
	EAB_ALG,
	EAB_KID,
	EAB_URL,
	EAB_NONCE,
	EAB_KEY,
	EAB_SHORT,
	EAB__COUNT
};

static void
put_b64(json_t *o, const char *name, const char *text)
{
	char b64[2048];

	b64_text(b64, sizeof b64, span_str(text));
	json_object_set_new(o, name, json_string(b64));
}

static json_t *
make_eab(struct lab *l, enum eab_spoil how)
{
	const struct account *a = accounts_find(&l->works.accounts, "lab");
	json_t *eab = json_object();
	AUTO_BUF jwk = BUF_INIT(4096);
	json_auto_t *key = jwk_of_point(a->point);
	char header[512];

	snprintf(header, sizeof header,
	    "{\"alg\":\"%s\",\"kid\":\"%s\",\"url\":\"https://127.1.2.3:14000/%s\"%s}",
	    how == EAB_ALG ? "ES256" : "HS256", how == EAB_KID ? "other" : "platform-1",
	    how == EAB_URL ? "y" : "x", how == EAB_NONCE ? ",\"nonce\":\"n\"" : "");
	put_b64(eab, "protected", header);
	if (how == EAB_KEY)
		json_object_set_new(key, "kid", json_string("more"));
	assert_int_equal(jtext_write(&jwk, key, NULL), RC_OK);
	put_b64(eab, "payload", buf_text(&jwk));
	put_b64(
	    eab, "signature", how == EAB_SHORT ? "short" : "01234567890123456789012345678901");
	return eab;
}

/* RFC 8555 s7.3.4 */
static void
external_account_binding(void **state)
{
	struct lab *l = *state;

	for (enum eab_spoil how = EAB_GOOD; how < EAB__COUNT; how++) {
		json_auto_t *msg = json_pack("{s:i,s:s,s:s,s:s,s:s,s:o,s:b}", "id", 1, "op",
		    "new-account", "ca", "lab", "nonce", "abc-_9", "url",
		    "https://127.1.2.3:14000/x", "eab", make_eab(l, how), "only_existing", 0);
		json_t *got = NULL;
		int64_t again_s;

		ops_answer(&l->works, msg, now, &got, &again_s);
		if (how == EAB_GOOD) {
			AUTO_SIGNED s = open_jws(l, got, "lab");

			assert_true(
			    json_equal(json_object_get(s.payload, "externalAccountBinding"),
				json_object_get(msg, "eab")));
		} else {
			assert_false(is_ok(got));
			assert_string_equal(text_of(got, "reason"), "eab");
		}
		json_decref(got);
	}
}

/* RFC 8555 s6.2, RFC 9448 s3 */
static void
new_order(void **state)
{
	struct lab *l = *state;
	json_auto_t *answer =
	    ask_filled(l, ACME("new-order") "," OF_ACME ",'tnauthlist':'@T','constraints':'@C',"
					    "'replaces':null}");
	AUTO_SIGNED s = open_jws(l, answer, "lab");
	AUTO_BUF want = BUF_INIT(8192);

	assert_string_equal(text_of(s.header, "kid"), "https://127.1.2.3:14000/a/1");
	fill(l,
	    "{'identifiers':[{'type':'TNAuthList','value':'@T'},"
	    "{'type':'EnhancedJWTClaimConstraints','value':'@C'}]}",
	    &want);
	expect_json(s.payload, buf_text(&want));
	assert_int_not_equal(access("state/front/tenants/acme/main/ordered.json", F_OK), 0);
}

/* RFC 8555 s7.1.3: chosen by the configuration, and noted before anything is signed */
static void
dates_of_an_order(void **state)
{
	static const char order[] = ACME("new-order") ",'tenant':'beta','name':'main',"
						      "'tnauthlist':'MA-iDRYLMTMwMzU1NTAxMDA',"
						      "'constraints':null}";
	struct lab *l = *state;
	json_auto_t *answer = NULL;
	struct ordered o = { 0 };

	bworld_tenant("beta", "numbers = { \"13035550100\" }\n" BWORLD_DELEGATE("atis-delegate",
				  "renew_lifetime_s = 3600 renew_backdate_s = 60"));
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	answer = ask_filled(l, order);
	{
		AUTO_SIGNED s = open_jws(l, answer, "lab");

		expect_json(s.payload,
		    "{\"identifiers\":[{\"type\":\"TNAuthList\",\"value\":"
		    "\"MA-iDRYLMTMwMzU1NTAxMDA\"}],\"notBefore\":\"2027-01-15T07:59:00Z\","
		    "\"notAfter\":\"2027-01-15T09:00:00Z\"}");
	}
	assert_int_equal(ordered_read(l->works.set->config, "beta", "main", &o, NULL), RC_OK);
	assert_int_equal(o.not_before_s, now - 60);
	assert_int_equal(o.not_after_s, now + 3600);
}

/* RFC 9448 s3, D-27; no token for a CA (RFC 9060 s8) */
static void
challenge(void **state)
{
	struct lab *l = *state;
	json_auto_t *answer = ask_filled(l, ACME("challenge") ",'token':'@J'}");
	AUTO_SIGNED s = open_jws(l, answer, "lab");
	json_auto_t *account = ask_filled(l, "{'id':1,'op':'account','ca':'second'}");
	AUTO_BUF text = BUF_INIT(8192);

	assert_int_equal(json_object_size(s.payload), 1);
	assert_string_equal(text_of(s.payload, "tkauth"), l->token);
	/* The second CA knows another account: this token is not for it. */
	fill(l,
	    "{'id':1,'op':'challenge','ca':'second','kid':'https://ca.example/a',"
	    "'nonce':'abc-_9','url':'https://ca.example/c','token':'@J'}",
	    &text);
	{
		json_auto_t *foreign = ask(l, buf_text(&text));

		assert_string_equal(text_of(foreign, "reason"), "authtoken_fingerprint");
	}
	/* The other form of fingerprint, and the CA that wants both members. */
	make_token(text_of(account, "spki_fingerprint"), false, l->token, sizeof l->token);
	{
		json_auto_t *both = ask_filled(l,
		    "{'id':1,'op':'challenge','ca':'second','kid':'https://ca.example/a',"
		    "'nonce':'abc-_9','url':'https://ca.example/c','token':'@J'}");
		AUTO_SIGNED b = open_jws(l, both, "second");

		assert_int_equal(json_object_size(b.payload), 2);
		assert_string_equal(text_of(b.payload, "atc"), l->token);
	}
	make_token(text_of(account, "jwk_fingerprint"), true, l->token, sizeof l->token);
	{
		json_auto_t *ca = ask_filled(l,
		    "{'id':1,'op':'challenge','ca':'second','kid':'https://ca.example/a',"
		    "'nonce':'abc-_9','url':'https://ca.example/c','token':'@J'}");

		assert_string_equal(text_of(ca, "reason"), "authtoken_ca");
	}
}

/* Of a CA whose section says by which names it knows what others know by another. */
#define OF_OLD(op) \
	"{'id':1,'op':'" op "','ca':'old','kid':'https://127.1.2.3:14000/a/7'," NONCE_URL
#define OLD_TENANT(form) \
	"numbers = { \"16065550100\" }\n" \
	"credential \"main\" { profile = \"atis-delegate\" token = \"main\" ca = \"old\"\n" \
	"  authority = \"numbers\" claim_agent = \"claims\" x5u = \"https://a.example/c/\"\n" \
	"  constraints { form = \"" form "\" must_include = { \"crn\" } } }\n"

static void
add_old_ca(struct lab *l)
{
	AUTO_BUF text = BUF_INIT(65536);
	json_auto_t *account = NULL;

	assert_int_equal(store_read("vesperd.conf", 65536, &text, NULL), RC_OK);
	buf_str(&text,
	    "ca \"old\" { directory = \"https://127.1.2.3:14000/directory\" token = \"main\"\n"
	    "  tkauth_response = \"atc\" constraints_type = \"OldType\"\n"
	    "  enhanced_type = \"NewType\" }\n");
	bworld_file("vesperd.conf", buf_text(&text));
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now);
	account = ask_good(l, "{\"id\":1,\"op\":\"account\",\"ca\":\"old\"}");
	make_token(text_of(account, "jwk_fingerprint"), false, l->token, sizeof l->token);
}

/* D-33: identifiers of constraints by the types of the CA's section. */
static void
types_of_constraints(void **state)
{
	static const struct {
		const char *tenant, *type;
	} rows[] = { { OLD_TENANT("jwt"), "OldType" }, { OLD_TENANT("enhanced"), "NewType" } };
	struct lab *l = *state;

	add_old_ca(l);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF want = BUF_INIT(4096), tnauth = BUF_INIT(4096);
		AUTO_BUF constraints = BUF_INIT(4096);
		json_auto_t *answer = NULL;
		struct credset_place at;
		char text[256];

		bworld_tenant("edge", rows[i].tenant);
		assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
		assert_true(credset_find(l->works.set, "edge", "main", &at));
		assert_int_equal(constraints_encode(&constraints,
				     credset_config(l->works.set, at)->constraints, NULL),
		    RC_OK);
		b64_text(l->constraints, sizeof l->constraints, buf_view(&constraints));
		bworld_tnauth(&tnauth, "16065550100");
		b64_text(l->tnauth, sizeof l->tnauth, buf_view(&tnauth));
		answer = ask_filled(l,
		    OF_OLD(
			"new-order") ",'tenant':'edge','name':'main',"
				     "'tnauthlist':'@T','constraints':'@C','replaces':null}");
		AUTO_SIGNED s = open_jws(l, answer, "old");

		snprintf(text, sizeof text,
		    "{'identifiers':[{'type':'TNAuthList','value':'@T'},"
		    "{'type':'%s','value':'@C'}]}",
		    rows[i].type);
		fill(l, text, &want);
		expect_json(s.payload, buf_text(&want));
	}
}

/* D-27: the name that older servers want, and no other beside it. */
static void
challenge_by_atc_alone(void **state)
{
	struct lab *l = *state;
	json_auto_t *answer = NULL;

	add_old_ca(l);
	answer = ask_filled(l, OF_OLD("challenge") ",'token':'@J'}");
	AUTO_SIGNED s = open_jws(l, answer, "old");

	assert_int_equal(json_object_size(s.payload), 1);
	assert_string_equal(text_of(s.payload, "atc"), l->token);
}

/* A tenant more, for these alone. */
static void
add_edge(struct lab *l, const char *text)
{
	json_auto_t *account = NULL;

	bworld_tenant("edge", text);
	works_done(&l->works);
	bworld_works(&l->world, &l->works, now);
	account = ask_good(l, "{\"id\":1,\"op\":\"account\",\"ca\":\"named\"}");
}

/* RFC 8555 s7.4, D-49: the host of x5u, where the CA's section says how it is proven or no server is asked. */
static void
domain_of_a_credential(void **state)
{
	static const struct {
		const char *name, *domain, *identifier;
	} rows[] = {
		{ "main", "sip.example.net", ",{'type':'dns','value':'sip.example.net'}" },
		{ "loose", NULL, "" },
		{ "far", NULL, NULL },
		{ "hand", "sip.example.net", NULL },
	};
	struct lab *l = *state;
	AUTO_BUF tnauth = BUF_INIT(4096);
	char b64[64];

	add_edge(l, bound);
	bworld_tnauth(&tnauth, "16065550100");
	b64_text(b64, sizeof b64, buf_view(&tnauth));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF text = BUF_INIT(4096), der = BUF_INIT(65536), want = BUF_INIT(4096);
		json_auto_t *csr = NULL, *order = NULL;
		struct csr_facts facts;

		buf_printf(&text,
		    "{'id':1,'op':'csr','tenant':'edge','name':'%s','tnauthlist':'%s',"
		    "'constraints':null}",
		    rows[i].name, b64);
		csr = ask_filled(l, buf_text(&text));
		assert_int_equal(
		    b64_decode(&der, B64_URL, span_str(text_of(csr, "csr")), NULL), RC_OK);
		assert_int_equal(csr_decode(buf_view(&der), &facts, NULL), RC_OK);
		if (rows[i].domain != NULL)
			assert_string_equal(facts.dns_name, rows[i].domain);
		else
			assert_null(facts.dns_name);
		csr_done(&facts);
		if (rows[i].identifier == NULL)
			continue;
		buf_clear(&text);
		buf_printf(&text,
		    "{'id':1,'op':'new-order','ca':'named','kid':'https://127.1.2.3:14000/a/"
		    "1'," NONCE_URL
		    ",'tenant':'edge','name':'%s','tnauthlist':'%s','constraints':null}",
		    rows[i].name, b64);
		order = ask_filled(l, buf_text(&text));
		{
			AUTO_SIGNED s = open_jws(l, order, "named");

			buf_printf(&want,
			    "{\"identifiers\":[{\"type\":\"TNAuthList\",\"value\":\"%s\"}",
			    b64);
			fill(l, rows[i].identifier, &want);
			buf_str(&want, "]}");
			expect_json(s.payload, buf_text(&want));
		}
	}
}

/* RFC 8555 s7.5.1: an empty object, for a CA that is shown domains and for no other. */
static void
domain_challenge(void **state)
{
	struct lab *l = *state;
	json_auto_t *made = ask_filled(l, "{'id':1,'op':'account','ca':'named'}");
	json_auto_t *answer =
	    ask_filled(l, "{'id':1,'op':'challenge','ca':'named','kid':'https://"
			  "127.1.2.3:14000/a/1'," NONCE_URL ",'token':null}");
	AUTO_SIGNED s = open_jws(l, answer, "named");

	assert_true(is_ok(made));
	assert_int_equal(json_object_size(s.payload), 0);
}

/* Another host is another request: what the CA is to bind is in it. */
static void
domain_changes(void **state)
{
	struct lab *l = *state;
	AUTO_BUF tnauth = BUF_INIT(4096), text = BUF_INIT(4096);
	json_auto_t *one = NULL, *two = NULL, *three = NULL;
	char b64[64];

	add_edge(l, bound);
	bworld_tnauth(&tnauth, "16065550100");
	b64_text(b64, sizeof b64, buf_view(&tnauth));
	buf_printf(&text,
	    "{'id':1,'op':'csr','tenant':'edge','name':'main','tnauthlist':'%s',"
	    "'constraints':null}",
	    b64);
	one = ask_filled(l, buf_text(&text));
	two = ask_filled(l, buf_text(&text));
	assert_string_equal(text_of(one, "csr"), text_of(two, "csr"));
	add_edge(l,
	    "numbers = { \"16065550100\" }\n"
	    "credential \"main\" { profile = \"domain\" token = \"main\" ca = \"named\"\n"
	    "  authority = \"numbers\" x5u = \"https://other.example.net/c/\" }\n");
	three = ask_filled(l, buf_text(&text));
	assert_string_not_equal(text_of(one, "csr"), text_of(three, "csr"));
}

static void
csr_and_finalize(void **state)
{
	struct lab *l = *state;
	static const char csr[] =
	    "{'id':1,'op':'csr'," OF_ACME ",'tnauthlist':'@T','constraints':'@C'}";
	json_auto_t *one = ask_filled(l, csr), *two = ask_filled(l, csr);
	json_auto_t *answer = ask_filled(l, ACME("finalize") "," OF_ACME "}");
	AUTO_SIGNED s = open_jws(l, answer, "lab");
	AUTO_BUF der = BUF_INIT(65536);
	struct csr_facts facts;

	assert_string_equal(text_of(one, "csr"), text_of(two, "csr"));
	assert_string_equal(text_of(one, "csr"), text_of(s.payload, "csr"));
	assert_int_equal(json_object_size(s.payload), 1);
	assert_int_equal(b64_decode(&der, B64_URL, span_str(text_of(one, "csr")), NULL), RC_OK);
	assert_int_equal(csr_decode(buf_view(&der), &facts, NULL), RC_OK);
	assert_true(softadmin_has(l->world.admin, facts.key_id));
	assert_false(accounts_has_key(&l->works.accounts, facts.key_id));
	assert_int_equal(facts.form, CONSTRAINTS_ENHANCED);
	csr_done(&facts);
}

/* RFC 8555 s11.1: the account's key is never a credential's. */
static void
finalize_with_an_account_key(void **state)
{
	struct lab *l = *state;
	json_auto_t *csr = ask_filled(
	    l, "{'id':1,'op':'csr'," OF_ACME ",'tnauthlist':'@T','constraints':'@C'}");
	json_auto_t *before = ask_filled(l, ACME("finalize") "," OF_ACME "}"), *after = NULL;
	AUTO_PENDING p = { 0 };

	assert_true(is_ok(csr) && is_ok(before));
	assert_int_equal(pending_read(l->works.set->config, "acme", "main", &p, NULL), RC_OK);
	assert_int_equal(accounts_add(&l->works.accounts, l->works.set->config, "second",
			     p.facts.point, NULL),
	    RC_OK);
	after = ask_filled(l, ACME("finalize") "," OF_ACME "}");
	assert_false(is_ok(after));
	assert_string_equal(text_of(after, "reason"), "account_key");
}

/* The configured constraint and one more claim that is excluded. */
static void
narrower(char *out, size_t size, const char *claim)
{
	AUTO_BUF der = BUF_INIT(4096);
	char *names[] = { strdup("msgi"), strdup(claim) };
	struct constraints c = {
		.form = CONSTRAINTS_ENHANCED, .must_exclude = names, .must_excludes = 2
	};

	assert_int_equal(constraints_encode(&der, &c, NULL), RC_OK);
	b64_text(out, size, buf_view(&der));
	free(names[0]);
	free(names[1]);
}

static json_t *
ask_csr(struct lab *l, const char *constraints, int64_t at_s)
{
	json_auto_t *msg =
	    json_pack("{s:i,s:s,s:s,s:s,s:s,s:s}", "id", 1, "op", "csr", "tenant", "acme",
		"name", "main", "tnauthlist", l->tnauth, "constraints", constraints);
	json_t *out = NULL;
	int64_t again_s = 0;

	ops_answer(&l->works, msg, at_s, &out, &again_s);
	assert_non_null(out);
	return out;
}

/* A renewer that is taken over has a few keys made, then one a minute. */
static void
keys_are_made_at_a_rate(void **state)
{
	enum { TRIES = 200, MINUTES = 3 };
	struct lab *l = *state;
	size_t before = softadmin_made(l->world.admin);
	char text[2][256];
	unsigned good = 0;

	narrower(text[0], sizeof text[0], "rcd");
	narrower(text[1], sizeof text[1], "div");
	for (unsigned i = 0; i < TRIES; i++) {
		json_auto_t *answer = ask_csr(l, text[i % 2], now);

		good += is_ok(answer);
		if (i < ALLOW_KEYS)
			assert_true(is_ok(answer));
		else if (!is_ok(answer))
			assert_string_equal(text_of(answer, "reason"), "overloaded");
	}
	assert_int_equal(
	    softadmin_made(l->world.admin) - before, ALLOW_KEYS + l->works.token[0].spares);
	assert_true(good >= TRIES / 2); /* what is outstanding is given again, at any rate */
	for (unsigned i = 0; i < TRIES; i++)
		json_decref(ask_csr(l, text[i % 2], now + MINUTES * ALLOW_KEY_S));
	assert_int_equal(softadmin_made(l->world.admin) - before,
	    ALLOW_KEYS + MINUTES + l->works.token[0].spares);
	/* Another credential has an allowance of its own. */
	{
		json_auto_t *other =
		    ask_filled(l, "{'id':1,'op':'csr','tenant':'carrier','name':'main',"
				  "'tnauthlist':'@S','constraints':null}");

		assert_true(is_ok(other));
	}
}

/* D-34 */
static void
shaken_csr(void **state)
{
	struct lab *l = *state;
	json_auto_t *answer = ask_filled(l,
	    "{'id':1,'op':'csr','tenant':'carrier','name':'main','tnauthlist':'@S',"
	    "'constraints':null}");
	AUTO_BUF der = BUF_INIT(65536);
	struct csr_facts facts;

	assert_true(is_ok(answer));
	assert_int_equal(
	    b64_decode(&der, B64_URL, span_str(text_of(answer, "csr")), NULL), RC_OK);
	assert_int_equal(csr_decode(buf_view(&der), &facts, NULL), RC_OK);
	assert_non_null(strstr(facts.subject, "SHAKEN 1234"));
	assert_int_equal(facts.constraints_der.len, 0);
	csr_done(&facts);
}

/* RFC 8555 s6.3 */
static void
post_as_get(void **state)
{
	struct lab *l = *state;
	json_auto_t *answer = ask_filled(l, ACME("post-as-get") "}");
	AUTO_SIGNED s = open_jws(l, answer, "lab");

	assert_string_equal(text_of(json_object_get(answer, "jws"), "payload"), "");
	assert_null(s.payload);
}

/* A token that fails is worth another try, and says so by its reason. */
static void
token_trouble(void **state)
{
	static const struct {
		int code;
		const char *reason;
	} rows[] = {
		{ FRAME_REBUILD, "hsm_unavailable" },
		{ FRAME_FAILED, "hsm_unavailable" },
		{ FRAME_BUSY, "overloaded" },
		{ FRAME_FULL, "overloaded" },
		{ FRAME_NO_KEY, "no_key" },
	};
	struct lab *l = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_auto_t *jws = NULL, *csr = NULL;

		softadmin_fail(l->world.admin, rows[i].code);
		jws = ask_filled(l, ACME("post-as-get") "}");
		csr = ask_filled(
		    l, "{'id':1,'op':'csr'," OF_ACME ",'tnauthlist':'@T','constraints':'@C'}");
		assert_string_equal(text_of(jws, "reason"), rows[i].reason);
		assert_string_equal(text_of(csr, "reason"), rows[i].reason);
	}
	softadmin_fail(l->world.admin, 0);
}

/* ---- plan and schedule ---- */

static void
plan(void **state)
{
	struct lab *l = *state;
	json_auto_t *answer = ask_filled(l, "{'id':1,'op':'plan'}");
	const json_t *rows = json_object_get(answer, "credentials"), *row;

	assert_int_equal(json_array_size(rows), 3); /* not the disabled one */
	assert_true(json_is_false(json_object_get(answer, "more")));
	row = json_array_get(rows, 0);
	assert_string_equal(text_of(row, "tenant"), "acme");
	assert_string_equal(text_of(row, "tnauthlist"), l->tnauth);
	assert_string_equal(text_of(row, "constraints"), l->constraints);
	assert_string_equal(text_of(row, "constraints_form"), "enhanced");
	assert_string_equal(text_of(row, "claim_agent"), "claims");
	assert_true(json_is_null(json_object_get(row, "active")));
	assert_true(json_is_null(json_object_get(row, "installed_at")));
	row = json_array_get(rows, 1);
	assert_string_equal(text_of(row, "tenant"), "beta");
	assert_true(json_is_null(json_object_get(row, "constraints")));
	assert_true(json_is_null(json_object_get(row, "constraints_form")));
	row = json_array_get(rows, 2);
	assert_string_equal(text_of(row, "ca"), "second");
	assert_string_equal(text_of(row, "tnauthlist"), l->spc);
	assert_true(json_is_null(json_object_get(row, "domain")));
	assert_false(json_is_true(json_object_get(row, "rtu_refused")));
	assert_int_equal(json_object_size(row), 12);
}

static void
plan_of_what_is_in_force(void **state)
{
	struct lab *l = *state;
	AUTO_BUF tnauth = BUF_INIT(4096), pem = BUF_INIT(65536);
	json_auto_t *csr = NULL, *good = NULL, *answer = NULL, *order = NULL;
	AUTO_PENDING p = { 0 };
	const json_t *row, *active;
	json_t *msg;
	int64_t again_s;

	bworld_tnauth(&tnauth, "13035550100");
	msg = json_pack("{s:i,s:s,s:s,s:s,s:o,s:n}", "id", 1, "op", "csr", "tenant", "beta",
	    "name", "main", "tnauthlist", json_string(""), "constraints");
	{
		char b64[256];

		b64_text(b64, sizeof b64, buf_view(&tnauth));
		json_object_set_new(msg, "tnauthlist", json_string(b64));
	}
	ops_answer(&l->works, msg, now, &csr, &again_s);
	json_decref(msg);
	assert_true(is_ok(csr));
	assert_int_equal(pending_read(l->works.set->config, "beta", "main", &p, NULL), RC_OK);
	bworld_issue(&l->world, &pem,
	    &(struct bworld_cert){
		.point = p.facts.point, .tnauth = buf_view(&tnauth), .serial = "0a" });
	msg = json_pack("{s:i,s:s,s:s,s:s,s:s}", "id", 1, "op", "install", "tenant", "beta",
	    "name", "main", "chain", buf_text(&pem));
	ops_answer(&l->works, msg, now, &good, &again_s);
	json_decref(msg);
	assert_true(is_ok(good));
	assert_string_equal(text_of(good, "serial"), "a");
	assert_int_equal(json_integer_value(json_object_get(good, "not_before")), now - 3600);
	answer = ask_filled(l, "{'id':1,'op':'plan','after':'acme/main'}");
	row = json_array_get(json_object_get(answer, "credentials"), 0);
	active = json_object_get(row, "active");
	assert_string_equal(text_of(active, "serial"), "a");
	assert_true(json_is_true(json_object_get(active, "as_configured")));
	assert_int_equal(json_integer_value(json_object_get(row, "installed_at")), now);
	/* The one in force may be named as replaced. */
	msg = json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:O,s:n,s:O}", "id", 1, "op",
	    "new-order", "ca", "lab", "kid", "https://127.1.2.3:14000/a/1", "nonce", "abc-_9",
	    "url", "https://127.1.2.3:14000/x", "tenant", "beta", "name", "main", "tnauthlist",
	    json_object_get(row, "tnauthlist"), "constraints", "replaces",
	    json_object_get(active, "ari_id"));
	ops_answer(&l->works, msg, now, &order, &again_s);
	json_decref(msg);
	assert_true(is_ok(order));
	/* The numbers change: it is not what is configured any more. */
	bworld_tenant(
	    "beta", "numbers = { \"13035550100\", \"13035550200\" }\n" BWORLD_DELEGATE(
			"atis-delegate", ""));
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	{
		json_auto_t *later = ask_filled(l, "{'id':1,'op':'plan','after':'acme/main'}");

		row = json_array_get(json_object_get(later, "credentials"), 0);
		active = json_object_get(row, "active");
		assert_true(json_is_false(json_object_get(active, "as_configured")));
	}
}

/* Pages of at most 64, complete, in order, each once. */
static void
plan_by_pages(void **state)
{
	struct lab *l = *state;
	char name[16], inside[512], after[160] = "", last[160] = "";
	size_t seen = 0, pages = 0;
	bool more = true;

	for (unsigned i = 0; i < 150; i++) {
		snprintf(name, sizeof name, "t%03u", i);
		snprintf(inside, sizeof inside, "numbers = { \"1606555%04u\" }\n%s", i,
		    strchr(plain, '\n') + 1);
		bworld_tenant(name, inside);
	}
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	while (more) {
		json_auto_t *msg = json_pack("{s:i,s:s}", "id", 1, "op", "plan");
		json_t *answer = NULL, *row;
		int64_t again_s;
		size_t i;

		if (after[0] != 0)
			json_object_set_new(msg, "after", json_string(after));
		ops_answer(&l->works, msg, now, &answer, &again_s);
		assert_true(is_ok(answer));
		assert_true(
		    json_array_size(json_object_get(answer, "credentials")) <= PLAN_PAGE);
		json_array_foreach (json_object_get(answer, "credentials"), i, row) {
			snprintf(after, sizeof after, "%s/%s", text_of(row, "tenant"),
			    text_of(row, "name"));
			assert_true(strcmp(after, last) > 0);
			memcpy(last, after, sizeof last);
			seen++;
		}
		more = json_is_true(json_object_get(answer, "more"));
		assert_true(++pages < 10);
		json_decref(answer);
	}
	assert_int_equal(seen, 153);
	assert_int_equal(pages, 3);
}

/* What is not read yet is no credential without a certificate: nothing is ordered. */
static void
plan_of_what_is_loading(void **state)
{
	struct lab *l = *state;
	json_auto_t *all = ask_filled(l, "{'id':1,'op':'plan'}"), *others = NULL;
	size_t n = json_array_size(json_object_get(all, "credentials")), i;
	struct credset_place at;
	json_t *row;

	assert_true(credset_find(l->works.set, "acme", "main", &at));
	credset_credential(l->works.set, at)->state = CREDENTIAL_LOADING;
	others = ask_filled(l, "{'id':2,'op':'plan'}");
	assert_int_equal(json_array_size(json_object_get(others, "credentials")), n - 1);
	json_array_foreach (json_object_get(others, "credentials"), i, row)
		assert_false(strcmp(text_of(row, "tenant"), "acme") == 0 &&
			     strcmp(text_of(row, "name"), "main") == 0);
	credset_credential(l->works.set, at)->state = CREDENTIAL_PENDING;
}

static void
schedule(void **state)
{
	struct lab *l = *state;
	json_auto_t *answer = ask_filled(
	    l, "{'id':1,'op':'schedule'," OF_ACME ",'renew_at':1800000500,'problem':'slow'}");
	char problem[CREDENTIAL_PROBLEM_MAX];
	struct credset_place at;

	assert_true(is_ok(answer));
	assert_true(credset_find(l->works.set, "acme", "main", &at));
	assert_true(credset_credential(l->works.set, at)->renew_at_s == 1800000500);
	credential_problem(credset_credential(l->works.set, at), problem);
	assert_string_equal(problem, "slow");
	/* It outlives a reload. */
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	assert_true(credset_find(l->works.set, "acme", "main", &at));
	assert_true(credset_credential(l->works.set, at)->renew_at_s == 1800000500);
}

static struct credential_progress
reported(struct lab *l, const char *more, int64_t at_s)
{
	json_auto_t *msg = NULL;
	json_t *answer = NULL;
	AUTO_BUF text = BUF_INIT(65536);
	struct credential_progress p;
	struct credset_place at;
	char whole[512];
	int64_t again_s;

	snprintf(whole, sizeof whole, "{'id':1,'op':'schedule'," OF_ACME ",'renew_at':null,%s}",
	    more);
	fill(l, whole, &text);
	assert_int_equal(jtext_read(buf_view(&text), &msg, NULL), RC_OK);
	ops_answer(&l->works, msg, at_s, &answer, &again_s);
	assert_true(is_ok(answer));
	json_decref(answer);
	assert_true(credset_find(l->works.set, "acme", "main", &at));
	credential_progress(credset_credential(l->works.set, at), &p);
	return p;
}

/* How far it is, since when, and since when it fails: of the first word that said so. */
static void
progress(void **state)
{
	struct lab *l = *state;
	struct credential_progress p = reported(l, "'problem':null,'step':'order'", now);

	assert_string_equal(p.step, "order");
	assert_true(p.step_since_s == now && p.failing_since_s == 0);
	p = reported(l, "'problem':'slow','step':'order','attempts':1", now + 5);
	assert_true(p.step_since_s == now && p.failing_since_s == now + 5);
	p = reported(l, "'problem':'slow','step':'order','attempts':2,'refusals':0", now + 9);
	assert_true(p.attempts == 2 && p.failing_since_s == now + 5);
	/* It outlives a reload, too. */
	assert_int_equal(works_load(&l->works, now, NULL), RC_OK);
	p = reported(
	    l, "'problem':'no','step':null,'refusals':3,'token_until':1800000900", now + 20);
	assert_string_equal(p.step, "");
	assert_true(p.step_since_s == now + 20 && p.failing_since_s == now + 5);
	assert_true(p.refusals == 3 && p.attempts == 0);
	assert_true(p.by_push && p.token_until_s == 1800000900);
	p = reported(l, "'problem':null,'token_until':0", now + 25);
	assert_true(p.failing_since_s == 0 && p.refusals == 0);
	assert_true(p.by_push && p.token_until_s == 0);
	p = reported(l, "'problem':null", now + 30);
	assert_false(p.by_push);
	/* What this process has not seen begin: of the future it believes nothing. */
	p = reported(l, "'problem':'slow','failing_since':1700000000", now + 40);
	assert_int_equal(p.failing_since_s, 1700000000);
	p = reported(l, "'problem':'slow','failing_since':1600000000", now + 41);
	assert_int_equal(p.failing_since_s, 1700000000);
	p = reported(l, "'problem':null,'failing_since':1700000000", now + 42);
	assert_int_equal(p.failing_since_s, 0);
	p = reported(l, "'problem':'slow','failing_since':1900000000", now + 43);
	assert_int_equal(p.failing_since_s, now + 43);
	p = reported(l, "'problem':null", now + 44);
	p = reported(l, "'problem':'slow','failing_since':-1", now + 45);
	assert_int_equal(p.failing_since_s, now + 45);
}

/* What goes on to the alarms is as long as a problem, and moves no terminal's cursor. */
static void
a_word_about_an_account(void **state)
{
	struct lab *l = *state;
	json_auto_t *ill = ask_filled(l,
	    "{'id':1,'op':'account-word','ca':'lab','problem':'acme_terms: \\u001b[2Jagree'}");
	json_auto_t *well =
	    ask_filled(l, "{'id':1,'op':'account-word','ca':'second','problem':null}");
	const json_t *first = json_array_get(l->world.accounts, 0);
	const json_t *second = json_array_get(l->world.accounts, 1);

	assert_true(is_ok(ill) && is_ok(well));
	assert_string_equal(text_of(first, "ca"), "lab");
	assert_string_equal(text_of(first, "problem"), "acme_terms:  [2Jagree");
	assert_string_equal(text_of(second, "ca"), "second");
	assert_true(json_is_null(json_object_get(second, "problem")));
}

#define OP(f) cmocka_unit_test_setup_teardown(f, open_lab, close_lab)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		OP(refused),
		OP(every_member_counts),
		OP(accounts),
		OP(a_damaged_account),
		OP(new_account),
		OP(external_account_binding),
		OP(new_order),
		OP(dates_of_an_order),
		OP(domain_of_a_credential),
		OP(domain_challenge),
		OP(domain_changes),
		OP(challenge),
		OP(challenge_by_atc_alone),
		OP(types_of_constraints),
		OP(csr_and_finalize),
		OP(finalize_with_an_account_key),
		OP(keys_are_made_at_a_rate),
		OP(shaken_csr),
		OP(post_as_get),
		OP(token_trouble),
		OP(plan),
		OP(plan_of_what_is_in_force),
		OP(plan_by_pages),
		OP(plan_of_what_is_loading),
		OP(schedule),
		OP(progress),
		OP(a_word_about_an_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
