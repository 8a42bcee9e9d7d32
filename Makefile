# The course in four words: `make run`, `make lab`, `make test`, `make bench`. Each sets up what it needs.
PYTHON ?= python3
PROFILE ?= sample
BACKBONE ?=
PEOPLE ?=
export PROFILE BACKBONE PEOPLE

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/ready-$(shell cksum requirements.txt data/sources.json | cut -d' ' -f1 | tr '\n' '-')
PYTEST := $(PY) -m pytest -p no:cacheprovider
TEST_OUTPUTS := outputs/test

.PHONY: setup run lab test test-unit test-notebooks test-lambda test-browser bench results lint clean

setup: $(STAMP)

$(STAMP):
	$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13) and "Python 3.10 to 3.13 is needed; name one with make PYTHON=python3.11")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --disable-pip-version-check -r requirements.txt
	$(PY) -m facecourse.prepare
	rm -f $(VENV)/ready-*
	touch $@

run: setup
	$(PY) -m facecourse.course

lab: setup
	$(PY) -m jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks

test: lint test-unit test-notebooks test-lambda test-browser

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

test-unit: setup
	$(PYTEST) tests/unit

# The notebooks run on the sample into a folder of their own; what they wrote is then tested, and real LFW if it is there.
test-notebooks: setup
	rm -rf $(TEST_OUTPUTS)
	PROFILE=sample PEOPLE= BACKBONE= FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) --nbval-lax --nbval-current-env --nbval-cell-timeout=600 notebooks
	FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) tests/notebooks

test-lambda: setup
	FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) tests/lambda

test-browser: setup
	FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) tests/browser

results:
	python3 tools/update_readme.py

bench: setup
	$(PY) -m tests.benchmarks

clean:
	rm -rf outputs data/cache
