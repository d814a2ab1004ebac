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

#include <stdlib.h>
#include <string.h>

#include "tests/oracle/records.h"

enum { SALTS_MAX_LEN = 65536 };

static struct buf salt_lines = { .max = SALTS_MAX_LEN };

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
	const char *value = cut_value(text);

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
		print_fault("undecodable", chain_fault);
		return;
	}
	rc = judge(c, chain, claims, &f);
	if (rc == RC_NO_MEMORY || rc == RC_BUG)
		print_fault("failed", &f);
	else
		print_fault(rc == RC_OK ? "allow" : "refuse", &f);
}

int
main(void)
{
	AUTO_BUF body = BUF_INIT(CHAIN_MAX_BYTES);
	AUTO(chain) *chain = NULL;
	struct fault chain_fault = { 0 };
	char *rest;

	while ((rest = next_line()) != NULL) {
		const char *kind = strsep(&rest, "\t"), *length = strsep(&rest, "\t");
		struct check c = { .at_s = -1 };
		char *word;

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
		flush_verdicts();
	}
	buf_free(&salt_lines);
	return EXIT_SUCCESS;
}
