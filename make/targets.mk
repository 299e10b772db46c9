# What users ask for.
.PHONY: all test setup
all: $(LIB) $(TESTS) $(if $(BENCH_SRC),$(BENCH)) $(PAPER_BIN)

test: all
	@$(TESTS) $(if $(TEST),-tc="$(TEST)")

# The index page over all runs.
.PHONY: report
report: $(B)/bin/report_index
	@$(B)/bin/report_index
