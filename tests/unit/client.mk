# unit tests: client
SCRIPTED = tests/unit/scripted.c tests/unit/scripted.h tests/unit/rows.h tests/unit/cm.h
UNIT_TESTS += tests/unit/test_client
tests_unit_test_client_SOURCES = tests/unit/test_client.c $(SCRIPTED)
tests_unit_test_client_LDADD = libclient.la libagent.la $(UNIT_LDADD) $(CONFUSE_LIBS) $(JOSE_LIBS)

UNIT_TESTS += tests/unit/test_cli
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c $(PKI) $(SCRIPTED)
tests_unit_test_cli_LDADD = libclient.la libagent.la $(UNIT_LDADD) $(CONFUSE_LIBS) $(JOSE_LIBS)
EXTRA_tests_unit_test_cli_DEPENDENCIES = vesper
