/*
 * Every switch of the configuration that changes a decision, from its text in
 * the file to the verdict: a row that is allowed and one that is refused for
 * each, with reason and claim.  A row's name begins with the key that it is
 * about; a key of the schema that has no such rows, and is not said to have no
 * part in decisions, fails.
 *
 * What goes into a row's decision is all there: the configuration is read, the
 * certificate is issued, lies on disk and is judged as at a start.
 */
#include "agent/front/load.h"

#include <confuse.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/config_parse.h"
#include "agent/front/decide.h"
#include "agent/front/store.h"
#include "agent/front/tnlist.h"
#include "agent/front/verifier.h"
#include "stir/b64.h"
#include "tests/unit/bworld.h"
#include "tests/unit/rows.h"
#include "tests/unit/spec.h"

enum { NOW = PKI_NOW, USER = 1000, CONF_MAX = 65536 };

#define N0	       "12025550100"
#define N9	       "12025550109" /* in the certificate, and mostly not configured */
#define FAR	       "13035550100"
#define ORIGID	       "123e4567-e89b-12d3-a456-426655440000"
#define TO(orig, dest) "'orig':{'tn':'" orig "'},'dest':{'tn':['" dest "']}"
#define BASE	       "{" TO(N0, "12125550111") "}"
#define MORE(more)     "{" TO(N0, "12125550111") "," more "}"
#define SHAKEN(tn, a)  "{" TO(tn, "12125550111") ",'attest':'" a "','origid':'" ORIGID "'}"
#define DIVERTED       "{" TO(N9, "12125550111") ",'div':{'tn':'" N0 "'}}"
#define CALL	       "{" TO(N9, N0) ",'iat':1799999000}"
#define URL_OF_LIST    "https://numbers.example/list"
#define ICON	       "https://example.com/photos/q-256x256.png"
#define D_ICON	       "sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4"
#define D_OTHER	       "sha256-jL4f47fF82LuwcrOrSyckA4SWrlElfARHkW6kYo1JdI"
#define RCD(d)	       MORE("'rcd':{'nam':'Q','icn':'" ICON "'},'rcdi':{'/icn':'" d "'}")
#define VPER(id) \
	MORE("'vper':{'id':'" id "','glue':['urn:glue:pen:32473'],'name':'ACME'," \
	     "'domain':'acme.example'}")
/* SHA-256 of the salt and "ACME" with its quotes, made with Python's hashlib. */
#define COMMITTED  "{'p':[['pid#commit-sha-256','YrpXe5ipbgni7cdSVK0kAHkRsSgBg2iYsETMMxJeSIg']]}"
#define SALTS	   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 pid\n"
#define KEY_ID_OID "2.5.29.14" /* subjectKeyIdentifier: in every leaf of ours */
#define POLICY	   "2.16.840.1.114569.1.1.3"

/* Sections beside the one of a delegate. */
#define PROVIDER(more) "profile = \"shaken-sp\" spc = \"1234\" " more
#define PROFILE(name)  "profile = \"" name "\" "
#define ATTEST(rules)  "attestation { " rules " }\n"
#define FAILOVER       "state/front/failover/acme/second.json"
#define KNOWN	       "known_customer = \"B\" "

/* What else is odd about a row. */
enum {
	IDENTITY = 1 << 0,     /* an Identity value is asked for, and nothing else */
	AGAIN = 1 << 1,	       /* the second request of its kind within the second */
	ORIGINAL = 1 << 2,     /* a PASSporT that it answers, by nobody's key */
	SIGNED = 1 << 3,       /* and by the certificate's own */
	STAMPED = 1 << 4,      /* the certificate has a timestamp */
	OTHER_ROOT = 1 << 5,   /* from a CA that is no anchor */
	NARROW = 1 << 6,       /* from a CA that has other numbers */
	LISTED = 1 << 7,       /* its numbers are in a list by reference, ten minutes old */
	OLDER = 1 << 8,	       /* and one second */
	NINES = 1 << 9,	       /* its numbers are a block to all nines */
	NAMED = 1 << 10,       /* its dNSName is acme.example */
	OF_POLICY = 1 << 11,   /* its policy is POLICY */
	TWICE = 1 << 12,       /* a second credential like it, of priority 1 */
	DELEGATE = 1 << 13,    /* the holder of FAR has signed in this call */
	HOLDER_SCT = 1 << 14,  /* its certificate has a timestamp */
	HOLDER_OUT = 1 << 15,  /* and is from a CA that has other numbers */
	ENHANCED = 1 << 16,    /* the constraints are of RFC 9118 */
	IN_GROUP = 1 << 17,    /* the caller is another user, of group 77 */
	STRANGER = 1 << 18,    /* the caller is another user, of no group */
	LOWERED = 1 << 19,     /* B is granted */
	DRY_RUN = 1 << 20,     /* nothing is to be signed */
	BY_NAME = 1 << 21,     /* credential "main" is asked for */
	FAILED_OVER = 1 << 22, /* "second" has, to its reserve */
};

