/*
 * Makes what fuzz_verify and fuzz_proof hold texts against, with keys that are
 * forgotten at once: seeds with real signatures under a real anchor and log,
 * and tests/fuzz/signed.h.  Run by hand when there is to be another seed.
 *
 *	make_signed tests/fuzz
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stir/b64.h"
#include "stir/digest.h"
#include "tests/unit/pki.h"
#include "tests/unit/spec.h"

#define CALLER "12025550100"
#define CALLEE "12125550111"
#define CALL   "\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":1800000000"
#define ORIG   "\"orig\":{\"tn\":\"" CALLER "\"}"
#define X5U    "https://cert.example/a.pem"
#define DIGEST "\"sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4\""

static struct {
	EVP_PKEY *root_key, *ca_key, *leaf_key, *log_key;
	X509 *root, *ca, *plain, *bound, *provider;
} w;

static FILE *header;

/* ---- certificates ---------------------------------------------------------------------- */

static X509 *
issue_leaf(X509 *issuer, EVP_PKEY *issuer_key, const char *spc, const char *constraints)
{
	AUTO_BUF list = BUF_INIT(1000), sct = BUF_INIT(1000), scts = BUF_INIT(1000),
		 limits = BUF_INIT(4000);
	struct pki_spec s = {
		.cn = "Leaf", .key = w.leaf_key, .issuer = issuer, .issuer_key = issuer_key
	};
	struct constraints *c = NULL;

	if (spc != NULL)
		pki_tnauth_spc(&list, spc);
	else
		pki_tnauth_one(&list, CALLER);
	s.tnauth = buf_view(&list);
	if (constraints != NULL) {
		c = make(constraints, CONSTRAINTS_ENHANCED);
		assert_int_equal(constraints_encode(&limits, c, NULL), RC_OK);
		constraints_free(c);
		s.enhanced_constraints = buf_view(&limits);
	}
	pki_sct(&sct, &s, w.log_key, (PKI_NOW - 100) * 1000);
	pki_sct_list(&scts, buf_view(&sct));
	s.scts = buf_view(&scts);
	return pki_issue(&s);
}

static void
make_world(void)
{
	w.root_key = pki_p256();
	w.ca_key = pki_p256();
	w.leaf_key = pki_p256();
	w.log_key = pki_p256();
	w.root = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.root_key, .ca = true });
	w.ca = pki_issue(&(struct pki_spec){ .cn = "CA",
	    .key = w.ca_key,
	    .ca = true,
	    .issuer = w.root,
	    .issuer_key = w.root_key });
	w.plain = issue_leaf(w.root, w.root_key, NULL, NULL);
	w.bound = issue_leaf(w.ca, w.ca_key, NULL,
	    "{'i':['rcd'],'p':[['rcd','{\\\"nam\\\":\\\"Q\\\"}']],'x':['crn']}");
	w.provider = issue_leaf(w.root, w.root_key, "1234", NULL);
}

/* ---- the header ------------------------------------------------------------------------ */

static void
put_text(const char *name, const char *text)
{
	fprintf(header, "static const char %s[] =\n    \"", name);
	for (; *text != 0; text++) {
		if (*text == '\n')
			fputs(text[1] != 0 ? "\\n\"\n    \"" : "\\n", header);
		else
			fprintf(header, *text == '"' ? "\\%c" : "%c", *text);
	}
	fputs("\";\n\n", header);
}

static void
put_pem(const char *name, X509 *x)
{
	AUTO_BUF pem = BUF_INIT(10000);

	pki_pem(&pem, x);
	put_text(name, buf_text(&pem));
}

static void
put_world(void)
{
	AUTO_BUF logs = BUF_INIT(4000);

	buf_str(&logs, "{\"operators\":[{\"logs\":[{\"state\":\"usable\",\n\"key\":\"");
	pki_spki(&logs, w.log_key);
	buf_str(&logs, "\"}]}]}");
	fputs("/* Made by make_signed.c; nobody has the keys. */\n"
	      "#ifndef TESTS_FUZZ_SIGNED_H\n#define TESTS_FUZZ_SIGNED_H\n\n/* clang-format off "
	      "*/\n"
	      "#define SIGNED_X5U \"" X5U "\"\n#define SIGNED_CALLER \"" CALLER
	      "\"\n#define SIGNED_CALLEE \"" CALLEE "\"\n\n",
	    header);
	put_pem("signed_anchor", w.root);
	put_pem("signed_leaf", w.plain); /* of SIGNED_X5U */
	put_text("signed_logs", buf_text(&logs));
	fputs("/* SHA-256 of header \".\" payload, as they were signed, in base64url. */\n"
	      "static const char *const signed_digest[] = {\n",
	    header);
}

