"""Streams over HTTP, from a server of the test's own on this machine."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from framewire.common.errors import SourceError, UsageError
from framewire.common.jpeg import encode
from framewire.common.testchart import read_number
from framewire.sender.sources import opencv_url, patience
from framewire.sender.sources.capture import Here
from framewire.sender.sources.network import NetworkSource, _without_password, open_url
from framewire.sender.sources.opencv_url import UrlGrabber
from framewire.sender.sources.source import SourceOptions
from framewire.sender.sources.video import VideoSource

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually, MakeClip

OPTIONS = SourceOptions()


class Site(ThreadingHTTPServer):
    """`/cam/stream`: the JPEGs round and round; `/files/NAME`: a file as it is."""

    daemon_threads = True

    def __init__(self, folder: Path, jpegs: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.jpegs = folder, jpegs
        self.stopped = threading.Event()
        self.up = True
        """Whether a stream is answered; one that runs ends when this is no longer so."""
        self.streams = 0
        self.paths: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.path == "/cam/stream" and self.server.up:
            self._stream()
        elif self.path.startswith("/files/"):
            self._file(self.server.folder / self.path.rpartition("/")[2])
        else:
            self.send_error(404)

    def _stream(self) -> None:
        self.server.streams += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        while self.server.up and not self.server.stopped.wait(0.005):
            jpeg = self.server.jpegs[number % len(self.server.jpegs)]
            number += 1
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:  # whoever looked has gone
                return

    def _file(self, path: Path) -> None:
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "video/x-matroska")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def jpegs(chart: "Chart") -> list[bytes]:
    return [encode(chart(number), 75) for number in range(10)]


@pytest.fixture
def site(tmp_path: Path, jpegs: list[bytes]) -> Iterator[Site]:
    with Site(tmp_path, jpegs) as site:
        serving = threading.Thread(target=site.serve_forever, args=(0.01,))
        serving.start()
        yield site
        site.stopped.set()
        site.shutdown()
        serving.join()


# -- streams ------------------------------------------------------------------------------------


def test_an_mjpeg_stream_is_passed_through(site: Site, jpegs: list[bytes]) -> None:
    with open_url(site.url("/cam/stream"), OPTIONS) as source:
        assert isinstance(source, NetworkSource)
        assert (source.live, source.encoded) == (True, True)
        assert source.name == "127.0.0.1-cam-stream"
        packets = list(islice(source.packets(), 12))
    assert {p.payload for p in packets} <= set(jpegs)
    sequences = [p.sequence for p in packets]
    assert sequences == sorted(set(sequences))
    # Nothing was left out but what was counted.
    shown = [jpegs.index(p.payload) for p in packets]
    begun = shown[0] - sequences[0]
    assert shown == [(begun + sequence) % 10 for sequence in sequences]


def test_an_mjpeg_stream_gives_frames_too(site: Site) -> None:
    with open_url(site.url("/cam/stream"), SourceOptions(fps=50)) as source:
        for frame in islice(source, 3):
            assert read_number(frame.image) in range(10)
            assert frame.topic == "127.0.0.1-cam-stream"


def test_a_stream_that_stops_and_comes_back(
    site: Site, monkeypatch: pytest.MonkeyPatch, eventually: "Eventually"
) -> None:
    monkeypatch.setattr(patience, "RETRY_S", (0.01,))
    heard: list[tuple[str, str]] = []
    with open_url(site.url("/cam/stream"), OPTIONS) as source:
        assert isinstance(source, NetworkSource)
        source.on_state = lambda state, reason: heard.append((state, reason))
        packets = source.packets()
        before = next(packets).sequence
        site.up = False
        eventually(lambda: any("cannot open" in reason for _, reason in heard))
        assert ("no-signal", "it gives no more pictures") in heard
        heard.clear()
        streams = site.streams
        site.up = True
        eventually(lambda: ("live", "") in heard)
        assert site.streams > streams
        newest = next(packets).sequence
        assert newest > before


def test_closing_ends_a_stream(site: Site) -> None:
    source = open_url(site.url("/cam/stream"), OPTIONS)
    packets = source.packets()
    next(packets)
    source.close()
    assert len(list(packets)) <= 1


# -- files --------------------------------------------------------------------------------------


def test_a_file_on_a_server_is_played_as_a_file(
    site: Site, tmp_path: Path, make_clip: "MakeClip"
) -> None:
    times = [0, 40, 120, 130, 500, 1000]
    make_clip(tmp_path / "yard.mkv", times, muxer="matroska")
    with open_url(site.url("/files/yard.mkv"), SourceOptions(speed=0)) as source:
        assert isinstance(source, VideoSource)
        assert (source.name, source.live) == ("yard", False)
        frames = list(source)
    assert [read_number(f.image) for f in frames] == list(range(6))


# -- what cannot be opened ----------------------------------------------------------------------


def test_a_page_that_is_not_there(site: Site) -> None:
    with pytest.raises(
        SourceError, match=r"cannot open http://.*/nothing: no answer in 5 s, or no"
    ):
        open_url(site.url("/nothing"), OPTIONS)


def test_a_page_that_is_no_video(site: Site, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>hello</p>" * 100)
    with pytest.raises(SourceError, match="no video there"):
        open_url(site.url("/files/page.html"), OPTIONS)


def test_nobody_answers(site: Site) -> None:
    port = site.server_address[1]
    site.shutdown()
    site.server_close()
    with pytest.raises(SourceError, match="check address, user and password"):
        open_url(f"http://127.0.0.1:{port}/cam/stream", OPTIONS)


def test_no_password_is_told(site: Site) -> None:
    url = f"http://admin:s3cret@127.0.0.1:{site.server_address[1]}/nothing"
    with pytest.raises(SourceError, match=r"http://admin:\*\*\*@127") as caught:
        open_url(url, OPTIONS)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("rtsp://cam/stream", "rtsp://cam/stream"),
        ("rtsp://me@cam/stream", "rtsp://me@cam/stream"),
        ("rtsp://me:pw@cam:554/a?b=pw", "rtsp://me:***@cam:554/a?b=pw"),
        ("rtsp://me:@cam/a", "rtsp://me:***@cam/a"),
        ("rtsp://a%40b:p%3A1@cam/a", "rtsp://a%40b:***@cam/a"),
    ],
)
def test_passwords_are_hidden(url: str, told: str) -> None:
    assert _without_password(url) == told


@pytest.mark.parametrize("url", ["http://", "rtsp:///stream", "http://:80/x"])
def test_an_address_without_a_machine(url: str) -> None:
    with pytest.raises(UsageError, match="it names no machine"):
        open_url(url, OPTIONS)


def test_options_that_a_stream_cannot_take(site: Site) -> None:
    with pytest.raises(UsageError, match="start: not possible with this network source"):
        open_url(site.url("/cam/stream"), SourceOptions(start=3))


def test_an_address_that_is_none() -> None:
    with pytest.raises((UsageError, SourceError)):
        open_url("http://[::1/stream", OPTIONS)


def test_no_password_is_told_of_a_file(
    site: Site, tmp_path: Path, make_clip: "MakeClip", eventually: "Eventually"
) -> None:
    path = tmp_path / "yard.mkv"
    make_clip(path, [0, 40], muxer="matroska")
    url = f"http://admin:s3cret@127.0.0.1:{site.server_address[1]}/files/yard.mkv"
    with open_url(url, SourceOptions(speed=0)) as source:
        path.write_bytes(b"gone")
        with pytest.raises(SourceError, match="cannot read") as caught:
            list(source)
    assert "s3cret" not in str(caught.value)


# -- the grabber, with a capture of the test's own ----------------------------------------------

MJPG = cv2.VideoWriter.fourcc(*"MJPG")
H264 = cv2.VideoWriter.fourcc(*"h264")


class FakeCapture:
    def __init__(self, codec: int, *reads: np.ndarray, frames: float = 0) -> None:
        self._facts = {cv2.CAP_PROP_FOURCC: float(codec), cv2.CAP_PROP_FRAME_COUNT: frames}
        self._reads, self._open = list(reads), codec != 0

    def isOpened(self) -> bool:
        return self._open

    def read(self, into: object = None) -> tuple[bool, np.ndarray | None]:
        return (True, self._reads.pop(0)) if self._reads else (False, None)

    def get(self, what: int) -> float:
        return self._facts[what]

    def release(self) -> None:
        self._open = False


class FakeOpenCV:
    """What each opening of a URL gives, and what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *captures: FakeCapture) -> None:
        self.asked: list[list[int]] = []
        self._captures = list(captures)
        monkeypatch.setattr(cv2, "VideoCapture", self._open)

    def _open(self, url: str = "", backend: int = 0, parameters: object = ()) -> FakeCapture:
        if not url:  # what a grabber holds before it is opened
            return FakeCapture(0)
        assert (url, backend) == ("rtsp://cam/x", cv2.CAP_FFMPEG)
        assert isinstance(parameters, list)
        self.asked.append(parameters)
        return self._captures.pop(0)


