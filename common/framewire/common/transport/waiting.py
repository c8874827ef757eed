"""Waiting for sockets, and waking those who wait."""

import contextlib
import socket
from collections.abc import Iterable, Sequence

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
        self._watched: list[tuple[zmq.Socket[bytes], int]] = []
        self._poller = self._make_poller()

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

    def poll(
        self, watched: list[tuple["zmq.Socket[bytes]", int]], timeout_ms: int
    ) -> "list[zmq.Socket[bytes] | int]":
        """Until a socket is ready for what stands beside it, or `wake`; which ones are ready.

        Only the waiting thread calls this.
        """
        if watched != self._watched:
            self._watched, self._poller = watched, self._make_poller(watched)
        ready = [each for each, _ in self._poller.poll(timeout_ms)]
        if self._reader.fileno() in ready:
            self.clear()
        return ready

    def _make_poller(self, watched: Iterable[tuple["zmq.Socket[bytes]", int]] = ()) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(self.fileno(), zmq.POLLIN)
        for each, flags in watched:
            poller.register(each, flags)
        return poller

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


def wait(sockets: Sequence[Socket], waker: Waker, timeout_ms: int = TICK_MS) -> None:
    """Until one of `sockets` is ready for what it waits for, `waker` is woken or the time is over.

    What became of their connections is taken in, too.
    """
    watched = []
    for each in sockets:
        flags = (zmq.POLLIN if each.awaits_message else 0) | (
            zmq.POLLOUT if each.awaits_room else 0
        )
        if flags:
            watched.append((each.socket, flags))
    connections = [each.connections for each in sockets if each.connections is not None]
    watched += [(watch.monitor, zmq.POLLIN) for watch in connections]
    ready = waker.poll(watched, timeout_ms)
    for watch in connections:
        if watch.monitor in ready:
            watch.look()
