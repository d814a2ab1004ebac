# Whole-machine tests: the real roles, SoftHSM, the lab.  Each is a program
# that prints a line a case and exits 0, 1 or 77 (what it needs is not here).
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(PYTHON3)

INTEGRATION_TESTS = \
	tests/integration/test_demo.py \
	tests/integration/test_isolation.py \
	tests/integration/test_routes.py \
	tests/integration/test_reasons.py \
	tests/integration/test_audit.py \
	tests/integration/test_renewal.py \
	tests/integration/test_kill.py

TESTS += $(INTEGRATION_TESTS)
EXTRA_DIST += $(INTEGRATION_TESTS) tests/integration/cases.py tests/integration/audit_check.py \
	tests/world/__init__.py tests/world/http.py tests/world/machine.py tests/world/demo.py tests/world/process.py

# They run one after the other, and after the programs they start are built.
tests/integration/test_isolation.log: tests/integration/test_demo.log
tests/integration/test_routes.log: tests/integration/test_isolation.log
tests/integration/test_reasons.log: tests/integration/test_routes.log
tests/integration/test_audit.log: tests/integration/test_reasons.log
tests/integration/test_renewal.log: tests/integration/test_audit.log
tests/integration/test_kill.log: tests/integration/test_renewal.log