static struct row {
	const char *name;
	const char *main, *tenant, *credential; /* further lines; NULL: none */
	const char *constraints;		/* of the certificate, spec.h; NULL: none */
	enum ppt ppt;
	const char *claims;
	unsigned odd;
	const char *reason, *claim; /* NULL: allowed; the rule that was observed, or NULL */
} rows[] = {
	/* clang-format off */
	/* ---- the agent ---- */
	{ "main.iat_past_s = 30: 30 s old (D-21)", "iat_past_s = 30", NULL, NULL, NULL, PPT_BASE,
	    MORE("'iat':1799999970"), 0, NULL, NULL },
	{ "main.iat_past_s = 30: 31 s old (D-21)", "iat_past_s = 30", NULL, NULL, NULL, PPT_BASE,
	    MORE("'iat':1799999969"), 0, "stale_iat", "iat" },
	{ "main.iat_future_s = 1: 1 s ahead (D-21)", "iat_future_s = 1", NULL, NULL, NULL, PPT_BASE,
	    MORE("'iat':1800000001"), 0, NULL, NULL },
	{ "main.iat_future_s = 1: 2 s ahead (D-21)", "iat_future_s = 1", NULL, NULL, NULL, PPT_BASE,
	    MORE("'iat':1800000002"), 0, "stale_iat", "iat" },
	{ "main.iat_diverted_s = 1000: as old (D-21)", "iat_diverted_s = 1000", NULL, NULL, NULL,
	    PPT_DIV, DIVERTED, ORIGINAL, NULL, NULL },
	{ "main.iat_diverted_s = 999: older (D-21)", "iat_diverted_s = 999", NULL, NULL, NULL,
	    PPT_DIV, DIVERTED, ORIGINAL, "stale_iat", "iat" },
	{ "main.do_not_originate = another (D-42)", "do_not_originate = \"1.3.6.1.4.1.99999.1\"",
	    NULL, NULL, NULL, PPT_BASE, BASE, 0, NULL, NULL },
	{ "main.do_not_originate = in the certificate (D-42)",
	    "do_not_originate = \"" KEY_ID_OID "\"", NULL, NULL, NULL, PPT_BASE, BASE, 0,
	    "tn_not_authorized", "orig" },
	{ "main.trust_anchors = its root", NULL, NULL, NULL, NULL, PPT_BASE, BASE, 0, NULL, NULL },
	{ "main.trust_anchors = not its root", NULL, NULL, NULL, NULL, PPT_BASE, BASE, OTHER_ROOT,
	    "credential_unusable", "" },
	{ "main.ct_logs = one, and its timestamp", NULL, NULL, "min_scts = 1", NULL, PPT_BASE,
	    BASE, STAMPED, NULL, NULL },
	{ "main.ct_logs = one, and no timestamp", NULL, NULL, "min_scts = 1", NULL, PPT_BASE,
	    BASE, 0, "sct_policy", "" },

	/* ---- the tenant ---- */
	{ "tenant.enabled = yes", NULL, "enabled = yes", NULL, NULL, PPT_BASE, BASE, 0, NULL, NULL },
	{ "tenant.enabled = no", NULL, "enabled = no", NULL, NULL, PPT_BASE, BASE, 0,
	    "tenant_disabled", "" },
	{ "tenant.numbers = this one (D-60)", NULL, "numbers = { \"" N0 "\" }", NULL, NULL,
	    PPT_BASE, BASE, 0, NULL, NULL },
	{ "tenant.numbers = another (D-60)", NULL, "numbers = { \"" N9 "\" }", NULL, NULL,
	    PPT_BASE, BASE, 0, "tn_not_authorized", "orig" },
	{ "tenant.numbers_file = this one (D-60)", NULL, "numbers_file = \"this\"", NULL, NULL,
	    PPT_BASE, BASE, 0, NULL, NULL },
	{ "tenant.numbers_file = another (D-60)", NULL, "numbers_file = \"another\"", NULL, NULL,
	    PPT_BASE, BASE, 0, "tn_not_authorized", "orig" },
	{ "tenant.allow_user = the caller", NULL, "allow_user = { \"1000\" }", NULL, NULL,
	    PPT_BASE, BASE, 0, NULL, NULL },
	{ "tenant.allow_user = another", NULL, "allow_user = { \"1001\" }", NULL, NULL, PPT_BASE,
	    BASE, 0, "caller_not_allowed", "" },
	{ "tenant.allow_group = of the caller", NULL, "allow_group = { \"77\" }", NULL, NULL,
	    PPT_BASE, BASE, IN_GROUP, NULL, NULL },
	{ "tenant.allow_group = of others", NULL, "allow_group = { \"77\" }", NULL, NULL, PPT_BASE,
	    BASE, STRANGER, "caller_not_allowed", "" },
	{ "tenant.entity_id = of vper (D-63)", NULL, "entity_id = \"e-1\"",
	    "extra_claims = { \"vper\" }", NULL, PPT_BASE, VPER("e-1"), 0, NULL, NULL },
	{ "tenant.entity_id = not of vper (D-63)", NULL, "entity_id = \"e-1\"",
	    "extra_claims = { \"vper\" }", NULL, PPT_BASE, VPER("e-2"), 0, "value_not_permitted",
	    "vper/id" },
	{ "tenant.attest_max = B: B", NULL, "attest_max = \"B\"", PROVIDER(""), NULL, PPT_SHAKEN,
	    SHAKEN(N0, "B"), 0, NULL, NULL },
	{ "tenant.attest_max = B: A", NULL, "attest_max = \"B\"", PROVIDER(""), NULL, PPT_SHAKEN,
	    SHAKEN(N0, "A"), 0, "attest_not_allowed", "attest" },
	{ "tenant.attest_max = none: C", NULL, NULL, PROVIDER(""), NULL, PPT_SHAKEN,
	    SHAKEN(N0, "C"), 0, "attest_not_allowed", "attest" },
	{ "tenant.ppts = { msg }: msg", NULL, "ppts = { \"msg\" }", NULL, NULL, PPT_MSG, BASE, 0,
	    NULL, NULL },
	{ "tenant.ppts = { base }: msg", NULL, "ppts = { \"base\" }", NULL, NULL, PPT_MSG, BASE, 0,
	    "no_credential", "" },
	{ "tenant.ppts = { base }: rsp, where the called party does not consent (RFC 9970 s11)", NULL,
	    "ppts = { \"base\" }", NULL, NULL, PPT_RSP, "{" TO(N9, N0) "}", ORIGINAL,
	    "no_credential", "" },
	{ "tenant.ppts = { base, rsp }: rsp, where it does (RFC 9970 s11)", NULL,
	    "ppts = { \"base\", \"rsp\" }", NULL, NULL, PPT_RSP, "{" TO(N9, N0) "}", ORIGINAL,
	    NULL, NULL },
	{ "tenant.dests = with it", NULL, "dests = { \"1212...\" }", NULL, NULL, PPT_BASE, BASE, 0,
	    NULL, NULL },
	{ "tenant.dests = without it", NULL, "dests = { \"1213...\" }", NULL, NULL, PPT_BASE, BASE,
	    0, "dest_not_allowed", "dest" },
	{ "tenant.caller_spc = in the certificate (V-73)", NULL, "caller_spc = { \"5678\" }", NULL,
	    NULL, PPT_BASE, BASE, 0, NULL, NULL },
	{ "tenant.caller_spc = not in the certificate (V-73)", NULL, "caller_spc = { \"5679\" }",
	    NULL, NULL, PPT_BASE, BASE, 0, "originator_not_listed", "" },
	{ "tenant.rate = 2: the second", NULL, "rate = 2", NULL, NULL, PPT_BASE, BASE, AGAIN, NULL,
	    NULL },
	{ "tenant.rate = 1: the second", NULL, "rate = 1", NULL, NULL, PPT_BASE, BASE, AGAIN,
	    "rate_limited", "" },
	{ "tenant.rate = 2: the second dry run", NULL, "rate = 2", NULL, NULL, PPT_BASE, BASE,
	    AGAIN | DRY_RUN, NULL, NULL },
	{ "tenant.rate = 1: the second dry run", NULL, "rate = 1", NULL, NULL, PPT_BASE, BASE,
	    AGAIN | DRY_RUN, "rate_limited", "" },
	{ "tenant.allow_user = another: a dry run", NULL, "allow_user = { \"1001\" }", NULL, NULL,
	    PPT_BASE, BASE, DRY_RUN, "caller_not_allowed", "" },
	{ "tenant.observe = { attest }", NULL, "attest_max = \"B\" observe = { \"attest\" }",
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(N0, "A"), 0, NULL, "attest" },
	{ "tenant.observe = all but attest", NULL,
	    "attest_max = \"B\" observe = { \"dests\", \"ppts\", \"rate\" }", PROVIDER(""), NULL,
	    PPT_SHAKEN, SHAKEN(N0, "A"), 0, "attest_not_allowed", "attest" },
	{ "tenant.observe = { dests }", NULL, "dests = { \"1213...\" } observe = { \"dests\" }",
	    NULL, NULL, PPT_BASE, BASE, 0, NULL, "dests" },
	{ "tenant.observe = { dests }: of the credential", NULL, "observe = { \"dests\" }",
	    "dests = { \"1213...\" }", NULL, PPT_BASE, BASE, 0, NULL, "dests" },
	{ "tenant.observe = all but dests", NULL,
	    "dests = { \"1213...\" } observe = { \"attest\", \"ppts\", \"rate\" }", NULL, NULL,
	    PPT_BASE, BASE, 0, "dest_not_allowed", "dest" },
	{ "tenant.observe = { ppts }", NULL, "ppts = { \"base\" } observe = { \"ppts\" }", NULL,
	    NULL, PPT_MSG, BASE, 0, NULL, "ppts" },
	{ "tenant.observe = { ppts }: none of its class (D-01)", NULL, "observe = { \"ppts\" }",
	    NULL, NULL, PPT_SHAKEN, SHAKEN(N0, "C"), 0, "no_credential", "" },
	{ "tenant.observe = all but ppts", NULL,
	    "ppts = { \"base\" } observe = { \"attest\", \"dests\", \"rate\" }", NULL, NULL,
	    PPT_MSG, BASE, 0, "no_credential", "" },
	{ "tenant.observe = { rate }", NULL, "rate = 1 observe = { \"rate\" }", NULL, NULL,
	    PPT_BASE, BASE, AGAIN, NULL, "rate" },
	{ "tenant.observe = all but rate", NULL,
	    "rate = 1 observe = { \"attest\", \"dests\", \"ppts\" }", NULL, NULL, PPT_BASE, BASE,
	    AGAIN, "rate_limited", "" },
	{ "tenant.observe = yes: the certificate's numbers (D-60)", NULL,
	    "numbers = { \"" N0 "\", \"" FAR "\" } observe = { \"yes\" }", NULL, NULL, PPT_BASE,
	    "{" TO(FAR, "1") "}", 0, "tn_not_authorized", "orig" },
	{ "tenant.observe = yes: the configured numbers (D-60)", NULL, "observe = { \"yes\" }",
	    NULL, NULL, PPT_BASE, "{" TO(N9, "1") "}", 0, "tn_not_authorized", "orig" },
	{ "tenant.observe = yes: constraints", NULL, "observe = { \"yes\" }", NULL,
	    "{'x':['crn']}", PPT_RCD, MORE("'crn':'Support'"), ENHANCED, "claim_excluded", "crn" },

	/* ---- attestation ---- */
	{ "attestation.listed = A: A", NULL, ATTEST("listed = \"A\""), PROVIDER(""), NULL,
	    PPT_SHAKEN, SHAKEN(N0, "A"), 0, NULL, NULL },
	{ "attestation.listed = B: A", NULL, ATTEST("listed = \"B\""), PROVIDER(""), NULL,
	    PPT_SHAKEN, SHAKEN(N0, "A"), 0, "attest_not_allowed", "attest" },
	{ "attestation.otherwise = C: C", NULL, ATTEST("otherwise = \"C\""),
	    PROVIDER("unlisted_tn = \"B\""), NULL, PPT_SHAKEN, SHAKEN(FAR, "C"), 0, NULL, NULL },
	{ "attestation.otherwise = C: B", NULL, ATTEST("otherwise = \"C\""),
	    PROVIDER("unlisted_tn = \"B\""), NULL, PPT_SHAKEN, SHAKEN(FAR, "B"), 0,
	    "attest_not_allowed", "attest" },
	{ "attestation.over_cap = lower", NULL, ATTEST("listed = \"B\" over_cap = \"lower\""),
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(N0, "A"), LOWERED, NULL, NULL },
	{ "attestation.over_cap = refuse", NULL, ATTEST("listed = \"B\" over_cap = \"refuse\""),
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(N0, "A"), 0, "attest_not_allowed", "attest" },
	{ "attestation.over_cap = lower, to nothing", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"atis-delegate\" over_cap = \"lower\""),
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(N0, "A"), 0, "attest_not_allowed", "attest" },
	{ "attestation.known_customer = B: B", NULL, ATTEST(KNOWN "known_user = { \"1000\" }"),
	    PROVIDER("unlisted_tn = \"B\""), NULL, PPT_SHAKEN, SHAKEN(FAR, "B"), 0, NULL, NULL },
	{ "attestation.known_customer = C: B", NULL,
	    ATTEST("known_customer = \"C\" known_user = { \"1000\" }"),
	    PROVIDER("unlisted_tn = \"B\""), NULL, PPT_SHAKEN, SHAKEN(FAR, "B"), 0,
	    "attest_not_allowed", "attest" },
	{ "attestation.known_user = the caller", NULL, ATTEST(KNOWN "known_user = { \"1000\" }"),
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(N0, "B"), 0, NULL, NULL },
	{ "attestation.known_user = another", NULL, ATTEST(KNOWN "known_user = { \"1001\" }"),
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(N0, "B"), 0, "attest_not_allowed", "attest" },
	{ "attestation.known_group = of the caller", NULL,
	    "allow_group = { \"77\" } " ATTEST(KNOWN "known_group = { \"77\" }"), PROVIDER(""),
	    NULL, PPT_SHAKEN, SHAKEN(N0, "B"), IN_GROUP, NULL, NULL },
	{ "attestation.known_group = of others", NULL,
	    "allow_group = { \"77\" } " ATTEST(KNOWN "known_group = { \"78\" }"), PROVIDER(""),
	    NULL, PPT_SHAKEN, SHAKEN(N0, "B"), IN_GROUP, "attest_not_allowed", "attest" },
	{ "attestation.delegate_proof = A: a delegate in the call", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"atis-delegate\""), PROVIDER(""),
	    NULL, PPT_SHAKEN, SHAKEN(FAR, "A"), DELEGATE, NULL, NULL },
	{ "attestation.delegate_proof = A: none in the call (D-05)", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"atis-delegate\""), PROVIDER(""),
	    NULL, PPT_SHAKEN, SHAKEN(FAR, "A"), 0, "tn_not_authorized", "orig" },
	{ "attestation.delegate_proof = B: A", NULL,
	    ATTEST("delegate_proof = \"B\" delegate_profile = \"atis-delegate\""), PROVIDER(""),
	    NULL, PPT_SHAKEN, SHAKEN(FAR, "A"), DELEGATE, "attest_not_allowed", "attest" },
	{ "attestation.delegate_profile = vesper-06: with a timestamp (V-11)", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"vesper-06\""), PROVIDER(""), NULL,
	    PPT_SHAKEN, SHAKEN(FAR, "A"), DELEGATE | HOLDER_SCT, NULL, NULL },
	{ "attestation.delegate_profile = vesper-06: without (V-11)", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"vesper-06\""), PROVIDER(""), NULL,
	    PPT_SHAKEN, SHAKEN(FAR, "A"), DELEGATE, "tn_not_authorized", "orig" },
	{ "attestation.delegate_profile = domain: no dNSName (D-49)", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"domain\""), PROVIDER(""), NULL,
	    PPT_SHAKEN, SHAKEN(FAR, "A"), DELEGATE | HOLDER_SCT, "tn_not_authorized", "orig" },
	{ "attestation.delegate_encompassing = off: outside its CA's (D-45)", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"atis-delegate\" "
		   "delegate_encompassing = \"off\""),
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(FAR, "A"), DELEGATE | HOLDER_OUT, NULL, NULL },
	{ "attestation.delegate_encompassing = if-present: outside its CA's (D-45)", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"atis-delegate\" "
		   "delegate_encompassing = \"if-present\""),
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(FAR, "A"), DELEGATE | HOLDER_OUT,
	    "tn_not_authorized", "orig" },
	{ "attestation.delegate_encompassing = require: its CA has none (D-45)", NULL,
	    ATTEST("delegate_proof = \"A\" delegate_profile = \"atis-delegate\" "
		   "delegate_encompassing = \"require\""),
	    PROVIDER(""), NULL, PPT_SHAKEN, SHAKEN(FAR, "A"), DELEGATE, "tn_not_authorized",
	    "orig" },

	/* ---- the credential ---- */
	{ "credential.profile = atis-delegate: base (D-01)", NULL, NULL, PROFILE("atis-delegate"),
	    NULL, PPT_BASE, BASE, 0, NULL, NULL },
	{ "credential.profile = atis-delegate: shaken (D-01)", NULL, NULL,
	    PROFILE("atis-delegate"), NULL, PPT_SHAKEN, SHAKEN(N0, "C"), 0, "no_credential", "" },
	{ "credential.profile = shaken-sp: base (D-01)", NULL, NULL, PROVIDER(""), NULL, PPT_BASE,
	    BASE, 0, "no_credential", "" },
	{ "credential.profile = vesper-06: further claims, unvetted (D-16)", NULL, NULL,
	    PROFILE("vesper-06") "identity_max_bytes = 8192 extra_claims = { \"note\" }", NULL,
	    PPT_BASE, MORE("'note':'x'"), STAMPED, "claim_not_vetted", "note" },
	{ "credential.profile = vesper-05: further claims (V-15)", NULL, NULL,
	    PROFILE("vesper-05") "identity_max_bytes = 8192 extra_claims = { \"note\" }", NULL,
	    PPT_BASE, MORE("'note':'x'"), STAMPED, NULL, NULL },
	{ "credential.profile = vesper-06: no timestamp (V-25)", NULL, NULL,
	    PROFILE("vesper-06") "identity_max_bytes = 8192", NULL, PPT_BASE, BASE, 0,
	    "sct_policy", "" },
	{ "credential.profile = domain: its dNSName (D-49)", NULL, NULL,
	    PROFILE("domain") "x5u = \"https://acme.example/c/\"", NULL, PPT_BASE, BASE,
	    STAMPED | NAMED, NULL, NULL },
	{ "credential.x5u = at the dNSName (D-49)", NULL, NULL,
	    PROFILE("domain") "x5u = \"https://acme.example/c/\"", NULL, PPT_BASE, BASE,
	    STAMPED | NAMED, NULL, NULL },
	{ "credential.x5u = at another host (D-49)", NULL, NULL,
	    PROFILE("domain") "x5u = \"https://other.example/c/\"", NULL, PPT_BASE, BASE,
	    STAMPED | NAMED, "credential_unusable", "" },
	{ "credential.conveyance = x5u: div", NULL, NULL, "conveyance = \"x5u\"", NULL, PPT_DIV,
	    DIVERTED, ORIGINAL, NULL, NULL },
	{ "credential.conveyance = x5c: div (RFC 8946 s3)", NULL, NULL, "conveyance = \"x5c\"",
	    NULL, PPT_DIV, DIVERTED, ORIGINAL, "no_credential", "" },
	{ "credential.identity = header: an Identity value (D-17)", NULL, NULL,
	    "identity = \"header\"", NULL, PPT_BASE, BASE, IDENTITY, NULL, NULL },
	{ "credential.identity = none: a PASSporT (D-17)", NULL, NULL,
	    "identity = \"none\" conveyance = \"x5c\" ", NULL, PPT_BASE, BASE, 0, NULL, NULL },
	{ "credential.identity = none: an Identity value (D-17)", NULL, NULL,
	    "identity = \"none\" conveyance = \"x5c\" ", NULL, PPT_BASE, BASE, IDENTITY,
	    "no_credential", "" },
	{ "credential.identity_max_bytes = enough (D-17)", NULL, NULL,
	    "conveyance = \"both\" identity_max_bytes = 4096", NULL, PPT_BASE, BASE, 0, NULL,
	    NULL },
	{ "credential.identity_max_bytes = too few (D-17)", NULL, NULL,
	    "conveyance = \"both\" identity_max_bytes = 512", NULL, PPT_BASE, BASE, 0,
	    "credential_unusable", "" },
	{ "credential.priority = 0 and 1 (D-59)", NULL, NULL, "priority = 0", NULL, PPT_BASE, BASE,
	    TWICE, NULL, NULL },
	{ "credential.priority = 1 and 1 (D-59)", NULL, NULL, "priority = 1", NULL, PPT_BASE, BASE,
	    TWICE, "ambiguous_credential", "" },
	{ "credential.reserve_for = second: that signs", NULL, NULL,
	    "priority = 1 reserve_for = \"second\"", NULL, PPT_BASE, BASE, TWICE, NULL, NULL },
	{ "credential.reserve_for = second: named (D-59)", NULL, NULL, "reserve_for = \"second\"", NULL,
	    PPT_BASE, BASE, TWICE | BY_NAME, "no_credential", "" },
	{ "credential.reserve_for = second: named, and failed over", NULL, NULL,
	    "reserve_for = \"second\"", NULL, PPT_BASE, BASE, TWICE | BY_NAME | FAILED_OVER, NULL,
	    NULL },
	{ "credential.reserve_for = second: failed over to one without a timestamp", NULL, NULL,
	    "reserve_for = \"second\" min_scts = 1", NULL, PPT_BASE, BASE, TWICE | FAILED_OVER,
	    "sct_policy", "" },
	{ "credential.min_scts = 1: one (V-25)", NULL, NULL, "min_scts = 1", NULL, PPT_BASE, BASE,
	    STAMPED, NULL, NULL },
	{ "credential.min_scts = 2: one (V-25)", NULL, NULL, "min_scts = 2", NULL, PPT_BASE, BASE,
	    STAMPED, "sct_policy", "" },
	{ "credential.extra_claims = { note }: note (D-51)", NULL, NULL,
	    "extra_claims = { \"note\" }", NULL, PPT_BASE, MORE("'note':'x'"), 0, NULL, NULL },
	{ "credential.extra_claims = { note }: memo (D-51)", NULL, NULL,
	    "extra_claims = { \"note\" }", NULL, PPT_BASE, MORE("'memo':'x'"), 0, "unknown_claim",
	    "memo" },
	{ "credential.extra_claims = none: rcd in rsp (RFC 9970 s11)", NULL, NULL, NULL, NULL,
	    PPT_RSP, "{" TO(N9, N0) ",'rcd':{'nam':'A'}}", ORIGINAL, "unknown_claim", "rcd" },
	{ "credential.extra_claims = { rcd }: rcd in rsp (RFC 9970 s11)", NULL, NULL,
	    "extra_claims = { \"rcd\" }", NULL, PPT_RSP, "{" TO(N9, N0) ",'rcd':{'nam':'A'}}",
	    ORIGINAL, NULL, NULL },
	{ "credential.ppts = { msg }: msg", NULL, NULL, "ppts = { \"msg\", \"base\" }", NULL,
	    PPT_MSG, BASE, 0, NULL, NULL },
	{ "credential.ppts = { base }: msg", NULL, NULL, "ppts = { \"base\" }", NULL, PPT_MSG,
	    BASE, 0, "no_credential", "" },
	{ "credential.dests = with it", NULL, NULL, "dests = { \"12125550111\" }", NULL, PPT_BASE,
	    BASE, 0, NULL, NULL },
	{ "credential.dests = without it", NULL, NULL, "dests = { \"12125550112\" }", NULL,
	    PPT_BASE, BASE, 0, "dest_not_allowed", "dest" },
	{ "credential.encompassing = off: outside its CA's (D-45)", NULL, NULL,
	    "encompassing = \"off\"", NULL, PPT_BASE, BASE, NARROW, NULL, NULL },
	{ "credential.encompassing = if-present: outside its CA's (D-45)", NULL, NULL,
	    "encompassing = \"if-present\"", NULL, PPT_BASE, BASE, NARROW, "credential_unusable",
	    "" },
	{ "credential.encompassing = if-present: its CA has none (D-45)", NULL, NULL,
	    "encompassing = \"if-present\"", NULL, PPT_BASE, BASE, 0, NULL, NULL },
	{ "credential.encompassing = require: its CA has none (D-45)", NULL, NULL,
	    "encompassing = \"require\"", NULL, PPT_BASE, BASE, 0, "credential_unusable", "" },
	{ "credential.tnlist_max_age_s = 600: as old (D-46)", NULL, NULL,
	    "tnlist_max_age_s = 600", NULL, PPT_BASE, BASE, LISTED, NULL, NULL },
	{ "credential.tnlist_max_age_s = 600: older (D-46)", NULL, NULL, "tnlist_max_age_s = 600",
	    NULL, PPT_BASE, BASE, LISTED | OLDER, "credential_unusable", "orig" },
	{ "credential.tnlist_max_age_s = 601: the same (D-46)", NULL, NULL,
	    "tnlist_max_age_s = 601", NULL, PPT_BASE, BASE, LISTED | OLDER, NULL, NULL },
	{ "credential.rcd_content = this digest (D-41)", NULL, NULL,
	    "rcd_content = { \"" ICON " " D_ICON "\" }", NULL, PPT_RCD, RCD(D_ICON), 0, NULL,
	    NULL },
	{ "credential.rcd_content = another digest (D-41)", NULL, NULL,
	    "rcd_content = { \"" ICON " " D_OTHER "\" }", NULL, PPT_RCD, RCD(D_ICON), 0,
	    "rcd_content_unknown", "rcdi" },
	{ "credential.rcd_content_unknown = trust (D-41)", NULL, NULL,
	    "rcd_content_unknown = \"trust\"", NULL, PPT_RCD, RCD(D_ICON), 0, NULL, NULL },
	{ "credential.rcd_content_unknown = refuse (D-41)", NULL, NULL,
	    "rcd_content_unknown = \"refuse\"", NULL, PPT_RCD, RCD(D_ICON), 0,
	    "rcd_content_unknown", "rcdi" },
	{ "credential.policies = of the certificate", NULL, NULL, "policies = { \"" POLICY "\" }",
	    NULL, PPT_BASE, BASE, OF_POLICY, NULL, NULL },
	{ "credential.policies = another", NULL, NULL, "policies = { \"1.2.250.1.695.1.1.1\" }",
	    NULL, PPT_BASE, BASE, OF_POLICY, "credential_unusable", "" },
	{ "credential.allow_range_to_all_nines = yes (D-03)", NULL,
	    "numbers = { \"99990\" }", "allow_range_to_all_nines = yes", NULL, PPT_BASE,
	    "{" TO("99990", "1") "}", NINES, NULL, NULL },
	{ "credential.allow_range_to_all_nines = no (D-03)", NULL, "numbers = { \"99990\" }",
	    "allow_range_to_all_nines = no", NULL, PPT_BASE, "{" TO("99990", "1") "}", NINES,
	    "credential_unusable", "" },
	{ "credential.rfc8226_strict_permitted = no: absent (D-08)", NULL, NULL,
	    "rfc8226_strict_permitted = no", "{'p':[['note','x']]}", PPT_BASE, BASE, 0, NULL, NULL },
	{ "credential.rfc8226_strict_permitted = yes: absent (D-08)", NULL, NULL,
	    "rfc8226_strict_permitted = yes", "{'p':[['note','x']]}", PPT_BASE, BASE, 0,
	    "claim_missing_by_constraint", "note" },
	{ "credential.rfc8226_strict_permitted = yes: RFC 9118's (D-08)", NULL, NULL,
	    "rfc8226_strict_permitted = yes", "{'p':[['note','x']]}", PPT_BASE, BASE, ENHANCED,
	    NULL, NULL },
	{ "credential.normalise_permitted = yes (D-12)", NULL, NULL, "normalise_permitted = yes",
	    "{'p':[['note','[1, 2]']]}", PPT_BASE, MORE("'note':[1,2]"), 0, NULL, NULL },
	{ "credential.normalise_permitted = no (D-12)", NULL, NULL, "normalise_permitted = no extra_claims = { \"note\" }",
	    "{'p':[['note','[1, 2]']]}", PPT_BASE, MORE("'note':[1,2]"), 0, "credential_unusable",
	    "" },
	{ "credential.accept_quoted_permitted = yes (D-12)", NULL, NULL,
	    "accept_quoted_permitted = yes", "{'p':[['note','\\\"x\\\"']]}", PPT_BASE,
	    MORE("'note':'x'"), 0, NULL, NULL },
	{ "credential.accept_quoted_permitted = no (D-12)", NULL, NULL,
	    "accept_quoted_permitted = no", "{'p':[['note','\\\"x\\\"']]}", PPT_BASE,
	    MORE("'note':'x'"), 0, "value_not_permitted", "note" },
	{ "credential.assert_committed = yes (D-15)", NULL, NULL,
	    "assert_committed = yes salts = \"file:salts\"", COMMITTED, PPT_BASE,
	    MORE("'pid':'ACME'"), 0, NULL, NULL },
	{ "credential.assert_committed = no (D-15)", NULL, NULL,
	    "assert_committed = no salts = \"file:salts\"", COMMITTED, PPT_BASE,
	    MORE("'pid':'ACME'"), 0, "private_claim_in_clear", "pid" },
	{ "credential.assert_committed = yes: a dry run is silent (D-15)", NULL, NULL,
	    "assert_committed = yes salts = \"file:salts\"", COMMITTED, PPT_BASE,
	    MORE("'pid':'ACME'"), DRY_RUN, "private_claim_in_clear", "pid" },
	{ "credential.salts = the salt: its value (D-15)", NULL, NULL,
	    "assert_committed = yes salts = \"file:salts\"", COMMITTED, PPT_BASE,
	    MORE("'pid':'ACME'"), 0, NULL, NULL },
	{ "credential.salts = the salt: another value (D-15)", NULL, NULL,
	    "assert_committed = yes salts = \"file:salts\"", COMMITTED, PPT_BASE,
	    MORE("'pid':'ACMF'"), 0, "value_not_permitted", "pid" },
	{ "credential.commit_without_salt = allow (D-15)", NULL, NULL,
	    "assert_committed = yes commit_without_salt = \"allow\"", COMMITTED, PPT_BASE,
	    MORE("'pid':'ACME'"), 0, NULL, NULL },
	{ "credential.commit_without_salt = refuse (D-15)", NULL, NULL,
	    "assert_committed = yes commit_without_salt = \"refuse\"", COMMITTED, PPT_BASE,
	    MORE("'pid':'ACME'"), 0, "commitment_not_provable", "pid" },
	{ "credential.unlisted_tn = C: C (D-05)", NULL, "attest_max = \"A\"",
	    PROVIDER("unlisted_tn = \"C\""), NULL, PPT_SHAKEN, SHAKEN(FAR, "C"), 0, NULL, NULL },
	{ "credential.unlisted_tn = C: B (D-05)", NULL, "attest_max = \"A\"",
	    PROVIDER("unlisted_tn = \"C\""), NULL, PPT_SHAKEN, SHAKEN(FAR, "B"), 0,
	    "attest_not_allowed", "attest" },
	{ "credential.unlisted_tn = B: B (D-05)", NULL, "attest_max = \"A\"",
	    PROVIDER("unlisted_tn = \"B\""), NULL, PPT_SHAKEN, SHAKEN(FAR, "B"), 0, NULL, NULL },
	{ "credential.unlisted_tn = refuse (D-05)", NULL, "attest_max = \"A\"",
	    PROVIDER("unlisted_tn = \"refuse\""), NULL, PPT_SHAKEN, SHAKEN(FAR, "C"), 0,
	    "tn_not_authorized", "orig" },
	{ "credential.third_party_rcd = yes (D-52)", NULL, NULL,
	    "third_party_rcd = yes third_party_iss = \"A\"", NULL, PPT_RCD,
	    "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", 0, NULL, NULL },
	{ "credential.third_party_rcd = no (D-52)", NULL, NULL, "third_party_rcd = no", NULL,
	    PPT_RCD, "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", 0, "tn_not_authorized", "orig" },
	{ "credential.numbers_per_certificate = 1: iss, and it belongs to another (D-17, D-52)", NULL,
	    "numbers = { \"" N0 "\", \"" FAR "\" }",
	    "numbers_per_certificate = 1 third_party_rcd = yes third_party_iss = \"A\"", NULL,
	    PPT_RCD, "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", 0, "credential_unusable", "" },
	{ "credential.numbers_per_certificate = 2: iss, and it is in none (D-17, D-52)", NULL,
	    "numbers = { \"" N0 "\", \"" FAR "\" }",
	    "numbers_per_certificate = 2 third_party_rcd = yes third_party_iss = \"A\"", NULL,
	    PPT_RCD, "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", 0, NULL, NULL },
	{ "credential.third_party_iss = A: A (D-52)", NULL, NULL,
	    "third_party_rcd = yes third_party_iss = \"A\"", NULL, PPT_RCD,
	    "{" TO(FAR, "1") ",'iss':'A','crn':'x'}", 0, NULL, NULL },
	{ "credential.third_party_iss = A: B (D-52)", NULL, NULL,
	    "third_party_rcd = yes third_party_iss = \"A\"", NULL, PPT_RCD,
	    "{" TO(FAR, "1") ",'iss':'B','crn':'x'}", 0, "value_not_permitted", "iss" },
	{ "credential.attest_in_rsp = yes (D-38)", NULL, "attest_max = \"B\"",
	    PROFILE("vesper-05") "identity_max_bytes = 8192 attest_in_rsp = yes",
	    "{'p':[['attest','A','B']]}", PPT_RSP, "{" TO(N9, N0) ",'attest':'B'}", STAMPED | ORIGINAL,
	    NULL, NULL },
	{ "credential.attest_in_rsp = no (D-38)", NULL, "attest_max = \"B\"",
	    PROFILE("vesper-05") "identity_max_bytes = 8192 attest_in_rsp = no",
	    "{'p':[['attest','A','B']]}", PPT_RSP, "{" TO(N9, N0) ",'attest':'B'}", STAMPED | ORIGINAL,
	    "unknown_claim", "attest" },
	{ "credential.rcd_without_rcdi = yes (RFC 9795 s4)", NULL, NULL,
	    "rcd_without_rcdi = yes rcd_content_unknown = \"trust\"", NULL, PPT_RCD,
	    MORE("'rcd':{'nam':'Q','icn':'" ICON "'}"), 0, NULL, NULL },
	{ "credential.rcd_without_rcdi = no (RFC 9795 s4)", NULL, NULL,
	    "rcd_without_rcdi = no rcd_content_unknown = \"trust\"", NULL, PPT_RCD,
	    MORE("'rcd':{'nam':'Q','icn':'" ICON "'}"), 0, "missing_claim", "rcdi" },
	{ "credential.orig_uri = yes (D-26)", NULL, NULL, "orig_uri = yes", NULL, PPT_BASE,
	    "{'orig':{'uri':'sip:bob@acme.example'},'dest':{'tn':['1']}}", NAMED, NULL, NULL },
	{ "credential.orig_uri = no (D-26)", NULL, NULL, "orig_uri = no", NULL, PPT_BASE,
	    "{'orig':{'uri':'sip:bob@acme.example'},'dest':{'tn':['1']}}", NAMED, "invalid_claim",
	    "orig" },
	{ "credential.orig_uri = yes: of another host (D-26)", NULL, NULL, "orig_uri = yes", NULL,
	    PPT_BASE, "{'orig':{'uri':'sip:bob@other.example'},'dest':{'tn':['1']}}", NAMED,
	    "tn_not_authorized", "orig" },
	{ "credential.rph_namespaces = { ets }: ets (RFC 8443 s5)", NULL, NULL,
	    PROVIDER("rph_namespaces = { \"ets\" }"), NULL, PPT_RPH,
	    MORE("'rph':{'auth':['ets.0']}"), 0, NULL, NULL },
	{ "credential.rph_namespaces = { ets }: wps (RFC 8443 s5)", NULL, NULL,
	    PROVIDER("rph_namespaces = { \"ets\" }"), NULL, PPT_RPH,
	    MORE("'rph':{'auth':['wps.0']}"), 0, "rph_not_allowed", "rph" },
	{ "credential.origid = random: none given (D-48)", NULL, "attest_max = \"B\"",
	    PROVIDER("origid = \"random\""), NULL, PPT_SHAKEN,
	    "{" TO(N0, "1") ",'attest':'B'}", 0, NULL, NULL },
	{ "credential.origid = caller: none given (D-48)", NULL, "attest_max = \"B\"",
	    PROVIDER("origid = \"caller\""), NULL, PPT_SHAKEN,
	    "{" TO(N0, "1") ",'attest':'B'}", 0, "missing_claim", "origid" },
	{ "credential.origid_value = one that the certificate permits (D-48)", NULL,
	    "attest_max = \"B\"", PROVIDER("origid = \"fixed\" origid_value = \"" ORIGID "\""),
	    "{'p':[['origid','" ORIGID "']]}", PPT_SHAKEN, "{" TO(N0, "1") ",'attest':'B'}", 0,
	    NULL, NULL },
	{ "credential.origid_value = one that it does not (D-48)", NULL, "attest_max = \"B\"",
	    PROVIDER("origid = \"fixed\" origid_value = \"00000000-0000-4000-8000-00000000000f\""),
	    "{'p':[['origid','" ORIGID "']]}", PPT_SHAKEN, SHAKEN(N0, "B"), 0,
	    "value_not_permitted", "origid" },
	{ "credential.original_check = compare: signed by nobody", NULL, NULL,
	    "original_check = \"compare\"", NULL, PPT_DIV, DIVERTED, ORIGINAL, NULL, NULL },
	{ "credential.original_check = cached: signed by nobody", NULL, NULL,
	    "original_check = \"cached\"", NULL, PPT_DIV, DIVERTED, ORIGINAL, "original_invalid",
	    "original" },
	{ "credential.original_check = cached: signed", NULL, NULL, "original_check = \"cached\"",
	    NULL, PPT_DIV, DIVERTED, ORIGINAL | SIGNED, NULL, NULL },
	/* clang-format on */
};

