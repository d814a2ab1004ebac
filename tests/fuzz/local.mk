# Fuzz targets.  With --with-fuzzer they are libFuzzer programs; otherwise
# replay.c replays the corpus and mutations of it in "make check".
FUZZ_TARGETS = \
	tests/fuzz/fuzz_jtext tests/fuzz/fuzz_tnauth tests/fuzz/fuzz_constraints \
	tests/fuzz/fuzz_identity tests/fuzz/fuzz_chain tests/fuzz/fuzz_jws \
	tests/fuzz/fuzz_sct tests/fuzz/fuzz_csr tests/fuzz/fuzz_passport \
	tests/fuzz/fuzz_gate tests/fuzz/fuzz_decide tests/fuzz/fuzz_original tests/fuzz/fuzz_rcd tests/fuzz/fuzz_verify \
	tests/fuzz/fuzz_http1 tests/fuzz/fuzz_native tests/fuzz/fuzz_calls tests/fuzz/fuzz_atis \
	tests/fuzz/fuzz_audit tests/fuzz/fuzz_auditspool tests/fuzz/fuzz_frames tests/fuzz/fuzz_channel \
	tests/fuzz/fuzz_config tests/fuzz/fuzz_problem tests/fuzz/fuzz_record \
	tests/fuzz/fuzz_acme tests/fuzz/fuzz_answer tests/fuzz/fuzz_ops \
	tests/fuzz/fuzz_privacy tests/fuzz/fuzz_disclosure \
	tests/fuzz/fuzz_proof tests/fuzz/fuzz_replay tests/fuzz/fuzz_ctentry tests/fuzz/fuzz_sth tests/fuzz/fuzz_loglist \
	tests/fuzz/fuzz_stilist \
	tests/fuzz/fuzz_crl \
	tests/fuzz/fuzz_tnlist tests/fuzz/fuzz_uri
FUZZ_LDADD = $(UNIT_LDADD) $(FUZZ_LDFLAGS)
FUZZ_FRONT_LDADD = $(FRONT_LDADD) $(FUZZ_LDFLAGS)
FUZZ_RENEWER_LDADD = $(RENEWER_LDADD) $(FUZZ_LDFLAGS)

if FUZZER
FUZZ_MAIN = tests/fuzz/fuzz.h
else
FUZZ_MAIN = tests/fuzz/fuzz.h tests/fuzz/replay.c
endif

FUZZ_SIGNED = tests/fuzz/signed.h tests/fuzz/signed_world.h

tests_fuzz_fuzz_jtext_SOURCES = tests/fuzz/fuzz_jtext.c $(FUZZ_MAIN)
tests_fuzz_fuzz_tnauth_SOURCES = tests/fuzz/fuzz_tnauth.c $(FUZZ_MAIN)
tests_fuzz_fuzz_constraints_SOURCES = tests/fuzz/fuzz_constraints.c $(FUZZ_MAIN)
tests_fuzz_fuzz_identity_SOURCES = tests/fuzz/fuzz_identity.c $(FUZZ_MAIN)
tests_fuzz_fuzz_chain_SOURCES = tests/fuzz/fuzz_chain.c $(FUZZ_MAIN)
tests_fuzz_fuzz_jws_SOURCES = tests/fuzz/fuzz_jws.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sct_SOURCES = tests/fuzz/fuzz_sct.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ctentry_SOURCES = tests/fuzz/fuzz_ctentry.c $(FUZZ_MAIN)
tests_fuzz_fuzz_stilist_SOURCES = tests/fuzz/fuzz_stilist.c $(FUZZ_MAIN)
tests_fuzz_fuzz_loglist_SOURCES = tests/fuzz/fuzz_loglist.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sth_SOURCES = tests/fuzz/fuzz_sth.c $(FUZZ_MAIN)
tests_fuzz_fuzz_crl_SOURCES = tests/fuzz/fuzz_crl.c $(FUZZ_MAIN)
tests_fuzz_fuzz_csr_SOURCES = tests/fuzz/fuzz_csr.c $(FUZZ_MAIN)
tests_fuzz_fuzz_passport_SOURCES = tests/fuzz/fuzz_passport.c $(FUZZ_MAIN)
tests_fuzz_fuzz_gate_SOURCES = tests/fuzz/fuzz_gate.c $(FUZZ_MAIN)
tests_fuzz_fuzz_decide_SOURCES = tests/fuzz/fuzz_decide.c tests/fuzz/home.c \
	tests/fuzz/home.h tests/fuzz/asked_native.c tests/fuzz/asked_atis.c \
	tests/fuzz/asked.h tests/unit/spec.h $(PKI) $(FUZZ_MAIN)
tests_fuzz_fuzz_replay_SOURCES = tests/fuzz/fuzz_replay.c tests/fuzz/home.c \
	tests/fuzz/home.h tests/fuzz/asked_native.c \
	tests/fuzz/asked.h tests/unit/spec.h $(PKI) $(FUZZ_MAIN)
