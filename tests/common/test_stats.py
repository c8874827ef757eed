"""Instruments against plain models; the time is an argument, so no test waits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.clock import NS
from framewire.common.stats import Distribution, Histogram, Patience, Quantiles, Rate, Throttle

steps = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1000)), max_size=30)


@given(steps, st.sampled_from([1, 2, 5]))
def test_a_rate_is_what_lies_in_the_window(steps: list[tuple[int, int]], window_ns: int) -> None:
    rate, now_ns, seen = Rate(window_ns), 0, []
    for delay_ns, amount in steps:
        now_ns += delay_ns
        rate.add(now_ns, amount)
        seen.append((now_ns, amount))
        inside = [each for at, each in seen if now_ns - window_ns < at]
        assert rate.events(now_ns) == len(inside) * NS / window_ns
        assert rate.amount(now_ns) == sum(inside) * NS / window_ns


def test_a_rate_falls_to_zero_when_nothing_comes() -> None:
    rate = Rate()
    for number in range(60):
        rate.add(number * NS // 30, 1000)
    assert rate.events(2 * NS - 1) == 30
    assert rate.amount(2 * NS - 1) == 30_000
    assert rate.events(4 * NS) == rate.amount(4 * NS) == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.integers(1, 20))
def test_quantiles_are_those_of_the_last_values(values: list[float], size: int) -> None:
    quantiles = Quantiles(size)
    for value in values:
        quantiles.add(value)
    kept = sorted(values[-size:])
    low, middle, high = quantiles(0, 0.5, 1)
    assert (low, high) == (kept[0], kept[-1])
    assert middle in kept[(len(kept) - 1) // 2 : len(kept) // 2 + 1]


def test_without_an_amount_events_are_counted() -> None:
    rate = Rate(NS)
    rate.add(5)
    rate.add(6)
    assert rate.amount(6) == rate.events(6) == 2


def test_quantiles_remember_1024_values_by_default() -> None:
    quantiles = Quantiles()
    for value in range(1025):
        quantiles.add(value)
    assert quantiles(0, 1) == (1, 1024)


def test_quantiles_take_the_nearest_rank() -> None:
    quantiles = Quantiles()
    for value in range(101):
        quantiles.add(float(value))
    assert quantiles(0.5, 0.95, 0.99) == (50, 95, 99)
    assert quantiles() == ()


def test_quantiles_of_nothing() -> None:
    assert [math.isnan(value) for value in Quantiles()(0.5, 0.95)] == [True, True]


def test_a_throttle_speaks_once_in_its_interval_and_for_all_it_held_back() -> None:
    throttle = Throttle(10)
    assert [throttle(now) for now in (0, 1, 9, 10, 11, 12, 20, 45)] == [1, 0, 0, 3, 0, 0, 3, 1]


def test_a_throttle_waits_a_second_by_default() -> None:
    throttle = Throttle()
    assert throttle(5) == 1
    assert throttle(5 + NS - 1) == 0
    assert throttle(5 + NS) == 2


@given(st.lists(st.integers(0, 5), max_size=60))
def test_a_throttle_forgets_no_call(delays: list[int]) -> None:
    throttle, now, told = Throttle(10), 0, 0
    for delay in delays:
        now += delay
        told += throttle(now)
    told += throttle(now + 10)
    assert told == len(delays) + 1


@pytest.mark.parametrize("level", [0, 0.5, 1])
def test_one_value_is_every_quantile(level: float) -> None:
    quantiles = Quantiles()
    quantiles.add(3.5)
    assert quantiles(level) == (3.5,)


# -- patience -------------------------------------------------------------------------------------


def test_patience_is_used_up_and_grows_back() -> None:
    patience = Patience(cap_ns=100, share=0.1)
    assert patience.left_ns(0) == 100
    patience.spend(30)
    assert patience.left_ns(0) == 70
    patience.spend(500)
    assert patience.left_ns(0) == 0
    assert patience.left_ns(200) == 20
    assert patience.left_ns(10_000) == 100  # and no further


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 1)), max_size=50))
def test_in_the_long_run_patience_is_a_share_of_all_time(steps: list[tuple[int, float]]) -> None:
    patience = Patience(cap_ns=100, share=0.05)
    now_ns = waited_ns = 0
    for pass_ns, part in steps:
        now_ns += pass_ns
        wait_ns = int(patience.left_ns(now_ns) * part)
        now_ns += wait_ns
        waited_ns += wait_ns
        patience.spend(wait_ns)
        assert waited_ns <= 100 + 0.05 * now_ns + 1


def test_what_took_no_time_buys_no_patience() -> None:
    patience = Patience(cap_ns=100, share=0.0)
    patience.left_ns(0)
    patience.spend(60)
    patience.spend(-60)
    assert patience.left_ns(0) == 40


# -- histograms -----------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 20), max_size=50),
    st.lists(st.floats(0.001, 10), max_size=8, unique=True).map(sorted),
)
def test_a_histogram_counts_what_lies_up_to_each_bound(
    values: list[float], bounds: list[float]
) -> None:
    histogram = Histogram(bounds)
    for value in [*values, *bounds]:
        histogram.add(value)
    seen, everything = histogram.snapshot(), [*values, *bounds]
    below = [sum(value <= bound for value in everything) for bound in bounds]
    assert seen.cumulative == (*below, len(everything))
    assert seen.count == sum(seen.counts) == len(everything)
    assert seen.bounds == tuple(bounds)
    assert seen.sum == pytest.approx(sum(everything))


def test_a_snapshot_of_a_histogram_stays_as_it_is() -> None:
    histogram = Histogram([1])
    before = histogram.snapshot()
    histogram.add(0.5)
    assert (before.counts, before.sum) == ((0, 0), 0)
    assert histogram.snapshot().counts == (1, 0)
    assert Distribution().cumulative == (0,)


def test_less_than_nothing_makes_no_sum_fall() -> None:
    histogram = Histogram([1])
    histogram.add(0.5)
    histogram.add(-3)
    assert histogram.snapshot() == Distribution((1,), (2, 0), 0.5)
