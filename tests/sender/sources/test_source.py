"""What every source shares: its options, its closing, and the headers of its pictures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from framewire.common import wire
from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import JpegError, UsageError
from framewire.common.jpeg import decode, encode
from framewire.sender.sources.source import (
    Moment,
    Source,
    SourceOptions,
    jpeg_packet,
    picture_header,
)

if TYPE_CHECKING:
    from sender.conftest import Chart

MOMENT = Moment(wall_ns=1_700_000_000_000_000_000, monotonic_ns=77)


class PaperSource(Source):
    takes = frozenset({"loop", "fps"})


# -- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"speed": -0.1},
        {"speed": 1001},
        {"speed": float("nan")},
        {"start": -1},
        {"start": 1e9},
        {"start": float("nan")},
        {"fps": 0},
        {"fps": -5},
        {"fps": 1001},
        {"fps": float("nan")},
    ],
)
def test_options_without_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="possible"):
        SourceOptions(**options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"speed": 0},
        {"speed": 1000, "start": 5.5, "fps": 1000, "loop": True, "size": (4, 3)},
    ],
)
def test_which_options_were_given(options: dict[str, Any]) -> None:
    assert SourceOptions(**options).given() == set(options)


def test_what_equals_its_default_was_not_given() -> None:
    assert SourceOptions(loop=False, speed=1.0, start=0, fps=None).given() == set()


# -- the class ----------------------------------------------------------------------------------


def test_options_that_a_source_takes() -> None:
    options = SourceOptions(loop=True, fps=5, size=(4, 3))
    source = PaperSource("paper", options)
    assert (source.name, source.options) == ("paper", options)
    assert (source.live, source.encoded, source.sized) == (False, False, False)


def test_options_that_a_source_cannot_take_are_named() -> None:
    with pytest.raises(UsageError, match=r"speed, start: not possible with this paper source"):
        PaperSource("paper", SourceOptions(speed=2, start=1, loop=True))


def test_a_source_says_what_it_must_have() -> None:
    source = PaperSource("paper", SourceOptions())
    with pytest.raises(NotImplementedError):
        iter(source)
    with pytest.raises(UsageError, match="paper has no encoded pictures"):
        source.packets()


def test_closing_is_told_to_whoever_iterates() -> None:
    with PaperSource("paper", SourceOptions()) as source:
        assert not source._stop.is_set()
    assert source._stop.is_set()
    source.close()


# -- headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "channels"), [((96, 160, 3), 3), ((96, 160), 1)])
def test_the_header_of_pixels(shape: tuple[int, ...], channels: int) -> None:
    header = picture_header("cam", 4, MOMENT, np.zeros(shape, np.uint8), dropped=2)
    assert (header.topic, header.sequence, header.dropped) == ("cam", 4, 2)
    assert (header.captured_ns, header.monotonic_ns) == (MOMENT.wall_ns, MOMENT.monotonic_ns)
    assert (header.width, header.height, header.channels) == (160, 96, channels)
    assert (header.sender, header.sent_ns, header.codec) == ("", 0, "raw")


def _without_tables(jpeg: bytes) -> bytes:
    """As many webcams give it: no DHT segment."""
    at = 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at + 1] == 0xC4:
            jpeg = jpeg[:at] + jpeg[end:]
        else:
            at = end
    return jpeg


@pytest.mark.parametrize("gray", [False, True])
def test_a_jpeg_is_taken_as_it_is(chart: "Chart", gray: bool) -> None:
    image = chart(3)
    jpeg = encode(np.ascontiguousarray(image[:, :, 0]) if gray else image, 80)
    packet = jpeg_packet("cam", 4, MOMENT, jpeg, dropped=2)
    header = packet.header
    assert packet.payload == jpeg
    assert (header.topic, header.sequence, header.dropped) == ("cam", 4, 2)
    assert (header.captured_ns, header.monotonic_ns) == (MOMENT.wall_ns, MOMENT.monotonic_ns)
    assert (header.width, header.height, header.channels) == (160, 96, 1 if gray else 3)
    assert (header.sender, header.codec, header.quality, header.sent_ns) == ("", "jpeg", 0, 0)
    wire.check_payload(header, packet.payload)  # as a receiver does


def test_nothing_was_dropped_unless_it_is_said(chart: "Chart") -> None:
    assert picture_header("cam", 4, MOMENT, chart(0)).dropped == 0
    assert jpeg_packet("cam", 4, MOMENT, encode(chart(0), 80)).header.dropped == 0


def test_padding_and_missing_tables_are_repaired(chart: "Chart") -> None:
    jpeg = encode(chart(3), 80)
    bare = _without_tables(jpeg)
    assert len(bare) < len(jpeg)
    packet = jpeg_packet("cam", 0, MOMENT, bare + bytes(1000))
    assert packet.payload.endswith(b"\xff\xd9")
    wire.check_payload(packet.header, packet.payload)
    assert np.array_equal(decode(packet.payload), decode(jpeg))


@pytest.mark.parametrize("cut", [0, 1, 20, 600])
def test_what_is_no_jpeg_is_refused(chart: "Chart", cut: int) -> None:
    with pytest.raises(JpegError):
        jpeg_packet("cam", 0, MOMENT, encode(chart(3), 80)[:cut])


# -- what becomes of it -------------------------------------------------------------------------


def test_a_read_that_does_not_come_back_is_told_and_so_is_its_end() -> None:
    source = PaperSource("paper", SourceOptions())
    heard: list[tuple[str, str]] = []
    source.on_state = lambda *said: heard.append(said)
    source.look_after(monotonic_ns() + 60 * NS)  # it reads nothing
    with source._read():
        source.look_after(monotonic_ns() + NS)
        assert heard == []
        source.look_after(monotonic_ns() + 2 * NS)
        source.look_after(monotonic_ns() + 3 * NS)
    reason = "it cannot be read: its disk, mount or server has given nothing for 2 s"
    assert heard == [("no-signal", reason), ("live", "")]
    source.look_after(monotonic_ns() + 60 * NS)
    assert len(heard) == 2


def test_items_are_read_one_by_one() -> None:
    source = PaperSource("paper", SourceOptions())
    during = []

    def items() -> Iterator[int]:
        for number in range(3):
            during.append(source._reads_since_ns > 0)
            yield number

    seen = [(item, source._reads_since_ns) for item in source._each(items())]
    assert seen == [(0, 0), (1, 0), (2, 0)]
    assert during == [True] * 3


def test_nobody_need_listen() -> None:
    source = PaperSource("paper", SourceOptions())
    source._tell("no-signal", "gone")
    source.on_state("live", "")


def test_the_log_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    source = PaperSource("paper", SourceOptions())
    for state, reason in (
        ("no-signal", "gone"),
        ("no-signal", "gone"),
        ("live", ""),
        ("ended", "cut"),
    ):
        source._tell(state, reason)  # type: ignore[arg-type]
    assert [record.getMessage() for record in caplog.records] == [
        "paper: no signal: gone",
        "paper: the signal is back",
        "paper: cut",
    ]
