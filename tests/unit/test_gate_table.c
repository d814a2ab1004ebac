/* ppt, passport, gate: one case for each rule and switch of the table of types */
#include "stir/gate.h"

#include "tests/unit/mutate.h"
#include "tests/unit/pki.h"
#include "tests/unit/spec.h"

enum { NOW = 1700000000, HOUR = 3600 };

#define NUMBERS "3014a112301016 0b3132303235353530313030 020104" /* 12025550100 to …103 */
#define CODE	"3008a006160431323334"				 /* 1234 */

#define AT(host) "'orig':{'uri':'sip:a@" host "'}"
#define ORIG	 "'orig':{'tn':'12025550100'}"
#define DEST	 "'dest':{'tn':['12125550111']}"
#define BASE	 ORIG "," DEST
#define DIV	 "'div':{'tn':'12025550100'}"
#define VPER \
	"'vper':{'id':'1','glue':['urn:glue:pen:32473'],'name':'ACME','domain':'acme.example'" \
	"}"
#define UUID "123e4567-e89b-12d3-a456-426655440000"
/* RFC 8225 section 9.1 */
#define DIG1	 "021ACC5427ABEB9C533F3E4B652E7D463F5442CD54F17A03A27DF9B07F4619B2"
#define DIG2	 "4AADB9B13F82183B540212DF3E5D496B19E57CAB3E4B652E7D463F5442CD54F1"
#define KEY(dig) "{'alg':'sha-256','dig':'" dig "'}"
/* base64 of 32, 48 and 64 zero bytes */
#define ZERO32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ZERO48 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ZERO64 ZERO48 "AAAAAAAAAAAAAAAAAAAAAA"
#define CARD(uri) \
	"['vcard',[['version',{},'text','4.0'],['fn',{},'text','Q']," \
	"['photo',{},'uri','" uri "']]]"
/* {"a":1}.{}.64 zero bytes */
#define TOKEN "eyJhIjoxfQ.e30." ZERO64

enum {
	PROVIDER = 1,
	THIRD_PARTY = 2,
	EXTRA = 4,
	NO_PROFILE = 8,
	VESPER_05 = 16,
	IN_RSP = 32,
	BRIEF = 64,
	URI = 128,
	NAMED = 256,
	NO_RCDI = 512
};

