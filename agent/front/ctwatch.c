#include "agent/front/ctwatch.h"

#include <inttypes.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "agent/front/history.h"
#include "agent/front/keyfile.h"
#include "agent/front/store.h"
#include "agent/front/transparency.h"
#include "agent/front/want.h"
#include "agent/front/works.h"
#include "agent/log.h"
#include "stir/jtext.h"
#include "stir/text.h"

enum { WATCH_FILE_MAX = 65536, WATCH_AGAIN_S = 60, WATCH_MORE = 16, CT_UNREADABLE_MAX = 4 };

/* ---- on disk ------------------------------------------------------------------------------- */

static enum rc
file_of(
    const struct config *c, const struct ct_log *log, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/ct/%s.watch.json", c->state_dir, log->hex);
}

static json_t *
edge_json(const struct merkle_edge *e)
{
	json_t *nodes = json_array();
	char hex[2 * MERKLE_HASH + 1];

	for (size_t i = 0; i < merkle_nodes(e->size); i++) {
		works_hex(e->node[i], MERKLE_HASH, hex);
		if (json_array_append_new(nodes, json_string(hex)) != 0) {
			json_decref(nodes);
			return NULL;
		}
	}
	return json_pack("{s:I, s:o}", "size", (json_int_t)e->size, "nodes", nodes);
}

/* What never ends is beyond what JSON holds: the end of 9999 (RFC 5280 section 4.1.2.5). */
static json_int_t
until_json(int64_t until_s)
{
	return until_s < INT64_C(253402300800) ? (json_int_t)until_s : INT64_C(253402300800);
}

static json_t *
found_json(const struct ct_found *x)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "tenant", x->tenant, "serial",
	    x->serial, "issuer", x->issuer, "what", x->what, "index", (json_int_t)x->index,
	    "until", x->not_after_s < INT64_C(253402300800) ? (json_int_t)x->not_after_s : 0);
}

static bool
is_over(const struct ct_found *x, int64_t now_s)
{
	return x->not_after_s < now_s;
}