/*
 * Keys that change no decision: where things are and how they are had, made,
 * published and paid for.  What of them decides is another key's: a section by
 * what stands in it, a chain by its anchors, an original by original_check.
 */
/* clang-format off */
static const char *const aside[] = {
	"main.state_dir",
	"main.audit_dir",
	"main.front_user",
	"main.hsm_user",
	"main.net_user",
	"main.authority_anchors",
	"main.tnlist_tls_ca",
	"main.rcd_tls_ca",
	"main.original_chains",
	"main.request_timeout_ms",
	"main.max_connections",
	"main.max_user_connections",
	"main.abandoned_key_after",
	"main.orphan_after_s",
	"main.max_waiting",
	"main.audit_sync",
	"main.admin_socket",
	"main.admin_user",
	"main.admin_group",
	"main.listen",
	"main.token",
	"main.ca",
	"main.authority",
	"tenant.renumber_window_s",
	"tenant.attestation",
	"tenant.credential",
	"credential.token",
	"credential.spc",
	"credential.spread",
	"credential.ca",
	"credential.authority",
	"credential.claim_agent",
	"credential.constraints",
	"credential.publish_dir",
	"credential.publish_root",
	"credential.renew_lifetime_s",
	"credential.rekey",
	"credential.x5u_from",
	"credential.renew_backdate_s",
	"credential.star_lifetime_s",
	"credential.star_duration_s",
	"credential.star_adjust_s",
	"tenant.port_revoke_after",
	"tenant.on_rtu_refused", /* by what an authority said, not by what is asked: test_rtu */
	"tenant.rtu_stop_after_s",
	"main.ct_proofs",
	"main.ct_tls_ca",
	"main.ct_watch",
	/* What they bring decides as ct_logs does: test_trust_ops. */
	"main.ct_logs_url",
	"main.ct_logs_signature_url",
	"main.ct_logs_key",
	"main.ct_logs_tls_ca",
	"main.ct_logs_refresh_s",
	"main.ct_logs_max_age_s",
	"main.sti_pa_url",
	"main.sti_pa_anchors",
	"main.sti_pa_tls_ca",
	"main.sti_pa_refresh_s",
	"main.crl_check", /* by what lists say, not by what is asked: test_crl_ops */
	"main.crl_unavailable",
	"main.crl_issuers",
	"main.crl_tls_ca",
	"main.crl_max_age_s",
	"main.crl_refresh_s",
};
/* clang-format on */

