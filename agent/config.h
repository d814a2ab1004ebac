/*
 * The configuration: libconfuse files to one checked, immutable tree.
 *
 * Shared by supervisor, front and renewer; each reads the files itself, as
 * its own user.  Relative paths are relative to the main file: every role
 * makes that file's directory its working directory before it drops its
 * privileges, so a path stays as it is written.  Nothing in the tree is a
 * secret: secrets are references ("file:…", "credential:NAME").
 *
 * One parse at a time in a process (libconfuse's lexer is global).
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include "stir/constraints.h"
#include "stir/encompass.h"
#include "stir/original.h"
#include "stir/profile.h"
#include "stir/rcd.h"
#include "stir/tnset.h"

#include <sys/types.h>

enum {
	CONFIG_MAX_TENANTS = 20000,
	CONFIG_MAX_TOKENS = 16,
	CONFIG_MAX_CREDENTIALS = 256, /* of a tenant, as read */
	CONFIG_MAX_FILE = 4 * 1024 * 1024,
	CONFIG_MAX_CONTENT = 64, /* rcd_content of one credential */
	CONFIG_NAME_MAX = 63,	 /* [a-z0-9][a-z0-9._-]* */
	CONFIG_PARTY_STEPS = 16, /* concurrency of a CA or authority; of a command */
	CONFIG_COMMAND_STEPS = 2,
	CONFIG_MAX_PARTY_STEPS = 64,
	CONFIG_MAX_PARTY_RATE = 60000,
	CONFIG_MAX_COPIES = 4, /* tokens that hold a key each of one credential */
	CONFIG_MAX_REKEY_DAYS = 3650,
	CONFIG_MAX_ABANDONED_DAYS = 3650,
	CONFIG_MAX_ORPHAN_S = 31 * 86400,
	CONFIG_MAX_RTU_STOP_S = 366 * 86400,
	CONFIG_MAX_PORT_REVOKE_S = 366 * 86400,
	CONFIG_PORT_REVOKE_NEVER = CONFIG_MAX_PORT_REVOKE_S + 1, /* in port_revoke_after_s */
	CONFIG_REKEY_NEVER = CONFIG_MAX_REKEY_DAYS + 1,		 /* in rekey_days */
	CONFIG_OVERFLOW_ID = 65534, /* a user or group that the kernel cannot name */
};

struct members; /* members.h */

struct secret_ref {
	char *text; /* "file:/path" or "credential:NAME"; NULL: none */
};

struct config_strings {
	char **item;
	size_t len;
};

struct config_listen { /* listen NAME { path mode group tenant auth } */
	char *name;
	char *path;
	mode_t mode;	  /* 0660 */
	char *group;	  /* NULL: unchanged */
	char *tenant;	  /* NULL: all */
	bool auth_socket; /* auth = socket: whoever may connect is the tenant's caller */
};

struct config_token { /* token NAME { … } */
	char *name;
	char *module;	      /* absolute */
	char *label, *serial; /* label or serial must be given; both must match */
	struct secret_ref pin;
	unsigned processes, threads; /* 2 x 1 */
	char *lock_file;
	struct config_strings environment; /* "K=V" */
	unsigned pin_line, environment_line;
	struct config_strings read_paths, write_paths;
	bool read_write;   /* sessions of the signers; the admin's always are */
	unsigned max_keys; /* 0: what the token says */
	unsigned canary_s;
	bool verify_all;	 /* verify_signatures = all, not first */
	bool network;		 /* the module talks to a device elsewhere */
	bool any_processor;	 /* affinity = none, not auto */
	unsigned backoff_max_ms; /* between starts that fail; 1000, network: 5000 */
};

/* How certificates of a CA are had. */
enum issuer {
	ISSUER_ACME,
	ISSUER_COMMAND, /* request on its standard input, chain on its output */
	ISSUER_HAND,	/* an operator carries request and chain; also without a ca */
};

/* How a domain is proven to a CA: by an operator's command, in one of these ways. */
enum domain_challenge { DOMAIN_NONE, DOMAIN_HTTP_01, DOMAIN_DNS_01 };

const char *config_domain_name(enum domain_challenge how); /* "http-01" */

