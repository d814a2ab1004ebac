/* config: what is accepted, and file:line of everything that is not */
#include "agent/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cm.h"

static char home[] = "/tmp/vesper-config-XXXXXX";

/* Line 1 is free for what a row adds in front. */
#define MAIN_REST \
	"trust_anchors = \"trust-anchors.pem\" authority_anchors = " \
	"\"authority.pem\"\n" MAIN_LAST
#define MAIN_LAST "ct_logs = 'ct-logs.json'\n" MAIN_PARTS
#define MAIN_PARTS \
	"token \"main\" {\n" \
	"  module = \"/usr/lib/softhsm/libsofthsm2.so\" label = \"vesper\"\n" \
	"  pin = \"file:secrets/pin\"\n" \
	"}\n" \
	"ca \"lab\" { directory = \"https://127.1.2.3:14000/directory\" token = \"main\" }\n" \
	"authority \"numbers\" { url = \"https://127.1.2.3:14001\" }\n"

#define CREDENTIAL_HEAD \
	"  profile = \"vesper-06\" token = \"main\" ca = \"lab\" authority = \"numbers\"\n"
#define X5U "  x5u = \"https://127.1.2.3:8443/certs/\"\n"

/* Lines: 1 tenant, 2 numbers, 3 the row's, 4 credential, 5 head, 6 the row's. */
#define TENANT(extra, head, cred) \
	"tenant \"acme\" {\n  numbers = { \"12025550100\" }\n" extra \
	"\n credential \"main\" {\n" head cred "\n }\n}\n"

#define SP_WITH(extra) \
	TENANT(extra, "profile = \"shaken-sp\" token = \"main\" spc = \"1234\"\n", X5U)
#define ATTEST(rules) "attestation { " rules " }"
#define SP(cred)      TENANT("", "profile = \"shaken-sp\" token = \"main\"\n", cred X5U)

static void
put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", home, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void
drop(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", home, name);
	(void)unlink(path);
}

static enum rc
read_config(struct config **c, struct fault *f)
{
	char path[256];

	snprintf(path, sizeof path, "%s/vesperd.conf", home);
	return config_read(path, c, f);
}

/* ---- the example of vesperd.conf(5) ------------------------------------------ */

static const char example_main[] =
    "state_dir = \"../state\"\n"
    "audit_dir = \"../audit\"\n"
    "front_user = \"vesper-front\"   # used when started as root\n"
    "hsm_user = \"vesper-hsm\"\n"
    "net_user = \"vesper-net\"\n"
    "trust_anchors = \"trust-anchors.pem\"\n"
    "authority_anchors = \"authority-anchors.pem\"\n"
    "ct_logs = \"ct-logs.json\"\n"
    "original_chains = \"chains\"\n"
    "request_timeout_ms = 5000\n"
    "iat_past_s = 30 iat_future_s = 0 iat_diverted_s = 3600\n"
    "audit_sync = \"group\"\n"
    "/* a block\n comment */\n"
    "listen \"main\" { path = \"/run/vesper/vesper.sock\" mode = \"0666\" }\n"
    "admin_socket = \"/run/vesper/admin.sock\"\n"
    "admin_user = \"root\"\n"
    "token \"main\" { module = \"/usr/lib/softhsm/libsofthsm2.so\" label = \"vesper\" pin = "
    "\"file:secrets/pin\" processes = 2 threads = 1 lock_file = \"../token.lock\" environment "
    "= "
    "{ \"SOFTHSM2_CONF=softhsm2.conf\" } }\n"
    "ca \"lab\" { directory = \"https://127.1.2.3:14000/directory\" tls_ca = \"tls-ca.pem\" "
    "eab_kid = \"platform-1\" eab_key = \"file:secrets/eab\" contact = { "
    "\"mailto:noc@example.net\" } terms_agreed = yes token = \"main\" }\n"
    "authority \"numbers\" { url = \"https://127.1.2.3:14001\" tls_ca = \"tls-ca.pem\" account "
    "= "
    "\"acme\" secret = \"file:secrets/authority-acme\" concurrency = 4 "
    "rate_per_minute = 600 }\n"
    "authority \"claims\" { url = \"https://127.1.2.3:14002\" evidence = \"tnauthlist-token\" "
    "}\n";

static const char example_tenant[] =
    "tenant \"acme\" {\n"
    "  numbers = { \"12025550100\", # the desk\n"
    "              \"12025550110-12025550119\", }\n"
    "  numbers_file = \"acme.numbers\"\n"
    "  allow_user = { \"root\", \"1000\" }   allow_group = { \"0\" }\n"
    "  attest_max = \"A\"   ppts = { \"base\" }   rate = 0   enabled = yes\n"
    "  credential \"main\" {\n"
    "    profile = \"vesper-06\"  token = \"main\"  ca = \"lab\"  authority = \"numbers\"\n"
    "    claim_agent = \"claims\"\n"
    "    x5u = \"https://127.1.2.3:8443/certs/\"  publish_dir = \"../lab/www/certs\"\n"
    "    conveyance = \"both\"  identity_max_bytes = 8192\n"
    "    constraints { form = \"enhanced\" must_include = {\"rcd\"} must_exclude = {\"msgi\"}\n"
    "      permitted \"orig\" { values = {\"{\\\"tn\\\":\\\"12025550100\\\"}\"} } }\n"
    "    extra_claims = {\"rcd\"} priority = 0 min_scts = 1\n"
    "    publish_root = yes rcd_content_unknown = \"trust\"\n"
    "    rcd_content = { \"https://example.com/a.png\", \"https://example.com/b.png "
    "sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4=\" }\n"
    "  }\n"
    "}\n";

static void
write_example(void)
{
	put("vesperd.conf", example_main);
	put("tenants.d/acme.conf", example_tenant);
	put("acme.numbers", "# one a line\n12025550200\n12025550300-12025550309 # a block\n\n");
}

static void
check_example_main(const struct config *c)
{
	assert_string_equal(c->state_dir, "../state");
	assert_string_equal(c->original_chains, "chains");
	assert_int_equal(c->request_timeout_ms, 5000);
	assert_int_equal(c->iat_past_s, 30);
	assert_int_equal(c->iat_future_s, 0);
	assert_int_equal(c->iat_diverted_s, 3600);
	assert_int_equal(c->max_waiting, 1024);
	assert_int_equal(c->abandoned_key_after, 30);
	assert_int_equal(c->orphan_after_s, 3600);
	assert_int_equal(c->max_connections, 16384);
	assert_int_equal(c->max_user_connections, 8192);
	assert_int_equal(c->listens, 1);
	assert_int_equal(c->listen[0].mode, 0666);
	assert_string_equal(c->admin_path, "/run/vesper/admin.sock");
	assert_int_equal(c->admin_uid, 0);
	assert_true(c->admin_gid == (gid_t)-1);
	assert_int_equal(c->tokens, 1);
	assert_int_equal(c->token[0].processes, 2);
	assert_string_equal(c->token[0].environment.item[0], "SOFTHSM2_CONF=softhsm2.conf");
	assert_string_equal(c->token[0].lock_file, "../token.lock");
	assert_string_equal(c->token[0].pin.text, "file:secrets/pin");
	assert_string_equal(config_ca_find(c, "lab")->eab_kid, "platform-1");
	assert_true(config_ca_find(c, "lab")->terms_agreed);
	assert_string_equal(
	    config_ca_find(c, "lab")->enhanced_type, "EnhancedJWTClaimConstraints");
	assert_int_equal(config_ca_find(c, "lab")->concurrency, CONFIG_PARTY_STEPS);
	assert_int_equal(config_ca_find(c, "lab")->rate_per_minute, 0);
	assert_int_equal(c->authorities, 2);
	assert_int_equal(config_authority_find(c, "numbers")->concurrency, 4);
	assert_int_equal(config_authority_find(c, "numbers")->rate_per_minute, 600);
	assert_true(config_authority_find(c, "claims")->evidence);
	assert_null(config_authority_find(c, "none"));
}

static void
check_example_tenant(const struct config *c)
{
	const struct config_tenant *t = config_tenant_find(c, "acme");
	const struct config_credential *cred;

	assert_non_null(t);
	assert_int_equal(tnset_count(t->numbers), 22);
	assert_int_equal(t->allow_uids, 2);
	assert_int_equal(t->allow_uid[1], 1000);
	assert_int_equal(t->allow_gid[0], 0);
	assert_int_equal(t->attest_max, 'A');
	cred = config_credential_find(t, "main");
	assert_non_null(cred);
	assert_int_equal(cred->profile, PROFILE_VESPER_06);
	assert_int_equal(cred->convey, CONVEY_BOTH);
	assert_int_equal(cred->identity_max_bytes, 8192);
	assert_true(cred->identity);
	assert_int_equal(cred->min_scts, 1);
	assert_int_equal(cred->constraints->permitteds, 1);
	assert_string_equal(
	    cred->constraints->permitted[0].value[0], "{\"tn\":\"12025550100\"}");
	assert_string_equal(cred->constraints->must_exclude[0], "msgi");
	assert_int_equal(cred->rcd_contents, 2);
	assert_true(cred->trust_content);
	assert_true(cred->publish_root);
	assert_false(cred->attest_in_rsp);
	assert_false(cred->rcd_content[0].pinned);
	assert_true(cred->rcd_content[1].pinned);
	assert_string_equal(cred->rcd_content[1].uri, "https://example.com/b.png");
}

static void
example_is_read(void **state)
{
	AUTO(config) *c = NULL;
	json_auto_t *shown = NULL;
	AUTO_FREE char *text = NULL;
	struct fault f = { 0 };

	(void)state;
	write_example();
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	check_example_main(c);
	check_example_tenant(c);
	assert_int_equal(config_to_json(c, &shown, &f), RC_OK);
	text = json_dumps(shown, JSON_SORT_KEYS);
	assert_non_null(strstr(text, "\"12025550110-12025550119\""));
	assert_non_null(strstr(text, "\"vesper-06\""));
	assert_non_null(strstr(text, "\"rcd_content_unknown\": \"trust\""));
	assert_non_null(strstr(text, "\"iat_past_s\": 30"));
	assert_non_null(strstr(text, "\"https://example.com/b.png "
				     "sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4\""));
	/* Of a variable only the name is shown: its value may be a vendor's password. */
	assert_non_null(strstr(text, "\"SOFTHSM2_CONF\""));
	assert_null(strstr(text, "softhsm2.conf"));
}

/* ---- refusals of the main file ------------------------------------------------ */

