"""Packets to pixels."""

import numpy as np
import pytest

from framewire.common import jpeg
from framewire.common.errors import JpegError, UsageError
from framewire.common.frame import Frame, Packet
from framewire.common.testchart import draw_number, read_number
from framewire.receiver.decoder import decode
from receiver.publishing import HEIGHT, WIDTH, packet, picture, undecodable

COLOUR = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint32).astype(np.uint8)
GRAY = COLOUR[: HEIGHT * WIDTH]

PACKETS = {
    "jpeg": packet(7),
    "gray jpeg": packet(7, payload=picture(7, gray=True), channels=1),
    "raw": packet(7, payload=COLOUR.tobytes(), codec="raw"),
    "gray raw": packet(7, payload=GRAY.tobytes(), codec="raw", channels=1),
}
EACH = pytest.mark.parametrize("encoded", PACKETS.values(), ids=PACKETS)


@EACH
def test_the_shape_is_that_of_the_header(encoded: Packet) -> None:
    image = decode(encoded).image
    assert image.dtype == np.uint8
    assert image.shape == ((HEIGHT, WIDTH, 3) if encoded.header.channels == 3 else (HEIGHT, WIDTH))


@EACH
def test_the_array_is_the_callers_own(encoded: Packet) -> None:
    first, second = decode(encoded).image, decode(encoded).image
    assert first.flags.writeable
    assert not np.shares_memory(first, second)
    before = second.copy()
    first[:] = 255 - first
    np.testing.assert_array_equal(second, before)
    np.testing.assert_array_equal(decode(encoded).image, before)  # nor does the packet change


@pytest.mark.parametrize("kind", ["jpeg", "gray jpeg"])
def test_the_picture_is_the_one_that_was_sent(kind: str) -> None:
    image = decode(PACKETS[kind]).image
    assert read_number(image) == 7
    sent = np.full(image.shape, 90, np.uint8)
    draw_number(sent, 7)
    error = np.abs(image.astype(int) - sent).mean()
    assert error < 4


def test_colours_are_bgr() -> None:
    blue = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    blue[:, :, 0] = 255
    image = decode(packet(payload=jpeg.encode(blue, 95))).image
    np.testing.assert_allclose(image.mean(axis=(0, 1)), (255, 0, 0), atol=6)


def test_raw_pixels_are_exact() -> None:
    np.testing.assert_array_equal(decode(PACKETS["raw"]).image.ravel(), COLOUR)
    np.testing.assert_array_equal(decode(PACKETS["gray raw"]).image.ravel(), GRAY)


def test_header_and_time_are_taken_over() -> None:
    encoded = Packet(packet(3, metadata={"gain": 4}).header, picture(3), received_ns=99)
    frame = decode(encoded)
    assert isinstance(frame, Frame)
    assert (frame.header, frame.received_ns) == (encoded.header, 99)


def test_what_does_not_decode() -> None:
    with pytest.raises(JpegError, match="does not decode"):
        decode(packet(payload=undecodable()))
    with pytest.raises(JpegError, match="does not decode"):
        decode(packet(payload=undecodable()), scale=0.5, gray=True)


# -- small and gray -------------------------------------------------------------------------------


ODD = np.random.default_rng(1).integers(0, 256, (51, 77, 3), np.uint8)
ODD_PACKETS = {
    **PACKETS,
    "odd jpeg": packet(payload=jpeg.encode(ODD, 85), width=77, height=51),
    "odd raw": packet(payload=ODD.tobytes(), codec="raw", width=77, height=51),
}
EACH_ODD = pytest.mark.parametrize("encoded", ODD_PACKETS.values(), ids=ODD_PACKETS)
SMALLER = pytest.mark.parametrize(
    ("scale", "gray"), [(1, True), (1 / 2, False), (1 / 2, True), (1 / 4, False), (1 / 8, True)]
)


@EACH_ODD
@SMALLER
def test_small_and_gray(encoded: Packet, scale: float, gray: bool) -> None:
    frame = decode(encoded, scale=scale, gray=gray)
    header = encoded.header
    size = (-int(-header.height * scale // 1), -int(-header.width * scale // 1))
    assert frame.image.shape == (size if gray or header.channels == 1 else (*size, 3))
    assert frame.image.dtype == np.uint8
    assert frame.header is header  # as it was sent


@EACH_ODD
@SMALLER
def test_a_small_array_is_the_callers_own(encoded: Packet, scale: float, gray: bool) -> None:
    first, second = (decode(encoded, scale=scale, gray=gray).image for _ in range(2))
    assert first.flags.writeable
    assert first.flags.c_contiguous
    before = second.copy()
    first[:] = 255 - first
    np.testing.assert_array_equal(second, before)
    np.testing.assert_array_equal(decode(encoded, scale=scale, gray=gray).image, before)


def test_raw_and_jpeg_come_out_alike() -> None:
    y, x = np.mgrid[0:96, 0:160]
    smooth = np.dstack([y * 2, x, 255 - x]).astype(np.uint8)
    raw = packet(payload=smooth.tobytes(), codec="raw")
    encoded = packet(payload=jpeg.encode(smooth, 95))
    for scale, gray in ((1, True), (0.5, False), (0.25, True), (0.125, False)):
        one = decode(raw, scale=scale, gray=gray).image.astype(int)
        other = decode(encoded, scale=scale, gray=gray).image.astype(int)
        assert np.abs(one - other).mean() < 2


@EACH
@pytest.mark.parametrize("scale", [0.3, 0, 2, float("nan")])
def test_a_scale_that_no_decoder_knows(encoded: Packet, scale: float) -> None:
    with pytest.raises(UsageError, match="use 1/2, 1/4 or 1/8"):
        decode(encoded, scale=scale)
