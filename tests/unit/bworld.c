#include "tests/unit/bworld.h"

#include <stdio.h>
#include <sys/stat.h>

#include "agent/front/ops.h"
#include "agent/front/store.h"
#include "agent/log.h"
#include "pkcs11/p256.h"
#include "stir/b64.h"
#include "stir/tnauth.h"
#include "tests/unit/cm.h"
#include "tests/unit/tree.h"

static const char main_conf[] =
    "state_dir = \"state\"\n"
    "audit_dir = \"audit\"\n"
    "trust_anchors = \"anchors.pem\"\n"
    "authority_anchors = \"anchors.pem\"\n"
    "ct_logs = \"ct-logs.json\"\n"
    "admin_socket = \"admin.sock\"\n"
    "listen \"main\" { path = \"vesper.sock\" }\n"
    "token \"main\" { module = \"/usr/lib/softhsm/libsofthsm2.so\" label = \"vesper\"\n"
    "  pin = \"file:pin\" lock_file = \"token.lock\" }\n"
    "ca \"lab\" { directory = \"https://127.1.2.3:14000/directory\" token = \"main\"\n"
    "  eab_kid = \"platform-1\" eab_key = \"file:eab\" terms_agreed = yes\n"
    "  contact = { \"mailto:noc@example.net\" } csr_country = \"US\"\n"
    "  csr_organization = \"Example\" }\n"
    "ca \"second\" { directory = \"https://ca.example/dir\" token = \"main\"\n"
    "  tkauth_response = \"both\" }\n"
    "ca \"named\" { directory = \"https://127.1.2.3:14000/directory\" token = \"main\"\n"
    "  domain_challenge = \"dns-01\" domain_command = { \"/bin/true\" } }\n"
    "authority \"numbers\" { url = \"https://127.1.2.3:14001\" }\n"
    "authority \"claims\" { url = \"https://127.1.2.3:14002\" }\n";