TIMEOUTS = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 5000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5000]
PIXELS = np.zeros((96, 160, 3), np.uint8)


def _row(jpeg: bytes) -> np.ndarray:
    return np.frombuffer(jpeg, np.uint8)[None, :]


def _grabber() -> UrlGrabber:
    return UrlGrabber("rtsp://cam/x", "rtsp://cam/x")


def test_what_is_no_mjpeg_gives_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = FakeCapture(H264, PIXELS)
    opencv = FakeOpenCV(monkeypatch, capture)
    grabber = _grabber()
    traits = grabber.open()
    assert (traits.encoded, traits.alone) == (False, False)
    assert opencv.asked == [TIMEOUTS]
    assert grabber.grab(None) is PIXELS
    assert grabber.grab(None) is None
    grabber.release()
    assert not capture.isOpened()


def test_mjpeg_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, jpegs: list[bytes]) -> None:
    look, raw = FakeCapture(MJPG), FakeCapture(MJPG, _row(jpegs[1]))
    opencv = FakeOpenCV(monkeypatch, look, raw)
    grabber = _grabber()
    traits = grabber.open()
    assert (traits.encoded, traits.alone) == (True, True)
    assert opencv.asked == [TIMEOUTS, [*TIMEOUTS, cv2.CAP_PROP_FORMAT, -1]]
    assert not look.isOpened()
    assert grabber.grab(None) == jpegs[1]


