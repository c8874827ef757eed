"""Targets: what peers send by ZeroMQ, and the headers in recordings."""

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from framewire.common import request, wire
from framewire.common.errors import JpegError, ProtocolError
from framewire.common.frame import Header, Packet, Status
from framewire.receiver import decoder
from fuzz.target import SEPARATOR, Target, joined, split

__all__ = ["ANSWER", "HEADER", "MESSAGE", "REQUEST"]

_GOLDEN = Path(__file__).parents[1] / "golden"
_WORDS = (
    SEPARATOR,
    *(b"%c" % byte for byte in range(0xC0, 0xE0)),  # msgpack's prefixes
    *(b"%c\xff\xff\xff\xff" % byte for byte in (0xC6, 0xCA, 0xCE, 0xD2, 0xDB, 0xDD, 0xDF)),
    *(b"%c" % byte + b"\xff" * 8 for byte in (0xCB, 0xCF, 0xD3)),
    b"\xcb\x7f\xf8\0\0\0\0\0\0",  # not a number
    *(
        bytes((0xA0 + len(name),)) + name.encode()
        for name in (*Header.__struct_fields__, *Status.__struct_fields__, "kind", "waited_us")
    ),
    *(
        bytes((0xA0 + len(name),)) + name.encode()
        for name in (*request.Request.__struct_fields__, "frame", "jpeg", "raw", "live", "ended")
    ),
)


def _golden(file: str) -> list[dict[str, Any]]:
    return list(json.loads((_GOLDEN / f"{file}.json").read_text(encoding="utf-8")).values())


# -- messages -----------------------------------------------------------------------------------


def _mended(parts: Sequence[bytes]) -> list[bytes]:
    """The same with the checksum that its payload has: no mutation would ever find that."""
    topic, header, payload = parts
    try:
        fields = msgspec.msgpack.decode(header)
    except (msgspec.MsgspecError, ValueError, RecursionError, TypeError):  # in unknown keys
        return []
    fields["crc32"] = zlib.crc32(payload)
    return [topic, msgspec.msgpack.encode(fields), payload]


def _message(parts: Sequence[bytes]) -> Packet | Status | None:
    try:
        return wire.decode(parts)
    except ProtocolError as error:
        if "CRC-32" not in str(error):
            return None
    with suppress(ProtocolError):
        return wire.decode(_mended(parts))
    return None


def _encoded(message: Packet | Status) -> wire.Parts:
    return wire.encode(message) if isinstance(message, Packet) else wire.encode_status(message)


def _check_message(data: bytes) -> bool:
    message = _message(split(data))
    if message is None:
        return False
    parts = _encoded(message)
    assert _encoded(wire.decode(parts)) == parts
    if isinstance(message, Packet):
        _check_picture(message)
    return True


def _check_picture(packet: Packet) -> None:
    header = packet.header
    for gray in (False, True):
        with suppress(JpegError):
            image = decoder.decode(packet, gray=gray).image
            assert image.shape[:2] == (header.height, header.width)
            assert image.ndim == (2 if gray or header.channels == 1 else 3)
            assert image.flags.writeable


def _check_answer(data: bytes) -> bool:
    parts = split(data)
    try:
        message = wire.decode(parts)
        answer = wire.decode_answer(parts[1])
    except ProtocolError:
        return False
    again = wire.encode_answer(message, answer.request, answer.waited_us)
    assert wire.decode_answer(again[1]) == answer
    assert _encoded(wire.decode(again)) == _encoded(message)
    return True


def _messages() -> Iterator[bytes]:
    for row in _golden("messages"):
        yield joined(bytes.fromhex(part) for part in row["parts"])


def _answers() -> Iterator[bytes]:
    for row in _golden("answers"):
        yield joined(bytes.fromhex(part) for part in row["parts"])


# -- headers and requests -----------------------------------------------------------------------


def _check_header(data: bytes) -> bool:
    try:
        header = wire.decode_header(data)
    except ProtocolError:
        return False
    encoded = wire.encode_header(header, with_topic=True)
    assert wire.encode_header(wire.decode_header(encoded), with_topic=True) == encoded
    assert abs(header.age_ms(0)) < 2**63
    return True


def _headers() -> Iterator[bytes]:
    for row in _golden("messages"):
        message = wire.decode([bytes.fromhex(part) for part in row["parts"]])
        if isinstance(message, Packet):
            yield wire.encode_header(message.header, with_topic=True)


def _check_request(data: bytes) -> bool:
    try:
        asked = request.decode_request(data)
    except ProtocolError:
        return False
    assert request.decode_request(request.encode_request(asked)) == asked
    assert asked.scale is None or 1 / 16 <= asked.scale <= 1
    assert all(prefix.endswith(b"/") or not prefix for prefix in asked.prefixes)
    position = asked.position("lab/cam1")
    assert position is None or position[1] >= 0
    return True


def _requests() -> Iterator[bytes]:
    for row in _golden("requests"):
        yield bytes.fromhex(row["body"])


MESSAGE = Target(_check_message, _messages, _WORDS)
ANSWER = Target(_check_answer, _answers, _WORDS)
HEADER = Target(_check_header, _headers, _WORDS, 1024)
REQUEST = Target(_check_request, _requests, _WORDS, 1024)
