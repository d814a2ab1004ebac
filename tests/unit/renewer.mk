# unit tests: renewer
UNIT_TESTS += \
	tests/unit/test_address \
	tests/unit/test_ari \
	tests/unit/test_ask \
	tests/unit/test_authtok \
	tests/unit/test_domain \
	tests/unit/test_schedule \
	tests/unit/test_problem \
	tests/unit/test_eab \
	tests/unit/test_httpc \
	tests/unit/test_observe \
	tests/unit/test_record \
	tests/unit/test_renew

RENEWER_LDADD = librenewer.la libagent.la $(UNIT_LDADD) $(CURL_LIBS) $(CONFUSE_LIBS)

tests_unit_test_ari_SOURCES = tests/unit/test_ari.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_ari_LDADD = $(RENEWER_LDADD)
tests_unit_test_ask_SOURCES = tests/unit/test_ask.c tests/unit/cm.h
tests_unit_test_ask_LDADD = $(RENEWER_LDADD)
tests_unit_test_authtok_SOURCES = tests/unit/test_authtok.c $(PKI)
tests_unit_test_authtok_LDADD = $(RENEWER_LDADD)
tests_unit_test_domain_SOURCES = tests/unit/test_domain.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_domain_LDADD = $(RENEWER_LDADD)
tests_unit_test_schedule_SOURCES = tests/unit/test_schedule.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_schedule_LDADD = $(RENEWER_LDADD)
tests_unit_test_problem_SOURCES = tests/unit/test_problem.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_problem_LDADD = $(RENEWER_LDADD)
tests_unit_test_eab_SOURCES = tests/unit/test_eab.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_eab_LDADD = $(RENEWER_LDADD)
tests_unit_test_address_SOURCES = tests/unit/test_address.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_address_LDADD = $(RENEWER_LDADD)
tests_unit_test_httpc_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tests_unit_test_httpc_SOURCES = tests/unit/test_httpc.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_httpc_LDADD = $(RENEWER_LDADD)
tests_unit_test_observe_SOURCES = tests/unit/test_observe.c tests/unit/mutate.h tests/unit/cm.h
tests_unit_test_observe_LDADD = $(RENEWER_LDADD)
tests_unit_test_record_SOURCES = tests/unit/test_record.c tests/unit/mutate.h tests/unit/cm.h
tests_unit_test_record_LDADD = $(RENEWER_LDADD)
tests_unit_test_renew_SOURCES = tests/unit/test_renew.c tests/unit/renew_world.c \
	tests/unit/renew_world.h $(PKI)
tests_unit_test_renew_LDADD = $(RENEWER_LDADD)

# The renewer against the lab, with a front of software keys.
TESTS += tests/integration/test_renewer.py
EXTRA_DIST += tests/integration/test_renewer.py tests/integration/renewer_front.py

UNIT_TESTS += tests/unit/test_lists
tests_unit_test_lists_SOURCES = tests/unit/test_lists.c tests/unit/mutate.h
tests_unit_test_lists_LDADD = $(RENEWER_LDADD)

UNIT_TESTS += tests/unit/test_documents
tests_unit_test_documents_SOURCES = tests/unit/test_documents.c tests/unit/mutate.h
tests_unit_test_documents_LDADD = $(RENEWER_LDADD)

UNIT_TESTS += tests/unit/test_runner
tests_unit_test_runner_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tests_unit_test_runner_SOURCES = tests/unit/test_runner.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_runner_LDADD = $(RENEWER_LDADD)

UNIT_TESTS += tests/unit/test_day
tests_unit_test_day_SOURCES = tests/unit/test_day.c tests/unit/cm.h
tests_unit_test_day_LDADD = $(RENEWER_LDADD)