static struct table_case {
	const char *name, *ppt, *claims;
	unsigned flags;
	const char *reason, *claim; /* NULL: allowed */
} cases[] = {
	/* clang-format off */
	/* ---- which class signs what: D-01 ---- */
	{ "base, delegate (D-01)", NULL, "{" BASE "}", 0, NULL, NULL },
	{ "base, provider (D-01)", NULL, "{" BASE "}", PROVIDER, "no_credential", "" },
	{ "shaken, provider (RFC 8588 section 6)", "shaken",
	    "{" BASE ",'attest':'A','origid':'" UUID "'}", PROVIDER, NULL, NULL },
	{ "shaken, delegate (RFC 8588 s3, D-01)", "shaken", "{" BASE ",'attest':'A','origid':'" UUID "'}", 0,
	    "no_credential", "" },
	{ "rcd, delegate", "rcd", "{" BASE ",'rcd':{'nam':'A'}}", 0, NULL, NULL },
	{ "rcd, provider", "rcd", "{" BASE ",'rcd':{'nam':'A'}}", PROVIDER, NULL, NULL },
	{ "div, delegate", "div", "{" BASE "," DIV "}", 0, NULL, NULL },
	{ "div, provider", "div", "{" BASE "," DIV "}", PROVIDER, NULL, NULL },
	{ "div-o, delegate", "div-o", "{" BASE "," DIV ",'opt':'" TOKEN "'}", 0, NULL, NULL },
	{ "div-o, provider (D-01)", "div-o", "{" BASE "," DIV ",'opt':'" TOKEN "'}", PROVIDER,
	    "no_credential", "" },
	{ "rsp, delegate", "rsp", "{'orig':{'tn':'1'},'dest':{'tn':['12025550100']}}", 0, NULL, NULL },
	{ "rsp, provider (D-01)", "rsp", "{'orig':{'tn':'1'},'dest':{'tn':['12025550100']}}",
	    PROVIDER, "no_credential", "" },
	{ "msg, delegate, without msgi (RFC 9475 s3.2)", "msg", "{" BASE "}", 0, NULL, NULL },
	{ "msg, provider (D-01)", "msg", "{" BASE "}", PROVIDER, "no_credential", "" },
	{ "rph, provider", "rph", "{" BASE ",'rph':{'auth':['ets.0']}}", PROVIDER, NULL, NULL },
	{ "rph, delegate (D-01)",
	    "rph", "{" BASE ",'rph':{'auth':['ets.0']}}", 0, "no_credential",
	    "" },

	/* ---- whose number: protocol table 1.4 ---- */
	{ "base by orig (RFC 8224 section 6.1)",
	    NULL, "{'orig':{'tn':'12025550104'}," DEST "}", 0,
	    "tn_not_authorized", "orig" },
	{ "msg by orig (RFC 9475 s3.2)", "msg", "{'orig':{'tn':'12025550104'}," DEST "}", 0, "tn_not_authorized",
	    "orig" },
	{ "rcd by orig", "rcd", "{'orig':{'tn':'12025550104'}," DEST ",'crn':'x'}", 0,
	    "tn_not_authorized", "orig" },
	{ "div by div, orig is another's (RFC 8946 section 3)", "div",
	    "{'orig':{'tn':'13035550100'}," DEST "," DIV "}", 0, NULL, NULL },
	{ "div of another's number (RFC 8946 s3, D-39)",
	    "div", "{" BASE ",'div':{'tn':'12025550104'}}", 0,
	    "tn_not_authorized", "div" },
	{ "div-o of another's number (D-39)", "div-o",
	    "{" BASE ",'div':{'tn':'12025550104'},'opt':'" TOKEN "'}", 0, "tn_not_authorized", "div" },
	{ "rsp by dest, orig is another's (RFC 9970 section 4)", "rsp",
	    "{'orig':{'tn':'13035550100'},'dest':{'tn':['12025550101']}}", 0, NULL, NULL },
	{ "rsp to another's number (RFC 9970 s4, V-33)",
	    "rsp", "{" BASE "}", 0, "tn_not_authorized", "dest" },
	{ "rsp to several, all covered (D-25)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101','12025550100']}}", 0, NULL, NULL },
	{ "rsp to several, one not covered (D-25)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101','12025550104']}}", 0,
	    "tn_not_authorized", "dest" },
	{ "rsp to a URI (D-26)", "rsp", "{'orig':{'tn':'1'},'dest':{'uri':['sip:a@b']}}", 0,
	    "invalid_claim", "dest" },
	{ "orig a URI (D-26)", NULL, "{'orig':{'uri':'sip:a@b'}," DEST "}", 0, "invalid_claim",
	    "orig" },
	{ "orig a URI, orig_uri = yes and its dNSName (RFC 8224 s8.4, D-26)", NULL,
	    "{" AT("b.example") "," DEST "}", URI | NAMED, NULL, NULL },
	{ "orig a URI, its dNSName, orig_uri = no (D-26)", NULL, "{" AT("b.example") "," DEST "}", NAMED,
	    "invalid_claim", "orig" },
	{ "orig a URI, no dNSName (D-26)", NULL, "{" AT("b.example") "," DEST "}", URI,
	    "tn_not_authorized", "orig" },
	{ "orig a URI of another host (D-26)", NULL, "{" AT("c.example") "," DEST "}", URI | NAMED,
	    "tn_not_authorized", "orig" },
	{ "orig a URI of a host below (D-26)", NULL, "{" AT("a.b.example") "," DEST "}", URI | NAMED,
	    "tn_not_authorized", "orig" },
	{ "orig a URI of a host above (D-26)", NULL, "{" AT("example") "," DEST "}", URI | NAMED,
	    "tn_not_authorized", "orig" },
	{ "orig a URI, rcd by a provider (D-26)", "rcd", "{" AT("b.example") "," DEST ",'crn':'x'}",
	    URI | NAMED | PROVIDER, "invalid_claim", "orig" },
	{ "orig a URI, of a third party (D-26, D-52)", "rcd",
	    "{" AT("b.example") "," DEST ",'crn':'x','iss':'A'}", URI | NAMED | THIRD_PARTY,
	    "invalid_claim", "orig" },
	{ "orig a URI in div (D-26)", "div", "{" AT("b.example") "," DEST "," DIV "}", URI | NAMED,
	    "invalid_claim", "orig" },
	{ "orig a URI in rsp (D-26)", "rsp", "{" AT("b.example") ",'dest':{'tn':['12025550101']}}",
	    URI | NAMED, "invalid_claim", "orig" },
	{ "orig a URI and a number (RFC 8225 s5.2.1, D-26)", NULL,
	    "{'orig':{'tn':'12025550100','uri':'sip:a@b.example'}," DEST "}", URI | NAMED,
	    "invalid_claim", "orig" },
	{ "div a URI (D-26)",
	    "div", "{" BASE ",'div':{'uri':'sip:a@b'}}", 0, "invalid_claim", "div" },

	/* ---- content elsewhere ---- */
	{ "icn elsewhere without rcdi (RFC 9795 s4)", "rcd",
	    "{" BASE ",'rcd':{'nam':'Q','icn':'https://a.example/q.png'}}", 0, "missing_claim",
	    "rcdi" },
	{ "the same, rcd_without_rcdi (RFC 9795 s4)", "rcd",
	    "{" BASE ",'rcd':{'nam':'Q','icn':'https://a.example/q.png'}}", NO_RCDI, NULL, NULL },
	{ "jcl without rcdi (RFC 9795 s4)", "rcd",
	    "{" BASE ",'rcd':{'nam':'Q','jcl':'https://a.example/q.json'}}", 0, "missing_claim",
	    "rcdi" },
	{ "a jCard with a picture elsewhere, without rcdi (RFC 9795 s4)", "rcd",
	    "{" BASE ",'rcd':{'nam':'Q','jcd':" CARD("https://a.example/q.png") "}}", 0,
	    "missing_claim", "rcdi" },
	{ "a jCard with a picture in it, without rcdi (RFC 9795 s4)", "rcd",
	    "{" BASE ",'rcd':{'nam':'Q','jcd':" CARD("data:image/png;base64,AAAA") "}}", 0, NULL,
	    NULL },
	{ "icn inline without rcdi (RFC 9795 s4)", "rcd",
	    "{" BASE ",'rcd':{'nam':'Q','icn':'data:image/png;base64,AAAA'}}", 0, NULL, NULL },
	{ "icn elsewhere with its digest (RFC 9795 s4)", "rcd",
	    "{" BASE ",'rcd':{'nam':'Q','icn':'https://a.example/q.png'},'rcdi':{'/icn':'sha256-"
	    ZERO32 "'}}", 0, NULL, NULL },
	{ "icn elsewhere without rcdi in shaken (RFC 9795 s4)", "shaken",
	    "{" BASE ",'attest':'A','origid':'" UUID
	    "','rcd':{'nam':'Q','icn':'https://a.example/q.png'}}", PROVIDER, "missing_claim",
	    "rcdi" },
	{ "icn elsewhere without rcdi, of a third party (RFC 9795 s4)", "rcd",
	    "{'orig':{'tn':'13035550100'}," DEST ",'iss':'Zorin Industries',"
	    "'rcd':{'nam':'Q','icn':'https://a.example/q.png'}}", THIRD_PARTY, "missing_claim",
	    "rcdi" },

	/* ---- third parties: D-52, RFC 9795 section 10 ---- */
	{ "third party (RFC 9795 s10.1, V-84)", "rcd", "{'orig':{'tn':'12025551000'},"
	    "'dest':{'tn':['12025551001']},'iss':'Zorin Industries',"
	    "'rcd':{'nam':'James St. John Smythe'}}", THIRD_PARTY, NULL, NULL },
	{ "third party, not configured (D-52)", "rcd",
	    "{'orig':{'tn':'13035550100'}," DEST ",'iss':'A','crn':'x'}", 0, "tn_not_authorized",
	    "orig" },
	{ "third party of another name (RFC 9795 s10.1, D-52)", "rcd",
	    "{'orig':{'tn':'13035550100'}," DEST ",'iss':'ACME','crn':'x'}", THIRD_PARTY,
	    "value_not_permitted", "iss" },
	{ "third party, its name in small letters (D-52)", "rcd",
	    "{'orig':{'tn':'13035550100'}," DEST ",'iss':'zorin industries','crn':'x'}",
	    THIRD_PARTY, "value_not_permitted", "iss" },
	{ "third party, its name and more (D-52)", "rcd",
	    "{'orig':{'tn':'13035550100'}," DEST ",'iss':'Zorin Industries ','crn':'x'}",
	    THIRD_PARTY, "value_not_permitted", "iss" },
	{ "third party without iss (RFC 9795 s10.1, D-52)",
	    "rcd", "{'orig':{'tn':'13035550100'}," DEST ",'crn':'x'}",
	    THIRD_PARTY, "tn_not_authorized", "orig" },
	{ "third party of a covered number (D-52)", "rcd", "{" BASE ",'iss':'A','crn':'x'}",
	    THIRD_PARTY, "invalid_claim", "iss" },
	{ "provider as third party of another name (D-52)", "rcd",
	    "{'orig':{'tn':'13035550100'}," DEST ",'iss':'ACME','crn':'x'}",
	    PROVIDER | THIRD_PARTY, "value_not_permitted", "iss" },
	{ "iss in base (RFC 9795 s12.1, D-52)",
	    NULL, "{" BASE ",'iss':'A'}", EXTRA, "unknown_claim", "iss" },

	/* ---- required, allowed and forbidden claims ---- */
	{ "shaken without attest (RFC 8588 section 4)",
	    "shaken", "{" BASE ",'origid':'" UUID "'}",
	    PROVIDER, "missing_claim", "attest" },
	{ "shaken without origid (RFC 8588 section 5)",
	    "shaken", "{" BASE ",'attest':'A'}", PROVIDER,
	    "missing_claim", "origid" },
	{ "shaken without orig (RFC 8225 s8.3)",
	    "shaken", "{" DEST ",'attest':'A','origid':'" UUID "'}", PROVIDER,
	    "missing_claim", "orig" },
	{ "shaken with rcd (RFC 9795 s13.1, s13.2)",
	    "shaken", "{'orig':{'tn':'12025551000'},"
	    "'dest':{'tn':['12025551001']},'attest':'A','origid':'" UUID "',"
	    "'rcd':{'nam':'James Bond'}}", PROVIDER, NULL, NULL },
	{ "rcd without any (RFC 9795 section 8)",
	    "rcd", "{" BASE "}", 0, "missing_claim", "rcd" },
	{ "rcd without nam (D-40)", "rcd", "{" BASE ",'rcd':{}}", 0, "invalid_claim", "rcd" },
	{ "rcd in base, named", NULL, "{" BASE ",'rcd':{'nam':'A'}}", EXTRA, NULL, NULL },
	{ "rcd in base, not named (RFC 9795 s13.1, D-51)",
	    NULL, "{" BASE ",'rcd':{'nam':'A'}}", 0, "unknown_claim",
	    "rcd" },
	{ "rcd in base keeps its form", NULL, "{" BASE ",'rcd':{}}", EXTRA, "invalid_claim", "rcd" },
	{ "div without div (RFC 8946 section 3)",
	    "div", "{" BASE "}", 0, "missing_claim", "div" },
	{ "div with opt (RFC 8946 section 3)",
	    "div", "{" BASE "," DIV ",'opt':'" TOKEN "'}", EXTRA,
	    "unknown_claim", "opt" },
	{ "div with a further claim (RFC 8946 s3)",
	    "div", "{" BASE "," DIV ",'rcd':{'nam':''}}",
	    EXTRA, "unknown_claim", "rcd" },
	{ "div with mky", "div", "{" BASE "," DIV ",'mky':[" KEY(DIG1) "]}", EXTRA, "unknown_claim",
	    "mky" },
	{ "div with attest", "div", "{" BASE "," DIV ",'attest':'A'}", EXTRA, "unknown_claim", "attest" },
	{ "div-o without opt (RFC 8946 section 5)",
	    "div-o", "{" BASE "," DIV "}", 0, "missing_claim",
	    "opt" },
	{ "div-o of the compact form (RFC 8946 s6)", "div-o",
	    "{" BASE "," DIV ",'opt':'..abcd'}", 0, "invalid_claim", "opt" },
	{ "div in base", NULL, "{" BASE "," DIV "}", EXTRA, "unknown_claim", "div" },
	{ "opt in base", NULL, "{" BASE ",'opt':'" TOKEN "'}", EXTRA, "unknown_claim", "opt" },
	{ "attest in rsp (D-38)",
	    "rsp", "{'orig':{'tn':'1'},'dest':{'tn':['12025550101']},'attest':'A'}",
	    EXTRA, "unknown_claim", "attest" },
	{ "attest in rsp under vesper-05, attest_in_rsp = no (V-31, D-38)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101']},'attest':'A'}", EXTRA | VESPER_05,
	    "unknown_claim", "attest" },
	{ "attest in rsp under vesper-05, attest_in_rsp = yes (V-31, D-38)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101']},'attest':'A'}",
	    EXTRA | VESPER_05 | IN_RSP, NULL, NULL },
	{ "attest in rsp under another profile, whatever the switch (D-38)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101']},'attest':'A'}", EXTRA | IN_RSP,
	    "unknown_claim", "attest" },
	{ "rsp with rcd, named (V-32)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101']},'rcd':{'nam':'A'}}", EXTRA, NULL, NULL },
	{ "rsp with vper, named (V-32)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101']}," VPER "}", EXTRA, NULL, NULL },
	{ "rsp with vper, not named (V-32)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101']}," VPER "}", 0, "unknown_claim", "vper" },
	{ "attest in base, named (D-51)", NULL, "{" BASE ",'attest':'A'}", EXTRA, NULL, NULL },
	{ "attest in base, not named (D-51)", NULL, "{" BASE ",'attest':'A'}", 0, "unknown_claim",
	    "attest" },
	{ "base without dest (RFC 8224 s4.1)", NULL, "{" ORIG "}", 0, "missing_claim", "dest" },
	{ "msgi in base (RFC 9475 section 3.2)",
	    NULL, "{" BASE ",'msgi':'sha256-" ZERO32 "'}", EXTRA,
	    "unknown_claim", "msgi" },
	{ "rph without rph (RFC 8443 section 3)",
	    "rph", "{" BASE "}", PROVIDER, "missing_claim", "rph" },
	{ "sph without rph (RFC 9027 s4)", "rph", "{" BASE ",'sph':'psap-callback'}", PROVIDER,
	    "missing_claim", "rph" },
	{ "rph in base", NULL, "{" BASE ",'rph':{'auth':['ets.0']}}", EXTRA, "unknown_claim", "rph" },
	{ "sph in base (RFC 9027 s4)",
	    NULL, "{" BASE ",'sph':'psap-callback'}", EXTRA, "unknown_claim", "sph" },

	/* ---- form ---- */
	{ "div with hi (RFC 8946 section 3)",
	    "div", "{" BASE ",'div':{'tn':'12025550100','hi':'1.2'}}",
	    0, NULL, NULL },
	{ "div.hi no index", "div", "{" BASE ",'div':{'tn':'12025550100','hi':'1..2'}}", 0,
	    "invalid_claim", "div" },
	{ "div.hi ends in a dot", "div", "{" BASE ",'div':{'tn':'12025550100','hi':'1.'}}", 0,
	    "invalid_claim", "div" },
	{ "div.tn an array (RFC 8946 section 3)",
	    "div", "{" BASE ",'div':{'tn':['12025550100']}}", 0,
	    "invalid_claim", "div" },
	{ "div.tn no number", "div", "{" BASE ",'div':{'tn':'x'}}", 0, "invalid_tn", "div" },
	{ "div with another member", "div", "{" BASE ",'div':{'tn':'12025550100','x':1}}", 0,
	    "invalid_claim", "div" },
	{ "div a string", "div", "{" BASE ",'div':'12025550100'}", 0, "invalid_claim", "div" },
	{ "div in another spelling", "div", "{" BASE ",'div':{'tn':'+1 (202) 555-0100'}}", 0, NULL,
	    NULL },
	{ "div to two (RFC 8946 s3, D-25)",
	    "div", "{" ORIG ",'dest':{'tn':['1','2']}," DIV "}", 0, "invalid_claim",
	    "dest" },
	{ "div to a number and a URI (D-25)", "div",
	    "{" ORIG ",'dest':{'tn':['1'],'uri':['sip:a@b']}," DIV "}", 0, "invalid_claim", "dest" },
	{ "div to a URI", "div", "{" ORIG ",'dest':{'uri':['sip:a@b']}," DIV "}", 0, NULL, NULL },
	{ "div to itself (RFC 8946 s3)", "div",
	    "{" ORIG ",'dest':{'tn':['12025550100']}," DIV "}", 0, "invalid_claim", "dest" },
	{ "msgi of SHA-256 (RFC 9475 section 3.2)",
	    "msg", "{" BASE ",'msgi':'sha256-" ZERO32 "='}", 0,
	    NULL, NULL },
	{ "msgi of SHA-384 (RFC 9475 s3.2)", "msg", "{" BASE ",'msgi':'sha384-" ZERO48 "'}", 0, NULL, NULL },
	{ "msgi of SHA-512 (RFC 9475 s3.2)", "msg", "{" BASE ",'msgi':'sha512-" ZERO64 "=='}", 0, NULL, NULL },
	{ "msgi of SHA-1 (RFC 9475 s3.2)", "msg", "{" BASE ",'msgi':'sha1-AAAA'}", 0, "invalid_claim", "msgi" },
	{ "msgi as printed: 42 octets (RFC 9475 section 3.2)", "msg",
	    "{" BASE ",'msgi':'sha256-H8BRh8j48O9oYatfu5AZzq6A9RINQZngK7T62em8MUt1FLm52t+eX6xO'}", 0,
	    "invalid_claim", "msgi" },
	{ "msgi base64url", "msg",
	    "{" BASE ",'msgi':'sha256--_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}", 0,
	    "invalid_claim", "msgi" },
	{ "mky (RFC 8224 s4.1, RFC 8225 s5.2.2, RFC 9475 s3.1)",
	    NULL, "{" BASE ",'mky':[" KEY(DIG1) "," KEY(DIG2) "]}", 0, NULL,
	    NULL },
	{ "mky out of order (RFC 8225 section 5.2.2)", NULL,
	    "{" BASE ",'mky':[" KEY(DIG2) "," KEY(DIG1) "]}", 0, "invalid_claim", "mky" },
	{ "mky twice", NULL, "{" BASE ",'mky':[" KEY(DIG1) "," KEY(DIG1) "]}", 0, "invalid_claim", "mky" },
	{ "mky empty", NULL, "{" BASE ",'mky':[]}", 0, "invalid_claim", "mky" },
	{ "mky no array", NULL, "{" BASE ",'mky':" KEY(DIG1) "}", 0, "invalid_claim", "mky" },
	{ "mky in lower case", NULL, "{" BASE ",'mky':[{'alg':'sha-256','dig':"
	    "'021acc5427abeb9c533f3e4b652e7d463f5442cd54f17a03a27df9b07f4619b2'}]}", 0, "invalid_claim",
	    "mky" },
	{ "mky with colons (RFC 8225 s5.2.2)",
	    NULL, "{" BASE ",'mky':[{'alg':'sha-256','dig':'02:1A'}]}", 0,
	    "invalid_claim", "mky" },
	{ "mky too short for its hash", NULL, "{" BASE ",'mky':[{'alg':'sha-512','dig':'" DIG1 "'}]}", 0,
	    "invalid_claim", "mky" },
	{ "mky of SHA-1", NULL, "{" BASE ",'mky':[{'alg':'sha-1','dig':"
	    "'021ACC5427ABEB9C533F3E4B652E7D463F5442CD'}]}", 0, "invalid_claim", "mky" },
	{ "mky with another member", NULL, "{" BASE ",'mky':[{'alg':'sha-256','dig':'" DIG1 "','x':1}]}", 0,
	    "invalid_claim", "mky" },
	{ "rph of two namespaces (RFC 8443 section 3)",
	    "rph", "{" BASE ",'rph':{'auth':['ets.0','wps.0']}}",
	    PROVIDER, NULL, NULL },
	{ "rph and sph (RFC 9027 section 4)", "rph", "{'orig':{'tn':'12155551213'},"
	    "'dest':{'tn':['12155551212']},'rph':{'auth':['esnet.0']},'sph':'psap-callback'}", PROVIDER,
	    NULL, NULL },
	{ "rph to a URN (RFC 9027 section 3)", "rph", "{'orig':{'tn':'12155551212'},"
	    "'dest':{'uri':['urn:service:sos']},'rph':{'auth':['esnet.1']}}", PROVIDER, NULL, NULL },
	{ "rph empty", "rph", "{" BASE ",'rph':{'auth':[]}}", PROVIDER, "invalid_claim", "rph" },
	{ "rph without a dot (RFC 8443 s3)",
	    "rph", "{" BASE ",'rph':{'auth':['ets']}}", PROVIDER, "invalid_claim", "rph" },
	{ "rph with two dots", "rph", "{" BASE ",'rph':{'auth':['a.b.0']}}", PROVIDER, "invalid_claim",
	    "rph" },
	{ "rph with another member", "rph", "{" BASE ",'rph':{'auth':['ets.0'],'x':1}}", PROVIDER,
	    "invalid_claim", "rph" },
	{ "sph of another value", "rph", "{" BASE ",'rph':{'auth':['ets.0']},'sph':'urgent'}", PROVIDER,
	    "invalid_claim", "sph" },

	/* ---- iat: D-21 ---- */
	{ "base, 60 s old", NULL, "{" BASE ",'iat':1699999940}", 0, NULL, NULL },
	{ "base, 61 s old (RFC 8224 s4.1, s6.1)",
	    NULL, "{" BASE ",'iat':1699999939}", 0, "stale_iat",
	    "iat" },
	{ "msg, 61 s old (RFC 9475 s7)", "msg", "{" BASE ",'iat':1699999939}", 0, "stale_iat",
	    "iat" },
	{ "rsp, 61 s old (V-30)", "rsp",
	    "{'orig':{'tn':'1'},'dest':{'tn':['12025550101']},'iat':1699999939}", 0, "stale_iat", "iat" },
	{ "div, 3 h old (D-21)", "div", "{" BASE "," DIV ",'iat':1699989200}", 0, NULL, NULL },
	{ "div, more than 3 h old (D-21)",
	    "div", "{" BASE "," DIV ",'iat':1699989199}", 0, "stale_iat",
	    "iat" },
	{ "div-o, 3 h old (D-21)",
	    "div-o", "{" BASE "," DIV ",'opt':'" TOKEN "','iat':1699989200}", 0,
	    NULL, NULL },
	/* BRIEF: the certificate is valid from 30 s ago until in 3 s. */
	{ "dated by its first second (RFC 8224 s6.1)",
	    NULL, "{" BASE ",'iat':1699999970}", BRIEF, NULL, NULL },
	{ "dated before the certificate (RFC 8224 s6.1)",
	    NULL, "{" BASE ",'iat':1699999969}", BRIEF, "credential_expired", "iat" },
	{ "dated by its last second (RFC 8224 s6.1)",
	    NULL, "{" BASE ",'iat':1700000003}", BRIEF, NULL, NULL },
	{ "dated after the certificate (RFC 8224 s6.1)",
	    NULL, "{" BASE ",'iat':1700000004}", BRIEF, "credential_expired", "iat" },
	{ "div, dated before the certificate (RFC 8224 s6.1, D-21)",
	    "div", "{" BASE "," DIV ",'iat':1699999969}", BRIEF, "credential_expired", "iat" },
	{ "dated before the provider's certificate (RFC 8224 s6.1)", "shaken",
	    "{" BASE ",'attest':'A','origid':'" UUID "','iat':1699999969}", PROVIDER | BRIEF,
	    "credential_expired", "iat" },
	{ "iat that no certificate could help", NULL, "{" BASE ",'iat':1699999939}", BRIEF,
	    "stale_iat", "iat" },
	{ "div, ahead", "div", "{" BASE "," DIV ",'iat':1700000006}", 0, "stale_iat", "iat" },

	/* ---- without a profile, as vesper check has it ---- */
	{ "no profile: any class", "rph", "{" BASE ",'rph':{'auth':['ets.0']}}", NO_PROFILE, NULL, NULL },
	{ "no profile: the number still", "div", "{" BASE ",'div':{'tn':'12025550104'}}", NO_PROFILE,
	    "tn_not_authorized", "div" },
	/* clang-format on */
};

