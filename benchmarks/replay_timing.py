"""How exactly a replay keeps the times, bytes and headers of what was recorded.

    pip install -e '.[bench]'; python benchmarks/replay_timing.py [--rounds 1] [--seconds 60]

A sender makes frames at irregular times (intervals at random from 5 to 200 ms) with metadata that
grows to 60 kB; they are recorded, and `framewire replay` sends the recording to be recorded again, at
the original pace and at four times that. Payload, metadata and headers must come back as they were,
but for the facts of a replay (`sender`, `replay`, `sent_ns`), or it fails. Each interval of the replay, between hand-overs to ZeroMQ and between arrivals at the recorder, is compared to the
original one divided by the speed; the drift is by how much more frames of the last tenth are late than
those of the first (medians). The floor, at the same time: a process that only sleeps until each of
these moments. Sender and recorder are two more; all times are on the clock of this machine.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median

from ends import (
    END,
    MEADOW,
    QUALITY,
    START_S,
    at_quantile,
    clip_frames,
    main_or_end,
    parser,
    tell,
    workers,
)
from report import Column, Table, publish

from framewire.common.container import RecordingReader
from framewire.common.errors import ReceiveTimeout
from framewire.common.frame import Header, Packet
from framewire.receiver import Receiver, Recorder
from framewire.sender import Sender

SIZE, DISTINCT = (640, 360), 20
SHORTEST_S, LONGEST_S = 0.005, 0.2
METADATA_BYTES = 60_000  # 64 KiB is the limit
QUIET_S = 3.0
SPEEDS = (1.0, 4.0)
REPLAY = ("-m", "framewire", "replay", "--bind", "tcp://127.0.0.1:*", "--wait", 1, "--json")
ITS_OWN = {"sender", "replay", "sent_ns"}
COLUMNS = [
    Column("interval off, ms, median"), Column("99 %"), Column("worst", goal="<= 5 at speed 1"),
    Column("drift, ms", goal="< 10"), Column("took, of the original time", digits=4),
]  # fmt: skip


# -- the sending end, in its process --------------------------------------------------------------


def make(seconds: str) -> None:
    """Frames as an irregular camera makes them."""
    images = list(clip_frames(MEADOW, DISTINCT, SIZE))
    irregular = random.Random(1)
    with Sender("tcp://127.0.0.1:*", topic="bench", quality=QUALITY, queue=8) as sender:
        tell(endpoints=sender.endpoints)
        sender.wait_for_receivers(1, START_S)
        due_s = began_s = time.monotonic()
        number = 0
        while due_s < began_s + float(seconds):
            time.sleep(max(0.0, due_s - time.monotonic()))
            grown = round((due_s - began_s) / float(seconds) * METADATA_BYTES)
            metadata = {"n": number, "log": "x" * grown}
            sender.send(images[number % DISTINCT], metadata=metadata)
            due_s += irregular.uniform(SHORTEST_S, LONGEST_S)
            number += 1
        sender.close(START_S)


def sleep(out: str, speed: str, *captured: str) -> None:
    """The floor: what the machine lets anybody do."""
    times = [int(each) / float(speed) / 1e9 for each in captured]
    began_s, woken = time.monotonic() + 1, []
    for at_s in times:
        time.sleep(max(0.0, began_s + at_s - times[0] - time.monotonic()))
        woken.append(time.monotonic_ns())
    Path(out).write_text(json.dumps(woken))


# -- the recording end ----------------------------------------------------------------------------


def record(out: Path, *sender: object) -> list[int]:
    """Record all that a program sends; when each frame arrived, wall clock."""
    arrived: list[int] = []
    with workers() as start:
        endpoint = start(subprocess.Popen, *sender).heard()["endpoints"][0]
        with Receiver(endpoint, keep="all") as receiver, Recorder(out, overwrite=True) as recorder:
            while True:
                try:
                    packet = receiver.read_packet(QUIET_S if arrived else START_S)
                except ReceiveTimeout:
                    break
                arrived.append(packet.received_ns)
                recorder.write(packet)
    return arrived


def recorded(path: Path) -> list[Packet]:
    with closing(RecordingReader(path)) as reader:
        return list(reader.packets())


# -- what is compared -----------------------------------------------------------------------------


def differences(first: Sequence[Packet], second: Sequence[Packet]) -> list[str]:
    """What did not come back."""
    if len(first) != len(second):
        return [f"{len(first)} frames became {len(second)}"]
    found = []
    for was, now in zip(first, second, strict=True):
        names = {
            n for n in Header.__struct_fields__ if getattr(was.header, n) != getattr(now.header, n)
        }
        if names - ITS_OWN or was.payload != now.payload:
            changed = ", ".join(sorted(names - ITS_OWN)) or "payload"
            found.append(f"frame {was.sequence}: {changed} changed")
    return found


def figures(captured: Sequence[int], replayed: Sequence[int], speed: float) -> list[float]:
    """One value for each column. Times in nanoseconds, of the same frames."""
    off = sorted(
        abs((b - a) - (d - c) / speed) / 1e6
        for (a, b), (c, d) in zip(pairwise(replayed), pairwise(captured), strict=True)
    )
    late = [(b - a / speed) / 1e6 for a, b in zip(captured, replayed, strict=True)]
    tenth = len(late) // 10 or 1
    drift = abs(median(late[-tenth:]) - median(late[:tenth]))
    whole, took = captured[-1] - captured[0], replayed[-1] - replayed[0]
    return [at_quantile(off, 0.5), at_quantile(off, 0.99), off[-1], drift, took / whole]


def measure(seconds: float, folder: Path) -> dict[str, list[float]]:
    original = folder / "original.mkv"
    record(original, sys.argv[0], END, make.__name__, seconds)
    first = recorded(original)
    captured = [packet.header.captured_ns for packet in first]
    print(f"{len(first)} frames in {(captured[-1] - captured[0]) / 1e9:.2f} s", file=sys.stderr)
    found = {}
    for speed in SPEEDS:
        again = folder / f"again-{speed}.mkv"
        woken = folder / f"woken-{speed}.json"
        since = [at - captured[0] for at in captured]
        floor = [sys.executable, sys.argv[0], END, sleep.__name__, woken, speed, *since]
        sleeping = subprocess.Popen([str(each) for each in floor])
        arrived = record(again, *REPLAY, original, "--speed", speed)
        sleeping.wait(START_S)
        second = recorded(again)
        if wrong := differences(first, second):
            sys.exit(f"failed at speed {speed:g}: {wrong[0]} ({len(wrong)} in all)")
        floors = json.loads(woken.read_text())
        found[f"speed {speed:g}, floor"] = figures(captured, floors, speed)
        sent = [packet.header.sent_ns for packet in second]
        found[f"speed {speed:g}, sent"] = figures(captured, sent, speed)
        found[f"speed {speed:g}, arrived"] = figures(captured, arrived, speed)
    return found


def main() -> None:
    made = parser(__doc__, 60.0)
    made.set_defaults(rounds=1)
    options = made.parse_args()
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            taken.append(measure(options.seconds, Path(folder)))
    table = Table("A recording of irregular frames, replayed and recorded again", COLUMNS, plot=2)
    for name in taken[0]:
        table.add(name, *zip(*(each[name] for each in taken), strict=True))
    publish("replay_timing", [table])


if __name__ == "__main__":
    main_or_end(main, make, sleep)
