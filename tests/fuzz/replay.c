/*
 * main() for fuzz targets that are built without libFuzzer: replays the corpus
 * of the target, then a bounded number of deterministic mutations of it, so
 * that "make check" exercises every target with any compiler.
 *
 *	fuzz_NAME [FILE…]		without FILE: $top_srcdir/tests/fuzz/corpus/NAME/
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_LEN = 2048, SEED_MAX = 1 << 20 };

__attribute__((weak)) unsigned replay_mutations = 2000;

static unsigned long runs;

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Each run gets a copy of exactly its size, so that a sanitizer sees any overread. */
static void
run_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	runs++;
}

static void
mutate(uint8_t *data, size_t len)
{
	uint32_t state = 2463534242u ^ (uint32_t)len;

	size_t step = len / replay_mutations + 1;

	for (size_t n = 0; n < len; n += step)
		run_copy(data, n);
	for (unsigned i = 0; i < replay_mutations && len > 0; i++) {
		size_t at = next_random(&state) % len;
		uint8_t old = data[at];

		data[at] = (i & 1) != 0 ? (uint8_t)(old ^ 1u << (next_random(&state) % 8))
					: (uint8_t)next_random(&state);
		run_copy(data, len);
		data[at] = old;
	}
}

static int
replay_file(const char *path)
{
	static uint8_t data[SEED_MAX];
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file == NULL) {
		perror(path);
		return 1;
	}
	len = fread(data, 1, sizeof data, file);
	fclose(file);
	run_copy(data, len);
	mutate(data, len);
	return 0;
}

static int
replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int bad = 0, seeds = 0;

	if (dir == NULL) {
		perror(folder);
		return 1;
	}
	while ((entry = readdir(dir)) != NULL) {
		char path[FOLDER_LEN + 300];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		bad |= replay_file(path);
		seeds++;
	}
	closedir(dir);
	printf("%d seeds, %lu runs\n", seeds, runs);
	return bad != 0 || seeds == 0;
}

int
main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	const char *name = strrchr(argv[0], '/');
	char folder[FOLDER_LEN];
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad |= replay_file(argv[i]);
	if (argc > 1)
		return bad;
	name = name == NULL ? argv[0] : name + 1;
	if (strncmp(name, "fuzz_", 5) != 0)
		return 2;
	snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", top == NULL ? "." : top,
	    name + 5);
	return replay_folder(folder);
}
