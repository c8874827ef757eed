"""Media times, from clocks that somebody may set."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from framewire.common.clock import NS
from framewire.common.frame import Header
from framewire.common.timeline import Timeline


def _header_ns(captured_ns: int, monotonic_ns: int, sender: str = "a") -> Header:
    return Header(
        sender=sender,
        sequence=0,
        captured_ns=captured_ns,
        monotonic_ns=monotonic_ns,
        sent_ns=0,
        width=1,
        height=1,
        channels=1,
        codec="raw",
    )


def _header(captured_s: float, monotonic_s: float = 0, sender: str = "a") -> Header:
    return _header_ns(round(captured_s * NS), round(monotonic_s * NS), sender)


def _times(*headers: Header) -> list[float]:
    timeline = Timeline()
    return [timeline.at(header) / NS for header in headers]


def test_it_begins_at_zero() -> None:
    assert _times(_header(1e9, 77)) == [0]


def test_within_a_run_the_monotonic_clock_counts() -> None:
    assert _times(_header(100, 5), _header(160, 6), _header(20, 7.5)) == [0, 1, 2.5]


def test_without_a_monotonic_clock_the_wall_clock_counts() -> None:
    assert _times(_header(100), _header(101), _header(101.5)) == [0, 1, 1.5]
    assert _times(_header(100, 5), _header(101), _header(103, 6)) == [0, 1, 3]


def test_between_runs_the_wall_clock_bridges() -> None:
    headers = (_header(100, 900), _header(101, 901), _header(111, 3, "b"), _header(112, 4, "b"))
    assert _times(*headers) == [0, 1, 11, 12]


def test_senders_that_alternate() -> None:
    headers = (
        _header(100, 900, "a"),
        _header(100.5, 3, "b"),
        _header(101, 901, "a"),
        _header(101.5, 4, "b"),
    )
    assert _times(*headers) == [0, 0.5, 1, 1.5]


def test_a_wall_clock_that_is_set_back_costs_nothing_but_its_step() -> None:
    assert _times(_header(100), _header(101), _header(50), _header(52)) == [0, 1, 1, 3]
    assert _times(_header(100, 1), _header(40, 2, "b"), _header(41, 3, "b")) == [0, 0, 1]


def test_a_frame_out_of_order_follows_at_once() -> None:
    assert _times(_header(100, 10), _header(99, 9), _header(101, 11)) == [0, 0, 2]


nanoseconds = st.integers(0, 2**63 - 1)


@given(st.lists(st.tuples(nanoseconds, nanoseconds | st.just(0), st.sampled_from("ab"))))
def test_it_never_runs_backwards(clocks: list[tuple[int, int, str]]) -> None:
    timeline = Timeline()
    times = [timeline.at(_header_ns(*each)) for each in clocks]
    assert times == sorted(times)
    assert times[:1] in ([], [0])


@given(st.lists(st.integers(0, 10**12), min_size=1), nanoseconds)
def test_steps_of_the_monotonic_clock_are_kept_exactly(steps: list[int], wall_ns: int) -> None:
    timeline = Timeline()
    clock = list(accumulate(steps, initial=1))
    times = [timeline.at(_header_ns(wall_ns * (ns % 2), ns)) for ns in clock]
    assert times == [ns - 1 for ns in clock]
