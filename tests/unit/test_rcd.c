/* rcd: the claims of RFC 9795, its printed digests, and content elsewhere */
#include "stir/rcd.h"

#include "stir/b64.h"
#include "stir/jtext.h"
#include "tests/unit/mutate.h"
#include "tests/unit/spec.h"

typedef enum rc check(const char *name, const json_t *value, struct fault *f);

/* ---- one claim ---------------------------------------------------------------------- */

#define CARD(more) "['vcard',[['version',{},'text','4.0'],['fn',{},'text','Q Branch']" more "]]"
#define JCD(more)  "{'nam':'','jcd':" CARD(more) "}"
#define SHA256_X   "sha256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY"

static struct claim_case {
	const char *name;
	check *check;
	const char *claim, *text;
	const char *detail; /* part of it; NULL: accepted */
} claim_cases[] = {
	/* RFC 9795 section 5.1.1 */
	{ "RFC 9795 s5.1.1: nam", rcd_check, "rcd", "{'nam':'James Bond'}", NULL },
	{ "RFC 9795 s5.1.1: empty nam", rcd_check, "rcd", "{'nam':''}", NULL },
	{ "nam of other letters", rcd_check, "rcd", "{'nam':'Käse & 寿司'}", NULL },
	{ "RFC 9795 s5.1.1: no nam", rcd_check, "rcd", "{'apn':'12025559990'}",
	    "nam is required" },
	{ "empty rcd", rcd_check, "rcd", "{}", "nam is required" },
	{ "nam null", rcd_check, "rcd", "{'nam':null}", "nam" },
	{ "nam a number", rcd_check, "rcd", "{'nam':7}", "nam" },
	{ "nam a list", rcd_check, "rcd", "{'nam':['x']}", "nam" },
	{ "nam in two lines", rcd_check, "rcd", "{'nam':'a\\nb'}", "nam" },
	{ "nam with escape", rcd_check, "rcd", "{'nam':'a\\u001bb'}", "nam" },
	{ "nam with C1 (CSI)", rcd_check, "rcd", "{'nam':'a\\u009b2Jb'}", "nam" },
	{ "nam turned around", rcd_check, "rcd", "{'nam':'a\\u202eb'}", "nam" },
	{ "nam with an isolate", rcd_check, "rcd", "{'nam':'a\\u2067b'}", "nam" },
	{ "nam with a zero width space", rcd_check, "rcd", "{'nam':'a\\u200bb'}", "nam" },
	{ "nam with a tag", rcd_check, "rcd", "{'nam':'a\\udb40\\udc41'}", "nam" },
	{ "nam in Persian, with its non-joiner", rcd_check, "rcd",
	    "{'nam':'\\u0645\\u06cc\\u200c\\u062e'}", NULL },
	{ "jcd with an escape", rcd_check, "rcd", JCD(",['note',{},'text','a\\u001bb']"),
	    "nobody sees" },
	{ "jcd with an override in an array", rcd_check, "rcd",
	    JCD(",['adr',{},'text',['','','a\\u202eb','','','','']]"), "nobody sees" },
	{ "jcd with an override in an array of one", rcd_check, "rcd",
	    JCD(",['adr',{},'text',['',['a\\u202eb'],'','','','','']]"), "nobody sees" },
	{ "jcd with C1 in a parameter", rcd_check, "rcd",
	    JCD(",['note',{'label':'a\\u009bb'},'text','a']"), "parameters" },
	{ "jcd, a photo that is text (RFC 9795 s6.1.3)", rcd_check, "rcd",
	    JCD(",['photo',{},'text','https://example.com/q.png']"), "type is uri" },
	{ "jcd, a logo of no known type (RFC 9795 s6.1.3)", rcd_check, "rcd",
	    JCD(",['logo',{},'unknown','https://example.com/q.png']"), "type is uri" },
	{ "jcd, an address of no known type (RFC 9795 s6.1.3)", rcd_check, "rcd",
	    JCD(",['x-a',{},'unknown','HTTP://example.com/q.png']"), "of type uri" },
	{ "jcd, an address in an array of no known type", rcd_check, "rcd",
	    JCD(",['x-a',{},'unknown',['a',['https://example.com/q.png']]]"), "of type uri" },
	{ "jcd, the type again (RFC 7095 s3.4)", rcd_check, "rcd",
	    JCD(",['x-a',{'value':'uri'},'text','https://example.com/q.png']"), "type again" },
	{ "jcd, a note with an address", rcd_check, "rcd",
	    JCD(",['note',{},'text','https://example.com/']"), NULL },
	{ "jcd, an address in adr", rcd_check, "rcd",
	    JCD(",['adr',{'label':'1 Street\\nhttps://example.com/'},'text',"
		"['','','https://example.com/','','','','']]"),
	    NULL },
	{ "jcd, a note of lines with an address (RFC 9795 s6.1.3)", rcd_check, "rcd",
	    JCD(",['note',{},'text','see\\nhttps://example.com/ or ask']"), NULL },
	{ "jcd, an address in GEO of adr (RFC 6350 s5.10, RFC 9795 s6.1.3)", rcd_check, "rcd",
	    JCD(",['adr',{'geo':'https://evil.example/x.png'},'text','a']"), "in a parameter" },
	{ "jcd, a place in GEO of adr (RFC 6350 s5.10)", rcd_check, "rcd",
	    JCD(",['adr',{'geo':'geo:12.3457,78.910'},'text','a']"), NULL },
	{ "jcd, an address in one of two values of a parameter", rcd_check, "rcd",
	    JCD(",['x-a',{'altid':['1','HTTPS:evil.example/x']},'text','a']"),
	    "in a parameter" },
	{ "jcd, an address in a parameter of a URI", rcd_check, "rcd",
	    JCD(",['photo',{'x-low':'https://evil.example/x'},'uri','data:image/png,AAAA']"),
	    "in a parameter" },
	{ "jcd, a parameter in capitals (RFC 7095 s3.4)", rcd_check, "rcd",
	    JCD(",['note',{'VALUE':'uri'},'text','https://evil.example/x']"), "lower case" },
	{ "jcd, an extension that is text and an address (RFC 9795 s6.1.3)", rcd_check, "rcd",
	    JCD(",['x-logo',{},'text','https://evil.example/y']"), "of type uri" },
	{ "jcd, an extension with an address in its text", rcd_check, "rcd",
	    JCD(",['x-html',{},'text','<img src=//a><img src=ftp://evil.example/y>']"),
	    "of type uri" },
	{ "jcd, an extension of type uri", rcd_check, "rcd",
	    JCD(",['x-logo',{},'uri','https://example.com/y']"), NULL },
	{ "jcd, a key that is text and an address (RFC 6350 s6.8.1)", rcd_check, "rcd",
	    JCD(",['key',{},'text','https://evil.example/k']"), "of type uri" },
	{ "jcd, a key that is text (RFC 6350 s6.8.1)", rcd_check, "rcd",
	    JCD(",['key',{},'text','MIIB']"), NULL },
	{ "jcd, a relation that is text and an address (RFC 6350 s6.6.6)", rcd_check, "rcd",
	    JCD(",['related',{},'text','https://evil.example/r']"), "of type uri" },
	{ "jcd, a relation that is text (RFC 6350 s6.6.6)", rcd_check, "rcd",
	    JCD(",['related',{'type':'contact'},'text','please ask M']"), NULL },
	{ "jcd, a uid that is text and an address (RFC 6350 s6.7.6)", rcd_check, "rcd",
	    JCD(",['uid',{},'text','https://evil.example/u']"), "of type uri" },
	{ "jcd, a tz that is text and an address (RFC 6350 s6.5.1)", rcd_check, "rcd",
	    JCD(",['tz',{},'text','https://evil.example/t']"), "of type uri" },
	{ "jcd, a tz that is text (RFC 6350 s6.5.1)", rcd_check, "rcd",
	    JCD(",['tz',{},'text','Raleigh/North America']"), NULL },
	{ "jcd, impp that is text (RFC 6350 s6.4.3)", rcd_check, "rcd",
	    JCD(",['impp',{},'text','alice']"), "type is uri" },
	{ "jcd, geo that is text (RFC 6350 s6.5.2)", rcd_check, "rcd",
	    JCD(",['geo',{},'text','12.3457,78.910']"), "type is uri" },
	{ "jcd, member that is text (RFC 6350 s6.6.5)", rcd_check, "rcd",
	    JCD(",['member',{},'text','Q']"), "type is uri" },
	{ "jcd, fburl that is text (RFC 6350 s6.9.1)", rcd_check, "rcd",
	    JCD(",['fburl',{},'text','a']"), "type is uri" },
	{ "jcd, caladruri that is text (RFC 6350 s6.9.2)", rcd_check, "rcd",
	    JCD(",['caladruri',{},'text','a']"), "type is uri" },
	{ "jcd, caluri that is text (RFC 6350 s6.9.3)", rcd_check, "rcd",
	    JCD(",['caluri',{},'text','a']"), "type is uri" },
	{ "jcd, no address of no known type", rcd_check, "rcd",
	    JCD(",['x-a',{},'unknown','a']"), NULL },
	{ "jcd with lines", rcd_check, "rcd", JCD(",['note',{},'text','a\\nb']"), NULL },
	{ "crn with C1", rcd_check_crn, "crn", "'a\\u0085b'", "crn" },
	{ "crn turned around", rcd_check_crn, "crn", "'a\\u202eb'", "crn" },
	{ "iss turned around", rcd_check_iss, "iss", "'a\\u202eb'", "iss" },
	{ "nam with DEL", rcd_check, "rcd", "{'nam':'a\\u007fb'}", "nam" },
	/* D-40 */
	{ "D-40: an array of objects (RFC 9795 s5.1)", rcd_check, "rcd", "[{'nam':'x'}]",
	    "rcd is an object" },
	{ "rcd a string", rcd_check, "rcd", "'James Bond'", "rcd is an object" },
	{ "rcd null", rcd_check, "rcd", "null", "rcd is an object" },
	{ "unknown member (RFC 9795 s5.1)", rcd_check, "rcd", "{'nam':'','foo':1}", "foo" },
	{ "crn inside rcd", rcd_check, "rcd", "{'nam':'','crn':'x'}", "crn" },
	{ "member of another case", rcd_check, "rcd", "{'nam':'','Icn':'x'}", "Icn" },
	/* section 5.1.2 */
	{ "RFC 9795 s5.1.2: apn", rcd_check, "rcd", "{'nam':'','apn':'12025559990'}", NULL },
	{ "apn with a plus (RFC 9795 s5.1.2)", rcd_check, "rcd",
	    "{'nam':'','apn':'+12025559990'}", "apn" },
	{ "apn with separators", rcd_check, "rcd", "{'nam':'','apn':'1-202-555-9990'}", "apn" },
	{ "apn of 16 digits", rcd_check, "rcd", "{'nam':'','apn':'1234567890123456'}", "apn" },
	{ "apn a number", rcd_check, "rcd", "{'nam':'','apn':12025559990}", "apn" },
	{ "apn empty", rcd_check, "rcd", "{'nam':'','apn':''}", "apn" },
	{ "apn an object", rcd_check, "rcd", "{'nam':'','apn':{'tn':'12025559990'}}", "apn" },
	/* section 5.1.3 */
	{ "RFC 9795 s5.1.3: icn", rcd_check, "rcd",
	    "{'nam':'','icn':'https://example.com/photos/q-256x256.png'}", NULL },
	{ "icn a data URI", rcd_check, "rcd",
	    "{'nam':'','icn':'data:image/png;base64,iVBORw=='}", NULL },
	{ "RFC 9795 s5.1.3: icn over http", rcd_check, "rcd",
	    "{'nam':'','icn':'http://example.com/a.png'}", "icn" },
	{ "icn in capitals", rcd_check, "rcd", "{'nam':'','icn':'HTTPS://example.com/a.png'}",
	    "icn" },
	{ "icn without a host", rcd_check, "rcd", "{'nam':'','icn':'https:///a.png'}", "icn" },
	{ "icn of a port alone", rcd_check, "rcd", "{'nam':'','icn':'https://:443/a.png'}",
	    "icn" },
	{ "icn with a user", rcd_check, "rcd", "{'nam':'','icn':'https://a@example.com/b'}",
	    "icn" },
	{ "icn with a fragment", rcd_check, "rcd", "{'nam':'','icn':'https://example.com/a#b'}",
	    "icn" },
	{ "icn with a space", rcd_check, "rcd", "{'nam':'','icn':'https://example.com/a b'}",
	    "icn" },
	{ "icn with a letter outside ASCII", rcd_check, "rcd",
	    "{'nam':'','icn':'https://exämple.com/a'}", "icn" },
	{ "icn a file", rcd_check, "rcd", "{'nam':'','icn':'file:///etc/passwd'}", "icn" },
	{ "icn a data URI that is text", rcd_check, "rcd", "{'nam':'','icn':'data:,x'}",
	    "icn" },
	{ "icn a data URI without data", rcd_check, "rcd", "{'nam':'','icn':'data:image/png'}",
	    "icn" },
	{ "icn a telephone", rcd_check, "rcd", "{'nam':'','icn':'tel:911'}", "icn" },
	{ "icn empty", rcd_check, "rcd", "{'nam':'','icn':''}", "icn" },
	{ "icn a list", rcd_check, "rcd", "{'nam':'','icn':['https://example.com/a']}", "icn" },
	/* sections 5.1.4 and 5.1.5 */
	{ "RFC 9795 s5.1.4: jcd", rcd_check, "rcd", JCD(""), NULL },
	{ "jcd with references", rcd_check, "rcd",
	    JCD(",['photo',{},'uri','https://example.com/q.png']"), NULL },
	{ "jcd with names", rcd_check, "rcd",
	    JCD(",['tel',{'type':['voice','work']},'uri','tel:+12025559990']"
		",['adr',{},'text',['','','1 Street','City','','','']]"),
	    NULL },
	{ "RFC 9795 s5.1.5: jcl", rcd_check, "rcd",
	    "{'nam':'','jcl':'https://example.com/qbranch.json'}", NULL },
	{ "RFC 9795 s5.1.4: jcd and jcl", rcd_check, "rcd",
	    "{'nam':'','jcl':'https://example.com/q.json','jcd':" CARD("") "}", "exclude" },
	{ "RFC 9795 s5.1.5: jcl over http", rcd_check, "rcd",
	    "{'nam':'','jcl':'http://example.com/q.json'}", "jcl" },
	{ "jcl a data URI", rcd_check, "rcd", "{'nam':'','jcl':'data:application/json,[]'}",
	    "jcl" },
	{ "jcl a card", rcd_check, "rcd", "{'nam':'','jcl':" CARD("") "}", "jcl" },
	{ "jcd a URI", rcd_check, "rcd", "{'nam':'','jcd':'https://example.com/q.json'}",
	    "jCard" },
	{ "RFC 7095 s3.2: jcd an object (RFC 9795 s5.1.4)", rcd_check, "rcd",
	    "{'nam':'','jcd':{}}", "jCard" },
	{ "jcd without properties", rcd_check, "rcd", "{'nam':'','jcd':['vcard']}", "jCard" },
	{ "jcd with a third element", rcd_check, "rcd", "{'nam':'','jcd':['vcard',[],[]]}",
	    "jCard" },
	{ "jcd of two cards", rcd_check, "rcd", "{'nam':'','jcd':[" CARD("") "," CARD("") "]}",
	    "jCard" },
	{ "a calendar", rcd_check, "rcd", "{'nam':'','jcd':['vcalendar',[]]}", "jCard" },
	{ "no version", rcd_check, "rcd", "{'nam':'','jcd':['vcard',[['fn',{},'text','Q']]]}",
	    "version" },
	{ "version 3.0", rcd_check, "rcd",
	    "{'nam':'','jcd':['vcard',[['version',{},'text','3.0'],['fn',{},'text','Q']]]}",
	    "version" },
	{ "version twice", rcd_check, "rcd", JCD(",['version',{},'text','4.0']"), "version" },
	{ "no fn", rcd_check, "rcd", "{'nam':'','jcd':['vcard',[['version',{},'text','4.0']]]}",
	    "fn" },
	{ "property of three", rcd_check, "rcd", JCD(",['note',{},'text']"), "property 2" },
	{ "property an object", rcd_check, "rcd", JCD(",{'note':'x'}"), "property 2" },
	{ "property name in capitals", rcd_check, "rcd", JCD(",['NOTE',{},'text','x']"),
	    "lower case" },
	{ "property name a number", rcd_check, "rcd", JCD(",[1,{},'text','x']"), "lower case" },
	{ "type missing", rcd_check, "rcd", JCD(",['note',{},'','x']"), "lower case" },
	{ "parameters null", rcd_check, "rcd", JCD(",['note',null,'text','x']"), "parameters" },
	{ "parameter a number", rcd_check, "rcd", JCD(",['note',{'pref':1},'text','x']"),
	    "parameters" },
	{ "parameter an empty list", rcd_check, "rcd", JCD(",['note',{'type':[]},'text','x']"),
	    "parameters" },
	{ "value an object", rcd_check, "rcd", JCD(",['note',{},'text',{}]"), "value" },
	{ "value null", rcd_check, "rcd", JCD(",['note',{},'text',null]"), "value" },
	{ "photo over http", rcd_check, "rcd",
	    JCD(",['photo',{},'uri','http://example.com/q']"), "URI" },
	{ "photo over ftp", rcd_check, "rcd", JCD(",['photo',{},'uri','ftp://example.com/q']"),
	    "URI" },
	{ "photo a list", rcd_check, "rcd",
	    JCD(",['photo',{},'uri',['https://example.com/q']]"), "URI" },
	{ "second photo over http", rcd_check, "rcd",
	    JCD(",['photo',{},'uri','https://example.com/q','http://example.com/q']"), "URI" },
	{ "photo a relative reference", rcd_check, "rcd", JCD(",['photo',{},'uri','/q.png']"),
	    "URI" },
	/* section 5.2 */
	{ "RFC 9795 s7: crn", rcd_check_crn, "crn", "'For your ears only'", NULL },
	{ "crn a list (RFC 9795 s7)", rcd_check_crn, "crn", "['x']", "crn is a string" },
	{ "crn an object", rcd_check_crn, "crn", "{'crn':'x'}", "crn is a string" },
	{ "crn a number", rcd_check_crn, "crn", "1", "crn is a string" },
	{ "crn null", rcd_check_crn, "crn", "null", "crn is a string" },
	{ "crn in two lines", rcd_check_crn, "crn", "'a\\r\\nb'", "crn is a string" },
	/* section 10 */
	{ "RFC 9795 s10: iss", rcd_check_iss, "iss", "'Zorin Industries'", NULL },
	{ "D-52: iss empty (RFC 9795 s10)", rcd_check_iss, "iss", "''", "iss" },
	{ "D-52: iss an object", rcd_check_iss, "iss", "{}", "iss" },
	{ "D-52: iss null", rcd_check_iss, "iss", "null", "iss" },
	/* section 6.1 */
	{ "RFC 9795 s6.1: rcdi", rcd_check_rcdi, "rcdi", "{'/nam':'" SHA256_X "'}", NULL },
	{ "D-40: padded", rcd_check_rcdi, "rcdi", "{'/nam':'" SHA256_X "='}", NULL },
	{ "RFC 9795 s6: sha384", rcd_check_rcdi, "rcdi",
	    "{'/icn':'sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/"
	    "529l+9Ua0vFImLlb'}",
	    NULL },
	{ "RFC 9795 s6: sha512", rcd_check_rcdi, "rcdi",
	    "{'/icn':'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/"
	    "SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7k"
	    "xvUdBeoGlODJ6+SfaPg'}",
	    NULL },
	{ "rcdi empty", rcd_check_rcdi, "rcdi", "{}", "entry" },
	{ "rcdi a list", rcd_check_rcdi, "rcdi", "['/nam']", "entry" },
	{ "rcdi a string", rcd_check_rcdi, "rcdi", "'" SHA256_X "'", "entry" },
	{ "pointer without slash", rcd_check_rcdi, "rcdi", "{'nam':'" SHA256_X "'}",
	    "pointer" },
	{ "pointer to the whole (RFC 9795 s6.1)", rcd_check_rcdi, "rcdi", "{'':'" SHA256_X "'}",
	    "pointer" },
	{ "pointer into the payload", rcd_check_rcdi, "rcdi", "{'/rcd/nam':'" SHA256_X "'}",
	    "member" },
	{ "pointer at a fragment", rcd_check_rcdi, "rcdi", "{'#/nam':'" SHA256_X "'}",
	    "pointer" },
	{ "pointer with a bad escape", rcd_check_rcdi, "rcdi", "{'/jcd/~2':'" SHA256_X "'}",
	    "pointer" },
	{ "pointer at a prefix", rcd_check_rcdi, "rcdi", "{'/na':'" SHA256_X "'}", "member" },
	{ "pointer at more than a member (RFC 9795 s6.1)", rcd_check_rcdi, "rcdi",
	    "{'/name':'" SHA256_X "'}", "member" },
	{ "pointer at an empty member", rcd_check_rcdi, "rcdi", "{'/':'" SHA256_X "'}",
	    "member" },
	{ "digest an object", rcd_check_rcdi, "rcdi", "{'/nam':{}}", "string" },
	{ "digest of another name (RFC 9795 s6)", rcd_check_rcdi, "rcdi",
	    "{'/nam':'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk'}", "begins" },
	{ "digest of sha224", rcd_check_rcdi, "rcdi",
	    "{'/nam':'sha224-0UoCjCo6K8lHYQK7KII0xBWisB+CjqYqxbPkLw'}", "begins" },
	{ "digest with a hyphen in the name", rcd_check_rcdi, "rcdi",
	    "{'/nam':'sha-256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY'}", "begins" },
	{ "digest in capitals (RFC 9795 s6)", rcd_check_rcdi, "rcdi",
	    "{'/nam':'SHA256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY'}", "begins" },
	{ "digest without hyphen", rcd_check_rcdi, "rcdi",
	    "{'/nam':'sha256sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY'}", "begins" },
	{ "digest in base64url", rcd_check_rcdi, "rcdi",
	    "{'/nam':'sha256-sM275lTgzCte-LHOKHtU4SxG8shlOo6OS4ot8IJQImY'}", "/nam" },
	{ "digest empty", rcd_check_rcdi, "rcdi", "{'/nam':'sha256-'}", "octets" },
	{ "digest short", rcd_check_rcdi, "rcdi", "{'/nam':'sha256-sM275lTgzCte'}", "octets" },
	{ "digest of another length", rcd_check_rcdi, "rcdi",
	    "{'/nam':'sha512-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImY'}", "octets" },
	{ "digest padded twice", rcd_check_rcdi, "rcdi", "{'/nam':'" SHA256_X "=='}", "/nam" },
	{ "digest with spare bits", rcd_check_rcdi, "rcdi",
	    "{'/nam':'sha256-sM275lTgzCte+LHOKHtU4SxG8shlOo6OS4ot8IJQImZ'}", "/nam" },
	{ "digest in hexadecimal", rcd_check_rcdi, "rcdi",
	    "{'/"
	    "nam':'sha256-b0cdbbe654e0cc2b5ef8b1ce287b54e12c46f2c8653a8e8e4b8a2df082502266'}",
	    "octets" },
	{ "second entry wrong", rcd_check_rcdi, "rcdi",
	    "{'/icn':'" SHA256_X "','/nam':'sha256-x'}", "/nam" },
};