/* ---- the world -------------------------------------------------------------------------- */

static struct bworld world;
static EVP_PKEY *key; /* of all certificates */
static uint8_t point[P256_POINT_LEN];
static char *usual; /* vesperd.conf as it is without a row */

static int
open_world(void **state)
{
	AUTO_BUF text = BUF_INIT(CONF_MAX);

	(void)state;
	bworld_open(&world);
	key = pki_p256();
	assert_int_equal(p256_point(key, point, NULL), RC_OK);
	assert_int_equal(store_read("vesperd.conf", CONF_MAX, &text, NULL), RC_OK);
	usual = buf_steal(&text);
	bworld_file("this", N0 "\n");
	bworld_file("another", N9 "\n");
	bworld_file("salts", SALTS);
	assert_int_equal(chmod("salts", 0600), 0);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	free(usual);
	bworld_close(&world);
	return 0;
}

/* ---- the files --------------------------------------------------------------------------- */

static bool
has(const char *lines, const char *key_name)
{
	return lines != NULL && strstr(lines, key_name) != NULL;
}

static const char *
or_nothing(const char *lines)
{
	return lines != NULL ? lines : "";
}

static void
put_credential(struct buf *out, const char *name, const char *lines)
{
	buf_printf(out, "credential \"%s\" { token = \"main\" %s", name, or_nothing(lines));
	if (!has(lines, "profile"))
		buf_str(out, " profile = \"atis-delegate\"");
	if (!has(lines, "x5u =") && !has(lines, "identity = \"none\""))
		buf_str(out, " x5u = \"https://c.example/c/\"");
	buf_str(out, " }\n");
}

