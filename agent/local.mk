# What supervisor, front and renewer share.
noinst_LTLIBRARIES += libagent.la

libagent_la_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS)
libagent_la_SOURCES = \
	agent/log.c agent/log.h \
	agent/secret.c agent/secret.h \
	agent/channel.c agent/channel.h \
	agent/role.c agent/role.h
