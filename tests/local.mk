# Unit tests: one program per module, tests/unit/test_<module>.c.
UNIT_LDADD = libstir.la libbase.la $(JANSSON_LIBS) $(CRYPTO_LIBS) $(CMOCKA_LIBS)

include $(top_srcdir)/tests/unit/values.mk
include $(top_srcdir)/tests/unit/certs.mk
include $(top_srcdir)/tests/unit/token.mk
include $(top_srcdir)/tests/unit/config.mk
include $(top_srcdir)/tests/unit/front.mk
include $(top_srcdir)/tests/unit/builder.mk
include $(top_srcdir)/tests/unit/renewer.mk
include $(top_srcdir)/tests/unit/client.mk
include $(top_srcdir)/tests/fault/local.mk
include $(top_srcdir)/tests/bench/local.mk
include $(top_srcdir)/tests/fuzz/local.mk
include $(top_srcdir)/tests/oracle/local.mk
include $(top_srcdir)/tests/integration/local.mk

check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)

# For scripts/ci, which runs these alone under TSan and valgrind.
print-unit-tests:
	@echo $(UNIT_TESTS)
print-integration-tests:
	@echo $(INTEGRATION_TESTS)
.PHONY: print-unit-tests print-integration-tests
