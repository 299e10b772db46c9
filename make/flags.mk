# Compilers, flags, and which sources make which program.

CXX ?= g++
ifeq ($(origin CXX),default)
CXX := g++
endif
AR := gcc-ar
NVCC ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc))

CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(NVCC))
CUDA_ARCHS ?= 80 90 100 120
NVCC_LANGUAGE := -std=c++20 -O3 --expt-relaxed-constexpr -I. -DTENON_CUDA_NATIVE

WARN := -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror
CPPFLAGS := -I. -isystem /usr/include/eigen3 -MMD -MP
# No errno and no trapping: both would keep loops over the scalar formulas of core/math.h from becoming SIMD.
CXXFLAGS := -std=c++20 -march=$(ARCH) -fopenmp -fno-math-errno -fno-trapping-math -g1 $(WARN)
LDFLAGS := -fopenmp
LDLIBS := -lopenblas -lpng -ljpeg -lz

# All code is for the machine of ARCH: Highway dispatches nothing at run time. Said so, since Highway 1.0.3 otherwise leaves
# its best target out of those it may take, and stops, on processors that have AVX-VNNI and AVX-512 (Zen 5, Sapphire Rapids).
CPPFLAGS += -DHWY_COMPILE_ONLY_STATIC
# Highway takes AVX2 to bring AES along, which x86-64-v3 does not name; it would fall back to 128 bits without fused
# multiply-adds.
ifeq ($(ARCH),x86-64-v3)
CPPFLAGS += -DHWY_DISABLE_PCLMUL_AES
endif

OPT := -O2
KERNEL_OPT := -O3
ifeq ($(SAN),address)
CXXFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
OPT := -O1
KERNEL_OPT := -O1
else ifeq ($(SAN),thread)
CXXFLAGS += -fsanitize=thread
LDFLAGS += -fsanitize=thread
OPT := -O1
KERNEL_OPT := -O1
endif

ifeq ($(CUDA),off)
CPPFLAGS += -DTENON_CUDA_OFF
else ifeq ($(CUDA),emulated)
CPPFLAGS += -DTENON_CUDA_EMULATED
LDLIBS += -lboost_context
else
CPPFLAGS += -DTENON_CUDA_NATIVE
NVCCFLAGS := $(NVCC_LANGUAGE) -Werror all-warnings \
  $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) -Xcompiler -fopenmp
CPPFLAGS += -isystem $(CUDA_HOME)/include
LDLIBS += -L$(CUDA_HOME)/lib64 -lcudart_static -ldl -lrt -lpthread
# NVIDIA's libraries, where they are (cuda/library/products.h): a build without them says so when asked for them. With
# CUDA_LIBRARIES=none it needs none, and can be carried to a machine that has none.
has_header = $(if $(wildcard $(CUDA_HOME)/include/$(1)),$(2))
CUDA_LIBRARIES ?= $(call has_header,cublas_v2.h,cublas) $(call has_header,cudnn.h,cudnn) \
  $(call has_header,cusparse.h,cusparse) $(call has_header,cusolverDn.h,cusolver)
LDLIBS += $(patsubst %,-l%,$(filter cublas cudnn cusparse cusolver,$(CUDA_LIBRARIES)))
endif

