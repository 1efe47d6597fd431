# One verb a line: `make run`, `make test`, `make lint`, `make bench`. PORT= and ARGS= go to the server.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?=
ARGS ?=
T ?=

help: ## This list
	@grep -E '^[a-z-]+:.*##' Makefile | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "This needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Stamps make the second run work offline: nothing is installed again until the requirements change.
$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $(VENV)/.run

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $(VENV)/.test $(VENV)/.run

install: $(VENV)/.run ## Install into .venv

run: export CHLDO_MALANGEE_TOKENS := $(or $(CHLDO_MALANGEE_TOKENS),lax)
run: $(VENV)/.run ## Install, start the server, print the addresses and a line to paste
	@exec $(BIN)/chldo-emulator serve $(if $(PORT),--port "$(PORT)") $(ARGS)

test: $(VENV)/.test ## Install what tests need and run them (T=… goes to pytest)
	$(BIN)/python -m pytest $(T)

lint: $(VENV)/.test ## ruff, mypy --strict, the contracts of the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.test ## Write docs/wire/ and docs/schema/ from the program and the transcripts
	$(BIN)/python -m app.contract.wiredocs
	$(BIN)/chldo-emulator schema --out docs/schema

bench: $(VENV)/.test ## Benchmarks with their baselines, ratios printed
	$(BIN)/python -m bench $(ARGS)

format: $(VENV)/.test ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what was installed and built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

.PHONY: help install run test lint docs bench format clean
