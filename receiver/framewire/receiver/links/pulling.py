"""`push-pull`: a link that takes a share of the work."""

from framewire.common.clock import NS
from framewire.common.endpoint import Endpoint
from framewire.common.transport import Puller
from framewire.receiver.links.link import Want
from framewire.receiver.links.watched import WatchedLink

__all__ = ["Pulling"]

_SILENCE_NS = 10 * NS
"""Work comes when there is some: silence is a fault only after a long time."""


class Pulling(WatchedLink[Puller]):
    """A link to those who push; see `Link`. It takes no frame before the last one was taken here."""

    partial = True
    asks = False
    is_work = True

    def __init__(self, endpoint: Endpoint, want: Want, *, bind: bool) -> None:
        self._prefixes: frozenset[bytes] = frozenset()
        self._last: list[bytes] | None = None
        super().__init__(
            endpoint,
            lambda to_bind, to_connect: Puller(
                to_bind, to_connect, want.max_message_bytes, want.keys
            ),
            bind=bind,
            silence_ns=_SILENCE_NS,
        )

    def select(self, prefixes: frozenset[bytes]) -> None:
        self._prefixes = prefixes

    def step(self, now_ns: int, *, room: bool) -> int | None:
        takes = room and bool(self._prefixes)
        self._socket.awaits_message = takes
        if not takes:
            self._watch.pause(now_ns)
        elif self._is_deaf(now_ns):
            self._last = self._socket.receive()  # what came at the last moment is not lost with it
            if self._last is None:
                self._replace(now_ns)
        return now_ns if self._last is not None else None

    def receive(self) -> list[bytes] | None:
        if not self._socket.awaits_message:
            return None
        parts, self._last = self._last or self._socket.receive(), None
        if parts is not None:
            self._socket.awaits_message = False  # until there is room for the next
        return parts
