/* Claim constraints taken apart once, and the decision by them. */
#include "stir/constraints.h"

#include <stdlib.h>

#include "stir/constraintsparts.h"
#include "stir/jpointer.h"
#include "stir/jtext.h"

/* An entry of permittedValues. */
struct entry {
	const struct permitted *p;
	struct privacy_name name; /* of p->claim; a mode that is not known is part of it */
	bool known;		  /* its mode is */
	char *claim, *pointer;
	struct span *value; /* sorted */
	struct span *form;  /* the structured ones in RFC 8225 form, sorted; their own */
	size_t forms;
	const struct entry *same; /* the next of this name (D-11): judged with the first */
	bool repeats;		  /* not the first */
};

struct constraints_plan {
	const struct constraints *c;
	struct entry *entry; /* as in permittedValues */
	struct span *name;   /* sorted, texts with their NUL: whatever any list names */
	size_t names;
	struct span *path; /* sorted: what the claim agent knew the value of */
	size_t paths;
};

/* ---- sorted texts --------------------------------------------------------------------- */

static int
order(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int first = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);

	return first != 0 ? first : (a.len > b.len) - (a.len < b.len);
}

static int
by_order(const void *a, const void *b)
{
	return order(*(const struct span *)a, *(const struct span *)b);
}

static void
sort(struct span *list, size_t n)
{
	if (n > 1)
		qsort(list, n, sizeof *list, by_order);
}

/* Where text stands, or would. */
static size_t
place_of(const struct span *list, size_t n, struct span text)
{
	size_t lo = 0;

	while (lo < n) {
		size_t mid = lo + (n - lo) / 2;

		if (order(list[mid], text) < 0)
			lo = mid + 1;
		else
			n = mid;
	}
	return lo;
}

static bool
has(const struct span *list, size_t n, struct span text)
{
	size_t i = place_of(list, n, text);

	return i < n && span_eq(list[i], text);
}

static bool
has_prefix(const struct span *list, size_t n, struct span prefix)
{
	size_t i = place_of(list, n, prefix);

	return i < n && list[i].len >= prefix.len &&
	       span_eq(span_of(list[i].ptr, prefix.len), prefix);
}

/* ---- taking apart ----------------------------------------------------------------------- */

static void
entry_done(struct entry *e)
{
	for (size_t i = 0; i < e->forms; i++)
		free((void *)(uintptr_t)e->form[i].ptr);
	free(e->form);
	free(e->value);
	free(e->claim);
	free(e->pointer);
}

void
constraints_plan_free(struct constraints_plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; p->entry != NULL && i < p->c->permitteds; i++)
		entry_done(&p->entry[i]);
	free(p->entry);
	free(p->name);
	free(p->path);
	free(p);
}

static enum rc
no_memory(struct fault *f)
{
	return FAULT(f, RC_NO_MEMORY, "no_memory", "claim constraints");
}

static enum rc
add_form(struct entry *e, const char *text, struct fault *f)
{
	AUTO_BUF form = BUF_INIT(CONSTRAINTS_MAX_DER);
	bool found = false;
	size_t len;
	char *own;

	TRY(constraints_structured(text, &form, &found, f));
	if (!found)
		return RC_OK;
	len = form.len;
	own = buf_steal(&form);
	if (own == NULL)
		return no_memory(f);
	e->form[e->forms++] = span_of(own, len);
	return RC_OK;
}

static enum rc
take_values(struct entry *e, struct fault *f)
{
	const struct permitted *p = e->p;

	e->value = calloc(p->values + 1, sizeof *e->value);
	e->form = calloc(p->values + 1, sizeof *e->form);
	if (e->value == NULL || e->form == NULL)
		return no_memory(f);
	for (size_t i = 0; i < p->values; i++) {
		e->value[i] = span_str(p->value[i]);
		TRY(add_form(e, p->value[i], f));
	}
	sort(e->value, p->values);
	sort(e->form, e->forms);
	return RC_OK;
}

