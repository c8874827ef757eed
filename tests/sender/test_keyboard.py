"""Keys from a pseudo-terminal, which must be afterwards as it was before."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from queue import Queue
from typing import TextIO

import pytest

from framewire.sender import keyboard
from framewire.sender.keyboard import Keyboard
from processes import CLIPS, DEADLINE_S


@dataclass
class Terminal:
    typing: int
    """The end where keys are pressed."""
    stream: TextIO

    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self.stream.fileno()))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """It is not this process's own, so that nothing says who is in its foreground."""
    monkeypatch.setattr(keyboard, "_is_ours", lambda fd: True)
    typing, shown = pty.openpty()
    with os.fdopen(shown) as stream:
        yield Terminal(typing, stream)
    os.close(typing)


def test_keys_come_one_by_one(terminal: Terminal) -> None:
    pressed: Queue[str] = Queue()
    before = terminal.settings()
    with Keyboard(pressed.put, stream=terminal.stream) as keys:
        assert keys.active
        assert terminal.settings() != before
        os.write(terminal.typing, " .q\x1b[C\x1b[D\x1bOC\x1bODé!".encode())
        found = [pressed.get(timeout=DEADLINE_S) for _ in range(8)]
    assert found == [" ", ".", "q", "right", "left", "right", "left", "!"]
    assert terminal.settings() == before
    keys.close()  # may be called again


def test_ticks(terminal: Terminal) -> None:
    ticks: Queue[None] = Queue()
    with Keyboard(lambda key: None, lambda: ticks.put(None), terminal.stream):
        for _ in range(2):
            ticks.get(timeout=DEADLINE_S)


def test_the_terminal_is_put_back_after_an_exception(terminal: Terminal) -> None:
    before = terminal.settings()
    with pytest.raises(ZeroDivisionError), Keyboard(lambda key: None, stream=terminal.stream):
        raise ZeroDivisionError
    assert terminal.settings() == before


def test_a_key_may_close_it(terminal: Terminal) -> None:
    before, closed = terminal.settings(), Queue[bool]()

    def close(key: str) -> None:
        keys.close()
        closed.put(True)

    keys = Keyboard(close, stream=terminal.stream)
    os.write(terminal.typing, b"x")
    assert closed.get(timeout=DEADLINE_S)
    assert terminal.settings() == before
    assert not keys.active


@pytest.mark.parametrize("stream", [StringIO(), None])
def test_without_a_terminal_nothing_happens(
    stream: TextIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with Keyboard(lambda key: None, stream=stream) as keys:
        assert not keys.active


def test_a_terminal_of_others_is_left_alone() -> None:
    typing, shown = pty.openpty()
    with os.fdopen(shown) as stream, Keyboard(lambda key: None, stream=stream) as keys:
        assert not keys.active
    os.close(typing)


# -- a real replay in a terminal of its own -------------------------------------------------------


class Replay:
    """`framewire replay` whose controlling terminal is a pseudo-terminal."""

    def __init__(self, *arguments: str) -> None:
        self.typing, self._theirs = pty.openpty()
        self.before = termios.tcgetattr(self._theirs)
        self.process = subprocess.Popen(
            ["setsid", "-c", sys.executable, "-m", "framewire", "replay", *arguments],
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
        )  # fmt: skip
        os.set_blocking(self.typing, False)
        self.shown = ""

    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self._theirs))

    def until(self, words: str) -> None:
        """Read on until it shows them."""
        end_s, seen = time.monotonic() + DEADLINE_S, len(self.shown)
        while words not in self.shown[seen:]:
            assert time.monotonic() < end_s, f"no {words!r} in {self.shown[-500:]!r}"
            try:
                self.shown += os.read(self.typing, 65536).decode()
            except BlockingIOError:
                time.sleep(0.01)

    def press(self, keys: str) -> None:
        os.write(self.typing, keys.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.typing)
        os.close(self._theirs)


@pytest.fixture
def replay() -> Iterator[Replay]:
    if not shutil.which("setsid"):
        pytest.skip("setsid is not installed here")
    playing = Replay(
        str(CLIPS / "yard.mkv"), "--loop", "--speed", "0.5", "--bind", "tcp://127.0.0.1:*"
    )
    yield playing
    playing.close()


def test_a_replay_is_steered_by_keys(replay: Replay) -> None:
    replay.until("/ 2.11 s, x0.5; ")
    assert replay.settings() != replay.before
    replay.press(" ")
    replay.until("x0.5, paused; ")
    replay.press("..\x1b[D")
    replay.until("x0.5, paused; ")
    replay.press(" ")
    replay.until("x0.5; ")
    replay.press("q")
    assert replay.process.wait(DEADLINE_S) == 0
    assert replay.settings() == replay.before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_pause_puts_the_terminal_back(replay: Replay, number: signal.Signals) -> None:
    replay.until("x0.5; ")
    replay.press(" ")
    replay.until("paused; ")
    if number == signal.SIGINT:
        replay.press("\x03")  # Ctrl-C
    else:
        replay.process.send_signal(number)
    assert replay.process.wait(DEADLINE_S) == 0
    assert replay.settings() == replay.before
