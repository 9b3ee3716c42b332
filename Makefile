# `make run` and `make test` set up what they need; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.setup
DEV := $(VENV)/.setup-dev
DOCS := $(VENV)/.setup-docs
PEERS := $(VENV)/.setup-bench
HELP := build/site/index.html
# PYTHON=python3.12 picks another interpreter, when .venv is made.

.DEFAULT_GOAL := help
.PHONY: help setup run test torch lint bench bench-console bench-jobs bench-serving bench-scaleout bench-sentiment bench-load bench-submission spark backends docs pictures campaign campaign-registry campaign-submission lock grpc audit licences sbom check-deploy images clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(SETUP) ## make .venv with what serving needs (seconds when nothing changed)

$(SETUP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Atoll needs Python 3.11, 3.12 or 3.13; name one: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@# As a path, and not as a finder of modules, which every start of Python would pay for.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --config-settings editable_mode=compat --editable .
	@touch $@

$(DEV): requirements-dev.txt $(SETUP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# What builds the help alone, with the hashes that requirements-dev.txt has.
$(DOCS): requirements-dev.txt $(SETUP)
	@$(BIN)/python -m deployment.supply.extras --package mkdocs-material --here --without requirements.txt >$(VENV)/docs.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/docs.txt
	@touch $@

$(HELP): $(DOCS) mkdocs.yml $(wildcard docs/*.md docs/site/*)
	@echo "building the help"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

run: $(SETUP) ## serve Atoll on port 7071 (HOST, PORT, WORKERS, DATASET_PATH, SERVICE_MODEL are settings)
	@$(MAKE) --no-print-directory $(HELP) || echo "The help could not be built; Atoll is served without it."
	@exec $(BIN)/python -m common.host

test: $(DEV) ## run the tests, in parallel
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

torch: $(SETUP) ## install PyTorch, which trainings of some models need (its CPU build, where pip finds one)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'torch==2.13.0+cpu' \
	  || { echo "no CPU build here; taking the plain one"; $(BIN)/python -m pip install --quiet 'torch==2.13.0'; }

lint: $(DEV) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV) ## measure what the docs claim (minutes)
	$(BIN)/python -m benchmarks.imputation $(ARGS)

bench-console: $(DEV) ## measure the console: first paint, bytes, CPU for an open tab, long lists, atoll --help (four minutes; Chromium and PostgreSQL are needed)
	$(BIN)/python -m benchmarks.console $(ARGS)

bench-hosted: $(DEV) ## measure hosted models beside KServe, MLServer, LitServe, BentoML and PyTriton (half an hour; wrk is needed)
	$(BIN)/python -m benchmarks.hosted $(ARGS)

backends: $(DEV) ## start PostgreSQL, Azurite and Redis for a try, and print the settings for make run
	@exec $(BIN)/python -m tests.support

campaign: $(DEV) ## kill and cut off real processes 200 times, and count what was lost (half an hour; ARGS=--help tells more)
	$(BIN)/python -m tests.campaign --kills 200 $(ARGS)

campaign-registry: $(DEV) ## kill processes that change the registry 200 times, and count what does not fit (minutes)
	$(BIN)/python -m tests.campaign_registry --kills 200 $(ARGS)

spark: $(VENV)/.setup-spark ## install Spark for tasks on this machine (400 MB, half a minute; Java 17 or later is needed)

campaign-submission: $(DEV) ## kill Atoll 100 times while it looks after tasks, and count what does not fit (ten minutes)
	$(BIN)/python -m tests.campaign_submission --kills 100 $(ARGS)

bench-jobs: $(DEV) $(PEERS) ## measure queued jobs beside Celery, Huey and Procrastinate (ten minutes)
	$(BIN)/python -m benchmarks.jobs $(ARGS)

bench-serving: $(DEV) ## measure what serving costs beside KServe, MLServer, LitServe and BentoML (ten minutes; wrk is needed)
	$(BIN)/python -m benchmarks.serving $(ARGS)

bench-submission: $(DEV) ## measure tasks on the lab's Slurm beside ssh loops and submitit (three minutes; root and ../shared/lab are needed)
	$(BIN)/python -m benchmarks.submission $(ARGS)

bench-scaleout: $(DEV) ## measure run-time models and decisions on published and carried runs of Spark (half an hour; ARGS=--help tells more)
	$(BIN)/python -m benchmarks.scaleout $(ARGS)

bench-sentiment: $(DEV) ## measure sentiment beside transformers' pipeline (ten minutes; wrk and redis-server are needed)
	$(BIN)/python -m benchmarks.sentiment $(ARGS)

bench-load: $(DEV) ## load Atoll as deployment/k6/load.js does, with Redis and Prometheus beside it, and draw it (ten minutes; ARGS="--duration 30s" for a try)
	$(BIN)/python -m benchmarks.k6_load $(ARGS)

# The job systems to compare with, apart: they are no dependencies. A part of $(VENV), so that it goes with it.
$(PEERS): pyproject.toml $(SETUP)
	@test -x $(VENV)/bench/bin/python || $(BIN)/python -m venv $(VENV)/bench
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["bench"], sep="\n")' \
	  | $(VENV)/bench/bin/python -m pip install --quiet --disable-pip-version-check -r /dev/stdin
	@touch $@

# Spark for the local cluster, apart: it is large, and no dependency. It needs Java 17 or later.
$(VENV)/.setup-spark: pyproject.toml $(SETUP)
	@test -x $(VENV)/spark/bin/python || $(BIN)/python -m venv $(VENV)/spark
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["spark"], sep="\n")' \
	  | $(VENV)/spark/bin/python -m pip install --quiet --disable-pip-version-check -r /dev/stdin
	@touch $@

# One resolution for all Pythons and platforms; the hashes make pip refuse any other file than those that were resolved here.
PIN := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links -q --custom-compile-command "make lock"

lock: $(DEV) ## pin requirements*.txt anew from pyproject.toml, with hashes (ARGS=--upgrade takes what is newest)
	$(PIN) $(ARGS) -o requirements.txt
	$(PIN) $(ARGS) --extra dev -c requirements.txt -o requirements-dev.txt
	$(BIN)/python -m deployment.supply licences

grpc: $(DEV) ## make the Python of common/host/grpc/open_inference.proto anew
	$(BIN)/python -m grpc_tools.protoc -I common/host/grpc --python_out=common/host/grpc --pyi_out=common/host/grpc open_inference.proto

audit: $(DEV) ## look for known vulnerabilities in requirements.txt (ADVISORIES=DIR: in a copy of the advisories, offline)
	$(BIN)/python -m deployment.supply audit $(if $(ADVISORIES),--advisories "$(ADVISORIES)") $(ARGS)

licences: $(DEV) ## write docs/licences.md, and fail where a licence is not accepted
	$(BIN)/python -m deployment.supply licences $(ARGS)

sbom: $(DEV) ## write build/sbom.cdx.json: what Atoll is made of, in the CycloneDX format
	$(BIN)/python -m deployment.supply sbom --output build/sbom.cdx.json $(ARGS)

check-deploy: $(DEV) $(VENV)/.setup-check-deploy ## check Terraform, manifests, workflows, dashboards and load scripts (SKIP_MISSING=1: with the tools that are here)
	@PATH="$$PATH:$(CURDIR)/$(VENV)/check-deploy/bin" SKIP_MISSING="$(SKIP_MISSING)" $(BIN)/python -m deployment.check $(ARGS)

# What checks and comes from pip, apart: Atoll needs none of it.
$(VENV)/.setup-check-deploy: deployment/check/requirements.txt $(SETUP)
	@test -x $(VENV)/check-deploy/bin/python || $(BIN)/python -m venv $(VENV)/check-deploy
	$(VENV)/check-deploy/bin/python -m pip install --quiet --disable-pip-version-check -r deployment/check/requirements.txt
	@touch $@

images: $(DEV) ## build both container images, by docker or podman, and run their tests (five minutes; ARGS="--build-arg EXTRAS=aws")
	sh deployment/container/images.sh $(ARGS)
	ATOLL_IMAGE=$${ATOLL_IMAGE:-atoll:slim} ATOLL_FUNCTIONS_IMAGE=$${ATOLL_FUNCTIONS_IMAGE:-atoll:functions} \
	  $(BIN)/python -m pytest -n 0 tests/deployment/test_container.py tests/deployment/test_compose_topology.py tests/deployment/kubernetes/test_verify_redis.py

pictures: $(DEV) docs ## take the pictures of the console anew for the docs (three minutes)
	$(BIN)/python -m tests.console.pictures $(ARGS)

docs: $(DOCS) ## build the docs as pages into build/site, which Atoll serves at /console/help (make run does, where they changed)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict $(ARGS)

clean: ## remove the environment and all caches; data sets on the local share stay
	rm -rf $(VENV) .atoll/cache .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
