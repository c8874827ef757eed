"""Header and Packet <-> message parts. Pure: no socket, no thread, no clock.

docs/PROTOCOL.md is the specification; tests/golden/ holds its bytes. Any bytes give a `Packet`, a
`Status` or a `ProtocolError`, nothing else.
"""

import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from framewire.common.config import DEFAULT_LIMITS, Limits
from framewire.common.errors import MetadataError, ProtocolError, TopicError, VersionError
from framewire.common.frame import VERSION, Header, Packet, Status, Uint
from framewire.common.jpeg_syntax import inspect
from framewire.common.printable import printable
from framewire.common.topic import MAX_TOPIC_BYTES, check_topic, wire_topic

__all__ = [
    "Answer",
    "Parts",
    "check_metadata",
    "check_payload",
    "check_picture",
    "checksum",
    "decode",
    "decode_answer",
    "decode_header",
    "encode",
    "encode_answer",
    "encode_header",
    "encode_status",
    "read_map",
]

Parts = tuple[bytes, bytes, bytes]
"""Topic, header, payload."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the header of an answer has beside the facts of its frame or status.

    Facts of one request, not of the picture: `Header` has none of them, so recordings neither.
    """

    request: Uint | None = None
    """The `id` of the request that this answers; None if that had none."""
    waited_us: Uint = 0
    """Microseconds from the request's arrival at the sender until its answer was handed to ZeroMQ:
    a duration on the sender's monotonic clock. The rest of what the receiver measured is the
    path's time."""


T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Header | Status] = msgspec.msgpack.Decoder(Header | Status)
_answer_decoder = msgspec.msgpack.Decoder(Answer)


class _Version(msgspec.Struct):
    version: int = 0


class _RawMetadata(msgspec.Struct):
    metadata: msgspec.Raw = msgspec.Raw()


_version_decoder = msgspec.msgpack.Decoder(_Version)
_metadata_decoder = msgspec.msgpack.Decoder(_RawMetadata)

# What msgpack input can raise in msgspec: deep nesting and bad UTF-8 are not its own errors.
_DECODE_ERRORS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def checksum(payload: bytes) -> int:
    """CRC-32 of a payload, as `Header.crc32` has it."""
    return zlib.crc32(payload)


# -- encoding ---------------------------------------------------------------------------------


def encode_header(header: Header, *, with_topic: bool) -> bytes:
    """The msgpack map of `header`. Recordings keep the topic in it; a message has it in part 1."""
    return _encoder.encode(_fields(header, with_topic=with_topic))


def _fields(message: Header | Status, *, with_topic: bool = False) -> dict[str, Any]:
    kind = "frame" if isinstance(message, Header) else "status"
    fields = {"kind": kind, **msgspec.structs.asdict(message)}
    if not with_topic:
        del fields["topic"]
    if not message.hops:
        del fields["hops"]
    return fields


def encode(packet: Packet) -> Parts:
    """The three parts of a message. `packet.topic` must be a checked topic."""
    header = encode_header(packet.header, with_topic=False)
    return wire_topic(packet.topic), header, packet.payload


def encode_status(status: Status) -> Parts:
    """The three parts of a status message, the last one empty."""
    return wire_topic(status.topic), _encoder.encode(_fields(status)), b""


def encode_answer(message: Packet | Status, request: int | None, waited_us: int) -> Parts:
    """The three parts that answer a request; `Answer` explains the two facts."""
    fields = _fields(message.header if isinstance(message, Packet) else message)
    if request is not None:
        fields["request"] = request
    fields["waited_us"] = waited_us
    payload = message.payload if isinstance(message, Packet) else b""
    return wire_topic(message.topic), _encoder.encode(fields), payload


