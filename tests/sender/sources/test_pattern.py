"""The test chart: what the spec may say, what is drawn, and its pace."""

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from framewire.common.clock import NS
from framewire.common.errors import UsageError
from framewire.common.jpeg import decode, encode
from framewire.common.testchart import read_number
from framewire.sender.sources.pattern import PatternSource, draw_chart
from framewire.sender.sources.source import SourceOptions

if TYPE_CHECKING:
    from sender.conftest import FakeTime

FAST = SourceOptions(speed=0)


@pytest.mark.parametrize(
    ("spec", "width", "height", "fps"),
    [
        ("pattern:", 1280, 720, 30),
        ("pattern:640x480", 640, 480, 30),
        ("pattern:@15", 1280, 720, 15),
        ("pattern:80x96@59.94", 80, 96, 59.94),
        ("pattern:320x240@1000", 320, 240, 1000),
    ],
)
def test_what_a_spec_says(
    spec: str, width: int, height: int, fps: float, fake_time: "FakeTime"
) -> None:
    with PatternSource(spec, SourceOptions()) as source:
        assert (source.name, source.live, source.encoded) == ("pattern", True, False)
        first, second, third = islice(source, 3)
    assert first.image.shape == (height, width, 3)
    assert (first.header.width, first.header.height, first.header.channels) == (width, height, 3)
    assert first.header.topic == "pattern"
    begun_ns = first.header.monotonic_ns
    steps = [f.header.monotonic_ns - begun_ns for f in (second, third)]
    assert steps == [round(NS / fps), 2 * round(NS / fps)]


@pytest.mark.parametrize(
    "spec",
    ["pattern:640", "pattern:640x", "pattern:x480", "pattern:a", "pattern:1x2@", "pattern:\n"],
)
def test_what_is_no_pattern(spec: str) -> None:
    with pytest.raises(UsageError, match="use pattern:WIDTHxHEIGHT@FPS"):
        PatternSource(spec, FAST)


@pytest.mark.parametrize(
    "spec", ["pattern:79x96", "pattern:80x95", "pattern:8193x480", "pattern:@0", "pattern:@1001"]
)
def test_patterns_beyond_the_limits(spec: str) -> None:
    with pytest.raises(UsageError, match="80x96 to 8192x8192"):
        PatternSource(spec, FAST)


@pytest.mark.parametrize("options", [SourceOptions(loop=True), SourceOptions(start=1)])
def test_options_that_a_pattern_cannot_take(options: SourceOptions) -> None:
    with pytest.raises(UsageError, match="not possible with this pattern source"):
        PatternSource("pattern:", options)


def test_each_frame_carries_its_number_through_jpeg() -> None:
    with PatternSource("pattern:320x240", FAST) as source:
        assert not source.live
        for number, frame in enumerate(islice(source, 50)):
            assert frame.sequence == number
            assert read_number(decode(encode(frame.image, 60))) == number


def test_each_frame_is_the_callers_own() -> None:
    with PatternSource("pattern:160x120", FAST) as source:
        first, second = islice(source, 2)
        second.image[:] = 0
        third = next(iter(source))
        assert np.array_equal(first.image, third.image)  # iterating again begins again


def test_what_people_see() -> None:
    with PatternSource("pattern:600x400", FAST) as source:
        first, second = islice(source, 2)
    row = first.image[60]  # below the band of the code, above the ball's way
    bars = [row[50 + 100 * bar] for bar in range(6)]
    gray, yellow, cyan, green, magenta, red = (tuple(map(int, bar)) for bar in bars)
    assert (gray, yellow, cyan) == ((191, 191, 191), (0, 191, 191), (191, 191, 0))
    assert (green, magenta, red) == ((0, 191, 0), (191, 0, 191), (0, 0, 191))
    ramp = first.image[395].astype(int)
    assert (ramp[0] == 0).all()
    assert (ramp[-1] == 255).all()
    assert (np.diff(ramp, axis=0) >= 0).all()
    text = (slice(310, 370), slice(30, 400))  # the number in white, over the ramp
    assert (first.image[text] == 255).all(axis=2).sum() > 200
    assert not np.array_equal(first.image[text], second.image[text])


def test_the_ball_moves_and_stays_on_the_chart() -> None:
    background = np.zeros((240, 320, 3), np.uint8)
    places = set()
    for number in range(0, 300, 7):
        chart = draw_chart(background, number)
        red = np.argwhere((chart[:, :, 2] > 200) & (chart[:, :, 1] < 60))
        assert red.size, number
        places.add(tuple(red.mean(axis=0).round()))
    assert len(places) > 20
    assert not background.any()


def test_thinning_leaves_no_holes(fake_time: "FakeTime") -> None:
    with PatternSource("pattern:160x120@60", SourceOptions(fps=20)) as source:
        frames = list(islice(source, 5))
    assert [f.sequence for f in frames] == list(range(5))
    assert [read_number(f.image) for f in frames] == [0, 3, 6, 9, 12]


def test_speed(fake_time: "FakeTime") -> None:
    with PatternSource("pattern:160x120@10", SourceOptions(speed=5)) as source:
        frames = list(islice(source, 3))
    times = [f.header.monotonic_ns - frames[0].header.monotonic_ns for f in frames]
    assert times == [0, NS // 50, NS // 25]


def test_closing_ends_it() -> None:
    source = PatternSource("pattern:160x120", FAST)
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []
