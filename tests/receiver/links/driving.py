"""A link in the hands of a test, which does what the receiving thread does."""

from framewire.common import wire
from framewire.common.clock import monotonic_ns
from framewire.common.endpoint import parse_endpoint
from framewire.common.errors import ProtocolError
from framewire.common.frame import Packet, Status
from framewire.receiver.links.asking import Asking
from framewire.receiver.links.link import Want
from receiver.answering import Desk
from receiver.publishing import until

WANT = Want(everything=False, max_message_bytes=1 << 20, credits=1)
EVERYTHING = Want(everything=True, max_message_bytes=1 << 20, credits=1)
ALL_TOPICS = frozenset({b""})


class Driven:
    """A link, and what the receiving thread does with it."""

    def __init__(self, url: str, want: Want = WANT, *, bind: bool = False) -> None:
        self.link = Asking(parse_endpoint(url, bind=bind), want, bind=bind)
        self.link.select(ALL_TOPICS)
        self.skipped_ns = 0
        self.room = True
        self.came: list[Packet | Status | None] = []

    def now_ns(self) -> int:
        return monotonic_ns() + self.skipped_ns

    def turn(self) -> int | None:
        """What there is to take and to ask; when the next is due."""
        while (parts := self.link.receive()) is not None:
            try:
                message: Packet | Status | None = wire.decode(parts)
            except ProtocolError:
                message = None
            self.link.took(message, self.now_ns())
            self.came.append(message)
        return self.link.step(self.now_ns(), room=self.room)

    def comes(self, count: int) -> None:
        """Until so many messages have come."""

        def came() -> bool:
            self.turn()
            return len(self.came) >= count

        until(came)

    def close(self) -> None:
        self.link.close()

    def asks_nothing(self, desk: Desk) -> None:
        """Also once all that was sent until now is there."""
        for _ in range(20):
            self.turn()
            assert desk.look() is None
