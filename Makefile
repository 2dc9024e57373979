# make help says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.requirements
DEV_STAMP := $(VENV)/.requirements-dev
EVIDENTLY := .venv-evidently
PREFECT := .venv-prefect
AUDIT := .venv-audit
QUALITY := .venv-quality
# Tests that need more than the package index; their markers say what (pyproject.toml).
SERVICES := s3 or aws or kafka or azure or postgres or newman or schemathesis or console or compiler or shell or notify or prometheus or tunnel or appservice or neural or notebooks or docs or mlflow or dvc or evidently or prefect or checkov or audit or boosters or dask
MARKED := docker or browser or jenkinsfile or $(SERVICES)
# In this order: some are constrained by others.
LOCKED := sbom dev audit s3 azure dvc evidently prefect checkov postgres serve-compiled serve-lightgbm serve-sklearn neural serve-neural boosters serve-boosters dask console notify notifier deploy-azure deploy-aws tunnel notebooks site kinesis kafka lambda ci bench quality
COMPILE := uv pip compile -q --universal --python-version 3.11 --fork-strategy fewest --no-header --no-annotate --no-strip-extras --generate-hashes

NOTEBOOKS := $(basename $(notdir $(wildcard model-development/*.ipynb)))

.DEFAULT_GOAL := help
.PHONY: help run mlflow console test test-marked check serve bench bench-train bench-preprocess bench-tune bench-quality bench-serve bench-requests bench-compiled bench-memory bench-drift bench-streams bench-score bench-scale bench-dask bench-shadow bench-deploy bench-push structure image soak coverage evidently prefect loop console-pictures notebooks lock audit docs clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {name[++n] = $$1; about[n] = $$2; if (length($$1) > width) width = length($$1)} \
	    END {for (i = 1; i <= n; i++) printf "  make %-" width "s  %s\n", name[i], about[i]}' $(MAKEFILE_LIST)

run: $(STAMP) ## Environment, then the whole chain on config.toml
	$(BIN)/python run.py $(ARGS)

mlflow: $(STAMP) ## Open MLflow's page on what was tracked, on port 5000
	mkdir -p model-development
	PATH="$(CURDIR)/$(BIN):$$PATH" MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true \
	    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server \
	    --backend-store-uri sqlite:///model-development/mlflow.db --artifacts-destination model-development/mlartifacts \
	    --host 127.0.0.1 --port 5000 --workers 1

serve: $(STAMP) ## Serve the newest approved model on port 5001
	$(BIN)/python app.py $(ARGS)

console: $(STAMP) ## Show the console on port 8501: a front end for the service in a browser
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/console.txt
	$(BIN)/python -m lightmodel console $(ARGS)

test: $(DEV_STAMP) ## Environment, then the tests that need nothing else
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not ($(MARKED))" $(ARGS)

test-marked: $(DEV_STAMP) ## The tests that need services, browsers or a compiler (see .ci/run)
	$(BIN)/python -m pytest -m "$(MARKED)" $(ARGS)

check: $(DEV_STAMP) ## Lint, types, layers, and the words of the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/repo/test_words.py

bench: bench-train bench-preprocess bench-tune bench-quality bench-serve bench-requests bench-compiled bench-memory bench-drift bench-streams bench-score bench-scale bench-dask bench-shadow bench-deploy bench-push image ## All measurements that the README quotes

coverage: $(DEV_STAMP) ## The tests, with branch coverage
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not ($(MARKED))" --cov --cov-report=term --cov-fail-under=0 $(ARGS)

bench-train: $(STAMP) ## Training against the plain recipe (minutes)
	$(BIN)/python -m benchmarks.train

bench-preprocess: $(STAMP) ## Preparing a table of dates, amounts and texts, against pandas
	$(BIN)/python -m benchmarks.preprocess

bench-tune: $(DEV_STAMP) ## Tuning against Optuna over lgb.cv (minutes)
	$(BIN)/python -m benchmarks.tune

bench-quality: $(DEV_STAMP) $(QUALITY)/.requirements ## Models against boosters' defaults, FLAML and AutoGluon (40 minutes)
	$(BIN)/python -m benchmarks.quality --python $(QUALITY)/bin/python $(TABLES)

bench-serve: $(DEV_STAMP) ## The service against MLflow and plain Flask (minutes; needs wrk)
	$(BIN)/python -m benchmarks.serve

bench-requests: $(DEV_STAMP) ## One JSON row a request, against the shortest FastAPI service (minutes; needs wrk)
	$(BIN)/python -m benchmarks.requests

bench-compiled: $(DEV_STAMP) ## Compiled models against LightGBM, and lleaves if it is there
	$(BIN)/python -m benchmarks.compiled

bench-memory: $(DEV_STAMP) ## What 50 uploads of 500,000 rows leave in the service's memory (minutes)
	$(BIN)/python -m benchmarks.memory

bench-drift: $(STAMP) ## Drift of 200,000 rows of 200 columns, against scipy's ks_2samp
	$(BIN)/python -m benchmarks.drift

bench-scale: $(DEV_STAMP) ## Tables that grow to 2,000,000 rows, against pyarrow, Polars and DuckDB (an hour)
	$(BIN)/python -m benchmarks.scale

bench-shadow: $(DEV_STAMP) ## What a challenger costs the answers, with one and without in turns (minutes)
	$(BIN)/python -m benchmarks.shadow

bench-streams: $(DEV_STAMP) ## Cold start and batches of the Lambda function, against a handler of pandas and joblib
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lambda.txt
	$(BIN)/python -m benchmarks.streams

bench-score: $(DEV_STAMP) ## Scoring a file of 2,000,000 rows, against chunks of pandas and Booster.predict (minutes)
	$(BIN)/python -m benchmarks.score

bench-dask: $(DEV_STAMP) ## Folds on two workers of a Dask cluster, against one and against this process
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dask.txt
	$(BIN)/python -m benchmarks.dask_folds

bench-deploy: $(DEV_STAMP) ## Ten deployments under load, and what failed (needs Docker)
	$(BIN)/python -m benchmarks.deploy

bench-push: $(DEV_STAMP) ## From git push to the new version answering (needs Docker)
	$(BIN)/python -m benchmarks.push

structure: $(STAMP) ## Lines and modules, and the files that a request and a training run go through
	$(BIN)/python -m benchmarks.structure

image: $(DEV_STAMP) ## Build the images; print their sizes and how soon they answer (needs Docker)
	$(BIN)/python -m benchmarks.image

soak: $(DEV_STAMP) ## Ten minutes of requests, and what they do to the memory
	$(BIN)/python -m benchmarks.soak

docs: $(STAMP) ## Write the pages that are made from the code, and build the site in var/site
	$(BIN)/python -m lightmodel docs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/site.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

evidently: $(EVIDENTLY)/.requirements ## Evidently's environment, for drift --evidently

prefect: $(PREFECT)/.requirements ## Prefect's environment, for flows run and flows serve

loop: $(DEV_STAMP) ## Run the whole loop beside Prometheus and Alertmanager, and draw it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/ci.txt
	$(BIN)/python -m tests.e2e.loop docs/loop.png

console-pictures: $(DEV_STAMP) ## Draw the console's pictures for the documentation (needs Chromium)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/ci.txt
	$(BIN)/python -m tests.e2e.console_pictures docs

notebooks: $(DEV_STAMP) ## Execute model-development/*.ipynb, and render them into docs/notebooks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/notebooks.txt
	mkdir -p var/notebooks
	for name in $(NOTEBOOKS); do \
		LIGHTMODEL__STORE__ROOT=var/notebooks LIGHTMODEL__STORE__WORK=var/notebooks/work \
			$(BIN)/papermill --log-level ERROR --no-progress-bar --kernel python3 --cwd model-development \
			model-development/$$name.ipynb var/notebooks/$$name.ipynb && \
		$(BIN)/jupyter-nbconvert --log-level ERROR --to markdown --output-dir docs/notebooks \
			--NbConvertBase.display_data_priority image/png --NbConvertBase.display_data_priority text/plain \
			var/notebooks/$$name.ipynb && \
		sed -i.old 's/\.ipynb)/.md)/' docs/notebooks/$$name.md && rm docs/notebooks/$$name.md.old || exit 1; \
	done

lock: ## Resolve requirements/*.in to exact pins (needs uv)
	for name in core $(LOCKED); do \
		file=requirements/$$name.txt; [ $$name != core ] || file=requirements.txt; \
		$(COMPILE) requirements/$$name.in -o $$file && awk -f requirements/extras.awk $$file > $$file.part && \
		mv $$file.part $$file || exit 1; \
	done

audit: $(AUDIT)/.requirements ## Look up known vulnerabilities of all locked requirements
	@PATH="$(CURDIR)/$(AUDIT)/bin:$$PATH" $(AUDIT)/bin/python deploy/audit.py $(ARGS) requirements.txt requirements/*.txt

clean: ## Remove the environment and the caches; models and splits stay
	rm -rf $(VENV) $(EVIDENTLY) $(PREFECT) $(AUDIT) $(QUALITY) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("light-model needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d: try make PYTHON=python3.12" % sys.version_info[:2] if not (3, 11) <= sys.version_info < (3, 14) else 0)'
	$(PYTHON) -m venv $(VENV)

$(STAMP): requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

$(DEV_STAMP): requirements/dev.txt $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

$(EVIDENTLY)/.requirements: requirements/evidently.txt
	$(PYTHON) -m venv $(EVIDENTLY)
	$(EVIDENTLY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/evidently.txt
	touch $@

$(PREFECT)/.requirements: requirements/prefect.txt
	$(PYTHON) -m venv $(PREFECT)
	$(PREFECT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/prefect.txt
	touch $@

$(QUALITY)/.requirements: requirements/quality.txt
	$(PYTHON) -m venv $(QUALITY)
	$(QUALITY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/quality.txt
	touch $@

$(AUDIT)/.requirements: requirements/audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	touch $@
