"""How commands are stopped and what they print."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from framewire.common import terminal
from framewire.common.clock import NS, monotonic_ns
from framewire.common.terminal import (
    LiveLine,
    Stopper,
    megabits,
    print_json,
    set_up_logging,
)

DEADLINE_S = 20


def _until(condition: Callable[[], bool]) -> None:
    deadline = monotonic_ns() + DEADLINE_S * NS
    while not condition():
        assert monotonic_ns() < deadline, "it did not come about"
        time.sleep(0.002)


# -- Stopper ------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def signals_are_as_before() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before
    wakeup = signal.set_wakeup_fd(-1)
    assert wakeup == -1
    assert not [each for each in threading.enumerate() if each.name == "framewire-stopper"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop(number: signal.Signals) -> None:
    called: list[str] = []
    asked = threading.Event()

    def note() -> None:
        called.append(threading.current_thread().name)

    with Stopper(note, asked.set) as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
        assert asked.wait(DEADLINE_S)
    assert called == ["framewire-stopper"]  # not in the handler, which must not take locks


def test_time_asks_to_stop() -> None:
    asked = threading.Event()
    with Stopper(asked.set, duration=0.01) as stop:
        assert asked.wait(DEADLINE_S)
        assert stop.requested


def test_what_ends_by_itself_is_not_asked_to_stop() -> None:
    called: list[int] = []
    with Stopper(lambda: called.append(1), duration=1000) as stop:
        pass
    assert called == []
    assert not stop.requested


def test_it_closes_once() -> None:
    stop = Stopper()
    stop.close()
    stop.close()


def test_a_wakeup_socket_of_somebody_else_is_put_back() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer)
    try:
        with Stopper():
            pass
    finally:
        assert signal.set_wakeup_fd(before) == writer
        os.close(reader)
        os.close(writer)


def _room(stop: Stopper) -> int:
    """Put something into the wake-up socket; how much went in."""
    try:
        return stop._writer.send(b"\0" * 4096)
    except BlockingIOError:
        return 0


def test_a_full_wakeup_socket_does_not_hinder_the_end() -> None:
    """Nobody reads it while `on_stop` works."""
    go_on = threading.Event()

    def work() -> None:
        go_on.wait(DEADLINE_S)

    with Stopper(work) as stop:
        signal.raise_signal(signal.SIGTERM)
        while _room(stop):
            pass
        go_on.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_duration_of_nothing_is_over_at_once() -> None:
    asked = threading.Event()
    with Stopper(asked.set, duration=0) as stop:
        _until(lambda: asked.is_set() or not stop._thread.is_alive())
        assert asked.is_set()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")
def test_another_signal_stops_nothing() -> None:
    called: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        with Stopper(lambda: called.append(1)):
            signal.raise_signal(signal.SIGUSR1)
        assert called == []
    finally:
        signal.signal(signal.SIGUSR1, before)


STOPPED_TWICE = """
import signal, sys, threading
from framewire.common.terminal import Stopper

asked = threading.Event()
with Stopper(asked.set):
    print("ready", flush=True)
    asked.wait()
    print("asked", flush=True)
    threading.Event().wait()  # it does not end: it hangs
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once(first: signal.Signals, second: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED_TWICE], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(first)
            assert process.stdout.readline() == "asked\n"
            process.send_signal(second)
            assert process.wait(DEADLINE_S) == -second
        finally:
            process.kill()


# -- LiveLine -----------------------------------------------------------------------------------


class Screen(io.StringIO):
    """Text output that may be a terminal."""

    def __init__(self, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


class Clock:
    """A monotonic clock that stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1000 * NS
        monkeypatch.setattr(terminal, "monotonic_ns", lambda: self.now_ns)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def _never() -> str:
    raise AssertionError("asked for a text that nobody sees")


def test_on_a_terminal_the_line_is_renewed_in_place(clock: Clock) -> None:
    screen = Screen(tty=True)
    with LiveLine(out=screen) as line:
        line.update(lambda: "one")
        line.update(_never)
        clock.now_ns += NS // 5
        line.update(lambda: "two")
    assert screen.getvalue() == "\r\x1b[2Kone\r\x1b[2Ktwo\n"
    line.close()
    assert screen.getvalue().count("\n") == 1


def test_elsewhere_a_line_comes_now_and_then(clock: Clock) -> None:
    screen = Screen(tty=False)
    with LiveLine(out=screen) as line:
        line.update(lambda: "one")
        clock.now_ns += 5 * NS - 1
        line.update(_never)
        clock.now_ns += 1
        line.update(lambda: "two")
    assert screen.getvalue() == "one\ntwo\n"


@pytest.mark.parametrize("tty", [True, False])
def test_without_an_update_nothing_is_printed(tty: bool) -> None:
    screen = Screen(tty)
    with LiveLine(out=screen):
        pass
    with LiveLine(out=screen, quiet=True) as line:
        line.update(_never)
    assert screen.getvalue() == ""


def test_it_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveLine() as line:
        line.update(lambda: "figures")
    assert capsys.readouterr() == ("", "figures\n")


# -- what is printed ----------------------------------------------------------------------------


def test_json_is_one_line_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(event="figures", fps=29.97, nothing=None, more={"a": [1, 2]}, text="zwei\nZeilen")
    print_json(event="next", path=os.devnull)
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {
        "event": "figures",
        "fps": 29.97,
        "nothing": None,
        "more": {"a": [1, 2]},
        "text": "zwei\nZeilen",
    }
    assert json.loads(second)["event"] == "next"


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(age=float("nan"), fps=0.0)
    assert capsys.readouterr().out == '{"age": null, "fps": 0.0}\n'


def test_what_json_does_not_know_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(signal=ValueError("bad"), raw=b"\0")
    assert json.loads(capsys.readouterr().out) == {"signal": "bad", "raw": "b'\\x00'"}


@pytest.mark.parametrize(
    ("bits_per_s", "text"), [(0, "0.0 Mbit/s"), (1_250_000, "1.2 Mbit/s"), (10**9, "1000.0 Mbit/s")]
)
def test_bit_rates(bits_per_s: float, text: str) -> None:
    assert megabits(bits_per_s) == text


@pytest.mark.parametrize(
    ("verbose", "expected"),
    [
        (False, "framewire: refused\n"),
        (True, "framewire: detail\nframewire: refused\n"),
    ],
)
def test_log_lines_are_on_stderr(
    verbose: bool,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    level = logging.root.level
    monkeypatch.setattr(logging.root, "handlers", [])
    try:
        set_up_logging(verbose=verbose)
        log = logging.getLogger("framewire.test")
        log.debug("detail")
        log.warning("refused")
    finally:
        logging.root.setLevel(level)
    assert capsys.readouterr() == ("", expected)
