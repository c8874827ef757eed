"""RTSP: an H.264 clip from a server of the test's own, and from GStreamer's where it is installed."""

import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2  # before av: in a process that loads PyAV first, cv2.imshow hangs for ever
import av
import numpy as np
import pytest

from framewire.common.errors import SourceError
from framewire.common.testchart import read_number
from framewire.sender.sources import open_source, patience
from framewire.sender.sources.network import NetworkSource

if TYPE_CHECKING:
    from sender.conftest import Eventually, MakeClip

DEADLINE_S = 20

assert cv2 is not None


# -- a server -----------------------------------------------------------------------------------


def _units(clip: str) -> list[list[bytes]]:
    """The NAL units of each frame of an H.264 clip."""
    with av.open(clip) as container:
        stream = container.streams.video[0]
        to_annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        frames = [
            bytes(out) for packet in container.demux(stream) for out in to_annex_b.filter(packet)
        ]
    return [
        [
            unit.rstrip(b"\0")
            for unit in frame.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
            if unit
        ]
        for frame in frames
        if frame
    ]


def _rtp(unit: bytes, number: int, at: int, *, last: bool) -> Iterator[bytes]:
    """RTP packets of one NAL unit, numbered on: whole, or as FU-A fragments (RFC 6184, 5.6, 5.8)."""
    pieces = [unit[i : i + 1200] for i in range(1, len(unit), 1200)]
    for index, piece in enumerate(pieces):
        ends = index == len(pieces) - 1
        marker = 0x80 if last and ends else 0
        head = bytes((0x80, 96 | marker)) + ((number + index) & 0xFFFF).to_bytes(2)
        head += (at & 0xFFFFFFFF).to_bytes(4) + b"fwir"
        if len(pieces) == 1:
            yield head + unit
            return
        start = 0x80 if index == 0 else 0x40 if ends else 0
        yield head + bytes((unit[0] & 0xE0 | 28, start | unit[0] & 0x1F)) + piece


