# Everything sets itself up: a fresh machine with Python 3.11 or later, pip and make is enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# On Linux, plain torch from PyPI may bring CUDA libraries; name another build here, such as TORCH=torch==2.11.0
TORCH ?= torch==2.13.0
# What an installation depends on besides Python files, which it reads in place
INSTALLED := pyproject.toml setup.py $(wildcard src/foretrace/*/*.[ch] src/foretrace/*/native/*.[ch])

.PHONY: help demo test lint format train media clean

help:  ## what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1	/'

demo: $(VENV)/core  ## record, predict and compare a few small programs (no torch, no network once installed)
	$(BIN)/foretrace demo

test: lint  ## linters, type checker and tests
	$(BIN)/python -m pytest

lint: $(VENV)/dev  ## linters and type checker alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: $(VENV)/dev  ## train the packaged checkpoint's recipe from scratch (hours on a CPU)
	$(BIN)/foretrace train tiny

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: $(INSTALLED) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev: $(INSTALLED) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,train]"
	touch $(VENV)/core $@

media: $(VENV)/dev  ## pictures of the web page in docs/media (needs chromium)
	$(BIN)/python tools/media.py

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
