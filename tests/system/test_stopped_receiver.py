"""A receiver whose process is stopped for a while."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from framewire.common.endpoint import PATTERNS
from processes import Start

STOPPED_S = 7
SHOWING = """
import sys, time
from framewire.receiver import Receiver

with Receiver(sys.argv[1]) as receiver:
    for packet in receiver.packets():
        print(time.time(), packet.header.captured_ns / 1e9, flush=True)
"""


@contextmanager
def showing(endpoint: str) -> Iterator["subprocess.Popen[str]"]:
    """A program that prints when it was given each frame, and when that was captured."""
    process = subprocess.Popen(
        [sys.executable, "-c", SHOWING, endpoint], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def frame(process: "subprocess.Popen[str]") -> tuple[float, float]:
    assert process.stdout
    shown_s, captured_s = process.stdout.readline().split()
    return float(shown_s), float(captured_s)


@pytest.mark.parametrize("pattern", PATTERNS[:2])
def test_it_shows_the_newest_when_it_goes_on_and_costs_nobody_anything(
    framewire: Start, pattern: str
) -> None:
    sender = framewire("send", "pattern:1280x720@30", "--bind", f"{pattern}+tcp://127.0.0.1:*",
                       "--json")  # fmt: skip
    endpoint = sender.endpoint()
    with showing(endpoint) as stopped, showing(endpoint) as other:
        for _ in range(30):
            frame(stopped)
            frame(other)
        before = sender.resident_bytes()
        stopped.send_signal(signal.SIGSTOP)
        began_s = time.time()
        seen = [frame(other)]
        while seen[-1][0] < began_s + STOPPED_S:
            seen.append(frame(other))
        assert sender.resident_bytes() - before < 30 << 20
        goes_on_s = time.time()
        stopped.send_signal(signal.SIGCONT)
        old = 0
        while frame(stopped)[1] < goes_on_s:
            old += 1
        assert old < 30  # what the kernel held, no backlog of seven seconds
    assert len(seen) > 0.5 * 30 * STOPPED_S
    assert max(later[0] - earlier[0] for earlier, later in pairwise(seen)) < 2
