# Each whole-machine test comes after the one before it in its row (local.mk), of
# those alone that are run: a test that nobody asks for is no condition of another.
# INTEGRATION_ROWS=1: all in one row, for builds that are many times slower.
row_of = $(if $(filter $(1),$(if $(filter 1,$(INTEGRATION_ROWS)),,$(WAITING_TESTS))),waiting,busy)

define after_the_last
$(1:.py=.log): $(last_$(2))
last_$(2) := $(1:.py=.log)
endef

$(foreach t,$(filter tests/lab/%.py tests/integration/%.py,$(TESTS)),\
	$(eval $(call after_the_last,$(t),$(call row_of,$(t)))))
