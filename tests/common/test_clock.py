"""Each clock is the one that its name says."""

import time

import pytest

from framewire.common.clock import NS, monotonic_ns, wall_ns


def test_each_clock_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 2)
    assert (wall_ns(), monotonic_ns()) == (1, 2)


def test_nanoseconds_in_a_second() -> None:
    assert NS == 10**9
