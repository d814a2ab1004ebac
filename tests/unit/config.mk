# unit tests: config, channel, role, secret, supervisor
UNIT_TESTS += tests/unit/test_config

AGENT_LDADD = libagent.la $(UNIT_LDADD) $(CONFUSE_LIBS)

tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/unit/cm.h
tests_unit_test_config_LDADD = $(AGENT_LDADD)
