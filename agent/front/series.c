#include "agent/front/series.h"

#include <assert.h>
#include <stdio.h>

#include "agent/front/store.h"
#include "agent/log.h"
#include "stir/digest.h"
#include "stir/jtext.h"
#include "stir/text.h"

enum { FILE_MAX = 8192, CSR_MODE = 0600 };

static const char *const state_names[] = {
	[SERIES_BEGUN] = "begun",
	[SERIES_RUNNING] = "running",
	[SERIES_CANCELED] = "canceled",
	[SERIES_REFUSED] = "refused",
};
static_assert(ARRAY_LEN(state_names) == SERIES__COUNT, "a name for each");

/* ---- files ---- */

static enum rc
file_of(const struct config *c, const char *id, struct store_path *out, struct fault *f)
{
	return store_path(out, f, "%s/front/series/%s.json", c->state_dir, id);
}

static enum rc
csr_of(const struct config *c, const char *tenant, const char *name, struct store_path *out,
    struct fault *f)
{
	return store_path(
	    out, f, "%s/front/tenants/%s/%s/star.csr", c->state_dir, tenant, name);
}

static enum rc
write_file(const struct config *c, const struct series *s, struct fault *f)
{
	struct store_path path = { 0 };
	char key[2 * KEY_ID_LEN + 1];
	json_auto_t *root = NULL;

	works_hex(s->key_id, KEY_ID_LEN, key);
	root = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}",
	    "tenant", s->tenant, "credential", s->name, "ca", s->ca, "order", s->order, "key",
	    key, "state", state_names[s->state], "end", (json_int_t)s->asked.star_end_s,
	    "lifetime", (json_int_t)s->asked.star_lifetime_s, "adjust",
	    (json_int_t)s->asked.star_adjust_s, "begun", (json_int_t)s->begun_s, "since",
	    (json_int_t)s->since_s, "until", (json_int_t)s->until_s, "answer", s->answer);
	TRY(file_of(c, s->id, &path, f));
	return store_write_json(path.text, root, FILE_MAX, f);
}

static bool
find_state(const char *name, enum series_state *out)
{
	for (unsigned i = 0; i < SERIES__COUNT; i++) {
		if (strcmp(state_names[i], name) == 0) {
			*out = (enum series_state)i;
			return true;
		}
	}
	return false;
}

static bool
take(json_t *root, struct series *s)
{
	const char *tenant, *name, *ca, *order, *key, *state, *answer;
	json_int_t end, lifetime, adjust, begun, since, until;

	if (json_unpack(root,
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s!}", "tenant",
		&tenant, "credential", &name, "ca", &ca, "order", &order, "key", &key, "state",
		&state, "end", &end, "lifetime", &lifetime, "adjust", &adjust, "begun", &begun,
		"since", &since, "until", &until, "answer", &answer) != 0 ||
	    strlen(order) > SERIES_URL_MAX || strlen(key) != 2 * KEY_ID_LEN ||
	    !works_unhex(key, s->key_id, KEY_ID_LEN) || end <= 0 || lifetime <= 0 || adjust < 0)
		return false;
	s->asked = (struct ordered){
		.star_end_s = end, .star_lifetime_s = lifetime, .star_adjust_s = adjust
	};
	s->begun_s = begun;
	s->since_s = since;
	s->until_s = until;
	s->order = strdup(order);
	return s->order != NULL && find_state(state, &s->state) && store_name_ok(tenant) &&
	       store_name_ok(name) && store_name_ok(ca) &&
	       text_copy(s->tenant, sizeof s->tenant, tenant) &&
	       text_copy(s->name, sizeof s->name, name) && text_copy(s->ca, sizeof s->ca, ca) &&
	       text_copy(s->answer, sizeof s->answer, answer);
}

static enum rc
id_of(const char *order, char out[SERIES_ID], struct fault *f)
{
	uint8_t digest[32] = { 0 };

	TRY(digest_sha256(span_str(order), digest, f));
	works_hex(digest, sizeof digest, out);
	return RC_OK;
}

/* ---- the list ---- */

static struct series *
find(const struct works *w, const char *id)
{
	for (size_t i = 0; i < w->series.len; i++) {
		if (strcmp(w->series.item[i].id, id) == 0)
			return &w->series.item[i];
	}
	return NULL;
}

const struct series *
series_find(const struct works *w, const char *id)
{
	return find(w, id);
}

static bool
is_of(const struct series *s, const char *tenant, const char *name)
{
	return strcmp(s->tenant, tenant) == 0 && strcmp(s->name, name) == 0;
}

static bool
is_live(const struct series *s)
{
	return s->state == SERIES_BEGUN || s->state == SERIES_RUNNING;
}

