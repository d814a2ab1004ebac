# Fuzz targets.  With --with-fuzzer they are libFuzzer programs; otherwise
# replay.c replays the corpus and mutations of it in "make check".
FUZZ_TARGETS = \
	tests/fuzz/fuzz_jtext tests/fuzz/fuzz_tnauth tests/fuzz/fuzz_constraints \
	tests/fuzz/fuzz_identity tests/fuzz/fuzz_chain tests/fuzz/fuzz_jws \
	tests/fuzz/fuzz_sct tests/fuzz/fuzz_csr tests/fuzz/fuzz_passport
FUZZ_LDADD = $(UNIT_LDADD) $(FUZZ_LDFLAGS)

if FUZZER
FUZZ_MAIN = tests/fuzz/fuzz.h
else
FUZZ_MAIN = tests/fuzz/fuzz.h tests/fuzz/replay.c
endif

tests_fuzz_fuzz_jtext_SOURCES = tests/fuzz/fuzz_jtext.c $(FUZZ_MAIN)
tests_fuzz_fuzz_tnauth_SOURCES = tests/fuzz/fuzz_tnauth.c $(FUZZ_MAIN)
tests_fuzz_fuzz_constraints_SOURCES = tests/fuzz/fuzz_constraints.c $(FUZZ_MAIN)
tests_fuzz_fuzz_identity_SOURCES = tests/fuzz/fuzz_identity.c $(FUZZ_MAIN)
tests_fuzz_fuzz_chain_SOURCES = tests/fuzz/fuzz_chain.c $(FUZZ_MAIN)
tests_fuzz_fuzz_jws_SOURCES = tests/fuzz/fuzz_jws.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sct_SOURCES = tests/fuzz/fuzz_sct.c $(FUZZ_MAIN)
tests_fuzz_fuzz_csr_SOURCES = tests/fuzz/fuzz_csr.c $(FUZZ_MAIN)
tests_fuzz_fuzz_passport_SOURCES = tests/fuzz/fuzz_passport.c $(FUZZ_MAIN)

tests_fuzz_fuzz_jtext_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_tnauth_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_constraints_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_identity_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_chain_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_jws_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_sct_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_csr_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_passport_LDADD = $(FUZZ_LDADD)

check_PROGRAMS += $(FUZZ_TARGETS)
if !FUZZER
TESTS += $(FUZZ_TARGETS)
endif
EXTRA_DIST += tests/fuzz/corpus

fuzz-programs: $(FUZZ_TARGETS)
.PHONY: fuzz-programs
