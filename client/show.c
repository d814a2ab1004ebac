#include "client/show.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/cli.h"
#include "stir/digest.h"
#include "stir/jtext.h"
#include "stir/text.h"

static json_t *
hex_text(struct span bytes)
{
	AUTO_BUF text = BUF_INIT(2 * CERT_MAX_DER);

	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(&text, "%02x", bytes.ptr[i]);
	return json_stringn((const char *)text.ptr, text.len);
}

static json_t *
time_text(int64_t time_s)
{
	char text[TIME_TEXT];

	cli_time_text(time_s, text);
	return json_string(text);
}

/* ---- TNAuthList ------------------------------------------------------------------ */

static json_t *
entry(const struct tnauth_entry *e)
{
	switch (e->kind) {
	case TNAUTH_SPC: return json_pack("{s:s}", "spc", e->spc);
	case TNAUTH_ONE: return json_pack("{s:s}", "one", e->start.text);
	case TNAUTH_RANGE:
		return json_pack("{s:{s:s, s:I}}", "range", "start", e->start.text, "count",
		    (json_int_t)e->count);
	}
	return NULL;
}

json_t *
show_tnauth(const struct tnauth *list)
{
	json_t *entries = json_array();

	for (size_t i = 0; i < tnauth_len(list); i++) {
		if (json_array_append_new(entries, entry(tnauth_at(list, i))) != 0) {
			json_decref(entries);
			return NULL;
		}
	}
	return json_pack("{s:o, s:I, s:i}", "entries", entries, "numbers",
	    (json_int_t)tnset_count(tnauth_numbers(list)), "spcs", (int)tnauth_spcs(list));
}

/* ---- constraints ----------------------------------------------------------------- */

json_t *
show_strings(char *const *item, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(list, json_string(item[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *
permitted(const struct constraints *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->permitteds; i++) {
		const struct permitted *p = &c->permitted[i];
		struct privacy_name n = { 0 };
		json_t *one = json_pack("{s:s, s:o}", "claim", p->claim, "values",
		    show_strings(p->value, p->values));

		if (one != NULL && privacy_name(p->claim, &n, NULL) == RC_OK &&
		    n.mode != PRIVACY_VALUE)
			(void)!json_object_set_new(
			    one, "mode", json_string(privacy_mode_name(n.mode)));

		if (json_array_append_new(list, one) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *
show_constraints(const struct constraints *c)
{
	return json_pack("{s:o, s:o, s:o, s:s}", "must_include",
	    show_strings(c->must_include, c->must_includes), "permitted_values", permitted(c),
	    "must_exclude", show_strings(c->must_exclude, c->must_excludes), "form",
	    c->form == CONSTRAINTS_JWT ? "jwtcc" : "ejwtcc");
}

/* ---- certificates ----------------------------------------------------------------- */

json_t *
show_fingerprint(const struct cert *c)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	if (digest_sha256(span_of(c->der, c->der_len), hash, NULL) != RC_OK)
		return NULL;
	return hex_text(span_of(hash, sizeof hash));
}

static int
set_lists(json_t *to, const struct cert *c)
{
	int bad = 0;

	if (c->p256)
		bad |=
		    json_object_set_new(to, "key_id", hex_text(span_of(c->key_id, KEY_ID_LEN)));
	if (c->dns_name != NULL)
		bad |= json_object_set_new(to, "dns_name", json_string(c->dns_name));
	if (c->tnauth != NULL)
		bad |= json_object_set_new(to, "tnauthlist", show_tnauth(c->tnauth));
	if (c->constraints != NULL)
		bad |= json_object_set_new(to, "constraints", show_constraints(c->constraints));
	return bad;
}

json_t *
show_cert(const struct cert *c)
{
	bool scts = X509_get_ext_by_NID(c->x509, NID_ct_precert_scts, -1) >= 0;
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:s, s:o, s:b, s:b, s:o}",
	    "subject", c->subject, "issuer", c->issuer, "serial", c->serial, "not_before",
	    time_text(c->not_before_s), "not_after", time_text(c->not_after_s), "ca", c->is_ca,
	    "key", c->p256 ? "P-256" : "other", "policies",
	    show_strings(c->policy, c->policies), "scts", scts, "tnauthlist_by_reference",
	    c->tnauth_by_reference, "sha256", show_fingerprint(c));

	if (out != NULL && set_lists(out, c) != 0) {
		json_decref(out);
		return NULL;
	}
	return out;
}

/* ---- for people --------------------------------------------------------------------- */

void
show_plain(const char *text)
{
	uint32_t point = 0;

	for (struct span s = span_str(text); s.len > 0;) {
		size_t n = text_char(s, &point);

		if (n == 0 || text_is_hidden(point))
			putchar('?');
		else
			fwrite(s.ptr, 1, n, stdout);
		span_cut(&s, n == 0 ? 1 : n);
	}
}

static void
print_scalar(const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		show_plain(json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY);
	fputs(text == NULL ? "?" : text, stdout);
	free(text);
}

static bool
is_flat(const json_t *value)
{
	return !json_is_array(value) && !json_is_object(value);
}

static bool
is_short(const json_t *value)
{
	return is_flat(value) || json_array_size(value) + json_object_size(value) == 0;
}

static void
print_member(const char *name, const json_t *value, int indent, bool hanging)
{
	printf("%*s%s:", hanging ? 0 : indent, "", name);
	if (!is_short(value)) {
		putchar('\n');
		show_text(value, indent + 2);
		return;
	}
	putchar(' ');
	if (is_flat(value))
		print_scalar(value);
	else
		fputs("none", stdout);
	putchar('\n');
}

/* hanging: the first line has been begun already. */
static void
show_members(const json_t *object, int indent, bool hanging)
{
	json_t *walk = jtext_walk(object);

	for (void *m = json_object_iter(walk); m != NULL; m = json_object_iter_next(walk, m)) {
		print_member(
		    json_object_iter_key(m), json_object_iter_value(m), indent, hanging);
		hanging = false;
	}
}

static void
show_items(const json_t *list, int indent)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		printf("%*s- ", indent, "");
		if (json_is_object(item)) {
			show_members(item, indent + 2, true);
			continue;
		}
		if (is_flat(item))
			print_scalar(item);
		putchar('\n');
		if (!is_flat(item))
			show_items(item, indent + 2);
	}
}

void
show_text(const json_t *value, int indent)
{
	show_members(value, indent, false);
	show_items(value, indent);
}
