#include "pkcs11/processor.h"

int
processor_of(const cpu_set_t *allowed, unsigned place, unsigned places)
{
	unsigned n = (unsigned)CPU_COUNT(allowed), left;

	if (n < 2 || places < n)
		return -1;
	left = place % n;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, allowed) && left-- == 0)
			return i;
	}
	return -1;
}

void
processor_keep(unsigned place, unsigned places)
{
	cpu_set_t set;
	int own;

	/* More processors than the set has places for: there are not too few of them. */
	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return;
	own = processor_of(&set, place, places);
	if (own < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(own, &set);
	(void)sched_setaffinity(0, sizeof set, &set);
}
