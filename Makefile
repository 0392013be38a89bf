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

run: .venv/run ## install into .venv, run the pipeline, show the results
	@dvc repro
	@python -m pipeline summary

test: .venv/test ## install into .venv, run all tests
	@python -m pytest

quick: .venv/test ## run the fast tests
	@python -m pytest -m "not slow"

sweep: .venv/run ## run each combination of GRID='train.lambda=0.01,0.1 ...' as a DVC experiment
	@set -f; python -m pipeline queue $$COMBINATIONS

bench: .venv/test ## compare speed and public tables with the usual alternatives (some hours)
	@python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock $(call group,bench)
	@python -m pip install --quiet --disable-pip-version-check --no-deps $(call group,bench-tables)
	@python -m benchmarks
	@python -m benchmarks tables

serve: .venv/run ## serve the champion, which python -m pipeline promote chooses
	@python -m pipeline serve

ui: .venv/run ## browse the runs in MLflow
	@python -m pipeline ui

tutorial: .venv/test ## render docs/tutorial.py to docs/tutorial.md
	@python -m docs.render

notebook: .venv/test docs/tutorial.ipynb ## open the tutorial in Jupyter, to change and run
	@python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock $(call group,notebook)
	@jupyter lab docs/tutorial.ipynb

docs/tutorial.ipynb: docs/tutorial.py | .venv/test
	@jupytext --quiet --to notebook --output $@ $<

site: .venv/test ## build the pages as a web site in site/
	@python -m pip install --quiet --disable-pip-version-check $(call group,site)
	@NO_MKDOCS_2_WARNING=1 mkdocs build --quiet && echo "open site/index.html"

lint: .venv/test ## check style, formatting and types
	@ruff check . && ruff format --check . && mypy

lock: .venv/test ## check that all extras and groups can be installed with requirements.lock
	@python -m pip install --dry-run --quiet --disable-pip-version-check --constraint requirements.lock ".[$(extras)]" \
		$(call group,bench) $(call group,notebook) $(call group,optuna)

clean: ## remove the environment and caches; outputs, experiments and runs stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.dvc/*' -prune -exec rm -rf {} +

# An installation that was interrupted begins anew. Where uv can't be had, pip installs, and compiles nothing in advance.
define install
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		"error: Python %d.%d is not supported. Give one from 3.11 to 3.13: make run PYTHON=python3.13" % sys.version_info[:2])'
	@echo "installing into .venv: about a minute, $(1)"
	@test -e .venv/finished || $(PYTHON) -m venv --clear .venv
	@rm -f .venv/finished
	@python -m pip install --quiet --disable-pip-version-check "uv<1" && uv pip install --quiet $(2) || \
		{ echo "uv can't install here; pip does: some minutes"; python -m pip install --quiet --disable-pip-version-check --no-compile $(3); }
	@touch .venv/finished $@
endef

.venv/run: requirements.lock
	$(call install,for running,--constraint requirements.lock --requirement pyproject.toml --extra tables,--constraint requirements.lock ".[tables]")

.venv/test: requirements.lock
	$(call install,with what tests need,--requirement requirements.lock,--requirement requirements.lock)
	@touch .venv/run
