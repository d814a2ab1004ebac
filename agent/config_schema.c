#include "agent/config_parse.h"

#include "stir/passport.h"

/* clang-format off */
#define TEXT(name)	  CFG_STR(name, NULL, CFGF_NODEFAULT)
#define TEXT_DEF(name, d) CFG_STR(name, d, CFGF_NONE)
#define LIST(name)	  CFG_STR_LIST(name, NULL, CFGF_NODEFAULT)
#define NUMBER(name, d)	  CFG_INT(name, d, CFGF_NONE)
#define YES(name)	  CFG_BOOL(name, cfg_true, CFGF_NONE)
#define NO(name)	  CFG_BOOL(name, cfg_false, CFGF_NONE)
#define NAMED(name, o)	  CFG_SEC(name, o, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)

static cfg_opt_t listen_options[] = {
	TEXT("path"), TEXT_DEF("mode", "0660"), TEXT("group"), TEXT("tenant"),
	TEXT_DEF("auth", "peer"),
	CFG_END()
};

static cfg_opt_t token_options[] = {
	TEXT("module"), TEXT("label"), TEXT("serial"), TEXT("pin"),
	NUMBER("processes", 2), NUMBER("threads", 1), TEXT("lock_file"),
	LIST("environment"), LIST("read_paths"), LIST("write_paths"),
	NO("read_write"), NUMBER("max_keys", 0), NUMBER("canary_s", 30),
	TEXT_DEF("verify_signatures", "first"), NO("network"), NUMBER("backoff_max_ms", 0),
	TEXT_DEF("affinity", "auto"),
	CFG_END()
};

static cfg_opt_t ca_options[] = {
	TEXT_DEF("issuer", "acme"), LIST("command"),
	TEXT("directory"), TEXT("tls_ca"), TEXT("eab_kid"), TEXT("eab_key"),
	LIST("contact"), NO("terms_agreed"), TEXT("token"),
	TEXT_DEF("tkauth_response", "tkauth"),
	TEXT_DEF("constraints_type", "JWTClaimConstraints"),
	TEXT_DEF("enhanced_type", "EnhancedJWTClaimConstraints"),
	NO("csr_basic_constraints"), NO("csr_key_usage"),
	TEXT("csr_country"), TEXT("csr_organization"),
	TEXT_DEF("domain_challenge", "none"), LIST("domain_command"),
	TEXT("acme_profile"),
	NUMBER("concurrency", 0), NUMBER("rate_per_minute", 0),
	CFG_END()
};

static cfg_opt_t authority_options[] = {
	TEXT_DEF("source", "rest"), TEXT("path"), LIST("command"),
	TEXT("user"), TEXT("tls_cert"), TEXT("tls_key"),
	TEXT("url"), TEXT("tls_ca"), TEXT("account"), TEXT("secret"),
	TEXT_DEF("dialect", "rfc9448"), NO("spki_fingerprint"),
	TEXT_DEF("evidence", "none"), LIST("issuers"),
	NUMBER("concurrency", 0), NUMBER("rate_per_minute", 0),
	CFG_END()
};

cfg_opt_t config_main_options[] = {
	TEXT_DEF("state_dir", "/var/lib/vesper"), TEXT_DEF("audit_dir", "/var/log/vesper"),
	TEXT_DEF("front_user", "vesper-front"), TEXT_DEF("hsm_user", "vesper-hsm"),
	TEXT_DEF("net_user", "vesper-net"),
	TEXT("trust_anchors"), TEXT("authority_anchors"), TEXT("ct_logs"),
	TEXT("ct_tls_ca"), NO("ct_proofs"), NO("ct_watch"),
	TEXT("sti_pa_url"), TEXT("sti_pa_anchors"), TEXT("sti_pa_tls_ca"),
	NUMBER("sti_pa_refresh_s", 86400),
	TEXT("ct_logs_url"), TEXT("ct_logs_signature_url"), TEXT("ct_logs_key"),
	TEXT("ct_logs_tls_ca"), NUMBER("ct_logs_refresh_s", 86400),
	NUMBER("ct_logs_max_age_s", 6048000),
	YES("crl_check"), TEXT_DEF("crl_unavailable", "alarm"), TEXT("crl_issuers"),
	TEXT("crl_tls_ca"), NUMBER("crl_max_age_s", 604800), NUMBER("crl_refresh_s", 3600),
	TEXT("do_not_originate"), TEXT("tnlist_tls_ca"), TEXT("rcd_tls_ca"),
	TEXT("original_chains"),
	NUMBER("request_timeout_ms", 5000), NUMBER("max_connections", 16384),
	NUMBER("max_user_connections", 0),
	NUMBER("iat_past_s", PASSPORT_PAST_S), NUMBER("iat_future_s", PASSPORT_FUTURE_S),
	NUMBER("iat_diverted_s", PASSPORT_DIVERTED_S),
	NUMBER("abandoned_key_after", 30), NUMBER("orphan_after_s", 3600),
	NUMBER("max_waiting", 1024), TEXT_DEF("audit_sync", "group"),
	TEXT_DEF("admin_socket", "/run/vesper/admin.sock"),
	TEXT("admin_user"), TEXT("admin_group"),
	NAMED("listen", listen_options),
	NAMED("token", token_options),
	NAMED("ca", ca_options),
	NAMED("authority", authority_options),
	CFG_END()
};

