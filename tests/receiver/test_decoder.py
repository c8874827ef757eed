"""Packets to pixels."""

import numpy as np
import pytest

from framewire.common import jpeg
from framewire.common.errors import JpegError
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
