"""Frames to packets: what the picture becomes, and what its header then says."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from framewire.common import jpeg, wire
from framewire.common.errors import JpegError, UsageError
from framewire.common.frame import Frame, Image, Packet
from framewire.common.jpeg import decode
from framewire.common.level import Level
from framewire.common.testchart import read_number
from framewire.sender import encoder
from framewire.sender.encoder import Encoder, parse_size

if TYPE_CHECKING:
    from sender.conftest import Chart, MakeFrame, MakePacket


# -- sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("1280x720", (1280, 720)), ("640X480", (640, 480)), ("1x1", (1, 1)), ("65500x1", (65500, 1))],
)
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "1280", "1280x", "x720", "-1x5", "1.5x2", "1x2x3", "1x²"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="use WIDTHxHEIGHT"):
        parse_size(text)


@pytest.mark.parametrize("text", ["0x720", "1280x0", "65501x1", "1x65501", "8193x8192"])
def test_sizes_that_no_picture_has(text: str) -> None:
    with pytest.raises(UsageError, match="64 Mpixel"):
        parse_size(text)


def test_the_largest_size() -> None:
    assert parse_size("8192x8192") == (8192, 8192)


# -- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_a_bad_quality_is_refused_at_once(quality: int) -> None:
    with pytest.raises(UsageError, match="quality"):
        Encoder(quality=quality)


def test_a_bad_size_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="64 Mpixel"):
        Encoder(size=(0, 10))


def test_defaults() -> None:
    assert Encoder() == Encoder(quality=85, size=None, gray=False)


# -- packets ------------------------------------------------------------------------------------


def _psnr(a: Image, b: Image) -> float:
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def test_a_colour_frame(frame: "MakeFrame") -> None:
    source = frame(7, metadata={"gain": 4}, dropped=3)
    packet = Encoder(quality=90).packet(source)
    header = packet.header
    assert (header.width, header.height, header.channels) == (160, 96, 3)
    assert (header.codec, header.quality, header.crc32) == (
        "jpeg",
        90,
        wire.checksum(packet.payload),
    )
    wire.check_payload(header, packet.payload)  # as a receiver does
    assert _psnr(decode(packet.payload), source.image) > 30
    # Everything else is the source's.
    changed = {
        name
        for name in source.header.__struct_fields__
        if getattr(source.header, name) != getattr(header, name)
    }
    assert changed - {"encode_us"} == {"codec", "quality", "crc32"}


def test_a_gray_frame(frame: "MakeFrame") -> None:
    source = frame(0)
    gray = np.ascontiguousarray(source.image[:, :, 0])
    packet = Encoder().packet(Frame(gray, source.header))
    assert packet.header.channels == 1
    decoded = decode(packet.payload)
    assert decoded.shape == gray.shape
    wire.check_payload(packet.header, packet.payload)


def test_quality_changes_the_size(frame: "MakeFrame") -> None:
    sizes = [len(Encoder(quality=q).packet(frame(3)).payload) for q in (10, 50, 95)]
    assert sizes == sorted(set(sizes))


def test_encoding_time_is_told(frame: "MakeFrame", monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter((5_000_000, 6_234_999))
    monkeypatch.setattr(encoder, "monotonic_ns", lambda: next(ticks))
    assert Encoder().packet(frame(0)).header.encode_us == 1234


@pytest.mark.parametrize("size", [(320, 192), (80, 96), (160, 200), (97, 131)])
def test_scaling_up_and_down(frame: "MakeFrame", size: tuple[int, int]) -> None:
    packet = Encoder(size=size, quality=95).packet(frame(1234))
    assert (packet.header.width, packet.header.height) == size
    assert decode(packet.payload).shape == (size[1], size[0], 3)
    assert read_number(decode(packet.payload)) == 1234
    wire.check_payload(packet.header, packet.payload)


@pytest.mark.parametrize(
    ("width", "method"), [(159, cv2.INTER_AREA), (160, cv2.INTER_CUBIC), (161, cv2.INTER_CUBIC)]
)
def test_shrinking_averages_and_growing_is_smooth(
    frame: "MakeFrame", monkeypatch: pytest.MonkeyPatch, width: int, method: int
) -> None:
    asked: list[int] = []
    resize = cv2.resize

    def noted(image: Image, size: tuple[int, int], *, interpolation: int) -> object:
        asked.append(interpolation)
        return resize(image, size, interpolation=interpolation)

    monkeypatch.setattr(cv2, "resize", noted)
    Encoder(size=(width, 100)).packet(frame(0))
    assert asked == [method]


def test_gray_from_colour(frame: "MakeFrame") -> None:
    packet = Encoder(gray=True, quality=95).packet(frame(99))
    image = decode(packet.payload)
    assert (packet.header.channels, image.shape) == (1, (96, 160))
    assert read_number(image) == 99
    wire.check_payload(packet.header, packet.payload)


def test_gray_means_brightness(frame: "MakeFrame") -> None:
    image = np.zeros((96, 160, 3), np.uint8)
    image[:, :, 1] = 255  # green: 0.587 of BT.601's luma
    payload = Encoder(gray=True).packet(Frame(image, frame(0).header)).payload
    assert abs(float(decode(payload).mean()) - 150) < 2


def test_gray_and_scaled(frame: "MakeFrame") -> None:
    packet = Encoder(gray=True, size=(80, 96)).packet(frame(5))
    header = packet.header
    assert (header.width, header.height, header.channels) == (80, 96, 1)
    wire.check_payload(header, packet.payload)


def test_what_has_the_size_and_is_gray_already_is_not_touched(
    frame: "MakeFrame", monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Image] = []

    def encode(image: Image, quality: int) -> bytes:
        seen.append(image)
        return b"jpeg"

    monkeypatch.setattr(encoder, "encode", encode)
    gray = np.zeros((96, 160), np.uint8)
    Encoder(gray=True, size=(160, 96)).packet(Frame(gray, frame(0).header))
    assert seen[0] is gray


def test_the_frame_is_left_as_it_was(frame: "MakeFrame", chart: "Chart") -> None:
    source = frame(8)
    Encoder(gray=True, size=(80, 96)).packet(source)
    assert np.array_equal(source.image, chart(8))
    assert source.header.codec == "raw"


# -- levels -------------------------------------------------------------------------------------


def test_the_own_level_is_what_the_sender_was_told(frame: "MakeFrame") -> None:
    encoder = Encoder(quality=70, size=(80, 48), gray=True)
    assert encoder.packet(frame(1)).payload == encoder.packet(frame(1), Level()).payload


@pytest.mark.parametrize("quality", [1, 40, 95])
def test_a_quality_that_is_asked_for(frame: "MakeFrame", quality: int) -> None:
    packet = Encoder(quality=70).packet(frame(1), Level(quality=quality))
    assert packet.header.quality == quality
    assert packet.payload == jpeg.encode(frame(1).image, quality)
    wire.check_payload(packet.header, packet.payload)


@pytest.mark.parametrize(
    ("scale", "size"),
    [(1.0, (160, 96)), (0.5, (80, 48)), (0.75, (120, 72)), (1 / 3, (53, 32)), (1 / 16, (10, 6))],
)
def test_a_scale_that_is_asked_for(frame: "MakeFrame", scale: float, size: tuple[int, int]) -> None:
    packet = Encoder(quality=95).packet(frame(1), Level(scale=scale))
    assert (packet.header.width, packet.header.height, packet.header.quality) == (*size, 95)
    wire.check_payload(packet.header, packet.payload)


def test_the_scale_is_that_of_the_senders_own_size(frame: "MakeFrame") -> None:
    header = Encoder(size=(100, 60), gray=True).packet(frame(1), Level(scale=0.5)).header
    assert (header.width, header.height, header.channels) == (50, 30, 1)


def test_a_picture_keeps_a_pixel_at_any_scale(frame: "MakeFrame") -> None:
    thin = np.full((1, 160), 90, np.uint8)
    packet = Encoder().packet(Frame(thin, frame(0).header), Level(scale=1 / 16))
    assert (packet.header.width, packet.header.height) == (10, 1)
    wire.check_payload(packet.header, packet.payload)


@pytest.mark.parametrize(
    "level",
    [Level(), Level(quality=80), Level(quality=95), Level(scale=1.0), Level(quality=100, scale=1)],
)
def test_what_is_encoded_stays_as_it_is_unless_less_is_asked_for(
    packet: "MakePacket", level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "decode", None)  # not even looked at
    given = packet(3)  # of quality 80
    assert Encoder(quality=10, size=(32, 32), gray=True).packet(given, level) is given


@pytest.mark.parametrize(
    ("level", "quality", "size"),
    [
        (Level(quality=79), 79, (160, 96)),
        (Level(quality=20, scale=0.5), 20, (80, 48)),
        (Level(scale=0.5), 80, (80, 48)),  # at the quality that it had
    ],
)
def test_less_of_what_is_encoded(
    packet: "MakePacket", level: Level, quality: int, size: tuple[int, int]
) -> None:
    given = packet(3, metadata={"gain": 4}, dropped=2)
    less = Encoder(quality=90).packet(given, level)
    header = less.header
    assert (header.width, header.height, header.quality) == (*size, quality)
    assert len(less.payload) < len(given.payload)
    assert read_number(decode(less.payload)) == 3
    wire.check_payload(header, less.payload)
    changed = {
        name
        for name in header.__struct_fields__
        if getattr(given.header, name) != getattr(header, name)
    }
    assert changed <= {"width", "height", "quality", "encode_us", "crc32"}


def test_of_an_unknown_quality_any_is_less(packet: "MakePacket") -> None:
    given = packet(3, quality=0)
    encoder = Encoder(quality=60)
    assert encoder.packet(given, Level(quality=99)).header.quality == 99
    assert encoder.packet(given, Level(scale=0.5)).header.quality == 60
    assert encoder.packet(given) is given


def test_a_gray_picture_that_is_encoded_stays_gray(frame: "MakeFrame") -> None:
    given = Encoder(gray=True).packet(frame(5))
    less = Encoder().packet(given, Level(quality=50, scale=0.5))
    assert less.header.channels == 1
    wire.check_payload(less.header, less.payload)


def test_raw_pixels_that_are_passed_on_stay_as_they_are(frame: "MakeFrame") -> None:
    source = frame(1)
    given = Packet(source.header, source.image.tobytes())
    assert Encoder().packet(given, Level(quality=10, scale=0.5)) is given


def test_a_packet_that_is_no_jpeg_is_an_error_only_if_less_of_it_is_wanted(
    packet: "MakePacket",
) -> None:
    broken = Packet(packet(0).header, b"\xff\xd8 nonsense \xff\xd9")
    assert Encoder().packet(broken) is broken
    with pytest.raises(JpegError):
        Encoder().packet(broken, Level(quality=10))
