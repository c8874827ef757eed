"""What a link carries, how large frames become, and the quality at which the two meet."""

import math

import pytest

from framewire.common.level import Level
from framewire.receiver.links.path import LinkModel
from framewire.receiver.links.rate_control import (
    CONGESTED_FRAMES,
    FLOOR,
    Arrival,
    Ladder,
    RateControl,
    SizeModel,
    quality_of,
    steps,
)

INTERVAL_S = 1 / 30
RATE = 1_660_000.0


@pytest.mark.parametrize("quality", [1, 10, 25, 49, 50, 51, 85, 99])
def test_quality_and_quantiser_steps_are_inverse(quality: int) -> None:
    assert quality_of(steps(quality)) == pytest.approx(quality)


def test_the_size_model_finds_back_what_it_saw() -> None:
    model = SizeModel()
    model.learn(100_000, 70, 0.5)
    assert model.quality(100_000, 0.5) == pytest.approx(70)
    assert model.quality(60_000, 0.5) < 60
    assert model.quality(100_000, 1.0) < 35
    assert model.quality(10, 1.0) < 1
    assert model.quality(1e9, 1.0) > 99


def test_another_scene_is_followed_fast_and_noise_slowly() -> None:
    cut = SizeModel()
    noise = SizeModel()
    for i in range(200):
        cut.learn(50_000 if i < 190 else 100_000, 50, 1.0)
        noise.learn((35_000, 65_000)[(i * 7919 >> 3) & 1], 50, 1.0)
    assert cut.quality(100_000, 1.0) == pytest.approx(50, abs=3)
    assert noise.quality(48_000, 1.0) == pytest.approx(50, abs=8)
    assert noise.spread > 0.2 > cut.spread


def climb(ladder: Ladder, wanted: list[float], seconds: float, *, congested: bool = False) -> None:
    for _ in range(round(seconds / INTERVAL_S)):
        ladder.climb(wanted, 85, congested=congested, roomy=True, passed_s=INTERVAL_S)


def test_a_hiccup_does_not_leave_the_top() -> None:
    ladder = Ladder(3)
    for _ in range(CONGESTED_FRAMES - 1):
        climb(ladder, [50, 85, 99], INTERVAL_S, congested=True)
    climb(ladder, [50, 85, 99], INTERVAL_S)
    assert ladder.rung == 0
    climb(ladder, [90, 99, 99], 1, congested=True)  # late, but not for the link's rate
    assert ladder.rung == 0
    climb(ladder, [50, 85, 99], CONGESTED_FRAMES * INTERVAL_S, congested=True)
    assert ladder.rung == 1


def test_down_fast_and_up_slowly() -> None:
    ladder = Ladder(3)
    climb(ladder, [10, 60, 99], 0.2, congested=True)
    assert ladder.rung == 1
    climb(ladder, [10, 60, 99], 0.6)
    assert ladder.rung == 2
    climb(ladder, [FLOOR + 5, 80, 99], 20)
    assert ladder.rung == 2
    climb(ladder, [FLOOR + 10, 82, 99], 2.9)
    assert ladder.rung == 2
    climb(ladder, [FLOOR + 10, 82, 99], 0.3)
    assert ladder.rung == 1
    climb(ladder, [90, 99, 99], 1.2)
    assert ladder.rung == 0


def test_a_climb_that_fails_is_tried_less_often() -> None:
    ladder = Ladder(2)
    climb(ladder, [10, 60], 1, congested=True)
    climbs, before = 0, ladder.rung
    for _ in range(120):
        high = ladder.rung == 2
        climb(ladder, [FLOOR + 10 if high else 10, 60], 0.5)
        climbs += ladder.rung < before
        before = ladder.rung
    assert 3 <= climbs <= 5


def test_where_nothing_is_left_to_improve_a_larger_picture_is_tried() -> None:
    ladder = Ladder(2)
    climb(ladder, [10, 60], 1, congested=True)
    assert ladder.rung == 2
    climb(ladder, [20, 90], 3.2)
    assert ladder.rung == 1


def arrival(size: int, asked: Level, transfer_s: float, quality: int = 85) -> Arrival:
    return Arrival(size, transfer_s, 0.0, INTERVAL_S, 1, INTERVAL_S, asked, quality)


def test_a_fixed_scale_is_always_asked_for() -> None:
    control, link = RateControl(0.5), LinkModel()
    assert control.level == Level(None, 0.5)
    for _ in range(100):
        link.learn(100_000, 0.5, 0.0)
        control.arrived(arrival(100_000, control.level, 0.5), link, 1)
    assert control.level == Level(5, 0.5)


def test_a_passed_through_jpeg_must_fit_before_it_is_asked_for_again() -> None:
    control, link = RateControl(), LinkModel()
    for _ in range(10):
        link.learn(200_000, 0.1, 0.0)
        control.arrived(arrival(200_000, control.level, 0.1, 0), link, 1)
    assert control.limited
    for _ in range(300):  # 67 kB fit, and at quality 90 it is 30 kB
        link.learn(30_000, 0.015, 0.018)
        control.arrived(arrival(30_000, Level(90), 0.015, 90), link, 1)
    assert control.level == Level(90)


def test_without_an_interval_nothing_is_decided() -> None:
    control, link = RateControl(), LinkModel()
    link.learn(100_000, 1.0, 0.0)
    for _ in range(10):
        control.arrived(Arrival(100_000, 1.0, 0.0, math.nan, 1, 1.0, Level(), 85), link, 1)
    assert control.level == Level()