static cfg_opt_t permitted_options[] = {
	LIST("values"),
	CFG_END()
};

static cfg_opt_t constraints_options[] = {
	TEXT_DEF("form", "jwt"), LIST("must_include"), LIST("must_exclude"),
	NAMED("permitted", permitted_options),
	CFG_END()
};

static cfg_opt_t credential_options[] = {
	TEXT("profile"), LIST("token"), NO("spread"), NUMBER("numbers_per_certificate", 0),
	TEXT("ca"), TEXT("authority"),
	TEXT("claim_agent"),
	CFG_SEC("constraints", constraints_options, CFGF_MULTI),
	TEXT("spc"), TEXT("conveyance"), TEXT("x5u"), TEXT_DEF("x5u_from", "fingerprint"), TEXT("publish_dir"), NO("publish_root"),
	TEXT_DEF("identity", "header"), NUMBER("identity_max_bytes", 4096),
	NUMBER("priority", 0), TEXT("reserve_for"), NUMBER("min_scts", 0), LIST("extra_claims"),
	LIST("ppts"), LIST("dests"), TEXT_DEF("encompassing", "if-present"),
	NUMBER("tnlist_max_age_s", 86400),
	LIST("rcd_content"), TEXT_DEF("rcd_content_unknown", "refuse"),
	LIST("policies"),
	NO("allow_range_to_all_nines"), NO("rfc8226_strict_permitted"),
	NO("normalise_permitted"), NO("accept_quoted_permitted"),
	TEXT("salts"), NO("assert_committed"), TEXT_DEF("commit_without_salt", "refuse"),
	TEXT_DEF("unlisted_tn", "refuse"), NUMBER("renew_lifetime_s", 0),
	NUMBER("renew_backdate_s", 0), NUMBER("star_lifetime_s", 0),
	NUMBER("star_duration_s", 2592000), NUMBER("star_adjust_s", 0),
	TEXT_DEF("rekey", "every"),
	NO("third_party_rcd"), TEXT("third_party_iss"), NO("attest_in_rsp"), NO("rcd_without_rcdi"), NO("orig_uri"),
	LIST("rph_namespaces"),
	TEXT_DEF("origid", "caller"),
	TEXT("origid_value"), TEXT_DEF("original_check", "compare"),
	CFG_END()
};

static cfg_opt_t attestation_options[] = {
	TEXT("listed"), TEXT("delegate_proof"), TEXT("known_customer"), TEXT("otherwise"),
	TEXT_DEF("over_cap", "refuse"), LIST("known_user"), LIST("known_group"),
	TEXT_DEF("delegate_profile", "vesper-06"),
	TEXT_DEF("delegate_encompassing", "if-present"),
	CFG_END()
};

static cfg_opt_t tenant_options[] = {
	YES("enabled"), LIST("numbers"), TEXT("numbers_file"),
	NUMBER("renumber_window_s", 60), TEXT_DEF("port_revoke_after", "86400"),
	TEXT_DEF("on_rtu_refused", "alarm"), NUMBER("rtu_stop_after_s", 86400),
	LIST("allow_user"), LIST("allow_group"), TEXT("entity_id"), TEXT("attest_max"), LIST("ppts"),
	CFG_SEC("attestation", attestation_options, CFGF_MULTI),
	LIST("dests"), LIST("caller_spc"), NUMBER("rate", 0), LIST("observe"),
	NAMED("credential", credential_options),
	CFG_END()
};

cfg_opt_t config_tenant_options[] = {
	NAMED("tenant", tenant_options),
	CFG_END()
};
/* clang-format on */
