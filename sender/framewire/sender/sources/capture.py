"""`Capture`: a grabber as a live source drives it, in a process that can be killed or in a thread."""

import os
import sys
import threading
from dataclasses import dataclass
from typing import Protocol

from framewire.common.clock import monotonic_ns, wall_ns
from framewire.common.errors import SourceError
from framewire.common.frame import Image
from framewire.sender.sources.grabber import Grabber, Order, Traits
from framewire.sender.sources.source import Moment

__all__ = ["Capture", "Here", "Shot", "capture"]


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture as the grabber gave it."""

    picture: Image | bytes
    moment: Moment
    """When it was captured."""
    missed: int = 0
    """Pictures between this one and the one taken before: nobody took them in time."""


class Capture(Protocol):
    """All methods are called from one thread, and open again what was closed."""

    def open(self, stop: threading.Event) -> Traits:
        """Open the device. `SourceError` says why it cannot be; `Closed` if `stop` is set."""

    def take(self, timeout_s: float) -> Shot | None:
        """The newest picture; None if none comes in that time. `SourceError` when it has broken."""

    def close(self) -> None:
        """Let go of the device. Does nothing if it is not open."""


class Here:
    """A grabber in the calling thread. If it blocks, so does `take`, for as long as that lasts."""

    def __init__(self, grabber: Grabber) -> None:
        self._grabber = grabber
        self._is_open = False

    def open(self, stop: threading.Event) -> Traits:
        traits = self._grabber.open()
        self._is_open = True
        return traits

    def take(self, timeout_s: float) -> Shot | None:
        picture = self._grabber.grab(None)
        if picture is None:
            raise SourceError("it gives no more pictures")
        return Shot(picture, Moment(wall_ns(), monotonic_ns()))

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._grabber.release()


def capture(order: Order) -> Capture:
    """In a process, where one can share memory and be killed as Unix has it; else in the thread.

    A program that was packed into one file has no Python to start.
    """
    if os.name != "posix" or getattr(sys, "frozen", False) or not sys.executable:
        return Here(order.make())
    from framewire.sender.sources.apart import Apart

    return Apart(order)
