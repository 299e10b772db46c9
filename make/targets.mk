# What users ask for.
.PHONY: all test setup
all: $(LIB) $(TESTS) $(if $(BENCH_SRC),$(BENCH)) $(PAPER_BIN)

test: all
	@$(TESTS) $(if $(TEST),-tc="$(TEST)")