struct leaf {
	struct cert cert;
	struct chain chain;
};

static void
leaf_done(struct leaf *l)
{
	tnauth_free(l->cert.tnauth);
}

static void
leaf_init(struct leaf *l, const char *hex)
{
	uint8_t room[64];

	*l = (struct leaf){ .cert = { .p256 = true,
				.digital_signature = true,
				.not_before_s = NOW - 3 * HOUR,
				.not_after_s = NOW + HOUR } };
	assert_int_equal(
	    tnauth_decode(unhex(hex, room, sizeof room), false, &l->cert.tnauth, NULL), RC_OK);
	l->chain.cert[0] = &l->cert;
	l->chain.len = 1;
}

static enum rc
decide(const struct table_case *c, const struct gate *g, struct fault *f)
{
	static const char *const extra[] = { "rcd", "attest", "opt", "div", "mky", "msgi",
		"rph", "sph", "iss", "vper" };
	struct passport_policy policy = { .now_s = NOW,
		.iat_past_s = 60,
		.iat_future_s = 5,
		.iat_diverted_s = PASSPORT_DIVERTED_S,
		.extra_claims = extra,
		.orig_uri = (c->flags & URI) != 0,
		.extra = (c->flags & EXTRA) != 0 ? ARRAY_LEN(extra) : 0 };
	__attribute__((cleanup(passport_done))) struct passport p = { 0 };
	json_auto_t *claims = json_of(c->claims);
	enum ppt ppt = PPT_BASE;

	TRY(ppt_find(c->ppt, &ppt, f));
	TRY(passport_prepare(claims, ppt, &policy, &p, f));
	return gate_decide(g, &p, NOW, f);
}