static enum rc
take_entry(
    struct constraints_plan *plan, const struct permitted *p, struct entry *e, struct fault *f)
{
	e->p = p;
	e->known = privacy_name(p->claim, &e->name, NULL) == RC_OK;
	if (!e->known)
		e->name = constraints_parts(p->claim);
	TRY(constraints_copy(e->name.claim, &e->claim, f));
	TRY(constraints_copy(e->name.pointer, &e->pointer, f));
	TRY(take_values(e, f));
	/* "vper/name#sha-256" is about the claim vper, or a claim of that name. */
	plan->name[plan->names++] = span_str(p->claim);
	plan->name[plan->names++] = span_str(e->claim);
	if (e->name.mode != PRIVACY_SALT) /* in whichever other mode (V-21) */
		plan->path[plan->paths++] = e->name.path;
	return RC_OK;
}

/*
 * The entries of one name are judged together: a certificate may hold many,
 * and a long value is then serialised and hashed once for all of them.
 */
static void
link_entries(struct constraints_plan *plan)
{
	size_t n = plan->c->permitteds;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n && plan->entry[i].same == NULL; k++) {
			if (strcmp(plan->entry[i].p->claim, plan->entry[k].p->claim) != 0)
				continue;
			plan->entry[i].same = &plan->entry[k];
			plan->entry[k].repeats = true;
		}
	}
}

static enum rc
take_all(struct constraints_plan *plan, struct fault *f)
{
	const struct constraints *c = plan->c;

	for (size_t i = 0; i < c->must_includes; i++)
		plan->name[plan->names++] = span_str(c->must_include[i]);
	/* D-51: named too, so that claim_excluded is said and not unknown_claim. */
	for (size_t i = 0; i < c->must_excludes; i++)
		plan->name[plan->names++] = span_str(c->must_exclude[i]);
	for (size_t i = 0; i < c->permitteds; i++)
		TRY(take_entry(plan, &c->permitted[i], &plan->entry[i], f));
	link_entries(plan);
	sort(plan->name, plan->names);
	sort(plan->path, plan->paths);
	return RC_OK;
}

enum rc
constraints_plan(const struct constraints *c, struct constraints_plan **out, struct fault *f)
{
	AUTO(constraints_plan) *plan = calloc(1, sizeof *plan);
	size_t named = c->must_includes + c->must_excludes + 2 * c->permitteds;

	if (plan == NULL)
		return no_memory(f);
	plan->c = c;
	plan->entry = calloc(c->permitteds + 1, sizeof *plan->entry);
	plan->name = calloc(named + 1, sizeof *plan->name);
	plan->path = calloc(c->permitteds + 1, sizeof *plan->path);
	if (plan->entry == NULL || plan->name == NULL || plan->path == NULL)
		return no_memory(f);
	TRY(take_all(plan, f));
	*out = TAKE(plan);
	return RC_OK;
}

/* ---- decision --------------------------------------------------------------------------- */

/* Which list of which extension, for people; never what it holds. */
#define NOT_PERMITTED(f, plan, claim, what) \
	REFUSE(f, RC_DENIED, VALUE_NOT_PERMITTED, claim, "permittedValues of %s: %s", \
	    constraints_form_name((plan)->c->form), what)

static bool
permits_text(const struct entry *e, struct span text)
{
	return has(e->value, e->p->values, text);
}

/* Does each entry of the name list it?  The intersection (D-11). */
static bool
all_permit(const struct entry *e, struct span text)
{
	for (; e != NULL; e = e->same) {
		if (!permits_text(e, text))
			return false;
	}
	return true;
}

/* In the spellings that count as equal (D-12); json is the value as jtext_write() has it. */
static bool
matches(const struct entry *e, const struct constraints_policy *policy, const json_t *value,
    struct span json)
{
	if (!json_is_string(value))
		return permits_text(e, json) ||
		       (policy->normalise_permitted && has(e->form, e->forms, json));
	return permits_text(e, jtext_span(value)) ||
	       (policy->accept_quoted_permitted && permits_text(e, json));
}

