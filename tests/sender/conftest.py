"""What the tests of `framewire.sender` share: peers, controls, pictures, small files, time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any, Protocol

import cv2  # before av: in a process that loads PyAV first, cv2.imshow hangs for ever
import av
import numpy as np
import pytest
from hypothesis import settings

from framewire.common import wire
from framewire.common.clock import NS
from framewire.common.frame import Frame, Header, Image, Packet
from framewire.common.jpeg import encode
from framewire.common.recording_writer import RecordingWriter
from framewire.common.testchart import draw_number
from framewire.common.transport import open_sockets, pubsub
from framewire.sender import encoder, sender
from framewire.sender.outlets import answering, publishing, sharing
from framewire.sender.sources import capture, live, playback, source
from sender.controls import Clock, Gate, Passes
from sender.peers import ADDRESS, Asker, Listener, Worker, until

# No deadline for one example: a slow machine is no defect. The 60 s of pytest-timeout remain.
settings.register_profile("framewire", deadline=None)
settings.load_profile("framewire")

WIDTH, HEIGHT = 160, 96

assert cv2 is not None


class Eventually(Protocol):
    """Wait until a condition holds; fail after a deadline."""

    def __call__(self, condition: Callable[[], object], what: str = "so") -> None: ...


@pytest.fixture
def eventually() -> Eventually:
    return until


def _ours() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("framewire-") or name.endswith("-capture")]


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    assert (open_sockets(), _ours()) == (0, []), "another test left something"
    yield
    until(lambda: not _ours(), "all threads of framewire ended")
    assert open_sockets() == 0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Not waited for: those of a test that failed may wait for a sender that closes after this."""
    executor = ThreadPoolExecutor(4)
    yield executor
    executor.shutdown(wait=False)


# -- peers ----------------------------------------------------------------------------------------


class Listen(Protocol):
    """Make a `Listener`, closed at the test's end."""

    def __call__(
        self, address: str, *, prefixes: Sequence[bytes] = (b"",), bind: bool = False
    ) -> Listener: ...


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listen]:
    """Queues have no marks, here and in senders made later: what is lost, the sender lost itself."""
    monkeypatch.setattr(pubsub, "RECEIVE_MARK", 0)
    monkeypatch.setattr(pubsub, "SEND_MARK_PER_TOPIC", 0)
    listeners: list[Listener] = []

    def make(address: str, *, prefixes: Sequence[bytes] = (b"",), bind: bool = False) -> Listener:
        listeners.append(Listener(address, prefixes, bind=bind))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.close()


@pytest.fixture
def listener(listen: Listen) -> Listener:
    """Subscribed to everything, waiting for a sender at ADDRESS."""
    return listen(ADDRESS)


class MakeAsker(Protocol):
    """Make an `Asker`, closed at the test's end."""

    def __call__(self, address: str, *, bind: bool = False) -> Asker: ...


@pytest.fixture
def asker() -> Iterator[MakeAsker]:
    with ExitStack() as stack:

        def make(address: str, *, bind: bool = False) -> Asker:
            return stack.enter_context(closing(Asker(address, bind=bind)))

        yield make


class MakeWorker(Protocol):
    """Make a `Worker`, closed at the test's end."""

    def __call__(self, address: str, *, bind: bool = False) -> Worker: ...


@pytest.fixture
def worker() -> Iterator[MakeWorker]:
    with ExitStack() as stack:

        def make(address: str, *, bind: bool = False) -> Worker:
            return stack.enter_context(closing(Worker(address, bind=bind)))

        yield make


# -- inside a sender ------------------------------------------------------------------------------


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(encoder, "encode", gate)
    yield gate
    gate.open()


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    passes = Passes()
    monkeypatch.setattr(sender, "wait", passes.wait)
    return passes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (sender, answering, publishing, sharing):
        monkeypatch.setattr(module, "monotonic_ns", clock)
    return clock


# -- pictures -----------------------------------------------------------------------------------


