"""GStreamer's RTSP server as a process that can be stopped, killed and started again.

As a program (python rtspcamera.py PORT FILE), run with a Python that has GStreamer: serves FILE.
"""

import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

PACKAGES = (
    "apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-bad"
)


def python_with_gstreamer() -> str | None:
    """A Python that can be the server, if there is one."""
    for python in (sys.executable, "/usr/bin/python3"):
        if shutil.which(python):
            tried = subprocess.run([python, __file__], capture_output=True, check=False)
            if tried.returncode == 0:
                return python
    return None


def make_clip(path: Path, seconds: int) -> None:
    """A noisy H.264 clip, 10 frames a second."""
    import cv2  # before av: in a process that loads PyAV first, cv2.imshow hangs for ever
    import av
    import numpy as np

    assert cv2 is not None
    noise = np.random.default_rng(1)
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(
            "libx264", 10, options={"crf": "40", "g": "10", "preset": "ultrafast"}
        )
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        stream.codec_context.thread_count = 1
        for number in range(seconds * 10):
            image = noise.integers(0, 255, (96, 160, 3), np.uint8)
            picture = av.VideoFrame.from_ndarray(image, format="bgr24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


class RtspCamera:
    """The server, on `port` of this machine; it does not run before `start`."""

    def __init__(self, python: str, port: int, clip: Path) -> None:
        self._argv = [python, __file__, str(port), str(clip)]
        self.url = f"rtsp://127.0.0.1:{port}/cam"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None


def _serve(arguments: list[str]) -> None:
    import gi  # type: ignore[import-not-found, unused-ignore]

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import (  # type: ignore[import-not-found, unused-ignore]
        GLib,
        Gst,
        GstRtspServer,
    )

    Gst.init(None)
    for name in ("matroskademux", "h264parse", "rtph264pay"):
        if not Gst.ElementFactory.find(name):
            sys.exit(f"{name} is not installed")
    if not arguments:
        return
    port, clip = arguments
    server = GstRtspServer.RTSPServer(service=port, address="127.0.0.1")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( filesrc location={clip} ! matroskademux ! h264parse ! rtph264pay name=pay0 pt=96 )"
    )
    server.get_mount_points().add_factory("/cam", factory)
    if not server.attach(None):
        sys.exit(f"port {port} cannot be used")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    _serve(sys.argv[1:])