static enum rc
judge_value(const struct constraints_plan *plan, const struct entry *e,
    const struct constraints_policy *policy, const json_t *value, struct fault *f)
{
	AUTO_BUF json = BUF_INIT(JTEXT_MAX_BYTES);

	if (!json_is_string(value) || policy->accept_quoted_permitted)
		TRY(jtext_write(&json, value, f)); /* a string: with its quotes */
	for (; e != NULL; e = e->same) {
		if (!matches(e, policy, value, buf_view(&json)))
			return REFUSE(f, RC_DENIED, VALUE_NOT_PERMITTED, e->p->claim,
			    "permittedValues of %s: none of the %zu values; send one of those",
			    constraints_form_name(plan->c->form), e->p->values);
	}
	return RC_OK;
}

static enum rc
judge_absence(const struct constraints_plan *plan, const struct entry *e,
    const struct constraints_policy *policy, struct fault *f)
{
	/* RFC 9118 section 3: absence is fine; some read RFC 8226 otherwise (D-08). */
	if (plan->c->form == CONSTRAINTS_JWT && policy->rfc8226_strict_permitted)
		return REFUSE(f, RC_DENIED, CLAIM_MISSING_BY_CONSTRAINT, e->p->claim,
		    "permittedValues of %s lists its values: send one of them",
		    constraints_form_name(plan->c->form));
	return RC_OK;
}

/* The claim as the caller knows it: a path without its mode. */
struct path {
	char text[sizeof((struct fault){ 0 }.claim)];
};

static struct path
path_text(const struct entry *e)
{
	struct path p = { 0 };
	size_t len = e->name.path.len < sizeof p.text ? e->name.path.len : sizeof p.text - 1;

	memcpy(p.text, e->name.path.ptr, len);
	return p;
}

/* D-14, V-54: V-67 */
static enum rc
judge_hash(const struct constraints_plan *plan, const struct entry *e, const json_t *value,
    struct fault *f)
{
	char digest[PRIVACY_DIGEST_TEXT];

	TRY(privacy_digest(span_of(NULL, 0), value, digest, f));
	if (all_permit(e, span_str(digest)))
		return RC_OK;
	return NOT_PERMITTED(f, plan, path_text(e).text, "it fixes the hash of another value");
}

/* The first entry for the salt of this path. */
static const struct entry *
find_salt(const struct constraints_plan *plan, struct span path)
{
	for (size_t i = 0; i < plan->c->permitteds; i++) {
		const struct entry *e = &plan->entry[i];

		if (e->name.mode == PRIVACY_SALT && span_eq(e->name.path, path))
			return e;
	}
	return NULL;
}

/* V-58: the salt is the one that the certificate names, where it names one. */
static enum rc
judge_salt(const struct constraints_plan *plan, const struct entry *e, struct span salt,
    struct fault *f)
{
	const struct entry *named = find_salt(plan, e->name.path);
	char digest[PRIVACY_DIGEST_TEXT];

	if (named == NULL)
		return RC_OK;
	TRY(privacy_salt_digest(salt, digest, f));
	if (all_permit(named, span_str(digest)))
		return RC_OK;
	return NOT_PERMITTED(
	    f, plan, path_text(e).text, "it names another salt than the one here");
}

static enum rc
judge_commit(const struct constraints_plan *plan, const struct entry *e,
    const struct constraints_policy *policy, const json_t *value, struct fault *f)
{
	struct span salt = salts_find(policy->salts, e->name.path);
	char digest[PRIVACY_DIGEST_TEXT];

	if (!policy->assert_committed) /* D-15: every intermediary would read it */
		return REFUSE(f, RC_DENIED, PRIVATE_CLAIM_IN_CLEAR, path_text(e).text,
		    "permittedValues of %s only commits to it: leave it out and disclose it "
		    "to whom it is meant for",
		    constraints_form_name(plan->c->form));
	if (salt.len == 0 && policy->commit_without_salt)
		return RC_OK;
	if (salt.len == 0)
		return REFUSE(f, RC_DENIED, COMMITMENT_NOT_PROVABLE, path_text(e).text,
		    "permittedValues of %s commits to it, and its salt is not here: leave it "
		    "out",
		    constraints_form_name(plan->c->form));
	TRY(judge_salt(plan, e, salt, f));
	TRY(privacy_digest(salt, value, digest, f));
	if (all_permit(e, span_str(digest)))
		return RC_OK;
	return NOT_PERMITTED(f, plan, path_text(e).text, "it commits to another value");
}