struct config_ca { /* ca NAME { … } */
	char *name;
	enum issuer issuer;
	struct config_strings command; /* ISSUER_COMMAND: absolute path, arguments */
	char *directory; /* https URL; NULL unless ISSUER_ACME, as are the account's keys */
	char *tls_ca;	 /* PEM file; NULL: the system's */
	char *eab_kid;
	struct secret_ref eab_key; /* base64url HMAC key */
	struct config_strings contact;
	bool terms_agreed;
	char *token; /* the token that holds the account key */
	enum { TKAUTH_TKAUTH, TKAUTH_ATC, TKAUTH_BOTH } tkauth_response; /* D-27 */
	char *constraints_type, *enhanced_type;	   /* D-33 identifier types */
	bool csr_basic_constraints, csr_key_usage; /* D-34 */
	char *csr_country, *csr_organization;
	enum domain_challenge domain_challenge; /* NONE: no dns identifier is ordered */
	struct config_strings domain_command;	/* with it: absolute path, arguments */
	char *acme_profile;			/* of its orders; NULL: as the CA chooses */
	unsigned concurrency, rate_per_minute;	/* steps under way, requests; rate 0: any */
};

/* Where tokens of an authority come from; one that was pushed goes first everywhere. */
enum token_source { SOURCE_REST, SOURCE_PUSH, SOURCE_FILE, SOURCE_COMMAND };

const char *config_source_name(enum token_source source); /* "rest" */

struct config_authority { /* authority NAME { … } */
	char *name;
	enum token_source source;
	char *path;		       /* SOURCE_FILE: directory of TENANT.CREDENTIAL.TYPE */
	struct config_strings command; /* SOURCE_COMMAND */
	char *url;		       /* SOURCE_REST */
	char *user;		       /* basic authentication with secret; NULL: bearer */
	char *tls_cert;		       /* PEM file: ours towards it; NULL: none */
	struct secret_ref tls_key;     /* of tls_cert */
	char *tls_ca;
	char *account;
	struct secret_ref secret;			      /* bearer, or of user */
	enum { AUTHORITY_RFC9448, AUTHORITY_STI_PA } dialect; /* D-28 … D-30 */
	bool spki_fingerprint;				      /* D-29 */
	bool evidence;			       /* evidence = tnauthlist-token (V-89) */
	struct config_strings issuers;	       /* allowed iss, empty: any (V-70) */
	unsigned concurrency, rate_per_minute; /* as of a CA */
};

/* An entry of rcd_content: "https://…" to be observed, or with its digest. */
struct config_content {
	char *uri;
	bool pinned; /* digest is the operator's word */
	struct rcd_digest digest;
};

/* Who makes the origid of shaken (D-48). */
enum origid_source { ORIGID_CALLER, ORIGID_FIXED, ORIGID_RANDOM };

enum unlisted_tn { UNLISTED_REFUSE, UNLISTED_B, UNLISTED_C }; /* D-05, class sp */

/*
 * credential NAME { … } inside a tenant.  With several tokens and without
 * spread it is one for each: NAME.TOKEN, of the base NAME.  Where its numbers
 * are divided the front has one for each part of them as well (members.h).
 */
