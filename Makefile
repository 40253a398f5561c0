# 'make help' lists the targets. Every target sets up the environment (.venv) if it is missing.

# The first Python that TensorFlow has wheels for; names that do not run (version managers leave such) are passed over.
PYTHON ?= $(or $(shell for p in python3 python3.12 python3.11 python3.13 python3.10; do $$p -c \
  'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done),python3)
VENV   := .venv
PY     := $(VENV)/bin/python
BUILD  ?= build

# Compiled modules are kept, whatever the environment says: without them every process that imports
# Beam takes 8 s of a core longer, and one that imports TensorFlow 20 s.
export PYTHONDONTWRITEBYTECODE :=

# Whether TensorFlow's CUDA libraries are installed: 1, 0, or auto, where the machine has an NVIDIA GPU.
GPU ?= auto

# TFDS's own default: TFDS_DATA_DIR, else ~/tensorflow_datasets.
DATA_DIR ?= $(or $(TFDS_DATA_DIR),$(HOME)/tensorflow_datasets)
DEMO     := $(BUILD)/demo
# Training falls to the demo's data where no folder is named and the default one holds no data set.
TRAIN_DATA = $(if $(filter file,$(origin DATA_DIR)),$(shell [ -e '$(DATA_DIR)/affectnet_faces' ] \
  || [ ! -e '$(DEMO)/data/affectnet_faces' ] && echo '$(DATA_DIR)' || echo '$(DEMO)/data'),$(DATA_DIR))
HOSTS    ?= 2
MODEL_DIR ?= $(DEMO)/run
BENCH_INPUT = $(or $(AFFECTNET_DIR),$(BUILD)/sample)
BENCH_NAME  = $(if $(AFFECTNET_DIR),bench,sample_bench)

# Tests run in three processes, since on two cores two of them leave a quarter idle (hosts and servers that wait);
# a file's tests stay together, and the longest files come first (tests/conftest.py).
TEST_PROCESSES ?= 3
IN_PARALLEL := --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder --durations=25

# Where 'make shards' runs: local (this machine's cores), or on the cluster of 'make flink-up' or 'make spark-up'.
RUNNER       ?= local
ENGINES      := flink spark
RUNNER_FLAGS := $(if $(filter $(ENGINES),$(RUNNER)),--flagfile=build/$(RUNNER)/cluster/flags)

# The variables that may be given, make NAME=value; any other name on the command line is refused.
define VARIABLES
  AFFECTNET_DIR:   your copy of AffectNet (shards, bench); drawn faces where none is given
  DATA_DIR:        folder of the built data set ($(DATA_DIR))
  MODEL_DIR:       model of make app ($(MODEL_DIR))
  FLAGS:           further flags of the program
  RUNNER:          where shards are built, local, flink or spark ($(RUNNER))
  HOSTS:           number of hosts of make train-hosts ($(HOSTS))
  BUILD:           folder of what is made on the way ($(BUILD))
  GPU:             1 or 0: an environment with CUDA libraries, or without ($(GPU))
  PYTHON:          Python to make the environment with ($(PYTHON))
  TEST_PROCESSES:  processes of the tests ($(TEST_PROCESSES))
endef

KNOWN   := $(patsubst %:,%,$(filter %:,$(value VARIABLES))) TFDS_DATA_DIR
UNKNOWN := $(filter-out $(KNOWN),$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
ifneq ($(UNKNOWN),)
$(error $(shell $(PYTHON) -c 'import difflib, sys; name, *known = sys.argv[1:]; near = difflib.get_close_matches(name, \
  known, 1, 0.5); print("unknown variable", name + ";", near and f"did you mean {near[0]}?" or "make help lists all")' \
  $(firstword $(UNKNOWN)) $(KNOWN)))
endif

# Here, not in the rule, which would make an environment first.
ifneq ($(filter shards,$(MAKECMDGOALS)),)
ifeq ($(filter local $(ENGINES),$(RUNNER)),)
$(error RUNNER must be local, flink or spark: got '$(RUNNER)')
endif
endif

.DEFAULT_GOAL := help
.PHONY: help demo shards train train-hosts app doctor notebook test test-quick test-faults unit-tests lint format types bench clean \
        flink-jars flink-up flink-down spark-jars spark-up spark-down

help: export LIST = $(VARIABLES)
help:  ## This list
	@echo "AffectNet Faces"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo "Variables, as make shards AFFECTNET_DIR=/data/AffectNet:"
	@echo "$$LIST"

# Modules are compiled once, here, and not by each of the programs that are started first.
# The file holds the choice of GPU; an environment that was made with the other one is installed anew.
ifneq ($(filter 0 1,$(GPU)),)
ifneq ($(GPU),$(shell cat $(VENV)/.ready 2>/dev/null))
.PHONY: $(VENV)/.ready
endif
endif

$(VENV)/.ready: setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 13) or sys.exit( \
	  "error: Python 3.10 to 3.13 is needed (TensorFlow has no wheels for others): $(PYTHON) is %d.%d. Use make PYTHON=python3.12" % v)'
	@set -e; extras=dev; gpu='$(GPU)'; why="(GPU=1)"; \
	case "$$gpu" in 0|1) ;; auto) \
	  why="as before (GPU=0 leaves them out)"; \
	  [ "$$(cat $@ 2>/dev/null)" = 1 ] && gpu=1 || { \
	  gpu=$$($(PYTHON) -c 'from trainer.distributed import nvidia; print(int(nvidia.has_device()))'); \
	  why="because this machine has an NVIDIA GPU (GPU=0 leaves them out)"; };; \
	  *) echo "error: GPU must be 1 (with CUDA libraries), 0 (without) or auto: got $$gpu"; exit 2;; \
	esac; \
	echo "environment   installing into $(VENV) (TensorFlow is 600 MB; a few minutes)"; \
	if [ "$$gpu" = 1 ]; then \
	  extras=dev,gpu; echo "environment   with TensorFlow's CUDA libraries, 2 to 3 GB more, $$why"; \
	fi; \
	$(PYTHON) -m venv $(VENV); \
	$(PY) -m pip install --quiet --disable-pip-version-check --upgrade pip uv; \
	$(VENV)/bin/uv pip install --quiet --python $(PY) --editable ".[$$extras]"; \
	$(PY) -c 'import pipeline.build, trainer.training.train' 2>/dev/null || :; \
	echo $$gpu > $@