static void
write_tenants(const struct row *r)
{
	AUTO_BUF text = BUF_INIT(CONF_MAX);

	buf_str(&text, or_nothing(r->tenant));
	buf_byte(&text, '\n');
	if (!has(r->tenant, "numbers"))
		buf_str(&text, "numbers = { \"" N0 "\" }\n");
	if (!has(r->tenant, "allow_"))
		buf_str(&text, "allow_user = { \"1000\" }\n");
	put_credential(&text, "main", r->credential);
	if ((r->odd & TWICE) != 0)
		put_credential(&text, "second", "priority = 1");
	bworld_tenant("acme", buf_text(&text));
	bworld_tenant("holder", (r->odd & DELEGATE) == 0
				    ? NULL
				    : "numbers = { \"" FAR "\" }\n"
				      "allow_user = { \"1000\" }\n"
				      "credential \"main\" { token = \"main\" "
				      "profile = \"atis-delegate\" "
				      "encompassing = \"off\" "
				      "x5u = \"https://h.example/c/\" }\n");
}

static void
write_config(const struct row *r)
{
	AUTO_BUF text = BUF_INIT(CONF_MAX);

	buf_str(&text, usual);
	buf_str(&text, or_nothing(r->main));
	buf_byte(&text, '\n');
	bworld_file("vesperd.conf", buf_text(&text));
	write_tenants(r);
}

