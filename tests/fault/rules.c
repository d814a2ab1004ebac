#include "tests/fault/rules.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stir/attr.h"

enum { MAX_WORDS = 16, ID_TEXT = 65, ROLE_TEXT = 16 };

struct rule {
	char function[SWITCHES_NAME], role[ROLE_TEXT], key[ID_TEXT];
	struct word word[MAX_WORDS];
	size_t words;
	bool counted, endless, per_process;
	uint64_t count, skip, every;
	uint64_t seen; /* in this process */
};

static struct {
	pthread_mutex_t lock;
	struct switches *file;
	const char *const *name;
	char role[ROLE_TEXT];
	uint64_t serial;
	struct rule rule[SWITCHES_RULES];
	size_t rules;
	atomic_bool want_keys;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the text ------------------------------------------------------------------- */

static const struct {
	const char *text;
	enum word_kind kind;
} kinds[] = {
	{ "after:", WORD_AFTER },
	{ "delay:", WORD_DELAY },
	{ "hang", WORD_HANG },
	{ "crash", WORD_CRASH },
	{ "rate:", WORD_RATE },
	{ "capacity:", WORD_CAPACITY },
	{ "absent", WORD_ABSENT },
	{ "flags:", WORD_FLAGS },
	{ "sessions", WORD_SESSIONS },
	{ "readonly", WORD_READONLY },
	{ "readwrite", WORD_READWRITE },
	{ "logout", WORD_LOGOUT },
	{ "relogin", WORD_RELOGIN },
	{ "reinit", WORD_REINIT },
	{ "fork", WORD_FORK },
	{ "reshuffle", WORD_RESHUFFLE },
	{ "active", WORD_ACTIVE },
	{ "wrongkey", WORD_WRONGKEY },
	{ "small", WORD_SMALL },
	{ "pad", WORD_PAD },
	{ "flip", WORD_FLIP },
	{ "short", WORD_SHORT },
	{ "tells", WORD_TELLS },
};

/* A test that misspells a fault must not pass because nothing happens. */
static _Noreturn void
wrong(const char *what)
{
	fprintf(stderr, "p11fault: '%s' is none of its words\n", what);
	abort();
}

static struct word
parse_word(const char *text, int rule)
{
	struct word w = { .kind = WORD_RETURN, .rule = rule };
	char *end = NULL;

	w.value = strtoul(text, &end, 0);
	if (*end == 0 && end != text) {
		w.kind = w.value == 0 ? WORD_PASS : WORD_RETURN;
		return w;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t len = strlen(kinds[i].text);
		bool valued = kinds[i].text[len - 1] == ':';

		if (strncmp(text, kinds[i].text, len) != 0 || (!valued && text[len] != 0))
			continue;
		w.kind = kinds[i].kind;
		w.value = valued ? strtoul(text + len, NULL, 0) : 0;
		return w;
	}
	wrong(text);
}

static bool
option(struct rule *r, const char *text)
{
	if (strcmp(text, "per=process") == 0) {
		r->per_process = true;
	} else if (strcmp(text, "count=*") == 0) {
		r->counted = r->endless = true;
	} else if (sscanf(text, "count=%lu", &r->count) == 1) {
		r->counted = true;
	} else if (sscanf(text, "skip=%lu", &r->skip) != 1 &&
		   sscanf(text, "every=%lu", &r->every) != 1 &&
		   sscanf(text, "role=%15s", r->role) != 1 &&
		   sscanf(text, "key=%64s", r->key) != 1) {
		return false;
	}
	return true;
}

static bool
is_function(const char *name)
{
	for (size_t i = 0; state.name[i] != NULL; i++) {
		if (strcmp(state.name[i], name) == 0)
			return true;
	}
	return false;
}

static void
parse_line(char *line)
{
	struct rule r = { .every = 1 };
	char *rest = NULL, *item = strtok_r(line, " \t", &rest);

	if (item == NULL)
		return;
	if (!is_function(item) || state.rules == SWITCHES_RULES)
		wrong(item);
	snprintf(r.function, sizeof r.function, "%s", item);
	while ((item = strtok_r(NULL, " \t", &rest)) != NULL) {
		if (strchr(item, '=') != NULL) {
			if (!option(&r, item))
				wrong(item);
			continue;
		}
		if (r.words == MAX_WORDS)
			wrong(item);
		r.word[r.words++] = parse_word(item, (int)state.rules);
	}
	if (r.every == 0)
		r.every = 1;
	if (r.key[0] != 0)
		state.want_keys = true;
	state.rule[state.rules++] = r;
}

/* Under the lock.  A text that is being written is read at the next call. */
static void
reload(void)
{
	uint64_t serial = atomic_load(&state.file->serial);
	char text[SWITCHES_TEXT + 1], *rest = NULL;

	if (serial == state.serial || serial % 2 != 0)
		return;
	memcpy(text, state.file->text, SWITCHES_TEXT);
	text[SWITCHES_TEXT] = 0;
	if (atomic_load(&state.file->serial) != serial)
		return;
	state.serial = serial;
	state.rules = 0;
	state.want_keys = false;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		parse_line(line);
}

/* ---- a call ------------------------------------------------------------------------ */

static bool
concerns(const struct rule *r, const char *function, const char *key)
{
	return strcmp(r->function, function) == 0 &&
	       (r->role[0] == 0 || strcmp(r->role, state.role) == 0) &&
	       (r->key[0] == 0 || (key != NULL && strncmp(key, r->key, strlen(r->key)) == 0));
}

static struct word
choose(struct rule *r, size_t index)
{
	struct word none = { .kind = WORD_PASS };
	uint64_t n = atomic_fetch_add(&state.file->rule[index].seen, 1);

	if (r->per_process)
		n = r->seen++;
	if (n < r->skip || (n - r->skip) % r->every != 0)
		return none;
	n = (n - r->skip) / r->every;
	if (r->counted)
		return r->words > 0 && (r->endless || n < r->count) ? r->word[0] : none;
	return n < r->words ? r->word[n] : none;
}

struct word
rules_next(size_t function, const char *key)
{
	struct word w = { .kind = WORD_PASS };

	atomic_fetch_add(&state.file->calls[function], 1);
	pthread_mutex_lock(&state.lock);
	reload();
	for (size_t i = 0; i < state.rules && w.kind == WORD_PASS; i++) {
		if (concerns(&state.rule[i], state.name[function], key))
			w = choose(&state.rule[i], i);
	}
	pthread_mutex_unlock(&state.lock);
	return w;
}

void
rules_fired(const struct word *w)
{
	if (w->kind != WORD_PASS)
		atomic_fetch_add(&state.file->rule[w->rule].fired, 1);
}

bool
rules_want_keys(void)
{
	pthread_mutex_lock(&state.lock);
	reload();
	pthread_mutex_unlock(&state.lock);
	return state.want_keys;
}

/* ---- the file ------------------------------------------------------------------------ */

/* The second word of the command line: vesper-hsm signer|admin. */
static void
read_role(void)
{
	char text[4096];
	AUTO_FD fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	text[n > 0 ? n : 0] = 0;
	if (n > 0 && (ssize_t)strlen(text) + 1 < n)
		snprintf(state.role, sizeof state.role, "%.*s", ROLE_TEXT - 1,
		    text + strlen(text) + 1);
}

bool
rules_open(const char *path, const char *const names[], size_t n)
{
	AUTO_FD fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0 || n >= SWITCHES_FUNCTIONS || lseek(fd, 0, SEEK_END) < SWITCHES_SIZE)
		return false;
	at = mmap(NULL, sizeof *state.file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return false;
	state.file = at;
	state.name = names;
	for (size_t i = 0; i < n; i++)
		snprintf(state.file->name[i], SWITCHES_NAME, "%s", names[i]);
	memcpy(state.file->magic, "p11fault", sizeof state.file->magic);
	read_role();
	return true;
}

struct switches *
rules_switches(void)
{
	return state.file;
}
