"""Small recordings for tests, and ways to damage them."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from framewire.common import jpeg, wire
from framewire.common.clock import NS
from framewire.common.frame import Header, Packet
from framewire.common.recording_writer import RecordingWriter
from framewire.common.testchart import draw_number

BEGIN_NS = 1_769_868_300_000_000_000
STEP_NS = 40_000_000
WIDTH, HEIGHT = 160, 96


@lru_cache(maxsize=512)
def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A JPEG that carries its number."""
    image = np.random.default_rng(number).integers(60, 120, (height, width, 3), np.uint8)
    draw_number(image, number)
    return jpeg.encode(image, 85)


def packet(sequence: int = 0, payload: bytes | None = None, **facts: Any) -> Packet:
    """One frame of lab/cam1, which has 25 a second."""
    payload = picture(sequence % 100) if payload is None else payload
    fields: dict[str, Any] = {
        "topic": "lab/cam1",
        "sender": "0123456789abcdef",
        "sequence": sequence,
        "captured_ns": BEGIN_NS + sequence * STEP_NS,
        "monotonic_ns": NS + sequence * STEP_NS,
        "sent_ns": BEGIN_NS + sequence * STEP_NS + 5_000_000,
        "width": WIDTH,
        "height": HEIGHT,
        "channels": 3,
        "codec": "jpeg",
        "crc32": wire.checksum(payload),
        **facts,
    }
    return Packet(Header(**fields), payload)


def record(path: Path, packets: Iterable[Packet]) -> Path:
    """A finished recording."""
    packets = list(packets)
    writer = RecordingWriter(path, packets[0].header)
    for each in packets:
        writer.write(each)
    writer.close()
    return path


CLUSTER = bytes.fromhex("1f43b675")


def clusters(data: bytes) -> list[int]:
    """Where the clusters of a recording begin."""
    found, at = [], data.find(CLUSTER)
    while at >= 0:
        found.append(at)
        at = data.find(CLUSTER, at + 1)
    return found


_place = st.floats(0, 1, exclude_max=True)
_FORGED = ("01fffffffffffffe", "01ffffffffffffff", "0100000040000000", "ff", "10000000", "80", "00")


@st.composite
def damage(draw: st.DrawFn) -> list[tuple[str, float, float, bytes]]:
    """What is done to a file, one after the other: see `damaged`."""
    kind = st.sampled_from(["cut", "flip", "forge", "remove", "repeat", "garbage"])
    filling = st.binary(max_size=40) | st.sampled_from([bytes.fromhex(each) for each in _FORGED])
    return draw(st.lists(st.tuples(kind, _place, _place, filling), min_size=1, max_size=5))


def damaged(data: bytes, changes: list[tuple[str, float, float, bytes]]) -> bytes:
    """`data` with these changes; "forge" writes over the bytes behind the id of a Cluster."""
    for kind, place, other, filling in changes:
        a, b = sorted((int(place * len(data)), int(other * len(data))))
        marks = clusters(data) if kind == "forge" else []
        if marks:
            a = marks[int(place * len(marks))] + (4 if other < 0.5 else 9)
        data = {
            "cut": data[: max(a, len(data) // 3)],
            "flip": data[:a] + bytes(each ^ 255 for each in data[a : a + 1]) + data[a + 1 :],
            "forge": data[:a] + filling + data[a + len(filling) :],
            "remove": data[:a] + data[b:],
            "repeat": data[:b] + data[a:],
            "garbage": data[:a] + filling * 20 + data[b if other < 0.3 else a :],
        }[kind]
    return data
