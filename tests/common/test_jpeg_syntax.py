"""The guard against real files, forged ones and noise; the surgery undone byte for byte."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.errors import JpegError
from framewire.common.frame import Image
from framewire.common.jpeg import decode
from framewire.common.jpeg_syntax import (
    CHUNK_BYTES,
    IDENTIFIER,
    JpegInfo,
    inspect,
    split_header,
    trimmed,
    with_header,
    with_huffman_tables,
)
from framewire.common.opencv import cv2

PIXELS = 64 << 20
SAMPLINGS = {
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}


def _noise(height: int, width: int, channels: int = 3) -> Image:
    return np.random.default_rng(3).integers(0, 256, (height, width, channels), np.uint8)


def _opencv(image: Image, *flags: int) -> bytes:
    done, data = cv2.imencode(".jpg", image, flags)
    assert done
    return data.tobytes()


def _colour(height: int, width: int, sampling: str = "420") -> bytes:
    flags = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling])
    return _opencv(_noise(height, width), *flags)


def _gray(height: int, width: int) -> bytes:
    return _opencv(_noise(height, width, 1)[:, :, 0])


def _colour_turbo(height: int, width: int, sampling: str) -> bytes:
    simplejpeg = pytest.importorskip("simplejpeg")
    return bytes(simplejpeg.encode_jpeg(_noise(height, width), 80, "BGR", sampling))


REAL = _colour(48, 64)


# -- forged files -------------------------------------------------------------------------------


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (2 + len(body)).to_bytes(2) + body


def _sof(
    width: int, height: int, factors: tuple[int, ...] = (0x11,), bits: int = 8, marker: int = 0xC0
) -> bytes:
    components = b"".join(bytes((i + 1, f, 0)) for i, f in enumerate(factors))
    sizes = height.to_bytes(2) + width.to_bytes(2)
    return _segment(marker, bytes((bits,)) + sizes + bytes((len(factors),)) + components)


def _sos(count: int = 1) -> bytes:
    components = b"".join(bytes((i + 1, 0)) for i in range(count))
    return _segment(0xDA, bytes((count,)) + components + b"\0\x3f\0")


def _forged(*segments: bytes, scan: bytes = bytes(64)) -> bytes:
    return b"".join((b"\xff\xd8", *segments, scan, b"\xff\xd9"))


# -- what is taken ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [_colour, _colour_turbo])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_real_files_of_odd_sizes(sampling: str, make: Callable[[int, int, str], bytes]) -> None:
    for height, width in itertools.product((1, 2, 7, 8, 9, 16, 17, 33), repeat=2):
        info = inspect(make(height, width, sampling), PIXELS)
        assert (info.width, info.height, info.channels) == (width, height, 3)
        assert info.huffman_tables


def test_real_gray_files() -> None:
    for height, width in itertools.product((1, 8, 9, 31), repeat=2):
        info = inspect(_gray(height, width), PIXELS)
        assert (info.width, info.height, info.channels) == (width, height, 1)


@pytest.mark.parametrize("flags", [(), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)])
def test_files_of_opencv(flags: tuple[int, ...]) -> None:
    info = inspect(_opencv(_noise(30, 50), *flags), PIXELS)
    assert (info.width, info.height, info.channels) == (50, 30, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_flat_picture_at_the_very_bound(channels: int) -> None:
    """Optimised tables code a flat picture in two bits a block: nothing real is smaller."""
    flat = np.full((2048, 2048, channels), 128, np.uint8)
    data = _opencv(flat, cv2.IMWRITE_JPEG_OPTIMIZE, 1)
    blocks = 256 * 256 * (1.5 if channels == 3 else 1)
    info = inspect(data, PIXELS)
    assert len(data) - info.scan < blocks / 4 + 32
    with pytest.raises(JpegError, match="too few bytes"):
        inspect(data[:-64] + b"\xff\xd9", PIXELS)


def test_scan_is_the_offset_of_the_marker() -> None:
    info = inspect(REAL, PIXELS)
    assert REAL[info.scan : info.scan + 2] == b"\xff\xda"
    info = inspect(_forged(_sof(8, 8), _sos()), PIXELS)
    assert info == JpegInfo(
        width=8, height=8, channels=1, mcu=(8, 8), blocks=1, frame=2, scan=15, bits=25, interval=0,
        huffman_tables=False,
    )  # fmt: skip


def test_sos_in_a_comment_is_none() -> None:
    comment = b"\xff\xfe\0\x0a\xff\xda\0\x08\1\0\0\0"
    plain, commented = (
        inspect(_forged(*extra, _sof(8, 8), _sos()), PIXELS) for extra in ((), (comment,))
    )
    assert (commented.scan, commented.bits) == (
        plain.scan + len(comment),
        plain.bits + len(comment),
    )


def test_each_file_is_measured_by_itself_also_behind_a_known_head() -> None:
    whole = _forged(_sof(800, 800), _sos(), scan=bytes(2500))
    assert inspect(whole, PIXELS).blocks == 10_000
    with pytest.raises(JpegError, match="too few bytes for 800x800"):
        inspect(_forged(_sof(800, 800), _sos(), scan=bytes(2499)), PIXELS)
    with pytest.raises(JpegError, match="above 639999"):
        inspect(whole, 639_999)


def test_fill_bytes_before_a_marker_are_legal() -> None:
    data = _forged(b"\xff\xff\xff" + _sof(8, 8), b"\xff" + _sos())
    assert inspect(data, PIXELS).width == 8


@pytest.mark.parametrize(
    ("factors", "blocks"),
    [
        ((0x11,), 4 * 2),
        ((0x22,), 4 * 2),  # one component is never interleaved
        ((0x11, 0x11, 0x11), 4 * 2 * 3),
        ((0x22, 0x11, 0x11), 2 * 1 * 6),
        ((0x21, 0x11, 0x11), 2 * 2 * 4),
        ((0x12, 0x11, 0x11), 4 * 1 * 4),
        ((0x41, 0x11, 0x11), 1 * 2 * 6),
        ((0x42, 0x11, 0x11), 1 * 1 * 10),
    ],
)
def test_the_least_number_of_bytes(factors: tuple[int, ...], blocks: int) -> None:
    """25 x 10 pixels are 4 x 2 blocks; two bits each, rounded up to bytes."""
    head, least = (_sof(25, 10, factors), _sos(len(factors))), -(-blocks // 4)
    assert inspect(_forged(*head, scan=bytes(least)), PIXELS).width == 25
    with pytest.raises(JpegError, match="too few bytes for 25x10"):
        inspect(_forged(*head, scan=bytes(least - 1)), PIXELS)


def test_a_gray_picture_has_as_many_blocks_as_it_shows() -> None:
    assert inspect(_forged(_sof(8, 32), _sos(), scan=b"\0"), PIXELS).height == 32
    with pytest.raises(JpegError, match="too few bytes"):
        inspect(_forged(_sof(8, 33), _sos(), scan=b"\0"), PIXELS)


BODIES = {0xC4: bytes(17), 0xDD: b"\0\1"}


@pytest.mark.parametrize("marker", [0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)])
def test_segments_that_may_stand_before_the_scan(marker: int) -> None:
    segment = _segment(marker, BODIES.get(marker, b"body"))
    for segments in itertools.permutations((segment, _sof(8, 8))):
        assert inspect(_forged(*segments, _sos()), PIXELS).huffman_tables == (marker == 0xC4)


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\1\2"])
def test_a_restart_interval_of_another_length(body: bytes) -> None:
    with pytest.raises(JpegError, match="restart interval"):
        inspect(_forged(_segment(0xDD, body), _sof(8, 8), _sos()), PIXELS)


def _table(*lengths: int, kind: int = 0) -> bytes:
    """A Huffman table with so many codes of 1, 2, ... bits."""
    counts = bytes(lengths).ljust(16, b"\0")
    return bytes((kind,)) + counts + bytes(sum(lengths))


HUFFMAN = {
    "a code of one bit": (_table(1), True),
    "both codes of one bit": (_table(2), False),  # none may be all ones
    "all but one code of two bits": (_table(0, 3), True),
    "all codes of two bits": (_table(0, 4), False),
    "one bit, and what is left of two": (_table(1, 1), True),
    "one bit, and more than is left of two": (_table(1, 2), False),
    "three bits before two": (_table(0, 0, 7), True),
    "as many codes as may be": (_table(*[0] * 8, 128, 128), True),
    "one more": (_table(*[0] * 8, 128, 129), False),
    "every length full": (bytes(1) + b"\xff" * 16 + bytes(255 * 16), False),
    "the last class and number": (_table(1, kind=0x13), True),
    "a third class": (_table(1, kind=0x20), False),
    "a fifth number": (_table(1, kind=0x04), False),
    "cut before its codes": (_table(1)[:-1], False),
    "cut in its counts": (_table(1)[:10], False),
    "no table at all": (b"", True),
    "two tables": (_table(1) + _table(1, kind=0x10), True),
    "one and a half": (_table(1) + _table(1)[:9], False),
    "as many tables as may be": (_table(1) * 32, True),
    "one table more": (_table(1) * 33, False),
    "three thousand tables": (_table() * 3000, False),
}


@pytest.mark.parametrize("name", HUFFMAN)
def test_huffman_tables(name: str) -> None:
    body, fine = HUFFMAN[name]
    data = _forged(_sof(8, 8), _segment(0xC4, body), _sos())
    if fine:
        assert inspect(data, PIXELS).width == 8
    else:
        with pytest.raises(JpegError, match="Huffman table"):
            inspect(data, PIXELS)


def test_huffman_tables_in_many_segments_count_together() -> None:
    tables = [_segment(0xC4, _table(1))] * 33
    assert inspect(_forged(*tables[1:], _sof(8, 8), _sos()), PIXELS).huffman_tables
    with pytest.raises(JpegError, match="more than 32 Huffman tables"):
        inspect(_forged(*tables, _sof(8, 8), _sos()), PIXELS)


def test_more_blocks_than_an_mcu_may_have() -> None:
    with pytest.raises(JpegError, match="sampling factors"):
        inspect(_forged(_sof(8, 8, (0x42, 0x12, 0x11)), _sos(3)), PIXELS)


def test_the_pixel_limit() -> None:
    data = _forged(_sof(20, 10), _sos())
    assert inspect(data, 200).width == 20
    with pytest.raises(JpegError, match="20x10 is above 199 pixels"):
        inspect(data, 199)


def test_the_segment_limit() -> None:
    comments = [_segment(0xFE, b"")] * 254
    assert inspect(_forged(*comments, _sof(8, 8), _sos()), PIXELS).width == 8
    with pytest.raises(JpegError, match="more than 256 segments"):
        inspect(_forged(*comments, _segment(0xFE, b""), _sof(8, 8), _sos()), PIXELS)


# -- what is refused ----------------------------------------------------------------------------


def _claiming(width: int, height: int) -> bytes:
    at = REAL.index(b"\xff\xc0") + 5
    return REAL[:at] + height.to_bytes(2) + width.to_bytes(2) + REAL[at + 4 :]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "does not begin with SOI"),
        (b"\x89PNG\r\n", "does not begin with SOI"),
        (REAL[1:], "does not begin with SOI"),
        (REAL[:-2], "does not end with EOI"),
        (REAL + b"\0", "does not end with EOI"),
        (b"\xff\xd8", "does not end with EOI"),
        (b"\xff\xd8\xff\xd9", "a marker is missing"),
        (_forged(b"\0\0\0\0"), "a marker is missing"),
        (_forged(scan=b"\xff" * 100), "a marker is missing"),
        (_forged(b"\xff\xe1\0\x01"), "past the end"),
        (_forged(b"\xff\xe1\xff\xff"), "past the end"),
        (_opencv(_noise(16, 16), cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "marker FFC2"),
        (_forged(_sof(8, 8, bits=12), _sos()), "12 bits, 1 components"),
        (_forged(_sof(8, 8, (0x11,) * 4), _sos(4)), "8 bits, 4 components"),
        (_forged(_sof(8, 8, (0x11,) * 2), _sos(2)), "8 bits, 2 components"),
        (_forged(_sof(8, 8, (0x11,) * 3), _sos(1)), "not in one scan"),
        (_forged(_sof(8, 8), _sos(3)), "not in one scan"),
        (_forged(_sof(8, 8), _segment(0xDA, b"")), "not in one scan"),
        (_forged(_sof(0, 8), _sos()), "a picture of 0x8"),
        (_forged(_sof(8, 0), _sos()), "a picture of 8x0"),
        (_forged(_sof(8, 8, (0x01,)), _sos()), "sampling factors"),
        (_forged(_sof(8, 8, (0x15,)), _sos()), "sampling factors"),
        (_forged(_segment(0xC0, b"\x08\0\x08\0\x08\x01"), _sos()), "the wrong length"),
        (_forged(_segment(0xC0, b"\x08\0\x08\0\x08"), _sos()), "cut short"),
        (_forged(_sof(8, 8), _sof(8, 8), _sos()), "marker FFC0"),
        (_forged(_sof(8, 8), _segment(0xDC, b"\0\x08"), _sos()), "marker FFDC"),
        (_forged(_sos()), "no frame header before the scan"),
        (_claiming(32767, 32767), "32767x32767 is above"),
    ],
)
def test_refusals(data: bytes, fault: str) -> None:
    with pytest.raises(JpegError, match=fault):
        inspect(data, PIXELS)


@pytest.mark.parametrize("marker", [0xC1, 0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xD0)])
def test_every_other_process_is_refused(marker: int) -> None:
    with pytest.raises(JpegError, match=f"marker FF{marker:02X}"):
        inspect(_forged(_sof(8, 8, marker=marker), _sos()), PIXELS)


@pytest.mark.parametrize("marker", [0, 1, 0xBF, *range(0xD0, 0xDA), 0xDC, 0xDE, 0xDF, 0xF0, 0xFD])
def test_every_other_segment_is_refused(marker: int) -> None:
    with pytest.raises(JpegError, match=f"marker FF{marker:02X}"):
        inspect(_forged(_sof(8, 8), _segment(marker, b"body"), _sos()), PIXELS)


def test_a_few_kilobytes_cannot_claim_a_giant_picture() -> None:
    assert len(_claiming(32767, 32767)) < 10_000
    with pytest.raises(JpegError, match="too few bytes for 32767x32767"):
        inspect(_claiming(32767, 32767), 1 << 40)


def test_a_second_scan_after_a_complete_one_has_no_effect() -> None:
    """The guard does not search the scan, which would cost; no decoder goes past its end."""
    scan = REAL[inspect(REAL, PIXELS).scan : -2]
    try:
        image = decode(REAL[:-2] + scan * 1000 + b"\xff\xd9")
    except JpegError:
        return
    assert np.array_equal(image, decode(REAL))


def _facts_or_error(data: bytes) -> None:
    try:
        info = inspect(data, PIXELS)
    except JpegError:
        return
    assert data[info.scan : info.scan + 2] == b"\xff\xda"
    assert 0 < info.width * info.height <= PIXELS
    assert info.channels in (1, 3)


def test_truncated_at_every_length() -> None:
    for data in (REAL, _gray(9, 9)):
        for length in range(len(data)):
            with pytest.raises(JpegError):
                inspect(data[:length], PIXELS)
            _facts_or_error(data[:length] + b"\xff\xd9")


def test_every_bit_flipped_in_the_headers() -> None:
    for bit in range(8 * (inspect(REAL, PIXELS).scan + 14)):
        data = bytearray(REAL)
        data[bit // 8] ^= 1 << bit % 8
        _facts_or_error(bytes(data))


marker_soup = st.lists(
    st.sampled_from([b"\xff", b"\xc0", b"\xda", b"\xd9", b"\0", b"\x08", _sof(8, 8), _sos()])
    | st.binary(max_size=4)
).map(b"".join)


@given(st.binary() | marker_soup, st.booleans())
def test_any_bytes_are_facts_or_an_error(data: bytes, framed: bool) -> None:
    _facts_or_error(_forged(data, scan=b"") if framed else data)


# -- surgery ------------------------------------------------------------------------------------


def _split(data: bytes) -> tuple[list[bytes], bytes]:
    """The segments before the scan, and all from SOS on."""
    segments, at = [], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        segments.append(data[at:end])
        at = end
    return segments, data[at:]


def _without(data: bytes, marker: int) -> bytes:
    """`data` less its segments of this kind."""
    segments, rest = _split(data)
    return b"".join((data[:2], *(s for s in segments if s[1] != marker), rest))


def _tables(data: bytes) -> set[bytes]:
    """Huffman tables; an encoder may put several into one segment."""
    tables = set()
    for segment in _split(data)[0]:
        body = segment[4:] if segment[1] == 0xC4 else b""
        while body:
            length = 17 + sum(body[1:17])
            tables.add(body[:length])
            body = body[length:]
    return tables


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_missing_huffman_tables_are_restored(sampling: str) -> None:
    whole = _colour(40, 56, sampling)
    bare = _without(whole, 0xC4)
    info = inspect(bare, PIXELS)
    assert not info.huffman_tables
    restored = with_huffman_tables(bare, info)
    assert inspect(restored, PIXELS).huffman_tables
    assert np.array_equal(decode(restored), decode(whole))
    # libjpeg-turbo knows the tables by heart and would not miss them; other decoders would.
    assert _tables(restored) == _tables(whole)
    assert len(_tables(whole)) == 4


def test_missing_huffman_tables_of_a_gray_file_are_restored() -> None:
    whole = _gray(40, 56)
    bare = _without(whole, 0xC4)
    restored = with_huffman_tables(bare, inspect(bare, PIXELS))
    assert np.array_equal(decode(restored), decode(whole))


def test_a_file_with_its_own_tables_stays_as_it_is() -> None:
    own = _opencv(_noise(16, 16), cv2.IMWRITE_JPEG_OPTIMIZE, 1)
    assert with_huffman_tables(own, inspect(own, PIXELS)) is own


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 500, b"\xff", b"rubbish"])
def test_padding_behind_the_end_is_cut_off(padding: bytes) -> None:
    assert trimmed(REAL + padding) == REAL


def test_what_has_no_end_is_left_to_the_guard() -> None:
    assert trimmed(b"") == b""
    assert trimmed(REAL[:-2]) == REAL[:-2]


BARE = _without(REAL, 0xE0)
OWN_SHORT = with_header(REAL, b"an older header")
OWN_FULL = with_header(REAL, bytes(CHUNK_BYTES))
OWN_UNENDED = REAL[:20] + _segment(0xE9, IDENTIFIER + bytes(CHUNK_BYTES)) + REAL[20:]
CARRIERS = pytest.mark.parametrize("jpeg", [REAL, BARE, OWN_SHORT, OWN_FULL, OWN_UNENDED])


@CARRIERS
@pytest.mark.parametrize("length", [0, 1, 64_999, 65_000, 65_001, 129_999, 130_000, 130_001])
def test_a_header_goes_in_and_comes_out(jpeg: bytes, length: int) -> None:
    header = (b"\xff\xe9" + IDENTIFIER) * (length // 12) + b"x" * (length % 12)
    carrying = with_header(jpeg, header)
    assert split_header(carrying) == (header, jpeg)
    inspect(carrying, PIXELS)
    assert np.array_equal(decode(carrying), decode(REAL))


@CARRIERS
def test_headers_nest(jpeg: bytes) -> None:
    twice = with_header(with_header(jpeg, b"inner"), bytes(2 * CHUNK_BYTES))
    assert split_header(twice) == (bytes(2 * CHUNK_BYTES), with_header(jpeg, b"inner"))


@given(st.binary(max_size=100))
def test_any_header_round_trips(header: bytes) -> None:
    assert split_header(with_header(REAL, header)) == (header, REAL)


def test_where_the_header_lies() -> None:
    """Right after JFIF, which must be first, or else right after SOI."""
    put = _segment(0xE9, IDENTIFIER + b"abc")
    assert REAL[2:11] == b"\xff\xe0\0\x10JFIF\0"
    assert with_header(REAL, b"abc") == REAL[:20] + put + REAL[20:]
    assert with_header(BARE, b"abc") == BARE[:2] + put + BARE[2:]


@pytest.mark.parametrize(
    "jpeg",
    [
        b"",
        REAL,
        BARE,
        OWN_UNENDED,
        REAL[:20] + _segment(0xE9, b"otherwire\0abc") + REAL[20:],
        REAL[:20] + _segment(0xE8, IDENTIFIER + b"abc") + REAL[20:],
    ],
)
def test_a_jpeg_without_our_header_stays_as_it_is(jpeg: bytes) -> None:
    assert split_header(jpeg) == (None, jpeg)


surgeries: list[Callable[[bytes], object]] = [split_header, trimmed]


@given(st.binary() | st.binary().map(lambda b: b"\xff\xd8\xff\xe9\0" + b[:1] + IDENTIFIER + b))
def test_surgery_takes_any_bytes(data: bytes) -> None:
    for surgery in surgeries:
        surgery(data)
