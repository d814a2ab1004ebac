/*
 * The x5u files: <fingerprint>.pem in the credential's publish_dir, the
 * certificates that a verifier needs, leaf first (RFC 9060 section 7), without
 * a self-signed anchor (D-47).  An old one stays until its certificate has
 * been over for a day.
 */
#ifndef AGENT_FRONT_PUBLISH_H
#define AGENT_FRONT_PUBLISH_H

#include "agent/front/credset.h"

enum { PUBLISH_AFTER_S = 86400, PUBLISH_SWEEP_S = 3600, PUBLISH_LOOK_S = 60 };

/* Write the file, whole or not at all; nothing to do without publish_dir. */
enum rc publish_chain(const struct config *c, const struct config_credential *cc,
    const struct credential *cred, struct fault *f) MUST_CHECK;

/* Is it there already?  Then nothing is read or compared: the name is the content's. */
bool publish_done(const struct config_credential *cc, const struct credential *cred);

/*
 * Can every publish_dir still be written in, and is the file of what is in
 * force there?  A file that is gone is written again.  The answer is left in
 * credential->publish_error; a change of it is logged.
 */
void publish_look(const struct credset *set, int64_t now_s);

/* Remove our own files that are over. */
void publish_sweep(const struct config *c, int64_t now_s);

#endif
