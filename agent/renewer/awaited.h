/*
 * Renewals that an operator asked for by a name that no plan has yet: right
 * after a start the first one is still on its way, and after a change the next
 * one.  Each is kept until a plan has come that was asked for after it, and
 * carried out or, where that one does not name the credential either, said to
 * be refused.  In memory only, as is what is asked of a credential that is known.
 *
 * For the files of renew.h alone (renew_parts.h).  One thread.
 */
#ifndef AGENT_RENEWER_AWAITED_H
#define AGENT_RENEWER_AWAITED_H

#include "agent/renewer/renew.h"

enum { AWAITED_MAX = 4096 };

struct awaited {
	char tenant[CONFIG_NAME_MAX + 1], name[CONFIG_NAME_MAX + 1];
	bool next; /* the plan that is on its way may be older: the next one says */
};

/* Names of the configuration's form; a plan is due with it. */
void awaited_add(struct renew *r, const char *tenant, const char *name);

/* A plan has come and is in force. */
void awaited_planned(struct renew *r);

#endif
