/*
 * Configuration text: the main file, and behind a line "#---" a tenant's file.
 * What is accepted reads the same again; what is refused says where and why.
 */
#include "agent/config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"

#include <stdio.h>
#include <stdlib.h>

unsigned replay_mutations = 500;

#define SEPARATOR "\n#---\n"

static void
put_files(const uint8_t *data, size_t len)
{
	const size_t n = sizeof SEPARATOR - 1;
	const uint8_t *at = memmem(data, len, SEPARATOR, n);
	struct span rest = span_of(data, len), main_file;

	main_file = at == NULL ? rest : span_cut(&rest, (size_t)(at - data));
	scratch_write("vesperd.conf", main_file);
	if (at == NULL) {
		scratch_drop("tenants.d/t.conf");
		return;
	}
	span_cut(&rest, n);
	scratch_write("tenants.d/t.conf", rest);
}

static json_t *
read_tree(const char *path, struct fault *f)
{
	AUTO(config) *c = NULL;
	json_t *tree = NULL;

	if (config_read(path, &c, f) != RC_OK)
		return NULL;
	if (config_to_json(c, &tree, f) != RC_OK)
		abort();
	config_drop_tenants(c);
	return tree;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	json_auto_t *tree = NULL, *again = NULL;
	char path[128];
	struct fault f = { 0 };

	/* An empty file is not what this is about, and memmem() has no use for NULL. */
	if (len == 0)
		return 0;
	put_files(data, len);
	snprintf(path, sizeof path, "%s/vesperd.conf", scratch_dir());
	tree = read_tree(path, &f);
	if (tree == NULL && (f.reason[0] == 0 || f.detail[0] == 0))
		abort();
	if (tree == NULL)
		return 0;
	again = read_tree(path, &f);
	if (again == NULL || !json_equal(tree, again))
		abort();
	return 0;
}
