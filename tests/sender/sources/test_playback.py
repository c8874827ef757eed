"""Playing at a pace, on clocks that the test turns; and on the real one, only for being woken."""

import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.sender.sources import playback
from framewire.sender.sources.playback import Playback
from framewire.sender.sources.source import Moment, SourceOptions

if TYPE_CHECKING:
    from sender.conftest import Eventually, FakeTime

MS = NS // 1000
DEADLINE_S = 20


def _play(time: "FakeTime", media: list[int], speed: float = 1.0) -> list[Moment]:
    player = Playback(SourceOptions(speed=speed), time.event())
    moments = [player.wait(at) for at in media]
    return [moment for moment in moments if moment is not None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 3 * NS), max_size=20), st.sampled_from([0.5, 1.0, 2.0, 10.0]))
def test_intervals_are_those_of_the_file(
    fake_time: "FakeTime", intervals: list[int], speed: float
) -> None:
    start_ns = fake_time.now_ns
    media = [0]
    for interval in intervals:
        media.append(media[-1] + interval)
    moments = _play(fake_time, media, speed)
    assert [m.monotonic_ns for m in moments] == [start_ns + round(at / speed) for at in media]
    assert {m.wall_ns - m.monotonic_ns for m in moments} == {fake_time.WALL_NS}
    assert fake_time.now_ns == moments[-1].monotonic_ns  # it woke when that was due


def test_no_wait_is_long(fake_time: "FakeTime") -> None:
    _play(fake_time, [0, 10 * NS])
    assert max(fake_time.waited) <= 0.2
    assert sum(fake_time.waited) == pytest.approx(10)


def test_the_moment_is_when_a_frame_was_due_not_when_the_thread_woke(
    fake_time: "FakeTime",
) -> None:
    player = Playback(SourceOptions(), fake_time.event())
    first = player.wait(0)
    assert first is not None
    fake_time.now_ns += 150 * MS  # the program was busy; the frame was due after 40 ms
    second = player.wait(40 * MS)
    assert second == Moment(first.wall_ns + 40 * MS, first.monotonic_ns + 40 * MS)


def test_far_behind_the_schedule_moves(fake_time: "FakeTime") -> None:
    player = Playback(SourceOptions(), fake_time.event())
    player.wait(0)
    fake_time.now_ns += 5 * NS
    now_ns = fake_time.now_ns
    second, third = player.wait(40 * MS), player.wait(80 * MS)
    assert (second, third) == (
        Moment(fake_time.WALL_NS + now_ns, now_ns),
        Moment(fake_time.WALL_NS + now_ns + 40 * MS, now_ns + 40 * MS),
    )


def test_at_speed_0_nothing_waits(fake_time: "FakeTime") -> None:
    moments = _play(fake_time, [0, NS, 100 * NS], speed=0)
    assert [m.monotonic_ns for m in moments] == [fake_time.now_ns] * 3
    assert fake_time.waited == []


def test_thinning() -> None:
    player = Playback(SourceOptions(fps=10), threading.Event())
    assert [at for at in range(0, 300, 40) if player.keep(at * MS)] == [0, 120, 200]
    everything = Playback(SourceOptions(), threading.Event())
    assert all(everything.keep(at) for at in range(100))


def test_the_real_clocks() -> None:
    before = Moment(wall_ns(), monotonic_ns())
    moment = Playback(SourceOptions(), threading.Event()).wait(0)
    assert moment is not None
    assert before.wall_ns <= moment.wall_ns <= wall_ns()
    assert before.monotonic_ns <= moment.monotonic_ns <= monotonic_ns()


def test_a_closed_source_shows_nothing() -> None:
    stop = threading.Event()
    stop.set()
    assert Playback(SourceOptions(speed=0), stop).wait(0) is None


def test_closing_wakes_a_wait(
    threads: ThreadPoolExecutor, eventually: "Eventually", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback, "_STEP_S", 3600)
    waiting = threading.Event()

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waiting.set()
            return super().wait(timeout)

    stop = Stop()
    player = Playback(SourceOptions(), stop)
    player.wait(0)
    frame = threads.submit(player.wait, 3600 * NS)
    assert waiting.wait(DEADLINE_S)
    assert not frame.done()
    stop.set()
    assert frame.result(DEADLINE_S) is None


def test_an_hour_of_irregular_frames_does_not_drift(
    fake_time: "FakeTime", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads wake up late and programs are busy; no lateness is passed on to the next frame."""
    jitter = Random(1)
    stop = fake_time.event()
    on_time = stop.wait

    def late(timeout: float | None = None) -> bool:
        stopped = on_time(timeout)
        fake_time.now_ns += jitter.randrange(15 * MS)
        return stopped

    monkeypatch.setattr(stop, "wait", late)
    player = Playback(SourceOptions(), stop)
    began_ns, at_ns, worst_ns = fake_time.now_ns, 0, 0
    while at_ns < 3600 * NS:
        moment = player.wait(at_ns)
        assert moment is not None
        assert moment.monotonic_ns == began_ns + at_ns
        worst_ns = max(worst_ns, fake_time.now_ns - moment.monotonic_ns)
        fake_time.now_ns += jitter.randrange(10 * MS)  # the program's own work
        at_ns += jitter.randrange(20 * MS, 200 * MS)
    assert worst_ns < 25 * MS
