#include "agent/renewer/schedule.h"

#include <stdlib.h>

#include "stir/attr.h"

#define DAY_MS (86400 * 1000LL)

static uint64_t
mix(uint64_t h, const char *text)
{
	/* FNV-1a; the NUL counts, so that "ab","c" is not "a","bc". */
	for (;; text++) {
		h = (h ^ (uint8_t)*text) * 0x100000001b3ULL;
		if (*text == 0)
			return h;
	}
}

uint32_t
schedule_jitter(const char *tenant, const char *name, const char *serial)
{
	uint64_t h = mix(mix(mix(0xcbf29ce484222325ULL, tenant), name), serial);

	/* FNV leaves neighbours close together in the high bits. */
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	return (uint32_t)(h % SCHEDULE_PPM);
}

/* value * num / den without overflow for any span of time. */
static int64_t
part(int64_t value, int64_t num, int64_t den)
{
	return value / den * num + value % den * num / den;
}

int64_t
schedule_part(int64_t span_s, uint32_t ppm)
{
	return part(span_s, ppm, SCHEDULE_PPM);
}

int64_t
schedule_start(const struct schedule_cert *c)
{
	if (c->installed_s > c->not_before_s && c->installed_s < c->not_after_s)
		return c->installed_s;
	return c->not_before_s;
}

/* From the start of a life to the last moment that is planned. */
static int64_t
latest_ms(int64_t life_ms)
{
	int64_t at_ms = part(life_ms, 3, 4);

	if (life_ms - at_ms < SCHEDULE_SPARE_S * 1000LL)
		at_ms = life_ms - SCHEDULE_SPARE_S * 1000LL;
	return at_ms > life_ms / 2 ? at_ms : life_ms / 2;
}

/* Without a slot. */
static int64_t
due_ms(const struct schedule_cert *c, uint32_t jitter_ppm)
{
	int64_t start_s = schedule_start(c), life_ms = (c->not_after_s - start_s) * 1000;

	if (life_ms <= 0)
		return c->not_before_s * 1000;
	return start_s * 1000 + latest_ms(life_ms) - part(life_ms, 1, 12) +
	       part(part(life_ms, 1, 12), jitter_ppm, SCHEDULE_PPM);
}

int64_t
schedule_renew_at(const struct schedule_cert *c, uint32_t jitter_ppm)
{
	int64_t at_s = due_ms(c, jitter_ppm) / 1000;

	return c->slot_s != 0 && c->slot_s < at_s ? c->slot_s : at_s;
}

int64_t
schedule_interval_ms(const struct schedule_member *m, size_t n)
{
	int64_t per_day_ppm = 0;

	if (n <= SCHEDULE_CROWD)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int64_t start_s = schedule_start(m[i].cert);
		int64_t life_ms = (m[i].cert->not_after_s - start_s) * 1000;

		/* Spread evenly, it is renewed in the middle of its jitter. */
		if (life_ms > 0)
			per_day_ppm +=
			    DAY_MS * SCHEDULE_PPM / (latest_ms(life_ms) - life_ms / 24);
	}
	return per_day_ppm > 0 ? DAY_MS * SCHEDULE_PPM / per_day_ppm * 2 / 5 : 0;
}

static int
latest_first(const void *a, const void *b)
{
	int64_t x = ((const struct schedule_member *)a)->at_ms;
	int64_t y = ((const struct schedule_member *)b)->at_ms;

	return (x < y) - (x > y);
}

void
schedule_spread(struct schedule_member *m, size_t n, int64_t interval_ms)
{
	int64_t step_ms = interval_ms * 5 / 4, next_ms = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		m[i].at_ms = due_ms(m[i].cert, m[i].jitter_ppm);
		m[i].cert->slot_s = 0;
	}
	if (interval_ms == 0 || n == 0)
		return;
	qsort(m, n, sizeof *m, latest_first);
	for (size_t i = 0; i < n; i++) {
		int64_t start_s = schedule_start(m[i].cert);
		int64_t first_s = start_s + (m[i].cert->not_after_s - start_s) / 4;

		next_ms = m[i].at_ms < next_ms ? m[i].at_ms : next_ms;
		m[i].cert->slot_s = next_ms / 1000 > first_s ? next_ms / 1000 : first_s;
		next_ms -= step_ms;
	}
}

enum schedule_urgency
schedule_urgency(const struct schedule_cert *c, int64_t now_s)
{
	int64_t life;

	if (c == NULL || now_s >= c->not_after_s)
		return URGENT_NONE;
	life = c->not_after_s - schedule_start(c);
	return c->not_after_s - now_s <= life / 4 ? URGENT_LAPSING : URGENT_DUE;
}

int64_t
schedule_backoff_ms(unsigned attempt, int64_t remaining_s, uint32_t jitter_ppm)
{
	static const int32_t ladder_s[] = { 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600 };
	size_t i = attempt == 0 ? 0 : attempt - 1;
	int64_t ms, most_ms = remaining_s <= 0 ? 60000 : part(remaining_s, 1000, 8);

	if (i >= ARRAY_LEN(ladder_s))
		i = ARRAY_LEN(ladder_s) - 1;
	ms = ladder_s[i] * 1000LL;
	ms = ms * 4 / 5 + part(ms * 2 / 5, jitter_ppm, SCHEDULE_PPM);
	if (ms > most_ms)
		ms = most_ms;
	/* The last seconds of a life are no reason to hammer. */
	return ms < 500 ? 500 : ms;
}

int64_t
schedule_local_ms(unsigned attempt, int64_t remaining_s, uint32_t jitter_ppm)
{
	static const unsigned last = 4; /* ten seconds on the ladder */

	return schedule_backoff_ms(attempt < last ? attempt : last, remaining_s, jitter_ppm);
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
schedule_alarm_ms(unsigned n, int64_t remaining_s)
{
	bool none = remaining_s <= 0;
	int64_t most_s = none ? SCHEDULE_ALARM_NONE_S : remaining_s / 4;
	int64_t s = none ? SCHEDULE_ALARM_MIN_S : SCHEDULE_ALARM_FIRST_S;

	for (; n > 1 && s < most_s; n--)
		s *= none ? 2 : 6;
	s = least(s, most_s);
	return (s > SCHEDULE_ALARM_LAST_S ? s : SCHEDULE_ALARM_LAST_S) * 1000;
}

int64_t
schedule_poll_ms(unsigned n, int64_t retry_after_s)
{
	static const int32_t ladder_ms[] = { 200, 500, 1000, 2000, 5000, 10000, 30000 };

	if (retry_after_s >= 0) {
		if (retry_after_s < SCHEDULE_RETRY_MIN_S)
			retry_after_s = SCHEDULE_RETRY_MIN_S;
		if (retry_after_s > SCHEDULE_RETRY_MAX_S)
			retry_after_s = SCHEDULE_RETRY_MAX_S;
		return retry_after_s * 1000;
	}
	return ladder_ms[n < ARRAY_LEN(ladder_ms) ? n : ARRAY_LEN(ladder_ms) - 1];
}
