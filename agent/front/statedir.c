#include "agent/front/statedir.h"

#include "agent/front/store.h"
#include "agent/log.h"

enum { STATEDIR_MODE = 0600 };

static enum rc
write_probe(const struct works *w, struct fault *f)
{
	struct store_path path = { 0 };

	TRY(store_path(&path, f, "%s/front/probe", w->set->config->state_dir));
	return store_write(path.text, span_str("written and synced\n"), STATEDIR_MODE, f);
}

int64_t
statedir_try(struct works *w, int64_t now_s)
{
	struct fault why = { 0 };
	enum rc rc = write_probe(w, &why);
	bool failed = rc != RC_OK;

	if (failed && w->state_failed_s == 0) {
		w->state_failed_s = now_s;
		log_fault(LEVEL_ERR, "state_unwritable", &why);
	}
	if (!failed && w->state_failed_s != 0) {
		w->state_failed_s = 0;
		w->state_well = true;
		log_event(LEVEL_NOTICE, "state_well", "dir=%s", w->set->config->state_dir);
	}
	w->state_fault = why;
	return now_s + (failed ? STATEDIR_RETRY_S : STATEDIR_TRY_S);
}
