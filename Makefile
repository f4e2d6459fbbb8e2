# make app    the studio on http://localhost:8501
# make test   lint, types and the tests
# make long   the tests that take minutes each
# All make .venv and install what is missing or changed.

PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: app test lint types tests long chromium clean

app: .venv/installed
	$(BIN)/streamlit run app.py

test: lint types tests

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev
	$(BIN)/mypy

# One thread a test process: two of them share the machine already. Files go in their own order, which has the demo's
# first: ordered by the number of their tests, its minutes would come last, with nothing beside them. What waits for
# processes or a browser can be late where a machine is busy: a test that fails has a second try, and is named then.
tests: .venv/installed-dev chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder --durations 15 --reruns 1 -rsR
	@$(BIN)/python -m tests.chromium --remind

long: .venv/installed-dev chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m long --durations 15 -rsR

# The browser tests need a Chromium; Debian's is taken where there is none and it can be installed.
chromium: .venv/installed-dev
	@$(BIN)/python -m tests.chromium --install

.venv/python:
	@test -n "$(PYTHON)" || { echo "facessl needs Python 3.11 or 3.12; install one, or call make PYTHON=/path/to/it"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

.venv/installed: .venv/python requirements.txt
	@echo "Installing what the studio needs (a few minutes the first time)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache
