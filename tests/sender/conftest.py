"""What the tests of `framewire.sender` share: a receiver that keeps everything, and small clips."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
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

from framewire.common import transport, wire
from framewire.common.clock import NS, monotonic_ns
from framewire.common.container import RecordingWriter
from framewire.common.endpoint import parse_endpoint
from framewire.common.frame import Frame, Header, Image, Packet, Status
from framewire.common.jpeg import encode
from framewire.common.testchart import draw_number
from framewire.common.transport import Subscriber, Waker, open_sockets
from framewire.sender.sources import live, playback, source

# No deadline for one example: a slow machine is no defect. The 60 s of pytest-timeout remain.
settings.register_profile("framewire", deadline=None)
settings.load_profile("framewire")

DEADLINE_S = 20
WIDTH, HEIGHT = 160, 96
MAX_BYTES = 64 << 20

assert cv2 is not None


def _until(condition: Callable[[], object], what: str = "so") -> None:
    deadline_ns = monotonic_ns() + DEADLINE_S * NS
    while not condition():
        assert monotonic_ns() < deadline_ns, f"in {DEADLINE_S} s: not {what}"
        sleep(0.002)


class Eventually(Protocol):
    """Wait until a condition holds; fail after a deadline."""

    def __call__(self, condition: Callable[[], object], what: str = "so") -> None: ...


@pytest.fixture
def eventually() -> Eventually:
    return _until


def _ours() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("framewire-") or name.endswith("-capture")]


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    assert (open_sockets(), _ours()) == (0, []), "another test left something"
    yield
    _until(lambda: not _ours(), "all threads of framewire ended")
    assert open_sockets() == 0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


# -- a receiver ---------------------------------------------------------------------------------


class Listener:
    """A SUB socket in a thread of its own, and every message that came, decoded, in its order."""

    def __init__(self, address: str, prefixes: Sequence[bytes], *, bind: bool) -> None:
        endpoint = parse_endpoint(address, bind=bind)
        both = ([endpoint], []) if bind else ([], [endpoint])
        self._socket = Subscriber(*both, prefixes, MAX_BYTES)
        self.endpoint = self._socket.endpoints[0]
        self.messages: list[Packet | Status] = []
        self.error: Exception | None = None
        self._waker = Waker()
        self._stop = False
        self._thread = threading.Thread(target=self._listen, name="listener")
        self._thread.start()

    @property
    def packets(self) -> list[Packet]:
        return [each for each in list(self.messages) if isinstance(each, Packet)]

    @property
    def statuses(self) -> list[Status]:
        return [each for each in list(self.messages) if isinstance(each, Status)]

    def sequences(self, topic: str | None = None) -> list[int]:
        return [p.sequence for p in self.packets if topic is None or p.topic == topic]

    def until(self, condition: Callable[[], object], what: str = "so") -> None:
        _until(lambda: self.error or condition(), f"{what}; {len(self.messages)} messages came")
        if self.error is not None:
            raise self.error

    def until_packets(self, count: int) -> list[Packet]:
        self.until(lambda: len(self.packets) >= count, f"{count} packets")
        return self.packets

    def until_ended(self) -> Status:
        """The last word of a sender that carries one topic."""
        self.until(lambda: any(s.state == "ended" for s in self.statuses), "ended")
        assert isinstance(self.messages[-1], Status), "something came after the last word"
        return self.messages[-1]

    def _listen(self) -> None:
        try:
            while not self._stop:
                transport.wait([self._socket], self._waker)
                while (parts := self._socket.receive()) is not None:
                    self.messages.append(wire.decode(parts))
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.error = error
        finally:
            self._socket.close()

    def close(self) -> None:
        """May be called again."""
        self._stop = True
        self._waker.wake()
        self._thread.join(DEADLINE_S)
        self._waker.close()
        assert not self._thread.is_alive()


class Listen(Protocol):
    """Make a `Listener`, closed at the test's end."""

    def __call__(
        self, address: str, *, prefixes: Sequence[bytes] = (b"",), bind: bool = False
    ) -> Listener: ...


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listen]:
    """Queues have no marks, here and in senders made later: what is lost, the sender lost itself."""
    monkeypatch.setattr(transport, "RECEIVE_MARK", 0)
    monkeypatch.setattr(transport, "SEND_MARK_PER_TOPIC", 0)
    listeners: list[Listener] = []

    def make(address: str, *, prefixes: Sequence[bytes] = (b"",), bind: bool = False) -> Listener:
        listeners.append(Listener(address, prefixes, bind=bind))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.close()


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
    for module in (playback, live):
        monkeypatch.setattr(module, "monotonic_ns", time.monotonic_ns)
        monkeypatch.setattr(module, "wall_ns", time.wall_ns)
    monkeypatch.setattr(source, "threading", SimpleNamespace(Event=time.event))
    return time
