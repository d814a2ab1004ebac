/* A tenant's section: its numbers, its credentials, and what holds for all of them. */
#include "agent/config_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/members.h"
#include "stir/vper.h"

enum {
	MAX_NUMBERS_FILE = 32 * 1024 * 1024,
	MAX_INTERVALS = 1000000,
	MAX_RENUMBER_WINDOW_S = 86400,
};

static enum rc
put_interval(struct buf *list, struct span text, struct fault *f)
{
	struct tn_interval one = { 0 };

	TRY(tnset_parse(text, &one, f));
	buf_put(list, &one, sizeof one);
	return buf_check(list, f);
}

static enum rc
inline_numbers(const struct section *s, struct buf *list, struct fault *f)
{
	for (unsigned i = 0; i < cfg_size(s->cfg, "numbers"); i++) {
		const char *text = cfg_getnstr(s->cfg, "numbers", i);
		struct fault inner = { 0 };

		if (put_interval(list, span_str(text), &inner) != RC_OK)
			return section_bad(s, "numbers", f,
			    "entry %u of 'numbers': %s; write \"12025550100\" or "
			    "\"12025550110-12025550119\"",
			    i + 1, inner.detail);
	}
	return RC_OK;
}

static struct span
trim(struct span line)
{
	const uint8_t *hash = line.len > 0 ? memchr(line.ptr, '#', line.len) : NULL;

	/* A # right behind a digit belongs to a number; a comment stands apart. */
	while (hash != NULL && hash > line.ptr && !isspace(hash[-1]))
		hash = memchr(hash + 1, '#', line.len - (size_t)(hash + 1 - line.ptr));
	if (hash != NULL)
		line.len = (size_t)(hash - line.ptr);
	while (line.len > 0 && isspace(line.ptr[0]))
		(void)span_cut(&line, 1);
	while (line.len > 0 && isspace(line.ptr[line.len - 1]))
		line.len--;
	return line;
}

static enum rc
numbers_lines(const char *name, struct span rest, struct buf *list, struct fault *f)
{
	for (unsigned n = 1; rest.len > 0; n++) {
		const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end != NULL ? (size_t)(end - rest.ptr) : rest.len;
		struct span line = trim(span_cut(&rest, len));
		struct fault inner = { 0 };

		if (end != NULL)
			(void)span_cut(&rest, 1);
		if (line.len > 0 && put_interval(list, line, &inner) != RC_OK)
			return scan_bad(
			    f, name, n, "%s; write one number or range a line", inner.detail);
	}
	return RC_OK;
}

static enum rc
file_numbers(
    const struct config_reader *r, const struct section *s, struct buf *list, struct fault *f)
{
	const char *name = section_text(s, "numbers_file");
	AUTO_BUF text = BUF_INIT(0);
	struct fault inner = { 0 };

	if (name == NULL)
		return RC_OK;
	if (config_slurp(r->dir, name, MAX_NUMBERS_FILE, &text, &inner) != RC_OK)
		return section_bad(s, "numbers_file", f, "%s", inner.detail);
	return numbers_lines(name, buf_view(&text), list, f);
}

static enum rc
read_numbers(const struct config_reader *r, const struct section *s, struct config_tenant *t,
    struct fault *f)
{
	AUTO_BUF list = BUF_INIT(MAX_INTERVALS * sizeof(struct tn_interval));
	size_t n;

	TRY(section_string(s, "numbers_file", &t->numbers_file, f));
	TRY(inline_numbers(s, &list, f));
	TRY(file_numbers(r, s, &list, f));
	n = list.len / sizeof(struct tn_interval);
	if (n == 0)
		return RC_OK;
	return tnset_build(
	    (const struct tn_interval *)(const void *)list.ptr, n, &t->numbers, f);
}

/* D-63: opaque, but a text that vper.id can be. */
static enum rc
read_entity(const struct section *s, struct config_tenant *t, struct fault *f)
{
	TRY(section_string(s, "entity_id", &t->entity_id, f));
	if (t->entity_id != NULL &&
	    (t->entity_id[0] == 0 || strlen(t->entity_id) > VPER_MAX_ID))
		return section_bad(
		    s, "entity_id", f, "'entity_id' has 1 to %d octets", VPER_MAX_ID);
	return RC_OK;
}

/* How many credentials the section stands for; what is wrong with it is said where it is read. */
static size_t
copies(const struct section *s)
{
	size_t n = cfg_size(s->cfg, "token");

	return n < 2 || n > CONFIG_MAX_COPIES || section_bool(s, "spread") ? 1 : n;
}

/* "main.2" beside a divided "main" would be called like one of its certificates. */
static bool
looks_like_shard(const struct config_credential *c, const struct config_credential *divided)
{
	size_t len = strlen(divided->base);

	return divided->numbers_per_certificate > 0 &&
	       strncmp(c->base, divided->base, len) == 0 && c->base[len] == '.' &&
	       c->base[len + 1] >= '0' && c->base[len + 1] <= '9';
}

