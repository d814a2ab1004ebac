#include "agent/renewer/ari.h"

#include "agent/renewer/rfc3339.h"
#include "stir/jtext.h"

#define BAD(f, what) FAULT(f, RC_INVALID, "ari_answer", "renewal information: %s", what)

/* RFC 9773 section 4.2 */
static enum rc
read_window(const json_t *root, struct ari_window *out, struct fault *f)
{
	const json_t *window = json_object_get(root, "suggestedWindow");
	struct ari_window w = {
		rfc3339_s(jtext_get(window, "start")),
		rfc3339_s(jtext_get(window, "end")),
	};

	if (w.start_s == 0 || w.end_s == 0)
		return BAD(f, "no window of two moments");
	if (w.end_s <= w.start_s)
		return BAD(f, "a window that ends before it begins");
	*out = w;
	return RC_OK;
}

enum rc
ari_read(const struct http_answer *a, struct ari_window *out, char why[PROBLEM_TEXT],
    struct fault *f)
{
	json_auto_t *root = NULL;

	if (a->status != 200)
		return problem_of_answer(a->status, buf_view(&a->body), f);
	(void)!jtext_read_foreign(buf_view(&a->body), ARI_BODY_MAX, &root, NULL);
	if (!json_is_object(root))
		return BAD(f, "not a JSON object");
	if (a->retry_after_s < 0) /* RFC 9773 section 4.3 */
		return BAD(f, "no Retry-After");
	problem_text(why, jtext_get(root, "explanationURL"));
	return read_window(root, out, f);
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
ari_renew_at(const struct ari_window *w, const struct schedule_cert *c, uint32_t jitter_ppm)
{
	int64_t start_s = schedule_start(c), life_s = c->not_after_s - start_s;
	int64_t at_s = w->start_s + schedule_part(w->end_s - w->start_s, jitter_ppm);
	int64_t first_s = start_s + least(life_s / ARI_EARLY_PARTS, ARI_EARLY_MAX_S);
	int64_t last_s = c->not_after_s - life_s / 4; /* D-43 */

	if (life_s <= 0)
		return c->not_before_s;
	if (at_s > last_s)
		return last_s;
	return at_s < first_s ? first_s : at_s;
}

int64_t
ari_poll_ms(int64_t retry_after_s)
{
	if (retry_after_s < ARI_POLL_MIN_S)
		retry_after_s = ARI_POLL_MIN_S;
	return least(retry_after_s, ARI_POLL_MAX_S) * 1000;
}

/* RFC 9773 section 4.3.3; a short life is looked after more often. */
int64_t
ari_failed_ms(unsigned n, bool may_pass, int64_t remaining_s, uint32_t jitter_ppm)
{
	enum { RUNG = 4 }; /* half a minute on the ladder */

	if (may_pass && n <= ARI_TRIES)
		return schedule_backoff_ms(RUNG + n, remaining_s, jitter_ppm);
	if (remaining_s / 8 < ARI_POLL_MIN_S)
		return ARI_POLL_MIN_S * 1000;
	return least(remaining_s / 8, ARI_FAILED_S) * 1000;
}
