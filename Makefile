# The course in four words: `make run`, `make lab`, `make test`, `make bench`. Each sets up what it needs.
# PYTHON may name one; else the first that is 3.10 to 3.13.
RIGHT := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c '$(RIGHT)' 2>/dev/null && echo $$p && exit; done; echo python3)
PROFILE ?= sample
BACKBONE ?=
PEOPLE ?=
export PROFILE BACKBONE PEOPLE
# Where it is set, every kernel would compile torch anew, twenty seconds each.
export PYTHONDONTWRITEBYTECODE =

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/ready-$(shell cksum requirements.txt data/sources.json | cut -d' ' -f1 | tr '\n' '-')
PYTEST := $(PY) -m pytest -p no:cacheprovider
TEST_OUTPUTS := outputs/test

.PHONY: setup run lab test test-unit test-notebooks test-results test-lambda test-scale test-colab test-browser aws-tools fuzz bench publish results lint clean

setup: $(STAMP)

# Each step can be interrupted and repeated: a .venv without a working pip is made anew, a package that was not
# installed to its end (pip notes itself in INSTALLER last) is installed again, downloads go on where they stopped.
$(STAMP):
	@"$(PYTHON)" -c '$(RIGHT)' || { echo 'set-up: Python 3.10 to 3.13 is needed, with pip and venv. Install one, or name it: make run PYTHON=python3.11' >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) tools/check_machine.py
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
		{ echo 'set-up: trying it without ensurepip'; $(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(PY) install --disable-pip-version-check --quiet pip; } || \
		{ echo 'set-up: this Python cannot make environments. On Debian or Ubuntu: apt install python3-venv' >&2; exit 1; }
	@for d in $(VENV)/lib/python*/site-packages/*.dist-info; do test -e $$d/INSTALLER || rm -rf $$d; done
	$(PY) -m pip install --disable-pip-version-check --no-compile -r requirements.txt
	$(PY) -m facecourse.run.prepare
	@rm -f $(VENV)/ready-*
	@touch $@

run: setup
	$(PY) -m facecourse.run.course

# Photos reach a widget in one message, and without the last switch JupyterLab drops those over 10 MB.
lab: setup
	$(PY) -m jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks --ServerApp.tornado_settings='{"websocket_max_message_size": 209715200}'

# The notebooks come first: what they write is what the later tests open.
test: lint
	$(PY) tools/side_by_side.py "test-notebooks" "test-unit aws-tools"
	$(PY) tools/side_by_side.py "test-results test-lambda" "test-colab test-scale test-browser"

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

test-unit: setup
	$(PYTEST) tests/unit

# The notebooks run on the sample into a folder of their own.
test-notebooks: setup
	rm -rf $(TEST_OUTPUTS)
	PROFILE=sample PEOPLE= BACKBONE= FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) --nbval-lax --nbval-current-env --nbval-cell-timeout=600 notebooks/0[1-6]*.ipynb

# What they wrote, and notebooks 01 to 04 on a slice of real LFW if it is there.
test-results: setup
	FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) tests/notebooks

# AWS's own tools, in an environment of their own; test-lambda makes it where it is not there yet.
aws-tools: setup
	$(PY) -m tests.lambda.aws_tools

test-lambda: setup
	FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) tests/lambda

# Ten thousand hostile requests instead of test-lambda's three thousand, and other ones each time.
fuzz: setup
	FUZZ_REQUESTS=10000 FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) -s tests/lambda/test_fuzz.py

# Notebook 07's room; what needs its optional packages is skipped without them.
test-scale: setup
	FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) tests/scale

test-colab: setup
	FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) tests/colab

test-browser: setup
	FACECOURSE_OUTPUTS=$(TEST_OUTPUTS) $(PYTEST) tests/browser

# Runs everything on LFW with the sample people, in a copy, and writes notebooks' outputs, docs/figures.json and pictures.
publish: setup
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-scale.txt
	$(PY) -m tools.publish $(PUBLISH)

# Writes the figures of docs/figures.json into README.md and the cards.
results: setup
	$(PY) -m tools.write_figures

bench: setup
	$(PY) -m tests.benchmarks

clean:
	rm -rf outputs data/cache
