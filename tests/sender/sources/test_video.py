"""Video files: their own times, passthrough of MJPEG, seeking, loops, and what is no video."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from framewire.common import jpeg
from framewire.common.clock import NS
from framewire.common.errors import SourceError, UsageError
from framewire.common.frame import Frame, Packet
from framewire.common.jpeg import encode
from framewire.common.testchart import read_number
from framewire.sender.sources import video
from framewire.sender.sources.source import SourceOptions
from framewire.sender.sources.video import VideoSource, _Times

if TYPE_CHECKING:
    from sender.conftest import Chart, FakeTime, MakeClip, MakeMjpeg

MS = NS // 1000
DEADLINE_S = 20
FAST = SourceOptions(speed=0)
VFR_MS = [0, 40, 120, 130, 500, 1000, 1033]
"""Variable frame rate: a phone's clip, a screen recording."""


def _numbers(frames: list[Frame]) -> list[int | None]:
    return [read_number(frame.image) for frame in frames]


def _at_ms(frames: list[Frame] | list[Packet]) -> list[int]:
    first = frames[0].header
    walls = [f.header.captured_ns - first.captured_ns for f in frames]
    times = [f.header.monotonic_ns - first.monotonic_ns for f in frames]
    assert walls == times
    return [round(at / MS) for at in times]


# -- pictures and times -------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "muxer"), [("a b.mp4", "mp4"), ("ä.mkv", "matroska")])
def test_a_clip_of_variable_rate_plays_at_its_own_times(
    tmp_path: Path, make_clip: "MakeClip", fake_time: "FakeTime", name: str, muxer: str
) -> None:
    clip = make_clip(tmp_path / name, VFR_MS, muxer=muxer)
    with VideoSource(clip, SourceOptions()) as source:
        assert (source.live, source.encoded) == (False, False)
        frames = list(source)
        with pytest.raises(UsageError, match="is not MJPEG"):
            next(source.packets())
    assert _numbers(frames) == list(range(7))
    assert [f.sequence for f in frames] == list(range(7))
    assert _at_ms(frames) == VFR_MS
    assert sum(fake_time.waited) == pytest.approx(1.033, abs=0.001)


def test_what_a_frame_says(tmp_path: Path, make_clip: "MakeClip") -> None:
    with VideoSource(make_clip(tmp_path / "my clip.v2.mp4", [0, 40]), FAST) as source:
        first, second = source
    header = first.header
    assert source.name == header.topic == "my-clip.v2"
    assert (header.width, header.height, header.channels) == (160, 96, 3)
    assert (header.dropped, header.codec, header.sender) == (0, "raw", "")
    assert first.image.dtype == np.uint8
    assert first.image.flags.writeable
    assert not np.shares_memory(first.image, second.image)
    first.image[:] = 0
    assert read_number(second.image) == 1


@pytest.mark.parametrize("speed", [0.5, 4.0])
def test_speed(tmp_path: Path, make_clip: "MakeClip", fake_time: "FakeTime", speed: float) -> None:
    with VideoSource(make_clip(tmp_path / "a.mp4", VFR_MS), SourceOptions(speed=speed)) as source:
        frames = list(source)
    for at_ms, want_ms in zip(_at_ms(frames), VFR_MS, strict=True):
        assert abs(at_ms - want_ms / speed) <= 1


def test_as_fast_as_possible(tmp_path: Path, make_clip: "MakeClip", fake_time: "FakeTime") -> None:
    with VideoSource(make_clip(tmp_path / "a.mp4", VFR_MS), FAST) as source:
        assert _numbers(list(source)) == list(range(7))
    assert fake_time.waited == []


