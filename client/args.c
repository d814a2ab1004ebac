#include "client/cli.h"

#include <errno.h>
#include <stdlib.h>

static enum rc
usage(struct fault *f, const char *what, const char *name)
{
	return FAULT(f, RC_INVALID, "usage", "%s %.60s", what, name);
}

static enum rc
parse_count(const char *name, const char *text, int64_t max, int64_t *out, struct fault *f)
{
	char *end = NULL;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != 0 || value < 0 || value > max)
		return FAULT(f, RC_INVALID, "usage", "%s: '%.40s' is not 0 to %lld", name, text,
		    (long long)max);
	*out = value;
	return RC_OK;
}

static enum rc
parse_real(const char *name, const char *text, double *out, struct fault *f)
{
	char *end = NULL;
	double value;

	errno = 0;
	value = strtod(text, &end);
	if (errno != 0 || end == text || *end != 0 || !(value >= 0 && value <= 1e6))
		return FAULT(f, RC_INVALID, "usage", "%s: '%.40s' is no number", name, text);
	*out = value;
	return RC_OK;
}

static enum rc
store(const struct option *o, const char *value, struct fault *f)
{
	struct text_list *list = o->to;
	int64_t n = 0;

	switch (o->kind) {
	case OPTION_FLAG: *(bool *)o->to = true; return RC_OK;
	case OPTION_TEXT: *(const char **)o->to = value; return RC_OK;
	case OPTION_REAL: return parse_real(o->name, value, o->to, f);
	case OPTION_TIME: return parse_count(o->name, value, OPTION_TIME_MAX, o->to, f);
	case OPTION_NUMBER:
		TRY(parse_count(o->name, value, OPTION_NUMBER_MAX, &n, f));
		*(unsigned *)o->to = (unsigned)n;
		return RC_OK;
	case OPTION_LIST:
		if (list->len == ARGS_MAX)
			return usage(f, "too many", o->name);
		list->item[list->len++] = value;
		return RC_OK;
	}
	return FAULT(f, RC_BUG, "usage", "%s", o->name);
}

static const struct option *
find(const struct option *table, const char *arg, size_t len)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
		if (strlen(o->name) == len && strncmp(o->name, arg, len) == 0)
			return o;
	}
	return NULL;
}

struct parse {
	const struct option *own, *global;
	int argc, at;
	char **argv;
};

/* The option at argv[at] with its value, if it has one. */
static enum rc
take_option(struct parse *p, struct fault *f)
{
	const char *arg = p->argv[p->at];
	const char *equals = strchr(arg, '=');
	size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
	const struct option *o = find(p->own, arg, len);

	if (o == NULL)
		o = find(p->global, arg, len);
	if (o == NULL)
		return usage(f, "unknown option", arg);
	p->at++;
	if (o->kind == OPTION_FLAG)
		return equals == NULL ? store(o, NULL, f)
				      : usage(f, "no value is taken by", o->name);
	if (equals != NULL)
		return store(o, equals + 1, f);
	if (p->at == p->argc)
		return usage(f, "a value is missing after", o->name);
	return store(o, p->argv[p->at++], f);
}

static bool
is_option(const char *arg)
{
	return arg[0] == '-' && arg[1] != 0;
}

static enum rc
set_timeout(struct cli *cli, double seconds, struct fault *f)
{
	if (seconds < 0)
		return RC_OK; /* not given */
	if (seconds < 0.001 || seconds > 3600)
		return usage(f, "--timeout is 0.001 to 3600", "seconds");
	cli->timeout_ms = (unsigned)(seconds * 1000);
	return RC_OK;
}

static enum rc
parse(struct cli *cli, struct parse *p, struct text_list *rest, struct fault *f)
{
	double timeout = -1;
	bool ended = false;
	const struct option globals[] = { { "--socket", OPTION_TEXT, &cli->socket },
		{ "--json", OPTION_FLAG, &cli->json }, { "--quiet", OPTION_FLAG, &cli->quiet },
		{ "--no-color", OPTION_FLAG, &cli->no_color },
		{ "--timeout", OPTION_REAL, &timeout }, { "--help", OPTION_FLAG, &cli->help },
		{ "-h", OPTION_FLAG, &cli->help }, { 0 } };

	p->global = globals;
	while (p->at < p->argc) {
		const char *arg = p->argv[p->at];

		if (!ended && is_option(arg)) {
			ended = strcmp(arg, "--") == 0;
			if (ended)
				p->at++;
			else
				TRY(take_option(p, f));
			continue;
		}
		if (rest == NULL)
			break; /* the command's name */
		if (rest->len == ARGS_MAX)
			return usage(f, "too many arguments from", arg);
		rest->item[rest->len++] = arg;
		p->at++;
	}
	return set_timeout(cli, timeout, f);
}

enum rc
args_parse(struct cli *cli, const struct option *options, int argc, char **argv,
    struct text_list *rest, struct fault *f)
{
	struct parse p = { .own = options, .argc = argc, .argv = argv };

	return parse(cli, &p, rest, f);
}

enum rc
args_globals(struct cli *cli, int argc, char **argv, int *used, struct fault *f)
{
	struct parse p = { .argc = argc, .argv = argv };

	TRY(parse(cli, &p, NULL, f));
	*used = p.at;
	return RC_OK;
}