static enum rc
grow(struct works_series *list, struct fault *f)
{
	struct series *item;

	if (list->len >= SERIES_MAX)
		return REFUSE(
		    f, RC_BUSY, OVERLOADED, NULL, "%d series are remembered", SERIES_MAX);
	if (list->len < list->cap)
		return RC_OK;
	item = works_grown(list->item, list->len, &list->cap, sizeof *item);
	if (item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "series");
	list->item = item;
	return RC_OK;
}

void
series_done(struct works *w)
{
	for (size_t i = 0; i < w->series.len; i++)
		free(w->series.item[i].order);
	free(w->series.item);
	w->series = (struct works_series){ 0 };
}

static enum rc
load_one(void *arg, const char *file, struct fault *f)
{
	struct works *w = arg;
	struct store_path path = { 0 };
	struct series s = { .order = NULL };
	json_auto_t *root = NULL;
	struct fault why = { 0 };

	if (strlen(file) != SERIES_ID - 1 + strlen(".json"))
		return RC_OK;
	memcpy(s.id, file, SERIES_ID - 1);
	TRY(file_of(w->set->config, s.id, &path, f));
	if (store_read_json(path.text, FILE_MAX, &root, &why) == RC_OK && take(root, &s) &&
	    grow(&w->series, &why) == RC_OK) {
		s.unfinished = s.state == SERIES_BEGUN;
		w->series.item[w->series.len++] = s;
		return RC_OK;
	}
	free(s.order);
	if (why.rc == RC_NO_MEMORY)
		return FAULT(f, why.rc, why.reason, "%s", why.detail);
	log_event(LEVEL_ERR, "series_unreadable", "file=%s detail=\"%s\"", path.text,
	    why.rc != RC_OK ? why.detail : "not as we write it");
	return RC_OK;
}

enum rc
series_load(struct works *w, struct fault *f)
{
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/front/series", w->set->config->state_dir));
	return store_each(dir.text, load_one, w, f);
}

/* On disk first: what is not recorded is not acted on. */
static enum rc
set_state(struct works *w, struct series *s, enum series_state state, struct fault *f)
{
	struct series to = *s;

	to.state = state;
	TRY(write_file(w->set->config, &to, f));
	*s = to;
	return RC_OK;
}

static void
record(struct works *w, const struct series *s, const char *event, const char *why)
{
	log_event(LEVEL_NOTICE, event, "tenant=%s credential=%s ca=%s state=%s detail=\"%s\"",
	    s->tenant, s->name, s->ca, state_names[s->state], why);
	works_audit(w, event, s->tenant, s->name,
	    json_pack("{s:s, s:s, s:s}", "order", s->order, "state", state_names[s->state],
		"detail", why));
}

/* ---- its request ---- */

static enum rc
read_csr(const struct config *c, const struct series *s, struct pending *out, struct fault *f)
{
	struct store_path path = { 0 };
	AUTO_BUF der = BUF_INIT(PENDING_MAX);
	struct csr_facts facts = { 0 };

	TRY(csr_of(c, s->tenant, s->name, &path, f));
	TRY(store_read(path.text, PENDING_MAX, &der, f));
	TRY(csr_decode(buf_view(&der), &facts, f));
	*out = (struct pending){ der, facts };
	der = BUF_INIT(0); /* theirs now */
	return RC_OK;
}

static const struct series *
running(const struct works *w, const char *tenant, const char *name)
{
	for (size_t i = 0; i < w->series.len; i++) {
		const struct series *s = &w->series.item[i];

		if (s->state == SERIES_RUNNING && is_of(s, tenant, name))
			return s;
	}
	return NULL;
}

enum rc
series_request(const struct works *w, struct credset_place at, const char *order, int64_t now_s,
    struct pending *out, const struct series **of, struct fault *f)
{
	const struct series *s = running(
	    w, w->set->config->tenant[at.tenant].name, credset_config(w->set, at)->name);
	AUTO_PENDING p = { 0 };

	if (s == NULL || order == NULL || strcmp(s->order, order) != 0 ||
	    now_s > s->asked.star_end_s)
		return FAULT(f, RC_NOT_FOUND, "no_pending_csr", "no such series is running");
	TRY(read_csr(w->set->config, s, &p, f));
	if (memcmp(p.facts.key_id, s->key_id, KEY_ID_LEN) != 0)
		return FAULT(f, RC_DENIED, "series_key", "star.csr is not of this series");
	*out = p;
	p = (struct pending){ 0 };
	*of = s;
	return RC_OK;
}

