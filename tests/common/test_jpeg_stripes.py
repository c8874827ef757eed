"""Stripes become one JPEG that every decoder reads as ever, and come out of it again."""

import contextlib
import io
import itertools
import re
from collections.abc import Callable, Sequence

import cv2
import av
import numpy as np
import PIL.Image
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from framewire.common.errors import JpegError
from framewire.common.frame import Image
from framewire.common.jpeg_stripes import MAX_INTERVAL, Stripe, cut, join, plan
from framewire.common.jpeg_syntax import inspect

PIXELS = 1 << 26
SAMPLINGS = {"444": (8, 8), "422": (16, 8), "420": (16, 16), "440": (8, 16), "411": (32, 8)}


def _picture(height: int, width: int, gray: bool = False) -> Image:
    """Blocks of noise: detail at every border, and no two rows alike."""
    random = np.random.default_rng(height * 70_000 + width)
    small = random.integers(0, 256, (-(-height // 3), -(-width // 5), 1 if gray else 3), np.uint8)
    return np.ascontiguousarray(small.repeat(3, 0).repeat(5, 1)[:height, :width])


def _encode(image: Image, quality: int = 80, sampling: str = "420") -> bytes:
    space, sampling = ("GRAY", "Gray") if image.shape[2] == 1 else ("BGR", sampling)
    return bytes(simplejpeg.encode_jpeg(image, quality, space, sampling, False))


def _opencv(image: Image, *flags: int) -> bytes:
    return cv2.imencode(".jpg", image, flags)[1].tobytes()


def _joined(image: Image, stripes: int, quality: int = 80, sampling: str = "420") -> bytes:
    height, width, channels = image.shape
    mcu_width, mcu_height = (8, 8) if channels == 1 else SAMPLINGS[sampling]
    ranges = plan(height, mcu_height, stripes, MAX_INTERVAL // -(-width // mcu_width))
    parts = [_encode(image[y0:y1], quality, sampling) for y0, y1 in ranges]
    return join(parts, width, height, ranges[0][1])


def _by_opencv(data: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return np.asarray(image, np.uint8)


def _by_simplejpeg(data: bytes, fast: bool = False) -> Image:
    gray = simplejpeg.decode_jpeg_header(data)[2] == "Gray"
    image: Image = simplejpeg.decode_jpeg(data, "GRAY" if gray else "BGR", False, fast)
    return image


def _by_ffmpeg(data: bytes) -> Image:
    with av.open(io.BytesIO(data), "r", format="jpeg_pipe") as container:
        frame = next(container.decode(video=0))
        return np.frombuffer(b"".join(bytes(plane) for plane in frame.planes), np.uint8)


def _by_pillow(data: bytes) -> Image:
    with PIL.Image.open(io.BytesIO(data)) as image:
        return np.asarray(image, np.uint8)


DECODERS: list[Callable[[bytes], Image]] = [_by_opencv, _by_simplejpeg, _by_ffmpeg, _by_pillow]


def _assemble(stripes: Sequence[Stripe]) -> Image:
    """As `jpeg.decode` does it: with fast upsampling."""
    rows = [_by_simplejpeg(stripe.jpeg, fast=True) for stripe in stripes]
    assert [len(image) for image in rows] == [stripe.y1 - stripe.y0 for stripe in stripes]
    assert stripes[0].y0 == 0
    assert all(one.y1 == other.y0 for one, other in itertools.pairwise(stripes))
    return np.concatenate(rows)


# -- plan ---------------------------------------------------------------------------------------


@given(
    st.integers(1, 65_535), st.sampled_from([8, 16, 32]), st.integers(1, 300), st.integers(1, 9000)
)
def test_a_plan_covers_the_picture_in_equal_steps(
    height: int, mcu_height: int, stripes: int, most_rows: int
) -> None:
    ranges = plan(height, mcu_height, stripes, most_rows)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == height
    assert all(one[1] == other[0] for one, other in itertools.pairwise(ranges))
    steps = [y1 - y0 for y0, y1 in ranges]
    assert len(set(steps[:-1])) <= 1
    assert all(step % mcu_height == 0 for step in steps[:-1])
    assert 0 < steps[-1] <= steps[0] <= -(-most_rows * mcu_height)
    assert len(ranges) <= max(stripes, -(-height // (most_rows * mcu_height)))


@pytest.mark.parametrize(
    ("height", "stripes", "ranges"),
    [
        (1, 4, [(0, 1)]),
        (16, 4, [(0, 16)]),
        (17, 4, [(0, 16), (16, 17)]),
        (1080, 2, [(0, 544), (544, 1080)]),
        (1080, 1, [(0, 1080)]),
        (1080, 0, [(0, 1080)]),
        (80, 4, [(0, 32), (32, 64), (64, 80)]),
    ],
)
def test_plans(height: int, stripes: int, ranges: list[tuple[int, int]]) -> None:
    assert plan(height, 16, stripes) == ranges


# -- join ---------------------------------------------------------------------------------------


def _check(image: Image, stripes: int, quality: int = 80, sampling: str = "420") -> None:
    whole = _encode(image, quality, sampling)
    joined = _joined(image, stripes, quality, sampling)
    info, plain = inspect(joined, PIXELS), inspect(whole, PIXELS)
    assert (info.width, info.height, info.channels) == (plain.width, plain.height, plain.channels)
    for decode in DECODERS:
        assert np.array_equal(decode(joined), decode(whole)), decode.__name__
    pieces = cut(joined, stripes)
    if pieces is None:
        assert joined.count(b"\xff\xd0") == 0
    else:
        assert np.array_equal(_assemble(pieces), _by_simplejpeg(whole, fast=True))


@settings(max_examples=60)
@given(
    st.integers(1, 300),
    st.integers(1, 300) | st.sampled_from([1023, 4096]),
    st.booleans(),
    st.integers(1, 12),
    st.sampled_from([1, 30, 85, 100]),
    st.sampled_from(sorted(SAMPLINGS)),
)
def test_any_picture_joins(
    height: int, width: int, gray: bool, stripes: int, quality: int, sampling: str
) -> None:
    _check(_picture(height, width, gray), stripes, quality, sampling)


@pytest.mark.parametrize("stripes", [2, 3, 8, 9, 17])
@pytest.mark.parametrize("size", [(1, 1), (17, 1), (33, 4095), (720, 1280), (271, 129)])
def test_sizes_at_the_edge(size: tuple[int, int], stripes: int) -> None:
    _check(_picture(*size), stripes)


def test_8k() -> None:
    _check(_picture(4320, 7680), 4)


def test_more_mcus_than_a_restart_interval_can_count() -> None:
    """A gray MCU is 8x8: half of 8192x8192 would be 524,288 of them."""
    image = np.zeros((8192, 8192, 1), np.uint8)
    image[::64] = 255
    joined = _joined(image, 2)
    assert joined.count(b"\xff\xdd\0\4\xfc\0") == 1  # 63 rows of 1024: the most that fit
    assert np.array_equal(_by_opencv(joined), _by_opencv(_encode(image)))


def test_what_is_put_in() -> None:
    image = _picture(40, 48)
    whole, joined = _encode(image), _joined(image, 3)
    at = inspect(whole, PIXELS).scan
    assert joined[: at + 6] == whole[:at] + b"\xff\xdd\0\4\0\3"  # intervals of three MCUs
    assert re.findall(rb"\xff[^\0]", joined[inspect(joined, PIXELS).scan + 2 :]) == [
        b"\xff\xd0",
        b"\xff\xd1",
        b"\xff\xd9",
    ]


def test_one_stripe_is_a_picture_too() -> None:
    image = _picture(40, 48)
    assert np.array_equal(_by_opencv(_joined(image, 1)), _by_opencv(_encode(image)))


ONE, LAST = _encode(_picture(32, 48)), _encode(_picture(8, 48))


@pytest.mark.parametrize(
    ("parts", "width", "height", "rows"),
    [
        ([ONE, LAST], 48, 40, 24),  # half an MCU row
        ([ONE, LAST], 48, 40, 0),
        ([ONE, LAST], 47, 40, 32),
        ([ONE, LAST], 48, 39, 32),
        ([ONE, ONE, LAST], 48, 40, 16),
        ([ONE, _encode(_picture(8, 48), 60)], 48, 40, 32),
        ([ONE, _encode(_picture(8, 48), 80, "444")], 48, 40, 32),
        ([ONE, LAST[:-2]], 48, 40, 32),
        ([ONE, b""], 48, 40, 32),
        ([b"", b""], 48, 40, 32),
        ([ONE[:20], ONE[:20]], 48, 40, 32),
        ([_joined(_picture(32, 48), 2), LAST], 48, 40, 32),
        ([ONE], 48, 40, 32),
        ([ONE, LAST, LAST], 48, 40, 32),
        ([], 48, 40, 32),
        ([ONE] * 2, 48, 70_000, 65_536),
        ([ONE, LAST], 48, 0, 32),
        ([_encode(np.zeros((8200, 520, 1), np.uint8))] * 2, 520, 16_400, 8200),  # 66,625 MCUs
    ],
)
def test_what_does_not_belong_together(
    parts: list[bytes], width: int, height: int, rows: int
) -> None:
    with pytest.raises(JpegError):
        join(parts, width, height, rows)


# -- cut ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize("parts", [2, 3, 4, 50])
def test_foreign_restart_intervals(channels: int, rows: int, parts: int) -> None:
    """OpenCV counts restart intervals in MCUs: 13 of them are a row of 200 pixels in 4:2:0."""
    image = _picture(300, 200, gray=channels == 1)
    across, mcu_height = (25, 8) if channels == 1 else (13, 16)
    data = _opencv(image, cv2.IMWRITE_JPEG_RST_INTERVAL, rows * across)
    pieces = cut(data, parts)
    assert pieces is not None
    assert 2 <= len(pieces) <= parts
    assert all(piece.y0 % (rows * mcu_height) == 0 for piece in pieces)
    assert np.array_equal(_assemble(pieces), _by_simplejpeg(data, fast=True))
    for piece in pieces:
        inspect(piece.jpeg, PIXELS)
        assert len(_by_opencv(piece.jpeg)) == piece.y1 - piece.y0
        assert len(_by_ffmpeg(piece.jpeg))


@pytest.mark.parametrize("interval", [1, 7, 12, 14, 25])
def test_intervals_that_are_not_whole_rows(interval: int) -> None:
    assert cut(_opencv(_picture(300, 200), cv2.IMWRITE_JPEG_RST_INTERVAL, interval), 2) is None


def test_what_has_nothing_to_cut() -> None:
    image = _picture(96, 64)
    assert cut(_encode(image), 2) is None
    assert cut(_joined(image, 1), 2) is None
    assert cut(_joined(image, 3), 1) is None
    assert cut(_opencv(image, cv2.IMWRITE_JPEG_RST_INTERVAL, 4 * 6), 2) is None
    progressive = _opencv(image, cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)
    assert cut(progressive, 2) is None


def test_optimised_tables_are_everyones() -> None:
    image = _picture(96, 64)
    data = _opencv(image, cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)
    pieces = cut(data, 4)
    assert pieces is not None
    assert np.array_equal(_assemble(pieces), _by_simplejpeg(data, fast=True))


MANY = _joined(_picture(176, 40), 11)  # RST0 to RST7, RST0, RST1
MARKS = [match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", MANY)]
SCAN = inspect(MANY, PIXELS).scan
RESTART = MANY.index(b"\xff\xdd")


def _patched(at: int, patch: bytes, length: int | None = None) -> bytes:
    return MANY[:at] + patch + MANY[at + (len(patch) if length is None else length) :]


def test_there_are_markers_to_damage() -> None:
    assert len(MARKS) == 10
    assert len(cut(MANY, 100) or ()) == 11


@pytest.mark.parametrize(
    "data",
    [
        _patched(MARKS[3], b"", 2),  # missing
        _patched(MARKS[3], b"\xff\xd4"),  # out of turn
        _patched(MARKS[8], b"\xff\xd1\xff\xd0", 2),
        _patched(MARKS[9], b"\xff\xd1\xff\xd2", 2),  # one too many
        _patched(MARKS[3], b"\xff\xd3\xff\xd3", 2),
        _patched(MARKS[3] + 9, b"\xff\xd3", 0),  # inside an interval
        _patched(MARKS[3], b"\xff\xff\xd3", 2),  # fill bytes: allowed, and left to the decoder
        _patched(MARKS[3], b"\xff\xd9"),
        _patched(MARKS[3], b"\xff\xc4\0\2", 0),
        _patched(MARKS[3], b"\xff\xda\0\2", 0),
        _patched(RESTART + 4, b"\0\0"),  # an interval of nothing
        _patched(RESTART + 4, b"\0\2"),  # of less than a row
        _patched(RESTART + 4, b"\0\6"),  # of more rows than there are markers for
        _patched(RESTART + 4, b"\xff\xff"),
        _patched(RESTART + 2, b"\0\5"),
        MANY + b"\0",
        MANY[:-2],
        MANY[:-1] + b"\xd0",
        MANY[: SCAN + 14] + b"\xff\xd9",
        MANY[: SCAN + 14] + b"".join(b"\xff" + bytes((0xD0 + i % 8,)) for i in range(10)),
        MANY[:SCAN],
        b"",
    ],
)
def test_damaged_files_are_left_whole(data: bytes) -> None:
    assert cut(data, 4) is None


def test_every_truncation_is_left_whole() -> None:
    assert all(cut(MANY[:end], 4) is None for end in range(len(MANY)))


def _intact(data: bytes, parts: int) -> None:
    """Whatever `cut` makes of any bytes, its stripes cover the picture that the file claims."""
    pieces = cut(data, parts)
    if pieces is None:
        return
    info = inspect(data, 1 << 32)
    assert 2 <= len(pieces) <= parts
    assert [pieces[0].y0, pieces[-1].y1] == [0, info.height]
    assert all(one.y1 == other.y0 for one, other in itertools.pairwise(pieces))
    assert all(piece.y1 > piece.y0 for piece in pieces)
    for piece in pieces:
        with contextlib.suppress(JpegError):
            own = inspect(piece.jpeg, 1 << 32)
            assert (own.width, own.height) == (info.width, piece.y1 - piece.y0)


markers = st.sampled_from([bytes((0xFF, second)) for second in range(0xC0, 0x100)])


@settings(max_examples=400)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(MANY)) | st.sampled_from(MARKS) | st.integers(0, SCAN + 14),
            st.binary(max_size=4) | markers,
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 20),
)
def test_any_damage_is_survived(edits: list[tuple[int, bytes, int]], parts: int) -> None:
    data = MANY
    for at, patch, length in edits:
        data = data[:at] + patch + data[at + length :]
    _intact(data, parts)


@given(st.binary() | st.binary().map(lambda b: b"\xff\xd8" + b + b"\xff\xd9"), st.integers(-3, 9))
def test_any_bytes_are_survived(data: bytes, parts: int) -> None:
    _intact(data, parts)
    with contextlib.suppress(JpegError):
        join([data, data], 48, 40, 32)
