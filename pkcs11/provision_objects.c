#include <string.h>

#include "pkcs11/label.h"
#include "pkcs11/p11rc.h"
#include "pkcs11/provision_token.h"
#include "pkcs11/provision_uses.h"
#include "pkcs11/show.h"

enum { OBJECTS_MAX = 100000, OBJECTS_BATCH = 256, LABEL_WIDTH = 41 };

/* What the token does not answer shows as the worse of the two. */
struct object {
	CK_KEY_TYPE type;
	CK_BBOOL sensitive, extractable, sign, local;
	uint8_t id[64], label[128];
	size_t id_len, label_len;
};

static const char *
type_name(CK_KEY_TYPE type)
{
	switch (type) {
	case CKK_EC: return "EC";
	case CKK_RSA: return "RSA";
	default: return "other";
	}
}

static const char *
yes_no(CK_BBOOL b)
{
	return b ? "yes" : "no";
}

static const char *
true_false(CK_BBOOL b)
{
	return b ? "true" : "false";
}

static enum rc
read_object(struct login *l, CK_OBJECT_HANDLE handle, struct object *out, struct fault *f)
{
	struct object b = { .type = CK_UNAVAILABLE_INFORMATION, .extractable = CK_TRUE };
	CK_ATTRIBUTE a[] = {
		{ CKA_ID, b.id, sizeof b.id },
		{ CKA_LABEL, b.label, sizeof b.label },
		{ CKA_KEY_TYPE, &b.type, sizeof b.type },
		{ CKA_SENSITIVE, &b.sensitive, sizeof b.sensitive },
		{ CKA_EXTRACTABLE, &b.extractable, sizeof b.extractable },
		{ CKA_SIGN, &b.sign, sizeof b.sign },
		{ CKA_LOCAL, &b.local, sizeof b.local },
	};
	CK_RV rv = l->fn->C_GetAttributeValue(l->idle, handle, a, ARRAY_LEN(a));

	/* PKCS#11 v2.40 section 5.7: with these codes all other attributes are there. */
	if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_ATTRIBUTE_SENSITIVE &&
	    rv != CKR_BUFFER_TOO_SMALL)
		return FAULT(f, RC_HSM, "objects", "C_GetAttributeValue: %s", p11rc_name(rv));
	b.id_len = a[0].ulValueLen <= sizeof b.id ? a[0].ulValueLen : 0;
	b.label_len = a[1].ulValueLen <= sizeof b.label ? a[1].ulValueLen : 0;
	*out = b;
	return RC_OK;
}

/* ---- one line or one object each -------------------------------------------------- */

struct listing {
	struct provision_token *t;
	struct uses uses;
	struct token_uri uri;
	FILE *out;
	bool json, first;
};

typedef enum rc show_fn(struct listing *l, const struct object *b, struct fault *f);

static void
name_json(struct listing *l, const struct object *b)
{
	fputs(l->first ? "{\"label\":" : ",{\"label\":", l->out);
	show_json(l->out, span_of(b->label, b->label_len));
	fputs(",\"id\":\"", l->out);
	show_hex(l->out, span_of(b->id, b->id_len));
	fputc('"', l->out);
}

/* ---- whose, and what for ---- */

/* NULL: of one that is known, but not whether it is this one. */
static const char *
owner_of(const struct listing *l, const struct label *label)
{
	if (label->form != FRAME_LABEL_OWNED)
		return "unknown";
	if (!l->uses.owner_known)
		return NULL;
	return memcmp(label->name, l->uses.owner, FRAME_OWNER) == 0 ? "this" : "another";
}

/* The agent's word, else the label's; of len 0: neither says anything. */
static struct span
use_of(const struct use *use, const struct label *label)
{
	if (use != NULL && use->use.len > 0)
		return use->use;
	if (label->form == FRAME_LABEL_CANARY)
		return span_str("canary");
	return span_str(label->form == FRAME_LABEL_IMPORTED ? "imported" : "");
}

static void
word(FILE *out, struct span text, int width)
{
	show_text(out, text.len > 0 ? text : span_str("-"), width);
}

static void
line_of_use(struct listing *l, const struct object *b)
{
	const struct use *use = uses_find(&l->uses, span_of(b->id, b->id_len));
	struct label label = label_read(span_of(b->label, b->label_len));
	const char *owner = owner_of(l, &label);

	/* Where it is not known which is ours, they can still be told apart. */
	if (owner == NULL)
		show_hex(l->out, span_of(label.name, FRAME_OWNER));
	show_text(l->out, span_str(owner != NULL ? owner : ""), owner != NULL ? 17 : 1);
	word(l->out, use_of(use, &label), 11);
	show_hex(l->out, span_of(b->id, b->id_len));
	if (use != NULL && use->of.len > 0) {
		fputc(' ', l->out);
		show_text(l->out, use->of, 1);
	}
}

static void
member(FILE *out, const char *name, struct span text)
{
	fprintf(out, ",\"%s\":", name);
	if (text.len > 0)
		show_json(out, text);
	else
		fputs("null", out);
}

