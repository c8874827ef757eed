"""Both codecs: what they make is what the guard takes, and pixels come back as they went."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framewire.common import jpeg, turbo
from framewire.common.errors import JpegError, UsageError
from framewire.common.frame import Image
from framewire.common.jpeg_stripes import cut
from framewire.common.jpeg_syntax import inspect


@pytest.fixture(params=["simplejpeg", "opencv"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with each codec, as on a machine that has it."""
    if request.param == "opencv":
        monkeypatch.setattr(jpeg, "_simplejpeg", None)
    elif turbo.simplejpeg is None:
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


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"not a jpeg", b"\xff\xd8\xff\xd9"])
def test_bytes_that_are_no_jpeg(codec: str, data: bytes) -> None:
    with pytest.raises(JpegError, match="JPEG"):
        jpeg.decode(data)


def test_a_jpeg_that_does_not_decode(codec: str) -> None:
    data = jpeg.encode(_smooth(16, 16), 80)
    at = data.index(b"\xff\xc4") + 5  # sixteen counts of codes, and what the codes stand for
    count = sum(data[at : at + 16])
    with pytest.raises(JpegError, match="does not decode"):
        jpeg.decode(data[: at + 16] + b"\xff" * count + data[at + 16 + count :])


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
    assert turbo._load() is None


# -- stripes ------------------------------------------------------------------------------------

stripe_counts = st.sampled_from([None, 1, 2, 3, 8, 40])


@pytest.fixture
def several_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine chooses as on a machine of three cores."""
    if turbo.simplejpeg is None:
        pytest.skip("simplejpeg is not installed")
    monkeypatch.setattr(jpeg, "share", lambda: 3)


def _noise(height: int, width: int, gray: bool = False) -> Image:
    random = np.random.default_rng(height * 70_000 + width)
    small = random.integers(0, 256, (-(-height // 3), -(-width // 5), 3), np.uint8)
    image = np.ascontiguousarray(small.repeat(3, 0).repeat(5, 1)[:height, :width])
    return image[:, :, 1].copy() if gray else image


@settings(max_examples=60)
@given(
    st.integers(1, 300),
    st.integers(1, 300) | st.just(4096),
    st.booleans(),
    stripe_counts,
    stripe_counts,
    st.sampled_from([1, 50, 85, 100]),
)
def test_stripes_change_no_pixel(
    height: int, width: int, gray: bool, there: int | None, back: int | None, quality: int
) -> None:
    image = _noise(height, width, gray)
    whole = jpeg.encode(image, quality, stripes=1)
    striped = jpeg.encode(image, quality, stripes=there)
    inspect(striped, 10**7)
    decoded = jpeg.decode(striped, stripes=back)
    assert decoded.flags.writeable
    assert np.array_equal(decoded, jpeg.decode(whole, stripes=1))
    assert np.array_equal(jpeg.decode(striped, stripes=1), decoded)


@pytest.mark.usefixtures("several_cores")
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(
    ("size", "restarts"), [((480, 854), 2), ((720, 1280), 2), ((360, 640), 0), ((1, 65500), 0)]
)
def test_large_pictures_are_cut(size: tuple[int, int], restarts: int, gray: bool) -> None:
    image = _noise(*size, gray)
    data = jpeg.encode(image, 85)
    assert [data.count(bytes((0xFF, 0xD0 + i))) for i in range(3)] == [
        int(i < restarts) for i in range(3)
    ]
    whole = jpeg.encode(image, 85, stripes=1)
    assert b"\xff\xdd\0\4" not in whole
    assert np.array_equal(jpeg.decode(data), jpeg.decode(whole, stripes=1))


def test_where_stripes_do_not_pay_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "share", lambda: 1)
    image = _noise(720, 1280)
    assert jpeg.encode(image, 85) == jpeg.encode(image, 85, stripes=1)


@pytest.mark.usefixtures("several_cores")
def test_8k_in_stripes() -> None:
    image = np.zeros((4320, 7680, 3), np.uint8)
    image[::7, ::3] = 200
    data = jpeg.encode(image, 85)
    assert np.array_equal(jpeg.decode(data), jpeg.decode(jpeg.encode(image, 85, stripes=1)))


@pytest.mark.usefixtures("several_cores")
def test_more_stripes_where_restart_intervals_are_too_short() -> None:
    image = np.zeros((8192, 8192), np.uint8)
    image[::9] = 100
    data = jpeg.encode(image, 50)
    assert inspect(data, 1 << 26).width == 8192
    assert np.array_equal(jpeg.decode(data), jpeg.decode(data, stripes=1))


@pytest.mark.parametrize("sampling", ["444", "422", "420", "440", "411"])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_restart_intervals_of_others(sampling: str, rows: int) -> None:
    cv2 = pytest.importorskip("cv2")
    across = {"444": 38, "422": 19, "420": 19, "440": 38, "411": 10}[sampling]
    flags = [
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}"),
        cv2.IMWRITE_JPEG_RST_INTERVAL,
        rows * across,
    ]
    data = cv2.imencode(".jpg", _noise(301, 299), flags)[1].tobytes()
    assert cut(data, 3) is not None
    assert np.array_equal(jpeg.decode(data, stripes=3), jpeg.decode(data, stripes=1))


STRIPED = jpeg.encode(_noise(90, 60), 80, stripes=6)


@settings(max_examples=200)
@given(st.integers(0, len(STRIPED) - 1), st.binary(min_size=1, max_size=8))
def test_damage_is_the_same_in_stripes(at: int, patch: bytes) -> None:
    data = STRIPED[:at] + patch + STRIPED[at + len(patch) :]
    try:
        whole = jpeg.decode(data, stripes=1)
    except JpegError:
        whole = None
    try:
        striped = jpeg.decode(data, stripes=6)
    except JpegError:
        assert whole is None
    else:
        assert whole is None or np.array_equal(striped, whole)


def test_a_damaged_stripe_fails_as_the_whole_does() -> None:
    """A stripe ends early: libjpeg says so of stripe and picture alike."""
    at = STRIPED.index(b"\xff\xd2")
    short = STRIPED[: at - 20] + STRIPED[at:]
    assert cut(short, 6) is not None
    with pytest.raises(JpegError, match="does not decode"):
        jpeg.decode(short, stripes=6)
