# The supervisor.
noinst_LTLIBRARIES += libsupervisor.la
sbin_PROGRAMS += vesperd
pkglibexec_PROGRAMS += vesper-hook

libsupervisor_la_SOURCES = \
	agent/supervisor/breaker.c agent/supervisor/breaker.h \
	agent/supervisor/child.c agent/supervisor/child.h \
	agent/supervisor/hook.c agent/supervisor/hook.h \
	agent/supervisor/spawn.c agent/supervisor/spawn.h \
	agent/supervisor/place.c agent/supervisor/place.h \
	agent/supervisor/trial.c agent/supervisor/trial.h \
	agent/supervisor/harden.c agent/supervisor/harden.h \
	agent/supervisor/supervisor.c agent/supervisor/supervisor.h

vesperd_SOURCES = agent/supervisor/main.c
vesperd_LDADD = libsupervisor.la libagent.la libstir.la libbase.la \
	$(CONFUSE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

vesper_hook_SOURCES = agent/supervisor/hook_main.c
vesper_hook_LDADD = libagent.la libstir.la libbase.la \
	$(CONFUSE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
