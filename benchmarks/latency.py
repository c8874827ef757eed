"""How long a frame takes from before its encoding to after its decoding, at 30 frames a second.

    pip install -e '.[bench]'; python benchmarks/latency.py [SECONDS] [ROUNDS]

A camera's loop at 30 frames a second in one process, a receiver that decodes in another, over
loopback, for pictures of 1280x720 and 1920x1080 (JPEG quality 85). The sender writes down when it
gives a picture away, the receiver when it has it decoded, on the one clock of this machine; the
picture carries its number. The *floor* is the codec alone: encoding and decoding the same pictures
one after the other on one core, at the same pace, in a process of its own. Systems take turns, each
for SECONDS (8), ROUNDS (5) times; the table has medians of the rounds, with the least and the most,
and their ratio to the floor of the same round.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from ends import MEADOW, QUALITY, Image, Worker, at_quantile, machine, tell, workers
from slow_link import SYSTEMS, Place

from framewire.common.testchart import draw_number, read_number

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
NAMES = ("pub-sub", "req-rep", "imagezmq-pub", "netgear-pub")
FPS, DISTINCT, WARM_S, PORT, MOST = 30, 40, 1.0, 22100, 100_000
FLOOR = "codec alone, one core"


def pictures(size: tuple[int, int]) -> list[Image]:
    video, made = cv2.VideoCapture(str(MEADOW)), []
    while len(made) < DISTINCT:
        _, image = video.read()
        made.append(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))
    video.release()
    return made


def paced(size: tuple[int, int], seconds: float) -> Iterator[tuple[int, Image]]:
    """Numbered pictures, 30 a second."""
    frames = pictures(size)
    began_s = time.monotonic()
    for number in range(int(seconds * FPS)):
        time.sleep(max(0.0, began_s + number / FPS - time.monotonic()))
        image = frames[number % DISTINCT]
        draw_number(image, number)
        yield number, image


def send(name: str, size: str, port: int, seconds: float, times: str) -> None:
    given = np.memmap(times, np.float64, "r+", shape=(MOST,))
    give = SYSTEMS[name].send(Place("127.0.0.1", "127.0.0.1", port))
    tell(ready=True)
    time.sleep(WARM_S)
    for number, image in paced(SIZES[size], seconds):
        given[number] = time.monotonic()
        give(image)
    time.sleep(WARM_S)
    os._exit(0)  # some of these systems wait for ever when they are closed


def receive(name: str, port: int, times: str) -> None:
    had = np.memmap(times, np.float64, "r+", shape=(MOST,))
    tell(ready=True)
    for arrival in SYSTEMS[name].receive(Place("127.0.0.1", "127.0.0.1", port)):
        now_s = time.monotonic()
        number = read_number(arrival.image)
        if number is not None:
            had[number] = now_s


def floor(size: str, seconds: float) -> None:
    """The codec with the product's settings, in one piece, paced as the others are."""
    import simplejpeg

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    took = []
    for _, image in paced(SIZES[size], seconds):
        began_s = time.monotonic()
        encoded = simplejpeg.encode_jpeg(image, QUALITY, "BGR", "420", False)
        simplejpeg.decode_jpeg(encoded, "BGR", False, True)
        took.append((time.monotonic() - began_s) * 1000)
    tell(took=took[FPS:])


def start(start_worker: object, *argv: object) -> Worker:
    return start_worker(subprocess.Popen, __file__, *argv)  # type: ignore[operator]


def measure(name: str, size: str, port: int, seconds: float) -> list[float]:
    """Milliseconds of each frame, those of the first second left out."""
    with workers() as make, tempfile.TemporaryDirectory() as folder:
        if name == FLOOR:
            return [float(each) for each in start(make, "floor", size, seconds).heard()["took"]]
        given, had = (Path(folder, kind) for kind in ("given", "had"))
        for path in (given, had):
            np.memmap(path, np.float64, "w+", shape=(MOST,)).flush()
        receiver = start(make, "receive", name, port, had)
        receiver.heard()
        sender = start(make, "send", name, size, port, seconds, given)
        sender.heard()
        sender.process.wait(seconds + 60)
        before, after = (np.memmap(path, np.float64, "r", shape=(MOST,)) for path in (given, had))
        numbers = [n for n in range(FPS, int(seconds * FPS)) if before[n] and after[n]]
        return [float(after[n] - before[n]) * 1000 for n in numbers]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def table(size: str, seconds: float, rounds: int, port: int) -> None:
    quantiles: dict[str, list[tuple[float, float]]] = {name: [] for name in (FLOOR, *NAMES)}
    for number in range(rounds):
        for index, name in enumerate(quantiles):
            took = measure(name, size, port + number * len(quantiles) + index, seconds)
            quantiles[name].append((at_quantile(took, 0.5), at_quantile(took, 0.99)))
    print(f"\n| {size} | p50, ms | p99, ms | p50 / floor | p99 / floor's p50 |")
    print("| --- | --- | --- | --- | --- |")
    floors = [p50 for p50, _ in quantiles[FLOOR]]
    for name, rows in quantiles.items():
        title = SYSTEMS[name].title if name in SYSTEMS else name
        ratios = [
            spread([row[which] / floor_ms for row, floor_ms in zip(rows, floors, strict=True)])
            for which in (0, 1)
        ]
        cells = [spread([row[0] for row in rows]), spread([row[1] for row in rows]), *ratios]
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


def main(argv: list[str]) -> None:
    if argv[:1] == ["send"]:
        send(argv[1], argv[2], int(argv[3]), float(argv[4]), argv[5])
    elif argv[:1] == ["receive"]:
        receive(argv[1], int(argv[2]), argv[3])
    elif argv[:1] == ["floor"]:
        floor(argv[1], float(argv[2]))
    else:
        seconds, rounds = float((argv or ["8"])[0]), int((argv[1:] or ["5"])[0])
        print(machine("framewire", "imagezmq", "vidgear", "simplejpeg", "opencv-python"))
        for index, size in enumerate(SIZES):
            table(size, seconds, rounds, PORT + 200 * index)


if __name__ == "__main__":
    main(sys.argv[1:])
