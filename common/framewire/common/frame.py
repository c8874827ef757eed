"""The nouns: `Header` (facts of one picture), `Packet` (encoded) and `Frame` (pixels).

A `Packet` is what travels and what is stored; a `Frame` is what people look at. They are never one
type with optional halves. `Status` is what a sender says of a topic between pictures.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = [
    "MAX_HOPS",
    "VERSION",
    "Codec",
    "Frame",
    "Header",
    "Image",
    "Packet",
    "State",
    "Status",
]

VERSION = 1
"""The protocol version that this code speaks."""

MAX_HOPS = 8
"""A relay refuses a message that came through as many relays: they send it in a circle."""

Image = npt.NDArray[np.uint8]
"""(H, W, 3) in BGR order, or (H, W) gray; uint8."""

_HEADER_BYTES = 1024  # of the object and its numbers and names, in memory
_METADATA_FACTOR = (
    80  # an empty map: one byte in msgpack, 64 in memory, and 8 for its place in a list
)

Codec = Literal["jpeg", "raw"]
State = Literal["live", "no-signal", "ended"]

Uint = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Size = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Hops = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="frame"):
    """The facts of one picture, as its sender states them. docs/PROTOCOL.md has the table.

    Immutable; safe to share between threads. `metadata` is the user's own and is not copied.
    """

    version: Annotated[int, msgspec.Meta(ge=1, le=VERSION)] = VERSION
    topic: str = ""
    """Name of the stream. Message part 1 carries it on the wire, this field in recordings."""
    sender: Annotated[str, msgspec.Meta(max_length=64)]
    """Random id of the sender's run; a change means a restart. Empty before it is sent."""
    sequence: Uint
    """Counts captured frames of this topic from 0: a gap is a loss, wherever it happened."""
    dropped: Uint = 0
    """Frames that the sender dropped so far, before or after encoding."""
    captured_ns: Uint
    """Capture time, Unix epoch, nanoseconds, the sender's wall clock. For a replay, the original."""
    monotonic_ns: Uint = 0
    """Capture time on the sender's monotonic clock, nanoseconds; 0 where it is not known."""
    sent_ns: Uint
    """Hand-over to ZeroMQ, Unix epoch, nanoseconds, the sender's wall clock; 0 before that."""
    replay: bool = False
    """True where `captured_ns` is history: ages then count from `sent_ns`."""
    encode_us: Uint = 0
    """Time spent encoding, microseconds; 0 if the picture was passed through."""
    width: Size
    height: Size
    channels: Literal[1, 3]
    codec: Codec
    quality: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    """JPEG quality 1 to 100; 0 if unknown."""
    crc32: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 0
    """zlib's CRC-32 of the payload; 0 for pixels that were not encoded yet."""
    metadata: dict[str, Any] = {}
    """The user's own: str keys, plain values, at most 64 KiB encoded and 16 deep."""
    hops: Hops = 0
    """Relays that the message came through; written only if not 0."""

    def age_ms(self, now_ns: int) -> float:
        """Milliseconds from capture (for a replay: from sending) to `now_ns` of the wall clock.

        Between machines this includes the difference of their clocks, and can be negative.
        """
        return (now_ns - (self.sent_ns if self.replay else self.captured_ns)) / 1e6


class Status(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="status"):
    """What a sender says of a topic once a second and on change: tells "no signal" from "gone"."""

    version: Annotated[int, msgspec.Meta(ge=1, le=VERSION)] = VERSION
    topic: str = ""
    sender: Annotated[str, msgspec.Meta(max_length=64)]
    sequence: Uint
    """The number that the next frame on this connection will have at least: earlier ones are lost
    if they have not come."""
    dropped: Uint = 0
    sent_ns: Uint
    state: State
    reason: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    hops: Hops = 0
    """Relays that the message came through; written only if not 0."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded picture and its header. Immutable; safe to share between threads."""

    header: Header
    payload: bytes
    """A JPEG file, or raw pixels in C order, as `header.codec` says."""
    received_ns: int = 0
    """Wall clock when a receiver handed it to its caller; 0 if it came through none."""

    @property
    def topic(self) -> str:
        return self.header.topic

    @property
    def sequence(self) -> int:
        return self.header.sequence

    @property
    def metadata(self) -> dict[str, Any]:
        return self.header.metadata

    @property
    def weight(self) -> int:
        """Bytes of memory that it takes, at most: what queues are measured in.

        A byte of metadata can be an empty map, which takes 72; lists have room to grow.
        """
        facts = self.header.metadata
        more = len(msgspec.msgpack.encode(facts)) * _METADATA_FACTOR if facts else 0
        return len(self.payload) + _HEADER_BYTES + more

    @property
    def age_ms(self) -> float:
        """Age when the receiver handed it over, milliseconds; see `Header.age_ms`."""
        return self.header.age_ms(self.received_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Pixels and their header. The array is writable and belongs to whoever holds the frame."""

    image: Image
    """(H, W, 3) uint8 in BGR order, or (H, W) uint8 gray."""
    header: Header
    received_ns: int = 0
    """Wall clock when a receiver handed it to its caller; 0 if it came through none."""

    @property
    def topic(self) -> str:
        return self.header.topic

    @property
    def sequence(self) -> int:
        return self.header.sequence

    @property
    def metadata(self) -> dict[str, Any]:
        return self.header.metadata

    @property
    def age_ms(self) -> float:
        """Age when the receiver handed it over, decoded, milliseconds; see `Header.age_ms`."""
        return self.header.age_ms(self.received_ns)
