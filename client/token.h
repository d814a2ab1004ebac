/*
 * PASSporTs that the command line names: the text itself, a file that holds
 * it, or "-" for standard input.
 */
#ifndef CLIENT_TOKEN_H
#define CLIENT_TOKEN_H

#include "client/cli.h"
#include "stir/original.h"

enum { TOKEN_MAX = 262144 };

/* Read into out, which has a limit; *text is what it holds, without "Identity:". */
enum rc token_read(
    const char *what, struct buf *out, struct span *text, struct fault *f) MUST_CHECK;

/* Those of several options, in their order. */
struct token_list {
	struct buf text[ORIGINAL_MAX];
	struct span token[ORIGINAL_MAX];
	size_t len;
};

/* RC_INVALID "usage" for more than ORIGINAL_MAX.  token_list_done() in any case. */
enum rc token_list_add(
    struct token_list *list, const struct text_list *names, struct fault *f) MUST_CHECK;
void token_list_done(struct token_list *list);
#define AUTO_TOKENS __attribute__((cleanup(token_list_done))) struct token_list

#endif
