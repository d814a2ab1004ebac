/*
 * What a remote party's or the front's refusal means for us: problem
 * documents (RFC 8555 section 6.7, RFC 7807), HTTP statuses, refusals on the
 * channel.  Pure.
 *
 * The code says the reaction: RC_CONFLICT again at once (badNonce) or look at
 * the order (orderNotReady), RC_BUSY and RC_NET later, RC_NOT_FOUND the thing
 * asked for is gone, RC_DENIED trying again does not cure it.
 */
#ifndef AGENT_RENEWER_PROBLEM_H
#define AGENT_RENEWER_PROBLEM_H

#include "stir/fault.h"
#include "stir/span.h"

#include <jansson.h>

enum {
	PROBLEM_TEXT = 160, /* what status keeps */
	PROBLEM_QUOTE = 8,  /* so many characters of a secret are as good as the whole */
};

/*
 * Text of others made fit for a log line and for status: printable ASCII in
 * one line, at most PROBLEM_TEXT - 1 characters, numbers masked from the
 * fourth digit of a run of seven or more, words of more than 40 characters
 * (tokens, keys) shortened.  NULL reads as "".
 */
void problem_text(char out[PROBLEM_TEXT], const char *text);

/*
 * The same of the text of somebody to whom these secrets (up to a NULL; NULL: none)
 * were sent, and who may quote our request: each is struck, also where it is cut off
 * behind PROBLEM_QUOTE characters or more.
 */
void problem_quoted(char out[PROBLEM_TEXT], const char *text, const char *const *secrets);

/* The fault of a problem object that stands inside an order or challenge; never RC_OK. */
enum rc problem_of_object(const json_t *problem, long status, struct fault *f) MUST_CHECK;

/* The fault of an answer whose status is not 2xx; body may be anything. */
enum rc problem_of_answer(long status, struct span body, struct fault *f) MUST_CHECK;

/* The same with problem_quoted(). */
enum rc problem_of_answer_to(
    const char *const *secrets, long status, struct span body, struct fault *f) MUST_CHECK;

/* The fault of {"ok": false, "reason", "detail"} of the front. */
enum rc problem_of_refusal(const json_t *answer, struct fault *f) MUST_CHECK;

/* Will trying again, later, perhaps cure it? */
bool problem_may_pass(enum rc rc);

#endif
