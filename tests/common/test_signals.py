"""What a program does when it is asked to end, wherever it is."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from framewire.common.signals import Signals
from processes import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Ends:
    """What the program said and left with; it goes on instead."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.said: list[str] = []


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def signals(ends: Ends) -> Iterator[Signals]:
    before = [signal.getsignal(number) for number in ENDING]
    with Signals(leave=ends.codes.append, say=ends.said.append) as opened:
        yield opened
    assert [signal.getsignal(number) for number in ENDING] == before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("number", ENDING)
def test_while_it_begins_a_signal_ends_it_at_once(
    signals: Signals, ends: Ends, number: signal.Signals
) -> None:
    signal.raise_signal(number)
    until(lambda: bool(ends.codes), 5)
    assert ends.codes == [0]


@pytest.mark.parametrize("number", ENDING)
def test_while_it_works_it_is_asked_and_a_second_signal_ends_it(
    signals: Signals, ends: Ends, number: signal.Signals
) -> None:
    asked = threading.Event()
    signals.enter(asked.set)
    signal.raise_signal(number)
    assert signals.asked
    assert asked.wait(5)
    assert not ends.codes
    signal.raise_signal(number)
    until(lambda: bool(ends.codes), 5)
    assert ends.codes == [128 + number]


def test_while_it_finishes_a_signal_leaves_it_to_that(signals: Signals, ends: Ends) -> None:
    asked = threading.Event()
    signals.enter(asked.set)
    signals.exit(asked.set)
    signal.raise_signal(signal.SIGTERM)
    until(lambda: signals._asked_at_ns is not None, 5)
    assert not ends.codes
    assert not asked.is_set()


def test_what_begins_to_work_after_that_is_asked_at_once(signals: Signals) -> None:
    signals.enter(lambda: None)
    signals.ask()
    until(lambda: signals._asked_at_ns is not None, 5)
    asked = threading.Event()
    signals.enter(asked.set)
    assert asked.is_set()


def test_what_does_not_end_in_time_is_left_as_it_is(signals: Signals, ends: Ends) -> None:
    signals._grace_ns = 1
    signals.enter(lambda: None, grace=0)
    signals.ask()
    until(lambda: bool(ends.codes), 5)
    assert ends.codes == [1]
    assert "did not end within" in ends.said[0]


def test_some_may_take_longer(signals: Signals, ends: Ends) -> None:
    signals.enter(lambda: None, grace=1000)
    signals.ask()
    until(lambda: (signals._left_s() or 0) > 900, 5)
    assert not ends.codes


def test_to_be_asked_twice_by_the_program_itself_is_once(signals: Signals, ends: Ends) -> None:
    asked: list[int] = []
    signals.enter(lambda: asked.append(1))
    signals.ask()
    signals.ask()
    until(lambda: bool(asked), 5)
    signals.close()
    assert (asked, ends.codes) == ([1], [])


def test_other_signals_end_nothing(signals: Signals, ends: Ends) -> None:
    before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    signals.close()
    assert not ends.codes


def test_nohup_stays() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert not signals.asked
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_wakeup_socket_of_somebody_else_is_put_back() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer)
    try:
        Signals().close()
    finally:
        assert signal.set_wakeup_fd(before) == writer
        os.close(reader)
        os.close(writer)


def test_a_full_wakeup_socket_does_not_hinder_the_end(signals: Signals) -> None:
    """Nobody reads it while what works is asked to end."""
    go_on = threading.Event()

    def work() -> None:
        go_on.wait(20)

    signals.enter(work)
    signal.raise_signal(signal.SIGTERM)
    try:
        while signals._writer.send(b"\0" * 4096):
            continue
    except BlockingIOError:
        pass
    threading.Timer(0.1, go_on.set).start()
    signals.close()


BLOCKED = """
import signal, time
from framewire.common.signals import Signals
import ctypes
signals = Signals()
signals.enter(lambda: None)
print("ready", flush=True)
ctypes.CDLL(None).pause()  # a library that waits, and begins again when it is interrupted
ctypes.CDLL(None).pause()
ctypes.CDLL(None).pause()
ctypes.CDLL(None).sleep(60)
"""


def test_it_ends_while_its_main_thread_is_in_a_library() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BLOCKED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 1
            assert process.stderr is not None
            assert "did not end within 3 s" in process.stderr.read()
        finally:
            process.kill()
