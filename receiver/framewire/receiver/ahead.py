"""Decoding ahead of a reader who falls behind: whole pictures side by side, handed out in order.

Small pictures are left to the reader: other threads cost more than they save then.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from framewire.common.errors import Closed
from framewire.common.frame import Frame, Packet, Status
from framewire.common.jpeg import WORTH_CUTTING
from framewire.common.mailbox import Mailbox
from framewire.common.workers import cores, submit

__all__ = ["Ahead", "Begun"]

Decode = Callable[[Packet], Frame]


class Begun:
    """A packet that was taken, and, if it is large, whose decoding has begun."""

    def __init__(self, packet: Packet, decode: Decode) -> None:
        self.packet = packet
        self._decode = partial(decode, packet)
        large = packet.header.width * packet.header.height >= WORTH_CUTTING
        self.future: Future[Frame] | None = submit(self._decode) if large else None

    def frame(self) -> Frame:
        """Wait for it. `JpegError` if it does not decode."""
        return self._decode() if self.future is None else self.future.result()

    def as_packet(self) -> Packet:
        """It undecoded, for who wants no pixels."""
        if self.future is not None:
            self.future.cancel()
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
            while self._has_room() and (packet := self._next()) is not None:
                self._begun.append(Begun(packet, self._decode))
            return len(self._begun) > before

    def _has_room(self) -> bool:
        """What is small waits for the reader here, and whatever follows waits behind it."""
        if self._begun and self._begun[-1].future is None:
            return False
        return len(self._begun) < self._most

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
