# A card: programs for it, runs on it, and what nvcc tells of the kernels without one.

.PHONY: gpu-build gpu-verify gpu-sanitize cuda-report cuda-report-check

GPU_DIR := build/gpu
GPU_OUT ?= build/gpu-results
GPU_ARCH ?= x86-64-v3
# Of what ldd names, the C library, the driver and NVIDIA's own libraries are those of the card's machine.
NOT_CARRIED := lib(c|m|pthread|dl|rt|cuda|cudart|cublas|cublasLt|cudnn|cusparse|cusolver)\.so

#: gpu-build | 20 min | tests and bench for a card (CUDA=native), stripped, with their libraries: build/gpu, and build/gpu.tar.gz to be carried there (CUDA_ARCHS=90)
gpu-build:
	@if [ -z "$(NVCC)" ]; then echo "skipped: no nvcc"; else \
	  $(MAKE) CUDA=native ARCH=$(GPU_ARCH) CUDA_LIBRARIES=none gpu-programs && \
	  $(MAKE) CUDA=native ARCH=$(GPU_ARCH) gpu-bench-libraries && \
	  tar -C build -czf $(GPU_DIR).tar.gz $(notdir $(GPU_DIR)) && du -sh $(GPU_DIR) $(GPU_DIR).tar.gz; fi
.PHONY: gpu-programs gpu-bench-libraries
gpu-programs: $(TESTS) $(BENCH)
	@rm -rf $(GPU_DIR) && mkdir -p $(GPU_DIR)/lib
	@for p in $(TESTS) $(BENCH); do strip -o $(GPU_DIR)/$$(basename $$p) $$p; done
	@ldd $(TESTS) $(BENCH) | awk '$$2 == "=>" {print $$3}' | sort -u | grep -vE '/$(NOT_CARRIED)' | \
	  while read -r library; do cp -L $$library $(GPU_DIR)/lib/ && strip --strip-unneeded $(GPU_DIR)/lib/$$(basename $$library); done
# The bench once more, for a machine that has NVIDIA's libraries: the others have to start without.
gpu-bench-libraries: $(BENCH)
	@strip -o $(GPU_DIR)/bench-libraries $(BENCH)

export GPU_TESTS GPU_BENCHES
# No card: said, and no failure. Status 77 of verify.sh says the same.
HAS_CARD = ls /dev/nvidia[0-9]* >/dev/null 2>&1
#: gpu-verify | 25 min | on a machine with a card: build, run the CUDA tests and benches on it, beside PyTorch; writes cuda/RESULTS.md (GPU_SECONDS=240)
gpu-verify:
	@if ! $(HAS_CARD); then echo "skipped: no device"; else $(MAKE) gpu-build && \
	  bash cuda/verify.sh $(GPU_DIR) $(GPU_OUT) $(GPU_SECONDS); status=$$?; \
	  [ ! -f $(GPU_OUT)/RESULTS.md ] || cp $(GPU_OUT)/RESULTS.md cuda/RESULTS.md; exit $$status; fi

#: gpu-sanitize | 30 min | the CUDA tests on the card under memcheck, racecheck, synccheck and initcheck (GPU_TESTS=pattern, GPU_SECONDS=400)
gpu-sanitize:
	@if ! $(HAS_CARD); then echo "skipped: no device"; else $(MAKE) gpu-build && \
	  bash cuda/verify.sh --sanitize $(GPU_DIR) $(GPU_OUT) $(GPU_SECONDS); fi

# ---- without a card --------------------------------------------------------------------------------------------------
REPORT_DIR := build/cuda-report
REPORT_STEMS := $(patsubst cuda/kernels/%.cu,$(REPORT_DIR)/%,$(wildcard cuda/kernels/*.cu))
REPORT_NEEDS := $(if $(NVCC),$(REPORT_STEMS:=.log) $(REPORT_DIR)/kernel_report)
NO_NVCC = echo "skipped: no nvcc"

#: cuda-report | 15 min | registers, spills, occupancy and loads of every CUDA kernel for sm_80, 90, 100, 120, and the floors of their cases, into cuda/REPORT.md
cuda-report: $(REPORT_NEEDS) $(if $(NVCC),$(BENCH))
	@$(if $(NVCC),$(BENCH) --device cuda --list >$(REPORT_DIR)/counts.md && \
	  $(REPORT_DIR)/kernel_report --counts $(REPORT_DIR)/counts.md $(REPORT_STEMS) >$(REPORT_DIR)/REPORT.md && \
	  cp $(REPORT_DIR)/REPORT.md cuda/REPORT.md && echo "written: cuda/REPORT.md",$(NO_NVCC))

#: cuda-report-check | 15 min | fails where a CUDA kernel spills, or has a lower occupancy than cuda/REPORT.md says
cuda-report-check: $(REPORT_NEEDS)
	@$(if $(NVCC),$(REPORT_DIR)/kernel_report --check cuda/REPORT.md $(REPORT_STEMS),$(NO_NVCC))

# One run of nvcc a file, for all architectures; what it says is kept.
$(REPORT_DIR)/%.log: cuda/kernels/%.cu
	@mkdir -p $(REPORT_DIR)/$*
	@echo "  nvcc  $< (report)"
	@$(NVCC) $(NVCC_LANGUAGE) $(foreach a,80 90 100 120,-gencode arch=compute_$(a),code=sm_$(a)) -Xptxas -v \
	  -MD -MP -MT $@ -MF $(REPORT_DIR)/$*.d --keep --keep-dir $(REPORT_DIR)/$* -fatbin $< -o $(REPORT_DIR)/$*/all.fatbin \
	  >$@.part 2>&1 || { cat $@.part; exit 1; }
	@mv $(REPORT_DIR)/$*/$*.compute_90.ptx $(REPORT_DIR)/$*.ptx && rm -r $(REPORT_DIR)/$* && mv $@.part $@
$(REPORT_DIR)/kernel_report: cuda/report/kernel_report.cpp
	@mkdir -p $(@D)
	@echo "  c++   $<"
	@$(CXX) -std=c++20 -O1 $(WARN) -isystem $(CUDA_HOME)/include $< -o $@
-include $(REPORT_STEMS:=.d)
