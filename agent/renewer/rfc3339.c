#include "agent/renewer/rfc3339.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "stir/ascii.h"

/* A 0 of the shape is any digit, all else itself.  Ends where the shape does. */
static bool
has_shape(const char *text, const char *shape)
{
	for (; *shape != 0; text++, shape++) {
		if (*shape == '0' ? !ascii_is_digit((uint8_t)*text) : *text != *shape)
			return false;
	}
	return true;
}

static int64_t
two_digits(const char *p)
{
	return (p[0] - '0') * 10 + (p[1] - '0');
}

/* "Z" or "+HH:MM"; false for anything else, and for what comes behind it. */
static bool
read_offset(const char *p, int64_t *out_s)
{
	int64_t s;

	*out_s = 0;
	if (strcmp(p, "Z") == 0)
		return true;
	if ((*p != '+' && *p != '-') || !has_shape(p + 1, "00:00") || p[6] != 0 ||
	    two_digits(p + 1) > 23 || two_digits(p + 4) > 59)
		return false;
	s = two_digits(p + 1) * 3600 + two_digits(p + 4) * 60;
	*out_s = *p == '-' ? -s : s;
	return true;
}

int64_t
rfc3339_s(const char *text)
{
	struct tm tm = { 0 };
	const char *rest;
	struct tm date = { 0 };
	int64_t offset_s, s;

	if (text == NULL || !has_shape(text, "0000-00-00T00:00:00"))
		return 0;
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL || tm.tm_mday == 0)
		return 0;
	if (rest[0] == '.' && ascii_is_digit((uint8_t)rest[1]))
		rest += 1 + strspn(rest + 1, "0123456789");
	if (!read_offset(rest, &offset_s))
		return 0;
	date = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday };
	if (timegm(&date) < 0 || date.tm_mday != tm.tm_mday)
		return 0; /* the 31st of a shorter month */
	s = timegm(&tm) - offset_s;
	return s > 0 ? s : 0;
}
