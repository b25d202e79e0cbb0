# The commands of the project. `make run` and `make test` need nothing but Python 3.11 (and make).
PYTHON_BIN := .venv/bin/python
# Where the shell forbids Python to keep what it has compiled, each of the hundreds of programs that the tests start would
# compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE
# Four workers on the two cores that it may count on: the suite is made of short real programs that wait for each other.
JOBS ?= 4
export QT_QPA_PLATFORM_TESTS ?= offscreen

.PHONY: help setup run test check format lint types layers bench torture screenshots dist clean

help:
	@echo "make setup        .venv with everything (done by the others when needed)"
	@echo "make run          the demo: a window, or figures in the terminal where there is no display"
	@echo "make test         every test"
	@echo "make check        format, lint, types, layers, tests"
	@echo "make bench        measurements against kept baselines"
	@echo "make torture      long tests with real time-outs"
	@echo "make screenshots  pictures of the window for the documentation"
	@echo "make dist         packages to install"

setup:
	@sh packaging/setup/setup.sh

run: setup
	@.venv/bin/signalbox demo $(ARGS)

# One run: what fails here is broken, whatever else the machine is doing.
test: setup
	QT_QPA_PLATFORM=$(QT_QPA_PLATFORM_TESTS) $(PYTHON_BIN) -m pytest -n $(JOBS) --dist worksteal -q $(ARGS)

check: format lint types layers test

format: setup
	$(PYTHON_BIN) -m ruff format --check .

lint: setup
	$(PYTHON_BIN) -m ruff check .

types: setup
	$(PYTHON_BIN) -m mypy

layers: setup
	.venv/bin/lint-imports

bench: setup
	$(PYTHON_BIN) tests/bench/run.py $(ARGS)

torture: setup
	QT_QPA_PLATFORM=$(QT_QPA_PLATFORM_TESTS) $(PYTHON_BIN) -m pytest tests/torture -q --timeout 3600 \
		-o addopts="--import-mode=importlib -p no:xvfb -p no:asyncio --strict-markers" $(ARGS)

screenshots: setup
	$(PYTHON_BIN) packaging/screenshots.py $(ARGS)

dist: setup
	$(PYTHON_BIN) packaging/dist.py $(ARGS)

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
