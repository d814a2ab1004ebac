#include "agent/front/auditchain.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { BUCKETS = 4096 };

struct tenant {
	struct tenant *next;
	uint64_t seq;
	size_t len;
	uint8_t name[]; /* as in the record, with its quotes */
};

struct auditchain {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	struct auditmark at;
	size_t tenants;
	struct tenant *bucket[BUCKETS];
};

enum rc
auditchain_new(struct auditchain **out, struct fault *f)
{
	AUTO(auditchain) *c = calloc(1, sizeof *c);

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the audit's chain");
	memset(c->at.prev, '0', AUDIT_HASH_TEXT);
	c->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	c->ctx = EVP_MD_CTX_new();
	if (c->md == NULL || c->ctx == NULL)
		return FAULT_OPENSSL(f, RC_NO_MEMORY, "no_memory", "SHA-256");
	*out = TAKE(c);
	return RC_OK;
}

void
auditchain_free(struct auditchain *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (c->bucket[i] != NULL) {
			struct tenant *next = c->bucket[i]->next;

			free(c->bucket[i]);
			c->bucket[i] = next;
		}
	}
	EVP_MD_CTX_free(c->ctx);
	EVP_MD_free(c->md);
	free(c);
}

struct auditmark
auditchain_mark(const struct auditchain *c)
{
	return c->at;
}

void
auditchain_back(struct auditchain *c, const struct auditmark *mark)
{
	c->at = *mark;
}

/* ---- tenants ------------------------------------------------------------------------ */

/* FNV-1a; names come from the configuration, so nobody chooses collisions. */
static struct tenant **
bucket_of(struct auditchain *c, struct span name)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ name.ptr[i]) * 16777619u;
	return &c->bucket[hash % BUCKETS];
}

static struct tenant *
find_tenant(struct auditchain *c, struct span name)
{
	for (struct tenant *t = *bucket_of(c, name); t != NULL; t = t->next) {
		if (span_eq(span_of(t->name, t->len), name))
			return t;
	}
	return NULL;
}

static enum rc
get_tenant(struct auditchain *c, struct span name, struct tenant **out, struct fault *f)
{
	struct tenant **bucket = bucket_of(c, name), *t = find_tenant(c, name);

	if (t != NULL) {
		*out = t;
		return RC_OK;
	}
	if (name.len > AUDIT_MAX_TENANT || c->tenants == AUDIT_MAX_TENANTS)
		return FAULT(
		    f, RC_INVALID, "audit_record", "too many tenants or too long a name");
	t = calloc(1, sizeof *t + name.len);
	if (t == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a tenant");
	t->len = name.len;
	memcpy(t->name, name.ptr, name.len);
	t->next = *bucket;
	*bucket = t;
	c->tenants++;
	*out = t;
	return RC_OK;
}

void
auditchain_untenant(struct auditchain *c, struct span tenant)
{
	struct tenant *t = find_tenant(c, tenant);

	if (t != NULL && t->seq > 0)
		t->seq--;
}

void
auditchain_put_tenants(const struct auditchain *c, struct buf *out)
{
	const char *comma = "";

	buf_str(out, "\"tenants\":{");
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct tenant *t = c->bucket[i]; t != NULL; t = t->next) {
			if (t->seq == 0)
				continue; /* its first record was taken back */
			buf_str(out, comma);
			buf_span(out, span_of(t->name, t->len));
			buf_printf(out, ":%" PRIu64, t->seq);
			comma = ",";
		}
	}
	buf_byte(out, '}');
}

/* ---- writing ------------------------------------------------------------------------ */

static enum rc
hash_line(
    struct auditchain *c, struct span line, char text[AUDIT_HASH_TEXT + 1], struct fault *f)
{
	static const char digit[] = "0123456789abcdef";
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_DigestInit_ex2(c->ctx, c->md, NULL) != 1 ||
	    EVP_DigestUpdate(c->ctx, line.ptr, line.len) != 1 ||
	    EVP_DigestFinal_ex(c->ctx, hash, &n) != 1 || n != AUDIT_HASH_TEXT / 2)
		return FAULT_OPENSSL(f, RC_BUG, "internal_error", "SHA-256 of a record");
	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digit[hash[i] >> 4];
		text[2 * i + 1] = digit[hash[i] & 15];
	}
	text[AUDIT_HASH_TEXT] = '\0';
	return RC_OK;
}

static void
put_line(const struct auditchain *c, const struct auditrecord *r, uint64_t tenant_seq,
    struct buf *out)
{
	buf_str(out, "{\"seq\":");
	buf_uint(out, c->at.seq + 1);
	buf_byte(out, ',');
	buf_span(out, r->stamp);
	buf_str(out, ",\"tenant\":");
	buf_span(out, r->tenant);
	buf_str(out, ",\"tenant_seq\":");
	if (tenant_seq == 0)
		buf_str(out, "null");
	else
		buf_uint(out, tenant_seq);
	buf_byte(out, ',');
	buf_span(out, r->cause);
	buf_str(out, ",\"prev\":\"");
	buf_str(out, c->at.prev);
	buf_byte(out, '"');
	if (r->members.len > 0)
		buf_byte(out, ',');
	buf_span(out, r->members);
	if (r->of != 0) {
		buf_str(out, ",\"of\":");
		buf_uint(out, r->of);
	}
	buf_byte(out, '}');
}

