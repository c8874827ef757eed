"""The JPEG engine: one piece beside stripes on all cores, pinned workers beside free ones.

    python benchmarks/jpeg_engine.py [--sizes 480p,720p,1080p] [--loads idle,busy] [--seconds 0.4]

Milliseconds are the medians of a repetition's frames, and the median of all repetitions. The gain
is the time of one piece over that of stripes in the same repetition: median (least to most). The
ways take turns within a repetition, so that what else the machine does falls on all alike.

*flat out* is frame after frame; *30 fps* waits between frames as a camera does, which is where free
workers lose: they are woken on the core of the thread that wakes them. Loads: *idle*; *busy*, a
loop pinned to the last core; *all busy*, a free loop for each core; *encoder*, a second process
that encodes flat out, the same way. Sizes below the engine's limit are cut here, too, to find it.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from ends import MEADOW, QUALITY, Image, clip_frames, machine

from framewire.common import jpeg
from framewire.common.workers import Pool

SIZES = {
    "160p": (284, 160),
    "240p": (426, 240),
    "360p": (640, 360),
    "480p": (854, 480),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
}
CORES = len(os.sched_getaffinity(0))
PERIOD_S = 1 / 30
BETWEEN_S = 0.01  # paced: the packet is on its way; long enough for all workers to fall asleep
LOOP = "while True: pass"


@dataclass
class Way:
    """How to code, and the times so far: a list of milliseconds for each repetition."""

    name: str
    pool: Pool | None = None
    encode_ms: list[float] = field(default_factory=list)
    decode_ms: list[float] = field(default_factory=list)

    def turn(self, images: list[Image], data: bytes, paced: bool, seconds: float) -> None:
        """One repetition."""
        self.begin()
        times: list[tuple[float, float]] = []
        start = time.perf_counter()
        while (now := time.perf_counter()) < start + seconds:
            times.append(self._frame(images[len(times) % len(images)], data, paced))
            if paced:
                time.sleep(max(0.0, now + PERIOD_S - time.perf_counter()))
        self.encode_ms.append(statistics.median(encode for encode, _ in times))
        self.decode_ms.append(statistics.median(decode for _, decode in times))

    def begin(self) -> None:
        """Let the engine use this way's pool, which may rest; one piece divides nothing."""
        if self.pool is None:
            jpeg.share = lambda: 1
        else:
            jpeg.share, jpeg.run = self.pool.share, self.pool.run

    def _frame(self, image: Image, data: bytes, paced: bool) -> tuple[float, float]:
        encode_ms = _took_ms(lambda: jpeg.encode(image, QUALITY))
        if paced:
            time.sleep(BETWEEN_S)
        return encode_ms, _took_ms(lambda: jpeg.decode(data))


def _took_ms(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return (time.perf_counter() - start) * 1e3


def _gain(one: list[float], other: list[float]) -> str:
    gains = [a / b for a, b in zip(one, other, strict=True)]
    return f"{statistics.median(gains):.2f} ({min(gains):.2f}-{max(gains):.2f})"


@contextlib.contextmanager
def _load(name: str, way: Way | None = None) -> Iterator[None]:
    """What else the machine does meanwhile."""
    last = max(os.sched_getaffinity(0))
    loop = [sys.executable, "-c", LOOP]
    commands = {
        "idle": [],
        "busy": [["taskset", "-c", str(last), *loop]],
        "all busy": [loop] * CORES,
        "encoder": [[sys.executable, __file__, "--encode", way.name if way else ""]],
    }[name]
    processes = [subprocess.Popen(command) for command in commands]
    if name == "encoder":
        time.sleep(1)  # it imports and reads its clip
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _ways() -> list[Way]:
    numbers = sorted(os.sched_getaffinity(0))
    return [
        Way("one piece"),
        Way("pinned", Pool(numbers, pinned=True)),
        Way("free", Pool(numbers, pinned=False)),
    ]


def _images(size: tuple[int, int], count: int) -> list[Image]:
    frames = clip_frames(MEADOW, count)
    return [np.ascontiguousarray(cv2.resize(frame, size), np.uint8) for frame in frames]


def measure(size: str, load: str, paced: bool, seconds: float, repetitions: int) -> None:
    """Print rows of the table."""
    jpeg.WORTH_CUTTING = 0
    images = _images(SIZES[size], 8)
    data = jpeg.encode(images[0], QUALITY, stripes=CORES)
    ways = _ways()
    with contextlib.ExitStack() as stack:
        if load != "encoder":
            stack.enter_context(_load(load))
        for _ in range(repetitions):
            for way in ways:
                with _load(load, way) if load == "encoder" else contextlib.nullcontext():
                    way.turn(images, data, paced, seconds)
    for way in ways:
        e, d = way.encode_ms, way.decode_ms
        print(
            f"| {size} | {load} | {'30 fps' if paced else 'flat out'} | {way.name} "
            f"| {statistics.median(e):.2f} | {_gain(ways[0].encode_ms, e)} "
            f"| {statistics.median(d):.2f} | {_gain(ways[0].decode_ms, d)} |",
            flush=True,
        )


def encode_for_ever(name: str) -> None:
    """The second process of the load *encoder*."""
    way = next(way for way in _ways() if way.name == name)
    images = _images(SIZES["720p"], 8)
    way.begin()
    while True:
        for image in images:
            jpeg.encode(image, QUALITY)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="480p,720p,1080p")
    parser.add_argument("--loads", default="idle,busy", help="of: idle, busy, all busy, encoder")
    parser.add_argument("--seconds", type=float, default=0.4, help="each way and repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--encode", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.encode:
        encode_for_ever(options.encode)
    print(machine("framewire", "simplejpeg", "numpy"), end="\n\n")
    print("| size | load | pace | way | encode ms | gain | decode ms | gain |")
    print("| --- | --- | --- | --- | ---: | --- | ---: | --- |")
    for load in options.loads.split(","):
        for size in options.sizes.split(","):
            for paced in (False, True):
                measure(size, load, paced, options.seconds, options.repetitions)


if __name__ == "__main__":
    main()
