# The course in four words: `make run`, `make lab`, `make test`, `make bench`. Each sets up what it needs.
# PYTHON may name one; else the first that is 3.10 to 3.14.
RIGHT := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c '$(RIGHT)' 2>/dev/null && echo $$p && exit; done; echo python3)
# Installs where it is present; UV= is pip.
UV ?= $(shell command -v uv)
# Torch's build: plain (the registry's, with CUDA on Linux), cpu, or another folder of its index, as cu130. Empty: cpu
# where there is no NVIDIA card.
TORCH ?=
PROFILE ?= sample
BACKBONE ?=
PEOPLE ?=
export PROFILE BACKBONE PEOPLE UV TORCH
# Where it is set, every kernel would compile torch anew, twenty seconds each.
export PYTHONDONTWRITEBYTECODE =

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/ready-$(shell cksum requirements.txt data/sources.json | cut -d' ' -f1 | tr '\n' '-')
PYTEST := $(PY) -m pytest -p no:cacheprovider
TEST_OUTPUTS := outputs/test
# No test touches the reader's outputs or decisions about photos.
test-%: export FACECOURSE_OUTPUTS = $(TEST_OUTPUTS)
test-%: export FACECOURSE_FLAGS = $(TEST_OUTPUTS)/flags.csv
fuzz: export FACECOURSE_OUTPUTS = $(TEST_OUTPUTS)

.PHONY: setup run lab test lint test-unit test-notebooks test-results aws-tools test-lambda fuzz test-scale test-colab test-browser bench publish results address lock clean
# Again, too, where the Python that it was made with has gone.
ifneq ($(TORCH)$(shell test -x $(PY) || echo gone),)
.PHONY: $(STAMP)
endif

setup: $(STAMP)

$(STAMP):
	@"$(PYTHON)" -c '$(RIGHT)' || { echo 'set-up: Python 3.10 to 3.14 is needed, with pip and venv. Install one, or name it: make run PYTHON=python3.12' >&2; exit 1; }
	@"$(PYTHON)" tools/set_up.py $(VENV)
	@rm -f $(VENV)/ready-*
	@touch $@

run: setup
	$(PY) -m facecourse.run.course

# Photos reach a widget in one message, and without the last switch JupyterLab drops those over 10 MB.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)
lab: setup
	$(PY) -m jupyter lab $(AS_ROOT) --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks --ServerApp.tornado_settings='{"websocket_max_message_size": 209715200}'

# The notebooks come first: what they write is what the later tests open.
test: lint
	$(PY) tools/side_by_side.py "test-notebooks" "test-unit aws-tools"
	$(PY) tools/side_by_side.py "test-results test-lambda" "test-colab test-scale test-browser"

# Links are checked by pre-commit: that needs the network.
lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m codespell_lib
	$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-cache

test-unit: setup
	$(PYTEST) tests/unit

# The notebooks run on the sample into a folder of their own.
test-notebooks: setup
	rm -rf $(TEST_OUTPUTS)
	PROFILE=sample PEOPLE= BACKBONE= ALBUM= PHOTO= PHOTOS= TUNE_PEOPLE=9 $(PYTEST) --nbval-lax --nbval-current-env --nbval-cell-timeout=600 notebooks/0[1-689]*.ipynb

# What they wrote, and notebooks 01, 03 and 04 on a slice of real LFW if it is there.
test-results: setup
	$(PYTEST) tests/notebooks

# AWS's own tools, in an environment of their own; test-lambda makes it where it is not there yet.
aws-tools: setup
	$(PY) -m tests.lambda.aws_tools

test-lambda: setup
	$(PYTEST) tests/lambda

# Ten thousand hostile requests instead of test-lambda's three thousand, and other ones each time.
fuzz: setup
	FUZZ_REQUESTS=10000 $(PYTEST) -s tests/lambda/test_fuzz.py

# Of notebook 07; what needs its optional packages is skipped without them.
test-scale: setup
	$(PYTEST) tests/scale

test-colab: setup
	$(PYTEST) tests/colab

test-browser: setup
	$(PYTEST) tests/browser

bench: setup
	$(PY) -m tests.benchmarks

# Runs what is committed on the sample, and puts the executed notebooks, the front page's picture and the figures here.
publish: setup
	$(if $(UV),$(UV) pip install --python $(PY),$(PY) -m pip install --disable-pip-version-check) --quiet -r requirements-scale.txt
	$(PY) -m tools.publish

# After `make run PROFILE=lfw`: make results PROFILE=lfw writes its figures into docs/figures.json, README.md and the cards.
results: setup
	$(PY) -m tools.figures $(PROFILE)

# Writes the repository's address from pyproject.toml into badges, links and set-up cells.
address: setup
	$(PY) -m tools.address

# Pins everything in pyproject.toml anew, at today's versions; wants uv, and Python 3.11 or newer.
EXTRA = $(PYTHON) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['$(1)'], sep='\n')"
COMPILE := $(or $(UV),uv) pip compile --quiet --upgrade --no-python-downloads --annotation-style line --custom-compile-command "make lock"
lock:
	$(COMPILE) --universal --python-version 3.10 pyproject.toml --extra notebooks --extra deploy --extra test -o requirements.txt
	$(call EXTRA,scale) | $(COMPILE) --universal --python-version 3.10 -c requirements.txt - -o requirements-scale.txt
	$(call EXTRA,function) | $(COMPILE) --python-version 3.12 --python-platform x86_64-manylinux_2_28 --only-binary :all: --no-deps --generate-hashes -c requirements.txt - -o lambda_function/requirements.txt

clean:
	rm -rf outputs data/cache