static struct main_case {
	const char *name;
	const char *first;  /* the first line or lines of vesperd.conf */
	const char *expect; /* the detail begins with it */
} main_cases[] = {
	{ "unknown key", "trust_anchor = \"x\"\n",
	    "vesperd.conf:1: no such option 'trust_anchor'; did you mean 'trust_anchors'?" },
	{ "unknown key far from any", "\nzzzzzz = 1\n",
	    "vesperd.conf:2: no such option 'zzzzzz' here; see vesperd.conf(5)" },
	{ "key of a section", "token \"t\" {\n kye = 1 }\n",
	    "vesperd.conf:2: no such option 'kye' here" },
	{ "tenant in the main file", "tenant \"a\" { }\n",
	    "vesperd.conf:1: a tenant is not written here; give it a file of its own" },
	{ "no connection for a user", "max_user_connections = 0\n",
	    "vesperd.conf:1: 'max_user_connections' is 0; write a number from 1 to 16384" },
	{ "more for a user than for all", "max_connections = 10\nmax_user_connections = 11\n",
	    "vesperd.conf:2: 'max_user_connections' is 11; write a number from 1 to 10" },
	{ "D-21 no age at all", "iat_past_s = 0\n",
	    "vesperd.conf:1: 'iat_past_s' is 0; write a number from 1 to 600" },
	{ "D-21 far ahead", "iat_future_s = 61\n",
	    "vesperd.conf:1: 'iat_future_s' is 61; write a number from 0 to 60" },
	{ "D-21 days ago", "iat_diverted_s = 86401\n",
	    "vesperd.conf:1: 'iat_diverted_s' is 86401; write a number from 0 to 86400" },
	{ "a key abandoned for ever", "abandoned_key_after = 3651\n",
	    "vesperd.conf:1: 'abandoned_key_after' is 3651; write a number from 0 to 3650" },
	{ "an orphan for ever", "orphan_after_s = 2678401\n",
	    "vesperd.conf:1: 'orphan_after_s' is 2678401; write a number from 1 to 2678400" },
	{ "an orphan at once", "orphan_after_s = 0\n",
	    "vesperd.conf:1: 'orphan_after_s' is 0; write a number from 1 to 2678400" },
	{ "repeated key", "max_waiting = 1\nmax_waiting = 1\n",
	    "vesperd.conf:2: 'max_waiting' stands already on line 1" },
	{ "duplicate section", "ca \"lab\" { directory = \"https://x/\" token = \"main\" }\n",
	    "vesperd.conf:8: 'ca lab' stands already on line 1" },
	{ "environment in a string", "state_dir = \"${HOME}/state\"\n",
	    "vesperd.conf:1: '${' would be replaced from the environment" },
	{ "environment in a single-quoted string", "state_dir = '${HOME}'\n",
	    "vesperd.conf:1: '${' would be replaced" },
	{ "environment as a word", "max_waiting = ${N}\n", "vesperd.conf:1: '${' would be" },
	{ "unclosed comment", "# fine\n/* here\n",
	    "vesperd.conf:2: this comment is never closed" },
	{ "unclosed string", "state_dir = \"../state\n",
	    "vesperd.conf:1: string not closed on its line" },
	{ "unclosed section", "listen \"a\" {\n path = \"/x\"\n",
	    "vesperd.conf:3: no such option 'trust_anchors' here" },
	{ "closing what is not open", "}\n", "vesperd.conf:1: this } closes nothing" },
	{ "leading zero", "max_waiting = 0100\n",
	    "vesperd.conf:1: 'max_waiting': a number with a leading zero" },
	{ "hexadecimal", "max_waiting = 0x10\n",
	    "vesperd.conf:1: 'max_waiting' takes a whole" },
	{ "negative", "max_waiting = -1\n", "vesperd.conf:1: 'max_waiting' takes a whole" },
	{ "too many digits", "max_waiting = 1234567890\n",
	    "vesperd.conf:1: 'max_waiting' takes a whole number of up to 9" },
	{ "out of range", "max_waiting = 0\n",
	    "vesperd.conf:1: 'max_waiting' is 0; write a number from 1 to 65536" },
	{ "append", "ca \"x\" { contact += { \"a:b\" } }\n",
	    "vesperd.conf:1: '+=' is not used" },
	{ "list where one value stands", "state_dir = { \"a\" }\n",
	    "vesperd.conf:1: 'state_dir' takes one value, not a list" },
	{ "section written as a key", "token = \"main\"\n",
	    "vesperd.conf:1: 'token' is a section: write token \"name\" { … }" },
	{ "key written as a section", "state_dir { }\n",
	    "vesperd.conf:1: 'state_dir' is an option" },
	{ "no value", "state_dir =\n",
	    "vesperd.conf:2: the name of an option expected before '='" },
	{ "bad escape", "state_dir = \"a\\x41\"\n", "vesperd.conf:1: unknown escape '\\x'" },
	{ "unquoted URL", "state_dir = https://x\n",
	    "vesperd.conf:1: put this value in quotes" },
	{ "stray punctuation", "state_dir = a;\n", "vesperd.conf:1: unexpected ';'" },
	{ "control character", "state_dir = \"a\001\"\n",
	    "vesperd.conf:1: a control character" },
	{ "not UTF-8 further down", "\n# é\nstate_dir = \"\xff\"\n",
	    "vesperd.conf:3: the file is not UTF-8" },
	{ "not UTF-8", "state_dir = \"\xff\"\n", "vesperd.conf:1: the file is not UTF-8" },
	{ "empty value", "state_dir = \"\"\n", "vesperd.conf:1: 'state_dir' is empty" },
	{ "audit_sync", "audit_sync = \"often\"\n",
	    "vesperd.conf:1: 'audit_sync' must be one of group, none" },
	{ "a role as administrator", "net_user = \"daemon\"\nadmin_user = \"daemon\"\n",
	    "vesperd.conf:2: 'admin_user' is 'daemon', a role's user" },
	{ "unknown user", "admin_user = \"no-such-user-here\"\n",
	    "vesperd.conf:1: no user 'no-such-user-here' on this machine" },
	{ "unknown group", "admin_group = \"no-such-group-here\"\n",
	    "vesperd.conf:1: no group 'no-such-group-here' on this machine" },
	{ "two roles one user", "hsm_user = \"vesper-front\"\n",
	    "vesperd.conf:1: front_user, hsm_user and net_user must be three" },
	{ "socket path too long",
	    "admin_socket = \"/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n",
	    "vesperd.conf:1: 'admin_socket' has 108 bytes; a socket's path has at most 107" },
	{ "mode", "listen \"a\" {\n path = \"/x\"\n mode = \"rw\" }\n",
	    "vesperd.conf:3: 'mode' must be an octal mode" },
	{ "listen without a path", "\nlisten \"a\" { }\n",
	    "vesperd.conf:2: 'path' is missing; write path" },
	{ "listen for nobody", "listen \"a\" { path = \"/x\" tenant = \"ghost\" }\n",
	    "vesperd.conf:1: there is no tenant 'ghost' in tenants.d" },
	{ "socket trust without a tenant", "listen \"a\" { path = \"/x\" auth = socket }\n",
	    "vesperd.conf:1: auth = socket makes every caller the tenant's" },
	{ "two listeners one path",
	    "listen \"a\" { path = \"/x\" }\nlisten \"b\" { path = \"/x\" }\n",
	    "vesperd.conf:2: listen 'a' has the same path" },
	{ "name", "listen \"Main Street\" { path = \"/x\" }\n",
	    "vesperd.conf:1: 'Main Street' is not a name" },
	{ "relative module",
	    "token \"t\" { module = \"x.so\" label = \"v\" pin = \"file:p\" }\n",
	    "vesperd.conf:1: 'module' must be an absolute path" },
	{ "token without a name", "token \"t\" {\n module = \"/x.so\" pin = \"file:p\" }\n",
	    "vesperd.conf:1: token 't' needs a label or a serial" },
	{ "literal PIN", "token \"t\" { module = \"/x.so\" label = \"v\"\n pin = \"1234\" }\n",
	    "vesperd.conf:2: 'pin' is not a reference; put the secret in a file of mode 0600" },
	{ "no PIN", "token \"t\" { module = \"/x.so\" label = \"v\" }\n",
	    "vesperd.conf:1: 'pin' is missing" },
	{ "credential path",
	    "token \"t\" { module = \"/x.so\" label = \"v\" pin = \"credential:../p\" }\n",
	    "vesperd.conf:1: 'pin': a path follows file:" },
	{ "environment entry",
	    "token \"t\" { module = \"/x.so\" label = \"v\" pin = \"file:p\" environment = { "
	    "\"A\" } }\n",
	    "vesperd.conf:1: entry 1 of 'environment' is not" },
	{ "plain http", "ca \"x\" { directory = \"http://h/\" token = \"main\" }\n",
	    "vesperd.conf:1: 'directory' must be an https:// URL" },
	{ "user name in a URL", "ca \"x\" { directory = \"https://u@h/\" token = \"main\" }\n",
	    "vesperd.conf:1: 'directory' must not hold a user name" },
	{ "URL without a host", "ca \"x\" { directory = \"https:///d\" token = \"main\" }\n",
	    "vesperd.conf:1: 'directory' is not a URL" },
	{ "no such token", "ca \"x\" { directory = \"https://h/\" token = \"mian\" }\n",
	    "vesperd.conf:1: there is no section token \"mian\"" },
	{ "half an EAB",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\" eab_kid = \"k\" }\n",
	    "vesperd.conf:1: 'eab_kid' and 'eab_key' belong together" },
	{ "no place at a CA",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\" concurrency = 0 }\n",
	    "vesperd.conf:1: 'concurrency'" },
	{ "more places than there are",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\" concurrency = 65 }\n",
	    "vesperd.conf:1: 'concurrency'" },
	{ "a rate below none",
	    "authority \"x\" { url = \"https://h/\" rate_per_minute = -1 }\n",
	    "vesperd.conf:1: 'rate_per_minute'" },
	{ "a limit of a desk", "ca \"x\" { issuer = \"hand\" concurrency = 4 }\n",
	    "vesperd.conf:1: 'concurrency' has no meaning with issuer = \"hand\"" },
	{ "a limit of a portal", "authority \"x\" { source = \"push\" rate_per_minute = 4 }\n",
	    "vesperd.conf:1: 'rate_per_minute' has no meaning with source = \"push\"" },
	{ "contact",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\" contact = { \"noc\" } }\n",
	    "vesperd.conf:1: 'contact' holds URLs" },
	{ "hand with a directory (D-34)",
	    "ca \"x\" { issuer = \"hand\"\n directory = \"https://h/\" }\n",
	    "vesperd.conf:2: 'directory' belongs to ACME: drop it, or issuer = \"hand\"" },
	{ "hand with a token", "ca \"x\" { issuer = \"hand\"\n token = \"main\" }\n",
	    "vesperd.conf:2: 'token' belongs to ACME" },
	{ "issuer", "ca \"x\" {\n issuer = \"post\" }\n",
	    "vesperd.conf:2: 'issuer' must be one of acme, command, hand" },
	{ "command without one", "ca \"x\" { issuer = \"command\" }\n",
	    "vesperd.conf:1: 'command' is missing" },
	{ "command by search", "ca \"x\" { issuer = \"command\"\n command = { \"issue\" } }\n",
	    "vesperd.conf:2: 'command' begins with the absolute path" },
	{ "command of ACME",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\"\n command = { \"/x\" } }\n",
	    "vesperd.conf:2: 'command' needs issuer" },
	{ "command of hand", "ca \"x\" { issuer = \"hand\"\n command = { \"/x\" } }\n",
	    "vesperd.conf:2: 'command' needs issuer" },
	{ "domain without a command",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\"\n"
	    " domain_challenge = \"dns-01\" }\n",
	    "vesperd.conf:1: 'domain_command' is missing" },
	{ "domain by search",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\"\n"
	    " domain_challenge = \"dns-01\"\n domain_command = { \"x\" } }\n",
	    "vesperd.conf:3: 'domain_command' begins with the absolute path" },
	{ "domain command without a challenge",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\"\n"
	    " domain_command = { \"/x\" } }\n",
	    "vesperd.conf:2: 'domain_command' needs domain_challenge" },
	{ "domain by another challenge",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\"\n"
	    " domain_challenge = \"tls-alpn-01\" }\n",
	    "vesperd.conf:2: 'domain_challenge' must be one of none, http-01, dns-01" },
	{ "profile of a command",
	    "ca \"x\" { issuer = \"command\" command = { \"/x\" }\n"
	    " acme_profile = \"short\" }\n",
	    "vesperd.conf:2: 'acme_profile' belongs to ACME" },
	{ "profile of no name",
	    "ca \"x\" { directory = \"https://h/\" token = \"main\"\n"
	    " acme_profile = \"\" }\n",
	    "vesperd.conf:2: 'acme_profile' is empty" },
	{ "domain of a command",
	    "ca \"x\" { issuer = \"command\" command = { \"/x\" }\n"
	    " domain_challenge = \"dns-01\" }\n",
	    "vesperd.conf:2: 'domain_challenge' belongs to ACME" },
	{ "acme without a directory", "ca \"x\" { issuer = \"acme\" token = \"main\" }\n",
	    "vesperd.conf:1: 'directory' is missing" },
	{ "push with a url", "authority \"x\" { source = \"push\"\n url = \"https://h\" }\n",
	    "vesperd.conf:2: 'url' has no meaning with source = \"push\"" },
	{ "file without a path", "authority \"x\" { source = \"file\" }\n",
	    "vesperd.conf:1: source = \"file\" and path" },
	{ "push with a path", "authority \"x\" { source = \"push\"\n path = \"d\" }\n",
	    "vesperd.conf:2: source = \"file\" and path" },
	{ "rest with a command",
	    "authority \"x\" { url = \"https://h\"\n command = { \"/x\" } }\n",
	    "vesperd.conf:2: 'command' has no meaning with source = \"rest\"" },
	{ "file with a command",
	    "authority \"x\" { source = \"file\" path = \"d\"\n command = { \"/x\" } }\n",
	    "vesperd.conf:2: 'command' needs source" },
	{ "token command by search",
	    "authority \"x\" { source = \"command\"\n command = { \"x\" } }\n",
	    "vesperd.conf:2: 'command' begins with the absolute path" },
	{ "source", "authority \"x\" {\n source = \"fax\" }\n",
	    "vesperd.conf:2: 'source' must be one of rest, push, file, command" },
	{ "user without secret", "authority \"x\" { url = \"https://h\"\n user = \"u\" }\n",
	    "vesperd.conf:2: 'user' needs its secret" },
	{ "user with a colon",
	    "authority \"x\" { url = \"https://h\" secret = \"file:s\"\n user = \"a:b\" }\n",
	    "vesperd.conf:2: 'user' has no colon" },
	{ "half a TLS identity",
	    "authority \"x\" { url = \"https://h\"\n tls_cert = \"c.pem\" }\n",
	    "vesperd.conf:2: 'tls_cert' and 'tls_key' belong together" },
	{ "a literal TLS key",
	    "authority \"x\" { url = \"https://h\" tls_cert = \"c.pem\"\n tls_key = \"k\" }\n",
	    "vesperd.conf:2: " },
	{ "dialect", "authority \"x\" { url = \"https://h\"\n dialect = \"odd\" }\n",
	    "vesperd.conf:2: 'dialect' must be one of rfc9448, sti-pa" },
	{ "boolean", "ca \"x\" { terms_agreed = maybe }\n",
	    "vesperd.conf:1: 'terms_agreed' takes yes or no" },
};

