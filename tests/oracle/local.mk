# The oracle: a second opinion in Python on what "vesper check" decides, over
# generated certificates and claims (docs/TESTING.md).
check_PROGRAMS += tests/oracle/judge
tests_oracle_judge_SOURCES = tests/oracle/judge.c
tests_oracle_judge_LDADD = libclient.la libagent.la libstir.la libbase.la \
	$(CONFUSE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

ORACLE_MODULES = \
	tests/oracle/certmake.py \
	tests/oracle/claimset.py \
	tests/oracle/constraint.py \
	tests/oracle/der.py \
	tests/oracle/generate.py \
	tests/oracle/jsonpointer.py \
	tests/oracle/jsontext.py \
	tests/oracle/leaf.py \
	tests/oracle/mutations.py \
	tests/oracle/oracle.py \
	tests/oracle/originals.py \
	tests/oracle/persona.py \
	tests/oracle/richcall.py \
	tests/oracle/spell.py \
	tests/oracle/tnlist.py

TESTS += tests/oracle/test_oracle.py
EXTRA_DIST += tests/oracle/test_oracle.py $(ORACLE_MODULES) tests/oracle/cases
