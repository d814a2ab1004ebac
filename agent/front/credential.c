#include "agent/front/credential.h"

#include "agent/front/headers.h"
#include "stir/text.h"

enum rc
credential_new(const char *tenant, const char *name, enum credential_state state,
    struct credential **out, struct fault *f)
{
	struct credential *c = calloc(1, sizeof *c);

	if (c == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a credential");
	atomic_init(&c->refs, 1);
	atomic_init(&c->renew_at_s, 0);
	atomic_init(&c->publish_error, 0);
	atomic_init(&c->unordered, false);
	atomic_init(&c->series_refused, false);
	atomic_init(&c->crl_listed, false);
	atomic_init(&c->refused_at_s, 0);
	atomic_init(&c->used_at_s, 0);
	atomic_init(&c->asked_for, false);
	pthread_mutex_init(&c->problem_lock, NULL);
	c->state = state;
	c->tenant = strdup(tenant);
	c->name = strdup(name);
	if (c->tenant == NULL || c->name == NULL) {
		credential_release(c);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a credential");
	}
	*out = c;
	return RC_OK;
}

struct credential *
credential_ref(struct credential *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void
credential_release(struct credential *c)
{
	/* What other threads did with it must be done before it is freed. */
	if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	gate_free(c->gate); /* borrows the chain, the list and the salts */
	tnlist_release(c->list);
	free(c->list_url);
	salts_free(c->salts);
	chain_free(c->chain);
	for (size_t i = 0; i < PPT__COUNT; i++) {
		free(c->header[i]);
		header_made_free(c->made[i]);
	}
	free(c->x5u);
	free(c->root_pem);
	free(c->warning);
	free(c->logged);
	free(c->tenant);
	free(c->name);
	pthread_mutex_destroy(&c->problem_lock);
	free(c);
}

void
credential_problem(struct credential *c, char out[CREDENTIAL_PROBLEM_MAX])
{
	pthread_mutex_lock(&c->problem_lock);
	memcpy(out, c->problem, CREDENTIAL_PROBLEM_MAX);
	pthread_mutex_unlock(&c->problem_lock);
}

void
credential_clip(const char *text, char out[CREDENTIAL_PROBLEM_MAX])
{
	size_t len = strnlen(text, CREDENTIAL_PROBLEM_MAX - 1);

	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--; /* not within a character of UTF-8 */
	memcpy(out, text, len);
	out[len] = 0;
	text_flatten(out);
}

const char *
credential_revocation(struct credential *c, char out[CREDENTIAL_PROBLEM_MAX])
{
	const char *problem;

	pthread_mutex_lock(&c->problem_lock);
	problem = c->revocation;
	memcpy(out, c->revocation_detail, CREDENTIAL_PROBLEM_MAX);
	pthread_mutex_unlock(&c->problem_lock);
	return problem;
}

void
credential_revocation_set(struct credential *c, const char *problem, const char *detail)
{
	char text[CREDENTIAL_PROBLEM_MAX];

	credential_clip(detail, text);
	pthread_mutex_lock(&c->problem_lock);
	c->revocation = problem;
	memcpy(c->revocation_detail, text, sizeof text);
	pthread_mutex_unlock(&c->problem_lock);
}

void
credential_schedule(struct credential *c, int64_t renew_at_s, const char *problem)
{
	char text[CREDENTIAL_PROBLEM_MAX] = "";

	credential_clip(problem, text); /* a CA's words on an operator's terminal */
	c->renew_at_s = renew_at_s;
	pthread_mutex_lock(&c->problem_lock);
	memcpy(c->problem, text, sizeof text);
	pthread_mutex_unlock(&c->problem_lock);
}

void
credential_progress(struct credential *c, struct credential_progress *out)
{
	pthread_mutex_lock(&c->problem_lock);
	*out = c->progress;
	pthread_mutex_unlock(&c->problem_lock);
}

void
credential_proceed(struct credential *c, const struct credential_progress *p)
{
	pthread_mutex_lock(&c->problem_lock);
	c->progress = *p;
	pthread_mutex_unlock(&c->problem_lock);
}

void
credential_carry(struct credential *from, struct credential *to)
{
	char problem[CREDENTIAL_PROBLEM_MAX];
	struct credential_progress p;

	if (from == NULL || from == to)
		return;
	credential_problem(from, problem);
	credential_schedule(to, from->renew_at_s, problem);
	credential_progress(from, &p);
	credential_proceed(to, &p);
	atomic_store(&to->refused_at_s, atomic_load(&from->refused_at_s));
	atomic_store(&to->rtu_refused_at_s, atomic_load(&from->rtu_refused_at_s));
	atomic_store(&to->rtu_stop_at_s, atomic_load(&from->rtu_stop_at_s));
	atomic_store(&to->port_revoke_at_s, atomic_load(&from->port_revoke_at_s));
	credential_used(to, atomic_load(&from->used_at_s));
}

enum rc
credential_may_sign(const struct credential *c, int64_t now_s, struct fault *f)
{
	int64_t stop_s = atomic_load(&c->rtu_stop_at_s);

	if (stop_s == 0 || now_s < stop_s)
		return RC_OK;
	return REFUSE(f, RC_DENIED, RTU_WITHDRAWN, NULL,
	    "credential '%.64s' of tenant '%.64s': the number authority refuses the right to "
	    "use its numbers",
	    c->name, c->tenant);
}

enum rc
credential_want_list(struct credential *c, const char *url, int64_t due_s, struct fault *f)
{
	char *mine = strdup(url), *old;

	if (mine == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "a URL");
	pthread_mutex_lock(&c->problem_lock);
	old = c->list_url;
	c->list_url = mine;
	pthread_mutex_unlock(&c->problem_lock);
	c->list_due_s = due_s;
	free(old);
	return RC_OK;
}

bool
credential_wanted_list(struct credential *c, char url[TNLIST_URL_MAX + 1])
{
	bool wanted;

	pthread_mutex_lock(&c->problem_lock);
	wanted = c->list_url != NULL;
	snprintf(url, TNLIST_URL_MAX + 1, "%s", wanted ? c->list_url : "");
	pthread_mutex_unlock(&c->problem_lock);
	return wanted;
}

static void
put_set(struct buf *list, const struct tnset *set)
{
	for (size_t i = 0; set != NULL && i < tnset_len(set); i++) {
		struct tn_interval one = tnset_at(set, i);

		buf_put(list, &one, sizeof one);
	}
}

enum rc
credential_numbers(const struct credential *c, struct tnset **out, struct fault *f)
{
	AUTO_BUF list =
	    BUF_INIT((TNAUTH_MAX_REFERENCED + TNAUTH_MAX_ENTRIES) * sizeof(struct tn_interval));
	const struct tnauth *own = c->chain->cert[0]->tnauth;

	put_set(&list, own != NULL ? tnauth_numbers(own) : NULL);
	put_set(&list, c->list != NULL ? c->list->numbers : NULL);
	TRY(buf_check(&list, f));
	return tnset_build((const struct tn_interval *)(const void *)list.ptr,
	    list.len / sizeof(struct tn_interval), out, f);
}
