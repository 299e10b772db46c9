# What users ask for. A line `#: target | time on two cores | what it does` before a target is its entry in `make help`.

.PHONY: all test smoke report data install clean help probe bench bench-peers

#: all | 5 min | build everything (the default)
all: $(LIB) $(TESTS) $(if $(BENCH_SRC),$(BENCH)) $(PAPER_BIN) $(EXAMPLE_BIN)

#: test | 12 min | install what is missing, build, and pass the whole suite (TEST=pattern picks test cases)
test: all
	@$(TESTS) $(if $(TEST),-tc="$(TEST)")
	@$(if $(TEST),,$(MAKE) check-install)

# ---- experiments ---------------------------------------------------------------------------------------------------
# DATA, SEEDS, ARMS, SCALE, DEVICE, THREADS, OUT and RESUME=1 go to the program's options of the same names, ARGS as it is.
EXPERIMENT_OPTIONS = --data $(DATA) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(ARMS),--arms $(ARMS)) \
  $(if $(SCALE),--scale $(SCALE)) $(if $(DEVICE),--device $(DEVICE)) $(if $(THREADS),--threads $(THREADS)) \
  $(if $(OUT),--out $(OUT)) $(if $(RESUME),--resume) $(ARGS)
PAPER_TARGETS := $(filter-out report_index,$(notdir $(PAPER_BIN)))

.PHONY: $(PAPER_TARGETS)
#: deephoyer | 45 min | the DeepHoyer paper on Fashion-MNIST (DATA=mnist, SEEDS=3, ARMS=all, SCALE=smoke|scaled|paper, RESUME=1)
#: deephoyer_large | 30 min | its ResNet-8 on Fashion-MNIST (DATA=cifar10: ResNet-20; ARGS="--network resnet56", ARGS="--shapes alexnet")
#: trp_workshop | 10 min | Trained Rank Pruning, workshop paper: three schemes on Fashion-MNIST (DATA=cifar10, ARGS="--network resnet32")
#: trp_ijcai | 15 min | Trained Rank Pruning, IJCAI paper: four arms, the theorem, baselines (as above; ARGS="--shapes resnet18")
#: neural_predictor | 40 min | the Neural Predictor paper on NAS-Bench-101 and Macro from $TENON_DATA/nasbench or `make data` (SEEDS, ARMS=all, SCALE, RESUME=1)
#: cell_table | 15 min | a table of its own: 91 cells trained on Fashion-MNIST, two seeds (DATA=mnist, SEEDS, RESUME=1)
#: svd_training | 60 min | SVD training on Fashion-MNIST (DATA=cifar10, SEEDS=3, ARMS=all, SCALE=..., RESUME=1)
#: svd_training_mlp | 3 min | its prototype on LeNet-300-100 (DATA=mnist)
#: autogrow | 30 min | the AutoGrow paper on Fashion-MNIST (DATA=mnist|cifar10, ARMS=all, SEEDS=3, SCALE, ARGS="--interval 2", RESUME=1)
#: joint_pruning | 15 min | the Joint Pruning paper on Fashion-MNIST (DATA=mnist|cifar10, ARMS=all, SCALE, ARGS="--train-images 10000")
$(PAPER_TARGETS): %: $(B)/bin/% | data-packages
	@$< $(EXPERIMENT_OPTIONS)

# It has its own data, whatever DATA says.
neural_predictor smoke-neural_predictor: override DATA = nasbench
cell_table: SEEDS = 2

.PHONY: gcn
#: gcn | 20 s | an example: a graph convolutional network on Cora and CiteSeer from $TENON_DATA/planetoid, ten seeds each (SEEDS=n)
gcn: $(B)/bin/gcn
	@$< $(if $(SEEDS),--seeds $(SEEDS))

.PHONY: volume
#: volume | 20 s | an example: a 3D network on made-up volumes (ARGS="--size 48 --recompute --memory": stages computed again on the way back)
volume: $(B)/bin/volume
	@$< $(ARGS)

#: smoke | 2 min | every paper at smoke scale
# (programs side by side, a thread each: threads that wait for each other on shared cores spin)
smoke: $(PAPER_TARGETS:%=smoke-%)
.PHONY: $(PAPER_TARGETS:%=smoke-%)
$(PAPER_TARGETS:%=smoke-%): smoke-%: $(B)/bin/% | data-packages
	@rm -rf build/smoke/$*
	@$< --data $(DATA) --scale smoke --threads 1 --out build/smoke/$* >build/smoke-$*.log 2>&1 || { cat build/smoke-$*.log; exit 1; }
	@echo "smoke $*: passed"

#: report | 1 s | the index page over all runs
report: $(B)/bin/report_index
	@$(B)/bin/report_index

.PHONY: data-packages
data-packages:
	@if command -v dpkg >/dev/null; then $(call install,$(DATA_PACKAGES)); fi

