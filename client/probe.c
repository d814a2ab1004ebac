#include "client/probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "stir/jtext.h"

/*
 * What the supervisor gives the renewer, and nothing of the shell that runs
 * this: a proxy, OpenSSL's configuration or a resolver's option in it would
 * make of what is reached something else.  NULL: no memory.
 */
static char *
role_environment(struct words *env)
{
	static const char name[] = "CREDENTIALS_DIRECTORY";
	const char *dir = getenv(name);
	char *whole = NULL;

	if (asprintf(&whole, "%s=%s", name, dir != NULL ? dir : "") < 0)
		return NULL;
	words_add(env, dir != NULL ? whole : NULL);
	return whole;
}

int
probe_run(const struct cli *cli, const char *config, const char *url, const char *tls_ca,
    json_t **probes)
{
	AUTO_BUF out = BUF_INIT(PROBE_TEXT_MAX);
	char path[PROGRAM_PATH];
	struct words w = { .len = 0 }, env = { .len = 0 };
	AUTO_FREE char *credentials = role_environment(&env);
	json_auto_t *root = NULL;
	json_t *list;
	int status;

	if (credentials == NULL)
		return cli_fail(cli, EXIT_FAILED, "vesper-probe", "no memory", NULL);
	program_find("vesper-probe", path);
	words_add(&w, "vesper-probe");
	words_pair(&w, "--config", config);
	words_pair(&w, "--url", url);
	words_pair(&w, "--tls-ca", tls_ca);
	status = program_capture(cli, path, &w, &env, &out);
	if (status != EXIT_DONE)
		return status;
	(void)!jtext_read_foreign(buf_view(&out), PROBE_TEXT_MAX, &root, NULL);
	list = json_object_get(root, "probes");
	if (!json_is_array(list))
		return cli_fail(cli, EXIT_FAILED, path, "an answer of another kind",
		    "install the agent completely");
	*probes = json_incref(list);
	return EXIT_DONE;
}
