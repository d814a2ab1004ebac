libstir_la_SOURCES += \
	stir/es256.c stir/es256.h \
	stir/cert.c stir/cert.h \
	stir/chain.c stir/chain.h
