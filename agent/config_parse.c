#include "agent/config_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stir/uri.h"

/* ---- files ---------------------------------------------------------------- */

static enum rc
slurp_fd(int fd, const char *name, size_t size, struct buf *out, struct fault *f)
{
	/* One byte more than fstat said shows a file that grew meanwhile. */
	for (;;) {
		size_t want = size + 1 > out->len ? size + 1 - out->len : 1;
		uint8_t *room = buf_room(out, want);
		ssize_t n;

		if (room == NULL)
			return FAULT(
			    f, RC_INVALID, "config", "%s: more than %zu bytes", name, out->max);
		n = read(fd, room, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAULT(f, RC_IO, "config", "%s: %s", name, strerror(errno));
		if (n == 0)
			return RC_OK;
		buf_grew(out, (size_t)n);
	}
}

enum rc
config_unreadable(const char *name, struct fault *f)
{
	int err = errno;
	const struct passwd *pw = err == EACCES ? getpwuid(geteuid()) : NULL;

	if (err != EACCES)
		return FAULT(f, RC_IO, "config", "%s: %s", name, strerror(err));
	return FAULT(f, RC_IO, "config",
	    "%s: %s; make it, and what it stands in, readable for user %s", name, strerror(err),
	    pw != NULL ? pw->pw_name : "of this process");
}

enum rc
config_slurp(int dir, const char *name, size_t max, struct buf *out, struct fault *f)
{
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return FAULT(f, RC_NOT_FOUND, "config",
		    "%s: %s; create it, or correct its name", name, strerror(errno));
	if (fd < 0)
		return config_unreadable(name, f);
	if (fstat(fd, &st) != 0)
		return FAULT(f, RC_IO, "config", "%s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return FAULT(f, RC_INVALID, "config", "%s is not a regular file", name);
	if ((size_t)st.st_size > max)
		return FAULT(f, RC_INVALID, "config", "%s has more than %zu bytes", name, max);
	*out = BUF_INIT(max + 1);
	return slurp_fd(fd, name, (size_t)st.st_size, out, f);
}

/* What libconfuse itself complains about.  One parse at a time, so one place will do. */
static struct fault *parse_fault;

static PRINTF_LIKE(2, 0) void on_parse_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[160];

	vsnprintf(text, sizeof text, fmt, ap);
	scan_bad(parse_fault, "syntax", cfg != NULL ? (unsigned)cfg->line : 0, "%s", text);
}

static enum rc
parse(struct config_file *cf, cfg_opt_t *options, struct fault *f)
{
	int rc;

	cf->cfg = cfg_init(options, CFGF_NONE);
	if (cf->cfg == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", cf->name);
	cfg_set_error_function(cf->cfg, on_parse_error);
	parse_fault = f;
	errno = 0; /* libconfuse takes an old ERANGE for its own */
	rc = cfg_parse_buf(cf->cfg, cf->scan.text);
	parse_fault = NULL;
	if (rc != CFG_SUCCESS)
		return scan_bad(f, cf->name, 1, "cannot be parsed");
	return RC_OK;
}

enum rc
config_file_read(
    struct config_file *cf, int dir, const char *name, cfg_opt_t *options, struct fault *f)
{
	AUTO_BUF text = BUF_INIT(0);

	cf->name = strdup(name);
	if (cf->name == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", name);
	TRY(config_slurp(dir, name, CONFIG_MAX_FILE, &text, f));
	TRY(scan_read(&cf->scan, cf->name, buf_view(&text), options, f));
	return parse(cf, options, f);
}

void
config_file_done(struct config_file *cf)
{
	if (cf->cfg != NULL)
		cfg_free(cf->cfg);
	scan_done(&cf->scan);
	free(cf->name);
	*cf = (struct config_file){ 0 };
}

struct section
config_file_top(const struct config_file *cf)
{
	return (struct section){ cf->cfg, &cf->scan, SCAN_NO_NODE };
}

/* ---- sections ------------------------------------------------------------- */

size_t
section_count(const struct section *s, const char *name)
{
	return cfg_size(s->cfg, name);
}

struct section
section_child(const struct section *s, const char *name, size_t i)
{
	return (struct section){ cfg_getnsec(s->cfg, name, (unsigned)i), s->scan,
		scan_find(s->scan, s->node, name, i) };
}

const char *
section_title(const struct section *s)
{
	return cfg_title(s->cfg);
}

bool
section_has(const struct section *s, const char *key)
{
	return scan_find(s->scan, s->node, key, 0) != SCAN_NO_NODE;
}

const char *
section_text(const struct section *s, const char *key)
{
	return cfg_getstr(s->cfg, key);
}

static int
node_of(const struct section *s, const char *key)
{
	int node = key != NULL ? scan_find(s->scan, s->node, key, 0) : SCAN_NO_NODE;

	return node != SCAN_NO_NODE ? node : s->node;
}

unsigned
section_line(const struct section *s, const char *key)
{
	return scan_line(s->scan, node_of(s, key));
}

enum rc
section_bad(const struct section *s, const char *key, struct fault *f, const char *fmt, ...)
{
	char text[sizeof f->detail];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return scan_bad(f, s->scan->file, section_line(s, key), "%s", text);
}

enum rc
section_list(const struct section *top, const char *name, size_t size, size_t max, void **list,
    size_t *n, struct fault *f)
{
	*n = section_count(top, name);
	if (*n > max)
		return section_bad(
		    top, name, f, "%zu sections '%s'; at most %zu", *n, name, max);
	if (*n == 0)
		return RC_OK;
	*list = calloc(*n, size);
	return *list != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "%s", name);
}

enum rc
section_string(const struct section *s, const char *key, char **out, struct fault *f)
{
	const char *text = section_text(s, key);

	if (text == NULL)
		return RC_OK;
	if (text[0] == 0)
		return section_bad(
		    s, key, f, "'%s' is empty; leave it out or give it a value", key);
	*out = strdup(text);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "%s", key);
}

enum rc
section_required(const struct section *s, const char *key, char **out, struct fault *f)
{
	TRY(section_string(s, key, out, f));
	if (*out == NULL)
		return section_bad(s, NULL, f, "'%s' is missing; write %s = \"…\"", key, key);
	return RC_OK;
}

enum rc
section_strings(
    const struct section *s, const char *key, struct config_strings *out, struct fault *f)
{
	size_t n = cfg_size(s->cfg, key);

	if (n == 0)
		return RC_OK;
	out->item = calloc(n, sizeof out->item[0]);
	if (out->item == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", key);
	for (size_t i = 0; i < n; i++) {
		const char *text = cfg_getnstr(s->cfg, key, (unsigned)i);

		if (text == NULL || text[0] == 0)
			return section_bad(s, key, f, "'%s' holds an empty entry", key);
		out->item[i] = strdup(text);
		if (out->item[i] == NULL)
			return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", key);
		out->len = i + 1;
	}
	return RC_OK;
}

enum rc
section_uint(const struct section *s, const char *key, unsigned min, unsigned max,
    unsigned *out, struct fault *f)
{
	long value = cfg_getint(s->cfg, key);

	if (value < 0 || (unsigned long)value < min || (unsigned long)value > max)
		return section_bad(s, key, f, "'%s' is %ld; write a number from %u to %u", key,
		    value, min, max);
	*out = (unsigned)value;
	return RC_OK;
}

bool
section_bool(const struct section *s, const char *key)
{
	return cfg_getbool(s->cfg, key) == cfg_true;
}

/* A literal would be readable in the configuration, so only references are taken. */
enum rc
section_secret(
    const struct section *s, const char *key, struct secret_ref *out, struct fault *f)
{
	const char *text = section_text(s, key);
	const char *name;

	if (text == NULL)
		return RC_OK;
	if (strncmp(text, "file:", 5) != 0 && strncmp(text, "credential:", 11) != 0)
		return section_bad(s, key, f,
		    "'%s' is not a reference; put the secret in a file of mode 0600 and write "
		    "\"file:PATH\", or \"credential:NAME\"",
		    key);
	name = strchr(text, ':') + 1;
	if (name[0] == 0 || (text[0] == 'c' && (strchr(name, '/') != NULL || name[0] == '.')))
		return section_bad(
		    s, key, f, "'%s': a path follows file:, a name credential:", key);
	out->text = strdup(text);
	return out->text != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "%s", key);
}

enum rc
section_url(const struct section *s, const char *key, char **out, struct fault *f)
{
	const char *text = section_text(s, key);
	struct uri_https u = { 0 };

	if (text == NULL)
		return RC_OK;
	if (strncmp(text, "https://", 8) != 0)
		return section_bad(s, key, f, "'%s' must be an https:// URL", key);
	if (memchr(text + 8, '@', strcspn(text + 8, "/?#")) != NULL ||
	    strchr(text, '#') != NULL)
		return section_bad(
		    s, key, f, "'%s' must not hold a user name or a fragment", key);
	if (!uri_read_https(span_str(text), &u))
		return section_bad(s, key, f, "'%s' is not a URL: https://HOST/PATH", key);
	return section_string(s, key, out, f);
}

enum rc
section_choice(const struct section *s, const char *key, const char *const *names,
    unsigned *out, struct fault *f)
{
	const char *text = section_text(s, key);
	char all[120] = "";
	size_t used = 0;

	for (unsigned i = 0; names[i] != NULL; i++) {
		if (text != NULL && strcmp(text, names[i]) == 0) {
			*out = i;
			return RC_OK;
		}
		used += (size_t)snprintf(
		    all + used, sizeof all - used, "%s%s", i == 0 ? "" : ", ", names[i]);
		if (used >= sizeof all)
			break;
	}
	return section_bad(s, key, f, "'%s' must be one of %s", key, all);
}

static bool
is_name(const char *p)
{
	size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return len > 0 && len <= CONFIG_NAME_MAX && p[len] == 0 && strchr("._-", p[0]) == NULL;
}

enum rc
section_name(const struct section *s, char **out, struct fault *f)
{
	const char *title = section_title(s);

	if (title == NULL || !is_name(title))
		return section_bad(s, NULL, f,
		    "'%.40s' is not a name; use a-z, 0-9, '.', '_' and '-', a letter or digit "
		    "first, at most %d",
		    title != NULL ? title : "", CONFIG_NAME_MAX);
	*out = strdup(title);
	return *out != NULL ? RC_OK : FAULT(f, RC_NO_MEMORY, "no_memory", "a name");
}

/* ---- users and groups ----------------------------------------------------- */

enum { ID_SPACE = 16384 };

static bool
parse_id(const char *text, unsigned *out)
{
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != 0))
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	/* (uid_t)-1 means "nobody in particular" to the kernel. */
	if (*end != 0 || errno != 0 || value >= UINT32_MAX)
		return false;
	*out = (unsigned)value;
	return true;
}

