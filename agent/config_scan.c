#include "agent/config_scan.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "stir/text.h"

enum { SUGGEST_MAX = 48, SUGGEST_DISTANCE = 2 };

enum token_kind { T_END, T_WORD, T_STRING, T_OPEN, T_CLOSE, T_EQUAL, T_COMMA };

struct token {
	enum token_kind kind;
	char *ptr; /* without the quotes of a string */
	size_t len;
	unsigned line;
};

struct lexer {
	struct scan *scan;
	char *p;
	unsigned line;
	struct token now;
	struct fault *fault;
};

enum rc
scan_bad(struct fault *f, const char *file, unsigned line, const char *fmt, ...)
{
	char text[sizeof f->detail];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return FAULT(f, RC_INVALID, "config", "%s:%u: %s", file, line, text);
}

#define LEX_BAD(lx, line, ...) scan_bad((lx)->fault, (lx)->scan->file, (line), __VA_ARGS__)

static struct scan_node *
nodes_of(const struct scan *s)
{
	return (struct scan_node *)(void *)s->nodes.ptr;
}

static size_t
nodes_len(const struct scan *s)
{
	return s->nodes.len / sizeof(struct scan_node);
}

/* ---- tokens --------------------------------------------------------------- */

/* Blanked rather than skipped: libconfuse refuses a comment inside a list. */
static void
blank_line(struct lexer *lx)
{
	while (*lx->p != 0 && *lx->p != '\n')
		*lx->p++ = ' ';
}

static enum rc
blank_block(struct lexer *lx)
{
	unsigned opened = lx->line;
	char *end = strstr(lx->p + 2, "*/");

	if (end == NULL)
		return LEX_BAD(lx, opened, "this comment is never closed; end it with */");
	for (end += 2; lx->p < end; lx->p++) {
		if (*lx->p == '\n')
			lx->line++;
		else
			*lx->p = ' ';
	}
	return RC_OK;
}

static enum rc
skip_blank(struct lexer *lx)
{
	for (;;) {
		if (*lx->p == '\n') {
			lx->line++;
			lx->p++;
		} else if (*lx->p == ' ' || *lx->p == '\t' || *lx->p == '\r') {
			lx->p++;
		} else if (*lx->p == '#' || (lx->p[0] == '/' && lx->p[1] == '/')) {
			blank_line(lx);
		} else if (lx->p[0] == '/' && lx->p[1] == '*') {
			TRY(blank_block(lx));
		} else {
			return RC_OK;
		}
	}
}

static bool
is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != 0 && strchr("_-.:/@", c) != NULL);
}

static enum rc
refuse_environment(const struct lexer *lx, const char *p)
{
	if (p[0] != '$' || p[1] != '{')
		return RC_OK;
	return LEX_BAD(lx, lx->line,
	    "'${' would be replaced from the environment; write the value itself");
}

static enum rc
lex_escape(const struct lexer *lx, char quote, const char *p)
{
	const char *known = quote == '"' ? "\"\\/nt" : "'\\";

	if (p[1] == 0 || p[1] == '\n' || strchr(known, p[1]) == NULL)
		return LEX_BAD(lx, lx->line,
		    "unknown escape '\\%c'; write \\\\ for a backslash",
		    p[1] == 0 || p[1] == '\n' ? ' ' : p[1]);
	return RC_OK;
}

static enum rc
lex_string(struct lexer *lx)
{
	char quote = *lx->p;
	char *start = ++lx->p;

	while (*lx->p != quote) {
		if (*lx->p == 0 || *lx->p == '\n')
			return LEX_BAD(lx, lx->line,
			    "string not closed on its line; end it with %c", quote);
		TRY(refuse_environment(lx, lx->p));
		if (*lx->p == '\\') {
			TRY(lex_escape(lx, quote, lx->p));
			lx->p++;
		}
		lx->p++;
	}
	lx->now = (struct token){ T_STRING, start, (size_t)(lx->p - start), lx->line };
	lx->p++;
	return RC_OK;
}

static enum rc
lex_word(struct lexer *lx)
{
	char *start = lx->p;

	while (is_word_char(*lx->p)) {
		if (lx->p[0] == '/' && (lx->p[1] == '/' || lx->p[1] == '*'))
			return LEX_BAD(lx, lx->line, "put this value in quotes");
		lx->p++;
	}
	lx->now = (struct token){ T_WORD, start, (size_t)(lx->p - start), lx->line };
	return RC_OK;
}

