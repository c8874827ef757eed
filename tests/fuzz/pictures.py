"""Targets: JPEG files, before any decoder sees them and then in the decoder."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from framewire.common import jpeg, jpeg_scaled, jpeg_stripes, jpeg_syntax
from framewire.common.config import DEFAULT_LIMITS
from framewire.common.errors import JpegError
from framewire.common.frame import Image
from framewire.common.testchart import draw_number
from fuzz.target import SEPARATOR, Target, joined, split

__all__ = ["PIXELS", "SCALED", "STRIPES", "SYNTAX"]

_PIXELS = DEFAULT_LIMITS.picture_pixels
_MARKERS = (*range(0xC0, 0xFF), 0x01)
_WORDS = (
    SEPARATOR,
    *(bytes((0xFF, marker)) for marker in _MARKERS),
    b"\xff\xdd\0\4\0\1",
    b"\xff\xdd\0\4\0\4",
    b"\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0",
    b"\xff\xda\0\x08\x01\x01\0\0\x3f\0",
    b"\xff\xe9\0\x0cframewire\0",
    b"\xff\xe0\0\x10JFIF\0",
    b"\xff\xee\0\x0eAdobe\0",
    b"\xff\xff\xff\xff",
    b"\xff\xfd",
    b"\x11",
    b"\x22",
    b"\x41",
)


@cache
def _drawn(width: int, height: int, gray: bool) -> Image:
    image = np.random.default_rng(width).integers(60, 120, (height, width, 3), np.uint8)
    if width >= 64:
        draw_number(image, width)
    return np.ascontiguousarray(image[:, :, 0]) if gray else image


def _files() -> Iterator[bytes]:
    """Of each kind: gray and colour, whole and in stripes, 4:2:0 and others, with and without all."""
    for width, height in ((8, 8), (16, 16), (33, 49), (64, 48)):
        for gray in (False, True):
            for stripes in (1, 2, 4):
                yield jpeg.encode(_drawn(width, height, gray), 40, stripes=stripes)
    plain = jpeg.encode(_drawn(33, 49, False), 40, stripes=3)
    yield jpeg_syntax.with_header(plain, b"\x80")
    yield _without_tables(plain)
    yield from _sampled()


def _without_tables(data: bytes) -> bytes:
    """As webcams give it."""
    kept, end = [data[:2]], 2
    for marker, at, end in jpeg_syntax.segments(data):
        if marker == jpeg_syntax.SOS:
            end = at
            break
        if marker != jpeg_syntax.DHT:
            kept.append(data[at:end])
    return b"".join((*kept, data[end:]))


def _sampled() -> Iterator[bytes]:
    from framewire.common.turbo import simplejpeg

    if simplejpeg is not None:
        for kind in ("444", "422", "440", "411"):
            yield bytes(simplejpeg.encode_jpeg(_drawn(33, 49, False), 40, "BGR", kind, False))


def _info(data: bytes) -> jpeg_syntax.JpegInfo | None:
    try:
        return jpeg_syntax.inspect(data, _PIXELS)
    except JpegError:
        return None


# -- syntax -------------------------------------------------------------------------------------


def _check_syntax(data: bytes) -> bool:
    short = jpeg_syntax.trimmed(data)
    assert jpeg_syntax.trimmed(short) == short == data[: len(short)]
    header, rest = jpeg_syntax.split_header(data)
    assert len(rest) <= len(data)
    assert header is not None or rest == data
    info = _info(data)
    if info is None:
        return False
    assert 2 <= info.frame < info.scan < info.bits <= len(data) - 2
    assert 0 < info.width * info.height <= _PIXELS
    assert info.blocks <= 4 * len(data)
    assert jpeg_syntax._read(data) == info  # heads that came before are remembered
    for header in (b"", data[:40], bytes(jpeg_syntax.CHUNK_BYTES)):
        assert jpeg_syntax.split_header(jpeg_syntax.with_header(data, header)) == (header, data)
    whole = jpeg_syntax.inspect(jpeg_syntax.with_huffman_tables(data, info), _PIXELS)
    scan, bits, tables = info.scan, info.bits, info.huffman_tables
    assert replace(whole, scan=scan, bits=bits, huffman_tables=tables) == info
    return True


# -- stripes ------------------------------------------------------------------------------------


def _check_stripes(data: bytes) -> bool:
    return any([*map(_check_cut, split(data)), _check_join(data)])


def _check_cut(data: bytes) -> bool:
    taken = False
    for parts in (2, 3, 64):
        stripes = jpeg_stripes.cut(data, parts)
        if stripes is None:
            continue
        taken = True
        whole = jpeg_syntax.inspect(data, 65_535**2)
        assert 2 <= len(stripes) <= parts
        assert [0, *(each.y1 for each in stripes)] == [*(each.y0 for each in stripes), whole.height]
        for each in stripes:
            assert each.jpeg[: whole.frame] == data[: whole.frame]
            assert each.jpeg.endswith(b"\xff\xd9")
        assert sum(len(each.jpeg) for each in stripes) <= len(data) + parts * (whole.bits + 2)
    return taken


def _check_join(data: bytes) -> bool:
    parts = split(data)
    info = _info(parts[0])
    if info is None:
        return False
    last = _info(parts[-1]) or info
    height = info.height * (len(parts) - 1) + last.height
    try:
        whole = jpeg_stripes.join(parts, info.width, height, info.height)
    except JpegError:
        return False
    found = jpeg_syntax.inspect(whole, 65_535**2)
    assert (found.width, found.height, found.channels) == (info.width, height, info.channels)
    return True


def _stripes() -> Iterator[bytes]:
    yield from _files()
    for gray, rows in ((False, 16), (True, 8)):
        image = _drawn(33, 49, gray)
        yield joined(jpeg.encode(image[y : y + rows], 40, stripes=1) for y in range(0, 48, rows))


# -- pixels -------------------------------------------------------------------------------------


def _decoded(data: bytes, stripes: int) -> Image | None:
    try:
        return jpeg.decode(data, stripes=stripes)
    except JpegError:
        return None


def _check_pixels(data: bytes) -> bool:
    """What the guard lets through decodes to the same by one core and by several, or not at all.

    Several may take what one refuses: bytes too many at the end of a stripe.
    """
    info = _info(data)
    if info is None:
        return False
    image = _decoded(data, 1)
    if image is not None:
        assert image.shape == _shape(info.height, info.width, info.channels == 1)
    for stripes in (2, 3):
        other = _decoded(data, stripes)
        assert image is None or (other is not None and np.array_equal(image, other)), stripes
        assert other is None or other.shape == _shape(info.height, info.width, info.channels == 1)
    return image is not None


def _shape(height: int, width: int, gray: bool) -> tuple[int, ...]:
    return (height, width) if gray else (height, width, 3)


def _check_scaled(data: bytes) -> bool:
    info = _info(data)
    if info is None:
        return False
    taken = False
    for factor in jpeg_scaled.FACTORS:
        size = (jpeg_scaled.reduced(info.height, factor), jpeg_scaled.reduced(info.width, factor))
        for gray in (False, True):
            try:
                image = jpeg_scaled.decode_scaled(data, factor, gray=gray)
            except JpegError:
                continue
            taken = True
            assert image.shape == _shape(*size, gray or info.channels == 1), (factor, gray)
            assert image.flags.writeable
    return taken


SYNTAX = Target(_check_syntax, _files, _WORDS)
STRIPES = Target(_check_stripes, _stripes, _WORDS)
PIXELS = Target(_check_pixels, _files, _WORDS)
SCALED = Target(_check_scaled, _files, _WORDS)
