# unit tests: config, channel, role, secret, supervisor
UNIT_TESTS += tests/unit/test_config tests/unit/test_channel tests/unit/test_supervisor

AGENT_LDADD = libagent.la $(UNIT_LDADD) $(CONFUSE_LIBS)

tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/unit/cm.h
tests_unit_test_config_LDADD = $(AGENT_LDADD)

UNIT_TESTS += tests/unit/test_shards
tests_unit_test_shards_SOURCES = tests/unit/test_shards.c $(VALUES_H)
tests_unit_test_shards_LDADD = $(AGENT_LDADD)

# A real vesperd runs stand-ins for the other programs.
check_PROGRAMS += tests/unit/role_standin
tests_unit_role_standin_SOURCES = tests/unit/role_standin.c
tests_unit_role_standin_LDADD = libagent.la libbase.la $(JANSSON_LIBS) $(CRYPTO_LIBS)

tests_unit_test_supervisor_SOURCES = tests/unit/test_supervisor.c tests/unit/cm.h \
	tests/unit/pki.c tests/unit/pki.h
tests_unit_test_supervisor_LDADD = libsupervisor.la $(AGENT_LDADD)

tests_unit_test_channel_SOURCES = tests/unit/test_channel.c tests/unit/cm.h
tests_unit_test_channel_LDADD = $(AGENT_LDADD)

UNIT_TESTS += tests/unit/test_hook
tests_unit_test_hook_SOURCES = tests/unit/test_hook.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_hook_LDADD = libsupervisor.la $(AGENT_LDADD)
EXTRA_tests_unit_test_hook_DEPENDENCIES = vesper-hook