static void
main_refused(void **state)
{
	const struct main_case *t = *state;
	AUTO(config) *c = NULL;
	char text[4096];
	struct fault f = { 0 };

	drop("tenants.d/acme.conf");
	snprintf(text, sizeof text, "%s%s", t->first, MAIN_REST);
	put("vesperd.conf", text);
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_null(c);
	assert_string_equal(f.reason, "config");
	if (strncmp(f.detail, t->expect, strlen(t->expect)) != 0)
		fail_msg("got  %s\nwant %s", f.detail, t->expect);
}

/* ---- refusals of a tenant's file ---------------------------------------------- */

static struct tenant_case {
	const char *name;
	const char *text;
	const char *expect; /* behind "tenants.d/acme.conf:"; NULL: accepted */
} tenant_cases[] = {
	{ "good", TENANT("", CREDENTIAL_HEAD, X5U), NULL },
	{ "good, port 443", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://h:443/\""), NULL },
	{ "good, IPv6", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://[::1]:8443/c/\""), NULL },
	{ "good, no Identity", TENANT("", CREDENTIAL_HEAD, "identity = none"), NULL },
	{ "good, a tilde stays", TENANT("", CREDENTIAL_HEAD, X5U "publish_dir = \"~/c\""),
	    NULL },
	{ "empty file", "", "1: no tenant in this file" },
	{ "two tenants", "tenant \"a\" { }\n\ntenant \"b\" { }\n", "3: one tenant a file" },
	{ "other sections", "token \"main\" { }\n", "1: no such option 'token' here" },
	{ "misspelt tenant", "tennant \"main\" { }\n",
	    "1: no such option 'tennant'; did you mean 'tenant'?" },
	{ "tenant's name", "tenant \"ACME\" { }\n", "1: 'ACME' is not a name" },
	{ "name with a slash", "tenant \"a/b\" { }\n", "1: 'a/b' is not a name" },
	{ "name that starts with a dot", "tenant \".a\" { }\n", "1: '.a' is not a name" },
	{ "the user nobody is anybody",
	    TENANT("allow_user = { \"65534\" }", CREDENTIAL_HEAD, X5U),
	    "3: 65534 is what the kernel says of every user" },
	{ "unknown user", TENANT("allow_user = { \"ghost-user\" }", CREDENTIAL_HEAD, X5U),
	    "3: no user 'ghost-user'" },
	{ "unknown group", TENANT("allow_group = { \"ghost-group\" }", CREDENTIAL_HEAD, X5U),
	    "3: no group 'ghost-group'" },
	{ "user number too large",
	    TENANT("allow_user = { \"4294967295\" }", CREDENTIAL_HEAD, X5U),
	    "3: no user '4294967295'" },
	{ "attest_max", TENANT("attest_max = \"D\"", CREDENTIAL_HEAD, X5U),
	    "3: 'attest_max' must be" },
	{ "good, attestation",
	    SP_WITH(ATTEST("listed = \"A\" delegate_proof = \"A\" "
			   "known_customer = \"B\" known_user = { \"1000\" } "
			   "otherwise = \"C\" over_cap = \"lower\"")),
	    NULL },
	{ "good, delegates of a profile",
	    SP_WITH(ATTEST("delegate_proof = \"A\" delegate_profile = \"atis-delegate\" "
			   "delegate_encompassing = \"require\"")),
	    NULL },
	{ "delegates of a class without numbers",
	    SP_WITH(ATTEST("delegate_proof = \"A\" delegate_profile = \"shaken-sp\"")),
	    "3: 'delegate_profile' must be atis-delegate" },
	{ "delegate_encompassing (D-45)",
	    SP_WITH(ATTEST("delegate_proof = \"A\" delegate_encompassing = \"on\"")),
	    "3: 'delegate_encompassing' must be one of if-present, require, off" },
	{ "a profile of no delegates",
	    SP_WITH(ATTEST("listed = \"A\" delegate_profile = \"domain\"")),
	    "3: 'delegate_profile' and 'delegate_encompassing' belong" },
	{ "attestation beside attest_max",
	    SP_WITH("attest_max = \"A\"\n" ATTEST("listed = \"A\"")),
	    "4: 'attest_max' and 'attestation' say the same thing" },
	{ "attestation of nothing", SP_WITH(ATTEST("")), "3: 'attestation' grants nothing" },
	{ "a known customer is never A", SP_WITH(ATTEST("known_customer = \"A\"")),
	    "3: 'known_customer' must be \"B\" or \"C\"" },
	{ "otherwise is never A", SP_WITH(ATTEST("otherwise = \"A\"")),
	    "3: 'otherwise' must be \"B\" or \"C\"" },
	{ "listed D", SP_WITH(ATTEST("listed = \"D\"")), "3: 'listed' must be \"A\"" },
	{ "customers whom nobody knows", SP_WITH(ATTEST("known_customer = \"B\"")),
	    "3: 'known_customer' and the callers" },
	{ "known callers for nothing",
	    SP_WITH(ATTEST("listed = \"A\" known_user = { \"1000\" }")),
	    "3: 'known_customer' and the callers" },
	{ "over_cap", SP_WITH(ATTEST("listed = \"A\" over_cap = \"raise\"")),
	    "3: 'over_cap' must be one of refuse, lower" },
	{ "good, known groups",
	    SP_WITH(ATTEST("known_customer = \"B\" known_group = { \"1000\" }")), NULL },
	{ "known groups for nothing",
	    SP_WITH(ATTEST("listed = \"A\" known_group = { \"1000\" }")),
	    "3: 'known_customer' and the callers" },
	{ "good, dests", SP_WITH("dests = { \"1202...\", \"911\", \"120-129\" }"), NULL },
	{ "good, dests of a credential",
	    TENANT("", CREDENTIAL_HEAD, X5U "dests = { \"44...\" } ppts = { \"base\" }"),
	    NULL },
	{ "dest with letters", SP_WITH("dests = { \"44...\", \"+44\" }"),
	    "3: entry 2 of 'dests': " },
	{ "dest prefix of 16", SP_WITH("dests = { \"1234567890123456...\" }"),
	    "3: entry 1 of 'dests': a prefix has 1 to 15 digits" },
	{ "dest prefix with a star", SP_WITH("dests = { \"1*...\" }"),
	    "3: entry 1 of 'dests': a prefix is of digits" },
	{ "dest prefix of nothing", SP_WITH("dests = { \"...\" }"), "3: entry 1 of 'dests': " },
	{ "ppt of a credential", TENANT("", CREDENTIAL_HEAD, X5U "ppts = { \"bar\" }"),
	    "7: 'bar' is no PASSporT type" },
	{ "good, observe", TENANT("observe = { \"attest\", \"rate\" }", CREDENTIAL_HEAD, X5U),
	    NULL },
	{ "good, observe all", TENANT("observe = { yes }", CREDENTIAL_HEAD, X5U), NULL },
	{ "good, observe without braces", TENANT("observe = true", CREDENTIAL_HEAD, X5U),
	    NULL },
	{ "good, observe nothing", TENANT("observe = no", CREDENTIAL_HEAD, X5U), NULL },
	{ "observe numbers", TENANT("observe = { \"numbers\" }", CREDENTIAL_HEAD, X5U),
	    "3: 'numbers' is no rule that can be observed" },
	{ "observe no among others",
	    TENANT("observe = { \"rate\", \"no\" }", CREDENTIAL_HEAD, X5U),
	    "3: 'no' is no rule" },
	{ "ppt", TENANT("ppts = { \"foo\" }", CREDENTIAL_HEAD, X5U),
	    "3: 'foo' is no PASSporT type" },
	{ "number", "tenant \"acme\" {\n numbers = { \"12025550100\", \"+1\" }\n}\n",
	    "2: entry 2 of 'numbers':" },
	{ "range backwards",
	    "tenant \"acme\" {\n numbers = { \"12025550119-12025550110\" }\n}\n",
	    "2: entry 1 of 'numbers':" },
	{ "numbers_file missing", TENANT("numbers_file = \"no.such\"", CREDENTIAL_HEAD, X5U),
	    "3: no.such: No such file" },
	{ "good, revoked at once", TENANT("port_revoke_after = 0", CREDENTIAL_HEAD, X5U),
	    NULL },
	{ "good, never revoked", TENANT("port_revoke_after = never", CREDENTIAL_HEAD, X5U),
	    NULL },
	{ "revoked too late", TENANT("port_revoke_after = 31622401", CREDENTIAL_HEAD, X5U),
	    "3: 'port_revoke_after' is \"never\" or" },
	{ "revoked some time", TENANT("port_revoke_after = \"1d\"", CREDENTIAL_HEAD, X5U),
	    "3: 'port_revoke_after' is \"never\" or" },
	{ "revoked before", TENANT("port_revoke_after = \"-1\"", CREDENTIAL_HEAD, X5U),
	    "3: 'port_revoke_after' is \"never\" or" },
	{ "good, a refusal stops", TENANT("on_rtu_refused = stop", CREDENTIAL_HEAD, X5U),
	    NULL },
	{ "good, a refusal stops later",
	    TENANT("on_rtu_refused = stop_after\nrtu_stop_after_s = 1", CREDENTIAL_HEAD, X5U),
	    NULL },
	{ "a refusal does what", TENANT("on_rtu_refused = \"ask\"", CREDENTIAL_HEAD, X5U),
	    "3: 'on_rtu_refused'" },
	{ "a refusal stops later, at once",
	    TENANT("on_rtu_refused = stop_after\nrtu_stop_after_s = 0", CREDENTIAL_HEAD, X5U),
	    "4: 'rtu_stop_after_s'" },
	{ "a period without its policy",
	    TENANT("on_rtu_refused = stop\nrtu_stop_after_s = 9", CREDENTIAL_HEAD, X5U),
	    "4: 'rtu_stop_after_s' has a meaning only" },
	{ "good, no window", TENANT("renumber_window_s = 0", CREDENTIAL_HEAD, X5U), NULL },
	{ "good, a window of a day", TENANT("renumber_window_s = 86400", CREDENTIAL_HEAD, X5U),
	    NULL },
	{ "a window of more than a day",
	    TENANT("renumber_window_s = 86401", CREDENTIAL_HEAD, X5U),
	    "3: 'renumber_window_s'" },
	{ "a window before it began", TENANT("renumber_window_s = -1", CREDENTIAL_HEAD, X5U),
	    "3: 'renumber_window_s'" },
	{ "no profile (D-01)", TENANT("", "", X5U), "4: 'profile' is missing" },
	{ "unknown profile", TENANT("", "profile = \"vesper-99\"", ""),
	    "5: no profile 'vesper-99'" },
	{ "domain without x5u (D-49)",
	    TENANT("", "profile = \"domain\" token = \"main\"\nidentity = \"none\"", ""),
	    "4: profile domain binds the host of x5u" },
	{ "domain and an address (D-49)",
	    TENANT("", "profile = \"domain\" token = \"main\"\n", X5U),
	    "6: the host of 'x5u' is what profile domain binds" },
	{ "domain and an address in brackets",
	    TENANT("", "profile = \"domain\" token = \"main\"\n", "x5u = \"https://[::1]/\""),
	    "6: the host of 'x5u' is what profile domain binds" },
	{ "domain and a name of one label",
	    TENANT(
		"", "profile = \"domain\" token = \"main\"\n", "x5u = \"https://localhost/\""),
	    "6: the host of 'x5u' is what profile domain binds" },
	{ "good, the CA names the file (RFC 9448 s7)",
	    TENANT("", CREDENTIAL_HEAD, "x5u_from = order\n" X5U), NULL },
	{ "the CA names the file, nobody the directory",
	    TENANT("", CREDENTIAL_HEAD, "x5u_from = order identity = none\n"),
	    "6: x5u_from = \"order\" needs x5u" },
	{ "the CA names the file, and it is published here",
	    TENANT("", CREDENTIAL_HEAD, "x5u_from = order publish_dir = www\n" X5U),
	    "6: 'publish_dir' has no meaning with x5u_from" },
	{ "the CA names the file, and there is none",
	    TENANT("", "profile = \"vesper-06\" token = \"main\"\n", "x5u_from = order\n" X5U),
	    "6: x5u_from = \"order\" needs a ca that speaks ACME" },
	{ "somebody names the file", TENANT("", CREDENTIAL_HEAD, "x5u_from = ca\n" X5U),
	    "6: 'x5u_from' must be one of" },
	{ "good, dates of an order",
	    TENANT("", CREDENTIAL_HEAD, "renew_lifetime_s = 3600 renew_backdate_s = 0\n" X5U),
	    NULL },
	{ "a begin of more than a day ago",
	    TENANT("", CREDENTIAL_HEAD, "renew_backdate_s = 86401\n" X5U),
	    "6: 'renew_backdate_s'" },
	{ "dates of no order",
	    TENANT("", "profile = \"vesper-06\" token = \"main\"\n",
		"renew_lifetime_s = 3600\n" X5U),
	    "6: 'renew_lifetime_s' is asked of a CA by ACME" },
	{ "good, a series (RFC 8739 s3.1.1)",
	    TENANT("", CREDENTIAL_HEAD,
		"star_lifetime_s = 86400 star_duration_s = 864000 star_adjust_s = 3600\n" X5U),
	    NULL },
	{ "a series and dates (RFC 8739 s3.1.1)",
	    TENANT("", CREDENTIAL_HEAD, "star_lifetime_s = 1 renew_lifetime_s = 2\n" X5U),
	    "6: 'renew_lifetime_s' has no meaning with star_lifetime_s" },
	{ "a series and a begin",
	    TENANT("", CREDENTIAL_HEAD, "star_lifetime_s = 1 renew_backdate_s = 0\n" X5U),
	    "6: 'renew_backdate_s' has no meaning with star_lifetime_s" },
	{ "a series and the CA's x5u (D-61)",
	    TENANT("", CREDENTIAL_HEAD, "star_lifetime_s = 1 x5u_from = order\n" X5U),
	    "6: x5u_from = \"order\" does not go with star_lifetime_s" },
	{ "a series shorter than one of it",
	    TENANT("", CREDENTIAL_HEAD, "star_lifetime_s = 60 star_duration_s = 59\n" X5U),
	    "6: 'star_duration_s' is less than star_lifetime_s" },
	{ "a series of no CA",
	    TENANT(
		"", "profile = \"vesper-06\" token = \"main\"\n", "star_lifetime_s = 60\n" X5U),
	    "6: 'star_lifetime_s' is asked of a CA by ACME" },
	{ "the length of no series", TENANT("", CREDENTIAL_HEAD, "star_duration_s = 60\n" X5U),
	    "6: 'star_duration_s' needs star_lifetime_s" },
	{ "the padding of no series", TENANT("", CREDENTIAL_HEAD, "star_adjust_s = 0\n" X5U),
	    "6: 'star_adjust_s' needs star_lifetime_s" },
	{ "no token", TENANT("", "profile = \"vesper-06\"", X5U), "4: 'token' is missing" },
	{ "no such token", TENANT("", "profile = \"vesper-06\"\ntoken = \"x\"", ""),
	    "6: there is no section token \"x\"" },
	{ "no such ca", TENANT("", "profile = \"vesper-06\" token = \"main\"\nca = \"x\"", ""),
	    "6: there is no section ca \"x\"" },
	{ "no such authority",
	    TENANT("", "profile = \"vesper-06\" token = \"main\"\nauthority = \"x\"", ""),
	    "6: there is no section authority \"x\"" },
	{ "no such claim agent", TENANT("", CREDENTIAL_HEAD, "claim_agent = \"x\"\n" X5U),
	    "6: there is no section authority \"x\"" },
	{ "ca without authority",
	    TENANT("", "profile = \"vesper-06\" token = \"main\" ca = \"lab\"", X5U),
	    "5: a credential with a ca needs an authority" },
	{ "claim agent without constraints",
	    TENANT("", CREDENTIAL_HEAD, "claim_agent = \"numbers\"\n" X5U),
	    "6: a claim agent attests constraints" },
	{ "constraints without a claim agent",
	    TENANT("", CREDENTIAL_HEAD, X5U "constraints { must_include = { \"rcd\" } }"),
	    "7: with a ca these need a claim agent" },
	{ "no x5u (D-17)", TENANT("", CREDENTIAL_HEAD, ""), "4: 'x5u' is missing" },
	{ "x5u http (D-61)", TENANT("", CREDENTIAL_HEAD, "x5u = \"http://h/\""),
	    "6: 'x5u' must be an https" },
	{ "x5u port (D-61)", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://h:8080/\""),
	    "6: 'x5u' must use port 443 or 8443" },
	{ "x5u port that begins like 443",
	    TENANT("", CREDENTIAL_HEAD, "x5u = \"https://h:4430/\""),
	    "6: 'x5u' must use port 443 or 8443" },
	{ "x5u user (D-61)", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://u@h/\""),
	    "6: 'x5u' must not hold a user name" },
	{ "x5u query", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://h/?a/\""),
	    "6: 'x5u' must not have a query" },
	{ "x5u fragment", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://h/#/\""),
	    "6: 'x5u' must not hold a user name or a fragment" },
	{ "x5u not a directory", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://h/c\""),
	    "6: 'x5u' is a directory and must end in '/'" },
	{ "x5u host only", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://h\""),
	    "6: 'x5u' is a directory and must end in '/'" },
	{ "x5u with >", TENANT("", CREDENTIAL_HEAD, "x5u = \"https://h/>/\""),
	    "6: 'x5u' is not a URL" },
	{ "good, rekey never", TENANT("", CREDENTIAL_HEAD, "rekey = never\n" X5U), NULL },
	{ "good, rekey by days", TENANT("", CREDENTIAL_HEAD, "rekey = 3650\n" X5U), NULL },
	{ "rekey by too many days", TENANT("", CREDENTIAL_HEAD, "rekey = 3651\n" X5U),
	    "6: 'rekey' is \"every\"" },
	{ "rekey no days", TENANT("", CREDENTIAL_HEAD, "rekey = \"0\"\n" X5U), "6: 'rekey'" },
	{ "rekey minus", TENANT("", CREDENTIAL_HEAD, "rekey = \"-1\"\n" X5U), "6: 'rekey'" },
	{ "rekey days in words", TENANT("", CREDENTIAL_HEAD, "rekey = \"7d\"\n" X5U),
	    "6: 'rekey'" },
	{ "rekey seldom", TENANT("", CREDENTIAL_HEAD, "rekey = seldom\n" X5U), "6: 'rekey'" },
	{ "x5c required (V-03)", TENANT("", CREDENTIAL_HEAD, "conveyance = x5u\n" X5U),
	    "6: profile vesper-06 carries x5c" },
	{ "conveyance", TENANT("", CREDENTIAL_HEAD, "conveyance = all\n" X5U),
	    "6: 'conveyance' must be one of x5u, x5c, both" },
	{ "spc for a delegate", TENANT("", CREDENTIAL_HEAD, "spc = \"1234\"\n" X5U),
	    "6: 'spc' belongs to profile shaken-sp only" },
	{ "unlisted_tn for a delegate", TENANT("", CREDENTIAL_HEAD, "unlisted_tn = B\n" X5U),
	    "6: 'unlisted_tn' belongs to" },
	{ "provider without a code",
	    TENANT("", "profile = \"shaken-sp\" token = \"main\"", X5U),
	    "4: profile shaken-sp needs the provider's code" },
	{ "provider, unlisted",
	    TENANT("", "profile = \"shaken-sp\" token = \"main\"\n",
		"spc = \"1234\" unlisted_tn = A\n" X5U),
	    "6: 'unlisted_tn' must be one of refuse, B, C" },
	{ "provider, good",
	    TENANT("", "profile = \"shaken-sp\" token = \"main\"\n",
		"spc = \"1234\" unlisted_tn = B\n" X5U),
	    NULL },
	{ "code, empty", SP("spc = \"\"\n"), "6: 'spc' is empty" },
	{ "code with a blank", SP("spc = \"12 34\"\n"), "6: 'spc' is visible ASCII" },
	{ "code with a blank behind it", SP("spc = \"1234 \"\n"), "6: 'spc' is visible ASCII" },
	{ "code with a tab", SP("spc = \"12\\t34\"\n"), "6: 'spc' is visible ASCII" },
	{ "code that is not ASCII", SP("spc = \"12\xc3\xa9x4\"\n"),
	    "6: 'spc' is visible ASCII" },
	{ "code of 33 characters", SP("spc = \"123456789012345678901234567890123\"\n"),
	    "6: 'spc' has more than 32" },
	{ "code of 32 characters", SP("spc = \"12345678901234567890123456789012\"\n"), NULL },
	{ "code of letters", SP("spc = \"70ab-\"\n"), NULL },
	{ "delegate without numbers",
	    "tenant \"acme\" {\n credential \"main\" {\n" CREDENTIAL_HEAD X5U "}\n}\n",
	    "2: tenant 'acme' has no numbers" },
	{ "must_exclude in the old form",
	    TENANT("", CREDENTIAL_HEAD, X5U "constraints {\n must_exclude = { \"rcd\" } }"),
	    "8: 'must_exclude' needs form = \"enhanced\"" },
	{ "empty constraints", TENANT("", CREDENTIAL_HEAD, X5U "constraints { }"),
	    "7: 'constraints' says nothing" },
	{ "constraints twice",
	    TENANT("", CREDENTIAL_HEAD, X5U "constraints { }\nconstraints { }"),
	    "8: 'constraints' stands already on line 7" },
	{ "permitted without values",
	    TENANT("", CREDENTIAL_HEAD, X5U "constraints { permitted \"orig\" { } }"),
	    "7: permitted 'orig' needs 1 to" },
	{ "orig excluded",
	    TENANT("", CREDENTIAL_HEAD,
		X5U "constraints { form = enhanced must_exclude = { \"orig\" } }"),
	    "7: " },
	{ "D-15 good commitments",
	    TENANT("", CREDENTIAL_HEAD,
		X5U
		"salts = \"file:salts\" assert_committed = yes commit_without_salt = allow"),
	    NULL },
	{ "D-15 salts in the file", TENANT("", CREDENTIAL_HEAD, X5U "salts = \"AAEC\""),
	    "7: 'salts' is not a reference" },
	{ "D-15 commit_without_salt of another kind",
	    TENANT("", CREDENTIAL_HEAD, X5U "assert_committed = yes commit_without_salt = yes"),
	    "7: 'commit_without_salt' must be one of refuse, allow" },
	{ "D-15 commit_without_salt, nothing asserted",
	    TENANT("", CREDENTIAL_HEAD, X5U "commit_without_salt = allow"),
	    "7: 'commit_without_salt' has a meaning only with" },
	{ "D-14 a hash asked for",
	    TENANT("", CREDENTIAL_HEAD,
		X5U "claim_agent = \"numbers\" constraints { permitted \"vper/name#sha-256\" "
		    "{\n values = { "
		    "\"5U3Z2edmZj2Z81pbo9mly8IbgTKaNZaJbCDAb080scU\" } } }"),
	    NULL },
	{ "D-14 no hash where one is due",
	    TENANT("", CREDENTIAL_HEAD,
		X5U
		"constraints { permitted \"vper/name#sha-256\" { values = { \"ACME\" } } }"),
	    "7: JWTClaimConstraints: value 0 is no unpadded base64" },
	{ "D-38 attest_in_rsp, vesper-05",
	    TENANT("",
		"profile = \"vesper-05\" token = \"main\" ca = \"lab\" authority = "
		"\"numbers\"\n",
		X5U "attest_in_rsp = yes"),
	    NULL },
	{ "D-38 attest_in_rsp, another profile",
	    TENANT("", CREDENTIAL_HEAD, X5U "attest_in_rsp = yes"),
	    "7: attest has no meaning in ppt rsp under profile vesper-06" },
	{ "D-26 orig_uri", TENANT("", CREDENTIAL_HEAD, X5U "orig_uri = yes"), NULL },
	{ "D-26 orig_uri of a provider", SP("spc = \"1234\" orig_uri = yes\n"),
	    "6: profile shaken-sp signs for numbers alone" },
	{ "D-52 third_party_rcd and its name",
	    TENANT("", CREDENTIAL_HEAD,
		X5U "third_party_rcd = yes third_party_iss = \"Zorin Industries\""),
	    NULL },
	{ "D-52 third_party_rcd without a name",
	    TENANT("", CREDENTIAL_HEAD, X5U "third_party_rcd = yes"),
	    "7: third_party_rcd = yes and third_party_iss = \"NAME\" go together" },
	{ "D-52 third_party_iss alone",
	    TENANT("", CREDENTIAL_HEAD, X5U "third_party_iss = \"Zorin\""),
	    "7: third_party_rcd = yes and third_party_iss = \"NAME\" go together" },
	{ "D-52 third_party_iss that no PASSporT may carry",
	    TENANT(
		"", CREDENTIAL_HEAD, X5U "third_party_rcd = yes third_party_iss = \"a\\tb\""),
	    "7: 'third_party_iss' is no iss" },
	{ "rcd_without_rcdi", TENANT("", CREDENTIAL_HEAD, X5U "rcd_without_rcdi = yes"), NULL },
	{ "D-41 rcd_content_unknown",
	    TENANT("", CREDENTIAL_HEAD, X5U "rcd_content_unknown = trust"), NULL },
	{ "D-41 rcd_content_unknown, another word",
	    TENANT("", CREDENTIAL_HEAD, X5U "rcd_content_unknown = allow"),
	    "7: 'rcd_content_unknown' " },
	{ "D-47 publish_root", TENANT("", CREDENTIAL_HEAD, X5U "publish_root = yes"), NULL },
	{ "D-63 entity", TENANT("entity_id = \"e-1\"", CREDENTIAL_HEAD, X5U), NULL },
	{ "D-63 empty entity", TENANT("entity_id = \"\"", CREDENTIAL_HEAD, X5U),
	    "3: 'entity_id' " },
	{ "extra base claim", TENANT("", CREDENTIAL_HEAD, X5U "extra_claims = { \"iat\" }"),
	    "7: 'iat' is in every PASSporT" },
	{ "extra claim that is not ASCII (RFC 8225 s5)",
	    TENANT("", CREDENTIAL_HEAD, X5U "extra_claims = { \"na\xc3\xafve\" }"),
	    "7: the names of claims are ASCII" },
	{ "content over http",
	    TENANT("", CREDENTIAL_HEAD, X5U "rcd_content = { \"http://example.com/a\" }"),
	    "7: 'http://example.com/a' is no https URL" },
	{ "content with a user",
	    TENANT("", CREDENTIAL_HEAD, X5U "rcd_content = { \"https://a@example.com/b\" }"),
	    "7: 'https://a@example.com/b' is no https URL" },
	{ "content with another digest",
	    TENANT(
		"", CREDENTIAL_HEAD, X5U "rcd_content = { \"https://example.com/a sha1-x\" }"),
	    "7: https://example.com/a: a digest begins with" },
	{ "content with a short digest",
	    TENANT("", CREDENTIAL_HEAD,
		X5U "rcd_content = { \"https://example.com/a sha256-AAAA\" }"),
	    "7: https://example.com/a: 3 octets are no sha256" },
	{ "policies, good",
	    TENANT(
		"", CREDENTIAL_HEAD, X5U "policies = { \"2.16.840.1.114569.1.1\", \"1.2\" }"),
	    NULL },
	{ "policy that is a name",
	    TENANT("", CREDENTIAL_HEAD, X5U "policies = { \"anyPolicy\" }"),
	    "7: 'anyPolicy' is no object identifier" },
	{ "policy with two dots", TENANT("", CREDENTIAL_HEAD, X5U "policies = { \"1..2\" }"),
	    "7: '1..2' is no object identifier" },
	{ "policy with a dot behind",
	    TENANT("", CREDENTIAL_HEAD, X5U "policies = { \"1.2.\" }"),
	    "7: '1.2.' is no object identifier" },
	{ "policy of one number", TENANT("", CREDENTIAL_HEAD, X5U "policies = { \"1\" }"),
	    "7: '1' is no object identifier" },
	{ "two credentials of a name",
	    TENANT("", CREDENTIAL_HEAD, X5U "}\n credential \"main\" {"),
	    "8: 'credential main' stands already on line 4" },
};

static void
tenant_judged(void **state)
{
	const struct tenant_case *t = *state;
	AUTO(config) *c = NULL;
	char want[256];
	struct fault f = { 0 };

	put("vesperd.conf", "\n" MAIN_REST);
	put("tenants.d/acme.conf", t->text);
	if (t->expect == NULL) {
		if (read_config(&c, &f) != RC_OK)
			fail_msg("%s", f.detail);
		assert_int_equal(c->tenants, 1);
		return;
	}
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_null(c);
	snprintf(want, sizeof want, "tenants.d/acme.conf:%s", t->expect);
	if (strncmp(f.detail, want, strlen(want)) != 0)
		fail_msg("got  %s\nwant %s", f.detail, want);
}

/* Without it every token would be taken on its word. */
static void
ca_needs_authority_anchors(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", "\ntrust_anchors = \"trust-anchors.pem\"\n" MAIN_LAST);
	put("tenants.d/acme.conf", TENANT("", CREDENTIAL_HEAD, X5U));
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_string_equal(f.reason, "config");
	assert_string_equal(f.detail,
	    "tenants.d/acme.conf:5: who signs the authority's tokens is not said; write "
	    "authority_anchors = \"FILE.pem\" in vesperd.conf");
	/* One that is installed by hand needs none. */
	put("tenants.d/acme.conf",
	    TENANT("", "profile = \"vesper-06\" token = \"main\"\n", X5U));
	f = (struct fault){ 0 };
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_int_equal(config_issuer(c, &c->tenant[0].credential[0]), ISSUER_HAND);
}

/* A section says what the requests look like; no authority is needed, nor a claim agent. */
static void
ca_by_hand(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", "\ntrust_anchors = \"trust-anchors.pem\"\n" MAIN_LAST
			    "ca \"desk\" { issuer = \"hand\" csr_country = \"US\" }\n");
	put("tenants.d/acme.conf",
	    TENANT("",
		"profile = \"vesper-06\" token = \"main\" ca = \"desk\"\n"
		"constraints { must_include = { \"rcd\" } }\n",
		X5U));
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_int_equal(config_issuer(c, &c->tenant[0].credential[0]), ISSUER_HAND);
	assert_string_equal(config_ca_find(c, "desk")->csr_country, "US");
	assert_null(config_ca_find(c, "desk")->directory);
}