struct config_credential {
	char *name;
	char *base;			  /* as the section is called */
	unsigned numbers_per_certificate; /* D-17; 0: all of them are in one */
	size_t shards; /* with it: certificates that what is configured makes */
	size_t shard;  /* which of them, from 1 on; 0: not divided, or as read */
	size_t parts; /* not divided any more: so many go on until the first has all; 0: none */
	enum profile profile;
	char *token;			 /* where its keys are made */
	struct config_strings tokens;	 /* as listed */
	bool spread;			 /* its key is in one of them, not in each */
	char *ca;			 /* NULL: installed by hand */
	char *authority;		 /* TNAuthList tokens */
	char *claim_agent;		 /* constraints tokens; NULL: none wanted */
	struct constraints *constraints; /* what is asked for; NULL: none */
	char *spc;			 /* class sp: the one code */
	enum conveyance convey;
	char *x5u;	     /* base URL, ends in "/": leaf fingerprint + ".pem" is appended */
	bool x5u_from_order; /* the CA names the file, below that URL (RFC 9448 section 7) */
	char *publish_dir;   /* where <fingerprint>.pem is put; NULL: published elsewhere */
	bool publish_root;   /* with the anchor at its end (D-47) */
	unsigned publish_line;
	bool identity; /* identity = none: no x5u needed, no Identity value made */
	unsigned identity_max_bytes; /* 4096 */
	unsigned priority;	     /* higher is chosen first (D-59) */
	char *reserve_for;	     /* the section that it is in reserve for; NULL: for none */
	char *reserve;	   /* the section that is in reserve for this one; NULL: none is */
	unsigned min_scts; /* the profile's unless raised; lowered only by name */
	struct config_strings ppts;	    /* allowed ppts, as the tenant's */
	struct tnset *dests;		    /* allowed destinations; NULL: all */
	struct config_strings extra_claims; /* D-51 */
	struct config_strings policies;	    /* OIDs, one of which its certificate must name */
	struct config_content *rcd_content; /* D-41 */
	size_t rcd_contents;
	bool trust_content; /* rcd_content_unknown = trust: the caller's digests are taken */
	bool allow_range_to_all_nines;		      /* D-03 */
	struct constraints_policy constraints_policy; /* D-08, D-12, D-15; no salts */
	struct secret_ref salts;	  /* of the commitments; only the front reads them */
	enum encompass_mode encompassing; /* D-45 */
	unsigned tnlist_max_age_s;	  /* of a TNAuthList by reference (D-46) */
	enum unlisted_tn unlisted_tn;
	bool third_party_rcd;		      /* D-52 */
	char *third_party_iss;		      /* with it: the only iss */
	bool attest_in_rsp;		      /* D-38, profile vesper-05 */
	bool rcd_without_rcdi;		      /* RFC 9795 section 4 left aside */
	bool orig_uri;			      /* D-26, class delegate */
	struct config_strings rph_namespaces; /* RFC 8443: "ets", "esnet"; empty: none */
	enum origid_source origid;
	char *origid_value;		    /* ORIGID_FIXED: a UUID */
	enum original_check original_check; /* of div, div-o and rsp */
	unsigned renew_lifetime_s;	    /* notAfter asked for; 0: the CA decides */
	bool ask_not_before;		    /* notBefore is asked for, so long ago: */
	unsigned renew_backdate_s;
	unsigned star_lifetime_s; /* of each certificate of a series (RFC 8739); 0: none */
	unsigned star_duration_s, star_adjust_s; /* with it: how long; begins so much earlier */
	unsigned rekey_days; /* a key serves so long; 0: for one certificate */
};

/* A list of user and of group ids. */
struct config_callers {
	uid_t *uid;
	size_t uids;
	gid_t *gid;
	size_t gids;
};

/*
 * attestation { … } in a tenant: how far shaken may attest, by what is known
 * of the number.  'A' 'B' 'C'; 0: that rule grants nothing.
 */
struct config_attestation {
	bool set;		       /* the section is there; else attest_max says all */
	char listed;		       /* the tenant lists the number */
	char delegate_proof;	       /* a delegate's PASSporT of the same call covers it */
	char known_customer;	       /* the caller is one of known: 'B' or 'C' */
	char otherwise;		       /* 'B' or 'C' */
	bool lower;		       /* over_cap = lower: sign with what is granted */
	enum profile delegate_profile; /* of the certificates of such delegates */
	enum encompass_mode delegate_encompassing; /* and their D-45 */
	struct config_callers known;
};

/*
 * Local rules that a tenant may have watched instead of enforced.  Never among
 * them: what its certificates and its configured numbers say.
 */
enum observe_rule { OBSERVE_ATTEST, OBSERVE_DESTS, OBSERVE_PPTS, OBSERVE_RATE, OBSERVE__COUNT };

const char *config_observe_name(enum observe_rule rule); /* "attest" */

/* What a number authority's definite refusal of what is in force does beside the alarm. */
enum rtu_policy { RTU_ALARM, RTU_STOP_AFTER, RTU_STOP };

const char *config_rtu_name(enum rtu_policy policy); /* "stop_after" */

