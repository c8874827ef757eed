"""The sockets of an outlet: one for all that is bound, and one for each address to connect to."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint
from framewire.common.errors import TransportError
from framewire.common.transport import Dialogue, Publisher, Pusher

__all__ = ["Sockets"]

_log = logging.getLogger("framewire.sender")

S = TypeVar("S", Publisher, Dialogue, Pusher)
Open = Callable[[Sequence[Endpoint], Sequence[Endpoint]], S]

_ALONE_NS = 3 * NS
"""libzmq tries once a second, and waits two for an answer: no connection for longer may be a dead
socket."""


class Sockets(Generic[S]):
    """Opened together, and closed together; those that connect are replaced where they are dead.

    A connecting socket that met what is no receiver of ours (another service, one without keys, one
    that refused its key) never tries again. So one that has had no connection for three seconds is
    closed and opened anew: nothing waits in it.
    """

    def __init__(
        self, bind: Sequence[Endpoint], connect: Sequence[Endpoint], open_socket: Open[S]
    ) -> None:
        self._open: Open[S] = open_socket
        self._endpoints = tuple(connect)
        self._bound: list[S] = []
        self._connecting: list[S] = []
        now_ns = monotonic_ns()
        self._seen_ns = [now_ns] * len(self._endpoints)
        try:
            if bind:
                self._bound.append(open_socket(bind, ()))
            for endpoint in connect:
                self._connecting.append(open_socket((), (endpoint,)))
        except BaseException:
            self.close(0)
            raise

    def __iter__(self) -> Iterator[S]:
        yield from self._bound
        yield from self._connecting

    @property
    def connecting(self) -> Sequence[S]:
        """Those that connect."""
        return self._connecting

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses in use."""
        return tuple(url for each in self for url in each.endpoints)

    def replace_dead(self, now_ns: int) -> list[S]:
        """Open anew what is to be replaced; those that were closed, so that they can be forgotten.

        With too many open files there can be no other: it is tried again later.
        """
        closed = []
        for place, socket in enumerate(self._connecting):
            if socket.stage == "open":
                self._seen_ns[place] = now_ns
            elif socket.stage == "alone" and now_ns - self._seen_ns[place] > _ALONE_NS:
                self._seen_ns[place] = now_ns
                try:
                    self._connecting[place] = self._open((), (self._endpoints[place],))
                except TransportError as error:
                    _log.warning("a connection that went deaf was not made anew: %s", error)
                    continue
                socket.close()
                closed.append(socket)
        return closed

    def close(self, linger_ms: int) -> None:
        """Close them all."""
        for socket in self:
            socket.close(linger_ms)
