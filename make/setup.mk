# What the build needs from Debian, and its installation.

PACKAGES := g++ make pkg-config libopenblas-dev libhwy-dev zlib1g-dev libpng-dev libjpeg-dev nlohmann-json3-dev \
  libcli11-dev doctest-dev libboost-context-dev libeigen3-dev
DATA_PACKAGES := dataset-fashion-mnist
LINT_PACKAGES := clang-format clang-tidy cppcheck clang libclang-rt-14-dev
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call install,packages): installs those of the packages that are missing; silent when there is nothing to do.
define install
missing=""; for p in $(1); do dpkg -s $$p 2>/dev/null | grep -q '^Status: install ok installed' || missing="$$missing $$p"; done; \
if [ -n "$$missing" ]; then echo "installing:$$missing"; \
  $(SUDO) apt-get install -y -qq $$missing >/dev/null 2>&1 || { $(SUDO) apt-get update -qq; \
  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq $$missing >/dev/null; }; fi
endef

# A stamp keyed to the list, so that the look-up runs once a checkout and again when the list changes.
SETUP_STAMP := build/setup-$(shell echo '$(PACKAGES)' | cksum | cut -d' ' -f1)
.PHONY: installed
installed: $(SETUP_STAMP)
$(SETUP_STAMP):
	@mkdir -p build
	@if command -v dpkg >/dev/null; then $(call install,$(PACKAGES)); else \
	  echo "not a Debian system: please install the equivalents of: $(PACKAGES)"; fi
	@rm -f build/setup-*; touch $@
