# Two commands for users: `make demo` and `make test`. Everything else is what those two are made of.
# All of them set up .venv first; it is made anew only when pyproject.toml or constraints.txt change.

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PYTHON311 := $(shell for p in python3.11 python3 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && command -v $$p && break; done)
TORCH := $(shell grep '^torch==' constraints.txt)

# Tests start hundreds of processes: without bytecode on disk each compiles every module of the packages again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test regress check format lint types layers install compiled docs bench clean

demo: $(STAMP)
	$(VENV)/bin/cellwright demo

test: $(STAMP)
	$(PYTHON) -m pytest --numprocesses auto --dist worksteal

# `make regress ACCEPT="why"` records the baseline anew after a change that is meant.
regress: $(STAMP)
	$(VENV)/bin/cellwright regress tests/suite/cells.toml --against tests/suite/cells.json --minutes 3 \
	  $(if $(ACCEPT),--accept "$(ACCEPT)")

check: $(STAMP) format lint types layers install compiled test regress

format: $(STAMP)
	$(VENV)/bin/ruff format --check

lint: $(STAMP)
	$(VENV)/bin/ruff check

types: $(STAMP)
	$(VENV)/bin/mypy

layers: $(STAMP)
	$(VENV)/bin/lint-imports

install: $(STAMP)
	$(PYTHON) -m tools.installation

# Once for all workers of the tests, which would compile the same at the same time.
compiled: $(STAMP)
	$(PYTHON) -m tools.compiled

docs: $(STAMP)
	$(PYTHON) -m tools.documentation

bench: $(STAMP)
	$(VENV)/bin/cellwright bench --json bench.json

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(STAMP): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON311)" ]; then \
	  echo "cellwright needs Python 3.11: PyBullet has wheels up to Python 3.11, and $$(python3 --version 2>/dev/null || echo 'no python3') was found." >&2; \
	  echo "Install it (Debian 12: apt install python3.11 python3.11-venv; elsewhere: uv python install 3.11, or pyenv install 3.11), then run make again." >&2; \
	  exit 1; fi
	@$(PYTHON311) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python 3.11 cannot make virtual environments; install its venv package (Debian, Ubuntu: apt install python3.11-venv)." >&2; exit 1; }
	$(PYTHON311) -m venv $(VENV)
	@# torch alone and first, so that pip settles its build (CPU or CUDA) before anything depends on it
	$(PYTHON) -m pip install --disable-pip-version-check $(TORCH) -c constraints.txt
	$(PYTHON) -m pip install --disable-pip-version-check -e '.[train,data,viewer,dev,clients,peers]' -c constraints.txt
	@# without libGL the desktop build of OpenCV does not load; the headless build of the same version does
	@$(PYTHON) -c 'import cv2' 2>/dev/null || { \
	  version=$$(sed -n 's/^opencv-python==//p' constraints.txt); \
	  echo "libGL is missing: installing opencv-python-headless $$version instead of opencv-python"; \
	  $(PYTHON) -m pip uninstall --yes --quiet opencv-python; \
	  $(PYTHON) -m pip install --disable-pip-version-check "opencv-python-headless==$$version" -c constraints.txt; }
	@touch $@
