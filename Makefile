# SPDX-License-Identifier: BSD-3-Clause
# A thin front: meson and ninja build, tests/run tests. "make help" lists what there is.

BUILD ?= build
MESON_FLAGS ?=
DESTDIR ?=
PYTHON = /usr/bin/python3
SOURCES = git ls-files --cached --others --exclude-standard -- '*.c' '*.h'

.DEFAULT_GOAL := all
.PHONY: all help deps demo test bench bench-quick soak fuzz format lint install clean

all: $(BUILD)/build.ninja ## build everything into build/
	@ninja -C $(BUILD)

# charon's plugin is built once the headers are there
$(BUILD)/build.ninja: $(wildcard strongswan/include/version)
	@for tool in meson ninja pkg-config; do command -v $$tool >/dev/null || \
		{ echo "make: there is no $$tool here; make deps installs what is missing" >&2; exit 1; }; done
	@meson setup $$([ -f $@ ] && echo --reconfigure) $(BUILD) $(MESON_FLAGS)
	@touch $@

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

deps: ## install missing packages of config/debian-packages.txt, fetch strongSwan's headers
	@config/install-packages
	@config/strongswan-headers

demo: deps ## a call through a tunnel on this machine, with real audio
	@$(MAKE) --no-print-directory all
	@tests/lab/lab run demo

test: deps ## every test, as CI runs them
	@$(PYTHON) tests/run

bench: deps ## how fast, compared with raw crypto and testpmd; some 17 minutes
	@$(MAKE) --no-print-directory all
	@config/install-packages config/debian-packages-bench.txt
	@BUILD=$(BUILD) bench/run

bench-quick: deps ## the main cases of it, in a minute
	@$(MAKE) --no-print-directory all
	@mkdir -p bench/out
	@$(BUILD)/bench/trunkline-bench quick --json bench/out/quick.json

soak: deps ## ten minutes under load (SOAK_SECONDS=600): memory and buffers
	@$(MAKE) --no-print-directory all
	@tests/lab/lab run soak

fuzz: deps ## fuzz every parser for FUZZ_SECONDS=60 each
	@$(PYTHON) tests/run --only fuzz

format: ## reformat every C file
	@$(SOURCES) | xargs -r clang-format -i

lint: deps ## rules, formatting, clang-tidy
	@$(PYTHON) tests/run --only rules,format,tidy

install: all ## install to DESTDIR
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean: ## remove every build directory
	@rm -rf build build-clang build-asan build-fuzz
