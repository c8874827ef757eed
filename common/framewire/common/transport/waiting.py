"""Waiting for sockets, and waking those who wait."""

import contextlib
import socket
from collections.abc import Iterable

import zmq

from framewire.common.transport.sockets import Socket

__all__ = ["TICK_MS", "Waker", "wait"]

TICK_MS = 200
"""The longest wait in any loop, milliseconds: how soon a stop is noticed."""


class Waker:
    """Ends a `wait` of another thread. `wake` may be called from any thread, at any time."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        return self._reader.fileno()

    def wake(self) -> None:
        # Full: a wake-up is on its way already. Closed: nobody waits any more.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def clear(self) -> None:
        """Take back all wake-ups; only the waiting thread calls this."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


def wait(sockets: Iterable[Socket], waker: Waker, timeout_ms: int = TICK_MS) -> None:
    """Until one of `sockets` is ready for what it waits for, `waker` is woken or the time is over."""
    poller = zmq.Poller()
    poller.register(waker.fileno(), zmq.POLLIN)
    for each in sockets:
        flags = (zmq.POLLIN if each.awaits_message else 0) | (
            zmq.POLLOUT if each.awaits_room else 0
        )
        if flags:
            poller.register(each.socket, flags)
    if any(ready == waker.fileno() for ready, _ in poller.poll(timeout_ms)):
        waker.clear()