LIB_SRC := $(wildcard core/*.cpp core/ops/*.cpp core/cpu/*.cpp autograd/*.cpp autograd/ops/*.cpp data/*.cpp \
  nn/*.cpp nn/*/*.cpp cuda/runtime/*.cpp cuda/kernels/*.cpp)
ifeq ($(CUDA),emulated)
LIB_SRC += $(wildcard cuda/emulation/*.cpp)
endif
ifneq ($(CUDA),off)
LIB_SRC += $(wildcard cuda/library/*.cpp)
LIB_CU := $(wildcard cuda/kernels/*.cu)
endif
EXPERIMENT_SRC := $(filter-out %_main.cpp,$(wildcard papers/experiment/*.cpp))
PAPERS := $(filter-out experiment,$(patsubst papers/%/,%,$(sort $(dir $(wildcard papers/*/*.cpp)))))
PAPER_PART_SRC := $(filter-out papers/experiment/% %_main.cpp,$(wildcard papers/*/*.cpp))
# Examples: programs on the library, and what they and the tests share.
EXAMPLE_PART_SRC := $(filter-out %_main.cpp,$(wildcard examples/*.cpp))
TEST_SRC := $(wildcard tests/*.cpp tests/catalogue/*.cpp tests/core/*.cpp tests/autograd/*.cpp tests/nn/*.cpp \
  tests/data/*.cpp tests/cuda/*.cpp tests/experiment/*.cpp tests/papers/*.cpp tests/house/*.cpp)
BENCH_SRC := $(wildcard bench/*.cpp bench/ladder/*.cpp)
ifneq ($(CUDA),off)
BENCH_SRC += $(wildcard bench/*.cu)
endif

# Peers of the bench alone, where Debian's packages have put them; what is carried to a card goes without.
ifneq ($(CUDA),native)
ONEDNN := $(wildcard /usr/include/oneapi/dnnl/dnnl.hpp)
LIBXSMM := $(wildcard /usr/include/libxsmm.h)
endif
BENCH_LDLIBS := $(if $(ONEDNN),-ldnnl) $(if $(LIBXSMM),-lxsmm -lpthread -lrt -ldl)

objects = $(patsubst %,$(B)/%.o,$(1))
LIB_OBJ := $(call objects,$(LIB_SRC) $(LIB_CU))
EXPERIMENT_OBJ := $(call objects,$(EXPERIMENT_SRC))
PAPER_PART_OBJ := $(call objects,$(PAPER_PART_SRC))
EXAMPLE_PART_OBJ := $(call objects,$(EXAMPLE_PART_SRC))
TEST_OBJ := $(call objects,$(TEST_SRC))
# And what they time of papers.
BENCH_OBJ := $(call objects,$(BENCH_SRC) papers/svd_training/factored.cpp papers/svd_training/regularisers.cpp)
PAPER_BIN := $(patsubst papers/%,$(B)/bin/%,$(patsubst %_main.cpp,%,$(wildcard papers/*/*_main.cpp)))
PAPER_BIN := $(foreach p,$(PAPER_BIN),$(B)/bin/$(notdir $(p)))
EXAMPLE_BIN := $(patsubst examples/%_main.cpp,$(B)/bin/%,$(wildcard examples/*_main.cpp))
ALL_OBJ := $(LIB_OBJ) $(EXPERIMENT_OBJ) $(PAPER_PART_OBJ) $(EXAMPLE_PART_OBJ) $(TEST_OBJ) $(BENCH_OBJ) \
  $(call objects,$(wildcard papers/*/*_main.cpp examples/*_main.cpp))

LIB := $(B)/libtenon.a
TESTS := $(B)/bin/tests
BENCH := $(B)/bin/bench
# The tests that run kernels, and no more than they need: for builds whose compilation is slow.
CUDA_TESTS := $(B)/bin/cuda-tests
CUDA_TEST_OBJ := $(filter $(B)/tests/main% $(B)/tests/seed% $(B)/tests/catalogue/% $(B)/tests/cuda/%,$(TEST_OBJ)) $(LIB_OBJ)
# Training runs the same kernels, and would need nn/.
CUDA_TEST_OBJ := $(filter-out $(B)/tests/cuda/training_test% $(B)/nn/% $(B)/data/%,$(CUDA_TEST_OBJ))

# A change of flags rebuilds: every object depends on a file that holds them. It is compared and written while make
# reads this, not by a rule, so that `make -n` names what `make` would compile and nothing else.
# $(call keep,file,text)
define keep
ifneq ($$(strip $$(file <$(1))),$(2))
$$(shell mkdir -p $(B))
$$(file >$(1),$(2))
endif
endef
FLAGS_FILE := $(B)/flags
$(eval $(call keep,$(FLAGS_FILE),$(strip $(CXX) $(CPPFLAGS) $(CXXFLAGS) $(OPT) $(KERNEL_OPT) $(NVCCFLAGS))))
LIBRARIES_FILE := $(B)/libraries
$(eval $(call keep,$(LIBRARIES_FILE),$(strip libraries: $(CUDA_LIBRARIES))))
PEERS_FILE := $(B)/peers
$(eval $(call keep,$(PEERS_FILE),$(strip peers: $(ONEDNN) $(LIBXSMM))))
$(B)/bench/peer_onednn.cpp.o $(B)/bench/peer_libxsmm.cpp.o: $(PEERS_FILE)
$(B)/bench/peer_onednn.cpp.o: CPPFLAGS += $(if $(ONEDNN),-DTENON_ONEDNN)
$(B)/bench/peer_libxsmm.cpp.o: CPPFLAGS += $(if $(LIBXSMM),-DTENON_LIBXSMM)
$(patsubst %,$(B)/cuda/library/%.cpp.o,cublas cudnn cusparse cusolver): $(LIBRARIES_FILE)
$(B)/cuda/library/cublas.cpp.o: CPPFLAGS += $(if $(filter cublas,$(CUDA_LIBRARIES)),-DTENON_CUBLAS)
$(B)/cuda/library/cudnn.cpp.o: CPPFLAGS += $(if $(filter cudnn,$(CUDA_LIBRARIES)),-DTENON_CUDNN)
$(B)/cuda/library/cusparse.cpp.o: CPPFLAGS += $(if $(filter cusparse,$(CUDA_LIBRARIES)),-DTENON_CUSPARSE)
$(B)/cuda/library/cusolver.cpp.o: CPPFLAGS += $(if $(filter cusolver,$(CUDA_LIBRARIES)),-DTENON_CUSOLVER)

$(B)/core/cpu/%.o $(B)/cuda/kernels/%.o $(B)/bench/ladder/%.o: OPT = $(KERNEL_OPT)
# A quarter of a whole build is the tests; what takes their time is in the library.
$(B)/tests/%.o: OPT = -O1
# results.json names the architecture that the program was built for.
$(B)/papers/experiment/results.cpp.o: CPPFLAGS += -DTENON_ARCH='"$(ARCH)"'
ifneq ($(SAN),)
# Instrumented, libstdc++'s <regex>, by which tests/house reads the sources, looks uninitialised to g++ 12.
$(B)/tests/house/%.o: CXXFLAGS += -Wno-maybe-uninitialized
endif
# The fiber scheduler switches stacks, which the thread sanitizer must not instrument; it tells the sanitizer itself.
ifeq ($(SAN),thread)
$(B)/cuda/emulation/%.o: CXXFLAGS := $(filter-out -fsanitize=thread,$(CXXFLAGS)) -DTENON_THREAD_SANITIZER
endif

# Each load and store of a kernel calls a function, and the emulation supplies it.
ifneq ($(COUNTERS),)
$(B)/cuda/%.o $(B)/tests/cuda/%.o: CPPFLAGS += -DTENON_COUNTERS
COUNTED := $(filter $(B)/cuda/kernels/%.cu.o $(B)/tests/cuda/counters_test.cpp.o,$(ALL_OBJ))
$(COUNTED): CXXFLAGS += -fsanitize=thread -fno-optimize-sibling-calls
$(COUNTED): OPT = -O2
endif

# The standard library is read once and not once a file: a third of the time of a whole build. No header of the tree may
# be in it, so that touching one still compiles its includers alone. One for each level of optimisation, by flags fixed
# here: g++ 12 takes one of another level and crashes over some files. (ccache asks to be told that it may trust this.)
export CCACHE_SLOPPINESS ?= pch_defines,time_macros
PRECOMPILED := $(patsubst %,$(B)/standard_library%.h.gch,$(sort -O1 $(OPT) $(KERNEL_OPT)))
PRECOMPILE := $(CXX) $(CPPFLAGS) $(CXXFLAGS)
$(PRECOMPILED): $(B)/standard_library%.h.gch: make/standard_library.h $(FLAGS_FILE) | installed
	@echo "  c++   $< ($*)"
	@cp $< $(@:.gch=)
	@$(PRECOMPILE) $* -x c++-header $(@:.gch=) -o $@
COMPILE = $(CXX) -include $(B)/standard_library$(OPT).h $(CPPFLAGS) $(CXXFLAGS) $(OPT)

$(B)/%.cpp.o: %.cpp $(FLAGS_FILE) $(PRECOMPILED)
	@mkdir -p $(@D)
	@echo "  c++   $<"
	@$(COMPILE) -c $< -o $@

ifeq ($(CUDA),native)
$(B)/%.cu.o: %.cu $(FLAGS_FILE) | installed
	@mkdir -p $(@D)
	@echo "  nvcc  $<"
	@$(NVCC) $(NVCCFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@
else
$(B)/%.cu.o: %.cu $(FLAGS_FILE) $(PRECOMPILED)
	@mkdir -p $(@D)
	@echo "  c++   $< (emulated)"
	@$(COMPILE) -x c++ -c $< -o $@
endif

$(LIB): $(LIB_OBJ)
	@echo "  ar    $@"
	@rm -f $@; $(AR) rcs $@ $^
$(B)/libexperiment.a: $(EXPERIMENT_OBJ)
	@rm -f $@; $(AR) rcs $@ $^

$(TESTS): $(TEST_OBJ) $(PAPER_PART_OBJ) $(EXAMPLE_PART_OBJ) $(B)/libexperiment.a $(LIB)
	@mkdir -p $(@D)
	@echo "  link  $@"
	@$(CXX) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(CUDA_TESTS): $(CUDA_TEST_OBJ)
	@mkdir -p $(@D)
	@echo "  link  $@"
	@$(CXX) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(BENCH): $(BENCH_OBJ) $(LIB)
	@mkdir -p $(@D)
	@echo "  link  $@"
	@$(CXX) $(LDFLAGS) $^ $(LDLIBS) $(BENCH_LDLIBS) -o $@

$(EXAMPLE_BIN): $(B)/bin/%: $(B)/examples/%_main.cpp.o $(EXAMPLE_PART_OBJ) $(LIB)
	@mkdir -p $(@D)
	@echo "  link  $@"
	@$(CXX) $(LDFLAGS) $^ $(LDLIBS) -o $@

define paper_program
$(B)/bin/$(notdir $(patsubst %_main.cpp,%,$(1))): $(B)/$(1).o $(call objects,$(filter-out %_main.cpp papers/experiment/%,$(wildcard $(dir $(1))*.cpp))) $(B)/libexperiment.a $(LIB)
	@mkdir -p $$(@D)
	@echo "  link  $$@"
	@$$(CXX) $$(LDFLAGS) $$^ $$(LDLIBS) -o $$@
endef
$(foreach m,$(wildcard papers/*/*_main.cpp),$(eval $(call paper_program,$(m))))

-include $(ALL_OBJ:.o=.d)
