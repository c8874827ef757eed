"""`Entrance`: who connects is let in, and makes others go where there is no room."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Protocol
from weakref import WeakSet

from framewire.app.web.limits import LIMITS, Limits
from framewire.common.listening import Address, listen

__all__ = ["Entrance", "Guest", "listen_for_viewers"]

_log = logging.getLogger("framewire.web")

_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BACKLOG = 1024
"""Connections that wait in the kernel. Who finds no place there tries again after a second."""
_AGAIN_S = 0.005
_TURNS = 3
"""Of the loop, until a connection that was sent away is closed."""
_QUIET_S = 60.0
"""That there is no room is said no more often."""


def listen_for_viewers(address: Address, limits: Limits = LIMITS) -> socket.socket:
    """A listening socket whose connections hold little and notice when the other end is dead.

    Connections inherit that on Linux; elsewhere they are as the system makes them.
    """
    listener = listen(address)
    listener.listen(_BACKLOG)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer_bytes)
    # Else the end of a picture waits until the other end has acknowledged the rest: 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        dead_ms = round(limits.dead_s * 1000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, dead_ms)
    return listener


class Guest(Protocol):
    """One connection that was let in."""

    transport: asyncio.Transport

    @property
    def idle_since(self) -> float | None:
        """Since when, by the loop's clock, it has been of no use to anybody; None: it is."""


class Entrance:
    """Takes the connections of `listener` until `close`; `make` gives each its protocol.

    No more than `limits.connections` stay: of those in `guests`, and of those whose TLS handshake is
    under way, the one goes that was idle for longest. Neither those who say nothing nor a lack of
    descriptors keep others from being let in. Of one event loop.
    """

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[], asyncio.Protocol],
        guests: Callable[[], Iterable[Guest]],
        *,
        tls: ssl.SSLContext | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        listener.setblocking(False)
        self._listener, self._make, self._guests = listener, make, guests
        self._tls, self._limits = tls, limits
        self._loop = asyncio.get_running_loop()
        self._arriving: dict[asyncio.Task[None], float] = {}  # since when, by the loop's clock
        self._sent_away: WeakSet[Guest] = WeakSet()
        self._said_at = -_QUIET_S
        self._task = self._loop.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._listener)
            except OSError as error:
                await self._refused(error)
                continue
            # Without a handshake they are guests at once, and would be counted twice.
            arriving = len(self._arriving) if self._tls else 0
            full = arriving + len(self._present()) >= self._limits.connections
            if full:
                self._make_room()
            self._arriving[self._begin(connection)] = self._loop.time()
            # Those who wait are accepted without the loop's going on: let it, and who is sent away go.
            for _ in range(_TURNS if full else 1):
                await asyncio.sleep(0)

    def _begin(self, connection: socket.socket) -> asyncio.Task[None]:
        task = self._loop.create_task(self._admit(connection))

        def done(_: asyncio.Task[None]) -> None:
            self._arriving.pop(task, None)
            if task.cancelled():
                connection.close()

        task.add_done_callback(done)
        return task

    async def _refused(self, error: OSError) -> None:
        if error.errno in _FULL:
            self._make_room()
            if self._loop.time() - self._said_at >= _QUIET_S:
                self._said_at = self._loop.time()
                _log.warning(
                    "cannot let a visitor in: %s; who asks for nothing has to go. If that is not "
                    "enough, allow more open files (ulimit -n)",
                    error.strerror,
                )
        await asyncio.sleep(_AGAIN_S)  # else the one was gone again before we looked

    async def _admit(self, connection: socket.socket) -> None:
        """Its protocol begins when the handshake is done."""
        with suppress(OSError):  # the other end is gone, or speaks no TLS
            await self._loop.connect_accepted_socket(
                self._make,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.head_s if self._tls else None,
            )

    def _present(self) -> list[Guest]:
        return [guest for guest in self._guests() if guest not in self._sent_away]

    def _make_room(self) -> None:
        """Send away who was idle for longest, if anybody is."""
        now, idle = self._loop.time(), list[tuple[float, Callable[[], None]]]()
        for task, since in self._arriving.items():
            idle.append((since, partial(self._turn_back, task)))
        for guest in self._present():
            since_or_not = guest.idle_since
            if since_or_not is not None and since_or_not <= now:
                idle.append((since_or_not, partial(self._send_away, guest)))
        if idle:
            min(idle, key=lambda each: each[0])[1]()

    def _turn_back(self, arriving: asyncio.Task[None]) -> None:
        del self._arriving[arriving]
        arriving.cancel()

    def _send_away(self, guest: Guest) -> None:
        self._sent_away.add(guest)
        guest.transport.abort()

    def close(self) -> None:
        """Take no more. The listener is left open."""
        self._task.cancel()
        for task in list(self._arriving):
            task.cancel()
