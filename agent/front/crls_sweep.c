#include "agent/front/crls_sweep.h"

#include "agent/front/store.h"
#include "agent/log.h"

#define SUFFIX ".crl"

struct left {
	char id[CRLS_ID];
	int64_t written_s;
};

struct sweep {
	const struct crls *t;
	const struct config *config;
	int64_t now_s;
	size_t removed;
	size_t len;
	struct left left[CRLS_LEFT_MAX]; /* that may stay; the one written last is the first */
};

/* The name of a file that crls.c has written; nothing else is touched. */
static bool
read_id(const char *name, char out[CRLS_ID])
{
	if (strlen(name) != CRLS_ID - 1 + strlen(SUFFIX) ||
	    strspn(name, "0123456789abcdef") != CRLS_ID - 1 ||
	    strcmp(name + CRLS_ID - 1, SUFFIX) != 0)
		return false;
	memcpy(out, name, CRLS_ID - 1);
	out[CRLS_ID - 1] = 0;
	return true;
}

static void
remove_file(struct sweep *s, const char *id)
{
	struct store_path path = { 0 };
	struct fault why = { 0 };

	s->removed++;
	if (crls_file(s->config, id, &path, &why) != RC_OK ||
	    store_remove(path.text, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "crl_file", &why);
}

/* What a fault of the disk or of memory leaves open is not over. */
static bool
is_over(const struct sweep *s, const char *path)
{
	AUTO_BUF der = BUF_INIT(CRL_MAX_DER);
	AUTO(crl) *crl = NULL;
	struct fault why = { 0 };

	if (store_read(path, CRL_MAX_DER, &der, &why) == RC_OK &&
	    crl_read(buf_view(&der), &crl, &why) == RC_OK && crl != NULL)
		return crl->next_update_s < s->now_s - CRLS_OVER_S;
	if (why.rc == RC_INVALID || why.rc == RC_DENIED)
		return true;
	log_fault(LEVEL_WARNING, "crl_file", &why);
	return false;
}

/* One more that may stay; the one that has no place any more goes. */
static void
keep(struct sweep *s, const struct left *one)
{
	size_t at = s->len;

	while (at > 0 && s->left[at - 1].written_s < one->written_s)
		at--;
	if (at == CRLS_LEFT_MAX) {
		remove_file(s, one->id);
		return;
	}
	if (s->len == CRLS_LEFT_MAX)
		remove_file(s, s->left[--s->len].id);
	memmove(&s->left[at + 1], &s->left[at], (s->len - at) * sizeof s->left[0]);
	s->left[at] = *one;
	s->len++;
}

static enum rc
look_at(void *arg, const char *name, struct fault *f)
{
	struct sweep *s = arg;
	struct left one = { .written_s = 0 };
	struct store_path path = { 0 };

	if (s->removed >= CRLS_SWEEP_MAX || !read_id(name, one.id) ||
	    crls_find(s->t, one.id) != NULL)
		return RC_OK;
	TRY(crls_file(s->config, one.id, &path, f));
	one.written_s = store_mtime(path.text);
	if (is_over(s, path.text))
		remove_file(s, one.id);
	else
		keep(s, &one);
	return RC_OK;
}

static enum rc
each_file(struct sweep *s, struct fault *f)
{
	struct store_path dir = { 0 };

	TRY(store_path(&dir, f, "%s/front/crls", s->config->state_dir));
	return store_each(dir.text, look_at, s, f);
}

bool
crls_sweep(const struct crls *t, const struct config *c, int64_t now_s)
{
	struct sweep s = { .t = t, .config = c, .now_s = now_s };
	struct fault why = { 0 };

	if (each_file(&s, &why) != RC_OK)
		log_fault(LEVEL_WARNING, "crl_file", &why);
	return s.removed < CRLS_SWEEP_MAX;
}
