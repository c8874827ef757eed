"""How fast a recording passes through the network into another, beside the bare socket.

    pip install -e '.[bench]'; python benchmarks/passthrough.py [--rounds 5] [--seconds 50]

So many seconds (at 30 fps) of pictures of 1920x1080 (JPEG quality 85, made from
samples/clips/meadow.mp4) lie in a recording. `open_source(speed=0)` and `Sender.forward` in one
process, `Receiver` and `Recorder` in another, over loopback: nothing is decoded or encoded. The
floor is the same bytes from a bare PUSH to a bare PULL socket of pyzmq, which neither reads, checks
nor writes anything. Processor time is that of a whole process, without its start. Systems take
turns; each is divided by the floor of the same round.
"""

import subprocess
import tempfile
import time
from pathlib import Path

import zmq
from ends import (
    END,
    FPS,
    MEADOW,
    QUALITY,
    SIZES,
    START_S,
    clip_frames,
    main_or_end,
    parser,
    take_rounds,
    tell,
    workers,
)
from report import Column, Table, publish, ratios

from framewire.common.errors import ReceiveTimeout
from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.recording_writer import RecordingWriter
from framewire.common.wire import checksum
from framewire.receiver import Receiver, Recorder
from framewire.sender import Sender, open_source

FLOOR = "bare pyzmq PUSH to PULL"
SYSTEMS = {"framewire push-pull": "push-pull", "framewire pub-sub": "pub-sub"}
WIDTH, HEIGHT = SIZES["1080p"]
DISTINCT, QUIET_S = 50, 2.0
Run = tuple[float, float, float, float]
"""Frames a second, processor milliseconds a frame of sender and receiver, frames lost."""


def pictures() -> list[bytes]:
    return [encode(image, QUALITY) for image in clip_frames(MEADOW, DISTINCT, (WIDTH, HEIGHT))]


def write(path: Path, frames: int) -> None:
    jpegs, writer = pictures(), None
    for number in range(frames):
        jpeg = jpegs[number % len(jpegs)]
        header = Header(
            topic="bench", sender="0" * 16, sequence=number, sent_ns=1, width=WIDTH, height=HEIGHT,
            captured_ns=10**18 + number * 10**9 // FPS, channels=3, codec="jpeg", quality=QUALITY,
            crc32=checksum(jpeg),
        )  # fmt: skip
        writer = writer or RecordingWriter(path, header)
        writer.write(Packet(header, jpeg))
    assert writer
    writer.close()


# -- the ends, each in its process ----------------------------------------------------------------


def send(pattern: str, path: str, frames: str) -> None:
    with open_source(path, speed=0) as source, Sender(f"{pattern}+tcp://127.0.0.1:*") as sender:
        tell(endpoint=sender.endpoints[0])
        sender.wait_for_receivers(1, START_S)
        began_s = time.process_time()
        for packet in source.packets():
            sender.forward(packet)
        sender.close(START_S)  # it returns when all have left
    tell(cpu_ms=(time.process_time() - began_s) * 1000 / int(frames))


def receive(endpoint: str, out: str, frames: str) -> None:
    """The first frame begins the time, and is not counted."""
    count, expected = 0, int(frames) - 1
    with Receiver(endpoint, keep="all") as receiver, Recorder(out, overwrite=True) as recorder:
        recorder.write(receiver.read_packet(START_S))
        began_s = ended_s = time.monotonic()
        began_cpu_s = time.process_time()
        while count < expected:
            try:
                recorder.write(receiver.read_packet(QUIET_S))
            except ReceiveTimeout:
                break
            ended_s, count = time.monotonic(), count + 1
    cpu_ms = (time.process_time() - began_cpu_s) * 1000 / max(1, count)
    tell(fps=count / (ended_s - began_s), cpu_ms=cpu_ms, lost=expected - count)


def send_bare(frames: str) -> None:
    """The same pictures, from memory."""
    jpegs, count = pictures(), int(frames)
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.setsockopt(zmq.SNDHWM, 2)
        socket.setsockopt(zmq.SNDTIMEO, round(START_S * 1000))
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        tell(endpoint=f"tcp://127.0.0.1:{port}")
        socket.send(b"begin")
        began_s = time.process_time()
        for number in range(count):
            socket.send_multipart([b"bench/", bytes(300), jpegs[number % DISTINCT]], copy=False)
        socket.close(round(START_S * 1000))
    tell(cpu_ms=(time.process_time() - began_s) * 1000 / count)


def receive_bare(endpoint: str, out: str, frames: str) -> None:
    count = int(frames)
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.setsockopt(zmq.RCVHWM, 2)
        socket.setsockopt(zmq.RCVTIMEO, round(START_S * 1000))
        socket.connect(endpoint)
        socket.recv()
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        for _ in range(count):
            socket.recv_multipart()
        seconds = time.monotonic() - began_s
        cpu_ms = (time.process_time() - began_cpu_s) * 1000 / count
    tell(fps=count / seconds, cpu_ms=cpu_ms, lost=0)


# -- what is measured -----------------------------------------------------------------------------


def measure(system: str, path: Path, out: Path, frames: int) -> Run:
    pattern = SYSTEMS.get(system)
    with workers() as start:
        argv = ("send", pattern, path, frames) if pattern else ("send_bare", frames)
        mouth = start(subprocess.Popen, __file__, END, *argv)
        endpoint = mouth.heard()["endpoint"]
        role = "receive" if pattern else "receive_bare"
        ears = start(subprocess.Popen, __file__, END, role, endpoint, out, frames)
        there = ears.heard()
        return there["fps"], mouth.heard()["cpu_ms"], there["cpu_ms"], there["lost"]


def table(frames: int, size: float, rounds: list[dict[str, Run]]) -> Table:
    columns = (
        Column("frames/s", 0),
        Column("ratio"),
        Column("sender, ms of processor a frame", 3),
        Column("ratio"),
        Column("receiver, ms of processor a frame", 3),
        Column("ratio"),
        Column("lost", 0),
    )
    title = f"{frames} frames of {WIDTH}x{HEIGHT}, {size / frames / 1e3:.0f} kB each"
    made = Table(title, columns, plot=1)
    taken = {
        system: [list(column) for column in zip(*(each[system] for each in rounds), strict=True)]
        for system in (FLOOR, *SYSTEMS)
    }
    for system, (fps, sender_ms, receiver_ms, lost) in taken.items():
        pairs = zip((fps, sender_ms, receiver_ms), taken[FLOOR], strict=False)
        cells = [cell for own, floor in pairs for cell in (own, ratios(own, floor))]
        made.add(system, *cells, lost)
    return made


def main() -> None:
    options = parser(__doc__, seconds=50).parse_args()
    frames = max(2, round(options.seconds * FPS))
    names = [FLOOR, *SYSTEMS]
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "in.mkv"), Path(folder, "out.mkv")
        write(path, frames)
        taken = take_rounds(
            options.rounds, names, lambda system: measure(system, path, out, frames)
        )
        size = path.stat().st_size
    rounds = [each for each in taken if len(each) == len(names)]
    publish("passthrough", [table(frames, size, rounds)])


if __name__ == "__main__":
    main_or_end(main, send, receive, send_bare, receive_bare)
