# unit tests: client
UNIT_TESTS += tests/unit/test_client
tests_unit_test_client_SOURCES = tests/unit/test_client.c tests/unit/rows.h tests/unit/cm.h
tests_unit_test_client_LDADD = libclient.la libagent.la $(UNIT_LDADD) $(CONFUSE_LIBS)

UNIT_TESTS += tests/unit/test_cli
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c $(PKI)
tests_unit_test_cli_LDADD = libclient.la libagent.la $(UNIT_LDADD) $(CONFUSE_LIBS)
EXTRA_tests_unit_test_cli_DEPENDENCIES = vesper
