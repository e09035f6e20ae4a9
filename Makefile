# Everything here sets itself up: python3, git and make are enough. "make" alone lists the targets.

PYTHON ?= python3
VENV   := $(or $(CHATDEV_VENV),.venv)
BIN    := $(if $(filter Windows_NT,$(OS)),$(VENV)/Scripts,$(VENV)/bin)
PY     := $(BIN)/python
UPGRADE ?=
TESTS  ?=

.DEFAULT_GOAL := help
.PHONY: help setup test lint format docs lock bench clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /\1\t/'

setup:  ## the environment with the development tools (quick when it is there)
	@$(PYTHON) run.py --setup dev

test: lint  ## linter, format, types, then the whole suite (make test TESTS=tests/company for a part)
	$(PY) -m pytest $(TESTS)

lint: setup  ## linter, format and types, changing nothing
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: setup  ## put the code into its format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: setup  ## write docs/commands.md anew from the program's own help texts
	UPDATE_DOCS=1 $(PY) -m pytest -q tests/cli/test_docs.py -k help_texts

lock: setup  ## write constraints.txt anew from pyproject.toml
	$(PY) -m pip install --quiet --disable-pip-version-check uv
	cp constraints.txt $(VENV)/lock.txt
	$(PY) -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 --no-python-downloads \
		--no-annotate --no-header --quiet --output-file $(VENV)/lock.txt $(UPGRADE)
	{ grep '^#' constraints.txt; grep -vE '^(nvidia-|cuda-|triton|#)|== .emscripten' $(VENV)/lock.txt; } > $(VENV)/lock.new
	mv $(VENV)/lock.new constraints.txt

bench: setup  ## which measurements there are, and how to start each
	@for file in benchmarks/*.py; do \
		printf '%s %s\n    ' $(PY) "$$file"; \
		$(PY) -c 'import ast, sys; print((ast.get_docstring(ast.parse(open(sys.argv[1], encoding="utf-8").read())) or "?").splitlines()[0])' "$$file"; \
	done

clean:  ## remove the environment and every cache (warehouse/ stays)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './warehouse/*' -prune -exec rm -rf {} +
