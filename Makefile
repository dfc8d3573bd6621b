# make demo      runs the main job on generated scenes, in featx-demo/
# make test      runs all tests
# make check     runs lint, types and formatting
# make docs      builds the documentation, in build/docs
# make lock      resolves constraints.txt anew; UPGRADE=--upgrade moves to the newest versions
# make release   builds and checks the source distribution and the wheel, in dist/
#
# Each target installs what it needs in .venv, and nothing else; a second call is quick.
# PYTHON=python3.13 chooses the interpreter of a new .venv. On Linux,
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu installs a torch without CUDA, which
# is ten times smaller.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check docs lock release clean

demo: .venv/for-demo
	rm -rf featx-demo
	$(BIN)/featx demo --out featx-demo

test: .venv/for-test
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/for-check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: .venv/for-docs
	$(BIN)/python -m sphinx -q --fail-on-warning --keep-going docs build/docs

lock: .venv/for-build
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/lock $(UPGRADE)

release: .venv/for-build
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/release $(CANDIDATE)

clean:
	rm -rf .venv featx-demo dist build docs/gallery docs/generated docs/sg_execution_times.rst

.venv/for-demo: EXTRAS :=
.venv/for-test: EXTRAS := audio,learned,test
.venv/for-check: EXTRAS := check
.venv/for-docs: EXTRAS := docs
.venv/for-build: EXTRAS := build

.venv/for-%: .venv/interpreter pyproject.toml constraints.txt
	$(INSTALL) editables hatchling
	$(INSTALL) --no-build-isolation --editable '.$(if $(EXTRAS),[$(EXTRAS)])'
	touch $@

.venv/interpreter:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "featx requires Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	touch $@
