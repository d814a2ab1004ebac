# agent/renewer
noinst_LTLIBRARIES += librenewer.la
pkglibexec_PROGRAMS += vesper-renewer

librenewer_la_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
librenewer_la_SOURCES = \
	agent/renewer/acme.c agent/renewer/acme.h \
	agent/renewer/address.c agent/renewer/address.h \
	agent/renewer/ari.c agent/renewer/ari.h \
	agent/renewer/ask.c agent/renewer/ask.h \
	agent/renewer/authtok.c agent/renewer/authtok.h \
	agent/renewer/awaited.c agent/renewer/awaited.h \
	agent/renewer/choose.c agent/renewer/choose.h \
	agent/renewer/documents.c agent/renewer/documents.h \
	agent/renewer/domain.c agent/renewer/domain.h \
	agent/renewer/eab.c agent/renewer/eab.h \
	agent/renewer/cleanups.c agent/renewer/cleanups.h \
	agent/renewer/served.c agent/renewer/served.h \
	agent/renewer/errands.c agent/renewer/errands.h \
	agent/renewer/fetch.c agent/renewer/fetch.h \
	agent/renewer/httpc.c agent/renewer/httpc.h \
	agent/renewer/io.h \
	agent/renewer/job.c agent/renewer/job.h \
	agent/renewer/jobs.c agent/renewer/jobs.h \
	agent/renewer/lane.c agent/renewer/lane.h \
	agent/renewer/lists.c agent/renewer/lists.h \
	agent/renewer/observe.c agent/renewer/observe.h \
	agent/renewer/plan.c agent/renewer/plan.h \
	agent/renewer/probe.c agent/renewer/probe.h \
	agent/renewer/problem.c agent/renewer/problem.h \
	agent/renewer/pushed.c agent/renewer/pushed.h \
	agent/renewer/record.c agent/renewer/record.h \
	agent/renewer/renew.c agent/renewer/renew.h agent/renewer/renew_parts.h \
	agent/renewer/renewinfo.c agent/renewer/renewinfo.h \
	agent/renewer/report.c agent/renewer/report.h \
	agent/renewer/rfc3339.c agent/renewer/rfc3339.h \
	agent/renewer/right.c agent/renewer/right.h \
	agent/renewer/runner.c agent/renewer/runner.h \
	agent/renewer/schedule.c agent/renewer/schedule.h \
	agent/renewer/settings.c agent/renewer/settings.h \
	agent/renewer/source.c agent/renewer/source.h \
	agent/renewer/spread.c agent/renewer/spread.h \
	agent/renewer/star.c agent/renewer/star.h \
	agent/renewer/step.c agent/renewer/step.h \
	agent/renewer/step_chain.c \
	agent/renewer/step_challenge.c \
	agent/renewer/step_issue.c \
	agent/renewer/step_order.c \
	agent/renewer/step_token.c \
	agent/renewer/store.c agent/renewer/store.h \
	agent/renewer/upload.c agent/renewer/upload.h

vesper_renewer_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
vesper_renewer_SOURCES = agent/renewer/main.c
vesper_renewer_LDADD = librenewer.la libagent.la libstir.la libbase.la \
	$(CURL_LIBS) $(CONFUSE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

# What "vesper doctor" and "vesper tenant test" run.
pkglibexec_PROGRAMS += vesper-probe
vesper_probe_CFLAGS = $(vesper_renewer_CFLAGS)
vesper_probe_SOURCES = agent/renewer/probe_main.c
vesper_probe_LDADD = $(vesper_renewer_LDADD)
