#include "agent/config.h"

#include <stdio.h>
#include <string.h>

enum { SHOW_INTERVALS = 1000 };

/* Packing takes "s?" for what may be absent: it becomes null. */
static json_t *
strings_json(const struct config_strings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->len; i++)
		json_array_append_new(list, json_string(s->item[i]));
	return list;
}

static json_t *
listen_json(const struct config_listen *l)
{
	char mode[8];

	snprintf(mode, sizeof mode, "%04o", (unsigned)l->mode);
	return json_pack("{s:s,s:s,s:s,s:s?,s:s?,s:s}", "name", l->name, "path", l->path,
	    "mode", mode, "group", l->group, "tenant", l->tenant, "auth",
	    l->auth_socket ? "socket" : "peer");
}

/* Vendors put passwords into their variables: names only. */
static json_t *
environment_json(const struct config_strings *env)
{
	json_t *list = json_array();

	for (size_t i = 0; i < env->len; i++)
		json_array_append_new(
		    list, json_stringn(env->item[i], strcspn(env->item[i], "=")));
	return list;
}

static json_t *
token_json(const struct config_token *t)
{
	return json_pack(
	    "{s:s,s:s,s:s?,s:s?,s:s?,s:i,s:i,s:s?,s:o,s:o,s:o,s:b,s:i,s:i,s:s,s:b,s:i,s:s}",
	    "name", t->name, "module", t->module, "label", t->label, "serial", t->serial, "pin",
	    t->pin.text, "processes", (int)t->processes, "threads", (int)t->threads,
	    "lock_file", t->lock_file, "environment", environment_json(&t->environment),
	    "read_paths", strings_json(&t->read_paths), "write_paths",
	    strings_json(&t->write_paths), "read_write", t->read_write, "max_keys",
	    (int)t->max_keys, "canary_s", (int)t->canary_s, "verify_signatures",
	    t->verify_all ? "all" : "first", "network", t->network, "backoff_max_ms",
	    (int)t->backoff_max_ms, "affinity", t->any_processor ? "none" : "auto");
}

static json_t *
ca_json(const struct config_ca *ca)
{
	static const char *const response[] = { "tkauth", "atc", "both" };

	return json_pack(
	    "{s:s,s:s,s:o,s:s?,s:s?,s:s?,s:s?,s:o,s:b,s:s?,s:s?,s:s?,s:s?,s:b,s:b,s:s?,s:s?,"
	    "s:s,s:o,s:s?,s:i,s:i}",
	    "name", ca->name, "issuer", config_issuer_name(ca->issuer), "command",
	    strings_json(&ca->command), "directory", ca->directory, "tls_ca", ca->tls_ca,
	    "eab_kid", ca->eab_kid, "eab_key", ca->eab_key.text, "contact",
	    strings_json(&ca->contact), "terms_agreed", ca->terms_agreed, "token", ca->token,
	    "tkauth_response", ca->issuer == ISSUER_ACME ? response[ca->tkauth_response] : NULL,
	    "constraints_type", ca->constraints_type, "enhanced_type", ca->enhanced_type,
	    "csr_basic_constraints", ca->csr_basic_constraints, "csr_key_usage",
	    ca->csr_key_usage, "csr_country", ca->csr_country, "csr_organization",
	    ca->csr_organization, "domain_challenge", config_domain_name(ca->domain_challenge),
	    "domain_command", strings_json(&ca->domain_command), "acme_profile",
	    ca->acme_profile, "concurrency", (int)ca->concurrency, "rate_per_minute",
	    (int)ca->rate_per_minute);
}

static json_t *
authority_json(const struct config_authority *a)
{
	return json_pack(
	    "{s:s,s:s,s:s?,s:o,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:s,s:b,s:s,s:o,s:i,s:i}",
	    "name", a->name, "source", config_source_name(a->source), "path", a->path,
	    "command", strings_json(&a->command), "user", a->user, "tls_cert", a->tls_cert,
	    "tls_key", a->tls_key.text, "url", a->url, "tls_ca", a->tls_ca, "account",
	    a->account, "secret", a->secret.text, "dialect",
	    a->dialect == AUTHORITY_STI_PA ? "sti-pa" : "rfc9448", "spki_fingerprint",
	    a->spki_fingerprint, "evidence", a->evidence ? "tnauthlist-token" : "none",
	    "issuers", strings_json(&a->issuers), "concurrency", (int)a->concurrency,
	    "rate_per_minute", (int)a->rate_per_minute);
}

static json_t *
names_json(char *const *name, size_t len)
{
	json_t *list = json_array();

	for (size_t i = 0; i < len; i++)
		json_array_append_new(list, json_string(name[i]));
	return list;
}

