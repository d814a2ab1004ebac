/*
 * Renewal information of a CA (RFC 9773): what an answer says, when to renew
 * by it, and when to ask again.  Pure; renewinfo.c asks.
 */
#ifndef AGENT_RENEWER_ARI_H
#define AGENT_RENEWER_ARI_H

#include "agent/renewer/io.h"
#include "agent/renewer/problem.h"
#include "agent/renewer/schedule.h"

enum {
	ARI_BODY_MAX = 16384,
	ARI_ID_MAX = 255,
	ARI_POLL_MIN_S = 60, /* Retry-After is clamped to these */
	ARI_POLL_MAX_S = 86400,
	ARI_FAILED_S = 21600,	/* after what does not pass soon */
	ARI_TRIES = 4,		/* that may pass, before it counts as such */
	ARI_EARLY_PARTS = 24,	/* not before this part of the life is over … */
	ARI_EARLY_MAX_S = 3600, /* … or so much of it: "now" in each answer is no loop */
};

struct ari_window {
	int64_t start_s, end_s; /* 0: none is known */
};

/*
 * RC_INVALID ari_answer: no window, one that ends before it begins, or no
 * Retry-After; else what problem_of_answer() says.  why is what the CA
 * gives as its explanation, fit for a log line, "" without.
 */
enum rc ari_read(const struct http_answer *a, struct ari_window *out, char why[PROBLEM_TEXT],
    struct fault *f) MUST_CHECK;

/*
 * The moment in the window by jitter, Unix seconds.  Nonsense is bounded: not
 * before a little of the life is over, never with less than a quarter left.
 */
int64_t ari_renew_at(
    const struct ari_window *w, const struct schedule_cert *c, uint32_t jitter_ppm);

/* How long until it is asked again, after an answer and after the n-th failure (1 …). */
int64_t ari_poll_ms(int64_t retry_after_s);
int64_t ari_failed_ms(unsigned n, bool may_pass, int64_t remaining_s, uint32_t jitter_ppm);

#endif
