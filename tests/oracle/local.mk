# The oracle: a second opinion in Python on what "vesper check" decides, over
# generated certificates and claims (docs/TESTING.md).
ORACLE_RECORDS = tests/oracle/records.c tests/oracle/records.h

check_PROGRAMS += tests/oracle/judge
tests_oracle_judge_SOURCES = tests/oracle/judge.c $(ORACLE_RECORDS)
tests_oracle_judge_LDADD = libclient.la libagent.la libstir.la libbase.la \
	$(CONFUSE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

# ... and on what the front decides, by its configuration and the state directory.
check_PROGRAMS += tests/oracle/decider
tests_oracle_decider_SOURCES = tests/oracle/decider.c $(ORACLE_RECORDS) \
	tests/fuzz/asked_native.c \
	tests/fuzz/asked_atis.c tests/fuzz/asked_calls.c tests/fuzz/asked.h
tests_oracle_decider_LDADD = $(FRONT_LDADD)

ORACLE_MODULES = \
	tests/oracle/certmake.py \
	tests/oracle/claimset.py \
	tests/oracle/constraint.py \
	tests/oracle/der.py \
	tests/oracle/generate.py \
	tests/oracle/house.py \
	tests/oracle/jsonpointer.py \
	tests/oracle/jsontext.py \
	tests/oracle/leaf.py \
	tests/oracle/local.py \
	tests/oracle/localchanges.py \
	tests/oracle/many.py \
	tests/oracle/mutations.py \
	tests/oracle/oracle.py \
	tests/oracle/originals.py \
	tests/oracle/persona.py \
	tests/oracle/proofs.py \
	tests/oracle/richcall.py \
	tests/oracle/sct.py \
	tests/oracle/settle.py \
	tests/oracle/spell.py \
	tests/oracle/tnlist.py \
	tests/oracle/trust.py

TESTS += tests/oracle/test_oracle.py tests/oracle/test_decision.py
EXTRA_DIST += tests/oracle/test_oracle.py tests/oracle/test_decision.py $(ORACLE_MODULES) tests/oracle/cases \
	tests/oracle/requests