/* ---- the certificates ---------------------------------------------------------------------- */

/* A code, ten numbers with a code, a block to all nines, or none. */
static void
put_list(struct buf *out, const struct row *r)
{
	/* 99990 and ten: our own encoder does not write it (D-03). */
	static const uint8_t nines[] = { 0x30, 0x0e, 0xa1, 0x0c, 0x30, 0x0a, 0x16, 0x05, '9',
		'9', '9', '9', '0', 0x02, 0x01, 0x0a };
	struct tnauth_entry e[] = { { .kind = TNAUTH_SPC, .spc = "5678" },
		{ .kind = TNAUTH_RANGE, .count = 10 } };

	if ((r->odd & LISTED) != 0)
		return;
	if ((r->odd & NINES) != 0) {
		buf_put(out, nines, sizeof nines);
		return;
	}
	if (has(r->credential, "shaken-sp")) {
		pki_tnauth_spc(out, "1234");
		return;
	}
	assert_int_equal(tn_exact(span_str(N0), &e[1].start, NULL), RC_OK);
	assert_int_equal(tnauth_encode(out, e, ARRAY_LEN(e), NULL), RC_OK);
}

static void
put_constraints(struct buf *out, const struct row *r)
{
	AUTO(constraints) *k = NULL;

	if (r->constraints == NULL)
		return;
	k = make(
	    r->constraints, (r->odd & ENHANCED) != 0 ? CONSTRAINTS_ENHANCED : CONSTRAINTS_JWT);
	assert_int_equal(constraints_encode(out, k, NULL), RC_OK);
}

