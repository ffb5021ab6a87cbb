# make demo | make test | make bench-step | bench-models | bench-saliency |
# bench-predict | bench-gpu: each sets up what it needs, once.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Most modules are never imported: bytecode is left to the first import.
INSTALL := install --quiet --disable-pip-version-check --no-compile
PIP := $(PY) -m pip $(INSTALL) --constraint constraints.txt
BENCH := .venv-bench
VIDEO := .venv-bench-video
CONFIG ?= configs/mfcnn.py
WORKDIR ?= runs/demo

.PHONY: demo test test-all lint constraints clean
.PHONY: bench-step bench-models bench-saliency bench-gpu bench-predict

demo: $(VENV)/.installed
	$(PY) -m mefnet_jax.main --config=$(CONFIG) --workdir=$(WORKDIR)
	test -e $(WORKDIR)/face.mp4 || $(PY) -m mefnet_jax.synthetic.recording \
	  --out=$(WORKDIR)/face.mp4 --seconds=12 --seed=4
	$(PY) -m mefnet_jax.predict $(WORKDIR)/face.mp4 --out=$(WORKDIR)/events \
	  --show-faces

test: $(VENV)/.installed-test
	$(PY) -m pytest --numprocesses=auto --dist=loadfile \
	  --no-loadscope-reorder

test-all: $(VENV)/.installed-test  # also what is marked slow
	$(PY) -m pytest --numprocesses=auto --dist=loadfile \
	  --no-loadscope-reorder -m ''

lint: $(VENV)/.installed-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

bench-step: $(VENV)/.installed $(BENCH)/.installed
	$(PY) -m benchmarks.step --peers=$(BENCH)/bin/python

bench-gpu: $(VENV)/.installed-test $(BENCH)/.installed
	$(PY) -m benchmarks.gpu --peers=$(BENCH)/bin/python

bench-models: $(VENV)/.installed $(BENCH)/.installed
	$(PY) -m benchmarks.models --peers=$(BENCH)/bin/python

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "error: Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml constraints.txt \
    | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) -e '.[test]'
	touch $@

constraints: $(VENV)/.installed-test  # after an update, and before .ci/run
	(sed '/^[^#]/d' constraints.txt; \
	  $(PY) -m pip freeze --exclude-editable) > constraints.new
	mv constraints.new constraints.txt

$(BENCH)/.installed: benchmarks/requirements-peers.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip $(INSTALL) -r benchmarks/requirements-peers.txt
	touch $@

$(VIDEO)/.installed: benchmarks/requirements-video-peers.txt
	$(PYTHON) -m venv $(VIDEO)
	$(VIDEO)/bin/python -m pip $(INSTALL) -r $<
	$(VIDEO)/bin/python -m pip $(INSTALL) --no-deps fer==25.10.3
	touch $@

bench-predict: $(VENV)/.installed $(VIDEO)/.installed
	$(PY) -m benchmarks.predict --peers=$(VIDEO)/bin/python

bench-saliency: $(VENV)/.installed $(BENCH)/.installed
	$(PY) -m benchmarks.saliency --peers=$(BENCH)/bin/python

clean:
	rm -rf $(VENV) $(BENCH) $(VIDEO) .venv-newest
