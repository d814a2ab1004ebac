# client: libvesper, which others link, and the vesper command.
noinst_LTLIBRARIES += libclient.la
lib_LTLIBRARIES += libvesper.la
bin_PROGRAMS += vesper
include_HEADERS += client/vesper.h

# Everything of the command but main(): tests link it.
libclient_la_SOURCES = \
	client/vesper.c client/vesper.h \
	client/http.c client/http.h \
	client/load.c client/load.h \
	client/args.c client/check.c client/check.h client/cli.c client/cli.h \
	client/claims.c client/claims.h \
	client/show.c client/show.h \
	client/disclosure.c client/disclosure.h \
	client/jwe.c client/jwe.h \
	client/cmd_commit.c client/cmd_disclose.c \
	client/program.c client/program.h \
	client/provision.c client/provision.h client/cmd_hsm.c client/cmd_key.c \
	client/token.c client/token.h \
	client/job.c client/job.h \
	client/member.h \
	client/progress.c client/progress.h \
	client/findings.c client/findings.h \
	client/probe.c client/probe.h client/cmd_doctor.c client/cmd_tenant.c \
	pkcs11/pin.c pkcs11/pin.h \
	client/revoke.c client/revoke.h \
	client/numbers.c client/numbers.h client/offboard.c client/offboard.h \
	client/failover.c client/failover.h \
	client/orphans.c client/orphans.h \
	client/cmd_account.c client/cmd_cert.c client/cmd_ct.c client/cmd_token.c \
	client/cmd_bench.c client/cmd_check.c client/cmd_config.c \
	client/cmd_inspect.c client/cmd_rcd.c client/cmd_replay.c client/cmd_sign.c client/cmd_status.c \
	client/cmd_verify.c client/cmd_version.c

# Convenience libraries only: the file in the build tree is the program itself.
vesper_SOURCES = client/main.c
vesper_LDADD = libclient.la libagent.la libstir.la libbase.la \
	$(CONFUSE_LIBS) $(JOSE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

libvesper_la_SOURCES = client/vesper.c client/http.c
libvesper_la_CFLAGS = $(AM_CFLAGS) -fvisibility=default
libvesper_la_LIBADD = libbase.la $(JANSSON_LIBS) $(CRYPTO_LIBS)
# -pie is for programs.
libvesper_la_LDFLAGS = $(VESPER_LDFLAGS:-pie=) -no-undefined -version-info 0:0:0 \
	-export-symbols-regex '^vesper_'

pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = client/libvesper.pc
EXTRA_DIST += client/libvesper.pc.in
CLEANFILES += client/libvesper.pc

client/libvesper.pc: client/libvesper.pc.in Makefile
	$(AM_V_GEN)$(MKDIR_P) client && \
	sed -e 's,@prefix\@,$(prefix),' -e 's,@exec_prefix\@,$(exec_prefix),' \
		-e 's,@libdir\@,$(libdir),' -e 's,@includedir\@,$(includedir),' \
		-e 's,@PACKAGE_VERSION\@,$(PACKAGE_VERSION),' \
		$(srcdir)/client/libvesper.pc.in >$@.tmp && mv $@.tmp $@
