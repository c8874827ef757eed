"""What a test turns and holds inside a sender: its encoder, its clock, its rounds."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from framewire.common import jpeg, transport
from framewire.common.clock import NS
from framewire.common.frame import Image
from sender.peers import DEADLINE_S, until


class Gate:
    """Stands before the JPEG encoder, where the order of threads matters."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.images: list[Image] = []
        self.qualities: list[int] = []
        self._open = threading.Event()
        self._open.set()

    def __call__(self, image: Image, quality: int) -> bytes:
        self.images.append(image)
        self.qualities.append(quality)
        self.arrived.release()
        assert self._open.wait(DEADLINE_S)
        return self._encode(image, quality)

    _encode = staticmethod(jpeg.encode)

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def until_busy(self) -> None:
        """Until an encoder stands at the gate with one more frame."""
        assert self.arrived.acquire(timeout=DEADLINE_S)


class Passes:
    """Counts the rounds of the sender's socket thread."""

    def __init__(self) -> None:
        self.count = 0

    def wait(self, *args: Any) -> None:
        self.count += 1
        self._wait(*args)

    _wait = staticmethod(transport.wait)

    def two_more(self) -> None:
        """Until whatever had come before was looked at."""
        seen = self.count
        until(lambda: self.count > seen + 1, "two more rounds")


class Clock:
    """The monotonic clock of a sender and its outlets, which the test turns."""

    def __init__(self) -> None:
        self.now_ns = 10 * NS

    def __call__(self) -> int:
        return self.now_ns

    def forward(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS)


def feed(call: Callable[[Any], None], items: Iterable[Any]) -> None:
    """What a program does with a source, in a thread of its own."""
    for item in items:
        call(item)
