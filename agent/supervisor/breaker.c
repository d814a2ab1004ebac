#include "agent/supervisor/breaker.h"

int64_t
breaker_pause_ms(unsigned failures, unsigned max_ms)
{
	int64_t ms = BREAKER_FIRST_MS;

	if (failures == 0)
		return 0;
	while (--failures > 0 && ms < max_ms)
		ms *= 2;
	return ms < max_ms ? ms : max_ms;
}

bool
breaker_ended(struct breaker *b, int64_t now_ms)
{
	bool first = b->down_ms == 0;

	if (first) {
		b->down_ms = now_ms;
		b->ends = 0;
	}
	b->ends++;
	return first;
}

void
breaker_start_failed(struct breaker *b, int64_t now_ms)
{
	b->failures++;
	b->next_ms = now_ms + breaker_pause_ms(b->failures, b->max_ms);
}

void
breaker_came_up(struct breaker *b)
{
	b->failures = 0;
}

int64_t
breaker_due_ms(const struct breaker *b, bool signer, bool another_starts, int64_t due_ms)
{
	if (b->failures == 0)
		return due_ms;
	if (!signer || another_starts)
		return -1;
	return due_ms > b->next_ms ? due_ms : b->next_ms;
}

int64_t
breaker_over_ms(struct breaker *b, int64_t now_ms)
{
	int64_t lasted_ms = now_ms - b->down_ms;

	if (b->down_ms == 0)
		return -1;
	b->down_ms = 0;
	return lasted_ms;
}

bool
breaker_quiet(const struct breaker *b)
{
	return b->failures >= BREAKER_QUIET_FROM && b->failures % BREAKER_QUIET_EVERY != 0;
}
