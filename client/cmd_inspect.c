#include "client/cli.h"
#include "client/disclosure.h"
#include "client/show.h"
#include "stir/authtoken.h"
#include "stir/b64.h"
#include "stir/csr.h"
#include "stir/gate.h"
#include "stir/identity.h"
#include "stir/jtext.h"
#include "stir/verify.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

enum { INPUT_MAX = 1024 * 1024 };

/*
 * What an inspector makes of its input: out is what is shown, problems are
 * what the agent would not accept.  A decoder's failure is the return value.
 */
struct finding {
	json_t *out, *problems;
};
typedef enum rc inspect_fn(struct span in, struct finding *r, struct fault *f);

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "no memory");
}

static enum rc
show(struct finding *r, const char *name, json_t *owned, struct fault *f)
{
	return json_object_set_new(r->out, name, owned) == 0 ? RC_OK : no_memory(f);
}

static enum rc
show_all(struct finding *r, json_t *owned, struct fault *f)
{
	json_auto_t *object = owned;

	return object != NULL && json_object_update(r->out, object) == 0 ? RC_OK : no_memory(f);
}

static enum rc
problem(struct finding *r, const struct fault *why, struct fault *f)
{
	json_t *one = json_pack("{s:s, s:s}", "reason", why->reason, "detail", why->detail);

	return json_array_append_new(r->problems, one) == 0 ? RC_OK : no_memory(f);
}

static enum rc
problem_text(struct finding *r, const char *reason, const char *detail, struct fault *f)
{
	struct fault why = { 0 };

	(void)FAULT(&why, RC_DENIED, reason, "%s", detail);
	return problem(r, &why, f);
}

/* ---- DER values --------------------------------------------------------------------- */

static enum rc
inspect_tnauthlist(struct span in, struct finding *r, struct fault *f)
{
	AUTO(tnauth) *list = NULL;

	TRY(tnauth_decode(in, false, &list, f));
	return show_all(r, show_tnauth(list), f);
}

static enum rc
show_oddities(const struct constraints *c, struct finding *r, struct fault *f)
{
	json_t *list = json_array();

	for (size_t i = 0; constraints_oddity(c, i) != NULL; i++) {
		if (json_array_append_new(list, json_string(constraints_oddity(c, i))) != 0) {
			json_decref(list);
			return no_memory(f);
		}
	}
	if (json_array_size(list) > 0)
		return show(r, "warnings", list, f);
	json_decref(list);
	return RC_OK;
}

static enum rc
inspect_constraints(
    struct span in, enum constraints_form form, struct finding *r, struct fault *f)
{
	static const struct constraints_policy policy;
	AUTO(constraints) *c = NULL;
	struct fault why = { 0 };

	TRY(constraints_decode(in, form, &c, f));
	TRY(show_all(r, show_constraints(c), f));
	TRY(show_oddities(c, r, f));
	if (constraints_check(c, &policy, &why) != RC_OK)
		return problem(r, &why, f);
	return RC_OK;
}

static enum rc
inspect_jwtcc(struct span in, struct finding *r, struct fault *f)
{
	return inspect_constraints(in, CONSTRAINTS_JWT, r, f);
}

static enum rc
inspect_ejwtcc(struct span in, struct finding *r, struct fault *f)
{
	return inspect_constraints(in, CONSTRAINTS_ENHANCED, r, f);
}

/* ---- certificates and requests ---------------------------------------------------------- */

static bool
is_pem(struct span in)
{
	return in.len > 0 && memmem(in.ptr, in.len, "-----BEGIN ", 11) != NULL;
}

static enum rc
read_chain(struct span in, struct chain **out, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = NULL;
	char *text = NULL;
	long len;

	if (is_pem(in))
		return chain_read_pem(in, false, out, f);
	if (in.len == 0)
		return FAULT(f, RC_INVALID, "chain_empty", "no certificate in it");
	bio = BIO_new(BIO_s_mem());
	if (bio == NULL || PEM_write_bio(bio, PEM_STRING_X509, "", in.ptr, (long)in.len) <= 0)
		return no_memory(f);
	len = BIO_get_mem_data(bio, &text);
	return chain_read_pem(span_of(text, (size_t)len), false, out, f);
}

