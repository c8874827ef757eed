"""One JPEG out of stripes, and stripes out of one JPEG. Pure.

A restart marker (RST0 to RST7 in turn, ITU-T T.81 E.1.4) ends the bits of a run of MCUs on a whole
byte and forgets the DC prediction. So a picture whose restart intervals are whole rows of MCUs is
nothing but smaller JPEGs one below the other, less their headers: each can be coded by itself, on a
core of its own. In the coded bits 0xFF is always followed by a stuffed 0x00 (T.81 B.1.1.5), so what
looks like a marker there is one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from framewire.common.errors import JpegError
from framewire.common.jpeg_syntax import JpegInfo, inspect

__all__ = ["MAX_INTERVAL", "Stripe", "cut", "join", "plan"]

MAX_INTERVAL = 65_535
"""MCUs between two restart markers: DRI has 16 bits for their number (T.81 B.2.4.4)."""

_MARKER = re.compile(rb"\xff[^\0]", re.DOTALL)
_EOI = b"\xff\xd9"
_ANY_SIZE = 65_535**2


@dataclass(frozen=True, slots=True)
class Stripe:
    """Some rows of a picture as a JPEG of their own."""

    jpeg: bytes
    y0: int
    """First pixel row in the picture."""
    y1: int
    """One past the last pixel row."""


def plan(
    height: int, mcu_height: int, stripes: int, most_rows: int = MAX_INTERVAL
) -> list[tuple[int, int]]:
    """At most `stripes` ranges (y0, y1) of pixel rows that cover a picture from top to bottom.

    All but the last are the same number of whole MCU rows, as restart intervals must be, and none
    has more than `most_rows` of them: for that, there may be more than `stripes`.
    """
    mcu_rows = -(-height // mcu_height)
    step = min(-(-mcu_rows // max(1, stripes)), most_rows) * mcu_height
    return [(y, min(y + step, height)) for y in range(0, height, step)]


def join(parts: Sequence[bytes], width: int, height: int, rows: int) -> bytes:
    """One baseline JPEG of `width` x `height` pixels from its stripes, top to bottom.

    `parts` are JPEGs without restart markers that one encoder made with the same tables; each but
    the last is `rows` pixels high, a whole number of MCU rows. The coded bits are not touched.
    `JpegError` if they do not belong together.
    """
    if rows < 1 or not 1 <= height <= 65_535 or len(parts) != -(-height // rows):
        raise JpegError(f"{len(parts)} stripes of {rows} rows make no picture of {height}")
    first = parts[0]
    info = inspect(first, _ANY_SIZE)
    for y, part in zip(range(0, height, rows), parts, strict=True):
        _check_part(part, first, info, min(rows, height - y))
    if info.width != width:
        raise JpegError(f"stripes of another width than {width} do not join")
    return first if len(parts) == 1 else _joined(parts, info, height, rows)


def _joined(parts: Sequence[bytes], info: JpegInfo, height: int, rows: int) -> bytes:
    first = parts[0]
    interval = rows // info.mcu[1] * _mcus(info)
    if info.interval or rows % info.mcu[1] or interval > MAX_INTERVAL:
        raise JpegError(f"stripes of {rows} rows make no restart intervals")
    pieces = [
        _with_height(first[: info.scan], info, height),
        b"\xff\xdd\0\4" + interval.to_bytes(2),
        first[info.scan : info.bits],
    ]
    for number, part in enumerate(parts):
        pieces += [part[info.bits : -2], _restart(number)]
    pieces[-1] = _EOI
    return b"".join(pieces)


def cut(jpeg: bytes, parts: int) -> list[Stripe] | None:
    """The picture as two to `parts` JPEGs from top to bottom, or None: decode it in one piece.

    None are files without restart intervals, with intervals that are not whole MCU rows, with a
    marker that is missing, surplus or out of turn, and all that `inspect` refuses. Never raises.
    """
    try:
        info = inspect(jpeg, _ANY_SIZE)
    except JpegError:
        return None
    if not info.interval or info.interval % _mcus(info):
        return None
    rows = info.interval // _mcus(info) * info.mcu[1]
    spans = _intervals(jpeg, info.bits, -(-info.height // rows))
    ranges = plan(info.height, rows, parts)
    if spans is None or len(ranges) < 2:
        return None
    return [
        Stripe(_standalone(jpeg, info, spans[y0 // rows : -(-y1 // rows)], y1 - y0), y0, y1)
        for y0, y1 in ranges
    ]


def _mcus(info: JpegInfo) -> int:
    """In a row."""
    return -(-info.width // info.mcu[0])


def _intervals(jpeg: bytes, start: int, count: int) -> list[tuple[int, int]] | None:
    """(start, end) of the coded bits of each of `count` restart intervals.

    None unless their markers and EOI, each in its turn, are all the markers there are.
    """
    found = [match.start() for match in _MARKER.finditer(jpeg, start)]
    if len(found) != count or found[-1] != len(jpeg) - 2 or jpeg[-1] != _EOI[1]:
        return None
    if any(jpeg[at + 1] != 0xD0 + i % 8 for i, at in enumerate(found[:-1])):
        return None
    return [(a + 2, b) for a, b in pairwise([start - 2, *found])]


def _standalone(
    jpeg: bytes, info: JpegInfo, spans: Sequence[tuple[int, int]], height: int
) -> bytes:
    pieces = [_with_height(jpeg[: info.bits], info, height)]
    for number, (start, end) in enumerate(spans):
        pieces += [jpeg[start:end], _restart(number)]
    pieces[-1] = _EOI
    return b"".join(pieces)


def _restart(number: int) -> bytes:
    """The marker that ends restart interval `number`."""
    return bytes((0xFF, 0xD0 + number % 8))


def _with_height(head: bytes, info: JpegInfo, height: int) -> bytes:
    return head[: info.frame + 5] + height.to_bytes(2) + head[info.frame + 7 :]


def _check_part(part: bytes, first: bytes, info: JpegInfo, height: int) -> None:
    expected = _with_height(first[: info.bits], info, height)
    if part[: info.bits] != expected or part[-2:] != _EOI:
        raise JpegError("JPEGs of different encoders or sizes do not join")
