# The token: frames and their client, signer and admin, provisioning.
noinst_LTLIBRARIES += libtokenclient.la libtoken.la libprovision.la

# The asking end: no PKCS#11 in it.
libtokenclient_la_SOURCES = \
	pkcs11/client.c pkcs11/client.h pkcs11/frame.h \
	pkcs11/p256.c pkcs11/p256.h \
	pkcs11/provider.c pkcs11/provider.h

libtoken_la_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS)
libtoken_la_SOURCES = \
	pkcs11/admin.c pkcs11/admin.h \
	pkcs11/canary.c pkcs11/canary.h \
	pkcs11/hsm.c pkcs11/hsm.h \
	pkcs11/isolate.c pkcs11/isolate.h \
	pkcs11/keymap.c pkcs11/keymap.h \
	pkcs11/keypair.c pkcs11/keypair.h \
	pkcs11/label.c pkcs11/label.h \
	pkcs11/leave.c pkcs11/leave.h \
	pkcs11/login.c pkcs11/login.h \
	pkcs11/module.c pkcs11/module.h \
	pkcs11/options.c pkcs11/options.h \
	pkcs11/p11rc.c pkcs11/p11rc.h \
	pkcs11/pin.c pkcs11/pin.h \
	pkcs11/processor.c pkcs11/processor.h \
	pkcs11/session.c pkcs11/session.h \
	pkcs11/signer.c pkcs11/signer.h \
	pkcs11/softhsm.c pkcs11/softhsm.h \
	pkcs11/tokenlock.c pkcs11/tokenlock.h \
	pkcs11/wire.c pkcs11/wire.h

# The only part with libp11 and libp11-kit.
libprovision_la_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS) $(LIBP11_CFLAGS)
libprovision_la_SOURCES = \
	pkcs11/ask.c pkcs11/ask.h \
	pkcs11/provision.c pkcs11/provision.h \
	pkcs11/provision_bench.c pkcs11/provision_cert.c pkcs11/provision_import.c \
	pkcs11/provision_objects.c pkcs11/provision_test.c \
	pkcs11/provision_slots.c pkcs11/provision_slots.h \
	pkcs11/provision_token.c pkcs11/provision_token.h \
	pkcs11/provision_uses.c pkcs11/provision_uses.h \
	pkcs11/show.c pkcs11/show.h \
	pkcs11/uri.c pkcs11/uri.h

pkglibexec_PROGRAMS += vesper-hsm vesper-hsm-admin

vesper_hsm_SOURCES = pkcs11/vesper-hsm.c
vesper_hsm_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS)
vesper_hsm_LDADD = libtoken.la libtokenclient.la libbase.la $(CRYPTO_LIBS) -lpthread -ldl

vesper_hsm_admin_SOURCES = pkcs11/vesper-hsm-admin.c
vesper_hsm_admin_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS)
vesper_hsm_admin_LDADD = libprovision.la libtoken.la libtokenclient.la libbase.la \
	$(LIBP11_LIBS) $(P11KIT_LIBS) $(CRYPTO_LIBS) -lpthread -ldl
