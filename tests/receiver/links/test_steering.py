"""Credits, timing and quality: arithmetic on a clock of the test's own, and goals in simulation.

The simulated link carries half of what the camera makes at the sender's own quality, as in
benchmarks/slow_link.py: 115 kB frames, 30 a second, through 13.8 Mbit/s.
"""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.clock import NS
from framewire.common.errors import UsageError
from framewire.common.level import Level
from framewire.receiver.links.steering import Steering
from receiver.links.simulated_link import (
    ENCODE_S,
    Content,
    Link,
    Run,
    Simulation,
    alternating,
    constant,
    cuts,
    drift,
    header,
    noisy,
)
from receiver.publishing import packet

MS = 1_000_000
RATE = 13.774e6 / 8
FULL = 0.964
"""Share of a full link that is payload."""


def simulate(seconds: float = 16, link: Link | None = None, **options: Any) -> Run:
    """A run with `quality="auto"`."""
    steering = options.pop("steering", None) or Steering(quality="auto")
    return Simulation(steering, link or Link(), **options)(seconds)


# -- arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"quality": 0},
        {"quality": 101},
        {"quality": "best"},
        {"scale": 0.0},
        {"scale": 1 / 17},
        {"scale": 1.5},
        {"scale": math.nan},
        {"credits": 0},
        {"credits": 9},
    ],
)
def test_impossible_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Steering(**wrong)


def test_what_is_fixed_is_asked_for_as_it_is() -> None:
    assert Steering().level == Level()
    assert Steering(quality=40, scale=0.5).level == Level(40, 0.5)
    assert Steering(quality="auto", scale=0.25).level == Level(None, 0.25)
    steering = Steering(quality=70, credits=3)
    run = simulate(5, steering=steering)
    assert {answer.level for answer in run.answers} == {Level(70)}
    assert run.most_outstanding == steering.credits == 3


# -- credits and timing ------------------------------------------------------------------------------


@pytest.mark.parametrize(("round_trip_ms", "expected"), [(0.3, 1), (5, 2), (40, 2), (150, 4)])
def test_credits_follow_the_round_trip(round_trip_ms: float, expected: int) -> None:
    steering = Steering()
    run = simulate(25, Link(round_trip_s=round_trip_ms / 1e3), steering=steering)
    assert steering.credits == expected
    assert steering.round_trip_ms == pytest.approx(round_trip_ms, abs=1)
    assert steering.bytes_per_s == pytest.approx(FULL * RATE, rel=0.02)
    assert run.most_outstanding <= 8


def test_on_a_saturated_link_a_request_comes_shortly_before_it_is_needed() -> None:
    steering = Steering()
    steering.answered(asked_ns=0, now_ns=40 * MS, waited_ns=0, size=0, header=None)
    now_ns = 40 * MS
    for i in range(20):  # 98 ms each, ten captured a second: always one on its way
        asked_ns, now_ns = now_ns, now_ns + 100 * MS
        steering.answered(
            asked_ns=asked_ns - 40 * MS,
            now_ns=now_ns,
            waited_ns=2 * MS,
            size=100_000,
            header=header(i, i / 10),
        )
    assert steering.credits == 2
    ready_ns = steering.ready_ns(1, now_ns)
    assert ready_ns is not None
    assert ready_ns - now_ns == pytest.approx((0.7 * 98 - 3 - 40) * MS, abs=MS)
    assert steering.ready_ns(0, now_ns) == now_ns
    assert steering.ready_ns(2, now_ns) is None
    assert steering.ready_ns(1, now_ns + NS) == now_ns + NS


@pytest.mark.parametrize(
    ("round_trip_s", "content", "most_ms"),
    [
        (0.0003, constant, 140),
        (0.0003, alternating, 140),
        (0.04, constant, 200),
        (0.04, noisy, 200),
        (0.04, alternating, 200),
    ],
)
def test_the_newest_frame_at_the_sender_s_own_quality(
    round_trip_s: float, content: Content, most_ms: float
) -> None:
    run = simulate(12, Link(round_trip_s=round_trip_s), steering=Steering(), content=content)
    assert run.age(0.95, 2) <= most_ms
    assert run.use(2) >= 0.95


def test_a_fast_link_brings_every_frame() -> None:
    for round_trip_s in (0.0003, 0.005, 0.04, 0.15):
        run = simulate(5, Link(rates=((0, 125e6),), round_trip_s=round_trip_s), steering=Steering())
        assert run.fps(1) == pytest.approx(30, abs=0.3)
        assert run.age(0.95, 1) < (ENCODE_S + 0.006) * 1e3 + round_trip_s * 500


