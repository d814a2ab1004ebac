/*
 * When: to renew, to try again, to look again.  Pure; all randomness is a
 * jitter that the caller derives from the credential, so that a restart
 * comes to the same moment.
 */
#ifndef AGENT_RENEWER_SCHEDULE_H
#define AGENT_RENEWER_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCHEDULE_PPM = 1000000,
	SCHEDULE_CROWD = 16,	      /* no more than these need no spreading */
	SCHEDULE_SPARE_S = 600,	      /* for an outage, of a life that has it: an outage is */
				      /* no shorter because certificates are */
	SCHEDULE_ALARM_MIN_S = 60,    /* after what trying again does not cure */
	SCHEDULE_ALARM_FIRST_S = 300, /* the same with time left: a CA may be wrong once */
	SCHEDULE_ALARM_LAST_S = 3,    /* the same near the end of a life, which it is to save */
	SCHEDULE_ALARM_NONE_S = 3600, /* the longest of these while nothing is in force */
	SCHEDULE_RETRY_MIN_S = 1,     /* Retry-After is clamped to these */
	SCHEDULE_RETRY_MAX_S = 3600,
};

struct schedule_cert {
	int64_t not_before_s, not_after_s; /* Unix time */
	int64_t installed_s;		   /* 0: unknown */
	int64_t slot_s;			   /* schedule_spread(): earlier; 0: need not be */
};

/* 0 … 999999, the same for the same texts (serial may be ""). */
uint32_t schedule_jitter(const char *tenant, const char *name, const char *serial);

/* Life counts from the installation where that is later than notBefore. */
int64_t schedule_start(const struct schedule_cert *c);

/* ppm of a span of time, whatever its length. */
int64_t schedule_part(int64_t span_s, uint32_t ppm);

/*
 * The moment to start renewing (D-43), Unix time in seconds: between two
 * thirds and three quarters of the life, by jitter; earlier where that leaves
 * less than SCHEDULE_SPARE_S, but not before a half less a twelfth; earlier
 * where it has a slot.  Life counts from the installation where that is later
 * than notBefore: a CA that backdates by more than the life would else be asked
 * for ever.  not_after_s <= not_before_s: not_before_s, that is at once.
 */
int64_t schedule_renew_at(const struct schedule_cert *c, uint32_t jitter_ppm);

/* One of the certificates of a CA. */
struct schedule_member {
	struct schedule_cert *cert;
	uint32_t jitter_ppm;
	int64_t at_ms; /* schedule_spread()'s own */
};

/*
 * Between two renewals that could wait: two and a half times as many as n
 * certificates ask for when they are spread evenly.  What is due at once, after
 * an outage say, is begun at this pace as long as nothing is urgent.  0: few
 * enough to begin as they come.
 */
int64_t schedule_interval_ms(const struct schedule_member *members, size_t n);

/*
 * Slots: at most twice as many renewals at any time as when they are spread
 * evenly.  Given out from the last moment backwards, each as late as it may be
 * and none before a quarter of its life: those of a mass issue lie in the
 * second and third quarters, and where nothing crowds everybody is where he
 * would be without.  What is renewed leaves at the front of the line, so who is
 * left keeps his slot, and everybody after a restart.  interval_ms is
 * schedule_interval_ms() of all, 0: no slots.  Reorders the members.
 */
void schedule_spread(struct schedule_member *members, size_t n, int64_t interval_ms);

/* The first goes first. */
enum schedule_urgency {
	URGENT_LAPSING, /* less than a quarter of its life is left (D-43) */
	URGENT_NONE,	/* nothing is in force: that tenant cannot sign */
	URGENT_DUE,
};
/* c NULL: nothing is in force. */
enum schedule_urgency schedule_urgency(const struct schedule_cert *c, int64_t now_s);

/*
 * How long to wait after the attempt-th failure in a row (1 …) that trying
 * again may cure: a ladder from one second to an hour, a fifth up or down by
 * jitter, and never more than an eighth of the remaining life (remaining_s <=
 * 0: nothing in force, never more than a minute: that tenant cannot sign).
 */
int64_t schedule_backoff_ms(unsigned attempt, int64_t remaining_s, uint32_t jitter_ppm);

/*
 * The same when it was this host that failed, a token process that is being
 * replaced say, and no party outside was asked: never more than ten seconds.
 */
int64_t schedule_local_ms(unsigned attempt, int64_t remaining_s, uint32_t jitter_ppm);

/*
 * How long after the n-th failure in a row (1 …) that trying again does not
 * cure: five minutes, half an hour, three hours and so on, never more than a
 * quarter of what is left of the life.
 */
int64_t schedule_alarm_ms(unsigned n, int64_t remaining_s);

/*
 * How long until the n-th look (0 …) at an order or authorization.
 * retry_after_s is -1 without the header (RFC 8555 section 7.5.1).
 */
int64_t schedule_poll_ms(unsigned n, int64_t retry_after_s);

#endif
