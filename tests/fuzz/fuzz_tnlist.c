/*
 * What a URL in a certificate led to, and the file that is kept of it: the
 * first octet says which.  A list is written and read again as the same
 * numbers; a file that is taken names its URL and holds a list.
 */
#include "agent/front/tnlist.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stir/tnauth.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch.h"

#define URL "https://lists.example/a"
enum { NOW = 1800000000, FRESH_S = 600, MAX_AGE_S = 86400 };

static struct config config;
static struct config_credential credential = { .tnlist_max_age_s = MAX_AGE_S };
static const struct tnlist_of of = { &config, "a", "m", &credential };
static char file[1024];

/* The one file, by what is written there. */
static void
make_world(void)
{
	char folder[512];
	struct dirent *entry;
	DIR *dir;

	if (file[0] != 0)
		return;
	must((config.state_dir = strdup(scratch_dir())) != NULL);
	must(tnlist_write(&of, URL, span_str("x"), NOW, FRESH_S, NULL) == RC_OK);
	snprintf(folder, sizeof folder, "%s/front/tenants/a/m", config.state_dir);
	must((dir = opendir(folder)) != NULL);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
	}
	closedir(dir);
	must(file[0] != 0);
}

static void
same_numbers(const struct tnset *a, const struct tnset *b)
{
	must(tnset_len(a) == tnset_len(b));
	for (size_t i = 0; i < tnset_len(a); i++) {
		struct tn_interval x = tnset_at(a, i), y = tnset_at(b, i);

		must(x.lo == y.lo && x.hi == y.hi && x.lo <= x.hi);
		must(i == 0 || tnset_at(a, i - 1).hi < x.lo);
	}
}

/* Octets of somebody's server. */
static void
fetched(struct span der)
{
	AUTO_TNLIST *made = NULL, *back = NULL, *common = NULL;
	AUTO(tnset) *numbers = NULL;
	enum rc rc = tnlist_make(&of, URL, der, NOW, FRESH_S, &made, NULL);

	must(rc == tnauth_decode_numbers(der, false, &numbers, NULL));
	must(tnlist_write(&of, URL, der, NOW, FRESH_S, NULL) == RC_OK);
	must(tnlist_read(&of, URL, &back, NULL) == rc);
	if (rc != RC_OK)
		return;
	same_numbers(made->numbers, numbers);
	same_numbers(back->numbers, numbers);
	must(memcmp(made->digest, back->digest, sizeof made->digest) == 0);
	must(back->fetched_at_s == NOW && back->due_s == made->due_s);
	must(tnlist_common(made, back, &common, NULL) == RC_OK);
	same_numbers(common->numbers, numbers);
}

/* A file as it lies there. */
static void
found(struct span text)
{
	static const char head[] = URL "\n";
	AUTO_TNLIST *l = NULL;
	FILE *out = fopen(file, "wb");

	must(out != NULL && fwrite(text.ptr, 1, text.len, out) == text.len);
	must(fclose(out) == 0);
	if (tnlist_read(&of, URL, &l, NULL) != RC_OK)
		return;
	must(strcmp(l->url, URL) == 0 && l->fetched_at_s > 0);
	must(l->due_s >= l->fetched_at_s + TNLIST_LEAST_S);
	must(l->due_s <= l->fetched_at_s + MAX_AGE_S / 2);
	must(text.len > sizeof head && memcmp(text.ptr, head, sizeof head - 1) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span rest = span_of(data, len);

	if (len == 0)
		return 0;
	make_world();
	(void)span_cut(&rest, 1);
	if (*data == 'f')
		found(rest);
	else
		fetched(rest);
	return 0;
}
