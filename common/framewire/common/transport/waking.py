"""Waking a thread that waits for sockets."""

import contextlib
import socket
from collections.abc import Iterable

import zmq

from framewire.common.transport.shortage import refused

__all__ = ["Waker"]


class Waker:
    """Ends a `wait` of another thread. `wake` may be called from any thread, at any time."""

    def __init__(self) -> None:
        try:
            self._reader, self._writer = socket.socketpair()
        except OSError as error:
            raise refused(error) from error
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
