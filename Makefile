# Needs only make and python3 (3.10 or newer). Every target makes its own .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
BENCH  := $(VENV)/.ready-for-bench

.PHONY: demo test lint bench clean

demo: $(STAMP)  ## compile PP-OCR for gears and read pages with it
	$(BIN)/python examples/ocr/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(BENCH)  ## against the engines' own dynamic batch; make bench ARGS=--quick
	$(BIN)/python -m benchmarks $(ARGS)

# pip older than 25.1 does not know dependency groups, so it is brought up to date first.
$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group lint --group test --group demo
	touch $@

$(BENCH): $(STAMP)
	$(BIN)/python -m pip install --quiet --group bench
	touch $@

clean:
	rm -rf $(VENV) build dist