def test_a_stream_that_is_mjpeg_no_longer(
    monkeypatch: pytest.MonkeyPatch, jpegs: list[bytes], eventually: "Eventually"
) -> None:
    """`packets()` was promised, so pixels will not do."""
    look, raw, again = FakeCapture(MJPG), FakeCapture(MJPG, _row(jpegs[1])), FakeCapture(H264)
    FakeOpenCV(monkeypatch, look, raw, again)
    monkeypatch.setattr(patience, "RETRY_S", (0.01, 3600))
    heard: list[str] = []
    with open_url("rtsp://cam/x", OPTIONS, Here(_grabber())) as source:
        source.on_state = lambda state, reason: heard.append(reason)
        assert next(source.packets()).payload == jpegs[1]
        eventually(lambda: "cam-x no longer gives JPEG" in heard)
    assert not again.isOpened()


@pytest.mark.parametrize(("frames", "finite"), [(0, False), (-1e9, False), (250, True)])
def test_a_length_makes_a_file(
    monkeypatch: pytest.MonkeyPatch, frames: float, finite: bool
) -> None:
    FakeOpenCV(monkeypatch, FakeCapture(H264, frames=frames))
    assert _grabber().open().finite is finite


def test_a_length_over_rtsp_makes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera's stream may say one; it cannot be played again from its beginning."""
    FakeOpenCV(monkeypatch, FakeCapture(H264, PIXELS, frames=250))
    monkeypatch.setattr(patience, "RETRY_S", (3600,))
    with open_url("rtsp://cam/x", OPTIONS, Here(_grabber())) as source:
        assert isinstance(source, NetworkSource)
        assert np.array_equal(next(iter(source)).image, PIXELS)


def test_no_wait_is_longer_than_the_retries_of_a_receiver() -> None:
    assert opencv_url._TIMEOUT_MS <= 5000