enum rc
auditchain_render(
    struct auditchain *c, const struct auditrecord *r, struct buf *out, struct fault *f)
{
	struct auditmark next = { .seq = c->at.seq + 1 };
	struct tenant *t = NULL;
	size_t start = out->len;

	if (!span_is(r->tenant, "null"))
		TRY(get_tenant(c, r->tenant, &t, f));
	put_line(c, r, t != NULL ? t->seq + 1 : 0, out);
	TRY(buf_check(out, f));
	TRY(hash_line(c, span_of(out->ptr + start, out->len - start), next.prev, f));
	buf_byte(out, '\n');
	TRY(buf_check(out, f));
	if (t != NULL)
		t->seq++;
	c->at = next;
	return RC_OK;
}

/* ---- reading ------------------------------------------------------------------------ */

/* The members that every record begins with, in the order in which they are written. */
struct fixed {
	uint64_t seq, tenant_seq; /* tenant_seq 0: null */
	struct span event, tenant, prev;
};

static bool
cut_text(struct span *in, const char *text)
{
	size_t n = strlen(text);

	if (in->len < n || memcmp(in->ptr, text, n) != 0)
		return false;
	span_cut(in, n);
	return true;
}

static bool
cut_number(struct span *in, uint64_t *out)
{
	size_t n = 0;

	*out = 0;
	while (n < in->len && n < 19 && in->ptr[n] >= '0' && in->ptr[n] <= '9')
		*out = *out * 10 + (uint64_t)(in->ptr[n++] - '0');
	span_cut(in, n);
	return n > 0;
}

/* A JSON string with its quotes. */
static bool
cut_string(struct span *in, struct span *out)
{
	size_t n = 1;

	if (in->len == 0 || in->ptr[0] != '"')
		return false;
	while (n < in->len && in->ptr[n] != '"')
		n += in->ptr[n] == '\\' ? 2 : 1;
	if (n >= in->len)
		return false;
	*out = span_cut(in, n + 1);
	return true;
}

static bool
cut_string_or_null(struct span *in, struct span *out)
{
	*out = span_of(NULL, 0);
	return cut_text(in, "null") || cut_string(in, out);
}

static bool
cut_fixed(struct span *in, struct fixed *r)
{
	struct span skipped = { 0 };
	bool good;

	*r = (struct fixed){ 0 };
	good = cut_text(in, "{\"seq\":") && cut_number(in, &r->seq) &&
	       cut_text(in, ",\"time\":") && cut_string(in, &skipped) &&
	       cut_text(in, ",\"event\":") && cut_string(in, &r->event) &&
	       cut_text(in, ",\"tenant\":") && cut_string_or_null(in, &r->tenant) &&
	       cut_text(in, ",\"tenant_seq\":") &&
	       (cut_text(in, "null") || cut_number(in, &r->tenant_seq)) &&
	       cut_text(in, ",\"request_id\":") && cut_string_or_null(in, &skipped) &&
	       cut_text(in, ",\"reason\":") && cut_string_or_null(in, &skipped) &&
	       cut_text(in, ",\"prev\":") && cut_string(in, &r->prev);
	return good && r->prev.len == AUDIT_HASH_TEXT + 2 &&
	       (r->tenant.len == 0) == (r->tenant_seq == 0);
}

static bool
read_tenants(struct auditchain *c, struct span in)
{
	struct span name = { 0 };
	struct tenant *t = NULL;

	if (!cut_text(&in, ",\"tenants\":{"))
		return false;
	while (!cut_text(&in, "}")) {
		uint64_t seq = 0;

		if (!cut_string(&in, &name) || !cut_text(&in, ":") || !cut_number(&in, &seq) ||
		    get_tenant(c, name, &t, NULL) != RC_OK)
			return false;
		t->seq = seq;
		if (!cut_text(&in, ",") && (in.len == 0 || in.ptr[0] != '}'))
			return false;
	}
	return true;
}

static enum rc
broken(struct fault *f, const char *what)
{
	return FAULT(f, RC_INVALID, "audit_chain", "%s", what);
}

static enum rc
follow_open(struct auditchain *c, const struct fixed *r, struct span rest, struct fault *f)
{
	if (!span_is(r->event, "\"open\"") || r->seq == 0)
		return broken(f, "the first line is no open record");
	if (!read_tenants(c, rest))
		return broken(f, "an open record without the tenants' sequences");
	return RC_OK;
}

static enum rc
follow_next(struct auditchain *c, const struct fixed *r, struct fault *f)
{
	struct tenant *t = NULL;

	if (r->seq != c->at.seq + 1)
		return broken(f, "a record is missing or repeated");
	if (memcmp(r->prev.ptr + 1, c->at.prev, AUDIT_HASH_TEXT) != 0)
		return broken(f, "the record before was altered");
	if (r->tenant.len == 0)
		return RC_OK;
	TRY(get_tenant(c, r->tenant, &t, f));
	if (r->tenant_seq != t->seq + 1)
		return broken(f, "a tenant's sequence has a gap");
	t->seq++;
	return RC_OK;
}

enum rc
auditchain_follow(struct auditchain *c, struct span line, bool first, struct fault *f)
{
	struct auditmark next = { 0 };
	struct span rest = line;
	struct fixed r;

	if (!cut_fixed(&rest, &r) || line.ptr[line.len - 1] != '}')
		return broken(f, "a line is no audit record");
	TRY(first ? follow_open(c, &r, rest, f) : follow_next(c, &r, f));
	TRY(hash_line(c, line, next.prev, f));
	next.seq = r.seq;
	c->at = next;
	return RC_OK;
}
