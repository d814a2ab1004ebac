#include "tests/oracle/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stir/chain.h"

enum { LINE_MAX_LEN = 65536 };

_Noreturn void
die(const char *why)
{
	fprintf(stderr, "oracle: %s\n", why);
	exit(2);
}

int64_t
number(const char *text)
{
	char *end = NULL;
	long long n = text == NULL ? 0 : strtoll(text, &end, 10);

	if (end == text || end == NULL || *end != 0)
		die("a number is no number");
	return n;
}

char *
next_line(void)
{
	static char line[LINE_MAX_LEN];

	if (fgets(line, sizeof line, stdin) == NULL)
		return NULL;
	line[strcspn(line, "\n")] = 0;
	return line;
}

void
read_body(const char *length, struct buf *out)
{
	int64_t len = number(length);
	uint8_t *room;

	buf_clear(out);
	if (len < 0 || len > CHAIN_MAX_BYTES)
		die("a length is out of bounds");
	room = buf_room(out, (size_t)len);
	if (len > 0 && (room == NULL || fread(room, 1, (size_t)len, stdin) != (size_t)len))
		die("a record ends early");
	buf_grew(out, (size_t)len);
}

char *
cut_value(char *text)
{
	char *value = strchr(text, '=');

	if (value == NULL)
		die("a switch has no value");
	*value++ = 0;
	return value;
}

void
print_fault(const char *word, const struct fault *f)
{
	printf("%s\t%s\t%s\t", word, f->reason, f->claim);
	for (const char *p = f->detail; *p != 0; p++)
		putchar((unsigned char)*p < ' ' ? ' ' : *p);
	putchar('\n');
}

void
flush_verdicts(void)
{
	if (fflush(stdout) != 0)
		die("nobody reads the verdicts");
}
