"""How old frames are at a receiver that is slower than the camera: framewire, imagezmq, VidGear, Zenoh.

    pip install -e '.[bench]'; python benchmarks/slow_receiver.py [--rounds 3] [--seconds 20]
        [--only pub-sub,imagezmq-pub]

A sender of a synthetic 640x480 camera at 30 frames a second (JPEG quality 85) in one process, a
receiver that needs 100 ms for each frame in another. The age of a frame is read off the picture: its
number says when it was captured, on the one clock of this machine. Ages are medians of the first and
the last quarter of the time. Systems take turns, each used as its own documentation shows.
"""

import time

import cv2
import numpy as np
from ends import (
    FPS,
    WARM_S,
    Image,
    add_choice,
    at_quantile,
    camera,
    end_when_asked,
    main_or_end,
    parser,
    ready,
    take_rounds,
    work_together,
)
from report import Column, Table, publish, ratios
from systems import SYSTEMS, Place, free_port

from framewire.common.testchart import read_number

FIRST = "pub-sub"
PEERS = ("imagezmq-pub", "imagezmq-req", "netgear-pub", "netgear-req", "zenoh")
WORK_S = 0.1
Run = tuple[float, float, float, float]
"""Ages in the first and the last quarter, milliseconds; frames a second received and captured."""


# -- the ends, each in its process ----------------------------------------------------------------


def test_charts() -> list[Image]:
    """As many as nobody still holds when they are drawn on again."""
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    return [cv2.GaussianBlur(noise, (0, 0), 3) for _ in range(FPS)]


def send(name: str, port: str) -> None:
    charts, give = test_charts(), SYSTEMS[name].send(Place(int(port)))
    window = ready()
    captured = 0
    end_when_asked(lambda: {"captured": captured})
    for image in camera(charts, window.begin_s - WARM_S):
        give(image)
        captured += time.monotonic() in window


def receive(name: str, port: str) -> None:
    """Tells of each frame when it came, in seconds of the window, and how old it was."""
    arrivals = SYSTEMS[name].receive(Place(int(port)))
    window = ready()
    rows: list[tuple[float, float]] = []
    end_when_asked(lambda: {"rows": rows})
    for arrival in arrivals:
        now_s = time.monotonic()
        number = read_number(arrival.image)
        assert number is not None
        if now_s in window:
            captured_s = window.begin_s - WARM_S + number / FPS
            rows.append((now_s - window.begin_s, (now_s - captured_s) * 1000))
        time.sleep(WORK_S)


# -- what is measured -----------------------------------------------------------------------------


def measure(name: str, seconds: float) -> Run:
    port = free_port()
    received, sent = work_together(seconds, (receive, name, port), (send, name, port))
    rows = received["rows"]
    first = [age for at_s, age in rows if at_s < seconds / 4]
    last = [age for at_s, age in rows if at_s >= seconds * 3 / 4]
    ages = at_quantile(first, 0.5), at_quantile(last, 0.5)
    return *ages, len(rows) / seconds, sent["captured"] / seconds


def table(names: list[str], taken: list[dict[str, Run]]) -> Table:
    columns = (
        Column("age, ms, first quarter", 0),
        Column("age, ms, last quarter", 0),
        Column("last / first"),
        Column(f"last / framewire's {FIRST}"),
        Column("received, fps", 1),
        Column("the camera's loop, fps", 1),
    )
    made = Table("A receiver that needs 100 ms for a frame", columns, plot=1)
    for name in names:
        rounds = [each for each in taken if name in each]
        first, last, received, captured = ([each[name][i] for each in rounds] for i in range(4))
        ours = [each[FIRST][1] for each in rounds]
        grown = ratios(last, first), ratios(last, ours)
        made.add(SYSTEMS[name].title, first, last, *grown, received, captured)
    return made


def main() -> None:
    made = parser(__doc__, seconds=20)
    made.set_defaults(rounds=3)
    add_choice(made, "--only", (FIRST, *PEERS))
    options = made.parse_args()
    names = [FIRST, *(name for name in options.only if name != FIRST)]
    taken = take_rounds(options.rounds, names, lambda name: measure(name, options.seconds))
    publish("slow_receiver", [table(names, taken)])


if __name__ == "__main__":
    main_or_end(main, send, receive)
