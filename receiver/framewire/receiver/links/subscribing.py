"""`pub-sub`: a link that subscribes."""

from framewire.common.endpoint import Endpoint
from framewire.common.transport import Subscriber
from framewire.receiver.links.link import Want
from framewire.receiver.links.watched import WatchedLink

__all__ = ["Subscribing"]


class Subscribing(WatchedLink[Subscriber]):
    """A link to those who publish; see `Link`."""

    partial = False
    asks = False
    is_work = False

    def __init__(self, endpoint: Endpoint, want: Want, *, bind: bool) -> None:
        self._prefixes: frozenset[bytes] = frozenset()
        super().__init__(
            endpoint,
            lambda to_bind, to_connect: Subscriber(
                to_bind, to_connect, self._prefixes, want.max_message_bytes, want.keys
            ),
            bind=bind,
        )

    def select(self, prefixes: frozenset[bytes]) -> None:
        self._prefixes = prefixes
        self._socket.select(prefixes)

    def step(self, now_ns: int, *, room: bool) -> int | None:
        if not self._prefixes:
            self._watch.pause(now_ns)
        elif self._is_deaf(now_ns):
            self._replace(now_ns)
        return None

    def receive(self) -> list[bytes] | None:
        return self._socket.receive()
