#include "client/probe.h"

int
probe_run(const struct cli *cli, const char *config, const char *url, const char *tls_ca,
    json_t **probes)
{
	AUTO_BUF out = BUF_INIT(PROBE_TEXT_MAX);
	char path[PROGRAM_PATH];
	struct words w = { .len = 0 };
	json_auto_t *root = NULL;
	json_t *list;
	int status;

	program_find("vesper-probe", path);
	words_add(&w, "vesper-probe");
	words_pair(&w, "--config", config);
	words_pair(&w, "--url", url);
	words_pair(&w, "--tls-ca", tls_ca);
	status = program_capture(cli, path, &w, &out);
	if (status != EXIT_DONE)
		return status;
	root = json_loadb((const char *)out.ptr, out.len, JSON_REJECT_DUPLICATES, NULL);
	list = json_object_get(root, "probes");
	if (!json_is_array(list))
		return cli_fail(cli, EXIT_FAILED, path, "an answer of another kind",
		    "install the agent completely");
	*probes = json_incref(list);
	return EXIT_DONE;
}
