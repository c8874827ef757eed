"""How long a frame takes from before its encoding to after its decoding, at 30 frames a second.

    pip install -e '.[bench]'; python benchmarks/latency.py [--rounds 5] [--seconds 6]
        [--only pub-sub-given,zenoh] [--sizes 720p,1080p]

A camera's loop at 30 frames a second in one process, a receiver that decodes in another, over
loopback (JPEG quality 85). The sender notes when it gives a picture away, the receiver when it has
it decoded, on the one clock of this machine; the picture carries its number. The *floor* is the
codec alone: encoding and decoding the same pictures one after the other on one core, at the same
pace, in a process of its own.

*CPU* is what all threads of both processes took for each frame that arrived, without starting,
drawing numbers and reading them; *arrived* the share of the frames sent. Where it says *given
away*, the sender does not copy the picture, as `framewire send` does with its own; otherwise it may
be drawn on as soon as it is sent.

Systems take turns. All figures but *arrived* are ratios to the floor of the same round: of times to
its p50.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from ends import (
    DISTINCT,
    FPS,
    MEADOW,
    QUALITY,
    SIZES,
    Ended,
    add_choice,
    at_quantile,
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
from systems import SYSTEMS, Place, free_port

from framewire.common.testchart import draw_number, read_number

OURS = ("pub-sub-given", "pub-sub", "req-rep-given", "req-rep")
THEIRS = ("imagezmq-pub", "imagezmq-req", "netgear-pub", "netgear-req", "zenoh")
FLOOR = "codec alone, one core"
GOALS = {"720p": ("<= 0.70", "<= 1.00"), "1080p": ("<= 0.62", "<= 0.85")}  # of p50 and p99


@dataclass(frozen=True)
class Run:
    """Of one system in one round: times of all frames, processor time of each, share that came."""

    took_ms: list[float]
    cpu_ms: float
    arrived: float

    def at(self, level: float) -> float:
        return at_quantile(self.took_ms, level)


# -- the ends, each in its process ----------------------------------------------------------------


def send(name: str, size: str, port: str) -> None:
    """A picture is drawn on again when all others were sent: nobody encodes it any more then."""
    pictures = list(clip_frames(MEADOW, DISTINCT, SIZES[size]))
    give = SYSTEMS[name].send(Place(int(port)))
    window = ready()
    given: list[tuple[int, float]] = []
    end_when_asked(lambda: {"times": given, "cpu_ms": window.cpu_ms})
    for number in window.ticks(FPS):
        image = pictures[number % DISTINCT]
        with window.aside():
            draw_number(image, number)
        now_s = time.monotonic()
        if now_s in window:
            given.append((number, now_s))
        give(image)
    rest()


def receive(name: str, port: str) -> None:
    arrivals = SYSTEMS[name].receive(Place(int(port)))
    window = ready()
    had: list[tuple[int | None, float]] = []
    end_when_asked(lambda: {"times": had, "cpu_ms": window.cpu_ms})
    for arrival in arrivals:
        now_s = time.monotonic()
        with window.aside():
            had.append((read_number(arrival.image), now_s))


def floor(size: str) -> None:
    """The codec with the product's settings, in one piece, paced as the others are."""
    import simplejpeg

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pictures = list(clip_frames(MEADOW, DISTINCT, SIZES[size]))
    window = ready()
    took_ms: list[float] = []
    end_when_asked(lambda: {"took_ms": took_ms, "cpu_ms": window.cpu_ms})
    for number in window.ticks(FPS):
        image = pictures[number % DISTINCT]
        with window.aside():
            draw_number(image, number)
        began_s = time.monotonic()
        encoded = simplejpeg.encode_jpeg(image, QUALITY, "BGR", "420", False)
        simplejpeg.decode_jpeg(encoded, "BGR", False, True)
        if began_s in window:
            took_ms.append((time.monotonic() - began_s) * 1000)
    rest()


# -- what is measured -----------------------------------------------------------------------------


def measure(name: str, size: str, seconds: float) -> Run:
    if name == FLOOR:
        (told,) = work_together(seconds, (floor, size))
        return Run(told["took_ms"], told["cpu_ms"] / len(told["took_ms"]), 1.0)
    port = free_port()
    receiver, sender = work_together(seconds, (receive, name, port), (send, name, size, port))
    had, given = dict(receiver["times"]), dict(sender["times"])
    took_ms = [(had[number] - at_s) * 1000 for number, at_s in given.items() if number in had]
    if not took_ms:
        raise Ended("nothing arrived")
    cpu_ms = (receiver["cpu_ms"] + sender["cpu_ms"]) / len(took_ms)
    return Run(took_ms, cpu_ms, len(took_ms) / len(given))


def table(size: str, names: list[str], rounds: int, seconds: float) -> Table:
    p50, p99 = GOALS.get(size, ("", ""))
    columns = [Column("p50 / floor", goal=p50), Column("p95 / floor")]
    columns += [Column("p99 / floor", goal=p99), Column("CPU / floor"), Column("arrived")]
    made = Table(f"Latency, {size}", columns)
    taken = take_rounds(rounds, [FLOOR, *names], lambda name: measure(name, size, seconds))
    figures: list[Callable[[Run, Run], float]] = [
        lambda run, floor: run.at(0.5) / floor.at(0.5),
        lambda run, floor: run.at(0.95) / floor.at(0.5),
        lambda run, floor: run.at(0.99) / floor.at(0.5),
        lambda run, floor: run.cpu_ms / floor.cpu_ms,
        lambda run, _: run.arrived,
    ]
    for name in (FLOOR, *names):
        pairs = [(each[name], each[FLOOR]) for each in taken if name in each]
        title = SYSTEMS[name].title if name in SYSTEMS else name
        made.add(title, *([figure(*pair) for pair in pairs] for figure in figures))
    return made


def main() -> None:
    command = parser(__doc__, seconds=6)
    add_choice(command, "--only", (*OURS, *THEIRS))
    add_choice(command, "--sizes", SIZES)
    told = command.parse_args()
    publish("latency", [table(size, told.only, told.rounds, told.seconds) for size in told.sizes])


if __name__ == "__main__":
    main_or_end(main, send, receive, floor)
