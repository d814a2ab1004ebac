/*
 * What a CA answers, through the renewer's own state machine: the answers of
 * one order after the other, each "STATUS [LOCATION]" in a line, the body
 * behind it, and a line "---" after it.  Directory, nonces, the authority and
 * the front are those of the scripted world; without a further answer the CA
 * answers 500.
 *
 * Nothing is ever asked of another host than the CA, and no more than the
 * limits say is under way.
 */
#include "agent/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/pki.h"
#include "tests/unit/renew_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ORIGIN	  "https://ca.test/"
#define SEPARATOR "\n---\n"

enum { TURNS_MAX = 200 };

unsigned replay_mutations = 50; /* each takes milliseconds */

static struct world world;
static struct io scripted; /* of the world, behind ours */
static struct span answers;

/* Every file is gone at the next input: a disk would only make it slow. */
int __wrap_fsync(int fd);
int
__wrap_fsync(int fd)
{
	(void)fd;
	return 0;
}

static struct span
next_answer(void)
{
	const size_t n = sizeof SEPARATOR - 1;
	const uint8_t *end =
	    answers.len == 0 ? NULL : memmem(answers.ptr, answers.len, SEPARATOR, n);
	struct span one =
	    span_cut(&answers, end == NULL ? answers.len : (size_t)(end - answers.ptr));

	if (end != NULL)
		span_cut(&answers, n);
	return one;
}

/* httpc.c hands on https URLs only, and bodies and locations of at most their limits. */
static void
put_head(struct http_answer *a, struct span line)
{
	char text[HTTP_URL_MAX], url[HTTP_URL_MAX] = "";
	size_t n = line.len < sizeof text - 1 ? line.len : sizeof text - 1;

	if (n > 0)
		memcpy(text, line.ptr, n);
	text[n] = 0;
	a->status = 500;
	(void)sscanf(text, "%3ld %2047s", &a->status, url);
	if (url_is_https(url))
		a->location = strdup(url);
}

static void
put_answer(struct http_answer *a)
{
	struct span one = next_answer();
	const uint8_t *end = one.len == 0 ? NULL : memchr(one.ptr, '\n', one.len);
	struct span line = span_cut(&one, end == NULL ? one.len : (size_t)(end - one.ptr));

	if (end != NULL)
		span_cut(&one, 1);
	put_head(a, line);
	snprintf(a->nonce, sizeof a->nonce, "n%u", ++world.nonces);
	snprintf(a->content_type, sizeof a->content_type, "%s",
	    one.len > 0 && one.ptr[0] == '-' ? "application/pem-certificate-chain"
					     : "application/json");
	if (one.len <= HTTP_BODY_MAX)
		buf_span(&a->body, one);
}

static enum rc
fuzz_http(
    void *ctx, const struct http_request *r, io_http_done *done, void *arg, struct fault *f)
{
	struct pending *p = &world.pending[world.waiting];

	if (world.waiting == WORLD_PENDING)
		abort();
	if (strncmp(r->url, "https://ta.test/", 16) == 0 || r->method != HTTP_POST ||
	    strcmp(r->url, ORIGIN "acct") == 0)
		return scripted.http(ctx, r, done, arg, f);
	if (!url_same_origin(r->url, ORIGIN))
		abort();
	world.waiting++;
	*p = (struct pending){ .http = true,
		.http_done = done,
		.arg = arg,
		.answer = { .retry_after_s = -1, .body = BUF_INIT(HTTP_BODY_MAX) } };
	put_answer(&p->answer);
	return RC_OK;
}

static enum rc
fuzz_ask(void *ctx, const json_t *message, io_ask_done *done, void *arg, struct fault *f)
{
	const char *url = json_string_value(json_object_get(message, "url"));
	const char *chain = json_string_value(json_object_get(message, "chain"));

	if (url != NULL && !url_same_origin(url, ORIGIN))
		abort();
	if (chain != NULL && strlen(chain) > RENEW_CHAIN_MAX)
		abort();
	return scripted.ask(ctx, message, done, arg, f);
}

static void
close_world(void)
{
	world_close(&world);
}

static void
open_once(void)
{
	static bool opened;

	if (opened)
		return;
	opened = true;
	log_open("fuzz", (enum log_level)0); /* nothing */
	world_open(&world, 1);
	scripted = world.io;
	world.io.http = fuzz_http;
	world.io.ask = fuzz_ask;
	if (atexit(close_world) != 0)
		abort();
}

/* The renewer starts anew, with nothing on disk and nothing in force. */
static void
start_again(void)
{
	char path[sizeof world.dir + 64];

	snprintf(
	    path, sizeof path, "%s/renewer/orders/t.%s.json", world.dir, world.cred[0].name);
	(void)unlink(path);
	world.cred[0].installs = 0;
	world.now_ms = PKI_NOW * 1000;
	world_kill(&world);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	open_once();
	answers = span_of(data, len);
	start_again();
	for (int turn = 0; turn < TURNS_MAX && world.cred[0].installs == 0; turn++) {
		(void)world_turn(&world);
		if (world.waiting > 2 * CONFIG_PARTY_STEPS + RENEW_REPORTS + 4)
			abort();
		if (answers.len == 0 && turn > TURNS_MAX / 4)
			break;
	}
	answers = span_of(NULL, 0);
	world_kill(&world);
	return 0;
}