struct config_tenant { /* tenant NAME { … } */
	char *name;
	char *file; /* where it was read, relative to the main file */
	unsigned line;
	bool enabled;
	/* Set in the front alone (offboarding.h); enabled in the file is then the second. */
	bool offboarded, listed_enabled;
	struct tnset *numbers;	    /* numbers and numbers_file together; NULL: none */
	char *numbers_file;	    /* NULL: none */
	unsigned renumber_window_s; /* gathers what is added by command; 60 */
	/* How long a certificate may outlive the removal of a number in it; 86400. */
	unsigned port_revoke_after_s;
	enum rtu_policy on_rtu_refused;
	unsigned rtu_stop_after_s; /* of RTU_STOP_AFTER; 86400 */
	/*
	 * Set in the front alone (numbers.h), where numbers were added or removed
	 * by command: numbers is then what holds, listed what the files say, and
	 * asked what a certificate is ordered for (NULL: for numbers) until
	 * renumber_at_s (0: not waited for).
	 */
	bool renumbered;
	struct tnset *listed, *asked;
	uint64_t added, removed; /* how many numbers that makes */
	int64_t renumber_at_s;
	bool numbers_lost; /* what was changed cannot be read: there are none */
	uid_t *allow_uid;
	size_t allow_uids;
	gid_t *allow_gid;
	size_t allow_gids;
	char *entity_id; /* D-63: what vper.id is; NULL: not checked */
	char attest_max; /* 'A' 'B' 'C', 0: no shaken allowed, unless attestation.set */
	struct config_attestation attestation;
	struct config_strings ppts; /* allowed ppts, "base" for none; empty: all of the class */
	struct tnset *dests;	    /* allowed destinations; NULL: all */
	struct config_strings caller_spc; /* providers that the callers are; empty: not said */
	unsigned rate;			  /* requests a second, 0: no limit */
	unsigned observe;		  /* 1 << enum observe_rule */
	struct config_credential *credential;
	size_t credentials;
	/* In the front, where a section is divided: what credential is of, and as read. */
	struct members *members;
	struct config_credential *section;
	size_t sections;
};

struct config {
	char *file; /* as given */
	char *dir;  /* directory of the file: the working directory of every role */
	char *state_dir, *audit_dir;
	struct config_listen *listen;
	size_t listens;
	char *admin_path; /* NULL: no administration socket */
	uid_t admin_uid;
	gid_t admin_gid;			/* (gid_t)-1: none */
	char *front_user, *hsm_user, *net_user; /* used when started as root */
	char *trust_anchors;			/* PEM: STI roots */
	char *authority_anchors;		/* PEM: signers of authority tokens */
	char *ct_logs;				/* JSON */
	char *ct_tls_ca;			/* PEM: TLS of the logs; NULL: the system's */
	/* The same list signed by its publisher, fetched; NULL: the file alone. */
	char *ct_logs_url, *ct_logs_signature_url;
	char *ct_logs_key;	    /* PEM: the publisher's public key */
	char *ct_logs_tls_ca;	    /* PEM: TLS of these URLs; NULL: the system's */
	unsigned ct_logs_refresh_s; /* 86400 */
	unsigned ct_logs_max_age_s; /* 6048000: ten weeks */
	/* The STI-PA's list of trusted CAs, fetched; NULL: trust_anchors alone. */
	char *sti_pa_url;
	char *sti_pa_anchors;	   /* PEM: whom its signature leads to */
	char *sti_pa_tls_ca;	   /* PEM: TLS of that URL; NULL: the system's */
	unsigned sti_pa_refresh_s; /* 86400 */
	bool ct_proofs;		   /* proofs are fetched of what the logs promised */
	bool ct_watch;	   /* logs are read for certificates that were not ordered here */
	bool crl_check;	   /* revocation lists that certificates name are asked for */
	bool crl_refuse;   /* crl_unavailable = refuse: at installing, not alarm alone */
	char *crl_issuers; /* PEM: signers of indirect lists; NULL: none are known */
	char *crl_tls_ca;  /* PEM: TLS of the lists' servers; NULL: the system's */
	unsigned crl_max_age_s, crl_refresh_s;
	char *rcd_tls_ca;	/* PEM: TLS of what rcd_content names; NULL: the system's */
	char *tnlist_tls_ca;	/* PEM, for TNAuthLists by reference; NULL: the system's */
	char *original_chains;	/* directory of other parties' chains; NULL: none are known */
	char *do_not_originate; /* OID of the certificate extension (D-42); NULL: none known */
	unsigned request_timeout_ms;   /* 5000 */
	unsigned max_connections;      /* 16384 */
	unsigned max_user_connections; /* of them, of one uid: half unless said */
	unsigned max_waiting;	       /* 1024 per token */
	unsigned abandoned_key_after;  /* days; 0: never */
	unsigned orphan_after_s;       /* 3600: so long nothing names it, before it may go */
	/* How old an iat may be, how far ahead, how old that of a div (D-21): 60, 5, 10800. */
	unsigned iat_past_s, iat_future_s, iat_diverted_s;
	enum { AUDIT_SYNC_GROUP, AUDIT_SYNC_NONE } audit_sync;
	struct config_token *token;
	size_t tokens;
	struct config_ca *ca;
	size_t cas;
	struct config_authority *authority;
	size_t authorities;
	struct config_tenant *tenant;
	size_t tenants;
};

