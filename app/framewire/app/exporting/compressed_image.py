"""The message `foxglove.CompressedImage` in Protocol Buffers, by hand: four fields, no package. Pure.

The definition is Foxglove's (docs.foxglove.dev/docs/sdk/schemas/compressed-image), the encoding that
of protobuf.dev/programming-guides/encoding. JPEG bytes go in as they are; as JSON, which Foxglove
reads too, they would be base64 and a third larger.
"""

__all__ = ["DESCRIPTOR", "NAME", "compressed_image"]

NAME = "foxglove.CompressedImage"

_NS = 1_000_000_000
_VARINT, _BYTES = 0, 2  # wire types
_INT64, _INT32, _MESSAGE, _STRING, _BLOB = 3, 5, 11, 9, 12  # FieldDescriptorProto.Type
_OPTIONAL = 1  # FieldDescriptorProto.Label


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return b"".join((_varint(number << 3 | _BYTES), _varint(len(data)), data))


def compressed_image(captured_ns: int, frame_id: str, jpeg: bytes) -> bytes:
    """One message."""
    seconds, nanos = divmod(captured_ns, _NS)
    timestamp = _field(1, seconds) + _field(2, nanos)
    return b"".join((_field(1, timestamp), _field(4, frame_id), _field(3, "jpeg"), _field(2, jpeg)))


# -- its definition, as descriptor.proto has it -----------------------------------------------------


def _member(name: str, number: int, kind: int, of: str = "") -> bytes:
    parts = [_field(1, name), _field(3, number), _field(4, _OPTIONAL), _field(5, kind)]
    return b"".join((*parts, _field(6, of) if of else b""))


def _file(name: str, package: str, imports: str, message: str, members: list[bytes]) -> bytes:
    body = _field(1, message) + b"".join(_field(2, member) for member in members)
    parts = [_field(1, name), _field(2, package), _field(3, imports) if imports else b""]
    return b"".join((*parts, _field(4, body), _field(12, "proto3")))


_TIME_FILE = "google/protobuf/timestamp.proto"

DESCRIPTOR = _field(
    1,
    _file(
        _TIME_FILE, "google.protobuf", "", "Timestamp",
        [_member("seconds", 1, _INT64), _member("nanos", 2, _INT32)],
    ),
) + _field(
    1,
    _file(
        "foxglove/CompressedImage.proto", "foxglove", _TIME_FILE, "CompressedImage",
        [
            _member("timestamp", 1, _MESSAGE, ".google.protobuf.Timestamp"),
            _member("frame_id", 4, _STRING),
            _member("data", 2, _BLOB),
            _member("format", 3, _STRING),
        ],
    ),
)  # fmt: skip
"""A FileDescriptorSet: what a reader needs to know of the message."""
