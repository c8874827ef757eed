"""The capture process, with a grabber that follows a script."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.errors import Closed, SourceError
from framewire.common.jpeg import encode
from framewire.common.testchart import read_number
from framewire.sender.sources import apart
from framewire.sender.sources.apart import Apart, Noise
from framewire.sender.sources.capture import Shot
from framewire.sender.sources.grabber import Order, Traits
from sender.sources.scripted import chart

if TYPE_CHECKING:
    from sender.conftest import Eventually

GOING_ON = threading.Event()
DEADLINE_S = 20

Make = Callable[..., Apart]


@pytest.fixture
def make() -> Iterator[Make]:
    """Captures that follow a script; closed at the end, with nothing left open."""
    before = set(os.listdir("/proc/self/fd"))
    with ExitStack() as stack:

        def make(*steps: str, secret: str = "", **facts: Any) -> Apart:
            order = Order("sender.sources.scripted:Scripted", {"steps": steps, **facts}, secret)
            return stack.enter_context(closing(Apart(order)))

        yield make
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def shots(capture: Apart, count: int) -> list[Shot]:
    until_ns = monotonic_ns() + DEADLINE_S * NS
    taken: list[Shot] = []
    while len(taken) < count:
        assert monotonic_ns() < until_ns
        shot = capture.take(0.2)
        if shot is not None:
            taken.append(shot)
    return taken


def why_it_ends(capture: Apart) -> str:
    with pytest.raises(SourceError) as caught:
        shots(capture, 1000)
    return str(caught.value)


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


# -- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["160x96", "fill"])
def test_pixels(make: Make, step: str) -> None:
    capture = make(step)
    before = wall_ns(), monotonic_ns()
    assert capture.open(GOING_ON) == Traits(sized=True, remark="opened")
    number = 0
    for shot in shots(capture, 10):
        number += shot.missed + 1
        assert isinstance(shot.picture, np.ndarray)
        assert shot.picture.flags.writeable
        assert np.array_equal(shot.picture, chart(number, 160, 96))
        assert read_number(shot.picture) == number
        assert before[0] <= shot.moment.wall_ns <= wall_ns()
        assert before[1] < shot.moment.monotonic_ns <= monotonic_ns()


def test_files(make: Make) -> None:
    capture = make("jpeg", "jpeg 100", "jpeg 5000000", "jpeg")
    assert capture.open(GOING_ON).encoded
    number = 0
    for shot in shots(capture, 6):
        number += shot.missed + 1
        assert isinstance(shot.picture, bytes)
        jpeg = encode(chart(number, 160, 96), 80)
        assert shot.picture.startswith(jpeg)
        assert not any(shot.picture[len(jpeg) :])


def test_another_size_in_mid_stream(make: Make) -> None:
    capture = make("160x96", "say another", "1600x1200", "80x64", "fill")
    capture.open(GOING_ON)
    number = 0
    for shot in shots(capture, 8):
        number += shot.missed + 1
        assert isinstance(shot.picture, np.ndarray)
        shape = {1: (96, 160), 2: (1200, 1600)}.get(number, (64, 80))
        assert shot.picture.shape[:2] == shape
        assert read_number(shot.picture) == number


def test_the_newest_is_taken_and_the_others_are_counted(
    make: Make, eventually: "Eventually"
) -> None:
    capture = make("fill")
    capture.open(GOING_ON)
    first = shots(capture, 1)[0]
    captured_ns = first.moment.monotonic_ns
    eventually(lambda: monotonic_ns() > captured_ns + NS // 2)
    later = shots(capture, 1)[0]
    assert isinstance(first.picture, np.ndarray)
    assert isinstance(later.picture, np.ndarray)
    assert later.missed > 10
    steps = (read_number(later.picture) or 0) - (read_number(first.picture) or 0)
    assert steps == later.missed + 1


def test_a_parent_that_takes_nothing_stops_nobody(make: Make, eventually: "Eventually") -> None:
    """More messages than the connection holds; the newest picture is taken as soon as it can be."""
    capture = make("fill")
    capture.open(GOING_ON)
    shots(capture, 1)
    begun_ns = monotonic_ns()
    eventually(lambda: monotonic_ns() > begun_ns + 3 * NS)
    asked_ns = monotonic_ns()
    fresh = next(s for s in shots(capture, 50) if s.moment.monotonic_ns > asked_ns)
    assert fresh.missed >= 0


# -- its end ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (["none"], "it gives no more pictures (released)"),
        (["say no room", "segv"], "the capture process died by signal 11 (Segmentation fault) (no room)"),
        (["exit"], "the capture process ended with code 3"),
        (["raise"], "the capture process ended with code 1 (RuntimeError: confused)"),
        (
            ["say [rtsp @ 0x55d0] method failed: 404", "segv"],
            "the capture process died by signal 11 (Segmentation fault) (method failed: 404)",
        ),
    ],
)  # fmt: skip
def test_why_it_ended(make: Make, steps: list[str], reason: str) -> None:
    capture = make("160x96", *steps)
    capture.open(GOING_ON)
    assert why_it_ends(capture) == reason
    capture.close()
    assert capture.pid is None


def test_it_is_opened_again_as_if_it_were_new(make: Make) -> None:
    capture = make("160x96", "segv")
    for _ in range(2):
        capture.open(GOING_ON)
        assert "signal 11" in why_it_ends(capture)
        capture.close()


def test_what_was_printed_is_part_of_the_reason_but_no_password(make: Make) -> None:
    line = "[tcp @ 0x1] Connection to tcp://me:s3cret@cam failed: refused"
    capture = make("none", opening=line, secret="s3cret")
    with pytest.raises(SourceError) as caught:
        capture.open(GOING_ON)
    assert str(caught.value) == "cannot open it (Connection to tcp://me:***@cam failed: refused)"


def test_an_opening_that_never_ends(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "FIRST_NS", NS)
    capture = make("none", opening="sleep")
    with pytest.raises(SourceError, match="it does not answer in 1 s"):
        capture.open(GOING_ON)
    pid = capture.pid
    assert pid
    capture.close()
    assert not is_there(pid)


def test_an_opening_that_is_stopped(make: Make) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Closed):
        make("none", opening="sleep").open(stop)


def test_a_read_that_never_ends(make: Make) -> None:
    capture = make("160x96", "sleep")
    capture.open(GOING_ON)
    shots(capture, 1)
    assert capture.take(0.01) is None
    pid = capture.pid
    assert pid
    capture.close()
    capture.close()
    assert not is_there(pid)


def test_a_process_that_cannot_be_killed_is_told(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_GRACE_S", 0.01)
    monkeypatch.setattr(apart, "_KILLED_S", 0.01)
    capture = make("sleep")
    capture.open(GOING_ON)
    with monkeypatch.context() as stuck:
        stuck.setattr(subprocess.Popen, "kill", lambda process: None)
        assert capture.pid is not None
        os.kill(capture.pid, signal.SIGSTOP)  # nor does it end by itself
        capture.close()
        with pytest.raises(SourceError, match=r"capture process \d+ cannot be killed"):
            capture.open(GOING_ON)
    capture.close()


def test_no_process_can_be_started(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(SourceError, match="no capture process can be started: No such file"):
        make("none").open(GOING_ON)


def test_no_descriptor_is_left_for_a_process(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", refuse)
    with pytest.raises(SourceError, match="no capture process can be started: Too many open files"):
        make("none").open(GOING_ON)


def test_no_descriptor_is_left_for_its_memory(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system throws away what does not fit, and says nothing."""
    receive = socket.recv_fds

    def without(*given: Any) -> Any:
        data, fds, flags, address = receive(*given)
        for fd in fds:
            os.close(fd)
        return data, [], flags, address

    monkeypatch.setattr(socket, "recv_fds", without)
    capture = make("160x96")
    capture.open(GOING_ON)
    assert "too many files are open" in why_it_ends(capture)


# -- what it prints -----------------------------------------------------------------------------


def test_only_the_last_lines_are_kept() -> None:
    noise = Noise()
    assert noise.last == ""
    noise.add(b"one\ntw")
    assert noise.last == "one"
    noise.add(b"o\n\n  \n")
    assert noise.last == "two"
    noise.add(b"x" * 100_000 + b"\n" + b"line\n" * 1000 + b"\x1b[31m\xff\xfe\x00\n")
    assert noise.last == "[31m\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert len(noise._lines) <= 20
    noise.add(b"y" * 100_000 + b"\n")
    assert len(noise.last) == 300


def test_a_password_is_not_told_with_other_characters_in_it() -> None:
    noise = Noise("hunter2!")
    noise.add(b"401 for user:hunter2! and hunter\x032!\n")
    assert noise.last == "401 for user:*** and ***"
