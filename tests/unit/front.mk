# unit tests: front
FRONT_LDADD = libfront.la libagent.la libtokenclient.la $(UNIT_LDADD) $(CONFUSE_LIBS)

UNIT_TESTS += tests/unit/test_http1
tests_unit_test_http1_SOURCES = tests/unit/test_http1.c tests/unit/cm.h
tests_unit_test_http1_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_hsm
tests_unit_test_hsm_SOURCES = tests/unit/test_hsm.c tests/unit/cm.h
tests_unit_test_hsm_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_decide
tests_unit_test_decide_SOURCES = tests/unit/test_decide.c tests/unit/spec.h $(PKI)
tests_unit_test_decide_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_policy
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_policy_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_reach
tests_unit_test_reach_SOURCES = tests/unit/test_reach.c tests/unit/cm.h
tests_unit_test_reach_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_proof
tests_unit_test_proof_SOURCES = tests/unit/test_proof.c $(PKI)
tests_unit_test_proof_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_conn
tests_unit_test_conn_SOURCES = tests/unit/test_conn.c tests/unit/cm.h
tests_unit_test_conn_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_replay
tests_unit_test_replay_SOURCES = tests/unit/test_replay.c tests/unit/rows.h tests/unit/cm.h
tests_unit_test_replay_LDADD = $(FRONT_LDADD)

UNIT_TESTS += tests/unit/test_verifier
tests_unit_test_verifier_SOURCES = tests/unit/test_verifier.c tests/unit/spec.h $(PKI)
tests_unit_test_verifier_LDADD = $(FRONT_LDADD)
tests_unit_test_verifier_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=originals_verify,--wrap=es256_verify
