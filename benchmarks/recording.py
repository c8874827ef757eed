"""What recording costs, and how fast a recording is read, beside OpenCV's writer and reader.

    pip install -e '.[bench]'; python benchmarks/recording.py [--rounds 5] [--seconds 10]

As many frames of 1280x720 as a camera makes in so many seconds (30 fps, JPEG quality 85, made from
samples/clips/meadow.mp4) are written flat out, first to last byte with opening and closing: their
packets with `Recorder`, as `framewire record` does, and their pixels with `cv2.VideoWriter` (MJPG
in AVI, its own quality). A program that has JPEG must decode it before it can use the latter: the
row *decode, then...* counts that, too. A plain file of the same bytes is what the operating system
takes. Then both files are read, from opening to the last frame.

Processor time is that of the whole process; ways take turns, each is divided by OpenCV's time or
rate of the same round, and the first round warms up and is not counted.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from ends import FPS, HEIGHT, MEADOW, QUALITY, WIDTH, Image, clip_frames, main_or_end, parser
from report import Column, Table, publish, ratios

from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.wire import checksum
from framewire.receiver import Recorder
from framewire.sender import open_source

DISTINCT = 60  # 165 MB of pixels
WRITER, READER = "cv2.VideoWriter of decoded frames", "cv2.VideoCapture of its AVI"
RECORDER = "framewire Recorder of packets"
SAME = "cv2.VideoCapture of the recording"
Cost = tuple[float, float, float]
"""Milliseconds a frame: of processor, of the clock; kilobytes a frame."""


# -- writing --------------------------------------------------------------------------------------


def packet(number: int, jpeg: bytes) -> Packet:
    header = Header(
        topic="bench", sender="0" * 16, sequence=number, sent_ns=1, width=WIDTH, height=HEIGHT,
        captured_ns=10**18 + number * 10**9 // FPS, channels=3, codec="jpeg", quality=QUALITY,
        crc32=checksum(jpeg),
    )  # fmt: skip
    return Packet(header, jpeg)


def record(path: Path, packets: Iterable[Packet]) -> None:
    with Recorder(path, overwrite=True) as recorder:
        for each in packets:
            recorder.write(each)


def write_bytes(path: Path, packets: Iterable[Packet]) -> None:
    """What no way of recording can save: the operating system's part."""
    with path.open("wb") as file:
        for each in packets:
            file.write(each.payload)


def write_video(path: Path, images: Iterable[Image]) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH, HEIGHT))
    for image in images:
        writer.write(image)
    writer.release()


def decoded(jpeg: bytes) -> Image:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def cost(path: Path, frames: int, write: Callable[[Path], None]) -> Cost:
    path.unlink(missing_ok=True)  # to empty a file costs, too
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    write(path)
    took = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    cpu_ms, ms = (1000 * each / frames for each in took)
    return cpu_ms, ms, path.stat().st_size / frames / 1000


# -- reading --------------------------------------------------------------------------------------


def count_packets(path: Path) -> int:
    with open_source(str(path), speed=0) as source:
        return sum(1 for _ in source.packets())


def count_frames(path: Path) -> int:
    with open_source(str(path), speed=0) as source:
        return sum(1 for _ in source)


def count_captured(path: Path) -> int:
    video, count = cv2.VideoCapture(str(path)), 0
    while video.read()[0]:
        count += 1
    video.release()
    return count


def rate(path: Path, frames: int, count: Callable[[Path], int]) -> tuple[float, float]:
    """Frames a second, and a second of processor."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    found = count(path)
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    if found != frames:
        sys.exit(f"failed: {path} has {found} frames instead of {frames}")
    return frames / seconds, frames / cpu_s


# -- what is measured -----------------------------------------------------------------------------


def measure(
    frames: int, rounds: int, folder: Path
) -> tuple[dict[str, list[Cost]], dict[str, list[tuple[float, float]]]]:
    images = list(clip_frames(MEADOW, min(DISTINCT, frames)))
    packets = [packet(n, encode(image, QUALITY)) for n, image in enumerate(images)]
    jpegs = [each.payload for each in packets]
    packets = [packet(n, jpegs[n % len(jpegs)]) for n in range(frames)]
    mkv, avi, plain = (folder / f"bench.{suffix}" for suffix in ("mkv", "avi", "bytes"))

    def pictures() -> Iterable[Image]:
        return (images[n % len(images)] for n in range(frames))

    def decoded_pictures() -> Iterable[Image]:
        return (decoded(each.payload) for each in packets)

    writers: dict[str, tuple[Path, Callable[[Path], None]]] = {
        RECORDER: (mkv, lambda path: record(path, packets)),
        "the same bytes into a plain file": (plain, lambda path: write_bytes(path, packets)),
        f"decode, then {WRITER}": (avi, lambda path: write_video(path, decoded_pictures())),
        WRITER: (avi, lambda path: write_video(path, pictures())),
    }
    readers: dict[str, tuple[Path, Callable[[Path], int]]] = {
        "framewire, packets": (mkv, count_packets),
        "framewire, decoded frames": (mkv, count_frames),
        SAME: (mkv, count_captured),
        READER: (avi, count_captured),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in writers}
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    for _ in range(1 + rounds):
        for name, (path, write) in writers.items():
            costs[name].append(cost(path, frames, write))
        for name, (path, count) in readers.items():
            rates[name].append(rate(path, frames, count))
    return {k: v[1:] for k, v in costs.items()}, {k: v[1:] for k, v in rates.items()}


def writing(costs: dict[str, list[Cost]]) -> Table:
    columns = (
        Column("ms of processor a frame", 3),
        Column("ratio to VideoWriter", 4, "<= 0.0125"),
        Column("ms a frame", 3),
        Column("ratio", 4),
        Column("kB a frame", 0),
    )
    table = Table("Recording 1280x720, JPEG quality 85", columns, plot=1)
    videos = [list(column) for column in zip(*costs[WRITER], strict=True)]
    for name, rows in costs.items():
        cpu_ms, ms, size = (list(column) for column in zip(*rows, strict=True))
        table.add(name, cpu_ms, ratios(cpu_ms, videos[0]), ms, ratios(ms, videos[1]), size)
    return table


def reading(rates: dict[str, list[tuple[float, float]]]) -> Table:
    columns = (
        Column("frames a second", 0),
        Column("ratio to VideoCapture of the AVI"),
        Column("ratio to VideoCapture of the recording"),
        Column("frames a second of processor", 0),
    )
    table = Table("Reading it back", columns, plot=1)
    fps = {name: [row[0] for row in rows] for name, rows in rates.items()}
    for name, rows in rates.items():
        own, cpu = fps[name], [row[1] for row in rows]
        table.add(name, own, ratios(own, fps[READER]), ratios(own, fps[SAME]), cpu)
    return table


def main() -> None:
    options = parser(__doc__, seconds=10).parse_args()
    frames = max(1, round(options.seconds * FPS))
    with tempfile.TemporaryDirectory() as folder:
        costs, rates = measure(frames, options.rounds, Path(folder))
    publish("recording", [writing(costs), reading(rates)])


if __name__ == "__main__":
    main_or_end(main)