# -- quality -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "p50_ms", "p95_ms", "use", "wobble"),
    [
        (constant, 25, 30, 0.95, 4),
        (noisy, 25, 35, 0.94, 5),
        (cuts, 25, 30, 0.95, 30),
        (drift, 25, 30, 0.94, 30),
        # Nothing tells the next size: reached are 31 and 51 ms at 92.0 % and 30.0 fps.
        (alternating, 35, 60, 0.91, 15),
    ],
)
def test_half_the_rate_carries_the_full_frame_rate(
    content: Content, p50_ms: float, p95_ms: float, use: float, wobble: float
) -> None:
    run = simulate(content=content)
    assert run.fps(3) >= 29.5
    assert run.age(0.5, 3) <= p50_ms
    assert run.age(0.95, 3) <= p95_ms
    assert run.use(3) >= use
    assert run.wobble(3) <= wobble


def test_it_does_not_get_worse() -> None:
    run = simulate(60, content=noisy)
    assert run.age(1, 10) < 45
    assert run.age(0.5, 50) <= 25
    assert run.use(50) >= 0.94


def test_the_first_two_seconds() -> None:
    run = simulate(3, content=noisy)
    assert run.age(1, 0) < 130
    assert run.age(0.95, 1) < 40


@pytest.mark.parametrize("round_trip_s", [0.005, 0.04, 0.15])
@pytest.mark.parametrize("burst", [0, 8_000, 32_768, 100_000])
def test_other_bursts_and_round_trips(burst: float, round_trip_s: float) -> None:
    link = Link(burst=burst, round_trip_s=round_trip_s)
    run = simulate(12, link, content=noisy)
    assert run.fps(4) >= 29
    assert run.use(4) >= 0.93
    # A full link without a burst takes the whole interval for a frame.
    assert run.age(0.95, 4) < round_trip_s * 500 + 75


@pytest.mark.parametrize("burst", [0, 32_768])
@pytest.mark.parametrize("round_trip_s", [0.0003, 0.04])
@pytest.mark.parametrize("content", [constant, noisy])
def test_a_link_that_changes(burst: float, round_trip_s: float, content: Content) -> None:
    rates = ((0, 1.6 * RATE), (8, 0.8 * RATE), (16, 1.6 * RATE), (60, 0.8 * RATE))
    link = Link(rates=rates, burst=burst, round_trip_s=round_trip_s)
    run = simulate(64, link, content=content)
    for halved_s in (8, 60):
        assert run.age(1, halved_s, halved_s + 1) < 300
        assert run.age(0.95, halved_s + 1, halved_s + 4) < round_trip_s * 500 + 60
    before, after = run.qualities(5, 8), run.qualities(36, 60)
    assert sum(after) / len(after) == pytest.approx(sum(before) / len(before), abs=3)
    assert run.use(36, 60) >= 0.93


def test_a_much_better_link_gets_the_sender_s_own_quality_for_good() -> None:
    run = simulate(40, Link(rates=((0, RATE), (5, 20 * RATE))), content=noisy)
    assert {answer.level for answer in run.part(30)} == {Level()}


@pytest.mark.parametrize("jitter_s", [0.0002, 0.005, 0.010])
def test_a_fast_link_is_left_alone(jitter_s: float) -> None:
    for round_trip_s in (0.0003, 0.04):
        link = Link(rates=((0, 125e6),), round_trip_s=round_trip_s, jitter_s=jitter_s)
        run = simulate(20, link, content=alternating)
        assert {answer.level for answer in run.answers} == {Level()}


@pytest.mark.parametrize("round_trip_s", [0.0003, 0.04])
def test_jitter_is_no_lack_of_rate(round_trip_s: float) -> None:
    """Less quality would not cure it: what costs nothing must not be given up."""
    link = Link(round_trip_s=round_trip_s, jitter_s=0.010)
    run = simulate(30, link, content=noisy)
    assert run.use(10) > 0.85
    assert run.age(0.95, 10) < 110 + round_trip_s * 500
    assert all(answer.level.scale is None for answer in run.part(10))


@pytest.mark.parametrize(("share", "scale"), [(0.5, 0.5), (0.25, 0.5), (0.12, 0.25)])
def test_a_thin_link_gets_a_smaller_picture(share: float, scale: float) -> None:
    run = simulate(15, Link(rates=((0, share * RATE),)), content=noisy)
    assert {answer.level.scale for answer in run.part(6)} == {scale}
    assert run.fps(6) >= 29.5
    assert run.use(6) >= 0.94
    assert run.age(0.95, 6) < 45


