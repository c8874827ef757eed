"""How old frames get on a link that carries half of what the camera makes: framewire beside others.

    pip install -e '.[bench]'; sudo python benchmarks/slow_link.py [SECONDS] [--delay-ms 20]

A camera of 1280x720 at 30 frames a second in one network namespace, a receiver that decodes each
frame in another, and between them a link with half of the bit rate that the camera's pictures need
at JPEG quality 85. Each system is used as its own documentation shows; all run one after the other
in fresh processes. With --delay-ms the receiver sits behind a line that is so late each way.

*Age* is the time from capture to the decoded picture, read off the picture itself: its number says
when it was captured, on the one clock of this machine. *JPEG* is the share of the link's bit rate
that the arriving pictures fill, *wire* what the sender's interface sends, headers included, both in
the last seconds. *Quality* is that of the pictures in those seconds, mean and standard deviation,
with their mean width where a system made them smaller.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ends import (
    END,
    FPS,
    HEIGHT,
    MEADOW,
    WIDTH,
    Ended,
    Image,
    Worker,
    at_quantile,
    camera,
    clip_frames,
    end_when_asked,
    machine,
    main_or_end,
    tell,
    told,
    workers,
)
from systems import SYSTEMS, Place, System, jpeg

from framewire.common.testchart import draw_number, read_number

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from namespaces import Link, Side, skip_reason

SHARE = 0.5  # of the bit rate that the pictures need
PORT = 21800
SETTLE_S = 2.0  # from "both are there" to the first frame: subscriptions are on their way
DELAYED = ["req-rep", "req-rep-one", "req-rep-auto"]
UNDELAYED = ["pub-sub", "req-rep", "req-rep-auto"]
UNDELAYED += ["imagezmq-pub", "imagezmq-req", "netgear-pub", "netgear-req", "zenoh"]


# -- the two ends, each in its process ------------------------------------------------------------


def run_sender(system: System, place: Place, clip: str) -> None:
    frames = list(clip_frames(Path(clip)))
    give = system.send(place)
    tell(ready=True)
    began_s = told()
    given = 0
    end_when_asked(lambda: {"loop_fps": given / (time.monotonic() - began_s)})
    for image in camera(frames, began_s):
        give(image)
        given += 1


def run_receiver(system: System, place: Place) -> None:
    """Note of each frame when it was decoded and what came; the age is worked out later."""
    rows: list[tuple[float, int, int | None, int, int]] = []
    end_when_asked(lambda: {"rows": rows})
    arrivals = system.receive(place)
    tell(ready=True)
    for arrival in arrivals:
        now_s = time.monotonic()
        number = read_number(arrival.image)
        assert number is not None, "a picture came without its number"
        width = arrival.image.shape[1]
        rows.append((now_s, number, arrival.bytes_so_far(), arrival.quality, width))


def run_end(side: str, name: str, here: str, there: str, clip: str) -> None:
    place = Place(PORT, here, there)
    if side == "a":
        run_sender(SYSTEMS[name], place, clip)
    else:
        run_receiver(SYSTEMS[name], place)


# -- what is measured -----------------------------------------------------------------------------


Window = tuple[float, float]


@dataclass(frozen=True)
class Seen:
    """One frame at the receiver: seconds since the camera began, its age then, and what came."""

    at_s: float
    age_ms: float
    bytes_so_far: int | None
    quality: int
    width: int


@dataclass(frozen=True)
class Run:
    """What became of one system: frames seen, the camera's loop, bits a second sent at the end."""

    seen: list[Seen]
    loop_fps: float
    wire_bits: float

    def within(self, window: Window) -> list[Seen]:
        return [each for each in self.seen if window[0] <= each.at_s < window[1]]


def windows(seconds: float) -> tuple[Window, Window]:
    """Early (seconds 5 to 10) and late (the last ten) in a run; shorter in a short one."""
    early = min(5.0, seconds / 4), min(10.0, seconds / 2)
    return early, (seconds - min(10.0, seconds / 4), seconds)


def mean_jpeg_bytes(frames: Iterable[Image]) -> float:
    """Mean size of the camera's pictures as JPEG of quality 85."""
    sizes = []
    for number, image in enumerate(frames):
        draw_number(image, number)
        sizes.append(len(jpeg(image)))
    if not sizes:
        raise SystemExit("the clip has no frames that OpenCV can read")
    return sum(sizes) / len(sizes)


def measure(name: str, rate_bits: int, seconds: float, clip: Path, delay_s: float) -> Run:
    """One system on a link of its own, all of it fresh."""
    with Link(rate_bits) as link, workers() as start:
        if delay_s:
            link.delay(PORT, delay_s)

        def start_end(side: Side, there: str) -> Worker:
            here = link.address[side]
            worker = start(
                partial(link.popen, side), __file__, END, "run_end", side, name, here, there, clip
            )
            worker.heard()
            return worker

        receiver = start_end("b", "127.0.0.1" if delay_s else link.address["a"])
        sender = start_end("a", link.address["b"])
        began_s = time.monotonic() + SETTLE_S
        sender.say(began_s)
        wire_bits = bits_sent(link, began_s, windows(seconds)[1])
        rows, loop_fps = receiver.results()["rows"], sender.results()["loop_fps"]
    return Run([seen(began_s, *row) for row in rows], loop_fps, wire_bits)