/* ---- seeds ----------------------------------------------------------------------------- */

struct seed {
	const char *name;
	X509 *const *x5c;
	size_t certs;
	const char *ppt, *payload, *parameters;
	bool proof; /* shows a right to the number */
};

static void
write_seed(const char *top, const char *target, const char *name, struct span text)
{
	char path[1024];
	FILE *file;

	snprintf(path, sizeof path, "%s/corpus/%s/%s", top, target, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
	fclose(file);
}

static void
put_digest(struct span token)
{
	AUTO_BUF text = BUF_INIT(100);
	uint8_t digest[32];
	size_t len = token.len;

	while (token.ptr[len - 1] != '.')
		len--;
	assert_int_equal(digest_sha256(span_of(token.ptr, len - 1), digest, NULL), RC_OK);
	b64_encode(&text, B64_URL, span_of(digest, sizeof digest));
	fprintf(header, "\t\"%s\",\n", buf_text(&text));
}

static void
sign(const char *top, const struct seed *s)
{
	AUTO_BUF head = BUF_INIT(20000), token = BUF_INIT(40000);

	buf_str(&head, "{\"alg\":\"ES256\",");
	if (s->ppt != NULL)
		buf_printf(&head, "\"ppt\":\"%s\",", s->ppt);
	buf_str(&head, "\"typ\":\"passport\"");
	if (s->certs > 0) {
		buf_str(&head, ",\"x5c\":");
		pki_x5c(&head, s->x5c, s->certs);
	}
	buf_str(&head, ",\"x5u\":\"" X5U "\"}");
	pki_jws(&token, buf_text(&head), s->payload, w.leaf_key);
	put_digest(buf_view(&token));
	buf_str(&token, s->parameters);
	write_seed(top, "verify", s->name, buf_view(&token));
	if (s->proof)
		write_seed(top, "proof", s->name, buf_view(&token));
}

static void
sign_all(const char *top)
{
	X509 *const path[] = { w.bound, w.ca };
	const struct seed seeds[] = {
		{ "signed-base", &w.plain, 1, NULL, "{" CALL "," ORIG "}", "", true },
		{ "signed-known", NULL, 0, NULL, "{" CALL "," ORIG "}", "", true },
		{ "signed-identity", &w.plain, 1, NULL, "{" CALL "," ORIG "}",
		    ";info=<" X5U ">;alg=ES256", true },
		{ "signed-rcd", path, 2, "rcd", "{" CALL "," ORIG ",\"rcd\":{\"nam\":\"Q\"}}",
		    ";info=<" X5U ">;alg=ES256;ppt=\"rcd\"", true },
		{ "signed-rcdi", &w.plain, 1, "rcd",
		    "{" CALL "," ORIG ",\"rcd\":{\"icn\":\"https://a.example/q.png\",\"nam\":"
		    "\"Q\"},\"rcdi\":{\"/icn\":" DIGEST "}}",
		    "", true },
		{ "signed-iss", &w.plain, 1, "rcd",
		    "{\"crn\":\"x\"," CALL ",\"iss\":\"Q\"," ORIG "}", "", true },
		{ "signed-shaken", &w.provider, 1, "shaken",
		    "{\"attest\":\"A\"," CALL "," ORIG
		    ",\"origid\":\"123e4567-e89b-12d3-a456-426655440000\"}",
		    ";info=<" X5U ">;alg=ES256;ppt=shaken", true },
		{ "signed-div", &w.plain, 1, "div",
		    "{\"dest\":{\"tn\":[\"12155550122\"]},\"div\":{\"tn\":\"" CALLER
		    "\"},\"iat\":1800000000,\"orig\":{\"tn\":\"19175550133\"}}",
		    "", false },
		{ "signed-rsp", &w.plain, 1, "rsp",
		    "{\"dest\":{\"tn\":[\"" CALLER
		    "\"]},\"iat\":1800000000,\"orig\":{\"tn\":\"19175550133\"}}",
		    "", false },
		{ "signed-excluded", path, 2, "rcd",
		    "{\"crn\":\"x\"," CALL "," ORIG ",\"rcd\":{\"nam\":\"Q\"}}", "", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(seeds); i++)
		sign(top, &seeds[i]);
}

int
main(int argc, char **argv)
{
	char path[1024];

	if (argc != 2)
		return 2;
	snprintf(path, sizeof path, "%s/signed.h", argv[1]);
	header = fopen(path, "w");
	assert_non_null(header);
	make_world();
	put_world();
	sign_all(argv[1]);
	fputs("};\n/* clang-format on */\n\n#endif\n", header);
	return fclose(header) != 0;
}
