#include "agent/front/observe.h"

#include "agent/log.h"
#include "stir/jtext.h"

static enum rc
invalid(struct fault *f, const char *member, const char *what)
{
	return REFUSE(f, RC_INVALID, INVALID_MEMBER, member, "%s", what);
}

static enum rc
read_digests(const struct op_call *call, struct rcd_digest digest[RCD__HASHES], struct fault *f)
{
	for (size_t h = 0; h < RCD__HASHES; h++) {
		const char *name = rcd_hash_name((enum rcd_hash)h);
		const json_t *text = json_object_get(call->msg, name);

		if (rcd_digest_parse(jtext_span(text), &digest[h], NULL) != RC_OK ||
		    digest[h].hash != (enum rcd_hash)h)
			return invalid(f, name, "no such digest");
	}
	return RC_OK;
}

/*
 * A jCard is believed in the form that every verifier hashes alike: its octets
 * are its RFC 8225 serialisation (RFC 9795 section 6.1.4), and its digests are
 * made here.
 */
static enum rc
read_card(const struct op_call *call, const struct rcd_digest digest[RCD__HASHES],
    json_t **card, struct fault *f)
{
	struct span text = jtext_span(json_object_get(call->msg, "card"));
	AUTO_BUF form = BUF_INIT(JTEXT_MAX_BYTES);

	if (op_text(call, "card") == NULL)
		return RC_OK;
	TRY(jtext_read(text, card, f));
	TRY(jcard_check(*card, "card", f));
	TRY(jtext_write(&form, *card, f));
	if (!span_eq(buf_view(&form), text))
		return invalid(f, "card", "the jCard is not in RFC 8225 form");
	for (size_t h = 0; h < RCD__HASHES; h++) {
		struct rcd_digest made = { 0 };

		TRY(rcd_digest_of((enum rcd_hash)h, text, &made, f));
		if (memcmp(made.bytes, digest[h].bytes, sizeof made.bytes) != 0)
			return invalid(f, "card", "the digests are of something else");
	}
	return RC_OK;
}

static enum rc
put_in_force(struct works *w, struct contents *t, struct fault *f)
{
	AUTO_CREDSET *set = NULL;

	TRY(credset_copy(w->set, &set, f));
	credset_observe(set, t);
	TRY(w->out.publish(w->out.arg, set, false, f));
	credset_release(w->set);
	w->set = TAKE(set);
	return RC_OK;
}

static enum rc
changed(const struct op_call *call, const struct content *was,
    const struct rcd_digest digest[RCD__HASHES], json_t *card, struct fault *f)
{
	AUTO_CONTENTS *t = NULL;

	TRY(contents_change(call->w->set->contents, call->w->set->config, was->uri, digest,
	    card, call->now_s, &t, f));
	log_event(LEVEL_NOTICE, was->seen_at_s == 0 ? "content_seen" : "content_changed",
	    "uri=%.200s", was->uri);
	return put_in_force(call->w, t, f);
}

static enum rc
looked(const struct op_call *call, struct content *c, struct fault *f)
{
	struct rcd_digest digest[RCD__HASHES] = { 0 };
	json_auto_t *card = NULL;

	TRY(read_digests(call, digest, f));
	TRY(read_card(call, digest, &card, f));
	if (c->seen_at_s != 0 && memcmp(c->digest, digest, sizeof digest) == 0 &&
	    (c->card != NULL) == (card != NULL)) {
		content_looked(c, call->now_s, "");
		return RC_OK;
	}
	return changed(call, c, digest, TAKE(card), f);
}

enum rc
content_op(struct op_call *call, json_t *answer, struct fault *f)
{
	const char *problem = op_text(call, "problem");
	struct content *c = contents_find(call->w->set->contents, op_text(call, "uri"));
	struct fault why = { 0 };
	enum rc rc;

	(void)answer;
	if (c == NULL)
		return REFUSE(f, RC_NOT_FOUND, NOT_FOUND, "uri", "it is not observed");
	if (problem != NULL) {
		content_looked(c, 0, problem);
		return RC_OK;
	}
	rc = looked(call, c, &why);
	if (rc == RC_OK)
		return RC_OK;
	content_looked(c, 0, why.detail);
	return FAULT(f, rc, why.reason, "%s", why.detail);
}
