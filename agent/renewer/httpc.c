#include "agent/renewer/httpc.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "agent/renewer/record.h"
#include "config.h"
#include "stir/uri.h"

enum { HEADER_MAX = 4096, RETRY_YEAR_S = 366 * 86400 };

struct transfer {
	struct transfer *next;
	CURL *easy; /* NULL: over */
	struct curl_slist *headers;
	struct buf body;
	struct http_answer answer;
	io_http_done *done;
	void *arg;
	bool too_large;
	size_t header_octets;	   /* of interim answers and trailers as well */
	http_address_fn *plain_to; /* NULL: https */
	bool forbidden;		   /* an address was not allowed */
};

struct httpc {
	CURLM *multi;
	struct transfer *list;
	size_t open;
	bool stopping;
};

static int64_t
now_s(void)
{
	return (int64_t)time(NULL);
}

int64_t
httpc_retry_after(const char *value, int64_t at_s)
{
	size_t digits = strspn(value, "0123456789");
	int64_t s = 0;

	if (digits > 0 && value[digits] == 0) {
		for (size_t i = 0; i < digits && s <= RETRY_YEAR_S; i++)
			s = s * 10 + (value[i] - '0');
	} else {
		time_t date = digits == 0 ? curl_getdate(value, NULL) : -1;

		if (date == (time_t)-1)
			return -1;
		s = date > at_s ? date - at_s : 0;
	}
	return s < RETRY_YEAR_S ? s : RETRY_YEAR_S;
}

int64_t
httpc_max_age(const char *value)
{
	const char *age = strcasestr(value, "max-age=");
	int64_t s;

	if (strcasestr(value, "no-store") != NULL || strcasestr(value, "no-cache") != NULL)
		return 0;
	if (age == NULL || (age != value && strchr(" ,\t", age[-1]) == NULL))
		return -1;
	age += strlen("max-age=");
	s = 0;
	if (*age < '0' || *age > '9')
		return -1;
	for (; *age >= '0' && *age <= '9' && s <= RETRY_YEAR_S; age++)
		s = s * 10 + (*age - '0');
	return s < RETRY_YEAR_S ? s : RETRY_YEAR_S;
}

static bool
name_is(const char *line, size_t colon, const char *name)
{
	return strlen(name) == colon && strncasecmp(line, name, colon) == 0;
}

/* RFC 8555 section 6.5.1: a nonce is base64url and nothing else. */
static void
take_nonce(struct http_answer *a, const char *value)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t len = strlen(value);

	if (len > 0 && len <= HTTP_NONCE_MAX && strspn(value, alphabet) == len)
		snprintf(a->nonce, sizeof a->nonce, "%s", value);
}

