/*
 * The vesper command itself: the built program is run on files, and its
 * output and exit status are judged.
 */
#include "client/cli.h"
#include "stir/profile.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/rows.h"
#include "tests/unit/scripted.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define CALLER "12025550100"
#define CALLEE "12125550111"
#define NOW    "1800000000"
#define BASE   "{\"orig\":{\"tn\":\"" CALLER "\"},\"dest\":{\"tn\":[\"" CALLEE "\"]}}"
#define ORIGID "123e4567-e89b-12d3-a456-426655440000"
#define SHAKEN \
	"{\"orig\":{\"tn\":\"" CALLER "\"},\"dest\":{\"tn\":[\"" CALLEE \
	"\"]},\"attest\":\"A\",\"origid\":\"" ORIGID "\"}"

enum { OUTPUT_MAX = 1024 * 1024 };

static struct {
	char dir[64];
	EVP_PKEY *root_key, *leaf_key, *log_key;
	X509 *root;
} w;

/* ---- files -------------------------------------------------------------------------- */

static void
write_file(const char *name, struct span bytes)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", w.dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
}

static void
write_pem(const char *name, X509 *x)
{
	AUTO_BUF pem = BUF_INIT(20000);

	pki_pem(&pem, x);
	write_file(name, buf_view(&pem));
}

/* mustInclude {rcd} */
static const uint8_t must_rcd[] = { 0x30, 0x09, 0xa0, 0x07, 0x30, 0x05, 0x16, 0x03, 'r', 'c',
	'd' };

static struct pki_spec
leaf_spec(void)
{
	return (struct pki_spec){
		.cn = "leaf", .key = w.leaf_key, .issuer = w.root, .issuer_key = w.root_key
	};
}

/* RFC 8225 section 7: as it would be in full, but for all that the signalling says. */
static void
write_compact(void)
{
	AUTO_BUF jwt = BUF_INIT(4096), text = BUF_INIT(4096);
	struct span sig;

	pki_jws(&jwt,
	    "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5u\":\"https://cert.example/a.pem\"}",
	    "{\"dest\":{\"tn\":[\"" CALLEE "\",\"12125550112\"]},\"iat\":" NOW
	    ",\"orig\":{\"tn\":\"" CALLER "\"}}",
	    w.leaf_key);
	sig = span_str(strrchr(buf_text(&jwt), '.') + 1);
	buf_str(&text, "..");
	buf_span(&text, sig);
	write_file("bare.txt", buf_view(&text));
	buf_str(&text, ";info=<https://cert.example/a.pem>");
	write_file("compact.txt", buf_view(&text));
	buf_str(&text, ";ppt=shaken");
	write_file("shaken.txt", buf_view(&text));
}

static void
write_tokens(X509 *leaf)
{
	AUTO_BUF header = BUF_INIT(20000), jwt = BUF_INIT(65536), id = BUF_INIT(65536);

	buf_str(&header, "{\"alg\":\"ES256\",\"typ\":\"passport\",\"x5c\":");
	pki_x5c(&header, &leaf, 1);
	buf_str(&header, ",\"x5u\":\"https://cert.example/a.pem\"}");
	pki_jws(&jwt, buf_text(&header),
	    "{\"dest\":{\"tn\":[\"" CALLEE "\"]},\"iat\":" NOW ",\"orig\":{\"tn\":\"" CALLER
	    "\"}}",
	    w.leaf_key);
	write_file("passport.jwt", buf_view(&jwt));
	buf_str(&id, "Identity: ");
	buf_span(&id, buf_view(&jwt));
	buf_str(&id, ";info=<https://cert.example/a.pem>;alg=ES256\r\n");
	write_file("identity.txt", buf_view(&id));
	write_compact();
}

static void
write_leaves(void)
{
	AUTO_BUF one = BUF_INIT(100), spc = BUF_INIT(100), sct = BUF_INIT(1000);
	AUTO_BUF list = BUF_INIT(1000);
	AUTO_OSSL(X509) *leaf = NULL, *sp = NULL, *bound = NULL;
	struct pki_spec s = leaf_spec();

	pki_tnauth_one(&one, CALLER);
	pki_tnauth_spc(&spc, "1234");
	s.tnauth = buf_view(&one);
	pki_sct(&sct, &s, w.log_key, PKI_NOW * 1000 - 1000);
	pki_sct_list(&list, buf_view(&sct));
	s.scts = buf_view(&list);
	leaf = pki_issue(&s);
	write_pem("leaf.pem", leaf);
	write_tokens(leaf);
	s.scts = (struct span){ 0 };
	s.enhanced_constraints = span_of(must_rcd, sizeof must_rcd);
	bound = pki_issue(&s);
	write_pem("bound.pem", bound);
	s = leaf_spec();
	s.tnauth = buf_view(&spc);
	sp = pki_issue(&s);
	write_pem("sp.pem", sp);
}

static void
write_secret(const char *name, const char *text)
{
	char path[128];

	write_file(name, span_str(text));
	snprintf(path, sizeof path, "%s/%s", w.dir, name);
	assert_int_equal(chmod(path, 0600), 0);
}

#define SALT "AAECAwQFBgcICQoLDA0ODw"

/* A leaf whose permittedValues list one value of one claim. */
static void
write_permitted(const char *name, const char *claim, const char *value)
{
	AUTO_BUF one = BUF_INIT(100), der = BUF_INIT(1000);
	AUTO_OSSL(X509) *leaf = NULL;
	struct pki_spec s = leaf_spec();
	struct permitted p = { (char *)(uintptr_t)claim, (char *[]){ (char *)(uintptr_t)value },
		1 };
	const struct constraints k = { .permitted = &p, .permitteds = 1 };

	assert_int_equal(constraints_encode(&der, &k, NULL), RC_OK);
	pki_tnauth_one(&one, CALLER);
	s.tnauth = buf_view(&one);
	s.jwt_constraints = buf_view(&der);
	leaf = pki_issue(&s);
	write_pem(name, leaf);
}

