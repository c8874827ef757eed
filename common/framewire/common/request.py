"""Requests of the ``req-rep`` pattern <-> bytes. Pure: no socket, no thread, no clock.

docs/PROTOCOL.md is the specification. Any bytes give a `Request` or a `ProtocolError`.
"""

from collections.abc import Collection
from functools import cached_property
from typing import Annotated

import msgspec

from framewire.common.errors import ProtocolError, TopicError
from framewire.common.frame import VERSION, Uint
from framewire.common.topic import check_topic, wire_topic
from framewire.common.wire import read_map

__all__ = ["MAX_REQUEST_BYTES", "MOST_TOPICS", "Request", "decode_request", "encode_request"]

MAX_REQUEST_BYTES = 64 * 1024
"""The longest request: a few hundred topics with their positions."""
MOST_TOPICS = 1024
"""Names that `topic` or `after` may hold: as many topics as a receiver keeps figures of."""

_OBJECT_BYTES = 64
"""A short string, a number or a pair, with its place in what holds it; a position in a map counts as five."""

Position = tuple[Annotated[str, msgspec.Meta(max_length=64)], Uint]


class Request(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a receiver asks of a sender. Immutable; it is `decode_request` that checks."""

    version: Annotated[int, msgspec.Meta(ge=1, le=VERSION)] = VERSION
    # No Meta on these containers: msgspec 0.22 reads wild memory where a union joins an array of
    # fixed length and a map with a length limit.
    topic: str | tuple[str, ...] = ""
    """Checked topics, one or several: these and all below them; "" for any."""
    after: Position | dict[str, Position] | None = None
    """Sender run and sequence that came last: of all topics asked for, or by topic. None asks for
    the newest frame."""
    quality: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    """JPEG quality; None leaves it to the sender."""
    scale: Annotated[float, msgspec.Meta(ge=1 / 16, le=1)] | None = None
    """Times the sender's width and height; None leaves them as they are."""
    status: bool = False
    """A status answers, at once: a ping."""
    resume: bool = False
    """The connection is new, or an answer did not come: what this connection carried so far counts
    no more, only `after`."""
    id: Uint | None = None
    """Any number; the answer repeats it (`framewire.common.wire.Answer`)."""

    @cached_property
    def prefixes(self) -> tuple[bytes, ...]:
        """What part 1 of the answer may begin with; fit for `bytes.startswith`."""
        if self.topic == "":
            return (b"",)
        return tuple(wire_topic(topic) for topic in _listed(self.topic))

    @cached_property
    def weight(self) -> int:
        """Bytes of memory that it takes, at most."""
        positions = len(self.after) if isinstance(self.after, dict) else 1
        names = sum(map(len, self.prefixes))
        said = sum(map(len, self.after)) if isinstance(self.after, dict) else 0
        return _OBJECT_BYTES * (1 + 2 * len(self.prefixes) + 5 * positions) + 2 * names + said

    def position(self, topic: str) -> tuple[str, int] | None:
        """Sender run and sequence that the receiver had last of `topic`; None if nothing is said."""
        return self.after.get(topic) if isinstance(self.after, dict) else self.after


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Request)
_ANYTHING = Request()
_DEFAULTS = {k: v for k, v in msgspec.structs.asdict(_ANYTHING).items() if k != "version"}


def encode_request(request: Request) -> bytes:
    """The one part of a request; but for the version, what has its default is left out."""
    fields = msgspec.structs.asdict(request).items()
    return _encoder.encode({k: v for k, v in fields if k not in _DEFAULTS or v != _DEFAULTS[k]})


def decode_request(body: bytes) -> Request:
    """A request from its bytes, or `ProtocolError`. No bytes ask for the newest of any topic."""
    if not body:
        return _ANYTHING
    if len(body) > MAX_REQUEST_BYTES:
        raise ProtocolError(f"a request of {len(body)} bytes is above {MAX_REQUEST_BYTES}")
    request = read_map(_decoder, body, "request", peer="receiver", older="the sender")
    if request.topic != "":
        _check_names("topic", _listed(request.topic))
    if isinstance(request.after, dict) and request.after:
        _check_names("after", request.after)
    return request


def _listed(topic: str | tuple[str, ...]) -> tuple[str, ...]:
    return (topic,) if isinstance(topic, str) else topic


def _check_names(key: str, names: Collection[str]) -> None:
    if not 1 <= len(names) <= MOST_TOPICS:
        raise ProtocolError(
            f"a request with {len(names)} topics in {key!r}: 1 to {MOST_TOPICS} may be"
        )
    for name in names:
        try:
            fine = check_topic(name) == name  # without the closing "/" of a subscription
        except TopicError:
            fine = False
        if not fine:
            raise ProtocolError(f"a request with {name[:64]!r} in {key!r}, which is no topic")
