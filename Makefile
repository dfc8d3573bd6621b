# make demo   runs the main job on generated scenes, in featx-demo/
# make test   runs the tests, in a few minutes
# make check  runs lint, types and formatting
# make docs   builds the documentation, in build/docs
# On Linux, PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu gets a torch without CUDA,
# which is ten times as small.
# Each does all the set-up that it needs, in .venv; a second call is quick.

PYTHON ?= python3
BIN := .venv/bin
SET_UP := .venv/set-up

.PHONY: demo test check docs clean

demo: $(SET_UP)
	rm -rf featx-demo
	$(BIN)/featx demo --out featx-demo

test: $(SET_UP)
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(SET_UP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(SET_UP)
	$(BIN)/python -m sphinx -q --fail-on-warning --keep-going docs build/docs

clean:
	rm -rf .venv featx-demo dist build docs/gallery docs/generated docs/sg_execution_times.rst

$(SET_UP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "featx needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt editables hatchling
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		--no-build-isolation --editable '.[audio,check,docs,learned,report,test]'
	touch $@
