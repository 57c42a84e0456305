# Everything here works in a fresh clone on a machine with Python 3.11 or newer, python3-venv, make and a package index.
# The virtual environment is prepared by the first target that needs it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
JOBS ?= 2
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test quick lint format docs evidence dist clean help

help:
	@grep -E '^## ' $(MAKEFILE_LIST) | sed 's/^## //'

$(VENV)/.base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) install --editable '.[dev]'
	touch $@

## make demo       two hospitals exchange documents through xds serve (STAY=1 leaves it running)
demo: $(VENV)/.base
	$(BIN)/xds demo $(if $(STAY),--stay)

## make test       the whole test suite
test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n $(JOBS)

## make lint       ruff, format, types
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## make quick      lint, and the tests until the first failure
quick: lint
	$(BIN)/python -m pytest -q -x -n $(JOBS)

## make format     put the sources in the house's format
format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

## make docs       write docs/reference from the tables in the code
docs: $(VENV)/.dev
	$(BIN)/python docs/make_reference.py

## make evidence   long proofs into docs/evidence (LANES="crash load", AGAIN=1 repeats what is there)
evidence: $(VENV)/.dev
	$(BIN)/python -m tests.evidence.run $(if $(AGAIN),--again) $(LANES)

## make dist       sdist and wheel in dist/
dist: $(VENV)/.dev
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
