/*
 * Alarms: what an operator has to know long before a certificate ends.  Each
 * has a beginning and an end, both said once; in between it is in status and
 * metrics.
 *
 * Looks at a set a few credentials at a time, so that the loop does not wait
 * for it.  No clock, socket or log of its own.  One thread.
 */
#ifndef AGENT_FRONT_ALARMS_H
#define AGENT_FRONT_ALARMS_H

#include "agent/front/credset.h"

#define ALARMS(X) \
	X(LAPSING, "certificate_lapsing") /* less than a fifth of its life is left */ \
	X(EXPIRED, "certificate_expired") \
	X(FAILING, "renewal_failing")	      /* for good, or for longer than may be waited */ \
	X(TOKEN, "token_needed")	      /* one that somebody has to bring */ \
	X(REFUSED, "certificate_refused")     /* what came was not put in force */ \
	X(RTU, "rtu_withdrawn")		      /* by the number authority */ \
	X(REVOKED, "certificate_revoked")     /* its CA's revocation list has it */ \
	X(SERIES, "series_refused")	      /* a CA does not end it, and goes on issuing */ \
	X(UNLOGGED, "certificate_not_logged") /* a log does not have what it promised */ \
	X(ACCOUNT, "ca_account")	      /* a CA whose account cannot be used */ \
	X(CT_LOG, "ct_log")		      /* a log that broke its word, or is silent */ \
	X(CRL, "crl_unavailable")	      /* a revocation list that cannot be had */ \
	X(FOREIGN, "certificate_not_ordered") /* a log has one that was not ordered here */ \
	X(LIST, "trust_list")	  /* a signed list is old, refused, or does not come */ \
	X(ORPHANS, "orphan_keys") /* ours in a token, and nothing names them */ \
	X(OFFBOARD, "tenant_offboarding") /* a tenant's end does not come to its end */

enum alarm_kind {
#define X(name, text) ALARM_##name,
	ALARMS(X)
#undef X
	    ALARM__COUNT
};

const char *alarm_name(enum alarm_kind k); /* "token_needed" */

enum {
	ALARMS_MAX = 16384, /* at once; beyond it they are counted alone */
	ALARMS_LOOK = 256,  /* credentials of one look */
	ALARMS_LOOK_MS = 100,
	ALARMS_REST_MS = 2000, /* between two rounds */
	ALARM_DETAIL_MAX = 256,
	ALARM_PATIENCE_MAX_S = 900, /* how long a renewal may fail before it is one */
	ALARM_PATIENCE_MIN_S = 60,
	ALARM_PATIENCE_NONE_S = 300, /* with nothing in force */
	ALARM_LEAST_S = 60,	     /* a CA's lasts as long: whoever tells may tell often */
};

struct alarm {
	enum alarm_kind kind;
	char tenant[CONFIG_NAME_MAX + 1]; /* of those that are told: "" */
	/* Of the credential; of those: of the CA, the log, the token. */
	char name[CONFIG_NAME_MAX + 1];
	int64_t since_s; /* by what is judged where that says it: a restart changes nothing */
	int64_t by_s;	 /* when it will be too late; 0: not known, or it is */
	char detail[ALARM_DETAIL_MAX];
	/* alarms.c's own: */
	bool is_well;	 /* one that is told: by the last word */
	int64_t begun_s; /* when this process said so */
	uint64_t round;
	struct alarm *next;
};

/* begins: else it is over. */
typedef void alarm_say(void *arg, const struct alarm *a, bool begins);

struct alarms;
enum rc alarms_new(alarm_say *say, void *arg, struct alarms **out, struct fault *f) MUST_CHECK;
void alarms_free(struct alarms *a); /* says nothing */

/*
 * The next ALARMS_LOOK credentials of the set; true when that was the last of
 * them: what was not there any more is over then.
 */
bool alarms_look(struct alarms *a, const struct credset *set, int64_t now_s);

/*
 * The renewer's word about a CA's account; problem NULL: it is well.  What has
 * begun ends then, or when it has lasted for ALARM_LEAST_S and a round is over.
 */
void alarms_account(struct alarms *a, const char *ca, const char *problem, int64_t now_s);

/* The same of a transparency log, in as much of its id as a name has room for. */
void alarms_log(struct alarms *a, const char *log, const char *problem, int64_t now_s);

/* Of a list that its publisher signs (trust.h), by its name. */
void alarms_list(struct alarms *a, const char *list, const char *problem, int64_t now_s);

/* The same of a revocation list, in as much of its id as a name has room for. */
void alarms_crl(struct alarms *a, const char *crl, const char *problem, int64_t now_s);

/* And of a tenant of whom a log has a certificate that was not ordered here. */
void alarms_foreign(struct alarms *a, const char *tenant, const char *problem, int64_t now_s);

/* And of a token with keys of ours that nothing names. */
void alarms_orphans(struct alarms *a, const char *token, const char *problem, int64_t now_s);

/* And of a tenant whose off-boarding is held up. */
void alarms_offboard(struct alarms *a, const char *tenant, const char *problem, int64_t now_s);

/* Of those that are told: is its name a tenant's? */
bool alarm_is_of_tenant(enum alarm_kind k);

/* Is it one that somebody tells, and that no look at a set finds? */
bool alarm_is_told(enum alarm_kind k);

/* How many there are of a kind, with those that found no room. */
size_t alarms_count(const struct alarms *a, enum alarm_kind k);

/* In no order. */
void alarms_each(
    const struct alarms *a, void (*one)(void *arg, const struct alarm *a), void *arg);

/* ---- what is judged: pure ---- */

struct alarm_facts {
	bool enabled; /* the tenant is */
	bool ready;
	int64_t from_s, until_s; /* of READY: validity, from the installation on */
	int64_t renew_at_s;	 /* 0: unknown */
	int64_t refused_at_s;
	int64_t unlogged_since_s; /* 0: nothing that a log promised is missing */
	int64_t rtu_refused_at_s, rtu_stop_at_s;
	bool series_refused, crl_listed;
	struct credential_progress progress;
	const char *problem; /* "" none */
	const char *remedy;  /* one that stands by could sign: " (…)", what to do; "" none */
};

/*
 * Is it one now?  Then by_s and detail of *out are set, and since_s where the
 * facts say it; else nothing is.
 */
bool alarm_judge(
    enum alarm_kind k, const struct alarm_facts *facts, int64_t now_s, struct alarm *out);

#endif