static void
claim(void **state)
{
	const struct claim_case *c = *state;
	json_auto_t *value = json_of(c->text);
	struct fault f = { 0 };

	assert_int_equal(c->check(c->claim, value, &f), c->detail == NULL ? RC_OK : RC_INVALID);
	if (c->detail == NULL)
		return;
	assert_string_equal(f.reason, "invalid_claim");
	assert_string_equal(f.claim, c->claim);
	assert_non_null(strstr(f.detail, c->detail));
}

/* ---- claims together ---------------------------------------------------------------- */

/* RFC 9795 sections 6.1.3 and 6.1.4: the card of Q Branch, and that of section 8.3. */
#define Q_CARD(photo) \
	"['vcard',[['version',{},'text','4.0'],['fn',{},'text','Q Branch']," \
	"['org',{},'text','MI6;Q Branch Spy Gadgets']," \
	"['photo',{},'uri','https://example.com/photos/" photo "-256x256.png']," \
	"['logo',{},'uri','https://example.com/logos/mi6-256x256.jpg']," \
	"['logo',{},'uri','https://example.com/logos/mi6-64x64.jpg']]]"
#define D_PHOTO "sha256-RojgWwU6xUtI4q82+kHPyHm1JKbm7+663bMvzymhkl4"
#define D_LOGO	"sha256-jL4f47fF82LuwcrOrSyckA4SWrlElfARHkW6kYo1JdI"
#define D_SMALL "sha256-GKNxxqlLRarbyBNh7hc/4lbZAdK6B0kMRf1AMRWPkSo"
#define D_CARD6 "sha256-7kdCBZqH0nqMSPsmABvsKlHPhZEStgjojhdSJGRr3rk"
#define D_CARD8 "sha256-qCn4pEH6BJu7zXndLFuAP6DwlTv5fRmJ1AFkqftwnCs"
#define D_NAM	SHA256_X
#define IN_CARD(at) \
	"'" at "/1/3/3':'" D_PHOTO "','" at "/1/4/3':'" D_LOGO "','" at "/1/5/3':'" D_SMALL "'"
