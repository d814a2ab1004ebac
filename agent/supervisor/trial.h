/*
 * What can be said of a configuration before anyone is started: the files
 * that the front cannot do without, and what -t finds missing.
 *
 * In the configuration's directory and before the first role: as root it
 * looks with a role's eyes for a moment and is root again afterwards.
 */
#ifndef AGENT_SUPERVISOR_TRIAL_H
#define AGENT_SUPERVISOR_TRIAL_H

#include "agent/config.h"

/*
 * The configuration, as front and renewer will read it, the anchors and the
 * list of logs, as the front will: without one of them a role could only be
 * started again and again.  RC_INVALID config.  With test, files that this user
 * may not read are not judged.
 */
enum rc trial_files(const struct config *c, bool test, struct fault *f) MUST_CHECK;

/*
 * One line on stderr for each thing that is missing or wrong now and may come
 * right before vesperd is started: modules, PINs, directories, users.
 */
void trial_warn(const struct config *c);

#endif
