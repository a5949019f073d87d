# Everything works in .venv, needs Python 3.11+, venv and make, and neither root nor Docker nor Java.
# STACK=docker runs docker-compose.yml instead of local processes.

.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$name"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NODE := $(VENV)/node
LAUNCHER := $(BIN)/python -m badges.stack
WITH_STACK := eval "$$($(BIN)/badges env)" &&
FAIL := exit 2

STACK ?= local
export STACK
STACKS ?= 4

# Tests start Python hundreds of times, and each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install up down clean demo test unit lint format bench lock node

help: ## Show what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) node ## Make .venv and download the stack's jars into it

up: $(INSTALLED) ## Start the whole local stack and return when it is ready
	@$(LAUNCHER) up

down: ## Stop everything that make up started; the data stays
	@if [ -e $(INSTALLED) ]; then $(LAUNCHER) down; else echo "nothing was running"; fi

clean: ## Stop the stack and delete its data, logs and passwords
	@if [ -e $(INSTALLED) ]; then $(LAUNCHER) clean; else rm -rf .run; fi

demo: up ## Start the stack and watch badges unlock
	@$(WITH_STACK) $(BIN)/badges demo

# Tests of the whole path mostly wait, so more processes than cores, each with a stack of its own. A
# file stays in one of them; those that take long come first.
test: $(INSTALLED) node ## Run every test, on real stacks that the run starts and ends itself
	@$(BIN)/python -m pytest -n $(STACKS) --dist loadfile --no-loadscope-reorder

# The inner loop: of each test at random fewer seeds than make test takes.
unit: $(INSTALLED) ## Run the tests that need no stack
	@BADGES_SEEDS=$${BADGES_SEEDS:-8} $(BIN)/python -m pytest -n auto --dist worksteal -p no:schemathesis tests/unit

lint: $(INSTALLED) ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(INSTALLED) ## Put the code into the common style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(INSTALLED) ## Measure, and write build/bench.json
	@$(BIN)/python -m bench

# The environment variables that pip and uv read are put aside: a lock names no place to fetch from.
# The second lock is for the image: of the first, what the commands need to run.
lock: $(INSTALLED) ## Resolve all versions anew (needs uv)
	@echo "setuptools>=77" | env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile --quiet --upgrade \
		--universal --python-version 3.11 --all-extras --generate-hashes --no-annotate --no-header \
		--output-file requirements.lock pyproject.toml -
	@echo "setuptools>=77" | env -u PIP_FIND_LINKS -u UV_FIND_LINKS uv pip compile --quiet \
		--universal --python-version 3.11 --constraint requirements.lock --generate-hashes --no-annotate --no-header \
		--output-file deploy/requirements.lock pyproject.toml -
	@$(LAUNCHER) lock

# What only tests use of npm: a compiler for what `badges criteria client` writes, a checker of pages, and the types of
# Grafana's dashboards. Without the network everything else goes on, and those tests say what is missing.
node: $(NODE)/.installed

$(NODE)/.installed: tests/package.json tests/package-lock.json | $(INSTALLED)
	@echo "installing what tests need of npm into $(NODE)"
	@mkdir -p $(NODE)
	@cp tests/package.json tests/package-lock.json $(NODE)
	@if $(BIN)/npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --loglevel=error \
		--fetch-retries=1 --fetch-timeout=60000 >/dev/null; \
		then touch $@; \
		else echo "badges: what tests need of npm cannot be installed: the first time needs the network" >&2; fi

$(INSTALLED): requirements.lock pyproject.toml badges/stack/jars.lock
	@[ -n "$(PYTHON)" ] || { echo "badges: Python 3.11 or newer is needed, and no python3 here is" >&2; $(FAIL); }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "badges: $(PYTHON) cannot make a virtual environment: install its venv module" >&2; $(FAIL); }
	@echo "installing Python packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock \
		|| { echo "badges: the packages cannot be installed: the first time needs the network" >&2; $(FAIL); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo "installing Kafka, Connect and Debezium into $(VENV)/jars"
	@$(LAUNCHER) install
	@touch $@
