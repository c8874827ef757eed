"""`push-pull`: a link that takes a share of the work."""

from collections.abc import Sequence

from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint
from framewire.common.frame import Packet, Status
from framewire.common.transport import Puller, Socket
from framewire.receiver.links.link import Addresses, Want
from framewire.receiver.links.watch import Watch

__all__ = ["Pulling"]

_SILENCE_NS = 10 * NS
"""Work comes when there is some: silence is a fault only after a long time."""


class Pulling:
    """A link to those who push; see `Link`. It takes no frame before the last one was taken here."""

    partial = True
    asks = False
    is_work = True

    def __init__(self, endpoint: Endpoint, want: Want, *, bind: bool) -> None:
        self._addresses: Addresses = ((endpoint,), ()) if bind else ((), (endpoint,))
        self._connects = not bind
        self._max_bytes = want.max_message_bytes
        self._prefixes: frozenset[bytes] = frozenset()
        self._last: list[bytes] | None = None
        self._watch = Watch(monotonic_ns(), _SILENCE_NS)
        self._socket = self._open()

    def _open(self) -> Puller:
        return Puller(*self._addresses, self._max_bytes)

    @property
    def sockets(self) -> Sequence[Socket]:
        return (self._socket,)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._socket.endpoints

    def select(self, prefixes: frozenset[bytes]) -> None:
        self._prefixes = prefixes

    def step(self, now_ns: int, *, room: bool) -> int | None:
        takes = room and bool(self._prefixes)
        self._socket.awaits_message = takes
        if not takes:
            self._watch.pause(now_ns)
        elif self._connects and self._watch.is_deaf(now_ns):
            self._replace(now_ns)
        return now_ns if self._last is not None else None

    def _replace(self, now_ns: int) -> None:
        self._last = self._socket.receive()  # what came at the last moment is not lost with it
        if self._last is None:
            self._socket.close()
            self._socket = self._open()
            self._watch.renew(now_ns)

    def receive(self) -> list[bytes] | None:
        if not self._socket.awaits_message:
            return None
        parts, self._last = self._last or self._socket.receive(), None
        if parts is not None:
            self._socket.awaits_message = False  # until there is room for the next
        return parts

    def took(self, message: Packet | Status | None, now_ns: int) -> None:
        if message is not None:
            self._watch.heard(now_ns, frame=isinstance(message, Packet))

    def excuse(self, busy_ns: int) -> None:
        self._watch.excuse(busy_ns)

    def close(self) -> None:
        self._socket.close()
