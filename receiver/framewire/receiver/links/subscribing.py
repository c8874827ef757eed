"""`pub-sub`: a link that subscribes."""

from collections.abc import Sequence

from framewire.common.clock import monotonic_ns
from framewire.common.endpoint import Endpoint
from framewire.common.frame import Packet, Status
from framewire.common.transport import Socket, Subscriber
from framewire.receiver.links.link import Addresses, Want
from framewire.receiver.links.watch import Watch

__all__ = ["Subscribing"]


class Subscribing:
    """A link to those who publish; see `Link`."""

    partial = False
    asks = False
    is_work = False

    def __init__(self, endpoint: Endpoint, want: Want, *, bind: bool) -> None:
        self._addresses: Addresses = ((endpoint,), ()) if bind else ((), (endpoint,))
        self._connects = not bind
        self._max_bytes = want.max_message_bytes
        self._prefixes: frozenset[bytes] = frozenset()
        self._watch = Watch(monotonic_ns())
        self._socket = self._open()

    def _open(self) -> Subscriber:
        return Subscriber(*self._addresses, self._prefixes, self._max_bytes)

    @property
    def sockets(self) -> Sequence[Socket]:
        return (self._socket,)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._socket.endpoints

    def select(self, prefixes: frozenset[bytes]) -> None:
        self._prefixes = prefixes
        self._socket.select(prefixes)

    def step(self, now_ns: int, *, room: bool) -> int | None:
        if not self._prefixes:
            self._watch.pause(now_ns)
        elif self._connects and self._watch.is_deaf(now_ns):
            self._socket.close()
            self._socket = self._open()
            self._watch.renew(now_ns)
        return None

    def receive(self) -> list[bytes] | None:
        return self._socket.receive()

    def took(self, message: Packet | Status | None, now_ns: int) -> None:
        if message is not None:
            self._watch.heard(now_ns, frame=isinstance(message, Packet))

    def excuse(self, busy_ns: int) -> None:
        self._watch.excuse(busy_ns)

    def close(self) -> None:
        self._socket.close()