/* What logs are asked needs to know them (V-43). */
static void
proofs_need_logs(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("tenants.d/acme.conf", TENANT("", CREDENTIAL_HEAD, X5U));
	put("vesperd.conf", "trust_anchors = \"a.pem\" authority_anchors = \"b.pem\"\n"
			    "ct_proofs = yes\n" MAIN_PARTS);
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_string_equal(
	    f.detail, "vesperd.conf:2: ct_proofs needs the logs: ct_logs = \"FILE\"");
	put("vesperd.conf", "ct_proofs = yes ct_tls_ca = \"tls.pem\"\n" MAIN_REST);
	f = (struct fault){ 0 };
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_true(c->ct_proofs && !c->ct_watch);
	assert_string_equal(c->ct_tls_ca, "tls.pem");
}

#define LIST_URL "ct_logs_url = \"https://lists.example/logs.json\"\n"
#define LIST_SIG "ct_logs_signature_url = \"https://lists.example/logs.sig\"\n"
#define LIST_KEY "ct_logs_key = \"list-key.pem\"\n"

/* A list that is fetched: its signature has to be verifiable, and something has to serve before. */
static void
signed_list(void **state)
{
	static const struct {
		const char *text, *detail;
	} rows[] = {
		{ LIST_URL LIST_SIG MAIN_REST,
		    "vesperd.conf:1: ct_logs_url needs ct_logs_key = \"FILE\"" },
		{ LIST_URL LIST_KEY MAIN_REST,
		    "vesperd.conf:1: ct_logs_url needs ct_logs_signature_url = \"https://…\"" },
		{ LIST_URL LIST_SIG LIST_KEY
		    "trust_anchors = \"a.pem\" authority_anchors = \"b.pem\"\n" MAIN_PARTS,
		    "vesperd.conf:1: ct_logs_url needs ct_logs = \"FILE\", which serves until "
		    "a "
		    "list was fetched" },
		{ LIST_KEY MAIN_REST, "vesperd.conf:1: 'ct_logs_key' needs the list that it is "
				      "about: ct_logs_url = \"https://…\"" },
		{ "ct_logs_max_age_s = 86400\n" MAIN_REST,
		    "vesperd.conf:1: 'ct_logs_max_age_s' needs the list that it is about: "
		    "ct_logs_url = \"https://…\"" },
		{ "sti_pa_url = \"https://pa.example/list\"\n" MAIN_REST,
		    "vesperd.conf:1: sti_pa_url needs who signs that list: sti_pa_anchors = "
		    "\"FILE\"" },
		{ "sti_pa_tls_ca = \"tls.pem\"\n" MAIN_REST,
		    "vesperd.conf:1: 'sti_pa_tls_ca' needs the list that it is about: "
		    "sti_pa_url = \"https://…\"" },
		{ "ct_logs_url = \"http://lists.example/logs.json\"\n" MAIN_REST,
		    "vesperd.conf:1: 'ct_logs_url' must be an https:// URL" },
		{ LIST_URL LIST_SIG LIST_KEY "ct_logs_max_age_s = 59\n" MAIN_REST,
		    "vesperd.conf:4: 'ct_logs_max_age_s' is 59; write a number from 60 to "
		    "31536000" },
	};
	AUTO(config) *c = NULL;

	(void)state;
	put("tenants.d/acme.conf", TENANT("", CREDENTIAL_HEAD, X5U));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f = { 0 };

		put("vesperd.conf", rows[i].text);
		assert_int_equal(read_config(&c, &f), RC_INVALID);
		assert_string_equal(f.detail, rows[i].detail);
	}
	put("vesperd.conf", LIST_URL LIST_SIG LIST_KEY "ct_logs_refresh_s = 60\n" MAIN_REST);
	assert_int_equal(read_config(&c, NULL), RC_OK);
	assert_string_equal(c->ct_logs_key, "list-key.pem");
	assert_int_equal(c->ct_logs_refresh_s, 60);
	assert_int_equal(c->ct_logs_max_age_s, 6048000);
}