static char name_of_leaf[] = "B.example";

static void
decides(void **state)
{
	const struct table_case *c = *state;
	bool provider = (c->flags & PROVIDER) != 0;
	const char *name = provider			 ? "shaken-sp"
			   : (c->flags & VESPER_05) != 0 ? "vesper-05"
							 : "atis-delegate";
	const struct gate_policy policy = {
		.profile = (c->flags & NO_PROFILE) != 0 ? NULL : profile_find(name),
		.third_party_iss = (c->flags & THIRD_PARTY) != 0 ? "Zorin Industries" : NULL,
		.attest_in_rsp = (c->flags & IN_RSP) != 0,
		.orig_uri = (c->flags & URI) != 0,
		.rcd_without_rcdi = (c->flags & NO_RCDI) != 0
	};
	__attribute__((cleanup(leaf_done))) struct leaf l;
	AUTO(gate) *g = NULL;
	struct fault f = { 0 };
	enum rc rc;

	leaf_init(&l, provider ? CODE : NUMBERS);
	if ((c->flags & BRIEF) != 0) {
		l.cert.not_before_s = NOW - 30;
		l.cert.not_after_s = NOW + 3;
	}
	if ((c->flags & NAMED) != 0)
		l.cert.dns_name = name_of_leaf;
	assert_int_equal(gate_open(&l.chain, &policy, &g, NULL), RC_OK);
	rc = decide(c, g, &f);
	if (c->reason == NULL && rc != RC_OK)
		fail_msg("%s: %s: %s", f.reason, f.claim, f.detail);
	if (c->reason == NULL)
		return;
	assert_int_not_equal(rc, RC_OK);
	assert_string_equal(f.reason, c->reason);
	assert_string_equal(f.claim, c->claim);
}

