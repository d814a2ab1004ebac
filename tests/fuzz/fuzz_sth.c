/* What a log answers about its tree: heads, and proofs that must not lead where they should not. */
#include "stir/sth.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/vectors_sct.h"

#include <stdlib.h>

static struct ctlogs *
one_log(void)
{
	static const char text[] =
	    "{\"operators\":[{\"logs\":[{\"state\":\"usable\",\"key\":\"";
	AUTO_BUF json = BUF_INIT(4096);
	struct ctlogs *logs = NULL;

	buf_str(&json, text);
	buf_str(&json, log_test);
	buf_str(&json, "\"}]}]}");
	if (ctlogs_read(buf_view(&json), &logs, NULL) != RC_OK)
		abort();
	return logs;
}

/* Of two trees with roots that no hash has: no proof leads there. */
static void
prove(const struct merkle_path *path, uint64_t index)
{
	static const uint8_t leaf[MERKLE_HASH] = { 1 };

	for (uint64_t size = 1; size < 40; size++) {
		struct merkle_tree first = { .size = size }, second = { .size = 40 };

		if (merkle_inclusion(leaf, index, size, path, first.root, NULL) == RC_OK ||
		    merkle_consistency(&first, &second, path, NULL) == RC_OK)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct ctlogs *logs;
	struct merkle_path path = { .len = 0 };
	struct sth sth = { .time_ms = 0 };
	uint64_t index = 0;

	if (logs == NULL)
		logs = one_log();
	if (sth_read(span_of(data, len), ctlogs_at(logs, 0), &sth, NULL) == RC_OK)
		abort(); /* nobody here has that key */
	if (sth_read_inclusion(span_of(data, len), &index, &path, NULL) == RC_OK)
		prove(&path, index);
	if (sth_read_consistency(span_of(data, len), &path, NULL) == RC_OK)
		prove(&path, 0);
	return 0;
}
