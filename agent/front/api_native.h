/* What the native routes share: the members of a request, those of an answer. */
#ifndef AGENT_FRONT_API_NATIVE_H
#define AGENT_FRONT_API_NATIVE_H

#include "agent/front/api.h"

/*
 * One member of a request: claims, ppt, tenant, credential, context.  What is
 * kept is borrowed from value.  unknown_member, invalid_member,
 * unsupported_ppt.
 */
enum rc api_native_member(
    const char *name, const json_t *value, struct sign_request *r, struct fault *f) MUST_CHECK;
enum rc api_native_context(
    const json_t *value, struct sign_request *r, struct fault *f) MUST_CHECK;

/* Nothing, dry_run=0 or dry_run=1; else invalid_member. */
enum rc api_native_query(struct span query, bool *dry_run, struct fault *f) MUST_CHECK;

/* The members of what was signed, or would be: no braces, no request_id. */
void api_native_put(struct buf *out, const struct sign_answer *a);

#endif