static enum rc
check_shards(const struct section *s, const struct config_tenant *t, struct fault *f)
{
	size_t all = 0;

	for (size_t i = 0; i < t->credentials; i++) {
		all += t->credential[i].shards;
		for (size_t k = 0; k < t->credentials; k++) {
			if (looks_like_shard(&t->credential[i], &t->credential[k]))
				return section_bad(s, NULL, f,
				    "credential '%s' is called like a certificate of '%s', "
				    "whose "
				    "numbers are divided; call it otherwise",
				    t->credential[i].base, t->credential[k].base);
		}
	}
	if (all > MEMBERS_MAX)
		return section_bad(s, NULL, f,
		    "its numbers make %zu certificates, at most %d: raise "
		    "numbers_per_certificate",
		    all, MEMBERS_MAX);
	return RC_OK;
}

static enum rc
check_names(const struct section *s, const struct config_tenant *t, struct fault *f)
{
	for (size_t i = 0; i < t->credentials; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(t->credential[i].name, t->credential[k].name) == 0)
				return section_bad(s, NULL, f,
				    "two credentials would be called '%s', one of them for its "
				    "token",
				    t->credential[i].name);
		}
	}
	return RC_OK;
}

static enum rc
read_credentials(
    const struct config *c, const struct section *s, struct config_tenant *t, struct fault *f)
{
	size_t n = section_count(s, "credential"), all = 0;

	if (n == 0)
		return RC_OK;
	for (size_t i = 0; i < n; i++) {
		struct section one = section_child(s, "credential", i);

		all += copies(&one);
	}
	if (all > CONFIG_MAX_CREDENTIALS)
		return section_bad(
		    s, NULL, f, "more than %d credentials", CONFIG_MAX_CREDENTIALS);
	t->credential = calloc(all, sizeof t->credential[0]);
	if (t->credential == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "credential");
	for (size_t i = 0; i < n; i++) {
		struct section one = section_child(s, "credential", i);

		for (size_t k = 0; k < copies(&one); k++)
			TRY(config_read_credential(
			    c, &one, t, k, &t->credential[t->credentials++], f));
	}
	TRY(check_names(s, t, f));
	TRY(config_pair_reserves(s, t, f));
	return check_shards(s, t, f);
}

/* The names are those of the configuration. */
static const char *const rtu_policies[] = {
	[RTU_ALARM] = "alarm", [RTU_STOP_AFTER] = "stop_after", [RTU_STOP] = "stop", NULL
};

const char *
config_rtu_name(enum rtu_policy policy)
{
	return rtu_policies[policy];
}

static enum rc
read_rtu(const struct section *s, struct config_tenant *t, struct fault *f)
{
	unsigned choice = 0;

	TRY(section_choice(s, "on_rtu_refused", rtu_policies, &choice, f));
	t->on_rtu_refused = choice;
	if (section_has(s, "rtu_stop_after_s") && t->on_rtu_refused != RTU_STOP_AFTER)
		return section_bad(s, "rtu_stop_after_s", f,
		    "'rtu_stop_after_s' has a meaning only with on_rtu_refused = stop_after");
	return section_uint(
	    s, "rtu_stop_after_s", 1, CONFIG_MAX_RTU_STOP_S, &t->rtu_stop_after_s, f);
}

/* Seconds, or "never". */
static enum rc
read_port_revoke(const struct section *s, struct config_tenant *t, struct fault *f)
{
	const char *text = section_text(s, "port_revoke_after");
	char *end = NULL;
	unsigned long after_s = 0;

	if (strcmp(text, "never") == 0) {
		t->port_revoke_after_s = CONFIG_PORT_REVOKE_NEVER;
		return RC_OK;
	}
	if (text[0] >= '0' && text[0] <= '9')
		after_s = strtoul(text, &end, 10);
	if (end == NULL || *end != 0 || after_s > CONFIG_MAX_PORT_REVOKE_S)
		return section_bad(s, "port_revoke_after", f,
		    "'port_revoke_after' is \"never\" or a number of seconds up to %d",
		    CONFIG_MAX_PORT_REVOKE_S);
	t->port_revoke_after_s = (unsigned)after_s;
	return RC_OK;
}

enum rc
config_read_tenant(
    struct config_reader *r, const struct section *s, struct config_tenant *t, struct fault *f)
{
	TRY(section_name(s, &t->name, f));
	t->file = strdup(s->scan->file);
	if (t->file == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "tenant");
	t->line = scan_line(s->scan, s->node);
	t->enabled = section_bool(s, "enabled");
	TRY(read_numbers(r, s, t, f));
	TRY(section_uint(
	    s, "renumber_window_s", 0, MAX_RENUMBER_WINDOW_S, &t->renumber_window_s, f));
	TRY(read_port_revoke(s, t, f));
	TRY(read_rtu(s, t, f));
	TRY(read_entity(s, t, f));
	TRY(config_read_tenant_policy(r, s, t, f));
	TRY(section_uint(s, "rate", 0, 1000000, &t->rate, f));
	return read_credentials(r->c, s, t, f);
}
