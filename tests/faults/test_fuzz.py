"""The fuzzer itself: it runs every target, learns as it goes, and finds what there is to find.

How long to fuzz is for `make fuzz`; what it found once is in fuzz/found/, which fuzz/test_found.py runs.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.campaign import Outcome, fuzz, missing
from fuzz.table import TARGETS, load

RUNS, SECONDS, FEWEST = 10_000, 2, 50
SEARCH_S = 15
WHEELS = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)
TESTS = Path(__file__).parents[1]

if "CI" in os.environ and WHEELS:
    assert not missing(), missing()
pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing() or "possible here"),
    pytest.mark.timeout(180),  # four seconds each, where nothing else runs
]


def searched(target: str, folder: Path) -> Outcome:
    """Until something is found."""
    return fuzz(target, folder, "-seed=1", seconds=SEARCH_S)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_and_is_explored(name: str, tmp_path: Path) -> None:
    outcome = fuzz(name, tmp_path, f"-runs={RUNS}", "-seed=1", seconds=SECONDS)
    assert not outcome.failed, outcome.tail
    assert outcome.executions >= FEWEST, outcome.tail
    assert outcome.coverage > 0, "framewire is not instrumented"
    assert outcome.corpus > 1, outcome.tail
    assert outcome.features > outcome.seed_features, outcome.tail


def test_a_planted_fault_is_found_and_saved(tmp_path: Path) -> None:
    outcome = searched("faults.planted:PLANTED", tmp_path)
    assert outcome.failed
    assert "ZeroDivisionError" in outcome.log
    assert outcome.found is not None
    data = outcome.found.read_bytes()
    with pytest.raises(ZeroDivisionError):
        load("faults.planted:PLANTED").check(data)


def test_what_claims_too_much_memory_is_found(tmp_path: Path) -> None:
    outcome = searched("faults.planted:GREEDY", tmp_path)
    assert "MemoryError" in outcome.log
    assert outcome.found is not None


def test_the_command_fails_and_tells_how_to_do_it_again(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "fuzz.all", "--folder", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(
        [*argv, "--seconds", str(SEARCH_S), "faults.planted:PLANTED"],
        check=False, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "BROKEN" in done.stdout
    again = next(line for line in done.stdout.splitlines() if line.startswith("again: "))
    once_more = subprocess.run(
        again.removeprefix("again: ").split()[1:],
        check=False, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert once_more.returncode == 1
    assert "ZeroDivisionError" in once_more.stderr
