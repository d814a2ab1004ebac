#include "pkcs11/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const struct option table[] = {
	{ "module", required_argument, NULL, 'm' },
	{ "label", required_argument, NULL, 'l' },
	{ "serial", required_argument, NULL, 's' },
	{ "pin", required_argument, NULL, 'p' },
	{ "threads", required_argument, NULL, 't' },
	{ "lock-file", required_argument, NULL, 'k' },
	{ "generation", required_argument, NULL, 'g' },
	{ "state", required_argument, NULL, 'd' },
	{ "canary-s", required_argument, NULL, 'c' },
	{ "max-keys", required_argument, NULL, 'n' },
	{ "hang-s", required_argument, NULL, 'h' },
	{ "place", required_argument, NULL, 'i' },
	{ "places", required_argument, NULL, 'o' },
	{ "read-write", no_argument, NULL, 'w' },
	{ "verify-all", no_argument, NULL, 'a' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "user", required_argument, NULL, 'u' },
	{ "run-id", required_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 },
};

static enum rc
number(const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *out,
    struct fault *f)
{
	char *end = NULL;
	unsigned long value;

	errno = 0;
	value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
	if (end == NULL || *end != 0 || errno != 0 || value < min || value > max)
		return FAULT(
		    f, RC_INVALID, "usage", "--%s '%s': %u to %u", name, text, min, max);
	*out = (uint32_t)value;
	return RC_OK;
}

static enum rc
take(int option, const char *value, struct hsm_options *o, struct fault *f)
{
	switch (option) {
	case 'm': o->module = value; return RC_OK;
	case 'l': o->label = value; return RC_OK;
	case 's': o->serial = value; return RC_OK;
	case 'p': o->pin = value; return RC_OK;
	case 'k': o->lock_file = value; return RC_OK;
	case 'd': o->state_dir = value; return RC_OK;
	case 'u': o->user = value; return RC_OK;
	case 'w': o->read_write = true; return RC_OK;
	case 'a': o->verify_all = true; return RC_OK;
	case 'q': o->quiet = true; return RC_OK;
	case 'r': return RC_OK; /* every role has one; nothing here writes a log with it */
	case 't': return number("threads", value, 1, OPTIONS_MAX_THREADS, &o->threads, f);
	case 'g': return number("generation", value, 0, UINT32_MAX, &o->generation, f);
	case 'c': return number("canary-s", value, 0, OPTIONS_MAX_CANARY_S, &o->canary_s, f);
	case 'n': return number("max-keys", value, 0, OPTIONS_MAX_KEYS, &o->max_keys, f);
	case 'h': return number("hang-s", value, 1, OPTIONS_MAX_HANG_S, &o->hang_s, f);
	case 'i': return number("place", value, 0, OPTIONS_MAX_PLACES, &o->place, f);
	case 'o': return number("places", value, 0, OPTIONS_MAX_PLACES, &o->places, f);
	default:
		return FAULT(
		    f, RC_INVALID, "usage", "unknown option, or one without its value");
	}
}

static enum rc
role(const char *name, struct hsm_options *o, struct fault *f)
{
	o->admin = strcmp(name, "admin") == 0;
	if (!o->admin && strcmp(name, "signer") != 0)
		return FAULT(f, RC_INVALID, "usage", "'%s' is neither signer nor admin", name);
	return RC_OK;
}

static enum rc
complete(const struct hsm_options *o, struct fault *f)
{
	if (o->module == NULL || o->pin == NULL || o->state_dir == NULL)
		return FAULT(f, RC_INVALID, "usage", "--module, --pin and --state are needed");
	if (o->label == NULL && o->serial == NULL)
		return FAULT(f, RC_INVALID, "usage", "--label or --serial is needed");
	return RC_OK;
}

enum rc
options_parse(int argc, char **argv, struct hsm_options *out, struct fault *f)
{
	struct hsm_options o = {
		.threads = 1, .canary_s = OPTIONS_CANARY_S, .hang_s = OPTIONS_HANG_S
	};
	int option;

	if (argc < 2)
		return FAULT(
		    f, RC_INVALID, "usage", "vesper-hsm signer|admin --module PATH ...");
	TRY(role(argv[1], &o, f));
	opterr = 0;
	optind = 2;
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
		TRY(take(option, optarg, &o, f));
	if (optind != argc)
		return FAULT(f, RC_INVALID, "usage", "'%s' is too much", argv[optind]);
	TRY(complete(&o, f));
	if (o.admin)
		o.threads = 1;	 /* one thread alone changes the token */
	o.verify_all |= o.admin; /* it signs seldom, and what must not be wrong */
	*out = o;
	return RC_OK;
}
