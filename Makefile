# Each target works from a bare checkout: it makes the environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: env demo test lint bench clean

env: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: skillsim needs Python 3.11 or later; name one: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[spark,dev]'
	$(BIN)/python -m skillsim.spark.session
	@touch $@

demo: $(READY)
	$(BIN)/python jobs/normalise_skills.py --config conf/demo.toml

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python tests/benchmarks/encoder.py
	$(BIN)/python tests/benchmarks/gold.py

clean:
	rm -rf $(VENV) out build dist *.egg-info
