/*
 * A crowd for scripts/bench: N keys in a token, and for each a certificate for
 * EACH numbers in one range, under a CA and a log of their own.
 *
 *	crowd MODULE LABEL PIN-FILE CONSTRAINTS N EACH OUT
 *
 * CONSTRAINTS is as tests/unit/spec.h reads them.  OUT gets trust-anchors.pem,
 * ct-logs.json and a chain for each tenant, t00000.pem and so on.  The keys are
 * made as the admin makes them; the certificates are real.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pkcs11/hsm.h"
#include "pkcs11/keypair.h"
#include "pkcs11/p11rc.h"
#include "stir/es256.h"
#include "stir/tnauth.h"
#include "tests/unit/pki.h"
#include "tests/unit/spec.h"

enum { DAY_S = 86400, LEAF_DAYS = 5, PEM_MAX = 65536, PATH_LEN = 512 };

static const uint64_t first_number = 12000000000;

struct authority {
	EVP_PKEY *root_key, *ca_key, *log_key;
	X509 *root, *ca;
	int64_t now_s;
};

static void
must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "crowd: %s\n", what);
	exit(1);
}

static void
write_file(const char *folder, const char *name, struct buf *text)
{
	char path[PATH_LEN];
	FILE *file;

	must(snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path, "a path");
	must(buf_check(text, NULL) == RC_OK, "no memory");
	file = fopen(path, "w");
	must(file != NULL && fwrite(text->ptr, 1, text->len, file) == text->len &&
		 fclose(file) == 0,
	    path);
}

/* ---- who issues ---- */

static X509 *
issue_ca(const struct authority *a, EVP_PKEY *key, const char *cn)
{
	return pki_issue(&(struct pki_spec){ .cn = cn,
	    .key = key,
	    .issuer = a->root,
	    .issuer_key = a->root_key,
	    .ca = true,
	    .not_before_s = a->now_s - DAY_S,
	    .not_after_s = a->now_s + INT64_C(365) * DAY_S });
}

static struct authority
found(const char *out)
{
	struct authority a = { .now_s = time(NULL) };
	AUTO_BUF pem = BUF_INIT(PEM_MAX), logs = BUF_INIT(PEM_MAX);

	a.root_key = pki_p256();
	a.ca_key = pki_p256();
	a.log_key = pki_p256();
	a.root = issue_ca(&a, a.root_key, "Root");
	a.ca = issue_ca(&a, a.ca_key, "CA");
	pki_pem(&pem, a.root);
	write_file(out, "trust-anchors.pem", &pem);
	buf_str(&logs, "{\"operators\":[{\"name\":\"one\",\"logs\":[{\"key\":\"");
	pki_spki(&logs, a.log_key);
	buf_str(&logs, "\",\"log_id\":\"");
	pki_log_id(&logs, a.log_key);
	buf_str(
	    &logs, "\",\"state\":{\"usable\":{\"timestamp\":\"2020-01-01T00:00:00Z\"}}}]}]}");
	write_file(out, "ct-logs.json", &logs);
	return a;
}

static void
issue_leaf(const struct authority *a, const struct key *key, size_t t, uint32_t each,
    struct span constraints, struct buf *pem)
{
	AUTO_BUF list = BUF_INIT(4096), sct = BUF_INIT(4096), scts = BUF_INIT(4096);
	struct tnauth_entry range = { .kind = TNAUTH_RANGE, .count = each };
	struct pki_spec spec = { .cn = "SHAKEN 1234",
		.issuer = a->ca,
		.issuer_key = a->ca_key,
		.not_before_s = a->now_s - 3600,
		.not_after_s = a->now_s + LEAF_DAYS * DAY_S,
		.enhanced_constraints = constraints };
	char number[TN_MAX + 1], serial[17];
	X509 *x;

	snprintf(number, sizeof number, "%llu", (unsigned long long)(first_number + t * each));
	snprintf(serial, sizeof serial, "%016zx", t + 1);
	spec.serial = serial;
	must(tn_exact(span_str(number), &range.start, NULL) == RC_OK, "a number");
	must(tnauth_encode(&list, &range, 1, NULL) == RC_OK, "a list");
	must(p256_from_point(key->point, &spec.key, NULL) == RC_OK, "a point");
	spec.tnauth = buf_view(&list);
	pki_sct(&sct, &spec, a->log_key, (a->now_s - 60) * 1000);
	pki_sct_list(&scts, buf_view(&sct));
	spec.scts = buf_view(&scts);
	x = pki_issue(&spec);
	pki_pem(pem, x);
	pki_pem(pem, a->ca);
	X509_free(x);
	EVP_PKEY_free(spec.key);
}

/* ---- the token ---- */

static void
open_token(struct hsm *h, const struct hsm_options *o, struct session *s)
{
	struct fault f = { 0 };

	if (hsm_start(h, o, getuid(), -1, &f) != RC_OK) {
		fprintf(stderr, "crowd: %s: %s\n", f.reason, f.detail);
		exit(1);
	}
	must(session_open(s, &h->login) == CKR_OK, "a session");
}

static void
make_all(struct hsm *h, struct session *s, size_t n, uint32_t each, struct span constraints,
    const char *out)
{
	struct authority a = found(out);

	for (size_t t = 0; t < n; t++) {
		AUTO_BUF pem = BUF_INIT(PEM_MAX);
		struct key key;
		char name[32];
		CK_RV rv = keypair_make(&h->login, h->map, s->handle, NULL, &key);

		must(rv == CKR_OK, p11rc_name(rv));
		issue_leaf(&a, &key, t, each, constraints, &pem);
		snprintf(name, sizeof name, "t%05zu.pem", t);
		write_file(out, name, &pem);
	}
}

int
main(int argc, char **argv)
{
	static struct hsm hsm;
	AUTO_BUF der = BUF_INIT(PEM_MAX), pin = BUF_INIT(PATH_LEN);
	struct hsm_options o = { .admin = true, .threads = 1 };
	struct constraints *c;
	struct session session;

	if (argc != 8) {
		fprintf(stderr, "usage: crowd MODULE LABEL PIN-FILE CONSTRAINTS N EACH OUT\n");
		return 2;
	}
	buf_printf(&pin, "file:%s", argv[3]);
	o.module = argv[1];
	o.label = argv[2];
	o.pin = buf_text(&pin);
	c = make(argv[4], CONSTRAINTS_ENHANCED);
	must(constraints_encode(&der, c, NULL) == RC_OK, "constraints");
	constraints_free(c);
	open_token(&hsm, &o, &session);
	make_all(&hsm, &session, strtoul(argv[5], NULL, 10),
	    (uint32_t)strtoul(argv[6], NULL, 10), buf_view(&der), argv[7]);
	fflush(NULL);
	_exit(0); /* as the roles do: SoftHSM's destructors and OpenSSL's do not agree */
}
