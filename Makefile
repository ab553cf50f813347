# make book    the book, as HTML; EDITION=instructor adds the solutions and the teaching part
# make pdf     the same edition as one PDF, printed by Chromium (`apt install chromium`)
# make test    all checks, those of the book included
# make test-browser     the explorers and figures in Chromium, which `apt install chromium` brings
# make test-elsewhere   the tests with the instructions of other processors, and on a busy one
# make test-editions    the tests of the book's pages, in the instructor edition
# make test-hand-out    the hand-out for students: installed in a new environment, its book built, its labs run
# make constraints  the newest versions of all packages, in .ci/constraints.txt, which .ci/run installs
# make fuzz    damage 10,000 files of each kind and read them; EXAMPLES=100 for fewer
# make clean   delete the book and the runs made for it (make distclean: the environment, too)
#
# A step runs again only when its inputs have changed. Another Python: make book PYTHON=python3.12

PYTHON ?= python3
EDITION ?= student
WORKERS ?= 2
TESTS := --nbval --numprocesses $(WORKERS) --dist loadscope --max-worker-restart 0 --ignore=tests/browser
BIN := .venv/bin
READY := .venv/ready
RUN := runs/quick/vgg/quick-seed0/record.json

SOURCES := $(shell find src -name '*.py')
RECORDS := $(shell find results benchmarks/figures)
# Known once _build/toc.yml is written: the edition's pages, and those of them that are executed.
PAGES = $(shell sed -nE 's/^[- ]*(root|file): *//p' _build/toc.yml)
EXECUTED = $(shell grep -ls '^file_format: mystnb' $(PAGES:%=%.md))

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
VERSION := import platform; print(platform.python_version())

.PHONY: book executed pdf test checks lint verify test-browser test-editions test-elsewhere test-hand-out constraints
.PHONY: fuzz clean distclean
.DELETE_ON_ERROR:

# Containers often set it. Every process then compiles all of PyTorch's sources again, which takes longer than most
# tests.
unexport PYTHONDONTWRITEBYTECODE

book executed: export OMP_NUM_THREADS = 1
book executed: export DEEPERNETS_FIGURES = svg
book executed: export TQDM_DISABLE = 1
book: executed
	@$(BIN)/jupyter-book build . --toc _build/toc.yml -W -n --keep-going --quiet || { rm -rf _build/.doctrees; exit 1; }
	@for page in $(PAGES); do \
	  test -s _build/html/$$page.html || { echo "The page $$page of _toc.yml was not built." >&2; exit 1; }; \
	done
	@echo "The $(EDITION) edition of the book is built. Open $(CURDIR)/_build/html/index.html"

# Written at every build, because EDITION may have changed.
.PHONY: _build/toc.yml
_build/toc.yml: $(READY)
	$(if $(filter student instructor,$(EDITION)),,$(error EDITION is $(EDITION); expected student or instructor))
	@$(BIN)/python -m deepernets.book.editions $(EDITION)

pdf: book
	@$(BIN)/python -m pip install --quiet playwright pypdf
	@$(BIN)/python -m deepernets.book.pdf _build

executed: $(READY) $(RUN) _build/executed-for _build/toc.yml
	@$(BIN)/python -m deepernets.book.execution _build/.jupyter_cache $(EXECUTED)

# Linters run beside the training of the first network, which leaves a core free. What `verify` does is also tested.
test: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 lint book
	DEEPERNETS_BOOK=required $(BIN)/pytest $(TESTS)

checks: lint verify

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell

verify: $(READY)
	$(BIN)/deepernets verify results
	$(BIN)/deepernets labs build --check

test-browser: book
	$(BIN)/python -m pip install --quiet playwright axe-playwright-python
	DEEPERNETS_BROWSER=required $(BIN)/pytest --numprocesses $(WORKERS) --dist load tests/browser

test-editions:
	$(MAKE) --no-print-directory book EDITION=instructor
	DEEPERNETS_BOOK=required $(BIN)/pytest tests/book/test_book.py

test-elsewhere: book
	@DEEPERNETS_BOOK=required $(BIN)/python tests/elsewhere.py $(TESTS)

test-hand-out: $(READY)
	rm -rf _build/hand-out
	$(BIN)/deepernets labs build --without-solutions _build/hand-out
	$(MAKE) -C _build/hand-out -f $(CURDIR)/Makefile book
	_build/hand-out/.venv/bin/python -m pip install --quiet pytest nbval
	cd _build/hand-out && .venv/bin/pytest --nbval-lax --nbval-current-env labs

# For all systems and versions of Python. An index of its own may name builds such as +cpu, which others lack.
constraints: $(READY)
	@PATH="$$PATH:$(CURDIR)/$(BIN)" env -u UV_CONSTRAINT uv pip compile pyproject.toml --all-extras --universal \
	  --upgrade --python-version 3.11 --no-header --no-annotate --quiet --output-file $(READY).constraints
	@{ echo "# Versions with which all tests passed, for CI. Made by: make constraints"; \
	  sed -E 's/\+[a-z0-9.]+//' $(READY).constraints; } >.ci/constraints.txt
	@rm $(READY).constraints

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

# What messengers show next to a link to the book.
book/_static/social-card.png: $(READY) src/deepernets/book/landing_page.py
	$(BIN)/python -c "from pathlib import Path; from deepernets.book.landing_page import write_social_card; \
	  write_social_card(Path('$@'))"
