"""Recordings for the tests of exports: pictures that carry their number, at irregular times."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from framewire.common.clock import NS
from framewire.common.container import RecordingReader
from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.recording_writer import RecordingWriter
from framewire.common.testchart import draw_number
from framewire.common.wire import checksum

MS = NS // 1000
START_NS = 1_769_868_312_123_456_789  # 2026-01-31 14:05:12.123456789 UTC
TIMES_MS = [0, 41, 79, 80, 300, 333, 1200, 1203, 1250, 1333]


def picture(number: int, size: tuple[int, int] = (160, 96)) -> bytes:
    image = np.full((size[1], size[0], 3), 96, np.uint8)
    image[size[1] // 2 :, : size[0] // 2] = (200, 60, number * 7 % 256)
    draw_number(image, number)
    return encode(image, 85)


def packet(number: int, at_ms: float, size: tuple[int, int] = (160, 96), **fields: Any) -> Packet:
    jpeg = picture(number, size)
    at_ns = round(at_ms * MS)
    facts: dict[str, Any] = {
        "topic": "lab/cam1",
        "sender": "0123456789abcdef",
        "sequence": number,
        "captured_ns": START_NS + at_ns,
        "monotonic_ns": NS + at_ns,
        "sent_ns": START_NS + at_ns + 3 * MS,
        "width": size[0],
        "height": size[1],
        "channels": 3,
        "codec": "jpeg",
        "quality": 85,
        "crc32": checksum(jpeg),
        "metadata": {"n": number, "who": 'a "b", c', "raw": b"\0\xff"},
    }
    return Packet(Header(**{**facts, **fields}), jpeg)


def packets(times_ms: Sequence[float] = TIMES_MS, **fields: Any) -> list[Packet]:
    return [packet(number, at_ms, **fields) for number, at_ms in enumerate(times_ms)]


def record(path: Path, given: Sequence[Packet]) -> Path:
    with closing(RecordingWriter(path, given[0].header)) as writer:
        for each in given:
            writer.write(each)
    return path


def recorded(path: Path) -> list[Packet]:
    with closing(RecordingReader(path)) as reader:
        return list(reader.packets())


def damage(path: Path, numbers: Sequence[int]) -> None:
    """Flip a byte in the pictures with those numbers: their CRC-32 no longer fits."""
    data = path.read_bytes()
    for each in recorded(path):
        if each.sequence in numbers:
            spoiled = bytearray(each.payload)
            spoiled[-20] ^= 1
            assert data.count(each.payload[-300:]) == 1
            data = data.replace(each.payload[-300:], bytes(spoiled[-300:]))
    path.write_bytes(data)