/*
 * Payloads that RFCs print: taken, and written again to the same bytes.  Those
 * with slips of the pen are refused as they are printed.
 */
static const struct {
	const char *section, *ppt;
	bool good;
	const char *text;
} published[] = {
	{ "RFC 8225 sA", NULL, true,
	    "{\"dest\":{\"uri\":[\"sip:alice@example.com\"]},\"iat\":1471375418,\"orig\":{"
	    "\"tn\":\"12155551212\"}}" },
	{ "RFC 8225 s9.1, its slips mended", NULL, true,
	    "{\"dest\":{\"uri\":[\"sip:alice@example.com\"]},\"iat\":1443208345,\"mky\":[{"
	    "\"alg\":\"sha-256\",\"dig\":\"021ACC5427ABEB9C533F3E4B652E7D463F5442CD54F17A03"
	    "A27DF9B07F4619B2\"},{\"alg\":\"sha-256\",\"dig\":\"4AADB9B13F82183B540212DF3E5"
	    "D496B19E57CAB3E4B652E7D463F5442CD54F1\"}],\"orig\":{\"tn\":\"12155551212\"}}" },
	{ "RFC 8225 s9.1, as printed", NULL, false,
	    "{\"dest\":{\"uri\":[\"sip:alice@example.com\"],\"iat\":1443208345,\"mky\":[{\""
	    "alg\":\"sha-256\",\"dig\":\"021ACC5427ABEB9C533F3E4B652E7D463F5442CD54F17A03A2"
	    "7DF9B07F4619B2\"},{\"alg\":\"sha-256\",\"dig\":\"4AADB9B13F82183B540212DF3E5D4"
	    "96B19E57CAB3E4B652E7D463F5442CD54F1\"}],\"orig\":{\"tn\":\"12155551212\"}}" },
	{ "RFC 8588 s6, its slips mended", "shaken", true,
	    "{\"attest\":\"A\",\"dest\":{\"tn\":[\"12155550131\"]},\"iat\":1443208345,\"ori"
	    "g\":{\"tn\":\"12155550121\"},\"origid\":\"123e4567-e89b-12d3-a456-426655440000"
	    "\"}" },
	{ "RFC 8588 s6, as printed", "shaken", false,
	    "{\n   \"attest\":\"A\"\n   \"dest\":{\"tn\":[\"12155550131\"]}\n   \"iat\":\"1"
	    "443208345\",\n   \"orig\":{\"tn\":\"12155550121\"},\n   \"origid\":\"123e4567-"
	    "e89b-12d3-a456-426655440000\"\n}" },
	{ "RFC 9027 s3, esnet.0", "rph", true,
	    "{\"dest\":{\"tn\":[\"12155551212\"]},\"iat\":1615471428,\"orig\":{\"tn\":\"121"
	    "55551213\"},\"rph\":{\"auth\":[\"esnet.0\"]}}" },
	{ "RFC 9027 s3, esnet.1", "rph", true,
	    "{\"dest\":{\"uri\":[\"urn:service:sos\"]},\"iat\":1615471428,\"orig\":{\"tn\":"
	    "\"12155551212\"},\"rph\":{\"auth\":[\"esnet.1\"]}}" },
	{ "RFC 9027 s4", "rph", true,
	    "{\"dest\":{\"tn\":[\"12155551212\"]},\"iat\":1615471428,\"orig\":{\"tn\":\"121"
	    "55551213\"},\"rph\":{\"auth\":[\"esnet.0\"]},\"sph\":\"psap-callback\"}" },
	{ "RFC 9795 s8.3", "rcd", true,
	    "{\"dest\":{\"tn\":[\"12025551001\"]},\"iat\":1443208345,\"orig\":{\"tn\":\"120"
	    "25551000\"},\"rcd\":{\"nam\":\"James Bond\"}}" },
	{ "RFC 9795 s10.1", "rcd", true,
	    "{\"dest\":{\"tn\":[\"12025551001\"]},\"iat\":1443208345,\"iss\":\"Zorin Indust"
	    "ries\",\"orig\":{\"tn\":\"12025551000\"},\"rcd\":{\"nam\":\"James St. John Smy"
	    "the\"}}" },
	{ "RFC 9795 s13.2", "shaken", true,
	    "{\"attest\":\"A\",\"dest\":{\"tn\":[\"12025551001\"]},\"iat\":1443208345,\"ori"
	    "g\":{\"tn\":\"12025551000\"},\"origid\":\"123e4567-e89b-12d3-a456-426655440000"
	    "\",\"rcd\":{\"nam\":\"James Bond\"}}" },
	{ "RFC 9970 s9", "rsp", true,
	    "{\"dest\":{\"tn\":[\"12155551214\"]},\"iat\":1443208345,\"orig\":{\"tn\":\"121"
	    "55551212\"}}" },
	{ "RFC 8225 s7.1, iat a string", NULL, false,
	    "{\"dest\":{\"uri\":[\"sip:alice@example.com\"]},\"iat\":\"1443208345\",\"orig"
	    "\":{\"tn\":\"12155551212\"}}" },
	{ "RFC 8443 s4.1, as printed", "rph", false,
	    "{\"dest\":{[\"tn\":\"12125550113\"]},\"iat\":\"1443208345\",\"orig\":{\"tn\":"
	    "\"12155550112\"},\"rph\":{\"auth\":[\"ets.0\",\"wps.0\"]}}" },
	{ "libstirshaken, orig and dest as strings", "shaken", false,
	    "{\"attest\":\"A\",\"dest\":\"{\\\"tn\\\":\\\"01256500600\\\"}\",\"iat\":160345"
	    "8131,\"orig\":\"{\\\"tn\\\":\\\"01256789999\\\"}\",\"origid\":\"ref\"}" },
	{ "RFC 9795 s8.3, icn and rcdi", "rcd", true,
	    "{\"crn\":\"Rendezvous for Little Nellie\",\"dest\":{\"tn\":[\"12155551001\"]},"
	    "\"iat\":1443208345,\"orig\":{\"tn\":\"12025551000\"},\"rcd\":{\"icn\":\"https:"
	    "//example.com/photos/q-256x256.png\",\"nam\":\"Q Branch Spy Gadgets\"},\"rcdi"
	    "\":{\"/icn\":\"sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4\",\"/nam\":"
	    "\"sha256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY\"}}" },
	{ "RFC 9795 s8.3, apn", "rcd", true,
	    "{\"dest\":{\"tn\":[\"12155551001\"]},\"iat\":1443208345,\"orig\":{\"tn\":\"120"
	    "25551000\"},\"rcd\":{\"apn\":\"12025559990\",\"icn\":\"https://example.com/pho"
	    "tos/quartermaster-256x256.png\",\"nam\":\"Her Majesty's Secret Service\"}}" },
	{ "RFC 9795 s8.3, jcd", "rcd", true,
	    "{\"crn\":\"Rendezvous for Little Nellie\",\"dest\":{\"tn\":[\"12155551001\"]},"
	    "\"iat\":1443208345,\"orig\":{\"tn\":\"12025551000\"},\"rcd\":{\"jcd\":[\"vcard"
	    "\",[[\"version\",{},\"text\",\"4.0\"],[\"fn\",{},\"text\",\"Q Branch\"],[\"org"
	    "\",{},\"text\",\"MI6;Q Branch Spy Gadgets\"],[\"photo\",{},\"uri\",\"https://e"
	    "xample.com/photos/q-256x256.png\"],[\"logo\",{},\"uri\",\"https://example.com/"
	    "logos/mi6-256x256.jpg\"],[\"logo\",{},\"uri\",\"https://example.com/logos/mi6-"
	    "64x64.jpg\"]]],\"nam\":\"Q Branch Spy Gadgets\"},\"rcdi\":{\"/jcd/1/3/3\":\"sh"
	    "a256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4\",\"/jcd/1/4/3\":\"sha256-jL4"
	    "f47fF82LuwcrOrSyckA4SWrlElfARHkW6kYo1JdI\",\"/jcd/1/5/3\":\"sha256-GKNxxqlLRar"
	    "byBNh7hc/4lbZAdK6B0kMRf1AMRWPkSo\"}}" },
	{ "RFC 9795 s8.3, jcl", "rcd", true,
	    "{\"crn\":\"Rendezvous for Little Nellie\",\"dest\":{\"tn\":[\"12155551001\"]},"
	    "\"iat\":1443208345,\"orig\":{\"tn\":\"12025551000\"},\"rcd\":{\"jcl\":\"https:"
	    "//example.com/qbranch.json\",\"nam\":\"Q Branch Spy Gadgets\"},\"rcdi\":{\"/jc"
	    "l\":\"sha256-qCn4pEH6BJu7zXndLFuAP6DwlTv5fRmJ1AFkqftwnCs\",\"/jcl/1/3/3\":\"sh"
	    "a256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4\",\"/jcl/1/4/3\":\"sha256-jL4"
	    "f47fF82LuwcrOrSyckA4SWrlElfARHkW6kYo1JdI\",\"/jcl/1/5/3\":\"sha256-GKNxxqlLRar"
	    "byBNh7hc/4lbZAdK6B0kMRf1AMRWPkSo\"}}" },
};