def test_a_larger_picture_comes_back() -> None:
    run = simulate(40, Link(rates=((0, RATE / 3), (10, RATE))), content=noisy)
    assert {answer.level.scale for answer in run.part(6, 10)} == {0.5}
    assert {answer.level.scale for answer in run.part(30)} == {None}
    assert run.use(30) >= 0.93


def test_a_sender_that_does_not_tell_its_quality() -> None:
    run = simulate(content=noisy, own_quality_told=False)
    assert run.age(0.95, 3) < 35
    assert run.use(3) >= 0.94


@pytest.mark.parametrize("topics", [2, 4])
@pytest.mark.parametrize("round_trip_s", [0.0003, 0.04])
def test_several_cameras_share_the_link(topics: int, round_trip_s: float) -> None:
    link = Link(round_trip_s=round_trip_s)
    run = simulate(12, link, content=noisy, topics=topics, full_size=115_000 / topics)
    assert run.fps(4) >= 29.5 * topics
    assert run.use(4) >= 0.94
    assert run.age(0.95, 4) < 35 + round_trip_s * 500
    assert run.wobble(4) < 6


@pytest.mark.parametrize(("fps", "p95_ms"), [(10, 150), (60, 30)])
def test_other_frame_rates(fps: float, p95_ms: float) -> None:
    run = simulate(15, Link(burst=0), content=noisy, fps=fps, full_size=115_000 * 30 / fps)
    assert run.fps(5) >= 0.98 * fps
    assert run.use(5) >= 0.93
    assert run.age(0.95, 5) < p95_ms


def test_a_camera_that_falls_silent_leaves_no_trace() -> None:
    run = simulate(16, content=noisy, silent=(6.0, 10.0))
    assert run.statuses >= 4
    assert run.age(0.95, 10.5) < 35
    assert run.use(10.5) >= 0.94


def test_a_lost_connection_keeps_the_level() -> None:
    steering = Steering(quality="auto")
    run = simulate(14, steering=steering, content=noisy, lost_at_s=8.0)
    assert max(run.qualities(7, 9)) < 65
    assert run.age(0.95, 9) < 40
    assert run.use(9) >= 0.93
    before = steering.level
    steering.reset()
    assert steering.level == before != Level()


def test_clocks_that_run_apart_do_not_matter() -> None:
    run = simulate(20, content=noisy, clock_drift=-1e-3)  # twenty times what clocks do
    assert run.age(0.05, 15) > 15
    assert run.use(15) >= 0.94


def test_the_same_run_twice_is_the_same() -> None:
    one, other = (simulate(6, content=alternating).answers for _ in range(2))
    assert one == other


EXTREMES = (0, 1, 1000, 10**6, 10**9, 10**12, 10**15, 10**18, 2**63 - 1)


@given(st.randoms(use_true_random=False))
def test_no_answer_whatever_it_claims_makes_it_stop_asking(chance: random.Random) -> None:
    """Clocks, waits and encoding times are what a peer says."""
    steering = Steering(quality="auto")
    now_ns, asked = 10**15, [10**15]
    for _ in range(30):
        now_ns += chance.choice((0, 1, 1000, 10**6, 3 * 10**7, 10**9))
        said = packet(
            chance.choice(EXTREMES),
            chance.choice("ab"),
            sender=chance.choice("xy"),
            captured_ns=chance.choice(EXTREMES),
            monotonic_ns=chance.choice(EXTREMES),
            sent_ns=chance.choice(EXTREMES),
            encode_us=chance.choice(EXTREMES),
            width=chance.choice((1, 65535)),
            quality=chance.randrange(101),
            payload=b"",
        ).header
        if asked:
            steering.answered(
                asked_ns=asked.pop(0),
                now_ns=now_ns,
                waited_ns=chance.choice(EXTREMES) * 1000,
                size=chance.choice((0, 1, 1000, 64 << 20)),
                header=chance.choice((said, None)),
            )
        level = steering.level
        assert level.quality is None or 1 <= level.quality <= 100
        assert level.scale is None or 1 / 16 <= level.scale <= 1
        assert 1 <= steering.credits <= 8
        due_ns = steering.ready_ns(len(asked), now_ns)
        assert due_ns is None if len(asked) >= steering.credits else due_ns is not None
        if due_ns is not None:
            assert due_ns - now_ns < 10 * NS
            asked.append(now_ns)
