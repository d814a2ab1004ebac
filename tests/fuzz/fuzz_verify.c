/*
 * An Identity value or PASSporT through the verifier's steps, without anchors,
 * and with an anchor and a log under which the seeds were signed by keys that
 * nobody has any more: what passes there was signed in just these words.
 */
#include "stir/verify.h"

#include <string.h>

#include "stir/b64.h"
#include "stir/digest.h"
#include "tests/fuzz/signed_world.h"

enum { EARLIER = 1795267000, NOW = 1800000000 };

unsigned replay_mutations = 400; /* up to four signatures each */

static struct signed_world w;
static struct tn from, to;

static void
make_world(void)
{
	signed_make(&w);
	must(tn_exact(span_str(SIGNED_CALLER), &from, NULL) == RC_OK);
	must(tn_exact(span_str(SIGNED_CALLEE), &to, NULL) == RC_OK);
}

/* Without anchors the path is not judged: nothing may pass. */
static void
without_anchors(struct span token)
{
	const struct verify_input in = { .token = token, .at_s = EARLIER };
	struct verify_result r = { .pass = false };

	if (verify_passport(&in, &r, NULL) != RC_OK)
		return;
	must(!r.pass && r.step[VERIFY_PATH].verdict != VERDICT_PASS);
	must(r.step[VERIFY_PARSE].verdict == VERDICT_PASS ||
	     r.step[VERIFY_SIGNATURE].verdict != VERDICT_PASS);
	verify_done(&r);
}

/* Up to the second dot: what a signature covers. */
static bool
was_signed(struct span token)
{
	AUTO_BUF text = BUF_INIT(100);
	uint8_t digest[32];
	size_t len = 0;

	for (unsigned dots = 0; len < token.len; len++) {
		if (token.ptr[len] == '.' && ++dots == 2)
			break;
	}
	must(digest_sha256(span_of(token.ptr, len), digest, NULL) == RC_OK);
	b64_encode(&text, B64_URL, span_of(digest, sizeof digest));
	for (size_t i = 0; i < ARRAY_LEN(signed_digest); i++) {
		if (span_is(buf_view(&text), signed_digest[i]))
			return true;
	}
	return false;
}

static bool
passed(const struct verify_result *r, enum verify_step s)
{
	return r->step[s].verdict == VERDICT_PASS;
}

/* An Identity value may have blanks before its token. */
static struct span
trimmed(struct span token)
{
	while (token.len > 0 && memchr(" \t\r\n", *token.ptr, 4) != NULL)
		(void)span_cut(&token, 1);
	return token;
}

static bool
with_anchors(struct span token, unsigned min_scts, bool signalling)
{
	const struct verify_input in = { .token = token,
		.anchors = w.anchors,
		.ctlogs = w.logs,
		.chain = w.leaf,
		.from = signalling ? &from : NULL,
		.to = signalling ? &to : NULL,
		.at_s = NOW,
		.min_scts = min_scts,
		.encompassing = ENCOMPASS_IF_PRESENT };
	struct verify_result r = { .pass = false };
	bool pass;

	if (verify_passport(&in, &r, NULL) != RC_OK)
		return false;
	pass = r.pass;
	must(!pass || was_signed(trimmed(token)));
	must(!pass || (passed(&r, VERIFY_PATH) && passed(&r, VERIFY_SIGNATURE)));
	must(!pass || min_scts == 0 || passed(&r, VERIFY_SCT));
	must(!pass || r.code == 0);
	for (enum verify_step s = 0; pass && s < VERIFY__COUNT; s++)
		must(r.step[s].verdict != VERDICT_FAIL);
	verify_done(&r);
	return pass;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span token = span_of(data, len);

	bool asked_less;

	make_world();
	without_anchors(token);
	asked_less = with_anchors(token, 0, false);
	must(!with_anchors(token, 1, true) || asked_less);
	return 0;
}
