.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := 0.13.9

BIN := .venv/bin
UV := $(BIN)/uv
READY := .venv/ready

.PHONY: run
run: $(READY) ## start the pipeline here, have a simulated class sit an exam, stay until Ctrl-C
	@exec $(BIN)/attemptlog up

.PHONY: demo
demo: $(READY) ## the same, then stop; fails if one event is unaccounted for
	@exec $(BIN)/attemptlog demo

# The tests wait more than they compute; a file's tests stay together, because they share a gateway or a stack.
WORKERS ?= 3

.PHONY: test
test: $(READY) ## every test
	@exec $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

.PHONY: chaos
chaos: $(READY) ## kill, freeze and cut every part under load: ROUNDS=20 SEED=7; fails if one event is lost or doubled
	@exec $(BIN)/python -m chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: $(READY) ## gateway and consumer against references in the same run
	@exec $(BIN)/python -m benchmarks

.PHONY: lint
lint: $(READY) ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(READY) ## mypy --strict
	$(BIN)/mypy

.PHONY: lock
lock: $(READY) ## resolve requirements.lock again from pyproject.toml
	$(UV) pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-header -q -o requirements.lock

.PHONY: clean
clean: ## remove the virtual environment, caches and the data of `make run`
	@if [ -x $(BIN)/attemptlog ]; then $(BIN)/attemptlog down; fi
	rm -rf .venv .attemptlog .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

# The stamp is newer than the lock and the project's settings, or everything is brought up to date again.
$(READY): requirements.lock pyproject.toml | $(UV)
	@$(UV) pip sync -q --require-hashes requirements.lock
	@$(UV) pip install -q --no-deps --editable .
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