static json_t *
constraints_json(const struct constraints *k)
{
	json_t *permitted;

	if (k == NULL)
		return json_null();
	permitted = json_array();
	for (size_t i = 0; i < k->permitteds; i++)
		json_array_append_new(
		    permitted, json_pack("{s:s,s:o}", "claim", k->permitted[i].claim, "values",
				   names_json(k->permitted[i].value, k->permitted[i].values)));
	return json_pack("{s:s,s:o,s:o,s:o}", "form",
	    k->form == CONSTRAINTS_JWT ? "jwt" : "enhanced", "must_include",
	    names_json(k->must_include, k->must_includes), "permitted_values", permitted,
	    "must_exclude", names_json(k->must_exclude, k->must_excludes));
}

static const char *
conveyance_name(enum conveyance c)
{
	return c == CONVEY_BOTH ? "both" : c == CONVEY_X5C ? "x5c" : "x5u";
}

/* What belongs to single types of PASSporT. */
static json_t *
types_json(const struct config_credential *c)
{
	static const char *const origid[] = { "caller", "fixed", "random" };
	static const char *const check[] = { "compare", "cached" };

	return json_pack("{s:b,s:b,s:s?,s:b,s:b,s:s,s:o,s:s,s:s?,s:s}", "rcd_without_rcdi",
	    c->rcd_without_rcdi, "third_party_rcd", c->third_party_rcd, "third_party_iss",
	    c->third_party_iss, "attest_in_rsp", c->attest_in_rsp, "orig_uri", c->orig_uri,
	    "rcd_content_unknown", c->trust_content ? "trust" : "refuse", "rph_namespaces",
	    strings_json(&c->rph_namespaces), "origid", origid[c->origid], "origid_value",
	    c->origid_value, "original_check", check[c->original_check]);
}

static json_t *
interval_json(struct tn_interval i)
{
	char text[TNSET_TEXT];

	tnset_text(i, text);
	return json_string(text);
}

static json_t *
numbers_json(const struct tnset *set)
{
	json_t *list = json_array();

	for (size_t i = 0; set != NULL && i < tnset_len(set) && i < SHOW_INTERVALS; i++)
		json_array_append_new(list, interval_json(tnset_at(set, i)));
	return list;
}

static json_t *
dests_json(const struct tnset *set)
{
	return set != NULL ? numbers_json(set) : json_null();
}

static json_t *
contents_json(const struct config_credential *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->rcd_contents; i++) {
		const struct config_content *one = &c->rcd_content[i];
		char digest[RCD_DIGEST_TEXT];

		rcd_digest_text(&one->digest, digest);
		json_array_append_new(list, one->pinned
						? json_sprintf("%s %s", one->uri, digest)
						: json_string(one->uri));
	}
	return list;
}

/* As it is written in the file. */
static json_t *
rekey_json(unsigned days)
{
	if (days == 0)
		return json_string("every");
	return days == CONFIG_REKEY_NEVER ? json_string("never") : json_sprintf("%u", days);
}

static json_t *
credential_json(const struct config_credential *c)
{
	static const char *const unlisted[] = { "refuse", "B", "C" };
	json_t *out = json_pack("{s:s,s:s,s:s,s:s?,s:s?,s:s?,s:o,s:s?,s:s,s:s?,s:s?,s:b,s:s}",
	    "name", c->name, "profile", profile_rule(c->profile)->name, "token", c->token, "ca",
	    c->ca, "authority", c->authority, "claim_agent", c->claim_agent, "constraints",
	    constraints_json(c->constraints), "spc", c->spc, "conveyance",
	    conveyance_name(c->convey), "x5u", c->x5u, "publish_dir", c->publish_dir,
	    "publish_root", c->publish_root, "identity", c->identity ? "header" : "none");
	json_auto_t *rest = json_pack(
	    "{s:i,s:i,s:i,s:o,s:o,s:o,s:o,s:s,s:i,s:o,s:b,s:b,s:b,s:b,s:s,s:i}",
	    "identity_max_bytes", (int)c->identity_max_bytes, "priority", (int)c->priority,
	    "min_scts", (int)c->min_scts, "extra_claims", strings_json(&c->extra_claims),
	    "policies", strings_json(&c->policies), "ppts", strings_json(&c->ppts), "dests",
	    dests_json(c->dests), "encompassing", encompass_name(c->encompassing),
	    "tnlist_max_age_s", (int)c->tnlist_max_age_s, "rcd_content", contents_json(c),
	    "allow_range_to_all_nines", c->allow_range_to_all_nines, "rfc8226_strict_permitted",
	    c->constraints_policy.rfc8226_strict_permitted, "normalise_permitted",
	    c->constraints_policy.normalise_permitted, "accept_quoted_permitted",
	    c->constraints_policy.accept_quoted_permitted, "unlisted_tn",
	    unlisted[c->unlisted_tn], "renew_lifetime_s", (int)c->renew_lifetime_s);
	json_auto_t *private = json_pack("{s:s?,s:b,s:s}", "salts", c->salts.text,
	    "assert_committed", c->constraints_policy.assert_committed, "commit_without_salt",
	    c->constraints_policy.commit_without_salt ? "allow" : "refuse");
	json_auto_t *types = types_json(c);
	json_auto_t *rekey = rekey_json(c->rekey_days);

	json_object_update(out, rest);
	json_object_update(out, types);
	json_object_update(out, private);
	json_object_set(out, "rekey", rekey);
	json_object_set_new(
	    out, "x5u_from", json_string(c->x5u_from_order ? "order" : "fingerprint"));
	json_object_set_new(out, "renew_backdate_s",
	    c->ask_not_before ? json_integer(c->renew_backdate_s) : json_null());
	json_object_set_new(out, "star_lifetime_s", json_integer(c->star_lifetime_s));
	json_object_set_new(out, "star_duration_s", json_integer(c->star_duration_s));
	json_object_set_new(out, "star_adjust_s", json_integer(c->star_adjust_s));
	json_object_set_new(out, "base", json_string(c->base));
	json_object_set_new(out, "reserve_for",
	    c->reserve_for != NULL ? json_string(c->reserve_for) : json_null());
	if (c->spread)
		json_object_set_new(out, "spread", strings_json(&c->tokens));
	json_object_set_new(out, "numbers_per_certificate",
	    json_integer((json_int_t)c->numbers_per_certificate));
	if (c->numbers_per_certificate > 0)
		json_object_set_new(out, "shards", json_integer((json_int_t)c->shards));
	return out;
}