/* One of each switch that "vesper check" shares with a credential's section. */
static void
write_switched(void)
{
	/* 99999999990 and 9 more (RFC 8226 section 9, D-03) */
	static const uint8_t nines[] = { 0x30, 0x14, 0xa1, 0x12, 0x30, 0x10, 0x16, 0x0b, '9',
		'9', '9', '9', '9', '9', '9', '9', '9', '9', '0', 0x02, 0x01, 0x0a };
	static const uint8_t salt[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	AUTO_OSSL(X509) *leaf = NULL;
	struct pki_spec s = leaf_spec();
	json_auto_t *seven = json_integer(7);
	char digest[PRIVACY_DIGEST_TEXT];

	s.tnauth = span_of(nines, sizeof nines);
	leaf = pki_issue(&s);
	write_pem("nines.pem", leaf);
	write_permitted("absent.pem", "pid", "7");
	write_permitted("spaced.pem", "pid", "{\"b\":1, \"a\":2}");
	write_permitted("quoted.pem", "pid", "\"x\"");
	assert_int_equal(
	    privacy_digest(span_of(salt, sizeof salt), seven, digest, NULL), RC_OK);
	write_permitted("commit.pem", "pid#commit-sha-256", digest);
	write_secret("salts", SALT " pid\n");
	write_secret("others", SALT " pad\n");
}

static void
write_logs(void)
{
	AUTO_BUF json = BUF_INIT(10000);

	buf_str(&json, "{\"operators\":[{\"logs\":[{\"state\":\"usable\",\"key\":\"");
	pki_spki(&json, w.log_key);
	buf_str(&json, "\"}]}]}");
	write_file("logs.json", buf_view(&json));
}

/* Of a curve that no agent signs with. */
static void
write_csr(void)
{
	AUTO_OSSL(EVP_PKEY) *key = EVP_EC_gen("P-384");
	AUTO_OSSL(X509_REQ) *req = X509_REQ_new();
	AUTO_OSSL(BIO) *bio = BIO_new(BIO_s_mem());
	char *pem = NULL;
	long len;

	assert_true(
	    X509_REQ_set_pubkey(req, key) == 1 && X509_REQ_sign(req, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_REQ(bio, req), 1);
	len = BIO_get_mem_data(bio, &pem);
	write_file("p384.csr", span_of(pem, (size_t)len));
}

static int
make_world(void **state)
{
	(void)state;
	snprintf(w.dir, sizeof w.dir, "/tmp/vesper-cli-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	w.root_key = pki_p256();
	w.leaf_key = pki_p256();
	w.log_key = pki_p256();
	w.root = pki_issue(&(struct pki_spec){ .cn = "Root", .key = w.root_key, .ca = true });
	write_pem("root.pem", w.root);
	write_leaves();
	write_switched();
	write_logs();
	write_file("base.json", span_str(BASE));
	write_file("shaken.json", span_str(SHAKEN));
	write_file(
	    "rcd.json", span_str("{\"orig\":{\"tn\":\"" CALLER "\"},\"dest\":{\"tn\":[\"" CALLEE
				 "\"]},\"rcd\":{\"nam\":\"A\"}}"));
	write_file("other.json",
	    span_str("{\"orig\":{\"tn\":\"12025550101\"},\"dest\":{\"tn\":[\"" CALLEE "\"]}}"));
	write_file("twice.json", span_str("{\"orig\":1,\"orig\":2}"));
	write_file("broken.json", span_str("{\"orig\":"));
	write_file("stale.json",
	    span_str("{\"orig\":{\"tn\":\"" CALLER "\"},\"dest\":{\"tn\":[\"" CALLEE
		     "\"]},\"iat\":1443208345}"));
	write_file("dots.der", span_of("\x30\x06\x16\x04"
				       "a;.b",
				   8));
	write_file("some.conf", span_str("trust_anchors = \"base.json\"\n"));
	write_file("eab.conf",
	    span_str("trust_anchors = \"root.pem\"\n"
		     "token \"main\" { module = \"/m.so\" label = \"l\" pin = \"file:p\" }\n"
		     "ca \"lab\" { directory = \"https://h/\" token = \"main\"\n"
		     "  eab_kid = \"k\" eab_key = \"file:list.json\" }\n"));
	write_file("list.json", span_str("[]"));
	write_csr();
	write_file("list.der", span_of("\x30\x08\xa0\x06\x16\x04\x31\x32\x33\x34", 10));
	return 0;
}

static int
drop_world(void **state)
{
	static const char *const files[] = { "root.pem", "leaf.pem", "bound.pem", "sp.pem",
		"passport.jwt", "identity.txt", "logs.json", "base.json", "shaken.json",
		"rcd.json", "other.json", "twice.json", "broken.json", "stale.json", "list.der",
		"dots.der", "list.json", "some.conf", "eab.conf", "p384.csr", "stdin", "stdout",
		"stderr", "nines.pem", "absent.pem", "spaced.pem", "quoted.pem", "commit.pem",
		"salts", "others", "bare.txt", "compact.txt", "shaken.txt" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof path, "%s/%s", w.dir, files[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(w.dir), 0);
	EVP_PKEY_free(w.root_key);
	EVP_PKEY_free(w.leaf_key);
	EVP_PKEY_free(w.log_key);
	X509_free(w.root);
	return 0;
}

/* ---- running -------------------------------------------------------------------------- */

enum { ARGV_MAX = 32 };

static void
redirect(posix_spawn_file_actions_t *actions, int fd, const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", w.dir, name);
	posix_spawn_file_actions_addopen(actions, fd, path, flags, 0600);
}

static int
wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ./vesper with these arguments; the exit status. */
static int
run_in(char *const *argv, char *const *environment)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	redirect(&actions, 0, "stdin", O_RDONLY);
	redirect(&actions, 1, "stdout", O_WRONLY | O_CREAT | O_TRUNC);
	redirect(&actions, 2, "stderr", O_WRONLY | O_CREAT | O_TRUNC);
	assert_int_equal(posix_spawn(&pid, "./vesper", &actions, NULL, argv, environment), 0);
	posix_spawn_file_actions_destroy(&actions);
	return wait_for(pid);
}

static int
run(char *const *argv)
{
	static char *const environment[] = { NULL };

	return run_in(argv, environment);
}

static void
read_output(const char *name, struct buf *out)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", w.dir, name);
	assert_int_equal(cli_read(path, out, NULL), RC_OK);
}

/* "@name" is the file of that name; words are cut at blanks. */
static void
split(const char *line, char *argv[ARGV_MAX])
{
	size_t n = 0;

	argv[n++] = strdup("vesper");
	while (*line != 0) {
		size_t len = strcspn(line, " ");
		char word[300];

		if (line[0] == '@')
			snprintf(word, sizeof word, "%s/%.*s", w.dir, (int)len - 1, line + 1);
		else
			snprintf(word, sizeof word, "%.*s", (int)len, line);
		assert_true(n < ARGV_MAX - 1);
		argv[n++] = strdup(word);
		line += len + (line[len] == ' ');
	}
	argv[n] = NULL;
}

#define COMPACT	  "verify --trust @root.pem --ct-logs @logs.json --chain @leaf.pem --at " NOW " "
#define ORIG_DEST "--orig " CALLER " --dest " CALLEE " --dest 12125550112 "
#define WITH(more) \
	"{\"orig\":{\"tn\":\"" CALLER "\"},\"dest\":{\"tn\":[\"" CALLEE "\"]}," more "}"
#define VPER \
	"\"vper\":{\"id\":\"e-1\",\"glue\":[\"urn:glue:lei:5493001KJTIIGC8Y1R12\"],\"name\":" \
	"\"A\"," \
	"\"domain\":\"a.example\"}"
#define RCD_Q "sha256-2lPcUAHvHocr1XW9ONn6/nW5oT6ZWs3v6LvRP0DhKCk"

/* PASSporTs of a call from 13035550100 to CALLER, and to another; nobody signed them. */
#define ANSWERED \
	"eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9hLmV4YW1w" \
	"bGUvYy5wZW0ifQ.eyJkZXN0Ijp7InRuIjpbIjEyMDI1NTUwMTAwIl19LCJpYXQiOjE4MDAwM" \
	"DAwMDAsIm9yaWciOnsidG4iOiIxMzAzNTU1MDEwMCJ9fQ.AQEBAQEBAQEBAQEBAQEBAQEBAQ" \
	"EBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"
#define ELSEWHERE \
	"eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9hLmV4YW1w" \
	"bGUvYy5wZW0ifQ.eyJkZXN0Ijp7InRuIjpbIjEyMDI1NTUwMTk5Il19LCJpYXQiOjE4MDAwM" \
	"DAwMDAsIm9yaWciOnsidG4iOiIxMzAzNTU1MDEwMCJ9fQ.AQEBAQEBAQEBAQEBAQEBAQEBAQ" \
	"EBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"
#define DIVERTED(more) \
	"{\"orig\":{\"tn\":\"13035550100\"},\"dest\":{\"tn\":[\"" CALLEE "\"]}," \
	"\"div\":{\"tn\":\"" CALLER "\"}" more "}"

static struct run_case {
	const char *name, *line, *input;
	int status;
	const char *out[4]; /* parts of the output; JSON is compared without white space */
	const char *err;    /* a part of stderr; NULL: nothing there */
} cases[] = {
	/* clang-format off */
	{ "doctor: an argument", "doctor acme", "", 2, { NULL }, "it takes no arguments" },
	{ "doctor: neither a configuration nor an agent", "doctor -c nowhere.conf", "", 1,
	    { "FAILED   configuration", "FAILED   agent", "0 ok, 0 warnings, 2 failed" }, NULL },
	{ "doctor: the same for programs", "doctor -c nowhere.conf --json", "", 1,
	    { "\"schema\":\"vesper/doctor/1\"", "\"ok\":false", "\"verdict\":\"FAILED\"" }, NULL },
	{ "tenant test: no tenant", "tenant test", "", 2, { NULL }, "tenant test TENANT" },
	{ "tenant test: no configuration", "tenant test acme -c nowhere.conf", "", 2, { NULL },
	    "nowhere.conf" },
	{ "cert: what does not wait", "cert list --wait", "", 2, { NULL },
	    "--wait goes with cert renew" },
	{ "tenant: nothing", "tenant", "", 2, { NULL }, "failover, or tenant offboard" },
	{ "tenant offboard: nobody", "tenant offboard", "", 2, { NULL }, "offboard TENANT --yes" },
	{ "tenant offboard: two", "tenant offboard a b --yes", "", 2, { NULL }, "offboard TENANT" },
	{ "tenant offboard: unsaid", "tenant offboard acme", "", 2, { NULL }, "say --yes" },
	{ "tenant offboard: the keys unsaid", "tenant offboard acme --destroy-keys", "", 2, { NULL },
	    "say --yes" },
	{ "tenant offboard: back, too", "tenant offboard acme --yes --take-back", "", 2, { NULL },
	    "--take-back" },
	{ "tenant offboard: two at once", "tenant offboard acme --status --take-back", "", 2,
	    { NULL }, "--take-back" },
	{ "tenant offboard: forced from the start", "tenant offboard acme --yes --force", "", 2,
	    { NULL }, "--force" },
	{ "tenant offboard: no name", "tenant offboard ../acme --yes", "", 2, { NULL },
	    "no name of a tenant" },
	{ "tenant offboard: no agent", "tenant offboard acme --yes --socket /nonexistent/s", "", 5,
	    { NULL }, "cannot reach the agent" },
	{ "tenant test: --yes", "tenant test acme --yes", "", 2, { NULL }, "offboard TENANT" },
	{ "tenant numbers: no verb", "tenant numbers", "", 2, { NULL }, "numbers list TENANT" },
	{ "tenant numbers: no such verb", "tenant numbers set acme 1", "", 2, { NULL }, "list TENANT" },
	{ "tenant numbers: list of none", "tenant numbers list", "", 2, { NULL }, "list TENANT" },
	{ "tenant numbers: list of two", "tenant numbers list a b", "", 2, { NULL }, "list TENANT" },
	{ "tenant numbers: no number", "tenant numbers add acme", "", 2, { NULL }, "list TENANT" },
	{ "tenant numbers: no name", "tenant numbers add A/b 1", "", 2, { NULL }, "no name of a tenant" },
	{ "tenant numbers: no telephone number", "tenant numbers add acme 1 12x", "", 2, { NULL },
	    "write 12025550100 or 12025550110-12025550119" },
	{ "tenant numbers: a line that is none", "tenant numbers remove acme -",
	    "# two\n\n 12025550100 # one\n12025550119-12025550110\n", 2, { NULL }, "line 4" },
	{ "tenant numbers: an empty list is nothing to do", "tenant numbers add acme -",
	    "# none\n\n", 0, { NULL }, NULL },
	{ "version", "version", "", 0, { "vesper " VESPER_VERSION, VESPER_DRAFT }, NULL },
	{ "version as an option", "--version", "", 0, { "vesper " VESPER_VERSION }, NULL },
	{ "version as an option with more", "--version status", "", 2, { NULL }, "--version" },
	{ "version as JSON", "--json version", "", 0,
	    { "{\"schema\":\"vesper/version/1\",\"version\":\"" VESPER_VERSION "\"" }, NULL },
	{ "help", "--help", "", 0, { "status", "inspect" }, NULL },
	{ "help of cert", "cert --help", "", 0,
	    { "cert history TENANT/NAME", "cert revoke TENANT/NAME [--serial HEX]" }, NULL },
	{ "help of a command", "check --help", "", 0, { "--allow-claim" }, NULL },
	{ "no command", "", "", 2, { NULL }, "usage" },
	{ "no such command", "frobnicate", "", 2, { NULL }, "no such command: frobnicate" },
	{ "unknown option", "version --frob", "", 2, { NULL }, "unknown option --frob" },

	{ "tn", "inspect --type tn -", "+1 (202) 555-0100\n", 0, { CALLER "\n" }, NULL },
	{ "tn as JSON", "inspect --json --type tn -", "+1 202 555 0100 \n", 0,
	    { "{\"schema\":\"vesper/inspect/1\",\"type\":\"tn\",\"tn\":\"" CALLER "\",\"problems\":[]}" },
	    NULL },
	{ "tel URI", "inspect --type=tn -", "tel:+1-202-555-0100;ext=7", 0, { CALLER "\n" }, NULL },
	{ "sip URI", "inspect --type=tn -", "sip:+12025550100@example.com;user=phone", 0,
	    { CALLER "\n" }, NULL },
	{ "tel URI of a local number", "inspect --json --type=tn -", "tel:7042;phone-context=example.com",
	    1, { "\"reason\":\"invalid_tn\"" }, "phone-context would need a dial plan" },
	{ "tel URI with a prefix as context", "inspect --type=tn -",
	    "tel:202-555-0100;ext=7;Phone-Context=+1", 1, { NULL }, "phone-context" },
	{ "tel URI of a global number with a context", "inspect --type=tn -",
	    "tel:+12025550100;phone-context=+1", 0, { CALLER "\n" }, NULL },
	{ "tel URI with a parameter like it", "inspect --type=tn -", "tel:12025550100;phone-contexts=x",
	    0, { CALLER "\n" }, NULL },
	{ "sip URI of a local number", "inspect --type=tn -",
	    "sip:7042;phone-context=example.com@example.com;user=phone", 1, { NULL }, "phone-context" },
	{ "sip URI whose own parameter it is", "inspect --type=tn -",
	    "sip:12025550100@example.com;phone-context=x", 0, { CALLER "\n" }, NULL },
	{ "letters", "inspect --type tn -", "1800FLOWERS", 1, { NULL }, "invalid_tn" },
	{ "sixteen digits", "inspect --json --type tn -", "1234567890123456", 1,
	    { "\"reason\":\"invalid_tn\"" }, "invalid_tn" },
	{ "empty tn", "inspect --type tn -", "", 1, { NULL }, "invalid_tn" },

	{ "TNAuthList of an SPC", "inspect --json --type tnauthlist @list.der", "", 0,
	    { "\"entries\":[{\"spc\":\"1234\"}]" }, NULL },
	{ "TNAuthList in hex", "inspect --json --hex --type tnauthlist -",
	    "300f a20d 160b 3132303135353530313030\n", 0, { "\"entries\":[{\"one\":\"12015550100\"}]" },
	    NULL },
	{ "TNAuthList with a range", "--json inspect --hex --type tnauthlist -",
	    "3014 a112 3010 160b 3132303235353530313030 02010a", 0,
	    { "{\"range\":{\"start\":\"12025550100\",\"count\":10}}", "\"numbers\":10" }, NULL },
	{ "TNAuthList with implicit tags", "inspect --json --hex --type tnauthlist -",
	    "300d820b3132303135353530313030", 1, { "\"reason\":\"tnauth_choice\"" }, "tnauth_choice" },
	{ "TNAuthList cut", "inspect --hex --type tnauthlist -", "3008a006160431323", 1, { NULL },
	    "hex" },

	{ "constraints", "inspect --json --hex --type jwtcc -", "3009a00730051603726364", 0,
	    { "\"must_include\":[\"rcd\"],\"permitted_values\":[],\"must_exclude\":[]" }, NULL },
	{ "constraints of RFC 9118", "inspect --json --hex --type ejwtcc -",
	    "3040a00e300c160a636f6e666964656e6365a120301e301c160a636f6e666964656e6365300e0c04686967"
	    "680c066d656469756da20c300a16087072696f72697479", 0,
	    { "\"must_include\":[\"confidence\"]",
		"\"permitted_values\":[{\"claim\":\"confidence\",\"values\":[\"high\",\"medium\"]}]",
		"\"must_exclude\":[\"priority\"]" }, NULL },
	{ "mustExclude in the old form", "inspect --hex --type jwtcc -", "3009a20730051603726364", 1,
	    { NULL }, "" },
	{ "base claim forbidden", "inspect --json --hex --type ejwtcc -", "3009a20730051603696174", 4,
	    { "\"must_exclude\":[\"iat\"]", "\"reason\":\"credential_unusable\"" }, NULL },

	{ "json", "inspect --type json -", "{ \"b\": [1, {\"d\":null,\"c\":true}], \"a\": \"x/\\u00e9\" }",
	    0, { "{\"a\":\"x/\303\251\",\"b\":[1,{\"c\":true,\"d\":null}]}\n" }, NULL },
	{ "json as JSON", "inspect --json --type json -", "{\"b\":1,\"a\":2}", 0,
	    { "\"serialised\":\"{\\\"a\\\":2,\\\"b\\\":1}\"" }, NULL },
	{ "json with a fraction", "inspect --type json -", "{\"a\":1.5}", 1, { NULL }, "malformed_json" },
	{ "json with a member twice", "inspect --type json -", "{\"a\":1,\"a\":2}", 1, { NULL },
	    "duplicate_member" },
	{ "json that is a list", "inspect --type json -", "[1]", 1, { NULL }, "no JSON object" },

	{ "certificate that is not valid yet", "inspect --json @leaf.pem", "", 4,
	    { "\"type\":\"cert\"", "\"tnauthlist\":{\"entries\":[{\"one\":\"" CALLER "\"}]",
		"\"scts\":true", "\"reason\":\"credential_expired\"" }, NULL },
	{ "certificate of a CA", "inspect --json @root.pem", "", 4,
	    { "\"ca\":true", "\"reason\":\"credential_unusable\"" }, NULL },
	{ "PASSporT", "inspect --json @passport.jwt", "", 0,
	    { "\"type\":\"passport\"", "\"iat\":" NOW, "\"problems\":[]" }, NULL },
	{ "Identity value", "inspect --json @identity.txt", "", 0,
	    { "\"type\":\"identity\"", "\"info\":\"https://cert.example/a.pem\"", "\"compact\":false" },
	    NULL },
	{ "PASSporT that is cut", "inspect -", "eyJhbGciOiJFUzI1NiJ9.e30", 1, { NULL }, "jws_syntax" },
	{ "something", "inspect -", "something", 2, { NULL }, "--type" },
	{ "an empty certificate", "inspect --type cert -", "", 1, { NULL }, "chain_empty" },
	{ "DER with a semicolon in it", "inspect @dots.der", "", 2, { NULL }, "--type" },
	{ "hexadecimal that is none", "inspect --json --hex --type tnauthlist -", "3x", 1,
	    { "\"problems\":[{\"reason\":\"hex\"" }, "hex" },
	{ "hexadecimal of nothing known", "inspect --json --hex -", "3x", 1, { NULL }, "hex" },
	{ "request for a key of another kind", "inspect --json @p384.csr", "", 4,
	    { "p256_curve" }, NULL },
	{ "no such file", "inspect @nothing", "", 6, { NULL }, "nothing" },
	{ "no such type", "inspect --type fax -", "", 2, { NULL }, "no such type: fax" },
	{ "two files", "inspect @leaf.pem @root.pem", "", 2, { NULL }, "one file" },

	{ "rcd: RFC 9795 s8.3, nam and its digest (RFC 9795 s6.2)", "rcd --json --nam Q", "", 0,
	    { "\"claims\":{\"rcd\":{\"nam\":\"Q\"},\"rcdi\":{\"/nam\":\"" RCD_Q "\"}}",
		"\"must_include\":[\"rcd\",\"rcdi\"],\"permitted_values\":[{\"claim\":\"rcdi\","
		"\"values\":[\"{\\\"/nam\\\":\\\"" RCD_Q "\\\"}\"]}]",
		"\"der\":\"305ca00d300b1603726364160472636469a14b3049304716047263646930"
		"3f0c3d7b222f6e616d223a22", "\"oid\":\"1.3.6.1.5.5.7.1.27\"" }, NULL },
	{ "rcd: a picture and reasons (RFC 9795 s6.2, s7.1)",
	    "rcd --json --form enhanced --nam= --icn https://example.com/a.png --crn one --crn two "
	    "--content https://example.com/a.png=-", "png", 0,
	    { "\"/icn\":\"sha256-j4y7fc9G4Lx9UyZXSabBfRFgk6a6leRCdkBgx2/UqGw\"", "\"crn\":\"one\"",
		"{\"claim\":\"crn\",\"values\":[\"one\",\"two\"]}",
		"\"rcd_content\":[\"https://example.com/a.png "
		"sha256-j4y7fc9G4Lx9UyZXSabBfRFgk6a6leRCdkBgx2/UqGw\"]" }, NULL },
	{ "rcd: a card elsewhere in another form",
	    "rcd --json --nam x --jcl https://example.com/q --content https://example.com/q=-",
	    "[\"vcard\", [[\"version\",{},\"text\",\"4.0\"],[\"fn\",{},\"text\",\"Q\"]]]", 0,
	    { "\"publish\":{\"https://example.com/q\":\"[\\\"vcard\\\",[[\\\"version\\\"" },
	    NULL },
	{ "rcd: sha384", "rcd --nam Q --hash sha384", "", 0, { "/nam: sha384-" }, NULL },
	{ "rcd: content is missing", "rcd --nam Q --icn https://example.com/a.png", "", 2, { NULL },
	    "--content URL=FILE" },
	{ "rcd: content of another URL",
	    "rcd --nam Q --icn https://example.com/a.png --content https://example.com/b.png=-",
	    "png", 2, { NULL }, "/icn: the content of https://example.com/a.png is needed" },
	{ "rcd: a file that is not there", "rcd --nam Q --jcd @nothing", "", 6, { NULL },
	    "nothing" },
	{ "rcd: no card", "rcd --nam Q --jcd -", "[]", 4, { NULL }, "invalid_claim (rcd)" },
	{ "rcd: a card that is no JSON", "rcd --nam Q --jcd -", "[", 1, { NULL },
	    "malformed_json" },
	{ "rcd: both cards", "rcd --nam Q --jcl https://example.com/q --jcd -",
	    "[\"vcard\",[]]", 4, { NULL }, "jcd and jcl" },
	{ "rcd: number that is not canonical", "rcd --nam Q --apn +12025550100", "", 4, { NULL },
	    "apn" },
	{ "rcd: no name", "rcd --apn 12025550100", "", 2, { NULL }, "--nam" },
	{ "rcd: no such hash", "rcd --nam Q --hash md5", "", 2, { NULL }, "md5" },
	{ "rcd: no such form", "rcd --nam Q --form x", "", 2, { NULL }, "--form" },
	{ "rcd: content without a file", "rcd --nam Q --content https://example.com/a.png", "", 2,
	    { NULL }, "URL=FILE" },
	{ "rcd: an operand", "rcd --nam Q x", "", 2, { NULL }, "options only" },
	{ "commit: a value", "--json commit --claims - --value crn", "{\"crn\":\"x\"}", 0,
	    { "\"der\":\"3010a10e300c300a160363726e30030c0178\"" }, NULL },
	{ "commit: V-54 a hash", "--json commit --claims - --hash crn", "{\"crn\":\"ACME\"}", 0,
	    { "\"claim\":\"crn#sha-256\",\"values\":[\"5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU"
	      "\"],\"mode\":\"hash\"" }, NULL },
	{ "commit: the section", "commit --claims - --value crn --must-exclude rcd",
	    "{\"crn\":\"a \\\"b\\\"\"}", 0,
	    { "form = enhanced", "must_exclude = { \"rcd\" }", "values = { \"a \\\"b\\\"\" }" }, NULL },
	{ "commit: nowhere for the salts", "commit --claims - --commit crn", "{}", 2, { NULL },
	    "--salts" },
	{ "commit: nothing there", "commit --claims - --value crn", "{}", 2, { NULL },
	    "nothing at 'crn'" },
	{ "commit: the mode in the path", "commit --claims - --hash crn#sha-256",
	    "{\"crn\":\"a\"}", 2, { NULL }, "the mode is the option" },
	{ "commit: D-14 rcd has rcdi", "commit --claims - --hash rcd/nam", "{\"rcd\":{\"nam\":\"a\"}}", 2,
	    { NULL }, "rcdi" },
	{ "commit: V-53 two modes", "commit --claims - --value crn --hash crn", "{\"crn\":\"a\"}", 4,
	    { NULL }, "more than one way" },
	{ "commit: nothing chosen", "commit --claims -", "{\"crn\":\"a\"}", 1, { NULL },
	    "constraints_empty" },
	{ "disclose: nothing named",
	    "disclose --cert @leaf.pem --claims @base.json --salts @none --to @none", "", 2, { NULL },
	    "--claim" },
	{ "verify: a key for nothing", "verify --disclosure-key @none a.b.c", "", 2, { NULL },
	    "--disclosure" },
	{ "inspect: RFC 9118 s8 rcdi excluded", "--json inspect --type ejwtcc --hex -",
	    "300aa2083006160472636469", 0, { "\"warnings\":[\"mustExclude names rcdi" }, NULL },
	{ "inspect: a type demanded", "--json inspect --type jwtcc --hex -",
	    "300ca00a300816067368616b656e", 0, { "\"warnings\":[\"mustInclude names a PASSporT type" },
	    NULL },
	{ "check: allowed", "check --cert @leaf.pem --claims @base.json --at " NOW, "", 0,
	    { "\"allow\":true,\"reason\":null,\"detail\":null,\"claim\":null" }, NULL },
	{ "check: claims from stdin", "check --cert @leaf.pem --claims - --at " NOW, BASE, 0,
	    { "\"allow\":true" }, NULL },
	{ "check: not its number", "check --cert @leaf.pem --claims @other.json --at " NOW, "", 4,
	    { "\"allow\":false,\"reason\":\"tn_not_authorized\"", "\"claim\":\"orig\"" }, NULL },
	{ "check: expired now", "check --cert @leaf.pem --claims @base.json --at 1900000000", "", 4,
	    { "\"reason\":\"credential_expired\"" }, NULL },
	{ "check: stale", "check --cert @leaf.pem --claims @stale.json --at " NOW, "", 4,
	    { "\"reason\":\"stale_iat\"" }, NULL },
	{ "check: demanded claim", "check --cert @bound.pem --claims @base.json --at " NOW, "", 4,
	    { "\"reason\":\"claim_missing_by_constraint\"", "\"claim\":\"rcd\"" }, NULL },
	{ "check: named by the constraints", "check --cert @bound.pem --claims @rcd.json --at " NOW, "",
	    0, { "\"allow\":true" }, NULL },
	{ "check: unknown claim", "check --cert @leaf.pem --claims @rcd.json --at " NOW, "", 4,
	    { "\"reason\":\"unknown_claim\"", "\"claim\":\"rcd\"" }, NULL },
	{ "check: allowed claim",
	    "check --cert @leaf.pem --claims @rcd.json --allow-claim rcd --at " NOW, "", 0,
	    { "\"allow\":true" }, NULL },
	{ "check: claim not vetted",
	    "check --cert @leaf.pem --claims @rcd.json --allow-claim rcd --profile vesper-06 --at " NOW,
	    "", 4, { "\"reason\":\"claim_not_vetted\"" }, NULL },
	{ "check: shaken by a provider",
	    "check --cert @sp.pem --claims @shaken.json --ppt shaken --profile shaken-sp --at " NOW, "",
	    0, { "\"allow\":true" }, NULL },
	{ "check: an SPC authorises nothing by itself",
	    "check --cert @sp.pem --claims @shaken.json --ppt shaken --at " NOW, "", 4,
	    { "\"reason\":\"tn_not_authorized\"" }, NULL },
	{ "check: shaken under a delegate profile",
	    "check --cert @leaf.pem --claims @shaken.json --ppt shaken --profile vesper-06 --at " NOW,
	    "", 4, { "\"reason\":\"unsupported_ppt\"" }, NULL },
	{ "check: unknown ppt", "check --cert @leaf.pem --claims @base.json --ppt nope --at " NOW, "", 4,
	    { "\"reason\":\"unsupported_ppt\"" }, NULL },
	{ "check: CA", "check --cert @root.pem --claims @base.json --at " NOW, "", 4,
	    { "\"reason\":\"credential_unusable\"" }, NULL },
	{ "check: profile of the other class",
	    "check --cert @leaf.pem --claims @shaken.json --ppt shaken --profile shaken-sp --at " NOW, "",
	    4, { "\"reason\":\"credential_unusable\"" }, NULL },
	{ "check: member twice", "check --cert @leaf.pem --claims @twice.json --at " NOW, "", 4,
	    { "\"reason\":\"duplicate_member\"" }, NULL },
	{ "check: not JSON", "check --cert @leaf.pem --claims @broken.json --at " NOW, "", 4,
	    { "\"reason\":\"malformed_json\"" }, NULL },
	{ "check: claims that are a list", "check --cert @leaf.pem --claims @list.json", "", 4,
	    { "\"reason\":\"invalid_member\"", "\"claim\":\"claims\"" }, NULL },
	{ "check: not judged without a profile", "check --cert @leaf.pem --claims @base.json --at " NOW,
	    "", 0, { "\"not_judged\":[\"path\",\"scts\",\"tenant\",\"identity_size\","
		       "\"conveyance\",\"profile\",\"encompassing\"]" },
	    NULL },
	{ "check: not judged with all that can be told",
	    "check --cert @leaf.pem --claims @base.json --profile vesper-06 --encompassing off --at " NOW,
	    "", 0, { "\"not_judged\":[\"path\",\"scts\",\"tenant\",\"identity_size\",\"conveyance\"]" },
	    NULL },
	{ "check: not judged, and refused", "check --cert @leaf.pem --claims @other.json --at " NOW, "",
	    4, { "\"allow\":false", "\"not_judged\":[\"path\"," }, NULL },
	{ "check: a div whose original is not there", "check --cert @leaf.pem --claims - --ppt div --at "
	    NOW, WITH("\"div\":{\"tn\":\"" CALLER "\"}"), 0,
	    { "\"allow\":true", "\"reason\":null,\"detail\":\"as far as it was judged: what it answers",
		"\"encompassing\",\"original\"]" }, NULL },
	{ "check: a div whose original has to be judged, and is not there",
	    "check --cert @leaf.pem --claims - --ppt div --must-judge original --at " NOW, DIVERTED(""),
	    3, { "\"allow\":true", "\"original\"]" }, "not judged: original" },
	{ "check: a div that is refused, whatever has to be judged", "check --cert @leaf.pem --claims - "
	    "--ppt div --must-judge original --at " NOW, WITH("\"div\":{\"tn\":\"12025550177\"}"), 4,
	    { "\"reason\":\"tn_not_authorized\"", "\"original\"]" }, NULL },
	{ "check: a div and what it answers", "check --cert @leaf.pem --claims - --ppt div "
	    "--must-judge original --at " NOW " --original " ANSWERED, DIVERTED(""), 0,
	    { "\"allow\":true,\"reason\":null,\"detail\":null", "\"encompassing\"]" }, NULL },
	{ "check: a div of another call", "check --cert @leaf.pem --claims - --ppt div --at " NOW
	    " --original " ELSEWHERE, DIVERTED(""), 4,
	    { "\"reason\":\"original_mismatch\"", "\"claim\":\"div\"" }, NULL },
	{ "check: RFC 8946 s5 a div-o and its opt", "check --cert @leaf.pem --claims - --ppt div-o "
	    "--must-judge original --at " NOW, DIVERTED(",\"opt\":\"" ANSWERED "\""), 0,
	    { "\"allow\":true,\"reason\":null,\"detail\":null", "\"encompassing\"]" }, NULL },
	{ "check: RFC 8946 s5 a div-o with the opt of another call", "check --cert @leaf.pem --claims - "
	    "--ppt div-o --at " NOW, DIVERTED(",\"opt\":\"" ELSEWHERE "\""), 4,
	    { "\"reason\":\"original_mismatch\"", "\"claim\":\"div\"", "\"encompassing\"]" }, NULL },
	{ "check: RFC 8946 s6 a div-o whose opt is no PASSporT", "check --cert @leaf.pem --claims - "
	    "--ppt div-o --at " NOW, DIVERTED(",\"opt\":\"a.b.c\""), 4,
	    { "\"reason\":\"invalid_claim\"", "\"claim\":\"opt\"", "\"original\"]" }, NULL },
	{ "check: a profile has to be judged, and none is named", "check --cert @leaf.pem --claims "
	    "@base.json --must-judge encompassing --must-judge profile --at " NOW, "", 3,
	    { "\"allow\":true", "\"detail\":null" }, "not judged: profile" },
	{ "check: an unknown thing has to be judged",
	    "check --cert @leaf.pem --claims @base.json --must-judge originals --at " NOW, "", 2,
	    { NULL }, "--must-judge" },
	{ "check: a div without div, nor its original", "check --cert @leaf.pem --claims @base.json "
	    "--ppt div --at " NOW, "", 4, { "\"reason\":\"missing_claim\"", "\"original\"]" }, NULL },
	{ "check: D-52 a third party", "check --cert @leaf.pem --claims - --ppt rcd --at " NOW
	    " --third-party-iss Zorin", "{\"orig\":{\"tn\":\"13035550100\"},\"dest\":{\"tn\":[\"1\"]},"
	    "\"iss\":\"Zorin\",\"crn\":\"x\"}", 0, { "\"allow\":true" }, NULL },
	{ "check: D-52 a third party of another name",
	    "check --cert @leaf.pem --claims - --ppt rcd --at " NOW " --third-party-iss Zorin",
	    "{\"orig\":{\"tn\":\"13035550100\"},\"dest\":{\"tn\":[\"1\"]},\"iss\":\"Z\",\"crn\":\"x\"}",
	    4, { "\"reason\":\"value_not_permitted\"", "\"claim\":\"iss\"" }, NULL },
	{ "check: D-52 a third party, none is configured",
	    "check --cert @leaf.pem --claims - --ppt rcd --at " NOW,
	    "{\"orig\":{\"tn\":\"13035550100\"},\"dest\":{\"tn\":[\"1\"]},\"iss\":\"Z\",\"crn\":\"x\"}",
	    4, { "\"reason\":\"tn_not_authorized\"", "\"claim\":\"orig\"" }, NULL },
	{ "check: content elsewhere without rcdi (RFC 9795 s4)",
	    "check --cert @leaf.pem --claims - --ppt rcd --at " NOW,
	    WITH("\"rcd\":{\"nam\":\"Q\",\"icn\":\"https://a.example/i.png\"}"), 4,
	    { "\"reason\":\"missing_claim\"", "\"claim\":\"rcdi\"" }, NULL },
	{ "check: content elsewhere, --rcd-without-rcdi",
	    "check --cert @leaf.pem --claims - --ppt rcd --rcd-without-rcdi --at " NOW,
	    WITH("\"rcd\":{\"nam\":\"Q\",\"icn\":\"https://a.example/i.png\"}"), 0,
	    { "\"allow\":true" }, NULL },
	{ "check: D-41 content elsewhere", "check --cert @leaf.pem --claims - --ppt rcd --at " NOW,
	    WITH("\"rcd\":{\"nam\":\"Q\",\"icn\":\"https://a.example/i.png\"},\"rcdi\":{\"/icn\":\"" RCD_Q
		 "\"}"), 0, { "\"allow\":true", "\"rcd_content\"]" }, NULL },
	{ "check: D-08 absent", "check --cert @absent.pem --claims @base.json --at " NOW, "", 0,
	    { "\"allow\":true" }, NULL },
	{ "check: D-08 absent, --rfc8226-strict-permitted",
	    "check --cert @absent.pem --claims @base.json --rfc8226-strict-permitted --at " NOW, "", 4,
	    { "\"reason\":\"claim_missing_by_constraint\"", "\"claim\":\"pid\"" }, NULL },
	{ "check: D-12 spaced", "check --cert @spaced.pem --claims - --at " NOW,
	    WITH("\"pid\":{\"a\":2,\"b\":1}"), 4, { "\"reason\":\"credential_unusable\"" }, NULL },
	{ "check: D-12 spaced, --normalise-permitted",
	    "check --cert @spaced.pem --claims - --normalise-permitted --at " NOW,
	    WITH("\"pid\":{\"a\":2,\"b\":1}"), 0, { "\"allow\":true" }, NULL },
	{ "check: D-12 spaced, another value",
	    "check --cert @spaced.pem --claims - --normalise-permitted --at " NOW,
	    WITH("\"pid\":{\"a\":2,\"b\":2}"), 4, { "\"reason\":\"value_not_permitted\"" }, NULL },
	{ "check: D-12 quoted", "check --cert @quoted.pem --claims - --at " NOW, WITH("\"pid\":\"x\""),
	    4, { "\"reason\":\"value_not_permitted\"" }, NULL },
	{ "check: D-12 quoted, --accept-quoted-permitted",
	    "check --cert @quoted.pem --claims - --accept-quoted-permitted --at " NOW,
	    WITH("\"pid\":\"x\""), 0, { "\"allow\":true" }, NULL },
	{ "check: D-15 in clear", "check --cert @commit.pem --claims - --at " NOW, WITH("\"pid\":7"), 4,
	    { "\"reason\":\"private_claim_in_clear\"", "\"claim\":\"pid\"" }, NULL },
	{ "check: D-15 in clear, whatever the salts",
	    "check --cert @commit.pem --claims - --salts @salts --at " NOW, WITH("\"pid\":7"), 4,
	    { "\"reason\":\"private_claim_in_clear\"" }, NULL },
	{ "check: D-15 --assert-committed without a salt",
	    "check --cert @commit.pem --claims - --assert-committed --at " NOW, WITH("\"pid\":7"), 4,
	    { "\"reason\":\"commitment_not_provable\"" }, NULL },
	{ "check: D-15 --assert-committed with another's salt",
	    "check --cert @commit.pem --claims - --assert-committed --salts @others --at " NOW,
	    WITH("\"pid\":7"), 4, { "\"reason\":\"commitment_not_provable\"" }, NULL },
	{ "check: D-15 --assert-committed with its salt",
	    "check --cert @commit.pem --claims - --assert-committed --salts @salts --at " NOW,
	    WITH("\"pid\":7"), 0, { "\"allow\":true" }, NULL },
	{ "check: D-15 --assert-committed, another value",
	    "check --cert @commit.pem --claims - --assert-committed --salts @salts --at " NOW,
	    WITH("\"pid\":8"), 4, { "\"reason\":\"value_not_permitted\"" }, NULL },
	{ "check: D-15 --commit-without-salt",
	    "check --cert @commit.pem --claims - --assert-committed --commit-without-salt --at " NOW,
	    WITH("\"pid\":7"), 0, { "\"allow\":true" }, NULL },
	{ "check: --commit-without-salt alone",
	    "check --cert @commit.pem --claims - --commit-without-salt --at " NOW, WITH("\"pid\":7"), 2,
	    { NULL }, "--assert-committed" },
	{ "check: D-03 to all nines", "check --cert @nines.pem --claims @base.json --at " NOW, "", 1,
	    { NULL }, "chain" },
	{ "check: D-03 --allow-range-to-all-nines",
	    "check --cert @nines.pem --claims - --allow-range-to-all-nines --at " NOW,
	    "{\"orig\":{\"tn\":\"99999999999\"},\"dest\":{\"tn\":[\"" CALLEE "\"]}}", 0,
	    { "\"allow\":true" }, NULL },
	{ "check: D-03 outside of it",
	    "check --cert @nines.pem --claims - --allow-range-to-all-nines --at " NOW,
	    "{\"orig\":{\"tn\":\"99999999989\"},\"dest\":{\"tn\":[\"" CALLEE "\"]}}", 4,
	    { "\"reason\":\"tn_not_authorized\"" }, NULL },
	{ "check: rph of no namespace that is told", "check --cert @sp.pem --claims - --ppt rph "
	    "--profile shaken-sp --at " NOW, WITH("\"rph\":{\"auth\":[\"ets.0\"]}"), 0,
	    { "\"allow\":true", "\"rph_namespaces\"]" }, NULL },
	{ "check: --rph-namespace", "check --cert @sp.pem --claims - --ppt rph --profile shaken-sp "
	    "--rph-namespace wps --rph-namespace ets --encompassing off --at " NOW,
	    WITH("\"rph\":{\"auth\":[\"ets.0\"]}"), 0, { "\"allow\":true", "\"conveyance\"]" }, NULL },
	{ "check: --rph-namespace of another", "check --cert @sp.pem --claims - --ppt rph --profile "
	    "shaken-sp --rph-namespace et --at " NOW, WITH("\"rph\":{\"auth\":[\"ets.0\"]}"), 4,
	    { "\"reason\":\"rph_not_allowed\"" }, NULL },
	{ "check: D-63 no --entity-id", "check --cert @leaf.pem --claims - --allow-claim vper --at " NOW,
	    WITH(VPER), 0, { "\"allow\":true", "\"entity_id\"]" }, NULL },
	{ "check: D-63 --entity-id", "check --cert @leaf.pem --claims - --allow-claim vper --entity-id "
	    "e-1 --at " NOW, WITH(VPER), 0, { "\"allow\":true", "\"encompassing\"]" }, NULL },
	{ "check: D-63 --entity-id of another", "check --cert @leaf.pem --claims - --allow-claim vper "
	    "--entity-id e-2 --at " NOW, WITH(VPER), 4, { "\"claim\":\"vper/id\"" }, NULL },
	{ "check: no chain", "check --cert @base.json --claims @base.json --at " NOW, "", 1, { NULL },
	    "chain" },
	{ "check: no such chain", "check --cert @nothing --claims @base.json", "", 6, { NULL },
	    "nothing" },
	{ "check: no such claims", "check --cert @leaf.pem --claims @nothing", "", 6, { NULL },
	    "nothing" },
	{ "check: a path below a file", "check --cert @leaf.pem/x --claims @base.json", "", 6, { NULL },
	    "leaf.pem/x" },
	{ "check: a directory", "check --cert @. --claims @base.json", "", 1, { NULL },
	    "cannot read the chain" },
	{ "check: no claims", "check --cert @leaf.pem", "", 2, { NULL }, "--claims" },
	{ "check: no such profile", "check --cert @leaf.pem --claims @base.json --profile x", "", 2,
	    { NULL }, "no such profile: x" },
	{ "check: time in words", "check --cert @leaf.pem --claims @base.json --at today", "", 2,
	    { NULL }, "--at" },

	{ "verify: D-20 compact", COMPACT "--orig +1-202-555-0100 --dest 12125550112 --dest " CALLEE
	    " --iat " NOW " @compact.txt", "", 0, { "signature    pass", "PASS\n" }, NULL },
	{ "verify: D-20 compact alone", COMPACT ORIG_DEST "--iat " NOW
	    " --info https://cert.example/a.pem @bare.txt", "", 0, { "PASS\n" }, NULL },
	{ "verify: D-20 compact alone, no info", COMPACT ORIG_DEST "--iat " NOW " @bare.txt", "", 4,
	    { NULL }, "info" },
	{ "verify: D-20 compact of another x5u", COMPACT ORIG_DEST "--iat " NOW
	    " --info https://cert.example/b.pem @bare.txt", "", 4, { "signature    fail" }, NULL },
	{ "verify: D-20 compact of another time", COMPACT ORIG_DEST "--iat 1799999999 @compact.txt", "", 4,
	    { "signature    fail", "SIP code 438" }, NULL },
	{ "verify: D-20 compact of another dest", COMPACT "--orig " CALLER " --dest " CALLEE " --iat " NOW
	    " @compact.txt", "", 4, { "signature    fail" }, NULL },
	{ "verify: D-20 compact of another orig", COMPACT "--orig 12025550101 --dest " CALLEE
	    " --dest 12125550112 --iat " NOW " @compact.txt", "", 4, { "signature    fail" }, NULL },
	{ "verify: D-20 compact of another type", COMPACT ORIG_DEST "--iat " NOW " @shaken.txt", "", 4,
	    { NULL }, "cannot be rebuilt" },
	{ "verify: D-20 compact, nothing told", COMPACT "@compact.txt", "", 4, { "compact_form" }, NULL },
	{ "verify: D-20 compact, no number", COMPACT "--orig alice --dest " CALLEE " --iat " NOW
	    " @compact.txt", "", 4, { NULL }, "invalid_tn" },
	{ "verify: D-20 half of it", COMPACT "--orig " CALLER " @compact.txt", "", 2, { NULL }, "together" },
	{ "verify: D-20 in full already", COMPACT ORIG_DEST "--iat " NOW " @passport.jwt", "", 2,
	    { NULL }, "in full" },
	{ "verify: all of it",
	    "verify --trust @root.pem --ct-logs @logs.json --from +1-202-555-0100 --to " CALLEE " --at "
	    NOW " @identity.txt", "", 0,
	    { " 1 parse        pass", " 9 sct          pass", "12 signalling   pass", "PASS\n" }, NULL },
	{ "verify: as JSON", "--json verify --trust @root.pem --at " NOW " @passport.jwt", "", 0,
	    { "\"schema\":\"vesper/verify/1\",\"pass\":true,\"code\":0",
		"{\"step\":\"signature\",\"verdict\":\"pass\"", "\"step\":\"sct\",\"verdict\":\"skipped\"" },
	    NULL },
	{ "verify: late", "--json verify --trust @root.pem --at 1800000061 @passport.jwt", "", 4,
	    { "\"pass\":false,\"code\":403", "\"step\":\"freshness\",\"verdict\":\"fail\"" }, NULL },
	{ "verify: another caller",
	    "verify --trust @root.pem --from 12025550101 --at " NOW " @passport.jwt", "", 4,
	    { "orig_mismatch", "FAIL, SIP code 438" }, NULL },
	{ "verify: no anchors", "verify --at " NOW " @passport.jwt", "", 4, { "FAIL: not everything" },
	    NULL },
	{ "verify: other anchors", "verify --trust @leaf.pem --at " NOW " a.b.c", "", 4,
	    { "FAIL, SIP code 438" }, NULL },
	{ "verify: quiet", "--quiet verify --trust @root.pem --at " NOW " @passport.jwt", "", 0,
	    { NULL }, NULL },
	{ "verify: anchors that are none", "verify --trust @base.json @passport.jwt", "", 1, { NULL },
	    "--trust" },
	{ "verify: no such file", "verify nothing", "", 6, { NULL }, "nothing" },
	{ "verify: no such anchors", "verify --trust @nothing @passport.jwt", "", 6, { NULL },
	    "--trust" },
	{ "verify: no such logs", "verify --ct-logs @nothing @passport.jwt", "", 6, { NULL },
	    "--ct-logs" },
	{ "verify: no such chain", "verify --chain @nothing @passport.jwt", "", 6, { NULL },
	    "--chain" },
	{ "verify: an original that is none", "verify --original @logs.json @passport.jwt", "", 4,
	    { NULL }, "--original and --div" },
	{ "verify: no such original", "verify --original @nothing @passport.jwt", "", 6, { NULL },
	    "--original and --div" },
	{ "verify: from in letters", "verify --from x @passport.jwt", "", 2, { NULL }, "invalid_tn" },

	{ "sign: no agent", "sign --socket @nothing --orig 1 --dest 2", "", 5, { NULL }, "vesperd" },
	{ "sign: no such claims", "sign --claims @nothing", "", 6, { NULL }, "nothing" },
	{ "sign: no such call", "sign --call @nothing", "", 6, { NULL }, "nothing" },
	{ "sign: a call and a number", "sign --call @base.json --orig 1", "", 2, { NULL }, "--call" },
	{ "sign: a call without an agent", "sign --socket @nothing --call @base.json", "", 5, { NULL },
	    "start vesperd" },
	{ "sign: half a call", "sign --orig 1", "", 2, { NULL }, "--dest" },
	{ "sign: form", "sign --orig 1 --dest 2 -o xml", "", 2, { NULL }, "xml" },
	{ "status: no agent", "status --socket @nothing --json", "", 5,
	    { "\"schema\":\"vesper/status/1\"", "\"reason\":\"no_socket\"",
		"\"claim\":null", "\"request_id\":null" }, "start vesperd, or name its socket" },
	{ "status: a socket below a file", "status --socket @base.json/s", "", 5, { NULL }, "connect: " },
	{ "status: a file that is no socket", "status --socket @base.json", "", 5, { NULL },
	    "not_listening" },
	{ "status: with an argument", "status now", "", 2, { NULL }, "no arguments" },
	{ "bench: no agent", "bench --socket @nothing --orig 1 --dest 2", "", 5, { NULL },
	    "start vesperd" },
	{ "bench: no connections", "bench --socket @nothing --orig 1 --dest 2 --connections 0", "", 2,
	    { NULL }, "--connections" },
	{ "bench: neither numbers nor bodies", "bench --socket @nothing --orig 1", "", 2, { NULL },
	    "--bodies" },
	{ "bench: bodies that are no lines", "bench --socket @nothing --bodies -", "{}", 1, { NULL },
	    "one a line" },
	{ "bench: no such bodies", "bench --socket @nothing --bodies @nothing", "", 1, { NULL },
	    "the requests" },
	{ "bench: bodies and no agent", "bench --socket @nothing --bodies -", "{}\n", 5, { NULL },
	    "start vesperd" },
	{ "config: no verb", "config", "", 2, { NULL }, "check" },
	{ "config: no file", "config check @nothing", "", 2, { NULL }, "not good" },
	{ "config: anchors that are none", "config check @some.conf", "", 2, { NULL },
	    "trust_anchors base.json: " },
	{ "config: a key for external account binding that is none", "config check @eab.conf", "",
	    2, { NULL }, "ca 'lab': eab_key: file:list.json " },
	{ "config: shown without its files", "config show @some.conf", "", 0, { "base.json" }, NULL },
	{ "config: not one", "config check @base.json", "", 2, { NULL }, "base.json" },
	/* clang-format on */
};

static void
compact(struct buf *out)
{
	json_auto_t *value = json_loadb((const char *)out->ptr, out->len, 0, NULL);
	AUTO_FREE char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT);

	if (text == NULL)
		return;
	buf_clear(out);
	buf_str(out, text);
}

static void
check_output(const struct run_case *c, int status)
{
	AUTO_BUF out = BUF_INIT(OUTPUT_MAX), err = BUF_INIT(OUTPUT_MAX);
	const char *err_text;
	bool good = status == c->status;

	read_output("stdout", &out);
	read_output("stderr", &err);
	if (strncmp(c->line, "inspect --type json", 19) != 0)
		compact(&out);
	for (size_t i = 0; i < ARRAY_LEN(c->out) && c->out[i] != NULL; i++)
		good = good && strstr(buf_text(&out), c->out[i]) != NULL;
	err_text = buf_text(&err);
	good = good && (c->err == NULL ? err.len == 0 : strstr(err_text, c->err) != NULL);
	if (!good)
		fail_msg("exit %d\n%s\n%s", status, buf_text(&out), err_text);
}

static void
runs(void **state)
{
	const struct run_case *c = *state;
	char *argv[ARGV_MAX];
	int status;

	write_file("stdin", span_str(c->input));
	split(c->line, argv);
	status = run(argv);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	check_output(c, status);
}

/* ---- against an agent ------------------------------------------------------------------- */

#define CREDENTIAL(state) "{\"tenant\":\"a\",\"name\":\"m\",\"state\":\"" state "\"}"
#define STATUS(up, admin, credential, renewer, audit, reload) \
	"{\"tokens\":[{\"name\":\"t\",\"up\":" up ",\"signers\":[],\"admin\":{\"up\":" admin \
	"}}],\"credentials\":[" CREDENTIAL("ready") "," credential \
						    "],\"renewer\":{\"up\":" renewer \
						    "},\"audit\":{\"ok\":" audit \
						    "},\"reload\":{\"ok\":" reload "}}"

static struct status_case {
	const char *name, *body;
	int status;
	const char *says;
} status_cases[] = {
	/* clang-format off */
	{ "status: all is well",
	    STATUS("true", "true", CREDENTIAL("ready"), "true", "true", "true"), 0, NULL },
	{ "status: what a caller is not shown is well", "{}", 0, NULL },
	{ "status: a token is down",
	    STATUS("false", "true", CREDENTIAL("ready"), "true", "true", "true"), 3,
	    "degraded   token t: a signer is down" },
	{ "status: a token admin is down",
	    STATUS("true", "false", CREDENTIAL("ready"), "true", "true", "true"), 3,
	    "degraded   token t: its admin is down" },
	{ "status: keys that nothing names",
	    STATUS("true,\"unnamed_keys\":9,\"unnamed\":{\"since\":1000,\"ids\":[\"6b1f\"],"
		"\"orphans\":2,\"another\":3,\"unknown\":4}", "true",
		CREDENTIAL("ready"), "true", "true", "true},\"pid\":7,\"x\":{\"y\":1"), 0,
	    ": 2 orphans of its\n  own (vesper hsm orphans t), 3 of another installation, 4 of nobody who\n"
	    "  says so (CKA_ID):\n    6b1f\n    and 8 more\n" },
	{ "status: a credential is pending",
	    STATUS("true", "true", CREDENTIAL("pending"), "true", "true", "true"), 3,
	    "degraded   1 of the credentials cannot sign" },
	{ "status: a credential's key is gone",
	    STATUS("true", "true", CREDENTIAL("ready\",\"signable\":false,\"x\":\""), "true", "true", "true"), 3,
	    "degraded   1 of the credentials cannot sign" },
	{ "status: a problem is said",
	    STATUS("true", "true", CREDENTIAL("ready\",\"signable\":true,\"problems\":[{\"problem\":"
		"\"long_lived\",\"detail\":\"91 days\"}],\"x\":\""), "true", "true", "true"), 0,
	    "\n  long_lived: 91 days\n" },
	{ "status: a disabled tenant's credential need not sign",
	    STATUS("true", "true", CREDENTIAL("ready\",\"signable\":false,\"enabled\":false,\"x\":\""), "true", "true", "true"), 0,
	    "2 credentials, 1 can sign now" },
	{ "status: an alarm",
	    STATUS("true", "true", CREDENTIAL("ready"), "true", "true", "true},\"alarms\":[{"
		"\"alarm\":\"token_needed\",\"tenant\":\"a\",\"credential\":\"m\",\"ca\":null,"
		"\"since\":1,\"by\":null,\"detail\":\"push it\"}],\"x\":{\"y\":1"), 3,
	    "alarm      token_needed: a/m: push it\n" },
	{ "status: an alarm of a CA",
	    STATUS("true", "true", CREDENTIAL("ready"), "true", "true", "true},\"alarms\":[{"
		"\"alarm\":\"ca_account\",\"tenant\":null,\"credential\":null,\"ca\":\"lab\","
		"\"since\":1,\"by\":1,\"detail\":\"terms\"}],\"x\":{\"y\":1"), 3,
	    "alarm      ca_account: lab, too late " },
	{ "status: the renewer is down",
	    STATUS("true", "true", CREDENTIAL("ready"), "false", "true", "true"), 3,
	    "degraded   the renewer is down" },
	{ "status: the audit failed",
	    STATUS("true", "true", CREDENTIAL("ready"), "true", "false", "true"), 3,
	    "degraded   the audit cannot be written" },
	{ "status: the configuration was not taken",
	    STATUS("true", "true", CREDENTIAL("ready"), "true", "true", "false"), 3,
	    "degraded   the configuration was not taken" },
	/* clang-format on */
};

/* ./vesper status with what the environment says; its output is in *out. */
static int
run_status(const char *option, char *const *environment, struct buf *out)
{
	AUTO_FREE char *program = strdup("vesper"), *command = strdup("status");
	AUTO_FREE char *last = option == NULL ? NULL : strdup(option);
	char *argv[] = { program, command, last, NULL };
	int status;

	write_file("stdin", span_str(""));
	status = run_in(argv, environment);
	read_output("stdout", out);
	return status;
}

static void
judges_status(void **state)
{
	const struct status_case *c = *state;
	AUTO_BUF http = BUF_INIT(OUTPUT_MAX), out = BUF_INIT(OUTPUT_MAX);
	AUTO_BUF json = BUF_INIT(OUTPUT_MAX), quiet = BUF_INIT(OUTPUT_MAX);
	const char *answers[] = { NULL, NULL, NULL, NULL };
	struct scripted a = { .answers = answers, .close_each = true };
	char variable[128], other[] = "VESPER_SOCKET=/nonexistent";
	char *const environment[] = { variable, other, NULL };

	buf_printf(&http, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(c->body),
	    c->body);
	answers[0] = answers[1] = answers[2] = buf_text(&http);
	scripted_start(&a);
	snprintf(variable, sizeof variable, "VESPER_ADMIN_SOCKET=%s", a.path);
	assert_int_equal(run_status(NULL, environment, &out), c->status);
	assert_int_equal(run_status("--json", environment, &json), c->status);
	assert_int_equal(run_status("--quiet", environment, &quiet), c->status);
	scripted_stop(&a);
	if (c->says != NULL)
		assert_non_null(strstr(buf_text(&out), c->says));
	else
		assert_null(strstr(buf_text(&out), "degraded"));
	assert_null(strstr(buf_text(&json), "degraded"));
	assert_int_equal(quiet.len, 0);
}

/* An empty VESPER_ADMIN_SOCKET is none, and an empty VESPER_SOCKET the default's. */
static void
empty_is_unset(void **state)
{
	static const char *const answers[] = { ANSWER("200 OK", "", "2", "{}"), NULL };
	AUTO_BUF out = BUF_INIT(OUTPUT_MAX), err = BUF_INIT(OUTPUT_MAX);
	struct scripted a = { .answers = answers, .close_each = true };
	char admin[] = "VESPER_ADMIN_SOCKET=", none[] = "VESPER_SOCKET=", callers[128];
	char *const environment[] = { admin, callers, NULL };
	char *const nowhere[] = { admin, none, NULL };

	(void)state;
	scripted_start(&a);
	snprintf(callers, sizeof callers, "VESPER_SOCKET=%s", a.path);
	assert_int_equal(run_status("--quiet", environment, &out), 0);
	scripted_stop(&a);
	if (access(VESPER_DEFAULT_SOCKET, F_OK) == 0)
		skip();
	buf_clear(&out);
	assert_int_equal(run_status("--json", nowhere, &out), 5);
	read_output("stderr", &err);
	assert_non_null(strstr(buf_text(&err), VESPER_DEFAULT_SOCKET));
}

/* Connect in a child, as an ordinary user where asked; what it says is in *err. */
static void
connect_apart(const char *path, bool ordinary, struct buf *err)
{
	struct cli cli = { .command = "sign", .timeout_ms = 1000 };
	char file[128];
	int status = 98;
	pid_t pid;

	snprintf(file, sizeof file, "%s/stderr", w.dir);
	pid = fork();
	if (pid == 0) {
		if (freopen(file, "w", stderr) == NULL ||
		    (ordinary && geteuid() == 0 && setresuid(65534, 65534, 65534) != 0))
			_exit(99);
		vesper_close(cli_connect(&cli, path, &status));
		fflush(stderr);
		_exit(status);
	}
	assert_int_equal(wait_for(pid), EXIT_UNREACHABLE);
	buf_clear(err);
	read_output("stderr", err);
}

/* A socket that lets this user in no more, and one without a listener. */
static void
unreached(void **state)
{
	static const char *const none[] = { NULL };
	struct scripted a = { .answers = none };
	AUTO_BUF err = BUF_INIT(OUTPUT_MAX);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	scripted_start(&a);
	assert_int_equal(chmod(a.path, 0), 0);
	connect_apart(a.path, true, &err);
	scripted_stop(&a);
	assert_non_null(strstr(buf_text(&err), "not_permitted: "));
	assert_non_null(strstr(buf_text(&err), "allow_user or allow_group"));
	snprintf(at.sun_path, sizeof at.sun_path, "%s/stdout", w.dir);
	unlink(at.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
	connect_apart(at.sun_path, false, &err);
	close(fd);
	unlink(at.sun_path);
	assert_non_null(strstr(buf_text(&err), "not_listening: "));
	assert_non_null(strstr(buf_text(&err), "vesperd has ended: start it"));
}

/* ---- what tries everything --------------------------------------------------------------- */

#define TRIAL_CONF(trust) \
	trust "token \"main\" { module = \"/m.so\" label = \"l\" pin = \"file:p\" }\n" \
	      "ca \"lab\" { directory = \"https://127.1.2.3:1/\" token = \"main\" }\n"
#define TRIAL_TENANT \
	"tenant \"acme\" {\n  numbers = { \"" CALLER "\" }\n" \
	"  credential \"main\" { profile = \"shaken-sp\" token = \"main\" spc = \"1234\"\n" \
	"    x5u = \"https://127.1.2.3:8443/certs/\" }\n}\n"
#define TRUSTED "trust_anchors = \"root.pem\"\n"
#define SHOWN(more) \
	"{\"credentials\":[{\"tenant\":\"acme\",\"name\":\"main\",\"signable\":true," \
	"\"life\":\"in_force\",\"serial\":\"01\"" more "}]}"
#define SHOWN_X5U SHOWN(",\"x5u\":\"https://127.1.2.3:1/a.pem\"")
#define NO_PROBE  "#!/nonexistent/sh\n"

static void
copy_program(const char *from, const char *to)
{
	AUTO_BUF bytes = BUF_INIT(SIZE_MAX);
	char path[128];

	assert_int_equal(cli_read(from, &bytes, NULL), RC_OK);
	write_file(to, buf_view(&bytes));
	snprintf(path, sizeof path, "%s/%s", w.dir, to);
	assert_int_equal(chmod(path, 0755), 0);
}

static void
write_trial(const char *name, const char *text, mode_t mode)
{
	char file[64], path[192];

	snprintf(file, sizeof file, "trial/%s", name);
	write_file(file, span_str(text));
	snprintf(path, sizeof path, "%s/%s", w.dir, file);
	assert_int_equal(chmod(path, mode), 0);
}

/* An installation of its own, whose probe is a script. */
static int
make_all(void **state)
{
	char path[128];

	(void)make_world(state);
	assert_int_equal(chmod(w.dir, 0711), 0);
	snprintf(path, sizeof path, "%s/trial", w.dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof path, "%s/trial/tenants.d", w.dir);
	assert_int_equal(mkdir(path, 0755), 0);
	copy_program("./vesper", "trial/vesper");
	write_trial("tenants.d/acme.conf", TRIAL_TENANT, 0644);
	write_trial("vesperd.conf", TRIAL_CONF(TRUSTED), 0644);
	write_pem("trial/root.pem", w.root);
	return 0;
}

static int
drop_all(void **state)
{
	static const char *const names[] = { "trial/vesper", "trial/vesper-probe",
		"trial/vesperd.conf", "trial/root.pem", "trial/seen",
		"trial/tenants.d/acme.conf", "trial/tenants.d", "trial" };
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof path, "%s/%s", w.dir, names[i]);
		(void)remove(path);
	}
	return drop_world(state);
}

