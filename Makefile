# The things that are done with this repository. Cargo does the work; this file only knows the order.
#
# Tests and benchmarks run against real servers too (see tests/services). EMBEDDED=1 does without them.

# Where build output goes. Set CARGO_TARGET_DIR to share it between clones.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Extra arguments: `make demo ARGS="--listen 127.0.0.1:9000"`.
ARGS ?=

# Every command builds the same packages together, so that their features are the same and nothing is compiled twice.
CARGO := cargo
WORKSPACE := --workspace --locked
PYTHON := $(CARGO_TARGET_DIR)/python
SERVICES := tests/services/services.sh
# The page that lets people in, and the scripts of the dashboards. Vite builds them, and cargo puts what it built into
# the program.
SCANNER := dashboards/scanner
ISLANDS := dashboards/islands
# Runs a command with the servers up, and stops them whatever becomes of it.
ifdef EMBEDDED
with_services = BILTEN_EMBEDDED=1 $(1)
else
# A shell that has their variables already has them from `make services`: there they go on running.
stop_services = $(if $(BILTEN_SERVICES),:,$(SERVICES) stop)
with_services = trap '$(stop_services)' EXIT && trap 'exit 130' INT TERM && \
    $(SERVICES) start && eval "$$($(SERVICES) env)" && $(1)
endif

.PHONY: demo test bench lint fuzz services services-stop build needs python scanner islands pages help

help:
	@echo "make demo   build, and serve a made-up world with live traffic"
	@echo "make test   all tests; with EMBEDDED=1 those that need no servers"
	@echo "make bench  measure against the budgets; writes JSON and Markdown to $(CARGO_TARGET_DIR)/bench"
	@echo "make lint   formatting, clippy, documentation"
	@echo "make fuzz   random ticket codes for MINUTES (10), with the coverage that they reach as the guide"
	@echo "make services, make services-stop   the servers of the tests, left running for work on them"

# Only tests and benchmarks run servers.
demo lint fuzz: EMBEDDED = 1

demo: build
	$(CARGO_TARGET_DIR)/debug/bilten demo $(ARGS)

# The tests start the program itself, so it is built first. They look at its pages with a browser.
test: export TESTS = 1
test: build python
	$(call with_services,BILTEN_PYTHON=$(PYTHON)/bin/python $(CARGO) test $(WORKSPACE) $(ARGS))

bench: build $(PYTHON)/engines
	$(CARGO) build $(WORKSPACE) --bin bench
	$(call with_services,BILTEN_PYTHON=$(PYTHON)/bin/python $(CARGO_TARGET_DIR)/debug/bench --output $(CARGO_TARGET_DIR)/bench $(ARGS))

lint: needs pages
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(WORKSPACE) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(WORKSPACE) --no-deps

# The flags of a coverage-guided fuzzer, as the stable compiler takes them. With --target they are for the program
# alone and not for what runs while it is built.
MINUTES ?= 10
FUZZ := $(CARGO_TARGET_DIR)/fuzz
COVERAGE := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing

fuzz: needs
	mkdir -p $(FUZZ)/corpus
	RUSTFLAGS="$(COVERAGE)" CARGO_TARGET_DIR=$(FUZZ) $(CARGO) run --locked --release \
	    --manifest-path transactional/domain/fuzz/Cargo.toml --target "$$(rustc -vV | sed -n 's/^host: //p')" \
	    --bin ticket_code -- $(FUZZ)/corpus -artifact_prefix=$(FUZZ)/ -max_len=4096 \
	    -max_total_time=$$(($(MINUTES) * 60)) -print_final_stats=1

services: needs
	@$(SERVICES) start
	@echo 'Now: eval "$$($(SERVICES) env)"'

services-stop:
	@$(SERVICES) stop

build: needs pages
	$(CARGO) build $(WORKSPACE) --bin bilten

pages: scanner islands

scanner: $(SCANNER)/dist/index.html

islands: $(ISLANDS)/dist/manifest.json

$(SCANNER)/dist/index.html: $(SCANNER)/node_modules/.package-lock.json $(SCANNER)/index.html $(wildcard $(SCANNER)/*.ts) \
    $(SCANNER)/tsconfig.json $(shell find $(SCANNER)/src $(SCANNER)/public -type f)
	cd $(SCANNER) && npm run --silent build

$(ISLANDS)/dist/manifest.json: $(ISLANDS)/node_modules/.package-lock.json $(wildcard $(ISLANDS)/*.ts) \
    $(ISLANDS)/tsconfig.json $(shell find $(ISLANDS)/src -type f)
	cd $(ISLANDS) && npm run --silent build

# At the versions of the lock file, from whatever registry npm is set to.
%/node_modules/.package-lock.json: %/package-lock.json | needs
	cd $* && npm ci --no-audit --no-fund

# What the machine must have; says how to get what is missing.
needs:
	@EMBEDDED=$(EMBEDDED) tests/needs.sh

python: $(PYTHON)/ready

# The tests read the lake with other people's readers, at pinned versions, and run the notebooks.
$(PYTHON)/ready: tests/python/requirements.txt notebooks/requirements.txt | needs
	python3 -m venv $(PYTHON)
	$(PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# What the benchmarks compare with is large, so the tests do without.
$(PYTHON)/engines: tests/python/bench.txt $(PYTHON)/ready
	$(PYTHON)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
