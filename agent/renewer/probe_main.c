/*
 * vesper-probe: what "vesper doctor" and "vesper tenant test" run to reach the
 * parties outside, in the renewer's place: as its user, by its transfers.
 * Sends no secret and orders nothing.  Prints one JSON object.
 */
#include "agent/renewer/probe.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/role.h"

enum { EXIT_USAGE = 2 };

struct options {
	const char *config, *url, *tls_ca;
};

static enum rc
parse(int argc, char **argv, struct options *o, struct fault *f)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "url", required_argument, NULL, 'u' },
		{ "tls-ca", required_argument, NULL, 't' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'u': o->url = optarg; break;
		case 't': o->tls_ca = optarg; break;
		default: return FAULT(f, RC_INVALID, "usage", "unknown option");
		}
	}
	if (o->config == NULL || optind != argc)
		return FAULT(f, RC_INVALID, "usage",
		    "vesper-probe --config FILE [--url URL [--tls-ca FILE]]");
	return RC_OK;
}

/* The configuration is read as whoever started this; the rest is the renewer's user's. */
static enum rc
probe(const struct options *o, json_t *out, struct fault *f)
{
	/* Relative paths of the command line are as seen from here. */
	AUTO_FREE char *tls_ca = o->tls_ca != NULL ? realpath(o->tls_ca, NULL) : NULL;
	AUTO(config) *c = NULL;
	json_t *list = json_array();

	if (json_object_set_new(out, "probes", list) != 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "probes");
	if (o->tls_ca != NULL && tls_ca == NULL)
		return FAULT(f, RC_IO, "tls_ca", "%s: %s", o->tls_ca, strerror(errno));
	TRY(config_read(o->config, &c, f));
	if (chdir(c->dir) != 0)
		return FAULT(f, RC_IO, "config", "%s", c->dir);
	TRY(role_become(geteuid() == 0 ? c->net_user : NULL, false, f));
	if (o->url == NULL)
		return probe_parties(c, list, f);
	return probe_url(o->url, tls_ca != NULL ? tls_ca : c->tnlist_tls_ca, list, f);
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	json_auto_t *out = json_object();
	struct fault f = { 0 };

	log_open("probe", LEVEL_ERR);
	if (parse(argc, argv, &o, &f) != RC_OK) {
		fprintf(stderr, "vesper-probe: %s\n", f.detail);
		return EXIT_USAGE;
	}
	if (out == NULL || probe(&o, out, &f) != RC_OK) {
		fprintf(stderr, "vesper-probe: %s: %s\n", f.reason, f.detail);
		return EXIT_FAILURE;
	}
	return json_dumpf(out, stdout, JSON_COMPACT) == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS
										 : EXIT_FAILURE;
}
