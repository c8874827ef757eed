"""Tests of soak.measures."""

import os
from pathlib import Path

from soak.measures import Sample, growth, measure


def life(slope_mb_per_min: float, *, lasts_s: int = 300, peak_mb: float = 0.0) -> list[Sample]:
    return [
        Sample(
            age_s,
            50 + slope_mb_per_min * age_s / 60 + (peak_mb if age_s == 100 else 0),
            20,
            10 + age_s // 100,
        )
        for age_s in range(0, lasts_s, 2)
    ]


def test_a_steady_growth_is_seen() -> None:
    grown = growth(life(6.0))
    assert grown
    assert round(grown.slope_mb_per_min, 1) == 6.0
    assert grown.last_mb > grown.first_mb + 10
    assert grown.threads == (10, 12)
    assert grown.judged


def test_a_peak_is_no_growth() -> None:
    grown = growth(life(0.0, peak_mb=200))
    assert grown
    assert grown.slope_mb_per_min == 0
    assert grown.first_mb == grown.last_mb


def test_a_short_life_is_not_judged() -> None:
    assert growth(life(6.0, lasts_s=20)) is None
    grown = growth(life(6.0, lasts_s=60))
    assert grown
    assert not grown.judged


def test_recordings_that_are_open_are_not_counted(tmp_path: Path) -> None:
    before = measure(os.getpid(), 0)
    with open(tmp_path / "a.mkv", "wb"), open(tmp_path / "b.txt", "wb"):
        meanwhile = measure(os.getpid(), 0)
    assert before
    assert meanwhile
    assert meanwhile.descriptors == before.descriptors + 1