static void
take_type(struct http_answer *a, const char *value)
{
	size_t n = strcspn(value, "; \t");

	if (n >= sizeof a->content_type)
		return;
	for (size_t i = 0; i < n; i++) {
		char c = value[i];

		a->content_type[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	a->content_type[n] = 0;
}

/* The parameters of one link end at a comma outside of quotes. */
static size_t
params_len(const char *s)
{
	size_t i;
	bool quoted = false;

	for (i = 0; s[i] != 0 && (quoted || s[i] != ','); i++) {
		if (s[i] == '"')
			quoted = !quoted;
	}
	return i;
}

static bool
is_alternate(const char *params, size_t len)
{
	char text[HEADER_MAX];

	snprintf(text, sizeof text, "%.*s", (int)len, params);
	return strcasestr(text, "rel=\"alternate\"") != NULL ||
	       strcasestr(text, "rel=alternate") != NULL;
}

/* RFC 8555 section 7.4.2: further chains of the same certificate. */
static void
take_links(struct http_answer *a, const char *value)
{
	const char *open = strchr(value, '<');

	while (open != NULL && a->alternates < HTTP_ALTERNATES) {
		const char *close = strchr(open, '>');
		size_t len;

		if (close == NULL)
			return;
		len = params_len(close + 1);
		if (is_alternate(close + 1, len)) {
			char *url = strndup(open + 1, (size_t)(close - open - 1));

			if (url != NULL && url_is_https(url))
				a->alternate[a->alternates++] = url;
			else
				free(url);
		}
		open = strchr(close + 1 + len, '<');
	}
}

static void
take_header(
    struct http_answer *a, const char *line, size_t colon, const char *value, int64_t at_s)
{
	if (name_is(line, colon, "Replay-Nonce"))
		take_nonce(a, value);
	if (name_is(line, colon, "Retry-After"))
		a->retry_after_s = httpc_retry_after(value, at_s);
	if (name_is(line, colon, "Content-Type"))
		take_type(a, value);
	if (name_is(line, colon, "Cache-Control"))
		a->max_age_s = httpc_max_age(value);
	if (name_is(line, colon, "Link"))
		take_links(a, value);
	if (name_is(line, colon, "Location") && a->location == NULL && url_is_https(value))
		a->location = strdup(value);
}

static void
forget_headers(struct http_answer *a)
{
	free(a->location);
	a->location = NULL;
	for (size_t i = 0; i < a->alternates; i++)
		free(a->alternate[i]);
	a->alternates = 0;
	a->nonce[0] = a->content_type[0] = 0;
	a->retry_after_s = a->max_age_s = -1;
}

void
httpc_header(struct http_answer *a, const char *line, size_t len, int64_t at_s)
{
	char text[HEADER_MAX];
	size_t colon, skip;

	if (len >= sizeof text || memchr(line, 0, len) != NULL)
		return;
	while (
	    len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	memcpy(text, line, len);
	text[len] = 0;
	/* An interim answer (100) has headers of its own. */
	if (strncmp(text, "HTTP/", 5) == 0) {
		forget_headers(a);
		return;
	}
	colon = strcspn(text, ":");
	if (text[colon] != ':')
		return;
	skip = strspn(text + colon + 1, " \t");
	take_header(a, text, colon, text + colon + 1 + skip, at_s);
}

void
httpc_answer_done(struct http_answer *a)
{
	forget_headers(a);
	buf_wipe(&a->body); /* may hold a token */
}

static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	t->header_octets += size * n;
	if (t->header_octets > HTTPC_HEADERS_MAX)
		return 0; /* ends the transfer */
	httpc_header(&t->answer, line, size * n, now_s());
	return size * n;
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	buf_put(&t->answer.body, data, size * n);
	if (t->answer.body.rc == RC_OK)
		return size * n;
	t->too_large = t->answer.body.rc == RC_BUSY;
	return 0; /* ends the transfer */
}

static void
transfer_free(struct transfer *t)
{
	for (struct curl_slist *h = t->headers; h != NULL; h = h->next)
		explicit_bzero(h->data, strlen(h->data)); /* Authorization */
	curl_slist_free_all(t->headers);
	if (t->easy != NULL)
		curl_easy_cleanup(t->easy);
	buf_wipe(&t->body);
	httpc_answer_done(&t->answer);
	free(t);
}

static void
transfer_freep(struct transfer **t)
{
	if (*t != NULL)
		transfer_free(*t);
}

enum rc
httpc_new(struct httpc **out, struct fault *f)
{
	struct httpc *h;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return FAULT(f, RC_IO, "http", "libcurl cannot start");
	h = calloc(1, sizeof *h);
	if (h != NULL)
		h->multi = curl_multi_init();
	if (h == NULL || h->multi == NULL) {
		free(h);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "libcurl");
	}
	curl_multi_setopt(
	    h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HTTPC_HOST_CONNECTIONS);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)HTTPC_MAX);
	*out = h;
	return RC_OK;
}

static void
unlink_transfer(struct httpc *h, struct transfer *t)
{
	struct transfer **at = &h->list;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	h->open--;
	curl_multi_remove_handle(h->multi, t->easy);
}

void
httpc_free(struct httpc *h)
{
	struct fault f = { 0 };

	if (h == NULL)
		return;
	h->stopping = true;
	(void)FAULT(&f, RC_CONFLICT, "stopping", "the renewer stops");
	while (h->list != NULL) {
		struct transfer *t = h->list;

		unlink_transfer(h, t);
		t->done(t->arg, RC_CONFLICT, NULL, &f);
		transfer_free(t);
	}
	curl_multi_cleanup(h->multi);
	free(h);
	curl_global_cleanup();
}

static bool
add_header(struct transfer *t, const char *name, const char *value)
{
	char line[HEADER_MAX];
	int n = snprintf(line, sizeof line, "%s: %s", name, value);
	struct curl_slist *grown;

	if (n < 0 || (size_t)n >= sizeof line || strpbrk(value, "\r\n") != NULL)
		return false;
	grown = curl_slist_append(t->headers, line);
	explicit_bzero(line, sizeof line);
	if (grown == NULL)
		return false;
	t->headers = grown;
	return true;
}

