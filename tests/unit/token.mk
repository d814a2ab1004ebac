# unit tests: token
TOKEN_LDADD = libtoken.la libtokenclient.la libbase.la $(CRYPTO_LIBS) $(CMOCKA_LIBS) -lpthread -ldl

EXTRA_DIST += tests/unit/tree.h

UNIT_TESTS += tests/unit/test_frame tests/unit/test_p11rc tests/unit/test_provider \
	tests/unit/test_p11start tests/unit/test_p11hsm tests/unit/test_p11fault

tests_unit_test_p11hsm_SOURCES = tests/unit/test_p11hsm.c \
	tests/unit/token_lab.c tests/unit/token_lab.h tests/unit/cm.h
tests_unit_test_p11hsm_LDADD = $(TOKEN_LDADD)
EXTRA_tests_unit_test_p11hsm_DEPENDENCIES = vesper-hsm

tests_unit_test_provider_SOURCES = tests/unit/test_provider.c tests/unit/cm.h
tests_unit_test_provider_LDADD = $(TOKEN_LDADD)

tests_unit_test_p11fault_SOURCES = tests/unit/test_p11fault.c \
	tests/unit/token_lab.c tests/unit/token_lab.h tests/unit/cm.h
tests_unit_test_p11fault_LDADD = $(TOKEN_LDADD)
EXTRA_tests_unit_test_p11fault_DEPENDENCIES = vesper-hsm tests/fault/p11fault.la

tests_unit_test_p11start_SOURCES = tests/unit/test_p11start.c \
	tests/unit/token_lab.c tests/unit/token_lab.h tests/unit/cm.h
tests_unit_test_p11start_LDADD = $(TOKEN_LDADD)
EXTRA_tests_unit_test_p11start_DEPENDENCIES = vesper-hsm

tests_unit_test_frame_SOURCES = tests/unit/test_frame.c tests/unit/cm.h
tests_unit_test_frame_LDADD = $(TOKEN_LDADD)

tests_unit_test_p11rc_SOURCES = tests/unit/test_p11rc.c tests/unit/cm.h
tests_unit_test_p11rc_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS)
tests_unit_test_p11rc_LDADD = libprovision.la $(TOKEN_LDADD) $(P11KIT_LIBS)

UNIT_TESTS += tests/unit/test_softhsm
tests_unit_test_softhsm_SOURCES = tests/unit/test_softhsm.c \
	tests/unit/token_lab.c tests/unit/token_lab.h tests/unit/cm.h
tests_unit_test_softhsm_LDADD = $(TOKEN_LDADD)
EXTRA_tests_unit_test_softhsm_DEPENDENCIES = vesper-hsm

UNIT_TESTS += tests/unit/test_processor
tests_unit_test_processor_SOURCES = \
	tests/unit/test_processor.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_processor_LDADD = libtoken.la $(TOKEN_LDADD)

UNIT_TESTS += tests/unit/test_pin
tests_unit_test_pin_SOURCES = tests/unit/test_pin.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_pin_LDADD = $(TOKEN_LDADD)

UNIT_TESTS += tests/unit/test_label
tests_unit_test_label_SOURCES = tests/unit/test_label.c tests/unit/cm.h tests/unit/rows.h
tests_unit_test_label_LDADD = libprovision.la $(TOKEN_LDADD)
