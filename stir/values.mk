# values: numbers, lists, constraints, claims
libstir_la_SOURCES += \
	stir/compact.c stir/compact.h \
	stir/constraints.c stir/constraints.h stir/constraintsparts.h \
	stir/constraintsbase.c stir/constraintscheck.c stir/constraintsder.c stir/constraintsplan.c \
	stir/gate.c stir/gate.h \
	stir/identity.c stir/identity.h \
	stir/jcard.c stir/jcard.h \
	stir/jgrammar.c stir/jgrammar.h \
	stir/jpointer.c stir/jpointer.h \
	stir/jquick.c stir/jquick.h stir/jtext.c stir/jtext.h \
	stir/passport.c stir/passport.h \
	stir/ppt.c stir/ppt.h \
	stir/privacy.c stir/privacy.h \
	stir/profile.c stir/profile.h \
	stir/rcd.c stir/rcd.h \
	stir/tn.c stir/tn.h \
	stir/tnauth.c stir/tnauth.h \
	stir/tnset.c stir/tnset.h \
	stir/uri.c stir/uri.h \
	stir/vper.c stir/vper.h
