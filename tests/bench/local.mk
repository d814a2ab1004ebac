# The yardstick of scripts/bench.
noinst_PROGRAMS += rawsign
rawsign_SOURCES = tests/bench/rawsign.c
rawsign_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS)
rawsign_LDADD = -lpthread -ldl
EXTRA_DIST += tests/bench/bench.py tests/bench/crowd.py tests/bench/fixture.py \
	tests/bench/measure.py tests/bench/peers.py tests/bench/rows.py

# What a decision costs.  Its certificates are made by the unit tests' PKI.
check_PROGRAMS += tests/bench/decisions
tests_bench_decisions_SOURCES = tests/bench/decisions.c tests/unit/spec.h \
	tests/unit/pki.c tests/unit/pki.h tests/unit/cm.h
tests_bench_decisions_LDADD = libfront.la libagent.la libtokenclient.la $(UNIT_LDADD) \
	$(CONFUSE_LIBS)
TESTS += tests/bench/test_decisions.py
EXTRA_DIST += tests/bench/test_decisions.py

# Many keys with their certificates, for a row of scripts/bench.
check_PROGRAMS += tests/bench/crowd
tests_bench_crowd_SOURCES = tests/bench/crowd.c tests/unit/spec.h tests/unit/pki.c \
	tests/unit/pki.h tests/unit/cm.h
tests_bench_crowd_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS)
tests_bench_crowd_LDADD = libtoken.la libtokenclient.la $(UNIT_LDADD) -lpthread -ldl

# The load of vesper bench, on a peer that listens on TCP.
check_PROGRAMS += tests/bench/httpload
tests_bench_httpload_SOURCES = tests/bench/httpload.c
tests_bench_httpload_LDADD = libclient.la libagent.la libstir.la libbase.la $(CONFUSE_LIBS) \
	$(JOSE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