#define NAM	   "'nam':'Q Branch Spy Gadgets'"
#define ICN	   "'icn':'https://example.com/photos/q-256x256.png'"
#define JCL	   "'jcl':'https://example.com/qbranch.json'"
#define RCD(r, i)  "{'rcd':{" r "},'rcdi':{" i "}}"
#define JCD_RCD(p) NAM ",'jcd':" Q_CARD(p)

static struct both_case {
	const char *name, *claims;
	const char *detail; /* part of it; NULL: accepted */
} both_cases[] = {
	{ "RFC 9795 s8.3: nam and icn (RFC 9795 s6.1.2)",
	    RCD(NAM "," ICN, "'/icn':'" D_PHOTO "','/nam':'" D_NAM "'"), NULL },
	{ "RFC 9795 s8.3: jcd", RCD(JCD_RCD("q"), IN_CARD("/jcd")), NULL },
	{ "RFC 9795 s8.3: jcl (RFC 9795 s6.1.4)",
	    RCD(NAM "," JCL, "'/jcl':'" D_CARD8 "'," IN_CARD("/jcl")), NULL },
	{ "RFC 9795 s6.1.3: digest of /jcd",
	    RCD(JCD_RCD("quartermaster"), "'/jcd':'" D_CARD6 "'," IN_CARD("/jcd")), NULL },
	{ "RFC 9795 s8.3: digest of its card",
	    RCD(JCD_RCD("q"), "'/jcd':'" D_CARD8 "'," IN_CARD("/jcd")), NULL },
	{ "RFC 9795 s8.3: icn without rcdi", "{'rcd':{" NAM "," ICN "}}", NULL },
	{ "neither", "{}", NULL },
	{ "D-40: digest with padding", RCD(NAM, "'/nam':'" D_NAM "='"), NULL },
	{ "D-54: data URI with its quotes",
	    RCD("'nam':'','icn':'data:image/png;base64,iVBORw=='",
		"'/icn':'sha256-muL4Cgo3SniS4PYVcFUyRs8GGki0suXtSs+Zz+6CApQ'"),
	    NULL },
	{ "sha384 of nam",
	    RCD(NAM, "'/"
		     "nam':'sha384-06myRLjHjqg9a9f+"
		     "eRX44hOIdVC1XrIrxs9Mt9iDQ6BoUhsl2GPIe6LkOwhj+Gna'"),
	    NULL },
	{ "nam without its quotes (RFC 9795 s6.1.2)",
	    RCD(NAM, "'/nam':'sha256-tbh37rWCJ/BF9cuhFJFpJTWb8sVRb0L2F6iGDVZSBLo'"), "/nam" },
	{ "another nam", RCD("'nam':'Q Branch Spy Gadget'", "'/nam':'" D_NAM "'"),
	    "/nam: the digest" },
	{ "nam with a space more", RCD("'nam':'Q Branch Spy Gadgets '", "'/nam':'" D_NAM "'"),
	    "/nam: the digest" },
	{ "digest of something else in sha512",
	    RCD(NAM, "'/nam':'sha512-"
		     "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/"
		     "SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6"
		     "+SfaPg'"),
	    "/nam: the digest" },
	{ "RFC 9795 s6.1.2: icn without its digest", RCD(NAM "," ICN, "'/nam':'" D_NAM "'"),
	    "/icn refers" },
	{ "RFC 9795 s6.1.3: one URI without its digest",
	    RCD(JCD_RCD("q"),
		"'/jcd':'" D_CARD8 "','/jcd/1/3/3':'" D_PHOTO "','/jcd/1/4/3':'" D_LOGO "'"),
	    "/jcd/1/5/3 refers" },
	{ "RFC 9795 s6.1.4: jcl without its digest", RCD(NAM "," JCL, IN_CARD("/jcl")),
	    "/jcl refers" },
	{ "RFC 9795 s6.1.3: digest of the other card",
	    RCD(JCD_RCD("q"), "'/jcd':'" D_CARD6 "'," IN_CARD("/jcd")), "/jcd: the digest" },
	{ "pointer at an absent member", RCD(NAM, "'/apn':'" D_NAM "'"), "/apn names nothing" },
	{ "pointer below a string", RCD(NAM, "'/nam/0':'" D_NAM "'"), "/nam/0 names nothing" },
	{ "pointer behind the card",
	    RCD(JCD_RCD("q"), "'/jcd/1/6/3':'" D_NAM "'," IN_CARD("/jcd")),
	    "/jcd/1/6/3 names nothing" },
	{ "pointer with a leading zero",
	    RCD(JCD_RCD("q"), "'/jcd/01/3/3':'" D_NAM "'," IN_CARD("/jcd")), "names nothing" },
	{ "pointer at -", RCD(JCD_RCD("q"), "'/jcd/1/-':'" D_NAM "'," IN_CARD("/jcd")),
	    "names nothing" },
	{ "pointer below jcl without jcl",
	    RCD(JCD_RCD("q"), "'/jcl/1/3/3':'" D_PHOTO "'," IN_CARD("/jcd")),
	    "/jcl/1/3/3 names nothing" },
	{ "pointer below icn", RCD(NAM "," ICN, "'/icn':'" D_PHOTO "','/icn/0':'" D_PHOTO "'"),
	    "/icn/0 names nothing" },
	{ "a name is inline: its digest is of the text",
	    RCD("'nam':'','jcd':" CARD(",['tel',{},'uri','tel:911']"),
		"'/jcd/1/2/3':'" D_NAM "'"),
	    "/jcd/1/2/3: the digest" },
	{ "https in a text is inline",
	    RCD("'nam':'','jcd':" CARD(",['note',{},'text','https://example.com/q.png']"),
		"'/jcd/1/2/3':'" D_PHOTO "'"),
	    "/jcd/1/2/3: the digest" },
	{ "D-54: digest of the image, not of the URI",
	    RCD("'nam':'','icn':'data:image/png;base64,iVBORw=='",
		"'/icn':'sha256-D0Y2x49l02OezloGS1rnU+NAhhShT7GKtNdUDSwkhUM'"),
	    "/icn: the digest" },
};

