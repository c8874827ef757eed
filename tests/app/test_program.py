"""The program around its commands."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from framewire.app import main, program
from framewire.app.program import main as start
from framewire.common import output
from framewire.common.output import Spout
from framewire.common.signals import Signals
from processes import until


class Left(BaseException):
    """With which code the process would have ended."""

    def __init__(self, code: int) -> None:
        self.code = code


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Those of this process, in which the program runs as far as it can."""

    def leave(code: int) -> None:
        raise Left(code)

    given = ["framewire"]
    monkeypatch.setattr(sys, "argv", given)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(output, "open_standard_streams", lambda: None)
    monkeypatch.setattr(program, "_raise_limit_of_files", lambda: None)
    monkeypatch.setattr(program, "_ignore_what_means_nothing", lambda: None)
    return given


def _run() -> int:
    try:
        with pytest.raises(Left) as left:
            start()
        return left.value.code
    finally:
        assert Signals.current is not None
        Signals.current.close()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Spout):
                stream.close()
        until(
            lambda: not any(each.name.startswith("framewire-std") for each in threading.enumerate())
        )


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (OSError(errno.EMFILE, "Too many"), 1, "too many files and connections are open"),
        (OSError(errno.ENOSPC, "No space left", "a.txt"), 1, "the system refused: a.txt: No space"),
        (MemoryError(), 1, "not enough memory"),
        (BrokenPipeError(), 0, ""),
        (ValueError("a defect"), 1, "Traceback"),
    ],
)
def test_what_fails_is_said(
    arguments: list[str],
    failure: Exception,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(main, "_app", lambda: fail)
    arguments.append("info")
    assert _run() == code
    errors = capfd.readouterr().err
    assert said in errors
    assert errors.count("\n") <= 1 or said == "Traceback"


@pytest.mark.parametrize("command", ["send", "view", "export", "info"])
def test_who_moves_frames_does_not_wait_for_readers(
    arguments: list[str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[object] = []

    def run() -> int:
        found.append(sys.stdout)
        return 0

    monkeypatch.setattr(main, "run", run)
    arguments.append(command)
    assert _run() == 0
    assert isinstance(found[0], Spout) == (command in ("send", "view"))


def test_all_that_run_on_are_among_them() -> None:
    assert set(main.COMMANDS) >= program._LIVE


def test_it_loads_nothing_of_weight_before_it_takes_signals() -> None:
    script = "import sys; import framewire.app.program; print('cyclopts' in sys.modules, 'msgspec' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False\n"