/* The part that a name points to; NULL where there is none. */
static enum rc
find_part(const json_t *claims, const struct entry *e, const json_t **part, struct fault *f)
{
	return jpointer_find(json_object_get(claims, e->claim), e->pointer, part, f);
}

static enum rc
judge_part(const struct constraints_plan *plan, const struct entry *e,
    const struct constraints_policy *policy, const json_t *value, struct fault *f)
{
	switch (e->name.mode) {
	case PRIVACY_VALUE: return judge_value(plan, e, policy, value, f);
	case PRIVACY_HASH: return judge_hash(plan, e, value, f);
	case PRIVACY_COMMIT: return judge_commit(plan, e, policy, value, f);
	default: return RC_OK; /* the salt's digest is the commitment's matter */
	}
}

static enum rc
judge_entry(const struct constraints_plan *plan, const struct entry *e,
    const struct constraints_policy *policy, const json_t *claims, struct fault *f)
{
	const json_t *whole = json_object_get(claims, e->p->claim), *part = NULL;
	struct privacy_name unknown;

	if (!e->known) /* a mode that nobody knows permits nothing */
		return privacy_name(e->p->claim, &unknown, f);
	if (e->name.mode != PRIVACY_VALUE || e->name.pointer.len > 0)
		TRY(find_part(claims, e, &part, f));
	/* A commitment is never sent, so its absence is no fault under any reading. */
	if (whole == NULL && part == NULL)
		return e->name.mode >= PRIVACY_COMMIT ? RC_OK
						      : judge_absence(plan, e, policy, f);
	if (whole != NULL)
		TRY(judge_value(plan, e, policy, whole, f));
	return part == NULL ? RC_OK : judge_part(plan, e, policy, part, f);
}

static bool
is_unproven(const struct fault *f)
{
	return fault_is(f, REASON_COMMITMENT_NOT_PROVABLE);
}

static enum rc
pass_on(const struct fault *inner, struct fault *f)
{
	if (f != NULL && f->rc == RC_OK)
		*f = *inner;
	return inner->rc;
}

static enum rc
judge_entries(const struct constraints_plan *plan, const struct constraints_policy *policy,
    const json_t *claims, struct fault *f)
{
	struct fault unproven = { 0 };

	for (size_t i = 0; i < plan->c->permitteds; i++) {
		struct fault why;

		why.rc = RC_OK; /* the rest is set with it */
		if (plan->entry[i].repeats)
			continue;
		if (judge_entry(plan, &plan->entry[i], policy, claims, &why) == RC_OK)
			continue;
		if (!is_unproven(&why))
			return pass_on(&why, f);
		if (unproven.rc == RC_OK)
			unproven = why;
	}
	return unproven.rc == RC_OK ? RC_OK : pass_on(&unproven, f);
}

enum rc
constraints_judge(const struct constraints_plan *plan, const struct constraints_policy *p,
    const json_t *claims, struct fault *f)
{
	const struct constraints *c = plan->c;

	for (size_t i = 0; i < c->must_excludes; i++) {
		if (json_object_get(claims, c->must_exclude[i]) != NULL)
			return REFUSE(f, RC_DENIED, CLAIM_EXCLUDED, c->must_exclude[i],
			    "mustExclude of %s names it: leave it out",
			    constraints_form_name(c->form));
	}
	for (size_t i = 0; i < c->must_includes; i++) {
		if (json_object_get(claims, c->must_include[i]) == NULL)
			return REFUSE(f, RC_DENIED, CLAIM_MISSING_BY_CONSTRAINT,
			    c->must_include[i], "mustInclude of %s names it: send it",
			    constraints_form_name(c->form));
	}
	return judge_entries(plan, p, claims, f);
}

