/* What a relying party is sent: a disclosure as JSON, or sealed to a key. */
#include "client/disclosure.h"
#include "client/jwe.h"
#include "stir/jtext.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

unsigned replay_mutations = 400;

/* A key of nobody, made for this. */
static const char key_text[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"qgadDN1BCD0APh-wwhHXNjzNNW7XyKLbaHuVkBGjdSg\","
    "\"y\":\"Tb8AhdKBrGzl3OAgkLYAEaAnOowvO9WRO80QtLMFKFU\",\"d\":\"emLBnBtZskMH5bwaDSWSwiFI_7-"
    "9deNFxrUb5c3N_s4\"}";

static void
judge(struct span text)
{
	struct disclosure d = { 0 };

	if (disclosure_read(text, &d, NULL) != RC_OK)
		return;
	if (salts_len(d.salts) == 0 || strlen(d.sha256) != sizeof d.sha256 - 1)
		abort();
	disclosure_done(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	AUTO_SECRET plain = BUF_INIT(JWE_MAX);
	json_auto_t *key = NULL;
	struct span in = span_of(data, len);

	if (jtext_read(span_str(key_text), &key, NULL) != RC_OK)
		abort();
	judge(in);
	if (jwe_open(in, key, &plain, NULL) == RC_OK)
		judge(buf_view(&plain));
	return 0;
}
