.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Neither make nor the shell reads GRID as commands. Its words are divided at spaces.
export COMBINATIONS := $(value GRID)
unexport GRID
group = $$(python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups']['$(1)'])")
extras = $$(python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'], sep=',')")
.PHONY: help run test quick sweep bench serve ui tutorial notebook site lint lock clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/installed ## install into .venv, run the pipeline, show the results
	@dvc repro
	@python -m pipeline summary

test: .venv/installed ## install into .venv, run all tests
	@python -m pytest

quick: .venv/installed ## run the fast tests
	@python -m pytest -m "not slow"

sweep: .venv/installed ## run each combination of GRID='train.lambda=0.01,0.1 ...' as a DVC experiment
	@set -f; python -m pipeline queue $$COMBINATIONS

bench: .venv/installed ## compare speed and twelve tables with the usual alternatives (most of an hour)
	@python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock $(call group,bench)
	@python -m pip install --quiet --disable-pip-version-check --no-deps $(call group,bench-tables)
	@python -m benchmarks
	@python -m benchmarks tables

serve: .venv/installed ## serve the champion, which python -m pipeline promote chooses
	@python -m pipeline serve

ui: .venv/installed ## browse the runs in MLflow
	@python -m pipeline ui

tutorial: .venv/installed ## render docs/tutorial.py to docs/tutorial.md
	@python -m docs.render

notebook: .venv/installed docs/tutorial.ipynb ## open the tutorial in Jupyter, to change and run
	@python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock $(call group,notebook)
	@jupyter lab docs/tutorial.ipynb

docs/tutorial.ipynb: docs/tutorial.py | .venv/installed
	@jupytext --quiet --to notebook --output $@ $<

site: .venv/installed ## build the pages as a web site in site/
	@python -m pip install --quiet --disable-pip-version-check $(call group,site)
	@NO_MKDOCS_2_WARNING=1 mkdocs build --quiet && echo "open site/index.html"

lint: .venv/installed ## check style, formatting and types
	@ruff check . && ruff format --check . && mypy

lock: .venv/installed ## check that all extras and groups can be installed with requirements.lock
	@python -m pip install --dry-run --quiet --disable-pip-version-check --constraint requirements.lock ".[$(extras)]" \
		$(call group,bench) $(call group,notebook) $(call group,optuna)

clean: ## remove the environment and caches; outputs, experiments and runs stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.dvc/*' -prune -exec rm -rf {} +

.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		"error: Python %d.%d is not supported. Give one from 3.11 to 3.13: make run PYTHON=python3.13" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch $@