static enum rc
set_basic(struct transfer *t, const struct http_request *r, bool ok, struct fault *f)
{
	ok = ok && r->bearer != NULL &&
	     curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
	     curl_easy_setopt(t->easy, CURLOPT_USERNAME, r->user) == CURLE_OK &&
	     curl_easy_setopt(t->easy, CURLOPT_PASSWORD, r->bearer) == CURLE_OK;
	return ok ? RC_OK
		  : FAULT(f, RC_INVALID, "http", "a user or secret that cannot be sent");
}

static enum rc
set_client(struct transfer *t, const struct http_request *r, struct fault *f)
{
	struct curl_blob key = { .data = (void *)(uintptr_t)r->tls_key.ptr,
		.len = r->tls_key.len,
		.flags = CURL_BLOB_COPY };

	if (r->tls_cert == NULL)
		return RC_OK;
	if (curl_easy_setopt(t->easy, CURLOPT_SSLCERT, r->tls_cert) != CURLE_OK ||
	    curl_easy_setopt(t->easy, CURLOPT_SSLKEY_BLOB, &key) != CURLE_OK)
		return FAULT(f, RC_INVALID, "http", "a TLS certificate that cannot be used");
	return RC_OK;
}

static enum rc
set_headers(struct transfer *t, const struct http_request *r, struct fault *f)
{
	char bearer[HEADER_MAX / 2];
	bool ok = true;

	if (r->accept != NULL)
		ok = ok && add_header(t, "Accept", r->accept);
	if (r->method == HTTP_POST)
		ok = ok && r->content_type != NULL &&
		     add_header(t, "Content-Type", r->content_type);
	if (r->user != NULL) /* RFC 7617: the header is curl's */
		return set_basic(t, r, ok, f);
	if (r->bearer != NULL) {
		int n = snprintf(bearer, sizeof bearer, "Bearer %s", r->bearer);

		ok = ok && n > 0 && (size_t)n < sizeof bearer &&
		     add_header(t, "Authorization", bearer);
		explicit_bzero(bearer, sizeof bearer);
	}
	if (!ok)
		return FAULT(f, RC_INVALID, "http", "a header that cannot be sent");
	return RC_OK;
}

static bool
set_method(struct transfer *t, const struct http_request *r)
{
	bool ok = true;

	switch (r->method) {
	case HTTP_GET: break;
	case HTTP_HEAD: ok = curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L) == CURLE_OK; break;
	case HTTP_POST:
		ok = curl_easy_setopt(t->easy, CURLOPT_POST, 1L) == CURLE_OK &&
		     curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)t->body.len) == CURLE_OK &&
		     curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body.ptr) == CURLE_OK;
		break;
	}
	return ok;
}

static bool
set_limits(CURL *e, const char *tls_ca)
{
	bool ok = curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
		      CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
		      CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTPC_CONNECT_MS) ==
		      CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)HTTPC_TOTAL_MS) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		  curl_easy_setopt(e, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION) ==
		      CURLE_OK;

	if (ok) /* none, whatever the environment names */
		ok = curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK;
	if (ok && tls_ca != NULL) /* and no other: not the system's directory beside it */
		ok = curl_easy_setopt(e, CURLOPT_CAINFO, tls_ca) == CURLE_OK &&
		     curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK;
	return ok;
}

/* The address as it was resolved, so that no name leads elsewhere between look and use. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *at)
{
	struct transfer *t = arg;

	if (purpose != CURLSOCKTYPE_IPCXN || !t->plain_to(&at->addr, at->addrlen)) {
		t->forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
}

static bool
set_scheme(struct transfer *t)
{
	if (t->plain_to == NULL)
		return curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK;
	/* A connection that another request opened was not asked about. */
	return curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK;
}

static enum rc
set_options(struct transfer *t, const struct http_request *r, struct fault *f)
{
	CURL *e = t->easy;

	TRY(set_headers(t, r, f));
	TRY(set_client(t, r, f));
	if (!set_scheme(t) || !set_limits(e, r->tls_ca) || !set_method(t, r) ||
	    curl_easy_setopt(e, CURLOPT_URL, r->url) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_HEADERDATA, t) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_WRITEDATA, t) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_PRIVATE, t) != CURLE_OK)
		return FAULT(f, RC_BUG, "internal_error", "libcurl does not take an option");
	return RC_OK;
}

