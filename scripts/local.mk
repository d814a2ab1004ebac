# Lints are tests like any other.
LINTS = scripts/check-layers scripts/check-headers scripts/check-format scripts/check-standards \
	scripts/check-help
LINT_TESTS = tests/lint/test_check_standards.py
TESTS += $(LINTS) $(LINT_TESTS)
EXTRA_DIST += $(LINTS) $(LINT_TESTS) scripts/lib.sh scripts/setup scripts/build scripts/test \
	scripts/tally \
	scripts/ci scripts/under-valgrind scripts/demo scripts/bench scripts/long
AM_TESTS_ENVIRONMENT = top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
	CC='$(CC)' SANITIZER='@with_sanitizer@'; export top_srcdir top_builddir CC SANITIZER;
