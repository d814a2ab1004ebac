# Whole-machine tests: the real roles, SoftHSM, the lab.  Each is a program
# that prints a line a case and exits 0, 1 or 77 (what it needs is not here).
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(PYTHON3) -u

INTEGRATION_TESTS = \
	tests/lab/test_lab.py \
	tests/integration/test_disclosure.py \
	tests/integration/test_demo.py \
	tests/integration/test_isolation.py \
	tests/integration/test_routes.py \
	tests/integration/test_reasons.py \
	tests/integration/test_calls.py \
	tests/integration/test_flood.py \
	tests/integration/test_authority.py \
	tests/integration/test_rcd.py \
	tests/integration/test_types.py \
	tests/integration/test_replay.py \
	tests/integration/test_audit.py \
	tests/integration/test_enrol.py \
	tests/integration/test_account.py \
	tests/integration/test_pebble.py \
	tests/integration/test_renewal.py \
	tests/integration/test_transparency.py \
	tests/integration/test_porting.py \
	tests/integration/test_refused.py \
	tests/integration/test_series.py \
	tests/integration/test_softokn.py \
	tests/integration/test_hsm.py \
	tests/integration/test_faults.py \
	tests/integration/test_tokens.py \
	tests/integration/test_kill.py \
	tests/integration/test_steps.py \
	tests/integration/test_host.py \
	tests/integration/test_soak.py

# A variable of its own, so that distcheck can run fewer than it ships.
INTEGRATION_RUN = $(INTEGRATION_TESTS)
TESTS += $(INTEGRATION_RUN)
EXTRA_DIST += $(INTEGRATION_TESTS) tests/integration/cases.py tests/integration/audit_check.py \
	tests/integration/odd_parties.py tests/integration/signed.py tests/integration/soak_watch.py \
	tests/integration/rights.py \
	tests/world/__init__.py tests/world/unixhttp.py tests/world/machine.py tests/world/demo.py \
	tests/world/process.py tests/world/inside.py tests/world/faults.py tests/world/steps.py

# The lab, and its own tests, which come first: everything below leans on it.
LAB_FILES = \
	tests/lab/lab \
	tests/lab/lab-example.json \
	tests/lab/lab.py \
	tests/lab/stirlab/__init__.py \
	tests/lab/stirlab/acme.py \
	tests/lab/stirlab/authority.py \
	tests/lab/stirlab/calls.py \
	tests/lab/stirlab/certificates.py \
	tests/lab/stirlab/client.py \
	tests/lab/stirlab/config.py \
	tests/lab/stirlab/constraints.py \
	tests/lab/stirlab/control.py \
	tests/lab/stirlab/ctlog.py \
	tests/lab/stirlab/der.py \
	tests/lab/stirlab/faults.py \
	tests/lab/stirlab/grants.py \
	tests/lab/stirlab/issue.py \
	tests/lab/stirlab/jose.py \
	tests/lab/stirlab/merkle.py \
	tests/lab/stirlab/notary.py \
	tests/lab/stirlab/orders.py \
	tests/lab/stirlab/pki.py \
	tests/lab/stirlab/repository.py \
	tests/lab/stirlab/runner.py \
	tests/lab/stirlab/sct.py \
	tests/lab/stirlab/star.py \
	tests/lab/stirlab/store.py \
	tests/lab/stirlab/tnauth.py \
	tests/lab/stirlab/validation.py \
	tests/lab/stirlab/verifier/__init__.py \
	tests/lab/stirlab/verifier/claims.py \
	tests/lab/stirlab/verifier/passport.py \
	tests/lab/stirlab/verifier/path.py \
	tests/lab/stirlab/verifier/service.py \
	tests/lab/stirlab/verifier/transparency.py \
	tests/lab/stirlab/weather.py \
	tests/lab/stirlab/web.py \
	tests/lab/deskca.py \
	tests/lab/verify.py \
	tests/lab/wrong_requests.py
EXTRA_DIST += $(LAB_FILES)

# What the programs of these need beside all.
tests/integration/test_disclosure.log: vesper
tests/integration/test_hsm.log tests/integration/test_faults.log: tests/fault/p11fault.la
tests/integration/test_tokens.log: tests/fault/p11fault.la
tests/integration/test_steps.log tests/integration/test_host.log: tests/fault/stepfault.la

# Two at a time: one of those that mostly wait, for lives to end and ladders to go on, beside
# one of those that are kept busy and measure.  In both rows one after the other.
WAITING_TESTS = \
	tests/integration/test_enrol.py \
	tests/integration/test_account.py \
	tests/integration/test_pebble.py \
	tests/integration/test_renewer.py \
	tests/integration/test_renewal.py \
	tests/integration/test_transparency.py \
	tests/integration/test_refused.py \
	tests/integration/test_series.py
EXTRA_DIST += tests/integration/order.mk
-include $(top_srcdir)/tests/integration/order.mk
