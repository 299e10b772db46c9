# Tenon's build. `make help` lists the targets. Each variant (ARCH, CUDA, SAN) has its own folder under build/, so
# switching between them rebuilds nothing. Headers are tracked; `make` twice does nothing the second time.
#
#   ARCH=native|x86-64-v3   instruction set (default: this machine's)
#   CUDA=emulated|native|off   the CUDA device (default: emulated; native needs nvcc and a card to run)
#   SAN=address|thread      sanitizers
#   COUNTERS=1              kernels count their accesses (with CUDA=emulated; see make cuda-counters)

ARCH ?= native
CUDA ?= $(if $(wildcard /dev/nvidia0),native,emulated)
SAN ?=
DATA ?= fashion_mnist
PREFIX ?= /usr/local
NPROC := $(shell nproc)
# All cores, unless the command line says -j; a make below this one shares its jobs.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(NPROC)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DEFAULT_GOAL := all

ifneq ($(filter-out native emulated off,$(CUDA)),)
$(error CUDA expects native, emulated or off, got '$(CUDA)')
endif
ifneq ($(filter-out address thread,$(SAN)),)
$(error SAN expects address or thread, got '$(SAN)')
endif

VARIANT := $(ARCH)-cuda-$(CUDA)$(if $(SAN),-$(SAN))$(if $(COUNTERS),-counters)
B := build/$(VARIANT)

include make/flags.mk
include make/setup.mk
include make/targets.mk
include make/checks.mk
include make/card.mk