static enum rc
lex_other(struct lexer *lx)
{
	unsigned char c = (unsigned char)*lx->p;

	TRY(refuse_environment(lx, lx->p));
	if (lx->p[0] == '+' && lx->p[1] == '=')
		return LEX_BAD(lx, lx->line, "'+=' is not used here; write one list with '='");
	if (c > 0x20 && c < 0x7f)
		return LEX_BAD(
		    lx, lx->line, "unexpected '%c'; put values with it in quotes", c);
	return LEX_BAD(lx, lx->line, "unexpected byte 0x%02x; put text in quotes", c);
}

static enum rc
lex_next(struct lexer *lx)
{
	static const char punctuation[] = "{}=,";
	static const enum token_kind kinds[] = { T_OPEN, T_CLOSE, T_EQUAL, T_COMMA };
	const char *mark;

	TRY(skip_blank(lx));
	lx->now = (struct token){ T_END, lx->p, 0, lx->line };
	if (*lx->p == 0)
		return RC_OK;
	if (*lx->p == '"' || *lx->p == '\'')
		return lex_string(lx);
	mark = strchr(punctuation, *lx->p);
	if (mark != NULL) {
		lx->now.kind = kinds[mark - punctuation];
		lx->now.len = 1;
		lx->p++;
		return RC_OK;
	}
	return is_word_char(*lx->p) ? lex_word(lx) : lex_other(lx);
}

/* ---- did you mean ---------------------------------------------------------- */

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein, one row at a time; both lengths are below SUGGEST_MAX. */
static size_t
distance(struct span a, struct span b)
{
	size_t row[SUGGEST_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b.len; j++) {
			size_t up = row[j + 1];

			row[j + 1] =
			    min3(up + 1, row[j] + 1, diagonal + (a.ptr[i] == b.ptr[j] ? 0 : 1));
			diagonal = up;
		}
	}
	return row[b.len];
}

static const char *
suggest(const cfg_opt_t *options, struct span name)
{
	size_t best = SUGGEST_DISTANCE + 1;
	const char *found = NULL;

	if (name.len >= SUGGEST_MAX)
		return NULL;
	for (const cfg_opt_t *o = options; o->name != NULL; o++) {
		size_t d =
		    strlen(o->name) >= SUGGEST_MAX ? best : distance(name, span_str(o->name));

		if (d < best && d < name.len) {
			best = d;
			found = o->name;
		}
	}
	return found;
}

static enum rc
unknown_option(const struct lexer *lx, const cfg_opt_t *options)
{
	const char *near = suggest(options, span_of(lx->now.ptr, lx->now.len));
	int len = lx->now.len > SUGGEST_MAX ? SUGGEST_MAX : (int)lx->now.len;

	if (near != NULL)
		return LEX_BAD(lx, lx->now.line, "no such option '%.*s'; did you mean '%s'?",
		    len, lx->now.ptr, near);
	if (span_is(span_of(lx->now.ptr, lx->now.len), "tenant"))
		return LEX_BAD(lx, lx->now.line,
		    "a tenant is not written here; give it a file of its own, "
		    "tenants.d/NAME.conf");
	return LEX_BAD(lx, lx->now.line, "no such option '%.*s' here; see vesperd.conf(5)", len,
	    lx->now.ptr);
}

/* ---- grammar -------------------------------------------------------------- */

static const cfg_opt_t *
find_option(const cfg_opt_t *options, const struct token *t)
{
	for (const cfg_opt_t *o = options; o->name != NULL; o++) {
		if (span_is(span_of(t->ptr, t->len), o->name))
			return o;
	}
	return NULL;
}

static enum rc
add_node(struct lexer *lx, const struct scan_node *n)
{
	struct scan *s = lx->scan;
	const struct scan_node *all = nodes_of(s);

	for (size_t i = 0; i < nodes_len(s); i++) {
		if (all[i].parent != n->parent || strcmp(all[i].name, n->name) != 0 ||
		    !text_same(all[i].title, n->title))
			continue;
		return LEX_BAD(lx, n->line,
		    "'%s%s%.60s' stands already on line %u; keep one of them", n->name,
		    n->title != NULL ? " " : "", n->title != NULL ? n->title : "", all[i].line);
	}
	if (nodes_len(s) >= SCAN_MAX_NODES)
		return LEX_BAD(lx, n->line, "more than %d keys and sections", SCAN_MAX_NODES);
	buf_put(&s->nodes, n, sizeof *n);
	return buf_check(&s->nodes, lx->fault);
}

