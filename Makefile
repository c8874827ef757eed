# One virtual environment, made on first use; no target needs root.
PYTHON ?= python3
PY := .venv/bin/python

demo: .venv/ok ; .venv/bin/framewire demo
# One by one what measures time; side by side what only computes, and faults, which mostly wait. What failed
# is run once more, alone: beside others on a busy machine it proves nothing. Both outcomes are printed.
ALONE := tests/system tests/test_readme.py tests/test_samples.py
tests = $(PY) -m pytest $(1) $(2) || $(PY) -m pytest --last-failed --last-failed-no-failures none $(2)
test: .venv/ok $(if $(CI),.venv/fuzz)
	$(call tests,-n 2,$(ALONE:%=--ignore %) --ignore tests/faults)
	$(call tests,,$(ALONE))
	$(call tests,-n 4,tests/faults)
soak: .venv/ok ; PYTHONPATH=tests $(PY) -m soak --seconds $(or $(SOAK_SECONDS),600) $(addprefix --seed ,$(SOAK_SEED))
lint: .venv/ok ; .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
clips: .venv/ok ; $(PY) samples/make_clips.py
bench: .venv/bench ; $(PY) benchmarks/all.py
fuzz: .venv/fuzz ; PYTHONPATH=tests $(PY) -m fuzz.all --seconds $(or $(FUZZ_SECONDS),60) $(TARGET)

$(PY): ; $(PYTHON) -m venv .venv
.venv/ok: pyproject.toml constraints.txt | $(PY)
	$(PY) -m pip install -q -c constraints.txt -e '.[dev]' && touch $@
.venv/bench: pyproject.toml constraints.txt | $(PY)
	$(PY) -m pip install -q -c constraints.txt -e '.[bench]' && touch $@
.venv/fuzz: pyproject.toml constraints.txt | $(PY)
	$(PY) -m pip install -q -c constraints.txt -e '.[fuzz]' && touch $@
.PHONY: demo soak test lint clips bench fuzz