static void
both(void **state)
{
	const struct both_case *c = *state;
	json_auto_t *claims = json_of(c->claims);
	struct fault f = { 0 };

	assert_int_equal(rcd_check_claims(claims, &f), c->detail == NULL ? RC_OK : RC_INVALID);
	if (c->detail == NULL)
		return;
	assert_string_equal(f.reason, "invalid_claim");
	assert_string_equal(f.claim, "rcdi");
	assert_non_null(strstr(f.detail, c->detail));
}

/* RFC 9795 section 6: "RFC 9795 s6: rcdi without rcd" */
static void
rcdi_without_rcd(void **state)
{
	json_auto_t *claims = json_of("{'crn':'x','rcdi':{'/nam':'" D_NAM "'}}");
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(rcd_check_claims(claims, &f), RC_INVALID);
	assert_string_equal(f.reason, "missing_claim");
	assert_string_equal(f.claim, "rcd");
}

/* RFC 9795 s8 */
static void
present(void **state)
{
	static const struct {
		const char *claims;
		bool good;
	} rows[] = { { "{'rcd':{'nam':''}}", true }, { "{'crn':'x'}", true }, { "{}", false },
		{ "{'rcdi':{}}", false }, { "{'Rcd':{}}", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_auto_t *claims = json_of(rows[i].claims);
		struct fault f = { 0 };

		assert_int_equal(
		    rcd_check_present(claims, &f), rows[i].good ? RC_OK : RC_INVALID);
		assert_string_equal(f.reason, rows[i].good ? "" : "missing_claim");
	}
}

/* ---- content elsewhere (D-41) ------------------------------------------------------- */

enum known_set { NOTHING, IMAGES, CARD_ONLY, ALL, OTHER_SPELLING };

#define PHOTO_URI "https://example.com/photos/q-256x256.png"
#define LOGO_URI  "https://example.com/logos/mi6-256x256.jpg"
#define SMALL_URI "https://example.com/logos/mi6-64x64.jpg"
#define CARD_URI  "https://example.com/qbranch.json"

static struct content_case {
	const char *name, *claims;
	enum known_set known;
	const char *detail; /* part of it; NULL: accepted */
	enum rc rc;	    /* RC_OK: denied, where there is a detail */
} content_cases[] = {
	{ "D-41: known icn", RCD(NAM "," ICN, "'/icn':'" D_PHOTO "'"), IMAGES, NULL, RC_OK },
	{ "D-41: known references of jcd", RCD(JCD_RCD("q"), IN_CARD("/jcd")), IMAGES, NULL,
	    RC_OK },
	{ "D-41: jcl and what its card refers to",
	    RCD(NAM "," JCL, "'/jcl':'" D_CARD8 "'," IN_CARD("/jcl")), ALL, NULL, RC_OK },
	{ "inline inside the card of jcl",
	    RCD(NAM "," JCL, "'/jcl':'" D_CARD8 "'," IN_CARD(
				 "/jcl") ",'/jcl/1/1/3':'"
					 "sha256-iBjP+3J0bQb96tUkMsHgoYx6Bx+ZSg9af9oezlV6EIM'"),
	    ALL, NULL, RC_OK },
	{ "no rcdi, nothing claimed", "{'rcd':{" NAM "," ICN "}}", NOTHING, NULL, RC_OK },
	{ "inline only", RCD(NAM, "'/nam':'" D_NAM "'"), NOTHING, NULL, RC_OK },
	{ "D-41: nothing known", RCD(NAM "," ICN, "'/icn':'" D_PHOTO "'"), NOTHING,
	    "/icn: nothing is known of this content: refer to what rcd_content", RC_OK },
	{ "D-41: another digest", RCD(NAM "," ICN, "'/icn':'" D_LOGO "'"), IMAGES,
	    "/icn: the digest is not one that is known of this content: send that of", RC_OK },
	{ "digest of another algorithm",
	    RCD(NAM "," ICN, "'/icn':'sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/"
			     "529l+9Ua0vFImLlb'"),
	    IMAGES, "/icn: the digest", RC_OK },
	{ "known under another spelling", RCD(NAM "," ICN, "'/icn':'" D_PHOTO "'"),
	    OTHER_SPELLING, "/icn: nothing is known", RC_OK },
	{ "one reference of jcd unknown", RCD(JCD_RCD("other"), IN_CARD("/jcd")), IMAGES,
	    "/jcd/1/3/3: nothing", RC_OK },
	{ "two references exchanged",
	    RCD(JCD_RCD("q"), "'/jcd/1/3/3':'" D_PHOTO "','/jcd/1/4/3':'" D_SMALL
			      "','/jcd/1/5/3':'" D_LOGO "'"),
	    IMAGES, "/jcd/1/4/3: the digest", RC_OK },
	{ "jcl unknown", RCD(NAM "," JCL, "'/jcl':'" D_CARD8 "'"), IMAGES, "/jcl: nothing",
	    RC_OK },
	{ "jcl of another digest", RCD(NAM "," JCL, "'/jcl':'" D_CARD6 "'"), ALL,
	    "/jcl: the digest", RC_OK },
	{ "jcl's references unknown", RCD(NAM "," JCL, "'/jcl':'" D_CARD8 "'," IN_CARD("/jcl")),
	    CARD_ONLY, "/jcl/1/3/3: nothing", RC_OK },
	{ "RFC 9795 s6.1.4: a reference of jcl without its digest",
	    RCD(NAM "," JCL, "'/jcl':'" D_CARD8 "'"), ALL, "/jcl/1/3/3 refers", RC_INVALID },
	{ "two references of jcl exchanged",
	    RCD(NAM "," JCL, "'/jcl':'" D_CARD8 "','/jcl/1/3/3':'" D_PHOTO
			     "','/jcl/1/4/3':'" D_SMALL "','/jcl/1/5/3':'" D_LOGO "'"),
	    ALL, "/jcl/1/4/3: the digest", RC_OK },
	{ "wrong inline inside the card of jcl",
	    RCD(NAM "," JCL,
		"'/jcl':'" D_CARD8 "'," IN_CARD("/jcl") ",'/jcl/1/1/3':'" D_NAM "'"),
	    ALL, "/jcl/1/1/3: the digest", RC_INVALID },
	{ "nothing there in the card of jcl",
	    RCD(NAM "," JCL,
		"'/jcl':'" D_CARD8 "'," IN_CARD("/jcl") ",'/jcl/1/9/3':'" D_NAM "'"),
	    ALL, "/jcl/1/9/3 names nothing", RC_INVALID },
};

static struct rcd_digest
digest(const char *text)
{
	struct rcd_digest d = { 0 };

	assert_int_equal(rcd_digest_parse(span_str(text), &d, NULL), RC_OK);
	return d;
}

struct world {
	struct rcd_digest photo, logo, small, card;
	json_t *jcard;
	struct rcd_known known[4];
	size_t n;
};

static void
add_known(struct world *w, const char *uri, const struct rcd_digest *d, const json_t *card)
{
	w->known[w->n++] = (struct rcd_known){ uri, d, 1, card };
}

static void
know(struct world *w, enum known_set set)
{
	*w = (struct world){ .photo = digest(D_PHOTO),
		.logo = digest(D_LOGO),
		.small = digest(D_SMALL),
		.card = digest(D_CARD8),
		.jcard = json_of(Q_CARD("q")) };
	if (set == OTHER_SPELLING)
		add_known(w, "https://EXAMPLE.com/photos/q-256x256.png", &w->photo, NULL);
	if (set == IMAGES || set == ALL) {
		add_known(w, SMALL_URI, &w->small, NULL);
		add_known(w, PHOTO_URI, &w->photo, NULL);
		add_known(w, LOGO_URI, &w->logo, NULL);
	}
	if (set == CARD_ONLY || set == ALL)
		add_known(w, CARD_URI, &w->card, w->jcard);
}

static void
content(void **state)
{
	const struct content_case *c = *state;
	enum rc want = c->detail == NULL ? RC_OK : c->rc == RC_OK ? RC_DENIED : c->rc;
	json_auto_t *claims = json_of(c->claims);
	struct world w;
	struct fault f = { 0 };

	know(&w, c->known);
	assert_int_equal(rcd_check_claims(claims, NULL), RC_OK);
	assert_int_equal(
	    rcd_check_content(claims, &(struct rcd_contents){ w.known, w.n, false }, &f), want);
	json_decref(w.jcard);
	if (want == RC_OK)
		return;
	assert_string_equal(
	    f.reason, want == RC_DENIED ? "rcd_content_unknown" : "invalid_claim");
	assert_string_equal(f.claim, "rcdi");
	assert_non_null(strstr(f.detail, c->detail));
}

/* A card whose digest alone is known says nothing of its parts. */
static void
jcl_without_its_card(void **state)
{
	json_auto_t *claims =
	    json_of(RCD(NAM "," JCL, "'/jcl':'" D_CARD8 "'," IN_CARD("/jcl")));
	struct world w;
	struct fault f = { 0 };

	(void)state;
	know(&w, ALL);
	w.known[w.n - 1].card = NULL;
	assert_int_equal(
	    rcd_check_content(claims, &(struct rcd_contents){ w.known, w.n, false }, &f),
	    RC_DENIED);
	assert_string_equal(f.reason, "rcd_content_unknown");
	assert_int_equal(
	    rcd_check_content(claims, &(struct rcd_contents){ w.known, w.n, true }, &f), RC_OK);
	json_decref(w.jcard);
}

/* ---- rcdi made ---------------------------------------------------------------------- */

static struct make_case {
	const char *name, *rcd, *rcdi; /* rcdi NULL: content is missing */
	enum known_set known;
} make_cases[] = {
	{ "RFC 9795 s8.3: rcdi of nam and icn", "{" NAM "," ICN "}",
	    "{'/icn':'" D_PHOTO "','/nam':'" D_NAM "'}", IMAGES },
	{ "RFC 9795 s8.3: rcdi of jcd", "{" JCD_RCD("q") "}",
	    "{'/jcd':'" D_CARD8 "'," IN_CARD("/jcd") ",'/nam':'" D_NAM "'}", IMAGES },
	{ "RFC 9795 s8.3: rcdi of jcl", "{" NAM "," JCL "}",
	    "{'/jcl':'" D_CARD8 "'," IN_CARD("/jcl") ",'/nam':'" D_NAM "'}", ALL },
	{ "icn not known", "{" NAM "," ICN "}", NULL, NOTHING },
	{ "a reference of jcd not known", "{" JCD_RCD("other") "}", NULL, IMAGES },
	{ "jcl not known", "{" NAM "," JCL "}", NULL, IMAGES },
	{ "a reference of jcl not known", "{" NAM "," JCL "}", NULL, CARD_ONLY },
};

static void
makes(void **state)
{
	const struct make_case *c = *state;
	json_auto_t *rcd = json_of(c->rcd), *got = NULL, *want = NULL;
	struct world w;
	struct fault f = { 0 };
	enum rc rc;

	know(&w, c->known);
	rc = rcd_make_rcdi(rcd, RCD_SHA256, w.known, w.n, &got, &f);
	json_decref(w.jcard);
	assert_int_equal(rc, c->rcdi != NULL ? RC_OK : RC_NOT_FOUND);
	if (c->rcdi == NULL) {
		assert_string_equal(f.reason, "rcd_content_unknown");
		return;
	}
	want = json_of(c->rcdi);
	assert_true(json_equal(got, want));
}

/*
 * What is made is what is accepted, in each algorithm; and no other algorithm is known.
 * RFC 9795 s6
 */
static void
makes_each_hash(void **state)
{
	json_auto_t *rcd = json_of("{" NAM ",'apn':'12025559990','jcd':" CARD("") "}");

	(void)state;
	for (unsigned h = 0; h < RCD__HASHES; h++) {
		json_t *rcdi = NULL;
		json_auto_t *claims = NULL;

		assert_int_equal(
		    rcd_make_rcdi(rcd, (enum rcd_hash)h, NULL, 0, &rcdi, NULL), RC_OK);
		assert_int_equal(json_object_size(rcdi), 3);
		assert_int_equal(rcd_check_rcdi("rcdi", rcdi, NULL), RC_OK);
		claims = json_pack("{s:O,s:o}", "rcd", rcd, "rcdi", rcdi);
		assert_int_equal(rcd_check_claims(claims, NULL), RC_OK);
	}
}

/* ---- mutations ---------------------------------------------------------------------- */

static bool
takes_digest(struct span text)
{
	struct rcd_digest d;

	return rcd_digest_parse(text, &d, NULL) == RC_OK;
}

static bool
is_nams_digest(struct span text)
{
	struct rcd_digest d, want = digest(D_NAM);

	return rcd_digest_parse(text, &d, NULL) == RC_OK &&
	       memcmp(d.bytes, want.bytes, sizeof want.bytes) == 0;
}

static bool
takes_claims(struct span text)
{
	json_auto_t *claims = NULL;
	const json_t *rcd, *rcdi;

	if (jtext_read(text, &claims, NULL) != RC_OK)
		return false;
	rcd = json_object_get(claims, "rcd");
	rcdi = json_object_get(claims, "rcdi");
	return rcd != NULL && rcdi != NULL && rcd_check("rcd", rcd, NULL) == RC_OK &&
	       rcd_check_rcdi("rcdi", rcdi, NULL) == RC_OK &&
	       rcd_check_claims(claims, NULL) == RC_OK;
}

/* Nothing that a digest covers may change; here all of rcd is covered, and rcdi itself. */
static void
mutations(void **state)
{
	static const char claims[] =
	    "{\"rcd\":{\"nam\":\"Q Branch Spy Gadgets\"},\"rcdi\":{\"/nam\":\"" D_NAM "\"}}";

	(void)state;
	no_prefix_is_taken(takes_digest, span_str(D_NAM));
	assert_int_equal(survives_bit_flips(is_nams_digest, span_str(D_NAM)), 0);
	no_prefix_is_taken(takes_claims, span_str(claims));
	assert_int_equal(survives_bit_flips(takes_claims, span_str(claims)), 0);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(claim_cases) + ARRAY_LEN(both_cases) +
				ARRAY_LEN(content_cases) + ARRAY_LEN(make_cases) + 5];
	size_t n = 0;

	ROWS(tests, n, claim_cases, claim);
	ROWS(tests, n, both_cases, both);
	ROWS(tests, n, content_cases, content);
	ROWS(tests, n, make_cases, makes);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(present);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(rcdi_without_rcd);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(jcl_without_its_card);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(makes_each_hash);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(mutations);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
