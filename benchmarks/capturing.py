"""What it costs to capture in a process of its own, beside a thread (Linux).

    pip install -e '.[bench]'; python benchmarks/capturing.py [--rounds 5] [--seconds 10]

A device gives 30 pictures a second of 1280x720, as pixels (written into new memory, or into what it
is given, as OpenCV does) or as JPEG of quality 85. A `LiveSource` captures them in a thread, and in a
process, and is iterated. Processor time is that of both processes, of all they do, without their start; age
is from the end of the device's read to the loop that iterates. The two take turns; each figure is divided
by that of the thread in the same round.
"""

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
from ends import FPS, MEADOW, QUALITY, SIZES, at_quantile, clip_frames, parser, take_rounds
from report import Column, Table, publish, ratios

from framewire.common.clock import monotonic_ns
from framewire.common.frame import Image
from framewire.common.jpeg import encode
from framewire.sender.sources.apart import Apart
from framewire.sender.sources.capture import Here
from framewire.sender.sources.grabber import Order, Traits
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.source import SourceOptions

THREAD, PROCESS = "in a thread", "in a process"
DISTINCT, SETTLE_S = 20, 1.0
Run = tuple[float, float, float, float]
"""Processor milliseconds a frame, age in milliseconds (p50, p95), frames lost."""


class Device:
    """Gives pictures of a clip at their pace."""

    def __init__(self, encoded: bool) -> None:
        self._encoded = encoded
        images = list(clip_frames(MEADOW, DISTINCT, SIZES["720p"]))
        self._pictures: list[Image | bytes] = (
            [encode(image, QUALITY) for image in images] if encoded else list(images)
        )
        self._began_s, self._number = 0.0, 0

    def open(self) -> Traits:
        self._began_s = time.monotonic()
        return Traits(encoded=self._encoded)

    def grab(self, into: Image | None) -> Image | bytes:
        time.sleep(max(0.0, self._began_s + self._number / FPS - time.monotonic()))
        picture = self._pictures[self._number % DISTINCT]
        self._number += 1
        if isinstance(picture, bytes):
            return bytes(bytearray(picture))  # new memory
        into = np.empty_like(picture) if into is None else into
        np.copyto(into, picture)
        return into

    def release(self) -> None:
        pass


def cpu_s(pid: int) -> float:
    """Processor time of another process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def measure(system: str, encoded: bool, seconds: float) -> Run:
    order = Order("capturing:Device", {"encoded": encoded})
    capture = Apart(order) if system == PROCESS else Here(order.make())
    with LiveSource("camera", SourceOptions(), capture) as source:
        pictures = source.packets() if encoded else iter(source)
        until_ns = monotonic_ns() + round(SETTLE_S * 1e9)
        while next(pictures).header.monotonic_ns < until_ns:
            continue
        pid = capture.pid if isinstance(capture, Apart) else None
        began = time.process_time() + (cpu_s(pid) if pid else 0.0)
        ages, first, last = [], None, None
        for _ in range(round(seconds * FPS)):
            last = next(pictures)
            first = first or last
            ages.append((monotonic_ns() - last.header.monotonic_ns) / 1e6)
        used_s = time.process_time() + (cpu_s(pid) if pid else 0.0) - began
    assert first
    assert last
    lost = last.sequence - first.sequence + 1 - len(ages)
    return used_s * 1000 / len(ages), at_quantile(ages, 0.5), at_quantile(ages, 0.95), lost


def table(title: str, rounds: list[dict[str, Run]]) -> Table:
    made = Table(
        title,
        (
            Column("ms of processor a frame", 3),
            Column("ratio"),
            Column("age p50, ms", 3),
            Column("age p95, ms", 3),
            Column("lost", 0),
        ),
    )
    taken = {
        system: [list(column) for column in zip(*(each[system] for each in rounds), strict=True)]
        for system in (THREAD, PROCESS)
    }
    for system, (cpu_ms, p50, p95, lost) in taken.items():
        made.add(system, cpu_ms, ratios(cpu_ms, taken[THREAD][0]), p50, p95, lost)
    return made


def main() -> None:
    options = parser(__doc__, seconds=10).parse_args()
    assert threading.active_count() == 1
    sys.path.insert(0, str(Path(__file__).parent))  # where the process finds `Device`
    tables = [
        table(
            f"{name} of 1280x720 at {FPS} a second",
            take_rounds(
                options.rounds,
                [THREAD, PROCESS],
                lambda system, encoded=encoded: measure(system, encoded, options.seconds),  # type: ignore[misc]
            ),
        )
        for name, encoded in (("Pixels", False), ("JPEG", True))
    ]
    publish("capturing", tables)


if __name__ == "__main__":
    main()
