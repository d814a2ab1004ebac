/*
 * No clock before this can be right: the moment of the last release.  The
 * client's is in client/cmd_doctor.c.
 */
#ifndef AGENT_RELEASE_H
#define AGENT_RELEASE_H

#define RELEASE_S INT64_C(1767225600) /* 2026-01-01 */

#endif