static bool
look_up(const char *name, bool group, unsigned *out)
{
	static char space[ID_SPACE]; /* one parse at a time */
	struct passwd pw, *user = NULL;
	struct group gr, *found = NULL;

	if (group) {
		(void)getgrnam_r(name, &gr, space, sizeof space, &found);
		if (found != NULL)
			*out = gr.gr_gid;
		return found != NULL;
	}
	(void)getpwnam_r(name, &pw, space, sizeof space, &user);
	if (user != NULL)
		*out = pw.pw_uid;
	return user != NULL;
}

static bool
find_id(struct id_cache *cache, const char *name, bool group, unsigned *out)
{
	struct id_cached *slot = &cache->item[cache->next % ARRAY_LEN(cache->item)];

	if (parse_id(name, out))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(cache->item); i++) {
		if (cache->item[i].group == group && strcmp(cache->item[i].name, name) == 0) {
			*out = cache->item[i].id;
			return true;
		}
	}
	if (!look_up(name, group, out))
		return false;
	if (strlen(name) >= sizeof slot->name)
		return true;
	*slot = (struct id_cached){ .id = *out, .group = group };
	memcpy(slot->name, name, strlen(name) + 1);
	cache->next++;
	return true;
}

enum rc
section_user(const struct section *s, const char *key, const char *name, struct id_cache *cache,
    uid_t *out, struct fault *f)
{
	unsigned id = 0;

	if (name[0] == 0 || !find_id(cache, name, false, &id))
		return section_bad(s, key, f,
		    "no user '%.40s' on this machine; create it, or write its number", name);
	*out = id;
	return RC_OK;
}

enum rc
section_group(const struct section *s, const char *key, const char *name,
    struct id_cache *cache, gid_t *out, struct fault *f)
{
	unsigned id = 0;

	if (name[0] == 0 || !find_id(cache, name, true, &id))
		return section_bad(s, key, f,
		    "no group '%.40s' on this machine; create it, or write its number", name);
	*out = id;
	return RC_OK;
}
