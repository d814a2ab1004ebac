# A PKCS#11 module that fails on demand, for vesper-hsm to load; never installed.
check_LTLIBRARIES = tests/fault/p11fault.la
tests_fault_p11fault_la_SOURCES = tests/fault/p11fault.c tests/fault/rules.c tests/fault/rules.h \
	tests/fault/handles.c tests/fault/handles.h tests/fault/switches.h
tests_fault_p11fault_la_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS)
tests_fault_p11fault_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere \
	-export-symbols-regex '^C_GetFunctionList$$'
tests_fault_p11fault_la_LIBADD = -lpthread -ldl

# What a test preloads into a role: kills at chosen points, a disk that fails, other clocks.
check_LTLIBRARIES += tests/fault/stepfault.la
tests_fault_stepfault_la_SOURCES = tests/fault/stepfault.c tests/fault/stepfault.h
tests_fault_stepfault_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
tests_fault_stepfault_la_LIBADD = -lpthread -ldl
