"""What is known of the path to a sender."""

import math
import random
from collections.abc import Iterable

import pytest

from framewire.common.clock import NS
from framewire.receiver.links.path import Cadence, LinkModel, RoundTrip
from framewire.receiver.links.steering import Steering
from receiver.links.simulated_link import header

MS = 1_000_000
INTERVAL_S = 1 / 30
RATE = 1_660_000.0


def test_nothing_is_known_at_first() -> None:
    steering = Steering()
    assert math.isnan(steering.round_trip_ms)
    assert math.isnan(steering.bytes_per_s)
    assert steering.credits == 1
    assert steering.ready_ns(0, 5 * MS) == 5 * MS
    assert steering.ready_ns(1, 5 * MS) is None


def test_the_ping_tells_the_round_trip_without_the_waiting() -> None:
    steering = Steering()
    steering.answered(asked_ns=MS, now_ns=51 * MS, waited_ns=10 * MS, size=0, header=None)
    assert steering.round_trip_ms == 40
    assert steering.credits == 2
    steering.reset()
    assert math.isnan(steering.round_trip_ms)


def test_a_shorter_path_is_believed_at_once_a_longer_one_after_a_period() -> None:
    trip = RoundTrip()
    trip.frame(5 * MS, 5 * MS, 0)
    assert not trip.known
    trip.status(20 * MS, 0)
    trip.frame(15 * MS, None, MS)
    assert trip.ns == 15 * MS
    for second in range(10):
        trip.frame(50 * MS, 20 * MS, second * NS)
    for i in range(105, 205):
        trip.frame(50 * MS, (40 + i % 3) * MS, i * 100 * MS)
        assert trip.ns == 20 * MS
    trip.frame(50 * MS, 41 * MS, 21 * NS)
    assert trip.ns == 40 * MS


def test_a_single_slow_answer_is_no_longer_path() -> None:
    trip = RoundTrip()
    trip.status(MS, 0)
    trip.frame(500 * MS, 400 * MS, 11 * NS)
    assert trip.ns == MS


def test_the_interval_is_that_of_the_captures_over_all_topics() -> None:
    cadence = Cadence()
    for i in range(0, 20, 2):  # every other frame comes
        cadence.frame(header(i, i / 30), i * 33 * MS, fresh=True)
    assert cadence.interval_s == pytest.approx(1 / 30)
    for i in range(10):
        cadence.frame(header(i, i / 15, topic="b"), (660 + i) * MS, fresh=True)
    assert cadence.topics == 2
    assert cadence.interval_s == pytest.approx(1 / 45)
    cadence.frame(header(10, 10 / 15, topic="b"), 5 * NS, fresh=True)
    assert cadence.topics == 1


def test_without_a_monotonic_clock_the_wall_clock_serves_and_history_does_not() -> None:
    for replay, expected in ((False, 0.1), (True, 0.05)):
        cadence = Cadence()
        for i in range(5):
            frame = header(i, i * 0.1, monotonic_ns=0, replay=replay)
            cadence.frame(frame, i * 50 * MS, fresh=True)
        assert cadence.interval_s == pytest.approx(expected)


def test_a_frame_is_as_late_as_its_hand_over_slipped() -> None:
    cadence = Cadence()
    cadence.frame(header(0, 0.0), 0, fresh=True)
    assert cadence.frame(header(1, 0.1), 100 * MS, fresh=True) == 0
    assert cadence.frame(header(2, 0.2), 230 * MS, fresh=False) == pytest.approx(0.03)
    assert cadence.frame(header(3, 0.3), 350 * MS, fresh=False) == pytest.approx(0.05)
    assert cadence.frame(header(4, 0.4), 900 * MS, fresh=False) == pytest.approx(0.1)
    assert cadence.frame(header(5, 0.5), 950 * MS, fresh=True) == 0
    cadence.interrupted()
    assert cadence.frame(header(6, 0.6), 9 * NS, fresh=False) == 0


