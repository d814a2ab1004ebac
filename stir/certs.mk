libstir_la_SOURCES += \
	stir/es256.c stir/es256.h \
	stir/cert.c stir/cert.h \
	stir/crl.c stir/crl.h \
	stir/chain.c stir/chain.h \
	stir/encompass.c stir/encompass.h \
	stir/tlsread.c stir/tlsread.h \
	stir/merkle.c stir/merkle.h \
	stir/ctlogs.c stir/ctlogs.h \
	stir/loglist.c stir/loglist.h \
	stir/stilist.c stir/stilist.h \
	stir/sct.c stir/sct.h \
	stir/sth.c stir/sth.h \
	stir/ctentry.c stir/ctentry.h \
	stir/csr.c stir/csr.h \
	stir/authtoken.c stir/authtoken.h \
	stir/original.c stir/original.h \
	stir/verify.c stir/verify.h