static json_t *
ids_json(const unsigned *id, size_t len)
{
	json_t *list = json_array();

	for (size_t i = 0; i < len; i++)
		json_array_append_new(list, json_integer(id[i]));
	return list;
}

/* A letter, or null for none. */
static json_t *
letter_json(char letter)
{
	return letter != 0 ? json_stringn(&letter, 1) : json_null();
}

static json_t *
attestation_json(const struct config_attestation *a)
{
	if (!a->set)
		return json_null();
	return json_pack("{s:o,s:o,s:s,s:s,s:o,s:o,s:s,s:o,s:o}", "listed",
	    letter_json(a->listed), "delegate_proof", letter_json(a->delegate_proof),
	    "delegate_profile", profile_rule(a->delegate_profile)->name,
	    "delegate_encompassing", encompass_name(a->delegate_encompassing), "known_customer",
	    letter_json(a->known_customer), "otherwise", letter_json(a->otherwise), "over_cap",
	    a->lower ? "lower" : "refuse", "known_uid", ids_json(a->known.uid, a->known.uids),
	    "known_gid", ids_json(a->known.gid, a->known.gids));
}

static json_t *
observe_json(unsigned rules)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < OBSERVE__COUNT; i++) {
		if ((rules >> i & 1) != 0)
			json_array_append_new(
			    list, json_string(config_observe_name((enum observe_rule)i)));
	}
	return list;
}

static json_t *
port_revoke_json(const struct config_tenant *t)
{
	if (t->port_revoke_after_s == CONFIG_PORT_REVOKE_NEVER)
		return json_string("never");
	return json_integer(t->port_revoke_after_s);
}

static json_t *
tenant_json(const struct config_tenant *t)
{
	json_t *credentials = json_array();
	size_t intervals = t->numbers != NULL ? tnset_len(t->numbers) : 0;
	uint64_t count = t->numbers != NULL ? tnset_count(t->numbers) : 0;

	for (size_t i = 0; i < t->credentials; i++)
		json_array_append_new(credentials, credential_json(&t->credential[i]));
	return json_pack(
	    "{s:s,s:s,s:b,s:s?,s:o,s:I,s:b,s:i,s:o,s:s,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:i,s:o,"
	    "s:o}",
	    "name", t->name, "file", t->file, "enabled", t->enabled, "entity_id", t->entity_id,
	    "numbers", numbers_json(t->numbers), "numbers_count",
	    (json_int_t)(count < INT64_MAX ? count : INT64_MAX), "numbers_cut_short",
	    intervals > SHOW_INTERVALS, "renumber_window_s", (int)t->renumber_window_s,
	    "port_revoke_after", port_revoke_json(t), "on_rtu_refused",
	    config_rtu_name(t->on_rtu_refused), "rtu_stop_after_s", (int)t->rtu_stop_after_s,
	    "allow_uid", ids_json(t->allow_uid, t->allow_uids), "allow_gid",
	    ids_json(t->allow_gid, t->allow_gids), "attest_max", letter_json(t->attest_max),
	    "attestation", attestation_json(&t->attestation), "ppts", strings_json(&t->ppts),
	    "dests", dests_json(t->dests), "caller_spc", strings_json(&t->caller_spc), "rate",
	    (int)t->rate, "observe", observe_json(t->observe), "credentials", credentials);
}

