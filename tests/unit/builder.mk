# unit tests: builder
UNIT_TESTS += tests/unit/test_credset tests/unit/test_store tests/unit/test_install

BWORLD = tests/unit/bworld.c tests/unit/bworld.h \
	tests/unit/softadmin.c tests/unit/softadmin.h $(PKI)
CRASH = tests/unit/crash.c tests/unit/crash.h
ASKS = tests/unit/asks.c tests/unit/asks.h
CRASH_WRAP = $(AM_LDFLAGS) \
	-Wl,--wrap=renameat,--wrap=fsync,--wrap=fchmod,--wrap=unlinkat
BUILDER_LDADD = libfront.la libagent.la libtokenclient.la $(UNIT_LDADD) $(CONFUSE_LIBS) \
	-lpthread

tests_unit_test_credset_SOURCES = tests/unit/test_credset.c tests/unit/cm.h
tests_unit_test_credset_LDADD = $(BUILDER_LDADD)

tests_unit_test_store_SOURCES = tests/unit/test_store.c $(CRASH) tests/unit/rows.h
tests_unit_test_store_LDADD = $(BUILDER_LDADD)
tests_unit_test_store_LDFLAGS = $(CRASH_WRAP)

tests_unit_test_install_SOURCES = tests/unit/test_install.c $(BWORLD) $(CRASH)
tests_unit_test_install_LDADD = $(BUILDER_LDADD)
tests_unit_test_install_LDFLAGS = $(CRASH_WRAP)

UNIT_TESTS += tests/unit/test_series
tests_unit_test_series_SOURCES = tests/unit/test_series.c $(BWORLD)
tests_unit_test_series_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_acme_ops
tests_unit_test_acme_ops_SOURCES = tests/unit/test_acme_ops.c $(BWORLD)
tests_unit_test_acme_ops_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_alarms
tests_unit_test_alarms_SOURCES = tests/unit/test_alarms.c tests/unit/rows.h $(BWORLD)
tests_unit_test_alarms_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_clockwatch
tests_unit_test_clockwatch_SOURCES = tests/unit/test_clockwatch.c tests/unit/cm.h
tests_unit_test_clockwatch_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_life
tests_unit_test_life_SOURCES = tests/unit/test_life.c tests/unit/rows.h tests/unit/cm.h
tests_unit_test_life_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_lint
tests_unit_test_lint_SOURCES = tests/unit/test_lint.c $(PKI)
tests_unit_test_lint_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_used
tests_unit_test_used_SOURCES = tests/unit/test_used.c $(BWORLD)
tests_unit_test_used_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_load
tests_unit_test_load_SOURCES = tests/unit/test_load.c $(BWORLD)
tests_unit_test_load_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_switches
tests_unit_test_switches_SOURCES = tests/unit/test_switches.c tests/unit/rows.h \
	tests/unit/spec.h $(BWORLD)
tests_unit_test_switches_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_builder
tests_unit_test_builder_SOURCES = tests/unit/test_builder.c $(BWORLD) \
	tests/unit/token_lab.c tests/unit/token_lab.h
tests_unit_test_builder_LDADD = $(BUILDER_LDADD)
EXTRA_tests_unit_test_builder_DEPENDENCIES = vesper-hsm

UNIT_TESTS += tests/unit/test_front
tests_unit_test_front_SOURCES = tests/unit/test_front.c $(BWORLD)
tests_unit_test_front_LDADD = $(BUILDER_LDADD)
tests_unit_test_front_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=originals_verify,--wrap=proof_verify

UNIT_TESTS += tests/unit/test_peers
tests_unit_test_peers_SOURCES = tests/unit/test_peers.c tests/unit/tree.h $(PKI)
tests_unit_test_peers_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_contents
tests_unit_test_contents_SOURCES = tests/unit/test_contents.c $(BWORLD)
tests_unit_test_contents_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_tnlist
tests_unit_test_tnlist_SOURCES = tests/unit/test_tnlist.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_tnlist_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_tnlist_ops
tests_unit_test_tnlist_ops_SOURCES = tests/unit/test_tnlist_ops.c $(BWORLD)
tests_unit_test_tnlist_ops_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_account
tests_unit_test_account_SOURCES = tests/unit/test_account.c $(BWORLD) $(CRASH) $(ASKS) \
	tests/unit/rows.h
tests_unit_test_account_LDADD = $(BUILDER_LDADD)
tests_unit_test_account_LDFLAGS = $(CRASH_WRAP)

UNIT_TESTS += tests/unit/test_revoke
tests_unit_test_revoke_SOURCES = tests/unit/test_revoke.c $(BWORLD) $(CRASH) $(ASKS) \
	tests/unit/rows.h
tests_unit_test_revoke_LDADD = $(BUILDER_LDADD)
tests_unit_test_revoke_LDFLAGS = $(CRASH_WRAP)

UNIT_TESTS += tests/unit/test_reserve
tests_unit_test_reserve_SOURCES = tests/unit/test_reserve.c tests/unit/spec.h $(BWORLD) $(CRASH)
tests_unit_test_reserve_LDADD = $(BUILDER_LDADD)
tests_unit_test_reserve_LDFLAGS = $(CRASH_WRAP)

UNIT_TESTS += tests/unit/test_offboard
tests_unit_test_offboard_SOURCES = tests/unit/test_offboard.c $(BWORLD) $(CRASH) $(ASKS) \
	tests/unit/mutate.h tests/unit/rows.h
tests_unit_test_offboard_LDADD = $(BUILDER_LDADD)
tests_unit_test_offboard_LDFLAGS = $(CRASH_WRAP)

UNIT_TESTS += tests/unit/test_rtu
tests_unit_test_rtu_SOURCES = tests/unit/test_rtu.c $(BWORLD)
tests_unit_test_rtu_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_orphans
tests_unit_test_orphans_SOURCES = tests/unit/test_orphans.c $(BWORLD)
tests_unit_test_orphans_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_ported
tests_unit_test_ported_SOURCES = tests/unit/test_ported.c $(BWORLD)
tests_unit_test_ported_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_numbers
tests_unit_test_numbers_SOURCES = tests/unit/test_numbers.c $(BWORLD) $(CRASH)
tests_unit_test_numbers_LDADD = $(BUILDER_LDADD)
tests_unit_test_numbers_LDFLAGS = $(CRASH_WRAP)

UNIT_TESTS += tests/unit/test_crl_ops
tests_unit_test_crl_ops_SOURCES = tests/unit/test_crl_ops.c $(CRLLAB) $(BWORLD)
tests_unit_test_crl_ops_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_ct_ops
tests_unit_test_ct_ops_SOURCES = tests/unit/test_ct_ops.c $(CTLAB) $(BWORLD)
tests_unit_test_ct_ops_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_trust_ops
tests_unit_test_trust_ops_SOURCES = tests/unit/test_trust_ops.c $(CTLAB) $(BWORLD)
tests_unit_test_trust_ops_LDADD = $(BUILDER_LDADD)

UNIT_TESTS += tests/unit/test_division
tests_unit_test_division_SOURCES = tests/unit/test_division.c $(BWORLD) $(CRASH)
tests_unit_test_division_LDADD = $(BUILDER_LDADD)
tests_unit_test_division_LDFLAGS = $(CRASH_WRAP)
