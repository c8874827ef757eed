"""Pausing and stepping a replay, on clocks that the test turns."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from framewire.common.clock import NS
from framewire.sender.sources.playback import Playback
from framewire.sender.sources.remote import Remote, Wish
from framewire.sender.sources.source import SourceOptions

if TYPE_CHECKING:
    from sender.conftest import FakeTime

MS = NS // 1000


class Scripted(Remote):
    """While it is asked for a wish, time passes; then the next line of the script is done."""

    def __init__(self, time: "FakeTime", *script: Callable[["Scripted"], None]) -> None:
        super().__init__()
        self._time, self._script = time, list(script)

    def wish(self, timeout_s: float) -> Wish | None:
        self._time.now_ns += 150 * MS
        self._script.pop(0)(self)
        return super().wish(0)


def nothing(remote: Remote) -> None:
    """Wait on."""


def resume(remote: Remote) -> None:
    remote.toggle()


def step(remote: Remote) -> None:
    remote.ask("step")


def back(remote: Remote) -> None:
    remote.ask("back")


def test_toggle_and_wishes() -> None:
    remote = Remote()
    assert not remote.paused
    remote.toggle()
    assert remote.paused
    remote.toggle()
    assert not remote.paused
    remote.ask("step")
    remote.ask("back")
    assert remote.paused
    assert [remote.wish(0), remote.wish(0), remote.wish(0)] == ["step", "back", None]
    remote.ask("step")
    remote.toggle()  # whoever goes on has no wishes left
    assert (remote.paused, remote.wish(0)) == (False, None)


def test_a_wish_wakes_who_waits(threads: ThreadPoolExecutor) -> None:
    remote = Remote()
    remote.toggle()
    waiting = threads.submit(remote.wish, 20)
    remote.ask("step")
    assert waiting.result(10) == "step"
    waiting = threads.submit(remote.wish, 20)
    remote.toggle()
    assert waiting.result(10) is None


@pytest.mark.parametrize("held", [1, 20])
def test_a_pause_moves_the_schedule(fake_time: "FakeTime", held: int) -> None:
    """However long it was: the rest keeps its intervals."""
    remote = Scripted(fake_time, *[nothing] * (held - 1), resume)
    player = Playback(SourceOptions(), fake_time.event(), remote)
    began_ns = fake_time.now_ns
    player.wait(0)
    remote.toggle()
    moments = [player.wait(at * MS) for at in (40, 80)]
    paused = held * 150
    assert [m and (m.monotonic_ns - began_ns) // MS for m in moments] == [40 + paused, 80 + paused]


def test_steps_show_the_next_frame_at_once(fake_time: "FakeTime") -> None:
    remote = Scripted(fake_time, step, nothing, step, resume)
    player = Playback(SourceOptions(), fake_time.event(), remote)
    began_ns = fake_time.now_ns
    player.wait(0)
    remote.toggle()
    moments = [player.wait(at * MS) for at in (1000, 2000, 3000, 3040)]
    at_ms = [m and (m.monotonic_ns - began_ns) // MS for m in moments]
    # A step after 150, one after 150 + 300, on after 150 more: 3000 is due a second after 2000 was.
    assert at_ms == [150, 450, 450 + 150 + 1000, 450 + 150 + 1040]
    assert all(m and m.wall_ns - m.monotonic_ns == fake_time.WALL_NS for m in moments)


def test_back_ends_the_wait_and_shows_the_next_at_once(fake_time: "FakeTime") -> None:
    remote = Scripted(fake_time, back, resume)
    player = Playback(SourceOptions(), fake_time.event(), remote)
    began_ns = fake_time.now_ns
    player.wait(0)
    remote.toggle()
    assert player.wait(5000 * MS) is None
    shown, then = player.wait(4000 * MS), player.wait(5000 * MS)
    assert shown
    assert then
    assert (shown.monotonic_ns - began_ns) // MS == 150
    assert (then.monotonic_ns - began_ns) // MS == 150 + 150 + 1000


def test_closing_ends_a_pause(fake_time: "FakeTime") -> None:
    stop = fake_time.event()
    remote = Scripted(fake_time, nothing, lambda _: stop.set())
    remote.toggle()
    assert Playback(SourceOptions(), stop, remote).wait(0) is None


def test_at_speed_0_it_pauses_and_steps_too(fake_time: "FakeTime") -> None:
    remote = Scripted(fake_time, step, resume)
    player = Playback(SourceOptions(speed=0), fake_time.event(), remote)
    player.wait(0)
    remote.toggle()
    moments = [player.wait(at * MS) for at in (40, 80)]
    assert [m and m.monotonic_ns // MS for m in moments] == [5150, 5300]
