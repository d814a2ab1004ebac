/*
 * "vesper check" for many: a verdict line for each record of standard input,
 * by the function that the command calls.  Decides nothing itself.  One thread.
 *
 *	chain\tLEN\n<PEM>	the chain of the pairs that follow
 *	pair\tLEN[\tKEY=VALUE]…\n<claims>	the options of the command: ppt, profile, at,
 *		encompassing, dno, third; allow, original and salt (a line of --salts) again and again
 *
 * Each pair is answered by allow, refuse, undecodable (the chain; exit status
 * 1 of the command) or failed, then reason, claim and detail, tabs between.
 */
#include "client/check.h"
#include "stir/original.h"
#include "stir/privacy.h"
#include "stir/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LEN = 65536 };

static void
die(const char *why)
{
	fprintf(stderr, "judge: %s\n", why);
	exit(2);
}

/* Decimal, all of text. */
static int64_t
number(const char *text)
{
	char *end = NULL;
	long long n = strtoll(text, &end, 10);

	if (end == text || *end != 0)
		die("a number is no number");
	return n;
}

static void
read_body(const char *length, struct buf *out)
{
	int64_t len = number(length);
	uint8_t *room;

	buf_clear(out);
	if (len < 0 || len > CHAIN_MAX_BYTES)
		die("a length is out of bounds");
	room = buf_room(out, (size_t)len);
	if (len > 0 && (room == NULL || fread(room, 1, (size_t)len, stdin) != (size_t)len))
		die("a record ends early");
	buf_grew(out, (size_t)len);
}

static struct buf salt_lines = { .max = LINE_MAX_LEN };

static void
add(struct text_list *list, const char *value)
{
	if (list->len == ARGS_MAX)
		die("too many of one switch");
	list->item[list->len++] = value;
}

static void
take_switch(struct check *c, char *text)
{
	char *value = strchr(text, '=');

	if (value == NULL)
		die("a switch has no value");
	*value++ = 0;
	if (strcmp(text, "ppt") == 0)
		c->ppt = value;
	else if (strcmp(text, "profile") == 0)
		c->profile = value;
	else if (strcmp(text, "at") == 0)
		c->at_s = number(value);
	else if (strcmp(text, "encompassing") == 0)
		c->encompassing = value;
	else if (strcmp(text, "dno") == 0)
		c->do_not_originate = value;
	else if (strcmp(text, "third") == 0)
		c->third_party_iss = value;
	else if (strcmp(text, "allow") == 0)
		add(&c->allowed, value);
	else if (strcmp(text, "original") == 0)
		add(&c->original, value);
	else if (strcmp(text, "salt") == 0)
		buf_printf(&salt_lines, "%s\n", value);
	else
		die("unknown switch");
	if (c->profile != NULL && profile_find(c->profile) == NULL)
		die("unknown profile");
}

static void
print_verdict(const char *word, const struct fault *f)
{
	printf("%s\t%s\t%s\t", word, f->reason, f->claim);
	for (const char *p = f->detail; *p != 0; p++)
		putchar((unsigned char)*p < ' ' ? ' ' : *p);
	putchar('\n');
}

/* As the command does. */
static enum rc
judge(struct check *c, const struct chain *chain, struct span claims, struct fault *f)
{
	AUTO(originals) *originals = NULL;
	AUTO(salts) *salts = NULL;
	struct span token[ARGS_MAX];

	for (size_t i = 0; i < c->original.len; i++)
		token[i] = span_str(c->original.item[i]);
	if (c->original.len > 0)
		TRY(originals_read(token, c->original.len, &originals, f));
	c->originals = originals;
	if (salt_lines.len > 0)
		TRY(salts_read(buf_view(&salt_lines), &salts, f));
	c->constraints.salts = salts;
	c->constraints.assert_committed = salts != NULL;
	return check_judge(c, chain, claims, NULL, f);
}

static void
judge_pair(const struct chain *chain, const struct fault *chain_fault, struct check *c,
    struct span claims)
{
	struct fault f = { 0 };
	enum rc rc;

	if (chain == NULL) {
		print_verdict("undecodable", chain_fault);
		return;
	}
	rc = judge(c, chain, claims, &f);
	if (rc == RC_NO_MEMORY || rc == RC_BUG)
		print_verdict("failed", &f);
	else
		print_verdict(rc == RC_OK ? "allow" : "refuse", &f);
}

int
main(void)
{
	AUTO_BUF body = BUF_INIT(CHAIN_MAX_BYTES);
	AUTO(chain) *chain = NULL;
	struct fault chain_fault = { 0 };
	char line[LINE_MAX_LEN];

	while (fgets(line, sizeof line, stdin) != NULL) {
		char *rest = line, *kind, *length, *word;
		struct check c = { .at_s = -1 };

		line[strcspn(line, "\n")] = 0;
		kind = strsep(&rest, "\t");
		length = strsep(&rest, "\t");
		if (length == NULL)
			die("a record has no length");
		read_body(length, &body);
		if (strcmp(kind, "chain") == 0) {
			chain_free(chain);
			chain = NULL;
			chain_fault = (struct fault){ 0 };
			if (chain_read_pem(buf_view(&body), false, &chain, &chain_fault) !=
			    RC_OK)
				chain = NULL;
			continue;
		}
		buf_clear(&salt_lines);
		while ((word = strsep(&rest, "\t")) != NULL)
			take_switch(&c, word);
		judge_pair(chain, &chain_fault, &c, buf_view(&body));
		if (fflush(stdout) != 0)
			die("nobody reads the verdicts");
	}
	buf_free(&salt_lines);
	return EXIT_SUCCESS;
}
