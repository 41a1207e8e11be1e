# Two commands are all a newcomer needs: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.ready
export UV_PYTHON_DOWNLOADS := never
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
JOBS ?= 2

.PHONY: run test lint bench new services lock clean

run: $(STAMP)            ## start the SOC at http://127.0.0.1:8050
	$(BIN)/soc up

test: $(STAMP)           ## every test; one whose real server is absent is skipped with the package to install
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: $(STAMP)           ## ruff, mypy --strict, the import rule
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

bench: $(STAMP)          ## speed, as ratios measured side by side; `make bench what=detect` for one part
	$(BIN)/soc bench $(what)

new: $(STAMP)            ## a new extension with its test: make new kind=parser name=nginx
	$(BIN)/python -m soc.scaffold $(kind) $(name)

services: $(STAMP)       ## the real servers that tests use, from Debian packages (asks for root)
	bash tests/servers/install.sh

lock: $(STAMP)           ## resolve the dependencies again and write requirements.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --all-extras --group dev pyproject.toml -o requirements.lock

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(UV) || $(BIN)/python -m pip install -q uv==0.13.9
	$(UV) pip sync -q --require-hashes requirements.lock
	$(UV) pip install -q --no-deps -e .
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