demo: $(VENV)/.ready  ## From nothing to a trained, evaluated classifier on drawn faces, in minutes
	@$(PY) -c 'import os, sys; print("environment   .venv ready (Python %d.%d, %d CPU cores)" % (*sys.version_info[:2], os.cpu_count()))'
	@$(PY) -m pipeline.sample --output_dir=$(DEMO)/affectnet --num_images=3000 --seed=0
	@$(PY) -m pipeline.main --input_dir=$(DEMO)/affectnet --data_dir=$(DEMO)/data --balance=400
	@$(PY) -m trainer.main --data_dir=$(DEMO)/data --model_dir=$(DEMO)/run --recipe=demo
	@$(PY) -m trainer.baseline --data_dir=$(DEMO)/data | tail -1
	@echo "report        $(DEMO)/run/report.html   the model: confusion matrix, mistakes, curves"
	@echo "              $(DEMO)/data/affectnet_faces/sample/1.0.0/report.html   the data: classes, crops, rejects"
	@echo "next          . $(VENV)/bin/activate"
	@echo "              python -m trainer.main --data_dir=$(DEMO)/data --model_dir=runs/first --recipe=demo --epochs=4"
	@echo "              python -m trainer.compare $(DEMO)/run runs/first"
	@echo "              make shards AFFECTNET_DIR=/path/to/your/AffectNet"

shards: $(VENV)/.ready  ## Build shards from AFFECTNET_DIR (or drawn faces, where none is given) into DATA_DIR
	@$(if $(RUNNER_FLAGS),$(PY) -m deploy.$(RUNNER).cluster check)
ifdef AFFECTNET_DIR
	@$(PY) -m pipeline.main --input_dir='$(AFFECTNET_DIR)' --data_dir='$(DATA_DIR)' $(RUNNER_FLAGS) $(FLAGS)
else
	@echo "drawn faces   no AFFECTNET_DIR is given: drawing faces instead, which are not AffectNet"
	@$(PY) -m pipeline.sample --output_dir=$(BUILD)/sample --num_images=3000 --seed=0
	@$(PY) -m pipeline.main --input_dir=$(BUILD)/sample --data_dir='$(DATA_DIR)' $(RUNNER_FLAGS) $(FLAGS)
	@echo "drawn faces   no AFFECTNET_DIR was given: these shards are not AffectNet (make shards AFFECTNET_DIR=/path/to/AffectNet)"
endif

train: $(VENV)/.ready  ## Train on the data in DATA_DIR (or the demo's); FLAGS='--num_gpus=4 --model_dir=runs/first …'
	@$(PY) -m trainer.main --data_dir='$(TRAIN_DATA)' $(FLAGS)

