# make run · make qc · make test · make test-slurm · make lint · make clean: each makes the environment first when it is missing or out of date.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed-from-lock
ARGS ?=
# GPU jobs run one at a time; on a machine without a GPU as many as there are cores.
GPUS ?= $(if $(wildcard /dev/nvidia[0-9]*),1,$(CORES))

.PHONY: run qc broken-corpus test test-all test-slurm lint format clean unlock bench minutes models fuzz

run: $(READY)
	$(BIN)/snakemake --cores $(CORES) --resources gpu=$(GPUS) $(ARGS)

qc: $(READY)
	$(BIN)/snakemake --cores $(CORES) qc $(ARGS)

broken-corpus: $(READY)
	$(BIN)/python -m tests.faults.broken_corpus results/broken/corpus
	$(BIN)/snakemake --cores $(CORES) qc --configfile workflow/presets/broken.yaml $(ARGS)

test: $(READY)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not slurm" $(ARGS)

# Brings a real SLURM up on this machine (root, apt), runs `tiny` and the faults on it, takes it down. The packages stay.
test-slurm: $(READY)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -m slurm -s tests/slurm $(ARGS)

# All but those of test-slurm, which install SLURM and bring it up.
test-all: $(READY)
	$(BIN)/python -m pytest -m "not slurm" $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check --compact-diff Snakefile workflow/rules

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules

bench: $(READY)
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m benchmarks $(ARGS)

minutes: $(READY)
	$(BIN)/python -m workflow.lib.minutes $(ARGS)

fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz $(ARGS)

models: $(READY)
	$(BIN)/python -m pipeline.models

unlock: $(READY)
	$(BIN)/snakemake --unlock --cores 1 $(ARGS)

clean:
	rm -rf .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +

$(READY): envs/requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: none found as python3.11 or python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing the pinned environment into $(VENV) (a few minutes, about 2 GB) ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements.lock
	@touch $@
