"""The JPEG engine: one piece beside stripes on all cores, pinned workers beside free ones.

    pip install -e '.[bench]'; python benchmarks/jpeg_engine.py [--rounds 5] [--seconds 0.4]
        [--sizes 480p,720p,1080p] [--loads idle,busy]

Milliseconds are the median of a round's frames. The gain is the time of one piece over that of
stripes in the same round. The ways take turns within a round, so that what else the machine does
falls on all alike.

*flat out* is frame after frame; *30 fps* waits between frames as a camera does, which is where free
workers lose: they are woken on the core of the thread that wakes them. Loads: *idle*; *busy*, a
loop pinned to the last core; *all busy*, a free loop for each core; *encoder*, a second process
that encodes flat out, the same way. Sizes below the engine's limit are cut here, too, to find it.
"""

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import ends
import numpy as np
from ends import END, MEADOW, QUALITY, Image, add_choice, clip_frames, main_or_end, parser
from report import Column, Table, publish, ratios

from framewire.common import jpeg
from framewire.common.workers import Pool

SIZES = {"160p": (284, 160), "240p": (426, 240), "360p": (640, 360), **ends.SIZES}
LOADS = ("idle", "busy", "all busy", "encoder")
PINNED = "pinned, as in framewire"
CORES = len(os.sched_getaffinity(0))
PERIOD_S = 1 / 30
BETWEEN_S = 0.01  # paced: the packet is on its way; long enough for all workers to fall asleep
LONGEST_S = 3600  # a load ends by itself if nobody is left to end it
LOOP = f"import signal; signal.alarm({LONGEST_S})\nwhile True: pass"


@dataclass
class Way:
    """How to code, and the times so far: milliseconds of each round."""

    name: str
    pool: Pool | None = None
    encode_ms: list[float] = field(default_factory=list)
    decode_ms: list[float] = field(default_factory=list)

    def turn(self, images: list[Image], data: bytes, paced: bool, seconds: float) -> None:
        """One round."""
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


@contextlib.contextmanager
def _load(name: str, way: Way | None = None) -> Iterator[None]:
    """What else the machine does meanwhile."""
    last = max(os.sched_getaffinity(0))
    loop = [sys.executable, "-c", LOOP]
    commands = {
        "idle": [],
        "busy": [["taskset", "-c", str(last), *loop]],
        "all busy": [loop] * CORES,
        "encoder": [[sys.executable, __file__, END, "encode_for_ever", way.name if way else ""]],
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
        Way(PINNED, Pool(numbers, pinned=True)),
        Way("free", Pool(numbers, pinned=False)),
    ]


def _images(size: tuple[int, int], count: int) -> list[Image]:
    return [np.ascontiguousarray(image, np.uint8) for image in clip_frames(MEADOW, count, size)]


def measure(size: str, load: str, paced: bool, seconds: float, rounds: int) -> list[Way]:
    jpeg.WORTH_CUTTING = 0
    images = _images(SIZES[size], 8)
    data = jpeg.encode(images[0], QUALITY, stripes=CORES)
    ways = _ways()
    with contextlib.ExitStack() as stack:
        if load != "encoder":
            stack.enter_context(_load(load))
        for _ in range(rounds):
            for way in ways:
                with _load(load, way) if load == "encoder" else contextlib.nullcontext():
                    way.turn(images, data, paced, seconds)
    return ways


def table(load: str, sizes: list[str], seconds: float, rounds: int) -> Table:
    """All sizes, flat out and paced."""
    columns = (
        Column("encode, ms"),
        Column("gain, encode"),
        Column("decode, ms"),
        Column("gain, decode"),
    )
    made = Table(f"The JPEG engine on {CORES} cores, {load}", columns, plot=1)
    for size in sizes:
        for paced in (False, True):
            ways = measure(size, load, paced, seconds, rounds)
            for way in ways:
                made.add(
                    f"{size}, {'30 fps' if paced else 'flat out'}, {way.name}",
                    way.encode_ms,
                    ratios(ways[0].encode_ms, way.encode_ms),
                    way.decode_ms,
                    ratios(ways[0].decode_ms, way.decode_ms),
                )
    return made


def encode_for_ever(name: str) -> None:
    """The second process of the load *encoder*."""
    signal.alarm(LONGEST_S)
    way = next(way for way in _ways() if way.name == name)
    images = _images(SIZES["720p"], 8)
    way.begin()
    while True:
        for image in images:
            jpeg.encode(image, QUALITY)


def main() -> None:
    made = parser(__doc__, seconds=0.4)
    add_choice(made, "--sizes", SIZES, ends.SIZES)
    add_choice(made, "--loads", LOADS, LOADS[:2])
    options = made.parse_args()
    tables = [table(load, options.sizes, options.seconds, options.rounds) for load in options.loads]
    publish("jpeg_engine", tables)


if __name__ == "__main__":
    main_or_end(main, encode_for_ever)
