"""Decoding ahead of a reader who falls behind: whole pictures side by side, handed out in order."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from framewire.common.errors import Closed
from framewire.common.frame import Frame, Packet, Status
from framewire.common.mailbox import Mailbox
from framewire.common.workers import cores, submit

__all__ = ["Ahead", "Begun"]

Decode = Callable[[Packet], Frame]


class Begun:
    """A packet whose decoding has begun."""

    def __init__(self, packet: Packet, future: "Future[Frame]") -> None:
        self.packet = packet
        self._future = future

    def frame(self) -> Frame:
        """Wait for it. `JpegError` if it does not decode."""
        return self._future.result()

    def as_packet(self) -> Packet:
        """It undecoded, for who wants no pixels."""
        self._future.cancel()
        return self.packet


class Ahead:
    """Takes packets from a mailbox before they are asked for. Any thread may use it.

    At most one more than there are cores, so that each has another to begin when it is done.
    """

    def __init__(self, waiting: Mailbox[Packet | Status], decode: Decode) -> None:
        self._waiting = waiting
        self._decode = decode
        self._most = cores() + 1
        self._lock = threading.Lock()
        self._begun: deque[Begun] = deque()

    def __len__(self) -> int:
        return len(self._begun)

    def begin(self) -> bool:
        """Begin what can be, if more than the next packet waits; whether any was."""
        with self._lock:
            if not self._begun and len(self._waiting) < 2:
                return False  # who keeps up is served soonest by all cores at one picture
            before = len(self._begun)
            while len(self._begun) < self._most and (packet := self._next()) is not None:
                self._begun.append(Begun(packet, submit(partial(self._decode, packet))))
            return len(self._begun) > before

    def first(self) -> Begun | None:
        """What is to be handed out next, if that was begun."""
        with self._lock:
            return self._begun.popleft() if self._begun else None

    def _next(self) -> Packet | None:
        try:
            message = self._waiting.get(0)
            while isinstance(message, Status):
                message = self._waiting.get(0)
        except Closed:
            return None
        return message