/* Lists that certificates name are asked for unless an operator says no. */
static void
revocation_lists(void **state)
{
	static const struct {
		const char *text, *detail;
	} bad[] = {
		{ "crl_unavailable = \"ignore\" ", "'crl_unavailable'" },
		{ "crl_check = no crl_unavailable = \"refuse\" ", "needs crl_check = yes" },
		{ "crl_max_age_s = 3599 ", "'crl_max_age_s'" },
		{ "crl_max_age_s = 31536001 ", "'crl_max_age_s'" },
		{ "crl_refresh_s = 4 ", "'crl_refresh_s'" },
		{ "crl_refresh_s = 86401 ", "'crl_refresh_s'" },
	};
	AUTO(config) *c = NULL, *other = NULL;
	struct fault f = { 0 };

	(void)state;
	put("tenants.d/acme.conf", TENANT("", CREDENTIAL_HEAD, X5U));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_BUF text = BUF_INIT(65536);

		f = (struct fault){ 0 };
		buf_str(&text, bad[i].text);
		buf_str(&text, MAIN_REST);
		put("vesperd.conf", buf_text(&text));
		assert_int_equal(read_config(&c, &f), RC_INVALID);
		if (strstr(f.detail, bad[i].detail) == NULL)
			fail_msg("%s: %s", bad[i].text, f.detail);
	}
	put("vesperd.conf", MAIN_REST);
	f = (struct fault){ 0 };
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_true(c->crl_check && !c->crl_refuse && c->crl_issuers == NULL);
	assert_int_equal(c->crl_max_age_s, 604800);
	assert_int_equal(c->crl_refresh_s, 3600);
	put("vesperd.conf",
	    "crl_unavailable = \"refuse\" crl_issuers = \"pa.pem\" crl_tls_ca = \"tls.pem\"\n"
	    "crl_max_age_s = 3600 crl_refresh_s = 5\n" MAIN_REST);
	if (read_config(&other, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_true(other->crl_check && other->crl_refuse);
	assert_string_equal(other->crl_issuers, "pa.pem");
	assert_string_equal(other->crl_tls_ca, "tls.pem");
	assert_int_equal(other->crl_max_age_s, 3600);
	assert_int_equal(other->crl_refresh_s, 5);
}

/* A delegate's proof is judged by SCTs, or by name without (V-11). */
static void
proof_needs_logs(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", "trust_anchors = \"trust-anchors.pem\" authority_anchors = "
			    "\"authority.pem\"\n" MAIN_PARTS);
	put("tenants.d/acme.conf", SP_WITH(ATTEST("delegate_proof = \"A\"")));
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_string_equal(f.detail,
	    "tenants.d/acme.conf:3: delegates of profile vesper-06 have 1 SCTs but "
	    "vesperd.conf "
	    "has no ct_logs = \"FILE\"; write that, or delegate_profile = \"atis-delegate\"");
	put("tenants.d/acme.conf",
	    SP_WITH(ATTEST("delegate_proof = \"A\" delegate_profile = \"atis-delegate\"")));
	f = (struct fault){ 0 };
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_int_equal(c->tenant[0].attestation.delegate_profile, PROFILE_ATIS_DELEGATE);
}

