# Checks of the source and of what `make test` cannot see.

.PHONY: asan cuda-asan cuda-race cuda-counters fuzz check-install check-build check-deep format lint size

#: asan | 10 min | the suite under the address and undefined-behaviour sanitizers
# (an allocation beyond all memory must come back as OutOfMemory, not end the run)
asan:
	@ASAN_OPTIONS=allocator_may_return_null=1 $(MAKE) SAN=address run-tests
.PHONY: run-tests
run-tests: $(TESTS)
	@$(TESTS)

#: cuda-asan | 10 min | the CUDA tests in the emulation under the address sanitizer (a part of asan)
cuda-asan:
	@$(MAKE) CUDA=emulated SAN=address run-cuda-tests
#: cuda-race | 30 min | the CUDA tests in the emulation under the thread sanitizer, each CUDA thread a thread to it
cuda-race:
	@$(MAKE) CUDA=emulated SAN=thread run-cuda-tests
#: cuda-counters | 6 min | memory lines, bank conflicts, barriers of the CUDA kernels, counted in the emulation (build/cuda-counters.txt, .json)
cuda-counters:
	@$(MAKE) CUDA=emulated COUNTERS=1 run-cuda-counters
.PHONY: run-cuda-counters
run-cuda-counters: $(CUDA_TESTS)
	@TENON_CUDA_COUNTERS=build/cuda-counters $(CUDA_TESTS) -tc="cuda counters*"
# Threads and blocks in a random order; in order they run in `make test`. One host thread: the thread sanitizer does
# not see the order that OpenMP's run-time keeps.
.PHONY: run-cuda-tests
run-cuda-tests: $(CUDA_TESTS)
	@TENON_CUDA_SCHEDULE_SEED=1 OMP_NUM_THREADS=1 $(CUDA_TESTS) -tc="cuda *,catalogue: CPU and CUDA agree"

FUZZ_SECONDS ?= 60
#: fuzz | 10 min | fuzz each file reader for FUZZ_SECONDS (default 60) of CPU
fuzz: | installed
	@$(call install,$(LINT_PACKAGES))
	@bash tests/fuzz/run.sh $(FUZZ_SECONDS)

#: check-install | 20 s | install into a temporary prefix; an example outside the tree builds by pkg-config and runs
check-install: $(LIB)
	@MAKE="$(MAKE)" CXX="$(CXX)" sh tests/house/check_install.sh

#: check-build | 8 min | a fresh clone builds, a second make does nothing, a touched header rebuilds its includers; docs/adding-an-op.md works
check-build: $(TESTS)
	@MAKE="$(MAKE)" sh tests/house/adding_an_op.sh $(B)
	@MAKE="$(MAKE)" sh tests/house/build_behaviour.sh

SOURCES := $(shell git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' 2>/dev/null)
#: format | 10 s | clang-format every source
format:
	@$(call install,$(LINT_PACKAGES))
	@clang-format -i $(SOURCES)

# What changed since LINT_BASE is given to clang-tidy, which is slow; all of it with LINT_BASE=all.
LINT_BASE ?= all
TIDY_SOURCES = $(filter-out $(if $(NVCC),,cuda/report/%),$(filter %.cpp,$(if $(filter all,$(LINT_BASE)),$(SOURCES),$(shell git diff --name-only --diff-filter=d $(LINT_BASE)))))
#: lint | 5 min | format check, clang-tidy, cppcheck (LINT_BASE=commit: only what changed since)
lint: | installed
	@$(call install,$(LINT_PACKAGES))
	@clang-format --dry-run -Werror $(SOURCES) && echo "format: clean"
	@printf '%s\n' $(TIDY_SOURCES) | xargs -r -P $(NPROC) -n 4 sh -c 'clang-tidy --quiet --warnings-as-errors="*" "$$@" -- \
	  -std=c++20 -I. -isystem /usr/include/eigen3 $(if $(NVCC),-isystem $(CUDA_HOME)/include) -DTENON_CUDA_EMULATED 2>/dev/null' clang-tidy && echo "clang-tidy: clean"
	@cppcheck --std=c++20 --quiet --error-exitcode=1 --inline-suppr --suppressions-list=.cppcheck -j $(NPROC) \
	  --enable=warning,performance,portability -I. core autograd data nn papers examples cuda/runtime cuda/emulation bench && echo "cppcheck: clean"

#: size | 1 s | lines a folder
size:
	@for d in core core/ops core/cpu autograd autograd/ops cuda nn data papers examples tests bench; do \
	  case $$d in cuda|nn|papers|tests|bench) depth=9;; *) depth=1;; esac; \
	  printf '  %-14s %6d lines\n' $$d $$(find $$d -maxdepth $$depth -name '*.h' -o -maxdepth $$depth -name '*.cpp' -o -maxdepth $$depth -name '*.cu' | xargs cat | wc -l); done
	@printf '  %-14s %6d lines\n' total $$(cat $(SOURCES) | wc -l)

#: check-deep | 120 min | what is too long for every day: sanitizers, races of kernels, AVX2 build, the build itself, fuzzing, full lint, more emulation schedules
check-deep:
	@$(MAKE) test
	@TENON_TEST_KILLS=1000 $(TESTS) -tc="*killed*"
	@$(MAKE) asan
	@$(MAKE) cuda-race
	@$(MAKE) cuda-counters
	@$(MAKE) ARCH=x86-64-v3 run-tests
	@for seed in 1 2 3; do TENON_CUDA_SCHEDULE_SEED=$$seed $(TESTS) -tc="*CUDA*,*cuda*" || exit 1; done
	@$(MAKE) check-build
	@$(MAKE) cuda-report-check
	@$(MAKE) fuzz
	@$(MAKE) lint