void
bworld_file(const char *path, const char *text)
{
	FILE *f;

	if (text == NULL) {
		(void)unlink(path);
		return;
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

void
bworld_main(const char *more)
{
	AUTO_BUF text = BUF_INIT(65536);

	buf_str(&text, more);
	buf_str(&text, main_conf);
	bworld_file("vesperd.conf", buf_text(&text));
}

void
bworld_main_without(const char *line)
{
	AUTO_BUF text = BUF_INIT(65536);
	const char *at = strstr(main_conf, line);

	assert_non_null(at);
	buf_put(&text, main_conf, (size_t)(at - main_conf));
	buf_str(&text, at + strlen(line));
	bworld_file("vesperd.conf", buf_text(&text));
}

void
bworld_tenant(const char *name, const char *inside)
{
	AUTO_BUF text = BUF_INIT(1 << 20);
	char path[128];

	snprintf(path, sizeof path, "tenants.d/%s.conf", name);
	if (inside != NULL) {
		buf_str(&text, "tenant \"");
		buf_str(&text, name);
		buf_str(&text, "\" {\n");
		buf_str(&text, inside);
		buf_str(&text, "}\n");
	}
	bworld_file(path, inside != NULL ? buf_text(&text) : NULL);
}

static X509 *
make_root(EVP_PKEY *key, const char *cn)
{
	return pki_issue(&(struct pki_spec){ .cn = cn,
	    .key = key,
	    .ca = true,
	    .not_before_s = PKI_NOW - 86400 * 365,
	    .not_after_s = PKI_NOW + INT64_C(86400) * 3650 });
}

static void
write_logs(struct bworld *w)
{
	AUTO_BUF text = BUF_INIT(65536), key = BUF_INIT(4096), id = BUF_INIT(4096);

	pki_spki(&key, w->log_key);
	pki_log_id(&id, w->log_key);
	buf_str(&text, "{\"operators\":[{\"name\":\"one\",\"logs\":[{\"key\":\"");
	buf_span(&text, buf_view(&key));
	buf_str(&text, "\",\"log_id\":\"");
	buf_span(&text, buf_view(&id));
	buf_str(
	    &text, "\",\"state\":{\"usable\":{\"timestamp\":\"2020-01-01T00:00:00Z\"}}}]}]}");
	bworld_file("ct-logs.json", buf_text(&text));
}

static void
audit(void *arg, json_t *record)
{
	struct bworld *w = arg;

	assert_int_equal(json_array_append_new(w->audit, record), 0);
}

static enum rc
publish(void *arg, struct credset *set, bool wait_for_keys, struct fault *f)
{
	struct bworld *w = arg;

	(void)set;
	w->published++;
	w->waited += wait_for_keys;
	if (w->publish_rc != RC_OK)
		return FAULT(f, w->publish_rc, "hsm_unavailable", "not in force");
	if (wait_for_keys && w->learn_rc != RC_OK)
		return FAULT(f, w->learn_rc, "hsm_unavailable", "no signer learnt it");
	return RC_OK;
}

static void
account(void *arg, json_t *word)
{
	struct bworld *w = arg;

	assert_int_equal(json_array_append_new(w->accounts, word), 0);
}

static void
alarm_word(void *arg, json_t *word)
{
	struct bworld *w = arg;

	assert_int_equal(json_array_append_new(w->alarms, word), 0);
}

void
bworld_open(struct bworld *w)
{
	AUTO_BUF pem = BUF_INIT(65536);

	*w = (struct bworld){ .dir = "/tmp/vesper-builder-XXXXXX" };
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chdir(w->dir), 0);
	log_open("test", LEVEL_ERR);
	w->root_key = pki_p256();
	w->other_key = pki_p256();
	w->log_key = pki_p256();
	w->root = make_root(w->root_key, "Root");
	w->other_root = make_root(w->other_key, "Other");
	pki_pem(&pem, w->root);
	bworld_file("anchors.pem", buf_text(&pem));
	write_logs(w);
	assert_int_equal(mkdir("tenants.d", 0700), 0);
	assert_int_equal(mkdir("www", 0755), 0);
	bworld_main("");
	w->admin = softadmin_new();
	w->audit = json_array();
	w->accounts = json_array();
	w->alarms = json_array();
}

void
bworld_close(struct bworld *w)
{
	softadmin_free(w->admin);
	json_decref(w->audit);
	json_decref(w->accounts);
	json_decref(w->alarms);
	X509_free(w->root);
	X509_free(w->other_root);
	EVP_PKEY_free(w->root_key);
	EVP_PKEY_free(w->other_key);
	EVP_PKEY_free(w->log_key);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(tree_remove(w->dir), 0);
}

void
bworld_works(struct bworld *w, struct works *works, int64_t now_s)
{
	struct fault f = { 0 };
	struct works_out out = { w, publish, audit, account, alarm_word };

	if (works_init(works, "vesperd.conf", &out, &f) != RC_OK ||
	    works_load(works, now_s, &f) != RC_OK)
		fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
	w->connections++;
	token_admin_attach(
	    works->token[0].admin, softadmin_connect(w->admin, w->connections), w->connections);
}

static void
make_scts(
    struct bworld *w, const struct bworld_cert *c, const struct pki_spec *s, struct buf *out)
{
	AUTO_BUF list = BUF_INIT(65536);
	AUTO_OSSL(EVP_PKEY) *unknown = pki_p256();
	int64_t at_ms = c->sct_ms != 0 ? c->sct_ms : (PKI_NOW - 60) * 1000;

	for (int i = 0; i < c->scts; i++)
		pki_sct(&list, s, i == 0 ? w->log_key : unknown, at_ms);
	pki_sct_list(out, buf_view(&list));
}

/* A CA below the issuer so far, which issues from here on. */
static X509 *
make_parent(struct pki_spec *s, EVP_PKEY *key, const struct bworld_cert *c)
{
	X509 *x = pki_issue(&(struct pki_spec){ .cn = "Parent",
	    .key = key,
	    .issuer = s->issuer,
	    .issuer_key = s->issuer_key,
	    .ca = true,
	    .not_before_s = s->not_before_s,
	    .not_after_s = s->not_after_s,
	    .serial = c->parent_points.len > 0 ? "77" : NULL,
	    .crl_points = c->parent_points,
	    .tnauth = c->parent });

	s->issuer = x;
	s->issuer_key = key;
	return x;
}

void
bworld_issue(struct bworld *w, struct buf *out, const struct bworld_cert *c)
{
	AUTO_OSSL(EVP_PKEY) *key = NULL;
	AUTO_OSSL(EVP_PKEY) *parent_key = c->parent.len > 0 ? pki_p256() : NULL;
	AUTO_OSSL(X509) *leaf = NULL, *parent = NULL;
	AUTO_BUF scts = BUF_INIT(65536);
	struct pki_spec s = {
		.cn = "Leaf",
		.issuer = c->other_root ? w->other_root : w->root,
		.issuer_key = c->other_root ? w->other_key : w->root_key,
		.ca = c->ca,
		.not_before_s = c->not_before_s,
		.not_after_s = c->not_after_s,
		.serial = c->serial,
		.san = c->san,
		.policies = c->policies,
		.aia = c->aia,
		.tnauth = c->tnauth,
		.crl_points = c->points,
		.faults = c->no_ski ? PKI_NO_SKI : 0,
	};

	assert_int_equal(p256_from_point(c->point, &key, NULL), RC_OK);
	s.key = key;
	if (parent_key != NULL)
		parent = make_parent(&s, parent_key, c);
	if (c->enhanced)
		s.enhanced_constraints = c->constraints;
	else
		s.jwt_constraints = c->constraints;
	if (c->scts > 0) {
		make_scts(w, c, &s, &scts);
		s.scts = buf_view(&scts);
	}
	leaf = pki_issue(&s);
	if (c->root_first)
		pki_pem(out, w->root);
	pki_pem(out, leaf);
	if (parent != NULL)
		pki_pem(out, parent);
}

void
bworld_tnauth(struct buf *out, const char *numbers)
{
	struct tn_interval list[64];
	AUTO(tnset) *set = NULL;
	AUTO_FREE struct tnauth_entry *entry = NULL;
	size_t n = 0, len;

	while (*numbers != 0) {
		len = strcspn(numbers, ",");
		assert_true(n < ARRAY_LEN(list));
		assert_int_equal(tnset_parse(span_of(numbers, len), &list[n++], NULL), RC_OK);
		numbers += len + (numbers[len] == ',');
	}
	assert_int_equal(tnset_build(list, n, &set, NULL), RC_OK);
	assert_int_equal(tnauth_from_set(set, TNAUTH_MAX_ENTRIES, &entry, &n, NULL), RC_OK);
	assert_int_equal(tnauth_encode(out, entry, n, NULL), RC_OK);
}

void
bworld_put(struct bworld *w, const char *path, const struct bworld_cert *spec)
{
	AUTO_BUF pem = BUF_INIT(65536);
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	struct bworld_cert own = *spec;
	uint8_t point[P256_POINT_LEN];

	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	if (own.point == NULL)
		own.point = point;
	bworld_issue(w, &pem, &own);
	assert_int_equal(store_write(path, buf_view(&pem), 0600, NULL), RC_OK);
}

void
bworld_again(struct bworld *w, struct works *works, int64_t now_s)
{
	works_done(works);
	bworld_works(w, works, now_s);
}

void
bworld_done(struct bworld *w, struct works *works)
{
	works_done(works);
	bworld_close(w);
}

json_t *
bworld_ask(struct works *works, json_t *msg, int64_t now_s)
{
	json_auto_t *mine = msg;
	json_t *out = NULL;
	int64_t again_s = 0;

	assert_non_null(mine);
	assert_int_equal(json_object_set_new(mine, "id", json_integer(1)), 0);
	ops_answer(works, mine, now_s, &out, &again_s);
	assert_non_null(out);
	return out;
}