/* Found before it is used, and told without a word of what is in it. */
static void
eab_key_is_a_key(void **state)
{
	static const struct {
		const char *text;
		int mode;
		bool missing;	  /* it cannot be read */
		const char *says; /* NULL: good */
	} rows[] = {
		{ "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n", 0600,
		    false, NULL },
		{ "AAECAwQFBgcICQoLDA0ODw==\n", 0600, false, NULL },
		{ "not+base64url/0123456789012", 0600, false,
		    "ca 'x': eab_key: file:eab is not a base64url key of at least 16 bytes; "
		    "write "
		    "it as the CA gave it" },
		{ "AAECAwQFBgcICQoLDA0O", 0600, false, "ca 'x': eab_key: file:eab is not a" },
		{ "", 0600, false, "ca 'x': eab_key: file:eab is empty" },
		{ "AAECAwQFBgcICQoLDA0ODw", 0644, false,
		    "ca 'x': eab_key: file:eab has mode 0644" },
		{ NULL, 0600, true, "ca 'x': eab_key: file:eab: No such file" },
	};
	static char name[] = "x", ref[] = "file:eab";
	struct config_ca ca = { .name = name, .eab_key = { ref } };
	const struct config c = { .ca = &ca, .cas = 1 };
	char path[256];
	AUTO_FD back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(chdir(home), 0);
	snprintf(path, sizeof path, "%s/eab", home);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f = { 0 };
		enum rc want = rows[i].says == NULL ? RC_OK : RC_INVALID;

		drop("eab");
		if (rows[i].text != NULL) {
			put("eab", rows[i].text);
			assert_int_equal(chmod(path, (mode_t)rows[i].mode), 0);
		}
		assert_int_equal(config_check_eab(&c, true, &f), want);
		if (rows[i].says != NULL &&
		    strncmp(f.detail, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("got %s", f.detail);
		assert_int_equal(
		    config_check_eab(&c, false, NULL), rows[i].missing ? RC_OK : want);
	}
	ca.eab_key.text = NULL;
	assert_int_equal(config_check_eab(&c, true, NULL), RC_OK);
	drop("eab");
	assert_int_equal(fchdir(back), 0);
}

/* ---- several files ------------------------------------------------------------ */

static void
tilde_is_kept(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", "state_dir = \"~/state\"\n" MAIN_REST);
	drop("tenants.d/acme.conf");
	assert_int_equal(read_config(&c, &f), RC_OK);
	assert_string_equal(c->state_dir, "~/state");
}

static void
duplicate_tenant(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", MAIN_REST);
	put("tenants.d/a.conf", "tenant \"acme\" { }\n");
	put("tenants.d/b.conf", "\n\ntenant \"acme\" { }\n");
	put("tenants.d/ignored.txt", "not read");
	put("tenants.d/.hidden.conf", "not read");
	drop("tenants.d/acme.conf");
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_string_equal(f.detail, "tenants.d/b.conf:3: tenant 'acme' is in "
				      "tenants.d/a.conf already; keep one of them");
	drop("tenants.d/a.conf");
	drop("tenants.d/b.conf");
}

static void
bad_numbers_file(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", MAIN_REST);
	put("tenants.d/acme.conf", "tenant \"acme\" { numbers_file = \"bad.numbers\" }\n");
	put("bad.numbers", "12025550100\n\n# fine\nnonsense\n");
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_int_equal(strncmp(f.detail, "bad.numbers:4: ", 15), 0);
	/* A detail never holds a whole number. */
	put("bad.numbers", "12025550100x12025550199\n");
	f = (struct fault){ 0 };
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_null(strstr(f.detail, "12025550100"));
}

static void
too_large_file(void **state)
{
	AUTO(config) *c = NULL;
	AUTO_FREE char *big = malloc(CONFIG_MAX_FILE + 2);
	struct fault f = { 0 };

	(void)state;
	assert_non_null(big);
	memset(big, '\n', CONFIG_MAX_FILE + 1);
	big[CONFIG_MAX_FILE + 1] = 0;
	put("vesperd.conf", big);
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_non_null(strstr(f.detail, "has more than"));
}

static void
missing_file(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	drop("vesperd.conf");
	assert_int_equal(read_config(&c, &f), RC_NOT_FOUND);
	assert_non_null(strstr(f.detail, "vesperd.conf: No such file or directory; create it"));
}

/* No prefix of a good file crashes, and none but the whole is taken for it. */
static void
every_prefix(void **state)
{
	char text[sizeof example_main];

	(void)state;
	write_example();
	for (size_t n = 0; n < sizeof example_main - 1; n++) {
		AUTO(config) *c = NULL;
		struct fault f = { 0 };

		memcpy(text, example_main, n);
		text[n] = 0;
		put("vesperd.conf", text);
		if (read_config(&c, &f) == RC_OK) {
			/* Only the newline may be missing. */
			assert_int_equal(n, sizeof example_main - 2);
		}
	}
}

static void
bit_flips(void **state)
{
	char text[sizeof example_main];

	(void)state;
	write_example();
	for (size_t n = 0; n < sizeof example_main - 1; n += 3) {
		AUTO(config) *c = NULL;
		struct fault f = { 0 };

		memcpy(text, example_main, sizeof text);
		text[n] = (char)(text[n] ^ (1 << (n % 7)));
		if (text[n] == 0)
			continue;
		put("vesperd.conf", text);
		if (read_config(&c, &f) != RC_OK)
			assert_true(f.detail[0] != 0);
	}
}

/* ---- several tokens for one credential ---- */

#define SECOND \
	"token \"second\" { module = \"/m.so\" label = \"v2\" pin = \"file:p\" }\n" \
	"token \"third\" { module = \"/m.so\" label = \"v3\" pin = \"file:p\" }\n" \
	"token \"t4\" { module = \"/m.so\" label = \"v4\" pin = \"file:p\" }\n" \
	"token \"t5\" { module = \"/m.so\" label = \"v5\" pin = \"file:p\" }\n"
#define TOKENS(list, more) \
	"  profile = \"vesper-06\" token = " list \
	" ca = \"lab\" authority = \"numbers\"\n" more X5U