def test_thinning_leaves_no_holes(
    tmp_path: Path, make_clip: "MakeClip", fake_time: "FakeTime"
) -> None:
    clip = make_clip(tmp_path / "a.mp4", range(0, 1000, 40))
    with VideoSource(clip, SourceOptions(fps=10)) as source:
        frames = list(source)
    assert _at_ms(frames) == [0, 120, 200, 320, 400, 520, 600, 720, 800, 920]
    assert _numbers(frames) == [at // 40 for at in _at_ms(frames)]
    assert [f.sequence for f in frames] == list(range(10))


def test_closing_ends_it(tmp_path: Path, make_clip: "MakeClip") -> None:
    source = VideoSource(make_clip(tmp_path / "a.mp4", [0, 40, 80]), FAST)
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []
    assert list(source) == []  # and it stays closed


@pytest.mark.parametrize("as_packets", [False, True])
def test_closing_wakes_a_wait_for_the_next_frame(
    tmp_path: Path,
    make_mjpeg: "MakeMjpeg",
    chart: "Chart",
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    as_packets: bool,
) -> None:
    waiting = threading.Event()

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waiting.set()
            return super().wait(timeout)

    jpegs = [encode(chart(number), 80) for number in range(2)]
    clip = make_mjpeg(tmp_path / "a.mkv", jpegs, step_ms=3_600_000, muxer="matroska")
    source = VideoSource(clip, SourceOptions())
    monkeypatch.setattr(source, "_stop", Stop())
    pictures: Iterator[Frame | Packet] = source.packets() if as_packets else iter(source)
    next(pictures)
    rest = threads.submit(list, pictures)
    assert waiting.wait(DEADLINE_S)
    source.close()
    assert rest.result(DEADLINE_S) == []


# -- start --------------------------------------------------------------------------------------


@pytest.mark.parametrize("muxer", ["mp4", "matroska"])
@pytest.mark.parametrize(("start", "first"), [(0.0, 0), (1.0, 25), (1.01, 26), (3.96, 99)])
def test_start(
    tmp_path: Path,
    make_clip: "MakeClip",
    fake_time: "FakeTime",
    muxer: str,
    start: float,
    first: int,
) -> None:
    clip = make_clip(tmp_path / "a", range(0, 4000, 40), muxer=muxer)
    with VideoSource(clip, SourceOptions(start=start)) as source:
        frames = list(source)
    assert _numbers(frames) == list(range(first, 100))
    assert frames[0].sequence == 0
    assert _at_ms(frames) == [40 * number for number in range(100 - first)]
    assert frames[0].header.monotonic_ns == 5 * NS  # nobody waited for what was passed over


def test_a_start_behind_the_end(tmp_path: Path, make_clip: "MakeClip") -> None:
    clip = make_clip(tmp_path / "a.mp4", range(0, 400, 40))
    with (
        VideoSource(clip, SourceOptions(start=60, speed=0)) as source,
        pytest.raises(SourceError, match="holds no picture to show"),
    ):
        list(source)


SLOW_THEN_FAST_MS = [*range(0, 12_000, 200), *range(12_000, 32_000, 25)]  # 5 a second, then 40
FAST_THEN_SLOW_MS = [*range(0, 5_000, 25), *range(5_000, 65_000, 1000)]


@pytest.mark.parametrize(
    ("times_ms", "starts"),
    [
        # OpenCV seeks by the mean rate: far behind the first of these.
        (SLOW_THEN_FAST_MS, (2.0, 11.0, 30.0)),
        (FAST_THEN_SLOW_MS, (4.0, 60.0)),
    ],
)
def test_start_in_a_clip_of_variable_rate(
    tmp_path: Path,
    make_clip: "MakeClip",
    monkeypatch: pytest.MonkeyPatch,
    times_ms: list[int],
    starts: tuple[float, ...],
) -> None:
    clip = make_clip(tmp_path / "a.mp4", times_ms)
    for steps_s in (video._SEEK_BEFORE_S, (0,)):
        monkeypatch.setattr(video, "_SEEK_BEFORE_S", steps_s)
        for start in starts:
            with VideoSource(clip, SourceOptions(start=start, speed=0)) as source:
                first = next(iter(source))
            assert read_number(first.image) == times_ms.index(round(start * 1000))


# -- loops --------------------------------------------------------------------------------------


def test_a_loop_goes_on_in_time_and_number(
    tmp_path: Path, make_clip: "MakeClip", fake_time: "FakeTime"
) -> None:
    clip = make_clip(tmp_path / "a.mp4", [0, 40, 120])
    with VideoSource(clip, SourceOptions(loop=True)) as source:
        frames = list(islice(source, 8))
    assert _numbers(frames) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [f.sequence for f in frames] == list(range(8))
    # The last frame stays as long as the one before it did.
    assert _at_ms(frames) == [0, 40, 120, 200, 240, 320, 400, 440]


def test_a_loop_from_a_start(tmp_path: Path, make_clip: "MakeClip", fake_time: "FakeTime") -> None:
    clip = make_clip(tmp_path / "a.mp4", range(0, 2000, 40))
    with VideoSource(clip, SourceOptions(loop=True, start=1.8)) as source:
        frames = list(islice(source, 12))
    assert _numbers(frames) == [45, 46, 47, 48, 49] * 2 + [45, 46]
    assert _at_ms(frames) == [40 * number for number in range(12)]


def test_a_loop_is_thinned_as_one(
    tmp_path: Path, make_clip: "MakeClip", fake_time: "FakeTime"
) -> None:
    clip = make_clip(tmp_path / "a.mp4", [0, 40, 80])
    with VideoSource(clip, SourceOptions(loop=True, fps=12.5)) as source:
        assert _numbers(list(islice(source, 6))) == [0, 2, 1, 0, 2, 1]


def test_a_loop_of_one_frame(tmp_path: Path, make_clip: "MakeClip", fake_time: "FakeTime") -> None:
    with VideoSource(make_clip(tmp_path / "a.mp4", [0]), SourceOptions(loop=True)) as source:
        assert _at_ms(list(islice(source, 4))) == [0, 40, 80, 120]


def test_a_loop_ends_when_the_file_is_gone(tmp_path: Path, make_clip: "MakeClip") -> None:
    path = tmp_path / "a.mp4"
    with VideoSource(make_clip(path, [0, 40]), SourceOptions(loop=True, speed=0)) as source:
        frames = iter(source)
        next(frames)
        path.unlink()
        with pytest.raises(SourceError, match="cannot read"):
            list(frames)


def test_a_loop_without_anything_to_show_ends(
    tmp_path: Path, make_clip: "MakeClip", monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = 0
    clip = make_clip(tmp_path / "a.mp4", range(0, 400, 40))
    with VideoSource(clip, SourceOptions(loop=True, start=0.37, speed=0)) as source:
        open_again = source._open

        def opened(*, raw: bool) -> cv2.VideoCapture:
            nonlocal rounds
            rounds += 1
            if rounds > 10:
                pytest.fail("it goes round and round")
            return open_again(raw=raw)

        monkeypatch.setattr(source, "_open", opened)
        with pytest.raises(SourceError):
            list(source)


# -- MJPEG --------------------------------------------------------------------------------------


@pytest.fixture
def jpegs(chart: "Chart") -> list[bytes]:
    return [encode(chart(number), 75) for number in range(6)]


@pytest.mark.parametrize(("name", "muxer"), [("a.avi", "avi"), ("a.mkv", "matroska")])
def test_mjpeg_is_passed_through(
    tmp_path: Path,
    make_mjpeg: "MakeMjpeg",
    jpegs: list[bytes],
    fake_time: "FakeTime",
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    muxer: str,
) -> None:
    clip = make_mjpeg(tmp_path / name, jpegs, step_ms=50, muxer=muxer)
    with VideoSource(clip, SourceOptions()) as source:
        assert source.encoded
        monkeypatch.delattr(jpeg, "decode")
        packets = list(source.packets())
    assert [p.payload for p in packets] == jpegs
    assert [p.sequence for p in packets] == list(range(6))
    assert _at_ms(packets) == [0, 50, 100, 150, 200, 250]
    header = packets[0].header
    assert (header.topic, header.codec, header.dropped) == ("a", "jpeg", 0)
    assert (header.width, header.height, header.channels) == (160, 96, 3)


def test_mjpeg_that_opencv_wrote(tmp_path: Path, chart: "Chart") -> None:
    path = str(tmp_path / "cv.avi")
    mjpg = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(path, cv2.CAP_OPENCV_MJPEG, mjpg, 20, (160, 96))
    for number in range(5):
        writer.write(chart(number))
    writer.release()
    stored = Path(path).read_bytes()
    with VideoSource(path, FAST) as source:
        packets = list(source.packets())
    assert len(packets) == 5
    for number, packet in enumerate(packets):
        assert packet.payload in stored
        assert read_number(jpeg.decode(packet.payload)) == number


def test_mjpeg_gives_frames_too(
    tmp_path: Path, make_mjpeg: "MakeMjpeg", jpegs: list[bytes]
) -> None:
    with VideoSource(make_mjpeg(tmp_path / "a.avi", jpegs), FAST) as source:
        assert _numbers(list(source)) == list(range(6))


def test_passthrough_takes_start_loop_and_rate(
    tmp_path: Path, make_mjpeg: "MakeMjpeg", jpegs: list[bytes], fake_time: "FakeTime"
) -> None:
    clip = make_mjpeg(tmp_path / "a.avi", jpegs)
    with VideoSource(clip, SourceOptions(start=0.08, loop=True, fps=12.5)) as source:
        packets = list(islice(source.packets(), 4))
    assert [jpegs.index(p.payload) for p in packets] == [2, 4, 2, 4]
    assert _at_ms(packets) == [0, 80, 160, 240]


def test_a_damaged_jpeg_is_counted_and_passed_over(
    tmp_path: Path, make_mjpeg: "MakeMjpeg", jpegs: list[bytes]
) -> None:
    given = [jpegs[0], jpegs[1][:-400], jpegs[2], b"\xff\xd8rubbish", jpegs[4]]
    with VideoSource(make_mjpeg(tmp_path / "a.avi", given), FAST) as source:
        packets = list(source.packets())
    assert [p.payload for p in packets] == [jpegs[0], jpegs[2], jpegs[4]]
    assert [(p.sequence, p.header.dropped) for p in packets] == [(0, 0), (2, 1), (4, 2)]


def test_what_only_says_that_it_is_mjpeg(
    tmp_path: Path,
    make_mjpeg: "MakeMjpeg",
    jpegs: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = make_mjpeg(tmp_path / "a.avi", jpegs)
    real = cv2.VideoCapture

    def capture(path: str, backend: int, parameters: list[int]) -> cv2.VideoCapture:
        """An OpenCV that gives pixels although packets were asked for."""
        return real(path, backend, [])

    monkeypatch.setattr(cv2, "VideoCapture", capture)
    with VideoSource(clip, FAST) as source:
        assert not source.encoded


# -- no video -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"hello\n" * 1000, b"\0" * 5000, b"\0\0\0\x20ftypisom" + bytes(100)]
)
def test_what_is_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot read .*text\.mp4: it is not a video"):
        VideoSource(str(path), FAST)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot read"):
        VideoSource(str(tmp_path / "none.mp4"), FAST)


def test_a_cut_file_gives_what_it_holds(tmp_path: Path, make_clip: "MakeClip") -> None:
    path = tmp_path / "a.mkv"
    make_clip(path, range(0, 8000, 40), muxer="matroska")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with VideoSource(str(path), FAST) as source:
        numbers = _numbers(list(source))
    assert 20 < len(numbers) < 180
    assert numbers[:20] == list(range(20))  # where it is cut, frames may lack what they refer to


@pytest.mark.parametrize(("loop", "state"), [(False, "ended"), (True, "live")])
def test_a_video_that_ends_before_its_head_says_so_is_told(
    tmp_path: Path, make_clip: "MakeClip", loop: bool, state: str
) -> None:
    path = tmp_path / "cut.mkv"
    make_clip(path, range(0, 20_000, 100), muxer="matroska")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    heard: list[tuple[str, str]] = []
    with VideoSource(str(path), SourceOptions(speed=0, loop=loop)) as source:
        source.on_state = lambda *said: heard.append(said)
        assert len(list(islice(source, 200))) > 50
    ((told, reason),) = heard
    assert told == state
    assert "cut.mkv ends after " in reason
    assert "it says that it lasts 20.0 s: it was cut or is damaged" in reason


def test_a_whole_video_is_not_said_to_be_cut(tmp_path: Path, make_clip: "MakeClip") -> None:
    heard: list[tuple[str, str]] = []
    for times in ([0, 40, 120, 130, 5000, 9000], [0], range(0, 4000, 40)):
        path = make_clip(tmp_path / f"{len(times)}.mp4", times)
        with VideoSource(path, FAST) as source:
            source.on_state = lambda *said: heard.append(said)
            assert len(list(source)) == len(times)
    assert heard == []


def test_a_video_without_a_picture(
    tmp_path: Path, make_clip: "MakeClip", monkeypatch: pytest.MonkeyPatch
) -> None:
    source = VideoSource(make_clip(tmp_path / "a.mp4", [0]), FAST)
    monkeypatch.setattr(source, "_open", lambda *, raw: FakeCapture([]))
    with source, pytest.raises(SourceError, match="holds no picture to show"):
        list(source)


# -- times that a file does not say -------------------------------------------------------------


class FakeCapture:
    """Gives times as a strange file does."""

    def __init__(self, times_ms: list[float], fps: float = 10, *, pictures: int = 99) -> None:
        self.times_ms, self.fps, self.pictures = list(times_ms), fps, pictures
        self.now_ms = 0.0
        self.released = False

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: self.fps, cv2.CAP_PROP_POS_MSEC: self.now_ms}[what]

    def grab(self) -> bool:
        if self.times_ms:
            self.now_ms = self.times_ms.pop(0)
            return True
        return False

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        self.pictures -= 1
        return (True, np.zeros((4, 4, 3), np.uint8)) if self.pictures >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize(
    ("stated", "fps", "expected"),
    [
        ([0, 40, 80], 25, [0, 40, 80]),
        ([0, 0, 0], 10, [0, 100, 200]),  # a raw stream says nothing
        ([0, 0, 0], 0, [0, 40, 80]),  # nor its rate
        ([0, 0], 90_000, [0, 40]),  # a time base is no rate
        ([0, 0], float("nan"), [0, 40]),
        ([float("nan"), float("inf")], 10, [0, 100]),
        ([-50, 10], 10, [0, 10]),
        ([500, 540, 100, 620], 10, [500, 540, 580, 620]),  # a step back
        ([0, 30, 30, 30], 10, [0, 30, 60, 90]),
    ],
)
def test_times(stated: list[float], fps: float, expected: list[int]) -> None:
    capture = FakeCapture(stated, fps)
    times = _Times(capture)  # type: ignore[arg-type]
    read = []
    while capture.grab():
        read.append(times.read(capture) // MS)  # type: ignore[arg-type]
    assert read == expected


def test_a_picture_that_does_not_decode_ends_it(
    tmp_path: Path, make_clip: "MakeClip", monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = FakeCapture([0, 40, 80], pictures=2)
    with VideoSource(make_clip(tmp_path / "a.mp4", [0]), FAST) as source:
        monkeypatch.setattr(source, "_open", lambda *, raw: capture)
        assert len(list(source)) == 2
    assert capture.released
