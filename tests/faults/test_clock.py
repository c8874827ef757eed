"""The wall clock leaps by an hour, both ways, while everything runs."""

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from at_work import SMALL, YARD
from framewire.common.recording import Recording
from processes import Command, Start, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals of POSIX")

# A program whose wall clock another one sets: SIGUSR2 has it read by how many seconds. Nothing of ours
# reads a clock elsewhere, but libraries do; files get their times from the system, which has no part.
STEPPED = """
import signal, sys, time
steps, by = sys.argv.pop(1), 0
wall, wall_ns = time.time, time.time_ns
def step(number, frame):
    global by
    by = int(open(steps).read())
signal.signal(signal.SIGUSR2, step)
time.time, time.time_ns = lambda: wall() + by, lambda: wall_ns() + by * 10**9
from framewire.app.program import main
main()
"""


class Stepped:
    """Commands whose wall clocks leap together."""

    def __init__(self, start: Start, folder: Path) -> None:
        self._start, self._by = start, folder / "by"
        self._by.write_text("0")
        self.running: list[Command] = []

    def __call__(self, *arguments: str) -> Command:
        def within(argv: list[str]) -> list[str]:
            return [argv[0], "-c", STEPPED, str(self._by), *argv[3:]]

        self.running.append(self._start(*arguments, "--json", within=within))
        return self.running[-1]

    def leap(self, seconds: int) -> None:
        self._by.write_text(str(seconds))
        for each in self.running:
            each.signal(signal.SIGUSR2)


@pytest.fixture
def stepped(framewire: Start, tmp_path: Path) -> Stepped:
    return Stepped(framewire, tmp_path)


def goes_on(command: Command, what: str) -> dict[str, Any]:
    """Wait until a figure has grown since now; what was told last."""
    time.sleep(0.2)
    first = command.event("figures")
    told = first

    def grown() -> bool:
        nonlocal told
        told = command.event("figures")
        return bool(told[what] > first[what])

    until(grown)
    return told


def test_nothing_stalls_and_no_file_is_lost(stepped: Stepped, tmp_path: Path) -> None:
    send = stepped("send", SMALL, "--bind", "tcp://127.0.0.1:*")
    source = send.endpoint()
    relay = stepped("relay", "--from", source, "--bind", "tcp://127.0.0.1:*")
    url = relay.endpoint()
    record = stepped("record", url, "--out", "folder", "--segment", "2s", "--keep", "10m")
    view = stepped("view", url, "--headless")
    direct = stepped("view", source, "--headless")
    record.event("figures")
    for seconds in (3600, 0, -3600, 0):
        stepped.leap(seconds)
        for each in (view, direct, record):
            told = goes_on(each, "received")
            assert told["state"] == "live"
    files = sorted(tmp_path.rglob("*.mkv"))
    for command in (record, view, direct, relay, send):
        command.signal(signal.SIGTERM)
        assert command.wait(10) == 0, command
    summary = record.rest()[-1]
    assert summary["lost"] == summary["unwritten"] == 0
    assert all(path.exists() for path in files)
    assert _frames(tmp_path) == summary["recorded"] == summary["received"]


def _frames(folder: Path) -> int:
    count = 0
    for path in folder.rglob("*.mkv"):
        with Recording(path) as recording:
            assert recording.finished
            count += len(recording)
    return count


def test_only_this_machines_steady_clock_paces_and_times_out(
    stepped: Stepped, framewire: Start
) -> None:
    """Replays keep their pace, and who waits for nobody waits no longer."""
    replay = stepped("replay", YARD, "--loop", "--bind", "tcp://127.0.0.1:*")
    view = framewire("view", replay.endpoint(), "--headless", "--json")
    waiting = stepped("snapshot", "tcp://127.0.0.1:9", "--out", "a.jpg", "--timeout", "6")
    began = time.monotonic()
    view.event("figures")
    for seconds in (3600, -3600, 0):
        stepped.leap(seconds)
        fps = goes_on(view, "received")["fps"]
        assert 5 < fps < 60  # the recording has 23 a second, and gaps
    assert waiting.wait(20) == 1
    assert time.monotonic() - began > 5
