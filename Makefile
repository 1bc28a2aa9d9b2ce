# Two commands from a bare machine: `make demo` and `make test`. `make` alone lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python
T ?= tests

.PHONY: help demo test quick dev fmt lint types e2e bench cgroups-v2 docs openapi screens migration news lock clean

help: ## list the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: ## install, start a sample company, publish an app of every kind; Ctrl-C stops everything
	@scripts/venv.sh demo
	@exec $(PY) scripts/demo.py

# A file of tests stays on one worker, so that what it starts is started once.
test: ## everything CI checks; installs what it needs
	@scripts/venv.sh test
	@scripts/packages.sh
	@$(MAKE) lint types docs-check
	@env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest $(T) -n 2 --dist loadfile --no-loadscope-reorder --durations 15

quick: ## lint and unit tests, in seconds
	@scripts/venv.sh test
	@$(MAKE) lint
	@$(PY) -m pytest tests/unit -q -n 2

dev: ## a server on the repository's own code that restarts when it changes
	@scripts/venv.sh test
	@exec $(PY) scripts/dev.py

fmt: ## format and repair what can be repaired
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

lint: ## style, size rules and arrows
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/lint-imports --no-cache

types: ## strict type check of src
	@.venv/bin/mypy

e2e: ## one running Pilothouse and real clients
	@scripts/venv.sh test && scripts/packages.sh
	@$(PY) -m pytest tests/e2e -q

bench: ## measure against peers installed beside us; prints ratios and the machine
	@scripts/venv.sh test && scripts/packages.sh
	@env -u PYTHONDONTWRITEBYTECODE $(PY) -m bench

cgroups-v2: ## the launcher's tests with control groups v2, in a virtual machine (for machines that have v1)
	@scripts/venv.sh test && scripts/packages.sh
	@scripts/cgroups_v2.sh

docs: ## write the generated reference pages and openapi.json
	@$(PY) scripts/generate.py

docs-check:
	@$(PY) scripts/generate.py --check

openapi: docs ## the same: openapi.json is one of the generated files

screens: ## photograph every page (light, dark, phone) into .cache/screens, a few into docs/screens
	@scripts/venv.sh test && scripts/packages.sh
	@$(PY) scripts/screens.py

migration: ## a new migration: make migration m="content remembers its parent"
	@$(PY) scripts/migration.py "$(m)"

news: ## assemble CHANGELOG.md from news/
	@$(PY) scripts/news.py

lock: ## resolve requirements/*.txt again, with hashes
	@scripts/lock.sh

clean: ## remove what demo and tests wrote
	@rm -rf .demo .venv .cache
