"""Network cameras that fail: each is told in three seconds, and comes back."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from faults.badcamera import BadCamera
from faults.rtspcamera import PACKAGES, RtspCamera, make_clip, python_with_gstreamer
from faults.sending import LIMIT_S, Sending
from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import SourceError
from framewire.sender import open_source
from processes import Start, until

# What a camera does while it is watched, and a part of what is said of it.
FAULTS = {
    "refuse": "it gives no more pictures",
    "accept": "it gives no more pictures",
    "stall": "it gives no picture for 2 s",
    "half": "it gives no picture for 2 s",
    "rubbish": "it gives no more pictures",
    "damaged": "it gives no whole picture: cut JPEG",
    "still": "it has shown the same picture for 2 s",
    "redirect": "it gives no more pictures",
    "close": "it gives no more pictures",
    "slow": "it gives no more pictures",
}
BACK_S = 22
"""Until it is back: a try that is not answered takes 10 s at most, and the next comes 4 s later."""


class Watching:
    """A source that is iterated, and what it says."""

    def __init__(self, url: str) -> None:
        self.source = open_source(url)
        self.frames = 0
        self.heard: list[tuple[int, str, str]] = []
        self.source.on_state = lambda *said: self.heard.append((monotonic_ns(), *said))
        self._thread = threading.Thread(target=self._iterate)
        self._thread.start()

    def _iterate(self) -> None:
        for _ in self.source.packets():
            self.frames += 1

    def close(self) -> None:
        begun_ns = monotonic_ns()
        self.source.close()
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()
        assert monotonic_ns() - begun_ns < LIMIT_S * NS

    def until_heard(self, state: str, after_ns: int, deadline_s: float) -> str:
        """The reason of the first such state after that time."""

        def found() -> list[str]:
            return [r for at, s, r in list(self.heard) if s == state and at >= after_ns]

        until(lambda: bool(found()), deadline_s)
        return found()[0]


def one_fault(camera: BadCamera, fault: str) -> None:
    with closing(camera), closing(Watching(camera.url)) as watching:
        until(lambda: watching.frames > 3)
        begun_ns = monotonic_ns()
        camera.do = fault
        reason = watching.until_heard("no-signal", begun_ns, LIMIT_S)
        assert FAULTS[fault] in reason
        time.sleep(3)  # it is tried again, more and more seldom
        attempts = [at for at in camera.attempts if at > begun_ns]
        assert len(attempts) <= (40 if fault == "redirect" else 8)
        frames, again_ns = watching.frames, monotonic_ns()
        camera.do = "good"
        until(lambda: watching.frames > frames + 3, BACK_S)
        until(lambda: watching.heard[-1][1] == "live", LIMIT_S)
        assert monotonic_ns() - again_ns < BACK_S * NS


def test_an_http_camera_that_fails_is_told_and_comes_back() -> None:
    cameras = {fault: BadCamera() for fault in FAULTS}
    with ThreadPoolExecutor(len(cameras)) as side_by_side:
        running = {
            fault: side_by_side.submit(one_fault, camera, fault)
            for fault, camera in cameras.items()
        }
    failed = {fault: str(one.exception()) for fault, one in running.items() if one.exception()}
    assert not failed


def test_an_http_camera_that_changes_its_size() -> None:
    with closing(BadCamera()) as camera, open_source(camera.url) as source:
        packets = source.packets()
        assert next(packets).header.width == 320
        camera.do = "large"
        until(lambda: next(packets).header.width == 640)


def test_an_http_camera_that_fails_from_the_start_is_told_at_once() -> None:
    def refused(fault: str) -> None:
        with closing(BadCamera()) as camera:
            camera.do = fault
            time.sleep(0.2)
            begun = time.monotonic()
            with pytest.raises(SourceError, match=r"cannot open http|does not answer"):
                open_source(camera.url)
            assert time.monotonic() - begun < 13

    with ThreadPoolExecutor(5) as side_by_side:
        faults = ("refuse", "accept", "rubbish", "redirect", "slow")
        for one in [side_by_side.submit(refused, fault) for fault in faults]:
            one.result()


def test_a_sender_tells_of_an_http_camera_and_can_be_ended(framewire: Start) -> None:
    with closing(BadCamera()) as camera, Sending(framewire, camera.url) as sending:
        sending.until_live()
        camera.do = "stall"
        assert sending.until_lost("it gives no picture for 2 s") < LIMIT_S
        assert sending.frames(1) == 0
        until(lambda: len(camera.attempts) > 2)  # it hangs in the next try
        sending.command.signal(signal.SIGTERM)
        assert sending.command.wait(LIMIT_S) == 0
        assert sending.command.event("summary")["captured"]


# -- RTSP ---------------------------------------------------------------------------------------


@pytest.fixture
def rtsp(tmp_path: Path, port: int) -> Iterator[Callable[[], RtspCamera]]:
    python = python_with_gstreamer()
    if python is None:
        if os.environ.get("CI"):
            pytest.fail(f"needs GStreamer's RTSP server: {PACKAGES}")
        pytest.skip(f"needs GStreamer's RTSP server: {PACKAGES}")
    clip = tmp_path / "cam.mkv"
    make_clip(clip, 60)
    with ExitStack() as stack:

        def start() -> RtspCamera:
            camera = RtspCamera(python, port, clip)
            stack.callback(camera.kill)
            camera.start()
            return camera

        yield start


def test_an_rtsp_camera_that_stalls_is_killed_and_comes_back(
    framewire: Start, rtsp: Callable[[], RtspCamera]
) -> None:
    camera = rtsp()
    with Sending(framewire, camera.url) as sending:
        sending.until_live()
        camera.signal(signal.SIGSTOP)
        assert sending.until_lost("it gives no picture for 2 s") < LIMIT_S
        camera.signal(signal.SIGCONT)
        assert sending.until_live() < BACK_S
        camera.kill()
        assert sending.until_lost() < LIMIT_S
        until(lambda: "cannot open rtsp" in sending.reason)
        assert "Connection refused" in sending.reason
        camera.start()
        assert sending.until_live() < BACK_S
        sending.command.signal(signal.SIGINT)
        assert sending.command.wait(LIMIT_S) == 0