def seen(
    began_s: float, at_s: float, number: int, so_far: int | None, quality: int, width: int
) -> Seen:
    since_s = at_s - began_s
    return Seen(since_s, (since_s - number / FPS) * 1000, so_far, quality, width)


def bits_sent(link: Link, began_s: float, window: Window) -> float:
    """Wait for that window to pass; bits a second that the sender's end sent in it."""
    counts = []
    for at_s in window:
        time.sleep(max(0.0, began_s + at_s - time.monotonic()))
        counts.append(link.sent_bytes())
    return (counts[1] - counts[0]) * 8 / (window[1] - window[0])


# -- the table ------------------------------------------------------------------------------------


def row(title: str, run: Run, rate_bits: int, seconds: float) -> str:
    early, late = (run.within(window) for window in windows(seconds))
    length = windows(seconds)[1][1] - windows(seconds)[1][0]
    cells = [
        title,
        ages(early),
        ages(late),
        f"{len(late) / length:.1f} fps",
        payload_share(late, rate_bits),
        f"{run.wire_bits / rate_bits:.0%}",
        quality(late),
        f"{run.loop_fps:.1f} fps",
    ]
    return f"| {' | '.join(cells)} |"


def ages(frames: list[Seen]) -> str:
    values = [each.age_ms for each in frames]
    return f"{at_quantile(values, 0.5):.0f} / {at_quantile(values, 0.95):.0f} ms"


def payload_share(frames: list[Seen], rate_bits: int) -> str:
    counts = [(each.at_s, each.bytes_so_far) for each in frames if each.bytes_so_far is not None]
    if len(counts) < 2:
        return "n/a"
    (first_s, before), (last_s, after) = counts[0], counts[-1]
    return f"{(after - before) * 8 / (last_s - first_s) / rate_bits:.0%}"


def quality(frames: list[Seen]) -> str:
    if not frames:
        return "n/a"
    levels = [each.quality for each in frames]
    text = f"{statistics.mean(levels):.0f} ± {statistics.pstdev(levels):.1f}"
    width = statistics.mean(each.width for each in frames)
    return text + (f", {width:.0f} wide" if width < WIDTH else "")


def head(seconds: float) -> str:
    early, late = ("{:.3g} to {:.3g} s".format(*window) for window in windows(seconds))
    return (
        f"| | age p50 / p95, {early} | {late} | received | JPEG | wire | quality | camera's loop |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |"
    )


# -- the command ----------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seconds", nargs="?", type=float, default=60.0, help="for each system")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="of the line, each way")
    parser.add_argument("--only", default="", metavar="NAME,...", help=", ".join(SYSTEMS))
    parser.add_argument("--clip", type=Path, default=MEADOW, help="what the camera sees")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else None
    arguments.names = names or (DELAYED if arguments.delay_ms else UNDELAYED)
    for name in arguments.names:
        if name not in SYSTEMS:
            parser.error(f"no system {name!r}; there are {', '.join(SYSTEMS)}")
        if arguments.delay_ms and not SYSTEMS[name].connects:
            parser.error(f"{name}: its receiver does not connect, so it cannot sit behind the line")
    return arguments


def main() -> None:
    arguments = parse()
    if skip_reason():
        sys.exit(f"no such link here: {skip_reason()}")
    mean_bytes = mean_jpeg_bytes(clip_frames(arguments.clip))
    rate_bits = round(mean_bytes * 8 * FPS * SHARE)
    print(machine("framewire", "imagezmq", "vidgear", "pyzmq", "opencv-python", "simplejpeg"))
    print(
        f"{arguments.clip.name} at {WIDTH}x{HEIGHT}, {FPS} fps: {mean_bytes / 1000:.1f} kB a JPEG; "
        f"link {rate_bits / 1e6:.2f} Mbit/s, so a picture takes {1000 / FPS / SHARE:.0f} ms; "
        f"{arguments.delay_ms:g} ms late each way\n"
    )
    print(head(arguments.seconds), flush=True)
    for name in arguments.names:
        system, delay_s = SYSTEMS[name], arguments.delay_ms / 1000
        try:
            run = measure(name, rate_bits, arguments.seconds, arguments.clip, delay_s)
            print(row(system.title, run, rate_bits, arguments.seconds), flush=True)
        except Ended as error:
            print(f"| {system.title} | failed: {error} |", flush=True)


if __name__ == "__main__":
    main_or_end(main, run_end)
