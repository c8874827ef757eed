"""What links have in common: one socket, which is watched, and replaced where it has gone deaf."""

import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from framewire.common.clock import monotonic_ns
from framewire.common.endpoint import Endpoint
from framewire.common.errors import TransportError
from framewire.common.frame import Packet, Status
from framewire.common.transport import Dialogue, Puller, Socket, Subscriber
from framewire.receiver.links.watch import SILENCE_NS, Watch

__all__ = ["WatchedLink"]

_log = logging.getLogger("framewire.receiver")

S = TypeVar("S", Subscriber, Dialogue, Puller)
Open = Callable[[Sequence[Endpoint], Sequence[Endpoint]], S]


class WatchedLink(Generic[S]):
    """One address, bound or connected; the part of `Link` that is the same in every pattern."""

    def __init__(
        self, endpoint: Endpoint, open_socket: Open[S], *, bind: bool, silence_ns: int = SILENCE_NS
    ) -> None:
        to_bind, to_connect = ((endpoint,), ()) if bind else ((), (endpoint,))
        self._open: Callable[[], S] = lambda: open_socket(to_bind, to_connect)
        self._connects = not bind
        self._watch = Watch(monotonic_ns(), silence_ns)
        self._socket: S = self._open()
        self._up_ns = monotonic_ns()

    @property
    def sockets(self) -> Sequence[Socket]:
        return (self._socket,)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._socket.endpoints

    def took(self, message: Packet | Status | None, now_ns: int) -> None:
        if message is not None:
            self._watch.heard(now_ns, frame=isinstance(message, Packet))

    def excuse(self, busy_ns: int) -> None:
        self._watch.excuse(busy_ns)
        self._up_ns += busy_ns

    def close(self) -> None:
        self._socket.close()

    def _is_deaf(self, now_ns: int) -> bool:
        """A bound socket goes on listening whatever it met; only a connecting one goes deaf.

        Where it has no connection that is known at once: then it need not have been silent for long.
        A handshake, which takes five round trips with keys, is no silence; ZeroMQ ends a long one.
        """
        stage = self._socket.stage
        if stage == "greeting":
            self._watch.pause(now_ns)
            return False
        if stage == "open":
            self._up_ns = now_ns
        alone = now_ns - self._up_ns > SILENCE_NS
        return self._connects and (alone or self._watch.is_deaf(now_ns))

    def _replace(self, now_ns: int) -> None:
        """Another socket, if there can be one: with too many open files it is tried again later."""
        self._watch.renew(now_ns)
        self._up_ns = now_ns
        try:
            new = self._open()
        except TransportError as error:
            _log.warning("a connection that went deaf was not made anew: %s", error)
            return
        self._socket.close()
        self._socket = new
