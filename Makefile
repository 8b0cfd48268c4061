# Each target works from a bare checkout: it makes the environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready
PACK := build/skillsim-env
PACK_PYTHON := $(BIN)/python

.PHONY: env demo test test-slow lint bench pack clean

env: $(READY)

# torch's default build brings 3 GB of CUDA; where no GPU is, name the index of its CPU builds:
#   make env PIP_ARGS='--extra-index-url INDEX'
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: skillsim needs Python 3.11 or later; name one: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt $(PIP_ARGS) --editable '.[spark,connect,charts,excel,map,train,dev]'
	@touch $@

$(READY): $(INSTALLED) skillsim/spark/session.py skillsim/spark/java.py
	$(BIN)/python -m skillsim.spark.session
	@touch $@

demo: $(READY)
	$(BIN)/python jobs/normalise_skills.py --config conf/demo.toml

# Two processes, since one Spark session seldom keeps two cores busy on small tables.
test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'slow and not long'

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# An hour and three quarters on two cores, most of it end_to_end.py's baselines.
bench: $(READY)
	$(BIN)/python tests/benchmarks/encoder.py
	$(BIN)/python tests/benchmarks/gold.py
	$(BIN)/python tests/benchmarks/spans.py
	$(BIN)/python tests/benchmarks/cost.py
	$(BIN)/python tests/benchmarks/upgrade.py
	$(BIN)/python tests/benchmarks/duplicates.py
	$(BIN)/python tests/benchmarks/taxonomy_duplicates.py
	$(BIN)/python tests/benchmarks/clusters.py
	$(BIN)/python tests/benchmarks/end_to_end.py
	$(BIN)/python tests/benchmarks/growth.py

# The executors' Python for spark-submit --archives: what .venv holds, in hard links until it is packed, with skillsim
# itself copied in; without Spark's jars, as executors have their own. The archive names its base Python by path: where
# executors have the same one elsewhere, give theirs: make pack PACK_PYTHON=/usr/bin/python3.11
pack: $(READY)
	rm -rf $(PACK) $(PACK).tar.gz build/lib
	$(PACK_PYTHON) -m venv --without-pip $(PACK)
	cp -rlf $(VENV)/lib/. $(PACK)/lib
	$(PACK)/bin/python -m pip install --quiet --no-deps --force-reinstall .
	$(BIN)/venv-pack --quiet --prefix $(PACK) --output $(PACK).tar.gz --exclude '*/pyspark/jars/*' $(PACK_ARGS)
	rm -rf $(PACK)
	@du -h $(PACK).tar.gz

clean:
	rm -rf $(VENV) out/demo out/bench build dist *.egg-info
