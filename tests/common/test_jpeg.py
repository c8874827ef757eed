"""Both codecs: what they make is what the guard takes, and pixels come back as they went."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import jpeg
from framewire.common.errors import JpegError, UsageError
from framewire.common.frame import Image
from framewire.common.jpeg_syntax import inspect


@pytest.fixture(params=["simplejpeg", "opencv"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with each codec, as on a machine that has it."""
    if request.param == "opencv":
        monkeypatch.setattr(jpeg, "_simplejpeg", None)
    elif jpeg._load_simplejpeg() is None:
        pytest.skip("simplejpeg is not installed")
    return str(request.param)


def _smooth(height: int, width: int, gray: bool = False) -> Image:
    y, x = np.mgrid[0:height, 0:width]
    planes = [y * 255 // height, x * 255 // width, (x + y) * 255 // (height + width)]
    image = np.dstack(planes).astype(np.uint8)
    return image[:, :, 1].copy() if gray else image


def _worst(one: Image, other: Image) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("gray", [False, True])
def test_pixels_come_back(codec: str, gray: bool) -> None:
    image = _smooth(96, 128, gray)
    back = jpeg.decode(jpeg.encode(image, 95))
    assert back.shape == image.shape
    assert back.dtype == np.uint8
    assert _worst(back, image) < 12  # swapped channels would differ by more than 100
    assert back.flags.writeable


def test_each_codec_reads_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    image = _smooth(64, 80)
    first = jpeg.encode(image, 95)
    monkeypatch.setattr(jpeg, "_simplejpeg", None)
    assert _worst(jpeg.decode(first), image) < 12
    second = jpeg.encode(image, 95)
    monkeypatch.undo()
    assert _worst(jpeg.decode(second), image) < 12


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 1), (7, 9, 3), (17, 1), (1, 33, 3), (2, 65500)])
def test_odd_sizes_pass_the_guard(codec: str, shape: tuple[int, ...]) -> None:
    data = jpeg.encode(np.full(shape, 100, np.uint8), 80)
    info = inspect(data, 10**6)
    assert (info.height, info.width) == shape[:2]
    assert info.channels == (3 if len(shape) == 3 else 1)
    assert jpeg.decode(data).shape == shape


def test_colour_is_sampled_420(codec: str) -> None:
    data = jpeg.encode(_smooth(32, 32), 80)
    at = data.index(b"\xff\xc0")
    assert [data[at + 11 + 3 * i] for i in range(3)] == [0x22, 0x11, 0x11]


def test_quality_has_its_effect(codec: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    sizes = [len(jpeg.encode(image, quality)) for quality in (1, 50, 100)]
    assert sizes == sorted(set(sizes))


def test_arrays_that_are_not_contiguous(codec: str) -> None:
    image = _smooth(64, 64)
    turned = image[::-1, ::2]
    assert _worst(jpeg.decode(jpeg.encode(turned, 95)), turned) < 16


def test_orientation_in_exif_turns_nothing(codec: str) -> None:
    """Width and height are those of the header; a decoder that turns would contradict it."""
    entry = bytes.fromhex("0112 0003 00000001 00060000 00000000")
    tiff = b"MM\0*\0\0\0\x08\0\x01" + entry
    body = b"Exif\0\0" + tiff
    data = jpeg.encode(_smooth(16, 48), 80)
    turned = data[:2] + b"\xff\xe1" + (2 + len(body)).to_bytes(2) + body + data[2:]
    assert jpeg.decode(turned).shape == (16, 48, 3)


@pytest.mark.parametrize("data", [b"\xff\xd8", b"not a jpeg", b"\xff\xd8\xff\xd9"])
def test_bytes_that_do_not_decode(codec: str, data: bytes) -> None:
    with pytest.raises(JpegError, match="does not decode"):
        jpeg.decode(data)


def test_no_bytes_do_not_decode() -> None:
    with pytest.raises(JpegError, match="does not decode"):
        jpeg.decode(b"")


def test_no_bytes_do_not_decode_with_opencv() -> None:
    with pytest.raises(JpegError):
        jpeg._decode_opencv(b"")


WHOLE = jpeg.encode(_smooth(24, 24), 80)


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_decode_or_raise_our_error(at: int, patch: bytes) -> None:
    try:
        image = jpeg.decode(WHOLE[:at] + patch + WHOLE[at + len(patch) :])
    except JpegError:
        return
    assert image.dtype == np.uint8


def test_a_size_that_opencv_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "_simplejpeg", None)
    with pytest.raises(UsageError, match="cannot encode"):
        jpeg.encode(np.zeros((1, 65501), np.uint8), 80)


@pytest.mark.parametrize("quality", [1, 100])
def test_possible_qualities(quality: int) -> None:
    assert jpeg.check_quality(quality) == quality


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_impossible_qualities(quality: int) -> None:
    with pytest.raises(UsageError, match=f"quality {quality} is not possible"):
        jpeg.check_quality(quality)


@pytest.mark.parametrize("shape", [(1, 1), (4, 6, 3), (65500, 1)])
def test_images_are_taken_without_a_copy(shape: tuple[int, ...]) -> None:
    image = np.zeros(shape, np.uint8)
    assert jpeg.check_image(image) is image


def test_the_pixel_limit_of_receivers_holds_for_senders() -> None:
    pixel = np.zeros((), np.uint8)  # stretched to a picture that takes no memory
    largest = np.broadcast_to(pixel, (8192, 8192))
    assert jpeg.check_image(largest) is largest
    with pytest.raises(UsageError, match="8193x8192: at most 64 Mpixel"):
        jpeg.check_image(np.broadcast_to(pixel, (8192, 8193)))


def test_one_channel_is_gray() -> None:
    image = np.zeros((4, 6, 1), np.uint8)
    checked = jpeg.check_image(image)
    assert checked.shape == (4, 6)
    assert np.shares_memory(checked, image)


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (None, "a NoneType"),
        ([[1, 2]], "a list"),
        (np.zeros((4, 4, 3)), "a float64 array"),
        (np.zeros((4, 4), np.uint16), "a uint16 array"),
        (np.uint8(5), "a uint8"),
        (np.zeros((), np.uint8), r"shape \(\)"),
        (np.zeros(5, np.uint8), r"shape \(5,\)"),
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"shape \(1, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), "1 to 65500 pixels"),
        (np.zeros((4, 0), np.uint8), "1 to 65500 pixels"),
        (np.zeros((1, 65501), np.uint8), "1 to 65500 pixels"),
        (np.zeros((65501, 1, 3), np.uint8), "1 to 65500 pixels"),
    ],
)
def test_what_is_no_image(image: object, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        jpeg.check_image(image)


def test_a_machine_without_simplejpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    assert jpeg._load_simplejpeg() is None
