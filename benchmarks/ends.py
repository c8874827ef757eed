"""What the benchmarks of patterns share: a live camera, processes at both ends, and figures of them.

A process tells its results as JSON lines on its output, and ends when its input does: so none
outlives the benchmark.
"""

import contextlib
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2

from framewire.common.testchart import draw_number

FPS, QUALITY, WIDTH, HEIGHT = 30, 85, 1280, 720
MEADOW = Path(__file__).parent.parent / "samples" / "clips" / "meadow.mp4"
START_S = 30.0  # what a process may take to start
END_S = 10.0

Image = Any


# -- the camera -----------------------------------------------------------------------------------


def clip_frames(clip: Path, count: int = 90) -> Iterator[Image]:
    """The first `count` frames of a clip at 1280x720 (90 of them hold 250 MB)."""
    video = cv2.VideoCapture(str(clip))
    for _ in range(count):
        found, image = video.read()
        if not found:
            break
        yield cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    video.release()


def camera(frames: Sequence[Image], began_s: float) -> Iterator[Image]:
    """A live camera without end: `frames` in a loop, 30 a second, each with its number drawn in.

    Frame N is captured at `began_s` + N / 30. Who asks late gets the newest one, who asks early
    waits. The array is the camera's own and is drawn on again in the next round.
    """
    last = -1
    while True:
        number = int((time.monotonic() - began_s) * FPS)
        if number <= last:
            time.sleep(max(0.0, began_s + (last + 1) / FPS - time.monotonic()))
            continue
        last = number
        image = frames[number % len(frames)]
        draw_number(image, number)
        yield image


def jpeg(image: Image) -> Image:
    """As the examples of those systems do it that leave the encoding to their user."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]


def mean_jpeg_bytes(frames: Iterable[Image]) -> float:
    """Mean size of the camera's pictures as JPEG of quality 85."""
    sizes = []
    for number, image in enumerate(frames):
        draw_number(image, number)
        sizes.append(len(jpeg(image)))
    if not sizes:
        raise SystemExit("the clip has no frames that OpenCV can read")
    return sum(sizes) / len(sizes)


# -- inside a process -----------------------------------------------------------------------------


def tell(**facts: object) -> None:
    """One JSON line to whoever started this process."""
    print(json.dumps(facts), flush=True)


def told() -> Any:
    """One JSON line from whoever started this process."""
    return json.loads(input())


def end_when_asked(results: Callable[[], dict[str, object]]) -> None:
    """Tell `results` and be gone when the input ends, whatever the rest of the process waits for."""

    def wait() -> None:
        sys.stdin.read()
        with contextlib.suppress(BrokenPipeError):
            tell(**results())
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


# -- around a process -----------------------------------------------------------------------------


class Ended(Exception):
    """A process ended before it told what it was asked; the message is its last words."""


class Worker:
    """One end of a link, in a process of its own; `popen` starts it, here or in a namespace."""

    def __init__(self, popen: Callable[..., subprocess.Popen[str]], *argv: object) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - `end` closes it
        self.process = popen(
            [sys.executable, *map(str, argv)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def heard(self) -> dict[str, Any]:
        """The next line that it tells; what libraries print between is passed over."""
        assert self.process.stdout
        watchdog = threading.Timer(START_S, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                if line.startswith("{"):
                    facts: dict[str, Any] = json.loads(line)
                    return facts
        finally:
            watchdog.cancel()
        raise Ended(self._last_words())

    def say(self, what: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def results(self) -> dict[str, Any]:
        """What it tells when its input ends."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.heard()

    def resident_bytes(self) -> int:
        """Memory that it holds now (Linux)."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        """Kill it, stopped or not, and leave nothing open."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(END_S)
        with contextlib.suppress(BrokenPipeError):
            for stream in (self.process.stdin, self.process.stdout, self._errors):
                if stream:
                    stream.close()

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"no word, exit code {self.process.returncode}"


@contextlib.contextmanager
def workers() -> Iterator[Callable[..., Worker]]:
    """Gives a function that starts workers; ends them all when the block is left."""
    started: list[Worker] = []

    def start(popen: Callable[..., subprocess.Popen[str]], *argv: object) -> Worker:
        started.append(Worker(popen, *argv))
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            worker.end()


def leave_nothing_when_terminated() -> None:
    """Let SIGTERM end this program as Ctrl-C does: with everything put away."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


# -- figures --------------------------------------------------------------------------------------


def at_quantile(values: Sequence[float], level: float) -> float:
    """Nearest rank; nan if there are none."""
    return sorted(values)[round(level * (len(values) - 1))] if values else math.nan


def machine(*packages: str) -> str:
    """What the figures were made with: those of `packages` that are here, and the machine."""
    versions = []
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{name} {version(name)}")
    return f"{', '.join(versions)}; {os.cpu_count()} cores, {platform.platform()}"
