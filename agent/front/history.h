/*
 * What was in force for a credential: the last HISTORY_KEPT certificates in
 * STATE/front/tenants/T/C/history.json, oldest first.  For operators to look
 * at: nothing is decided by it, and what a crash or a full disk kept from it
 * is put there with the next install.
 */
#ifndef AGENT_FRONT_HISTORY_H
#define AGENT_FRONT_HISTORY_H

#include "agent/front/works.h"

enum { HISTORY_KEPT = 32 };

struct history_entry {
	char id[CREDENTIAL_FINGERPRINT];
	char serial[CERT_SERIAL_TEXT];
	char key[2 * KEY_ID_LEN + 1];
	int64_t not_before_s, not_after_s;
	int64_t from_s, until_s; /* in force; until_s 0: nothing has followed it */
};

struct history {
	struct history_entry item[HISTORY_KEPT];
	size_t len;
};

/* RC_OK with none where there is no file; RC_INVALID history_file. */
enum rc history_read(const struct config *c, const char *tenant, const char *name,
    struct history *out, struct fault *f) MUST_CHECK;
enum rc history_write(const struct config *c, const char *tenant, const char *name,
    const struct history *h, struct fault *f) MUST_CHECK;

/* This one is in force since from_s; the one before it was until then.  Not READY: nothing. */
void history_add(struct history *h, const struct credential *c, int64_t from_s);

/*
 * {"certificates": […]}, newest first, with what ended each and its revocation;
 * "others": revocations of certificates that are not among them.
 */
enum rc history_show(const struct works *w, struct credset_place at, int64_t now_s,
    json_t *result, struct fault *f) MUST_CHECK;

#endif
