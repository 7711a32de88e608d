# The book in two commands: `make book` builds it, `make test` checks it. `make help` lists the rest.
PRESET ?= smoke
PYTHON ?= python3
VENV ?= .venv
FOLDER ?= notebooks
PY = $(VENV)/bin/python
PIP = $(PY) -m pip install -qq --disable-pip-version-check
INSTALLED = $(VENV)/.installed
# Kernels and settings of the user must not win over those of the environment.
export JUPYTER_PREFER_ENV_PATH = 1
unexport JUPYTER_PATH

.PHONY: help install book test lint lab student bench clean

help:
	@echo "make install make the environment in .venv, and nothing else"
	@echo "make book   run every chapter and build the HTML book (PRESET=smoke|workshop|overnight|full)"
	@echo "make test   run the tests and every notebook"
	@echo "make lint   check style, format and layers"
	@echo "make lab    open JupyterLab on the notebooks (FOLDER=student: on the copies for a class)"
	@echo "make student write the notebooks without solutions into student/"
	@echo "make bench  time our code beside its peers"
	@echo "make clean  remove everything built, and keep the environment"

install: $(INSTALLED)

book: $(INSTALLED)
	@$(PY) tools/build_book.py --preset $(PRESET)

test: $(INSTALLED)
	@OMP_NUM_THREADS=1 $(PY) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --nbval-lax --nbval-current-env \
		--nbval-cell-timeout 900 --ignore notebooks/_template.ipynb --durations 10 notebooks tests

lint: $(INSTALLED)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(VENV)/bin/lint-imports

lab: $(INSTALLED)
	@$(PY) -m jupyterlab --ServerApp.root_dir . --LabApp.default_url /lab/tree/$(FOLDER)

student: $(INSTALLED)
	@$(PY) tools/student_copies.py

bench: $(INSTALLED)
	@for script in benchmarks/*.py; do $(PY) $$script || exit 1; done

clean:
	@rm -rf build .pytest_cache .ruff_cache

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing the locked environment into $(VENV) (2 to 5 minutes the first time)"
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@$(PIP) --no-deps -r requirements.lock
	@$(PIP) -c requirements.lock "$$(grep '^torch==' requirements.lock)"
	@$(PIP) --no-deps --no-build-isolation -e .
	@$(PY) tools/compile_kernels.py
	@touch $@