class Rtsp(socketserver.ThreadingTCPServer):
    """Just enough of RFC 2326 for one H.264 track over the connection itself."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, frames: list[list[bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.frames = frames
        self.up = True
        self.plays = 0
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.server_address[1]}/yard"

    def sdp(self) -> bytes:
        sets = [u for u in self.frames[0] if u[0] & 0x1F in (7, 8)]
        sprop = ",".join(b64encode(u).decode() for u in sets)
        lines = (
            "v=0",
            "o=- 0 0 IN IP4 127.0.0.1",
            "s=yard",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/90000",
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sprop}",
            "a=control:track1",
        )
        return "\r\n".join(lines).encode() + b"\r\n"


class _Session(socketserver.StreamRequestHandler):
    server: Rtsp

    def handle(self) -> None:
        while request := self.rfile.readline().decode():
            fields = {}
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                fields[name.lower()] = value.strip()
            method = request.split()[0]
            if not self.server.up:
                return
            self._answer(method, fields["cseq"])
            if method == "PLAY":
                self.server.plays += 1
                self._play()
                return

    def _answer(self, method: str, cseq: str) -> None:
        fields, body = {"CSeq": cseq}, b""
        if method == "OPTIONS":
            fields["Public"] = "DESCRIBE, SETUP, PLAY, TEARDOWN"
        elif method == "DESCRIBE":
            body = self.server.sdp()
            fields |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
        else:
            fields["Session"] = "1"
        if method == "SETUP":
            fields["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.wfile.write(f"RTSP/1.0 200 OK\r\n{head}\r\n".encode() + body)

    def _play(self) -> None:
        number = at = 0
        while True:
            for units in self.server.frames:
                for unit in units:
                    for packet in _rtp(unit, number, at, last=unit is units[-1]):
                        number += 1
                        try:
                            self.wfile.write(b"$\0" + len(packet).to_bytes(2) + packet)
                        except OSError:  # whoever looked has gone
                            return
                at += 90_000 // 50
                if not self.server.up or self.server.stopped.wait(0.02):
                    return


@pytest.fixture
def clip(tmp_path: Path, make_clip: "MakeClip") -> str:
    return make_clip(tmp_path / "yard.mkv", range(0, 2000, 20), muxer="matroska")


@pytest.fixture
def rtsp(clip: str) -> Iterator[Rtsp]:
    with Rtsp(_units(clip)) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.stopped.set()
        server.shutdown()
        serving.join()


# -- reading it ---------------------------------------------------------------------------------


def test_frames_of_a_camera(rtsp: Rtsp) -> None:
    with open_source(rtsp.url) as source:
        assert isinstance(source, NetworkSource)
        assert (source.name, source.live, source.encoded) == ("127.0.0.1-yard", True, False)
        frames = list(islice(source, 10))
    numbers = [read_number(f.image) for f in frames]
    assert None not in numbers
    assert frames[0].image.shape == (96, 160, 3)
    steps = [(b - a) % 100 for a, b in pairwise(n for n in numbers if n is not None)]
    gaps = [b.sequence - a.sequence for a, b in pairwise(frames)]
    assert steps == gaps  # what was not shown was counted


def test_a_camera_that_restarts(
    rtsp: Rtsp, monkeypatch: pytest.MonkeyPatch, eventually: "Eventually"
) -> None:
    monkeypatch.setattr(patience, "RETRY_S", (0.01,))
    heard: list[str] = []
    with open_source(rtsp.url) as source:
        assert isinstance(source, NetworkSource)
        source.on_state = lambda state, reason: heard.append(state)
        frames = iter(source)
        before = next(frames).sequence
        rtsp.up = False
        eventually(lambda: heard.count("no-signal") > 1, "no signal, and one more try")
        heard.clear()
        plays = rtsp.plays
        rtsp.up = True
        eventually(lambda: "live" in heard)
        assert rtsp.plays > plays
        assert next(frames).sequence > before


def test_a_camera_that_changes_its_size(
    rtsp: Rtsp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg in OpenCV scales to the size that it was opened with; most cameras hang up anyway."""
    monkeypatch.setattr(patience, "RETRY_S", (0.01,))
    larger = tmp_path / "larger.mkv"
    with av.open(str(larger), "w", format="matroska") as container:
        stream = container.add_stream("libx264", 50, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(50):
            image = np.full((240, 320, 3), number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    with open_source(rtsp.url) as source:
        frames = iter(source)
        assert next(frames).image.shape == (96, 160, 3)
        rtsp.frames = _units(str(larger))
        dark = next(f for f in islice(frames, 500) if int(f.image.max()) - int(f.image.min()) < 9)
        assert dark.image.shape == (96, 160, 3)
        rtsp.up = False
        assert rtsp.stopped.wait(0.5) is False
        rtsp.up = True
        assert any(frame.image.shape == (240, 320, 3) for frame in islice(frames, 500))


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\xff" * 5000,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n",
    ],
    ids=["rubbish", "http", "refused", "half-a-head"],
)
def test_what_is_no_rtsp_camera(answer: bytes) -> None:
    """Told in one line, by itself, in the time of one try."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_all() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(answer)
                        connection.settimeout(8)
                        connection.recv(4096)

        threading.Thread(target=answer_all, daemon=True).start()
        with pytest.raises(SourceError, match=r"cannot open rtsp://127.0.0.1") as caught:
            open_source(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/yard")
    assert "\n" not in str(caught.value)


def test_a_camera_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SourceError, match="no answer"):
        open_source(f"rtsp://127.0.0.1:{port}/yard")


# -- GStreamer's server -------------------------------------------------------------------------

_GSTREAMER = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
for name in ("matroskademux", "h264parse", "rtph264pay"):
    if not Gst.ElementFactory.find(name):
        sys.exit(name + " is not installed")
if len(sys.argv) > 1:
    server = GstRtspServer.RTSPServer(service="0", address="127.0.0.1")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( filesrc location={sys.argv[1]} ! matroskademux ! h264parse ! rtph264pay name=pay0 pt=96 )")
    server.get_mount_points().add_factory("/yard", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()
"""


def _python_with_gstreamer() -> str:
    for python in (sys.executable, "/usr/bin/python3"):
        if shutil.which(python):
            tried = subprocess.run([python, "-c", _GSTREAMER], capture_output=True, check=False)
            if tried.returncode == 0:
                return python
    pytest.skip(
        "needs GStreamer's RTSP server: apt install python3-gi gir1.2-gst-rtsp-server-1.0 "
        "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
    )


def test_frames_from_gstreamer(clip: str) -> None:
    command = [_python_with_gstreamer(), "-c", _GSTREAMER, clip]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            with open_source(f"rtsp://127.0.0.1:{port}/yard") as source:
                frames = list(islice(source, 5))
        finally:
            server.kill()
    numbers = [read_number(f.image) for f in frames]
    assert None not in numbers
    assert [f.sequence for f in frames] == sorted({f.sequence for f in frames})
