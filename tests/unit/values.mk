# unit tests: values
UNIT_TESTS += tests/unit/test_uri
tests_unit_test_uri_SOURCES = tests/unit/test_uri.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_uri_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_text
tests_unit_test_text_SOURCES = tests/unit/test_text.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_text_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_base

tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/cm.h
tests_unit_test_base_LDADD = $(UNIT_LDADD)

VALUES_H = tests/unit/cm.h tests/unit/mutate.h tests/unit/rows.h tests/unit/spec.h

UNIT_TESTS += tests/unit/test_tn
tests_unit_test_tn_SOURCES = tests/unit/test_tn.c $(VALUES_H)
tests_unit_test_tn_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_tnset
tests_unit_test_tnset_SOURCES = tests/unit/test_tnset.c $(VALUES_H)
tests_unit_test_tnset_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_tnauth
tests_unit_test_tnauth_SOURCES = tests/unit/test_tnauth.c $(VALUES_H)
tests_unit_test_tnauth_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_jtext
tests_unit_test_jtext_SOURCES = tests/unit/test_jtext.c $(VALUES_H)
tests_unit_test_jtext_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_jgrammar
tests_unit_test_jgrammar_SOURCES = tests/unit/test_jgrammar.c $(VALUES_H)
tests_unit_test_jgrammar_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_jpointer
tests_unit_test_jpointer_SOURCES = tests/unit/test_jpointer.c $(VALUES_H)
tests_unit_test_jpointer_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_constraints
tests_unit_test_constraints_SOURCES = tests/unit/test_constraints.c $(VALUES_H)
tests_unit_test_constraints_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_privacy
tests_unit_test_privacy_SOURCES = tests/unit/test_privacy.c $(VALUES_H)
tests_unit_test_privacy_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_vper
tests_unit_test_vper_SOURCES = tests/unit/test_vper.c $(VALUES_H)
tests_unit_test_vper_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_ppt
tests_unit_test_ppt_SOURCES = tests/unit/test_ppt.c $(VALUES_H)
tests_unit_test_ppt_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_profile
tests_unit_test_profile_SOURCES = tests/unit/test_profile.c $(VALUES_H)
tests_unit_test_profile_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_rcd
tests_unit_test_rcd_SOURCES = tests/unit/test_rcd.c $(VALUES_H)
tests_unit_test_rcd_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_passport
tests_unit_test_passport_SOURCES = tests/unit/test_passport.c $(VALUES_H)
tests_unit_test_passport_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_identity
tests_unit_test_identity_SOURCES = tests/unit/test_identity.c $(VALUES_H)
tests_unit_test_identity_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_gate
tests_unit_test_gate_SOURCES = tests/unit/test_gate.c $(VALUES_H)
tests_unit_test_gate_LDADD = $(UNIT_LDADD)

# The sync of a disk that fails is the one thing that no real disk does on demand.
UNIT_TESTS += tests/unit/test_audit
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c $(VALUES_H) \
	agent/front/audit.c agent/front/audit.h \
	agent/front/auditchain.c agent/front/auditchain.h \
	agent/front/auditfile.c agent/front/auditfile.h \
	agent/front/auditspool.c agent/front/auditspool.h \
	agent/front/store.c agent/front/store.h agent/log.c agent/log.h
tests_unit_test_audit_CFLAGS = $(AM_CFLAGS)
tests_unit_test_audit_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fdatasync -Wl,--wrap=unlinkat
tests_unit_test_audit_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_auditspool
tests_unit_test_auditspool_SOURCES = tests/unit/test_auditspool.c $(VALUES_H) \
	agent/front/auditchain.c agent/front/auditchain.h \
	agent/front/auditfile.c agent/front/auditfile.h \
	agent/front/auditspool.c agent/front/auditspool.h \
	agent/front/store.c agent/front/store.h
tests_unit_test_auditspool_CFLAGS = $(AM_CFLAGS)
tests_unit_test_auditspool_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fdatasync
tests_unit_test_auditspool_LDADD = $(UNIT_LDADD)
