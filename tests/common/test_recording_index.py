"""The table of frames: gaps as `GapCounter` counts them, and lookups beside plain ones."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.recorded import BEGIN_NS, packet
from framewire.common.gaps import GapCounter
from framewire.common.matroska import Block
from framewire.common.recording_index import Index

HEADER = packet(0).header


def index(*frames: tuple[int, str, int, int]) -> Index:
    """Of (sequence, sender, time in ms, captured in ns since the beginning)."""
    found = Index()
    for at, (sequence, sender, time_ms, captured_ns) in enumerate(frames):
        header = msgspec.structs.replace(
            HEADER, sequence=sequence, sender=sender, captured_ns=BEGIN_NS + captured_ns
        )
        found.add(Block(at * 100, 50, time_ms), header)
    return found


runs = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), max_size=40)


@given(runs)
def test_gaps_are_those_of_the_counter(frames: list[tuple[int, str]]) -> None:
    counter = GapCounter()
    for sequence, sender in frames:
        counter.frame(sender, sequence)
    gaps, repeated = index(*((n, sender, 0, 0) for n, sender in frames)).gaps()
    assert sum(gap.frames for gap in gaps) == counter.lost
    assert repeated == counter.repeated
    assert {(gap.sender, gap.first, gap.last) for gap in gaps} == {
        (each.sender, each.first, each.last) for each in counter.missing()
    }
    assert all(frames[gap.index] == (gap.last + 1, gap.sender) for gap in gaps)
    assert [gap.index for gap in gaps] == sorted(gap.index for gap in gaps)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.integers(-10, 1010))
def test_by_time_of_capture(captured: list[int], wanted: int) -> None:
    """Also where the wall clock was set back."""
    found = index(*((n, "a", 0, ns) for n, ns in enumerate(captured))).captured_at(
        BEGIN_NS + wanted
    )
    earlier = [(ns, at) for at, ns in enumerate(captured) if ns <= wanted]
    assert found == (max(earlier)[1] if earlier else -1)


def test_by_time_of_capture_after_more_came() -> None:
    table = index((0, "a", 0, 0))
    assert table.captured_at(BEGIN_NS + 99) == 0
    table.add(Block(0, 1, 5), msgspec.structs.replace(HEADER, captured_ns=BEGIN_NS + 50))
    assert table.captured_at(BEGIN_NS + 99) == 1


@pytest.mark.parametrize(
    ("times_ms", "kept"),
    [
        ([0, 40, 80, 120], [0, 40, 80, 120]),
        ([0, 40, 9999999, 120], [0, 40, 40, 120]),  # a damaged time, too late
        ([0, 40, 80, 3, 120], [0, 40, 80, 80, 120]),
        ([0, 40, 3, 120], [0, 0, 3, 120]),  # which of the two is wrong cannot be known
        ([0, 0, 0], [0, 0, 0]),
        ([9, 5], [0, 5]),
        ([0, 40, 80, 0, 40, 80, 120], [0, 40, 80, 80, 80, 80, 120]),  # a part that comes twice
    ],
)
def test_times_never_run_backwards(times_ms: list[int], kept: list[int]) -> None:
    table = index(*((n, "a", ms, 0) for n, ms in enumerate(times_ms)))
    assert list(table.times_ms) == kept


def test_intervals() -> None:
    table = index((0, "a", 0, 0))
    assert (table.intervals_ms, table.duration_s) == ((0, 0), 0)
    assert (Index().intervals_ms, Index().duration_s) == ((0, 0), 0)
    for at_ms in (10, 90, 100):
        later = msgspec.structs.replace(HEADER, monotonic_ns=HEADER.monotonic_ns + at_ms * 10**6)
        table.add(Block(0, 1, 0), msgspec.structs.replace(later, sender="a"))
    assert table.intervals_ms == (10, 80)
    assert table.duration_s == 0.1


def test_the_largest_numbers_fit() -> None:
    largest = 2**63 - 1
    header = msgspec.structs.replace(
        HEADER, sequence=largest, captured_ns=largest, monotonic_ns=0, sender="b"
    )
    table = index((0, "a", 0, 0))
    for _ in range(3):
        table.add(Block(0, 1, 1 << 53), header)
        table.add(Block(0, 1, 1 << 53), msgspec.structs.replace(header, captured_ns=0, sender="c"))
    assert table.find(largest, None) == 1
    assert table.captured_at(largest) == 5
    assert table.duration_s > 0
