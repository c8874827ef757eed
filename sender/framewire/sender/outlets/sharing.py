"""`push-pull`: each packet to one of those who share the work."""

from collections.abc import Sequence

from framewire.common import wire
from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint
from framewire.common.errors import Closed
from framewire.common.frame import Packet, Status
from framewire.common.mailbox import Mailbox
from framewire.common.transport import Pusher, Socket
from framewire.sender.outlets.outlet import Desk, stamped
from framewire.sender.outlets.sockets import Sockets

__all__ = ["Sharing"]

_ABSENT_NS = 5 * NS
"""Workers that are connected and had no room for so long count as gone, until one has."""


class Sharing:
    """An outlet for workers; see `Outlet`.

    One packet waits for a worker here: a source that can be slowed waits behind it (`block`), a
    camera's is replaced by the next (`newest`), or dropped once no worker is there; that is counted.
    """

    carries_statuses = False

    def __init__(self, bind: Sequence[Endpoint], connect: Sequence[Endpoint], desk: Desk) -> None:
        self._desk = desk
        self._pushers: Sockets[Pusher] = Sockets(
            bind, connect, lambda to_bind, to_connect: Pusher(to_bind, to_connect, desk.keys)
        )
        self._turns = 0
        self._slows = desk.when_full == "block"
        self._outbox: Mailbox[Packet] = Mailbox(desk.when_full, on_change=desk.wake)
        self._held: Packet | None = None
        self._room_ns: int | None = None
        self._present = 0  # receivers, as was told last

    @property
    def sockets(self) -> Sequence[Socket]:
        return tuple(self._pushers)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._pushers.endpoints

    @property
    def receivers(self) -> int:
        if self._room_ns is None or not any(each.attended for each in self._pushers):
            return 0
        return int(monotonic_ns() - self._room_ns < _ABSENT_NS)

    @property
    def demand(self) -> frozenset[bytes]:
        return frozenset((b"",)) if self._slows or self.receivers else frozenset()

    def wants(self, topic: bytes) -> bool:
        return bool(self.demand)

    def give(self, packet: Packet) -> None:
        replaced = self._outbox.put(packet, key=packet.topic)
        if replaced is not None:
            self._desk.ledger.drop(replaced.topic)

    def finish(self) -> None:
        self._outbox.close()

    def step(self, now_ns: int) -> bool:
        self._pushers.replace_dead(now_ns)
        if any(each.has_room for each in self._pushers):
            self._room_ns = now_ns
        if self.receivers != self._present:
            self._present = self.receivers
            self._desk.audience_changed()
        if not self._slows and not self.receivers:
            self.drop_rest()  # what a camera saw then is not for those who come later
        while (packet := self._next()) is not None:
            if not self._push(wire.encode(stamped(packet))):
                break
            self._desk.ledger.sent(packet)
            self._held = None
        # Room is watched for where something waits for it, and where nobody was seen for a while.
        for each in self._pushers:
            each.awaits_room = self._held is not None or not self.receivers
        return False

    def _push(self, parts: Sequence[bytes]) -> bool:
        """Give it to a worker at the socket whose turn it is, or at the next that has room."""
        pushers = list(self._pushers)
        for place in range(len(pushers)):
            turn = (self._turns + place) % len(pushers)
            if pushers[turn].send(parts):
                self._turns = turn + 1
                return True
        return False

    def _next(self) -> Packet | None:
        if self._held is None:
            try:
                self._held = self._outbox.get(0)
            except Closed:
                return None
        return self._held

    @property
    def drained(self) -> bool:
        return self._outbox.closed and not len(self._outbox) and self._held is None

    def tell(self, status: Status) -> None:
        """Work comes without statuses: only one worker would hear of each."""

    def drop_rest(self) -> None:
        while (packet := self._next()) is not None:
            self._desk.ledger.drop(packet.topic)
            self._held = None

    def close(self, last_words: Sequence[Status], linger_ms: int) -> None:
        self._pushers.close(linger_ms)
