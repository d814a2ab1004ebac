/*
 * What a renewer that is taken over may ask of the front: a message a line, of
 * one agent that goes on, with a token in software and files of its own.
 *
 * Each has an answer that says yes, or no and why.  Whatever is signed names a
 * URL of the origin of a CA's directory, and the one that was asked for; keys
 * are made in their bounds; nobody brings a certificate into force.
 */
#include "agent/front/ops.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/front/allow.h"
#include "stir/b64.h"
#include "stir/jtext.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/bworld.h"

enum { NOW = PKI_NOW, CREDENTIALS = 2, CAS = 3, TEXT_MAX = 1 << 20, SIGNS_MAX = 4 };

unsigned replay_mutations = 60;

static struct bworld world;
static struct works works;
static int home = -1;

static const char acme[] = "numbers = { \"12025550100\" }\n" BWORLD_DELEGATE("vesper-06",
    "identity_max_bytes = 8192 claim_agent = \"claims\"\n"
    "constraints { form = \"enhanced\" must_exclude = { \"msgi\" } }");
static const char beta[] =
    "numbers = { \"13035550100\" }\n" BWORLD_DELEGATE("atis-delegate", "");

static void
leave(void)
{
	works_done(&works);
	bworld_close(&world);
}

/* The place of the files is the agent's alone: whoever drives this has another. */
static void
enter(void)
{
	if (home >= 0) {
		must(chdir(world.dir) == 0);
		return;
	}
	home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(home >= 0);
	bworld_open(&world);
	bworld_tenant("acme", acme);
	bworld_tenant("beta", beta);
	bworld_works(&world, &works, NOW);
	must(atexit(leave) == 0);
}

/* ---- an answer -------------------------------------------------------------------------- */

static bool
is_of_a_ca(const char *url)
{
	static const char *const origins[] = { "https://127.1.2.3:14000/",
		"https://ca.example/" };

	for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
		if (strncmp(url, origins[i], strlen(origins[i])) == 0)
			return true;
	}
	return false;
}

/* RFC 8555 section 6.4: a flattened JWS is good at one URL alone. */
static void
check_jws(const json_t *msg, const json_t *jws)
{
	const char *protected = json_string_value(json_object_get(jws, "protected"));
	const char *asked = json_string_value(json_object_get(msg, "url"));
	json_auto_t *header = NULL;
	AUTO_BUF text = BUF_INIT(TEXT_MAX);
	const char *url;

	if (jws == NULL)
		return;
	must(protected != NULL && asked != NULL);
	must(b64_decode(&text, B64_URL, span_str(protected), NULL) == RC_OK);
	must(jtext_read(buf_view(&text), &header, NULL) == RC_OK);
	url = json_string_value(json_object_get(header, "url"));
	must(url != NULL && strcmp(url, asked) == 0 && is_of_a_ca(url));
	must(strcmp(json_string_value(json_object_get(header, "alg")), "ES256") == 0);
}

static void
check_answer(const json_t *msg, const json_t *answer)
{
	const json_t *ok = json_object_get(answer, "ok");

	must(json_is_boolean(ok));
	if (!json_is_true(ok)) {
		must(json_is_string(json_object_get(answer, "reason")));
		must(json_object_get(answer, "jws") == NULL);
	}
	check_jws(msg, json_object_get(answer, "jws"));
}

/* ---- the agent --------------------------------------------------------------------------- */

static void
check_agent(void)
{
	must(works.set->slots == CREDENTIALS);
	for (size_t i = 0; i < works.set->slots; i++)
		must(works.set->slot[i]->state != CREDENTIAL_READY);
	must(softadmin_keys(world.admin) <= CAS + CREDENTIALS * (ALLOW_KEYS + 1));
}

static void
take_line(struct span line)
{
	json_auto_t *msg = NULL, *answer = NULL;
	size_t before = softadmin_signatures(world.admin);
	int64_t again_s = 0;

	if (jtext_read_foreign(line, TEXT_MAX, &msg, NULL) != RC_OK || !json_is_object(msg))
		return;
	ops_answer(&works, msg, NOW, &answer, &again_s);
	must(answer != NULL || again_s > 0);
	if (answer != NULL)
		check_answer(msg, answer);
	must(softadmin_signatures(world.admin) - before <= SIGNS_MAX);
	check_agent();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span text = span_of(data, len);

	enter();
	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);

		take_line(span_cut(&text, end == NULL ? text.len : (size_t)(end - text.ptr)));
		if (end != NULL)
			span_cut(&text, 1);
	}
	must(fchdir(home) == 0);
	return 0;
}
