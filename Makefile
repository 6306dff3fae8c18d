# make run    the whole system on this machine
# make test   every check and test
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test check unit bench soak web lock docs setup setup-dev system clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: setup ## Install what is missing and start the whole system (ARGS="--port 9000" passes flags)
	@exec $(BIN)/vms run $(ARGS)

test: setup-dev check unit ## Run every check and every test

check: setup-dev ## Style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > build/lint-imports.txt || { cat build/lint-imports.txt; exit 1; }
	cd web && npm run --silent check

unit: setup-dev
	cd web && npm test --silent
	$(BIN)/pytest -n 2 -rs tests

bench: setup-dev ## Measure every claim and write docs/reference/benchmarks.md
	$(BIN)/python -m bench $(ARGS)

soak: setup-dev ## Long runs under load and faults
	$(BIN)/python -m soak $(ARGS)

setup: $(VENV)/.run web/dist/index.html

setup-dev: PURPOSE := test
setup-dev: $(VENV)/.dev web/dist/index.html
	@mkdir -p build

system:
	@./deploy/setup/system.sh $(PYTHON) $(VENV) $(PURPOSE)

$(VENV)/bin/pip: | system
	@echo "making the Python environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/pip
	@echo "installing Python packages (about a minute the first time) ..."
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "installing Python packages for tests ..."
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

# With directories, so that a removed file counts as a change.
WEB_SOURCES := $(shell find web/src web/public web/verify 2>/dev/null) web/index.html web/vite.config.ts web/tsconfig.json

web: web/dist/index.html

web/node_modules/.installed: web/package.json web/package-lock.json | system
	@echo "installing web packages ..."
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	@echo "building the web client ..."
	@cd web && npm run --silent build
	@touch $@

lock: ## Write the lock files anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" requirements.in --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" -c requirements.lock requirements-dev.in --output-file requirements-dev.lock

docs: setup ## Write the pages of docs/reference that are made from the code
	$(BIN)/python docs/reference/write.py
	$(BIN)/python -m vms.app.openapi

clean: ## Remove what was installed and built, never recordings
	rm -rf $(VENV) web/node_modules web/dist build src/*.egg-info
	rm -rf .hypothesis .import_linter_cache .mypy_cache .ruff_cache
