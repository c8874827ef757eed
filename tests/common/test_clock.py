"""Each clock is the one that its name says."""

import time

from framewire.common.clock import NS, monotonic_ns, wall_ns


def test_the_wall_clock_is_unix_time() -> None:
    before = time.time_ns()
    now = wall_ns()
    assert before <= now <= time.time_ns()


def test_the_monotonic_clock_is_the_systems() -> None:
    before = time.monotonic_ns()
    now = monotonic_ns()
    assert before <= now <= time.monotonic_ns()


def test_nanoseconds_in_a_second() -> None:
    assert NS == 10**9
