#include "client/cli.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/http.h"
#include "stir/jtext.h"
#include "stir/text.h"
#include "stir/tnauth.h"

enum { CLI_WHY_MAX = 4096 };

/* ---- saying ------------------------------------------------------------------- */

int
cli_fail(const struct cli *cli, int status, const char *what, const char *why, const char *todo)
{
	char plain[CLI_WHY_MAX];

	snprintf(plain, sizeof plain, "%s", why);
	text_flatten(plain); /* a file's words, or a peer's */
	fprintf(stderr, "vesper%s%s: %s: %s%s%s\n", cli->command == NULL ? "" : " ",
	    cli->command == NULL ? "" : cli->command, what, plain, todo == NULL ? "" : "; ",
	    todo == NULL ? "" : todo);
	return status;
}

int
cli_fault(const struct cli *cli, int status, const char *what, const struct fault *f,
    const char *todo)
{
	char why[sizeof f->reason + sizeof f->claim + sizeof f->detail + 8];

	snprintf(why, sizeof why, "%s%s%s%s: %s", f->reason, f->claim[0] != 0 ? " (" : "",
	    f->claim, f->claim[0] != 0 ? ")" : "", f->detail);
	return cli_fail(cli, status, what, why, todo);
}

int
cli_unread(const struct cli *cli, const char *what, const struct fault *f, const char *todo)
{
	return cli_fault(cli, f->rc == RC_NOT_FOUND ? EXIT_ABSENT : EXIT_FAILED, what, f, todo);
}

static const struct {
	enum vesper_code code;
	int status;
	const char *todo;
} unanswered[] = {
	{ VESPER_REFUSED, EXIT_REFUSED, NULL },
	{ VESPER_UNAVAILABLE, EXIT_FAILED, "try again, or see: vesper status" },
	{ VESPER_NOT_REACHABLE, EXIT_UNREACHABLE, "see what vesperd logs" },
	{ VESPER_TIMED_OUT, EXIT_UNREACHABLE, "raise --timeout, or see what vesperd logs" },
	{ VESPER_INVALID, EXIT_USAGE, NULL },
	{ VESPER_PROTOCOL, EXIT_FAILED, "is this vesperd's socket?" },
	{ VESPER_NO_MEMORY, EXIT_FAILED, NULL },
	{ VESPER_NOT_FOUND, EXIT_ABSENT, NULL },
};

/* Why nobody was reached says what to do about it. */
static const struct {
	const char *reason, *todo;
} unreached[] = {
	{ "no_socket", "start vesperd, or name its socket by --socket, VESPER_SOCKET or "
		       "VESPER_ADMIN_SOCKET" },
	{ "not_listening", "vesperd has ended: start it" },
	{ "not_permitted",
	    "the socket's mode and group in vesperd.conf let this user in or not, "
	    "then a tenant's allow_user or allow_group (admin_user or admin_group for the "
	    "administration socket)" },
};

static const char *
todo_after(const struct vesper_error *e, const char *usual)
{
	for (size_t i = 0; i < ARRAY_LEN(unreached); i++) {
		if (strcmp(unreached[i].reason, e->reason) == 0)
			return unreached[i].todo;
	}
	return usual;
}

static json_t *
text_or_null(const char *text)
{
	return text[0] == 0 ? json_null() : json_string(text);
}

static void
print_problem(const struct cli *cli, const struct vesper_error *e)
{
	json_t *object = json_pack("{s:{s:s, s:s, s:o, s:i, s:o}}", "error", "reason",
	    e->reason, "detail", e->detail, "claim", text_or_null(e->claim), "status",
	    e->http_status, "request_id", text_or_null(e->request_id));

	if (object != NULL)
		(void)cli_print_json(cli, object);
}

int
cli_unanswered(const struct cli *cli, const char *what, const struct vesper_error *e)
{
	char why[sizeof e->reason + sizeof e->claim + sizeof e->detail + 8];

	snprintf(why, sizeof why, "%s%s%s%s: %s", e->reason, e->claim[0] != 0 ? " (" : "",
	    e->claim, e->claim[0] != 0 ? ")" : "", e->detail);
	if (cli->json)
		print_problem(cli, e);
	for (size_t i = 0; i < ARRAY_LEN(unanswered); i++) {
		if ((int)unanswered[i].code == e->code)
			return cli_fail(cli, unanswered[i].status, what, why,
			    todo_after(e, unanswered[i].todo));
	}
	return cli_fail(cli, EXIT_FAILED, what, why, NULL);
}

/* The same value, which moves no terminal's cursor. */
static bool
put_line(const char *json)
{
	AUTO_SECRET out = BUF_INIT(SIZE_MAX);

	text_put_json(&out, span_str(json));
	buf_byte(&out, '\n');
	return buf_check(&out, NULL) == RC_OK && fwrite(out.ptr, 1, out.len, stdout) == out.len;
}

