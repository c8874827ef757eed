"""What the bytes of a JPEG say before any decoder sees them, and surgery on them. Pure.

Marker names and layouts are those of ITU-T T.81 (the JPEG standard), annex B.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from framewire.common.errors import JpegError

__all__ = [
    "JpegInfo",
    "inspect",
    "segments",
    "split_header",
    "trimmed",
    "with_header",
    "with_huffman_tables",
]

SOI, EOI, SOS, SOF0 = 0xD8, 0xD9, 0xDA, 0xC0
DHT, DQT, DRI, COM, APP0, APP15 = 0xC4, 0xDB, 0xDD, 0xFE, 0xE0, 0xEF

_ALLOWED = frozenset((SOF0, DHT, DQT, DRI, COM, *range(APP0, APP15 + 1)))
MAX_SEGMENTS = 256
"""Before the scan, SOS included: cameras write about ten."""
MAX_TABLES = 32
"""Huffman tables before the scan; eight can be in use at a time (T.81 B.2.4.2)."""
_KNOWN_BYTES = 2048  # of a head that is kept; ordinary ones have about 620
_KNOWN_HEADS = 64
MOST_FILL = 1024
"""Fill bytes before a marker; the standard sets none, and to look at 64 MiB of them takes too long."""
_FILL = re.compile(rb"\xff{1,%d}" % MOST_FILL)

IDENTIFIER = b"framewire\0"
CHUNK_BYTES = 65_000
"""Header bytes in one APP9 segment; a segment ends at 65,535 with its length and identifier."""


@dataclass(frozen=True, slots=True)
class JpegInfo:
    """What `inspect` found. Offsets are those of a marker's 0xFF."""

    width: int
    height: int
    channels: int
    """1 (gray) or 3."""
    mcu: tuple[int, int]
    """(width, height) in pixels of what one MCU covers (T.81 A.2)."""
    blocks: int
    """8x8 blocks in the picture, of all components."""
    frame: int
    """Offset of SOF0; the height is 5 bytes behind it."""
    scan: int
    """Offset of SOS."""
    bits: int
    """Offset of the coded bits."""
    interval: int
    """MCUs between restart markers; 0: there are none."""
    huffman_tables: bool
    """Whether the file brings its own; webcams often leave them out."""


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, offset of its 0xFF, end) of every segment up to and with SOS."""
    size, at = len(data), 2
    for _ in range(MAX_SEGMENTS):
        fill = _FILL.match(data, at)  # the last of any fill bytes begins the marker
        at = fill.end() - 1 if fill else at
        if at + 4 > size or data[at] != 0xFF:
            raise JpegError("not a JPEG: a marker is missing")
        marker = data[at + 1]
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end < at + 4 or end > size:
            raise JpegError("not a JPEG: a segment runs past the end")
        yield marker, at, end
        at = end
    raise JpegError(f"refused JPEG: more than {MAX_SEGMENTS} segments")


def _frame_header(data: bytes, at: int, end: int) -> tuple[int, int, list[tuple[int, int]]]:
    """(width, height, sampling factors of each component) from a SOF0 segment (T.81 B.2.2)."""
    if end - at < 10:
        raise JpegError("not a JPEG: its frame header is cut short")
    precision, channels = data[at + 4], data[at + 9]
    height = int.from_bytes(data[at + 5 : at + 7])
    width = int.from_bytes(data[at + 7 : at + 9])
    if precision != 8 or channels not in (1, 3):
        raise JpegError(f"refused JPEG: {precision} bits, {channels} components; 8 bits, 1 or 3 go")
    if not width or not height:
        raise JpegError(f"refused JPEG: a picture of {width}x{height}")
    if end - at != 10 + 3 * channels:
        raise JpegError("not a JPEG: its frame header has the wrong length")
    sampling = [(b >> 4, b & 15) for b in data[at + 11 : end : 3]]
    if any(not (1 <= h <= 4 and 1 <= v <= 4) for h, v in sampling):
        raise JpegError("refused JPEG: impossible sampling factors")
    if channels == 1:
        sampling = [(1, 1)]  # T.81 A.2.2: a scan of one component is not interleaved
    if sum(h * v for h, v in sampling) > 10:  # T.81 B.2.3
        raise JpegError("refused JPEG: impossible sampling factors")
    return width, height, sampling


def _huffman_tables(data: bytes, at: int, end: int) -> int:
    """Check the tables of a DHT segment and return their number (T.81 B.2.4.2, C.2).

    Each code is one more than the last of its length, and none is all ones: tables that promise more
    codes than there are make decoders fail late, or read astray.
    """
    at += 4
    count = 0
    while at < end and count <= MAX_TABLES:
        lengths = data[at + 1 : at + 17]
        codes, code = sum(lengths), 0
        if data[at] & 0xEC or at + 17 + codes > end or codes > 256:  # class 0 or 1, number 0 to 3
            raise JpegError("refused JPEG: a Huffman table that is cut or too large")
        for bits, number in enumerate(lengths, 1):
            code = 2 * code + number
            if number and code >= 1 << bits:
                raise JpegError("refused JPEG: a Huffman table with more codes than there are")
        at += 17 + codes
        count += 1
    return count


def inspect(data: bytes, max_pixels: int) -> JpegInfo:
    """Check the structure of a JPEG and return its facts; a few microseconds, no decoding.

    Taken are baseline files (SOF0) of 8 bits and 1 or 3 components in one scan, that end in EOI and
    have at least the bytes that their size needs: each 8x8 block costs two bits or more (one
    Huffman code for DC, one for AC). So a few kilobytes cannot claim a giant picture, and no scan
    can be repeated a thousand times. Everything else raises `JpegError`.
    """
    if data[:2] != b"\xff\xd8":
        raise JpegError("not a JPEG: it does not begin with SOI")
    if data[-2:] != b"\xff\xd9":
        raise JpegError("cut JPEG: it does not end with EOI")
    info = _facts(data)
    if info.width * info.height > max_pixels:
        raise JpegError(f"refused JPEG: {info.width}x{info.height} is above {max_pixels} pixels")
    if len(data) - 2 - info.bits < -(-info.blocks // 4):
        raise JpegError(f"cut JPEG: too few bytes for {info.width}x{info.height}")
    return info


def _facts(data: bytes) -> JpegInfo:
    """What the segments say. Those of one encoder are the same bytes, picture after picture."""
    scan = data.find(b"\xff\xda", 2, _KNOWN_BYTES)
    if scan > 0:  # nothing behind the first SOS, if it is one, is looked at
        with suppress(JpegError):
            return _known(data[: scan + 2 + int.from_bytes(data[scan + 2 : scan + 4])])
    return _read(data)


@lru_cache(_KNOWN_HEADS)
def _known(head: bytes) -> JpegInfo:
    return _read(head)


def _read(data: bytes) -> JpegInfo:
    width = height = frame = interval = 0
    sampling: list[tuple[int, int]] = []
    tables = 0
    for marker, at, end in segments(data):
        if marker == SOF0 and not frame:
            frame, (width, height, sampling) = at, _frame_header(data, at, end)
        elif marker == SOS:
            break
        elif marker == DHT:
            tables += _huffman_tables(data, at, end)
            if tables > MAX_TABLES:
                raise JpegError(f"refused JPEG: more than {MAX_TABLES} Huffman tables")
        elif marker == DRI:
            if end - at != 6:
                raise JpegError("not a JPEG: its restart interval has the wrong length")
            interval = int.from_bytes(data[at + 4 : at + 6])
        elif marker == SOF0 or marker not in _ALLOWED:
            raise JpegError(f"refused JPEG: marker FF{marker:02X}; only baseline files go")
    if not frame:
        raise JpegError("not a JPEG: no frame header before the scan")
    channels = len(sampling)
    if end - at != 8 + 2 * channels or data[at + 4] != channels:
        raise JpegError("refused JPEG: its components are not in one scan")
    mcu = 8 * max(h for h, _ in sampling), 8 * max(v for _, v in sampling)
    blocks = -(-width // mcu[0]) * -(-height // mcu[1]) * sum(h * v for h, v in sampling)
    return JpegInfo(width, height, channels, mcu, blocks, frame, at, end, interval, tables > 0)


def trimmed(data: bytes) -> bytes:
    """`data` up to and with its last EOI: cameras pad their buffers behind it."""
    if data[-2:] == b"\xff\xd9":
        return data
    end = data.rfind(b"\xff\xd9")
    return data[: end + 2] if end >= 0 else data


def _insert_at(data: bytes | memoryview) -> int:
    """Offset right after SOI and, where there is one, the JFIF segment that must follow it."""
    if data[2:4] == b"\xff\xe0":
        return 4 + int.from_bytes(data[4:6])
    return 2


def with_header(jpeg: bytes, header: bytes) -> bytes:
    """`jpeg` with `header` in APP9 segments right after SOI or JFIF; `split_header` undoes it.

    The run ends with the first segment of fewer than 65,000 header bytes (an empty one if need be),
    so that segments of the same kind that `jpeg` already had are not taken for more of it.
    """
    parts = []
    for start in range(0, len(header) + 1, CHUNK_BYTES):
        chunk = header[start : start + CHUNK_BYTES]
        length = 2 + len(IDENTIFIER) + len(chunk)
        parts += [b"\xff\xe9", length.to_bytes(2), IDENTIFIER, chunk]
    at = _insert_at(jpeg)
    return b"".join((jpeg[:at], *parts, memoryview(jpeg)[at:]))


def split_header(jpeg: bytes | memoryview) -> tuple[bytes | None, bytes]:
    """(header that `with_header` put in, or None; the JPEG without it, byte for byte).

    Copies a picture once, or not at all where there is nothing to take out.
    """
    view = memoryview(jpeg)
    at = start = _insert_at(view)
    chunks = []
    while bytes(view[at : at + 2]) == b"\xff\xe9" and bytes(view[at + 4 : at + 14]) == IDENTIFIER:
        end = at + 2 + int.from_bytes(view[at + 2 : at + 4])
        chunks.append(view[at + 14 : end])
        at = end
        if len(chunks[-1]) < CHUNK_BYTES:
            return b"".join(chunks), b"".join((view[:start], view[at:]))
    return None, bytes(jpeg)


def _table(kind: int, counts: bytes, values: bytes) -> bytes:
    body = bytes((kind,)) + counts + values
    return b"\xff\xc4" + (2 + len(body)).to_bytes(2) + body


def _ac_table(kind: int, counts: str, values: str) -> bytes:
    return _table(kind, bytes.fromhex(counts), bytes.fromhex(values))


# T.81 annex K.3: the "typical" tables, which Motion JPEG takes for granted where none are sent.
_STANDARD_TABLES = b"".join(
    (
        _table(0x00, bytes.fromhex("00010501010101010100000000000000"), bytes(range(12))),
        _ac_table(
            0x10,
            "0002010303020403050504040000017d",
            "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a"
            "25262728292a3435363738393a434445464748494a535455565758595a636465666768696a73747576777879"
            "7a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9"
            "cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
        ),
        _table(0x01, bytes.fromhex("00030101010101010101010000000000"), bytes(range(12))),
        _ac_table(
            0x11,
            "00020102040403040705040400010277",
            "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f1"
            "1718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a7374757677"
            "78797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6"
            "c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
        ),
    )
)


def with_huffman_tables(jpeg: bytes, info: JpegInfo) -> bytes:
    """`jpeg`, with the standard tables before its scan if it brings none."""
    if info.huffman_tables:
        return jpeg
    return jpeg[: info.scan] + _STANDARD_TABLES + jpeg[info.scan :]
