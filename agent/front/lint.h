/*
 * What a certificate in force is not as its profile wishes, and is not refused
 * for (D-62): said in status, and once in the log when it is installed.
 * Nothing here makes a decision.
 */
#ifndef AGENT_FRONT_LINT_H
#define AGENT_FRONT_LINT_H

#include "agent/front/credset.h"

/* The arc under which STI certificate policies of the United States stand. */
#define LINT_STI_POLICIES "2.16.840.1.114569.1.1"

/* Is one of the certificate's policies oid, or one below it? */
bool lint_has_policy(const struct cert *c, const char *oid);

/*
 * The host of an https URL against a dNSName: equal, letter case aside, and
 * nothing else (D-49).
 */
bool lint_is_host(const char *url, const char *dns_name);

/* Fill c->warning from its chain.  Once, before it is shared.  RC_NO_MEMORY. */
enum rc lint_credential(
    const struct config_credential *cc, struct credential *c, struct fault *f) MUST_CHECK;

/* What was found is logged, a warning each; none is no line. */
void lint_log(const struct credential *c);

#endif
