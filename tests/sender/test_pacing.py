"""Pacing against a clock that the test turns: no time passes here."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.clock import NS
from framewire.common.errors import UsageError
from framewire.sender.pacing import GapSkipper, Pacer, Thinner

MS = NS // 1000
PATIENCE_NS = NS // 5

steps = st.lists(st.integers(1, 2 * NS), min_size=1, max_size=40)
"""Intervals of media time, as irregular as a file may be."""
speeds = st.floats(0.01, 1000)
clocks = st.integers(0, 10**18)


def _times(start_ns: int, intervals: list[int]) -> list[int]:
    times = [start_ns]
    for interval in intervals:
        times.append(times[-1] + interval)
    return times


def _play(pacer: Pacer, media: list[int], stalls: list[int], now_ns: int) -> list[int]:
    """When a player shows each frame that stalls so long before it and waits when it is early."""
    shown = []
    for media_ns, stall_ns in zip(media, stalls, strict=True):
        now_ns += stall_ns
        now_ns = max(now_ns, pacer.due_ns(media_ns, now_ns))
        shown.append(now_ns)
    return shown


# -- Pacer --------------------------------------------------------------------------------------


@given(clocks, clocks, speeds)
def test_the_first_frame_is_due_at_once(media_ns: int, now_ns: int, speed: float) -> None:
    assert Pacer(speed).due_ns(media_ns, now_ns) == now_ns


@given(clocks, clocks, steps, speeds, st.data())
def test_within_its_patience_the_schedule_never_drifts(
    start_ns: int, now_ns: int, intervals: list[int], speed: float, data: st.DataObject
) -> None:
    pacer = Pacer(speed)
    media = _times(start_ns, intervals)
    for media_ns in media:
        ideal_ns = now_ns + round((media_ns - start_ns) / speed)
        late_ns = data.draw(st.integers(-NS, PATIENCE_NS)) if media_ns > start_ns else 0
        assert pacer.due_ns(media_ns, ideal_ns + late_ns) == ideal_ns


@given(clocks, clocks, st.integers(1, NS), st.integers(PATIENCE_NS + 1, 100 * NS), steps, speeds)
def test_beyond_its_patience_the_rest_of_the_schedule_moves(
    start_ns: int, now_ns: int, step_ns: int, late_ns: int, rest: list[int], speed: float
) -> None:
    pacer = Pacer(speed)
    pacer.due_ns(start_ns, now_ns)
    resumed_ns = now_ns + round(step_ns / speed) + late_ns
    assert pacer.due_ns(start_ns + step_ns, resumed_ns) == resumed_ns
    for media_ns in _times(start_ns + step_ns, rest)[1:]:
        due_ns = resumed_ns + round((media_ns - start_ns - step_ns) / speed)
        assert pacer.due_ns(media_ns, due_ns) == due_ns


@given(clocks, clocks, steps, speeds, st.lists(st.integers(0, NS), min_size=41, max_size=41))
def test_a_file_is_slowed_but_never_skipped_or_rushed(
    start_ns: int, now_ns: int, intervals: list[int], speed: float, stalls: list[int]
) -> None:
    media = _times(start_ns, intervals)
    shown = _play(Pacer(speed), media, stalls[: len(media)], now_ns)
    assert shown == sorted(shown)
    for (media_a, shown_a), (media_b, shown_b) in pairwise(zip(media, shown, strict=True)):
        # What a short stall delayed may be caught up with, by no more than the patience.
        assert shown_b - shown_a >= (media_b - media_a) / speed - PATIENCE_NS - 1


def test_the_original_pace_is_the_default() -> None:
    pacer = Pacer()
    assert (pacer.due_ns(0, 0), pacer.due_ns(NS, 0)) == (0, NS)


@given(clocks, clocks, st.integers(0, 10 * NS))
def test_the_patience_is_an_argument(media_ns: int, now_ns: int, patience_ns: int) -> None:
    for late_ns, moved in ((patience_ns, False), (patience_ns + 1, True)):
        pacer = Pacer(1.0, patience_ns)
        pacer.due_ns(media_ns, now_ns)
        due_ns = pacer.due_ns(media_ns + NS, now_ns + NS + late_ns)
        assert due_ns == now_ns + NS + (late_ns if moved else 0)


@given(st.lists(st.tuples(clocks, clocks)))
def test_at_speed_0_everything_is_due_at_once(calls: list[tuple[int, int]]) -> None:
    pacer = Pacer(0)
    for media_ns, now_ns in calls:
        assert pacer.due_ns(media_ns, now_ns) == now_ns


@pytest.mark.parametrize("speed", [-0.001, 1000.1, float("nan"), float("inf")])
def test_impossible_speeds(speed: float) -> None:
    with pytest.raises(UsageError, match="speed"):
        Pacer(speed)


# -- Thinner ------------------------------------------------------------------------------------


def _kept(fps: float | None, media: list[int]) -> list[int]:
    thinner = Thinner(fps)
    return [media_ns for media_ns in media if thinner.keep(media_ns)]


def _steady(fps: float, seconds: int) -> list[int]:
    return [round(number * NS / fps) for number in range(round(fps * seconds))]


@given(st.lists(clocks).map(sorted))
def test_without_a_rate_everything_passes(media: list[int]) -> None:
    assert _kept(None, media) == media


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [(25, 10, 10), (30, 10, 10), (60, 30, 30), (50, 25, 25), (30, 7, 7), (30, 29, 29), (24, 1, 1)],
)
def test_a_steady_stream_is_thinned_to_the_rate(have: float, want: float, expected: int) -> None:
    kept = _kept(want, _steady(have, 60))
    assert abs(len(kept) - 60 * expected) <= 1
    # Evenly: each is the first that is on time, at most one frame of the stream late.
    longest = max(b - a for a, b in pairwise(kept))
    assert longest <= NS / want + NS / have


def test_25_to_10_takes_turns_of_three_and_two() -> None:
    assert [at // MS for at in _kept(10, _steady(25, 1))] == [
        0, 120, 200, 320, 400, 520, 600, 720, 800, 920,
    ]  # fmt: skip


@pytest.mark.parametrize("fps", [10, 25, 30, 59.94])
def test_a_stream_of_the_rate_itself_passes_whole(fps: float) -> None:
    media = _steady(fps, 60)
    assert _kept(fps, media) == media


@given(st.randoms(use_true_random=False))
def test_30_at_30_passes_whole_though_the_camera_wanders(random: Random) -> None:
    media = [at + random.randint(-2 * MS, 2 * MS) for at in _steady(30, 10)]
    assert _kept(30, media) == media


@given(steps, st.floats(0.5, 100))
def test_never_more_than_the_rate(intervals: list[int], fps: float) -> None:
    kept = _kept(fps, _times(0, intervals))
    period_ns = round(NS / fps)
    for first, start_ns in enumerate(kept):
        for last, end_ns in enumerate(kept[first + 1 :], first + 1):
            # One frame may be made up for after a pause.
            assert end_ns - start_ns >= (last - first - 1) * period_ns - period_ns // 8


@given(steps, st.floats(0.5, 100))
def test_nothing_is_withheld_for_longer_than_a_period(intervals: list[int], fps: float) -> None:
    media = _times(0, intervals)
    kept = set(_kept(fps, media))
    last_ns = media[0]
    assert last_ns in kept
    for media_ns in media:
        if media_ns in kept:
            last_ns = media_ns
        else:
            assert media_ns - last_ns < 2 * NS / fps


def test_a_slow_variable_stream_passes_whole() -> None:
    media = [at * MS for at in (0, 500, 700, 1900, 2000, 5000, 5150)]
    assert _kept(10, media) == media


def test_after_a_pause_the_rate_holds_again() -> None:
    media = _steady(60, 1) + [10 * NS + at for at in _steady(60, 1)]
    assert 10 + 10 <= len(_kept(10, media)) <= 10 + 11


@pytest.mark.parametrize("fps", [0, -1, 1000.1, float("nan")])
def test_impossible_rates(fps: float) -> None:
    with pytest.raises(UsageError, match="frames a second"):
        Thinner(fps)


def test_a_shift_moves_what_follows() -> None:
    pacer = Pacer(2.0)
    assert pacer.due_ns(0, 1000) == 1000
    pacer.shift(500)
    assert pacer.due_ns(200, 1000) == 1600
    pacer.restart()
    assert pacer.due_ns(300, 9000) == 9000
    fresh = Pacer()
    fresh.shift(500)  # nothing to move yet
    assert fresh.due_ns(0, 1000) == 1000


def test_long_gaps_become_short_and_others_stay() -> None:
    skipper = GapSkipper()
    times = [0, 40, 2040, 5000, 5040, 3_600_000, 3_600_040]
    played = [skipper.at(at * MS) // MS for at in times]
    assert played == [0, 40, 2040, 2540, 2580, 3080, 3120]
