"""What cameras and streams share, with a device that does what the test says, and no waiting."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.errors import SourceError, UsageError
from framewire.common.frame import Frame, Image, Packet, State
from framewire.common.jpeg import encode
from framewire.common.testchart import read_number
from framewire.sender.sequence import Sequence
from framewire.sender.sources import live, patience
from framewire.sender.sources.capture import Here, Shot
from framewire.sender.sources.grabber import Traits
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.source import SourceOptions

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually, FakeTime

MS = NS // 1000
DEADLINE_S = 20
Picture = Image | bytes
Item = Picture | BaseException | None


class FakeGrabber:
    """Gives the pictures that the test puts in; None: the stream breaks; an error: raised."""

    def __init__(self, *, encoded: bool = False) -> None:
        self.encoded, self.alone = encoded, True
        self.fate: list[Exception | None] = []
        """What the next openings do; afterwards they succeed."""
        self.opened = self.released = self.asked = 0
        self.threads: dict[str, set[int]] = {"open": set(), "grab": set(), "release": set()}
        self._pictures: queue.Queue[Item] = queue.Queue()
        self._before: list[Callable[[], None]] = []

    def give(self, *items: Item) -> None:
        for item in items:
            self._pictures.put(item)

    def before_grab(self, call: Callable[[], None]) -> None:
        self._before.append(call)

    def open(self) -> Traits:
        self.opened += 1
        self.threads["open"].add(threading.get_ident())
        error = self.fate.pop(0) if self.fate else None
        if error is not None:
            raise error
        return Traits(encoded=self.encoded, alone=self.alone)

    def grab(self, into: Image | None) -> Picture | None:
        self.asked += 1
        self.threads["grab"].add(threading.get_ident())
        for call in self._before:
            call()
        item = self._pictures.get(timeout=DEADLINE_S)
        if isinstance(item, BaseException):
            raise item
        return item

    def release(self) -> None:
        self.released += 1
        self.threads["release"].add(threading.get_ident())


@pytest.fixture
def grabber() -> FakeGrabber:
    return FakeGrabber()


@pytest.fixture
def jpegs(chart: "Chart") -> list[bytes]:
    return [encode(chart(number), 75) for number in range(6)]


@pytest.fixture
def open_live() -> Iterator[Callable[..., LiveSource]]:
    """Sources whose grabbers are let go before they are closed."""
    made: list[tuple[LiveSource, FakeGrabber]] = []

    def make(grabber: FakeGrabber, **options: float) -> LiveSource:
        source = LiveSource("cam", SourceOptions(**options), Here(grabber))  # type: ignore[arg-type]
        made.append((source, grabber))
        return source

    yield make
    for source, grabber in made:
        source._stop.set()
        grabber.give(None)
        source.close()


# -- pictures -----------------------------------------------------------------------------------


def test_opening_fails_in_the_callers_face(grabber: FakeGrabber) -> None:
    grabber.fate = [SourceError("in use")]
    with pytest.raises(SourceError, match="in use"):
        LiveSource("cam", SourceOptions(), Here(grabber))
    assert grabber.asked == 0


def test_what_it_takes(grabber: FakeGrabber) -> None:
    with pytest.raises(UsageError, match="loop, speed"):
        LiveSource("cam", SourceOptions(loop=True, speed=2), Here(grabber))
    assert grabber.opened == 0


def test_pixels(open_live: Callable[..., LiveSource], grabber: FakeGrabber, chart: "Chart") -> None:
    source = open_live(grabber)
    assert (source.name, source.live, source.encoded) == ("cam", True, False)
    frames = iter(source)
    before = wall_ns(), monotonic_ns()
    for number in range(3):
        grabber.give(chart(number))
        frame = next(frames)
        assert read_number(frame.image) == number
        assert (frame.topic, frame.sequence, frame.header.dropped) == ("cam", number, 0)
        assert (frame.header.codec, frame.header.width) == ("raw", 160)
        assert before[0] <= frame.header.captured_ns <= wall_ns()
        assert before[1] <= frame.header.monotonic_ns <= monotonic_ns()
    with pytest.raises(UsageError, match="cam does not give JPEG"):
        next(source.packets())


def test_jpeg_passes_through(
    open_live: Callable[..., LiveSource], jpegs: list[bytes], eventually: "Eventually"
) -> None:
    grabber = FakeGrabber(encoded=True)
    source = open_live(grabber)
    assert source.encoded
    packets = source.packets()
    for number, padding in enumerate((b"", bytes(500))):
        grabber.give(jpegs[number] + padding)
        packet = next(packets)
        assert packet.payload == jpegs[number]
        assert (packet.topic, packet.sequence) == ("cam", number)
        assert (packet.header.codec, packet.header.width) == ("jpeg", 160)


def test_jpeg_gives_frames_too(open_live: Callable[..., LiveSource], jpegs: list[bytes]) -> None:
    grabber = FakeGrabber(encoded=True)
    frames = iter(open_live(grabber))
    for number in range(2):
        grabber.give(jpegs[number])
        frame = next(frames)
        assert (read_number(frame.image), frame.sequence) == (number, number)
        assert frame.image.flags.writeable


@pytest.mark.parametrize("as_packets", [False, True])
def test_each_damaged_jpeg_is_one_dropped(
    open_live: Callable[..., LiveSource],
    jpegs: list[bytes],
    threads: ThreadPoolExecutor,
    eventually: "Eventually",
    as_packets: bool,
) -> None:
    grabber = FakeGrabber(encoded=True)
    source = open_live(grabber)
    taken: Iterator[Frame | Packet] = source.packets() if as_packets else iter(source)
    future = threads.submit(next, taken)
    for number in range(3):
        grabber.give(jpegs[0][:200])
        eventually(lambda number=number: source._captured == number + 1)  # type: ignore[misc]
    grabber.give(jpegs[3])
    good = future.result(DEADLINE_S)
    assert (good.sequence, good.header.dropped) == (3, 3)


# -- newest -------------------------------------------------------------------------------------


def test_the_newest_picture_wins_and_the_others_are_counted(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    eventually: "Eventually",
) -> None:
    source = open_live(grabber)
    grabber.give(*map(chart, range(5)))
    eventually(lambda: grabber.asked == 6, "all five taken over")
    frames = iter(source)
    first = next(frames)
    assert (read_number(first.image), first.sequence) == (4, 4)
    grabber.give(chart(5))
    second = next(frames)
    assert (read_number(second.image), second.sequence, second.header.dropped) == (5, 5, 4)
    # And a sender that is given both leaves as many holes as pictures were dropped.
    numbers = Sequence()
    for frame in (first, second):
        last = numbers.take(frame.header.dropped)
    assert (last, numbers.dropped) == (5, 4)


def test_a_picture_tells_of_the_one_that_it_replaced(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    eventually: "Eventually",
) -> None:
    source = open_live(grabber)
    grabber.give(*map(chart, range(5)))
    eventually(lambda: grabber.asked == 6, "all five taken over")
    assert next(iter(source)).header.dropped == 4


def test_iterating_again_makes_no_losses(
    open_live: Callable[..., LiveSource], grabber: FakeGrabber, chart: "Chart"
) -> None:
    source = open_live(grabber)
    for number in range(3):
        grabber.give(chart(number))
        frame = next(iter(source))
        assert (frame.sequence, frame.header.dropped) == (number, 0)


def test_a_rate_thins_without_counting_losses(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    fake_time: "FakeTime",
    eventually: "Eventually",
) -> None:
    def turn() -> None:
        fake_time.now_ns += 100 * MS  # ten pictures a second

    grabber.before_grab(turn)
    source = open_live(grabber, fps=5)
    frames = iter(source)
    seen = []
    for number in range(6):
        asked = grabber.asked
        grabber.give(chart(number))
        eventually(lambda asked=asked: grabber.asked > asked)  # type: ignore[misc]
        if number % 2 == 0:
            frame = next(frames)
            seen.append((read_number(frame.image), frame.sequence, frame.header.dropped))
    assert seen == [(0, 0, 0), (2, 1, 0), (4, 2, 0)]


# -- breaking and coming back -------------------------------------------------------------------


class States:
    def __init__(self) -> None:
        self.heard: list[tuple[State, str]] = []

    def __call__(self, state: State, reason: str) -> None:
        self.heard.append((state, reason))


def test_it_is_opened_again_after_longer_and_longer_waits(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    fake_time: "FakeTime",
    caplog: pytest.LogCaptureFixture,
) -> None:
    states = States()
    source = open_live(grabber)
    source.on_state = states
    frames = iter(source)
    grabber.give(chart(0))
    assert next(frames).sequence == 0
    grabber.fate = [SourceError(f"no answer {number}") for number in range(7)]
    grabber.give(None, chart(1))
    frame = next(frames)
    assert (read_number(frame.image), frame.sequence) == (1, 1)
    assert fake_time.waited == [1, 2, 4, 8, 16, 30, 30, 30]
    assert states.heard == [
        ("no-signal", "it gives no more pictures"),
        *(("no-signal", f"no answer {number}") for number in range(7)),
        ("live", ""),
    ]
    assert (grabber.opened, grabber.released) == (9, 1)
    assert "cam: no signal: it gives no more pictures" in caplog.text
    # What worked begins again with a short wait.
    grabber.give(None, chart(2))
    assert next(frames).sequence == 2
    assert fake_time.waited[8:] == [1]


def test_a_stream_that_opens_but_gives_nothing_is_not_hammered(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    fake_time: "FakeTime",
) -> None:
    source = open_live(grabber)
    grabber.give(None, None, None, chart(0))
    assert next(iter(source)).sequence == 0
    assert fake_time.waited == [1, 2, 4]
    assert (grabber.opened, grabber.released) == (4, 3)


def test_the_default_is_not_to_tell_anybody(
    open_live: Callable[..., LiveSource], grabber: FakeGrabber
) -> None:
    open_live(grabber).on_state("live", "")


@pytest.mark.parametrize("where", ["grab", "open"])
def test_an_error_that_nobody_expected_ends_the_iteration(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    fake_time: "FakeTime",
    where: str,
) -> None:
    surprise = RuntimeError("the driver is confused")
    source = open_live(grabber)
    frames = iter(source)
    grabber.give(chart(0))
    next(frames)
    if where == "open":
        grabber.fate = [surprise]
    grabber.give(None if where == "open" else surprise)
    with pytest.raises(SourceError, match="cam failed: the driver is confused") as caught:
        next(frames)
    assert caught.value.__cause__ is surprise
    source.close()
    assert grabber.released == 1


def test_what_came_before_the_error_is_handed_out(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    eventually: "Eventually",
) -> None:
    source = open_live(grabber)
    grabber.give(chart(0), RuntimeError("confused"))
    eventually(lambda: not source._thread.is_alive())
    frames = iter(source)
    assert read_number(next(frames).image) == 0
    with pytest.raises(SourceError, match="confused"):
        next(frames)


# -- closing ------------------------------------------------------------------------------------


def test_close_ends_the_iteration_and_releases_once(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    threads: ThreadPoolExecutor,
) -> None:
    source = open_live(grabber)
    grabber.give(chart(0))
    frames = iter(source)
    next(frames)
    rest = threads.submit(list, frames)
    source._stop.set()
    grabber.give(chart(1))  # the camera goes on for one more picture
    source.close()
    source.close()
    assert len(rest.result(DEADLINE_S)) <= 1
    assert grabber.released == 1
    assert not source._thread.is_alive()


def test_a_picture_after_closing_ends_the_capture(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    eventually: "Eventually",
) -> None:
    source = open_live(grabber)
    source._pictures.close()  # the moment between closing the box and looking at the flag
    grabber.give(chart(0))
    eventually(lambda: not source._thread.is_alive())
    assert grabber.released == 1
    assert source._failure is None


def test_close_does_not_wait_for_a_device_that_hangs(
    grabber: FakeGrabber,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    eventually: "Eventually",
) -> None:
    monkeypatch.setattr(live, "_JOIN_S", 0.01)
    states = States()
    source = LiveSource("cam", SourceOptions(), Here(grabber))
    source.on_state = states
    eventually(lambda: grabber.asked == 1)
    with caplog.at_level(logging.WARNING, "framewire.source"):
        source.close()  # returns, although the device is still being asked
    assert "cam does not answer: its capture was left to end by itself" in caplog.text
    assert grabber.released == 0  # releasing during a read crashes the process
    assert list(source) == []
    grabber.give(None)
    eventually(lambda: not source._thread.is_alive())
    assert grabber.released == 1
    assert states.heard == []  # it was closed; that is no loss of signal


@pytest.mark.parametrize("broken", [False, True])
def test_only_the_capturing_thread_touches_the_device(
    grabber: FakeGrabber,
    chart: "Chart",
    monkeypatch: pytest.MonkeyPatch,
    broken: bool,
) -> None:
    monkeypatch.setattr(patience, "RETRY_S", (0.001,))
    source = LiveSource("cam", SourceOptions(), Here(grabber))
    capturing = source._thread.ident
    frames = iter(source)
    grabber.give(chart(0))
    next(frames)
    if broken:
        grabber.give(None, chart(1))
        next(frames)
    source._stop.set()
    grabber.give(None)
    source.close()
    assert grabber.threads == {"open": {capturing}, "grab": {capturing}, "release": {capturing}}


def test_close_ends_the_wait_for_another_try(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    monkeypatch: pytest.MonkeyPatch,
    eventually: "Eventually",
) -> None:
    monkeypatch.setattr(patience, "RETRY_S", (3600,))
    source = open_live(grabber)
    grabber.give(None)
    eventually(lambda: grabber.released == 1)
    source.close()
    assert not source._thread.is_alive()
    assert grabber.opened == 1
    assert list(islice(source, 1)) == []


def test_pictures_are_not_copied(
    open_live: Callable[..., LiveSource], grabber: FakeGrabber, chart: "Chart"
) -> None:
    picture = chart(0)
    grabber.give(picture)
    assert np.shares_memory(next(iter(open_live(grabber))).image, picture)


# -- pictures that are no good ------------------------------------------------------------------


def test_a_picture_that_does_not_change_is_no_signal(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    fake_time: "FakeTime",
) -> None:
    """And it stays so after opening again, until another one comes."""

    def turn() -> None:
        fake_time.now_ns += 100 * MS

    grabber.before_grab(turn)
    states = States()
    source = open_live(grabber)
    source.on_state = states
    frames = iter(source)
    grabber.give(
        *[chart(7)] * 40
    )  # it is closed after some, and gives the rest when it is open again
    grabber.give(chart(8))
    seen = []
    while (number := read_number(next(frames).image)) != 8:
        seen.append(number)
    assert set(seen) <= {7}
    assert [state for state, _ in states.heard] == ["no-signal", "live"]
    assert states.heard[0][1].startswith("it has shown the same picture for 2 s: the camera hangs")
    assert fake_time.waited == [1]
    assert grabber.opened == 2


@pytest.mark.parametrize("fps", [None, 5])
def test_a_still_picture_may_be_as_it_should_be(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    fake_time: "FakeTime",
    eventually: "Eventually",
    fps: float | None,
) -> None:
    def turn() -> None:
        fake_time.now_ns += 100 * MS

    grabber.before_grab(turn)
    states = States()
    source = open_live(grabber, allow_still=True, **({} if fps is None else {"fps": fps}))
    source.on_state = states
    grabber.give(*[chart(7)] * 60)
    eventually(lambda: grabber.asked == 61)
    assert states.heard == []
    assert grabber.opened == 1


def test_pictures_coded_as_changes_may_be_alike_for_longer(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    fake_time: "FakeTime",
    eventually: "Eventually",
) -> None:
    def turn() -> None:
        fake_time.now_ns += 100 * MS

    grabber.alone = False
    grabber.before_grab(turn)
    states = States()
    source = open_live(grabber)
    source.on_state = states
    grabber.give(*[chart(7)] * 90)
    eventually(lambda: grabber.asked == 91)
    assert states.heard == []
    grabber.give(*[chart(7)] * 20)
    eventually(lambda: len(states.heard) > 0)
    assert states.heard[0][1].startswith("it has shown the same picture for 10 s")


@pytest.mark.parametrize("fps", [None, 2])
def test_damaged_pictures_are_no_signal(
    open_live: Callable[..., LiveSource],
    jpegs: list[bytes],
    fake_time: "FakeTime",
    eventually: "Eventually",
    fps: float | None,
) -> None:
    def turn() -> None:
        fake_time.now_ns += 100 * MS

    grabber = FakeGrabber(encoded=True)
    grabber.before_grab(turn)
    states = States()
    source = open_live(grabber, **({} if fps is None else {"fps": fps}))
    source.on_state = states
    grabber.give(*jpegs[:3], *(jpegs[0][: 200 + cut] for cut in range(24)))
    eventually(lambda: len(states.heard) > 0)
    assert states.heard[0][0] == "no-signal"
    assert states.heard[0][1].startswith("it gives no whole picture: ")
    grabber.give(jpegs[3])
    eventually(lambda: len(states.heard) > 1)
    assert states.heard[1:] == [("live", "")]


def test_who_listens_late_hears_what_has_happened(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    monkeypatch: pytest.MonkeyPatch,
    eventually: "Eventually",
) -> None:
    monkeypatch.setattr(patience, "RETRY_S", (3600,))
    source = open_live(grabber)
    grabber.give(None)
    eventually(lambda: source._state[0] == "no-signal")
    states = States()
    source.on_state = states
    assert states.heard == [("no-signal", "it gives no more pictures")]


def test_pictures_that_nobody_took_from_the_device_leave_a_hole(
    open_live: Callable[..., LiveSource],
    grabber: FakeGrabber,
    chart: "Chart",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = Here.take

    def take(here: Here, timeout_s: float) -> Shot | None:
        shot = taken(here, timeout_s)
        return shot and replace(shot, missed=3)

    monkeypatch.setattr(Here, "take", take)
    frames = iter(open_live(grabber))
    grabber.give(chart(0))
    frame = next(frames)
    assert (frame.sequence, frame.header.dropped) == (3, 3)
