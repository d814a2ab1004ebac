# The pure core.  libbase: what also the token processes link, no jansson.
noinst_LTLIBRARIES += libbase.la libstir.la

libbase_la_SOURCES = \
	stir/attr.h stir/ossl.h stir/span.h \
	stir/fault.c stir/fault.h \
	stir/buf.c stir/buf.h \
	stir/b64.c stir/b64.h \
	stir/ascii.h \
	stir/digest.c stir/digest.h \
	stir/text.c stir/text.h

libstir_la_SOURCES = \
	stir/der.c stir/der.h

# values: numbers, lists, constraints, claims
include $(top_srcdir)/stir/values.mk
# certificates: signatures, chains, SCTs, requests, tokens, verification
include $(top_srcdir)/stir/certs.mk