static void
become_trial(const char *line, const char *const *environment, bool ordinary)
{
	char program[128], *argv[ARGV_MAX];

	snprintf(program, sizeof program, "%s/stdout", w.dir);
	if (freopen(program, "w", stdout) == NULL)
		_exit(97);
	snprintf(program, sizeof program, "%s/stderr", w.dir);
	if (freopen(program, "w", stderr) == NULL)
		_exit(98);
	snprintf(program, sizeof program, "%s/trial/vesper", w.dir);
	split(line, argv);
	if (!ordinary || geteuid() != 0 || setresuid(65534, 65534, 65534) == 0)
		(void)execve(program, argv, (char **)(uintptr_t)environment);
	_exit(99);
}

/* The trial's vesper; its exit status, and what it says. */
static int
run_trial(const char *line, const char *const *environment, bool ordinary, struct buf *out,
    struct buf *err)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		become_trial(line, environment, ordinary);
	status = wait_for(pid);
	read_output("stdout", out);
	read_output("stderr", err);
	return status;
}

static struct trial_case {
	const char *name, *trust;
	const char *http, *body; /* to the list of credentials */
	int status;
	const char *out, *err; /* NULL: none is asked for */
	bool hidden;	       /* the anchors, for an ordinary user */
} trial_cases[] = {
	/* clang-format off */
	{ "tenant test: the agent is too busy", TRUSTED, "503 Service Unavailable",
	    "{\"reason\":\"overloaded\",\"detail\":\"later\"}", 1, NULL, "not tried: overloaded: later", false },
	{ "tenant test: too many requests", TRUSTED, "429 Too Many Requests",
	    "{\"reason\":\"rate\",\"detail\":\"later\"}", 1, NULL, "not tried: rate", false },
	{ "tenant test: the agent refuses", TRUSTED, "403 Forbidden",
	    "{\"reason\":\"caller_not_allowed\",\"detail\":\"you\"}", 4, NULL, "caller_not_allowed", false },
	{ "tenant test: a list of nothing known", TRUSTED, "200 OK", "{}", 1, NULL, "another kind", false },
	{ "tenant test: no JSON", TRUSTED, "200 OK", "<html>", 1, NULL, "another kind", false },
	{ "tenant test: it is not shown", TRUSTED, "200 OK", "{\"credentials\":[]}", 6, NULL,
	    "shows this user no credential", false },
	{ "tenant test: a probe that does not start", TRUSTED, "200 OK", SHOWN_X5U, 1,
	    "warning  x5u          acme/main: nobody fetched it; standard error", "vesper-probe", false },
	{ "tenant test: anchors that are not there", "trust_anchors = \"gone.pem\"\n", "200 OK", SHOWN(""), 3,
	    "warning  verify       acme/main: gone.pem: No such file", NULL, false },
	{ "tenant test: anchors that are none", "trust_anchors = \"vesperd.conf\"\n", "200 OK", SHOWN(""), 3,
	    "warning  verify ", NULL, false },
	{ "tenant test: anchors that this user may not read", TRUSTED, "200 OK", SHOWN(""), 0,
	    "skipped  verify       acme/main: root.pem: Permission denied; run it", NULL, true },
	/* clang-format on */
};

