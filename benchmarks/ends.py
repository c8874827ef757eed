"""What the benchmarks of patterns share: a live camera, processes at both ends, and figures of them.

A process tells its results as JSON lines on its output, and ends when its input does: so none
outlives the benchmark.
"""

import argparse
import contextlib
import itertools
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import cv2

from framewire.common.testchart import draw_number

FPS, QUALITY, WIDTH, HEIGHT = 30, 85, 1280, 720
DISTINCT = 40  # pictures that are sent over and over: 250 MB of them at 1080p
SIZES = {"480p": (854, 480), "720p": (WIDTH, HEIGHT), "1080p": (1920, 1080)}
MEADOW = Path(__file__).parent.parent / "samples" / "clips" / "meadow.mp4"
START_S = 30.0  # what a process may take to start
END_S = 10.0
SETTLE_S, WARM_S = 1.0, 1.0  # from "all are there" to the first frame, and on to the window
IN_FLIGHT_S = 0.3  # what was sent at the end of a window may arrive so much later
END = "end"  # the first argument of a process that is one end

Image = Any
T = TypeVar("T")


# -- the camera -----------------------------------------------------------------------------------


def clip_frames(
    clip: Path, count: int = 90, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Iterator[Image]:
    """The first `count` frames of a clip at that size (90 of 1280x720 hold 250 MB)."""
    video = cv2.VideoCapture(str(clip))
    for _ in range(count):
        found, image = video.read()
        if not found:
            break
        yield cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    video.release()


def camera(frames: Sequence[Image], began_s: float) -> Iterator[Image]:
    """A live camera without end: `frames` in a loop, 30 a second, each with its number drawn in.

    Frame N is captured at `began_s` + N / 30. Who asks late gets the newest one, who asks early
    waits. The array is the camera's own and is drawn on again in the next round.
    """
    last = -1
    while True:
        number = int((time.monotonic() - began_s) * FPS)
        if number <= last:
            time.sleep(max(0.0, began_s + (last + 1) / FPS - time.monotonic()))
            continue
        last = number
        image = frames[number % len(frames)]
        draw_number(image, number)
        yield image


# -- inside a process -----------------------------------------------------------------------------


def tell(**facts: object) -> None:
    """One JSON line to whoever started this process."""
    print(json.dumps(facts), flush=True)


def told() -> Any:
    """One JSON line from whoever started this process."""
    return json.loads(input())


def end_when_asked(results: Callable[[], dict[str, object]]) -> None:
    """Tell `results` and be gone when the input ends, whatever the rest of the process waits for."""

    def wait() -> None:
        sys.stdin.read()
        with contextlib.suppress(BrokenPipeError):
            tell(**results())
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


class Window:
    """The time that counts, and what this process computed in it.

    In seconds of the monotonic clock, which all processes of a machine share. The first frame goes
    `WARM_S` before it begins.
    """

    def __init__(self, begin_s: float, end_s: float) -> None:
        self.begin_s, self.end_s = begin_s, end_s
        self._cpu_s: list[float] = []
        self._aside_s = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        for at_s in (self.begin_s, self.end_s):
            time.sleep(max(0.0, at_s - time.monotonic()))
            self._cpu_s.append(time.process_time())

    def __contains__(self, at_s: float) -> bool:
        return self.begin_s <= at_s < self.end_s

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """What this thread does in the block is the benchmark's own work: it does not count."""
        began_s = time.thread_time()
        yield
        if time.monotonic() in self:
            self._aside_s += time.thread_time() - began_s

    @property
    def cpu_ms(self) -> float:
        """What all threads of this process took of the processors; known when it is over."""
        began_s, ended_s = self._cpu_s
        return (ended_s - began_s - self._aside_s) * 1000

    def ticks(self, fps: float) -> Iterator[int]:
        """Numbers of the frames to send, `fps` a second; 0: as fast as they are taken."""
        first_s = self.begin_s - WARM_S
        for number in itertools.count():
            due_s = first_s + number / fps if fps else max(first_s, time.monotonic())
            if due_s >= self.end_s:
                return
            if (left_s := due_s - time.monotonic()) > 0:
                time.sleep(left_s)
            yield number


def ready() -> Window:
    """Tell that this end can begin, and hear when."""
    tell(ready=True)
    return Window(*told())


def rest() -> None:
    """Wait to be ended; see `end_when_asked`."""
    threading.Event().wait()


# -- around a process -----------------------------------------------------------------------------


class Ended(Exception):
    """A process ended before it told what it was asked; the message is its last words."""


class Worker:
    """One end of a link, in a process of its own; `popen` starts it, here or in a namespace."""

    def __init__(self, popen: Callable[..., subprocess.Popen[str]], *argv: object) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - `end` closes it
        self.process = popen(
            [sys.executable, *map(str, argv)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def heard(self) -> dict[str, Any]:
        """The next line that it tells; what libraries print between is passed over."""
        assert self.process.stdout
        watchdog = threading.Timer(START_S, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                if line.startswith("{"):
                    facts: dict[str, Any] = json.loads(line)
                    return facts
        finally:
            watchdog.cancel()
        raise Ended(self._last_words())

    def say(self, what: object) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Ended(self._last_words()) from None

    def results(self) -> dict[str, Any]:
        """What it tells when its input ends."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.heard()

    def resident_bytes(self) -> int:
        """Memory that it holds now (Linux)."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        """Kill it, stopped or not, and leave nothing open."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(END_S)
        with contextlib.suppress(BrokenPipeError):
            for stream in (self.process.stdin, self.process.stdout, self._errors):
                if stream:
                    stream.close()

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"no word, exit code {self.process.returncode}"


@contextlib.contextmanager
def workers() -> Iterator[Callable[..., Worker]]:
    """Gives a function that starts workers; ends them all when the block is left."""
    started: list[Worker] = []

    def start(popen: Callable[..., subprocess.Popen[str]], *argv: object) -> Worker:
        started.append(Worker(popen, *argv))
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            worker.end()


def work_together(
    seconds: float, *ends: tuple[Callable[..., None], *tuple[object, ...]]
) -> list[dict[str, Any]]:
    """Let ends work for one window; what they tell, each with the bytes that its memory `grew`.

    An end is a function that the benchmark named in `main_or_end`, and its arguments. Each is
    started when those before it are ready, and asked for its results before those behind it.
    """
    with workers() as start:
        started = []
        for function, *arguments in ends:
            argv = (sys.argv[0], END, function.__name__, *arguments)
            started.append(start(subprocess.Popen, *argv))
            started[-1].heard()
        before = [worker.resident_bytes() for worker in started]
        begin_s = time.monotonic() + SETTLE_S + WARM_S
        for worker in started:
            worker.say([begin_s, begin_s + seconds])
        time.sleep(max(0.0, begin_s + seconds - time.monotonic()))
        grew = [
            worker.resident_bytes() - held for worker, held in zip(started, before, strict=True)
        ]
        time.sleep(IN_FLIGHT_S)
        told = [worker.results() for worker in started]
    return [{**facts, "grew": count} for facts, count in zip(told, grew, strict=True)]


def leave_nothing_when_terminated() -> None:
    """Let SIGTERM end this program as Ctrl-C does: with everything put away."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


# -- the command ----------------------------------------------------------------------------------


def main_or_end(main: Callable[[], None], *ends: Callable[..., None]) -> None:
    """Run a benchmark, or one of its ends if the command line says so."""
    if sys.argv[1:2] == [END]:
        named = {end.__name__: end for end in ends}
        named[sys.argv[2]](*sys.argv[3:])
    else:
        leave_nothing_when_terminated()
        main()


def parser(doc: str | None, seconds: float) -> argparse.ArgumentParser:
    """What every benchmark in rounds can be told."""
    made = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seconds", type=float, default=seconds, help="of each measurement")
    return made


def add_choice(
    made: argparse.ArgumentParser, flag: str, names: Iterable[str], default: Iterable[str] = ()
) -> None:
    """An option that takes some of `names`, with commas between them; by default all."""
    known = list(names)

    def split(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r}; there are {', '.join(known)}")
        return chosen

    usual = list(default) or known
    made.add_argument(flag, type=split, default=usual, metavar="NAME,...", help=", ".join(known))


def take_rounds(
    rounds: int, names: Sequence[str], measure: Callable[[str], T]
) -> list[dict[str, T]]:
    """Measure all in each round, which another one begins each time.

    One that fails is told, and is not in that round; but without the first of `names`, which the
    others are compared to, a round is worth nothing.
    """
    taken: list[dict[str, T]] = []
    for number in range(rounds):
        first = number % len(names)
        taken.append({})
        for name in (*names[first:], *names[:first]):
            try:
                taken[-1][name] = measure(name)
            except Ended as error:
                if name == names[0]:
                    raise
                print(f"{name} failed in round {number + 1}: {error}", file=sys.stderr)
    return taken


# -- figures --------------------------------------------------------------------------------------


def at_quantile(values: Sequence[float], level: float) -> float:
    """Nearest rank; nan if there are none."""
    return sorted(values)[round(level * (len(values) - 1))] if values else math.nan


def machine(*packages: str) -> str:
    """What the figures were made with: those of `packages` that are here, and the machine."""
    versions = []
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{name} {version(name)}")
    return f"{', '.join(versions)}; {os.cpu_count()} cores, {platform.platform()}"
