# values: numbers, lists, constraints, claims
libstir_la_SOURCES += \
	stir/jtext.c stir/jtext.h \
	stir/tn.c stir/tn.h \
	stir/tnauth.c stir/tnauth.h \
	stir/tnset.c stir/tnset.h
