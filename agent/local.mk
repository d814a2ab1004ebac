# What supervisor, front and renewer share.
noinst_LTLIBRARIES += libagent.la

libagent_la_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS)
libagent_la_SOURCES = \
	agent/log.c agent/log.h \
	agent/secret.c agent/secret.h \
	agent/channel.c agent/channel.h \
	agent/release.h \
	agent/role.c agent/role.h \
	agent/config.c agent/config.h \
	agent/shards.c agent/shards.h \
	agent/members.c agent/members.h \
	agent/config_scan.c agent/config_scan.h \
	agent/config_parse.c agent/config_parse.h \
	agent/config_schema.c agent/config_main.c agent/config_party.c \
	agent/config_tenant.c agent/config_reserve.c agent/config_credential.c \
	agent/config_claims.c agent/config_policy.c agent/config_json.c agent/config_files.c
