"""Both codecs, small and gray: sizes, pixels, ownership, and what does not decode."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import jpeg, jpeg_scaled, turbo
from framewire.common.errors import JpegError, UsageError
from framewire.common.frame import Image
from framewire.common.jpeg_scaled import FACTORS, decode_scaled, factor_of, reduced
from framewire.common.opencv import cv2
from framewire.common.testchart import draw_number, read_number

EACH_FACTOR = pytest.mark.parametrize("factor", FACTORS)
EACH_COLOUR = pytest.mark.parametrize(
    ("sent_gray", "gray"), [(False, False), (False, True), (True, False), (True, True)]
)


@pytest.fixture(params=["simplejpeg", "opencv"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with each codec, as on a machine that has it."""
    if request.param == "opencv":
        monkeypatch.setattr(jpeg_scaled, "_simplejpeg", None)
    elif turbo.simplejpeg is None:
        pytest.skip("simplejpeg is not installed")
    return str(request.param)


def _chart(height: int, width: int, gray: bool = False) -> Image:
    """Smooth colours and waves; no two corners alike."""
    y, x = np.mgrid[0:height, 0:width]
    waves = 127 + 100 * np.sin(x / 17 + y / 31)
    image = np.dstack([waves, x * 255 // width, y * 255 // height]).astype(np.uint8)
    return image[:, :, 0].copy() if gray else image


def _apart(one: Image, other: Image) -> tuple[float, int]:
    """(Mean, greatest) difference of two pictures of one shape."""
    assert one.shape == other.shape
    difference = np.abs(one.astype(int) - other.astype(int))
    return float(difference.mean()), int(difference.max())


def _opencv(data: bytes, factor: int, gray: bool) -> Image:
    """OpenCV's own small decode."""
    kind = "GRAYSCALE" if gray else "COLOR"
    flag = f"IMREAD_{kind}" if factor == 1 else f"IMREAD_REDUCED_{kind}_{factor}"
    image = cv2.imdecode(np.frombuffer(data, np.uint8), getattr(cv2, flag))
    assert image is not None
    return image.astype(np.uint8, copy=False)


@pytest.mark.parametrize(
    ("width", "height"), [(640, 480), (641, 481), (639, 479), (17, 9), (7, 3), (1, 1), (1000, 3)]
)
@EACH_FACTOR
@EACH_COLOUR
def test_sizes_are_rounded_up(
    codec: str, width: int, height: int, factor: int, sent_gray: bool, gray: bool
) -> None:
    data = jpeg.encode(_chart(height, width, sent_gray), 85)
    small = decode_scaled(data, factor, gray=gray)
    size = reduced(height, factor), reduced(width, factor)
    assert small.shape == (size if gray or sent_gray else (*size, 3))
    assert small.dtype == np.uint8


@given(st.integers(1, 130), st.integers(1, 130), st.sampled_from(FACTORS))
def test_every_size_is_rounded_up(width: int, height: int, factor: int) -> None:
    data = jpeg.encode(np.full((height, width), 90, np.uint8), 50)
    assert decode_scaled(data, factor).shape == (-(-height // factor), -(-width // factor))


@EACH_FACTOR
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("size", [(480, 640), (361, 643)])
def test_the_pixels_are_those_of_opencv(
    codec: str, factor: int, gray: bool, size: tuple[int, int]
) -> None:
    data = jpeg.encode(_chart(*size), 90)
    mean, most = _apart(decode_scaled(data, factor, gray=gray), _opencv(data, factor, gray))
    # OpenCV smooths the colours of a full picture as it enlarges them; small ones need none.
    assert mean < (1 if factor == 1 else 0.1)
    assert most <= (12 if factor == 1 else 2)


@pytest.mark.parametrize("factor", FACTORS[1:])
def test_the_picture_is_the_same_but_smaller(codec: str, factor: int) -> None:
    data = jpeg.encode(_chart(480, 640), 95)
    small = decode_scaled(data, factor)
    size = (640 // factor, 480 // factor)
    area = cv2.resize(jpeg.decode(data), size, interpolation=cv2.INTER_AREA)
    mean, most = _apart(small, area.astype(np.uint8, copy=False))
    assert mean < 1  # not shifted, and colours in their places
    assert most < 12


@EACH_COLOUR
def test_gray_is_the_brightness(codec: str, sent_gray: bool, gray: bool) -> None:
    data = jpeg.encode(_chart(480, 640, sent_gray), 95)
    image = decode_scaled(data, 1, gray=gray)
    full = jpeg.decode(data)
    if gray and not sent_gray:
        full = cv2.cvtColor(full, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    assert _apart(image, full)[0] < 1


@EACH_FACTOR
@EACH_COLOUR
def test_the_array_is_the_callers_own(codec: str, factor: int, sent_gray: bool, gray: bool) -> None:
    data = jpeg.encode(_chart(48, 64, sent_gray), 85)
    first, second = (decode_scaled(data, factor, gray=gray) for _ in range(2))
    assert first.flags.writeable
    assert first.flags.c_contiguous  # OpenCV draws on nothing else
    assert not np.shares_memory(first, second)
    before = second.copy()
    first[:] = 255 - first
    np.testing.assert_array_equal(second, before)
    np.testing.assert_array_equal(decode_scaled(data, factor, gray=gray), before)
    cv2.putText(first, "mine", (0, 5), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (9, 9, 9))


def test_each_codec_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg.encode(_chart(361, 643), 90)
    first = [decode_scaled(data, factor, gray=gray) for factor in FACTORS for gray in (False, True)]
    monkeypatch.setattr(jpeg_scaled, "_simplejpeg", None)
    second = [
        decode_scaled(data, factor, gray=gray) for factor in FACTORS for gray in (False, True)
    ]
    assert all(_apart(one, other)[0] < 1 for one, other in zip(first, second, strict=True))


def test_a_number_is_still_read_at_a_half(codec: str) -> None:
    image = np.full((480, 640, 3), 90, np.uint8)
    draw_number(image, 4711)
    assert read_number(decode_scaled(jpeg.encode(image, 85), 2)) == 4711


def test_a_picture_is_not_turned(codec: str) -> None:
    """Cameras write into EXIF how they were held; the header counts as it was sent."""
    exif = bytes.fromhex("45786966 0000 4d4d002a00000008 0001 0112 0003 00000001 00060000 00000000")
    data = jpeg.encode(_chart(48, 64), 85)
    turned = data[:2] + b"\xff\xe1" + (2 + len(exif)).to_bytes(2) + exif + data[2:]
    np.testing.assert_array_equal(decode_scaled(turned, 2), decode_scaled(data, 2))


@pytest.mark.parametrize("data", [b"", b"no jpeg", b"\xff\xd8\xff\xd9", b"\xff\xd8" * 40])
@EACH_FACTOR
@pytest.mark.parametrize("gray", [False, True])
def test_what_is_no_jpeg_does_not_decode(codec: str, data: bytes, factor: int, gray: bool) -> None:
    with pytest.raises(JpegError):
        decode_scaled(data, factor, gray=gray)


@given(st.binary(max_size=200), st.sampled_from(FACTORS), st.booleans())
def test_any_bytes_give_a_picture_or_the_one_error(data: bytes, factor: int, gray: bool) -> None:
    for bytes_ in (data, b"\xff\xd8" + data + b"\xff\xd9"):
        with pytest.raises(JpegError):
            decode_scaled(bytes_, factor, gray=gray)


def test_a_cut_picture_does_not_decode() -> None:
    if turbo.simplejpeg is None:
        pytest.skip("OpenCV fills up what is missing")
    data = jpeg.encode(_chart(48, 64), 85)
    for end in range(0, len(data) - 2, 7):
        with pytest.raises(JpegError):
            decode_scaled(data[:end], 2)


@pytest.mark.parametrize(("scale", "factor"), [(1, 1), (1.0, 1), (1 / 2, 2), (0.25, 4), (0.125, 8)])
def test_scales(scale: float, factor: int) -> None:
    assert factor_of(scale) == factor


@pytest.mark.parametrize("scale", [0, -0.5, 0.3, 3 / 8, 1 / 16, 2, float("nan"), float("inf")])
def test_scales_that_no_decoder_knows(scale: float) -> None:
    with pytest.raises(UsageError, match="use 1/2, 1/4 or 1/8"):
        factor_of(scale)
