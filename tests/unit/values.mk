# unit tests: values
UNIT_TESTS += tests/unit/test_base

tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/cm.h
tests_unit_test_base_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_tn
tests_unit_test_tn_SOURCES = tests/unit/test_tn.c tests/unit/cm.h tests/unit/mutate.h tests/unit/rows.h
tests_unit_test_tn_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_tnset
tests_unit_test_tnset_SOURCES = tests/unit/test_tnset.c tests/unit/cm.h tests/unit/mutate.h tests/unit/rows.h
tests_unit_test_tnset_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_tnauth
tests_unit_test_tnauth_SOURCES = tests/unit/test_tnauth.c tests/unit/cm.h tests/unit/mutate.h tests/unit/rows.h
tests_unit_test_tnauth_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_jtext
tests_unit_test_jtext_SOURCES = tests/unit/test_jtext.c tests/unit/cm.h tests/unit/mutate.h tests/unit/rows.h
tests_unit_test_jtext_LDADD = $(UNIT_LDADD)

# The sync of a disk that fails is the one thing that no real disk does on demand.
UNIT_TESTS += tests/unit/test_audit
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c tests/unit/cm.h tests/unit/mutate.h tests/unit/rows.h \
	agent/front/audit.c agent/front/audit.h \
	agent/front/auditchain.c agent/front/auditchain.h
tests_unit_test_audit_CFLAGS = $(AM_CFLAGS)
tests_unit_test_audit_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fdatasync
tests_unit_test_audit_LDADD = $(UNIT_LDADD)