static const struct tokens_case {
	const char *name, *credential;
	const char *names; /* "name:token …", or the beginning of the refusal */
	bool good;
} tokens_cases[] = {
	{ "one, bare", TOKENS("\"main\"", ""), "main:main ", true },
	{ "one, in braces", TOKENS("{ \"second\" }", ""), "main:second ", true },
	{ "two", TOKENS("{ \"main\", \"second\" }", ""), "main.main:main main.second:second ",
	    true },
	{ "four", TOKENS("{ \"main\", \"second\", \"third\", \"t4\" }", ""),
	    "main.main:main main.second:second main.third:third main.t4:t4 ", true },
	{ "five", TOKENS("{ \"main\", \"second\", \"third\", \"t4\", \"t5\" }", ""),
	    "tenants.d/acme.conf:5: a key in each of more than 4 tokens", false },
	{ "none", TOKENS("{ }", ""), "tenants.d/acme.conf:4: 'token' is missing", false },
	{ "one that is not there", TOKENS("{ \"main\", \"x\" }", ""),
	    "tenants.d/acme.conf:5: there is no section token \"x\"", false },
	{ "one twice", TOKENS("{ \"main\", \"main\" }", ""),
	    "tenants.d/acme.conf:5: token \"main\" is listed twice", false },
	{ "an empty name", TOKENS("{ \"main\", \"\" }", ""),
	    "tenants.d/acme.conf:5: 'token' holds an empty entry", false },
	{ "divided, as read",
	    TOKENS("{ \"main\", \"second\" }", "numbers_per_certificate = 1\n"),
	    "main.main:main main.second:second ", true },
	{ "divided by none", TOKENS("\"main\"", "numbers_per_certificate = 0\n"),
	    "tenants.d/acme.conf:6: 'numbers_per_certificate' is 0; write a number from 1 to "
	    "1000000",
	    false },
	{ "divided by too many", TOKENS("\"main\"", "numbers_per_certificate = 1000001\n"),
	    "tenants.d/acme.conf:6: 'numbers_per_certificate' is 1000001", false },
	{ "spread over one", TOKENS("{ \"main\" }", "spread = yes\n"),
	    "tenants.d/acme.conf:6: with spread 'token' lists several", false },
};

static void
tokens_judged(void **state)
{
	const struct tokens_case *row = *state;
	AUTO(config) *c = NULL;
	char text[4096], names[512] = "";
	struct fault f = { 0 };

	put("vesperd.conf", SECOND MAIN_REST);
	snprintf(text, sizeof text,
	    "tenant \"acme\" {\n  numbers = { \"12025550100\" }\n\n credential \"main\" {\n"
	    "%s\n }\n}\n",
	    row->credential);
	put("tenants.d/acme.conf", text);
	if ((read_config(&c, &f) == RC_OK) != row->good)
		fail_msg("%s", f.detail);
	if (!row->good && strncmp(f.detail, row->names, strlen(row->names)) != 0)
		fail_msg("%s", f.detail);
	for (size_t i = 0; row->good && i < c->tenant[0].credentials; i++) {
		const struct config_credential *cred = &c->tenant[0].credential[i];

		assert_string_equal(cred->base, "main");
		assert_true(config_token_serves(cred, cred->token));
		assert_false(config_token_serves(cred, "t5"));
		snprintf(names + strlen(names), sizeof names - strlen(names), "%s:%s ",
		    cred->name, cred->token);
	}
	if (row->good)
		assert_string_equal(names, row->names);
	drop("tenants.d/acme.conf");
}

static void
names_of_copies(void **state)
{
	static const char taken[] =
	    "tenant \"acme\" {\n numbers = { \"12025550100\" }\n"
	    "credential \"a\" {\n" TOKENS("{ \"main\", \"second\" }",
		"") "}\n"
		    "credential \"a.second\" {\n" TOKENS("\"main\"", "") "}\n}\n";
	static const char too_long[] =
	    "tenant \"acme\" {\n numbers = { \"12025550100\" }\n credential "
	    "\"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij\" {\n" TOKENS(
		"{ \"main\", \"second\" }", "") "}\n}\n";
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", SECOND MAIN_REST);
	put("tenants.d/acme.conf", taken);
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_non_null(strstr(f.detail, "two credentials would be called 'a.second'"));
	put("tenants.d/acme.conf", too_long);
	f = (struct fault){ 0 };
	assert_int_equal(read_config(&c, &f), RC_INVALID);
	assert_non_null(strstr(f.detail, "together have more than 62 characters"));
	drop("tenants.d/acme.conf");
}

/* ---- in reserve for another one ---- */

#define CA_TWO \
	"ca \"two\" { directory = \"https://ca.example/dir\" token = \"main\" terms_agreed = " \
	"yes }\n"
#define OF(name, profile, rest) \
	"credential \"" name "\" {\n profile = \"" profile "\" token = \"main\"\n" rest X5U \
	"}\n"
#define BY(ca)	  "ca = \"" ca "\" authority = \"numbers\"\n"
#define FOR(who)  "reserve_for = \"" who "\"\n"
#define MAIN_CRED OF("main", "vesper-06", BY("lab"))

static const struct reserve_case {
	const char *name, *credentials;
	const char *refused; /* NULL: good, and "spare" is the reserve of "main" */
} reserve_cases[] = {
	{ "another CA", MAIN_CRED OF("spare", "vesper-06", BY("two") FOR("main")), NULL },
	{ "before the one that it is for",
	    OF("spare", "vesper-06", BY("two") FOR("main")) MAIN_CRED, NULL },
	{ "of another profile", MAIN_CRED OF("spare", "atis-delegate", BY("two") FOR("main")),
	    NULL },
	{ "by hand", MAIN_CRED OF("spare", "vesper-06", FOR("main")), NULL },
	{ "divided",
	    MAIN_CRED OF(
		"spare", "vesper-06", BY("two") FOR("main") "numbers_per_certificate = 1\n"),
	    NULL },
	{ "both by hand", OF("main", "vesper-06", "") OF("spare", "vesper-06", FOR("main")),
	    NULL },
	{ "codes that are the same",
	    OF("main", "shaken-sp", BY("lab") "spc = \"1234\"\n")
		OF("spare", "shaken-sp", BY("two") FOR("main") "spc = \"1234\"\n"),
	    NULL },
	{ "for nobody", MAIN_CRED OF("spare", "vesper-06", BY("two") FOR("x")),
	    "10: the tenant has no section credential \"x\"" },
	{ "for no name", MAIN_CRED OF("spare", "vesper-06", BY("two") FOR("")),
	    "10: 'reserve_for' is empty" },
	{ "for itself", MAIN_CRED OF("spare", "vesper-06", BY("two") FOR("spare")),
	    "10: 'spare' cannot be in reserve for itself" },
	{ "for a reserve",
	    MAIN_CRED OF("spare", "vesper-06", BY("two") FOR("main"))
		OF("last", "vesper-06", FOR("spare")),
	    "15: credential 'spare' is in reserve itself" },
	{ "for each other",
	    OF("main", "vesper-06", BY("lab") FOR("spare"))
		OF("spare", "vesper-06", BY("two") FOR("main")),
	    "5: credential 'spare' is in reserve itself" },
	{ "a second one",
	    MAIN_CRED OF("spare", "vesper-06", BY("two") FOR("main"))
		OF("last", "vesper-06", FOR("main")),
	    "15: credential 'main' has a reserve already, 'spare'" },
	{ "of another class",
	    MAIN_CRED OF("spare", "shaken-sp", BY("two") FOR("main") "spc = \"1234\"\n"),
	    "10: a credential of profile shaken-sp does not sign what one of profile "
	    "vesper-06" },
	{ "of another code",
	    OF("main", "shaken-sp", BY("lab") "spc = \"1234\"\n")
		OF("spare", "shaken-sp", BY("two") FOR("main") "spc = \"5678\"\n"),
	    "11: credential 'main' has another spc" },
	{ "of the same CA", MAIN_CRED OF("spare", "vesper-06", BY("lab") FOR("main")),
	    "10: both get their certificates from ca \"lab\"" },
	{ "for a name of a copy",
	    OF("main", "vesper-06", BY("lab"))
		OF("spare", "vesper-06", BY("two") FOR("main.main")),
	    "10: the tenant has no section credential \"main.main\"" },
};

static void
reserves_judged(void **state)
{
	static const char file[] = "tenants.d/acme.conf:";
	const struct reserve_case *row = *state;
	AUTO(config) *c = NULL;
	char text[4096];
	struct fault f = { 0 };

	put("vesperd.conf", CA_TWO MAIN_REST);
	snprintf(text, sizeof text, "tenant \"acme\" { numbers = { \"12025550100\" }\n%s}\n",
	    row->credentials);
	put("tenants.d/acme.conf", text);
	if ((read_config(&c, &f) == RC_OK) != (row->refused == NULL))
		fail_msg("%s", f.detail);
	if (row->refused != NULL &&
	    (strncmp(f.detail, file, sizeof file - 1) != 0 ||
		strncmp(f.detail + sizeof file - 1, row->refused, strlen(row->refused)) != 0))
		fail_msg("%s", f.detail);
	if (row->refused == NULL) {
		const struct config_tenant *t = &c->tenant[0];

		assert_string_equal(config_credential_find(t, "main")->reserve, "spare");
		assert_null(config_credential_find(t, "main")->reserve_for);
		assert_string_equal(config_credential_find(t, "spare")->reserve_for, "main");
		assert_null(config_credential_find(t, "spare")->reserve);
	}
	drop("tenants.d/acme.conf");
}

/* ---- numbers over several certificates (D-17) ---- */

#define DIVIDED(numbers, credentials) \
	"tenant \"acme\" {\n numbers = { " numbers " }\n" credentials "}\n"
#define PART_OF(name, token, more) "credential \"" name "\" {\n" TOKENS(token, more) "}\n"
#define BY_TWO			   "numbers_per_certificate = 2\n"

static const struct divided_case {
	const char *name, *text, *detail; /* NULL: good */
	const char *max_keys;
	size_t shards;
} divided_cases[] = {
	{ "three numbers by two (D-17)",
	    DIVIDED("\"12025550100\", \"12025550102\", \"12025550104\"",
		PART_OF("main", "\"main\"", BY_TWO)),
	    NULL, "", 2 },
	{ "a range by two",
	    DIVIDED("\"12025550100-12025550104\"", PART_OF("main", "\"main\"", BY_TWO)), NULL,
	    "", 3 },
	{ "a key for each",
	    DIVIDED("\"12025550100-12025550104\"", PART_OF("main", "\"small\"", BY_TWO)), NULL,
	    "max_keys = 4", 3 },
	{ "a key too few",
	    DIVIDED("\"12025550100-12025550104\"", PART_OF("main", "\"small\"", BY_TWO)),
	    "'max_keys' is 3, and 3 credentials, 0 accounts and a renewal need 4",
	    "max_keys = 3", 0 },
	{ "a key too few, in one of two tokens",
	    DIVIDED("\"12025550100-12025550104\"",
		PART_OF("main", "{ \"main\", \"small\" }", BY_TWO)),
	    "'max_keys' is 3, and 3 credentials", "max_keys = 3", 0 },
	{ "more certificates than there can be",
	    DIVIDED("\"12025550100-12025552148\"", PART_OF("main", "\"main\"", BY_TWO)),
	    "2 in a certificate make more than 1024 certificates", "", 0 },
	{ "another that is called like a part",
	    DIVIDED("\"12025550100\"",
		PART_OF("main", "\"main\"", BY_TWO) PART_OF("main.2", "\"main\"", "")),
	    "credential 'main.2' is called like a certificate of 'main'", "", 0 },
	{ "another that is called so when nothing is divided",
	    DIVIDED("\"12025550100\"",
		PART_OF("main", "\"main\"", "") PART_OF("main.2", "\"main\"", "")),
	    NULL, "", 0 },
	{ "a name without room for the part's",
	    DIVIDED("\"12025550100\"",
		PART_OF("abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghi",
		    "\"main\"", BY_TWO)),
	    "together have more than 62 characters", "", 0 },
	{ "a code is not divided",
	    DIVIDED("\"12025550100\"",
		"credential \"main\" {\n profile = \"shaken-sp\" token = \"main\" spc = "
		"\"1234\" ca = \"lab\" authority = \"numbers\"\n" BY_TWO X5U "}\n"),
	    "a certificate of profile shaken-sp holds a code, not numbers", "", 0 },
};

