"""Cameras for `framewire record`, disks that misbehave, and every reader of what it leaves."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framewire.common import jpeg, wire
from framewire.common.clock import monotonic_ns, wall_ns
from framewire.common.closing import Closing
from framewire.common.container import RecordingReader
from framewire.common.frame import Header, Packet
from framewire.common.opencv import cv2
from framewire.sender import Sender
from processes import DEADLINE_S

RUNS = int(os.environ.get("RECORDING_RUNS", "3"))
"""How often what happens at random moments is tried: RECORDING_RUNS=200 takes its time."""


class Cameras(Closing):
    """Sends frames of some topics, each `period_s`, as soon as somebody listens.

    `queue`: how many messages wait for each receiver; a machine that has hiccups needs many.
    """

    def __init__(
        self,
        periods_s: dict[str, float],
        *,
        width: int = 160,
        height: int = 120,
        queue: int | None = None,
    ) -> None:
        noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
        self._payload = jpeg.encode(noise, 85)
        self._size: dict[str, Any] = {"width": width, "height": height}
        self._periods_s = periods_s
        self._sender = Sender("tcp://127.0.0.1:*", queue=queue or 4 * len(periods_s))
        self.endpoint = self._sender.endpoints[0]
        self.sent: dict[str, list[int]] = {topic: [] for topic in periods_s}
        """When each frame of a topic was sent, monotonic nanoseconds, by its number."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        due_s = dict.fromkeys(self._periods_s, time.monotonic())
        while not self._stop.is_set():
            topic = min(due_s, key=lambda each: due_s[each])
            if self._stop.wait(max(0.0, due_s[topic] - time.monotonic())):
                return
            due_s[topic] += self._periods_s[topic]
            if self._sender.receivers:
                self._send(topic)

    def _send(self, topic: str) -> None:
        sent = self.sent[topic]
        header = Header(
            topic=topic, sender="0123456789abcdef", sequence=len(sent), captured_ns=wall_ns(),
            monotonic_ns=monotonic_ns(), sent_ns=1, channels=3, codec="jpeg",
            crc32=wire.checksum(self._payload), **self._size,
        )  # fmt: skip
        sent.append(monotonic_ns())
        self._sender.forward(Packet(header, self._payload))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(DEADLINE_S)
        self._sender.close()


# -- every reader ---------------------------------------------------------------------------------


def numbers(path: Path) -> list[int]:
    """Sequence numbers of the frames in a recording, none of which is damaged."""
    with closing(RecordingReader(path)) as reader:
        found = [packet.sequence for packet in reader.packets()]
        assert reader.damaged == 0
    return found


def opencv_frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    frames = sum(1 for _ in iter(lambda: capture.read()[0], False))
    capture.release()
    return frames


def _told(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def ffmpeg_frames(path: Path) -> int:
    """Packets that ffprobe counts, all of which ffmpeg decodes."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed here")
    _told("ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-")
    entries = ("-select_streams", "v:0", "-show_entries", "stream=nb_read_packets")
    counted = _told(
        "ffprobe", "-v", "error", "-count_packets", *entries, "-of", "csv=p=0", str(path)
    )
    return int(counted.strip().rstrip(","))


def check(path: Path, *, cut: bool = False) -> list[int]:
    """A recording as all readers see it, its sequence numbers in a row; `cut` off at any byte."""
    found = numbers(path)
    assert found == list(range(found[0], found[0] + len(found)))
    assert ffmpeg_frames(path) in ((len(found), len(found) + 1) if cut else (len(found),))
    assert opencv_frames(path) in ((len(found), len(found) + 1) if cut else (len(found),))
    return found


# -- disks ----------------------------------------------------------------------------------------


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE_S)


@contextmanager
def _mounted(folder: Path, *mount: str) -> Iterator[Path]:
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root on Linux can mount a disk")
    folder.mkdir()
    command = ["mount", *mount, str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_S)
    if done.returncode:
        pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system in memory, full after so much."""
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={kilobytes}k", "framewire-test") as disk:
        yield disk


@contextmanager
def real_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 MiB in a file: one that can be frozen, and fail. Its loop device goes with it."""
    image = folder.with_suffix(".img")
    if not shutil.which("mkfs.ext4"):
        pytest.skip("mkfs.ext4 is not installed here")
    with image.open("wb") as file:
        file.truncate(64 << 20)
    _run("mkfs.ext4", "-q", str(image))
    with _mounted(folder, "-o", "loop", str(image)) as disk:
        yield disk


@contextmanager
def frozen(disk: Path) -> Iterator[Callable[[], None]]:
    """A disk that answers nobody until the block is left, or the function called."""
    if not shutil.which("fsfreeze"):
        pytest.skip("fsfreeze is not installed here")
    _run("fsfreeze", "--freeze", str(disk))
    is_frozen = True

    def thaw() -> None:
        nonlocal is_frozen
        if is_frozen:
            is_frozen = False
            _run("fsfreeze", "--unfreeze", str(disk))

    try:
        yield thaw
    finally:
        thaw()
