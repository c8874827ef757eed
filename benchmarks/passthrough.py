"""How fast a recording passes through the network into another, beside the bare socket.

    python benchmarks/passthrough.py [FRAMES] [ROUNDS]

FRAMES (1,500) pictures of 1920x1080 (JPEG quality 85, made from samples/clips/meadow.mp4) lie in a
recording. `open_source(speed=0)` and `Sender.forward` in one process, `Receiver` and `Recorder` in
another, over loopback: nothing is decoded or encoded. The floor is the same bytes from a bare PUSH
to a bare PULL socket of pyzmq, which neither reads, checks nor writes anything. Systems take turns,
ROUNDS (5) times; the table has the medians, with the least and the most.
"""

import multiprocessing
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import zmq

from framewire.common.container import RecordingWriter
from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.wire import checksum

SPAWN = multiprocessing.get_context("spawn")
MEADOW = Path(__file__).parent.parent / "samples" / "clips" / "meadow.mp4"
PATTERNS = ("push-pull", "pub-sub")
DISTINCT, WIDTH, HEIGHT, QUALITY, PORT, QUIET_S = 50, 1920, 1080, 85, 21900, 2.0


def pictures() -> list[bytes]:
    video, made = cv2.VideoCapture(str(MEADOW)), []
    for _ in range(DISTINCT):
        _, image = video.read()
        made.append(encode(cv2.resize(image, (WIDTH, HEIGHT)), QUALITY))
    video.release()
    return made


def write(path: Path, jpegs: list[bytes], frames: int) -> None:
    writer = None
    for number in range(frames):
        jpeg = jpegs[number % len(jpegs)]
        header = Header(
            topic="bench", sender="0" * 16, sequence=number, sent_ns=1, width=WIDTH, height=HEIGHT,
            captured_ns=10**18 + number * 33_333_333, channels=3, codec="jpeg", quality=QUALITY,
            crc32=checksum(jpeg),
        )  # fmt: skip
        writer = writer or RecordingWriter(path, header)
        writer.write(Packet(header, jpeg))
    assert writer
    writer.close()


def send(system: str, endpoint: str, path: str, frames: int, told: Connection) -> None:
    if system == "bare pyzmq":
        return send_bare(endpoint, path, frames, told)
    from framewire.sender import Sender, open_source

    with open_source(path, speed=0) as source, Sender(endpoint) as sender:
        sender.wait_for_receivers(1, 20)
        began_s = time.process_time()
        for packet in source.packets():
            sender.forward(packet)
        told.send((time.process_time() - began_s) / frames)
        sender.close(20)


def send_bare(endpoint: str, path: str, frames: int, told: Connection) -> None:
    jpegs = pictures()
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.setsockopt(zmq.SNDHWM, 2)
        socket.bind(endpoint)
        socket.send(b"begin")
        began_s = time.process_time()
        for number in range(frames):
            socket.send_multipart([b"bench/", bytes(300), jpegs[number % DISTINCT]], copy=False)
        told.send((time.process_time() - began_s) / frames)
        socket.close(20_000)


def receive(system: str, endpoint: str, out: str, frames: int, told: Connection) -> None:
    if system == "bare pyzmq":
        return receive_bare(endpoint, frames, told)
    from framewire.common.errors import ReceiveTimeout
    from framewire.receiver import Receiver, Recorder

    with Receiver(endpoint, keep="all") as receiver, Recorder(out, overwrite=True) as recorder:
        recorder.write(receiver.read_packet(30))
        began_s, began_cpu_s, count = time.monotonic(), time.process_time(), 0
        ended_s = began_s
        while count < frames - 1:
            try:
                recorder.write(receiver.read_packet(QUIET_S))
            except ReceiveTimeout:
                break
            ended_s, count = time.monotonic(), count + 1
        cpu_s = (time.process_time() - began_cpu_s) / max(1, count)
    told.send((count / (ended_s - began_s), cpu_s, frames - 1 - count))


def receive_bare(endpoint: str, frames: int, told: Connection) -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.setsockopt(zmq.RCVHWM, 2)
        socket.connect(endpoint)
        socket.recv()
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        for _ in range(frames):
            socket.recv_multipart()
        seconds = time.monotonic() - began_s
        told.send((frames / seconds, (time.process_time() - began_cpu_s) / frames, 0))


def measure(system: str, port: int, path: str, out: str, frames: int) -> tuple[float, ...]:
    """Frames a second, processor seconds a frame of sender and receiver, frames lost."""
    scheme = "" if system == "bare pyzmq" else f"{system}+"
    endpoint = f"{scheme}tcp://127.0.0.1:{port}"
    ears, mouths = zip(*(SPAWN.Pipe(duplex=False) for _ in range(2)), strict=True)
    ends: list[Any] = [
        SPAWN.Process(target=send, args=(system, endpoint, path, frames, mouths[0])),
        SPAWN.Process(target=receive, args=(system, endpoint, out, frames, mouths[1])),
    ]
    for process in ends:
        process.start()
    rate, receiver_s, lost = ears[1].recv()
    sender_s = ears[0].recv()
    for process in ends:
        process.join(60)
    return rate, sender_s * 1000, receiver_s * 1000, lost


def spread(values: list[float], digits: int) -> str:
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main(frames: int, rounds: int) -> None:
    systems = ("bare pyzmq", *(pattern for pattern in PATTERNS))
    results: dict[str, list[tuple[float, ...]]] = {system: [] for system in systems}
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "in.mkv"), Path(folder, "out.mkv")
        jpegs = pictures()
        write(path, jpegs, frames)
        for number in range(rounds):
            for index, system in enumerate(systems):
                port = PORT + number * len(systems) + index
                results[system].append(measure(system, port, str(path), str(out), frames))
    print(
        f"framewire {version('framewire')}, pyzmq {version('pyzmq')}; "
        f"{multiprocessing.cpu_count()} cores, {platform.platform()}; {frames} frames of "
        f"{sum(map(len, jpegs)) / len(jpegs) / 1e3:.0f} kB"
    )
    print("| | frames a second | sender, ms of processor a frame | receiver | lost |")
    print("| --- | --- | --- | --- | --- |")
    for system, rows in results.items():
        rates, senders, receivers, lost = ([*column] for column in zip(*rows, strict=True))
        print(
            f"| {system} | {spread(rates, 0)} | {spread(senders, 2)} | {spread(receivers, 2)} "
            f"| {max(lost):.0f} |"
        )


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:3]]
    main(*(given + [1500, 5][len(given) :]))