static enum rc
inspect_cert(struct span in, struct finding *r, struct fault *f)
{
	static const struct gate_policy policy;
	AUTO(chain) *c = NULL;
	AUTO(gate) *gate = NULL;
	json_t *list = json_array();
	struct fault why = { 0 };

	TRY(show(r, "certificates", list, f));
	TRY(read_chain(in, &c, f));
	for (size_t i = 0; i < c->len; i++) {
		if (json_array_append_new(list, show_cert(c->cert[i])) != 0)
			return no_memory(f);
	}
	if (gate_open(c, &policy, &gate, &why) != RC_OK)
		return problem(r, &why, f);
	if (gate_in_time(gate, (int64_t)time(NULL), &why) != RC_OK)
		return problem(r, &why, f);
	return RC_OK;
}

static enum rc
csr_lists(const struct csr_facts *c, struct finding *r, struct fault *f)
{
	AUTO(tnauth) *list = NULL;
	AUTO(constraints) *limits = NULL;
	struct fault why = { 0 };

	if (c->tnauth_der.len == 0)
		TRY(problem_text(r, "csr_extension", "it asks for no TNAuthList", f));
	else if (tnauth_decode(buf_view(&c->tnauth_der), false, &list, &why) != RC_OK)
		TRY(problem(r, &why, f));
	else
		TRY(show(r, "tnauthlist", show_tnauth(list), f));
	if (c->constraints_der.len == 0)
		return RC_OK;
	why = (struct fault){ 0 };
	if (constraints_decode(buf_view(&c->constraints_der), c->form, &limits, &why) != RC_OK)
		return problem(r, &why, f);
	return show(r, "constraints", show_constraints(limits), f);
}

static enum rc
show_csr(struct span der, struct finding *r, struct fault *f)
{
	struct csr_facts c;
	enum rc rc = csr_decode(der, &c, f);

	/* Readable, but not signed by its key, or by one of another kind. */
	if (rc == RC_DENIED || (rc != RC_OK && strcmp(f->reason, "p256_curve") == 0)) {
		struct fault why = *f;

		*f = (struct fault){ 0 };
		return problem(r, &why, f);
	}
	TRY(rc);
	rc = show_all(r, json_pack("{s:s, s:b}", "subject", c.subject, "ca", c.ca), f);
	if (rc == RC_OK)
		rc = csr_lists(&c, r, f);
	if (rc == RC_OK && c.ca)
		rc = problem_text(r, "csr_extension", "it asks for a CA certificate", f);
	csr_done(&c);
	return rc;
}

static enum rc
inspect_csr(struct span in, struct finding *r, struct fault *f)
{
	AUTO_OSSL(BIO) *bio = BIO_new_mem_buf(in.ptr, (int)in.len);
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long len = 0;
	enum rc rc;

	if (!is_pem(in))
		return show_csr(in, r, f);
	if (bio == NULL)
		return no_memory(f);
	if (PEM_read_bio(bio, &name, &header, &data, &len) != 1)
		return FAULT_OPENSSL(f, RC_INVALID, "csr", "PEM");
	rc =
	    strcmp(name, PEM_STRING_X509_REQ) == 0 || strcmp(name, PEM_STRING_X509_REQ_OLD) == 0
		? show_csr(span_of(data, (size_t)len), r, f)
		: FAULT(f, RC_INVALID, "csr", "not a certificate request");
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	return rc;
}

/* ---- tokens ------------------------------------------------------------------------------- */

static enum rc
claims_of(struct span jwt, json_t **header, json_t **claims, struct fault *f)
{
	struct jws_parts p;
	enum rc rc;

	TRY(jws_split(jwt, &p, f));
	rc = jtext_read(buf_view(&p.payload), claims, f);
	*header = json_incref(p.header);
	jws_done(&p);
	return rc;
}

static enum rc
show_jws(struct span jwt, struct finding *r, struct fault *f)
{
	json_t *header = NULL, *claims = NULL;
	enum rc rc = claims_of(jwt, &header, &claims, f);

	if (header != NULL && show(r, "header", header, f) != RC_OK)
		rc = RC_NO_MEMORY;
	if (claims != NULL && show(r, "claims", claims, f) != RC_OK)
		rc = RC_NO_MEMORY;
	return rc;
}

/* The steps that need nothing but the token itself. */
static bool
judged_here(enum verify_step s, const struct verify_result *v)
{
	switch (s) {
	case VERIFY_PARSE:
	case VERIFY_INFO:
	case VERIFY_CLAIMS: return true;
	case VERIFY_CONVEYANCE: return json_object_get(v->header, "x5c") != NULL;
	case VERIFY_SIGNATURE:
	case VERIFY_AUTHORITY:
	case VERIFY_CONSTRAINTS: return v->chain != NULL;
	default: return false;
	}
}

