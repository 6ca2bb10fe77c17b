# make demo    the service at work on a sample gallery      make test   every check, and the tests
# make test-long   the other tests: those that take long, and all on each other PostgreSQL here
# make bench   figures, as ratios within one run            make lock   pins anew after a change
# make dist    what is released: built twice, checked, installed and tried; some minutes
# make reference   the pages of docs/ that list commands, metrics and alerts, from the code
# make bench-large   the same at 90 million impressions: 130 GB of disk, about an hour
# make chaos   faults at every statement of a run; takes up to an hour
# make plans   every statement's plan on nine million pairs; takes some minutes
# make fuzz    inputs by the thousand: API, configuration, webhook, galleries, any catalog; minutes
# make galleries   databases of other shapes, by names alone and configured right; some minutes
#
# Needs Python 3.11 or later and make; everything else goes into .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
ARGS   ?=
# Half as many again as there are processors: what waits leaves one to another.
WORKERS ?= $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))
# Hundreds of processes are tried, none of which should compile everything anew.
export PYTHONDONTWRITEBYTECODE :=
PYTEST   = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

.PHONY: demo test test-long lint unit chaos fuzz galleries plans bench bench-large dist reference lock clean packages

demo: $(VENV)/.run
	@$(BIN)/conservator demo $(ARGS)

test: $(VENV)/.dev packages lint unit

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(PYTEST) -m "not long" $(ARGS)

# CI runs both. Here as many as there are processors: some say how long something takes.
test-long fuzz: WORKERS := auto
test-long: $(VENV)/.dev packages
	$(PYTEST) -m long $(ARGS)

chaos: $(VENV)/.dev packages
	$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(VENV)/.dev
	EXAMPLES=10 $(BIN)/python -m pytest --numprocesses $(WORKERS) -m generated tests/integration
	$(BIN)/python -m tests.fuzz $(ARGS)

galleries: $(VENV)/.dev
	$(BIN)/python -m tests.galleries $(ARGS)

plans: $(VENV)/.dev
	$(BIN)/python -m tests.plans $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m bench $(ARGS)

# Without the anti-join, which takes minutes there; other sizes by ARGS="--users N --artworks N".
bench-large: $(VENV)/.dev
	$(BIN)/python -m bench --users 10000 --artworks 10000 --only census backfill steady cold \
	  --rounds 3 --anti-joins 0 --backfill-rounds 1 --cold-rounds 1 $(ARGS)

dist: $(VENV)/.dist
	$(VENV)/dist/bin/python -m tests.dist

reference: $(VENV)/.dev
	$(BIN)/python -m tests.reference

# Debian packages that some tests use: installed where this user may, named where not.
packages:
	@sh tests/packages.sh

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'conservator needs Python 3.11 or later; name one with make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo 'Python has no venv module here; on Debian: apt-get install python3-venv'; exit 1; }

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo 'Installing what the demo needs into $(VENV) (about a minute) …'
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@echo 'Installing what the tests need into $(VENV) (about a minute) …'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run

$(VENV)/.dist: requirements/dist.txt | $(VENV)/bin/python
	@echo 'Installing what builds and checks a release into $(VENV)/dist …'
	@$(PYTHON) -m venv $(VENV)/dist
	@$(VENV)/dist/bin/python -m pip --disable-pip-version-check --quiet --quiet \
	  install --require-hashes -r requirements/dist.txt
	@touch $@

LOCK := $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
ALL  := --extra demo --extra expectations --extra otlp --extra build

lock: $(VENV)/.dev
	cd requirements && ../$(LOCK) $(ALL) --output-file run.txt ../pyproject.toml
	cd requirements && ../$(LOCK) $(ALL) --extra dev --constraint run.txt --output-file dev.txt ../pyproject.toml
	cd requirements && ../$(LOCK) --output-file dist.txt dist.in

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
