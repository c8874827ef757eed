"""What receiving costs beside decoding alone: its processor time at 30 frames a second, and its rate.

    pip install -e '.[bench]'; python benchmarks/receiving.py [--rounds 5] [--seconds 4]
        [--only paced,idle,flat-out] [--sizes 720p,1080p]

The sender forwards JPEGs that framewire's encoder made before (quality 85), in a process of its own,
over loopback.

*paced*: processor time of the receiving process for each picture of 1280x720, 30 a second, as a ratio
to that of a process which only decodes the same JPEGs at the same pace, each into a new array.
NetGear gets the same pictures from a sender of its own. *idle*: the same receivers after one picture,
while nothing more comes, as a share of one core. *flat-out*: frames a second that a receiver decodes
while the sender forwards as fast as it can, as a ratio to what one core decodes into always the same
array (for all `--sizes`). All take turns; ratios are to the decoding alone of the same round.
"""

import time
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np
from ends import (
    DISTINCT,
    FPS,
    MEADOW,
    QUALITY,
    SIZES,
    Ended,
    add_choice,
    clip_frames,
    end_when_asked,
    main_or_end,
    parser,
    ready,
    rest,
    take_rounds,
    work_together,
)
from report import Column, Table, publish
from systems import LOOPBACK, SYSTEMS, TOPIC, count, free_port, supply

from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.wire import checksum

ALONE = "decoding alone, one core"
PARTS = ("paced", "idle", "flat-out")
STRIPES = 2
IDLE_FPS = 0.001  # one picture, which shows that they are connected, and then none


# -- the ends, each in its process ----------------------------------------------------------------


def packets(size: str) -> list[Packet]:
    """As a `Sender` makes them with two cores."""
    made = []
    for number, image in enumerate(clip_frames(MEADOW, DISTINCT, SIZES[size])):
        jpeg = encode(image, QUALITY, stripes=STRIPES)
        header = Header(
            topic=TOPIC, sender="0" * 16, sequence=number, captured_ns=1, sent_ns=1,
            width=image.shape[1], height=image.shape[0], channels=3, codec="jpeg",
            quality=QUALITY, crc32=checksum(jpeg),
        )  # fmt: skip
        made.append(Packet(header, jpeg))
    return made


def forward(
    pattern: str, when_full: Literal["block", "newest"], size: str, fps: str, port: str
) -> None:
    from framewire.sender import Sender

    made = packets(size)
    address = f"{pattern}+tcp://{LOOPBACK}:{port}"
    sender = Sender(address, when_full=when_full)
    window = ready()
    given = 0
    end_when_asked(lambda: {"given": given, "cpu_ms": window.cpu_ms})
    for number in window.ticks(float(fps)):
        packet = made[number % DISTINCT]
        header = msgspec.structs.replace(
            packet.header, sequence=number, captured_ns=time.time_ns(), monotonic_ns=0
        )
        sender.forward(Packet(header, packet.payload))
        given += 1
    rest()


def decode(size: str, fps: str, reuse: str) -> None:
    """Decoding alone; into always the same array if `reuse` says so."""
    import simplejpeg

    jpegs = [packet.payload for packet in packets(size)]
    width, height = SIZES[size]
    into = np.empty((height, width, 3), np.uint8) if reuse == "reuse" else None
    window = ready()
    within = 0
    end_when_asked(lambda: {"within": within, "cpu_ms": window.cpu_ms})
    for number in window.ticks(float(fps)):
        simplejpeg.decode_jpeg(jpegs[number % DISTINCT], "BGR", False, True, buffer=into)
        within += time.monotonic() in window
    rest()


# -- what is measured -----------------------------------------------------------------------------


def paced_ms(name: str, seconds: float) -> float:
    """Processor milliseconds of a receiving process for each picture."""
    if name == ALONE:
        (told,) = work_together(seconds, (decode, "720p", FPS, "new"))
    else:
        told = beside_sender(name, "720p", FPS, seconds)
    if not told["within"]:
        raise Ended("nothing arrived")
    return float(told["cpu_ms"] / told["within"])


def idle_percent(name: str, seconds: float) -> float:
    told = beside_sender(name, "720p", IDLE_FPS, seconds)
    if told["total"] != 1:
        raise Ended("the ends were not connected")
    return float(told["cpu_ms"] / seconds / 10)


def rate(name: str, size: str, seconds: float) -> float:
    """Frames a second that are decoded."""
    if name == ALONE:
        (told,) = work_together(seconds, (decode, size, 0, "reuse"))
    else:
        told = beside_sender(name, size, 0, seconds)
    return float(told["within"] / seconds)


def beside_sender(name: str, size: str, fps: float, seconds: float) -> dict[str, float]:
    """What a receiving process tells; its sender is framewire's, but where the system is another."""
    port = free_port()
    sender: tuple[Callable[..., None], *tuple[object, ...]]
    if name.startswith("netgear"):
        sender = (supply, name, size, fps, port)
    else:
        pattern = "push-pull" if name == "push-pull" else "pub-sub"
        sender = (forward, pattern, "newest" if fps else "block", size, fps, port)
    told, _ = work_together(seconds, (count, name, port), sender)
    return told


# -- the tables -----------------------------------------------------------------------------------


def to_alone(
    title: str, column: Column, names: list[str], rounds: int, measure: Callable[[str], float]
) -> Table:
    made = Table(title, [column])
    taken = take_rounds(rounds, [ALONE, *names], measure)
    for name in (ALONE, *names):
        title = SYSTEMS[name].title if name in SYSTEMS else name
        made.add(title, [each[name] / each[ALONE] for each in taken if name in each])
    return made


def idle(rounds: int, seconds: float) -> Table:
    made = Table("Idle receiver", [Column("% of a core", goal="< 1")])
    names = ["pub-sub", "netgear-pub"]
    taken = take_rounds(rounds, names, lambda name: idle_percent(name, seconds))
    for name in names:
        made.add(SYSTEMS[name].title, [each[name] for each in taken if name in each])
    return made


def main() -> None:
    command = parser(__doc__, seconds=4)
    add_choice(command, "--only", PARTS)
    add_choice(command, "--sizes", SIZES, default=("720p", "1080p"))
    told = command.parse_args()
    rounds, seconds = told.rounds, told.seconds
    tables = []
    if "paced" in told.only:
        column = Column("CPU a frame / decoding alone", goal="<= 1.15")
        names = ["pub-sub", "netgear-pub"]
        title = "Receiving 720p at 30 fps"
        tables.append(to_alone(title, column, names, rounds, lambda n: paced_ms(n, seconds)))
    if "idle" in told.only:
        tables.append(idle(rounds, seconds))
    for size in told.sizes if "flat-out" in told.only else ():
        column = Column("frames/s / decoding alone", goal=">= 1.75")
        names = ["push-pull", "pub-sub-all"]
        title = f"JPEG in, pixels out, {size}"
        tables.append(to_alone(title, column, names, rounds, lambda n, s=size: rate(n, s, seconds)))
    publish("receiving", tables)


if __name__ == "__main__":
    main_or_end(main, count, supply, forward, decode)
