"""Runs targets, each in a process of its own, and reads off what the fuzzer says of them."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fuzz.table import load

__all__ = ["Outcome", "fuzz", "missing"]

_TESTS = Path(__file__).parents[1]
_INPUT_S = 10
"""How long one input may take."""
_RESIDENT_MB = 1500
_START_S = 150
"""For importing, and for all seeds; instrumenting them makes that slow."""
_STATE = re.compile(
    r"^#\d+\s+(?P<what>INITED|DONE|NEW|REDUCE|pulse)\s+cov: (?P<coverage>\d+) ft: (?P<features>\d+)"
    r" corp: (?P<corpus>\d+)",
    re.MULTILINE,
)
_FIGURE = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
_SAVED = re.compile(r"Test unit written to (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target."""

    target: str
    executions: int
    per_second: int
    coverage: int
    """Edges of framewire's code that were reached."""
    seed_features: int
    """Features (edges, and how often each) of the inputs that it began with."""
    features: int
    corpus: int
    """Inputs that are worth keeping: each has a feature that no other has."""
    resident_mb: int
    """Largest size of the process."""
    found: Path | None
    """The input that broke it."""
    failed: bool
    log: str

    @property
    def tail(self) -> str:
        """The end of what it said."""
        return "\n".join(self.log.splitlines()[-40:])


def missing() -> str:
    """Why there is no fuzzing here; empty if there is."""
    if find_spec("atheris"):
        return ""
    return "atheris is not installed: make fuzz does that, where there is a wheel of it"


def fuzz(target: str, folder: Path, *limits: str, seconds: int) -> Outcome:
    """Fuzz one target for `seconds` at most; `limits` are options of libFuzzer.

    `folder` keeps its corpus, which the next run begins with, and what was found.
    """
    corpus, seeds, words = _prepared(target, folder)
    options = [
        str(corpus),
        str(seeds),
        f"-dict={words}",
        f"-artifact_prefix={folder}/found/{target.rpartition(':')[2]}-",
        f"-max_len={load(target).most_bytes}",
        f"-max_total_time={seconds}",
        f"-timeout={_INPUT_S}",
        f"-rss_limit_mb={_RESIDENT_MB}",
        "-print_final_stats=1",
        *limits,
    ]
    try:
        done = _run(target, options, seconds + _INPUT_S + _START_S)
    except subprocess.TimeoutExpired as error:
        log = (error.stdout or b"").decode(errors="replace")
        return _outcome(target, 1, f"{log}\nit did not end in {error.timeout:g} s")
    return _outcome(target, done.returncode, done.stdout.decode(errors="replace"))


def _run(
    target: str, options: Sequence[str], timeout_s: float
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "fuzz.child", target, *options],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(_TESTS), *_extra_path()))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
    )


def _extra_path() -> Sequence[str]:
    given = os.environ.get("PYTHONPATH")
    return [given] if given else []


def _prepared(target: str, folder: Path) -> tuple[Path, Path, Path]:
    """The corpus that is kept, the seeds made anew, and the dictionary."""
    name = target.rpartition(":")[2]
    corpus, seeds, words = (
        folder / "corpus" / name,
        folder / "seeds" / name,
        folder / f"{name}.dict",
    )
    for each in (corpus, seeds, folder / "found"):
        each.mkdir(parents=True, exist_ok=True)
    facts = load(target)
    for number, seed in enumerate(facts.seeds()):
        (seeds / f"{number:03d}").write_bytes(seed)
    lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in facts.words)
    words.write_text("".join(f'"{line}"\n' for line in lines))
    return corpus, seeds, words


def _outcome(target: str, code: int, log: str) -> Outcome:
    states = [match.groupdict() for match in _STATE.finditer(log)]
    begun = next((each for each in states if each["what"] == "INITED"), None)
    last = states[-1] if states else {}
    figures = {name: int(value) for name, value in _FIGURE.findall(log)}
    saved = _SAVED.findall(log)
    return Outcome(
        target=target,
        executions=figures.get("number_of_executed_units", 0),
        per_second=figures.get("average_exec_per_sec", 0),
        coverage=int(last.get("coverage", 0)),
        seed_features=int(begun["features"]) if begun else 0,
        features=int(last.get("features", 0)),
        corpus=int(last.get("corpus", 0)),
        resident_mb=figures.get("peak_rss_mb", 0),
        found=Path(saved[-1]) if code and saved else None,
        failed=code != 0,
        log=log,
    )
