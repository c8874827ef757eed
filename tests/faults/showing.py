"""Receivers in a process of their own, which tells what they show and when: this file, run as a program."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from typing import Any

from faults.programs import run
from processes import until

__all__ = ["Figures", "Receiving", "Showing", "Shown", "program", "showing"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame that was given to the program. Times: seconds of the wall clock."""

    at_s: float
    captured_s: float
    topic: str
    run: str
    sequence: int

    @property
    def age_s(self) -> float:
        return self.at_s - self.captured_s


@dataclass(frozen=True, slots=True)
class Figures:
    """What its `Receiver.stats` said, over all topics."""

    at_s: float
    received: int
    lost: int
    skipped: int
    restarts: int
    malformed: int
    stale: bool


@dataclass(frozen=True, slots=True)
class Receiving:
    """What is given to a `Receiver`."""

    endpoints: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


class Showing:
    """One receiver in a program, and what it has told so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.frames: list[Shown] = []
        """In the order in which they were shown."""
        self.figures: list[Figures] = []
        """Told several times a second."""
        self.endpoint = ""
        """Its first address."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def hear(self, kind: str, told: Any) -> None:
        if kind == "frame":
            self.frames.append(Shown(*told))
        elif kind == "figures":
            self.figures.append(Figures(*told))
        else:
            self.endpoint = told

    def wait_for_frames(self, count: int = 5, deadline_s: float = 30.0) -> None:
        """Until so many more were shown."""
        enough = len(self.frames) + count
        until(lambda: len(self.frames) >= enough, deadline_s)

    def since(self, at_s: float) -> list[Shown]:
        """What was shown since then."""
        return [frame for frame in self.frames if frame.at_s >= at_s]

    def shows_frame_of(self, captured_s: float, deadline_s: float) -> Shown:
        """The first one that was captured then or later."""

        def found() -> Shown | None:
            return next((each for each in self.frames if each.captured_s >= captured_s), None)

        until(lambda: found() is not None, deadline_s)
        frame = found()
        assert frame
        return frame


@contextmanager
def program(
    *receivers: Receiving, within: Callable[[list[str]], list[str]] = lambda argv: argv
) -> Iterator[list[Showing]]:
    """A process that shows what they receive, until the block is left."""
    process = run(__name__, json.dumps([astuple(each) for each in receivers]), within=within)
    shows = [Showing(process) for _ in receivers]
    output = process.stdout
    assert output

    def read() -> None:
        for line in output:
            place, kind, told = json.loads(line)
            shows[place].hear(kind, told)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield shows
    finally:
        process.kill()
        process.wait()
        reader.join()
        for stream in (process.stdin, output):
            if stream:
                stream.close()


@contextmanager
def showing(
    *endpoints: str,
    within: Callable[[list[str]], list[str]] = lambda argv: argv,
    **options: Any,
) -> Iterator[Showing]:
    """`Receiver(*endpoints, **options)` in a process of its own, until the block is left."""
    with program(Receiving(endpoints, options), within=within) as (alone,):
        yield alone


# -- the program ----------------------------------------------------------------------------------


class _Output:
    """Lines of one receiver; several threads write."""

    _lock = threading.Lock()

    def __init__(self, place: int) -> None:
        self._place = place

    def __call__(self, kind: str, told: object) -> None:
        line = json.dumps((self._place, kind, told)) + "\n"
        with self._lock:
            sys.stdout.write(line)
            sys.stdout.flush()


def _show(tell: _Output, endpoints: list[str], options: dict[str, Any]) -> None:
    from framewire.common.errors import ReceiveTimeout
    from framewire.receiver import Receiver

    with Receiver(*endpoints, **options) as receiver:
        tell("endpoint", receiver.endpoints[0])
        next_s = 0.0
        while True:
            try:
                header = receiver.read_packet(0.1).header
            except ReceiveTimeout:
                pass
            else:
                captured_s = header.captured_ns / 1e9
                facts = (time.time(), captured_s, header.topic, header.sender, header.sequence)
                tell("frame", facts)
            if time.time() >= next_s:
                next_s = time.time() + 0.2
                stats = receiver.stats
                stale = any(topic.stale for topic in stats.topics.values())
                counts = (stats.received, stats.lost, stats.skipped, stats.restarts)
                tell("figures", (time.time(), *counts, stats.malformed, stale))


def _show_all(receivers: list[tuple[list[str], dict[str, Any]]]) -> None:
    threads = [
        threading.Thread(target=_show, args=(_Output(place), *receiving))
        for place, receiving in enumerate(receivers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    _show_all(json.loads(sys.argv[1]))
