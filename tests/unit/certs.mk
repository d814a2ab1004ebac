# unit tests: certs
UNIT_TESTS += tests/unit/test_es256

PKI = tests/unit/pki.c tests/unit/pki.h tests/unit/rows.h tests/unit/cm.h

tests_unit_test_es256_SOURCES = tests/unit/test_es256.c $(PKI)
tests_unit_test_es256_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_cert
tests_unit_test_cert_SOURCES = tests/unit/test_cert.c $(PKI)
tests_unit_test_cert_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_encompass
tests_unit_test_encompass_SOURCES = tests/unit/test_encompass.c $(PKI)
tests_unit_test_encompass_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_sct
tests_unit_test_sct_SOURCES = tests/unit/test_sct.c tests/unit/vectors_sct.h $(PKI)
tests_unit_test_sct_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_csr
tests_unit_test_csr_SOURCES = tests/unit/test_csr.c $(PKI)
tests_unit_test_csr_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_authtoken
tests_unit_test_authtoken_SOURCES = tests/unit/test_authtoken.c $(PKI)
tests_unit_test_authtoken_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_gate_table
tests_unit_test_gate_table_SOURCES = tests/unit/test_gate_table.c $(PKI) $(VALUES_H)
tests_unit_test_gate_table_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_original
tests_unit_test_original_SOURCES = tests/unit/test_original.c $(PKI) $(VALUES_H)
tests_unit_test_original_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_verify
tests_unit_test_verify_SOURCES = tests/unit/test_verify.c $(PKI)
tests_unit_test_verify_LDADD = $(UNIT_LDADD)

CTLAB = tests/unit/ctlab.c tests/unit/ctlab.h

CRLLAB = tests/unit/crllab.c tests/unit/crllab.h

UNIT_TESTS += tests/unit/test_crl
tests_unit_test_crl_SOURCES = tests/unit/test_crl.c tests/unit/mutate.h $(CRLLAB) $(PKI)
tests_unit_test_crl_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_merkle
tests_unit_test_merkle_SOURCES = tests/unit/test_merkle.c tests/unit/mutate.h tests/unit/cm.h
tests_unit_test_merkle_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_sth
tests_unit_test_sth_SOURCES = tests/unit/test_sth.c tests/unit/mutate.h $(CTLAB) $(PKI)
tests_unit_test_sth_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_stilist
tests_unit_test_stilist_SOURCES = tests/unit/test_stilist.c tests/unit/mutate.h $(PKI)
tests_unit_test_stilist_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_loglist
tests_unit_test_loglist_SOURCES = tests/unit/test_loglist.c tests/unit/mutate.h $(CTLAB) $(PKI)
tests_unit_test_loglist_LDADD = $(UNIT_LDADD)

UNIT_TESTS += tests/unit/test_ctentry
tests_unit_test_ctentry_SOURCES = tests/unit/test_ctentry.c tests/unit/mutate.h $(PKI)
tests_unit_test_ctentry_LDADD = $(UNIT_LDADD)
