"""How old frames get at a receiver that is too slow: framewire beside imagezmq and NetGear.

    pip install -e '.[bench]'; python benchmarks/slow_receiver.py [SECONDS]

A camera's loop at 30 frames a second (a test chart of 640x480, JPEG quality 85) in one process, a
receiver that needs 100 ms for each frame in another. The age of a frame is read off the picture: its
number says when it was captured, on the one clock of this machine. Each system is used as its own
documentation shows; all run one after the other in one run of this program.
"""

import multiprocessing
import platform
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np

from framewire.common.testchart import draw_number, read_number

FPS, WORK_S, PORT = 30, 0.1, 21700
Image = Any
Give = Callable[[Image], object]


def camera(began_s: float, seconds: float) -> Iterator[Image]:
    """A camera of the kind that OpenCV reads: who is late gets the picture of that moment."""
    background = cv2.GaussianBlur(
        np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8), (0, 0), 3
    )
    last = -1
    while time.monotonic() < began_s + seconds:
        number = int((time.monotonic() - began_s) * FPS)
        if number <= last:
            time.sleep(max(0.0, began_s + (last + 1) / FPS - time.monotonic()))
            continue
        last = number
        image = background.copy()
        draw_number(image, number)
        yield image


def jpeg(image: Image) -> Image:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]


def framewire_send(port: int) -> Give:
    from framewire.sender import Sender

    return Sender(f"tcp://127.0.0.1:{port}", topic="bench").send


def framewire_receive(port: int) -> Iterator[Image]:
    from framewire.receiver import Receiver

    with Receiver(f"tcp://127.0.0.1:{port}") as receiver:
        for frame in receiver:
            yield frame.image


def imagezmq_send(port: int, request: bool) -> Give:
    import imagezmq

    to = f"tcp://127.0.0.1:{port}"
    sender = imagezmq.ImageSender(connect_to=to, REQ_REP=request)
    return lambda image: sender.send_jpg("bench", jpeg(image))


def imagezmq_receive(port: int, request: bool) -> Iterator[Image]:
    import imagezmq

    hub = imagezmq.ImageHub(open_port=f"tcp://127.0.0.1:{port}", REQ_REP=request)
    while True:
        _, data = hub.recv_jpg()
        yield cv2.imdecode(np.frombuffer(data, np.uint8), -1)
        if request:
            hub.send_reply(b"OK")


def netgear_send(port: int, pattern: int) -> Give:
    from vidgear.gears import NetGear

    options = {"address": "127.0.0.1", "port": str(port), "protocol": "tcp", "pattern": pattern}
    return NetGear(**options, logging=False, jpeg_compression_quality=85).send


def netgear_receive(port: int, pattern: int) -> Iterator[Image]:
    from vidgear.gears import NetGear

    options = {"address": "127.0.0.1", "port": str(port), "protocol": "tcp", "pattern": pattern}
    client = NetGear(**options, receive_mode=True, logging=False)
    while (image := client.recv()) is not None:
        yield image


SYSTEMS: dict[str, tuple[Callable[..., Give], Callable[..., Iterator[Image]], tuple[Any, ...]]] = {
    "framewire": (framewire_send, framewire_receive, ()),
    "imagezmq PUB/SUB": (imagezmq_send, imagezmq_receive, (False,)),
    "imagezmq REQ/REP": (imagezmq_send, imagezmq_receive, (True,)),
    "NetGear PUB/SUB (pattern 2)": (netgear_send, netgear_receive, (2,)),
    "NetGear REQ/REP (pattern 1)": (netgear_send, netgear_receive, (1,)),
}


def send(name: str, port: int, began_s: float, seconds: float, captured: Any) -> None:
    make, _, arguments = SYSTEMS[name]
    give = make(port, *arguments)
    for image in camera(began_s, seconds):
        give(image)
        captured.value += 1


def receive(name: str, port: int, began_s: float, results: Connection) -> None:
    _, make, arguments = SYSTEMS[name]
    for image in make(port, *arguments):
        now_s = time.monotonic()
        number = read_number(image)
        assert number is not None
        results.send((now_s - began_s, now_s - began_s - number / FPS))
        time.sleep(WORK_S)


def measure(name: str, port: int, seconds: float) -> tuple[list[tuple[float, float]], int]:
    """(seconds since the start, age in seconds) of each frame received; how many were captured."""
    context = multiprocessing.get_context("spawn")
    captured = context.Value("q", 0)
    results, far_end = context.Pipe(duplex=False)
    began_s = time.monotonic() + 3.0  # both have started by then
    both = [
        context.Process(target=receive, args=(name, port, began_s, far_end)),
        context.Process(target=send, args=(name, port, began_s, seconds, captured)),
    ]
    for process in both:
        process.start()
    got = []
    while time.monotonic() < began_s + seconds:
        if results.poll(0.1):
            got.append(results.recv())
    for process in both:
        process.kill()
        process.join()
    return got, captured.value


def at_quantile(values: list[float], level: float) -> float:
    return sorted(values)[round(level * (len(values) - 1))] if values else float("nan")


def main(seconds: float) -> None:
    versions = ", ".join(f"{name} {version(name)}" for name in ("framewire", "imagezmq", "vidgear"))
    print(f"{versions}; {multiprocessing.cpu_count()} cores, {platform.platform()}")
    print("| | age p50, first quarter | last quarter | p95 there | received | camera's loop |")
    print("| --- | --- | --- | --- | --- | --- |")
    for number, name in enumerate(SYSTEMS):
        got, captured = measure(name, PORT + number, seconds)
        first = [age * 1000 for at, age in got if 0 <= at < seconds / 4]
        last = [age * 1000 for at, age in got if at >= seconds * 3 / 4]
        print(
            f"| {name} | {at_quantile(first, 0.5):.0f} ms | {at_quantile(last, 0.5):.0f} ms "
            f"| {at_quantile(last, 0.95):.0f} ms | {len(got) / seconds:.1f} fps "
            f"| {captured / seconds:.1f} fps |",
            flush=True,
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)