/* VESPER -06: a certificate tells of claims that the PASSporT need not carry. */
static enum rc
show_announced(const struct verify_result *v, struct finding *r, struct fault *f)
{
	const struct constraints *c = v->chain != NULL ? v->chain->cert[0]->constraints : NULL;
	json_t *list = NULL;
	bool other = false;

	if (c == NULL || v->claims == NULL)
		return RC_OK;
	TRY(disclosure_announced(c, v->claims, NULL, &list, &other, f));
	return show(r, "announced", list, f);
}

static enum rc
judge_passport(struct span text, struct finding *r, struct fault *f)
{
	struct verify_input in = { .token = text };
	struct verify_result v;
	enum rc rc = RC_OK;

	TRY(verify_passport(&in, &v, f));
	for (enum verify_step s = 0; s < VERIFY__COUNT && rc == RC_OK; s++) {
		if (v.step[s].verdict == VERDICT_FAIL && judged_here(s, &v))
			rc = problem_text(r, verify_step_name(s), v.step[s].detail, f);
	}
	if (rc == RC_OK)
		rc = show_announced(&v, r, f);
	verify_done(&v);
	return rc;
}

static enum rc
inspect_passport(struct span in, struct finding *r, struct fault *f)
{
	TRY(show_jws(in, r, f));
	return judge_passport(in, r, f);
}

static json_t *
text_of(struct span s)
{
	return json_stringn((const char *)s.ptr, s.len);
}

static enum rc
inspect_identity(struct span in, struct finding *r, struct fault *f)
{
	static const char name[] = "Identity:";
	struct identity id;

	if (in.len > sizeof name - 1 &&
	    strncasecmp((const char *)in.ptr, name, sizeof name - 1) == 0)
		span_cut(&in, sizeof name - 1);
	in = cli_trim(in);
	TRY(identity_parse(in, &id, f));
	TRY(show(r, "info", text_of(id.info), f));
	if (id.alg.len > 0)
		TRY(show(r, "alg", text_of(id.alg), f));
	if (id.ppt.len > 0)
		TRY(show(r, "ppt", text_of(id.ppt), f));
	TRY(show(r, "compact", json_boolean(id.compact), f));
	if (id.compact)
		return problem_text(
		    r, "compact_form", "its claims have to be rebuilt from signalling", f);
	TRY(show_jws(id.passport, r, f));
	return judge_passport(in, r, f);
}

static enum rc
show_tkvalue(const struct authtoken *t, struct finding *r, struct fault *f)
{
	AUTO(tnauth) *list = NULL;
	AUTO(constraints) *limits = NULL;
	struct span der = buf_view(&t->tkvalue);
	struct fault why = { 0 };

	if (strcasecmp(t->tktype, "TNAuthList") == 0) {
		if (tnauth_decode(der, false, &list, &why) == RC_OK)
			return show(r, "tnauthlist", show_tnauth(list), f);
		return problem(r, &why, f);
	}
	/* mustExclude is what only the enhanced form has; it reads the other one too. */
	if (constraints_decode(der, CONSTRAINTS_ENHANCED, &limits, &why) == RC_OK)
		return show(r, "constraints", show_constraints(limits), f);
	return problem(r, &why, f);
}

static enum rc
inspect_token(struct span in, struct finding *r, struct fault *f)
{
	AUTO(authtoken) *t = NULL;
	struct fault why = { 0 };

	TRY(show_jws(in, r, f));
	if (authtoken_decode(in, &t, &why) != RC_OK)
		return problem(r, &why, f);
	TRY(show_all(r,
	    json_pack("{s:s, s:s, s:b, s:I}", "tktype", t->tktype, "fingerprint",
		t->fingerprint, "ca", t->ca, "exp", (json_int_t)t->exp_s),
	    f));
	TRY(show_tkvalue(t, r, f));
	if (t->ca)
		TRY(problem_text(r, "authtoken_ca", "it is for a CA certificate", f));
	if (t->exp_s <= (int64_t)time(NULL))
		TRY(problem_text(r, "authtoken_expired", "it has expired", f));
	return RC_OK;
}

/* ---- numbers and JSON ------------------------------------------------------------------------ */

