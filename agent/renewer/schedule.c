#include "agent/renewer/schedule.h"

#include <stdlib.h>

#include "stir/attr.h"

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

int64_t
schedule_renew_at(const struct schedule_cert *c, uint32_t jitter_ppm)
{
	int64_t start = schedule_start(c);
	int64_t life = c->not_after_s - start;

	if (life <= 0)
		return c->not_before_s;
	if (c->crowd)
		return start + part(life, 1, 3) +
		       part(part(life, 1, 3), jitter_ppm, SCHEDULE_PPM);
	return start + part(life, 2, 3) + part(part(life, 1, 12), jitter_ppm, SCHEDULE_PPM);
}

static int
by_start(const void *a, const void *b)
{
	int64_t x = schedule_start((*(const struct schedule_member *)a).cert);
	int64_t y = schedule_start((*(const struct schedule_member *)b).cert);

	return (x > y) - (x < y);
}

/* The first of n sorted members whose life starts at or after start_s. */
static size_t
first_from(const struct schedule_member *m, size_t n, int64_t start_s)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (schedule_start(m[mid].cert) < start_s)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
schedule_crowds(struct schedule_member *m, size_t n)
{
	if (n == 0)
		return;
	qsort(m, n, sizeof *m, by_start);
	for (size_t i = 0; i < n; i++) {
		int64_t at = schedule_start(m[i].cert);
		int64_t window = (m[i].cert->not_after_s - at) / 12;
		size_t near = first_from(m, n, at + window + 1) - first_from(m, n, at - window);

		m[i].cert->crowd = window > 0 && near > SCHEDULE_CROWD;
	}
}

int64_t
schedule_interval_ms(const struct schedule_member *m, size_t n)
{
	/* Spread evenly, each is renewed after 17/24 of its life. */
	static const int64_t num = 17, den = 24;
	int64_t per_day_ppm = 0;

	if (n <= SCHEDULE_CROWD)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int64_t life = m[i].cert->not_after_s - schedule_start(m[i].cert);

		if (life > 0)
			per_day_ppm += 86400LL * SCHEDULE_PPM / life * den / num;
	}
	/* 86400000 ms a day, by two and a half times the demand. */
	return per_day_ppm > 0 ? 86400000LL * SCHEDULE_PPM / per_day_ppm * 2 / 5 : 0;
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

int64_t
schedule_alarm_ms(unsigned n, int64_t remaining_s)
{
	int64_t s = SCHEDULE_ALARM_MIN_S;

	if (remaining_s > 0)
		s = remaining_s / 4 > SCHEDULE_ALARM_LAST_S ? remaining_s / 4
							    : SCHEDULE_ALARM_LAST_S;
	while (remaining_s <= 0 && n > 1 && s < SCHEDULE_ALARM_NONE_S) {
		s *= 2;
		n--;
	}
	if (remaining_s <= 0 && s > SCHEDULE_ALARM_NONE_S)
		s = SCHEDULE_ALARM_NONE_S;
	return s * 1000;
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