static void
write_cert(const char *tenant, const char *name, const struct bworld_cert *spec)
{
	char path[128];

	snprintf(path, sizeof path, "state/front/tenants/%s/%s/current.pem", tenant, name);
	bworld_put(&world, path, spec);
}

static void
write_own(const struct row *r)
{
	AUTO_BUF list = BUF_INIT(4096), constraints = BUF_INIT(CONF_MAX),
		 narrow = BUF_INIT(4096);
	struct bworld_cert spec = { .point = point,
		.serial = "10",
		.enhanced = (r->odd & ENHANCED) != 0,
		.scts = (r->odd & STAMPED) != 0,
		.san = (r->odd & NAMED) != 0 ? "DNS:acme.example" : NULL,
		.policies = (r->odd & OF_POLICY) != 0 ? POLICY : NULL,
		.aia = (r->odd & LISTED) != 0 ? "1.3.6.1.5.5.7.48.14;URI:" URL_OF_LIST : NULL,
		.other_root = (r->odd & OTHER_ROOT) != 0 };

	put_list(&list, r);
	put_constraints(&constraints, r);
	if ((r->odd & NARROW) != 0)
		bworld_tnauth(&narrow, N9);
	spec.tnauth = buf_view(&list);
	spec.constraints = buf_view(&constraints);
	spec.parent = buf_view(&narrow);
	write_cert(
	    "acme", has(r->credential, "numbers_per_certificate") ? "main.1" : "main", &spec);
	spec.serial = "11";
	if ((r->odd & TWICE) != 0)
		write_cert("acme", "second", &spec);
}

static void
write_holder(const struct row *r)
{
	AUTO_BUF list = BUF_INIT(4096), narrow = BUF_INIT(4096);
	struct bworld_cert spec = {
		.point = point, .serial = "20", .scts = (r->odd & HOLDER_SCT) != 0
	};

	bworld_tnauth(&list, FAR);
	if ((r->odd & HOLDER_OUT) != 0)
		bworld_tnauth(&narrow, N9);
	spec.tnauth = buf_view(&list);
	spec.parent = buf_view(&narrow);
	write_cert("holder", "main", &spec);
}

/* ---- the set ------------------------------------------------------------------------------ */

static struct credset *
look(void)
{
	struct credset *set = NULL;
	struct fault f = { 0 };

	if (load_look("vesperd.conf", NOW, &set, &f) != RC_OK)
		fail_msg("%s: %s (%s)", f.reason, f.detail, f.where);
	return set;
}

/* What the URL led to, for the configuration that says how old it may be. */
static void
write_list(const struct row *r, const struct credset *set)
{
	const struct config_tenant *t = config_tenant_find(set->config, "acme");
	const struct tnlist_of of = { set->config, "acme", "main", &t->credential[0] };
	AUTO_BUF der = BUF_INIT(4096);

	bworld_tnauth(&der, N0);
	assert_int_equal(tnlist_write(&of, URL_OF_LIST, buf_view(&der),
			     NOW - ((r->odd & OLDER) != 0 ? 601 : 600), 0, NULL),
	    RC_OK);
}

static struct credset *
make_set(const struct row *r)
{
	struct credset *set;

	write_config(r);
	write_own(r);
	if ((r->odd & FAILED_OVER) != 0)
		assert_int_equal(
		    store_write(FAILOVER, span_str("{\"since\":1}"), 0600, NULL), RC_OK);
	else
		assert_int_equal(store_remove(FAILOVER, NULL), RC_OK);
	if ((r->odd & DELEGATE) != 0)
		write_holder(r);
	set = look();
	if ((r->odd & LISTED) != 0) {
		write_list(r, set);
		credset_release(set);
		set = look();
	}
	set->generation = 1;
	return set;
}

/* ---- the request -------------------------------------------------------------------------- */

static bool
key_ready(void *arg, unsigned token, const uint8_t key_id[KEY_ID_LEN])
{
	(void)arg;
	(void)token;
	(void)key_id;
	return true;
}

static enum rc
ask(const struct credset *set, struct policy *policy, const struct caller *who,
    const struct sign_request *r, struct decision *d, struct fault *f)
{
	struct caller_view view = { 0 };
	const struct decide_world w = { .set = set,
		.policy = policy,
		.caller = who,
		.view = caller_see(who, set, &view),
		.key_ready = key_ready,
		.now_s = NOW };

	return decide(&w, r, d, f);
}

/* By nobody's key, or by that of the certificate which serves here, where it is found. */
static json_t *
make_original(const struct row *r, const struct credset *set)
{
	struct credset_place at = { 0 };
	json_auto_t *claims = json_of(CALL);
	AUTO_BUF text = BUF_INIT(CONF_MAX), header = BUF_INIT(CONF_MAX);
	uint8_t signature[ES256_SIG_LEN] = { 0 };

	assert_true(credset_find(set, "acme", "main", &at));
	assert_int_equal(passport_header(&header, PPT_BASE,
			     (r->odd & SIGNED) != 0 ? credset_credential(set, at)->x5u
						    : "https://nobody.example/a.pem",
			     NULL, 0, NULL),
	    RC_OK);
	assert_int_equal(passport_signing_input(&text, buf_view(&header), claims, NULL), RC_OK);
	if ((r->odd & SIGNED) != 0)
		assert_int_equal(
		    es256_sign(NULL, key, buf_view(&text), signature, NULL), RC_OK);
	buf_byte(&text, '.');
	b64_encode(&text, B64_URL, span_of(signature, sizeof signature));
	return json_pack("[s]", buf_text(&text));
}

static void
verified(struct verifier_task *t)
{
	t->items = 0;
}

/* What the front leaves to its verifier. */
static enum rc
verify(struct credset *set, struct decision *d, struct fault *f)
{
	struct verifier_task t = {
		.item = { { .originals = d->originals, .check = d->config->original_check } },
		.items = 1,
		.now_s = NOW,
		.deadline_ms = INT64_MAX,
		.done = verified
	};
	struct verifier *v = NULL;
	struct pollfd p = { .events = POLLIN };

	assert_int_equal(verifier_new(&v, NULL), RC_OK);
	assert_int_equal(verifier_post(v, &t, set, NULL), RC_OK);
	p.fd = verifier_fd(v);
	while (t.items > 0) {
		assert_int_equal(poll(&p, 1, 60000), 1);
		verifier_take(v);
	}
	verifier_free(v);
	*f = t.item[0].fault;
	return f->rc;
}