static enum rc
expect(struct lexer *lx, enum token_kind kind, const char *what)
{
	if (lx->now.kind == kind)
		return RC_OK;
	if (lx->now.kind == T_END)
		return LEX_BAD(lx, lx->now.line, "the file ends where %s should stand", what);
	return LEX_BAD(lx, lx->now.line, "%s expected before '%.*s'", what,
	    lx->now.len > SUGGEST_MAX ? SUGGEST_MAX : (int)lx->now.len, lx->now.ptr);
}

static enum rc
check_integer(const struct lexer *lx, const char *name)
{
	const struct token *t = &lx->now;

	for (size_t i = 0; i < t->len; i++) {
		if (t->ptr[i] < '0' || t->ptr[i] > '9')
			return LEX_BAD(lx, t->line, "'%s' takes a whole number", name);
	}
	if (t->len == 0 || t->len > 9)
		return LEX_BAD(
		    lx, t->line, "'%s' takes a whole number of up to 9 digits", name);
	if (t->len > 1 && t->ptr[0] == '0')
		return LEX_BAD(lx, t->line,
		    "'%s': a number with a leading zero would be read as octal; drop the zero",
		    name);
	return RC_OK;
}

static enum rc
check_boolean(const struct lexer *lx, const char *name)
{
	static const char *const words[] = { "yes", "no", "true", "false", "on", "off" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_is(span_of(lx->now.ptr, lx->now.len), words[i]))
			return RC_OK;
	}
	return LEX_BAD(lx, lx->now.line, "'%s' takes yes or no", name);
}

static enum rc
scan_scalar(struct lexer *lx, const cfg_opt_t *o)
{
	if (lx->now.kind != T_STRING)
		TRY(expect(lx, T_WORD, "a value"));
	if (o->type == CFGT_INT)
		TRY(check_integer(lx, o->name));
	if (o->type == CFGT_BOOL)
		TRY(check_boolean(lx, o->name));
	return lex_next(lx);
}

static enum rc
scan_list(struct lexer *lx, const cfg_opt_t *o)
{
	TRY(lex_next(lx));
	while (lx->now.kind != T_CLOSE) {
		TRY(scan_scalar(lx, o));
		if (lx->now.kind == T_CLOSE)
			break;
		TRY(expect(lx, T_COMMA, "',' or '}'"));
		TRY(lex_next(lx));
	}
	return lex_next(lx);
}

static enum rc
scan_value(struct lexer *lx, const cfg_opt_t *o, struct scan_node *n)
{
	TRY(add_node(lx, n));
	if (lx->now.kind == T_OPEN || lx->now.kind == T_STRING || lx->now.kind == T_WORD)
		return LEX_BAD(
		    lx, lx->now.line, "'%s' is an option: write %s = …", o->name, o->name);
	TRY(expect(lx, T_EQUAL, "'='"));
	TRY(lex_next(lx));
	if (lx->now.kind != T_OPEN)
		return scan_scalar(lx, o);
	if ((o->flags & CFGF_LIST) == 0)
		return LEX_BAD(lx, lx->now.line, "'%s' takes one value, not a list", o->name);
	return scan_list(lx, o);
}

static enum rc scan_items(struct lexer *lx, const cfg_opt_t *options, int parent);

/* Titles are names: no escape in them, so that they are what libconfuse makes of them. */
static enum rc
scan_title(struct lexer *lx, const cfg_opt_t *o, struct scan_node *n)
{
	if (lx->now.kind == T_EQUAL || lx->now.kind == T_OPEN)
		return LEX_BAD(lx, lx->now.line, "'%s' is a section: write %s \"name\" { … }",
		    o->name, o->name);
	if (lx->now.kind != T_STRING)
		TRY(expect(lx, T_WORD, "a name"));
	if (memchr(lx->now.ptr, '\\', lx->now.len) != NULL || lx->now.len == 0)
		return LEX_BAD(lx, lx->now.line, "'%s' needs a plain name", o->name);
	n->title = strndup(lx->now.ptr, lx->now.len);
	if (n->title == NULL)
		return FAULT(lx->fault, RC_NO_MEMORY, "no_memory", "a title");
	return lex_next(lx);
}

static enum rc
scan_section(struct lexer *lx, const cfg_opt_t *o, struct scan_node *n)
{
	int self;

	if ((o->flags & CFGF_TITLE) != 0)
		TRY(scan_title(lx, o, n));
	TRY(add_node(lx, n));
	self = (int)nodes_len(lx->scan) - 1;
	if (lx->now.kind == T_EQUAL)
		return LEX_BAD(
		    lx, lx->now.line, "'%s' is a section: write %s { … }", o->name, o->name);
	TRY(expect(lx, T_OPEN, "'{'"));
	TRY(lex_next(lx));
	TRY(scan_items(lx, o->subopts, self));
	if (lx->now.kind == T_END)
		return LEX_BAD(
		    lx, n->line, "section '%s' is never closed; end it with }", o->name);
	return lex_next(lx);
}

