# unit tests: values
UNIT_TESTS += tests/unit/test_base

tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/cm.h
tests_unit_test_base_LDADD = $(UNIT_LDADD)