def _chart(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image:
    image = np.full((size[1], size[0], 3), 96, np.uint8)
    image[size[1] // 2 :, : size[0] // 2] = (200, 60, number * 7 % 256)
    draw_number(image, number)
    return image


class Chart(Protocol):
    """A small BGR picture that carries its number for `read_number`."""

    def __call__(self, number: int, size: tuple[int, int] = ...) -> Image: ...


@pytest.fixture
def chart() -> Chart:
    return _chart


class MakeFrame(Protocol):
    def __call__(self, number: int, **fields: Any) -> Frame: ...


@pytest.fixture
def frame() -> MakeFrame:
    """A frame as a source makes it."""

    def make(number: int, **fields: Any) -> Frame:
        facts: dict[str, Any] = {
            "topic": "source",
            "sender": "",
            "sequence": number,
            "captured_ns": 1_700_000_000 * NS + number,
            "monotonic_ns": 1000 + number,
            "sent_ns": 0,
            "width": WIDTH,
            "height": HEIGHT,
            "channels": 3,
            "codec": "raw",
        }
        return Frame(_chart(number), Header(**{**facts, **fields}))

    return make


class MakePacket(Protocol):
    def __call__(self, number: int, **fields: Any) -> Packet: ...


@pytest.fixture
def packet() -> MakePacket:
    """A packet as a receiver or recording gives it, from another sender's run."""

    def make(number: int, **fields: Any) -> Packet:
        payload = encode(_chart(number), 80)
        facts: dict[str, Any] = {
            "topic": "lab/cam1",
            "sender": "another",
            "sequence": number,
            "captured_ns": 1_600_000_000 * NS + number * NS // 25,
            "monotonic_ns": NS + number * NS // 25,
            "sent_ns": 1_600_000_000 * NS + number,
            "width": WIDTH,
            "height": HEIGHT,
            "channels": 3,
            "codec": "jpeg",
            "quality": 80,
            "crc32": wire.checksum(payload),
        }
        return Packet(Header(**{**facts, **fields}), payload)

    return make


# -- files --------------------------------------------------------------------------------------


class MakeClip(Protocol):
    """Write an H.264 clip whose frame `i` carries number `i` and is shown at `times_ms[i]`."""

    def __call__(self, path: Path, times_ms: Sequence[int], *, muxer: str = "mp4") -> str: ...


@pytest.fixture
def make_clip() -> MakeClip:
    def make(path: Path, times_ms: Sequence[int], *, muxer: str = "mp4") -> str:
        with av.open(str(path), "w", format=muxer) as container:
            stream = container.add_stream("libx264", 25, options={"crf": "20"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            stream.codec_context.thread_count = 1
            for number, at_ms in enumerate(times_ms):
                picture = av.VideoFrame.from_ndarray(_chart(number), format="bgr24")
                picture.pts, picture.time_base = at_ms, Fraction(1, 1000)
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        return str(path)

    return make


class MakeMjpeg(Protocol):
    """Write a file of JPEGs as they are, one every `step_ms`."""

    def __call__(
        self, path: Path, jpegs: Sequence[bytes], *, step_ms: int = 40, muxer: str = "avi"
    ) -> str: ...


@pytest.fixture
def make_mjpeg() -> MakeMjpeg:
    def make(path: Path, jpegs: Sequence[bytes], *, step_ms: int = 40, muxer: str = "avi") -> str:
        time_base = Fraction(step_ms, 1000)
        with av.open(str(path), "w", format=muxer) as container:
            stream = container.add_mux_stream(
                "mjpeg", rate=1 / time_base, width=WIDTH, height=HEIGHT, time_base=time_base
            )
            for number, jpeg in enumerate(jpegs):
                muxed = av.Packet(jpeg)
                muxed.stream, muxed.time_base = stream, time_base
                muxed.pts = muxed.dts = number
                muxed.is_keyframe = True
                container.mux(muxed)
        return str(path)

    return make


class Record(Protocol):
    """Write packets of one topic into a recording."""

    def __call__(self, path: Path, packets: Sequence[Packet]) -> str: ...


@pytest.fixture
def record() -> Record:
    def write(path: Path, packets: Sequence[Packet]) -> str:
        with closing(RecordingWriter(path, packets[0].header)) as writer:
            for each in packets:
                writer.write(each)
        return str(path)

    return write


# -- time ---------------------------------------------------------------------------------------


class FakeTime:
    """Both clocks of a source, and an event whose waits turn them at once."""

    WALL_NS = 1_700_000_000 * NS

    def __init__(self) -> None:
        self.now_ns = 5 * NS
        self.waited: list[float] = []

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.WALL_NS + self.now_ns

    def event(self) -> threading.Event:
        return _FakeEvent(self)


class _FakeEvent(threading.Event):
    def __init__(self, time: FakeTime) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout > 0
        sleep(0)  # a busy loop would keep other threads from running
        if not self.is_set():
            self._time.waited.append(timeout)
            self._time.now_ns += max(1, round(timeout * NS))
        return self.is_set()


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """For sources made after this."""
    time = FakeTime()
    monkeypatch.setattr(live, "monotonic_ns", time.monotonic_ns)
    for module in (playback, capture):
        monkeypatch.setattr(module, "monotonic_ns", time.monotonic_ns)
        monkeypatch.setattr(module, "wall_ns", time.wall_ns)
    monkeypatch.setattr(source, "threading", SimpleNamespace(Event=time.event))
    return time
