"""How long it takes from nothing to ready: imports, commands, and the first frame of a new sender.

    pip install -e '.[bench]'; python benchmarks/startup.py [--rounds 5] [--seconds 2]

First a process of its own for each import and each command, from its start to its end (imagezmq does
not load OpenCV before it needs it, VidGear does). Then a receiver that is there already and decodes,
and a sender that is started: the time from that to the first frame (1280x720, 30 frames a second,
over loopback, pub-sub). All take turns; in a round each one is repeated for so many seconds, and its
median counts. Ratios are to the same round.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from ends import END, START_S, Ended, main_or_end, parser, take_rounds, tell, workers
from report import Column, Table, publish, ratios
from systems import SYSTEMS, Place, free_port

PASS, CV2, IMAGEZMQ, VIDGEAR = (
    "python -c pass",
    "import cv2",
    "import imagezmq",
    "import vidgear.gears",
)
STARTS: dict[str, tuple[str, ...]] = {
    PASS: ("-c", "pass"),
    CV2: ("-c", CV2),
    IMAGEZMQ: ("-c", IMAGEZMQ),
    VIDGEAR: ("-c", VIDGEAR),
    "import framewire.sender": ("-c", "import framewire.sender"),
    "import framewire.receiver": ("-c", "import framewire.receiver"),
    "framewire --version": ("-m", "framewire", "--version"),
    "framewire --help": ("-m", "framewire", "--help"),
    "framewire send --help": ("-m", "framewire", "send", "--help"),
}

PROGRAM = """
import time, numpy
image = numpy.zeros((720, 1280, 3), numpy.uint8)
{give}
while True:
    give(image)
    time.sleep(1 / 30)
"""
FRAMEWIRE_PROGRAM = """
from framewire.sender import Sender
give = Sender("tcp://127.0.0.1:{port}", topic="bench", when_full="newest").send
"""
IMAGEZMQ_PROGRAM = """
import cv2, imagezmq
sender = imagezmq.ImageSender(connect_to="tcp://127.0.0.1:{port}", REQ_REP=False)
give = lambda image: sender.send_jpg("bench", cv2.imencode(".jpg", image)[1])
"""
NETGEAR_PROGRAM = """
from vidgear.gears import NetGear
give = NetGear(address="127.0.0.1", port="{port}", protocol="tcp", pattern=2).send
"""
COMMAND = ("-m", "framewire", "send", "pattern:1280x720@30", "--bind", "tcp://127.0.0.1:{port}")


def program(give: str) -> tuple[str, ...]:
    return "-c", PROGRAM.format(give=give)


SENDERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "imagezmq PUB/SUB, a program": ("imagezmq-pub", program(IMAGEZMQ_PROGRAM)),
    "NetGear PUB/SUB, a program": ("netgear-pub", program(NETGEAR_PROGRAM)),
    "framewire, a program": ("pub-sub", program(FRAMEWIRE_PROGRAM)),
    "framewire send": ("pub-sub", COMMAND),
}
"""Which of `SYSTEMS` receives, and the arguments for Python that send."""


def receive_first(system: str, port: str) -> None:
    """An end that tells when it has its first frame (monotonic clock)."""
    arrivals = SYSTEMS[system].receive(Place(int(port)))
    tell(ready=True)
    next(arrivals)
    tell(at_s=time.monotonic())


def run_ms(arguments: tuple[str, ...]) -> float:
    began_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=START_S, check=False
    )
    if done.returncode:
        raise Ended((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return (time.perf_counter() - began_s) * 1000


def first_frame_ms(system: str, arguments: tuple[str, ...]) -> float:
    port = free_port()
    with workers() as start:
        ears = start(subprocess.Popen, __file__, END, "receive_first", system, port)
        ears.heard()
        began_s = time.monotonic()
        start(subprocess.Popen, *(each.format(port=port) for each in arguments))
        return (float(ears.heard()["at_s"]) - began_s) * 1000


def repeated(measure: Callable[[], float], seconds: float) -> float:
    """The median of as many as begin in that time."""
    end_s, taken = time.monotonic() + seconds, [measure()]
    while time.monotonic() < end_s:
        taken.append(measure())
    return statistics.median(taken)


def table(
    title: str, references: dict[str, str], names: list[str], rounds: list[dict[str, float]]
) -> Table:
    """`references` of `names`, by what the column calls them."""
    columns = [Column("ms", 0), *(Column(f"ratio to {short}") for short in references.values())]
    made = Table(title, columns)
    taken = {name: [each[name] for each in rounds] for name in names}
    for name, own in taken.items():
        made.add(name, own, *(ratios(own, taken[other]) for other in references))
    return made


def main() -> None:
    options = parser(__doc__, seconds=2).parse_args()
    ways: dict[str, Callable[[], float]] = {
        **{name: partial(run_ms, arguments) for name, arguments in STARTS.items()},
        **{name: partial(first_frame_ms, *sender) for name, sender in SENDERS.items()},
    }
    for name in STARTS:
        ways[name]()  # what is read for the first time comes off the disk
    taken = take_rounds(
        options.rounds, list(ways), lambda name: repeated(ways[name], options.seconds)
    )
    rounds = [each for each in taken if len(each) == len(ways)]
    to = {PASS: PASS, CV2: CV2, IMAGEZMQ: IMAGEZMQ, VIDGEAR: VIDGEAR}
    peers = {name: name.partition(",")[0] for name in SENDERS if "framewire" not in name}
    tables = [
        table("To import, or to answer a command", to, list(STARTS), rounds),
        table("From a sender's start to its first frame", peers, list(SENDERS), rounds),
    ]
    publish("startup", tables)


if __name__ == "__main__":
    main_or_end(main, receive_first)