/*
 * In a role's environment: the uid that started the supervisor, who is the
 * administrator where admin_user names none.
 */
#define CONFIG_STARTER_ENV "VESPER_STARTER_UID"

/*
 * Read FILE and the files it includes.  RC_INVALID "config" with a detail
 * "vesperd.conf:12: no such option 'kye'; did you mean 'key'?"; RC_NOT_FOUND
 * or RC_IO when a file cannot be read.  Checks everything that needs no
 * network, no token and no other role's privileges.
 */
enum rc config_read(const char *file, struct config **out, struct fault *f) MUST_CHECK;
void config_free(struct config *c);
DEFINE_FREEP(config);

/*
 * For whoever tries a configuration: the anchors and the list of logs are
 * there and are what they should be.  dir is the configuration's directory,
 * AT_FDCWD for who stands in it.  With may_read what this user cannot read is
 * refused too, else it is not judged.  RC_INVALID "config" names the file and
 * what to do.
 */
enum rc config_check_files(
    const struct config *c, int dir, bool may_read, struct fault *f) MUST_CHECK;

/*
 * Are the keys for external account binding keys?  In the configuration's
 * directory.  With must_read one that cannot be read is refused too, else it
 * is not judged.  RC_INVALID "config" names the CA and what to do.
 */
enum rc config_check_eab(const struct config *c, bool must_read, struct fault *f) MUST_CHECK;

/*
 * Could this process read again what c was read from, as a role will?
 * RC_INVALID "config" names the first file that it may not open, the user and
 * what to do.
 */
enum rc config_check_readable(const struct config *c, int dir, struct fault *f) MUST_CHECK;

/* Forget the tenants: for the supervisor, which has no use for them. */
void config_drop_tenants(struct config *c);

const struct config_token *config_token_find(const struct config *c, const char *name);
/* May a key of this credential be in this token?  Of those listed, with spread. */
bool config_token_serves(const struct config_credential *c, const char *token);
const struct config_ca *config_ca_find(const struct config *c, const char *name);
const char *config_issuer_name(enum issuer issuer); /* "acme" */
/* Of a credential: of its CA, without one ISSUER_HAND. */
enum issuer config_issuer(const struct config *c, const struct config_credential *cred);
const struct config_authority *config_authority_find(const struct config *c, const char *name);
const struct config_tenant *config_tenant_find(const struct config *c, const char *name);
bool config_credential_named(const struct config_tenant *t, const char *name);
/* Outside of the front, which knows its shards, the name of any shard leads to the section. */
const struct config_credential *config_credential_find(
    const struct config_tenant *t, const char *name);

/*
 * Keys that this token has to hold: of credentials, of accounts, and one for a
 * renewal.
 */
size_t config_keys_needed(const struct config *c, const struct config_token *token);

/* The effective tree without secrets, for "vesper config show --json": new reference. */
enum rc config_to_json(const struct config *c, json_t **out, struct fault *f) MUST_CHECK;

#endif