static bool
cut_prefix(struct span *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->len < n || strncasecmp((const char *)s->ptr, prefix, n) != 0)
		return false;
	span_cut(s, n);
	return true;
}

static struct span
until(struct span s, const char *ends)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] != 0 && strchr(ends, s.ptr[n]) == NULL)
		n++;
	return span_of(s.ptr, n);
}

/*
 * RFC 3966 section 5.1.5: with a phone-context a number is a local one.  Only
 * a dial plan could make it global, and this agent has none.
 */
static enum rc
refuse_local(struct span number, struct span parameters, struct fault *f)
{
	if (number.len > 0 && number.ptr[0] == '+')
		return RC_OK;
	while (parameters.len > 0) {
		struct span name = until(parameters, ";");

		span_cut(&parameters, name.len);
		if (parameters.len > 0)
			span_cut(&parameters, 1);
		name = until(name, "=");
		if (name.len == strlen("phone-context") && cut_prefix(&name, "phone-context"))
			return REFUSE(f, RC_INVALID, INVALID_TN, NULL,
			    "a local number: its phone-context would need a dial plan; give "
			    "the global one, with + and country code");
	}
	return RC_OK;
}

/*
 * The number in a tel URI, or in the user part of a sip URI that holds one
 * with its parameters (RFC 8224 section 8.1, RFC 3261 section 19.1.6).
 */
static enum rc
number_of_uri(struct span in, struct span *out, struct fault *f)
{
	struct span number;

	if (cut_prefix(&in, "sip:") || cut_prefix(&in, "sips:"))
		in = until(in, "@:");
	else if (!cut_prefix(&in, "tel:")) {
		*out = in;
		return RC_OK;
	}
	number = until(in, ";");
	span_cut(&in, number.len);
	TRY(refuse_local(number, in, f));
	*out = number;
	return RC_OK;
}

static enum rc
inspect_tn(struct span in, struct finding *r, struct fault *f)
{
	struct span number = { 0 };
	struct tn tn;

	TRY(number_of_uri(in, &number, f));
	TRY(tn_canonical(number, &tn, f));
	return show(r, "tn", json_string(tn.text), f);
}

static enum rc
inspect_json(struct span in, struct finding *r, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(JTEXT_MAX_BYTES);
	json_auto_t *value = NULL;

	TRY(jtext_read(in, &value, f));
	if (!json_is_object(value))
		return FAULT(f, RC_INVALID, "malformed_json", "no JSON object");
	TRY(jtext_write(&text, value, f));
	return show(r, "serialised", text_of(buf_view(&text)), f);
}

/* ---- which type ---------------------------------------------------------------------------------- */

static const struct type {
	const char *name;
	inspect_fn *run;
	bool binary;	  /* white space at the ends belongs to it */
	const char *only; /* people want this member alone */
} types[] = {
	{ "cert", inspect_cert, true, NULL },
	{ "csr", inspect_csr, true, NULL },
	{ "passport", inspect_passport, false, NULL },
	{ "identity", inspect_identity, false, NULL },
	{ "token", inspect_token, false, NULL },
	{ "tnauthlist", inspect_tnauthlist, true, NULL },
	{ "jwtcc", inspect_jwtcc, true, NULL },
	{ "ejwtcc", inspect_ejwtcc, true, NULL },
	{ "tn", inspect_tn, false, "tn" },
	{ "json", inspect_json, false, "serialised" },
};

static const struct type *
find_type(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	}
	return NULL;
}

static const struct type *
guess_jose(struct span text)
{
	json_auto_t *header = NULL, *claims = NULL;

	if (memchr(text.ptr, ';', text.len) != NULL || cut_prefix(&text, "Identity:"))
		return find_type("identity");
	if (claims_of(text, &header, &claims, NULL) != RC_OK)
		return header != NULL || cut_prefix(&text, "ey") ? find_type("passport") : NULL;
	return find_type(json_object_get(claims, "atc") != NULL ? "token" : "passport");
}

/* DER may hold a full stop or a semicolon, too. */
static bool
is_text(struct span in)
{
	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] < ' ' || in.ptr[i] > '~')
			return false;
	}
	return in.len > 0;
}

/* PEM and JOSE say what they are; nothing else does. */
static const struct type *
guess_type(struct span in)
{
	static const char request[] = "CERTIFICATE REQUEST-----";
	struct span text = cli_trim(in);

	if (is_pem(in))
		return find_type(memmem(in.ptr, in.len, request, sizeof request - 1) != NULL
				     ? "csr"
				     : "cert");
	return is_text(text) ? guess_jose(text) : NULL;
}