static void
json_of_use(struct listing *l, const struct object *b)
{
	const struct use *use = uses_find(&l->uses, span_of(b->id, b->id_len));
	struct label label = label_read(span_of(b->label, b->label_len));
	const char *owner = owner_of(l, &label);

	member(l->out, "owner", span_str(owner != NULL ? owner : ""));
	fputs(",\"installation\":", l->out);
	if (label.form == FRAME_LABEL_OWNED) {
		fputc('"', l->out);
		show_hex(l->out, span_of(label.name, FRAME_OWNER));
		fputc('"', l->out);
	} else {
		fputs("null", l->out);
	}
	member(l->out, "use", use_of(use, &label));
	member(l->out, "of", use != NULL ? use->of : span_str(""));
}

static enum rc
show_key(struct listing *l, const struct object *b, struct fault *f)
{
	char uri[URI_TEXT_MAX];

	if (!l->json) {
		show_text(l->out, span_of(b->label, b->label_len), LABEL_WIDTH);
		fprintf(l->out, " %-5s %-9s %-11s %-4s %-9s ", type_name(b->type),
		    yes_no(b->sensitive), yes_no(b->extractable), yes_no(b->sign),
		    b->local ? "generated" : "imported");
		line_of_use(l, b);
		fputc('\n', l->out);
		return RC_OK;
	}
	TRY(key_uri_format(
	    &l->uri, span_of(b->id, b->id_len), span_of(b->label, b->label_len), uri, f));
	name_json(l, b);
	fprintf(l->out,
	    ",\"type\":\"%s\",\"sensitive\":%s,\"extractable\":%s,\"sign\":%s,"
	    "\"origin\":\"%s\",\"uri\":",
	    type_name(b->type), true_false(b->sensitive), true_false(b->extractable),
	    true_false(b->sign), b->local ? "generated" : "imported");
	show_json(l->out, span_str(uri));
	json_of_use(l, b);
	fputc('}', l->out);
	return RC_OK;
}

static enum rc
show_certificate(struct listing *l, const struct object *b, struct fault *f)
{
	(void)f;
	if (l->json) {
		name_json(l, b);
		fputc('}', l->out);
		return RC_OK;
	}
	show_text(l->out, span_of(b->label, b->label_len), LABEL_WIDTH);
	fprintf(l->out, " %-5s %-9s %-11s %-4s %-9s %-16s %-10s ", "cert", "-", "-", "-", "-",
	    "-", "-");
	show_hex(l->out, span_of(b->id, b->id_len));
	fputc('\n', l->out);
	return RC_OK;
}

static enum rc
show_batch(
    struct listing *l, const CK_OBJECT_HANDLE *batch, size_t n, show_fn *show, struct fault *f)
{
	struct object b;

	for (size_t i = 0; i < n; i++) {
		TRY(read_object(&l->t->login, batch[i], &b, f));
		TRY(show(l, &b, f));
		l->first = false;
	}
	return RC_OK;
}

static enum rc
list_class(struct listing *l, CK_OBJECT_CLASS class, show_fn *show, struct fault *f)
{
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class } };
	struct login *login = &l->t->login;
	CK_OBJECT_HANDLE batch[OBJECTS_BATCH];
	CK_ULONG n = 1;
	CK_RV rv = login->fn->C_FindObjectsInit(login->idle, template, ARRAY_LEN(template));

	l->first = true;
	for (size_t total = 0; rv == CKR_OK && n > 0 && total < OBJECTS_MAX; total += n) {
		rv = login->fn->C_FindObjects(login->idle, batch, OBJECTS_BATCH, &n);
		if (rv == CKR_OK && n > OBJECTS_BATCH)
			rv = CKR_GENERAL_ERROR;
		if (rv == CKR_OK)
			TRY(show_batch(l, batch, n, show, f));
	}
	if (rv == CKR_OK)
		rv = login->fn->C_FindObjectsFinal(login->idle);
	if (rv != CKR_OK)
		return FAULT(f, RC_HSM, "objects", "search: %s", p11rc_name(rv));
	return RC_OK;
}

static void
put_head(const struct listing *l)
{
	if (!l->json) {
		fputs("LABEL                                     TYPE  SENSITIVE EXTRACTABLE "
		      "SIGN ORIGIN    OWNER            USE        ID\n",
		    l->out);
		return;
	}
	fputs("{\"schema\":\"vesper/hsm-objects/1\",\"installation\":", l->out);
	fputs(l->uses.owner_known ? "\"" : "null", l->out);
	if (l->uses.owner_known)
		show_hex(l->out, span_of(l->uses.owner, FRAME_OWNER));
	fputs(l->uses.owner_known ? "\",\"keys\":[" : ",\"keys\":[", l->out);
}

static enum rc
list_all(struct listing *l, struct fault *f)
{
	put_head(l);
	TRY(list_class(l, CKO_PRIVATE_KEY, show_key, f));
	if (l->json)
		fputs("],\"certificates\":[", l->out);
	TRY(list_class(l, CKO_CERTIFICATE, show_certificate, f));
	if (l->json)
		fputs("]}\n", l->out);
	return RC_OK;
}

enum rc
provision_objects(struct provision *o, FILE *out, struct fault *f)
{
	AUTO_TOKEN t = PROVISION_TOKEN_INIT;
	struct listing l = { .t = &t, .out = out, .json = o->json };
	enum rc rc;

	if (o->uses_name != NULL)
		TRY(uses_read(buf_view(&o->uses), &l.uses, f));
	rc = provision_open(o, false, &t, f);
	if (rc == RC_OK) {
		provision_unlock(&t);
		l.uri = provision_uri(&t);
		rc = list_all(&l, f);
	}
	uses_done(&l.uses);
	return rc;
}