def check_metadata(metadata: dict[str, Any], limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Return `metadata` if the wire carries it as it is; `MetadataError` says why not."""
    fault = _fault(metadata, limits.metadata_depth)
    if type(metadata) is not dict:
        fault = f"it is a {type(metadata).__name__}, not a dict"
    if fault:
        raise MetadataError(f"metadata cannot be sent: {fault}")
    try:
        size = len(_encoder.encode(metadata))
    except (OverflowError, UnicodeEncodeError) as error:
        raise MetadataError(f"metadata cannot be sent: {error}") from error
    if size > limits.metadata_bytes:
        raise MetadataError(
            f"metadata of {size} bytes is too large: at most {limits.metadata_bytes}; "
            "send large data as a topic of its own"
        )
    return metadata


_SCALARS = frozenset((type(None), bool, int, float, str, bytes))


def _fault(value: object, depth: int) -> str:
    """Why `value` is not plain, or nothing; `depth` is how many containers may still open."""
    kind = type(value)
    if kind in _SCALARS:
        return ""
    if not isinstance(value, dict | list | tuple) or kind not in (dict, list, tuple):
        return (
            f"{kind.__name__} is not a plain type (None, bool, int, float, str, bytes, list, dict)"
        )
    if depth == 0:
        return "it is nested too deeply"
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                return f"the key {repr(key)[:64]} is not a str"
        value = list(value.values())
    return next(filter(None, (_fault(item, depth - 1) for item in value)), "")


# -- decoding ---------------------------------------------------------------------------------


def decode(parts: Sequence[bytes], limits: Limits = DEFAULT_LIMITS) -> Packet | Status:
    """A message from its parts, or `ProtocolError`. Cheap checks come first (see PROTOCOL.md)."""
    if len(parts) != 3:
        raise ProtocolError(f"a message of {len(parts)} parts instead of 3")
    topic_part, header_part, payload = parts
    for name, part, limit in (
        ("topic", topic_part, MAX_TOPIC_BYTES),
        ("header", header_part, limits.header_bytes),
        ("payload", payload, limits.payload_bytes),
    ):
        if len(part) > limit:
            raise ProtocolError(f"a {name} of {len(part)} bytes is above the limit of {limit}")
    topic = _decode_topic(topic_part)
    header = _decode_map(header_part, limits)
    msgspec.structs.force_setattr(header, "topic", topic)  # nobody else has seen it yet
    if isinstance(header, Status):
        if payload:
            raise ProtocolError(f"a status with a payload of {len(payload)} bytes")
        return header
    check_payload(header, payload, limits)
    return Packet(header, payload)


def decode_header(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Header:
    """A recorded header, with its topic, or `ProtocolError`."""
    if len(data) > limits.header_bytes:
        raise ProtocolError(f"a header of {len(data)} bytes is above {limits.header_bytes}")
    header = _decode_map(data, limits)
    if not isinstance(header, Header):
        raise ProtocolError("a recorded header is not of the kind 'frame'")
    _check_name(header.topic)
    return header


def decode_answer(header_part: bytes) -> Answer:
    """What part 2 of an answer says of its request, or `ProtocolError`. Call `decode` before."""
    return read_map(_answer_decoder, header_part, "header", peer="sender", older="this side")


def _decode_topic(part: bytes) -> str:
    if not part.endswith(b"/"):
        raise ProtocolError(f"a topic without its closing '/': {part[:64]!r}")
    return _check_name(part[:-1].decode("ascii", errors="replace"))


def _check_name(name: str) -> str:
    """A peer's topic: as `check_topic`, but a second closing ``/`` is not let pass."""
    try:
        if check_topic(name) == name:
            return name
    except TopicError:
        pass
    raise ProtocolError(f"a topic outside the grammar: {name[:64]!r}")


def _decode_map(data: bytes, limits: Limits) -> Header | Status:
    header = read_map(_decoder, data, "header", peer="sender", older="this side")
    if isinstance(header, Header) and header.metadata:
        _check_received_metadata(header.metadata, data, limits)
    return header


def read_map(
    decoder: msgspec.msgpack.Decoder[T], data: bytes, what: str, *, peer: str, older: str
) -> T:
    """The value of a peer's map, or `ProtocolError`: `VersionError` if `peer` is ahead of `older`.

    A later version may have changed anything else, so its number is looked at by itself.
    """
    try:
        return decoder.decode(data)
    except _DECODE_ERRORS as error:
        version = _version(data)
        if version > VERSION:
            raise VersionError(
                f"the {peer} speaks protocol version {version}, this framewire knows {VERSION}: "
                f"update {older}"
            ) from None
        reason = printable(str(error), 200)  # it may quote what the peer wrote
        raise ProtocolError(f"a {what} that cannot be read: {reason}") from None


def _version(data: bytes) -> int:
    try:
        return _version_decoder.decode(data).version
    except _DECODE_ERRORS:
        return 0


def _check_received_metadata(metadata: dict[str, Any], data: bytes, limits: Limits) -> None:
    fault = _fault(metadata, limits.metadata_depth)
    if fault:
        raise ProtocolError(f"refused metadata: {fault}")
    if len(data) > limits.metadata_bytes:  # only then can a part of it be too large
        size = len(_metadata_decoder.decode(data).metadata)
        if size > limits.metadata_bytes:
            raise ProtocolError(f"metadata of {size} bytes is above {limits.metadata_bytes}")


def check_payload(header: Header, payload: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise `ProtocolError` unless `payload` is the picture that `header` describes, bit for bit."""
    shape, info = _looked_at(header, payload, limits)
    if zlib.crc32(payload) != header.crc32:
        raise ProtocolError("a payload was damaged on its way: its CRC-32 differs")
    _agree(shape, info)


def check_picture(header: Header, payload: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
    """As `check_payload`, but for the CRC-32: a few microseconds, whatever the size.

    For who passes on what was recorded: a bit may have flipped, but it is no bomb.
    """
    if len(payload) > limits.payload_bytes:
        raise ProtocolError(f"a payload of {len(payload)} bytes is above {limits.payload_bytes}")
    _agree(*_looked_at(header, payload, limits))


Shape = tuple[int, int, int]
"""Width, height, channels."""


def _looked_at(header: Header, payload: bytes, limits: Limits) -> tuple[Shape, Shape]:
    """What the header says, and what the payload says."""
    if header.width * header.height > limits.picture_pixels:
        raise ProtocolError(f"a picture of {header.width}x{header.height} is above the limit")
    shape = (header.width, header.height, header.channels)
    if header.codec == "jpeg":
        info = inspect(payload, limits.picture_pixels)
        return shape, (info.width, info.height, info.channels)
    if len(payload) != header.width * header.height * header.channels:
        raise ProtocolError(f"{len(payload)} raw bytes are not a picture of {shape}")
    return shape, shape


def _agree(shape: Shape, info: Shape) -> None:
    if shape != info:
        raise ProtocolError(f"header and picture disagree: {shape} and {info}")
