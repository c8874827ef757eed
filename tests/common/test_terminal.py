"""How commands are stopped and what they print."""

import io
import json
import logging
import os
import signal
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
    ours = ("framewire-stopper", "framewire-signals")
    assert not [each for each in threading.enumerate() if each.name in ours]


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


def test_what_cannot_be_ended_does_not_keep_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    asked = threading.Event()

    def fail() -> None:
        raise ValueError("broken")

    with Stopper(fail, asked.set, duration=0.01):
        assert asked.wait(DEADLINE_S)
    assert "not everything could be ended" in caplog.text


def test_one_within_another_and_one_after_another() -> None:
    with Stopper() as outer:
        with Stopper(duration=0.01) as inner:
            _until(lambda: inner.requested)
            assert not inner.signalled
        assert not outer.requested
        with Stopper():
            signal.raise_signal(signal.SIGTERM)
        assert outer.wait(DEADLINE_S)
        with Stopper() as late:
            assert late.signalled


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