static json_t *
list_json(const struct ct_found_list *l, int64_t now_s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->len; i++) {
		if (!is_over(&l->item[i], now_s) &&
		    json_array_append_new(list, found_json(&l->item[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static enum rc
write_file(
    const struct config *c, const struct ct_log *log, const struct ctwatch *w, struct fault *f)
{
	struct store_path path = { 0 };
	char root[2 * MERKLE_HASH + 1];
	json_auto_t *file = NULL;

	works_hex(w->goal.root, MERKLE_HASH, root);
	file = json_pack("{s:o, s:o, s:I, s:s, s:o, s:I, s:o, s:I, s:I, s:I}", "done",
	    edge_json(&w->done), "reading", edge_json(&w->reading), "goal",
	    (json_int_t)w->goal.size, "root", root, "found", list_json(&w->found, INT64_MIN),
	    "more", (json_int_t)w->found.more, "tentative", list_json(&w->tentative, INT64_MIN),
	    "more_tentative", (json_int_t)w->tentative.more, "more_until",
	    until_json(w->found.more_until_s), "more_tentative_until",
	    until_json(w->tentative.more_until_s));
	TRY(file_of(c, log, &path, f));
	return store_write_json(path.text, file, WATCH_FILE_MAX, f);
}

static bool
take_edge(json_t *from, struct merkle_edge *out)
{
	json_int_t size;
	json_t *nodes;

	if (json_unpack(from, "{s:I, s:o!}", "size", &size, "nodes", &nodes) != 0 || size < 0 ||
	    !json_is_array(nodes) || json_array_size(nodes) != merkle_nodes((uint64_t)size))
		return false;
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *hex = json_array_get(nodes, i);

		if (json_string_length(hex) != (size_t)2 * MERKLE_HASH ||
		    !works_unhex(json_string_value(hex), out->node[i], MERKLE_HASH))
			return false;
	}
	out->size = (uint64_t)size;
	return true;
}

static bool
take_found(json_t *row, struct ct_found *x)
{
	const char *tenant, *serial, *issuer, *what;
	json_int_t index, until;

	if (json_unpack(row, "{s:s, s:s, s:s, s:s, s:I, s:I!}", "tenant", &tenant, "serial",
		&serial, "issuer", &issuer, "what", &what, "index", &index, "until",
		&until) != 0)
		return false;
	x->index = (uint64_t)index;
	x->not_after_s = until != 0 ? until : INT64_MAX;
	return text_copy(x->tenant, sizeof x->tenant, tenant) &&
	       text_copy(x->serial, sizeof x->serial, serial) &&
	       text_copy(x->issuer, sizeof x->issuer, issuer) &&
	       text_copy(x->what, sizeof x->what, what);
}

static bool
take_list(const json_t *list, json_int_t more, struct ct_found_list *out)
{
	if (!json_is_array(list) || json_array_size(list) > CT_FOUND_MAX || more < 0)
		return false;
	out->more = (uint64_t)more;
	for (; out->len < json_array_size(list); out->len++) {
		if (!take_found(json_array_get(list, out->len), &out->item[out->len]))
			return false;
	}
	return true;
}

static bool
take_file(json_t *file, struct ctwatch *w)
{
	json_t *done, *reading, *found, *tentative;
	json_int_t goal, more, more_tentative, until = INT64_MAX, until_tentative = INT64_MAX;
	const char *root;

	if (json_unpack(file, "{s:o, s:o, s:I, s:s, s:o, s:I, s:o, s:I, s?I, s?I!}", "done",
		&done, "reading", &reading, "goal", &goal, "root", &root, "found", &found,
		"more", &more, "tentative", &tentative, "more_tentative", &more_tentative,
		"more_until", &until, "more_tentative_until", &until_tentative) != 0 ||
	    goal < 0 || strlen(root) != (size_t)2 * MERKLE_HASH ||
	    !works_unhex(root, w->goal.root, MERKLE_HASH))
		return false;
	w->goal.size = (uint64_t)goal;
	w->found.more_until_s = until;
	w->tentative.more_until_s = until_tentative;
	return take_edge(done, &w->done) && take_edge(reading, &w->reading) &&
	       take_list(found, more, &w->found) &&
	       take_list(tentative, more_tentative, &w->tentative) &&
	       w->reading.size >= w->done.size;
}

static enum rc
read_file(const struct config *c, const struct ct_log *log, struct ctwatch *w, struct fault *f)
{
	struct store_path path = { 0 };
	json_auto_t *file = NULL;

	TRY(file_of(c, log, &path, f));
	TRY(store_read_json(path.text, WATCH_FILE_MAX, &file, f));
	if (!take_file(file, w))
		return FAULT(f, RC_INVALID, "ct_file", "%s: not as we write it", path.text);
	return RC_OK;
}

enum rc
ctwatch_open(
    const struct config *c, const struct ct_log *log, struct ctwatch **out, struct fault *f)
{
	AUTO_FREE struct ctwatch *w = calloc(1, sizeof *w);
	struct fault why = { 0 };
	enum rc rc;

	if (w == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a log");
	rc = read_file(c, log, w, &why);
	if (rc == RC_NO_MEMORY)
		return FAULT(f, rc, why.reason, "%s", why.detail);
	if (rc != RC_OK) /* from its beginning */
		*w = (struct ctwatch){ .due_s = 0 };
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		log_fault(LEVEL_ERR, "ct_file", &why);
	*out = TAKE(w);
	return RC_OK;
}

/* ---- how far ------------------------------------------------------------------------------- */

bool
ctwatch_next(struct ctwatch *w, const struct merkle_tree *head, int64_t now_s, uint64_t *first,
    uint64_t *last)
{
	uint64_t left;

	/* A clock that was set back must not put it off for long. */
	if (w->due_s > now_s && w->due_s <= now_s + WATCH_AGAIN_S)
		return false;
	if (w->goal.size == 0) {
		if (head->size <= w->done.size)
			return false;
		w->goal = *head;
		w->reading = w->done;
		w->tentative = (struct ct_found_list){ .len = 0 };
	}
	if (w->page == 0 || w->page > CTENTRY_PAGE)
		w->page = CTENTRY_PAGE;
	left = w->goal.size - w->reading.size;
	*first = w->reading.size;
	*last = *first + (left < w->page ? left : w->page) - 1;
	return true;
}

bool
ctwatch_stands(const struct ctwatch *w, const struct merkle_tree *head)
{
	return w->goal.size != 0 || head->size > w->done.size;
}

void
ctwatch_fails(struct ctwatch *w, const char *why, int64_t at_s)
{
	/* Its entries may be larger than others: fewer at a time, and more again bit by bit. */
	if (at_s != 0)
		w->page = w->page > 1 ? w->page / 2 : 1;
	else
		w->page += WATCH_MORE;
	(void)text_copy(w->why, sizeof w->why, why);
	w->due_s = at_s;
}

/* ---- whose it is --------------------------------------------------------------------------- */

/* Whatever of the tenant the certificate speaks for: said in what. */
static bool
concerns(const struct config *config, const struct config_tenant *t, const struct cert *cert,
    char what[CT_FOUND_TEXT])
{
	char domain[WANT_DOMAIN_MAX + 1];
	struct tn_interval common = { 0, 0 };
	char text[TNSET_TEXT];

	if (cert->tnauth != NULL && t->numbers != NULL &&
	    tnset_meets(t->numbers, tnauth_numbers(cert->tnauth), &common)) {
		tnset_text(common, text);
		return text_copy(what, CT_FOUND_TEXT, text);
	}
	for (size_t i = 0; i < t->credentials; i++) {
		const struct config_credential *cc = &t->credential[i];

		if (cert->tnauth != NULL && cc->spc != NULL &&
		    tnauth_has_spc(cert->tnauth, cc->spc)) {
			(void)snprintf(what, CT_FOUND_TEXT, "spc %s", cc->spc);
			return true;
		}
		want_domain(config, cc, domain);
		if (domain[0] != 0 && X509_check_host(cert->x509, domain, 0,
					  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1) {
			(void)snprintf(what, CT_FOUND_TEXT, "%.*s", CT_FOUND_TEXT - 1, domain);
			return true;
		}
	}
	return false;
}

static bool
in_history(const struct config *config, const struct config_tenant *t, const struct cert *cert)
{
	struct history h = { .len = 0 };
	char key[2 * KEY_ID_LEN + 1];

	works_hex(cert->key_id, KEY_ID_LEN, key);
	for (size_t i = 0; i < t->credentials; i++) {
		if (history_read(config, t->name, t->credential[i].name, &h, NULL) != RC_OK)
			continue;
		for (size_t k = 0; k < h.len; k++) {
			if (strcmp(h.item[k].key, key) == 0)
				return true;
		}
	}
	return false;
}

/*
 * Ordered here means that its key is one of ours: no request of another has
 * it.  A key that is there has its file, one that was destroyed is in the
 * history of its tenant.
 */
static bool
is_ours(const struct config *config, const struct config_tenant *t, const struct cert *cert)
{
	struct keyfile k = { .made_s = 0 };

	return cert->p256 && (keyfile_read(config, cert->key_id, &k, NULL) == RC_OK ||
				 in_history(config, t, cert));
}

static size_t
rows_of(const struct ct_found_list *l, const char *tenant)
{
	size_t n = 0;

	for (size_t i = 0; i < l->len; i++)
		n += strcmp(l->item[i].tenant, tenant) == 0;
	return n;
}

static void
count_more(struct ct_found_list *l, const struct ct_found *x)
{
	l->more++;
	if (x->not_after_s > l->more_until_s)
		l->more_until_s = x->not_after_s;
}

/* The last row of whoever has the most gives its place up; NULL: none has two. */
static struct ct_found *
spare_row(struct ct_found_list *l)
{
	struct ct_found *spare = NULL;
	size_t most = 1;

	for (size_t i = 0; i < l->len; i++) {
		size_t n = rows_of(l, l->item[i].tenant);

		if (n >= most && n > 1)
			spare = &l->item[i];
		most = n > most ? n : most;
	}
	return spare;
}

/* Each tenant has a row before one has many, and what cannot be read has few. */
static void
add(struct ct_found_list *l, const struct ct_found *x)
{
	size_t has = rows_of(l, x->tenant);
	struct ct_found *spare;

	if (x->tenant[0] == 0 && has >= CT_UNREADABLE_MAX) {
		count_more(l, x);
		return;
	}
	if (l->len < CT_FOUND_MAX) {
		l->item[l->len++] = *x;
		return;
	}
	spare = has == 0 ? spare_row(l) : NULL;
	count_more(l, spare != NULL ? spare : x);
	if (spare != NULL)
		*spare = *x;
}

/* An issuer's name may hold anything: for a terminal it is flattened. */
static void
judge_cert(const struct config *config, const struct cert *cert, uint64_t index,
    struct ct_found_list *out)
{
	struct ct_found x = { .index = index, .not_after_s = cert->not_after_s };
	char issuer[CREDENTIAL_PROBLEM_MAX];

	credential_clip(cert->issuer, issuer);
	(void)snprintf(x.issuer, sizeof x.issuer, "%.*s", CT_ISSUER_MAX - 1, issuer);
	text_flatten(x.issuer); /* nor is a character cut in two */
	(void)text_copy(x.serial, sizeof x.serial, cert->serial);
	for (size_t i = 0; i < config->tenants; i++) {
		const struct config_tenant *t = &config->tenant[i];

		if (!concerns(config, t, cert, x.what) || is_ours(config, t, cert))
			continue;
		(void)text_copy(x.tenant, sizeof x.tenant, t->name);
		add(out, &x);
	}
}

/* What cannot be read might be for anybody, where it names numbers at all. */
static void
judge_leaf(const struct config *config, struct span leaf, uint64_t index, int64_t now_s,
    struct ct_found_list *out)
{
	struct ct_found x = { .index = index, .not_after_s = INT64_MAX };
	struct ctentry e = { .time_ms = 0 };
	AUTO(cert) *cert = NULL;
	struct fault why = { 0 };
	enum rc rc = ctentry_decode(leaf, &e, &why);

	if (rc == RC_OK)
		rc = ctentry_cert(&e, true, &cert, &why);
	if (rc == RC_OK) {
		if (cert->not_after_s >= now_s)
			judge_cert(config, cert, index, out);
		return;
	}
	if (e.body.len > 0 && !ctentry_names_tnauth(&e))
		return;
	(void)snprintf(x.what, sizeof x.what, "unreadable: %s", why.reason);
	add(out, &x);
}

/* ---- a page of entries --------------------------------------------------------------------- */

static void
commit_list(struct ct_found_list *to, const struct ct_found_list *from, int64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < to->len; i++) {
		if (!is_over(&to->item[i], now_s))
			to->item[kept++] = to->item[i];
	}
	to->len = kept;
	if (to->more_until_s < now_s)
		to->more = 0;
	for (size_t i = 0; i < from->len; i++)
		add(to, &from->item[i]);
	to->more += from->more;
	if (from->more_until_s > to->more_until_s)
		to->more_until_s = from->more_until_s;
}

/* Numbers are in no log of ours: vesper ct watch shows them. */
static void
say(const struct ct_log *log, const struct ct_found_list *l)
{
	for (size_t i = 0; i < l->len; i++)
		log_event(LEVEL_WARNING, "certificate_not_ordered",
		    "log=%.16s entry=%" PRIu64 " tenant=%s serial=%s", log->hex,
		    l->item[i].index, l->item[i].tenant[0] != 0 ? l->item[i].tenant : "-",
		    l->item[i].serial[0] != 0 ? l->item[i].serial : "-");
	if (l->more > 0)
		log_event(LEVEL_WARNING, "certificate_not_ordered", "log=%.16s more=%" PRIu64,
		    log->hex, l->more);
}

/* All of the goal is read: is it what the log has signed? */
static enum rc
finish(struct ctwatch *w, const struct merkle_edge *all, const struct ct_found_list *found,
    int64_t now_s, struct fault *f)
{
	uint8_t root[MERKLE_HASH];

	TRY(merkle_root(all, root, f));
	if (memcmp(root, w->goal.root, MERKLE_HASH) != 0) {
		w->goal.size = 0; /* from what is proven, again */
		w->wrong = true;
		return FAULT(
		    f, RC_DENIED, "merkle_root", "its entries are not those of its tree head");
	}
	commit_list(&w->found, found, now_s);
	w->done = *all;
	w->reading = *all;
	w->goal.size = 0;
	w->tentative = (struct ct_found_list){ .len = 0 };
	w->wrong = false;
	return RC_OK;
}

static enum rc
read_page(const struct config *config, const struct ctentry_list *page, int64_t now_s,
    struct merkle_edge *edge, struct ct_found_list *found, struct fault *f)
{
	for (size_t i = 0; i < page->len; i++) {
		struct span leaf = ctentry_leaf(page, i);
		uint8_t hash[MERKLE_HASH];

		judge_leaf(config, leaf, edge->size, now_s, found);
		TRY(merkle_leaf(leaf, hash, f));
		TRY(merkle_add(edge, hash, f));
	}
	return RC_OK;
}

static enum rc
take_page(struct works *works, struct ct_log *log, const struct ctentry_list *page,
    int64_t now_s, struct fault *f)
{
	struct ctwatch *w = log->watch;
	struct merkle_edge edge = w->reading;
	struct ct_found_list found = w->tentative;
	enum rc rc;

	TRY(read_page(works->set->config, page, now_s, &edge, &found, f));
	pthread_mutex_lock(&works->ct->lock);
	if (edge.size == w->goal.size) {
		rc = finish(w, &edge, &found, now_s, f);
	} else {
		w->reading = edge;
		w->tentative = found;
		rc = RC_OK;
	}
	pthread_mutex_unlock(&works->ct->lock);
	TRY(rc);
	if (w->goal.size == 0) /* and not under the lock, which who signs may wait for */
		say(log, &found);
	return write_file(works->set->config, log, w, f);
}

enum rc
ctwatch_take(struct works *works, struct ct_log *log, struct span json, uint64_t first,
    size_t most, int64_t now_s, struct fault *f)
{
	struct ctwatch *w = log->watch;
	struct ctentry_list page = { .len = 0 };
	enum rc rc;

	/* Another head was begun with meanwhile, or nothing is read any more. */
	if (w->goal.size == 0 || w->reading.size != first)
		return RC_OK;
	rc = ctentry_read(json, most, &page, f);
	if (rc == RC_OK)
		rc = take_page(works, log, &page, now_s, f);
	ctentry_done(&page);
	pthread_mutex_lock(&works->ct->lock);
	if (rc == RC_OK)
		w->moved_s = now_s;
	if (rc == RC_OK && w->goal.size == 0)
		w->even_s = now_s;
	if (rc == RC_OK)
		ctwatch_fails(w, "", 0);
	else
		ctwatch_fails(w, f->detail, now_s + WATCH_AGAIN_S);
	pthread_mutex_unlock(&works->ct->lock);
	return rc;
}

/* ---- shown --------------------------------------------------------------------------------- */

json_t *
ctwatch_show(const struct ctwatch *w, bool behind, int64_t now_s)
{
	return json_pack("{s:b, s:I, s:s?, s:o, s:I}", "behind", behind, "read",
	    (json_int_t)w->done.size, "problem", w->why[0] != 0 ? w->why : NULL, "found",
	    list_json(&w->found, now_s), "more",
	    (json_int_t)(w->found.more_until_s >= now_s ? w->found.more : 0));
}

size_t
ctwatch_count(const struct ctwatch *w, const char *tenant, int64_t now_s)
{
	size_t n = 0;

	for (size_t i = 0; i < w->found.len; i++) {
		const struct ct_found *x = &w->found.item[i];

		n += !is_over(x, now_s) && (tenant == NULL || strcmp(x->tenant, tenant) == 0);
	}
	return n;
}
