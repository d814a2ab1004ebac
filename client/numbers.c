#include "client/numbers.h"

#include <ctype.h>
#include <stdio.h>

#include "client/job.h"
#include "client/member.h"
#include "stir/tnset.h"

enum {
	BATCH = 1024, /* of one request: its body is small enough */
	LINES_MAX = 1000000,
	INPUT_MAX = 32 * 1024 * 1024,
};

static int
target_of(struct cli *cli, const char *tenant, char out[JOB_TARGET_MAX])
{
	if (tenant[0] == 0 || strlen(tenant) > 63 ||
	    tenant[strspn(tenant, "abcdefghijklmnopqrstuvwxyz0123456789._-")] != 0)
		return cli_fail(cli, EXIT_USAGE, "usage", "no name of a tenant section", NULL);
	snprintf(out, JOB_TARGET_MAX, "/v1/tenants/%s/numbers", tenant);
	return EXIT_DONE;
}

/* ---- list -------------------------------------------------------------------------- */

/* The first number of the last entry of a page: what comes next is behind it. */
static bool
next_page(const json_t *page, const char *target, char out[JOB_TARGET_MAX])
{
	const json_t *list = json_object_get(page, "numbers");
	size_t n = json_array_size(list);
	const char *last = n > 0 ? json_string_value(json_array_get(list, n - 1)) : NULL;

	if (last == NULL || !json_is_true(json_object_get(page, "more")))
		return false;
	snprintf(
	    out, JOB_TARGET_MAX, "%.100s?after=%.*s", target, (int)strcspn(last, "-"), last);
	return true;
}

static int
all_pages(struct cli *cli, const char *target, json_t **out)
{
	char next[JOB_TARGET_MAX];
	json_auto_t *whole = NULL;
	int status = job_get(cli, "no list", target, &whole);
	json_t *page = whole;

	while (status == EXIT_DONE && next_page(page, target, next)) {
		json_t *more = NULL;

		if (page != whole)
			json_decref(page);
		status = job_get(cli, "no list", next, &more);
		if (status != EXIT_DONE)
			return status;
		page = more;
		if (json_array_extend(json_object_get(whole, "numbers"),
			json_object_get(page, "numbers")) != 0)
			status = EXIT_FAILED;
	}
	if (page != whole)
		json_decref(page);
	if (status == EXIT_DONE)
		*out = TAKE(whole);
	return status;
}

/* As a numbers_file is written. */
static void
print_list(const char *tenant, const json_t *whole)
{
	const json_t *pending = json_object_get(whole, "pending"), *one;
	size_t i;

	printf("# tenant %s: %lld numbers; by command %lld added, %lld removed\n", tenant,
	    (long long)member_number(whole, "count"), (long long)member_number(whole, "added"),
	    (long long)member_number(whole, "removed"));
	if (json_integer_value(pending) > 0)
		printf("# %lld of them wait for a certificate that covers them\n",
		    (long long)json_integer_value(pending));
	json_array_foreach (json_object_get(whole, "numbers"), i, one)
		printf("%s\n", json_string_value(one));
}

static int
list(struct cli *cli, const char *tenant, const char *target)
{
	json_auto_t *whole = NULL;
	int status = all_pages(cli, target, &whole);
	bool lost;

	if (status != EXIT_DONE)
		return status;
	lost = json_is_true(json_object_get(whole, "lost"));
	json_object_del(whole, "more");
	if (!cli->json && !cli->quiet)
		print_list(tenant, whole);
	if (cli->json && cli_print_json(cli, TAKE(whole)) != EXIT_DONE)
		return EXIT_FAILED;
	return lost ? EXIT_DEGRADED : EXIT_DONE;
}

/* ---- add, remove ------------------------------------------------------------------- */

struct sums {
	json_int_t added, removed, numbers;
};

static int
send_batch(
    struct cli *cli, const char *target, const char *verb, json_t *entries, struct sums *sums)
{
	json_auto_t *object = json_pack("{s:o}", verb, entries), *result = NULL;
	AUTO_FREE char *body = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	int status;

	if (body == NULL)
		return cli_fail(cli, EXIT_FAILED, "not changed", "no memory", NULL);
	status = job_run(cli, "not changed", target, body, &result);
	if (status != EXIT_DONE)
		return status;
	sums->added += member_number(result, "added");
	sums->removed += member_number(result, "removed");
	sums->numbers = member_number(result, "numbers");
	return EXIT_DONE;
}

static json_t *
sums_json(const struct sums *sums)
{
	return json_pack("{s:I, s:I, s:I}", "added", sums->added, "removed", sums->removed,
	    "numbers", sums->numbers);
}

