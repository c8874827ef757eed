"""One picture on its way through a sender."""

import threading
from collections.abc import Callable
from typing import TypeVar

from framewire.common.frame import Frame, Header, Packet
from framewire.common.level import OWN, Level

__all__ = ["Picture"]

T = TypeVar("T")
_MOST_LEVELS = 32


class Picture:
    """A captured frame, or one that is encoded already, and what it was encoded to.

    It is encoded once for each level that somebody wants, however many want it. Thread-safe.
    """

    def __init__(
        self, content: Frame | Packet, encode: Callable[[Frame | Packet, Level], Packet]
    ) -> None:
        self.header: Header = content.header
        self.used = False
        """Whether anybody wanted it."""
        self._content = content
        self._encode = encode
        self._lock = threading.Lock()
        self._packets: dict[Level, Packet] = {}
        self._ordered: set[Level] = set()
        self._failed: dict[Level, None] = {}

    def packet(self, level: Level = OWN) -> Packet:
        """It at `level`; encodes where nobody did before. Any error of the codec."""
        self.used = True
        with self._lock:
            packet = self._packets.get(level)
            if packet is None:
                try:
                    packet = self._encode(self._content, level)
                    _remember(self._packets, level, packet)
                except Exception:
                    _remember(self._failed, level, None)
                    raise
                finally:
                    self._ordered.discard(level)
            return packet

    def ready(self, level: Level) -> Packet | None:
        """It at `level` if it was encoded to that before, and to few others since."""
        return self._packets.get(level)

    def failed(self, level: Level) -> bool:
        """Whether it could not be encoded to `level`."""
        return level in self._failed

    def order(self, level: Level) -> bool:
        """Whether it is to be encoded to `level` now, and nobody has ordered that yet."""
        if level in self._ordered:
            return False
        self._ordered.add(level)
        return True


def _remember(known: dict[Level, T], level: Level, what: T) -> None:
    """Put it into `known`, which forgets the oldest of many."""
    known[level] = what
    if len(known) > _MOST_LEVELS:
        del known[next(iter(known))]
