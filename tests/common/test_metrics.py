"""Definitions of figures, and counters that never fall."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.metrics import Family, Highest, Metric, Row, by_topic
from framewire.common.stats import Distribution

LOST = Metric("framewire_lost_frames_total", "counter", "Lost", ("topic",))


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("framewire_bytes_total", "bytes"),
        ("framewire_disk_free_bytes", "bytes"),
        ("framewire_frame_age_seconds", "seconds"),
        ("framewire_frames_total", ""),
        ("framewire_receivers", ""),
    ],
)
def test_the_unit_stands_in_the_name(name: str, unit: str) -> None:
    assert Metric(name, "gauge", "").unit == unit


@dataclass(frozen=True)
class Topic:
    lost: int


def test_a_sample_of_each_topic() -> None:
    rows: list[Row[Topic]] = [Row(LOST, lambda topic: topic.lost)]
    (family,) = by_topic(rows, {"a": Topic(1), "b": Topic(2)})
    assert family == Family(LOST, [(("a",), 1), (("b",), 2)])


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=30))
def test_a_counter_never_falls(steps: list[tuple[str, int]]) -> None:
    highest, seen = Highest(), {"a": 0, "b": 0}
    for topic, lost in steps:
        seen[topic] = max(seen[topic], lost)
        kept = highest(Family(LOST, [((topic,), lost)]))
        assert kept == Family(LOST, [((topic,), seen[topic])])


def test_counters_are_kept_apart() -> None:
    highest = Highest()
    other = Metric("framewire_passed_by_frames_total", "counter", "", ("topic",))
    highest(Family(LOST, [(("a",), 5)]))
    assert highest(Family(other, [(("a",), 1)])).samples == [(("a",), 1)]


def test_a_histogram_cannot_fall() -> None:
    family = Family(LOST, [(("a",), Distribution())])
    assert Highest()(family) == family
