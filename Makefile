# The habits of the project. Each target makes what it needs on a machine that has only python3 and a network.
.DEFAULT_GOAL := help
.PHONY: help demo test cover check format screenshots bench soak lock clean

VENV := .venv
BIN := $(VENV)/bin
SOURCES := providers vault tui styles tests tools

# Each module is compiled once, and not anew in each of the hundreds of processes that the tests start.
test cover soak: export PYTHONDONTWRITEBYTECODE :=

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(VENV)/.run: requirements.txt tools/venv tools/python
	@tools/venv $(VENV) requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt pyproject.toml tools/venv tools/python
	@tools/venv $(VENV) requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

demo: $(VENV)/.run ## open the desk over five emulated services
	@$(BIN)/python -m tui demo

test: $(VENV)/.dev ## run the tests
	$(BIN)/python -m pytest -n 6 --dist worksteal

cover: $(VENV)/.dev ## measure how much of providers and vault their tests run: at least 95 % of branches
	$(BIN)/python -m pytest -n 6 --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=95 tests/providers tests/vault

check: $(VENV)/.dev ## format, lint, types, contracts, pictures
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/screenshots.py --check

format: $(VENV)/.dev ## format and sort
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

screenshots: $(VENV)/.dev ## make the pictures of the README from the demo
	$(BIN)/python tools/screenshots.py

bench: $(VENV)/.dev ## measure, beside public tools
	$(BIN)/python -m tests.bench

soak: $(VENV)/.dev ## the long campaigns
	REELDESK_KILLS=300 HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -n auto tests/vault tests/providers \
		tests/tui/test_hostile_titles.py tests/tui/test_wire.py tests/e2e/test_canary.py tests/e2e/test_canary_desk.py \
		tests/e2e/test_terminal_wire.py tests/e2e/test_terminal_stall.py

lock: $(VENV)/.dev ## renew the locked requirements
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 pyproject.toml --group dev -o requirements-dev.txt

clean: ## remove what was made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
