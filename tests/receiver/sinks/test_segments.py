"""Which file a frame belongs to, and what files are called."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.clock import NS
from framewire.receiver.sinks.segments import (
    Rotation,
    continuation,
    is_segment_name,
    segment_name,
)
from receiver.publishing import BEGIN_NS

MINUTE_NS = 60 * NS


def test_segments_begin_at_multiples_of_wall_time() -> None:
    rotation = Rotation(10 * MINUTE_NS)
    at_14_05 = rotation.at(BEGIN_NS)
    assert rotation.at(BEGIN_NS + 5 * MINUTE_NS - 1) == at_14_05
    assert rotation.at(BEGIN_NS + 5 * MINUTE_NS) == at_14_05 + 1
    assert not rotation.over(at_14_05, BEGIN_NS + 5 * MINUTE_NS - 1)
    assert rotation.over(at_14_05, BEGIN_NS + 5 * MINUTE_NS)


def test_a_clock_that_is_set_back_a_little_makes_no_new_file() -> None:
    rotation = Rotation(10 * MINUTE_NS)
    rotation.at(BEGIN_NS)
    new = rotation.at(BEGIN_NS + 5 * MINUTE_NS)
    assert rotation.at(BEGIN_NS + 5 * MINUTE_NS - NS) == new
    assert rotation.at(BEGIN_NS - 60 * MINUTE_NS) < new - 1  # set back by an hour


@given(st.lists(st.integers(0, 2**62), max_size=20))
def test_without_segments_there_is_one(times: list[int]) -> None:
    rotation = Rotation(None)
    assert {rotation.at(time) for time in times} <= {0}
    assert not any(rotation.over(0, time) for time in times)


@given(st.integers(0, 2**63), st.integers(1, 999))
def test_names_are_known_again(captured_ns: int, number: int) -> None:
    assert is_segment_name(segment_name(captured_ns, number))


def test_names() -> None:
    assert segment_name(BEGIN_NS) == "2026-01-31T14-05-00.mkv"
    assert segment_name(BEGIN_NS, 2) == "2026-01-31T14-05-00-2.mkv"


@pytest.mark.parametrize(
    "name",
    ["yard.mkv", "2026-01-31T14-05-00.mp4", "2026-01-31T14-05-00.mkv.part", "2026-01-31.mkv",
     "2026-01-31T14-05-00 (copy).mkv", "2026-01-31T14-05-00-.mkv", "2026-01-31T14-05-00.mkv\n",
     ".2026-01-31T14-05-00.mkv", "2026-01-31T14-05-00-1000.mkv"],
)  # fmt: skip
def test_other_names(name: str) -> None:
    assert not is_segment_name(name)


def test_a_single_file_goes_on_beside_itself() -> None:
    assert continuation(Path("a/yard.mkv"), 1) == Path("a/yard.mkv")
    assert continuation(Path("a/yard.front.MKV"), 2) == Path("a/yard.front-2.MKV")