static bool
takes_published(struct span text, const char *ppt)
{
	struct passport_policy policy = { 0 };
	__attribute__((cleanup(passport_done))) struct passport p = { 0 };
	AUTO_BUF again = BUF_INIT(JTEXT_MAX_BYTES);
	json_auto_t *claims = NULL;
	enum ppt type = PPT_BASE;

	assert_int_equal(ppt_find(ppt, &type, NULL), RC_OK);
	if (jtext_read(text, &claims, NULL) != RC_OK)
		return false;
	policy.now_s = json_integer_value(json_object_get(claims, "iat"));
	return passport_prepare(claims, type, &policy, &p, NULL) == RC_OK &&
	       jtext_write(&again, p.claims, NULL) == RC_OK && span_eq(buf_view(&again), text);
}

/* RFC 9970 s9 */
static void
publisheds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(published); i++) {
		if (takes_published(span_str(published[i].text), published[i].ppt) !=
		    published[i].good)
			fail_msg("%s", published[i].section);
	}
}

/* Whatever joins the table: it is named once, and its rules are whole. */
static void
table(void **state)
{
	(void)state;
	for (enum ppt p = 0; p < PPT__COUNT; p++) {
		const struct ppt_rule *r = ppt_rule(p);
		enum ppt found = PPT__COUNT;

		assert_int_equal(ppt_find(r->name, &found, NULL), RC_OK);
		assert_int_equal(found, p);
		assert_true(r->classes != 0 && r->claims != NULL);
		assert_int_equal(r->by == AUTHORISED_BY_DIV, ppt_claim(p, "div") != NULL);
		assert_int_equal(r->iat == IAT_OF_ORIGINAL, r->answers == ANSWERS_DIVERTED);
		for (const struct claim_rule *c = r->claims; c->name != NULL; c++) {
			assert_non_null(c->check);
			assert_false(ppt_is_base_claim(c->name));
		}
	}
}

int
main(void)
{
	static struct CMUnitTest tests[ARRAY_LEN(cases) + 2];
	size_t n = 0;

	ROWS(tests, n, cases, decides);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(publisheds);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(table);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
