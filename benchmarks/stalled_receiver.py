"""What one receiver that stands still does to seven others, to the sender, and to itself later.

    python benchmarks/stalled_receiver.py [SECONDS] [--stopped SECONDS] [--pattern req-rep]

A camera of 1280x720 at 30 frames a second (JPEG quality 85) and eight receivers, each in a process
of its own on one machine. After SECONDS (30) receiver 8 gets SIGSTOP: it stands still, and says
nothing of that to anybody. After --stopped SECONDS (60) it gets SIGCONT. Compared are the frames
that the other seven get and how old those are, before and meanwhile; the sender's memory is read
once a second; and of the stopped one, how old the first frames are that it shows when it goes on.

*Age* is the time from capture to the receiver's code, on the one clock of this machine. Receiver 8
decodes its frames. The seven take packets and do not decode: eight decoders at once would measure
the processor of a small machine.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from ends import (
    FPS,
    MEADOW,
    QUALITY,
    Ended,
    Worker,
    at_quantile,
    camera,
    clip_frames,
    end_when_asked,
    leave_nothing_when_terminated,
    machine,
    tell,
    told,
    workers,
)

from framewire.common.frame import Header
from framewire.receiver import Receiver
from framewire.sender import Sender

OTHERS = 7
CLIP_FRAMES = 30  # few, so that they do not hide what the sender's memory does
SETTLE_S = 2.0
AFTER_S = 10.0  # how long the stopped one is watched when it goes on
YOUNG_MS = 100.0
SHOWN = 8  # of the first frames after that
END = "end"  # the first argument of a process that is one end
Window = tuple[float, float]


# -- the ends, each in its process ----------------------------------------------------------------


def run_sender(pattern: str) -> None:
    frames = list(clip_frames(MEADOW, CLIP_FRAMES))
    address = f"{pattern}+tcp://127.0.0.1:*"
    sender = Sender(address, topic="bench", quality=QUALITY, when_full="newest")
    tell(port=int(sender.endpoints[0].rpartition(":")[2]))
    began_s = told()
    given = 0
    end_when_asked(lambda: {"loop_fps": given / (time.monotonic() - began_s)})
    for image in camera(frames, began_s):
        sender.send(image)
        given += 1


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


def run_end(role: str, *arguments: str) -> None:
    if role == "sender":
        run_sender(*arguments)
    else:
        run_receiver(*arguments)


# -- what is measured -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Times are seconds of the monotonic clock, rows (when, age in ms), memory (when, bytes)."""

    before: Window
    meanwhile: Window
    others: list[list[tuple[float, float]]]
    stopped: list[tuple[float, float]]
    memory: list[tuple[float, int]]
    loop_fps: float


def measure(pattern: str, seconds: float, stopped_s: float) -> Run:
    with workers() as start:
        start_end = partial(start, subprocess.Popen, __file__, END)
        sender = start_end("sender", pattern)
        port = sender.heard()["port"]
        others = [start_end("receiver", pattern, port, "packets") for _ in range(OTHERS)]
        stopped = start_end("receiver", pattern, port, "decode")
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
        loop_fps = sender.results()["loop_fps"]
    return Run(before, meanwhile, rows[:-1], rows[-1], memory, loop_fps)


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


# -- the tables -----------------------------------------------------------------------------------


def figures(rows: list[tuple[float, float]], window: Window) -> tuple[float, float]:
    """Frames a second, and the 99th percentile of their ages in milliseconds."""
    ages = within(rows, window)
    return len(ages) / (window[1] - window[0]), at_quantile(ages, 0.99)


def change(before: float, after: float) -> str:
    return f"{after / before - 1:+.1%}" if before else "n/a"


def receiver_rows(run: Run) -> Iterator[str]:
    yield "| receiver | fps before | meanwhile | change | age p99 before | meanwhile | change |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for number, rows in enumerate(run.others, 1):
        (fps, age), (later_fps, later_age) = figures(rows, run.before), figures(rows, run.meanwhile)
        yield (
            f"| {number} | {fps:.2f} | {later_fps:.2f} | {change(fps, later_fps)} "
            f"| {age:.1f} ms | {later_age:.1f} ms | {change(age, later_age)} |"
        )
    fps, age = figures(run.stopped, run.before)
    yield f"| {OTHERS + 1}, decodes; stopped | {fps:.2f} | | | {age:.1f} ms | | |"


def sender_rows(run: Run) -> Iterator[str]:
    after = run.meanwhile[1], run.memory[-1][0] + 1
    yield "| the sender | before | meanwhile | after |"
    yield "| --- | --- | --- | --- |"
    windows = run.before, run.meanwhile, after
    held = [within(run.memory, window) for window in windows]
    cells = [f"{min(each) / 1e6:.0f} to {max(each) / 1e6:.0f} MB" for each in held]
    yield f"| resident memory | {' | '.join(cells)} |"
    yield f"\nThe camera's loop ran at {run.loop_fps:.1f} fps."


def recovery(run: Run) -> str:
    """What the stopped one showed when it went on."""
    went_on_s = run.meanwhile[1]
    shown = [(at_s - went_on_s, age_ms) for at_s, age_ms in run.stopped if at_s >= went_on_s]
    young = next((at_s for at_s, age_ms in shown if age_ms < YOUNG_MS), None)
    if young is None:
        return f"No frame younger than {YOUNG_MS:g} ms within {AFTER_S:g} s after it went on."
    first = ", ".join(f"{age_ms:.0f} ms (at {at_s:.2f} s)" for at_s, age_ms in islice(shown, SHOWN))
    return (
        f"Receiver {OTHERS + 1} showed a frame younger than {YOUNG_MS:g} ms {young:.2f} s after it "
        f"went on.\nAges of its first frames: {first}."
    )


# -- the command ----------------------------------------------------------------------------------


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seconds", nargs="?", type=float, default=30.0, help="before the stop")
    parser.add_argument("--stopped", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--pattern", default="pub-sub", choices=("pub-sub", "req-rep"))
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    arguments = parse(argv)
    print(machine("framewire", "pyzmq", "opencv-python", "simplejpeg"))
    print(
        f"`{arguments.pattern}`, {FPS} fps; receiver {OTHERS + 1} is stopped after "
        f"{arguments.seconds:g} s for {arguments.stopped:g} s\n"
    )
    try:
        run = measure(arguments.pattern, arguments.seconds, arguments.stopped)
    except Ended as error:
        sys.exit(f"failed: {error}")
    print(*receiver_rows(run), "", *sender_rows(run), recovery(run), sep="\n")


if __name__ == "__main__":
    if sys.argv[1:2] == [END]:
        run_end(*sys.argv[2:])
    else:
        leave_nothing_when_terminated()
        main(sys.argv[1:])
