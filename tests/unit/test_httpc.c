/* httpc: headers of an answer, and what is never asked */
#include "agent/renewer/address.h"
#include "agent/renewer/httpc.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOW INT64_C(1445412480) /* Wed, 21 Oct 2015 07:28:00 GMT */

static struct retry_case {
	const char *name, *value;
	int64_t s;
} retry_cases[] = {
	{ "seconds", "120", 120 },
	{ "at once", "0", 0 },
	{ "IMF date", "Wed, 21 Oct 2015 07:30:00 GMT", 120 },
	{ "obsolete date", "Wednesday, 21-Oct-15 07:29:00 GMT", 60 },
	{ "asctime date", "Wed Oct 21 07:28:30 2015", 30 },
	{ "a date that has passed", "Wed, 21 Oct 2015 07:00:00 GMT", 0 },
	{ "beyond a year", "99999999999999999999999999", 366 * 86400 },
	{ "a date beyond a year", "Wed, 21 Oct 2099 07:28:00 GMT", 366 * 86400 },
	{ "negative", "-1", -1 },
	{ "fraction", "1.5", -1 },
	{ "unit", "10s", -1 },
	{ "empty", "", -1 },
	{ "word", "soon", -1 },
	{ "two values", "1, 2", -1 },
};

/* RFC 9111 section 5.2.2 */
static void
max_age(void **state)
{
	static const struct {
		const char *value;
		int64_t s;
	} rows[] = { { "max-age=60", 60 }, { "public, max-age=60", 60 }, { "MAX-AGE=0", 0 },
		{ "no-store", 0 }, { "max-age=60, no-cache", 0 }, { "", -1 }, { "public", -1 },
		{ "max-age=", -1 }, { "max-age=x", -1 }, { "max-age=-1", -1 },
		{ "s-maxage=60", -1 }, { "x-max-age=60", -1 },
		{ "max-age=99999999999999999999", 366 * 86400 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(httpc_max_age(rows[i].value), rows[i].s);
}

static void
retry_after(void **state)
{
	const struct retry_case *c = *state;

	assert_int_equal(httpc_retry_after(c->value, NOW), c->s);
}

static void
head(struct http_answer *a, const char *const *line)
{
	*a = (struct http_answer){ .retry_after_s = -1, .body = BUF_INIT(16) };
	for (; *line != NULL; line++)
		httpc_header(a, *line, strlen(*line), NOW);
}

/* RFC 8555 s7.4.2 */
static void
headers_are_found(void **state)
{
	static const char *const lines[] = { "HTTP/1.1 201 Created\r\n",
		"replay-nonce: abc_-9\r\n", "Retry-After:  5 \r\n",
		"Location: https://ca.example/order/1\r\n",
		"CONTENT-TYPE: Application/PEM-certificate-chain; charset=x\r\n",
		"Link: <https://ca.example/dir>;rel=\"index\", "
		"<https://ca.example/a/1>;rel=\"alternate\"\r\n",
		"Link: <https://ca.example/a/2>; title=\"x, y\"; rel=alternate\r\n", "\r\n",
		NULL };
	struct http_answer a;

	(void)state;
	head(&a, lines);
	assert_string_equal(a.nonce, "abc_-9");
	assert_int_equal(a.retry_after_s, 5);
	assert_string_equal(a.location, "https://ca.example/order/1");
	assert_string_equal(a.content_type, "application/pem-certificate-chain");
	assert_int_equal(a.alternates, 2);
	assert_string_equal(a.alternate[0], "https://ca.example/a/1");
	assert_string_equal(a.alternate[1], "https://ca.example/a/2");
	httpc_answer_done(&a);
}

static void
interim_answers_are_forgotten(void **state)
{
	static const char *const lines[] = { "HTTP/1.1 100 Continue\r\n",
		"Replay-Nonce: old\r\n", "Location: https://ca.example/old\r\n",
		"Retry-After: 9\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", "\r\n", NULL };
	struct http_answer a;

	(void)state;
	head(&a, lines);
	assert_string_equal(a.nonce, "");
	assert_null(a.location);
	assert_int_equal(a.retry_after_s, -1);
	httpc_answer_done(&a);
}

static struct bad_case {
	const char *name, *line;
} bad_cases[] = {
	{ "nonce with a space (RFC 8555 s6.5.1)", "Replay-Nonce: a b" },
	{ "nonce that is padded", "Replay-Nonce: abc=" },
	{ "nonce with a quote", "Replay-Nonce: a\"b" },
	{ "empty nonce", "Replay-Nonce:" },
	{ "no colon", "Replay-Nonce abc" },
	{ "a longer name", "X-Replay-Nonce: abc" },
	{ "location over http", "Location: http://ca.example/1" },
	{ "location with a user", "Location: https://a@ca.example/1" },
	{ "relative location", "Location: /order/1" },
	{ "location with a control character", "Location: https://ca.example/\x01" },
	{ "another relation", "Link: <https://ca.example/1>;rel=\"up\"" },
	{ "link that does not close", "Link: <https://ca.example/1;rel=\"alternate\"" },
	{ "link over http", "Link: <http://ca.example/1>;rel=\"alternate\"" },
	{ "relation of another link", "Link: <https://ca.example/1>, <x>;rel=\"up\"" },
};

static void
bad_header(void **state)
{
	const struct bad_case *c = *state;
	const char *const lines[] = { c->line, NULL };
	struct http_answer a;

	head(&a, lines);
	assert_string_equal(a.nonce, "");
	assert_null(a.location);
	assert_int_equal(a.alternates, 0);
	httpc_answer_done(&a);
}

static void
headers_are_bounded(void **state)
{
	struct http_answer a = { .retry_after_s = -1, .body = BUF_INIT(16) };
	char line[8192] = "Replay-Nonce: ";

	(void)state;
	memset(line + 14, 'a', sizeof line - 15);
	for (size_t n = 0; n < sizeof line; n += 13)
		httpc_header(&a, line, n, NOW);
	assert_true(strlen(a.nonce) <= HTTP_NONCE_MAX);
	for (int i = 0; i < 100; i++)
		httpc_header(&a, "Link: <https://ca.example/1>;rel=\"alternate\"", 44, NOW);
	assert_int_equal(a.alternates, HTTP_ALTERNATES);
	httpc_answer_done(&a);
}

static unsigned called;

static void
on_done(void *arg, enum rc rc, const struct http_answer *answer, const struct fault *f)
{
	(void)arg;
	assert_int_equal(rc, *(const int *)arg);
	assert_null(answer);
	assert_true(f->reason[0] != 0);
	called++;
}

static struct url_case {
	const char *name, *url;
} url_cases[] = {
	{ "http", "http://127.0.0.1/" },
	{ "file", "file:///etc/passwd" },
	{ "a user", "https://u:p@127.0.0.1/" },
	{ "no host", "https:///x" },
	{ "a fragment", "https://127.0.0.1/#x" },
	{ "white space", "https://127.0.0.1/ x" },
};

static void
only_https(void **state)
{
	const struct url_case *c = *state;
	AUTO(httpc) *h = NULL;
	struct fault f = { 0 };

	assert_int_equal(httpc_new(&h, &f), RC_OK);
	assert_int_equal(
	    httpc_start(h, &(struct http_request){ .url = c->url }, on_done, NULL, &f),
	    RC_DENIED);
	assert_string_equal(f.reason, "url");
}

static void
an_unanswered_transfer_ends(void **state)
{
	/* Nothing listens at port 1 of this loopback address. */
	struct http_request r = { .method = HTTP_GET, .url = "https://127.83.19.5:1/" };
	AUTO(httpc) *h = NULL;
	struct fault f = { 0 };
	int expected = RC_NET;

	(void)state;
	called = 0;
	assert_int_equal(httpc_new(&h, &f), RC_OK);
	assert_int_equal(httpc_start(h, &r, on_done, &expected, &f), RC_OK);
	for (int i = 0; i < 100 && called == 0; i++)
		assert_int_equal(httpc_wait(h, NULL, 0, 100, &f), RC_OK);
	assert_int_equal(called, 1);
}

static struct proxy_case {
	const char *name;
} proxy_cases[] = { { "https_proxy" }, { "HTTPS_PROXY" }, { "all_proxy" }, { "ALL_PROXY" } };

/* Listens at a port of its own; "http://127.0.0.1:PORT". */
static int
listen_as_proxy(char url[64])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(url, 64, "http://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	return fd;
}

static void
no_proxy_of_the_environment(void **state)
{
	const struct proxy_case *c = *state;
	struct http_request r = { .method = HTTP_GET, .url = "https://127.83.19.5:1/" };
	AUTO(httpc) *h = NULL;
	struct fault f = { 0 };
	int expected = RC_NET;
	char url[64];
	struct pollfd proxy = { .fd = listen_as_proxy(url), .events = POLLIN };

	called = 0;
	assert_int_equal(setenv(c->name, url, 1), 0);
	assert_int_equal(httpc_new(&h, &f), RC_OK);
	assert_int_equal(httpc_start(h, &r, on_done, &expected, &f), RC_OK);
	for (int i = 0; i < 100 && called == 0 && poll(&proxy, 1, 0) == 0; i++)
		assert_int_equal(httpc_wait(h, NULL, 0, 100, &f), RC_OK);
	assert_int_equal(unsetenv(c->name), 0);
	assert_int_equal(poll(&proxy, 1, 0), 0);
	assert_int_equal(called, 1);
	close(proxy.fd);
}

/* ---- http, where a request allows it: revocation lists (RFC 5280 s8) ---- */

static bool
anywhere(const struct sockaddr *at, socklen_t len)
{
	(void)at;
	(void)len;
	return true;
}

/* So often the same, and then an answer. */
static char some_headers[80000], many_headers[80000], many_answers[80000];

static void
make_long(char out[80000], const char *first, const char *again, size_t times, const char *last)
{
	size_t at = strlen(first), len = strlen(again);

	assert_true(at + len * times + strlen(last) < 80000);
	memcpy(out, first, at);
	for (size_t i = 0; i < times; i++, at += len)
		memcpy(out + at, again, len);
	memcpy(out + at, last, strlen(last) + 1);
}

static void
make_long_ones(void)
{
	static const char line[] = "X-Filler: 0123456789012345678901234567\r\n"; /* 40 */
	static const char last[] = "Content-Length: 4\r\n\r\nlist";

	make_long(some_headers, "HTTP/1.1 200 OK\r\n", line, 1600, last);
	make_long(many_headers, "HTTP/1.1 200 OK\r\n", line, 1640, last);
	make_long(many_answers, "", "HTTP/1.1 103 Early Hints\r\nX-Filler: 0\r\n\r\n", 1640,
	    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlist");
}

static struct plain_case {
	const char *name, *path;
	http_address_fn *to;
	const char *answer; /* NULL: nobody may come */
	int rc;
	long status;
	const char *reason;
} plain_cases[] = {
	{ "what is there", "/list.crl", anywhere,
	    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlist", RC_OK, 200, NULL },
	{ "a redirect is an answer", "/list.crl", anywhere,
	    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
	    RC_OK, 302, NULL },
	{ "no header at all", "/list.crl", anywhere, "list", RC_NET, 0, "http_failed" },
	{ "more than is wanted", "/list.crl", anywhere,
	    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nlist list", RC_INVALID, 0,
	    "http_too_large" },
	{ "as many headers as there may be", "/list.crl", anywhere, some_headers, RC_OK, 200,
	    NULL },
	{ "more headers", "/list.crl", anywhere, many_headers, RC_INVALID, 0,
	    "http_too_large" },
	{ "more interim answers", "/list.crl", anywhere, many_answers, RC_INVALID, 0,
	    "http_too_large" },
	{ "an address that is not public", "/list.crl", address_is_public, NULL, RC_DENIED, 0,
	    "http_address" },
};

struct plain_met {
	bool over;
	enum rc rc;
	long status;
	char reason[32];
};

static void
plain_done(void *arg, enum rc rc, const struct http_answer *answer, const struct fault *f)
{
	struct plain_met *met = arg;

	met->over = true;
	met->rc = rc;
	met->status = answer != NULL ? answer->status : 0;
	if (rc == RC_OK && met->status == 200)
		assert_true(span_is(buf_view(&answer->body), "list"));
	snprintf(met->reason, sizeof met->reason, "%s", rc != RC_OK ? f->reason : "");
}

/* A server of one request, which does not wait: the client is in this thread, too. */
struct plain_server {
	int listener, peer; /* peer -1: nobody came yet */
	bool came;
};

static bool
is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
serve(struct plain_server *s, const char *answer)
{
	char octets[4096];

	if (s->peer < 0 && is_ready(s->listener)) {
		s->peer = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
		s->came = true;
	}
	if (s->peer < 0 || answer == NULL || !is_ready(s->peer))
		return;
	assert_true(read(s->peer, octets, sizeof octets) > 0);
	assert_int_equal(write(s->peer, answer, strlen(answer)), strlen(answer));
	close(s->peer);
	s->peer = -1;
}

/* RFC 5280 s8 */
static void
plain(void **state)
{
	const struct plain_case *c = *state;
	AUTO(httpc) *h = NULL;
	struct fault f = { 0 };
	struct plain_met met = { .over = false };
	char base[64], url[128];
	struct plain_server server = { .listener = listen_as_proxy(base), .peer = -1 };

	snprintf(url, sizeof url, "%s%s", base, c->path);
	assert_int_equal(httpc_new(&h, &f), RC_OK);
	assert_int_equal(
	    httpc_start(h,
		&(struct http_request){
		    .method = HTTP_GET, .url = url, .plain_to = c->to, .body_max = 4 },
		plain_done, &met, &f),
	    RC_OK);
	for (int i = 0; i < 10000 && !met.over; i++) {
		assert_int_equal(httpc_wait(h, NULL, 0, 10, &f), RC_OK);
		serve(&server, c->answer);
	}
	assert_true(met.over);
	assert_int_equal(met.rc, c->rc);
	assert_int_equal(met.status, c->status);
	assert_string_equal(met.reason, c->reason != NULL ? c->reason : "");
	assert_int_equal(server.came, c->answer != NULL);
	close(server.listener);
}

static struct exposed_case {
	const char *name;
	struct http_request request;
} exposed_cases[] = {
	{ "nobody said so", { .method = HTTP_GET } },
	{ "a body", { .method = HTTP_POST, .content_type = "a/b", .plain_to = anywhere } },
	{ "a token", { .method = HTTP_GET, .bearer = "secret", .plain_to = anywhere } },
	{ "a user", { .method = HTTP_GET, .user = "me", .plain_to = anywhere } },
	{ "a certificate", { .method = HTTP_GET, .tls_cert = "me.pem", .plain_to = anywhere } },
};

/* RFC 5280 s8: what is asked over http says nothing of us */
static void
exposed(void **state)
{
	const struct exposed_case *c = *state;
	struct http_request r = c->request;
	AUTO(httpc) *h = NULL;
	struct fault f = { 0 };

	r.url = "http://127.83.19.5:1/";
	assert_int_equal(httpc_new(&h, &f), RC_OK);
	assert_int_equal(httpc_start(h, &r, on_done, NULL, &f), RC_DENIED);
	assert_string_equal(f.reason, "url");
}

static void
no_other_scheme_either(void **state)
{
	const struct url_case *c = *state;
	AUTO(httpc) *h = NULL;
	struct fault f = { 0 };

	if (strncmp(c->url, "http://", 7) == 0)
		return;
	assert_int_equal(httpc_new(&h, &f), RC_OK);
	assert_int_equal(
	    httpc_start(h, &(struct http_request){ .url = c->url, .plain_to = anywhere },
		on_done, NULL, &f),
	    RC_DENIED);
}

static void
stopping_ends_every_transfer(void **state)
{
	struct http_request r = { .method = HTTP_GET, .url = "https://127.83.19.5:1/" };
	struct httpc *h = NULL;
	struct fault f = { 0 };
	int expected = RC_CONFLICT;

	(void)state;
	called = 0;
	assert_int_equal(httpc_new(&h, &f), RC_OK);
	for (int i = 0; i < HTTPC_MAX; i++)
		assert_int_equal(httpc_start(h, &r, on_done, &expected, &f), RC_OK);
	assert_int_equal(httpc_start(h, &r, on_done, &expected, &f), RC_BUSY);
	httpc_free(h);
	assert_int_equal(called, HTTPC_MAX);
}

static void
a_header_cannot_be_split(void **state)
{
	struct http_request r = { .method = HTTP_GET,
		.url = "https://127.83.19.5:1/",
		.bearer = "secret\r\nX-Other: 1" };
	AUTO(httpc) *h = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(httpc_new(&h, &f), RC_OK);
	assert_int_equal(httpc_start(h, &r, on_done, NULL, &f), RC_INVALID);
	assert_null(strstr(f.detail, "secret"));
}

int
main(void)
{
	struct CMUnitTest tests[96] = {
		cmocka_unit_test(headers_are_found),
		cmocka_unit_test(interim_answers_are_forgotten),
		cmocka_unit_test(headers_are_bounded),
		cmocka_unit_test(an_unanswered_transfer_ends),
		cmocka_unit_test(stopping_ends_every_transfer),
		cmocka_unit_test(a_header_cannot_be_split),
	};
	size_t n = 6;

	make_long_ones();
	ROWS(tests, n, retry_cases, retry_after);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(max_age);
	ROWS(tests, n, bad_cases, bad_header);
	ROWS(tests, n, url_cases, only_https);
	ROWS(tests, n, proxy_cases, no_proxy_of_the_environment);
	ROWS(tests, n, plain_cases, plain);
	ROWS(tests, n, exposed_cases, exposed);
	ROWS(tests, n, url_cases, no_other_scheme_either);
	return _cmocka_run_group_tests("httpc", tests, n, NULL, NULL);
}