/* ---- the command ------------------------------------------------------------------------------------ */

static void
print_finding(const struct type *type, const struct finding *r)
{
	const char *only =
	    json_string_value(type->only == NULL ? NULL : json_object_get(r->out, type->only));
	size_t i;
	json_t *p;

	if (only != NULL)
		puts(only);
	else
		show_text(r->out, 0);
	json_array_foreach (r->problems, i, p)
		printf("problem: %s: %s\n", json_string_value(json_object_get(p, "reason")),
		    json_string_value(json_object_get(p, "detail")));
}

static int
report(struct cli *cli, const struct type *type, struct finding *r, enum rc rc,
    const struct fault *f)
{
	struct fault ignored = { 0 };
	int status = EXIT_DONE;

	if (rc != RC_OK)
		(void)!problem(r, f, &ignored);
	if (json_array_size(r->problems) > 0)
		status = rc != RC_OK ? EXIT_FAILED : EXIT_REFUSED;
	if (cli->json) {
		json_t *out = json_pack("{s:s}", "type", type->name);

		if (out == NULL || json_object_update(out, r->out) != 0 ||
		    json_object_set(out, "problems", r->problems) != 0)
			return cli_fail(cli, EXIT_FAILED, "cannot answer", "no memory", NULL);
		if (cli_print_json(cli, out) != EXIT_DONE)
			return EXIT_FAILED;
	} else if (rc == RC_OK) {
		print_finding(type, r);
	}
	if (rc != RC_OK)
		return cli_fault(cli, EXIT_FAILED, "it does not decode", f, NULL);
	return status;
}

static int
inspect(struct cli *cli, const struct type *type, struct span in)
{
	json_auto_t *out = json_object(), *problems = json_array();
	struct finding r = { out, problems };
	struct fault f = { 0 };
	enum rc rc = type->run(type->binary ? in : cli_trim(in), &r, &f);

	return report(cli, type, &r, rc, &f);
}

static int
undecoded(struct cli *cli, const struct type *type, const struct fault *f)
{
	json_auto_t *out = json_object(), *problems = json_array();
	struct finding r = { out, problems };

	return report(cli, type, &r, f->rc, f);
}

static int
read_and_inspect(struct cli *cli, const char *path, const struct type *type, bool hex)
{
	AUTO_BUF raw = BUF_INIT(INPUT_MAX), bytes = BUF_INIT(INPUT_MAX);
	struct fault f = { 0 };
	struct span in;

	if (cli_read(path, &raw, &f) != RC_OK)
		return cli_unread(cli, "cannot read the input", &f, NULL);
	if (hex && cli_unhex(buf_view(&raw), &bytes, &f) != RC_OK)
		return type != NULL
			   ? undecoded(cli, type, &f)
			   : cli_fault(cli, EXIT_FAILED, "it does not decode", &f, NULL);
	in = hex ? buf_view(&bytes) : buf_view(&raw);
	if (type == NULL)
		type = guess_type(in);
	if (type == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage", "the input does not say what it is",
		    "add --type "
		    "cert|csr|passport|identity|token|tnauthlist|jwtcc|ejwtcc|tn|json");
	return inspect(cli, type, in);
}

int
cmd_inspect(struct cli *cli, int argc, char **argv)
{
	const char *name = NULL;
	const struct type *type = NULL;
	bool hex = false;
	struct text_list rest = { 0 };
	const struct option options[] = { { "--type", OPTION_TEXT, &name },
		{ "--hex", OPTION_FLAG, &hex }, { 0 } };
	struct fault f = { 0 };

	if (args_parse(cli, options, argc, argv, &rest, &f) != RC_OK)
		return cli_fail(cli, EXIT_USAGE, "usage", f.detail, NULL);
	if (rest.len != 1)
		return cli_fail(
		    cli, EXIT_USAGE, "usage", "one file is due, or - for standard input", NULL);
	if (name != NULL)
		type = find_type(name);
	if (name != NULL && type == NULL)
		return cli_fail(cli, EXIT_USAGE, "usage: no such type", name,
		    "it is cert csr passport identity token tnauthlist jwtcc ejwtcc tn or "
		    "json");
	return read_and_inspect(cli, rest.item[0], type, hex);
}
