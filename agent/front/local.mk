# agent/front: the front process.
noinst_LTLIBRARIES += libfront.la
pkglibexec_PROGRAMS += vesper-front

libfront_la_SOURCES = \
	agent/front/admin_api.c agent/front/admin_api.h \
	agent/front/alarms.c agent/front/alarms.h \
	agent/front/api.c agent/front/api.h \
	agent/front/api_atis.c agent/front/api_calls.c \
	agent/front/api_native.c agent/front/api_native.h \
	agent/front/caller.c agent/front/caller.h \
	agent/front/conn.c agent/front/conn.h \
	agent/front/decide.c agent/front/decide.h \
	agent/front/decide_candidates.c agent/front/decide_filter.c \
	agent/front/decide_parts.h agent/front/decide_rank.c \
	agent/front/decide_shards.c \
	agent/front/desk.h \
	agent/front/events.c agent/front/events.h \
	agent/front/fresh.c agent/front/fresh.h \
	agent/front/front.c agent/front/front.h \
	agent/front/harden.c agent/front/harden.h \
	agent/front/headers.c agent/front/headers.h \
	agent/front/hsm.c agent/front/hsm.h \
	agent/front/hsm_calls.c agent/front/hsm_keys.c \
	agent/front/hsm_pool.h agent/front/hsm_process.c \
	agent/front/http1.c agent/front/http1.h \
	agent/front/journal.c agent/front/journal.h \
	agent/front/jw.c agent/front/jw.h \
	agent/front/metrics.c agent/front/metrics.h \
	agent/front/notice.c agent/front/notice.h \
	agent/front/listener.c agent/front/listener.h \
	agent/front/numbers_api.c \
	agent/front/loop.c agent/front/loop.h \
	agent/front/policy.c agent/front/policy.h \
	agent/front/reach.c agent/front/reach.h \
	agent/front/replay.c agent/front/replay.h \
	agent/front/problem.c agent/front/problem.h \
	agent/front/proof.c agent/front/proof.h \
	agent/front/prove.c agent/front/prove.h \
	agent/front/sign.c agent/front/sign.h \
	agent/front/sign_batch.c agent/front/sign_internal.h \
	agent/front/sign_job.c agent/front/sign_wait.c \
	agent/front/snapshot.h \
	agent/front/status.c agent/front/status.h agent/front/status_credential.c \
	agent/front/verifier.c agent/front/verifier.h

include $(top_srcdir)/agent/front/audit.mk
include $(top_srcdir)/agent/front/builder.mk

vesper_front_SOURCES = agent/front/main.c
vesper_front_LDADD = libfront.la libagent.la libtokenclient.la libstir.la libbase.la \
	$(CONFUSE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

# What "vesper replay" runs: the decision over past requests, offline.
pkglibexec_PROGRAMS += vesper-replay
vesper_replay_SOURCES = agent/front/replay_main.c
vesper_replay_LDADD = $(vesper_front_LDADD)