#: data | 5 min | fetch the official data sets into the cache, with checksums (needs a network)
data:
	@sh data/fetch.sh

# ---- speed -----------------------------------------------------------------------------------------------------------
#: bench | 3 min | kernel microbenchmarks: floor, measured, peers (FILTER=name, THREADS=n)
bench: $(BENCH)
	@$(BENCH) $(if $(FILTER),--filter $(FILTER)) $(if $(THREADS),--threads $(THREADS)) --json build/bench.json

#: bench-guard | 4 min | instructions of hot kernels under valgrind, against bench/guard.txt: fails above +5 %
#: bench-guard-write | 4 min | writes bench/guard.txt anew
.PHONY: bench-guard bench-guard-write run-bench-guard
bench-guard bench-guard-write:
	@$(call install,valgrind)
	@$(MAKE) ARCH=x86-64-v3 CUDA=off GUARD_MODE=$(if $(findstring write,$@),write,compare) run-bench-guard
run-bench-guard: $(BENCH)
	@sh bench/guard.sh $(BENCH) bench/guard.txt $(GUARD_MODE)

PEERS ?= build/peers
#: bench-peers | 10 min | Tenon beside PyTorch in one run, on the same cores (makes a virtual environment first)
bench-peers: $(BENCH) $(PEERS)/ready
	@$(PEERS)/bin/python bench/peers.py --bench $(BENCH) --threads $(or $(THREADS),$(NPROC)) \
	  $(if $(FILTER),--filter $(FILTER)) --json build/bench-peers.json
$(PEERS)/ready:
	@$(call install,python3-venv)
	@python3 -m venv $(PEERS) && $(PEERS)/bin/pip install -q torch numpy scipy && touch $@

# ---- housekeeping ----------------------------------------------------------------------------------------------------
# Some headers are for .cpp files of the tree alone.
HEADERS := $(filter-out core/ops/dispatch.h core/ops/image.h core/ops/iteration.h core/ops/list_call.h \
  core/ops/sparse_arguments.h, \
  $(wildcard core/*.h core/ops/*.h autograd/*.h autograd/ops/*.h data/*.h nn/*.h nn/*/*.h))
#: install | 5 s | libtenon.a, headers and a pkg-config file under PREFIX (default /usr/local)
install: $(LIB)
	@for h in $(HEADERS); do install -D -m 644 $$h $(DESTDIR)$(PREFIX)/include/tenon/$$h; done
	@install -D -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib/libtenon.a
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig
	@printf '%s\n' 'prefix=$(PREFIX)' 'Name: tenon' 'Description: A tensor engine written by hand in C++20' \
	  'Version: 0.1' 'Cflags: -std=c++20 -I$${prefix}/include/tenon' 'Libs: -L$${prefix}/lib -ltenon $(LDFLAGS) $(LDLIBS)' \
	  > $(DESTDIR)$(PREFIX)/lib/pkgconfig/tenon.pc
	@echo "installed under $(DESTDIR)$(PREFIX)"

#: clean | 1 s | remove build/ (runs/ stays)
clean:
	@rm -rf build

#: probe | 1 s | which packages and devices are here
probe:
	@echo "packages:"
	@for p in $(PACKAGES) $(DATA_PACKAGES) $(LINT_PACKAGES); do \
	  if dpkg -s $$p 2>/dev/null | grep -q '^Status: install ok installed'; then echo "  ✓ $$p"; else echo "  ✗ $$p"; fi; done
	@echo "devices:"
	@echo "  ✓ cpu: $(NPROC) cores, ARCH=$(ARCH)"
	@if [ -e /dev/nvidia0 ]; then echo "  ✓ a CUDA card"; else echo "  ✗ a CUDA card (CUDA=$(CUDA))"; fi
	@if [ -n "$(NVCC)" ]; then echo "  ✓ nvcc: $(NVCC)"; else echo "  ✗ nvcc (only CUDA=native needs it)"; fi
	@for p in libdnnl-dev libxsmm-dev; do if dpkg -s $$p >/dev/null 2>&1; then echo "  ✓ $$p"; \
	  else echo "  ✗ $$p (optional: a peer in the bench)"; fi; done
	@if [ -n "$$TENON_DATA" ]; then echo "  ✓ TENON_DATA=$$TENON_DATA"; else echo "  ✗ TENON_DATA (optional: a folder of data sets)"; fi

#: help | 1 s | this
help: probe
	@echo; echo "make TARGET [ARCH=native|x86-64-v3] [CUDA=emulated|native|off] [SAN=address|thread]"; echo
	@awk -F' *[|] *' '/^#: /{sub(/^#: /, "", $$1); printf "  %-14s %-8s %s\n", $$1, $$2, $$3}' make/targets.mk make/checks.mk make/card.mk