static bool
has_key(const struct series *s, const struct cert *leaf)
{
	return leaf->p256 && memcmp(s->key_id, leaf->key_id, KEY_ID_LEN) == 0;
}

static bool
has(const struct series *s, const struct cert *leaf)
{
	return has_key(s, leaf) && s->since_s != 0 && leaf->not_before_s >= s->since_s &&
	       (s->until_s == 0 || leaf->not_before_s < s->until_s);
}

bool
series_has(const struct works *w, const struct cert *leaf)
{
	for (size_t i = 0; i < w->series.len; i++) {
		if (has(&w->series.item[i], leaf))
			return true;
	}
	return false;
}

/* ---- its end ---- */

static enum rc
cancel(struct works *w, struct series *s, const char *why)
{
	bool ran = s->state == SERIES_RUNNING;
	struct store_path path = { 0 };
	struct fault f = { 0 };
	enum rc rc = set_state(w, s, SERIES_CANCELED, &f);

	/* Also where the disk fails: nothing more of it is put in force. */
	s->state = SERIES_CANCELED;
	s->unrecorded = rc != RC_OK;
	w->errand = true;
	if (rc == RC_OK && ran)
		rc = csr_of(w->set->config, s->tenant, s->name, &path, &f);
	if (rc == RC_OK && ran)
		rc = store_remove(path.text, &f);
	if (rc != RC_OK)
		log_fault(LEVEL_ERR, "series_not_recorded", &f);
	record(w, s, "series_canceled", why);
	return s->unrecorded ? RC_IO : RC_OK;
}

enum rc
series_revoked(struct works *w, const struct cert *leaf, struct fault *f)
{
	bool recorded = true;

	for (size_t i = 0; i < w->series.len; i++) {
		struct series *s = &w->series.item[i];
		bool ends = s->state == SERIES_BEGUN ? has_key(s, leaf) : has(s, leaf);

		if (ends && is_live(s))
			(void)cancel(w, s, "a certificate of it is revoked");
		if (ends && s->state == SERIES_REFUSED)
			w->errand = s->again = true;
		recorded = recorded && !(ends && s->unrecorded);
	}
	return recorded ? RC_OK
			: FAULT(f, RC_IO, "series_not_recorded",
			      "the end of the series could not be written");
}

static int64_t
not_before_of(const struct credential *c)
{
	return c->chain != NULL ? c->chain->cert[0]->not_before_s : c->not_before_s;
}

/* What is in force now is of another order than they are. */
static void
end_others(struct works *w, const struct series *but, const struct credential *now)
{
	int64_t from_s = not_before_of(now);

	for (size_t i = 0; i < w->series.len; i++) {
		struct series *s = &w->series.item[i];

		if (s == but || !is_of(s, now->tenant, now->name))
			continue;
		if (is_live(s)) {
			s->until_s = from_s;
			(void)cancel(w, s, "another order's certificate is in force");
		} else if (s->until_s == 0) {
			s->until_s = from_s;
			s->unrecorded = write_file(w->set->config, s, NULL) != RC_OK;
		}
	}
}

void
series_dropped(struct works *w, struct credset_place at, const char *order)
{
	char id[SERIES_ID] = "";
	struct series *s = id_of(order, id, NULL) == RC_OK ? find(w, id) : NULL;

	if (s != NULL && s->state == SERIES_BEGUN &&
	    is_of(s, w->set->config->tenant[at.tenant].name, credset_config(w->set, at)->name))
		(void)cancel(w, s, "its certificate was refused");
}

/* The others first: star.csr is one file for all of a credential. */
void
series_installed(
    struct works *w, struct credset_place at, const char *order, const struct pending *p)
{
	const struct config *c = w->set->config;
	const char *tenant = c->tenant[at.tenant].name,
		   *name = credset_config(w->set, at)->name;
	const struct credential *now = credset_credential(w->set, at);
	char id[SERIES_ID] = "";
	struct store_path path = { 0 };
	struct fault f = { 0 };
	struct series *s = NULL;
	enum rc rc;

	if (order != NULL && id_of(order, id, NULL) == RC_OK)
		s = find(w, id);
	if (s != NULL && (!is_live(s) || !is_of(s, tenant, name) ||
			     memcmp(s->key_id, p->facts.key_id, KEY_ID_LEN) != 0))
		s = NULL;
	if (s != NULL && s->state == SERIES_RUNNING)
		return; /* another order may be under way: that goes on too */
	end_others(w, s, now);
	if (s == NULL)
		return;
	s->since_s = not_before_of(now);
	rc = csr_of(c, tenant, name, &path, &f);
	if (rc == RC_OK)
		rc = store_write(path.text, buf_view(&p->der), CSR_MODE, &f);
	if (rc == RC_OK)
		rc = set_state(w, s, SERIES_RUNNING, &f);
	if (rc != RC_OK)
		log_fault(LEVEL_ERR, "series_not_recorded", &f);
	else
		record(w, s, "series_running", "");
}