/* Plain for what is asked so, by GET, and says nothing of us. */
static enum rc
check_url(const struct http_request *r, bool *plain, struct fault *f)
{
	struct uri_https ignored = { 0 };

	*plain = false;
	if (url_is_https(r->url))
		return RC_OK;
	*plain = r->plain_to != NULL && r->method == HTTP_GET && r->bearer == NULL &&
		 r->user == NULL && r->tls_cert == NULL && strlen(r->url) <= HTTP_URL_MAX &&
		 uri_read_http(span_str(r->url), &ignored);
	return *plain ? RC_OK : FAULT(f, RC_DENIED, "url", "a URL that is not https");
}

enum rc
httpc_start(
    void *httpc, const struct http_request *r, io_http_done *done, void *arg, struct fault *f)
{
	__attribute__((cleanup(transfer_freep))) struct transfer *t = NULL;
	struct httpc *h = httpc;
	bool plain = false;

	if (h->stopping)
		return FAULT(f, RC_CONFLICT, "stopping", "the renewer stops");
	if (h->open >= HTTPC_MAX)
		return FAULT(f, RC_BUSY, "http", "%d transfers are open", HTTPC_MAX);
	TRY(check_url(r, &plain, f));
	t = calloc(1, sizeof *t);
	if (t == NULL || (t->easy = curl_easy_init()) == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "transfer");
	t->body = BUF_INIT(HTTP_BODY_MAX * 2);
	t->answer.body = BUF_INIT(r->body_max != 0 ? r->body_max : HTTP_BODY_MAX);
	t->answer.retry_after_s = t->answer.max_age_s = -1;
	t->done = done;
	t->arg = arg;
	t->plain_to = plain ? r->plain_to : NULL;
	buf_span(&t->body, r->body);
	TRY(buf_check(&t->body, f));
	TRY(set_options(t, r, f));
	if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "libcurl");
	t->next = h->list;
	h->list = t;
	h->open++;
	t = NULL;
	return RC_OK;
}

static enum rc
outcome(struct transfer *t, CURLcode code, struct fault *f)
{
	if (t->too_large)
		return FAULT(
		    f, RC_INVALID, "http_too_large", "more than %zu bytes", t->answer.body.max);
	if (t->header_octets > HTTPC_HEADERS_MAX)
		return FAULT(f, RC_INVALID, "http_too_large", "more than %d bytes of headers",
		    HTTPC_HEADERS_MAX);
	switch (code) {
	case CURLE_OK: return RC_OK;
	case CURLE_OPERATION_TIMEDOUT:
		return FAULT(f, RC_TIMEOUT, "http_timeout", "%s", curl_easy_strerror(code));
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return FAULT(f, RC_NET, "http_tls", "%s", curl_easy_strerror(code));
	case CURLE_COULDNT_CONNECT:
		if (t->forbidden)
			return FAULT(f, RC_DENIED, "http_address",
			    "no address of the host is one that is asked over http");
		return FAULT(f, RC_NET, "http_unreachable", "%s", curl_easy_strerror(code));
	case CURLE_COULDNT_RESOLVE_HOST:
		return FAULT(f, RC_NET, "http_unreachable", "%s", curl_easy_strerror(code));
	default: return FAULT(f, RC_NET, "http_failed", "%s", curl_easy_strerror(code));
	}
}

static void
finish(struct httpc *h, struct transfer *t, CURLcode code)
{
	struct fault f = { 0 };
	enum rc rc = outcome(t, code, &f);

	unlink_transfer(h, t);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->answer.status);
	t->done(t->arg, rc, rc == RC_OK ? &t->answer : NULL, &f);
	transfer_free(t);
}

enum rc
httpc_wait(
    struct httpc *h, struct curl_waitfd *more, unsigned n, int timeout_ms, struct fault *f)
{
	CURLMsg *m;
	int running, left;

	if (curl_multi_poll(h->multi, more, n, timeout_ms, NULL) != CURLM_OK ||
	    curl_multi_perform(h->multi, &running) != CURLM_OK)
		return FAULT(f, RC_IO, "http", "curl_multi_poll");
	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURLcode code = m->data.result; /* m is gone once the handle is removed */
		struct transfer *t = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		finish(h, t, code);
	}
	return RC_OK;
}