tests_fuzz_fuzz_rcd_SOURCES = tests/fuzz/fuzz_rcd.c $(FUZZ_MAIN)
tests_fuzz_fuzz_original_SOURCES = tests/fuzz/fuzz_original.c $(FUZZ_MAIN)
tests_fuzz_fuzz_verify_SOURCES = tests/fuzz/fuzz_verify.c $(FUZZ_SIGNED) $(FUZZ_MAIN)
tests_fuzz_fuzz_proof_SOURCES = tests/fuzz/fuzz_proof.c $(FUZZ_SIGNED) $(FUZZ_MAIN)
tests_fuzz_fuzz_tnlist_SOURCES = tests/fuzz/fuzz_tnlist.c \
	tests/fuzz/scratch.c tests/fuzz/scratch.h $(FUZZ_MAIN)
tests_fuzz_fuzz_uri_SOURCES = tests/fuzz/fuzz_uri.c $(FUZZ_MAIN)
tests_fuzz_fuzz_http1_SOURCES = tests/fuzz/fuzz_http1.c $(FUZZ_MAIN)
tests_fuzz_fuzz_native_SOURCES = tests/fuzz/fuzz_native.c $(FUZZ_MAIN)
tests_fuzz_fuzz_calls_SOURCES = tests/fuzz/fuzz_calls.c tests/fuzz/home.c \
	tests/fuzz/home.h tests/fuzz/asked_calls.c \
	tests/fuzz/asked.h tests/unit/spec.h $(PKI) $(FUZZ_MAIN)
tests_fuzz_fuzz_atis_SOURCES = tests/fuzz/fuzz_atis.c $(FUZZ_MAIN)
tests_fuzz_fuzz_audit_SOURCES = tests/fuzz/fuzz_audit.c $(FUZZ_MAIN)
tests_fuzz_fuzz_auditspool_SOURCES = tests/fuzz/fuzz_auditspool.c $(FUZZ_MAIN)
tests_fuzz_fuzz_frames_SOURCES = tests/fuzz/fuzz_frames.c $(FUZZ_MAIN)
tests_fuzz_fuzz_channel_SOURCES = tests/fuzz/fuzz_channel.c $(FUZZ_MAIN)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c \
	tests/fuzz/scratch.c tests/fuzz/scratch.h $(FUZZ_MAIN)
tests_fuzz_fuzz_problem_SOURCES = tests/fuzz/fuzz_problem.c $(FUZZ_MAIN)
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_acme_SOURCES = tests/fuzz/fuzz_acme.c tests/unit/renew_world.c \
	tests/unit/renew_world.h $(PKI) $(FUZZ_MAIN)
tests_fuzz_fuzz_acme_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fsync
tests_fuzz_fuzz_ops_SOURCES = tests/fuzz/fuzz_ops.c $(BWORLD) $(FUZZ_MAIN)
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c $(FUZZ_MAIN)

tests_fuzz_fuzz_privacy_SOURCES = tests/fuzz/fuzz_privacy.c $(FUZZ_MAIN)
tests_fuzz_fuzz_disclosure_SOURCES = tests/fuzz/fuzz_disclosure.c $(FUZZ_MAIN)

tests_fuzz_fuzz_privacy_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_disclosure_LDADD = libclient.la libagent.la $(FUZZ_LDADD) $(CONFUSE_LIBS) $(JOSE_LIBS)
tests_fuzz_fuzz_jtext_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_crl_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_tnauth_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_constraints_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_identity_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_chain_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_jws_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_sct_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_ctentry_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_stilist_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_loglist_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_sth_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_csr_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_passport_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_gate_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_decide_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_replay_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_rcd_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_original_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_verify_LDADD = $(FUZZ_LDADD)
tests_fuzz_fuzz_proof_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_tnlist_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_uri_LDADD = libprovision.la $(TOKEN_LDADD) $(FUZZ_LDFLAGS) $(P11KIT_LIBS)
tests_fuzz_fuzz_http1_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_native_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_calls_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_atis_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_audit_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_auditspool_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_frames_LDADD = libtoken.la libtokenclient.la $(FUZZ_LDADD) -lpthread -ldl
tests_fuzz_fuzz_channel_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_config_LDADD = $(FUZZ_FRONT_LDADD)
tests_fuzz_fuzz_problem_LDADD = $(FUZZ_RENEWER_LDADD)
tests_fuzz_fuzz_record_LDADD = $(FUZZ_RENEWER_LDADD)
tests_fuzz_fuzz_acme_LDADD = $(FUZZ_RENEWER_LDADD)
tests_fuzz_fuzz_ops_LDADD = $(BUILDER_LDADD) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_answer_LDADD = libclient.la $(FUZZ_LDADD) $(JOSE_LIBS)

check_PROGRAMS += $(FUZZ_TARGETS)
if !FUZZER
TESTS += $(FUZZ_TARGETS)
endif
EXTRA_DIST += tests/fuzz/corpus

# Makes seeds with signatures; run by hand.
check_PROGRAMS += tests/fuzz/make_signed
tests_fuzz_make_signed_SOURCES = tests/fuzz/make_signed.c tests/unit/spec.h $(PKI)
tests_fuzz_make_signed_LDADD = $(UNIT_LDADD)

fuzz-programs: $(FUZZ_TARGETS)
.PHONY: fuzz-programs