static json_t *
admin_json(const struct config *c)
{
	if (c->admin_path == NULL)
		return json_null();
	return json_pack("{s:s,s:I,s:o}", "path", c->admin_path, "uid",
	    (json_int_t)c->admin_uid, "gid",
	    c->admin_gid == (gid_t)-1 ? json_null() : json_integer((json_int_t)c->admin_gid));
}

static json_t *
top_json(const struct config *c)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s?,s:s?,s:s?,s:s?,s:s?,s:s?,s:i,s:i,s:"
			 "i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,"
			 "s:s?,s:b,s:b,"
			 "s:s?,s:s?,s:s?,s:s?,s:i,s:i,s:s?,s:s?,s:s?,s:i,"
			 "s:b,s:s,s:s?,s:s?,s:i,s:i,"
			 "s:o,s:[],s:[],"
			 "s:[],s:[],s:[]}",
	    "file", c->file, "state_dir", c->state_dir, "audit_dir", c->audit_dir, "front_user",
	    c->front_user, "hsm_user", c->hsm_user, "net_user", c->net_user, "trust_anchors",
	    c->trust_anchors, "authority_anchors", c->authority_anchors, "ct_logs", c->ct_logs,
	    "rcd_tls_ca", c->rcd_tls_ca, "do_not_originate", c->do_not_originate,
	    "tnlist_tls_ca", c->tnlist_tls_ca, "original_chains", c->original_chains,
	    "request_timeout_ms", (int)c->request_timeout_ms, "max_connections",
	    (int)c->max_connections, "max_user_connections", (int)c->max_user_connections,
	    "max_waiting", (int)c->max_waiting, "abandoned_key_after",
	    (int)c->abandoned_key_after, "orphan_after_s", (int)c->orphan_after_s, "iat_past_s",
	    (int)c->iat_past_s, "iat_future_s", (int)c->iat_future_s, "iat_diverted_s",
	    (int)c->iat_diverted_s, "audit_sync",
	    c->audit_sync == AUDIT_SYNC_GROUP ? "group" : "none", "ct_tls_ca", c->ct_tls_ca,
	    "ct_proofs", c->ct_proofs, "ct_watch", c->ct_watch, "ct_logs_url", c->ct_logs_url,
	    "ct_logs_signature_url", c->ct_logs_signature_url, "ct_logs_key", c->ct_logs_key,
	    "ct_logs_tls_ca", c->ct_logs_tls_ca, "ct_logs_refresh_s", (int)c->ct_logs_refresh_s,
	    "ct_logs_max_age_s", (int)c->ct_logs_max_age_s, "sti_pa_url", c->sti_pa_url,
	    "sti_pa_anchors", c->sti_pa_anchors, "sti_pa_tls_ca", c->sti_pa_tls_ca,
	    "sti_pa_refresh_s", (int)c->sti_pa_refresh_s, "crl_check", c->crl_check,
	    "crl_unavailable", c->crl_refuse ? "refuse" : "alarm", "crl_issuers",
	    c->crl_issuers, "crl_tls_ca", c->crl_tls_ca, "crl_max_age_s", (int)c->crl_max_age_s,
	    "crl_refresh_s", (int)c->crl_refresh_s, "admin", admin_json(c), "listen", "token",
	    "ca", "authority", "tenant");
}

enum rc
config_to_json(const struct config *c, json_t **out, struct fault *f)
{
	json_auto_t *top = top_json(c);
	size_t bad = 0; /* an append of NULL fails: out of memory somewhere below */

	if (top == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the configuration as JSON");
	for (size_t i = 0; i < c->listens; i++)
		bad += json_array_append_new(
			   json_object_get(top, "listen"), listen_json(&c->listen[i])) != 0;
	for (size_t i = 0; i < c->tokens; i++)
		bad += json_array_append_new(
			   json_object_get(top, "token"), token_json(&c->token[i])) != 0;
	for (size_t i = 0; i < c->cas; i++)
		bad +=
		    json_array_append_new(json_object_get(top, "ca"), ca_json(&c->ca[i])) != 0;
	for (size_t i = 0; i < c->authorities; i++)
		bad += json_array_append_new(json_object_get(top, "authority"),
			   authority_json(&c->authority[i])) != 0;
	for (size_t i = 0; i < c->tenants; i++)
		bad += json_array_append_new(
			   json_object_get(top, "tenant"), tenant_json(&c->tenant[i])) != 0;
	if (bad > 0)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "the configuration as JSON");
	*out = TAKE(top);
	return RC_OK;
}
