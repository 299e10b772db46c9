# A card: programs for it, runs on it, and what nvcc tells of the kernels without one.

.PHONY: gpu-build gpu-verify gpu-sanitize cuda-report cuda-report-check

GPU_DIR := build/gpu
GPU_OUT ?= build/gpu-results
GPU_ARCH ?= x86-64-v3
# Of what ldd names, the C library, the driver and NVIDIA's own libraries are the card's machine's.
NOT_CARRIED := lib(c|m|pthread|dl|rt|cuda|cudart|cublas|cublasLt|cudnn|cusparse|cusolver)\.so

#: gpu-build | 20 min | tests and bench for a card (CUDA=native), stripped, with their libraries, in build/gpu, to be carried there (CUDA_ARCHS=90)
gpu-build:
	@if [ -z "$(NVCC)" ]; then echo "skipped: no nvcc"; else $(MAKE) CUDA=native ARCH=$(GPU_ARCH) gpu-programs; fi
.PHONY: gpu-programs
gpu-programs: $(TESTS) $(BENCH)
	@rm -rf $(GPU_DIR) && mkdir -p $(GPU_DIR)/lib
	@for p in $(TESTS) $(BENCH); do strip -o $(GPU_DIR)/$$(basename $$p) $$p; done
	@ldd $(TESTS) $(BENCH) | awk '$$2 == "=>" {print $$3}' | sort -u | grep -vE '/$(NOT_CARRIED)' | \
	  while read -r library; do cp -L $$library $(GPU_DIR)/lib/ && strip --strip-unneeded $(GPU_DIR)/lib/$$(basename $$library); done
	@du -sh $(GPU_DIR)

# No card: said, and no failure. Status 77 of verify.sh says the same.
HAS_CARD = ls /dev/nvidia[0-9]* >/dev/null 2>&1
#: gpu-verify | 25 min | on a machine with a card: build, run the CUDA tests and benches on it, beside PyTorch; writes cuda/RESULTS.md (GPU_SECONDS=240)
gpu-verify:
	@if ! $(HAS_CARD); then echo "skipped: no device"; else $(MAKE) gpu-build && \
	  bash cuda/verify.sh $(GPU_DIR) $(GPU_OUT) $(GPU_SECONDS); status=$$?; \
	  [ ! -f $(GPU_OUT)/RESULTS.md ] || cp $(GPU_OUT)/RESULTS.md cuda/RESULTS.md; exit $$status; fi

#: gpu-sanitize | 30 min | the CUDA tests on the card under memcheck, racecheck, synccheck and initcheck (TESTS=pattern, GPU_SECONDS=400)
gpu-sanitize:
	@if ! $(HAS_CARD); then echo "skipped: no device"; else $(MAKE) gpu-build && \
	  bash cuda/verify.sh --sanitize $(GPU_DIR) $(GPU_OUT) $(GPU_SECONDS); fi
