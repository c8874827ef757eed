"""How many frames a second get through: encoded in one process, decoded in another, as fast as can be.

    pip install -e '.[bench]'; python benchmarks/throughput.py [--rounds 5] [--seconds 4]
        [--only push-pull,zenoh-block] [--sizes 720p,1080p]

One process sends pictures as fast as it can, another decodes all that arrive, over loopback (JPEG
quality 85). The *floor* is what two cores can do that have nothing else to do: one process encodes
while another decodes the same pictures with the same codec, and from the seconds that each needs for
one, e and d, follow 2 / (e + d) frames a second.

*Frames/s* are those that were decoded in a window which begins when both are warm: what was still on
its way at its end does not count. *CPU* is what all threads of both processes took for each of them;
both are ratios to the floor of the same round. *Lost* is the share of all frames sent that had not
arrived when nothing more came; where it says *lossless*, the sender waits for its receiver. *Memory*
is what both took from before the first frame to the end of the window, in MB: what waits there is
not lost yet. Systems take turns.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ends import (
    DISTINCT,
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
from systems import SYSTEMS, count, free_port, supply

FLOOR = "two cores, codec alone"
OURS = ("push-pull", "pub-sub-all", "req-rep-all")
THEIRS = ("imagezmq-pub", "imagezmq-req", "netgear-pub", "netgear-req", "zenoh-block")
RIVALS = {
    Column("/ imagezmq PUB/SUB", goal=">= 1"): ("imagezmq-pub",),
    Column("/ Zenoh", goal=">= 1"): ("zenoh-block",),
    Column("/ NetGear, the faster", goal=">= 1.6"): ("netgear-pub", "netgear-req"),
    Column("/ imagezmq REQ/REP", goal=">= 2"): ("imagezmq-req",),
}


@dataclass(frozen=True)
class Run:
    """Of one system in one round; `cpu_ms` for each frame that arrived in the window."""

    fps: float
    cpu_ms: float
    lost: float
    grew_mb: float


# -- the floor, each half in its process ----------------------------------------------------------


def encode(size: str) -> None:
    import simplejpeg

    pictures = list(clip_frames(MEADOW, DISTINCT, SIZES[size]))
    repeat(lambda n: simplejpeg.encode_jpeg(pictures[n % DISTINCT], QUALITY, "BGR", "420", False))


def decode(size: str) -> None:
    """Always into the same array."""
    import simplejpeg

    pictures = list(clip_frames(MEADOW, DISTINCT, SIZES[size]))
    jpegs = [simplejpeg.encode_jpeg(each, QUALITY, "BGR", "420", False) for each in pictures]
    into = np.empty_like(pictures[0])
    repeat(lambda n: simplejpeg.decode_jpeg(jpegs[n % DISTINCT], "BGR", False, True, buffer=into))


def repeat(work: Callable[[int], object]) -> None:
    window = ready()
    done = 0
    end_when_asked(lambda: {"within": done, "cpu_ms": window.cpu_ms})
    for number in window.ticks(0):
        work(number)
        done += time.monotonic() in window
    rest()


# -- what is measured -----------------------------------------------------------------------------


def measure(name: str, size: str, seconds: float) -> Run:
    if name == FLOOR:
        halves = work_together(seconds, (encode, size), (decode, size))
        each_s = sum(seconds / half["within"] for half in halves)
        cpu_ms = sum(half["cpu_ms"] / half["within"] for half in halves)
        return Run(2 / each_s, cpu_ms, 0.0, sum(half["grew"] for half in halves) / 1e6)
    port = free_port()
    both = work_together(seconds, (count, name, port), (supply, name, size, 0, port))
    receiver, sender = both
    if not receiver["within"]:
        raise Ended("nothing arrived")
    return Run(
        fps=receiver["within"] / seconds,
        cpu_ms=sum(end["cpu_ms"] for end in both) / receiver["within"],
        lost=1 - receiver["total"] / sender["given"],
        grew_mb=sum(end["grew"] for end in both) / 1e6,
    )


def tables(size: str, names: list[str], rounds: int, seconds: float) -> list[Table]:
    taken = take_rounds(rounds, [FLOOR, *names], lambda name: measure(name, size, seconds))
    return [to_floor(size, names, taken), to_rivals(size, names, taken)]


def to_floor(size: str, names: list[str], taken: list[dict[str, Run]]) -> Table:
    columns = [Column("frames/s / floor", goal=">= 0.93"), Column("CPU / floor"), Column("lost")]
    made = Table(f"Throughput, {size}", [*columns, Column("memory, MB", 0)])
    figures: list[Callable[[Run, Run], float]] = [
        lambda run, floor: run.fps / floor.fps,
        lambda run, floor: run.cpu_ms / floor.cpu_ms,
        lambda run, _: run.lost,
        lambda run, _: run.grew_mb,
    ]
    for name in (FLOOR, *names):
        pairs = [(each[name], each[FLOOR]) for each in taken if name in each]
        made.add(title(name), *([figure(*pair) for pair in pairs] for figure in figures))
    return made


def to_rivals(size: str, names: list[str], taken: list[dict[str, Run]]) -> Table:
    """Frames a second of ours by those of others, in the same round."""
    made = Table(f"Beside others, {size}: frames/s / theirs", list(RIVALS))
    for name in (name for name in OURS if name in names):
        made.add(title(name), *(faster(name, rivals, taken) for rivals in RIVALS.values()))
    return made


def faster(name: str, rivals: tuple[str, ...], taken: list[dict[str, Run]]) -> list[float]:
    """By how much it beats the best of its rivals, in each round that has them all."""
    complete = [each for each in taken if {name, *rivals} <= each.keys()]
    return [each[name].fps / max(each[rival].fps for rival in rivals) for each in complete]


def title(name: str) -> str:
    if name not in SYSTEMS:
        return name
    return SYSTEMS[name].title + (", lossless" if SYSTEMS[name].lossless else "")


def main() -> None:
    command = parser(__doc__, seconds=4)
    add_choice(command, "--only", (*OURS, *THEIRS))
    add_choice(command, "--sizes", SIZES)
    told = command.parse_args()
    made = [tables(size, told.only, told.rounds, told.seconds) for size in told.sizes]
    publish("throughput", [table for both in made for table in both if table.rows])


if __name__ == "__main__":
    main_or_end(main, supply, count, encode, decode)
