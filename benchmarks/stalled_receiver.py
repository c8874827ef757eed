"""What one receiver that stands still does to seven others, to the sender, and to itself later.

    pip install -e '.[bench]'; python benchmarks/stalled_receiver.py [--rounds 3] [--seconds 20]
        [--stopped 40] [--patterns pub-sub,req-rep]

A camera of 1280x720 at 30 frames a second (JPEG quality 85) and eight receivers, each in a process
of its own on one machine. After --seconds receiver 8 gets SIGSTOP: it stands still, and says nothing
of that to anybody. After --stopped seconds it gets SIGCONT. Compared are the frames that the other
seven get and how old those are, before and meanwhile, each receiver with itself, and of the seven
the one that fared worst; the sender's memory is read once a second, and its highest counts. Of the
stopped one: when it shows a young frame after it goes on, and how many old ones until then.

*Age* is the time from capture to the receiver's code, on the one clock of this machine; *young* is
below 100 ms. Receiver 8 decodes its frames. The seven take packets and do not decode: eight decoders
at once would measure the processor of a small machine.
"""

import math
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ends import (
    END,
    MEADOW,
    QUALITY,
    Worker,
    add_choice,
    at_quantile,
    camera,
    clip_frames,
    end_when_asked,
    main_or_end,
    parser,
    take_rounds,
    tell,
    told,
    workers,
)
from report import Column, Table, publish

from framewire.common.frame import Header
from framewire.receiver import Receiver
from framewire.sender import Sender

OTHERS = 7
CLIP_FRAMES = 30  # few, so that they do not hide what the sender's memory does
SETTLE_S = 2.0
AFTER_S = 10.0  # how long the stopped one is watched when it goes on
YOUNG_MS = 100.0
PATTERNS = ("pub-sub", "req-rep")
Window = tuple[float, float]


# -- the ends, each in its process ----------------------------------------------------------------


def run_sender(pattern: str) -> None:
    frames = list(clip_frames(MEADOW, CLIP_FRAMES))
    address = f"{pattern}+tcp://127.0.0.1:*"
    sender = Sender(address, topic="bench", quality=QUALITY, when_full="newest")
    tell(port=int(sender.endpoints[0].rpartition(":")[2]))
    began_s = told()
    for image in camera(frames, began_s):
        sender.send(image)


def run_receiver(pattern: str, port: str, decode: str) -> None:
    """Note of each frame when it came (seconds of the monotonic clock) and its age then."""
    rows: list[tuple[float, float]] = []
    end_when_asked(lambda: {"rows": rows})
    with Receiver(f"{pattern}+tcp://127.0.0.1:{port}") as receiver:
        tell(ready=True)
        for header in headers(receiver, decode == "decode"):
            now_ns = time.monotonic_ns()
            rows.append((now_ns / 1e9, (now_ns - header.monotonic_ns) / 1e6))


def headers(receiver: Receiver, decode: bool) -> Iterator[Header]:
    while True:
        yield (receiver.read() if decode else receiver.read_packet()).header


# -- what is measured -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Times are seconds of the monotonic clock, rows (when, age in ms), memory (when, bytes)."""

    before: Window
    meanwhile: Window
    others: list[list[tuple[float, float]]]
    stopped: list[tuple[float, float]]
    memory: list[tuple[float, int]]


def measure(pattern: str, seconds: float, stopped_s: float) -> Run:
    with workers() as start:
        start_end = partial(start, subprocess.Popen, __file__, END)
        sender = start_end("run_sender", pattern)
        port = sender.heard()["port"]
        others = [start_end("run_receiver", pattern, port, "packets") for _ in range(OTHERS)]
        stopped = start_end("run_receiver", pattern, port, "decode")
        for receiver in (*others, stopped):
            receiver.heard()
        sender.say(time.monotonic())
        time.sleep(SETTLE_S)
        memory: list[tuple[float, int]] = []
        before = watch_memory(sender, seconds, memory)
        stopped.process.send_signal(signal.SIGSTOP)
        meanwhile = watch_memory(sender, stopped_s, memory)
        stopped.process.send_signal(signal.SIGCONT)
        watch_memory(sender, AFTER_S, memory)
        rows = [receiver.results()["rows"] for receiver in (*others, stopped)]
    return Run(before, meanwhile, rows[:-1], rows[-1], memory)


def watch_memory(sender: Worker, seconds: float, memory: list[tuple[float, int]]) -> Window:
    """Let so much time pass, and note the sender's resident memory once a second."""
    began_s = now_s = time.monotonic()
    while now_s < began_s + seconds:
        memory.append((now_s, sender.resident_bytes()))
        time.sleep(max(0.0, min(1.0, began_s + seconds - now_s)))
        now_s = time.monotonic()
    return began_s, now_s


def within(rows: Sequence[tuple[float, float]], window: Window) -> list[float]:
    return [value for at_s, value in rows if window[0] <= at_s < window[1]]


# -- the table ------------------------------------------------------------------------------------


COLUMNS = (
    Column("the others' frames/s, meanwhile / before", 3),
    Column("their age p99, ms, before", 1),
    Column("meanwhile / before"),
    Column("sender's memory, meanwhile / before"),
    Column("s until the stopped one shows a young frame"),
    Column("old frames until then", 0),
)


def cells(run: Run) -> tuple[float, ...]:
    before, meanwhile = (
        [figures(rows, window) for rows in run.others] for window in (run.before, run.meanwhile)
    )
    pairs = list(zip(before, meanwhile, strict=True))
    held = [max(within(run.memory, window)) for window in (run.before, run.meanwhile)]
    return (
        min(later[0] / first[0] for first, later in pairs),
        max(age for _, age in before),
        max(later[1] / first[1] for first, later in pairs),
        held[1] / held[0],
        *recovery(run),
    )


def figures(rows: list[tuple[float, float]], window: Window) -> tuple[float, float]:
    """Frames a second, and the 99th percentile of their ages in milliseconds."""
    ages = within(rows, window)
    return len(ages) / (window[1] - window[0]), at_quantile(ages, 0.99)


def recovery(run: Run) -> tuple[float, float]:
    """Seconds from going on to the first young frame, and how many came before it."""
    went_on_s = run.meanwhile[1]
    shown = [(at_s - went_on_s, age_ms) for at_s, age_ms in run.stopped if at_s >= went_on_s]
    young = (n for n, (_, age_ms) in enumerate(shown) if age_ms < YOUNG_MS)
    first = next(young, None)
    return (math.nan, len(shown)) if first is None else (shown[first][0], first)


def main() -> None:
    made = parser(__doc__, seconds=20)
    made.add_argument("--stopped", type=float, default=40.0, metavar="SECONDS")
    made.set_defaults(rounds=3)
    add_choice(made, "--patterns", PATTERNS)
    options = made.parse_args()
    taken = take_rounds(
        options.rounds,
        options.patterns,
        lambda pattern: cells(measure(pattern, options.seconds, options.stopped)),
    )
    table = Table(f"One receiver of eight is stopped for {options.stopped:g} s", COLUMNS)
    for pattern in options.patterns:
        runs = [each[pattern] for each in taken if pattern in each]
        columns = zip(*runs, strict=True) if runs else [()] * len(COLUMNS)
        table.add(f"framewire {pattern}", *columns)
    publish("stalled_receiver", [table])


if __name__ == "__main__":
    main_or_end(main, run_sender, run_receiver)
