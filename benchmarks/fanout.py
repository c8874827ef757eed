"""What each further subscriber, and each further topic, costs the sender's processor.

    pip install -e '.[bench]'; python benchmarks/fanout.py [--rounds 5] [--seconds 5]

A sender forwards one JPEG of about 100 kB 30 times a second to 1, 4, 16 and 64 subscribers: bare
SUB sockets of another process, which throw all of it away. Counted is the processor time of the
sender's whole process, from half a second after the last subscriber has come. The second table has
one subscriber to everything, and shares the 30 frames a second among 1, 4, 16 and 64 topics.

Beside framewire a bare XPUB socket of pyzmq (PUB that says who has come) sends the same parts. All
take turns; the ratios are to one subscriber, or one topic, of the same system in the same round.
*Delivered* is the share of the frames that arrived.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec
import zmq
from ends import (
    END,
    FPS,
    MEADOW,
    START_S,
    clip_frames,
    end_when_asked,
    main_or_end,
    parser,
    take_rounds,
    tell,
    workers,
)
from report import Column, Table, publish, ratios

from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.topic import wire_topic
from framewire.common.wire import checksum
from framewire.common.wire import encode as parts_of
from framewire.sender import Sender

COUNTS = (1, 4, 16, 64)
JPEG_BYTES, WARM_FRAMES = 100_000, FPS // 2
Give = Callable[[Packet], object]
Cost = tuple[float, float]
"""Processor milliseconds of the sender for each frame; per cent delivered."""
Way = tuple[str, int, int]
"""System, topics, subscribers."""


# -- the ends, each in its process ----------------------------------------------------------------


def first_packets(topics: int) -> list[Packet]:
    """One of each topic, all of one picture."""
    image = next(clip_frames(MEADOW, 1))
    jpegs = [encode(image, quality, stripes=1) for quality in range(50, 100)]
    jpeg = min(jpegs, key=lambda each: abs(len(each) - JPEG_BYTES))
    header = Header(
        sender="0" * 16, sequence=0, captured_ns=1, sent_ns=1, width=image.shape[1],
        height=image.shape[0], channels=3, codec="jpeg", crc32=checksum(jpeg),
    )  # fmt: skip
    names = [f"bench/cam{number}" for number in range(topics)]
    return [Packet(msgspec.structs.replace(header, topic=name), jpeg) for name in names]


@contextmanager
def framewire(packets: list[Packet], subscribers: int) -> Iterator[Give]:
    """Tells where it listens; gives what sends, once all subscribers have come."""
    with Sender("tcp://127.0.0.1:*", queue=len(packets)) as sender:
        tell(endpoint=sender.endpoints[0])
        if not sender.wait_for_receivers(subscribers, START_S):
            raise SystemExit(f"{sender.receivers} of {subscribers} subscribers have come")
        yield sender.forward


@contextmanager
def bare(packets: list[Packet], subscribers: int) -> Iterator[Give]:
    """As `framewire`."""
    parts = {packet.topic: parts_of(packet) for packet in packets}
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        socket.setsockopt(zmq.RCVTIMEO, round(START_S * 1000))
        socket.setsockopt(zmq.LINGER, 0)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        tell(endpoint=f"tcp://127.0.0.1:{port}")
        for _ in range(subscribers):
            socket.recv()
        yield lambda packet: socket.send_multipart(parts[packet.topic], copy=False)


BARE = "bare pyzmq"
SYSTEMS: dict[str, Callable[[list[Packet], int], AbstractContextManager[Give]]] = {
    "framewire": framewire,
    BARE: bare,
}


def run_sender(system: str, topics: str, subscribers: str, frames: str) -> None:
    """An end that tells what a frame cost it; the first ones do not count."""
    packets, count = first_packets(int(topics)), int(frames)
    with SYSTEMS[system](packets, int(subscribers)) as give:
        send(give, packets, 0, WARM_FRAMES)
        began_s = time.process_time()
        send(give, packets, WARM_FRAMES, count)
        tell(cpu_ms=(time.process_time() - began_s) * 1000 / count)


def send(give: Give, packets: list[Packet], first: int, count: int) -> None:
    """Frames of all topics in turn, 30 a second; returns when the next one would be due."""
    began_s = time.monotonic()
    for number in range(count):
        packet = packets[(first + number) % len(packets)]
        sequence = (first + number) // len(packets)
        give(Packet(msgspec.structs.replace(packet.header, sequence=sequence), packet.payload))
        time.sleep(max(0.0, began_s + (number + 1) / FPS - time.monotonic()))


def run_subscribers(endpoint: str, count: str, prefix: str) -> None:
    """An end that counts the frames of all subscribers; a message without a payload is none."""
    frames = 0
    end_when_asked(lambda: {"frames": frames})
    context, poller = zmq.Context(), zmq.Poller()
    for _ in range(int(count)):
        socket = context.socket(zmq.SUB)
        socket.subscribe(prefix)
        socket.connect(endpoint)
        poller.register(socket, zmq.POLLIN)
    while True:
        for socket, _ in poller.poll():
            frames += len(socket.recv_multipart(copy=False)[-1]) > 0


# -- what is measured -----------------------------------------------------------------------------


def label(way: Way) -> str:
    system, topics, count = way
    return f"{system}, {topics} topic{'s' * (topics > 1)}, {count} subscriber{'s' * (count > 1)}"


def measure(way: Way, seconds: float) -> Cost:
    system, topics, count = way
    frames = round(seconds * FPS)
    prefix = wire_topic("bench/cam0").decode() if topics == 1 else ""
    with workers() as start:
        mouth = start(
            subprocess.Popen, __file__, END, "run_sender", system, topics, count, frames
        )  # fmt: skip
        endpoint = mouth.heard()["endpoint"]
        ears = start(subprocess.Popen, __file__, END, "run_subscribers", endpoint, count, prefix)
        time.sleep(seconds)  # it has no word before
        cpu_ms = mouth.heard()["cpu_ms"]
        arrived = ears.results()["frames"]
    return cpu_ms, 100 * arrived / ((WARM_FRAMES + frames) * count)


def table(title: str, one: str, goal: str, ways: list[Way], rounds: list[dict[str, Cost]]) -> Table:
    columns = (
        Column("sender, ms of processor a frame", 3),
        Column(f"ratio to one {one}", goal=goal),
        Column("ratio to bare pyzmq"),
        Column("delivered, %", 1),
    )
    made = Table(title, columns, plot=1)

    def costs(way: Way) -> list[float]:
        return [each[label(way)][0] for each in rounds]

    for way in ways:
        own, alone, plain = costs(way), costs((way[0], 1, 1)), costs((BARE, *way[1:]))
        delivered = [each[label(way)][1] for each in rounds]
        made.add(label(way), own, ratios(own, alone), ratios(own, plain), delivered)
    return made


def main() -> None:
    options = parser(__doc__, seconds=5).parse_args()
    to_many: list[Way] = [(system, 1, count) for system in SYSTEMS for count in COUNTS]
    of_many: list[Way] = [(system, count, 1) for system in SYSTEMS for count in COUNTS]
    ways = {label(way): way for way in to_many + of_many}
    taken = take_rounds(
        options.rounds, list(ways), lambda name: measure(ways[name], options.seconds)
    )
    rounds = [each for each in taken if len(each) == len(ways)]
    goal = "16: <= 2.2, 64: <= 5.3"
    tables = [
        table("More and more subscribers", "subscriber", goal, to_many, rounds),
        table("More and more topics", "topic", "", of_many, rounds),
    ]
    publish("fanout", tables)


if __name__ == "__main__":
    main_or_end(main, run_sender, run_subscribers)
