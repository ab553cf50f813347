# make book    the book, as HTML
# make test    all checks, those of the book included
# make test-browser     the explorers in Chromium, which `apt install chromium` brings
# make test-elsewhere   the tests with the instructions of other processors, and on a busy one
# make test-hand-out    the hand-out for students: installed in a new environment, its book built, its labs run
# make fuzz    damage 10,000 files of each kind and read them; EXAMPLES=100 for fewer
# make clean   delete the book and the runs made for it (make distclean: the environment, too)
#
# A step runs again only when its inputs have changed. Another Python: make book PYTHON=python3.12

PYTHON ?= python3
WORKERS ?= 2
TESTS := --nbval --numprocesses $(WORKERS) --dist loadscope --max-worker-restart 0 --ignore=tests/browser
BIN := .venv/bin
READY := .venv/ready
RUN := runs/quick/vgg/quick-seed0/record.json

SOURCES := $(shell find src -name '*.py')
RECORDS := $(shell find results benchmarks/figures)
EXECUTED := $(shell grep -l '^file_format: mystnb' book/*.md)
PAGES := $(shell sed -nE 's/^[- ]*(root|file): *//p' _toc.yml)

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
VERSION := import platform; print(platform.python_version())

.PHONY: book test checks test-browser test-elsewhere test-hand-out fuzz clean distclean
.DELETE_ON_ERROR:

# Containers often set it. Every process then compiles all of PyTorch's sources again, which takes longer than most
# tests.
unexport PYTHONDONTWRITEBYTECODE

# Jupyter Book executes one page after the other. jupyter-cache executes several at a time, with one thread each, and
# the build finds their outputs. A page that fails is executed again by the build, which prints its error.
book: export JUPYTERCACHE = _build/.jupyter_cache
book: export OMP_NUM_THREADS = 1
book: export TQDM_DISABLE = 1
book: $(READY) $(RUN) _build/executed-for
	@yes | $(BIN)/jcache notebook add --reader myst_nb_md $(EXECUTED) >/dev/null
	@$(BIN)/jcache project execute --executor local-parallel --timeout 900 --verbosity WARNING >/dev/null
	@$(BIN)/jupyter-book build . -W -n --keep-going --quiet || { rm -rf _build/.doctrees; exit 1; }
	@for page in $(PAGES); do \
	  test -s _build/html/$$page.html || { echo "The page $$page of _toc.yml was not built." >&2; exit 1; }; \
	done
	@echo "The book is built. Open $(CURDIR)/_build/html/index.html"

# The linters run while the book is built, whose last step uses one core.
test: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 checks book
	DEEPERNETS_BOOK=required $(BIN)/pytest $(TESTS)

checks: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/deepernets verify results
	$(BIN)/deepernets labs build --check

test-browser: book
	$(BIN)/python -m pip install --quiet playwright
	DEEPERNETS_BROWSER=required $(BIN)/pytest tests/browser

test-elsewhere: book
	@DEEPERNETS_BOOK=required $(BIN)/python tests/elsewhere.py $(TESTS)

test-hand-out: $(READY)
	rm -rf _build/hand-out
	$(BIN)/deepernets labs build --without-solutions _build/hand-out
	$(MAKE) -C _build/hand-out -f $(CURDIR)/Makefile book
	_build/hand-out/.venv/bin/python -m pip install --quiet pytest nbval
	cd _build/hand-out && .venv/bin/pytest --nbval-lax --nbval-current-env labs

EXAMPLES ?= 10000
fuzz: $(READY)
	DEEPERNETS_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q --override-ini faulthandler_timeout=0 --numprocesses $(WORKERS) \
	  tests/data/test_damaged_files.py

clean:
	rm -rf _build runs

distclean: clean
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

# The environment. uv installs it in seconds; if uv is not available, pip does in minutes.
$(READY): pyproject.toml requirements.txt | $(BIN)/python
	@PATH="$$PATH:$(CURDIR)/$(BIN)"; \
	uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv 2>/dev/null || echo "uv is not available; pip installs the packages."; \
	if uv --version >/dev/null 2>&1; \
	then uv pip install --python $(BIN)/python -r requirements.txt; \
	else $(BIN)/python -m pip install -r requirements.txt; fi
	@touch $@

$(BIN)/python:
	@if $(PYTHON) -c '$(SUITABLE)' 2>/dev/null; then $(PYTHON) -m venv .venv; \
	elif uv --version >/dev/null 2>&1; then uv venv --seed --python '>=3.11,<3.14' .venv; \
	else echo "This course needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is" \
	  "$$($(PYTHON) -c '$(VERSION)' 2>/dev/null || echo 'not there')." \
	  "Install one of them and name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; fi

# The quick profile, on drawn images: a first trained network, and a test of the whole training.
$(RUN): $(READY) $(SOURCES)
	@$(BIN)/deepernets train --profile quick --fresh
	@touch $@

# Pages are executed again when the package or a recorded run changed; Jupyter Book itself compares only the pages.
_build/executed-for: $(READY) $(RUN) $(SOURCES) $(RECORDS) book/references.bib _config.yml
	@rm -rf _build/.jupyter_cache _build/.doctrees
	@mkdir -p _build && touch $@

# The README's figure.
book/_static/configurations.png: $(READY) src/deepernets/plots/architecture.py src/deepernets/models/vgg.py
	$(BIN)/python -c "from pathlib import Path; from deepernets import plots; \
	  plots.save(plots.configuration_chart(), Path('$@'))"