enum rc
constraints_evaluate(const struct constraints *c, const struct constraints_policy *p,
    const json_t *claims, struct fault *f)
{
	AUTO(constraints_plan) *plan = NULL;

	TRY(constraints_plan(c, &plan, f));
	return constraints_judge(plan, p, claims, f);
}

enum rc
constraints_committed(const struct constraints_plan *plan, const json_t *claims,
    const struct permitted **out, struct fault *f)
{
	for (size_t i = 0; i < plan->c->permitteds; i++) {
		const struct entry *e = &plan->entry[i];
		const json_t *part = NULL;

		if (e->name.mode != PRIVACY_COMMIT)
			continue;
		TRY(find_part(claims, e, &part, f));
		if (part != NULL) {
			*out = e->p;
			return RC_OK;
		}
	}
	*out = NULL;
	return RC_OK;
}

/* ---- names ------------------------------------------------------------------------------ */

bool
constraints_names(const struct constraints_plan *plan, const char *claim)
{
	return has(plan->name, plan->names, span_str(claim));
}

const char *
constraints_name_at(const struct constraints_plan *plan, size_t i)
{
	return i < plan->names ? (const char *)plan->name[i].ptr : NULL;
}

/* ---- vetted claims (D-16) --------------------------------------------------------------- */

/* While a value is walked: the path to where that is. */
struct walk {
	const struct constraints_plan *plan;
	struct buf path;
};

static bool vets_here(struct walk *w, const json_t *value, unsigned depth);

static bool
vets_object(struct walk *w, json_t *object, unsigned depth)
{
	size_t len = w->path.len;

	for (void *i = json_object_iter(object); i != NULL;
	     i = json_object_iter_next(object, i)) {
		jpointer_put(&w->path, json_object_iter_key(i));
		if (!vets_here(w, json_object_iter_value(i), depth))
			return false;
		w->path.len = len;
	}
	return json_object_size(object) > 0;
}

static bool
vets_array(struct walk *w, const json_t *array, unsigned depth)
{
	size_t len = w->path.len;

	for (size_t i = 0; i < json_array_size(array); i++) {
		buf_byte(&w->path, '/');
		buf_uint(&w->path, i);
		if (!vets_here(w, json_array_get(array, i), depth))
			return false;
		w->path.len = len;
	}
	return json_array_size(array) > 0;
}

/* Does any entry point below?  Without one, no part of this is vetted. */
static bool
leads_on(struct walk *w)
{
	size_t len = w->path.len;
	bool yes;

	buf_byte(&w->path, '/');
	yes = has_prefix(w->plan->path, w->plan->paths, buf_view(&w->path));
	w->path.len = len;
	return yes && buf_check(&w->path, NULL) == RC_OK;
}

static bool
vets_here(struct walk *w, const json_t *value, unsigned depth)
{
	if (buf_check(&w->path, NULL) != RC_OK)
		return false;
	if (has(w->plan->path, w->plan->paths, buf_view(&w->path)))
		return true;
	if (depth == 0 || !leads_on(w))
		return false;
	if (json_is_object(value))
		return vets_object(w, jtext_walk(value), depth - 1);
	return json_is_array(value) && vets_array(w, value, depth - 1);
}

bool
constraints_vets(const struct constraints_plan *plan, const char *claim, const json_t *value)
{
	const struct constraints *c = plan->c;
	struct walk w = { plan, BUF_INIT(CONSTRAINTS_MAX_DER) };
	bool yes;

	if (constraints_has(c->must_include, c->must_includes, claim))
		return true;
	buf_str(&w.path, claim);
	yes = vets_here(&w, value, JTEXT_MAX_DEPTH);
	buf_free(&w.path);
	return yes;
}