static void
node_done(struct scan_node *n)
{
	free(n->name);
	free(n->title);
}

/* One key or section; the node is the scan's once it was added. */
static enum rc
scan_item(struct lexer *lx, const cfg_opt_t *options, int parent)
{
	size_t before = nodes_len(lx->scan);
	struct scan_node n = { .line = lx->now.line, .parent = parent };
	const cfg_opt_t *o;
	enum rc rc;

	TRY(expect(lx, T_WORD, "the name of an option"));
	o = find_option(options, &lx->now);
	if (o == NULL)
		return unknown_option(lx, options);
	n.name = strdup(o->name);
	if (n.name == NULL)
		return FAULT(lx->fault, RC_NO_MEMORY, "no_memory", "a name");
	rc = lex_next(lx);
	if (rc == RC_OK)
		rc = o->type == CFGT_SEC ? scan_section(lx, o, &n) : scan_value(lx, o, &n);
	if (nodes_len(lx->scan) == before)
		node_done(&n);
	return rc;
}

static enum rc
scan_items(struct lexer *lx, const cfg_opt_t *options, int parent)
{
	while (lx->now.kind != T_END) {
		if (lx->now.kind == T_CLOSE && parent != SCAN_NO_NODE)
			return RC_OK;
		if (lx->now.kind == T_CLOSE)
			return LEX_BAD(lx, lx->now.line, "this } closes nothing");
		TRY(scan_item(lx, options, parent));
	}
	return RC_OK;
}

/* Which line holds the byte at p. */
static unsigned
line_at(const char *text, const char *p)
{
	unsigned line = 1;

	for (; text < p; text++)
		line += *text == '\n';
	return line;
}

static enum rc
check_utf8(const struct scan *s, struct fault *f)
{
	size_t len;

	/* A line at a time, to name it: no character of UTF-8 goes over its end. */
	for (const char *p = s->text; *p != 0; p += len + (p[len] == '\n')) {
		json_auto_t *line = NULL;

		len = strcspn(p, "\n");
		line = json_stringn(p, len);
		if (line == NULL)
			return scan_bad(
			    f, s->file, line_at(s->text, p), "the file is not UTF-8");
	}
	return RC_OK;
}

static enum rc
check_text(const struct scan *s, struct span in, struct fault *f)
{
	const char *nul = memchr(s->text, 0, in.len);

	if (nul != NULL)
		return scan_bad(f, s->file, line_at(s->text, nul), "a NUL byte");
	for (const char *p = s->text; *p != 0; p++) {
		if (((unsigned char)*p < 0x20 && strchr("\t\n\r", *p) == NULL) || *p == 0x7f)
			return scan_bad(f, s->file, line_at(s->text, p), "a control character");
	}
	return check_utf8(s, f);
}

enum rc
scan_read(
    struct scan *s, const char *file, struct span in, const cfg_opt_t *options, struct fault *f)
{
	struct lexer lx = { .scan = s, .line = 1, .fault = f };

	s->file = file;
	s->nodes = BUF_INIT(SCAN_MAX_NODES * sizeof(struct scan_node));
	s->text = calloc(1, in.len + 1);
	if (s->text == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "%s", file);
	if (in.len > 0)
		memcpy(s->text, in.ptr, in.len);
	TRY(check_text(s, in, f));
	lx.p = s->text;
	TRY(lex_next(&lx));
	return scan_items(&lx, options, SCAN_NO_NODE);
}

void
scan_done(struct scan *s)
{
	for (size_t i = 0; i < nodes_len(s); i++)
		node_done(&nodes_of(s)[i]);
	buf_free(&s->nodes);
	free(s->text);
	s->text = NULL;
}

int
scan_find(const struct scan *s, int parent, const char *name, size_t i)
{
	const struct scan_node *all = nodes_of(s);

	for (size_t k = 0; k < nodes_len(s); k++) {
		if (all[k].parent != parent || strcmp(all[k].name, name) != 0)
			continue;
		if (i == 0)
			return (int)k;
		i--;
	}
	return SCAN_NO_NODE;
}

unsigned
scan_line(const struct scan *s, int node)
{
	return node == SCAN_NO_NODE ? 1 : nodes_of(s)[node].line;
}