static void
check(const struct row *r, enum rc rc, const struct decision *d, const struct fault *f)
{
	char granted[2] = { d->attest.granted, 0 };

	if ((rc == RC_OK) != (r->reason == NULL))
		fail_msg("%s (%s): %s", f->reason, f->claim, f->detail);
	if (r->reason != NULL) {
		assert_string_equal(f->reason, r->reason);
		assert_string_equal(f->claim, r->claim);
		return;
	}
	if ((r->odd & LOWERED) != 0)
		assert_string_equal(granted, "B");
	assert_int_equal(d->observeds, r->claim != NULL);
	if (r->claim != NULL)
		assert_string_equal(config_observe_name(d->observed[0].rule), r->claim);
}

static void
judge(const struct row *r, struct credset *set, struct policy *policy)
{
	gid_t group = 77;
	struct caller who = { .uid = (r->odd & (IN_GROUP | STRANGER)) != 0 ? 5 : USER,
		.gid = 5,
		.group = &group,
		.groups = (r->odd & IN_GROUP) != 0 };
	json_auto_t *claims = json_of(r->claims), *original = NULL, *of_holder = NULL;
	struct decision holder = { 0 }, d = { 0 };
	struct fault f = { 0 };
	struct sign_request asked = { .ppt = r->ppt,
		.tenant = "acme",
		.credential = (r->odd & BY_NAME) != 0 ? "main" : NULL,
		.claims = claims,
		.needs_identity = (r->odd & IDENTITY) != 0,
		.dry_run = (r->odd & DRY_RUN) != 0,
		.request_id = "t" };
	enum rc rc;

	if ((r->odd & ORIGINAL) != 0)
		asked.original = original = make_original(r, set);
	if ((r->odd & DELEGATE) != 0) {
		of_holder = json_of("{" TO(FAR, "12125550111") "}");
		assert_int_equal(
		    ask(set, policy, &who,
			&(struct sign_request){
			    .tenant = "holder", .claims = of_holder, .request_id = "t" },
			&holder, &f),
		    RC_OK);
		asked.before = &holder;
		asked.befores = 1;
	}
	if ((r->odd & AGAIN) != 0) {
		assert_int_equal(ask(set, policy, &who, &asked, &d, &f), RC_OK);
		decide_done(&d);
	}
	rc = ask(set, policy, &who, &asked, &d, &f);
	if (rc == RC_OK && d.originals != NULL)
		rc = verify(set, &d, &f);
	check(r, rc, &d, &f);
	decide_done(&d);
	decide_done(&holder);
}

static void
decides(void **state)
{
	const struct row *r = *state;
	struct credset *set = make_set(r);
	struct policy *policy = NULL;

	assert_int_equal(policy_new(&policy, NULL), RC_OK);
	assert_int_equal(policy_adopt(policy, set, 0, NULL), RC_OK);
	judge(r, set, policy);
	policy_free(policy);
	credset_release(set);
}

/* ---- what is conveyed ------------------------------------------------------------------------ */

/* By the profile, or as the credential has it; div has always an x5u. */
static const struct conveyed_case {
	const char *credential;
	enum ppt ppt;
	bool x5u, x5c;
} conveyed_cases[] = {
	{ PROFILE("vesper-06") "identity_max_bytes = 8192", PPT_BASE, true, true },
	{ PROFILE("vesper-05") "identity_max_bytes = 8192", PPT_BASE, true, true },
	{ PROFILE("vesper-06") "identity_max_bytes = 8192", PPT_RSP, true, true },
	{ PROFILE("vesper-06") "identity_max_bytes = 8192", PPT_DIV, true, true },
	{ PROFILE("vesper-06") "identity_max_bytes = 8192 conveyance = \"x5c\"", PPT_BASE,
	    false, true },
	{ PROFILE("vesper-06") "identity_max_bytes = 8192 conveyance = \"x5c\"", PPT_DIV, false,
	    false },
	{ PROFILE("atis-delegate"), PPT_BASE, true, false },
	{ PROFILE("atis-delegate") "conveyance = \"both\"", PPT_BASE, true, true },
	{ PROVIDER(""), PPT_SHAKEN, true, false },
	{ PROVIDER(""), PPT_BASE, false, false },
};

/* D-17, V-02, V-26, V-34: in the header that is signed. */
static void
conveys(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(conveyed_cases); i++) {
		const struct conveyed_case *c = &conveyed_cases[i];
		const struct row r = { .credential = c->credential, .odd = STAMPED };
		struct credset *set = make_set(&r);
		struct credset_place at = { 0 };
		const struct credential *made;
		json_auto_t *header = NULL;

		assert_true(credset_find(set, "acme", "main", &at));
		made = credset_credential(set, at);
		assert_int_equal(made->state, CREDENTIAL_READY);
		assert_int_equal(made->header[c->ppt] != NULL, c->x5u || c->x5c);
		if (made->header[c->ppt] != NULL) {
			AUTO_BUF text = BUF_INIT(CONF_MAX);

			assert_int_equal(
			    b64_decode(&text, B64_URL, span_str(made->header[c->ppt]), NULL),
			    RC_OK);
			assert_int_equal(jtext_read(buf_view(&text), &header, NULL), RC_OK);
			assert_int_equal(json_object_get(header, "x5u") != NULL, c->x5u);
			assert_int_equal(
			    json_array_size(json_object_get(header, "x5c")), c->x5c ? 1 : 0);
		}
		credset_release(set);
	}
}

/* ---- every key ------------------------------------------------------------------------------ */

static bool
is_aside(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(aside); i++) {
		if (strcmp(aside[i], name) == 0)
			return true;
	}
	return false;
}

/* Rows of that key which are allowed, or refused. */
static size_t
count_rows(const char *name, bool allowed)
{
	size_t len = strlen(name), n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		n += strncmp(rows[i].name, name, len) == 0 &&
		     strncmp(rows[i].name + len, " = ", 3) == 0 &&
		     (rows[i].reason == NULL) == allowed;
	return n;
}

static size_t
check_keys(const char *section, const cfg_opt_t *options)
{
	size_t missing = 0;
	char name[96];

	for (; options->name != NULL; options++) {
		bool both;

		snprintf(name, sizeof name, "%s.%s", section, options->name);
		both = count_rows(name, true) > 0 && count_rows(name, false) > 0;
		if (is_aside(name) != both)
			continue;
		print_error("%s: %s\n", name,
		    both ? "has rows, and is said to have no part in decisions"
			 : "a row that is allowed and one that is refused, or a word in aside");
		missing++;
	}
	return missing;
}

static const cfg_opt_t *
section_of(const cfg_opt_t *options, const char *name)
{
	while (options->name != NULL && strcmp(options->name, name) != 0)
		options++;
	assert_non_null(options->name);
	return options->subopts;
}

static void
every_key_has_its_rows(void **state)
{
	const cfg_opt_t *tenant = section_of(config_tenant_options, "tenant");

	(void)state;
	assert_int_equal(check_keys("main", config_main_options) +
			     check_keys("tenant", tenant) +
			     check_keys("attestation", section_of(tenant, "attestation")) +
			     check_keys("credential", section_of(tenant, "credential")),
	    0);
}

/* A name in aside that is no key is a slip. */
static void
what_is_aside_is_a_key(void **state)
{
	const cfg_opt_t *tenant = section_of(config_tenant_options, "tenant");
	const cfg_opt_t *credential = section_of(tenant, "credential");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(aside); i++) {
		const char *name = aside[i] + strcspn(aside[i], ".") + 1;
		const cfg_opt_t *o = aside[i][0] == 'm'	  ? config_main_options
				     : aside[i][0] == 't' ? tenant
							  : credential;

		while (o->name != NULL && strcmp(o->name, name) != 0)
			o++;
		if (o->name == NULL)
			fail_msg("%s", aside[i]);
	}
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(rows) + 3];
	size_t n = 0;

	ROWS(tests, n, rows, decides);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(conveys);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_key_has_its_rows);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_aside_is_a_key);
	return cmocka_run_group_tests(tests, open_world, close_world);
}
