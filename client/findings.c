#include "client/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "stir/text.h"

enum { FINDING_TEXT = 512 };

static const char *const names[FINDING__COUNT] = { [FINDING_OK] = "ok",
	[FINDING_SKIPPED] = "skipped",
	[FINDING_WARN] = "warning",
	[FINDING_REFUSED] = "refused",
	[FINDING_BAD] = "FAILED" };

void
findings_init(struct findings *f, const struct cli *cli)
{
	*f = (struct findings){ .cli = cli, .list = json_array() };
}

void
findings_done(struct findings *f)
{
	json_decref(f->list);
}

static void
print_line(const struct cli *cli, enum finding is, const char *check, const char *detail,
    const char *todo)
{
	bool bold = is >= FINDING_WARN;

	printf("%s%-8s%s %-12s %s%s%s\n", bold ? cli_bold(cli) : "", names[is],
	    bold ? cli_plain(cli) : "", check, detail, todo != NULL ? "; " : "",
	    todo != NULL ? todo : "");
	(void)fflush(stdout); /* the next one may take its time */
}

void
findings_add(struct findings *f, enum finding is, const char *check, const char *todo,
    const char *fmt, ...)
{
	char detail[FINDING_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	text_flatten(detail); /* a peer's words */
	f->count[is]++;
	/* A word that is not UTF-8 is left out; its verdict counts. */
	(void)json_array_append_new(
	    f->list, json_pack("{s:s, s:s, s:s, s:s?}", "check", check, "verdict", names[is],
			 "detail", detail, "todo", todo));
	if (!f->cli->json && !f->cli->quiet)
		print_line(f->cli, is, check, detail, todo);
}

static int
status_of(const struct findings *f)
{
	if (f->count[FINDING_BAD] > 0)
		return EXIT_FAILED;
	if (f->count[FINDING_REFUSED] > 0)
		return EXIT_REFUSED;
	return f->count[FINDING_WARN] > 0 ? EXIT_DEGRADED : EXIT_DONE;
}

int
findings_end(struct findings *f)
{
	int status = status_of(f);

	if (f->cli->json) {
		json_t *out =
		    json_pack("{s:b, s:O}", "ok", status == EXIT_DONE, "checks", f->list);

		return cli_print_json(f->cli, out) == EXIT_DONE ? status : EXIT_FAILED;
	}
	if (!f->cli->quiet)
		printf("%u ok, %u warnings, %u failed, %u not tried\n", f->count[FINDING_OK],
		    f->count[FINDING_WARN], f->count[FINDING_BAD] + f->count[FINDING_REFUSED],
		    f->count[FINDING_SKIPPED]);
	return status;
}
