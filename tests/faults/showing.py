"""A receiver in a process of its own, which tells what it shows and when. Run as a program, it is that."""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from faults.programs import run
from processes import until

__all__ = ["Figures", "Showing", "Shown"]


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


class Showing:
    """`Receiver(*endpoints, **options)` in a process, until the block is left."""

    def __init__(
        self,
        *endpoints: str,
        within: Callable[[list[str]], list[str]] = lambda argv: argv,
        **options: Any,
    ) -> None:
        self.process = run(__name__, json.dumps(endpoints), json.dumps(options), within=within)
        self.frames: list[Shown] = []
        """All so far, in the order in which they were shown."""
        self.figures: list[Figures] = []
        """Told several times a second."""
        self.endpoint = ""
        """Its own address, where it is bound."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            kind, told = json.loads(line)
            if kind == "frame":
                self.frames.append(Shown(*told))
            elif kind == "figures":
                self.figures.append(Figures(*told))
            else:
                self.endpoint = told

    def wait_for_frames(self, count: int = 10, deadline_s: float = 15.0) -> None:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout:
            self.process.stdout.close()


def _tell(kind: str, what: object) -> None:
    print(json.dumps((kind, what)), flush=True)


def _show(endpoints: list[str], options: dict[str, Any]) -> None:
    from framewire.common.errors import ReceiveTimeout
    from framewire.receiver import Receiver

    with Receiver(*endpoints, **options) as receiver:
        _tell("endpoint", receiver.endpoints[0])
        next_s = 0.0
        while True:
            try:
                header = receiver.read_packet(0.1).header
            except ReceiveTimeout:
                pass
            else:
                captured_s = header.captured_ns / 1e9
                facts = (time.time(), captured_s, header.topic, header.sender, header.sequence)
                _tell("frame", facts)
            if time.time() >= next_s:
                next_s = time.time() + 0.2
                stats = receiver.stats
                stale = any(topic.stale for topic in stats.topics.values())
                counts = (stats.received, stats.lost, stats.skipped, stats.restarts)
                _tell("figures", (time.time(), *counts, stats.malformed, stale))


if __name__ == "__main__":
    _show(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