/* What was confirmed before a batch fails stays done, and is said. */
static int
send_all(struct cli *cli, const char *target, const char *verb, const json_t *entries,
    struct sums *sums)
{
	size_t n = json_array_size(entries);
	int status = EXIT_DONE;

	for (size_t at = 0; status == EXIT_DONE && at < n; at += BATCH) {
		json_t *batch = json_array();

		for (size_t i = at; i < n && i < at + BATCH; i++)
			json_array_append(batch, json_array_get(entries, i));
		status = send_batch(cli, target, verb, batch, sums);
		if (status == EXIT_DONE) {
			json_decref(cli->done);
			cli->done = sums_json(sums);
		}
	}
	json_decref(cli->done);
	cli->done = NULL;
	return status;
}

static int
put_entry(struct cli *cli, json_t *entries, struct span text, unsigned line)
{
	struct tn_interval in = { 0 };
	struct fault f = { 0 };
	char where[64] = "not changed";

	if (line > 0)
		snprintf(where, sizeof where, "not changed: line %u", line);
	if (tnset_parse(text, &in, &f) != RC_OK)
		return cli_fault(
		    cli, EXIT_USAGE, where, &f, "write 12025550100 or 12025550110-12025550119");
	if (json_array_append_new(entries, json_stringn((const char *)text.ptr, text.len)) != 0)
		return cli_fail(cli, EXIT_FAILED, where, "no memory", NULL);
	return EXIT_DONE;
}

static struct span
without_comment(struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		/* A # right behind a digit belongs to a number. */
		if (line.ptr[i] == '#' && (i == 0 || isspace(line.ptr[i - 1])))
			line.len = i;
	}
	return cli_trim(line);
}

static int
read_lines(struct cli *cli, json_t *entries)
{
	AUTO_BUF text = BUF_INIT(INPUT_MAX);
	struct fault f = { 0 };
	struct span rest;
	int status = EXIT_DONE;

	if (cli_read("-", &text, &f) != RC_OK)
		return cli_unread(cli, "cannot read the numbers", &f, NULL);
	rest = buf_view(&text);
	for (unsigned n = 1; status == EXIT_DONE && rest.len > 0; n++) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
		struct span line = without_comment(span_cut(&rest, len));

		if (end != NULL)
			(void)span_cut(&rest, 1);
		if (line.len > 0)
			status = put_entry(cli, entries, line, n);
	}
	return status;
}

static int
read_entries(struct cli *cli, const struct text_list *rest, json_t *entries)
{
	int status = EXIT_DONE;

	if (rest->len == 4 && strcmp(rest->item[3], "-") == 0)
		return read_lines(cli, entries);
	for (size_t i = 3; status == EXIT_DONE && i < rest->len; i++)
		status = put_entry(cli, entries, span_str(rest->item[i]), 0);
	return status;
}

static int
change(struct cli *cli, const struct text_list *rest, const char *target)
{
	const char *tenant = rest->item[2];
	json_auto_t *entries = json_array();
	struct sums sums = { 0 };
	int status = read_entries(cli, rest, entries);

	if (status == EXIT_DONE && json_array_size(entries) == 0)
		return EXIT_DONE; /* an empty list: nothing to do */
	if (status == EXIT_DONE)
		status = send_all(cli, target, rest->item[1], entries, &sums);
	if (cli->json && status == EXIT_DONE)
		return cli_print_json(
		    cli, json_pack("{s:s, s:I, s:I, s:I}", "tenant", tenant, "added",
			     sums.added, "removed", sums.removed, "numbers", sums.numbers));
	/* Standard output is the error object's, which has the sums, too. */
	if (!cli->quiet && (status == EXIT_DONE || sums.added + sums.removed > 0))
		fprintf(cli->json ? stderr : stdout,
		    "%s: %lld added, %lld removed, %lld numbers\n", tenant,
		    (long long)sums.added, (long long)sums.removed, (long long)sums.numbers);
	return status;
}

int
tenant_numbers(struct cli *cli, const struct text_list *rest)
{
	const char *verb = rest->len > 1 ? rest->item[1] : "";
	bool lists = strcmp(verb, "list") == 0 && rest->len == 3;
	bool changes =
	    (strcmp(verb, "add") == 0 || strcmp(verb, "remove") == 0) && rest->len > 3;
	char target[JOB_TARGET_MAX];
	int status;

	if (!lists && !changes)
		return cli_fail(cli, EXIT_USAGE, "usage", "vesper tenant " NUMBERS_USAGE, NULL);
	status = target_of(cli, rest->item[2], target);
	if (status != EXIT_DONE)
		return status;
	return lists ? list(cli, rest->item[2], target) : change(cli, rest, target);
}