def test_a_sender_that_starts_anew_begins_anew() -> None:
    cadence = Cadence()
    cadence.frame(header(50, 50.0), 0, fresh=True)
    assert cadence.frame(header(0, 0.0, sender="t"), 100 * MS, fresh=False) == 0
    assert math.isnan(cadence.interval_s)


def through(depth_s: float, sizes: Iterable[int], rate: float = RATE) -> LinkModel:
    """What a model learns of a link from frames handed over one in `INTERVAL_S`, each in time."""
    model, transfer_s = LinkModel(), 0.0
    for size in sizes:
        idle_s = max(0.0, INTERVAL_S - transfer_s)
        transfer_s = max(0.0, size / rate - min(depth_s, idle_s))
        model.learn(size, transfer_s, idle_s)
    return model


def varied(share: float, count: int = 150) -> list[int]:
    rng = random.Random(1)
    return [int(RATE * INTERVAL_S * share * rng.uniform(0.9, 1.1)) for _ in range(count)]


def test_nothing_is_known_of_a_link_before_the_first_frame() -> None:
    model = LinkModel()
    assert math.isnan(model.bytes_per_s)
    assert model.depth_s == 0
    assert model.scatter == 0


@pytest.mark.parametrize("depth_s", [0.0, 0.006, 0.018, 0.024])
def test_rate_and_depth_are_told_apart(depth_s: float) -> None:
    model = through(depth_s, varied(0.95))
    assert model.bytes_per_s == pytest.approx(RATE, rel=0.01)
    assert model.depth_s == pytest.approx(depth_s, abs=0.0021)


def test_frames_that_are_all_alike_do_not_tell_rate_from_depth() -> None:
    model = through(0.010, [int(RATE * INTERVAL_S * 0.95)] * 100)
    assert model.depth_s == 0


def test_an_error_of_the_round_trip_goes_into_the_depth() -> None:
    model = LinkModel()
    for size in varied(0.8):
        model.learn(size, size / RATE - 0.006, 0.020)  # 6 ms less than it took
    assert model.bytes_per_s == pytest.approx(RATE, rel=0.01)
    assert model.depth_s == pytest.approx(0.006, abs=0.0021)


def test_what_passes_at_once_is_only_a_bound_for_the_rate() -> None:
    model = LinkModel()
    model.learn(100_000, 0.0, 0.0)
    assert math.isnan(model.bytes_per_s)
    model.learn(50_000, 0.050, 0.0)
    assert model.bytes_per_s == pytest.approx(1e6)
    model.learn(10_000, 0.0, 0.033)  # 0.3 MB/s: nothing new
    assert model.bytes_per_s == pytest.approx(1e6)
    for _ in range(20):
        model.learn(100_000, 0.0, 0.050)  # 2 MB/s
    assert model.bytes_per_s == pytest.approx(2e6, rel=0.05)


def test_another_link_is_noticed_after_a_few_frames() -> None:
    model = through(0.0, varied(0.9))
    for _ in range(8):
        model.learn(50_000, 50_000 / (RATE / 2), 0.002)
    assert model.bytes_per_s == pytest.approx(RATE / 2, rel=0.1)


def test_a_hiccup_is_neither_believed_nor_cured() -> None:
    model = through(0.0, varied(0.5))
    before = model.bytes_per_s
    model.learn(27_000, 0.080, 0.010)
    assert model.bytes_per_s == before
    assert model.hiccup_s == pytest.approx(0.080 - 27_000 / RATE, abs=0.001)
    model.learn(27_000, 0.080, 0.010)
    assert model.hiccup_s == pytest.approx(0.0, abs=1e-6)


def test_a_full_link_without_depth_needs_all_the_time_and_scatter_needs_slack() -> None:
    assert through(0.0, varied(0.95)).delay_s(INTERVAL_S) > 0.85 * INTERVAL_S
    deep = through(0.024, varied(0.95))
    assert deep.delay_s(INTERVAL_S) < 0.4 * INTERVAL_S
    assert deep.scatter < 0.01
    rng = random.Random(1)
    for size in varied(0.8):
        deep.learn(size, size / RATE + rng.uniform(0.0, 0.010), 0.0)
    assert deep.scatter > 0.05