/* ---- its beginning ---- */

static enum rc
add(struct works *w, const struct series *made, struct fault *f)
{
	struct series s = *made;

	TRY(grow(&w->series, f)); /* what cannot be remembered is not written either */
	TRY(write_file(w->set->config, &s, f));
	s.order = strdup(made->order);
	if (s.order == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a series");
	w->series.item[w->series.len++] = s;
	record(w, &s, "series_begun", "");
	return RC_OK;
}

/* A renewer that was taken over could begin as many as it has URLs. */
static bool
has_room(const struct works *w, const struct series *s)
{
	size_t n = 0;

	for (size_t i = 0; i < w->series.len; i++) {
		const struct series *old = &w->series.item[i];

		n += is_of(old, s->tenant, s->name) && old->begun_s <= s->begun_s &&
		     old->begun_s > s->begun_s - SERIES_OF_ONE_S;
	}
	return n < SERIES_OF_ONE;
}

/* An order at a time; one of before a start may have its certificate in force: finish(). */
static void
cancel_begun(struct works *w, const struct series *but)
{
	for (size_t i = 0; i < w->series.len; i++) {
		struct series *s = &w->series.item[i];

		if (s->state == SERIES_BEGUN && !s->unfinished &&
		    is_of(s, but->tenant, but->name))
			(void)cancel(w, s, "another order has come in its place");
	}
}

enum rc
series_begin(struct works *w, struct credset_place at, const char *order,
    const struct ordered *asked, const struct pending *p, int64_t now_s, struct fault *f)
{
	const struct config_credential *cc = credset_config(w->set, at);
	struct series s = { .state = SERIES_BEGUN, .asked = *asked, .begun_s = now_s };
	const struct series *old;

	if (strlen(order) > SERIES_URL_MAX)
		return REFUSE(f, RC_INVALID, TOO_LARGE, "order", "the URL of an order");
	TRY(id_of(order, s.id, f));
	old = find(w, s.id);
	if (old != NULL)
		return is_live(old)
			   ? RC_OK
			   : FAULT(f, RC_DENIED, "series_over", "the order was canceled");
	snprintf(s.tenant, sizeof s.tenant, "%s", w->set->config->tenant[at.tenant].name);
	snprintf(s.name, sizeof s.name, "%s", cc->name);
	snprintf(s.ca, sizeof s.ca, "%s", cc->ca);
	if (!has_room(w, &s))
		return REFUSE(f, RC_BUSY, OVERLOADED, NULL,
		    "%d series of this credential in %d s", SERIES_OF_ONE, SERIES_OF_ONE_S);
	s.order = (char *)(uintptr_t)order;
	memcpy(s.key_id, p->facts.key_id, KEY_ID_LEN);
	cancel_begun(w, &s);
	return add(w, &s, f);
}

/* ---- what its CA is told ---- */

bool
series_is_asked(const struct series *s)
{
	return s->state == SERIES_CANCELED || (s->state == SERIES_REFUSED && s->again);
}

static void
say_refused(const struct works *w, const struct series *s, bool is)
{
	struct credset_place at;

	if (credset_find(w->set, s->tenant, s->name, &at))
		atomic_store(&credset_credential(w->set, at)->series_refused, is);
}

void
series_tell(const struct works *w)
{
	for (size_t i = 0; i < w->series.len; i++) {
		if (w->series.item[i].state == SERIES_REFUSED)
			say_refused(w, &w->series.item[i], true);
	}
}

const struct series *
series_outstanding(const struct works *w, const char *ca, size_t *at)
{
	while (*at < w->series.len) {
		const struct series *s = &w->series.item[(*at)++];

		if (series_is_asked(s) && strcmp(s->ca, ca) == 0)
			return s;
	}
	return NULL;
}

static void
forget(struct works *w, struct series *s)
{
	struct store_path path = { 0 };
	struct fault f = { 0 };
	enum rc rc = file_of(w->set->config, s->id, &path, &f);

	if (rc == RC_OK)
		rc = store_remove(path.text, &f);
	if (rc != RC_OK) {
		log_fault(LEVEL_WARNING, "series_kept", &f);
		return;
	}
	say_refused(w, s, false);
	free(s->order);
	*s = w->series.item[--w->series.len];
	series_tell(w); /* there may be another one */
}

enum rc
series_answered(struct works *w, const char *id, bool final, const char *reason,
    const char *detail, int64_t now_s, struct fault *f)
{
	struct series *s = find(w, id);
	char was[CREDENTIAL_PROBLEM_MAX];

	if (s == NULL || !series_is_asked(s))
		return FAULT(f, RC_NOT_FOUND, "no_errand", "nobody asked for that");
	if (!final)
		return RC_OK;
	if (reason == NULL) {
		record(w, s, "series_ended", "");
		forget(w, s);
		return RC_OK;
	}
	s->refused_s = now_s;
	memcpy(was, s->answer, sizeof was);
	credential_clip(detail != NULL ? detail : reason, s->answer);
	if (s->again && strcmp(was, s->answer) == 0) {
		s->again = false;
		return RC_OK; /* no news: not worth a write */
	}
	TRY(set_state(w, s, SERIES_REFUSED, f));
	s->again = false;
	series_tell(w);
	record(w, s, "series_refused", s->answer);
	return RC_OK;
}

/* ---- what falls due ---- */

/* Why it is to end; NULL: it goes on. */
static const char *
why_not(const struct works *w, const struct series *s)
{
	const struct config *c = w->set->config;
	const struct config_credential *cc;
	AUTO_PENDING p = { 0 };
	AUTO(tnauth) *list = NULL;
	struct credset_place at;

	if (!credset_find(w->set, s->tenant, s->name, &at))
		return "the credential is not configured any more";
	cc = credset_config(w->set, at);
	if (c->tenant[at.tenant].numbers_lost) /* a disk's failure, not an operator's word */
		return NULL;
	if (!c->tenant[at.tenant].enabled)
		return "the tenant is disabled";
	if (cc->ca == NULL || strcmp(cc->ca, s->ca) != 0)
		return "the credential has another CA";
	if (cc->star_lifetime_s == 0)
		return "no series is configured any more";
	if (s->state != SERIES_RUNNING || profile_rule(cc->profile)->cls == CLASS_SP ||
	    read_csr(c, s, &p, NULL) != RC_OK ||
	    tnauth_decode(buf_view(&p.facts.tnauth_der), cc->allow_range_to_all_nines, &list,
		NULL) != RC_OK ||
	    tnauth_numbers(list) == NULL)
		return NULL;
	if (c->tenant[at.tenant].numbers == NULL ||
	    !tnset_within(tnauth_numbers(list), c->tenant[at.tenant].numbers))
		return "a number of it has left the configuration";
	return NULL;
}

/* What a crash between a certificate and the note of it left to be done. */
static void
finish(struct works *w, struct series *s)
{
	const struct config *c = w->set->config;
	const struct credential *cred;
	struct credset_place at;
	AUTO_PENDING p = { 0 };
	struct fault why = { 0 };

	if (!s->unfinished || !credset_find(w->set, s->tenant, s->name, &at))
		return;
	cred = credset_credential(w->set, at);
	if (cred->state == CREDENTIAL_LOADING)
		return;
	s->unfinished = false;
	if (cred->state != CREDENTIAL_READY ||
	    memcmp(cred->key_id, s->key_id, KEY_ID_LEN) != 0 ||
	    pending_read(c, s->tenant, s->name, &p, NULL) != RC_OK ||
	    memcmp(p.facts.key_id, s->key_id, KEY_ID_LEN) != 0)
		return;
	series_installed(w, at, s->order, &p);
	if (pending_remove(c, s->tenant, s->name, &why) != RC_OK ||
	    ordered_remove(c, s->tenant, s->name, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "install_unfinished", &why);
}

/* Refused is not over: an account that was not valid then may be now. */
static void
ask_again(struct works *w, struct series *s, int64_t now_s)
{
	if (s->state != SERIES_REFUSED || s->again ||
	    (now_s >= s->refused_s && now_s - s->refused_s < SERIES_AGAIN_S))
		return;
	w->errand = s->again = true;
}

int64_t
series_due(struct works *w, int64_t now_s)
{
	for (size_t i = 0; i < w->series.len;) {
		struct series *s = &w->series.item[i];
		size_t len = w->series.len;
		const char *why;

		finish(w, s);
		why = is_live(s) ? why_not(w, s) : NULL;
		if (why != NULL)
			(void)cancel(w, s, why);
		ask_again(w, s, now_s);
		if (s->unrecorded)
			s->unrecorded = write_file(w->set->config, s, NULL) != RC_OK;
		if (!w->clock_holds && now_s > s->asked.star_end_s + ORDERED_SLACK_S)
			forget(w, s);
		i += w->series.len == len;
	}
	return now_s + SERIES_LOOK_S;
}