static void
divided(void **state)
{
	const struct divided_case *row = *state;
	AUTO(config) *c = NULL;
	char text[8192];
	struct fault f = { 0 };

	snprintf(text, sizeof text,
	    "token \"small\" { module = \"/m.so\" label = \"s\" pin = \"file:p\" %s }\n%s",
	    row->max_keys, SECOND MAIN_REST);
	put("vesperd.conf", text);
	put("tenants.d/acme.conf", row->text);
	if ((read_config(&c, &f) == RC_OK) != (row->detail == NULL))
		fail_msg("%s", f.detail);
	if (row->detail != NULL && strstr(f.detail, row->detail) == NULL)
		fail_msg("%s", f.detail);
	if (row->detail == NULL)
		assert_int_equal(c->tenant[0].credential[0].shards, row->shards);
	drop("tenants.d/acme.conf");
}

/* Who does not divide finds the section by the name of any of its parts. */
static void
parts_by_name(void **state)
{
	static const struct {
		const char *name, *found; /* NULL: none */
	} rows[] = { { "a.1.main", "a.main" }, { "a.12.second", "a.second" },
		{ "a.main", "a.main" }, { "a.1", NULL }, { "a.0.main", NULL },
		{ "a.01.main", NULL }, { "a.12345.main", NULL }, { "a.1.third", NULL },
		{ "a..main", NULL }, { "a", NULL }, { "b.1", "b" }, { "b.1.main", NULL },
		{ "b.1x", NULL }, { "c.1", "c" }, { "c", "c" } };
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", SECOND MAIN_REST);
	put("tenants.d/acme.conf",
	    DIVIDED("\"12025550100\"",
		PART_OF("a", "{ \"main\", \"second\" }", BY_TWO)
		    PART_OF("b", "\"main\"", BY_TWO) PART_OF("c", "\"main\"", "")));
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct config_credential *found =
		    config_credential_find(&c->tenant[0], rows[i].name);

		if ((found != NULL) != (rows[i].found != NULL) ||
		    (found != NULL && strcmp(found->name, rows[i].found) != 0))
			fail_msg("%s", rows[i].name);
	}
	drop("tenants.d/acme.conf");
}

/* A share each; a token that is added takes some of them and moves no others. */
static void
spread_over_tokens(void **state)
{
	enum { MANY_SPREAD = 300 };
	static const char *const lists[] = { "{ \"main\", \"second\" }",
		"{ \"third\", \"second\", \"main\" }" };
	char before[MANY_SPREAD][16];
	unsigned moved = 0, to[2] = { 0 };
	char name[64], text[1024];

	(void)state;
	put("vesperd.conf", SECOND MAIN_REST);
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		AUTO(config) *c = NULL;
		struct fault f = { 0 };

		for (int i = 0; i < MANY_SPREAD; i++) {
			snprintf(name, sizeof name, "tenants.d/t%03d.conf", i);
			snprintf(text, sizeof text,
			    "tenant \"t%03d\" { numbers = { \"1202555%04d\" }\n"
			    " credential \"main\" { profile = \"vesper-06\" token = %s\n"
			    " spread = yes ca = \"lab\" authority = \"numbers\"\n" X5U "} }\n",
			    i, i, lists[k]);
			put(name, text);
		}
		if (read_config(&c, &f) != RC_OK)
			fail_msg("%s", f.detail);
		for (int i = 0; i < MANY_SPREAD; i++) {
			const struct config_credential *cred = &c->tenant[i].credential[0];

			assert_int_equal(c->tenant[i].credentials, 1);
			assert_string_equal(cred->name, "main");
			if (k == 0) {
				snprintf(before[i], sizeof before[i], "%s", cred->token);
				to[strcmp(cred->token, "main") == 0]++;
			} else if (strcmp(before[i], cred->token) != 0) {
				assert_string_equal(cred->token, "third");
				assert_true(config_token_serves(cred, before[i]));
				moved++;
			}
		}
	}
	assert_in_range(to[0], 100, 200);
	assert_in_range(to[1], 100, 200);
	assert_in_range(moved, 60, 140);
	for (int i = 0; i < MANY_SPREAD; i++) {
		snprintf(name, sizeof name, "tenants.d/t%03d.conf", i);
		drop(name);
	}
}

/* A key each, an account's, and one for a renewal. */
static void
room_for_the_keys(void **state)
{
	static const struct {
		unsigned max_keys;
		const char *expect; /* NULL: good */
	} rows[] = {
		{ 0, NULL },
		{ 3, NULL },
		{ 2, "vesperd.conf:3: 'max_keys' is 2, and 1 credentials, 1 accounts" },
		{ 1, "vesperd.conf:3: 'max_keys' is 1" },
	};

	(void)state;
	put("tenants.d/acme.conf", TENANT("", CREDENTIAL_HEAD, X5U));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(config) *c = NULL;
		struct fault f = { 0 };
		char text[2048];

		snprintf(text, sizeof text,
		    "trust_anchors = \"a.pem\" authority_anchors = \"b.pem\" ct_logs = "
		    "\"c\"\n"
		    "token \"main\" { module = \"/m.so\" label = \"v\" pin = \"file:p\"\n"
		    "max_keys = %u }\n"
		    "ca \"lab\" { directory = \"https://h/\" token = \"main\" }\n"
		    "authority \"numbers\" { url = \"https://h/\" }\n",
		    rows[i].max_keys);
		put("vesperd.conf", text);
		assert_int_equal(
		    read_config(&c, &f), rows[i].expect == NULL ? RC_OK : RC_INVALID);
		if (rows[i].expect != NULL &&
		    strncmp(f.detail, rows[i].expect, strlen(rows[i].expect)) != 0)
			fail_msg("%s", f.detail);
	}
	drop("tenants.d/acme.conf");
}

enum { MANY = 20000 };

static void
many_tenants(void **state)
{
	AUTO(config) *c = NULL;
	char name[64], text[512];
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", MAIN_REST);
	drop("tenants.d/acme.conf");
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "tenants.d/t%05d.conf", i);
		snprintf(text, sizeof text,
		    "tenant \"t%05d\" {\n numbers = { \"1202%07d\" } allow_user = { \"root\" "
		    "}\n"
		    " credential \"main\" {\n" CREDENTIAL_HEAD X5U "}\n}\n",
		    i, i);
		put(name, text);
	}
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_int_equal(c->tenants, MANY);
	assert_string_equal(config_tenant_find(c, "t12345")->name, "t12345");
	assert_null(config_tenant_find(c, "t99999"));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "tenants.d/t%05d.conf", i);
		drop(name);
	}
}

static int
make_home(void **state)
{
	char path[256];

	(void)state;
	if (mkdtemp(home) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/tenants.d", home);
	return mkdir(path, 0700);
}

static int
drop_home(void **state)
{
	static const char *const files[] = { "vesperd.conf", "acme.numbers", "bad.numbers",
		"tenants.d/acme.conf", "tenants.d/ignored.txt", "tenants.d/.hidden.conf",
		"tenants.d" };
	char path[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof path, "%s/%s", home, files[i]);
		(void)remove(path);
	}
	return rmdir(home);
}

/* Who is known, and by what. */
static void
known_callers_are_read(void **state)
{
	AUTO(config) *c = NULL;
	struct fault f = { 0 };

	(void)state;
	put("vesperd.conf", "\n" MAIN_REST);
	put("tenants.d/acme.conf",
	    SP_WITH(ATTEST("known_customer = \"B\" known_user = { \"1000\" } "
			   "known_group = { \"1001\", \"1002\" }")));
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	assert_int_equal(c->tenant[0].attestation.known.uids, 1);
	assert_int_equal(c->tenant[0].attestation.known.uid[0], 1000);
	assert_int_equal(c->tenant[0].attestation.known.gids, 2);
	assert_int_equal(c->tenant[0].attestation.known.gid[1], 1002);
}

/* How lists and constraints are read: each key sets its own switch, and no other. */
static const char *const reading_keys[] = { "allow_range_to_all_nines",
	"rfc8226_strict_permitted", "normalise_permitted", "accept_quoted_permitted" };

static void
reads_switches(unsigned set)
{
	AUTO(config) *c = NULL;
	AUTO_BUF keys = BUF_INIT(1024), text = BUF_INIT(4096);
	const struct config_credential *cred;
	struct fault f = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(reading_keys); i++)
		buf_printf(
		    &keys, "%s = %s\n", reading_keys[i], (set >> i & 1) != 0 ? "yes" : "no");
	buf_printf(&text,
	    "tenant \"acme\" {\n numbers = { \"12025550100\" }\n"
	    "credential \"main\" {\n" CREDENTIAL_HEAD X5U "%s}\n}\n",
	    buf_text(&keys));
	put("tenants.d/acme.conf", buf_text(&text));
	if (read_config(&c, &f) != RC_OK)
		fail_msg("%s", f.detail);
	cred = &c->tenant[0].credential[0];
	assert_int_equal(cred->allow_range_to_all_nines, set & 1);
	assert_int_equal(cred->constraints_policy.rfc8226_strict_permitted, set >> 1 & 1);
	assert_int_equal(cred->constraints_policy.normalise_permitted, set >> 2 & 1);
	assert_int_equal(cred->constraints_policy.accept_quoted_permitted, set >> 3 & 1);
}

static void
switches_of_reading(void **state)
{
	(void)state;
	put("vesperd.conf", "\n" MAIN_REST);
	for (unsigned i = 0; i < ARRAY_LEN(reading_keys); i++) {
		reads_switches(1U << i);
		reads_switches(0xFU & ~(1U << i));
	}
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(main_cases) + ARRAY_LEN(tenant_cases) +
				       ARRAY_LEN(tokens_cases) + ARRAY_LEN(divided_cases) +
				       ARRAY_LEN(reserve_cases) + 25];
	size_t n = 0;

	tests[n++] = (struct CMUnitTest)cmocka_unit_test(example_is_read);
	for (size_t i = 0; i < ARRAY_LEN(main_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = main_cases[i].name,
			.test_func = main_refused,
			.initial_state = &main_cases[i] };
	for (size_t i = 0; i < ARRAY_LEN(tenant_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = tenant_cases[i].name,
			.test_func = tenant_judged,
			.initial_state = &tenant_cases[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(ca_needs_authority_anchors);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(ca_by_hand);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(proofs_need_logs);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(signed_list);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(revocation_lists);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(proof_needs_logs);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(eab_key_is_a_key);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(tilde_is_kept);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(duplicate_tenant);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(bad_numbers_file);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(too_large_file);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(missing_file);
	for (size_t i = 0; i < ARRAY_LEN(divided_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = divided_cases[i].name,
			.test_func = divided,
			.initial_state = (void *)(uintptr_t)&divided_cases[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(parts_by_name);
	for (size_t i = 0; i < ARRAY_LEN(reserve_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = reserve_cases[i].name,
			.test_func = reserves_judged,
			.initial_state = (void *)(uintptr_t)&reserve_cases[i] };
	for (size_t i = 0; i < ARRAY_LEN(tokens_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = tokens_cases[i].name,
			.test_func = tokens_judged,
			.initial_state = (void *)(uintptr_t)&tokens_cases[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(names_of_copies);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(known_callers_are_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(switches_of_reading);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(spread_over_tokens);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(room_for_the_keys);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_prefix);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(bit_flips);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(many_tenants);
	return cmocka_run_group_tests(tests, make_home, drop_home);
}
