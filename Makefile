# Needs only make and python3 (3.10 or newer). Every target makes its own .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: demo test lint bench clean

demo: $(STAMP)  ## read pages with PP-OCR, then find faces in camera frames; any number at a time
	$(BIN)/python examples/ocr/demo.py
	$(BIN)/python examples/detector/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)  ## against the engines' own dynamic batch; make bench ARGS=--quick
	$(BIN)/python -m benchmarks $(ARGS)

# pip older than 25.1 does not know dependency groups, so it is brought up to date first.
$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group lint --group test --group demo
	touch $@

clean:
	rm -rf $(VENV) build dist