json_t *
cli_answer(const struct vesper_response *r)
{
	struct span body = span_of(vesper_response_body(r), vesper_response_length(r));
	json_t *answer = NULL;

	(void)!jtext_read_foreign(body, HTTP_BODY_MAX, &answer, NULL);
	return answer;
}

int
cli_print_json(const struct cli *cli, json_t *object)
{
	json_auto_t *rest = object, *whole = json_object();
	char schema[64];
	char *text;
	bool ok;

	snprintf(schema, sizeof schema, "vesper/%s/1", cli->command);
	if (whole == NULL || json_object_set_new(whole, "schema", json_string(schema)) != 0 ||
	    json_object_update_missing(whole, rest) != 0)
		return cli_fail(cli, EXIT_FAILED, "cannot answer", "no memory", NULL);
	if (cli->done != NULL)
		(void)json_object_update_missing(json_object_get(whole, "error"), cli->done);
	text = json_dumps(whole, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	ok = text != NULL && put_line(text) && fflush(stdout) == 0;
	free(text);
	if (!ok)
		return cli_fail(
		    cli, EXIT_FAILED, "cannot write standard output", strerror(errno), NULL);
	return EXIT_DONE;
}

static bool
wants_color(const struct cli *cli)
{
	const char *refused = getenv("NO_COLOR");

	return !cli->no_color && (refused == NULL || refused[0] == 0) && isatty(STDOUT_FILENO);
}

const char *
cli_bold(const struct cli *cli)
{
	return wants_color(cli) ? "\033[1m" : "";
}

const char *
cli_plain(const struct cli *cli)
{
	return wants_color(cli) ? "\033[0m" : "";
}

void
cli_time_text(int64_t time_s, char out[TIME_TEXT])
{
	time_t t = (time_t)time_s;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, TIME_TEXT, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		snprintf(out, TIME_TEXT, "%lld", (long long)time_s);
}

/* ---- input --------------------------------------------------------------------- */

static enum rc
read_stream(FILE *in, const char *name, struct buf *out, struct fault *f)
{
	uint8_t chunk[16384];
	size_t n;

	while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
		buf_put(out, chunk, n);
	if (ferror(in))
		return FAULT(f, RC_IO, "io", "%.100s: %s", name, strerror(errno));
	return buf_check(out, f);
}

enum rc
cli_read(const char *path, struct buf *out, struct fault *f)
{
	FILE *in;
	enum rc rc;

	if (strcmp(path, "-") == 0)
		return read_stream(stdin, "standard input", out, f);
	in = fopen(path, "re");
	if (in == NULL)
		return FAULT(f, errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO,
		    "io", "%.100s: %s", path, strerror(errno));
	rc = read_stream(in, path, out, f);
	fclose(in);
	return rc;
}

enum rc
cli_read_tn_list(const char *path, struct tnset **out, struct fault *f)
{
	AUTO_BUF der = BUF_INIT(TNAUTH_MAX_REFERENCED_BYTES);

	TRY(cli_read(path, &der, f));
	return tnauth_decode_numbers(buf_view(&der), false, out, f);
}

static void
free_wiped(void *memory)
{
	if (memory != NULL)
		OPENSSL_cleanse(memory, malloc_usable_size(memory));
	free(memory);
}

void
cli_wipe_json(void)
{
	json_set_alloc_funcs(malloc, free_wiped);
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
cli_trim(struct span text)
{
	while (text.len > 0 && is_space(text.ptr[0]))
		span_cut(&text, 1);
	while (text.len > 0 && is_space(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

static int
nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum rc
cli_unhex(struct span text, struct buf *out, struct fault *f)
{
	int high = -1;

	for (size_t i = 0; i < text.len; i++) {
		int v = nibble(text.ptr[i]);

		if (is_space(text.ptr[i]))
			continue;
		if (v < 0)
			return FAULT(f, RC_INVALID, "hex", "character 0x%02x at offset %zu",
			    text.ptr[i], i);
		if (high >= 0)
			buf_byte(out, (uint8_t)(high << 4 | v));
		high = high >= 0 ? -1 : v;
	}
	if (high >= 0)
		return FAULT(f, RC_INVALID, "hex", "half a byte at the end");
	return buf_check(out, f);
}

/* ---- the agent ------------------------------------------------------------------ */

const char *
cli_admin_path(const struct cli *cli)
{
	const char *path = cli->socket != NULL ? cli->socket : getenv("VESPER_ADMIN_SOCKET");

	return path != NULL && path[0] != 0 ? path : NULL;
}

struct vesper_client *
cli_connect(const struct cli *cli, const char *path, int *status)
{
	struct vesper_client *client = NULL;
	struct vesper_error e;

	if (vesper_open(path, &client, &e) != VESPER_OK) {
		*status = cli_unanswered(cli, "cannot reach the agent", &e);
		return NULL;
	}
	vesper_set_timeout_ms(client, cli->timeout_ms);
	return client;
}