train-hosts: $(VENV)/.ready  ## Train with HOSTS=2 hosts, simulated by processes on this machine's CPU (docs/scaling.md)
	@$(PY) -m trainer.hosts --hosts=$(HOSTS) -- --num_gpus=0 --data_dir='$(TRAIN_DATA)' $(FLAGS)

app: $(VENV)/.ready  ## A local web page to try MODEL_DIR on images (the demo's model where none is given)
	@$(PY) -m trainer.app --model_dir='$(MODEL_DIR)' $(FLAGS)

doctor: $(VENV)/.ready  ## Check Python, TensorFlow, CUDA, GPUs, disks and data: what is wrong, and what mends it
	@$(PY) -m trainer.doctor --data_dir='$(DATA_DIR)' $(FLAGS) || [ $$? -eq 1 ]  # 1: doubts only.

notebook: $(VENV)/.ready  ## Run docs/affectnet_faces.ipynb on drawn faces and keep its outputs
	@$(PY) -m docs.notebook

flink-jars: build/flink/job-server.jar  ## Flink and Beam's job server for it, from Maven Central (150 MB)

flink-up: $(VENV)/.ready build/flink/job-server.jar  ## Start a Flink cluster on this machine: JobManager, two TaskManagers
	@$(PY) -m deploy.flink.cluster up $(FLAGS)

flink-down: $(VENV)/.ready  ## Stop the Flink cluster
	@$(PY) -m deploy.flink.cluster down $(FLAGS)

spark-jars: build/spark/job-server.jar  ## Spark and Beam's job server for it, from Maven Central (260 MB)

spark-up: $(VENV)/.ready build/spark/job-server.jar  ## Start a Spark cluster on this machine: master, two workers
	@$(PY) -m deploy.spark.cluster up $(FLAGS)

spark-down: $(VENV)/.ready  ## Stop the Spark cluster
	@$(PY) -m deploy.spark.cluster down $(FLAGS)

# Jars of an older pom.xml would be on the class path, too.
build/%/job-server.jar: deploy/%/pom.xml
	@command -v mvn > /dev/null || { echo "error: no mvn on the path: Maven fetches the jars of $* (Debian: apt-get install maven openjdk-17-jdk-headless)"; exit 2; }
	@command -v java > /dev/null || { echo "error: no java on the path: Maven needs it (Debian: apt-get install openjdk-17-jdk-headless)"; exit 2; }
	@echo "$*         fetching jars into build/$*: 150 MB of Flink, or 260 MB of Spark"
	@rm -rf build/$*/lib build/$*/jars
	@mvn -q -B -ntp -f $< package

test: $(VENV)/.ready format  ## All tests, linter and types
	@$(MAKE) --no-print-directory --jobs=2 types unit-tests  # mypy without its cache takes a core for half a minute

unit-tests: $(VENV)/.ready
	@$(PY) -m pytest $(IN_PARALLEL)

test-quick: $(VENV)/.ready  ## The tests that take seconds
	@$(PY) -m pytest -m 'not slow' $(IN_PARALLEL)

test-faults: $(VENV)/.ready  ## Many injected faults: minutes (docs/reliability.md)
	@$(PY) -m pytest -m faults tests/faults

lint: format types  ## Linter, formatter and types

format: $(VENV)/.ready
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: $(VENV)/.ready
	@$(PY) -m mypy

bench: $(VENV)/.ready  ## The benchmarks, on AFFECTNET_DIR or drawn faces (an hour on 2 cores; docs/benchmarks.md)
ifndef AFFECTNET_DIR
	@$(PY) -m pipeline.sample --output_dir=$(BUILD)/sample --num_images=3000 --seed=0
endif
	@$(PY) -m benchmarks.shards --input_dir='$(BENCH_INPUT)' --num_images=50000 --work_dir=$(BUILD)/bench/shards
	@$(PY) -m benchmarks.scale --input_dir='$(BENCH_INPUT)'
	@$(PY) -m benchmarks.plan
	@$(PY) -m pipeline.main --input_dir='$(BENCH_INPUT)' --data_dir=$(BUILD)/bench/data --config_name=$(BENCH_NAME) --balance=2500
	@$(PY) -m benchmarks.read --version_dir=$(BUILD)/bench/data/affectnet_faces/$(BENCH_NAME)/1.0.0
	@$(PY) -m benchmarks.train --data_dir=$(BUILD)/bench/data --config_name=$(BENCH_NAME)

clean:  ## Remove build/ (not the environment, not DATA_DIR)
	rm -rf $(BUILD)
