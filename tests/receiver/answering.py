"""A sender that is asked, in the hands of a test: it answers what and when the test says."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from framewire.common import wire
from framewire.common.closing import Closing
from framewire.common.endpoint import parse_endpoint
from framewire.common.errors import TransportError
from framewire.common.frame import Packet, Status
from framewire.common.request import MAX_REQUEST_BYTES, Request, decode_request
from framewire.common.transport import Dialogue
from receiver.publishing import until


@dataclass(frozen=True)
class Asked:
    """A request that came, and from where."""

    peer: bytes
    request: Request


class Desk(Closing):
    """Bound to a port that the system chose unless told otherwise. One thread uses it."""

    def __init__(self, bind: str = "req-rep+tcp://127.0.0.1:*", *, connect: str = "") -> None:
        to_bind = [] if connect else [parse_endpoint(bind, bind=True)]
        to_connect = [parse_endpoint(connect, bind=False)] if connect else []
        self._dialogue = Dialogue(to_bind, to_connect, MAX_REQUEST_BYTES)
        self.url = self._dialogue.endpoints[0]

    def close(self) -> None:
        # An answer that was given just now is to leave; who is not there is not waited for.
        self._dialogue.close(linger_ms=200)

    def look(self) -> Asked | None:
        """A request, if one has come."""
        message = self._dialogue.receive()
        if message is None:
            return None
        peer, parts = message
        (body,) = parts
        return Asked(peer, decode_request(body))

    def next(self, meanwhile: Callable[[], object] = lambda: None) -> Asked:
        """The next request; `meanwhile` is done again and again until it is there."""
        found: list[Asked] = []

        def came() -> bool:
            meanwhile()
            if asked := self.look():
                found.append(asked)
            return bool(found)

        until(came)
        return found[0]

    def answer(self, asked: Asked, message: Packet | Status) -> None:
        # A ping is said to have waited for all its time: so the path counts as short, also on a
        # machine that is slow just now, and one ping is enough.
        waited_us = 1_000_000_000 if asked.request.status else 0
        self.say(asked.peer, wire.encode_answer(message, asked.request.id, waited_us))

    def say(self, peer: bytes, parts: Sequence[bytes]) -> None:
        """Send any parts to whoever asked."""
        assert self._dialogue.send(peer, parts) == "sent"

    def greet(self) -> None:
        """Tell a bound receiver that it can ask, once it is there."""
        until(lambda: self._dialogue.send(b"", [b""]) == "sent")


def desk_again(url: str) -> Desk:
    """A desk at an address that another had: ZeroMQ gives it back a moment after its end."""
    found: list[Desk] = []

    def bound() -> bool:
        with suppress(TransportError):
            found.append(Desk(url))
        return bool(found)

    until(bound)
    return found[0]