#define SIGNED \
	"{\"passport\":\"a.b.c\",\"ppt\":null,\"x5u\":\"https://127.1.2.3:1/a.pem\"," \
	"\"identity\":\"a\",\"iat\":1,\"exp\":2}"

static void
allow(const char *name, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof path, "%s/trial/%s", w.dir, name);
	assert_int_equal(chmod(path, mode), 0);
}

static void
answer(struct buf *http, const char *status, const char *body)
{
	buf_printf(http,
	    "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    status, strlen(body), body);
}

static void
tries_tenant(void **state)
{
	const struct trial_case *c = *state;
	AUTO_BUF list = BUF_INIT(4096), sig = BUF_INIT(4096), conf = BUF_INIT(4096);
	AUTO_BUF out = BUF_INIT(OUTPUT_MAX), err = BUF_INIT(OUTPUT_MAX);
	const char *answers[] = { NULL, NULL, NULL, NULL };
	struct scripted a = { .answers = answers };
	char variable[128];
	const char *const environment[] = { variable, NULL };
	int status;

	answer(&list, c->http, c->body);
	answer(&sig, "200 OK", SIGNED);
	answers[0] = buf_text(&list);
	answers[1] = answers[2] = buf_text(&sig);
	buf_printf(&conf, "%s" TRIAL_CONF(""), c->trust);
	write_trial("vesperd.conf", buf_text(&conf), 0644);
	write_trial("vesper-probe", NO_PROBE, 0755);
	allow("root.pem", c->hidden ? 0 : 0644);
	scripted_start(&a);
	assert_int_equal(chmod(a.dir, 0711) | chmod(a.path, 0666), 0);
	snprintf(variable, sizeof variable, "VESPER_SOCKET=%s", a.path);
	status = run_trial(
	    "tenant test acme -c @trial/vesperd.conf", environment, c->hidden, &out, &err);
	scripted_stop(&a);
	if (status != c->status || (c->out != NULL && strstr(buf_text(&out), c->out) == NULL) ||
	    (c->err != NULL && strstr(buf_text(&err), c->err) == NULL))
		fail_msg("exit %d\n%s\n%s", status, buf_text(&out), buf_text(&err));
}

static struct probe_case {
	const char *name, *script, *says;
} probe_cases[] = {
	{ "doctor: a probe that does not start", NO_PROBE, "warning  network" },
	{ "doctor: a probe that fails", "#!/bin/sh\nexit 1\n", "warning  network" },
	{ "doctor: a probe that crashes", "#!/bin/sh\nkill -9 $$\n", "warning  network" },
	{ "doctor: a probe that says nothing", "#!/bin/sh\n", "warning  network" },
	{ "doctor: a probe of another kind", "#!/bin/sh\necho '{\"probe\":[]}'\n",
	    "warning  network" },
	{ "doctor: a probe that fails behind its word",
	    "#!/bin/sh\necho '{\"probes\":[]}'\nexit 1\n", "warning  network" },
	{ "doctor: a party that answers",
	    "#!/bin/sh\necho '{\"probes\":[{\"kind\":\"ca\",\"name\":\"lab\",\"url\":"
	    "\"https://a/\",\"ok\":true,\"detail\":\"answers\"}]}'\n",
	    "ok       ca           lab: https://a/: answers" },
};

static void
asks_parties(void **state)
{
	const struct probe_case *c = *state;
	AUTO_BUF out = BUF_INIT(OUTPUT_MAX), err = BUF_INIT(OUTPUT_MAX);
	static const char *const environment[] = { "VESPER_ADMIN_SOCKET=/nonexistent", NULL };

	write_trial("vesperd.conf", TRIAL_CONF(TRUSTED), 0644);
	write_trial("vesper-probe", c->script, 0755);
	assert_int_equal(
	    run_trial("doctor -c @trial/vesperd.conf", environment, false, &out, &err), 1);
	if (strstr(buf_text(&out), c->says) == NULL)
		fail_msg("%s\n%s", buf_text(&out), buf_text(&err));
}

static struct environment_case {
	const char *name, *credentials, *expect;
} environment_cases[] = {
	{ "the probe's environment", NULL, "" },
	{ "the probe's environment: credentials", "CREDENTIALS_DIRECTORY=/run/c",
	    "CREDENTIALS_DIRECTORY=/run/c" },
};

/* As the renewer's, whatever shell this is run in. */
static void
the_probe_is_alone(void **state)
{
	const struct environment_case *c = *state;
	const char *const environment[] = { "VESPER_ADMIN_SOCKET=/nonexistent",
		"https_proxy=http://127.0.0.1:1", "ALL_PROXY=http://127.0.0.1:1",
		"OPENSSL_CONF=/nonexistent", "VESPER_STARTER_UID=65534", c->credentials, NULL };
	AUTO_BUF out = BUF_INIT(OUTPUT_MAX), err = BUF_INIT(OUTPUT_MAX);
	AUTO_BUF seen = BUF_INIT(OUTPUT_MAX), script = BUF_INIT(4096);

	/* What it was started with: a shell adds its own. */
	buf_printf(&script,
	    "#!/bin/sh\n/bin/cat /proc/$$/environ >%s/trial/seen\necho '{\"probes\":[]}'\n",
	    w.dir);
	write_trial("vesperd.conf", TRIAL_CONF(TRUSTED), 0644);
	write_trial("vesper-probe", buf_text(&script), 0755);
	assert_int_equal(
	    run_trial("doctor -c @trial/vesperd.conf", environment, false, &out, &err), 1);
	read_output("trial/seen", &seen);
	assert_string_equal(buf_text(&seen), c->expect);
	assert_int_equal(seen.len, strlen(c->expect) + (c->credentials != NULL));
}

/* ---- a revocation ---------------------------------------------------------------------- */

#define JOB(result)	  "{\"job\":1,\"state\":\"done\",\"result\":" result "}"
#define WORD(state, word) "\"state\":\"" state "\",\"answer\":\"" word "\""
#define ASKED(state)	  JOB("{\"serial\":\"0B\"," WORD(state, "") "}")
#define KEPT(serial, revocation) \
	"{\"serial\":\"" serial "\",\"end\":\"revoked\",\"revocation\":" revocation "}"
#define HISTORY(b, a) JOB("{\"certificates\":[" KEPT("0B", b) "," KEPT("0A", a) "]}")
#define DONE	      "{" WORD("done", "") "}"
#define WAITS	      "{" WORD("outstanding", "") "}"
#define REFUSED	      "{" WORD("refused", "acme_unauthorized: no") "}"
#define ASKS	      "{" WORD("outstanding", "http_failed: down") "}"

/* Of two serials 0B is asked for: what is said is what its CA says of that. */
static struct revoke_case {
	const char *name, *asked, *history[2];
	int status;
	const char *says;
} revoke_cases[] = {
	{ "revoke: done at once", ASKED("done"), { NULL }, 0, "serial 0B is revoked" },
	{ "revoke: done", ASKED("outstanding"), { HISTORY(DONE, DONE) }, 0,
	    "serial 0B is revoked" },
	{ "revoke: done while it waits", ASKED("outstanding"),
	    { HISTORY(WAITS, REFUSED), HISTORY(DONE, REFUSED) }, 0, "serial 0B is revoked" },
	{ "revoke: refused", ASKED("outstanding"), { HISTORY(REFUSED, DONE) }, 4,
	    "out of force; serial 0B: its CA refuses the revocation; ask again by: vesper cert "
	    "revoke: acme_unauthorized: no" },
	{ "revoke: it waits, and the one before is done", ASKED("outstanding"),
	    { HISTORY(ASKS, DONE) }, 3, "revocation outstanding" },
	{ "revoke: it waits, and the one before is refused", ASKED("outstanding"),
	    { HISTORY(ASKS, REFUSED) }, 3, "http_failed: down" },
	{ "revoke: none of those in force", ASKED("outstanding"),
	    { JOB("{\"certificates\":[" KEPT("0A", DONE) "]}") }, 3, "revocation outstanding" },
	{ "revoke: of no CA", ASKED("apart"), { NULL }, 3, "serial 0B: no CA is asked" },
	{ "revoke: refused before", ASKED("refused"), { NULL }, 4,
	    "serial 0B: its CA refuses" },
	{ "revoke: a state of later", ASKED("begun"), { NULL }, 3, "revocation outstanding" },
	{ "revoke: the history is spoilt", ASKED("outstanding"),
	    { "{\"job\":2,\"state\":\"failed\",\"reason\":\"history_file\","
	      "\"detail\":\"\"}" },
	    3, NULL },
};

static void
revokes(void **state)
{
	const struct revoke_case *c = *state;
	AUTO_BUF first = BUF_INIT(OUTPUT_MAX), second = BUF_INIT(OUTPUT_MAX);
	AUTO_BUF third = BUF_INIT(OUTPUT_MAX);
	struct buf *http[] = { &first, &second, &third };
	AUTO_BUF out = BUF_INIT(OUTPUT_MAX);
	const char *answers[] = { NULL, NULL, NULL, NULL };
	struct scripted a = { .answers = answers };
	static char *const environment[] = { NULL };
	char line[160], *argv[ARGV_MAX];
	int status;

	answer(http[0], "200 OK", c->asked);
	answers[0] = buf_text(http[0]);
	for (size_t i = 0; i < ARRAY_LEN(c->history) && c->history[i] != NULL; i++) {
		answer(http[i + 1], "200 OK", c->history[i]);
		answers[i + 1] = buf_text(http[i + 1]);
	}
	scripted_start(&a);
	snprintf(line, sizeof line, "cert revoke acme/main --serial 0B --socket %s", a.path);
	split(line, argv);
	write_file("stdin", span_str(""));
	status = run_in(argv, environment);
	scripted_stop(&a);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	read_output("stdout", &out);
	if (status != c->status ||
	    (c->says != NULL ? strstr(buf_text(&out), c->says) == NULL : out.len > 0))
		fail_msg("exit %d\n%s", status, buf_text(&out));
}

/* ---- numbers in several parts ---------------------------------------------------------- */

#define FAILED "{\"job\":2,\"state\":\"failed\",\"reason\":\"conflict\",\"detail\":\"no\"}"

static struct part_case {
	const char *name, *options, *second;
	int status;
	const char *out, *err;
} part_cases[] = {
	{ "numbers: the second part fails", "", FAILED, 4,
	    "acme: 1024 added, 0 removed, 1024 numbers", "conflict: no" },
	{ "numbers: the second part fails --json", " --json", FAILED, 4, "\"conflict\"",
	    "acme: 1024 added" },
	{ "numbers: both are done --json", " --json",
	    JOB("{\"added\":1,\"removed\":0,\"numbers\":1025}"), 0, "1025", "" },
};

static void
adds_in_parts(void **state)
{
	const struct part_case *c = *state;
	AUTO_BUF first = BUF_INIT(OUTPUT_MAX), second = BUF_INIT(OUTPUT_MAX);
	AUTO_BUF out = BUF_INIT(OUTPUT_MAX), err = BUF_INIT(OUTPUT_MAX);
	AUTO_BUF lines = BUF_INIT(32768);
	const char *answers[] = { NULL, NULL, NULL };
	struct scripted a = { .answers = answers };
	static char *const environment[] = { NULL };
	char line[160], *argv[ARGV_MAX];
	json_auto_t *value = NULL;
	int status;

	answer(&first, "200 OK", JOB("{\"added\":1024,\"removed\":0,\"numbers\":1024}"));
	answer(&second, "200 OK", c->second);
	answers[0] = buf_text(&first);
	answers[1] = buf_text(&second);
	for (unsigned i = 0; i < 1025; i++)
		buf_printf(&lines, "1202555%04u\n", i);
	scripted_start(&a);
	snprintf(
	    line, sizeof line, "tenant numbers add acme - --socket %s%s", a.path, c->options);
	split(line, argv);
	write_file("stdin", buf_view(&lines));
	status = run_in(argv, environment);
	scripted_stop(&a);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	read_output("stdout", &out);
	read_output("stderr", &err);
	if (status != c->status || strstr(buf_text(&out), c->out) == NULL ||
	    strstr(buf_text(&err), c->err) == NULL)
		fail_msg("exit %d\n%s\n%s", status, buf_text(&out), buf_text(&err));
	value = json_loads(buf_text(&out), 0, NULL);
	assert_int_equal(value != NULL, c->options[0] != 0);
	if (status != 0 && value != NULL)
		assert_int_equal(json_integer_value(
				     json_object_get(json_object_get(value, "error"), "added")),
		    1024);
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(cases) + ARRAY_LEN(status_cases) +
				       ARRAY_LEN(trial_cases) + ARRAY_LEN(probe_cases) +
				       ARRAY_LEN(environment_cases) + ARRAY_LEN(revoke_cases) +
				       ARRAY_LEN(part_cases) + 2];
	size_t n = 0;

	if (access("./vesper", X_OK) != 0) {
		puts("the program vesper is not in this directory");
		return 77;
	}
	ROWS(tests, n, cases, runs);
	ROWS(tests, n, status_cases, judges_status);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(empty_is_unset);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(unreached);
	ROWS(tests, n, trial_cases, tries_tenant);
	ROWS(tests, n, probe_cases, asks_parties);
	ROWS(tests, n, environment_cases, the_probe_is_alone);
	ROWS(tests, n, revoke_cases, revokes);
	ROWS(tests, n, part_cases, adds_in_parts);
	return cmocka_run_group_tests(tests, make_all, drop_all);
}
