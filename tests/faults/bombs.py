"""Pictures that would hurt whoever decodes them, and files that only seem to be JPEG."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image

from framewire.common import jpeg
from framewire.common.testchart import draw_number

SIDE = 48
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


@lru_cache(maxsize=1)
def good() -> bytes:
    """An ordinary picture of SIDE x SIDE."""
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    draw_number(image, 7)
    return jpeg.encode(image, 85)


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (2 + len(body)).to_bytes(2) + body


def _saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    into = io.BytesIO()
    Image.effect_noise((SIDE, SIDE), 40).convert(mode).save(into, kind, **options)
    return into.getvalue()


def _frame_at(data: bytes) -> int:
    return data.index(b"\xff\xc0")


def sized(width: int, height: int) -> bytes:
    """The ordinary picture, that claims another size."""
    data = good()
    at = _frame_at(data) + 5
    return data[:at] + height.to_bytes(2) + width.to_bytes(2) + data[at + 4 :]


def _with_frame(marker: int = 0xC0, precision: int = 8) -> bytes:
    data = good()
    at = _frame_at(data)
    return (
        data[: at + 1]
        + bytes((marker,))
        + data[at + 2 : at + 4]
        + bytes((precision,))
        + data[at + 5 :]
    )


def _many_scans() -> bytes:
    """Progressive; its last scan a thousand times."""
    data = _saved("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 1000 + EOI


def _before_frame(*segments: bytes, of: bytes | None = None) -> bytes:
    data = of or good()
    at = _frame_at(data)
    return data[:at] + b"".join(segments) + data[at:]


def _padded(data: bytes, size: int) -> bytes:
    """As long as that, in its scan."""
    return data[:-2] + bytes(max(0, size - len(data))) + EOI


def thumbnailed() -> bytes:
    """An ordinary picture with a bomb for a thumbnail: who looks there is to blame."""
    return SOI + segment(0xE1, b"Exif\0\0" + sized(32767, 32767)[:60_000]) + good()[2:]


def turned() -> bytes:
    """An ordinary picture of which EXIF says that it is to be turned by 90 degrees."""
    entry = b"\x01\x12\0\3\0\0\0\1\0\6\0\0"
    body = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + bytes(4)
    wide = jpeg.encode(np.zeros((16, 64, 3), np.uint8), 80)
    return SOI + segment(0xE1, body) + wide[2:]


HARMLESS = {"a bomb for a thumbnail": thumbnailed, "to be turned": turned}
"""What is taken as its frame header says."""


@lru_cache(maxsize=1)
def bombs() -> dict[str, bytes]:
    data = good()
    frame, scan = _frame_at(data), data.index(b"\xff\xda")
    lengths = data.index(b"\xff\xc4") + 5  # sixteen counts of codes
    codes = sum(data[lengths : lengths + 16])
    astray = bytes((3, *[0] * 14, codes - 3))  # three codes of one bit, and the rest as before
    return {
        "a gigapixel in 3 KB": _padded(sized(32767, 32767), 2900),
        "the largest that a head can say": _padded(sized(65535, 65535), 2900),
        "one row above the limit": _padded(sized(8192, 8193), 8192 * 8192 // 64),
        "larger than its bytes can be": sized(4000, 3000),
        "another size than its header says": sized(SIDE, SIDE + 8),
        "a thousand scans": _many_scans(),
        "progressive": _saved("JPEG", progressive=True),
        "cmyk": _saved("JPEG", "CMYK"),
        "png": _saved("PNG"),
        "gif": _saved("GIF"),
        "webp": _saved("WEBP"),
        "bmp": _saved("BMP"),
        "tiff": _saved("TIFF"),
        "png between SOI and EOI": SOI + _saved("PNG") + EOI,
        "arithmetic": _with_frame(0xC9),
        "arithmetic conditioning": _before_frame(segment(0xCC, b"\0\0")),
        "extended": _with_frame(0xC1),
        "12 bits": _with_frame(0xC1, 12),
        "12 bits that claim to be baseline": _with_frame(precision=12),
        "lossless": _with_frame(0xC3),
        "hierarchical": _with_frame(0xC5),
        "a height that comes later": sized(SIDE, 0)[:-2] + segment(0xDC, SIDE.to_bytes(2)) + EOI,
        "no width": sized(0, SIDE),
        "two frame headers": _before_frame(data[frame : frame + 19]),
        "no frame header": data[:frame] + data[frame + 19 :],
        "a frame header behind the scan": data[:frame]
        + data[frame + 19 : -2]
        + data[frame : frame + 19]
        + EOI,
        "no end": data[:-2],
        "garbage behind the end": data + b"garbage",
        "two beginnings": SOI + data,
        "a second picture before the frame header": _before_frame(data),
        "an end before the scan": data[:scan] + EOI + data[scan:],
        "codes that there are not": data[:lengths] + astray + data[lengths + 16 :],
        "more codes than bytes": data[:lengths] + b"\xff" * 16 + data[lengths + 16 :],
        "a hundred thousand tables": _before_frame(*[segment(0xC4, bytes(65_501))] * 26),
        "a thousand segments": _before_frame(*[segment(0xFE, b"")] * 1000),
        "a restart interval of no length": _before_frame(segment(0xDD, b"")),
        "a segment past the end": data[:scan] + b"\xff\xe1\xff\xff" + data[scan:],
        "a segment shorter than its length": data[:scan] + b"\xff\xe1\0\1" + data[scan:],
        "sixteen megabytes of fill": data[:2] + b"\xff" * (16 << 20) + data[2:],
        "sixteen megabytes of nothing": SOI + bytes(16 << 20) + EOI,
        "impossible sampling": data[: frame + 11] + b"\x44" + data[frame + 12 :],
        "components apart": data[:scan] + segment(0xDA, b"\1\1\0\0\x3f\0") + data[scan + 14 :],
        "only an end": EOI,
        "nothing": b"",
    }
